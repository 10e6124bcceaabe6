"""One assessment: the process, what it says, and what becomes of it in the scene."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

import MSIQALib
from MSIQALib.assessment.result import NOT_REACHED, SliceResult, Status
from MSIQALib.errors import MSIQAError
from MSIQALib.process.child import CANCEL
from MSIQALib.process.events import Advanced, Ended, EventReader, Refused, Started
from MSIQALib.process.settings import Settings
from MSIQALib.process.workspace import ENVIRONMENT_VARIABLE, Workspace
from MSIQALib.scene.heatmaps import load_heatmap
from MSIQALib.scene.study import StudyNodes, append_rows, create_study_nodes, finish_study
from MSIQAModuleLib.dicom_headers import pet_unit
from MSIQAModuleLib.voxels import slice_grid, write_volume

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

LOG_LINES = 2000
WAIT_MS = 50
KILL_WAIT_MS = 3000


class State(Enum):
    """Where an assessment is."""

    RUNNING = "running"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    FAILED = "failed"


class AssessmentRun(VTKObservationMixin):
    """An assessment in a process of its own. It needs no GUI.

    The process gets copies of the images in a private folder; finished slices go into the scene
    as they come. The run ends by itself when an input is deleted, the scene is closed or Slicer
    is left.

    Args:
        ct: The CT, in HU.
        pet: The PET; None to assess the CT alone.
        settings: Device, threshold, window, maps.
        on_change: Called whenever there is something new; the run is its argument.

    Attributes:
        state: Where the run is.
        done: Slices dealt with.
        total: Slices in all; 0 before the process has read the images.
        seconds_left: An estimate; None while there is nothing to judge by.
        device: One line: which device and why.
        message: Why the run ended early; empty where it did not.
        warnings: What the user should know.
        nodes: The study in the scene; None before the first slice.
        log: What the process said beside its results.
    """

    def __init__(
        self,
        ct: vtkMRMLScalarVolumeNode,
        pet: vtkMRMLScalarVolumeNode | None,
        settings: Settings,
        on_change: Callable[[AssessmentRun], None] | None = None,
    ) -> None:
        VTKObservationMixin.__init__(self)
        self.state = State.RUNNING
        self.done = 0
        self.total = 0
        self.seconds_left: float | None = None
        self.device = ""
        self.message = ""
        self.warnings: tuple[str, ...] = ()
        self.nodes: StudyNodes | None = None
        self.log: list[str] = []
        self.settings = settings
        self.workspace = Workspace.create(Path(slicer.app.temporaryPath))
        self._ct, self._pet = ct, pet
        self._on_change = on_change
        self._rows: dict[int, SliceResult] = {}
        self._cancelled = False
        self._ended: Ended | None = None
        self._reader = EventReader()
        self._process = None

    @property
    def running(self) -> bool:
        """True until the process has ended and its results are in the scene."""
        return self.state is State.RUNNING

    @property
    def cancelling(self) -> bool:
        """True from the wish to stop to the end."""
        return self.running and self._cancelled

    def is_of(
        self, ct: vtkMRMLScalarVolumeNode | None, pet: vtkMRMLScalarVolumeNode | None
    ) -> bool:
        """True where these are the volumes that are assessed."""
        return ct is self._ct and pet is self._pet

    @property
    def report(self) -> Path | None:
        """The report, with pictures; None where there is none (any more)."""
        path = self.workspace.results / "report.html"
        return path if path.is_file() else None

    def start(self) -> None:
        """Write the images and start the process.

        Raises:
            RuntimeError: An image cannot be written.
        """
        try:
            write_volume(self._ct, self.workspace.ct)
            if self._pet is not None:
                factor = pet_unit(self._pet).factor
                write_volume(self._pet, self.workspace.pet, factor=factor or 1.0)
        except BaseException:
            self.workspace.remove()
            raise
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.NodeAboutToBeRemovedEvent, self._on_node_removed)
        self.addObserver(scene, scene.StartCloseEvent, self._on_scene_close)
        self._start_process()

    def cancel(self) -> None:
        """Ask the process to stop after the batch it is at; what is finished stays."""
        if self.running and not self._cancelled:
            self._cancelled = True
            self._process.write(CANCEL)
            self._changed()

    def stop(self) -> None:
        """End the process at once; what is finished stays."""
        if not self.running:
            return
        self._cancelled = True
        # This ends in _on_finished. What a launcher started goes when its standard input does.
        self._process.kill()
        self._process.waitForFinished(KILL_WAIT_MS)
        if self.running:
            self._end(State.CANCELLED)

    def discard(self) -> None:
        """End the process and remove the run's files; the scene keeps what it has."""
        self._on_change = None
        self.stop()
        self.workspace.remove()

    def wait(self) -> None:
        """Return when the run has ended; Slicer stays usable meanwhile."""
        while self.running:
            self._process.waitForFinished(WAIT_MS)
            slicer.app.processEvents()

    def _start_process(self) -> None:
        process = qt.QProcess()
        self._process = process
        environment = qt.QProcessEnvironment.systemEnvironment()
        package = str(Path(MSIQALib.__file__).resolve().parents[1])
        others = environment.value("PYTHONPATH", "")
        environment.insert("PYTHONPATH", os.pathsep.join(filter(None, (package, others))))
        environment.insert("PYTHONIOENCODING", "utf-8")
        environment.insert(ENVIRONMENT_VARIABLE, str(self.workspace.root))
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._on_output)
        process.readyReadStandardError.connect(self._on_error_output)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_process_error)
        slicer.app.connect("aboutToQuit()", self.discard)
        arguments = self.settings.arguments(
            ct=self.workspace.ct,
            pet=self.workspace.pet if self._pet is not None else None,
            output=self.workspace.results,
        )
        # Slicer has PythonSlicer, which sets Slicer's Python up by itself, on its path.
        python = shutil.which("PythonSlicer") or sys.executable
        self._note(" ".join((python, *arguments)))
        process.start(python, arguments)

    def _on_output(self) -> None:
        for event in self._reader.feed(self._process.readAllStandardOutput().data()):
            if isinstance(event, str):
                self._note(event)
                continue
            try:
                self._take(event)
            except (MSIQAError, ValueError) as error:
                # The scene does not take what the process says: another CT than it was given.
                self.message = str(error)
                self._process.kill()
                break
        self._changed()

    def _on_error_output(self) -> None:
        piece = self._process.readAllStandardError().data()
        self._note(piece.decode("utf-8", errors="replace").rstrip())

    def _take(self, event: Started | Advanced | Ended | Refused) -> None:
        if isinstance(event, Started):
            self.total = event.total
            self.device = event.reason
            self.warnings = event.warnings
            self._note(event.reason)
        elif isinstance(event, Advanced):
            self.done, self.total = event.done, event.total
            self.seconds_left = event.seconds_left
            self._rows.update((row.index, row) for row in event.rows)
            self._add_to_scene(event.rows)
        elif isinstance(event, Refused):
            self.message = event.message
            self._note(event.message)
        else:
            self._ended = event
            self.warnings = event.warnings
            self.message = event.stopped or self.message

    def _add_to_scene(self, rows: tuple[SliceResult, ...]) -> None:
        if self.nodes is None:
            if self._ct.GetScene() is None:  # it was removed meanwhile
                return
            self.nodes = create_study_nodes(
                slicer.mrmlScene,
                self._ct,
                threshold=self.settings.threshold,
                pet_node=self._pet,
                grid=slice_grid(self._ct),
            )
        append_rows(self.nodes, rows)

    def _on_finished(self, *_unused) -> None:
        if not self.running:
            return
        self._on_output()
        self._on_error_output()
        if self._ended is not None:
            self._end(State(self._ended.status.value))
        elif self._cancelled:
            self._end(State.CANCELLED)
        else:
            self.message = self.message or self._how_it_ended()
            self._end(State.FAILED)

    def _on_process_error(self, *_unused) -> None:
        if self.running and self._process.error() == qt.QProcess.FailedToStart:
            self.message = _("The process could not be started: {reason}").format(
                reason=self._process.errorString()
            )
            self._end(State.FAILED)

    def _how_it_ended(self) -> str:
        if self._process.exitStatus() == qt.QProcess.CrashExit:
            return _("The process was ended from outside, or crashed.")
        return _("The process ended unexpectedly (exit code {code}).").format(
            code=self._process.exitCode()
        )

    def _end(self, state: State) -> None:
        self.removeObservers()
        slicer.app.disconnect("aboutToQuit()", self.discard)
        self.workspace.remove_images()
        try:
            self._finish_nodes(Status(state.value))
        finally:
            self.state = state
            self._changed()
            # A process must not go while one of its signals is delivered.
            qt.QTimer.singleShot(0, self._release)

    def _release(self) -> None:
        self._process = None

    def _finish_nodes(self, status: Status) -> None:
        if self.nodes is None or not self.nodes.exists:
            return
        grid = self.nodes.grid
        rows = [
            self._rows.get(k) or SliceResult(k, grid.position_mm(k), NOT_REACHED)
            for k in range(grid.count)
        ]
        problems = []
        for name in self.settings.maps:
            path = self.workspace.results / f"{name}.nrrd"
            if path.is_file():
                try:
                    load_heatmap(self.nodes, name, path)
                except MSIQAError as error:
                    problems.append(str(error))
        self.warnings = (*self.warnings, *problems)
        finish_study(
            self.nodes,
            rows,
            status=status,
            stopped=self.message or None,
            warnings=self.warnings,
        )

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_removed(self, caller, event, node) -> None:
        if self.running and node is not None and node in (self._ct, self._pet):
            self.message = _("{name} was removed while it was assessed.").format(
                name=node.GetName()
            )
            self._cancelled = True
            # No waiting here: the scene is busy with the removal.
            self._process.kill()

    def _on_scene_close(self, caller, event) -> None:
        self.nodes = None
        self.discard()

    def _note(self, text: str) -> None:
        if text:
            logging.debug("MSIQA: %s", text)
            self.log.extend(text.splitlines())
            del self.log[:-LOG_LINES]

    def _changed(self) -> None:
        if self._on_change is not None:
            self._on_change(self)
