"""Canaries: is this jax, on this machine, one whose numbers can be trusted?

jax 0.10.2 on CPU silently returns wrong rows: `jit(vmap(lambda r: norm(M @ r)))` on (n, 3) arrays is wrong past row
16384 in float64 and past row 32768 in float32. Powers of two come out right, so sizes here are awkward on purpose.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

AWKWARD = 32771  # prime, past both thresholds


def draw(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def assert_close(got, expected, dtype, units=64):
    """Within `units` machine epsilons of the largest entry, row by row finite."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    assert got.dtype == dtype
    assert np.isfinite(got).all()
    error = np.abs(got.astype(np.float64) - expected.astype(np.float64))
    bound = units * float(np.finfo(dtype).eps) * np.abs(expected).max()
    wrong = np.flatnonzero((error > bound).reshape(len(error), -1).any(axis=1))
    assert not wrong.size, f"{wrong.size} wrong rows from row {wrong[0]} on, the largest off by {error.max():.3g}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [16385, 20000, 32769, 40000])
def test_norms_of_a_rotated_batch(n, dtype):
    m, x = draw((3, 3), dtype), draw((n, 3), dtype, seed=1)
    got = jax.jit(jax.vmap(lambda r: jnp.linalg.norm(m @ r)))(x)
    assert_close(got, np.linalg.norm(x.astype(np.float64) @ m.T.astype(np.float64), axis=1), dtype)


ROW_FUNCTIONS = {
    "rotate": lambda m, r: m @ r,
    "energy": lambda m, r: jnp.sum((m @ r) ** 2),
    "quadratic form": lambda m, r: r @ (m @ r),
    "einsum": lambda m, r: jnp.einsum("ij,j,k->ik", m, r, r),
    "cross product": lambda m, r: jnp.cross(m @ r, r),
    "normalize": lambda m, r: (m @ r) / jnp.linalg.norm(m @ r),
    "gather": lambda m, r: (m @ r)[jnp.array([2, 0, 1])],
    "softmax": lambda m, r: jax.nn.softmax(m @ r),
    "cumulative": lambda m, r: jnp.cumsum(m @ r),
    "sort": lambda m, r: jnp.sort(m @ r),
    "gradient": lambda m, r: jax.grad(lambda s: jnp.sum(jnp.tanh(m @ s)))(r),
    "scan": lambda m, r: jax.lax.scan(lambda s, _: (jnp.tanh(m @ s), None), r, length=3)[0],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ROW_FUNCTIONS)
def test_jit_equals_eager(name, dtype):
    m, x = draw((3, 3), dtype), draw((AWKWARD, 3), dtype, seed=1)
    function = jax.vmap(lambda r: ROW_FUNCTIONS[name](m, r))
    with jax.disable_jit():
        expected = function(x)
    assert_close(jax.jit(function)(x), expected, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matmul_is_not_reduced_precision(dtype):
    a, b = draw((67, 131), dtype), draw((131, 71), dtype, seed=1)
    assert_close(jax.jit(jnp.matmul)(a, b), a.astype(np.float64) @ b.astype(np.float64), dtype)


def test_the_session_is_strict():
    assert jax.config.jax_enable_x64
    assert jnp.ones(1).dtype == jnp.float64
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.ones((2, 3)) + jnp.ones(3)
    with pytest.raises(jax.errors.KeyReuseError):
        (lambda key: (jax.random.normal(key), jax.random.normal(key)))(jax.random.key(0))


def test_signatures_are_checked():
    """The import hook is in place: a wrong shape is refused by its signature."""
    from equiv import reps

    assert hasattr(reps.character, "__wrapped__")
