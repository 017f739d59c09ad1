"""The distribution, the networks and their training against numpy, quadrature and closed forms, in both precisions."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from theory import dynamic_signal as ds
from theory import dynamic_signal_claims as claims
from theory.claim import key_of

K, D, N = 3, 4, 12
DTYPES = (jnp.float32, jnp.float64)
NAMES = tuple(ds.NETWORKS)


@pytest.fixture(scope="module", params=DTYPES, ids=lambda t: t.__name__)
def dtype(request):
    return request.param


def sample(dtype, n=N, k=K, d=D, sigma=0.3, seed=0):
    w = np.random.default_rng(seed).normal(size=d)
    return ds.draw_signal(jax.random.key(seed), n, k, d, sigma, jnp.asarray(w / np.linalg.norm(w), dtype))


def phi(z, b):
    return np.sign(z) * np.maximum(np.abs(z) - b, 0)


# --- the distribution -------------------------------------------------------------------------------------------------


def test_draws_are_what_they_say(dtype):
    draw, still = (sample(dtype, sigma=s) for s in (0.3, 0.0))
    assert draw.x.dtype == draw.y.dtype == draw.w.dtype == dtype
    assert set(np.asarray(draw.y)) == {-1, 1}
    assert set(np.asarray(draw.patch)) == set(range(K))
    clean = np.zeros((N, K, D))
    clean[np.arange(N), draw.patch] = np.asarray(draw.y)[:, None] * np.asarray(draw.w)[None]
    np.testing.assert_array_equal(still.x, clean)
    np.testing.assert_array_equal(sample(dtype).x, draw.x)
    noise = (np.asarray(draw.x, np.float64) - clean) / 0.3
    assert scipy.stats.kstest(noise.ravel(), "norm").pvalue > 1e-3


def test_the_signal_is_drawn_from_the_sphere():
    w = jax.vmap(lambda key: ds.draw_signal(key, 1, 1, 3, 1.0).w)(jax.random.split(jax.random.key(0), 300))
    np.testing.assert_allclose(np.linalg.norm(w, axis=1), 1, rtol=1e-12)
    assert scipy.stats.kstest(np.asarray(w)[:, 0], "uniform", (-1, 2)).pvalue > 1e-3  # Archimedes


def test_a_negative_sigma_and_a_long_signal_show_as_nan_under_jit():
    @jax.jit
    def mean(sigma, length):
        return ds.draw_signal(jax.random.key(0), 2, 2, 2, sigma, length * jnp.array([1.0, 0.0])).x.mean()

    assert np.isfinite(mean(0.1, 1.0))
    assert np.isnan(mean(-0.1, 1.0))
    assert np.isnan(mean(0.1, 2.0))


# --- networks ---------------------------------------------------------------------------------------------------------


def test_soft_threshold(dtype):
    z = jnp.asarray([-3, -1, -0.5, 0, 0.5, 1, 3, np.nan], dtype)
    np.testing.assert_array_equal(ds.soft_threshold(z, 0.0), z)
    np.testing.assert_array_equal(ds.soft_threshold(z, 1.0), [-2, 0, 0, 0, 0, 0, 2, np.nan])
    assert ds.soft_threshold(z, 1.0).dtype == dtype
    assert np.isnan(jax.jit(ds.soft_threshold)(z, -1.0)).all()
    slopes = jax.vmap(jax.grad(ds.soft_threshold, (0, 1)), (0, None))(z[:7], jnp.asarray(0.7, dtype))
    np.testing.assert_array_equal(slopes[0], [1, 1, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(slopes[1], [1, 1, 0, 0, 0, -1, -1])


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_those_of_numpy(name, dtype):
    net, x = ds.NETWORKS[name], sample(dtype).x
    params = net.init(jax.random.key(1), K, D, 0.7, dtype)
    assert float(params["b"]) == 0
    params["b"] = jnp.asarray(0.4, dtype)
    w, flat = np.asarray(params["w"], np.float64), np.asarray(x, np.float64).reshape(N, -1)
    patches = flat.reshape(N, K, D)
    z = {
        "cnn": lambda: patches @ w,
        "attention": lambda: patches @ w,
        "lcn": lambda: np.einsum("nkd,kd->nk", patches, w),
        "fcn": lambda: flat @ w.reshape(K, -1).T,
        "overlap": lambda: np.stack([np.roll(flat, -p, 1)[:, :D] @ w for p in range(K * D)], 1),
    }[name]()
    if name == "attention":
        scores = np.exp(0.4 * z**2)
        known = (scores * z).sum(1) / scores.sum(1)
    else:
        known = phi(z, 0.4).sum(1)
    found = net.apply(params, x)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, known, atol=50 * np.finfo(dtype).eps)
    np.testing.assert_allclose(net.apply(params, x.reshape(3, 4, K, D)).ravel(), found, rtol=1e-5)
    np.testing.assert_allclose(net.apply(params, x[0]), found[0], rtol=1e-5)


def test_initial_weights():
    shapes = {name: net.init(jax.random.key(0), K, D, 0.5)["w"].shape for name, net in ds.NETWORKS.items()}
    assert shapes == {"cnn": (D,), "attention": (D,), "overlap": (D,), "lcn": (K, D), "fcn": (K, K, D)}
    w = ds.NETWORKS["fcn"].init(jax.random.key(0), 20, 20, 0.5)["w"]
    assert np.std(w) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_size_is_the_largest_curvature(name):
    """At b = 0 and small weights, of half the mean squared error; an upper bound for attention."""
    net, draw = ds.NETWORKS[name], sample(jnp.float64, n=40)
    weights = jnp.full(40, 1 / 40)
    params = net.init(jax.random.key(1), K, D, 1e-9, jnp.float64)

    def loss(w):
        return (
            jnp.sum(weights * net.apply({"w": w.reshape(params["w"].shape), "b": 0.0 * params["b"]}, draw.x) ** 2) / 2
        )

    largest = np.linalg.eigvalsh(jax.hessian(loss)(params["w"].ravel()))[-1]
    size = float(net.size(draw.x, weights))
    if name == "attention":
        assert largest <= size <= 1.2 * np.linalg.eigvalsh(np.einsum("nkd,nke->de", draw.x, draw.x) / 40)[-1]
    else:
        assert size == pytest.approx(largest, rel=0.03)
        assert size <= largest * (1 + 1e-9)


# --- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cnn", "lcn", "fcn"])
def test_training_is_that_of_numpy(name):
    """Gradients by hand, as r 1{|z| > b} / n, and b held at 0 from below."""
    net, draw = ds.NETWORKS[name], sample(jnp.float64, n=20, sigma=0.1)
    start = net.init(jax.random.key(1), K, D, 0.3, jnp.float64)
    steps, momentum = ds.Steps(0.2, 0.05), 0.8
    found = ds.train(net, start, draw.x, draw.y, jnp.full(20, 1 / 20), 40, steps, momentum)
    x, y = np.asarray(draw.x), np.asarray(draw.y)
    shown = {"cnn": x, "lcn": np.eye(K)[None, :, :, None] * x[:, None], "fcn": np.stack([x] * K, 1)}[name]
    shown = shown.reshape(20, K, -1)  # what each unit sees
    w, b = np.array(start["w"]).ravel(), 0.0
    v_w, v_b = np.zeros_like(w), 0.0
    for _ in range(40):
        each = w.reshape(K, -1) if name == "fcn" else w[None]
        z = (shown * each[None]).sum(-1)
        r = (phi(z, b).sum(1) - y)[:, None] * (np.abs(z) > b) / 20
        g = np.einsum("nk,nkp->kp", r, shown)
        g = g.ravel() if name == "fcn" else g.sum(0)
        v_w, v_b = momentum * v_w + g, momentum * v_b - (r * np.sign(z)).sum()
        w, b = w - steps.w * v_w, max(b - steps.b * v_b, 0.0)
    assert b > 0
    np.testing.assert_allclose(found["w"].ravel(), w, atol=1e-11)
    assert float(found["b"]) == pytest.approx(b, abs=1e-11)


def test_masked_samples_count_for_nothing(dtype):
    net, draw = ds.NETWORKS["lcn"], sample(dtype, n=24)
    start = net.init(jax.random.key(1), K, D, 0.1, dtype)

    @jax.jit
    def fit(x, y, weights):
        return ds.train(net, start, x, y, weights, 30, ds.Steps(0.3, 0.03))

    half = fit(draw.x[:12], draw.y[:12], jnp.full(12, 1 / 12, dtype))
    padded = fit(draw.x.at[12:].multiply(100), draw.y, jnp.where(jnp.arange(24) < 12, jnp.asarray(1 / 12, dtype), 0))
    assert padded["w"].dtype == padded["b"].dtype == dtype
    for name in half:
        np.testing.assert_allclose(padded[name], half[name], atol=1e3 * np.finfo(dtype).eps)


def test_sizes_and_steps_can_be_mapped():
    net, draw = ds.NETWORKS["cnn"], sample(jnp.float64, n=24)
    start = net.init(jax.random.key(1), K, D, 0.1, jnp.float64)

    def fit(n, factor):
        weights = jnp.where(jnp.arange(24) < n, 1 / n, 0)
        w, b = ds.step_sizes(net, draw.x, weights)
        return ds.train(net, start, draw.x, draw.y, weights, 20, ds.Steps(factor * w, b))["w"]

    both = jax.vmap(fit)(jnp.array([8, 24]), jnp.array([0.5, 1.0]))
    np.testing.assert_allclose(both[0], fit(8, 0.5), atol=1e-12)
    np.testing.assert_allclose(both[1], fit(24, 1.0), atol=1e-12)


def test_one_patch_makes_the_networks_coincide():
    draw, weights = sample(jnp.float64, n=30, k=1), jnp.full(30, 1 / 30)
    w, found = np.full(D, 0.1), {}
    for name in ("cnn", "lcn", "fcn"):
        net = ds.NETWORKS[name]
        start = net.init(jax.random.key(1), 1, D, 0.1, jnp.float64)
        start["w"] = jnp.asarray(w.reshape(start["w"].shape))
        steps = ds.step_sizes(net, draw.x, weights)
        found[name] = net.apply(ds.train(net, start, draw.x, draw.y, weights, 100, steps), draw.x)
    np.testing.assert_allclose(found["lcn"], found["cnn"], atol=1e-12)
    np.testing.assert_allclose(found["fcn"], found["cnn"], atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("d", "sigma"), [(1, 0.2), (3, 0.0)])
def test_short_patches_and_no_noise_train(name, d, sigma):
    net, draw = ds.NETWORKS[name], sample(jnp.float64, n=30, d=d, sigma=sigma)
    weights, start = jnp.full(30, 1 / 30), net.init(jax.random.key(1), K, d, net.scale, jnp.float64)
    trained = ds.train(net, start, draw.x, draw.y, weights, 30, ds.step_sizes(net, draw.x, weights))
    before, after = (float(jnp.mean((net.apply(p, draw.x) - draw.y) ** 2)) for p in (start, trained))
    assert after < before


def test_a_threshold_above_small_weights_is_a_dead_start():
    net, draw = ds.NETWORKS["cnn"], sample(jnp.float64)
    start = net.init(jax.random.key(1), K, D, 0.01, jnp.float64) | {"b": jnp.asarray(0.1)}
    found = ds.train(net, start, draw.x, draw.y, jnp.full(N, 1 / N), 50, ds.Steps(0.3, 0.03))
    np.testing.assert_array_equal(found["w"], start["w"])


def test_adam_leaves_the_group_of_each_network():
    """Of each one; the claim's violation needs only one of them."""
    key = key_of("adam")
    still, moved = (
        claims._trained(jax.random.clone(key), claims._ROTATED, claims._by_adam, g)
        for g in (claims._neutral(), claims._element(key, claims._orthogonal))
    )
    assert (np.abs(moved - still).max(1) > 1e-3).all()


