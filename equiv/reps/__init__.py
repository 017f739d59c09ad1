"""Representations: how a group acts on vectors, and the linear maps which respect it."""

from equiv.reps import intertwiners, irreps
from equiv.reps.base import (
    Rep,
    algebra,
    character,
    empty,
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
from equiv.reps.induced import frobenius_number, induce, induced_truncated

__all__ = [
    "Rep",
    "algebra",
    "character",
    "empty",
    "frobenius_number",
    "generators",
    "induce",
    "induced_truncated",
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
