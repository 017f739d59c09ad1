"""The irreducible representations of SO(2), O(2), SO(3) and O(3), and Wigner's D matrices.

This is the only file that knows e3nn's order and axes. A vector of degree l has 2l + 1 components m = -l ... l, at the
places l + m. **y is the polar axis**: ``n(alpha, beta) = (sin b sin a, cos b, sin b cos a)``, the component l + m goes
with ``cos(m alpha)`` and l - m with ``sin(m alpha)``, all of one size ("component" normalisation: D is orthogonal).
Degree 1 is (x, y, z), so ``D^1(R) = R`` and no change of basis is needed anywhere.

D is computed from the matrix of the rotation by the recursion of Ivanic and Ruedenberg: the entries of D^l are sums of
products of the entries of R and of D^(l-1). There are no angles, hence no poles, no ``atan2`` and no half turns to take
care of. Up to l = 12 the entries were found right to 2e-15 in float64 and 6e-7 in float32, at the poles, too.

- **Derivatives** are along the rotations: ``dD = D d rho(omega)``, with ``omega`` the skew part of ``R^T dR``; the rest
  does not count. They are right at the identity, too, and of any order.
- **Layout.** The recursion runs with the entries first and the batch last, where it is two to three times as fast as
  with the batch first; ``wigner_blocks`` gives out that layout on request. A barrier after each degree keeps the
  compiler from writing all entries of degree l - 1 into each of degree l, again and again.
- **Turns about the polar axis** act on the components (l + m, l - m) by the angle m t. So D^l, restricted to them, is
  ``rho_0 + rho_1 + ... + rho_l`` after a permutation, ``branching(l)``.

A rotation is a matrix (..., 3, 3), a unit quaternion (..., 4) with its real part first, or a tuple of three Euler
angles, ``R_y(alpha) R_x(beta) R_y(gamma)``, in radians. What is none is an error in one sentence outside of ``jit``
and NaN inside, where values are not known; ``is_rotation`` is the check to use there. Half precision is computed in
float32.

Reference:
    Ivanic, Ruedenberg, J. Phys. Chem. 100 (1996) 6342, with the correction in 102 (1998) 9099. (Recalled; the recursion
    as it stands here is checked against Wigner's sum.)
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from equiv.groups import Group, Homomorphism, embed, inclusion, o, so
from equiv.groups.base import Element, intern
from equiv.groups.finite import whole
from equiv.reps.base import Rep, scalar, standard

__all__ = [
    "branching",
    "is_rotation",
    "o2",
    "o3",
    "polar_axis",
    "rotation_matrix",
    "so2",
    "so3",
    "wigner_blocks",
    "wigner_d",
]


# --- rotations ---------------------------------------------------------------------------------------------------

_OFF = 1e-3
"""How far ``R^T R`` may be from 1, entry by entry; a mistake is farther, rounding nearer."""


def _transposed_product(a: list[list[Array]], b: list[list[Array]]) -> list[list[Array]]:
    """``A^T B``, entry by entry."""
    return [[sum(a[k][i] * b[k][j] for k in range(3)) for j in range(3)] for i in range(3)]


def _entries(r: Array) -> list[list[Array]]:
    """The entries of matrices whose own axes come first."""
    return [[r[i, j] for j in range(3)] for i in range(3)]


def _is_rotation(e: list[list[Array]], off: float) -> Array:
    gram = _transposed_product(e, e)
    right = [jnp.abs(gram[i][j] - float(i == j)) <= off for i in range(3) for j in range(i, 3)]
    minors = [e[1][i] * e[2][j] - e[1][j] * e[2][i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return functools.reduce(jnp.logical_and, right) & (sum(e[0][k] * minor for k, minor in enumerate(minors)) > 0)


def _of_quaternion(q: Array) -> list[list[Array]]:
    w, x, y, z = (q[..., k] for k in range(4))
    s = 2 / jnp.sum(q**2, axis=-1)
    return [
        [1 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)],
        [s * (x * y + w * z), 1 - s * (x * x + z * z), s * (y * z - w * x)],
        [s * (x * z - w * y), s * (y * z + w * x), 1 - s * (x * x + y * y)],
    ]


def _of_angles(alpha: Array, beta: Array, gamma: Array) -> list[list[Array]]:
    (ca, cb, cc), (sa, sb, sc) = ([f(x) for x in (alpha, beta, gamma)] for f in (jnp.cos, jnp.sin))
    return [
        [ca * cc - sa * cb * sc, sa * sb, ca * sc + sa * cb * cc],
        [sb * sc, cb, -sb * cc],
        [-sa * cc - ca * cb * sc, ca * sb, ca * cb * cc - sa * sc],
    ]


def _taken(rotation: Any) -> tuple[str, Any]:
    """What kind of rotation is given, and its arrays; a ValueError for anything else."""
    if isinstance(rotation, tuple):
        if len(rotation) != 3:
            raise ValueError(f"Euler angles are a tuple (alpha, beta, gamma), got a tuple of {len(rotation)}")
        kind, arrays = "angles", tuple(jnp.broadcast_arrays(*map(jnp.asarray, rotation)))
    else:
        arrays = jnp.asarray(rotation)
        if arrays.shape[-2:] == (3, 3):
            kind = "matrix"
        elif arrays.shape[-1:] == (4,):
            kind = "quaternion"
        else:
            raise ValueError(
                f"a rotation is a matrix (..., 3, 3), a quaternion (..., 4) or a tuple of three Euler angles, "
                f"got an array of shape {arrays.shape}"
            )
    dtypes = {leaf.dtype for leaf in jax.tree.leaves(arrays)}
    if len(dtypes) > 1 or not all(jnp.issubdtype(dtype, jnp.floating) for dtype in dtypes):
        raise TypeError(f"a rotation needs floating-point numbers of one dtype, got {' and '.join(map(str, dtypes))}")
    return kind, arrays


def _dtype(arrays: Any) -> Any:
    return jax.tree.leaves(arrays)[0].dtype


def _wide(arrays: Any) -> Any:
    """In the precision to compute in: the caller's, but float32 for half precision."""
    half = jnp.finfo(_dtype(arrays)).bits < 32
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float32), arrays) if half else arrays


