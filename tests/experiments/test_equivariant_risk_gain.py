"""The exact losses of each learner against fits by hand, and against all inputs or drawn ones; n* against formulas."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.equivariant_risk_gain import LEARNERS, Config, build, predicted, run
from experiments.sample_complexity import Data, kernel_ridge
from theory.risk_gain import CIRCLE_POWER

CONFIG = Config(trials=2, rows=60, variables=5, band=20)


@functools.cache
def sample(task, learner, x, rows=20):
    """Three samples of ``rows`` rows, a learner's ``loss(data, n)`` on them, and its ridge."""
    made, ridge, samples = build(CONFIG, task, learner, x, rows)
    assert samples == CONFIG.rows // rows == 3
    fit_and_test = jax.jit(made.fit_and_test)

    def loss(data, n):
        return float(fit_and_test(data, jnp.int32(n), ridge, jax.random.key(2))["test"])

    return jax.jit(made.draw, static_argnums=1)(jax.random.key(1), rows), loss, ridge


CELLS = [(task, name) for task, names in LEARNERS.items() for name in names]
SIZES = {"linear": 8, "linear_broken": 8, "halves": 3, "shifts": 5, "degrees": 3, "circle": 4, "circle_broken": 4}


@pytest.mark.parametrize(("task", "name"), CELLS)
def test_longer_draws_begin_with_the_shorter(task, name):
    made, _, _ = build(CONFIG, task, name, SIZES[task], 20)
    few, many = (made.draw(jax.random.key(2), rows) for rows in (7, made.rows))
    assert made.rows == 20
    np.testing.assert_array_equal(few.test, many.test)
    for a, b in zip(jax.tree.leaves(few.train), jax.tree.leaves(many.train)):
        np.testing.assert_array_equal(a, b[:7])


@pytest.mark.parametrize(("task", "name"), CELLS)
def test_rows_beyond_n_do_not_matter(task, name):
    data, loss, _ = sample(task, name, SIZES[task])
    spoilt = data._replace(train=jax.tree.map(lambda leaf: leaf.at[7:].set(0.5), data.train))
    assert loss(spoilt, 7) == pytest.approx(loss(data, 7), rel=1e-12)
    assert loss(spoilt, 8) != loss(data, 8)


@pytest.mark.parametrize(("task", "name"), CELLS)
def test_a_trial_is_the_mean_of_its_samples(task, name):
    data, loss, _ = sample(task, name, SIZES[task])
    train = [jax.tree.map(lambda leaf, k=k: leaf[:, k : k + 1], data.train) for k in range(3)]
    test = [jax.tree.map(lambda leaf, k=k: leaf[k : k + 1], data.test) for k in range(3)]
    losses = [loss(Data(a, (), b), 9) for a, b in zip(train, test)]
    assert len(set(losses)) == 3
    assert loss(data, 9) == pytest.approx(np.mean(losses), rel=1e-12)


@pytest.mark.parametrize("n", [3, 6, 15])
@pytest.mark.parametrize(("task", "name"), [cell for cell in CELLS if cell[0].startswith("linear")])
def test_least_squares_by_hand(task, name, n):
    """With ``pinv`` of numpy; the noise of label i moves the fit by column i."""
    data, loss, _ = sample(task, name, 8)
    x, theta = np.asarray(data.train), np.asarray(data.test)
    q = np.kron(np.full((2, 2), 0.5), np.eye(4))
    outside = np.linalg.norm(theta - theta @ q, axis=1) ** 2
    np.testing.assert_allclose(outside, 0.05 if task == "linear_broken" else 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(theta @ q, axis=1), 1, rtol=1e-12)
    risks = []
    for k in range(3):
        fit = np.linalg.pinv(x[:n, k] @ q if name == "invariant" else x[:n, k], rcond=1e-10)
        fit = q @ fit if name == "averaged" else fit
        risks.append(np.sum((fit @ x[:n, k] @ theta[k] - theta[k]) ** 2) + np.sum(fit**2))
    assert loss(data, n) == pytest.approx(np.mean(risks), rel=1e-9)


def all_signs(d):
    return jnp.asarray(list(itertools.product([-1.0, 1.0], repeat=d)))


def shifted(kernel, d):
    return lambda x, z: sum(kernel(x, jnp.roll(z, k, axis=1)) for k in range(d)) / d


