"""Pairs of clouds, and the motions between them: what is drawn is what is said, and what is known is found."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import registration
from experiments.data import clouds
from experiments.data.clouds import draw_pairs, turns
from experiments.models.clouds import Described, Describer, equivariant, pointnet


def angle_of(r, s):
    return np.degrees(np.arccos(np.clip((np.einsum("nij,nij->n", r, s) - 1) / 2, -1, 1)))


def registered(network, params, pairs, matches):
    """The motions and the right matches, as one program."""
    return jax.jit(lambda params: registration.register(network, params, jax.random.key(2), pairs, matches, 0.05))(
        params
    )


@pytest.mark.parametrize("overlap", [0.5, 0.9, 1.0])
def test_pairs_are_cuts_of_one_cloud(overlap):
    angle = jnp.linspace(0.1, 3, 5)
    pairs = draw_pairs(jax.random.key(0), angle, 40, overlap, noise=0.0)
    np.testing.assert_allclose(
        angle_of(pairs.rotation, np.broadcast_to(np.eye(3), (5, 3, 3))), np.degrees(angle), atol=1e-6
    )
    assert (np.sort(pairs.source_place) == np.sort(pairs.reference_place)).all() == (overlap == 1)
    for k in range(5):
        first, second = (np.asarray(p[k]) for p in (pairs.source_place, pairs.reference_place))
        assert len(set(first)) == len(set(second)) == 40
        shared, i, j = np.intersect1d(first, second, return_indices=True)
        assert len(shared) >= 40 * overlap - 1
        moved = np.asarray(pairs.source[k])[i] @ np.asarray(pairs.rotation[k]).T + np.asarray(pairs.translation[k])
        np.testing.assert_allclose(np.asarray(pairs.reference[k])[j], moved, rtol=0, atol=1e-12)


def test_points_are_on_boxes_and_noise_is_noise():
    """Of the points of one box, each has one coordinate at its largest, in the axes of the box."""
    pairs, noisy = (draw_pairs(jax.random.key(3), jnp.zeros(1), 400, 1.0, noise=noise) for noise in (0.0, 0.05))
    gap = np.asarray(noisy.source - pairs.source)
    assert abs(gap.std() / 0.05 - 1) < 5 / np.sqrt(2 * gap.size)
    assert abs(gap.mean()) < 5 * 0.05 / np.sqrt(gap.size)


def test_points_are_uniform_on_boxes():
    """Each has one coordinate at its largest in the axes of its box; sides are met as often as their areas say."""
    half, middle = np.array([[0.5, 0.2, 0.1], [0.3, 0.3, 0.3]]), np.array([[0, 0, 0], [5.0, 0, 0]])
    pose = turns(jnp.asarray([0.3, 2.0]), jnp.asarray([[1.0, 2, 3], [0, 1, 1]]))
    draw, n = np.random.default_rng(0), 20000
    arrays = half, middle, pose, draw.uniform(size=n), draw.uniform(size=(n, 3))
    points = np.asarray(clouds._surface(*map(jnp.asarray, arrays)))
    box = (points[:, 0] > 2.5).astype(int)
    inside = np.einsum("nij,ni->nj", np.asarray(pose)[box], points - middle[box]) / half[box]
    np.testing.assert_allclose(np.abs(inside).max(1), 1, rtol=0, atol=1e-12)
    across = np.abs(np.abs(inside) - 1).argmin(1)
    area = half[:, [1, 2, 0]] * half[:, [2, 0, 1]]
    share = area / area.sum()
    found = np.array([[((box == b) & (across == i)).mean() for i in range(3)] for b in range(2)])
    assert (np.abs(found - share) < 5 * np.sqrt(share / n)).all()
    assert np.abs(inside.mean(0)).max() < 5 / np.sqrt(n)


def test_turns_are_uniform_about_their_axes():
    r = np.asarray(draw_pairs(jax.random.key(0), jnp.full(4000, 2.0), 2).rotation)
    axis = np.stack([r[:, 2, 1] - r[:, 1, 2], r[:, 0, 2] - r[:, 2, 0], r[:, 1, 0] - r[:, 0, 1]], -1) / (2 * np.sin(2.0))
    np.testing.assert_allclose(np.linalg.norm(axis, axis=1), 1, rtol=0, atol=1e-12)
    assert np.abs(axis.mean(0)).max() < 5 / np.sqrt(3 * 4000)
    assert np.abs(axis.T @ axis / 4000 - np.eye(3) / 3).max() < 5 * np.sqrt(4 / 45 / 4000)


@pytest.mark.parametrize(
    ("settings", "words"), [({"overlap": 0.0}, "overlap has to be above 0"), ({"noise": -1.0}, "noise")]
)
def test_what_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        draw_pairs(jax.random.key(0), jnp.zeros(1), 5, **settings)


@pytest.mark.parametrize("network", [equivariant(6, 8), pointnet(8, 8)], ids=["equivariant", "pointnet"])
def test_which_descriptors_turn(network):
    describe = jax.jit(functools.partial(network.apply, jax.jit(network.init)(jax.random.key(0))))
    x = jax.random.normal(jax.random.key(1), (2, 30, 3), jnp.float32)
    said = describe(x)
    np.testing.assert_allclose(np.linalg.norm(said.descriptors, axis=-1), 1, rtol=0, atol=1e-5)
    np.testing.assert_allclose(describe(x + 1).descriptors, said.descriptors, rtol=0, atol=1e-3)
    rotation = turns(jnp.float32(2.0), jnp.asarray([1.0, -2.0, 0.5], jnp.float32))
    turned = describe(jnp.einsum("ij,bnj->bni", rotation, x))
    gap = np.abs(turned.descriptors - said.descriptors).max()
    if said.vectors is None:
        assert gap > 0.1
    else:
        assert gap < 1e-3
        expected = jnp.einsum("ij,bncj->bnci", rotation, said.vectors)
        np.testing.assert_allclose(turned.vectors, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_whole_clouds_without_noise_are_registered_by_an_untrained_network():
    network = equivariant(8, 10)
    pairs = draw_pairs(jax.random.key(1), jnp.linspace(0, 3.1, 20), 40, 1.0, 0.0, jnp.float32)
    motion, right = registered(network, network.init(jax.random.key(0)), pairs, 20)
    assert angle_of(motion.rotation, pairs.rotation).max() < 0.5
    np.testing.assert_allclose(motion.translation, pairs.translation, rtol=0, atol=1e-3)
    assert right.min() > 0.9


def test_three_matches_make_a_candidate():
    """An oracle whose descriptors are coordinates before the motion: right matches, and no vectors."""
    pairs = draw_pairs(jax.random.key(1), jnp.linspace(0, 3.1, 10), 30, 1.0, 0.0, jnp.float32)
    frequencies = jax.random.normal(jax.random.key(0), (3, 32), jnp.float32) * 3

    def apply(params, points):
        waves = jnp.cos(jnp.einsum("bni,id->bnd", points, frequencies))
        return Described(waves / jnp.linalg.norm(waves, axis=-1, keepdims=True), None)

    back = jnp.einsum("bji,bnj->bni", pairs.rotation, pairs.reference - pairs.translation[:, None])
    clouds_at_rest = pairs._replace(reference=back)
    motion, right = registered(Describer(lambda key: None, apply), {}, clouds_at_rest, 16)
    assert right.min() > 0.9
    assert angle_of(motion.rotation, np.broadcast_to(np.eye(3), (10, 3, 3))).max() < 0.5
