"""Ridge regression against scikit-learn and refits, the ball of two norms against scipy and its own certificates."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.optimize import linprog, minimize
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from equiv.layers.ridge import (
    best_ridge,
    constrained_erm,
    dual_ridge,
    primal_ridge,
    project,
    smallest_ridge,
)

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["float32", "float64"])
N, WIDTH, RIDGE = 20, 7, 0.3


def samples(n=N, f=WIDTH, columns=2, seed=0):
    draw = np.random.default_rng(seed)
    return draw.standard_normal((n, f)), draw.standard_normal((n, columns))


def smooth_kernel(n=N, seed=0):
    """Eigenvalues from 10 to 1e-13: a float32 knows a few of them."""
    x = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    return np.exp(-((x[:, None] - x[None]) ** 2).sum(-1)), np.stack([x[:, 0] ** 3, np.sin(3 * x[:, 1])], axis=1)


def refitted(gram, y, ridge):
    """Residual at each sample of the fit without it, one fit a sample."""
    found = []
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        fit = KernelRidge(alpha=ridge, kernel="precomputed").fit(gram[np.ix_(rest, rest)], y[rest])
        found.append(y[i] - fit.predict(gram[i : i + 1, rest])[0])
    return np.array(found)


def close(found, expected, units, dtype):
    """Off by so many eps of the largest expected number."""
    assert found.dtype == dtype
    assert np.isfinite(expected).all()
    error = np.max(np.abs(np.asarray(found, np.float64) - expected)) / np.max(np.abs(expected))
    assert error <= units * float(jnp.finfo(dtype).eps), error


# --- ridge ------------------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("ridge", [1e-3, RIDGE, 30.0])
def test_the_convention_is_that_of_scikit_learn(dtype, ridge):
    gram, y = (np.asarray(jnp.asarray(part, dtype), np.float64) for part in smooth_kernel())
    fit = dual_ridge(jnp.asarray(gram, dtype), jnp.asarray(y, dtype), ridge)
    expected = KernelRidge(alpha=ridge, kernel="precomputed").fit(gram, y)
    budget = 4 if dtype == jnp.float32 else 10 / ridge + 10
    close(fit.coefficients, expected.dual_coef_, budget, dtype)
    close(fit.leave_one_out, refitted(gram, y, ridge), budget, dtype)
    close(fit.ridge, np.float64(ridge), 1, dtype)


@DTYPES
def test_features_as_scikit_learn(dtype):
    x, y = (np.asarray(jnp.asarray(part, dtype), np.float64) for part in samples())
    fit = primal_ridge(jnp.asarray(x, dtype), jnp.asarray(y, dtype), RIDGE)
    close(fit.weights, Ridge(alpha=RIDGE, fit_intercept=False, solver="svd").fit(x, y).coef_.T, 20, dtype)
    close(fit.leave_one_out, refitted(x @ x.T, y, RIDGE), 50, dtype)


def test_residuals_of_a_system_at_the_edge():
    """Against 60 digits: of the 16, as many are lost as the condition number has."""
    gram, y = smooth_kernel(30)
    mpmath.mp.dps = 60
    inverse = (mpmath.matrix(gram.tolist()) + mpmath.eye(30) * mpmath.mpf(1e-9)) ** -1
    for column, found in zip(y.T, np.asarray(dual_ridge(jnp.asarray(gram), jnp.asarray(y), 1e-9).leave_one_out).T):
        coefficients = inverse * mpmath.matrix(column.tolist())
        expected = np.array([float(coefficients[i] / inverse[i, i]) for i in range(30)])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_a_wrong_denominator_is_caught():
    """Coefficients over the diagonal of K + ridge * I, or of the hat matrix: neither is the fit without the sample."""
    gram, y = smooth_kernel()
    expected = refitted(gram, y, RIDGE)
    fit = dual_ridge(jnp.asarray(gram), jnp.asarray(y), RIDGE)
    system = gram + RIDGE * np.eye(N)
    right = np.abs(fit.leave_one_out - expected).max()
    for diagonal in (np.diag(system), np.diag(gram @ np.linalg.inv(system))):
        assert np.abs(fit.coefficients / diagonal[:, None] - expected).max() > 1e10 * right


@DTYPES
@pytest.mark.parametrize("n", [WIDTH - 3, WIDTH, WIDTH + 1, N], ids="n={}".format)
def test_primal_is_dual(dtype, n):
    """Also in float32 to 4 units: both are solved in float64."""
    x, y = (jnp.asarray(part, dtype) for part in samples(n))
    with jax.enable_x64(True):
        gram = x.astype(jnp.float64) @ x.T.astype(jnp.float64)
    present = jnp.arange(n) % 4 != 1
    for mask in (None, present):
        primal, dual = primal_ridge(x, y, RIDGE, mask), dual_ridge(gram, y, RIDGE, mask)
        weights = np.asarray(x, np.float64).T @ np.asarray(dual.coefficients)
        units = 4 if dtype == jnp.float32 else 100
        close(primal.weights, weights, units, dtype)
        close(primal.leave_one_out, np.asarray(dual.leave_one_out), units, dtype)


def test_one_column_is_a_column_of_many():
    gram, y = (jnp.asarray(part) for part in smooth_kernel())
    both = dual_ridge(gram, y, RIDGE)
    one = dual_ridge(gram, y[:, 1], RIDGE)
    block = dual_ridge(gram, y[:, :, None], RIDGE)
    assert one.coefficients.shape == (N,)
    assert block.leave_one_out.shape == (N, 2, 1)
    np.testing.assert_allclose(one.leave_one_out, both.leave_one_out[:, 1], rtol=1e-12)
    np.testing.assert_allclose(block.coefficients[..., 0], both.coefficients, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 6, N])
def test_a_mask_is_a_prefix(n):
    """Whatever stands in the rows that are absent, NaN too."""
    gram, y = smooth_kernel()
    x, _ = samples()
    present = np.arange(N) < n
    both = present[:, None] & present[None]
    fits = [dual_ridge(jnp.asarray(gram[:n, :n]), jnp.asarray(y[:n]), RIDGE)]
    fits += [primal_ridge(jnp.asarray(x[:n]), jnp.asarray(y[:n]), RIDGE)]
    y = jnp.asarray(np.where(present[:, None], y, np.nan))
    masked = [dual_ridge(jnp.asarray(np.where(both, gram, np.nan)), y, RIDGE, jnp.asarray(present))]
    masked += [primal_ridge(jnp.asarray(np.where(present[:, None], x, np.nan)), y, RIDGE, jnp.asarray(present))]
    np.testing.assert_allclose(masked[0].coefficients[:n], fits[0].coefficients, rtol=0, atol=1e-13)
    np.testing.assert_allclose(masked[1].weights, fits[1].weights, rtol=0, atol=1e-13)
    for whole, prefix in zip(masked, fits):
        np.testing.assert_allclose(whole.leave_one_out[:n], prefix.leave_one_out, rtol=0, atol=1e-13)
        assert not np.any(whole.leave_one_out[n:])
    assert not np.any(masked[0].coefficients[n:])


def test_one_program_over_ridges_masks_and_trials():
    gram, y = zip(*(smooth_kernel(seed=seed) for seed in (0, 1)))
    gram, y = jnp.asarray(np.stack(gram)), jnp.asarray(np.stack(y))
    ridges, sizes = jnp.asarray([1e-2, 1.0]), jnp.asarray([8, N])
    masks = jnp.arange(N)[None] < sizes[:, None]
    over_ridges = jax.vmap(dual_ridge, (None, None, 0, None))
    over_masks = jax.vmap(over_ridges, (None, None, None, 0))
    found = jax.jit(jax.vmap(over_masks, (0, 0, None, None)))(gram, y, ridges, masks)
    assert found.leave_one_out.shape == (2, 2, 2, N, 2)
    for i, j, k in np.ndindex(2, 2, 2):
        n = int(sizes[j])
        one = dual_ridge(gram[i, :n, :n], y[i, :n], float(ridges[k]))
        np.testing.assert_allclose(found.leave_one_out[i, j, k, :n], one.leave_one_out, rtol=0, atol=1e-11)


def test_the_derivative_by_the_ridge():
    gram, y = (jnp.asarray(part) for part in smooth_kernel())
    error = jax.jit(lambda ridge: jnp.mean(dual_ridge(gram, y, ridge).leave_one_out ** 2))
    step = 1e-5
    expected = (error(RIDGE + step) - error(RIDGE - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(error)(RIDGE), expected, rtol=1e-8)


@DTYPES
def test_each_column_has_its_best_ridge(dtype):
    gram, y = smooth_kernel()
    y = np.concatenate([y, np.random.default_rng(3).standard_normal((N, 1))], axis=1)  # a column of noise
    ridges = np.array([0.0, 1e-8, 1e-4, 1e-2, 1.0, 100.0])
    gram, y = (np.asarray(jnp.asarray(part, dtype), np.float64) for part in (gram, y))
    found = best_ridge(jnp.asarray(gram, dtype), jnp.asarray(y, dtype), jnp.asarray(ridges, dtype))
    works = ridges[ridges >= float(smallest_ridge(jnp.asarray(gram)))]
    errors = np.array([(refitted(gram, y, ridge) ** 2).mean(axis=0) for ridge in works])
    np.testing.assert_allclose(found.ridge, works[errors.argmin(axis=0)], rtol=1e-6)
    assert len(set(found.ridge.tolist())) > 1
    for column, ridge in enumerate(found.ridge):
        one = dual_ridge(jnp.asarray(gram, dtype), jnp.asarray(y[:, column], dtype), ridge)
        np.testing.assert_array_equal(one.ridge, ridge)
        tolerance = 2e4 * float(jnp.finfo(dtype).eps)  # the ridge given in float32 is not that of the grid
        np.testing.assert_allclose(found.leave_one_out[:, column], one.leave_one_out, rtol=0, atol=tolerance)


# --- what cannot be solved --------------------------------------------------------------------------------------------


def singular(kind):
    x, _ = samples(12, 12)
    x = np.concatenate([x, x[:1]])
    if kind == "duplicate":
        return x @ x.T
    if kind == "smooth":
        return smooth_kernel(13)[0] ** 1e-5  # of a kernel 300 times as wide
    return np.asarray(np.asarray(x, np.float32) @ np.asarray(x, np.float32).T, np.float64)


@pytest.mark.parametrize("kind", ["duplicate", "smooth", "computed in float32"])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6], ids="{:g}".format)
def test_the_smallest_ridge_works_and_much_less_does_not(kind, size):
    gram = jnp.asarray(size * singular(kind))
    y = jnp.ones(len(gram))
    smallest = float(smallest_ridge(gram))
    assert 0 < smallest < 1e-5 * float(jnp.trace(gram))
    assert np.isfinite(dual_ridge(gram, y, smallest).leave_one_out).all()
    with pytest.raises(
        ValueError, match=r"singular to float64 precision at ridge = 0; the smallest ridge that works is"
    ):
        dual_ridge(gram, y, 0.0)
    fits = jax.vmap(lambda ridge: dual_ridge(gram, y, ridge))(jnp.asarray([0.0, -1.0, np.nan, smallest]))
    for part in (fits.coefficients, fits.leave_one_out):
        assert np.isnan(part[:3]).all()
        assert np.isfinite(part[3]).all()


def test_the_ridge_that_is_named_works():
    gram = jnp.asarray(singular("duplicate"))
    with pytest.raises(ValueError, match="that works is") as caught:
        dual_ridge(gram, jnp.ones(len(gram)), 0.0)
    named = float(str(caught.value).split()[-1])
    assert np.isfinite(dual_ridge(gram, jnp.ones(len(gram)), named).coefficients).all()
    x = jnp.ones((N, 2))
    with pytest.raises(ValueError, match="primal_ridge is singular") as caught:
        primal_ridge(x, jnp.ones(N), 0.0)
    assert np.isfinite(primal_ridge(x, jnp.ones(N), float(str(caught.value).split()[-1])).weights).all()


def test_a_sample_that_is_needed_has_no_residual():
    x = np.eye(3)[[0, 0, 1, 1, 2]]
    found = primal_ridge(jnp.asarray(x), jnp.arange(5.0), 0.0)
    assert np.isnan(found.leave_one_out).tolist() == [False] * 4 + [True]
    np.testing.assert_allclose(found.weights, [0.5, 2.5, 4.0], rtol=1e-14)


@pytest.mark.parametrize("where", ["gram", "y"])
def test_nan_never_passes(where):
    gram, y = smooth_kernel()
    x, _ = samples()
    if where == "gram":
        gram[3, 4] = x[3, 4] = np.nan
    else:
        y[3] = np.nan
    gram, x, y = jnp.asarray(gram), jnp.asarray(x), jnp.asarray(y)
    ridges = jnp.asarray([0.1, 1.0])
    for fit in (dual_ridge(gram, y, RIDGE), primal_ridge(x, y, RIDGE), best_ridge(gram, y, ridges)):
        assert np.isnan(fit[0]).all()
        assert np.isnan(fit[1]).all()
    for bad in (-1.0, np.nan):
        assert np.isnan(jax.jit(best_ridge)(gram, y, jnp.asarray([0.1, bad])).ridge).all()
    assert where == "y" or np.isnan(smallest_ridge(gram))
    for bounds in ((-1.0, 1.0), (1.0, np.nan), (np.inf, 1.0)):
        assert np.isnan(jax.jit(project)(jnp.ones((3, 2)), *bounds)).all()
    assert np.isnan(project(jnp.ones((3, 2)).at[1, 0].set(np.nan), 1.0, 1.0)).all()


# --- the ball of two norms --------------------------------------------------------------------------------------------

BALLS = {  # of vectors whose lengths have sum 1 and squares of sum 1: which bound is reached
    "neither": (1.1, 1.1),
    "the sum": (0.4, 1.1),
    "the squares": (1.1, 0.3),
    "both": (0.6, 0.2),
    "one vector left": (0.1, 0.0101),
    "a point": (0.0, 1.0),
    "a point by squares": (1.0, 0.0),
}


def vectors(kind, m=6, q=2):
    v = np.random.default_rng(5).standard_normal((m, q))
    if kind == "one length":
        v /= np.linalg.norm(v, axis=1, keepdims=True)
    if kind == "with zeros":
        v[[0, 3]] = 0
    return v


def bounds(v, ball):
    lengths = np.linalg.norm(v, axis=1)
    return BALLS[ball][0] * lengths.sum(), BALLS[ball][1] * (lengths**2).sum()


PROJECT = jax.jit(project)


@DTYPES
@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("kind", ["any", "one length", "with zeros"])
def test_projection_keeps_the_conditions_of_the_least_distance(kind, ball, dtype):
    """w = v (|v| - t)_+ / ((1 + s) |v|), t and s at least 0, and 0 unless their bound is reached."""
    v = np.asarray(jnp.asarray(vectors(kind), dtype), np.float64)
    first, second = bounds(v, ball)
    w = PROJECT(jnp.asarray(v, dtype), first, second)
    assert w.dtype == dtype
    eps = 20 * float(jnp.finfo(dtype).eps)
    again = PROJECT(w, first, second)
    np.testing.assert_allclose(again, w, rtol=0, atol=eps)
    w = np.asarray(w, np.float64)
    u, x = np.linalg.norm(v, axis=1), np.linalg.norm(w, axis=1)
    assert x.sum() <= first + eps
    assert x @ x <= second + eps
    if ball == "neither":
        np.testing.assert_array_equal(w, v)
        return
    kept = x > 1e-3 * x.max() if x.max() > eps else np.zeros(6, bool)
    if kept.sum() < 2 or np.ptp(u[kept]) < eps:  # s and t are not told apart: all that is kept has one length
        assert kept.sum() == 0 or x[kept].sum() == pytest.approx(min(first, np.sqrt(second * kept.sum())), abs=eps)
        return
    slope, offset = np.polyfit(x[kept], u[kept], 1)  # u = (1 + s) x + t
    loose = 50 * eps
    np.testing.assert_allclose(u[kept], slope * x[kept] + offset, rtol=0, atol=loose)
    np.testing.assert_allclose(w * u[:, None], v * x[:, None], rtol=0, atol=loose)
    assert slope >= 1 - loose
    assert offset >= -loose
    assert np.all(u[~kept] <= offset + loose)
    assert slope <= 1 + loose or abs(x @ x - second) < loose
    assert offset <= loose or abs(x.sum() - first) < loose


@pytest.mark.parametrize("ball", ["the sum", "the squares", "both", "one vector left"])
def test_projection_as_scipy(ball):
    v = vectors("any")
    first, second = bounds(v, ball)
    lengths = np.linalg.norm(v, axis=1)
    constraints = [
        {"type": "ineq", "fun": lambda x: first - x.sum()},
        {"type": "ineq", "fun": lambda x: second - x @ x},
    ]
    best = minimize(
        lambda x: ((x - lengths) ** 2).sum() / 2,
        np.full(6, first / 12),
        jac=lambda x: x - lengths,
        bounds=[(0, None)] * 6,
        constraints=constraints,
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    found = np.linalg.norm(PROJECT(jnp.asarray(v), first, second), axis=1)
    np.testing.assert_allclose(found, best.x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("ball", ["neither", "the sum", "the squares", "both"])
@pytest.mark.parametrize("kind", ["any", "with zeros"])
def test_projection_has_its_derivative(ball, kind):
    v = vectors(kind)
    first, second = bounds(v, ball)
    v, along, step = jnp.asarray(v), jnp.asarray(np.random.default_rng(6).standard_normal(v.shape)), 1e-6
    if kind == "with zeros" and ball != "neither":  # a zero row may move where it is kept at zero
        along = jnp.where(jnp.linalg.norm(v, axis=1, keepdims=True) > 0, along, 0)
    found = jax.jvp(lambda v: PROJECT(v, first, second), (v,), (along,))[1]
    expected = (PROJECT(v + step * along, first, second) - PROJECT(v - step * along, first, second)) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)
    pulled = jax.vjp(lambda v: PROJECT(v, first, second), v)[1](along)[0]
    assert jnp.sum(pulled * along) == pytest.approx(float(jnp.sum(found * along)), abs=1e-12)


@pytest.mark.parametrize("ball", ["the sum", "both"])
def test_projection_from_far_away(ball):
    """From 1e20 times as far the bounds are kept to the last digit, though nothing of them is left in the lengths."""
    v = vectors("any")
    first, second = bounds(v, ball)
    lengths = np.linalg.norm(PROJECT(jnp.asarray(1e20 * v), first, second), axis=1)
    assert max(lengths.sum() / first, lengths @ lengths / second) == pytest.approx(1, rel=1e-14)


# --- least loss in the ball -------------------------------------------------------------------------------------------


def problem(n=30, m=4, q=2, seed=7):
    draw = np.random.default_rng(seed)
    features, angles = draw.standard_normal((n, m, q)), draw.uniform(0, 2 * np.pi, m)
    truth = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:, :q]
    return features, np.einsum("nmq,mq->n", features, truth) + 0.3 * draw.standard_t(2, n)


def mean_loss(kind, residual):
    size = np.abs(residual)
    return np.mean(size if kind == "absolute" else np.where(size < 1, size**2 / 2, size - 0.5))


def least_by_scipy(features, y, first, second, kind):
    """The absolute loss with one more variable a sample, which is not below the absolute value."""
    n, m, q = features.shape
    flat = features.reshape(n, -1)
    d, extra = m * q, n if kind == "absolute" else 0

    def ball(x):
        lengths = np.linalg.norm(x[:d].reshape(m, q), axis=1)
        return np.array([first - lengths.sum(), second - lengths @ lengths])

    constraints = [{"type": "ineq", "fun": ball}]
    if kind == "absolute":
        both = np.block([[-flat, np.eye(n)], [flat, np.eye(n)]])
        constraints.append({"type": "ineq", "fun": lambda x: both @ x + np.r_[y, -y], "jac": lambda x: both})
        objective = lambda x: x[d:].mean()
    else:
        objective = lambda x: mean_loss(kind, flat @ x - y)
    start = np.r_[np.linalg.lstsq(flat, y)[0] / 4, np.full(extra, np.abs(y).max() + 1)]
    best = minimize(objective, start, constraints=constraints, method="SLSQP", options={"ftol": 1e-13, "maxiter": 500})
    assert ball(best.x).min() > -1e-9
    return mean_loss(kind, flat @ best.x[:d] - y)


def certified(features, y, first, second, kind):
    """The fit, after its weights, loss and gap were looked at; its gap has to be small."""
    fit = constrained_erm(jnp.asarray(features), jnp.asarray(y), first, second, kind)
    lengths = np.linalg.norm(fit.weights, axis=1)
    assert lengths.sum() <= first * (1 + 1e-14)
    assert lengths @ lengths <= second * (1 + 1e-14)
    loss = mean_loss(kind, np.einsum("nmq,mq->n", features, fit.weights) - y)
    np.testing.assert_allclose(fit.loss, loss, rtol=1e-13)
    assert -1e-14 <= fit.gap <= (1e-3 if kind == "absolute" else 1e-10) * loss
    return fit


@pytest.mark.parametrize("kind", ["absolute", "huber"])
@pytest.mark.parametrize("ball", [(2.8, 4.0), (4.0, 1.2), (2.8, 2.0)], ids=["sum", "squares", "both"])
def test_least_loss_as_scipy(kind, ball):
    features, y = problem()
    fit = certified(features, y, *ball, kind)
    best = least_by_scipy(features, y, *ball, kind)
    assert fit.loss - fit.gap <= best + 1e-9  # the certificate is one
    assert best - 1e-9 <= fit.loss <= best + (1e-3 if kind == "absolute" else 1e-8) * best


def test_least_absolute_loss_as_a_linear_program():
    """Vectors of one number in a ball of their sum alone: most of them are 0."""
    features, y = problem(m=8, q=1)
    n, m, _ = features.shape
    flat, bound = features[:, :, 0], 1.5
    rows = np.block([[flat, -flat, -np.eye(n)], [-flat, flat, -np.eye(n)], [np.ones((1, 2 * m)), np.zeros((1, n))]])
    best = linprog(np.r_[np.zeros(2 * m), np.full(n, 1 / n)], A_ub=rows, b_ub=np.r_[y, -y, bound])
    fit = certified(features, y, bound, 100.0, "absolute")
    assert fit.loss - fit.gap <= best.fun + 1e-12 <= fit.loss + 2e-12
    np.testing.assert_allclose(fit.weights[:, 0], best.x[:m] - best.x[m : 2 * m], rtol=0, atol=1e-3)
    assert np.sum(np.abs(fit.weights) < 1e-6) >= 2


@DTYPES
def test_the_certificate_holds_before_the_end(dtype):
    """After a few steps the gap is wide, and what many steps reach is inside of it."""
    features, y = problem()
    features, y = jnp.asarray(features, dtype), jnp.asarray(y, dtype)
    many = constrained_erm(features, y, 2.0, 1.5)
    for n_steps in (10, 3):
        few = constrained_erm(features, y, 2.0, 1.5, n_steps=n_steps)
        assert few.weights.dtype == few.gap.dtype == dtype
        assert few.loss - few.gap <= many.loss
        assert few.loss > many.loss
    assert few.gap > 10 * many.gap


def test_any_convex_loss():
    """Half the squares in a ball that is not reached are least squares."""
    features, y = problem()
    fit = constrained_erm(jnp.asarray(features), jnp.asarray(y), 100.0, 1000.0, lambda r: 50 * r**2)
    expected = np.linalg.lstsq(features.reshape(len(y), -1), y)[0]
    np.testing.assert_allclose(fit.weights.reshape(-1), expected, rtol=0, atol=1e-7)
    assert fit.gap < 1e-6 * fit.loss


@pytest.mark.parametrize("loss", ["absolute", "huber"])
@pytest.mark.parametrize("where", ["features", "y", "bound"])
def test_nan_never_passes_the_certificate(loss, where):
    features, y = (jnp.asarray(part) for part in problem())
    if where == "features":
        features = features.at[3, 1, 0].set(np.nan)
    if where == "y":
        y = y.at[3].set(np.nan)
    bound = np.nan if where == "bound" else 1.0
    fit = jax.jit(constrained_erm, static_argnums=(4, 5))(features, y, bound, 1.0, loss, 5)
    assert all(np.isnan(part).all() for part in fit)


@pytest.mark.parametrize("loss", ["absolute", "huber"])
def test_nothing_to_learn(loss):
    features, y = problem()
    features, y = jnp.asarray(features), jnp.asarray(y)
    empty = constrained_erm(0 * features, y, 1.0, 1.0, loss, 5)
    quiet = constrained_erm(features, 0 * y, 1.0, 1.0, loss, 5)
    point = constrained_erm(features, y, 0.0, 1.0, loss, 5)
    for fit in (quiet, point):
        assert not np.any(fit.weights)
    assert abs(quiet.gap) < 1e-15
    for fit in (empty, point):
        assert float(fit.loss) == pytest.approx(mean_loss(loss, y), rel=1e-14)
        assert fit.gap < (1e-3 if loss == "absolute" else 1e-14)
