"""Steerable kernels: the constraint, how many there are, smoothness at the origin; convolutions under turns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from jax.test_util import check_grads

from equiv.groups import cyclic, so
from equiv.layers import gated, linear, steerable
from equiv.layers.steerable import (
    frequencies,
    gaussian_rings,
    laguerre,
    mirror_steerable_conv,
    mirror_steerable_kernel,
    pixel_centres,
    pixelwise,
    steerable_conv,
    steerable_kernel,
)
from equiv.reps import restrict, scalar, standard
from equiv.reps.irreps import polar_axis, so2, so3

DTYPES = [np.float32, np.float64]
RADIAL = {"laguerre": laguerre(3, 0.2), "rings": gaussian_rings(3, 12)}
FIELDS = 2 * so2(0) + so2(1) + so2(3)
DEGREES = restrict(so3(0) + 2 * so3(1) + so3(3), polar_axis())
TYPES = {
    "scalars to scalars": (so2(0), so2(0)),
    "fields to fields": (FIELDS, so2(2) + 2 * so2(1) + so2(0)),
    "fields to degrees": (FIELDS, DEGREES),
    "degrees to fields": (DEGREES, FIELDS),
}


def turn(t, dtype=np.float64):
    return np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]], dtype)


def values(kernel, params, points):
    return np.asarray(jax.jit(lambda params: kernel.at(params, points))(params))


def disc(n, key=0):
    """Points of the unit disc, the origin first."""
    points = np.random.default_rng(key).uniform(-0.7, 0.7, (n, 2))
    points[0] = 0
    return points


def quarter(rep, image):
    """``f'[i, j] = rho(h) f[j, N - 1 - i]``, pixel by pixel."""
    image = np.asarray(image)
    side = image.shape[-1]
    moved = np.empty_like(image)
    for i in range(side):
        for j in range(side):
            moved[..., i, j] = image[..., j, side - 1 - i]
    rho = np.asarray(rep.matrix(jnp.array([[0.0, -1.0], [1.0, 0.0]])), image.dtype)
    return np.einsum("ab,...bij->...aij", rho, moved)


# --- kernels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("radial", RADIAL)
@pytest.mark.parametrize("types", TYPES)
def test_the_constraint(types, radial, dtype):
    """``F(h r) = rho_out(h) F(r) rho_in(h)^-1`` at drawn points and angles, the origin and half turns among them."""
    rep_in, rep_out = TYPES[types]
    kernel, points = steerable_kernel(rep_in, rep_out, RADIAL[radial]), disc(20)
    params = kernel.init(jax.random.key(0), dtype)
    still = values(kernel, params, points)
    assert still.dtype == dtype
    assert still.shape == (rep_out.dim, rep_in.dim, 20)
    for t in (0.0, 0.7, np.pi, -2.0):
        h = jnp.asarray(turn(t))
        moved = values(kernel, params, points @ turn(t).T)
        expected = np.einsum("ab,bcn,dc->adn", rep_out.matrix(h), still, rep_in.matrix(h))
        np.testing.assert_allclose(moved, expected, atol=1e-5 if dtype == np.float32 else 1e-13)


def test_a_wrong_frequency_is_caught(monkeypatch):
    """``e^{i (m + k) phi} f`` in place of ``e^{i (m - k) phi} f``."""
    monkeypatch.setattr(steerable, "parts", lambda k, m: ((m + k, 1), (m - k, -1)) if k and m else ((m + k, 1),))
    radial = laguerre(2, 0.21)
    kernel, points = steerable_kernel(so2(1), so2(2), radial), disc(20)
    params, h = kernel.init(jax.random.key(0)), jnp.asarray(turn(0.7))
    expected = np.einsum("ab,bcn,dc->adn", so2(2).matrix(h), values(kernel, params, points), so2(1).matrix(h))
    assert abs(values(kernel, params, points @ turn(0.7).T) - expected).max() > 0.1


