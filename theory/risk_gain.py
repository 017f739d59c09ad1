r"""What a symmetry is worth in samples, in five settings: learning curves by formula, and claims on stored runs.

Setting. The experiment ``equivariant_risk_gain`` measures n*, the samples at which the mean loss reaches a target, for
learners that know more or less of the symmetry of their task:

============  ===========================================  =====================================================
task          what is learned                              n*
============  ===========================================  =====================================================
``linear``    an invariant vector, least squares           ``d + 1 + s^2 d / t``; averaged ``d + 1 + s^2 v / t``;
                                                           invariant ``v + 1 + s^2 v / t``
``halves``    which half of 2d coordinates is longer       to 15 % mistakes 3.0 p, p = ``d (2d + 1)`` or ``2d``
``shifts``    ``sum_i x_i x_(i+1) / sqrt(d)`` on signs     ``(1 - t) p``, p = ``d (d - 1) / 2``, invariant ``p / d``
``degrees``   such a polynomial of degree l, h = exp       by the formula below
``circle``    a function with 8 shifts, m of them known    in proportion to ``1 / m``
============  ===========================================  =====================================================

Here t is the target, s the noise, v the dimension of the invariant vectors. The first row is exact. All curves of the
others come from one formula, the *deterministic equivalent* of ridge regression. Let the kernel have eigenvalues
``lambda_i``, the target the coefficients ``f_i`` in its eigenfunctions, and let the system be ``K + ridge I``. With

    ``n = sum_i lambda_i / (lambda_i + k) + ridge / k``,   ``g_i = lambda_i / (lambda_i + k)``,
    ``bias = sum_i f_i^2 (1 - g_i)^2``,

the risk is ``bias + (s^2 + bias) (sum_i g_i^2 / n) / (1 - sum_i g_i^2 / n)``. The second term is spread over the
eigenfunctions as ``g_i^2``, so that the average over the group of what was learned, for an invariant target, has only
the invariant ones' share of it. The formula says why the gains are what they are: knowing the symmetry leaves out
eigenfunctions that the target does not have. It is exact in the limit of many of them; with no ridge, no noise and p
equal eigenvalues it is ``1 - n / p``. Least squares on normal inputs has n - d where n - d - 1 is exact.

``halves`` is classification: with b = sqrt(2 / pi), the label is ``b z + noise`` of variance ``1 - b^2``, z the
standardised quadratic form. The fitted form has correlation c with z, and the share of mistakes is ``arccos(c) / pi``
if both are normal. Features are products of coordinates and not normal; from p of about 30 on the formula is right to
a few percent. For the two features of the invariant learner there is none, but their number is 2 for every d.

Known: the formulas of ``linear`` follow from the means of inverse Wishart matrices; the deterministic equivalent is
recalled, and checked here against what was known exactly. Which statements are the papers' own: see each claim.

Reference:
    Canatar, Bordelon, Pehlevan, Nature Communications 12 (2021), arXiv 2006.13198: the deterministic equivalent of
    kernel regression (recalled).
"""

import dataclasses
import math
from collections.abc import Callable

import jax
import numpy as np
import scipy.optimize
import scipy.special
import xarray as xr

from theory import elesedy_zaidi, mei_misiakiewicz_montanari, tahmasebi_jegelka
from theory.claim import Claim, Evidence, TooSmall, key_of
from theory.crossing import Crossing, crossing, ratio_evidence
from theory.inductive_bias import LI, WANG

__all__ = [
    "CIRCLE_POWER",
    "CLAIMS",
    "crossings",
    "predict_circle",
    "predict_degrees",
    "predict_halves",
    "predict_least_squares",
    "predict_n_star",
    "predict_risk",
    "predict_shifts",
]

CIRCLE_POWER = {8: 0.8, 16: 0.2}
"""Frequency -> mean square of the target's part of that frequency on the circle; the target has eight shifts."""


