r"""Penalties: how far the free weights of a layer are from equivariant, for each of several groups.

A layer tells its free linear maps, ``layer.weights(params)``. For a subgroup H let ``P`` be the orthogonal projection
onto Hom_H. Three energies of a map w, all zero exactly on Hom_H and all quadratic:

===========================  ===================================  ====================================
penalty                      energy of one map                    gradient
===========================  ===================================  ====================================
``projection_penalty``       ``1/2 |w - P w|^2``                  ``(1 - P) w``
``lie_derivative_penalty``   ``1/2 sum_k |d rho(A_k) w|^2``       ``K w``, K the Casimir operator
``spectral_penalty``         ``1/2 sum_i phi(sigma_i) c_i^2``     ``sum_i phi(sigma_i) c_i v_i``
===========================  ===================================  ====================================

The third contains the other two: with the singular values ``sigma_i`` of the constraints ``C vec(w) = 0`` and the
coefficients ``c_i`` of w in their right singular vectors, ``phi = 1 for sigma > 0`` is the first and ``phi = sigma^2``
the second. What the first one means: over Haar-drawn g of a compact group acting orthogonally, and standard normal x,

    ``E |rho_out(g) w x - w rho_in(g) x|^2 = 2 |w - P w|^2``,

four times the energy. The groups are subgroups of the group the layer is built for, each its own inclusion; they may
overlap, and together they say which symmetries the data may have. Their strengths are found by ``equiv.soft.tuning``.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from equiv import numerics
from equiv.groups import Group, Homomorphism, inclusion
from equiv.layers import Layer, Params, Weight
from equiv.reps import Rep, algebra, generators, intertwiners, restrict

__all__ = ["Penalty", "lie_derivative_penalty", "projection_penalty", "spectral_penalty", "spectrum"]

_MAX_UNKNOWNS = 2500

Select = Callable[[Weight], bool]


@dataclasses.dataclass(frozen=True, eq=False)
class Penalty:
    """A function of parameters, ``penalty(params) -> (n_groups,)``, one energy per group.

    Attributes:
        name: how it is printed.
        groups: the inclusions of the subgroups.
        slots: the two representations of each weight that counts, of the big group.
        energies: the function itself; call the record instead, which refuses NaN.
    """

    name: str
    groups: tuple[Homomorphism, ...]
    slots: tuple[tuple[Rep, Rep], ...] = dataclasses.field(repr=False)
    energies: Callable[[Params], jax.Array] = dataclasses.field(repr=False)

    def __call__(self, params: Params) -> Float[Array, "groups"]:
        """The energies, (n_groups,), in the dtype of the weights.

        Raises:
            ValueError: a weight is NaN (outside of ``jit``, where it can be seen).
        """
        return self.energies(params)

    def __str__(self) -> str:
        return self.name

    @property
    def dim(self) -> int:
        """The number of free weights, all matrices and biases together."""
        return sum(rep_in.dim * rep_out.dim for rep_in, rep_out in self.slots)

    @property
    def ranks(self) -> np.ndarray:
        """``rank (1 - P)`` for each group, (n_groups,): the number of weights that would have to vanish."""
        return np.array([self.dim - sum(basis.dim for basis in _bases(h, self.slots)) for h in self.groups])


def _bases(homomorphism: Homomorphism, slots: tuple[tuple[Rep, Rep], ...]) -> list[intertwiners.Basis]:
    return [intertwiners.basis(*(restrict(rep, homomorphism) for rep in slot)) for slot in slots]


def _everything(weight: Weight) -> bool:
    return True


def subgroups(what: str, group: Group, groups: Sequence[Group | Homomorphism]) -> tuple[Homomorphism, ...]:
    """Each subgroup as a homomorphism into ``group``."""
    if not len(groups):
        raise ValueError(
            f"{what} needs one or more subgroups of {group}, got none; write [{group}] for the group itself"
        )
    found = []
    for one in groups:
        into = inclusion(one, group) if isinstance(one, Group) else one
        if into.target != group:
            raise ValueError(
                f"{what} needs subgroups of {group}, the group of the layer, got a map that ends in {into.target}"
            )
        found.append(into)
    return tuple(found)


def _penalty(
    what: str,
    layer: Layer,
    groups: Sequence[Group | Homomorphism],
    select: Select,
    energy: Callable[[Rep, Rep], Callable[[jax.Array], jax.Array]],
) -> Penalty:
    """The record of a penalty whose energy of one map between two restricted representations is given."""
    inclusions = subgroups(what, layer.rep_in.group, groups)
    found = jax.eval_shape(lambda: layer.weights(layer.init(jax.random.key(0))))
    if not found:
        raise ValueError(
            f"{what} needs a layer with free weights, but {layer} is equivariant whatever its parameters; "
            f"build it with dense or residual_pathway in the place of linear"
        )
    chosen = [i for i, weight in enumerate(found) if select(weight)]
    if not chosen:
        raise ValueError(f"{what}: select has to choose one or more of the {len(found)} weights of {layer}, got none")
    slots = tuple((found[i].rep_in, found[i].rep_out) for i in chosen)
    table = [[energy(*(restrict(rep, h) for rep in slot)) for slot in slots] for h in inclusions]

    def energies(params: Params) -> jax.Array:
        weights = layer.weights(params)
        matrices = [jnp.asarray(weights[i].matrix) for i in chosen]
        for (rep_in, rep_out), w in zip(slots, matrices):
            if not isinstance(w, jax.core.Tracer) and np.isnan(np.asarray(w)).any():
                raise ValueError(f"{name}: the weight {rep_in} -> {rep_out} has NaN entries, expected finite numbers")
        return jnp.stack([sum(one(w) for one, w in zip(row, matrices)) for row in table])

    name = f"{what} of {layer} for {', '.join(str(h.source) for h in inclusions)}"
    return Penalty(name, inclusions, slots, energies)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _half_square(residual: Callable[[jax.Array], jax.Array], w: jax.Array) -> jax.Array:
    """``1/2 |residual(w)|^2`` for an orthogonal projection ``residual``, whose gradient is then the residual itself."""
    return jnp.sum(residual(w) ** 2) / 2


@_half_square.defjvp
def _half_square_slope(residual: Callable, primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    (w,), (dw,) = primals, tangents
    left = residual(w)
    return jnp.sum(left**2) / 2, jnp.sum(left * dw)


def projection_penalty(layer: Layer, groups: Sequence[Group | Homomorphism], select: Select = _everything) -> Penalty:
    """The squared distance of a layer's free weights from equivariance, for each of several subgroups.

    ``R_i(params) = sum_w 1/2 |w - P_i w|_F^2``, ``P_i`` the orthogonal projection onto the maps that commute with
    subgroup i. Computed from the residual, never as a difference of squares, so that it stays right in float32 when it
    is small; the gradient is ``(1 - P_i) w``, with one projection and no more.

    Args:
        layer: any layer with free weights.
        groups: one or more subgroups of the layer's group, or homomorphisms into it.
        select: which weights count, all by default; ``lambda w: w.rep_in.dim > 1`` leaves the biases out.

    Raises:
        ValueError: no subgroup, a group that is none, no free weight, or no weight selected.

    Example:
        >>> from equiv.groups import o, so
        >>> from equiv.layers import dense
        >>> from equiv.reps import standard
        >>> v = standard(o(3))
        >>> layer = dense(v, v)
        >>> penalty = projection_penalty(layer, [o(3), o(2)])
        >>> params = {"matrix": jnp.diag(jnp.array([1.0, 1.0, 4.0])), "bias": jnp.zeros(3)}
        >>> penalty(params).round(4).tolist()  # the axis differs: O(2) allows it, O(3) does not
        [3.0, 0.0]
        >>> penalty.dim, penalty.ranks.tolist()
        (12, [11, 9])

    Reference:
        Kim, Lee, Yang, Lee, Regularizing Towards Soft Equivariance Under Mixed Symmetries, ICML 2023 (arXiv
        2306.00356), the projection-based equivariance regularizer.
    """

    def energy(rep_in: Rep, rep_out: Rep) -> Callable[[jax.Array], jax.Array]:
        basis = intertwiners.basis(rep_in, rep_out)
        return functools.partial(_half_square, lambda w: w - basis.project(w))

    return _penalty("projection_penalty", layer, groups, select, energy)


def lie_derivative_penalty(
    layer: Layer, groups: Sequence[Group | Homomorphism], select: Select = _everything
) -> Penalty:
    """The energy of a layer's free weights under the generators of each subgroup, by matrix products only.

    ``R_i(params) = sum_w (1/2 sum_k |d rho_out(A_k) w - w d rho_in(A_k)|^2``
    ``+ 1/2 sum_m |rho_out(h_m) w - w rho_in(h_m)|^2)``
    over a basis A of the Lie algebra and the discrete generators h. No basis of Hom_H is built, so there is no limit
    to the size. With orthogonal representations and ``sigma`` the singular values of the constraints it lies between
    ``sigma_min^2`` (the least that is not 0) and ``sigma_max^2`` times the energy of ``projection_penalty``.

    Args:
        layer: any layer with free weights.
        groups: one or more subgroups of the layer's group, or homomorphisms into it.
        select: which weights count, all by default.

    Raises:
        ValueError: as ``projection_penalty``.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.layers import dense
        >>> from equiv.reps import standard
        >>> layer = dense(standard(so(3)), standard(so(3)))
        >>> params = {"matrix": jnp.diag(jnp.array([1.0, 1.0, 4.0])), "bias": jnp.zeros(3)}
        >>> round(float(lie_derivative_penalty(layer, [so(3)])(params)[0]), 4)  # 6 times the squared distance 3
        18.0

    Reference:
        Derived, as a relative of the projection penalty; the penalty of Otto, Zolman, Kutz, Brunton (arXiv 2311.00212)
        is of this kind, recalled.
    """

    def energy(rep_in: Rep, rep_out: Rep) -> Callable[[jax.Array], jax.Array]:
        outs, ins = _steps(rep_out), _steps(rep_in)

        def half_square(w: jax.Array) -> jax.Array:
            turned = jnp.swapaxes(_stepped(rep_in, [m.swapaxes(1, 2) for m in ins], w.T), 1, 2)
            return jnp.sum((_stepped(rep_out, outs, w) - turned) ** 2) / 2

        return half_square

    return _penalty("lie_derivative_penalty", layer, groups, select, energy)


def _steps(rep: Rep) -> list[np.ndarray]:
    """For each summand the matrices of the Lie algebra's basis and of the discrete generators, (k, d, d)."""
    return [np.concatenate([algebra(one), generators(one)]) for one, _ in rep.summands]


