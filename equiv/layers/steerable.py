"""Steerable kernels of the plane in closed form, and convolutions with them.

A kernel F from fields of type ``rho_in`` to type ``rho_out`` commutes with turns of the image if and only if

    F(h r) = rho_out(h) F(r) rho_in(h)^-1,   that is   F(r, phi) = rho_out(phi) A(r) rho_in(phi)^-1,

with any matrix ``A(r)`` of functions of the radius: SO(2) acts freely away from the origin, so there is nothing to
solve. Smoothness at the origin is all that is left to see to. A pair of components of frequency k is one complex number
``f``, which turns with ``e^{i k t}``. From frequency k to frequency m there are the two maps ``R(r) e^{i (m-k) phi} f``
and ``R(r) e^{i (m+k) phi} conj f``, each with a complex factor ``p + i q``, and each smooth if ``R(r) = r^|mu| g(r^2)``
with g smooth and mu the frequency of its harmonic. Such R are what a ``Radial`` holds. At the origin they vanish unless
``mu = 0``, so no angle is needed there.

The mirror ``phi -> -phi`` is the complex conjugation of all fields, and the kernels which commute with it, too, are
those with ``q = 0``.

Conventions. An image is an array (..., dim, N, N), dim that of a representation of SO(2); the axis -2 is z, the axis -1
is x, pixel centres lie on the square [-1, 1]^2 and ``phi = atan2(x, z)``. ``R_y(t)`` turns (z, x) by +t; its quarter
turn is ``f'[i, j] = rho(h) f[j, N - 1 - i]``, that of ``jnp.rot90``. The representations are sums of ``so2(k)`` and
restrictions of ``so3(l)`` to ``polar_axis()``: those whose coordinates come in pairs that turn.

Reference: Weiler, Cesa, General E(2)-Equivariant Steerable CNNs, NeurIPS 2019 (arXiv 1911.08251); the closed form is
derived here.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import Array, Float

from equiv.groups import so
from equiv.groups.base import intern
from equiv.groups.finite import whole
from equiv.layers.base import Layer, Params, SignalLayer, entry
from equiv.layers.convolution import convolve
from equiv.reps import Rep, algebra

__all__ = [
    "Radial",
    "SteerableKernel",
    "frequencies",
    "gaussian_rings",
    "laguerre",
    "mirror_steerable_conv",
    "mirror_steerable_kernel",
    "pixel_centres",
    "pixelwise",
    "steerable_conv",
    "steerable_kernel",
]


# --- functions of the radius ------------------------------------------------------------------------------------------


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class Radial:
    """Functions of the radius for each angular frequency, of norm one and zero outside of the unit disc.

    Attributes:
        spec: nested tuple of what defines them.
        name: how they are printed.
        profiles: ``profiles(mu, r) -> (n_mu, *r.shape)``, in float64: the functions R for which ``R(r) e^{i mu phi}``
            is smooth, with ``integral R^2 over the plane = 1``; there may be fewer of high frequency.
    """

    spec: tuple
    name: str
    profiles: Callable[[int, np.ndarray], np.ndarray] = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return self.name


def window(r: np.ndarray) -> np.ndarray:
    """``exp(15 (sqrt(1 - r^8) - 1))`` within the unit disc, zero outside: 1 near the origin, a half at 0.74, 3e-7 at 1.

    Its spectrum falls as fast as that of a Gaussian until 3e-7 is reached, which one of compact support cannot keep up.
    """
    eighth = np.asarray(r, np.float64) ** 8
    inside = eighth < 1
    return np.where(inside, np.exp(15 * (np.sqrt(np.where(inside, 1 - eighth, 1)) - 1)), 0)


def _radial(spec: tuple, name: str, raw: Callable[[int, np.ndarray], np.ndarray]) -> Radial:
    """Times the window, and of norm one."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    nodes, weights = (nodes + 1) / 2, weights / 2

    @functools.cache
    def norms(mu: int) -> np.ndarray:
        return np.sqrt(2 * np.pi * np.sum((raw(mu, nodes) * window(nodes)) ** 2 * (nodes * weights), axis=1))

    def profiles(mu: int, r: np.ndarray) -> np.ndarray:
        r = np.asarray(r, np.float64)
        return raw(mu, r) * window(r) / norms(mu).reshape(-1, *(1,) * r.ndim)

    return intern(Radial(spec, name, profiles))


