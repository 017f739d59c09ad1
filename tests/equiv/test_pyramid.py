"""Convolutions over scale and space: what is exact to the bit, at which levels, and what breaks it."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from equiv.layers import pyramid as pyr
from equiv.layers.pyramid import (
    deformable_convolution,
    gaussian_pyramid,
    halved,
    integrated_norm,
    pyramid_convolution,
    resize,
    statistics,
)

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["float32", "float64"])
KINDS = pytest.mark.parametrize("deformable", [False, True], ids=["plain", "deformable"])


def made(channels=(2, 3), dtype=jnp.float64, seed=0, **settings):
    """A layer and parameters of order one, biases and offsets not zero."""
    layer = pyramid_convolution(*channels, **settings)
    params = layer.init(jax.random.key(seed), dtype)
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed + 1), len(leaves))
    return layer, tree.unflatten([0.3 * jax.random.normal(k, leaf.shape, dtype) for k, leaf in zip(keys, leaves)])


def levels(shape=(2, 2, 32, 24), n=4, dtype=jnp.float64, seed=5):
    """A learnt pyramid: levels that have nothing to do with each other."""
    sizes = [shape[2:]]
    for _ in range(n - 1):
        sizes.append(tuple(-(-k // 2) for k in sizes[-1]))
    keys = jax.random.split(jax.random.key(seed), n)
    return [jax.random.normal(k, (*shape[:2], *size), dtype) for k, size in zip(keys, sizes)]


# --- sizes ----------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize(("old", "new"), [((3, 4), (6, 8)), ((3, 2), (5, 4)), ((1, 1), (2, 1)), ((5, 4), (3, 4))])
def test_half_pixels(old, new, dtype):
    """jax's own, without its low-pass filter, and numpy's linear interpolation."""
    x = jax.random.normal(jax.random.key(0), (2, *old), dtype)
    found = resize(x, new)
    assert found.dtype == dtype
    expected = jax.image.resize(x, (2, *new), "linear", antialias=False)
    np.testing.assert_allclose(found, expected, rtol=0, atol=20 * float(jnp.finfo(dtype).eps))


@pytest.mark.parametrize(("old", "new"), [((3, 4), (6, 8)), ((3, 2), (5, 4)), ((1, 1), (2, 3)), ((4, 4), (1, 7))])
def test_aligned_corners(old, new):
    x = np.random.default_rng(0).standard_normal(old)
    places = np.meshgrid(*(np.linspace(0, o - 1 if n > 1 else 0, n) for o, n in zip(old, new)), indexing="ij")
    expected = scipy.ndimage.map_coordinates(x, places, order=1, mode="nearest")
    np.testing.assert_allclose(resize(jnp.asarray(x), new, "aligned_corners"), expected, rtol=0, atol=1e-13)


def test_constants_stay():
    for grid in pyr.GRIDS:
        np.testing.assert_allclose(resize(jnp.ones((1, 3, 5)), (7, 9), grid), 1, atol=1e-15)


def test_halved():
    x = np.random.default_rng(0).standard_normal((9, 12))
    row = np.array([1, 4, 6, 4, 1]) / 16
    expected = scipy.signal.correlate2d(x, np.outer(row, row), mode="same")[::2, ::2]
    np.testing.assert_allclose(halved(jnp.asarray(x)), expected, atol=1e-15)
    with pytest.raises(ValueError, match="the number of levels of gaussian_pyramid has to be a whole number"):
        gaussian_pyramid(jnp.asarray(x), 0)


def test_bad_sizes():
    with pytest.raises(ValueError, match="the grid of resize has to be half_pixel or aligned_corners, got 'area'"):
        resize(jnp.ones((2, 2)), (4, 4), "area")
    for x, size in ((jnp.ones((2, 0)), (4, 4)), (jnp.ones(3), (4, 4)), (jnp.ones((2, 2)), (0, 4))):
        with pytest.raises(ValueError, match="resize takes images with pixels"):
            resize(x, size)


# --- the layer ------------------------------------------------------------------------------------


def correlate(x, kernel, bias, stride=1):
    """numpy and scipy: (B, C, H, W) with (O, C, 3, 3), one pixel of padding."""
    out = [
        [sum(scipy.signal.correlate2d(c, k, mode="same") for c, k in zip(image, row)) for row in np.asarray(kernel)]
        for image in np.asarray(x)
    ]
    return np.asarray(out)[..., ::stride, ::stride] + np.asarray(bias)[:, None, None]


@DTYPES
@pytest.mark.parametrize("grid", pyr.GRIDS)
@pytest.mark.parametrize(("shape", "n"), [((2, 2, 16, 12), 3), ((1, 2, 7, 5), 4), ((1, 2, 6, 6), 1), ((1, 2, 1, 1), 3)])
def test_the_sum_of_three(shape, n, grid, dtype):
    """Odd sizes, one level, one pixel; levels have the sizes that came in."""
    layer, params = made(grid=grid)
    p = levels(shape, n)
    expected = []
    for k, level in enumerate(p):
        y = correlate(level, **params["same"])
        if k:
            y = y + correlate(p[k - 1], **params["finer"], stride=2)
        if k + 1 < n:
            above = jnp.asarray(correlate(p[k + 1], **params["coarser"]))
            y = y + np.asarray(resize(above, level.shape[2:], grid))
        expected.append(y)
    cast = lambda tree: jax.tree.map(lambda leaf: leaf.astype(dtype), tree)
    found = jax.jit(layer.apply)(cast(params), cast(p))
    assert [y.shape for y in found] == [(level.shape[0], 3, *level.shape[2:]) for level in p]
    for y, e in zip(found, expected):
        assert y.dtype == dtype
        np.testing.assert_allclose(y, e, rtol=0, atol=200 * float(jnp.finfo(dtype).eps))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_shift_by_a_level(depth):
    """To the last bit at levels ``depth`` or more from both ends of both pyramids, and nowhere else."""
    layers = [made((2, 2), seed=k) for k in range(depth)]

    @jax.jit
    def network(p):
        for layer, params in layers:
            p = layer.apply(params, p)
        return p

    p = levels((1, 2, 128, 128), 9)
    whole, part = network(p[:-1]), network(p[1:])
    equal = [bool((y == z).all()) for y, z in zip(whole[1:], part)]
    assert equal == [depth < k <= 7 - depth for k in range(1, 8)]
    near = [bool(jnp.allclose(y, z, atol=1e-6)) for y, z in zip(whole[1:], part)]
    assert near == equal


def test_shared_kernels_alone_are_exact_at_every_level():
    layer, params = made()
    for part in ("coarser", "finer"):
        params[part] = jax.tree.map(jnp.zeros_like, params[part])
    p = levels()
    apply = jax.jit(layer.apply)
    for y, z in zip(apply(params, p)[1:], apply(params, p[1:])):
        np.testing.assert_array_equal(y, z)


def test_half_as_large_through_the_pyramids_own_blur():
    layer, params = made()
    image = jax.random.normal(jax.random.key(3), (1, 2, 64, 48))
    apply = jax.jit(lambda image, n: layer.apply(params, gaussian_pyramid(image, n)), static_argnums=1)
    whole, half = apply(image, 6), apply(halved(image), 5)
    for k in (2, 3, 4):
        np.testing.assert_array_equal(whole[k], half[k - 1])
    assert not np.allclose(whole[1], half[0])
    other = apply(resize(image, (32, 24)), 5)
    assert not np.allclose(whole[2], other[1])


def inner(y, border):
    return np.asarray(y)[..., border:-border, border:-border]


@pytest.mark.parametrize(("grid", "exact"), [("half_pixel", True), ("aligned_corners", False)])
def test_shifts_of_the_image(grid, exact):
    """By 4 pixels on three levels: by 4, 2 and 1, away from the borders."""
    layer, params = made(grid=grid)
    image = jnp.pad(jax.random.normal(jax.random.key(3), (1, 2, 24, 24)), ((0, 0), (0, 0), (20, 20), (20, 20)))
    apply = jax.jit(lambda image: layer.apply(params, gaussian_pyramid(image, 3)))
    still, moved = apply(image), apply(jnp.roll(image, (4, -4), (2, 3)))
    away = max(
        np.abs(inner(jnp.roll(y, (step, -step), (2, 3)), 6) - inner(z, 6)).max()
        for y, z, step in zip(still, moved, (4, 2, 1))
    )
    assert away < 1e-13 if exact else away > 1e-2


def test_constants_differ_at_borders_only():
    layer, params = made()
    p = [jnp.ones((1, 2, 32, 32)), jnp.ones((1, 2, 16, 16)), jnp.ones((1, 2, 8, 8))]
    for y in layer.apply(params, p):
        assert np.ptp(inner(y, 3), axis=(2, 3)).max() < 1e-13
        assert np.ptp(y, axis=(2, 3)).max() > 1e-3


# --- deformable kernels ---------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(6, 5), (1, 1)])
def test_offsets_of_zero_are_none(stride, size, dtype):
    x = jax.random.normal(jax.random.key(0), (2, 3, *size), dtype)
    kernel = jax.random.normal(jax.random.key(1), (4, 3, 3, 3), dtype)
    out = tuple((n - 1) // stride + 1 for n in size)
    found = deformable_convolution(x, kernel, jnp.zeros((2, 18, *out), dtype), stride)
    expected = correlate(x, kernel, np.zeros(4), stride)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=0, atol=100 * float(jnp.finfo(dtype).eps))


def test_offsets_read_between_pixels():
    """Each tap at its own place, by scipy's interpolation; also far outside."""
    draw = np.random.default_rng(0)
    x, kernel = draw.standard_normal((1, 1, 6, 7)), draw.standard_normal((1, 1, 3, 3))
    x[..., 0, :] = x[..., -1, :] = x[..., :, 0] = x[..., :, -1] = 0  # scipy has no half pixel outside
    offsets = draw.uniform(-3, 3, (1, 18, 6, 7))
    offsets[..., 3, 3] = 40
    expected = np.zeros((6, 7))
    for k in range(9):
        rows = np.arange(6)[:, None] + k // 3 - 1 + offsets[0, 2 * k]
        columns = np.arange(7)[None] + k % 3 - 1 + offsets[0, 2 * k + 1]
        seen = scipy.ndimage.map_coordinates(x[0, 0], [rows, columns], order=1, mode="constant")
        expected += kernel[0, 0, k // 3, k % 3] * seen
    found = deformable_convolution(*map(jnp.asarray, (x, kernel, offsets)))
    np.testing.assert_allclose(found[0, 0], expected, rtol=0, atol=1e-13)
    assert jnp.isnan(
        deformable_convolution(jnp.asarray(x), jnp.asarray(kernel), jnp.full((1, 18, 6, 7), jnp.nan))
    ).all()
    with pytest.raises(ValueError, match=re.escape("takes offsets (1, 18, 6, 7), got an array of shape (1, 18, 3, 4)")):
        deformable_convolution(jnp.asarray(x), jnp.asarray(kernel), jnp.zeros((1, 18, 3, 4)))


def test_a_deformable_layer_starts_as_an_ordinary_one():
    plain, deformable = pyramid_convolution(2, 3), pyramid_convolution(2, 3, deformable=True)
    params = deformable.init(jax.random.key(0), jnp.float64)
    p = levels()
    for y, z in zip(jax.jit(plain.apply)(params, p), jax.jit(deformable.apply)(params, p)):
        np.testing.assert_allclose(y, z, rtol=0, atol=1e-15)


def test_a_deformable_layer_treats_the_first_level_differently():
    layer, params = made(deformable=True)
    apply, p = jax.jit(layer.apply), levels((1, 2, 16, 16), 4)
    near = [bool(jnp.allclose(y, z, atol=1e-12)) for y, z in zip(apply(params, p)[1:], apply(params, p[1:]))]
    assert near == [False, True, True]  # the first of the part is treated as such; the end is the same in both
    assert not np.allclose(apply(params, p)[2], jax.jit(pyramid_convolution(2, 3).apply)(params, p)[2])


# --- the norm -------------------------------------------------------------------------------------


def test_the_norm_is_over_all_levels():
    layer, p = integrated_norm(2), levels()
    params = {"scale": jnp.array([2.0, 3.0]), "shift": jnp.array([-1.0, 1.0])}
    found = layer.apply(params, p)
    flat = np.concatenate([np.moveaxis(np.asarray(x), 1, 0).reshape(2, -1) for x in p], 1)
    np.testing.assert_allclose(statistics(p).mean, flat.mean(1), atol=1e-14)
    np.testing.assert_allclose(statistics(p).variance, flat.var(1), atol=1e-14)
    after = np.concatenate([np.moveaxis(np.asarray(x), 1, 0).reshape(2, -1) for x in found], 1)
    np.testing.assert_allclose(after.mean(1), [-1, 1], atol=1e-14)
    np.testing.assert_allclose(after.std(1), [2, 3], rtol=1e-5)


def test_the_norm_keeps_the_shift_only_with_stored_statistics():
    layer, p = integrated_norm(2), levels()
    params = layer.init(jax.random.key(0), jnp.float64)
    whole, part = layer.apply(params, p), layer.apply(params, p[1:])
    assert not any(np.allclose(y, z) for y, z in zip(whole[1:], part))
    stored = statistics(p)
    for y, z in zip(layer.apply(params, p, stored)[1:], layer.apply(params, p[1:], stored)):
        np.testing.assert_array_equal(y, z)


# --- what is refused ------------------------------------------------------------------------------


@KINDS
def test_gradients_are_finite(deformable):
    layer, params = made(deformable=deformable)
    p = levels((1, 2, 7, 6), 3)
    slopes = jax.jit(jax.grad(lambda q: sum(jnp.sum(y**2) for y in layer.apply(q, p))))(params)
    assert all(jnp.isfinite(leaf).all() and (leaf != 0).any() for leaf in jax.tree.leaves(slopes))


@KINDS
def test_nan_does_not_pass(deformable):
    layer, params = made(deformable=deformable)
    p = levels()
    p[1] = p[1].at[0, 0, 5, 5].set(jnp.nan)
    assert all(jnp.isnan(y).any() for y in jax.jit(layer.apply)(params, p)[:3])


def test_parameters():
    params = pyramid_convolution(64, 48, deformable=True).init(jax.random.key(0), jnp.float32)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 3 * (48 * 64 * 9 + 48 + 18 * 64 * 9 + 18)
    for part in params.values():
        assert abs(float(part["kernel"].std()) / 0.01 - 1) < 5 / np.sqrt(2 * part["kernel"].size)
        assert not any(part[name].any() for name in ("bias", "offset_kernel", "offset_bias"))
    assert pyramid_convolution(2, 3) is pyramid_convolution(2, 3)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"channels_in": 0}, "the number of channels that pyramid_convolution takes has to be a whole number"),
        ({"channels_out": -1}, "the number of channels that pyramid_convolution gives has to be a whole number"),
        ({"grid": "pixel"}, "the grid of pyramid_convolution has to be half_pixel or aligned_corners, got 'pixel'"),
    ],
)
def test_bad_settings(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        pyramid_convolution(**{"channels_in": 2, "channels_out": 3} | settings)
    with pytest.raises(ValueError, match="the number of channels of integrated_norm"):
        integrated_norm(0)


def ones(*shape, dtype=jnp.float32):
    return jnp.ones(shape, dtype)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "takes a list of one or more levels (B, 2, H, W), got list"),
        (ones(1, 2, 4, 4), "takes a list of one or more levels (B, 2, H, W), got an array of shape (1, 2, 4, 4)"),
        ([ones(2, 4, 4)], "takes levels (B, 2, H, W), got an array of shape (2, 4, 4) as level 0"),
        ([ones(1, 3, 4, 4)], "takes levels (B, 2, H, W), got an array of shape (1, 3, 4, 4) as level 0"),
        ([ones(1, 2, 4, 4), ones(1, 2, 3, 2)], "level 1 has to be half as large as the one before, (1, 2, 2, 2)"),
        ([ones(1, 2, 5, 5), ones(1, 2, 2, 2)], "level 1 has to be half as large as the one before, (1, 2, 3, 3)"),
        ([ones(1, 2, 4, 4), ones(2, 2, 2, 2)], "(1, 2, 2, 2) of float32, got (2, 2, 2, 2) of float32"),
        ([ones(1, 2, 4, 4), ones(1, 2, 2, 2, dtype=jnp.float64)], "of float32, got (1, 2, 2, 2) of float64"),
    ],
)
def test_what_is_no_pyramid(given, sentence):
    layer = pyramid_convolution(2, 3)
    params = layer.init(jax.random.key(0), jnp.float32)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        layer.apply(params, given)


def test_integers_are_refused():
    layer = pyramid_convolution(2, 3)
    with pytest.raises(TypeError, match="takes floating-point levels, got int32 as level 0"):
        layer.apply(layer.init(jax.random.key(0)), [jnp.ones((1, 2, 4, 4), jnp.int32)])
    with pytest.raises(ValueError, match="takes parameters named coarser, got none"):
        layer.apply({}, [jnp.ones((1, 2, 4, 4))])
