"""The four files that an assessment leaves in its folder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from MSIQALib.assessment.result import StudyResult
from MSIQALib.report.curve import write_quality_curve
from MSIQALib.report.html import write_report
from MSIQALib.report.pictures import ReportPictures
from MSIQALib.report.summary import write_summary_json
from MSIQALib.report.table import write_scores_csv

logger = logging.getLogger(__name__)


class OutputFiles(NamedTuple):
    """Where the outputs lie."""

    scores: Path
    summary: Path
    curve: Path
    report: Path

    @classmethod
    def in_folder(cls, directory: Path) -> OutputFiles:
        """The names that the outputs have in every folder."""
        return cls(
            scores=directory / "scores.csv",
            summary=directory / "summary.json",
            curve=directory / "quality_curve.png",
            report=directory / "report.html",
        )


def write_outputs(
    directory: Path, result: StudyResult, pictures: ReportPictures | None = None
) -> OutputFiles:
    """Write scores.csv, summary.json, quality_curve.png and report.html.

    The numbers come first, so that they are safe before the pictures are drawn. Each file is
    written whole or not at all; files of an earlier run are replaced.

    Args:
        directory: Folder to write to; made where it is missing.
        result: The assessment, complete or partial.
        pictures: Slices and heatmaps for the report; None leaves them out.

    Raises:
        OutputError: A file cannot be written.
    """
    files = OutputFiles.in_folder(directory)
    write_scores_csv(files.scores, result)
    write_summary_json(files.summary, result)
    write_quality_curve(files.curve, result)
    write_report(files.report, result, pictures or ReportPictures())
    logger.info("Wrote %s", directory)
    return files
