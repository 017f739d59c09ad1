"""Classifiers of digits on the engine: a cell is its fits one by one, and a model is compiled once for all sizes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import digits_sample_complexity as digits
from experiments.sample_complexity import trial_keys

CONFIG = digits.Config(trials=2, copies=2, depth=1, steps=20, batch_size=16, learning_rates=(0.003, 0.03))
KEY = jax.random.key(0)


@pytest.fixture(autouse=True)
def single():
    with jax.enable_x64(False):
        yield


def test_a_cell_is_its_fits_one_by_one():
    """On exactly n images, with those from n on left out; the rate with the fewest mistakes on validation images."""
    name, n, rates = "mlp_augmented", 50, np.asarray(CONFIG.learning_rates, np.float32)
    found = digits.run(CONFIG, jax.random.clone(KEY), {"model": name, "n": n})
    learner = digits.learner(CONFIG, name)
    fit_and_test = jax.jit(learner.fit_and_test)
    for t, key in enumerate(trial_keys(jax.random.clone(KEY), CONFIG.trials)):
        draw_key, fit_key = tuple(jax.random.split(key))
        data = learner.draw(draw_key, n)
        each = [fit_and_test(data, jnp.int32(n), rate, jax.random.clone(fit_key)) for rate in rates]
        best = int(np.argmin([one["validation"] for one in each]))
        assert found["learning_rate"].values[t] == rates[best]
        for array, loss in (("accuracy", "test"), ("accuracy_upright", "upright")):
            assert found[array].values[t] == pytest.approx(1 - float(each[best][loss]), abs=2e-3)
        error = float(each[best]["equivariance_error"])
        assert found["equivariance_error"].values[t] == pytest.approx(error, rel=1e-2)


def test_a_model_is_compiled_once_for_all_sizes(monkeypatch):
    traced = []
    monkeypatch.setattr(digits, "fit", lambda loss, params, *_, **__: traced.append(0) or params)
    config = dataclasses.replace(CONFIG, steps=7)  # of its own, so that no other test has compiled it
    for n in (20, 300, 1000):
        digits.run(config, jax.random.clone(KEY), {"model": "mlp", "n": n})
    digits.run(dataclasses.replace(config, sizes=(5,)), jax.random.clone(KEY), {"model": "mlp", "n": 40})
    assert len(traced) == 1


def test_among_equals_the_smallest_rate_is_chosen(monkeypatch):
    """Whatever the order they are given in: untrained models make equally many mistakes."""
    monkeypatch.setattr(digits, "fit", lambda loss, params, *_, **__: params)
    config = dataclasses.replace(CONFIG, steps=8, learning_rates=(0.1, 0.01, 0.03))
    found = digits.run(config, jax.random.clone(KEY), {"model": "mlp", "n": 20})
    np.testing.assert_array_equal(found["learning_rate"], np.float32(0.01))
