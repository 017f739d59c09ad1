"""Linear equivariant layers: every equivariant matrix, and every equivariant bias.

``linear`` is a basis of Hom_G(V, W) with one learned coefficient per basis map; ``bias`` adds a learned invariant
vector. Together they are all equivariant affine maps. The coefficients are drawn so that unit variance goes in and
comes out: with ``E x x^T = 1``, a summand of W that receives ``k`` orthonormal maps has ``E |y|^2 = k var``, so ``var
= dim / k``.
"""

import functools
import math
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from equiv.groups.base import intern
from equiv.layers.base import Layer, Params, Weight, entry
from equiv.reps import Rep, intertwiners, scalar

__all__ = ["affine", "bias", "dense", "linear"]


def _entry(layer: str, params: Params, key: str, dtype: Any) -> jax.Array:
    return jnp.asarray(entry(layer, params, key), dtype)


def _deviations(rep_in: Rep, rep_out: Rep) -> tuple[np.ndarray, list[Rep]]:
    """The standard deviation of each coefficient, and the summands of W that no map reaches."""
    basis = intertwiners.basis(rep_in, rep_out)
    fans, words = {}, {}
    for block in basis.blocks:
        fans[block.out] = fans.get(block.out, 0) + block.copies[1] * block.dim
        words[block.out] = block.word
    deviation = np.zeros(basis.dim)
    for block in basis.blocks:
        if block.dim:
            deviation[block.span] = np.sqrt(math.prod(rep.dim for rep in block.word) / fans[block.out])
    start = scalar(rep_out.group)
    return deviation, [functools.reduce(operator.mul, words[out], start) for out, fan in fans.items() if not fan]


@functools.cache
def linear(rep_in: Rep, rep_out: Rep) -> Layer:
    """The general equivariant linear map, ``y = sum_k weight_k B_k x``.

    Args:
        rep_in: V.
        rep_out: W, of the same group.

    Returns:
        A layer with parameters ``{"weight": (dim Hom_G(V, W),)}``.

    Raises:
        ValueError: a summand of W that no equivariant map from V reaches, so that it would be zero for ever; or two
            groups.

    Example:
        >>> from equiv.groups import dihedral
        >>> from equiv.reps import pixels, regular
        >>> d4 = dihedral(4)
        >>> layer = linear(pixels(d4, 8), 5 * regular(d4))
        >>> layer.init(jax.random.key(0))["weight"].shape  # 64 * 40 entries, 8 of each value
        (320,)

    Reference:
        Finzi, Welling, Wilson, A Practical Method for Constructing Equivariant Multilayer Perceptrons, ICML 2021
        (arXiv 2104.09459).
    """
    basis, (deviation, missed) = intertwiners.basis(rep_in, rep_out), _deviations(rep_in, rep_out)
    if missed:
        raise ValueError(
            f"no equivariant linear map of {rep_out.group} leads from {rep_in} to {missed[0]}: drop it from {rep_out}"
        )

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return {"weight": jnp.asarray(deviation, dtype) * jax.random.normal(key, (basis.dim,), dtype)}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        return x @ basis.combine(_entry(name, params, "weight", x.dtype)).T

    name = f"linear({rep_in} -> {rep_out})"
    return intern(Layer(("linear", rep_in, rep_out), name, rep_in, rep_out, init, apply))


@functools.cache
def bias(rep: Rep) -> Layer:
    """The general equivariant bias, ``y = x + sum_k bias_k v_k`` with ``v_k`` a basis of the invariant vectors V^G.

    Args:
        rep: V.

    Returns:
        A layer with parameters ``{"bias": (dim V^G,)}``, zero at first.

    Raises:
        ValueError: 0 is the only invariant vector, so that there is no bias.

    Example:
        >>> from equiv.groups import cyclic
        >>> from equiv.reps import regular
        >>> bias(2 * regular(cyclic(5))).init(jax.random.key(0))["bias"].shape
        (2,)
    """
    basis = intertwiners.basis(scalar(rep.group), rep)
    if not basis.dim:
        raise ValueError(
            f"{rep} of {rep.group} has no invariant vector except 0, so it takes no bias: leave the bias out"
        )

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return {"bias": jnp.zeros(basis.dim, dtype)}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        shift = basis.combine(_entry(name, params, "bias", x.dtype))[:, 0]
        return x + jnp.broadcast_to(shift, x.shape)

    name = f"bias({rep})"
    return intern(Layer(("bias", rep), name, rep, rep, init, apply))


