"""Layers by direct computation: variances, matrices of every element, refusals in words, jax's transformations."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.groups import dihedral, o, polyhedral, shifts, so, symmetric
from equiv.layers import bias, linear, parallel, pointwise, residual, serial
from equiv.reps import intertwiners, pixels, regular, scalar, standard

DTYPES = [np.float32, np.float64]
D4, S4, SO3 = dihedral(4), symmetric(4), so(3)
PLANE, PIXELS, REGULAR = standard(D4), pixels(D4, 3), regular(D4)
V, SCALARS, SETS = standard(SO3), scalar(SO3, 4), standard(S4)
ICOSAHEDRAL = polyhedral("icosahedral")

LAYERS = {
    "linear": lambda: linear(PIXELS, 2 * REGULAR + PLANE),
    "sets": lambda: linear(SETS * SETS + SETS, 2 * SETS),
    "bias": lambda: bias(2 * REGULAR + PIXELS),
    "relu": lambda: pointwise(PIXELS, jax.nn.relu),
    "tanh": lambda: pointwise(PLANE, jnp.tanh),
    "serial": lambda: serial(
        linear(PIXELS, 3 * REGULAR), bias(3 * REGULAR), pointwise(3 * REGULAR, jax.nn.gelu), linear(3 * REGULAR, PLANE)
    ),
    "residual": lambda: residual(serial(linear(REGULAR, REGULAR), pointwise(REGULAR, jnp.sin))),
    "parallel": lambda: parallel(linear(PLANE, 2 * PLANE), pointwise(PIXELS, jax.nn.relu), bias(REGULAR)),
    "icosahedral": lambda: linear(2 * standard(ICOSAHEDRAL), standard(ICOSAHEDRAL) * standard(ICOSAHEDRAL)),
    "convolution": lambda: linear(regular(shifts((3, 4))), 2 * regular(shifts((3, 4)))),
}


def moved(params, seed=0):
    """Parameters in which nothing is zero."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: leaf + rng.normal(size=leaf.shape).astype(leaf.dtype), params)


@functools.cache
def matrices(rep):
    return np.asarray(jax.jit(lambda: rep.matrix(rep.group.elements()))())


def eps_units(got, expected, dtype):
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert np.isfinite(got).all()
    return float(np.abs(got - expected).max() / (np.finfo(dtype).eps * np.sqrt(np.mean(expected**2))))


def violation(layer, dtype, apply=None):
    """``apply(g x)`` against ``g apply(x)`` over all elements, the group acting by float64 matrices in numpy."""
    apply = apply or layer.apply
    params = moved(jax.jit(lambda key: layer.init(key, dtype))(jax.random.key(0)))
    x = np.random.default_rng(1).normal(size=(5, layer.rep_in.dim)).astype(dtype)
    turned = np.einsum("gij,nj->gni", matrices(layer.rep_in), x.astype(np.float64)).astype(dtype)
    y, y_turned = jax.jit(lambda p, x, z: (apply(p, x), apply(p, z)))(params, x, turned)
    assert y.dtype == y_turned.dtype == dtype
    assert y.shape == (5, layer.rep_out.dim)
    expected = np.einsum("gij,nj->gni", matrices(layer.rep_out), np.asarray(y, np.float64))
    return eps_units(y_turned, expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_equivariant(name, dtype):
    assert violation(LAYERS[name](), dtype) < 30


def test_the_check_of_equivariance_can_fail():
    layer = LAYERS["serial"]()
    broken = lambda params, x: layer.apply(params, x.at[..., 0].multiply(jnp.asarray(1.001, x.dtype)))
    assert violation(layer, np.float32, broken) > 1e3
    assert violation(layer, np.float64, broken) > 1e11


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinite_groups(dtype):
    layer = residual(serial(linear(2 * V + V * V + SCALARS, 2 * V + V * V + SCALARS), bias(2 * V + V * V + SCALARS)))
    g = np.asarray(jax.jit(lambda key: SO3.sample(key, (6, 1)))(jax.random.key(1)))
    x = np.random.default_rng(1).normal(size=(4, layer.rep_in.dim)).astype(dtype)
    params = moved(jax.jit(lambda key: layer.init(key, dtype))(jax.random.key(0)))
    act = jax.jit(layer.rep_in.act)
    y = jax.jit(layer.apply)(params, x)
    turned = jax.jit(layer.apply)(params, np.asarray(act(g, x.astype(np.float64))).astype(dtype))
    assert eps_units(turned, act(g, np.asarray(y, np.float64)), dtype) < 30


# --- initial scale -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reps",
    [
        (PIXELS, 2 * REGULAR + PLANE),
        (SETS * SETS + 3 * SETS, 2 * SETS + SETS * SETS),
        (2 * V + V * V + SCALARS, 3 * V + V * V + SCALARS),
        (standard(so(2)), 5 * standard(so(2))),
    ],
    ids=lambda reps: f"{reps[0]} to {reps[1]}",
)
def test_unit_variance_goes_through(reps):
    """With ``E x x^T = 1`` each summand of the output has ``E |y|^2 = dim``, over 2000 draws of the weights."""
    n, layer = 2000, linear(*reps)
    keys = jax.random.split(jax.random.key(2), n)
    x = np.random.default_rng(3).normal(size=(n, layer.rep_in.dim))
    y = np.asarray(jax.jit(jax.vmap(lambda k, x: layer.apply(layer.init(k), x)))(keys, x))
    start = 0
    for rep, copies in layer.rep_out.summands:
        part = y[:, start : start + copies * rep.dim]
        start += copies * rep.dim
        energy = np.sum(part**2, axis=1)
        error = energy.std(ddof=1) / n**0.5
        assert abs(energy.mean() - copies * rep.dim) < 5 * error, rep
        assert error < 0.1 * copies * rep.dim


