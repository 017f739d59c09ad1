"""Convolutions over the affine group of the plane: GL+(2), SL(2) or SO(2), with translations.

A signal knows where it lives. An image is its values and the two steps between its pixels; a function on the affine
group is the same for every group element h_i of a sample, with the elements themselves and the logarithms of the
weights ``w_i`` of the Haar measure that they stand for. The action ``(L_A f)(x) = f(A^-1 x)`` then moves pixels and
elements and leaves the values alone (``move``), and each layer here commutes with it to rounding, whatever the sample.
How far a *fixed* sample is from equivariant is another question, that of an integral by N points: elements that move
with the image (``equiv.layers.frames``) avoid it, weights of the Haar measure (``equiv.groups.measures``) make it go
away with N, and elements without weights leave a plateau.

With ``y`` over pixels, ``a`` the area of one, and kernels that are neural fields of ``h^-1 (y - x)`` and of the Cartan
coordinates ``c(h) = (log P, log R)`` of ``h = P R``:

==========================  ==========================================================================================
``lifting``                 ``F(x, h) = a / |det h| sum_y f(y) k(h^-1 (y - x))``
``group_conv``              ``F'(x, h) = sum_i w_i a / |det h_i| sum_y F(y, h_i) k(h^-1 (y - x), c(h^-1 h_i))``
``separable_group_conv``    the same with ``k(x, h) = k_1(x) k_2(c(h))``, k_1 one number for each channel
``to_plane``                ``f'(x) = sum_i w_i a / |det h_i| sum_y F(y, h_i) k(h_i^-1 (y - x))``
``invariant_pool``          a mean over the left Haar measure ``dx dh / |det h|``, between average and maximum
==========================  ==========================================================================================

Channels come before elements, elements before rows and columns: ``(..., C, N, H, W)``.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from equiv import numerics
from equiv.groups.base import Group, intern
from equiv.groups.decompositions import cartan_coordinates, positive_determinant
from equiv.groups.finite import whole
from equiv.groups.matrices import invert
from equiv.layers.base import Params, SignalLayer
from equiv.layers.convolution import convolve
from equiv.layers.fields import Field, siren

__all__ = [
    "GroupSignal",
    "PlaneSignal",
    "ball",
    "bump",
    "disc",
    "group_conv",
    "image",
    "invariant_pool",
    "lifting",
    "move",
    "separable_group_conv",
    "to_plane",
    "valid",
]

GROUPS = ("gl_plus", "sl", "so")
"""Families of groups, of the plane, that the layers know the coordinates of."""


class PlaneSignal(NamedTuple):
    """Values on a square grid of pixels in the plane.

    Attributes:
        values: (..., C, H, H).
        pixel: (2, 2), its columns the steps to the next pixel of a row and to the next row.
    """

    values: jax.Array
    pixel: jax.Array


class GroupSignal(NamedTuple):
    """A function on the affine group of the plane: a grid of values for each element of a sample.

    Attributes:
        values: (..., C, N, H, H).
        elements: (N, 2, 2), the linear parts.
        log_weights: (N,), logarithms of what each element counts in an integral over the linear part.
        pixel: (2, 2), as in ``PlaneSignal``.
    """

    values: jax.Array
    elements: jax.Array
    log_weights: jax.Array
    pixel: jax.Array


def image(values: Float[Array, "... c h w"], spacing: float = 0.4) -> PlaneSignal:
    """An upright image: x to the right, y up.

    Args:
        values: pixels, channels first, the first row at the top.
        spacing: distance of neighbouring pixels; the unit is the radius of a kernel, so 0.4 puts five pixels across.

    Raises:
        ValueError: the image is not square; the spacing is not above zero.

    Example:
        >>> image(jnp.zeros((1, 8, 8)), 0.5).pixel.tolist()
        [[0.5, 0.0], [0.0, -0.5]]
    """
    if values.shape[-1] != values.shape[-2]:
        raise ValueError(f"an image has to be square, got {values.shape[-2]} rows of {values.shape[-1]} pixels; pad it")
    if not 0 < spacing < float("inf"):
        raise ValueError(f"the spacing of pixels has to be finite and above zero, got {spacing}")
    return PlaneSignal(values, spacing * jnp.asarray(np.diag([1.0, -1.0]), values.dtype))


def move(signal: PlaneSignal | GroupSignal, a: Float[Array, "2 2"]) -> PlaneSignal | GroupSignal:
    """``L_A f``: the same values, on pixels and at elements moved by A.

    Weights stay: the Haar measure does not change under translations of the group.

    Example:
        >>> moved = move(image(jnp.zeros((1, 8, 8)), 1.0), jnp.array([[1.0, 2.0], [0.0, 1.0]]))
        >>> moved.pixel.tolist()
        [[1.0, -2.0], [0.0, -1.0]]
    """
    if isinstance(signal, PlaneSignal):
        return signal._replace(pixel=a @ signal.pixel)
    left = jnp.broadcast_to(a, signal.elements.shape)
    return signal._replace(pixel=a @ signal.pixel, elements=left @ signal.elements)


def valid(signal: PlaneSignal | GroupSignal) -> Bool[Array, ""]:
    """Whether a layer can use a signal: finite values, and elements and pixels that can be inverted.

    Layers raise outside ``jit``; inside they give NaN, and this tells why.

    Example:
        >>> bool(valid(image(jnp.full((1, 4, 4), jnp.nan))))
        False
    """
    right = jnp.all(jnp.isfinite(signal.values)) & (jnp.linalg.det(signal.pixel) != 0)
    if isinstance(signal, GroupSignal):
        right = right & jnp.all(positive_determinant(signal.elements)) & ~jnp.any(jnp.isnan(signal.log_weights))
    return right


# --- windows: how a kernel ends ---------------------------------------------------------------------------------------

Window = Callable[[jax.Array, jax.Array], jax.Array]
"""``window(x: (..., 2), coordinates: (..., dim)) -> (...)``; no coordinates in the layers of the plane."""


def _turn(coordinates: Array) -> Array | float:
    """``(1 + cos theta) / 2``: 1 at no turn and 0 at half a turn, where the angle jumps."""
    return (1 + jnp.cos(coordinates[..., -1])) / 2 if coordinates.shape[-1] else 1.0


def disc(x: Float[Array, "... 2"], coordinates: Float[Array, "... d"]) -> Float[Array, "..."]:
    """1 within the unit disc and 0 outside, times ``(1 + cos theta) / 2``.

    Example:
        >>> disc(jnp.array([[0.6, 0.6], [0.8, 0.8]]), jnp.zeros((2, 0))).tolist()
        [1.0, 0.0]
    """
    return (jnp.sum(x**2, axis=-1) <= 1).astype(x.dtype) * _turn(coordinates)


def ball(x: Float[Array, "... 2"], coordinates: Float[Array, "... d"]) -> Float[Array, "..."]:
    """``sigmoid(2 (1 - r))``, r the length of x and all coordinates together, times ``(1 + cos theta) / 2``.

    Example:
        >>> float(ball(jnp.array([1.0, 0.0]), jnp.zeros(3)))
        0.5
    """
    both = jnp.concatenate([x, coordinates], axis=-1)
    return jax.nn.sigmoid(2 * (1 - numerics.norm(both))) * _turn(coordinates)


def bump(x: Float[Array, "... 2"], coordinates: Float[Array, "... d"]) -> Float[Array, "..."]:
    """``(1 - |x|^2)^3`` within the unit disc, twice differentiable, times ``(1 + cos theta) / 2``.

    Example:
        >>> bump(jnp.array([[0.0, 0.0], [0.8, 0.8]]), jnp.zeros((2, 0))).tolist()
        [1.0, 0.0]
    """
    return jnp.maximum(1 - jnp.sum(x**2, axis=-1), 0) ** 3 * _turn(coordinates)


# --- what the layers share --------------------------------------------------------------------------------------------


def _known(what: str, group: Group) -> Group:
    if group.spec[0] not in GROUPS or group.shape != (2, 2):
        raise ValueError(f"{what} takes gl_plus(2), sl(2) or so(2), got {group}")
    return group


def _sized(what: str, channels_in: int, channels_out: int, size: int, padding: str) -> None:
    whole(channels_in, 1, f"the number of channels that {what} takes")
    whole(channels_out, 1, f"the number of channels that {what} gives")
    if whole(size, 1, f"the size of {what}") % 2 == 0:
        raise ValueError(f"the size of {what} has to be odd, so that a kernel has a middle, got {size}")
    if padding not in ("valid", "same"):
        raise ValueError(f"the padding of {what} has to be valid or same, got {padding!r}")


def _offsets(size: int, pixel: Array, back: Array) -> Array:
    """Where the pixels of a kernel are, pulled back by each element: (N, size^2, 2), row by row."""
    steps = np.arange(size) - size // 2
    rows, columns = np.meshgrid(steps, steps, indexing="ij")
    grid = jnp.asarray(np.stack([columns.ravel(), rows.ravel()], axis=-1), pixel.dtype)
    return jnp.einsum("nij,kj->nki", back, grid @ pixel.T)


def _checked(what: str, elements: Array) -> Array:
    """The elements; NaN for those that are none, or a ValueError where that can be seen."""
    elements = jnp.asarray(elements)
    if elements.ndim != 3 or elements.shape[-2:] != (2, 2) or not len(elements):
        raise ValueError(
            f"{what} takes elements (N, 2, 2), one or more matrices, got an array of shape {elements.shape}"
        )
    right = positive_determinant(elements)
    if not isinstance(right, jax.core.Tracer) and not bool(jnp.all(right)):
        worst = int(jnp.argmin(right))
        raise ValueError(
            f"{what} takes elements of positive determinant, got {np.asarray(elements[worst]).tolist()} at {worst}"
        )
    return jnp.where(right[:, None, None], elements, jnp.nan)


def _wanted(what: str, elements: Array, log_weights: Array | None) -> tuple[Array, Array]:
    """The sample at which a result is wanted; without weights each element counts 1 / N."""
    elements = _checked(what, elements)
    n = len(elements)
    return elements, jnp.full(n, -np.log(n), elements.dtype) if log_weights is None else log_weights


def _weights(signal: GroupSignal) -> Array:
    """``w_i a / |det h_i|``."""
    return jnp.exp(signal.log_weights) * _area(signal.pixel) / jnp.linalg.det(signal.elements)


def _area(pixel: Array) -> Array:
    return jnp.abs(jnp.linalg.det(pixel))


def _square(what: str, values: Array, channels: int, n_axes: int) -> None:
    if values.ndim < n_axes or values.shape[-n_axes] != channels or values.shape[-1] != values.shape[-2]:
        form = "(..., channels, rows, columns)" if n_axes == 3 else "(..., channels, elements, rows, columns)"
        raise ValueError(
            f"{what} takes values {form} with {channels} channels and as many rows as columns, "
            f"got an array of shape {values.shape}"
        )


def _as_channels(values: Array) -> Array:
    """(..., A, B, H, W) as (..., A B, H, W)."""
    return values.reshape(*values.shape[:-4], -1, *values.shape[-2:])


def _of_plane(field: Field, params: Params, window: Window, x: Array, channels: tuple[int, ...]) -> Array:
    """A kernel of the plane at x: (N, k^2, 2), as (N, k^2, *channels)."""
    values = field.apply(params, x) * window(x, jnp.zeros((*x.shape[:-1], 0), x.dtype))[..., None]
    return values.reshape(*x.shape[:-1], *channels)


# --- the layers -------------------------------------------------------------------------------------------------------


@functools.cache
def lifting(
    group: Group,
    channels_in: int,
    channels_out: int,
    size: int = 5,
    field: Field = siren(),  # noqa: B008
    window: Window = disc,
    padding: str = "valid",
) -> SignalLayer:
    """From the plane to the group, ``F(x, h) = a / |det h| sum_y f(y) k(h^-1 (y - x))``.

    ``layer.apply(params, image, elements, log_weights=None)`` takes a ``PlaneSignal`` and the sample at which F is
    wanted, and gives a ``GroupSignal``; without weights each element counts 1 / N. As F is there at every h, nothing is
    lost by the choice of a sample: the layer is exact but for the sum over pixels.

    Args:
        group: gl_plus(2), sl(2) or so(2).
        channels_in: of the image.
        channels_out: of the result.
        size: pixels across a kernel, odd; what the window leaves outside them is cut off.
        field: the kernel, as a function of two coordinates.
        window: what it is multiplied by.
        padding: "valid" takes ``size - 1`` rows and columns away, "same" surrounds the image by zeros.

    Raises:
        ValueError: another group; a size that is even; another padding; in ``apply``, an image that is not square, or
            elements that are no matrices of positive determinant.

    Example:
        >>> from equiv.groups import sl
        >>> layer = lifting(sl(2), 1, 3)
        >>> lifted = layer.apply(layer.init(jax.random.key(0)), image(jnp.ones((1, 9, 9))), jnp.eye(2)[None])
        >>> lifted.values.shape
        (3, 1, 5, 5)

    Reference:
        Mironenco, Forré, Lie Group Decompositions for Equivariant Neural Networks, ICLR 2024 (arXiv 2310.11366).
    """
    _sized("lifting", channels_in, channels_out, size, padding)
    name = f"lifting({_known('lifting', group)}, {channels_in} -> {channels_out})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return field.init(key, 2, channels_out * channels_in, channels_in * size**2, dtype)

    def apply(params: Params, image: PlaneSignal, elements: Array, log_weights: Array | None = None) -> GroupSignal:
        _square(name, image.values, channels_in, 3)
        elements, log_weights = _wanted(name, elements, log_weights)
        n = len(elements)
        x = _offsets(size, image.pixel, invert(elements))
        kernel = _of_plane(field, params, window, x, (channels_out, channels_in))
        kernel = kernel * (_area(image.pixel) / jnp.linalg.det(elements)).reshape(n, 1, 1, 1)
        kernel = kernel.transpose(2, 0, 3, 1).reshape(channels_out * n, channels_in, size, size)
        values = convolve(image.values, kernel.astype(image.values.dtype), padding)
        values = values.reshape(*values.shape[:-3], channels_out, n, *values.shape[-2:])
        return GroupSignal(values, elements, log_weights, image.pixel)

    spec = ("lifting", group, channels_in, channels_out, size, field, window, padding)
    return intern(SignalLayer(spec, name, init, apply))


def _sample(name: str, signal: GroupSignal, channels: int, elements: Array | None, weights: Array | None) -> tuple:
    """The sample that comes in and the one that goes out, both checked."""
    _square(name, signal.values, channels, 4)
    if signal.values.shape[-3] != len(signal.elements):
        raise ValueError(
            f"{name} takes values at as many elements as there are, "
            f"got {signal.values.shape[-3]} slices and {len(signal.elements)} elements"
        )
    given = _checked(name, signal.elements)
    if elements is None:
        return signal._replace(elements=given), given, signal.log_weights
    return signal._replace(elements=given), *_wanted(name, elements, weights)


@functools.cache
def group_conv(
    group: Group,
    channels_in: int,
    channels_out: int,
    size: int = 5,
    field: Field = siren(),  # noqa: B008
    window: Window = disc,
    padding: str = "same",
    chunk: int | None = None,
) -> SignalLayer:
    """On the group, ``F'(x, h) = sum_i w_i a / |det h_i| sum_y F(y, h_i) k(h^-1 (y - x), c(h^-1 h_i))``.

    ``layer.apply(params, signal, elements=None, log_weights=None)`` gives F' at the elements of the signal, or at
    others. At the identity alone, for elements h_i near it, this is a convolution with *relative* samples: applied to
    the image pulled back by h it is the value at h for a sample ``h u_i`` that moves with h, and equivariant exactly
    (``equiv.layers.frames``).

    The kernel takes ``N' N size^2`` evaluations of the field and ``N' N size^2 C' C`` numbers of memory.

    Args:
        group: gl_plus(2), sl(2) or so(2).
        channels_in: C.
        channels_out: C'.
        size: pixels across a kernel, odd.
        field: the kernel, as a function of two coordinates and of the Cartan coordinates of the group.
        window: what it is multiplied by.
        padding: "valid" or "same".
        chunk: elements of the output that are done at a time, each part computed again for its gradient: the kernel
            then takes ``chunk / N'`` of the memory. None: all at once, in one convolution.

    Raises:
        ValueError: another group, an even size, another padding, no chunk; in ``apply``, a signal that does not fit.

    Example:
        >>> from equiv.groups import so
        >>> turns = so(2).exp(2 * jnp.pi / 4 * jnp.arange(4.0)[:, None])
        >>> signal = GroupSignal(jnp.ones((3, 4, 8, 8)), turns, jnp.full(4, -jnp.log(4)), 0.4 * jnp.eye(2))
        >>> layer = group_conv(so(2), 3, 5)
        >>> layer.apply(layer.init(jax.random.key(0)), signal).values.shape
        (5, 4, 8, 8)

    Reference:
        Mironenco, Forré, ICLR 2024 (arXiv 2310.11366), whose integral this is.

    Differs from the paper:
        The public code has no weights, and divides by the determinant of the element that goes out, which is as
        equivariant: the two differ by a function of ``h^-1 h_i``. Its angle jumps at the identity; here it jumps at
        half a turn, where the windows are 0.
    """
    _sized("group_conv", channels_in, channels_out, size, padding)
    if chunk is not None:
        whole(chunk, 1, "the chunk of group_conv")
    name = f"group_conv({_known('group_conv', group)}, {channels_in} -> {channels_out})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return field.init(key, 2 + group.dim, channels_out * channels_in, channels_in * size**2, dtype)

    def part(params: Params, signal: GroupSignal, back: Array) -> Array:
        """The values at elements with these inverses."""
        n_out, n_in = len(back), len(signal.elements)
        x = _offsets(size, signal.pixel, back)
        c = cartan_coordinates(group, jnp.einsum("aij,bjk->abik", back, signal.elements))
        shape = (n_out, n_in, size**2)
        x = jnp.broadcast_to(x[:, None], (*shape, 2))
        c = jnp.broadcast_to(c[:, :, None], (*shape, group.dim))
        features = field.features(params, jnp.concatenate([x, c], axis=-1))
        factor = window(x, c) * _weights(signal).reshape(1, n_in, 1)
        weight, bias = field.head(params)
        weight, bias = weight.reshape(-1, channels_out, channels_in), bias.reshape(channels_out, channels_in)
        kernel = jnp.einsum("abkf,foi->oaibk", features * factor[..., None], weight)
        kernel = kernel + jnp.einsum("abk,oi->oaibk", factor, bias)
        kernel = kernel.reshape(channels_out * n_out, channels_in * n_in, size, size)
        values = _as_channels(signal.values)
        values = convolve(values, kernel.astype(values.dtype), padding)
        return values.reshape(*values.shape[:-3], channels_out, n_out, *values.shape[-2:])

    def apply(
        params: Params, signal: GroupSignal, elements: Array | None = None, log_weights: Array | None = None
    ) -> GroupSignal:
        signal, elements, log_weights = _sample(name, signal, channels_in, elements, log_weights)
        back, n = invert(elements), len(elements)
        if chunk is None or chunk >= n:
            return GroupSignal(part(params, signal, back), elements, log_weights, signal.pixel)
        padded = jnp.concatenate([back, jnp.broadcast_to(back[:1], (-n % chunk, 2, 2))])
        parts = jax.lax.map(jax.checkpoint(lambda b: part(params, signal, b)), padded.reshape(-1, chunk, 2, 2))
        values = jnp.moveaxis(parts, 0, -4)  # (..., C', parts, chunk, H, W)
        values = _as_channels(values)[..., :n, :, :]
        return GroupSignal(values, elements, log_weights, signal.pixel)

    spec = ("group_conv", group, channels_in, channels_out, size, field, window, padding, chunk)
    return intern(SignalLayer(spec, name, init, apply))


@functools.cache
def separable_group_conv(
    group: Group,
    channels_in: int,
    channels_out: int,
    size: int = 5,
    field: Field = siren(),  # noqa: B008
    window: Window = disc,
    padding: str = "same",
) -> SignalLayer:
    """``group_conv`` with a kernel ``k(x, h) = k_1(x) k_2(c(h))``: k_2 mixes channels, k_1 is one number for each.

    The kernel takes ``N' size^2 + N' N`` evaluations instead of ``N' N size^2``, and the sum over pixels is done once
    for a channel instead of once for each pair of them: ``N' N C' C + N' C' size^2`` products per pixel instead of
    ``N' N C' C size^2``.

    Args:
        group: gl_plus(2), sl(2) or so(2).
        channels_in: C.
        channels_out: C'.
        size: pixels across a kernel, odd.
        field: both kernels, k_1 as a function of two coordinates and k_2 of the Cartan coordinates.
        window: what they are multiplied by, k_1 at the identity and k_2 at the origin of the plane.
        padding: "valid" or "same".

    Raises:
        ValueError: as ``group_conv``.

    Example:
        >>> from equiv.groups import sl
        >>> signal = GroupSignal(jnp.ones((3, 1, 8, 8)), jnp.eye(2)[None], jnp.zeros(1), 0.4 * jnp.eye(2))
        >>> layer = separable_group_conv(sl(2), 3, 5)
        >>> layer.apply(layer.init(jax.random.key(0)), signal).values.shape
        (5, 1, 8, 8)
    """
    _sized("separable_group_conv", channels_in, channels_out, size, padding)
    name = f"separable_group_conv({_known('separable_group_conv', group)}, {channels_in} -> {channels_out})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        k_plane, k_group = jax.random.split(key)
        return {
            "plane": field.init(k_plane, 2, channels_out, size**2, dtype),
            "group": field.init(k_group, group.dim, channels_out * channels_in, channels_in, dtype),
        }

    def apply(
        params: Params, signal: GroupSignal, elements: Array | None = None, log_weights: Array | None = None
    ) -> GroupSignal:
        signal, elements, log_weights = _sample(name, signal, channels_in, elements, log_weights)
        back = invert(elements)
        c = cartan_coordinates(group, jnp.einsum("aij,bjk->abik", back, signal.elements))
        mixing = field.apply(params["group"], c) * window(jnp.zeros((*c.shape[:-1], 2), c.dtype), c)[..., None]
        mixing = mixing * _weights(signal).reshape(1, -1, 1)
        mixing = mixing.reshape(*c.shape[:-1], channels_out, channels_in).astype(signal.values.dtype)
        values = jnp.einsum("aboi,...ibhw->...oahw", mixing, signal.values)
        x = _offsets(size, signal.pixel, back)
        kernel = _of_plane(field, params["plane"], window, x, (channels_out,))
        values = _each_channel(values, jnp.moveaxis(kernel, -1, 0).astype(values.dtype), size, padding)
        return GroupSignal(values, elements, log_weights, signal.pixel)

    spec = ("separable_group_conv", group, channels_in, channels_out, size, field, window, padding)
    return intern(SignalLayer(spec, name, init, apply))


def _each_channel(values: Array, kernel: Array, size: int, padding: str) -> Array:
    """Cross-correlation of (..., C, N, H, W) with (C, N, size^2), slice by slice.

    A row of pixels times a band matrix made of a row of the kernel, for all rows of the kernel at once: products of
    matrices, forward and backward, where a convolution of each slice by itself is a loop of scalars on a CPU.
    """
    if padding == "same":
        values = jnp.pad(values, [(0, 0)] * (values.ndim - 2) + [(size // 2, size // 2)] * 2)
    rows, columns = (side - size + 1 for side in values.shape[-2:])
    bands = np.stack([np.eye(values.shape[-1], columns, -j) for j in range(size)])
    kernel = kernel.reshape(*kernel.shape[:2], size, size)
    bands = jnp.einsum("cnij,jwv->cniwv", kernel, jnp.asarray(bands, kernel.dtype))
    shifted = jnp.stack([values[..., i : i + rows, :] for i in range(size)], axis=-2)
    return jnp.einsum("...cnhiw,cniwv->...cnhv", shifted, bands)


@functools.cache
def to_plane(
    group: Group,
    channels_in: int,
    channels_out: int,
    size: int = 5,
    field: Field = siren(),  # noqa: B008
    window: Window = disc,
    padding: str = "same",
) -> SignalLayer:
    """From the group back to the plane, ``f'(x) = sum_i w_i a / |det h_i| sum_y F(y, h_i) k(h_i^-1 (y - x))``.

    ``layer.apply(params, signal)`` gives a ``PlaneSignal``.

    Args:
        group: gl_plus(2), sl(2) or so(2).
        channels_in: of the signal.
        channels_out: of the image.
        size: pixels across a kernel, odd.
        field: the kernel, as a function of two coordinates.
        window: what it is multiplied by.
        padding: "valid" or "same".

    Raises:
        ValueError: as ``lifting``.

    Example:
        >>> from equiv.groups import sl
        >>> signal = GroupSignal(jnp.ones((3, 1, 8, 8)), jnp.eye(2)[None], jnp.zeros(1), 0.4 * jnp.eye(2))
        >>> layer = to_plane(sl(2), 3, 2)
        >>> layer.apply(layer.init(jax.random.key(0)), signal).values.shape
        (2, 8, 8)

    Reference:
        Mironenco, Forré, ICLR 2024 (arXiv 2310.11366), equation 136 (as named in the public code).
    """
    _sized("to_plane", channels_in, channels_out, size, padding)
    name = f"to_plane({_known('to_plane', group)}, {channels_in} -> {channels_out})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return field.init(key, 2, channels_out * channels_in, channels_in * size**2, dtype)

    def apply(params: Params, signal: GroupSignal) -> PlaneSignal:
        signal, elements, _ = _sample(name, signal, channels_in, None, None)
        x = _offsets(size, signal.pixel, invert(elements))
        kernel = _of_plane(field, params, window, x, (channels_out, channels_in))
        kernel = kernel * _weights(signal).reshape(-1, 1, 1, 1)
        kernel = kernel.transpose(2, 3, 0, 1).reshape(channels_out, -1, size, size)
        values = _as_channels(signal.values)
        return PlaneSignal(convolve(values, kernel.astype(values.dtype), padding), signal.pixel)

    spec = ("to_plane", group, channels_in, channels_out, size, field, window, padding)
    return intern(SignalLayer(spec, name, init, apply))


def invariant_pool(signal: GroupSignal, sharpness: float | jax.Array = 0.0) -> Float[Array, "... c"]:
    """One number for each channel, ``log(mean exp(s F)) / s``, the mean over the left Haar measure ``dx dh / |det h|``.

    The average for s = 0, the maximum for s = infinity. All of them are invariant where the sample moves with the
    image. For a fixed sample the average is invariant as far as the sample's integrals are; the maximum never quite,
    since a maximum over N elements jumps from one to another.

    Args:
        signal: values (..., C, N, H, H).
        sharpness: s, at least 0, in units of 1 / values.

    Raises:
        ValueError: a sharpness below 0.

    Example:
        >>> signal = GroupSignal(jnp.arange(4.0).reshape(1, 1, 2, 2), jnp.eye(2)[None], jnp.zeros(1), jnp.eye(2))
        >>> invariant_pool(signal).tolist(), invariant_pool(signal, jnp.inf).tolist()
        ([1.5], [3.0])

    Reference:
        The public code of Mironenco, Forré (ICLR 2024) has the maximum and the plain mean over elements and pixels.
    """
    if isinstance(sharpness, int | float) and not sharpness >= 0:
        raise ValueError(f"the sharpness of invariant_pool has to be at least 0, got {sharpness}")
    values = signal.values
    over = (-3, -2, -1)
    if isinstance(sharpness, int | float) and sharpness == float("inf"):
        return jnp.max(values, axis=over)
    weights = jnp.exp(signal.log_weights - jnp.max(signal.log_weights)) / jnp.linalg.det(signal.elements)
    weights = (weights / jnp.sum(weights) / (values.shape[-1] * values.shape[-2])).astype(values.dtype)
    weights = weights.reshape((1,) * (values.ndim - 3) + (-1, 1, 1))
    if isinstance(sharpness, int | float) and sharpness == 0:
        return jnp.sum(weights * values, axis=over)
    s = jnp.asarray(sharpness, values.dtype)
    top = jax.lax.stop_gradient(jnp.max(values, axis=over, keepdims=True))
    total = jnp.sum(weights * jnp.exp(s * (values - top)), axis=over)
    return top[..., 0, 0, 0] + jnp.log(total) / s
