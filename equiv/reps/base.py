"""Representations as records: a group, a dimension, and how one element acts on one vector.

``rep.act(g, v)`` moves vectors ``v: (..., dim)`` by elements ``g`` whose batch axes broadcast against those of ``v``;
the matrix, the dual, sums and tensor products are derived from it. A builder writes the action of *one* element on
*one* vector and the record broadcasts it, so no representation carries its own batching.

Conventions. Left action, ``act(compose(g, h), v) = act(g, act(h, v))``; column vectors. Float elements and vectors
share one dtype, and that dtype comes back; integer elements (permutations) act in any dtype. A direct sum keeps its
summands as ``(rep, multiplicity)`` with the copies of one summand next to each other: a vector of ``3 * V + W`` is
three V-vectors followed by one W-vector. Facts such as "acts by permutations" are never declared, they are read off
the action (see ``equiv.reps.intertwiners``); ``orthogonal`` is the one exception, since duals and projections branch
on it.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Shaped

from equiv import numerics
from equiv.groups import Element, Group, Homomorphism, inclusion, o, so
from equiv.groups.base import floating, intern
from equiv.groups.finite import whole

__all__ = [
    "Rep",
    "algebra",
    "character",
    "empty",
    "generators",
    "permutation",
    "pixels",
    "regular",
    "representation",
    "restrict",
    "scalar",
    "spread",
    "standard",
    "tensor",
]


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class Rep:
    """A linear representation of a group: ``(one g, one v) -> g v``, broadcast.

    ``V + W`` is the direct sum, ``V * W`` the tensor product (Kronecker order, V's index first), ``n * V`` n copies.

    Attributes:
        spec: nested tuple of what defines the representation.
        group: the group that acts.
        name: how it is printed.
        dim: dimension of the space.
        orthogonal: whether every element acts by an orthogonal matrix.
        one: ``one(g, v: (dim,)) -> (dim,)``, the action without batch axes. Use ``act``.
        constants: where they are known in closed form, ``constants()`` gives what ``algebra`` and ``generators`` are.
    """

    spec: tuple
    group: Group
    name: str
    dim: int
    orthogonal: bool
    one: Callable[[Element, jax.Array], jax.Array] = dataclasses.field(repr=False)
    constants: Callable[[], tuple[np.ndarray, np.ndarray]] | None = dataclasses.field(default=None, repr=False)

    def __str__(self) -> str:
        return self.name

    def act(self, g: Element, v: Shaped[Array, "... d"]) -> Shaped[Array, "... d"]:
        """``rho(g) v``, broadcast over the batch axes of both.

        Args:
            g: elements, any batch axes.
            v: (..., dim), batch axes that broadcast against those of ``g``.

        Returns:
            The moved vectors, in the dtype of ``v``.

        Raises:
            ValueError: the last axis of ``v`` is not ``dim``.
            TypeError: float elements and vectors of different dtypes.

        Example:
            >>> from equiv.groups import cyclic
            >>> regular(cyclic(3)).act(jnp.array(1), jnp.array([10.0, 20.0, 30.0])).tolist()
            [30.0, 10.0, 20.0]
        """
        if v.ndim == 0 or v.shape[-1] != self.dim:
            raise ValueError(
                f"{self} of {self.group} acts on vectors of length {self.dim}, got an array of shape {v.shape}"
            )
        leaves, tree = jax.tree.flatten(jax.tree.map(jnp.asarray, g))
        for leaf in leaves:
            if jnp.issubdtype(leaf.dtype, jnp.floating) and leaf.dtype != v.dtype:
                raise TypeError(
                    f"{self} of {self.group}: the element is {leaf.dtype} and the vector {v.dtype}; "
                    f"cast one, they have to be of one dtype"
                )
        return _broadcast_act(self, jax.tree.unflatten(tree, leaves), v)

    def matrix(self, g: Element, dtype: Any = float) -> Shaped[Array, "... d d"]:
        """The matrices ``rho(g)``, columns first: ``matrix(g) @ v == act(g, v)``.

        Args:
            g: elements, any batch axes.
            dtype: used where elements carry none (integers).

        Example:
            >>> from equiv.groups import dihedral
            >>> standard(dihedral(4)).matrix(jnp.array(4)).tolist()
            [[1.0, 0.0], [0.0, -1.0]]
        """
        return _matrices(self, jax.tree.map(jnp.asarray, g), floating(g, dtype))

    @property
    def dual(self) -> "Rep":
        """The representation on linear forms, ``rho(g^-1)^T``; an orthogonal one is its own dual.

        Sums, tensor products and restrictions have sums, products and restrictions of duals for a dual.
        """
        if self.orthogonal:
            return self
        kind = self.spec[0]
        if kind == "dual":
            return self.spec[1]
        if kind == "sum":
            return _sum(tuple((rep.dual, copies) for rep, copies in self.summands), self.group)
        if kind == "tensor":
            return _tensor(tuple(rep.dual for rep in self.factors))
        if kind == "restriction":
            return restrict(self.spec[1].dual, self.spec[2])

        def one(g: Element, v: jax.Array) -> jax.Array:
            return jax.linear_transpose(functools.partial(self.one, self.group.inverse(g)), v)(v)[0]

        return intern(Rep(("dual", self), self.group, f"dual({self})", self.dim, False, one))

    @property
    def summands(self) -> tuple[tuple["Rep", int], ...]:
        """The summands with their multiplicities, in order; a representation that is no sum is its own single one."""
        return self.spec[1] if self.spec[0] == "sum" else ((self, 1),)

    def __add__(self, other: "Rep") -> "Rep":
        if not isinstance(other, Rep):
            return NotImplemented
        return _sum(self.summands + other.summands, self.group, other.group)

    def __rmul__(self, copies: int) -> "Rep":
        if not isinstance(copies, int | np.integer):
            return NotImplemented
        copies = whole(copies, 1, f"the number of copies of {self}")
        if copies == 1:
            return self
        return _copies(self, copies) if len(self.summands) == 1 else _sum(self.summands * copies, self.group)

    @property
    def factors(self) -> tuple["Rep", ...]:
        """The factors of a tensor product, none of them a product; a scalar has none, any other is its own only one."""
        return {"tensor": self.spec[1], "scalar": ()}.get(self.spec[0], (self,))

    def __mul__(self, other: "Rep") -> "Rep":
        return (
            _tensor(self.factors + other.factors, self.group, other.group) if isinstance(other, Rep) else NotImplemented
        )


@functools.partial(jax.jit, static_argnums=0)
def _broadcast_act(rep: Rep, g: Element, v: jax.Array) -> jax.Array:
    """``rep.one`` over the broadcast batch axes; axes of length 1 and missing ones are mapped over, not copied."""
    leaves, tree = jax.tree.flatten(g)
    shapes = rep.group.leaf_shapes
    axes = [f"({','.join(f'a{i}_{j}' for j in range(len(shape)))})" for i, shape in enumerate(shapes)]
    act = jnp.vectorize(
        lambda *args: rep.one(jax.tree.unflatten(tree, args[:-1]), args[-1]),
        signature=f"{','.join(axes)},(d)->(d)",
    )
    rank = max([v.ndim - 1] + [leaf.ndim - len(shape) for leaf, shape in zip(leaves, shapes)])
    padded = [leaf.reshape((1,) * (rank - leaf.ndim + len(shape)) + leaf.shape) for leaf, shape in zip(leaves, shapes)]
    return act(*padded, v.reshape((1,) * (rank + 1 - v.ndim) + v.shape))


@functools.partial(jax.jit, static_argnums=(0, 2))
def _matrices(rep: Rep, g: Element, dtype: Any) -> jax.Array:
    return jax.vmap(lambda v: rep.act(g, v), out_axes=-1)(jnp.eye(rep.dim, dtype=dtype))


def _factor(rep: Rep) -> str:
    return f"({rep})" if rep.spec[0] == "sum" else str(rep)


def _one_group(what: str, groups: Iterable[Group]) -> Group:
    found = list(dict.fromkeys(groups))
    if len(found) > 1:
        raise ValueError(
            f"{what} needs representations of one group, got {' and '.join(map(str, found))}; restrict them first"
        )
    return found[0]


def _tensor(factors: tuple[Rep, ...], *groups: Group) -> Rep:
    """The tensor product of any number of factors; that of none is the scalar of the group."""
    group = _one_group("a tensor product", (*groups, *(rep.group for rep in factors)))
    if len(factors) < 2:
        return factors[0] if factors else scalar(group)
    dims = tuple(rep.dim for rep in factors)

    def one(g: Element, v: jax.Array) -> jax.Array:
        grid = v.reshape(dims)
        for axis, rep in enumerate(factors):
            rows = jnp.moveaxis(grid, axis, -1)
            moved = jax.vmap(functools.partial(rep.one, g))(rows.reshape(-1, rep.dim))
            grid = jnp.moveaxis(moved.reshape(rows.shape), -1, axis)
        return grid.ravel()

    return intern(
        Rep(
            spec=("tensor", factors),
            group=group,
            name=_tensor_name(factors),
            dim=math.prod(dims),
            orthogonal=all(rep.orthogonal for rep in factors),
            one=one,
        )
    )


def _tensor_name(factors: tuple[Rep, ...]) -> str:
    """``tensor(G, p, q)`` if that is what it is, the factors with stars between them otherwise."""
    first = factors[0].dual if factors[0].spec[0] == "dual" else factors[0]
    p = sum(rep == first for rep in factors)
    if first.name == f"standard({first.group})" and factors == (first,) * p + (first.dual,) * (len(factors) - p):
        return f"tensor({first.group}, {p}, {len(factors) - p})"
    return " * ".join(map(_factor, factors))


def _copies(rep: Rep, copies: int) -> Rep:
    (single, before), *_ = rep.summands
    return _sum(((single, before * copies),))


def _sum(summands: tuple[tuple[Rep, int], ...], *groups: Group) -> Rep:
    """The direct sum; equal neighbours are merged. That of none is the space {0} of the group."""
    group = _one_group("a direct sum", (*groups, *(rep.group for rep, _ in summands)))
    merged: list[tuple[Rep, int]] = []
    for rep, copies in summands:
        if merged and merged[-1][0] == rep:
            merged[-1] = (rep, merged[-1][1] + copies)
        else:
            merged.append((rep, copies))
    if len(merged) == 1 and merged[0][1] == 1:
        return merged[0][0]
    ends = np.cumsum([rep.dim * copies for rep, copies in merged], dtype=int)

    def one(g: Element, v: jax.Array) -> jax.Array:
        parts = []
        for (rep, copies), part in zip(merged, jnp.split(v, ends[:-1])):
            moved = jax.vmap(functools.partial(rep.one, g))(part.reshape(copies, rep.dim))
            parts.append(moved.ravel())
        return jnp.concatenate(parts) if parts else v

    return intern(
        Rep(
            spec=("sum", tuple(merged), group),
            group=group,
            name=" + ".join(str(rep) if copies == 1 else f"{copies} * {_factor(rep)}" for rep, copies in merged) or "0",
            dim=sum(rep.dim * copies for rep, copies in merged),
            orthogonal=all(rep.orthogonal for rep, _ in merged),
            one=one,
        )
    )


def representation(group: Group, name: str, dim: int, one: Callable[[Element, jax.Array], jax.Array]) -> Rep:
    """A representation from your own action, for instance another library's.

    Whether it is orthogonal is read off the action, at the generators, in the algebra and at drawn elements. Whether
    it is a representation at all is what ``equiv.laws.measure_homomorphism`` tells.

    Args:
        group: the group.
        name: how it is printed.
        dim: dimension of the space.
        one: ``one(g, v: (dim,)) -> (dim,)``, one element on one vector, linear in ``v``.

    Raises:
        ValueError: ``dim`` is below 1.

    Example:
        >>> from equiv.groups import so
        >>> cross = representation(so(3), "rows", 9, lambda g, v: (g @ v.reshape(3, 3)).ravel())
        >>> cross.orthogonal
        True
    """
    dim = whole(dim, 1, "the dimension of a representation")
    draft = Rep(("given", group, name, dim, one), group, name, dim, False, one)

    @jax.jit
    def worst() -> jax.Array:
        """How far the matrices of 16 drawn elements and of the generators are from orthogonal."""
        found = jnp.zeros(())
        for g in (group.sample(jax.random.key(0), (16,)), group.generators()):
            matrices = draft.matrix(g)
            gram = jnp.einsum("nij,nik->njk", matrices, matrices)
            found = jnp.maximum(found, jnp.max(jnp.abs(gram - jnp.eye(dim)[None]), initial=0.0))
        return found

    with numerics.constants():
        orthogonal = float(worst()) < 1e-6
    return intern(dataclasses.replace(draft, orthogonal=orthogonal))


@functools.cache
def scalar(group: Group, dim: int = 1) -> Rep:
    """Nothing moves: ``dim`` invariant numbers.

    Args:
        group: the group.
        dim: how many numbers, at least 1.

    Raises:
        ValueError: ``dim`` is not a whole number of at least 1.

    Example:
        >>> from equiv.groups import so
        >>> scalar(so(3), 2).dim
        2
    """
    dim = whole(dim, 1, "the number of scalars")
    one = intern(Rep(("scalar", group), group, "scalar", 1, True, lambda g, v: v))
    return dim * one


def empty(group: Group) -> Rep:
    """The space {0}: the sum of no representation, of dimension 0. Added to another it changes nothing.

    Args:
        group: the group.

    Example:
        >>> from equiv.groups import so
        >>> empty(so(3)).dim, empty(so(3)) + standard(so(3)) is standard(so(3))
        (0, True)
    """
    return _sum((), group)


@functools.cache
def standard(group: Group) -> Rep:
    """The representation a group is defined by: matrices act on their space, permutations permute coordinates.

    Cyclic and dihedral groups act on the plane, as subgroups of SO(2) and O(2).

    Args:
        group: a matrix group, ``cyclic``, ``dihedral`` or ``symmetric``.

    Raises:
        ValueError: the group has no such representation (shifts, products, affine groups).

    Example:
        >>> from equiv.groups import so, symmetric
        >>> standard(so(3)).dim, standard(symmetric(5)).dim
        (3, 5)
    """
    family = group.spec[0]
    if family in ("cyclic", "dihedral"):
        plane = so(2) if family == "cyclic" else o(2)
        return restrict(standard(plane), inclusion(group, plane))
    if family == "symmetric":
        return _permuting(group, group.spec[1], lambda g: g, name=f"standard({group})")
    if _of_matrices(group):
        n = group.shape[0]
        return intern(Rep(("standard", group), group, f"standard({group})", n, group.compact, lambda g, v: g @ v))
    if family == "affine":
        raise ValueError(
            f"{group} has no standard representation, its translations are not linear; "
            f"restrict that of {group.spec[2]} along groups.linear_part({group})"
        )
    raise ValueError(
        f"{group} has no standard representation; use regular({group}), or restrict one of a factor along a projection"
    )


def _of_matrices(group: Group) -> bool:
    return len(group.shape) == 2 and all(isinstance(side, int) for side in group.shape)


@functools.cache
def tensor(group: Group, p: int, q: int = 0) -> Rep:
    """The tensors of rank (p, q), ``V x ... x V x V* x ... x V*`` with V = standard(group).

    Args:
        group: a group with a standard representation.
        p: how many factors V, from 0.
        q: how many factors V*, from 0; for an orthogonal V they are factors V.

    Raises:
        ValueError: p or q is not a whole number of at least 0, or the group has no standard representation.

    Example:
        >>> from equiv.groups import so
        >>> tensor(so(3), 2).dim, tensor(so(3), 1, 1) is tensor(so(3), 2), tensor(so(3), 0).dim
        (9, True, 1)
    """
    p, q = whole(p, 0, "the rank p of a tensor"), whole(q, 0, "the rank q of a tensor")
    v = standard(group)
    return _tensor((v,) * p + (v.dual,) * q, group)


@functools.cache
def spread(group: Group, channels: int) -> Rep:
    """A sum of tensors of every rank that fits: about equal numbers of channels for each rank, so many in all.

    With d = dim V and R the largest rank with ``(R + 1) d^R <= channels``, rank r gets ``d^(R - r)`` copies; what is
    left over is spread in the same way. If V is not orthogonal, the copies of rank r are shared out among the types
    (p, r - p) in proportion to the binomial coefficients.

    Args:
        group: a group with a standard representation of dimension d of at least 2.
        channels: dimension of the result.

    Raises:
        ValueError: ``channels`` is not a whole number of at least 1.

    Example:
        >>> from equiv.groups import o
        >>> print(spread(o(3), 128))
        38 * scalar + 12 * standard(O(3)) + 3 * tensor(O(3), 2, 0) + tensor(O(3), 3, 0)

    Reference:
        Finzi, Welling, Wilson, ICML 2021 (arXiv 2104.09459); the heuristic of their code.

    Differs from the paper:
        Copies that do not divide evenly among (p, r - p) are drawn at random there; here the largest remainders get
        them, the most balanced types first, so that equal arguments give equal representations.
    """
    left, v = whole(channels, 1, "the number of channels"), standard(group)
    ranks: dict[int, int] = {}
    while left:
        most = max(r for r in range(left) if (r + 1) * v.dim**r <= left) if v.dim > 1 else 0
        for r in range(most + 1):
            ranks[r] = ranks.get(r, 0) + v.dim ** (most - r)
        left -= (most + 1) * v.dim**most
    parts = []
    for r, copies in ranks.items():
        shares = [math.comb(r, q) * copies / 2**r for q in range(r + 1)] if not v.orthogonal else [copies]
        counts = [int(share) for share in shares]
        order = sorted(range(len(shares)), key=lambda q: (counts[q] - shares[q], abs(2 * q - r), q))
        for q in order[: copies - sum(counts)]:
            counts[q] += 1
        parts += [(tensor(group, r - q, q), count) for q, count in enumerate(counts) if count]
    return _sum(tuple(parts))


def permutation(group: Group, degree: int, images: Callable[[Element], jax.Array], name: str | None = None) -> Rep:
    """The group permutes ``degree`` coordinates: ``(g v)[images(g)[i]] = v[i]``.

    Args:
        group: a discrete group.
        degree: how many coordinates.
        images: ``images(g) -> (degree,)`` int, where each coordinate goes under one element.
        name: how it is printed.

    Raises:
        ValueError: ``images`` of the identity or of a generator is no permutation of 0 ... degree-1, ``images`` is no
            homomorphism, or the group is not discrete.

    Example:
        >>> from equiv.groups import cyclic
        >>> by_two = permutation(cyclic(3), 6, lambda g: (jnp.arange(6) + 2 * g) % 6)
        >>> by_two.act(jnp.array(1), jnp.arange(6.0)).tolist()
        [4.0, 5.0, 0.0, 1.0, 2.0, 3.0]
    """
    return _permuting(group, degree, images, name or f"permutation({group}, {degree})", _check_images)


def _permuting(
    group: Group,
    degree: int,
    images: Callable[[Element], jax.Array],
    name: str,
    check: Callable[[Group, str, Callable], None] = lambda *_: None,
) -> Rep:
    degree = whole(degree, 1, "the number of permuted coordinates")
    if group.dim:
        raise ValueError(
            f"permutation needs a discrete group, "
            f"got {group} of dimension {group.dim}, which is connected near the identity"
        )
    with numerics.constants():
        first, others = jax.jit(lambda: (images(group.identity()), jax.vmap(images)(group.generators())))()
    moves = [np.asarray(first), *np.asarray(others)]
    for move in moves:
        if move.shape != (degree,) or not np.array_equal(np.sort(move), np.arange(degree)):
            raise ValueError(f"images(g) has to be a permutation of 0 ... {degree - 1}, got {move.tolist()}")
    check(group, name, images)
    return intern(
        Rep(
            spec=("permutation", group, degree, np.stack(moves).astype(np.int32).tobytes()),
            group=group,
            name=name,
            dim=degree,
            orthogonal=True,
            one=lambda g, v: v[images(group.inverse(g))],
        )
    )


def _check_images(group: Group, name: str, images: Callable[[Element], jax.Array]) -> None:
    """ValueError unless ``images(g s) = images(g) images(s)`` for generators s and all (or 64 drawn) g.

    Equal images of the generators make equal representations, so what is wrong elsewhere must not get in.
    """

    @jax.jit
    def sides(steps: Element, g: Element) -> tuple[jax.Array, jax.Array]:
        each = jax.vmap(images)
        at_g = each(g)
        pairs = jax.vmap(lambda s: (each(jax.vmap(lambda a: group.compose(a, s))(g)), at_g[:, images(s)]))
        return pairs(steps)

    with numerics.constants():
        few = group.order is not None and group.order <= 1000
        g = group.elements() if few else group.sample(jax.random.key(0), (64,))
        together, apart = map(np.asarray, sides(group.generators(), g))
    if not np.array_equal(together, apart):
        raise ValueError(
            f"images of {name} has to be a homomorphism, images(g h)[i] = images(g)[images(h)[i]], "
            f"got others at {np.sum(np.any(together != apart, axis=-1))} of {together[..., 0].size} products"
        )


@functools.cache
def regular(group: Group) -> Rep:
    """The regular representation: functions on the group, ``(g v)[g h] = v[h]``, in the order of ``group.elements()``.

    For ``shifts(shape)`` these are the row-major images on the grid.

    Args:
        group: a finite group.

    Raises:
        ValueError: the group is infinite.

    Example:
        >>> from equiv.groups import dihedral
        >>> regular(dihedral(4)).dim
        8
    """
    if group.order is None:
        raise ValueError(f"the regular representation needs a finite group, got {group}")

    def images(g: Element) -> jax.Array:
        every = group.elements(floating(g))
        moved = jax.vmap(lambda h: group.compose(g, h))(every)
        return group.index(moved)

    return _permuting(group, group.order, images, name=f"regular({group})")


@functools.cache
def pixels(group: Group, side: int) -> Rep:
    """A square image of ``side`` x ``side`` pixels, row by row, turned and mirrored.

    The first column is left, the first row at the top. The rotation k turns the picture counter-clockwise by 2 pi k /
    n; the mirror turns it upside down, (x, y) -> (x, -y), as in ``standard``.

    Args:
        group: ``cyclic(n)`` or ``dihedral(n)`` with n = 1, 2 or 4.
        side: pixels along an edge.

    Raises:
        ValueError: another group: its rotations do not map pixels to pixels.

    Example:
        >>> from equiv.groups import cyclic
        >>> pixels(cyclic(4), 2).act(jnp.array(1), jnp.array([1.0, 2.0, 3.0, 4.0])).reshape(2, 2).tolist()
        [[2.0, 4.0], [1.0, 3.0]]
    """
    side = whole(side, 1, "the side of an image")
    family, n = group.spec[0], group.spec[1]
    if family not in ("cyclic", "dihedral") or n not in (1, 2, 4):
        raise ValueError(
            f"pixels needs cyclic(n) or dihedral(n) with n = 1, 2 or 4, which map pixels to pixels; got {group}"
        )
    pictures = np.arange(side * side).reshape(side, side)
    turned = [np.rot90(pictures, k * 4 // n).ravel() for k in range(n)]
    mirrored = [np.rot90(pictures[::-1], k * 4 // n).ravel() for k in range(n)]
    sources = np.stack(
        turned + mirrored if family == "dihedral" else turned
    )  # pixel i of the moved picture shows sources[g, i]
    images = np.argsort(sources, axis=1).astype(np.int32)
    return _permuting(group, side * side, lambda g: jnp.asarray(images)[g], name=f"pixels({group}, {side})")


def restrict(rep: Rep, homomorphism: Homomorphism) -> Rep:
    """The representation of the source: ``g`` acts as ``rho(map(g))``.

    Args:
        rep: a representation of the homomorphism's target.
        homomorphism: ``inclusion(subgroup, group)``, a ``projection``, or a composition.

    Raises:
        ValueError: ``rep`` is one of another group.

    Example:
        >>> from equiv.groups import cyclic, inclusion, so
        >>> restrict(standard(so(2)), inclusion(cyclic(4), so(2))).dim
        2
    """
    if rep.group != homomorphism.target:
        raise ValueError(
            f"restrict needs a representation of {homomorphism.target}, where {homomorphism} ends, "
            f"got {rep} of {rep.group}"
        )
    if homomorphism.source == homomorphism.target and homomorphism.spec[0] == "inclusion":
        return rep
    along, subgroup = functools.partial(restrict, homomorphism=homomorphism), homomorphism.source
    kind = rep.spec[0]
    if kind == "scalar":
        return scalar(subgroup)
    if kind == "sum":
        parts = (part for one, copies in rep.summands for part in (copies * along(one)).summands)
        return _sum(tuple(parts), subgroup)
    if kind == "tensor":
        return _tensor(tuple(along(factor) for factor in rep.factors), subgroup)
    if kind == "dual" and along(rep.spec[1]).spec[0] != "restriction":
        return along(rep.spec[1]).dual
    if kind == "standard" and homomorphism.spec[0] == "inclusion" and _of_matrices(subgroup):
        # Matrices of the same size act as they are; smaller ones sit in the upper left corner.
        rest = rep.dim - subgroup.shape[0]
        return standard(subgroup) + scalar(subgroup, rest) if rest else standard(subgroup)
    return intern(
        Rep(
            spec=("restriction", rep, homomorphism),
            group=homomorphism.source,
            name=f"restrict({rep}, {homomorphism.source})",
            dim=rep.dim,
            orthogonal=rep.orthogonal,
            one=lambda g, v: rep.one(homomorphism.map(g, v.dtype), v),
        )
    )


def character(rep: Rep, g: Element) -> Shaped[Array, "..."]:
    """The character ``chi(g) = tr rho(g)``.

    Args:
        rep: the representation.
        g: elements, any batch axes.

    Example:
        >>> from equiv.groups import cyclic
        >>> character(regular(cyclic(3)), jnp.arange(3)).tolist()
        [3.0, 0.0, 0.0]
    """
    return jnp.trace(rep.matrix(g), axis1=-2, axis2=-1)


@functools.cache
def algebra(rep: Rep) -> np.ndarray:
    """The Lie algebra's matrices ``d rho(e_k) = d/dt rho(exp(t e_k))`` at ``t = 0``, in float64.

    Sums, products and duals of the standard representation of a matrix group and of irreps are written down; any other
    action is differentiated.

    Args:
        rep: the representation.

    Returns:
        (group.dim, dim, dim).

    Raises:
        ValueError: the action is not the exponential of its derivative, for instance because it goes through Euler
            angles, which have none at the identity.

    Example:
        >>> from equiv.groups import so
        >>> algebra(standard(so(2))).round(6).tolist()
        [[[0.0, -1.0], [1.0, 0.0]]]
    """
    kind, d = rep.spec[0], rep.group.dim
    if d == 0 or kind == "scalar":
        return np.zeros((d, rep.dim, rep.dim))
    if kind == "standard":
        return rep.group.lie()
    if rep.constants is not None:
        return rep.constants()[0]
    if kind == "dual":
        return -algebra(rep.spec[1]).swapaxes(1, 2)
    if kind == "sum":
        parts = [(algebra(one), copies) for one, copies in rep.summands]
        blocks = [[a[k] for a, n in parts for _ in range(n)] for k in range(d)]
        return np.stack([scipy.linalg.block_diag(np.zeros((0, 0)), *each) for each in blocks])
    if kind == "tensor":
        total = np.zeros((d, 1, 1))
        for factor in rep.factors:
            total = _kron(total, np.eye(factor.dim)[None]) + _kron(np.eye(total.shape[1])[None], algebra(factor))
        return total
    if kind == "restriction" and rep.spec[2].spec[0] == "unembed":  # both algebras have the same coordinates
        return algebra(rep.spec[1])
    if kind == "restriction" and _of_matrices(rep.spec[2].target):
        return np.einsum("jk,kab->jab", _slopes(rep.spec[2]), algebra(rep.spec[1]))
    x = np.cos(1.0 + np.arange(d)) / d**0.5
    rho = lambda x: rep.matrix(rep.group.exp(x))
    with numerics.constants():
        tangent, value = jax.jit(lambda x: (jax.jacfwd(rho)(jnp.zeros_like(x)), rho(x)))(jnp.asarray(x))
    slopes = np.moveaxis(np.asarray(tangent), -1, 0)
    expected = scipy.linalg.expm(np.einsum("k,kij->ij", x, np.nan_to_num(slopes)))
    if not np.abs(np.asarray(value) - expected).max() <= 1e-6 * np.abs(expected).max():
        raise ValueError(
            f"{rep} of {rep.group} is not the exponential of its derivative at the identity: "
            f"write the action so that jax can differentiate it there, or check that it is a representation"
        )
    return slopes


@functools.cache
def _slopes(homomorphism: Homomorphism) -> np.ndarray:
    """The derivative at the identity of a homomorphism to a matrix group: (source.dim, target.dim), in coordinates."""
    source, lie = homomorphism.source, homomorphism.target.lie()
    moved = lambda x: homomorphism.map(source.exp(x), x.dtype)
    with numerics.constants():
        tangent = jax.jit(lambda: jax.jacfwd(moved)(jnp.zeros(source.dim)))()
    flat = np.asarray(tangent).reshape(-1, source.dim)
    return (np.linalg.pinv(lie.reshape(len(lie), len(flat)).T) @ flat).T


@functools.cache
def generators(rep: Rep) -> np.ndarray:
    """The matrices of the discrete generators, in float64; with ``algebra`` they say what it takes to be equivariant.

    Args:
        rep: the representation.

    Returns:
        (number of generators, dim, dim).

    Example:
        >>> from equiv.groups import cyclic
        >>> generators(regular(cyclic(2))).tolist()
        [[[0.0, 1.0], [1.0, 0.0]]]
    """
    kind = rep.spec[0]
    if kind == "tensor":
        return functools.reduce(_kron, map(generators, rep.factors))
    if kind == "sum":
        parts = [(generators(one), copies) for one, copies in rep.summands]
        count = len(parts[0][0]) if parts else 0
        every = [scipy.linalg.block_diag(*(h[k] for h, n in parts for _ in range(n))) for k in range(count)]
        return np.stack(every) if every else np.zeros((0, rep.dim, rep.dim))
    if kind == "dual":
        return np.linalg.inv(generators(rep.spec[1])).swapaxes(1, 2)
    if kind == "restriction" and rep.spec[2].spec[0] == "unembed":
        return generators(rep.spec[1])
    if kind == "permutation":  # e_i goes to e_images[i]
        images = np.frombuffer(rep.spec[3], np.int32).reshape(-1, rep.dim)[1:]
        return np.eye(rep.dim)[:, images].swapaxes(0, 1)
    if rep.constants is not None:
        return rep.constants()[1]
    with numerics.constants():
        if kind == "standard":
            return np.asarray(rep.group.generators())
        if not jax.tree.leaves(jax.eval_shape(rep.group.generators))[0].shape[0]:
            return np.zeros((0, rep.dim, rep.dim))
        return np.asarray(jax.jit(lambda: rep.matrix(rep.group.generators()))())


def _kron(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Kronecker products of the matrices of two stacks, pair by pair."""
    both = a[:, :, None, :, None] * b[:, None, :, None, :]
    return both.reshape(len(both), a.shape[1] * b.shape[1], a.shape[2] * b.shape[2])
