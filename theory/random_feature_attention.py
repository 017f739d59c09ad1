r"""Kernels of attention with random query-key matrices: their symmetries, and what they are made of.

Setting. Tokens ``x = (x_0; x_1, ..., x_N)``, a query and N keys, are lifted to ``z = [x; 1]``; a head draws a matrix W
and has the features ``phi_W(x) = 1/N sum_i relu(z_0^T W z_i) z_i``. The kernel is ``K(x, x') = E_W <phi_W(x),
phi_W(x')>``. The entries of W have variance 1/4 and the mean 0 (RFA) or ``diag(I, 0)`` (BRFA); for tokens of length one
every score then is a standard normal number U around its mean a, which is 0 or ``<x_0, x_i>``, and

    ``K(x, x') = 1/N^2 sum_ij (1 + t_ij) kappa(a_i, a_j', rho_ij)``,   ``rho_ij = (1 + s) (1 + t_ij) / 4``,
    ``kappa(a, b, rho) = E (a + U)_+ (b + V)_+``,   ``s = <x_0, x_0'>``,   ``t_ij = <x_i, x_j'>``.

* The order of the keys does not matter. Orthogonal matrices that move all tokens do not matter, also improper ones; in
  RFA, not in BRFA, the query and the keys may be moved by two different ones.
* The mean over pairs of keys is what makes K positive; the largest term of all pairs, as good a similarity, has
  negative eigenvalues.
* ``d kappa / d rho = Phi_2(a, b; rho)``, the probability of an orthant (Plackett). With ``mu(a) = E (a + U)_+``,

      ``kappa(a, b, rho) = sum_k c_k(a) c_k(b) rho^k``,   ``c_k = mu^(k) / sqrt(k!)``,

  so that K is a sum of powers of s and t with positive coefficients; ``theory.attention_learning`` needs this.
* Only the mean and the covariance of W enter if W is Gaussian. The product of a query and a key matrix is not: with one
  row each, the kernel is another one.

Known: the layer and its laws are recalled; the kernels and everything here are derived.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from equiv.layers.attention import (
    Law,
    RandomFeatures,
    TokenKernel,
    antithetic,
    attention_kernel,
    biased,
    gaussian,
    mlp_kernel,
    orthogonal,
    random_feature_attention,
)
from equiv.layers.base import Params
from equiv.layers.gaussian_moments import arc_cosine, relu_moment
from theory.claim import Claim, Evidence, Source, generator, key_of, mean_evidence

__all__ = ["CLAIMS", "draw_tokens", "relu_mean_coefficients", "source"]


def source(theorem: str, known: str = "derived") -> Source:
    """The paper, for one of its statements or one about its layer.

    Args:
        theorem: which.
        known: ``derived`` or ``recalled``.
    """
    return Source(
        author="H. Fu, T. Guo, Y. Bai, S. Mei",
        title="What can a Single Attention Layer Learn? A Study Through the Random Features Lens",
        venue="NeurIPS 2023",
        arxiv="2307.11353",
        theorem=theorem,
        known=known,
    )


def draw_tokens(draw: np.random.Generator, n: int, n_keys: int, d: int) -> np.ndarray:
    """Independent tokens, uniform on the sphere.

    Args:
        draw: numpy generator.
        n: sets.
        n_keys: N.
        d: length of a token.

    Returns:
        (n, N + 1, d).

    Example:
        >>> x = draw_tokens(np.random.default_rng(0), 5, n_keys=2, d=4)
        >>> x.shape, bool(np.allclose(np.linalg.norm(x, axis=-1), 1))
        ((5, 3, 4), True)
    """
    x = draw.normal(size=(n, n_keys + 1, d))
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


_D, _KEYS = 3, 4
_SKEW = ((0.5, 1.0, 0.0), (0.0, -0.7, 0.3), (0.4, 0.0, 1.1))
"""A mean without symmetry."""
_LAWS = (gaussian(), biased(), biased(_SKEW), orthogonal(biased()), antithetic(gaussian()))


@functools.partial(jax.jit, static_argnums=0)
def _between(kernel: TokenKernel, x: jax.Array | np.ndarray, y: jax.Array | np.ndarray) -> jax.Array:
    return kernel(x, y)


def _evidence(axis: str, *arrays: jax.Array | np.ndarray) -> Evidence:
    values = _values(*arrays)
    return Evidence(axis, np.arange(len(values)), values)


def _values(*arrays: jax.Array | np.ndarray) -> np.ndarray:
    return np.concatenate([np.ravel(np.asarray(array)) for array in arrays])


# --- symmetries -------------------------------------------------------------------------------------------------------


@functools.cache
def _layer(law: Law, activation: str) -> tuple[RandomFeatures, Params]:
    layer = random_feature_attention(_D, 20, law, activation)
    return layer, layer.init(key_of(str(law)), jnp.float64)


def _seen(key: jax.Array, order: Sequence[int]) -> list[jax.Array]:
    """Features of all laws and activations, and kernels, where one set of each pair has its tokens in another order."""
    draw = generator(key)
    x, other = (jnp.asarray(draw_tokens(draw, 5, _KEYS, _D)) for _ in range(2))
    moved, found = x[:, np.asarray(order)], []
    for law in _LAWS:
        for activation in ("relu", "softmax"):
            layer, params = _layer(law, activation)
            found.append(layer.features(params, moved))
    return found + [_between(attention_kernel(law), moved, other) for law in _LAWS[:3]]


def _turns(key: jax.Array) -> np.ndarray:
    """Orthogonal matrices, proper and not: the inversion, a half turn, a mirror, and two that are drawn."""
    q = np.linalg.qr(generator(jax.random.fold_in(key, 1)).normal(size=(2, _D, _D)))[0]
    q[0] *= np.linalg.det(q[0])
    q[1] *= -np.linalg.det(q[1])
    return np.stack([-np.eye(_D), np.diag([-1.0, -1, 1]), np.diag([1.0, 1, -1]), *q])


def _moved(key: jax.Array, kernels: Sequence[TokenKernel], joint: bool) -> Evidence:
    """``K(g x, g x') / K(x, x')`` of pairs of sets, equal sets and antipodal queries with them."""
    x = draw_tokens(generator(key), 5, _KEYS, _D)
    x[1, 0] = -x[0, 0]
    turns = _turns(key)
    on_keys = turns if joint else np.roll(turns, 1, axis=0)
    found = []
    for kernel in kernels:
        still = _between(kernel, x, x)
        for q, r in zip(turns, on_keys):
            moved = np.concatenate([x[:, :1] @ q.T, x[:, 1:] @ r.T], axis=1)
            found.append(_between(kernel, moved, moved) / still)
    return _evidence("pair of sets, for each matrix and kernel", *found)


def _unmoved(kernels: Sequence[TokenKernel]) -> np.ndarray:
    return np.ones(len(kernels) * 5 * 5 * 5)


_KERNELS = (attention_kernel(gaussian()), attention_kernel(biased()), mlp_kernel)


# --- the mean over heads ----------------------------------------------------------------------------------------------

_GROUPS, _HEADS = 96, 640
_PAIRS = ((0, 0), (0, 1), (1, 2), (2, 3))


def _one_row_each(law: Law) -> Law:
    """The same mean and covariance of W, whose noise is the product of one row for the query and one for the keys."""

    def noise(key: jax.Array, n_heads: int, size: int, dtype: type) -> jax.Array:
        query, row = jax.random.normal(key, (2, n_heads, size), dtype)
        return query[:, :, None] * row[:, None, :]

    return dataclasses.replace(law, spec=("one row each", law), name=f"one row each of {law}", noise=noise)


def _cases(key: jax.Array) -> dict[str, tuple[Law, np.ndarray]]:
    draw = generator(jax.random.fold_in(key, 7))
    x = draw_tokens(draw, 4, _KEYS, _D)
    long = x * draw.uniform(0.3, 2, (*x.shape[:2], 1))
    named = dict(zip(("gaussian", "biased", "biased by a matrix", "orthogonal", "antithetic"), _LAWS))
    return {name: (law, x) for name, law in named.items()} | {"tokens of other lengths": (biased(0.8, 0.4, 0.7), long)}


def _in_closed_form(key: jax.Array) -> np.ndarray:
    first, second = map(np.asarray, zip(*_PAIRS))
    found = [np.asarray(_between(attention_kernel(law), x, x)) for law, x in _cases(key).values()]
    return np.stack([k[first, second] for k in found])


def _over_heads(key: jax.Array, change: Callable[[Law], Law]) -> Evidence:
    """Kernels of groups of heads; groups are independent, the heads of one need not be."""
    first, second = map(np.asarray, zip(*_PAIRS))
    cases, samples = _cases(key), []
    for number, (law, x) in enumerate(cases.values()):
        layer = random_feature_attention(_D, _HEADS, change(law))

        def group(k: jax.Array, layer: RandomFeatures = layer, x: np.ndarray = x) -> jax.Array:
            phi = layer.features(layer.init(k, jnp.float64), jnp.asarray(x))
            return (phi @ phi.T)[first, second]

        keys = jax.random.split(jax.random.fold_in(key, number), _GROUPS)
        samples.append(np.asarray(jax.lax.map(group, keys)).T)
    return mean_evidence("pair of sets", [f"{i}, {j}" for i, j in _PAIRS], np.stack(samples), tuple(cases))


# --- moments ----------------------------------------------------------------------------------------------------------

_A, _B, _RHO = (v.ravel() for v in np.meshgrid([-2.0, -0.6, 0.3, 1.7], [-1.1, 0.5, 2.2], [-0.9, -0.4, 0.2, 0.6, 0.95]))
_density, _distribution = lambda a: np.exp(-a * a / 2) / np.sqrt(2 * np.pi), scipy.special.ndtr


def _relu_mean(a: np.ndarray) -> np.ndarray:
    return a * _distribution(a) + _density(a)


def _orthant(a: np.ndarray, b: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """``Phi_2(a, b; rho)`` from Owen's T function, for a and b that are not 0."""
    r = np.sqrt(1 - rho**2)
    t = scipy.special.owens_t(a, (b - rho * a) / (a * r)) + scipy.special.owens_t(b, (a - rho * b) / (b * r))
    return (_distribution(a) + _distribution(b)) / 2 - t - (a * b < 0) / 2