def test_weights_by_formula():
    """Deviation ``sqrt(dim / k)``: k maps arrive at a summand of that dimension."""
    layer = linear(2 * V + SCALARS, 3 * V + 2 * scalar(SO3))
    weights = jax.jit(jax.vmap(lambda k: layer.init(k)["weight"]))(jax.random.split(jax.random.key(0), 4000))
    expected = np.sqrt([3 / 2] * 6 + [1 / 4] * 8)
    found = np.asarray(weights).std(axis=0, ddof=1)
    assert weights.shape == (4000, 14)
    assert (np.abs(found - expected) < 5 * expected / np.sqrt(2 * 4000)).all()
    corr = np.corrcoef(np.asarray(weights).T) - np.eye(14)
    assert np.abs(corr).max() < 5 / 4000**0.5


def test_a_linear_layer_is_every_equivariant_matrix():
    layer = linear(PIXELS, REGULAR)
    weight = np.random.default_rng(0).normal(size=9)
    matrix = jax.jit(jax.vmap(lambda x: layer.apply({"weight": weight}, x), out_axes=1))(np.eye(9))
    np.testing.assert_allclose(matrix, intertwiners.basis(PIXELS, REGULAR).combine(jnp.asarray(weight)), atol=1e-15)


def test_a_bias_is_every_invariant_vector():
    layer = bias(2 * REGULAR + PIXELS)
    zero = layer.init(jax.random.key(0))
    assert zero["bias"].tolist() == [0] * 5  # one for each copy of the regular one, three rings of pixels
    shift = jax.jit(jax.vmap(lambda b: layer.apply({"bias": b}, jnp.zeros(25))))(np.eye(5))
    np.testing.assert_allclose(shift @ shift.T, np.eye(5), atol=1e-14)
    fixed = np.einsum("gij,kj->gki", matrices(layer.rep_in), shift)
    np.testing.assert_allclose(fixed, np.broadcast_to(shift, fixed.shape), atol=1e-15)


# --- combinators ------------------------------------------------------------------------------------------


def test_combinators_by_hand():
    first, second = linear(PLANE, 2 * PLANE), pointwise(2 * PLANE, jnp.tanh)
    x = np.random.default_rng(0).normal(size=(3, 2))
    params = first.init(jax.random.key(0))

    @jax.jit
    def build(p, x):
        y = first.apply(p, x)
        both = parallel(first, pointwise(PIXELS, jax.nn.relu))
        wide = both.apply((p, {}), jnp.concatenate([x, -jnp.ones((3, 9))], axis=-1))
        return y, serial(first, second).apply((p, {}), x), wide, residual(second).apply({}, y)

    y, composed, side, added = map(np.asarray, build(params, x))
    np.testing.assert_allclose(composed, np.tanh(y), rtol=1e-14)
    np.testing.assert_allclose(side, np.concatenate([y, np.zeros((3, 9))], axis=1), atol=1e-15)
    np.testing.assert_allclose(added, y + np.tanh(y), rtol=1e-14)
    single = serial(first)
    assert (single.rep_in, single.rep_out) == (PLANE, 2 * PLANE)


def test_parameters_of_combinators():
    net = LAYERS["serial"]()
    params = net.init(jax.random.key(0), np.float32)
    assert [jax.tree.map(jnp.shape, p) for p in params] == [{"weight": (27,)}, {"bias": (3,)}, {}, {"weight": (6,)}]
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    weights = [np.asarray(p["weight"]) for p in params if "weight" in p]
    assert not np.isclose(weights[0][:6], weights[1]).any()  # each layer draws from a key of its own


# --- dtypes, shapes, NaN -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_shapes_and_dtypes(name):
    """The output has the dtype of the input whatever that of the parameters; empty and inner axes pass."""
    layer = LAYERS[name]()
    for own in DTYPES:
        params = jax.eval_shape(lambda own=own: layer.init(jax.random.key(0), own))
        assert all(leaf.dtype == own for leaf in jax.tree.leaves(params))
        for dtype in DTYPES:
            for shape in ((), (0,), (2, 3), (1, 0, 4)):
                x = jax.ShapeDtypeStruct((*shape, layer.rep_in.dim), dtype)
                y = jax.eval_shape(layer.apply, params, x)
                assert (y.shape, y.dtype) == ((*shape, layer.rep_out.dim), dtype)


