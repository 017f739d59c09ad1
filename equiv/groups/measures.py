r"""Haar measure on balls of SL(n) and GL+(n) and on SO(3): random and quasi-random samples, grids, quadratures.

On SL(n) and GL+(n) the measure of the library is ``d mu = prod_{i<j} sinh(x_i - x_j) / (x_i - x_j) dX dR`` in the
coordinates ``A = exp(X) R`` of ``equiv.groups.decompositions``: dX is Lebesgue measure of the orthonormal coordinates
of X (of the traceless X for SL(n)), dR Haar measure of mass 1 on SO(n). It is invariant from both sides and under
inversion. These groups are not compact, so a sample has to stay in a part of them, here a *ball*

    {largest eigenvalue of the traceless part of X <= radius,  |log det| <= log_det},

the second condition for GL+(n) only. Rotations on either side keep a ball. Inversion keeps it for n = 2 only: for n > 2
the least eigenvalue of X may reach ``-(n - 1) radius``.

Every function on balls returns elements and the logarithms of their weights; ``sum_i exp(log_weights_i) f(A_i)`` stands
for the integral of f over the ball:

====================================  ============================================================================
``haar_ball``                         independent draws; the error falls as ``n^(-1/2)``
``stratified_haar_ball``              each coordinate falls in each of n strata once (Latin hypercube)
``sobol_haar_ball``                   scrambled Sobol points; unbiased, about ``n^(-1)`` for smooth f
``gauss_haar_ball``                   n = 2: Gauss points in the radius, equidistant angles; f any smooth function
``lattice_haar_ball``                 n = 2: the trapezoidal rule on a lattice; f has to vanish near the edge
``gaussian_lattice``                  n = 2: the same for ``f(A) = exp(-|c|^2 / (2 width^2)) F(A)``, c as below
====================================  ============================================================================

For n = 2 samples are exact: ``cosh 2r = 1 + u (cosh 2 radius - 1)`` with u uniform on (0, 1) is the law of the largest
eigenvalue r, so that all weights are equal. For n > 2 the eigenvectors of X and R are uniform rotations and the
eigenvalues come from a proposal, which the weights correct. It is written in the gaps ``t_k = x_k - x_{k+1}``: with
``s_k = (n - k) t_k / n`` the ball is ``s_k >= 0, sum s_k <= radius``, the direction of s has the law
Dirichlet(2, ..., 2), its sum that of ``radius u^(1/q)`` with ``q = (n - 1)(n + 2) / 2``. The weights are bounded, as a
continuous function on a compact set; what they correct for small radii is only the gaps of eigenvalues that are not
neighbours.

c are the Cartan coordinates, ``equiv.groups.decompositions.cartan_coordinates``.

On SO(3) the measure is Haar measure of mass 1, and there are two sets of rotations. Both are products in the Euler
angles ``R(a, b, c) = R_y(a) R_x(b) R_y(c)``, whose polar axis is y; ``R(a, b, c)`` takes y to
``(sin b sin a, cos b, sin b cos a)``. The angles of each are to be had alone, for sums that are done one angle after
the other.

========================================  ========================================================================
``so3_grid``, ``healpix``                 rotations that share SO(3) evenly, for densities; their mean is no exact
                                          integral
``so3_quadrature``, ``euler_quadrature``  weights of sum 1 that integrate all D^l up to a degree exactly, for
                                          transforms; the rotations crowd at the poles
========================================  ========================================================================
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from jaxtyping import Array, Float

from equiv import numerics
from equiv.groups.base import Group
from equiv.groups.decompositions import from_cartan_coordinates
from equiv.groups.finite import whole
from equiv.groups.matrices import determinant, gram_schmidt

__all__ = [
    "ball_volume",
    "euler_quadrature",
    "gauss_haar_ball",
    "gaussian_lattice",
    "haar_ball",
    "healpix",
    "lattice_haar_ball",
    "so3_grid",
    "so3_quadrature",
    "sobol_haar_ball",
    "stratified_haar_ball",
]

Weighted = tuple[Float[Array, "n k k"], Float[Array, " n"]]


# --- what is taken and what is refused -----------------------------------------------------------------------------


def _number(value: Any, what: str) -> float:
    """``value`` as a finite float above zero, or a ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ValueError(f"{what} has to be a number, known outside of jit, got {value!r}")
    if not 0 < value < math.inf:
        raise ValueError(f"{what} has to be finite and above zero, got {value}")
    return float(value)