def _judged(kind: str, arrays: Any) -> tuple[Array, Array]:
    """The matrices, (3, 3, ...), NaN where they are no rotations, and whether they are.

    Entry by entry, each an array with the shape of the batch, and with barriers: otherwise the compiler takes the
    entries out of the matrices and judges them again for every entry that is needed, three times as slow.
    """
    off = max(_OFF, 4 * float(jnp.finfo(_dtype(arrays)).eps))
    wide = _wide(arrays)
    if kind == "matrix":
        entries = jax.lax.optimization_barrier([[wide[..., i, j] for j in range(3)] for i in range(3)])
        fine = _is_rotation(entries, off)
    elif kind == "quaternion":
        entries, fine = _of_quaternion(wide), jnp.abs(jnp.sum(wide**2, axis=-1) - 1) <= off
    else:
        entries, fine = _of_angles(*wide), functools.reduce(jnp.logical_and, map(jnp.isfinite, wide))
    fine = jax.lax.optimization_barrier(fine)
    entries = jax.lax.optimization_barrier([[jnp.where(fine, entry, jnp.nan) for entry in row] for row in entries])
    return jax.lax.optimization_barrier(jnp.stack([jnp.stack(row) for row in entries])), fine


def _refuse(kind: str, arrays: Any, fine: Array) -> None:
    """ValueError that names the first rotation that is none; nothing where values are traced."""
    if isinstance(fine, jax.core.Tracer) or np.all(fine):
        return
    first = np.unravel_index(int(np.argmin(np.asarray(fine))), np.shape(fine))
    given = np.stack([np.asarray(leaf, np.float64)[first] for leaf in jax.tree.leaves(arrays)])
    given = given if kind == "angles" else given[0]
    which = "it" if not first else f"the one at index {', '.join(map(str, first))}"
    if not np.isfinite(given).all():
        seen = "has an entry that is not finite"
    elif kind == "quaternion":
        seen = f"has norm {np.linalg.norm(given):.6g}; normalize it"
    elif (off := np.abs(given.T @ given - np.eye(3)).max()) > _OFF:
        seen = f"is not orthogonal, R^T R - 1 has an entry of size {off:.3g}"
    else:
        seen = "has determinant -1; use o3 for mirrors"
    what = {"matrix": "a rotation matrix", "quaternion": "a unit quaternion", "angles": "three finite Euler angles"}
    raise ValueError(f"a rotation has to be {what[kind]}, but {which} {seen}")


