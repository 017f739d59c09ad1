"""A cloud from above: features that turn with it, a descriptor that does not, and the yaw."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.layers.birds_eye import birds_eye_view, cyclic_conv, cyclic_lifting, netvlad, place_descriptor, yaw
from equiv.layers.steerable import pixel_centres

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["float32", "float64"])
SIDE = 25


def random(shape, dtype=jnp.float64, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def about_y(angle):
    """z towards x."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def quarter_turn(x, k=1):
    return np.rot90(np.asarray(x), k, axes=(-2, -1))


def walls(angle, side=SIDE, seed=0):
    """A smooth picture, turned by an angle: known everywhere, so that no pixel is read twice."""
    draw = np.random.default_rng(seed)
    centres, heights = draw.uniform(-0.45, 0.45, (6, 2)), draw.uniform(0.5, 1, 6)
    which_way = draw.uniform(0, np.pi, 6) + angle
    c, s = np.cos(angle), np.sin(angle)
    apart = pixel_centres(side)[:, :, None] - centres @ np.array([[c, -s], [s, c]]).T  # (z, x) by +angle
    z, x = np.moveaxis(apart, -1, 0)
    along = z * np.cos(which_way) + x * np.sin(which_way)
    across = x * np.cos(which_way) - z * np.sin(which_way)
    return jnp.asarray((heights * np.exp(-(along**2) / 0.08 - across**2 / 0.012)).sum(-1))[None]


# --- pictures ---------------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("side", [20, 21])
def test_the_view_from_above(dtype, side):
    points = np.random.default_rng(0).uniform(-1.2, 1.2, (3, 4000, 3))
    found = birds_eye_view(jnp.asarray(points, dtype), side, 1.0, most=4)
    assert found.shape == (3, 1, side, side)
    assert found.dtype == dtype
    expected = np.zeros((3, side, side))
    for image, cloud in zip(expected, np.asarray(jnp.asarray(points, dtype), np.float64)):
        cells = {tuple(c) for c in np.floor((cloud[(np.abs(cloud) < 1).all(1)] + 1) * side / 2).astype(int)}
        for x, _, z in cells:
            image[z, x] += 1
    expected[expected < 2] = 0
    np.testing.assert_allclose(found[:, 0], np.minimum(expected, 4) / 4, rtol=0, atol=1e-7)
    for k in (1, 2, 3):
        turned = birds_eye_view(jnp.asarray(points @ np.round(about_y(k * np.pi / 2)).T, dtype), side, 1.0, most=4)
        np.testing.assert_array_equal(turned, quarter_turn(found, k))


def test_views_of_little():
    assert not birds_eye_view(jnp.zeros((0, 3)), 5, 1.0).any()
    assert not birds_eye_view(jnp.full((4, 3), 7.0), 5, 1.0).any()
    assert not birds_eye_view(jnp.full((4, 3), jnp.nan), 5, 1.0).any()
    assert not birds_eye_view(jnp.zeros((100, 3)), 5, 1.0).any()  # one cell is ground
    two = birds_eye_view(jnp.asarray([[0.0, 0.0, 0.0], [0, 0.9, 0]]), 5, 1.0)
    assert np.argwhere(two[0]).tolist() == [[2, 2]]


