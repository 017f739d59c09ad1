"""Irreps against Wigner's sum in 50 digits, scipy's spherical harmonics and rotations, e3nn, and closed forms."""

import dataclasses
import functools

import e3nn_jax as e3nn
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg
import scipy.special
from scipy.spatial.transform import Rotation

from equiv import laws
from equiv.groups import inclusion, o, so
from equiv.reps import algebra, character, generators, intertwiners, irreps, restrict, scalar, standard
from equiv.reps.irreps import branching, is_rotation, o2, o3, polar_axis, rotation_matrix, so2, so3, wigner_d

DTYPES = [np.float32, np.float64]
L, N = 12, 48
"""Highest degree, and the one batch size for which it is compiled."""
SO3 = so(3)
RANDOM = Rotation.random(N, random_state=0)


@functools.cache
def _compiled():
    return jax.jit(lambda r: irreps.wigner_blocks(L, r))


def blocks(r):
    """All degrees for at most N matrices, in float64; the rest of the batch is the identity."""
    r = np.asarray(r)
    padded = np.concatenate([r, np.tile(np.eye(3, dtype=r.dtype), (N - len(r), 1, 1))])
    found = [np.asarray(block)[: len(r)] for block in _compiled()(padded)]
    assert all(block.dtype == r.dtype for block in found)
    return [block.astype(np.float64) for block in found]


def about(axis, angles):
    return Rotation.from_rotvec(np.multiply.outer(angles, np.eye(3)["xyz".index(axis)])).as_matrix()


# --- Wigner's D matrices ------------------------------------------------------------------------------------------


def wigner_sum(l, alpha, beta, gamma):
    """D^l in e3nn's basis from Wigner's sum, in the precision mpmath is set to; y is the polar axis."""
    f, i = [mpmath.factorial(k) for k in range(2 * l + 1)], mpmath.mpc(0, 1)
    c = [mpmath.cos(beta / 2) ** k for k in range(2 * l + 1)]
    s = [mpmath.sin(beta / 2) ** k for k in range(2 * l + 1)]
    d = np.empty((2 * l + 1, 2 * l + 1), object)
    for m in range(-l, l + 1):
        for n in range(-l, l + 1):
            total = mpmath.mpf(0)
            for k in range(max(0, n - m), min(l + n, l - m) + 1):
                denominator = f[l + n - k] * f[k] * f[m - n + k] * f[l - m - k]
                total += (-1) ** (m - n + k) * c[2 * l - 2 * k + n - m] * s[m - n + 2 * k] / denominator
            size = mpmath.sqrt(f[l + m] * f[l - m] * f[l + n] * f[l - n])
            d[l + m, l + n] = mpmath.exp(-i * (m * alpha + n * gamma)) * size * total
    real = d.copy()
    for k in range(1, l + 1):  # cosines and sines are (-1)^k Y_k + Y_-k and ((-1)^k Y_k - Y_-k) / i, over sqrt 2
        real[l + k] = ((-1) ** k * d[l + k] + d[l - k]) / mpmath.sqrt(2)
        real[l - k] = ((-1) ** k * d[l + k] - d[l - k]) * i / mpmath.sqrt(2)
    d = real.copy()
    for k in range(1, l + 1):
        real[:, l + k] = ((-1) ** k * d[:, l + k] + d[:, l - k]) / mpmath.sqrt(2)
        real[:, l - k] = ((-1) ** k * d[:, l + k] - d[:, l - k]) / (i * mpmath.sqrt(2))
    assert all(abs(mpmath.im(entry)) < 1e-40 for entry in real.ravel())
    return np.array([[float(mpmath.re(entry)) for entry in row] for row in real])


