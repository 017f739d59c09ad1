r"""What a biased law is worth when the target has another matrix: claims judged from the stored runs.

Setting. The experiment ``attention_mixture`` fits labels ``1/N sum_i <x_0, S x_i>^p <b, x_i>``, where S is orthogonal
and goes from the identity, g = 0, to a matrix without symmetric part, g = 1. Replacing ``x_0`` by ``S^T x_0`` turns the
labels into those of g = 0, keeps the law of the tokens, and turns scores with the mean ``<x_0, S x_i>`` into scores
with the mean ``<x_0, x_i>``; the noise of the query-key matrices is the same in law. So the errors of RFA, and of
attention whose law has the mean ``diag(S, 0)``, do not depend on g in law. Those of BRFA, with the mean ``diag(I, 0)``,
do; at g = 1 its mean has nothing to do with the target, ``tr S = 0``.

Known: the two invariances are derived; how much a bias is worth is an observation on fits. The target of the paper
between the identity and a general matrix is recalled, its formula was not found.
"""

import numpy as np
import xarray as xr

from theory.claim import Claim, Evidence, TooSmall, geometric_evidence
from theory.random_feature_attention import source

__all__ = ["CLAIMS"]

_TRIALS = 20


def _errors(dataset: xr.Dataset, learner: str, mixture: float) -> np.ndarray:
    """Logarithms of the errors, (degree, n, trial)."""
    for axis, value in (("learner", learner), ("mixture", mixture)):
        if value not in dataset[axis].values:
            raise ValueError(f"the results have no {axis} {value}; run it too")
    error = dataset["error"].sel(learner=learner, mixture=mixture).sortby("n")
    return np.log(error.transpose("degree", "n", "trial").values)


def _mixtures(dataset: xr.Dataset) -> list[float]:
    """All g above 0.

    Raises:
        TooSmall: too few trials.
    """
    if dataset.sizes["trial"] < _TRIALS:
        raise TooSmall(f"it takes {_TRIALS} trials, got {dataset.sizes['trial']}; run the preset desk")
    return sorted(float(g) for g in dataset["mixture"].values if g > 0)


def _against_identity(dataset: xr.Dataset, learner: str) -> Evidence:
    """Geometric means over n and trials of the error at g over that at 0."""
    still, mixtures = _errors(dataset, learner, 0.0), _mixtures(dataset)
    logs = np.concatenate([(_errors(dataset, learner, g) - still).mean(axis=1) for g in mixtures])
    points = [f"{g}, p = {p}" for g in mixtures for p in dataset["degree"].values]
    return geometric_evidence("mixture", points, logs)


def _ones(dataset: xr.Dataset) -> np.ndarray:
    return np.ones(len(_mixtures(dataset)) * dataset.sizes["degree"])


def _gain(dataset: xr.Dataset, mixture: float) -> Evidence:
    """Geometric means of the error of BRFA over that of RFA on the same tokens, at every degree and n."""
    logs = _errors(dataset, "brfa", mixture) - _errors(dataset, "rfa", mixture)
    points = [f"{n}, p = {p}" for p in dataset["degree"].values for n in sorted(dataset["n"].values)]
    return geometric_evidence("n", points, logs.reshape(len(points), -1))


def _no_loss(dataset: xr.Dataset) -> np.ndarray:
    _mixtures(dataset)  # or the results are too small
    return np.ones(dataset.sizes["degree"] * dataset.sizes["n"])


CLAIMS = (
    Claim(
        name="unbiased_attention_does_not_see_the_mixture",
        statement="RFA has the same errors, in law, on correlations by the identity and by any orthogonal matrix.",
        formula="error(g) / error(0) = 1 in the geometric mean, RFA",
        source=source("invariance of the kernel under two rotations"),
        kind="ratio",
        predict=_ones,
        measure=lambda dataset: _against_identity(dataset, "rfa"),
        violate=lambda dataset: _against_identity(dataset, "brfa"),
        dropped="the query-key matrices have mean zero (it is the identity)",
        experiment="attention_mixture",
    ),
    Claim(
        name="the_right_bias_is_worth_the_same",
        statement="Attention whose law has the matrix of the target as its mean has the same errors, in law, for "
        "every orthogonal matrix.",
        formula="error(g) / error(0) = 1 in the geometric mean, mean diag(S, 0)",
        source=source("invariance of the kernel under one rotation"),
        kind="ratio",
        predict=_ones,
        measure=lambda dataset: _against_identity(dataset, "brfa_matched"),
        violate=lambda dataset: _against_identity(dataset, "brfa"),
        dropped="the mean is the matrix of the target (it stays the identity)",
        experiment="attention_mixture",
    ),
    Claim(
        name="bias_helps_where_it_points",
        statement="BRFA has smaller errors than RFA on correlations by the identity, which is its mean.",
        formula="error(BRFA) / error(RFA) <= 1 at g = 0 in the geometric mean, for every n and p",
        source=source("biased heads on correlations; here an observation on fits"),
        kind="bound",
        predict=_no_loss,
        measure=lambda dataset: _gain(dataset, 0.0),
        violate=lambda dataset: _gain(dataset, 1.0),
        dropped="the matrix of the target is the mean of the law (it has no symmetric part)",
        experiment="attention_mixture",
    ),
)
