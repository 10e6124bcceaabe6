"""The packages that the assessment needs, installed once, when they are first needed."""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MSIQALib.process.requirements import TORCH, missing, pins, read_requirements

REQUIREMENTS = Path(__file__).resolve().parents[1] / "Resources" / "requirements.txt"
TITLE = "MSIQA"

TORCH_GB, OTHERS_MB = "0.3-3", 60
"""What is downloaded, roughly: PyTorch for the CPU to PyTorch for CUDA, and the rest."""


class DependencyError(RuntimeError):
    """The packages could not be installed; the message says what to do."""


def missing_packages() -> tuple[str, ...]:
    """Names of the packages that are not there yet. Nothing is imported."""
    found = missing((TORCH, *read_requirements(REQUIREMENTS)))
    return tuple(str(requirement) for requirement in found)


def ensure_packages() -> bool:
    """Install what is missing, after asking once.

    Returns:
        False where the user declined.

    Raises:
        DependencyError: It cannot be installed.
    """
    names = missing_packages()
    if not names:
        return True
    if slicer.app.testingEnabled():
        raise DependencyError(
            _("Tests do not install packages; missing: {names}").format(names=", ".join(names))
        )
    needs_torch = any(name.startswith(TORCH.name) for name in names)
    if not _agreed(names, needs_torch):
        return False
    with _bundled_pinned():
        if needs_torch:
            _install_torch()
        _install([str(r) for r in missing(read_requirements(REQUIREMENTS))])
    importlib.invalidate_caches()
    left = missing_packages()
    if left:
        raise DependencyError(
            _("These packages are still missing: {names}. See the Python console.").format(
                names=", ".join(left)
            )
        )
    return True


def _agreed(names: tuple[str, ...], needs_torch: bool) -> bool:
    size = _("about {mb} MB").format(mb=OTHERS_MB)
    if needs_torch:
        size = _("{gb} GB, depending on your graphics card").format(gb=TORCH_GB)
    text = _(
        "To score images, MSIQA needs {count} Python packages that Slicer does not bring along. "
        "They are downloaded once ({size}) and installed into Slicer; packages that Slicer "
        "bundles stay as they are. Images never leave this computer.\n\nInstall them now?"
    ).format(count=len(names), size=size)
    return slicer.util.confirmOkCancelDisplay(text, TITLE, detailedText="\n".join(names))


def _install_torch() -> None:
    """By the PyTorch extension, which finds the build that fits the graphics driver."""
    try:
        import PyTorchUtils
    except ModuleNotFoundError as error:
        raise DependencyError(
            _(
                "The PyTorch extension is missing. Install it by the Extensions Manager, restart "
                "Slicer and try again."
            )
        ) from error
    logic = PyTorchUtils.PyTorchUtilsLogic()
    if logic.installTorch(torchVersionRequirement=str(TORCH.specifier)) is None:
        raise DependencyError(_("PyTorch was not installed. See the Python console."))


def _install(requirements: list[str]) -> None:
    if not requirements:
        return
    try:
        from slicer.packaging import pip_ensure
    except ModuleNotFoundError:  # Slicer before 5.11
        slicer.util.pip_install(requirements)
        return
    pip_ensure(requirements, prompt_install=False, requester=TITLE)


@contextlib.contextmanager
def _bundled_pinned() -> Iterator[None]:
    """Keep pip, however it is called, from replacing what Slicer bundles."""
    variable = "PIP_CONSTRAINT"
    before = os.environ.get(variable)
    with tempfile.TemporaryDirectory(prefix="msiqa-pip-") as folder:
        path = Path(folder) / "bundled.txt"
        path.write_text("\n".join((*pins(), "")), encoding="utf-8")
        os.environ[variable] = " ".join(filter(None, (before, path.as_uri())))
        try:
            yield
        finally:
            if before is None:
                del os.environ[variable]
            else:
                os.environ[variable] = before
