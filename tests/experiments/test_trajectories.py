"""Simulated vehicles: the symmetry of the plane, exactly; no other; and the normalisations with their leak."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.laws import BUDGET
from experiments.data import Samples, trajectories
from experiments.data.trajectories import NORMALISATIONS, average_displacement, normalise, roll_out, vehicles


@functools.cache
def drawn(n=4000, seed=0, **settings):
    return jax.tree.map(np.asarray, jax.jit(functools.partial(vehicles, n=n, **settings))(jax.random.key(seed)))


def turned(v, angle, mirror):
    """Vehicles moved by the mirror y -> -y, if it is asked for, and then by a rotation; and the matrix of both."""
    sign = -1.0 if mirror else 1.0
    flip = np.diag([1.0, sign, 1.0])
    c, s = np.cos(angle), np.sin(angle)
    g = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ flip
    moved = v._replace(
        position=v.position @ g.T,
        heading=sign * v.heading + angle,
        steering=sign * v.steering,
        slope=v.slope @ g[:2, :2].T,
    )
    return moved, g


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("angle", "mirror"), [(0.0, True), (np.pi, False), (1.234, False), (-2.5, True)])
def test_the_plane_turns(angle, mirror, dtype):
    """The trajectory of turned vehicles is the turned trajectory, to rounding."""
    v = drawn(200)
    moved, g = turned(v, angle, mirror)
    f = jax.jit(roll_out)
    here, there = (np.asarray(f(jax.tree.map(lambda a: a.astype(dtype), w)), np.float64) for w in (v, moved))
    right = here @ g.T
    assert np.abs(there - right).max() < BUDGET * np.finfo(dtype).eps * np.sqrt(np.mean(right**2))
    assert f(jax.tree.map(lambda a: a.astype(dtype), v)).dtype == dtype


def test_what_is_drawn_has_no_direction():
    """Means of all that a turn or a mirror changes are zero within 5 sigma: heading, side of steering, slope, place."""
    v = drawn()
    n = len(v.heading)
    signed = [v.steering[:, 0], v.steering[:, -1], *v.slope.T, *v.position[:, :2].T]
    signed += [f(k * v.heading) for f in (np.cos, np.sin) for k in (1, 2, 3)]
    signed += [v.slope[:, 0] * np.cos(v.heading), v.slope[:, 0] ** 2 - v.slope[:, 1] ** 2]
    for values in signed:
        assert abs(values.mean()) < 5 * values.std() / np.sqrt(n)


def test_space_is_not_the_plane():
    """Vertical motion is a few percent of horizontal motion; the knob multiplies it, and nothing else."""
    v = drawn()
    points = np.asarray(jax.jit(roll_out)(v))
    travel = points[:, -1] - points[:, 0]
    assert 0.01 < travel[:, 2].std() / travel[:, 0].std() < 0.1
    tall = np.asarray(jax.jit(roll_out)(v, 20.0))
    np.testing.assert_allclose(tall[..., :2], points[..., :2], rtol=0, atol=1e-12)
    start = v.position[:, None, 2]
    np.testing.assert_allclose(tall[..., 2] - start, 20 * (points[..., 2] - start), rtol=1e-9, atol=1e-9)


def test_a_circle():
    """Constant steering drives on the circle of radius L / tan(steering)."""
    steering, steps = 0.3, 40
    v = trajectories.Vehicles(
        *map(jnp.asarray, (np.zeros(3), 0.2, 1.0, np.zeros(steps), np.full(steps, steering), np.zeros(2))),
        bumps=jnp.zeros(steps + 1),
    )
    points = np.asarray(roll_out(v))[:, :2]
    radius = 2.8 / np.tan(steering)
    middle = radius * np.array([-np.sin(0.2), np.cos(0.2)])
    np.testing.assert_allclose(np.linalg.norm(points - middle, axis=1), radius, rtol=1e-3)


def test_stays_within_the_filter_of_the_recordings():
    x, _ = jax.jit(functools.partial(trajectories.sample, n=2000))(jax.random.key(1))
    moved = np.abs(np.asarray(x).reshape(-1, 6, 3)[:, -1] - np.asarray(x).reshape(-1, 6, 3)[:, 0])
    assert (moved[:, :2] < 5).mean() > 0.97
    assert 0.2 < (moved[:, 2] > 0.05).mean() < 0.9


def test_without_noise_the_past_tells_the_future():
    """With constant drift of the steering and constant acceleration their second differences vanish."""
    v, noisy = drawn(100, noise=0.0), drawn(100)
    inside = np.abs(v.steering).max(axis=1) < 0.6
    assert np.abs(np.diff(v.acceleration, axis=1)).max() < 1e-12
    assert np.abs(np.diff(v.steering[inside], n=2, axis=1)).max() < 1e-12
    assert np.abs(np.diff(noisy.acceleration, axis=1)).min() > 0


def test_sample_is_past_and_future():
    x, y = jax.jit(functools.partial(trajectories.sample, n=200))(jax.random.key(0))
    np.testing.assert_allclose(
        np.concatenate([x, y], axis=1), np.asarray(jax.jit(roll_out)(drawn(200))).reshape(200, 36), rtol=1e-12
    )
    x32, y32 = jax.jit(functools.partial(trajectories.sample, n=3, dtype=jnp.float32))(jax.random.key(0))
    assert x32.dtype == y32.dtype == jnp.float32


@pytest.fixture(scope="module")
def samples():
    return jax.tree.map(np.asarray, jax.jit(functools.partial(trajectories.sample, n=100))(jax.random.key(3)))


@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_normalise_by_hand(samples, kind):
    weight, offset, scale = map(np.array, NORMALISATIONS[kind])
    points = np.concatenate([part.reshape(100, 6, 3) for part in samples], axis=1)
    for centre, seen in (("inputs", points[:, :6]), ("all", points)):
        expected = (points - weight * seen.mean(axis=1, keepdims=True) - offset) / scale
        found = normalise(Samples(*map(jnp.asarray, samples)), kind, centre)
        np.testing.assert_allclose(np.concatenate(found, axis=1), expected.reshape(100, 36), rtol=1e-10, atol=1e-10)


def test_the_default_does_not_look_ahead(samples):
    """What is given to the model does not depend on the future, unless all points are the centre."""
    other = Samples(samples.x, samples.y + 1.0)
    for centre, same in (("inputs", True), ("all", False)):
        a, b = (normalise(Samples(*map(jnp.asarray, s)), "symm-aware", centre).x for s in (samples, other))
        assert bool((a == b).all()) is same


def test_all_points_leak_the_future(samples):
    """From the normalised past the mean of the future follows, to rounding, with nothing learned."""
    x, y = normalise(Samples(*map(jnp.asarray, samples)), "symm-aware", "all")
    future, past = (np.asarray(part).reshape(100, 6, 3).mean(axis=1) for part in (y, x))
    np.testing.assert_allclose(future, -past, atol=1e-12)
    x, y = normalise(Samples(*map(jnp.asarray, samples)), "symm-aware")
    assert np.abs(np.asarray(x).reshape(100, 6, 3).mean(axis=1)).max() < 1e-12
    assert np.abs(np.asarray(y).reshape(100, 6, 3).mean(axis=1)).max() > 0.5


@pytest.mark.parametrize(("kind", "kept"), [("symm-aware", True), ("scale-aware", False), ("symm+scale-aware", False)])
def test_which_normalisation_keeps_space_turning(samples, kind, kept):
    """A rotation about the y axis of the recorded points is one of the normalised points for one of the three."""
    c, s = np.cos(0.7), np.sin(0.7)
    g = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])

    def turn(part):
        return jnp.asarray((np.asarray(part).reshape(100, 6, 3) @ g.T).reshape(100, 18))

    inside = normalise(Samples(*map(turn, samples)), kind).x
    outside = turn(normalise(Samples(*map(jnp.asarray, samples)), kind).x)
    assert bool(np.abs(inside - outside).max() < 1e-10) is kept


@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_displacement_is_in_metres(samples, kind):
    """The error of a constant guess is the same whatever the normalisation: it is that of the points themselves."""
    y = normalise(Samples(*map(jnp.asarray, samples)), kind).y
    found = average_displacement(kind, jnp.roll(y, 1, axis=0), y)
    points = np.asarray(samples.y).reshape(100, 6, 3)
    weight, past = np.array(NORMALISATIONS[kind].weight), np.asarray(samples.x).reshape(100, 6, 3)
    own = points - weight * past.mean(axis=1, keepdims=True)
    expected = np.linalg.norm(np.roll(own, 1, axis=0) - own, axis=-1).mean(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda s: normalise(s, "unaware"), "normalisation has to be one of symm-aware, scale-aware, symm"),
        (lambda s: normalise(s, "symm-aware", "future"), "centre has to be one of inputs, all, got 'future'"),
        (lambda s: average_displacement("none", s.x, s.y), "normalisation has to be one of"),
    ],
)
def test_mistakes_are_told(samples, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(samples)
