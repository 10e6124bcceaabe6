"""Builds a set like PET-CT-IQA-DS from DICOM, patient by patient.

The output folder grows by whole patients: the images first, then `patients/P001.json`, which lists
them with checksums. A start that was interrupted finds the finished patients by these lists and
makes the others; since every draw depends on the seed and on what is drawn, and on nothing that
was drawn before, the result is the same byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from MSIQALib.imaging.fusion import FusionOptions
from MSIQALib.imaging.orientation import to_axial
from MSIQALib.imaging.slices import FusedStudy, fuse_study
from MSIQALib.version import __version__
from training.datasets.anatomy import Level, choose_levels
from training.datasets.dicom_pairs import (
    PatientFolders,
    find_pairs,
    find_patients,
    fingerprint,
    stack_order,
)
from training.datasets.manifest import (
    IMAGES,
    ManifestRow,
    assign,
    sha256_of,
    split_patients,
    write_manifest,
)
from training.distortions import COMBINATIONS, LAMBDAS, QUALITIES, SIGMAS, distort_to_jpeg

logger = logging.getLogger(__name__)

FORMAT = 1
SUMMARY = "manifest.json"
_BEGUN = "build.json"
_PATIENTS = "patients"
_MOST_PAIRS = 3
"""How many of a patient's pairs are tried."""

_DRAW = 0x4453


@dataclass(frozen=True)
class BuildOptions:
    """What is built.

    Attributes:
        source: Folder of DICOM.
        output: Folder of the set.
        seed: Of everything random; another seed, other patients, noise, names and split.
        patients: How many are wanted.
        fusion: How slices are fused.
    """

    source: Path
    output: Path
    seed: int
    patients: int = 20
    fusion: FusionOptions = field(default_factory=FusionOptions)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"the seed must not be negative, but is {self.seed}")
        if self.patients < 2:
            raise ValueError(f"a split by patient needs two patients, not {self.patients}")


@dataclass(frozen=True)
class BuiltSet:
    """What came out.

    Attributes:
        rows: The images.
        skipped: Pseudonyms of patients that were passed over, with the reason.
    """

    rows: tuple[ManifestRow, ...]
    skipped: dict[str, str]


def build(options: BuildOptions, progress: Callable[[str], None] = logger.info) -> BuiltSet:
    """Build a set, or go on with one that was begun.

    Args:
        options: What is built.
        progress: Told what happens, one line a patient; no line identifies one.

    Raises:
        InputError: The source has no patients, fewer than two of them can be used, the same
            patient is there under two IDs, or the output folder holds something else.
        OutputError: The output cannot be written.
    """
    candidates = stack_order(options.seed, find_patients(options.source))
    _begin(options, candidates)
    finished: dict[str, dict[str, Any]] = {}
    skipped: dict[str, str] = {}
    for number, candidate in enumerate(candidates, 1):
        if len(finished) == options.patients:
            break
        name = f"P{number:03d}"
        done = _finished(options, name)
        if done is None:
            try:
                done = _build_patient(options, candidate, number, name)
            except InputError as error:
                skipped[name] = error.cause
                progress(f"{name}: skipped, {error.cause}")
                continue
        finished[name] = done
        progress(f"{name}: {len(done['images'])} images ({len(finished)} of {options.patients})")
    if len(finished) < 2:
        reasons = "; ".join(sorted(set(skipped.values()))) or "there is only one"
        raise InputError(
            options.source,
            f"{len(finished)} of {len(candidates)} patients can be used, too few to split by "
            f"patient ({reasons})",
            "Give more PET/CT examinations",
        )
    return _finish(options, finished, skipped, progress)


def _begin(options: BuildOptions, candidates: tuple[PatientFolders, ...]) -> None:
    """Write down what is built, or check that it is what was begun."""
    record = {
        "format": FORMAT,
        "seed": options.seed,
        "patients": options.patients,
        "source": fingerprint(options.seed, candidates),
        "fusion": options.fusion.to_dict(),
        "recipe": {"lambda": LAMBDAS, "sigma": SIGMAS, "quality": QUALITIES},
        "software": {"msiqa": __version__, "opencv": cv2.__version__, "numpy": np.__version__},
    }
    record = json.loads(json.dumps(record))
    path = options.output / _BEGUN
    if path.is_file():
        begun = json.loads(path.read_text(encoding="utf-8"))
        other = sorted(key for key in {*record, *begun} if record.get(key) != begun.get(key))
        if other:
            raise InputError(
                options.output,
                f"a set with another {', another '.join(other)} was begun in it",
                "Choose another folder, or begin anew in an empty one",
            )
    elif options.output.is_dir() and any(options.output.iterdir()):
        raise InputError(
            options.output, "the folder holds something else", "Choose a new or empty folder"
        )
    else:
        _write_json(path, record)
    # What a kill left of files that were being written.
    for part in options.output.rglob(".part-*"):
        part.unlink()


