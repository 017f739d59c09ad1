"""The formulas behind the claims on kernels of attention, against scipy, numpy's polynomials and brute force."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from theory import random_feature_attention as rfa


def test_tokens_are_uniform_on_the_sphere():
    """Length one; means of squares of coordinates are 1 / d, to five standard errors."""
    x = rfa.draw_tokens(np.random.default_rng(0), 3000, n_keys=3, d=4)
    np.testing.assert_allclose(np.linalg.norm(x, axis=-1), 1, rtol=1e-14)
    square = x.reshape(-1, 4) ** 2
    assert (np.abs(square.mean(axis=0) - 1 / 4) < 5 * square.std(axis=0) / len(square) ** 0.5).all()


@pytest.mark.parametrize("rho", [-0.8, -0.1, 0.4, 0.95])
def test_orthant_from_owens_function(rho):
    for a, b in [(-2.0, 0.5), (0.3, 0.3), (1.2, -0.4), (2.0, 1.0), (-1.0, -0.7)]:
        known = scipy.stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf([a, b])
        assert rfa._orthant(np.array(a), np.array(b), np.array(rho)) == pytest.approx(known, abs=1e-10)


def test_coefficients_are_derivatives_of_the_mean():
    """``(-1)^k He_(k-2)(a) phi(a) / sqrt(k!)``; and differences of one order are the next."""
    a = np.linspace(-2, 2, 9)
    c = rfa.relu_mean_coefficients(a, 12)
    for k in range(2, 12):
        hermite = np.polynomial.hermite_e.hermeval(a, np.eye(12)[k - 2])
        known = (-1) ** k * hermite * scipy.stats.norm.pdf(a) / math.sqrt(math.factorial(k))
        np.testing.assert_allclose(c[k], known, rtol=1e-12, atol=1e-15)
    step = 1e-5
    above, below = (rfa.relu_mean_coefficients(a + s, 12) for s in (step, -step))
    slopes = (above - below)[:-1] / (2 * step) / np.sqrt(np.arange(1, 12))[:, None]
    np.testing.assert_allclose(slopes, c[1:], atol=1e-9)


def test_coefficients_of_high_order_stay_finite():
    c = rfa.relu_mean_coefficients(np.array([-3.0, 0.0, 3.0]), 400)
    assert np.isfinite(c).all()
    assert (np.abs(c[300:]) < 0.05).all()


def test_the_largest_pair_is_the_kernel_of_sets_of_one_key():
    """With one key the mean and the largest are the same: what the violation drops is the mean alone."""
    x = rfa.draw_tokens(np.random.default_rng(1), 6, n_keys=1, d=3)
    np.testing.assert_allclose(rfa._largest_pair(x), rfa._KERNELS[0].gram(jnp.asarray(x)), rtol=1e-12)


def test_products_of_rows_have_the_covariance_of_the_law():
    """The violation's matrices have the same mean and covariance as the law's; only the fourth moments differ."""
    law = rfa._one_row_each(rfa._LAWS[1])
    w = np.asarray(law.draw(jax.random.key(0), 40_000, 2))
    flat = (w - law.centre(2)).reshape(len(w), -1) / law.scale
    covariance = flat.T @ flat / len(flat)
    assert np.abs(covariance - np.eye(9)).max() < 5 * 8**0.5 / len(flat) ** 0.5
    assert (flat**4).mean() == pytest.approx(9, rel=0.1)  # a Gaussian has 3
