"""Signals on the sphere and SO(3) against scipy's harmonics, sums over whole grids, quadratures and closed forms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from scipy.spatial.transform import Rotation

from equiv.groups import so
from equiv.groups.measures import so3_grid, so3_quadrature
from equiv.layers import so3, so3_activation, so3_conv, sphere_activation, sphere_to_so3

DTYPES = [np.float32, np.float64]
L = 3
SO3 = so(3)
DRAWN = Rotation.random(40, random_state=1)
SPECIAL = Rotation.from_rotvec(
    [[0, 0, 0], [1e-9, 0, 0], [0, np.pi, 0], [np.pi, 0, 0], [0, 0, np.pi], [np.pi - 1e-7, 0, 0], [0, np.pi / 2, 0]]
)
ROTATIONS = np.concatenate([DRAWN.as_matrix(), SPECIAL.as_matrix()])


def tolerance(dtype, f64, f32):
    return f64 if dtype == np.float64 else f32


def drawn(*batch, l_max=L, size=1.0, dtype=np.float64, seed=0):
    """Blocks of a random signal."""
    normal = np.random.default_rng(seed).normal
    return tuple(jnp.asarray(size * normal(size=(*batch, 2 * l + 1, 2 * l + 1)), dtype) for l in range(l_max + 1))


def harmonics(l, v):
    """Spherical harmonics of mean square one by scipy, (..., 2l + 1)."""
    a, b = np.arctan2(v[..., 0], v[..., 2]), np.arctan2(np.hypot(v[..., 0], v[..., 2]), v[..., 1])
    y = np.zeros((*v.shape[:-1], 2 * l + 1))
    y[..., l] = scipy.special.sph_harm_y(l, 0, b, a).real
    for m in range(1, l + 1):
        value = (-1) ** m * 2**0.5 * scipy.special.sph_harm_y(l, m, b, a)
        y[..., l + m], y[..., l - m] = value.real, value.imag
    return (4 * np.pi) ** 0.5 * y


POINTS = np.random.default_rng(5).normal(size=(12, 3))
POINTS /= np.linalg.norm(POINTS, axis=1, keepdims=True)


def at(rotations, l_max=L):
    """``sqrt(2l + 1) D^l_mn`` from ``Y_l(R n) = D^l(R) Y_l(n)`` at a few points, by scipy: (n, functions)."""
    moved, found = np.einsum("rij,kj->rki", rotations, POINTS), []
    for l in range(l_max + 1):
        d = np.einsum("rkm,nk->rmn", harmonics(l, moved), np.linalg.pinv(harmonics(l, POINTS)))
        found.append((2 * l + 1) ** 0.5 * d.reshape(len(d), -1))
    return np.concatenate(found, axis=1)


@functools.cache
def basis(kind, level_or_degree, l_max=L):
    """These functions at all points of a grid or a quadrature."""
    rotations = so3_grid(level_or_degree) if kind == "grid" else so3_quadrature(level_or_degree)[0]
    return at(np.asarray(rotations), l_max)


def flat(blocks):
    return np.concatenate([np.asarray(x).reshape(*x.shape[:-2], -1) for x in blocks], axis=-1)


def peak(r, height=4.0, dtype=np.float64):
    """A signal that is highest at r: all degrees of a peak, each a bit lower than the one before."""
    parts = np.split(at(r), np.cumsum([(2 * l + 1) ** 2 for l in range(L)]), axis=-1)
    parts = [height * np.exp(-0.1 * l * (l + 1)) * x for l, x in enumerate(parts)]
    return tuple(jnp.asarray(x.reshape(-1, 2 * l + 1, 2 * l + 1), dtype) for l, x in enumerate(parts))


# --- signals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_spherical_harmonics(dtype):
    """At drawn points and at the poles, against scipy."""
    n = ROTATIONS[:, :, 1]
    found = jax.jit(functools.partial(so3.spherical_harmonics, 6))(jnp.asarray(n, dtype))
    for l, y in enumerate(found):
        assert y.dtype == dtype
        assert np.abs(np.asarray(y) - harmonics(l, n)).max() <= tolerance(dtype, 2e-13, 5e-6)


def test_derivatives_of_spherical_harmonics_at_the_pole():
    """There is no azimuth at the pole, but there are slopes: those of ``Y_1 = sqrt 3 (x, y, z)``."""
    slopes = jax.jacfwd(functools.partial(so3.spherical_harmonics, 4))(jnp.array([0.0, 1.0, 0.0]))
    assert np.allclose(slopes[1], 3**0.5 * np.eye(3))
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_blocks_are_the_layout_that_is_documented():
    """(C, n, m) in the vector, (C, m, n) as blocks; degree after degree."""
    x = np.arange(float(so3.rotation_signal(2, 3).dim))
    blocks = so3.to_blocks(jnp.asarray(x), 2, 3)
    start = 0
    for l, block in enumerate(blocks):
        k = 2 * l + 1
        assert (block == x[start : start + 3 * k * k].reshape(3, k, k).swapaxes(1, 2)).all()
        start += 3 * k * k
    assert (so3.from_blocks(blocks) == x).all()
    assert so3.sphere_signal(2, 3).dim == 27
    assert [rep.dim * copies for rep, copies in so3.sphere_signal(2, 3).summands] == [3, 9, 15]


@pytest.mark.parametrize("dtype", DTYPES)
def test_evaluate(dtype):
    blocks = drawn(len(ROTATIONS), dtype=dtype)
    found = so3.evaluate(blocks, jnp.asarray(ROTATIONS, dtype))
    assert found.dtype == dtype
    expected = np.sum(flat(blocks).astype(float) * at(ROTATIONS), axis=1)
    assert np.abs(np.asarray(found) - expected).max() <= tolerance(dtype, 2e-13, 1e-4)
    one, many = drawn(2, 1, dtype=dtype), jnp.asarray(ROTATIONS[:5], dtype)  # batch axes broadcast
    assert so3.evaluate(one, many).shape == (2, 5)


def test_the_basis_is_orthonormal():
    functions, weights = basis("quadrature", 2 * L), np.asarray(so3_quadrature(2 * L)[1])
    assert np.abs(functions.T @ (weights[:, None] * functions) - np.eye(functions.shape[1])).max() < 1e-12


@pytest.mark.parametrize(("dtype", "budget"), [(np.float32, 1e-4), (np.float64, 1e-12)])
def test_a_rotation_moves_a_signal_from_the_left(dtype, budget):
    """``f'(R) = f(g^-1 R)``; were the blocks transposed, it would be ``f(R g)`` of another f, and this would fail."""
    g, r = (jnp.asarray(m, dtype) for m in (ROTATIONS[3], ROTATIONS[5:12]))
    blocks = drawn(1, dtype=dtype)
    x = so3.rotation_signal(L).act(g, so3.from_blocks(blocks))
    moved = tuple(block[0] for block in so3.to_blocks(x, L))
    wanted = so3.evaluate(blocks, SO3.compose(g.T[None], r))
    assert np.abs(so3.evaluate(moved, r) - wanted).max() < budget
    wrong = tuple(block.T for block in moved)
    assert np.abs(so3.evaluate(wrong, r) - wanted).max() > 0.1


