"""`python -m fake_engine` speaks as `python -m MSIQALib.process` does, and scores nothing.

It reads the CT, gives the first half of its slices a score each, and then waits: for a cancel, or
for a file "go" in the output folder. It says in "seen.json" what it was given.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from pathlib import Path

import SimpleITK as sitk

SCORE = 1.25


def say(event, **values):
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def progress(rows, done, total):
    say("progress", done=done, total=total, seconds=1.0, seconds_left=60.0, rows=rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    for name in ("--ct", "--pet", "--output"):
        parser.add_argument(name, type=Path)
    arguments, _others = parser.parse_known_args()
    ct = sitk.ReadImage(str(arguments.ct))
    pet = sitk.GetArrayFromImage(sitk.ReadImage(str(arguments.pet)))
    seen = {"pet maximum": float(pet.max()), "arguments": sys.argv[1:]}
    (arguments.output / "seen.json").write_text(json.dumps(seen), "utf-8")
    up = ct.GetDirection()[8] * ct.GetSpacing()[2]
    first, total = ct.GetOrigin()[2], ct.GetSize()[2]
    if up < 0:
        first, up = first + (total - 1) * up, -up
    rows = [
        {"slice": k, "position_mm": first + k * up, "state": "assessed", "score": SCORE}
        | {"S": 2.5, "W": 0.5}
        for k in range(total)
    ]
    say("start", total=total, device="cpu", reason="No network at all", weights="", warnings=[])
    half = total // 2
    progress(rows[:half], half, total)
    asked = threading.Event()

    def listen():
        for line in sys.stdin:
            if line == "cancel\n":
                asked.set()

    threading.Thread(target=listen, daemon=True).start()
    while not asked.is_set() and not (arguments.output / "go").exists():
        time.sleep(0.02)
    status = "cancelled" if asked.is_set() else "complete"
    if status == "complete":
        progress(rows[half:], total, total)
    stopped = "stopped by the user" if asked.is_set() else None
    say("end", status=status, files=[], summary={"warnings": ["Not real."], "stopped": stopped})


if __name__ == "__main__":
    main()
