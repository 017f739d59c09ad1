"""Polar, Cartan and Iwasawa decompositions of invertible matrices, and the Haar density in Cartan coordinates.

The exponential of GL+(n) is not onto; ``(X, Omega) -> exp(X) exp(Omega)`` is, X symmetric and Omega skew. Every matrix
A of positive determinant is ``P R`` with P symmetric positive and R a rotation, and ``(log P, log R)`` are its Cartan
coordinates, unique unless a rotation angle is pi. In them the Haar measure is
``d mu = prod_{i<j} sinh(x_i - x_j) / (x_i - x_j) dX dR``, with x the eigenvalues of ``X = log P``, dX Lebesgue measure
of the orthonormal coordinates of X, and dR Haar measure of mass 1.

- n = 2 is closed forms. As a map of the complex plane A is ``v -> z v + w conj(v)``; its singular values are
  ``|z| + |w|`` and ``det A / (|z| + |w|)``, R turns by ``arg z``. The determinant is computed without cancellation, so
  log P keeps its digits at any condition number that single precision can write down.
- n = 3 is Jacobi's method on the columns of A, n > 3 the singular value decomposition of LAPACK. Neither forms
  ``A A^T``, whose condition number is the square. Derivatives do not go through the decomposition and are right at
  repeated singular values, the identity included (``equiv.numerics``).

A matrix without such a decomposition (determinant not positive, or not finite) is an error in one sentence outside of
``jit`` and NaN inside, where values are not known; ``positive_determinant`` and ``positive_definite`` are the checks to
use there. Half precision is computed in float32.

Reference:
    Mironenco, Forre, Lie Group Decompositions for Equivariant Neural Networks, ICLR 2024 (arXiv 2310.11366).
    Helgason, Groups and Geometric Analysis, 1984, for the density.

Differs from the paper: its public code takes the eigendecomposition of ``A A^T``, which loses the rotation in float32
at condition number 1e3, and draws its samples without the density.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from equiv import numerics
from equiv.groups.base import Group
from equiv.groups.linear import so
from equiv.groups.matrices import gram_schmidt, skew_basis

__all__ = [
    "cartan_coordinates",
    "cartan_exp",
    "cartan_log",
    "from_cartan_coordinates",
    "iwasawa",
    "log_haar_density",
    "polar",
    "positive_definite",
    "positive_determinant",
    "spd_log",
    "spd_sqrt",
    "sym_exp",
]

_mul = functools.partial(jnp.matmul, precision="highest")


# --- what is taken and what is refused -----------------------------------------------------------------------------


def _square(a: Any, name: str) -> Array:
    """``a`` as an array of square matrices of floats, or the sentence what is wrong with it."""
    a = jnp.asarray(a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"{name} takes square matrices, shape (..., n, n), got shape {a.shape}")
    if a.shape[-1] < 2:
        raise ValueError(
            f"{name} takes matrices of size n of at least 2, got shape {a.shape}; use log or exp of numbers"
        )
    if not jnp.issubdtype(a.dtype, jnp.floating):
        raise TypeError(f"{name} takes floating-point matrices, got {a.dtype}; cast them")
    return a


def _refuse(fine: Array, a: Array, name: str, wanted: str, told: Callable[[np.ndarray], str]) -> None:
    """ValueError that names the first matrix that is not fine and tells about it; nothing where values are traced."""
    if isinstance(fine, jax.core.Tracer):
        return
    fine = np.asarray(fine)
    if fine.all():
        return
    first = np.unravel_index(int(np.argmin(fine)), fine.shape)
    matrix = np.asarray(a, np.float64)[first]
    which = "the matrix" if not first else f"the one at index {', '.join(map(str, first))}"
    seen = told(matrix) if np.isfinite(matrix).all() else "an entry that is not finite"
    raise ValueError(f"{name} needs {wanted}, but {which} has {seen}")


def _determinant_told(matrix: np.ndarray) -> str:
    return f"determinant {np.linalg.det(matrix):.6g}"


def _asymmetry(matrix: np.ndarray) -> str:
    away = np.abs(matrix - matrix.T).max()
    if away > _ASYMMETRIC * np.abs(matrix).max():
        return f"entries (i, j) and (j, i) that differ by {away:.6g}"
    return f"the smallest eigenvalue {np.linalg.eigvalsh((matrix + matrix.T) / 2).min():.6g}"


_ASYMMETRIC = 1e-3
"""How far from symmetric a matrix may be, relative to its largest entry; a mistake is farther, rounding nearer."""


@jax.jit
def _is_symmetric(s: Array) -> Array:
    size = jnp.max(jnp.abs(s), axis=(-2, -1))
    return jnp.max(jnp.abs(s - jnp.swapaxes(s, -1, -2)), axis=(-2, -1)) <= _ASYMMETRIC * size


def _computed(dtype: Any) -> Any:
    """The precision to compute in: the caller's, but float32 for half precision."""
    return dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32


