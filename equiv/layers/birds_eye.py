r"""A cloud seen from above, features that turn with it, and a descriptor of the place that does not.

The axis that points up is y, as everywhere here, and a turn about it, the *yaw*, is a turn of the picture from above.
Its rows are z and its columns x, like those of ``equiv.layers.steerable``.

Kernels are turned, not pictures: a kernel is a sum of circular harmonics ``R_j(r) e^{i mu phi}``, whose phases turn it
by any angle. A picture gets n answers to each kernel, at the angles ``2 pi k / n`` (``cyclic_lifting``); a turn of the
picture by one of these angles turns the answers and moves them on by so many places. ``cyclic_conv`` takes such
features to such features. Quarter turns are exact if n is a multiple of 4; other angles are as good as the pixels.

The maximum over the n angles is a feature of the place alone, which turns with the picture, and the sum over the pixels
of a disc (``netvlad``) does not care where they are: the descriptor of the place is invariant. What the maximum forgets
is kept beside it: the mean squares of the n answers over the disc move on by as many places as the cloud is turned by,
which gives the yaw between two clouds (``yaw``).

Reference:
    Luo, Zheng, Li, Fan, Yu, Cao, Li, Shen, BEVPlace, ICCV 2023 (arXiv 2302.14325), and BEVPlace++ (arXiv 2408.01841);
    Arandjelovic, Gronat, Torii, Pajdla, Sivic, NetVLAD, CVPR 2016 (arXiv 1511.07247); as read in the public code.

Differs from the paper: there pictures are turned, by interpolation, and features are turned back, so that quarter turns
are not exact behind strides; pictures are divided by their maximum, which an empty one does not have.
"""

import functools
import math
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
from equiv.layers.convolution import convolve
from equiv.layers.steerable import Radial, gaussian_rings, harmonics, pixel_centres

__all__ = ["Place", "birds_eye_view", "cyclic_conv", "cyclic_lifting", "netvlad", "place_descriptor", "yaw"]


# --- pictures ---------------------------------------------------------------------------------------------------------


def birds_eye_view(points: Float[Array, "... n 3"], side: int, reach: float, most: int = 10) -> Float[Array, "..."]:
    """How high a cloud is built up: the number of occupied cells above each pixel, less than two being ground.

    Cells are cubes, as wide as a pixel; how many points are in one does not count. The numbers are cut off at ``most``
    and divided by it. A turn by a quarter about y turns the picture exactly, unless a point is on a border.

    Args:
        points: (..., N, 3), y up.
        side: pixels along one side.
        reach: half the width of the picture, and of the layer of heights around 0 that counts.
        most: cells that are told apart.

    Returns:
        (..., 1, side, side), from 0 to 1, rows z and columns x; 0 for a cloud that is out of reach.

    Raises:
        ValueError: no pixel, no cell, or a reach that is not above zero.

    Example:
        >>> wall = jnp.array([[0.9, y, 0.1] for y in (0.1, 0.3, 0.5, 0.5)])
        >>> birds_eye_view(wall, 10, 1.0)[0].nonzero()
        (Array([5], dtype=int32), Array([9], dtype=int32))
    """
    side, most = whole(side, 1, "the pixels of birds_eye_view"), whole(most, 1, "the cells of birds_eye_view")
    if not 0 < reach < math.inf:
        raise ValueError(f"the reach of birds_eye_view has to be positive, got {reach}")
    flat = points.reshape(math.prod(points.shape[:-2]), *points.shape[-2:])
    place = jnp.floor((flat / reach + 1) * (side / 2))
    inside = jnp.all((place >= 0) & (place < side), axis=-1)
    x, y, z = (jnp.where(inside, place[..., i], 0).astype(jnp.int32) for i in range(3))

    def one(cells: Array, inside: Array) -> Array:
        return jnp.zeros(side**3, points.dtype).at[cells].max(inside.astype(points.dtype)).reshape(side, side, side)

    count = jnp.sum(jax.vmap(one)((z * side + x) * side + y, inside), axis=-1)
    count = jnp.where(count < 2, 0, jnp.minimum(count, most)) / most
    return count.reshape(*points.shape[:-2], 1, side, side)


# --- features ---------------------------------------------------------------------------------------------------------


