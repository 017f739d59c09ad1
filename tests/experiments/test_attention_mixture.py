"""The matrix of the mixture, and that a bias by it is a bias by the identity after the query was moved."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.layers.attention import attention_kernel, biased, gaussian
from experiments.attention_mixture import mixed
from experiments.data.tokens import draw_tokens, labels

MIXTURES = pytest.mark.parametrize("mixture", [0.0, 0.3, 1.0])


@MIXTURES
def test_the_matrix_is_orthogonal(mixture):
    s = mixed(mixture, 6)
    np.testing.assert_allclose(s @ s.T, np.eye(6), atol=1e-15)
    np.testing.assert_allclose((s + s.T) / 2, np.cos(mixture * np.pi / 2) * np.eye(6), atol=1e-15)


@MIXTURES
def test_it_comes_to_moving_the_query(mixture):
    """Labels by S, and the kernel with the mean S, are those of the identity for the query ``S^T x_0``."""
    s, x = mixed(mixture, 4), draw_tokens(jax.random.key(0), 6, 3, 4)
    moved = x.at[:, 0].set(x[:, 0] @ s)
    beta = jnp.array([0.5, -0.5, 0.5, 0.5])
    by_s, by_identity = labels(x, beta, "correlation", 3, jnp.asarray(s)), labels(moved, beta, "correlation", 3)
    np.testing.assert_allclose(by_s, by_identity, rtol=0, atol=1e-15)
    found, expected = attention_kernel(biased(s)).block(x, x), attention_kernel(biased()).block(moved, moved)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    unbiased = attention_kernel(gaussian())
    np.testing.assert_allclose(unbiased.block(x, x), unbiased.block(moved, moved), rtol=1e-12)


def test_the_bias_by_the_identity_sees_the_mixture():
    """The twin: without moving the query, the kernel with the mean S is another one."""
    x = draw_tokens(jax.random.key(0), 6, 3, 4)
    found, expected = (attention_kernel(biased(mean)).block(x, x) for mean in (mixed(1.0, 4), 1.0))
    assert jnp.max(jnp.abs(found - expected)) > 0.05
