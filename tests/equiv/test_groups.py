"""Groups against independent constructions: permutations in numpy, mpmath's exponential, scipy's rotations, moments."""

import dataclasses
import functools
import itertools
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from scipy.spatial.transform import Rotation

from equiv.groups import (
    cyclic,
    dihedral,
    from_generators,
    inclusion,
    o,
    polyhedral,
    powers,
    product,
    projection,
    shifts,
    so,
    symmetric,
)

DTYPES = [np.float32, np.float64]
FIVE_SIGMA = 5.7e-7  # the two-sided tail of a normal variable


def eps_units(got, expected, dtype):
    got, expected = np.asarray(got), np.asarray(expected, np.float64)
    assert got.dtype == dtype
    assert got.shape == expected.shape
    assert np.isfinite(got).all()
    scale = np.sqrt(np.mean(expected**2)) or 1.0
    return float(np.abs(got.astype(np.float64) - expected).max(initial=0.0) / (np.finfo(dtype).eps * scale))


# --- finite groups ---------------------------------------------------------------------------------

FINITE = {
    str(group): group
    for group in (
        cyclic(1),
        cyclic(2),
        cyclic(6),
        dihedral(1),
        dihedral(2),
        dihedral(3),
        dihedral(4),
        symmetric(1),
        symmetric(2),
        symmetric(3),
        symmetric(4),
        shifts((1, 1)),
        shifts((3, 4)),
        product(dihedral(3), cyclic(2)),
        o(1),
        so(1),
        polyhedral("tetrahedral"),
        polyhedral("octahedral"),
        polyhedral("icosahedral"),
    )
}


@functools.cache
def listed(group):
    """Elements, multiplication table and inverses of a finite group, as numbers of ``elements()``."""

    @jax.jit
    def build():
        every = group.elements()
        left = jax.tree.map(lambda leaf: leaf[:, None], every)
        right = jax.tree.map(lambda leaf: leaf[None], every)
        table = group.index(group.compose(left, right))
        counted = group.index(every), group.index(group.inverse(every)), group.index(group.identity())
        return every, table, counted, group.index(group.generators())

    every, table, (counted, inverse, identity), generators = jax.tree.map(np.asarray, build())
    assert counted.tolist() == list(range(group.order))
    assert identity == 0
    return every, table, inverse, generators


def orders(table):
    """The order of each element, from the table alone."""
    found = np.ones(len(table), int)
    power = np.arange(len(table))
    while (power != 0).any():
        found += power != 0
        power = np.where(power == 0, 0, table[power, np.arange(len(table))])
    return found


def n_classes(table, inverse):
    """The number of conjugacy classes, from the table alone."""
    every = np.arange(len(table))
    return len({frozenset(table[table[every, g], inverse[every]].tolist()) for g in every})


@pytest.mark.parametrize("name", FINITE)
def test_tables_are_groups(name):
    group = FINITE[name]
    _, table, inverse, generators = listed(group)
    n = group.order
    every = np.arange(n)
    assert table.shape == (n, n)
    assert (np.sort(table, axis=0) == every[:, None]).all()
    assert (table[0] == every).all()
    assert (table[:, 0] == every).all()
    assert (table[table, :] == table[:, table]).all()
    assert (table[every, inverse] == 0).all()
    reached, frontier = {0}, [0]
    while frontier:
        frontier = [int(t) for t in set(table[generators][:, frontier].ravel().tolist()) - reached]
        reached.update(frontier)
    assert len(reached) == n


@pytest.mark.parametrize("n", [1, 2, 6])
def test_cyclic_table(n):
    _, table, _, _ = listed(cyclic(n))
    assert (table == (np.arange(n)[:, None] + np.arange(n)) % n).all()