def gaussian_rings(n: int, side: int) -> Radial:
    r"""Gaussian rings: of radius ``r_j = (j + 1/2) / n`` and width ``1 / (2n)``, for ``j = 0 ... n-1``.

    ``R_j(r) = exp(-(r - r_j)^2 / 2 s^2) e^{-x} I_mu(x)``  with  ``x = r r_j / s^2`` and ``s = 1 / (2n)``

    is the component ``e^{i mu phi}`` of a Gaussian at distance r_j from the origin, which makes it smooth. A ring of
    radius r_j has ``pi r_j side`` pixels, so that it takes frequencies up to ``pi r_j side / 2`` only.

    Args:
        n: how many.
        side: pixels along the image, or along the kernel of a convolution, that they are for.

    Raises:
        ValueError: no ring or no pixel.

    Example:
        >>> rings = gaussian_rings(4, 16)
        >>> [len(rings.profiles(mu, np.zeros(1))) for mu in (0, 3, 4, 12)]
        [4, 4, 3, 2]

    Reference:
        Weiler, Cesa, NeurIPS 2019 (arXiv 1911.08251), for rings and their cut-off.

    Differs from the paper:
        A Gaussian of the distance from the ring times ``e^{i mu phi}`` has a kink at the origin; the Bessel function
        takes it away.
    """
    n = whole(n, 1, "the number of rings of gaussian_rings")
    side = whole(side, 1, "the number of pixels of gaussian_rings")
    radii, width = (np.arange(n) + 0.5) / n, 0.5 / n

    def raw(mu: int, r: np.ndarray) -> np.ndarray:
        own = radii[mu <= np.pi * radii * side / 2].reshape(-1, *(1,) * r.ndim)
        return np.exp(-((r - own) ** 2) / (2 * width**2)) * scipy.special.ive(mu, r * own / width**2)

    return _radial(("gaussian_rings", n, side), f"gaussian_rings({n}, {side})", raw)


def laguerre(n: int, width: float) -> Radial:
    """Laguerre-Gauss functions, ``R_j(r) = s^mu L_j^mu(s^2) exp(-s^2 / 2)`` with ``s = r / width``, j = 0 ... n-1.

    Products of polynomials in (z, x) and one Gaussian: as smooth as can be if the width is a fifth or less.

    Args:
        n: how many.
        width: of the Gaussian, in units of the radius of the disc.

    Raises:
        ValueError: no function, or a width that is not positive.

    Example:
        >>> laguerre(3, 0.2).profiles(2, np.array([0.0, 0.2, 1.0])).round(2)[0].tolist()
        [0.0, 1.22, 0.0]
    """
    n, width = whole(n, 1, "the number of functions of laguerre"), float(width)
    if not 0 < width < np.inf:
        raise ValueError(f"the width of laguerre has to be a positive number, got {width}")

    def raw(mu: int, r: np.ndarray) -> np.ndarray:
        s = r / width
        return np.stack([s**mu * np.exp(-(s**2) / 2) * scipy.special.eval_genlaguerre(j, mu, s**2) for j in range(n)])

    return _radial(("laguerre", n, width), f"laguerre({n}, {width:g})", raw)


# --- the kernels ------------------------------------------------------------------------------------------------------


