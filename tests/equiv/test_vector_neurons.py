"""Vector neurons: which symmetries the layers have and which they have not, and rotations against scipy's."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from equiv.groups import dihedral, gl_plus, o, so
from equiv.layers.vector_neurons import (
    align,
    gram_schmidt,
    invariant_head,
    nearest_neighbours,
    position_aware_conv,
    position_aware_lifting,
    position_weights,
    vector_leaky_relu,
)
from equiv.reps import regular, standard

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["float32", "float64"])
N, K = 30, 8
MIRROR = np.diag([1.0, 1, -1])


def random(shape, dtype=jnp.float64, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


@functools.cache
def network(dtype):
    """From points and neighbours to 6 vectors, by a lifting and a convolution; with its parameters."""
    lifting, conv = position_aware_lifting(6), position_aware_conv(6, 5)
    params = lifting.init(jax.random.key(0), dtype), conv.init(jax.random.key(1), dtype)
    apply = lambda points, near: conv.apply(params[1], points, near, lifting.apply(params[0], points, near))
    return jax.jit(apply), params


def moved(x, rotation):
    return jnp.asarray(np.asarray(x, np.float64) @ rotation.T, x.dtype)


# --- the convolution --------------------------------------------------------------------------------------------------


@DTYPES
def test_the_convolution_commutes_with_motions_and_orders(dtype):
    apply, _ = network(dtype)
    points = random((2, N, 3), dtype)
    near = nearest_neighbours(points, K)
    features = apply(points, near)
    assert features.shape == (2, N, 5, 3)
    assert features.dtype == dtype
    tolerance = (1e-12 if dtype == jnp.float64 else 2e-5) * float(jnp.abs(features).max())
    for seed in range(3):
        rotation = Rotation.random(rng=seed).as_matrix()
        found = apply(moved(points, rotation), near)
        np.testing.assert_allclose(found, moved(features, rotation), rtol=0, atol=tolerance)
    shift = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(
        apply(points + jnp.asarray(shift, dtype).reshape(1, 1, 3), near), features, rtol=0, atol=20 * tolerance
    )
    order = np.random.default_rng(0).permutation(N)
    reordered = apply(points[:, order], nearest_neighbours(points[:, order], K))
    np.testing.assert_allclose(reordered, features[:, order], rtol=0, atol=tolerance)
    shuffled = apply(points, near[..., np.random.default_rng(0).permutation(K)])
    np.testing.assert_allclose(shuffled, features, rtol=0, atol=tolerance)


def test_it_commutes_with_no_reflection_but_the_weights_do():
    apply, (params, _) = network(jnp.float64)
    points = random((N, 3))
    near = nearest_neighbours(points, K)
    features = apply(points, near)
    gap = np.abs(apply(moved(points, MIRROR), near) - moved(features, MIRROR)).max()
    assert gap > 0.1 * np.std(features)
    frames = random((20, 3, 3))
    weights = position_weights(params, frames)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=0, atol=1e-14)
    assert weights.shape == (20, 4)
    for matrix in (MIRROR, Rotation.random(rng=0).as_matrix(), -np.eye(3)):
        np.testing.assert_allclose(position_weights(params, moved(frames, matrix)), weights, rtol=0, atol=1e-14)
    assert np.ptp(weights, axis=0).min() > 1e-3  # and they do depend on where a neighbour is


def test_a_constant_added_before_normalising_breaks_it():
    """The twin of the public code, with a number of the size of float32's rounding: seen in float64."""
    x, rotation = random((50, 3)) * 0.3, Rotation.random(rng=0).as_matrix()
    unit = lambda x: (x + 1e-9) / jnp.linalg.norm(x + 1e-9, axis=-1, keepdims=True)
    gap = np.abs(unit(moved(x, rotation)) - moved(unit(x), rotation)).max()
    assert 1e-10 < gap < 1e-7


