"""Shapes and their silhouettes: against points in them one by one, and against shadows of known size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.data import views
from experiments.data.views import Pieces, draw_views, occupancy, silhouette

N, VIEWS, P, SIDE, RAYS = 40, 5, 3, 16, 24
SIZE = {"n_pieces": P, "side": SIDE, "rays": RAYS}


@pytest.fixture(scope="module")
def pieces():
    return views._pieces(jax.random.uniform(jax.random.key(0), (6, N, P)))


def inside(pieces, k, points):
    """Which points (..., 2) lie in shape k, by solving for the coordinates of each piece."""
    found = np.zeros(points.shape[:-1], bool)
    for middle, frame, is_round in zip(*(np.asarray(leaf[k]) for leaf in pieces)):
        q = np.linalg.solve(frame, (points - middle).reshape(-1, 2).T).T.reshape(points.shape)
        found |= (np.sum(q**2, -1) <= 1) if is_round else (np.abs(q) <= 1).all(-1)
    return found


def test_pixels_are_their_centres(pieces):
    found = jax.jit(jax.vmap(lambda shape: occupancy(shape, SIDE)))(pieces)
    x = (np.arange(SIDE) + 0.5) * 2 / SIDE - 1
    grid = np.stack(np.meshgrid(x, x[::-1]), -1)  # the first row is at the top
    for k in range(N):
        assert (np.asarray(found[k], bool) == inside(pieces, k, grid)).all()
    assert 0.05 < found.mean() < 0.3
    assert found.sum((1, 2)).min() > 0


def test_rays_meet_what_they_meet(pieces):
    """Against many points on each ray; those that touch a shape on less than a step may be missed."""
    angles = jnp.linspace(0.0, 6.0, 5)
    seen = jax.jit(jax.vmap(jax.vmap(lambda shape, a: silhouette(shape, a, RAYS), (None, 0)), (0, None)))
    found = np.asarray(seen(pieces, angles), bool)
    s = (np.arange(RAYS) + 0.5) * 2 / RAYS - 1
    t = np.linspace(-1, 1, 1001)
    for j, a in enumerate(np.asarray(angles)):
        along, across = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
        points = s[:, None, None] * across + t[None, :, None] * along
        met = np.stack([inside(pieces, k, points).any(1) for k in range(N)])
        assert not (met & ~found[:, j]).any()
        assert (met != found[:, j]).mean() < 4e-3


def test_a_silhouette_from_behind_is_mirrored(pieces):
    shape = jax.tree.map(lambda leaf: leaf[0], pieces)
    seen = jax.jit(lambda a: silhouette(shape, a, RAYS))
    for a in (0.0, 0.3, 2.0):
        there, back = (np.asarray(seen(b)) for b in (a, a + np.pi))
        assert (there == back[::-1]).all()


def test_the_silhouette_holds_all_pixels(pieces):
    """No ray through the middle of a pixel of the shape misses it: from below and from the left, on equal grids."""
    angles = (0.0, -np.pi / 2)
    both = lambda shape: (occupancy(shape, SIDE), *(silhouette(shape, jnp.asarray(a), SIDE) for a in angles))
    pixels, from_left, from_below = (np.asarray(v, bool) for v in jax.jit(jax.vmap(both))(pieces))
    assert (from_left[:, ::-1] >= pixels.any(2)).all()  # the first row is at the top
    assert (from_below >= pixels.any(1)).all()
    assert from_left.sum() < 1.3 * pixels.any(2).sum()


def test_the_size_of_a_shadow():
    """A disc of radius r hides ``2 r`` of the rays, a square turned by a ``2 r (|cos a| + |sin a|)``."""
    fine = 20000
    for is_round in (True, False):
        shape = Pieces(jnp.array([[0.1, -0.2]]), 0.3 * jnp.eye(2)[None], jnp.array([is_round]))
        for a in (0.0, 0.4, np.pi / 4, 2.0):
            width = float(silhouette(shape, jnp.asarray(a), fine).mean()) * 2
            expected = 0.6 if is_round else 0.6 * (abs(np.cos(a)) + abs(np.sin(a)))
            assert abs(width - expected) < 3 / fine * 2


def test_draws():
    """Uniform angles, both kinds as often, nothing beyond the unit disc."""
    many = jax.jit(lambda key: draw_views(key, 2000, VIEWS, **SIZE, dtype=jnp.float32))(jax.random.key(0))
    assert {leaf.dtype.name for leaf in many} == {"float32"}
    assert set(np.unique(many.occupancy)) == set(np.unique(many.silhouette)) == {0.0, 1.0}
    waves = np.exp(1j * np.asarray(many.angle, np.float64)).mean()
    assert abs(waves) < 5 / np.sqrt(many.angle.size)
    u = jax.random.uniform(jax.random.key(1), (6, 5000, P))
    shapes = views._pieces(u)
    assert abs(float(shapes.round.mean()) - 0.5) < 5 * 0.5 / np.sqrt(shapes.round.size)
    corners = jnp.sqrt(jnp.sum(shapes.middle**2, -1)) + jnp.sqrt(jnp.sum(shapes.frame**2, (-1, -2)))
    assert corners.max() < 1
    np.testing.assert_allclose(
        jnp.einsum("...ij,...ij->...", shapes.frame[..., :1], shapes.frame[..., 1:]), 0, atol=1e-12
    )
