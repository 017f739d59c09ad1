"""Kernels that are turned: what is exact about the matrix and the layer is exact, and what is not is not."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from equiv.layers.rotated import adaptive_rotated_convolution, rotate, rotation_matrix, route

ANGLES = np.deg2rad([-180.0, -90, -45, -40, -20, -1e-8, 0, 1e-8, 20, 40, 45, 50, 90, 137, 360])
DEGREES = [f"{np.rad2deg(a):.8g}" for a in ANGLES]
QUARTER = np.eye(9)[np.rot90(np.arange(9).reshape(3, 3)).ravel()]
MIRROR = np.eye(9)[np.arange(9).reshape(3, 3)[:, ::-1].ravel()]
EVERY = pytest.mark.parametrize("theta", ANGLES, ids=DEGREES)
DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["float32", "float64"])


def matrix(theta, dtype=jnp.float64, interpolation="bilinear"):
    return np.asarray(rotation_matrix(jnp.asarray(theta, dtype), interpolation))


# --- the matrix -----------------------------------------------------------------------------------


@EVERY
@DTYPES
def test_it_reads_where_the_turn_takes_it(theta, dtype):
    """scipy's bilinear interpolation at the turned taps, the nearest pixel outside."""
    kernel = np.random.default_rng(0).standard_normal((3, 3))
    y, x = np.mgrid[-1:2, -1:2].astype(float)
    c, s = np.cos(theta), np.sin(theta)
    # kept within the grid before, as scipy's own rounding at the border would be seen
    rows, columns = (np.clip(v, -1, 1) + 1 for v in (s * x + c * y, c * x - s * y))
    expected = scipy.ndimage.map_coordinates(kernel, [rows, columns], order=1, mode="nearest")
    found = rotate(jnp.asarray(kernel, dtype), jnp.asarray(theta, dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=0, atol=50 * float(jnp.finfo(dtype).eps))


def test_the_written_out_rows():
    """A corner and an edge at 30 degrees, by the formulas of the paper's code."""
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    found = matrix(np.pi / 6)
    np.testing.assert_allclose(found[0, :2], [c - s, 1 - (c - s)], atol=1e-15)
    np.testing.assert_allclose(found[1, [1, 2, 4, 5]], [c - c * s, c * s, 1 - c - s + c * s, s - c * s], atol=1e-15)
    assert (found[4] == np.eye(9)[4]).all()
    assert (np.count_nonzero(found, axis=1) <= 4).all()


@EVERY
@pytest.mark.parametrize("interpolation", ["bilinear", "harmonic"])
def test_symmetries_of_the_matrix(theta, interpolation):
    made = functools.partial(matrix, interpolation=interpolation)
    m = made(theta)
    np.testing.assert_allclose(m @ QUARTER, QUARTER @ m, rtol=0, atol=1e-15)
    np.testing.assert_allclose(made(theta + np.pi / 2), QUARTER @ m, rtol=0, atol=3e-15)
    np.testing.assert_allclose(MIRROR @ m @ MIRROR, made(-theta), rtol=0, atol=1e-15)
    np.testing.assert_allclose(m.sum(1), 1, rtol=0, atol=1e-15)
    assert interpolation == "harmonic" or m.min() >= 0


@EVERY
@DTYPES
def test_harmonic_turns_compose(theta, dtype):
    """They are a representation, and those by bilinear reading are none."""
    made = functools.partial(matrix, dtype=dtype, interpolation="harmonic")
    assert made(theta).dtype == dtype
    np.testing.assert_allclose(made(theta) @ made(0.4), made(theta + 0.4), rtol=0, atol=20 * jnp.finfo(dtype).eps)
    assert np.abs(matrix(0.3) @ matrix(0.4) - matrix(0.7)).max() > 0.1


@EVERY
def test_harmonic_turns_turn_the_moments(theta):
    """The sum of a kernel stays, the vector of first moments and the tensor of second moments turn (y up)."""
    kernel = np.random.default_rng(0).standard_normal(9)
    y, x = (v.ravel() for v in np.mgrid[1:-2:-1, -1:2].astype(float))
    places, turn = np.stack([x, y]), np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    turned = matrix(theta, interpolation="harmonic") @ kernel
    assert abs(turned.sum() - kernel.sum()) < 1e-14
    np.testing.assert_allclose(places @ turned, turn @ (places @ kernel), atol=1e-14)
    second = [np.einsum("ip,jp,p->ij", places, places, k) for k in (kernel, turned)]
    np.testing.assert_allclose(second[1], turn @ second[0] @ turn.T, atol=1e-13)


@pytest.mark.parametrize("interpolation", ["bilinear", "harmonic"])
def test_special_angles(interpolation):
    assert (matrix(0.0, interpolation=interpolation) == np.eye(9)).all()
    np.testing.assert_allclose(matrix(np.pi / 2, interpolation=interpolation), QUARTER, atol=1e-15)
    kernel = np.arange(9.0).reshape(3, 3)
    np.testing.assert_allclose(rotate(jnp.asarray(kernel), jnp.asarray(np.pi / 2)), np.rot90(kernel), atol=1e-14)


def test_what_is_not_exact():
    """Masses at 40 degrees and the failure to compose, as numbers; a rotation by 45 degrees is none of the grid."""
    np.testing.assert_allclose(matrix(np.deg2rad(40)).sum(0)[[0, 1, 4]], [0.616, 1.301, 1.334], atol=5e-4)
    away = matrix(np.deg2rad(20)) @ matrix(np.deg2rad(20)) - matrix(np.deg2rad(40))
    assert abs(np.abs(away).max() - 0.39) < 0.005
    eighth = np.eye(9)[[1, 2, 5, 0, 4, 8, 3, 6, 7]]  # the ring, one tap on
    assert np.abs(matrix(0.3) @ eighth - eighth @ matrix(0.3)).max() > 0.05


def test_derivatives():
    """Those of finite differences away from the kinks; at a kink, finite and between the two one-sided ones."""
    slope = jax.jacfwd(rotation_matrix)
    for theta in (-0.6, -0.2, 0.3, 0.7, 1.2):
        expected = (matrix(theta + 1e-6) - matrix(theta - 1e-6)) / 2e-6
        np.testing.assert_allclose(slope(jnp.asarray(theta)), expected, atol=1e-8)
    sides = [(matrix(h) - matrix(0.0)) / h for h in (-1e-7, 1e-7)]
    assert np.abs(sides[0] - sides[1]).max() > 0.5
    low, high = np.minimum(*sides) - 1e-6, np.maximum(*sides) + 1e-6
    at = np.asarray(slope(jnp.asarray(0.0)))
    assert ((low <= at) & (at <= high)).all()


def test_bad_kernels():
    with pytest.raises(ValueError, match=re.escape("rotate takes kernels (..., 3, 3), got an array of shape (5, 5)")):
        rotate(jnp.ones((5, 5)), jnp.asarray(0.1))
    with pytest.raises(ValueError, match="the interpolation of a turn has to be bilinear or harmonic, got 'cubic'"):
        matrix(0.1, interpolation="cubic")
    assert np.isnan(matrix(np.nan)).any()
    assert rotate(jnp.ones((4, 1, 3, 3)), jnp.zeros(5)).shape == (4, 5, 3, 3)


# --- the layer ------------------------------------------------------------------------------------


def made(routing="paper", padding="zero", channels=(3, 5), dtype=jnp.float64, **settings):
    """A layer, parameters at which angles and gates differ from image to image, and images (4, C, 10, 10)."""
    layer = adaptive_rotated_convolution(*channels, routing=routing, padding=padding, **settings)
    params = layer.init(jax.random.key(0), dtype)
    params["routing"] = {
        name: 40 * value if name in ("gates", "angles", "across", "depthwise") else value
        for name, value in params["routing"].items()
    }
    return layer, params, jax.random.normal(jax.random.key(1), (4, channels[0], 10, 10), dtype)


ROUTINGS = pytest.mark.parametrize("routing", ["paper", "turning"])


def by_hand(layer, params, x, padding):
    """Each image and channel by scipy, each kernel turned and convolved before the sum."""
    found = route(layer, params, x)
    weights, batch = np.asarray(params["kernels"]), []
    for image, gates, angles in zip(np.asarray(x), np.asarray(found.gates), np.asarray(found.angles)):
        out = 0
        for gate, angle, kernel in zip(gates, angles, weights):
            turned = np.asarray(rotate(jnp.asarray(kernel), jnp.asarray(angle)))
            correlate = functools.partial(
                scipy.signal.correlate2d, mode="same", boundary="wrap" if padding == "circular" else "fill"
            )
            out = out + gate * np.stack([sum(correlate(c, k) for c, k in zip(image, row)) for row in turned])
        batch.append(out)
    return np.stack(batch)


@ROUTINGS
@pytest.mark.parametrize("padding", ["zero", "circular"])
@DTYPES
def test_it_is_a_sum_of_turned_convolutions(routing, padding, dtype):
    layer, params, x = made(routing, padding)
    expected = by_hand(layer, params, x, padding)
    cast = functools.partial(jax.tree.map, lambda leaf: leaf.astype(dtype))
    found = layer.apply(cast(params), cast(x))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e3 * float(jnp.finfo(dtype).eps))


