"""The sentences that the outputs share, in one place so that they agree."""

from __future__ import annotations

from MSIQALib.assessment.result import NOT_REACHED, SliceResult, StudyResult
from MSIQALib.likert import word_of
from MSIQALib.report.axis import Stretch, stretches

DISCLAIMER = "Research software, not a medical device: not for diagnosis or treatment decisions."

CITATION = (
    "Li, S., Hui, C., Zhang, W., Liang, R., Song, C., Jiang, F., Zhu, H., Li, Z., Huang, H., "
    "Li, X.: MS-IQA: A Multi-Scale Feature Fusion Network for PET/CT Image Quality Assessment."
)

HOW_TO_READ = (
    "The score estimates how five radiologists would have rated the fused PET/CT slice on a "
    "five-step Likert scale: 0 bad, 1 poor, 2 fair, 3 good, 4 excellent. The word of a slice is "
    "that of the nearest step.",
    "The network was trained on pictures of FDG PET/CT to which speckle, Gaussian noise and JPEG "
    "compression were added by simulation. It has not seen every scanner, body region, "
    "tracer or kind of artefact: outside that domain, read the curve as a pointer to where to "
    "look, and look at the slices.",
    "No reference image is used. The score has not been validated for acceptance testing, for "
    "constancy checks or for comparing scanners.",
)

HEATMAP_MEANINGS = {
    "F1": "Early stage: edges, fine texture and noise.",
    "F2": "Second stage: local patterns and the outlines of tissue.",
    "F3": "Third stage: a balance of detail and anatomy.",
    "F4": "Last stage: abstract, the anatomy as a whole.",
    "F_W": "All four stages after channel attention: what the weight branch W reads.",
    "F_S": "Last transformer stage after channel attention: what the score branch S reads.",
}
"""One line for each feature map; F1 to F4 after Li et al., section 3.3 and Table 2."""

_MINUS = "\N{MINUS SIGN}"
_NO_BREAK = "\N{NO-BREAK SPACE}"


def number(value: float, decimals: int = 2) -> str:
    """A number as text, with a true minus sign and without a negative zero."""
    text = f"{value:.{decimals}f}"
    if not text.strip("-0."):
        text = text.lstrip("-")
    return text.replace("-", _MINUS)


def millimetres(value: float, decimals: int = 1) -> str:
    """A position with its unit, kept on one line."""
    return f"{number(value, decimals)}{_NO_BREAK}mm"


def percent(share: float) -> str:
    """A share of 0..1 in whole percent; "<1 %" rather than "0 %" where there is something."""
    if 0 < share < 0.01:
        return f"<1{_NO_BREAK}%"
    if 0.99 < share < 1:
        return f">99{_NO_BREAK}%"
    return f"{share * 100:.0f}{_NO_BREAK}%"


def count(things: int, singular: str) -> str:
    """ "1 slice", "2 slices"."""
    return f"{things:,}{_NO_BREAK}{singular}{'' if things == 1 else 's'}"


def slice_words(row: SliceResult) -> str:
    """One slice in words: index, position, score with its word or why it has none."""
    where = f"Slice {row.index} at {millimetres(row.position_mm)}"
    if row.score is None:
        return f"{where}: {reason_words(row.state)}"
    return f"{where}: score {number(row.score)}, {row.word}"


def reason_words(state: str) -> str:
    """Why slices have no score, as a caption."""
    return state if state == NOT_REACHED else f"not assessed: {state}"


def verdict(result: StudyResult) -> str:
    """The study's quality in two or three plain sentences."""
    mean, share = result.mean, result.share_below
    if mean is None or share is None:
        return "No slice was assessed, so nothing can be said about the image quality."
    scored = len(result.scores)
    limit = number(result.threshold, 1)
    if scored == 1:
        side = "under" if share else "not under"
        return (
            f"The one assessed slice rates {word_of(mean)}. It is {side} the threshold of {limit}."
        )
    text = f"On average the slices rate {word_of(mean)}."
    below = sum(score < result.threshold for score in result.scores)
    if not below:
        return f"{text} None lies under the threshold of {limit}."
    verb = "lies" if below == 1 else "lie"
    text = (
        f"{text} {below:,} of {scored:,} assessed slices ({percent(share)}) {verb} under the "
        f"threshold of {limit}"
    )
    longest = longest_below(result)
    if longest is None or longest.count < 2:
        return f"{text}."
    return (
        f"{text}; the longest run of them is {longest.count:,} slices long, from "
        f"{millimetres(longest.start_mm, 0)} to {millimetres(longest.end_mm, 0)}."
    )


def longest_below(result: StudyResult) -> Stretch | None:
    """The longest run of neighbouring slices under the threshold; None where there is none."""
    runs = stretches(result, lambda row: row.score is not None and row.score < result.threshold)
    poor = [run for run in runs if run.kind is True]
    return max(poor, key=lambda run: run.count) if poor else None


def partial_sentence(result: StudyResult) -> str:
    """What a run that ended early covers; empty where it is complete."""
    if not result.partial:
        return ""
    reason = (result.stopped or result.status.value).strip().rstrip(".")
    covered = len(result.assessed)
    have = "has" if covered == 1 else "have"
    numbers = f"All numbers here are of the {count(covered, 'slice')} that {have} a score."
    return f"Partial result: {reason}. {numbers if covered else 'No slice has a score.'}"