@functools.cache
def affine(rep_in: Rep, rep_out: Rep) -> Layer:
    """The general equivariant affine map, ``y = sum_k weight_k B_k x + sum_k bias_k v_k``; what networks are made of.

    Unlike ``linear``, it serves a W with summands that no map from V reaches; they stay zero.

    Args:
        rep_in: V.
        rep_out: W, of the same group.

    Returns:
        A layer with parameters ``{"weight": (dim Hom_G(V, W),), "bias": (dim W^G,)}``, the bias zero at first.

    Raises:
        ValueError: representations of two groups.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> v, one = standard(so(3)), scalar(so(3))
        >>> {name: p.shape for name, p in affine(v, v + 2 * one).init(jax.random.key(0)).items()}
        {'bias': (2,), 'weight': (1,)}
    """
    basis, (deviation, _) = intertwiners.basis(rep_in, rep_out), _deviations(rep_in, rep_out)
    fixed = intertwiners.basis(scalar(rep_out.group), rep_out)

    def init(key: jax.Array, dtype: Any = float) -> Params:
        weight = jnp.asarray(deviation, dtype) * jax.random.normal(key, (basis.dim,), dtype)
        return {"bias": jnp.zeros(fixed.dim, dtype), "weight": weight}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        y = x @ basis.combine(_entry(name, params, "weight", x.dtype)).T
        return y + jnp.broadcast_to(fixed.combine(_entry(name, params, "bias", x.dtype))[:, 0], y.shape)

    name = f"affine({rep_in} -> {rep_out})"
    return intern(Layer(("affine", rep_in, rep_out), name, rep_in, rep_out, init, apply))


@functools.cache
def dense(rep_in: Rep, rep_out: Rep) -> Layer:
    """The general affine map, equivariant or not, ``y = W x + b``: what soft equivariance starts from.

    Args:
        rep_in: V.
        rep_out: W, of the same group.

    Returns:
        A layer with parameters ``{"matrix": (dim W, dim V), "bias": (dim W,)}``, both of them free weights. The matrix
        is drawn orthogonal, the bias uniform in [0, 1] / sqrt(dim W).

    Raises:
        ValueError: representations of two groups.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> layer = dense(standard(so(3)), 2 * standard(so(3)))
        >>> [weight.matrix.shape for weight in layer.weights(layer.init(jax.random.key(0)))]
        [(6, 3), (6, 1)]
    """
    if rep_in.group != rep_out.group:
        raise ValueError(f"dense needs two representations of one group, got {rep_in.group} and {rep_out.group}")

    def init(key: jax.Array, dtype: Any = float) -> Params:
        k_matrix, k_bias = jax.random.split(key)
        matrix = jax.nn.initializers.orthogonal()(k_matrix, (rep_out.dim, rep_in.dim), dtype)
        return {"matrix": matrix, "bias": jax.random.uniform(k_bias, (rep_out.dim,), dtype) / rep_out.dim**0.5}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        shift = _entry(name, params, "bias", x.dtype)
        return x @ _entry(name, params, "matrix", x.dtype).T + shift.reshape((1,) * (x.ndim - 1) + shift.shape)

    def weights(params: Params) -> tuple[Weight, ...]:
        return (
            Weight(rep_in, rep_out, params["matrix"]),
            Weight(scalar(rep_out.group), rep_out, params["bias"][:, None]),
        )

    name = f"dense({rep_in} -> {rep_out})"
    return intern(Layer(("dense", rep_in, rep_out), name, rep_in, rep_out, init, apply, weights))