@ROUTINGS
def test_every_image_has_its_own_kernel(routing):
    layer, params, x = made(routing)
    found = route(layer, params, x)
    for part in (found.gates, found.angles):
        assert np.ptp(part, axis=0).max() > 0.01
    together = layer.apply(params, x)
    alone = jnp.concatenate([layer.apply(params, image[None]) for image in x])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-13)


def test_the_papers_routing():
    """Each step by numpy; gates within (0, 1), angles within 40 degrees."""
    layer, params, x = made()
    p = {name: np.asarray(value) for name, value in params["routing"].items()}
    y = np.stack([
        [scipy.signal.correlate2d(c, k, mode="same") for c, k in zip(image, p["depthwise"])] for image in np.asarray(x)
    ])  # fmt: skip
    y = (y - y.mean(1, keepdims=True)) / np.sqrt(y.var(1, keepdims=True) + 1e-6)
    u = np.maximum(y, 0).mean((2, 3))
    found, raw = route(layer, params, x), u @ p["angles"]
    np.testing.assert_allclose(found.gates, 1 / (1 + np.exp(-u @ p["gates"])), atol=1e-12)
    np.testing.assert_allclose(found.angles, np.deg2rad(40) * raw / (1 + np.abs(raw)), atol=1e-12)
    assert np.abs(found.angles).max() < np.deg2rad(40)


