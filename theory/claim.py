"""Claims, what is measured for them, and how they are judged.

A *claim* is a sentence with a formula and a measurement that could refute it. ``predict`` gives what the formula says,
``measure`` what is found, and ``violate`` repeats the measurement with one assumption dropped, which ``dropped`` names;
it is judged against the same prediction and has to fail, so that no check can pass whatever is measured.

There are five kinds, one row each in ``KINDS``; a new kind is a new row. With ``SIGMAS = 5``:

==========  =====================  ==============================================================================
kind        prediction             holds if
==========  =====================  ==============================================================================
identity    array like the values  ``max|values - predicted| <= budget * eps(float64) * rms(predicted)``
bound       array like the values  ``values + 3 standard errors <= predicted`` everywhere; the least slack is told
rate        the exponent           log-log slope +- 5 bootstrap standard errors covers it, and is narrower than +- 0.25
ratio       array like the values  ``|values - predicted| <= 5 standard errors <= 0.1 |predicted|`` everywhere
separation  series, low to high    at every point the intervals +- 5 standard errors are apart, in that order
==========  =====================  ==============================================================================

The second condition of a rate and a ratio is what keeps a measurement that says nothing from agreeing with
everything. Numbers that miss only this condition, NaN, infinity and a standard error of zero are *unsound*: a claim
judged on them does not hold, and a violation judged on them does not count as failing either. ``standard_error=None``
says that the values are exact (counts, or both sides of an identity), which a ratio or a separation, being statements
about draws, refuses. A claim about a trained network may say of stored results that they are too small to decide it
(``TooSmall``); it is then *open*.

A claim gets a fixed key, made from its name, and is judged once; nobody tries keys until one is green. A claim about an
experiment gets the stored dataset in the place of the key. Everything is computed in float64.
"""

import dataclasses
import time
import zlib
from collections.abc import Callable
from typing import Any, Literal

import jax
import numpy as np

__all__ = [
    "KINDS",
    "Claim",
    "Evidence",
    "Judgement",
    "Source",
    "TooSmall",
    "Verdict",
    "bootstrap",
    "generator",
    "geometric_evidence",
    "judge",
    "key_of",
    "mean_evidence",
    "unjudged",
    "weigh",
]

SIGMAS = 5.0
"""Standard errors on each side of an interval."""
BOUND_SIGMAS = 3.0
"""Standard errors added to a measurement that has to stay below a bound."""
WIDEST_RATE = 0.25
"""Largest half-width of a slope's interval at which the slope still says something."""
WIDEST_RATIO = 0.1
"""The same for a ratio, relative to the prediction."""

Kind = Literal["identity", "bound", "rate", "ratio", "separation"]