@pytest.mark.parametrize("n", [3, 4])
def test_dihedral_table(n):
    """As permutations of the corners of a polygon, corner j at angle 2 pi j / n."""
    corners = np.arange(n)
    images = [(corners + k) % n for k in range(n)] + [(-corners + k) % n for k in range(n)]
    found = {tuple(image): k for k, image in enumerate(images)}
    table = [[found[tuple(g[h])] for h in images] for g in images]
    assert listed(dihedral(n))[1].tolist() == table


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_symmetric_table(n):
    images = list(itertools.permutations(range(n)))
    every, table, _, _ = listed(symmetric(n))
    assert [tuple(g) for g in every.tolist()] == images
    assert table.tolist() == [[images.index(tuple(g[i] for i in h)) for h in images] for g in images]


def test_shifts_table():
    every, table, _, _ = listed(shifts((3, 4)))
    added = (every[:, None] + every[None]) % np.array([3, 4])
    assert (table == np.ravel_multi_index(tuple(np.moveaxis(added, -1, 0)), (3, 4))).all()


def test_product_table():
    _, left, _, _ = listed(dihedral(3))
    _, right, _, _ = listed(cyclic(2))
    table = left[:, None, :, None] * 2 + right[None, :, None, :]
    assert (listed(product(dihedral(3), cyclic(2)))[1] == table.reshape(12, 12)).all()


ORDERS = {  # how many elements there are of each order, and of classes; from the character tables
    "cyclic(6)": ({1: 1, 2: 1, 3: 2, 6: 2}, 6),
    "dihedral(1)": ({1: 1, 2: 1}, 2),
    "dihedral(2)": ({1: 1, 2: 3}, 4),
    "dihedral(3)": ({1: 1, 2: 3, 3: 2}, 3),
    "dihedral(4)": ({1: 1, 2: 5, 4: 2}, 5),
    "symmetric(3)": ({1: 1, 2: 3, 3: 2}, 3),
    "symmetric(4)": ({1: 1, 2: 9, 3: 8, 4: 6}, 5),
    "shifts((3, 4))": ({1: 1, 2: 1, 3: 2, 4: 2, 6: 2, 12: 4}, 12),
    "dihedral(3) x cyclic(2)": ({1: 1, 2: 7, 3: 2, 6: 2}, 6),
    "tetrahedral group": ({1: 1, 2: 3, 3: 8}, 4),
    "octahedral group": ({1: 1, 2: 9, 3: 8, 4: 6}, 5),
    "icosahedral group": ({1: 1, 2: 15, 3: 20, 5: 24}, 5),
}


@pytest.mark.parametrize("name", ORDERS)
def test_orders_and_classes(name):
    _, table, inverse, _ = listed(FINITE[name])
    found, counts = np.unique(orders(table), return_counts=True)
    assert dict(zip(found.tolist(), counts.tolist())) == ORDERS[name][0]
    assert n_classes(table, inverse) == ORDERS[name][1]


@pytest.mark.parametrize(("solid", "letter"), [("tetrahedral", "T"), ("octahedral", "O"), ("icosahedral", "I")])
def test_polyhedral_groups_are_those_of_scipy(solid, letter):
    """The same rotations, the icosahedron's after a quarter turn about z: two icosahedra fit one cube."""
    theirs = Rotation.create_group(letter).as_matrix()
    if solid == "icosahedral":
        quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
        theirs = max([theirs, quarter @ theirs @ quarter.T], key=lambda t: _shared(t, listed(polyhedral(solid))[0]))
    every = listed(polyhedral(solid))[0]
    assert len(every) == len(theirs) == _shared(theirs, every)
    exact = np.abs(every @ every.transpose(0, 2, 1) - np.eye(3)).max()
    assert exact < 4 * np.finfo(float).eps


def _shared(some, others):
    apart = np.abs(some[:, None] - others[None]).max(axis=(-1, -2))
    return int((apart.min(axis=1) < 1e-12).sum())