# --- features ---------------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("n", [4, 8, 12])
@pytest.mark.parametrize("side", [12, 13])
def test_quarter_turns_are_exact(dtype, n, side):
    lifting, conv = cyclic_lifting(2, 3, n, 5), cyclic_conv(3, 2, n, 3)
    params = lifting.init(jax.random.key(0), dtype), conv.init(jax.random.key(1), dtype)
    apply = jax.jit(lambda x: conv.apply(params[1], jax.nn.relu(lifting.apply(params[0], x))))
    x = random((2, 2, side, side), dtype)
    y = np.asarray(apply(x))
    assert y.shape == (2, 2, n, side, side)
    assert y.dtype == dtype
    tolerance = (1e-12 if dtype == jnp.float64 else 1e-5) * np.abs(y).max()
    for k in (1, 2, 3):
        expected = np.roll(quarter_turn(y, k), k * n // 4, axis=2)
        np.testing.assert_allclose(apply(jnp.asarray(quarter_turn(x, k))), expected, rtol=0, atol=tolerance)
    wrong = np.roll(quarter_turn(y, 1), -n // 4, axis=2)  # the other way round
    assert np.abs(apply(jnp.asarray(quarter_turn(x))) - wrong).max() > 0.1 * np.abs(y).max()


def test_other_angles_are_as_good_as_the_pixels():
    """45 degrees are one of 8 angles, and in the middle between two of 4; finer pixels are better."""
    found = {}
    for n, side in ((8, 17), (8, 41), (4, 41)):
        lifting, conv = cyclic_lifting(1, 6, n, 5), cyclic_conv(6, 6, n, 5)
        params = lifting.init(jax.random.key(0)), conv.init(jax.random.key(1))

        @jax.jit
        def angles(x, lifting=lifting, conv=conv, params=params):
            x = jax.nn.relu(lifting.apply(params[0], x))
            return jnp.mean(jax.nn.relu(conv.apply(params[1], x)) ** 2, axis=(-1, -2))

        still, turned, half = (np.asarray(angles(walls(np.radians(a), side))) for a in (0, 45, 22.5))
        size = np.linalg.norm(still - still.mean(-1, keepdims=True))
        moved = np.roll(still, n // 8, axis=-1)
        found[n, side] = np.linalg.norm(turned - moved) / size, np.linalg.norm(half - moved) / size
    assert found[8, 41][0] < 0.05
    assert found[8, 41][0] < 0.5 * found[8, 17][0]
    assert found[8, 41][1] > 0.3  # the worst angle is half way between two
    assert found[4, 41][0] > 0.3


def test_a_plain_convolution_has_no_such_symmetry():
    """The twin with one kernel for all angles."""
    layer = cyclic_lifting(1, 2, 4, 5)
    params = layer.init(jax.random.key(0))
    x = random((1, 13, 13))
    pooled = lambda x: np.asarray(layer.apply(params, x)).max(1)
    one = lambda x: np.asarray(layer.apply(params, x))[:, 0]
    turned = jnp.asarray(quarter_turn(x))
    np.testing.assert_allclose(pooled(turned), quarter_turn(pooled(x)), rtol=0, atol=1e-13)
    assert np.abs(one(turned) - quarter_turn(one(x))).max() > 0.5


# --- descriptors ------------------------------------------------------------------------------------------------------


@DTYPES
def test_netvlad(dtype):
    layer = netvlad(5, 4)
    params = layer.init(jax.random.key(0), dtype)
    f = random((2, 40, 5), dtype)
    mask = jnp.asarray(np.tile(np.arange(40) < 30, (2, 1)), dtype)
    found = layer.apply(params, f, mask)
    assert found.dtype == dtype
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found.reshape(2, 4, 5), axis=-1), 0.5, rtol=0, atol=1e-6)
    order = np.random.default_rng(0).permutation(30)
    again = layer.apply(params, f[:, order], mask[:, :30])
    np.testing.assert_allclose(again, found, rtol=0, atol=1e-12 if dtype == jnp.float64 else 1e-5)
    p = {name: np.asarray(value, np.float64) for name, value in params.items()}
    x = np.asarray(f[0, :30], np.float64)
    share = np.exp(x @ p["assign"].T + p["bias"])
    share /= share.sum(1, keepdims=True)
    v = np.stack([(share[:, k, None] * (x - p["centres"][k])).sum(0) for k in range(4)])
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    np.testing.assert_allclose(found[0], (v / 2).ravel(), rtol=0, atol=1e-5 if dtype == jnp.float32 else 1e-12)
    nothing = layer.apply(params, f, jnp.zeros_like(mask))
    assert not nothing.any()
    slope = jax.grad(lambda f: jnp.sum(layer.apply(params, f, jnp.zeros_like(mask)) ** 2))(f)
    assert np.isfinite(slope).all()


@pytest.fixture(scope="module")
def place():
    layer = place_descriptor(6, 8, 4)
    params = layer.init(jax.random.key(0))
    return jax.jit(functools.partial(layer.apply, params))


def test_the_descriptor_does_not_turn_and_the_angles_move_on(place):
    points = np.random.default_rng(0).uniform(-0.6, 0.6, (600, 3))
    see = lambda angle: place(birds_eye_view(jnp.asarray(points @ about_y(angle).T), SIDE, 1.0))
    still = see(0.0)
    assert abs(np.linalg.norm(still.descriptor) - 1) < 1e-12
    for k in (1, 2, 3):
        turned = see(k * np.pi / 2)
        np.testing.assert_allclose(turned.descriptor, still.descriptor, rtol=0, atol=1e-12)
        np.testing.assert_allclose(turned.angles, np.roll(still.angles, 2 * k, axis=-1), rtol=0, atol=1e-12)
        gap = float(yaw(still.angles, turned.angles)) - k * np.pi / 2
        assert abs((gap + np.pi) % (2 * np.pi) - np.pi) < 1e-12
    other = place(birds_eye_view(jnp.asarray(points[:300] * [1.2, 1, 0.5]), SIDE, 1.0))
    assert np.linalg.norm(other.descriptor - still.descriptor) > 0.05


def test_the_yaw_of_a_smooth_picture(place):
    """Among the angles nearly right, between two of them to half of what the nearest one could be off."""
    still = place(walls(0.0)).angles
    for degrees in (-150, -70, -20, 10, 45, 100, 135, 170):
        found = float(yaw(still, place(walls(np.radians(degrees))).angles))
        assert abs((np.degrees(found) - degrees + 180) % 360 - 180) < (2 if degrees % 45 == 0 else 11.25)


def test_places_of_nothing(place):
    empty = place(jnp.zeros((1, SIDE, SIDE)))
    single = place(birds_eye_view(jnp.asarray([[0.1, 0.2, 0.3]]), SIDE, 1.0))
    for found in (empty, single):
        assert np.isfinite(found.descriptor).all()
        assert not found.angles.any()
    assert float(yaw(empty.angles, single.angles)) == 0


def test_the_yaw_between_two_bins():
    """Answers of one frequency: the parabola through three of eight values of a cosine is off by little."""
    k = np.arange(8) * 2 * np.pi / 8
    for angle in np.linspace(-3, 3, 13):
        a, b = jnp.asarray(np.cos(k))[None], jnp.asarray(np.cos(k - angle))[None]
        assert abs(float(yaw(a, b)) - angle) < np.radians(2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: birds_eye_view(jnp.zeros((4, 3)), 0, 1.0), "pixels of birds_eye_view"),
        (lambda: birds_eye_view(jnp.zeros((4, 3)), 5, 0.0), "reach of birds_eye_view has to be positive"),
        (lambda: birds_eye_view(jnp.zeros((4, 3)), 5, 1.0, 0), "cells of birds_eye_view"),
        (lambda: cyclic_lifting(1, 2, 4, 4), "size of cyclic_lifting has to be odd"),
        (lambda: cyclic_lifting(1, 2, 0, 5), "what cyclic_lifting takes"),
        (lambda: cyclic_conv(1, 2, 4, 2), "size of cyclic_conv has to be odd"),
        (lambda: cyclic_lifting(1, 2, 4, 3).apply({}, jnp.zeros((1, 5, 6))), r"takes square pictures \(..., 1, S, S\)"),
        (lambda: cyclic_conv(1, 2, 4, 3).apply({}, jnp.zeros((1, 3, 6, 6))), r"square pictures \(..., 1, 4, S, S\)"),
        (lambda: cyclic_lifting(1, 2, 4, 3).apply({}, jnp.zeros((1, 5, 5))), "takes parameters named weight, got none"),
        (lambda: netvlad(2, 3).apply({}, jnp.zeros((4, 3)), jnp.zeros(4)), r"takes features \(..., N, 2\) and a mask"),
        (lambda: place_descriptor(2, 4, 2).apply({}, jnp.zeros((2, 5, 5))), r"takes square pictures \(..., 1, S, S\)"),
        (lambda: yaw(jnp.zeros((1, 2)), jnp.zeros((1, 2))), "three angles or more, got 2"),
    ],
)  # fmt: skip
def test_what_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
