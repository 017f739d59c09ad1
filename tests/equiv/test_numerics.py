"""The numerics against mpmath at 50 digits and scipy, at the points where textbook formulas divide zero by zero."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg

from equiv import numerics

DTYPES = [np.float32, np.float64]
mpmath.mp.dps = 50


def eps_units(got, expected, dtype, scale=None):
    """Largest difference in machine epsilons of ``scale``, by default the rms of what is expected."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.dtype == dtype
    assert got.shape == expected.shape
    assert np.isfinite(got).all()
    error = np.abs(got.astype(np.longdouble) - expected.astype(np.longdouble))
    if scale is None:
        scale = np.sqrt(np.mean(expected.astype(np.longdouble) ** 2))
    return float(np.max(error / (np.finfo(dtype).eps * scale), initial=0.0))


def exactly(function, *arrays):
    """``function`` of mpmath numbers, entry by entry, rounded once to extended precision."""
    rows = [map(mpmath.mpf, map(float, row)) for row in zip(*arrays)]
    return np.array([np.longdouble(mpmath.nstr(function(*row), 25)) for row in rows])


# --- sqrt ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_sqrt(dtype):
    tiny, huge = np.finfo(dtype).tiny, np.finfo(dtype).max
    x = np.array([tiny, 1e-30, 1e-8, 0.1, 1, 2, 1e30, huge], dtype)
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(numerics.sqrt)))(x)
    reference, slopes = exactly(mpmath.sqrt, x), exactly(lambda t: 1 / (2 * mpmath.sqrt(t)), x)
    assert eps_units(value, reference, dtype, scale=reference) <= 1
    assert eps_units(slope, slopes, dtype, scale=slopes) <= 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_sqrt_at_zero_and_outside(dtype):
    zero = np.zeros((), dtype)

    @jax.jit
    def at_zero(t):
        forward = jax.jvp(numerics.sqrt, (t,), (jnp.ones_like(t),))[1]
        backward = jax.vjp(numerics.sqrt, t)[1](jnp.ones_like(t))[0]
        return numerics.sqrt(t), forward, backward, jax.grad(jax.grad(numerics.sqrt))(t)

    assert [float(entry) for entry in at_zero(zero)] == [0, 0, 0, 0]
    assert not np.isfinite(float(jax.grad(jnp.sqrt)(zero))), "the textbook function would do"
    outside = jax.jit(numerics.sqrt)(np.array([-1, -0.0, np.nan, np.inf], dtype))
    assert outside.dtype == dtype
    np.testing.assert_array_equal(outside, np.array([np.nan, 0, np.nan, np.inf], dtype))


# --- norm and normalize ----------------------------------------------------------------------------

LENGTHS = {np.float32: [1e-36, 1e-20, 1e-3, 1, 1e20, 1e36], np.float64: [1e-305, 1e-160, 1e-3, 1, 1e160, 1e306]}


@jax.jit
def lengths(x):
    """Value, gradient and Hessian of the norm, value and Jacobians of the direction, of each row."""
    norm, direction = numerics.norm, numerics.normalize
    return {
        "norm": norm(x),
        "gradient": jax.vmap(jax.grad(norm))(x),
        "forward": jax.vmap(jax.jacfwd(norm))(x),
        "hessian": jax.vmap(jax.jacfwd(jax.grad(norm)))(x),
        "direction": direction(x),
        "jacobian": jax.vmap(jax.jacfwd(direction))(x),
        "backward": jax.vmap(jax.jacrev(direction))(x),
    }


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("dtype", DTYPES)
def test_norm(dtype, n):
    size = np.array(LENGTHS[dtype], dtype)
    x = (np.random.default_rng(n).uniform(0.5, 1, (len(size), n)) * np.where(np.arange(n) % 2, -1, 1)).astype(dtype)
    x = x * size[:, None]
    got = lengths(x)
    wide = x.astype(np.longdouble)
    length = exactly(lambda *row: mpmath.sqrt(mpmath.fsum(c * c for c in row)), *x.T)
    unit = wide / length[:, None]
    curved = (np.eye(n) - unit[:, :, None] * unit[:, None, :]) / length[:, None, None]
    assert eps_units(got["norm"], length, dtype, scale=length) <= 4
    for name in ("gradient", "forward", "direction"):
        assert eps_units(got[name], unit, dtype, scale=1) <= 4, name
    for name in ("hessian", "jacobian", "backward"):
        assert eps_units(got[name], curved, dtype, scale=1 / length[:, None, None]) <= 16, name