class TooSmall(ValueError):
    """Raised by a claim's ``predict`` for stored results that cannot decide it; says what they would have to have.

    Such a claim is *open*: neither held nor refuted, as by the small preset of an experiment that trains for hours.
    """


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a claim comes from, and how we know it.

    Attributes:
        author: authors.
        title: of the paper or book.
        venue: and year.
        arxiv: number, None if there is none.
        theorem: which statement, as far as known.
        known: ``read`` in the source, ``derived`` here (the source was read about, the formula worked out and
            checked), or ``recalled``.
    """

    author: str
    title: str
    venue: str
    arxiv: str | None
    theorem: str
    known: Literal["read", "derived", "recalled"]

    def __str__(self) -> str:
        number = f", arXiv {self.arxiv}" if self.arxiv else ""
        return f"{self.author}, {self.title}, {self.venue}{number}; {self.theorem} ({self.known})"


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """What was measured: values along one axis, for one or several series, with everything a figure needs.

    Attributes:
        axis: what the points are, with its unit.
        points: (k,), numbers or names.
        values: (k,), or (s, k) with ``series``.
        series: the names of the s rows of ``values``; empty if there is one row without a name.
        standard_error: like ``values``; None if the values are exact.
        trials: independent draws behind each value; None if the values are exact.
        replicates: (b, k), the values recomputed from b resamples of the trials; what a rate is judged by.
    """

    axis: str
    points: Any
    values: Any
    series: tuple[str, ...] = ()
    standard_error: Any = None
    trials: int | None = None
    replicates: Any = None

    def __post_init__(self) -> None:
        for field in ("values", "standard_error", "replicates"):
            value = getattr(self, field)
            object.__setattr__(self, field, None if value is None else np.asarray(value, np.float64))
        object.__setattr__(self, "points", np.asarray(self.points))
        k = len(self.points)
        expected = (len(self.series), k) if self.series else (k,)
        if self.values.shape != expected:
            raise ValueError(
                f"evidence has values of shape {self.values.shape}, its points and series ask for {expected}"
            )
        if self.standard_error is not None and self.standard_error.shape != expected:
            raise ValueError(
                f"evidence has standard errors of shape {self.standard_error.shape}, its values {expected}"
            )
        if self.replicates is not None and self.replicates.shape[1:] != (k,):
            raise ValueError(f"evidence has replicates of shape {self.replicates.shape}, expected (resamples, {k})")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The judgement on one piece of evidence.

    Attributes:
        holds: whether the prediction agrees with the evidence.
        sound: whether the numbers say something: finite, standard errors above zero, a narrow enough interval; never
            ``holds`` without it.
        predicted: the number (or order) that decided, as predicted.
        measured: the same, as measured.
        sentence: the reason, with the numbers.
        interval: the slope's interval, for a rate.
    """

    holds: bool
    sound: bool
    predicted: float | str | None
    measured: float | str | None
    sentence: str
    interval: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Claim:
    """A statement, its prediction, and the measurement that could refute it.

    Attributes:
        name: how it is called on the command line; its key is made from it.
        statement: one sentence.
        formula: the formula in plain text.
        source: where it comes from.
        kind: a row of ``KINDS``.
        predict: ``predict(key)``, what the formula says; see the table of the module for its form.
        measure: ``measure(key) -> Evidence``.
        violate: ``violate(key) -> Evidence`` of the same form, with one assumption dropped; has to fail.
        dropped: that assumption, in words.
        budget: units of float64 epsilon an identity may be off.
        experiment: name of the experiment whose stored dataset the three functions get in place of a key.
    """

    name: str
    statement: str
    formula: str
    source: Source
    kind: Kind
    predict: Callable[[Any], Any]
    measure: Callable[[Any], Evidence]
    violate: Callable[[Any], Evidence]
    dropped: str
    budget: float = 50.0
    experiment: str | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    """A claim, judged: the verdicts on its measurement and on its violation, and all numbers behind them.

    Attributes:
        claim: the claim.
        predicted: what ``predict`` gave; None if it raised.
        evidence: what ``measure`` gave; None if it raised.
        verdict: on the evidence; has to hold.
        violation: what ``violate`` gave; None if it raised.
        refutation: the verdict on the violation; has to fail, on sound numbers.
        seconds: it took.
        open: whether the stored results are too small to decide; the verdict's sentence says why.
    """

    claim: Claim
    predicted: Any
    evidence: Evidence | None
    verdict: Verdict
    violation: Evidence | None
    refutation: Verdict
    seconds: float
    open: bool = False

    @property
    def violate(self) -> str:
        """``fails``, as it has to; ``holds``; ``open``; or ``unsound``: it raised, or failed on empty numbers."""
        if self.open:
            return "open"
        if not self.refutation.sound:
            return "unsound"
        return "holds" if self.refutation.holds else "fails"

    @property
    def passed(self) -> bool:
        """Whether the claim holds and its violation fails as it has to."""
        return self.verdict.holds and self.violate == "fails"