def test_elements_of_a_batch_keep_its_axes():
    for group in (cyclic(6), dihedral(4), symmetric(4), shifts((3, 4)), so(3), product(symmetric(3), so(2))):

        @functools.partial(jax.jit, static_argnums=0)
        def everything(group):
            key = jax.random.key(0)
            one, two = jax.random.split(key)
            g, h = group.sample(one, (4, 1)), group.sample(two, (3,))
            x = jnp.ones((2, 5, group.dim))
            return group.compose(g, h), group.inverse(g), group.distance(g, h), group.exp(x), group.log(group.exp(x))

        gh, inverse, distance, exp, log = jax.eval_shape(functools.partial(everything, group))
        assert group.batch_shape(gh) == (4, 3)
        assert group.batch_shape(inverse) == (4, 1)
        assert distance.shape == (4, 3)
        assert group.batch_shape(exp) == (2, 5)
        assert log.shape == (2, 5, group.dim)


def test_large_symmetric_groups_are_not_listed():
    with pytest.raises(ValueError, match=r"symmetric\(9\) has 362880 elements, more than the 50000 that are listed"):
        symmetric(9).elements()
    assert symmetric(20).order == math.factorial(20)


# --- rotations -------------------------------------------------------------------------------------


def plane_basis(n):
    """``d exp / dx_k`` at 0: plane (i, j) turns e_i towards e_j, axis vectors in three dimensions."""
    planes = {3: [(1, 2), (2, 0), (0, 1)]}.get(n, [(i, j) for i in range(n) for j in range(i + 1, n)])
    found = np.zeros((len(planes), n, n))
    for k, (i, j) in enumerate(planes):
        found[k, j, i], found[k, i, j] = 1, -1
    return found


@functools.partial(jax.jit, static_argnums=0)
def exp_and_log(n, x):
    g = so(n).exp(x)
    return g, so(n).log(g), o(n).exp(x), jnp.linalg.det(g)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_exp_and_log(n, dtype):
    """Against mpmath's exponential: scipy's is 10 epsilons off itself."""
    dim = n * (n - 1) // 2
    rng = np.random.default_rng(n)
    directions = rng.normal(size=(13, dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    lengths = np.array([0, 1e-20, 1e-8, 1e-4, 1e-3, 0.5, 1, 2, 2.9, 3, np.pi, 3.5, 8])
    x = (lengths[:, None] * directions).astype(dtype)
    g, log, also, det = exp_and_log(n, x)
    for k in range(len(x)):
        skew = mpmath.matrix(np.einsum("k,kij->ij", x[k].astype(np.float64), plane_basis(n)).tolist())
        expected = np.array(mpmath.expm(skew).tolist(), float)
        assert eps_units(g[k], expected, dtype) <= 8, lengths[k]
    np.testing.assert_array_equal(g, also)
    np.testing.assert_allclose(det, 1, atol=20 * np.finfo(dtype).eps)
    within = lengths < 3.1
    assert eps_units(log[within], x[within], dtype) <= 60
    small = (lengths < 1e-2) & (lengths > 0)  # relative to their own size, not to the largest
    assert (np.linalg.norm(log - x, axis=1)[small] <= 20 * np.finfo(dtype).eps * np.maximum(1e-8, lengths[small])).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_so3_is_that_of_scipy(dtype):
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(dtype)
    g = exp_and_log(3, x)[0]
    assert eps_units(g, Rotation.from_rotvec(x.astype(np.float64)).as_matrix(), dtype) <= 12
    h = Rotation.random(200, rng=np.random.default_rng(1)).as_matrix().astype(dtype)
    back = jax.jit(so(3).log)(h)
    assert eps_units(back, Rotation.from_matrix(h.astype(np.float64)).as_rotvec(), dtype) <= 60


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_at_a_half_turn(dtype):
    """Up to and at the angle pi, about axes where components are zero too; the sign is free at pi itself."""
    axes = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, -3, 4], [1, 2, -2], [1e-6, 0, 1]], np.float64)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    exact = (2 * axes[:, :, None] * axes[:, None, :] - np.eye(3)).astype(dtype)
    log = np.asarray(jax.jit(so(3).log)(exact))
    assert log.dtype == dtype
    signs = np.sign(np.sum(log * axes, axis=1, keepdims=True))
    assert eps_units(log * signs.astype(dtype), np.pi * axes, dtype) <= 8
    for below in (1e-2, 1e-5):
        x = ((np.pi - below) * axes).astype(dtype)
        g, log, _, _ = exp_and_log(3, x)
        assert eps_units(log, x, dtype) <= 60
        assert eps_units(g, Rotation.from_rotvec(x.astype(np.float64)).as_matrix(), dtype) <= 12
    half = jax.jit(so(2).log)(np.array([[[-1, 0], [0, -1]], [[0, -1], [1, 0]]], dtype))
    assert eps_units(np.abs(half), [[np.pi], [np.pi / 2]], dtype) <= 1


