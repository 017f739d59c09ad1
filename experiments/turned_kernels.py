"""How far are layers with turned or shared kernels from commuting with turns, and with changes of scale?

Step t, from 0 to 1, turns a scene by ``90 t`` degrees, and makes an image smaller by ``2^t``. Pixels see quarter turns
and halvings exactly, steps in between not. Scenes are sums of Gaussians, known everywhere, so that no image is
interpolated. Each trial has scenes and random parameters of its own; all steps and layers see the same scenes.

Turns: ``|f(R x) - R f(x)| / |R f(x)|`` away from the borders, for

- ``paper``, ``turning``, ``turning_harmonic``: adaptive rotated convolution with the paper's routing; with angles that
  turn with the image; and with harmonic kernels, too. Routing weights are 40 times their initial size, so that angles
  differ from image to image;
- ``plain``: a convolution with a 3 x 3 kernel of independent normal entries;
- ``c8``: a group convolution over eight turns, ``lifting``, ReLU and ``group_conv`` with 5 x 5 pixels, then the mean
  over the elements; and ``c8_max``, then the largest.

Scale: the smaller image is the scene under the blur (1, 4, 6, 4, 1) / 16, its taps ``sqrt((4^t - 1) / 3)`` pixels
apart, at every 2^t-th pixel; the larger one at t = 0, and at t = 1 what a Gaussian pyramid does. Level l of the smaller
image is compared with level ``l + t`` of the larger one, read linearly between its two neighbours, for l = 1, 2 of five
levels, where all neighbours are there, at ``places`` of a scene; for

- ``shared``: one ``pyramid_convolution``;
- ``independent``: the same with kernels of its own at each level;
- ``levels``: no layer, the error of reading between the levels themselves.

Arrays: ``turning_error`` (layer, step, trial) and ``scaling_error`` (pyramid, step, trial). A cell is one step.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from equiv.groups import so
from equiv.layers.fields import siren
from equiv.layers.lie_conv import bump, convolve, group_conv, image, lifting
from equiv.layers.pyramid import gaussian_pyramid, pyramid_convolution
from experiments.record import Experiment, Point, among, whole
from theory.claim import generator
from theory.rotated_and_scale_convolutions import (
    Scenes,
    around,
    draw_scenes,
    look,
    pixels,
    relative_error,
    turning_errors,
)

__all__ = ["EXPERIMENT", "LAYERS", "PYRAMIDS", "Config", "run"]

_ADAPTIVE = {
    "paper": ("paper", "bilinear"),
    "turning": ("turning", "bilinear"),
    "turning_harmonic": ("turning", "harmonic"),
}
LAYERS = (*_ADAPTIVE, "plain", "c8", "c8_max")
PYRAMIDS = ("shared", "independent", "levels")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of turned_kernels."""

    steps: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)  # t: turns by 90 t degrees, scale factors 2^t
    layers: tuple[str, ...] = LAYERS  # under turns
    pyramids: tuple[str, ...] = PYRAMIDS  # under changes of scale
    trials: int = 8  # scenes, each with parameters of its own
    places: int = 8  # where in a scene the levels of a pyramid are compared

    def __post_init__(self) -> None:
        among(self, "layers", LAYERS)
        among(self, "pyramids", PYRAMIDS)
        whole(self, "trials", "places")
        if not self.steps or len(set(self.steps)) < len(self.steps) or not all(0 <= t <= 1 for t in self.steps):
            raise ValueError(f"steps has to be made of numbers from 0 to 1, none of them twice, got {self.steps}")


def _trials(config: Config, key: jax.Array) -> list[jax.Array]:
    """The key of each trial."""
    return [jax.random.fold_in(key, trial) for trial in range(config.trials)]


# --- turns ------------------------------------------------------------------------------------------------------------

Layer = tuple[Callable[[jax.Array], dict], Callable[[dict, jax.Array], jax.Array], int]
"""Parameters from a key, images (..., C, H, W) to smaller ones, and the pixels taken away at each border."""


def _plain() -> Layer:
    return lambda key: jax.random.normal(key, (4, 3, 3, 3)), lambda params, x: convolve(x, params, "valid"), 1


def _c8(largest: bool) -> Layer:
    turns = so(2).exp(2 * jnp.pi / 8 * jnp.arange(8.0)[:, None])
    field = siren(32, 2)
    lift = lifting(so(2), 3, 4, field=field, window=bump)
    mix = group_conv(so(2), 4, 4, field=field, window=bump, padding="valid")

    def drawn(key: jax.Array, params: dict) -> dict:
        """Phases from -pi to pi: a network of sines without any is odd."""
        bound = jnp.pi / 10
        keys = jax.random.split(key, len(params["sines"]))
        biases = [
            jax.random.uniform(k, p["bias"].shape, minval=-bound, maxval=bound) for k, p in zip(keys, params["sines"])
        ]
        return params | {"sines": tuple(p | {"bias": bias} for p, bias in zip(params["sines"], biases))}

    def init(key: jax.Array) -> dict:
        keys = jax.random.split(key, 4)
        return {"lift": drawn(keys[0], lift.init(keys[1])), "mix": drawn(keys[2], mix.init(keys[3]))}

    def apply(params: dict, x: jax.Array) -> jax.Array:
        lifted = lift.apply(params["lift"], image(x), turns)
        mixed = mix.apply(params["mix"], lifted._replace(values=jax.nn.relu(lifted.values))).values
        return jnp.max(mixed, axis=-3) if largest else jnp.mean(mixed, axis=-3)

    return init, apply, 4


