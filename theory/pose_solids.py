"""What a lift to the sphere is worth for learning where a solid points: claims judged from the stored runs.

Setting. The experiment ``pose_solids`` trains networks on n views of one solid and measures the log-likelihood of the
rotations of others. ``induced`` has the learned lift, all SO(2)-steerable kernels from the plane to the sphere;
``orthographic`` the fixed one of Image to Sphere; ``pooled`` has none, a mean over the pixels and a perceptron give
the coefficients on the sphere, which commutes with no turn of the camera.

Known: observations on trained networks, no theorems; that a pooled map is inconsistent is a claim of its own
(``theory.induced_representations``).
"""

import numpy as np
import xarray as xr

from theory.claim import Claim, Evidence, Source, TooSmall, mean_evidence

__all__ = ["CLAIMS"]

_LEARNED, _FIXED, _POOLED = "induced", "orthographic", "pooled"
_FEWEST, _MANY, _ENOUGH, _LITTLE = 100, 1000, 10_000, 0.02

_SOURCE = Source(
    author="this codebase, after O. Howell, D. Klee, O. Biza, L. Zhao, R. Walters",
    title="pose_solids",
    venue="experiment",
    arxiv=None,
    theorem="an observation on trained networks, no theorem",
    known="derived",
)


def _of(dataset: xr.Dataset, model: str) -> xr.DataArray:
    known = [str(name) for name in dataset["model"].values]
    if model not in known:
        raise ValueError(f"the results have no model {model}, only {', '.join(known)}; run it too")
    return dataset["log_likelihood"].sel(model=model)


def _large(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset, if networks were trained in it long enough to say something."""
    n, trials = dataset["n"].values, dataset.sizes["trial"]
    if n.min() > _FEWEST or n.max() < _ENOUGH or trials < 5:
        raise TooSmall(
            f"it takes {_FEWEST} to {_ENOUGH} views and 5 trials, got {n.min()} to {n.max()} and {trials}; "
            "run the preset desk"
        )
    return dataset


def _lead(dataset: xr.Dataset, over: str, least: int, unfair: bool = False) -> Evidence:
    """How much likelier the other network finds the test views, trial by trial, at each number of views.

    Unfair: the other network has seen the most views, ours the fewest.
    """
    n = dataset["n"].values[dataset["n"].values >= least]
    ours, other = (_of(dataset, model) for model in (_LEARNED, over))
    ours = ours.sel(n=[dataset["n"].values.min()] * len(n) if unfair else n)
    other = other.sel(n=[n.max()] * len(n) if unfair else n)
    lead = other.transpose("solid", "n", "trial").values - ours.transpose("solid", "n", "trial").values
    points = [f"{solid}, n = {k}" for solid in dataset["solid"].values for k in n]
    return mean_evidence("views", points, lead.reshape(len(points), -1))


def _zeros(dataset: xr.Dataset, least: int) -> np.ndarray:
    return np.zeros(_large(dataset).sizes["solid"] * int((dataset["n"].values >= least).sum()))


def _gain_of_q(dataset: xr.Dataset, solid: str, sign: int) -> Evidence:
    """How much likelier the network with q finds the test views, trial by trial, at each number of views; or minus."""
    if solid not in dataset["solid"].values:
        raise ValueError(f"the results have no solid {solid}; run it too")
    free, mirror = (_of(dataset, model).sel(solid=solid) for model in ("steerable", "steerable_mirror"))
    gain = sign * (free - mirror).transpose("n", "trial")
    n = dataset["n"].values
    return mean_evidence("views", n[n >= _MANY], gain.values[n >= _MANY])


CLAIMS = (
    Claim(
        name="learned_lift_beats_pooling",
        statement="With the same views, a network with a learned lift to the sphere gives unseen views a higher "
        "likelihood than one that pools over the picture, at every number of views.",
        formula="LL(pooled, n) - LL(induced, n) <= 0 for every n and every solid",
        source=_SOURCE,
        kind="bound",
        predict=lambda dataset: _zeros(dataset, 0),
        measure=lambda dataset: _lead(dataset, _POOLED, 0),
        violate=lambda dataset: _lead(dataset, _POOLED, 0, unfair=True),
        dropped="both have seen as many views (the lift has the fewest, pooling the most)",
        experiment="pose_solids",
    ),
    Claim(
        name="learned_lift_is_no_worse_than_the_fixed_one",
        statement="From 1000 views on, the learned lift gives unseen views at least the likelihood that the fixed "
        "orthographic one gives them.",
        formula="LL(orthographic, n) - LL(induced, n) <= 0 for every n >= 1000 and every solid",
        source=_SOURCE,
        kind="bound",
        predict=lambda dataset: _zeros(dataset, _MANY),
        measure=lambda dataset: _lead(dataset, _FIXED, _MANY),
        violate=lambda dataset: _lead(dataset, _FIXED, _MANY, unfair=True),
        dropped="both have seen as many views (the learned lift has the fewest, the fixed one the most)",
        experiment="pose_solids",
    ),
    Claim(
        name="mirror_symmetric_solid_needs_no_q",
        statement="On a solid that is its own mirror image, a steerable network gains less than 0.02 in log-likelihood "
        "by kernels that are not mirror symmetric, from 1000 views on (with fewer it loses).",
        formula="LL(steerable, n) - LL(steerable_mirror, n) <= 0.02 for every n >= 1000, cube",
        source=_SOURCE,
        kind="bound",
        predict=lambda dataset: np.full(int((_large(dataset)["n"].values >= _MANY).sum()), _LITTLE),
        measure=lambda dataset: _gain_of_q(dataset, "cube", 1),
        violate=lambda dataset: _gain_of_q(dataset, "twist", 1),
        dropped="the solid is its own mirror image (it is chiral)",
        experiment="pose_solids",
    ),
    Claim(
        name="chiral_solid_gains_from_q",
        statement="On a chiral solid, from 1000 views on, a steerable network gives unseen views a higher likelihood "
        "than one whose kernels are mirror symmetric, too.",
        formula="LL(steerable_mirror, n) - LL(steerable, n) <= 0 for every n >= 1000, twist",
        source=_SOURCE,
        kind="bound",
        predict=lambda dataset: np.zeros(int((_large(dataset)["n"].values >= _MANY).sum())),
        measure=lambda dataset: _gain_of_q(dataset, "twist", -1),
        violate=lambda dataset: _gain_of_q(dataset, "cube", -1),
        dropped="the solid is chiral (it is its own mirror image)",
        experiment="pose_solids",
    ),
)
