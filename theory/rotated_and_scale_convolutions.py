r"""Where convolutions with turned kernels, and over scale, are equivariant, and where they are not.

Adaptive rotated convolution. Kernels of 3 x 3 taps are turned by ``M(theta)`` (``equiv.layers.rotated``), which reads
each tap where the turn takes it. The square of taps and the clamping to it are symmetric under quarter turns Q, so
``M(theta) Q = Q M(theta)``; under any other turn they are not, and M is no representation.
Convolution commutes with quarter turns as ``rot90(W * x) = rot90(W) * rot90(x)``, hence a layer that takes ``W(x) =
sum_i lambda_i(x) Rot(W_i, theta_i(x))`` commutes with them if gates do not change and angles grow by a quarter turn.
The paper's angles cannot: they stay within 40 degrees. Those of ``routing="turning"`` do: they are angles of
``sum_c (a_c + b_c J) v_c``, J the turn of the plane by 90 degrees, and ``v_c`` the mean over the image of its gradient
times a number that turns with the pixel. Other turns smooth a kernel, as bilinear reading does, which up to 20 degrees
costs more than not turning it; written in angular frequencies, ``M(theta) = C_0 + sum_m cos(m theta) C_m + sin(m theta)
S_m`` with m = 1, 2, turns compose and little is lost.

Pyramid convolution. Each level is computed from its neighbours by the same kernels, so a pyramid without its first
level gives the same, one level on, wherever the neighbours are the same. Blurring and halving an image takes the first
level off its Gaussian pyramid. Shifts by ``2^(L-1)`` pixels are shifts by whole pixels at every level, and linear
interpolation between pixels that are areas commutes with them; between aligned corners it does not.

Known: what the layers compute was read in the public code; the identities are derived. The papers' ablations were not
found.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from equiv.layers.pyramid import gaussian_pyramid, halved, integrated_norm, pyramid_convolution, resize, statistics
from equiv.layers.rotated import adaptive_rotated_convolution, rotate, rotation_matrix, route
from theory.claim import Claim, Evidence, Source, generator, mean_evidence

__all__ = ["CLAIMS", "Scenes", "around", "draw_scenes", "look", "pixels", "relative_error", "turning_errors"]

_ARC = Source(
    author="Y. Pu, Y. Wang, Z. Xia, Y. Han, Y. Wang, W. Gan, Z. Wang, S. Song, G. Huang",
    title="Adaptive Rotated Convolution for Rotated Object Detection",
    venue="ICCV 2023",
    arxiv="2303.07820",
    theorem="rotation of 3 x 3 kernels",
    known="derived",
)
_SEPC = Source(
    author="X. Wang, S. Zhang, Z. Yu, L. Feng, W. Zhang",
    title="Scale-Equalizing Pyramid Convolution for Object Detection",
    venue="CVPR 2020",
    arxiv="2005.03101",
    theorem="pyramid convolution",
    known="derived",
)


def _flat(axis: str, *arrays: jax.Array) -> Evidence:
    values = np.concatenate([np.asarray(array).ravel() for array in arrays])
    return Evidence(axis, np.arange(len(values)), values)


def _values(*arrays: jax.Array) -> np.ndarray:
    return np.concatenate([np.asarray(array).ravel() for array in arrays])


# --- turned kernels ---------------------------------------------------------------------------------------------------

_THETA = np.deg2rad([-170.0, -45, -20, -1, 1, 20, 40, 50, 110])
_TAPS = np.arange(9).reshape(3, 3)
_QUARTER = np.eye(9)[np.rot90(_TAPS).ravel()]
_EIGHTH = np.eye(9)[[1, 2, 5, 0, 4, 8, 3, 6, 7]]  # the ring of eight taps, one on


def _turned(theta: np.ndarray = _THETA, interpolation: str = "bilinear") -> np.ndarray:
    return np.asarray(rotation_matrix(jnp.asarray(theta), interpolation))


# --- adaptive rotated convolution -------------------------------------------------------------------------------------

_CHANNELS, _SIDE, _TRIALS = 3, 12, 48


def _sharpened(params: dict) -> dict:
    """Parameters at which gates and angles differ clearly from image to image."""
    routing = {name: 40 * v if name in ("gates", "angles", "across") else v for name, v in params["routing"].items()}
    return params | {"routing": routing}


@functools.cache
def _layer(routing: str, padding: str) -> tuple[Callable, Callable]:
    layer = adaptive_rotated_convolution(_CHANNELS, 4, routing=routing, padding=padding)
    return jax.jit(lambda key: _sharpened(layer.init(key, jnp.float64))), jax.jit(layer.apply)


def _applied(key: jax.Array, routing: str, padding: str, before: Callable, after: Callable) -> jax.Array:
    init, apply = _layer(routing, padding)
    k_params, k_image = jax.random.split(key)
    x = jax.random.normal(k_image, (2, _CHANNELS, _SIDE, _SIDE), jnp.float64)
    return after(apply(init(k_params), before(x)))


def _quarter(x: jax.Array) -> jax.Array:
    return jnp.rot90(x, axes=(2, 3))


def _shifted(x: jax.Array) -> jax.Array:
    return jnp.roll(x, (3, -2), axis=(2, 3))


def _same(x: jax.Array) -> jax.Array:
    return x


# --- any angle --------------------------------------------------------------------------------------------------------

_ANGLES = np.array([30, 45, 60, 75, 90])
_SIGHT, _BLOBS = 24, 6


class Scenes(NamedTuple):
    """Sums of Gaussians in the plane, known everywhere; the unit is a pixel, the middle of an image at the origin.

    Attributes:
        mean: (trials, C, blobs, 2).
        inverse: (trials, C, blobs, 2, 2), of the covariances.
        height: (trials, C, blobs).
    """

    mean: jax.Array
    inverse: jax.Array
    height: jax.Array


def draw_scenes(draw: np.random.Generator, trials: int) -> Scenes:
    """Scenes of three channels.

    Example:
        >>> draw_scenes(np.random.default_rng(0), 5).height.shape
        (5, 3, 6)
    """
    mean = draw.uniform(-6, 6, (trials, _CHANNELS, _BLOBS, 2))
    axes = draw.normal(size=(trials, _CHANNELS, _BLOBS, 2, 2))
    inverse = np.linalg.inv(axes @ np.swapaxes(axes, -1, -2) + 1.2 * np.eye(2))
    return Scenes(*map(jnp.asarray, (mean, inverse, draw.normal(size=(trials, _CHANNELS, _BLOBS)))))


def look(scenes: Scenes, places: jax.Array) -> jax.Array:
    """The scenes at places (..., 2), as (trials, C, ...)."""
    away = places.reshape(1, 1, -1, 1, 2) - scenes.mean[:, :, None]
    square = jnp.einsum("tcpbi,tcbij,tcpbj->tcpb", away, scenes.inverse, away)
    values = jnp.einsum("tcpb,tcb->tcp", jnp.exp(-square / 2), scenes.height)
    return values.reshape(*values.shape[:2], *places.shape[:-1])


def pixels(degrees: jax.Array | float) -> jax.Array:
    """Where the pixels of a turned image look at the scene, (24, 24, 2), x to the right and y up.

    Example:
        >>> [round(float(v), 1) for v in pixels(90.0)[0, 0]]  # at the top on the left, what was at the top on the right
        [11.5, 11.5]
    """
    theta = jnp.deg2rad(degrees)
    back = jnp.array([[jnp.cos(theta), jnp.sin(theta)], [-jnp.sin(theta), jnp.cos(theta)]])
    along = np.arange(_SIGHT) - (_SIGHT - 1) / 2
    return jnp.asarray(np.stack(np.meshgrid(along, -along), -1), back.dtype) @ back.T


def around(places: jax.Array, reach: int) -> jax.Array:
    """The places with their neighbours in an upright image, (..., 2 reach + 1, 2 reach + 1, 2)."""
    along = np.arange(-reach, reach + 1)
    steps = jnp.asarray(np.stack(np.meshgrid(along, -along), -1), places.dtype)
    return places[..., None, None, :] + steps.reshape(*(1,) * (places.ndim - 1), *steps.shape)


def relative_error(found: jax.Array, expected: jax.Array) -> jax.Array:
    """``|found - expected| / |expected|`` of (trials, ...), one number for each trial."""
    axes = tuple(range(1, expected.ndim))
    return jnp.sqrt(jnp.sum((found - expected) ** 2, axis=axes) / jnp.sum(expected**2, axis=axes))


@functools.cache
def _turning(routing: str, interpolation: str) -> tuple[Callable, Callable]:
    layer = adaptive_rotated_convolution(_CHANNELS, 4, routing=routing, interpolation=interpolation)

    def own(params: dict, x: jax.Array) -> jax.Array:
        found = route(layer, params, x[None])
        turned = rotate(params["kernels"], found.angles[0][:, None, None], interpolation)
        return jnp.einsum("n,nocij->ocij", found.gates[0], turned)

    def errors(params: dict, scenes: Scenes, degrees: jax.Array) -> jax.Array:
        kernels = jax.vmap(own)(params, look(scenes, pixels(0.0)))
        places = pixels(degrees)
        turned = jnp.einsum("tocij,tcrsij->tors", kernels, look(scenes, around(places[1:-1, 1:-1], 1)))
        found = jax.vmap(lambda p, x: layer.apply(p, x[None])[0])(params, look(scenes, places))
        return relative_error(found[..., 1:-1, 1:-1], turned)

    return jax.jit(jax.vmap(lambda key: _sharpened(layer.init(key, jnp.float64)))), jax.jit(errors)


def turning_errors(
    draw: np.random.Generator, routing: str, angles: np.ndarray, trials: int, interpolation: str = "bilinear"
) -> np.ndarray:
    """How far a layer is from commuting with turns of a scene, ``|f(R x) - R f(x)| / |R f(x)|``.

    A scene is a sum of Gaussians in the plane, known everywhere, so that neither the turned image nor the turned output
    is interpolated: ``R f(x)`` at a pixel is the kernel of x applied to the scene around the place that R takes to it.

    Args:
        draw: of scenes and parameters.
        routing: of the layer.
        angles: (k,), in degrees.
        trials: scenes, each with parameters of its own.
        interpolation: how the layer turns kernels.

    Returns:
        (k, trials).

    Example:
        >>> with jax.enable_x64(True):
        ...     errors = turning_errors(np.random.default_rng(0), "turning", np.array([0, 90]), 2)
        >>> bool((errors < 1e-10).all())
        True
    """
    init, errors = _turning(routing, interpolation)
    scenes = draw_scenes(draw, trials)
    params = init(jax.random.split(jax.random.key(draw.integers(2**31)), trials))
    return np.stack([np.asarray(errors(params, scenes, jnp.float64(degrees))) for degrees in angles])


def _compared(key: jax.Array, ours: str) -> Evidence:
    draws, layers = generator(key).spawn(2), ((ours, "harmonic"), ("paper", "bilinear"))
    errors = [turning_errors(draw, layer[0], _ANGLES, _TRIALS, layer[1]) for draw, layer in zip(draws, layers)]
    return mean_evidence("turn in degrees", _ANGLES, np.stack(errors), ("turning", "paper"))


# --- pyramids ---------------------------------------------------------------------------------------------------------

_LEVELS = 6


@functools.cache
def _pyramid(grid: str) -> tuple[Callable, Callable]:
    layer = pyramid_convolution(2, 3, grid=grid)

    def init(key: jax.Array) -> dict:
        """Kernels and biases of order one."""
        leaves, tree = jax.tree.flatten(layer.init(jax.random.key(0), jnp.float64))
        keys = jax.random.split(key, len(leaves))
        return tree.unflatten([0.3 * jax.random.normal(k, leaf.shape, leaf.dtype) for k, leaf in zip(keys, leaves)])

    return jax.jit(init), jax.jit(layer.apply)


def _learnt(key: jax.Array) -> list[jax.Array]:
    """Levels that have nothing to do with each other, as those of a learnt pyramid."""
    keys = jax.random.split(key, _LEVELS)
    return [jax.random.normal(k, (1, 2, 32 >> n, 32 >> n), jnp.float64) for n, k in enumerate(keys)]


def _convolved(key: jax.Array, levels: list[jax.Array], shared: bool = True) -> list[jax.Array]:
    """One layer; without sharing, each level has parameters of its own, numbered from the first."""
    init, apply = _pyramid("half_pixel")
    if shared:
        return list(apply(init(key), levels))
    return [apply(init(jax.random.fold_in(key, n)), levels)[n] for n in range(len(levels))]


def _level_shift(key: jax.Array, first: int, shared: bool) -> list[jax.Array]:
    """Levels 2 ... 5 of the whole, or levels 1 ... 4 of what is left without the first."""
    k_params, k_levels = jax.random.split(key)
    return _convolved(k_params, _learnt(k_levels)[first:], shared)[2 - first :]


def _image(key: jax.Array) -> jax.Array:
    return jax.random.normal(key, (1, 2, 64, 64), jnp.float64)


def _half_size(key: jax.Array, shrink: Callable[[jax.Array], jax.Array] | None) -> list[jax.Array]:
    """Levels 2 to 4 of an image, or levels 1 to 3 of a smaller one."""
    k_params, k_image = jax.random.split(key)
    image = _image(k_image)
    if shrink is None:
        return _convolved(k_params, list(gaussian_pyramid(image, _LEVELS)))[2:5]
    return _convolved(k_params, list(gaussian_pyramid(shrink(image), _LEVELS)))[1:4]


def _moved(key: jax.Array, grid: str, before: bool) -> list[jax.Array]:
    """An image on a dark ground and a shift by 8 pixels, before or after four levels; without the borders."""
    init, apply = _pyramid(grid)
    k_params, k_image = jax.random.split(key)
    image = jnp.pad(_image(k_image)[..., :24, :24], ((0, 0), (0, 0), (36, 36), (36, 36)))
    steps = [8, 4, 2, 1]

    def shift(x: jax.Array, step: int) -> jax.Array:
        return jnp.roll(x, (step, -step), axis=(2, 3))

    levels = apply(init(k_params), list(gaussian_pyramid(shift(image, 8) if before else image, 4)))
    moved = levels if before else [shift(x, step) for x, step in zip(levels, steps)]
    return [x[..., 5:-5, 5:-5] if x.shape[-1] > 12 else x[..., 4:-4, 4:-4] for x in moved]


def _normed(key: jax.Array, first: int, stored: bool) -> list[jax.Array]:
    layer = integrated_norm(2)
    levels = _learnt(key)
    given = statistics(levels) if stored else None
    return list(layer.apply(layer.init(jax.random.key(0), jnp.float64), levels[first:], given))[1 - first :]


CLAIMS = (
    Claim(
        name="turned_kernels_commute_with_quarter_turns",
        statement="Turning a 3 x 3 kernel by bilinear reading at any angle commutes with its quarter turns.",
        formula="M(theta) Q = Q M(theta)",
        source=_ARC,
        kind="identity",
        predict=lambda key: _values(_QUARTER @ _turned()),
        measure=lambda key: _flat("entry", _turned() @ _QUARTER),
        violate=lambda key: _flat("entry", _EIGHTH.T @ _turned() @ _EIGHTH @ _QUARTER),
        dropped="the taps are where the turn takes them (the ring is moved on by one tap before and back after)",
    ),
    Claim(
        name="harmonic_turns_compose",
        statement="Turns of a 3 x 3 kernel that are written in angular frequencies compose.",
        formula="M(theta) M(phi) = M(theta + phi), M(theta) = C_0 + sum_m cos(m theta) C_m + sin(m theta) S_m",
        source=_ARC,
        kind="identity",
        predict=lambda key: _values(_turned(_THETA + 0.3, "harmonic")),
        measure=lambda key: _flat("entry", _turned(_THETA, "harmonic") @ _turned(np.array(0.3), "harmonic")),
        violate=lambda key: _flat("entry", _turned(_THETA) @ _turned(np.array(0.3))),
        dropped="kernels are sums of angular frequencies (they are read by bilinear interpolation)",
    ),
    Claim(
        name="turning_routing_is_equivariant",
        statement="A convolution with kernels at angles that turn with the image commutes with quarter turns.",
        formula="f(rot90 x) = rot90 f(x) if lambda(rot90 x) = lambda(x) and theta(rot90 x) = theta(x) + pi / 2",
        source=_ARC,
        kind="identity",
        predict=lambda key: _values(_applied(key, "turning", "zero", _same, _quarter)),
        measure=lambda key: _flat("output", _applied(key, "turning", "zero", _quarter, _same)),
        violate=lambda key: _flat("output", _applied(key, "paper", "zero", _quarter, _same)),
        dropped="angles turn with the image (the paper's stay within 40 degrees)",
        budget=300.0,  # directions of vectors that are means of terms of both signs
    ),
    Claim(
        name="turning_routing_is_nearer_to_equivariance",
        statement="Under turns of 30 to 90 degrees a convolution with harmonic kernels at angles that turn with the "
        "scene is nearer to commuting than the paper's.",
        formula="|f(R x) - R f(x)| / |R f(x)|, mean over scenes and parameters",
        source=_ARC,
        kind="separation",
        predict=lambda key: ("turning", "paper"),
        measure=lambda key: _compared(key, "turning"),
        violate=lambda key: _compared(key, "paper"),
        dropped="the angles turn with the scene (they are the paper's)",
    ),
    Claim(
        name="adaptive_rotation_commutes_with_shifts",
        statement="On periodic images adaptive rotated convolution commutes with shifts: its kernel depends on means.",
        formula="f(shift x) = shift f(x)",
        source=_ARC,
        kind="identity",
        predict=lambda key: _values(_applied(key, "paper", "circular", _same, _shifted)),
        measure=lambda key: _flat("output", _applied(key, "paper", "circular", _shifted, _same)),
        violate=lambda key: _flat("output", _applied(key, "paper", "zero", _shifted, _same)),
        dropped="the image goes on periodically (zeros around it)",
    ),
    Claim(
        name="pyramid_convolution_shifts_levels",
        statement="A pyramid without its first level gives the same levels, one on, where both have the neighbours.",
        formula="y(q)_{l-1} = y(p)_l for q_l = p_{l+1}",
        source=_SEPC,
        kind="identity",
        predict=lambda key: _values(*_level_shift(key, 0, shared=True)),
        measure=lambda key: _flat("output", *_level_shift(key, 1, shared=True)),
        violate=lambda key: _flat("output", *_level_shift(key, 1, shared=False)),
        dropped="all levels share their kernels",
    ),
    Claim(
        name="pyramid_convolution_and_scale",
        statement="An image at half the size, by the pyramid's own blur, gives the levels of the image, one on.",
        formula="y(pyramid(D x))_{l-1} = y(pyramid(x))_l",
        source=_SEPC,
        kind="identity",
        predict=lambda key: _values(*_half_size(key, None)),
        measure=lambda key: _flat("output", *_half_size(key, halved)),
        violate=lambda key: _flat("output", *_half_size(key, lambda x: resize(x, (32, 32)))),
        dropped="the image is made smaller in the way of the pyramid (it is resized by bilinear interpolation)",
    ),
    Claim(
        name="pyramid_convolution_commutes_with_shifts",
        statement="Away from the borders a shift by 2^(L-1) pixels shifts each of L levels by whole pixels.",
        formula="y(shift_{2^(L-1)} x)_l = shift_{2^(L-1-l)} y(x)_l",
        source=_SEPC,
        kind="identity",
        predict=lambda key: _values(*_moved(key, "half_pixel", before=False)),
        measure=lambda key: _flat("output", *_moved(key, "half_pixel", before=True)),
        violate=lambda key: _flat("output", *_moved(key, "aligned_corners", before=True)),
        dropped="pixels are areas in the interpolation between levels (their outermost centres are aligned)",
    ),
    Claim(
        name="integrated_norm_shifts_levels",
        statement="One norm over all levels commutes with leaving out the first, if its statistics are stored.",
        formula="norm(q)_{l-1} = norm(p)_l for q_l = p_{l+1}",
        source=_SEPC,
        kind="identity",
        predict=lambda key: _values(*_normed(key, 0, stored=True)),
        measure=lambda key: _flat("output", *_normed(key, 1, stored=True)),
        violate=lambda key: _flat("output", *_normed(key, 1, stored=False)),
        dropped="statistics are stored (they are those of the levels that are there)",
    ),
)
