"""The mean side of a triangle in space, which no rigid motion changes; translations or rotations are broken at will.

Points carry a fourth coordinate that is always 1, so that a rigid motion acts as a 4 x 4 matrix ``[[R, t], [0, 1]]``.

==============  =======================================  ======================================================
broken          label                                    what leaves it as it is
==============  =======================================  ======================================================
nothing         mean side                                all rigid motions, E(3)
translation     mean side - epsilon ``|x_1|``            O(3)
rotation        mean side - epsilon ``|x_11 - x_21|``    translations, O(2) about the first axis, its mirror
==============  =======================================  ======================================================

Reference:
    Kim, Lee, Yang, Lee, Regularizing Towards Soft Equivariance Under Mixed Symmetries, ICML 2023 (arXiv 2306.00356);
    their strengths are epsilon = -0.5 and -1.
"""

from typing import Any

import jax
import jax.numpy as jnp

from equiv import numerics
from equiv.groups import Group
from equiv.reps import Rep, scalar, standard
from experiments.data import Samples

__all__ = ["BROKEN", "POINTS", "rep_in", "rep_out", "sample", "target"]

POINTS = 3
"""Corners of the triangle."""
BROKEN = ("nothing", "translation", "rotation")
"""What a label may break."""


def rep_in(group: Group) -> Rep:
    """Three points, for a group of 4 x 4 matrices."""
    return POINTS * standard(group)


def rep_out(group: Group) -> Rep:
    """One scalar."""
    return scalar(group)


def target(x: jax.Array, broken: str = "nothing", epsilon: float | jax.Array = -0.5) -> jax.Array:
    """The label of an input; see the table of the module for its symmetry.

    Args:
        x: (..., 12), three points with a fourth coordinate 1, one after the other.
        broken: an entry of ``BROKEN``.
        epsilon: strength of the breaking.

    Returns:
        (..., 1).

    Raises:
        ValueError: another name.

    Example:
        >>> x = jnp.array([[0.0, 0, 0, 1], [3, 0, 0, 1], [3, 4, 0, 1]]).ravel()
        >>> [target(x, broken).tolist() for broken in BROKEN]
        [[4.0], [4.0], [5.5]]
    """
    if broken not in BROKEN:
        raise ValueError(f"broken has to be one of {', '.join(BROKEN)}, got {broken}")
    points = x.reshape(*x.shape[:-1], POINTS, 4)[..., :3]
    sides = jnp.mean(numerics.norm(points - jnp.roll(points, -1, axis=-2)), axis=-1)
    strength = jnp.asarray(epsilon, x.dtype)
    if broken == "translation":
        sides = sides - strength * numerics.norm(points[..., 0, :])
    elif broken == "rotation":
        sides = sides - strength * jnp.abs(points[..., 0, 0] - points[..., 1, 0])
    return sides[..., None]


def sample(
    key: jax.Array,
    n: int,
    *,
    broken: str = "nothing",
    epsilon: float | jax.Array = -0.5,
    shift: float = 0.0,
    dtype: Any = float,
) -> Samples:
    """Standard normal points and their labels.

    The law of the inputs is invariant under O(3) if they are not shifted.

    Args:
        key: random key.
        n: how many.
        broken: what the label breaks, an entry of ``BROKEN``.
        epsilon: strength of the breaking; may be traced.
        shift: added to every coordinate.
        dtype: of the numbers.

    Returns:
        Inputs (n, 12) and labels (n, 1).

    Raises:
        ValueError: another name.

    Example:
        >>> x, y = sample(jax.random.key(0), 7, broken="rotation")
        >>> x.shape, y.shape, x[0, 3::4].tolist()
        ((7, 12), (7, 1), [1.0, 1.0, 1.0])
    """
    points = jax.random.normal(key, (n, POINTS, 3), dtype)
    points = points + jnp.asarray(shift, points.dtype)
    x = jnp.concatenate([points, jnp.ones((n, POINTS, 1), points.dtype)], axis=-1).reshape(n, 4 * POINTS)
    return Samples(x, target(x, broken, epsilon))