@pytest.mark.parametrize("n", [2, 6, 14])
@pytest.mark.parametrize(
    ("task", "name", "degree"),
    [
        ("shifts", "plain", 2),
        ("shifts", "averaged", 2),
        ("shifts", "invariant", 2),
        *(("degrees", name, degree) for name in ("plain", "invariant") for degree in (1, 2, 3)),
    ],
)
def test_errors_on_signs_are_those_on_all_inputs(task, name, degree, n):
    """Against the engine's kernel ridge regression, tested on the whole hypercube."""
    d = 5
    data, loss, ridge = sample(task, name, d if task == "shifts" else degree)
    x, y = data.train
    every = all_signs(d)
    target = sum(np.prod([np.roll(every, -k, axis=1) for k in range(degree)], axis=0).T) / np.sqrt(d)
    np.testing.assert_allclose(np.mean(target**2), 1)

    def plain(a, b):
        return ((a @ b.T) ** 2 - d) / 2 if task == "shifts" else jnp.exp(a @ b.T / d)

    kernel = shifted(plain, d) if name == "invariant" else plain
    found = []
    for k in range(3):
        squared = {"squared": lambda predictions, y: jnp.mean((predictions - y) ** 2)}
        engine = kernel_ridge("", lambda key, rows: None, 20, kernel, squared)
        if name == "averaged":  # every shift of the inputs, one after the other
            tests = [jnp.roll(every, s, axis=1) for s in range(d)]
            fits = [engine_fit(plain, x[:n, k], y[:n, k], ridge, test) for test in tests]
            found.append(np.mean((np.mean(fits, axis=0) - target) ** 2))
        else:
            own = Data((x[:, k], y[:, k]), (every, target), (every, target))
            found.append(float(engine.fit_and_test(own, jnp.int32(n), ridge, jax.random.key(0))["test"]))
    assert loss(data, n) == pytest.approx(np.mean(found), rel=1e-5, abs=1e-7)


def engine_fit(kernel, x, y, ridge, test):
    return np.asarray(kernel(test, x) @ np.linalg.solve(kernel(x, x) + ridge * np.eye(len(x)), y))


@pytest.mark.parametrize("name", LEARNERS["halves"])
def test_mistakes_are_those_of_normal_forms(name):
    """For d = 30 the forms are nearly normal: against drawn inputs, with the fit of the engine's kernel."""
    d, n = 30, 300
    made, ridge, _ = build(Config(trials=2, rows=n), "halves", name, d, n)
    data = made.draw(jax.random.key(3), n)
    x, y = (np.asarray(part[:, 0]) for part in data.train)
    test = np.random.default_rng(0).standard_normal((4000, 2 * d))
    label = np.sign(np.sum(test[:, :d] ** 2 - test[:, d:] ** 2, axis=1))

    def pooled(x):
        return (x**2 - 1).reshape(-1, 2, d).sum(axis=-1) / np.sqrt(d)

    kernel = {
        "plain": lambda a, b: (a @ b.T) ** 2,
        "partial": lambda a, b: (a**2 - 1) @ (b**2 - 1).T,
        "invariant": lambda a, b: pooled(a) @ pooled(b).T,
    }[name]
    fit = engine_fit(kernel, x, y, ridge, test)
    mistakes = np.mean((fit - fit.mean()) * label < 0)
    found = float(made.fit_and_test(data, jnp.int32(n), ridge, jax.random.key(0))["test"])
    assert abs(found - mistakes) < 5 * np.sqrt(mistakes * (1 - mistakes) / 4000) + 0.01


@pytest.mark.parametrize("n", [4, 18])
@pytest.mark.parametrize("task", ["circle", "circle_broken"])
@pytest.mark.parametrize("m", [1, 4])
def test_errors_on_the_circle_are_those_on_a_grid(task, m, n):
    """Kernel ridge regression with the kernel as a sum of cosines; the noise as in least squares."""
    data, loss, ridge = sample(task, "invariant", m)
    x = np.asarray(data.train)
    k = np.arange(0, CONFIG.band + 1, m)
    weight = (1.0 + k**2) ** -CONFIG.smoothness * np.where(k == 0, 1, 2)
    grid = 2 * np.pi * np.arange(128) / 128
    power = CIRCLE_POWER | ({1: CONFIG.broken * CONFIG.circle_target} if task == "circle_broken" else {})

    def kernel(a, b):
        return np.cos((a[:, None] - b[None])[..., None] * k) @ weight

    def target(x):
        return sum(np.sqrt(2 * p) * np.cos(f * x) for f, p in power.items())

    errors = []
    for own in x[:n].T:
        fit = kernel(grid, own) @ np.linalg.inv(kernel(own, own) + n * ridge * np.eye(n))
        errors.append(np.mean((fit @ target(own) - target(grid)) ** 2) + 0.25 * np.sum(fit**2) / 128)
    assert loss(data, n) == pytest.approx(np.mean(errors), rel=1e-6)


@pytest.mark.parametrize(
    ("task", "learner", "x"), [("linear", "averaged", 16), ("shifts", "invariant", 19), ("circle", "invariant", 4)]
)
def test_sample_sizes_by_formula(task, learner, x):
    config = Config(trials=8, rows=1024)
    found = run(config, jax.random.key(0), {"cell": f"{task} {learner} {x}"})
    assert found["low"] <= found["n_star"] <= found["high"]
    assert abs(np.log(float(found["n_star"] / found["predicted"]))) < 0.03
    at = float(predicted(config, task, learner, x, float(found["predicted"])))
    assert at == pytest.approx(float(found["target"]), rel=1e-6)


def test_two_weights_have_no_formula():
    found = run(Config(trials=4, rows=256), jax.random.key(0), {"cell": "halves invariant 8"})
    assert found["predicted"] == 0
    assert 1 < found["n_star"] < 6