@pytest.mark.parametrize("n", [2, 3, 4])
def test_derivatives_at_the_identity(n):
    """``log exp`` is the identity: its slope along v is v, forward and backward, and constant."""
    dim, group = n * (n - 1) // 2, so(n)
    v = np.random.default_rng(n).normal(size=dim)
    around = lambda x: group.log(group.exp(x))

    @jax.jit
    def slopes(x):
        once = lambda t: jax.jvp(around, (x + t * v,), (jnp.asarray(v),))[1]
        forward, second = jax.jvp(once, (0.0,), (1.0,))
        return forward, second, jax.vjp(around, x)[1](jnp.asarray(v))[0]

    for start in (np.zeros(dim), np.full(dim, 0.7)):
        forward, second, backward = slopes(start)
        np.testing.assert_allclose(forward, v, atol=1e-12)
        np.testing.assert_allclose(backward, v, atol=1e-12)
        np.testing.assert_allclose(second, np.zeros(dim), atol=1e-11)


def test_log_of_a_mirror_is_nan():
    for n in (2, 3, 4):
        mirror = np.diag([1.0] * (n - 1) + [-1])
        assert np.isnan(jax.jit(o(n).log)(mirror)).all(), n
    assert o(1).log(jnp.array([[1.0]])).shape == (0,)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_mirror_of_o(n):
    mirror = np.asarray(o(n).generators())
    assert mirror.shape == (1, n, n)
    assert np.linalg.det(mirror[0]) == -1
    assert so(n).generators().shape == (0, n, n)
    assert so(n).dim == o(n).dim == n * (n - 1) // 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_inverse_distance_and_dtype(dtype):
    group = so(3)

    @jax.jit
    def measured(key):
        g = group.sample(key, (64,), dtype)
        long, _ = jax.lax.scan(lambda a, b: (group.compose(a, b), None), group.identity(dtype), g)
        return g, group.compose(g, group.inverse(g)), group.distance(g, group.identity(dtype)[None]), long

    g, e, distance, long = map(np.asarray, measured(jax.random.key(0)))
    assert eps_units(e, np.broadcast_to(np.eye(3), e.shape), dtype) <= 8
    assert eps_units(distance, np.linalg.norm(g.astype(np.float64) - np.eye(3), axis=(1, 2)), dtype) <= 8
    assert eps_units(long @ long.T, np.eye(3), dtype) <= 100


# --- measures --------------------------------------------------------------------------------------

N_DRAWS = 40_000


@functools.cache
def drawn(group):
    return np.asarray(jax.jit(lambda key: group.sample(key, (N_DRAWS,)))(jax.random.key(11)))


def assert_mean(values, expected):
    """Means over the first axis, within five standard errors estimated from the values."""
    values = values.reshape(len(values), -1)
    error = values.std(axis=0, ddof=1) / len(values) ** 0.5
    away = np.abs(values.mean(axis=0) - np.ravel(expected))
    assert (away <= 5 * error + 1e-12).all(), float(np.max(away / (error + 1e-12)))


