"""Group convolutions: how fast the paper's classifier runs, and in how much memory.

- ``test_classifier``: forward and backward on 32 images of 40 x 40 pixels, 10 elements of SL(2), side by side with the
  straightforward way: the kernel of every pair of elements by itself, and a convolution for each pair. Same parameters,
  same logits. Also a separable kernel in the place of the full one.
- ``test_memory``: the temporary memory that XLA plans for forward and backward with 64 elements, all at once, by
  chunks of elements, and by chunks of elements and of images, which are computed again for the gradient.
- ``test_accelerator``: where there is one, images per second in float32 and in bfloat16, and which part of the rate of
  a matrix product in that precision this is.

Each program is compiled once; they take turns, and medians are compared. On two cores a call of the classifier takes
half a minute, so these are marked ``slow``.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from equiv.groups import sl
from equiv.groups.decompositions import cartan_coordinates
from equiv.layers import lie_conv
from equiv.layers.convolution import convolve
from experiments.models import affine

IMAGES, SIDE, WIDTH, SAMPLES = 32, 40, 40, 10
WANTED, MOST_MEMORY, MOST_SAMPLES, CHUNK, PART = 2.0, 4e9, 64, 4, 8
LEAST = "elements and images in parts"
ROUNDS = 3
pytestmark = pytest.mark.slow


def one_by_one(group: Any, channels: int, padding: str) -> Callable:
    """A group convolution with the parameters of ``lie_conv.group_conv``, pair of elements by pair of elements."""
    field = lie_conv.group_conv(group, channels, channels).spec[5]

    def apply(params: Any, signal: lie_conv.GroupSignal) -> lie_conv.GroupSignal:
        steps = np.arange(5.0) - 2
        grid = np.stack(np.meshgrid(steps, steps, indexing="xy"), axis=-1).reshape(-1, 2).astype(np.float32)
        offsets = jnp.asarray(grid) @ signal.pixel.T
        area = jnp.abs(jnp.linalg.det(signal.pixel))
        slices = []
        for h in signal.elements:
            total = 0
            for i, other in enumerate(signal.elements):
                back = jnp.linalg.inv(h)
                x = offsets @ back.T
                c = jnp.broadcast_to(cartan_coordinates(group, back @ other), (25, group.dim))
                kernel = field.apply(params, jnp.concatenate([x, c], axis=-1)) * lie_conv.disc(x, c)[:, None]
                kernel = kernel * jnp.exp(signal.log_weights[i]) * area / jnp.linalg.det(other)
                kernel = kernel.reshape(5, 5, channels, channels).transpose(2, 3, 0, 1)
                total = total + convolve(signal.values[..., i, :, :], kernel, padding)
            slices.append(total)
        return signal._replace(values=jnp.stack(slices, axis=-3))

    return apply


def straightforward(width: int) -> affine.AffineModel:
    """The paper's classifier for SL(2), one pair of elements at a time."""
    group = sl(2)
    lifting = lie_conv.lifting(group, 1, width)

    def conv(padding: str) -> Any:
        return affine._Convolution(lambda key: None, one_by_one(group, width, padding))

    parts = affine._Convolutions(lambda key: None, lifting.apply, (conv("same"), conv("same")), conv("valid"))
    return affine._filled(parts, None, width, 10, "float32")


def separable(width: int) -> affine.AffineModel:
    """The same shape with separable kernels."""
    group = sl(2)
    lifting = lie_conv.lifting(group, 1, width)

    def conv(padding: str) -> Any:
        layer = lie_conv.separable_group_conv(group, width, width, padding=padding)
        return affine._Convolution(lambda key: layer.init(key, jnp.float32), layer.apply)

    parts = affine._Convolutions(
        lambda key: lifting.init(key, jnp.float32), lifting.apply, (conv("same"), conv("same")), conv("valid")
    )
    return affine._filled(parts, None, width, 10, "float32")


def arguments(model: affine.AffineModel, samples: int, n: int = IMAGES) -> tuple:
    params = model.init(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (n, SIDE, SIDE), jnp.float32)
    return params, images, affine.paper_sample(sl(2), None, samples), jnp.zeros(n, jnp.int32)


def step(model: affine.AffineModel, part: int | None = None) -> Callable:
    """Loss and gradient; ``part`` images at a time, each part computed again for the gradient."""

    def loss(params: Any, images: jax.Array, elements: jax.Array, label: jax.Array) -> jax.Array:
        run = lambda some: model.apply(params, some, elements)
        if part is None:
            logits = run(images)
        else:
            logits = jax.lax.map(jax.checkpoint(run), images.reshape(-1, part, SIDE, SIDE)).reshape(len(images), -1)
        return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()

    return jax.value_and_grad(loss)


