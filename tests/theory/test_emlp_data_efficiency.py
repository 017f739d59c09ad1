"""Claims judged from stored runs of emlp_data_efficiency, on runs made up so that they hold, or do not."""

import numpy as np
import pytest
import xarray as xr

from theory.catalogue import CLAIMS
from theory.claim import judge
from theory.emlp_data_efficiency import REPORTED, REPORTED_SIZES, beside_reported

NAMES = ("equivariant_mlp_saves_data", "equivariance_beats_augmentation")
MODELS = ("mlp", "mlp_augmented", "emlp_full")
TASKS = ("o5", "inertia")


def runs(factor=0.1, trials=3, tasks=TASKS, models=MODELS):
    """Errors that fall as 1/n, with 10 % of noise; those of emlp_full are ``factor`` times the others'."""
    draw, n = np.random.default_rng(0), np.array([30, 100, 300])
    learner = [f"{task}/{model}" for task in tasks for model in models]
    error = 100 / n[:, None] * np.exp(0.1 * draw.standard_normal((len(learner), 3, trials)))
    error[[name.endswith("emlp_full") for name in learner]] *= factor
    return xr.Dataset(
        {"test_error": (("learner", "n", "trial"), error)}, {"learner": learner, "n": n, "trial": np.arange(trials)}
    )


@pytest.mark.parametrize("name", NAMES)
def test_holds_when_it_is_so(name):
    judgement = judge(CLAIMS[name], runs())
    assert judgement.passed, judgement.verdict.sentence
    assert judgement.evidence.points.tolist() == list(TASKS)
    assert judgement.evidence.trials == 3
    height = np.log10(runs()["test_error"].sel(learner="inertia/emlp_full")).mean()
    assert judgement.evidence.values[0, 1] == pytest.approx(float(height))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", [1.0, 0.9, 10.0])
def test_fails_when_it_is_not(name, factor):
    judgement = judge(CLAIMS[name], runs(factor))
    assert not judgement.verdict.holds
    assert judgement.verdict.sound
    assert judgement.violate == "fails"


@pytest.mark.parametrize("name", NAMES)
def test_one_bad_task_is_enough(name):
    dataset = runs()
    dataset["test_error"].loc[{"learner": "inertia/emlp_full"}] *= 100
    assert not judge(CLAIMS[name], dataset).verdict.holds


def test_the_order_of_axes_and_learners_does_not_matter():
    dataset = runs().isel(learner=[5, 0, 3, 1, 4, 2]).transpose("trial", "n", "learner")
    found, right = (judge(CLAIMS[NAMES[0]], d).evidence for d in (dataset, runs()))
    order = [found.points.tolist().index(task) for task in TASKS]
    np.testing.assert_array_equal(found.values[:, order], right.values)


def test_missing_models_are_told():
    judgement = judge(CLAIMS[NAMES[1]], runs(models=("mlp", "emlp_full")))
    assert "no task with both emlp_full and mlp_augmented, only o5/mlp" in judgement.verdict.sentence
    assert judge(CLAIMS[NAMES[0]], runs(models=("mlp", "emlp_full"))).passed


def test_one_trial_proves_nothing():
    judgement = judge(CLAIMS[NAMES[0]], runs(trials=1))
    assert not judgement.verdict.holds
    assert judgement.violate == "unsound"


def test_the_reported_table():
    """Every learner of theirs has all sizes, errors fall from the first to the last, and equivariant ones are lower."""
    assert all(len(row) == len(REPORTED_SIZES) and row[-1] < row[0] for row in REPORTED.values())
    for task in ("o5", "inertia", "lorentz"):
        plain, full = (np.log(REPORTED[f"{task}/{model}"]).mean() for model in ("mlp", "emlp_full"))
        assert full < plain


def test_beside_reported():
    rows = beside_reported(runs())
    assert len(rows) == 6 * 3
    assert [row[3] for row in rows if row[:2] == ("inertia/emlp_full", 100)] == [1.44]
    assert beside_reported(runs().assign_coords(n=[1, 2, 3])) == []
