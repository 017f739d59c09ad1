r"""What holds for one signal patch among noise: symmetries of training, alignments, floors and bounds.

Setting, networks and closed forms: ``theory.dynamic_signal``. Here is what needs no learning curve.

* *Training has the symmetry of its network.* If an orthogonal matrix of the network's group moves the data and the
  initial weights, gradient descent with momentum ends in the moved weights. Adam divides each coordinate by its own
  scale and keeps signed permutations of coordinates only.
* *One step aligns.* ``cos^2 = 1 / (1 + sigma^2 s / n)``, s from ``ESTIMATORS``. Whatever is equivariant under a
  rotation of each patch of its own cannot do better than the mean over the samples whose patch it is, which are n / k.
* *Floors.* The posterior mean below every network; the best threshold below every CNN; and ``k sigma^2 / (1 + k
  sigma^2)`` for what stays linear, as an FCN from small weights does: all its units grow along one mean, and the
  threshold stays at 0.
* *Fano.* If a model V is uniform on M, and what an estimator draws by itself is independent of V and the sample S,

      ``P(V found) <= (I(V; S) + ln 2) / ln M``,   ``I <= n max KL``,   ``KL <= |w - w'|^2 / (2 sigma^2 k)``

  for signals w, w' of one patch, since a sample has its signal there with the frequency 1 / k. This is where the factor
  k in the bound for locally connected networks comes from.

Known: the theorems on sample sizes and Fano's bound for randomised estimators were read about, in texts on the paper;
all that is measured here is derived.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from theory.claim import Claim, Evidence, Source, generator, key_of, mean_evidence
from theory.dynamic_signal import (
    ESTIMATORS,
    NETWORKS,
    Draw,
    Network,
    Params,
    bayes_predictor,
    descend,
    draw_signal,
    linear_floor,
    oracle_loss,
    oracle_network,
    predict_alignment,
    soft_threshold,
    step_sizes,
    train,
)

__all__ = ["CLAIMS", "packing", "source"]


def source(theorem: str, known: str = "derived") -> Source:
    """The paper, for one of its statements.

    Args:
        theorem: which.
        known: ``derived`` or ``recalled``.
    """
    return Source(
        author="A. Lahoti, S. Karp, E. Winston, A. Singh, Y. Li",
        title="Role of Locality and Weight Sharing in Image-Based Tasks: A Sample Complexity Separation between CNNs, "
        "LCNs, and FCNs",
        venue="ICLR 2024",
        arxiv="2403.15707",
        theorem=theorem,
        known=known,
    )


# --- training and the group -------------------------------------------------------------------------------------------

_K, _D, _N, _SIGMA = 3, 4, 40, 0.3
Element = dict[str, jax.Array]
"""One element of each network's group: the matrix ``shared`` by all patches, each patch's ``own``, that of the
``whole`` image, the ``order`` of the patches, and a ``shift`` of the numbers."""


def _orthogonal(draw: np.random.Generator, *shape: int) -> np.ndarray:
    """Haar on O(d), (..., d, d), improper matrices among them."""
    q, r = np.linalg.qr(draw.normal(size=shape))
    return q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]


def _signed_permutation(draw: np.random.Generator, *shape: int) -> np.ndarray:
    """Signed permutation matrices, (..., d, d)."""
    order = np.argsort(draw.random(shape[:-1]), axis=-1)
    return np.eye(shape[-1])[order] * draw.choice([-1.0, 1.0], size=(*shape[:-1], 1))


def _element(key: jax.Array, matrix: Callable[..., np.ndarray]) -> Element:
    draw = generator(jax.random.fold_in(key, 1))
    shared, own, whole = (matrix(draw, *shape, shape[-1]) for shape in ((_D,), (_K, _D), (_K * _D,)))
    return {"shared": shared, "own": own, "whole": whole, "order": draw.permutation(_K), "shift": np.array(5)}


def _neutral() -> Element:
    eye, whole = np.eye(_D), np.eye(_K * _D)
    return {"shared": eye, "own": np.stack([eye] * _K), "whole": whole, "order": np.arange(_K), "shift": np.array(0)}


def _flat(g: Element, x: jax.Array) -> jax.Array:
    return (x.reshape(*x.shape[:-2], -1) @ g["whole"].T).reshape(x.shape)


def _patchwise(g: Element, x: jax.Array) -> jax.Array:
    return jnp.einsum("kab,...kb->...ka", g["own"], x[..., g["order"], :])


def _alike(g: Element, x: jax.Array) -> jax.Array:
    return x[..., g["order"], :] @ g["shared"].T


def _shifted(g: Element, x: jax.Array) -> jax.Array:
    return jnp.roll(x.reshape(*x.shape[:-2], -1), g["shift"], axis=-1).reshape(x.shape)


_ACTIONS = {
    "cnn": (_alike, lambda g, w: g["shared"] @ w),
    "attention": (_alike, lambda g, w: g["shared"] @ w),
    "lcn": (_patchwise, _patchwise),
    "fcn": (_flat, _flat),
    "overlap": (_shifted, lambda g, w: w),
}
"""What an element does to images (..., k, d), and to the weights."""
_MOVED = tuple(_ACTIONS)
_ROTATED = ("cnn", "lcn", "fcn")
"""The networks whose training Adam takes out of its group."""


def _by_momentum(network: Network, params: Params, draw: Draw, weights: jax.Array) -> Params:
    return train(network, params, draw.x, draw.y, weights, 60, step_sizes(network, draw.x, weights))


def _by_adam(network: Network, params: Params, draw: Draw, weights: jax.Array) -> Params:
    with jax.numpy_dtype_promotion("standard"):  # optax multiplies floats by its integer step count
        return descend(network, params, draw.x, draw.y, weights, 60, optax.adam(0.03))


@functools.partial(jax.jit, static_argnums=(1, 2))
def _trained(key: jax.Array, names: tuple[str, ...], rule: Callable[..., Params], g: Element) -> jax.Array:
    """Predictions on 20 images after training, data and initial weights moved; a row for each network."""
    k_data, k_test, k_start = jax.random.split(key, 3)
    draw = draw_signal(k_data, _N, _K, _D, _SIGMA)
    test = draw_signal(k_test, 20, _K, _D, _SIGMA, draw.w)
    weights, found = jnp.full(_N, 1 / _N), []
    for name in names:
        network, (on_images, on_weights) = NETWORKS[name], _ACTIONS[name]
        start = network.init(jax.random.clone(k_start), _K, _D, 0.2)
        start["w"] = on_weights(g, start["w"])
        found.append(
            network.apply(rule(network, start, draw._replace(x=on_images(g, draw.x)), weights), on_images(g, test.x))
        )
    return jnp.stack(found)


def _trained_evidence(
    key: jax.Array, names: tuple[str, ...], rule: Callable[..., Params], matrix: Callable[..., np.ndarray]
) -> Evidence:
    return Evidence("image", np.arange(20), _trained(key, names, rule, _element(key, matrix)), names)


# --- networks ---------------------------------------------------------------------------------------------------------


@functools.cache
def _examples() -> tuple[np.ndarray, dict[str, Params]]:
    """Images, and parameters of every network with a threshold that matters."""
    keys = jax.random.split(key_of("examples of the dynamic signal"), len(NETWORKS) + 1)
    x = draw_signal(keys[0], 40, _K, _D, 0.5).x
    params = {name: net.init(k, _K, _D, 1.0) for (name, net), k in zip(NETWORKS.items(), keys[1:])}
    return np.asarray(x), {name: p | {"b": jnp.asarray(0.4)} for name, p in params.items()}


def _outputs(x: np.ndarray, params: dict[str, Params]) -> np.ndarray:
    return np.stack([NETWORKS[name].apply(p, jnp.asarray(x)) for name, p in params.items()])


def _of_images(series: tuple[str, ...], values: np.ndarray) -> Evidence:
    return Evidence("image", np.arange(values.shape[-1]), values, series)


def _small_networks(key: jax.Array) -> np.ndarray:
    x, params = _examples()
    return _outputs(x, {name: params[name] for name in ("cnn", "lcn")})


def _in_large_ones(turn: int) -> Evidence:
    """CNN as LCN, weights of patch i moved by i ``turn`` places, and LCN as FCN, blocks moved by ``turn`` patches."""
    x, params = _examples()
    tiled = np.stack([np.roll(params["cnn"]["w"], i * turn) for i in range(_K)])
    blocks = np.zeros((_K, _K, _D))
    blocks[np.arange(_K), (np.arange(_K) + turn) % _K] = params["lcn"]["w"]
    b = params["cnn"]["b"]
    values = _outputs(x, {"lcn": {"w": jnp.asarray(tiled), "b": b}, "fcn": {"w": jnp.asarray(blocks), "b": b}})
    return _of_images(("cnn in lcn", "lcn in fcn"), values)


def _odd(key: jax.Array) -> np.ndarray:
    return -_outputs(*_examples())


def _of_the_negative(linear_scores: bool) -> Evidence:
    x, params = _examples()
    values = _outputs(-x, params)
    if linear_scores:
        z = -x @ np.asarray(params["attention"]["w"])
        weights = np.asarray(jax.nn.softmax(0.4 * z, axis=-1))
        values[list(params).index("attention")] = (weights * z).sum(-1)
    return _of_images(tuple(params), values)


_ORDERS = ((1, 0, 2), (2, 0, 1), (2, 1, 0))


def _in_order(key: jax.Array) -> np.ndarray:
    x, params = _examples()
    return np.tile(_outputs(x, {name: params[name] for name in ("cnn", "attention")}), len(_ORDERS))


def _out_of_order(names: tuple[str, str]) -> Evidence:
    x, params = _examples()
    found = [_outputs(x[:, list(order)], {name: params[name] for name in names}) for order in _ORDERS]
    return _of_images(("cnn", "attention"), np.concatenate(found, axis=1))


# --- the distribution -------------------------------------------------------------------------------------------------

_PATCHES = 4
_MOMENTS = ("y <w, x_t>", "<w, x_t>^2", "<u, x_t>^2, u at right angles to w", "<w, x_t> sum_s <w, x_s>")


def _known_moments(key: jax.Array) -> np.ndarray:
    known = [1 / _PATCHES, _SIGMA**2 + 1 / _PATCHES, _SIGMA**2, _SIGMA**2 + 1 / _PATCHES]
    return np.tile(np.array(known)[:, None], _PATCHES)


def _drawn_moments(key: jax.Array, uniform: bool) -> Evidence:
    draw = draw_signal(key, 40_000, _PATCHES, _D, _SIGMA)
    x, y, w, patch = (np.array(v) for v in (draw.x, draw.y, draw.w, draw.patch))
    if not uniform:  # the signal is found more often in the first patch
        swap = patch == 1
        x[swap] = x[swap][:, [1, 0, *range(2, _PATCHES)]]
    u = np.linalg.svd(w[None])[2][1]
    z = x @ w
    found = [y[:, None] * z, z**2, (x @ u) ** 2, z * z.sum(1, keepdims=True)]
    return mean_evidence("patch t", np.arange(_PATCHES), np.swapaxes(found, 1, 2), _MOMENTS)


# --- alignments -------------------------------------------------------------------------------------------------------

_SETTINGS = ((2, 192, 0.6, 300), (4, 128, 0.4, 400), (8, 96, 0.25, 800))
"""k, d, sigma, n of the one-step claim: d and n / k so large that the limit holds to a hundredth."""
_ALIGNED = tuple(ESTIMATORS)


def _cosine(a: jax.Array, b: jax.Array) -> jax.Array:
    """The squared cosine of vectors along the last axis."""
    return jnp.sum(a * b, -1) ** 2 / (jnp.sum(a**2, -1) * jnp.sum(b**2, -1))


def _one_step(draw: Draw, patch_known: bool | jax.Array) -> jax.Array:
    """The squared cosines of all estimators, in the order of ``ESTIMATORS``."""
    signed = draw.y[:, None, None] * draw.x
    (_, k, _), w = signed.shape, draw.w[None, :]
    mean = signed.mean(0)
    own = jax.nn.one_hot(draw.patch, k, dtype=signed.dtype)[:, :, None]
    known = jnp.where(patch_known, jnp.mean(own * signed, axis=0), mean)
    found = [
        _cosine(mean.sum(0), draw.w),
        _cosine(mean, w).mean(),
        _cosine(mean.ravel(), jnp.tile(draw.w, k)),
        _cosine(known.sum(0), draw.w),
        _cosine(known, w).mean(),
    ]
    return jnp.stack(found)


def _predicted_steps(key: jax.Array) -> np.ndarray:
    return np.array([[predict_alignment(name, *setting).item() for setting in _SETTINGS] for name in _ALIGNED])


@jax.jit
def _steps_taken(key: jax.Array, patch_known: jax.Array) -> list[jax.Array]:
    """(trials, estimators) for each setting."""
    found = []
    for number, (k, d, sigma, n) in enumerate(_SETTINGS):

        def trial(key: jax.Array, size: tuple = (n, k, d, sigma)) -> jax.Array:
            return _one_step(draw_signal(key, *size), patch_known)

        found.append(jax.lax.map(trial, jax.random.split(jax.random.fold_in(key, number), 60)))
    return found


def _measured_steps(key: jax.Array, patch_known: bool) -> Evidence:
    samples = _steps_taken(key, jnp.asarray(patch_known))
    names = [f"({k}, {d}, {sigma}, {n})" for k, d, sigma, n in _SETTINGS]
    return mean_evidence("(k, d, sigma, n)", names, np.transpose(samples, (2, 0, 1)), _ALIGNED)


_SIZES = np.array([100, 200, 400, 800, 1600])
_LINE = (8, 16, 0.3)
"""k, d, sigma."""


def _patch_known_line(key: jax.Array) -> np.ndarray:
    return predict_alignment("lcn, patch known", *_LINE, _SIZES)


def _trained_alignment(key: jax.Array, name: str) -> Evidence:
    """Of the trained weights with the signal, over nested samples."""
    network, (k, d, sigma), n_max = NETWORKS[name], _LINE, int(_SIZES[-1])

    def trial(key: jax.Array) -> jax.Array:
        k_data, k_start = jax.random.split(key)
        draw, start = draw_signal(k_data, n_max, k, d, sigma), network.init(k_start, k, d, network.scale)

        def at(n: jax.Array) -> jax.Array:
            weights = jnp.where(jnp.arange(n_max) < n, 1 / n, 0)
            found = train(network, start, draw.x, draw.y, weights, 200, step_sizes(network, draw.x, weights))
            return _cosine(found["w"].reshape(-1, d), draw.w[None, :]).mean()

        return jax.vmap(at)(jnp.asarray(_SIZES))

    return mean_evidence("samples n", _SIZES, np.asarray(jax.lax.map(trial, jax.random.split(key, 6))).T)


# --- floors -----------------------------------------------------------------------------------------------------------

_ORACLES = tuple((k, sigma) for k in (4, 8, 16) for sigma in (0.1, 0.2, 0.3))


def _oracle_losses(key: jax.Array) -> np.ndarray:
    return np.array([oracle_loss(k, sigma) for k, sigma in _ORACLES])


def _drawn_oracles(key: jax.Array, noisy: bool) -> Evidence:
    """Squared errors of the oracle network on draws, whose signal's patch has noise or none."""
    samples = []
    for number, (k, sigma) in enumerate(_ORACLES):
        draw = draw_signal(jax.random.fold_in(key, number), 40_000, k, 1, sigma, jnp.ones(1))
        own = jax.nn.one_hot(draw.patch, k, dtype=draw.x.dtype)
        z = draw.x[:, :, 0] if noisy else jnp.where(own > 0, draw.y[:, None], draw.x[:, :, 0])
        _, a, b = oracle_network(k, sigma)
        samples.append((a * soft_threshold(z, b).sum(1) - draw.y) ** 2)
    return mean_evidence("(k, sigma)", [f"({k}, {sigma})" for k, sigma in _ORACLES], samples)