@functools.cache
def frequencies(rep: Rep) -> Mapping[int, np.ndarray]:
    """Where the components of each frequency are: {k: (copies, 2)}, and {0: (copies, 1)} for the invariant ones.

    ``rho(t)`` turns the pair of coordinates in each row by k t, from the first to the second.

    Args:
        rep: a representation of SO(2) whose coordinates come in such pairs.

    Raises:
        ValueError: another group, or coordinates that do not come in pairs.

    Example:
        >>> from equiv.reps import restrict
        >>> from equiv.reps.irreps import polar_axis, so3
        >>> {k: places.tolist() for k, places in frequencies(restrict(so3(2), polar_axis())).items()}
        {0: [[2]], 1: [[3, 1]], 2: [[4, 0]]}
    """
    if rep.group != so(2):
        raise ValueError(f"steerable kernels take representations of {so(2)}, got {rep} of {rep.group}")
    found: dict[int, list[list[int]]] = {}
    start = 0
    for one, copies in rep.summands:
        (turn,) = np.rint(algebra(one)).astype(int)
        if np.any(np.count_nonzero(turn, axis=0) > 1) or not np.array_equal(turn, -turn.T):
            raise ValueError(
                f"steerable kernels take sums of so2(k) and restrictions of so3(l) to polar_axis(), "
                f"whose coordinates come in pairs that turn, and {one} has others"
            )
        seconds, firsts = np.nonzero(turn > 0)
        order = np.argsort(turn[seconds, firsts], kind="stable")
        for copy in range(copies):
            at = start + copy * one.dim
            for i in np.flatnonzero(~turn.any(axis=0)):
                found.setdefault(0, []).append([at + i])
            for i, j in zip(firsts[order], seconds[order]):
                found.setdefault(int(turn[j, i]), []).append([at + i, at + j])
        start += copies * one.dim
    return {k: np.array(found[k]) for k in sorted(found)}


def parts(k: int, m: int) -> tuple[tuple[int, int], ...]:
    """The maps from frequency k to m: the frequency of the harmonic, and 1 for f or -1 for its conjugate."""
    return ((m - k, 1), (m + k, -1)) if k and m else ((m - k, 1),)


def harmonics(radial: Radial, mu: int, points: np.ndarray) -> np.ndarray:
    """``R_j(r) e^{i mu phi}``, (n, points)."""
    z, x = np.asarray(points, np.float64).T
    return radial.profiles(abs(mu), np.hypot(z, x)) * np.exp(1j * mu * np.arctan2(x, z))


