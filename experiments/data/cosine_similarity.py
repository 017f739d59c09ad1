"""The mean cosine between three vectors, which neither rotations nor a change of scale move, each broken at will.

With ``c`` the mean cosine between neighbours in a ring of three vectors, ``r`` their mean length, and ``q = |x_1|_1 /
(|x_2|_1 + |x_3|_1)`` of sums of absolute coordinates, the label is one of four kinds:

============  =================================  ===========================================================
kind          label                              what leaves it as it is
============  =================================  ===========================================================
so3-scale     ``c``                              O(3) and every change of scale
so3           ``c - epsilon r``                  O(3)
scale         ``c - epsilon q``                  signed permutations of the coordinates, and changes of scale
none          ``c - epsilon r + epsilon q``      signed permutations of the coordinates
============  =================================  ===========================================================

q has heavy tails: the median of an error says more than its mean.

Reference:
    Kim, Lee, Yang, Lee, Regularizing Towards Soft Equivariance Under Mixed Symmetries, ICML 2023 (arXiv 2306.00356).
"""

from typing import Any

import jax
import jax.numpy as jnp

from equiv import numerics
from equiv.groups import Group
from equiv.reps import Rep, scalar, standard
from experiments.data import Samples

__all__ = ["KINDS", "VECTORS", "rep_in", "rep_out", "sample", "target"]

VECTORS = 3
"""How many there are."""
KINDS = {"so3-scale": (0, 0), "so3": (-1, 0), "scale": (0, -1), "none": (-1, 1)}
"""Kind of label -> signs of epsilon r and epsilon q in it."""


def rep_in(group: Group) -> Rep:
    """Three vectors, for a group of 3 x 3 matrices."""
    return VECTORS * standard(group)


def rep_out(group: Group) -> Rep:
    """One scalar."""
    return scalar(group)


def target(x: jax.Array, kind: str = "so3-scale", epsilon: float | jax.Array = 1.0) -> jax.Array:
    """The label of an input; see the table of the module for its symmetry.

    Args:
        x: (..., 9), three vectors one after the other.
        kind: a row of ``KINDS``.
        epsilon: strength of the breaking, 0 ... 1.

    Returns:
        (..., 1).

    Raises:
        ValueError: another kind.

    Example:
        >>> x = jnp.array([1.0, 0, 0, 0, 2, 0, 0, 0, 2])
        >>> [round(float(target(x, kind)[0]), 4) for kind in KINDS]
        [0.0, -1.6667, -0.25, -1.4167]
    """
    if kind not in KINDS:
        raise ValueError(f"kind has to be one of {', '.join(KINDS)}, got {kind}")
    vectors = x.reshape(*x.shape[:-1], VECTORS, 3)
    unit = numerics.normalize(vectors)
    cosine = jnp.mean(jnp.sum(unit * jnp.roll(unit, -1, axis=-2), axis=-1), axis=-1)
    length = jnp.mean(numerics.norm(vectors), axis=-1)
    size = jnp.sum(jnp.abs(vectors), axis=-1)
    quotient = size[..., 0] / (size[..., 1] + size[..., 2])
    strength = jnp.asarray(epsilon, x.dtype)
    for sign, term in zip(KINDS[kind], (length, quotient)):
        if sign:
            cosine = cosine + sign * strength * term
    return cosine[..., None]


def sample(
    key: jax.Array,
    n: int,
    *,
    kind: str = "so3-scale",
    epsilon: float | jax.Array = 1.0,
    shift: float = 0.0,
    orthant: int = 0,
    dtype: Any = float,
) -> Samples:
    """Standard normal vectors and their labels.

    The law of the inputs is invariant under O(3), and under no change of scale.

    Args:
        key: random key.
        n: how many.
        kind: of the label, a row of ``KINDS``.
        epsilon: strength of the breaking; may be traced.
        shift: added to every coordinate.
        orthant: 1 or -1 replaces vectors x by ``orthant |x|``, coordinate by coordinate; 0 leaves them.
        dtype: of the numbers.

    Returns:
        Inputs (n, 9) and labels (n, 1).

    Raises:
        ValueError: another kind or orthant.

    Example:
        >>> [part.shape for part in sample(jax.random.key(0), 7, kind="none")]
        [(7, 9), (7, 1)]
    """
    if orthant not in (-1, 0, 1):
        raise ValueError(f"orthant has to be -1, 0 or 1, got {orthant}")
    x = jax.random.normal(key, (n, 3 * VECTORS), dtype)
    x = x + jnp.asarray(shift, x.dtype)
    if orthant:
        x = orthant * jnp.abs(x)
    return Samples(x, target(x, kind, epsilon))
