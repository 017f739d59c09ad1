"""Polar and Cartan decompositions of many small matrices, side by side with jnp.linalg.

Both are compiled, run in this process, and take turns on the same 65536 matrices in float32. What is computed is P, R
and log P of each matrix; the two ways with jnp.linalg are the singular value decomposition, which is as accurate, and
the eigendecomposition of ``A A^T``, which is not: its error of log P at condition number 1000 is printed beside ours.
The ratio that is asked for is to the first. With gradients, ours is timed alone: those of jnp.linalg are NaN where
singular values coincide.

LAPACK calls of a batch may use several threads, ours uses one; run with ``make bench``, on a machine that does nothing
else.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.groups.decompositions import cartan_log, polar

WANTED = {2: 15, 3: 8}
"""Size of the matrices -> how many times faster than by singular values."""
N, ROUNDS = 65536, 21

Decomposition = tuple[jax.Array, jax.Array, jax.Array]


def _transpose(a: jax.Array) -> jax.Array:
    return jnp.swapaxes(a, -1, -2)


def by_singular_values(a: jax.Array) -> Decomposition:
    u, s, v = jnp.linalg.svd(a)
    return (u * s[..., None, :]) @ _transpose(u), u @ v, (u * jnp.log(s)[..., None, :]) @ _transpose(u)


def by_eigenvectors(a: jax.Array) -> Decomposition:
    squares, u = jnp.linalg.eigh(a @ _transpose(a))
    along = lambda values: (u * values[..., None, :]) @ _transpose(u)
    root = jnp.sqrt(squares)
    return along(root), along(1 / root) @ a, along(jnp.log(root))


def ours(a: jax.Array) -> Decomposition:
    p, r = polar(a)
    return p, r, cartan_log(a)[0]


def gradient(a: jax.Array) -> jax.Array:
    return jax.grad(lambda a: sum(jnp.sum(part**2) for part in (*polar(a), *cartan_log(a))))(a)


WAYS = {"singular values": by_singular_values, "eigenvectors": by_eigenvectors, "ours": ours}


def draws(n: int) -> jax.Array:
    a = np.eye(n) + 0.3 * np.random.default_rng(0).normal(size=(N, n, n))
    a[np.linalg.det(a) < 0, 0] *= -1
    return jnp.asarray(a, jnp.float32)


def stretched(n: int) -> tuple[jax.Array, np.ndarray]:
    """A hundred matrices of condition number 1000, and log P of what float32 makes of them."""
    rng = np.random.default_rng(1)
    u, v = (np.linalg.qr(rng.normal(size=(100, n, n)))[0] for _ in range(2))
    a = u * np.geomspace(1000**0.5, 1000**-0.5, n) @ v
    a[np.linalg.det(a) < 0, :, 0] *= -1
    a = a.astype(np.float32)
    u, s, _ = np.linalg.svd(a.astype(np.float64))
    return jnp.asarray(a), u * np.log(s)[:, None, :] @ u.swapaxes(1, 2)


def seconds(f: Callable[[Any], Any], a: jax.Array) -> float:
    start = time.perf_counter()
    jax.block_until_ready(f(a))
    return time.perf_counter() - start


@pytest.mark.parametrize("n", [2, 3])
def test_decomposition(benchmark, capsys, n):
    a = draws(n)
    ways = {name: jax.jit(way) for name, way in WAYS.items()} | {"gradient": jax.jit(gradient)}
    for way in ways.values():
        seconds(way, a)
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(seconds(way, a))
    benchmark.pedantic(lambda: jax.block_until_ready(ways["ours"](a)), rounds=ROUNDS)

    hard, expected = stretched(n)
    lines = [f"{N} matrices {n} x {n}, float32: P, R and log P; milliseconds, {ROUNDS} rounds"]
    for name, values in times.items():
        low, median, high = np.percentile(np.multiply(values, 1e3), [25, 50, 75])
        lines.append(f"  {name:16} {median:8.2f} ({low:.2f} to {high:.2f})")
        if name in WAYS:
            error = np.abs(np.asarray(WAYS[name](hard)[2], np.float64) - expected).max()
            lines[-1] += f"; error of log P at condition number 1000: {error:.0e}"
    median = {name: statistics.median(values) for name, values in times.items()}
    ratio = median["singular values"] / median["ours"]
    lines.append(
        f"  ratio {ratio:.1f} to singular values (asked for {WANTED[n]}), "
        f"{median['eigenvectors'] / median['ours']:.1f} to eigenvectors"
    )
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201
    for got, other in zip(ways["ours"](a), ways["singular values"](a)):
        np.testing.assert_allclose(got, other, atol=2e-3)
    assert ratio >= WANTED[n]
