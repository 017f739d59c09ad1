"""Point-wise activations, where the representation permits them.

``y_i = a(x_i)`` commutes with a group that only moves coordinates around, for every ``a``. If the group also flips
signs, ``a`` has to be odd. If it mixes coordinates, no non-linear ``a`` commutes, and the layer is refused when it is
built. Which of the three it is, is read off the action.
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
from equiv.reps import Rep, intertwiners

__all__ = ["pointwise"]


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


def _odd(activation: Callable[[jax.Array], jax.Array]) -> bool:
    with numerics.constants():
        x = jnp.concatenate([jnp.linspace(0.0, 8.0, 801), jnp.logspace(-8.0, 3.0, 100)])
        return bool(jnp.all(jnp.abs(activation(-x) + activation(x)) <= 1e-12 * (1 + jnp.abs(activation(x)))))
