"""One formula against what is known exactly and against draws; claims on made-up curves that have or miss their law."""

import numpy as np
import pytest
import xarray as xr

from theory.claim import judge
from theory.elesedy_zaidi import predict_gap
from theory.mei_misiakiewicz_montanari import interpolation_errors
from theory.risk_gain import (
    CLAIMS,
    predict_circle,
    predict_degrees,
    predict_halves,
    predict_least_squares,
    predict_n_star,
    predict_risk,
    predict_shifts,
)

# --- the formula ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_equal_eigenvalues_without_ridge_and_noise(share):
    assert predict_risk(share * 200, np.ones(1), np.array([200]), np.ones(1)) == pytest.approx(1 - share, rel=1e-9)


@pytest.mark.parametrize("eigenvalue", [1e-6, 1.0, 1e6])
def test_units_of_the_kernel_do_not_matter(eigenvalue):
    values, counts, power, n = (
        np.array([1.0, 0.1, 0.01]),
        np.array([1, 10, 100]),
        np.array([0.5, 0.3, 0.2]),
        [5, 50, 500],
    )
    found = predict_risk(n, eigenvalue * values, counts, power, ridge=eigenvalue * 0.3, noise=0.5)
    np.testing.assert_allclose(found, predict_risk(n, values, counts, power, ridge=0.3, noise=0.5), rtol=1e-9)


