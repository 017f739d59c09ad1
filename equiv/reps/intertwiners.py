"""Hom_G(V, W): an orthonormal basis of the linear maps M with ``rho_W(g) M = M rho_V(g)`` for all g.

Vectorised row by row, such maps are the invariant vectors of ``W x V*``. Direct sums, and products of sums, are taken
apart first, so that only *words* are ever solved: lists of factors that are neither sums nor products. A layer between
hundreds of channels has a handful of words, each with many copies; a word is solved once and kept. There are four
routes; the last is taken where no other serves:

* **Orbits** (exact). If every factor moves coordinates around, up to sign (permutations, images, regular
  representations), a vector is invariant exactly if its entries agree along the orbits of index tuples. The orbits are
  the connected components of the graph on signed tuples whose edges are the generators; an orbit that meets its own
  negative carries no vector. Integers only.
* **Factors of one kind.** The standard representation of a direct product's factor, or of a group embedded in more
  coordinates, is solved for that group; different factors of a product do not see one another, and their invariants
  multiply.
* **Classical groups** (exact up to orthonormalisation). For V and V* of O(n), SO(n), O(p,q) and its subgroups, Sp(n),
  GL(n), SL(n), U(n), SU(n) the first fundamental theorem writes all invariants down: products of the group's form over
  the perfect matchings of the indices, and of volumes. They may depend on each other; the Gram matrix tells.
* **Null space** (any generators). The constraints ``d rho(A) v = 0``, ``rho(h) v = v`` as a sparse matrix C. ``C^T C``
  falls into blocks, equal ones are diagonalised once, in float64, and the null vectors refined in extended precision.
  The spectrum has to show a gap between 0 and the rest; without one there is an error and no guess.

Words are kept by their factors, which compare by what they are (generators, sizes, coordinates) and never by a name.
A basis element is a (dim W, dim V) matrix; they are orthonormal in the Frobenius product ``<A, B> = sum_ij A_ij B_ij``.

Reference: Finzi, Welling, Wilson, ICML 2021 (arXiv 2104.09459), for generators as constraints; Maron, Ben-Hamu, Shamir,
Lipman, ICLR 2019 (arXiv 1812.09902), for orbits of index tuples; Weyl, The Classical Groups, 1939, for the classical
invariants.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from jaxtyping import Array, Float
from scipy.sparse.csgraph import connected_components

from equiv.groups import Group, Homomorphism, unembed
from equiv.reps.base import Rep, algebra, generators, restrict, scalar, standard

__all__ = ["Basis", "average", "basis", "constraints", "invariants", "moves", "order", "terms"]

Word = tuple[Rep, ...]
"""Factors, none of them a sum, a product or a scalar."""

_MAX_BLOCK = 3000
"""Unknowns of one block of the null-space route; its eigenvectors take seconds and 70 MB."""
_MAX_ENTRIES = 60_000_000
"""Entries of a matrix of invariant vectors, 480 MB."""
_MAX_SPANNING = 3000
"""Vectors that span the invariants by the classical route; their Gram matrix is diagonalised."""
_SPARSE = 1_000_000
"""Entries above which spanning vectors are kept sparse, as they are."""
_ZERO, _NONZERO = 1e-11, 1e-8
"""Relative eigenvalues of the Gram matrix: below the first is null, above the second is not, between is an error."""


# --- solved words ------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class Orbits:
    """Invariant vectors with disjoint supports: entry n is ``values[n] * c[labels[n]]``, 0 where the label is dim."""

    dim: int
    labels: np.ndarray = dataclasses.field(repr=False)
    values: np.ndarray = dataclasses.field(repr=False)

    def combine(self, c: jax.Array) -> jax.Array:
        padded = jnp.concatenate([c, jnp.zeros((len(c), 1), c.dtype)], axis=1)
        return padded[:, jnp.asarray(self.labels)] * jnp.asarray(self.values, c.dtype)[None]

    def coefficients(self, w: jax.Array) -> jax.Array:
        zeros = jnp.zeros((len(w), self.dim + 1), w.dtype)
        weighted = w * jnp.asarray(self.values, w.dtype)[None]
        return zeros.at[:, jnp.asarray(self.labels)].add(weighted)[:, :-1]

    def dense(self) -> np.ndarray:
        rows = np.zeros((self.dim + 1, len(self.labels)))
        rows[self.labels, np.arange(len(self.labels))] = self.values
        return rows[:-1]


@dataclasses.dataclass(frozen=True, eq=False)
class Dense:
    """Invariant vectors given as rows, (dim, size), which are made when they are first needed: a dimension is cheap."""

    dim: int
    make: Callable[[], np.ndarray] = dataclasses.field(repr=False)

    @functools.cached_property
    def rows(self) -> np.ndarray:
        return self.make()

    def combine(self, c: jax.Array) -> jax.Array:
        return c @ jnp.asarray(self.rows, c.dtype)

    def coefficients(self, w: jax.Array) -> jax.Array:
        return w @ jnp.asarray(self.rows, w.dtype).T

    def dense(self) -> np.ndarray:
        return self.rows


@functools.cache
def _solve(word: Word) -> Orbits | Dense:
    """The invariants of a word of factors, by the first route that serves."""
    if word and word[0].group.dim and (found := _classical(word)) is not None:
        return found
    moved = [moves(rep) for rep in word]
    if all(move is not None for move in moved):
        return _orbits([rep.dim for rep in word], moved)
    found = _separate(word)
    return _null_space(word) if found is None else found


# --- orbits ----------------------------------------------------------------------------------------------------------


def moves(rep: Rep) -> tuple[np.ndarray, np.ndarray] | None:
    """Where the generators send the coordinates, if the action moves coordinates around up to sign.

    Read off the matrices of the generators. A Lie algebra has to act by zero.

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
    kind = rep.spec[0]
    if kind == "sum":
        parts = [(_moves(one), copies, one.dim) for one, copies in rep.summands]
        if any(move is None for move, _, _ in parts):
            return None
        images, signs, offset = [], [], 0
        for (to, sign), copies, dim in parts:
            for _ in range(copies):
                images.append(to + offset)
                signs.append(sign)
                offset += dim
        return np.concatenate(images, axis=1), np.concatenate(signs, axis=1)
    if kind == "tensor":
        parts = [_moves(factor) for factor in rep.factors]
        return None if any(move is None for move in parts) else _moves_of_tuples([f.dim for f in rep.factors], parts)
    if kind == "permutation":
        images = np.frombuffer(rep.spec[3], np.int32).reshape(-1, rep.dim)[1:].astype(int)
        return images, np.ones_like(images)
    if kind == "scalar":
        count = jax.tree.leaves(jax.eval_shape(rep.group.generators))[0].shape[0]
        return np.zeros((count, 1), int), np.ones((count, 1), int)
    if np.abs(algebra(rep)).max(initial=0.0) > 1e-12:
        return None
    steps = generators(rep)
    signs = np.rint(steps).astype(int)
    if np.abs(steps - signs).max(initial=0.0) > 1e-12 or not (
        (np.abs(signs).sum(axis=1) == 1).all() and (np.abs(signs).sum(axis=2) == 1).all()
    ):
        return None
    return np.argmax(np.abs(signs), axis=1), signs.sum(axis=1)