@functools.cache
def _turned_basis(size: int, n: int, radial: Radial) -> np.ndarray:
    """Real and imaginary parts of ``R_j(r) e^{i mu (phi - theta)}`` at the n angles: (n, kernels, size, size)."""
    points = pixel_centres(size).reshape(-1, 2)
    theta = 2 * np.pi * np.arange(n) / n
    parts = []
    for mu in range(size // 2 + 1):
        e = harmonics(radial, mu, points)[None] * np.exp(-1j * mu * theta)[:, None, None]
        parts += [e.real, e.imag] if mu else [e.real]
    return np.concatenate(parts, axis=1).reshape(n, -1, size, size) * (2 / size)


def _kernel(name: str, n: int, size: int, radial: Radial | None) -> Radial:
    if size % 2 == 0:
        raise ValueError(f"the size of {name} has to be odd, so that the kernel has a centre, got {size}")
    return gaussian_rings((size + 1) // 3, size) if radial is None else radial


def _weights(shape: tuple[int, ...]) -> Callable[..., Params]:
    """He's normal weights of a layer with ReLU after it, the outputs first."""
    deviation = (2 / math.prod(shape[1:])) ** 0.5

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return {"weight": jnp.asarray(deviation, dtype) * jax.random.normal(key, shape, dtype)}

    return init


def _images(name: str, x: Any, channels: tuple[int, ...]) -> Array:
    x = jnp.asarray(x)
    axes = len(channels) + 2
    if x.ndim < axes or x.shape[-axes:-2] != channels or x.shape[-1] != x.shape[-2] or not x.shape[-1]:
        wanted = ", ".join(map(str, channels))
        raise ValueError(f"{name} takes square pictures (..., {wanted}, S, S), got shape {x.shape}")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"{name} takes floating-point pictures, got {x.dtype}; cast them, x.astype(float)")
    return x


@functools.cache
def cyclic_lifting(channels_in: int, channels_out: int, n: int, size: int, radial: Radial | None = None) -> SignalLayer:
    """The answers to kernels at n angles: (..., C, S, S) to (..., C', n, S, S).

    ``y[o, k](r) = sum_c sum_u W_oc(R(-2 pi k / n) u) x[c](r + u)``, zeros around the picture.

    Args:
        channels_in: C.
        channels_out: C'.
        n: angles.
        size: of a kernel, odd.
        radial: functions of the radius; Gaussian rings that are wide enough for the pixels if None.

    Raises:
        ValueError: a count below one, an even size; in ``apply``, pictures that are not square or of other channels.

    Example:
        >>> layer = cyclic_lifting(1, 2, 4, 5)
        >>> x, params = jax.random.normal(jax.random.key(0), (1, 9, 9)), layer.init(jax.random.key(1))
        >>> turned = layer.apply(params, jnp.rot90(x, axes=(1, 2)))
        >>> expected = jnp.roll(jnp.rot90(layer.apply(params, x), axes=(2, 3)), 1, axis=1)
        >>> bool(jnp.allclose(turned, expected, atol=1e-5))
        True
    """
    name = "cyclic_lifting"
    counts = [whole(count, 1, f"what {name} takes") for count in (channels_in, channels_out, n, size)]
    channels_in, channels_out, n, size = counts
    radial = _kernel(name, n, size, radial)
    name = f"cyclic_lifting({channels_in} -> {channels_out}, {n} angles, {size} x {size})"
    basis = _turned_basis(size, n, radial)
    shape = (channels_out, channels_in, basis.shape[1])

    def apply(params: Params, x: Array) -> Array:
        x = _images(name, x, (channels_in,))
        weight, turned = entry(name, params, "weight").astype(x.dtype), jnp.asarray(basis, x.dtype)
        kernel = jnp.einsum("ocb,kbzx->okczx", weight, turned, precision="highest")
        found = convolve(x, kernel.reshape(-1, *kernel.shape[2:]), "same")
        return found.reshape(*x.shape[:-3], channels_out, n, *x.shape[-2:])

    return intern(SignalLayer(("cyclic_lifting", *counts, radial), name, _weights(shape), apply))


@functools.cache
def cyclic_conv(channels_in: int, channels_out: int, n: int, size: int, radial: Radial | None = None) -> SignalLayer:
    """From features at n angles to features at n angles: (..., C, n, S, S) to (..., C', n, S, S).

    ``y[o, k](r) = sum_cj sum_u W_oc,(j - k)(R(-2 pi k / n) u) x[c, j](r + u)``.

    Args:
        channels_in: C.
        channels_out: C'.
        n: angles.
        size: of a kernel, odd.
        radial: functions of the radius; Gaussian rings that are wide enough for the pixels if None.

    Raises:
        ValueError: a count below one, an even size; in ``apply``, pictures that are not square or of other channels.

    Example:
        >>> layer = cyclic_conv(2, 3, 8, 3)
        >>> layer.apply(layer.init(jax.random.key(0)), jnp.ones((2, 8, 9, 9))).shape
        (3, 8, 9, 9)

    Reference:
        Cohen, Welling, Group Equivariant Convolutional Networks, ICML 2016 (arXiv 1602.07576).
    """
    name = "cyclic_conv"
    counts = [whole(count, 1, f"what {name} takes") for count in (channels_in, channels_out, n, size)]
    channels_in, channels_out, n, size = counts
    radial = _kernel(name, n, size, radial)
    name = f"cyclic_conv({channels_in} -> {channels_out}, {n} angles, {size} x {size})"
    basis = _turned_basis(size, n, radial)
    shape = (channels_out, channels_in, n, basis.shape[1])
    apart = np.asarray((np.arange(n)[None] - np.arange(n)[:, None]) % n, np.int32)  # [k, j]

    def apply(params: Params, x: Array) -> Array:
        x = _images(name, x, (channels_in, n))
        weight, turned = entry(name, params, "weight").astype(x.dtype), jnp.asarray(basis, x.dtype)
        kernel = jnp.einsum("ockjb,kbzx->okcjzx", weight[:, :, apart], turned, precision="highest")
        kernel = kernel.reshape(channels_out * n, channels_in * n, size, size)
        found = convolve(x.reshape(*x.shape[:-4], channels_in * n, *x.shape[-2:]), kernel, "same")
        return found.reshape(*x.shape[:-4], channels_out, n, *x.shape[-2:])

    return intern(SignalLayer(("cyclic_conv", *counts, radial), name, _weights(shape), apply))


# --- descriptors ------------------------------------------------------------------------------------------------------


@functools.cache
def netvlad(dim: int, clusters: int) -> SignalLayer:
    """One vector of a set of features: how those of each cluster differ from its centre, on average.

    ``V_k = sum_n m_n a_k(f_n) (f_n - c_k)`` with soft assignments a, each V_k of length one, and all of them together,
    too. ``apply(params, features, mask)`` takes (..., N, D) and (..., N), and gives (..., K D). The order of the
    features does not count.

    Args:
        dim: D.
        clusters: K.

    Raises:
        ValueError: a count below one; in ``apply``, features of another length or another mask.

    Example:
        >>> layer = netvlad(3, 2)
        >>> params = layer.init(jax.random.key(0))
        >>> found = layer.apply(params, jax.random.normal(jax.random.key(1), (7, 3)), jnp.ones(7))
        >>> found.shape, round(float(jnp.linalg.norm(found)), 4)
        ((6,), 1.0)

    Reference:
        Arandjelovic et al., NetVLAD, CVPR 2016 (arXiv 1511.07247).
    """
    dim, clusters = (whole(count, 1, "the length and the number of clusters of netvlad") for count in (dim, clusters))
    name = f"netvlad({dim}, {clusters})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        centres = numerics.normalize(jax.random.normal(key, (clusters, dim), dtype))
        return {"centres": centres, "assign": 10 * centres, "bias": jnp.zeros(clusters, dtype)}

    def apply(params: Params, features: Array, mask: Array) -> Array:
        if features.ndim < 2 or features.shape[-1] != dim or mask.shape != features.shape[:-1]:
            raise ValueError(
                f"{name} takes features (..., N, {dim}) and a mask (..., N), got shapes {features.shape}, {mask.shape}"
            )
        part = {key: entry(name, params, key).astype(features.dtype) for key in ("centres", "assign", "bias")}
        logits = jnp.einsum("...nd,kd->...nk", features, part["assign"], precision="highest")
        share = jax.nn.softmax(logits + part["bias"].reshape((1,) * (logits.ndim - 1) + (-1,)), axis=-1)
        share = share * mask[..., None].astype(features.dtype)
        total = jnp.sum(share, axis=-2)
        found = jnp.einsum("...nk,...nd->...kd", share, features, precision="highest")
        found = numerics.normalize(
            found - total[..., None] * part["centres"].reshape((1,) * (total.ndim - 1) + (clusters, dim))
        )
        return numerics.normalize(found.reshape(*found.shape[:-2], clusters * dim))

    return intern(SignalLayer(("netvlad", dim, clusters), name, init, apply))


class Place(NamedTuple):
    """What is known of a place.

    Attributes:
        descriptor: (..., K C), of length one, the same whichever way the cloud is turned.
        angles: (..., C, n), mean squares, which move on by k places if the cloud is turned by ``2 pi k / n`` about y.
    """

    descriptor: Float[Array, "... d"]
    angles: Float[Array, "... c n"]


@functools.cache
def place_descriptor(channels: int, n: int, clusters: int, size: int = 5) -> SignalLayer:
    """From a picture from above to a descriptor of the place, and to what tells the yaw.

    A lifting and a convolution at n angles, each followed by ReLU; the maximum over the angles, of length one at each
    pixel; ``netvlad`` over the disc in the picture. ``apply(params, image)`` takes (..., 1, S, S), gives a ``Place``.

    Args:
        channels: C.
        n: angles.
        clusters: K.
        size: of a kernel, odd.

    Raises:
        ValueError: a count below one, an even size; in ``apply``, pictures that are not square.

    Example:
        >>> layer = place_descriptor(4, 8, 3)
        >>> place = layer.apply(layer.init(jax.random.key(0)), jax.random.uniform(jax.random.key(1), (1, 15, 15)))
        >>> place.descriptor.shape, place.angles.shape
        ((12,), (4, 8))

    Reference:
        Luo et al., BEVPlace++ (arXiv 2408.01841).
    """
    lifting, conv = cyclic_lifting(1, channels, n, size), cyclic_conv(channels, channels, n, size)
    pooling = netvlad(channels, clusters)
    name = f"place_descriptor({channels}, {n} angles, {clusters} clusters, {size} x {size})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        keys = tuple(jax.random.split(key, 3))
        return {
            "lifting": lifting.init(keys[0], dtype),
            "conv": conv.init(keys[1], dtype),
            "pooling": pooling.init(keys[2], dtype),
        }

    def apply(params: Params, x: Array) -> Place:
        x = _images(name, x, (1,))
        found = jax.nn.relu(lifting.apply(entry(name, params, "lifting"), x))
        found = jax.nn.relu(conv.apply(entry(name, params, "conv"), found))
        side = x.shape[-1]
        disc = np.hypot(*np.moveaxis(pixel_centres(side), -1, 0)) < 1
        mask = jnp.asarray(disc, x.dtype)
        angles = jnp.einsum("...knzx,zx->...kn", found**2, mask / float(np.sum(disc)), precision="highest")
        local = jnp.moveaxis(jnp.max(found, axis=-3), -3, -1).reshape(*x.shape[:-3], side**2, channels)
        everywhere = jnp.broadcast_to(mask.reshape(-1), local.shape[:-1])
        return Place(pooling.apply(entry(name, params, "pooling"), numerics.normalize(local), everywhere), angles)

    return intern(SignalLayer(("place_descriptor", channels, n, clusters, size), name, init, apply))


def yaw(first: Float[Array, "... c n"], second: Float[Array, "... c n"]) -> Float[Array, "..."]:
    """The angle about y by which the second cloud is turned against the first.

    Where ``sum_ck first[c, k] second[c, k + d]`` is largest, with the parabola through it and its neighbours.

    Args:
        first: ``Place.angles`` of one cloud.
        second: of the other.

    Returns:
        Radians, from -pi to pi.

    Raises:
        ValueError: fewer than three angles.

    Example:
        >>> a = jnp.array([[0.0, 3.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]])
        >>> round(float(yaw(a, jnp.roll(a, 2, axis=-1))) / jnp.pi, 4)
        0.5
    """
    n = first.shape[-1]
    if n < 3:
        raise ValueError(f"the yaw takes answers at three angles or more, got {n}")
    centred = [x - jnp.mean(x, axis=-1, keepdims=True) for x in (first, second)]
    moved = jnp.stack([jnp.roll(centred[1], -d, axis=-1) for d in range(n)], axis=-1)
    score = jnp.einsum("...ck,...ckd->...d", centred[0], moved, precision="highest")
    best = jnp.argmax(score, axis=-1)
    before, at, after = (jnp.take_along_axis(score, (best + i)[..., None] % n, axis=-1)[..., 0] for i in (-1, 0, 1))
    bend = before - 2 * at + after
    step = jnp.where(bend < 0, (before - after) / (2 * jnp.where(bend < 0, bend, -1)), 0)
    turn = (best.astype(score.dtype) + step) * (2 * math.pi / n)
    return turn - 2 * math.pi * jnp.round(turn / (2 * math.pi))
