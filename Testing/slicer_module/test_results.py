"""Results in the panel and the views, from a study that is already in the scene."""

from __future__ import annotations

import pytest
import vtk
from MSIQALib.assessment.result import SliceResult, Status

from small_volumes import add_ct, add_pet

from __feature__ import true_property  # isort: skip # noqa: F401

SLICES = 12
UPPER_EDGE = 7


@pytest.fixture
def study(scene):
    return add_study(scene, add_ct())


def add_study(scene, ct, low=3, pet=True, slices=SLICES):
    from MSIQALib.scene.study import create_study_nodes, finish_study

    nodes = create_study_nodes(
        scene, ct, name=f"MSIQA: {ct.GetName()}", pet_node=add_pet() if pet else None
    )
    rows = [
        SliceResult(k, nodes.grid.position_mm(k), score=0.5 if k == low else 3.0, S=1.0, W=0.5)
        for k in range(slices)
    ]
    finish_study(nodes, rows, status=Status.COMPLETE, warnings=("A warning.",))
    return nodes


def views(scene):
    count = scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")
    nodes = (scene.GetNthNodeByClass(at, "vtkMRMLSliceNode") for at in range(count))
    return {node.GetLayoutName(): node for node in nodes}


def corner(app, name="Red"):
    return app.layoutManager().sliceWidget(name).sliceView().cornerAnnotation().GetText(UPPER_EDGE)


def offset(node):
    return node.GetSliceToRAS().GetElement(2, 3)


def marked(nodes):
    """Position and score of the chart's point."""
    table = nodes.marker.GetTableNode().GetTable()
    return table.GetValue(0, 0).ToDouble(), table.GetValue(0, 1).ToDouble()


def test_saved_study_is_shown_when_the_panel_opens(study, widget):
    panel = widget()
    assert not panel.ui.resultsCollapsibleButton.isHidden()
    assert panel.ui.studyComboBox.currentText == "MSIQA: CT"
    assert "Mean 2.79" in panel.ui.summaryLabel.text
    assert "1 of 12 slices (8%) score under 2." in panel.ui.summaryLabel.text
    assert panel.ui.warningsLabel.text == "A warning."
    assert panel.ui.worstList.item(0).text().startswith("Slice 3: 0.50")
    assert panel.ui.researchLabel.text.startswith("For research use only")


def test_click_on_a_worst_slice_goes_there(study, widget, app, scene):
    panel = widget()
    panel.ui.worstList.itemClicked.emit(panel.ui.worstList.item(0))
    assert offset(views(scene)["Red"]) == pytest.approx(15.0)
    assert corner(app).startswith("Slice 3: 0.50")
    assert marked(study) == pytest.approx((15.0, 0.5))


def test_scrolling_an_axial_view_moves_point_and_annotation(study, widget, app, scene):
    widget()
    red = views(scene)["Red"]
    red.SetSliceOffset(21.0)
    assert marked(study) == pytest.approx((20.0, 3.0))
    assert corner(app) == "Slice 4: 3.00 good"
    red.SetSliceOffset(500.0)
    assert corner(app) in (None, "")
    red.SetSliceOffset(0.0)
    before = marked(study)
    views(scene)["Yellow"].SetSliceOffset(12.0)
    assert marked(study) == before
    assert corner(app, "Yellow") in (None, "")


def test_click_on_a_point_of_the_curve_moves_the_views(study, widget, app, scene):
    panel = widget()
    panel.ui.chartButton.click()
    ids, points, selection = vtk.vtkStringArray(), vtk.vtkIdTypeArray(), vtk.vtkCollection()
    ids.InsertNextValue(study.curve.GetID())
    points.InsertNextValue(7)
    selection.AddItem(points)
    signal = "dataSelected(vtkStringArray*,vtkCollection*)"
    app.layoutManager().plot_view.emit(signal, ids, selection)
    assert offset(views(scene)["Red"]) == pytest.approx(35.0)
    panel.ui.chartButton.click()
    assert app.layoutManager().plot_view.connected[signal] == []


def test_overlay_lies_over_the_image_and_goes_again(study, widget, scene):
    import slicer

    pet = study.pet
    slicer.util.setSliceViewerLayers(background=study.ct, foreground=None)
    panel = widget()
    composite = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    panel.ui.overlayComboBox.currentIndex = 1
    assert composite.GetForegroundVolumeID() == study.quality.GetID()
    panel.ui.opacitySlider.value = 0.25
    assert composite.GetForegroundOpacity() == pytest.approx(0.25)
    panel.ui.overlayComboBox.currentIndex = 0
    assert composite.GetForegroundVolumeID() is None
    assert composite.GetBackgroundVolumeID() == study.ct.GetID()
    # Over a fused view the PET stays.
    slicer.util.setSliceViewerLayers(foreground=pet, foregroundOpacity=0.4)
    panel.ui.overlayComboBox.currentIndex = 1
    assert composite.GetForegroundVolumeID() == pet.GetID()
    panel.ui.overlayComboBox.currentIndex = 0
    assert composite.GetForegroundVolumeID() == pet.GetID()


