r"""Where a falling, noisy learning curve crosses a target: the sample size n*, its band, and what it may not say.

The sample complexity of a learner is ``n* = min {n : E loss(n) <= target}``. The loss falls with n only on average, so
that a search on single runs finds where the noise happened to be low. Here whole curves of several trials are given on
a grid of sizes, and three steps make one number of them:

1. the mean over trials is replaced by the nearest falling sequence (isotonic regression, every size with equal weight,
   because every size has the same trials);
2. between two sizes the loss is a straight line in log n, and n* is where it meets the target;
3. trials, whole curves, are drawn with replacement, and each draw gives a *replicate* of n*. A trial's training sets of
   all sizes are nested, so its losses are correlated, and single points must not be drawn. The band is of 95 %, from
   quantiles of the replicates that are widened for few trials (``_tail``).

The straight lines put n* too high where the loss is convex: for ``1 / n`` by up to 6 % on a grid of ratio 2, by 1.5 %
on one of ratio 1.4, and by 0.4 % on one of ratio 1.2. ``next_sizes`` says what to add so that the sizes are close where
it counts. Lines between the logarithms of both would be exact for ``1 / n``; but then n* would depend on the zero from
which a loss is counted, and most losses fall to a floor that is not known.

A grid has two ends. If the first size already reaches the target, all that is known is *at most*; if the last one
does not, all that is known is *above*. Both are data: ``censored`` is -1 or +1, and the number stored is the end of
the grid, never NaN or infinity. Replicates are treated alike, and an end of the band that rests on censored
replicates is *open*: it is stored as the end of the grid and says no more than that.

Reference:
    Hesterberg, What Teachers Should Know About the Bootstrap, The American Statistician 2015 (arXiv 1411.5279): the
    widened quantiles (recalled; their coverage is measured in the tests).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.stats

from theory.claim import Evidence, generator

__all__ = [
    "Crossing",
    "Estimate",
    "at_rates",
    "best_rates",
    "crossing",
    "falling",
    "inside",
    "meets",
    "next_sizes",
    "ratio",
    "ratio_evidence",
    "slope",
]

LEVEL = 0.95
"""Of every band."""


class Crossing(NamedTuple):
    """The sample size at which a mean loss reaches a target.

    Attributes:
        n_star: samples; the last size of the grid if ``censored`` is +1, the first if it is -1.
        low: lower end of the 95 % band; of a band that is open below, the first size of the grid.
        high: upper end; of a band that is open above, the last size of the grid.
        censored: +1 above ``n_star``, -1 at most ``n_star``, 0 at ``n_star``.
        low_open: whether all that is known is that the lower end lies at or below ``low``.
        high_open: whether all that is known is that the upper end lies above ``high``.
        trials: curves it was made of.
        replicates: (resamples,), from trials drawn with replacement; censored ones at the end of the grid.
        flags: (resamples,), ``censored`` of each replicate.
    """

    n_star: float
    low: float
    high: float
    censored: int
    low_open: bool
    high_open: bool
    trials: int
    replicates: np.ndarray
    flags: np.ndarray


class Estimate(NamedTuple):
    """A number made of several crossings, with its 95 % band.

    Attributes:
        value: the number; a bound if ``censored`` is not 0.
        low: lower end of the band.
        high: upper end.
        censored: +1 if the true value is above ``value``, -1 if it is below, 0 if neither.
        low_open: whether censored replicates could move the lower end down.
        high_open: whether they could move the upper end up.
        replicates: (resamples,).
    """

    value: float
    low: float
    high: float
    censored: int
    low_open: bool
    high_open: bool
    replicates: np.ndarray


def best_rates(by: np.ndarray) -> np.ndarray:
    """Which rate has the least loss; NaN and infinity are never chosen if there is another.

    Args:
        by: (..., rates), the losses to choose by.

    Returns:
        (...), whole numbers; among equals the first.

    Example:
        >>> best_rates(np.array([[3.0, np.nan, 2.0], [1.0, 1.0, np.inf]])).tolist()
        [2, 0]
    """
    return np.where(np.isfinite(by), by, np.inf).argmin(axis=-1)


def at_rates(losses: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Losses at the chosen rates.

    Args:
        losses: (..., rates).
        rates: (...), as from ``best_rates``.

    Example:
        >>> at_rates(np.array([[3.0, 2.0, 4.0]]), np.array([2])).tolist()
        [4.0]
    """
    return np.take_along_axis(losses, rates[..., None], axis=-1)[..., 0]