@ROUTINGS
def test_shifts_of_a_periodic_image(routing):
    layer, params, x = made(routing, "circular")
    move = functools.partial(jnp.roll, shift=(3, -2), axis=(2, 3))
    np.testing.assert_allclose(layer.apply(params, move(x)), move(layer.apply(params, x)), rtol=0, atol=1e-13)


def relative(a, b):
    return float(jnp.sqrt(jnp.sum((a - b) ** 2) / jnp.sum(b**2)))


@pytest.mark.parametrize(("padding", "interpolation"), [("zero", "bilinear"), ("circular", "harmonic")])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_turning_layer_commutes_with_quarter_turns(padding, interpolation, turns):
    layer, params, x = made("turning", padding, interpolation=interpolation)
    turn = functools.partial(jnp.rot90, k=turns, axes=(2, 3))
    before, after = route(layer, params, x), route(layer, params, turn(x))
    np.testing.assert_allclose(after.gates, before.gates, rtol=0, atol=1e-13)
    away = np.exp(1j * (np.asarray(after.angles) - np.asarray(before.angles)))
    np.testing.assert_allclose(away, 1j**turns, rtol=0, atol=1e-10)
    assert relative(layer.apply(params, turn(x)), turn(layer.apply(params, x))) < 1e-12


def test_the_papers_layer_does_not():
    layer, params, x = made()
    turn = functools.partial(jnp.rot90, axes=(2, 3))
    assert relative(layer.apply(params, turn(x)), turn(layer.apply(params, x))) > 0.5


def test_a_symmetric_depthwise_kernel_fixes_the_route_and_not_the_layer():
    """Then the output is that of the same kernel on the turned image, which is not the output turned."""
    layer, params, x = made()
    kernel = params["routing"]["depthwise"]
    params["routing"]["depthwise"] = sum(jnp.rot90(kernel, k, axes=(1, 2)) for k in range(4))
    turn = functools.partial(jnp.rot90, axes=(2, 3))
    before, after = route(layer, params, x), route(layer, params, turn(x))
    np.testing.assert_allclose(after.gates, before.gates, rtol=0, atol=1e-13)
    np.testing.assert_allclose(after.angles, before.angles, rtol=0, atol=1e-13)
    assert relative(layer.apply(params, turn(x)), turn(layer.apply(params, x))) > 0.5
    ring = jnp.ones((1, 1, 1, 3, 3)).at[..., 1, 1].set(2.0)
    params["kernels"] = jnp.broadcast_to(params["kernels"][..., :1, :1] * ring, params["kernels"].shape)
    # unless the kernels are symmetric too
    assert relative(layer.apply(params, turn(x)), turn(layer.apply(params, x))) < 1e-12


def test_convolution_and_turn_commute():
    """``rot90(W * x) = rot90(W) * rot90(x)``, on which all of this rests."""
    draw = np.random.default_rng(0)
    kernel, image = draw.standard_normal((3, 3)), draw.standard_normal((7, 7))
    turned = scipy.signal.correlate2d(np.rot90(image), np.rot90(kernel), mode="same")
    np.testing.assert_allclose(np.rot90(scipy.signal.correlate2d(image, kernel, mode="same")), turned, atol=1e-12)