@pytest.mark.parametrize(("k", "m", "expected"), [(0, 0, 1), (0, 2, 2), (3, 0, 2), (1, 1, 4), (2, 1, 4)])
def test_there_are_no_others(k, m, expected):
    """SO(2) is free away from the origin: on a ring the kernels are all matrices at one of its points."""
    for build, share in ((steerable_kernel, 1), (mirror_steerable_kernel, 0.5)):
        kernel = build(so2(k), so2(m), laguerre(1, 0.2))
        flat, unravel = ravel_pytree(kernel.init(jax.random.key(0)))
        every = [values(kernel, unravel(row), np.array([0.2, 0.1])).ravel() for row in jnp.eye(flat.size)]
        assert np.linalg.matrix_rank(np.stack(every)) == flat.size == max(1, int(expected * share))


@pytest.mark.parametrize("radial", RADIAL)
def test_smooth_at_the_origin(radial):
    """On a line through the origin interpolation at 40 nodes converges; with ``|r| e^{i phi}`` it is off by 1e-2."""
    kernel = steerable_kernel(FIELDS, DEGREES, RADIAL[radial])
    params = kernel.init(jax.random.key(0))
    along = lambda s: values(kernel, params, 0.4 * s[:, None] * np.array([[0.6, 0.8]])).reshape(-1, len(s))
    nodes = np.cos(np.pi * (np.arange(40) + 0.5) / 40)
    fine = np.linspace(-1, 1, 81)
    fit = np.polynomial.chebyshev.chebfit(nodes, along(nodes).T, 39)
    np.testing.assert_allclose(np.polynomial.chebyshev.chebval(fine, fit), along(fine), atol=1e-9)
    kink = np.polynomial.chebyshev.chebfit(nodes, abs(nodes), 39)
    assert abs(np.polynomial.chebyshev.chebval(fine, kink) - abs(fine)).max() > 5e-3


def test_at_the_origin_it_commutes():
    """What is left at r = 0 is an intertwiner, and exactly zero between different frequencies."""
    kernel = steerable_kernel(so2(1) + so2(0), so2(0) + so2(1) + so2(2), gaussian_rings(3, 12))
    value = values(kernel, kernel.init(jax.random.key(0)), np.zeros(2))
    h = jnp.asarray(turn(0.7))
    np.testing.assert_allclose(kernel.rep_out.matrix(h) @ value, value @ kernel.rep_in.matrix(h), atol=1e-15)
    assert abs(value[0, 2]) > 1e-3
    assert abs(value[1:3, :2]).max() > 1e-3
    assert not value[3:].any()
    assert not value[0, :2].any()
    assert not value[1:3, 2].any()


def test_the_mirror():
    """Without q the kernel commutes with x -> -x, which changes the sign of second coordinates; with q it does not."""
    signs = lambda rep: np.concatenate([np.repeat([[1, -1][: at.shape[1]]], len(at), 0).ravel() for at in rep.values()])
    order = lambda rep: np.concatenate([at.ravel() for at in rep.values()])
    points = disc(10)
    for build, close in ((mirror_steerable_kernel, True), (steerable_kernel, False)):
        kernel = build(FIELDS, DEGREES, RADIAL["laguerre"])
        params = kernel.init(jax.random.key(0))
        still, mirrored = (
            values(kernel, params, p)[order(frequencies(DEGREES))][:, order(frequencies(FIELDS))]
            for p in (points, points * [1, -1])
        )
        flip_out, flip_in = signs(frequencies(DEGREES)), signs(frequencies(FIELDS))
        expected = flip_out[:, None, None] * still * flip_in[None, :, None]
        assert np.allclose(mirrored, expected, atol=1e-13) == close
    mirror = mirror_steerable_kernel(FIELDS, DEGREES, RADIAL["laguerre"])
    params = mirror.init(jax.random.key(0))
    full = steerable_kernel(FIELDS, DEGREES, RADIAL["laguerre"])
    zero = jax.tree.map(jnp.zeros_like, full.init(jax.random.key(0))["q"])
    np.testing.assert_array_equal(values(mirror, params, points), values(full, {**params, "q": zero}, points))