def _ball(group: Group, radius: Any, log_det: Any, name: str, planar: bool = False) -> tuple[int, float, float | None]:
    """n, radius and log_det of a ball, or the sentence what is wrong with it."""
    family = group.spec[0] if isinstance(group, Group) else None
    if family not in ("sl", "gl_plus") or group.spec[1] < 2:
        hint = "; a compact group is drawn from by group.sample" if isinstance(group, Group) and group.compact else ""
        raise ValueError(f"{name} knows sl(n) and gl_plus(n) for n of at least 2, got {group}{hint}")
    if planar and group.spec[1] != 2:
        raise ValueError(f"{name} knows sl(2) and gl_plus(2), got {group}; use sobol_haar_ball")
    radius = _number(radius, "the radius of a ball")
    if family == "sl":
        if log_det is not None:
            raise ValueError(f"the determinants of {group} are 1; leave log_det = {log_det} out")
        return group.spec[1], radius, None
    if log_det is None:
        raise ValueError(f"a ball of {group} needs a bound of |log det|; give log_det")
    return group.spec[1], radius, _number(log_det, "log_det")


def ball_volume(group: Group, radius: float, log_det: float | None = None) -> float:
    """The Haar measure of a ball of SL(2) or GL+(2): ``pi (cosh 2 radius - 1)``, times ``sqrt(2) log_det`` for GL+(2).

    Args:
        group: ``sl(2)`` or ``gl_plus(2)``.
        radius: bound of the largest eigenvalue of the traceless part of log P.
        log_det: bound of ``|log det|``, for GL+(2).

    Raises:
        ValueError: another group, a bound that is not above zero, a missing or superfluous log_det.

    Example:
        >>> from equiv.groups import sl
        >>> round(ball_volume(sl(2), 1.0), 4)
        8.6777

    Differs from the paper: in the entries (b, c) of the traceless part and the plain angle it is half of this for each
        unit of angle.
    """
    _, radius, log_det = _ball(group, radius, log_det, "ball_volume", planar=True)
    return 2 * math.pi * math.sinh(radius) ** 2 * (1 if log_det is None else 2**0.5 * log_det)


# --- from the cube to the ball -------------------------------------------------------------------------------------


def _cube_dim(n: int, log_det: float | None) -> int:
    """How many uniform numbers one element takes."""
    return (3 if n == 2 else 2 * n * n + 2 * (n - 1) + 1) + (log_det is not None)


def _rotations(u: Array, n: int) -> Array:
    """Uniform rotations from n^2 uniform numbers."""
    normal = jax.scipy.special.ndtri(u).reshape(-1, n, n)
    q = gram_schmidt(normal)
    return q.at[..., -1].multiply(jnp.sign(determinant(q))[..., None])


def _log_proposal_constant(n: int) -> float:
    """The logarithm of everything constant in (Haar density) / (proposal density), n > 2, but for ``log N``.

    ``dX = C prod |x_i - x_j| dx dU`` with dx on the ordered eigenvalues and dU of mass 1, C from Mehta's integral; the
    volume of the cell of ``t`` in the plane of trace 0 is ``n^(-1/2)``.
    """
    m, q = n - 1, (n - 1) * (n + 2) / 2
    mehta = sum(math.lgamma(1 + j / 2) - math.lgamma(1.5) for j in range(1, n + 1)) - math.lgamma(n + 1)
    constant = n * (n - 1) / 4 * math.log(2 * math.pi) - mehta - math.log(n) / 2
    constant += 2 * sum(math.log(n / (n - k)) for k in range(1, n))  # dt / ds, and the gaps of neighbours
    return constant - math.log(q) - math.lgamma(2 * m)


def _spread(group: Group, n: int, radius: float, log_det: float | None, u: Array) -> Weighted:
    """Elements and log weights (without ``-log N``) from points of the cube, (N, d)."""
    size, dtype = u.shape[0], u.dtype
    number = functools.partial(jnp.asarray, dtype=dtype)
    if log_det is None:
        middle, log_volume = jnp.zeros(size, dtype), 0.0
    else:
        middle, log_volume = log_det * (2 * u[:, -1] - 1) / n, math.log(2 * log_det / n**0.5)
    if n == 2:
        log_volume += math.log(2 * math.pi) + 2 * _log_sinh(radius)
        r = jnp.arcsinh(jnp.sqrt(u[:, 0]) * math.sinh(radius))
        along, angle = 2 * math.pi * u[:, 1], math.pi * (2 * u[:, 2] - 1)
        even, odd = r * jnp.cos(along), 2**0.5 * r * jnp.sin(along)
        symmetric = [2**0.5 * even, odd] if log_det is None else [middle + even, odd, middle - even]
        elements = from_cartan_coordinates(group, jnp.stack([*symmetric, angle], axis=-1))
        return elements, jnp.full(size, log_volume, dtype)
    m, q = n - 1, (n - 1) * (n + 2) / 2
    vectors, rotation = _rotations(u[:, : n * n], n), _rotations(u[:, n * n : 2 * n * n], n)
    u = u[:, 2 * n * n :]
    steps = -jnp.log(u[:, :m]) - jnp.log(u[:, m : 2 * m])
    steps = steps / jnp.sum(steps, axis=-1, keepdims=True)
    total = radius * u[:, 2 * m] ** (1 / q)
    gaps = steps * number([[n / (n - k) for k in range(1, n)]])
    below = jnp.concatenate([jnp.zeros((size, 1), dtype), jnp.cumsum(gaps, axis=-1)], axis=-1)
    unit = jnp.sum(steps, axis=-1, keepdims=True) - below  # eigenvalues of a direction, the largest first
    log_weights = jnp.full(size, _log_proposal_constant(n) + q * math.log(radius) + log_volume, dtype)
    for i in range(n):
        for j in range(i + 1, n):
            gap = unit[:, i] - unit[:, j]
            log_weights += numerics.log_sinhc((total * gap) ** 2)
            if j > i + 1:
                log_weights += jnp.log(gap)
    stretch = jnp.exp(total[:, None] * unit + middle[:, None])
    p = jnp.einsum("...ik,...k,...jk->...ij", vectors, stretch, vectors, precision="highest")
    return jnp.matmul(p, rotation, precision="highest"), log_weights


