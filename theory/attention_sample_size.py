r"""How many samples random-feature attention takes, with more keys and longer tokens: claims on the stored runs.

Setting. The experiment ``attention_sample_size`` measures the error of fits of RFA, BRFA and RFMLP with infinitely many
heads, in units of the variance of the labels. ``n_1/2`` is the number of samples at which its mean over trials falls to
one half (``theory.crossing``).

What theory says. The sample size for a given error grows at most as B / Var, with B the squared norm of the target in
the kernel's space (``theory.attention_learning.predict_norm``, here of what is within a tenth of the target's mean
square) and Var the variance of the labels. With ``m_k = E <b, x>^k = (k - 1)!! / (d (d + 2) ... (d + k - 2))`` for
even k, and 0 for odd k,

    query ``m_2p - m_p^2``,   key average ``(m_2p - m_p^2) / N``,
    correlation ``m_2p / (N d) + (1 - 1/N) m_(p+1)^2 / d``.

* For RFMLP on key averages of degree 2, B / Var grows as ``(N + 2)^2`` if N is large.
* For RFA on key averages B does not depend on N. Var falls as 1/N, so that the bound may grow with N; the sample size
  does not, which is an observation and no prediction.
* For RFA on correlations of degree 1, B / Var grows as ``d^3`` at a fixed N that is small against d; for BRFA by little
  more than ``d^2``.

The ratio of the bounds B alone, ``((N + 2) / 4)^2 / N`` up to a constant for RFMLP over RFA, hardly changes between N =
1 and 8 and says nothing of what is measured.

Known: derived, up to the targets, which are recalled; the claims are observations on fits, no theorems.
"""

import functools
import math

import jax
import numpy as np
import xarray as xr

from theory.attention_learning import predict_norm
from theory.claim import Claim, Evidence, TooSmall, key_of
from theory.crossing import Crossing, crossing, ratio_evidence
from theory.random_feature_attention import source

__all__ = ["CLAIMS", "HALF", "SHARE", "crossings", "predict_growth", "predict_variance"]

HALF = 0.5
"""The error at ``n_1/2``."""
SHARE = 0.1
"""Of the target's mean square, what a function in the kernel's space may leave over in ``predict_growth``."""


