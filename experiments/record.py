"""What an experiment is: a config, a grid of points, and a pure function from a point to named arrays.

A *cell* is one point of the Cartesian product of ``axes(config)``. ``run(config, key, point)`` returns the cell's
arrays as an ``xarray.Dataset`` without the axes of the sweep; the engine adds those. A variable that already names an
axis of the sweep depends on that axis alone and is taken as it is. Values are raw, one per trial, never only their
mean.

The key a cell is given depends on the seed, the experiment's name and the cell's point, and on nothing else, so that
no cell depends on which cells ran before and a sweep may grow without changing its old points. Along the axes named
in ``paired`` all cells share one key (common random numbers): competing models then see the same images.
"""

import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import xarray as xr

__all__ = ["Experiment", "Mistake", "Point", "among", "canonical", "positive", "whole"]

Point = dict[str, int | float | str]
"""One value for each axis of the sweep."""


class Mistake(ValueError):
    """Something the user has to change; the text is one sentence which says what to do instead."""


@dataclasses.dataclass(frozen=True, eq=False)
class Experiment:
    """An experiment: what it asks, its settings, and the function that answers one point of it.

    Attributes:
        name: file name of its results, and how it is called on the command line.
        statement: the question in one sentence.
        config: flat frozen dataclass type; every field has a comment with its meaning and unit.
        presets: ``smoke`` (seconds on two cores), ``desk`` (minutes to an hour there; the committed results) and
            ``paper`` (the sizes of the paper, on an accelerator where that takes one).
        axes: ``axes(config) -> {axis: values}``, the sweep; numbers or strings, no value twice.
        run: ``run(config, key, point) -> Dataset``, a pure function.
        claims: names of the claims of ``theory`` that these results bear on.
        cost: seconds of each preset on two CPU cores, compilation included; of a ``paper`` preset that takes a GPU, an
            estimate from the time of a step.
        version: raised whenever ``run`` changes what it returns; part of the identity of a result.
        precision: of every number in ``run``, whatever the caller's settings are.
        tolerance: difference that another device or another version of jax may cause, relative to the largest finite
            entry of the array; on the same device and versions the tolerance is zero.
        paired: axes along which cells share their random key.
        needs: ``needs(config)``, for an experiment on data that somebody has to fetch: one sentence which says what is
            missing and where it is published, or None if all is there. The field is None if nothing has to be fetched.
    """

    name: str
    statement: str
    config: type
    presets: Mapping[str, Any]
    axes: Callable[[Any], Mapping[str, tuple]]
    run: Callable[[Any, jax.Array, Point], xr.Dataset]
    claims: tuple[str, ...]
    cost: Mapping[str, float]
    version: int
    precision: Literal["float32", "float64"]
    tolerance: float
    paired: tuple[str, ...] = ()
    needs: Callable[[Any], str | None] | None = None

    def points(self, config: Any) -> list[Point]:
        """The cells of the sweep, the last axis running fastest."""
        axes = self.axes(config)
        return [dict(zip(axes, values)) for values in itertools.product(*axes.values())]

    def lacks(self, config: Any) -> str | None:
        """What has to be fetched before this can run, in one sentence; None if it can."""
        return self.needs(config) if self.needs else None


def canonical(value: Any) -> str:
    """One text for equal values: JSON with sorted names and no spaces.

    Example:
        >>> canonical({"n": 20, "model": "mlp"})
        '{"model":"mlp","n":20}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def whole(config: Any, *fields: str, least: int = 1) -> None:
    """Refuse a config whose named fields (numbers or tuples of them) are not whole numbers of at least ``least``.

    Raises:
        ValueError: naming the field, its value and what it has to be; also for an empty tuple and for a value that
            occurs twice.
    """
    for field in fields:
        value = getattr(config, field)
        values = value if isinstance(value, tuple) else (value,)
        if any(isinstance(v, bool) or not isinstance(v, int) or v < least for v in values):
            raise ValueError(f"{field} has to be made of whole numbers of at least {least}, got {value}")
        _a_set(field, values)


def positive(config: Any, *fields: str) -> None:
    """Refuse a config whose named fields (numbers or tuples of them) are not finite and above zero.

    Raises:
        ValueError: naming the field, its value and what it has to be; also for an empty tuple and for a value that
            occurs twice.
    """
    for field in fields:
        value = getattr(config, field)
        values = value if isinstance(value, tuple) else (value,)
        if not all(0 < v < float("inf") for v in values):
            raise ValueError(f"{field} has to be finite and above zero, got {value}")
        _a_set(field, values)


def among(config: Any, field: str, known: tuple) -> None:
    """Refuse a config whose field is not made of known values, each once.

    Raises:
        ValueError: naming the field, its value and what is known.
    """
    given = getattr(config, field)
    if not given or len(set(given)) < len(given) or not set(given) <= set(known):
        raise ValueError(f"{field} has to be made of {', '.join(map(str, known))}, none of them twice, got {given}")


def _a_set(field: str, values: tuple) -> None:
    if not values or len(set(values)) < len(values):
        raise ValueError(f"{field} needs one or more values, none of them twice, got {values}")
