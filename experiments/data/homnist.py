r"""homNIST: the test digits of MNIST in frames of 40 x 40 pixels, moved by homographies; made here from MNIST.

Coordinates (row, column) run from -1 to 1 between the centres of the outermost pixels, and a homography H in SL(3)
moves a point by ``(u, v, w) = H (row, column, 1)``, ``(u/w, v/w)``. A moved image has at a point what the image has at
the point that H^-1 takes it to, bilinearly between pixels, and nothing outside.

``H = exp(sum_i v_i E_i)`` with the eight E_i of ``BASIS``. Coordinates v begin as a Gaussian of standard deviation
``SCALES / 2`` and make one or more steps of the same law, until a step from v to v' is accepted: with probability
``J(-v') / J(-v)``, J the density of the Haar measure in these coordinates, ``det (1 - exp(-ad_v)) / ad_v``, from ten
terms of its series. They move whether the step is accepted or not, so that this is no Metropolis sampling, and their
law is not that of Haar; it is what the data set is made of.

Reference:
    MacDonald, Ramasinghe, Lucey, Enabling Equivariance for Arbitrary Lie Groups, CVPR 2022 (arXiv 2111.08251); the
    recipe as read in the public code.

Differs from the paper: the digits are the same, the random numbers are not; images are not stored but made when they
are used; outside an image there is no ink, which the public code takes from the pixels at its edge, without ink too.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from experiments.data import mnist
from experiments.data.public import Images

__all__ = ["BASIS", "COPIES", "PUBLISHED", "SCALES", "SIDE", "density", "homographies", "load", "missing", "pull_back"]

SIDE = 40
"""Pixels along one side of an image."""
COPIES = 32
"""Ways in which each digit is moved."""
SCALES = (0.15, 0.35, 0.17, 0.35, 0.15, 0.17, 0.15, 0.15)
"""Twice the standard deviation of a step along each direction."""
PUBLISHED = mnist.PUBLISHED
"""Where the files come from."""
_TERMS = 10


def _unit(i: int, j: int) -> np.ndarray:
    matrix = np.zeros((3, 3))
    matrix[i, j] = 1
    return matrix - (i == j) * np.eye(3) / 3


BASIS = np.stack([_unit(*place) for place in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1))])
"""The directions (8, 3, 3): E_11 - 1/3, E_12, E_13, E_21, E_22 - 1/3, E_23, E_31, E_32."""


@functools.cache
def _brackets() -> np.ndarray:
    """``ad``: (8, 8, 8), the coordinates [i, :, j] of ``E_i E_j - E_j E_i``."""
    flat = BASIS.reshape(8, 9).T
    products = np.einsum("iab,jbc->ijac", BASIS, BASIS)
    commutators = (products - np.swapaxes(products, 0, 1)).reshape(64, 9).T
    return np.swapaxes(np.linalg.lstsq(flat, commutators, rcond=None)[0].T.reshape(8, 8, 8), 1, 2)


def density(v: np.ndarray) -> np.ndarray:
    """``|det (1 - exp(-ad_v)) / ad_v|``, the Haar measure in exponential coordinates, from ten terms of its series.

    Args:
        v: (..., 8).

    Returns:
        (...).

    Example:
        >>> density(np.zeros(8))
        np.float64(1.0)
    """
    ad = np.einsum("...i,ikj->...kj", v, _brackets())
    power = total = np.broadcast_to(np.eye(8), ad.shape)
    for k in range(1, _TERMS):
        power = -power @ ad
        total = total + power / math.factorial(k + 1)
    return np.abs(np.linalg.det(total))


def homographies(draw: np.random.Generator, n: int) -> np.ndarray:
    """Random matrices of determinant 1, as the data set has them.

    Args:
        draw: numpy's generator.
        n: how many.

    Returns:
        (n, 3, 3) float64.
    """
    deviation = np.asarray(SCALES) / 2
    v = deviation * draw.standard_normal((n, 8))
    before = density(-v)
    moving = np.arange(n)
    while len(moving):
        v[moving] += deviation * draw.standard_normal((len(moving), 8))
        now = density(-v[moving])
        refused = now / before[moving] < draw.random(len(moving))
        before[moving] = now
        moving = moving[refused]
    return scipy.linalg.expm(np.einsum("ni,ijk->njk", v, BASIS))


def pull_back(images: jax.Array, matrices: jax.Array) -> jax.Array:
    """Images moved by homographies.

    Args:
        images: (..., side, side).
        matrices: (..., 3, 3), of the same leading axes.

    Returns:
        (..., side, side).

    Example:
        >>> image = jnp.zeros((5, 5)).at[1, 2].set(1.0)
        >>> up = jnp.array([[1.0, 0.0, -0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])  # one row of a frame of five
        >>> jnp.argwhere(pull_back(image, up) == 1).tolist()
        [[0, 2]]
    """
    side, dtype = images.shape[-1], images.dtype
    along = jnp.linspace(-1, 1, side, dtype=dtype)
    rows, columns = jnp.meshgrid(along, along, indexing="ij")
    places = jnp.stack([rows, columns, jnp.ones_like(rows)], axis=-1)
    # the inverse up to a factor, which does not move the point: products of two rows
    a, b, c = (matrices[..., i, :] for i in range(3))
    inverse = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)], axis=-1)
    inverse = inverse / jnp.sum(a * jnp.cross(b, c), axis=-1)[..., None, None]
    u, v, w = jnp.moveaxis(jnp.einsum("...ij,rcj->...rci", inverse, places), -1, 0)
    ahead = w > 0  # behind the line that a homography sends to infinity there is nothing to see
    w = jnp.where(ahead, w, jnp.ones_like(w))
    row, column = ((x / w + 1) * (side - 1) / 2 for x in (u, v))
    near = ahead & (jnp.abs(row) < 2 * side) & (jnp.abs(column) < 2 * side)
    flat = images.reshape(*images.shape[:-2], side * side)
    row, column = jnp.where(near, row, -2), jnp.where(near, column, -2)
    top, left = jnp.floor(row), jnp.floor(column)
    total = jnp.zeros_like(row)
    for i, wi in ((top, 1 - (row - top)), (top + 1, row - top)):
        for j, wj in ((left, 1 - (column - left)), (left + 1, column - left)):
            inside = (i >= 0) & (i < side) & (j >= 0) & (j < side)
            index = jnp.where(inside, i * side + j, 0).astype(jnp.int32)
            found = jnp.take_along_axis(flat, index.reshape(*flat.shape[:-1], -1), axis=-1).reshape(index.shape)
            total = total + jnp.where(inside, wi * wj * found, 0)
    return total


def missing(data: str) -> str | None:
    """The sentence that says what is missing; None if nothing is."""
    return mnist.missing(data, "train", "test")


def load(data: str, part: str) -> Images:
    """The unmoved images of a part of MNIST in their frames, (n, 40, 40), and labels.

    Raises:
        Mistake: a file is missing or damaged.
    """
    x, y = mnist.load(data, part)
    return Images(mnist.framed(x, SIDE), y)