TRACES = {  # E (tr g)^k = dimension of the invariants of V^(x k), k = 1 ... 4
    "SO(2)": (so(2), [0, 2, 0, 6]),
    "SO(3)": (so(3), [0, 1, 1, 3]),
    "SO(4)": (so(4), [0, 1, 0, 4]),
    "O(2)": (o(2), [0, 1, 0, 3]),
    "O(3)": (o(3), [0, 1, 0, 3]),
    "O(4)": (o(4), [0, 1, 0, 3]),
}


@pytest.mark.parametrize("name", TRACES)
def test_haar_moments(name):
    group, moments = TRACES[name]
    g = drawn(group)
    n = g.shape[-1]
    flat = g.reshape(-1, n * n)
    units = np.abs(g @ g.transpose(0, 2, 1) - np.eye(n)).max()
    assert units < 30 * np.finfo(float).eps
    assert_mean(flat, np.zeros(n * n))
    second = np.eye(n * n) / n
    if name == "SO(2)":  # V is not absolutely irreducible: J commutes with it
        turn = np.array([0.0, -1, 1, 0])
        unit = np.array([1.0, 0, 0, 1])
        second = (np.outer(unit, unit) + np.outer(turn, turn)) / 2
    assert_mean(flat[:, :, None] * flat[:, None, :], second)
    trace = np.trace(g, axis1=1, axis2=2)
    assert_mean(np.stack([trace**k for k in range(1, 5)], axis=1), moments)
    assert_mean(g[:, 0, 0] ** 4, 3 / (n * (n + 2)))
    if n > 2:
        assert_mean(g[:, 0, 0] ** 2 * g[:, 1, 1] ** 2, (n + 1) / (n * (n - 1) * (n + 2)))


@pytest.mark.parametrize("name", TRACES)
def test_haar_measure_is_left_invariant(name):
    """Each entry of g and of h g squared is Beta(1/2, (n - 1)/2)."""
    g = drawn(TRACES[name][0])
    n = g.shape[-1]
    fixed = np.linalg.qr(np.random.default_rng(2).normal(size=(n, n)))[0]
    fixed[:, 0] *= np.sign(np.linalg.det(fixed))
    for moved in (g, fixed @ g, g @ fixed):
        for i, j in ((0, 0), (0, n - 1), (n - 1, 0), (n - 1, n - 1)):
            law = scipy.stats.beta(0.5, (n - 1) / 2)
            assert scipy.stats.kstest(moved[:, i, j] ** 2, law.cdf).pvalue > FIVE_SIGMA


def angles(g):
    return np.arccos(np.clip((np.trace(g, axis1=1, axis2=2) - 1) / 2, -1, 1))


def test_angles_of_so3():
    """The angle has the density ``(1 - cos a) / pi``; an exponential of Gaussian vectors has not."""
    law = lambda a: (a - np.sin(a)) / np.pi
    assert scipy.stats.kstest(angles(drawn(so(3))), law).pvalue > FIVE_SIGMA
    x = np.random.default_rng(0).normal(size=(N_DRAWS, 3)) * 1.8
    assert scipy.stats.kstest(angles(Rotation.from_rotvec(x).as_matrix()), law).pvalue < FIVE_SIGMA


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_both_components_of_o(n):
    sign = np.linalg.det(drawn(o(n)))
    assert np.allclose(np.abs(sign), 1)
    assert_mean((sign > 0).astype(float), 0.5)
    assert (np.linalg.det(drawn(so(n))) > 0).all()
    proper = drawn(o(n))[sign > 0]
    if n == 3:
        assert scipy.stats.kstest(angles(proper), lambda a: (a - np.sin(a)) / np.pi).pvalue > FIVE_SIGMA


@pytest.mark.parametrize("name", [name for name in FINITE if FINITE[name].order > 1])
def test_finite_groups_are_drawn_uniformly(name):
    group = FINITE[name]
    index = jax.jit(lambda key: group.index(group.sample(key, (N_DRAWS,))))(jax.random.key(5))
    counts = np.bincount(index, minlength=group.order)
    assert scipy.stats.chisquare(counts).pvalue > FIVE_SIGMA


