"""Positions, stretches of slices, labels that do not cover each other."""

from __future__ import annotations

import itertools
import random

import pytest

from MSIQALib.report.axis import (
    PatientAxis,
    nice_steps,
    scored_stretches,
    spread,
    unscored_stretches,
)


def test_faces_lie_half_a_slice_outside_the_centres(study):
    axis = PatientAxis.of(study)
    assert (axis.start_mm, axis.end_mm) == (-102.0, -72.0)
    assert axis.position(4) == -88.5
    assert axis.index(-88.5) == 4


def test_a_single_slice_is_as_thick_as_its_grid_says(make):
    axis = PatientAxis.of(make([2.0]))
    assert axis.end_mm - axis.start_mm == 3.0
    assert axis.position_ticks() == [-100.5]


def test_stretches_break_where_slices_have_no_score(study):
    assert [(run.rows[0].index, run.rows[-1].index) for run in scored_stretches(study)] == [
        (1, 3),
        (5, 8),
    ]
    gaps = unscored_stretches(study)
    assert [(run.kind, run.count) for run in gaps] == [
        ("outside the PET", 1),
        ("missing from the CT series", 1),
        ("outside the PET", 1),
    ]
    assert (gaps[1].start_mm, gaps[1].end_mm) == (-90.0, -87.0)


def test_labels_with_room_stay_where_they_are():
    assert spread([50, 10, 90], 10, 0, 100) == [50, 10, 90]


def test_labels_at_one_place_are_laid_around_it():
    assert spread([50, 50, 50], 10, 0, 100) == pytest.approx([40, 50, 60])


def test_labels_keep_gap_and_order_and_stay_inside():
    chance = random.Random(1)
    for _ in range(200):
        wanted = [chance.gauss(chance.choice((0, 50, 100)), 5) for _ in range(chance.randint(1, 8))]
        centres = spread(wanted, 10, 0, 100)
        ordered = [place for _, place in sorted(zip(wanted, centres, strict=True))]
        assert min(ordered) >= -1e-9
        assert max(ordered) <= 100 + 1e-9
        assert all(right - left >= 10 - 1e-9 for left, right in itertools.pairwise(ordered))


def test_labels_that_do_not_fit_share_the_room():
    assert spread([0, 0, 0], 100, 0, 10) == pytest.approx([0, 5, 10])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-102, -72, [-100, -95, -90, -85, -80, -75]),
        (0, 12, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        (3, 3, [3]),
    ],
)
def test_round_ticks(low, high, expected):
    assert nice_steps(low, high) == expected


def test_indices_have_whole_ticks():
    assert nice_steps(0, 3, whole=True) == [0, 1, 2, 3]