def _kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled, computing in ``_computed`` and answering in the dtype of the arguments."""

    @functools.wraps(function)
    def wrapped(*arrays: Array) -> Any:
        dtype = jnp.result_type(*arrays)
        out = function(*(array.astype(_computed(dtype)) for array in arrays))
        return jax.tree.map(lambda leaf: leaf.astype(dtype) if leaf.dtype != bool else leaf, out)

    return jax.jit(wrapped)


@_kept
def _positive_determinant(a: Array) -> Array:
    n = a.shape[-1]
    finite = jnp.all(jnp.isfinite(a), axis=(-2, -1))
    a = jnp.where(finite[..., None, None], a, jnp.eye(n, dtype=a.dtype).reshape((1,) * (a.ndim - 2) + (n, n)))
    a = a / numerics.power_of_two(jnp.max(jnp.abs(a), axis=(-2, -1)))[..., None, None]
    if n == 2:
        found = numerics.difference_of_products(a[..., 0, 0], a[..., 1, 1], a[..., 0, 1], a[..., 1, 0])
    elif n == 3:
        pairs = [(1, 2), (2, 0), (0, 1)]
        minors = [
            numerics.difference_of_products(a[..., 1, i], a[..., 2, j], a[..., 1, j], a[..., 2, i]) for i, j in pairs
        ]
        found = sum(a[..., 0, k] * minor for k, minor in enumerate(minors))
    else:
        found = jnp.linalg.slogdet(a)[0]
    return finite & (found > 0)


def positive_determinant(a: Float[Array, "... n m"]) -> Bool[Array, "..."]:
    """Whether a matrix has a polar decomposition with a rotation: finite, of positive determinant.

    The check to use where values are traced: the functions of this module give NaN for matrices that fail it.

    Args:
        a: square matrices (..., n, n) with n of at least 2.

    Returns:
        One bool for each matrix.

    Raises:
        ValueError: not square, or n below 2.

    Example:
        >>> positive_determinant(jnp.stack([jnp.eye(2), jnp.diag(jnp.array([1.0, -1.0]))])).tolist()
        [True, False]
    """
    return _positive_determinant(_square(a, "positive_determinant"))


@_kept
def _positive_definite(s: Array) -> Array:
    finite = jnp.all(jnp.isfinite(s), axis=(-2, -1))
    if s.shape[-1] == 2:
        positive = _positive_determinant(s) & (s[..., 0, 0] + s[..., 1, 1] > 0)
    else:
        positive = jnp.min(numerics.eigh(s)[0], axis=-1) > 0
    return finite & positive & _is_symmetric(s)


def positive_definite(s: Float[Array, "... n m"]) -> Bool[Array, "..."]:
    """Whether a matrix is finite, symmetric (to 1e-3 of its largest entry) and has positive eigenvalues.

    Args:
        s: square matrices (..., n, n) with n of at least 2.

    Raises:
        ValueError: not square, or n below 2.

    Example:
        >>> positive_definite(jnp.stack([jnp.eye(2), -jnp.eye(2)])).tolist()
        [True, False]
    """
    return _positive_definite(_square(s, "positive_definite"))


def _flagged(fine: Array, out: Any) -> Any:
    """NaN where not fine; ``out`` is a pytree of arrays that begin with the axes of ``fine``."""
    return jax.tree.map(lambda x: jnp.where(fine.reshape(fine.shape + (1,) * (x.ndim - fine.ndim)), x, jnp.nan), out)


def _invertible(a: Any, name: str) -> Array:
    a = _square(a, name)
    if not isinstance(a, jax.core.Tracer):
        _refuse(_positive_determinant(a), a, name, "matrices of positive determinant", _determinant_told)
    return a


def _spd(s: Any, name: str) -> Array:
    s = _square(s, name)
    if not isinstance(s, jax.core.Tracer):
        _refuse(_positive_definite(s), s, name, "symmetric positive definite matrices", _asymmetry)
    return s


# --- 2 x 2 ---------------------------------------------------------------------------------------------------------


def _matrix(rows: list[list[Array]]) -> Array:
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def _complex_pair(a: Array) -> tuple[Array, Array, Array, Array, Array, Array]:
    """``v -> z v + w conj(v)`` after a division by a power of two: that power, z and w as pairs, the determinant."""
    unit = numerics.power_of_two(jnp.max(jnp.abs(a), axis=(-2, -1)))
    (a, b), (c, d) = [[a[..., i, j] / unit for j in range(2)] for i in range(2)]
    det = numerics.difference_of_products(a, d, b, c)
    return unit, (a + d) / 2, (c - b) / 2, (a - d) / 2, (c + b) / 2, det


def _planar_polar(a: Array) -> tuple[Array, Array]:
    unit, x, y, u, v, det = _complex_pair(a)
    size = jnp.sqrt(x**2 + y**2)
    cos, sin = x / size, y / size
    even, odd = u * cos - v * sin, u * sin + v * cos
    p = [[unit * (size + even), unit * odd], [unit * odd, unit * (size - even)]]
    fine = (det > 0) & jnp.isfinite(det)
    return _flagged(fine, (_matrix(p), _matrix([[cos, -sin], [sin, cos]])))


def _planar_log(unit: Array, x: Array, y: Array, u: Array, v: Array, det: Array) -> Array:
    """``log P``: ``log(det) / 2`` times the identity, plus ``artanh(|w| / |z|)`` along ``w z / (|w| |z|)``.

    ``artanh(|w| / |z|) = log1p(2 |w| (|z| + |w|) / det) / 2``, in which nothing cancels; near w = 0 it is a series in
    ``|w|^2``, which is smooth there.
    """
    square, turn = x**2 + y**2, u**2 + v**2
    size, q = jnp.sqrt(square), turn / square
    fine = (det > 0) & jnp.isfinite(det)
    small = q < 0.0625
    near = jnp.where(small, q, 0)
    series = jnp.ones_like(q) / 29
    for k in range(27, 0, -2):
        series = 1 / k + near * series
    far = jnp.sqrt(jnp.where(small, 1, turn))
    artanh = jnp.log1p(2 * far * (size + far) / jnp.where(fine, det, 1)) / 2
    factor = jnp.where(small, series, artanh * size / far) / (square * size)
    even, odd = factor * (u * x - v * y) * size, factor * (u * y + v * x) * size
    middle = jnp.log(jnp.where(fine, det, 1)) / 2 + jnp.log(unit)
    return _flagged(fine, _matrix([[middle + even, odd], [odd, middle - even]]))


def _planar_symmetric(s: Array) -> tuple[Array, ...]:
    first, last, odd = s[..., 0, 0], s[..., 1, 1], (s[..., 0, 1] + s[..., 1, 0]) / 2
    return _complex_pair(_matrix([[first, odd], [odd, last]]))


# --- functions of symmetric matrices -------------------------------------------------------------------------------


@_kept
def _spd_sqrt(s: Array) -> Array:
    if s.shape[-1] == 2:
        unit, x, _, _, v, det = _planar_symmetric(s)
        fine = (det > 0) & (x > 0) & jnp.isfinite(det)
        root = jnp.sqrt(jnp.where(fine, det, 1))
        scale = jnp.sqrt(unit / jnp.where(fine, 2 * (x + root), 1))
        first, last = s[..., 0, 0] / unit + root, s[..., 1, 1] / unit + root
        return _flagged(fine, scale[..., None, None] * _matrix([[first, v], [v, last]]))
    values, vectors = numerics.eigh(s)
    fine = jnp.min(values, axis=-1) > 0
    symmetric = (s + jnp.swapaxes(s, -1, -2)) / 2
    return _flagged(fine, numerics.spectral_sqrt(symmetric, vectors, jnp.where(fine[..., None], values, 1)))


def spd_sqrt(s: Float[Array, "... n m"]) -> Float[Array, "... n n"]:
    """The square root of a symmetric positive definite matrix.

    ``S^(1/2) = (S + sqrt(det S) 1) / sqrt(tr S + 2 sqrt(det S))`` for n = 2, ``U diag(sqrt(s)) U^T`` beyond.

    Args:
        s: symmetric positive definite matrices (..., n, n), n of at least 2.

    Returns:
        The symmetric positive definite square roots; derivatives of all orders are right at repeated eigenvalues. NaN
        inside ``jit`` where an eigenvalue is not positive (``positive_definite``).

    Raises:
        ValueError: not square, n below 2; outside ``jit`` also not finite, not symmetric, not positive definite.

    Example:
        >>> spd_sqrt(jnp.diag(jnp.array([4.0, 9.0]))).tolist()
        [[2.0, 0.0], [0.0, 3.0]]
    """
    return _spd_sqrt(_spd(s, "spd_sqrt"))


@_kept
def _spd_log(s: Array) -> Array:
    if s.shape[-1] == 2:
        parts = _planar_symmetric(s)
        return _flagged(parts[1] > 0, _planar_log(*parts))
    values, vectors = numerics.eigh(s)
    fine = jnp.min(values, axis=-1) > 0
    symmetric = (s + jnp.swapaxes(s, -1, -2)) / 2
    return _flagged(fine, numerics.spectral_log(symmetric, vectors, jnp.where(fine[..., None], values, 1)))


def spd_log(s: Float[Array, "... n m"]) -> Float[Array, "... n n"]:
    """The symmetric logarithm of a symmetric positive definite matrix.

    Args:
        s: symmetric positive definite matrices (..., n, n), n of at least 2.

    Returns:
        The logarithms; derivatives of all orders are right at repeated eigenvalues. NaN inside ``jit`` where an
        eigenvalue is not positive (``positive_definite``).

    Raises:
        ValueError: not square, n below 2; outside ``jit`` also not finite, not symmetric, not positive definite.

    Example:
        >>> spd_log(jnp.exp(1.0) * jnp.eye(2)).round(6).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    return _spd_log(_spd(s, "spd_log"))