@pytest.mark.parametrize("ridge", [1.0, 40.0])
@pytest.mark.parametrize("kept", [1.0, 0.25])
def test_against_drawn_ridge_regressions(ridge, kept):
    """Normal features of two variances, noise, and a mean of the fit that keeps a share of what is no target."""
    draw, p, n, noise, trials = np.random.default_rng(0), 120, 150, 0.7, 400
    deviations = np.repeat([1.0, 0.3], p // 2)
    truth = np.zeros(p)
    truth[0], truth[p // 2] = 0.8, 0.6
    mask = np.zeros(p, bool)
    mask[: round(kept * p // 2)] = mask[p // 2 : p // 2 + round(kept * p // 2)] = True
    errors = []
    for _ in range(trials):
        z = draw.standard_normal((n, p))
        y = z @ truth + noise * draw.standard_normal(n)
        f = z * deviations
        fit = deviations * np.linalg.solve(f.T @ f + ridge * np.eye(p), f.T @ y)
        errors.append(np.sum((np.where(mask, fit, 0) - truth) ** 2))
    predicted = predict_risk(
        n, np.array([1.0, 0.09]), np.full(2, p / 2), np.array([0.64, 0.36]), ridge=ridge, noise=noise, kept=kept
    )
    error = np.std(errors) / np.sqrt(trials)
    assert error < 0.02 * predicted
    assert abs(np.mean(errors) - predicted) < 5 * error + predicted / n


@pytest.mark.parametrize("n", [3, 20, 40])
@pytest.mark.parametrize("learner", ["plain", "averaged", "invariant"])
def test_least_squares_against_draws(learner, n):
    """Both sides of the spike; the labels' noise is drawn, too."""
    draw, d, v, noise, trials = np.random.default_rng(1), 12, 3, 0.6, 4000
    basis = np.kron(np.ones((d // v, 1)), np.eye(v)) * np.sqrt(v / d)
    theta = basis @ np.full(v, v**-0.5)
    x = draw.standard_normal((trials, n, d))
    y = x @ theta + noise * draw.standard_normal((trials, n))
    used = x @ basis if learner == "invariant" else x
    if n in (used.shape[-1] - 1, used.shape[-1], used.shape[-1] + 1):
        assert predict_least_squares(learner, n, d, v, noise) == np.inf
        return
    fit = np.squeeze(np.linalg.pinv(used) @ y[..., None], -1)
    fit = fit @ basis.T if learner == "invariant" else fit
    fit = fit @ basis @ basis.T if learner == "averaged" else fit
    errors = np.sum((fit - theta) ** 2, axis=-1)
    error = errors.std() / np.sqrt(trials)
    assert abs(errors.mean() - predict_least_squares(learner, n, d, v, noise)) < 5 * error


def test_averaging_gains_what_elesedy_and_zaidi_say():
    n, d, v = np.array([2, 5, 20, 50]), 12, 3
    plain, averaged = (predict_least_squares(name, n, d, v, 0.5) for name in ("plain", "averaged"))
    np.testing.assert_allclose(plain - averaged, predict_gap(n, d, d - v, 1.0, 0.5), rtol=1e-12)


@pytest.mark.parametrize("learner", ["plain", "symmetrised", "invariant"])
def test_shifts_against_drawn_interpolations(learner):
    d, trials = 17, 300
    n, errors = interpolation_errors(np.random.default_rng(2), learner, d, trials)
    error = errors.std(axis=0) / np.sqrt(trials)
    predicted = predict_shifts("averaged" if learner == "symmetrised" else learner, n, d)
    assert (abs(errors.mean(axis=0) - predicted) < 5 * error + 0.01).all()


def test_degrees_are_learned_one_after_the_other():
    """Standard kernel near n = d^l, invariant kernel a power of d before; the quadratic one of the paper card."""
    for degree in (1, 2, 3):
        plain, invariant = (
            predict_n_star(lambda n, name=name, l=degree: predict_degrees(name, n, 60, l), 0.3)
            for name in ("plain", "invariant")
        )
        assert 0.4 * 60 < plain / invariant < 60
    card = {8: 42, 12: 85, 16: 145, 24: 302}
    for d, known in card.items():
        assert predict_n_star(lambda n, d=d: predict_degrees("plain", n, d, 2), 0.3) == pytest.approx(known, rel=0.12)


@pytest.mark.parametrize("m", [2, 4, 8])
def test_a_sample_is_worth_m_on_the_circle(m):
    n = np.array([60.0, 100.0, 200.0])
    law = 64, 2.0, 1e-6, 0.5
    np.testing.assert_allclose(predict_circle(n / m, m, *law), predict_circle(n, 1, *law), rtol=5e-3)
    broken = predict_circle(n / m, m, *law, 0.02), predict_circle(n, 1, *law, 0.02)
    assert (broken[0] > broken[1] + 0.015).all()


def test_three_samples_for_each_product():
    for d in (8, 30):
        n = [
            predict_n_star(lambda n, d=d, name=name: predict_halves(name, n, d), 0.15) for name in ("plain", "partial")
        ]
        np.testing.assert_allclose(n, [2.994 * d * (2 * d + 1), 2.994 * 2 * d], rtol=1e-3)


def test_a_target_out_of_reach():
    with pytest.raises(ValueError, match=r"the loss goes from 1 to 0\.25 and never is 0\.2; give a target between"):
        predict_n_star(lambda n: 1 / n, 0.2, most=4)


# --- the claims -------------------------------------------------------------------------------------------------------


def results(laws, trials=8, seed=0):
    """Curves ``target * n_star / n`` with noise; ``laws`` gives n* of ``task learner``, and the x of the task."""
    draw, cells = np.random.default_rng(seed), {}
    for name, (law, sizes) in laws.items():
        for x in sizes:
            n = np.unique(np.geomspace(law(x) / 3, 3 * law(x), 40).round(2))
            noise = np.exp(0.01 * draw.standard_normal((trials, 1)))
            cells[f"{name} {x}"] = n, 0.1 * law(x) * noise / n, law(x)
    return xr.Dataset(
        {
            "sizes": (("cell", "step"), np.stack([n for n, _, _ in cells.values()])),
            "losses": (("cell", "trial", "step"), np.stack([losses for _, losses, _ in cells.values()])),
            "predicted": (("cell",), [formula for *_, formula in cells.values()]),
            "target": (("cell",), np.full(len(cells), 0.1)),
        },
        coords={"cell": list(cells)},
    )


D, HALVES, WIDE, PRIMES, ORDERS = (8, 16), (12, 16, 20), (12, 16, 20, 32, 64), (13, 19), (1, 2, 8)
LAWS = {
    "linear plain": (lambda d: 11 * d, D),
    "linear averaged": (lambda d: d + 41, D),
    "linear invariant": (lambda d: 45, D),
    "linear_broken averaged": (lambda d: d + 81, D),
    "linear_broken invariant": (lambda d: 90, D),
    "halves plain": (lambda d: 3 * d * (2 * d + 1), HALVES),
    "halves partial": (lambda d: 6 * d, WIDE),
    "halves invariant": (lambda d: 5, WIDE),
    "shifts plain": (lambda d: 0.35 * d * (d - 1), PRIMES),
    "shifts averaged": (lambda d: 0.22 * d * (d - 1), PRIMES),
    "shifts invariant": (lambda d: 0.35 * (d - 1), PRIMES),
    "circle invariant": (lambda m: 320 / m, ORDERS),
    "circle_broken invariant": (lambda m: 320 if m == 1 else 640 / m, ORDERS),
}
WRONG = {
    "least_squares_samples": "linear averaged",
    "fully_connected_samples": "halves plain",
    "locally_connected_slope": "halves partial",
    "convolutional_slope": "halves invariant",
    "invariant_kernel_divides_samples": "shifts invariant",
    "shifts_divide_samples_on_circle": "circle invariant",
}
"""Claim -> whose n* it is about."""
each_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)


@each_claim
def test_holds_on_curves_of_the_law(claim):
    judgement = judge(claim, results(LAWS))
    assert judgement.passed, (judgement.verdict.sentence, judgement.refutation.sentence)


@each_claim
def test_fails_on_curves_of_another_law(claim):
    """n* grows by one more power of the fourth root of the size."""
    name = WRONG[claim.name]
    law, sizes = LAWS[name]
    data = results(LAWS | {name: (lambda x: law(x) * (1 + x) ** 0.25, sizes)})
    data["predicted"] = results(LAWS)["predicted"]
    judgement = judge(claim, data)
    assert judgement.verdict.sound
    assert not judgement.verdict.holds


@each_claim
def test_is_open_on_too_little(claim):
    few = results(LAWS, trials=3)
    assert judge(claim, few).open
    task = WRONG[claim.name].split()[0]
    one = {name: (law, sizes[:1] if name.startswith(task) else sizes) for name, (law, sizes) in LAWS.items()}
    assert judge(claim, results(one)).open


@each_claim
def test_bounds_leave_it_open(claim):
    """A target above or below all losses."""
    for target in (1e-3, 1e3):
        data = results(LAWS)
        data["target"] = data["target"] * 0 + target
        assert judge(claim, data).open