# --- layers -------------------------------------------------------------------------------------------------------


def test_filters_with_a_support():
    """``f'(R) = sum_k w_k f(R S_k^-1)`` on SO(3), and from the sphere ``sum_k w_k sqrt(2l + 1) f_l(R p_k)``."""
    r, near = jnp.asarray(ROTATIONS[:6]), so3.near_identity(0.7, 3, 2, 2)
    points = so3.near_identity(0.7, 4, 2, n_gamma=1)[:, :, 1]
    assert len(np.unique(np.asarray(points).round(9), axis=0)) == 8
    assert np.abs(np.arccos(np.asarray(points[:, 1])) - np.tile([0.35, 0.7], 4)).max() < 1e-12
    layer = sphere_to_so3(L, 2, 1, points)
    params, x = layer.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (layer.rep_in.dim,))
    moved = np.einsum("rij,kj->rki", r, points)
    scaled = [(2 * l + 1) ** 0.5 * harmonics(l, moved) for l in range(L + 1)]
    parts = np.split(np.asarray(x), np.cumsum([2 * (2 * l + 1) for l in range(L)]))
    values = sum(np.einsum("rkm,cm->rkc", y, p.reshape(2, -1)) for y, p in zip(scaled, parts, strict=True))
    expected = np.einsum("rkc,ck->r", values, params["filter"][:, 0]) / len(points) ** 0.5
    found = so3.evaluate(so3.to_blocks(layer.apply(params, x), L), r)
    assert np.abs(found - expected).max() < 1e-12

    layer = so3_conv(L, 2, 1, near)
    params, x = layer.init(jax.random.key(2)), jax.random.normal(jax.random.key(3), (layer.rep_in.dim,))
    blocks = so3.to_blocks(x, L, 2)
    back = jnp.einsum("rij,klj->rkil", r, near)
    values = [so3.evaluate(tuple(b[c] for b in blocks), back) for c in range(2)]
    expected = np.einsum("crk,ck->r", values, params["filter"][:, 0]) / len(near) ** 0.5
    found = so3.evaluate(so3.to_blocks(layer.apply(params, x), L), r)
    assert np.abs(found - expected).max() < 1e-12