def _stepped(rep: Rep, steps: list[np.ndarray], w: jax.Array) -> jax.Array:
    """Every step applied to the columns of ``w: (rep.dim, n)``, summand by summand: (k, rep.dim, n)."""
    parts, start, n = [], 0, w.shape[1]
    for (one, copies), matrices in zip(rep.summands, steps):
        rows = w[start : start + copies * one.dim].reshape(copies, one.dim, n)
        moved = jnp.einsum("kij,cjn->kcin", jnp.asarray(matrices, w.dtype), rows)
        parts.append(moved.reshape(len(matrices), copies * one.dim, n))
        start += copies * one.dim
    return jnp.concatenate(parts, axis=1)


class Pair(NamedTuple):
    """A pair of summands, and where its (copies_out, copies_in) blocks sit in the matrix."""

    rep_in: Rep
    rep_out: Rep
    rows: slice
    columns: slice
    copies_out: int
    copies_in: int

    def grid(self, w: jax.Array) -> jax.Array:
        """The blocks of a matrix, (copies_out, d_out, copies_in, d_in)."""
        shape = (self.copies_out, self.rep_out.dim, self.copies_in, self.rep_in.dim)
        return w[self.rows, self.columns].reshape(shape)


def summand_pairs(rep_in: Rep, rep_out: Rep) -> list[Pair]:
    """All pairs of summands, those of ``rep_out`` outermost."""
    found, row = [], 0
    for to, copies_out in rep_out.summands:
        rows, column = slice(row, row + copies_out * to.dim), 0
        for start, copies_in in rep_in.summands:
            columns = slice(column, column + copies_in * start.dim)
            found.append(Pair(start, to, rows, columns, copies_out, copies_in))
            column = columns.stop
        row = rows.stop
    return found


