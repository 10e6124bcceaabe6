"""What some ways of training need of a labelled set, so that a gap is named before the start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from MSIQALib.errors import InputError
from training.datasets.labelled import LabelledImage, mean_scores
from training.distortions import COMBINATIONS

_NAMED = 3


def require_combinations(images: Sequence[LabelledImage]) -> None:
    """Refuse pictures that lack one of the 27 combinations, whose mean scores fresh pictures get.

    Args:
        images: Those of the training patients.

    Raises:
        InputError: A combination is missing; the message names the first ones.
    """
    means = mean_scores(images)
    lacking = [c for c in COMBINATIONS if c not in means]
    if not lacking:
        return
    named = "; ".join(
        f"poisson_lambda {c.lam:g}, gaussian_sigma {c.sigma:g}, jpeg_quality {c.quality}"
        for c in lacking[:_NAMED]
    )
    more = f"; and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    patients = ", ".join(sorted({i.patient for i in images}))
    raise InputError(
        images[0].path.parent if images else "the labelled pictures",
        f"patients {patients} have no picture of each of the {len(COMBINATIONS)} distortions, "
        f"whose mean scores freshly distorted pictures get (missing: {named}{more})",
        "Complete the list of labelled images, or train without fresh pictures "
        "(whole.fresh: 0, fusion.pictures: 0)",
    )


def require_pristine(images: Sequence[LabelledImage]) -> None:
    """Refuse distorted pictures without the pristine one of their slice, of which views are made.

    Pictures whose distortion is not known need none.

    Raises:
        InputError: A pristine picture is missing; the message names patient and slice.
    """
    there = {(i.patient, i.slice) for i in images if i.pristine}
    for image in images:
        if image.distortion is not None and (image.patient, image.slice) not in there:
            raise InputError(
                image.path,
                f"the pristine picture of its slice (patient {image.patient}, slice "
                f"{image.slice}) is not listed, but new views are made of it",
                "List it (poisson_lambda 0, gaussian_sigma 0, jpeg_quality 100), or train without "
                "views (whole.views: false, fusion.labelled_views: 1)",
            )


def require_listed(images: Iterable[LabelledImage]) -> None:
    """Refuse pictures that are distorted in none of the 27 ways, which stored features name.

    Raises:
        InputError: There is such a picture.
    """
    for image in images:
        if image.distortion not in COMBINATIONS:
            raise InputError(
                image.path,
                f"it is distorted in none of the {len(COMBINATIONS)} ways of PET-CT-IQA-DS, or it "
                "is not known how",
                "Correct its row, or train end to end (fusion.pictures: 0)",
            )