@pytest.mark.parametrize("radial", RADIAL)
def test_radial_functions(radial):
    """Of norm one, zero outside of the disc and small at its edge."""
    r = np.linspace(0, 1, 4001)
    for mu in (0, 1, 5):
        found = RADIAL[radial].profiles(mu, r)
        np.testing.assert_allclose(2 * np.pi * np.trapezoid(found**2 * r, r, axis=1), 1, rtol=1e-5)
        assert np.all(RADIAL[radial].profiles(mu, np.array([1.0, 1.3])) == 0)
        assert abs(RADIAL[radial].profiles(mu, np.array([0.9999]))).max() < 1e-2 * abs(found).max()
        assert np.all(found[:, 0] == 0) == (mu > 0)


def test_records_are_one():
    assert gaussian_rings(3, 12) is gaussian_rings(3, 12)
    assert laguerre(3, 0.2) is laguerre(3, 0.2)
    assert steerable_kernel(so2(1), so2(0), laguerre(3, 0.2)) is steerable_kernel(so2(1), so2(0), laguerre(3, 0.2))
    assert str(gaussian_rings(3, 12)) == "gaussian_rings(3, 12)"


# --- convolutions -----------------------------------------------------------------------------------------------------

GATES = gated(3 * so2(0) + so2(1) + so2(2))


def network():
    """Two convolutions with gates in between."""
    first = steerable_conv(2 * so2(0) + so2(1), GATES.rep_in, 5, gaussian_rings(3, 5))
    second = steerable_conv(GATES.rep_out, so2(0) + so2(3), 3, gaussian_rings(2, 3))
    layers = (first, pixelwise(GATES), second)

    def init(key, dtype):
        keys = tuple(jax.random.split(key, 3))
        return [layer.init(k, dtype) for layer, k in zip(layers, keys)]

    def apply(params, x):
        for layer, p in zip(layers, params):
            x = layer.apply(p, x)
        return x

    return init, jax.jit(apply)


@pytest.mark.parametrize(("side", "dtype"), [(8, np.float32), (9, np.float64)])
def test_quarter_turns_are_exact(side, dtype):
    init, apply = network()
    params, rep_in, rep_out = init(jax.random.key(0), dtype), 2 * so2(0) + so2(1), so2(0) + so2(3)
    image = np.random.default_rng(0).normal(size=(2, rep_in.dim, side, side)).astype(dtype)
    still = image
    y = np.asarray(apply(params, jnp.asarray(image)))
    assert y.dtype == dtype
    assert y.shape == (2, rep_out.dim, side, side)
    assert abs(y).max() > 0.1
    for _ in range(4):
        image, y = quarter(rep_in, image), quarter(rep_out, y)
        np.testing.assert_allclose(apply(params, jnp.asarray(image)), y, atol=1e-5 if dtype == np.float32 else 1e-14)
    np.testing.assert_allclose(image, still, atol=1e-6)


def test_mirrors_are_exact_without_q():
    """Two coordinates of each pair under x -> -x; with q it does not commute."""
    signs = jnp.array([1.0, 1, 1, -1]).reshape(4, 1, 1)
    image = jax.random.normal(jax.random.key(1), (4, 8, 8))
    for build, close in ((mirror_steerable_conv, True), (steerable_conv, False)):
        layer = build(2 * so2(0) + so2(1), 2 * so2(0) + so2(2), 5, gaussian_rings(3, 5))
        params, apply = layer.init(jax.random.key(0)), jax.jit(layer.apply)
        moved = apply(params, signs * image[..., ::-1])
        assert np.allclose(moved, signs * apply(params, image)[..., ::-1], atol=1e-13) == close


def test_it_is_the_correlation_with_the_kernel():
    """At the centre of an image as large as the kernel: the sum of ``F(u) f(u)``, times half a pixel's side."""
    radial = gaussian_rings(3, 5)
    layer, kernel = (
        steerable_conv(FIELDS, so2(0) + so2(2), 5, radial),
        steerable_kernel(FIELDS, so2(0) + so2(2), radial),
    )
    params = layer.init(jax.random.key(0))
    image = jax.random.normal(jax.random.key(1), (FIELDS.dim, 5, 5))
    expected = np.einsum("oizx,izx->o", values(kernel, params, pixel_centres(5)), image) * 2 / 5
    np.testing.assert_allclose(jax.jit(layer.apply)(params, image)[:, 2, 2], expected, atol=1e-14)