def _moves_of_tuples(dims: Sequence[int], moved: Sequence[tuple]) -> tuple[np.ndarray, np.ndarray]:
    """The moves of tuples of indices, numbered row by row, from the moves of the indices."""
    images, signs = moved[0]
    for dim, (to, sign) in zip(dims[1:], moved[1:]):
        shape = (len(to), images.shape[1] * dim)  # in full, since there may be no generators
        images = (images[:, :, None] * dim + to[:, None, :]).reshape(shape)
        signs = (signs[:, :, None] * sign[:, None, :]).reshape(shape)
    return images, signs


def _orbits(dims: Sequence[int], moved: Sequence[tuple]) -> Orbits:
    if not dims:
        return Orbits(1, np.zeros(1, np.int32), np.ones(1))
    images, signs = _moves_of_tuples(dims, moved)
    n = math.prod(dims)
    here, flips = np.arange(n), signs < 0
    starts = np.concatenate([np.zeros(0, int), *(2 * here + sign for _ in images for sign in (0, 1))])
    ends = np.concatenate(
        [np.zeros(0, int), *(2 * to + (sign ^ flip) for to, flip in zip(images, flips) for sign in (0, 1))]
    )
    graph = scipy.sparse.coo_array((np.ones(len(starts), np.int8), (starts, ends)), shape=(2 * n, 2 * n))
    _, component = connected_components(graph, directed=False)
    component = component.reshape(n, 2)
    alive = component[:, 0] != component[:, 1]
    orbit = np.where(alive, component.min(axis=1), -1)  # a component and its negative are one orbit
    _, first, label = np.unique(orbit[alive], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))  # orbits in the order of their first tuple
    labels = np.full(n, len(first))
    labels[alive] = rank[label]
    sizes = np.bincount(labels[alive], minlength=len(first))
    positive = component[alive][np.sort(first), 0]  # the component of +(first tuple of each orbit)
    values = np.zeros(n)
    values[alive] = np.where(component[alive, 0] == positive[labels[alive]], 1, -1) / np.sqrt(sizes[labels[alive]])
    return Orbits(len(first), labels.astype(np.int32), values)