def _fitted(
    key: jax.Array, name: str, k: int, d: int, sigma: float | jax.Array, n: int, scale: float | jax.Array
) -> tuple[jax.Array, Draw]:
    """Outputs of a trained network on 2000 new images, and these."""
    k_data, k_test, k_start = jax.random.split(key, 3)
    network, weights = NETWORKS[name], jnp.full(n, 1 / n)
    draw = draw_signal(k_data, n, k, d, sigma)
    test = draw_signal(k_test, 2000, k, d, sigma, draw.w)
    start = network.init(k_start, k, d, scale)
    found = train(network, start, draw.x, draw.y, weights, 300, step_sizes(network, draw.x, weights))
    return network.apply(found, test.x), test


@jax.jit
def _bayes_ratios(key: jax.Array, right: jax.Array) -> jax.Array:
    """(trials, networks, 2): risk and 0/1 error of the posterior mean over those of trained networks, same images."""
    sigma = 0.7

    def trial(key: jax.Array) -> jax.Array:
        found = []
        for name, network in NETWORKS.items():
            f, test = _fitted(jax.random.clone(key), name, 4, 8, sigma, 250, network.scale)
            best = bayes_predictor(test.x, jnp.where(right, test.w, jnp.roll(test.w, 1)), sigma)
            (risk, error), (least_risk, least_error) = (
                (jnp.mean((p - test.y) ** 2), jnp.mean(p * test.y <= 0, dtype=p.dtype)) for p in (f, best)
            )
            found.append(jnp.stack([least_risk / risk, least_error / error]))
        return jnp.stack(found)

    return jax.lax.map(trial, jax.random.split(key, 8))


