import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

if importlib.util.find_spec("MSIQALib") is None:
    # In the source tree the package lies beside this module's folder, not in it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from MSIQALib.process.settings import Settings
from MSIQALib.scene.study import StudyNodes
from MSIQAModuleLib import dependencies, inputs, sample_data, wording
from MSIQAModuleLib.parameter_node import MSIQAParameterNode, settings_of
from MSIQAModuleLib.results_panel import ResultsPanel
from MSIQAModuleLib.run import AssessmentRun, State

HOMEPAGE = "https://github.com/MSIQA/SlicerMSIQA"


class MSIQA(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("PET/CT Image Quality (MSIQA)")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = []
        self.parent.contributors = ["MSIQA contributors"]
        self.parent.helpText = _("""
Scores the image quality of a PET/CT study slice by slice, from 0 (bad) to 4 (excellent), and shows
where along the body it falls. Choose the CT and the PET, and click "Assess quality".
See more information in the <a href="{homepage}">extension documentation</a>.
For research use only. Not a medical device. Images never leave this computer.
If you use it in your research, please cite S. Li et al., "MS-IQA: A Multi-Scale Feature Fusion
Network for PET/CT Image Quality Assessment".
""").format(homepage=HOMEPAGE)
        self.parent.acknowledgementText = _("""
The module implements MS-IQA. If you use it in your research, please cite:
S. Li, C. Hui, W. Zhang, R. Liang, C. Song, F. Jiang, H. Zhu, Z. Li, H. Huang, X. Li:
MS-IQA: A Multi-Scale Feature Fusion Network for PET/CT Image Quality Assessment.
""")
        slicer.app.connect("startupCompleted()", sample_data.register_sample_data)


class MSIQAWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: inputs, the button, what runs. Results are in ResultsPanel."""

    def __init__(self, parent=None) -> None:
        """Called when the user opens the module the first time."""
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: MSIQALogic | None = None
        self.results: ResultsPanel | None = None
        self._parameterNode: MSIQAParameterNode | None = None
        self._parameterNodeGuiTag = None

    def setup(self) -> None:
        """Called when the user opens the module the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MSIQA.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = MSIQALogic()
        self.results = ResultsPanel(self.ui, self.logic.reportOf)

        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)

        self.ui.applyButton.clicked.connect(self.onApplyButton)
        self.ui.cancelButton.clicked.connect(self.onCancelButton)
        self.ui.logButton.toggled.connect(self.onLogToggled)

        self.initializeParameterNode()
        self.results.update()

    def cleanup(self) -> None:
        """Called when the module is reloaded and when Slicer is left."""
        self.setParameterNode(None)
        self.removeObservers()
        if self.results is not None:
            self.results.close()
        if self.logic is not None:
            self.logic.discardAll()

    def enter(self) -> None:
        """Called each time the user opens this module."""
        self.initializeParameterNode()
        self.results.update()

    def exit(self) -> None:
        """Called each time the user opens a different module."""
        self.setParameterNode(None)

    def onReload(self) -> None:
        """Reload the parts of the module as well."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "MSIQAModuleLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller, event) -> None:
        self.setParameterNode(None)
        self.results.close()
        self.logic.discardAll()

    def onSceneEndClose(self, caller, event) -> None:
        self.results.update()
        self.updateRun()
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, caller, event) -> None:
        self.results.update()
        if self.parent.isEntered:
            self.initializeParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, caller, event, node) -> None:
        if node is not None and node.IsA("vtkMRMLTableNode") and not caller.IsClosing():
            self.results.update()

    def initializeParameterNode(self) -> None:
        """Ensure that the parameter node exists and is observed, and fill empty inputs."""
        self.setParameterNode(self.logic.getParameterNode())
        if self._parameterNode.ct is None and self._parameterNode.pet is None:
            ct, pet = inputs.choose_inputs(slicer.mrmlScene)
            self._parameterNode.ct = ct
            self._parameterNode.pet = pet

    def setParameterNode(self, node: MSIQAParameterNode | None) -> None:
        """Observe another parameter node, or none."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(
                self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersChanged
            )
        self._parameterNode = node
        if node is not None:
            self._parameterNodeGuiTag = node.connectGui(self.ui)
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParametersChanged)
            self.onParametersChanged()

    def onParametersChanged(self, caller=None, event=None) -> None:
        """Say under the selectors what is likely wrong, and whether the button can be clicked."""
        ct, pet = self._parameterNode.ct, self._parameterNode.pet
        problems = inputs.find_problems(ct, pet)
        for label, found in ((self.ui.ctMessage, problems.ct), (self.ui.petMessage, problems.pet)):
            label.text = "\n".join(f"\u26a0 {problem.text}" for problem in found)
            label.visible = bool(found)
        ready = ct is not None and pet is not None and not problems.block
        self.ui.applyButton.enabled = ready
        self.ui.applyButton.toolTip = (
            _("Score every slice.") if ready else _("Choose a CT and a PET that belong together.")
        )
        self.updateRun()

    def onApplyButton(self, *_unused) -> None:
        """Install what is missing, after asking, and start an assessment."""
        with slicer.util.tryWithErrorDisplay(_("The assessment could not be started.")):
            self.ui.applyButton.enabled = False
            try:
                if dependencies.ensure_packages():
                    self.logic.assess(
                        self._parameterNode.ct,
                        self._parameterNode.pet,
                        settings_of(self._parameterNode),
                        blocking=False,
                        onChange=self.onRunChanged,
                    )
            finally:
                self.onParametersChanged()

    def onCancelButton(self, *_unused) -> None:
        run = self.currentRun()
        if run is not None:
            run.cancel()

    def onLogToggled(self, shown: bool) -> None:
        self.ui.logText.visible = shown
        self.updateRun()

    def currentRun(self) -> AssessmentRun | None:
        """The run of the volumes that are selected: the one that goes on, else the latest."""
        if self._parameterNode is None:
            return None
        return self.logic.runOf(self._parameterNode.ct, self._parameterNode.pet)

    def onRunChanged(self, run: AssessmentRun) -> None:
        """A run has something new; it need not be that of the selected volumes."""
        if run.nodes is not None and run.nodes.exists and run is self.currentRun():
            first = self.results.nodes != run.nodes
            self.results.update(show=run.nodes)
            if first:
                self.results.show_chart(True)
        self.updateRun()

    def updateRun(self) -> None:
        """Bring button, progress bar, status and log up to date."""
        run = self.currentRun()
        running = run is not None and run.running
        self.ui.applyButton.visible = not running
        self.ui.cancelButton.visible = running
        self.ui.cancelButton.enabled = running and not run.cancelling
        self.ui.progressBar.visible = running
        if running:
            self.ui.progressBar.maximum = run.total
            self.ui.progressBar.value = run.done
        self.ui.statusLabel.text = "" if run is None else wording.status(run)
        self.ui.logButton.visible = run is not None
        if run is not None and self.ui.logButton.checked:
            self.ui.logText.plainText = "\n".join(run.log)