def test_one_of_several_studies_is_chosen(study, widget, scene, app):
    other = add_study(scene, add_ct("CT 2"), low=9)
    panel = widget()
    assert panel.ui.studyComboBox.currentText == "MSIQA: CT 2"
    panel.ui.studyComboBox.currentIndex = 0
    assert panel.ui.worstList.item(0).text().startswith("Slice 3")
    views(scene)["Red"].SetSliceOffset(45.0)
    assert marked(study)[0] == pytest.approx(45.0)
    panel.ui.studyComboBox.currentIndex = 1
    assert marked(other) == pytest.approx((45.0, 0.5))


def test_chart_and_observers_follow_the_choice(study, widget, scene):
    from MSIQALib.scene.study import remove_study

    other = add_study(scene, add_ct("CT 2"), low=9)
    panel = widget()
    panel.ui.chartButton.click()
    plot = scene.GetFirstNodeByClass("vtkMRMLPlotViewNode")
    for index, nodes in enumerate((study, other)):
        panel.ui.studyComboBox.currentIndex = index
        assert plot.GetPlotChartNodeID() == nodes.chart.GetID()
        observed = [observation[0] for observation in panel.results.views.Observations]
        assert sorted(map(id, observed)) == sorted(map(id, views(scene).values()))
    for nodes in (study, other):
        remove_study(nodes)
    assert list(panel.results.views.Observations) == []


def test_panel_observes_no_more_each_time_it_is_opened(study, widget):
    panel = widget()
    before = len(panel.Observations)
    for _ in range(2):
        panel.exit()
        assert len(panel.Observations) < before
        panel.enter()
        assert len(panel.Observations) == before


def test_removed_study_leaves_the_panel(study, widget, app, scene):
    from MSIQALib.scene.study import remove_study

    panel = widget()
    views(scene)["Red"].SetSliceOffset(15.0)
    remove_study(study)
    assert panel.ui.resultsCollapsibleButton.isHidden()
    assert corner(app) in (None, "")
    views(scene)["Red"].SetSliceOffset(20.0)


def test_layout_goes_back_when_the_scene_closes(study, widget, app, scene):
    panel = widget()
    before = app.layoutManager().layout
    panel.ui.chartButton.click()
    assert app.layoutManager().layout != before
    scene.Clear(0)
    assert app.layoutManager().layout == before
    assert not panel.ui.chartButton.checked


def test_layout_that_the_user_chose_meanwhile_stays(study, widget, app, scene):
    import slicer

    panel = widget()
    panel.ui.chartButton.click()
    chosen = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    app.layoutManager().layout = chosen
    panel.ui.chartButton.click()
    assert app.layoutManager().layout == chosen
    panel.ui.chartButton.click()
    assert app.layoutManager().plotViewCount == 1
    panel.ui.chartButton.click()
    assert app.layoutManager().layout == chosen


def test_scene_that_is_loaded_shows_its_studies_and_fills_the_inputs(widget, module, scene):
    panel = widget()
    assert panel.ui.resultsCollapsibleButton.isHidden()
    ct, pet = add_ct(), add_pet()
    add_study(scene, ct, pet=False)
    scene.InvokeEvent(scene.EndImportEvent)
    assert panel.ui.studyComboBox.count == 1
    assert panel.ui.ctSelector.currentNode() is ct
    assert panel.ui.petSelector.currentNode() is pet


def test_loading_a_scene_leaves_another_modules_user_alone(widget, module, scene):
    panel = widget()
    panel.parent.isEntered = False
    panel.exit()
    add_ct(), add_pet()
    scene.InvokeEvent(scene.EndImportEvent)
    assert panel.ui.ctSelector.currentNode() is None


def test_the_same_ct_twice_gives_two_names(study, widget, scene):
    from MSIQALib.scene.study import create_study_nodes

    names = [create_study_nodes(scene, study.ct).name for _ in range(2)]
    assert len({study.name, *names}) == 3
    assert all(name.startswith("MSIQA: CT") for name in names)
    panel = widget()
    box = panel.ui.studyComboBox
    assert [box.itemText(at) for at in range(box.count)] == [study.name, *names]


