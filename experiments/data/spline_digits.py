"""Scikit-learn's handwritten digits as functions on the plane, so that an affine copy is sampled once and exactly.

The 8 x 8 pixels of an image are taken for the values of a function on a grid, zero around it, and the function is
their cubic spline,

    f(x, y) = sum_ij c_ij B(u(x) - i) B(v(y) - j),

B the cubic B-spline and (u, v) the place in units of the coarse pixels, cut to the values from 0 to 1 between no ink
and full ink (splines overshoot). The picture of a copy is f at the centres of the pixels, carried back; an image is
never resampled twice. A coarse pixel is 2.5 pixels wide: the digit stands 20 pixels tall in a picture of 40, as one of
MNIST does in affNIST.

Images, classes (0 to 8: a turned 6 is a 9) and their ``split`` are those of ``experiments.data.digits``.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data import digits
from experiments.data.affine import SIDE, centres

__all__ = ["MARGIN", "N_CLASSES", "PITCH", "Splines", "b_spline", "coefficients", "load"]

PITCH = 2.5
"""Width of a pixel of the source in pixels of the picture."""
MARGIN = 4
"""Zeros kept around an image; its coefficients fall by a factor of 3.7 from each to the next, and are cut off there."""
N_CLASSES = digits.N_CLASSES
"""Digits 0 to 8."""
_INK = 1 / 16
"""The least value of a source pixel that counts as ink, the step of the source."""


def b_spline(u: jax.Array) -> jax.Array:
    """The cubic B-spline, centred at 0, of width 4 and integral 1.

    Example:
        >>> [round(6 * float(b_spline(jnp.asarray(u))), 4) for u in (-1.0, 0.0, 1.0, 2.5)]
        [1.0, 4.0, 1.0, 0.0]
    """
    u = jnp.abs(u)
    near = 2 / 3 - u * u + u * u * u / 2
    far = (2 - u) ** 3 / 6
    return jnp.where(u < 1, near, jnp.where(u < 2, far, jnp.zeros((), u.dtype)))


def coefficients(images: np.ndarray) -> np.ndarray:
    """The coefficients of the cubic splines through the pixels of images and through ``MARGIN`` zeros around them.

    Args:
        images: (..., k, k).

    Returns:
        (..., k + 2 MARGIN, k + 2 MARGIN), float64.

    Example:
        >>> coefficients(np.ones((1, 1)))[4, 4].round(3)  # 3 along each axis
        np.float64(3.0)
    """
    images = np.asarray(images, np.float64)
    padded = np.pad(images, [(0, 0)] * (images.ndim - 2) + [(MARGIN, MARGIN)] * 2)
    n = padded.shape[-1]
    values = (4 * np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1)) / 6
    inverse = np.linalg.inv(values)
    return inverse @ padded @ inverse.T


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Splines:
    """Digits as splines, each moved by an affine map; a record of ``experiments.data.affine.Shapes``.

    Attributes:
        coefficient: (..., k, k), rows from the top.
        a: (..., 2, 2), the matrix of the map ``x -> a x + t``.
        t: (..., 2), its shift, in pixels.
    """

    coefficient: jax.Array
    a: jax.Array
    t: jax.Array

    def moved(self, a: jax.Array, t: jax.Array) -> "Splines":
        """The digits moved once more.

        Args:
            a: (..., 2, 2), of the leading axes of the record.
            t: (..., 2), in pixels.
        """
        return Splines(self.coefficient, a @ self.a, jnp.einsum("...ij,...j->...i", a, self.t) + t)

    def render(self, side: int = SIDE) -> jax.Array:
        """Their pictures, (..., side, side), from 0 to 1."""
        k, dtype, batch = self.coefficient.shape[-1], self.coefficient.dtype, self.t.ndim - 1
        p, q, r, s = (self.a[..., i, j][..., None] for i in (0, 1) for j in (0, 1))
        det = p * s - q * r
        places = centres(side, dtype).reshape(*(1,) * batch, side * side, 2) - self.t[..., None, :]
        x, y = places[..., 0], places[..., 1]
        column = (s * x - q * y) / det / PITCH + (k - 1) / 2
        row = (r * x - p * y) / det / PITCH + (k - 1) / 2  # y is up, rows go down
        grid = jnp.arange(k, dtype=dtype).reshape(*(1,) * (batch + 1), k)
        rows, columns = b_spline(row[..., None] - grid), b_spline(column[..., None] - grid)
        value = jnp.sum(jnp.einsum("...pi,...ij->...pj", rows, self.coefficient) * columns, axis=-1)
        return jnp.clip(value, 0, 1).reshape(*self.t.shape[:-1], side, side)

    def extent(self) -> tuple[jax.Array, jax.Array]:
        """Opposite corners (..., 2) of a box that holds every source pixel with ink, and one pixel more."""
        k, dtype, batch = self.coefficient.shape[-1], self.coefficient.dtype, self.t.ndim - 1
        grid = jnp.arange(k, dtype=dtype).reshape(1, k)
        nodes = b_spline(grid - grid.T)
        inked = (jnp.einsum("ri,...ij,cj->...rc", nodes, self.coefficient, nodes) > _INK / 2).reshape(
            *self.t.shape[:-1], k * k, 1
        )
        places = PITCH * centres(k, dtype).reshape(*(1,) * batch, k * k, 2)
        places = jnp.einsum("...ij,...nj->...ni", self.a, jnp.broadcast_to(places, (*self.t.shape[:-1], k * k, 2)))
        around = PITCH * jnp.sum(jnp.abs(self.a), axis=-1)
        low = jnp.min(jnp.where(inked, places, jnp.inf), axis=-2) + self.t - around
        return low, jnp.max(jnp.where(inked, places, -jnp.inf), axis=-2) + self.t + around

    def take(self, indices: jax.Array) -> "Splines":
        """Those with these numbers along the first axis."""
        return jax.tree.map(lambda leaf: leaf[indices], self)


@functools.cache
def _all() -> tuple[np.ndarray, np.ndarray]:
    images, labels = digits.load()
    return coefficients((images.reshape(-1, digits.SIDE, digits.SIDE) + 1) / 2), labels


def load(dtype: Any = float) -> tuple[Splines, jax.Array]:
    """All digits as they come, and their labels, in the order of ``experiments.data.digits.load``.

    Args:
        dtype: of the numbers.

    Returns:
        The digits, 1617 of them, and labels (1617,) int32; ``digits.split(key)`` says which are for training.

    Example:
        >>> shapes, labels = load()
        >>> shapes.take(jnp.arange(3)).render().shape, labels.shape
        ((3, 40, 40), (1617,))
    """
    values, labels = _all()
    c = jnp.asarray(values, dtype)
    a = jnp.broadcast_to(jnp.eye(2, dtype=c.dtype).reshape(1, 2, 2), (len(c), 2, 2))
    return Splines(c, a, jnp.zeros((len(c), 2), c.dtype)), jnp.asarray(labels)