def _table(radial: Radial, k: int, m: int, points: np.ndarray) -> dict[str, np.ndarray]:
    """The kernels from frequency k to m, for p and for q: (maps, 1 or 2, 1 or 2, points), of norm one in each row."""
    tables = []
    for mu, sign in parts(k, m):
        e = harmonics(radial, mu, points)
        columns = np.stack([e, sign * 1j * e], axis=1) if k else e[:, None] * (2**0.5 if m else 1)
        tables.append(columns)
    z = np.concatenate(tables)
    rows = lambda z: np.stack([z.real, z.imag][: 2 if m else 1], axis=1)
    return {"p": rows(z), "q": rows(1j * z)}


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class SteerableKernel:
    """Kernels ``F(r, phi) = rho_out(phi) A(r) rho_in(phi)^-1`` with parameters.

    The parameters are ``{"p": {...}, "q": {...}}``, where the entry ``"k->m"`` has the real (p) or imaginary (q) parts
    of the factors from frequency k to m: (copies of m, copies of k, maps), the radial functions of ``e^{i (m-k) phi}``
    first, then those of ``e^{i (m+k) phi}``.

    Attributes:
        spec: nested tuple of what defines them.
        name: how they are printed.
        rep_in: type of the field that they act on.
        rep_out: type of what comes out.
        radial: functions of the radius.
        shapes: of the parameters, by letter and entry.
    """

    spec: tuple
    name: str
    rep_in: Rep
    rep_out: Rep
    radial: Radial
    shapes: Mapping[str, Mapping[str, tuple[int, int, int]]]

    def __str__(self) -> str:
        return self.name

    def init(self, key: jax.Array, dtype: Any = float) -> Params:
        """Normal parameters, for each component of the output of variances that sum to one."""
        places = [(letter, pair) for letter, entries in self.shapes.items() for pair in entries]
        fans: dict[str, int] = {}
        for letter, pair in places:
            _, copies, maps = self.shapes[letter][pair]
            target = pair.split("->")[1]
            fans[target] = fans.get(target, 0) + copies * maps
        sizes = [math.prod(self.shapes[letter][pair]) for letter, pair in places]
        deviations = np.repeat([fans[pair.split("->")[1]] ** -0.5 for _, pair in places], sizes)
        flat = jnp.asarray(deviations, dtype) * jax.random.normal(key, (sum(sizes),), dtype)
        params: dict[str, dict[str, Array]] = {letter: {} for letter in self.shapes}
        for (letter, pair), part in zip(places, jnp.split(flat, np.cumsum(sizes)[:-1])):
            params[letter][pair] = part.reshape(self.shapes[letter][pair])
        return params

    def weights(self, params: Params, letter: str, pair: str) -> Array:
        """The parameters of one entry, or a ValueError which says what they are called and how large they are."""
        weights = jnp.asarray(entry(self.name, entry(self.name, params, letter), pair))
        if weights.shape != self.shapes[letter][pair]:
            raise ValueError(
                f"{self.name} takes parameters {letter} {pair} of shape {self.shapes[letter][pair]}, "
                f"got {weights.shape}"
            )
        return weights

    def at(self, params: Params, points: np.ndarray) -> Float[Array, "o i *n"]:
        """The kernel at points of the plane.

        Args:
            params: see the class.
            points: (..., 2), the coordinates (z, x).

        Returns:
            (rep_out.dim, rep_in.dim, ...), in the dtype of the parameters.
        """
        points = np.asarray(points)
        flat = points.reshape(-1, 2)
        dtype = jnp.result_type(*jax.tree.leaves(params))
        rows = []
        sources, targets = frequencies(self.rep_in), frequencies(self.rep_out)
        for m, outs in targets.items():
            blocks = []
            for k, ins in sources.items():
                tables, pair = _table(self.radial, k, m, flat), f"{k}->{m}"
                shape = (outs.size, ins.size, len(flat))
                found = [
                    jnp.einsum("oij,jabn->oaibn", weights, jnp.asarray(tables[letter], weights.dtype)).reshape(shape)
                    for letter in self.shapes
                    if pair in self.shapes[letter]
                    for weights in [self.weights(params, letter, pair)]
                ]
                blocks.append(sum(found) if found else jnp.zeros(shape, dtype))
            rows.append(jnp.concatenate(blocks, axis=1))
        rows = jnp.concatenate(rows)
        place = lambda groups: np.argsort(np.concatenate([at.ravel() for at in groups.values()]))
        placed = rows[place(targets)][:, place(sources)]
        return placed.reshape(*placed.shape[:2], *points.shape[:-1])


def _steerable(rep_in: Rep, rep_out: Rep, radial: Radial, letters: tuple[str, ...]) -> SteerableKernel:
    shapes: dict[str, dict[str, tuple[int, int, int]]] = {letter: {} for letter in letters}
    reached = set()
    sources, targets = frequencies(rep_in), frequencies(rep_out)
    for m, outs in targets.items():
        for k, ins in sources.items():
            maps = sum(len(radial.profiles(abs(mu), np.zeros(1))) for mu, _ in parts(k, m))
            for letter in letters:
                if maps and (letter == "p" or k or m):
                    shapes[letter][f"{k}->{m}"] = (len(outs), len(ins), maps)
                    reached.add(m)
    missed = sorted(set(targets) - reached)
    if missed:
        raise ValueError(
            f"{radial} has no function for frequency {missed[0]} of {rep_out}: take rings of more pixels, or drop it"
        )
    name = f"{'' if 'q' in letters else 'mirror_'}steerable_kernel({rep_in} -> {rep_out}, {radial})"
    spec = ("steerable_kernel", rep_in, rep_out, radial, letters)
    return intern(SteerableKernel(spec, name, rep_in, rep_out, radial, shapes))


