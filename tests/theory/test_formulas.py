"""The formulas behind the claims, against closed forms, published series and independent computations."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory import augmentation, inductive_bias, mei_misiakiewicz_montanari, tahmasebi_jegelka
from theory.elesedy_zaidi import predict_gap, shift_projector, simulate_gap
from theory.provenance import provenance

# --- Elesedy and Zaidi ---------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "expected"), [(30, 0.2882), (20, 0.700)])
def test_gap_above(n, expected):
    assert predict_gap(n, 12, 10, sigma_x=1.3, sigma_xi=0.7) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("d", "n", "expected", "theta_squared"), [(12, 5, 0.938, 1.868), (20, 8, 0.795, 1.357)])
def test_gap_below(d, n, expected, theta_squared):
    """The reference values were computed for two different targets, whose lengths follow from them."""
    gap = predict_gap(n, d, d - 2, sigma_x=1.3, sigma_xi=0.7, theta_squared=theta_squared)
    assert gap == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("d", [5, 12])
def test_gap_of_one_sample(d):
    """One sample x is fitted by ``w = x y / |x|^2``: the gap's parts are moments of a uniform direction."""
    a, sigma_x, sigma_xi, theta_squared = d - 2, 1.3, 0.7, 2.5
    target = sigma_x**2 * theta_squared * a / (d * (d + 2))
    noise = sigma_xi**2 * a / (d * (d - 2))
    assert predict_gap(1, d, a, sigma_x, sigma_xi, theta_squared) == pytest.approx(target + noise)


def test_gap_is_infinite_where_it_has_no_mean():
    gap = predict_gap(np.arange(15), 12, 10)
    assert np.isinf(gap).tolist() == [n in (11, 12, 13) for n in range(15)]
    assert gap[0] == 0
    noiseless = predict_gap(np.arange(15), 12, 10, sigma_xi=0.0)
    assert np.isfinite(noiseless).all()
    assert (noiseless[12:] == 0).all()
    assert (predict_gap(np.arange(15), 12, 0) == 0).all()


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5])
def test_shift_projector(stride):
    d = 12
    shifts = [np.roll(np.eye(d), k * stride, axis=0) for k in range(d)]
    np.testing.assert_allclose(shift_projector(d, stride), np.mean(shifts, axis=0), atol=1e-15)


@pytest.mark.parametrize("n", [0, 3, 11, 12, 13, 20])
def test_simulated_gap_is_that_of_numpy(n):
    """The same draws, fitted by ``numpy.linalg.lstsq``; near n = d too, where an eigenvalue is small but no zero."""
    d, n_max, trials, sigma_x, sigma_xi, key = 12, 20, 200, 1.3, 0.7, jax.random.key(3)
    q = shift_projector(d, 2)
    gaps = np.asarray(simulate_gap(key, n, d, n_max, trials, q, sigma_x, sigma_xi))
    shape = (trials, n_max + 1, d + 1)
    draws = np.asarray(jax.random.normal(jax.random.clone(key), (math.prod(shape),))).reshape(shape)
    for draw, gap in zip(draws, gaps):
        theta = q @ draw[0, :d]
        theta /= np.linalg.norm(theta)
        x = sigma_x * draw[1 : n + 1, :d]
        y = x @ theta + sigma_xi * draw[1 : n + 1, d]
        w = np.linalg.lstsq(x, y, rcond=None)[0] if n else np.zeros(d)
        assert gap == pytest.approx(sigma_x**2 * np.sum((w - q @ w) ** 2), rel=1e-6, abs=1e-12)


def test_simulated_gap_is_nested_and_traceable():
    q, key = shift_projector(8, 2), jax.random.key(0)
    few = simulate_gap(key, 5, 8, 10, 30, q)
    many = simulate_gap(jax.random.clone(key), 5, 8, 10, 100, q)
    np.testing.assert_allclose(few, many[:30], rtol=1e-12)
    sizes = jnp.array([2, 5])
    both = jax.lax.map(lambda n: simulate_gap(jax.random.clone(key), n, 8, 10, 30, q), sizes)
    np.testing.assert_allclose(both[1], few, rtol=1e-12)


