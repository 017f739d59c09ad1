"""Hom_G(V, W): an orthonormal basis of the linear maps M with ``rho_W(g) M = M rho_V(g)`` for all g.

Direct sums are solved summand by summand, and equal pairs of summands share one solution, so only *atoms* are ever
solved: pairs of representations that are no sums. There are two routes, chosen by what the actions do:

* **Orbits** (exact). If both actions move coordinates around, up to sign (permutations, images, regular
  representations), a map is equivariant exactly if its entries agree along the orbits of index pairs (i, j). The
  orbits are the connected components of the graph on signed pairs whose edges are the generators; an orbit that meets
  its own negative carries no map. Integers only.
* **Null space** (generic). The Gram matrix of the linear constraints, from the generators and the Lie algebra, is
  diagonalised in float64 and refined in extended precision. Its spectrum has to show a gap between 0 and the rest;
  without one there is an error and no guess.

A basis element is a (dim W, dim V) matrix; they are orthonormal in the Frobenius product ``<A, B> = sum_ij A_ij B_ij``.

Reference: Maron, Ben-Hamu, Shamir, Lipman, Invariant and Equivariant Graph Networks, ICLR 2019 (arXiv 1812.09902), for
orbits of index tuples; Finzi, Welling, Wilson, ICML 2021 (arXiv 2104.09459), for generators as constraints.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from equiv import numerics
from equiv.reps.base import Rep, algebra, scalar

__all__ = ["Basis", "average", "basis", "constraints", "invariants", "moves"]

_MAX_UNKNOWNS = 2500
_ZERO, _NONZERO = 1e-11, 1e-8
"""Relative eigenvalues of the Gram matrix: below the first is null, above the second is not, between is an error."""


@dataclasses.dataclass(frozen=True)
class Orbits:
    """Maps with disjoint supports: entry (i, j) is ``values[i, j] * c[labels[i, j]]``."""

    dim: int
    labels: np.ndarray = dataclasses.field(repr=False)
    values: np.ndarray = dataclasses.field(repr=False)

    def combine(self, c: jax.Array) -> jax.Array:
        padded = jnp.concatenate([c, jnp.zeros((*c.shape[:-1], 1), c.dtype)], axis=-1)
        values = jnp.asarray(self.values, c.dtype).reshape((1,) * (c.ndim - 1) + self.values.shape)
        return padded[..., jnp.asarray(self.labels)] * values

    def coefficients(self, w: jax.Array) -> jax.Array:
        flat = (w * jnp.asarray(self.values, w.dtype).reshape((1,) * (w.ndim - 2) + self.values.shape)).reshape(
            *w.shape[:-2], -1
        )
        zeros = jnp.zeros((*w.shape[:-2], self.dim + 1), w.dtype)
        return zeros.at[..., jnp.asarray(self.labels).ravel()].add(flat)[..., :-1]


@dataclasses.dataclass(frozen=True)
class Dense:
    """An atom given by its maps, (dim, rows, columns)."""

    dim: int
    maps: np.ndarray = dataclasses.field(repr=False)

    def combine(self, c: jax.Array) -> jax.Array:
        return jnp.einsum("...k,kij->...ij", c, jnp.asarray(self.maps, c.dtype))

    def coefficients(self, w: jax.Array) -> jax.Array:
        return jnp.einsum("...ij,kij->...k", w, jnp.asarray(self.maps, w.dtype))


def moves(rep: Rep) -> tuple[np.ndarray, np.ndarray] | None:
    """Where the generators send the coordinates, if the action moves coordinates around up to sign.

    Read off the action: it is applied to the numbers 1 ... dim, and the answer is checked on a random vector. A Lie
    algebra has to act by zero.

    Args:
        rep: any representation.

    Returns:
        ``(images, signs)``, each (number of generators, dim): generator k sends e_i to ``signs[k, i] e_images[k, i]``.
        None if the action mixes coordinates.

    Example:
        >>> from equiv.groups import cyclic, so
        >>> from equiv.reps import regular, standard
        >>> moves(regular(cyclic(3)))[0].tolist()
        [[1, 2, 0]]
        >>> moves(standard(so(3))) is None
        True
    """
    return _moves(rep)


@functools.cache
def _moves(rep: Rep) -> tuple[np.ndarray, np.ndarray] | None:
    group = rep.group
    probe = np.random.default_rng(0).normal(size=rep.dim)

    @jax.jit
    def moved(vectors: jax.Array) -> jax.Array:
        steps = group.generators()
        spread = jax.tree.map(lambda leaf: leaf[:, None], steps)
        return rep.act(spread, vectors[None])

    with numerics.constants():
        named, tested = np.moveaxis(
            np.asarray(moved(jnp.asarray(np.stack([np.arange(1.0, rep.dim + 1), probe])))), 1, 0
        )
    if np.abs(algebra(rep)).max(initial=0.0) > 1e-12:
        return None
    sources = np.rint(np.abs(named)).astype(int) - 1  # coordinate j of the moved vector came from sources[j]
    if not all(np.array_equal(np.sort(row), np.arange(rep.dim)) for row in sources):
        return None
    signs_at = np.sign(named)
    if not np.allclose(
        np.take_along_axis(np.broadcast_to(probe, sources.shape), sources, 1) * signs_at, tested, atol=1e-12
    ):
        return None
    images = np.argsort(sources, axis=1)
    return images, np.take_along_axis(signs_at, images, axis=1).astype(int)


def _orbits(rep_in: Rep, rep_out: Rep, move_in: tuple, move_out: tuple) -> Orbits:
    n = rep_out.dim * rep_in.dim
    starts, ends = [], []
    pairs = np.arange(n).reshape(rep_out.dim, rep_in.dim)
    for to_out, sign_out, to_in, sign_in in zip(*move_out, *move_in):
        target = (to_out[:, None] * rep_in.dim + to_in[None, :]).ravel()
        flips = (sign_out[:, None] != sign_in[None, :]).ravel()
        for sign in (0, 1):
            starts.append(2 * pairs.ravel() + sign)
            ends.append(2 * target + (sign ^ flips))
    rows = np.concatenate(starts) if starts else np.zeros(0, int)
    columns = np.concatenate(ends) if ends else np.zeros(0, int)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(2 * n, 2 * n))
    _, component = connected_components(graph, directed=False)
    component = component.reshape(n, 2)
    alive = component[:, 0] != component[:, 1]
    orbit = np.where(alive, component.min(axis=1), -1)  # a component and its negative are one orbit
    _, first, label = np.unique(orbit[alive], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))  # orbits in the order of their first index pair
    labels = np.full(n, -1)
    labels[alive] = rank[label]
    sizes = np.bincount(labels[alive], minlength=len(first))
    leaders = np.sort(first)
    positive = component[alive][leaders, 0]  # the component of +(first pair of each orbit)
    values = np.zeros(n)
    values[alive] = np.where(component[alive, 0] == positive[labels[alive]], 1, -1) / np.sqrt(sizes[labels[alive]])
    shape = (rep_out.dim, rep_in.dim)
    return Orbits(
        len(first),
        np.where(labels < 0, len(first), labels).astype(np.int32).reshape(shape),
        values.reshape(shape),
    )


def _null_space(rep_in: Rep, rep_out: Rep) -> Dense:
    group, n = rep_in.group, rep_out.dim * rep_in.dim
    if n > _MAX_UNKNOWNS:
        raise ValueError(
            f"the maps {rep_in} -> {rep_out} have {n} entries, "
            f"more than the {_MAX_UNKNOWNS} that the null-space route can take; "
            f"split the representations into direct sums of smaller ones"
        )
    with numerics.constants():
        every = jax.jit(lambda: tuple(rep.matrix(group.generators()) for rep in (rep_out, rep_in)))()
    parts = [tuple(map(np.asarray, every))]
    parts.append((algebra(rep_out), algebra(rep_in)))
    gram = np.zeros((n, n))
    eye_out, eye_in = np.eye(rep_out.dim), np.eye(rep_in.dim)
    for outs, ins in parts:
        for a, b in zip(outs, ins):
            constraint = np.kron(a, eye_in) - np.kron(eye_out, b.T)
            gram += constraint.T @ constraint
    spectrum, vectors = np.linalg.eigh(gram)
    relative = spectrum / max(spectrum[-1], 1e-300) if spectrum[-1] > 1e-20 else np.zeros(n)
    unclear = relative[(relative > _ZERO) & (relative < _NONZERO)]
    if len(unclear):
        shown = ", ".join(f"{value:.1e}" for value in relative[: 2 + int(np.sum(relative < _NONZERO))])
        raise ValueError(
            f"the equivariant maps {rep_in} -> {rep_out} of {group} cannot be told from nearly equivariant ones: "
            f"the constraints' relative spectrum starts {shown}, "
            f"and a gap from below {_ZERO:g} to above {_NONZERO:g} is needed; check the generators"
        )
    dim = int(np.sum(relative <= _ZERO))
    return Dense(dim, _refined(parts, spectrum[dim:], vectors, (rep_out.dim, rep_in.dim)))


def _refined(parts: list, spectrum: np.ndarray, vectors: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The null vectors, right to the last bit.

    One Newton step in extended precision for the constraints, and one for orthonormality.
    """
    dim = vectors.shape[1] - len(spectrum)
    maps = vectors[:, :dim].T.reshape(dim, *shape).astype(np.longdouble)
    if not maps.size:
        return maps.astype(float)
    slope = np.zeros_like(maps)
    for outs, ins in parts:
        for a, b in zip(np.asarray(outs, np.longdouble), np.asarray(ins, np.longdouble)):
            residual = a @ maps - maps @ b
            slope += a.T @ residual - residual @ b.T
    others = vectors[:, dim:]
    step = (others / spectrum) @ (others.T @ slope.reshape(dim, -1).T.astype(float))
    flat = maps.reshape(dim, -1) - step.T
    return (flat + (np.eye(dim) - flat @ flat.T) @ flat / 2).reshape(dim, *shape).astype(float)