def test_draws_follow_the_key():
    for group in (so(3), symmetric(5), product(cyclic(3), o(2))):
        draw = jax.jit(lambda seed, group=group: group.sample(jax.random.key(seed), (5,), np.float32))
        one, same, other = (jax.tree.leaves(draw(seed)) for seed in (0, 0, 1))
        assert all((a == b).all() for a, b in zip(one, same))
        assert any((a != b).any() for a, b in zip(one, other))


# --- products, projections, inclusions --------------------------------------------------------------


def test_product_of_a_finite_and_a_lie_group():
    group = product(cyclic(3), so(3), o(2))
    assert (group.dim, group.order, group.compact) == (4, None, True)
    assert group.shape == ((), (3, 3), (2, 2))
    x = np.array([0.1, 0.2, 0.3, 0.4])

    @jax.jit
    def build(x):
        g = group.exp(x)
        return g, group.log(g), group.generators(), group.distance(g, group.inverse(g))

    (k, turn, plane), log, steps, distance = build(x)
    assert k == 0
    np.testing.assert_allclose(turn, Rotation.from_rotvec(x[:3]).as_matrix(), atol=1e-15)
    np.testing.assert_allclose(plane, [[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]], atol=1e-15)
    np.testing.assert_allclose(log, x, atol=1e-15)
    back = [np.linalg.norm(m - m.T) for m in (np.asarray(turn), np.asarray(plane))]
    assert float(distance) == pytest.approx(sum(back))
    assert steps[0].tolist() == [1, 0]  # one generator of cyclic(3), then the mirror of o(2)
    assert (np.asarray(steps[1]) == np.eye(3)).all()
    assert np.linalg.det(np.asarray(steps[2])).tolist() == [1, -1]
    with pytest.raises(ValueError, match=r"SO\(3\)"):
        group.elements()
    assert projection(group, 2).map((k, turn, plane)) is plane


def test_inclusions_as_matrices():
    for n in (1, 2, 3, 4, 5, 6, 8):
        turn = lambda k, n=n: np.array(
            [
                [np.cos(2 * np.pi * k / n), -np.sin(2 * np.pi * k / n)],
                [np.sin(2 * np.pi * k / n), np.cos(2 * np.pi * k / n)],
            ]
        )
        expected = [turn(k) for k in range(n)] + [turn(k) @ np.diag([1, -1]) for k in range(n)]
        into = inclusion(dihedral(n), o(2))
        got = jax.jit(into.map)(np.arange(2 * n, dtype=np.int32))
        np.testing.assert_allclose(got, np.stack(expected), atol=1e-15)
        if n in (1, 2, 4):
            assert (np.asarray(got) == np.round(got)).all()
    g = np.array([2, 0, 1], np.int32)
    matrix = np.asarray(inclusion(symmetric(3), o(3)).map(g))
    assert all((matrix @ np.eye(3)[i] == np.eye(3)[g[i]]).all() for i in range(3))
    assert inclusion(symmetric(3), symmetric(5)).map(g).tolist() == [2, 0, 1, 3, 4]
    small = np.asarray(so(2).exp(jnp.array([0.3])))
    big = np.asarray(inclusion(so(2), so(4)).map(small))
    np.testing.assert_array_equal(big, scipy.linalg.block_diag(small, np.eye(2)))
    assert inclusion(cyclic(2), cyclic(6)).map(jnp.arange(2)).tolist() == [0, 3]
    assert inclusion(dihedral(2), dihedral(6)).map(jnp.arange(4)).tolist() == [0, 3, 6, 9]