def falling(losses: np.ndarray) -> np.ndarray:
    """The nearest sequence that never rises, in least squares with equal weights.

    ``g_j = min_{a <= j} max_{b >= j} mean(loss_a ... loss_b)``

    Args:
        losses: (..., m).

    Returns:
        (..., m).

    Example:
        >>> falling(np.array([3.0, 1.0, 2.0, 0.0])).tolist()
        [3.0, 1.5, 1.5, 0.0]
    """
    losses = np.asarray(losses, np.float64)
    m = losses.shape[-1]
    first, last = np.triu_indices(m)
    sums = np.concatenate([np.zeros_like(losses[..., :1]), np.cumsum(losses, axis=-1)], axis=-1)
    means = np.full((*losses.shape, m), -np.inf)  # (..., a, b)
    means[..., first, last] = (sums[..., last + 1] - sums[..., first]) / (last + 1 - first)
    means[..., range(m), range(m)] = losses  # without the rounding of the sums
    most = np.maximum.accumulate(means[..., ::-1], axis=-1)[..., ::-1]  # over b >= j, at j
    most = np.where(np.tri(m, dtype=bool).T, most, np.inf)
    return np.minimum.accumulate(most, axis=-2)[..., range(m), range(m)]


def meets(n: np.ndarray, losses: np.ndarray, target: float) -> tuple[np.ndarray, np.ndarray]:
    """The smallest sample size at which the falling fit of a curve is at the target, on lines in log n.

    Args:
        n: (m,), rising sample sizes.
        losses: (..., m).
        target: the loss to reach.

    Returns:
        The sample size (...), and whether it is censored (...): +1 with the last size, -1 with the first, or 0.

    Raises:
        ValueError: fewer than two sizes, sizes that do not rise, or a loss or target that is not finite.

    Example:
        >>> n_star, censored = meets(np.array([10, 40]), np.array([[0.75, 0.25], [0.75, 0.6]]), 0.5)
        >>> n_star.round(9).tolist(), censored.tolist()
        ([20.0, 40.0], [0, 1])
    """
    n, losses = _checked(n, losses, target)
    return _meets(n, losses, target)


def _meets(n: np.ndarray, losses: np.ndarray, target: float) -> tuple[np.ndarray, np.ndarray]:
    fit, m = falling(losses), len(n)
    first = np.argmax(fit <= target, axis=-1)  # 0 also where there is none
    above = fit[..., -1] > target
    at = np.clip(first, 1, m - 1)
    left, right = (np.take_along_axis(fit, np.expand_dims(i, -1), -1)[..., 0] for i in (at - 1, at))
    inside = ~above & (first > 0)
    share = np.where(inside, (left - target) / np.where(inside, left - right, 1), 0)
    found = np.exp(np.log(n)[at - 1] + share * (np.log(n)[at] - np.log(n)[at - 1]))
    found = np.clip(found, n[at - 1], n[at])
    return np.where(inside, found, np.where(above, n[-1], n[0])), np.where(inside, 0, np.where(above, 1, -1))


