"""What the experiments on random-feature attention share: learners, their matrices, and ridge regression on all sizes.

A learner is a kernel: in closed form (infinitely many heads), or of heads that were drawn. So each of them, on one
draw of tokens, is a matrix between training sets and a matrix between test and training sets; all sizes are leading
blocks of these, and all targets are columns of the labels. Ridges are ``K + ridge * I`` with ``ridge`` a number of the
grid times the mean diagonal entry of K.
"""

import functools
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

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
    random_feature_mlp,
)
from equiv.layers.ridge import dual_ridge

__all__ = ["CHUNK", "LEARNERS", "Constants", "Learner", "errors", "layer_of", "matrices"]

CHUNK = 50
"""Heads whose features are held at once."""


class Constants(NamedTuple):
    """The numbers of the layer, all recalled.

    Attributes:
        scale: standard deviation of an entry of a query-key matrix.
        mean: of the biased law, in units of ``diag(I, 0)``.
        lift: the entry added to each token.
    """

    scale: float
    mean: float
    lift: float


class Learner(NamedTuple):
    """What is fitted.

    Attributes:
        law: ``gaussian``, ``biased`` or ``mlp``, which is the network on all tokens one after the other.
        heads: ``infinite``, or drawn: ``independent``, ``orthogonal``, ``antithetic``.
        activation: of the scores.
    """

    law: Literal["gaussian", "biased", "mlp"]
    heads: Literal["infinite", "independent", "orthogonal", "antithetic"] = "infinite"
    activation: Literal["relu", "softmax"] = "relu"


LEARNERS = {
    "rfa": Learner("gaussian"),
    "brfa": Learner("biased"),
    "rfmlp": Learner("mlp"),
    "rfa_heads": Learner("gaussian", "independent"),
    "brfa_heads": Learner("biased", "independent"),
    "rfmlp_heads": Learner("mlp", "independent"),
    "softmax_heads": Learner("gaussian", "independent", "softmax"),
    "softmax_biased_heads": Learner("biased", "independent", "softmax"),
    "rfa_orthogonal": Learner("gaussian", "orthogonal"),
    "rfa_antithetic": Learner("gaussian", "antithetic"),
    "brfa_orthogonal": Learner("biased", "orthogonal"),
    "brfa_antithetic": Learner("biased", "antithetic"),
}
"""Name -> learner."""

_DEPENDENT = {"independent": lambda law: law, "orthogonal": orthogonal, "antithetic": antithetic}


def _law(learner: Learner, constants: Constants) -> Law:
    free = {"scale": constants.scale, "lift": constants.lift}
    law = gaussian(**free) if learner.law == "gaussian" else biased(constants.mean, **free)
    return law if learner.heads == "infinite" else _DEPENDENT[learner.heads](law)


def _kernel(learner: Learner, constants: Constants) -> TokenKernel:
    return mlp_kernel if learner.law == "mlp" else attention_kernel(_law(learner, constants))


def layer_of(learner: Learner, constants: Constants, n_keys: int, d: int, n_heads: int) -> RandomFeatures:
    """The layer of a learner whose heads are drawn.

    Args:
        learner: with heads that are not ``infinite``.
        constants: of the layer.
        n_keys: N.
        d: length of a token.
        n_heads: M.
    """
    if learner.law == "mlp":
        return random_feature_mlp(d, n_keys, n_heads)
    return random_feature_attention(d, n_heads, _law(learner, constants), learner.activation)