LAYERS = {
    "correlation": lambda: sphere_to_so3(L, 8, 4),
    "correlation near the pole": lambda: sphere_to_so3(L, 8, 4, so3.near_identity(0.9, n_gamma=1)[:, :, 1]),
    "convolution": lambda: so3_conv(L, 4, 8),
    "convolution near the identity": lambda: so3_conv(L, 4, 8, so3.near_identity(1.0)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_unit_variance_in_and_out(name):
    """Over draws of parameters and input: 64 of the one, for 5 standard errors."""
    layer = LAYERS[name]()
    keys = jax.random.split(jax.random.key(0), 64)

    def power(key):
        k_params, k_x = jax.random.split(key)
        return jnp.mean(layer.apply(layer.init(k_params), jax.random.normal(k_x, (layer.rep_in.dim,))) ** 2)

    powers = np.asarray(jax.jit(jax.vmap(power))(keys))
    assert abs(powers.mean() - 1) < 5 * powers.std() / 8
    assert powers.std() / 8 < 0.1


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_identity_comes_back_from_the_grid(dtype):
    for layer in (sphere_activation(L, 2, lambda x: x, 2 * L), so3_activation(L, 2, lambda x: x, 2 * L)):
        x = jax.random.normal(jax.random.key(0), (3, layer.rep_in.dim), dtype)
        y = layer.apply({}, x)
        assert y.dtype == dtype
        assert np.abs(y - x).max() < tolerance(dtype, 1e-13, 1e-5)


@pytest.mark.parametrize("power", [2, 3])
def test_polynomials_are_exact(power):
    """At the degree that is promised they are the projection of the power, and at one degree less they are not."""
    blocks = drawn(2)
    functions, weights = basis("quadrature", (power + 1) * L), np.asarray(so3_quadrature((power + 1) * L)[1])
    values = flat(blocks) @ functions.T
    expected = (values**power * weights) @ functions
    raised = lambda x: x**power
    for degree, exact in (((power + 1) * L, True), ((power + 1) * L - 1, False)):
        layer = so3_activation(L, 1, raised, degree)
        found = layer.apply({}, so3.from_blocks(tuple(x[:, None] for x in blocks)))
        error = np.abs(flat(x[:, 0] for x in so3.to_blocks(found, L)) - expected).max() / np.abs(expected).max()
        assert error < 1e-13 if exact else error > 1e-3


def test_squares_on_the_sphere_are_exact():
    """``Y_1[1]^2 = 3 y^2 = 1 + 2 (3 y^2 - 1) / 2``, whose second part is ``2 / sqrt 5`` of Y_2[2]."""
    layer = sphere_activation(2, 1, jnp.square)
    x = jnp.zeros(9).at[2].set(1.0)  # degree 1, the component of y
    expected = np.zeros(9)
    expected[0], expected[6] = 1, 2 / 5**0.5
    assert np.abs(layer.apply({}, x) - expected).max() < 1e-13


@pytest.mark.parametrize(("degree", "expected"), [(12, 0.21), (19, 0.037), (39, 0.004)])
def test_relu_is_off_by_what_the_field_reports(degree, expected):
    layer = so3_activation(6, 1, jax.nn.relu, degree)
    x = jax.random.normal(jax.random.key(4), (4, 455))
    act = functools.partial(layer.rep_in.act, jnp.asarray(ROTATIONS[:4]))
    error = np.linalg.norm(layer.apply({}, act(x)) - act(layer.apply({}, x))) / np.linalg.norm(layer.apply({}, x))
    assert expected / 1.4 < error < expected * 1.4


# --- densities ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", [0, 1, 2])
def test_log_density_is_that_of_the_table(level, dtype):
    blocks = drawn(3, dtype=dtype)
    logits = flat(blocks).astype(float) @ basis("grid", level).T
    shift = scipy.special.logsumexp(logits, axis=1) - np.log(logits.shape[1])
    found = so3.log_density(blocks, level)
    assert found.dtype == dtype
    budget = tolerance(dtype, 1e-12, 1e-4)
    assert np.abs(np.asarray(found) - (logits - shift[:, None])).max() < budget
    assert np.abs(np.asarray(so3.log_partition(blocks, level)) - shift).max() < budget
    assert np.abs(np.exp(np.asarray(found, float)).mean(axis=1) - 1).max() < tolerance(dtype, 1e-13, 1e-5)


def test_batch_axes():
    blocks = drawn(2, 3)
    assert so3.log_density(blocks, 0).shape == (2, 3, 72)
    assert np.allclose(so3.log_partition(blocks, 1)[1, 2], so3.log_partition(tuple(x[1, 2] for x in blocks), 1))
    assert so3.log_density(drawn(), 0).shape == (72,)


@functools.cache
def _derivatives():
    """Gradient, its derivative along a direction by jvp(grad), and grad of the sum of grad; ours and the table's."""
    table = jnp.asarray(basis("grid", 1, 2).T)

    def by_table(x):
        return jnp.sum(jax.nn.logsumexp(jnp.concatenate([b.reshape(2, -1) for b in x], axis=1) @ table, axis=1) ** 2)

    def ours(x):
        return jnp.sum((so3.log_partition(x, 1) + np.log(576)) ** 2)

    def all_of(f):
        along = lambda x: jax.jvp(jax.grad(f), (x,), (jax.tree.map(jnp.ones_like, x),))[1]
        sums = lambda x: sum(map(jnp.sum, jax.grad(f)(x)))
        return jax.jit(lambda x: (jax.grad(f)(x), along(x), jax.grad(sums)(x)))

    return all_of(ours), all_of(by_table)


@pytest.mark.parametrize("size", [0.3, 30.0])
def test_derivatives_of_the_log_partition(size):
    blocks = drawn(2, l_max=2, size=size)
    for found, expected in zip(*(f(blocks) for f in _derivatives()), strict=True):
        scale = max(np.abs(x).max() for x in expected)
        assert max(np.abs(x - y).max() for x, y in zip(found, expected, strict=True)) < 1e-11 * scale


@pytest.mark.parametrize("dtype", DTYPES)
def test_logits_of_ten_thousand(dtype):
    blocks = drawn(2, size=1e4 / 15, dtype=dtype)
    value, slopes = jax.value_and_grad(lambda x: jnp.sum(so3.log_partition(x, 2)))(blocks)
    logits = flat(blocks).astype(float) @ basis("grid", 2).T
    assert 1e4 < np.abs(logits).max() < 1e5
    expected = (scipy.special.logsumexp(logits, axis=1) - np.log(4608)).sum()
    assert abs(float(value) - expected) < tolerance(dtype, 1e-12, 1e-6) * abs(expected)
    assert all(np.isfinite(slope).all() for slope in slopes)
    assert abs(float(slopes[0].sum()) - 2) < 1e-5  # the constant has slope one
    assert np.isfinite(so3.log_density(blocks, 1)).all()


def test_the_log_partition_keeps_no_logits():
    """Forward and backward for 16 signals at level 3: the logits alone would be 2.4 MB in float32."""
    blocks = drawn(16, dtype=np.float32)
    for f in (lambda x: jnp.sum(so3.log_partition(x, 3)), jax.grad(lambda x: jnp.sum(so3.log_partition(x, 3)))):
        assert jax.jit(f).lower(blocks).compile().memory_analysis().temp_size_in_bytes < 2.4e6 + 1e6


def test_nan_stays():
    blocks = drawn(2)
    spoilt = (blocks[0].at[1, 0, 0].set(np.nan), *blocks[1:])
    assert np.isnan(so3.log_partition(spoilt, 1)).tolist() == [False, True]


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform_likelihood(dtype):
    zero = tuple(jnp.zeros_like(x) for x in drawn(2, dtype=dtype))
    r = jnp.asarray(ROTATIONS[:2], dtype)
    uniform = -2 * np.log(np.pi)
    for metric in (so3.log_likelihood, so3.nearest_log_likelihood):
        found = metric(zero, r, 1)
        assert found.dtype == dtype
        assert np.abs(np.asarray(found, float) - uniform).max() < 3e-7
    assert np.abs(so3.log_density(zero, 1)).max() < tolerance(dtype, 1e-14, 1e-6)


def test_likelihoods():
    """Exact at the rotation itself; the field's at the nearest of the grid, and never above the grid's ceiling."""
    blocks, r = drawn(4), ROTATIONS[:4]
    logits, grid = flat(blocks) @ basis("grid", 2).T, np.asarray(so3_grid(2))
    shift = scipy.special.logsumexp(logits, axis=1)
    exact = np.sum(flat(blocks) * at(r), axis=1) - shift + np.log(4608) - 2 * np.log(np.pi)
    assert np.abs(so3.log_likelihood(blocks, jnp.asarray(r), 2) - exact).max() < 1e-12
    nearest = np.argmax(np.einsum("rij,gij->rg", r, grid), axis=1)
    expected = np.log(np.exp(logits[np.arange(4), nearest] - shift) * 4608 / np.pi**2)
    assert np.abs(so3.nearest_log_likelihood(blocks, jnp.asarray(r), 2) - expected).max() < 1e-12
    sharp = tuple(1e4 * x[0] for x in peak(grid[100:101]))
    ceiling = np.log(4608 / np.pi**2)
    assert abs(float(so3.nearest_log_likelihood(sharp, jnp.asarray(grid[100]), 2)) - ceiling) < 1e-9
    average = so3.log_likelihood(tuple(x[:, None] for x in blocks), jnp.asarray(ROTATIONS[None, :5]), 2)
    assert average.shape == (4, 5)  # equivalent labels


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", [0, 1, 2])
def test_nearest_rotation(level, dtype):
    """As good as the best of the whole grid, at poles and half turns too, where two may be equally near."""
    grid = np.asarray(so3_grid(level))
    every = np.concatenate([ROTATIONS, Rotation.random(400, random_state=2).as_matrix(), grid[:: 8**level]])
    index = np.asarray(jax.jit(so3.nearest_rotation, static_argnums=1)(jnp.asarray(every, dtype), level))
    traces = np.einsum("rij,gij->rg", every, grid)
    assert np.abs(traces[np.arange(len(every)), index] - traces.max(axis=1)).max() < tolerance(dtype, 1e-13, 2e-6)
    assert (index[-len(grid[:: 8**level]) :] == np.arange(len(grid))[:: 8**level]).all()


def test_nearest_rotation_at_a_fine_level():
    """One of two million: its distance is that of a search through its neighbourhood only."""
    r = jnp.asarray(ROTATIONS[:30])
    found = so3._grid_rotation(so3.nearest_rotation(r, 5), 5, float)
    assert np.degrees(so3.geodesic_distance(found, r)).max() < 70 / 2**5


def test_geodesic_distance():
    turn = lambda angle: Rotation.from_rotvec(np.multiply.outer(angle, [0.6, 0.0, 0.8])).as_matrix()
    angles = np.array([0.0, 1e-9, 1e-3, 1.0, 3.0, np.pi - 1e-6, np.pi])
    for dtype in DTYPES:
        left = jnp.asarray(ROTATIONS[0], dtype)
        found = so3.geodesic_distance(left, jnp.asarray(ROTATIONS[0] @ turn(angles), dtype))
        assert found.dtype == dtype
        assert np.abs(np.asarray(found) - angles).max() < tolerance(dtype, 3e-14, 1e-6)
    slope = jax.grad(lambda r: so3.geodesic_distance(r, jnp.eye(3)))(jnp.eye(3))
    assert np.isfinite(slope).all()


# --- what a density says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "budget"), [(np.float32, 2e-6), (np.float64, 1e-9)])
def test_mode_finds_a_peak_off_the_grid(dtype, budget):
    r = ROTATIONS[np.r_[0:3, 40, 43]]
    blocks = peak(r, dtype=dtype)
    found, density = so3.mode(blocks, 2)
    assert found.dtype == density.dtype == dtype
    assert float(so3.geodesic_distance(found, jnp.asarray(r, dtype)).max()) < budget
    best = so3.evaluate(blocks, jnp.asarray(r, dtype)) - so3.log_partition(blocks, 2)
    assert np.abs(density - best).max() < tolerance(dtype, 1e-12, 1e-4)


def test_mode_of_random_signals_is_a_critical_point_above_the_grid():
    blocks = drawn(5)
    r, density = so3.mode(blocks, 2)
    assert (density >= so3.log_density(blocks, 2).max(axis=1)).all()
    slope = jax.grad(lambda w: jnp.sum(so3.evaluate(blocks, SO3.compose(r, SO3.exp(w)))))(jnp.zeros((5, 3)))
    assert np.abs(slope).max() < 1e-10


def test_mode_of_a_uniform_density():
    r, density = so3.mode(tuple(jnp.zeros_like(x) for x in drawn(5)), 2)
    assert np.abs(np.einsum("nij,nik->njk", r, r) - np.eye(3)).max() < 1e-14
    assert np.abs(density).max() < 1e-14


def test_gradient_of_the_density_at_the_mode():
    """The rotation moves with the signal, but that does not count: the slope of the logit is zero there."""
    blocks = drawn(5)
    value = lambda t: jnp.sum(so3.mode((blocks[0], blocks[1] + t, *blocks[2:]), 2)[1])
    numeric = (value(1e-5) - value(-1e-5)) / 2e-5
    assert abs(jax.grad(value)(0.0) - numeric) < 1e-7 * abs(numeric)


def cells(rotations, level):
    """In which cell of the grid rotations are: the ring by its share of the height, then the pixel, then gamma."""
    n = 2**level
    ring = np.arange(1, 4 * n)
    count = 4 * np.minimum(np.minimum(ring, 4 * n - ring), n)
    first = np.where((np.minimum(ring, 4 * n - ring) < n) | ((ring + n) % 2 == 0), 0.5, 0.0)
    height = (1 - rotations[:, 1, 1]) / 2 * count.sum()
    at = np.searchsorted(np.cumsum(count), height)
    a, c = np.arctan2(rotations[:, 0, 1], rotations[:, 2, 1]), np.arctan2(rotations[:, 1, 0], -rotations[:, 1, 2])
    along = np.round(a / (2 * np.pi) * count[at] - first[at]).astype(int) % count[at]
    gamma = np.round(c / (2 * np.pi) * 6 * n).astype(int) % (6 * n)
    return ((np.cumsum(count) - count)[at] + along) * 6 * n + gamma


def test_cells_of_the_grid_contain_its_rotations():
    grid = np.asarray(so3_grid(2))
    assert (cells(grid, 2) == np.arange(len(grid))).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_samples_follow_the_density(dtype):
    """Counts in the 576 cells by a chi-square of 5 sigma; inside the cells, and for no density at all, moments."""
    n, blocks = 20_000, drawn(2, size=0.2, dtype=dtype)
    drawn_rotations = so3.sample(jax.random.key(0), blocks, n, 1)
    assert drawn_rotations.dtype == dtype
    rotations = np.asarray(drawn_rotations, float)
    assert np.abs(np.einsum("snij,snik->snjk", rotations, rotations) - np.eye(3)).max() < 1e-5
    expected = n * np.exp(np.asarray(so3.log_density(blocks, 1), float)) / 576
    for r, mean in zip(rotations, expected, strict=True):
        counts = np.bincount(cells(r, 1), minlength=576)
        chi = np.sum((counts - mean) ** 2 / mean)
        assert abs(chi - 575) < 5 * (2 * 575 + np.sum(1 / mean)) ** 0.5
    zero = tuple(jnp.zeros_like(x) for x in blocks)
    moments = at(np.asarray(so3.sample(jax.random.key(1), zero, n, 0)[0], float), 2)[:, 1:]
    assert np.abs(moments.mean(axis=0)).max() < 5 * n**-0.5  # of mean square one, and zero on SO(3)


def test_spread():
    """Uniform on SO(3) the mean angle is ``pi / 2 + 2 / pi``; for the rest the whole grid is summed."""
    zero = tuple(jnp.zeros_like(x) for x in drawn(1))
    assert abs(float(so3.spread(zero, jnp.asarray(ROTATIONS[:1, None]), 2)[0]) - np.pi / 2 - 2 / np.pi) < 2e-3
    blocks, answers = drawn(2), ROTATIONS[:6].reshape(2, 3, 3, 3)
    traces = np.einsum("gij,bsij->bgs", np.asarray(so3_grid(1)), answers).max(axis=-1)
    density = np.exp(np.asarray(so3.log_density(blocks, 1)))
    expected = np.mean(density * np.arccos((traces - 1) / 2), axis=1)
    assert np.abs(so3.spread(blocks, jnp.asarray(answers), 1) - expected).max() < 1e-12
    slopes = jax.grad(lambda x: jnp.sum(so3.spread(x, jnp.asarray(answers), 1)))(blocks)
    assert all(np.isfinite(slope).all() for slope in slopes)
    assert so3.spread(tuple(x[0] for x in blocks), jnp.asarray(answers[0]), 1).shape == ()


def test_what_is_no_rotation_is_nan_inside_jit():
    blocks = drawn(2)
    r = jnp.stack([jnp.eye(3), -jnp.eye(3)])
    found = jax.jit(lambda x, r: (so3.evaluate(x, r), so3.log_likelihood(x, r, 0), so3.geodesic_distance(r, r)))(
        blocks, r
    )
    assert all(np.isnan(f).tolist() == [False, True] for f in found[:2])
