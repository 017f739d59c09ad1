"""A learning curve by the engine, against a loop of jitted trainings at exact sample sizes.

Measured: a locally connected network on the dynamic signal distribution, ``PATCHES`` patches of ``LENGTH`` numbers,
with the protocol of the paper's experiments: 5 trials, 14 sample sizes up to 1000, 9 pairs of rates, 300 steps.

- ``engine``: ``experiments.sample_complexity.curve``; a program for each padded size;
- ``loop``: one training of one trial at one size and rate, jitted and called for each of them. It does no masked
  work, its samples are on the device before the clock starts, and its results stay there until the end, so that calls
  and computation overlap. It is compiled once for each size.

Both train the same networks on the same samples, which is checked. ``test_the_engine_is_faster`` takes turns between
the two in one process and compares medians; with everything compiled it asks for a ratio of at least ``WANTED``. Rounds
with jax's caches emptied before each are timed apart, and two more ratios printed: of the loop with its compilations
over the compiled engine, and of both with theirs. Measured on two quiet cores, the three were 3.1, 5.3 and 2.1; with a
load of 8 they were 2.4, 7.8 and 1.6. A padded program of all trials and rates takes longer to compile than one
training, and there are half as many: both with their compilations differ by a factor of two and no more. Run with
``make bench``, on a machine that does nothing else.
"""

import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.sample_complexity import Data, curve, trained, trial_keys
from theory.dynamic_signal import NETWORKS, Steps, draw_signal, train

PATCHES, LENGTH, SIGMA = 20, 20, 0.2
TRIALS, N_MAX, N_TEST, N_STEPS = 5, 1000, 500, 300
SIZES = np.unique(np.rint(np.geomspace(12, N_MAX, 14)).astype(int))
RATES = np.array([(w, b) for w in (1e-1, 1e-2, 1e-3) for b in (1e-2, 1e-3, 1e-4)])
WANTED = 3
ROUNDS = {"compiled": 5, "from scratch": 2}
NETWORK = NETWORKS["lcn"]


def draw(key, rows):
    keys = tuple(jax.random.split(key, 4))
    w = jax.random.normal(keys[3], (LENGTH,), float)
    w = w / jnp.linalg.norm(w)
    samples = [draw_signal(k, n, PATCHES, LENGTH, SIGMA, w) for k, n in zip(keys, (rows, N_TEST, N_TEST))]
    return Data(*((sample.x, sample.y) for sample in samples))


LEARNER = trained(
    "lcn",
    draw,
    N_MAX,
    lambda key: NETWORK.init(key, PATCHES, LENGTH, NETWORK.scale, float),
    NETWORK.apply,
    lambda params, x, y, weights, rate: train(NETWORK, params, x, y, weights, N_STEPS, Steps(rate[0], rate[1])),
    {"squared": lambda predictions, y: jnp.mean((predictions - y) ** 2)},
)


@pytest.fixture(autouse=True)
def precision():
    with jax.enable_x64(False):
        yield


def engine(sizes=SIZES):
    """Test losses (trial, size, rate)."""
    return curve(LEARNER, trial_keys(jax.random.key(0), TRIALS), sizes, RATES).test


def loop(sizes=SIZES):
    """The same, one call for each of them."""
    one = jax.jit(LEARNER.fit_and_test)
    rows = []
    for key in trial_keys(jax.random.key(0), TRIALS):
        draw_key, fit_key = jax.random.split(key)
        data = jax.jit(draw, static_argnums=1)(draw_key, N_MAX)
        for n in sizes:
            exact = data._replace(train=jax.tree.map(lambda leaf, n=n: leaf[:n], data.train))
            rows += [one(exact, np.int32(n), rate, jax.random.clone(fit_key))["test"] for rate in RATES]
    return np.array(jax.device_get(rows)).reshape(TRIALS, len(sizes), len(RATES))


WAYS = {"engine": engine, "loop": loop}


def seconds(way):
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def taking_turns(rounds, before):
    """Median seconds of each way."""
    times = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            before()
            times[name].append(seconds(way))
    return {name: statistics.median(values) for name, values in times.items()}


@pytest.mark.parametrize("name", WAYS)
def test_curve(benchmark, name):
    benchmark.pedantic(WAYS[name], rounds=2, warmup_rounds=1)


def test_the_engine_is_faster(benchmark, capsys):
    with jax.enable_x64(True):  # in float32 the 300 steps make up to 2e-3 of what rounding leaves
        np.testing.assert_allclose(engine(SIZES[3:6]), loop(SIZES[3:6]), rtol=1e-9)
    everything = [way() for way in WAYS.values()]  # and is compiled for what follows
    assert all(np.isfinite(losses).all() for losses in everything)
    found = {"compiled": taking_turns(ROUNDS["compiled"], lambda: None)}
    cached = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    found["from scratch"] = taking_turns(ROUNDS["from scratch"], jax.clear_caches)
    jax.config.update("jax_compilation_cache_dir", cached)
    benchmark.pedantic(engine, rounds=1)

    compiled, scratch = found["compiled"], found["from scratch"]
    ratio = compiled["loop"] / compiled["engine"]
    lines = [f"{len(SIZES)} sizes to {N_MAX}, {TRIALS} trials, {len(RATES)} rates, {N_STEPS} steps; median seconds"]
    lines += [
        f"  {name:12} engine {median['engine']:.2f}, loop {median['loop']:.2f} of {ROUNDS[name]} rounds"
        for name, median in found.items()
    ]
    lines += [
        f"  ratio {ratio:.1f} compiled (asked for {WANTED}), {scratch['loop'] / compiled['engine']:.1f} with the "
        f"loop's compilations, {scratch['loop'] / scratch['engine']:.1f} with both"
    ]
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201
    assert ratio >= WANTED