@pytest.mark.parametrize("dtype", DTYPES)
def test_norm_at_the_origin(dtype):
    for name, entry in lengths(np.zeros((2, 3), dtype)).items():
        assert entry.dtype == dtype
        assert not np.asarray(entry).any(), name
    assert np.isnan(jax.grad(jnp.linalg.norm)(np.zeros(3, dtype))).all(), "the textbook function would do"


def test_norm_of_batches_and_of_nothing():
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    norm, direction = jax.jit(lambda v: (numerics.norm(v), numerics.normalize(v)))(x)
    np.testing.assert_allclose(norm, np.linalg.norm(x, axis=-1), rtol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(direction, axis=-1), np.ones((2, 3)), rtol=1e-15)
    assert numerics.norm(jnp.zeros((5, 0))).tolist() == [0] * 5
    assert numerics.norm(jnp.zeros((0, 3))).shape == (0,)
    assert np.isnan(numerics.norm(jnp.array([1.0, np.nan])))


# --- sinc and cosc ---------------------------------------------------------------------------------


def _derivative(tops, bottoms, first, order):
    """The derivative of ``first * pFq(tops; bottoms; -t / 4)`` of that order in t."""
    factor = mpmath.fprod(mpmath.rf(a, order) for a in tops) / mpmath.fprod(mpmath.rf(b, order) for b in bottoms)
    shifted = [a + order for a in tops], [b + order for b in bottoms]
    return lambda t: first * (mpmath.mpf(-1) / 4) ** order * factor * mpmath.hyper(*shifted, -t / 4)


HALVES = mpmath.mpf(3) / 2
ENTIRE = {  # as hypergeometric series: another route than the quotient, right at 0 too
    "sinc": (numerics.sinc, lambda order: _derivative([], [HALVES], 1, order)),
    "cosc": (numerics.cosc, lambda order: _derivative([1], [HALVES, 2], mpmath.mpf(1) / 2, order)),
    "sinc_gap": (numerics.sinc_gap, lambda order: _derivative([1], [2, 5 * HALVES / 3], mpmath.mpf(1) / 6, order)),
}


def test_the_reference_series():
    for t in (mpmath.mpf("0.3"), mpmath.mpf(30)):
        x = mpmath.sqrt(t)
        assert mpmath.almosteq(ENTIRE["sinc"][1](0)(t), mpmath.sin(x) / x)
        assert mpmath.almosteq(ENTIRE["cosc"][1](0)(t), (1 - mpmath.cos(x)) / t)
        assert mpmath.almosteq(ENTIRE["sinc_gap"][1](0)(t), (1 - mpmath.sin(x) / x) / t)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ENTIRE)
def test_entire_functions(name, dtype):
    """Value and three derivatives in ``t``, in epsilons of their value at 0, which is their largest."""
    function, reference = ENTIRE[name]
    t = [0, 1e-30, 1e-8, 1e-3, 0.2499, 0.25, 0.2501, 1, 8.9999, 9, 9.0001, np.pi**2, 20, 4 * np.pi**2, 1e4]
    t = np.array(t, dtype)
    orders = [function]
    for _ in range(3):
        orders.append(jax.grad(orders[-1]))
    got = jax.jit(lambda t: [jax.vmap(f)(t) for f in orders])(t)
    for order, values in enumerate(got):
        expected = exactly(reference(order), t)
        # sinc_gap starts at 1 / 6 and its closed form at 1, whose rounding counts accordingly
        allowed = [2, 4, 8, 30][order] * (2 if name == "sinc_gap" else 1)
        assert eps_units(values, expected, dtype, scale=abs(expected[0])) <= allowed, order


@pytest.mark.parametrize("name", ENTIRE)
def test_entire_functions_forward(name):
    function, reference = ENTIRE[name]
    t = np.array([0, 1e-8, 0.3, 5.0])
    slopes = jax.jit(lambda t: jax.jvp(function, (t,), (jnp.ones_like(t),))[1])(t)
    assert eps_units(slopes, exactly(reference(1), t), np.float64) <= 8


