"""Random-feature attention: its kernels against many heads and against the written-out sum, and its symmetries."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats
from flax import nnx

from equiv.flax import Frozen, as_linen, as_nnx
from equiv.groups import symmetric
from equiv.layers import as_layer, merge, partition
from equiv.layers.attention import (
    antithetic,
    attention_kernel,
    biased,
    gaussian,
    mlp_kernel,
    orthogonal,
    random_feature_attention,
    random_feature_mlp,
)
from equiv.reps import scalar

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["float32", "float64"])
S = np.random.default_rng(9).normal(size=(4, 4))
LAWS = {
    "gaussian": gaussian(),
    "biased": biased(),
    "large mean": biased(3.0, 0.4, 0.5),
    "matrix mean": biased(S, 0.6),
    "no lift": gaussian(0.7, 0.0),
}
EACH_LAW = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
KERNELS = {name: attention_kernel(law) for name, law in LAWS.items()} | {"mlp": mlp_kernel}
EACH_KERNEL = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)


@functools.cache
def tokens(n, n_keys, d, dtype=jnp.float64, seed=0):
    """On the unit sphere."""
    x = np.random.default_rng(seed).normal(size=(n, n_keys + 1, d))
    return jnp.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True), dtype)


def rotation(d, seed=0):
    return jnp.asarray(scipy.stats.ortho_group.rvs(d, random_state=seed))


def off(found, expected):
    """Largest difference in units of rounding, relative to the root mean square."""
    expected = np.asarray(expected, np.float64)
    size = np.finfo(found.dtype).eps * np.sqrt(np.mean(expected**2))
    return np.abs(np.asarray(found, np.float64) - expected).max() / size


# --- kernels ----------------------------------------------------------------------------------------------------------


def written_out(x, y):
    """The kernel of the gaussian law as the sum over pairs of keys, for tokens of length one."""
    s = 1 + np.einsum("nd,md->nm", x[:, 0], y[:, 0])
    t = 1 + np.einsum("nid,mjd->nmij", x[:, 1:], y[:, 1:])
    rho = np.minimum(s[..., None, None] * t / 4, 1)
    moment = (np.sqrt(1 - rho**2) + rho * (np.pi - np.arccos(rho))) / (2 * np.pi)
    return np.mean(t * moment, axis=(-1, -2))


@DTYPES
def test_the_sum_over_pairs_of_keys(dtype):
    x, y = tokens(150, 3, 5, dtype), tokens(140, 2, 5, dtype, 1)
    found = attention_kernel(gaussian())(x, y)
    assert found.dtype == dtype
    assert found.shape == (150, 140)
    assert off(found, written_out(*(np.asarray(v, np.float64) for v in (x, y)))) <= 20


@pytest.mark.parametrize("length", [1.0, 0.3, 2.0])
@pytest.mark.parametrize(
    "law", [*LAWS.values(), orthogonal(biased()), antithetic(gaussian()), antithetic(orthogonal(biased()))], ids=str
)
def test_the_mean_over_heads(law, length):
    """Every pair within 5 standard errors of groups of heads, for tokens of any length."""
    x = length * tokens(4, 3, 4)
    groups, heads = 60, 400
    layer = random_feature_attention(4, heads, law)

    @jax.jit
    @jax.vmap
    def draw(key):
        phi = layer.features(layer.init(key), x)
        return phi @ phi.T

    drawn = np.asarray(draw(jax.random.split(jax.random.key(0), groups)))
    expected = np.asarray(attention_kernel(law)(x, x))
    error = drawn.std(axis=0, ddof=1) / groups**0.5
    assert (error < 0.05 * expected.max()).all()
    assert (np.abs(drawn.mean(axis=0) - expected) <= 5 * error).all()
    if length != 1:  # the formula for tokens of length one is another one
        wrong = np.asarray(attention_kernel(law)(x / length, x / length))
        assert (np.abs(drawn.mean(axis=0) - wrong) > 5 * error).any()


def test_the_mean_over_hidden_units():
    x, groups = 1.5 * tokens(4, 2, 3), 60
    layer = random_feature_mlp(3, 2, 400)
    draw = jax.jit(jax.vmap(lambda key: (phi := layer.features(layer.init(key), x)) @ phi.T))
    drawn = np.asarray(draw(jax.random.split(jax.random.key(0), groups)))
    error = drawn.std(axis=0, ddof=1) / groups**0.5
    assert (np.abs(drawn.mean(axis=0) - np.asarray(mlp_kernel(x, x))) <= 5 * error).all()


@EACH_KERNEL
def test_tiles_and_halves_change_nothing(kernel):
    x = tokens(150, 2, 4)  # two tiles, one of them filled up
    whole = jax.jit(kernel.block)(x, x)
    assert off(jax.jit(kernel.__call__)(x, x), whole) <= 10
    gram = jax.jit(kernel.gram)(x)
    assert off(gram, whole) <= 10
    assert (gram == gram.T).all()
    assert off(kernel(x[:1], x[:7]), whole[:1, :7]) <= 10


@DTYPES
@pytest.mark.parametrize("name", KERNELS)
def test_symmetries_of_kernels(name, dtype):
    x = tokens(20, 3, 4, dtype)
    kernel = KERNELS[name]
    gram, turn, other = kernel.gram(x), rotation(4), rotation(4, 1)
    at = lambda query, keys: kernel.gram(
        jnp.concatenate([x[:, :1].astype(float) @ query, x[:, 1:].astype(float) @ keys], axis=1).astype(dtype)
    )
    has = {
        "order": off(kernel(x, x[:, [0, 3, 1, 2]]), gram) <= 40,
        "one rotation": off(at(turn, turn), gram) <= 40,
        "two rotations": off(at(turn, other), gram) <= 40,
    }
    centred = name in ("gaussian", "no lift", "mlp")
    assert has == {"order": name != "mlp", "one rotation": name != "matrix mean", "two rotations": centred}


@EACH_KERNEL
def test_grams_are_positive(kernel):
    x = tokens(60, 2, 4)
    x = jnp.concatenate([x, x[:20] + 1e-7 * tokens(20, 2, 4, seed=5)])
    gram = np.asarray(kernel.gram(x))
    assert np.linalg.eigvalsh(gram)[0] >= -1e-12 * np.trace(gram)


@DTYPES
@pytest.mark.parametrize("name", ["gaussian", "matrix mean", "mlp"])
def test_derivatives_where_tokens_coincide(name, dtype):
    x = tokens(3, 2, 4, dtype)
    x = x.at[1].set(x[0]).at[2, 1].set(x[2, 2])
    kernel, way, step = KERNELS[name], tokens(3, 2, 4, dtype, 3), jnp.asarray(1e-6, dtype)
    f = lambda t: jnp.stack([kernel(x + t * way, x).sum(), jnp.diagonal(kernel.block(x + t * way, x + t * way)).sum()])
    slope, low, high = jax.jit(lambda t: (jax.jacobian(f)(t), f(t - step), f(t + step)))(jnp.zeros((), dtype))
    assert np.isfinite(slope).all()
    if dtype == jnp.float64:
        np.testing.assert_allclose(slope, (high - low) / (2 * step), rtol=1e-5)


@pytest.mark.parametrize("name", ["no lift", "large mean"])
def test_one_key_and_tokens_of_length_zero(name):
    x = jnp.zeros((2, 2, 3)).at[0, 1, 0].set(1.0)
    value, slope = jax.jit(jax.value_and_grad(lambda x: KERNELS[name].gram(x).sum()))(x)
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


# --- laws -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [orthogonal, antithetic], ids=lambda f: f.__name__)
@EACH_LAW
def test_dependent_heads_have_the_law_of_one(law, build):
    """Entries of one head, by the test of Kolmogorov and Smirnov over draws."""
    d = 4
    draw = jax.jit(jax.vmap(lambda key: build(law).draw(key, 30, d)))
    drawn = np.asarray(draw(jax.random.split(jax.random.key(1), 4000)))
    noise = (drawn - law.centre(d)) / law.scale
    for head, row, column in [(0, 0, 0), (17, 2, 3), (29, 4, 4)]:
        assert scipy.stats.kstest(noise[:, head, row, column], "norm").pvalue > 1e-6
    lengths = np.sum(noise[:, 5] ** 2, axis=(-1, -2))
    assert scipy.stats.kstest(lengths, scipy.stats.chi2((d + 1) ** 2).cdf).pvalue > 1e-6


def test_blocks_of_orthogonal_heads():
    g = np.asarray(orthogonal(gaussian(1.0)).draw(jax.random.key(0), 11, 1)).reshape(11, 4)
    products = np.abs(g @ g.T)
    for block in (slice(0, 4), slice(4, 8), slice(8, 11)):
        part = products[block, block]
        assert np.abs(part - np.diag(np.diag(part))).max() <= 1e-14
    assert products[0, 4:8].max() > 0.1


def test_pairs_of_heads():
    law = antithetic(biased())
    g = np.asarray(law.draw(jax.random.key(0), 5, 2)) - law.centre(2)
    np.testing.assert_allclose(g[[0, 2]], -g[[1, 3]], atol=1e-15)
    assert g.shape == (5, 3, 3)


# --- layers -----------------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("activation", ["relu", "softmax"])
@EACH_LAW
def test_the_layer_head_by_head(law, activation, dtype):
    x = tokens(5, 3, 4, dtype)
    layer = random_feature_attention(4, 6, law, activation)
    params = layer.init(jax.random.key(0), dtype)
    weights = jax.random.normal(jax.random.key(1), (6 * 5,), dtype)
    fitted = layer.fitted(params, weights)
    z = np.concatenate([np.asarray(x, np.float64), np.full((5, 4, 1), law.lift)], axis=-1)
    expected = np.zeros(5)
    for matrix, value in zip(*(np.asarray(p, np.float64) for p in (fitted["frozen"]["query_key"], fitted["value"]))):
        for n in range(5):
            scores = z[n, 0] @ matrix @ z[n, 1:].T
            if activation == "relu":
                share = np.maximum(scores, 0) / 3
            else:
                share = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
            expected[n] += share @ z[n, 1:] @ value
    found = layer.apply(fitted, x)
    assert found.dtype == dtype
    assert off(found, expected) <= 30
    assert off(layer.features(params, x) @ weights, expected) <= 30
    assert off(found, layer.apply(fitted, x[:, [0, 2, 3, 1]])) <= 30
    assert off(found, layer.apply(fitted, x[:, [1, 0, 2, 3]])) > 1e3


def test_the_rival_sees_orders():
    x, layer = tokens(5, 3, 4), random_feature_mlp(4, 3, 20)
    params = layer.fitted(layer.init(jax.random.key(0)), jnp.ones(20))
    assert off(layer.apply(params, x), layer.features(params, x).sum(axis=-1)) <= 20
    assert off(layer.apply(params, x[:, [0, 2, 3, 1]]), layer.apply(params, x)) > 1e3


def test_only_values_are_trained():
    """By optax on the part that is trained, and through both bridges to Flax."""
    x, layer = tokens(40, 3, 4, jnp.float32), random_feature_attention(4, 8, gaussian())
    y = jnp.mean(x[:, 1:, 0], axis=1)
    params = layer.init(jax.random.key(0), jnp.float32)
    rule = optax.adam(0.05)

    def fit(loss, trained):
        with jax.numpy_dtype_promotion("standard"):
            state = rule.init(trained)
            before = loss(trained)
            for _ in range(60):
                updates, state = rule.update(jax.grad(loss)(trained), state, trained)
                trained = optax.apply_updates(trained, updates)
            assert loss(trained) < 0.2 * before
        return trained

    trained, rest = partition(params)
    trained = fit(jax.jit(lambda p: jnp.mean((layer.apply(merge(p, rest), x) - y) ** 2)), trained)
    assert trained["frozen"] == {"query_key": None}
    assert (merge(trained, rest)["frozen"]["query_key"] == params["frozen"]["query_key"]).all()

    module = as_linen(layer)
    variables = module.init(jax.random.key(0), x)
    assert jax.tree.leaves(variables["params"])[0].shape == (8, 5)
    assert jax.tree.leaves(variables["frozen"])[0].shape == (8, 5, 5)
    fit(jax.jit(lambda p: jnp.mean((module.apply(variables | {"params": p}, x) - y) ** 2)), variables["params"])

    model = as_nnx(layer, nnx.Rngs(0), jnp.float32)
    assert [leaf.shape for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))] == [(8, 5)]
    assert [leaf.shape for leaf in jax.tree.leaves(nnx.state(model, Frozen))] == [(8, 5, 5)]
    assert model(x).shape == (40,)


def test_partition():
    params = ({"base": {"a": 1, "frozen": 2}, "rest": (3, {"frozen": 4})}, {"base": 5})
    for names, kept in [((), [2, 4]), (("base",), [1, 2, 5]), (("base", "rest"), [1, 2, 3, 4, 5])]:
        trained, rest = partition(params, *names)
        assert jax.tree.leaves(rest) == kept
        assert sorted(jax.tree.leaves((trained, rest))) == [1, 2, 3, 4, 5]
        assert merge(trained, rest) == params
        assert merge(rest, trained) == params


def test_as_layer_refuses_what_does_not_fit():
    layer, group = random_feature_attention(2, 3, gaussian()), symmetric(3)
    with pytest.raises(ValueError, match=r"arrays of shape \(4, 2\) have 8 entries, 7 \* scalar has dimension 7"):
        as_layer(layer, (4, 2), scalar(group, 7), scalar(group))
    with pytest.raises(ValueError, match=r"two representations of one group, got symmetric\(3\) and symmetric\(4\)"):
        as_layer(layer, (4, 2), scalar(group, 8), scalar(symmetric(4)))