@functools.cache
def _compared(name: str) -> Callable[..., jax.Array]:
    init, apply, border = _plain() if name == "plain" else _c8(name == "c8_max")

    @jax.jit
    def error(key: jax.Array, scenes: Scenes, degrees: jax.Array) -> jax.Array:
        params, places = init(key), pixels(degrees)
        found = apply(params, look(scenes, places))
        inner = places[border:-border, border:-border]
        parts = jnp.moveaxis(look(scenes, around(inner, border)), 1, 3)  # (1, rows, columns, C, k, k)
        turned = jnp.moveaxis(apply(params, parts)[..., 0, 0], 3, 1)
        return relative_error(found, turned)[0]

    return error


def _turning(config: Config, key: jax.Array, layer: str, step: float) -> np.ndarray:
    draw = generator(key)
    if layer in _ADAPTIVE:
        routing, interpolation = _ADAPTIVE[layer]
        return turning_errors(draw, routing, np.array([90 * step]), config.trials, interpolation)[0]
    scenes, error = draw_scenes(draw, config.trials), _compared(layer)
    each = zip(_trials(config, key), zip(*(v[:, None] for v in scenes)))
    return np.array([error(own, Scenes(*scene), 90 * step) for own, scene in each])


# --- changes of scale -------------------------------------------------------------------------------------------------

_SIDE, _LEVELS, _BLOBS = 128, 5, 6


def _scene(key: jax.Array, places: int) -> tuple[jax.Array, ...]:
    """Gaussians of two channels, and places among them."""
    keys = jax.random.split(key, 4)
    mean = jax.random.uniform(keys[0], (1, 2, 1, _BLOBS, 2), minval=-10, maxval=10)
    width = jax.random.uniform(keys[1], (1, 2, 1, _BLOBS, 1), minval=2, maxval=5)
    height = jax.random.normal(keys[2], (2, _BLOBS))
    return mean, width, height, jax.random.uniform(keys[3], (places, 1, 1, 1, 2), minval=-6, maxval=6)


def _seen(scene: tuple[jax.Array, ...], step: jax.Array | float) -> jax.Array:
    """The scene in images made smaller by 2^step, (places, 2, side, side), one of the places in each middle."""
    mean, width, height, middle = scene
    pixel = 2.0**step * jnp.arange(-_SIDE / 2, _SIDE / 2)
    spread = jnp.sqrt(jnp.maximum(4.0**step - 1, 0) / 3)
    rows = jnp.zeros(())
    for tap, weight in zip(range(-2, 3), (1, 4, 6, 4, 1)):
        away = middle + (pixel + spread * tap).reshape(1, 1, -1, 1, 1) - mean
        rows = rows + weight / 16 * jnp.exp(-((away / width) ** 2) / 2)  # (places, 2, side, blobs, 2)
    return jnp.einsum("kcib,kcjb,cb->kcij", rows[..., 0], rows[..., 1], height)


@functools.cache
def _scaled(name: str, places: int) -> Callable[..., jax.Array]:
    layer = pyramid_convolution(2, 4)
    kernels = {"shared": 1, "independent": _LEVELS, "levels": 0}[name]

    def levels(params: list[dict], x: jax.Array) -> list[jax.Array]:
        """Levels 1 to 3 at the middle."""
        found = gaussian_pyramid(x, _LEVELS)
        if params:
            found = [layer.apply(params[n % kernels], found)[n] for n in range(_LEVELS)]
        return [level[..., level.shape[-2] // 2, level.shape[-1] // 2] for level in found[1:4]]

    @jax.jit
    def error(key: jax.Array, step: jax.Array) -> jax.Array:
        params = [layer.init(jax.random.fold_in(key, n + 1)) for n in range(kernels)]
        scene = _scene(jax.random.fold_in(key, 0), places)
        one, two, three = levels(params, _seen(scene, 0.0))
        found = jnp.stack(levels(params, _seen(scene, step))[:2])
        between = jnp.stack([(1 - step) * one + step * two, (1 - step) * two + step * three])
        return relative_error(found[None], between[None])[0]

    return error


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Turn and scale by one step, with all layers and trials.

    Args:
        config: settings.
        key: the same for every step.
        point: ``step``.
    """
    step = point["step"]
    turning = [_turning(config, key, layer, step) for layer in config.layers]
    scaling = [[_scaled(name, config.places)(k, step) for k in _trials(config, key)] for name in config.pyramids]
    return xr.Dataset(
        {
            "turning_error": (("layer", "trial"), np.array(turning)),
            "scaling_error": (("pyramid", "trial"), np.array(scaling)),
        },
        coords={
            "layer": list(config.layers),
            "pyramid": list(config.pyramids),
            "trial": np.arange(config.trials),
        },
    )


_FINE = tuple(n / 24 for n in range(25))

EXPERIMENT = Experiment(
    name="turned_kernels",
    statement="How far are layers with turned or shared kernels from commuting with turns, and with changes of scale?",
    config=Config,
    presets={
        "smoke": Config(layers=("paper", "turning_harmonic", "plain"), pyramids=("shared", "levels")),
        "desk": Config(steps=_FINE, trials=100),
        "paper": Config(steps=_FINE, trials=400),
    },
    axes=lambda config: {"step": config.steps},
    run=run,
    claims=("turning_routing_is_nearer_to_equivariance", "pyramid_convolution_and_scale"),
    cost={"smoke": 13, "desk": 140, "paper": 520},
    version=1,
    precision="float64",
    tolerance=1e-6,
    paired=("step",),
)
