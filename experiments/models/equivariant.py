"""The invariant classifier of ``equiv.layers``: hidden features on the group, invariant outputs."""

import functools

import jax
import jax.numpy as jnp

from equiv import layers
from equiv.reps import Rep, regular, scalar
from experiments.models import Model

__all__ = ["equivariant_mlp"]


@functools.cache
def equivariant_mlp(rep_in: Rep, copies: int, depth: int, n_out: int) -> Model:
    """A multilayer perceptron whose every layer commutes with a finite group, and whose outputs are invariant.

    Each hidden layer is ``relu(W x + b)`` with values in ``copies`` copies of the regular representation, W an
    intertwiner and b invariant; relu acts entry by entry, which commutes because the group permutes the entries.

    Args:
        rep_in: how the group acts on inputs; the group is finite.
        copies: copies of the regular representation in a hidden layer.
        depth: hidden layers.
        n_out: invariant outputs.

    Example:
        >>> from equiv.groups import dihedral
        >>> from equiv.reps import pixels
        >>> model = equivariant_mlp(pixels(dihedral(4), 8), 2, 2, 9)
        >>> model.apply(model.init(jax.random.key(0)), jnp.ones((5, 64), jnp.float32)).shape
        (5, 9)
    """
    hidden, out = copies * regular(rep_in.group), scalar(rep_in.group, n_out)
    stack = []
    for before in [rep_in, *[hidden] * (depth - 1)]:
        stack += [layers.linear(before, hidden), layers.bias(hidden), layers.pointwise(hidden, jax.nn.relu)]
    network = layers.serial(*stack, layers.linear(hidden, out), layers.bias(out))
    return Model(init=lambda key: network.init(key, jnp.float32), apply=network.apply)
