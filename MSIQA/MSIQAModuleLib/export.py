"""Results as files of the user's: the report and the table."""

from __future__ import annotations

import shutil
from pathlib import Path

from MSIQALib.scene.study import StudyNodes, result_of


def export_table(nodes: StudyNodes, path: Path) -> None:
    """Write the rows as comma-separated values.

    Raises:
        OutputError: The file cannot be written.
    """
    from MSIQALib.report.table import write_scores_csv

    write_scores_csv(path, result_of(nodes))


def export_report(nodes: StudyNodes, path: Path, with_pictures: Path | None) -> None:
    """Write the report.

    Args:
        nodes: The study.
        path: The file to write.
        with_pictures: The report that the assessment left; None writes one without pictures, as
            for a study from a saved scene.

    Raises:
        OutputError: The file cannot be written.
        ImportError: A package that draws the report is not installed.
    """
    if with_pictures is None:
        from MSIQALib.report.html import write_report
        from MSIQALib.report.pictures import ReportPictures

        write_report(path, result_of(nodes), ReportPictures())
        return
    from MSIQALib.atomic import atomic_path

    with atomic_path(path) as part:
        shutil.copyfile(with_pictures, part)
