"""Cells of the tables in RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.tables.registry import Published

DASH = "-"


def paper_cell(paper: Published | None) -> str:
    """The paper's SROCC and PLCC."""
    return f"{paper.srocc:.4f} / {paper.plcc:.4f}" if paper else DASH


def number_cell(row: Mapping[str, Any], name: str) -> str:
    """A figure by its name."""
    return f"{row[name]:.3f}" if name in row else DASH


def interval_cell(row: Mapping[str, Any], name: str) -> str:
    """A figure's interval with a space before it; empty where there is none."""
    if name not in row:
        return ""
    return f" [{row[name]['low']:.3f}, {row[name]['high']:.3f}]"
