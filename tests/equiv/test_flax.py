"""The bridges to Flax: each trained once with optax, the same functions on both sides, and equivariant to the end."""

import importlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

from equiv.flax import as_linen, as_nnx, from_linen
from equiv.groups import cyclic, dihedral, o
from equiv.laws import assert_equivariance, measure_equivariance
from equiv.layers import bias, linear, pointwise, serial
from equiv.reps import pixels, regular, scalar, standard

D4 = dihedral(4)
PIXELS, HIDDEN, ANSWER = pixels(D4, 3), 6 * regular(D4), scalar(D4)
NET = serial(linear(PIXELS, HIDDEN), bias(HIDDEN), pointwise(HIDDEN, jax.nn.relu), linear(HIDDEN, ANSWER), bias(ANSWER))
STEPS = 150


def data(dtype=np.float64):
    """Images and an invariant of them: neighbours on the rim multiplied, and the centre."""
    x = np.random.default_rng(0).normal(size=(128, 9))
    rim = x[:, [0, 1, 2, 5, 8, 7, 6, 3]]
    y = np.tanh(np.sum(rim * np.roll(rim, 1, axis=1), axis=1) / 8**0.5) + 0.5 * x[:, 4]
    return jnp.asarray(x, dtype), jnp.asarray(y[:, None], dtype)


