"""Claims judged from stored runs of view_pooling, on runs made up so that they hold, or do not."""

import numpy as np
import pytest
import xarray as xr

from theory.catalogue import CLAIMS
from theory.claim import judge

LESS, ONE, ALL = (
    "staged_pooling_loses_nothing_with_more_views",
    "staged_pooling_is_better_for_one_view",
    "sets_of_all_sizes_do_what_stages_do",
)
VIEWS = np.array([24, 1, 4, 12])  # in any order
LEVELS = {  # IoU at 1, 4, 12 and 24 views
    "sum": (0.5, 0.6, 0.7, 0.6),
    "attention": (0.4, 0.6, 0.7, 0.75),
    "attention_sizes": (0.5, 0.6, 0.68, 0.72),
    "attention_staged": (0.5, 0.55, 0.58, 0.59),
}


def runs(trials=5, entropy=0.1, views=VIEWS, **levels):
    """Numbers with noise of 0.001; the cross-entropy is a tenth of what is missing from the IoU."""
    draw, levels = np.random.default_rng(0), LEVELS | levels
    order = np.searchsorted(np.sort(VIEWS), views)
    iou = np.array([levels[name] for name in LEVELS])[:, None, order]
    iou = iou + 0.001 * draw.standard_normal((len(LEVELS), trials, len(views)))
    axes = ("method", "trial", "views")
    arrays = {"iou": (axes, iou), "cross_entropy": (axes, entropy * (1 - iou))}
    return xr.Dataset(arrays, {"method": list(LEVELS), "trial": np.arange(trials), "views": views})


@pytest.mark.parametrize("name", [LESS, ONE, ALL])
def test_holds_when_it_is_so(name):
    judgement = judge(CLAIMS[name], runs())
    assert judgement.passed, (judgement.verdict.sentence, judgement.refutation.sentence)
    assert judgement.evidence.trials == 5
    assert (np.diff(judgement.evidence.points) > 0).all()


@pytest.mark.parametrize(
    ("name", "level"),
    [
        (LESS, {"attention_staged": (0.5, 0.55, 0.58, 0.57)}),
        (ONE, {"attention_staged": (0.4, 0.55, 0.58, 0.59)}),
        (ALL, {"attention_sizes": (0.5, 0.6, 0.56, 0.72)}),
    ],
)
def test_fails_when_it_is_not(name, level):
    assert not judge(CLAIMS[name], runs(**level)).verdict.holds


@pytest.mark.parametrize("name", [LESS, ONE, ALL])
@pytest.mark.parametrize(
    "small", [{"trials": 4}, {"entropy": 1.0}, {"views": VIEWS[1:]}, {"views": VIEWS[[0, 2, 3]]}], ids=str
)
def test_open_when_it_is_small(name, small):
    assert judge(CLAIMS[name], runs(**small)).open


def test_a_method_that_was_not_run_is_told():
    judgement = judge(CLAIMS[ONE], runs().sel({"method": ["attention", "sum"]}))
    assert not judgement.passed
    assert "the results have no method attention_staged, only attention, sum; run it too" in judgement.verdict.sentence
