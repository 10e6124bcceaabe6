"""The scene tests need 3D Slicer's core (the package slicer-core); without it they are skipped."""

from __future__ import annotations

import pytest

try:
    import slicer  # noqa: F401
except ImportError:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def new_world(tmp_path):
    """Make empty scenes as in 3D Slicer."""
    from scenes import World

    made = []

    def make():
        made.append(World(tmp_path))
        return made[-1]

    yield make
    for world in made:
        world.scene.Clear(True)


@pytest.fixture
def world(new_world):
    """An empty scene as in 3D Slicer."""
    return new_world()