# --- closed forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "sigma"), [(1, 0.3), (4, 0.2), (16, 0.2), (20, 0.1), (8, 1.0)])
def test_oracle_network_by_quadrature(k, sigma):
    """The same numbers from integrals, and no better pair (a, b) near them."""
    risk, a, b = ds.oracle_network(k, sigma)

    def moment(mean, power, b):
        kinks = [(s * b - mean) / sigma for s in (-1, 1)]
        cuts = np.clip([-12, *kinks, 12], -12, 12)
        f = lambda g: phi(mean + sigma * g, b) ** power * scipy.stats.norm.pdf(g)
        return sum(scipy.integrate.quad(f, lo, hi, epsabs=1e-12)[0] for lo, hi in itertools.pairwise(cuts) if hi > lo)

    def of(a, b):
        square = moment(1, 2, b) + (k - 1) * moment(0, 2, b)
        return a**2 * square - 2 * a * moment(1, 1, b) + 1

    assert of(a, b) == pytest.approx(risk, abs=1e-9)
    for da, db in ((0.02, 0), (-0.02, 0), (0, 0.02), (0, -min(b, 0.02)), (0.05, 0.03)):
        assert of(a + da, b + db) >= risk - 1e-9
    assert risk <= ds.linear_floor(k, sigma) + 1e-12


