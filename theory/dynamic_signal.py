r"""One signal patch among noise: the distribution, five networks with one training rule, and what they can reach.

Setting. An image is k patches of d numbers. A patch t and a label y = +-1 are drawn uniformly, and

    ``x = y mu_t + sigma xi``,   ``mu_t`` = unknown unit vector w* in patch t, zeros elsewhere,   ``xi ~ N(0, I_kd)``,

so that the patch of the signal is noisy too. ``sigma`` is the standard deviation of each noise coordinate, the signal
has length 1, and a risk is ``E (f(x) - y)^2``. With the soft threshold ``phi_b(z) = sign(z) (|z| - b)_+`` and one
common bias b >= 0,

==========  ===============================================  =====================  ==================================
network     f(x)                                             weights                trained alike after moving
==========  ===============================================  =====================  ==================================
cnn         ``sum_i phi_b(w . x_i)``                         w in R^d               all patches by one Q in O(d)
lcn         ``sum_i phi_b(w_i . x_i)``                       k vectors of R^d       each patch by a Q_i of its own
fcn         ``sum_i phi_b(w_i . x)``, k units                k vectors of R^kd      the image by a Q in O(kd)
attention   ``sum_i softmax_i(b (w . x_i)^2) w . x_i``       w in R^d               all patches by one Q in O(d)
overlap     ``sum_p phi_b(w . x_(p, ..., p + d - 1))``       w in R^d               circular shifts of the kd numbers
==========  ===============================================  =====================  ==================================

All are odd in x, so that the sign of the label carries over. CNN, LCN, FCN and attention also do not mind a permutation
of the patches before training. The scores of attention are quadratic because a linear score is not even in x and f
would not be odd; they share w with the read-out, so that attention differs from the CNN in its pooling alone, and at
b = 0 is its linear network divided by k.

Training is full-batch gradient descent with momentum 0.9 on half the mean squared error, from Gaussian weights and
b = 0. The step is 0.3 over the largest curvature that the network without a threshold has on the sample, so that no
network has to have its rates searched, and is found without choosing coordinates: training commutes with the groups of
the table. ``b_0 > 0`` with small weights is a dead start, whose gradient is exactly zero.

Known: the distribution and the classes of algorithms are recalled from the paper and read about in texts on it; the
architectures are recalled; the sigma of its experiments was **not found**; the training rule, attention, overlap and
all closed forms are ours.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.optimize
import scipy.special
from jaxtyping import Array, Float, Int, PRNGKeyArray

__all__ = [
    "ESTIMATORS",
    "NETWORKS",
    "Draw",
    "Network",
    "Steps",
    "bayes_error",
    "bayes_predictor",
    "bayes_risk",
    "descend",
    "draw_signal",
    "linear_floor",
    "oracle_loss",
    "oracle_network",
    "oracle_on_draws",
    "predict_alignment",
    "soft_threshold",
    "step_sizes",
    "train",
]


class Draw(NamedTuple):
    """A sample of the dynamic signal distribution.

    Attributes:
        x: (n, k, d), images.
        y: (n,), labels, -1 or 1.
        patch: (n,), the patch that holds the signal, 0 ... k - 1.
        w: (d,), the signal w*, of length 1.
    """

    x: Float[Array, "n k d"]
    y: Float[Array, "n"]
    patch: Int[Array, "n"]
    w: Float[Array, "d"]


def _known(value: float | Array) -> bool:
    return not isinstance(value, jax.core.Tracer)


def draw_signal(
    key: PRNGKeyArray, n: int, k: int, d: int, sigma: float | Float[Array, ""], w: Float[Array, "d"] | None = None
) -> Draw:
    """Draws of the dynamic signal distribution.

    ``x = y mu_t + sigma xi``

    Args:
        key: random key.
        n: samples.
        k: patches of an image.
        d: numbers of a patch.
        sigma: standard deviation of each noise coordinate; may be traced.
        w: the signal, of length 1; None draws it uniformly. Give the test sample of a trial that of its training
            sample.

    Returns:
        The sample, in the dtype of ``w``, or JAX's default float. Under ``jit``, a negative ``sigma`` or a ``w`` that
        is not of length 1 makes x NaN.

    Raises:
        ValueError: a size below 1, a negative ``sigma``, or a ``w`` of another shape or length.

    Example:
        >>> draw = draw_signal(jax.random.key(0), 6, k=3, d=4, sigma=0.0)
        >>> draw.x.shape, bool(jnp.all(draw.x[0, draw.patch[0]] == draw.y[0] * draw.w))
        ((6, 3, 4), True)

    Reference:
        Lahoti, Karp, Winston, Singh, Li, ICLR 2024 (arXiv 2403.15707).
    """
    if min(n, k, d) < 1:
        raise ValueError(f"draw_signal needs n, k and d of at least 1, got n = {n}, k = {k}, d = {d}")
    if _known(sigma) and not sigma >= 0:
        raise ValueError(f"draw_signal needs a standard deviation sigma of at least 0, got {sigma}")
    k_w, k_y, k_patch, k_noise = jax.random.split(key, 4)
    if w is None:
        w = jax.random.normal(k_w, (d,), float)
        w = w / jnp.linalg.norm(w)
    if w.shape != (d,):
        raise ValueError(f"draw_signal needs a signal w of shape {(d,)}, got {w.shape}")
    unit = jnp.abs(jnp.linalg.norm(w) - 1) < 1e-3
    if _known(unit) and not unit:
        raise ValueError(f"draw_signal needs a signal w of length 1, got length {jnp.linalg.norm(w):.4g}; divide by it")
    sigma = jnp.asarray(sigma, w.dtype)
    sigma = jnp.where((sigma >= 0) & unit, sigma, jnp.nan)
    y = jax.random.rademacher(k_y, (n,), w.dtype)
    patch = jax.random.randint(k_patch, (n,), 0, k)
    here = patch[:, None] == jnp.arange(k, dtype=patch.dtype)[None, :]
    noise = jax.random.normal(k_noise, (n * k * d,), w.dtype).reshape(n, k, d)  # drawn flat: compiles faster
    signal = jnp.where(here, y[:, None], 0)[:, :, None] * w[None, None, :]
    return Draw(signal + sigma * noise, y, patch, w)


def soft_threshold(z: Float[Array, "..."], b: float | Float[Array, ""]) -> Float[Array, "..."]:
    """The odd activation of all networks: what is left of z beyond a threshold.

    ``phi_b(z) = sign(z) (|z| - b)_+``

    Args:
        z: pre-activations.
        b: threshold, at least 0; may be traced.

    Returns:
        Like z; NaN where z is, and everywhere if a traced ``b`` is negative.

    Raises:
        ValueError: ``b`` is negative.

    Example:
        >>> soft_threshold(jnp.array([-3.0, 0.5, 2.0]), 1.0).tolist()
        [-2.0, 0.0, 1.0]
    """
    if _known(b) and not b >= 0:
        raise ValueError(f"soft_threshold needs a threshold b of at least 0, got {b}")
    b = jnp.asarray(b, z.dtype)
    b = jnp.where(b >= 0, b, jnp.nan)
    return jnp.where(jnp.abs(z) <= b, 0, z - jnp.sign(z) * b)


# --- networks ---------------------------------------------------------------------------------------------------------

Params = dict[str, Array]


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """An architecture: how it starts, what it computes, and how large steps it bears.

    Attributes:
        name: as in ``NETWORKS``.
        init: ``init(key, k, d, scale, dtype) -> {"w", "b"}``, weights ``N(0, scale^2)`` and b = 0.
        apply: ``apply(params, x) -> f``, from (..., k, d) to (...).
        size: ``size(x, weights) -> lambda_max``, (): the largest curvature of half the mean squared error in w at
            b = 0, on images (n, k, d) with weights (n,); for attention, whose curvature grows with b, that of
            ``sum_ij weights_j x_ji x_ji^T``, which bounds it while the scores are held.
        bias_step: ``bias_step(k, d)``, the step of b.
        scale: of the initial weights, if nothing else is asked for.
    """

    name: str
    init: Callable[..., Params]
    apply: Callable[[Params, Array], Array]
    size: Callable[[Array, Array], Array]
    bias_step: Callable[[int, int], float]
    scale: float


def _start(shape: Callable[[int, int], tuple[int, ...]]) -> Callable[..., Params]:
    def init(key: PRNGKeyArray, k: int, d: int, scale: float | Array, dtype: type = float) -> Params:
        w = jax.random.normal(key, shape(k, d), dtype)
        return {"w": jnp.asarray(scale, w.dtype) * w, "b": jnp.zeros((), dtype)}

    return init


def _flat(x: Array) -> Array:
    return x.reshape(*x.shape[:-2], -1)


def _largest(rows: Float[Array, "n p"], weights: Float[Array, "n"]) -> Float[Array, ""]:
    """The largest eigenvalue of ``rows^T diag(weights) rows``, by 30 steps of the power method, from below.

    The start is among the samples and not among the coordinates, so that the result does not change if an orthogonal
    matrix moves the rows.
    """
    root = jnp.sqrt(weights)
    a = root[:, None] * rows

    def step(u: Array, _: None) -> tuple[Array, Array]:
        u = a @ (a.T @ u)
        value = jnp.linalg.norm(u)
        return u / jnp.where(value > 0, value, 1), value

    start = root * jnp.cos(jnp.arange(len(weights), dtype=rows.dtype))
    start = start / jnp.where((weights > 0).any(), jnp.linalg.norm(start), 1)
    return jax.lax.scan(step, start, None, length=30)[1][-1]


def _cnn(params: Params, x: Array) -> Array:
    return soft_threshold(x @ params["w"], params["b"]).sum(-1)


def _lcn(params: Params, x: Array) -> Array:
    k, d = params["w"].shape
    z = jnp.swapaxes(x.reshape(-1, k, d), 0, 1) @ params["w"][:, :, None]  # twice as fast as the einsum in a batch
    return soft_threshold(z[:, :, 0], params["b"]).sum(0).reshape(x.shape[:-2])


def _fcn(params: Params, x: Array) -> Array:
    return soft_threshold(_flat(x) @ _flat(params["w"]).T, params["b"]).sum(-1)


def _attention(params: Params, x: Array) -> Array:
    z = x @ params["w"]
    return (jax.nn.softmax(params["b"] * z**2, axis=-1) * z).sum(-1)


def _overlap(params: Params, x: Array) -> Array:
    (d,), flat = params["w"].shape, _flat(x)
    size = flat.shape[-1]
    further = jnp.concatenate([flat, flat[..., : d - 1]], axis=-1)
    z = sum(params["w"][j] * further[..., j : j + size] for j in range(d))
    return soft_threshold(z, params["b"]).sum(-1)


NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        Network(
            "cnn",
            _start(lambda k, d: (d,)),
            _cnn,
            lambda x, weights: _largest(x.sum(1), weights),
            lambda k, d: 0.1 / k,
            0.01,
        ),
        Network(
            "lcn",
            _start(lambda k, d: (k, d)),
            _lcn,
            lambda x, weights: _largest(_flat(x), weights),
            lambda k, d: 0.1 / k,
            0.01,
        ),
        Network(
            "fcn",
            _start(lambda k, d: (k, k, d)),
            _fcn,
            lambda x, weights: x.shape[1] * _largest(_flat(x), weights),
            lambda k, d: 0.1 / k,
            0.2,
        ),
        Network(
            "attention",
            _start(lambda k, d: (d,)),
            _attention,
            lambda x, weights: _largest(x.reshape(-1, x.shape[2]), jnp.repeat(weights, x.shape[1])),
            lambda k, d: 10.0,
            0.01,
        ),
        Network(
            "overlap",
            _start(lambda k, d: (d,)),
            _overlap,
            lambda x, weights: x.shape[2] * jnp.sum(weights * x.sum((1, 2)) ** 2),
            lambda k, d: 0.1 / (k * d),
            0.2,
        ),
    )
}


# --- training ---------------------------------------------------------------------------------------------------------


class Steps(NamedTuple):
    """Step sizes of the weights and of the bias; numbers or traced ()."""

    w: float | Float[Array, ""]
    b: float | Float[Array, ""]


def step_sizes(network: Network, x: Float[Array, "n k d"], weights: Float[Array, "n"]) -> Steps:
    """The steps that need no search: ``0.3 / lambda_max`` for the weights, 0.1 over the number of units for b.

    b of attention is no threshold but an inverse temperature, which has to become large; its step is 10.

    Args:
        network: whose ``size`` and ``bias_step`` are used.
        x: images.
        weights: of the samples, adding up to 1; 0 for those that are masked.

    Example:
        >>> draw, weights = draw_signal(jax.random.key(0), 50, k=5, d=2, sigma=0.0), jnp.full(50, 1 / 50)
        >>> [round(float(s), 3) for s in step_sizes(NETWORKS["cnn"], draw.x, weights)]
        [0.3, 0.02]
    """
    return Steps(0.3 / network.size(x, weights), jnp.asarray(network.bias_step(*x.shape[1:]), x.dtype))


def descend(
    network: Network,
    params: Params,
    x: Float[Array, "n k d"],
    y: Float[Array, "n"],
    weights: Float[Array, "n"],
    n_steps: int,
    optimizer: optax.GradientTransformation,
) -> Params:
    """Full-batch descent on ``1/2 sum_j weights_j (f(x_j) - y_j)^2`` with any rule, b kept at least 0.

    Args:
        network: architecture.
        params: start.
        x: images.
        y: labels.
        weights: of the samples, adding up to 1; 0 for those that are masked.
        n_steps: steps.
        optimizer: rule that turns gradients into updates.

    Returns:
        The parameters after the last step, in the dtype of ``params``.
    """

    def loss(p: Params) -> Array:
        return jnp.sum(weights * (network.apply(p, x) - y) ** 2) / 2

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        p, state = carry
        updates, state = optimizer.update(jax.grad(loss)(p), state, p)
        p = {"w": p["w"] + updates["w"], "b": jnp.maximum(p["b"] + updates["b"], 0)}
        return (p, state), None

    return jax.lax.scan(step, (params, optimizer.init(params)), None, length=n_steps)[0][0]


def train(
    network: Network,
    params: Params,
    x: Float[Array, "n k d"],
    y: Float[Array, "n"],
    weights: Float[Array, "n"],
    n_steps: int,
    steps: Steps,
    momentum: float = 0.9,
) -> Params:
    """Gradient descent with momentum, ``v <- momentum v + grad``, ``params <- params - steps v``, ``b <- max(b, 0)``.

    Everything but ``n_steps`` may be traced: map it over trials, over sample sizes (``weights``) and over step sizes.
    A ``vmap`` over sizes and steps with x unbatched shares one product of matrices. Thresholds make the result a
    discontinuous function of the start: after some hundred steps float32 and float64 may end in two different minima.

    Args:
        network: architecture.
        params: start, as from ``network.init``.
        x: images; rows of weight 0 count for nothing.
        y: labels.
        weights: of the samples, ``mask / n``.
        n_steps: steps.
        steps: as from ``step_sizes``.
        momentum: in [0, 1).

    Returns:
        The trained parameters.

    Example:
        >>> keys, net = jax.random.split(jax.random.key(0)), NETWORKS["cnn"]
        >>> draw, weights = draw_signal(keys[0], 200, k=4, d=8, sigma=0.1), jnp.full(200, 1 / 200)
        >>> start = net.init(keys[1], 4, 8, net.scale)
        >>> found = train(net, start, draw.x, draw.y, weights, 100, step_sizes(net, draw.x, weights))
        >>> bool(found["w"] @ draw.w > 0.98 * jnp.linalg.norm(found["w"]))
        True

    Differs from the paper:
        The paper's theorem has two steps with projected weights, whose formulas were not found.
    """

    def update(gradient: Params, velocity: Params, _: Params) -> tuple[Params, Params]:
        velocity = {name: momentum * velocity[name] + gradient[name] for name in gradient}
        return {"w": -steps.w * velocity["w"], "b": -steps.b * velocity["b"]}, velocity

    rule = optax.GradientTransformation(lambda p: jax.tree.map(jnp.zeros_like, p), update)
    return descend(network, params, x, y, weights, n_steps, rule)


# --- closed forms -----------------------------------------------------------------------------------------------------

ESTIMATORS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "cnn": lambda k, d: k * d,
    "lcn": lambda k, d: k**2 * d,
    "fcn": lambda k, d: k**2 * d,
    "cnn, patch known": lambda k, d: d,
    "lcn, patch known": lambda k, d: k * d,
}
"""Estimators of the signal from signed means, and their samples at ``cos^2 = 1/2`` in units of ``sigma^2``."""


def predict_alignment(estimator: str, k: int, d: int, sigma: float, n: np.ndarray | float) -> np.ndarray:
    """How well one step finds the signal: the squared cosine of an estimate with the truth, for large d and n / k.

    ``cos^2 = 1 / (1 + sigma^2 s(k, d) / n)`` with s from ``ESTIMATORS``.

    With ``m_i = 1/n sum_j y_j x_j^(i)``, the first step of gradient descent from zero, the estimates are ``sum_i m_i``
    (cnn), ``m_i`` for w* (lcn), all of m for ``sum_t mu_t`` (fcn); with the patch known the means are over the samples
    whose patch is the signal's. What is left out is of order 1 / d, and k / n: patches do not hold the signal equally
    often, which for fcn adds ``(k - 1) / n`` to the denominator.

    Args:
        estimator: a key of ``ESTIMATORS``.
        k: patches.
        d: numbers of a patch.
        sigma: standard deviation of each noise coordinate.
        n: samples, any shape.

    Returns:
        Like ``n``, float64.

    Raises:
        ValueError: an unknown estimator.

    Example:
        >>> predict_alignment("lcn, patch known", k=8, d=16, sigma=0.3, n=100).round(3).item()
        0.897
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"no estimator {estimator!r}; there are {', '.join(ESTIMATORS)}")
    n = np.asarray(n, np.float64)
    return n / (n + sigma**2 * ESTIMATORS[estimator](k, d))


