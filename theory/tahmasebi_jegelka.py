r"""The gain of an invariance: count invariant eigenfunctions, and learn with as many fewer samples.

Setting. A finite group G acts on a compact manifold by isometries. Each eigenspace of the Laplacian is a
representation; its invariants number ``m_l = mean_g chi_l(g)``. With ``N(L) = sum_{l <= L} dim_l`` and ``N(L; G) =
sum_{l <= L} m_l`` Weyl's law gives ``|G| N(L; G) / N(L) -> 1`` if the action is effective, and kernel regression with
the invariant kernel on n samples does what the plain kernel does on ``|G| n``.

On the sphere S^2 everything is exact. The degree-l harmonics have ``chi_l(g) = sin((2l + 1) t / 2) / sin(t / 2)`` for
the rotation angle t, and summing over l gives, with the sum over the elements other than the identity,

    ``|G| N(L; G) / N(L) - 1 = sum_g sin^2((L + 1) t_g / 2) / sin^2(t_g / 2) / (L + 1)^2 <= sum_g 1 / sin^2(t_g / 2) /
    (L + 1)^2``.

For the rotations C_m about an axis the last sum is ``(m^2 - 1) / 3``, and the bound is reached for m = 2 and even L.

On the circle, with the shifts C_m and the kernel ``sum_k (1 + k^2)^-s e^{ik(x - x')}``, the invariant kernel keeps
the frequencies divisible by m. Its error on n samples is that of the plain kernel on ``m n`` samples at the same
ridge per sample, for an invariant target: the variance is a sum over frequencies of a smooth function, which has m
times as many terms, each m times smaller; the bias is the same. The equality is asymptotic; what is left at finite n
is below the resolution of the claim, 10 %.

Known: that the sample count is multiplied by |G| was read in the paper's abstract, the rate behind it is recalled;
characters, exact excess and the bound are derived, and so is the experiment on the circle.
"""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from equiv.groups import polyhedral
from theory.claim import Claim, Evidence, Source, generator, mean_evidence

__all__ = ["CLAIMS", "axial", "count_invariants", "predict_excess_bound", "predict_invariants", "solid", "source"]


def source(theorem: str) -> Source:
    """The paper, for one of its statements; all are derived again.

    Args:
        theorem: which.
    """
    return Source(
        author="B. Tahmasebi, S. Jegelka",
        title="The Exact Sample Complexity Gain from Invariances for Kernel Regression",
        venue="NeurIPS 2023",
        arxiv="2303.14269",
        theorem=theorem,
        known="derived",
    )


