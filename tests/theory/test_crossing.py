"""Crossings of learning curves: against closed forms, against scipy's isotonic regression, and what they cover."""

import re

import jax
import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from theory.crossing import (
    Crossing,
    at_rates,
    best_rates,
    crossing,
    falling,
    inside,
    meets,
    next_sizes,
    ratio,
    ratio_evidence,
    slope,
)

GRID = np.geomspace(16, 1024, 13)
KEY = jax.random.key(0)


def curves(n_star, trials=8, n=GRID, seed=0, noise=0.15, share=0.6, target=0.2):
    """Trials of ``a + b n^-0.8``, at ``target`` where n = n_star; part of a trial's noise is the same for all n."""
    draw = np.random.default_rng(seed)
    shared, own = draw.normal(size=(trials, 1)), draw.normal(size=(trials, len(n)))
    excess = 0.15 * (n / n_star) ** -0.8
    return target - 0.15 + excess[None] * (1 + noise * (share * shared + np.sqrt(1 - share**2) * own))


def test_rates_without_a_finite_loss_are_not_chosen():
    test, by = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[np.nan, 9.0], [np.inf, 1.0]])
    assert at_rates(test, best_rates(by)).tolist() == [2.0, 4.0]
    assert at_rates(test, best_rates(test)).tolist() == [1.0, 3.0]
    assert best_rates(np.array([[[2.0, 1.0], [5.0, 6.0]]])).tolist() == [[1, 0]]


def test_falling_is_isotonic_regression():
    losses = np.random.default_rng(0).normal(size=(200, 9)) - np.linspace(0, 2, 9)[None]
    expected = np.stack([isotonic_regression(row, increasing=False).x for row in losses])
    np.testing.assert_allclose(falling(losses), expected, atol=1e-14)
    assert (np.diff(falling(losses)) <= 0).all()
    already = np.sort(losses)[:, ::-1]
    np.testing.assert_array_equal(falling(already), already)


@pytest.mark.parametrize("n_star", [20.0, 111.0, 900.0])
def test_a_curve_without_noise_is_met_where_its_formula_says(n_star):
    """Lines in log n are 2 % off on a grid of ratio 1.41, and exact at the points of the grid."""
    found, censored = meets(GRID, curves(n_star, 1, noise=0)[0], 0.2)
    assert censored == 0
    assert 0 <= np.log(found / n_star) < 0.02
    for at, size in enumerate(GRID[1:-1], 1):
        found, _ = meets(GRID, curves(size, 1, noise=0)[0], curves(size, 1, noise=0)[0, at])
        assert found == pytest.approx(size, rel=1e-12)


@pytest.mark.parametrize("trials", [5, 8, 20])
def test_the_band_covers_what_it_says(trials):
    """95 % of 300 bands hold the true n*, within 5 standard errors."""
    held = []
    for i in range(300):
        found = crossing(jax.random.fold_in(KEY, i), GRID, curves(200.0, trials, seed=[trials, i]), 0.2, resamples=500)
        held.append(found.low <= 200 <= found.high)
    assert abs(np.mean(held) - 0.95) < 5 * np.sqrt(0.95 * 0.05 / 300)


def test_trials_are_drawn_and_not_points():
    """The twin that takes the points of a trial for independent has bands that are too narrow."""
    widths = []
    for i in range(60):
        losses = curves(200.0, seed=[0, i], share=1)
        mixed = np.random.default_rng(i).permuted(losses, axis=0)
        found = [crossing(KEY, GRID, each, 0.2, resamples=300) for each in (losses, mixed)]
        widths.append([c.replicates.std() for c in found])
    assert np.median(np.divide(*np.transpose(widths))) > 1.1


def test_a_higher_target_takes_fewer_samples():
    losses = curves(200.0, noise=0.5)
    found = [crossing(KEY, GRID, losses, target) for target in np.linspace(0.05, 1.4, 40)]
    for field in ("n_star", "low", "high", "replicates"):
        assert (np.diff([getattr(c, field) for c in found], axis=0) <= 0).all()
    assert len({c.censored for c in found}) == 3


def test_units_of_n_and_of_the_loss_do_not_matter():
    losses = curves(200.0, noise=0.5)
    found, scaled = crossing(KEY, GRID, losses, 0.2), crossing(KEY, 7 * GRID, 3 * losses + 1, 1.6)
    for field in ("n_star", "low", "high", "replicates"):
        np.testing.assert_allclose(getattr(scaled, field), 7 * getattr(found, field), rtol=1e-12)
    powers = crossing(KEY, GRID**2, losses, 0.2)
    assert powers.n_star == pytest.approx(found.n_star**2)


