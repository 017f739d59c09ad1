"""Data sets: exact generators, loaders of data that come with an installed package or that you name a folder of.

Nothing is downloaded. A generator has ``sample(key, n, ...) -> Samples``, a pure function of its arguments, and
``target(x, ...)``, the exact label of an input, so that the symmetry of the label can be measured as that of any other
function; ``rep_in(group)`` and ``rep_out(group)`` say how a group acts on the two. The settings that break the
symmetry are off by default, and the docstring of ``target`` says which subgroup they leave.

Images that are to be moved come as functions on the plane (``affine.Shapes``): ``strokes`` and ``spline_digits``.
Pictures of ``solids`` are cast from their rotations.
Public benchmarks (``mnist``, ``affnist``, ``homnist``) have ``load(data, part) -> Images`` and ``missing(data, ...)``,
the sentence that says which files have to be fetched; those of poses (``symsol``, ``pascal3d``, ``modelnet10_so3``)
give ``Poses``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["Samples", "Scaling", "scaling"]


class Samples(NamedTuple):
    """Inputs (n, n_in) and labels (n, n_out), row by row; the first rows are a smaller sample of the same law."""

    x: jax.Array
    y: jax.Array


class Scaling(NamedTuple):
    """Units that make inputs and labels of order one: ``x / x_scale`` and ``(y - y_shift) / y_scale``.

    One unit for all coordinates of a vector, so that a group that acts on the vectors acts on the scaled ones too; the
    label is shifted only if it is a scalar.

    Attributes:
        x_scale: (n_in,).
        y_shift: (n_out,).
        y_scale: (n_out,).
    """

    x_scale: jax.Array
    y_shift: jax.Array
    y_scale: jax.Array


def scaling(samples: Samples, n: int | jax.Array, signature: tuple[float, ...]) -> Scaling:
    """The units of vector inputs and a scalar label, measured on the first n samples.

    ``x_scale_v^2 = mean |sum_i s_i x_vi^2| / d`` for vector v with signature s: the root mean square of the coordinates
    for s = 1, and the same of the Minkowski norm, which no boost changes, for s = (1, -1, -1, -1). The label gets
    its mean and standard deviation.

    Args:
        samples: inputs (N, k d), k vectors one after the other, and labels (N, 1).
        n: how many of the rows count; may be traced.
        signature: (d,), the signs of the quadratic form of one vector.

    Example:
        >>> samples = Samples(jnp.array([[3.0, 3.0], [1.0, 1.0], [9.0, 9.0]]), jnp.array([[1.0], [3.0], [9.0]]))
        >>> [part.tolist() for part in scaling(samples, 2, (1.0, 1.0))]
        [[2.2360680103302, 2.2360680103302], [2.0], [1.0]]
    """
    x, y = samples
    count = jnp.asarray(n, x.dtype)
    used = (jnp.arange(len(x), dtype=x.dtype) < count).astype(x.dtype).reshape(-1, 1)
    signs = jnp.asarray(signature, x.dtype).reshape(1, 1, -1)
    vectors = x.reshape(len(x), -1, len(signature))
    square = jnp.sum(used * jnp.abs(jnp.sum(signs * vectors**2, axis=-1)), axis=0) / count / len(signature)
    shift = jnp.sum(used * y, axis=0) / count
    spread = jnp.sqrt(jnp.sum(used * (y - shift.reshape(1, -1)) ** 2, axis=0) / count)
    return Scaling(jnp.repeat(jnp.sqrt(square), len(signature)), shift, spread)
