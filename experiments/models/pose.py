"""Networks that answer an image with a density over rotations: lifts to the sphere, and baselines without one.

Image-to-Sphere and its induced version are one pipeline: a small convolutional encoder, a *lift* from the plane to the
sphere, and layers that commute with SO(3): a relu on the sphere, a correlation to SO(3), a relu there, a convolution.
What comes out are the coefficients of the logit, ``f(R) = sum_l sqrt(2l + 1) sum_mn x_l[m, n] D^l_mn(R)``; the density
is ``exp f`` over its mean. The models differ in the lift alone:

=====================  =============================================================================================
``orthographic``       the fixed lift of Image-to-Sphere: what a pixel shows is put on the sphere above it
``induced``            the learned lift, all SO(2)-steerable kernels
``mirror``             the learned lift with q = 0, the kernels that are mirror symmetric, too
``pooled``             no lift: a mean over the pixels and a perceptron give the coefficients on the sphere
``steerable``          as induced, after a steerable encoder: the whole network commutes with quarter turns
``steerable_mirror``   as mirror, after an encoder with mirror-symmetric kernels
``implicit``           no spectrum: a perceptron takes pooled features and a rotation, and gives the logit
``fisher``             the matrix Fisher density ``exp tr(A^T R)``, the band limit 1; A is a perceptron's output
=====================  =============================================================================================

With ``steerable_mirror`` a mirrored picture gives the mirrored signal on the sphere, but not beyond: a mirror changes
the sign of odd degrees on SO(3), where the relu mixes them with even ones. Encoders are alike but for the steerable
ones; a network that pools has two more convolutions instead of a lift.

Reference:
    Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023 (arXiv 2307.03704); Klee, Biza, Platt, Walters, ICLR 2023
    (arXiv 2302.13926); Murphy, Esteves, Jampani, Ramalingam, Makadia, ICML 2021 (arXiv 2106.05965), for ``implicit``;
    Mohlin, Bianchi, Sullivan, NeurIPS 2020 (arXiv 2006.09740), for ``fisher``. (The last two recalled.)

Differs from the paper: images of 32 x 32 pixels and an encoder of three convolutions instead of a ResNet; the loss has
    the exact logit at the true rotation, and a grid that is turned so that this rotation is on it, instead of the
    logit at the nearest rotation of a fixed grid; the implicit network sees the entries of a rotation and two octaves
    of their sines; the sphere of Image-to-Sphere has all of its points.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from equiv.flax import as_linen
from equiv.groups import so
from equiv.groups.measures import so3_grid
from equiv.layers import Layer, SignalLayer, gated, serial
from equiv.layers.convolution import convolve
from equiv.layers.induction import mirror_plane_to_sphere, orthographic_lift, plane_to_sphere
from equiv.layers.so3 import (
    evaluate,
    log_density,
    log_partition,
    so3_activation,
    so3_conv,
    sphere_activation,
    sphere_to_so3,
    to_blocks,
)
from equiv.layers.steerable import gaussian_rings, mirror_steerable_conv, pixelwise, steerable_conv
from equiv.reps import Rep
from equiv.reps.irreps import so2, wigner_blocks

__all__ = ["MODELS", "PoseModel", "build"]

MODELS = ("orthographic", "induced", "mirror", "pooled", "steerable", "steerable_mirror", "implicit", "fisher")
"""Names of the models, in the order of the figures."""
SPHERES = 8
"""Channels on the sphere."""
ROTATIONS = 8
"""Channels on SO(3) between the two SO(3) layers."""
LOG_VOLUME = 2 * math.log(math.pi)
"""The field gives SO(3) the volume pi^2."""
GAIN = 0.1
"""What the last layer is multiplied by, so that densities start near the uniform one."""
QUERIES = 256
"""Random rotations that the implicit network is shown with each image in training, beside the true one."""


class PoseModel(NamedTuple):
    """A network from images to densities over rotations, with respect to the Haar measure of mass 1.

    Attributes:
        init: ``init(key) -> params``, float32.
        features: ``features(params, images (B, C, N, N))``, what the density depends on, for B images.
        coefficients: ``coefficients(features) -> (B, d)``, of the logit up to the band limit, degree by degree and row
            by row; 0 where there is no band limit.
        loss: ``loss(params, key, images, rotations (B, 3, 3)) -> scalar``, the mean of minus the log density.
        log_density: ``log_density(params, features, level) -> (B, 72 * 8^level)``, on ``so3_grid(level)``.
        log_likelihood: ``log_likelihood(params, features, rotations (B, s, 3, 3), level) -> (B, s)`` at the rotations
            themselves, as the field reports it: SO(3) has the volume pi^2.
    """

    init: Callable[[jax.Array], Any]
    features: Callable[[Any, jax.Array], Any]
    coefficients: Callable[[Any], jax.Array]
    loss: Callable[[Any, jax.Array, jax.Array, jax.Array], jax.Array]
    log_density: Callable[[Any, Any, int], jax.Array]
    log_likelihood: Callable[[Any, Any, jax.Array, int], jax.Array]


# --- parts ------------------------------------------------------------------------------------------------------------


class Convolution(nn.Module):
    """A convolution of 3 x 3 pixels, and ``relu``: (B, C, N, N) -> (B, width, N, N).

    Features are divided by the root of their mean square over channels and pixels, image by image.
    """

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Feature maps."""
        he = nn.initializers.variance_scaling(2.0, "fan_in", "normal", in_axis=1, out_axis=0)
        kernel = self.param("kernel", he, (self.width, x.shape[-3], 3, 3), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.width, 1, 1), jnp.float32)
        return nn.relu(_sized(convolve(x, kernel, "same") + bias[None], (-3, -2, -1)))


