"""Attention pooling: a learned mean over a set, whose order, repetitions and absent elements do not matter."""

import functools

import budgets
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from flax import nnx

from equiv.flax import as_linen, as_nnx
from equiv.groups import symmetric
from equiv.layers import as_layer
from equiv.layers.attention import attention_pooling
from equiv.layers.base import SignalLayer
from equiv.reps import permutation, scalar

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["float32", "float64"])
OUTPUTS = pytest.mark.parametrize("n_outputs", [1, 3], ids=["one output", "three outputs"])
D, N = 5, 6
BUDGET = 20.0


def random(shape, dtype=jnp.float64, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


@functools.cache
def compiled(n_outputs):
    return jax.jit(attention_pooling(D, n_outputs).apply)


def pooled(x, n_outputs=1, present=None, scale=1.0):
    """Of sets (..., D) with drawn weights."""
    weight = scale * random((D, n_outputs * D), x.dtype, 7)
    return compiled(n_outputs)({"weight": weight}, x, present)


def off(found, expected):
    """Largest difference in units of rounding, relative to the root mean square."""
    expected = np.asarray(expected, np.float64)
    size = np.finfo(found.dtype).eps * np.sqrt(np.mean(expected**2))
    return np.abs(np.asarray(found, np.float64) - expected).max() / size


@DTYPES
@OUTPUTS
def test_against_the_sum_written_out(n_outputs, dtype):
    x = random((2, 3, N, D), dtype)
    found = pooled(x, n_outputs)
    weight = np.asarray(random((D, n_outputs * D), dtype, 7), np.float64)
    values = np.asarray(x, np.float64)
    share = scipy.special.softmax(values @ weight, axis=-2)
    expected = np.concatenate(
        [(share[..., D * k : D * (k + 1)] * values).sum(axis=-2) for k in range(n_outputs)], axis=-1
    )
    assert found.shape == (2, 3, n_outputs * D)
    assert found.dtype == dtype
    assert off(found, expected) < BUDGET


@DTYPES
def test_a_bias_of_the_scores_would_cancel(dtype):
    """Which is why there is none: the public code trains one, and its gradient is zero."""
    x, weight, bias = random((N, D), dtype), random((D, D), dtype, 7), random((1, D), dtype, 8)
    shifted = jnp.sum(jax.nn.softmax(x @ weight + bias, axis=0) * x, axis=0)
    assert off(pooled(x), shifted) < BUDGET


@DTYPES
@OUTPUTS
def test_orders_and_repetitions_do_not_matter(n_outputs, dtype):
    x = random((4, N, D), dtype)
    expected = pooled(x, n_outputs)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(N)
        assert off(pooled(x[:, order], n_outputs), expected) < BUDGET
    assert off(pooled(jnp.concatenate([x, x, x], axis=1), n_outputs), expected) < BUDGET
    assert off(pooled(jnp.concatenate([x, x[:, :1]], axis=1), n_outputs), expected) > 1e3  # of one of them it does


@DTYPES
def test_one_element_is_left_as_it_is(dtype):
    x = random((4, 1, D), dtype)
    for scale in (0.0, 1.0, 1e6):
        assert (pooled(x, scale=scale) == x[:, 0]).all()
        assert (pooled(x, 3, scale=scale) == jnp.tile(x[:, 0], (1, 3))).all()
    assert off(pooled(jnp.broadcast_to(x, (4, N, D))), x[:, 0]) < BUDGET  # nor are copies of it changed


@DTYPES
def test_limits(dtype):
    """No weight gives the mean, and many times the identity the maximum of each feature, or with -1 the minimum."""
    x, layer = random((4, N, D), dtype), compiled(1)
    assert off(pooled(x, scale=0.0), np.asarray(x, np.float64).mean(1)) < BUDGET
    for sign, extreme in ((1, x.max(axis=1)), (-1, x.min(axis=1))):
        gaps = [
            float(jnp.abs(layer({"weight": sign * size * jnp.eye(D, dtype=dtype)}, x) - extreme).max())
            for size in (1.0, 10.0, 100.0, 1e4)
        ]
        assert gaps[0] > gaps[1] > gaps[2] >= gaps[3]
        assert gaps[3] < 1e-5


@DTYPES
def test_it_stays_within_the_hull(dtype):
    x = random((200, N, D), dtype)
    slack = BUDGET * float(jnp.finfo(dtype).eps)
    for scale in (0.1, 1.0, 30.0, 1e8):
        y = pooled(x, scale=scale)
        assert (y >= x.min(axis=1) - slack).all()
        assert (y <= x.max(axis=1) + slack).all()


@DTYPES
@OUTPUTS
@pytest.mark.parametrize("filling", [0.0, 1e30, np.inf, -np.inf, np.nan], ids=str)
def test_absent_elements_do_not_matter(filling, n_outputs, dtype):
    """What is in their place is not seen by values, nor by derivatives."""
    x = random((3, N, D), dtype)
    present = jnp.asarray([[True] * N, [True, False] * 3, [False] * (N - 1) + [True]])
    filled = jnp.where(present[..., None], x, jnp.asarray(filling, dtype))
    layer, weight = attention_pooling(D, n_outputs), random((D, n_outputs * D), dtype, 7)

    def loss(weight, x):
        return jnp.sum(jnp.sin(layer.apply({"weight": weight}, x, present)))

    found = pooled(filled, n_outputs, present)
    for k in range(3):
        assert off(found[k], pooled(x[k][present[k]], n_outputs)) < BUDGET
    slope = jax.jit(jax.grad(loss, (0, 1)))
    for gradient, wanted in zip(slope(weight, filled), slope(weight, x)):
        assert off(gradient, wanted) < BUDGET
    assert (gradient == 0)[~present].all()
    assert (gradient != 0)[present].all()


@DTYPES
def test_derivatives(dtype):
    """Finite and right, at ordinary and at extreme weights: against differences, and for a set of one element."""
    x, layer = random((N, D), dtype), attention_pooling(D)
    loss = jax.jit(lambda weight, x: jnp.sum(jnp.sin(layer.apply({"weight": weight}, x))))
    slope = jax.jit(jax.grad(loss, (0, 1)))
    weight = random((D, D), dtype, 7)
    for size in (0.0, 1.0, 1e3, 1e30):
        assert all(bool(jnp.isfinite(part).all()) for part in slope(size * weight, x))
    for k, start in enumerate((weight, x)):
        step = 1e-5 * random(start.shape, jnp.float64, 3)
        points = [[jnp.asarray(v, jnp.float64) for v in (weight, x)] for _ in range(2)]
        points[0][k], points[1][k] = points[0][k] + step, points[1][k] - step
        difference = (loss(*points[0]) - loss(*points[1])) / 2
        exact = jnp.sum(jnp.asarray(slope(weight, x)[k], jnp.float64) * step)
        assert abs(float(exact - difference)) < (1e-9 if dtype == jnp.float64 else 1e-5) * float(jnp.abs(step).sum())
    of_weight, of_x = slope(weight, x[:1])
    assert (of_weight == 0).all()  # the first stage of training leaves the pooling alone
    assert off(of_x, np.cos(np.asarray(x[:1], np.float64))) < BUDGET


def test_sets_that_are_empty():
    """Told outside of jit; NaN inside, where other sets are as they were, and derivatives those of the other sets."""
    x, layer = random((2, N, D)), attention_pooling(D)
    present = jnp.asarray([[True] * N, [False] * N])
    with pytest.raises(ValueError, match="a set has none that is present"):
        layer.apply({"weight": jnp.eye(D)}, x, present)
    found = pooled(x, 1, present)
    assert off(found[0], pooled(x[0])) < BUDGET
    assert jnp.isnan(found[1]).all()
    slope = jax.jit(jax.grad(lambda weight, x, present: jnp.sum(layer.apply({"weight": weight}, x, present))))
    assert off(slope(jnp.eye(D), x, present), slope(jnp.eye(D), x[:1], present[:1])) < BUDGET


def test_nan_is_seen():
    x = random((2, N, D)).at[0, 2, 1].set(jnp.nan)
    found = pooled(x)
    assert jnp.isnan(found[0]).all()
    assert jnp.isfinite(found[1]).all()


def test_init_and_record():
    layer = attention_pooling(50, 2)
    assert layer is attention_pooling(50, 2) != attention_pooling(50)
    assert str(layer) == "attention_pooling(50, 2)"
    for dtype in (jnp.float32, jnp.float64):
        weight = layer.init(jax.random.key(0), dtype)["weight"]
        assert weight.shape == (50, 100)
        assert weight.dtype == dtype
        assert abs(float(weight.var()) * 50 - 1) < 5 * np.sqrt(2 / weight.size)


# --- broken twins -----------------------------------------------------------------------------------------------------


def _over_features(params, x):
    return jnp.sum(jax.nn.softmax(x @ params["weight"], axis=-1) * x, axis=-2)


def _positional(params, x):
    places = jnp.arange(x.shape[-2], dtype=x.dtype).reshape((1,) * (x.ndim - 2) + (-1, 1))
    return jnp.sum(jax.nn.softmax(x @ params["weight"] + places, axis=-2) * x, axis=-2)


def _as_layer(pooling):
    orders = symmetric(4)
    elements = permutation(orders, 4, lambda g: g)
    return as_layer(pooling, (4, 3), elements * scalar(orders, 3), scalar(orders, 3))


@DTYPES
def test_twins_are_caught(laws, dtype):
    """A softmax over the features repeats what is repeated; one with places sees the order."""
    right = attention_pooling(3)
    laws.assert_equivariance(_as_layer(right), dtype=dtype, budget=budgets.LAWS["equivariance"])
    over, places = (SignalLayer(("twin", f), "twin", right.init, f) for f in (_over_features, _positional))
    with pytest.raises(AssertionError):
        laws.assert_equivariance(_as_layer(places), dtype=dtype)
    x, params = random((4, 3), dtype), right.init(jax.random.key(0), dtype)
    twice = jnp.concatenate([x, x])
    assert off(right.apply(params, twice), right.apply(params, x)) < BUDGET
    assert off(over.apply(params, twice), over.apply(params, x)) > 1e3
    assert off(over.apply(params, x[:1]), x[0]) > 1e3


def test_flax_passes_the_mask_on():
    layer, x, present = attention_pooling(D), random((N, D)), jnp.arange(N) < 4
    module = as_linen(layer)
    variables = module.init(jax.random.key(0), x)
    expected = layer.apply(variables["params"]["layer"], x, present)
    assert (module.apply(variables, x, present) == expected).all()
    model = as_nnx(layer, nnx.Rngs(0))
    assert model(x, present).shape == (D,)