@functools.partial(jax.jit, static_argnums=0)
def _matrices(kind: str, arrays: Any) -> tuple[Array, Array]:
    r, fine = _judged(kind, arrays)
    return jnp.moveaxis(r, (0, 1), (-2, -1)).astype(_dtype(arrays)), fine


def is_rotation(rotation: Any) -> Bool[Array, "..."]:
    """Whether it is a rotation: ``|R^T R - 1| <= 1e-3`` in every entry and ``det R > 0``, a quaternion of norm 1.

    The check to use where values are traced: the functions of this module give NaN for what fails it.

    Args:
        rotation: matrices (..., 3, 3), quaternions (..., 4), or a tuple of Euler angles, each (...), which only have to
            be finite.

    Returns:
        One bool for each.

    Raises:
        ValueError: another shape.

    Example:
        >>> is_rotation(jnp.stack([jnp.eye(3), -jnp.eye(3)])).tolist()
        [True, False]
    """
    return _matrices(*_taken(rotation))[1]


def rotation_matrix(rotation: Any) -> Float[Array, "... 3 3"]:
    """The matrix of a rotation, ``v -> R v`` on columns (x, y, z).

    Args:
        rotation: matrices (..., 3, 3), which come back; unit quaternions (w, x, y, z), (..., 4), where q and -q are one
            rotation; or a tuple of Euler angles ``(alpha, beta, gamma)`` in radians, each (...), which stands for
            ``R_y(alpha) R_x(beta) R_y(gamma)``.

    Raises:
        ValueError: another shape; outside of ``jit``, no rotation. Inside it is NaN.
        TypeError: integers, or angles of several dtypes.

    Example:
        >>> quarter = rotation_matrix((jnp.pi / 2, 0.0, 0.0))
        >>> (quarter @ jnp.array([0.0, 0.0, 1.0])).round().astype(int).tolist()  # about y, z goes to x
        [1, 0, 0]
    """
    kind, arrays = _taken(rotation)
    r, fine = _matrices(kind, arrays)
    _refuse(kind, arrays, fine)
    return r


# --- Wigner's D matrices -----------------------------------------------------------------------------------------