def _against_bayes(key: jax.Array, right: bool) -> Evidence:
    ratios = np.asarray(_bayes_ratios(key, jnp.asarray(right)))
    return mean_evidence("network", tuple(NETWORKS), ratios.T, ("risk", "0/1 error"))


_NOISE = np.array([0.1, 0.15, 0.2])
"""From 0.25 on some trials escape within 300 steps from weights of 0.01, none from 0.003."""
_TRAP = (8, 4, 1600)
"""k, d, n."""


def _floors(key: jax.Array) -> np.ndarray:
    k, d, n = _TRAP
    return np.array([linear_floor(k, sigma) for sigma in _NOISE]) * (1 + k * d / (n - k * d - 1))


@jax.jit
def _losses_from(key: jax.Array, scale: jax.Array) -> jax.Array:
    """(trials, sigmas), of trained fully connected networks."""
    k, d, n = _TRAP

    def trial(key: jax.Array) -> jax.Array:
        def at(sigma: jax.Array) -> jax.Array:
            f, test = _fitted(key, "fcn", k, d, sigma, n, scale)
            return jnp.mean((f - test.y) ** 2)

        return jax.vmap(at)(jnp.asarray(_NOISE))

    return jax.lax.map(trial, jax.random.split(key, 10))


def _trapped(key: jax.Array, scale: float) -> Evidence:
    return mean_evidence("sigma", _NOISE, np.asarray(_losses_from(key, jnp.asarray(scale))).T)


