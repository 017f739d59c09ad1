"""Moving frames of images: a centre and a matrix that move with the image, and the image seen from there.

The second moments of an image are a matrix that goes to ``A S A^T`` when the image is moved by A. Its square root is
therefore an element of the group up to a rotation, found from the image itself, ``P(L_A f) = A P(f) Q`` with a rotation
Q. A sample of the group taken relative to it, ``P u_i``, moves with the image; what a network computes there is
exactly invariant to all stretches and shears, for any number of elements, and what is left to average over is the
compact group of rotations, where N equidistant angles are a rule of spectral accuracy.

``pull_back`` gives the image in the coordinates of an element, ``y -> f(centre + h y)``. There every kernel is at the
identity, so one ordinary network applied to all pulled back images is a network on the group.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from equiv.groups.decompositions import spd_sqrt
from equiv.groups.matrices import invert
from equiv.layers.lie_conv import PlaneSignal

__all__ = ["moment_frame", "pull_back"]


def _positions(signal: PlaneSignal) -> Array:
    """Of the pixels, (H, W, 2), the middle of the grid being the origin."""
    side = signal.values.shape[-1]
    steps = np.arange(side) - (side - 1) / 2
    rows, columns = np.meshgrid(steps, steps, indexing="ij")
    grid = jnp.asarray(np.stack([columns, rows], axis=-1), signal.pixel.dtype)
    return grid @ signal.pixel.T


def moment_frame(signal: PlaneSignal) -> tuple[Float[Array, "... 2"], Float[Array, "... 2 2"]]:
    """The centre of mass m of an image and the square root P of its second moments.

    ``m = sum f x / sum f`` and ``P^2 = sum f (x - m)(x - m)^T / sum f``, over pixels and channels. If f is moved by A
    and t, they go to ``A m + t`` and to the square root of ``A P^2 A^T``, which is ``A P Q`` with a rotation Q.

    Args:
        signal: non-negative values (..., C, H, H), 0 far out; what the border cuts off is missing in the moments.

    Returns:
        m (..., 2) and P (..., 2, 2), symmetric and positive; NaN for an image without mass or with all of it on a line.

    Example:
        >>> from equiv.layers.lie_conv import image
        >>> square = image(jnp.zeros((1, 6, 6)).at[0, 1:3, 2:4].set(1.0), spacing=2.0)
        >>> centre, frame = moment_frame(square)
        >>> centre.tolist(), frame.tolist()
        ([0.0, 2.0], [[1.0, 0.0], [0.0, 1.0]])

    Reference:
        Puny, Atzmon, Ben-Hamu, Misra, Grover, Smith, Lipman, Frame Averaging for Invariant and Equivariant Network
        Design, ICLR 2022 (arXiv 2110.03336), for frames from second moments.
    """
    x = _positions(signal)
    mass = jnp.sum(signal.values, axis=-3)
    total = jnp.sum(mass, axis=(-2, -1))
    mass = mass / total[..., None, None]
    centre = jnp.einsum("...hw,hwi->...i", mass, x)
    apart = x.reshape((1,) * (centre.ndim - 1) + x.shape) - centre[..., None, None, :]
    moments = jnp.einsum("...hw,...hwi,...hwj->...ij", mass, apart, apart)
    return centre, spd_sqrt(moments)


@functools.cache
def _spline(side: int) -> np.ndarray:
    """From values on a line of pixels to the coefficients of their cubic B-spline, 0 beyond the ends."""
    return np.linalg.inv(np.diag(np.full(side, 4 / 6)) + (np.eye(side, k=1) + np.eye(side, k=-1)) / 6)


def _cubic(t: Array) -> Array:
    """The cubic B-spline at t."""
    t = jnp.minimum(jnp.abs(t), 2)
    return jnp.where(t < 1, 4 - 6 * t**2 + 3 * t**3, (2 - t) ** 3) / 6


def pull_back(
    signal: PlaneSignal, centre: Float[Array, "2"], elements: Float[Array, "n 2 2"], side: int, spacing: float
) -> Float[Array, "... n c side side"]:
    """The image in the coordinates of each element, ``f_i(y) = f(centre + h_i y)``, on a grid of its own.

    Between pixels f is the cubic spline through them, and 0 outside.

    Args:
        signal: values (..., C, H, H).
        centre: where the origin of y is.
        elements: (N, 2, 2).
        side: pixels across a result.
        spacing: of its pixels, in units of y; upright.

    Returns:
        (..., N, C, side, side).

    Example:
        >>> from equiv.layers.lie_conv import image
        >>> f = image(jnp.arange(25.0).reshape(1, 5, 5), spacing=1.0)
        >>> pull_back(f, jnp.zeros(2), jnp.eye(2)[None], 3, 1.0)[0, 0].round().astype(int).tolist()
        [[6, 7, 8], [11, 12, 13], [16, 17, 18]]
    """
    values, dtype = signal.values, signal.values.dtype
    inside = PlaneSignal(jnp.zeros((side, side), dtype), spacing * jnp.asarray(np.diag([1.0, -1.0]), dtype))
    y = _positions(inside).reshape(-1, 2)
    x = jnp.einsum("nij,kj->nki", elements, y) + centre.reshape(1, 1, 2)
    places = x @ invert(signal.pixel).T  # in pixels, the middle of the grid at 0
    steps = jnp.asarray(np.arange(values.shape[-1]) - (values.shape[-1] - 1) / 2, dtype).reshape(1, 1, -1)
    columns, rows = _cubic(places[..., :1] - steps), _cubic(places[..., 1:] - steps)  # (N, K, H)
    spline = jnp.asarray(_spline(values.shape[-1]), dtype)
    coefficients = jnp.einsum("ih,...hw,jw->...ij", spline, values, spline)
    seen = jnp.einsum("nkh,...chw,nkw->...nck", rows, coefficients, columns)
    return seen.reshape(*seen.shape[:-1], side, side)