def _moment(k: int, d: int) -> float:
    """``E <b, x>^k`` of a unit vector b and x uniform on the sphere."""
    return 0.0 if k % 2 else math.prod((2 * j + 1) / (d + 2 * j) for j in range(k // 2))


def predict_variance(target: str, degree: int, d: int, n_keys: int) -> float:
    """The variance of the labels of uniform tokens.

    Args:
        target: ``query``, ``key average`` or ``correlation``.
        degree: p.
        d: length of a token.
        n_keys: N.

    Example:
        >>> predict_variance("correlation", 1, d=4, n_keys=1)  # E <x_0, x>^2 <b, x>^2 = 1 / d^2
        0.0625
    """
    if target == "correlation":
        linear = _moment(degree + 1, d) ** 2 / d
        return _moment(2 * degree, d) / (n_keys * d) + (1 - 1 / n_keys) * linear
    one = _moment(2 * degree, d) - _moment(degree, d) ** 2
    return one if target == "query" else one / n_keys


def predict_growth(model: str, target: str, degree: int, d: int, n_keys: int) -> float:
    """``B / Var``, to which the sample size for a given error is proportional at most.

    Args:
        model: ``RFA``, ``BRFA`` or ``RFMLP``.
        target: ``query``, ``key average`` or ``correlation``.
        degree: p.
        d: length of a token.
        n_keys: N.

    Example:
        >>> round(predict_growth("RFA", "correlation", 1, 16, 2) / predict_growth("RFA", "correlation", 1, 8, 2), 9)
        8.0
    """
    return predict_norm(model, target, degree, d, n_keys, SHARE) / predict_variance(target, degree, d, n_keys)


# --- claims on stored runs --------------------------------------------------------------------------------------------

_KEYS, _LENGTH = 2, 8
_TRIALS = 8
_FEWER, _TWICE = 0.75, 2.0
_AXES = {"keys": "n_keys", "length": "dimension"}
"""Sweep -> its axis."""
Pair = tuple[str, str]
"""Two learners."""


@functools.cache
def _resampling(point: int) -> jax.Array:
    return jax.random.fold_in(key_of("attention_sample_size"), np.uint32(point))


def crossings(dataset: xr.Dataset, sweep: str, learner: str, task: str) -> dict[int, Crossing]:
    """``n_1/2`` of one learner at every number of keys, or length.

    At one of them all learners have the same trials drawn, since they saw the same samples.

    Args:
        dataset: results of attention_sample_size.
        sweep: ``keys`` or ``length``.
        learner: ``rfa``, ``brfa`` or ``rfmlp``.
        task: target and degree.

    Raises:
        ValueError: the results do not have the learner or the task, or have one trial.
    """
    for axis, value in (("learner", learner), ("task", task)):
        if value not in dataset[axis].values:
            raise ValueError(f"the results have no {axis} {value}; run it too")
    axis, cell = _AXES[sweep], dataset.sel(learner=learner, task=task)
    sizes = cell[f"{sweep}_samples"].values
    error = cell[f"{sweep}_error"].transpose(axis, "trial", f"{sweep}_step").sortby(axis)
    points = error[axis].values.tolist()
    return {x: crossing(_resampling(x), sizes, losses, HALF) for x, losses in zip(points, error.values)}


def _decided(dataset: xr.Dataset, sweep: str, least: int, pair: Pair, task: str) -> list[int]:
    """The points from ``least`` on, whose quotients of two ``n_1/2`` are known, or bounded from above.

    Raises:
        TooSmall: too few trials or points, sizes that end before the first learner is there, or begin after the second.
    """
    axis = _AXES[sweep]
    first, second = (crossings(dataset, sweep, learner, task) for learner in pair)
    points = [x for x in first if x >= least]
    known = all(first[x].censored <= 0 <= second[x].censored for x in points)
    if len(points) < 2 or dataset.sizes["trial"] < _TRIALS or not known:
        raise TooSmall(
            f"it takes two values of {axis} from {least} on, {_TRIALS} trials, and sizes that hold n_1/2 of {pair[0]} "
            f"and begin below that of {pair[1]}, got {list(first)} and {dataset.sizes['trial']} trials; run the preset "
            "desk"
        )
    return points


def _over(dataset: xr.Dataset, sweep: str, least: int, pair: Pair, task: str) -> Evidence:
    """``n_1/2`` of the first learner over that of the second."""
    first, second = (crossings(dataset, sweep, learner, task) for learner in pair)
    points = [x for x in first if x >= least]
    return ratio_evidence(_AXES[sweep], points, [first[x] for x in points], [second[x] for x in points])


_AVERAGE, _CORRELATION = "key_average 2", "correlation 1"


def _grown(dataset: xr.Dataset) -> list[int]:
    """The numbers of keys of RFA that can be compared with the least of them.

    Raises:
        TooSmall: as ``_decided``.
    """
    return _decided(dataset, "keys", 1, ("rfa", "rfa"), _AVERAGE)[1:]


def _growth(dataset: xr.Dataset, learner: str) -> Evidence:
    """``n_1/2`` at N keys over that at the least N."""
    (_, least), *more = crossings(dataset, "keys", learner, _AVERAGE).items()
    return ratio_evidence("n_keys", [x for x, _ in more], [found for _, found in more], [least] * len(more))


CLAIMS = (
    Claim(
        name="attention_takes_fewer_samples_than_a_network",
        statement="For a quadratic average over two or more keys, RFA takes at most three quarters of the samples of a "
        "random-feature network on all tokens.",
        formula="n_1/2(RFA) / n_1/2(RFMLP) <= 0.75 for N >= 2 and 1/N sum_i <b, x_i>^2",
        source=source("sample complexity against RFMLP; here an observation on fits"),
        kind="bound",
        predict=lambda dataset: np.full(len(_decided(dataset, "keys", _KEYS, ("rfa", "rfmlp"), _AVERAGE)), _FEWER),
        measure=lambda dataset: _over(dataset, "keys", _KEYS, ("rfa", "rfmlp"), _AVERAGE),
        violate=lambda dataset: _over(dataset, "keys", _KEYS, ("rfa", "rfmlp"), "query 2"),
        dropped="the target is an average over keys (it depends on the query alone)",
        experiment="attention_sample_size",
    ),
    Claim(
        name="attention_does_not_pay_for_keys",
        statement="The samples that RFA takes for a quadratic average over keys do not double while the keys become "
        "many times as many.",
        formula="n_1/2(N) / n_1/2(1) <= 2 for every N, RFA and 1/N sum_i <b, x_i>^2",
        source=source("sample complexity up to logarithms; here an observation on fits"),
        kind="bound",
        predict=lambda dataset: np.full(len(_grown(dataset)), _TWICE),
        measure=lambda dataset: _growth(dataset, "rfa"),
        violate=lambda dataset: _growth(dataset, "rfmlp"),
        dropped="the layer averages over the keys (a network reads them one after the other)",
        experiment="attention_sample_size",
    ),
    Claim(
        name="bias_saves_samples_for_correlations",
        statement="For tokens of length 8 or more, BRFA takes fewer samples than RFA for correlations of degree 1.",
        formula="n_1/2(BRFA) / n_1/2(RFA) <= 1 for d >= 8 and 1/N sum_i <x_0, x_i> <b, x_i>",
        source=source("sample complexity of biased heads; here an observation on fits"),
        kind="bound",
        predict=lambda dataset: np.ones(len(_decided(dataset, "length", _LENGTH, ("brfa", "rfa"), _CORRELATION))),
        measure=lambda dataset: _over(dataset, "length", _LENGTH, ("brfa", "rfa"), _CORRELATION),
        violate=lambda dataset: _over(dataset, "length", _LENGTH, ("brfa", "rfa"), _AVERAGE),
        dropped="the target is built on products of query and key (it is an average over keys)",
        experiment="attention_sample_size",
    ),
)