@_kept
def _sym_exp(x: Array) -> Array:
    if x.shape[-1] == 2:
        middle, even = (x[..., 0, 0] + x[..., 1, 1]) / 2, (x[..., 0, 0] - x[..., 1, 1]) / 2
        odd = (x[..., 0, 1] + x[..., 1, 0]) / 2
        t = even**2 + odd**2
        scale, slope = jnp.exp(middle), numerics.sinhc(t)
        flat = 1 + t * numerics.sinhc(t / 4) ** 2 / 2
        rows = [[flat + slope * even, slope * odd], [slope * odd, flat - slope * even]]
        return scale[..., None, None] * _matrix(rows)
    values, vectors = numerics.eigh(x)
    return numerics.spectral_exp((x + jnp.swapaxes(x, -1, -2)) / 2, vectors, values)


def sym_exp(x: Float[Array, "... n m"]) -> Float[Array, "... n n"]:
    """The exponential of a symmetric matrix, symmetric positive definite.

    ``e^a (cosh(r) 1 + sinh(r) / r X_0)`` for n = 2, with ``a = tr X / 2``, X_0 the traceless part, ``r^2 = -det X_0``;
    ``U diag(exp(x)) U^T`` beyond.

    Args:
        x: symmetric matrices (..., n, n), n of at least 2; of another one the symmetric part is taken.

    Returns:
        The exponentials; derivatives of all orders are right at repeated eigenvalues.

    Raises:
        ValueError: not square, n below 2; outside ``jit`` also not finite.

    Example:
        >>> sym_exp(jnp.zeros((2, 2))).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    x = _square(x, "sym_exp")
    _refuse_infinite(x, "sym_exp")
    return _sym_exp(x)


def _refuse_infinite(x: Array, name: str) -> None:
    if not isinstance(x, jax.core.Tracer):
        _refuse(jnp.all(jnp.isfinite(x), axis=(-2, -1)), x, name, "finite matrices", lambda matrix: "finite entries")


# --- polar and Cartan ----------------------------------------------------------------------------------------------


def _screened(a: Array) -> tuple[Array, Array]:
    """Whether the matrices are in GL+(n), and the matrices: an entry is NaN where not for n = 3, the identity beyond.

    Jacobi's loop makes every result NaN of one NaN, and a check of many results costs more than one of what goes in.
    """
    fine = _positive_determinant(a)
    if a.shape[-1] == 3:
        return jnp.ones_like(fine), a.at[..., 0, 0].set(jnp.where(fine, a[..., 0, 0], jnp.nan))
    return fine, jnp.where(fine[..., None, None], a, jnp.broadcast_to(jnp.eye(a.shape[-1], dtype=a.dtype), a.shape))


@_kept
def _polar(a: Array) -> tuple[Array, Array]:
    if a.shape[-1] == 2:
        return _planar_polar(a)
    fine, a = _screened(a)
    return _flagged(fine, numerics.polar_factors(a, *numerics.svd(a)))


def polar(a: Float[Array, "... n m"]) -> tuple[Float[Array, "... n n"], Float[Array, "... n n"]]:
    """The polar decomposition ``A = P R``: P symmetric positive definite, R a rotation.

    Args:
        a: matrices (..., n, n) of positive determinant, n of at least 2.

    Returns:
        P and R. NaN inside ``jit`` where the determinant is not positive (``positive_determinant``).

    Raises:
        ValueError: not square, n below 2; outside ``jit`` also not finite, determinant not positive.

    Example:
        >>> p, r = polar(jnp.array([[0.0, -2.0], [2.0, 0.0]]))
        >>> p.tolist(), r.tolist()
        ([[2.0, 0.0], [0.0, 2.0]], [[0.0, -1.0], [1.0, 0.0]])
    """
    return _polar(_invertible(a, "polar"))


def _skew(omega: Array) -> Array:
    """Skew matrices from their coordinates, those of ``so(n)``."""
    n = round((1 + (1 + 8 * omega.shape[-1]) ** 0.5) / 2)
    return jnp.einsum("...k,kij->...ij", omega, jnp.asarray(skew_basis(n), omega.dtype))


def _angles(omega: Array) -> Array:
    """The coordinates of the skew part of matrices, those of ``so(n)``."""
    return jnp.einsum("...ij,kij->...k", omega, jnp.asarray(skew_basis(omega.shape[-1]) / 2, omega.dtype))


@_kept
def _cartan(a: Array) -> tuple[Array, Array]:
    """``log P`` and the coordinates of ``log R``."""
    if a.shape[-1] == 2:
        parts = _complex_pair(a)
        fine = (parts[-1] > 0) & jnp.isfinite(parts[-1])
        return _planar_log(*parts), _flagged(fine, jnp.arctan2(parts[2], parts[1])[..., None])
    fine, a = _screened(a)
    u, s, v = numerics.svd(a)
    p, r = numerics.polar_factors(a, u, s, v)
    angles = so(3).log(r) if a.shape[-1] == 3 else _angles(numerics.rotation_log(r))
    return _flagged(fine, (numerics.spectral_log(p, u, s), angles))


def cartan_log(a: Float[Array, "... n m"]) -> tuple[Float[Array, "... n n"], Float[Array, "... n n"]]:
    """The Cartan logarithm: ``A = exp(X) exp(Omega)`` with ``X = log P`` symmetric and ``Omega = log R`` skew.

    Args:
        a: matrices (..., n, n) of positive determinant, n of at least 2.

    Returns:
        X and Omega. Omega is the principal logarithm, rotation angles up to pi. At pi itself, where it is not unique,
        it is one of the two for n = 2 and n = 3 and NaN for n > 3. NaN inside ``jit`` where the determinant is not
        positive (``positive_determinant``).

    Raises:
        ValueError: not square, n below 2; outside ``jit`` also not finite, determinant not positive.

    Example:
        >>> x, omega = cartan_log(jnp.array([[-2.0, 0.0], [0.0, -0.5]]))  # exp alone does not reach this one
        >>> jnp.exp(jnp.diagonal(x)).round(5).tolist(), (omega / jnp.pi).tolist()
        ([2.0, 0.5], [[0.0, -1.0], [1.0, 0.0]])
    """
    x, angles = _cartan(_invertible(a, "cartan_log"))
    return x, _skew(angles)


@_kept
def _cartan_exp(x: Array, angles: Array) -> Array:
    if x.shape[-1] == 2:
        cos, sin = jnp.cos(angles[..., 0]), jnp.sin(angles[..., 0])
        rotation = _matrix([[cos, -sin], [sin, cos]])
    else:
        rotation = so(x.shape[-1]).exp(angles)
    return _mul(_sym_exp(x), rotation)


def cartan_exp(x: Float[Array, "... n m"], omega: Float[Array, "... k l"]) -> Float[Array, "... n n"]:
    """``exp(X) exp(Omega)``, of positive determinant; onto, and inverse to ``cartan_log`` for angles below pi.

    Args:
        x: symmetric matrices (..., n, n), n of at least 2; of another one the symmetric part is taken.
        omega: skew matrices; of another one the skew part is taken. Batch axes broadcast.

    Raises:
        ValueError: not square, n below 2, two sizes; outside ``jit`` also not finite.

    Example:
        >>> cartan_exp(jnp.zeros((2, 2)), jnp.array([[0.0, -jnp.pi], [jnp.pi, 0.0]])).round(6).tolist()
        [[-1.0, 0.0], [-0.0, -1.0]]
    """
    x, omega = _square(x, "cartan_exp"), _square(omega, "cartan_exp")
    if x.shape[-1] != omega.shape[-1]:
        raise ValueError(f"cartan_exp takes two matrices of one size, got {x.shape} and {omega.shape}")
    _refuse_infinite(x, "cartan_exp")
    _refuse_infinite(omega, "cartan_exp")
    return _cartan_exp(x, _angles(omega))


# --- coordinates ---------------------------------------------------------------------------------------------------


@functools.cache
def _symmetric_basis(family: str, n: int) -> np.ndarray:
    """Orthonormal symmetric matrices, (k, n, n): none for so, traceless for sl."""
    e = np.eye(n * n).reshape(n, n, n, n)
    pairs = lambda i: [(e[i, j] + e[j, i]) / 2**0.5 for j in range(i + 1, n)]
    if family == "so":
        basis = []
    elif family == "sl":
        basis = [np.diag([1.0] * k + [-k] + [0.0] * (n - 1 - k)) / (k * (k + 1)) ** 0.5 for k in range(1, n)]
        basis += [matrix for i in range(n) for matrix in pairs(i)]
    else:
        basis = [matrix for i in range(n) for matrix in [e[i, i], *pairs(i)]]
    return np.array(basis).reshape(-1, n, n)


def _family(group: Group, name: str) -> tuple[str, int]:
    family = group.spec[0]
    if family not in ("gl_plus", "sl", "so") or group.spec[1] < 2:
        raise ValueError(f"{name} knows gl_plus(n), sl(n) and so(n) for n of at least 2, got {group}")
    return family, group.spec[1]


@functools.partial(jax.jit, static_argnums=0)
def _coordinates(family: str, a: Array) -> Array:
    x, angles = _cartan(a)
    basis = _symmetric_basis(family, a.shape[-1])
    if a.shape[-1] == 2:  # entry by entry: sums over mostly zeros cost more than all the rest
        root = jnp.asarray(2**0.5, x.dtype)
        first, odd, last = x[..., 0, 0], root * x[..., 0, 1], x[..., 1, 1]
        parts = {"gl_plus": [first, odd, last], "sl": [(first - last) / root, odd], "so": []}[family]
        return jnp.stack([*parts, angles[..., 0]], axis=-1)
    along = jnp.einsum("...ij,kij->...k", x, jnp.asarray(basis, x.dtype), precision="highest")
    return jnp.concatenate([along, angles], axis=-1)


def cartan_coordinates(group: Group, a: Float[Array, "... n m"]) -> Float[Array, "... d"]:
    """The Cartan coordinates of elements of GL+(n), SL(n) or SO(n): those of log P, then the angles of log R.

    Those of log P are orthonormal, ``sum c_k^2 = tr X^2``. For GL+(n) they are its upper triangle row by row, the
    entries off the diagonal times sqrt 2. For SL(n) they are its products with
    ``diag(1, ..., 1, -k, 0, ..., 0) / sqrt(k (k + 1))``, k = 1 ... n - 1, then the entries above the diagonal, row by
    row, times sqrt 2. The angles are the coordinates of ``so(n)``. In two dimensions:
    ``(X11, sqrt2 X12, X22, angle)`` and ``(sqrt2 X11, sqrt2 X12, angle)``.

    Args:
        group: ``gl_plus(n)``, ``sl(n)`` or ``so(n)``, n of at least 2.
        a: matrices of positive determinant. Of one outside the group, the coordinates are those of its part inside:
            ``A / det(A)^(1/n)`` for SL(n), R for SO(n).

    Returns:
        (..., group.dim).

    Raises:
        ValueError: another group; matrices that ``cartan_log`` refuses, or of another size.

    Example:
        >>> from equiv.groups import gl_plus
        >>> cartan_coordinates(gl_plus(2), jnp.exp(1.0) * jnp.eye(2)).round(5).tolist()
        [1.0, 0.0, 1.0, 0.0]
    """
    family, n = _family(group, "cartan_coordinates")
    a = _invertible(a, "cartan_coordinates")
    if a.shape[-1] != n:
        raise ValueError(f"the elements of {group} are {n} x {n}, got matrices of shape {a.shape}")
    return _coordinates(family, a)


def from_cartan_coordinates(group: Group, c: Float[Array, "... d"]) -> Float[Array, "... n n"]:
    """The group element with these Cartan coordinates: ``exp(X) exp(Omega)``.

    Args:
        group: ``gl_plus(n)``, ``sl(n)`` or ``so(n)``, n of at least 2.
        c: (..., group.dim), as ``cartan_coordinates`` gives them; angles may be any.

    Raises:
        ValueError: another group; another number of coordinates.

    Example:
        >>> from equiv.groups import sl
        >>> from_cartan_coordinates(sl(2), jnp.zeros(3)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    family, n = _family(group, "from_cartan_coordinates")
    c = jnp.asarray(c)
    if c.ndim < 1 or c.shape[-1] != group.dim:
        raise ValueError(f"{group} has {group.dim} coordinates on the last axis, got shape {c.shape}")
    basis = _symmetric_basis(family, n)
    x = jnp.einsum("...k,kij->...ij", c[..., : len(basis)], jnp.asarray(basis, c.dtype), precision="highest")
    return _cartan_exp(x, c[..., len(basis) :])


# --- Iwasawa -------------------------------------------------------------------------------------------------------


@_kept
def _iwasawa(a: Array) -> tuple[Array, Array, Array]:
    n = a.shape[-1]
    fine = _positive_determinant(a)
    eye = jnp.eye(n, dtype=a.dtype).reshape((1,) * (a.ndim - 2) + (n, n))
    unit = numerics.power_of_two(jnp.max(jnp.abs(a), axis=(-2, -1)))[..., None]
    a = jnp.where(fine[..., None, None], a / unit[..., None], eye)
    k = gram_schmidt(a)
    upper = _mul(jnp.swapaxes(k, -1, -2), a)
    d = jnp.diagonal(upper, axis1=-2, axis2=-1)
    above = jnp.asarray(np.triu(np.ones((n, n), bool), 1)).reshape(eye.shape)
    return _flagged(fine, (k, d * unit, jnp.where(above, upper / d[..., :, None], eye)))


def iwasawa(
    a: Float[Array, "... n m"],
) -> tuple[Float[Array, "... n n"], Float[Array, "... n"], Float[Array, "... n n"]]:
    """The Iwasawa decomposition ``A = K diag(d) U``: a rotation, positive numbers, a unit upper triangular matrix.

    Args:
        a: matrices (..., n, n) of positive determinant, n of at least 2.

    Returns:
        K, d, U. NaN inside ``jit`` where the determinant is not positive (``positive_determinant``).

    Raises:
        ValueError: not square, n below 2; outside ``jit`` also not finite, determinant not positive.

    Example:
        >>> k, d, u = iwasawa(jnp.array([[0.0, -1.0], [2.0, 4.0]]))
        >>> k.tolist(), d.tolist(), u.tolist()
        ([[0.0, -1.0], [1.0, 0.0]], [2.0, 1.0], [[1.0, 2.0], [0.0, 1.0]])
    """
    return _iwasawa(_invertible(a, "iwasawa"))


# --- Haar density --------------------------------------------------------------------------------------------------


def _pair_sum(values: Array) -> Array:
    """``sum_{i<j} log(sinh(x_i - x_j) / (x_i - x_j))``."""
    n = values.shape[-1]
    above = jnp.asarray(np.triu(np.ones((n, n), bool), 1)).reshape((1,) * (values.ndim - 1) + (n, n))
    differences = values[..., :, None] - values[..., None, :]
    return jnp.sum(jnp.where(above, numerics.log_sinhc(differences**2), 0), axis=(-2, -1))


def _pair_sum_of_matrix(x: Array) -> Array:
    """The same from the matrix, ``log det(sinhc(ad_X)) / 2``, without eigenvalues: for derivatives of second order on.

    ``ad_X`` has the eigenvalues ``x_i - x_j``; ``sinhc(2 A) = sinhc(A) cosh(A)`` eight times, from a Taylor series.
    """
    n, doublings = x.shape[-1], 8
    eye = jnp.eye(n, dtype=x.dtype)
    ad = jnp.einsum("...ik,jl->...ijkl", x, eye) - jnp.einsum("...lj,ik->...ijkl", x, eye)
    ad = ad.reshape(*x.shape[:-2], n * n, n * n) / 2**doublings
    one = jnp.broadcast_to(jnp.eye(n * n, dtype=x.dtype), ad.shape)
    square = _mul(ad, ad)
    quotient, above = one, one  # sinhc, and (cosh - 1) / (A^2 / 2)
    for k in range(7, 0, -1):
        quotient = one + _mul(square, quotient) / (2 * k * (2 * k + 1))
        above = one + _mul(square, above) / ((2 * k + 1) * (2 * k + 2))
    above, found = _mul(square, above) / 2, jnp.linalg.slogdet(quotient)[1]
    for _ in range(doublings):
        found = found + jnp.linalg.slogdet(one + above)[1]
        above = 4 * above + 2 * _mul(above, above)
    return found / 2


@jax.custom_jvp
def _log_density(x: Array, values: Array, vectors: Array) -> Array:
    return _pair_sum(values)


@_log_density.defjvp
def _log_density_slope(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    (x, values, vectors), (dx, _, _) = primals, tangents
    slope = _density_gradient(x, values, vectors)
    return _log_density(x, values, vectors), jnp.sum(slope * dx, axis=(-2, -1))


@jax.custom_jvp
def _density_gradient(x: Array, values: Array, vectors: Array) -> Array:
    """``U diag(h) U^T`` with h the gradient in the eigenvalues."""
    h = jax.grad(lambda x: jnp.sum(_pair_sum(x)))(values)
    return _mul(vectors * h[..., None, :], jnp.swapaxes(vectors, -1, -2))


@_density_gradient.defjvp
def _density_curvature(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    (x, values, vectors), (dx, _, _) = primals, tangents
    gradient = jax.grad(lambda x: jnp.sum(_pair_sum_of_matrix(x)))
    return _density_gradient(x, values, vectors), jax.jvp(gradient, (x,), (dx,))[1]


@_kept
def _log_haar_density(x: Array) -> Array:
    if x.shape[-1] == 2:
        even, odd = x[..., 0, 0] - x[..., 1, 1], x[..., 0, 1] + x[..., 1, 0]
        return numerics.log_sinhc(even**2 + odd**2)
    values, vectors = numerics.eigh(x)
    return _log_density((x + jnp.swapaxes(x, -1, -2)) / 2, values, vectors)


def log_haar_density(x: Float[Array, "... n m"]) -> Float[Array, "..."]:
    """The logarithm of the Haar density of GL+(n) or SL(n) in Cartan coordinates, ``A = exp(X) R``.

    ``sum_{i<j} log(sinh(x_i - x_j) / (x_i - x_j))`` with x the eigenvalues of X: ``d mu = exp(that) dX dR``, where dX
    is Lebesgue measure of the orthonormal coordinates of X (of the traceless X for SL(n)), dR Haar measure of mass 1.
    This measure is invariant from both sides and under inversion. In terms of ``Y = log(A A^T) = 2 X`` the same density
    has ``(y_i - y_j) / 2`` in place of ``x_i - x_j``.

    Args:
        x: symmetric matrices (..., n, n), n of at least 2; of another one the symmetric part is taken.

    Returns:
        One number for each matrix, 0 at multiples of the identity and positive elsewhere.

    Raises:
        ValueError: not square, n below 2; outside ``jit`` also not finite.

    Example:
        >>> round(float(jnp.exp(log_haar_density(jnp.diag(jnp.array([1.0, 0.0]))))), 4)  # sinh(1)
        1.1752

    Reference:
        Helgason, Groups and Geometric Analysis, 1984, chapter I, theorem 5.8 (recalled), for the product of sinh.
    """
    x = _square(x, "log_haar_density")
    _refuse_infinite(x, "log_haar_density")
    return _log_haar_density(x)