@functools.cache
def spectrum(rep_in: Rep, rep_out: Rep) -> tuple[np.ndarray, np.ndarray]:
    """Singular values and right singular vectors of the constraints ``C vec(M) = 0`` that make a map equivariant.

    ``sigma_i = |C vec(M_i)|``, with the constraints of ``equiv.reps.intertwiners.constraints``: a basis of the Lie
    algebra (for so(n) the unit rotations of the coordinate planes) and the discrete generators.

    Args:
        rep_in: V.
        rep_out: W, of the same group.

    Returns:
        ``sigma``, (dim W dim V,), ascending, exactly 0 on Hom_G; and the maps, (dim W dim V, dim W, dim V),
        orthonormal, the first ones those of ``intertwiners.basis``. Float64.

    Raises:
        ValueError: more than 2500 entries; use it summand by summand.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> (spectrum(standard(so(3)), standard(so(3)))[0] ** 2).round(6).tolist()  # l (l + 1)
        [0.0, 2.0, 2.0, 2.0, 6.0, 6.0, 6.0, 6.0, 6.0]
    """
    n = rep_out.dim * rep_in.dim
    if n > _MAX_UNKNOWNS:
        raise ValueError(
            f"the maps {rep_in} -> {rep_out} have {n} entries, more than the {_MAX_UNKNOWNS} whose constraints are "
            f"diagonalised; split the representations into direct sums of smaller ones"
        )
    with numerics.constants():
        known = np.asarray(jax.jit(intertwiners.basis(rep_in, rep_out).matrix)())
    outs, ins = (np.concatenate([algebra(rep), generators(rep)]) for rep in (rep_out, rep_in))
    gram, eye_out, eye_in = np.zeros((n, n)), np.eye(rep_out.dim), np.eye(rep_in.dim)
    for a, b in zip(outs, ins):
        gram += np.kron(a.T @ a, eye_in) + np.kron(eye_out, b @ b.T) - np.kron(a.T, b.T) - np.kron(a, b)
    _, vectors = np.linalg.eigh(gram)
    maps = vectors.T.reshape(n, rep_out.dim, rep_in.dim).copy()
    maps[: len(known)] = known.reshape(-1, rep_out.dim, rep_in.dim)
    squares = sum((np.sum((a @ maps - maps @ b) ** 2, axis=(1, 2)) for a, b in zip(outs, ins)), np.zeros(n))
    squares[: len(known)] = 0
    return np.sqrt(squares), maps