def _log_sinh(radius: float) -> float:
    return radius + math.log(-math.expm1(-2 * radius) / 2)


def _weighted(group: Group, ball: tuple[int, float, float | None], u: Array) -> Weighted:
    edge = jnp.finfo(u.dtype).eps / 4
    elements, log_weights = _spread(group, *ball, jnp.clip(u, edge, 1 - 2 * edge))
    return elements, log_weights - math.log(u.shape[0])


# --- samples -------------------------------------------------------------------------------------------------------


def haar_ball(
    key: jax.Array, group: Group, radius: float, n: int, log_det: float | None = None, dtype: Any = float
) -> Weighted:
    """Independent draws of Haar measure on a ball of SL(n) or GL+(n).

    Exact for 2 x 2 matrices, ``cosh 2r = 1 + u (cosh 2 radius - 1)``, with equal weights. Importance-weighted beyond:
    the proposal of the module, whose weights are bounded.

    Args:
        key: random key.
        group: ``sl(k)`` or ``gl_plus(k)``, k of at least 2.
        radius: bound of the largest eigenvalue of the traceless part of log P.
        n: number of elements.
        log_det: bound of ``|log det|``; for GL+ only, where it has to be given.
        dtype: of elements and weights.

    Returns:
        Elements (n, k, k) and log weights (n,); the weights sum to the volume of the ball, for k > 2 on average.

    Raises:
        ValueError: another group, n below 1, a radius or log_det that is not above zero, a missing or superfluous
            log_det.

    Example:
        >>> from equiv.groups import sl
        >>> elements, log_weights = haar_ball(jax.random.key(0), sl(2), 1.0, 100)
        >>> elements.shape, round(float(jnp.sum(jnp.exp(log_weights))), 3)
        ((100, 2, 2), 8.678)

    Reference:
        Mironenco, Forre, ICLR 2024 (arXiv 2310.11366), for sampling in Cartan coordinates; Mehta, Random Matrices,
        for the constant of the eigenvalue density.

    Differs from the paper: its public code draws log P from a Gaussian and has no weights, so that its sums converge to
    no invariant integral.
    """
    ball, n = _ball(group, radius, log_det, "haar_ball"), whole(n, 1, "the number of elements")
    return _weighted(group, ball, jax.random.uniform(key, (n, _cube_dim(ball[0], ball[2])), dtype))


def stratified_haar_ball(
    key: jax.Array, group: Group, radius: float, n: int, log_det: float | None = None, dtype: Any = float
) -> Weighted:
    """The same with every coordinate stratified: each of n strata of equal mass gets one element (Latin hypercube).

    Unbiased. A sum of functions of one coordinate each is integrated with an error of order ``n^(-3/2)``, the rest as
    with independent draws; the error is never much larger than theirs.

    Args:
        key: random key.
        group: ``sl(k)`` or ``gl_plus(k)``, k of at least 2.
        radius: bound of the largest eigenvalue of the traceless part of log P.
        n: number of elements, any.
        log_det: bound of ``|log det|``, for GL+.
        dtype: of elements and weights.

    Returns:
        As ``haar_ball``.

    Raises:
        ValueError: as ``haar_ball``.

    Example:
        >>> from equiv.groups import sl
        >>> stratified_haar_ball(jax.random.key(0), sl(2), 1.0, 10)[0].shape
        (10, 2, 2)

    Reference:
        McKay, Beckman, Conover, Technometrics 21 (1979).
    """
    ball, n = _ball(group, radius, log_det, "stratified_haar_ball"), whole(n, 1, "the number of elements")
    k_within, k_order = jax.random.split(key)
    within = jax.random.uniform(k_within, (n, _cube_dim(ball[0], ball[2])), dtype)
    order = jax.random.permutation(k_order, jnp.broadcast_to(jnp.arange(n)[:, None], within.shape), independent=True)
    return _weighted(group, ball, (order.astype(within.dtype) + within) / n)


