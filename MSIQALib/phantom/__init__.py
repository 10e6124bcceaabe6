"""A PET/CT study that belongs to nobody: a torso computed from a seed.

It lets the whole pipeline run, and be tested, without a download and without patient data. Its
slices look like real ones to a person; they are no substitute for them when a network is judged.
"""

from MSIQALib.phantom.anatomy import Lesion
from MSIQALib.phantom.recipe import DEFAULT_RECIPE, Degradation
from MSIQALib.phantom.study import Phantom, PhantomImages, build_phantom, make_phantom

__all__ = [
    "DEFAULT_RECIPE",
    "Degradation",
    "Lesion",
    "Phantom",
    "PhantomImages",
    "build_phantom",
    "make_phantom",
]