@functools.cache
def _atom(rep_in: Rep, rep_out: Rep) -> Orbits | Dense:
    move_in, move_out = moves(rep_in), moves(rep_out)
    if move_in is not None and move_out is not None:
        return _orbits(rep_in, rep_out, move_in, move_out)
    return _null_space(rep_in, rep_out)


@dataclasses.dataclass(frozen=True)
class Block:
    """One pair of summands: where it sits, how often it is repeated, and its atom."""

    rows: slice
    columns: slice
    copies_out: int
    copies_in: int
    atom: Any
    span: slice  # its coefficients, (copies_out, copies_in, atom.dim) row by row

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.copies_out, self.copies_in, self.atom.dim


@dataclasses.dataclass(frozen=True)
class Basis:
    """An orthonormal basis of Hom_G(rep_in, rep_out).

    Attributes:
        rep_in: V.
        rep_out: W.
        dim: how many basis maps.
        blocks: the pairs of summands.
    """

    rep_in: Rep
    rep_out: Rep
    dim: int
    blocks: tuple[Block, ...] = dataclasses.field(repr=False)

    def combine(self, c: Float[Array, "dim"]) -> Float[Array, "out in"]:
        """The map with coefficients ``c``, ``sum_k c_k B_k``.

        Raises:
            ValueError: ``c`` does not have one number per basis map.

        Example:
            >>> from equiv.groups import cyclic
            >>> from equiv.reps import regular
            >>> circulant = basis(regular(cyclic(3)), regular(cyclic(3)))
            >>> (3**0.5 * circulant.combine(jnp.array([1.0, 2.0, 3.0]))).round(4).tolist()
            [[1.0, 2.0, 3.0], [3.0, 1.0, 2.0], [2.0, 3.0, 1.0]]
        """
        if c.shape != (self.dim,):
            raise ValueError(
                f"the basis of {self.rep_in} -> {self.rep_out} has {self.dim} maps, got coefficients of shape {c.shape}"
            )
        bands: dict[int, list[jax.Array]] = {}
        for block in self.blocks:
            grid = block.atom.combine(c[block.span].reshape(block.shape))  # (copies_out, copies_in, rows, columns)
            rows, columns = block.rows.stop - block.rows.start, block.columns.stop - block.columns.start
            bands.setdefault(block.rows.start, []).append(jnp.swapaxes(grid, 1, 2).reshape(rows, columns))
        return jnp.concatenate([jnp.concatenate(band, axis=1) for band in bands.values()], axis=0)

    def coefficients(self, w: Float[Array, "out in"]) -> Float[Array, "dim"]:
        """``<B_k, w>`` for every basis map; the inverse of ``combine`` on equivariant maps.

        Raises:
            ValueError: ``w`` is not a (dim W, dim V) matrix.
        """
        if w.shape != (self.rep_out.dim, self.rep_in.dim):
            raise ValueError(
                f"a map {self.rep_in} -> {self.rep_out} is a matrix of shape {(self.rep_out.dim, self.rep_in.dim)}, "
                f"got {w.shape}"
            )
        found = []
        for block in self.blocks:
            grid = w[block.rows, block.columns]
            grid = grid.reshape(block.copies_out, -1, block.copies_in, grid.shape[1] // block.copies_in)
            found.append(block.atom.coefficients(jnp.swapaxes(grid, 1, 2)).ravel())
        return jnp.concatenate(found)

    def project(self, w: Float[Array, "out in"]) -> Float[Array, "out in"]:
        """The equivariant map nearest to ``w`` in the Frobenius norm.

        Raises:
            ValueError: ``w`` is not a (dim W, dim V) matrix.
        """
        return self.combine(self.coefficients(w))

    def matrix(self, dtype: Any = float) -> Float[Array, "dim maps"]:
        """All basis maps, one per row, each flattened row by row: (dim, dim W * dim V)."""
        return jax.vmap(lambda c: self.combine(c).ravel())(jnp.eye(self.dim, dtype=dtype))


def constraints(rep_in: Rep, rep_out: Rep) -> np.ndarray:
    """The linear equations that make a matrix equivariant: ``C vec(M) = 0``, vec row by row.

    ``d rho_out(A) M - M d rho_in(A)`` for a basis A of the Lie algebra, ``rho_out(h) M - M rho_in(h)`` for the discrete
    generators h.

    Args:
        rep_in: V.
        rep_out: W, of the same group.

    Returns:
        (equations, dim W * dim V), dense, float64.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> constraints(standard(so(3)), standard(so(3))).shape
        (27, 9)
    """
    group = rep_in.group
    with numerics.constants():
        steps = jax.jit(lambda: tuple(rep.matrix(group.generators()) for rep in (rep_out, rep_in)))()
    eye_out, eye_in = np.eye(rep_out.dim), np.eye(rep_in.dim)
    pairs = [*zip(*map(np.asarray, steps)), *zip(algebra(rep_out), algebra(rep_in))]
    rows = [np.kron(a, eye_in) - np.kron(eye_out, b.T) for a, b in pairs]
    return np.concatenate([np.zeros((0, rep_out.dim * rep_in.dim)), *rows])


@functools.cache
def basis(rep_in: Rep, rep_out: Rep) -> Basis:
    """An orthonormal basis of the equivariant linear maps from one representation to another.

    ``{M : rho_out(g) M = M rho_in(g) for all g}``

    Args:
        rep_in: V.
        rep_out: W, of the same group.

    Returns:
        The basis; coefficients run over pairs of summands (those of W outermost), then copies, then the atom's maps.

    Raises:
        ValueError: representations of two groups; an atom of more than 2500 entries that no permutation route serves;
            no gap in the spectrum.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> v = standard(so(3))
        >>> basis(v * v, v).dim  # the cross product
        1
    """
    if rep_in.group != rep_out.group:
        raise ValueError(
            f"maps need two representations of one group, "
            f"got {rep_in} of {rep_in.group} and {rep_out} of {rep_out.group}; "
            f"restrict one along an inclusion"
        )
    blocks, row, used = [], 0, 0
    for atom_out, copies_out in rep_out.summands:
        column = 0
        rows = slice(row, row + copies_out * atom_out.dim)
        for atom_in, copies_in in rep_in.summands:
            atom = _atom(atom_in, atom_out)
            columns = slice(column, column + copies_in * atom_in.dim)
            span = slice(used, used + copies_out * copies_in * atom.dim)
            blocks.append(Block(rows, columns, copies_out, copies_in, atom, span))
            column, used = columns.stop, span.stop
        row = rows.stop
    return Basis(rep_in, rep_out, used, tuple(blocks))


def invariants(rep: Rep, dtype: Any = float) -> Float[Array, "k dim"]:
    """An orthonormal basis of the invariant vectors V^G, one per row.

    Args:
        rep: V.
        dtype: of the result.

    Returns:
        (dim V^G, dim V); no rows if only 0 is invariant.

    Example:
        >>> from equiv.groups import cyclic
        >>> from equiv.reps import regular
        >>> invariants(regular(cyclic(4))).tolist()
        [[0.5, 0.5, 0.5, 0.5]]
    """
    return basis(scalar(rep.group), rep).matrix(dtype)


def average(rep: Rep, dtype: Any = float) -> Float[Array, "dim dim"]:
    """The averaging operator: ``Q = int rho(g) dg``, the orthogonal projection onto the invariant vectors V^G.

    Args:
        rep: an orthogonal representation.
        dtype: of the result.

    Raises:
        ValueError: the representation is not orthogonal, so that the average is another projection, or none.

    Example:
        >>> from equiv.groups import cyclic
        >>> from equiv.reps import regular
        >>> average(regular(cyclic(2))).round(6).tolist()
        [[0.5, 0.5], [0.5, 0.5]]

    Reference:
        Elesedy, Zaidi, ICML 2021, Lemma 1 (arXiv 2102.10333).
    """
    if not rep.orthogonal:
        raise ValueError(f"average needs an orthogonal representation, got {rep} of {rep.group}")
    fixed = invariants(rep, dtype)
    return fixed.T @ fixed
