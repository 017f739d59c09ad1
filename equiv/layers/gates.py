"""Activations: point-wise where the representation permits it, gates where it does not.

``y_i = a(x_i)`` commutes with a group that only moves coordinates around, for every ``a``. If the group also flips
signs, ``a`` has to be odd. If it mixes coordinates, no non-linear ``a`` commutes, and the layer is refused when it is
built. Which of the three it is, is read off the action. What may not be changed entry by entry may still be multiplied
by an invariant number: a gate.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from equiv import numerics
from equiv.groups.base import intern
from equiv.layers.base import Layer, Params
from equiv.reps import Rep, intertwiners, scalar

__all__ = ["gated", "pointwise"]


@functools.cache
def pointwise(rep: Rep, activation: Callable[[jax.Array], jax.Array]) -> Layer:
    """The same function on every coordinate, ``y_i = activation(x_i)``; no parameters.

    Args:
        rep: what goes in and comes out.
        activation: an elementwise function, for instance ``jax.nn.relu``.

    Raises:
        ValueError: the action mixes coordinates; or it flips signs and the activation is not odd.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> pointwise(standard(so(3)), jax.nn.relu)
        Traceback (most recent call last):
        ...
        ValueError: relu acts on single coordinates, but standard(SO(3)) mixes them: use it on scalar or permutation
            representations

    Reference:
        Wood, Shawe-Taylor, Discrete Applied Mathematics 69 (1996), representation theory and invariant neural networks.
    """
    name = getattr(activation, "__name__", str(activation))
    moves = intertwiners.moves(rep)
    if moves is None:
        raise ValueError(
            f"{name} acts on single coordinates, but {rep} mixes them: use it on scalar or permutation representations"
        )
    if np.any(moves[1] < 0) and not _odd(activation):
        raise ValueError(
            f"{rep} flips signs, so it takes only odd activations, a(-x) = -a(x), and {name} is not odd: try jnp.tanh"
        )

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return {}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        return activation(x)

    return intern(Layer(("pointwise", rep, activation), f"pointwise({rep}, {name})", rep, rep, init, apply))


@functools.cache
def gated(rep: Rep) -> Layer:
    """One gate per copy, ``y = sigmoid(s) v``; where the action only moves coordinates, ``y_i = x_i sigmoid(x_i)``.

    Args:
        rep: what comes out.

    Returns:
        A layer from ``rep + n * scalar``, with n the copies of summands that mix coordinates or flip signs, to ``rep``;
        no parameters. ``gated(rep).rep_in`` is what the layer before has to give.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> v = standard(so(3))
        >>> print(gated(scalar(so(3)) + 2 * v).rep_in)
        scalar + 2 * standard(SO(3)) + 2 * scalar

    Reference:
        Weiler, Geiger, Welling, Boomsma, Cohen, 3D Steerable CNNs, NeurIPS 2018 (arXiv 1807.02547), for gates; Finzi,
        Welling, Wilson, ICML 2021 (arXiv 2104.09459), for this choice of who gates itself.
    """
    found = [(one, copies, intertwiners.moves(one)) for one, copies in rep.summands]
    rows = [(one.dim, copies, move is None or bool(np.any(move[1] < 0))) for one, copies, move in found]
    count = sum(copies for _, copies, needs in rows if needs)
    rep_in = rep + scalar(rep.group, count) if count else rep

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return {}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        gates, parts, start, gate = jax.nn.sigmoid(x[..., rep.dim :]), [], 0, 0
        for dim, copies, needs in rows:
            part = x[..., start : start + dim * copies]
            start += dim * copies
            if needs:
                grid = part.reshape(*part.shape[:-1], copies, dim) * gates[..., gate : gate + copies, None]
                part, gate = grid.reshape(part.shape), gate + copies
            else:
                part = jax.nn.silu(part)
            parts.append(part)
        return jnp.concatenate(parts, axis=-1)

    return intern(Layer(("gated", rep), f"gated({rep})", rep_in, rep, init, apply))


def _odd(activation: Callable[[jax.Array], jax.Array]) -> bool:
    with numerics.constants():
        x = jnp.concatenate([jnp.linspace(0.0, 8.0, 801), jnp.logspace(-8.0, 3.0, 100)])
        return bool(jnp.all(jnp.abs(activation(-x) + activation(x)) <= 1e-12 * (1 + jnp.abs(activation(x)))))