@pytest.fixture(autouse=True)
def promotion():
    """Optax mixes integers and floats."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def fit(loss, params):
    """Adam on the whole set; parameters and the loss before and after."""
    rule = optax.adam(2e-2)

    def step(carry, _):
        params, state = carry
        value, slope = jax.value_and_grad(loss)(params)
        updates, state = rule.update(slope, state, params)
        return (optax.apply_updates(params, updates), state), value

    (params, _), losses = jax.jit(lambda p: jax.lax.scan(step, (p, rule.init(p)), None, length=STEPS))(params)
    return params, float(losses[0]), float(losses[-1])


def turned(layer, apply):
    """Largest difference between ``apply(g x)`` and ``g apply(x)``, over all elements, with matrices in numpy."""
    x = data()[0][:7]
    matrices_in, matrices_out = jax.jit(lambda: [r.matrix(D4.elements()) for r in (layer.rep_in, layer.rep_out)])()
    y = np.asarray(jax.jit(apply)(jnp.einsum("gij,nj->gni", matrices_in, x)))
    return np.abs(y - np.einsum("gij,nj->gni", matrices_out, y[0])).max()


def test_linen_is_trained():
    module, (x, y) = as_linen(NET), data()
    variables = module.init(jax.random.key(0), x)
    variables, before, after = fit(lambda v: jnp.mean((module.apply(v, x) - y) ** 2), variables)
    assert after < before / 10
    assert after < np.var(y) / 10
    assert turned(NET, lambda x: module.apply(variables, x)) < 1e-13
    rows = jax.jit(lambda x: (module.apply(variables, x), NET.apply(variables["params"]["layer"], x)))(x)
    np.testing.assert_array_equal(*rows)


def test_nnx_is_trained():
    (x, y), model = data(), as_nnx(NET, nnx.Rngs(0))
    rule = nnx.Optimizer(model, optax.adam(2e-2), wrt=nnx.Param)

    @nnx.jit
    def step(model, rule):
        value, slope = nnx.value_and_grad(lambda m: jnp.mean((m(x) - y) ** 2))(model)
        rule.update(model, slope)
        return value

    losses = [float(step(model, rule)) for _ in range(STEPS)]
    assert losses[-1] < losses[0] / 10
    assert losses[-1] < np.var(y) / 10
    state = nnx.split(model)
    assert turned(NET, lambda x: nnx.merge(*state)(x)) < 1e-13


def test_the_trained_module_passes_the_law():
    """``assert_equivariance`` takes the bound module as it takes any function."""
    module = as_linen(NET)
    variables = jax.tree.map(lambda leaf: leaf + 0.3, module.init(jax.random.key(0), jnp.zeros(9)))
    report = assert_equivariance(lambda x: module.apply(variables, x), PIXELS, ANSWER, key=jax.random.key(1), n=256)
    assert report.eps_units < 50


def test_an_ordinary_module_is_measured_and_found_wanting():
    """It fits as well as the equivariant net, and is not equivariant, before training and after."""
    module, (x, y) = linen.Sequential([linen.Dense(48), linen.relu, linen.Dense(1)]), data()
    layer = from_linen(module, PIXELS, ANSWER)
    params, before, after = fit(lambda p: jnp.mean((layer.apply(p, x) - y) ** 2), layer.init(jax.random.key(0)))
    assert after < before / 10
    assert turned(layer, lambda x: layer.apply(params, x)) > 0.1
    report = measure_equivariance(layer, key=jax.random.key(0), n=256, climbs=0)
    assert report.eps_units > 1e12
    with pytest.raises(AssertionError, match="equivariance of Sequential"):
        assert_equivariance(layer, key=jax.random.key(0), n=256, climbs=0)


def test_a_linen_module_that_is_equivariant_passes():
    """A dense map shared by the elements of a group acting on 'channels' only: the bridge can say yes as well."""
    group, rep = cyclic(2), 3 * scalar(cyclic(2))
    layer = from_linen(linen.Dense(3), rep, rep)
    assert assert_equivariance(layer, key=jax.random.key(0), n=256, climbs=0).eps_units < 50
    sign = standard(o(1))
    odd = from_linen(linen.Dense(2, use_bias=False), 3 * sign, 2 * sign)
    assert assert_equivariance(odd, key=jax.random.key(0), n=256, climbs=0).eps_units < 50
    assert group is rep.group


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_go_round(dtype):
    """layer -> Linen -> layer -> NNX and back is the same function of the same numbers, in the dtype asked for."""
    x = data(dtype)[0][:5]
    params = NET.init(jax.random.key(3), dtype)
    module = as_linen(NET)
    again = from_linen(module, PIXELS, ANSWER)
    drawn = again.init(jax.random.key(3), dtype)
    model = as_nnx(NET, nnx.Rngs(3), dtype)
    leaves = [leaf[...] for leaf in model.leaves]
    own = jax.tree.unflatten(jax.tree.structure(params), leaves)

    @jax.jit
    def build(params, own, drawn, x):
        variables = {"params": {"layer": params}}
        return (
            NET.apply(params, x),
            module.apply(variables, x),
            again.apply(variables, x),
            NET.apply(own, x),
            NET.apply(drawn["params"]["layer"], x),
            again.apply(drawn, x),
        )

    plain, as_module, back, by_nnx, unpacked, direct = map(np.asarray, build(params, own, drawn, x))
    assert {a.dtype for a in (plain, back, by_nnx, direct)} == {np.dtype(dtype)}
    assert {leaf.dtype for leaf in jax.tree.leaves((drawn, leaves))} == {np.dtype(dtype)}
    np.testing.assert_array_equal(as_module, plain)
    np.testing.assert_array_equal(back, plain)
    np.testing.assert_array_equal(direct, unpacked)
    np.testing.assert_allclose(jax.jit(model)(x), by_nnx, rtol=1e-6 if dtype == np.float32 else 1e-13)


def test_layers_without_parameters():
    relu = pointwise(PIXELS, jax.nn.relu)
    x = jnp.linspace(-1, 1, 9)
    module = as_linen(relu)
    variables = module.init(jax.random.key(0), x)
    assert jax.tree.leaves(variables) == []
    np.testing.assert_array_equal(module.apply(variables, x), jnp.maximum(x, 0))
    np.testing.assert_array_equal(as_nnx(relu, nnx.Rngs(0))(x), jnp.maximum(x, 0))


def test_a_bridged_module_in_serial():
    head = from_linen(as_linen(linear(HIDDEN, ANSWER)), HIDDEN, ANSWER)
    net = serial(linear(PIXELS, HIDDEN), head)
    params = net.init(jax.random.key(0))
    assert turned(net, lambda x: net.apply(params, x)) < 1e-13
    assert from_linen(as_linen(linear(HIDDEN, ANSWER)), HIDDEN, ANSWER) is head


def test_without_flax_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "flax", None)
    monkeypatch.delitem(sys.modules, "equiv.flax")
    with pytest.raises(
        ImportError, match=r"^equiv.flax needs Flax, which is not installed: pip install 'equiv\[flax\]'$"
    ):
        importlib.import_module("equiv.flax")
