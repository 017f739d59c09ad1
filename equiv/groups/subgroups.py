"""Inclusions of subgroups: which group sits in which, and by what map.

One table, keyed by the two families, holds the inclusions that change elements. A row takes the two sizes and returns
the map, or the sentence why there is none.

Between matrix groups of one size the map changes nothing, and what has to be shown is that the smaller group is
inside: its Lie algebra in the span of the larger one's, and each of its discrete generators a member. A second table
says who is a member of a classical group, by its defining equation. In any other group a matrix is a member if it is
listed, if it is a member of a group that went into it, or if it is ``exp(X)`` times a short word in the discrete
generators. That test never accepts a stranger; what it cannot show is refused.
"""

import functools
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from equiv import numerics
from equiv.groups.base import Element, Group, Homomorphism, intern
from equiv.groups.classical import metric, symplectic_form
from equiv.groups.combined import constants, of_matrices, placing
from equiv.groups.finite import cyclic

__all__ = ["inclusion", "powers"]


def _turns(m: int, n: int) -> Callable[..., Element] | str:
    if n % m:
        return f"{m} does not divide {n}"
    return lambda g, dtype=float: g * (n // m)


def _dihedral_turns(m: int, n: int) -> Callable[..., Element] | str:
    if n % m:
        return f"{m} does not divide {n}"
    return lambda g, dtype=float: jnp.where(g < m, g * (n // m), n + (g - m) * (n // m))


def _rotation_matrix(order: int, g: Element, dtype: Any) -> Element:
    """Rotations by 2 pi g / order from a table computed once, so that equal elements give equal bits."""
    angles = 2 * np.pi * np.arange(order) / order
    table = np.stack(
        [np.stack([np.cos(angles), -np.sin(angles)], -1), np.stack([np.sin(angles), np.cos(angles)], -1)], -2
    )
    if order % 4 == 0 or order <= 2:
        table[:: max(1, order // 4)] = np.round(table[:: max(1, order // 4)])
    return jnp.asarray(table, dtype)[g % order]


def _cyclic_matrices(m: int, n: int) -> Callable[..., Element] | str:
    if n != 2:
        return f"its rotations turn the plane, not R^{n}; chain it with an inclusion of so(2)"
    return lambda g, dtype=float: _rotation_matrix(m, g, dtype)


def _dihedral_matrices(m: int, n: int) -> Callable[..., Element] | str:
    if n != 2:
        return f"its elements act on the plane, not on R^{n}; chain it with an inclusion of o(2)"

    def matrix(g: Element, dtype: Any = float) -> Element:
        mirror = jnp.where(g < m, 1, -1).astype(dtype)[..., None]
        turned = _rotation_matrix(m, g, dtype)
        return jnp.stack([turned[..., 0], turned[..., 1] * mirror], axis=-1)

    return matrix


def _corner(m: int, n: int) -> Callable[..., Element] | str:
    if m > n:
        return f"{m} is more than {n}"

    def embed(g: Element, dtype: Any = float) -> Element:
        corner = jnp.eye(n, dtype=g.dtype)
        return jnp.broadcast_to(corner, (*g.shape[:-2], n, n)).at[..., :m, :m].set(g)

    return embed


def _permutation_matrices(m: int, n: int) -> Callable[..., Element] | str:
    if m != n:
        return f"symmetric({m}) permutes {m} coordinates, not {n}"
    return lambda g, dtype=float: jnp.swapaxes(jax.nn.one_hot(g, n, dtype=dtype), -1, -2)


def _fixed_tail(m: int, n: int) -> Callable[..., Element] | str:
    if m > n:
        return f"{m} is more than {n}"
    return lambda g, dtype=float: jnp.concatenate(
        [g, jnp.broadcast_to(jnp.arange(m, n, dtype=jnp.int32), (*g.shape[:-1], n - m))], axis=-1
    )


_ROWS: dict[tuple[str, str], Callable[[int, int], Callable[..., Element] | str]] = {
    ("cyclic", "cyclic"): _turns,
    ("cyclic", "dihedral"): _turns,
    ("dihedral", "dihedral"): _dihedral_turns,
    ("cyclic", "so"): _cyclic_matrices,
    ("cyclic", "o"): _cyclic_matrices,
    ("dihedral", "o"): _dihedral_matrices,
    ("symmetric", "o"): _permutation_matrices,
    ("symmetric", "symmetric"): _fixed_tail,
    ("so", "so"): _corner,
    ("so", "o"): _corner,
    ("o", "o"): _corner,
}


_CLOSE = 1e-8
"""How far rounding may take a member from its equation, relative to its size."""


def _close(a: np.ndarray, b: np.ndarray, size: float) -> bool:
    return bool(np.abs(a - b).max(initial=0.0) <= _CLOSE * max(1.0, size))


def _keeps(h: np.ndarray, form: np.ndarray) -> bool:
    return _close(h.T @ form @ h, form, np.abs(h).max() ** 2)


def _orthogonal(h: np.ndarray, n: int) -> bool:
    return _keeps(h, np.eye(n))


def _unitary(h: np.ndarray, n: int) -> bool:
    return _keeps(h, np.eye(2 * n)) and _keeps(h, symplectic_form(2 * n))


def _complex_determinant(h: np.ndarray, n: int) -> complex:
    return np.linalg.det(h[:n, :n] + 1j * h[n:, :n])


def _lorentzian(h: np.ndarray, p: int, q: int, component: str) -> bool:
    if not _keeps(h, metric(p, q)):
        return False
    first, last = (bool(np.linalg.det(block) > 0) for block in (h[:p, :p], h[p:, p:]))
    return {"identity": first and last, "special": first == last, "orthochronous": first, "full": True}[component]


_EQUATIONS: dict[str, Callable[..., bool]] = {
    "o": _orthogonal,
    "so": lambda h, n: _orthogonal(h, n) and np.linalg.det(h) > 0,
    "sp": lambda h, n: _keeps(h, symplectic_form(n)),
    "u": _unitary,
    "su": lambda h, n: _unitary(h, n) and abs(_complex_determinant(h, n) - 1) < _CLOSE,
    "lorentz": _lorentzian,
    "sl": lambda h, n: abs(np.linalg.det(h) - 1) < _CLOSE * max(1.0, np.abs(h).max() ** n),
    "gl_plus": lambda h, n: np.linalg.det(h) > 0,
    "scaling": lambda h, n: h[0, 0] > 0 and _close(h, h[0, 0] * np.eye(n), h[0, 0]),
}
"""Family -> whether an invertible matrix is a member, given what follows the family's name in the spec."""


def _member(h: np.ndarray, group: Group) -> bool:
    """Whether a matrix can be shown to be an element of the group."""
    family = group.spec[0]
    if family in _EQUATIONS:
        return bool(_EQUATIONS[family](h, *group.spec[1:]))
    if group.order is not None:
        with numerics.constants():
            listed = np.asarray(group.elements(np.float64))
        return any(_close(h, element, np.abs(h).max()) for element in listed)
    if family == "embed":
        _, inner, dim, indices = group.spec
        block = h[np.ix_(indices, indices)]
        rest = np.eye(dim)
        rest[np.ix_(indices, indices)] = block
        return _close(h, rest, np.abs(h).max()) and _member(block, inner)
    if family == "union" and any(_member(h, part) for part in group.spec[1:]):
        return True
    lie, steps = constants(group)
    letters = [*steps, *np.linalg.inv(steps)]
    words = itertools.chain([np.eye(len(h))], letters, (a @ b for a, b in itertools.product(letters, repeat=2)))
    return any(_exponential(h @ word, lie) for word in words)


def _exponential(h: np.ndarray, lie: np.ndarray) -> bool:
    """Whether ``h exp(A) = exp(X)`` with A and X in the Lie algebra; A is 0, or fixed and there to avoid half turns."""
    if not len(lie):
        return _close(h, np.eye(len(h)), 1.0)
    units = lie.reshape(len(lie), -1)
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=len(lie)) * (seed > 0) / np.abs(units).max()
        moved = h @ scipy.linalg.expm(np.einsum("k,kij->ij", x, lie))
        with warnings.catch_warnings():  # an inaccurate logarithm is found out below
            warnings.simplefilter("ignore", RuntimeWarning)
            log = scipy.linalg.logm(moved)
        if np.isfinite(log).all() and _close(np.imag(log), np.zeros_like(h), 1.0):
            flat = np.real(log).ravel()
            inside = _close(flat @ np.linalg.pinv(units) @ units, flat, np.abs(flat).max())
            if inside and _close(scipy.linalg.expm(np.real(log)), moved, np.abs(moved).max()):
                return True
    return False


@functools.cache
def _unchanged(subgroup: Group, group: Group) -> Callable[..., Element] | str:
    """The inclusion of matrices in matrices of one size, or what could not be shown."""
    small, large = subgroup.shape[0], group.shape[0]
    if small != large:
        return f"its matrices are {small} x {small}, not {large} x {large}; embed it first"
    (lie, steps), (span, _) = constants(subgroup), constants(group)
    rows, flat = span.reshape(len(span), large**2), lie.reshape(len(lie), large**2)
    left = flat - flat @ np.linalg.pinv(rows) @ rows if len(rows) else flat
    outside = np.abs(left).max(axis=1) > _CLOSE * np.abs(flat).max(axis=1)
    if outside.any():
        k = int(np.argmax(outside))
        return f"the basis matrix {k} of its Lie algebra is not in that of {group}"
    for k, step in enumerate(steps):
        if not _member(step, group):
            return f"its discrete generator {k} could not be shown to be an element of {group}"
    return lambda g, dtype=float: g


def inclusion(subgroup: Group, group: Group) -> Homomorphism:
    """The usual inclusion of a subgroup, as a homomorphism to restrict representations along.

    Rotations by 2 pi k / n sit in the plane's rotations, matrices of size m in the upper left corner of size n,
    permutations of m points fix the rest, permutations are permutation matrices. A matrix group goes to its copy on
    some coordinates (``embed``). Between two matrix groups of one size the map leaves the matrix as it is, after a
    check that the smaller group is inside.

    Args:
        subgroup: the smaller group.
        group: the larger one.

    Returns:
        The homomorphism. Chain two with ``@``.

    Raises:
        ValueError: no such inclusion is known, the sizes do not fit, or a matrix group could not be shown to be inside.

    Example:
        >>> from equiv.groups import cyclic, dihedral
        >>> int(inclusion(cyclic(2), dihedral(4)).map(jnp.array(1)))
        2
        >>> from equiv.groups import lorentz, sl
        >>> print(inclusion(lorentz(1, 3), sl(4)))
        SO+(1,3) -> SL(4)
    """
    families = (subgroup.spec[0], group.spec[0])
    if subgroup == group:
        found = lambda g, dtype=float: g
    elif families in _ROWS:
        found = _ROWS[families](subgroup.spec[1], group.spec[1])
    elif group.spec[0] == "embed" and group.spec[1] == subgroup:
        place = placing(*group.spec[2:])
        found = lambda g, dtype=float: place(g)
    elif of_matrices(subgroup) and of_matrices(group):
        found = _unchanged(subgroup, group)
    else:
        known = ", ".join(f"{a} in {b}" for a, b in _ROWS)
        raise ValueError(
            f"no inclusion of {subgroup} in {group} is known; known are: {known}, matrix groups of one size"
        )
    if isinstance(found, str):
        raise ValueError(f"{subgroup} is not included in {group}: {found}")
    return intern(Homomorphism(spec=("inclusion", subgroup, group), source=subgroup, target=group, map=found))


def powers(group: Group, g: Element) -> Homomorphism:
    """The cyclic subgroup of the powers of one element, as the homomorphism ``cyclic(n) -> group, k -> g^k``.

    Args:
        group: a finite group.
        g: one element, of any order n; it is looked up in the list of the group.

    Returns:
        The homomorphism; it is one to one.

    Raises:
        ValueError: an infinite group, several elements, or no element of the group.

    Example:
        >>> from equiv.groups import polyhedral
        >>> quarter_turn = jnp.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> print(powers(polyhedral("octahedral"), quarter_turn))
        cyclic(4) -> octahedral group
    """
    if group.order is None:
        raise ValueError(f"powers needs a finite group, got {group}; from_generators(discrete=[g]) takes one matrix")
    leaves, tree = jax.tree.flatten(g)
    if [np.shape(leaf) for leaf in leaves] != group.leaf_shapes:
        raise ValueError(
            f"powers needs one element of {group}, of shape {group.shape}, got {[np.shape(leaf) for leaf in leaves]}"
        )
    with numerics.constants():
        every = group.elements(np.float64)
        g = tree.unflatten([jnp.asarray(leaf, like.dtype) for leaf, like in zip(leaves, jax.tree.leaves(every))])
        at = group.index(g)
        if not group.distance(g, jax.tree.map(lambda leaf: leaf[at], every)) < 1e-3:
            raise ValueError(f"powers needs an element of {group}, got {jax.tree.map(lambda leaf: leaf.tolist(), g)}")
        exact = jax.tree.map(lambda leaf: leaf[at], every)
        times = np.asarray(
            jax.jit(lambda every: group.index(jax.vmap(lambda h: group.compose(h, exact))(every)))(every)
        )
    places = [0]
    while times[places[-1]]:
        places.append(int(times[places[-1]]))
    listed = np.array(places, np.int32)

    def power(k: Element, dtype: Any = float) -> Element:
        return jax.tree.map(lambda leaf: leaf[jnp.asarray(listed)[k % len(listed)]], group.elements(dtype))

    return intern(Homomorphism(spec=("powers", group, int(at)), source=cyclic(len(listed)), target=group, map=power))
