"""The part of the panel below the button: figures, worst slices, overlay, export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MSIQALib.errors import MSIQAError
from MSIQALib.scene.study import StudyNodes, find_studies, result_of
from MSIQAModuleLib import wording
from MSIQAModuleLib.export import export_report, export_table
from MSIQAModuleLib.views import StudyViews

QUALITY = "quality"
"""What the overlay selector has for the quality volume; for heatmaps it has their names."""


class ResultsPanel:
    """Shows one of the scene's assessments.

    Args:
        ui: The widgets of MSIQA.ui.
        report_of: Gives the report that an assessment left, while its files are there.
    """

    def __init__(self, ui, report_of: Callable[[StudyNodes], Path | None]) -> None:
        self.ui = ui
        self.views = StudyViews()
        self._report_of = report_of
        self._studies: list[StudyNodes] = []
        self._filling = False
        ui.studyComboBox.currentIndexChanged.connect(self._on_study_chosen)
        ui.worstList.itemClicked.connect(self._on_slice_clicked)
        ui.overlayComboBox.currentIndexChanged.connect(self._on_overlay_changed)
        ui.opacitySlider.valueChanged.connect(self._on_overlay_changed)
        ui.chartButton.toggled.connect(self._on_chart_toggled)
        ui.reportButton.clicked.connect(self._on_save_report)
        ui.tableButton.clicked.connect(self._on_save_table)

    @property
    def nodes(self) -> StudyNodes | None:
        """The assessment that is shown."""
        index = self.ui.studyComboBox.currentIndex
        return self._studies[index] if 0 <= index < len(self._studies) else None

    def update(self, show: StudyNodes | None = None) -> None:
        """Bring the list of assessments, and the one that is shown, up to date.

        Args:
            show: The assessment to show; by default the one that is, or the latest.
        """
        wanted = show or self.nodes
        self._studies = find_studies(slicer.mrmlScene)
        box = self.ui.studyComboBox
        self._filling = True
        _fill(box, [(nodes.name, nodes.name) for nodes in self._studies])
        if self._studies:
            last = len(self._studies) - 1
            box.currentIndex = self._studies.index(wanted) if wanted in self._studies else last
        self._filling = False
        self._show()

    def show_chart(self, shown: bool) -> None:
        """Switch to a layout with the curve, or back."""
        self.ui.chartButton.checked = shown

    def close(self) -> None:
        """Leave the views as they were and let go of the scene."""
        self._studies = []
        self.views.close()

    def _show(self) -> None:
        nodes = self.nodes
        self.ui.resultsCollapsibleButton.visible = nodes is not None
        self.views.look_at(nodes)
        if nodes is None:
            self.ui.chartButton.checked = False
            return
        result = result_of(nodes)
        finished = nodes.quality is not None
        self.ui.summaryLabel.text = wording.summary(result) if finished else ""
        self.ui.summaryLabel.visible = finished
        self.ui.warningsLabel.text = "\n".join(result.warnings)
        self.ui.warningsLabel.visible = bool(result.warnings)
        self.ui.worstList.clear()
        for row in result.worst():
            item = qt.QListWidgetItem(wording.slice_line(row))
            item.setData(qt.Qt.UserRole, row.index)
            self.ui.worstList.addItem(item)
        for button in (self.ui.reportButton, self.ui.tableButton):
            button.enabled = finished
        self._fill_overlays(nodes)

    def _fill_overlays(self, nodes: StudyNodes) -> None:
        box = self.ui.overlayComboBox
        before = box.itemData(box.currentIndex)
        entries = [(_("None"), "")]
        if nodes.quality is not None:
            entries.append((_("Quality of each slice"), QUALITY))
        entries += [(_("Heatmap {name}").format(name=name), name) for name in nodes.heatmaps]
        self._filling = True
        _fill(box, entries)
        box.currentIndex = max(0, box.findData(before)) if before else 0
        self._filling = False
        self._on_overlay_changed()

    def _on_study_chosen(self, *_unused) -> None:
        if not self._filling:
            self._show()

    def _on_slice_clicked(self, item) -> None:
        self.views.go_to(item.data(qt.Qt.UserRole))

    def _on_overlay_changed(self, *_unused) -> None:
        nodes = self.nodes
        if self._filling or nodes is None:
            return
        box = self.ui.overlayComboBox
        name = box.itemData(box.currentIndex)
        volume = nodes.quality if name == QUALITY else nodes.heatmaps.get(name)
        self.ui.opacitySlider.enabled = volume is not None
        self.ui.overlayLegend.text = wording.legend(volume)
        self.ui.overlayLegend.visible = volume is not None
        self.views.show_overlay(volume, self.ui.opacitySlider.value)

    def _on_chart_toggled(self, shown: bool) -> None:
        if shown:
            self.views.show_chart()
        else:
            self.views.hide_chart()

    def _on_save_report(self, *_unused) -> None:
        nodes = self.nodes
        path = self._ask(_("Save report"), "report.html", "HTML (*.html)")
        if path is not None:
            self._save(lambda: export_report(nodes, path, self._report_of(nodes)))

    def _on_save_table(self, *_unused) -> None:
        nodes = self.nodes
        path = self._ask(_("Save table"), "scores.csv", "CSV (*.csv)")
        if path is not None:
            self._save(lambda: export_table(nodes, path))

    def _ask(self, title: str, name: str, kind: str) -> Path | None:
        parent = slicer.util.mainWindow()
        chosen = qt.QFileDialog.getSaveFileName(parent, title, name, kind)
        return Path(chosen) if chosen else None

    def _save(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (MSIQAError, ImportError) as error:
            slicer.util.errorDisplay(str(error))


def _fill(box, entries: list[tuple[str, str]]) -> None:
    """Give a combo box its entries, text and data; one that has them is left as it is."""
    present = [(box.itemText(at), box.itemData(at)) for at in range(box.count)]
    if present != entries:
        box.clear()
        for text, data in entries:
            box.addItem(text, data)
