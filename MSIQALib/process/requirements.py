"""Which Python packages are missing, and which must stay as they are."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

TORCH = Requirement("torch>=2.4")

BUNDLED = ("numpy", "SimpleITK", "vtk", "pydicom", "scipy", "pillow")
"""Packages that 3D Slicer brings along and has loaded: another version breaks it."""


def read_requirements(path: Path) -> tuple[Requirement, ...]:
    """Read a requirements file; comments and empty lines may be there."""
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return tuple(Requirement(line) for line in lines if line)


def missing(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Those that are not installed, or in a version that does not do. Nothing is imported."""
    return tuple(requirement for requirement in requirements if not _satisfied(requirement))


def pins(names: Iterable[str] = BUNDLED) -> tuple[str, ...]:
    """Constraints that hold packages at the installed version; absent ones are left out."""
    found = ((name, _version(name)) for name in names)
    return tuple(f"{name}=={version}" for name, version in found if version is not None)


def _satisfied(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    version = _version(requirement.name)
    # Nightly builds of PyTorch count as well.
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
