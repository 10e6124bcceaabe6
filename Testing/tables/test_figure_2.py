"""Fig. 2: columns, common scales, and the detail that is magnified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from MSIQALib.assessment.scorer import PictureScore
from MSIQALib.errors import InputError
from MSIQALib.model.config import FEATURE_NAMES
from training.figures.fig2 import LADDER, Detail, Row, column_scales, draw, ladder, main

SIZES = (56, 28, 14, 7, 7, 7)


def a_score(level: float) -> PictureScore:
    rng = np.random.default_rng(8)
    maps = {
        name: (level * rng.random((size, size))).astype(np.float32)
        for name, size in zip(FEATURE_NAMES, SIZES, strict=True)
    }
    return PictureScore(level, level, 1.0, maps)


def a_picture() -> np.ndarray:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[40:52, 60:72] = np.random.default_rng(9).integers(0, 256, (12, 12, 3))
    return picture


def test_a_row_for_each_picture_and_a_column_for_each_map() -> None:
    rows = [Row("one", a_picture()), Row("two", a_picture())]
    figure = draw(rows, [a_score(1.0), a_score(2.0)], None)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == [
        "(a) input",
        "(b) detail",
        *(f"({letter}) $F_{name}$" for letter, name in zip("cdefgh", "1234WS", strict=True)),
    ]
    pictures = [axis for axis in figure.axes if axis.images]
    assert len(pictures) == 2 * 8
    assert pictures[2].images[0].get_array().shape == (64, 96)
    assert pictures[8].get_ylabel() == "two\nscore 2.00"


def test_rows_share_a_column_s_scale() -> None:
    weak, strong = a_score(1.0), a_score(2.0)
    scales = column_scales([weak, strong])
    assert tuple(scales) == FEATURE_NAMES
    shown = [scales["F1"].apply(score.heatmaps["F1"]) for score in (weak, strong)]
    assert shown[0].mean() < 0.6 * shown[1].mean()
    assert shown[1].max() == 1


def test_the_detail_is_where_the_picture_is_busy() -> None:
    detail = Detail.busiest(a_picture())
    assert 40 <= detail.top + detail.side / 2 <= 52
    assert 60 <= detail.left + detail.side / 2 <= 72
    assert detail.of(a_picture()).shape == (detail.side, detail.side, 3)
    with pytest.raises(ValueError, match="does not lie inside"):
        Detail(90, 0, 13).of(a_picture())


def test_the_ladder_begins_with_the_picture_itself() -> None:
    rows = ladder(a_picture())
    assert len(rows) == len(LADDER)
    assert np.array_equal(rows[0].picture, a_picture())
    errors = [np.abs(row.picture.astype(int) - a_picture()).mean() for row in rows]
    assert errors[0] == 0 < min(errors[1:])


def test_a_detail_outside_the_picture_is_refused_before_scoring(tmp_path: Path) -> None:
    path = tmp_path / "slice.png"
    Image.fromarray(a_picture()).save(path)
    with pytest.raises(InputError, match="does not lie inside"):
        main([str(path), "--output", str(tmp_path / "x.png"), "--detail", "90", "0", "50"])
    with pytest.raises(SystemExit):
        main(["--output", str(tmp_path / "x.png")])


@pytest.mark.slow
def test_the_command_draws_a_phantom_with_the_shipped_weights(tmp_path: Path) -> None:
    output = tmp_path / "fig2.png"
    main(["--phantom", "--output", str(output)])
    with Image.open(output) as figure:
        assert figure.size[0] > 5 * figure.size[1]