HYPERBOLIC = {
    "sinhc": (numerics.sinhc, lambda x: mpmath.sinh(x) / x),
    "log_sinhc": (numerics.log_sinhc, lambda x: mpmath.log(mpmath.sinh(x) / x)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", HYPERBOLIC)
def test_hyperbolic_functions(name, dtype):
    """Value and two derivatives in ``t = x^2``, relative to their own size; the reference by mpmath's Taylor series."""
    function, textbook = HYPERBOLIC[name]
    t = np.array([1e-8, 1e-4, 0.01, 1, 8.99, 9.01, 30, 200], dtype)
    orders = [function, jax.grad(function), jax.grad(jax.grad(function))]
    got = jax.jit(lambda t: [jax.vmap(f)(t) for f in orders])(t)
    with mpmath.workdps(80):
        series = [
            mpmath.taylor(lambda s: textbook(mpmath.sqrt(s)), mpmath.mpf(float(v)) + mpmath.mpf(10) ** -25, 2)
            for v in t
        ]
    for order, values in enumerate(got):
        expected = np.array([float(row[order] * mpmath.factorial(order)) for row in series])
        assert eps_units(values, expected, dtype, scale=np.abs(expected)) <= [20, 60, 400][order], order
    assert [float(f(jnp.zeros((), dtype))) for f in orders] == pytest.approx(
        {"sinhc": [1, 1 / 6, 1 / 60], "log_sinhc": [0, 1 / 6, -1 / 90]}[name], rel=1e-6
    )


def test_log_sinhc_does_not_overflow():
    t = np.array([1e6, 1e12], np.float32)
    np.testing.assert_allclose(jax.jit(numerics.log_sinhc)(t), np.sqrt(t) - np.log(2 * np.sqrt(t)), rtol=1e-6)
    assert np.isnan(numerics.log_sinhc(jnp.array([np.nan]))).all()


# --- exact steps -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_difference_of_products(dtype):
    """Against exact fractions, where most digits cancel; compiled and not, and its derivative."""
    rng = np.random.default_rng(0)
    digits = 10 if dtype == np.float32 else 25
    a, c = (rng.uniform(1, 2, 1000).astype(dtype) for _ in range(2))
    b = rng.uniform(1, 2, 1000).astype(dtype)
    d = (a * b / c * (1 + rng.normal(size=1000) * 2.0**-digits)).astype(dtype)
    exact = [
        Fraction(float(p)) * Fraction(float(q)) - Fraction(float(r)) * Fraction(float(s))
        for p, q, r, s in zip(a, b, c, d)
    ]
    exact = np.array(exact, np.float64)
    for f in (numerics.difference_of_products, jax.jit(numerics.difference_of_products)):
        got = np.asarray(f(*map(jnp.asarray, (a, b, c, d))))
        assert eps_units(got, exact, dtype, scale=np.abs(exact) + 2.0**-digits) <= 4
    plain = np.abs((a * b - c * d).astype(np.float64) - exact) / np.finfo(dtype).eps
    assert plain.max() > 1000 * np.abs(got.astype(np.float64) - exact).max(), "plain products would do"
    slopes = jax.jit(jax.vmap(jax.grad(numerics.difference_of_products, argnums=(0, 1, 2, 3))))(a, b, c, d)
    for slope, expected in zip(slopes, (b, a, -d, -c)):
        np.testing.assert_array_equal(slope, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_power_of_two(dtype):
    x = np.array([1, 1.5, -3, 0.7, 1e30, 1e-30, 0, np.nan, np.inf], dtype)
    np.testing.assert_array_equal(
        jax.jit(numerics.power_of_two)(x)[:6], 2.0 ** np.floor(np.log2(np.abs(x[:6].astype(np.float64))))
    )
    np.testing.assert_array_equal(numerics.power_of_two(jnp.asarray(x))[6:], 1)
    assert jax.grad(numerics.power_of_two)(jnp.ones((), dtype)) == 0


# --- matrix functions ------------------------------------------------------------------------------


def turn(*angles):
    """Rotations in separate planes."""
    return scipy.linalg.block_diag(*([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles))


def _matrices():
    rng = np.random.default_rng(5)
    skew = rng.normal(size=(4, 4))
    base = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    return {
        "identity": np.eye(4),
        "near the identity": np.eye(4) + 1e-7 * rng.normal(size=(4, 4)),
        "repeated positive": 2 * np.eye(4),
        "symmetric, repeated eigenvalues": base @ np.diag([1, 1, 3, 3]) @ base.T,
        "one Jordan block": np.eye(4) + np.eye(4, k=1),
        "rotation": scipy.linalg.expm((skew - skew.T) / 2),
        "equal planes": base @ turn(1.2, 1.2) @ base.T,
        "near angle pi": base @ turn(np.pi - 0.05, 0.3) @ base.T,
        "not normal": np.diag([1.0, 0.5, 2, 3]) + np.triu(rng.normal(size=(4, 4)), 1),
        "badly scaled": np.diag([1e-6, 1e-2, 1e2, 1e6]),
    }


MATRICES = _matrices()


@jax.jit
def logarithms(a, e):
    """``log a`` and its derivative along ``e``, forward and as seen by the backward mode, of a stack."""
    value, forward = jax.jvp(numerics.logm, (a,), (e,))
    return value, forward, jax.vjp(numerics.logm, a)[1](e)[0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_logm(dtype):
    """Against scipy; the derivative against the equation that scipy's derivative of exp gives."""
    along = np.random.default_rng(1).normal(size=(4, 4)).astype(dtype).astype(np.float64)
    names, stack = list(MATRICES), np.stack(list(MATRICES.values())).astype(dtype)
    value, forward, backward = logarithms(stack, np.broadcast_to(along, stack.shape).astype(dtype))
    for k, name in enumerate(names):
        a = stack[k].astype(np.float64)
        expected = scipy.linalg.logm(a)
        linear = np.stack([scipy.linalg.expm_frechet(expected, e.reshape(4, 4))[1].ravel() for e in np.eye(16)], axis=1)
        slope = np.linalg.solve(linear, along.ravel()).reshape(4, 4)
        transposed = np.linalg.solve(linear.T, along.ravel()).reshape(4, 4)
        worth = np.linalg.norm(np.linalg.inv(linear), 2) * np.linalg.norm(a, 2)  # how far rounding a moves log a
        floor = max(1.0, np.abs(expected).max())
        assert eps_units(value[k], expected, dtype, scale=floor * worth) <= 100, name
        assert eps_units(forward[k], slope, dtype, scale=np.abs(slope).max() * worth) <= 100, name
        assert eps_units(backward[k], transposed, dtype, scale=np.abs(transposed).max() * worth) <= 100, name


def test_logm_has_no_value_on_the_negative_axis():
    none = [np.diag([1.0, -1, 1, 1]), -np.eye(4), turn(np.pi, 0.1), np.diag([1.0, 0, 1, 1]), np.full((4, 4), np.nan)]
    values = np.asarray(logarithms(np.stack(none), np.zeros((5, 4, 4)))[0])
    assert np.isnan(values).all(axis=(1, 2)).tolist() == [True] * 5


@pytest.mark.parametrize("dtype", DTYPES)
def test_logm_to_second_order_at_the_identity(dtype):
    """``log(1 + t E) = t E - t^2 E^2 / 2 + ...``; a diagonalisation gives NaN here."""
    e = np.random.default_rng(2).normal(size=(3, 3)).astype(dtype)
    path = lambda t: numerics.logm(jnp.eye(3, dtype=dtype) + t * e)
    first, second = jax.jit(lambda t: (jax.jacfwd(path)(t), jax.jacfwd(jax.jacfwd(path))(t)))(np.zeros((), dtype))
    wide = e.astype(np.float64)
    assert eps_units(first, wide, dtype) <= 50
    assert eps_units(second, -wide @ wide, dtype) <= 200
    by_eigenvectors = lambda t: jnp.linalg.eigh(jnp.eye(3) + t * (wide + wide.T))[1]
    assert not np.isfinite(jax.jacfwd(by_eigenvectors)(0.0)).all(), "diagonalising would do"


@pytest.mark.parametrize("dtype", DTYPES)
def test_expm(dtype):
    rng = np.random.default_rng(3)
    skew = rng.normal(size=(4, 4))
    cases = [np.zeros((4, 4)), np.eye(4, k=1), rng.normal(size=(4, 4)), 1e-8 * skew, np.diag([-10.0, 0, 1, 10])]
    cases = np.stack(cases + [factor * (skew - skew.T) for factor in (1, 3, 8, 100)])
    cases = cases.astype(dtype)
    along = np.broadcast_to(rng.normal(size=(4, 4)), cases.shape).astype(dtype)
    value, slope = jax.jit(lambda a, e: jax.jvp(numerics.expm, (a,), (e,)))(cases, along)
    for k, a in enumerate(cases.astype(np.float64)):
        expected, slopes = scipy.linalg.expm_frechet(a, along[k].astype(np.float64))
        worth = 1 + np.linalg.norm(a, 2)
        assert eps_units(value[k], expected, dtype) <= 10 * worth, k
        assert eps_units(slope[k], slopes, dtype) <= 10 * worth, k


@pytest.mark.parametrize("dtype", DTYPES)
def test_logm_keeps_its_digits_near_the_identity(dtype):
    """Relative to the size of the logarithm, whatever it is; taking 1 from a root close to 1 loses 1e5 epsilons."""
    rng = np.random.default_rng(4)
    x = [size * rng.normal(size=(4, 4)) / 4 for size in (1e-3, 1e-2, 0.1, 1)]
    a = np.array([np.array(mpmath.expm(mpmath.matrix(m.tolist())).tolist(), float) for m in x]).astype(dtype)
    expected = [mpmath.logm(mpmath.matrix(m.tolist())).apply(mpmath.re) for m in a.astype(np.float64)]
    got = logarithms(a, np.zeros_like(a))[0]
    for k, log in enumerate(expected):
        assert eps_units(got[k], np.array(log.tolist(), float), dtype) <= 30, k


TURNS = {
    "none": (0, 0),
    "tiny": (1e-8, 1e-9),
    "equal": (1.2, 1.2),
    "large": (3, 1),
    "one near pi": (np.pi - 1e-3, 0.3),
    "one nearer pi": (np.pi - 1e-4, 0),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [4, 5])
def test_rotation_log(n, dtype):
    """Up to half turns, where the general logarithm has lost most of its digits."""
    rng = np.random.default_rng(n)
    skew = []
    for angles in TURNS.values():
        plane = scipy.linalg.block_diag(*([[0, -a], [a, 0]] for a in angles), np.zeros((n - 4, n - 4)))
        q = np.linalg.qr(rng.normal(size=(n, n)))[0]
        moved = q @ plane @ q.T
        skew.append((moved - moved.T) / 2)
    r = np.array([np.array(mpmath.expm(mpmath.matrix(x.tolist())).tolist(), float) for x in skew]).astype(dtype)
    got = np.asarray(jax.jit(numerics.rotation_log)(r))
    for k, (name, angles) in enumerate(TURNS.items()):
        assert eps_units(got[k], skew[k], dtype, scale=max(1e-8, max(angles))) <= 30, name
    np.testing.assert_array_equal(got, -got.swapaxes(1, 2))


def test_rotation_log_has_no_value_at_half_turns_and_elsewhere():
    mirror, not_orthogonal = np.diag([1.0, 1, 1, -1]), np.diag([1.0, 2, 1, 1])
    none = [turn(np.pi, 0.3), turn(np.pi, np.pi), mirror, not_orthogonal, np.full((4, 4), np.nan)]
    assert np.isnan(jax.jit(numerics.rotation_log)(np.array(none))).all()


def test_derivatives_of_rotation_log():
    """``log exp`` is the identity along any line, at repeated angles too."""
    log = jax.jit(lambda t, x, e: numerics.rotation_log(numerics.expm(x + t * e)))
    path = jax.jit(lambda t, x, e: jax.jvp(lambda t: numerics.rotation_log(numerics.expm(x + t * e)), (t,), (1.0,))[1])
    rng = np.random.default_rng(6)
    e = rng.normal(size=(4, 4))
    e = e - e.T
    for angles in ((0, 0), (1.2, 1.2), (2.0, 0.3)):
        x = scipy.linalg.block_diag(*([[0.0, -a], [a, 0.0]] for a in angles))
        np.testing.assert_allclose(log(0.01, x, e), x + 0.01 * e, atol=1e-13)
        np.testing.assert_allclose(path(0.0, x, e), e, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [3, 4])
def test_decompositions_of_many_small_matrices(n, dtype):
    """Singular values and eigenvalues are numpy's, the factors orthogonal and multiplied back, from easy to 1e5."""
    rng = np.random.default_rng(n)
    q = [np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(8)]
    sizes = [
        np.ones(n),
        np.geomspace(1, 1e-5, n),
        np.array([1.0] * (n - 1) + [1e-4]),
        np.array([1.0] + [1e-3] * (n - 1)),
    ]
    a = np.array([q[2 * k] @ np.diag(s) @ q[2 * k + 1] for k, s in enumerate(sizes)]).astype(dtype)
    u, s, v = (np.asarray(part, np.float64) for part in jax.jit(numerics.svd)(a))
    eps, eye = np.finfo(dtype).eps, np.tile(np.eye(n), (len(a), 1, 1))
    np.testing.assert_allclose(np.sort(s), np.sort(np.linalg.svd(a.astype(np.float64))[1]), atol=10 * eps)
    np.testing.assert_allclose(u * s[:, None, :] @ v.swapaxes(1, 2), a, atol=20 * eps)
    for factor in (u, v):
        np.testing.assert_allclose(factor.swapaxes(1, 2) @ factor, eye, atol=20 * eps)
    symmetric = (a + a.swapaxes(1, 2)) / 2
    values, vectors = (np.asarray(part, np.float64) for part in jax.jit(numerics.eigh)(symmetric))
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(symmetric.astype(np.float64)), atol=10 * eps)
    np.testing.assert_allclose(vectors.swapaxes(1, 2) @ vectors, eye, atol=20 * eps)
    np.testing.assert_allclose(vectors * values[:, None, :] @ vectors.swapaxes(1, 2), symmetric, atol=20 * eps)
    assert not np.asarray(jax.jit(jax.jacfwd(lambda a: numerics.svd(a)[1]))(a[0])).any(), "constants for derivatives"


def test_sylvester():
    """The equation, and its derivatives in both arguments, mixed ones in both modes."""
    rng = np.random.default_rng(8)
    p, c, dp, dc = rng.normal(size=(4, 3, 3))
    p, dp = p @ p.T + np.eye(3), dp + dp.T

    def solve(p, c):
        s, u = numerics.eigh(p)
        return numerics.sylvester(p, u, s, c)

    theirs = lambda p, c: scipy.linalg.solve_sylvester(p, p, c)
    forward = jax.jit(lambda t: jax.jvp(lambda t: solve(p + t * dp, c + t * dc), (t,), (1.0,))[1])
    mixed = jax.jit(lambda t: jax.grad(lambda c: jnp.sum(solve(p + t * dp, c)[0, 1]))(c))
    np.testing.assert_allclose(solve(jnp.asarray(p), jnp.asarray(c)), theirs(p, c), atol=1e-12)
    h = 1e-4
    expected = (theirs(p + h * dp, c + h * dc) - theirs(p - h * dp, c - h * dc)) / (2 * h)
    np.testing.assert_allclose(forward(0.0), expected, atol=1e-7)
    backward = jax.jit(lambda t: jax.jvp(mixed, (t,), (1.0,))[1])
    np.testing.assert_allclose(backward(0.0), (mixed(h) - mixed(-h)) / (2 * h), atol=1e-7)


def test_expm_of_too_much_is_nan():
    a = np.array([[0.0, -1], [1, 0]]) * np.array([2.0**17, 2.0**18, np.nan])[:, None, None]
    assert np.isnan(jax.jit(numerics.expm)(a)).all(axis=(1, 2)).tolist() == [False, True, True]


def test_matrix_functions_take_any_batch():
    shapes = jax.eval_shape(numerics.logm, jnp.zeros((2, 0, 3, 3)))
    assert shapes.shape == (2, 0, 3, 3)
    a = np.stack(list(MATRICES.values())[:6]).reshape(2, 3, 4, 4)
    batched, one_by_one = jax.jit(lambda a: (numerics.expm(a), jax.vmap(jax.vmap(jax.scipy.linalg.expm))(a)))(a)
    np.testing.assert_allclose(batched, one_by_one, rtol=1e-14)
    assert numerics.expm(jnp.zeros((2, 0, 3, 3))).shape == (2, 0, 3, 3)


# --- precision contexts ----------------------------------------------------------------------------


def test_float64_leaves_no_trace():
    with jax.enable_x64(False), jax.default_matmul_precision(None):
        with numerics.float64():
            assert jnp.ones(1).dtype == np.float64
            assert jax.config.jax_default_matmul_precision == "highest"
        assert jnp.ones(1).dtype == np.float32
        assert jax.config.jax_default_matmul_precision is None
        with pytest.raises(KeyError), numerics.float64():
            raise KeyError
        assert jnp.ones(1).dtype == np.float32


def test_constants_are_values_inside_a_trace():
    with jax.enable_x64(False):

        @jax.jit
        def traced(x):
            with numerics.constants():
                third = jnp.ones(3) / 3
                assert third.dtype == np.float64
                exact = float(jnp.sum(third[:1]))  # a number, not a tracer
            assert exact == 1 / 3
            return x * exact

        assert traced(np.float32(3)) == 1
        assert traced(np.float32(3)).dtype == np.float32
