"""The authors' settings: which pairs are run, what is chosen by what, and what is stored of bounds."""

import jax
import numpy as np
import pytest

from experiments.dsd_authors import EXPERIMENT, Config, run
from theory.crossing import at_rates, best_rates
from theory.dsd_authors import sweep

TINY = Config(sigmas=(0.2,), swept=(2, 3), fixed=3, trials=2, sizes=(4, 8, 16), steps=40, held_out=50)


def cell(config, learner="cnn", setting="k = 3, d = 2"):
    with jax.enable_x64(False):
        return run(config, jax.random.key(0), {"learner": learner, "sigma": config.sigmas[0], "setting": setting})


@pytest.fixture(scope="module")
def found():
    return cell(TINY)


def test_the_pairs_are_those_of_the_authors():
    axes = EXPERIMENT.axes(EXPERIMENT.presets["desk"])
    assert len(axes["setting"]) == 9
    assert {"k = 10, d = 20", "k = 20, d = 20", "k = 20, d = 30"} <= set(axes["setting"])
    assert axes["learner"] == ("cnn", "lcn")
    assert EXPERIMENT.presets["desk"].trials == 5
    assert max(EXPERIMENT.presets["desk"].sizes) == 1000


def test_both_choices_are_made_from_the_same_networks(found):
    test, validation = found["test"].values, found["validation"].values
    assert test.shape == (2, 3, 9)
    assert (at_rates(test, best_rates(test)) == test.min(axis=-1)).all()
    assert (at_rates(test, best_rates(test)) <= at_rates(test, best_rates(validation))).all()
    assert found["n_star"].sel(choice="test") <= found["n_star"].sel(choice="validation")


def test_rates_are_the_grid_of_the_authors(found):
    pairs = list(zip(found["rate_w"].values, found["rate_b"].values))
    assert len(set(pairs)) == 9
    assert np.isclose(pairs[0], (0.1, 0.01)).all()
    assert np.isclose(pairs[-1], (0.001, 0.0001)).all()


def test_a_target_that_is_not_reached_is_a_bound():
    """One repeat's n* is the end of the sizes, too."""
    lost = cell(Config(**vars(TINY) | {"steps": 1}))
    assert (lost["n_star"] == 16).all()
    assert (lost["censored"] == 1).all()
    assert (lost["each"] == 16).all()


def test_both_networks_see_the_same_target(found):
    other = cell(TINY, "lcn")
    assert other["target"] == found["target"] == found["oracle"] + TINY.tolerance
    assert (other["test"] != found["test"]).any()


def test_the_sweeps_of_one_size_share_their_pair():
    settings = EXPERIMENT.axes(TINY)["setting"]
    assert settings == ("k = 2, d = 3", "k = 3, d = 3", "k = 3, d = 2")
    assert sweep(cell(TINY), "d") == {2: "k = 3, d = 2"}
