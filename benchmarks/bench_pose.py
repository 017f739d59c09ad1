"""A training step of the solids model with the exact log-partition, side by side with a linear readout in its place.

Both have the same encoder, the same learned lift and the same SO(3) layers, which give 455 numbers; one takes their
log-likelihood, normalised over 36864 rotations (level 3), the other the cross-entropy of a linear layer with 455
classes. A step is the loss, its gradient, and Adam's update, as a loop of one compiled program, in float32; the two
take turns. Steps of 25 milliseconds and more are asked for: shorter ones have too little in them besides the loss.

Run with ``make bench``.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from experiments.data import solids
from experiments.models.pose import build

WANTED = 1.3
"""How many times the step with the linear readout a step may take."""
LEAST = 25
"""Milliseconds of a step of the model with the readout."""
L, LEVEL, WIDTH, BATCH, ROUNDS = 6, 3, 32, 64, 15


def step(loss: Callable[[Any, jax.Array], jax.Array]) -> tuple[Callable, optax.GradientTransformation]:
    optimizer = optax.adam(1e-3)

    @jax.jit
    def one(params: Any, moments: Any, key: jax.Array) -> tuple[Any, Any]:
        updates, moments = optimizer.update(jax.grad(loss)(params, key), moments, params)
        return optax.apply_updates(params, updates), moments

    return one, optimizer


def test_training_step(benchmark, capsys):
    model = build("induced", WIDTH, L, LEVEL)
    images, rotations = solids.draw_views(jax.random.key(0), solids.solid("cube"), BATCH, 32)
    images, labels = images[:, :2], jnp.arange(BATCH) % 455

    def exact(params: Any, key: jax.Array) -> jax.Array:
        return model.loss(params["model"], key, images, rotations)

    def readout(params: Any, key: jax.Array) -> jax.Array:
        numbers = model.coefficients(model.features(params["model"], images))
        return optax.softmax_cross_entropy_with_integer_labels(numbers @ params["readout"], labels).mean()

    start = {"model": model.init(jax.random.key(1)), "readout": jax.random.normal(jax.random.key(2), (455, 455)) / 455}
    ways = {}
    for name, loss in (("readout", readout), ("exact", exact)):
        one, optimizer = step(loss)
        ways[name] = one, start, optimizer.init(start), jax.random.key(3)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(ROUNDS + 1):
        for name, (one, *arrays) in ways.items():
            before = time.perf_counter()
            jax.block_until_ready(one(*arrays))
            if repetition:
                times[name].append(time.perf_counter() - before)
    found = {name: 1e3 * statistics.median(values) for name, values in times.items()}
    ratio = statistics.median(a / b for a, b in zip(times["exact"], times["readout"], strict=True))
    lines = [f"a step of {BATCH} pictures of 32 x 32, width {WIDTH}, L = {L}, level {LEVEL}; milliseconds"]
    lines += [f"  {name:8} {value:8.1f}" for name, value in found.items()]
    lines.append(f"  ratio {ratio:.2f} (asked for at most {WANTED})")
    one, *arrays = ways["exact"]
    benchmark.pedantic(lambda: jax.block_until_ready(one(*arrays)), rounds=3)
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201
    assert found["readout"] >= LEAST
    assert ratio <= WANTED