class MSIQALogic(ScriptedLoadableModuleLogic):
    """Assessments without the GUI.

    From the Python console, or in a script::

        logic = MSIQALogic()
        run = logic.assess(slicer.util.getNode("CT"), slicer.util.getNode("PET"))
        result = logic.resultOf(run)
        print(result.mean, result.worst())
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.runs: list[AssessmentRun] = []

    def getParameterNode(self) -> MSIQAParameterNode:
        return MSIQAParameterNode(super().getParameterNode())

    def assess(
        self,
        ctNode,
        petNode=None,
        settings: Settings | None = None,
        *,
        blocking: bool = True,
        onChange: Callable[[AssessmentRun], None] | None = None,
    ) -> AssessmentRun:
        """Assess a study. Several can run at the same time.

        Args:
            ctNode: The CT, in HU. Parent transforms are respected; the node is not changed.
            petNode: The PET, in SUV or with a DICOM header that leads there; None to assess the CT
                alone, which the network was not trained for.
            settings: Device, threshold, window and maps.
            blocking: Return when it has ended; Slicer stays usable meanwhile.
            onChange: Called with the run whenever there is something new.

        Raises:
            ValueError: An input cannot be assessed.
            RuntimeError: A package is missing, or an image cannot be written.
        """
        if ctNode is None:
            raise ValueError(_("Choose a CT."))
        problems = inputs.find_problems(ctNode, petNode)
        if problems.block:
            found = (*problems.ct, *problems.pet)
            raise ValueError(" ".join(problem.text for problem in found if problem.blocks))
        missing = dependencies.missing_packages()
        if missing:
            raise RuntimeError(
                _("Packages are missing: {names}. Call installDependencies() first.").format(
                    names=", ".join(missing)
                )
            )
        run = AssessmentRun(ctNode, petNode, settings or Settings(), onChange)
        self.runs.append(run)
        try:
            run.start()
        except Exception:
            self.runs.remove(run)
            raise
        if blocking:
            run.wait()
        return run

    @staticmethod
    def installDependencies() -> bool:
        """Install what is missing, after asking; False where the user declined."""
        return dependencies.ensure_packages()

    @staticmethod
    def resultOf(run: AssessmentRun):
        """The result of a run, a MSIQALib.assessment.result.StudyResult.

        Raises:
            RuntimeError: The run has none; the message says why.
        """
        from MSIQALib.scene.study import result_of

        if run.nodes is None or not run.nodes.exists:
            raise RuntimeError(run.message or _("The assessment has no result."))
        return result_of(run.nodes)

    def runOf(self, ctNode, petNode) -> AssessmentRun | None:
        """The latest run of two volumes; one that goes on comes first."""
        runs = [run for run in reversed(self.runs) if run.is_of(ctNode, petNode)]
        return next((run for run in runs if run.running), next(iter(runs), None))

    def reportOf(self, nodes: StudyNodes) -> Path | None:
        """The report that an assessment of this session left."""
        return next((run.report for run in self.runs if run.nodes == nodes), None)

    def discardAll(self) -> None:
        """End what runs and remove its files; the scene keeps what it has."""
        for run in self.runs:
            run.discard()
        self.runs.clear()


class MSIQATest(ScriptedLoadableModuleTest):
    """The cases that need Slicer itself; `Testing/slicer_module` runs more without it."""

    SLICES = 8

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        for name in sorted(name for name in dir(self) if name.startswith("test_")):
            self.setUp()
            getattr(self, name)()

    def test_inputs_are_found_and_swapping_is_noticed(self) -> None:
        ct, pet = sample_data.load_phantom(self.SLICES)
        assert inputs.choose_inputs(slicer.mrmlScene) == (ct, pet)
        assert not inputs.find_problems(ct, pet).block
        assert inputs.find_problems(pet, ct).block

    def test_assessment_fills_the_scene(self) -> None:
        if self._packages_are_missing():
            return
        ct, pet = sample_data.load_phantom(self.SLICES)
        logic = MSIQALogic()
        run = logic.assess(ct, pet)
        assert run.state is State.COMPLETE, run.message
        assert len(logic.resultOf(run).assessed) == self.SLICES
        assert run.nodes.quality is not None
        logic.discardAll()
        self.delayDisplay("Test passed")

    def test_cancelled_assessment_leaves_no_process(self) -> None:
        if self._packages_are_missing():
            return
        logic = MSIQALogic()
        run = logic.assess(*sample_data.load_phantom(self.SLICES), blocking=False)
        run.stop()
        assert run.state is State.CANCELLED
        assert not run.workspace.ct.exists()
        logic.discardAll()

    def _packages_are_missing(self) -> bool:
        missing = dependencies.missing_packages()
        if missing:
            self.delayDisplay(f"Left out, packages are missing: {', '.join(missing)}")
        return bool(missing)
