"""Makes training/RESULTS.md of the records, and of nothing else.

python -m training.tables.results            # writes it
python -m training.tables.results --check    # fails where it is not what the records give
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from MSIQALib.atomic import atomic_path
from training.command import run_command
from training.tables.cells import DASH, interval_cell, number_cell, paper_cell
from training.tables.course_record import course_section
from training.tables.ldct_section import ldct_section
from training.tables.measuring import MEAN, POOLED
from training.tables.record import CURVE
from training.tables.records import RECORDS, Record, read_records
from training.tables.registry import Published, read_registry
from training.tables.results_head import results_head
from training.tables.sources import Sources

logger = logging.getLogger(__name__)

RESULTS = RECORDS.parent / "RESULTS.md"
NO_RECORD = "no record"


def render(records: Sequence[Record]) -> str:
    """The whole file as Markdown."""
    sources = Sources()
    known = {(record.table, record.row): record for record in records}
    parts = [
        results_head(records),
        _table1(known, sources),
        _table2(known, sources),
        _curves(records, sources),
        _monotonicity(records, sources),
        sources.markdown(),
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def _table1(known: Mapping[tuple[str, str], Record], sources: Sources) -> str:
    registry = read_registry()
    lines = ["## Table 1: methods on PET-CT-IQA-DS", "", *_figures_head("method")]
    reasons, notes, intervals = [], [], []
    for row in registry.petct:
        record = known.get(("table1", row.name))
        lines.append(figures_row(row.title, row.paper, record, sources))
        if record is None:
            reasons.append(f"- {row.title}: {NO_RECORD}.")
        elif not record.measured:
            reasons.append(f"- {row.title}: {record.reason}.")
        else:
            notes += [f"- {row.title}: {record.note}"] if record.note else []
            intervals += _interval_row(row.title, record)
    lines += _block("Intervals by slice and by patient:", _INTERVAL_HEAD, intervals)
    lines += _block("How to read the rows:", [], notes)
    lines += _block("Not run here, and why:", [], reasons)
    lines += ["", *ldct_section(known, sources)]
    return "\n".join(lines)


def _table2(known: Mapping[tuple[str, str], Record], sources: Sources) -> str:
    # Reading the ablations' files needs the network's options and with them PyTorch's loop.
    from training.tables.table2 import FULL, read_ablations

    lines = ["## Table 2: ablations", ""]
    ablations = {row.name: row for row in read_ablations()}
    halves = {
        "modules": [name for name in ablations if name.startswith("modules")],
        "stages": [FULL, *sorted((n for n in ablations if n.startswith("stages")), reverse=True)],
    }
    reasons = {}
    for half, names in halves.items():
        lines += _figures_head(half)
        for name in names:
            row, record = ablations[name], known.get(("table2", name))
            lines.append(figures_row(row.title, row.paper, record, sources))
            if record is None:
                reasons[name] = f"{NO_RECORD}: `python -m training.tables.table2 --only {name}`"
            elif not record.measured:
                reasons[name] = record.reason
        lines.append("")
    rows = [f"- {ablations[name].title}: {reason}." for name, reason in reasons.items()]
    return "\n".join(lines + _block("Not run here; in full this takes a GPU:", [], rows))


def _curves(records: Iterable[Record], sources: Sources) -> str:
    lines = ["## Learning curves", ""]
    own = [record for record in records if record.table == CURVE]
    for record in own:
        results = record.results
        lines += [f"Losses of {results['title']} {sources.cite(record)}, means over stretches:", ""]
        lines += ["| part | loss until step |", "|---|---|"]
        for part, points in results["parts"].items():
            steps = ", ".join(f"{point['loss']:.3f} until {point['step']}" for point in points)
            lines.append(f"| {part} | {steps} |")
        if "cross_validation" in results:
            lines += ["", "Cross-validation of this run:", ""]
            lines += ["| left out | n | SROCC | PLCC | RMSE |", "|---|---|---|---|---|"]
            lines += [
                f"| {name} | {row['n']} | {row['srocc']:.3f} | {row['plcc']:.3f} "
                f"| {row['rmse']:.3f} |"
                for name, row in results["cross_validation"].items()
            ]
        lines.append("")
    return "\n".join(lines if own else [*lines, f"{NO_RECORD.capitalize()}."])


def _monotonicity(records: Iterable[Record], sources: Sources) -> str:
    lines = ["## Does the score fall when a study gets worse?", ""]
    own = course_section(records, sources)
    return "\n".join([*lines, *(own or [f"{NO_RECORD.capitalize()}."])])


def _figures_head(what: str) -> list[str]:
    return [
        f"| {what} | paper SROCC / PLCC | SROCC here | fitted PLCC | PLCC | KROCC | fitted RMSE "
        "| mean of folds SROCC / PLCC | run |",
        "|---|---|---|---|---|---|---|---|---|",
    ]


_INTERVAL_HEAD = [
    "| method | SROCC by slice | by patient | fitted PLCC by slice | by patient |",
    "|---|---|---|---|---|",
]


def figures_row(
    title: str, paper: Published | None, record: Record | None, sources: Sources
) -> str:
    """A row of Table 1 or 2."""
    if record is None or not record.measured:
        what = NO_RECORD if record is None else "not run"
        return f"| {title} | {paper_cell(paper)} | {what} |" + f" {DASH} |" * 6
    pooled = record.results[POOLED]
    by_image = record.results.get("intervals", {}).get("image", {})
    mean = record.results.get(MEAN) or _mean(record.results.get("folds", {}))
    cells = [
        title,
        paper_cell(paper),
        number_cell(pooled, "srocc") + interval_cell(by_image, "srocc"),
        number_cell(pooled, "plcc_fitted") + interval_cell(by_image, "plcc_fitted"),
        number_cell(pooled, "plcc"),
        number_cell(pooled, "krocc"),
        number_cell(pooled, "rmse_fitted"),
        f"{number_cell(mean, 'srocc')} / {number_cell(mean, 'plcc')}",
        sources.cite(record),
    ]
    return "| " + " | ".join(cells) + " |"


def _interval_row(title: str, record: Record) -> list[str]:
    intervals = record.results.get("intervals", {})
    units = [intervals[unit] for unit in ("slice", "patient") if unit in intervals]
    if len(units) < 2:
        return []
    cells = [interval_cell(unit, name) for name in ("srocc", "plcc_fitted") for unit in units]
    return [f"| {title} | " + " | ".join(cell.strip() for cell in cells) + " |"]


def _block(title: str, head: Sequence[str], rows: Sequence[str]) -> list[str]:
    return ["", title, "", *head, *rows] if rows else []


def _mean(folds: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {
        name: sum(fold[name] for fold in folds.values()) / len(folds)
        for name in ("srocc", "plcc")
        if folds and all(name in fold for fold in folds.values())
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Write or check the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=Path, default=RECORDS)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if it differs")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    text = render(read_records(given.records))
    if given.check:
        same = given.output.is_file() and given.output.read_text(encoding="utf-8") == text
        logger.info("%s is %s", given.output.name, "up to date" if same else "out of date")
        sys.exit(0 if same else 1)
    with atomic_path(given.output) as part:
        part.write_text(text, encoding="utf-8")
    logger.info("wrote %s", given.output)


if __name__ == "__main__":
    run_command(main)