def _halved(x: jax.Array) -> jax.Array:
    """Means of 2 x 2 pixels."""
    *batch, height, width = x.shape
    return x.reshape(*batch, height // 2, 2, width // 2, 2).mean((-3, -1))


def _sized(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Divided by the root of the mean square over some axes."""
    return x / jnp.sqrt(jnp.mean(x**2, axis=axes, keepdims=True) + 1e-6)


class Encoder(nn.Module):
    """Four convolutions and one halving: (B, C, N, N) -> (B, n_out, N / 2, N / 2).

    Attributes:
        width: channels; half as many before the halving.
        n_out: channels that come out of the last convolution, of one pixel and without an activation.
    """

    width: int
    n_out: int

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Feature maps."""
        x = _halved(Convolution(self.width // 2)(images))
        for _ in range(2):
            x = Convolution(self.width)(x)
        return jnp.moveaxis(nn.Dense(self.n_out)(jnp.moveaxis(x, -3, -1)), -1, -3)


class Steerable(nn.Module):
    """Two convolutions of 5 x 5 pixels and a halving, all commute with turns: (B, C, N, N) to fields ``fields(width)``.

    Attributes:
        width: numbers at a pixel.
        conv: ``steerable_conv``, or ``mirror_steerable_conv`` for one that commutes with mirrors as well.
    """

    width: int
    conv: Callable[..., SignalLayer]

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Feature maps."""
        x, rep, gates = images, images.shape[-3] * so2(0), gated(fields(self.width))
        for halved in (_halved, lambda x: x):
            x = _sized(as_linen(self.conv(rep, gates.rep_in, 5, gaussian_rings(3, 5)))(x), (-3, -2, -1))
            x, rep = halved(as_linen(pixelwise(gates))(x)), gates.rep_out
        return x


def fields(width: int) -> Rep:
    """Half scalars, a quarter vectors, the rest of frequency 2; ``width`` numbers at each pixel.

    Example:
        >>> fields(32).dim
        32
    """
    vectors, others = width // 8, width // 8
    return (width - 2 * vectors - 2 * others) * so2(0) + vectors * so2(1) + others * so2(2)


class Pooled(nn.Module):
    """The encoder, two halvings and convolutions, the mean over all pixels and a perceptron: (B, C, N, N) -> (B, n).

    Attributes:
        width: channels of the encoder; the two convolutions have twice and four times as many.
        n_out: outputs.
    """

    width: int
    n_out: int

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Numbers that no place in the image belongs to."""
        x = Encoder(self.width, self.width)(images)
        for factor in (2, 4):
            x = Convolution(factor * self.width)(_halved(x))
        x = nn.relu(nn.Dense(4 * self.width, kernel_init=nn.initializers.he_normal())(jnp.mean(x, axis=(-2, -1))))
        return nn.Dense(self.n_out)(x)


# --- densities with a band limit --------------------------------------------------------------------------------------


class Spectral(nn.Module):
    """An encoder, a lift, and layers that commute with SO(3): (B, C, N, N) -> vectors of ``rotation_signal(l_max)``.

    Attributes:
        encoder: images to feature maps, or to coefficients if there is no lift.
        lift: feature maps to vectors of ``sphere_signal(l_max, SPHERES)``.
        head: those to vectors of ``rotation_signal(l_max)``.
    """

    encoder: nn.Module
    lift: SignalLayer | None
    head: Layer

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """The coefficients of the logit."""
        x = self.encoder(images)
        if self.lift is not None:
            x = as_linen(self.lift)(x)
        x = _sized(x, (-1,))  # no rotation changes the size of a signal
        return GAIN * as_linen(self.head)(x)


@functools.cache
def _head(l_max: int) -> Layer:
    """A relu on the sphere, the correlation to SO(3), a relu there, and a convolution.

    Values are taken at a multiple of four azimuths, so that quarter turns of the camera only exchange them.
    """
    degree = 3 * l_max + (-3 * l_max - 1) % 4
    return serial(
        sphere_activation(l_max, SPHERES, jax.nn.relu, degree),
        sphere_to_so3(l_max, SPHERES, ROTATIONS),
        so3_activation(l_max, ROTATIONS, jax.nn.relu, degree),
        so3_conv(l_max, ROTATIONS, 1),
    )


def _likelihood(blocks: tuple[jax.Array, ...], rotations: jax.Array, level: int, cell: jax.Array) -> jax.Array:
    """Log-likelihoods (B, s) of (B, s, 3, 3), normalised over the grid turned so that a cell is the first of them.

    With ``x_l -> D^l(Q)^T x_l`` the grid stands for the rotations ``Q R_i``.
    """
    turn = rotations[:, 0] @ so3_grid(level, rotations.dtype)[cell].T
    turned = [jnp.swapaxes(d, -1, -2) @ x for d, x in zip(wigner_blocks(len(blocks) - 1, turn), blocks, strict=True)]
    logits = evaluate(tuple(block[:, None] for block in blocks), rotations)
    return logits - log_partition(tuple(turned), level)[:, None] - LOG_VOLUME


class Fisher(nn.Module):
    """``tr(A^T R)``, A without any bound: (B, C, N, N) -> vectors of ``rotation_signal(1)``."""

    width: int

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """The coefficients of the logit, that of degree 0 left at zero."""
        return jnp.pad(Pooled(self.width, 9)(images), ((0, 0), (1, 0)))


def _spectral(module: nn.Module, l_max: int, side: int, channels: int, level: int) -> PoseModel:
    """The densities whose logits a module gives the coefficients of."""

    def init(key: jax.Array) -> Any:
        return module.init(key, jnp.zeros((1, channels, side, side), jnp.float32))

    def features(params: Any, images: jax.Array) -> tuple[jax.Array, ...]:
        return tuple(block[:, 0] for block in to_blocks(module.apply(params, images), l_max))

    def loss(params: Any, key: jax.Array, images: jax.Array, rotations: jax.Array) -> jax.Array:
        cell = jax.random.randint(key, (), 0, 72 * 8**level)
        return -jnp.mean(_likelihood(features(params, images), rotations[:, None], level, cell))

    return PoseModel(
        init=init,
        features=features,
        coefficients=lambda blocks: jnp.concatenate([block.reshape(len(block), -1) for block in blocks], axis=-1),
        loss=loss,
        log_density=lambda params, blocks, level: log_density(blocks, level),
        log_likelihood=lambda params, blocks, rotations, level: _likelihood(blocks, rotations, level, jnp.int32(0)),
    )


# --- densities without one --------------------------------------------------------------------------------------------


class Logit(nn.Module):
    """A perceptron of two hidden layers that takes features and a rotation: (B, d) and (B, n, 3, 3) -> (B, n)."""

    width: int

    @nn.compact
    def __call__(self, features: jax.Array, rotations: jax.Array) -> jax.Array:
        """The logits of the rotations; their entries come with two octaves of sines and cosines."""
        entries = rotations.reshape(*rotations.shape[:-2], 9)
        waves = [f(octave * jnp.pi * entries) for octave in (1, 2) for f in (jnp.sin, jnp.cos)]
        of_rotation = nn.Dense(self.width, use_bias=False)(jnp.concatenate([entries, *waves], axis=-1))
        x = nn.relu(nn.Dense(self.width)(features)[..., None, :] + of_rotation)
        return nn.Dense(1)(nn.relu(nn.Dense(self.width)(x)))[..., 0]


def _relative(logits: jax.Array) -> jax.Array:
    """Logarithms of the density relative to the mean over those that are there."""
    return jax.nn.log_softmax(logits, axis=-1) + jnp.log(jnp.float32(logits.shape[-1]))


def _implicit(width: int, side: int, channels: int) -> PoseModel:
    """The implicit density; in training it is normalised over random rotations and the true one."""
    trunk, head = Pooled(width, 2 * width), Logit(2 * width)

    def init(key: jax.Array) -> Any:
        trunk_key, head_key = jax.random.split(key)
        start = trunk.init(trunk_key, jnp.zeros((1, channels, side, side), jnp.float32))
        one = jnp.eye(3, dtype=jnp.float32)[None, None]
        return {"trunk": start, "head": head.init(head_key, jnp.zeros((1, 2 * width), jnp.float32), one)}

    def features(params: Any, images: jax.Array) -> jax.Array:
        return trunk.apply(params["trunk"], images)

    def loss(params: Any, key: jax.Array, images: jax.Array, rotations: jax.Array) -> jax.Array:
        drawn = so(3).sample(key, (len(rotations), QUERIES), jnp.float32)
        shown = jnp.concatenate([rotations[:, None], drawn], axis=1)
        return -jnp.mean(_relative(head.apply(params["head"], features(params, images), shown))[:, 0])

    def log_density(params: Any, features: jax.Array, level: int) -> jax.Array:
        logits = head.apply(params["head"], features, so3_grid(level, jnp.float32)[None])
        return _relative(logits)

    def log_likelihood(params: Any, features: jax.Array, rotations: jax.Array, level: int) -> jax.Array:
        grid = so3_grid(level, jnp.float32)
        logits = head.apply(params["head"], features, rotations[:, :1] @ (grid[0].T @ grid)[None])
        partition = jax.nn.logsumexp(logits, axis=-1, keepdims=True) - jnp.log(jnp.float32(len(grid)))
        return head.apply(params["head"], features, rotations) - partition - LOG_VOLUME

    return PoseModel(
        init=init,
        features=features,
        coefficients=lambda features: jnp.zeros((len(features), 1), jnp.float32),
        loss=loss,
        log_density=log_density,
        log_likelihood=log_likelihood,
    )


# --- all of them ------------------------------------------------------------------------------------------------------


@functools.cache
def build(name: str, width: int, l_max: int, level: int, side: int = 32, channels: int = 2) -> PoseModel:
    """A network by its name.

    Args:
        name: one of ``MODELS``.
        width: channels of the encoder.
        l_max: band limit of the logit.
        level: of the grid of rotations whose mean normalises the density in training.
        side: pixels along one side of an image.
        channels: of an image.

    Raises:
        ValueError: another name.

    Example:
        >>> model = build("orthographic", 8, 3, 1, side=16)
        >>> params = model.init(jax.random.key(0))
        >>> features = model.features(params, jnp.zeros((5, 2, 16, 16), jnp.float32))
        >>> model.log_density(params, features, 1).shape
        (5, 576)
    """
    if name not in MODELS:
        raise ValueError(f"build knows {', '.join(MODELS)}; got {name!r}")
    if name == "implicit":
        return _implicit(width, side, channels)
    if name == "fisher":
        return _spectral(Fisher(width), 1, side, channels, level)
    if name == "pooled":
        module = Spectral(Pooled(width, SPHERES * (l_max + 1) ** 2), None, _head(l_max))
        return _spectral(module, l_max, side, channels, level)
    radial = gaussian_rings(4, side // 2)
    lifted = mirror_plane_to_sphere if "mirror" in name else plane_to_sphere
    if name == "orthographic":
        encoder, lift = Encoder(width, SPHERES), orthographic_lift(l_max, SPHERES)
    elif name in ("induced", "mirror"):
        encoder, lift = Encoder(width, width), lifted(width * so2(0), l_max, SPHERES, radial)
    else:
        conv = mirror_steerable_conv if "mirror" in name else steerable_conv
        encoder, lift = Steerable(width, conv), lifted(fields(width), l_max, SPHERES, radial)
    return _spectral(Spectral(encoder, lift, _head(l_max)), l_max, side, channels, level)