def test_simulated_gap_without_noise_is_zero_from_n_equal_d():
    q = shift_projector(8, 2)
    for n in (8, 9, 10):
        assert np.abs(simulate_gap(jax.random.key(1), n, 8, 10, 50, q, sigma_xi=0.0)).max() < 1e-12


def test_simulate_gap_refuses():
    q = shift_projector(8, 2)
    with pytest.raises(ValueError, match=r"projector of shape \(12, 12\), got \(8, 8\)"):
        simulate_gap(jax.random.key(0), 5, 12, 10, 3, q)
    with pytest.raises(ValueError, match="between 0 and n_max = 10, got 11"):
        simulate_gap(jax.random.key(0), 11, 8, 10, 3, q)


# --- Mei, Misiakiewicz, Montanari ------------------------------------------------------------------


def test_necklaces():
    """Binary necklaces of length d, over all degrees (OEIS A000031)."""
    counts = [sum(mei_misiakiewicz_montanari.predict_degeneracy(d, l) for l in range(d + 1)) for d in range(1, 13)]
    assert counts == [2, 3, 4, 6, 8, 14, 20, 36, 60, 108, 188, 352]


@pytest.mark.parametrize("learner", ["plain", "invariant"])
def test_interpolation_error_is_linear_in_the_samples(learner):
    """``E error = 1 - n / p``; five standard errors, or the small share of samples with dependent features."""
    d, trials = 17, 300 if learner == "invariant" else 30
    sizes, errors = mei_misiakiewicz_montanari.interpolation_errors(np.random.default_rng(0), learner, d, trials)
    p = d * (d - 1) // 2 // (d if learner == "invariant" else 1)
    standard = errors.std(axis=0, ddof=1) / trials**0.5
    assert (np.abs(errors.mean(axis=0) - (1 - sizes / p)) < 5 * standard + 0.01).all()


def test_augmentation_needs_the_larger_ridge():
    """The identity with ridge lambda instead of |G| lambda is wrong by far more than its budget."""
    from theory.catalogue import CLAIMS
    from theory.claim import key_of, weigh

    claim = CLAIMS["augmentation_is_invariant_kernel"]
    key = key_of(claim.name)
    evidence = augmentation._by_augmentation(key, augmentation._kernel, ridge=augmentation._RIDGE)
    verdict = weigh(claim, claim.predict(key), evidence)
    assert verdict.measured > 1e6 * claim.budget


def test_the_kernel_identity_for_output_symmetrisation():
    """Averaging the function over the group is averaging its cross kernel."""
    draw = np.random.default_rng(0)
    x, test = augmentation._signs(draw, 10), augmentation._signs(draw, 5)
    y = draw.standard_normal(10)
    gram = augmentation._kernel(x, x)
    by_kernel = augmentation.kernel_ridge(
        gram, y, 0.1, augmentation.invariant(augmentation._kernel, augmentation._SHIFTS)(test, x)
    )
    moved = [
        augmentation.kernel_ridge(gram, y, 0.1, augmentation._kernel(test[:, row], x)) for row in augmentation._SHIFTS
    ]
    np.testing.assert_allclose(by_kernel, np.mean(moved, axis=0), rtol=1e-12)


# --- Tahmasebi, Jegelka ----------------------------------------------------------------------------


def series(numerator, factors, length):
    """Coefficients of ``sum t^numerator / prod (1 - t^factor)``."""
    coefficients = np.zeros(length)
    coefficients[list(numerator)] = 1
    for factor in factors:
        for k in range(factor, length):
            coefficients[k] += coefficients[k - factor]
    return coefficients