def test_the_same_key_draws_the_same_trials():
    losses = curves(200.0)
    again = crossing(KEY, GRID, losses, 0.2)
    np.testing.assert_array_equal(crossing(KEY, GRID, losses, 0.2).replicates, again.replicates)
    paired = ratio(crossing(KEY, 5 * GRID, losses, 0.2), again)
    assert (paired.value, paired.low, paired.high) == pytest.approx((5, 5, 5), rel=1e-12)
    other = ratio(crossing(jax.random.key(1), 5 * GRID, losses, 0.2), again)
    assert other.low < 4.99 < 5.01 < other.high


@pytest.mark.parametrize(("n_star", "censored", "end"), [(3.0, -1, 0), (5000.0, 1, -1)])
def test_a_crossing_outside_the_grid_is_flagged(n_star, censored, end):
    found = crossing(KEY, GRID, curves(n_star), 0.2)
    assert (found.censored, found.n_star) == (censored, GRID[end])
    assert (found.flags == censored).all()
    assert (found.replicates == GRID[end]).all()
    assert found.low == found.high == GRID[end]
    assert (found.low_open, found.high_open) == (censored < 0, censored > 0)


def test_censored_replicates_are_kept():
    """Near the end of the grid some replicates do not cross; a twin that drops them ends its band too early."""
    found = crossing(KEY, GRID, curves(950.0, noise=0.6), 0.2)
    above = found.flags > 0
    assert 0.05 < above.mean() < 0.95
    assert len(found.replicates) == 1000
    assert (found.replicates[above] == GRID[-1]).all()
    assert (found.high, found.high_open, found.low_open) == (GRID[-1], True, False)
    twin = np.quantile(found.replicates[~above], 0.5)
    assert twin < np.quantile(found.replicates, 0.5)

    wide = np.geomspace(16, 65536, 25)  # the same curves, seen further
    whole = crossing(KEY, wide, np.hstack([curves(950.0, noise=0.6), np.full((8, 12), -1.0)]), 0.2)
    np.testing.assert_allclose(whole.replicates[~above], found.replicates[~above], rtol=1e-12)
    assert (whole.replicates[above] > GRID[-1]).all()


def test_slopes():
    x = np.array([4, 8, 16, 32])
    found = [crossing(jax.random.fold_in(KEY, k), GRID, curves(5.0 * k, seed=k), 0.2) for k in x]
    line = slope(x, found)
    error = line.replicates.std(ddof=1)
    assert abs(line.value - 1) < 5 * error < 0.5
    assert line.low < line.value < line.high
    assert line.high - line.low == pytest.approx(2 * 1.96 * error, rel=0.3)
    expected = np.polyfit(np.log(x), np.log([c.n_star for c in found]), 1)[0]
    assert line.value == pytest.approx(expected, rel=1e-12)
    assert slope(x, [c._replace(n_star=2 * c.n_star) for c in found]).value == pytest.approx(line.value)
    assert (line.low_open, line.high_open, line.censored) == (False, False, 0)


def test_slopes_cover_what_they_say():
    held = []
    for i in range(200):
        found = [
            crossing(jax.random.fold_in(KEY, 3 * i + j), GRID, curves(s, 5, seed=[i, j]), 0.2, resamples=300)
            for j, s in enumerate((50.0, 100.0, 200.0))
        ]
        line = slope((1, 2, 4), found)
        held.append(line.low <= 1 <= line.high)
    assert abs(np.mean(held) - 0.95) < 5 * np.sqrt(0.95 * 0.05 / 200)


def test_a_slope_through_bounds_is_refused():
    """And the twin that leaves them out quietly, or takes the end of the grid for n*, is wrong."""
    x = (10, 20, 40)
    found = [crossing(KEY, GRID, curves(float(k**2), seed=k), 0.2) for k in x]
    sentence = "a slope takes crossings inside their grids, and n* is above 1024 at 40; "
    with pytest.raises(ValueError, match=re.escape(sentence)):
        slope(x, found)
    twin = slope(x, [c._replace(censored=0) for c in found])
    assert twin.high < 2
    assert twin.high_open  # and says so


def bound(n_star, censored):
    return Crossing(
        n_star, n_star, n_star, censored, censored < 0, censored > 0, 8, np.full(9, n_star), np.full(9, censored)
    )


@pytest.mark.parametrize(
    ("first", "second", "censored"),
    [(0, 0, 0), (1, 0, 1), (-1, 0, -1), (0, 1, -1), (0, -1, 1), (1, -1, 1), (-1, 1, -1)],
)
def test_ratios_of_bounds_are_bounds(first, second, censored):
    found = ratio(bound(80.0, first), bound(20.0, second))
    assert (found.value, found.censored) == (4, censored)
    assert (found.low_open, found.high_open) == (censored < 0, censored > 0)


@pytest.mark.parametrize("side", [-1, 1])
def test_two_bounds_on_one_side_have_no_ratio(side):
    with pytest.raises(ValueError, match="so their ratio is unknown; widen the grids"):
        ratio(bound(80.0, side), bound(20.0, side))


