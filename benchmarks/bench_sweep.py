"""A sweep as one compiled program per shape, against a loop over compiled calls.

Measured: the smoke preset of ``generalisation_gap``, all its dimensions, sizes and trials.

- ``one program``: for each dimension, trials vmapped and sizes masked in one array, as the experiment does it;
- ``loop``: a jitted function of one trial, called in a Python loop over trials and sizes. It is compiled once for
  each size before the clock starts, does no masked work, and its results stay on the device until the end, so that
  calls and computation overlap.

Both draw from the same law. ``test_one_program_is_faster`` takes turns between the two in one process, compares the
medians of the whole preset and asks for a ratio of at least ``WANTED``. It prints the ratio of every dimension as
well: it falls as d grows, because the eigenvalue decompositions cost both ways the same and come to dominate.
Compilation is timed apart, with jax's caches emptied. Run with ``make bench``, on a machine that does nothing else.
"""

import math
import statistics
import time

import jax
import numpy as np
import pytest

from experiments import sweep
from experiments.generalisation_gap import EXPERIMENT, gaps
from theory.elesedy_zaidi import shift_projector

CONFIG = EXPERIMENT.presets["smoke"]
LAW = {"sigma_x": CONFIG.sigma_x, "sigma_xi": CONFIG.sigma_xi}
WANTED = 5
ROUNDS = 9


@pytest.fixture(autouse=True)
def precision():
    with sweep.arithmetic(EXPERIMENT):
        yield


def one_program(d):
    """Gaps (sizes, trials) in one dimension."""
    sizes = np.asarray(CONFIG.sizes, np.int32)
    projector = shift_projector(d, CONFIG.stride)
    return np.asarray(gaps(jax.random.key(0), sizes, projector, **LAW, n_max=CONFIG.n_max, trials=CONFIG.trials))


def loop(d):
    """The same, one call for each size and trial."""
    projector = jax.device_put(shift_projector(d, CONFIG.stride))
    keys = list(jax.random.split(jax.random.key(0), CONFIG.trials))
    rows = []
    for n in CONFIG.sizes:
        size = jax.device_put(np.asarray([n], np.int32))
        rows.append([gaps(key, size, projector, **LAW, n_max=n, trials=1) for key in keys])
    return np.array(jax.device_get(rows)).reshape(len(CONFIG.sizes), CONFIG.trials)


WAYS = {"one program": one_program, "loop": loop}


def seconds(way, d):
    start = time.perf_counter()
    way(d)
    return time.perf_counter() - start


def everywhere(way):
    for d in CONFIG.dims:
        way(d)


@pytest.mark.parametrize("name", WAYS)
def test_sweep(benchmark, name):
    benchmark.pedantic(everywhere, args=(WAYS[name],), rounds=5, warmup_rounds=1)


def same_law(d):
    """Medians of the logarithms agree within 5 standard errors, these from the quartiles, as for a normal law."""
    logs = [np.log(way(d)) for way in WAYS.values()]
    medians = [np.median(log, axis=1) for log in logs]
    deviations = [np.subtract(*np.percentile(log, [75, 25], axis=1)) / 1.349 for log in logs]
    error = math.sqrt(math.pi / 2 / CONFIG.trials) * np.hypot(*deviations)
    return (abs(medians[0] - medians[1]) < 5 * error).all()


def first_calls():
    """Seconds of the first call of each way in all dimensions, nothing compiled before and nothing cached on disk."""
    cached = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    found = {}
    for name, way in WAYS.items():
        jax.clear_caches()
        found[name] = sum(seconds(way, d) for d in CONFIG.dims)
    jax.config.update("jax_compilation_cache_dir", cached)
    return found


def test_one_program_is_faster(benchmark, capsys):
    first = first_calls()
    assert all(same_law(d) for d in CONFIG.dims)  # and everything is compiled again
    times = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            times[name].append([seconds(way, d) for d in CONFIG.dims])
    benchmark.pedantic(everywhere, args=(one_program,), rounds=1)

    totals = {name: [sum(row) for row in rows] for name, rows in times.items()}
    median = {name: statistics.median(values) for name, values in totals.items()}
    ratio = median["loop"] / median["one program"]
    in_d = {name: np.median(rows, axis=0) for name, rows in times.items()}
    compiled = {"one program": len(CONFIG.dims), "loop": len(CONFIG.dims) * len(CONFIG.sizes)}
    lines = [f"dimensions {CONFIG.dims}, {len(CONFIG.sizes)} sizes, {CONFIG.trials} trials; seconds, {ROUNDS} rounds"]
    for name, values in totals.items():
        lines.append(
            f"  {name:12} median {median[name]:.3f} ({min(values):.3f} to {max(values):.3f}); "
            f"{compiled[name]} programs, whose first call takes {first[name] - median[name]:.1f} more"
        )
    each = ", ".join(f"d = {d}: {r:.1f}" for d, r in zip(CONFIG.dims, in_d["loop"] / in_d["one program"]))
    lines.append(f"  ratio {ratio:.1f} (asked for {WANTED}); {each}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201
    assert ratio >= WANTED