def _identity(claim: Claim, predicted: np.ndarray, evidence: Evidence) -> Verdict:
    scale = np.sqrt(np.mean(predicted**2))
    if scale == 0:
        return _unsound("the prediction is zero everywhere, which sets no scale")
    units = float(np.abs(evidence.values - predicted).max() / (np.finfo(np.float64).eps * scale))
    sentence = f"both sides differ by {units:.3g} eps units (budget {claim.budget:g})"
    return Verdict(units <= claim.budget, True, claim.budget, units, sentence)


def _bound(claim: Claim, predicted: np.ndarray, evidence: Evidence) -> Verdict:
    error = 0 if evidence.standard_error is None else evidence.standard_error
    upper = evidence.values + BOUND_SIGMAS * error
    slack = predicted - upper
    scale = np.where(predicted == 0, 1, np.abs(predicted))
    worst = np.unravel_index(np.argmin(slack / scale), slack.shape)
    sentence = (
        f"least slack {slack[worst]:.3g} at {_place(evidence, worst)}: {upper[worst]:.4g} against the bound "
        f"{predicted[worst]:.4g}"
    )
    return Verdict(bool((slack >= 0).all()), True, float(predicted[worst]), float(evidence.values[worst]), sentence)


def _rate(claim: Claim, predicted: np.ndarray, evidence: Evidence) -> Verdict:
    if evidence.replicates is None or (evidence.values <= 0).any() or (evidence.replicates <= 0).any():
        return _unsound("a rate needs replicates, and positive values")
    log_points = np.log(evidence.points.astype(np.float64))
    log_points = log_points - log_points.mean()
    slope = float(log_points @ np.log(evidence.values) / (log_points @ log_points))
    width = float(SIGMAS * np.std(np.log(evidence.replicates) @ log_points, ddof=1) / (log_points @ log_points))
    if not width > 0:
        return _unsound("the replicates all have the same slope")
    exponent, interval = float(predicted), (slope - width, slope + width)
    sentence = f"slope {slope:.3f} +- {width:.3f} ({SIGMAS:g} sigma) against {exponent:.3f}"
    covered, decided = abs(slope - exponent) <= width, width <= WIDEST_RATE
    if covered and not decided:
        sentence += f"; the interval is wider than +- {WIDEST_RATE:g} and decides nothing"
    return Verdict(covered and decided, decided or not covered, exponent, slope, sentence, interval)


def _ratio(claim: Claim, predicted: np.ndarray, evidence: Evidence) -> Verdict:
    if evidence.standard_error is None:
        return _unsound("a ratio needs standard errors")
    if (predicted == 0).any():
        return _unsound("a ratio needs a prediction that is not zero")
    distance = np.abs(evidence.values - predicted) / evidence.standard_error
    relative = SIGMAS * evidence.standard_error / np.abs(predicted)
    worst = np.unravel_index(np.argmax(distance), distance.shape)
    sentence = (
        f"{evidence.values[worst]:.4g} +- {evidence.standard_error[worst]:.2g} against {predicted[worst]:.4g} at "
        f"{_place(evidence, worst)}, the farthest point: {distance[worst]:.2f} standard errors"
    )
    covered, decided = bool((distance <= SIGMAS).all()), bool((relative <= WIDEST_RATIO).all())
    if covered and not decided:
        sentence += (
            f"; {SIGMAS:g} standard errors are up to {relative.max():.0%} of the prediction, more than "
            f"{WIDEST_RATIO:.0%}, and decide nothing"
        )
    return Verdict(
        covered and decided, decided or not covered, float(predicted[worst]), float(evidence.values[worst]), sentence
    )