@ROUTINGS
def test_dropout_is_in_the_key(routing):
    layer, params, x = made(routing)
    apply = jax.jit(layer.apply)
    one, again, other = (apply(params, x, jax.random.key(seed)) for seed in (0, 0, 1))
    assert (one == again).all()
    assert relative(one, other) > 1e-3
    assert relative(one, apply(params, x)) > 1e-3
    none = adaptive_rotated_convolution(3, 5, routing=routing, dropout=0.0)
    np.testing.assert_allclose(none.apply(params, x, jax.random.key(0)), apply(params, x), atol=1e-13)


@ROUTINGS
def test_gradients_are_finite(routing):
    """Also of an image without any gradient, and of zeros."""
    layer, params, x = made(routing)
    for image in (x, jnp.ones_like(x), jnp.zeros_like(x)):
        slopes = jax.grad(lambda p, image=image: jnp.sum(layer.apply(p, image) ** 2))(params)
        assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
    assert all((jnp.abs(leaf) > 0).any() for leaf in jax.tree.leaves(jax.grad(
        lambda p: jnp.sum(layer.apply(p, x) ** 2))(params)))  # fmt: skip


def test_half_precision():
    layer, params, x = made(dtype=jnp.float32)
    found = layer.apply(params, x.astype(jnp.bfloat16))
    assert found.dtype == jnp.bfloat16
    assert relative(found.astype(jnp.float32), layer.apply(params, x)) < 0.03


def test_edges():
    layer, params, _ = made(channels=(3, 5))
    assert layer.apply(params, jnp.ones((2, 3, 1, 7))).shape == (2, 5, 1, 7)
    circular, own, _ = made(padding="circular")
    assert circular.apply(own, jnp.ones((2, 3, 1, 7))).shape == (2, 5, 1, 7)
    assert jnp.isnan(layer.apply(params, jnp.full((1, 3, 4, 4), jnp.nan))).all()
    assert adaptive_rotated_convolution(3, 5) is adaptive_rotated_convolution(3, 5)
    assert adaptive_rotated_convolution(3, 5).spec == layer.spec


def test_parameters():
    """Of the stated number and spread."""
    layer = adaptive_rotated_convolution(64, 48)
    params = layer.init(jax.random.key(0), jnp.float32)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 4 * 48 * 64 * 9 + 64 * (9 + 2 + 4 + 4) + 4
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))
    spread = float(params["kernels"].std()) / (2 / (9 * 48)) ** 0.5
    assert abs(spread - 1) < 5 / np.sqrt(2 * params["kernels"].size)
    assert float(jnp.abs(params["routing"]["depthwise"]).max()) <= 0.04
    assert not params["routing"]["bias"].any()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"channels_in": 0}, "the number of channels that adaptive_rotated_convolution takes has to be a whole number"),
        ({"channels_out": -1}, "the number of channels that adaptive_rotated_convolution gives has to be a whole"),
        (
            {"kernels": 0},
            "the number of kernels of adaptive_rotated_convolution has to be a whole number of at least 1",
        ),
        ({"routing": "mine"}, "the routing of adaptive_rotated_convolution has to be paper or turning, got 'mine'"),
        (
            {"interpolation": "cubic"},
            "the interpolation of adaptive_rotated_convolution has to be bilinear or harmonic",
        ),
        ({"padding": "valid"}, "the padding of adaptive_rotated_convolution has to be zero or circular, got 'valid'"),
        ({"largest_angle": 0.0}, "the largest angle has to be above 0 and at most 180 degrees, got 0.0"),
        ({"largest_angle": float("nan")}, "the largest angle has to be above 0 and at most 180 degrees, got nan"),
        ({"dropout": 1.0}, "dropout has to be a share from 0 to below 1, got 1.0"),
    ],
)
def test_bad_settings(settings, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        adaptive_rotated_convolution(**{"channels_in": 2, "channels_out": 3} | settings)


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 4, 4, 4), (2, 3, 0, 4), (0, 3, 4, 4)])
def test_bad_images(shape):
    layer, params, _ = made()
    with pytest.raises(ValueError, match=re.escape(f"takes images (B, 3, H, W), got an array of shape {shape}")):
        layer.apply(params, jnp.ones(shape))


def test_bad_arguments():
    layer, params, x = made()
    with pytest.raises(TypeError, match="takes floating-point images, got int"):
        layer.apply(params, jnp.ones((1, 3, 4, 4), int))
    with pytest.raises(ValueError, match="takes parameters named kernels, got none"):
        layer.apply({}, x)
    from equiv.layers.pyramid import pyramid_convolution

    with pytest.raises(ValueError, match="route takes an adaptive_rotated_convolution, got pyramid_convolution"):
        route(pyramid_convolution(2, 3), params, x)
