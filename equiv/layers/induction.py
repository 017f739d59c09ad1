"""Induction layers: from an image, which only turns in its plane, to signals that all rotations act on, and back.

The turns of the image about the axis of the camera are the subgroup SO(2) of SO(3) that fixes the polar axis y. A map
from images to signals on the sphere is consistent if it commutes with them, ``Phi(h f) = h Phi(f)``. All linear ones
are

    C_l = integral F_l(r) f(r) dr,   F_l(h r) = D^l(h) F_l(r) rho(h)^-1,   signal(n) = sum_l C_l . Y_l(n):

inner products of the image with steerable kernels of type ``rho -> Res D^l``, which ``equiv.layers.steerable`` has in
closed form. For a scalar image the pair (l + m, l - m) of the output has two profiles, ``p_lm(r)`` and ``q_lm(r)``,

    F_{l,l+m} = p cos(m phi) - q sin(m phi),   F_{l,l-m} = p sin(m phi) + q cos(m phi).

- ``plane_to_sphere`` learns them all, ``mirror_plane_to_sphere`` those with q = 0, which commute with mirrors too;
- ``orthographic_lift`` projects the picture onto a ball: fixed p (``orthographic_profiles``), and q = 0;
- ``plane_to_so3`` gives a signal on SO(3): only the left index of ``D^l_mn`` turns, the right one counts copies;
- ``restrict_to_plane`` is the other direction, ``f(r) = sum_l F_l(r) C_l``.

The integral is the sum over pixels times their area, so the same parameters serve images of every size, and the sum
converges as fast as the image is smooth. Quarter turns are exact at any size. The kernels are never formed: harmonics
``R(r) e^{i mu phi}``, a constant, are taken of each channel, and the parameters combine what comes out.

Reference: Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023 (arXiv 2307.03704); Klee, Biza, Platt, Walters, Image to
Sphere, ICLR 2023 (arXiv 2302.13926), for the orthographic lift.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import Array

from equiv import numerics
from equiv.groups.base import intern
from equiv.groups.finite import whole
from equiv.layers import steerable
from equiv.layers.base import Params, SignalLayer
from equiv.layers.so3 import rotation_signal, sphere_signal
from equiv.layers.steerable import Radial, SteerableKernel, checked_image, frequencies, pixel_centres
from equiv.reps import Rep, restrict
from equiv.reps.irreps import polar_axis, wigner_blocks

__all__ = [
    "mirror_plane_to_sphere",
    "orthographic_lift",
    "orthographic_profiles",
    "plane_to_so3",
    "plane_to_sphere",
    "restrict_to_plane",
]

_SIDE = 16
"""Pixels along an image whose independent pixels of variance one give coefficients of about variance one."""


# --- images to signals ------------------------------------------------------------------------------------------------


@functools.cache
def _moments(radial: Radial, highest: int, side: int) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    """``R_j(r) cos(mu phi)`` of all j, then ``R_j(r) sin(mu phi)``, for mu = 0 ... highest: (pixels, functions).

    And where those of each mu start, and how many j there are.
    """
    columns, spans, start = [], [], 0
    for mu in range(highest + 1):
        e = steerable.harmonics(radial, mu, pixel_centres(side).reshape(-1, 2))
        columns += [e.real, e.imag]
        spans.append((start, len(e)))
        start += 2 * len(e)
    return np.concatenate(columns).T * (2 / side) ** 2 * _SIDE / 2, tuple(spans)


def _projection(name: str, spec: tuple, kernel: SteerableKernel) -> SignalLayer:
    """The inner product of images with a steerable kernel."""
    sources, targets = frequencies(kernel.rep_in), frequencies(kernel.rep_out)
    highest = max(sources) + max(targets)
    order = np.argsort(np.concatenate([at.T.ravel() for at in targets.values()]))

    def apply(params: Params, x: Array) -> Array:
        x = checked_image(name, x, kernel.rep_in.dim)
        side, batch = x.shape[-1], x.shape[:-3]
        table, spans = _moments(kernel.radial, highest, side)
        moments = x.reshape(-1, kernel.rep_in.dim, side**2) @ jnp.asarray(table, x.dtype)

        def harmonic(channel: Array, mu: int) -> tuple[Array, Array]:
            """The real and the imaginary part of what ``R e^{i mu phi}`` gives for real channels."""
            start, count = spans[abs(mu)]
            imaginary = channel[..., start + count : start + 2 * count]
            return channel[..., start : start + count], imaginary if mu >= 0 else -imaginary

        def mapped(k: int, m: int) -> tuple[Array, Array]:
            """What all maps from frequency k to m give, as complex numbers: (batch, copies of k times maps)."""
            found = []
            for mu, sign in steerable.parts(k, m):
                real, imaginary = harmonic(moments[:, sources[k][:, 0]], mu)
                if k:
                    along, across = harmonic(moments[:, sources[k][:, 1]], mu)
                    real, imaginary = real - sign * across, imaginary + sign * along
                elif m:
                    real, imaginary = 2**0.5 * real, 2**0.5 * imaginary
                found.append((real, imaginary))
            return tuple(jnp.concatenate(each, axis=-1).reshape(len(moments), -1) for each in zip(*found))

        columns = []
        for m in targets:
            pairs = {f"{k}->{m}": mapped(k, m) for k in sources}
            outputs = []
            for letter, entries in kernel.shapes.items():
                own = [pair for pair in pairs if pair in entries]
                if not own:
                    continue
                flat = [kernel.weights(params, letter, pair).reshape(targets[m].shape[0], -1) for pair in own]
                weights = jnp.concatenate(flat, axis=1).astype(x.dtype).T
                real, imaginary = (jnp.concatenate([pairs[pair][part] for pair in own], axis=1) for part in (0, 1))
                turned = (real, imaginary) if letter == "p" else (-imaginary, real)
                outputs.append([part @ weights for part in turned[: 2 if m else 1]])
            columns += [sum(parts) for parts in zip(*outputs)]
        placed = jnp.concatenate(columns, axis=1)[:, order]
        return placed.reshape(*batch, kernel.rep_out.dim)

    return intern(SignalLayer(spec, name, kernel.init, apply))


def _to_sphere(what: str, make: Any, rep_in: Rep, rep: Rep, radial: Radial) -> SignalLayer:
    kernel = make(rep_in, restrict(rep, polar_axis()), radial)
    return _projection(f"{what}({rep_in} -> {rep})", (what, rep_in, rep, radial), kernel)


@functools.cache
def plane_to_sphere(rep_in: Rep, l_max: int, channels: int, radial: Radial) -> SignalLayer:
    """The induction layer: every linear map from images to signals on the sphere that commutes with SO(2).

    ``layer.apply(params, image)`` takes (..., rep_in.dim, N, N), any N, and gives vectors of ``sphere_signal(l_max,
    channels)``. What lies outside of the unit disc does not count. The parameters are those of a ``steerable_kernel``
    from ``rep_in`` to the signal restricted to ``polar_axis()``: ``{"p": {"k->m": (copies, copies, maps)}, "q": ...}``.

    Args:
        rep_in: a representation of SO(2), the type of the image: a sum of ``so2(k)``.
        l_max: highest degree of the signal.
        channels: signals.
        radial: functions of the radius, for instance ``gaussian_rings(4, 16)``.

    Raises:
        ValueError: another group, a negative degree, no channel, a frequency that no radial function reaches; in
            ``apply``, images that are not square or have other channels.

    Example:
        >>> from equiv.layers.steerable import gaussian_rings
        >>> from equiv.reps.irreps import so2
        >>> layer = plane_to_sphere(8 * so2(0) + 4 * so2(1), 6, 2, gaussian_rings(4, 16))
        >>> layer.apply(layer.init(jax.random.key(0)), jnp.ones((5, 16, 16, 16))).shape
        (5, 98)

    Reference:
        Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023 (arXiv 2307.03704).

    Differs from the paper:
        The public code expands kernels of another library and splits them by channels, which is not equivariant for
        inputs that turn; here the kernels are in closed form.
    """
    l_max, channels = _sizes("plane_to_sphere", l_max, channels)
    signal = sphere_signal(l_max, channels)
    return _to_sphere("plane_to_sphere", steerable.steerable_kernel, rep_in, signal, radial)


@functools.cache
def mirror_plane_to_sphere(rep_in: Rep, l_max: int, channels: int, radial: Radial) -> SignalLayer:
    """The induction layers that commute with the mirror x -> -x as well: those of ``plane_to_sphere`` without q.

    A mirror changes the sign of the second coordinate of each pair of the image and of each component l - m of the
    signal. With q = 0 the parameters of this layer are parameters of ``plane_to_sphere``.

    Args:
        rep_in: as in ``plane_to_sphere``.
        l_max: as well.
        channels: as well.
        radial: as well.

    Raises:
        ValueError: as ``plane_to_sphere``.

    Example:
        >>> from equiv.layers.steerable import laguerre
        >>> from equiv.reps.irreps import so2
        >>> sizes = []
        >>> for build in (mirror_plane_to_sphere, plane_to_sphere):
        ...     params = build(so2(0), 6, 1, laguerre(1, 0.2)).init(jax.random.key(0))
        ...     sizes.append(sum(leaf.size for leaf in jax.tree.leaves(params)))
        >>> sizes  # profiles, for l <= 6
        [28, 49]

    Reference:
        Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023 (arXiv 2307.03704); the mirror-symmetric case is derived here.
    """
    l_max, channels = _sizes("mirror_plane_to_sphere", l_max, channels)
    signal = sphere_signal(l_max, channels)
    return _to_sphere("mirror_plane_to_sphere", steerable.mirror_steerable_kernel, rep_in, signal, radial)


@functools.cache
def plane_to_so3(rep_in: Rep, l_max: int, channels: int, radial: Radial) -> SignalLayer:
    """Every linear map from images to signals on SO(3) that commutes with SO(2).

    ``layer.apply(params, image)`` takes (..., rep_in.dim, N, N), any N, and gives vectors of ``rotation_signal(l_max,
    channels)``. A turn of the camera moves the signal from the left, ``f'(R) = f(h^-1 R)``, which mixes the left index
    of ``D^l_mn`` only; so this is ``plane_to_sphere`` with 2l + 1 times as many signals of degree l.

    Args:
        rep_in: as in ``plane_to_sphere``.
        l_max: highest degree of the signal.
        channels: signals.
        radial: as in ``plane_to_sphere``.

    Raises:
        ValueError: as ``plane_to_sphere``.

    Example:
        >>> from equiv.layers.steerable import gaussian_rings
        >>> from equiv.reps.irreps import so2
        >>> layer = plane_to_so3(so2(0), 6, 1, gaussian_rings(4, 16))
        >>> layer.apply(layer.init(jax.random.key(0)), jnp.ones((1, 16, 16))).shape
        (455,)

    Reference:
        Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023, supplement (arXiv 2307.03704).

    Differs from the paper:
        There both indices of ``D^l`` are said to turn; with a signal that moves by ``f(h^-1 R)`` it is the left one.
    """
    l_max, channels = _sizes("plane_to_so3", l_max, channels)
    return _to_sphere("plane_to_so3", steerable.steerable_kernel, rep_in, rotation_signal(l_max, channels), radial)


def _sizes(what: str, l_max: int, channels: int) -> tuple[int, int]:
    return whole(l_max, 0, f"the highest degree of {what}"), whole(channels, 1, f"the number of channels of {what}")


# --- the orthographic projection --------------------------------------------------------------------------------------

_COVERAGE, _BLUR, _EDGE = 0.9, 0.2, np.deg2rad(75)
"""The radius of the ball in the picture, the width of the Gaussian, and the polar angle from which it fades."""


def orthographic_profiles(l_max: int, r: np.ndarray) -> np.ndarray:
    r"""The profiles ``p_lm(r)`` that the orthographic lift has as an induction layer of a scalar image; ``q_lm = 0``.

    A point n of the sphere sees ``kappa(n, r) = fade(beta) Gauss(r - 0.9 (n_z, n_x))``, with a Gaussian of width 0.2
    and of integral one, and a factor that falls from 1 at a polar angle of 75 degrees to 0 at 90. Then

    ``p_lm(r) = integral fade Y_lm e^{-(r - s)^2 / 2 w^2} e^{-x} I_m(x) / (2 pi w^2) sin(beta) d beta / 2``

    with ``s = 0.9 sin(beta)``, ``w = 0.2`` and ``x = r s / w^2``, times the window of the radial functions, which cuts
    off what is outside of the unit disc.

    Args:
        l_max: highest degree.
        r: radii.

    Returns:
        (l_max + 1, l_max + 1, *r.shape), p[l, m], zero for m > l; float64.

    Raises:
        ValueError: a negative degree.

    Example:
        >>> orthographic_profiles(1, np.array([0.0, 0.5])).round(3)[1].tolist()  # degree 1: m = 0 and m = 1
        [[0.17, 0.159], [0.0, 0.132]]

    Reference:
        Klee, Biza, Platt, Walters, ICLR 2023 (arXiv 2302.13926), for the lift; its profiles are derived here.
    """
    l_max, r = whole(l_max, 0, "the highest degree of orthographic_profiles"), np.asarray(r, np.float64)
    nodes, weights = np.polynomial.legendre.leggauss(64)
    ends = np.array([0, _EDGE, np.pi / 2])
    half = np.diff(ends)[:, None] / 2
    beta = ((ends[:-1] + ends[1:])[:, None] / 2 + half * nodes[None]).ravel()
    mass = (half * weights[None]).ravel() * np.sin(beta) / 2
    mass *= np.minimum(1, (np.pi / 2 - beta) / (np.pi / 2 - _EDGE))
    with numerics.constants():
        zero = jnp.zeros(beta.shape)
        blocks = [np.asarray(block) for block in wigner_blocks(l_max, (zero, jnp.asarray(beta), zero))]
    place = _COVERAGE * np.sin(beta)
    flat = r.reshape(-1, 1)
    gauss = np.exp(-((flat - place) ** 2) / (2 * _BLUR**2)) / (2 * np.pi * _BLUR**2)
    found = np.zeros((l_max + 1, l_max + 1, flat.size))
    for m in range(l_max + 1):
        seen = gauss * scipy.special.ive(m, flat * place / _BLUR**2)
        for l in range(m, l_max + 1):
            found[l, m] = seen @ (mass * (2 * l + 1) ** 0.5 * blocks[l][:, l + m, l])
    return (found * steerable.window(flat).T[None]).reshape(l_max + 1, l_max + 1, *r.shape)


@functools.cache
def _orthographic(l_max: int, side: int) -> np.ndarray:
    """What the lift makes of each pixel: (pixels, (l_max + 1)^2), degree by degree."""
    z, x = pixel_centres(side).reshape(-1, 2).T
    phi, profiles = np.arctan2(x, z), orthographic_profiles(l_max, np.hypot(z, x))
    columns = [
        profiles[l, abs(m)] * (np.cos(m * phi) if m >= 0 else np.sin(-m * phi))
        for l in range(l_max + 1)
        for m in range(-l, l + 1)
    ]
    return np.stack(columns, axis=1) * (2 / side) ** 2


@functools.cache
def orthographic_lift(l_max: int, channels: int) -> SignalLayer:
    """The projection of scalar images onto the half of the sphere that faces the camera; it has no parameters.

    ``layer.apply({}, image)`` takes (..., channels, N, N), any N, and gives vectors of ``sphere_signal(l_max,
    channels)``: at each point n the mean of the picture around ``0.9 (n_z, n_x)``, cut off above ``l_max``. It is an
    induction layer, the one with the profiles ``orthographic_profiles``.

    Args:
        l_max: highest degree of the signal.
        channels: pictures, and signals.

    Raises:
        ValueError: a negative degree, no channel; in ``apply``, images that are not square or have other channels.

    Example:
        >>> orthographic_lift(6, 3).apply({}, jnp.ones((3, 16, 16))).shape
        (147,)

    Reference:
        Klee, Biza, Platt, Walters, Image to Sphere, ICLR 2023 (arXiv 2302.13926).

    Differs from the paper:
        The integral over all points instead of 20 drawn ones, so that it commutes with turns to rounding; a Gaussian of
        integral one instead of weights whose sum over 49 pixels is one; pixels outside of the unit disc do not count.
    """
    l_max, channels = _sizes("orthographic_lift", l_max, channels)
    name = f"orthographic_lift({l_max}, {channels})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return {}

    def apply(params: Params, x: Array) -> Array:
        x = checked_image(name, x, channels)
        flat = x.reshape(*x.shape[:-2], -1) @ jnp.asarray(_orthographic(l_max, x.shape[-1]), x.dtype)
        degrees = [flat[..., l**2 : (l + 1) ** 2] for l in range(l_max + 1)]
        return jnp.concatenate([part.reshape(*x.shape[:-3], -1) for part in degrees], axis=-1)

    return intern(SignalLayer(("orthographic_lift", l_max, channels), name, init, apply))


# --- signals to images ------------------------------------------------------------------------------------------------


@functools.cache
def restrict_to_plane(rep_out: Rep, l_max: int, channels: int, radial: Radial, side: int) -> SignalLayer:
    """Linear maps from signals on the sphere to images that commute with SO(2), ``f(r) = sum_l F_l(r) C_l``.

    ``layer.apply(params, signal)`` takes vectors (..., dim) of ``sphere_signal(l_max, channels)`` and gives images
    (..., rep_out.dim, side, side), zero outside of the unit disc. The parameters are those of the ``steerable_kernel``
    from the restricted signal to ``rep_out``.

    Args:
        rep_out: a representation of SO(2), the type of the image: a sum of ``so2(k)``.
        l_max: highest degree of the signal.
        channels: signals.
        radial: functions of the radius.
        side: pixels along the image.

    Raises:
        ValueError: as ``plane_to_sphere``, or no pixel; in ``apply``, vectors of another length.

    Example:
        >>> from equiv.layers.steerable import gaussian_rings
        >>> from equiv.reps.irreps import so2
        >>> layer = restrict_to_plane(so2(0) + so2(1), 3, 2, gaussian_rings(3, 12), 12)
        >>> layer.apply(layer.init(jax.random.key(0)), jnp.ones((5, 32))).shape
        (5, 3, 12, 12)

    Reference:
        Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023 (arXiv 2307.03704), for restriction; the kernel is derived here.
    """
    l_max, channels = _sizes("restrict_to_plane", l_max, channels)
    side = whole(side, 1, "the side of the images of restrict_to_plane")
    signal = sphere_signal(l_max, channels)
    kernel = steerable.steerable_kernel(restrict(signal, polar_axis()), rep_out, radial)
    name = f"restrict_to_plane({signal} -> {rep_out})"

    def apply(params: Params, x: Array) -> Array:
        x = jnp.asarray(x)
        if x.ndim == 0 or x.shape[-1] != signal.dim:
            raise ValueError(f"{name} takes {signal}, vectors of length {signal.dim}, got an array of shape {x.shape}")
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise TypeError(f"{name} takes floating-point arrays, got {x.dtype}; cast it, x.astype(float)")
        pixels = np.pi**0.5 * kernel.at(params, pixel_centres(side)).astype(x.dtype)
        return jnp.einsum("...i,oizx->...ozx", x, pixels)

    return intern(SignalLayer(("restrict_to_plane", rep_out, l_max, channels, radial, side), name, kernel.init, apply))