def test_evidence_on_ratios():
    """At every point the ratio and the spread of its replicates; a bound stays one, and two of them are refused."""
    one, other = (crossing(KEY, GRID, curves(n_star, seed=i), 0.2) for i, n_star in enumerate((60.0, 240.0)))
    found = ratio_evidence(
        "d",
        [1, 2, 3],
        [one, other, one],
        [other, one, bound(80.0, 1)._replace(replicates=other.replicates, flags=other.flags)],
    )
    np.testing.assert_allclose(found.values, [one.n_star / other.n_star, other.n_star / one.n_star, one.n_star / 80])
    np.testing.assert_allclose(found.standard_error[0], (one.replicates / other.replicates).std(ddof=1), rtol=1e-12)
    assert (found.trials, found.axis, found.points.tolist()) == (8, "d", [1, 2, 3])
    with pytest.raises(ValueError, match="so their ratio is unknown; widen the grids"):
        ratio_evidence("d", [1], [bound(80.0, 1)], [bound(20.0, 1)])


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (bound(16.0, -1), "n* = 16 is at most the first size of the grid in 100% of its replicates; widen the grid"),
        (
            bound(900.0, 0)._replace(flags=np.array([0] * 6 + [1] * 3)),
            "n* = 900 is above the last size of the grid in 33% of its replicates; widen the grid",
        ),
    ],
)
def test_a_bound_is_not_inside(found, sentence):
    """Not even one that is a bound in some replicates alone."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        inside(found)
    assert inside(bound(20.0, 0)).n_star == 20


def refined(n, n_star, noise, n_max=10_000):
    """The grid and the crossing when nothing is left to add."""
    while added := next_sizes(n, found := crossing(KEY, n, curves(n_star, 8, n, noise=noise), 0.2), 1.1, n_max):
        n = np.union1d(n, added)
        assert len(n) < 20
    return n, found


@pytest.mark.parametrize("n_star", [30.0, 300.0, 3000.0])
def test_refinement_ends_at_the_crossing(n_star):
    """Without noise the bracket closes; from a grid that ends too early it first grows."""
    n, found = refined(np.array([16, 32, 64]), n_star, noise=0)
    assert found.censored == 0
    assert -1e-12 < np.log(found.n_star / n_star) < 0.002
    right = np.searchsorted(n, found.n_star)
    assert n[right] / n[right - 1] <= 1.1


def test_a_band_that_is_open_above_asks_for_larger_sizes():
    n, found = refined(np.array([16, 32, 64]), 60.0, noise=0.5)
    assert n[-1] > 64
    assert not found.high_open


def test_refinement_stops_at_the_ends():
    n = np.array([16, 32])
    above, below = bound(32.0, 1), bound(16.0, -1)
    assert next_sizes(n, above, 1.1, 100) == (64,)
    assert next_sizes(n, above, 1.1, 50) == (50,)
    assert next_sizes(n, above, 1.1, 32) == ()
    assert next_sizes(n, below, 1.1, 100) == ()
    assert next_sizes([2, 3], bound(2.5, 0), 1.1, 100) == ()  # no whole number between
    assert next_sizes([16, 32, 36], bound(36, 1), 1.1, 100) == (72,)  # and not by 9 / 8, after the end was refined


NAN = np.where(np.arange(26).reshape(2, 13) == 17, np.nan, 0.5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: crossing(KEY, GRID, NAN, 0.2), "1 losses are not finite, the first at n = 64 of trial 1"),
        (lambda: meets(GRID, NAN[1], 0.2), "1 losses are not finite, the first at n = 64; a curve"),
        (
            lambda: crossing(KEY, GRID, curves(99.0, 1), 0.2),
            "a band takes losses (trials, sizes) of two trials or more",
        ),
        (lambda: crossing(KEY, [8], [[1.0], [2.0]], 0.2), "sample sizes have to be two or more"),
        (lambda: meets([8, 8], [1.0, 0.0], 0.2), "sample sizes have to be two or more, above zero and rising"),
        (lambda: meets([8, 9], [1.0], 0.2), "there are 2 sample sizes and losses of shape (1,)"),
        (lambda: meets([8, 9], [1.0, 0.0], np.nan), "the target has to be finite, got nan"),
        (lambda: next_sizes([8, 9], bound(8.5, 0), 1.0, 9), "widest is a ratio of sizes above 1, got 1.0"),
        (lambda: slope([2, 2], [bound(8.0, 0)] * 2), "a slope takes two different points or more"),
        (
            lambda: ratio(bound(8.0, 0), crossing(KEY, GRID, curves(99.0), 0.2)),
            "crossings have 9 and 1000 replicates; make all with one resamples",
        ),
    ],
)
def test_bad_input(call, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        call()