def test_sample_data_is_registered_once(module, app, monkeypatch):
    import sys
    import types

    registered = []

    class SampleDataLogic:
        """Modules/Scripted/SampleData/SampleData.py."""

        @staticmethod
        def registerCustomSampleDataSource(
            category="Custom",
            sampleName=None,
            uris=None,
            fileNames=None,
            nodeNames=None,
            customDownloader=None,
            thumbnailFileName=None,
            loadFileTypes=None,
            loadFiles=None,
            loadFileProperties=None,
            checksums=None,
            loadFileType=None,
        ):
            assert len(uris) == len(fileNames) == len(nodeNames) == len(checksums or uris)
            source = (category, sampleName, customDownloader, thumbnailFileName)
            if source not in registered:  # isSampleDataSourceRegistered
                registered.append(source)

    sample_data = types.ModuleType("SampleData")
    sample_data.SampleDataLogic = SampleDataLogic
    monkeypatch.setitem(sys.modules, "SampleData", sample_data)
    parent = types.SimpleNamespace(path="MSIQA.py")
    module.MSIQA(parent)
    app.emit("startupCompleted()")
    app.emit("startupCompleted()")
    (category, name, make, thumbnail), (other_category, other_name, *_) = registered
    assert category == other_category == "MSIQA"
    assert "Sarcoma" in other_name
    assert "Phantom" in name
    assert callable(make)
    from pathlib import Path

    assert Path(thumbnail).is_file()
    assert parent.categories == ["Quantification"]
    for text in (parent.helpText, parent.acknowledgementText):
        assert "cite" in text
        assert "Multi-Scale Feature Fusion" in text
    assert "research use only" in parent.helpText


def test_sample_patient_is_a_pair_to_assess(module, scene, data_root):
    """The checksums are those of the files, and the nodes' names tell which is which."""
    import hashlib

    import slicer
    from MSIQALib.imaging.reader import read_volume
    from MSIQALib.scene.grid import ijk_to_ras
    from MSIQAModuleLib import inputs, sample_data

    nodes = []
    for modality, checksum in sample_data.STS_CHECKSUMS.items():
        path = data_root / "sts-nifti" / sample_data.STS / f"{modality}.nii.gz"
        assert checksum == f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        volume = read_volume(path)
        nodes.append(
            slicer.util.addVolumeFromArray(
                volume.array,
                ijkToRAS=ijk_to_ras(volume.geometry),
                name=f"{sample_data.STS} {modality}",
            )
        )
    assert inputs.choose_inputs(scene) == tuple(nodes)
    assert inputs.find_problems(*nodes) == inputs.Problems()


def test_sample_phantom_is_a_pair_to_assess(module, scene):
    import slicer
    from MSIQAModuleLib import inputs, sample_data

    ct, pet = sample_data.load_phantom(slices=8)
    assert inputs.choose_inputs(scene) == (ct, pet)
    assert not inputs.find_problems(ct, pet).block
    low, high = ct.GetImageData().GetScalarRange()
    assert low <= -900
    assert high >= 300
    assert 2 < pet.GetImageData().GetScalarRange()[1] < 100
    composite = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    assert composite.GetBackgroundVolumeID() == ct.GetID()
    assert composite.GetForegroundVolumeID() == pet.GetID()
    assert slicer.util.arrayFromVolume(ct).shape[0] == 8


def test_colours_of_the_overlay_stand_in_the_panel(study, widget, tmp_path):
    """Slicer's legend shows only where the overlay is a view's foreground."""
    import numpy as np
    from MSIQALib.assessment.nrrd import write_heatmap_volume
    from MSIQALib.scene.heatmaps import load_heatmap

    width, height, depth = study.grid.axial.size
    slices = [np.full((height, width), k / depth, np.float32) for k in range(depth)]
    fields = {"MSIQA_activation_at_0": "1.5123", "MSIQA_activation_at_255": "7.25"}
    write_heatmap_volume(tmp_path / "F3.nrrd", slices, study.grid.axial, fields)
    load_heatmap(study, "F3", tmp_path / "F3.nrrd")
    panel = widget()
    assert panel.ui.overlayLegend.isHidden()
    panel.ui.overlayComboBox.currentIndex = 1
    for colour, word in (("#d7191c", "0 bad"), ("#2c7bb6", "4 excellent")):
        name = word.replace(" ", "&nbsp;")
        assert f'{colour}">\u25a0</span>&nbsp;{name}' in panel.ui.overlayLegend.text
    panel.ui.overlayComboBox.currentIndex = 2
    text = panel.ui.overlayLegend.text
    assert text.startswith("activation 1.51 <")
    assert text.endswith(" 7.25")
    assert text.index("#000004") < text.index("#fcffa4")
    panel.ui.overlayComboBox.currentIndex = 0
    assert panel.ui.overlayLegend.isHidden()
