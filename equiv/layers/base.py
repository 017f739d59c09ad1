"""Layers as records: two representations, and two pure functions.

``layer.init(key, dtype=float) -> params`` draws the parameters, the only randomness there is; ``layer.apply(params,
x)`` computes, for ``x: (..., rep_in.dim)``, an array ``(..., rep_out.dim)`` of the same dtype. A layer knows what it
maps from and to, so its equivariance is measured with nothing else, and the combinators below refuse what does not fit
before anything runs.

Parameters are plain nested dicts and tuples of arrays, and layers compose by functions, so ``vmap`` over ``init``,
``grad`` of ``apply`` and optax need no adapter; ``equiv.flax`` has one for those who train in Flax.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from equiv.groups.base import intern
from equiv.reps import Rep

__all__ = [
    "Layer",
    "Params",
    "SignalLayer",
    "Weight",
    "as_layer",
    "merge",
    "parallel",
    "partition",
    "residual",
    "serial",
]

Params = Any
"""A nested structure of arrays."""


class Weight(NamedTuple):
    """A free linear map inside a layer, (rep_out.dim, rep_in.dim), that may leave Hom_G; a bias maps from a scalar."""

    rep_in: Rep
    rep_out: Rep
    matrix: jax.Array


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """An equivariant map with parameters, ``apply(params, act_in(g, x)) = act_out(g, apply(params, x))``.

    ``apply`` checks its input and refuses, in words, arrays of another length and integer arrays.

    Attributes:
        spec: nested tuple of what defines the layer.
        name: how it is printed.
        rep_in: representation of the input.
        rep_out: representation of the output.
        init: ``init(key, dtype=float) -> params``.
        apply: ``apply(params, x: (..., rep_in.dim)) -> (..., rep_out.dim)``.
        weights: ``weights(params) -> tuple of Weight``, the maps inside that are free to leave Hom_G; none in a layer
            that is equivariant whatever its parameters. Penalties (``equiv.soft``) act on these.
    """

    spec: tuple
    name: str
    rep_in: Rep
    rep_out: Rep
    init: Callable[..., Params] = dataclasses.field(repr=False)
    apply: Callable[[Params, jax.Array], jax.Array] = dataclasses.field(repr=False)
    weights: Callable[[Params], tuple[Weight, ...]] = dataclasses.field(repr=False, default=lambda params: ())

    def __post_init__(self) -> None:
        unchecked = self.apply

        def apply(params: Params, x: jax.Array) -> jax.Array:
            x = jnp.asarray(x)
            if x.ndim == 0 or x.shape[-1] != self.rep_in.dim:
                raise ValueError(
                    f"{self.name} takes {self.rep_in}, vectors of length {self.rep_in.dim}, "
                    f"got an array of shape {x.shape}"
                )
            if not jnp.issubdtype(x.dtype, jnp.floating):
                raise TypeError(f"{self.name} takes floating-point arrays, got {x.dtype}; cast it, x.astype(float)")
            return unchecked(params, x)

        object.__setattr__(self, "apply", apply)

    def __str__(self) -> str:
        return self.name


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class SignalLayer:
    """A map with parameters between signals: images, or functions on a group that is sampled at some elements.

    A group that stretches the plane has no representation on the pixels of an image, so there is no ``Rep`` to name.
    What goes in carries what the group moves (the grid of pixels, the elements), and ``apply`` says what it takes.

    Attributes:
        spec: nested tuple of what defines the layer.
        name: how it is printed.
        init: ``init(key, dtype=float) -> params``.
        apply: ``apply(params, signal, ...) -> signal``.
    """

    spec: tuple
    name: str
    init: Callable[..., Params] = dataclasses.field(repr=False)
    apply: Callable[..., Any] = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return self.name


def as_layer(layer: SignalLayer, shape: tuple[int, ...], rep_in: Rep, rep_out: Rep) -> Layer:
    """A map between arrays as a layer between representations, on the entries of its arrays in their order.

    Whether it is equivariant is for the laws to say.

    Args:
        layer: takes arrays (..., *shape), and gives arrays whose last axes have ``rep_out.dim`` entries in all.
        shape: of one input; it has ``rep_in.dim`` entries.
        rep_in: how the group acts on them.
        rep_out: how it acts on what comes out.

    Raises:
        ValueError: the shape does not fit the representation, or representations of two groups.

    Example:
        >>> from equiv.groups import symmetric
        >>> from equiv.layers import gaussian, random_feature_attention
        >>> from equiv.reps import permutation, scalar
        >>> keys = permutation(symmetric(4), 4, lambda g: g) * scalar(symmetric(4), 3)
        >>> attention = random_feature_attention(3, 5, gaussian())
        >>> layer = as_layer(attention, (5, 3), scalar(symmetric(4), 3) + keys, scalar(symmetric(4)))
        >>> layer.apply(layer.init(jax.random.key(0)), jnp.ones(15)).shape
        (1,)
    """
    if math.prod(shape) != rep_in.dim:
        raise ValueError(
            f"as_layer: arrays of shape {shape} have {math.prod(shape)} entries, {rep_in} has dimension {rep_in.dim}"
        )
    if rep_in.group != rep_out.group:
        raise ValueError(f"as_layer needs two representations of one group, got {rep_in.group} and {rep_out.group}")

    def apply(params: Params, x: jax.Array) -> jax.Array:
        return layer.apply(params, x.reshape(*x.shape[:-1], *shape)).reshape(*x.shape[:-1], rep_out.dim)

    return intern(Layer(("as_layer", layer, shape, rep_in, rep_out), str(layer), rep_in, rep_out, layer.init, apply))


def partition(params: Params, *names: str) -> tuple[Params, Params]:
    """Parameters that are trained, and those that stay: the entries of these names, at any depth.

    Both have the structure of ``params``, with None in the place of what went to the other, so that ``grad`` and optax
    see the first alone; ``merge`` puts them together again.

    Args:
        params: parameters of a layer.
        names: of entries of dicts in them; ``"frozen"`` if none is given, which is how layers call theirs.

    Raises:
        ValueError: a name that no entry has.

    Example:
        >>> trained, rest = partition({"frozen": {"key": 1.0}, "value": 2.0})
        >>> trained, rest
        ({'frozen': {'key': None}, 'value': 2.0}, {'frozen': {'key': 1.0}, 'value': None})
        >>> merge(trained, rest)
        {'frozen': {'key': 1.0}, 'value': 2.0}
    """
    leaves, structure = jax.tree.flatten_with_path(params)
    paths = [{step.key for step in path if isinstance(step, jax.tree_util.DictKey)} for path, _ in leaves]
    for name in names:
        if not any(name in path for path in paths):
            known = ", ".join(sorted({str(step) for path in paths for step in path})) or "none"
            raise ValueError(f"partition: no entry of the parameters is called {name!r}, there is: {known}")
    stays = [bool(path & set(names or ("frozen",))) for path in paths]
    values = [leaf for _, leaf in leaves]
    return tuple(
        jax.tree.unflatten(structure, [value if kept == part else None for value, kept in zip(values, stays)])
        for part in (False, True)
    )


def merge(trained: Params, rest: Params) -> Params:
    """What ``partition`` took apart.

    Args:
        trained: parameters, with None in some places.
        rest: of the same structure, with None in the others.

    Example:
        >>> merge({"a": 1.0, "b": None}, {"a": None, "b": 2.0})
        {'a': 1.0, 'b': 2.0}
    """
    return jax.tree.map(lambda one, other: other if one is None else one, trained, rest, is_leaf=lambda x: x is None)


def _one_each(what: str, layers: tuple[Layer, ...], params: Params) -> Params:
    if not isinstance(params, tuple | list) or len(params) != len(layers):
        given = f"{len(params)}" if isinstance(params, tuple | list) else f"a {type(params).__name__}"
        raise ValueError(f"{what} takes a tuple with the parameters of its {len(layers)} layers, got {given}")
    return params


def entry(layer: str, params: Params, key: str) -> Any:
    """``params[key]``, or a ValueError which says what the layer's parameters are called."""
    if not isinstance(params, Mapping) or key not in params:
        given = (", ".join(map(str, params)) or "none") if isinstance(params, Mapping) else f"a {type(params).__name__}"
        raise ValueError(f"{layer} takes parameters named {key}, got {given}")
    return params[key]


