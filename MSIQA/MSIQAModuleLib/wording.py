"""Results and progress as words for the panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from MSIQALib.assessment.result import SliceResult, StudyResult
from MSIQALib.likert import word_of
from MSIQALib.scene.heatmaps import activations_of

if TYPE_CHECKING:
    from slicer import vtkMRMLColorTableNode, vtkMRMLScalarVolumeNode

    from MSIQAModuleLib.run import AssessmentRun

_MINUTE = 60
_SQUARES = 10


def summary(result: StudyResult) -> str:
    """Mean, median and share under the threshold, as a line or two."""
    if result.mean is None or result.median is None or result.share_below is None:
        return _("No slice has a score.")
    lines = [
        _("Mean {mean} ({word}), median {median}; 0 is bad, 4 is excellent.").format(
            mean=f"{result.mean:.2f}", word=word_of(result.mean), median=f"{result.median:.2f}"
        ),
        _("{below} of {count} slices ({share}) score under {threshold}.").format(
            below=round(result.share_below * len(result.assessed)),
            count=len(result.assessed),
            share=f"{result.share_below:.0%}",
            threshold=f"{result.threshold:g}",
        ),
    ]
    if result.partial and result.stopped:
        lines.append(_("Partial result: {reason}").format(reason=result.stopped))
    elif result.partial:
        lines.append(_("Partial result."))
    return "\n".join(lines)


def slice_line(row: SliceResult) -> str:
    """A slice in the list of the worst."""
    return _("Slice {index}: {score} {word} (S {position} mm)").format(
        index=row.index,
        score=f"{row.score:.2f}" if row.score is not None else "-",
        word=row.word,
        position=f"{row.position_mm:.0f}",
    )


def legend(volume: vtkMRMLScalarVolumeNode | None) -> str:
    """The colours of an overlay as rich text; empty for none."""
    if volume is None:
        return ""
    table = volume.GetDisplayNode().GetColorNode()
    last = table.GetNumberOfColors() - 1
    if last < _SQUARES:  # the words are the colours' names
        names = [table.GetColorName(at).replace(" ", "&nbsp;") for at in range(last + 1)]
        # A line may break between two colours, not within a name.
        return "&nbsp; ".join(f"{_square(table, at)}&nbsp;{n}" for at, n in enumerate(names))
    squares = "".join(_square(table, round(at * last / _SQUARES)) for at in range(_SQUARES + 1))
    low, high = activations_of(volume) or volume.GetImageData().GetScalarRange()
    return _("activation {low} {colours} {high}").format(
        low=f"{low:.3g}", colours=squares, high=f"{high:.3g}"
    )


def _square(table: vtkMRMLColorTableNode, at: int) -> str:
    shade = [0.0] * 4
    table.GetColor(at, shade)
    red, green, blue = (round(255 * part) for part in shade[:3])
    return f'<span style="color:#{red:02x}{green:02x}{blue:02x}">\u25a0</span>'


def time_left(seconds: float | None) -> str:
    """How long it will take, no more exact than it is known; empty where it is not."""
    if seconds is None:
        return ""
    if seconds < _MINUTE:
        return _("about {count} s left").format(count=max(5, round(seconds / 5) * 5))
    return _("about {count} min left").format(count=round(seconds / _MINUTE))


def progress(done: int, total: int, seconds_left: float | None) -> str:
    """What is done and how long the rest will take."""
    if not total:
        return _("Reading the images...")
    text = _("{done} of {total} slices").format(done=done, total=total)
    left = time_left(seconds_left) if done < total else _("writing the report")
    return ", ".join(filter(None, (text, left)))


def status(run: AssessmentRun) -> str:
    """Where a run is, or how it ended."""
    if run.cancelling:
        return run.message or _("Stopping after these slices...")
    if run.running:
        lines = (progress(run.done, run.total, run.seconds_left), run.device)
        return "\n".join(filter(None, lines))
    if run.state.value == "complete":
        return _("Done: {done} slices. {device}").format(done=run.done, device=run.device)
    if run.state.value == "cancelled":
        text = _("Cancelled; {done} finished slices are kept.").format(done=run.done)
    else:
        text = _("The assessment failed; {done} finished slices are kept.").format(done=run.done)
    return "\n".join(filter(None, (text, run.message)))