@functools.cache
def steerable_kernel(rep_in: Rep, rep_out: Rep, radial: Radial) -> SteerableKernel:
    """All kernels with ``F(h r) = rho_out(h) F(r) rho_in(h)^-1`` whose profiles are combinations of radial functions.

    Args:
        rep_in: a representation of SO(2): a sum of ``so2(k)`` and restrictions of ``so3(l)`` to ``polar_axis()``.
        rep_out: another.
        radial: ``gaussian_rings(...)`` or ``laguerre(...)``.

    Raises:
        ValueError: other representations, or a frequency of ``rep_out`` that no radial function reaches.

    Example:
        >>> from equiv.reps.irreps import so2
        >>> kernel = steerable_kernel(so2(0), so2(2), laguerre(3, 0.25))
        >>> kernel.shapes["p"]
        {'0->2': (1, 1, 3)}
        >>> kernel.at(kernel.init(jax.random.key(0)), np.zeros((5, 5, 2))).shape
        (2, 1, 5, 5)
    """
    return _steerable(rep_in, rep_out, radial, ("p", "q"))


@functools.cache
def mirror_steerable_kernel(rep_in: Rep, rep_out: Rep, radial: Radial) -> SteerableKernel:
    """The steerable kernels that commute with the mirror x -> -x as well: those without q.

    The mirror changes the sign of the second coordinate of each pair, ``o2(k)``.

    Args:
        rep_in: as in ``steerable_kernel``.
        rep_out: as well.
        radial: as well.

    Raises:
        ValueError: as ``steerable_kernel``.

    Example:
        >>> from equiv.reps.irreps import so2
        >>> list(mirror_steerable_kernel(so2(0), so2(2), laguerre(3, 0.25)).shapes)
        ['p']
    """
    return _steerable(rep_in, rep_out, radial, ("p",))


# --- convolutions -----------------------------------------------------------------------------------------------------


def pixel_centres(side: int) -> np.ndarray:
    """The coordinates (z, x) of the pixels of a square image, cell-centred on [-1, 1]^2: (side, side, 2).

    Example:
        >>> pixel_centres(2)[0].tolist()
        [[-0.5, -0.5], [-0.5, 0.5]]
    """
    centres = (2 * np.arange(side) + 1 - side) / side
    return np.stack(np.meshgrid(centres, centres, indexing="ij"), axis=-1)


def checked_image(name: str, x: Any, channels: int) -> Array:
    """``x`` as an array, or an error which says what the layer takes."""
    x = jnp.asarray(x)
    if x.ndim < 3 or x.shape[-3] != channels or x.shape[-1] != x.shape[-2] or x.shape[-1] == 0:
        raise ValueError(f"{name} takes square images (..., {channels}, N, N), got an array of shape {x.shape}")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"{name} takes floating-point images, got {x.dtype}; cast them, x.astype(float)")
    return x


@functools.cache
def steerable_conv(rep_in: Rep, rep_out: Rep, size: int, radial: Radial) -> SignalLayer:
    """A convolution of the plane that commutes with turns, ``y(r) = sum_u F(u) f(r + u)``, F steerable.

    ``layer.apply(params, image)`` takes (..., rep_in.dim, N, N) and gives (..., rep_out.dim, N, N), zeros around the
    image. Quarter turns are exact; others as far as image and kernel are smooth on the scale of a pixel. The
    parameters are those of the ``steerable_kernel``; at first, independent pixels of variance one give about that.

    Args:
        rep_in: a representation of SO(2): a sum of ``so2(k)`` and restrictions of ``so3(l)`` to ``polar_axis()``.
        rep_out: another.
        size: pixels along an edge of the kernel, odd; the unit disc of the radial functions fills it.
        radial: functions of the radius, for instance ``gaussian_rings(3, size)``.

    Raises:
        ValueError: other representations; a frequency of ``rep_out`` that no radial function reaches; an even size; in
            ``apply``, images that are not square or have other channels.

    Example:
        >>> from equiv.reps.irreps import so2
        >>> layer = steerable_conv(so2(0), 2 * so2(0) + so2(1), 5, gaussian_rings(3, 5))
        >>> image = jax.random.normal(jax.random.key(0), (1, 9, 9))
        >>> y = layer.apply(layer.init(jax.random.key(1)), image)
        >>> moved = layer.apply(layer.init(jax.random.key(1)), jnp.rot90(image, axes=(1, 2)))
        >>> y.shape, bool(jnp.allclose(moved[:2], jnp.rot90(y[:2], axes=(1, 2)), atol=1e-5))
        ((4, 9, 9), True)

    Reference:
        Weiler, Cesa, NeurIPS 2019 (arXiv 1911.08251).
    """
    return _convolution("steerable_conv", steerable_kernel, rep_in, rep_out, size, radial)


