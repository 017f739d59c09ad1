"""Images that classifiers of digits need, from made-up accuracies, and what decides the claim on them."""

import json

import numpy as np
import pytest
import xarray as xr

from theory.catalogue import CLAIMS
from theory.claim import judge
from theory.digits_sample_complexity import images_needed

CLAIM = CLAIMS["symmetry_saves_images_of_digits"]
NEEDED = {"mlp": 3e4, "mlp_augmented": 60.0, "mlp_averaged": 50.0, "equivariant_mlp": 55.0}
SIZES = (20, 50, 100, 200, 500, 1000)


def results(trials=8, sizes=SIZES, poses="upright", **needed):
    """Accuracies that are linear in log n and 80 % at the images that a model needs, with noise."""
    needed, draw = NEEDED | needed, np.random.default_rng(0)
    noise = 0.01 * draw.standard_normal((len(needed), len(sizes), trials))
    accuracy = 0.8 + 0.05 * np.log(np.divide.outer(sizes, list(needed.values()))).T
    return xr.Dataset(
        {"accuracy": (("model", "n", "trial"), accuracy[..., None] + noise)},
        coords={"model": list(needed), "n": list(sizes), "trial": np.arange(trials)},
        attrs={"config": json.dumps({"poses": poses})},
    )


@pytest.mark.parametrize("n", [30.0, 55.0, 300.0])
def test_images_needed(n):
    found = images_needed(results(equivariant_mlp=n), "equivariant_mlp")
    spread = np.log(found.replicates).std(ddof=1)
    assert found.censored == 0
    assert abs(np.log(found.n_star / n)) < 5 * spread < 0.5


def test_the_order_of_models_sizes_and_axes_does_not_matter():
    given = results()
    other = given.isel(model=[3, 1, 0, 2], n=[5, 0, 2, 1, 3, 4]).transpose("trial", "n", "model")
    for model in NEEDED:
        assert images_needed(other, model).n_star == images_needed(given, model).n_star
    assert judge(CLAIM, other).verdict == judge(CLAIM, given).verdict


def test_models_have_the_same_trials_drawn():
    data = results()
    data["accuracy"][:] = data["accuracy"].sel(model="mlp_averaged").values[None]
    one, other = (images_needed(data, model) for model in ("mlp_augmented", "equivariant_mlp"))
    np.testing.assert_array_equal(one.replicates, other.replicates)


@pytest.mark.parametrize("needed", [900.0, 3e4])
def test_holds_where_the_perceptron_takes_more_or_more_than_there_are(needed):
    judgement = judge(CLAIM, results(mlp=needed, equivariant_mlp=40.0))
    assert judgement.passed, (judgement.verdict.sentence, judgement.refutation.sentence)


@pytest.mark.parametrize("needed", [60.0, 300.0])
def test_is_refuted_where_the_perceptron_takes_few(needed):
    judgement = judge(CLAIM, results(mlp=needed))
    assert judgement.verdict.sound
    assert not judgement.verdict.holds
    assert judgement.violate == "fails"


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"sizes": (20, 50, 100, 200)}, id="sizes that could hide a perceptron within the bound"),
        pytest.param({"equivariant_mlp": 10.0}, id="sizes that begin too late"),
        pytest.param({"mlp_augmented": 1e5}, id="sizes that end too early"),
        pytest.param({"mlp": 10.0}, id="a perceptron that is there at once"),
        pytest.param({"trials": 7}, id="too few trials"),
        pytest.param({"sizes": (50,)}, id="one size"),
        pytest.param({"poses": "random"}, id="images that are not upright"),
    ],
)
def test_results_that_cannot_decide_leave_it_open(how):
    judgement = judge(CLAIM, results(**how))
    assert judgement.violate == "open"
    assert "it takes upright images, 8 trials, sizes at which equivariant_mlp and" in judgement.verdict.sentence


def test_a_model_that_was_not_run_is_named():
    judgement = judge(CLAIM, results().drop_sel(model="mlp_augmented"))
    assert not judgement.verdict.sound
    assert (
        "no model mlp_augmented, only mlp, mlp_averaged, equivariant_mlp; run all models" in judgement.verdict.sentence
    )