# --- factors of one kind ---------------------------------------------------------------------------------------------


def _pulled_back(rep: Rep) -> tuple[Homomorphism, Rep] | None:
    """``(f, rep')`` if the representation is ``rep'`` of a factor of a product, or of the group that is embedded."""
    if rep.spec[0] == "restriction" and rep.spec[2].spec[0] in ("projection", "unembed"):
        return rep.spec[2], rep.spec[1]
    return None


def _separate(word: Word) -> Orbits | Dense | None:
    sources = [_pulled_back(rep) for rep in word]
    if any(source is None for source in sources):
        return None
    maps = list(dict.fromkeys(f for f, _ in sources))
    axes = {f: [k for k, (g, _) in enumerate(sources) if g == f] for f in maps}
    parts = [_solve(tuple(sources[k][1] for k in axes[f])) for f in maps]
    if len(maps) == 1:
        return parts[0]
    rows = np.ones((1, 1))
    for part in parts:
        rows = np.einsum("ki,lj->klij", rows, part.dense())
        rows = rows.reshape(rows.shape[0] * rows.shape[1], rows.shape[2] * rows.shape[3])
    places = [k for f in maps for k in axes[f]]
    grid = rows.reshape(len(rows), *(word[k].dim for k in places))
    ordered = np.transpose(grid, [0, *(1 + np.argsort(places))]).reshape(rows.shape)
    return Dense(len(rows), lambda: ordered)


# --- classical groups ------------------------------------------------------------------------------------------------


class Sparse(NamedTuple):
    """A tensor by its entries that are not zero: their indices (rank, entries), and their values (entries,)."""

    at: np.ndarray
    values: np.ndarray


Piece = tuple[tuple[int, ...], Sparse]
"""Axes, and an invariant tensor on them; equal tensors are one object."""


def _matchings(axes: tuple[int, ...]) -> Iterator[list[tuple[int, ...]]]:
    """All perfect matchings."""
    if not axes:
        yield []
        return
    first, *rest = axes
    for k, partner in enumerate(rest):
        for others in _matchings((*rest[:k], *rest[k + 1 :])):
            yield [(first, partner), *others]


def _pairings(ups: tuple[int, ...], downs: tuple[int, ...]) -> Iterator[list[tuple[int, ...]]]:
    """All bijections between two equally long lists of axes."""
    for permuted in itertools.permutations(downs):
        yield [*zip(ups, permuted)]


def _teams(axes: tuple[int, ...], size: int, count: int) -> Iterator[tuple[list[tuple[int, ...]], tuple[int, ...]]]:
    """``count`` disjoint sets of ``size`` axes, in no order, and the axes that are left."""
    if not count:
        yield [], axes
        return
    for first in range(len(axes)):  # the set that holds the earliest axis of all sets
        for others in itertools.combinations(axes[first + 1 :], size - 1):
            team = (axes[first], *others)
            rest = tuple(axis for axis in axes[first + 1 :] if axis not in others)
            for teams, left in _teams(rest, size, count - 1):
                yield [team, *teams], tuple(sorted((*axes[:first], *left)))


def _delta(n: int) -> Sparse:
    return Sparse(np.stack([np.arange(n)] * 2), np.ones(n))


@functools.cache
def _volume(n: int) -> Sparse:
    """The Levi-Civita tensor."""
    images = np.array([*itertools.permutations(range(n))])
    before, after = np.triu_indices(n, 1)
    inversions = np.sum(images[:, before] > images[:, after], axis=1)
    return Sparse(images.T, 1.0 - 2.0 * (inversions % 2))


def _with_form(partners: np.ndarray, signs: np.ndarray, volume: bool, ups: tuple[bool, ...]) -> Iterator[list[Piece]]:
    """Products of a form over matchings, and of one volume if the group keeps it.

    The form has ``signs[i]`` at ``(i, partners[i])``, and is its own inverse up to sign: Euclidean, Lorentzian or
    symplectic.
    """
    n, axes = len(signs), tuple(range(len(ups)))
    delta, form = _delta(n), Sparse(np.stack([np.arange(n), partners]), signs)

    def pair(a: int, b: int) -> Piece:
        return (a, b), form if ups[a] == ups[b] else delta

    @functools.cache
    def lowered(raised: tuple[bool, ...]) -> Sparse:
        at, values = _volume(n)
        down = np.array(raised)[:, None] < 1
        return Sparse(
            np.where(down, partners[at], at), values * np.prod(np.where(down, signs[partners[at]], 1), axis=0)
        )

    for matching in _matchings(axes) if len(axes) % 2 == 0 else ():
        yield [pair(a, b) for a, b in matching]
    if not volume or len(axes) < n or (len(axes) - n) % 2:
        return
    for (team,), rest in _teams(axes, n, 1):
        piece = team, lowered(tuple(ups[axis] for axis in team))
        for matching in _matchings(rest):
            yield [piece, *(pair(a, b) for a, b in matching)]