_BITS = 30


@functools.cache
def _sobol(n: int, d: int) -> np.ndarray:
    """The first n Sobol points, (n, d), as integers of ``_BITS`` bits."""
    points = scipy.stats.qmc.Sobol(d, scramble=False, bits=_BITS).random_base2(max(0, (n - 1).bit_length()))
    return np.round(points[:n] * 2**_BITS).astype(np.uint32)


def sobol_haar_ball(
    key: jax.Array, group: Group, radius: float, n: int, log_det: float | None = None, dtype: Any = float
) -> Weighted:
    """Scrambled Sobol points in the coordinates in which Haar measure (or the proposal) is uniform.

    Scrambled by a random linear map of the binary digits and a random digital shift: unbiased for every n, and with
    variance of lower order than ``1 / n`` for smooth functions. Best for n a power of two. The points are a constant of
    the program, the scrambling is traced: the key may be an argument of ``jit``.

    Args:
        key: random key.
        group: ``sl(k)`` or ``gl_plus(k)``, k of at least 2.
        radius: bound of the largest eigenvalue of the traceless part of log P.
        n: number of elements, at most 2^30.
        log_det: bound of ``|log det|``, for GL+.
        dtype: of elements and weights.

    Returns:
        As ``haar_ball``.

    Raises:
        ValueError: as ``haar_ball``.

    Example:
        >>> from equiv.groups import sl
        >>> jax.jit(lambda key: sobol_haar_ball(key, sl(2), 1.0, 16))(jax.random.key(0))[0].shape
        (16, 2, 2)

    Reference:
        Matousek, J. Complexity 14 (1998), for the scrambling; the direction numbers are those of scipy.
    """
    ball, n = _ball(group, radius, log_det, "sobol_haar_ball"), whole(n, 1, "the number of elements")
    d = _cube_dim(ball[0], ball[2])
    points = jnp.asarray(_sobol(n, d))
    k_map, k_shift, k_rest = jax.random.split(key, 3)
    one = jnp.uint32(1)
    below = jax.random.bits(k_map, (_BITS, d), jnp.uint32)
    shift = jax.random.bits(k_shift, (1, d), jnp.uint32) & jnp.uint32(2**_BITS - 1)

    def digit(k: Array, scrambled: Array) -> Array:
        """Digit k, the most significant first, goes to itself and to a random choice of the digits after it."""
        place = one << (jnp.uint32(_BITS - 1) - k.astype(jnp.uint32))
        column = place | (below[k] & (place - one))
        return scrambled ^ jnp.where((points & place) != 0, column[None, :], jnp.uint32(0))

    scrambled = jax.lax.fori_loop(0, _BITS, digit, jnp.broadcast_to(shift, points.shape))
    rest = jax.random.uniform(k_rest, points.shape, dtype)  # the digits after the last one
    return _weighted(group, ball, (scrambled.astype(rest.dtype) + rest) / 2**_BITS)


# --- quadratures of SL(2) and GL+(2) -------------------------------------------------------------------------------


def _planar(plane: np.ndarray, angle: np.ndarray, middle: np.ndarray, weight: np.ndarray, dtype: Any) -> Weighted:
    """Elements from ``(b, c)``, the traceless part [[b, c], [c, -b]] of X, the angle of R and ``log(det) / 2``.

    In numpy: quadratures are constants, and nothing has to compile.
    """
    b, c = plane.T
    r = np.hypot(b, c)
    scale, flat, slope = np.exp(middle), np.cosh(r), np.where(r < 1e-8, 1, np.sinh(r) / np.where(r < 1e-8, 1, r))
    p = np.stack([flat + slope * b, slope * c, slope * c, flat - slope * b], axis=-1).reshape(-1, 2, 2)
    rotation = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=-1).reshape(-1, 2, 2)
    return jnp.asarray(scale[:, None, None] * (p @ rotation), dtype), jnp.asarray(np.log(weight), dtype)


def _density(r: np.ndarray) -> np.ndarray:
    """``sinh(2 r) / (2 r)``."""
    return np.where(r < 1e-4, 1 + 2 * r**2 / 3, np.sinh(2 * r) / np.where(r < 1e-4, 1, 2 * r))


