r"""Which attention learns what sooner, and which heads are nearer to the kernel: claims on the stored runs.

Setting. The experiment ``attention_learning_curves`` fits random-feature attention, with infinitely many heads and with
drawn ones, a random-feature network on all tokens and a trained attention layer to nine targets;
``attention_heads`` measures how far the fit with M heads is from that with infinitely many. Every number is a geometric
mean, over the trials, of the ratio of two learners' errors on the same tokens.

Known: that biased heads are ahead on correlations and attention on targets that average over the keys is recalled from
the paper; the rest is found here. No theorem is tested by these, they are observations on fits.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from theory.claim import Claim, Evidence, TooSmall, geometric_evidence
from theory.random_feature_attention import source

__all__ = ["CLAIMS"]

_TRIALS, _MANY, _SOME = 8, 1600, 200
_BLOCK = 100
"""Heads from which on there is more than one block of orthogonal ones at tokens of length 8."""


def _enough(dataset: xr.Dataset) -> xr.Dataset:
    n, trials = int(dataset["n"].max()), dataset.sizes["trial"]
    if n < _MANY or trials < _TRIALS:
        raise TooSmall(f"it takes {_MANY} samples and {_TRIALS} trials, got {n} and {trials}; run the preset desk")
    return dataset


def _over(dataset: xr.Dataset, pair: tuple[str, str], tasks: Sequence[str], least: int, most: int = _MANY) -> Evidence:
    """Geometric means of the first learner's error over the second's, at each task and n."""
    for axis, values in (("learner", pair), ("task", tasks)):
        missing = [value for value in values if value not in dataset[axis].values]
        if missing:
            raise ValueError(f"the results have no {axis} {' and '.join(missing)}; run it too")
    sizes = [int(n) for n in sorted(dataset["n"].values) if least <= n <= most]
    logs = np.log(dataset["error"].sel(task=list(tasks), n=sizes))
    ratio = (logs.sel(learner=pair[0]) - logs.sel(learner=pair[1])).transpose("task", "n", "trial").values
    points = [f"{task}, n = {n}" for task in tasks for n in sizes]
    return geometric_evidence("target, samples", points, ratio.reshape(len(points), -1))


def _ones(dataset: xr.Dataset, tasks: Sequence[str], least: int) -> np.ndarray:
    return np.ones(len(tasks) * sum(least <= n <= _MANY for n in _enough(dataset)["n"].values))


def _nearer(dataset: xr.Dataset, heads: str) -> Evidence:
    """Geometric means, over trials and numbers of heads, of the gap over that of independent heads."""
    logs = np.log(dataset["gap"].sel(m=[m for m in dataset["m"].values if m >= _BLOCK])).mean("m")
    ratio = (logs.sel(heads=heads) - logs.sel(heads="independent")).transpose("law", "trial")
    return geometric_evidence("law", dataset["law"].values, ratio.values)


def _laws(dataset: xr.Dataset) -> np.ndarray:
    most, trials = int(dataset["m"].max()), dataset.sizes["trial"]
    if most < 8 * _BLOCK or trials < _TRIALS:
        raise TooSmall(f"it takes {8 * _BLOCK} heads, {_TRIALS} trials, got {most} and {trials}; run the preset desk")
    return np.ones(dataset.sizes["law"])


_CORRELATIONS, _MEANS = ("correlation 1", "correlation 3"), ("query 1", "query 2", "key_average 1", "key_average 2")
_QUADRATIC = ("query 2", "key_average 2", "key_average 3")

CLAIMS = (
    Claim(
        name="bias_lowers_the_error_on_correlations",
        statement="From 800 samples on, BRFA has lower errors than RFA on correlations of odd degree.",
        formula="error(BRFA) / error(RFA) <= 1 on 1/N sum_i <x_0, x_i>^p <b, x_i>, p = 1, 3",
        source=source("biased heads on correlations", "recalled"),
        kind="bound",
        predict=lambda dataset: _ones(dataset, _CORRELATIONS, 800),
        measure=lambda dataset: _over(dataset, ("brfa", "rfa"), _CORRELATIONS, 800),
        violate=lambda dataset: _over(dataset, ("brfa", "rfa"), ("query 1", "key_average 1"), 800),
        dropped="the target is built on products of query and key (it is linear in one of them)",
        experiment="attention_learning_curves",
    ),
    Claim(
        name="attention_lowers_the_error_on_averages",
        statement="From 200 samples on, RFA has lower errors than a random-feature network on all tokens, on linear "
        "and quadratic targets of the query and on their averages over the keys.",
        formula="error(RFA) / error(RFMLP) <= 1 on <b, x_0>^p and 1/N sum_i <b, x_i>^p, p = 1, 2",
        source=source("sample complexity against RFMLP", "recalled"),
        kind="bound",
        predict=lambda dataset: _ones(dataset, _MEANS, _SOME),
        measure=lambda dataset: _over(dataset, ("rfa", "rfmlp"), _MEANS, _SOME),
        violate=lambda dataset: _over(dataset, ("brfa", "rfmlp"), _MEANS, _SOME),
        dropped="the mean of the query-key matrices is zero (it is the identity)",
        experiment="attention_learning_curves",
    ),
    Claim(
        name="trained_heads_overtake_random_ones",
        statement="With 1600 samples 16 trained heads have lower errors than 1000 random ones on quadratic targets and "
        "on cubic averages over the keys.",
        formula="error(trained, 16 heads) / error(BRFA, 1000 heads) <= 1 at n = 1600",
        source=source("none: trained heads are not known to be in the paper"),
        kind="bound",
        predict=lambda dataset: _ones(dataset, _QUADRATIC, _MANY),
        measure=lambda dataset: _over(dataset, ("trained", "brfa_heads"), _QUADRATIC, _MANY),
        violate=lambda dataset: _over(dataset, ("trained", "brfa_heads"), _QUADRATIC, 100, 100),
        dropped="there are many samples (there are 100)",
        experiment="attention_learning_curves",
    ),
    Claim(
        name="orthogonal_heads_are_nearer_to_the_kernel",
        statement="Heads that are orthogonal as vectors, in blocks, are nearer to the fit with infinitely many than as "
        "many independent ones, under both laws.",
        formula="gap(orthogonal, M) / gap(independent, M) <= 1, in the geometric mean over M >= 100",
        source=source("none: dependent heads are not known to be in the paper"),
        kind="bound",
        predict=_laws,
        measure=lambda dataset: _nearer(dataset, "orthogonal"),
        violate=lambda dataset: _nearer(dataset, "antithetic"),
        dropped="heads of a block are orthogonal (they are pairs of opposite noise)",
        experiment="attention_heads",
    ),
)