def test_powers_of_one_element():
    """Turns by one angle about one axis, by scipy; powers of a permutation, by numpy; pairs."""
    turn = Rotation.from_rotvec(np.array([1, 0, (1 + 5**0.5) / 2]) / np.hypot(1, (1 + 5**0.5) / 2) * 2 * np.pi / 5)
    five = powers(polyhedral("icosahedral"), turn.as_matrix().astype(np.float32))
    assert five.source is cyclic(5)
    expected = np.stack([(turn**k).as_matrix() for k in range(5)])
    np.testing.assert_allclose(five.map(jnp.arange(5)), expected, atol=1e-15)
    assert five.map(jnp.arange(5), jnp.float32).dtype == jnp.float32
    assert five is powers(polyhedral("icosahedral"), turn.as_matrix())
    cycle = powers(symmetric(4), np.array([1, 2, 0, 3]))
    assert cycle.map(jnp.arange(4)).tolist() == [[0, 1, 2, 3], [1, 2, 0, 3], [2, 0, 1, 3], [0, 1, 2, 3]]
    both = powers(product(cyclic(4), dihedral(3)), (np.array(1), np.array(1)))
    assert both.source is cyclic(12)
    assert jax.tree.map(lambda leaf: leaf.tolist(), both.map(jnp.array([3, 11]))) == ([3, 3], [0, 2])
    assert powers(cyclic(6), np.array(0)).source is cyclic(1)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: powers(so(2), np.eye(2)), r"powers needs a finite group, got SO\(2\); from_generators"),
        (
            lambda: powers(cyclic(4), np.arange(2)),
            r"powers needs one element of cyclic\(4\), of shape \(\), got \[\(2,",
        ),
        (lambda: powers(polyhedral("octahedral"), 2 * np.eye(3)), "powers needs an element of octahedral group, got"),
        (lambda: powers(polyhedral("octahedral"), np.nan * np.eye(3)), "powers needs an element of octahedral group"),
        (
            lambda: powers(symmetric(3), np.array([0, 0, 1])),
            r"powers needs an element of symmetric\(3\), got \[0, 0, 1",
        ),
    ],
)
def test_powers_of_no_element_are_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_chains_of_inclusions():
    chain = inclusion(so(2), so(3)) @ inclusion(cyclic(4), so(2))
    assert (chain.source, chain.target) == (cyclic(4), so(3))
    expected = Rotation.from_rotvec(np.pi / 2 * np.arange(4)[:, None] * np.eye(3)[2]).as_matrix()
    np.testing.assert_allclose(jax.jit(chain.map)(np.arange(4, dtype=np.int32)), expected, atol=1e-15)
    assert chain is inclusion(so(2), so(3)) @ inclusion(cyclic(4), so(2))
    direct = inclusion(cyclic(2), cyclic(8))
    by_way = inclusion(cyclic(4), cyclic(8)) @ inclusion(cyclic(2), cyclic(4))
    assert direct.map(jnp.arange(2)).tolist() == by_way.map(jnp.arange(2)).tolist()
    assert chain.map(np.int32(1), np.float32).dtype == np.float32


# --- generated groups --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 5, 12])
def test_a_turn_generates_its_cyclic_group(n):
    angle = 2 * np.pi / n
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert from_generators(discrete=[turn]).order == n
    group = from_generators(discrete=[turn, np.diag([1.0, -1])])
    assert group.order == 2 * n
    assert group.compact
    every, table, _, _ = listed(group)
    assert np.abs(every @ every.transpose(0, 2, 1) - np.eye(2)).max() < 4 * np.finfo(float).eps
    assert sorted(orders(table)) == sorted(orders((listed(dihedral(n)) if n < 12 else listed(dihedral(12)))[1]))


def test_signed_permutations():
    """The hyperoctahedral group of order 2^3 3!; listed exactly."""
    swap, cycle = np.eye(3)[[1, 0, 2]], np.eye(3)[[1, 2, 0]]
    group = from_generators(discrete=[swap, cycle, np.diag([-1.0, 1, 1])])
    assert group.order == 48
    every = listed(group)[0]
    assert (every == np.round(every)).all()