def test_matrices_before_the_gather_are_matrices_on_edges():
    """The definition, with the edges written out."""
    conv = position_aware_conv(3, 4, kernels=2)
    params = conv.init(jax.random.key(0))
    points, features = random((N, 3)), random((N, 3, 3), seed=1)
    near = np.asarray(nearest_neighbours(points, K))
    found = np.asarray(conv.apply(params, points, jnp.asarray(near), features))
    p, f = np.asarray(points), np.asarray(features)
    leaky = lambda x, d: x - 0.8 * np.minimum((x * d).sum(-1), 0)[..., None] * d / (d * d).sum(-1)[..., None]
    w = {name: np.asarray(value) for name, value in params.items()}
    for i in (0, 7):
        rows = p[near[i]] - p[i]
        mean = rows.mean(0)
        total = np.zeros((2, 3))
        for j, row in zip(near[i], rows):
            frame = np.stack([row, mean, np.cross(row, mean)])
            vectors = w["vectors"] @ frame
            lengths = np.linalg.norm(leaky(vectors, w["direction"] @ vectors), axis=-1)
            logits = w["out"] @ np.maximum(w["hidden"] @ lengths, 0)
            s = np.exp(logits) / np.exp(logits).sum()
            edge = np.einsum("m,moe,ex->ox", s, w["bank"], np.concatenate([f[j] - f[i], f[j], row[None]]))
            total += edge / np.linalg.norm(edge, axis=-1, keepdims=True) / K
        total = leaky(total, w["cut"] @ total)
        out = w["last"] @ total
        np.testing.assert_allclose(found[i], leaky(out, w["last_cut"] @ out) + w["shortcut"] @ f[i], rtol=0, atol=1e-12)


def test_degenerate_clouds():
    """Equal points, points on a line and in a plane: finite, also the gradients, and equivariant all the same."""
    line, plane = np.outer([0, 1, -1, 2, -2.0], [1, 2, 2]), np.eye(3)[[0, 0, 0, 1, 1]] * [[0], [1], [-1], [1], [-1]]
    apply, _ = network(jnp.float64)
    points = jnp.asarray(np.stack([np.zeros((5, 3)), line, plane]))
    near = nearest_neighbours(points, 5)
    features = apply(points, near)
    found = apply(moved(points, Rotation.random(rng=1).as_matrix()), near)
    np.testing.assert_allclose(found, moved(features, Rotation.random(rng=1).as_matrix()), rtol=0, atol=1e-12)
    slope = jax.jit(jax.grad(lambda x: jnp.sum(jnp.cos(apply(x, near)))))(points)
    assert np.isfinite(features).all()
    assert np.isfinite(slope).all()
    assert nearest_neighbours(jnp.zeros((1, 3)), 1).tolist() == [[0]]


@DTYPES
def test_neighbours(dtype):
    points = random((2, N, 3), dtype)
    found = np.asarray(nearest_neighbours(points, K))
    for cloud, near in zip(np.asarray(points), found):
        assert (near[:, 0] == np.arange(N)).all()
        np.testing.assert_array_equal(np.sort(near), np.sort(KDTree(cloud).query(cloud, K)[1]))
    assert nearest_neighbours(jnp.zeros((3, 3)), 3)[:, 0].tolist() == [0, 1, 2]  # equal points, each itself first


# --- vectors ----------------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize(
    "layer",
    [
        vector_leaky_relu(4 * standard(so(3))),
        vector_leaky_relu(3 * standard(o(2)), 0.0),
        vector_leaky_relu(3 * regular(dihedral(3)), 0.5),
        invariant_head(2),
        invariant_head(9),
    ],
    ids=str,
)
def test_equivariance(dtype, layer):
    """Of drawn vectors. There is no bound for all: a direction that is nearly 0 is known to few digits only."""
    params = layer.init(jax.random.key(0), dtype)
    x = random((200, layer.rep_in.dim), dtype)
    g = layer.rep_in.group.sample(jax.random.key(1), (200,), jnp.float64)
    act = lambda rep, x: jnp.asarray(rep.act(g, jnp.asarray(x, jnp.float64)), dtype)
    expected = act(layer.rep_out, layer.apply(params, x))
    found = layer.apply(params, act(layer.rep_in, x))
    assert found.dtype == dtype
    gaps = np.abs(found - expected).max(-1) / float(jnp.finfo(dtype).eps)
    assert np.median(gaps) < 50
    assert gaps.max() < 5e4


