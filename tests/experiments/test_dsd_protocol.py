"""The ends of the protocol: one patch, one number, no noise, a target that is not reached; whose oracle."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.dsd_protocol import N_STEPS, Protocol, drawing, measured

TINY = Protocol(trials=2, n_max=32, steps=60, fcn_steps=60, validation=20, test=100)


def found(config, name, sigma, k, d):
    with jax.enable_x64(False):
        cell = measured(config, jax.random.key(0), name, sigma, k, d, "k")
    return {quantity: np.asarray(values) for quantity, (_, values) in cell.items()}


def test_longer_draws_begin_with_the_shorter():
    """And have the same samples to validate and to test on."""
    draw = drawing(4, 3, 0.2, (10, 20))
    few, many = (draw(jax.random.key(0), rows) for rows in (17, 300))
    for a, b in zip(jax.tree.leaves(few), jax.tree.leaves(many)):
        np.testing.assert_array_equal(a, b[: len(a)])
    assert [len(part[1]) for part in many] == [300, 10, 20]


def test_with_one_patch_cnn_and_lcn_are_one():
    cells = [found(TINY, name, 0.2, 1, 3) for name in ("cnn", "lcn")]
    np.testing.assert_allclose(cells[0]["losses"], cells[1]["losses"], rtol=1e-4, atol=1e-6)
    assert cells[0]["linear_floor"] < cells[0]["target"]


def test_without_noise_the_first_size_will_do():
    cell = found(TINY, "cnn", 0.0, 2, 1)
    assert (cell["n_star"], cell["censored"]) == (4, -1)
    assert cell["predicted"].max() == cell["oracle"] == cell["bayes_risk"] == 0


def test_a_target_that_is_not_reached_is_a_bound():
    cell = found(TINY, "lcn", 0.3, 6, 3)
    assert (cell["n_star"], cell["censored"], cell["largest"]) == (32, 1, 32)
    used = cell["sizes"] > 0
    assert cell["losses"].shape == (2, N_STEPS)
    assert (cell["losses"][:, used] > 0).all()
    assert (cell["losses"][:, ~used] == 0).all()


def test_targets_are_counted_from_the_own_oracle():
    cells = {name: found(TINY, name, 0.2, 4, 3) for name in ("cnn", "lcn", "attention", "overlap")}
    oracles = {name: float(cell["oracle"]) for name, cell in cells.items()}
    assert oracles["attention"] < oracles["cnn"] == oracles["lcn"] < oracles["overlap"]
    for cell in cells.values():
        assert cell["target"] == pytest.approx(cell["oracle"] + TINY.tolerance)


@pytest.mark.parametrize("fields", [{"attention_multiples": (0.0,)}, {"most_work": 0}, {"n_max": 4}])
def test_bad_settings(fields):
    with pytest.raises(ValueError, match="has to be"):
        dataclasses.replace(TINY, **fields)
