"""Records of runs: small JSON files, written by the commands, that RESULTS.md is made of."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from training.git import ROOT, UNKNOWN, git

logger = logging.getLogger(__name__)

RECORDS = Path(__file__).resolve().parents[1] / "results"
FORMAT = 1


@dataclass(frozen=True)
class Data:
    """What was measured on.

    Attributes:
        name: In words.
        images: How many pictures or studies.
        digest: First digits of the SHA-256 of its list of scores or files; empty where there is
            none.
    """

    name: str
    images: int
    digest: str = ""


@dataclass(frozen=True)
class Origin:
    """How the run was trained whose weights or logs a record tells of.

    Attributes:
        command: That trained it.
        commits: Of the code at each of its starts, each commit once; "+changes" where it differed.
        seed: Of everything random in it.
        data: What it learnt from, in words.
    """

    command: str
    commits: tuple[str, ...] = ()
    seed: int | None = None
    data: str = ""


@dataclass(frozen=True)
class Record:
    """One run, or one row that could not run.

    Attributes:
        table: Which section it belongs to: "table1", "table2", "learning-curve", "monotonicity".
        row: Which row of it.
        command: What was typed.
        reason: Why there are no results; empty where there are.
        data: What was measured on.
        split: How training and test pictures were told apart.
        seed: Of everything random.
        commit: The code that ran; "+changes" where a module of it was not committed.
        made: Day, UTC.
        seconds: What it took.
        versions: Packages.
        note: What a reader must know to read the figures.
        results: The figures.
        quoted: Whether the figures are what a weights file tells of itself, not measured now.
        origin: The training run that is told of; None for records without one.
    """

    table: str
    row: str
    command: str
    reason: str = ""
    data: Data | None = None
    split: str = ""
    seed: int | None = None
    commit: str = ""
    made: str = ""
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    results: Mapping[str, Any] = field(default_factory=dict)
    quoted: bool = False
    origin: Origin | None = None

    @property
    def measured(self) -> bool:
        """Whether there are figures."""
        return not self.reason

    @property
    def standing(self) -> int:
        """What it is worth beside another of its row: 0 no figures, 1 quoted ones, 2 measured."""
        return 0 if not self.measured else 1 if self.quoted else 2

    @property
    def file_name(self) -> str:
        """Of the record's file."""
        return f"{self.table}-{self.row}.json"

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values."""
        return {"format": FORMAT} | dataclasses.asdict(self)


def write_record(record: Record, folder: Path = RECORDS) -> Path:
    """Write a record in the place of an older one of the same row.

    An older one that is worth more stays: a computer that lacks a library or a run must not take
    away the figures that another one has measured.

    Returns:
        The row's file.
    """
    path = folder / record.file_name
    older = _older(path)
    if older is not None and older.standing > record.standing:
        logger.warning("kept %s, measured at commit %s", path.name, older.commit or UNKNOWN)
        return path
    with atomic_path(path) as part:
        text = json.dumps(record.to_dict(), indent=1, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")
    return path


def read_records(folder: Path = RECORDS) -> tuple[Record, ...]:
    """Read all records of a folder, by file name.

    Raises:
        InputError: A file is no record.
    """
    return tuple(read_record(path) for path in sorted(folder.glob("*.json")))


def _older(path: Path) -> Record | None:
    """The record that a file holds; None where there is none that can be read."""
    try:
        return read_record(path) if path.is_file() else None
    except InputError:
        return None


def read_record(path: Path) -> Record:
    """Read one record.

    Raises:
        InputError: The file is no record.
    """
    remedy = "Remove it and run the command that made it again"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("format") != FORMAT:
            raise InputError(path, "another version of this program wrote it", remedy)
        if values["data"]:
            values["data"] = Data(**values["data"])
        if origin := values.get("origin"):
            values["origin"] = Origin(**{**origin, "commits": tuple(origin["commits"])})
        record = Record(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(path, "it is not the record of a run", remedy) from error
    if record.file_name != path.name:
        raise InputError(path, f"its content belongs into {record.file_name}", remedy)
    return record


def command_line(module: str, arguments: Iterable[str] | None = None) -> str:
    """The command as a reader would type it again.

    Args:
        module: What follows `python -m`.
        arguments: What follows that; by default this process's.
    """
    given = sys.argv[1:] if arguments is None else arguments
    return shlex.join(["python", "-m", module, *given])


def today() -> str:
    """The day in UTC, as ISO 8601 has it."""
    return datetime.now(timezone.utc).date().isoformat()


def code_version() -> str:
    """The commit, and whether one of the project's modules that are loaded differs from it."""
    commit = git("rev-parse", "--short=9", "HEAD")
    if not commit:
        return UNKNOWN
    loaded = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    own = [file for file in loaded if file and Path(file).is_relative_to(ROOT / "training")]
    own += [file for file in loaded if file and Path(file).is_relative_to(ROOT / "MSIQALib")]
    changed = git("status", "--porcelain", "--", *own) if own else ""
    return commit + ("+changes" if changed else "")


def digest(lines: Iterable[str]) -> str:
    """First twelve digits of the SHA-256 of some lines."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
