"""The training loops: they converge, see the first n examples only, may be vmapped over everything, and one looks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.train import Stage, fit, fit_epochs, fit_staged, fit_watched

HOW = {"n_steps": 60, "batch_size": 4, "learning_rate": 0.1}


def squares(x, y):
    def loss(w, key, indices):
        return jnp.mean((x[indices] @ w - y[indices]) ** 2)

    return loss


@pytest.fixture(scope="module")
def problem():
    """Inputs (20, 3), outputs that a linear map explains exactly, and the map."""
    draw = np.random.default_rng(0)
    x, w = draw.standard_normal((20, 3)), np.array([1.0, -2.0, 0.5])
    return jnp.asarray(x), jnp.asarray(x @ w), w


def test_converges(problem):
    x, y, w = problem
    found = fit(squares(x, y), jnp.zeros(3), jax.random.key(0), 20, n_steps=2000, batch_size=8, learning_rate=0.1)
    np.testing.assert_allclose(found, w, rtol=0, atol=1e-6)


def test_sees_the_first_examples_only(problem):
    x, y, _ = problem
    found = [
        fit(squares(x, y.at[5:].set(beyond)), jnp.zeros(3), jax.random.key(0), 5, **HOW) for beyond in (0.0, jnp.nan)
    ]
    assert jnp.isfinite(found[0]).all()
    assert (found[0] == found[1]).all()
    assert jnp.isnan(fit(squares(x, y.at[5:].set(jnp.nan)), jnp.zeros(3), jax.random.key(0), 6, **HOW)).all()


def test_sees_all_of_the_first_examples():
    """The gradient of example i is entry i: after training every entry below n has moved, and no other."""

    def loss(w, key, indices):
        return jnp.sum(w[indices])

    found = fit(loss, jnp.zeros(9), jax.random.key(0), 6, **HOW)
    assert (found != 0).tolist() == [True] * 6 + [False] * 3


def test_vmap_is_a_loop(problem):
    x, y, _ = problem
    how = {name: HOW[name] for name in ("n_steps", "batch_size")}
    train = functools.partial(fit, squares(x, y), jnp.zeros(3), **how)
    keys = jax.random.split(jax.random.key(1), 3)
    rates, sizes = jnp.array([0.01, 0.1]), jnp.array([4, 9])

    def one(key, n, rate):
        return train(key, n, learning_rate=rate)

    over_rates = jax.vmap(one, in_axes=(None, None, 0))
    over_sizes = jax.vmap(over_rates, in_axes=(None, 0, None))
    found = jax.jit(jax.vmap(over_sizes, in_axes=(0, None, None)))(keys, sizes, rates)
    loop = [[[one(jax.random.clone(key), n, rate) for rate in rates] for n in sizes] for key in keys]
    np.testing.assert_allclose(found, np.array(loop), rtol=1e-12, atol=1e-12)
    assert len(np.unique(np.round(found, 9), axis=0)) == 3


def test_one_program_for_all_sizes(problem):
    x, y, _ = problem
    train = jax.jit(lambda key, n, rate: fit(squares(x, y), jnp.zeros(3), key, n, **(HOW | {"learning_rate": rate})))
    key = jax.random.key(0)
    found = [train(jax.random.clone(key), jnp.int32(n), rate) for n in (3, 7) for rate in (0.1, 0.2)]
    assert len({tuple(w.tolist()) for w in found}) == 4
    assert train._cache_size() == 1


def test_the_rate_falls_to_zero():
    """With a constant gradient Adam moves by the rate in every step; their sum is half of the number of steps."""
    found = fit(
        lambda w, key, indices: w, jnp.zeros(()), jax.random.key(0), 1, n_steps=1000, batch_size=1, learning_rate=0.01
    )
    mean_of_cosine = 0.5 * (1 + 1 / 1000)  # over t = 0 ... n_steps - 1
    assert found == pytest.approx(-0.01 * 1000 * mean_of_cosine, rel=1e-6)


def test_float32_stays_float32():
    w = fit(lambda w, key, i: jnp.sum(w**2), jnp.ones(2, jnp.float32), jax.random.key(0), 3, **HOW)
    assert w.dtype == jnp.float32


def test_the_key_of_a_step_is_given_to_the_loss():
    def loss(w, key, indices):
        return w * jax.random.normal(key, (), w.dtype)

    first, again, other = (fit(loss, jnp.zeros(()), jax.random.key(seed), 3, **HOW) for seed in (0, 0, 1))
    assert first == again != other


WATCHED = {"n_steps": 60, "n_checks": 6, "batch_size": 4, "learning_rate": 0.1}


def test_watching_converges(problem):
    x, y, w = problem
    how = {"n_steps": 2000, "n_checks": 10, "batch_size": 8, "learning_rate": 0.1}
    loss = squares(x, y)
    found = fit_watched(
        loss, lambda w: {"loss": jnp.mean((x @ w - y) ** 2)}, jnp.zeros(3), jax.random.key(0), 20, **how, least="loss"
    )
    np.testing.assert_allclose(found.params, w, rtol=0, atol=1e-6)
    assert found.steps.tolist() == list(range(200, 2001, 200))
    assert found.seen["loss"].shape == (10,)
    assert found.seen["loss"][0] > found.seen["loss"][-1]


def test_watching_is_adam(problem):
    """With batches that hold no choice and a constant rate the steps are those of optax, one after the other."""
    import optax

    x, y, _ = problem
    loss = squares(x[:1], y[:1])
    found = fit_watched(loss, lambda w: {"w": w}, jnp.zeros(3), jax.random.key(0), 1, **WATCHED, schedule="constant")
    optimizer, params = optax.adam(0.1), jnp.zeros(3)
    moments = optimizer.init(params)
    step = jax.jit(jax.grad(lambda w: loss(w, None, jnp.zeros(4, int))))
    for t in range(1, 61):
        with jax.numpy_dtype_promotion("standard"):
            updates, moments = optimizer.update(step(params), moments, params)
        params = params + updates
        if t % 10 == 0:
            np.testing.assert_allclose(found.seen["w"][t // 10 - 1], params, rtol=1e-12)
    np.testing.assert_allclose(found.params, params, rtol=1e-12)
    assert found.best == 5


@pytest.mark.parametrize(("schedule", "distance"), [("constant", 1000.0), ("cosine", 0.5 * (1 + 1 / 1000) * 1000)])
def test_schedules(schedule, distance):
    """With a constant gradient Adam moves by the rate in every step."""
    how = {"n_steps": 1000, "n_checks": 3, "batch_size": 1, "learning_rate": 0.01, "schedule": schedule}
    found = fit_watched(lambda w, key, i: w, lambda w: {}, jnp.zeros(()), jax.random.key(0), 1, **how)
    assert found.params == pytest.approx(-0.01 * distance, rel=1e-6)
    assert found.steps.tolist() == [333, 667, 1000]


def test_the_best_is_kept():
    """Parameters that walk past 3: the check nearest to it is returned; NaN is never the best."""
    how = {"n_steps": 100, "n_checks": 100, "batch_size": 1, "learning_rate": 0.1, "schedule": "constant"}

    def walk(watch, least):
        return fit_watched(lambda w, key, i: -w, watch, jnp.zeros(()), jax.random.key(0), 1, **how, least=least)

    near = walk(lambda w: {"off": abs(w - 3), "w": w}, "off")
    assert near.params == pytest.approx(3, rel=1e-6)
    assert near.best == 29
    assert near.seen["w"][near.best] == near.params
    holes = walk(lambda w: {"off": jnp.where(abs(w - 3) < 1, jnp.nan, abs(w - 3))}, "off")
    assert abs(holes.params - 3) >= 1 - 1e-9
    assert jnp.isfinite(holes.seen["off"][holes.best])
    assert walk(lambda w: {"off": abs(w - 3)}, None).params == pytest.approx(10, rel=1e-6)


def test_watching_one_program_for_all_sizes_and_lengths(problem):
    """Traced sizes and lengths give what plain ones give, and what is beyond n does not count; vmap is a loop."""
    x, y, _ = problem
    y = y.at[7:].set(jnp.nan)

    def train(key, n, n_steps):
        how = {"n_checks": 4, "batch_size": 4, "learning_rate": 0.1}
        return fit_watched(squares(x, y), lambda w: {"w": w}, jnp.zeros(3), key, n, n_steps=n_steps, **how)

    mapped = jax.jit(jax.vmap(train, in_axes=(0, None, None)))
    keys = jax.random.split(jax.random.key(2), 2)
    for n, n_steps in ((3, 20), (7, 50)):
        found = mapped(jax.random.clone(keys), jnp.int32(n), jnp.int32(n_steps))
        assert jnp.isfinite(found.params).all()
        assert found.steps[0].tolist() == [round((k + 1) * n_steps / 4) for k in range(4)]
        alone = jax.jit(train)(jax.random.split(jax.random.key(2), 2)[1], n, n_steps)
        np.testing.assert_allclose(found.params[1], alone.params, rtol=1e-12, atol=1e-12)
        assert not (found.params[0] == found.params[1]).all()
    assert mapped._cache_size() == 1
    assert jnp.isnan(mapped(jax.random.clone(keys), jnp.int32(8), jnp.int32(50)).params).any()


def test_watching_float32_stays_float32():
    found = fit_watched(
        lambda w, key, i: jnp.sum(w**2),
        lambda w: {"size": jnp.sum(w**2)},
        jnp.ones(2, jnp.float32),
        jax.random.key(0),
        3,
        **WATCHED,
        least="size",
    )
    assert found.params.dtype == found.seen["size"].dtype == jnp.float32


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"schedule": "linear"}, "schedule has to be constant or cosine, got 'linear'"),
        ({"n_checks": 0}, "n_checks has to be at least 1, got 0"),
    ],
)
def test_watching_refuses(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit_watched(lambda w, key, i: w, lambda w: {}, jnp.zeros(()), jax.random.key(0), 1, **WATCHED | settings)


# --- fit_epochs -----------------------------------------------------------------------------------

EPOCHS = {"n_epochs": 1, "batch_size": 3, "learning_rate": 0.1}


def test_epochs_are_adam_with_decay_in_the_gradient(problem):
    """With one minibatch in an epoch the order does not matter: the same steps in numpy."""
    x, y, _ = problem
    how = {"n_epochs": 12, "learning_rate": 0.3, "least_rate": 0.05, "weight_decay": 0.2}
    found, losses = fit_epochs(squares(x, y), jnp.ones(3), jax.random.key(0), 20, batch_size=20, **how)
    w, mean, square, expected = np.ones(3), np.zeros(3), np.zeros(3), []
    for t in range(12):
        residual = np.asarray(x) @ w - np.asarray(y)
        expected.append((residual**2).mean())
        gradient = 2 * np.asarray(x).T @ residual / 20 + 0.2 * w
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        rate = 0.05 + 0.25 * (1 + np.cos(np.pi * t / 12)) / 2
        w = w - rate * mean / (1 - 0.9 ** (t + 1)) / (np.sqrt(square / (1 - 0.999 ** (t + 1))) + 1e-8)
    np.testing.assert_allclose(found, w, rtol=1e-12)
    np.testing.assert_allclose(losses, expected, rtol=1e-12)


def test_epochs_see_every_example_once():
    """The gradient of example i is entry i. Seven examples fill two minibatches of three; one is left out, not always
    the same."""

    def loss(w, key, indices):
        return jnp.sum(w[indices])

    moved = [np.asarray(fit_epochs(loss, jnp.zeros(7), jax.random.key(seed), 7, **EPOCHS)[0] != 0) for seed in range(6)]
    assert [m.sum() for m in moved] == [6] * 6
    assert len({m.tobytes() for m in moved}) > 1
    twice, _ = fit_epochs(loss, jnp.zeros(6), jax.random.key(0), 6, **EPOCHS | {"n_epochs": 2})
    assert (twice != 0).all()


def test_epochs_have_keys_of_their_own():
    def loss(w, key, indices):
        return w * jax.random.normal(key, (), w.dtype)

    _, losses = fit_epochs(loss, jnp.float32(1), jax.random.key(0), 3, **EPOCHS | {"n_epochs": 5, "learning_rate": 0.0})
    assert len(np.unique(losses)) == 5


def test_epochs_need_a_minibatch():
    with pytest.raises(ValueError, match="a minibatch has 3 examples and there are 2; take a smaller batch_size"):
        fit_epochs(lambda w, key, indices: w, jnp.zeros(()), jax.random.key(0), 2, **EPOCHS)


# --- fit_staged -----------------------------------------------------------------------------------


def apart(params, key, indices):
    return jnp.sum((params["first"]["w"] - 1) ** 2) + jnp.sum((params["last"] - params["first"]["w"]) ** 2)


STAGED = {"batch_size": 2, "learning_rate": 0.3}


def test_stages_train_their_part_only():
    start = {"first": {"w": jnp.zeros(2)}, "last": jnp.full(2, 5.0)}
    stages = [Stage(apart, ("last",), 200), Stage(apart, ("first",), 200)]
    train = jax.jit(lambda rate: fit_staged(stages, start, jax.random.key(0), 3, **STAGED | {"learning_rate": rate}))
    found = train(0.3)
    one = fit_staged(stages[:1], start, jax.random.key(0), 3, **STAGED)
    assert (one["last"] == start["last"]).all()
    np.testing.assert_allclose(found["first"]["w"], one["first"]["w"], rtol=1e-12)
    assert jnp.abs(found["first"]["w"] - 3).max() < 0.01  # between 1 and the last, which is 5 until then
    assert jnp.abs(found["last"] - found["first"]["w"]).max() < 0.01
    assert jax.tree.structure(found) == jax.tree.structure(start)


def test_a_stage_is_a_fit_with_a_key_of_its_own():
    def noisy(params, key, indices):
        return jnp.sum(params["a"] * jax.random.normal(key, (2,))) + jnp.sum(params["b"])

    start = {"a": jnp.zeros(2), "b": jnp.zeros(3)}
    found = fit_staged([Stage(noisy, ("b",), 5), Stage(noisy, ("b",), 7)], start, jax.random.key(3), 1, **STAGED)
    a = start["a"]
    for key, n_steps in zip(tuple(jax.random.split(jax.random.key(3))), (5, 7)):
        a = fit(lambda a, key, i: noisy({"a": a, "b": start["b"]}, key, i), a, key, 1, n_steps=n_steps, **STAGED)
    np.testing.assert_allclose(found["a"], a, rtol=1e-12)


def test_a_stage_names_what_is_there():
    with pytest.raises(ValueError, match="no entry of the parameters is called 'c', there is: a, b"):
        fit_staged([Stage(apart, ("c",), 1)], {"a": jnp.zeros(1), "b": jnp.zeros(1)}, jax.random.key(0), 1, **STAGED)
