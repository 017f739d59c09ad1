r"""What attention with random query-key matrices learns from few samples: norms, heads, excess risk.

Setting and kernels: ``theory.random_feature_attention``. The labels have no noise; with a unit vector b they are

    query ``<b, x_0>^p``,  key average ``1/N sum_i <b, x_i>^p``,  correlation ``1/N sum_i <x_0, x_i>^p <b, x_i>``.

*Norms.* A function f of the kernel's space has ``y^T (K + ridge I)^-1 y <= |f|^2`` on every sample that it labels, and
if it labels it up to ``delta_i``, then ``<= |f|^2 + sum_i delta_i^2 / ridge``. The kernels are sums of powers of
``s = <x_0, x_0'>`` and ``t_ij = <x_i, x_j'>``; with the coefficients ``c_k`` of ``arc_cosine``

    RFA    ``K = 1/N^2 sum_ij sum_rq lambda_rq s^r t_ij^q``,   ``lambda_rq = sum_k c_k 4^-k C(k, r) C(k + 1, q)``,
    RFMLP  ``K = sum_q lambda_q (sum_i <x_i, x_i'>)^q``,       ``lambda_q = sum_k c_k (N + 2)^-k C(k, q)``.

A polynomial of degree (r, q) has the squared norm ``|F|^2 / lambda_rq``, where ``|F|`` is that of its *symmetric*
tensor, ``F(d/dx, d/dy) F / (r! q!)``. For ``<x, y>^p <b, y>`` this is ``(d + 1) ... (d + p) / (p + 1)!``: smaller by
nearly (p + 1)! than ``d^p``, the norm of the tensor before it is made symmetric, but it still grows as the power p.

For BRFA the coefficients are functions of the scores' means ``a_i = <x_0, x_i>``: ``K = 1/N^2 sum_ij (1 + t_ij) sum_k
rho_ij^k c_k(a_i) c_k(a_j')`` with ``c_k`` from ``relu_mean_coefficients``. So the space has all ``1/N sum_i g(a_i)
<b, x_0>^u <b, x_i>^w`` with ``g = sum_kr h_kr psi_kr``,

    ``psi_kr(a) = a^r c_k(a) sqrt(4^-k C(k, u + r) C(k + 1, w + r) / |<x, y>^r <b, x>^u <b, y>^w|^2)``,

at a squared norm of at most ``sum h_kr^2``, and a power of a need not be paid by a power of d. What is the least
``sum h^2``? For ``g = a^p`` itself it is finite, but grows with d faster than the norm for RFA: for d = 4, 6, 8 it is
240, 486, 868 (p = 1), 748, 1710, 3370 (p = 2) and 2340, 5940, 12800 (p = 3), found with 50 digits. Functions that decay
on one side, as the ``c_k`` do, make a power only with large coefficients. But means of scores are small numbers, of
size ``d^-1/2``, and up to one per cent of the mean square of ``a^p`` little is needed (``predict_norm`` with
``share=0.01``; in brackets RFA at the same share):

    ====  =============  ==============  ===============
    d     p = 1          p = 2           p = 3
    ====  =============  ==============  ===============
    4     52 (22)        160 (594)       523 (7.3e3)
    8     63 (39)        236 (1.8e3)     913 (3.4e4)
    16    69 (74)        307 (6.1e3)     1.4e3 (2.0e5)
    32    66 (143)       347 (2.2e4)     2.0e3 (1.4e6)
    64    48 (282)       324 (8.5e4)     2.6e3 (9.9e6)
    oo    25             316             4.7e3
    ====  =============  ==============  ===============

The last row, the limit of long tokens, is ``(1 - sqrt(share (2 p - 1)!! / p!))^2 p!^2 (G^-1)_pp``, where G is the Gram
matrix of the first p + 1 derivatives at 0 of all ``psi_k0``: means of scores shrink, so that g has to have the p-th
derivative of ``a^p``, none below, and any above. No power of d is in it: a mean spares RFA's power of d, but for what
is left over. Correlations of degree 1 cost BRFA less than RFA from d = 16 on, higher degrees at every d; queries and
key averages, which RFA has with powers alone, cost BRFA more. All these are upper bounds; no matching lower ones were
sought.

*Excess risk.* Interpolation minimises the empirical risk over the ball of radius ``R = |f|``. The mean absolute error
is Lipschitz with constant one, so by symmetrisation and the Rademacher complexity of a ball

    ``E |f_hat - f| <= 2 R E sqrt(tr K / n) / sqrt(n)``,

at every n and without a free constant: the rate ``n^-1/2`` as an envelope. With M heads, noisy labels, and the least
loss over weights with ``|w|^2 <= R^2`` as the fit, the same argument bounds how far the loss is above that on the
samples, with the kernel of these heads as K. The paper's theorem, recalled, has this estimator, with a bound on ``sum_m
|v_m|`` besides, and the same rate up to logarithms; its constants were not found. Where R is large, as for BRFA and for
correlations, the envelope is above the labels themselves for all n that one can run, and says nothing; no useful one
was found for them.

*Heads.* Features of M heads give a kernel that is off by ``M^-1/2``, and to first order so is the fit: the squared gap
falls as 1/M, once M is large enough that the next order does not show: M times the gap still grows by some 5 % from 500
to 3000 heads here, so the claim looks at 1000 to 6000.

Known: the targets and the theorem are recalled; norms, envelope and expansion are derived.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.special

from equiv.layers.attention import (
    TokenKernel,
    attention_kernel,
    biased,
    gaussian,
    mlp_kernel,
    random_feature_attention,
)
from equiv.layers.gaussian_moments import arc_cosine_coefficients
from equiv.layers.ridge import constrained_erm
from theory.claim import Claim, Evidence, bootstrap, generator, mean_evidence
from theory.random_feature_attention import draw_tokens, relu_mean_coefficients, source

__all__ = [
    "CLAIMS",
    "LEAST_SHARE",
    "MODELS",
    "TARGETS",
    "Expansion",
    "biased_expansion",
    "draw_direction",
    "labels",
    "predict_norm",
]

MODELS: dict[str, TokenKernel] = {
    "RFA": attention_kernel(gaussian()),
    "BRFA": attention_kernel(biased()),
    "RFMLP": mlp_kernel,
}
"""Name -> kernel of infinitely many heads."""

TARGETS = ("query", "key average", "correlation")

LEAST_SHARE = 1e-8
"""The least share of a target that an expansion for BRFA may leave in float64."""


def draw_direction(draw: np.random.Generator, d: int) -> np.ndarray:
    """A uniform unit vector, (d,)."""
    b = draw.normal(size=d)
    return b / np.linalg.norm(b)


def _powers(target: str, degree: int) -> tuple[int, int, int]:
    """(u, w, p): ``<b, x_0>^u <b, x_i>^w <x_0, x_i>^p``, averaged over the keys.

    Raises:
        ValueError: an unknown target.
    """
    if target not in TARGETS:
        raise ValueError(f"the target has to be one of {', '.join(TARGETS)}, got {target!r}")
    return {"query": (degree, 0, 0), "key average": (0, degree, 0), "correlation": (0, 1, degree)}[target]


def labels(tokens: np.ndarray, b: np.ndarray, target: str, degree: int) -> np.ndarray:
    """``1/N sum_i <b, x_0>^u <b, x_i>^w <x_0, x_i>^p``, the target without noise.

    Args:
        tokens: (n, N + 1, d).
        b: (d,).
        target: one of ``TARGETS``.
        degree: of the power.

    Returns:
        (n,).

    Raises:
        ValueError: an unknown target.

    Example:
        >>> x = np.array([[[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]])
        >>> labels(x, np.array([0.0, 1.0]), "correlation", 1).round(6).tolist()  # (0.6 * 0.8 + 0 * 1) / 2
        [0.24]
    """
    u, w, p = _powers(target, degree)
    query, keys, score = tokens[:, :1] @ b, tokens[:, 1:] @ b, _scores(tokens)
    return np.mean(query**u * keys**w * score**p, axis=1)


def _scores(tokens: np.ndarray) -> np.ndarray:
    return np.einsum("np,nip->ni", tokens[:, 0], tokens[:, 1:])


# --- norms ------------------------------------------------------------------------------------------------------------

_TERMS, _MOST = 60, 12
"""Powers of rho, and of a, in expansions; more of them could only lower a norm."""


def _symmetric(d: int, u: int, w: int, r: int) -> float:
    """``|<x, y>^r <b, x>^u <b, y>^w|^2`` of the symmetric tensor, where u or w is 0."""
    m = max(u, w)
    return math.prod((d + m + j) / (m + j + 1) for j in range(r))


def _weight(r: int, q: int) -> float:
    """``lambda_rq``."""
    c = arc_cosine_coefficients(300)
    k = np.arange(len(c))
    return float(np.sum(c * scipy.special.binom(k, r) * scipy.special.binom(k + 1, q) * 0.25**k))


def _mlp_weight(q: int, n_keys: int) -> float:
    c = arc_cosine_coefficients(300)
    k = np.arange(len(c))
    return float(np.sum(c * scipy.special.binom(k, q) * float(n_keys + 2) ** -k))


def _reproducing(a: np.ndarray, a2: np.ndarray, d: int, u: int, w: int) -> np.ndarray:
    """``sum_kr psi_kr(a) psi_kr(a')``, (m, m')."""
    first, second = relu_mean_coefficients(a, _TERMS), relu_mean_coefficients(a2, _TERMS)
    k, product, total = np.arange(_TERMS), a[:, None] * a2[None], 0.0
    for r in range(_MOST):
        counts = scipy.special.binom(k, u + r) * scipy.special.binom(k + 1, w + r) * 0.25**k / _symmetric(d, u, w, r)
        total = total + (first.T * counts) @ second * product**r
    return total


class Expansion(NamedTuple):
    """A function g of the score's mean, ``g = sum_kr h_kr psi_kr``, for BRFA.

    Attributes:
        nodes: (m,), in [-1, 1].
        coefficients: (m,), ``g(a) = sum_j coefficients_j sum_kr psi_kr(nodes_j) psi_kr(a)``.
        form: ``(d, u, w)``.
        norm: ``sum h_kr^2``.
        share: the mean square of ``a^p - g(a)`` over that of ``a^p``, for uniform tokens.
    """

    nodes: np.ndarray
    coefficients: np.ndarray
    form: tuple[int, int, int]
    norm: float
    share: float

    def at(self, a: np.ndarray) -> np.ndarray:
        """Values of g at numbers of any shape in [-1, 1]."""
        return (_reproducing(a.ravel(), self.nodes, *self.form) @ self.coefficients).reshape(a.shape)


def biased_expansion(target: str, degree: int, d: int, price: float) -> Expansion:
    """The g that minimises ``sum h^2 + price E (a^p - g(a))^2``, where ``a = <x_0, x_i>`` is that of uniform tokens.

    Args:
        target: one of ``TARGETS``; p is 0 but for correlations.
        degree: of the target.
        d: length of a token, at least 3.
        price: of what is left over.

    Returns:
        The expansion. ``1/N sum_i g(a_i) <b, x_0>^u <b, x_i>^w`` is in the space of BRFA, with a squared norm of at
        most ``norm``.

    Raises:
        ValueError: an unknown target.

    Example:
        >>> some, more = (biased_expansion("correlation", 1, 8, price) for price in (1e3, 1e5))
        >>> some.norm < more.norm, some.share > more.share
        (True, True)
    """
    u, w, p = _powers(target, degree)
    nodes, weights = scipy.special.roots_gegenbauer(40, d / 2 - 1)
    weights = weights / weights.sum()
    root, power = np.sqrt(weights), nodes**p
    values, vectors = np.linalg.eigh(root[:, None] * _reproducing(nodes, nodes, d, u, w) * root[None])
    values, along = np.maximum(values, 0), vectors.T @ (root * power)
    left = along / (1 + price * values)
    share, norm = np.sum(left**2) / np.sum(along**2), np.sum(values * (price * left) ** 2)
    return Expansion(nodes, root * (vectors @ (price * left)), (d, u, w), float(norm), float(share))


def predict_norm(model: str, target: str, degree: int, d: int, n_keys: int, share: float = 0.0) -> float:
    """A squared norm at which a kernel's space has a target, up to a share of its mean square.

    ``|F|^2 (1 - sqrt(share))^2 / lambda`` for RFA and RFMLP, that of the best ``biased_expansion`` for BRFA.

    Args:
        model: one of ``MODELS``.
        target: one of ``TARGETS``.
        degree: p.
        d: length of a token.
        n_keys: N.
        share: mean square of what is left over, over that of the target; for BRFA at least ``LEAST_SHARE``.

    Returns:
        An upper bound on the least squared norm. With ``share=0``, ``y^T K^-1 y`` is below it on every sample.

    Raises:
        ValueError: an unknown model or target, a share that is not from 0 to 1, or is too small for BRFA.

    Example:
        >>> round(predict_norm("RFA", "query", 1, d=6, n_keys=3), 2)
        13.78
        >>> round(predict_norm("BRFA", "correlation", 3, d=64, n_keys=3, share=0.01))
        2640

    Reference:
        Derived here. Fu, Guo, Bai, Mei, NeurIPS 2023 (arXiv 2307.11353) have a bound of this kind, recalled.
    """
    if model not in MODELS:
        raise ValueError(f"the model has to be one of {', '.join(MODELS)}, got {model!r}")
    u, w, p = _powers(target, degree)
    if not 0 <= share < 1:
        raise ValueError(f"the share of a target that is left over has to be from 0 to below 1, got {share}")
    if model == "BRFA":
        return _biased_norm(target, degree, d, share)
    tensor = _symmetric(d, u, w, p)
    if model == "RFA":
        exact = tensor / _weight(u + p, w + p)
    else:
        parts, total = math.factorial(u + p) * math.factorial(w + p), u + w + 2 * p
        averaged = 1 if target == "query" else n_keys
        exact = tensor * parts / math.factorial(total) / averaged / _mlp_weight(total, n_keys)
    return exact * (1 - math.sqrt(share)) ** 2


@functools.cache
def _biased_norm(target: str, degree: int, d: int, share: float) -> float:
    if share < LEAST_SHARE:
        raise ValueError(
            f"float64 finds a norm for BRFA that leaves a share of at least {LEAST_SHARE:g} of a target, got {share:g}"
        )

    def excess(log_price: float) -> float:
        return math.log(biased_expansion(target, degree, d, math.exp(log_price)).share / share)

    return biased_expansion(target, degree, d, math.exp(scipy.optimize.brentq(excess, -10, 50))).norm


# --- norms on a sample ------------------------------------------------------------------------------------------------

_RIDGE = 1e-6
"""Over the mean of the diagonal of K."""
_SHAPE = {"n": 220, "n_keys": 3, "d": 6}
_DEGREES = (1, 2, 3)
_CASES = [(model, target, degree) for model in MODELS for target in TARGETS for degree in _DEGREES]


@functools.partial(jax.jit, static_argnums=0)
def _between(kernel: TokenKernel, x: np.ndarray, y: np.ndarray) -> jax.Array:
    return kernel(x, y)


def _sample(key: jax.Array) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Tokens, the direction of the target, and ``K + ridge I`` of each model."""
    draw = generator(key)
    x, b = draw_tokens(draw, **_SHAPE), draw_direction(draw, _SHAPE["d"])
    grams = {name: np.asarray(_between(kernel, x, x)) for name, kernel in MODELS.items()}
    return x, b, {name: k + _RIDGE * np.trace(k) / len(k) * np.eye(len(k)) for name, k in grams.items()}


def _allowed(key: jax.Array) -> np.ndarray:
    """The bound of each case; for BRFA what the best expansion leaves over on this sample is part of it."""
    x, b, systems = _sample(key)
    ridge = _RIDGE / (1 + _RIDGE) * np.trace(systems["BRFA"]) / len(x)
    score, found = _scores(x), []
    for model, target, degree in _CASES:
        if model != "BRFA":
            found.append(predict_norm(model, target, degree, _SHAPE["d"], _SHAPE["n_keys"]))
            continue
        u, w, _ = _powers(target, degree)
        g = biased_expansion(target, degree, _SHAPE["d"], len(x) / ridge / _SHAPE["d"] ** max(u, w))
        made = np.mean(g.at(score) * (x[:, :1] @ b) ** u * (x[:, 1:] @ b) ** w, axis=1)
        found.append(g.norm + np.sum((labels(x, b, target, degree) - made) ** 2) / ridge)
    return np.array(found)


def _spent(key: jax.Array, shuffled: bool) -> Evidence:
    """``y^T (K + ridge I)^-1 y``."""
    x, b, systems = _sample(key)
    order = generator(jax.random.fold_in(key, 1)).permutation(len(x)) if shuffled else np.arange(len(x))
    found = []
    for model, target, degree in _CASES:
        y = labels(x, b, target, degree)[order]
        found.append(y @ scipy.linalg.solve(systems[model], y, assume_a="pos"))
    return Evidence("model, target, degree", [f"{m}, {t}, {p}" for m, t, p in _CASES], found)


_SHARE, _LENGTHS = 0.01, np.array([16, 32, 64])


def _cost_of_a_mean(target: str) -> Evidence:
    """The norm with a mean over the norm without, (degrees, lengths)."""
    found = [
        [np.divide(*(predict_norm(m, target, p, int(d), 1, _SHARE) for m in ("BRFA", "RFA"))) for d in _LENGTHS]
        for p in _DEGREES
    ]
    return Evidence("length d of a token", _LENGTHS, found, tuple(f"degree {p}" for p in _DEGREES))


# --- fits -------------------------------------------------------------------------------------------------------------


def _fit(gram: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    """Labels of all rows of K (m, n), whose first n rows are those of the samples."""
    n = len(y)
    return gram @ scipy.linalg.solve(gram[:n] + ridge * np.eye(n), y, assume_a="pos")


_CONTEST = {"d": 8, "n_keys": 3, "samples": np.array([150, 300]), "test": 300, "trials": 14, "ridge": 1e-5}


@functools.cache
def _contest(seed: int) -> dict[str, np.ndarray]:
    """Relative test errors of RFA and BRFA: target -> (2 models, sizes, trials)."""
    draw, n = np.random.default_rng(seed), int(_CONTEST["samples"][-1])
    errors = {target: np.empty((2, 2, _CONTEST["trials"])) for target in TARGETS[1:]}
    for trial in range(_CONTEST["trials"]):
        x = draw_tokens(draw, n + _CONTEST["test"], _CONTEST["n_keys"], _CONTEST["d"])
        b = draw_direction(draw, _CONTEST["d"])
        for row, model in enumerate(("RFA", "BRFA")):
            gram = np.asarray(_between(MODELS[model], x, x[:n]))
            for target, found in errors.items():
                y = labels(x, b, target, 1)
                for column, size in enumerate(_CONTEST["samples"]):
                    fit = _fit(gram[:, :size], y[:size], _CONTEST["ridge"] * np.trace(gram[:size, :size]) / size)
                    found[row, column, trial] = np.mean((fit - y)[n:] ** 2) / np.var(y[n:])
    return errors


def _contest_on(key: jax.Array, target: str) -> Evidence:
    errors = _contest(int(generator(key).integers(2**31)))[target]
    return mean_evidence("samples n", _CONTEST["samples"], errors, ("RFA", "BRFA"))


# --- heads ------------------------------------------------------------------------------------------------------------

_BLOCK, _BLOCKS, _TRIALS, _FEW = 500, np.array([2, 3, 4, 6, 8, 12]), 20, 30


def _gaps(key: jax.Array, few: bool) -> Evidence:
    """Mean squared gap between the fit of M heads and that of the kernel, on one sample, over the labels' variance."""
    draw, n, ridge = generator(key), 120, 0.1
    x, b = draw_tokens(draw, n + 60, 4, 6), draw_direction(draw, 6)
    y = labels(x, b, "correlation", 1)
    limit = _fit(np.asarray(_between(MODELS["BRFA"], x, x[:n])), y[:n], ridge)
    layer = random_feature_attention(6, _BLOCK, biased())

    @jax.jit
    def sums(key: jax.Array) -> jax.Array:
        """Sums of the kernels of blocks of heads, (blocks, n + 60, n)."""
        once, keys = layer.init(key, jnp.float64), jax.random.split(jax.random.fold_in(key, 1), int(_BLOCKS[-1]))

        def add(total: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
            if few:
                heads = once["frozen"]["query_key"][jax.random.randint(key, (_BLOCK,), 0, _FEW)]
                params = once | {"frozen": {"query_key": heads}}
            else:
                params = layer.init(key, jnp.float64)
            phi = layer.features(params, jnp.asarray(x))
            total = total + phi @ phi[:n].T
            return total, total

        return jax.lax.scan(add, jnp.zeros((len(x), n)), keys)[1]

    found = np.empty((_TRIALS, len(_BLOCKS)))
    for trial, trial_key in enumerate(jax.random.split(jax.random.fold_in(key, 2), _TRIALS)):
        total = np.asarray(sums(trial_key))
        for column, blocks in enumerate(_BLOCKS):
            fit = _fit(total[blocks - 1] / blocks, y[:n], ridge)
            found[trial, column] = np.mean((fit - limit)[n:] ** 2) / np.var(y[n:])
    values, replicates = bootstrap(jax.random.fold_in(key, 3), found, lambda g: g.mean(axis=0))
    return Evidence(
        "heads M", _BLOCK * _BLOCKS, values, (), replicates.std(axis=0, ddof=1), _TRIALS, replicates=replicates
    )


_HEADS = (8, 32, 100)
_FUNCTIONS = {
    "|<x_0, x_i>|": lambda query, key: np.abs(np.sum(query * key, axis=-1)),
    "exp(2 <x_0, x_i>)": lambda query, key: np.exp(2 * np.sum(query * key, axis=-1)),
    "max(x_01, x_i2)": lambda query, key: np.maximum(query[..., 0], key[..., 1]),
}


def _approximation(key: jax.Array, keys_used: int) -> Evidence:
    """Relative squared error on fresh tokens of the least-squares fit by M heads to many, (heads, targets, trials)."""
    draw, n = generator(key), 1000
    found = np.empty((len(_HEADS), len(_FUNCTIONS), 12))
    for row, n_heads in enumerate(_HEADS):
        layer = random_feature_attention(2, n_heads, gaussian())
        features = jax.jit(lambda k, x, layer=layer: layer.features(layer.init(k, jnp.float64), x))
        for trial in range(found.shape[-1]):
            x = draw_tokens(draw, 2 * n, 3, 2)
            y = np.stack([g(x[:, :1], x[:, 1 : 1 + keys_used]).mean(axis=1) for g in _FUNCTIONS.values()], axis=1)
            phi = np.asarray(features(jax.random.fold_in(key, 100 * row + trial), x))
            square = phi[:n].T @ phi[:n]
            ridge = 1e-10 * np.trace(square) * np.eye(len(square))
            weights = scipy.linalg.solve(square + ridge, phi[:n].T @ y[:n], assume_a="pos")
            found[row, :, trial] = np.mean((phi @ weights - y)[n:] ** 2, axis=0) / np.mean(y[n:] ** 2, axis=0)
    return mean_evidence("target", list(_FUNCTIONS), found, tuple(f"{n_heads} heads" for n_heads in _HEADS))


# --- excess risk ------------------------------------------------------------------------------------------------------

_SIZES = (25, 50, 100, 200, 400)
_RISKS = (("RFA", "query"), ("RFA", "key average"), ("RFMLP", "key average"))


def _risks(key: jax.Array, related: bool) -> Evidence:
    """Mean absolute test errors of interpolation and the envelope, over the mean size of labels; degree one."""
    draw, d, n_keys, trials, n, test = generator(key), 6, 3, 8, _SIZES[-1], 300
    found = np.empty((2, len(_RISKS), len(_SIZES), trials))
    for trial in range(trials):
        x, other = draw_tokens(draw, n + test, n_keys, d), draw_tokens(draw, n + test, n_keys, d)
        b = draw_direction(draw, d)
        grams = {model: np.asarray(_between(MODELS[model], x, x[:n])) for model in ("RFA", "RFMLP")}
        for row, (model, target) in enumerate(_RISKS):
            y, radius = labels(x if related else other, b, target, 1), predict_norm(model, target, 1, d, n_keys) ** 0.5
            for column, size in enumerate(_SIZES):
                trace = np.trace(grams[model][:size, :size])
                fit = _fit(grams[model][:, :size], y[:size], 1e-10 * trace / size)
                both = np.abs(fit - y)[n:].mean(), 2 * radius * np.sqrt(trace) / size
                found[:, row, column, trial] = np.array(both) / np.abs(y).mean()
    points = [f"{model}, {target}, n = {size}" for model, target in _RISKS for size in _SIZES]
    return mean_evidence("model, target, samples", points, found.reshape(2, -1, trials), ("error", "envelope"))


_BALL = {"d": 6, "n_keys": 3, "heads": 60, "radius": 2.0, "noise": 0.3, "test": 600, "trials": 8}


def _noisy(key: jax.Array, inside: bool) -> Evidence:
    """Mean absolute losses of M heads on a key average with noise, on fresh samples and on the samples themselves.

    The fit is the least loss in the ball, or, not ``inside``, interpolation.
    """
    draw, d, sizes = generator(key), _BALL["d"], np.array(_SIZES[:-1])
    layer = random_feature_attention(d, _BALL["heads"], gaussian())
    features = jax.jit(lambda k, x: layer.features(layer.init(k, jnp.float64), x))
    found = np.empty((2, len(sizes), _BALL["trials"]))
    for trial in range(_BALL["trials"]):
        x = draw_tokens(draw, sizes[-1] + _BALL["test"], _BALL["n_keys"], d)
        y = labels(x, draw_direction(draw, d), "key average", 1)
        y = y + _BALL["noise"] * draw.normal(size=len(y))
        phi = np.asarray(features(jax.random.fold_in(key, trial), x))
        for column, n in enumerate(sizes):
            if inside:
                heads = phi[:n].reshape(n, _BALL["heads"], -1)
                weights = constrained_erm(jnp.asarray(heads), jnp.asarray(y[:n]), 1e6, _BALL["radius"] ** 2).weights
                fit = phi @ np.asarray(weights).ravel()
            else:
                fit = _fit(phi @ phi[:n].T, y[:n], 1e-10)
            loss = np.abs(fit - y)
            found[0, column, trial] = loss[sizes[-1] :].mean()
            found[1, column, trial] = loss[:n].mean() + 2 * _BALL["radius"] * np.linalg.norm(phi[:n]) / n
    return mean_evidence("samples n", sizes, found, ("test loss", "training loss and envelope"))


CLAIMS = (
    Claim(
        name="attention_labels_have_a_bounded_norm",
        statement="On any sample the labels of a query, a key average or a correlation spend at most the norm that the "
        "target has in the kernel's space, for RFA, BRFA and RFMLP.",
        formula="y^T (K + e I)^-1 y <= |F|^2 / lambda; for BRFA <= sum h^2 + sum_i delta_i^2 / e; e = 1e-6 tr K / n",
        source=source("norm of polynomial targets"),
        kind="bound",
        predict=_allowed,
        measure=lambda key: _spent(key, shuffled=False),
        violate=lambda key: _spent(key, shuffled=True),
        dropped="the labels are those of a function in the ball (they are shuffled among the samples)",
    ),
    Claim(
        name="a_mean_spares_powers_of_the_dimension",
        statement="From tokens of length 16 on, the known norm of a correlation of degree 1, 2 or 3, up to 1 % of its "
        "mean square, is smaller with the identity as mean of the query-key matrices than without a mean.",
        formula="min {sum h^2 : E (a^p - g(a))^2 <= share E a^(2 p)} <= (1 - sqrt(share))^2 |F|^2 / lambda_(p, p + 1)",
        source=source("powers of <x_0, x_i> are free for biased heads"),
        kind="bound",
        predict=lambda key: np.ones((len(_DEGREES), len(_LENGTHS))),
        measure=lambda key: _cost_of_a_mean("correlation"),
        violate=lambda key: _cost_of_a_mean("key average"),
        dropped="the target is built on <x_0, x_i> (it is a key average)",
    ),
    Claim(
        name="biased_heads_learn_correlations_sooner",
        statement="From the same samples the kernel of biased heads learns a correlation of degree one better than "
        "that of heads without a mean.",
        formula="MSE / Var y of BRFA < RFA, ridge 1e-5 tr K / n",
        source=source("biased heads on correlations", "recalled"),
        kind="separation",
        predict=lambda key: ("BRFA", "RFA"),
        measure=lambda key: _contest_on(key, "correlation"),
        violate=lambda key: _contest_on(key, "key average"),
        dropped="the target is built on <x_0, x_i> (it is a key average)",
    ),
    Claim(
        name="finite_heads_approach_the_kernel",
        statement="At fixed samples and ridge the mean squared gap between the fit with M heads and that of the kernel "
        "falls as one over M.",
        formula="E (f_M - f)^2 ~ 1 / M",
        source=source("finitely many heads"),
        kind="rate",
        predict=lambda key: -1.0,
        measure=lambda key: _gaps(key, few=False),
        violate=lambda key: _gaps(key, few=True),
        dropped="heads are independent (they are drawn with repetition from 30)",
    ),
    Claim(
        name="interpolation_error_is_below_its_envelope",
        statement="The mean absolute error of interpolation stays below an envelope that falls as n^-1/2 and has no "
        "free constant.",
        formula="E |f_hat - f| <= 2 R E sqrt(tr K / n) / sqrt(n), R^2 = |F|^2 / lambda; both over E |f|",
        source=source("excess risk; the paper's own constants were not found"),
        kind="separation",
        predict=lambda key: ("error", "envelope"),
        measure=lambda key: _risks(key, related=True),
        violate=lambda key: _risks(key, related=False),
        dropped="the labels are those of a function in the ball (they are those of other tokens)",
    ),
    Claim(
        name="finite_heads_in_a_ball_generalise",
        statement="With 60 heads, noisy labels and the least mean absolute loss in a ball of weights, the loss on "
        "fresh samples is above that on the samples by less than an envelope that falls as n^-1/2.",
        formula="E L(f_hat) <= E L_n(f_hat) + 2 R E sqrt(tr K_M / n) / sqrt(n), sum_m |v_m|^2 <= R^2 / M",
        source=source("excess risk of the constrained estimator; the paper's own constants were not found"),
        kind="separation",
        predict=lambda key: ("test loss", "training loss and envelope"),
        measure=lambda key: _noisy(key, inside=True),
        violate=lambda key: _noisy(key, inside=False),
        dropped="the weights are in the ball (the fit interpolates)",
    ),
    Claim(
        name="heads_approximate_means_over_keys",
        statement="The more heads, the closer they come to a mean over the keys of any continuous function of the "
        "query and one key, polynomial or not.",
        formula="min_v E (f_M - f)^2 / E f^2 falls with M for f = 1/N sum_i F(x_0, x_i)",
        source=source("universality", "recalled"),
        kind="separation",
        predict=lambda key: tuple(f"{n_heads} heads" for n_heads in _HEADS[::-1]),
        measure=lambda key: _approximation(key, 3),
        violate=lambda key: _approximation(key, 1),
        dropped="the target is a mean over the keys (it takes the first key alone)",
    ),
)