def gauss_haar_ball(
    group: Group,
    radius: float,
    n_radii: int,
    n_directions: int,
    n_angles: int,
    log_det: float | None = None,
    n_scales: int = 1,
    dtype: Any = float,
) -> Weighted:
    """A product rule on a ball of SL(2) or GL+(2): Gauss points in r and log det, equidistant directions and angles.

    ``int f d mu = int_0^radius sinh(2r) dr int_0^(2 pi) d phi int f dR``: Gauss-Legendre in r with ``sinh(2r)`` in the
    weights. (In the variable ``cosh 2r``, where the measure is flat, the Gauss points crowd at the edge.) Converges
    exponentially for every smooth f; the points do not fill the group evenly.

    Args:
        group: ``sl(2)`` or ``gl_plus(2)``.
        radius: bound of the largest eigenvalue of the traceless part of log P.
        n_radii: Gauss points in r.
        n_directions: equidistant directions of the eigenvectors of P.
        n_angles: equidistant angles of R; no rotation is there twice.
        log_det: bound of ``|log det|``, for GL+(2).
        n_scales: Gauss points in log det, for GL+(2).
        dtype: of elements and weights.

    Returns:
        Elements (n, 2, 2) and log weights (n,), ``n = n_radii n_directions n_angles n_scales``.

    Raises:
        ValueError: as ``haar_ball``; another n than 2.

    Example:
        >>> from equiv.groups import sl
        >>> elements, log_weights = gauss_haar_ball(sl(2), 1.0, 6, 4, 3)
        >>> len(elements), round(float(jnp.sum(jnp.exp(log_weights))), 4)
        (72, 8.6777)
    """
    _, radius, log_det = _ball(group, radius, log_det, "gauss_haar_ball", planar=True)
    sizes = {"n_radii": n_radii, "n_directions": n_directions, "n_angles": n_angles, "n_scales": n_scales}
    n_radii, n_directions, n_angles, n_scales = (whole(size, 1, name) for name, size in sizes.items())
    if log_det is None and n_scales > 1:
        raise ValueError(f"the determinants of {group} are 1; leave n_scales = {n_scales} out")
    points, masses = np.polynomial.legendre.leggauss(n_radii)
    r = radius * (points + 1) / 2
    w_r = radius / 2 * masses * np.sinh(2 * r)
    points, masses = np.polynomial.legendre.leggauss(n_scales) if log_det else (np.zeros(1), np.ones(1))
    middle, w_m = (log_det or 0) / 2 * points, (log_det / 2**0.5 if log_det else 1) * masses
    directions, angles = np.arange(n_directions) / n_directions, np.arange(n_angles) / n_angles
    grid = np.meshgrid(np.arange(n_radii), 2 * np.pi * directions, np.pi * (2 * angles - 1), np.arange(n_scales))
    i, phi, angle, k = (axis.ravel() for axis in grid)
    plane = r[i][:, None] * np.stack([np.cos(phi), np.sin(phi)], axis=-1)
    weight = w_r[i] * w_m[k] * 2 * np.pi / (n_directions * n_angles)
    return _planar(plane, angle, middle[k], weight, dtype)


def _hexagonal(reach: float, cell: float) -> np.ndarray:
    """The points of a hexagonal lattice of that area of a cell in a disc, (m, 2); the origin is one of them."""
    step = (2 * cell / 3**0.5) ** 0.5
    n = int(2 * reach / step) + 2
    i = np.arange(-n, n + 1)
    points = step * np.stack(np.meshgrid(i, i, indexing="ij"), axis=-1).reshape(-1, 2) @ [[1, 0], [0.5, 3**0.5 / 2]]
    return points[np.hypot(*points.T) <= reach]


