r"""What the projection penalty means: of a layer, of a network, for nested groups, and for groups that generate.

Setting. G acts orthogonally on the input and output of a linear map w, ``g . w = rho_out(g) w rho_in(g)^-1``; P is the
orthogonal projection onto the maps with ``g . w = w`` and ``D = w - P w``. The penalty is ``R = 1/2 |D|_F^2``.

* One layer, on average: ``E_g |g . w - w|^2 = |w|^2 + |w|^2 - 2 <E_g g . w, w> = 2 |D|^2`` with Haar-drawn g, since
  ``E_g g . w = P w``; with standard normal inputs it is the mean squared error ``E |w g x - g w x|^2`` as well.
* One layer, at worst: ``|g . w - w| = |g . D - D| <= 2 |D|``, in the Frobenius and in the spectral norm.
* A network: if the nonlinearities are equivariant and Lipschitz with constants K, the errors of the layers go through
  what comes after them, and add up. Along ``w_t = P w + t D`` the error is at most linear in t.
* ``H <= G``: Hom_G is inside Hom_H, so the distances add by Pythagoras, and ``R_H <= R_G``.
* Subgroups that generate G: the penalty of all of them vanishes on Hom_G only, and between the two energies there are
  constants: the least and largest eigenvalues of ``S = sum_i (1 - P_i)`` on the complement. For the subgroups O(2) of
  O(3) that fix one axis the least is 1.25 (three axes) and 0.5 (two axes) on the maps ``2 V + T_2 -> 1 + V + T_2``;
  two subgroups are enough.
* ``sum_k |d rho(A_k) w|^2 = w^T K w`` with the Casimir operator K, whose eigenvalues are ``l (l + 1)``: between 2
  and 20 times ``|D|^2`` there.
* Residual pathways: minimising over ``w = A + B`` with priors of variance sigma_a^2 on A in Hom_G and sigma_b^2 on B is
  minimising over w with the prior covariance ``sigma_a^2 P + sigma_b^2``. So it is the projection penalty with
  ``lambda = 1 / sigma_b^2 - 1 / (sigma_a^2 + sigma_b^2)`` and a ridge ``1 / (sigma_a^2 + sigma_b^2)``.

Known: the papers' own statements were not found; all of this is derived, and measured with reps of O(3).
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from equiv import numerics
from equiv.groups import Group, embed, inclusion, o, so
from equiv.reps import Rep, algebra, intertwiners, restrict, scalar, standard, tensor
from theory.claim import Claim, Evidence, Source, generator, mean_evidence

__all__ = ["CLAIMS", "network_bound", "network_errors", "projector"]

_O3 = o(3)
_V = standard(_O3)
_AXES = tuple(embed(o(2), 3, kept) for kept in ((1, 2), (0, 2), (0, 1)))
"""The O(2) that fixes the first, second, third axis."""


def _reps() -> tuple[Rep, Rep]:
    """195 unknowns."""
    return 2 * _V + tensor(_O3, 2), scalar(_O3) + _V + tensor(_O3, 2)


def _source(theorem: str) -> Source:
    return Source(
        author="H. Kim, H. Lee, H. Yang, J. Lee",
        title="Regularizing Towards Soft Equivariance Under Mixed Symmetries",
        venue="ICML 2023",
        arxiv="2306.00356",
        theorem=theorem,
        known="derived",
    )


@functools.cache
def projector(rep_in: Rep, rep_out: Rep, group: Group) -> np.ndarray:
    """The projection onto the maps that commute with a subgroup of the representations' group, on row-major vec.

    Args:
        rep_in: V.
        rep_out: W.
        group: the subgroup, or the group itself.

    Returns:
        (dim W dim V, dim W dim V), float64.

    Example:
        >>> v = standard(o(3))
        >>> round(float(np.trace(projector(v, v, o(3)))))
        1
    """
    small = [restrict(rep, inclusion(group, rep.group)) for rep in (rep_in, rep_out)]
    with numerics.constants():
        maps = np.asarray(jax.jit(intertwiners.basis(*small).matrix)())
    return maps.T @ maps


def _maps(key: jax.Array, n: int) -> np.ndarray:
    """Random maps, (n, 195)."""
    rep_in, rep_out = _reps()
    return generator(key).normal(size=(n, rep_out.dim * rep_in.dim))


def _squares(x: np.ndarray) -> np.ndarray:
    return np.sum(x**2, axis=-1)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _actions(reps: tuple[Rep, ...], draw: Callable, key: jax.Array) -> list[jax.Array]:
    g = draw(key)
    return [rep.matrix(g) for rep in reps]


# --- one layer -------------------------------------------------------------------------------------------

_DRAWS = 6000


def _haar(key: jax.Array) -> jax.Array:
    return _O3.sample(key, (_DRAWS,))


def _exponential(key: jax.Array) -> jax.Array:
    return _O3.exp(jax.random.normal(key, (_DRAWS, 3)))


def _orbit(key: jax.Array, draw: Callable) -> Evidence:
    """``|g . w - w|^2``, and the squared error at one standard normal x for each g, of five maps."""
    reps = _reps()
    ins, outs = map(np.asarray, _actions(reps, draw, key))
    rng, samples = generator(jax.random.fold_in(key, 1)), []
    x = rng.normal(size=(_DRAWS, reps[0].dim))
    for w in _mixed(key).reshape(-1, reps[1].dim, reps[0].dim):
        difference = outs @ w - w @ ins
        samples.append([np.sum(difference**2, axis=(1, 2)), _squares(np.einsum("gij,gj->gi", difference, x))])
    names = ("maps |g w - w|^2", "outputs |w g x - g w x|^2")
    return mean_evidence("share of D in w", _SHARES, np.moveaxis(np.array(samples), 0, 1), names)


_SHARES = np.array([0.01, 0.1, 0.5, 1.0, 2.0])


def _mixed(key: jax.Array) -> np.ndarray:
    """``P w + t D``, (5, 195): from nearly equivariant to worse than random."""
    (w,) = _maps(key, 1)
    p = projector(*_reps(), _O3)
    return p @ w + _SHARES[:, None] * (w - p @ w)


def _twice(key: jax.Array) -> np.ndarray:
    w = _mixed(key)
    d = w - w @ projector(*_reps(), _O3)
    return np.stack([2 * _squares(d)] * 2)


_KINDS = ("random", "odd", "even", "nearly equivariant")
_ROUNDING = 1 + 1e-12
"""Bounds that are reached are compared up to this."""


def _parities(key: jax.Array) -> np.ndarray:
    """A random map, its parts of both parities, and one near equivariance: (4, 13, 15)."""
    w = _maps(key, 1).reshape(13, 15)
    odd_out, odd_in = np.repeat([0, 1, 0], [1, 3, 9]), np.repeat([1, 0], [6, 9])
    odd = odd_out[:, None] != odd_in[None, :]
    p = projector(*_reps(), _O3)
    near = (p @ w.ravel()).reshape(w.shape)
    return np.stack([w, np.where(odd, w, 0), np.where(odd, 0, w), near + 0.01 * (w - near)])


def _worst_of(key: jax.Array, base: np.ndarray) -> Evidence:
    """The largest ``|g . w - w|`` over 500 rotations and reflections and the inversion; the input in a given base."""
    draw = lambda key: jnp.concatenate([_O3.sample(key, (500,)), -jnp.eye(3)[None]])
    ins, outs = map(np.asarray, _actions(_reps(), draw, jax.random.fold_in(key, 1)))
    ins, values = base @ ins @ np.linalg.inv(base), []
    for w in _parities(key):
        difference = outs @ w @ np.linalg.inv(ins) - w
        values.append([np.linalg.norm(difference, axis=(1, 2)).max(), np.linalg.norm(difference, 2, axis=(1, 2)).max()])
    return Evidence("map", _KINDS, np.array(values).T, ("Frobenius norm", "spectral norm"))


def _worst_bound(key: jax.Array) -> np.ndarray:
    p = projector(*_reps(), _O3)
    d = np.stack([w - (p @ w.ravel()).reshape(w.shape) for w in _parities(key)])
    norms = [np.linalg.norm(d, axis=(1, 2)), np.linalg.norm(d, 2, axis=(1, 2))]
    return 2 * _ROUNDING * np.stack(norms)


# --- a network -------------------------------------------------------------------------------------------

_HIDDEN = 2 * _V + tensor(_O3, 2)
_TS = np.linspace(0.0, 1.0, 11)
_NETWORKS = ("random layers", "one layer broken, the others the identity")
_SLICES = (slice(0, 3), slice(3, 6), slice(6, 15))

Layers = list[tuple[np.ndarray, np.ndarray]]


def _norm_nonlinearity(v: np.ndarray) -> np.ndarray:
    """``u / sqrt(1 + |u|^2)`` on each summand u of 2 V + T_2: equivariant, Lipschitz with constant 1."""
    parts = [v[..., s] / np.sqrt(1 + _squares(v[..., s]))[..., None] for s in _SLICES]
    return np.concatenate(parts, axis=-1)


def _network(key: jax.Array, which: int) -> tuple[list[tuple[np.ndarray, ...]], np.ndarray]:
    """Three layers as ``(P w, D, P b, b - P b)``, and inputs (n, 15)."""
    rng = generator(jax.random.fold_in(key, which))
    x = rng.normal(size=(24, 15))
    x /= np.sqrt(_squares(x))[:, None]
    if which:
        broken = np.zeros((15, 15))
        broken[0, 2] = 1.0  # the third coordinate of a vector into its first: a half turn changes the sign
        zero = np.zeros(15)
        layers = [(np.eye(15), d, zero, zero) for d in (broken, 0 * broken, 0 * broken)]
        return layers, np.concatenate([0.1 * x, 0.1 * np.eye(15)])
    p, p_bias = projector(_HIDDEN, _HIDDEN, _O3), projector(scalar(_O3), _HIDDEN, _O3)
    layers = []
    for _ in range(3):
        w, b = np.linalg.qr(rng.normal(size=(15, 15)))[0], 0.2 * rng.normal(size=15)
        near, near_bias = (p @ w.ravel()).reshape(15, 15), p_bias @ b
        layers.append((near, w - near, near_bias, b - near_bias))
    return layers, x


def _at(layers: list[tuple[np.ndarray, ...]], t: float) -> Layers:
    return [(near + t * d, near_bias + t * d_bias) for near, d, near_bias, d_bias in layers]


def _forward(layers: Layers, x: np.ndarray, nonlinearity: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
    """The input of every layer, and the output; no nonlinearity after the last."""
    found = [x]
    for k, (w, b) in enumerate(layers):
        z = found[-1] @ w.T + b
        found.append(z if k == len(layers) - 1 else nonlinearity(z))
    return found


def network_bound(key: jax.Array, which: int) -> np.ndarray:
    """The bound on the error of a network along ``w_t = P w + t D``, the largest over its inputs, (11,).

    ``sum_l prod_{j > l} |w_j|_2 2 (|D_l|_2 |h_{l-1}(x)| + |b_l - P b_l|)``, for nonlinearities of constant 1.

    Args:
        key: the claim's key.
        which: 0 for random layers, 1 for one broken layer between identities.

    Example:
        >>> network_bound(jax.random.key(0), 1).round(3)[[0, 5, 10]].tolist()
        [0.0, 0.1, 0.2]
    """
    layers, x = _network(key, which)
    norm = lambda m: np.linalg.norm(m, 2)
    found = []
    for t in _TS:
        now = _at(layers, t)
        inputs = _forward(now, x, _norm_nonlinearity)
        total = np.zeros(len(x))
        for k, (_, d, _, d_bias) in enumerate(layers):
            after = np.prod([norm(w) for w, _ in now[k + 1 :]])
            total += after * 2 * t * (norm(d) * np.sqrt(_squares(inputs[k])) + np.linalg.norm(d_bias))
        found.append(total.max())
    return np.array(found)


def network_errors(
    key: jax.Array, which: int, nonlinearity: Callable[[np.ndarray], np.ndarray] = _norm_nonlinearity
) -> np.ndarray:
    """The largest error ``|f(g x) - g f(x)|`` of the same network, over 60 elements and all inputs, (11,).

    Args:
        key: the claim's key.
        which: as in ``network_bound``.
        nonlinearity: of the hidden layers.

    Example:
        >>> network_errors(jax.random.key(0), 1).round(2)[[0, 5, 10]].tolist()
        [0.0, 0.1, 0.2]
    """
    layers, x = _network(key, which)
    turns = jnp.asarray([np.diag(signs) for signs in ([-1.0, -1, 1], [1.0, -1, -1], [-1.0, 1, -1], [-1.0, -1, -1])])
    draw = lambda key: jnp.concatenate([_O3.sample(key, (56,)), turns])
    (g,) = map(np.asarray, _actions((_HIDDEN,), draw, jax.random.fold_in(key, 7)))
    found = []
    for t in _TS:
        now = _at(layers, t)
        turned = _forward(now, np.einsum("gij,nj->gni", g, x), nonlinearity)[-1]
        expected = np.einsum("gij,nj->gni", g, _forward(now, x, nonlinearity)[-1])
        found.append(np.sqrt(_squares(turned - expected)).max())
    return np.array(found)


def _network_evidence(key: jax.Array, nonlinearity: Callable[[np.ndarray], np.ndarray]) -> Evidence:
    values = np.stack([network_errors(key, which, nonlinearity) for which in (0, 1)])
    return Evidence("t in w_t = P w + t D", _TS, values, _NETWORKS)


# --- several groups --------------------------------------------------------------------------------------

_NESTED = (
    ("SO(2) in O(2)", embed(so(2), 3, (0, 1)), _AXES[2]),
    ("O(2) in O(3)", _AXES[2], _O3),
    ("SO(2) in SO(3)", embed(so(2), 3, (0, 1)), so(3)),
    ("SO(3) in O(3)", so(3), _O3),
)


def _pythagoras(key: jax.Array, exchange: Group | None) -> Evidence:
    """``|w - P_H w|^2 + |P_H w - P_G w|^2``; the smaller group of the first pair may be exchanged for another."""
    values = []
    for k, (_, small, big) in enumerate(_NESTED):
        w = _maps(key, 8)
        p, q = projector(*_reps(), exchange if exchange and k == 0 else small), projector(*_reps(), big)
        values.append(_squares(w - w @ p) + _squares(w @ p - w @ q))
    return Evidence("map", np.arange(8), np.array(values), tuple(name for name, *_ in _NESTED))


def _hypotenuse(key: jax.Array) -> np.ndarray:
    w = _maps(key, 8)
    return np.stack([_squares(w - w @ projector(*_reps(), big)) for _, _, big in _NESTED])


_THREE, _TWO = _AXES, _AXES[:2]
_RANKS = np.arange(1, 6)
_SAME = (_AXES[0], _AXES[0])
"""One subgroup twice, which generates itself only."""


def _sum_of_complements(rep_in: Rep, rep_out: Rep, groups: tuple[Group, ...]) -> np.ndarray:
    return sum(np.eye(rep_in.dim * rep_out.dim) - projector(rep_in, rep_out, group) for group in groups)


def _constants(two: tuple[Group, ...]) -> Evidence:
    """On tensors of rank 1 ... 5: the least eigenvalue above 0 of S, and the dimension of its kernel."""
    rows: list[list[float]] = [[], [], [], []]
    for rank in _RANKS:
        for k, groups in enumerate((_THREE, two)):
            spectrum = np.linalg.eigvalsh(_sum_of_complements(scalar(_O3), tensor(_O3, int(rank)), groups))
            rows[k].append(spectrum[spectrum > 1e-9][0])
            rows[2 + k].append(np.sum(spectrum <= 1e-9))
    names = ("kappa, three axes", "kappa, two axes", "kernel, three axes", "kernel, two axes")
    return Evidence("tensor rank", _RANKS, rows, names)


_KAPPA = {3: 1.25, 2: 0.5}
"""The constant on the maps of this module, for three axes and for two."""


def _tested(key: jax.Array) -> np.ndarray:
    """Random maps; two that reach each constant; three that one subgroup alone nearly allows: (12, 195)."""
    w = _maps(key, 5)
    nearly = [w[k] @ projector(*_reps(), group) + 0.01 * w[k] for k, group in enumerate((*_AXES, so(3)))]
    vectors = []
    for groups in (_THREE, _TWO):
        spectrum, every = np.linalg.eigh(_sum_of_complements(*_reps(), groups))
        vectors += [every[:, np.argmax(spectrum > 1e-9)], every[:, -1]]
    return np.concatenate([w[:4], nearly, vectors])


def _both_sides(key: jax.Array, two: tuple[Group, ...]) -> Evidence:
    w = _tested(key)
    d = _squares(w - w @ projector(*_reps(), _O3))
    rows = []
    for groups in (_THREE, two):
        energy = sum(_squares(w - w @ projector(*_reps(), group)) for group in groups)
        rows += [d / energy, energy / d]
    names = tuple(f"{what}, {n} axes" for n in (3, 2) for what in ("|D|^2 / sum", "sum / |D|^2"))
    return Evidence("map", np.arange(len(w)), np.array(rows), names)


def _both_constants(key: jax.Array) -> np.ndarray:
    rows = [limit for n in (3, 2) for limit in (1 / _KAPPA[n], float(n))]
    return np.broadcast_to((1 + 1e-9) * np.array(rows)[:, None], (4, len(_tested(key)))).copy()


def _lie_energies(key: jax.Array, group: Group) -> Evidence:
    """The energy under the rotations' algebra against the distance from the maps of a group."""
    reps = [restrict(rep, inclusion(so(3), _O3)) for rep in _reps()]
    ins, outs = map(algebra, reps)
    w = np.concatenate([_tested(key), _extremes(ins, outs)])
    maps = w.reshape(-1, 1, 13, 15)
    energy = np.sum((outs @ maps - maps @ ins) ** 2, axis=(1, 2, 3))
    d = _squares(w - w @ projector(*_reps(), group))
    names = ("|D|^2 / sum_k |d rho(A_k) w|^2", "sum_k |d rho(A_k) w|^2 / |D|^2")
    return Evidence("map", np.arange(len(w)), np.stack([d / energy, energy / d]), names)


