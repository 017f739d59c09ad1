r"""Densities of rotations with a band limit: how they move, what is exact, and what a symmetric solid does to them.

A picture of a solid with the rotation group S tells its rotation up to S on the right: the labels ``R_0 s`` are equally
likely. Logits f with band limit L are judged by the mean of ``f(R_0 s)`` minus ``log int exp f``, in the field's volume
``pi^2``. The second term is convex and the Haar measure invariant, so averaging f over ``f(R s)`` never hurts: only
functions invariant under S matter, and with ``R_0 = 1`` also under S on the left. Hence

    f(R) = sum_l sum_ij C_l[i, j] v_i^T D^l(R) v_j,    v_1 ... v_d the invariants of D^l under S.

Below the smallest degree with an invariant (1 for a cone, 2 for a cylinder, 3, 4 and 6 for tetrahedron, cube and
icosahedron) f is constant: the best mean log-likelihood is that of the uniform density, ``-log pi^2``. From there on
only the size of the logits limits it. We bound it by the spectral norm of each ``C_l`` (of ``sqrt(2l + 1) x_l``, as
blocks); then C_l may be taken diagonal in invariants that belong to the group's normaliser, and a few numbers are left,
for which the problem is concave. Around a peak the density is nearly Gaussian, with ``f(exp w) = f(1) - h |w|^2 / 2``
and ``h = sum_l tr(C_l) l (l + 1) / 3``, so that the best mean log-likelihood is about ``log(8 / |S|) + (3 / 2) log(h /
2 pi)``. For a cone or a cylinder the peak is one circle or two, ``h`` has a 2 in the place of the 3, and it is
``log(8 / (2 pi n)) + log(h / 2 pi)``.

Known: the pipeline and the volume were read in the public code; thresholds, families and formulas are derived here.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
import scipy.special
from scipy.spatial.transform import Rotation

from equiv.groups import polyhedral, so
from equiv.groups.measures import so3_grid, so3_quadrature
from equiv.layers import rotation_signal, so3_activation, so3_conv, sphere_to_so3
from equiv.layers.so3 import evaluate, log_density, log_likelihood, to_blocks
from equiv.reps import algebra
from equiv.reps.irreps import so3, wigner_blocks
from theory.claim import Claim, Evidence, Source

__all__ = [
    "CLAIMS",
    "SOLIDS",
    "UNIFORM",
    "best_likelihood",
    "invariants",
    "peak_blocks",
    "predict_ceiling",
    "predict_counts",
    "predict_likelihood",
    "threshold",
]

_I2S = Source(
    author="D. Klee, O. Biza, R. Platt, R. Walters",
    title="Image to Sphere: Learning Equivariant Features for Efficient Pose Prediction",
    venue="ICLR 2023",
    arxiv="2302.13926",
    theorem="the density on SO(3) and its evaluation",
    known="derived",
)

SOLIDS = ("cone", "cylinder", "tetrahedron", "cube", "icosahedron")
"""Solids by the degree from which on a density can tell how they are turned."""
_GROUPS = {"tetrahedron": "tetrahedral", "cube": "octahedral", "icosahedron": "icosahedral"}
_NORMALISERS = {"tetrahedron": "octahedral", "cube": "octahedral", "icosahedron": "icosahedral"}

UNIFORM = -2 * math.log(math.pi)
"""The log-likelihood of the uniform density, ``-log pi^2``."""


# --- invariants of solids ---------------------------------------------------------------------------------------------


def _matrices(l: int, vectors: np.ndarray) -> np.ndarray:
    """D^l of the turns with these axis-angle vectors: (n, 2l + 1, 2l + 1). In numpy, since nothing has to compile."""
    angles = np.linalg.norm(vectors, axis=1, keepdims=True)
    axes = np.where(angles > 0, vectors / np.where(angles > 0, angles, 1), [0.0, 1, 0])
    w, v = np.linalg.eigh(1j * np.einsum("nk,kij->nij", axes, algebra(so3(l))))
    return np.einsum("nim,nm,njm->nij", v, np.exp(-1j * angles) ** np.round(w), v.conj()).real


@functools.cache
def _projector(group: str, l: int) -> np.ndarray:
    """The mean of D^l over the rotations of a regular solid."""
    elements = np.asarray(polyhedral(group).elements(jnp.float64))
    return _matrices(l, Rotation.from_matrix(elements).as_rotvec()).mean(axis=0)


@functools.cache
def invariants(solid: str, l: int) -> np.ndarray:
    """An orthonormal basis of the vectors of D^l that do not move when the solid is turned into itself.

    Cone and cylinder have y as their axis; the others stand as in ``equiv.groups.polyhedral``. The basis belongs to the
    normaliser of the group: the tetrahedron's invariants are even or odd under the quarter turns of the cube.

    Args:
        solid: one of ``SOLIDS``.
        l: the degree, below 12.

    Returns:
        (2l + 1, d).

    Example:
        >>> with jax.enable_x64(True):
        ...     [invariants("tetrahedron", l).shape[1] for l in range(7)]
        [1, 0, 0, 1, 1, 0, 2]
    """
    if solid not in _GROUPS:
        kept = l % 2 == 0 or solid == "cone"
        return np.eye(2 * l + 1)[:, l : l + 1] if kept else np.zeros((2 * l + 1, 0))
    both = _projector(_GROUPS[solid], l) + _projector(_NORMALISERS[solid], l)
    size, vectors = np.linalg.eigh(both)
    return vectors[:, size > 0.5]


def threshold(solid: str) -> int:
    """The smallest degree above 0 with an invariant.

    Example:
        >>> with jax.enable_x64(True):
        ...     [threshold(solid) for solid in SOLIDS]
        [1, 2, 3, 4, 6]
    """
    return next(l for l in range(1, 12) if invariants(solid, l).shape[1])


def predict_ceiling(solid: str, level: int) -> float:
    """The largest mean log-likelihood of a density on the cells of ``so3_grid(level)``; infinite if labels are circles.

    ``log(n / (pi^2 |S|))``: one cell for each label.

    Example:
        >>> round(predict_ceiling("icosahedron", 5), 2)
        8.29
    """
    return math.log(72 * 8**level / polyhedral(_GROUPS[solid]).order) + UNIFORM if solid in _GROUPS else math.inf


def predict_counts(solid: str, l_max: int) -> np.ndarray:
    """How many invariants each degree has, from the generating functions ``sum_l n_l t^l``.

    ``(1 + t^c) / ((1 - t^a) (1 - t^b))`` with (a, b, c) = (3, 4, 6), (4, 6, 9), (6, 10, 15) for tetrahedron, cube and
    icosahedron; ``1 / (1 - t)`` for a cone and ``1 / (1 - t^2)`` for a cylinder.

    Example:
        >>> predict_counts("icosahedron", 12).astype(int).tolist()
        [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1]
    """
    steps = {"cone": (1,), "cylinder": (2,), "tetrahedron": (3, 4), "cube": (4, 6), "icosahedron": (6, 10)}[solid]
    extra = {"tetrahedron": 6, "cube": 9, "icosahedron": 15}.get(solid)
    counts = np.zeros(l_max + 1)
    counts[0] = 1
    if extra is not None and extra <= l_max:
        counts[extra] = 1
    for step in steps:
        for l in range(step, l_max + 1):
            counts[l] += counts[l - step]
    return counts


# --- the best density -------------------------------------------------------------------------------------------------


def _coefficients(solid: str, l_max: int) -> list[tuple[int, np.ndarray]]:
    """The free numbers: a degree and an invariant each."""
    return [(l, v) for l in range(1, l_max + 1) for v in invariants(solid, l).T]


def _family(solid: str, l_max: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The functions ``v^T D^l(R) v`` at the points of a quadrature, (k, points), and its weights.

    Of a cone or a cylinder they are Legendre polynomials of cos beta. The others have half turns about y, so that half
    of each circle is enough: n / 2 points in beta, in half of alpha and in half of gamma.
    """
    heights, masses = np.polynomial.legendre.leggauss(n // 2)
    free, circle = _coefficients(solid, l_max), 2 * np.pi * np.arange(n // 2) / n
    if solid not in _GROUPS:
        return np.stack([scipy.special.eval_legendre(l, heights) for l, _ in free]), masses / 2
    functions = []
    for l, v in free:
        around = _matrices(l, np.outer(circle, [0.0, 1, 0]))
        tilts = _matrices(l, np.outer(np.arccos(heights), [1.0, 0, 0]))
        left, right = np.einsum("aij,i->aj", around, v), np.einsum("cij,j->ic", around, v)
        functions.append((left @ (tilts @ right)).ravel())
    return np.stack(functions), np.repeat(masses / 2, (n // 2) ** 2) / (n // 2) ** 2


def best_likelihood(solid: str, l_max: int, bound: float) -> tuple[float, np.ndarray]:
    """The largest mean log-likelihood of logits with a band limit, and the numbers that reach it.

    The integral is done by a quadrature in Euler angles whose points are as dense as the sharpest peak needs.

    Args:
        solid: one of ``SOLIDS``.
        l_max: the band limit, below 12.
        bound: of the spectral norms of the C_l (``sqrt(2l + 1) x_l`` as blocks).

    Returns:
        The log-likelihood, and one number for each degree from 1 on and each of its invariants.

    Example:
        >>> with jax.enable_x64(True):
        ...     value, numbers = best_likelihood("cube", 4, 10.0)
        >>> round(value, 2), numbers.tolist()
        (2.32, [10.0])
    """
    free = _coefficients(solid, l_max)
    if not free:
        return UNIFORM, np.zeros(0)
    sharpest = bound * sum(l * (l + 1) for l, _ in free) / 3
    functions, weights = _family(solid, l_max, 2 * math.ceil(20 + 3 * sharpest**0.5))

    def negative(c: np.ndarray) -> tuple[float, np.ndarray]:
        logits = c @ functions
        top = logits.max()
        masses = np.exp(logits - top) * weights
        total = masses.sum()
        return top + math.log(total) - c.sum() - UNIFORM, functions @ masses / total - 1

    found = scipy.optimize.minimize(
        negative, np.full(len(free), bound / 2), jac=True, method="L-BFGS-B", bounds=[(-bound, bound)] * len(free)
    )
    return -float(found.fun), found.x


def peak_blocks(solid: str, numbers: np.ndarray, l_max: int, poses: np.ndarray) -> tuple[np.ndarray, ...]:
    """The logits that these numbers stand for, in several poses: blocks (n, 2l + 1, 2l + 1).

    Args:
        solid: one of ``SOLIDS``.
        numbers: as ``best_likelihood`` gives them.
        l_max: the band limit they belong to.
        poses: (n, 3), the rotations R_0 as axis-angle vectors.

    Example:
        >>> with jax.enable_x64(True):
        ...     [block.shape for block in peak_blocks("cone", np.ones(2), 2, np.zeros((4, 3)))]
        [(4, 1, 1), (4, 3, 3), (4, 5, 5)]
    """
    blocks = tuple(np.zeros((2 * l + 1, 2 * l + 1)) for l in range(l_max + 1))
    for c, (l, v) in zip(numbers, _coefficients(solid, l_max), strict=True):
        blocks[l][...] += c * np.outer(v, v) / (2 * l + 1) ** 0.5
    return tuple(_matrices(l, poses) @ block for l, block in enumerate(blocks))


def predict_likelihood(solid: str, numbers: np.ndarray, l_max: int) -> float:
    """The mean log-likelihood of a density that is Gaussian around its peaks, for large logits.

    Args:
        solid: one of ``SOLIDS``.
        numbers: as ``best_likelihood`` gives them.
        l_max: the band limit they belong to.

    Returns:
        ``log(8 / |S|) + (3 / 2) log(h / 2 pi)``, or ``log(8 / (2 pi n)) + log(h / 2 pi)`` for n circles; ``UNIFORM``
        without any numbers.

    Example:
        >>> with jax.enable_x64(True):
        ...     round(predict_likelihood("cube", np.array([10.0]), 4), 2)
        2.44
    """
    if not len(numbers):
        return UNIFORM
    curvature = sum(c * l * (l + 1) for c, (l, _) in zip(numbers, _coefficients(solid, l_max), strict=True))
    if solid in _GROUPS:
        return math.log(8 / polyhedral(_GROUPS[solid]).order) + 1.5 * math.log(curvature / 3 / (2 * math.pi))
    circles = 2 if solid == "cylinder" else 1
    return math.log(8 / (2 * math.pi * circles)) + math.log(curvature / 2 / (2 * math.pi))


def _flat(blocks: tuple) -> np.ndarray:
    return np.concatenate([np.asarray(x).reshape(*x.shape[:-2], -1) for x in blocks], axis=-1)


def _functions(l_max: int, rotations: jax.Array) -> np.ndarray:
    """``sqrt(2l + 1) D^l_mn`` at rotations, from degree 1 on: (n, functions)."""
    blocks = wigner_blocks(l_max, rotations)[1:]
    return _flat(tuple((2 * l + 1) ** 0.5 * d for l, d in enumerate(blocks, 1)))


@functools.cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Functions up to degree 6 at the points of a quadrature that is exact for their squares; logarithms of weights."""
    rotations, weights = so3_quadrature(12, jnp.float64)
    return _functions(6, rotations), np.log(np.asarray(weights))


def _climbed(key: jax.Array, solid: str, l_max: int) -> float:
    """The mean log-likelihood that free logits reach, from a random start, for a solid in a random pose.

    No symmetry is used: all coefficients are free, from -5 to 5, and the labels are what they are.
    """
    k_pose, k_start = jax.random.split(key)
    pose = so(3).sample(k_pose, (), jnp.float64)
    functions, log_weights = _quadrature()
    functions = functions[:, : sum((2 * l + 1) ** 2 for l in range(1, l_max + 1))]
    labels = []
    for l, d in enumerate(wigner_blocks(6, pose)[1 : l_max + 1], 1):
        v = invariants(solid, l)
        labels.append((2 * l + 1) ** 0.5 * np.asarray(d) @ v @ v.T)
    labels = _flat(tuple(labels))

    def negative(x: np.ndarray) -> tuple[float, np.ndarray]:
        logits = functions @ x + log_weights
        shift = scipy.special.logsumexp(logits)
        return shift - labels @ x, np.exp(logits - shift) @ functions - labels

    start = 0.1 * np.asarray(jax.random.normal(k_start, labels.shape, jnp.float64))
    options, bounds = {"maxiter": 200, "maxcor": 50, "ftol": 0, "gtol": 1e-10}, [(-5, 5)] * len(start)
    found = scipy.optimize.minimize(negative, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return UNIFORM - float(found.fun)


def _climbs(key: jax.Array, above: int) -> Evidence:
    """For each solid but the cone, below whose threshold there is nothing to climb."""
    solids = SOLIDS[1:]
    keys = jax.random.split(key, len(solids))
    values = [_climbed(k, solid, threshold(solid) - 1 + above) for k, solid in zip(keys, solids, strict=True)]
    return Evidence("solid", solids, values)


_SYMMETRISED, _DRAWS = "cube", 32


def _densities(key: jax.Array, labels: str, symmetrised: bool) -> np.ndarray:
    """Geometric means of densities at the labels, of random logits or of these averaged over the turns of the solid."""
    k_pose, k_logits = jax.random.split(key)
    l_max, turns = 4, np.asarray(polyhedral(_GROUPS[_SYMMETRISED]).elements(jnp.float64))
    pose = np.asarray(so(3).sample(k_pose, (), jnp.float64))
    rotations, weights = so3_quadrature(3 * l_max, jnp.float64)
    given = _functions(l_max, jnp.asarray(pose @ turns if labels == "all" else pose[None])).mean(axis=0)
    x = np.asarray(jax.random.normal(k_logits, (_DRAWS, len(given)), jnp.float64)) / 20
    if symmetrised:
        parts, start = [], 0
        for l in range(1, l_max + 1):
            v, side = invariants(_SYMMETRISED, l), 2 * l + 1
            parts.append(x[:, start : start + side**2].reshape(-1, side, side) @ v @ v.T)
            start += side**2
        x = _flat(tuple(parts))
    # every weight is taken together with its turned copies, so that the sum is as invariant as the integral
    everywhere = np.concatenate([np.asarray(rotations) @ turn for turn in turns])
    logits = x @ _functions(l_max, jnp.asarray(everywhere)).T
    shift = scipy.special.logsumexp(logits, axis=1, b=np.tile(np.asarray(weights), len(turns)) / len(turns))
    return np.exp(x @ given - shift)


# --- signals and grids ------------------------------------------------------------------------------------------------

_L = 4


@functools.cache
def _network():
    """From a signal on the sphere to logits on SO(3), with a square in between."""
    layers = (
        sphere_to_so3(_L, 3, 2),
        so3_activation(_L, 2, lambda x: x + x**2 / 4),
        so3_conv(_L, 2, 1),
    )

    def logits(params: tuple, x: jax.Array) -> tuple[jax.Array, ...]:
        for layer, p in zip(layers, params, strict=True):
            x = layer.apply(p, x)
        return tuple(block[0] for block in to_blocks(x, _L))

    def init(key: jax.Array) -> tuple:
        keys = jax.random.split(key, len(layers))
        return tuple(layer.init(k, jnp.float64) for layer, k in zip(layers, keys, strict=True))

    return layers[0].rep_in, jax.jit(init), jax.jit(logits)


def _moved(key: jax.Array, how: str) -> np.ndarray:
    """Logits at 16 rotations: of the still input at ``g^-1 R``, or of the moved one at R, as it is or transposed."""
    rep, init, logits = _network()
    k_params, k_x, k_g, k_r = jax.random.split(key, 4)
    x = jax.random.normal(k_x, (rep.dim,), jnp.float64)
    g, r = so(3).sample(k_g, (), jnp.float64), so(3).sample(k_r, (16,), jnp.float64)
    params = init(k_params)
    if how == "still":
        return np.asarray(evaluate(logits(params, x), so(3).compose(so(3).inverse(g)[None], r)))
    blocks = logits(params, rep.act(g, x))
    return np.asarray(evaluate(blocks if how == "moved" else tuple(block.T for block in blocks), r))


def _squared(key: jax.Array, degree: int, before: bool) -> np.ndarray:
    layer = so3_activation(_L, 1, jnp.square, degree)
    k_x, k_g = jax.random.split(key)
    x, g = jax.random.normal(k_x, (layer.rep_in.dim,), jnp.float64), so(3).sample(k_g, (), jnp.float64)
    act = functools.partial(layer.rep_in.act, g)
    return np.asarray(layer.apply({}, act(x)) if before else act(layer.apply({}, x)))


_LEVEL = 1


def _random_blocks(key: jax.Array) -> tuple[jax.Array, ...]:
    x = jax.random.normal(key, (rotation_signal(_L).dim,), jnp.float64)
    return tuple(block[0] for block in to_blocks(x, _L))


def _by_table(key: jax.Array) -> np.ndarray:
    blocks = _random_blocks(key)
    logits = _functions(_L, so3_grid(_LEVEL, jnp.float64)) @ _flat(blocks[1:]) + float(blocks[0][0, 0])
    return logits - scipy.special.logsumexp(logits) + math.log(len(logits))


def _separably(key: jax.Array, gamma_first: bool) -> np.ndarray:
    found = np.asarray(log_density(_random_blocks(key), _LEVEL))
    return found.reshape(-1, 6 * 2**_LEVEL).T.ravel() if gamma_first else found


def _uniform(key: jax.Array, volume: float) -> np.ndarray:
    zero = tuple(jnp.zeros((2 * l + 1, 2 * l + 1)) for l in range(_L + 1))
    found = log_likelihood(zero, so(3).sample(key, (8,), jnp.float64), _LEVEL)
    return np.asarray(found) - UNIFORM - math.log(volume)


def _numbered(axis: str, values: np.ndarray) -> Evidence:
    return Evidence(axis, np.arange(len(values)), values)


_DEGREES = range(13)


def _counts(groups: dict[str, str]) -> Evidence:
    """The traces of the mean D^l over each group."""
    rows = [[np.trace(_projector(group, l)) for l in _DEGREES] for group in groups.values()]
    return Evidence("degree l", _DEGREES, rows, tuple(groups))


CLAIMS = (
    Claim(
        name="density_moves_with_the_input",
        statement="Turning what a network sees turns its density of rotations from the left.",
        formula="f'(R) = f(g^-1 R) for x' = D(g) x, with f(R) = sum_l sqrt(2l + 1) <x_l, D^l(R)>, x_l left index first",
        source=_I2S,
        kind="identity",
        predict=lambda key: _moved(key, "still"),
        measure=lambda key: _numbered("rotation", _moved(key, "moved")),
        violate=lambda key: _numbered("rotation", _moved(key, "transposed")),
        dropped="the left index is what a rotation acts on (the blocks are transposed, and the other side turns)",
    ),
    Claim(
        name="squares_on_so3_are_exact",
        statement="Squaring a signal with band limit L on SO(3), on a grid of degree 3 L, commutes with rotations.",
        formula="P_L (D(g) f)^2 = D(g) P_L f^2, by a quadrature of degree 3 L",
        source=_I2S,
        kind="identity",
        predict=lambda key: _squared(key, 3 * _L, before=False),
        measure=lambda key: _numbered("coefficient", _squared(key, 3 * _L, before=True)),
        violate=lambda key: _numbered("coefficient", _squared(key, 3 * _L - 1, before=True)),
        dropped="the quadrature has degree 3 L (it has one less)",
        budget=300.0,  # sums over more than a thousand rotations
    ),
    Claim(
        name="separable_density_is_that_of_the_table",
        statement="Summing over degrees for each ring, then over m for each pixel, then over n gives every rotation's "
        "density.",
        formula="D(a, b, c) = Z(a) d(b) Z(c); log p(R_i) = f(R_i) - log mean_j exp f(R_j)",
        source=_I2S,
        kind="identity",
        predict=_by_table,
        measure=lambda key: _numbered("rotation", _separably(key, gamma_first=False)),
        violate=lambda key: _numbered("rotation", _separably(key, gamma_first=True)),
        dropped="the in-plane angle runs fastest (the pixel does, as in the public code)",
    ),
    Claim(
        name="uniform_log_likelihood",
        statement="In the field's volume of SO(3) the uniform density has the log-likelihood -log pi^2 everywhere.",
        formula="log p = -log pi^2 = -2.28946",
        source=_I2S,
        kind="identity",
        predict=lambda key: np.full(8, UNIFORM),
        measure=lambda key: _numbered("rotation", _uniform(key, math.pi**2)),
        violate=lambda key: _numbered("rotation", _uniform(key, 8 * math.pi**2)),
        dropped="the volume is pi^2 (it is 8 pi^2, that of axis-angle vectors)",
    ),
    Claim(
        name="invariants_of_solids",
        statement="The first degree with a function that the rotations of a solid leave alone is 3 for a tetrahedron, "
        "4 for a cube and 6 for an icosahedron.",
        formula="sum_l n_l t^l = (1 + t^c) / ((1 - t^a)(1 - t^b)), (a, b, c) = (3, 4, 6), (4, 6, 9), (6, 10, 15)",
        source=_I2S,
        kind="identity",
        predict=lambda key: np.stack([predict_counts(solid, 12) for solid in _GROUPS]),
        measure=lambda key: _counts(_GROUPS),
        violate=lambda key: _counts(dict.fromkeys(_GROUPS, "tetrahedral")),
        dropped="all rotations of the solid count (those of a tetrahedron inside it do)",
    ),
    Claim(
        name="symmetrised_logits_are_no_worse",
        statement="If the equivalent labels of a picture are equally likely, averaging logits over the turns of the "
        "solid never lowers their mean log-likelihood, hence the geometric mean of the density there.",
        formula="exp(mean_s f(R_0 s) - log int exp f) <= the same for mean_s f(R s)",
        source=_I2S,
        kind="bound",
        predict=lambda key: _densities(key, "all", symmetrised=True),
        measure=lambda key: _numbered("draw", _densities(key, "all", symmetrised=False)),
        violate=lambda key: _numbered("draw", _densities(key, "one", symmetrised=False)),
        dropped="the labels are equally likely (only one of them occurs)",
    ),
    Claim(
        name="uniform_below_the_threshold",
        statement="Below the first degree with an invariant of the solid, the best mean log-likelihood of all logits "
        "is that of the uniform density.",
        formula="max_f mean_s f(R_0 s) - log int exp f = 0; L < 2, 3, 4, 6: cylinder, tetrahedron, cube, icosahedron",
        source=_I2S,
        kind="identity",
        predict=lambda key: np.full(len(SOLIDS) - 1, UNIFORM),
        measure=lambda key: _climbs(key, above=0),
        violate=lambda key: _climbs(key, above=1),
        dropped="the band limit is below the threshold (it is at it)",
    ),
)
