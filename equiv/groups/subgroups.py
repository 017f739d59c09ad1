"""Inclusions of subgroups: which group sits in which, and by what map.

One table, keyed by the two families. A row takes the two sizes and returns the map, or the sentence why there is none.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from equiv.groups.base import Element, Group, Homomorphism, intern

__all__ = ["inclusion"]


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


def inclusion(subgroup: Group, group: Group) -> Homomorphism:
    """The usual inclusion of a subgroup, as a homomorphism to restrict representations along.

    Rotations by 2 pi k / n sit in the plane's rotations, matrices of size m in the upper left corner of size n,
    permutations of m points fix the rest, permutations are permutation matrices.

    Args:
        subgroup: the smaller group.
        group: the larger one, of the same or a containing family.

    Returns:
        The homomorphism. Chain two with ``@``.

    Raises:
        ValueError: the table has no such inclusion, or the sizes do not fit.

    Example:
        >>> from equiv.groups import cyclic, dihedral
        >>> int(inclusion(cyclic(2), dihedral(4)).map(jnp.array(1)))
        2
    """
    if subgroup == group:
        found = lambda g, dtype=float: g
    else:
        families = (subgroup.spec[0], group.spec[0])
        if families not in _ROWS:
            known = ", ".join(f"{a} in {b}" for a, b in _ROWS)
            raise ValueError(f"no inclusion of {subgroup} in {group} is known; known are: {known}")
        found = _ROWS[families](subgroup.spec[1], group.spec[1])
    if isinstance(found, str):
        raise ValueError(f"{subgroup} is not included in {group}: {found}")
    return intern(Homomorphism(spec=("inclusion", subgroup, group), source=subgroup, target=group, map=found))