ANGLES = {
    "two drawn ones": [(0.4, 1.3, -2.2), (2.9, 2.4, 0.7)],
    "the north pole": [(0.7, 0.0, 0.5), (0.3, 1e-8, 1.1)],
    "the south pole": [(0.7, "pi", 0.5), (0.3, "pi - 1e-8", 1.1)],
    "near the identity": [(1e-8, 1e-8, 2e-8), (0.9, 1e-4, -0.9)],
    "half and quarter turns": [("pi", 0.0, 0.0), ("pi / 2", "pi / 2", 0.0)],
}


@functools.cache
def reference(name):
    """Matrices of rotations, rounded, and D^0 ... D^12, both from 50 digits."""
    with mpmath.workdps(50):
        rotations, found = [], []
        for angles in ANGLES[name]:
            angles = [mpmath.mpf(eval(a, {"pi": mpmath.pi}) if isinstance(a, str) else a) for a in angles]
            (ca, cb, cc), (sa, sb, sc) = (list(map(f, angles)) for f in (mpmath.cos, mpmath.sin))
            turn = lambda c, s: mpmath.matrix([[c, 0, s], [0, 1, 0], [-s, 0, c]])
            tilt = mpmath.matrix([[1, 0, 0], [0, cb, -sb], [0, sb, cb]])
            rotations.append((turn(ca, sa) * tilt * turn(cc, sc)).tolist())
            found.append([wigner_sum(l, *angles) for l in (1, 2, 3, 4, 8, L)])
        return np.array(rotations, float), found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ANGLES)
def test_against_wigner_s_sum(name, dtype):
    rotations, found = reference(name)
    got = blocks(rotations.astype(dtype))
    for k, expected in enumerate(found):
        for l, block in zip((1, 2, 3, 4, 8, L), expected):
            assert np.abs(got[l][k] - block).max() <= (5e-15 if dtype == np.float64 else 1e-6)