# --- the formulas -----------------------------------------------------------------------------------------------------


def _effective(n: np.ndarray, eigenvalues: np.ndarray, counts: np.ndarray, ridge: np.ndarray) -> np.ndarray:
    """The k of the module's formula, by bisection of its logarithm; next to 0 where the fit is determined."""
    low, high = np.full(n.shape, -80.0), np.full(n.shape, 80.0)
    for _ in range(100):
        k = np.exp((low + high) / 2)
        too_small = np.sum(counts * (eigenvalues / (eigenvalues + k[..., None])), axis=-1) + ridge / k > n
        low, high = np.where(too_small, np.log(k), low), np.where(too_small, high, np.log(k))
    return np.exp((low + high) / 2)


def predict_risk(
    n: np.ndarray | float,
    eigenvalues: np.ndarray,
    counts: np.ndarray,
    power: np.ndarray,
    *,
    ridge: np.ndarray | float = 0.0,
    noise: float = 0.0,
    kept: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Mean square error of kernel ridge regression, by its deterministic equivalent.

    ``bias + (noise^2 + bias) V / (1 - sum_i g_i^2 / n)``, ``V = sum_i kept_i g_i^2 / n``; see the module.

    Args:
        n: sample sizes, any shape.
        eigenvalues: (k,), the different ones.
        counts: (k,), eigenfunctions of each.
        power: (k,), mean square of the target's part in them.
        ridge: of ``K + ridge I``, a number or like n.
        noise: standard deviation of the labels' noise.
        kept: (k,) or a number, the share of the eigenfunctions that the average over a group keeps; all of the target.

    Returns:
        Like n; infinite at the spike of a fit without a ridge.

    Example:
        >>> predict_risk([25, 75], np.ones(1), np.array([100]), np.ones(1)).round(6).tolist()  # 1 - n / p
        [0.75, 0.25]
        >>> predict_risk(300, np.ones(1), np.array([100]), np.ones(1), noise=1.0).round(6).tolist()  # p / (n - p)
        0.5
    """
    n = np.asarray(n, np.float64)
    k = _effective(n, eigenvalues, counts, np.asarray(ridge, np.float64))[..., None]
    learned = eigenvalues / (eigenvalues + k)
    bias = np.sum(power * (1 - learned) ** 2, axis=-1)
    share, left = (np.sum(counts * learned**2 * kept_, axis=-1) / n for kept_ in (kept, 1.0))
    room = 1 - left
    spread = (noise**2 + bias) * share / np.where(room > 1e-12, room, 1)
    return bias + np.where((room > 1e-12) | (noise == 0), spread, np.inf)


def predict_least_squares(learner: str, n: np.ndarray | float, d: int, v: int, noise: float) -> np.ndarray:
    """Mean risk of least squares of minimal norm on N(0, I_d), for an invariant target of length 1. Exact.

    ``noise^2 d / (n - d - 1)`` for n > d + 1 and ``1 - n / d + noise^2 n / (d - n - 1)`` for n < d - 1; averaged, that
    minus ``theory.elesedy_zaidi.predict_gap``; invariant, that with v in the place of d.

    Args:
        learner: ``plain``, ``averaged`` or ``invariant``.
        n: sample sizes, any shape.
        d: dimension of the inputs.
        v: dimension of the invariant vectors.
        noise: standard deviation of the labels' noise, above 0.

    Returns:
        Like n; infinite in between.

    Example:
        >>> learners = "plain", "averaged", "invariant"
        >>> [round(float(predict_least_squares(name, 21, 10, 2, 1.0)), 3) for name in learners]
        [1.0, 0.2, 0.111]
    """
    n, p = np.asarray(n, np.float64), v if learner == "invariant" else d
    below, above = n < p - 1, n > p + 1
    found = np.where(above, noise**2 * p / np.where(above, n - p - 1, 1), np.inf)
    found = np.where(below, 1 - n / p + noise**2 * n / np.where(below, p - n - 1, 1), found)
    if learner != "averaged":
        return found
    inside = below | above
    return np.where(inside, found - elesedy_zaidi.predict_gap(np.where(inside, n, 2 * d), d, d - v, 1.0, noise), np.inf)


def predict_halves(learner: str, n: np.ndarray | float, d: int) -> np.ndarray:
    """Share of mistakes of ridge regression on squares about which half of 2d coordinates is longer; the ridge is p.

    Args:
        learner: ``plain`` or ``partial``, with p = ``d (2d + 1)`` or ``2d`` features.
        n: sample sizes, any shape.
        d: half the number of coordinates.

    Returns:
        Like n.

    Example:
        >>> predict_halves("partial", np.array([1, 48, 1000]), 8).round(3).tolist()
        [0.437, 0.15, 0.031]
    """
    p, linear = {"plain": d * (2 * d + 1), "partial": 2 * d}[learner], 2 / np.pi
    n, eigenvalue, counts = np.asarray(n, np.float64), np.array([2.0]), np.array([p])
    risk = predict_risk(n, eigenvalue, counts, np.array([linear]), ridge=p, noise=np.sqrt(1 - linear))
    along = linear * 2 / (2 + _effective(n, eigenvalue, counts, np.asarray(float(p))))  # <fitted, target>
    return np.arccos(along / np.sqrt(linear * (risk - linear + 2 * along))) / np.pi


def predict_shifts(learner: str, n: np.ndarray | float, d: int) -> np.ndarray:
    """Error of quadratic interpolation of ``sum_i x_i x_(i+1) / sqrt(d)`` on signs, d prime; no noise.

    ``1 - n / p`` with p = ``d (d - 1) / 2`` for the plain kernel, ``p / d`` for the invariant one; for the averaged
    output of the plain one ``(1 - n / p)^2`` and a term of order ``1 / d``.

    Args:
        learner: ``plain``, ``averaged`` or ``invariant``.
        n: sample sizes up to p, any shape.
        d: number of variables.

    Example:
        >>> [predict_shifts(name, 3, 13).round(2).tolist() for name in ("plain", "averaged", "invariant")]
        [0.96, 0.93, 0.5]
    """
    p = d * (d - 1) // 2 // (d if learner == "invariant" else 1)
    kept = 1 / d if learner == "averaged" else 1.0
    return predict_risk(n, np.ones(1), np.array([p]), np.ones(1), kept=kept)


def predict_degrees(learner: str, n: np.ndarray | float, d: int, degree: int) -> np.ndarray:
    """Error of kernel interpolation of a cyclic polynomial of one degree on signs, with the kernel ``exp(x . x' / d)``.

    Its eigenvalue for monomials of degree l is ``cosh(1 / d)^(d - l) sinh(1 / d)^l``.

    Args:
        learner: ``plain``, or ``invariant``, whose kernel is averaged over all shifts.
        n: sample sizes, any shape.
        d: number of variables.
        degree: l.

    Example:
        >>> predict_degrees("plain", np.array([50, 160, 500]), 17, 2).round(2).tolist()
        [0.99, 0.3, 0.01]
    """
    degrees = np.arange(d + 1)
    eigenvalues = np.cosh(1 / d) ** (d - degrees) * np.sinh(1 / d) ** degrees
    if learner == "invariant":
        counts = np.array([mei_misiakiewicz_montanari.predict_degeneracy(d, k) for k in degrees.tolist()], np.float64)
    else:
        counts = scipy.special.comb(d, degrees)
    return predict_risk(n, eigenvalues, counts, (degrees == degree).astype(float))


def predict_circle(
    n: np.ndarray | float, m: int, band: int, smoothness: float, ridge: float, noise: float, outside: float = 0.0
) -> np.ndarray:
    """Mean square error on the circle of a kernel that knows m shifts, for the target of ``CIRCLE_POWER``.

    The kernel ``sum_k (1 + k^2)^-smoothness e^(ik(x - x'))`` keeps the frequencies k up to ``band`` that m divides.

    Args:
        n: sample sizes, any shape.
        m: shifts.
        band: largest frequency.
        smoothness: s.
        ridge: per sample.
        noise: standard deviation of the labels' noise.
        outside: mean square of a further part of the target, of frequency 1; a kernel that cannot have it takes it for
            noise.

    Example:
        >>> predict_circle(np.array([40, 20]), 4, 64, 2.0, 1e-6, 0.5).round(3).tolist()
        [0.106, 0.263]
    """
    frequencies = np.arange(0, band + 1, m)
    eigenvalues, counts = (1.0 + frequencies**2) ** -smoothness, np.where(frequencies == 0, 1, 2)
    power = np.array([({1: outside} | CIRCLE_POWER).get(k, 0.0) for k in frequencies.tolist()])
    missed, n = (0.0 if m == 1 else outside), np.asarray(n, np.float64)
    return missed + predict_risk(n, eigenvalues, counts, power, ridge=ridge * n, noise=math.sqrt(noise**2 + missed))


def predict_n_star(loss: Callable[[float], np.ndarray], target: float, least: float = 1.0, most: float = 1e7) -> float:
    """Where a falling formula reaches a target.

    Args:
        loss: ``loss(n)``, falling from ``least`` on.
        target: to reach.
        least: the n to begin at; behind the spike of a formula that has one.
        most: the largest n.

    Raises:
        ValueError: the target is not between the losses at both ends.

    Example:
        >>> round(predict_n_star(lambda n: 8 / n, 0.25), 6)
        32.0
    """
    ends = float(loss(least)), float(loss(most))
    if not ends[1] < target < ends[0]:
        raise ValueError(
            f"the loss goes from {ends[0]:g} to {ends[1]:g} and never is {target:g}; give a target between"
        )

    def above(log_n: float) -> float:
        return math.tanh(float(loss(math.exp(log_n))) - target)  # finite where the loss is infinite

    return math.exp(scipy.optimize.brentq(above, math.log(least), math.log(most), xtol=1e-12))


# --- claims on stored runs --------------------------------------------------------------------------------------------

_TRIALS = 8


def crossings(dataset: xr.Dataset, task: str, learner: str) -> dict[int, Crossing]:
    """n* of a learner at every size of a task, made again from the stored losses, with its replicates.

    Args:
        dataset: results of equivariant_risk_gain.
        task: name of the task.
        learner: name of the learner.

    Returns:
        Size of the task -> crossing, in rising order.
    """
    found = {}
    for name in dataset["cell"].values.tolist():
        *about, x = name.split()
        if about == [task, learner]:
            cell = dataset.sel(cell=name)
            used = cell["sizes"].values > 0
            losses = cell["losses"].transpose("trial", "step").values[:, used]
            key = jax.random.fold_in(key_of(f"{task} {learner}"), np.uint32(x))
            found[int(x)] = crossing(key, cell["sizes"].values[used], losses, float(cell["target"]))
    return dict(sorted(found.items()))


def _inside(dataset: xr.Dataset, *rows: tuple[str, str], least: int = 1) -> np.ndarray:
    """The sizes from ``least`` on at which there are these tasks and learners; no n* of them may be a bound.

    Raises:
        TooSmall: fewer than two sizes, or few trials, or an n* that is a bound.
    """
    found = [crossings(dataset, *row) for row in rows]
    points = [x for x in found[0] if x >= least and all(x in one for one in found)]
    bounds = [x for x in points if any(one[x].censored for one in found)]
    if len(points) < 2 or bounds or dataset.sizes["trial"] < _TRIALS:
        raise TooSmall(
            f"it takes {_TRIALS} trials and two sizes from {least} on of {', '.join(map(' '.join, rows))}, n* inside "
            f"of the samples, got {dataset.sizes['trial']} trials, sizes {points} and bounds at {bounds}; "
            "run the preset desk"
        )
    return np.array(points)


def _formula(dataset: xr.Dataset, task: str, learner: str, points: np.ndarray) -> list[float]:
    """n* by the stored formula."""
    return [float(dataset["predicted"].sel(cell=f"{task} {learner} {x}")) for x in points.tolist()]


_LEARNERS = ("plain", "averaged", "invariant")


def _three(dataset: xr.Dataset) -> np.ndarray:
    points = _inside(dataset, *(("linear", learner) for learner in _LEARNERS))
    return np.array([_formula(dataset, "linear", learner, points) for learner in _LEARNERS])


def _least_squares(dataset: xr.Dataset, tasks: tuple[str, ...]) -> Evidence:
    """n* of three learners, each in a task of its own."""
    rows = list(zip(tasks, _LEARNERS))
    points = _inside(dataset, *rows)
    found = [[crossings(dataset, *row)[x] for x in points.tolist()] for row in rows]
    values = [[one.n_star for one in row] for row in found]
    error = [[one.replicates.std(ddof=1) for one in row] for row in found]
    return Evidence("dimension d", points, values, _LEARNERS, error, dataset.sizes["trial"])


_FULL, _HALF, _LARGE = ("halves", "plain"), "coordinates of a half d", 16


def _full(dataset: xr.Dataset) -> np.ndarray:
    """The d from 12 on that the learner of all products and that of squares have."""
    return _inside(dataset, _FULL, ("halves", "partial"), least=12)


def _halves(dataset: xr.Dataset, learner: str, points: np.ndarray) -> Evidence:
    found = crossings(dataset, "halves", learner)
    replicates = np.stack([found[x].replicates for x in points.tolist()], axis=1)
    return Evidence(
        _HALF,
        points,
        [found[x].n_star for x in points.tolist()],
        standard_error=replicates.std(axis=0, ddof=1),
        trials=dataset.sizes["trial"],
        replicates=replicates,
    )


def _growth(dataset: xr.Dataset, learner: str) -> Evidence:
    return _halves(dataset, learner, _inside(dataset, ("halves", learner), least=_LARGE))


def _exponent(dataset: xr.Dataset, learner: str, exponent: float) -> float:
    _inside(dataset, ("halves", learner), least=_LARGE)
    return exponent


def _gain(dataset: xr.Dataset, learner: str) -> Evidence:
    """n* of the plain kernel over that of another learner."""
    points = _inside(dataset, ("shifts", "plain"), ("shifts", learner))
    plain, other = (crossings(dataset, "shifts", name) for name in ("plain", learner))
    return ratio_evidence("variables d", points, [plain[d] for d in points], [other[d] for d in points])


def _orders(dataset: xr.Dataset, task: str) -> np.ndarray:
    """Every m but 1, which has to be there, too."""
    points = _inside(dataset, (task, "invariant"))
    if points[0] != 1:
        raise TooSmall(f"it takes m = 1 to compare with, got {points.tolist()}; run the preset desk")
    return points[1:]


def _shared(dataset: xr.Dataset, task: str) -> Evidence:
    """n* of the kernel that knows no shift over that of one that knows m."""
    points, found = _orders(dataset, task), crossings(dataset, task, "invariant")
    return ratio_evidence("shifts m", points, [found[1]] * len(points), [found[m] for m in points])


_EXPERIMENT = "equivariant_risk_gain"
CLAIMS = (
    Claim(
        name="least_squares_samples",
        statement="Least squares, its average over the group, and least squares on invariants take the samples of the "
        "formula to a risk.",
        formula="n* = d + 1 + s^2 d / t, d + 1 + s^2 v / t, v + 1 + s^2 v / t",
        source=elesedy_zaidi.source("Theorem on the linear model, n > d + 1, solved for n", "derived"),
        kind="ratio",
        predict=_three,
        measure=lambda dataset: _least_squares(dataset, ("linear",) * 3),
        violate=lambda dataset: _least_squares(dataset, ("linear", "linear_broken", "linear_broken")),
        dropped="the target is invariant (a part of it, of half the risk, is not)",
        experiment=_EXPERIMENT,
    ),
    Claim(
        name="fully_connected_samples",
        statement="From 12 coordinates of a half on, the orthogonally equivariant learner takes three samples for each "
        "of the d (2d + 1) products of coordinates.",
        formula="n*(15 % mistakes) = 2.99 d (2d + 1) for ridge regression with the kernel <x, x'>^2, ridge d (2d + 1)",
        source=dataclasses.replace(LI, theorem="Omega(d^2) samples for orthogonally equivariant algorithms"),
        kind="ratio",
        predict=lambda dataset: np.array(_formula(dataset, *_FULL, _full(dataset))),
        measure=lambda dataset: _halves(dataset, "plain", _full(dataset)),
        violate=lambda dataset: _halves(dataset, "partial", _full(dataset)),
        dropped="the learner is orthogonally equivariant (it knows the coordinate axes)",
        experiment=_EXPERIMENT,
    ),
    Claim(
        name="locally_connected_slope",
        statement="Up to 64 coordinates of a half, the learner with a free weight for each coordinate's square takes "
        "samples in proportion to their number.",
        formula="n*(15 % mistakes) ~ d for ridge regression on x_i^2 - 1, d from 16 on",
        source=WANG,
        kind="rate",
        predict=lambda dataset: _exponent(dataset, "partial", 1.0),
        measure=lambda dataset: _growth(dataset, "partial"),
        violate=lambda dataset: _growth(dataset, "invariant"),
        dropped="the weights are free (they are tied within each half)",
        experiment=_EXPERIMENT,
    ),
    Claim(
        name="convolutional_slope",
        statement="Up to 64 coordinates of a half, the learner with weights tied within each half takes the same "
        "number of samples.",
        formula="n*(15 % mistakes) ~ d^0 for ridge regression on the pooled squares of the two halves, d from 16 on",
        source=WANG,
        kind="rate",
        predict=lambda dataset: _exponent(dataset, "invariant", 0.0),
        measure=lambda dataset: _growth(dataset, "invariant"),
        violate=lambda dataset: _growth(dataset, "partial"),
        dropped="the weights are tied within each half (they are free)",
        experiment=_EXPERIMENT,
    ),
    Claim(
        name="invariant_kernel_divides_samples",
        statement="Up to 43 variables, a prime number d of them, the invariant kernel takes d times fewer samples for "
        "a cyclic-invariant quadratic target.",
        formula="n*(plain) / n*(invariant) = d",
        source=mei_misiakiewicz_montanari.source("gain d^alpha of the invariant kernel"),
        kind="ratio",
        predict=lambda dataset: _inside(dataset, ("shifts", "plain"), ("shifts", "invariant")).astype(float),
        measure=lambda dataset: _gain(dataset, "invariant"),
        violate=lambda dataset: _gain(dataset, "averaged"),
        dropped="the kernel is averaged (the output of the plain fit is)",
        experiment=_EXPERIMENT,
    ),
    Claim(
        name="shifts_divide_samples_on_circle",
        statement="On the circle a kernel that knows m of the target's shifts takes m times fewer samples to an error.",
        formula="n*(1) / n*(m) -> m at the same ridge per sample",
        source=tahmasebi_jegelka.source("gain in samples for finite groups"),
        kind="ratio",
        predict=lambda dataset: _orders(dataset, "circle").astype(float),
        measure=lambda dataset: _shared(dataset, "circle"),
        violate=lambda dataset: _shared(dataset, "circle_broken"),
        dropped="the target is invariant (a part of it, of half the error, is not)",
        experiment=_EXPERIMENT,
    ),
)
