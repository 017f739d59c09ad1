"""Moments of rectified Gaussian variables, against integrals to 30 digits, scipy, series and finite differences."""

import functools
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats

from equiv.layers.gaussian_moments import N_NODES, arc_cosine, arc_cosine_coefficients, orthant, relu_mean, relu_moment

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["float32", "float64"])
TRIPLES = [
    (0.3, -0.7, 0.5),
    (1.0, 0.9, 0.999),
    (0.2, 0.2, 0.99999),
    (-3.0, 2.0, -0.9),
    (2.0, -5.0, 0.9),
    (-1.0, -1.0, -0.99),
    (0.0, 0.0, 0.3),
    (12.0, -0.5, 0.1),
    (5.0, 5.01, 1 - 1e-9),
    (-0.4, 0.4, -1 + 1e-9),
]


@functools.cache
def exact(a, b, rho):
    """``E (a + U)_+ (b + V)_+`` as a single integral over U, to 30 digits."""
    with mpmath.workdps(30):
        a, b, rho = map(mpmath.mpf, (a, b, rho))
        s = mpmath.sqrt((1 - rho) * (1 + rho))
        inner = lambda m: m * mpmath.ncdf(m / s) + s * mpmath.npdf(m / s) if s else max(m, mpmath.mpf(0))
        f = lambda u: (a + u) * mpmath.npdf(u) * inner(b + rho * u)
        low, high = max(-a, mpmath.mpf(-14)), mpmath.mpf(14)
        kink = -b / rho if rho else mpmath.mpf(0)  # where the inner mean changes sign, within some s
        stops = {kink + w * s for w in (-100, -10, -3, 0, 3, 10, 100)} | {low + k for k in range(30)}
        return float(mpmath.quad(f, [low, *sorted(x for x in stops if low < x < high), high]))


@functools.cache
def tokens_moments(d, n=4000):
    """(a, b, rho) that tokens of length one have, with pairs that nearly coincide among them."""
    rng = np.random.default_rng(d)

    def unit(z):
        return z / np.linalg.norm(z, axis=-1, keepdims=True)

    x = unit(rng.standard_normal((2, n, d)))
    y = unit(x + 10 ** rng.uniform(-7, 1, (2, n, 1)) * rng.standard_normal((2, n, d)))
    s, t = np.sum(x * y, axis=-1)
    return np.sum(x[0] * x[1], -1), np.sum(y[0] * y[1], -1), np.minimum((1 + s) * (1 + t) / 4, 1)


def fine(a, b, rho):
    """The integral over ``r`` in another variable, the logarithm of p, with 600 nodes."""
    x, w = np.polynomial.legendre.leggauss(600)
    x, w = ((1 + x) / 2)[:, None], (w / 2)[:, None]
    p2 = np.maximum((1 - rho) / (1 + rho), 1e-18)
    v = -np.log(p2) / 2
    p = np.exp(-v * x)
    f = p * (p * p - p2) / (1 + p * p) ** 2 * np.exp(-((a - b) ** 2) / 8 / p**2 - (a + b) ** 2 / 8 * p**2)
    rest = 2 / (np.pi * (1 + p2)) * np.exp(-(a * a + b * b) / 4) * v * np.sum(w * f, axis=0)
    mu = lambda a: a * scipy.special.ndtr(a) + scipy.stats.norm.pdf(a)
    return mu(a) * mu(b) + rho * scipy.special.ndtr(a) * scipy.special.ndtr(b) + rest


@DTYPES
@pytest.mark.parametrize("triple", TRIPLES, ids=str)
def test_against_an_integral_to_thirty_digits(triple, dtype):
    found = relu_moment(*(jnp.asarray(x, dtype) for x in triple))
    expected = exact(*(float(jnp.asarray(x, dtype)) for x in triple))
    assert found.dtype == dtype
    # relative to what is added up, relu_mean(a) relu_mean(b) and rho
    scale = max(float(relu_mean(jnp.float64(triple[0])) * relu_mean(jnp.float64(triple[1]))), abs(triple[2]))
    assert abs(float(found) - expected) <= 40 * float(jnp.finfo(dtype).eps) * scale


@pytest.mark.parametrize("d", [2, 4, 16])
@pytest.mark.parametrize(("n_nodes", "error"), [(24, 1e-12), (N_NODES, 5e-14)])
def test_few_nodes_are_enough_for_tokens(d, n_nodes, error):
    a, b, rho = tokens_moments(d)
    found = np.asarray(jax.jit(lambda *x: relu_moment(*x, n_nodes))(*map(jnp.asarray, (a, b, rho))))
    assert np.abs(found - fine(a, b, rho)).max() <= error  # that of the reference is 2e-14


def test_forty_nodes_are_enough_for_all():
    rng = np.random.default_rng(0)
    a = rng.uniform(-8, 8, 4000)
    b = np.where(rng.random(4000) < 0.5, a + 10 ** rng.uniform(-6, 0, 4000), rng.uniform(-8, 8, 4000))
    rho = 1 - 10 ** rng.uniform(-12, 0, 4000)
    expected = fine(a, b, rho)
    found = np.asarray(jax.jit(relu_moment)(*map(jnp.asarray, (a, b, rho))))
    assert (np.abs(found - expected) / np.maximum(1, expected)).max() <= 1e-12
    rough = np.asarray(jax.jit(lambda *x: relu_moment(*x, 8))(*map(jnp.asarray, (a, b, rho))))
    assert np.abs(rough - expected).max() > 1e-7  # eight are not


