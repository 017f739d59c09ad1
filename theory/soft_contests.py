"""What soft methods do as a symmetry fades: claims judged from the stored runs of two contests.

Setting. The label is the tensor of inertia of five point masses with one column multiplied by ``1 - b``: at b = 0 it is
equivariant under O(3), for b > 0 only under the turns and mirrors of the plane xy. ``breaking_sweep`` trains
hard, soft and free networks at several b, ``symmetry_discovery`` those whose free weights are penalised for each of
three planes. Claims speak of the levels from 0.4 on, where the breaking is larger than what training leaves; the
violations look at b = 0, where there is nothing to find, or at a plane that is broken.

Known: observations on trained networks and no theorems. Kim et al. report that strengths and errors tell which symmetry
holds; their numbers were not found.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from theory.claim import Claim, Evidence, Source, mean_evidence

__all__ = ["CLAIMS"]

_CLEAR = 0.4
"""The least level of breaking that the claims speak of."""
_PLANES = ("obeyed plane", "broken plane")


def _source(experiment: str) -> Source:
    return Source(
        author="this codebase, after H. Kim, H. Lee, H. Yang, J. Lee",
        title=experiment,
        venue="experiment",
        arxiv=None,
        theorem="an observation on trained networks, no theorem",
        known="derived",
    )


def _levels(dataset: xr.Dataset, broken: bool) -> xr.Dataset:
    """The clearly broken levels, or the one where nothing is broken."""
    levels = dataset["breaking"].values
    chosen = levels[levels >= _CLEAR] if broken else levels[levels == 0]
    if not len(chosen):
        raise ValueError(f"the results have no level {'of 0.4 or more' if broken else '0'}, only {levels.tolist()}")
    return dataset.sel(breaking=chosen)


def _of(dataset: xr.Dataset, methods: Sequence[str]) -> xr.Dataset:
    known = [str(name) for name in dataset["method"].values]
    missing = [name for name in methods if name not in known]
    if missing:
        raise ValueError(f"the results have no method {' and '.join(missing)}, only {', '.join(known)}; run it too")
    return dataset.sel({"method": list(methods)})


def _test_errors(dataset: xr.Dataset, broken: bool) -> Evidence:
    """Test errors of the soft and of the hard network."""
    chosen = _levels(_of(dataset, ("per", "equivariant")), broken)
    errors = chosen["test_error"].sel(test="same law").transpose("method", "breaking", "trial").values
    return mean_evidence("breaking b", chosen["breaking"].values, errors, ("soft", "hard"))


def _planes(dataset: xr.Dataset, broken: bool) -> Evidence:
    """The penalised network's error under the obeyed plane, and under that of the two others which is nearer to it."""
    chosen = _levels(_of(dataset, ("per",)), broken).sel({"method": "per"})
    planes = chosen["equivariance_error"].transpose("group", "breaking", "trial").values[:3]
    pair = np.stack([planes[0], planes[1:].min(axis=0)])
    return mean_evidence("breaking b", chosen["breaking"].values, pair, _PLANES)


def _relative_strengths(dataset: xr.Dataset, plane: int) -> Evidence:
    """The stronger of the two other planes' penalties at the end of training, over that of one plane."""
    chosen = _levels(_of(dataset, ("per",)), broken=True).sel({"method": "per"})
    planes = chosen["strengths"].isel(check=-1).transpose("candidate", "breaking", "trial").values
    others = np.delete(planes, plane, axis=0).max(axis=0)
    return mean_evidence("breaking b", chosen["breaking"].values, others / planes[plane])


CLAIMS = (
    Claim(
        name="soft_outlives_hard",
        statement="Where the symmetry is clearly broken the penalised free network has a smaller test error than the "
        "network that cannot break it.",
        formula="test error (per, b) < test error (equivariant, b) for b >= 0.4",
        source=_source("breaking_sweep"),
        kind="separation",
        predict=lambda dataset: ("soft", "hard"),
        measure=lambda dataset: _test_errors(dataset, broken=True),
        violate=lambda dataset: _test_errors(dataset, broken=False),
        dropped="the symmetry is broken (it is obeyed, b = 0)",
        experiment="breaking_sweep",
    ),
    Claim(
        name="errors_tell_the_plane",
        statement="The equivariance error of the penalised network is smaller under the plane whose symmetry the data "
        "keep than under the other two.",
        formula="error (xy, b) < min(error (yz, b), error (xz, b)) for b >= 0.4",
        source=_source("symmetry_discovery"),
        kind="separation",
        predict=lambda dataset: _PLANES,
        measure=lambda dataset: _planes(dataset, broken=True),
        violate=lambda dataset: _planes(dataset, broken=False),
        dropped="the symmetry of the other planes is broken (all are obeyed, b = 0)",
        experiment="symmetry_discovery",
    ),
    Claim(
        name="strengths_tell_the_plane",
        statement="The one-shot rule leaves the penalty of the obeyed plane stronger than those of the other two.",
        formula="max(strength (yz, b), strength (xz, b)) / strength (xy, b) <= 1 for b >= 0.4",
        source=_source("symmetry_discovery"),
        kind="bound",
        predict=lambda dataset: np.ones(len(_levels(dataset, broken=True)["breaking"])),
        measure=lambda dataset: _relative_strengths(dataset, 0),
        violate=lambda dataset: _relative_strengths(dataset, 1),
        dropped="the plane is the one that the data keep (it is yz)",
        experiment="symmetry_discovery",
    ),
)
