"""What the corner of a slice view says of the slice it shows."""

from __future__ import annotations

from MSIQALib.report.wording import number, reason_words
from MSIQALib.scene.position import row_of
from MSIQALib.scene.study_nodes import StudyNodes


def annotation_text(nodes: StudyNodes, index: int | None) -> str:
    """The slice's score and word: "Slice 12: 1.43 poor".

    Args:
        nodes: A study, finished or not.
        index: A slice, as :func:`~MSIQALib.scene.position.slice_at` gives it.

    Returns:
        Also "Slice 13: not assessed: outside the PET", or "Slice 14: no score yet"; empty for None.
    """
    if index is None:
        return ""
    row = row_of(nodes, index)
    if row is None:
        return f"Slice {index}: no score yet"
    if row.score is None:
        return f"Slice {index}: {reason_words(row.state)}"
    return f"Slice {index}: {number(row.score)} {row.word}"
