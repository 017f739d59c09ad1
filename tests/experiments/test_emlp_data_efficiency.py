"""The data efficiency experiment: who is compared, what is equivariant to rounding, and how training is counted."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import sweep
from experiments.emlp_data_efficiency import EXPERIMENT, MODELS, TASKS, draw, learner, learners, n_steps
from experiments.models import n_parameters

PAPER = EXPERIMENT.presets["paper"]
LEARNERS = learners(PAPER)


def test_who_is_compared():
    assert len(LEARNERS) == len(set(LEARNERS)) == 3 * 5 + 1
    assert [name for name in LEARNERS if "special" in name] == ["lorentz/emlp_special"]
    some = dataclasses.replace(PAPER, tasks=("lorentz",), models=("emlp_special", "mlp"))
    assert learners(some) == ("lorentz/emlp_special", "lorentz/mlp")


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("o5/emlp_identity", "SO(5)"),
        ("o5/emlp_full", "O(5)"),
        ("inertia/emlp_identity", "SO(3)"),
        ("inertia/emlp_full", "O(3)"),
        ("lorentz/emlp_identity", "SO+(1,3)"),
        ("lorentz/emlp_special", "SO(1,3)"),
        ("lorentz/emlp_full", "O(1,3)"),
        ("o5/mlp", "O(5)"),
        ("lorentz/scalars", "O(1,3)"),
    ],
)
def test_groups(name, group):
    assert learner(name, 8, 1).group.name == group


def test_only_one_model_is_augmented():
    assert {name.split("/")[1] for name in LEARNERS if learner(name, 8, 1).augmented} == {"mlp_augmented"}


def test_steps_of_the_protocol():
    """900 000 examples or 1000 epochs, in minibatches of 500, the last of them not full."""
    found = [n_steps(PAPER, n) for n in PAPER.sizes]
    assert found == [1000, 1000, 1000, 1800, 1800, 1800, 1800]
    assert n_steps(PAPER, 501) == 2000
    assert n_steps(dataclasses.replace(PAPER, examples=10), 100) == 1


@pytest.mark.parametrize("name", LEARNERS)
def test_one_model(name):
    """float64 parameters of the stated number, and an output of the task's size, as shapes alone."""
    task, model, *_ = learner(name, 16, 1)
    params = jax.eval_shape(model.init, jax.eval_shape(lambda: jax.random.key(0)))
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float64)}
    x, y = jax.eval_shape(lambda: task.data.sample(jax.random.key(0), 7))
    out = jax.eval_shape(model.apply, params, x)
    assert (out.shape, out.dtype) == (y.shape, np.dtype(np.float64))
    assert n_parameters(model) == sum(leaf.size for leaf in jax.tree.leaves(params))


def test_trials_are_draws_of_their_own():
    keys = jax.random.split(jax.random.key(0), 2)
    trials = draw(keys, "o5", (6, 4, 5))
    parts = [np.asarray(part.x).reshape(-1, 10) for part in (trials.train, trials.validation, trials.test)]
    every = np.concatenate(parts)
    assert len(np.unique(every, axis=0)) == len(every) == 2 * (6 + 4 + 5)


def test_equivariance_is_to_rounding_and_stored(small_of):
    error = small_of("emlp_data_efficiency").result["equivariance_error"]
    assert float(error.sel(learner="o5/emlp_full").max()) < 1e-13
    assert float(error.sel(learner="o5/mlp").min()) > 1e-4


def test_lorentz_is_equivariant_in_float64():
    """A trained network of the largest group, and the perceptron of scalars: below the bound of 1e-10 with boosts."""
    config = dataclasses.replace(
        EXPERIMENT.presets["smoke"],
        tasks=("lorentz",),
        models=("scalars", "emlp_full"),
        sizes=(20,),
        n_max=20,
        n_validation=10,
        n_test=60,
        trials=1,
        channels=21,
        depth=1,
        epochs=10,
        batch_size=20,
        checks=2,
    )
    for point in EXPERIMENT.points(config):
        cell = sweep.cell(EXPERIMENT, config, 0, point)
        assert 0 < float(cell["equivariance_error"].max()) < 1e-10


def test_errors_are_in_the_units_of_the_labels(small_of):
    """An untrained guess of the mean has about the variance of the label as its error: 38 for o5, not 1."""
    error = small_of("emlp_data_efficiency").result["test_error"]
    assert float(error.min()) > 2
    y = jax.jit(lambda key: TASKS["o5"].data.sample(key, 4000).y)(jax.random.key(0))
    assert 30 < float(jnp.var(y)) < 46


def test_models_have_names():
    assert set(MODELS) == {name.split("/")[1] for name in LEARNERS}
