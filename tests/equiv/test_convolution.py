"""Convolution by rows and by transforms of tiles against XLA's own, in value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.layers import convolution

WAYS = {"rows": convolution._by_rows, "tiles": convolution._by_tiles}
BUDGET = {"float32": 100.0, "float64": 100.0, "bfloat16": 4.0}


def draw(n, channels, out, side, size, dtype):
    v = jax.random.normal(jax.random.key(0), (n, channels, side, side)).astype(dtype)
    return v, (jax.random.normal(jax.random.key(1), (out, channels, size, size)) / channels**0.5 / size).astype(dtype)


def eps_units(found, wanted):
    found, wanted = (np.asarray(x, np.float64) for x in (found, wanted))
    return np.abs(found - wanted).max() / np.sqrt(np.mean(wanted**2))


@pytest.mark.parametrize("dtype", BUDGET)
@pytest.mark.parametrize(("side", "size"), [(5, 5), (16, 5), (17, 5), (29, 3), (30, 7), (26, 9), (12, 1)])
@pytest.mark.parametrize("way", WAYS)
def test_it_is_the_convolution(way, side, size, dtype):
    v, k = draw(2, 3, 4, side, size, dtype)
    found = WAYS[way](v, k)
    assert found.dtype == v.dtype
    assert found.shape == (2, 4, side - size + 1, side - size + 1)
    wanted = convolution._directly(v.astype("float64"), k.astype("float64"))
    assert eps_units(found, wanted) / float(jnp.finfo(dtype).eps) < BUDGET[dtype]


@pytest.mark.parametrize("way", WAYS)
def test_gradients_agree(way):
    v, k = draw(2, 3, 4, 20, 5, "float64")
    of = lambda f: jax.grad(lambda v, k: jnp.sum(f(v, k) ** 3), argnums=(0, 1))(v, k)
    for a, b in zip(of(WAYS[way]), of(convolution._directly), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_many_channels_are_the_same_convolution(padding):
    """Where the transforms take over: 64 channels and 128 tiles."""
    v, k = draw(32, 64, 64, 24, 5, "float32")
    found = jax.jit(convolution.convolve, static_argnums=2)(v.reshape(4, 8, *v.shape[1:]), k, padding)
    ends = [(0, 0), (0, 0), (2, 2), (2, 2)] if padding == "same" else [(0, 0)] * 4
    wanted = convolution._directly(jnp.pad(v, ends).astype("float64"), k.astype("float64"))
    text = jax.jit(convolution.convolve, static_argnums=2).lower(v, k, padding).as_text()
    assert "fft" in text
    assert "convolution" not in text
    few = jax.jit(convolution.convolve, static_argnums=2).lower(v[:1], k, padding).as_text()
    assert "fft" not in few
    assert eps_units(found.reshape(32, *found.shape[2:]), wanted) / np.finfo(np.float32).eps < BUDGET["float32"]
