"""Decompositions against mpmath at 50 digits, scipy and finite differences; the Haar density against Jacobians."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg

from equiv.groups import decompositions as d
from equiv.groups import gl_plus, sl, so
from equiv.groups.matrices import skew_basis

DTYPES = [np.float32, np.float64]
SIZES = [2, 3, 4]
mpmath.mp.dps = 50


def rotation(rng, n, angle=None):
    """A rotation, drawn; or one whose largest angle is given."""
    w = rng.normal(size=(n, n))
    w = w - w.T
    return scipy.linalg.expm(w if angle is None else w * (angle / np.abs(np.linalg.eigvals(w)).max()))


def stretch(rng, values):
    q = rotation(rng, len(values))
    return q @ np.diag(values) @ q.T


def spaced(n, condition):
    return np.geomspace(condition**0.5, condition**-0.5, n)


@functools.cache
def matrices(n, condition, count=20):
    """Of determinant 1, with this ratio of the largest to the smallest singular value."""
    rng = np.random.default_rng([n, int(condition)])
    return np.array([stretch(rng, spaced(n, condition)) @ rotation(rng, n) for _ in range(count)])


@jax.jit
def everything(a):
    """All decompositions of a stack and what they multiply to."""
    p, r = d.polar(a)
    x, omega = d.cartan_log(a)
    k, diagonal, u = d.iwasawa(a)
    back, fine = d.cartan_exp(x, omega), d.positive_determinant(a)
    return {"p": p, "r": r, "x": x, "omega": omega, "back": back, "k": k, "d": diagonal, "u": u, "fine": fine}


def found(a):
    """The same for any number of matrices, 200 at a time, so that it is compiled once for each size and precision."""
    n, count = a.shape[-1], 200
    full = np.concatenate([a, np.tile(np.eye(n, dtype=a.dtype), (-len(a) % count, 1, 1))])
    parts = [jax.tree.map(np.asarray, everything(part)) for part in np.split(full, len(full) // count)]
    return {name: np.concatenate([part[name] for part in parts])[: len(a)] for name in parts[0]}


@functools.cache
def exact_log(rows):
    """``log P`` of a matrix by mpmath's eigenvectors of ``A A^T`` at 50 digits."""
    a = mpmath.matrix([list(map(float, row)) for row in rows])
    values, vectors = mpmath.eigsy(a * a.T)
    return np.array((vectors * mpmath.diag([mpmath.log(v) / 2 for v in values]) * vectors.T).tolist(), float)


def exact_logs(a):
    return np.array([exact_log(tuple(map(tuple, m))) for m in a.astype(np.float64)])


def by_eigenvectors(a):
    """The textbook route, which squares the condition number."""
    values, vectors = jnp.linalg.eigh(a @ jnp.swapaxes(a, -1, -2))
    return (vectors * jnp.log(values)[..., None, :]) @ jnp.swapaxes(vectors, -1, -2) / 2


# --- values --------------------------------------------------------------------------------------------------------

ERRORS = {  # of log P in float32: n -> condition number -> error; the rounding of A alone moves it by eps * condition
    2: {1: 3e-7, 10: 1e-6, 1e3: 1e-5, 1e4: 1e-5},
    3: {1: 1e-6, 10: 2e-6, 1e3: 5e-5, 1e4: 5e-4},
    4: {1: 4e-6, 10: 4e-6, 1e3: 1e-4, 1e4: 2e-3},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_log_of_the_stretch(n, dtype):
    """What is lost is eps times the condition number; for n = 2, where the determinant is exact, not even that."""
    a = np.concatenate([matrices(n, condition) for condition in ERRORS[n]]).astype(dtype)
    error = np.abs(found(a)["x"] - exact_logs(a)).max(axis=(1, 2)).reshape(len(ERRORS[n]), -1).max(axis=1)
    for got, (condition, allowed) in zip(error, ERRORS[n].items()):
        assert got <= allowed * np.finfo(dtype).eps / np.finfo(np.float32).eps, condition


@pytest.mark.parametrize("n", [2, 3])
def test_squaring_the_condition_number_would_not_do(n):
    a = matrices(n, 1e3).astype(np.float32)
    assert np.abs(np.asarray(by_eigenvectors(jnp.asarray(a))) - exact_logs(a)).max() > 10 * ERRORS[n][1e3]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [*SIZES, 5])
