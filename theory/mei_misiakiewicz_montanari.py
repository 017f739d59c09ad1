r"""What an invariant kernel saves in samples: the degeneracy of the group.

Setting. Inputs are uniform on the hypercube ``{-1, 1}^d`` and the target is a polynomial of degree l that a group
leaves alone, here under cyclic shifts. The kernel ``h(x . x' / d)`` gives all ``C(d, l)`` monomials of degree l the
same eigenvalue; the invariant kernel ``mean_g h(x . g x' / d)`` keeps only their orbit sums. Let ``D(d, l)`` be how
many there are. By Burnside

    ``D(d, l) = 1/d sum_{k | gcd(d, l)} phi(k) C(d / k, l / k)``,

about ``C(d, l) / d``: the group has degeneracy ``alpha = 1``, and the invariant kernel needs d times fewer samples.

The asymptotic statement bends at the sizes one can run (with h = exp, sizes 8 to 24 and error 0.3 the slopes are 1.79
and 0.50 instead of 2 and 1). For the quadratic part alone, ``h(t) = t^2``, and d prime there is an exact one. Let the
p features be the monomials ``x_i x_j`` with i < j, or their D orbit sums, and fit noiseless labels with minimal norm.
The error is ``|w - P w|^2`` with P the projector onto the span of the n sample vectors. Flipping the sign of one
coordinate, and multiplying all indices by a unit of Z / d, are symmetries of the inputs which move the features
around; so the mean of P is a multiple of the identity on the span of each target's orbit, and

    ``E error = 1 - E rank P / p``,   with rank n up to p,

for the target ``sum_i x_i x_{i+1} / sqrt(d)``. The error eps is reached at ``n = (1 - eps) p`` in both cases, and the
ratio of the two sample sizes is ``C(d, 2) / D(d, 2) = d``. Averaging the *output* of the plain fit over the group,
instead of the kernel, gives about ``(1 - n / p)^2``, a factor that does not grow with d.

Known: the factor d^alpha, and that averaging the output saves nothing significant, were read in the paper's abstract;
that cyclic shifts have alpha = 1 is recalled; Burnside's count, the exact error and the ratio are derived. Rank n
needs no sample points whose features are dependent, which is rare enough from d = 13 on; at d = 11 it already moves
the ratio by one or two percent.
"""

import itertools
import math

import jax
import numpy as np

from theory.claim import Claim, Evidence, Source, generator
from theory.crossing import crossing, inside, ratio_evidence

__all__ = ["CLAIMS", "count_orbits", "interpolation_errors", "predict_degeneracy", "source"]


def source(theorem: str) -> Source:
    """The paper, for one of its statements; all are derived again.

    Args:
        theorem: which.
    """
    return Source(
        author="S. Mei, T. Misiakiewicz, A. Montanari",
        title="Learning with invariances in random features and kernel models",
        venue="COLT 2021",
        arxiv="2102.13219",
        theorem=theorem,
        known="derived",
    )