def crossing(key: jax.Array, n: np.ndarray, losses: np.ndarray, target: float, resamples: int = 1000) -> Crossing:
    """n* of several trials, and its band.

    The same key and number of trials draw the same trials, so that the replicates of two learners that were trained on
    the same data are paired, as ``ratio`` wants it.

    Args:
        key: random key of the resampling.
        n: (m,), rising sample sizes, at least two.
        losses: (trials, m), a whole curve for each trial, at least two.
        target: the mean loss to reach.
        resamples: how many replicates.

    Returns:
        The crossing; see there for what is stored where the grid ends.

    Raises:
        ValueError: one size, sizes that do not rise, one trial, a loss that is not finite (it names the trial and the
            size), or a target that is not finite.

    Example:
        >>> n = np.array([10, 20, 40, 80])
        >>> noise = np.random.default_rng(0).normal(size=(8, 4))
        >>> found = crossing(jax.random.key(0), n, 10 / n[None] + 0.02 * noise, target=0.5)
        >>> found.low < 20 < found.high, found.censored
        (True, 0)
    """
    n, losses = _checked(n, losses, target)
    if losses.ndim != 2 or len(losses) < 2:
        raise ValueError(
            f"a band takes losses (trials, sizes) of two trials or more, got shape {losses.shape}; "
            "meets gives n* of a single curve"
        )
    trials = len(losses)
    rows = generator(key).integers(trials, size=(resamples, trials))
    n_star, censored = _meets(n, losses.mean(axis=0), target)
    replicates, flags = _meets(n, losses[rows].mean(axis=1), target)
    low, high, *is_open = _band(np.log(replicates), flags < 0, flags > 0, _tail(trials, 1))
    low, high = (float(np.clip(np.exp(end), n[0], n[-1])) for end in (low, high))
    return Crossing(float(n_star), low, high, int(censored), *is_open, trials, replicates, flags)


def inside(found: Crossing) -> Crossing:
    """The crossing itself, if the grid holds it with all its replicates; for claims that a bound cannot decide.

    Args:
        found: the crossing.

    Raises:
        ValueError: n* or a replicate of it is a bound.

    Example:
        >>> n, losses = np.array([10, 40]), np.array([[0.9, 0.1], [0.9, 0.2]])
        >>> inside(crossing(jax.random.key(0), n, losses, 0.5)).censored
        0
    """
    for sign, side in ((+1, "above the last"), (-1, "at most the first")):
        if found.censored == sign or (found.flags == sign).any():
            share = (found.flags == sign).mean()
            raise ValueError(
                f"n* = {found.n_star:.4g} is {side} size of the grid in {share:.0%} of its replicates; widen the grid"
            )
    return found


def slope(x: Sequence[float], crossings: Sequence[Crossing]) -> Estimate:
    """The exponent a of ``n* ~ x^a``: the least-squares slope of log n* on log x.

    Args:
        x: (k,), above zero, at least two different ones.
        crossings: (k,), of equally many replicates, drawn independently.

    Raises:
        ValueError: a crossing that is censored: it is a bound and no point, and a line through bounds has no slope; or
            points that do not fit together.

    Example:
        >>> n, key = np.geomspace(10, 1000, 14), jax.random.key(0)
        >>> noise = 0.02 * np.random.default_rng(0).normal(size=(2, 8, 14))
        >>> curves = [x**2 / n + e for x, e in zip((4.0, 8.0), noise)]
        >>> found = slope((4, 8), [crossing(jax.random.fold_in(key, i), n, c, 0.4) for i, c in enumerate(curves)])
        >>> found.low < 2 < found.high
        True
    """
    x = np.asarray(x, np.float64)
    if x.shape != (len(crossings),) or len(np.unique(x)) < 2 or not (x > 0).all():
        raise ValueError(
            "a slope takes two different points or more, all above zero, and a crossing for each, got x = "
            f"{x.tolist()} and {len(crossings)} crossings"
        )
    bounds = {+1: "above", -1: "at most"}
    censored = [f"{bounds[c.censored]} {c.n_star:.4g} at {v:g}" for v, c in zip(x, crossings) if c.censored]
    if censored:
        raise ValueError(
            f"a slope takes crossings inside their grids, and n* is {', '.join(censored)}; "
            "give a grid that contains them or leave these points out"
        )
    centred = np.log(x) - np.log(x).mean()
    weights = centred / (centred @ centred)
    replicates = np.log(_replicates(crossings)) @ weights
    leans = np.stack([c.flags for c in crossings], axis=1) * weights[None]
    tail = _tail(min(c.trials for c in crossings), len(crossings))
    value = float(weights @ np.log([c.n_star for c in crossings]))
    low, high, *is_open = _band(replicates, (leans < 0).any(axis=1), (leans > 0).any(axis=1), tail)
    return Estimate(value, low, high, 0, *is_open, replicates)


