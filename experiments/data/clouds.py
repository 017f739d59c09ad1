"""Pairs of point clouds of the same thing, seen in part, with noise, and turned against each other.

A thing is a few boxes of random size, place and turn, near the origin, so that it has no symmetry. Points are uniform
on the surfaces of the boxes. Of one sample of points the *source* keeps those that lie far along a random direction,
the *reference* those that lie far along another one, so that they share a part; both get noise of their own. Then the
reference is turned and moved: a shared point x of the source, without noise, is ``R x + t`` in the reference.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from equiv.reps.irreps import rotation_matrix

__all__ = ["Pairs", "draw_pairs", "turns"]

BOXES = 4
"""Boxes of one thing."""
_SIZE, _PLACE, _SHIFT = (0.15, 0.6), 0.55, 0.5


class Pairs(NamedTuple):
    """Pairs of clouds, n of them.

    Attributes:
        source: (n, N, 3).
        reference: (n, N, 3).
        source_place: (n, N) int32, which point of the common sample each one is.
        reference_place: (n, N) int32.
        rotation: (n, 3, 3), source -> reference.
        translation: (n, 3).
    """

    source: Array
    reference: Array
    source_place: Array
    reference_place: Array
    rotation: Array
    translation: Array


def turns(angle: Array, axis: Array) -> Array:
    """Rotations by given angles.

    Args:
        angle: (...,), radians.
        axis: (..., 3), of any length but 0.

    Returns:
        (..., 3, 3).

    Example:
        >>> turns(jnp.array(jnp.pi / 2), jnp.array([0.0, 0.0, 3.0]))[:, 0].round(4).tolist()[:2]  # x to y
        [0.0, 1.0]
    """
    axis = axis / jnp.linalg.norm(axis, axis=-1, keepdims=True)
    half = angle[..., None] / 2
    quaternion = jnp.concatenate([jnp.cos(half), jnp.sin(half) * axis], axis=-1)
    return rotation_matrix(quaternion / jnp.linalg.norm(quaternion, axis=-1, keepdims=True))


def _taken(numbers: Array, shapes: list[tuple[int, ...]]) -> list[Array]:
    """One row of numbers, cut into arrays. Few large draws compile sooner than many small ones."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(jnp.split(numbers, ends[:-1]), shapes)]


def _surface(half: Array, middle: Array, pose: Array, which: Array, u: Array) -> Array:
    """Points on boxes, each box and side as often as its area says: (n, 3) for ``which`` (n,), u (n, 3) from 0 to 1."""
    area = half[:, [1, 2, 0]] * half[:, [2, 0, 1]]  # of the sides across each axis
    share = jnp.cumsum(area.reshape(-1)) / jnp.sum(area)
    side = jnp.minimum(jnp.sum(share.reshape(1, -1) <= which[:, None], axis=1), area.size - 1)
    box, across = side // 3, side % 3
    u = 2 * u - 1
    flat = jnp.arange(3).reshape(1, 3) == across[:, None]
    u = jnp.where(flat, jnp.where(u < 0, -1, 1).astype(u.dtype), u)
    return jnp.einsum("nij,nj->ni", pose[box], half[box] * u) + middle[box]


def draw_pairs(
    key: Array, angle: Array, n_points: int, overlap: float = 0.5, noise: float = 0.01, dtype: Any = float
) -> Pairs:
    """Random pairs of clouds.

    Args:
        key: random key.
        angle: (n,), by which each reference is turned, radians.
        n_points: N, of each cloud.
        overlap: the least share of the points of a cloud that are in the other as well, below 1; 1 for all.
        noise: standard deviation of each coordinate; things have a size of about one.
        dtype: of the coordinates.

    Returns:
        n pairs.

    Raises:
        ValueError: an overlap that is not above 0 and at most 1, or negative noise.

    Example:
        >>> pairs = draw_pairs(jax.random.key(0), jnp.zeros(2), 50)
        >>> pairs.source.shape, pairs.rotation.shape
        ((2, 50, 3), (2, 3, 3))
    """
    if not 0 < overlap <= 1:
        raise ValueError(f"overlap has to be above 0 and at most 1, got {overlap}")
    if not 0 <= noise < math.inf:
        raise ValueError(f"noise has to be finite and at least 0, got {noise}")
    n_all = round((2 - overlap) * n_points)  # two crops of opposite directions share the rest
    dtype = jnp.zeros((), dtype).dtype
    angle = angle.astype(dtype)
    even = [(BOXES, 3), (BOXES, 3), (BOXES,), (n_all,), (n_all, 3), (3,)]
    bell = [(BOXES, 3), (3,), (2, 3), (2, n_points, 3)]

    def one(uniform: Array, normal: Array, angle: Array) -> Pairs:
        size, place, turn, which, u, shift = _taken(uniform, even)
        axes, axis, directions, off = _taken(normal, bell)
        half = _SIZE[0] + (_SIZE[1] - _SIZE[0]) * size
        points = _surface(half, _PLACE * (2 * place - 1), turns(math.pi * turn, axes), which, u)
        along = jnp.einsum("ni,ki->kn", points, directions)
        places = jax.lax.top_k(along, n_points)[1].astype(jnp.int32)
        source, reference = points[places] + noise * off
        rotation, shift = turns(angle, axis), _SHIFT * (2 * shift - 1)
        reference = jnp.einsum("ij,nj->ni", rotation, reference) + shift.reshape(1, 3)
        return Pairs(source, reference, places[0], places[1], rotation, shift)

    keys = tuple(jax.random.split(key))
    counts = [sum(math.prod(shape) for shape in shapes) for shapes in (even, bell)]
    uniform = jax.random.uniform(keys[0], (len(angle), counts[0]), dtype)
    return jax.vmap(one)(uniform, jax.random.normal(keys[1], (len(angle), counts[1]), dtype), angle)
