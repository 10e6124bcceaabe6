"""summary.json: the study's numbers and all that is needed to repeat them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from MSIQALib.assessment.result import StudyResult
from MSIQALib.atomic import atomic_path
from MSIQALib.report.wording import DISCLAIMER

FORMAT = "msiqa-summary"
FORMAT_VERSION = 1
"""Goes up when a reader of the old file would misread the new one."""


def write_summary_json(path: Path, result: StudyResult) -> None:
    """Write :meth:`StudyResult.summary` as JSON (RFC 8259, UTF-8), with format and disclaimer.

    Values that JSON has no word for become null (numbers that are not finite) or text.

    Raises:
        OutputError: The file cannot be written.
    """
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "disclaimer": DISCLAIMER,
        **result.summary(),
    }
    text = json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_path(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def plain(value: Any) -> Any:
    """The same value in JSON's own types."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    return str(value)
