r"""Convolutions whose 3 x 3 kernels are turned by angles that are read off the image.

Adaptive rotated convolution is a plug-in for detectors of objects that lie any way round:

1. *routing*: a depthwise convolution, a norm over channels, ReLU and the mean over all pixels give one vector u for
   each image, and u gives gates ``lambda_i = sigmoid(...)`` and angles ``theta_i = 40 deg * softsign(...)``;
2. the kernel of the image is ``sum_i lambda_i Rot(W_i, theta_i)``, n learnt kernels turned and mixed;
3. an ordinary convolution with it.

``Rot`` is a matrix M(theta) on the nine taps (``rotation_matrix``): each tap is read, bilinearly, where the turn takes
it, at the border if that lies outside. What is exact about it, and what is not:

* ``M(theta + 90 deg) = Q M(theta)``, Q the turn of the grid, which commutes with M; mirrored, ``F M(theta) F =
  M(-theta)``; rows sum to one, so constant kernels stay, but columns do not, so the mass of a kernel changes;
* M is no representation: ``M(20 deg)^2`` is not ``M(40 deg)``; it has a kink at 0 and at every quarter turn.

The other ``Rot``, ``interpolation="harmonic"``, is ours. The nine taps are the middle, four at distance 1 and four at
distance sqrt 2, and kernels on them are sums of ``1``, ``cos phi``, ``sin phi`` on each ring and of one pair ``cos 2
phi`` (on the inner ring) and ``sin 2 phi`` (on the outer). A turn gives each its phase: a representation, smooth in the
angle, that keeps the sum of a kernel, turns its first and second moments as it should, and is the turn of the grid at
quarter turns.

With the paper's routing the layer commutes with shifts (circular padding) and with no turn: its angles do not turn with
the image, and could not, as they stay within 40 degrees. ``routing="turning"`` is ours: gates come from what turns
leave alone, angles are those of vectors made of gradients, which turn with the image, so that the layer commutes with
quarter turns exactly. With others it commutes up to what the grid does to the image, if kernels are turned
harmonically.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from equiv import numerics
from equiv.groups.base import intern
from equiv.groups.finite import whole
from equiv.layers.base import Params, SignalLayer, entry

__all__ = ["Route", "adaptive_rotated_convolution", "rotate", "rotation_matrix", "route"]

PADDINGS = {"zero": "constant", "circular": "wrap"}
"""How an image goes on beyond its border."""
_X, _Y = (np.array(v, np.float64) for v in zip(*((x, y) for y in (-1, 0, 1) for x in (-1, 0, 1))))


# --- turned kernels ---------------------------------------------------------------------------------------------------


def rotation_matrix(theta: Float[Array, "..."], interpolation: str = "bilinear") -> Float[Array, "... 9 9"]:
    r"""The matrix that turns a 3 x 3 kernel, flattened row by row, counter-clockwise.

    ``M[p, q] = hat(x - x_q) hat(y - y_q)`` with ``(x, y) = (cos x_p - sin y_p, sin x_p + cos y_p)`` kept within
    ``[-1, 1]``, taps at -1, 0, 1, y down, and ``hat(u) = max(0, 1 - |u|)``; or, with angular frequencies m = 0, 1, 2,
    ``M = C_0 + sum_m cos(m theta) C_m + sin(m theta) S_m``, which is a representation.

    Args:
        theta: angles in radians, any.
        interpolation: "bilinear", the paper's, or "harmonic".

    Raises:
        ValueError: another interpolation.

    Example:
        >>> turned = rotation_matrix(jnp.asarray(jnp.pi / 2)) @ jnp.arange(9.0)
        >>> jnp.round(turned).reshape(3, 3).tolist()  # as numpy.rot90
        [[2.0, 5.0, 8.0], [1.0, 4.0, 7.0], [0.0, 3.0, 6.0]]

    Reference:
        Pu, Wang, Xia, Han, Wang, Gan, Wang, Song, Huang, Adaptive Rotated Convolution for Rotated Object Detection,
        ICCV 2023 (arXiv 2303.07820).

    Differs from the paper:
        The public code writes the entries out, which is this for angles up to 45 degrees and wrong beyond.
    """
    if interpolation not in _TURNS:
        raise ValueError(f"the interpolation of a turn has to be {' or '.join(_TURNS)}, got {interpolation!r}")
    theta = jnp.asarray(theta)
    return _TURNS[interpolation](jnp.cos(theta), jnp.sin(theta))


def _bilinear(cos: Array, sin: Array) -> Array:
    x, y = jnp.asarray(_X, cos.dtype), jnp.asarray(_Y, cos.dtype)
    shape = (*(1,) * cos.ndim, 9, 1)
    column, row = x.reshape(shape), y.reshape(shape)
    cos, sin = cos[..., None, None], sin[..., None, None]
    taps = (*(1,) * (cos.ndim - 1), 9)

    def hat(place: Array, tap: Array) -> Array:
        return jnp.maximum(1 - jnp.abs(jnp.clip(place, -1, 1) - tap.reshape(taps)), 0)

    return hat(cos * column - sin * row, x) * hat(sin * column + cos * row, y)


@functools.cache
def _phases() -> np.ndarray:
    """The matrices (5, 9, 9) that 1, cos theta, sin theta, cos 2 theta and sin 2 theta multiply."""
    phi, square = np.arctan2(-_Y, _X), _X**2 + _Y**2
    inner, outer = square == 1, square == 2
    still = [square == 0, inner, outer]
    pairs = [(1, ring * np.cos(phi), ring * np.sin(phi)) for ring in (inner, outer)]
    # at twice the squared distance half the weight has the same second moments
    pairs.append((2, inner * np.cos(2 * phi), outer * np.sin(2 * phi) / 2))
    basis = np.stack([*still, *(vector for _, *pair in pairs for vector in pair)], axis=1).astype(np.float64)
    parts = np.zeros((5, 9, 9))
    parts[0, :3, :3] = np.eye(3)
    for at, (m, _, _) in zip((3, 5, 7), pairs):
        block = slice(at, at + 2)
        parts[2 * m - 1, block, block] = np.eye(2)
        parts[2 * m, block, block] = [[0, -1], [1, 0]]
    parts = basis @ parts @ np.linalg.inv(basis)
    return np.round(parts * 16) / 16  # all of them are


def _harmonic(cos: Array, sin: Array) -> Array:
    phases = jnp.stack([jnp.ones_like(cos), cos, sin, cos * cos - sin * sin, 2 * sin * cos], axis=-1)
    return jnp.einsum("...k,kpq->...pq", phases, jnp.asarray(_phases(), cos.dtype))


_TURNS: dict[str, Callable[[Array, Array], Array]] = {"bilinear": _bilinear, "harmonic": _harmonic}


def rotate(
    kernel: Float[Array, "..."], theta: Float[Array, "..."], interpolation: str = "bilinear"
) -> Float[Array, "... 3 3"]:
    """Kernels turned counter-clockwise.

    Args:
        kernel: (..., 3, 3).
        theta: angles in radians, of leading axes that broadcast with those of the kernels.
        interpolation: "bilinear" or "harmonic", see ``rotation_matrix``.

    Raises:
        ValueError: kernels of another size, or another interpolation.

    Example:
        >>> rotate(jnp.ones((4, 3, 3)), jnp.asarray(0.3)).min().round(6).item()
        1.0
    """
    kernel = jnp.asarray(kernel)
    if kernel.ndim < 2 or kernel.shape[-2:] != (3, 3):
        raise ValueError(f"rotate takes kernels (..., 3, 3), got an array of shape {kernel.shape}")
    matrix = rotation_matrix(jnp.asarray(theta, kernel.dtype), interpolation)
    flat = kernel.reshape(*kernel.shape[:-2], 9)
    lead = np.broadcast_shapes(matrix.shape[:-2], flat.shape[:-1])
    turned = jnp.einsum("...pq,...q->...p", jnp.broadcast_to(matrix, (*lead, 9, 9)), jnp.broadcast_to(flat, (*lead, 9)))
    return turned.reshape(*lead, 3, 3)


# --- routing ----------------------------------------------------------------------------------------------------------


class Route(NamedTuple):
    """What the image says about its kernel.

    Attributes:
        gates: (B, n), from 0 to 1.
        cos: (B, n), of the angles.
        sin: (B, n).
    """

    gates: jax.Array
    cos: jax.Array
    sin: jax.Array

    @property
    def angles(self) -> jax.Array:
        """(B, n), in radians."""
        return jnp.arctan2(self.sin, self.cos)


def _padded(x: Array, padding: str) -> Array:
    return jnp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode=PADDINGS[padding])


def _convolve(x: Array, kernel: Array, groups: int, padding: str) -> Array:
    """Cross-correlation of (B, I, H, W) with (O, I / groups, 3, 3), one pixel of padding."""
    numbers = ("NCHW", "OIHW", "NCHW")
    x = _padded(x, padding)
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "VALID", dimension_numbers=numbers, feature_group_count=groups
    )


def _channels(v: Array) -> Array:
    return v.reshape(1, -1, 1, 1)


def _excited(params: Params, x: Array, kernel: Array, padding: str) -> Array:
    """ReLU of the norm over channels of a depthwise convolution, (B, C, H, W)."""
    y = _convolve(x, kernel[:, None].astype(x.dtype), x.shape[1], padding).astype(kernel.dtype)
    y = y - jnp.mean(y, axis=1, keepdims=True)
    y = y / jnp.sqrt(jnp.mean(y**2, axis=1, keepdims=True) + 1e-6)
    return jax.nn.relu(y * _channels(params["scale"]) + _channels(params["shift"]))


def _dropped(u: Array, key: jax.Array | None, dropout: float) -> Array:
    if key is None or dropout == 0:
        return u
    return jnp.where(jax.random.bernoulli(key, 1 - dropout, u.shape), u / (1 - dropout), 0)


def _paper_route(params: Params, x: Array, keys: Any, padding: str, largest: float, dropout: float) -> Route:
    u = jnp.mean(_excited(params, x, params["depthwise"], padding), axis=(2, 3))
    gates = jax.nn.sigmoid(_dropped(u, keys[0], dropout) @ params["gates"] + params["bias"].reshape(1, -1))
    angles = largest * jax.nn.soft_sign(_dropped(u, keys[1], dropout) @ params["angles"])
    return Route(gates, jnp.cos(angles), jnp.sin(angles))


def _turning_route(params: Params, x: Array, keys: Any, padding: str, largest: float, dropout: float) -> Route:
    """Gates of what turns leave alone; the directions of vectors that turn with the image."""
    kernel = params["depthwise"]
    symmetric = sum(jnp.rot90(kernel, k, axes=(1, 2)) for k in range(4)) / 4
    excited = _excited(params, x, symmetric, padding)
    u = jnp.mean(excited, axis=(2, 3))
    gates = jax.nn.sigmoid(_dropped(u, keys[0], dropout) @ params["gates"] + params["bias"].reshape(1, -1))
    # y up, so that (east, north) turns counter-clockwise with the image
    east = jnp.asarray(np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8, x.dtype)
    slopes = []
    for sobel in (east, jnp.rot90(east)):
        slope = _convolve(x, jnp.broadcast_to(sobel, (x.shape[1], 1, 3, 3)), x.shape[1], padding)
        slopes.append(jnp.mean(excited * slope.astype(excited.dtype), axis=(2, 3)))
    vectors = jnp.stack(slopes, axis=-1)  # (B, C, 2)
    if keys[1] is not None:
        vectors = vectors * _dropped(jnp.ones(vectors.shape[:2], vectors.dtype), keys[1], dropout)[..., None]
    across = jnp.stack([-vectors[..., 1], vectors[..., 0]], axis=-1)
    heading = jnp.einsum("bcv,cn->bnv", vectors, params["angles"]) + jnp.einsum("bcv,cn->bnv", across, params["across"])
    length = numerics.norm(heading)
    flat = length < jnp.finfo(length.dtype).tiny ** 0.5  # an image without gradients says nothing
    unit = heading / jnp.where(flat, 1, length)[..., None]
    return Route(gates, jnp.where(flat, 1, unit[..., 0]), jnp.where(flat, 0, unit[..., 1]))


_ROUTINGS: dict[str, Callable[..., Route]] = {"paper": _paper_route, "turning": _turning_route}


def route(layer: SignalLayer, params: Params, x: Float[Array, "b c h w"], key: jax.Array | None = None) -> Route:
    """The gates and angles that an ``adaptive_rotated_convolution`` reads off images.

    Args:
        layer: the layer.
        params: its parameters.
        x: images (B, C, H, W).
        key: for dropout; None for none.

    Raises:
        ValueError: another layer.

    Example:
        >>> layer = adaptive_rotated_convolution(2, 3)
        >>> found = route(layer, layer.init(jax.random.key(0)), jnp.ones((5, 2, 8, 8)))
        >>> found.gates.shape, bool(jnp.abs(found.angles).max() <= jnp.pi * 40 / 180)
        ((5, 4), True)
    """
    if layer.spec[0] != "adaptive_rotated_convolution":
        raise ValueError(f"route takes an adaptive_rotated_convolution, got {layer}")
    *_, routing, _, largest, padding, dropout = layer.spec
    keys = (None, None) if key is None else tuple(jax.random.split(key))
    return _ROUTINGS[routing](params["routing"], x, keys, padding, float(np.deg2rad(largest)), dropout)


# --- the layer --------------------------------------------------------------------------------------------------------


@functools.cache
def adaptive_rotated_convolution(
    channels_in: int,
    channels_out: int,
    kernels: int = 4,
    routing: str = "paper",
    interpolation: str = "bilinear",
    largest_angle: float = 40.0,
    padding: str = "zero",
    dropout: float = 0.2,
) -> SignalLayer:
    """A 3 x 3 convolution with a kernel for each image, ``sum_i lambda_i Rot(W_i, theta_i)``.

    ``layer.apply(params, x, key=None)`` takes images (B, C, H, W) and gives (B, C', H, W); with a key the features that
    gates and angles are made of are dropped at random, as in training.

    Args:
        channels_in: C.
        channels_out: C'.
        kernels: n, how many kernels are turned and mixed.
        routing: "paper", angles within ``largest_angle`` that are learnt functions of the image; or "turning", angles
            that turn with the image, which makes the layer commute with quarter turns.
        interpolation: how kernels are turned, "bilinear" as in the paper, or "harmonic", see ``rotation_matrix``.
        largest_angle: in degrees; of the paper's routing.
        padding: "zero", or "circular" for images that go on periodically.
        dropout: share of the features that is dropped.

    Raises:
        ValueError: no channel or kernel; another routing, interpolation or padding; an angle that is not from 0 to 180
            degrees; a share that is not from 0 to below 1; in ``apply``, images of another shape.

    Example:
        >>> layer = adaptive_rotated_convolution(2, 3, routing="turning")
        >>> params, x = layer.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (5, 2, 8, 8))
        >>> turned = layer.apply(params, jnp.rot90(x, axes=(2, 3)))
        >>> bool(jnp.allclose(turned, jnp.rot90(layer.apply(params, x), axes=(2, 3)), atol=1e-5))
        True

    Reference:
        Pu, Wang, Xia, Han, Wang, Gan, Wang, Song, Huang, Adaptive Rotated Convolution for Rotated Object Detection,
        ICCV 2023 (arXiv 2303.07820); the layer as read in the public code.

    Differs from the paper:
        The routing "turning" and the interpolation "harmonic" are ours. Kernels are turned and mixed in the dtype of
        the parameters, also for images in half precision.
    """
    whole(channels_in, 1, "the number of channels that adaptive_rotated_convolution takes")
    whole(channels_out, 1, "the number of channels that adaptive_rotated_convolution gives")
    whole(kernels, 1, "the number of kernels of adaptive_rotated_convolution")
    options = (
        ("routing", routing, _ROUTINGS),
        ("interpolation", interpolation, _TURNS),
        ("padding", padding, PADDINGS),
    )
    for what, given, known in options:
        if given not in known:
            raise ValueError(
                f"the {what} of adaptive_rotated_convolution has to be {' or '.join(known)}, got {given!r}"
            )
    if not 0 < largest_angle <= 180:
        raise ValueError(f"the largest angle has to be above 0 and at most 180 degrees, got {largest_angle}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout has to be a share from 0 to below 1, got {dropout}")
    name = f"adaptive_rotated_convolution({channels_in} -> {channels_out}, {routing} routing)"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        k_depthwise, k_gates, k_angles, k_across, k_kernels = jax.random.split(key, 5)

        def small(key: jax.Array, *shape: int) -> Array:
            return 0.02 * jax.random.truncated_normal(key, -2, 2, shape, dtype)

        one = jnp.ones((), dtype)
        routed = {
            "depthwise": small(k_depthwise, channels_in, 3, 3),
            "scale": jnp.ones(channels_in, one.dtype),
            "shift": jnp.zeros(channels_in, one.dtype),
            "gates": small(k_gates, channels_in, kernels),
            "bias": jnp.zeros(kernels, one.dtype),
            "angles": small(k_angles, channels_in, kernels),
        }
        if routing == "turning":
            routed["across"] = small(k_across, channels_in, kernels)
        shape = (kernels, channels_out, channels_in, 3, 3)
        deviation = (2 / (9 * channels_out)) ** 0.5
        return {"routing": routed, "kernels": deviation * jax.random.normal(k_kernels, shape, dtype)}

    def apply(params: Params, x: Array, key: jax.Array | None = None) -> Array:
        x = jnp.asarray(x)
        if x.ndim != 4 or x.shape[1] != channels_in or 0 in x.shape:
            raise ValueError(f"{name} takes images (B, {channels_in}, H, W), got an array of shape {x.shape}")
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise TypeError(f"{name} takes floating-point images, got {x.dtype}; cast them, x.astype(float)")
        weights = entry(name, params, "kernels")
        entry(name, params, "routing")
        found = route(layer, params, x, key)
        matrix = _TURNS[interpolation](found.cos, found.sin)
        turned = jnp.einsum("bnpq,nkq->bnkp", matrix, weights.reshape(kernels, -1, 9))
        own = jnp.einsum("bn,bnkp->bkp", found.gates, turned)
        batch = x.shape[0]
        own = own.reshape(batch * channels_out, channels_in, 3, 3).astype(x.dtype)
        y = _convolve(x.reshape(1, batch * channels_in, *x.shape[2:]), own, batch, padding)
        return y.reshape(batch, channels_out, *x.shape[2:])

    spec = (
        *("adaptive_rotated_convolution", channels_in, channels_out, kernels),
        *(routing, interpolation, float(largest_angle), padding, float(dropout)),
    )
    layer = intern(SignalLayer(spec, name, init, apply))
    return layer