def _extremes(ins: np.ndarray, outs: np.ndarray) -> np.ndarray:
    """Two maps at the ends of the Casimir's spectrum, found by diagonalising it."""
    c = np.concatenate([np.kron(a, np.eye(15)) - np.kron(np.eye(13), b.T) for a, b in zip(outs, ins)])
    spectrum, vectors = np.linalg.eigh(c.T @ c)
    return vectors[:, [np.argmax(spectrum > 1e-9), -1]].T


def _casimir(key: jax.Array) -> np.ndarray:
    n = len(_tested(key)) + 2
    return (1 + 1e-9) * np.stack([np.full(n, 1 / 2), np.full(n, 20.0)])


# --- residual pathways -----------------------------------------------------------------------------------

_SIGMA_A, _SIGMA_B = 2.0, 0.3


def _regression(key: jax.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The projector, the design matrix and the labels of 30 samples of maps V + 1 -> 2 V."""
    rng, n = generator(key), 30
    x, y = rng.normal(size=(n, 4)), rng.normal(size=6 * n)
    design = np.einsum("ni,ab->nabi", x, np.eye(6)).reshape(6 * n, 24)
    return projector(_V + scalar(_O3), 2 * _V, _O3), design, y


def _penalised(key: jax.Array) -> np.ndarray:
    """``min |y - X w|^2 / 2 + lambda |(1 - P) w|^2 / 2 + ridge |w|^2 / 2``."""
    p, x, y = _regression(key)
    ridge = 1 / (_SIGMA_A**2 + _SIGMA_B**2)
    strength = 1 / _SIGMA_B**2 - ridge
    return np.linalg.solve(x.T @ x + ridge * np.eye(24) + strength * (np.eye(24) - p), x.T @ y)


def _pathways(key: jax.Array, deviations: np.ndarray) -> Evidence:
    """``A + B`` at ``min |y - X (A + B)|^2 / 2 + |A|^2 / 2 sigma_a^2 + sum_i B_i^2 / 2 sigma_i^2``, A in Hom_G."""
    p, x, y = _regression(key)
    spectrum, vectors = np.linalg.eigh(p)
    basis = vectors[:, spectrum > 0.5]
    both = np.concatenate([x @ basis, x], axis=1)
    prior = np.concatenate([np.full(basis.shape[1], _SIGMA_A**-2), deviations**-2])
    found = np.linalg.solve(both.T @ both + np.diag(prior), both.T @ y)
    w = basis @ found[: basis.shape[1]] + found[basis.shape[1] :]
    return Evidence("entry of w", np.arange(24), w)


CLAIMS = (
    Claim(
        name="penalty_is_mean_layer_error",
        statement="Twice the squared distance of a map from the equivariant ones is its mean squared error over the "
        "group.",
        formula="E_g |g . w - w|^2 = E_{g, x} |w g x - g w x|^2 = 2 |w - P w|^2, g Haar, x ~ N(0, 1)",
        source=_source("meaning of the penalty for one layer"),
        kind="ratio",
        predict=_twice,
        measure=lambda key: _orbit(key, _haar),
        violate=lambda key: _orbit(key, _exponential),
        dropped="the elements are drawn from Haar measure (they are exponentials of standard normal ones)",
    ),
    Claim(
        name="penalty_bounds_layer_error",
        statement="No element of the group moves a map by more than twice its distance from the equivariant ones.",
        formula="|g . w - w| <= 2 |w - P w|, Frobenius and spectral",
        source=_source("worst case for one layer"),
        kind="bound",
        predict=_worst_bound,
        measure=lambda key: _worst_of(key, np.eye(15)),
        violate=lambda key: _worst_of(key, np.diag(np.linspace(1.0, 8.0, 15))),
        dropped="the representations are orthogonal (that of the input is written in a stretched base)",
    ),
    Claim(
        name="penalty_bounds_network_error",
        statement="The error of a network with equivariant nonlinearities is at most linear in how far its weights are "
        "from equivariant.",
        formula="|f(g x) - g f(x)| <= sum_l prod_{j > l} |w_j| K_j 2 (|D_l| |h_{l-1}(x)| + |b_l - P b_l|)",
        source=_source("bound for a network"),
        kind="bound",
        predict=lambda key: _ROUNDING * np.stack([network_bound(key, which) for which in (0, 1)]) + 1e-13,
        measure=lambda key: _network_evidence(key, _norm_nonlinearity),
        violate=lambda key: _network_evidence(key, np.tanh),
        dropped="the nonlinearities are equivariant (tanh acts on single coordinates)",
    ),
    Claim(
        name="penalties_of_nested_groups",
        statement="The squared distances from the maps of a group and of its subgroup differ by that of the two "
        "projections.",
        formula="|w - P_G w|^2 = |w - P_H w|^2 + |P_H w - P_G w|^2, H <= G",
        source=_source("nested groups"),
        kind="identity",
        predict=_hypotenuse,
        measure=lambda key: _pythagoras(key, None),
        violate=lambda key: _pythagoras(key, embed(so(2), 3, (1, 2))),
        dropped="the groups are nested (one is exchanged for the rotations about another axis)",
    ),
    Claim(
        name="subgroups_that_generate",
        statement="On tensors, the penalties of the O(2)s that fix an axis vanish together on the invariants of O(3) "
        "only, with a gap of order one.",
        formula="least non-zero eigenvalue of sum_i (1 - P_i): 2, 3/2, 2, 5/4, 2 (three axes), 1, 1/2, 1, 1/2, 1 (two)",
        source=_source("groups that generate, constants"),
        kind="identity",
        predict=lambda key: np.array(
            [[2, 1.5, 2, 1.25, 2], [1, 0.5, 1, 0.5, 1], [0, 1, 0, 3, 0], [0, 1, 0, 3, 0]], np.float64
        ),
        measure=lambda key: _constants(_TWO),
        violate=lambda key: _constants(_SAME),
        dropped="the subgroups generate O(3) (two of one axis generate that O(2) only)",
    ),
    Claim(
        name="subgroup_penalties_enforce_the_group",
        statement="The penalties of subgroups that generate a group are, together, the penalty of the group up to "
        "constants.",
        formula="kappa |w - P_G w|^2 <= sum_i |w - P_i w|^2 <= M |w - P_G w|^2, kappa = 5/4 (M = 3), 1/2 (M = 2)",
        source=_source("groups that generate, bounds"),
        kind="bound",
        predict=_both_constants,
        measure=lambda key: _both_sides(key, _TWO),
        violate=lambda key: _both_sides(key, _SAME),
        dropped="the subgroups generate O(3) (two of one axis generate that O(2) only)",
    ),
    Claim(
        name="lie_energy_bounds_penalty",
        statement="The energy under a basis of the Lie algebra is the penalty of a connected group up to its Casimir's "
        "eigenvalues.",
        formula="2 |D|^2 <= sum_k |d rho(A_k) w|^2 = w^T K w <= 20 |D|^2, K with eigenvalues l (l + 1), l = 0 ... 4",
        source=_source("penalty without a projector"),
        kind="bound",
        predict=_casimir,
        measure=lambda key: _lie_energies(key, so(3)),
        violate=lambda key: _lie_energies(key, _O3),
        dropped="the group is connected (distances are those from the maps of O(3), whose inversion no algebra sees)",
    ),
    Claim(
        name="residual_pathway_is_a_penalty",
        statement="For linear regression a residual pathway with Gaussian priors is the projection penalty plus a "
        "uniform ridge.",
        formula="w = A + B: lambda = 1 / sigma_b^2 - ridge, ridge = 1 / (sigma_a^2 + sigma_b^2)",
        source=Source(
            author="M. Finzi, G. Benton, A. G. Wilson",
            title="Residual Pathway Priors for Soft Equivariance Constraints",
            venue="NeurIPS 2021",
            arxiv="2112.01388",
            theorem="equality with the penalty of Kim et al.",
            known="derived",
        ),
        kind="identity",
        predict=_penalised,
        measure=lambda key: _pathways(key, np.full(24, _SIGMA_B)),
        violate=lambda key: _pathways(key, _SIGMA_B * np.linspace(0.5, 2.0, 24)),
        dropped="the free path has one prior variance for all its entries",
    ),
)
