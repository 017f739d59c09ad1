"""Digits drawn by a pen: Gaussians along lines, so that an affine copy is rendered exactly.

A digit is a sum of Gaussian spots along its strokes, saturated as ink is:

    f(x) = 1 - exp(- sum_i w_i exp(- (x - m_i)^T C_i^-1 (x - m_i) / 2))

and ``f(A^-1 (x - t))`` has the same form with ``m -> A m + t``, ``C -> A C A^T`` and the same weights: heights of spots
are kept, not their masses. Nothing is interpolated, whatever the map.

Each class has two or three ways to be written. A way is a list of strokes through control points, joined by
Catmull-Rom splines, and cut into ``SPOTS`` pieces of equal length; a piece of length l becomes a spot of variance
``l^2 / 4`` along it and that of the pen in every direction, so that a stroke is even to two per cent. From sample to
sample the control points, the slant, the proportions, the width of the pen and its ink differ. What is written is then
brought to one size and put in the middle, as the digits of MNIST are. Sixes have a bent back and nines a straight stem:
most can be told from the other one turned, but not all.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data.affine import SIDE, centres

__all__ = ["N_CLASSES", "SIZE", "SPOTS", "WAYS", "Strokes", "draw"]

N_CLASSES = 10
"""Digits 0 to 9."""
SPOTS = 36
"""Gaussians of one digit."""
SIZE = 17.0
"""The larger side of the box around the middle lines of a digit, in pixels; the pen adds about 3."""
_REACH = 3.0  # standard deviations of a spot that count as ink
_JITTER, _SLANT, _ASPECT, _TURN = 0.1, 0.15, 0.12, 0.05
_PEN, _INK = (0.75, 1.5), (1.2, 2.5)


class Way(NamedTuple):
    """One way to write a digit.

    Attributes:
        points: control points (x, y) in a box of height 2, y up.
        strokes: for each stroke the numbers of its points in order; a point named twice in a row is a corner, a stroke
            that ends where it began is closed.
    """

    points: tuple[tuple[float, float], ...]
    strokes: tuple[tuple[int, ...], ...]


def _line(*points: tuple[float, float], corners: tuple[int, ...] = ()) -> Way:
    """One stroke through all points."""
    return Way(points, (tuple(i for i in range(len(points)) for _ in range(1 + (i in corners))),))


def _ring(x: float, y: float, width: float, height: float, n: int = 8) -> tuple[tuple[float, float], ...]:
    """Points of an ellipse, from its top, counter-clockwise."""
    angles = np.pi / 2 + 2 * np.pi * np.arange(n) / n
    return tuple((x + width * float(np.cos(a)), y + height * float(np.sin(a))) for a in angles)


WAYS: tuple[tuple[Way, ...], ...] = (
    (
        Way(_ring(0, 0, 0.62, 1), ((0, 1, 2, 3, 4, 5, 6, 7, 0),)),
        _line((0.25, 0.9), (-0.3, 0.8), (-0.6, 0.1), (-0.35, -0.8), (0.1, -1), (0.55, -0.4), (0.6, 0.4), (0.1, 0.95)),
    ),
    (
        _line((0, 1), (0, 0.3), (0, -0.3), (0, -1)),
        _line((-0.4, 0.55), (0.05, 1), (0.05, 0.2), (0.05, -1), corners=(1,)),
        Way(((-0.35, 0.6), (0, 1), (0, 0), (0, -1), (-0.45, -1), (0.45, -1)), ((0, 1, 1, 2, 3), (4, 5))),
    ),
    (
        _line((-0.6, 0.55), (-0.1, 1), (0.5, 0.7), (0.4, 0.1), (-0.6, -0.95), (0.65, -0.95), corners=(4,)),
        _line(
            *((-0.55, 0.6), (0, 1), (0.5, 0.6), (0.1, -0.3), (-0.4, -0.85), (-0.6, -0.7), (-0.35, -0.5)),
            *((0.1, -0.85), (0.65, -0.9)),
        ),
        _line((-0.5, 0.7), (0.1, 1), (0.55, 0.5), (0, -0.4), (-0.6, -1), (0, -0.85), (0.65, -1), corners=(4,)),
    ),
    (
        _line(
            *((-0.55, 0.75), (0, 1), (0.5, 0.6), (0.35, 0.15), (-0.1, 0.05), (0.4, -0.1), (0.6, -0.5)),
            *((0.1, -1), (-0.6, -0.75)),
            corners=(4,),
        ),
        _line(
            *((-0.5, 0.95), (0.55, 0.95), (-0.05, 0.2), (0.45, 0.05), (0.6, -0.5), (0.1, -1), (-0.6, -0.8)),
            corners=(1, 2),
        ),
    ),
    (
        Way(((-0.4, 1), (-0.6, -0.1), (0.65, -0.1), (0.3, 0.7), (0.3, -1)), ((0, 1, 1, 2), (3, 4))),
        _line((0.3, -1), (0.3, 1), (-0.65, -0.25), (0.7, -0.25), corners=(1, 2)),
        Way(((-0.5, 0.95), (-0.5, 0.2), (0, 0.05), (0.5, 0.2), (0.5, 1), (0.45, -1)), ((0, 1, 2, 3), (4, 5))),
    ),
    (
        Way(
            ((-0.4, 0.95), (-0.5, 0.15), (0.1, 0.25), (0.6, -0.3), (0.1, -1), (-0.6, -0.8), (0.6, 0.95)),
            ((0, 1, 1, 2, 3, 4, 5), (0, 6)),
        ),
        _line((0.6, 1), (-0.3, 0.9), (-0.45, 0.2), (0.2, 0.2), (0.55, -0.4), (0, -1), (-0.6, -0.75), corners=(1, 2)),
    ),
    (
        _line(
            *((0.45, 0.95), (-0.1, 0.6), (-0.5, -0.1), (-0.5, -0.7), (0, -1), (0.5, -0.65), (0.35, -0.15)),
            *((-0.1, -0.1), (-0.5, -0.5)),
        ),
        _line(
            *((0.1, 1), (-0.4, 0.4), (-0.6, -0.4), (-0.2, -1), (0.4, -0.85), (0.5, -0.3), (0, 0), (-0.5, -0.35)),
        ),
    ),
    (
        _line((-0.6, 0.95), (0.6, 0.95), (0.15, 0), (-0.1, -1), corners=(1,)),
        Way(((-0.6, 0.95), (0.6, 0.95), (0, -1), (-0.35, 0), (0.5, 0.05)), ((0, 1, 1, 2), (3, 4))),
        _line((-0.6, 0.6), (-0.55, 0.95), (0.6, 0.9), (0.05, -0.2), (-0.05, -1), corners=(1, 2)),
    ),
    (
        _line(
            *((0.45, 0.75), (0, 1), (-0.45, 0.6), (0, 0.1), (0.55, -0.5), (0, -1), (-0.55, -0.5), (0, 0.1)),
            *((0.45, 0.6), (0.35, 0.85)),
        ),
        Way(
            (*_ring(0, 0.5, 0.42, 0.5, 6), *_ring(0, -0.5, 0.52, 0.5, 6)),
            ((0, 1, 2, 3, 4, 5, 0), (6, 7, 8, 9, 10, 11, 6)),
        ),
    ),
    (
        _line(
            *((0.45, 0.75), (0, 1), (-0.5, 0.6), (-0.3, 0.15), (0.2, 0.2), (0.5, 0.8), (0.45, 0), (0.35, -1)),
            corners=(5,),
        ),
        Way((*_ring(0.02, 0.5, 0.45, 0.45, 6), (0.5, 0.95), (0.45, 0), (0.4, -1)), ((0, 1, 2, 3, 4, 5, 0), (6, 7, 8))),
    ),
)
"""Class -> the ways to write it; made up here."""


def _spline(stroke: tuple[int, ...], n_points: int, at: np.ndarray) -> np.ndarray:
    """The weights (len(at), n_points) of the control points in the points of a stroke at parameters from 0 to 1.

    The uniform Catmull-Rom spline; beyond an open end the line goes on as it came.
    """
    rows = np.eye(n_points)[list(stroke)]
    closed = stroke[0] == stroke[-1]
    before, after = (rows[-2], rows[1]) if closed else (2 * rows[0] - rows[1], 2 * rows[-1] - rows[-2])
    rows = np.stack([before, *rows, after])
    pieces = len(stroke) - 1
    piece = np.minimum((at * pieces).astype(int), pieces - 1)
    u = at * pieces - piece
    basis = np.stack([-(u**3) + 2 * u**2 - u, 3 * u**3 - 5 * u**2 + 2, -3 * u**3 + 4 * u**2 + u, u**3 - u**2]) / 2
    return np.einsum("jn,jnk->nk", basis, np.stack([rows[piece + j] for j in range(4)]))


def _pieces(way: Way, n_points: int) -> tuple[np.ndarray, np.ndarray]:
    """The weights (SPOTS, n_points) of the control points in both ends of every piece."""
    points = np.zeros((n_points, 2))
    points[: len(way.points)] = way.points
    fine = np.linspace(0, 1, 2001)
    lengths = []
    for stroke in way.strokes:
        steps = np.diff(_spline(stroke, n_points, fine) @ points, axis=0)
        lengths.append(np.concatenate([[0], np.cumsum(np.hypot(*steps.T))]))
    whole = np.array([length[-1] for length in lengths])
    counts = np.maximum(np.floor(SPOTS * whole / whole.sum()).astype(int), 1)
    counts[np.argmax(whole)] += SPOTS - counts.sum()
    ends = []
    for stroke, length, count in zip(way.strokes, lengths, counts):
        cuts = np.interp(np.linspace(0, length[-1], count + 1), length, fine)
        weights = _spline(stroke, n_points, cuts)
        ends.append((weights[:-1], weights[1:]))
    start, stop = (np.concatenate(parts) for parts in zip(*ends))
    return start, stop


class _Table(NamedTuple):
    """All ways.

    Attributes:
        points: (ways, k, 2), control points.
        start: (ways, SPOTS, k), their weights in one end of each piece.
        stop: the same of the other end.
        first: (N_CLASSES,), the first way of each class.
        count: (N_CLASSES,), how many it has.
    """

    points: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    first: np.ndarray
    count: np.ndarray


@functools.cache
def _table() -> _Table:
    ways = [way for of_class in WAYS for way in of_class]
    k = max(len(way.points) for way in ways)
    points = np.zeros((len(ways), k, 2))
    for row, way in zip(points, ways):
        row[: len(way.points)] = way.points
    start, stop = (np.stack(parts) for parts in zip(*(_pieces(way, k) for way in ways)))
    count = np.array([len(of_class) for of_class in WAYS])
    return _Table(points, start, stop, np.cumsum(count) - count, count)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Strokes:
    """Digits as spots; a record of ``experiments.data.affine.Shapes``.

    Attributes:
        mean: (..., m, 2), in pixels.
        covariance: (..., m, 2, 2).
        weight: (..., m), the height of each spot before saturation; 0 for none.
    """

    mean: jax.Array
    covariance: jax.Array
    weight: jax.Array

    def moved(self, a: jax.Array, t: jax.Array) -> "Strokes":
        """The digits moved by ``x -> a x + t``, exactly.

        Args:
            a: (..., 2, 2), of the leading axes of the record.
            t: (..., 2), in pixels.
        """
        mean = jnp.einsum("...ij,...mj->...mi", a, self.mean) + t[..., None, :]
        covariance = jnp.einsum("...ij,...mjk,...lk->...mil", a, self.covariance, a)
        return Strokes(mean, covariance, self.weight)

    def render(self, side: int = SIDE) -> jax.Array:
        """Their pictures, (..., side, side), from 0 to 1."""
        c = self.covariance
        xx, xy, yy = c[..., 0, 0], c[..., 0, 1], c[..., 1, 1]
        det = xx * yy - xy * xy
        xx, xy, yy = yy / det, -xy / det, xx / det
        places = centres(side, self.mean.dtype)
        shape = (*(1,) * (self.mean.ndim - 2), side, side)

        def over(pixels: jax.Array, spots: jax.Array) -> jax.Array:
            """A function of pixel and spot, (..., side, side, m)."""
            return pixels.reshape(*shape, 1) - spots[..., None, None, :]

        def each(spots: jax.Array) -> jax.Array:
            return spots[..., None, None, :]

        x, y = over(places[..., 0], self.mean[..., 0]), over(places[..., 1], self.mean[..., 1])
        square = each(xx) * x * x + 2 * each(xy) * x * y + each(yy) * y * y
        return -jnp.expm1(-jnp.sum(each(self.weight) * jnp.exp(-square / 2), axis=-1))

    def extent(self) -> tuple[jax.Array, jax.Array]:
        """Opposite corners (..., 2) of a box that holds three standard deviations of every spot."""
        spread = _REACH * jnp.sqrt(jnp.diagonal(self.covariance, axis1=-2, axis2=-1))
        there = self.weight[..., None] > 0
        low = jnp.min(jnp.where(there, self.mean - spread, jnp.inf), axis=-2)
        return low, jnp.max(jnp.where(there, self.mean + spread, -jnp.inf), axis=-2)

    def take(self, indices: jax.Array) -> "Strokes":
        """Those with these numbers along the first axis."""
        return jax.tree.map(lambda leaf: leaf[indices], self)


def draw(key: jax.Array, n: int, dtype: Any = float) -> tuple[Strokes, jax.Array]:
    """Random upright digits and their labels, each class as likely as another.

    Args:
        key: random key.
        n: how many.
        dtype: of the numbers.

    Returns:
        The digits, n of them, and labels (n,) int32.

    Example:
        >>> digits, labels = draw(jax.random.key(0), 4)
        >>> digits.mean.shape, digits.render().shape, labels.dtype
        ((4, 36, 2), (4, 40, 40), dtype('int32'))
    """
    keys = jax.random.split(key, 8)
    table = _table()
    dtype = jnp.zeros((), dtype).dtype
    label = jax.random.randint(keys[0], (n,), 0, N_CLASSES, jnp.int32)
    first, count = (jnp.asarray(table[i], jnp.int32)[label] for i in (3, 4))
    way = first + jax.random.randint(keys[1], (n,), 0, 2**30, jnp.int32) % count
    points, start, stop = (jnp.asarray(part, dtype)[way] for part in table[:3])

    points = points + _JITTER * jax.random.normal(keys[2], points.shape, dtype)
    slant = _SLANT * jax.random.normal(keys[3], (n,), dtype)
    aspect = jnp.exp(_ASPECT * jax.random.normal(keys[4], (n,), dtype))
    turn = _TURN * jax.random.normal(keys[5], (n,), dtype)
    zero, one = jnp.zeros((n,), dtype), jnp.ones((n,), dtype)
    cos, sin = jnp.cos(turn), jnp.sin(turn)
    shape = jnp.stack([jnp.stack([aspect, slant], -1), jnp.stack([zero, one], -1)], -2)
    rotation = jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], -2)
    points = jnp.einsum("nij,njl,nkl->nki", rotation, shape, points)

    ends = [jnp.einsum("nmk,nkd->nmd", weights, points) for weights in (start, stop)]
    mean, step = (ends[0] + ends[1]) / 2, ends[1] - ends[0]
    low, high = jnp.min(mean, axis=1, keepdims=True), jnp.max(mean, axis=1, keepdims=True)
    scale = SIZE / jnp.max(high - low, axis=-1, keepdims=True)
    mean, step = (mean - (low + high) / 2) * scale, step * scale
    pen = jnp.exp(jax.random.uniform(keys[6], (n, 1, 1, 1), dtype, *map(float, np.log(_PEN))))
    eye = jnp.eye(2, dtype=dtype).reshape(1, 1, 2, 2)
    covariance = step[..., :, None] * step[..., None, :] / 4 + pen**2 * eye
    ink = jax.random.uniform(keys[7], (n, 1), dtype, *_INK)
    return Strokes(mean, covariance, jnp.broadcast_to(ink, mean.shape[:-1])), label