@pytest.mark.parametrize(("k", "d", "sigma"), [(4, 3, 0.1), (8, 5, 0.3), (1, 1, 0.2)])
def test_the_oracle_on_draws_is_that_of_the_closed_form(k, d, sigma):
    risk, error = ds.oracle_on_draws(jax.random.key(0), ds.NETWORKS["cnn"], k, d, sigma)
    assert abs(risk - ds.oracle_loss(k, sigma)) < 5 * error < 0.02


@pytest.mark.parametrize("name", ["attention", "overlap"])
def test_no_other_threshold_is_better_for_the_oracle(name):
    """Against a grid, on the same draws, by another formula."""
    net, key = ds.NETWORKS[name], jax.random.key(0)
    risk, _ = ds.oracle_on_draws(key, net, 4, 3, 0.2, signals=2, draws=2000)
    draws = [ds.draw_signal(own, 1000, 4, 3, 0.2) for own in jax.random.split(key, 2)]
    for b in np.geomspace(0.01, 100, 30):
        f = np.concatenate([net.apply({"w": draw.w, "b": jnp.asarray(b)}, draw.x) for draw in draws])
        y = np.concatenate([draw.y for draw in draws])
        a = np.linalg.lstsq(f[:, None], y)[0]
        assert np.mean((f * a - y) ** 2) > risk - 1e-4