def _separation(claim: Claim, predicted: tuple, evidence: Evidence) -> Verdict:
    order = " < ".join(predicted)
    if evidence.standard_error is None or set(predicted) != set(evidence.series):
        return _unsound(f"a separation needs standard errors and the series {order}")
    rows = [evidence.series.index(name) for name in predicted]
    values, error = evidence.values[rows], evidence.standard_error[rows]
    gap = (values[1:] - SIGMAS * error[1:]) - (values[:-1] + SIGMAS * error[:-1])
    distance = (values[1:] - values[:-1]) / (error[1:] + error[:-1])
    pair, point = worst = np.unravel_index(np.argmin(distance), distance.shape)
    low, high = (f"{values[i, point]:.4g} +- {error[i, point]:.2g} ({predicted[i]})" for i in (pair, pair + 1))
    sentence = f"closest at {evidence.axis} = {evidence.points[point]}: {low} and {high}"
    return Verdict(bool((gap > 0).all()), True, order, f"{distance[worst]:.3g} summed standard errors apart", sentence)


KINDS: dict[str, Callable[[Claim, Any, Evidence], Verdict]] = {
    "identity": _identity,
    "bound": _bound,
    "rate": _rate,
    "ratio": _ratio,
    "separation": _separation,
}
"""How each kind is judged; called with finite numbers only."""


def _place(evidence: Evidence, index: tuple) -> str:
    series = f"{evidence.series[index[0]]}, " if evidence.series else ""
    return f"{series}{evidence.axis} = {evidence.points[index[-1]]}"


def _unsound(sentence: str) -> Verdict:
    return Verdict(holds=False, sound=False, predicted=None, measured=None, sentence=sentence)


def weigh(claim: Claim, predicted: Any, evidence: Evidence) -> Verdict:
    """The verdict on one piece of evidence: soundness first, then the row of ``KINDS``.

    Args:
        claim: gives the kind and the budget.
        predicted: what the claim's ``predict`` returned.
        evidence: measured with all assumptions, or with one dropped.

    Raises:
        ValueError: an unknown kind, or a prediction whose shape is not that of the values.

    Example:
        >>> from theory.catalogue import CLAIMS
        >>> claim = CLAIMS["invariant_counts"]
        >>> weigh(claim, np.ones(2), Evidence("degree", [0, 1], [1.0, np.nan])).sound
        False
    """
    if claim.kind not in KINDS:
        raise ValueError(f"claim {claim.name} has kind {claim.kind!r}; the kinds are {', '.join(KINDS)}")
    numbers = [evidence.values]
    if claim.kind != "separation":
        predicted = np.asarray(predicted, np.float64)
        numbers.append(predicted)
        expected = () if claim.kind == "rate" else evidence.values.shape
        if predicted.shape != expected:
            raise ValueError(f"claim {claim.name} predicts shape {predicted.shape}, its evidence asks for {expected}")
    if evidence.standard_error is not None:
        numbers.append(evidence.standard_error)
        if (evidence.standard_error == 0).any():
            return _unsound("a standard error is zero: the trials did not differ")
    if evidence.replicates is not None:
        numbers.append(evidence.replicates)
    if not all(np.isfinite(x).all() for x in numbers) or evidence.values.size == 0:
        return _unsound("a number is NaN or infinite, or nothing was measured")
    return KINDS[claim.kind](claim, predicted, evidence)


def key_of(name: str) -> jax.Array:
    """The random key of a claim, made from its name alone."""
    return jax.random.key(zlib.crc32(name.encode()))