# --- Fano -------------------------------------------------------------------------------------------------------------

_MODELS, _SIDE, _FREQUENCY = 1024, 128, 1 / 4
_FEW = np.array([4, 8, 16, 32, 64, 128])


def packing(draw: np.random.Generator, size: int, d: int, largest: float) -> np.ndarray:
    """Unit vectors whose inner products are below a number: drawn until they are.

    Args:
        draw: numpy generator.
        size: how many.
        d: dimension.
        largest: inner product of two of them.

    Returns:
        (size, d).

    Raises:
        ValueError: a hundred drawings did not do.

    Example:
        >>> v = packing(np.random.default_rng(0), 100, 64, 0.6)
        >>> bool(np.max(v @ v.T - 2 * np.eye(100)) < 0.6)
        True
    """
    for _ in range(100):
        v = draw.normal(size=(size, d))
        v /= np.linalg.norm(v, axis=1, keepdims=True)
        if np.max(v @ v.T - 2 * np.eye(size)) < largest:
            return v
    raise ValueError(
        f"packing found no {size} unit vectors of R^{d} with inner products below {largest}; ask for fewer"
    )


def _models(key: jax.Array) -> np.ndarray:
    return packing(generator(jax.random.fold_in(key, 1)), _MODELS, _SIDE, 0.5)


