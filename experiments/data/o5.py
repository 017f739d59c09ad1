"""A scalar function of two vectors in five dimensions, invariant under O(5).

``y = sin|x_1| - |x_2|^3 / 2 + cos(angle between x_1 and x_2)`` with standard normal vectors. A breaking term of
strength sigma turns the symmetry off by degrees.

Reference:
    Finzi, Welling, Wilson, A Practical Method for Constructing Equivariant Multilayer Perceptrons, ICML 2021
    (arXiv 2104.09459), for the task; Rahman, Lim, Jiang, Lim, Yeh, Tunable Soft Equivariance, CVPR 2026
    (arXiv 2603.26657), for the form of the breaking term.
"""

from typing import Any

import jax
import jax.numpy as jnp

from equiv import numerics
from equiv.groups import Group
from equiv.reps import Rep, scalar, standard
from experiments.data import Samples

__all__ = ["DIM", "SIGNATURE", "rep_in", "rep_out", "sample", "target"]

DIM = 5
"""Dimension of the space."""
SIGNATURE = (1.0,) * DIM
"""Of the inner product."""


def rep_in(group: Group) -> Rep:
    """Two vectors, for a group of 5 x 5 matrices."""
    return 2 * standard(group)


def rep_out(group: Group) -> Rep:
    """One scalar."""
    return scalar(group)


def target(x: jax.Array, sigma: float | jax.Array = 0.0) -> jax.Array:
    """The label of an input.

    ``sin|x_1| - |x_2|^3 / 2 + x_1.x_2 / (|x_1| |x_2|) + sigma (|a_1| + |a_2|) / (|a_3| + |a_4| + 1)``, a = x_1. With
    sigma = 0 it is invariant under O(5). Otherwise only under the 128 signed permutations that keep the pairs {1, 2}
    and {3, 4} of coordinates: no continuous symmetry is left.

    Args:
        x: (..., 10), the two vectors one after the other.
        sigma: strength of the breaking term.

    Returns:
        (..., 1).

    Differs from the paper:
        The formula of the breaking term does not say of which vector the coordinates are; here, of the first.

    Example:
        >>> x = jnp.array([3.0, 4, 0, 0, 0, 0, 2, 0, 0, 0])
        >>> round(float(target(x)[0] - jnp.sin(5.0)), 4), round(float(target(x, 1.0)[0] - target(x)[0]), 4)
        (-3.2, 7.0)
    """
    first, second = x[..., :DIM], x[..., DIM:]
    cosine = jnp.sum(numerics.normalize(first) * numerics.normalize(second), axis=-1)
    y = jnp.sin(numerics.norm(first)) - numerics.norm(second) ** 3 / 2 + cosine
    size = jnp.abs(first)
    broken = (size[..., 0] + size[..., 1]) / (size[..., 2] + size[..., 3] + 1)
    return (y + jnp.asarray(sigma, x.dtype) * broken)[..., None]


def sample(key: jax.Array, n: int, *, sigma: float | jax.Array = 0.0, dtype: Any = float) -> Samples:
    """Standard normal vectors and their labels; the law of the inputs is invariant under O(5).

    Args:
        key: random key.
        n: how many.
        sigma: strength of the breaking term; may be traced.
        dtype: of the numbers.

    Returns:
        Inputs (n, 10) and labels (n, 1).

    Example:
        >>> [part.shape for part in sample(jax.random.key(0), 7)]
        [(7, 10), (7, 1)]
    """
    x = jax.random.normal(key, (n, 2 * DIM), dtype)
    return Samples(x, target(x, sigma))
