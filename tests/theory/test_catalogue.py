"""Every row of the catalogue: the claim holds, its violation fails, and a wrong constant would have been noticed."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from theory.catalogue import CLAIMS
from theory.claim import judge, weigh

MODELS = ("mlp", "mlp_augmented", "mlp_averaged", "equivariant_mlp")
MEASURED = [name for name, claim in CLAIMS.items() if claim.experiment is None]


def digits(trials=5, advantage=0.2, models=MODELS):
    """A dataset of the layout of digits_sample_complexity, whose equivariant model is better by ``advantage``."""
    sizes, draw = np.array([20, 100, 500]), np.random.default_rng(0)
    accuracy = 0.4 + 0.1 * np.arange(3)[None, :, None] + 0.01 * draw.standard_normal((len(models), 3, trials))
    if "equivariant_mlp" in models:
        accuracy[models.index("equivariant_mlp")] += advantage
    axes = ("model", "n", "trial")
    arrays = dict.fromkeys(("accuracy", "accuracy_upright", "equivariance_error", "learning_rate"), (axes, accuracy))
    arrays["n_parameters"] = (("model",), np.full(len(models), 1000))
    return xr.Dataset(arrays, {"model": list(models), "n": sizes, "trial": np.arange(trials)})


def wrong(claim, predicted):
    """Predictions with a wrong constant, each of which the same evidence has to refute."""
    if claim.kind == "rate":
        return [predicted - 0.5, predicted + 0.5]
    if claim.kind == "separation":
        return [predicted[::-1]]
    if claim.kind == "bound":
        return [0.8 * np.asarray(predicted)]
    return [0.8 * np.asarray(predicted), 1.25 * np.asarray(predicted)]


@pytest.mark.parametrize("name", MEASURED)
def test_holds_and_could_have_failed(name):
    claim = CLAIMS[name]
    judgement = judge(claim)
    assert judgement.verdict.holds, judgement.verdict.sentence
    assert judgement.refutation.sound, judgement.refutation.sentence
    assert judgement.violate == "fails", judgement.refutation.sentence
    for predicted in wrong(claim, judgement.predicted):
        assert not weigh(claim, predicted, judgement.evidence).holds


@pytest.mark.parametrize("name", CLAIMS)
def test_is_complete(name):
    claim = CLAIMS[name]
    assert claim.name == name
    assert name.isidentifier()
    for text in (claim.statement, claim.formula, claim.dropped, *dataclasses.astuple(claim.source)[:3]):
        assert text
    assert claim.statement.endswith(".")
    assert claim.source.known in ("read", "derived", "recalled")


def test_names_are_unique():
    from theory import catalogue

    assert len(CLAIMS) == sum(len(module.CLAIMS) for module in catalogue._MODULES)


@pytest.mark.parametrize("name", ["gap_spike", "invariant_gain"])
def test_the_same_numbers_every_time(name):
    first, second = judge(CLAIMS[name]), judge(CLAIMS[name])
    np.testing.assert_array_equal(first.evidence.values, second.evidence.values)
    np.testing.assert_array_equal(first.violation.values, second.violation.values)


def test_digits_hold_when_the_equivariant_model_is_better():
    judgement = judge(CLAIMS["equivariance_helps_on_digits"], digits())
    assert judgement.passed
    assert judgement.evidence.trials == 5
    assert judgement.evidence.points.tolist() == [20, 100, 500]


@pytest.mark.parametrize("advantage", [0.0, 0.02, -0.2])
def test_digits_fail_when_it_is_not(advantage):
    judgement = judge(CLAIMS["equivariance_helps_on_digits"], digits(advantage=advantage))
    assert not judgement.verdict.holds
    assert judgement.verdict.sound
    assert judgement.violate == "fails"


def test_digits_do_not_depend_on_the_order_of_axes_or_models():
    dataset = digits().isel(model=[3, 1, 0, 2]).transpose("trial", "n", "model")
    np.testing.assert_array_equal(
        judge(CLAIMS["equivariance_helps_on_digits"], dataset).evidence.values,
        judge(CLAIMS["equivariance_helps_on_digits"], digits()).evidence.values,
    )


def test_digits_of_one_trial_prove_nothing():
    judgement = judge(CLAIMS["equivariance_helps_on_digits"], digits(trials=1))
    assert not judgement.verdict.holds
    assert judgement.violate == "unsound"


def test_digits_without_the_model_say_so():
    judgement = judge(CLAIMS["equivariance_helps_on_digits"], digits(models=MODELS[:3]))
    assert "no model equivariant_mlp, only mlp, mlp_augmented, mlp_averaged" in judgement.verdict.sentence