def _weights(layers: tuple[Layer, ...]) -> Callable[[Params], tuple[Weight, ...]]:
    return lambda params: tuple(w for layer, p in zip(layers, params) for w in layer.weights(p))


def serial(*layers: Layer) -> Layer:
    """One layer after the other; the parameters are a tuple, one entry per layer.

    Args:
        layers: one or more; each takes what the one before gives.

    Raises:
        ValueError: no layer, or two neighbours that do not fit, both named.

    Example:
        >>> from equiv.groups import cyclic
        >>> from equiv.layers import linear, pointwise
        >>> from equiv.reps import regular
        >>> v = regular(cyclic(4))
        >>> net = serial(linear(v, 3 * v), pointwise(3 * v, jax.nn.relu), linear(3 * v, v))
        >>> net.apply(net.init(jax.random.key(0)), jnp.ones((5, 4))).shape
        (5, 4)
    """
    if not layers:
        raise ValueError("serial needs one or more layers, got none")
    for k, (first, second) in enumerate(itertools.pairwise(layers), 1):
        if first.rep_out != second.rep_in:
            raise ValueError(
                f"serial: layer {k}, {first}, gives {first.rep_out}, "
                f"but layer {k + 1}, {second}, takes {second.rep_in}; "
                f"they have to be the same representation"
            )

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return tuple(layer.init(k, dtype) for layer, k in zip(layers, jax.random.split(key, len(layers))))

    def apply(params: Params, x: jax.Array) -> jax.Array:
        for layer, p in zip(layers, _one_each(name, layers, params)):
            x = layer.apply(p, x)
        return x

    name = f"serial of {len(layers)} ({layers[0].rep_in} -> {layers[-1].rep_out})"
    return intern(Layer(("serial", *layers), name, layers[0].rep_in, layers[-1].rep_out, init, apply, _weights(layers)))