def axial(order: int) -> np.ndarray:
    """The rotations by multiples of ``2 pi / order`` about the z-axis, (order, 3, 3).

    Example:
        >>> axial(2)[1].round(3).tolist()
        [[-1.0, -0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    t = 2 * np.pi * np.arange(order) / order
    zero, one = np.zeros(order), np.ones(order)
    rows = [[np.cos(t), -np.sin(t), zero], [np.sin(t), np.cos(t), zero], [zero, zero, one]]
    return np.moveaxis(np.array(rows), -1, 0)


def solid(name: str) -> np.ndarray:
    """The rotations of a regular solid, (order, 3, 3); the names are those of ``equiv.groups.polyhedral``."""
    with jax.enable_x64(True):
        return np.asarray(polyhedral(name).elements(jnp.float64))


def _angles(rotations: np.ndarray) -> np.ndarray:
    cosine = (np.trace(rotations, axis1=-2, axis2=-1) - 1) / 2
    return np.arccos(np.clip(cosine, -1, 1))


def predict_invariants(rotations: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """The number of invariant harmonics by characters: ``m_l = mean_g sin((2l + 1) t_g / 2) / sin(t_g / 2)``.

    Args:
        rotations: (|G|, 3, 3), all elements of a finite group.
        degrees: (k,), degrees l.

    Returns:
        (k,) float64, whole numbers up to rounding.

    Example:
        >>> predict_invariants(axial(3), np.arange(5)).round(9).tolist()
        [1.0, 1.0, 1.0, 3.0, 3.0]
    """
    t, width = _angles(rotations)[:, None], 2 * np.asarray(degrees)[None, :] + 1
    trivial = t < 1e-6
    character = np.sin(width * t / 2) / np.where(trivial, 1, np.sin(t / 2))
    return np.mean(np.where(trivial, width, character), axis=0)


def count_invariants(rotations: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """The same by averaging: the rank of the degree-l spherical harmonics, averaged over the rotations.

    Every harmonic is evaluated at ``4 L + 8`` points and at their images under all rotations; the mean over the
    images is a (points, 2l + 1) matrix whose rank is the number of independent averages. No character and no property
    of a group is used.

    Args:
        rotations: (k, 3, 3), any rotations.
        degrees: (l,), degrees; the largest is L.

    Returns:
        (l,) float64, whole numbers.

    Example:
        >>> count_invariants(axial(3), np.arange(5)).tolist()
        [1.0, 1.0, 1.0, 3.0, 3.0]
    """
    largest = int(np.max(degrees))
    points = np.random.default_rng(0).standard_normal((4 * largest + 8, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    x, y, z = np.moveaxis(np.einsum("gij,pj->gpi", rotations, points), -1, 0)
    # (L + 1, 2L + 1, rotations, points); orders -m stand at the end
    harmonics = scipy.special.sph_harm_y_all(largest, largest, np.arccos(np.clip(z, -1, 1)), np.arctan2(y, x))
    means = harmonics.mean(axis=2)
    counts = [np.linalg.matrix_rank(means[l, np.r_[-l:0, 0 : l + 1]], tol=1e-6) for l in degrees]
    return np.array(counts, np.float64)


def predict_excess_bound(rotations: np.ndarray, cutoffs: np.ndarray) -> np.ndarray:
    """The bound on ``|G| N(L; G) / N(L) - 1``: ``sum_{g != e} 1 / sin^2(t_g / 2) / (L + 1)^2``.

    Args:
        rotations: (|G|, 3, 3), all elements of a finite group, the identity first.
        cutoffs: (k,), L.

    Example:
        >>> float(predict_excess_bound(axial(4), np.array([0]))[0].round(9))  # (4^2 - 1) / 3
        5.0
    """
    return np.sum(1 / np.sin(_angles(rotations[1:]) / 2) ** 2) / (np.asarray(cutoffs) + 1.0) ** 2


# --- the claims ----------------------------------------------------------------------------------

_CUTOFFS = np.array([2, 4, 10, 20, 50, 100, 200, 400])


def _groups() -> dict[str, np.ndarray]:
    cyclic = {f"C_{m}": axial(m) for m in (2, 3, 5)}
    return cyclic | {name: solid(name) for name in ("tetrahedral", "octahedral", "icosahedral")}


def _counts(groups: dict[str, np.ndarray]) -> Evidence:
    degrees = np.arange(16)
    return Evidence("degree l", degrees, [count_invariants(g, degrees) for g in groups.values()], tuple(groups))


def _excess(groups: dict[str, np.ndarray], effective: int = 1) -> Evidence:
    """``|G| N(L; G) / N(L) - 1`` with whole numbers of invariants; ``effective`` elements of G act as each rotation."""
    degrees = np.arange(_CUTOFFS[-1] + 1)
    rows = []
    for rotations in groups.values():
        invariants = np.cumsum(np.rint(predict_invariants(rotations, degrees)))[_CUTOFFS]
        rows.append((effective * len(rotations) * invariants - (_CUTOFFS + 1) ** 2) / (_CUTOFFS + 1.0) ** 2)
    return Evidence("cut-off degree L", _CUTOFFS, rows, tuple(groups))


_SHIFTS, _SMOOTHNESS, _NOISE, _RIDGE, _BAND = 4, 2, 0.3, 3e-5, 48
_SIZES, _TRIALS = np.array([50, 100, 200]), 80
_GRID = 2 * np.pi * np.arange(128) / 128


def _features(x: np.ndarray, every: int) -> np.ndarray:
    """Fourier features ``(1 + k^2)^{-s/2} (cos kx, sin kx)`` of frequencies divisible by ``every``, (..., k)."""
    k = np.arange(0, _BAND + 1, every)
    weight = (1.0 + k**2) ** (-_SMOOTHNESS / 2)
    angles = x[..., None] * k
    return np.concatenate([weight * np.cos(angles), (weight * np.sin(angles))[..., 1:]], axis=-1)


def _error(draw: np.random.Generator, n: int, every: int, target) -> np.ndarray:
    """Mean square error of kernel ridge regression on n uniform points, one per trial; the ridge is per sample.

    The mean over the noise is taken exactly, ``|S f - f|^2 + noise^2 |S|^2`` with S the map from labels to the fit,
    so that the trials differ by their points only.
    """
    x = draw.uniform(0, 2 * np.pi, (_TRIALS, n))
    f, grid = _features(x, every), _features(_GRID, every)
    gram = np.swapaxes(f, 1, 2) @ f / n + _RIDGE * np.eye(f.shape[-1])
    weights = np.linalg.solve(gram, np.swapaxes(f, 1, 2) / n)
    fitted = np.squeeze(weights @ target(x)[..., None], -1) @ grid.T
    variance = np.sum(np.mean(grid**2, axis=0)[None, :, None] * weights**2, axis=(1, 2))  # the features are orthogonal
    return np.mean((fitted - target(_GRID)) ** 2, axis=1) + _NOISE**2 * variance


def _collapse(key: jax.Array, target) -> Evidence:
    """Error of the invariant kernel on n samples over that of the plain kernel on m n samples."""
    draw = generator(key)
    pairs = [(_error(draw, n, _SHIFTS, target), _error(draw, _SHIFTS * n, 1, target)) for n in _SIZES]
    ratios = [mean_evidence("", [0, 1], np.stack(pair)) for pair in pairs]
    values = np.array([r.values[0] / r.values[1] for r in ratios])
    relative = np.array([np.hypot(*(r.standard_error / r.values)) for r in ratios])
    return Evidence("samples n of the invariant kernel", _SIZES, values, (), values * relative, _TRIALS)


def _invariant_target(x: np.ndarray) -> np.ndarray:
    return np.exp(np.cos(_SHIFTS * x)) / 2 + np.sin(2 * _SHIFTS * x) / 2


def _other_target(x: np.ndarray) -> np.ndarray:
    return np.exp(np.cos((_SHIFTS - 1) * x)) / 2 + np.sin(2 * _SHIFTS * x) / 2


CLAIMS = (
    Claim(
        name="invariant_counts",
        statement="The mean character counts the invariant spherical harmonics of each degree, for cyclic and "
        "polyhedral groups.",
        formula="rank of the averaged harmonics = 1/|G| sum_g sin((2l + 1) t_g / 2) / sin(t_g / 2)",
        source=source("dimension of invariant eigenspaces"),
        kind="identity",
        predict=lambda key: np.stack([predict_invariants(g, np.arange(16)) for g in _groups().values()]),
        measure=lambda key: _counts(_groups()),
        violate=lambda key: _counts({name: g[: len(g) - 1] for name, g in _groups().items()}),
        dropped="the rotations are a group (one element is left out of the average)",
    ),
    Claim(
        name="invariant_gain",
        statement="The share of invariant harmonics tends to 1/|G|, with an excess that falls as the square of the "
        "cut-off.",
        formula="|G| N(L; G) / N(L) - 1 <= sum_{g != e} 1 / sin^2(t_g / 2) / (L + 1)^2; "
        "the sum is (m^2 - 1) / 3 for C_m",
        source=source("Weyl's law for invariant functions, effective finite action"),
        kind="bound",
        predict=lambda key: np.stack([predict_excess_bound(g, _CUTOFFS) for g in _groups().values()]),
        measure=lambda key: _excess(_groups()),
        violate=lambda key: _excess(_groups(), effective=2),
        dropped="the action is effective (every rotation is the action of two elements)",
    ),
    Claim(
        name="learning_gain_on_circle",
        statement="On the circle with m shifts, the invariant kernel on n samples has the error of the plain kernel on "
        "m n.",
        formula="E |f_inv(n) - f|^2 / E |f_plain(m n) - f|^2 -> 1",
        source=source("gain in samples for finite groups"),
        kind="ratio",
        predict=lambda key: np.ones(len(_SIZES)),
        measure=lambda key: _collapse(key, _invariant_target),
        violate=lambda key: _collapse(key, _other_target),
        dropped="the target is invariant",
    ),
)
