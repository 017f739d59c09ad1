"""Classifiers of images that have been moved by an affine map: five of one shape, and one with a moving frame.

The shape is that of Mironenco and Forré (ICLR 2024): a lifting, a residual block of two group convolutions, a pooling
of 2 x 2 pixels, one more group convolution, the maximum over everything, and a head of one hidden layer; feature maps
are normalised over channels, elements and pixels of each example. ``so2``, ``sl2`` and ``gl2`` differ in the group, and
``cnn`` has ordinary convolutions in their place and as many parameters, by its width. What the group moves here is what
``equiv.layers.lie_conv`` says; the sample of the group is an argument.

``moving_frame`` takes its sample relative to a frame that it reads off the image (``equiv.layers.frames``), so that
stretches and shears drop out exactly whatever the number of elements, and what is averaged over is a circle of
rotations. Its first group layer has relative samples, with weights of the Haar measure; its kernels are separable; the
pooling is a soft maximum of the logits, whose distance from invariance is that of an average over N equidistant angles.

``sample(key, n)`` gives n elements for training, ``sample(None, n)`` those for testing, which are always the same.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from equiv.groups import Group, gl_plus, sl, so
from equiv.groups.decompositions import from_cartan_coordinates
from equiv.groups.measures import sobol_haar_ball
from equiv.layers import lie_conv
from equiv.layers.convolution import convolve
from equiv.layers.frames import moment_frame, pull_back
from equiv.layers.lie_conv import GroupSignal
from experiments.models import n_parameters

__all__ = ["MODELS", "AffineModel", "Precision", "build", "cnn", "moving_frame", "resnet", "width_for"]

MODELS = ("cnn", "cnn_augmented", "so2", "sl2", "gl2", "moving_frame")
"""Names of the models, in the order of the figures; cnn_augmented is cnn, trained on moved images."""

Precision = Literal["float32", "bfloat16"]
"""What images and feature maps are stored in; parameters, kernels, sums of products and logits are float32."""

HEAD = 256
"""Width of the hidden layer of the head."""
DROPOUT = 0.3
"""Share of the head's hidden layer that is left out in a training step."""
VARIANCE = 0.1
"""Of each orthonormal coordinate of log(P P^T) in the paper's sample, as read in its code."""


class AffineModel(NamedTuple):
    """A classifier that samples a group.

    Attributes:
        init: ``init(key) -> params``, float32.
        apply: ``apply(params, images (B, S, S), elements (N, 2, 2), key=None) -> logits (B, n_classes)``; the key is
            for dropout, and there is none without it.
        sample: ``sample(key or None, n) -> elements``, float32.
    """

    init: Callable[[jax.Array], Any]
    apply: Callable[..., jax.Array]
    sample: Callable[[jax.Array | None, int], jax.Array]


# --- parts ------------------------------------------------------------------------------------------------------------


def _angles(key: jax.Array | None, n: int) -> jax.Array:
    """N equidistant angles, no two the same rotation, from a random first one."""
    offset = jnp.zeros((), jnp.float32) if key is None else jax.random.uniform(key, (), jnp.float32)
    return 2 * jnp.pi / n * (jnp.arange(n, dtype=jnp.float32) + offset)


def paper_sample(group: Group, key: jax.Array | None, n: int) -> jax.Array:
    """The paper's sample: equidistant rotations, and a Gaussian ``log P`` for each, without weights.

    Differs from the paper: no rotation counts twice (the public code takes -pi and pi), and what is taken for testing
    is always the same.
    """
    k_stretch, k_turn = jax.random.split(jax.random.key(n) if key is None else key)
    n_stretch = group.dim - 1
    stretch = VARIANCE**0.5 / 2 * jax.random.normal(k_stretch, (n, n_stretch), jnp.float32)
    angles = _angles(None if key is None else k_turn, n)
    angles = (angles + jnp.pi) % (2 * jnp.pi) - jnp.pi
    return from_cartan_coordinates(group, jnp.concatenate([stretch, angles[:, None]], axis=-1))


def _normalised(values: jax.Array) -> jax.Array:
    """Mean 0 and variance 1 over channels, elements, rows and columns of each example; no parameters."""
    wide = values.astype(jnp.float32)
    centred = wide - jnp.mean(wide, axis=(-4, -3, -2, -1), keepdims=True)
    variance = jnp.mean(centred**2, axis=(-4, -3, -2, -1), keepdims=True)
    return (centred / jnp.sqrt(variance + 1e-5)).astype(values.dtype)