def _fano(key: jax.Array) -> np.ndarray:
    """``(n max KL + ln 2) / ln M``, at most 1, at sigma = 1."""
    models = _models(key)
    farthest = np.max(2 - 2 * models @ models.T)
    return np.minimum(1, (_FEW * _FREQUENCY * farthest / 2 + np.log(2)) / np.log(_MODELS))


def _found_models(key: jax.Array, told: float) -> Evidence:
    """How often the nearest model to the mean of one patch, with noise of the estimator's own, is the true one.

    The mean is over the samples whose signal is in that patch, which is more than an estimator knows. Its law given
    their number is known, and it is drawn from that. ``told`` moves the estimator's noise towards the true model.
    """
    models, draw, trials, samples = _models(key), generator(key), 4000, []
    for n in _FEW:
        true = draw.integers(_MODELS, size=trials)
        count = draw.binomial(n, _FREQUENCY, size=(trials, 1))
        total = count * models[true] + np.sqrt(count) * draw.normal(size=(trials, _SIDE))
        own = 0.5 * draw.normal(size=(trials, _SIDE)) + told * models[true]
        samples.append(np.argmax((total + own) @ models.T, axis=1) == true)
    return mean_evidence("samples n", _FEW, samples)


CLAIMS = (
    Claim(
        name="training_commutes_with_the_group",
        statement="If the data and the initial weights are moved together, networks trained by gradient descent with "
        "momentum predict the same: fully connected ones under all rotations, locally connected ones under one of "
        "each patch, convolutions under a common one, overlapping ones under shifts.",
        formula="A(U x, y; U w_0)(U x') = A(x, y; w_0)(x') for U in O(kd), O(d)^k and S_k, O(d) and S_k",
        source=source("equivariant algorithms"),
        kind="identity",
        predict=lambda key: _trained(key, _MOVED, _by_momentum, _neutral()),
        measure=lambda key: _trained_evidence(key, _MOVED, _by_momentum, _orthogonal),
        violate=lambda key: _trained_evidence(key, _MOVED, _by_adam, _orthogonal),
        dropped="training is gradient descent (it is Adam)",
    ),
    Claim(
        name="adam_keeps_signed_permutations",
        statement="Adam commutes with permutations and changes of sign of the coordinates that are in the network's "
        "group.",
        formula="A(P x, y; P w_0)(P x') = A(x, y; w_0)(x') for signed permutations P",
        source=source("algorithms that are not orthogonally equivariant"),
        kind="identity",
        predict=lambda key: _trained(key, _ROTATED, _by_adam, _neutral()),
        measure=lambda key: _trained_evidence(key, _ROTATED, _by_adam, _signed_permutation),
        violate=lambda key: _trained_evidence(key, _ROTATED, _by_adam, _orthogonal),
        dropped="the matrices are signed permutations (they are any orthogonal ones)",
    ),
    Claim(
        name="networks_are_nested",
        statement="A convolution is a locally connected network whose patches have the same weights, and that is a "
        "fully connected one whose units see one patch each.",
        formula="CNN in LCN in FCN: w_i = w; w_i = (0, ..., w_i, ..., 0)",
        source=source("the three architectures"),
        kind="identity",
        predict=_small_networks,
        measure=lambda key: _in_large_ones(0),
        violate=lambda key: _in_large_ones(1),
        dropped="weights are put where they belong (they are one place further)",
    ),
    Claim(
        name="signal_networks_are_odd",
        statement="All networks are odd, so that the sign of the label carries over.",
        formula="f(-x) = -f(x)",
        source=source("the three architectures"),
        kind="identity",
        predict=_odd,
        measure=lambda key: _of_the_negative(linear_scores=False),
        violate=lambda key: _of_the_negative(linear_scores=True),
        dropped="scores of attention are even in the image (they are linear)",
    ),
    Claim(
        name="shared_weights_ignore_the_order_of_patches",
        statement="Convolution and attention do not depend on the order of the patches.",
        formula="f(x_p(1), ..., x_p(k)) = f(x_1, ..., x_k)",
        source=source("the three architectures"),
        kind="identity",
        predict=_in_order,
        measure=lambda key: _out_of_order(("cnn", "attention")),
        violate=lambda key: _out_of_order(("lcn", "attention")),
        dropped="patches share their weights (each has its own)",
    ),
    Claim(
        name="dynamic_signal_moments",
        statement="The signed mean of an image has the k-th part of the signal in each patch, and its covariance is "
        "that of the noise and a k-th of the signal's square in each block.",
        formula="E[y x] = 1/k sum_t mu_t, Cov(x) = sigma^2 I + 1/k diag(w w^T, ..., w w^T)",
        source=source("the distribution"),
        kind="ratio",
        predict=_known_moments,
        measure=lambda key: _drawn_moments(key, uniform=True),
        violate=lambda key: _drawn_moments(key, uniform=False),
        dropped="all patches hold the signal equally often (the second one's is in the first)",
    ),
    Claim(
        name="one_step_alignments",
        statement="One step of gradient descent from zero finds the signal up to an angle known in closed form, for "
        "three networks, and for two that are told the patch.",
        formula="cos^2 = 1 / (1 + sigma^2 s / n), s = kd, k^2 d, k^2 d; d, kd if the patch is known",
        source=source("mechanism of the upper bounds"),
        kind="ratio",
        predict=_predicted_steps,
        measure=lambda key: _measured_steps(key, patch_known=True),
        violate=lambda key: _measured_steps(key, patch_known=False),
        dropped="the patch is known where the formula has it so",
    ),
    Claim(
        name="lcn_stays_below_the_patch_known_line",
        statement="A trained locally connected network is not better aligned with the signal than means over the "
        "samples whose patch is known.",
        formula="mean_i cos^2(w_i, w*) <= 1 / (1 + sigma^2 k d / n)",
        source=source("lower bound for locally connected networks"),
        kind="bound",
        predict=_patch_known_line,
        measure=lambda key: _trained_alignment(key, "lcn"),
        violate=lambda key: _trained_alignment(key, "cnn"),
        dropped="each patch has weights of its own (they are shared)",
    ),
    Claim(
        name="oracle_loss_on_draws",
        statement="The best thresholded network that knows the signal has the risk of its closed form.",
        formula="min_(a, b) E (a sum_i phi_b(w* . x_i) - y)^2 = 1 - (E S)^2 / (E S^2 + (k - 1) E N^2)",
        source=source("loss of the ground-truth network, from which targets are counted"),
        kind="ratio",
        predict=_oracle_losses,
        measure=lambda key: _drawn_oracles(key, noisy=True),
        violate=lambda key: _drawn_oracles(key, noisy=False),
        dropped="the signal's patch is noisy, too",
    ),
    Claim(
        name="no_network_beats_the_posterior_mean",
        statement="The posterior mean of the label, and its sign, have a lower risk and 0/1 error than every trained "
        "network.",
        formula="R(Bayes) / R(f) <= 1, E[y | x] = sum_t sinh(w* . x_t / sigma^2) / sum_t cosh(w* . x_t / sigma^2)",
        source=source("the distribution"),
        kind="bound",
        predict=lambda key: np.ones((2, len(NETWORKS))),
        measure=lambda key: _against_bayes(key, right=True),
        violate=lambda key: _against_bayes(key, right=False),
        dropped="the signal is known (another one is taken for it)",
    ),
    Claim(
        name="fcn_from_small_weights_is_linear",
        statement="A fully connected network that starts from small weights stays linear, and its risk at the floor "
        "of linear networks.",
        formula="R = k sigma^2 / (1 + k sigma^2) (1 + kd / (n - kd - 1))",
        source=source("lower bound for fully connected networks, its clause on the bias"),
        kind="ratio",
        predict=_floors,
        measure=lambda key: _trapped(key, 0.003),
        violate=lambda key: _trapped(key, 0.2),
        dropped="weights start small (their standard deviation is 0.2, and not 0.003)",
    ),
    Claim(
        name="fano_for_randomised_estimators",
        statement="An estimator of one patch's signal, also a randomised one, finds the right one of M no more often "
        "than the information in its samples allows.",
        formula="P(found) <= (n |w - w'|_max^2 / (2 sigma^2 k) + ln 2) / ln M",
        source=source("Fano's inequality for randomised algorithms; the generic form"),
        kind="bound",
        predict=_fano,
        measure=lambda key: _found_models(key, told=0.0),
        violate=lambda key: _found_models(key, told=4.0),
        dropped="what the estimator draws is independent of the model (it leans towards it)",
    ),
)
