"""Shapes in the plane, and their silhouettes from random directions.

A shape is the union of a few ellipses and rectangles of random size, place and turn, within the unit disc. Its
*occupancy* is 1 at the pixels whose centres lie in it, and 0 at the others. A *view* from the angle a is a silhouette:
of parallel rays along ``(cos a, sin a)``, at evenly spaced places across, which of them meet the shape. A piece with
middle c meets those at ``|s - <n, c>| <= h(n)``, n across the rays and h the half-width of the piece, known in closed
form; there is no grid between a shape and its views. Silhouettes do not show hollows: all of them together know a shape
up to what no ray reaches.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["Pieces", "Views", "draw_views", "occupancy", "silhouette"]

_PLACE, _SIZE = 0.45, (0.15, 0.38)
"""Largest distance of a piece from the middle, and its half-axes: the far corner is within the unit disc."""


class Pieces(NamedTuple):
    """Ellipses and rectangles, ``{middle + frame q}`` for q in the unit disc or in the square [-1, 1]^2.

    Attributes:
        middle: (..., P, 2).
        frame: (..., P, 2, 2), a turn times the half-axes.
        round: (..., P), whether it is an ellipse.
    """

    middle: Array
    frame: Array
    round: Array


class Views(NamedTuple):
    """Shapes and their views, n of them.

    Attributes:
        occupancy: (n, side, side), 0 or 1.
        silhouette: (n, views, rays), 0 or 1.
        angle: (n, views), in radians.
    """

    occupancy: Array
    silhouette: Array
    angle: Array


def _pieces(u: Array) -> Pieces:
    """Pieces (...) of numbers (6, ...) from 0 to 1: middles uniform in a disc, half-axes and turns uniform."""
    turn = jnp.pi * u[2]
    middle = _PLACE * jnp.sqrt(u[0])[..., None] * _direction(2 * jnp.pi * u[1])
    half = _SIZE[0] + (_SIZE[1] - _SIZE[0]) * u[3:5]
    columns = [h[..., None] * _direction(turn + quarter) for h, quarter in zip(half, (0, jnp.pi / 2))]
    return Pieces(middle, jnp.stack(columns, axis=-1), u[5] < 0.5)


def _direction(angle: Array) -> Array:
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def _places(n: int, dtype: Any) -> Array:
    """The middles of n equal parts of [-1, 1]."""
    return (2 * jnp.arange(n, dtype=dtype) + 1) / n - 1


def occupancy(pieces: Pieces, side: int) -> Array:
    """Which pixels of [-1, 1]^2 have their centres in one of the pieces of a shape.

    Args:
        pieces: (P,).
        side: pixels in a row.

    Returns:
        (side, side) of the dtype of the pieces, the first row at the top.

    Example:
        >>> disc = Pieces(jnp.zeros((1, 2)), 0.6 * jnp.eye(2)[None], jnp.ones(1, bool))
        >>> occupancy(disc, 4).astype(int).tolist()
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    dtype = pieces.middle.dtype
    x, y = jnp.meshgrid(_places(side, dtype), -_places(side, dtype))
    apart = jnp.stack([x, y], axis=-1)[:, :, None] - pieces.middle[None, None]
    columns = pieces.frame / jnp.sum(pieces.frame**2, axis=1, keepdims=True)  # orthogonal, so that this inverts
    q = jnp.einsum("pij,yxpi->yxpj", columns, apart) ** 2
    far = jnp.where(pieces.round[None, None], jnp.sum(q, axis=-1), jnp.max(q, axis=-1))
    return jnp.any(far <= 1, axis=-1).astype(dtype)


def silhouette(pieces: Pieces, angle: Array, rays: int) -> Array:
    """Which rays meet a shape.

    Args:
        pieces: (P,).
        angle: () of the rays, in radians.
        rays: across [-1, 1].

    Returns:
        (rays,) of the dtype of the pieces, in the order of growing ``-x sin a + y cos a``.

    Example:
        >>> disc = Pieces(jnp.array([[0.0, 0.4]]), 0.5 * jnp.eye(2)[None], jnp.ones(1, bool))
        >>> silhouette(disc, jnp.array(0.0), 5).astype(int).tolist()  # rays along x, from below
        [0, 0, 1, 1, 1]
    """
    dtype = pieces.middle.dtype
    across = _direction(angle + jnp.pi / 2)
    along_axes = jnp.abs(jnp.einsum("pij,i->pj", pieces.frame, across))
    half = jnp.where(pieces.round, jnp.sqrt(jnp.sum(along_axes**2, axis=-1)), jnp.sum(along_axes, axis=-1))
    apart = _places(rays, dtype)[:, None] - (pieces.middle @ across)[None]
    return jnp.any(jnp.abs(apart) <= half[None], axis=-1).astype(dtype)


def draw_views(key: Array, n: int, n_views: int, *, n_pieces: int, side: int, rays: int, dtype: Any = float) -> Views:
    """Random shapes, each from random directions; ellipses and rectangles are as frequent.

    Args:
        key: random key.
        n: shapes.
        n_views: of each; angles are uniform.
        n_pieces: of each.
        side: pixels in a row of the occupancy.
        rays: of a view.
        dtype: of all numbers.

    Example:
        >>> views = draw_views(jax.random.key(0), 5, 4, n_pieces=3, side=8, rays=10)
        >>> views.occupancy.shape, views.silhouette.shape, views.angle.shape
        ((5, 8, 8), (5, 4, 10), (5, 4))
    """
    u = jax.random.uniform(key, (n, 6 * n_pieces + n_views), dtype)  # one large draw compiles sooner than two
    pieces = _pieces(jnp.moveaxis(u[:, : 6 * n_pieces].reshape(n, n_pieces, 6), -1, 0))
    angle = 2 * jnp.pi * u[:, 6 * n_pieces :]
    seen = jax.vmap(jax.vmap(lambda shape, a: silhouette(shape, a, rays), in_axes=(None, 0)))
    return Views(jax.vmap(lambda shape: occupancy(shape, side))(pieces), seen(pieces, angle), angle)
