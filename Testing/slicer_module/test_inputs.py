"""Which volumes are taken for CT and PET, and what is said of a poor choice."""

from __future__ import annotations

import types

import numpy as np
import pytest

import small_volumes
from small_volumes import add_ct, add_pet, set_modality

from __feature__ import true_property  # isort: skip # noqa: F401


@pytest.fixture
def inputs(module, scene):
    from MSIQAModuleLib import inputs

    return inputs


def texts(problems):
    return " ".join(problem.text for problem in problems)


@pytest.mark.parametrize(
    ("ct_name", "pet_name"),
    [
        ("CT", "PET"),
        ("4: CT WB 5.0 B31f", "605: PET WB corrected"),
        ("CTAC_3mm", "pt-suv"),
        ("STS_001_CT", "STS_001_PET_SUVbw"),
    ],
)
def test_names_tell(inputs, scene, ct_name, pet_name):
    pet, ct = add_pet(pet_name), add_ct(ct_name)
    assert inputs.choose_inputs(scene) == (ct, pet)


def test_modality_overrules_names(inputs, scene):
    pet, ct = add_pet("CT of the day"), add_ct("series 4")
    set_modality(pet, "PT")
    set_modality(ct, "CT")
    assert inputs.choose_inputs(scene) == (ct, pet)


def test_pair_that_overlaps_is_taken(inputs, scene):
    ct, pet = add_ct(), add_pet()
    add_ct("CT of another patient", origin=(900.0, 0.0, 0.0))
    assert inputs.choose_inputs(scene) == (ct, pet)


@pytest.mark.parametrize("name", ["Recon 3", "PET/CT fused", "Captain", "petrous bone", "factor"])
def test_nothing_is_guessed_from_other_names(inputs, scene, name):
    add_ct(name)
    assert inputs.choose_inputs(scene) == (None, None)


def test_results_of_an_earlier_assessment_are_no_input(inputs, scene):
    from MSIQALib.assessment.result import SliceResult
    from MSIQALib.scene.study import create_study_nodes, finish_study

    ct, pet = add_ct("CT"), add_pet("PET")
    nodes = create_study_nodes(scene, ct, name="MSIQA: CT")
    finish_study(nodes, [SliceResult(0, nodes.grid.position_mm(0), score=1.0, S=1.0, W=1.0)])
    assert nodes.quality is not None
    assert inputs.choose_inputs(scene) == (ct, pet)


def test_a_good_pair_has_no_problem(inputs, scene):
    problems = inputs.find_problems(add_ct(), add_pet())
    assert problems.ct == ()
    assert problems.pet == ()


@pytest.mark.parametrize("named", [True, False])
def test_swapped_volumes_are_noticed(inputs, scene, named):
    ct, pet = (add_ct(), add_pet()) if named else (add_ct("a"), add_pet("b"))
    problems = inputs.find_problems(pet, ct)
    assert problems.block
    assert "swapped" in texts(problems.ct)


def test_volumes_apart_are_noticed(inputs, scene):
    problems = inputs.find_problems(add_ct(), add_pet(origin=(0.0, 0.0, 500.0)))
    assert problems.block
    assert "do not overlap" in texts(problems.pet)


def test_parent_transforms_count_for_the_overlap(inputs, scene):
    import slicer
    import vtk

    ct, pet = add_ct(), add_pet(origin=(0.0, 0.0, 500.0))
    transform = slicer.vtkMRMLLinearTransformNode()
    scene.AddNode(transform)
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(2, 3, -500.0)
    transform.SetMatrixTransformToParent(matrix)
    pet.SetAndObserveTransformNodeID(transform.GetID())
    assert inputs.find_problems(ct, pet).pet == ()


def test_activity_is_noticed_by_its_values(inputs, scene):
    problems = inputs.find_problems(add_ct(), add_pet(high=31000.0))
    assert problems.block
    assert "not in SUV" in texts(problems.pet)
    assert "31000" in texts(problems.pet)
    assert "Bq/ml" in texts(problems.pet)


def test_same_volume_twice(inputs, scene):
    ct = add_ct()
    assert inputs.find_problems(ct, ct).block


def test_raw_ct_values_are_noticed(inputs, scene):
    ct = small_volumes.add_volume(np.full((12, 8, 8), 24, np.int16), "CT")
    problems = inputs.find_problems(ct, add_pet())
    assert "Hounsfield" in texts(problems.ct)


def test_single_slice_blocks_and_few_slices_only_warn(inputs, scene):
    assert inputs.find_problems(add_ct(slices=1), add_pet()).block
    problems = inputs.find_problems(add_ct(slices=6), add_pet())
    assert not problems.block
    assert "6 slices" in texts(problems.ct)