def test_a_group_that_is_not_orthogonal():
    """S_3 in a skew basis: finite, but its inverse is no transpose."""
    base = np.array([[1.0, 0.4, 0], [0, 1, 2], [0, 0, 3]])
    conjugated = [base @ np.eye(3)[list(p)] @ np.linalg.inv(base) for p in ((1, 0, 2), (1, 2, 0))]
    group = from_generators(discrete=conjugated)
    assert (group.order, group.compact) == (6, False)
    every, table, inverse, _ = listed(group)
    assert sorted(orders(table)) == [1, 2, 2, 2, 3, 3]
    np.testing.assert_allclose(every @ every[inverse], np.broadcast_to(np.eye(3), (6, 3, 3)), atol=1e-12)


def test_an_infinite_group_is_not_listed():
    turn = [[np.cos(1.0), -np.sin(1.0)], [np.sin(1.0), np.cos(1.0)]]
    group = from_generators(discrete=[turn], name="turns by one radian")
    assert group.order is None
    for refused in (group.elements, lambda: group.index(jnp.eye(2))):
        with pytest.raises(
            ValueError, match="turns by one radian has infinitely many elements and cannot list them; use sample"
        ):
            refused()
    g = np.asarray(jax.jit(lambda key: group.sample(key, (20,)))(jax.random.key(0)))
    np.testing.assert_allclose(g @ g.transpose(0, 2, 1), np.broadcast_to(np.eye(2), g.shape), atol=1e-14)


def test_lie_generators():
    """The Heisenberg group: not compact, not abelian, exponentials by a polynomial."""
    x, y, z = np.zeros((3, 3, 3))
    x[0, 1] = y[1, 2] = z[0, 2] = 1
    group = from_generators(lie=[x, y, z], name="Heisenberg")
    assert (group.dim, group.compact, group.order) == (3, False, None)
    a = np.array([0.5, -2.0, 3.0])

    @jax.jit
    def around(a):
        g = group.exp(a)
        return g, group.log(g), group.compose(g, group.inverse(g))

    g, log, e = around(a)
    np.testing.assert_allclose(g, [[1, 0.5, 3 + 0.5 * -2 / 2], [0, 1, -2], [0, 0, 1]], atol=1e-14)
    np.testing.assert_allclose(log, a, atol=1e-13)
    np.testing.assert_allclose(e, np.eye(3), atol=1e-14)


def test_rotations_from_generators_are_so3():
    group = from_generators(lie=plane_basis(3))
    assert group.compact
    x = np.array([0.3, -1, 2])
    np.testing.assert_allclose(jax.jit(group.exp)(x), Rotation.from_rotvec(x).as_matrix(), atol=1e-15)


# --- records -----------------------------------------------------------------------------------------


def test_records_are_interned():
    assert so(3) is so(3)
    assert so(3) is not o(3)
    assert so(3) != so(4)
    assert product(cyclic(2), so(3)) is product(cyclic(2), so(3))
    assert product(cyclic(2), so(3)) is not product(so(3), cyclic(2))

    assert inclusion(so(2), so(3)) is inclusion(so(2), so(3))
    assert from_generators(discrete=[np.eye(2)[::-1]]) is from_generators(discrete=[np.eye(2)[::-1]])
    assert len({so(2), so(3), so(2), o(2), cyclic(2)}) == 4
    wrong = dataclasses.replace(cyclic(4), inverse=lambda g: g)
    assert wrong != cyclic(4)
    assert cyclic(4).inverse is not wrong.inverse


def test_records_are_static():
    """A group is a jit argument, a leafless tree node, a key of the compilation cache."""
    traced = []

    @functools.partial(jax.jit, static_argnums=0)
    def order(group, x):
        traced.append(group)
        return x * group.order

    assert order(cyclic(5), 2) == 10
    assert order(cyclic(5), 3) == 15
    assert order(dihedral(5), 1) == 10
    assert traced == [cyclic(5), dihedral(5)]
    assert jax.tree.leaves((so(3), inclusion(so(2), so(3)))) == []
    assert jax.jit(lambda group, x: x + group.dim)(so(3), 1) == 4
    assert str(product(cyclic(4), so(3))) == "cyclic(4) x SO(3)"
    assert str(shifts((3, 4))) == "shifts((3, 4))"
