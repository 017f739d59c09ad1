r"""How many samples random-feature attention takes, with more keys and longer tokens: claims on the stored runs.

Setting. The experiment ``attention_sample_size`` measures ``n_1/2``, the number of samples at which the error of a fit
falls to half the variance of the labels, for RFA, BRFA and RFMLP with infinitely many heads.

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

import math

import numpy as np
import xarray as xr

from theory.attention_learning import predict_norm
from theory.claim import Claim, Evidence, TooSmall, geometric_evidence
from theory.random_feature_attention import source

__all__ = ["CLAIMS", "SHARE", "predict_growth", "predict_variance"]

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


# --- claims -----------------------------------------------------------------------------------------------------------

_KEYS, _LENGTH = 2, 8
_TRIALS = 8
_FEWER, _TWICE = 0.75, 2.0


def _half(dataset: xr.Dataset, sweep: str, learner: str, task: str) -> xr.DataArray:
    """``n_1/2`` over (axis, trial)."""
    for axis, value in (("learner", learner), ("task", task)):
        if value not in dataset[axis].values:
            raise ValueError(f"the results have no {axis} {value}; run it too")
    axis = "n_keys" if sweep == "keys" else "dimension"
    return dataset[f"{sweep}_half"].sel(learner=learner, task=task).transpose(axis, "trial").sortby(axis)


def _points(dataset: xr.Dataset, sweep: str, least: int, learner: str, task: str) -> np.ndarray:
    """The points from ``least`` on; the learner has to have reached one half at all of them.

    Raises:
        TooSmall: too few trials or points, or sizes that end before the learner is there.
    """
    half = _half(dataset, sweep, learner, task)
    axis = half.dims[0]
    points = half[axis].values[half[axis].values >= least]
    reached = dataset[f"{sweep}_reached"].sel({"learner": learner, "task": task, axis: points})
    if len(points) < 2 or dataset.sizes["trial"] < _TRIALS or not (reached == 1).all():
        raise TooSmall(
            f"it takes two values of {axis} from {least} on, {_TRIALS} trials, and sizes at which {learner} falls to "
            f"one half, got {half[axis].values.tolist()} and {dataset.sizes['trial']} trials; run the preset desk"
        )
    return points


def _over(dataset: xr.Dataset, sweep: str, least: int, pair: tuple[str, str], task: str) -> Evidence:
    """Geometric means of the first learner's ``n_1/2`` over the second's, trial by trial."""
    points = _points(dataset, sweep, least, pair[0], task)
    first, second = (_half(dataset, sweep, learner, task) for learner in pair)
    axis = first.dims[0]
    return geometric_evidence(axis, points, np.log(first / second).sel({axis: points}).values)


def _growth(dataset: xr.Dataset, learner: str) -> Evidence:
    """Geometric means of ``n_1/2`` at N keys over that at the least N."""
    half = np.log(_half(dataset, "keys", learner, "key_average 2"))
    return geometric_evidence("n_keys", half["n_keys"].values[1:], (half[1:] - half[0]).values)


CLAIMS = (
    Claim(
        name="attention_takes_fewer_samples_than_a_network",
        statement="For a quadratic average over two or more keys, RFA takes at most three quarters of the samples of a "
        "random-feature network on all tokens.",
        formula="n_1/2(RFA) / n_1/2(RFMLP) <= 0.75 for N >= 2 and 1/N sum_i <b, x_i>^2",
        source=source("sample complexity against RFMLP; here an observation on fits"),
        kind="bound",
        predict=lambda dataset: np.full(len(_points(dataset, "keys", _KEYS, "rfa", "key_average 2")), _FEWER),
        measure=lambda dataset: _over(dataset, "keys", _KEYS, ("rfa", "rfmlp"), "key_average 2"),
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
        predict=lambda dataset: np.full(len(_points(dataset, "keys", 1, "rfa", "key_average 2")) - 1, _TWICE),
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
        predict=lambda dataset: np.ones(len(_points(dataset, "length", _LENGTH, "brfa", "correlation 1"))),
        measure=lambda dataset: _over(dataset, "length", _LENGTH, ("brfa", "rfa"), "correlation 1"),
        violate=lambda dataset: _over(dataset, "length", _LENGTH, ("brfa", "rfa"), "key_average 2"),
        dropped="the target is built on products of query and key (it is an average over keys)",
        experiment="attention_sample_size",
    ),
)
