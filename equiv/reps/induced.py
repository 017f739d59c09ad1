"""Induced representations: from a subgroup H, which acts on V, to the group G.

``restrict`` forgets all elements outside of H; ``induce`` is the other way round. For finite groups the induced space
is one copy of V for each coset ``g_i H``, and G moves the copies around while H acts inside of them:

    g g_i = g_j h   with j = j_g(i), h = h_i(g) in H,
    pi(g) sum_i g_i v_i = sum_i g_{j_g(i)} rho(h_i(g)) v_i.

Functions on the cosets are the representation induced from the scalars, functions on G that from the trivial subgroup;
the lift of an image with an n-fold symmetry to a signal on a solid is an induction from C_n.

*Frobenius reciprocity*: ``Hom_H(V, Res W) = Hom_G(Ind V, W)``. An H-map ``Phi: V -> W`` is a G-map ``Psi: Ind V -> W``
after the unit ``eta: V -> Ind V``, which puts v at the coset of the identity; ``coset_unit`` is eta, ``coset_factor``
finds Psi, which is unique. Both sides have bases in ``equiv.reps.intertwiners``.

*From SO(2) to SO(3)* the induced space has infinite dimension: over the real numbers ``Ind rho_0 = sum_l D^l`` and
``Ind rho_k = sum_{l >= k} 2 D^l`` for k >= 1, since two maps, a rotation apart, lead from rho_k to ``Res D^l``. The
numbers 1, 2 and 0 are ``frobenius_number``, the maps ``branching_maps``. ``induced_truncated`` stops at a degree; there
``unit`` and ``factor`` are what ``coset_unit`` and ``coset_factor`` are for finite groups.

Coordinates. The cosets stand in the order of their first elements in ``G.elements()``, and these are the g_i; H itself
comes first, with the identity. The coordinates of one coset are next to each other. A sum is induced summand by
summand, as everywhere in the library: a vector of ``induce(3 * V + W, f)`` is three vectors of ``induce(V, f)``, then
one of ``induce(W, f)``.

Reference: Serre, Linear Representations of Finite Groups, 1977, chapters 3 and 7; Howell, Klee, Biza, Zhao, Walters,
NeurIPS 2023 (arXiv 2307.03704), for induction as a layer.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from equiv import numerics
from equiv.groups import Element, Homomorphism, so
from equiv.groups.base import intern
from equiv.groups.finite import whole
from equiv.reps.base import Rep, empty
from equiv.reps.irreps import so3

__all__ = [
    "branching_maps",
    "coset_factor",
    "coset_unit",
    "cosets",
    "factor",
    "frobenius_number",
    "induce",
    "induced_truncated",
    "unit",
]

_MAX_PRODUCTS = 10_000_000
"""Products of two elements in one table, 40 MB."""
_MEMBER = 1e-2
"""How far rounding may take an element from the listed one before the action is NaN."""


# --- cosets ----------------------------------------------------------------------------------------------------------


def _products(group: Any, left: Element, right: Element) -> np.ndarray:
    """The positions of all products, (left, right)."""

    @jax.jit
    def positions(left: Element, right: Element) -> jax.Array:
        row = lambda a: group.index(jax.vmap(lambda b: group.compose(a, b))(right))
        return jax.lax.map(row, left)

    return np.asarray(positions(left, right))


@functools.cache
def _tables(homomorphism: Homomorphism) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(representatives, sources, numbers)``: positions of the g_i, and what comes to each coset under each element.

    Under element g of the list, coset j gets ``rho(h)`` of coset ``sources[g, j]``, h the element ``numbers[g, j]`` of
    the subgroup's list.
    """
    subgroup, group = homomorphism.source, homomorphism.target
    if group.order is None or subgroup.order is None:
        raise ValueError(f"induction by cosets needs finite groups, got {homomorphism}; restrict to a finite subgroup")
    larger = max(subgroup.order, group.order // subgroup.order)
    if group.order * larger > _MAX_PRODUCTS:
        raise ValueError(
            f"induction along {homomorphism} takes {group.order * larger} products of elements, "
            f"more than the {_MAX_PRODUCTS} that are listed; go through a subgroup in between"
        )
    with numerics.constants():
        every, small = group.elements(np.float64), subgroup.elements(np.float64)
        images = homomorphism.map(small, np.float64)
        shifted = _products(group, every, images)  # g h
        inside = shifted[0]
        away = np.asarray(group.distance(images, jax.tree.map(lambda leaf: leaf[inside], every)))
        if not (away < _MEMBER).all() or not np.array_equal(shifted[inside], inside[_products(subgroup, small, small)]):
            raise ValueError(f"{homomorphism} has to be a homomorphism, map(g h) = map(g) map(h), and it is not")
        if len(np.unique(inside)) < subgroup.order:
            raise ValueError(f"induction needs the inclusion of a subgroup, but {homomorphism} is not one to one")
        representatives = np.unique(shifted.min(axis=1))
        moved = _products(group, every, jax.tree.map(lambda leaf: leaf[representatives], every))  # g g_i
    coset, number = np.empty((2, group.order), np.int32)
    coset[shifted[representatives]] = np.arange(len(representatives))[:, None]
    number[shifted[representatives]] = np.arange(subgroup.order)[None]
    sources = np.argsort(coset[moved], axis=1).astype(np.int32)
    return representatives.astype(np.int32), sources, np.take_along_axis(number[moved], sources, axis=1)


def cosets(homomorphism: Homomorphism, dtype: Any = float) -> Element:
    """The representatives g_i of the cosets ``g_i H``, stacked, in the order of the copies in ``induce``.

    Args:
        homomorphism: the inclusion of H in a finite group G.
        dtype: used where elements are float.

    Returns:
        [G : H] elements of G, the identity first.

    Raises:
        ValueError: as ``induce``.

    Example:
        >>> from equiv.groups import cyclic, inclusion
        >>> cosets(inclusion(cyclic(2), cyclic(6))).tolist()
        [0, 1, 2]
    """
    representatives = _tables(homomorphism)[0]
    return jax.tree.map(lambda leaf: leaf[representatives], homomorphism.target.elements(dtype))


# --- induction -------------------------------------------------------------------------------------------------------


def induce(rep: Rep, homomorphism: Homomorphism) -> Rep:
    """The representation of the larger group that one of a subgroup induces, ``Ind V = sum_i g_i V``.

    ``pi(g) sum_i g_i v_i = sum_i g_{j_g(i)} rho(h_i(g)) v_i``  with  ``g g_i = g_{j_g(i)} h_i(g)``

    Args:
        rep: a representation of the subgroup, where the homomorphism starts.
        homomorphism: ``inclusion(subgroup, group)``, ``powers(group, g)``, or a composition; one to one, between
            finite groups.

    Returns:
        A representation of the target of dimension ``[G : H] rep.dim``, orthogonal if ``rep`` is. Elements are looked
        up in the list of the group; what is not there (NaN, a matrix that is no element) acts as NaN.

    Raises:
        ValueError: ``rep`` is one of another group; an infinite group; a map that is no homomorphism or not one to
            one; groups so large that there are more than 10,000,000 products of elements and representatives.

    Example:
        >>> from equiv.groups import cyclic, dihedral, inclusion
        >>> from equiv.reps import scalar, standard
        >>> turns = inclusion(cyclic(4), dihedral(4))
        >>> induce(standard(cyclic(4)), turns).dim
        4
        >>> induce(scalar(cyclic(4)), turns).act(jnp.array(4), jnp.array([1.0, 2.0])).tolist()  # a mirror
        [2.0, 1.0]

    Reference:
        Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023, supplement (arXiv 2307.03704).

    Differs from the paper: the matrices printed there for A4 compose from left to right, so that they are of the
        inverse elements; here ``pi(g h) = pi(g) pi(h)``.
    """
    if rep.group != homomorphism.source:
        raise ValueError(
            f"induce needs a representation of {homomorphism.source}, where {homomorphism} starts, "
            f"got {rep} of {rep.group}"
        )
    if homomorphism.source == homomorphism.target and homomorphism.spec[0] == "inclusion":
        return rep
    if rep.spec[0] == "sum":
        parts = [copies * induce(one, homomorphism) for one, copies in rep.summands]
        return functools.reduce(lambda a, b: a + b, parts)
    subgroup, group = homomorphism.source, homomorphism.target
    _, sources, numbers = _tables(homomorphism)

    def one(g: Element, v: jax.Array) -> jax.Array:
        at, every = group.index(g), group.elements(v.dtype)
        away = group.distance(g, jax.tree.map(lambda leaf: leaf[at], every))
        h = jax.tree.map(lambda leaf: leaf[jnp.asarray(numbers)[at]], subgroup.elements(v.dtype))
        copies = v.reshape(-1, rep.dim)[jnp.asarray(sources)[at]]
        moved = jax.vmap(rep.one)(h, copies).ravel()
        return jnp.where(away < _MEMBER, moved, jnp.nan) if jnp.issubdtype(v.dtype, jnp.floating) else moved

    return intern(
        Rep(
            spec=("induction", rep, homomorphism),
            group=group,
            name=f"induce({rep}, {group})",
            dim=sources.shape[1] * rep.dim,
            orthogonal=rep.orthogonal,
            one=one,
        )
    )


# --- Frobenius reciprocity -------------------------------------------------------------------------------------------


def _places(rep: Rep, homomorphism: Homomorphism) -> np.ndarray:
    """Where the coordinates of each coset are in a vector of ``induce``: (cosets, dim)."""
    index, start, places = len(_tables(homomorphism)[0]), 0, []
    for one, copies in rep.summands:
        for _ in range(copies):
            places.append(index * start + np.arange(index * one.dim).reshape(index, one.dim))
            start += one.dim
    return np.concatenate(places, axis=1)


def coset_unit(rep: Rep, homomorphism: Homomorphism, dtype: Any = float) -> Float[Array, "n d"]:
    """The unit of induction ``eta: V -> Ind V``, v goes to the copy at the coset of the identity.

    It commutes with the subgroup, ``pi(h) eta = eta rho(h)``, and every map that does so factors through it.

    Args:
        rep: a representation of the subgroup.
        homomorphism: the inclusion of the subgroup in the group.
        dtype: of the matrix.

    Returns:
        The matrix, ([G : H] dim V, dim V).

    Raises:
        ValueError: as ``induce``.

    Example:
        >>> from equiv.groups import cyclic, inclusion
        >>> from equiv.reps import scalar
        >>> coset_unit(scalar(cyclic(2)), inclusion(cyclic(2), cyclic(6))).T.tolist()
        [[1.0, 0.0, 0.0]]
    """
    eta = np.zeros((induce(rep, homomorphism).dim, rep.dim))
    eta[_places(rep, homomorphism)[0], np.arange(rep.dim)] = 1
    return jnp.asarray(eta, dtype)


def coset_factor(
    phi: Float[Array, "m d"], rep_in: Rep, rep_out: Rep, homomorphism: Homomorphism
) -> Float[Array, "m n"]:
    """The only G-map with ``Psi eta = Phi``: ``Psi sum_i g_i v_i = sum_i sigma(g_i) Phi v_i``.

    Args:
        phi: (dim W, dim V), a map that commutes with the subgroup; of any other the result commutes with nothing.
        rep_in: V, a representation of the subgroup.
        rep_out: W, a representation of the group.
        homomorphism: the inclusion of the subgroup in the group.

    Returns:
        (dim W, [G : H] dim V), in Hom_G(Ind V, W).

    Raises:
        ValueError: as ``induce``; ``rep_out`` is one of another group; ``phi`` has another shape.

    Example:
        >>> from equiv.groups import cyclic, inclusion
        >>> from equiv.reps import regular, scalar
        >>> even = jnp.array([[1.0], [0.0], [1.0], [0.0]])  # invariant under the half turn of four
        >>> coset_factor(even, scalar(cyclic(2)), regular(cyclic(4)), inclusion(cyclic(2), cyclic(4))).tolist()
        [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    """
    induced = induce(rep_in, homomorphism)
    if rep_out.group != homomorphism.target:
        raise ValueError(
            f"coset_factor needs a representation of {homomorphism.target} to map to, got {rep_out} of {rep_out.group}"
        )
    if phi.shape != (rep_out.dim, rep_in.dim):
        raise ValueError(
            f"a map {rep_in} -> {rep_out} is a matrix of shape {(rep_out.dim, rep_in.dim)}, got {phi.shape}"
        )
    moved = jnp.matmul(rep_out.matrix(cosets(homomorphism, phi.dtype), phi.dtype), phi, precision="highest")
    psi = jnp.zeros((rep_out.dim, induced.dim), phi.dtype)
    return psi.at[:, _places(rep_in, homomorphism)].set(jnp.swapaxes(moved, 0, 1))


# --- from SO(2) to SO(3) ---------------------------------------------------------------------------------------------


def frobenius_number(k: int, l: int) -> int:
    """The dimension of ``Hom_SO(2)(rho_k, Res D^l)``, which is that of ``Hom_SO(3)(Ind rho_k, D^l)``, over the reals.

    1 for k = 0, 2 for 1 <= k <= l, and 0 for k > l. D^l is in ``Ind rho_k`` as often as this number, but rho_k is in
    ``Res D^l`` only once: over the real numbers the two tables are not transposes of each other.

    Args:
        k: the frequency of ``so2(k)``.
        l: the degree of ``so3(l)``.

    Raises:
        ValueError: a negative frequency or degree.

    Example:
        >>> [[frobenius_number(k, l) for l in range(4)] for k in range(3)]
        [[1, 1, 1, 1], [0, 2, 2, 2], [0, 0, 2, 2]]

    Reference:
        Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023 (arXiv 2307.03704), over the complex numbers; derived here.

    Differs from the paper: there the induction numbers are the transposed branching numbers, which over the reals is
        wrong by the factor 2.
    """
    k, l = whole(k, 0, "the frequency of frobenius_number"), whole(l, 0, "the degree of frobenius_number")
    return (2 if k else 1) if k <= l else 0


def branching_maps(k: int, l: int, dtype: Any = float) -> Float[Array, "maps n d"]:
    """A basis of ``Hom_SO(2)(rho_k, Res D^l)``, the turns being those about the polar axis.

    The pair of components (l + k, l - k) is ``p v + q J v``, with J the quarter turn: p for the first map, q for the
    second. For k = 0 the component l is v.

    Args:
        k: the frequency of ``so2(k)``.
        l: the degree of ``so3(l)``.
        dtype: of the matrices.

    Returns:
        (frobenius_number(k, l), 2l + 1, 1 or 2); none for k > l.

    Raises:
        ValueError: a negative frequency or degree.

    Example:
        >>> branching_maps(1, 1).astype(int).tolist()
        [[[0, 1], [0, 0], [1, 0]], [[1, 0], [0, 0], [0, -1]]]

    Reference:
        Derived here, for the basis of Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023 (arXiv 2307.03704).
    """
    maps = np.zeros((frobenius_number(k, l), 2 * l + 1, 2 if k else 1))
    if k == 0:
        maps[0, l, 0] = 1
    elif k <= l:
        maps[:, [l + k, l - k]] = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]]])
    return jnp.asarray(maps, dtype)