def predict_degeneracy(d: int, degree: int) -> int:
    """The number of cyclic-invariant multilinear polynomials of one degree in d variables, up to linear dependence.

    ``1/d sum_{k | gcd(d, l)} phi(k) C(d / k, l / k)``

    Args:
        d: number of variables.
        degree: l, 0 ... d.

    Example:
        >>> [predict_degeneracy(6, degree) for degree in range(7)]
        [1, 1, 3, 4, 3, 1, 1]
    """
    common = math.gcd(d, degree)
    divisors = [k for k in range(1, common + 1) if common % k == 0]
    units = {k: sum(math.gcd(k, j) == 1 for j in range(1, k + 1)) for k in divisors}
    return sum(units[k] * math.comb(d // k, degree // k) for k in divisors) // d


def count_orbits(d: int, degree: int, stride: int = 1) -> int:
    """The same by listing: orbits of the subsets of size ``degree`` under shifts by multiples of ``stride``.

    Example:
        >>> count_orbits(6, 2), count_orbits(6, 2, stride=2)
        (3, 5)
    """
    steps = range(0, d, math.gcd(d, stride))
    subsets = itertools.combinations(range(d), degree)
    return len({min(tuple(sorted((i + s) % d for i in subset)) for s in steps) for subset in subsets})


_DEGREES = np.arange(5)
_SIZES = (6, 8, 9, 10, 12)


def _orbits(stride: int) -> Evidence:
    counts = [[count_orbits(d, degree, stride) for degree in _DEGREES] for d in _SIZES]
    return Evidence("degree l", _DEGREES, counts, tuple(f"d = {d}" for d in _SIZES))


# --- the claim on samples ------------------------------------------------------------------------

_PRIMES, _TRIALS, _ERROR = np.array([13, 17, 19]), 48, 0.3


def _quadratic(x: np.ndarray) -> np.ndarray:
    """The monomials ``x_i x_j``, (..., n, d (d - 1) / 2), by j - i mod d, then by i: orbit after orbit."""
    d = x.shape[-1]
    return np.concatenate([x * np.roll(x, -r, axis=-1) for r in range(1, d // 2 + 1)], axis=-1)


def _orbit_sums(features: np.ndarray, d: int) -> np.ndarray:
    """The sum of each orbit of monomials, with norm 1: (..., p) -> (..., p / d)."""
    return features.reshape(*features.shape[:-1], -1, d).sum(axis=-1) / math.sqrt(d)


def interpolation_errors(draw: np.random.Generator, learner: str, d: int, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors of the interpolator of minimal norm for ``sum_i x_i x_{i+1} / sqrt(d)``, relative to the zero function.

    Args:
        draw: numpy generator.
        learner: ``plain`` kernel, ``invariant`` kernel, or ``symmetrised`` output of the plain one.
        d: odd number of variables.
        trials: independent samples; nested in n.

    Returns:
        Sample sizes (k,), and errors (trials, k).
    """
    orbit = d if learner == "invariant" else 1  # monomials in one feature
    p = d * (d - 1) // 2 // orbit
    features = _quadratic(2.0 * draw.integers(2, size=(trials, p, d)) - 1)
    if learner == "invariant":
        features = _orbit_sums(features, d)
    truth = np.zeros(p)
    truth[: d // orbit] = math.sqrt(orbit / d)
    sizes = np.unique(np.rint(np.linspace(0.4, 0.85, 5) * p).astype(int))
    found = np.empty((trials, len(sizes)))
    for k, n in enumerate(sizes):
        rows = features[:, :n]
        inverse = np.linalg.pinv(rows @ np.swapaxes(rows, 1, 2), rcond=1e-9, hermitian=True)
        fit = np.squeeze((rows @ truth)[:, None, :] @ inverse @ rows, 1)
        if learner == "symmetrised":
            fit = np.repeat(_orbit_sums(fit, d), d, axis=-1) / math.sqrt(d)
        found[:, k] = np.sum((fit - truth) ** 2, axis=-1)
    return sizes, found


def _gain(key: jax.Array, learner: str) -> Evidence:
    """Samples of the plain kernel over samples of another learner, per dimension.

    Both have the same sizes in units of their number of features, so that what lines in log n are off cancels.
    """
    draw_key, *keys = jax.random.split(key, 1 + 2 * len(_PRIMES))
    draw, found = generator(draw_key), {"plain": [], learner: []}
    for i, d in enumerate(_PRIMES):
        for own, name in zip(keys[2 * i :], found):
            trials = _TRIALS if name != "invariant" else 40 * _TRIALS  # small fits: more of them for the same error
            sizes, errors = interpolation_errors(draw, name, int(d), trials)
            found[name].append(inside(crossing(own, sizes, errors, _ERROR, resamples=200)))
    return ratio_evidence("dimension d", _PRIMES, found["plain"], found[learner])


CLAIMS = (
    Claim(
        name="cyclic_degeneracy",
        statement="Burnside's formula counts the cyclic-invariant multilinear polynomials of each degree.",
        formula="orbits of l-subsets of Z/d = 1/d sum_{k | gcd(d, l)} phi(k) C(d/k, l/k)",
        source=source("degeneracy of the cyclic group, alpha = 1"),
        kind="identity",
        predict=lambda key: np.array([[predict_degeneracy(d, degree) for degree in _DEGREES] for d in _SIZES]),
        measure=lambda key: _orbits(1),
        violate=lambda key: _orbits(2),
        dropped="the group is transitive (shifts by two, which for even d have two orbits)",
    ),
    Claim(
        name="invariant_kernel_gain",
        statement="For a cyclic-invariant quadratic target in a prime number d of variables the invariant kernel needs "
        "d times fewer samples.",
        formula="n_plain(error 0.3) / n_inv(error 0.3) = C(d, 2) / D(d, 2) = d",
        source=source("gain d^alpha of the invariant kernel"),
        kind="ratio",
        predict=lambda key: _PRIMES,
        measure=lambda key: _gain(key, "invariant"),
        violate=lambda key: _gain(key, "symmetrised"),
        dropped="the kernel is averaged (the output of the plain fit is)",
    ),
)