def _with_duals(n: int, volume: bool, ups: tuple[bool, ...]) -> Iterator[list[Piece]]:
    """Pairings of V with V*, and volumes of what is left over if the group keeps them."""
    up = tuple(axis for axis, raised in enumerate(ups) if raised)
    down = tuple(axis for axis, raised in enumerate(ups) if not raised)
    more, fewer = (up, down) if len(up) >= len(down) else (down, up)
    excess, delta = len(more) - len(fewer), _delta(n)
    if excess % n or (excess and not volume):
        return
    for teams, rest in _teams(more, n, excess // n):
        for pairing in _pairings(rest, fewer):
            yield [*((team, _volume(n)) for team in teams), *((pair, delta) for pair in pairing)]


def _with_complex(n: int, volume: bool, ups: tuple[bool, ...]) -> Iterator[list[Piece]]:
    """Hermitian pairings and complex volumes, with each real axis read as z or as its conjugate; complex tensors.

    The real and the imaginary part of each are invariant. Swapping z and its conjugate everywhere conjugates, so the
    first axis is always z.
    """

    @functools.cache
    def turned(barred: tuple[bool, ...]) -> Sparse:
        """With z = x + i y on each axis in place of z or of its conjugate."""
        at, values = _delta(n) if len(set(barred)) == 2 else _volume(n)  # a pairing has one axis of each kind
        for place, bar in enumerate(barred):
            shift = np.where(np.arange(len(barred)) == place, n, 0)[:, None]
            at, values = (
                np.concatenate([at, at + shift], axis=1),
                np.concatenate([values, values * (-1j if bar else 1j)]),
            )
        return Sparse(at, values)

    for bars in itertools.product((False, True), repeat=len(ups) - 1):
        barred = (False, *bars)
        for pieces in _with_duals(n, volume, tuple(not bar for bar in barred)):
            yield [(axes, turned(tuple(barred[axis] for axis in axes))) for axes, _ in pieces]


def _invariant_theory(group: Group) -> Any:
    """How the group's invariants are written down, ``(is each axis V?) -> products of pieces``; None if unknown."""
    family, *sizes = group.spec
    if family in ("so", "o"):
        return functools.partial(_with_form, np.arange(sizes[0]), np.ones(sizes[0]), family == "so")
    if family == "lorentz":
        p, q, component = sizes
        signs = np.array([1.0] * p + [-1.0] * q)
        return functools.partial(_with_form, np.arange(p + q), signs, component in ("identity", "special"))
    if family == "sp":
        order, half = np.arange(sizes[0]), sizes[0] // 2
        return functools.partial(_with_form, (order + half) % sizes[0], np.where(order < half, 1.0, -1.0), False)
    if family in ("gl_plus", "sl"):
        return functools.partial(_with_duals, sizes[0], family == "sl")
    if family in ("u", "su"):
        return functools.partial(_with_complex, sizes[0], family == "su")
    return None


def _classical(word: Word) -> Dense | None:
    """All invariants by the first fundamental theorem, if the factors are V and V* of one classical group."""
    group = word[0].group
    theory = _invariant_theory(group)
    if theory is None or not set(word) <= {standard(group), standard(group).dual}:
        return None
    v = standard(group)
    n, size = v.dim, v.dim ** len(word)
    alike: dict[tuple[int, ...], list[list[Piece]]] = {}  # products of the same tensors on other axes
    for count, pieces in enumerate(theory(tuple(rep == v for rep in word)), 1):
        if count > _MAX_SPANNING:
            raise ValueError(
                f"{_invariants_of(word)} are spanned by {count} and more vectors of {size} entries, "
                f"too many to orthonormalise; use tensors of lower rank"
            )
        alike.setdefault(tuple(id(tensor) for _, tensor in pieces), []).append(pieces)
    strides = n ** np.arange(len(word))[::-1]
    total = sum(map(len, alike.values()))
    spanning = []
    for products in alike.values():
        places, values = np.zeros((len(products), 1), int), np.ones(1)
        for k, (_, tensor) in enumerate(products[0]):
            offsets = strides[np.array([pieces[k][0] for pieces in products])] @ tensor.at
            places = (places[:, :, None] + offsets[:, None, :]).reshape(len(products), -1)
            values = (values[:, None] * tensor.values[None, :]).ravel()
        for part in (values.real, values.imag) if np.iscomplexobj(values) else (values,):
            if total * size > _SPARSE:
                starts = places.shape[1] * np.arange(len(products) + 1)
                entries = np.tile(part, len(products)), places.ravel(), starts
                rows = scipy.sparse.csr_array(entries, (len(products), size))
            else:
                rows = np.zeros((len(products), size))
                rows[np.arange(len(products))[:, None], places] = part[None]
            spanning.append(rows)
    if not spanning:
        return Dense(0, lambda: np.zeros((0, size)))
    together = scipy.sparse.vstack(spanning).tocsr() if total * size > _SPARSE else np.concatenate(spanning)
    return _orthonormal(together, word)


def _orthonormal(spanning: Any, word: Word) -> Dense:
    """An orthonormal basis of the rows' span; their Gram matrix has to show its rank."""
    gram = spanning @ spanning.T
    gram = gram if isinstance(gram, np.ndarray) else gram.toarray()
    spectrum, turns = np.linalg.eigh(gram)
    kept = _gap(spectrum / spectrum[-1], _invariants_of(word))
    mix = (turns[:, kept:] / np.sqrt(spectrum[kept:])).T
    return Dense(len(mix), functools.partial(_rows, mix, spanning, word))


def _rows(mix: np.ndarray, spanning: Any, word: Word) -> np.ndarray:
    _few(len(mix), spanning.shape[1], word)
    rows = mix @ spanning
    return rows + (np.eye(len(rows)) - rows @ rows.T) @ rows / 2


def _few(dim: int, size: int, word: Word) -> None:
    if dim * size > _MAX_ENTRIES:
        raise ValueError(
            f"{_invariants_of(word)} are {dim} vectors of {size} entries, too many to keep; use smaller representations"
        )


def _gap(relative: np.ndarray, what: str) -> int:
    """How many of the ascending relative eigenvalues are zero; ValueError if some are neither zero nor not."""
    unclear = (relative > _ZERO) & (relative < _NONZERO)
    if unclear.any():
        shown = ", ".join(f"{value:.1e}" for value in relative[: 2 + int(np.sum(relative < _NONZERO))])
        raise ValueError(
            f"{what} cannot be told from nearly invariant vectors: the relative spectrum starts {shown}, "
            f"and a gap from below {_ZERO:g} to above {_NONZERO:g} is needed; check the generators"
        )
    return int(np.sum(relative <= _ZERO))


# --- null space ------------------------------------------------------------------------------------------------------


def _invariants_of(word: Word) -> str:
    return f"the invariants of {' * '.join(map(str, word))} of {word[0].group}"


def _equations(word: Word) -> scipy.sparse.csr_array:
    """The constraints on an invariant vector of a word, those of one generator after those of another."""
    dims = [rep.dim for rep in word]
    size, d = math.prod(dims), word[0].group.dim
    steps = [_cleaned(generators(rep)) for rep in word]
    mixed = max((math.prod(np.count_nonzero(step[k]) for step in steps) for k in range(len(steps[0]))), default=0)
    if mixed > _MAX_ENTRIES:
        raise ValueError(
            f"{_invariants_of(word)} have {size} entries, and a generator mixes them by a matrix with "
            f"{mixed} entries that are not zero, too many to solve for; use smaller representations"
        )
    found = []
    for axis, rep in enumerate(word):
        slopes, after = _cleaned(algebra(rep)), math.prod(dims[axis + 1 :])
        k, i, j = slopes.nonzero()
        others = np.arange(0, size, rep.dim * after)[:, None] + np.arange(after)[None, :]
        rows = (k * size + i * after)[:, None] + others.reshape(1, -1)
        columns = (j * after)[:, None] + others.reshape(1, -1)
        found.append((rows.ravel(), columns.ravel(), np.repeat(slopes[k, i, j], others.size)))
    for k in range(len(steps[0])):
        rows, columns, values = np.full(1, d + k), np.zeros(1, int), np.ones(1)
        for step in steps:
            i, j = step[k].nonzero()
            rows = (rows[:, None] * len(step[k]) + i[None, :]).ravel()
            columns = (columns[:, None] * len(step[k]) + j[None, :]).ravel()
            values = (values[:, None] * step[k][i, j][None, :]).ravel()
        same = np.arange(size)
        found += [(rows, columns, values), ((d + k) * size + same, same, np.full(size, -1.0))]
    rows, columns, values = (np.concatenate(parts) for parts in zip(*found))
    shape = ((d + len(steps[0])) * size, size)
    return scipy.sparse.coo_array((values, (rows, columns)), shape=shape).tocsr()


def _cleaned(matrices: np.ndarray) -> np.ndarray:
    """Entries that are zero up to rounding set to zero, so that sparsity shows."""
    return np.where(np.abs(matrices) < 1e-15, 0, matrices)


def _null_space(word: Word) -> Dense:
    size = math.prod(rep.dim for rep in word)
    equations = _equations(word).astype(np.longdouble)
    gram = (equations.T @ equations).tocsr()
    gram.eliminate_zeros()
    count, component = connected_components(gram, directed=False)
    lengths = np.bincount(component, minlength=count)
    if lengths.max() > _MAX_BLOCK:
        raise ValueError(
            f"{_invariants_of(word)} have {lengths.max()} entries that the generators mix, more than the "
            f"{_MAX_BLOCK} that the null-space route can take; use smaller representations"
        )
    together = np.argsort(component, kind="stable")
    within = np.empty(size, int)  # the place of each entry in its block
    within[together] = np.arange(size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    row, column = gram.nonzero()
    by_block = np.argsort(component[row], kind="stable")
    ends = np.cumsum(np.bincount(component[row], minlength=count))
    solved: dict[bytes, tuple[Any, np.ndarray, np.ndarray]] = {}
    each = []
    for block, own in zip(np.split(together, np.cumsum(lengths)[:-1]), np.split(by_block, ends[:-1])):
        place, values = (within[row[own]], within[column[own]]), gram.data[own]
        dense = np.zeros((len(block),) * 2)
        dense[place] = values
        key = dense.tobytes()
        if key not in solved:
            solved[key] = (scipy.sparse.csr_array((values, place), dense.shape), *np.linalg.eigh(dense))
        each.append((block, key))
    top = max(spectrum[-1] for _, spectrum, _ in solved.values())
    top = top if top > 1e-20 else math.inf  # nothing moves
    relative = np.concatenate([solved[key][1] for _, key in each]) / top
    dim = _gap(np.sort(relative), _invariants_of(word))
    _few(dim, size, word)
    refined = {key: _refined(*parts, int(np.sum(parts[1] <= _ZERO * top))) for key, parts in solved.items()}
    rows, used = np.zeros((dim, size)), 0
    for block, key in each:
        stop = used + refined[key].shape[1]
        rows[used:stop, block] = refined[key].T
        used = stop
    return Dense(dim, lambda: rows)


def _refined(gram: scipy.sparse.csr_array, spectrum: np.ndarray, vectors: np.ndarray, dim: int) -> np.ndarray:
    """The null vectors of one block, right to the last bit.

    One Newton step in extended precision for the constraints, and one for orthonormality.
    """
    null, others = vectors[:, :dim].astype(np.longdouble), vectors[:, dim:]
    if dim and len(others.T):
        null = null - (others / spectrum[dim:]) @ (others.T @ (gram @ null).astype(float))
    return (null + null @ (np.eye(dim) - null.T @ null) / 2).astype(float)


def constraints(rep_in: Rep, rep_out: Rep) -> np.ndarray:
    """The linear equations that make a matrix equivariant: ``C vec(M) = 0``, vec row by row.

    ``d rho_out(A) M - M d rho_in(A)`` for a basis A of the Lie algebra, ``rho_out(h) M - M rho_in(h)`` for the discrete
    generators h.

    Args:
        rep_in: V.
        rep_out: W, of the same group.

    Returns:
        (equations, dim W * dim V), dense, float64.

    Raises:
        ValueError: representations of two groups.

    Example:
        >>> from equiv.groups import so
        >>> constraints(standard(so(3)), standard(so(3))).shape
        (27, 9)
    """
    _of_one_group(rep_in, rep_out)
    eye_out, eye_in = np.eye(rep_out.dim), np.eye(rep_in.dim)
    pairs = [*zip(generators(rep_out), generators(rep_in)), *zip(algebra(rep_out), algebra(rep_in))]
    rows = [np.kron(a, eye_in) - np.kron(eye_out, b.T) for a, b in pairs]
    return np.concatenate([np.zeros((0, rep_out.dim * rep_in.dim)), *rows])


def _of_one_group(rep_in: Rep, rep_out: Rep) -> None:
    if rep_in.group != rep_out.group:
        raise ValueError(
            f"maps need two representations of one group, "
            f"got {rep_in} of {rep_in.group} and {rep_out} of {rep_out.group}; "
            f"restrict one along an inclusion"
        )


def _take(x: jax.Array, index: np.ndarray) -> jax.Array:
    """``x[index]`` for a vector and indices that are known to be right: one operation, where indexing writes ten."""
    dimensions = jax.lax.GatherDimensionNumbers(offset_dims=(), collapsed_slice_dims=(0,), start_index_map=(0,))
    return jax.lax.gather(x, jnp.asarray(index)[..., None], dimensions, (1,), mode="promise_in_bounds")


# --- bases -----------------------------------------------------------------------------------------------------------


@functools.cache
def terms(rep: Rep) -> tuple[tuple[Word, np.ndarray], ...]:
    """The representation as a sum of words: each with the coordinates of its copies.

    Sums are taken apart, products of sums multiplied out, and what a group on some coordinates leaves alone is scalar.

    Args:
        rep: any representation.

    Returns:
        Pairs of a word, whose factors are neither sums nor products nor scalars, and its coordinates (copies, dim).

    Example:
        >>> from equiv.groups import so
        >>> [(len(word), index.tolist()) for word, index in terms(standard(so(2)) + scalar(so(2), 2))]
        [(1, [[0, 1]]), (0, [[2], [3]])]
    """
    kind, group = rep.spec[0], rep.group
    if kind == "sum":
        found, offset = [], 0
        for one, copies in rep.summands:
            starts = offset + one.dim * np.arange(copies)
            found += [(word, (starts[:, None, None] + index).reshape(-1, index.shape[1])) for word, index in terms(one)]
            offset += one.dim * copies
        return tuple(found)
    if kind == "standard" and group.spec[0] == "embed":
        moved = list(group.spec[3])
        fixed = [k for k in range(rep.dim) if k not in moved]
        inner = restrict(standard(group.spec[1]), unembed(group))
        return ((inner.factors, np.array([moved])), *([((), np.array(fixed)[:, None])] if fixed else []))
    if kind != "tensor":
        return ((rep.factors, np.arange(rep.dim)[None]),)
    merged: dict[Word, list[np.ndarray]] = {}
    for chosen in itertools.product(*map(terms, rep.factors)):
        at = np.zeros((1, 1), int)
        for factor, (_, index) in zip(rep.factors, chosen):
            at = at[:, None, :, None] * factor.dim + index[None, :, None, :]
            at = at.reshape(at.shape[0] * at.shape[1], -1)
        merged.setdefault(sum((word for word, _ in chosen), ()), []).append(at)
    return tuple((word, np.concatenate(parts)) for word, parts in merged.items())


def order(rep: Rep) -> np.ndarray:
    """Where each coordinate stands when the copies of all ``terms`` are put one after the other.

    Args:
        rep: any representation.

    Returns:
        (dim,), a permutation.

    Example:
        >>> from equiv.groups import so
        >>> order(scalar(so(2)) + standard(so(2))).tolist()
        [0, 1, 2]
    """
    return np.argsort(np.concatenate([np.zeros(0, int), *(index.ravel() for _, index in terms(rep))])).astype(np.int32)


def _grouped(word: Word) -> list[int]:
    """The order of the axes that puts equal factors next to each other."""
    first = [word.index(rep) for rep in word]
    return sorted(range(len(word)), key=lambda axis: (first[axis], axis))


@dataclasses.dataclass(frozen=True)
class Block:
    """One pair of summands: their words, how often each is repeated, how many maps, and where their coefficients are.

    Attributes:
        out: number of the summand of W, and ``word`` its factors.
        word: factors of the summand of W.
        copies: of the summand of W, and of that of V.
        dim: equivariant maps from one copy to one copy.
        span: of the coefficients, (copies_out, copies_in, dim) row by row.
    """

    out: int
    word: Word
    copies: tuple[int, int]
    dim: int
    span: slice


@dataclasses.dataclass(frozen=True, eq=False)
class _Part:
    """All pairs of copies that share a word: their coefficients (m, dim) and their entries of the matrix (m, size)."""

    solved: Any
    coefficients: np.ndarray
    entries: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Basis:
    """An orthonormal basis of Hom_G(rep_in, rep_out).

    Attributes:
        rep_in: V.
        rep_out: W.
        dim: how many basis maps.
        blocks: the pairs of summands, in the order of the coefficients.
    """

    rep_in: Rep
    rep_out: Rep
    dim: int
    blocks: tuple[Block, ...] = dataclasses.field(repr=False)
    _parts: tuple[_Part, ...] = dataclasses.field(repr=False)
    _sources: np.ndarray = dataclasses.field(repr=False)  # entry of the matrix -> place in the parts, one after another
    _places: np.ndarray = dataclasses.field(repr=False)  # coefficient -> place in the parts, one after another

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
        return self._assembled([part.solved.combine(_take(c, part.coefficients)) for part in self._parts], c.dtype)

    def _assembled(self, entries: list[jax.Array], dtype: Any) -> jax.Array:
        """The matrix from the entries of each part; what no part has is zero."""
        return _take(jnp.concatenate([*(part.ravel() for part in entries), jnp.zeros(1, dtype)]), self._sources)

    def coefficients(self, w: Float[Array, "out in"]) -> Float[Array, "dim"]:
        """``<B_k, w>`` for every basis map; the inverse of ``combine`` on equivariant maps.

        Raises:
            ValueError: ``w`` is not a (dim W, dim V) matrix.
        """
        found = [part.ravel() for part in self._measured(w)]
        return _take(jnp.concatenate([*found, jnp.zeros(0, w.dtype)]), self._places)

    def _measured(self, w: jax.Array) -> list[jax.Array]:
        """The coefficients of each part."""
        if w.shape != (self.rep_out.dim, self.rep_in.dim):
            raise ValueError(
                f"a map {self.rep_in} -> {self.rep_out} is a matrix of shape {(self.rep_out.dim, self.rep_in.dim)}, "
                f"got {w.shape}"
            )
        return [part.solved.coefficients(_take(w.ravel(), part.entries)) for part in self._parts]

    def project(self, w: Float[Array, "out in"]) -> Float[Array, "out in"]:
        """The equivariant map nearest to ``w`` in the Frobenius norm.

        Raises:
            ValueError: ``w`` is not a (dim W, dim V) matrix.
        """
        near = [part.solved.combine(c) for part, c in zip(self._parts, self._measured(w))]
        return self._assembled(near, w.dtype)

    def matrix(self, dtype: Any = float) -> Float[Array, "dim maps"]:
        """All basis maps, one per row, each flattened row by row: (dim, dim W * dim V)."""
        return jax.vmap(lambda c: self.combine(c).ravel())(jnp.eye(self.dim, dtype=dtype))


@functools.cache
def basis(rep_in: Rep, rep_out: Rep) -> Basis:
    """An orthonormal basis of the equivariant linear maps from one representation to another.

    ``{M : rho_out(g) M = M rho_in(g) for all g}``

    Args:
        rep_in: V.
        rep_out: W, of the same group.

    Returns:
        The basis; coefficients run over pairs of summands (those of W outermost), then copies, then the maps of one
        copy to one copy.

    Raises:
        ValueError: representations of two groups; more entries that generators mix, or more spanning vectors, than
            can be solved for; no gap in the spectrum.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> v = standard(so(3))
        >>> basis(v * v, v).dim  # the cross product
        1
    """
    _of_one_group(rep_in, rep_out)
    blocks, used = [], 0
    parts: dict[Word, list[tuple[np.ndarray, np.ndarray]]] = {}
    for out, (word_out, rows) in enumerate(terms(rep_out)):
        for word_in, columns in terms(rep_in):
            word = word_out + tuple(rep.dual for rep in word_in)
            axes = _grouped(word)
            key = tuple(word[axis] for axis in axes)
            dim, pairs = _solve(key).dim, (len(rows), len(columns))
            count = pairs[0] * pairs[1]
            span = slice(used, used + count * dim)
            blocks.append(Block(out, word_out, pairs, dim, span))
            used = span.stop
            if not dim:
                continue
            entries = rows[:, None, :, None] * rep_in.dim + columns[None, :, None, :]
            if axes != sorted(axes):
                grid = entries.reshape(count, *(rep.dim for rep in word))
                entries = grid.transpose(0, *(1 + axis for axis in axes))
            coefficients = np.arange(span.start, span.stop).reshape(count, dim)
            parts.setdefault(key, []).append((coefficients, entries.reshape(count, -1)))
    stacked = tuple(
        _Part(_solve(key), *(np.concatenate(arrays).astype(np.int32) for arrays in zip(*pairs)))
        for key, pairs in parts.items()
    )
    everywhere = [part.entries.ravel() for part in stacked]
    sources = np.full(rep_out.dim * rep_in.dim, sum(map(len, everywhere)), np.int32)
    for entries, stop in zip(everywhere, np.cumsum([len(entries) for entries in everywhere])):
        sources[entries] = np.arange(stop - len(entries), stop)
    places = np.argsort(np.concatenate([np.zeros(0, int), *(part.coefficients.ravel() for part in stacked)]))
    return Basis(
        rep_in, rep_out, used, tuple(blocks), stacked, sources.reshape(rep_out.dim, rep_in.dim), places.astype(np.int32)
    )


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