def ratio(crossing: Crossing, other: Crossing) -> Estimate:
    """How many times as many samples one learner takes as another.

    Replicates are divided one by one: they are paired where both crossings were made with the same key from trials on
    the same data.

    Args:
        crossing: above the line.
        other: below the line.

    Returns:
        The ratio; a bound if one of the two is censored.

    Raises:
        ValueError: both are censored on the same side, or they have different numbers of replicates.

    Example:
        >>> n, key = np.array([10, 20, 40, 80]), jax.random.key(0)
        >>> losses = 10 / n[None] + 0.02 * np.random.default_rng(0).normal(size=(8, 4))
        >>> found = ratio(crossing(key, 3 * n, losses, 0.4), crossing(key, n, losses, 0.4))
        >>> round(found.value, 9), round(found.high - found.low, 9)
        (3.0, 0.0)
    """
    if crossing.censored == other.censored != 0:
        side = "above the last" if crossing.censored > 0 else "at most the first"
        raise ValueError(f"both crossings are {side} size of their grids, so their ratio is unknown; widen the grids")
    replicates = np.divide(*_replicates((crossing, other)).T)
    below, above = ((crossing.flags * s > 0) | (other.flags * s < 0) for s in (-1, +1))
    tail = _tail(min(crossing.trials, other.trials), 1)
    low, high, *is_open = _band(np.log(replicates), below, above, tail)
    censored = int(np.sign(crossing.censored - other.censored))
    value = crossing.n_star / other.n_star
    return Estimate(value, float(np.exp(low)), float(np.exp(high)), censored, *is_open, replicates)


def ratio_evidence(axis: str, points: Any, crossings: Sequence[Crossing], others: Sequence[Crossing]) -> Evidence:
    """Evidence from crossings: the ``ratio`` at every point, with the standard deviation of its replicates.

    Where one of the two is censored the value is a bound of the ratio. Claims of the kind ``ratio`` take crossings that
    are ``inside`` their grids.

    Args:
        axis: what the points are.
        points: (k,).
        crossings: (k,), above the line.
        others: (k,), below it.

    Raises:
        ValueError: at one point both are censored on the same side.

    Example:
        >>> n, key = np.array([10, 20, 40, 80]), jax.random.key(0)
        >>> losses = 10 / n[None] + 0.02 * np.random.default_rng(0).normal(size=(2, 8, 4))
        >>> one, other = (crossing(key, n, each, 0.4) for each in losses)
        >>> found = ratio_evidence("d", [8, 16], [one, one], [one, other])
        >>> found.values.round(1).tolist(), found.trials
        ([1.0, 1.0], 8)
    """
    found = [ratio(one, other) for one, other in zip(crossings, others, strict=True)]
    error = [estimate.replicates.std(ddof=1) for estimate in found]
    trials = min(c.trials for c in (*crossings, *others))
    return Evidence(axis, points, [estimate.value for estimate in found], (), error, trials)