@pytest.mark.parametrize(
    ("solid", "numerator", "factors"),
    [("tetrahedral", (0, 6), (3, 4)), ("octahedral", (0, 9), (4, 6)), ("icosahedral", (0, 15), (6, 10))],
)
def test_molien_series(solid, numerator, factors):
    """The generating functions of invariant harmonics, ``(1 + t^6) / ((1 - t^3)(1 - t^4))`` and so on."""
    degrees = np.arange(61)
    found = tahmasebi_jegelka.predict_invariants(tahmasebi_jegelka.solid(solid), degrees)
    np.testing.assert_allclose(found, series(numerator, factors, 61), atol=1e-11)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_axial_counts(order):
    degrees = np.arange(12)
    expected = 2 * (degrees // order) + 1
    np.testing.assert_allclose(
        tahmasebi_jegelka.predict_invariants(tahmasebi_jegelka.axial(order), degrees), expected, atol=1e-12
    )
    np.testing.assert_array_equal(tahmasebi_jegelka.count_invariants(tahmasebi_jegelka.axial(order), degrees), expected)


@pytest.mark.parametrize(
    ("order", "ratios"), [(2, (1.0083, 1.0004, 1.00001)), (3, (1.0165, 1.0, 1.00001)), (5, (1.033, 1.0015, 1.00002))]
)
def test_gain_of_axial_groups(order, ratios):
    cutoffs = np.array([10, 50, 400])
    invariants = np.cumsum(2 * (np.arange(401) // order) + 1)[cutoffs]
    excess = order * invariants / (cutoffs + 1) ** 2 - 1
    np.testing.assert_allclose(1 + excess, ratios, atol=6e-5)
    angles = 2 * np.pi * np.arange(1, order) / order
    exact = np.sum(np.sin((cutoffs[:, None] + 1) * angles / 2) ** 2 / np.sin(angles / 2) ** 2, axis=1)
    np.testing.assert_allclose(excess, exact / (cutoffs + 1) ** 2, atol=1e-12)
    bound = tahmasebi_jegelka.predict_excess_bound(tahmasebi_jegelka.axial(order), cutoffs)
    np.testing.assert_allclose(bound, (order**2 - 1) / 3 / (cutoffs + 1) ** 2, rtol=1e-12)


def test_averaging_over_no_group_is_noticed():
    rotations = tahmasebi_jegelka.axial(3)[:2]
    degrees = np.arange(5)
    counts = tahmasebi_jegelka.count_invariants(rotations, degrees)
    assert (counts != tahmasebi_jegelka.predict_invariants(rotations, degrees)).any()


# --- Li, Zhang, Arora; Wang, Wu ----------------------------------------------------------------------


def test_quadratic_features_give_the_kernel():
    x = np.random.default_rng(0).standard_normal((5, 6))
    features = inductive_bias._features("fully connected", x)
    np.testing.assert_allclose(features @ features.T, (x @ x.T) ** 2, rtol=1e-12)


def test_the_features_have_one_variance_and_know_the_truth():
    """Variance 2 and no correlation, to five standard errors of a fourth moment; the truth is the label's form."""
    x = np.random.default_rng(1).standard_normal((40000, 6))
    form = np.sum(x[:, :3] ** 2 - x[:, 3:] ** 2, axis=1)
    for learner in inductive_bias.LEARNERS:
        features = inductive_bias._features(learner, x)
        covariance = np.cov(features.T)
        assert np.abs(covariance - 2 * np.eye(len(covariance))).max() < 5 * 60**0.5 / 200
        learned = features @ inductive_bias._truth(learner, 3)
        np.testing.assert_allclose(learned / learned.std(), form / form.std(), rtol=1e-9, atol=1e-12)


def test_a_rotation_does_not_change_the_fully_connected_learner():
    """The learner on rotated samples is the rotated learner: its kernel sees inner products only."""
    draw = np.random.default_rng(2)
    x, test = draw.standard_normal((30, 6)), draw.standard_normal((10, 6))
    y, u = draw.standard_normal(30), np.linalg.qr(draw.standard_normal((6, 6)))[0]

    def predictions(x, test):
        f, g = (inductive_bias._features("fully connected", z) for z in (x, test))
        return g @ np.linalg.solve(f.T @ f + np.eye(f.shape[1]), f.T @ y)

    np.testing.assert_allclose(predictions(x @ u, test @ u), predictions(x, test), rtol=1e-8)


# --- provenance ------------------------------------------------------------------------------------


def test_provenance():
    found = provenance()
    assert len(found["git_commit"]) in (0, 40)
    assert isinstance(found["git_dirty"], bool)
    assert "float64" in found["precision"]
    assert '"jax"' in found["versions"]