@DTYPES
def test_limits(dtype):
    a = jnp.asarray([-2.0, -0.3, 0.0, 0.7, 3.0], dtype)
    eps = float(jnp.finfo(dtype).eps)
    phi, density = jax.scipy.stats.norm.cdf, jax.scipy.stats.norm.pdf
    rows = {
        "independent": (relu_moment(a, a[::-1], jnp.zeros_like(a)), relu_mean(a) * relu_mean(a[::-1])),
        "equal": (relu_moment(a, a, jnp.ones_like(a)), (1 + a * a) * phi(a) + a * density(a)),
        "opposite": (relu_moment(-jnp.abs(a), a * 0, -jnp.ones_like(a)), 0 * a),
        "no mean": (relu_moment(0 * a, 0 * a, a / 3), arc_cosine(a / 3)),
    }
    for name, (found, expected) in rows.items():
        np.testing.assert_allclose(found, expected, rtol=0, atol=20 * eps * 10, err_msg=name)
        assert found.dtype == dtype


def test_beyond_one_there_is_no_correlation():
    one = jnp.ones(())
    for f in (arc_cosine, lambda r: relu_moment(one, one, r), lambda r: orthant(one, one, r)):
        assert np.isnan(f(1.001 * one))
        assert np.isnan(f(-1.001 * one))
        assert np.isnan(f(jnp.nan * one))


@pytest.mark.parametrize("triple", [t for t in TRIPLES if abs(t[2]) < 0.9999], ids=str)
def test_orthant_against_scipy(triple):
    a, b, rho = triple
    expected = scipy.stats.multivariate_normal.cdf([a, b], cov=[[1, rho], [rho, 1]], abseps=1e-14, releps=1e-14)
    assert abs(float(orthant(*map(jnp.float64, triple))) - expected) <= 1e-14


@pytest.mark.parametrize("triple", TRIPLES[:8], ids=str)
@pytest.mark.parametrize("function", [relu_moment, orthant], ids=lambda f: f.__name__)
def test_derivatives_against_finite_differences(triple, function):
    x = jnp.asarray(triple)
    f = jax.jit(lambda x: function(*x))
    step = 1e-5 * np.eye(3)
    for k in range(3):
        h = step[k] * min(1, 100 * (1 - abs(triple[2])))  # a small part of the way to the singular point
        size = h[k]
        slope = (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * size)
        assert abs(float(jax.grad(f)(x)[k]) - float(slope)) <= 1e-8 * max(1, abs(float(slope))) + 4e-16 / size


@DTYPES
@pytest.mark.parametrize("triple", [(0.0, 0.0, 1.0), (0.4, 0.4, 1.0), (0.4, -0.4, -1.0), (1.0, 0.2, 1.0)], ids=str)
def test_derivatives_where_both_variables_are_one(triple, dtype):
    x = jnp.asarray(triple, dtype)
    slope = jax.grad(lambda x: relu_moment(*x))(x)
    inside = jnp.asarray([*triple[:2], triple[2] * (1 - 1e-12)], jnp.float64)
    nearby = jax.grad(lambda x: relu_moment(*x))(inside)
    np.testing.assert_allclose(slope, nearby, atol=2e-6)
    assert np.isfinite(jax.hessian(lambda x: relu_moment(*x))(x)).all()
    assert np.isfinite(jax.grad(lambda x: orthant(*x))(x)).all()


def test_arc_cosine_has_derivatives_to_second_order():
    slope, bend = jax.grad(arc_cosine), jax.grad(jax.grad(arc_cosine))
    for rho in (-0.9, -0.2, 0.0, 0.4, 0.999):
        assert abs(slope(rho) - (np.pi - np.arccos(rho)) / (2 * np.pi)) <= 1e-12
        assert abs(bend(rho) - 1 / (2 * np.pi * np.sqrt(1 - rho * rho))) <= 1e-9
    assert abs(slope(1.0) - 0.5) <= 1e-12
    assert abs(slope(-1.0)) <= 1e-12


@DTYPES
def test_arc_cosine(dtype):
    rho = np.concatenate([np.linspace(-1, 1, 2001), 1 - np.logspace(-15, -3, 50)]).astype(dtype)
    r = rho.astype(np.longdouble)
    expected = (np.sqrt((1 - r) * (1 + r)) + r * (np.pi - np.arccos(r))) / (2 * np.pi)
    found = arc_cosine(jnp.asarray(rho))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected.astype(np.float64), rtol=0, atol=2 * float(jnp.finfo(dtype).eps))


def test_taylor_coefficients():
    c = arc_cosine_coefficients(4000)
    rho = 0.9
    assert abs(np.polynomial.polynomial.polyval(rho, c) - float(arc_cosine(jnp.float64(rho)))) <= 1e-15
    for j in (1, 2, 7):
        expected = math.comb(2 * j - 2, j - 1) * 4.0 ** -(j - 1) / (2 * np.pi * 2 * j * (2 * j - 1))
        assert c[2 * j] == pytest.approx(expected, rel=1e-14)
    assert (c >= 0).all()
    assert 0 < 0.5 - c.sum() < 1e-6
    assert [len(arc_cosine_coefficients(n)) for n in (0, 1, 2, 3)] == [0, 1, 2, 3]


def test_shapes_broadcast_and_numbers_do():
    assert relu_moment(jnp.ones((3, 1)), jnp.ones((1, 4)), 0.5).shape == (3, 4)
    assert orthant(0.0, jnp.ones(2), 0.5).shape == (2,)