def residual(layer: Layer) -> Layer:
    """``x + layer(x)``, with the layer's parameters.

    Args:
        layer: gives what it takes.

    Raises:
        ValueError: input and output representations differ.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.layers import linear
        >>> from equiv.reps import standard
        >>> residual(linear(standard(so(3)), standard(so(3)))).rep_out.dim
        3
    """
    if layer.rep_in != layer.rep_out:
        raise ValueError(
            f"residual needs a layer that gives what it takes, "
            f"but {layer} takes {layer.rep_in} and gives {layer.rep_out}"
        )

    def apply(params: Params, x: jax.Array) -> jax.Array:
        return x + layer.apply(params, x)

    name = f"residual({layer})"
    return intern(Layer(("residual", layer), name, layer.rep_in, layer.rep_out, layer.init, apply, layer.weights))


def parallel(*layers: Layer) -> Layer:
    """Each layer on its own part of the input: the direct sum; the parameters are a tuple, one entry per layer.

    Args:
        layers: one or more, of one group.

    Raises:
        ValueError: no layer, or layers of two groups.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.layers import linear, pointwise
        >>> from equiv.reps import standard, scalar
        >>> v, scalars = standard(so(3)), scalar(so(3), 4)
        >>> print(parallel(linear(v, 2 * v), pointwise(scalars, jax.nn.relu)).rep_out)
        2 * standard(SO(3)) + 4 * scalar
    """
    if not layers:
        raise ValueError("parallel needs one or more layers, got none")
    rep_in, rep_out = layers[0].rep_in, layers[0].rep_out
    for layer in layers[1:]:
        rep_in, rep_out = rep_in + layer.rep_in, rep_out + layer.rep_out
    ends = np.cumsum([layer.rep_in.dim for layer in layers])[:-1]

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return tuple(layer.init(k, dtype) for layer, k in zip(layers, jax.random.split(key, len(layers))))

    def apply(params: Params, x: jax.Array) -> jax.Array:
        rows = zip(layers, _one_each(name, layers, params), jnp.split(x, ends, axis=-1))
        return jnp.concatenate([layer.apply(p, part) for layer, p, part in rows], axis=-1)

    name = f"parallel({', '.join(map(str, layers))})"
    return intern(Layer(("parallel", *layers), name, rep_in, rep_out, init, apply, _weights(layers)))
