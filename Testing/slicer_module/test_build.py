"""The extension builds and installs so that the module finds its engine and its resources."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("lib/Slicer-5.10/qt-scripted-modules")
CMAKE = shutil.which("cmake")


def cmake(*arguments):
    outcome = subprocess.run(
        [CMAKE, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Build tree and package."""
    if CMAKE is None or shutil.which("c++") is None:
        pytest.skip("CMake or a compiler is not installed")
    folder = tmp_path_factory.mktemp("extension")
    build, package = folder / "build", folder / "package"
    config = Path(__file__).parent / "cmake"
    cmake("-S", ROOT, "-B", build, f"-DSlicer_DIR={config}", f"-DCMAKE_INSTALL_PREFIX={package}")
    cmake("--build", build)
    cmake("--install", build)
    return {"build": build, "package": package}


@pytest.mark.parametrize("name", ["build", "package"])
def test_engine_is_beside_the_module_with_all_it_needs(trees, name):
    folder = trees[name] / FOLDER
    for part in ("MSIQA.py", "Resources/UI/MSIQA.ui", "Resources/Icons/MSIQA.png"):
        assert (folder / part).is_file(), part
    ours = {path.relative_to(ROOT) for path in (ROOT / "MSIQALib").rglob("*") if path.is_file()}
    ours |= {
        path.relative_to(ROOT / "MSIQA") for path in (ROOT / "MSIQA").rglob("MSIQAModuleLib/*.py")
    }
    ours |= {path.relative_to(ROOT) for path in (ROOT / "Resources" / "Models").iterdir()}
    lacking = [path for path in ours if path.suffix != ".pyc" and not (folder / path).is_file()]
    assert lacking == []


@pytest.mark.parametrize("name", ["build", "package"])
def test_engine_is_imported_from_there(trees, name):
    folder = trees[name] / FOLDER
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "import MSIQALib, MSIQALib.report.html; from MSIQALib.model.shipped import SHIPPED; "
        "print(MSIQALib.__file__); print(SHIPPED)"
    )
    outcome = subprocess.run(
        [sys.executable, "-I", "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert [Path(line).is_relative_to(folder) for line in outcome.stdout.split()] == [True, True]


def test_tests_are_registered(trees):
    listing = subprocess.run(
        [shutil.which("ctest"), "-N"],
        cwd=trees["build"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in ("py_MSIQA", "py_MSIQAPackageTest", "qSlicerMSIQAModuleGenericTest"):
        assert name in listing


def test_icon_is_as_the_extensions_manager_wants_it():
    from PIL import Image

    for path in (ROOT / "Resources", ROOT / "MSIQA" / "Resources"):
        with Image.open(path / "Icons" / "MSIQA.png") as icon:
            assert icon.size == (128, 128)
