"""Induction layers: consistency under turns of the image, the kernels behind them, and what is not consistent."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.groups import so
from equiv.layers.induction import (
    mirror_plane_to_sphere,
    orthographic_lift,
    orthographic_profiles,
    plane_to_so3,
    plane_to_sphere,
    restrict_to_plane,
)
from equiv.layers.so3 import rotation_signal, sphere_signal, spherical_harmonics
from equiv.layers.steerable import gaussian_rings, laguerre, pixel_centres, steerable_kernel
from equiv.reps import restrict, scalar
from equiv.reps.irreps import polar_axis, so2

ATOL = {np.float32: 1e-5, np.float64: 1e-13}
L, CHANNELS = 4, 2
FIELDS = 2 * so2(0) + so2(1) + so2(3)
SCALARS = scalar(so(2), 2)
SMOOTH = laguerre(2, 0.15)
LAYERS = {
    "sphere": (FIELDS, sphere_signal(L, CHANNELS), lambda: plane_to_sphere(FIELDS, L, CHANNELS, SMOOTH)),
    "mirror": (FIELDS, sphere_signal(L, CHANNELS), lambda: mirror_plane_to_sphere(FIELDS, L, CHANNELS, SMOOTH)),
    "SO(3)": (FIELDS, rotation_signal(3, CHANNELS), lambda: plane_to_so3(FIELDS, 3, CHANNELS, SMOOTH)),
    "orthographic": (SCALARS, sphere_signal(L, CHANNELS), lambda: orthographic_lift(L, CHANNELS)),
    "degree 0": (FIELDS, sphere_signal(0, 1), lambda: plane_to_sphere(FIELDS, 0, 1, SMOOTH)),
}
RNG = np.random.default_rng(0)
CENTRES, AMPLITUDES = RNG.uniform(-0.5, 0.5, (6, 2)), RNG.normal(size=(6, FIELDS.dim))


def turn(t):
    return np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])


def turned(rep, t, x):
    """What a turn by t does to a vector of a representation of SO(3)."""
    return np.asarray(x) @ np.asarray(restrict(rep, polar_axis()).matrix(jnp.asarray(turn(t)))).T


def smooth(rep, side, t):
    """``rho(h) f(h^-1 r)`` of a field that is known everywhere."""
    away = (pixel_centres(side) @ turn(t))[:, :, None] - CENTRES
    field = np.exp(-np.sum(away**2, axis=-1) / (2 * 0.15**2)) @ AMPLITUDES[:, : rep.dim]
    return np.einsum("ab,zxb->azx", rep.matrix(jnp.asarray(turn(t))), field)


def quarter(rep, image):
    """``f'[i, j] = rho(h) f[j, N - 1 - i]``; that this is the turn of ``smooth`` is a test of its own."""
    rho = np.asarray(rep.matrix(jnp.array([[0.0, -1.0], [1.0, 0.0]])), image.dtype)
    return np.einsum("ab,...bij->...aij", rho, np.swapaxes(image, -1, -2)[..., ::-1, :])


@functools.cache
def built(layer):
    rep_in, rep_out, build = LAYERS[layer]
    layer = build()
    return rep_in, rep_out, layer, layer.init(jax.random.key(0), np.float64), jax.jit(layer.apply)


def test_the_quarter_turn():
    np.testing.assert_allclose(quarter(FIELDS, smooth(FIELDS, 7, 0.0)), smooth(FIELDS, 7, np.pi / 2), atol=1e-15)


# --- consistency ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "dtype"), [(8, np.float32), (7, np.float64)])
@pytest.mark.parametrize("layer", LAYERS)
def test_quarter_turns_are_exact(layer, side, dtype):
    """On random pixels, an even and an odd number of them, all four turns."""
    rep_in, rep_out, _, params, apply = built(layer)
    params = jax.tree.map(lambda leaf: leaf.astype(dtype), params)
    image = np.random.default_rng(1).normal(size=(2, rep_in.dim, side, side)).astype(dtype)
    y = np.asarray(apply(params, jnp.asarray(image)))
    assert y.dtype == dtype
    assert y.shape == (2, rep_out.dim)
    scale = np.sqrt(np.mean(y**2))
    for step in range(1, 5):
        image = quarter(rep_in, image)
        moved = np.asarray(apply(params, jnp.asarray(image)))
        np.testing.assert_allclose(moved / scale, turned(rep_out, step * np.pi / 2, y) / scale, atol=ATOL[dtype])


