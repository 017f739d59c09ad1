"""The training loop: it converges, sees the first n examples only, and may be vmapped over everything."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.train import fit

HOW = {"n_steps": 60, "batch_size": 4, "learning_rate": 0.1}


def squares(x, y):
    def loss(w, key, indices):
        return jnp.mean((x[indices] @ w - y[indices]) ** 2)

    return loss


@pytest.fixture(scope="module")
def problem():
    """Inputs (20, 3), outputs that a linear map explains exactly, and the map."""
    draw = np.random.default_rng(0)
    x, w = draw.standard_normal((20, 3)), np.array([1.0, -2.0, 0.5])
    return jnp.asarray(x), jnp.asarray(x @ w), w


def test_converges(problem):
    x, y, w = problem
    found = fit(squares(x, y), jnp.zeros(3), jax.random.key(0), 20, n_steps=2000, batch_size=8, learning_rate=0.1)
    np.testing.assert_allclose(found, w, rtol=0, atol=1e-6)


def test_sees_the_first_examples_only(problem):
    x, y, _ = problem
    found = [
        fit(squares(x, y.at[5:].set(beyond)), jnp.zeros(3), jax.random.key(0), 5, **HOW) for beyond in (0.0, jnp.nan)
    ]
    assert jnp.isfinite(found[0]).all()
    assert (found[0] == found[1]).all()
    assert jnp.isnan(fit(squares(x, y.at[5:].set(jnp.nan)), jnp.zeros(3), jax.random.key(0), 6, **HOW)).all()


def test_sees_all_of_the_first_examples():
    """The gradient of example i is entry i: after training every entry below n has moved, and no other."""

    def loss(w, key, indices):
        return jnp.sum(w[indices])

    found = fit(loss, jnp.zeros(9), jax.random.key(0), 6, **HOW)
    assert (found != 0).tolist() == [True] * 6 + [False] * 3


def test_vmap_is_a_loop(problem):
    x, y, _ = problem
    how = {name: HOW[name] for name in ("n_steps", "batch_size")}
    train = functools.partial(fit, squares(x, y), jnp.zeros(3), **how)
    keys = jax.random.split(jax.random.key(1), 3)
    rates, sizes = jnp.array([0.01, 0.1]), jnp.array([4, 9])

    def one(key, n, rate):
        return train(key, n, learning_rate=rate)

    over_rates = jax.vmap(one, in_axes=(None, None, 0))
    over_sizes = jax.vmap(over_rates, in_axes=(None, 0, None))
    found = jax.jit(jax.vmap(over_sizes, in_axes=(0, None, None)))(keys, sizes, rates)
    loop = [[[one(jax.random.clone(key), n, rate) for rate in rates] for n in sizes] for key in keys]
    np.testing.assert_allclose(found, np.array(loop), rtol=1e-12, atol=1e-12)
    assert len(np.unique(np.round(found, 9), axis=0)) == 3


def test_one_program_for_all_sizes(problem):
    x, y, _ = problem
    train = jax.jit(lambda key, n, rate: fit(squares(x, y), jnp.zeros(3), key, n, **(HOW | {"learning_rate": rate})))
    key = jax.random.key(0)
    found = [train(jax.random.clone(key), jnp.int32(n), rate) for n in (3, 7) for rate in (0.1, 0.2)]
    assert len({tuple(w.tolist()) for w in found}) == 4
    assert train._cache_size() == 1


def test_the_rate_falls_to_zero():
    """With a constant gradient Adam moves by the rate in every step; their sum is half of the number of steps."""
    found = fit(
        lambda w, key, indices: w, jnp.zeros(()), jax.random.key(0), 1, n_steps=1000, batch_size=1, learning_rate=0.01
    )
    mean_of_cosine = 0.5 * (1 + 1 / 1000)  # over t = 0 ... n_steps - 1
    assert found == pytest.approx(-0.01 * 1000 * mean_of_cosine, rel=1e-6)


def test_float32_stays_float32():
    w = fit(lambda w, key, i: jnp.sum(w**2), jnp.ones(2, jnp.float32), jax.random.key(0), 3, **HOW)
    assert w.dtype == jnp.float32


def test_the_key_of_a_step_is_given_to_the_loss():
    def loss(w, key, indices):
        return w * jax.random.normal(key)

    first, again, other = (fit(loss, jnp.zeros(()), jax.random.key(seed), 3, **HOW) for seed in (0, 0, 1))
    assert first == again != other
