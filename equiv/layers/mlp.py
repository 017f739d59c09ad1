"""Multilayer perceptrons between representations of any matrix group.

A block is an affine map, a quadratic layer beside it, and gates: ``x -> gate(h + 0.1 q(h))`` with ``h = A x + b``. What
makes the network equivariant, softly equivariant or not at all is the ``affine`` it is built with; everything else
commutes with the group in any case.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from equiv.groups.base import intern
from equiv.groups.finite import whole
from equiv.layers.base import Layer, Params, serial
from equiv.layers.bilinear import bilinear
from equiv.layers.gates import gated
from equiv.layers.linear import affine
from equiv.reps import Rep

__all__ = ["equivariant_mlp"]


@functools.cache
def _quadratic(rep: Rep) -> Layer:
    """``x + 0.1 q(x)`` with q bilinear."""
    products = bilinear(rep, rep)

    def apply(params: Params, x: jax.Array) -> jax.Array:
        return x + jnp.asarray(0.1, x.dtype) * products.apply(params, x)

    return intern(Layer(("quadratic", rep), f"quadratic({rep})", rep, rep, products.init, apply))


@functools.cache
def equivariant_mlp(
    rep_in: Rep,
    rep_out: Rep,
    hidden: Rep,
    depth: int = 3,
    affine: Callable[[Rep, Rep], Layer] = affine,
    gate: Callable[[Rep], Layer] = gated,
) -> Layer:
    """Hidden blocks ``gate(h + 0.1 q(h))``, ``h = A x + b``, and a last affine map.

    Args:
        rep_in: of the input.
        rep_out: of the output, of the same group.
        hidden: of the hidden layers; ``spread(group, channels)`` has tensors of every rank.
        depth: hidden layers, at least 1.
        affine: builds the affine maps: ``layers.affine`` makes the network equivariant, ``layers.dense`` leaves it free
            (for a penalty to bring it back), ``equiv.soft`` has what lies between.
        gate: builds the activation of a hidden layer.

    Returns:
        A layer; its parameters are a tuple, (affine, quadratic, gate) for each block, then the last affine map.

    Raises:
        ValueError: two groups, or a depth below 1.

    Example:
        >>> from equiv.groups import o
        >>> from equiv.reps import scalar, spread, standard
        >>> group = o(3)
        >>> net = equivariant_mlp(5 * scalar(group) + 5 * standard(group), standard(group) * standard(group),
        ...                       spread(group, 30), depth=2)
        >>> net.apply(net.init(jax.random.key(0)), jnp.ones((7, 20))).shape
        (7, 9)

    Reference:
        Finzi, Welling, Wilson, ICML 2021 (arXiv 2104.09459); Kim, Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356) for the
        same network with free weights.

    Differs from the paper:
        The weights of an equivariant map are its coefficients in an orthonormal basis, not a free matrix that is
        projected whenever it is used: the same functions with fewer parameters. ``bilinear`` says what differs there.
    """
    depth = whole(depth, 1, "the number of hidden layers")
    stack: list[Any] = []
    before, activation = rep_in, gate(hidden)
    for _ in range(depth):
        stack += [affine(before, activation.rep_in), _quadratic(activation.rep_in), activation]
        before = hidden
    return serial(*stack, affine(hidden, rep_out))