def lattice_haar_ball(
    group: Group,
    radius: float,
    spacing: float,
    log_det: float | None = None,
    n_angles: int | None = None,
    dtype: Any = float,
) -> Weighted:
    """The trapezoidal rule in Cartan coordinates on a ball of SL(2) or GL+(2), for functions that vanish near its edge.

    A hexagonal lattice for the traceless part of log P, equidistant angles and, for GL+(2), equidistant log
    determinants; every element has a cell of the same size, the weight is the cell times the Haar density. For an f
    that is smooth and small at the edge the error falls faster than any power of the number of elements: for a Gaussian
    of width s in Cartan coordinates, centred near the identity, as ``exp(-2 pi^2 s^2 / spacing^2)``. It is a fixed set:
    f may be centred anywhere inside the ball.

    Args:
        group: ``sl(2)`` or ``gl_plus(2)``.
        radius: bound of the largest eigenvalue of the traceless part of log P.
        spacing: of the elements, in Cartan coordinates.
        log_det: bound of ``|log det|``, for GL+(2).
        n_angles: equidistant angles; as many as the spacing asks for by default, ``2 pi / spacing`` rounded up.
        dtype: of elements and weights.

    Returns:
        Elements (n, 2, 2), log weights (n,); n follows from radius and spacing, about
        ``4 pi^2 radius^2 / spacing^3`` for SL(2).

    Raises:
        ValueError: as ``haar_ball``; another n than 2; a spacing that is not above zero; n_angles below 1.

    Example:
        >>> from equiv.groups import sl
        >>> lattice_haar_ball(sl(2), 1.8, 0.42)[0].shape
        (1815, 2, 2)

    Reference:
        Trefethen, Weideman, SIAM Review 56 (2014), for the trapezoidal rule; the rule on the group is derived here.
    """
    _, radius, log_det = _ball(group, radius, log_det, "lattice_haar_ball", planar=True)
    spacing = _number(spacing, "the spacing of a lattice")
    plane = _hexagonal(radius, spacing**2 / 2)  # of (b, c); orthonormal coordinates are sqrt 2 times these
    n_angles = math.ceil(2 * math.pi / spacing) if n_angles is None else whole(n_angles, 1, "n_angles")
    scales, w_scale = np.zeros(1), 1.0
    if log_det is not None:
        n = int(log_det / 2**0.5 / spacing)
        scales, w_scale = np.arange(-n, n + 1) * spacing / 2**0.5, spacing
    angles = np.pi * (2 * np.arange(n_angles) / n_angles - 1)
    grid = np.meshgrid(angles, scales, np.arange(len(plane)), indexing="ij")
    angle, middle, i = (axis.ravel() for axis in grid)
    plane = plane[i.astype(int)]
    weight = _density(np.hypot(*plane.T)) * spacing**2 * w_scale / n_angles
    return _planar(plane, angle, middle, weight, dtype)


def gaussian_lattice(
    group: Group, width: float, spacing: float, tolerance: float = 1e-6, dtype: Any = float
) -> Weighted:
    """The trapezoidal rule for integrands that carry a Gaussian of the Cartan coordinates about the identity.

    A cubic lattice in Cartan coordinates, without the elements where the Gaussian ``exp(-|c|^2 / (2 width^2))`` times
    the Haar density is below ``tolerance``. The Gaussian is *not* in the weights. These are the nodes for kernels seen
    from the element h at which a layer is evaluated, ``int k(h^-1 g) f(g) d mu(g) = sum_i w_i k(u_i) f(h u_i)``: as
    they move with h, the layer is equivariant for every spacing; the spacing decides how near it is to the integral.

    Args:
        group: ``sl(2)`` or ``gl_plus(2)``.
        width: standard deviation of the Gaussian in Cartan coordinates.
        spacing: of the lattice, in units of the width; 1.2 leaves errors of about 1e-4, 1.0 of 1e-6.
        tolerance: below one; elements where Gaussian times density are less than it are left out.
        dtype: of elements and weights.

    Returns:
        Elements (n, 2, 2), the identity among them, and log weights (n,).

    Raises:
        ValueError: another group; a width, spacing or tolerance that is not above zero; a tolerance of one or more.

    Example:
        >>> from equiv.groups import sl
        >>> gaussian_lattice(sl(2), 0.4, 1.2, 1e-5)[0].shape
        (287, 2, 2)
    """
    family = group.spec[0] if isinstance(group, Group) else None
    if family not in ("sl", "gl_plus") or group.spec[1] != 2:
        raise ValueError(f"gaussian_lattice knows sl(2) and gl_plus(2), got {group}")
    width, spacing = _number(width, "the width of the Gaussian"), _number(spacing, "the spacing of a lattice")
    if _number(tolerance, "the tolerance") >= 1:
        raise ValueError(f"the tolerance has to be below 1, got {tolerance}")
    step, bound = width * spacing, -2 * width**2 * math.log(tolerance)
    # |c|^2 - 2 width^2 log(density) <= bound, and log(density) <= 2 r <= sqrt 2 |c|
    reach = 2**0.5 * width**2 + (2 * width**4 + bound) ** 0.5
    i = np.arange(-int(reach / step), int(reach / step) + 1) * step
    c = np.stack(np.meshgrid(*[i] * group.dim, indexing="ij"), axis=-1).reshape(-1, group.dim)
    # orthonormal: sqrt 2 (b, c), then the angle, then sqrt 2 times the middle
    plane, angle, middle = c[:, :2] / 2**0.5, c[:, 2], c[:, 3] / 2**0.5 if family == "gl_plus" else np.zeros(len(c))
    density = _density(np.hypot(*plane.T))
    kept = (np.sum(c**2, axis=-1) - 2 * width**2 * np.log(density) <= bound) & (abs(angle) < np.pi)
    weight = density[kept] * step**group.dim / (2 * math.pi)
    return _planar(plane[kept], angle[kept], middle[kept], weight, dtype)


