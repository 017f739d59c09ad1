"""The classical matrix groups besides the rotations: symplectic, unitary, Lorentz, linear, and scalings.

Everything is real: a complex vector z is ``(Re z, Im z)`` and a complex matrix A + iB is ``[[A, -B], [B, A]]``. A
family is its Lie algebra, its discrete generators and its sampler; ``equiv.groups.matrices`` makes the record.

The unitary groups are compact and drawn by Haar measure of mass 1. The others are not: a draw is ``k exp(s)``, with k
in the maximal compact subgroup by Haar measure and a Gaussian symmetric matrix s of the Lie algebra with
``E tr(s s) / 2 = 1/4``. In SO+(1,3) that is a rotation after a boost of rapidity about 1/2. The law has every element
in its support, and it is moderate because rounding grows with the square of what stretches.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from equiv.groups.base import Element, Group
from equiv.groups.finite import whole
from equiv.groups.linear import so
from equiv.groups.matrices import (
    blocks,
    closure,
    determinant,
    gram_schmidt,
    matrix_group,
    polar,
    polished,
    skew_basis,
    uniform,
)

__all__ = ["gl_plus", "lorentz", "scaling", "sl", "sp", "su", "u"]


def _units(n: int) -> np.ndarray:
    """The elementary matrices E_ij, at [i, j]."""
    return np.eye(n * n).reshape(n, n, n, n)


def metric(p: int, q: int) -> np.ndarray:
    """``eta = diag(1, ..., 1, -1, ..., -1)``, p ones and q minus ones."""
    return np.diag([1.0] * p + [-1.0] * q)


def symplectic_form(n: int) -> np.ndarray:
    """``J = [[0, 1], [-1, 0]]`` in blocks of n / 2."""
    return np.kron([[0.0, 1.0], [-1.0, 0.0]], np.eye(n // 2))


@functools.cache
def sp(n: int) -> Group:
    """The real symplectic group Sp(n): the matrices with ``g^T J g = J``, ``J = [[0, 1], [-1, 0]]`` in blocks.

    These are the linear canonical transformations of n / 2 positions followed by n / 2 momenta. The Lie algebra
    consists of ``[[A, B], [C, -A^T]]`` with symmetric B and C; its coordinates are the entries of A row by row, then
    the upper triangles of B and of C, row by row. Dimension n (n + 1) / 2.

    Args:
        n: dimension of the space, even.

    Raises:
        ValueError: ``n`` is not an even whole number of at least 2.

    Example:
        >>> sp(4).dim, sp(2).exp(jnp.array([0.0, 1.0, 0.0])).tolist()
        (10, [[1.0, 1.0], [0.0, 1.0]])
    """
    n = whole(n, 2, "the dimension of sp")
    if n % 2:
        raise ValueError(f"the dimension of sp has to be even, positions and momenta, got {n}")
    m = n // 2
    e, zero = _units(m), np.zeros((m, m))
    pairs = [(i, j) for i in range(m) for j in range(i, m)]
    even = [e[i, j] if i == j else e[i, j] + e[j, i] for i, j in pairs]
    lie = [np.block([[a, zero], [zero, -a.T]]) for a in e.reshape(-1, m, m)]
    lie += [np.block([[zero, b], [zero, zero]]) for b in even] + [np.block([[zero, zero], [c, zero]]) for c in even]
    lie = np.stack(lie)
    return matrix_group(
        spec=("sp", n),
        name=f"Sp({n})",
        lie=lie,
        steps=np.zeros((0, n, n)),
        sample=polar(lie, functools.partial(_haar_unitary, m, False), symplectic_form(n)),
        form=symplectic_form(n),
    )


def _haar_unitary(n: int, special: bool, key: jax.Array, shape: tuple = (), dtype: Any = float) -> Element:
    """Haar measure on U(n): QR of a complex Gaussian matrix, the diagonal of R positive (Mezzadri 2007).

    Special: the determinant is divided out of the first column, which leaves the law invariant from the left.
    """
    k_real, k_imaginary = jax.random.split(key)
    real, imaginary = (jax.random.normal(k, (*tuple(shape), n, n), dtype) for k in (k_real, k_imaginary))
    q = gram_schmidt(jax.lax.complex(real, imaginary))
    if special:
        q = q.at[..., 0].multiply(jnp.conj(jnp.sign(determinant(q)))[..., None])
    real, imaginary = jnp.real(q), jnp.imag(q)
    top, bottom = jnp.concatenate([real, -imaginary], axis=-1), jnp.concatenate([imaginary, real], axis=-1)
    return polished(jnp.concatenate([top, bottom], axis=-2))


def _unitary_basis(n: int, special: bool) -> np.ndarray:
    """Skew-Hermitian matrices, orthonormal for ``-tr(A B)``: diagonal ones, then rotation and phase of each pair."""
    e, zero = _units(n), np.zeros((n, n))
    if special:
        diagonal = [np.diag([1.0] * k + [-k] + [0.0] * (n - 1 - k)) / (k * (k + 1)) ** 0.5 for k in range(1, n)]
    else:
        diagonal = [e[i, i] for i in range(n)]
    parts = [(zero, d) for d in diagonal]
    for i in range(n):
        for j in range(i + 1, n):
            parts += [((e[j, i] - e[i, j]) / 2**0.5, zero), (zero, (e[i, j] + e[j, i]) / 2**0.5)]
    return np.array([np.block([[a, -b], [b, a]]) for a, b in parts]).reshape(-1, 2 * n, 2 * n)


@functools.cache
def u(n: int) -> Group:
    """The unitary group U(n) as real 2n x 2n matrices ``[[Re, -Im], [Im, Re]]``, acting on ``(Re z, Im z)``.

    The algebra coordinates are orthonormal: ``|x|^2`` is the sum of the squared angles of the eigenvalues. The order is
    ``i E_jj``, then ``(E_kj - E_jk) / sqrt 2`` and ``i (E_jk + E_kj) / sqrt 2`` for each pair j < k. Dimension n^2.

    Args:
        n: complex dimension, at least 1.

    Returns:
        The group; ``sample`` is Haar measure, ``log`` needs angles below pi.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1.

    Example:
        >>> u(1).exp(jnp.array([jnp.pi / 2])).round(6).tolist()
        [[-0.0, -1.0], [1.0, -0.0]]

    Reference:
        Mezzadri, Notices of the AMS 54 (2007), for the sampler.
    """
    return _unitary(whole(n, 1, "the complex dimension of u"), special=False)


@functools.cache
def su(n: int) -> Group:
    """The special unitary group SU(n), determinant 1, as real 2n x 2n matrices ``[[Re, -Im], [Im, Re]]``.

    The algebra coordinates are orthonormal as those of ``u``; the diagonal ones are
    ``i diag(1, ..., 1, -k, 0, ..., 0) / sqrt(k (k + 1))``, k = 1 ... n - 1. Dimension n^2 - 1.

    Args:
        n: complex dimension, at least 1.

    Returns:
        The group; ``sample`` is Haar measure, ``log`` needs angles below pi.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1.

    Example:
        >>> su(2).dim, su(3).dim
        (3, 8)
    """
    return _unitary(whole(n, 1, "the complex dimension of su"), special=True)


def _unitary(n: int, special: bool) -> Group:
    return matrix_group(
        spec=("su" if special else "u", n),
        name=f"{'SU' if special else 'U'}({n})",
        lie=_unitary_basis(n, special),
        steps=np.zeros((0, 2 * n, 2 * n)),
        sample=functools.partial(_haar_unitary, n, special),
        form=np.eye(2 * n),
        listed=np.eye(2)[None] if special and n == 1 else None,
    )


_COMPONENTS = {"identity": "SO+", "special": "SO", "orthochronous": "O+", "full": "O"}


@functools.cache
def lorentz(p: int, q: int, component: str = "identity") -> Group:
    """The Lorentz group of p times and q space dimensions, or its subgroups: ``g^T eta g = eta``.

    ``eta = diag(1, ..., 1, -1, ..., -1)``, p ones first. The components:

    - "identity": SO+(p, q), connected.
    - "special": SO(p, q), determinant 1; a generator flips the first and the last coordinate.
    - "orthochronous": O+(p, q), keeps the orientation of the first p coordinates; a generator flips the last one.
    - "full": O(p, q); generators flip the first coordinate, and the last one.

    The algebra coordinates are the rotations of the first p coordinates, then those of the last q, both as in ``so``,
    then the boosts of each pair (i, p + j), row by row, in rapidities.

    Args:
        p: how many coordinates count positive, at least 1.
        q: how many count negative, at least 1.
        component: "identity", "special", "orthochronous" or "full".

    Raises:
        ValueError: ``p`` or ``q`` is not a whole number of at least 1 (the definite case is ``so`` or ``o``); another
            component.

    Example:
        >>> print(lorentz(1, 3), lorentz(1, 3).dim)
        SO+(1,3) 6
        >>> (100 * lorentz(1, 1).exp(jnp.log(jnp.array([2.0])))).round().tolist()
        [[125.0, 75.0], [75.0, 125.0]]
    """
    for sign, size in (("positive", p), ("negative", q)):
        if isinstance(size, int | np.integer) and not isinstance(size, bool) and size == 0:
            raise ValueError(f"lorentz needs coordinates of both signs, got no {sign} one; use so or o")
    p = whole(p, 1, "the number of positive coordinates of lorentz")
    q = whole(q, 1, "the number of negative coordinates of lorentz")
    if component not in _COMPONENTS:
        raise ValueError(f"lorentz knows the components {', '.join(_COMPONENTS)}; got {component!r}")
    n, e = p + q, _units(p + q)
    lie = np.concatenate(
        [
            np.pad(skew_basis(p), [(0, 0), (0, q), (0, q)]),
            np.pad(skew_basis(q), [(0, 0), (p, 0), (p, 0)]),
            np.array([e[i, j] + e[j, i] for i in range(p) for j in range(p, n)]),
        ]
    )
    first, last = np.diag([-1.0] + [1.0] * (n - 1)), np.diag([1.0] * (n - 1) + [-1.0])
    steps = {"identity": [], "special": [first @ last], "orthochronous": [last], "full": [first, last]}[component]
    steps = np.array(steps).reshape(-1, n, n)
    component_of = uniform(closure(steps, 4, orthogonal=True))

    def compact(key: jax.Array, shape: tuple, dtype: Any) -> Element:
        k_step, k_first, k_last = jax.random.split(key, 3)
        rotation = blocks(so(p).sample(k_first, shape, dtype), so(q).sample(k_last, shape, dtype))
        return component_of(k_step, shape, dtype) @ rotation

    return matrix_group(
        spec=("lorentz", p, q, component),
        name=f"{_COMPONENTS[component]}({p},{q})",
        lie=lie,
        steps=steps,
        sample=polar(lie, compact, metric(p, q)),
        form=metric(p, q),
    )


@functools.cache
def sl(n: int) -> Group:
    """The special linear group SL(n): determinant 1, volumes are kept. Dimension n^2 - 1.

    The algebra coordinates are the entries off the diagonal, row by row, then the n - 1 multiples of
    ``E_kk - E_(k+1)(k+1)``. ``exp`` is not onto, ``log`` is NaN outside its range, ``sample`` covers the group.

    Args:
        n: dimension of the space, at least 1.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1.

    Example:
        >>> sl(2).exp(jnp.array([1.0, 0.0, 0.0])).tolist()
        [[1.0, 1.0], [0.0, 1.0]]
    """
    n = whole(n, 1, "the dimension of sl")
    e = _units(n)
    lie = [e[i, j] for i in range(n) for j in range(n) if i != j] + [e[k, k] - e[k + 1, k + 1] for k in range(n - 1)]
    lie = np.array(lie).reshape(-1, n, n)
    return matrix_group(
        spec=("sl", n),
        name=f"SL({n})",
        lie=lie,
        steps=np.zeros((0, n, n)),
        sample=polar(lie, so(n).sample),
        listed=np.ones((1, 1, 1)) if n == 1 else None,
    )


@functools.cache
def gl_plus(n: int) -> Group:
    """The invertible matrices of positive determinant, GL+(n); they keep the orientation. Dimension n^2.

    The algebra coordinates are the entries of a matrix, row by row. ``exp`` is not onto, ``log`` is NaN outside its
    range, ``sample`` covers the group.

    Args:
        n: dimension of the space, at least 1.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1.

    Example:
        >>> gl_plus(1).exp(jnp.array([0.0])).tolist()
        [[1.0]]
    """
    n = whole(n, 1, "the dimension of gl_plus")
    lie = _units(n).reshape(-1, n, n)
    return matrix_group(
        spec=("gl_plus", n),
        name=f"GL+({n})",
        lie=lie,
        steps=np.zeros((0, n, n)),
        sample=polar(lie, so(n).sample),
    )


@functools.cache
def scaling(n: int) -> Group:
    """The positive multiples of the identity of R^n; the coordinate is the logarithm of the factor. Dimension 1.

    Args:
        n: dimension of the space, at least 1.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1.

    Example:
        >>> scaling(2).exp(jnp.log(jnp.array([3.0]))).round(5).tolist()
        [[3.0, 0.0], [0.0, 3.0]]
    """
    n = whole(n, 1, "the dimension of scaling")
    lie = np.eye(n)[None]

    def nothing(key: jax.Array, shape: tuple, dtype: Any) -> Element:
        return jnp.broadcast_to(jnp.eye(n, dtype=dtype), (*shape, n, n))

    return matrix_group(
        spec=("scaling", n),
        name=f"scaling({n})",
        lie=lie,
        steps=np.zeros((0, n, n)),
        sample=polar(lie, nothing),
    )
