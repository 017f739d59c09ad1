"""The numerics against mpmath at 50 digits and scipy, at the points where textbook formulas divide zero by zero."""

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
}


def test_the_reference_series():
    for t in (mpmath.mpf("0.3"), mpmath.mpf(30)):
        x = mpmath.sqrt(t)
        assert mpmath.almosteq(ENTIRE["sinc"][1](0)(t), mpmath.sin(x) / x)
        assert mpmath.almosteq(ENTIRE["cosc"][1](0)(t), (1 - mpmath.cos(x)) / t)


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
        assert eps_units(values, expected, dtype, scale=abs(expected[0])) <= [2, 4, 8, 30][order], order


@pytest.mark.parametrize("name", ENTIRE)
def test_entire_functions_forward(name):
    function, reference = ENTIRE[name]
    t = np.array([0, 1e-8, 0.3, 5.0])
    slopes = jax.jit(lambda t: jax.jvp(function, (t,), (jnp.ones_like(t),))[1])(t)
    assert eps_units(slopes, exactly(reference(1), t), np.float64) <= 8


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
