"""New matrix groups from old ones: the group that several generate, and a group that moves some coordinates only.

Both specs hold the groups themselves, so two embeddings at other coordinates are two groups, whatever they are called.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from equiv import numerics
from equiv.groups.base import Element, Group, Homomorphism, intern
from equiv.groups.finite import whole
from equiv.groups.matrices import closure, is_orthogonal, matrix_group, polished, uniform

__all__ = ["embed", "unembed", "union"]

_INSIDE, _NEW = 1e-9, 1e-5
"""Relative distance from a span: a matrix below the first is inside, above the second new, between is an error."""

_ROUNDS = 3


def of_matrices(group: Group) -> bool:
    """Whether the elements of a group are square matrices."""
    return len(group.shape) == 2 and all(isinstance(side, int) for side in group.shape)


@functools.cache
def constants(group: Group) -> tuple[np.ndarray, np.ndarray]:
    """The Lie basis and the discrete generators of a matrix group, float64."""
    with numerics.constants():
        return group.lie(), np.asarray(group.generators(np.float64))


class _Span:
    """A growing space of matrices with an orthonormal basis, which decides what is new."""

    def __init__(self, n: int, name: str) -> None:
        self.rows, self.name = np.zeros((0, n * n)), name

    def first_new(self, candidates: np.ndarray, scales: np.ndarray) -> int | None:
        """The first candidate outside, which is added; distances count relative to the scales."""
        flat = candidates.reshape(len(candidates), -1)
        for _ in range(2):  # once more for what rounding left
            flat = flat - flat @ self.rows.T @ self.rows
        away = np.linalg.norm(flat, axis=1) / scales
        unclear = (away > _INSIDE) & (away < _NEW)
        if unclear.any():
            raise ValueError(
                f"the Lie algebra of {self.name} cannot be told from a larger one: a bracket or a conjugate is "
                f"{away[unclear][0]:.1e} away from the span of the others, neither below {_INSIDE:g} nor above {_NEW:g}"
            )
        if not (away >= _NEW).any():
            return None
        k = int(np.argmax(away >= _NEW))
        self.rows = np.concatenate([self.rows, flat[k : k + 1] / np.linalg.norm(flat[k])])
        return k


def _generated_algebra(lie: np.ndarray, steps: np.ndarray, name: str) -> np.ndarray:
    """The smallest space with these matrices that brackets and conjugation by the generators do not leave.

    Given matrices stay as they are; what is found is scaled to ``|A|^2 = 2``, the size of a rotation of one plane.
    """
    n = lie.shape[-1]
    span, basis, units = _Span(n, name), [], []
    inverses = np.linalg.inv(steps)

    def take(candidates: np.ndarray, scales: np.ndarray, given: bool) -> None:
        while len(candidates) and (k := span.first_new(candidates, scales)) is not None:
            unit = candidates[k] * (2**0.5 / np.linalg.norm(candidates[k]))
            units.append(unit)
            basis.append(candidates[k] if given else unit)

    take(lie, np.linalg.norm(lie, axis=(1, 2)), given=True)
    done = 0
    while done < len(units):
        a, every = units[done], np.array(units[: done + 1])
        done += 1
        moved = steps @ a @ inverses
        take(moved, np.linalg.norm(moved, axis=(1, 2)), given=False)
        take(a @ every - every @ a, np.full(len(every), 2.0), given=False)
    return np.array(basis).reshape(-1, n, n)


def union(*groups: Group) -> Group:
    """The group that several matrix groups of one size generate together.

    Its Lie algebra is the smallest one with all of theirs which the discrete generators leave in place; it is found in
    float64, by brackets and conjugates. Its discrete generators are all of theirs. Where the Lie algebra is 0 the
    group is searched for finiteness and listed.

    Args:
        groups: one or more matrix groups of one size.

    Returns:
        The group; compact if every generator is orthogonal. ``sample`` is uniform on a finite group. Otherwise it is a
        product of three rounds of one draw from each group in turn, which is a law on the group and not Haar
        measure. A union in a union counts as its groups; a group counts once.

    Raises:
        ValueError: no groups; elements that are no matrices (use ``from_generators`` with their matrices); two sizes;
            a bracket that rounding cannot tell from dependent.

    Example:
        >>> from equiv.groups import scaling, so
        >>> union(so(3), scaling(3)).dim
        4
        >>> planes = [embed(so(2), 3, plane) for plane in ((0, 1), (1, 2))]
        >>> union(*planes).dim
        3
    """
    if not groups:
        raise ValueError("union needs one or more matrix groups, got none")
    for group in groups:
        if not of_matrices(group):
            raise ValueError(
                f"union needs groups of matrices, but the elements of {group} are none; "
                f"give the matrices of its generators to from_generators"
            )
    sizes = sorted({group.shape[0] for group in groups})
    if len(sizes) > 1:
        raise ValueError(
            f"union needs matrix groups of one size, got sizes {sizes} of {', '.join(map(str, groups))}; "
            f"embed the smaller ones"
        )
    members = [member for group in groups for member in (group.spec[1:] if group.spec[0] == "union" else (group,))]
    members = tuple(dict.fromkeys(members))
    return members[0] if len(members) == 1 else _union(members)


@functools.cache
def _union(members: tuple[Group, ...]) -> Group:
    name = f"union({', '.join(map(str, members))})"
    lie, steps = (np.concatenate(parts) for parts in zip(*map(constants, members)))
    kept = [k for k, step in enumerate(steps) if not any(np.array_equal(step, before) for before in steps[:k])]
    lie, steps = _generated_algebra(lie, steps[kept], name), steps[kept]
    orthogonal = is_orthogonal(lie, steps)
    listed = closure(steps, 2000, orthogonal) if not len(lie) else None

    def sample(key: jax.Array, shape: tuple = (), dtype: Any = float) -> Element:
        keys = jax.random.split(key, (_ROUNDS, len(members)))
        drawn = [member.sample(k, tuple(shape), dtype) for row in keys for member, k in zip(members, row)]
        g = functools.reduce(jnp.matmul, drawn)
        return polished(g) if orthogonal else g

    return matrix_group(
        spec=("union", *members),
        name=name,
        lie=lie,
        steps=steps,
        sample=sample if listed is None else uniform(listed),
        form=np.eye(lie.shape[-1]) if orthogonal else None,
        listed=listed,
    )


def _crossing(indices: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a block, int32: what jax calls an integer whether x64 is on or off."""
    return np.ix_(np.array(indices, np.int32), np.array(indices, np.int32))


