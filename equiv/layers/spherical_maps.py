r"""Maps on a grid of the sphere, and a rotation taken apart into a viewpoint and a turn in the plane.

A map has H rows of polar angles ``phi_i = (i + 1/2) pi / H`` and W columns of longitudes ``rho_j = (j + 1/2) 2 pi /
W``; y is the polar axis, and the middle of a cell is ``(sin phi sin rho, cos phi, sin phi cos rho)``. A neighbour of
the first row is the first row itself, half a turn further, so that a map is padded across the poles (``pad``) and a
convolution needs no zeros. ``spherical_conv`` is the greater of a convolution and of the same with the kernel upside
down. It commutes with shifts of the longitude and with the reflection ``phi -> pi - phi``, to rounding, and with
nothing else: a half turn about an axis on the equator reverses both coordinates, and the kernel is not mirrored left to
right. Away from the equator a cell is narrower than it is high, so that other rotations are not even nearly kept.

Every rotation is ``R = R_vp R_ip``: the *viewpoint* ``R_vp = R_y(rho) R_x(phi)`` takes the pole to ``v = R e_y``, and
the turn ``R_ip = R_y(gamma)`` leaves the pole. A network reads v off a map (``direction``), looks at the map as it is
seen from there (``seen_from``), and has only a turn about the pole left to find.

Reference:
    Lin, Wei, Zhang, Jia, VI-Net, ICCV 2023 (arXiv 2308.09916); the layers as read in the public code.

Differs from the paper: the polar axis is y, so that nothing is permuted. Cells are coded and decoded by one rule, the
last row is not wrapped to the first, points that fall into one cell are told apart without a race, and a viewpoint is
read off all cells at once, weighted by their areas, instead of off two marginals: at a pole nothing depends on rho.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from equiv import numerics
from equiv.groups.base import intern
from equiv.groups.finite import whole
from equiv.layers.base import Params, SignalLayer, entry

__all__ = [
    "cell",
    "cell_centres",
    "cloud_map",
    "direction",
    "pad",
    "seen_from",
    "spherical_conv",
    "viewpoint_and_inplane",
]


# --- the grid ---------------------------------------------------------------------------------------------------------


def _grid(rows: Any, columns: Any) -> tuple[int, int]:
    rows, columns = whole(rows, 1, "the rows of a spherical map"), whole(columns, 2, "the columns of a spherical map")
    if columns % 2:
        raise ValueError(f"a spherical map needs an even number of columns, for the half turn at a pole, got {columns}")
    return rows, columns


def cell_centres(rows: int, columns: int) -> np.ndarray:
    """The unit vectors in the middle of the cells: (rows, columns, 3) float64.

    Args:
        rows: H, polar angles from the pole y on.
        columns: W, longitudes from z towards x; even.

    Raises:
        ValueError: no row, no column, or an odd number of columns.

    Example:
        >>> cell_centres(1, 4)[0].round(4).tolist()[:2]
        [[0.7071, 0.0, 0.7071], [0.7071, 0.0, -0.7071]]
    """
    rows, columns = _grid(rows, columns)
    phi = (np.arange(rows) + 0.5)[:, None] * np.pi / rows
    rho = (np.arange(columns) + 0.5)[None] * 2 * np.pi / columns
    return np.stack([np.sin(phi) * np.sin(rho), np.cos(phi) + 0 * rho, np.sin(phi) * np.cos(rho)], axis=-1)


def _angles(v: Array) -> tuple[Array, Array]:
    """Polar angle from 0 to pi and longitude from 0 to 2 pi, any length but 0."""
    around = jnp.hypot(v[..., 0], v[..., 2])
    rho = jnp.arctan2(v[..., 0], v[..., 2])
    return jnp.arctan2(around, v[..., 1]), jnp.where(rho < 0, rho + 2 * math.pi, rho)


def cell(v: Float[Array, "... 3"], rows: int, columns: int) -> tuple[Int[Array, "..."], Int[Array, "..."]]:
    """The cell of a direction; ``cell_centres`` takes it back to within half a cell.

    Args:
        v: vectors, not 0, of any length.
        rows: H.
        columns: W.

    Returns:
        Row from 0 to H - 1, and column from 0 to W - 1; at a pole any column is as good.

    Raises:
        ValueError: as ``cell_centres``.

    Example:
        >>> [int(i) for i in cell(jnp.array([0.0, -1.0, 0.0]), 8, 16)]  # the south pole is in the last row
        [7, 0]
    """
    rows, columns = _grid(rows, columns)
    phi, rho = _angles(v)
    place = lambda angle, most, n: jnp.clip(jnp.floor(angle * (n / most)).astype(jnp.int32), 0, n - 1)
    return place(phi, math.pi, rows), place(rho, 2 * math.pi, columns)


def cloud_map(
    points: Float[Array, "... n 3"], features: Float[Array, "... n c"], rows: int, columns: int
) -> Float[Array, "... c1 h w"]:
    """The farthest point of a cloud in each cell: its distance from the origin, then its features.

    Turns about y by whole cells shift the map. Of points that are equally far the first one counts.

    Args:
        points: (..., N, 3); those at the origin are in no cell.
        features: (..., N, C).
        rows: H.
        columns: W.

    Returns:
        (..., 1 + C, H, W), 0 where there is no point.

    Raises:
        ValueError: as ``cell_centres``.

    Example:
        >>> points = jnp.array([[0.0, 2.0, 0.1], [0.0, 1.0, 0.1]])
        >>> cloud_map(points, jnp.array([[5.0], [7.0]]), 2, 4)[:, 0, 0].round(2).tolist()
        [2.0, 5.0]
    """
    rows, columns = _grid(rows, columns)
    batch, n = points.shape[:-2], points.shape[-2]
    row, column = cell(jnp.where(points == 0, 0, points), rows, columns)
    far = numerics.norm(points)
    places = jnp.arange(n, dtype=jnp.int32)

    def one(index: Array, far: Array, features: Array) -> Array:
        farthest = jax.ops.segment_max(far, index, rows * columns)
        winner = jnp.where((far == farthest[index]) & (far > 0), places, n)
        first = jax.ops.segment_min(winner, index, rows * columns)
        there = first < n
        chosen = jnp.where(there, first, 0)
        found = jnp.concatenate([far[chosen, None], features[chosen]], axis=-1)
        return jnp.where(there[:, None], found, 0).T.reshape(-1, rows, columns)

    flat = (row * columns + column).reshape(-1, n), far.reshape(-1, n), features.reshape(-1, n, features.shape[-1])
    found = jax.vmap(one)(*flat)
    return found.reshape(*batch, *found.shape[1:])


# --- convolutions -----------------------------------------------------------------------------------------------------


def _checked(name: str, x: Any, channels: int | None = None) -> Array:
    x = jnp.asarray(x)
    wanted = "C" if channels is None else channels
    if x.ndim < 3 or x.shape[-1] == 0 or x.shape[-1] % 2 or x.shape[-2] == 0 or channels not in (None, x.shape[-3]):
        raise ValueError(f"{name} takes spherical maps (..., {wanted}, H, W) with an even W, got shape {x.shape}")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"{name} takes floating-point maps, got {x.dtype}; cast them, x.astype(float)")
    return x


def pad(x: Float[Array, "... c h w"], size: int) -> Float[Array, "... c h2 w2"]:
    """A map with the rows and columns that come next: across the poles, and all around.

    Above row 0 are rows 0, 1, ... again, half a turn further.

    Args:
        x: (..., C, H, W), W even.
        size: rows above and below, columns left and right; at most H and W.

    Returns:
        (..., C, H + 2 size, W + 2 size).

    Raises:
        ValueError: an odd W, or a size that is negative or larger than the map.

    Example:
        >>> pad(jnp.arange(8.0).reshape(1, 2, 4), 1)[0, 0].tolist()
        [1.0, 2.0, 3.0, 0.0, 1.0, 2.0]
    """
    x = _checked("pad", x)
    size = whole(size, 0, "the rows and columns of pad")
    if size > min(x.shape[-2:]):
        raise ValueError(f"pad takes at most as many rows and columns as a map of shape {x.shape} has, got {size}")
    if not size:
        return x
    beyond = jnp.roll(x, x.shape[-1] // 2, axis=-1)[..., ::-1, :]
    x = jnp.concatenate([beyond[..., -size:, :], x, beyond[..., :size, :]], axis=-2)
    return jnp.concatenate([x[..., -size:], x, x[..., :size]], axis=-1)


@functools.cache
def spherical_conv(channels_in: int, channels_out: int, size: int = 3) -> SignalLayer:
    """The greater of two convolutions: with a kernel, and with the kernel upside down.

    ``y = max(W * x, flip(W * flip(x)))``, the map padded across the poles. ``apply(params, x)`` takes (..., C, H, W)
    and gives (..., C', H, W). It commutes with shifts along W and with the flip of H; with no other rotation.

    Args:
        channels_in: C.
        channels_out: C'.
        size: of the kernel, odd.

    Raises:
        ValueError: no channel, an even size; in ``apply``, other channels, an odd W or a map smaller than the kernel.

    Example:
        >>> layer = spherical_conv(1, 2)
        >>> x, params = jax.random.normal(jax.random.key(0), (1, 6, 8)), layer.init(jax.random.key(1))
        >>> shifted = layer.apply(params, jnp.roll(x, 3, axis=-1))
        >>> bool(jnp.allclose(shifted, jnp.roll(layer.apply(params, x), 3, axis=-1), atol=1e-6))
        True

    Reference:
        Lin, Wei, Zhang, Jia, VI-Net, ICCV 2023 (arXiv 2308.09916), spatial spherical convolution.
    """
    channels_in = whole(channels_in, 1, "the channels that spherical_conv takes")
    channels_out = whole(channels_out, 1, "the channels that spherical_conv gives")
    size = whole(size, 1, "the size of spherical_conv")
    if size % 2 == 0:
        raise ValueError(f"the size of spherical_conv has to be odd, got {size}")
    name = f"spherical_conv({channels_in} -> {channels_out}, {size} x {size})"
    deviation = (2 / (channels_in * size**2)) ** 0.5

    def init(key: jax.Array, dtype: Any = float) -> Params:
        shape = (channels_out, channels_in, size, size)
        return {"kernel": jnp.asarray(deviation, dtype) * jax.random.normal(key, shape, dtype)}

    def apply(params: Params, x: Array) -> Array:
        x = _checked(name, x, channels_in)
        kernel = entry(name, params, "kernel").astype(x.dtype)
        padded = pad(x, size // 2).reshape(-1, channels_in, x.shape[-2] + size - 1, x.shape[-1] + size - 1)
        both = jnp.concatenate([kernel, kernel[..., ::-1, :]])  # flip(W * flip(x)) = flip(W) * x
        found = jax.lax.conv_general_dilated(padded, both, (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))
        found = jnp.maximum(found[:, :channels_out], found[:, channels_out:])
        return found.reshape(*x.shape[:-3], channels_out, *x.shape[-2:])

    return intern(SignalLayer(("spherical_conv", channels_in, channels_out, size), name, init, apply))


# --- viewpoints -------------------------------------------------------------------------------------------------------


def viewpoint_and_inplane(
    rotation: Float[Array, "... 3 3"],
) -> tuple[Float[Array, "... 3 3"], Float[Array, "... 3 3"]]:
    """``R = R_vp R_ip``: what takes the pole to ``v = R e_y``, and what is left, a turn about the pole.

    ``R_vp = R_y(rho) R_x(phi)`` with the longitude rho and the polar angle phi of v; rho = 0 where v is a pole.

    Args:
        rotation: (..., 3, 3).

    Returns:
        R_vp and R_ip, (..., 3, 3). R_ip is discontinuous in R where v is a pole, as it has to be.

    Example:
        >>> from equiv.reps.irreps import rotation_matrix
        >>> viewpoint, inplane = viewpoint_and_inplane(rotation_matrix((0.3, 0.5, 0.7)))  # R_y R_x R_y
        >>> bool(jnp.allclose(inplane, rotation_matrix((0.7, 0.0, 0.0)), atol=1e-6))
        True

    Reference:
        Lin, Wei, Zhang, Jia, VI-Net, ICCV 2023 (arXiv 2308.09916).
    """
    viewpoint = _viewpoint(rotation[..., 1])
    return viewpoint, jnp.einsum("...ji,...jk->...ik", viewpoint, rotation, precision="highest")


def _viewpoint(v: Array) -> Array:
    """``R_y(rho) R_x(phi)`` for unit vectors v, without an angle."""
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    sine = numerics.norm(jnp.stack([x, z], axis=-1))
    pole = sine == 0
    length = jnp.where(pole, 1, sine)
    s, c = jnp.where(pole, 0, x / length), jnp.where(pole, 1, z / length)
    zero = jnp.zeros_like(y)
    rows = [[c, s * sine, s * y], [zero, y, -sine], [-s, c * sine, c * y]]
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def direction(logits: Float[Array, "... h w"]) -> Float[Array, "... 3"]:
    """The mean direction under a density on the sphere that a map has the logarithm of: a soft argmax.

    ``v = m / |m|`` with ``m = sum_ij p_ij n_ij`` and ``p_ij = sin(phi_i) exp(logit_ij)``, up to a factor. The weights
    are the areas of the cells, so that at the poles, where many cells meet, nothing counts more than once.

    Args:
        logits: (..., H, W), W even.

    Returns:
        (..., 3), of length one; 0 where the mean is.

    Raises:
        ValueError: an odd W.

    Example:
        >>> direction(jnp.zeros((4, 8)).at[0].set(30.0)).round(4).tolist()
        [0.0, 1.0, 0.0]

    Differs from the paper:
        There the two angles are classified one by one, from maxima over rows and over columns.
    """
    centres = cell_centres(*logits.shape[-2:])
    area = np.sin((np.arange(len(centres)) + 0.5) * np.pi / len(centres))
    weights = jnp.exp(logits - jax.lax.stop_gradient(jnp.max(logits, axis=(-2, -1), keepdims=True)))
    weighted = jnp.asarray(centres * area[:, None, None], logits.dtype)
    mean = jnp.einsum("...hw,hwi->...i", weights, weighted, precision="highest")
    total = jnp.einsum("...hw,h->...", weights, jnp.asarray(area, logits.dtype), precision="highest")
    mean = mean / total[..., None]
    nothing = jnp.abs(mean) < 8 * float(jnp.finfo(logits.dtype).eps)  # what is left of sums that cancel
    return numerics.normalize(jnp.where(nothing, 0, mean))


def seen_from(x: Float[Array, "... c h w"], rotation: Float[Array, "... 3 3"]) -> Float[Array, "... c h w"]:
    """The map turned back, ``F'(s) = F(R s)``, linearly between cells: what is at ``R e_y`` comes to the pole.

    Turns about y by whole cells are exact.

    Args:
        x: (..., C, H, W), W even.
        rotation: (..., 3, 3), of the same leading axes.

    Raises:
        ValueError: an odd W.

    Example:
        >>> x = jnp.arange(8.0).reshape(1, 2, 4)
        >>> turned = jnp.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # z to x, one column further
        >>> seen_from(x, turned)[0, 0].round(4).tolist()
        [1.0, 2.0, 3.0, 0.0]
    """
    x = _checked("seen_from", x)
    rows, columns = x.shape[-2:]
    batch = x.shape[:-3]
    centres = jnp.asarray(cell_centres(rows, columns), x.dtype)
    phi, rho = _angles(jnp.einsum("...ij,hwj->...hwi", rotation, centres, precision="highest"))
    row, column = phi * (rows / math.pi) + 0.5, rho * (columns / (2 * math.pi)) + 0.5  # in the padded map
    low = jnp.clip(jnp.floor(row), 0, rows), jnp.clip(jnp.floor(column), 0, columns)
    part = row - low[0], column - low[1]
    padded = pad(x, 1)
    flat = padded.reshape(*padded.shape[:-2], -1)
    found = jnp.zeros(x.shape, x.dtype)
    for i in (0, 1):
        for j in (0, 1):
            place = (low[0].astype(jnp.int32) + i) * (columns + 2) + low[1].astype(jnp.int32) + j
            index = place.reshape(*batch, 1, rows * columns)
            values = jnp.take_along_axis(flat, jnp.broadcast_to(index, (*x.shape[:-2], rows * columns)), axis=-1)
            weight = jnp.abs(1 - i - part[0]) * jnp.abs(1 - j - part[1])
            found = found + weight[..., None, :, :] * values.reshape(x.shape)
    return found
