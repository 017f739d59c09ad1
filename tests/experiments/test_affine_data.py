"""Shapes in the plane: their copies are exact, stay in the picture, and are drawn in the stated ranges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.interpolate
from sklearn.neighbors import KNeighborsClassifier

from experiments.data import digits, spline_digits, strokes
from experiments.data.affine import SIDE, Shapes, centres, sample_affine

A = np.array([[1.1, -0.3], [0.2, 0.8]])
B = np.array([[0.9, 0.4], [-0.5, 1.2]])
S, T = np.array([2.5, -1.25]), np.array([-0.75, 3.0])
KINDS = ("strokes", "splines")
BOTH = pytest.mark.parametrize("kind", KINDS)


def shapes(kind, n=6, dtype=jnp.float64):
    if kind == "strokes":
        drawn, _ = strokes.draw(jax.random.key(0), n, jnp.float64)
        return jax.tree.map(lambda leaf: leaf.astype(dtype), drawn)
    return spline_digits.load(dtype)[0].take(jnp.arange(n))


def repeated(value, n, dtype=jnp.float64):
    return jnp.broadcast_to(jnp.asarray(value, dtype), (n, *np.shape(value)))


def ink(shape, kind, points):
    """f at points (k, 2) of the unmoved digit 0, from its definition and without jax."""
    if kind == "strokes":
        mean, covariance, weight = (np.asarray(part[0]) for part in (shape.mean, shape.covariance, shape.weight))
        away = points[:, None] - mean[None]
        square = np.einsum("pmi,mij,pmj->pm", away, np.linalg.inv(covariance), away)
        return 1 - np.exp(-np.exp(-square / 2) @ weight)
    c = np.asarray(shape.coefficient[0])
    k = len(c)
    # zeros around the coefficients, so that scipy's basis is whole wherever it is asked
    wide = np.pad(c, 20)
    knots = np.arange(len(wide) + 4) - 22.0
    spline = scipy.interpolate.NdBSpline((knots, knots), wide, 3)
    where = np.stack([(k - 1) / 2 - points[:, 1] / 2.5, (k - 1) / 2 + points[:, 0] / 2.5], -1)
    return np.clip(spline(where), 0, 1)


@BOTH
def test_is_a_record_of_shapes(kind):
    shape = shapes(kind)
    assert isinstance(shape, Shapes)
    image = jax.jit(lambda s: s.render())(shape)
    assert image.shape == (6, SIDE, SIDE)
    assert image.min() >= 0
    assert 0.9 < image.max() <= 1


@BOTH
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_copy_is_the_function_carried_back(kind, dtype):
    """``f(A^-1 (x - t))`` at the centres of the pixels, against numpy and scipy."""
    shape = shapes(kind, 1, dtype)
    found = shape.moved(repeated(A, 1, dtype), repeated(T, 1, dtype)).render(31)
    assert found.dtype == dtype
    places = np.asarray(centres(31)).reshape(-1, 2)
    expected = ink(shapes(kind, 1), kind, np.linalg.solve(A, (places - T).T).T).reshape(31, 31)
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-4 if dtype == jnp.float32 else 1e-12)


@BOTH
def test_copies_of_copies(kind):
    shape = shapes(kind)
    twice = shape.moved(repeated(A, 6), repeated(T, 6)).moved(repeated(B, 6), repeated(S, 6))
    once = shape.moved(repeated(B @ A, 6), repeated(B @ T + S, 6))
    np.testing.assert_allclose(twice.render(), once.render(), rtol=0, atol=1e-12)


@BOTH
def test_moves_of_the_grid_move_pixels(kind):
    """A quarter turn is counter-clockwise, a shift to the right and up goes right and up."""
    shape, plain = shapes(kind), shapes(kind).render()
    turned = shape.moved(repeated([[0.0, -1.0], [1.0, 0.0]], 6), repeated([0.0, 0.0], 6)).render()
    np.testing.assert_allclose(turned, np.rot90(plain, axes=(1, 2)), rtol=0, atol=1e-12)
    shifted = shape.moved(repeated(np.eye(2), 6), repeated([3.0, 2.0], 6)).render()
    np.testing.assert_allclose(shifted[:, 4:-4, 4:-4], np.roll(plain, (-2, 3), (1, 2))[:, 4:-4, 4:-4], atol=1e-12)


def test_splines_pass_through_the_pixels():
    """At the centres of the coarse pixels the function has their values; around them it has none."""
    images, labels = digits.load()
    shape, found = spline_digits.load(jnp.float64)
    assert (np.asarray(found) == labels).all()
    wide = shape.take(jnp.arange(5)).moved(repeated(np.eye(2) / 2.5, 5), repeated([0.0, 0.0], 5)).render(20)
    expected = np.pad((images[:5].reshape(5, 8, 8) + 1) / 2, [(0, 0), (6, 6), (6, 6)])
    np.testing.assert_allclose(wide, expected, rtol=0, atol=2e-3)
    np.testing.assert_allclose(wide[:, 2:-2, 2:-2], expected[:, 2:-2, 2:-2], rtol=0, atol=1e-12)


@BOTH
def test_the_size_is_that_of_mnist(kind):
    """The larger side of what is half inked or more."""
    dark = np.asarray(shapes(kind, 200).render()) > 0.5
    sides = np.stack([np.ptp(np.flatnonzero(one.any(1))) + 1 for one in dark])
    assert 17 < sides.mean() < 22
    assert max(np.abs(np.argwhere(dark)[:, 1:] - 19.5).max(0)) < 13


@BOTH
@pytest.mark.parametrize("strength", [0.0, 1.0, 2.0])
def test_copies_stay_in_the_picture(kind, strength):
    """Hardly any ink lies outside, and what is drawn is inside the box."""
    shape = shapes(kind, 100)
    moved = shape.moved(*sample_affine(jax.random.key(1), shape, strength))
    low, high = moved.extent()
    fits = np.asarray((high - low).max(-1) <= SIDE)
    assert fits.mean() > 0.9
    assert (np.abs(np.stack([low, high]))[:, fits] <= SIDE / 2 + 1e-9).all()
    wide = np.asarray(moved.render(2 * SIDE))
    inside = wide[:, SIDE // 2 : -SIDE // 2, SIDE // 2 : -SIDE // 2].sum((1, 2))
    assert (inside[fits] / wide.sum((1, 2))[fits]).min() > 0.99
    places = np.asarray(centres(2 * SIDE))[None]
    outside = (places < np.asarray(low)[:, None, None]) | (places > np.asarray(high)[:, None, None])
    assert wide[outside.any(-1)].max() < 0.15


def test_the_ranges():
    """Each number is uniform in its range: its mean, and how far it goes."""
    n = 4000
    shape = strokes.draw(jax.random.key(0), n, jnp.float64)[0]
    a, t = map(np.asarray, sample_affine(jax.random.key(1), shape))
    angle, size = np.degrees(np.arctan2(a[:, 1, 0], a[:, 0, 0])), np.hypot(a[:, 0, 0], a[:, 1, 0])
    other = np.linalg.det(a) / size
    shear = np.einsum("ni,ni->n", a[:, :, 0], a[:, :, 1]) / size / other
    for values, low, high in ((angle, -20, 20), (shear, -0.2, 0.2), (size, 0.8, 1.2), (other, 0.8, 1.2)):
        width = high - low
        assert low <= values.min() < low + 0.01 * width
        assert high - 0.01 * width < values.max() <= high
        assert abs(values.mean() - (low + high) / 2) < 5 * width / np.sqrt(12 * n)
    assert np.abs(t).max() > 8
    assert abs(t.mean()) < 5 * t.std() / np.sqrt(2 * n)


def test_strength():
    shape = shapes("splines")
    identity, t = sample_affine(jax.random.key(1), shape, 0.0, shift=0.0)
    np.testing.assert_array_equal(identity, np.broadcast_to(np.eye(2), (6, 2, 2)))
    assert np.abs(t).max() < 4  # digits that are not in the middle are put there
    angles = [
        np.arctan2(a[:, 1, 0], a[:, 0, 0]) for a, _ in (sample_affine(jax.random.key(1), shape, s) for s in (1.0, 3.0))
    ]
    np.testing.assert_allclose(angles[1], 3 * angles[0], rtol=1e-12)


def test_what_is_too_large_is_in_the_middle():
    shape = shapes("strokes")
    large = shape.moved(repeated(4 * np.eye(2), 6), repeated(T, 6))
    low, high = large.moved(*sample_affine(jax.random.key(1), large, 0.0)).extent()
    tall = np.asarray(high - low) > SIDE
    assert tall.any()
    np.testing.assert_allclose(np.asarray(low + high)[tall], 0, atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"strength": -1.0}, "strength has to be finite and at least 0, got -1.0"),
        ({"strength": float("nan")}, "strength has to be finite and at least 0, got nan"),
        ({"shift": 1.5}, "shift has to be a share from 0 to 1, got 1.5"),
        ({"shift": float("nan")}, "shift has to be a share from 0 to 1, got nan"),
    ],
)
def test_bad_ranges_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        sample_affine(jax.random.key(0), shapes("strokes"), **settings)


@BOTH
def test_many_copies_in_one_program(kind):
    shape = shapes(kind)

    @jax.jit
    def copies(key, strength):
        keys = jax.random.split(key, 3)
        return jax.vmap(lambda key: shape.moved(*sample_affine(key, shape, strength)).render())(keys)

    images = copies(jax.random.key(2), jnp.float64(1.5))
    assert images.shape == (3, 6, SIDE, SIDE)
    assert np.isfinite(images).all()
    assert np.abs(images[0] - images[1]).max() > 0.5


def test_digits_are_written_in_every_way():
    n = 5000
    shape, labels = strokes.draw(jax.random.key(0), n)
    again, same = strokes.draw(jax.random.key(0), n)
    other, _ = strokes.draw(jax.random.key(1), n)
    assert (shape.mean == again.mean).all()
    assert (labels == same).all()
    assert (shape.mean == other.mean).mean() < 0.05
    assert shape.mean.shape == (n, strokes.SPOTS, 2)
    deviation = np.sqrt(n * 0.1 * 0.9)
    assert (np.abs(np.bincount(labels, minlength=10) - n / 10) < 5 * deviation).all()
    assert np.linalg.eigvalsh(shape.covariance).min() > 0.5  # no spot is thinner than the pen


def test_lines_are_even():
    """Along the middle of a straight stroke the ink varies by less than the rounding of a stroke's ends would."""
    start, stop = strokes._pieces(strokes.WAYS[1][0], 4)
    points = np.array(strokes.WAYS[1][0].points) * 10
    mean, step = (start + stop) @ points / 2, (stop - start) @ points
    covariance = step[:, :, None] * step[:, None, :] / 4 + np.eye(2)
    places = np.stack([np.zeros(101), np.linspace(-6, 6, 101)], -1)
    away = places[:, None] - mean[None]
    spots = np.exp(-np.einsum("pmi,mij,pmj->pm", away, np.linalg.inv(covariance), away) / 2).sum(1)
    assert np.ptp(spots) / spots.mean() < 0.03


def test_a_class_can_be_told_from_another():
    """Not without examples, but with some: nearest neighbours on 50 and on 700 digits."""
    shape, labels = strokes.draw(jax.random.key(0), 1100, jnp.float32)
    x, y = np.asarray(jax.jit(lambda s: s.render(24))(shape)).reshape(1100, -1), np.asarray(labels)
    few, many = (KNeighborsClassifier(1).fit(x[:n], y[:n]).score(x[700:], y[700:]) for n in (50, 700))
    assert 0.55 < few < many - 0.1
    assert 0.9 < many < 0.99


def test_most_turned_sixes_are_no_nines():
    n = 350
    shape, labels = strokes.draw(jax.random.key(0), 5000)
    six, nine = (shape.take(jnp.flatnonzero(labels == k)[:n]) for k in (6, 9))
    half = repeated(-np.eye(2), n)
    x = np.concatenate([six.moved(half, repeated([0.0, 0.0], n)).render(24), nine.render(24)]).reshape(2 * n, -1)
    y = np.arange(2 * n) < n
    train = np.arange(2 * n) % 2 == 0
    assert KNeighborsClassifier(1).fit(x[train], y[train]).score(x[~train], y[~train]) > 0.9
