"""The module in an application of stand-ins: real scene, real widgets, real processes."""

from __future__ import annotations

import importlib
import os
import sys
import time
import types
import warnings
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
try:
    import slicer  # noqa: F401
    from PySide6 import QtWidgets  # noqa: F401
except ImportError as error:
    warnings.warn(
        f"The Slicer module's tests are left out; they need slicer-core and PySide6 ({error})",
        stacklevel=1,
    )
    collect_ignore_glob = ["test_*.py"]

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "MSIQA"
SLICES = 10


@pytest.fixture(scope="session")
def qt_application():
    from PySide6.QtWidgets import QApplication

    return QApplication.instance() or QApplication([])


@pytest.fixture(scope="session")
def module(qt_application):
    """The script MSIQA.py, imported as Slicer imports it."""
    import slicer

    from standins import (
        originals,
        parameter_node_wrapper,
        python_qt,
        scripted_module,
        ui_loader,
        widgets,
    )

    names = ["MSIQA"]
    names += [f"MSIQAModuleLib.{path.stem}" for path in (MODULE / "MSIQAModuleLib").glob("*.py")]
    python_qt.use_properties(*names)
    sys.modules["qt"] = python_qt.make_module()
    if "MSIQA_SOURCES" in os.environ:
        originals.load_originals(python_qt.use_properties, widgets)
    else:
        for name, part in (
            ("ScriptedLoadableModule", scripted_module.make_module()),
            ("i18n", scripted_module.make_i18n()),
            ("parameterNodeWrapper", parameter_node_wrapper.make_module()),
        ):
            sys.modules[f"slicer.{name}"] = part
            setattr(slicer, name, part)
    slicer.util.loadUI = ui_loader.load_ui
    slicer.util.childWidgetVariables = ui_loader.child_widget_variables
    slicer.util.modulePath = lambda name: str(MODULE / f"{name}.py")
    slicer.util.mainWindow = lambda: None
    slicer.util.settingsValue = lambda key, default, converter=None, settings=None: default
    slicer.util.reloadScriptedModule = lambda name: None
    slicer.util.showStatusMessage = lambda message, duration=0: None
    sys.path.insert(0, str(MODULE))
    return importlib.import_module("MSIQA")


@pytest.fixture
def scene(module, tmp_path):
    """An empty scene with Slicer's views, which is the application's."""
    import slicer

    from standins import application

    scene = slicer.vtkMRMLScene()
    slicer.mrmlScene = scene
    slicer.modules = application.make_modules(scene)
    slicer.app = application.Application(scene, tmp_path / "temporary")
    yield scene
    slicer.app.emit("aboutToQuit()")
    scene.Clear(0)


@pytest.fixture
def app(scene):
    import slicer

    return slicer.app


@pytest.fixture
def messages(monkeypatch):
    """What would pop up; questions are answered by `answer`."""
    import slicer

    shown = types.SimpleNamespace(errors=[], questions=[], answer=True)

    def ask(text, *args, **kwargs):
        shown.questions.append(text)
        return shown.answer

    monkeypatch.setattr(
        slicer.util, "errorDisplay", lambda text, *args, **kwargs: shown.errors.append(text)
    )
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", ask)
    return shown


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """The whole network, untrained."""
    from untrained import save_untrained_network

    return save_untrained_network(tmp_path_factory.mktemp("weights") / "untrained.safetensors")


@pytest.fixture
def use_weights(weights, monkeypatch):
    """The processes that the module starts take these weights."""
    monkeypatch.setenv("MSIQA_MODEL", str(weights))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def images():
    """A phantom of few slices, in memory."""
    from MSIQALib.phantom import build_phantom

    return build_phantom(slices=SLICES)


@pytest.fixture
def add_phantom(scene, images):
    """Adds the phantom's CT and PET to the scene."""
    import slicer
    from MSIQALib.scene.grid import ijk_to_ras

    def add(ct_name="Phantom CT", pet_name="Phantom PET"):
        return tuple(
            slicer.util.addVolumeFromArray(
                volume.array, ijkToRAS=ijk_to_ras(volume.geometry), name=name
            )
            for volume, name in ((images.ct, ct_name), (images.pet, pet_name))
        )

    return add


@pytest.fixture
def widget(module, scene, messages):
    """The module's panel, opened."""
    import slicer
    from PySide6.QtWidgets import QVBoxLayout

    from standins.widgets import qMRMLWidget

    parent = qMRMLWidget()
    QVBoxLayout(parent)
    opened = []

    def open_panel():
        panel = module.MSIQAWidget(parent)
        opened.append(panel)
        panel.setup()
        parent.show()
        slicer.app.processEvents()
        return panel

    yield open_panel
    for panel in opened:
        panel.cleanup()
    parent.deleteLater()


@pytest.fixture
def wait_for(app):
    """Run the application until something is so."""

    def wait(condition, seconds=120.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it took too long"
            app.processEvents()
            time.sleep(0.02)

    return wait