def judge(claim: Claim, results: Any = None) -> Judgement:
    """Predict, measure, violate, and weigh. What raises inside is a claim that does not hold, with its sentence.

    Args:
        claim: the claim.
        results: the stored dataset of ``claim.experiment``; None for a claim without one.

    Raises:
        ValueError: float64 is off, or a claim about an experiment comes without its dataset.

    Example:
        >>> from theory.catalogue import CLAIMS
        >>> with jax.enable_x64(True):
        ...     judge(CLAIMS["cyclic_degeneracy"]).passed
        True
    """
    if not jax.config.jax_enable_x64:
        raise ValueError(
            "claims are judged in float64 and it is off; call jax.config.update('jax_enable_x64', True) first"
        )
    if claim.experiment and results is None:
        raise ValueError(f"claim {claim.name} is judged from the results of {claim.experiment}; give that dataset")
    start = time.perf_counter()

    def given() -> Any:
        return results if claim.experiment else key_of(claim.name)

    def attempt(name: str, measure: Callable[[Any], Evidence]) -> tuple[Evidence | None, Verdict]:
        evidence = None
        try:
            evidence = measure(given())
            return evidence, weigh(claim, predicted, evidence)
        except Exception as error:
            return evidence, _unsound(f"{name} raised {type(error).__name__}: {_first_line(error)}")

    try:
        predicted = claim.predict(given())
    except TooSmall as error:
        return dataclasses.replace(unjudged(claim, str(error)), seconds=time.perf_counter() - start, open=True)
    except Exception as error:
        sentence = f"predict raised {type(error).__name__}: {_first_line(error)}"
        return dataclasses.replace(unjudged(claim, sentence), seconds=time.perf_counter() - start)
    evidence, verdict = attempt("measure", claim.measure)
    violation, refutation = attempt("violate", claim.violate)
    return Judgement(claim, predicted, evidence, verdict, violation, refutation, time.perf_counter() - start)


def unjudged(claim: Claim, sentence: str) -> Judgement:
    """The judgement on a claim that could not be measured: it does not hold, and ``sentence`` says why."""
    nothing = _unsound(sentence)
    return Judgement(claim, None, None, nothing, None, nothing, 0.0)


def generator(key: jax.Array) -> np.random.Generator:
    """A numpy generator seeded by the bits of a key, for claims whose arithmetic is numpy: nothing has to compile.

    Example:
        >>> generator(key_of("a")).integers(9) == generator(key_of("a")).integers(9)
        np.True_
    """
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["(no message)"])[0]


def mean_evidence(axis: str, points: Any, samples: Any, series: tuple[str, ...] = ()) -> Evidence:
    """Evidence from raw values: means over the last axis with their standard errors ``std / sqrt(trials)``.

    Args:
        axis: what the points are.
        points: (k,).
        samples: (k, trials), or (s, k, trials) with ``series``.
        series: names of the rows.

    Example:
        >>> mean_evidence("n", [8], [[1.0, 2.0, 3.0]]).values
        array([2.])
    """
    samples = np.asarray(samples, np.float64)
    trials = samples.shape[-1]
    error = samples.std(axis=-1, ddof=1) / np.sqrt(trials) if trials > 1 else np.zeros(samples.shape[:-1])
    return Evidence(axis, points, samples.mean(axis=-1), series, error, trials)


def geometric_evidence(axis: str, points: Any, logs: Any) -> Evidence:
    """Evidence from logarithms: geometric means over the last axis, with standard errors to first order.

    Args:
        axis: what the points are.
        points: (k,).
        logs: (k, trials).

    Example:
        >>> geometric_evidence("n", [8], [[0.0, np.log(4.0)]]).values
        array([2.])
    """
    found = mean_evidence(axis, points, logs)
    mean = np.exp(found.values)
    return dataclasses.replace(found, values=mean, standard_error=mean * found.standard_error)


def bootstrap(
    key: jax.Array, samples: Any, statistic: Callable[[np.ndarray], np.ndarray], resamples: int = 200
) -> tuple[np.ndarray, np.ndarray]:
    """A statistic of the trials, and its values on resamples of the trials drawn with replacement.

    Args:
        key: random key of the resampling.
        samples: (trials, ...), raw values.
        statistic: ``statistic((trials, ...)) -> (k,)`` or a number.
        resamples: how many.

    Returns:
        The statistic of all trials, and (resamples, ...) of the resamples; the standard deviation of the latter over
        its first axis is the standard error of the former.

    Example:
        >>> value, replicates = bootstrap(jax.random.key(0), np.arange(9.0), np.median)
        >>> float(value), replicates.shape
        (4.0, (200,))
    """
    samples = np.asarray(samples, np.float64)
    rows = generator(key).integers(len(samples), size=(resamples, len(samples)))
    return np.asarray(statistic(samples)), np.stack([statistic(samples[r]) for r in rows])
