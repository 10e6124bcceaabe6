"""Numbers and sentences."""

from __future__ import annotations

import pytest

from MSIQALib.assessment.result import NOT_REACHED, Status
from MSIQALib.report import wording


@pytest.mark.parametrize(
    ("value", "text"), [(-0.004, "0.00"), (-1.005, "−1.00"), (2.5, "2.50"), (12.0, "12.00")]
)
def test_numbers_have_a_true_minus_and_no_negative_zero(value, text):
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.004, "<1 %"), (0.123, "12 %"), (0.999, ">99 %"), (1, "100 %")],
)
def test_small_shares_are_not_rounded_away(share, text):
    assert wording.percent(share).replace("\N{NO-BREAK SPACE}", " ") == text


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_verdict_names_share_and_longest_stretch(study):
    # Slices 3, 5 and 6 of eight are under 2.0; 5 and 6 are neighbours, faces at -87 and -81 mm.
    assert plain(wording.verdict(study)) == (
        "On average the slices rate fair. 3 of 7 assessed slices (43 %) lie under the threshold of "
        "2.0; the longest run of them is 2 slices long, from −87 mm to −81 mm."
    )


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([3.0, 3.2], "On average the slices rate good. None lies under the threshold of 2.0."),
        ([2.0], "The one assessed slice rates fair. It is not under the threshold of 2.0."),
        ([1.0], "The one assessed slice rates poor. It is under the threshold of 2.0."),
        (
            [1.0, 4.0],
            "On average the slices rate good. 1 of 2 assessed slices (50 %) lies under the "
            "threshold of 2.0.",
        ),
    ],
)
def test_verdict_of_small_studies(make, scores, expected):
    assert plain(wording.verdict(make(scores))) == expected


def test_verdict_without_scores(make):
    assert "No slice was assessed" in wording.verdict(make(["outside the PET"] * 3))


def test_a_gap_ends_a_stretch(make):
    longest = wording.longest_below(make([1.0, "missing from the CT series", 1.0, 1.0, 3.0]))
    assert longest is not None
    assert [row.index for row in longest.rows] == [2, 3]


def test_partial_sentence(make):
    result = make(
        [1.0, NOT_REACHED], status=Status.CANCELLED, stopped="cancelled after 1 of 2 slices"
    )
    assert plain(wording.partial_sentence(result)) == (
        "Partial result: cancelled after 1 of 2 slices. All numbers here are of the 1 slice that "
        "have a score."
    ).replace("1 slice that have", "1 slice that has")
    assert wording.partial_sentence(make([1.0])) == ""


def test_a_score_on_the_threshold_is_not_under_it(make):
    longest = wording.longest_below(make([1.0, 1.0, 2.0, 1.0]))
    assert longest is not None
    assert [row.index for row in longest.rows] == [0, 1]