@pytest.mark.parametrize("layer", ["sphere", "SO(3)", "orthographic"])
def test_other_turns_with_more_pixels(layer):
    """Error of order one at 7 pixels, below 1e-6 at 28 (1e-5 where the kernel is cut off at the edge of the disc)."""
    rep_in, rep_out, _, params, apply = built(layer)

    def error(side, t):
        expected = turned(rep_out, t, apply(params, jnp.asarray(smooth(rep_in, side, 0.0))))
        found = np.asarray(apply(params, jnp.asarray(smooth(rep_in, side, t))))
        return abs(found - expected).max() / np.sqrt(np.mean(expected**2))

    assert error(7, 0.7) > 0.1
    for t in (0.7, -2.0, np.pi, 1e-3):
        assert error(28, t) < (1e-5 if layer == "orthographic" else 1e-6)
    assert error(14, 0.7) < error(7, 0.7)


def test_coefficients_converge_with_the_image():
    """The same parameters give the same signal for images of 30 and of 61 pixels."""
    rep_in, _, _, params, apply = built("sphere")
    few, many = (np.asarray(apply(params, jnp.asarray(smooth(rep_in, side, 0.0)))) for side in (30, 61))
    np.testing.assert_allclose(few, many, atol=1e-6 * abs(many).max())


def test_the_other_side_is_caught():
    """A signal on SO(3) moves from the left; that both indices of ``D^l`` turn is not so."""
    rep_in, _, _, params, apply = built("SO(3)")
    image = np.random.default_rng(1).normal(size=(rep_in.dim, 8, 8))
    y, moved = (np.asarray(apply(params, jnp.asarray(x))) for x in (image, quarter(rep_in, image)))
    start = 0
    for l in range(4):
        size = (CHANNELS, 2 * l + 1, 2 * l + 1)
        still, found = (x[start : start + np.prod(size)].reshape(size) for x in (y, moved))
        start += np.prod(size)
        d = np.asarray(restrict(sphere_signal(l), polar_axis()).matrix(jnp.asarray(turn(np.pi / 2))))[l**2 :, l**2 :]
        np.testing.assert_allclose(found, still @ d.T, atol=1e-13)
        if l:
            assert abs(found - d @ still @ d.T).max() > 0.1


# --- the kernels behind them ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radial", [SMOOTH, gaussian_rings(4, 16)], ids=str)
def test_it_is_the_inner_product_with_a_steerable_kernel(radial):
    """Which is never formed: sum over pixels, times their area, times half of 16 pixels."""
    signal = sphere_signal(L, CHANNELS)
    layer = plane_to_sphere(FIELDS, L, CHANNELS, radial)
    kernel = steerable_kernel(FIELDS, restrict(signal, polar_axis()), radial)
    params = layer.init(jax.random.key(0))
    image = np.random.default_rng(1).normal(size=(3, FIELDS.dim, 9, 9))
    taps = jax.jit(lambda params: kernel.at(params, pixel_centres(9)))(params)
    expected = np.einsum("oizx,nizx->no", taps, image) * (2 / 9) ** 2 * 8
    np.testing.assert_allclose(jax.jit(layer.apply)(params, jnp.asarray(image)), expected, atol=1e-12)


def test_number_of_profiles():
    """(L + 1)^2 for each pair of channels, (L + 1)(L + 2) / 2 without q; 2l + 1 times as many to SO(3)."""
    count = lambda layer: sum(leaf.size for leaf in jax.tree.leaves(layer.init(jax.random.key(0))))
    one = laguerre(1, 0.2)
    assert count(plane_to_sphere(SCALARS, 6, 3, one)) == 6 * 49
    assert count(mirror_plane_to_sphere(SCALARS, 6, 3, one)) == 6 * 28
    assert count(plane_to_so3(SCALARS, 6, 3, one)) == 6 * 455


def test_initial_scale():
    """Independent pixels of variance one, 16 x 16, give coefficients of about variance one."""
    layer = plane_to_sphere(8 * so2(0) + 4 * so2(1), 6, 8, gaussian_rings(4, 16))
    images = jnp.asarray(np.random.default_rng(1).normal(size=(8, 16, 16, 16)), jnp.float32)
    y = np.asarray(jax.jit(layer.apply)(layer.init(jax.random.key(0), jnp.float32), images))
    assert 0.5 < np.mean(y**2) < 2


def mirrored(l_max):
    """The signs of the components under x -> -x."""
    return np.concatenate([np.where(np.arange(-l, l + 1) < 0, -1.0, 1.0) for l in range(l_max + 1)])


