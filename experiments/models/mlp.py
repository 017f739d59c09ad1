"""The baseline: a multilayer perceptron in flax, with relu unless another activation is asked for."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from experiments.models import Model

__all__ = ["MLP", "mlp", "orthogonal", "width_for"]


class MLP(nn.Module):
    """``depth`` hidden layers of ``width`` units and a linear output.

    Attributes:
        width: units of a hidden layer.
        depth: hidden layers.
        n_out: outputs.
        activation: of the hidden units.
        orthogonal: whether weights start as orthogonal matrices and biases uniform in [0, 1] / sqrt(outputs), as in
            ``equiv.layers.dense``: hidden units then start near zero, where a smooth activation is a polynomial of low
            degree. He's normal weights and zero biases otherwise.
    """

    width: int
    depth: int
    n_out: int
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    orthogonal: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Outputs (batch, n_out) of inputs (batch, n_in)."""
        hidden: dict[str, Any] = {"kernel_init": nn.initializers.he_normal()}
        last: dict[str, Any] = {}
        if self.orthogonal:
            hidden = last = {"kernel_init": orthogonal, "bias_init": _small}
        for _ in range(self.depth):
            x = self.activation(nn.Dense(self.width, **hidden)(x))
        return nn.Dense(self.n_out, **last)(x)


def orthogonal(key: jax.Array, shape: tuple[int, int], dtype: Any = float) -> jax.Array:
    """A matrix with orthonormal rows or columns, whichever are fewer, drawn by Haar measure.

    The polar factor of a Gaussian matrix G by the iteration ``G <- G (3 - G^T G) / 2``, which needs products alone: the
    LAPACK calls of a QR decomposition, several side by side in one program, can wait for each other for ever on a CPU.

    Args:
        key: random key.
        shape: of the matrix.
        dtype: of its entries.

    Example:
        >>> q = orthogonal(jax.random.key(0), (5, 3))
        >>> bool(jnp.allclose(q.T @ q, jnp.eye(3), atol=1e-5))
        True
    """
    gaussian = jax.random.normal(key, (max(shape), min(shape)), dtype)
    start = gaussian / jnp.sqrt(jnp.sum(gaussian**2))  # no singular value above 1; one of 1e-8 still gets to 1
    q = jax.lax.fori_loop(0, 60, lambda _, g: 1.5 * g - 0.5 * g @ (g.T @ g), start)
    return q if shape[0] >= shape[1] else q.T


def _small(key: jax.Array, shape: tuple[int], dtype: Any) -> jax.Array:
    return jax.random.uniform(key, shape, dtype) / jnp.sqrt(jnp.asarray(shape[0], dtype))


@functools.cache
def mlp(
    n_in: int,
    width: int,
    depth: int,
    n_out: int,
    activation: Callable[[jax.Array], jax.Array] = nn.relu,
    orthogonal: bool = False,
) -> Model:
    """The perceptron as a pair of functions.

    Args:
        n_in: inputs.
        width: units of a hidden layer.
        depth: hidden layers.
        n_out: outputs.
        activation: of the hidden units.
        orthogonal: how weights and biases start, see ``MLP``.

    Example:
        >>> model = mlp(64, 8, 2, 9)
        >>> model.apply(model.init(jax.random.key(0)), jnp.ones((5, 64), jnp.float32)).shape
        (5, 9)
    """
    module = MLP(width, depth, n_out, activation, orthogonal)
    return Model(init=lambda key: module.init(key, jnp.zeros((1, n_in), jnp.float32)), apply=module.apply)


def width_for(n_parameters: int, n_in: int, depth: int, n_out: int) -> int:
    """The width whose number of parameters is nearest to the one that is wanted.

    ``(n_in + 1) w + (depth - 1) (w + 1) w + (w + 1) n_out`` for width w.

    Args:
        n_parameters: the number wanted.
        n_in: inputs.
        depth: hidden layers.
        n_out: outputs.

    Example:
        >>> width_for(20000, 64, 2, 9)
        109
    """

    def miss(w: int) -> int:
        return abs((n_in + 1) * w + (depth - 1) * (w + 1) * w + (w + 1) * n_out - n_parameters)

    width = 1
    while miss(width + 1) < miss(width):
        width += 1
    return width
