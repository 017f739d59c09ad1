"""Learners of random-feature attention: against scikit-learn, against each other, and against another program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from experiments.attention_fits import CHUNK, LEARNERS, Constants, errors, layer_of, matrices
from experiments.data.tokens import TARGETS, columns, draw_directions, draw_tokens, labels
from theory import attention_learning

CONSTANTS = Constants(0.5, 1.0, 1.0)
RIDGES = (1e-8, 1e-5, 1e-3, 1e-1)


def drawn(seed, n, n_keys, d, n_test):
    train, test, beta, heads = jax.random.split(jax.random.key(seed), 4)
    return draw_tokens(train, n, n_keys, d), draw_tokens(test, n_test, n_keys, d), draw_directions(beta, d), heads


def test_labels_written_out():
    x, _, beta, _ = drawn(0, 5, 3, 4, 1)
    matrix = jax.random.normal(jax.random.key(1), (4, 4))
    for n in range(5):
        query, keys = np.asarray(x[n, 0]), np.asarray(x[n, 1:])
        expected = {
            "query": (query @ beta) ** 3,
            "key_average": np.mean([(k @ beta) ** 3 for k in keys]),
            "correlation": np.mean([(query @ matrix @ k) ** 3 * (k @ beta) for k in keys]),
        }
        for target in TARGETS:
            assert labels(x, beta, target, 3, matrix)[n] == pytest.approx(float(expected[target]), rel=1e-12)


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("target", TARGETS)
def test_labels_are_those_of_theory(target, degree):
    """Which has them in numpy, so that its claims need not compile."""
    x, _, beta, _ = drawn(0, 6, 3, 4, 1)
    expected = attention_learning.labels(np.asarray(x), np.asarray(beta), target.replace("_", " "), degree)
    np.testing.assert_allclose(labels(x, beta, target, degree), expected, rtol=1e-12, atol=1e-15)


def test_fits_are_those_of_scikit_learn():
    x, test, beta, key = drawn(1, 60, 2, 3, 40)
    tasks = (("query", 2), ("correlation", 1))
    y, y_test = (np.asarray(columns(v, beta, tasks)) for v in (x, test))
    gram, cross = map(np.asarray, matrices(LEARNERS["rfa"], CONSTANTS, key, x, test, 1))
    found = errors(*map(jnp.asarray, (gram, cross, y, y_test)), (25, 60), RIDGES)
    for i, n in enumerate((25, 60)):
        ridges = np.asarray(RIDGES) * np.mean(np.diag(gram)[:n])
        left, tested = np.empty((2, len(ridges), 2))
        for j, ridge in enumerate(ridges):
            fit = KernelRidge(alpha=ridge, kernel="precomputed").fit(gram[:n, :n], y[:n])
            tested[j] = np.mean((fit.predict(cross[:, :n]) - y_test) ** 2, axis=0)
            residuals = []
            for out in range(n):
                rest = np.delete(np.arange(n), out)
                fit = KernelRidge(alpha=ridge, kernel="precomputed").fit(gram[np.ix_(rest, rest)], y[rest])
                residuals.append(fit.predict(gram[out, rest][None])[0] - y[out])
            left[j] = np.mean(np.square(residuals), axis=0)
        best = left.argmin(axis=0)
        chosen = tested[best, [0, 1]]
        np.testing.assert_allclose(found["error"][i], chosen / y_test.var(axis=0), rtol=1e-5)
        np.testing.assert_allclose(found["raw_error"][i], chosen / np.mean(y_test**2, axis=0), rtol=1e-5)
        np.testing.assert_allclose(found["least_error"][i], tested.min(axis=0) / y_test.var(axis=0), rtol=1e-5)
        np.testing.assert_allclose(found["ridge"][i], ridges[best], rtol=1e-12)


@pytest.mark.parametrize("name", [name for name, learner in LEARNERS.items() if learner.heads != "infinite"])
def test_drawn_heads(name):
    """Matrices are those of the layer's features, and near those of infinitely many heads if there are such."""
    learner = LEARNERS[name]
    x, test, _, key = drawn(2, 20, 2, 3, 10)
    gram, cross = matrices(learner, CONSTANTS, key, x, test, 4 * CHUNK)
    assert gram.shape == (20, 20)
    assert cross.shape == (10, 20)
    if learner.heads != "independent":
        layer = layer_of(learner, CONSTANTS, 2, 3, 4 * CHUNK)
        phi = layer.features(layer.init(key), jnp.concatenate([x, test]))
        np.testing.assert_allclose(jnp.concatenate([gram, cross]), phi @ phi[:20].T, atol=1e-12)
    if learner.activation == "relu":
        limit, _ = matrices(learner._replace(heads="infinite"), CONSTANTS, key, x, test, 1)
        gap = jnp.linalg.norm(gram - limit) / jnp.linalg.norm(limit)
        assert 0.01 < gap < 5 * (4 * CHUNK) ** -0.5


TASKS = (
    ("query", 2),
    ("key_average", 1),
    ("key_average", 2),
    ("correlation", 1),
    ("correlation", 2),
    ("correlation", 3),
)
SIZES = (100, 200, 400)
ELSEWHERE = {
    "rfa": [[0.95, 0.56, 0.20], [0.012, 0.0021, 0.0002], [0.65, 0.22, 0.045]]
    + [[0.72, 0.65, 0.34], [0.75, 0.74, 0.69], [0.84, 0.76, 0.61]],
    "brfa": [[0.98, 0.58, 0.23], [0.108, 0.070, 0.027], [0.78, 0.30, 0.10]]
    + [[0.59, 0.44, 0.20], [0.74, 0.73, 0.66], [0.74, 0.65, 0.51]],
    "rfmlp": [[1.29, 1.03, 0.74], [0.037, 0.0057, 0.0008], [1.19, 1.09, 0.71]]
    + [[0.84, 0.80, 0.77], [0.81, 0.71, 0.69], [0.92, 0.88, 0.84]],
}
"""Means of 3 trials, with the best ridge, of another program for the same kernels: d = 8, N = 4; two digits known."""


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_run_of_another_program(name):
    """Each number within 5 standard errors of both means, as estimated from our trials."""
    trials, found = 10, []
    for trial in range(trials):
        x, test, beta, key = drawn(trial, max(SIZES), 4, 8, 1000)
        gram, cross = matrices(LEARNERS[name], CONSTANTS, key, x, test, 1)
        every = errors(gram, cross, columns(x, beta, TASKS), columns(test, beta, TASKS), SIZES, RIDGES)
        found.append(every["least_error"].T)
    mean, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    expected = np.asarray(ELSEWHERE[name])
    rounding = 0.5 * 10.0 ** (np.floor(np.log10(expected)) - 1)
    off = (np.abs(mean - expected) - rounding) / (spread * (1 / trials + 1 / 3) ** 0.5)
    assert (off <= 5).all(), off.round(1)
    assert (off <= 3).sum() >= 16  # of 18
    other = np.asarray(ELSEWHERE["rfa" if name == "rfmlp" else "rfmlp"])
    assert (np.abs(mean - other) > 5 * spread * (1 / trials + 1 / 3) ** 0.5).sum() >= 5  # which tells learners apart