def compiled(function: Callable, given: tuple) -> Any:
    return jax.jit(function).lower(*given).compile()


def take_turns(programs: dict[str, tuple[Any, tuple]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, (program, given) in programs.items():
            start = time.perf_counter()
            jax.block_until_ready(program(*given))
            found[name].append(time.perf_counter() - start)
    return found


def told(pytestconfig: Any, *lines: str) -> None:
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n" + "\n".join(lines))  # noqa: T201


def test_classifier(benchmark, pytestconfig):
    ours = affine.resnet(sl(2), WIDTH)
    given = arguments(ours, SAMPLES)
    other = separable(WIDTH)
    programs = {
        "ours": (compiled(step(ours), given), given),
        "pair by pair": (compiled(step(straightforward(WIDTH)), given), given),
        "separable": (compiled(step(other), arguments(other, SAMPLES)), arguments(other, SAMPLES)),
    }
    first, second = (programs[name][0](*given) for name in ("ours", "pair by pair"))
    np.testing.assert_allclose(first[0], second[0], rtol=1e-4)
    times = benchmark.pedantic(lambda: take_turns(programs), rounds=1)
    median = {name: statistics.median(seconds) for name, seconds in times.items()}
    told(
        pytestconfig,
        f"forward and backward, {IMAGES} images of {SIDE} x {SIDE}, {SAMPLES} elements, float32:",
        *(
            f"  {name:14} {median[name]:6.2f} s ({min(seconds):.2f} to {max(seconds):.2f}), "
            f"{programs[name][0].memory_analysis().temp_size_in_bytes / 1e9:.2f} GB"
            for name, seconds in times.items()
        ),
        f"  ratio, pair by pair / ours: {median['pair by pair'] / median['ours']:.2f}",
    )
    assert median["pair by pair"] / median["ours"] >= WANTED


def test_memory(benchmark, pytestconfig):
    def plan() -> dict[str, float]:
        found = {}
        for name, chunk, part in (
            ("all at once", None, None),
            ("elements in chunks", CHUNK, None),
            (LEAST, CHUNK, PART),
        ):
            model = affine.resnet(sl(2), WIDTH, chunk=chunk)
            program = compiled(step(model, part), arguments(model, MOST_SAMPLES))
            found[name] = program.memory_analysis().temp_size_in_bytes
        return found

    found = benchmark.pedantic(plan, rounds=1)
    told(
        pytestconfig,
        f"temporary memory, forward and backward, {IMAGES} images of {SIDE} x {SIDE}, {MOST_SAMPLES} elements:",
        *(f"  {name:28} {size / 1e9:.2f} GB" for name, size in found.items()),
    )
    assert found[LEAST] <= MOST_MEMORY


@pytest.mark.skipif(jax.default_backend() == "cpu", reason="no accelerator here")
def test_accelerator(benchmark, pytestconfig):
    lines = benchmark.pedantic(accelerator, rounds=1)
    told(pytestconfig, *lines)


def accelerator() -> list[str]:
    """Images per second of forward and backward, and the share of the rate of a matrix product that this is."""
    lines = [f"{jax.devices()[0].device_kind}, jax {jax.__version__}"]
    for kind, precision in (("float32", "highest"), ("float32", "default"), ("bfloat16", "default")):
        with jax.default_matmul_precision(precision):
            side = 8192
            a = jax.random.normal(jax.random.key(0), (side, side), jnp.dtype(kind))
            model = affine.resnet(sl(2), WIDTH, precision=kind)
            given = arguments(model, SAMPLES)
            programs = {
                "product": (compiled(lambda x: x @ x, (a,)), (a,)),
                "classifier": (compiled(step(model), given), given),
            }
            take_turns(programs, 2)
            median = {name: statistics.median(t) for name, t in take_turns(programs, 10).items()}
        peak = 2 * side**3 / median["product"]
        flops = 3 * IMAGES * convolutions(SIDE, WIDTH, SAMPLES)
        lines.append(
            f"{kind} ({precision}): {IMAGES / median['classifier']:.0f} images/s, "
            f"{flops / median['classifier'] / 1e12:.1f} of {peak / 1e12:.0f} TFLOP/s of an {side} x {side} product, "
            f"{flops / median['classifier'] / peak:.0%}"
        )
    return lines


def convolutions(side: int, width: int, samples: int) -> float:
    """Floating-point operations of the three group convolutions for one image."""
    pair = 2 * 25 * (width * samples) ** 2
    first = side - 4
    return pair * (2 * first**2 + (first // 2 - 4) ** 2)
