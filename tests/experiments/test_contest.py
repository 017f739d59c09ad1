"""Contests of soft methods: what is equal is equal, rules act when they should, and errors are those of equiv.soft."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.groups import inclusion, o, so
from equiv.reps import scalar, standard
from equiv.soft import errors
from experiments import contest
from experiments.data import Samples
from experiments.models import n_parameters, soft
from experiments.record import Mistake
from experiments.soft_cosine_similarity import task as cosine_task
from experiments.soft_inertia import task
from experiments.soft_trajectories import Config as Trajectories
from experiments.soft_trajectories import draw as draw_trajectories

V = standard(o(3))
TASK = soft.Task(2 * V + scalar(o(3)), V * V, (inclusion(o(2), o(3)), inclusion(so(3), o(3))), inclusion(o(2), o(3)))


@pytest.mark.parametrize("name", soft.METHODS)
def test_methods_have_equal_parameters_and_finite_terms(name):
    wanted = n_parameters(soft.model(soft.method(TASK, "per", 40, 1)))
    method = soft.method(TASK, name, 40, 1)
    assert n_parameters(soft.model(method)) == pytest.approx(wanted, rel=0.1)
    params = jax.jit(method.layer.init)(jax.random.key(0))
    terms, prior = jax.jit(lambda p: (method.energies(p), method.prior(p)))(params)
    assert terms.shape == (2,)
    assert np.isfinite(terms).all()
    assert np.isfinite(prior)
    assert (float(jnp.sum(terms)) + float(prior) > 0) == method.penalised


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match="method has to be one of mlp, equivariant, oracle"):
        soft.method(TASK, "emlp", 40, 1)


def test_grids_are_equally_long():
    budget = contest.Budget(learning_rates=(0.01, 0.001), strengths=(1.0, 10.0, 100.0))
    tuned, plain = contest.grid(budget, True), contest.grid(budget, False)
    assert len(tuned[0]) == len(plain[0]) == 6
    assert len({tuple(pair) for pair in zip(*tuned)}) == len(set(plain[0])) == 6
    assert plain[0].min() == tuned[0].min() == 0.001
    assert plain[0].max() == tuned[0].max() == 0.01


def test_rules():
    energies = jnp.array([1e-4, 4e-4])
    strengths, remembered = jnp.full(2, 8.0), jnp.full(2, jnp.inf)
    for k in range(4):
        strengths, remembered = soft._once(strengths, remembered, energies, jnp.int32(k), 2)
        assert strengths.tolist() == ([8.0, 8.0] if k < 2 else [8.0, 0.5])  # set once, by the square of the ratio
    strengths, remembered = jnp.full(2, 8.0), jnp.full(2, jnp.inf)
    for k in range(4):
        strengths, remembered = soft._by_evidence(strengths, remembered, energies, jnp.int32(k), 2)
        np.testing.assert_allclose(strengths, [8.0, 8.0] if k < 2 else [8.0, 2.0])
    strengths, remembered = jnp.full(2, 1e4), jnp.full(2, jnp.inf)
    seen = []
    for k in range(200):
        strengths, remembered = soft._dual(strengths, remembered, jnp.full(2, 0.25), jnp.int32(k), 2)
        seen.append(float(strengths[0]))
    assert seen[0] == 0
    assert seen[-1] == pytest.approx(0.5)  # where the slack is the violation, 2 * 0.25


def test_equivariance_errors_are_the_relative_ones():
    x = jax.random.normal(jax.random.key(0), (70, TASK.rep_in.dim))
    w = jax.random.normal(jax.random.key(1), (TASK.rep_out.dim, TASK.rep_in.dim))
    f = lambda x: x @ w.T
    matrices = contest.elements(TASK, jax.random.key(2), x.dtype)
    got = contest.equivariance_errors(f, x, matrices)
    g = so(3).sample(jax.random.fold_in(jax.random.key(2), 1), (64,), x.dtype)
    each = [
        errors.relative_difference(f(TASK.rep_in.act(one, x[:64])), TASK.rep_out.act(one, f(x[:64]))) for one in g[:8]
    ]
    whole = contest.equivariance_errors(f, x, tuple(m[:, :8] for m in matrices))
    np.testing.assert_allclose(whole[1], np.mean(each), rtol=1e-12)
    assert got.shape == (3,)
    invariant = lambda x: jnp.broadcast_to(jnp.eye(3).ravel(), (*x.shape[:-1], 9))
    assert float(jnp.max(contest.equivariance_errors(invariant, x, matrices))) < 1e-14


def test_the_first_checks_choose_nothing(small_of):
    small = small_of("symmetry_discovery")
    strengths = small.result["strengths"].transpose("method", "breaking", "trial", "check", "candidate").values
    at = small.config.adjust_at
    assert (strengths[..., : at + 1, :] == small.config.strengths[0]).all()
    assert (strengths[0, ..., at + 1, :] != small.config.strengths[0]).any()


def test_tasks_know_their_symmetry():
    assert {h.source.dim for h in task(2).candidates} == {1}
    assert task(2).truth == task(2).candidates[0]
    assert task(0).truth == task(0).candidates[1]
    assert task(-1).truth.source.order == 8
    assert [cosine_task(kind).truth.source.dim for kind in ("so3-scale", "so3", "scale", "none")] == [4, 3, 1, 0]


def test_recorded_trajectories_have_to_suffice(tmp_path, monkeypatch):
    config = dataclasses.replace(Trajectories(), folder=str(tmp_path), n_train=4, n_test=2)
    few = Samples(np.zeros((9, 18), np.float32), np.zeros((9, 18), np.float32))
    monkeypatch.setattr("experiments.soft_trajectories._recorded", lambda folder: few)
    with pytest.raises(Mistake, match="has 9 trajectories, n_train and n_test ask for 10"):
        draw_trajectories(config, "symm-aware", jax.random.key(0))
    config = dataclasses.replace(config, n_test=1)
    assert draw_trajectories(config, "symm-aware", jax.random.key(0)).test["same law"].x.shape == (1, 18)