def test_the_leaky_relu_of_vectors():
    layer = vector_leaky_relu(5 * standard(o(3)), 0.2)
    params = layer.init(jax.random.key(0))
    x = random((40, 5, 3))
    y = np.asarray(layer.apply(params, x.reshape(40, 15))).reshape(40, 5, 3)
    d = np.einsum("oc,ncx->nox", params["direction"], x)
    along = (np.asarray(x) * d).sum(-1)
    np.testing.assert_array_equal(y[along >= 0], np.asarray(x)[along >= 0])
    np.testing.assert_allclose((y * d).sum(-1)[along < 0], 0.2 * along[along < 0], rtol=1e-10)
    across = np.cross(d, np.asarray(x) - y)
    assert np.abs(across).max() < 1e-12
    assert not layer.apply({"direction": jnp.zeros((5, 5))}, x.reshape(40, 15) - x.reshape(40, 15)).any()
    slope = jax.grad(lambda x: jnp.sum(layer.apply(params, x) ** 2))(jnp.zeros(15))
    assert np.isfinite(slope).all()


@DTYPES
def test_frames(dtype):
    a, b = random((50, 3), dtype), random((50, 3), dtype, seed=1)
    frame = np.asarray(gram_schmidt(a, b))
    tolerance = 20 * float(jnp.finfo(dtype).eps) * 10
    np.testing.assert_allclose(np.swapaxes(frame, 1, 2) @ frame, np.broadcast_to(np.eye(3), (50, 3, 3)), atol=tolerance)
    np.testing.assert_allclose(np.linalg.det(frame), 1, rtol=0, atol=tolerance)
    rotation = Rotation.random(rng=0).as_matrix()
    np.testing.assert_allclose(
        gram_schmidt(moved(a, rotation), moved(b, rotation)), rotation @ frame, rtol=0, atol=20 * tolerance
    )


@pytest.mark.parametrize(
    ("a", "b", "rank"),
    [((0, 0, 0), (1, 2, 3), 1), ((1, 2, 3), (0, 0, 0), 1), ((1, 2, 3), (-2, -4, -6), 1), ((0, 0, 0), (0, 0, 0), 0),
     ((0.1, 0.7, 0.3), (0.3, 2.1, 0.9), 1), ((1, 0, 0), (1, 1e-6, 0), 3)],
)  # fmt: skip
def test_frames_of_parallel_vectors(a, b, rank):
    """Columns that are not known are 0; nothing is NaN."""
    a, b = (jnp.asarray(v, jnp.float64) for v in (a, b))
    frame = gram_schmidt(a, b)
    assert np.linalg.matrix_rank(frame) == rank
    assert all(np.isfinite(slope).all() for slope in jax.jit(jax.jacobian(gram_schmidt, argnums=(0, 1)))(a, b))


def test_the_head_keeps_all_but_the_rotation():
    head = invariant_head(6)
    params = head.init(jax.random.key(0))
    x = random((6, 3))
    found = np.asarray(head.apply(params, x.reshape(-1))).reshape(6, 3)
    np.testing.assert_allclose(found @ found.T, x @ x.T, rtol=0, atol=1e-12)
    mirrored = np.asarray(head.apply(params, moved(x, MIRROR).reshape(-1))).reshape(6, 3)
    np.testing.assert_allclose(mirrored, found * [1, 1, -1], rtol=0, atol=1e-12)


# --- rotations --------------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("channels", [2, 3, 20])
def test_one_pair_without_noise_is_enough(dtype, channels):
    a = random((100, channels, 3), dtype)
    rotation = Rotation.random(100, rng=0).as_matrix()
    rotation[:2] = np.eye(3), np.diag([1.0, -1, -1])
    b = jnp.asarray(np.einsum("nij,ncj->nci", rotation, np.asarray(a, np.float64)), dtype)
    found = jax.jit(align)(a, b, jnp.ones((100, channels), dtype))
    assert found.rotation.dtype == dtype
    sure = np.asarray(found.unique)
    assert sure.mean() > 0.95
    tolerance = 1e-13 if dtype == jnp.float64 else 2e-4
    np.testing.assert_allclose(
        found.rotation[sure], rotation[sure], rtol=0, atol=tolerance * (1 if channels > 3 else 100)
    )
    np.testing.assert_allclose(np.linalg.det(found.rotation), 1, rtol=0, atol=1e-5)