def _each(signal: GroupSignal, *functions: Callable[[jax.Array], jax.Array]) -> GroupSignal:
    for function in functions:
        signal = signal._replace(values=function(signal.values))
    return signal


def _activated(signal: GroupSignal) -> GroupSignal:
    return _each(signal, _normalised, jax.nn.gelu)


def _joined(x: GroupSignal, y: GroupSignal) -> GroupSignal:
    """The end of a residual block: y, normalised, is added to x."""
    return _each(x._replace(values=x.values + _normalised(y.values)), jax.nn.gelu, _normalised)


def _halved(signal: GroupSignal) -> GroupSignal:
    """The largest of 2 x 2 pixels; an odd row or column at the end is dropped."""
    values = signal.values
    half = values.shape[-1] // 2
    values = values[..., : 2 * half, : 2 * half]
    values = values.reshape(*values.shape[:-2], half, 2, half, 2).max(axis=(-3, -1))
    return signal._replace(values=values, pixel=2 * signal.pixel)


def _head_init(key: jax.Array, width: int, n_classes: int) -> dict[str, Any]:
    k_first, k_last = jax.random.split(key)
    draw = lambda k, shape: jax.random.uniform(k, shape, jnp.float32, -(shape[0] ** -0.5), shape[0] ** -0.5)
    return {
        "first": draw(k_first, (width, HEAD)),
        "scale": jnp.ones(HEAD, jnp.float32),
        "shift": jnp.zeros(HEAD, jnp.float32),
        "last": draw(k_last, (HEAD, n_classes)),
        "bias": jnp.zeros(n_classes, jnp.float32),
    }


def _head(params: dict[str, Any], x: jax.Array, key: jax.Array | None) -> jax.Array:
    """Linear, layer norm, GELU, dropout, linear: (..., width) -> (..., n_classes)."""
    row = lambda v: v.reshape((1,) * (x.ndim - 1) + v.shape)
    x = x.astype(jnp.float32) @ params["first"]
    x = x - jnp.mean(x, axis=-1, keepdims=True)
    x = x / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-5)
    x = jax.nn.gelu(x * row(params["scale"]) + row(params["shift"]))
    if key is not None:
        x = jnp.where(jax.random.bernoulli(key, 1 - DROPOUT, x.shape), x / (1 - DROPOUT), 0)
    return x @ params["last"] + row(params["bias"])


def _images(images: jax.Array, precision: Precision) -> lie_conv.PlaneSignal:
    """From 0 ... 1 to mean and deviation 1/2, as the paper has it."""
    signal = lie_conv.image(images[..., None, :, :])
    return signal._replace(values=(2 * signal.values - 1).astype(precision))


# --- one shape, several convolutions ----------------------------------------------------------------------------------


def _once(stage: Callable) -> Callable:
    """Computed once, and everything inside is kept for the gradient."""
    return stage


class _Convolution(NamedTuple):
    """A layer between feature maps: ``init(key)`` and ``apply(params, signal) -> signal``."""

    init: Callable[[jax.Array], Any]
    apply: Callable[[Any, GroupSignal], GroupSignal]


class _Convolutions(NamedTuple):
    """What a shape is filled with: ``first_init(key)``, ``first(params, image, elements)``, and three layers."""

    first_init: Callable[[jax.Array], Any]
    first: Callable[..., GroupSignal]
    block: tuple[_Convolution, _Convolution]
    last: _Convolution


def _filled(
    parts: _Convolutions,
    sample: Callable,
    width: int,
    n_classes: int,
    precision: Precision,
    stage: Callable = _once,
) -> AffineModel:
    """The shape; ``stage`` says what is kept of each part for its gradient."""

    def init(key: jax.Array) -> dict[str, Any]:
        keys = tuple(jax.random.split(key, 5))
        return {
            "first": parts.first_init(keys[0]),
            "block": tuple(conv.init(k) for conv, k in zip(parts.block, keys[1:3])),
            "last": parts.last.init(keys[3]),
            "head": _head_init(keys[4], width, n_classes),
        }

    def apply(
        params: dict[str, Any], images: jax.Array, elements: jax.Array, key: jax.Array | None = None
    ) -> jax.Array:
        def lift(p: Any, images: jax.Array) -> GroupSignal:
            return _activated(parts.first(p, _images(images, precision), elements))

        def inner(p: Any, x: GroupSignal) -> GroupSignal:
            return _activated(parts.block[0].apply(p, x))

        def outer(p: Any, y: GroupSignal, x: GroupSignal) -> GroupSignal:
            return _each(_halved(_joined(x, parts.block[1].apply(p, y))), jax.nn.gelu)

        def end(p: Any, x: GroupSignal) -> GroupSignal:
            return _activated(parts.last.apply(p, x))

        x = stage(lift)(params["first"], images)
        y = stage(inner)(params["block"][0], x)
        x = stage(outer)(params["block"][1], y, x)
        x = stage(end)(params["last"], x)
        return _head(params["head"], lie_conv.invariant_pool(x, float("inf")), key)

    return AffineModel(init, apply, sample)


