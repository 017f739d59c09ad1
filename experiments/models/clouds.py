"""Networks that describe the points of a cloud: one whose descriptors do not turn with the cloud, and one that learns.

``equivariant`` gives each point vectors that rotate with the cloud, by position-aware convolutions of
``equiv.layers.vector_neurons``, and makes of them a descriptor that no rotation changes. ``pointnet`` gives each point
a descriptor by perceptrons on the coordinates of its neighbours and the largest value among them, twice; it is a flax
module, leaves out translations, and knows of rotations what it is shown.

Reference:
    Yao, Du, Cui, Tang, Yang, PARE-Net, ECCV 2024 (arXiv 2407.10142); Qi, Yi, Su, Guibas, PointNet++, NeurIPS 2017
    (arXiv 1706.02413).

Differs from the papers: two layers on one level of detail; no attention between clouds.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from equiv import numerics
from equiv.layers.vector_neurons import (
    invariant_head,
    nearest_neighbours,
    position_aware_conv,
    position_aware_lifting,
)

__all__ = ["Described", "Describer", "equivariant", "pointnet"]

LENGTH = 32
"""Numbers of a descriptor."""


class Described(NamedTuple):
    """What a network says of the points of clouds.

    Attributes:
        descriptors: (..., N, LENGTH), of length one.
        vectors: (..., N, C, 3), that rotate with the cloud; None from a network that has none.
    """

    descriptors: Array
    vectors: Array | None


class Describer(NamedTuple):
    """``init(key) -> params`` in float32 and ``apply(params, points: (..., N, 3)) -> Described``."""

    init: Callable[[Array], Any]
    apply: Callable[[Any, Array], Described]


def equivariant(channels: int, neighbours: int) -> Describer:
    """Position-aware vector neurons.

    Args:
        channels: C.
        neighbours: of a point, itself counted.

    Example:
        >>> network = equivariant(4, 6)
        >>> said = network.apply(network.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (20, 3)))
        >>> said.descriptors.shape, said.vectors.shape
        ((20, 32), (20, 4, 3))
    """
    lifting, conv = position_aware_lifting(channels), position_aware_conv(channels, channels)
    head = invariant_head(channels)
    last = nn.Dense(LENGTH, use_bias=False)

    def init(key: Array) -> Any:
        keys = tuple(jax.random.split(key, 4))
        return {
            "lifting": lifting.init(keys[0], jnp.float32),
            "conv": conv.init(keys[1], jnp.float32),
            "head": head.init(keys[2], jnp.float32),
            "last": last.init(keys[3], jnp.zeros((1, 4 * channels), jnp.float32)),
        }

    def apply(params: Any, points: Array) -> Described:
        near = nearest_neighbours(points, neighbours)
        vectors = conv.apply(params["conv"], points, near, lifting.apply(params["lifting"], points, near))
        flat = vectors.reshape(*vectors.shape[:-2], -1)
        said = jnp.concatenate([head.apply(params["head"], flat), numerics.norm(vectors)], axis=-1)
        return Described(numerics.normalize(last.apply(params["last"], said)), vectors)

    return Describer(init, apply)


class _PointNet(nn.Module):
    width: int
    neighbours: int

    @nn.compact
    def __call__(self, points: Array) -> Array:
        near = nearest_neighbours(points, self.neighbours)
        take = lambda x, i: x[i]
        for _ in range(points.ndim - 2):
            take = jax.vmap(take)
        apart = take(points, near) - points[..., :, None, :]
        found = jnp.max(nn.Dense(self.width)(nn.relu(nn.Dense(self.width)(apart))), axis=-2)
        edges = jnp.concatenate([take(found, near), apart], axis=-1)
        found = jnp.max(nn.Dense(self.width)(nn.relu(nn.Dense(self.width)(edges))), axis=-2)
        return nn.Dense(LENGTH)(nn.relu(found))


def pointnet(width: int, neighbours: int) -> Describer:
    """Perceptrons of the neighbours' coordinates, and the largest values.

    Args:
        width: of the hidden layers.
        neighbours: of a point, itself counted.

    Example:
        >>> network = pointnet(16, 6)
        >>> said = network.apply(network.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (20, 3)))
        >>> said.descriptors.shape, said.vectors
        ((20, 32), None)
    """
    module = _PointNet(width, neighbours)
    return Describer(
        init=lambda key: module.init(key, jnp.zeros((neighbours, 3), jnp.float32)),
        apply=lambda params, points: Described(numerics.normalize(module.apply(params, points)), None),
    )
