"""Equivariance from scalars alone: a perceptron of all inner products, and vectors and tensors built with its outputs.

By the first fundamental theorem every function of vectors that is invariant under O(n) (or O(p, q), with its inner
product) is a function of their inner products, every equivariant vector is a sum of invariant functions times the
vectors themselves, and every equivariant tensor of two indices a sum of invariant functions times products of two
vectors and times the metric. So an ordinary perceptron that sees scalars only is as expressive as any equivariant
network, with no representation theory inside. Parity cannot be told from it: a function that is invariant under SO(n)
and not under O(n) is out of reach.

Reference:
    Villar, Hogg, Storey-Fisher, Yao, Blum-Smith, Scalars are universal: equivariant machine learning, structured like
    classical physics, NeurIPS 2021 (arXiv 2106.06610).
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from experiments.models import Model
from experiments.models.mlp import mlp

__all__ = ["inner_products", "scalars"]

Output = Literal["scalar", "vector", "tensor"]


def inner_products(vectors: jax.Array, signature: tuple[float, ...]) -> jax.Array:
    """All ``<v_i, v_j> / d`` with i <= j, for the form ``<u, v> = sum_a s_a u_a v_a``.

    Args:
        vectors: (..., k, d).
        signature: (d,), the signs s.

    Returns:
        (..., k (k + 1) / 2).

    Example:
        >>> inner_products(jnp.array([[1.0, 2.0], [3.0, 4.0]]), (1.0, -1.0)).tolist()
        [-1.5, -2.5, -3.5]
    """
    lowered = vectors * jnp.asarray(signature, vectors.dtype).reshape((1,) * (vectors.ndim - 1) + (-1,))
    gram = jnp.einsum("...ia,...ja->...ij", vectors, lowered) / len(signature)
    first, second = jnp.triu_indices(vectors.shape[-2])
    return gram[..., first, second]


@functools.cache
def scalars(
    n_scalars: int,
    n_vectors: int,
    signature: tuple[float, ...],
    width: int,
    depth: int,
    output: Output = "scalar",
    activation: Callable[[jax.Array], jax.Array] = nn.swish,
) -> Model:
    """A perceptron of the scalar inputs and all inner products of the vectors.

    With ``f = perceptron(scalars, inner products)`` the output is ``f`` (scalar), ``sum_i f_i v_i`` (vector) or ``f_0
    eta + sum_ij f_ij v_i v_j^T / k`` (tensor, row by row), eta the diagonal matrix of the signature.

    Args:
        n_scalars: scalar inputs, which come first.
        n_vectors: k, vectors after them.
        signature: (d,), the signs of the inner product: all 1 for O(d), (1, -1, -1, -1) for O(1, 3).
        width: units of a hidden layer.
        depth: hidden layers.
        output: what comes out.
        activation: of the hidden units.

    Raises:
        ValueError: another output.

    Example:
        >>> model = scalars(5, 5, (1.0, 1.0, 1.0), 8, 2, "tensor")
        >>> model.apply(model.init(jax.random.key(0)), jnp.ones((7, 20), jnp.float32)).shape
        (7, 9)
    """
    n_functions = {"scalar": 1, "vector": n_vectors, "tensor": n_vectors**2 + 1}
    if output not in n_functions:
        raise ValueError(f"output has to be one of {', '.join(n_functions)}, got {output!r}")
    dim = len(signature)
    n_invariants = n_scalars + n_vectors * (n_vectors + 1) // 2
    network = mlp(n_invariants, width, depth, n_functions[output], activation, orthogonal=True)

    def apply(params: Any, x: jax.Array) -> jax.Array:
        vectors = x[..., n_scalars:].reshape(*x.shape[:-1], n_vectors, dim)
        f = network.apply(params, jnp.concatenate([x[..., :n_scalars], inner_products(vectors, signature)], axis=-1))
        if output == "scalar":
            return f
        if output == "vector":
            return jnp.einsum("...i,...ia->...a", f, vectors)
        pairs = f[..., 1:].reshape(*f.shape[:-1], n_vectors, n_vectors) / n_vectors
        metric = jnp.diag(jnp.asarray(signature, x.dtype)).reshape((1,) * (x.ndim - 1) + (dim, dim))
        tensor = f[..., :1, None] * metric + jnp.einsum("...ij,...ia,...jb->...ab", pairs, vectors, vectors)
        return tensor.reshape(*x.shape[:-1], dim**2)

    return Model(network.init, apply)