@functools.cache
def resnet(
    group: Group, width: int = 40, n_classes: int = 10, precision: Precision = "float32", chunk: int | None = None
) -> AffineModel:
    """The paper's classifier for so(2), sl(2) or gl_plus(2): 339,102 parameters for sl(2) at its width, 40.

    Args:
        group: so(2), sl(2) or gl_plus(2).
        width: channels of every layer.
        n_classes: of the logits.
        precision: of feature maps.
        chunk: elements of a group convolution that are done at a time, and then each stage keeps its input only and is
            computed again for its gradient; None for everything at once.

    Reference:
        Mironenco, Forré, ICLR 2024 (arXiv 2310.11366); the layers as read in the public code.

    Differs from the paper: feature maps stay with the elements they live on, the angle has no jump at the identity, a
        window closes it at half a turn, and an integral has the weight 1 / N.
    """
    window = lie_conv.ball if group.spec[0] == "gl_plus" else lie_conv.disc
    lifting = lie_conv.lifting(group, 1, width, window=window)

    def conv(padding: str) -> _Convolution:
        layer = lie_conv.group_conv(group, width, width, window=window, padding=padding, chunk=chunk)
        return _Convolution(lambda key: layer.init(key, jnp.float32), layer.apply)

    parts = _Convolutions(
        lambda key: lifting.init(key, jnp.float32), lifting.apply, (conv("same"), conv("same")), conv("valid")
    )
    stage = _once if chunk is None else jax.checkpoint
    return _filled(parts, functools.partial(paper_sample, group), width, n_classes, precision, stage)


def _free(channels_in: int, channels_out: int, padding: str) -> _Convolution:
    """An ordinary 5 x 5 convolution, for each element by itself; no bias, as in the paper's."""

    def init(key: jax.Array) -> jax.Array:
        bound = (6 / (25 * channels_in)) ** 0.5
        return jax.random.uniform(key, (channels_out, channels_in, 5, 5), jnp.float32, -bound, bound)

    def apply(params: jax.Array, signal: GroupSignal) -> GroupSignal:
        values = jnp.moveaxis(signal.values, -3, 0)
        values = convolve(values, params.astype(values.dtype), padding)
        return signal._replace(values=jnp.moveaxis(values, 0, -3))

    return _Convolution(init, apply)


@functools.cache
def cnn(width: int, n_classes: int = 10, precision: Precision = "float32") -> AffineModel:
    """The same shape with ordinary convolutions; its sample of the group is the identity alone.

    Args:
        width: channels of every layer.
        n_classes: of the logits.
        precision: of feature maps.
    """
    first = _free(1, width, "valid")

    def lift(params: jax.Array, image: lie_conv.PlaneSignal, elements: jax.Array) -> GroupSignal:
        one = GroupSignal(image.values[..., None, :, :], elements, jnp.zeros(1, jnp.float32), image.pixel)
        return first.apply(params, one)

    parts = _Convolutions(
        first.init, lift, (_free(width, width, "same"), _free(width, width, "same")), _free(width, width, "valid")
    )
    return _filled(parts, lambda key, n: jnp.eye(2, dtype=jnp.float32)[None], width, n_classes, precision)


# --- the moving frame -------------------------------------------------------------------------------------------------

RELATIVE = 8
"""Relative samples of the first group layer of ``moving_frame``."""
SIGHT = 3.0
"""Half the width of what ``moving_frame`` sees of an image, in standard deviations of its mass."""


@functools.cache
def _relative() -> tuple[np.ndarray, np.ndarray]:
    """Elements near the identity with weights of the Haar measure, always the same."""
    with jax.enable_x64(True), jax.core.eval_context():
        elements, log_weights = sobol_haar_ball(jax.random.key(0), sl(2), 0.4, RELATIVE)
        return np.asarray(elements), np.asarray(log_weights)