def test_an_oracle_on_draws_takes_a_shared_weight():
    with pytest.raises(ValueError, match="needs a network with one shared weight, got lcn"):
        ds.oracle_on_draws(jax.random.key(0), ds.NETWORKS["lcn"], 4, 3, 0.2)


def test_noted_numbers():
    assert [round(ds.oracle_loss(k, 0.2), 3) for k in (4, 8, 16)] == [0.082, 0.097, 0.113]
    assert [round(ds.oracle_network(k, 0.2)[2], 2) for k in (4, 8, 16)] == [0.24, 0.31, 0.37]
    assert round(ds.linear_floor(8, 0.2), 3) == 0.242
    assert ds.oracle_loss(5, 0.0) == ds.linear_floor(5, 0.0) == 0


@pytest.mark.parametrize(
    ("setting", "known"),
    [
        ((8, 16, 0.3, 100), (0.897, 0.520, 0.520, 0.986, 0.897)),
        ((16, 8, 0.3, 400), (0.972, 0.685, 0.685, 0.998, 0.974)),
    ],
)
def test_noted_alignments(setting, known):
    found = [float(ds.predict_alignment(name, *setting)) for name in ds.ESTIMATORS]
    assert found == pytest.approx(known, abs=6e-3)


def test_patch_known_alignment_of_few_dimensions():
    """At any d: the mean of a noncentral beta variable, averaged over how often the patch holds the signal."""
    k, d, sigma, n = 4, 5, 0.5, 60
    counts = np.arange(1, n + 1)
    draws, poisson = scipy.stats.binom.pmf(counts, n, 1 / k), np.arange(400)
    rate = counts / sigma**2 / 2
    weights = scipy.stats.poisson.pmf(poisson[None], rate[:, None])
    exact = draws @ (weights @ ((1 + 2 * poisson) / (d + 2 * poisson)))
    found = np.asarray(
        jax.lax.map(
            lambda key: claims._one_step(ds.draw_signal(key, n, k, d, sigma), patch_known=True)[4],
            jax.random.split(jax.random.key(0), 2000),
        )
    )
    assert np.mean(found) == pytest.approx(exact, abs=5 * np.std(found) / np.sqrt(2000))


