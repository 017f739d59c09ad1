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


def turns(key: Array, angle: Array) -> Array:
    """Rotations by given angles about random axes.

    Args:
        key: random key.
        angle: (...,), radians.

    Returns:
        (..., 3, 3).

    Example:
        >>> r = turns(jax.random.key(0), jnp.array([0.5, 3.0]))
        >>> [round(float(a), 3) for a in jnp.arccos((jnp.trace(r, axis1=-2, axis2=-1) - 1) / 2)]
        [0.5, 3.0]
    """
    axis = jax.random.normal(key, (*angle.shape, 3), angle.dtype)
    axis = axis / jnp.linalg.norm(axis, axis=-1, keepdims=True)
    quaternion = jnp.concatenate([jnp.cos(angle / 2)[..., None], jnp.sin(angle / 2)[..., None] * axis], axis=-1)
    return rotation_matrix(quaternion / jnp.linalg.norm(quaternion, axis=-1, keepdims=True))


def _surface(key: Array, n_points: int, dtype: Any) -> Array:
    """Points on the boxes of one thing, each box and side as often as its area says: (n_points, 3)."""
    keys = tuple(jax.random.split(key, 6))
    half = jax.random.uniform(keys[0], (BOXES, 3), dtype, *_SIZE)
    middle = jax.random.uniform(keys[1], (BOXES, 3), dtype, -_PLACE, _PLACE)
    pose = turns(keys[2], jax.random.uniform(keys[3], (BOXES,), dtype, 0, math.pi))
    area = half[:, [1, 2, 0]] * half[:, [2, 0, 1]]  # of the sides across each axis
    side = jax.random.categorical(keys[4], jnp.log(area.reshape(-1)), shape=(n_points,))
    box, across = side // 3, side % 3
    u = jax.random.uniform(keys[5], (n_points, 3), dtype, -1, 1)
    flat = jnp.arange(3).reshape(1, 3) == across[:, None]
    u = jnp.where(flat, jnp.where(u < 0, -1, 1).astype(dtype), u)
    return jnp.einsum("nij,nj->ni", pose[box], half[box] * u) + middle[box]


def _cropped(key: Array, points: Array, n: int) -> Array:
    """The places of the n points that lie farthest along a random direction."""
    along = points @ jax.random.normal(key, (3,), points.dtype)
    return jax.lax.top_k(along, n)[1].astype(jnp.int32)


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
    angle = angle.astype(jnp.zeros((), dtype).dtype)

    def one(key: Array, rotation: Array) -> Pairs:
        keys = tuple(jax.random.split(key, 6))
        points = _surface(keys[0], n_all, angle.dtype)
        places = [_cropped(k, points, n_points) for k in keys[1:3]]
        clouds = [
            points[place] + noise * jax.random.normal(k, (n_points, 3), points.dtype)
            for place, k in zip(places, keys[3:5])
        ]
        shift = jax.random.uniform(keys[5], (3,), points.dtype, -_SHIFT, _SHIFT)
        reference = jnp.einsum("ij,nj->ni", rotation, clouds[1]) + shift.reshape(1, 3)
        return Pairs(clouds[0], reference, *places, rotation, shift)

    turn_key, pair_key = jax.random.split(key)
    return jax.vmap(one)(jax.random.split(pair_key, len(angle)), turns(turn_key, angle))
