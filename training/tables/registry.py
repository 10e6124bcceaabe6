"""The rows of Table 1: the methods, the paper's figures, and what each needs to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

REGISTRY = Path(__file__).with_name("registry.yaml")


@dataclass(frozen=True)
class Published:
    """The paper's figures for a row."""

    srocc: float
    plcc: float


@dataclass(frozen=True)
class Competitor:
    """A row.

    Attributes:
        name: For the command line and file names.
        title: In the table.
        paper: The paper's figures; None for rows that it does not have.
        method: A key of :data:`training.tables.methods.METHODS`.
        library: What computes it.
        download: What it fetches from the internet; empty for nothing.
        note: What a reader must know to read its figures.
        options: For the method.
    """

    name: str
    title: str
    method: str
    paper: Published | None = None
    library: str = ""
    download: str = ""
    note: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Registry:
    """Both halves of Table 1.

    Attributes:
        petct: Rows on PET-CT-IQA-DS.
        ldct: Rows on LDCTIQAC2023.
    """

    petct: tuple[Competitor, ...]
    ldct: tuple[Competitor, ...]


@cache
def read_registry(path: Path = REGISTRY) -> Registry:
    """Read the registry file."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Registry(
        *(tuple(_competitor(row) for row in values[half]) for half in ("petct", "ldct"))
    )


def _competitor(row: Mapping[str, Any]) -> Competitor:
    paper = row.get("paper")
    return Competitor(**{**row, "paper": Published(**paper) if paper else None})
