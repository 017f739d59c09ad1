r"""Convolutions over scale and space, on a pyramid of images each half as large as the one before.

With levels ``p_0, ..., p_{L-1}`` and three 3 x 3 kernels that all levels share,

    y_l = w_1 * p_l  +  w_2 *_2 p_{l-1}  +  up(w_0 * p_{l+1})

where ``*_2`` is a convolution of every second pixel, ``up`` makes an image as large as level l by bilinear
interpolation, and neighbours that are not there are left out. A kernel so sees the same area of the scene in all three.

What is exact: if ``q_l = p_{l+1}`` then ``y(q)_{l-1} = y(p)_l`` to the last bit, for all levels whose two neighbours
are in both pyramids; K layers on top of each other keep it for levels K or more from both ends. If each level is the
one before, blurred and halved in one fixed way (``gaussian_pyramid``), an image that is blurred and halved has the
pyramid without its first level, so a change of scale by two *is* such a shift. Other scales, other ways to resize and
learnt pyramids commute only nearly. A shift of the image by ``2^(L-1)`` pixels shifts every level by whole pixels, and
the result with it, away from the borders; ``up`` with aligned corners, which the public code has, breaks even this, as
its grid depends on the size of the image.

The norm (``integrated_norm``) has one mean and variance for each channel, over the pixels of all levels together. In
training these depend on which levels there are, and the identity is lost; with stored ones it is kept.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from equiv.groups.base import intern
from equiv.groups.finite import whole
from equiv.layers.base import Params, SignalLayer, entry

__all__ = [
    "Statistics",
    "deformable_convolution",
    "gaussian_pyramid",
    "halved",
    "integrated_norm",
    "pyramid_convolution",
    "resize",
    "statistics",
]

Pyramid = Sequence[jax.Array]
"""Levels (B, C, H, W), each half as large as the one before, halves rounded up."""
GRIDS = ("half_pixel", "aligned_corners")
"""Where the pixels of two sizes lie on each other."""
_NUMBERS = ("NCHW", "OIHW", "NCHW")


# --- changing the size ------------------------------------------------------------------------------------------------


@functools.cache
def _interpolation(source: int, target: int, grid: str) -> np.ndarray:
    """The matrix (target, source) of linear interpolation along one axis."""
    if grid == "half_pixel":
        places = (np.arange(target) + 0.5) * source / target - 0.5
    else:
        places = np.arange(target) * ((source - 1) / (target - 1) if target > 1 else 0.0)
    places = np.clip(places, 0, source - 1)
    return np.maximum(1 - np.abs(places[:, None] - np.arange(source)[None]), 0)


def resize(x: Float[Array, "..."], size: tuple[int, int], grid: str = "half_pixel") -> Float[Array, "... p q"]:
    """Images of another size, by bilinear interpolation, border pixels repeated.

    Args:
        x: (..., H, W).
        size: rows and columns of the result.
        grid: "half_pixel", pixels are areas and the borders of the images lie on each other; or "aligned_corners", the
            centres of the outermost pixels do.

    Raises:
        ValueError: no pixel, or another grid.

    Example:
        >>> resize(jnp.array([[0.0, 4.0]]), (1, 4)).tolist()
        [[0.0, 1.0, 3.0, 4.0]]
        >>> resize(jnp.array([[0.0, 3.0]]), (1, 4), "aligned_corners").tolist()
        [[0.0, 1.0, 2.0, 3.0]]
    """
    if grid not in GRIDS:
        raise ValueError(f"the grid of resize has to be {' or '.join(GRIDS)}, got {grid!r}")
    if x.ndim < 2 or 0 in x.shape[-2:] or min(size) < 1:
        raise ValueError(f"resize takes images with pixels, got shape {x.shape} and size {tuple(size)}")
    rows, columns = (jnp.asarray(_interpolation(old, int(new), grid), x.dtype) for old, new in zip(x.shape[-2:], size))
    return jnp.einsum("ph,...hw,qw->...pq", rows, x, columns)


def halved(x: Float[Array, "... h w"]) -> Float[Array, "... p q"]:
    """Blurred with (1, 4, 6, 4, 1) / 16 along each axis, and every second pixel kept; no light comes from outside.

    Example:
        >>> halved(jnp.ones((9, 8)))[1:-1, 1:-1].tolist()
        [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    row = np.array([1, 4, 6, 4, 1]) / 16
    kernel = jnp.asarray(np.outer(row, row), x.dtype).reshape(1, 1, 5, 5)
    flat = x.reshape(-1, 1, *x.shape[-2:])
    y = jax.lax.conv_general_dilated(flat, kernel, (2, 2), ((2, 2), (2, 2)), dimension_numbers=_NUMBERS)
    return y.reshape(*x.shape[:-2], *y.shape[-2:])


def gaussian_pyramid(x: Float[Array, "... h w"], levels: int) -> tuple[Array, ...]:
    """An image, and each level the one before ``halved``.

    Args:
        x: (..., H, W).
        levels: how many.

    Raises:
        ValueError: no level.

    Example:
        >>> [level.shape for level in gaussian_pyramid(jnp.zeros((3, 20, 12)), 4)]
        [(3, 20, 12), (3, 10, 6), (3, 5, 3), (3, 3, 2)]
    """
    found = [x]
    for _ in range(whole(levels, 1, "the number of levels of gaussian_pyramid") - 1):
        found.append(halved(found[-1]))
    return tuple(found)


# --- one convolution --------------------------------------------------------------------------------------------------


def _convolution(x: Array, kernel: Array, bias: Array, stride: int) -> Array:
    y = jax.lax.conv_general_dilated(
        x, kernel.astype(x.dtype), (stride, stride), ((1, 1), (1, 1)), dimension_numbers=_NUMBERS
    )
    return y + bias.astype(x.dtype).reshape(1, -1, 1, 1)


def deformable_convolution(
    x: Float[Array, "b c h w"],
    kernel: Float[Array, "o c 3 3"],
    offsets: Float[Array, "b k p q"],
    stride: int = 1,
) -> Float[Array, "b o p q"]:
    """A 3 x 3 convolution, one pixel of padding, whose taps are moved by offsets of their own at every place.

    ``y(r) = sum_k w_k x(stride r + k + d_k(r))``, x bilinear between pixels and zero outside.

    Args:
        x: (B, C, H, W).
        kernel: (O, C, 3, 3).
        offsets: (B, 18, P, Q), for each tap, row by row, the way down and the way to the right, in pixels; P and Q are
            the rows and columns of the result.
        stride: pixels between places.

    Raises:
        ValueError: offsets of another shape.

    Example:
        >>> x = jnp.arange(16.0).reshape(1, 1, 4, 4)
        >>> moved = jnp.zeros((1, 18, 4, 4)).at[:, 9].set(1.0)  # the middle tap one to the right
        >>> middle = jnp.zeros((1, 1, 3, 3)).at[..., 1, 1].set(1.0)
        >>> deformable_convolution(x, middle, moved)[0, 0, 0].tolist()
        [1.0, 2.0, 3.0, 0.0]

    Reference:
        Dai et al., Deformable Convolutional Networks, ICCV 2017 (arXiv 1703.06211).
    """
    b, c, h, w = x.shape
    out = tuple((n - 1) // stride + 1 for n in (h, w))
    if offsets.shape != (b, 18, *out):
        raise ValueError(f"deformable_convolution takes offsets {(b, 18, *out)}, got an array of shape {offsets.shape}")
    down, right = jnp.moveaxis(offsets.reshape(b, 9, 2, *out), 2, 0)
    taps = np.arange(3) - 1
    rows = stride * np.arange(out[0]).reshape(1, -1, 1) + np.repeat(taps, 3).reshape(9, 1, 1)
    columns = stride * np.arange(out[1]).reshape(1, 1, -1) + np.tile(taps, 3).reshape(9, 1, 1)
    row, column = down + jnp.asarray(rows, x.dtype)[None], right + jnp.asarray(columns, x.dtype)[None]
    row, column = jnp.clip(row, -2, h + 1), jnp.clip(column, -2, w + 1)  # beyond is zero, too
    top, left = jnp.floor(row), jnp.floor(column)
    flat = x.reshape(b, c, h * w)
    total = jnp.where(jnp.isnan(down + right), jnp.nan, jnp.zeros((), x.dtype))[:, None]
    for i, wi in ((top, 1 - (row - top)), (top + 1, row - top)):
        for j, wj in ((left, 1 - (column - left)), (left + 1, column - left)):
            inside = (i >= 0) & (i < h) & (j >= 0) & (j < w)
            index = jnp.where(inside, i * w + j, 0).astype(jnp.int32).reshape(b, 1, -1)
            seen = jnp.take_along_axis(flat, index, axis=2).reshape(b, c, *inside.shape[1:])
            total = total + jnp.where(inside, wi * wj, 0)[:, None] * seen
    return jnp.einsum("bckpq,ock->bopq", total, kernel.reshape(*kernel.shape[:2], 9).astype(x.dtype))


# --- the layers -------------------------------------------------------------------------------------------------------


def _levels(name: str, pyramid: Any, channels: int) -> list[Array]:
    """The levels, if they are a pyramid."""
    if isinstance(pyramid, jax.Array | np.ndarray) or not isinstance(pyramid, Sequence) or not len(pyramid):
        given = f"an array of shape {np.shape(pyramid)}" if hasattr(pyramid, "shape") else f"{type(pyramid).__name__}"
        raise ValueError(f"{name} takes a list of one or more levels (B, {channels}, H, W), got {given}")
    levels = [jnp.asarray(level) for level in pyramid]
    expected = levels[0].shape
    for number, level in enumerate(levels):
        if level.ndim != 4 or level.shape[1] != channels or 0 in level.shape:
            raise ValueError(
                f"{name} takes levels (B, {channels}, H, W), got an array of shape {level.shape} as level {number}"
            )
        if not jnp.issubdtype(level.dtype, jnp.floating):
            raise TypeError(f"{name} takes floating-point levels, got {level.dtype} as level {number}")
        if level.shape != expected or level.dtype != levels[0].dtype:
            raise ValueError(
                f"{name}: level {number} has to be half as large as the one before, {expected} of {levels[0].dtype}, "
                f"got {level.shape} of {level.dtype}"
            )
        expected = (*level.shape[:2], *(-(-n // 2) for n in level.shape[2:]))
    return levels


@functools.cache
def pyramid_convolution(
    channels_in: int,
    channels_out: int,
    deformable: bool = False,
    grid: str = "half_pixel",
) -> SignalLayer:
    """Three 3 x 3 kernels that all levels share: for the level itself, the finer one and the coarser one.

    ``layer.apply(params, pyramid)`` takes levels ``[(B, C, H, W), (B, C, H/2, W/2), ...]``, halves rounded up, and
    gives a tuple of levels of the same sizes with C' channels.

    Args:
        channels_in: C.
        channels_out: C'.
        deformable: kernels have taps that move, by offsets which a convolution reads off each level but the first; they
            start at zero, as an ordinary convolution. This takes the sameness of the first level and the others away.
        grid: of the interpolation; "aligned_corners" is that of the public code.

    Raises:
        ValueError: no channel, or another grid; in ``apply``, levels that are no pyramid.

    Example:
        >>> layer = pyramid_convolution(2, 3)
        >>> params, levels = layer.init(jax.random.key(0)), gaussian_pyramid(jnp.ones((1, 2, 40, 24)), 5)
        >>> coarse, fine = layer.apply(params, levels[1:]), layer.apply(params, levels)
        >>> coarse[1].shape, bool((coarse[1] == fine[2]).all())
        ((1, 3, 10, 6), True)

    Reference:
        Wang, Zhang, Yu, Feng, Zhang, Scale-Equalizing Pyramid Convolution for Object Detection, CVPR 2020 (arXiv
        2005.03101); the layer as read in the public code.

    Differs from the paper:
        Pixels are areas in the interpolation, unless ``grid`` says otherwise, so that shifts of an image shift the
        result. Deformable taps have no modulation.
    """
    whole(channels_in, 1, "the number of channels that pyramid_convolution takes")
    whole(channels_out, 1, "the number of channels that pyramid_convolution gives")
    if grid not in GRIDS:
        raise ValueError(f"the grid of pyramid_convolution has to be {' or '.join(GRIDS)}, got {grid!r}")
    name = f"pyramid_convolution({channels_in} -> {channels_out}{', deformable' if deformable else ''})"
    parts = ("coarser", "same", "finer")

    def init(key: jax.Array, dtype: Any = float) -> Params:
        params = {}
        for part, own in zip(parts, jax.random.split(key, 3)):
            kernel = 0.01 * jax.random.normal(own, (channels_out, channels_in, 3, 3), dtype)
            params[part] = {"kernel": kernel, "bias": jnp.zeros(channels_out, kernel.dtype)}
            if deformable:
                params[part]["offset_kernel"] = jnp.zeros((18, channels_in, 3, 3), kernel.dtype)
                params[part]["offset_bias"] = jnp.zeros(18, kernel.dtype)
        return params

    def convolution(params: Params, x: Array, level: int, stride: int = 1) -> Array:
        if not deformable or level == 0:
            return _convolution(x, params["kernel"], params["bias"], stride)
        offsets = _convolution(x, params["offset_kernel"], params["offset_bias"], stride)
        bias = params["bias"].astype(x.dtype).reshape(1, -1, 1, 1)
        return deformable_convolution(x, params["kernel"], offsets, stride) + bias

    def apply(params: Params, pyramid: Any) -> tuple[Array, ...]:
        p = _levels(name, pyramid, channels_in)
        coarser, same, finer = (entry(name, params, part) for part in parts)
        found = []
        for number, level in enumerate(p):
            y = convolution(same, level, number)
            if number > 0:
                y = y + convolution(finer, p[number - 1], number, 2)
            if number + 1 < len(p):
                above = convolution(coarser, p[number + 1], number)
                y = y + resize(above, level.shape[2:], grid)
            found.append(y)
        return tuple(found)

    return intern(SignalLayer(("pyramid_convolution", channels_in, channels_out, deformable, grid), name, init, apply))


class Statistics(NamedTuple):
    """Mean and variance of each channel, (C,)."""

    mean: jax.Array
    variance: jax.Array


def statistics(pyramid: Pyramid) -> Statistics:
    """Of each channel, over all pixels of all levels and examples together.

    Example:
        >>> found = statistics([jnp.zeros((1, 1, 2, 2)), jnp.full((1, 1, 1, 1), 5.0)])
        >>> found.mean.tolist(), found.variance.tolist()
        ([1.0], [4.0])
    """
    flat = jnp.concatenate([jnp.moveaxis(level, 1, 0).reshape(level.shape[1], -1) for level in pyramid], axis=1)
    return Statistics(jnp.mean(flat, axis=1), jnp.var(flat, axis=1))


@functools.cache
def integrated_norm(channels: int) -> SignalLayer:
    """``scale (x - mean) / sqrt(variance + 1e-5) + shift``, one mean and variance for all levels.

    ``layer.apply(params, pyramid, statistics=None)`` takes stored statistics, as in testing; without them those of the
    pyramid itself count, as in training, and then a pyramid that lacks a level is another one everywhere.

    Args:
        channels: C.

    Raises:
        ValueError: no channel; in ``apply``, levels that are no pyramid.

    Example:
        >>> layer = integrated_norm(2)
        >>> normal = layer.apply(layer.init(jax.random.key(0)), [jnp.arange(32.0).reshape(1, 2, 4, 4)])
        >>> bool(abs(normal[0].mean()) < 1e-5)
        True

    Reference:
        Wang, Zhang, Yu, Feng, Zhang, CVPR 2020 (arXiv 2005.03101).
    """
    name = f"integrated_norm({whole(channels, 1, 'the number of channels of integrated_norm')})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        one = jnp.ones(channels, dtype)
        return {"scale": one, "shift": jnp.zeros_like(one)}

    def apply(params: Params, pyramid: Any, stored: Statistics | None = None) -> tuple[Array, ...]:
        levels = _levels(name, pyramid, channels)
        mean, variance = statistics(levels) if stored is None else stored
        factor = entry(name, params, "scale") / jnp.sqrt(variance + 1e-5)
        shift = params["shift"] - mean * factor
        return tuple(x * factor.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1) for x in levels)

    return intern(SignalLayer(("integrated_norm", channels), name, init, apply))