# --- SO(3) ---------------------------------------------------------------------------------------------------------

_MAX_ROTATIONS = 20_000_000
"""Rotations that are listed at once, 720 MB in float32."""


def _euler(alpha: np.ndarray, beta: np.ndarray, gamma: np.ndarray, dtype: Any) -> Array:
    """``R_y(alpha_p) R_x(beta_p) R_y(gamma_k)``, p first, (p k, 3, 3); in numpy, since nothing has to compile."""
    (ca, sa), (cb, sb), (cc, sc) = ((np.cos(angle), np.sin(angle)) for angle in (alpha, beta, gamma))
    zero = np.zeros_like(cb)
    head = np.stack([ca, sa * sb, sa * cb, zero, cb, -sb, -sa, ca * sb, ca * cb], axis=-1).reshape(-1, 3, 3)
    rotations = np.empty((len(head), len(cc), 3, 3), jnp.zeros(0, dtype).dtype)
    x, y, z = (head[:, None, :, column] for column in range(3))
    cc, sc = cc[None, :, None], sc[None, :, None]
    rotations[..., 0], rotations[..., 1], rotations[..., 2] = x * cc - z * sc, y, x * sc + z * cc
    return jnp.asarray(rotations.reshape(-1, 3, 3))


def _not_too_many(count: int, what: str, instead: str) -> None:
    if count > _MAX_ROTATIONS:
        raise ValueError(f"{what} has {count} rotations, more than the {_MAX_ROTATIONS} that are listed; use {instead}")


def healpix(level: int, dtype: Any = float) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """The centres of the ``12 * 4^level`` HEALPix pixels, which share the sphere into equal areas.

    With N = 2^level there are ``4 N - 1`` rings of constant height. Ring i of the northern cap (i < N) has 4 i pixels
    at ``cos beta = 1 - i^2 / (3 N^2)``, ring i of the belt (N <= i <= 3 N) has 4 N at ``cos beta = 4/3 - 2 i / (3 N)``;
    the southern cap is the mirror image of the northern one. In a ring the pixels are equidistant in alpha, from half a
    step on; in the belt, where i + N is odd, from 0 on.

    Args:
        level: log2 of HEALPix' nside, from 0.
        dtype: of the angles.

    Returns:
        ``(alpha, beta)``, each (12 * 4^level,), in radians and in ring order: alpha is the azimuth in [0, 2 pi), beta
        the polar angle. A centre is the point ``(sin b sin a, cos b, sin b cos a)``: HEALPix' axis z is y here.

    Raises:
        ValueError: the level is not a whole number of at least 0, or above 10.

    Example:
        >>> alpha, beta = healpix(0)
        >>> [round(float(b), 4) for b in beta[::4]], [round(float(a), 4) for a in alpha[::4]]
        ([0.8411, 1.5708, 2.3005], [0.7854, 0.0, 0.7854])

    Reference:
        Gorski et al., Astrophysical Journal 622 (2005) (arXiv astro-ph/0409513).
    """
    level = whole(level, 0, "the level of healpix")
    if level > 10:
        raise ValueError(f"healpix lists up to 12 * 4^10 pixels, got the level {level}")
    alpha, beta = _healpix(level)
    return jnp.asarray(alpha, dtype), jnp.asarray(beta, dtype)


def _healpix(level: int) -> tuple[np.ndarray, np.ndarray]:
    n = 2**level
    ring = np.arange(1, 4 * n)
    cap = np.minimum(ring, 4 * n - ring)  # number of the ring, from the nearer pole
    polar = 2 * np.arcsin(np.minimum(cap, n) / n / 6**0.5)
    belt = np.arccos(np.clip((2 * n - ring) * 2 / (3 * n), -1, 1))
    beta = np.where(cap >= n, belt, np.where(ring < n, polar, np.pi - polar))
    count = 4 * np.minimum(cap, n)
    first = np.where((cap < n) | ((ring + n) % 2 == 0), 0.5, 0.0)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return 2 * np.pi * (within + np.repeat(first, count)) / np.repeat(count, count), np.repeat(beta, count)


