"""Pictures of solids: how many a second, 64 x 64 pixels, with one ray for each pixel and with sixteen.

Compiled, in float32, on this machine's CPU; the rate is that of the median of the rounds. The polyhedra are asked for
``WANTED`` pictures a second on two cores; the others are printed beside. Run with ``make bench``, on a machine that
does nothing else: the load when the clock starts is printed, too.
"""

import os
import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation

from experiments.data import solids

WANTED = {1: 15_000, 4: 2_000}
"""Points along one side of a pixel -> pictures a second."""
POLYHEDRA = ("tetrahedron", "cube", "icosahedron", "tetX", "twist")
N, SIDE, ROUNDS = 2048, 64, 9


def test_solids(benchmark, capsys):
    rotations = jnp.asarray(Rotation.random(N, random_state=0).as_matrix(), jnp.float32)
    load, rates = os.getloadavg()[0], {}
    for name in solids.NAMES:
        for points in WANTED:
            solid, some = solids.solid(name), rotations[: min(N, 4 * N // points**2)]
            times = []
            for _ in range(ROUNDS + 1):
                start = time.perf_counter()
                jax.block_until_ready(solids.render(solid, some, SIDE, points))
                times.append(time.perf_counter() - start)
            rates[name, points] = len(some) / np.median(times[1:])
    icosahedron = solids.solid("icosahedron")
    benchmark.pedantic(lambda: jax.block_until_ready(solids.render(icosahedron, rotations, SIDE)), rounds=ROUNDS)
    lines = [f"{SIDE} x {SIDE} pixels, float32, pictures a second, median of {ROUNDS}; load {load:.1f} at the start"]
    for name in solids.NAMES:
        lines.append(f"  {name:12} " + ", ".join(f"{rates[name, k]:8.0f} with {k} x {k} rays" for k in WANTED))
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201
    assert all(rates[name, k] >= wanted for name in POLYHEDRA for k, wanted in WANTED.items())
