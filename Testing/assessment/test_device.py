"""Choosing the device, and saying why."""

from __future__ import annotations

import pytest
import torch

from MSIQALib.assessment import device as device_module
from MSIQALib.assessment.device import choose_device
from MSIQALib.errors import MSIQAError

NO_GPU = not torch.cuda.is_available() and not torch.backends.mps.is_available()


@pytest.mark.skipif(not NO_GPU, reason="this machine has a GPU")
def test_auto_without_a_gpu_is_the_cpu_and_says_why():
    device = choose_device("auto")
    assert device.name == "cpu"
    assert not device.autocast
    assert "no CUDA GPU" in device.reason
    assert "\n" not in device.reason


@pytest.mark.skipif(not NO_GPU, reason="this machine has a GPU")
@pytest.mark.parametrize("wanted", ["cuda", "cuda:1", "mps"])
def test_a_gpu_that_is_not_there_is_an_error(wanted):
    with pytest.raises(MSIQAError, match=wanted):
        choose_device(wanted)


def test_the_cpu_can_be_asked_for():
    assert choose_device("cpu").name == "cpu"
    assert "as asked for" in choose_device("cpu").reason


@pytest.mark.parametrize("wanted", ["", "gpu", "tpu:0"])
def test_unknown_devices_are_named(wanted):
    with pytest.raises(MSIQAError, match="Unknown device"):
        choose_device(wanted)


def test_auto_passes_over_a_gpu_that_fails(monkeypatch):
    """A driver too old, or a GPU that this PyTorch has no kernels for, shows at the first use."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    real = torch.ones

    def ones(*args, device=None, **options):
        if str(device) != "cpu":
            raise RuntimeError("no kernel image is available\nfor execution")
        return real(*args, device=device, **options)

    monkeypatch.setattr(device_module.torch, "ones", ones)
    chosen = choose_device("auto")
    assert chosen.name in ("cpu", "mps")
    assert "no kernel image is available" in chosen.reason
    with pytest.raises(MSIQAError, match="no kernel image"):
        choose_device("cuda")


@pytest.mark.parametrize(("count", "said"), [(1, "(1 thread)"), (2, "(2 threads)")])
def test_the_cpu_is_named_with_its_threads(
    count: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    assert said in choose_device("cpu").reason
