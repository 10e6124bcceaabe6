"""Building blocks of the phantom against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from MSIQALib.phantom.shapes import Ellipsoid, Tubes, bar, ellipse, smooth_union, tube, turned
from MSIQALib.phantom.texture import NoiseField


def test_distance_to_a_sphere_is_exact_outside_and_in():
    points = np.random.default_rng(0).uniform(-30, 30, (3, 500))
    ball = Ellipsoid((1.0, -2.0, 3.0), (10.0, 10.0, 10.0))
    expected = np.linalg.norm(points - [[1.0], [-2.0], [3.0]], axis=0) - 10.0
    assert ball.distance(*points) == pytest.approx(expected, abs=1e-6)
    assert ellipse(points[0], points[1], 10.0, 10.0) == pytest.approx(
        np.hypot(points[0], points[1]) - 10.0, abs=1e-6
    )


def test_a_turned_ellipsoid_points_where_it_is_told():
    axes = turned((1.0, 1.0, 0.0))
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-6)
    cigar = Ellipsoid((0.0, 0.0, 0.0), (20.0, 5.0, 5.0), axes)
    tip = 20.0 / np.sqrt(2.0)
    assert cigar.distance(np.array(tip), np.array(tip), 0.0) == pytest.approx(0.0, abs=1e-4)
    assert cigar.distance(np.array(tip), np.array(-tip), 0.0) > 10.0
    assert cigar.reach == pytest.approx((np.sqrt(212.5), np.sqrt(212.5), 5.0), rel=1e-5)


def test_a_tube_has_its_radius_along_its_length_and_round_ends():
    pipe = tube([(0, 0, 0, 2), (0, 0, 10, 4)])
    x = np.array([5.0, 5.0, 5.0, 0.0], np.float32)
    z = np.array([0.0, 5.0, 10.0, 17.0], np.float32)
    zero = np.zeros(4, np.float32)
    assert pipe.distance(0, x, zero, z) == pytest.approx([3.0, 2.0, 1.0, 3.0], abs=1e-5)
    assert len(pipe.mirrored()) == 2
    assert len(tube([(0, 0, 0, 1), (1, 0, 0, 1), (2, 0, 0, 1)], smooth=4)) == 8


def test_boxes_miss_no_point_of_a_tube():
    rng = np.random.default_rng(1)
    tubes = Tubes(
        rng.uniform(-20, 20, (40, 3)).astype(np.float32),
        rng.uniform(-20, 20, (40, 3)).astype(np.float32),
        rng.uniform(1, 4, (40, 2)).astype(np.float32),
    )
    x, y = np.meshgrid(np.arange(-30, 30, 0.5), np.arange(-30, 30, 0.5))
    near, boxes = tubes.boxes(np.full(40, 3.0, np.float32), np.zeros(40, np.float32))
    ranges = dict(zip(near.tolist(), boxes, strict=True))
    for n in range(40):
        inside = tubes.distance(n, x, y, 3.0) < 0
        if inside.any():
            x0, x1, y0, y1 = ranges[n]
            assert x[inside].min() >= x0
            assert x[inside].max() <= x1
            assert y[inside].min() >= y0
            assert y[inside].max() <= y1


def test_bar_and_smooth_union():
    x, y = np.array([0.0, 5.0, 13.0]), np.array([3.0, 4.0, 4.0])
    assert bar(x, y, (0.0, 0.0), (10.0, 0.0)) == pytest.approx([3.0, 4.0, 5.0])
    far, near = np.array([50.0]), np.array([-3.0])
    assert smooth_union(far, near, 10.0) == pytest.approx([-3.0])
    # Where both are equal the crease is filled by a quarter of the blend.
    assert smooth_union(near, near, 10.0) == pytest.approx([-5.5])


def test_noise_has_unit_variance_and_does_not_depend_on_the_grid():
    field = NoiseField(np.random.default_rng(5), 4.0)
    x = np.arange(0.0, 160.0, 0.5)
    planes = np.stack([field.plane(x, x, z) for z in np.arange(0.0, 160.0, 8.0)])
    assert planes.mean() == pytest.approx(0.0, abs=0.05)
    assert planes.std() == pytest.approx(1.0, abs=0.06)
    assert field.plane(x[::7], x[3::5], 16.0) == pytest.approx(planes[2][3::5, ::7], abs=1e-5)
    # One cell on, neighbours still know of each other; four cells on they do not.
    near = np.corrcoef(planes[:, :, 8:].ravel(), planes[:, :, :-8].ravel())[0, 1]
    far = np.corrcoef(planes[:, :, 32:].ravel(), planes[:, :, :-32].ravel())[0, 1]
    assert near > 0.4
    assert abs(far) < 0.1
