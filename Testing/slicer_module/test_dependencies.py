"""Packages are asked for once, at the first click, and what Slicer bundles stays."""

from __future__ import annotations

import os
import sys
import types
import urllib.parse
from importlib import metadata
from pathlib import Path

import pytest
import tomllib
from packaging.requirements import Requirement

from __feature__ import true_property  # isort: skip # noqa: F401

from MSIQALib.process.requirements import BUNDLED, TORCH, missing, pins, read_requirements

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "MSIQA" / "Resources" / "requirements.txt"


def test_requirements_are_those_of_the_package():
    with (ROOT / "pyproject.toml").open("rb") as file:
        wanted = {
            Requirement(line).name: str(Requirement(line).specifier)
            for line in tomllib.load(file)["project"]["dependencies"]
        }
    listed = {r.name: str(r.specifier) for r in (*read_requirements(REQUIREMENTS), TORCH)}
    assert set(wanted) - set(listed) <= set(BUNDLED)
    assert listed == {name: wanted[name] for name in listed}


def test_missing_is_told_by_version_without_import():
    installed = metadata.version("numpy")
    found = missing([Requirement(text) for text in ("numpy", "numpy>=99", "no-such-package-x")])
    assert [str(requirement) for requirement in found] == ["numpy>=99", "no-such-package-x"]
    assert missing([Requirement("no-such-package-x; sys_platform == 'plan9'")]) == ()
    assert f"numpy=={installed}" in pins()
    assert not any(pin.startswith("no-such") for pin in pins(("no-such-package-x",)))


@pytest.fixture
def dependencies(module, scene, messages, monkeypatch):
    from MSIQAModuleLib import dependencies

    return dependencies


@pytest.fixture
def installer(dependencies, monkeypatch):
    """Records what would be installed; installing makes it present."""
    import slicer

    done = types.SimpleNamespace(torch=[], packages=[], constraints=[], absent=["torch", "timm"])

    def look_up(requirements):
        return tuple(r for r in requirements if r.name in done.absent)

    def note():
        uri = os.environ["PIP_CONSTRAINT"].split()[-1]
        path = urllib.parse.unquote(urllib.parse.urlparse(uri).path)
        done.constraints.append(Path(path).read_text())

    class PyTorchUtilsLogic:
        """fepegar/SlicerPyTorch: PyTorchUtils/PyTorchUtils.py."""

        def installTorch(
            self,
            askConfirmation=False,
            forceComputationBackend=None,
            torchVersionRequirement=None,
            torchvisionVersionRequirement=None,
        ):
            note()
            done.torch.append((askConfirmation, torchVersionRequirement))
            done.absent.remove("torch")
            return object()

    def pip_install(requirements):
        note()
        done.packages.append(requirements)
        done.absent.clear()

    torch_utils = types.ModuleType("PyTorchUtils")
    torch_utils.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", torch_utils)
    monkeypatch.setattr(dependencies, "missing", look_up)
    monkeypatch.setattr(slicer.util, "pip_install", pip_install, raising=False)
    return done


def test_asked_once_with_reason_and_size(dependencies, installer, messages):
    assert dependencies.ensure_packages()
    (question,) = messages.questions
    assert "GB" in question
    assert "score" in question
    assert installer.torch == [(False, ">=2.4")]
    assert installer.packages == [["timm>=1.0.9"]]
    assert dependencies.ensure_packages()
    assert len(messages.questions) == 1


def test_what_slicer_bundles_is_pinned_meanwhile(dependencies, installer, monkeypatch):
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    dependencies.ensure_packages()
    assert len(installer.constraints) == 2
    for text in installer.constraints:
        assert f"numpy=={metadata.version('numpy')}\n" in text
        assert f"pydicom=={metadata.version('pydicom')}\n" in text
    assert "PIP_CONSTRAINT" not in os.environ


def test_declining_installs_nothing(dependencies, installer, messages):
    messages.answer = False
    assert not dependencies.ensure_packages()
    assert installer.torch == []
    assert installer.packages == []


def test_newer_slicer_installs_by_its_packaging(dependencies, installer, monkeypatch):
    """slicer.packaging (Base/Python/slicer/packaging.py, since 5.11)."""
    import slicer

    calls = []

    def pip_ensure(requirements, constraints=None, prompt_install=True, requester=None):
        calls.append((requirements, prompt_install, requester))
        installer.absent.clear()

    packaging = types.ModuleType("slicer.packaging")
    packaging.pip_ensure = pip_ensure
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    monkeypatch.setattr(slicer, "packaging", packaging, raising=False)
    assert dependencies.ensure_packages()
    assert calls == [(["timm>=1.0.9"], False, "MSIQA")]
    assert installer.packages == []


def test_without_the_pytorch_extension_the_user_is_told(dependencies, installer, monkeypatch):
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(dependencies.DependencyError, match="Extensions Manager"):
        dependencies.ensure_packages()


def test_declining_leaves_the_panel_ready(widget, add_phantom, installer, messages):
    add_phantom()
    panel = widget()
    messages.answer = False
    panel.ui.applyButton.click()
    assert panel.currentRun() is None
    assert panel.ui.applyButton.enabled
    assert messages.errors == []


def test_opening_the_panel_asks_for_nothing(widget, add_phantom, installer, messages):
    add_phantom()
    widget()
    assert messages.questions == []


def test_module_is_imported_before_anything_is_installed():
    """Slicer imports every module when it starts, and has none of the packages yet."""
    import ast
    import subprocess

    absent = [r.name for r in (*read_requirements(REQUIREMENTS), TORCH)]
    wanted = set()
    for path in (ROOT / "MSIQA" / "MSIQA.py", *(ROOT / "MSIQA" / "MSIQAModuleLib").glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module.startswith("MSIQALib"):
                wanted.add(node.module)
    assert "MSIQALib.scene.study" in wanted
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent!r}))\n"
        f"import importlib; [importlib.import_module(name) for name in {sorted(wanted)!r}]\n"
        # Nor does it make Slicer's start slow.
        "slow = [name for name in ('SimpleITK', 'pydicom', 'scipy') if sys.modules.get(name)]\n"
        "sys.exit(str(slow) if slow else 0)"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