def _orthants(key: jax.Array) -> np.ndarray:
    """``Phi_2`` and its integral from 0 to rho, in the angle whose sine is rho."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    angle = np.arcsin(_RHO)[:, None] * (1 + nodes) / 2
    inside = _orthant(_A[:, None], _B[:, None], np.sin(angle)) * np.cos(angle)
    return np.stack([_orthant(_A, _B, _RHO), inside @ weights * np.arcsin(_RHO) / 2])


def _slopes(sign: float) -> Evidence:
    a, b, rho = map(jnp.asarray, (_A, _B, sign * _RHO))
    value, slope = jax.jvp(lambda r: relu_moment(a, b, r), (rho,), (jnp.ones_like(rho),))
    change = value - relu_moment(a, b, jnp.zeros_like(rho))
    return Evidence("point (a, b, rho)", np.arange(len(_A)), np.stack([slope, change]), ("slope", "change"))


_LIMITS = np.array([-3.0, -1.2, -0.1, 0.0, 0.4, 1.0, 2.5])
_CASES = ("kappa(a, b, 0)", "kappa(a, a, 1)", "kappa(a, -a, -1)", "kappa(0, 0, rho)")


def _known_limits(key: jax.Array) -> np.ndarray:
    a, rho = _LIMITS, _LIMITS / 3
    known = [
        _relu_mean(a) * _relu_mean(a[::-1]),
        (1 + a * a) * _distribution(a) + a * _density(a),
        np.zeros_like(a),
        (np.sqrt(1 - rho**2) + rho * (np.pi - np.arccos(rho))) / (2 * np.pi),
    ]
    return np.stack(known)


def _limits(shift: float) -> Evidence:
    a, rho = jnp.asarray(_LIMITS), jnp.asarray(_LIMITS / 3)
    found = [
        relu_moment(a, a[::-1], shift),
        relu_moment(a, a, 1 - shift),
        relu_moment(a, -a, shift - 1),
        relu_moment(0.0, 0.0, rho * (1 - shift)),
    ]
    return Evidence("number", np.arange(len(_LIMITS)), np.stack(found), _CASES)


def relu_mean_coefficients(a: np.ndarray, n: int) -> np.ndarray:
    """``c_k(a) = mu^(k)(a) / sqrt(k!)`` for k below n, where ``mu(a) = E (a + U)_+``.

    ``mu' = Phi``, ``mu'' = phi`` and ``mu^(k) = (-1)^k He_(k-2) phi``, by the recursion of normalised Hermite
    functions, in which nothing overflows.

    Args:
        a: (m,).
        n: how many, at least two.

    Returns:
        (n, m).

    Example:
        >>> relu_mean_coefficients(np.zeros(1), 4).ravel().round(4).tolist()
        [0.3989, 0.5, 0.2821, -0.0]
    """
    c = np.empty((n, len(a)))
    c[0], c[1] = _relu_mean(a), _distribution(a)
    hermite, before = _density(a), np.zeros_like(a)
    for k in range(2, n):
        c[k] = (-1) ** k * hermite / np.sqrt(k * (k - 1))
        hermite, before = (a * hermite - np.sqrt(k - 2) * before) / np.sqrt(k - 1), hermite
    return c


_INSIDE = np.abs(_RHO) < 0.7


def _mehler(key: jax.Array) -> np.ndarray:
    a, b, rho = _A[_INSIDE], _B[_INSIDE], _RHO[_INSIDE]
    return np.sum(relu_mean_coefficients(a, 80) * relu_mean_coefficients(b, 80) * rho ** np.arange(80)[:, None], axis=0)


def _at_points(sign: float) -> Evidence:
    a, b, rho = map(jnp.asarray, (_A[_INSIDE], _B[_INSIDE], sign * _RHO[_INSIDE]))
    return _evidence("point (a, b, rho)", relu_moment(a, b, rho))


# --- positivity and size ----------------------------------------------------------------------------------------------


def _near(key: jax.Array) -> np.ndarray:
    """Sets of tokens, each with a copy whose tokens are next to its own, and one with the same tokens."""
    draw = generator(key)
    x = draw_tokens(draw, 40, _KEYS, _D)
    close = x + 1e-6 * draw.normal(size=x.shape)
    return np.concatenate([x, close / np.linalg.norm(close, axis=-1, keepdims=True), x])


def _largest_pair(x: np.ndarray) -> np.ndarray:
    """The largest term over all pairs of keys, instead of their mean."""
    t = np.einsum("nip,mjp->nmij", x[:, 1:], x[:, 1:])
    s = (x[:, 0] @ x[:, 0].T)[:, :, None, None]
    return np.max((1 + t) * np.asarray(arc_cosine(jnp.asarray(np.clip((1 + s) * (1 + t) / 4, -1, 1)))), axis=(2, 3))


def _positive(key: jax.Array, mean: bool) -> Evidence:
    """The sum of the sizes of all eigenvalues over the trace."""
    x, found = _near(key), []
    for kernel in _KERNELS:
        gram = np.asarray(kernel.gram(jnp.asarray(x))) if mean else _largest_pair(x)
        found.append(np.abs(np.linalg.eigvalsh(gram)).sum() / np.trace(gram))
    return Evidence("kernel", ["RFA", "BRFA", "RFMLP"], found)


_ROUNDING = 1 + 1e-12


def _sizes(key: jax.Array, stretch: float) -> Evidence:
    """``K(x, x)`` of keys that are all one, that are at right angles, that are drawn, and of antipodal ones."""
    x = draw_tokens(generator(key), 4, _KEYS, _KEYS)
    x[0, 1:] = x[0, 1]
    x[1, 1:] = np.eye(_KEYS)
    x[3, 2::2] = -x[3, 1:2]
    x[3, 3::2] = x[3, 1:2]
    found = jnp.diag(_between(attention_kernel(gaussian()), stretch * x, stretch * x))
    return Evidence("keys", ["all the same", "at right angles", "drawn", "two opposite ones"], found)


CLAIMS = (
    Claim(
        name="attention_ignores_the_order_of_keys",
        statement="The features and the kernel of a layer of random heads do not depend on the order of the keys, "
        "under every law and with both activations.",
        formula="phi(x_0; x_p(1), ..., x_p(N)) = phi(x_0; x_1, ..., x_N)",
        source=source("invariance of the layer"),
        kind="identity",
        predict=lambda key: _values(*_seen(key, (0, 1, 2, 3, 4))),
        measure=lambda key: _evidence("feature, or pair of sets", *_seen(key, (0, 3, 1, 4, 2))),
        violate=lambda key: _evidence("feature, or pair of sets", *_seen(key, (1, 0, 2, 3, 4))),
        dropped="only keys change places (the query changes its own with a key)",
    ),
    Claim(
        name="attention_kernels_are_rotation_invariant",
        statement="One orthogonal matrix, proper or not, that moves all tokens leaves the kernels of RFA, BRFA and of "
        "a network on all tokens as they are.",
        formula="K(Q x, Q x') / K(x, x') = 1 for the mean m I",
        source=source("invariance of the kernels"),
        kind="identity",
        predict=lambda key: _unmoved(_KERNELS),
        measure=lambda key: _moved(key, _KERNELS, joint=True),
        violate=lambda key: _moved(key, [attention_kernel(biased(_SKEW))] * len(_KERNELS), joint=True),
        dropped="the mean of the query-key matrices commutes with rotations (it is a general matrix)",
    ),
    Claim(
        name="unbiased_attention_has_two_rotations",
        statement="Without a mean, the query and the keys may be moved by two different orthogonal matrices.",
        formula="K(Q x_0, R x_i) / K(x_0, x_i) = 1 for the mean 0",
        source=source("invariance of the kernels"),
        kind="identity",
        predict=lambda key: _unmoved(_KERNELS[:1]),
        measure=lambda key: _moved(key, _KERNELS[:1], joint=False),
        violate=lambda key: _moved(key, _KERNELS[1:2], joint=False),
        dropped="the query-key matrices have mean zero (it is the identity)",
    ),
    Claim(
        name="attention_kernel_is_the_mean_over_heads",
        statement="The closed form is the mean over heads under every law, also of heads that depend on each other, "
        "and for tokens of any lengths.",
        formula="E_W <phi_W(x), phi_W(x')> = 1/N^2 sum_ij <z_i, z_j'> s_i s_j' kappa(m_i / s_i, m_j' / s_j', rho_ij)",
        source=source("kernels of infinitely many heads"),
        kind="ratio",
        predict=_in_closed_form,
        measure=lambda key: _over_heads(key, lambda law: law),
        violate=lambda key: _over_heads(key, _one_row_each),
        dropped="query-key matrices are Gaussian (their noise is a product of two vectors, of the same covariance)",
    ),
    Claim(
        name="relu_moment_grows_by_the_orthant_probability",
        statement="The moment of two rectified normal numbers grows with their correlation by the probability that "
        "both are positive.",
        formula="d kappa / d rho = Phi_2(a, b; rho); kappa(a, b, rho) - kappa(a, b, 0) = int_0^rho Phi_2",
        source=source("the kernel of biased heads; Plackett, Biometrika 1954"),
        kind="identity",
        predict=_orthants,
        measure=lambda key: _slopes(1.0),
        violate=lambda key: _slopes(-1.0),
        dropped="the sign of the correlation",
    ),
    Claim(
        name="relu_moment_limits",
        statement="Without correlation the moment is a product of means, at full correlation a moment of one number, "
        "and around zero half the arc-cosine kernel.",
        formula="kappa(a, b, 0) = mu(a) mu(b); kappa(a, a, 1) = (1 + a^2) Phi + a phi; kappa(a, -a, -1) = 0; "
        "kappa(0, 0, rho) = (sqrt(1 - rho^2) + rho (pi - arccos rho)) / (2 pi)",
        source=source("the kernel of biased heads; Cho, Saul, NeurIPS 2009"),
        kind="identity",
        predict=_known_limits,
        measure=lambda key: _limits(0.0),
        violate=lambda key: _limits(0.01),
        dropped="the correlation is at its limit (it is 0.01 away)",
    ),
    Claim(
        name="relu_moment_is_a_sum_of_powers",
        statement="The moment of two rectified normal numbers is a power series in their correlation, whose "
        "coefficients are derivatives of the mean.",
        formula="kappa(a, b, rho) = sum_k rho^k mu^(k)(a) mu^(k)(b) / k!, mu' = Phi, mu^(k) = (-1)^k He_(k-2) phi",
        source=source("the kernel of biased heads; Mehler's formula"),
        kind="identity",
        predict=_mehler,
        measure=lambda key: _at_points(1.0),
        violate=lambda key: _at_points(-1.0),
        dropped="the sign of the correlation",
    ),
    Claim(
        name="attention_gram_is_positive",
        statement="Gram matrices of the three kernels have no negative eigenvalue, also where tokens nearly or exactly "
        "coincide.",
        formula="sum |lambda| = tr K, and so -lambda_min <= (sum |lambda| - tr K) / 2",
        source=source("kernels of infinitely many heads"),
        kind="identity",
        predict=lambda key: np.ones(len(_KERNELS)),
        measure=lambda key: _positive(key, mean=True),
        violate=lambda key: _positive(key, mean=False),
        dropped="terms of all pairs of keys are averaged (the largest is taken, which is no kernel)",
    ),
    Claim(
        name="attention_kernel_is_at_most_one",
        statement="A set of tokens of length one has at most the kernel 1 with itself, reached if all keys are "
        "the same.",
        formula="K(x, x) <= 2 kappa(0, 0, 1) = 1 for the mean 0",
        source=source("kernels of infinitely many heads"),
        kind="bound",
        predict=lambda key: np.full(4, _ROUNDING),
        measure=lambda key: _sizes(key, 1.0),
        violate=lambda key: _sizes(key, 1.5),
        dropped="tokens have length one (they have length 1.5)",
    ),
)