def _next(l: int, d: Array, r: list[list[Array]]) -> Array:
    """D^l from D^(l-1).

    Row by row, with ``p_i`` the product of the row i of R and a row of D^(l-1),
    ``D[m] = u p_0[m] + v (p_1[m-1] - p_-1[-(m-1)]) + w (p_1[m+1] + p_-1[-(m+1)])`` and
    ``D[-m] = u p_0[-m] + v (p_1[-(m-1)] + p_-1[m-1]) + w (p_1[-(m+1)] - p_-1[m+1])``.
    Rows with equal terms, and columns with equal products, are computed together and joined once, in their final order:
    another copy of D would cost a third of the time.
    """
    cos, sin = d[l - 1 :], d[: l - 1][::-1]  # rows m = 0 ... l - 1, and rows -m for m = 1 ... l - 1
    m = np.arange(l + 1.0)
    u, v = np.sqrt(l**2 - m**2), np.sqrt((l + m - 1) * (l + m)) / 2
    w = -np.sqrt(np.maximum((l - m - 1) * (l - m), 0)) / 2
    inner, outer = 1 / np.sqrt(l**2 - np.arange(1.0 - l, l) ** 2), (2 * l * (2 * l - 1)) ** -0.5
    row = lambda a: jnp.asarray(a, cos.dtype).reshape(-1, *(1,) * (cos.ndim - 1))
    column = lambda a: jnp.asarray(a, cos.dtype).reshape(1, -1, *(1,) * (cos.ndim - 2))
    products: list[Callable[[int, Array], Array]] = [
        lambda i, x: outer * (r[i + 1][2] * x[:, :1] + r[i + 1][0] * x[:, -1:]),  # column -l
        lambda i, x: r[i + 1][1] * (x * column(inner)),
        lambda i, x: outer * (r[i + 1][2] * x[:, -1:] - r[i + 1][0] * x[:, :1]),  # column l
    ]
    edges = sorted({1, 2, l - 1, l, l + 1})

    def rows(p: Callable[[int, Array], Array], lo: int, hi: int) -> tuple[Array, Array]:
        """Rows m and -m for lo <= m < hi, which have the same terms."""
        near = lambda k: (cos[lo + k : hi + k], sin[lo + k - 1 : hi + k - 1])
        if lo == 1:  # the row -0 is missing and the row 0 counts more
            a, b = (2**0.5 * p(i, cos[:1]) for i in (1, -1))
        else:
            c, s = near(-1)
            a, b = p(1, c) - p(-1, s), p(1, s) + p(-1, c)
        a, b = row(v[lo:hi]) * a, row(v[lo:hi]) * b
        if hi <= l:
            c, s = near(0)
            a, b = a + row(u[lo:hi]) * p(0, c), b + row(u[lo:hi]) * p(0, s)
        if hi <= l - 1:
            c, s = near(1)
            a, b = a + row(w[lo:hi]) * (p(1, c) + p(-1, s)), b + row(w[lo:hi]) * (p(1, s) - p(-1, c))
        return a, b

    columns = []
    for p in products:
        zero = l * p(0, cos[:1]) - (l * (l - 1) / 2) ** 0.5 * (p(1, cos[1:2]) + p(-1, sin[:1]))
        parts = [rows(p, lo, hi) for lo, hi in itertools.pairwise(edges)]
        columns.append([*(b[::-1] for _, b in reversed(parts)), zero, *(a for a, _ in parts)])
    joined = [jnp.concatenate(pieces, axis=1) for pieces in zip(*columns)]
    return jax.lax.optimization_barrier(jnp.concatenate(joined, axis=0))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _blocks(l_max: int, r: Array) -> tuple[Array, ...]:
    """D^0 ... D^l_max from the matrices r: (3, 3, ...), each (2l + 1, 2l + 1, ...).

    For any matrix: D is a polynomial in its entries, homogeneous of degree l. A mirror -R gives ``(-1)^l D(R)``.
    """
    e = [[entry[None, None] for entry in line] for line in _entries(r)]
    blocks = [jnp.ones_like(r[:1, :1]), r]
    for l in range(2, l_max + 1):
        blocks.append(_next(l, blocks[-1], e))
    return tuple(blocks[: l_max + 1])


@_blocks.defjvp
def _blocks_slope(l_max: int, primals: tuple[Array], tangents: tuple[Array]) -> tuple[tuple, tuple]:
    """``dD = D d rho(omega)``, omega the axis vector of the skew part of ``R^T dR``."""
    ((r,), (dr,)) = primals, tangents
    blocks = _blocks(l_max, r)
    a = _transposed_product(_entries(r), _entries(dr))
    omega = [(a[2][1] - a[1][2]) / 2, (a[0][2] - a[2][0]) / 2, (a[1][0] - a[0][1]) / 2]

    def slope(l: int, d: Array) -> Array:
        lie = jnp.asarray(_lie(l), d.dtype)
        turned = jnp.einsum("ij...,kjn->kin...", d, lie, precision="highest")
        return sum(turned[k] * omega[k][None, None] for k in range(3))

    return blocks, tuple(slope(l, d) for l, d in enumerate(blocks))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _wigner(degrees: tuple[int, ...], batch_last: bool, kind: str, arrays: Any) -> tuple[tuple[Array, ...], Array]:
    r, fine = _judged(kind, arrays)
    blocks = _blocks(max(degrees), r)
    found = []
    for l in degrees:
        block = blocks[l] if l else jnp.where(fine, 1, jnp.nan).astype(r.dtype)[None, None]
        block = block if batch_last else jnp.moveaxis(block, (0, 1), (-2, -1))
        found.append(block.astype(_dtype(arrays)))
    return tuple(found), fine