@functools.cache
def mirror_steerable_conv(rep_in: Rep, rep_out: Rep, size: int, radial: Radial) -> SignalLayer:
    """The steerable convolutions that commute with the mirror x -> -x as well: those of ``steerable_conv`` without q.

    Args:
        rep_in: as in ``steerable_conv``; the mirror changes the sign of the second coordinate of each pair.
        rep_out: as well.
        size: as well.
        radial: as well.

    Raises:
        ValueError: as ``steerable_conv``.

    Example:
        >>> from equiv.reps.irreps import so2
        >>> layer = mirror_steerable_conv(so2(0), 2 * so2(0) + so2(1), 5, gaussian_rings(3, 5))
        >>> image = jax.random.normal(jax.random.key(0), (1, 9, 9))
        >>> y = layer.apply(layer.init(jax.random.key(1)), image)
        >>> moved = layer.apply(layer.init(jax.random.key(1)), image[..., ::-1])
        >>> signs = jnp.array([1.0, 1.0, 1.0, -1.0]).reshape(4, 1, 1)
        >>> bool(jnp.allclose(moved, signs * y[..., ::-1], atol=1e-5))
        True

    Reference:
        Weiler, Cesa, NeurIPS 2019 (arXiv 1911.08251).
    """
    return _convolution("mirror_steerable_conv", mirror_steerable_kernel, rep_in, rep_out, size, radial)


def _convolution(
    what: str,
    build: Callable[[Rep, Rep, Radial], SteerableKernel],
    rep_in: Rep,
    rep_out: Rep,
    size: int,
    radial: Radial,
) -> SignalLayer:
    size = whole(size, 1, f"the size of {what}")
    if size % 2 == 0:
        raise ValueError(f"the size of {what} has to be odd, so that the kernel has a centre, got {size}")
    kernel = build(rep_in, rep_out, radial)
    name = f"{what}({rep_in} -> {rep_out}, {size} x {size})"

    def apply(params: Params, x: Array) -> Array:
        x = checked_image(name, x, rep_in.dim)
        taps = kernel.at(params, pixel_centres(size)) * (2 / size)
        return convolve(x, taps.astype(x.dtype), "same")

    return intern(SignalLayer((what, rep_in, rep_out, size, radial), name, kernel.init, apply))


@functools.cache
def pixelwise(layer: Layer) -> SignalLayer:
    """A layer of vectors at every pixel: (..., rep_in.dim, N, N) to (..., rep_out.dim, N, N), with its parameters.

    With ``gated(rep)`` it is the non-linearity of a steerable network: invariant channels get ``silu``, pairs are
    multiplied by a gate. With ``affine`` it is a steerable convolution of one pixel, with ``bias`` a bias.

    Args:
        layer: of representations of SO(2).

    Raises:
        ValueError: a layer of another group.

    Example:
        >>> from equiv.layers import gated
        >>> from equiv.reps.irreps import so2
        >>> fields = 4 * so2(0) + 2 * so2(1)
        >>> gates = pixelwise(gated(fields))
        >>> gates.apply({}, jnp.ones((gated(fields).rep_in.dim, 7, 7))).shape  # two more channels go in
        (8, 7, 7)
    """
    if layer.rep_in.group != so(2):
        raise ValueError(f"pixelwise takes a layer of {so(2)}, got {layer} of {layer.rep_in.group}")
    name = f"pixelwise({layer})"

    def apply(params: Params, x: Array) -> Array:
        x = checked_image(name, x, layer.rep_in.dim)
        return jnp.moveaxis(layer.apply(params, jnp.moveaxis(x, -3, -1)), -1, -3)

    return intern(SignalLayer(("pixelwise", layer), name, layer.init, apply))
