"""The second half of Table 1 in RESULTS.md: LDCTIQAC2023."""

from __future__ import annotations

from collections.abc import Mapping

from training.tables.cells import DASH, interval_cell, number_cell, paper_cell
from training.tables.measuring import POOLED
from training.tables.records import Record
from training.tables.registry import Competitor, read_registry
from training.tables.sources import Sources

_FIGURES = ("srocc", "plcc_fitted", "plcc", "krocc", "rmse_fitted")


def ldct_section(known: Mapping[tuple[str, str], Record], sources: Sources) -> list[str]:
    """The section's lines of Markdown.

    Args:
        known: All records by table and row.
        sources: Numbers the runs.
    """
    return [
        "## Table 1: LDCTIQAC2023",
        "",
        "| entry | paper SROCC / PLCC | SROCC here | fitted PLCC | PLCC | KROCC | fitted RMSE "
        "| run |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(row, known.get(("table1", row.name)), sources) for row in read_registry().ldct),
    ]


def _row(row: Competitor, record: Record | None, sources: Sources) -> str:
    cells = [row.title, paper_cell(row.paper)]
    if record is None or not record.measured:
        told = record.reason if record else row.options.get("reason", "published figures, not run")
        cells += [told, *[DASH] * len(_FIGURES)]
    else:
        pooled = record.results[POOLED]
        intervals = record.results.get("intervals", {}).get("image", {})
        cells += [number_cell(pooled, name) + interval_cell(intervals, name) for name in _FIGURES]
        cells.append(sources.cite(record))
    return f"| {' | '.join(cells)} |"