def test_polar_factors(n, dtype):
    for condition in (1, 10, 1e3, 1e4):
        a = matrices(n, condition).astype(dtype)
        got = found(a)
        p, r = got["p"].astype(np.float64), got["r"].astype(np.float64)
        assert got["p"].dtype == got["r"].dtype == dtype
        unit = np.finfo(dtype).eps * np.abs(a).max()
        theirs = [scipy.linalg.polar(m.astype(np.float64), side="left") for m in a]
        np.testing.assert_allclose(p @ r, a, rtol=0, atol=60 * unit)
        np.testing.assert_allclose(p, np.array([t[1] for t in theirs]), rtol=0, atol=60 * unit)
        np.testing.assert_allclose(
            r, np.array([t[0] for t in theirs]), rtol=0, atol=30 * np.finfo(dtype).eps * condition
        )
        np.testing.assert_allclose(p, p.swapaxes(1, 2), rtol=0, atol=2 * unit)
        np.testing.assert_allclose(
            r @ r.swapaxes(1, 2), np.tile(np.eye(n), (len(a), 1, 1)), atol=20 * np.finfo(dtype).eps
        )
        np.testing.assert_allclose(np.linalg.det(r), 1, atol=20 * np.finfo(dtype).eps)
        if condition < 1e4:
            assert (np.linalg.eigvalsh(p) > 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_cartan_is_a_chart(n, dtype):
    """Back and forth on 1000 elements; turned and inverted, it does what algebra says."""
    rng = np.random.default_rng(n)
    a = np.array([stretch(rng, np.exp(rng.normal(size=n) / 2)) @ rotation(rng, n) for _ in range(1000)]).astype(dtype)
    allowed = 1e-12 if dtype == np.float64 else 1e-5
    got = found(a)
    np.testing.assert_allclose(got["back"], a, rtol=0, atol=allowed)
    omega = got["omega"]
    assert np.abs(np.linalg.eigvals(omega)).max() > 3  # nearly half turns among them
    near = np.abs(np.linalg.eigvals(omega)).max(axis=1) < 3
    again = found(got["back"])
    for name in ("x", "omega"):
        np.testing.assert_allclose(again[name][near], got[name][near], rtol=0, atol=30 * allowed)

    some = a[near][:200].astype(np.float64)
    q = rotation(rng, n)
    got, turned, inverse = found(some), found(q @ some @ q.T), found(np.linalg.inv(some))
    for name in ("x", "omega"):
        np.testing.assert_allclose(turned[name], q @ got[name] @ q.T, atol=1e-12)
    r = got["r"]
    np.testing.assert_allclose(inverse["x"], -r.swapaxes(1, 2) @ got["x"] @ r, atol=1e-12)
    np.testing.assert_allclose(inverse["omega"], -got["omega"], atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_matrix_has_coordinates(dtype):
    """``diag(-2, -1/2)`` has no real logarithm; it is a half turn of ``diag(2, 1/2)``."""
    a = np.diag([-2.0, -0.5]).astype(dtype)
    assert np.isnan(jax.jit(gl_plus(2).log)(a)).all()
    got = found(a[None])
    np.testing.assert_allclose(got["x"][0], np.diag([np.log(2), -np.log(2)]), atol=2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(np.abs(got["omega"][0]), [[0, np.pi], [np.pi, 0]], atol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(got["back"][0], a, atol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_edges(n, dtype):
    """The identity, multiples of rotations, tiny and huge ones, condition number 1e4, a half turn: nearly exact."""
    rng = np.random.default_rng(n)
    turned = rotation(rng, n, 1.0)
    turn = np.eye(n)
    turn[:2, :2] = [[-1, 0], [0, -1]]
    a = np.array([np.eye(n), 3 * turned, 1e-25 * turned, 1e25 * turned, np.diag(spaced(n, 1e4)), 2 * turn]).astype(
        dtype
    )
    got = found(a)
    eps = np.finfo(dtype).eps
    assert got["fine"].all()
    np.testing.assert_array_equal(got["p"][0], np.eye(n))
    np.testing.assert_array_equal(got["r"][0], np.eye(n))
    np.testing.assert_array_equal(got["x"][0], 0)
    np.testing.assert_array_equal(got["omega"][0], 0)
    np.testing.assert_array_equal(d.sym_exp(jnp.zeros((n, n), dtype)), np.eye(n))
    for k, scale in ((1, 3), (2, 1e-25), (3, 1e25)):
        np.testing.assert_allclose(got["x"][k], np.log(scale) * np.eye(n), atol=4 * eps * (1 + abs(np.log(scale))))
        np.testing.assert_allclose(got["r"][k], turned, atol=8 * eps)
    np.testing.assert_allclose(got["x"][4], np.diag(np.log(spaced(n, 1e4))), atol=2e-15 if eps < 1e-10 else 1e-6)
    if n < 4:
        np.testing.assert_allclose(
            np.abs(got["omega"][5]),
            np.pi * (turn == 0) * (np.arange(n) < 2) * (np.arange(n) < 2)[:, None],
            atol=4 * eps,
        )
        np.testing.assert_allclose(got["back"][5], a[5], atol=8 * eps)
    else:
        assert np.isnan(got["omega"][5]).all()
        assert np.isfinite(got["x"][5]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_iwasawa(n, dtype):
    for condition in (10, 1e3):
        a = matrices(n, condition).astype(dtype)
        got = found(a)
        eps = np.finfo(dtype).eps
        product = got["k"].astype(np.float64) * got["d"][:, None, :] @ got["u"]
        np.testing.assert_allclose(product, a, rtol=0, atol=20 * eps * np.abs(a).max())
        np.testing.assert_array_equal(got["u"], np.triu(got["u"]))
        np.testing.assert_array_equal(np.diagonal(got["u"], axis1=1, axis2=2), 1)
        assert (got["d"] > 0).all()
        q, r = np.linalg.qr(a.astype(np.float64))
        q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
        np.testing.assert_allclose(got["k"], q, rtol=0, atol=20 * eps * condition)
        np.testing.assert_allclose(np.prod(got["d"].astype(np.float64), axis=1), 1, atol=50 * eps * condition)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_functions_of_symmetric_matrices(n, dtype):
    rng = np.random.default_rng(n)
    s = [np.eye(n), 5 * np.eye(n), stretch(rng, [3.0] + [1.0] * (n - 1))]
    s = np.array(s + [stretch(rng, rng.uniform(0.2, 5, n)) for _ in range(10)]).astype(dtype)
    s = (s + s.swapaxes(1, 2)) / 2
    root, log, exp = map(np.asarray, jax.jit(lambda s: (d.spd_sqrt(s), d.spd_log(s), d.sym_exp(s)))(s))
    eps = np.finfo(dtype).eps
    for k, m in enumerate(s.astype(np.float64)):
        for got, theirs in ((root, scipy.linalg.sqrtm), (log, scipy.linalg.logm), (exp, scipy.linalg.expm)):
            expected = theirs(m)
            if theirs is scipy.linalg.expm:  # which is 250 epsilons off
                expected = np.array(mpmath.expm(mpmath.matrix(m.tolist())).tolist(), float)
            assert got.dtype == dtype
            assert np.abs(got[k] - expected).max() <= 25 * eps * max(1, np.abs(expected).max()), (k, theirs)


# --- derivatives ---------------------------------------------------------------------------------------------------


def flat(a):
    return jnp.concatenate([part.ravel() for part in (*d.cartan_log(a), *d.polar(a))])


values = jax.jit(flat)


@jax.jit
def first(a, e):
    return jax.jvp(flat, (a,), (e,))[1]


@jax.jit
def second(a, e, f):
    return jax.jvp(lambda b: jax.jvp(flat, (b,), (e,))[1], (a,), (f,))[1]


@jax.jit
def backward(a, w, f):
    """The gradient of the sum of the results with weights w, and its derivative along f."""
    return jax.jvp(jax.grad(lambda b: jnp.sum(w * flat(b))), (a,), (f,))


def difference(f, a, e, h):
    """A derivative along e by central differences of order 6."""
    at = [np.asarray(f(jnp.asarray(a + k * h * e))) for k in (1, 2, 3)]
    below = [np.asarray(f(jnp.asarray(a - k * h * e))) for k in (1, 2, 3)]
    return sum(w * (x - y) for w, x, y in zip((45, -9, 1), at, below)) / (60 * h)


@functools.cache
def singular_points(n):
    rng = np.random.default_rng(40 + n)
    points = {
        "identity": np.eye(n),
        "a multiple of a rotation": 2 * rotation(rng, n, 0.8),
        "repeated singular values": stretch(rng, [3.0] + [1.0] * (n - 1)) @ rotation(rng, n, 0.7),
        "nearly repeated": stretch(rng, 1 + 1e-7 * np.arange(n)) @ rotation(rng, n, 0.7),
        "generic": stretch(rng, spaced(n, 10)) @ rotation(rng, n, 1.0),
        "nearly a half turn": stretch(rng, spaced(n, 3)) @ rotation(rng, n, np.pi - 1e-2),
    }
    if n == 4:
        turn = scipy.linalg.expm(np.array([[0, -1.2], [1.2, 0]]))
        points["equal planes"] = 2 * scipy.linalg.block_diag(turn, turn)
    return points


@pytest.mark.parametrize("n", SIZES)
def test_derivatives(n):
    """To second order, where singular values coincide and elsewhere."""
    rng = np.random.default_rng(n)
    e, f = rng.normal(size=(2, n, n)) / n
    for name, a in singular_points(n).items():
        h = 1e-3 if name == "nearly a half turn" else 4e-3
        one, two = first(a, e), second(a, e, f)
        np.testing.assert_allclose(one, difference(values, a, e, h), atol=1e-8, err_msg=name)
        np.testing.assert_allclose(two, difference(lambda b: first(b, e), a, f, h), atol=1e-7, err_msg=name)
        w = rng.normal(size=len(one))
        gradient, curvature = backward(a, w, f)
        np.testing.assert_allclose(np.sum(gradient * e), w @ one, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(np.sum(curvature * e), w @ two, atol=1e-11, err_msg=name)


def test_the_textbook_derivatives_would_not_do():
    for route in (by_eigenvectors, lambda a: jnp.linalg.svd(a)[0]):
        assert not np.isfinite(jax.jacfwd(route)(jnp.eye(2))).all()


@pytest.mark.parametrize("n", [2, 3])
def test_derivatives_in_single_precision(n):
    """Finite, and those of double precision to rounding."""
    for name in ("identity", "a multiple of a rotation", "repeated singular values", "generic"):
        a = singular_points(n)[name]
        single, double = (jax.jit(jax.jacrev(flat))(a.astype(dtype)) for dtype in DTYPES)
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, double, atol=2e-4 if name == "generic" else 2e-5, err_msg=name)


@pytest.mark.parametrize("n", SIZES)
def test_derivatives_of_symmetric_functions(n):
    rng = np.random.default_rng(n)
    each = lambda s: jnp.stack([d.spd_sqrt(s), d.spd_log(s), d.sym_exp(s)])
    e, f = (m + m.T for m in rng.normal(size=(2, n, n)) / n)
    one = jax.jit(lambda s: jax.jvp(each, (s,), (e,))[1])
    two = jax.jit(lambda s: jax.jvp(lambda t: jax.jvp(each, (t,), (e,))[1], (s,), (f,))[1])
    for s in (np.eye(n), stretch(rng, [3.0] + [1.0] * (n - 1)), stretch(rng, spaced(n, 5))):
        np.testing.assert_allclose(one(s), difference(jax.jit(each), s, e, 4e-3), atol=1e-8)
        np.testing.assert_allclose(two(s), difference(one, s, f, 4e-3), atol=1e-7)


# --- coordinates ---------------------------------------------------------------------------------------------------

GROUPS = {f"{build.__name__}({n})": build(n) for build in (gl_plus, sl, so) for n in (2, 3)}
GROUPS["sl(4)"] = sl(4)


@pytest.mark.parametrize("name", GROUPS)
def test_coordinates(name):
    """Orthonormal, onto the group, and back; one precision for each size."""
    group = GROUPS[name]
    n = group.shape[0]
    dtype = np.float32 if n == 2 else np.float64
    c = np.random.default_rng(0).normal(size=(50, group.dim)).astype(dtype) / 2
    a, again = jax.jit(lambda c: (lambda a: (a, d.cartan_coordinates(group, a)))(d.from_cartan_coordinates(group, c)))(
        c
    )
    allowed = 1e-12 if dtype == np.float64 else 1e-5
    assert a.dtype == again.dtype == dtype
    np.testing.assert_allclose(again, c, atol=allowed)
    x, omega = map(np.asarray, jax.jit(d.cartan_log)(a))
    angles = n * (n - 1) // 2
    flat = c[:, : group.dim - angles].astype(np.float64)
    np.testing.assert_allclose((x.astype(np.float64) ** 2).sum(axis=(1, 2)), (flat**2).sum(axis=1), atol=10 * allowed)
    np.testing.assert_allclose(omega, np.einsum("bk,kij->bij", c[:, -angles:], skew_basis(n)), atol=allowed)
    if name.startswith(("sl", "so")):
        np.testing.assert_allclose(np.linalg.det(np.asarray(a, np.float64)), 1, atol=10 * allowed)


def test_order_of_the_coordinates():
    x = np.array([[0.3, 0.2, 0.1], [0.2, -0.4, 0.5], [0.1, 0.5, 0.7]])
    root = 2**0.5
    plane = x[:2, :2]
    a = lambda x, angle=0.0: d.cartan_exp(jnp.asarray(x), angle * jnp.asarray(skew_basis(len(x))[0]))
    for group, matrix, expected in (
        (gl_plus(2), plane, [0.3, root * 0.2, -0.4, 0.9]),
        (sl(2), plane - np.trace(plane) / 2 * np.eye(2), [0.35 * root, root * 0.2, 0.9]),
        (so(2), plane, [0.9]),
        (gl_plus(3), x, [0.3, root * 0.2, root * 0.1, -0.4, root * 0.5, 0.7, 0.9, 0, 0]),
    ):
        np.testing.assert_allclose(d.cartan_coordinates(group, a(matrix, 0.9)), expected, atol=1e-14)
    np.testing.assert_allclose(d.cartan_coordinates(sl(2), a(plane)), [0.35 * root, root * 0.2, 0], atol=1e-14)


# --- density -------------------------------------------------------------------------------------------------------


def symmetric_basis(n):
    pairs = [(i, j) for i in range(n) for j in range(i, n)]
    basis = np.zeros((len(pairs), n, n))
    for k, (i, j) in enumerate(pairs):
        basis[k, i, j] = basis[k, j, i] = 1 if i == j else 2**-0.5
    return basis


def jacobian(n, x):
    """``|d A / d (X, R)|`` of ``A = exp(X) R`` at R = 1, over ``det(A)^n``, by central differences of order 8."""
    basis = np.concatenate([symmetric_basis(n), skew_basis(n)])
    h, weights = 0.02, {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    steps = np.array([s * k * h for k in weights for s in (1, -1)])
    coordinates = steps[:, None, None] * np.eye(len(basis))
    moved = np.einsum("skl,lij->skij", coordinates, basis)
    symmetric, skew = (moved + moved.swapaxes(-1, -2)) / 2, (moved - moved.swapaxes(-1, -2)) / 2
    a = np.asarray(jax.jit(d.cartan_exp)(x + symmetric, skew)).reshape(len(steps), len(basis), -1)
    slopes = np.einsum("s,skf->kf", np.array([s * w / h for w in weights.values() for s in (1, -1)]), a)
    return abs(np.linalg.det(slopes)) / np.exp(n * np.trace(x))


def points(n, count=6):
    rng = np.random.default_rng(7)
    x = np.array([stretch(rng, rng.uniform(-1.5, 1.5, n)) for _ in range(count)])
    return np.concatenate([[np.zeros((n, n)), stretch(rng, [1.0] + [0.0] * (n - 1))], x])


@pytest.mark.parametrize("n", SIZES)
def test_density(n):
    """The Jacobian is the density times ``2^(n (n - 1) / 4)``; with halves mixed up, or without density, it is not."""
    x = points(n)
    density = np.exp(np.asarray(jax.jit(d.log_haar_density)(x)))
    halves = np.exp(np.asarray(jax.jit(d.log_haar_density)(x / 2)))
    measured = np.array([jacobian(n, m) for m in x]) / 2 ** (n * (n - 1) / 4)
    error = lambda predicted: np.abs(predicted / measured - 1).max()
    assert error(density) < 1e-9
    assert error(halves) > 0.1
    assert error(np.ones(len(x))) > 0.1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_density_of_eigenvalues(n, dtype):
    """The formula itself, by mpmath; 0 at multiples of the identity; even; right where sinh overflows."""
    rng = np.random.default_rng(n)
    values = np.concatenate([rng.normal(size=(6, n)), 1e-4 * rng.normal(size=(1, n)), 100 * rng.normal(size=(1, n))])
    x = np.array([stretch(rng, v) for v in values]).astype(dtype)
    x = np.concatenate([x, -x, 3 * np.eye(n, dtype=dtype)[None]])
    got = np.asarray(jax.jit(d.log_haar_density)(x))
    assert got.dtype == dtype
    assert got[-1] == 0
    np.testing.assert_allclose(got[:8], got[8:16], rtol=1e-6 if dtype == np.float32 else 1e-13)
    for k, v in enumerate(values):
        gaps = [mpmath.mpf(v[i] - v[j]) for i in range(n) for j in range(i)]
        expected = float(mpmath.fsum(mpmath.log(mpmath.sinh(g) / g) for g in gaps))
        np.testing.assert_allclose(got[k], expected, rtol=2e-5 if dtype == np.float32 else 1e-12, err_msg=str(k))


@pytest.mark.parametrize("n", SIZES)
def test_derivatives_of_the_density(n):
    """At 0 the Hessian is that of ``(n tr X^2 - (tr X)^2) / 6``; elsewhere it is the finite difference."""
    rng = np.random.default_rng(n)
    slope = jax.jit(jax.grad(d.log_haar_density))
    curvature = jax.jit(lambda x, e: jax.jvp(jax.grad(d.log_haar_density), (x,), (e,))[1])
    e = stretch(rng, rng.normal(size=n))
    expected = (n * e - np.trace(e) * np.eye(n)) / 3
    np.testing.assert_allclose(curvature(np.zeros((n, n)), e), expected, atol=1e-12)
    np.testing.assert_array_equal(slope(np.zeros((n, n))), 0)
    density = jax.jit(d.log_haar_density)
    for x in points(n)[1:4]:
        along = difference(density, x, e, 4e-3)
        np.testing.assert_allclose(np.sum(np.asarray(slope(x)) * e), along, atol=1e-9)
        np.testing.assert_allclose(curvature(x, e), difference(slope, x, e, 4e-3), atol=1e-8)


# --- what does not decompose ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", SIZES)
def test_flagged_where_values_are_traced(n):
    """Determinant negative, zero, NaN, infinite: NaN in each result, in that matrix only, and the check says so."""
    bad = [np.diag([-1.0] + [1.0] * (n - 1)), np.diag([0.0] + [1.0] * (n - 1)), np.full((n, n), np.nan)]
    bad.append(np.diag([np.inf] + [1.0] * (n - 1)))
    a = np.array([np.eye(n), *bad, 2 * np.eye(n)])
    expected = [False, True, True, True, True, False]
    fine, *results = jax.jit(
        lambda a: (
            d.positive_determinant(a),
            *d.polar(a),
            *d.cartan_log(a),
            *d.iwasawa(a),
            d.cartan_coordinates(gl_plus(n), a),
        )
    )(a)
    assert (~np.asarray(fine)).tolist() == expected
    for result in results:
        flags = np.isnan(np.asarray(result)).reshape(len(a), -1)
        assert flags.any(axis=1).tolist() == flags.all(axis=1).tolist() or result.ndim == 3
        assert flags.any(axis=1).tolist() == expected
    definite, root, log = jax.jit(lambda a: (d.positive_definite(a), d.spd_sqrt(a), d.spd_log(a)))(a)
    assert (~np.asarray(definite)).tolist() == expected
    assert np.isnan(root).any(axis=(1, 2)).tolist() == np.isnan(log).any(axis=(1, 2)).tolist() == expected
    assert np.isnan(jax.jit(d.sym_exp)(a)).any(axis=(1, 2)).tolist()[2:4] == [False, True]
    assert np.isnan(jax.jit(d.log_haar_density)(a)).tolist()[2:4] == [False, True]
    assert np.isnan(jax.vmap(d.cartan_log)(a)[0]).any(axis=(1, 2)).tolist() == expected


def test_the_sign_of_the_determinant_is_exact():
    """In float32 ``a d - b c`` is 0 for the first and of the wrong sign for the second; the third is singular."""
    x = np.float32(1 + 2.0**-12)
    y = np.float32(1 + 2.0**-11)
    a = np.array([[[x, 1], [y, x]], [[1, x], [x, y]], [[y, x], [y, x]]], np.float32)
    assert x * x - y == 0
    assert [float(np.linalg.det(m)) > 0 for m in a.astype(np.float64)] == [True, False, False]
    assert d.positive_determinant(jnp.asarray(a)).tolist() == [True, False, False]


def test_batches_and_precisions():
    a = jnp.asarray(matrices(3, 10)[:6].reshape(2, 3, 3, 3))
    x, omega = d.cartan_log(a)
    one = jax.vmap(jax.vmap(d.cartan_log))(a)
    np.testing.assert_allclose(x, one[0], atol=1e-15)
    np.testing.assert_allclose(omega, one[1], atol=1e-15)
    assert d.cartan_exp(x, omega[0, 0]).shape == (2, 3, 3, 3)
    assert d.polar(jnp.zeros((0, 2, 2)))[0].shape == (0, 2, 2)
    half = d.cartan_log(jnp.eye(2, dtype=jnp.bfloat16) * 2)
    assert [part.dtype for part in half] == [jnp.bfloat16] * 2
    np.testing.assert_allclose(np.asarray(half[0], np.float64), np.log(2) * np.eye(2), atol=1e-2)
