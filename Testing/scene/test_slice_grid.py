"""Slices count from feet to head however the CT's axes run, and are found again in the patient."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import scenes
import slicer
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from MSIQALib.imaging.slices import fuse_study
from MSIQALib.imaging.volume import Volume
from MSIQALib.scene.grid import SliceGrid, geometry_of, ijk_to_ras

every_orientation = pytest.mark.parametrize("name", scenes.ORIENTATIONS)


def grid_of(node) -> SliceGrid:
    return SliceGrid(geometry_of(node))


@every_orientation
def test_every_voxel_is_found_in_its_slice(world, name):
    ct = scenes.add_ct(world.scene, scenes.ORIENTATIONS[name])
    grid = grid_of(ct)
    size = ct.GetImageData().GetDimensions()
    middle = [(n - 1) / 2 for n in size]
    heights = []  # of the slices, by counting along the CT's own axis
    for at in range(grid.count):
        middle[grid.axis] = at
        heights.append(scenes.to_ras(ct, middle)[2])
    from_the_feet = np.argsort(np.argsort(heights))
    for ijk in itertools.product(*map(range, size)):
        assert grid.index_at(scenes.to_ras(ct, ijk)) == from_the_feet[ijk[grid.axis]]


@every_orientation
def test_the_centre_of_a_slice_is_a_voxel_of_the_ct(world, name):
    # Odd numbers of voxels, so that the centre is one.
    ct = scenes.add_ct(world.scene, scenes.ORIENTATIONS[name], size=(7, 5, 9))
    grid = grid_of(ct)
    seen = {int(scenes.voxel_at(ct, grid.centre(k))) for k in range(grid.count)}
    assert len(seen) == grid.count
    for k in range(grid.count):
        to_ijk = vtkMatrix4x4()
        ct.GetRASToIJKMatrix(to_ijk)
        ijk = to_ijk.MultiplyPoint((*grid.centre(k), 1.0))[:3]
        assert np.allclose(ijk, np.round(ijk), atol=1e-9)


@every_orientation
def test_positions_are_those_of_the_engine(world, name):
    ct = scenes.add_ct(world.scene, scenes.ORIENTATIONS[name], size=(12, 12, 12))
    grid = grid_of(ct)
    hounsfield = np.random.default_rng(1).uniform(-1000, 400, (12, 12, 12)).astype(np.float32)
    study = fuse_study(Volume(hounsfield, grid.ct, "CT", "HU", Path("ct")), None)
    assert study.geometry == grid.axial
    for k in range(len(study)):
        assert grid.position_mm(k) == pytest.approx(study.position_mm(k), abs=1e-9)
    positions = [grid.position_mm(k) for k in range(grid.count)]
    assert positions == sorted(positions)


def test_slices_reach_half_way_to_their_neighbours(world):
    grid = grid_of(scenes.add_ct(world.scene))
    right, anterior, first = grid.centre(0)
    assert first == -300.0
    assert grid.index_at((right, anterior, first - 1.99)) == 0
    assert grid.index_at((right, anterior, first - 2.01)) is None
    assert grid.index_at((right, anterior, first + 1.99)) == 0
    assert grid.index_at((right, anterior, first + 2.01)) == 1
    assert grid.index_at((right, anterior, first + 7 * 4 + 1.99)) == 7
    assert grid.index_at((right, anterior, first + 7 * 4 + 2.01)) is None
    assert grid.index_at((right + 999, anterior - 999, first)) == 0
    assert grid.limits_mm == (-302.0, -270.0)


def test_there_is_no_centre_of_a_slice_that_is_not_there(world):
    grid = grid_of(scenes.add_ct(world.scene))
    for index in (-1, grid.count):
        with pytest.raises(IndexError, match=f"slice {index} of 8"):
            grid.centre(index)


def test_linear_parent_transforms_are_part_of_the_place(world):
    ct = scenes.add_ct(world.scene, scenes.tilted(5.0))
    outer, inner = (world.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode") for _ in "ab")
    shift = vtkMatrix4x4()
    shift.SetElement(2, 3, 1000.0)
    outer.SetMatrixTransformToParent(shift)
    inner.SetMatrixTransformToParent(
        scenes.matrix(np.diag([-1.0, -1.0, 1.0]), (1, 1, 1), (5, 6, 7))
    )
    inner.SetAndObserveTransformNodeID(outer.GetID())
    ct.SetAndObserveTransformNodeID(inner.GetID())
    grid = grid_of(ct)
    assert grid.count == 8
    for k in range(8):
        world_place = scenes.to_ras(ct, (2.5, 2.0, k))
        assert grid.centre(k) == pytest.approx(world_place)
        assert world_place[2] > 600


def test_transforms_that_bend_space_are_refused(world):
    ct = scenes.add_ct(world.scene, name="bent")
    transform = world.scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    spline = slicer.vtkOrientedBSplineTransform()
    spline.SetCoefficientData(scenes.image(np.ones((4, 4, 4, 3)), (4, 4, 4)))
    spline.GetCoefficientData().GetPointData().GetScalars().SetNumberOfComponents(3)
    transform.SetAndObserveTransformToParent(spline)
    ct.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(ValueError, match="bent is under a non-linear transform"):
        geometry_of(ct)


def test_a_volume_without_voxels_is_refused(world):
    with pytest.raises(ValueError, match="hollow has no voxels"):
        geometry_of(world.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hollow"))


@every_orientation
def test_geometry_goes_to_the_scene_and_back(world, name):
    ct = scenes.add_ct(world.scene, scenes.ORIENTATIONS[name])
    there = vtkMatrix4x4()
    ct.GetIJKToRASMatrix(there)
    back = ijk_to_ras(geometry_of(ct))
    for row, column in itertools.product(range(4), repeat=2):
        assert back.GetElement(row, column) == pytest.approx(there.GetElement(row, column))


def test_a_grid_survives_as_text(world):
    grid = grid_of(scenes.add_ct(world.scene, scenes.tilted(7.3), spacing=(0.9765625, 1 / 3, 0.7)))
    assert SliceGrid.from_json(grid.to_json()) == grid


def test_another_grid_is_told_from_the_same(world):
    grid = grid_of(scenes.add_ct(world.scene, scenes.CORONAL))
    assert grid.same_as_axial(grid.axial)
    assert not grid.same_as_axial(grid.ct)
    moved = scenes.add_ct(world.scene, scenes.CORONAL, origin=(10.0, 20.0, -299.9))
    assert not grid.same_as_axial(grid_of(moved).axial)
    stretched = scenes.add_ct(world.scene, scenes.CORONAL, spacing=(2.0, 3.01, 4.0))
    assert not grid.same_as_axial(grid_of(stretched).axial)
    assert not grid.same_as_axial(grid_of(scenes.add_ct(world.scene, size=(6, 5, 7))).axial)