def _finished(options: BuildOptions, name: str) -> dict[str, Any] | None:
    """What an earlier start has made of a patient, if it is all there and unharmed."""
    path = options.output / _PATIENTS / f"{name}.json"
    if not path.is_file():
        return None
    done = json.loads(path.read_text(encoding="utf-8"))
    for image in done["images"]:
        file = options.output / IMAGES / image["file"]
        if not file.is_file() or sha256_of(file) != image["sha256"]:
            return None
    return done


def _build_patient(
    options: BuildOptions, candidate: PatientFolders, number: int, name: str
) -> dict[str, Any]:
    study, levels = _study(options, candidate)
    images = []
    for s, level in enumerate(levels, 1):
        rgb = study[level.index].rgb
        assert rgb is not None  # only assessable slices are chosen
        for c, done in enumerate(COMBINATIONS):
            rng = np.random.default_rng([options.seed, _DRAW, number, s, c])
            file = _blind_name(options.seed, name, s, c)
            path = options.output / IMAGES / file
            with atomic_path(path) as part:
                part.write_bytes(distort_to_jpeg(rgb, done, rng))
            images.append(
                {
                    "file": file,
                    "slice": s,
                    "level": level.name,
                    "poisson_lambda": done.lam,
                    "gaussian_sigma": done.sigma,
                    "jpeg_quality": done.quality,
                    "sha256": sha256_of(path),
                }
            )
    slices = [
        {"slice": s, **asdict(level), "position_mm": round(study.position_mm(level.index), 2)}
        for s, level in enumerate(levels, 1)
    ]
    record = {"slices": slices, "warnings": list(study.warnings), "images": images}
    _write_json(options.output / _PATIENTS / f"{name}.json", record)
    return json.loads(json.dumps(record))


def _study(
    options: BuildOptions, candidate: PatientFolders
) -> tuple[FusedStudy, tuple[Level, ...]]:
    """The first pair of a patient that can be used; the first pair's reason where none can."""
    first: InputError | None = None
    for pair in find_pairs(candidate)[:_MOST_PAIRS]:
        try:
            ct, pet = pair.read()
            study = fuse_study(ct, pet, options.fusion)
        except InputError as error:
            first = first or error
            continue
        usable = study.assessable
        levels = choose_levels(to_axial(ct).array, study.geometry, usable)
        if levels:
            return study, levels
        first = first or InputError(
            options.source, "fewer than five slices have CT, PET and a body", "Give longer series"
        )
    assert first is not None  # find_pairs gives one pair at least
    raise first


def _finish(
    options: BuildOptions,
    finished: dict[str, dict[str, Any]],
    skipped: dict[str, str],
    progress: Callable[[str], None],
) -> BuiltSet:
    """Split by patient and write the lists."""
    rows = [
        ManifestRow(patient=name, split="", **image)
        for name, done in sorted(finished.items())
        for image in done["images"]
    ]
    if len({row.file for row in rows}) != len(rows):
        raise InputError(options.output, "two images got one name", "Choose another seed")
    sides = split_patients(tuple(finished), options.seed)
    try:
        assigned = assign(rows, sides)
    except ValueError as error:
        raise InputError(
            options.source, f"the split is not by patient: {error}", "Remove the second copy"
        ) from error
    write_manifest(options.output, assigned)
    # Images of a patient who could be used at an earlier start and no longer can.
    for stray in {path.name for path in (options.output / IMAGES).iterdir()} - {
        row.file for row in rows
    }:
        (options.output / IMAGES / stray).unlink()
    summary = {
        "format": FORMAT,
        "seed": options.seed,
        "wanted": options.patients,
        "images": len(assigned),
        "test_patients": sorted(p for p, side in sides.items() if side == "test"),
        "patients": {
            name: {"split": sides[name], "slices": done["slices"], "warnings": done["warnings"]}
            for name, done in sorted(finished.items())
        },
        "skipped": [{"patient": name, "reason": skipped[name]} for name in sorted(skipped)],
    }
    _write_json(options.output / SUMMARY, summary)
    if len(finished) < options.patients:
        progress(f"only {len(finished)} patients of the {options.patients} wanted can be used")
    return BuiltSet(assigned, skipped)


def _blind_name(seed: int, patient: str, number: int, combination: int) -> str:
    """A file name that does not say what the image is, and that sorts at random."""
    text = f"{seed}/{patient}/{number}/{combination}"
    return f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.jpg"


def _write_json(path: Path, record: dict[str, Any]) -> None:
    with atomic_path(path) as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