def placing(dim: int, indices: tuple[int, ...]) -> Callable[[Element], Element]:
    """``g -> the dim x dim matrix with g in the rows and columns ``indices`` and the identity elsewhere."""
    rows, columns = _crossing(indices)

    def place(g: Float[Array, "... k k"]) -> Float[Array, "... n n"]:
        eye = jnp.broadcast_to(jnp.eye(dim, dtype=g.dtype), (*g.shape[:-2], dim, dim))
        return eye.at[..., rows, columns].set(g)

    return place


def cutting(indices: tuple[int, ...]) -> Callable[[Element], Element]:
    """``g -> the block of g in the rows and columns ``indices``."""
    rows, columns = _crossing(indices)
    return lambda g: g[..., rows, columns]


def embed(group: Group, dim: int, indices: Any) -> Group:
    """A matrix group that acts on some coordinates of R^dim and leaves the others alone.

    Args:
        group: a group of k x k matrices.
        dim: dimension of the larger space.
        indices: the k coordinates, counted from 0: a slice, or distinct whole numbers; the first coordinate of
            ``group`` is the first one listed.

    Returns:
        A group of dim x dim matrices, isomorphic to ``group`` (see ``unembed``).

    Raises:
        ValueError: no matrix group; an index that is repeated or outside 0 ... dim - 1; not as many as the matrices
            have rows.

    Example:
        >>> from equiv.groups import so
        >>> about_y = embed(so(2), 3, (2, 0))
        >>> about_y.exp(jnp.array([jnp.pi / 2])).round(5).tolist()
        [[-0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, -0.0]]
        >>> embed(so(2), 3, slice(2)) is embed(so(2), 3, slice(1, 3))
        False
    """
    if not of_matrices(group):
        raise ValueError(f"embed needs a group of matrices, but the elements of {group} are none")
    dim = whole(dim, 1, "the dimension of the space of embed")
    if not isinstance(indices, slice) and not np.iterable(indices):
        raise ValueError(f"the indices of embed have to be a slice or whole numbers, got {indices!r}")
    listed = range(dim)[indices] if isinstance(indices, slice) else indices
    listed = tuple(whole(i, 0, "an index of embed") for i in listed)
    if len(set(listed)) < len(listed) or max(listed, default=0) >= dim:
        raise ValueError(f"the indices of embed have to be different ones of 0 ... {dim - 1}, got {listed}")
    if len(listed) != group.shape[0]:
        raise ValueError(
            f"{group} moves {group.shape[0]} coordinates and needs as many indices, got {len(listed)}: {listed}"
        )
    return _embed(group, dim, listed)


@functools.cache
def _embed(group: Group, dim: int, indices: tuple[int, ...]) -> Group:
    place, cut = placing(dim, indices), cutting(indices)
    rows, columns = _crossing(indices)
    small_lie, small_steps = constants(group)
    lie, steps = np.zeros((len(small_lie), dim, dim)), np.tile(np.eye(dim), (len(small_steps), 1, 1))
    lie[:, rows, columns], steps[:, rows, columns] = small_lie, small_steps
    listed = None
    if group.order is not None:
        with numerics.constants():
            small = np.asarray(group.elements(np.float64))
        listed = np.tile(np.eye(dim), (len(small), 1, 1))
        listed[:, rows, columns] = small
    return matrix_group(
        spec=("embed", group, dim, indices),
        name=f"{group} on {indices} of R^{dim}",
        lie=lie,
        steps=steps,
        sample=lambda key, shape=(), dtype=float: place(group.sample(key, tuple(shape), dtype)),
        form=np.eye(dim) if group.compact else None,
        listed=listed,
        exp=lambda x: place(group.exp(x)),
        log=lambda g: group.log(cut(g)),
        inverse=lambda g: place(group.inverse(cut(g))),
    )


def unembed(group: Group) -> Homomorphism:
    """The isomorphism of an embedded group with the group it comes from: a matrix goes to its block.

    Args:
        group: made by ``embed``.

    Raises:
        ValueError: made otherwise.

    Example:
        >>> from equiv.groups import so
        >>> print(unembed(embed(so(2), 3, (0, 2))))
        SO(2) on (0, 2) of R^3 -> SO(2)
    """
    if group.spec[0] != "embed":
        raise ValueError(f"unembed needs a group made by embed, got {group}")
    cut = cutting(group.spec[3])
    return intern(
        Homomorphism(spec=("unembed", group), source=group, target=group.spec[1], map=lambda g, dtype=float: cut(g))
    )