def wigner_blocks(l_max: int, rotation: Any, batch_last: bool = False) -> tuple[Float[Array, "..."], ...]:
    """Wigner's matrices of all degrees at once, ``D^0(R), ..., D^l_max(R)``, for little more than the last one costs.

    Args:
        l_max: highest degree.
        rotation: matrices (..., 3, 3), unit quaternions (..., 4) or a tuple of Euler angles, as in ``rotation_matrix``.
        batch_last: whether the batch axes come after the two axes of the matrices, which is faster.

    Returns:
        One array for each degree, (..., 2l + 1, 2l + 1); (2l + 1, 2l + 1, ...) with ``batch_last``.

    Raises:
        ValueError: ``l_max`` is not a whole number of at least 0; another shape; outside of ``jit``, no rotation.
        TypeError: integers, or angles of several dtypes.

    Example:
        >>> [block.shape for block in wigner_blocks(2, jnp.eye(3))]
        [(1, 1), (3, 3), (5, 5)]

    Reference:
        Ivanic, Ruedenberg, J. Phys. Chem. 100 (1996) 6342 and 102 (1998) 9099.
    """
    l_max = whole(l_max, 0, "the highest degree of wigner_blocks")
    return _found(tuple(range(l_max + 1)), batch_last, rotation)


def wigner_d(l: int, rotation: Any) -> Float[Array, "... n n"]:
    """Wigner's matrix of degree l in e3nn's real basis: ``D^l(R S) = D^l(R) D^l(S)``, ``D^1(R) = R``.

    Args:
        l: the degree.
        rotation: matrices (..., 3, 3), unit quaternions (..., 4) or a tuple of Euler angles, as in ``rotation_matrix``.

    Returns:
        (..., 2l + 1, 2l + 1), orthogonal, in the dtype of the rotation.

    Raises:
        ValueError: ``l`` is not a whole number of at least 0; another shape; outside of ``jit``, no rotation.
        TypeError: integers, or angles of several dtypes.

    Example:
        >>> wigner_d(2, (0.3, 0.0, -0.3)).round(6).diagonal().tolist()  # two turns about y that cancel
        [1.0, 1.0, 1.0, 1.0, 1.0]

    Reference:
        Ivanic, Ruedenberg, J. Phys. Chem. 100 (1996) 6342 and 102 (1998) 9099.
    """
    return _found((whole(l, 0, "the degree of wigner_d"),), False, rotation)[0]


def _found(degrees: tuple[int, ...], batch_last: bool, rotation: Any) -> tuple[Array, ...]:
    kind, arrays = _taken(rotation)
    blocks, fine = _wigner(degrees, batch_last, kind, arrays)
    _refuse(kind, arrays, fine)
    return blocks


# --- representations ---------------------------------------------------------------------------------------------


@functools.cache
def _lie(l: int) -> np.ndarray:
    """The generators of turns about x, y and z in degree l: (3, 2l + 1, 2l + 1), skew.

    With y as the polar axis, ``-i J`` in the basis of ``J_polar``, taken to the real combinations of m and -m.
    """
    m = np.arange(-l, l + 1)
    raising = np.diag(np.sqrt(l * (l + 1.0) - m[:-1] * (m[:-1] + 1)), -1)  # <m + 1| J_+ |m>
    first, second, polar = (raising + raising.T) / 2, (raising - raising.T) / 2j, np.diag(m)
    u = np.zeros((2 * l + 1, 2 * l + 1), complex)
    u[l, l] = 1
    for k in range(1, l + 1):
        u[l + k, [l + k, l - k]] = np.array([(-1) ** k, 1]) / 2**0.5
        u[l - k, [l + k, l - k]] = np.array([(-1) ** k, -1]) / (2**0.5 * 1j)
    return np.stack([(u.conj() @ (-1j * j) @ u.T).real for j in (second, polar, first)])


def _irrep(
    spec: tuple, group: Group, name: str, dim: int, one: Callable, lie: Callable[[], np.ndarray], steps: np.ndarray
) -> Rep:
    return intern(
        Rep(
            spec=("irrep", group, *spec),
            group=group,
            name=name,
            dim=dim,
            orthogonal=True,
            one=one,
            constants=lambda: (lie(), steps.copy()),
        )
    )


