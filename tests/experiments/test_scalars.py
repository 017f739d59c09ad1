"""The model of scalars: invariant and equivariant to rounding, blind to parity, and able to be what it has to be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from equiv import laws
from equiv.groups import lorentz as lorentz_group
from equiv.groups import o
from experiments.data import inertia, lorentz, o5
from experiments.models.mlp import mlp
from experiments.models.scalars import inner_products, scalars

MODELS = {
    "o5": (scalars(0, 2, o5.SIGNATURE, 8, 2), o5, o(5)),
    "inertia": (scalars(5, 5, (1.0, 1.0, 1.0), 8, 2, "tensor"), inertia, o(3)),
    "lorentz": (scalars(0, 4, lorentz.SIGNATURE, 8, 2), lorentz, lorentz_group(1, 3, "full")),
}


def network(model, dtype):
    """With parameters off their start, so that no bias is zero."""
    params = jax.jit(model.init)(jax.random.key(0))
    draw = np.random.default_rng(1)
    params = jax.tree.map(lambda p: jnp.asarray(np.asarray(p) + 0.1 * draw.standard_normal(p.shape), dtype), params)
    return lambda x: model.apply(params, x)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("name", ["o5", "inertia"])
def test_equivariant(name, dtype):
    model, data, group = MODELS[name]
    found = laws.measure_equivariance(
        network(model, dtype), data.rep_in(group), data.rep_out(group), key=jax.random.key(2), dtype=dtype, n=64
    )
    assert found.problem is None
    assert found.eps_units < 200, found  # sums of squares, some of them large


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_equivariant_under_boosts(dtype):
    """At rapidities of order one: rounding grows with the square of the boost, and the law climbs to larger ones."""
    model, data, group = MODELS["lorentz"]
    f, rep = jax.jit(network(model, dtype)), data.rep_in(group)
    x = jax.jit(lambda key: data.sample(key, 40, dtype=dtype).x)(jax.random.key(2)).astype(jnp.float64)
    g = jax.jit(lambda key: group.exp(jax.random.normal(key, (40, 6)) / 2))(jax.random.key(3))
    g = g @ group.generators()[np.arange(40) % 2]
    y, moved = (np.asarray(f(v.astype(dtype)), np.float64) for v in (x, rep.act(g, x)))
    assert np.linalg.norm(g, axis=(1, 2)).max() > 3
    assert np.abs(moved - y).max() / np.sqrt(np.mean(y**2)) < 200 * jnp.finfo(dtype).eps
    assert y.std() > 1e-3


@pytest.mark.parametrize("signature", [(1.0, 1.0, 1.0), (1.0, -1.0, -1.0, -1.0)])
@pytest.mark.parametrize("output", ["vector", "tensor"])
def test_outputs_turn(signature, output):
    """The outputs that no task here has: a vector turns, a tensor with upper indices turns on both sides."""
    d = len(signature)
    eta = np.diag(signature)
    draw = np.random.default_rng(3)
    skew = draw.standard_normal((d, d)) / 4
    g = scipy.linalg.expm(eta @ (skew - skew.T))
    np.testing.assert_allclose(g.T @ eta @ g, eta, atol=1e-12)
    f = jax.jit(network(scalars(1, 2, signature, 6, 1, output), jnp.float64))
    x = draw.standard_normal((9, 1 + 2 * d))
    moved = np.concatenate([x[:, :1], (x[:, 1:].reshape(9, 2, d) @ g.T).reshape(9, 2 * d)], axis=1)
    out = g if output == "vector" else np.kron(g, g)
    np.testing.assert_allclose(f(moved), f(x) @ out.T, rtol=1e-9, atol=1e-10)
    assert np.abs(f(x)).max() > 0.01


def test_inner_products():
    draw = np.random.default_rng(4)
    v = draw.standard_normal((3, 4, 5))
    signature = (1.0, -1.0, 1.0, -1.0, -1.0)
    gram = np.einsum("nia,nja,a->nij", v, v, np.array(signature)) / 5
    found = np.asarray(inner_products(jnp.asarray(v), signature))
    assert found.shape == (3, 10)
    np.testing.assert_allclose(found, gram[:, *np.triu_indices(4)], rtol=1e-12)


def test_the_tensor_can_be_the_inertia():
    """``f_0 = sum m r^2`` and ``f_ii = -m_i k`` give the tensor of inertia: the form holds what it has to."""
    x, y = jax.jit(lambda key: inertia.sample(key, 20))(jax.random.key(5))
    mass, position = np.asarray(x[:, :5]), np.asarray(x[:, 5:]).reshape(-1, 5, 3)
    f_0 = (mass * (position**2).sum(-1)).sum(1)
    tensor = f_0[:, None, None] * np.eye(3) + np.einsum("nb,nbi,nbj->nij", -mass, position, position)
    np.testing.assert_allclose(tensor.reshape(-1, 9), y, rtol=1e-10)


def test_an_orthogonal_start():
    """Weights with orthonormal columns or rows, so that 384 hidden units start near zero, and small positive biases."""
    params = jax.tree.map(np.asarray, jax.jit(mlp(10, 24, 2, 1, jax.nn.silu, orthogonal=True).init)(jax.random.key(0)))
    layers = [params["params"][f"Dense_{k}"] for k in range(3)]
    for layer, (rows, columns) in zip(layers, ((10, 24), (24, 24), (24, 1))):
        w, b = layer["kernel"], layer["bias"]
        assert w.shape == (rows, columns)
        gram = w @ w.T if rows < columns else w.T @ w
        np.testing.assert_allclose(gram, np.eye(min(rows, columns)), atol=1e-5)
        assert ((b >= 0) & (b <= columns**-0.5)).all()
    assert layers[0]["bias"].std() > 0.02


def test_another_output_is_refused():
    with pytest.raises(ValueError, match="output has to be one of scalar, vector, tensor, got 'spinor'"):
        scalars(0, 2, (1.0, 1.0), 4, 1, "spinor")
