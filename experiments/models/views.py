"""Networks from a set of views to the shape that is seen; they differ in how the set becomes one vector.

An *encoder* describes each view, a *pooling* makes one vector of the set, a *decoder* says how likely each pixel is in
the shape. Encoders and decoders are the same perceptrons in all networks; the poolings are

=============  =====================================================================================================
``mean``       of each feature
``max``        of each feature
``sum``        of each feature: grows with the set
``gru``        a gated recurrent unit reads the views one after the other; its last state is the vector
``attention``  ``equiv.layers.attention_pooling``
=============  =====================================================================================================

Views that are absent are left out by all of them. Only the last two have parameters, the entry ``pooling``.

Reference:
    Yang, Wang, Markham, Trigoni, AttSets, IJCV 2019, for the rivals; Cho et al., EMNLP 2014 (arXiv 1406.1078), for the
    gated recurrent unit; Zaheer et al., Deep Sets, NeurIPS 2017 (arXiv 1703.06114), for the sum. (The last two
    recalled.)

Differs from the paper: perceptrons of silhouettes and angles instead of convolutions of images.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from equiv.layers.attention import attention_pooling
from experiments.data.views import Views
from experiments.models.mlp import mlp, orthogonal

__all__ = ["POOLINGS", "SetNetwork", "set_network"]

POOLINGS = ("mean", "max", "sum", "gru", "attention")

_WAVES = 4
"""Harmonics of a view's angle that an encoder gets."""


class SetNetwork(NamedTuple):
    """A network of sets, in two halves so that a set is encoded once.

    Attributes:
        init: ``init(key) -> params`` in float32, a dict of ``encoder``, ``pooling`` and ``decoder``.
        encode: ``encode(params, views: Views) -> (n, N, features)``.
        decode: ``decode(params, features: (..., N, features), present: (..., N)) -> (..., pixels)``, logits.
    """

    init: Callable[[Array], Any]
    encode: Callable[[Any, Views], Array]
    decode: Callable[[Any, Array, Array], Array]


class _Pooling(NamedTuple):
    """``init(key)`` and ``apply(params, x: (..., N, D), present: (..., N)) -> (..., D)``."""

    init: Callable[[Array], Any]
    apply: Callable[[Any, Array, Array], Array]


def _sum(params: Any, x: Array, present: Array) -> Array:
    return jnp.sum(jnp.where(present[..., None], x, 0), axis=-2)


def _mean(params: Any, x: Array, present: Array) -> Array:
    return _sum(params, x, present) / jnp.sum(present, axis=-1, keepdims=True).astype(x.dtype)


def _max(params: Any, x: Array, present: Array) -> Array:
    return jnp.max(jnp.where(present[..., None], x, -jnp.inf), axis=-2)


def _gru(features: int) -> _Pooling:
    cell = nn.GRUCell(features, recurrent_kernel_init=orthogonal)

    def init(key: Array) -> Any:
        return cell.init(key, *jnp.zeros((2, 1, features), jnp.float32))

    def apply(params: Any, x: Array, present: Array) -> Array:
        def read(state: Array, view: tuple[Array, Array]) -> tuple[Array, None]:
            features, there = view
            return jnp.where(there[..., None], cell.apply(params, state, features)[0], state), None

        in_order = jnp.moveaxis(x, -2, 0), jnp.moveaxis(present, -1, 0)
        return jax.lax.scan(read, jnp.zeros_like(x[..., 0, :]), in_order)[0]

    return _Pooling(init, apply)


def _pooling(name: str, features: int) -> _Pooling:
    if name == "attention":
        layer = attention_pooling(features)
        return _Pooling(lambda key: layer.init(key, jnp.float32), layer.apply)
    if name == "gru":
        return _gru(features)
    return _Pooling(lambda key: {}, {"mean": _mean, "max": _max, "sum": _sum}[name])


@functools.cache
def set_network(pooling: str, *, side: int, rays: int, width: int, features: int) -> SetNetwork:
    """An encoder of two hidden layers, a pooling, and a decoder of one.

    Args:
        pooling: one of ``POOLINGS``.
        side: pixels in a row of the shape.
        rays: of a view.
        width: of hidden layers.
        features: of a view, and of the vector of a set.

    Example:
        >>> from experiments.data.views import draw_views
        >>> views = draw_views(jax.random.key(0), 5, 4, n_pieces=3, side=8, rays=10)
        >>> network = set_network("attention", side=8, rays=10, width=16, features=6)
        >>> params = network.init(jax.random.key(1))
        >>> network.decode(params, network.encode(params, views), jnp.ones((5, 4), bool)).shape
        (5, 64)
    """
    encoder, decoder = mlp(rays + 2 * _WAVES, width, 2, features), mlp(features, width, 1, side * side)
    pool = _pooling(pooling, features)

    def init(key: Array) -> Any:
        parts = {"encoder": encoder, "pooling": pool, "decoder": decoder}
        return {name: part.init(own) for (name, part), own in zip(parts.items(), tuple(jax.random.split(key, 3)))}

    def encode(params: Any, views: Views) -> Array:
        turns = views.angle[..., None] * jnp.arange(1, _WAVES + 1, dtype=views.angle.dtype).reshape(1, 1, -1)
        seen = jnp.concatenate([views.silhouette, jnp.cos(turns), jnp.sin(turns)], axis=-1)
        return encoder.apply(params["encoder"], seen)

    def decode(params: Any, x: Array, present: Array) -> Array:
        return decoder.apply(params["decoder"], pool.apply(params["pooling"], x, present))

    return SetNetwork(init, encode, decode)
