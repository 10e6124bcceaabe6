"""From places in the views to slices and their words."""

from __future__ import annotations

import pytest
import scenes

from MSIQALib.assessment.result import SliceResult
from MSIQALib.scene.annotation import annotation_text
from MSIQALib.scene.position import position_of, row_of, slice_at, slice_of_point
from MSIQALib.scene.study import append_rows, create_study_nodes


@pytest.fixture(params=scenes.ORIENTATIONS)
def study(world, request):
    ct = scenes.add_ct(world.scene, scenes.ORIENTATIONS[request.param])
    return create_study_nodes(world.scene, ct)


def test_every_slice_is_found_at_its_position(study):
    for index in range(study.grid.count):
        right, anterior, superior = position_of(study, index)
        assert slice_at(study, (right, anterior, superior)) == index
    assert slice_at(study, (right, anterior, superior + 1000)) is None


def test_the_clicked_point_of_the_curve_is_a_slice(study):
    rows = [SliceResult(k, study.grid.position_mm(k), score=1.0, S=1.0, W=1.0) for k in (1, 2, 4)]
    append_rows(study, rows)
    assert [slice_of_point(study, point) for point in (-1, 0, 1, 2, 3)] == [None, 1, 2, 4, None]
    assert row_of(study, 4) == rows[2]
    assert row_of(study, 3) is None


def test_what_the_corner_says(study):
    place = study.grid.position_mm
    append_rows(
        study,
        [
            SliceResult(1, place(1), score=1.4321, S=1.4, W=0.5),
            SliceResult(2, place(2), "outside the PET"),
            SliceResult(3, place(3), "not reached"),
        ],
    )
    said = [annotation_text(study, index) for index in (1, 2, 3, 0, None)]
    assert said == [
        "Slice 1: 1.43 poor",
        "Slice 2: not assessed: outside the PET",
        "Slice 3: not reached",
        "Slice 0: no score yet",
        "",
    ]