@functools.cache
def moving_frame(width: int, n_classes: int = 10, precision: Precision = "float32", side: int = 28) -> AffineModel:
    """A network on GL+(2) whose sample moves with the image.

    Args:
        width: channels of every layer.
        n_classes: of the logits.
        precision: of feature maps.
        side: pixels across the image in the coordinates of an element.
    """
    group = sl(2)
    lifting = lie_conv.lifting(group, 1, width, size=7, window=lie_conv.bump)
    mix = lie_conv.separable_group_conv(group, width, width, window=lie_conv.bump)
    block = (_free(width, width, "same"), _free(width, width, "same"))
    last = _free(width, width, "valid")

    def init(key: jax.Array) -> dict[str, Any]:
        keys = tuple(jax.random.split(key, 6))
        return {
            "first": lifting.init(keys[0], jnp.float32),
            "mix": mix.init(keys[1], jnp.float32),
            "block": tuple(conv.init(k) for conv, k in zip(block, keys[2:4])),
            "last": last.init(keys[4]),
            "head": _head_init(keys[5], width, n_classes),
        }

    def seen(images: jax.Array, elements: jax.Array) -> jax.Array:
        """Every image in the coordinates of its own elements, (B, N, side, side)."""

        def one(picture: jax.Array) -> jax.Array:
            signal = lie_conv.image(picture[None], 1.0)
            centre, frame = moment_frame(signal)
            own = jnp.broadcast_to(frame, elements.shape) @ elements
            return pull_back(signal, centre, own, side, 2 * SIGHT / side)[:, 0]

        return jax.vmap(one)(images)

    def apply(
        params: dict[str, Any], images: jax.Array, elements: jax.Array, key: jax.Array | None = None
    ) -> jax.Array:
        views = seen(images, elements)
        near, log_weights = (jnp.asarray(part, jnp.float32) for part in _relative())
        x = _activated(lifting.apply(params["first"], _images(views, precision), near, log_weights))
        x = mix.apply(params["mix"], x, jnp.eye(2, dtype=jnp.float32)[None], jnp.zeros(1, jnp.float32))
        x = _halved(_activated(x))
        y = _activated(block[0].apply(params["block"][0], x))
        x = _joined(x, block[1].apply(params["block"][1], y))
        x = _activated(last.apply(params["last"], x))
        logits = _head(params["head"], lie_conv.invariant_pool(x, float("inf")), key)  # (B, N, n_classes)
        n = len(elements)
        values = jnp.moveaxis(logits, -1, -2)[..., None, None]
        poses = GroupSignal(values, elements, jnp.full(n, -np.log(n), jnp.float32), jnp.eye(2, dtype=jnp.float32))
        return lie_conv.invariant_pool(poses, 1.0)

    def sample(key: jax.Array | None, n: int) -> jax.Array:
        return so(2).exp(_angles(key, n)[:, None])

    return AffineModel(init, apply, sample)


# --- equal sizes ------------------------------------------------------------------------------------------------------


def width_for(target: int, of_width: Callable[[int], AffineModel]) -> int:
    """The width at which a model has nearest to ``target`` parameters."""
    width = 1
    while n_parameters(of_width(width)) < target:
        width += 1
    above, below = n_parameters(of_width(width)), n_parameters(of_width(max(1, width - 1)))
    return width if above - target <= target - below else max(1, width - 1)


@functools.cache
def build(name: str, width: int = 40, n_classes: int = 10, precision: Precision = "float32") -> AffineModel:
    """The model of that name, with about as many parameters as ``sl2`` has at this width.

    Args:
        name: one of ``MODELS``.
        width: channels of ``so2``, ``sl2`` and ``gl2``; the others' follow from it.
        n_classes: of the logits.
        precision: of feature maps.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"the precision of feature maps is float32 or bfloat16, got {precision!r}")
    groups = {"so2": so(2), "sl2": sl(2), "gl2": gl_plus(2)}
    if name in groups:
        return resnet(groups[name], width, n_classes, precision)
    others = {"cnn": cnn, "cnn_augmented": cnn, "moving_frame": moving_frame}
    if name not in others:
        raise ValueError(f"the models are {', '.join(MODELS)}, got {name!r}")
    target = n_parameters(resnet(sl(2), width, n_classes))
    of_width = lambda w: others[name](w, n_classes, precision)
    return of_width(width_for(target, of_width))