SPECIAL = np.concatenate(
    [
        *(about(axis, [1e-8, 1e-3, np.pi, np.pi - 1e-8, np.pi / 2]) for axis in "xyz"),
        Rotation.from_rotvec([[1e-8, -1e-8, 1e-8], [np.pi / 3**0.5] * 3]).as_matrix(),
    ]
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rotations", [RANDOM.as_matrix(), SPECIAL], ids=["drawn", "special"])
def test_homomorphism(rotations, dtype):
    """The matrix of a product is the product of the matrices, and all are orthogonal."""
    exact = rotations @ np.roll(rotations, 1, axis=0)
    one, both = blocks(rotations.astype(dtype)), blocks(exact.astype(dtype))
    tolerance = 1e-13 if dtype == np.float64 else 2e-6
    for l in range(L + 1):
        assert np.abs(one[l] @ np.roll(one[l], 1, axis=0) - both[l]).max() <= tolerance
        assert np.abs(one[l] @ one[l].swapaxes(1, 2) - np.eye(2 * l + 1)).max() <= tolerance


def harmonics(l, v):
    """``P_lm(cos b) cos(m a)`` at l + m, ``P_lm(cos b) sin(m a)`` at l - m, all of one norm; by scipy."""
    v = v / np.linalg.norm(v, axis=-1, keepdims=True)
    a, b = np.arctan2(v[..., 0], v[..., 2]), np.arccos(v[..., 1])
    y = np.zeros((*v.shape[:-1], 2 * l + 1))
    y[..., l] = scipy.special.sph_harm_y(l, 0, b, a).real
    for m in range(1, l + 1):
        value = (-1) ** m * 2**0.5 * scipy.special.sph_harm_y(l, m, b, a)
        y[..., l + m], y[..., l - m] = value.real, value.imag
    return y


def test_harmonics_turn_by_it():
    """``Y(R v) = D(R) Y(v)``, which fixes order, axes and signs."""
    v = np.random.default_rng(0).normal(size=(N, 3))
    found = blocks(RANDOM.as_matrix())
    for l in range(L + 1):
        moved = harmonics(l, RANDOM.apply(v))
        np.testing.assert_allclose(np.einsum("nij,nj->ni", found[l], harmonics(l, v)), moved, atol=2e-13)
    np.testing.assert_allclose(harmonics(1, v), (3 / 4 / np.pi) ** 0.5 * v / np.linalg.norm(v, axis=1)[:, None])


def test_e3nn_agrees_from_angles():
    """To l = 11, where its tables end."""
    angles = RANDOM.as_euler("YXY")
    with jax.numpy_dtype_promotion("standard"):
        theirs = jax.jit(lambda a, b, c: [e3nn.Irrep(l, 1).D_from_angles(a, b, c) for l in range(12)])(*angles.T)
    for block, expected in zip(blocks(RANDOM.as_matrix()), theirs):
        assert np.abs(block - np.asarray(expected)).max() <= 1e-13


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_matrix_a_quaternion_and_angles(dtype):
    """Against scipy, which writes quaternions with the real part last."""
    q, angles = np.roll(RANDOM.as_quat(), 1, axis=1).astype(dtype), RANDOM.as_euler("YXY").T.astype(dtype)

    @jax.jit
    def matrices(q, angles):
        return rotation_matrix(q), rotation_matrix(-q), rotation_matrix(tuple(angles)), rotation_matrix(q * 1.0001)

    for got in map(np.asarray, matrices(q, angles)):
        assert got.dtype == dtype
        assert np.abs(got - RANDOM.as_matrix()).max() <= 6 * np.finfo(dtype).eps
    r = RANDOM.as_matrix().astype(dtype)
    np.testing.assert_array_equal(rotation_matrix(r), r)
    by_matrix = blocks(r)[3]
    for rotation in (q, tuple(angles)):
        found = np.asarray(wigner_d(3, rotation))
        assert found.dtype == dtype
        assert np.abs(found - by_matrix).max() <= 30 * np.finfo(dtype).eps


def test_angles_at_the_poles():
    """Only the sum of the other two angles counts at the north pole, their difference at the south pole."""
    north = [wigner_d(4, (a, 0.0, 1.0 - a)) for a in (0.0, 0.3, 0.6)]
    south = [wigner_d(4, (a, np.pi, a - 1.0)) for a in (0.0, 0.3, 0.6)]
    for same in (north, south):
        np.testing.assert_allclose(same[1], same[0], atol=1e-14)
        np.testing.assert_allclose(same[2], same[0], atol=1e-14)


def test_layouts_and_empty_batches():
    r = RANDOM.as_matrix()[:6].reshape(2, 3, 3, 3)
    every = irreps.wigner_blocks(3, r)
    last = irreps.wigner_blocks(3, r, batch_last=True)
    for l in range(4):
        assert every[l].shape == (2, 3, 2 * l + 1, 2 * l + 1)
        np.testing.assert_allclose(np.moveaxis(np.asarray(last[l]), (0, 1), (2, 3)), every[l], atol=1e-15)
    mapped = jax.jit(jax.vmap(jax.vmap(functools.partial(wigner_d, 3))))(r)
    np.testing.assert_allclose(mapped, every[3], atol=1e-15)
    assert wigner_d(3, np.zeros((0, 3, 3))).shape == (0, 7, 7)
    assert [block.shape for block in irreps.wigner_blocks(0, np.eye(3))] == [(1, 1)]
    np.testing.assert_array_equal(every[0], np.ones((2, 3, 1, 1)))
    np.testing.assert_array_equal(every[1], r)


def test_half_precision():
    r = jnp.asarray(RANDOM.as_matrix(), jnp.bfloat16)
    found = wigner_d(3, r)
    assert found.dtype == jnp.bfloat16
    assert np.abs(np.asarray(found, float) - blocks(RANDOM.as_matrix())[3]).max() < 0.05


# --- derivatives --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_derivatives_at_the_identity_and_of_second_order(dtype):
    """``D(exp x)`` is ``exp(x . X)``: its derivatives are known in closed form at 0."""
    l, y = 2, np.random.default_rng(0).normal(size=(5, 5)).astype(dtype)
    along = lambda x: jnp.sum(jnp.asarray(y) * wigner_d(l, SO3.exp(x)))

    @jax.jit
    def derivatives(x):
        return jax.grad(along)(x), jax.jacfwd(jax.grad(along))(x)

    slope, curvature = map(np.asarray, derivatives(np.zeros(3, dtype)))
    lie = algebra(so3(l))
    products = np.einsum("aij,bjk->abik", lie, lie)
    tolerance = 200 * np.finfo(dtype).eps
    np.testing.assert_allclose(slope, np.einsum("aij,ij->a", lie, y), atol=tolerance)
    expected = np.einsum("abij,ij->ab", products + products.swapaxes(0, 1), y) / 2
    np.testing.assert_allclose(curvature, expected, atol=10 * tolerance)


def test_derivatives_against_differences():
    """Through every form of rotation; at a pole, matrices and quaternions still have a derivative."""
    y = np.random.default_rng(1).normal(size=(7, 7))
    q = np.array([[1.0, 0, 0, 0], [0.0, 0.6, 0.0, 0.8], [0.5, -0.5, 0.5, 0.5]])
    unit = lambda q: q / jnp.linalg.norm(q, axis=-1, keepdims=True)
    by_quaternion = lambda q: jnp.sum(wigner_d(3, unit(q)) * jnp.asarray(y)[None])
    by_matrix = lambda q: jnp.sum(wigner_d(3, rotation_matrix(unit(q))) * jnp.asarray(y)[None])
    by_angles = lambda q: jnp.sum(wigner_d(3, (q[:, 0], q[:, 1], q[:, 2])) * jnp.asarray(y)[None])
    step = np.random.default_rng(2).normal(size=q.shape)
    for f in (by_quaternion, by_matrix, by_angles):
        slope, up, down = jax.jit(lambda q, f=f: (jax.grad(f)(q), f(q + 1e-6 * step), f(q - 1e-6 * step)))(q)
        assert float(jnp.sum(slope * step)) == pytest.approx(float(up - down) / 2e-6, rel=1e-8, abs=1e-8)


def test_what_leaves_the_rotations_does_not_count():
    r = RANDOM.as_matrix()[0]
    tangent = lambda d: jax.jit(lambda d: jax.jvp(functools.partial(wigner_d, 2), (jnp.asarray(r),), (d,))[1])(d)
    np.testing.assert_allclose(tangent(r @ np.diag([1.0, 2.0, 3.0])), np.zeros((5, 5)), atol=1e-14)


# --- representations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("l", [1, 2, 3, 6])
def test_the_lie_algebra(l):
    """Brackets and Casimir, and the exponential is D; degree 1 is the group's own."""
    lie = algebra(so3(l))
    np.testing.assert_allclose(lie, -lie.swapaxes(1, 2), atol=1e-15)
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        np.testing.assert_allclose(lie[a] @ lie[b] - lie[b] @ lie[a], lie[c], atol=1e-14)
    np.testing.assert_allclose(sum(x @ x for x in lie), -l * (l + 1) * np.eye(2 * l + 1), atol=1e-13)
    x = RANDOM.as_rotvec()[:4]
    expected = [scipy.linalg.expm(np.einsum("k,kij->ij", each, lie)) for each in x]
    np.testing.assert_allclose(blocks(Rotation.from_rotvec(x).as_matrix())[l], expected, atol=1e-14 * 10)
    np.testing.assert_allclose(irreps._lie(1), SO3.lie(), atol=1e-16)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_action_is_the_matrix(dtype):
    r = RANDOM.as_matrix()[:3].astype(dtype)
    v = np.random.default_rng(0).normal(size=(3, 7)).astype(dtype)
    matrix, moved = jax.jit(lambda r, v: (so3(3).matrix(r), so3(3).act(r, v)))(r, v)
    assert matrix.dtype == moved.dtype == dtype
    np.testing.assert_allclose(matrix, blocks(r)[3], atol=10 * np.finfo(dtype).eps)
    expected = np.einsum("nij,nj->ni", matrix, v)
    np.testing.assert_allclose(moved, expected, atol=20 * np.finfo(dtype).eps)


def test_characters():
    t = np.array([0.3, 1.7, 3.1])
    found = jax.jit(functools.partial(character, so3(2)))(about("x", t))
    np.testing.assert_allclose(found, np.sin(2.5 * t) / np.sin(t / 2), atol=1e-13)
    for l, block in enumerate(blocks(about("x", t))):
        expected = np.sin((l + 0.5) * t) / np.sin(t / 2)
        np.testing.assert_allclose(np.trace(block, axis1=1, axis2=2), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_turns_of_the_plane(dtype):
    t = np.linspace(-3, 3, 7)
    g = Rotation.from_rotvec(np.outer(t, [0, 0, 1])).as_matrix()[:, :2, :2].astype(dtype)
    mirror = np.diag([1.0, -1.0]).astype(dtype)
    for k in (1, 2, 5, 12):
        build = jax.jit(lambda g, k=k: (so2(k).matrix(g), o2(k).matrix(g @ jnp.asarray(mirror)[None])))
        turned, flipped = map(np.asarray, build(g))
        expected = np.moveaxis(np.array([[np.cos(k * t), -np.sin(k * t)], [np.sin(k * t), np.cos(k * t)]]), -1, 0)
        assert np.abs(turned - expected).max() <= 4 * k * np.finfo(dtype).eps
        assert np.abs(flipped - expected @ mirror).max() <= 4 * k * np.finfo(dtype).eps
    np.testing.assert_array_equal(algebra(so2(5))[0], [[0, -5], [5, 0]])
    assert (o2(0), so2(0)) == (scalar(o(2)), scalar(so(2)))


@pytest.mark.parametrize(("l", "parity"), [(0, -1), (1, 1), (2, 1), (2, -1)])
def test_mirrors_as_in_e3nn(l, parity):
    rep = o3(l, parity)
    r = np.concatenate([RANDOM.as_matrix()[:2], -RANDOM.as_matrix()[2:4]])
    angles = RANDOM.as_euler("YXY")[:4].T
    with jax.numpy_dtype_promotion("standard"):
        expected = e3nn.Irrep(l, parity).D_from_angles(*angles, np.array([0, 0, 1, 1]))
    matrix, steps = jax.jit(lambda r: (rep.matrix(r), rep.matrix(rep.group.generators())))(r)
    np.testing.assert_allclose(matrix, np.asarray(expected) * np.ones((4, 1, 1)), atol=1e-13)
    np.testing.assert_allclose(steps, generators(rep), atol=1e-14)


def test_a_matrix_that_acts_from_the_wrong_side_is_caught():
    two = so3(2)
    wrong = dataclasses.replace(two, one=lambda g, v: two.one(g.T, v))
    assert laws.measure_homomorphism(wrong, key=jax.random.key(0)).eps_units > 1e10
    assert laws.measure_homomorphism(two, key=jax.random.key(0)).eps_units < 15


def test_records():
    assert so3(2) is so3(2)
    assert o3(2, 1) != o3(2, -1)
    assert so3(1) is standard(SO3)
    assert (so2(1), o2(1), o3(1, -1)) == (standard(so(2)), standard(o(2)), standard(o(3)))
    assert so3(0) is scalar(SO3)
    assert so3(2).dual is so3(2)
    assert [str(rep) for rep in (so2(3), o2(0, -1), so3(2), o3(2, -1))] == [
        "so2(3)",
        "o2(0, -1)",
        "so3(2)",
        "o3(2, -1)",
    ]


# --- branching ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_restricted_to_the_polar_axis_it_falls_into_blocks(dtype):
    t = np.linspace(-3, 3, N)
    found = blocks(about("y", t).astype(dtype))
    for l in range(L + 1):
        expected = np.zeros((N, 2 * l + 1, 2 * l + 1))
        expected[:, 0, 0] = 1
        for m in range(1, l + 1):
            pair = slice(2 * m - 1, 2 * m + 1)
            turn = np.array([[np.cos(m * t), -np.sin(m * t)], [np.sin(m * t), np.cos(m * t)]])
            expected[:, pair, pair] = np.moveaxis(turn, -1, 0)
        p = branching(l)
        assert sorted(p) == list(range(2 * l + 1))
        error = np.abs(found[l][:, p][:, :, p] - expected).max()
        assert error <= (1e-12 if dtype == np.float64 else 2e-6)


def test_only_the_polar_axis():
    """Turns about z, the usual inclusion of SO(2), do not fall into the same blocks."""
    p = branching(3)
    off = lambda m: np.abs(
        m[p][:, p] - scipy.linalg.block_diag(1, *(m[p][:, p][k : k + 2, k : k + 2] for k in (1, 3, 5)))
    )
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    along = {name: f.map(jnp.asarray(turn)) for name, f in {"y": polar_axis(), "z": inclusion(so(2), SO3)}.items()}
    np.testing.assert_allclose(along["y"], about("y", [0.7])[0], atol=1e-16)
    found = dict(zip(along, blocks(np.stack(list(along.values())))[3]))
    assert off(found["y"]).max() < 1e-14
    assert off(found["z"]).max() > 0.1


def test_dimensions_over_the_reals():
    """``Hom(rho_k, Res D^l)``: 1 for k = 0, 2 for 1 <= k <= l, 0 above."""
    table = [[intertwiners.basis(so2(k), restrict(so3(l), polar_axis())).dim for l in range(6)] for k in range(6)]
    assert table == [[int(k <= l) * (2 if k else 1) for l in range(6)] for k in range(6)]


@pytest.mark.parametrize(("k", "l"), [(0, 3), (1, 1), (2, 4), (4, 4)])
def test_intertwiners_in_closed_form(k, l):
    """Rows l + k and l - k are (p, -q) and (q, p); one number at l for k = 0."""
    basis = intertwiners.basis(so2(k), restrict(so3(l), polar_axis()))
    maps = np.asarray(jax.jit(basis.matrix)()).reshape(basis.dim, 2 * l + 1, -1)
    rest = np.delete(maps, [l + k, l - k], axis=1)
    assert np.abs(rest).max(initial=0) < 1e-14
    if k:
        np.testing.assert_allclose(maps[:, l + k, 0], maps[:, l - k, 1], atol=1e-14)
        np.testing.assert_allclose(maps[:, l + k, 1], -maps[:, l - k, 0], atol=1e-14)


def test_schur_and_products():
    """One map of D^l to itself, none to another; D^2 x D^1 = D^1 + D^2 + D^3; parities multiply."""
    dims = lambda rep, others: [intertwiners.basis(rep, other).dim for other in others]
    assert dims(so3(2), map(so3, range(5))) == [0, 0, 1, 0, 0]
    assert dims(so3(2) * so3(1), map(so3, range(5))) == [0, 1, 1, 1, 0]
    assert dims(o3(2, -1) * o3(1, 1), [o3(2, 1), o3(2, -1), o3(3, -1)]) == [0, 1, 1]
    assert dims(so2(2) * so2(3), map(so2, range(6))) == [0, 2, 0, 0, 0, 2]
    assert dims(o2(2) * o2(2), [o2(0), o2(0, -1), o2(4), o2(3)]) == [1, 1, 1, 0]


# --- what is refused ------------------------------------------------------------------------------------------------

EYE = np.eye(3)
REFUSED = {
    "so3(-1)": (lambda: so3(-1), ValueError, ["degree of so3", "at least 0", "got -1"]),
    "so3(True)": (lambda: so3(True), ValueError, ["whole number", "got True"]),
    "so2(-2)": (lambda: so2(-2), ValueError, ["frequency of so2", "at least 0", "got -2"]),
    "o2(2, -1)": (lambda: o2(2, -1), ValueError, ["o2(2) has no sign", "leave it out"]),
    "o3(2, 0)": (lambda: o3(2, 0), ValueError, ["parity of o3 is 1 or -1", "got 0"]),
    "o3(-1, 1)": (lambda: o3(-1, 1), ValueError, ["degree of o3", "got -1"]),
    "branching(-1)": (lambda: branching(-1), ValueError, ["degree of branching", "got -1"]),
    "wigner_d(-1)": (lambda: wigner_d(-1, EYE), ValueError, ["degree of wigner_d", "got -1"]),
    "wigner_blocks(True)": (lambda: irreps.wigner_blocks(True, EYE), ValueError, ["whole number", "got True"]),
    "a vector": (lambda: wigner_d(2, np.ones(3)), ValueError, ["(..., 3, 3)", "(..., 4)", "tuple", "shape (3,)"]),
    "two angles": (lambda: wigner_d(2, (0.1, 0.2)), ValueError, ["tuple (alpha, beta, gamma)", "tuple of 2"]),
    "integers": (lambda: wigner_d(2, np.eye(3, dtype=int)), TypeError, ["floating-point", "int64"]),
    "two dtypes": (
        lambda: wigner_d(2, (np.float32(1), np.float64(1), np.float64(1))),
        TypeError,
        ["one dtype", "float32", "float64"],
    ),
    "a mirror": (lambda: wigner_d(2, -EYE), ValueError, ["rotation matrix", "it has determinant -1", "use o3"]),
    "a shear": (
        lambda: wigner_d(2, np.stack([EYE, EYE + 0.5 * np.eye(3, k=1)])),
        ValueError,
        ["the one at index 1 is not orthogonal", "size 0.5"],
    ),
    "NaN": (lambda: wigner_d(0, EYE * np.nan), ValueError, ["rotation matrix", "not finite"]),
    "a long quaternion": (
        lambda: rotation_matrix(np.array([0.0, 0, 3, 0])),
        ValueError,
        ["unit quaternion", "it has norm 3", "normalize"],
    ),
    "the quaternion 0": (lambda: wigner_d(1, np.zeros(4)), ValueError, ["unit quaternion", "norm 0"]),
    "an infinite angle": (lambda: wigner_d(1, (0.0, np.inf, 0.0)), ValueError, ["finite Euler angles", "not finite"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, error, words = REFUSED[name]
    with pytest.raises(error) as told:
        call()
    assert all(word in str(told.value) for word in words), str(told.value)
    assert "\n" not in str(told.value)


def test_what_is_no_rotation_is_nan_under_jit():
    """Everywhere, in every degree, and only there; the check tells which."""
    given = np.stack([EYE, -EYE, EYE * (1 + 1e-5), EYE + 0.1 * np.eye(3, k=1), EYE * np.nan, np.diag([1.0, 1, -1])])
    fine = [True, False, True, False, False, False]
    assert is_rotation(given).tolist() == fine
    for block in jax.jit(lambda r: irreps.wigner_blocks(3, r))(given):
        assert np.isfinite(block).all(axis=(1, 2)).tolist() == fine
        assert np.isnan(block).all(axis=(1, 2)).tolist() == [not each for each in fine]
    q = np.array([[1.0, 0, 0, 0], [0.0, 0, 0, 0], [1.0, 1, 0, 0], [np.inf, 0, 0, 0]])
    assert is_rotation(q).tolist() == [True, False, False, False]
    assert np.isnan(jax.jit(rotation_matrix)(q)).all(axis=(1, 2)).tolist() == [False, True, True, True]
    assert is_rotation((np.array([0.0, np.inf, 1.0]), 0.0, 0.0)).tolist() == [True, False, True]
