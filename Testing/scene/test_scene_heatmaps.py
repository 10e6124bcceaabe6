"""Heatmap files land on the CT's voxels, whatever way the CT lies."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
import scenes
import SimpleITK as sitk

from MSIQALib.assessment.nrrd import write_heatmap_volume
from MSIQALib.errors import InputError
from MSIQALib.scene.heatmaps import load_heatmap
from MSIQALib.scene.legend import legend_of
from MSIQALib.scene.study import create_study_nodes, remove_study

FIELDS = {"MSIQA_map": "F1", "MSIQA_activation_at_0": "0.125", "MSIQA_activation_at_255": "1.75"}


def write_map(path, grid, value_of, fields=FIELDS):
    """A map file as the engine writes it, its voxels given by their place in LPS."""
    width, height, depth = grid.axial.size
    slices = []
    for k in range(depth):
        values = np.zeros((height, width), np.float32)
        for j, i in np.ndindex(height, width):
            values[j, i] = value_of((grid.axial.ijk_to_lps @ [i, j, k, 1.0])[:3])
        slices.append(values)
    write_heatmap_volume(path, slices, grid.axial, fields)
    return path


@pytest.mark.parametrize("name", scenes.ORIENTATIONS)
def test_a_landmark_lands_on_its_voxel(world, tmp_path, name):
    ct = scenes.add_ct(world.scene, scenes.ORIENTATIONS[name])
    study = create_study_nodes(world.scene, ct)
    landmark = scenes.to_ras(ct, (4, 1, 6))
    place = landmark * (-1, -1, 1)
    path = write_map(
        tmp_path / "F1.nrrd", study.grid, lambda lps: float(np.allclose(lps, place, atol=1e-6))
    )
    volume = load_heatmap(study, "F1", path)
    hot = [
        ijk
        for ijk in np.ndindex(*ct.GetImageData().GetDimensions())
        if scenes.voxel_at(volume, scenes.to_ras(ct, ijk)) == 255
    ]
    assert hot == [(4, 1, 6)]
    assert np.count_nonzero(scenes.voxels(volume)) == 1


@pytest.mark.parametrize("name", ["axial", "head first", "coronal"])
@pytest.mark.parametrize("orientation", ["Axial", "Sagittal", "Coronal"])
def test_a_slice_view_draws_it_over_the_same_place(world, tmp_path, name, orientation):
    ct = scenes.add_ct(world.scene, scenes.ORIENTATIONS[name])
    study = create_study_nodes(world.scene, ct)
    landmark = scenes.to_ras(ct, (4, 1, 6))
    place = landmark * (-1, -1, 1)
    path = write_map(
        tmp_path / "F1.nrrd", study.grid, lambda lps: float(np.allclose(lps, place, atol=1e-6))
    )
    volume = load_heatmap(study, "F1", path)
    view = scenes.SliceView(world, orientation)
    view.composite.SetBackgroundVolumeID(volume.GetID())
    view.show(landmark)
    hottest = 255 * np.array(mpl.colormaps["inferno"](1.0)[:3])
    assert view.pixel(landmark)[:3] == pytest.approx(hottest, abs=12)
    cold = scenes.to_ras(ct, (1, 3, 1))
    view.show(cold)
    assert view.pixel(cold)[3] == 0


@pytest.fixture
def study(world):
    return create_study_nodes(world.scene, scenes.add_ct(world.scene))


@pytest.fixture
def path(study, tmp_path):
    return write_map(tmp_path / "map.nrrd", study.grid, lambda lps: abs(lps[0]) / 40)


def test_values_are_those_of_the_file(study, path):
    volume = load_heatmap(study, "F3", path)
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert len(np.unique(expected)) > 3
    assert np.array_equal(scenes.voxels(volume), expected)
    assert volume.GetImageData().GetScalarTypeAsString() == "unsigned char"


def test_the_node_needs_no_file(study, path):
    volume = load_heatmap(study, "F3", path)
    path.unlink()
    assert volume.GetStorageNode() is None
    assert scenes.voxels(volume).any()


def test_colours_and_legend(study, path):
    volume = load_heatmap(study, "F_W", path)
    display = volume.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 255.0)
    assert (display.GetLowerThreshold(), display.GetUpperThreshold()) == (51.0, 255.0)
    assert display.GetApplyThreshold()
    table = display.GetColorNode()
    assert table.GetNumberOfColors() == 256
    for at in (0, 64, 255):
        shade = [0.0] * 4
        table.GetColor(at, shade)
        assert shade[:3] == pytest.approx(mpl.colormaps["inferno"](at)[:3], abs=11 / 255)
    assert volume.GetDisplayNode() is volume.GetVolumeDisplayNode()


def test_weak_activations_do_not_cover_the_image(world, study, tmp_path):
    """Below a fifth of the range nothing is drawn."""
    ijks = [(1, 1, 1), (3, 1, 1)]
    weak, strong = (scenes.to_ras(study.ct, ijk) for ijk in ijks)

    def value(lps):
        places = ((weak, 0.15), (strong, 0.3))
        return sum(v for ras, v in places if np.allclose(lps, ras * (-1, -1, 1), atol=1e-6))

    volume = load_heatmap(study, "F1", write_map(tmp_path / "F1.nrrd", study.grid, value))
    view = scenes.SliceView(world, "Axial")
    view.composite.SetBackgroundVolumeID(volume.GetID())
    view.show(weak)
    assert view.pixel(weak)[3] == 0
    assert view.pixel(strong)[3] == 255


def test_legend_counts_activations(study, path):
    """A legend's numbers run over the window of its primary display node (Slicer's Colors)."""
    volume = load_heatmap(study, "F_W", path)
    legend = legend_of(volume)
    assert legend.GetTitleText() == "F_W activation"
    assert not legend.GetUseColorNamesForLabels()
    scale = legend.GetPrimaryDisplayNode()
    assert (scale.GetWindowLevelMin(), scale.GetWindowLevelMax()) == (0.125, 1.75)
    assert scale.GetColorNode() is volume.GetDisplayNode().GetColorNode()
    # The manager asks it for its volume, to know which views show that.
    assert scale.GetDisplayableNode() is volume
    assert legend.GetLabelFormat() % 0.125 == "0.125"


def test_legend_follows_a_map_that_is_loaded_again(world, study, path):
    volume = load_heatmap(study, "F_W", path)
    count = len(world.nodes())
    volume.GetDisplayNode().SetWindowLevelMinMax(20.0, 120.0)
    write_map(path, study.grid, lambda _: 1.0, {**FIELDS, "MSIQA_activation_at_255": "9.5"})
    load_heatmap(study, "F_W", path)
    assert legend_of(volume).GetPrimaryDisplayNode().GetWindowLevelMax() == 9.5
    assert volume.GetDisplayNode().GetWindowLevelMax() == 120.0
    assert len(world.nodes()) == count


@pytest.mark.parametrize("fields", [{}, {"MSIQA_activation_at_0": "?"}])
def test_without_activations_the_legend_counts_the_files_numbers(study, path, fields):
    write_map(path, study.grid, lambda _: 1.0, fields)
    volume = load_heatmap(study, "F_W", path)
    assert legend_of(volume).GetPrimaryDisplayNode() is volume.GetDisplayNode()


def test_what_the_values_stand_for_is_kept(study, path):
    volume = load_heatmap(study, "F1", path)
    assert volume.GetAttribute("MSIQA.MSIQA_activation_at_0") == "0.125"
    assert volume.GetAttribute("MSIQA.MSIQA_activation_at_255") == "1.75"


def test_maps_share_colours_and_go_with_the_study(world, study, path):
    before = world.nodes()
    other = create_study_nodes(world.scene, study.ct, name="other")
    theirs = load_heatmap(other, "F1", path)
    ours = [load_heatmap(study, name, path) for name in ("F1", "F4", "F_S")]
    assert list(study.heatmaps) == ["F1", "F4", "F_S"]
    assert list(study.heatmaps.values()) == ours
    assert other.heatmaps == {"F1": theirs}
    assert len({node.GetDisplayNode().GetColorNodeID() for node in ours}) == 1
    remove_study(other)
    assert theirs.GetScene() is None
    assert list(study.heatmaps.values()) == ours
    remove_study(study)
    assert set(world.nodes()) - set(before) <= {"vtkMRMLSubjectHierarchyNode1"}


def test_loading_again_replaces(world, study, path):
    volume = load_heatmap(study, "F1", path)
    count = len(world.nodes())
    write_map(path, study.grid, lambda _: 1.0)
    assert load_heatmap(study, "F1", path) is volume
    assert (scenes.voxels(volume) == 255).all()
    assert len(world.nodes()) == count
    assert list(study.heatmaps) == ["F1"]


def test_a_map_of_another_ct_is_refused(world, study, tmp_path):
    moved = scenes.add_ct(world.scene, origin=(10.0, 20.0, -298.0))
    path = write_map(
        tmp_path / "F1.nrrd", create_study_nodes(world.scene, moved).grid, lambda _: 1.0
    )
    with pytest.raises(InputError, match=r"F1\.nrrd: the map lies on another grid than MSIQA: CT"):
        load_heatmap(study, "F1", path)
    assert study.heatmaps == {}


def test_files_that_are_no_maps_are_refused(study, tmp_path):
    broken = tmp_path / "F1.nrrd"
    with pytest.raises(InputError, match="cannot be read"):
        load_heatmap(study, "F1", broken)
    broken.write_bytes(b"NRRD0005\nnonsense\n")
    with pytest.raises(InputError, match="cannot be read"):
        load_heatmap(study, "F1", broken)
    picture = sitk.Image([4, 4], sitk.sitkUInt8)
    sitk.WriteImage(picture, str(broken))
    with pytest.raises(InputError, match="not a volume of one number a voxel"):
        load_heatmap(study, "F1", broken)
    assert study.heatmaps == {}
