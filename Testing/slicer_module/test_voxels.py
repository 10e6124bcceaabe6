"""Volumes as the process gets them: in the world, and the user's nodes untouched."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from small_volumes import add_volume

LANDMARK = (3, 5, 2)  # i, j, k


@pytest.fixture
def voxels(module, scene):
    from MSIQAModuleLib import voxels

    return voxels


def oblique():
    """A rotation about two axes, unequal spacing, one axis flipped."""
    a, b = 0.3, -0.2
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ tilt @ np.diag((2.0, -3.0, 4.0))
    matrix[:3, 3] = (10.0, -20.0, 30.0)
    return matrix


def volume_with_landmark():
    array = np.zeros((6, 8, 7), np.int16)
    array[LANDMARK[::-1]] = 1000
    return add_volume(array, "CT", matrix=oblique())


def landmark_in_file(path):
    """RAS position of the brightest voxel."""
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    k, j, i = np.unravel_index(int(array.argmax()), array.shape)
    left, back, up = image.TransformIndexToPhysicalPoint((int(i), int(j), int(k)))
    return np.array((-left, -back, up))


def expected(matrix):
    return (matrix @ np.array((*LANDMARK, 1.0)))[:3]


def test_landmark_lies_where_it_is_in_the_scene(voxels, tmp_path):
    node = volume_with_landmark()
    voxels.write_volume(node, tmp_path / "CT.nrrd")
    np.testing.assert_allclose(
        landmark_in_file(tmp_path / "CT.nrrd"), expected(oblique()), atol=1e-4
    )


def test_linear_transform_is_applied_and_the_node_stays(voxels, scene, tmp_path):
    import slicer

    node = volume_with_landmark()
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    move = np.array([[0, -1, 0, 5.0], [1, 0, 0, 6.0], [0, 0, 1, 7.0], [0, 0, 0, 1]])
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(move))
    node.SetAndObserveTransformNodeID(transform.GetID())
    before = node.GetMTime(), node.GetImageData().GetMTime(), scene.GetNumberOfNodes()
    voxels.write_volume(node, tmp_path / "CT.nrrd")
    np.testing.assert_allclose(
        landmark_in_file(tmp_path / "CT.nrrd"), expected(move @ oblique()), atol=1e-4
    )
    assert (node.GetMTime(), node.GetImageData().GetMTime(), scene.GetNumberOfNodes()) == before
    assert node.GetParentTransformNode() is transform


def test_bending_transform_is_hardened_on_a_copy(voxels, scene, tmp_path):
    import slicer
    import vtk

    array = np.zeros((20, 20, 20), np.float32)
    array[8:12, 8:12, 8:12] = 1000.0
    node = add_volume(array, "CT", spacing=(2.0, 2.0, 2.0))
    splines = vtk.vtkThinPlateSplineTransform()
    splines.SetBasisToR()
    sources, targets = vtk.vtkPoints(), vtk.vtkPoints()
    for r in (0.0, 40.0):
        for a in (0.0, 40.0):
            for s in (0.0, 40.0):
                sources.InsertNextPoint(r, a, s)
                targets.InsertNextPoint(r, a, s)
    sources.InsertNextPoint(19.0, 19.0, 19.0)
    targets.InsertNextPoint(19.0, 19.0, 25.0)  # the middle moves 6 mm to the head
    splines.SetSourceLandmarks(sources)
    splines.SetTargetLandmarks(targets)
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetAndObserveTransformToParent(splines)
    node.SetAndObserveTransformNodeID(transform.GetID())
    count = scene.GetNumberOfNodes()
    voxels.write_volume(node, tmp_path / "CT.nrrd")
    image = sitk.ReadImage(str(tmp_path / "CT.nrrd"))
    values = sitk.GetArrayFromImage(image)
    weights = values.clip(0) / values.clip(0).sum()
    k = (weights.sum(axis=(1, 2)) * np.arange(values.shape[0])).sum()
    middle = image.TransformContinuousIndexToPhysicalPoint((9.5, 9.5, float(k)))
    assert middle[2] == pytest.approx(19.0 + 6.0, abs=1.5)
    assert scene.GetNumberOfNodes() == count
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), array)
    assert node.GetParentTransformNode() is transform


def test_image_that_a_bending_transform_moves_far_is_not_cut_off(voxels, scene, tmp_path):
    import vtk

    node = volume_with_landmark()
    far = vtk.vtkThinPlateSplineTransform()
    far.SetBasisToR()
    sources, targets = vtk.vtkPoints(), vtk.vtkPoints()
    up = np.array((0.0, 0.0, 100.0))
    for corner in np.ndindex(2, 2, 2):
        place = np.array(corner) * 60.0 - 30.0
        sources.InsertNextPoint(*place)
        targets.InsertNextPoint(*(place + up))
    far.SetSourceLandmarks(sources)
    far.SetTargetLandmarks(targets)
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetAndObserveTransformToParent(far)
    node.SetAndObserveTransformNodeID(transform.GetID())
    voxels.write_volume(node, tmp_path / "CT.nrrd")
    moved = expected(oblique()) + up
    np.testing.assert_allclose(landmark_in_file(tmp_path / "CT.nrrd"), moved, atol=2.5)
    low, high = voxels.slice_grid(node).limits_mm
    assert low < moved[2] < high


def test_factor_turns_activity_into_suv(voxels, tmp_path):
    node = add_volume(np.full((3, 4, 5), 20000, np.int16), "PET")
    voxels.write_volume(node, tmp_path / "PET.nrrd", factor=2e-4)
    values = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "PET.nrrd")))
    np.testing.assert_allclose(values, 4.0, rtol=1e-6)
