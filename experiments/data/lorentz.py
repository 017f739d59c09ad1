"""Scattering of an electron and a muon: a scalar function of four momenta, invariant under the Lorentz group O(1, 3).

The squared matrix element as the authors of the task have it in their code, ``y = 4 L_e^{mu nu} L_{mu, mu nu}`` with

    L_e = p_1 p_3^T - (p_1.p_3 - p_1.p_1) eta,   L_mu = (eta p_2) (eta p_4)^T - (p_2.p_4 - p_2.p_2) eta,

which is not symmetrised in the two momenta as the physical formula is. Time comes first, eta = diag(1, -1, -1, -1).

Reference:
    Finzi, Welling, Wilson, ICML 2021 (arXiv 2104.09459), for the task; Rahman, Lim, Jiang, Lim, Yeh, Tunable Soft
    Equivariance, CVPR 2026 (arXiv 2603.26657), for the form of the breaking term.
"""

from typing import Any

import jax
import jax.numpy as jnp

from equiv.groups import Group
from equiv.reps import Rep, scalar, standard
from experiments.data import Samples

__all__ = ["MOMENTA", "SIGNATURE", "rep_in", "rep_out", "sample", "target"]

MOMENTA = 4
"""Electron and muon, before and after."""
SIGNATURE = (1.0, -1.0, -1.0, -1.0)
"""Of the inner product."""


def rep_in(group: Group) -> Rep:
    """Four vectors, for a group of 4 x 4 matrices."""
    return MOMENTA * standard(group)


def rep_out(group: Group) -> Rep:
    """One scalar."""
    return scalar(group)


def target(x: jax.Array, sigma: float | jax.Array = 0.0) -> jax.Array:
    """The label of an input, written in inner products.

    With ``a = p_1.p_3 - p_1.p_1`` and ``b = p_2.p_4 - p_2.p_2``, ``y = 4 ((p_1.p_2)(p_3.p_4) - b p_1.p_3 - a p_2.p_4 +
    4 a b) + sigma sum_p p_x^2 / (p_y^2 + p_z^2 + 1)``. With sigma = 0 it is invariant under O(1, 3). Otherwise only
    under changes of the signs of t and x and under the O(2) that turns y and z.

    Args:
        x: (..., 16), the four momenta (t, x, y, z) one after the other.
        sigma: strength of the breaking term.

    Returns:
        (..., 1).

    Example:
        >>> at_rest = jnp.tile(jnp.array([1.0, 0, 0, 0]), 4)
        >>> target(at_rest).tolist(), target(at_rest.at[1].set(1.0)).tolist()
        ([4.0], [0.0])
    """
    p = x.reshape(*x.shape[:-1], MOMENTA, 4)
    lowered = p * jnp.asarray(SIGNATURE, x.dtype).reshape((1,) * x.ndim + (4,))
    dot = jnp.einsum("...ai,...bi->...ab", p, lowered)
    a, b = dot[..., 0, 2] - dot[..., 0, 0], dot[..., 1, 3] - dot[..., 1, 1]
    y = 4 * (dot[..., 0, 1] * dot[..., 2, 3] - b * dot[..., 0, 2] - a * dot[..., 1, 3] + 4 * a * b)
    broken = jnp.sum(p[..., 1] ** 2 / (p[..., 2] ** 2 + p[..., 3] ** 2 + 1), axis=-1)
    return (y + jnp.asarray(sigma, x.dtype) * broken)[..., None]


def sample(key: jax.Array, n: int, *, sigma: float | jax.Array = 0.0, dtype: Any = float) -> Samples:
    """Momenta with coordinates ``N(0, 1) / 4``, on no mass shell, and their labels.

    The law of the inputs is invariant under the rotations only; no probability law of momenta is
    invariant under boosts.

    Args:
        key: random key.
        n: how many.
        sigma: strength of the breaking term; may be traced.
        dtype: of the numbers.

    Returns:
        Inputs (n, 16) and labels (n, 1).

    Example:
        >>> [part.shape for part in sample(jax.random.key(0), 7)]
        [(7, 16), (7, 1)]
    """
    x = jax.random.normal(key, (n, 4 * MOMENTA), dtype) / 4
    return Samples(x, target(x, sigma))