def so3_grid(level: int, dtype: Any = float) -> Float[Array, "n 3 3"]:
    """``72 * 8^level`` rotations that share SO(3) evenly: HEALPix pixels times equidistant in-plane angles.

    ``R(a, b, c) = R_y(a) R_x(b) R_y(c)`` with (a, b) a pixel's centre and ``c = 2 pi k / (6 * 2^level)``. Every
    rotation stands for a cell of the same volume, so that a density has the value ``p_i n`` where cell i has the
    probability p_i. Neighbours are about ``60 / 2^level`` degrees apart.

    Args:
        level: from 0; each level has 8 times the rotations of the one before: 72, 576, 4608, 36864, 294912, 2359296.
        dtype: of the rotations.

    Returns:
        (n, 3, 3); rotation ``p * 6 * 2^level + k`` has pixel p of ``healpix(level)`` and in-plane angle k.

    Raises:
        ValueError: the level is not a whole number of at least 0, or above 6.

    Example:
        >>> so3_grid(1).shape
        (576, 3, 3)

    Reference:
        Yershova, Jain, LaValle, Mitchell, Int. J. Robotics Research 29 (2010), for the product of HEALPix and a circle;
        Klee, Biza, Platt, Walters, ICLR 2023 (arXiv 2302.13926), for these sizes.

    Differs from the paper: the in-plane angle runs fastest here, the pixel fastest in the public code of the second.
    """
    level = whole(level, 0, "the level of so3_grid")
    _not_too_many(72 * 8**level, f"so3_grid({level})", f"healpix({level}) and {6 * 2**level} in-plane angles")
    return _euler(*_healpix(level), 2 * np.pi * np.arange(6 * 2**level) / (6 * 2**level), dtype)


def euler_quadrature(
    l_max: int, dtype: Any = float
) -> tuple[Float[Array, " n"], Float[Array, " m"], Float[Array, " n"], Float[Array, " m"]]:
    """The angles of ``so3_quadrature`` one by one, for transforms that sum over one angle after the other.

    ``alpha_i = gamma_i = 2 pi i / (l_max + 1)``, and ``cos beta_j`` the Gauss points of degree ``l_max // 2 + 1``.

    Args:
        l_max: degree up to which the product is exact, from 0.
        dtype: of angles and weights.

    Returns:
        ``(alpha, beta, gamma, weights)``: l_max + 1, l_max // 2 + 1, l_max + 1 angles in radians, and one weight for
        each beta; these sum to 1. The weight of a rotation is ``weights[j] / (l_max + 1)^2``.

    Raises:
        ValueError: l_max is not a whole number of at least 0.

    Example:
        >>> [len(part) for part in euler_quadrature(18)]
        [19, 10, 19, 10]
    """
    alpha, beta, weights = _euler_quadrature(whole(l_max, 0, "the degree of a quadrature"))
    return tuple(jnp.asarray(part, dtype) for part in (alpha, beta, alpha, weights))


def _euler_quadrature(l_max: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points, masses = np.polynomial.legendre.leggauss(l_max // 2 + 1)
    return 2 * np.pi * np.arange(l_max + 1) / (l_max + 1), np.arccos(points[::-1]), masses[::-1] / 2


def so3_quadrature(l_max: int, dtype: Any = float) -> tuple[Float[Array, "n 3 3"], Float[Array, " n"]]:
    """Rotations and weights with ``sum_i w_i f(R_i) = int f dR`` for every f in the span of D^l, ``l <= l_max``.

    Equidistant alpha and gamma leave only the entry ``D^l_00 = P_l(cos beta)`` of each D^l, which the Gauss-Legendre
    points in ``cos beta`` integrate. The product of two functions of degree L has degree 2 L: for Gram matrices and
    transforms take ``l_max = 2 L``, for the coefficients of a square 3 L. One degree more is not exact.

    Args:
        l_max: the degree, from 0.
        dtype: of rotations and weights.

    Returns:
        ``(rotations, weights)``, (n, 3, 3) and (n,) with ``n = (l_max + 1)^2 (l_max // 2 + 1)``, alpha outermost, gamma
        fastest; the weights are positive and sum to 1. They are no logarithms, unlike those of the balls: a quadrature
        that is exact should not round twice.

    Raises:
        ValueError: l_max is not a whole number of at least 0, or so large that there are more than 20,000,000
            rotations.

    Example:
        >>> rotations, weights = so3_quadrature(2)
        >>> mean = jnp.einsum("n,nij,nkl->ijkl", weights, rotations, rotations)  # 1/3 where i = k and j = l
        >>> rotations.shape, abs(float(mean[0, 1, 0, 1]) - 1 / 3) < 1e-6, abs(float(mean[0, 1, 1, 0])) < 1e-6
        ((18, 3, 3), True, True)
    """
    l_max = whole(l_max, 0, "the degree of a quadrature")
    count = (l_max + 1) ** 2 * (l_max // 2 + 1)
    _not_too_many(count, f"so3_quadrature({l_max})", f"euler_quadrature({l_max})")
    alpha, beta, masses = _euler_quadrature(l_max)
    pairs = np.repeat(alpha, len(beta)), np.tile(beta, len(alpha))
    weights = np.repeat(np.tile(masses, len(alpha)), len(alpha)) / len(alpha) ** 2
    return _euler(*pairs, alpha, dtype), jnp.asarray(weights, dtype)