def matrices(
    learner: Learner,
    constants: Constants,
    key: jax.Array,
    x: Float[Array, "n k d"],
    test: Float[Array, "m k d"],
    n_heads: int,
) -> tuple[Float[Array, "n n"], Float[Array, "m n"]]:
    """The learner's matrix between training sets, and that between test and training sets.

    Args:
        learner: any.
        constants: of the layer.
        key: draws the heads, if they are drawn.
        x: training sets.
        test: test sets.
        n_heads: M, if they are drawn; a multiple of ``CHUNK`` or below it.
    """
    if learner.heads == "infinite":
        return _infinite(_kernel(learner, constants), x, test)
    if learner.heads == "independent":  # in chunks
        chunk = min(CHUNK, n_heads)
        layer = layer_of(learner, constants, x.shape[1] - 1, x.shape[2], chunk)
        return _drawn(layer, jax.random.split(key, n_heads // chunk), x, test)
    layer = layer_of(learner, constants, x.shape[1] - 1, x.shape[2], n_heads)
    return _drawn(layer, key[None], x, test)


@functools.partial(jax.jit, static_argnums=0)
def _infinite(kernel: TokenKernel, x: Array, test: Array) -> tuple[Array, Array]:
    return kernel.gram(x), kernel(test, x)


@functools.partial(jax.jit, static_argnums=0)
def _drawn(layer: RandomFeatures, keys: Array, x: Array, test: Array) -> tuple[Array, Array]:
    """The mean over groups of heads, one key each."""
    both = jnp.concatenate([x, test])

    def add(total: Array, numbers: Array) -> tuple[Array, None]:
        key = jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(keys))
        phi = layer.features(layer.init(key, x.dtype), both)
        return total + phi @ phi[: len(x)].T, None

    total, _ = jax.lax.scan(add, jnp.zeros((len(both), len(x)), x.dtype), jax.random.key_data(keys))
    total = total / len(keys)
    return total[: len(x)], total[len(x) :]


@functools.partial(jax.jit, static_argnums=5)
def _fitted(gram: Array, cross: Array, y: Array, y_test: Array, ridges: Array, n: int) -> dict[str, Array]:
    gram, cross, y = gram[:n, :n], cross[:, :n], y[:n]
    ridges = ridges * jnp.mean(jnp.diagonal(gram))

    def one(ridge: Array) -> tuple[Array, Array]:
        fit = dual_ridge((gram + gram.T) / 2, y, ridge)
        return jnp.mean(fit.leave_one_out**2, axis=0), jnp.mean((cross @ fit.coefficients - y_test) ** 2, axis=0)

    left_out, tested = jax.lax.map(one, ridges)
    chosen = jnp.argmin(jnp.where(jnp.isnan(left_out), jnp.inf, left_out), axis=0)
    at = lambda values: jnp.take_along_axis(values, chosen[None], axis=0)[0]
    spread = jnp.var(y_test, axis=0)
    return {
        "error": at(tested) / spread,
        "raw_error": at(tested) / jnp.mean(y_test**2, axis=0),
        "least_error": jnp.nanmin(tested, axis=0) / spread,
        "ridge": ridges[chosen],
    }


def errors(
    gram: Float[Array, "n n"],
    cross: Float[Array, "m n"],
    y: Float[Array, "n t"],
    y_test: Float[Array, "m t"],
    sizes: tuple[int, ...],
    ridges: tuple[float, ...],
) -> dict[str, np.ndarray]:
    """Ridge regression on the first n samples, for every n and every target, the ridge chosen by leaving one out.

    Args:
        gram: between training sets.
        cross: between test and training sets.
        y: labels, a column for each target.
        y_test: labels of the test sets.
        sizes: every n.
        ridges: the grid, in units of the mean diagonal entry of the matrix.

    Returns:
        Arrays (size, target): ``error``, the mean square on the test sets over the variance of their labels;
        ``raw_error``, over the mean square of their labels; ``least_error``, as ``error`` but with the ridge that is
        best on the test sets; ``ridge``, the one chosen, as it is added to K.
    """
    grid = jnp.asarray(ridges, gram.dtype)
    found = [_fitted(gram, cross, y, y_test, grid, n) for n in sizes]
    return {name: np.stack([np.asarray(one[name]) for one in found]) for name in found[0]}
