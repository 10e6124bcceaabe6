"""Slicer's own Python in the place of the stand-ins, where its source is at hand.

With MSIQA_SOURCES set to a folder of git clones, ScriptedLoadableModule.py, i18n.py and the package
parameterNodeWrapper are read from Slicer's repository at the commit of `slicer_names.json`, so that
the same tests hold against them. They are read, not kept.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import types
from io import BytesIO
from pathlib import Path

FOLDER = "Base/Python/slicer"
REPOSITORY = "Slicer/Slicer"
NAMES = Path(__file__).resolve().parents[1] / "slicer_names.json"


def git_folder(repository: str) -> Path:
    """The git directory of a clone below MSIQA_SOURCES: owner+name or owner/name."""
    sources = Path(os.environ["MSIQA_SOURCES"])
    folders = (sources / repository.replace("/", "+"), sources / repository)
    folder = next(folder for folder in folders if folder.is_dir())
    return next((p for p in (folder / "repo", folder / ".git") if p.is_dir()), folder)


def listed_commit(repository: str) -> str:
    return json.loads(NAMES.read_text("utf-8"))["repositories"][repository]


def load_originals(use_properties, widgets) -> None:
    """Make slicer.i18n, slicer.parameterNodeWrapper and slicer.ScriptedLoadableModule importable.

    Args:
        use_properties: Gives modules, by name, Qt's properties as attributes.
        widgets: The module with the widgets of Slicer and CTK.
    """
    import slicer

    archive = subprocess.run(
        [
            "git",
            f"--git-dir={git_folder(REPOSITORY)}",
            "archive",
            listed_commit(REPOSITORY),
            FOLDER,
        ],
        check=True,
        capture_output=True,
    ).stdout
    root = Path(tempfile.mkdtemp(prefix="msiqa-slicer-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(root, filter="data")
    ctk = types.ModuleType("ctk")
    sys.modules["ctk"] = ctk
    for module in (ctk, slicer):
        # Connectors compare a widget's type with those of widgets that the panel does not have.
        module.__getattr__ = lambda name: getattr(widgets, name, None) or _widget_class(name)
    for name in ("i18n", "parameterNodeWrapper", "ScriptedLoadableModule"):
        path = root / FOLDER / name
        package = path.is_dir()
        parts = [part.stem for part in path.glob("*.py")] if package else []
        full = f"slicer.{name}"
        use_properties(full, *(f"{full}.{part}" for part in parts))
        spec = importlib.util.spec_from_file_location(
            full,
            path / "__init__.py" if package else path.with_suffix(".py"),
            submodule_search_locations=[str(path)] if package else None,
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        setattr(slicer, name, module)
        spec.loader.exec_module(module)


def _widget_class(name: str) -> type:
    if not name.startswith(("ctk", "qMRML", "qSlicer")):
        raise AttributeError(name)
    return type(name, (), {})
