"""Representations: how a group acts on vectors, and the linear maps which respect it."""

from equiv.reps import intertwiners, irreps
from equiv.reps.base import (
    Rep,
    algebra,
    character,
    generators,
    permutation,
    pixels,
    regular,
    representation,
    restrict,
    scalar,
    spread,
    standard,
    tensor,
)
from equiv.reps.induced import induce

__all__ = [
    "Rep",
    "algebra",
    "character",
    "generators",
    "induce",
    "intertwiners",
    "irreps",
    "permutation",
    "pixels",
    "regular",
    "representation",
    "restrict",
    "scalar",
    "spread",
    "standard",
    "tensor",
]