def spectral_penalty(
    layer: Layer,
    groups: Sequence[Group | Homomorphism],
    phi: Callable[[np.ndarray], Any],
    select: Select = _everything,
) -> Penalty:
    """The family of quadratic penalties that see a map through the singular values of its constraints.

    ``R_i(params) = sum_w 1/2 sum_j phi(sigma_j) c_j^2``, ``c = V^T vec(w)``, ``C = U diag(sigma) V^T`` the constraints
    of subgroup i. ``phi = lambda s: s > 0`` is ``projection_penalty``, ``lambda s: s**2`` is
    ``lie_derivative_penalty``, and ``lambda s: s > b`` leaves nearly equivariant directions free, as ``graded_linear``
    does without a penalty.

    Args:
        layer: any layer with free weights.
        groups: one or more subgroups of the layer's group, or homomorphisms into it.
        phi: from singular values, (k,) float64, to non-negative weights of the same shape.
        select: which weights count, all by default.

    Raises:
        ValueError: as ``projection_penalty``; a pair of summands with more than 2500 entries.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.layers import dense
        >>> from equiv.reps import standard
        >>> layer = dense(standard(so(3)), standard(so(3)))
        >>> params = {"matrix": jnp.diag(jnp.array([1.0, 1.0, 4.0])), "bias": jnp.zeros(3)}
        >>> round(float(spectral_penalty(layer, [so(3)], lambda sigma: sigma**4)(params)[0]), 3)
        108.0

    Reference:
        Derived: it unifies the two above and the threshold of Rahman et al. (arXiv 2603.26657).
    """

    def energy(rep_in: Rep, rep_out: Rep) -> Callable[[jax.Array], jax.Array]:
        pairs = [(pair, *spectrum(pair.rep_in, pair.rep_out)) for pair in summand_pairs(rep_in, rep_out)]

        def half_square(w: jax.Array) -> jax.Array:
            total = jnp.zeros((), w.dtype)
            for pair, sigma, maps in pairs:
                c = jnp.einsum("aibj,kij->kab", pair.grid(w), jnp.asarray(maps, w.dtype))
                total = total + jnp.sum(jnp.asarray(phi(sigma), w.dtype)[:, None, None] * c**2) / 2
            return total

        return half_square

    return _penalty("spectral_penalty", layer, groups, select, energy)