def test_against_scipy():
    draw = np.random.default_rng(0)
    for _ in range(30):
        a, b, w = draw.standard_normal((6, 3)), draw.standard_normal((6, 3)), draw.uniform(0, 1, 6)
        found = align(*map(jnp.asarray, (a, b, w)))
        expected, _ = Rotation.align_vectors(b, a, weights=w)
        assert found.unique
        np.testing.assert_allclose(found.rotation, expected.as_matrix(), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("h", "unique"),
    [
        (np.diag([3.0, 2, 1]), True),
        (np.diag([3.0, 2, 0]), True),
        (np.diag([3.0, 2, -1]), True),
        (np.diag([3.0, 1, -1]), False),  # mirrored, two equal: a circle of rotations is best
        (np.diag([3.0, 0, 0]), False),
        (np.diag([1.0, 1, 1]), True),
        (-np.eye(3), False),
        (np.zeros((3, 3)), False),
    ],
    ids=["full", "flat", "mirrored", "mirrored, two equal", "a line", "equal", "all mirrored", "nothing"],
)
def test_when_the_rotation_is_unique(h, unique):
    """The least squares really have one best rotation or many: counted on turns about all axes."""
    turn = Rotation.random(rng=0).as_matrix()
    h = turn @ h
    found = align(jnp.eye(3), jnp.asarray(h.T), jnp.ones(3))  # sum_c b_c e_c^T
    assert bool(found.unique) == unique
    scores = np.einsum("nij,ij->n", Rotation.random(20000, rng=1).as_matrix(), h)
    best = np.einsum("ij,ij", found.rotation, h)
    if unique:
        assert best >= scores.max() - 1e-9
        near = Rotation.random(20000, rng=1).as_matrix()[scores > best - 0.02 * np.abs(h).max()]
        assert len(near) < 200
    else:
        np.testing.assert_array_equal(found.rotation, np.eye(3))
    slope = jax.grad(lambda b: jnp.sum(align(jnp.eye(3), b, jnp.ones(3)).rotation * jnp.asarray(turn)))(
        jnp.asarray(h.T)
    )
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["proper", "mirrored"])
def test_derivatives_of_the_rotation(sign):
    a, b = random((5, 3)), random((5, 3), seed=3) * sign
    w = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1, 5))
    goal = random((3, 3), seed=5)
    value = jax.jit(lambda a, b, w: jnp.sum(goal * align(a, b, w).rotation))
    slopes = jax.grad(value, argnums=(0, 1, 2))(a, b, w)
    for i, (slope, x) in enumerate(zip(slopes, (a, b, w))):
        step = random(x.shape, seed=i)
        at = lambda t, i=i, step=step: value(*[y + t * step if k == i else y for k, y in enumerate((a, b, w))])
        difference = (at(1e-5) - at(-1e-5)) / 2e-5
        assert abs(float(jnp.sum(slope * step)) - difference) < 1e-7 * (1 + abs(difference))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: vector_leaky_relu(standard(o(2)) + 2 * (standard(o(2)) * standard(o(2)))), "copies of one orthogonal"),
        (lambda: vector_leaky_relu(2 * standard(gl_plus(2))), "copies of one orthogonal"),
        (lambda: vector_leaky_relu(2 * standard(so(3)), 1.5), "slope of vector_leaky_relu has to be from 0 to 1"),
        (lambda: invariant_head(1), "channels of invariant_head"),
        (lambda: nearest_neighbours(jnp.zeros((4, 3)), 5), "a cloud of 4 points has no 5 neighbours of each"),
        (lambda: nearest_neighbours(jnp.zeros((4, 3)), 0), "number of neighbours"),
        (lambda: position_aware_conv(0, 2), "channels and kernels of position_aware_conv"),
        (lambda: position_aware_lifting(2, 0), "channels and kernels of position_aware_lifting"),
        (
            lambda: position_aware_lifting(2).apply({}, jnp.zeros((4, 2)), jnp.zeros((4, 1), int)),
            r"takes points \(..., N, 3\)",
        ),
        (
            lambda: position_aware_lifting(2).apply({}, jnp.zeros((4, 3)), jnp.zeros((5, 1), int)),
            r"takes neighbours \(..., N, k\)",
        ),
        (
            lambda: position_aware_conv(2, 2).apply(
                {}, jnp.zeros((4, 3)), jnp.zeros((4, 1), int), jnp.zeros((4, 3, 3))
            ),
            r"takes features \(..., N, 2, 3\)",
        ),
        (lambda: position_weights({}, jnp.zeros((3, 3))), "position_weights takes parameters named vectors, got none"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
