"""Wigner's D matrices of all degrees up to 8, for ten thousand rotations, side by side with e3nn-jax.

All are compiled, run in this process, and take turns on the same matrices in float32. e3nn-jax goes from the matrix to
Euler angles and multiplies five matrices for each degree; its ``D_from_angles`` is given the angles and saves the first
step. Ours is timed in both layouts: with the batch axis last, which is what layers use inside, and with it first, as
e3nn-jax has it. The ratios that are asked for are to ``D_from_matrix``. The gradient of ours is timed, too.

What each is off, at degree 8, is printed beside: the reference is ours in float64, which the tests hold against 50
digits. Run with ``make bench``, on a machine that does nothing else.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import e3nn_jax as e3nn
import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation

from equiv import numerics
from equiv.reps.irreps import wigner_blocks

WANTED = {"ours, batch last": 8, "ours": 2.5}
"""Layout -> how many times faster than e3nn-jax from the matrix."""
N, L, ROUNDS = 10_000, 8, 21


def cubes(r: jax.Array) -> jax.Array:
    return sum(jnp.sum(block**3) for block in wigner_blocks(L, r, batch_last=True))


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "e3nn, matrix": lambda r, angles: [e3nn.Irrep(l, 1).D_from_matrix(r) for l in range(L + 1)],
    "e3nn, angles": lambda r, angles: [e3nn.Irrep(l, 1).D_from_angles(*angles) for l in range(L + 1)],
    "ours": lambda r, angles: wigner_blocks(L, r),
    "ours, batch last": lambda r, angles: wigner_blocks(L, r, batch_last=True),
    "ours, gradient": lambda r, angles: jax.grad(cubes)(r),
}


def seconds(way: Callable[..., Any], *arrays: Any) -> float:
    start = time.perf_counter()
    jax.block_until_ready(way(*arrays))
    return time.perf_counter() - start


def test_wigner(benchmark, capsys):
    drawn = Rotation.random(N, random_state=0)
    r = jnp.asarray(drawn.as_matrix(), jnp.float32)
    angles = [jnp.asarray(angle, jnp.float32) for angle in drawn.as_euler("YXY").T]
    ways = {name: jax.jit(way) for name, way in WAYS.items()}
    first = {name: seconds(way, r, angles) for name, way in ways.items()}
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(seconds(way, r, angles))
    benchmark.pedantic(lambda: jax.block_until_ready(ways["ours, batch last"](r, angles)), rounds=ROUNDS)

    with numerics.constants():
        exact = np.asarray(wigner_blocks(L, jnp.asarray(drawn.as_matrix()))[L])
    median = {name: statistics.median(values) for name, values in times.items()}
    lines = [f"{N} rotations, all degrees to {L}, float32; milliseconds, {ROUNDS} rounds"]
    for name, values in times.items():
        low, middle, high = np.percentile(np.multiply(values, 1e3), [25, 50, 75])
        lines.append(f"  {name:16} {middle:8.2f} ({low:.2f} to {high:.2f}); first call {first[name]:.1f} s")
        if name != "ours, gradient":
            found = np.asarray(ways[name](r, angles)[L], np.float64)
            found = np.moveaxis(found, -1, 0) if name == "ours, batch last" else found
            lines[-1] += f"; off by {np.abs(found - exact).max():.0e} at degree {L}"
    ratios = {name: median["e3nn, matrix"] / median[name] for name in WANTED}
    for name, ratio in ratios.items():
        others = median["e3nn, angles"] / median[name]
        lines.append(
            f"  {name}: ratio {ratio:.1f} to e3nn from the matrix (asked for {WANTED[name]}), {others:.1f} from angles"
        )
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201
    assert all(ratios[name] >= wanted for name, wanted in WANTED.items())