def _check_law(name: str, k: int, sigma: float) -> None:
    if k < 1 or not sigma >= 0:
        raise ValueError(f"{name} needs k of at least 1 and sigma of at least 0, got k = {k} and sigma = {sigma}")


def linear_floor(k: int, sigma: float) -> float:
    """The least risk of a linear network: ``k sigma^2 / (1 + k sigma^2)``, that of ``<sum_t mu_t, x>`` rescaled.

    Args:
        k: patches.
        sigma: standard deviation of each noise coordinate.

    Example:
        >>> round(linear_floor(8, 0.2), 3)
        0.242
    """
    _check_law("linear_floor", k, sigma)
    return k * sigma**2 / (1 + k * sigma**2)


def _thresholded(mean: float, sigma: float, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first two moments of ``phi_b(mean + sigma g)``, g a standard normal number."""

    def half(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Moments of ``(c + g)_+``."""
        tail, density = scipy.special.ndtr(c), np.exp(-(c**2) / 2) / np.sqrt(2 * np.pi)
        return c * tail + density, (1 + c**2) * tail + c * density

    above, below = half((mean - b) / sigma), half((-mean - b) / sigma)
    return sigma * (above[0] - below[0]), sigma**2 * (above[1] + below[1])


def oracle_network(k: int, sigma: float) -> tuple[float, float, float]:
    """The best network that knows the signal: ``f = a sum_i phi_b(w* . x_i)`` with the best a and b.

    With S and N the activations of the signal's patch (at y = 1) and of one with noise, the risk is ``1 - (E S)^2 /
    (E S^2 + (k - 1) E N^2)`` at ``a = E S / (E S^2 + (k - 1) E N^2)``; its moments are known and b is searched.

    Args:
        k: patches.
        sigma: standard deviation of each noise coordinate.

    Returns:
        Risk, a, b. Without noise many are best, and the one without a threshold is returned.

    Example:
        >>> [round(number, 2) for number in oracle_network(8, 0.2)]
        [0.1, 1.31, 0.31]
    """
    _check_law("oracle_network", k, sigma)
    if sigma == 0:
        return 0.0, 1.0, 0.0

    def moments(b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first, second = _thresholded(1.0, sigma, b)
        return first, second + (k - 1) * _thresholded(0.0, sigma, b)[1]

    def risk(b: np.ndarray) -> np.ndarray:
        first, second = moments(b)
        return 1 - first**2 / second

    grid = np.linspace(0, 1 + 5 * sigma, 400)
    best = int(np.argmin(risk(grid)))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    b = scipy.optimize.minimize_scalar(risk, bounds=(low, high), method="bounded", options={"xatol": 1e-10}).x
    b = b if risk(b) < risk(grid[best]) else grid[best]
    first, second = moments(b)
    return float(risk(b)), float(first / second), float(b)


def oracle_loss(k: int, sigma: float) -> float:
    """The risk of ``oracle_network``, from which targets are counted.

    Args:
        k: patches.
        sigma: standard deviation of each noise coordinate.

    Example:
        >>> [round(oracle_loss(k, 0.2), 3) for k in (4, 8, 16)]
        [0.082, 0.097, 0.113]
    """
    return oracle_network(k, sigma)[0]


@functools.cache
def _with_signal(network: Network, k: int, d: int, signals: int, n: int) -> Callable[..., tuple[Array, Array]]:
    """Labels, and outputs with each signal as the weight, at a traced threshold; one row for each signal."""

    def one(key: PRNGKeyArray, sigma: Array, b: Array) -> tuple[Array, Array]:
        draw = draw_signal(key, n, k, d, sigma)
        return draw.y, network.apply({"w": draw.w, "b": b}, draw.x)

    def outputs(key: PRNGKeyArray, sigma: Array, b: Array) -> tuple[Array, Array]:
        return jax.lax.map(lambda own: one(own, sigma, b), jax.random.split(key, signals))

    return jax.jit(outputs)


def oracle_on_draws(
    key: PRNGKeyArray, network: Network, k: int, d: int, sigma: float, signals: int = 20, draws: int = 20_000
) -> tuple[float, float]:
    """The risk of the best network whose shared weight points along the signal, and its standard error over signals.

    ``min_b 1 - (E y f_b)^2 / E f_b^2`` with f_b at weight w*; the length of the weight and b are best together, the
    same for every signal. For cnn it is ``oracle_loss``; overlap has no closed form, because what a kernel sees of a
    signal that it is not aligned with depends on the signal, and attention's needs k integrals.

    Args:
        key: random key.
        network: with one weight (d,): cnn, attention or overlap.
        k: patches.
        d: numbers of a patch.
        sigma: standard deviation of each noise coordinate.
        signals: drawn ones.
        draws: images of them all together.

    Raises:
        ValueError: a network with more than one weight.

    Example:
        >>> risk, error = oracle_on_draws(jax.random.key(0), NETWORKS["attention"], k=8, d=4, sigma=0.2)
        >>> error < 0.01 < risk < oracle_loss(8, 0.2)
        True
    """
    _check_law("oracle_on_draws", k, sigma)
    if network.init(jax.random.clone(key), k, d, 1.0)["w"].shape != (d,):
        raise ValueError(f"oracle_on_draws needs a network with one shared weight, got {network.name}")
    program = _with_signal(network, k, d, signals, max(draws // signals, 1))

    def moments(log_b: float) -> tuple[np.ndarray, ...]:
        y, f = (np.asarray(a, np.float64) for a in program(jax.random.clone(key), sigma, np.exp(log_b)))
        return y * f, f**2

    def risk(log_b: float) -> float:
        first, second = (m.mean() for m in moments(log_b))
        return float(1 - first**2 / second) if second > 0 else 1.0

    least = scipy.optimize.minimize_scalar(risk, bounds=np.log([1e-3, 1e3]), method="bounded", options={"xatol": 1e-3})
    first, second = moments(least.x)
    a = first.mean() / second.mean()
    influence = np.mean(-2 * a * (first - first.mean()) + a**2 * (second - second.mean()), axis=1)
    return float(least.fun), float(influence.std(ddof=1) / np.sqrt(signals))


# --- the rule that cannot be beaten -----------------------------------------------------------------------------------


def _posterior_mean(z: Float[Array, "... k"], sigma: Float[Array, ""]) -> Float[Array, "..."]:
    """``sum_t sinh u_t / sum_t cosh u_t = tanh(log(sum_t e^u_t / sum_t e^-u_t) / 2)``, ``u = z / sigma^2``."""
    noisy = sigma > 0
    u = z / jnp.where(noisy, sigma, 1) ** 2
    odds = jax.nn.logsumexp(u, axis=-1) - jax.nn.logsumexp(-u, axis=-1)
    return jnp.where(noisy, jnp.tanh(odds / 2), jnp.sign(z.max(-1) + z.min(-1)))


def bayes_predictor(
    x: Float[Array, "... k d"], w: Float[Array, "d"], sigma: float | Float[Array, ""]
) -> Float[Array, "..."]:
    """The mean label of an image if the signal is known: least in risk, and its sign least in 0/1 error.

    ``E[y | x] = sum_t sinh(<w, x_t> / sigma^2) / sum_t cosh(<w, x_t> / sigma^2)``

    Args:
        x: images.
        w: the signal.
        sigma: standard deviation of each noise coordinate; 0 is the limit.

    Example:
        >>> draw = draw_signal(jax.random.key(0), 6, k=3, d=4, sigma=0.1)
        >>> bool(jnp.all(jnp.sign(bayes_predictor(draw.x, draw.w, 0.1)) == draw.y))
        True
    """
    return _posterior_mean(x @ w, jnp.asarray(sigma, x.dtype))


def _bayes_samples(key: PRNGKeyArray, k: int, sigma: float, draws: int) -> tuple[Array, Array]:
    """Labels and their posterior means; only ``w* . x_t`` enters, so that patches of one number suffice."""
    draw = draw_signal(key, draws, k, 1, sigma, jnp.ones(1))
    return draw.y, bayes_predictor(draw.x, draw.w, sigma)


def bayes_risk(key: PRNGKeyArray, k: int, sigma: float, draws: int = 100_000) -> tuple[float, float]:
    """The least risk of all, ``E (1 - E[y | x]^2)``, and its standard error.

    Args:
        key: random key.
        k: patches.
        sigma: standard deviation of each noise coordinate.
        draws: images drawn.

    Example:
        >>> risk, error = bayes_risk(jax.random.key(0), k=8, sigma=0.3, draws=10_000)
        >>> error < 0.01 < risk < oracle_loss(8, 0.3)
        True
    """
    _check_law("bayes_risk", k, sigma)
    _, mean = _bayes_samples(key, k, sigma, draws)
    risk = 1 - np.asarray(mean, np.float64) ** 2
    return float(risk.mean()), float(risk.std(ddof=1) / np.sqrt(draws))


def bayes_error(key: PRNGKeyArray, k: int, sigma: float, draws: int = 100_000) -> tuple[float, float]:
    """The least 0/1 error of all, that of ``sign sum_t sinh(<w*, x_t> / sigma^2)``, and its standard error.

    It is the mean of ``(1 - |E[y | x]|) / 2``, which varies less than counted mistakes.

    Args:
        key: random key.
        k: patches.
        sigma: standard deviation of each noise coordinate.
        draws: images drawn.

    Example:
        >>> error, _ = bayes_error(jax.random.key(0), k=8, sigma=0.3, draws=10_000)
        >>> 0 < error < 0.05
        True
    """
    _check_law("bayes_error", k, sigma)
    _, mean = _bayes_samples(key, k, sigma, draws)
    error = (1 - np.abs(np.asarray(mean, np.float64))) / 2
    return float(error.mean()), float(error.std(ddof=1) / np.sqrt(draws))