def test_the_mirror_symmetric_case():
    """It commutes with x -> -x, the free one does not, and it is the free one with q = 0."""
    scalars = so2(0)
    image = np.random.default_rng(1).normal(size=(1, 8, 8))
    for build, close in ((mirror_plane_to_sphere, True), (plane_to_sphere, False)):
        layer = build(scalars, L, 1, SMOOTH)
        params = layer.init(jax.random.key(0))
        y, moved = (np.asarray(layer.apply(params, jnp.asarray(x))) for x in (image, image[..., ::-1].copy()))
        assert np.allclose(moved, mirrored(L) * y, atol=1e-12) == close
    mirror, free = mirror_plane_to_sphere(scalars, L, 1, SMOOTH), plane_to_sphere(scalars, L, 1, SMOOTH)
    params = mirror.init(jax.random.key(0))
    zero = jax.tree.map(jnp.zeros_like, free.init(jax.random.key(0))["q"])
    x = jnp.asarray(image)
    np.testing.assert_allclose(free.apply({**params, "q": zero}, x), mirror.apply(params, x), atol=1e-15)


def test_constant_images_have_order_0():
    """Components m = 1, 2, 3 are zero by quarter turns; m = 4 is what pixels leave of a round disc."""
    _, _, layer, _, _ = built("sphere")
    layer = plane_to_sphere(so2(0), L, 1, SMOOTH)
    y = np.asarray(layer.apply(layer.init(jax.random.key(0)), jnp.ones((1, 16, 16))))
    order = np.concatenate([abs(np.arange(-l, l + 1)) for l in range(L + 1)])
    assert abs(y[order == 0]).max() > 0.1
    np.testing.assert_allclose(y[(order > 0) & (order < 4)], 0, atol=1e-14)
    assert abs(y[order == 4]).max() < 1e-3 * abs(y[order == 0]).max()


# --- the orthographic projection --------------------------------------------------------------------------------------


def sphere_quadrature(n_beta, n_alpha):
    """Polar angles by Gauss-Legendre up to and from 75 degrees, azimuths equidistant: angles, points, weights."""
    nodes, weights = np.polynomial.legendre.leggauss(n_beta)
    edges = np.deg2rad([0, 75, 90])
    beta = np.concatenate([(lo + hi) / 2 + (hi - lo) / 2 * nodes for lo, hi in itertools.pairwise(edges)])
    mass = np.concatenate([(hi - lo) / 2 * weights for lo, hi in itertools.pairwise(edges)]) * np.sin(beta) / 2
    alpha = 2 * np.pi * np.arange(n_alpha) / n_alpha
    beta, alpha = np.meshgrid(beta, alpha, indexing="ij")
    points = np.stack([np.sin(beta) * np.sin(alpha), np.cos(beta), np.sin(beta) * np.cos(alpha)], axis=-1)
    return beta.ravel(), points.reshape(-1, 3), np.repeat(mass, n_alpha) / n_alpha


def test_the_orthographic_lift_is_the_projection_onto_the_ball():
    """Against a sum over the sphere of what each point sees; in it, no component has a q."""
    beta, points, mass = sphere_quadrature(60, 96)
    fade = np.minimum(1, (90 - np.rad2deg(beta)) / 15)
    harmonics = np.concatenate([np.asarray(y) for y in spherical_harmonics(L, jnp.asarray(points))], axis=-1)
    r = np.array([0.0, 0.2, 0.55, 0.8])
    for phi in (0.0, 1.1):
        place = r[:, None] * np.array([[np.cos(phi), np.sin(phi)]])
        away = place[:, None] - 0.9 * points[None][..., [2, 0]]
        seen = fade * np.exp(-np.sum(away**2, axis=-1) / 0.08) / (0.08 * np.pi)
        direct = (seen * mass) @ harmonics * np.exp(15 * (np.sqrt(1 - r**8) - 1))[:, None]
        profiles = orthographic_profiles(L, r)
        expected = [
            profiles[l, abs(m)] * (np.cos(m * phi) if m >= 0 else np.sin(-m * phi))
            for l in range(L + 1)
            for m in range(-l, l + 1)
        ]
        np.testing.assert_allclose(direct, np.stack(expected, axis=1), atol=1e-12)


