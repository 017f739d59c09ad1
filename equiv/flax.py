"""Bridges to Flax: an equivariant layer as a Linen or an NNX module, and a Linen module as a layer.

The parameters stay what the layer made them, a nested structure of arrays: Linen keeps it as one entry named
``layer``, NNX as one ``nnx.Param`` per array. Parameters that a layer calls frozen are not trained: they are in Linen's
collection ``frozen``, and NNX variables of the type ``Frozen``. Training is Flax's and optax's business.
"""

from typing import Any

import jax
import jax.numpy as jnp

try:
    from flax import linen, nnx
except ImportError as missing:
    raise ImportError("equiv.flax needs Flax, which is not installed: pip install 'equiv[flax]'") from missing

from equiv.groups.base import intern
from equiv.layers import Layer, Params, SignalLayer, merge, partition
from equiv.reps import Rep

__all__ = ["Frozen", "as_linen", "as_nnx", "from_linen"]


class _Linen(linen.Module):
    layer: Layer | SignalLayer

    @linen.compact
    def __call__(self, x: jax.Array, *more: jax.Array) -> jax.Array:
        frozen = None  # drawn with the trained ones, by one key

        def init(key: jax.Array) -> Params:
            nonlocal frozen
            trained, frozen = partition(self.layer.init(key, x.dtype))
            return trained

        params = self.param("layer", init)
        if jax.tree.leaves(frozen) or self.has_variable("frozen", "layer"):
            params = merge(params, self.variable("frozen", "layer", lambda: frozen).value)
        return self.layer.apply(params, x, *more)


class Frozen(nnx.Variable):
    """A parameter that is not trained."""


class _Nnx(nnx.Module):
    def __init__(self, layer: Layer | SignalLayer, rngs: nnx.Rngs, dtype: Any = float) -> None:
        params = layer.init(rngs.params(), dtype)
        leaves, self.structure = jax.tree.flatten(params)
        trained = jax.tree.leaves(partition(params)[0], is_leaf=lambda leaf: leaf is None)
        self.layer = layer
        self.leaves = nnx.List(
            [Frozen(leaf) if other is None else nnx.Param(leaf) for leaf, other in zip(leaves, trained)]
        )

    def __call__(self, x: jax.Array, *more: jax.Array) -> jax.Array:
        params = jax.tree.unflatten(self.structure, [leaf[...] for leaf in self.leaves])
        return self.layer.apply(params, x, *more)


def as_linen(layer: Layer | SignalLayer) -> linen.Module:
    """The layer as a Linen module: ``module.init(key, x)``, ``module.apply(variables, x)``.

    Args:
        layer: any layer; what it takes after the first array is passed on.

    Returns:
        A module; ``variables["params"]["layer"]`` are the layer's parameters, without those in
        ``variables["frozen"]["layer"]``, if it has such.

    Example:
        >>> from equiv.groups import cyclic
        >>> from equiv.layers import linear
        >>> from equiv.reps import regular
        >>> v = regular(cyclic(4))
        >>> module = as_linen(linear(v, v))
        >>> module.init(jax.random.key(0), jnp.ones(4))["params"]["layer"]["weight"].shape
        (4,)
    """
    return _Linen(layer)


def as_nnx(layer: Layer | SignalLayer, rngs: nnx.Rngs, dtype: Any = float) -> nnx.Module:
    """The layer as an NNX module, which holds its own parameters.

    Args:
        layer: any layer; what it takes after the first array is passed on.
        rngs: the stream ``params`` draws them.
        dtype: of the parameters.

    Returns:
        A module, ``module(x)``.

    Example:
        >>> from equiv.groups import cyclic
        >>> from equiv.layers import linear
        >>> from equiv.reps import regular
        >>> v = regular(cyclic(4))
        >>> as_nnx(linear(v, v), nnx.Rngs(0))(jnp.ones(4)).shape
        (4,)
    """
    return _Nnx(layer, rngs, dtype)


def from_linen(module: linen.Module, rep_in: Rep, rep_out: Rep) -> Layer:
    """A Linen module as a layer, so that the laws, ``serial`` and the penalties take it.

    Whether it is equivariant is for the laws to say. All its variable collections count as parameters. It is applied
    without random streams and without mutable collections.

    Args:
        module: from ``(..., rep_in.dim)`` to ``(..., rep_out.dim)``.
        rep_in: how the group acts on what goes in.
        rep_out: how it acts on what comes out.

    Raises:
        ValueError: the module gives arrays of another length, or representations of two groups.

    Example:
        >>> from equiv.groups import cyclic
        >>> from equiv.reps import regular
        >>> v = regular(cyclic(4))
        >>> from_linen(linen.Dense(4), v, v).apply.__name__
        'apply'
    """
    if rep_in.group != rep_out.group:
        raise ValueError(f"from_linen needs two representations of one group, got {rep_in.group} and {rep_out.group}")
    name = f"{type(module).__name__}({rep_in} -> {rep_out})"
    with jax.numpy_dtype_promotion("standard"):
        out = jax.eval_shape(lambda k: module.init_with_output(k, jnp.zeros(rep_in.dim))[0], jax.random.key(0))
    if out.shape != (rep_out.dim,):
        raise ValueError(
            f"{name}: the module gives {out.shape} for one input, but {rep_out} has dimension {rep_out.dim}"
        )

    def init(key: jax.Array, dtype: Any = float) -> Params:
        with jax.numpy_dtype_promotion("standard"):  # Flax draws in float32 unless it is told otherwise
            variables = module.init(key, jnp.zeros(rep_in.dim, dtype))
        return jax.tree.map(
            lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, variables
        )

    try:
        hash(module)
        described = module
    except TypeError:  # linen.Sequential holds a list
        described = id(module)  # the layer keeps the module alive, so no other one gets this number
    return intern(Layer(("linen", described, rep_in, rep_out), name, rep_in, rep_out, init, module.apply))
