"""The stream: order, batches, cancelling, failing, progress."""

from __future__ import annotations

import pytest
from studies import BrightnessScorer, GreyStudy

from MSIQALib.assessment.assessor import Assessor, Progress
from MSIQALib.assessment.result import NOT_REACHED, Status


class Collected:
    def __init__(self) -> None:
        self.indices: list[int] = []

    def write(self, index, heatmaps) -> None:
        assert set(heatmaps) == {"F1"}
        self.indices.append(index)


def test_every_slice_gets_its_own_score():
    study = GreyStudy(10, outside=(0, 4))
    result = Assessor(BrightnessScorer(), 3).assess(study, threshold=0.1)
    assert [row.index for row in result.slices] == list(range(10))
    assert [row.position_mm for row in result.slices] == [-10.0 + 2 * k for k in range(10)]
    for row in result.slices:
        if row.index in (0, 4):
            assert row.state == "outside the PET"
            assert row.score is None
        else:
            assert row.state == "assessed"
            assert row.score == pytest.approx(row.index / 255 * 4)
    assert result.status is Status.COMPLETE
    assert result.warnings == ("a warning",)
    assert result.threshold == 0.1


def test_batches_are_as_asked():
    scorer = BrightnessScorer()
    Assessor(scorer, 4).assess(GreyStudy(10))
    assert scorer.batches == [4, 4, 2]


def test_a_batch_without_pictures_passes():
    scorer = BrightnessScorer()
    result = Assessor(scorer, 2).assess(GreyStudy(4, outside=(0, 1)))
    assert scorer.batches == [2]
    assert len(result.assessed) == 2


@pytest.mark.parametrize("after", [0, 1, 2])
def test_cancelling_takes_effect_within_a_batch(after):
    study, seen = GreyStudy(20), []
    result = Assessor(BrightnessScorer(), 4).assess(
        study, on_progress=seen.append, cancelled=lambda: len(seen) >= after
    )
    assert result.status is Status.CANCELLED
    assert len(result.assessed) == 4 * after
    assert [row.state for row in result.slices[4 * after :]] == [NOT_REACHED] * (20 - 4 * after)
    assert len(result.slices) == 20
    assert f"{4 * after} of 20" in result.stopped


def test_a_failure_half_way_keeps_the_finished_slices():
    result = Assessor(BrightnessScorer(), 4).assess(GreyStudy(20, fails_at=9))
    assert result.status is Status.FAILED
    assert len(result.assessed) == 8
    assert "disk gone" in result.stopped
    assert "Doe" not in result.stopped  # a path may name a patient
    assert result.partial


def test_a_failure_at_the_start_is_raised():
    with pytest.raises(OSError, match="disk gone"):
        Assessor(BrightnessScorer(), 4).assess(GreyStudy(20, fails_at=2))


def test_memory_holds_two_batches_at_most():
    """Nothing is read further ahead than the batch after the one being scored."""
    study = GreyStudy(40)
    stream = Assessor(BrightnessScorer(), 5).stream(study)
    for number, batch in enumerate(stream, start=1):
        assert len(batch) == 5
        assert len(study.asked) <= 5 * (number + 1)
        if number == 3:
            stream.close()
            break
    assert len(study.asked) <= 20


def test_progress_counts_and_hands_over_new_rows():
    seen: list[Progress] = []
    Assessor(BrightnessScorer(), 4).assess(GreyStudy(10), on_progress=seen.append)
    assert [event.done for event in seen] == [4, 8, 10]
    assert [row.index for event in seen for row in event.rows] == list(range(10))
    assert seen[-1].seconds_left == 0
    assert Progress(0, 10, 0.0).seconds_left is None
    assert Progress(5, 10, 2.0).seconds_left == pytest.approx(2.0)


def test_heatmaps_go_to_the_sink_slice_by_slice():
    sink = Collected()
    Assessor(BrightnessScorer(), 4).assess(GreyStudy(6, outside=(2,)), heatmaps=sink)
    assert sink.indices == [0, 1, 3, 4, 5]


def test_no_batch_of_nothing():
    with pytest.raises(ValueError, match="batch_size"):
        Assessor(BrightnessScorer(), 0)
