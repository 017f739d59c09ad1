"""Strengths by hand: what each rule leaves unchanged, what it does at zero, and that it runs inside jit and scan."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.soft import adjust_strengths, dual_ascent, evidence_strengths, resilient_slack, track_energies

DTYPES = [np.float32, np.float64]


def array(*numbers, dtype=np.float64):
    return jnp.asarray(numbers, dtype)


def test_the_whole_vector_is_replaced():
    state = jnp.full(2, jnp.inf)
    for energies, expected in (
        ([3, 5], [3, 5]),
        ([4, 6], [3, 5]),
        ([9, 4], [9, 4]),
        ([9, 4], [9, 4]),
        ([8, 7], [8, 7]),
    ):
        state = track_energies(state, array(*energies))
        assert state.tolist() == expected


def test_one_shot_rule_by_hand():
    found = adjust_strengths(array(0, 100, 100, 50), array(1e-9, 2, 4, 6), power=2.0)
    np.testing.assert_allclose(found, [0, 100, 25, 50 / 9], rtol=1e-14)
    np.testing.assert_allclose(adjust_strengths(array(5.0, 5.0), array(2, 4), power=5.0), [5, 5 / 32], rtol=1e-14)


@pytest.mark.parametrize("power", [1.0, 2.0, 5.0])
def test_one_shot_rule_keeps(power):
    """Equal energies and the least violated change nothing; the scale of the energies does not matter."""
    strengths, energies = array(0, 7, 3, 9), array(4, 2, 5, 8)
    np.testing.assert_array_equal(adjust_strengths(strengths, jnp.full(4, 3.0), power), strengths)
    found = adjust_strengths(strengths, energies, power)
    assert found[1] == 7
    assert (found[2:] < strengths[2:]).all()
    np.testing.assert_allclose(adjust_strengths(strengths, 1e-7 * energies, power), found, rtol=1e-12)


def test_one_shot_rule_at_zero():
    """A group that is obeyed exactly keeps its strength and sets no scale; nothing is NaN."""
    assert adjust_strengths(array(2, 2, 2), array(0, 1, 2), 1.0).tolist() == [2, 2, 1]
    assert adjust_strengths(array(2, 2), array(0, 0)).tolist() == [2, 2]
    assert adjust_strengths(array(0, 0), array(1, 2)).tolist() == [0, 0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_evidence_is_at_its_maximum(dtype):
    """``rank / 2 log lambda - lambda R`` on a grid of strengths around the answer."""
    energies, ranks = array(0.3, 40.0, dtype=dtype), np.array([120, 7])
    found = evidence_strengths(energies, ranks)
    assert found.dtype == dtype
    grid = np.asarray(found, np.float64)[:, None] * np.linspace(0.5, 2, 301)
    evidence = ranks[:, None] / 2 * np.log(grid) - grid * np.asarray(energies)[:, None]
    np.testing.assert_allclose(np.linspace(0.5, 2, 301)[evidence.argmax(axis=1)], 1, atol=0.006)


def test_evidence_recovers_the_precision_of_a_gaussian():
    """Weights drawn with precision 5 in 4000 directions, to five standard errors."""
    w = np.random.default_rng(0).normal(size=4000) / 5**0.5
    found = evidence_strengths(array(np.sum(w**2) / 2), np.array([4000]))
    assert abs(found[0] - 5) < 5 * 5 * (2 / 4000) ** 0.5


def test_evidence_at_zero():
    found = evidence_strengths(array(0, 1e-9, 0, 3), np.array([4, 4, 0, 0]), cap=1e4)
    assert found.tolist() == [1e4, 1e4, 0, 0]


def test_dual_ascent_by_hand():
    np.testing.assert_allclose(
        dual_ascent(array(1, 0.1, 0), array(0.5, 0, 0.2), array(0.2, 0.2, 0.2), 1.0), [1.3, 0, 0]
    )
    np.testing.assert_allclose(dual_ascent(array(1.0), array(0.5), 0.0, 0.1), [1.05])


def test_dual_ascent_solves_a_constrained_problem():
    """``min (w - 3)^2 / 2  with  w^2 / 2 <= 1``: at the solution the strength is that of Karush, Kuhn and Tucker."""

    @jax.jit
    def solve():
        def step(strength, _):
            w = 3 / (1 + strength)  # the minimum of the Lagrangian
            return dual_ascent(strength, w**2 / 2, 1.0, 0.3), None

        return jax.lax.scan(step, jnp.ones(1), None, length=400)[0]

    np.testing.assert_allclose(solve(), [3 / 2**0.5 - 1], rtol=1e-9)


def test_resilient_constraints_settle_where_hard_ones_grow():
    """Of a violation of 1 that stays: the hard strength grows for ever, the resilient one stops at the cost."""

    def after(steps, slack):
        strength = jnp.zeros(1)
        for _ in range(steps):
            strength = dual_ascent(strength, jnp.ones(1), slack(strength), 0.5)
        return float(strength[0])

    assert after(40, lambda s: 0.0) == 20
    assert after(200, lambda s: resilient_slack(s, 4.0)) == pytest.approx(4)
