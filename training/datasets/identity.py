"""Tells one set of labelled pictures from another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import astuple

from training.datasets.labelled import LabelledImage


def digest_of(images: Iterable[LabelledImage]) -> str:
    """SHA-256 of the pictures' names, patients, slices, distortions and scores, in their order.

    The order counts, since features are stored and pictures drawn in it. Where the set lies and
    what is in the files does not.
    """
    lines = []
    for image in images:
        done = None if image.distortion is None else astuple(image.distortion)
        lines.append([image.path.name, image.patient, image.slice, done, image.score])
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()