def induced_truncated(k: int, l_max: int) -> Rep:
    """The representation of SO(3) that rho_k induces, up to a degree: ``sum_{k <= l <= L} F(k, l) D^l``.

    F is ``frobenius_number``, 1 for k = 0 and 2 otherwise; the dimension is F times ``(L + 1)^2 - k^2``.

    Args:
        k: the frequency of ``so2(k)``.
        l_max: the highest degree L.

    Returns:
        A sum of ``so3(l)``, the copies of one degree next to each other. For k > L it is ``empty(so(3))``, the space
        {0}: of dimension 0, acting on arrays (..., 0).

    Raises:
        ValueError: a negative frequency or degree.

    Example:
        >>> print(induced_truncated(1, 2), induced_truncated(3, 2))
        2 * standard(SO(3)) + 2 * so3(2) 0

    Reference:
        Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023 (arXiv 2307.03704).
    """
    k, l_max = whole(k, 0, "the frequency of induced_truncated"), whole(l_max, 0, "the degree of induced_truncated")
    return functools.reduce(
        lambda a, b: a + b, (frobenius_number(k, l) * so3(l) for l in range(k, l_max + 1)), empty(so(3))
    )


def unit(k: int, l_max: int, dtype: Any = float) -> Float[Array, "n d"]:
    """The unit ``eta: rho_k -> Res Ind rho_k`` of the truncated induction, ``eta(v) = sum_{l, i} B_{l,i} v``.

    ``B_{l,i}`` are the ``branching_maps``, one for each copy. It commutes with SO(2), the rotations of its image span
    the whole space, and every map that commutes with SO(2) factors through it in one way (``factor``). Without a
    highest degree eta(v) would be a delta function at the pole, and not square integrable.

    Args:
        k: the frequency of ``so2(k)``.
        l_max: the highest degree L.
        dtype: of the matrix.

    Returns:
        The matrix, (induced_truncated(k, l_max).dim, 1 or 2).

    Raises:
        ValueError: a negative frequency or degree.

    Example:
        >>> unit(0, 1)[:, 0].tolist()
        [1.0, 0.0, 1.0, 0.0]

    Reference:
        Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023 (arXiv 2307.03704); for band-limited spaces derived here.
    """
    k, l_max = whole(k, 0, "the frequency of unit"), whole(l_max, 0, "the degree of unit")
    blocks = [branching_maps(k, l, dtype).reshape(-1, 2 if k else 1) for l in range(l_max + 1)]
    return jnp.concatenate(blocks)