def test_the_orthographic_lift_is_a_mirror_symmetric_induction_layer():
    """Its profiles, fitted with radial functions, are parameters of ``mirror_plane_to_sphere``."""
    radial = laguerre(14, 0.2)
    r = np.linspace(0, 1, 400)
    profiles = orthographic_profiles(L, r)
    entries = {}
    for m in range(L + 1):
        basis = radial.profiles(m, r).T * (2**0.5 if m else 1) * 8
        fits = [np.linalg.lstsq(basis, profiles[l, m], rcond=None)[0] for l in range(m, L + 1)]
        entries[f"0->{m}"] = jnp.asarray(np.stack(fits))[:, None]
    image = jnp.asarray(smooth(so2(0), 30, 0.0))
    found = mirror_plane_to_sphere(so2(0), L, 1, radial).apply({"p": entries}, image)
    expected = np.asarray(orthographic_lift(L, 1).apply({}, image))
    np.testing.assert_allclose(found, expected, atol=1e-6 * abs(expected).max())


def test_the_far_side_stays_dark():
    """The lift of a constant picture is about 1 towards the camera and 0 behind, up to the band limit."""
    x = orthographic_lift(10, 1).apply({}, jnp.ones((1, 32, 32)))
    points = jnp.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.6, -0.8, 0.0]])
    y = jnp.concatenate(spherical_harmonics(10, points), axis=-1) @ x
    np.testing.assert_allclose(y, [1, 0, 0], atol=0.05)


# --- back to the plane ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "dtype"), [(7, np.float32), (8, np.float64)])
def test_restriction_commutes_with_quarter_turns(side, dtype):
    signal = sphere_signal(L, CHANNELS)
    layer = restrict_to_plane(FIELDS, L, CHANNELS, gaussian_rings(3, 8), side)
    params, apply = layer.init(jax.random.key(0), dtype), jax.jit(layer.apply)
    x = np.random.default_rng(1).normal(size=(2, signal.dim)).astype(dtype)
    image = np.asarray(apply(params, jnp.asarray(x)))
    assert image.dtype == dtype
    assert image.shape == (2, FIELDS.dim, side, side)
    assert 0.3 < np.mean(image**2) < 3
    for step in range(1, 5):
        image = quarter(FIELDS, image)
        moved = turned(signal, step * np.pi / 2, x).astype(dtype)
        np.testing.assert_allclose(apply(params, jnp.asarray(moved)), image, atol=10 * ATOL[dtype])


def test_restriction_is_the_adjoint_of_induction():
    """Inner products with a kernel, one way and the other: ``<C, Phi f> = <Phi* C, f>``, profile by profile."""
    radial, side = laguerre(1, 0.2), 8
    up, down = plane_to_sphere(so2(0), 2, 1, radial), restrict_to_plane(so2(0), 2, 1, radial, side)
    params = up.init(jax.random.key(0))
    back = {
        letter: {f"{pair[-1]}->0": sign * 2**0.5 * w.swapaxes(0, 1) for pair, w in params[letter].items()}
        for letter, sign in (("p", 1), ("q", -1))
    }
    back["p"]["0->0"] = params["p"]["0->0"].swapaxes(0, 1)
    f = jax.random.normal(jax.random.key(1), (1, side, side))
    c = jax.random.normal(jax.random.key(2), (9,))
    forward = jnp.sum(c * up.apply(params, f)) / 8
    adjoint = jnp.sum(f * down.apply(back, c)) * (2 / side) ** 2 / np.pi**0.5
    np.testing.assert_allclose(forward, adjoint, rtol=1e-12)


# --- records ----------------------------------------------------------------------------------------------------------


def test_records_are_one():
    assert plane_to_sphere(so2(0), 2, 1, SMOOTH) is plane_to_sphere(so2(0), 2, 1, SMOOTH)
    assert str(plane_to_sphere(so2(0), 1, 1, SMOOTH)) == "plane_to_sphere(scalar -> scalar + standard(SO(3)))"


def test_gradients_are_finite_and_right():
    """Linear in the parameters and in the image: the derivative along itself is the value."""
    rep_in, _, layer, params, _ = built("sphere")
    image = jax.random.normal(jax.random.key(1), (rep_in.dim, 5, 5))
    value, along = jax.jit(lambda p, x: jax.jvp(layer.apply, (p, x), (p, x)))(params, image)
    np.testing.assert_allclose(along, 2 * value, atol=1e-12)
    slopes = jax.jit(jax.grad(lambda p, x: jnp.sum(layer.apply(p, x) ** 2), argnums=(0, 1)))(params, image)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