def test_slices_are_counted_along_the_patient(inputs, scene):
    # Coronal acquisition: k runs front to back, j from head to feet.
    matrix = [[4, 0, 0, 0], [0, 0, 5, 0], [0, -4, 0, 0], [0, 0, 0, 1]]
    ct = add_ct(slices=40, matrix=matrix)
    pet = add_pet(slices=40, matrix=matrix)
    assert inputs.find_problems(ct, pet).ct == ()
    flat = small_volumes.add_volume(np.full((40, 1, 9), -1000, np.int16), "CT", matrix=matrix)
    assert "single slice" in texts(inputs.find_problems(flat, pet).ct)


class Database:
    """ctkDICOMDatabase (CTK: Libs/DICOM/Core/ctkDICOMDatabase.h): files and tags by instance."""

    isOpen = True

    def __init__(self, files):
        self.files = files

    def fileForInstance(self, uid):
        return str(self.files.get(uid, ""))

    def instanceValue(self, uid, tag):
        import pydicom

        header = pydicom.dcmread(self.files[uid], stop_before_pixels=True)
        return str(header[tuple(int(part, 16) for part in tag.split(","))].value)


@pytest.fixture
def raw_pet(scene, data_root, monkeypatch):
    """A PET in Bq/ml as Slicer's DICOM module loads it."""
    import pydicom
    import slicer

    paths = sorted((data_root / "pet-raw-bqml").rglob("*"))
    paths = [path for path in paths if path.is_file()][:12]
    files = {
        str(pydicom.dcmread(path, stop_before_pixels=True, force=True).get("SOPInstanceUID")): path
        for path in paths
    }
    monkeypatch.setattr(slicer, "dicomDatabase", Database(files), raising=False)
    node = add_pet("series 5", high=31000.0)
    node.SetAttribute("DICOM.instanceUIDs", " ".join(files))
    return node


def test_activity_with_its_dicom_header_is_converted(inputs, scene, raw_pet):
    from MSIQAModuleLib.dicom_headers import modality_of, pet_unit

    assert modality_of(raw_pet) == "PT"
    unit = pet_unit(raw_pet)
    assert unit.name == "Bq/ml"
    assert 1e-5 < unit.factor < 1e-3  # kilograms by hundreds of MBq
    problems = inputs.find_problems(add_ct(), raw_pet)
    assert not problems.block
    assert "Bq/ml" in texts(problems.pet)
    assert "converted" in texts(problems.pet)


class Headers:
    """ctkDICOMDatabase, as far as instanceValue goes."""

    isOpen = True

    def __init__(self, values):
        self.values = values

    def fileForInstance(self, uid):
        return ""

    def instanceValue(self, uid, tag):
        return self.values[uid].get(tag, "")


@pytest.mark.parametrize(
    ("tag", "blocks", "words"),
    [("0010,0020", True, "different patients"), ("0020,0052", False, "frames of reference")],
)
def test_other_patient_and_other_frame_are_noticed(inputs, scene, monkeypatch, tag, blocks, words):
    import slicer

    values = {"1": {tag: "a"}, "2": {tag: "b"}, "3": {tag: "a"}}
    monkeypatch.setattr(slicer, "dicomDatabase", Headers(values), raising=False)
    ct, pet = add_ct(), add_pet()
    ct.SetAttribute("DICOM.instanceUIDs", "1 9")
    pet.SetAttribute("DICOM.instanceUIDs", "2 9")
    problems = inputs.find_problems(ct, pet)
    assert words in texts(problems.pet)
    assert problems.block is blocks
    pet.SetAttribute("DICOM.instanceUIDs", "3")
    assert inputs.find_problems(ct, pet).pet == ()


def test_panel_says_what_is_wrong_before_the_click(widget, scene):
    ct, pet = add_ct(), add_pet(high=31000.0)
    panel = widget()
    assert panel.ui.petSelector.currentNode() is pet
    assert "not in SUV" in panel.ui.petMessage.text
    assert not panel.ui.petMessage.isHidden()
    assert not panel.ui.applyButton.enabled
    panel.ui.petSelector.setCurrentNode(ct)
    panel.ui.ctSelector.setCurrentNode(pet)
    assert "swapped" in panel.ui.ctMessage.text
    panel.ui.petSelector.setCurrentNode(None)
    assert panel.ui.ctMessage.isHidden()
    assert panel.ui.petMessage.isHidden()
    assert not panel.ui.applyButton.enabled


def test_choice_is_kept_with_the_scene(widget, scene, module):
    ct, pet = add_ct("a"), add_pet("b")
    panel = widget()
    panel.ui.ctSelector.setCurrentNode(ct)
    panel.ui.petSelector.setCurrentNode(pet)
    panel.ui.thresholdSlider.value = 2.5
    panel.ui.mapF_WCheckBox.checked = True
    node = scene.GetSingletonNode("MSIQA", "vtkMRMLScriptedModuleNode")
    assert node.GetNodeReference("ct") is ct
    assert node.GetNodeReference("pet") is pet
    from MSIQAModuleLib.parameter_node import settings_of

    settings = settings_of(module.MSIQALogic().getParameterNode())
    assert settings.threshold == 2.5
    assert settings.maps == ("F_W",)
    assert types.SimpleNamespace(**vars(settings)).device == "auto"
