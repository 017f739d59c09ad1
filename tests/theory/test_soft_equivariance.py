"""The formulas of the two modules on soft equivariance, against independent computations."""

import jax
import numpy as np
import pytest

from equiv.groups import embed, o, so
from equiv.layers import dense
from equiv.reps import intertwiners, scalar, standard, tensor
from equiv.soft import projection_penalty
from theory import soft_equivariance, soft_ridge

V = standard(o(3))
AXIS = embed(o(2), 3, (0, 1))

# --- the penalty -----------------------------------------------------------------------------------------


def test_projector_by_singular_values():
    c = intertwiners.constraints(V * V, V + scalar(o(3)))
    _, sigma, v = np.linalg.svd(c)
    null = v[np.sum(sigma > 1e-9) :]
    np.testing.assert_allclose(soft_equivariance.projector(V * V, V + scalar(o(3)), o(3)), null.T @ null, atol=1e-12)


def test_the_claims_are_about_the_penalty():
    """Half the squared distance is what ``projection_penalty`` returns."""
    rep_in, rep_out = soft_equivariance._reps()
    layer = dense(rep_in, rep_out)
    params = layer.init(jax.random.key(0))
    groups = (o(3), so(3), AXIS)
    found = projection_penalty(layer, groups, select=lambda w: w.rep_in.dim > 1)(params)
    w = np.asarray(params["matrix"]).ravel()
    expected = [np.sum((w - soft_equivariance.projector(rep_in, rep_out, g) @ w) ** 2) / 2 for g in groups]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(("rank", "three", "two"), [(1, 2, 1), (2, 1.5, 0.5), (4, 1.25, 0.5)])
def test_constants_on_random_tensors(rank, three, two):
    """No random invariant-free tensor goes below the constant of the claim."""
    w = np.random.default_rng(rank).normal(size=(200, 3**rank))
    p = lambda group: soft_equivariance.projector(scalar(o(3)), tensor(o(3), rank), group)
    d = np.sum((w - w @ p(o(3))) ** 2, axis=1)
    for groups, constant in ((soft_equivariance._THREE, three), (soft_equivariance._TWO, two)):
        energy = sum(np.sum((w - w @ p(group)) ** 2, axis=1) for group in groups)
        assert (energy >= constant * d * (1 - 1e-12)).all()
        assert (energy <= len(groups) * d * (1 + 1e-12)).all()


@pytest.mark.parametrize("which", [0, 1])
def test_network_errors_are_linear_at_zero(which):
    errors = soft_equivariance.network_errors(jax.random.key(0), which)
    bound = soft_equivariance.network_bound(jax.random.key(0), which)
    assert errors[0] < 1e-14
    assert bound[0] == 0
    assert (errors[1:] < bound[1:]).all()
    assert errors[2] / errors[1] == pytest.approx(2, rel=0.1)


def test_the_nonlinearity_is_equivariant_and_contracts():
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(2, 100, 15))
    f = soft_equivariance._norm_nonlinearity
    assert (np.linalg.norm(f(u) - f(v), axis=1) <= np.linalg.norm(u - v, axis=1)).all()
    g = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn = np.kron(np.eye(2), g)
    whole = np.block([[turn, np.zeros((6, 9))], [np.zeros((9, 6)), np.kron(g, g)]])
    np.testing.assert_allclose(f(u @ whole.T), f(u) @ whole.T, atol=1e-14)


# --- the ridge -------------------------------------------------------------------------------------------


def simulated(x, strength, tau, draws, seed):
    """Mean risk over noise and breaking of penalised fits on one design, by solving for each draw: mean and error."""
    rng, a = np.random.default_rng(seed), soft_ridge._complement()
    target = tau * rng.normal(size=(draws, 60)) @ a
    y = target @ x.T + rng.normal(size=(draws, len(x)))
    w = np.linalg.solve(x.T @ x + strength * a, x.T @ y.T).T
    risk = np.sum((w - target) ** 2, axis=1)
    return risk.mean(), risk.std(ddof=1) / draws**0.5


@pytest.mark.parametrize(("strength", "tau"), [(100.0, 0.1), (1000.0, 0.1), (1.0, 1.0)])
def test_exact_risk_by_simulation(strength, tau):
    x = np.random.default_rng(5).normal(size=(1, 80, 60))
    mean, error = simulated(x[0], strength, tau, 3000, 6)
    exact = soft_ridge._risk(x, strength, 50 * tau**2)[0]
    assert abs(mean - exact) < 5 * error < 0.1 * exact


def test_limits_of_the_exact_risk():
    """No strength is least squares, a large one the equivariant fit."""
    x, b = np.random.default_rng(5).normal(size=(3, 80, 60)), 0.5
    intercept, slope, free = soft_ridge._limit_risks(x, 1.0)
    np.testing.assert_allclose(soft_ridge._risk(x, 0.0, b), free, rtol=1e-9)
    np.testing.assert_allclose(soft_ridge._risk(x, 1e6, b), intercept + b * slope, rtol=1e-3)


def test_slope_of_the_exact_risk():
    x, b, s, h = np.random.default_rng(5).normal(size=(2, 80, 60)), 0.5, 30.0, 1e-3
    found = soft_ridge._slope(x, s, b / 50 * soft_ridge._complement())
    expected = np.sum(soft_ridge._risk(x, s + h, b) - soft_ridge._risk(x, s - h, b)) / (2 * h)
    assert found == pytest.approx(expected, rel=1e-6)
    assert found < 0 < soft_ridge._slope(x, 300.0, b / 50 * soft_ridge._complement())


@pytest.mark.parametrize("n", [63, 80, 200, 10000])
def test_crossing_is_where_the_risks_are_equal(n):
    b = soft_ridge.predict_crossing(n, 60, 10, sigma=0.7)
    equivariant = soft_ridge.predict_equivariant_risk(n, b, 10, sigma=0.7)
    assert equivariant == pytest.approx(soft_ridge.predict_free_risk(n, 60, sigma=0.7))
    assert soft_ridge.predict_strength(b, 60, 10, sigma=0.7) == pytest.approx(n - 61)


def test_mean_risks_by_simulation():
    x = np.random.default_rng(7).normal(size=(2000, 100, 60))
    for found, expected in zip(
        soft_ridge._limit_risks(x, 1.0),
        (
            soft_ridge.predict_equivariant_risk(100, 0.0, 10),
            soft_ridge.predict_equivariant_risk(100, 1.0, 10) - soft_ridge.predict_equivariant_risk(100, 0.0, 10),
            soft_ridge.predict_free_risk(100, 60),
        ),
    ):
        assert abs(found.mean() - expected) < 5 * found.std(ddof=1) / 2000**0.5