def _parity(parity: int, what: str) -> int:
    if isinstance(parity, bool) or parity not in (1, -1):
        raise ValueError(f"the parity of {what} is 1 or -1, got {parity!r}")
    return int(parity)


def _turned(k: int, g: Element, v: Array) -> Array:
    """The turn by k times the angle of the first column, on a pair of numbers: a complex power, by squaring."""
    multiply = lambda a, b: (a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0])
    power, square = None, (g[0, 0], g[1, 0])
    while k:
        if k % 2:
            power = square if power is None else multiply(power, square)
        k //= 2
        square = multiply(square, square) if k else square
    return jnp.stack(multiply(power, (v[0], v[1])))


def _plane(k: int) -> np.ndarray:
    """The Lie algebra of turns by k times the angle."""
    return np.array([[[0.0, -k], [k, 0.0]]])


@functools.cache
def so2(k: int) -> Rep:
    """The real irreducible representations of SO(2): ``rho_k(t) = [[cos kt, -sin kt], [sin kt, cos kt]]``.

    ``rho_0`` is the scalar and ``rho_1`` the standard representation. For k >= 1 the maps that commute with it are two
    dimensional (``a + b i``): over the reals it counts twice. -k gives the same representation with the two coordinates
    exchanged, so it is refused.

    Args:
        k: the frequency, from 0.

    Raises:
        ValueError: ``k`` is not a whole number of at least 0.

    Example:
        >>> from equiv.groups import so
        >>> third = so(2).exp(jnp.array([jnp.pi / 3]))
        >>> so2(3).matrix(third).round(4).tolist()
        [[-1.0, 0.0], [-0.0, -1.0]]
    """
    k = whole(k, 0, "the frequency of so2")
    group = so(2)
    if k < 2:
        return standard(group) if k else scalar(group)
    one = functools.partial(_turned, k)
    return _irrep((k,), group, f"so2({k})", 2, one, lambda: _plane(k), np.zeros((0, 2, 2)))


@functools.cache
def o2(k: int, parity: int = 1) -> Rep:
    """The irreducible representations of O(2): turns by k t, and the mirror ``diag(1, -1)``; for k = 0 a sign.

    Args:
        k: the frequency, from 0.
        parity: for k = 0, what mirrors do to the number: 1, nothing, or -1, change its sign. For k >= 1 there is one
            representation only, and the parity is 1.

    Raises:
        ValueError: ``k`` is not a whole number of at least 0, or the parity is not 1 or, for k = 0, -1.

    Example:
        >>> from equiv.groups import o
        >>> [int(o2(0, parity).matrix(jnp.diag(jnp.array([1.0, -1.0])))[0, 0]) for parity in (1, -1)]
        [1, -1]
    """
    k, parity = whole(k, 0, "the frequency of o2"), _parity(parity, "o2")
    group = o(2)
    if k and parity == -1:
        raise ValueError(f"o2({k}) has no sign to change, o2({k}, -1) would be the same representation; leave it out")
    if k == 0 and parity == 1:
        return scalar(group)
    if k == 0:
        one = lambda g, v: (g[0, 0] * g[1, 1] - g[0, 1] * g[1, 0]) * v
        return _irrep((0, -1), group, "o2(0, -1)", 1, one, lambda: np.zeros((1, 1, 1)), -np.ones((1, 1, 1)))
    if k == 1:
        return standard(group)

    def one(g: Element, v: Array) -> Array:
        determinant = g[0, 0] * g[1, 1] - g[0, 1] * g[1, 0]
        return _turned(k, g, jnp.stack([v[0], determinant * v[1]]))

    return _irrep((k, 1), group, f"o2({k})", 2, one, lambda: _plane(k), np.diag([1.0, -1.0])[None])