def next_sizes(n: np.ndarray, found: Crossing, widest: float, n_max: int) -> tuple[int, ...]:
    """The sample sizes to add to a grid so that it holds the crossing more closely; none if it is close enough.

    Where the grid ends before the crossing, it grows by its own widest ratio, up to ``n_max``. Otherwise the two sizes
    next to the crossing get their geometric mean between them, until their ratio is ``widest`` or no whole number is
    left; then the grid grows if the band is open above. A grid that begins at the target stays: it says *at most*.

    Args:
        n: (m,), rising whole sample sizes.
        found: the crossing on this grid.
        widest: ratio of neighbouring sizes, above 1.
        n_max: the largest size there may be.

    Example:
        >>> n = np.array([10, 20])
        >>> found = crossing(jax.random.key(0), n, np.array([[0.9, 0.8], [0.9, 0.7]]), 0.5)
        >>> next_sizes(n, found, widest=1.2, n_max=100)
        (40,)
        >>> n = np.array([10, 40])
        >>> found = crossing(jax.random.key(0), n, np.array([[0.9, 0.1], [0.9, 0.2]]), 0.5)
        >>> next_sizes(n, found, widest=1.2, n_max=100)
        (20,)
    """
    if not widest > 1:
        raise ValueError(f"widest is a ratio of sizes above 1, got {widest}; give one such as 1.2")
    n = np.asarray(n)
    at = int(np.searchsorted(n, found.n_star))
    if found.censored == 0 and n[at] / n[at - 1] > widest:
        between = round(np.sqrt(n[at - 1] * n[at]))
        if n[at - 1] < between < n[at]:
            return (between,)
    if found.high_open:
        further = min(n_max, max(round(n[-1] * np.max(n[1:] / n[:-1])), int(n[-1]) + 1))
        return (further,) if further > n[-1] else ()
    return ()


def _checked(n: np.ndarray, losses: np.ndarray, target: float) -> tuple[np.ndarray, np.ndarray]:
    n, losses = np.asarray(n, np.float64), np.asarray(losses, np.float64)
    if n.ndim != 1 or len(n) < 2 or not (np.diff(n) > 0).all() or not n[0] > 0:
        raise ValueError(f"sample sizes have to be two or more, above zero and rising, got {n.tolist()}")
    if losses.shape[-1:] != n.shape:
        raise ValueError(f"there are {len(n)} sample sizes and losses of shape {losses.shape}; give one loss for each")
    wrong = np.argwhere(~np.isfinite(losses))
    if len(wrong):
        *trial, size = wrong[0].tolist()
        raise ValueError(
            f"{len(wrong)} losses are not finite, the first at n = {n[size]:g}"
            + (f" of trial {', '.join(map(str, trial))}" if trial else "")
            + "; a curve with such a point has no crossing"
        )
    if not np.isfinite(target):
        raise ValueError(f"the target has to be finite, got {target}")
    return n, losses


def _replicates(crossings: Sequence[Crossing]) -> np.ndarray:
    """(resamples, k)."""
    counts = sorted({len(c.replicates) for c in crossings})
    if len(counts) > 1:
        raise ValueError(f"crossings have {' and '.join(map(str, counts))} replicates; make all with one resamples")
    return np.stack([c.replicates for c in crossings], axis=1)


def _tail(trials: int, points: int) -> float:
    """The lower quantile at which a band of few trials ends: below 0.025, and near it for many.

    A bootstrap takes the variance of T trials for that of the law, which is too small by (T - 1) / T, and knows nothing
    of how uncertain it is: the widened quantile is that of ``sqrt(T / (T - 1)) t``, with t of Student's law with T - 1
    degrees of freedom for each of the independent points.
    """
    t = scipy.stats.t.ppf((1 + LEVEL) / 2, points * (trials - 1))
    return float(scipy.stats.norm.sf(np.sqrt(trials / (trials - 1)) * t))


def _band(replicates: np.ndarray, below: np.ndarray, above: np.ndarray, tail: float) -> tuple[float, float, bool, bool]:
    """Ends of the band, and whether each rests on replicates that may lie further out."""
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return float(low), float(high), bool(below.mean() > tail), bool(above.mean() > tail)