def test_other_turns_with_more_pixels():
    """The same sum for a smooth field, known everywhere, that is turned by 0.7."""
    rep_in, rep_out = so2(0) + so2(1), so2(0) + so2(2)
    rng = np.random.default_rng(0)
    centres, amplitudes = rng.uniform(-0.4, 0.4, (5, 2)), rng.normal(size=(5, 3))
    kernel = steerable_kernel(rep_in, rep_out, laguerre(2, 0.18))
    params = kernel.init(jax.random.key(0))

    def error(size):
        taps = values(kernel, params, pixel_centres(size))

        def value(t):
            away = (pixel_centres(size) @ turn(t))[:, :, None] - centres
            field = np.exp(-np.sum(away**2, axis=-1) / 0.05) @ amplitudes
            return np.einsum("oazx,ab,zxb->o", taps, rep_in.matrix(jnp.asarray(turn(t))), field)

        expected = rep_out.matrix(jnp.asarray(turn(0.7))) @ value(0.0)
        return abs(value(0.7) - expected).max() / abs(expected).max()

    assert error(9) > 1e-3
    assert error(27) < 1e-6


@pytest.mark.parametrize("size", [3, 5, 7])
def test_initial_scale(size):
    """Independent pixels of variance one give about that, in every channel."""
    layer = steerable_conv(FIELDS, 8 * so2(0) + 4 * so2(1), size, gaussian_rings((size + 1) // 2, size))
    images = jax.random.normal(jax.random.key(1), (8, FIELDS.dim, 15, 15))
    y = np.asarray(jax.jit(layer.apply)(layer.init(jax.random.key(0)), images))[..., 4:-4, 4:-4]
    power = np.mean(y**2, axis=(0, 2, 3))
    assert 0.4 < np.mean(power[:8]) < 2.0
    assert 0.4 < np.mean(power[8:]) < 2.0


def test_gradients_at_the_central_pixel():
    """Of an odd kernel, whose central pixel has no angle: finite, and those of finite differences."""
    layer = steerable_conv(so2(0) + so2(1), so2(1), 3, gaussian_rings(2, 3))
    params = layer.init(jax.random.key(0))
    image = jax.random.normal(jax.random.key(1), (3, 5, 5))
    loss = lambda params, image: jnp.sum(jnp.sin(layer.apply(params, jnp.asarray(image))))
    check_grads(loss, (params, image), 2, ["fwd", "rev"], atol=1e-4, rtol=1e-4)


def test_one_pixel():
    """A kernel of one pixel is an intertwiner at every pixel."""
    radial = gaussian_rings(2, 3)
    layer = steerable_conv(so2(1), 2 * so2(1), 1, radial)
    image = jax.random.normal(jax.random.key(1), (2, 4, 4))
    y = layer.apply(layer.init(jax.random.key(0)), image)
    h = jnp.asarray(turn(0.7))
    moved = layer.apply(layer.init(jax.random.key(0)), jnp.einsum("ab,bzx->azx", so2(1).matrix(h), image))
    np.testing.assert_allclose(moved, jnp.einsum("ab,bzx->azx", (2 * so2(1)).matrix(h), y), atol=1e-15)


def test_pixelwise_is_the_layer_at_each_pixel():
    layer = linear(so2(0) + so2(1), 2 * so2(1))
    params = layer.init(jax.random.key(0))
    image = jax.random.normal(jax.random.key(1), (7, 3, 4, 4))
    y = pixelwise(layer).apply(params, image)
    assert y.shape == (7, 4, 4, 4)
    np.testing.assert_allclose(y[3, :, 1, 2], layer.apply(params, image[3, :, 1, 2]), atol=1e-15)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: frequencies(scalar(cyclic(4))), r"representations of SO\(2\), got scalar of cyclic\(4\)"),
        (lambda: frequencies(standard(so(2)) * so2(2)), r"sums of so2\(k\) and restrictions of so3\(l\)"),
        (lambda: steerable_kernel(so2(0), so2(9), gaussian_rings(1, 4)), r"no function for frequency 9 of so2\(9\)"),
    ],
    ids=["another group", "no pairs", "too high a frequency"],
)
def test_what_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
