"""Representations: how a group acts on vectors, and the linear maps which respect it."""

from equiv.reps import intertwiners
from equiv.reps.base import (
    Rep,
    algebra,
    character,
    permutation,
    pixels,
    regular,
    representation,
    restrict,
    scalar,
    standard,
)

__all__ = [
    "Rep",
    "algebra",
    "character",
    "intertwiners",
    "permutation",
    "pixels",
    "regular",
    "representation",
    "restrict",
    "scalar",
    "standard",
]
