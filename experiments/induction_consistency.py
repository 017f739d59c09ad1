"""How far are maps from an image to the sphere from commuting with turns of the image?

``|Phi(h f) - h Phi(f)| / |Phi(f)|`` for turns h about the axis of the camera, against the number of pixels. Images are
sums of Gaussians in the plane, known everywhere, so that no image is interpolated: a turned image is the turned scene,
looked at by the same pixels. Each trial has a scene and random parameters of its own; all sizes see the same scenes,
and a layer has the same parameters at every size. The maps are

- ``scalars``, ``vectors``: induction layers from two scalar fields, and from a field of vectors that turn with the
  image, with Laguerre-Gauss functions of the radius, which are about as smooth as the scene;
- ``rings``: the induction layer from scalars with Gaussian rings, as used in networks, which reach to the border;
- ``orthographic``: the orthographic lift of scalars, without parameters;
- ``pooled``: a perceptron of features that are pooled over the image, to all coefficients; two scalar fields.

Array: ``error`` (layer, angle, side, trial). A cell is one side.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from equiv.layers.induction import orthographic_lift, plane_to_sphere
from equiv.layers.so3 import sphere_signal
from equiv.layers.steerable import gaussian_rings, laguerre, pixel_centres
from equiv.reps import Rep, restrict
from equiv.reps.irreps import polar_axis, so2
from experiments.record import Experiment, Point, among, positive, whole
from theory.claim import generator

__all__ = ["EXPERIMENT", "LAYERS", "Config", "run"]

LAYERS = ("scalars", "vectors", "rings", "orthographic", "pooled")
_BLOBS, _CHANNELS, _FEATURES = 8, 2, 32


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of induction_consistency."""

    layers: tuple[str, ...] = LAYERS  # maps from images to the sphere
    sides: tuple[int, ...] = (7, 14, 28)  # N, pixels along the image
    angles: tuple[float, ...] = (10.0, 45.0, 90.0, 130.0)  # turns, degrees
    trials: int = 8  # scenes, each with parameters of its own
    l_max: int = 6  # highest degree of the signal
    blur: float = 0.15  # standard deviation of the Gaussians of a scene, half the image is 1

    def __post_init__(self) -> None:
        among(self, "layers", LAYERS)
        whole(self, "sides", "trials", "l_max")
        positive(self, "blur", "angles")


def _turn(degrees: float) -> np.ndarray:
    t = np.deg2rad(degrees)
    return np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])


def _type(layer: str) -> Rep:
    return so2(1) if layer == "vectors" else _CHANNELS * so2(0)


def _scenes(config: Config, key: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """Where the Gaussians are, within 0.55 of the middle, and how high they are: (trials, blobs, 2), twice."""
    draw = generator(key)
    share, angle = draw.uniform(size=(2, config.trials, _BLOBS)) * np.array([1, 2 * np.pi])[:, None, None]
    places = 0.55 * np.sqrt(share)[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return places, draw.normal(size=places.shape)


def _look(config: Config, scenes: tuple[np.ndarray, np.ndarray], rep: Rep, side: int, degrees: float) -> np.ndarray:
    """Images of the turned scenes, ``rho(h) f(h^-1 r)``: (trials, 2, side, side)."""
    (centres, heights), h = scenes, _turn(degrees)
    away = (pixel_centres(side) @ h)[None, :, :, None] - centres[:, None, None]
    field = np.einsum("tzxb,tbc->tzxc", np.exp(-np.sum(away**2, axis=-1) / (2 * config.blur**2)), heights)
    return np.einsum("ab,tzxb->tazx", np.asarray(rep.matrix(jnp.asarray(h))), field)


def _pooled(dim: int) -> tuple[Callable, Callable]:
    shapes = {"pixel": (_CHANNELS, _FEATURES), "hidden": (_FEATURES, _FEATURES), "out": (_FEATURES, dim)}

    def init(key: jax.Array) -> dict:
        keys = dict(zip(shapes, tuple(jax.random.split(key, len(shapes)))))
        return {name: jax.random.normal(keys[name], shape) for name, shape in shapes.items()}

    def apply(params: dict, image: jax.Array) -> jax.Array:
        features = jnp.mean(jnp.tanh(jnp.einsum("czx,cf->fzx", image, params["pixel"])), axis=(1, 2))
        return jnp.tanh(4 * features @ params["hidden"]) @ params["out"]

    return init, apply


@functools.cache
def _map(layer: str, l_max: int) -> tuple[Callable, Callable]:
    """Parameters of all trials from their keys, and the signals of one image each."""
    if layer == "pooled":
        init, apply = _pooled(sphere_signal(l_max, 2).dim)
    elif layer == "orthographic":
        lift = orthographic_lift(l_max, _CHANNELS)
        init, apply = lift.init, lift.apply
    else:
        radial = gaussian_rings(4, 16) if layer == "rings" else laguerre(2, 0.15)
        lift = plane_to_sphere(_type(layer), l_max, 2, radial)
        init, apply = lift.init, lift.apply
    return jax.jit(jax.vmap(init)), jax.jit(jax.vmap(apply))


def _errors(config: Config, key: jax.Array, layer: str, side: int) -> np.ndarray:
    """(angles, trials)."""
    init, apply = _map(layer, config.l_max)
    rep, signal = _type(layer), restrict(sphere_signal(config.l_max, 2), polar_axis())
    k_scene, k_params = tuple(jax.random.split(jax.random.fold_in(key, LAYERS.index(layer))))
    scenes, params = _scenes(config, k_scene), init(jax.random.split(k_params, config.trials))
    still = np.asarray(apply(params, jnp.asarray(_look(config, scenes, rep, side, 0.0))))
    found = []
    for degrees in config.angles:
        moved = np.asarray(apply(params, jnp.asarray(_look(config, scenes, rep, side, degrees))))
        expected = still @ np.asarray(signal.matrix(jnp.asarray(_turn(degrees)))).T
        found.append(np.linalg.norm(moved - expected, axis=1) / np.linalg.norm(expected, axis=1))
    return np.stack(found)


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Turn the scenes by every angle and look at them with one number of pixels.

    Args:
        config: settings.
        key: the same for every side.
        point: ``side``.
    """
    errors = [_errors(config, key, layer, point["side"]) for layer in config.layers]
    return xr.Dataset(
        {"error": (("layer", "angle", "side", "trial"), np.stack(errors)[:, :, None])},
        coords={
            "layer": list(config.layers),
            "angle": list(config.angles),
            "side": [point["side"]],
            "trial": np.arange(config.trials),
        },
    )


_SIDES = (7, 8, 9, 10, 12, 14, 16, 18, 20, 24, 28, 34, 40, 48, 56)
_ANGLES = (5.0, 10.0, 20.0, 30.0, 45.0, 70.0, 90.0, 110.0, 130.0, 171.0)

EXPERIMENT = Experiment(
    name="induction_consistency",
    statement="How far are maps from an image to the sphere from commuting with turns of the image?",
    config=Config,
    presets={
        "smoke": Config(),
        "desk": Config(sides=_SIDES, angles=_ANGLES, trials=50),
        "paper": Config(sides=_SIDES, angles=_ANGLES, trials=400),
    },
    axes=lambda config: {"side": config.sides},
    run=run,
    claims=("induction_commutes_with_quarter_turns", "induction_error_falls_spectrally"),
    cost={"smoke": 20, "desk": 65, "paper": 400},
    version=1,
    precision="float64",
    tolerance=1e-6,
    paired=("side",),
)