@functools.cache
def so3(l: int) -> Rep:
    """The irreducible representation of SO(3) of dimension 2l + 1: ``D^l``, in e3nn's order and normalisation.

    ``so3(0)`` is the scalar and ``so3(1)`` the standard representation, (x, y, z).

    Args:
        l: the degree, from 0.

    Raises:
        ValueError: ``l`` is not a whole number of at least 0.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import intertwiners
        >>> v = standard(so(3))
        >>> [intertwiners.basis(v * v, so3(l)).dim for l in range(4)]  # 3 x 3 = 1 + 3 + 5
        [1, 1, 1, 0]
    """
    l = whole(l, 0, "the degree of so3")
    group, dim = so(3), 2 * l + 1
    if l < 2:
        return standard(group) if l else scalar(group)
    one = lambda g, v: jnp.matmul(_blocks(l, g)[l], v, precision="highest")
    return _irrep((l,), group, f"so3({l})", dim, one, lambda: _lie(l).copy(), np.zeros((0, dim, dim)))


@functools.cache
def o3(l: int, parity: int) -> Rep:
    """The irreducible representations of O(3): ``D^l`` for rotations, and -1 acts by the parity.

    Spherical harmonics have parity ``(-1)^l``, those of degree 1 are ``o3(1, -1)``, the standard representation;
    ``o3(1, 1)`` are axial vectors, ``o3(0, -1)`` is the determinant. e3nn writes ``2e`` for ``o3(2, 1)`` and ``2o`` for
    ``o3(2, -1)``.

    Args:
        l: the degree, from 0.
        parity: 1 (even) or -1 (odd).

    Raises:
        ValueError: ``l`` is not a whole number of at least 0, or the parity is neither 1 nor -1.

    Example:
        >>> from equiv.groups import o
        >>> from equiv.reps import intertwiners
        >>> v = standard(o(3))
        >>> [intertwiners.basis(v * v, o3(1, parity)).dim for parity in (1, -1)]  # a cross product is axial
        [1, 0]
    """
    l, parity = whole(l, 0, "the degree of o3"), _parity(parity, "o3")
    group, dim = o(3), 2 * l + 1
    if (l, parity) in ((0, 1), (1, -1)):
        return standard(group) if l else scalar(group)
    natural = parity == (-1) ** l

    def one(g: Element, v: Array) -> Array:
        moved = jnp.matmul(_blocks(l, g)[l], v, precision="highest")
        return moved if natural else jnp.linalg.det(g) * moved

    # The generator diag(1, 1, -1) takes the azimuth alpha to pi - alpha.
    m = np.arange(-l, l + 1)
    signs = np.where(m < 0, -1.0, 1.0) * (-1.0) ** m * (1 if natural else -1)
    steps = np.diag(signs)[None]
    return _irrep((l, parity), group, f"o3({l}, {parity})", dim, one, lambda: _lie(l).copy(), steps)


@functools.cache
def polar_axis() -> Homomorphism:
    """SO(2) in SO(3) as the turns about the polar axis y, which take z towards x.

    ``inclusion(so(2), so(3))`` are the turns about z.

    Example:
        >>> from equiv.groups import so
        >>> polar_axis().map(so(2).exp(jnp.array([jnp.pi / 2]))).round(4)[:, 2].tolist()  # where z goes
        [1.0, 0.0, -0.0]
    """
    plane = embed(so(2), 3, (2, 0))
    return inclusion(plane, so(3)) @ inclusion(so(2), plane)


def branching(l: int) -> np.ndarray:
    """The order of the components in which ``D^l``, restricted to the polar axis, falls into blocks.

    ``D^l(R_y(t))[p][:, p] = rho_0 + rho_1(t) + ... + rho_l(t)``, one block after the other, for ``p = branching(l)``:
    the components 0; 1, -1; 2, -2; ...

    Args:
        l: the degree, from 0.

    Returns:
        (2l + 1,), int.

    Raises:
        ValueError: ``l`` is not a whole number of at least 0.

    Example:
        >>> branching(2).tolist()
        [2, 3, 1, 4, 0]
        >>> from equiv.groups import so
        >>> p, turn = branching(2), so(2).exp(jnp.array([0.3]))
        >>> block = wigner_d(2, polar_axis().map(turn))[p][:, p]
        >>> bool(jnp.allclose(block, (so2(0) + so2(1) + so2(2)).matrix(turn), atol=1e-6))
        True
    """
    l = whole(l, 0, "the degree of branching")
    return np.array([l, *(l + sign * m for m in range(1, l + 1) for sign in (1, -1))])