def factor(phi: Float[Array, "m d"], k: int, l_max: int, rep_out: Rep) -> Float[Array, "m n"]:
    """The only SO(3)-map with ``Psi eta = Phi``, eta the ``unit``.

    In degree l, ``Phi = sum_i c_i B_{l,i}``, and Psi is c_i times the identity on copy i of D^l.

    Args:
        phi: (dim W, 1 or 2), a map from rho_k that commutes with SO(2); of any other it is Psi of the nearest such map.
        k: the frequency of ``so2(k)``.
        l_max: the highest degree L of the induced representation.
        rep_out: W, a sum of ``so3(l)`` with l <= L.

    Returns:
        (dim W, induced_truncated(k, l_max).dim), in Hom_SO(3)(Ind rho_k, W).

    Raises:
        ValueError: a negative frequency or degree; another W; ``phi`` has another shape.

    Example:
        >>> phi = jnp.array([[0.0], [3.0], [0.0], [5.0]])  # y of a vector, and a number: what turns about y leave alone
        >>> psi = factor(phi, 0, 1, so3(1) + so3(0))
        >>> psi[:, 0].tolist(), bool(jnp.allclose(psi @ unit(0, 1), phi))
        ([0.0, 0.0, 0.0, 5.0], True)

    Reference:
        Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023 (arXiv 2307.03704); for band-limited spaces derived here.
    """
    induced, width = induced_truncated(k, l_max), 2 if k else 1
    degrees = []
    for one, copies in rep_out.summands:
        l = (one.dim - 1) // 2
        if one != so3(l) or l > l_max:
            raise ValueError(
                f"factor needs a sum of so3(l) with l <= {l_max} to map to, got {rep_out} with {one} in it"
            )
        degrees += [l] * copies
    if phi.shape != (rep_out.dim, width):
        raise ValueError(f"a map so2({k}) -> {rep_out} is a matrix of shape {(rep_out.dim, width)}, got {phi.shape}")
    rows = [jnp.zeros((0, induced.dim), phi.dtype)]
    start = 0
    for l in degrees:
        size = 2 * l + 1
        maps = branching_maps(k, l, phi.dtype)
        c = jnp.einsum("ind,nd->i", maps, phi[start : start + size]) / width
        before = induced_truncated(k, l - 1).dim if l else 0
        block = (c[None, :, None] * jnp.eye(size, dtype=phi.dtype)[:, None, :]).reshape(size, -1)
        rows.append(jnp.pad(block, ((0, 0), (before, induced.dim - before - block.shape[1]))))
        start += size
    return jnp.concatenate(rows)