def test_an_empty_batch_computes():
    layer = LAYERS["serial"]()
    y = jax.jit(layer.apply)(layer.init(jax.random.key(0)), np.zeros((0, 9)))
    assert y.shape == (0, 2)


@pytest.mark.parametrize("name", LAYERS)
def test_nan_stays_nan(name):
    """A NaN in the input, or in a parameter, is seen in the output."""
    layer = LAYERS[name]()
    params = layer.init(jax.random.key(0))
    x = np.ones((2, layer.rep_in.dim))
    x[1, -1] = np.nan
    apply = jax.jit(layer.apply)
    y = np.asarray(apply(params, x))
    assert np.isfinite(y[0]).all()
    assert np.isnan(y[1]).any()
    spoilt = jax.tree.map(lambda leaf: leaf * np.nan, params)
    if jax.tree.leaves(params):
        assert np.isnan(np.asarray(apply(spoilt, x))[0]).any()


# --- jax's transformations -------------------------------------------------------------------------------------


def test_jit_vmap_grad():
    layer = LAYERS["serial"]()
    x = np.random.default_rng(0).normal(size=(6, 9))
    params = moved(layer.init(jax.random.key(0)))
    loss = lambda p, x: jnp.sum(layer.apply(p, x) ** 2)

    @jax.jit
    def build(p, x):
        rows = jax.vmap(layer.apply, in_axes=(None, 0))(p, x)
        direction = jax.tree.map(jnp.ones_like, p)
        shifted = lambda t: loss(jax.tree.map(lambda a, b: a + t * b, p, direction), x)
        slope = sum(jnp.sum(leaf) for leaf in jax.tree.leaves(jax.grad(loss)(p, x)))
        return layer.apply(p, x), rows, slope, shifted(1e-5), shifted(-1e-5), jax.jvp(shifted, (0.0,), (1.0,))[1]

    batched, rows, slope, up, down, forward = map(np.asarray, build(params, x))
    np.testing.assert_allclose(rows, batched, atol=1e-13)
    assert float(slope) == pytest.approx((up - down) / 2e-5, rel=1e-6)
    assert float(slope) == pytest.approx(float(forward), rel=1e-12)
    np.testing.assert_allclose(layer.apply(params, jnp.asarray(x)), batched, atol=1e-13)


def test_many_seeds_at_once():
    layer = LAYERS["residual"]()
    many = jax.jit(jax.vmap(layer.init))(jax.random.split(jax.random.key(0), 7))
    assert jax.tree.map(jnp.shape, many) == ({"weight": (7, 8)}, {})
    y = jax.jit(jax.vmap(layer.apply, in_axes=(0, None)))(many, np.ones((2, 8)))
    assert y.shape == (7, 2, 8)
    assert len(np.unique(np.asarray(y)[:, 0, 0])) == 7


def test_layers_are_static_and_interned():
    traced = []

    @functools.partial(jax.jit, static_argnums=0)
    def run(layer, params, x):
        traced.append(layer)
        return layer.apply(params, x)

    build = lambda: serial(linear(PLANE, 2 * PLANE), pointwise(2 * PLANE, jnp.tanh))
    layer = build()
    assert build() is layer
    params = layer.init(jax.random.key(0))
    run(layer, params, np.ones(2))
    run(build(), params, np.ones(2))
    assert traced == [layer]
    assert jax.tree.leaves(layer) == []
    assert residual(pointwise(SCALARS, jnp.tanh)) != pointwise(SCALARS, jnp.tanh)


# --- what is allowed where ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rep", "activation", "allowed"),
    [
        (SCALARS, jax.nn.relu, True),
        (SETS * SETS, jax.nn.gelu, True),
        (PIXELS, jnp.sin, True),
        (PLANE, jnp.tanh, True),
        (PLANE, jax.nn.relu, False),
        (PLANE * PLANE, jax.nn.relu, False),
        (standard(dihedral(3)), jnp.tanh, False),
        (V, jnp.tanh, False),
        (V, jax.nn.relu, False),
        (V + SCALARS, jax.nn.relu, False),
        (standard(o(1)), jnp.tanh, True),
        (standard(o(1)), jax.nn.softplus, False),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_pointwise_only_where_it_commutes(rep, activation, allowed):
    """Judged by trying: does the activation commute with the matrices? The builder has to say the same."""
    x = np.random.default_rng(0).normal(size=(40, rep.dim))
    draw = rep.group.elements if rep.group.order else lambda: rep.group.sample(jax.random.key(0), (20,))
    g = np.asarray(jax.jit(lambda: rep.matrix(draw()))())
    late = activation(jnp.asarray(np.einsum("gij,nj->gni", g, x)))
    soon = np.einsum("gij,nj->gni", g, np.asarray(activation(jnp.asarray(x))))
    assert bool(np.abs(late - soon).max() < 1e-12) == allowed
    if allowed:
        assert pointwise(rep, activation).rep_out is rep
    else:
        with pytest.raises(ValueError, match=r"mixes them|takes only odd activations"):
            pointwise(rep, activation)
