"""Broken twins: what is almost right and must be caught.

Each takes a right function of points in space, ``x: (..., 3 k)`` with k of at least 3, and returns one that is wrong
in a single way. A law that lets one of them pass is no law; ``TWINS`` is run against every one.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from equiv import numerics

__all__ = ["TWINS", "cone", "nan", "parity", "thousandth", "zero"]

Function = Callable[[jax.Array], jax.Array]


def nan(f: Function) -> Function:
    """NaN everywhere: a comparison with NaN is never true, so it never fails either."""
    return lambda x: f(x) * jnp.nan


def zero(f: Function) -> Function:
    """Zero everywhere, which is equivariant and useless."""
    return lambda x: f(x) * 0


def parity(f: Function) -> Function:
    """Right under rotations of R^3, wrong under mirrors: the sign is the orientation of the first three vectors."""

    def broken(x: jax.Array) -> jax.Array:
        orientation = jnp.linalg.det(x[..., :9].reshape(*x.shape[:-1], 3, 3))
        return f(x) * jnp.where(orientation < 0, -1, 1).astype(x.dtype)

    return broken


def thousandth(f: Function) -> Function:
    """The first output coordinate off by one part in a thousand."""

    def broken(x: jax.Array) -> jax.Array:
        y = f(x)
        return y.at[..., 0].multiply(jnp.asarray(1.001, y.dtype))

    return broken


def cone(f: Function) -> Function:
    """Twice the result where the last three coordinates point into a cone that holds a thousandth of the directions."""

    def broken(x: jax.Array) -> jax.Array:
        inside = x[..., -1] > 0.998 * numerics.norm(x[..., -3:])
        return f(x) * jnp.where(inside, 2, 1).astype(x.dtype)

    return broken


TWINS: dict[str, Callable[[Function], Function]] = {
    "nan": nan,
    "zero": zero,
    "parity": parity,
    "thousandth": thousandth,
    "cone": cone,
}
