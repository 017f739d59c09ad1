"""The tensor of inertia of five point masses: equivariant under O(3), and modified along an axis by degrees.

``I = sum_i m_i (|r_i|^2 1 - r_i r_i^T)`` about the origin, a symmetric tensor with ``I(g r) = g I(r) g^T``. The
modified target multiplies one column of I, which leaves the axis of that column distinguished.

Reference:
    Finzi, Welling, Wilson, ICML 2021 (arXiv 2104.09459), for the task; Finzi, Benton, Wilson, Residual Pathway
    Priors, NeurIPS 2021 (arXiv 2112.01388), and Kim, Lee, Yang, Lee, Regularizing Towards Soft Equivariance Under
    Mixed Symmetries, ICML 2023 (arXiv 2306.00356), for the modified one and the shifted inputs.
"""

from typing import Any

import jax
import jax.numpy as jnp

from equiv.groups import Group
from equiv.reps import Rep, scalar, standard
from experiments.data import Samples

__all__ = ["BODIES", "rep_in", "rep_out", "sample", "target"]

BODIES = 5
"""Point masses."""


def rep_in(group: Group) -> Rep:
    """Five masses and five positions, for a group of 3 x 3 matrices."""
    return scalar(group, BODIES) + BODIES * standard(group)


def rep_out(group: Group) -> Rep:
    """A tensor of two indices, row by row."""
    return standard(group) * standard(group)


def target(x: jax.Array, epsilon: float | jax.Array = 0.0, axis: int = 2) -> jax.Array:
    """The label of an input.

    ``Y = I + epsilon (I e_a) e_a^T``: column a of I is multiplied by ``1 + epsilon``. With epsilon = 0 it is
    equivariant under O(3), otherwise under the O(2) x O(1) that keeps the line of e_a. With ``axis = -1``, ``Y = I +
    epsilon (-(I e_0) e_0^T + (I e_1) e_1^T)``, which only the 8 changes of signs of the coordinates respect.

    Args:
        x: (..., 20), five masses, then five positions.
        epsilon: strength, a number or one for each input (...); -1 erases the column.
        axis: a; 0, 1, 2, or -1.

    Returns:
        (..., 9), row by row.

    Raises:
        ValueError: another axis.

    Example:
        >>> x = jnp.zeros(20).at[0].set(2.0).at[5].set(3.0)  # mass 2 at (3, 0, 0)
        >>> target(x).reshape(3, 3).diagonal().tolist(), target(x, -1.0).reshape(3, 3).diagonal().tolist()
        ([0.0, 18.0, 18.0], [0.0, 18.0, 0.0])
    """
    columns = {0: (1, 0, 0), 1: (0, 1, 0), 2: (0, 0, 1), -1: (-1, 1, 0)}
    if axis not in columns:
        raise ValueError(f"axis has to be 0, 1, 2 or -1, got {axis}")
    mass = x[..., :BODIES]
    position = x[..., BODIES:].reshape(*x.shape[:-1], BODIES, 3)
    square = jnp.sum(mass * jnp.sum(position**2, axis=-1), axis=-1)[..., None, None]
    eye = jnp.eye(3, dtype=x.dtype).reshape((1,) * (x.ndim - 1) + (3, 3))
    inertia = square * eye - jnp.einsum("...b,...bi,...bj->...ij", mass, position, position)
    column = jnp.asarray(columns[axis], x.dtype).reshape((1,) * x.ndim + (3,))
    strength = jnp.asarray(epsilon, x.dtype)
    strength = jnp.broadcast_to(strength, x.shape[:-1])[..., None, None]
    one = jnp.ones((), x.dtype)
    return (inertia * (one + strength * column)).reshape(*x.shape[:-1], 9)


def sample(
    key: jax.Array,
    n: int,
    *,
    epsilon: float | jax.Array = 0.0,
    spread: float = 0.0,
    axis: int = 2,
    shift: float = 0.0,
    orthant: int = 0,
    dtype: Any = float,
) -> Samples:
    """Masses ``softplus(N(0, 1))``, standard normal positions, and their labels.

    The law of the inputs is invariant under O(3) unless they are shifted or kept in an orthant, as those out of the
    training distribution are.

    Args:
        key: random key.
        n: how many.
        epsilon: strength of the modification; its mean, if there is a spread. May be traced.
        spread: standard deviation of the strength, drawn anew for each sample, so that labels are random.
        axis: of the modification, see ``target``.
        shift: added to every coordinate of every position.
        orthant: 1 or -1 replaces positions r by ``orthant |r|``, coordinate by coordinate; 0 leaves them.
        dtype: of the numbers.

    Returns:
        Inputs (n, 20) and labels (n, 9).

    Raises:
        ValueError: another orthant.

    Example:
        >>> x, y = sample(jax.random.key(0), 7, orthant=-1)
        >>> x.shape, y.shape, bool((x[:, :5] > 0).all()), bool((x[:, 5:] <= 0).all())
        ((7, 20), (7, 9), True, True)
    """
    if orthant not in (-1, 0, 1):
        raise ValueError(f"orthant has to be -1, 0 or 1, got {orthant}")
    k_mass, k_position, k_strength = jax.random.split(key, 3)
    mass = jax.nn.softplus(jax.random.normal(k_mass, (n, BODIES), dtype))
    position = jax.random.normal(k_position, (n, 3 * BODIES), dtype)
    position = position + jnp.asarray(shift, position.dtype)
    if orthant:
        position = orthant * jnp.abs(position)
    x = jnp.concatenate([mass, position], axis=-1)
    strength = jnp.asarray(epsilon, x.dtype) + jnp.asarray(spread, x.dtype) * jax.random.normal(k_strength, (n,), dtype)
    return Samples(x, target(x, strength, axis))
