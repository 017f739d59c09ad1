"""Gram matrices of attention kernels in tiles, side by side with the sum written out for all pairs at once.

The reference is the textbook formula on arrays (n, n, N, N): arc cosines for the law of mean zero, and for the biased
one the distribution function of two normal variables by 24 Gauss-Legendre nodes and four distribution functions of
one. Both ways are compiled, run in this process, take turns and are in float64, on N = 16 keys and tokens of length
16. At n = 2000 the time and the memory of ours are printed; the floor is the number of exponentials, one for each of 24
nodes of each pair of keys of each pair of sets, of which the symmetric half is computed.

The last row is a whole learning curve: 1000 drawn heads, five sizes, four ridges, nine targets.

Run with ``make bench``, on a machine that does nothing else and has 8 GB free.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv import numerics
from equiv.layers import attention_kernel, biased, gaussian
from experiments.attention_fits import LEARNERS, Constants, errors, matrices
from experiments.data.tokens import TARGETS, draw_directions, draw_tokens, labels

LAWS = {"gaussian": gaussian(), "biased": biased()}
WANTED = {"gaussian": 3.5, "biased": 5.0}
"""How many times faster at n = 512 than all pairs at once."""
LONGEST = {"gaussian": 60.0, "biased": 600.0}
"""Seconds that n = 2000 may take."""
MEMORY = 2e9
"""Most bytes at n = 2000."""
D, KEYS, SMALL, LARGE, ROUNDS = 16, 16, 512, 2000, 5


@pytest.fixture(autouse=True)
def precision():
    with numerics.float64():
        yield


def tokens(n: int) -> jax.Array:
    return draw_tokens(jax.random.key(0), n, KEYS, D, jnp.float64)


def distribution(a: jax.Array) -> jax.Array:
    return jax.scipy.stats.norm.cdf(a)


def density(a: jax.Array) -> jax.Array:
    return jax.scipy.stats.norm.pdf(a)


def moment(a: jax.Array, b: jax.Array, rho: jax.Array) -> jax.Array:
    """``E (a + U)_+ (b + V)_+`` by the formula for truncated normal variables."""
    r = jnp.sqrt(1 - rho**2)
    both = distribution(a) * distribution(b)
    for node, weight in zip(*np.polynomial.legendre.leggauss(24)):
        angle = jnp.arcsin(rho) * float(1 + node) / 2
        inside = jnp.exp(-(a**2 - 2 * a * b * jnp.sin(angle) + b**2) / (2 * jnp.cos(angle) ** 2))
        both = both + float(weight) / (4 * np.pi) * jnp.arcsin(rho) * inside
    joint = jnp.exp(-(a**2 - 2 * rho * a * b + b**2) / (2 * r**2)) / (2 * np.pi * r)
    first = a * density(b) * distribution((a - rho * b) / r) + b * density(a) * distribution((b - rho * a) / r)
    return (a * b + rho) * both + first + r**2 * joint


def naive(law: str) -> Callable[[jax.Array], jax.Array]:
    """All pairs of keys of all pairs of sets at once, for tokens of length one."""

    def gram(x: jax.Array) -> jax.Array:
        s = 1 + x[:, 0] @ x[:, 0].T
        t = 1 + jnp.einsum("nid,mjd->nmij", x[:, 1:], x[:, 1:])
        rho = jnp.minimum(s[:, :, None, None] * t / 4, 1 - 1e-12)
        if law == "gaussian":
            kappa = (jnp.sqrt(1 - rho**2) + rho * (np.pi - jnp.arccos(rho))) / (2 * np.pi)
        else:
            close = jnp.einsum("nd,nid->ni", x[:, 0], x[:, 1:])
            kappa = moment(close[:, None, :, None], close[None, :, None, :], rho)
        return jnp.mean(t * kappa, axis=(2, 3))

    return gram


def seconds(way: Callable[..., Any], *arrays: Any) -> float:
    start = time.perf_counter()
    jax.block_until_ready(way(*arrays))
    return time.perf_counter() - start


@pytest.mark.parametrize("law", LAWS)
def test_gram(benchmark, capsys, law):
    """Faster than all pairs at once, and the same numbers; n = 2000 in time and memory."""
    ours, written_out = jax.jit(attention_kernel(LAWS[law]).gram), jax.jit(naive(law))
    x = tokens(SMALL)
    off = float(jnp.abs(ours(x) - written_out(x)).max())
    times = {"ours": [], "all at once": []}
    for _ in range(ROUNDS):
        times["ours"].append(seconds(ours, x))
        times["all at once"].append(seconds(written_out, x))
    ours_s, other_s = (statistics.median(v) for v in times.values())
    ratio = [b / a for a, b in zip(*times.values())]
    lines = [
        f"{law}, n = {SMALL}: {ours_s:.3f} s, all pairs at once {other_s:.3f} s, {other_s / ours_s:.1f} times "
        f"(rounds {min(ratio):.1f} to {max(ratio):.1f}); largest difference {off:.1e}"
    ]
    large = tokens(LARGE)
    program = ours.lower(large).compile()
    memory = program.memory_analysis()
    bytes_in_all = memory.temp_size_in_bytes + memory.output_size_in_bytes + memory.argument_size_in_bytes
    took = benchmark.pedantic(lambda: seconds(program, large), rounds=1)
    evaluations = LARGE**2 / 2 * KEYS**2
    lines.append(
        f"{law}, n = {LARGE}: {took:.1f} s, {1e9 * took / evaluations:.1f} ns for each of {evaluations:.2g} moments, "
        f"{bytes_in_all / 1e6:.0f} MB"
    )
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201
    assert other_s / ours_s >= WANTED[law]
    assert took <= LONGEST[law]
    assert bytes_in_all <= MEMORY


def test_learning_curve(benchmark, capsys):
    """Features, matrices and all fits of one trial of 1000 drawn heads."""
    x, test = draw_tokens(jax.random.key(0), 1600, KEYS, D), draw_tokens(jax.random.key(1), 1000, KEYS, D)
    beta = draw_directions(jax.random.key(2), D)
    y, y_test = (jnp.stack([labels(v, beta, t, p) for t in TARGETS for p in (1, 2, 3)], axis=1) for v in (x, test))

    def curve() -> Any:
        key = jax.random.key(3)
        gram, cross = matrices(LEARNERS["rfa_heads"], Constants(0.5, 1.0, 1.0), key, x, test, 1000)
        return errors(gram, cross, y, y_test, (100, 200, 400, 800, 1600), (1e-8, 1e-5, 1e-3, 1e-1))

    curve()
    took = benchmark.pedantic(lambda: seconds(curve), rounds=3)
    features, products = 2600 * 1000 * 17 * (17 + 2 * KEYS) * 2, 2600 * 1600 * 17_000 * 2
    with capsys.disabled():
        print(f"\n{took:.1f} s; {(features + products) / 1e9:.0f} GFLOP of features and products")  # noqa: T201