# --- the posterior mean -----------------------------------------------------------------------------------------------


def test_bayes_predictor(dtype):
    draw = sample(dtype, sigma=0.8)
    u = np.asarray(draw.x, np.float64) @ np.asarray(draw.w, np.float64) / 0.8**2
    found = ds.bayes_predictor(draw.x, draw.w, 0.8)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.sinh(u).sum(1) / np.cosh(u).sum(1), atol=100 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(ds.bayes_predictor(sample(dtype, sigma=0.0).x, draw.w, 0.0), draw.y)
    sharp = ds.bayes_predictor(sample(dtype, sigma=1e-3).x, draw.w, 1e-3)  # sinh alone would overflow
    np.testing.assert_array_equal(sharp, draw.y)


def test_bayes_risk_of_one_patch_by_quadrature():
    sigma = 0.8
    f = lambda g: (1 - np.tanh((1 + sigma * g) / sigma**2)) * scipy.stats.norm.pdf(g)  # E (1 - m^2) = E_{y=1} (1 - m)
    risk, error = ds.bayes_risk(jax.random.key(0), 1, sigma, 40_000)
    assert risk == pytest.approx(scipy.integrate.quad(f, -12, 12)[0], abs=5 * error)
    mistakes, error = ds.bayes_error(jax.random.key(0), 1, sigma, 40_000)
    assert mistakes == pytest.approx(scipy.stats.norm.cdf(-1 / sigma), abs=5 * error)


def test_without_noise_nothing_is_lost():
    assert ds.bayes_risk(jax.random.key(0), 4, 0.0, 100) == (0.0, 0.0)
    assert ds.bayes_error(jax.random.key(0), 4, 0.0, 100) == (0.0, 0.0)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: ds.draw_signal(jax.random.key(0), 0, 3, 4, 0.1), "n, k and d of at least 1, got n = 0"),
        (lambda: ds.draw_signal(jax.random.key(0), 5, 3, 4, -0.1), "sigma of at least 0, got -0.1"),
        (lambda: ds.draw_signal(jax.random.key(0), 5, 3, 4, float("nan")), "sigma of at least 0, got nan"),
        (lambda: ds.draw_signal(jax.random.key(0), 5, 3, 4, 0.1, jnp.ones(3)), r"shape \(4,\), got \(3,\)"),
        (lambda: ds.draw_signal(jax.random.key(0), 5, 3, 4, 0.1, jnp.ones(4)), "length 1, got length 2; divide"),
        (lambda: ds.soft_threshold(jnp.ones(2), -0.1), "b of at least 0, got -0.1"),
        (lambda: ds.predict_alignment("mlp", 3, 4, 0.1, 5), "no estimator 'mlp'; there are cnn, lcn, fcn"),
        (lambda: ds.oracle_loss(0, 0.1), "got k = 0 and sigma = 0.1"),
        (lambda: ds.linear_floor(3, -0.1), "got k = 3 and sigma = -0.1"),
        (lambda: ds.bayes_risk(jax.random.key(0), 3, float("nan")), "got k = 3 and sigma = nan"),
        (lambda: claims.packing(np.random.default_rng(0), 50, 2, 0.5), r"no 50 unit vectors of R\^2"),
    ],
)
def test_refuses(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
