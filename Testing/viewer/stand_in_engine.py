"""Says what `msiqa assess --progress json` says, in no time and without a network.

    python stand_in_engine.py OUTPUT SLICES FIRST_MM STEP_MM [MAPS...]

It waits after each half for a line on standard input, "cancel" or any other; "crash" ends it.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path


def say(event: str, **values: object) -> None:
    print(json.dumps({"event": event, **values}), flush=True)  # noqa: T201


def main() -> None:
    output, slices = Path(sys.argv[1]), int(sys.argv[2])
    first, step = map(float, sys.argv[3:5])
    say("start", total=slices, device="cpu", reason="A stand-in", weights="none", warnings=["Hm."])
    half = slices // 2
    for begin, end in ((0, half), (half, slices)):
        rows = [
            {"slice": k, "position_mm": first + k * step, "state": "assessed",
             "score": 4.0 * k / slices, "word": "", "S": 1.0, "W": 0.5}
            for k in range(begin, end)
        ]  # fmt: skip
        say("progress", done=end, total=slices, seconds_left=1.0, rows=rows)
        order = sys.stdin.readline().strip() if end < slices else ""
        if order == "crash":
            sys.exit(3)
        if order == "cancel":
            break
    for name in ("report.html", "scores.csv"):
        (output / name).write_text(name)
    for path in map(Path, sys.argv[5:]):
        shutil.copy(path, output)
    status = "cancelled" if order == "cancel" else "complete"
    stopped = "Cancelled" if order == "cancel" else None
    say("end", status=status, files=[], summary={"warnings": ["Hm."], "stopped": stopped})


if __name__ == "__main__":
    main()
