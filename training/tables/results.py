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
from typing import Any

from MSIQALib.atomic import atomic_path
from training.tables.course_record import course_section
from training.tables.measuring import MEAN, POOLED
from training.tables.record import CURVE
from training.tables.records import RECORDS, Record, read_records
from training.tables.registry import Published, read_registry
from training.tables.sources import Sources

logger = logging.getLogger(__name__)

RESULTS = RECORDS.parent / "RESULTS.md"
NO_RECORD = "no record"
DASH = "-"

HEAD = """# Results

Made by `python -m training.tables.results` of the records in `training/results`; a test compares
the two. Do not edit by hand: run a command again, then that one. Each number's run is under
*Runs* by the number in square brackets: command, data, seed, commit.

*Paper* is Tables 1 and 2 of the MS-IQA paper: 540 pictures of 4 patients, after training on 16
others. *Here* is 405 pictures of three of those four patients, as each row's run says, each
patient measured by what has learnt from the two others. **The two columns are not the same
experiment**: other training data, and mostly no ImageNet weights.

- Correlations are over all pictures together; larger scores mean better pictures, so that plus
  means agreement. *Mean of folds* is the mean of the patients' own figures.
- *PLCC* is of the scores as they are; *fitted* PLCC and RMSE come after the four-parameter logistic
  curve of VQEG. The curve may fall: a method that is wrong way round has a negative SROCC and still
  a positive fitted PLCC.
- Brackets hold 95 % intervals (percentile bootstrap), drawing pictures. Those are too narrow for
  new patients, since 27 pictures share a slice; *by slice* draws the 15 slices, *by patient* the
  three patients, which is coarse.
"""


def render(records: Sequence[Record]) -> str:
    """The whole file as Markdown."""
    sources = Sources()
    known = {(record.table, record.row): record for record in records}
    parts = [
        HEAD,
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
    lines += ["", "## Table 1: LDCTIQAC2023", ""]
    lines += ["| entry | paper SROCC / PLCC | here |", "|---|---|---|"]
    lines += [
        f"| {row.title} | {_paper(row.paper)} | published figures, not run |"
        for row in registry.ldct
    ]
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
        return f"| {title} | {_paper(paper)} | {what} |" + f" {DASH} |" * 6
    pooled = record.results[POOLED]
    by_image = record.results.get("intervals", {}).get("image", {})
    mean = record.results.get(MEAN) or _mean(record.results.get("folds", {}))
    cells = [
        title,
        _paper(paper),
        _number(pooled, "srocc") + _brackets(by_image, "srocc"),
        _number(pooled, "plcc_fitted") + _brackets(by_image, "plcc_fitted"),
        _number(pooled, "plcc"),
        _number(pooled, "krocc"),
        _number(pooled, "rmse_fitted"),
        f"{_number(mean, 'srocc')} / {_number(mean, 'plcc')}",
        sources.cite(record),
    ]
    return "| " + " | ".join(cells) + " |"


def _interval_row(title: str, record: Record) -> list[str]:
    intervals = record.results.get("intervals", {})
    units = [intervals[unit] for unit in ("slice", "patient") if unit in intervals]
    if len(units) < 2:
        return []
    cells = [_brackets(unit, name) for name in ("srocc", "plcc_fitted") for unit in units]
    return [f"| {title} | " + " | ".join(cell.strip() for cell in cells) + " |"]


def _block(title: str, head: Sequence[str], rows: Sequence[str]) -> list[str]:
    return ["", title, "", *head, *rows] if rows else []


def _paper(paper: Published | None) -> str:
    return f"{paper.srocc:.4f} / {paper.plcc:.4f}" if paper else DASH


def _number(row: Mapping[str, Any], name: str) -> str:
    return f"{row[name]:.3f}" if name in row else DASH


def _brackets(row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        return ""
    return f" [{row[name]['low']:.3f}, {row[name]['high']:.3f}]"


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
    main()
