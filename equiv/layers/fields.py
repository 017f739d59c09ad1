"""Neural fields: small networks from coordinates to the values of a kernel.

A convolution over a group that is no grid needs its kernel everywhere, so the kernel is a function of coordinates with
parameters of its own. ``siren`` has sine activations, which represent high frequencies and have derivatives of every
order. A field ends in a linear map to as many numbers as the kernel has entries, and that map holds nearly all of the
parameters.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from equiv.groups.base import intern
from equiv.groups.finite import whole
from equiv.layers.base import Params

__all__ = ["Field", "siren"]


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class Field:
    """A family of functions with parameters, for every number of inputs and outputs.

    Attributes:
        spec: nested tuple of what defines the field.
        name: how it is printed.
        init: ``init(key, dim, n_out, fan_in, dtype=float) -> params``; ``fan_in`` is the number of products that the
            kernel made of the outputs will sum over, which sets their size.
        features: ``features(params, x: (..., dim)) -> (..., hidden)``, everything but the last, linear map.
        head: ``head(params) -> (weight: (hidden, n_out), bias: (n_out,))``, that map; kept apart so that a layer can
            contract it in the order it likes.
    """

    spec: tuple
    name: str
    init: Callable[..., Params] = dataclasses.field(repr=False)
    features: Callable[[Params, jax.Array], jax.Array] = dataclasses.field(repr=False)
    head: Callable[[Params], tuple[jax.Array, jax.Array]] = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return self.name

    def apply(self, params: Params, x: jax.Array) -> jax.Array:
        """The values, (..., n_out)."""
        weight, bias = self.head(params)
        values = self.features(params, x) @ weight
        return values + bias.reshape((1,) * (values.ndim - 1) + bias.shape)


@functools.cache
def siren(hidden: int = 60, depth: int = 3, frequency: float = 10.0) -> Field:
    """A network with sine activations, ``h <- sin(frequency (W h + b))``, and a linear end.

    Weights are uniform: within ``1 / dim`` in the first layer, ``sqrt(6 / hidden) / frequency`` in the others, and
    ``sqrt(6 / hidden) / sqrt(fan_in)`` in the end. Biases start at 0.

    Args:
        hidden: width.
        depth: sine layers, at least 1.
        frequency: what multiplies the argument of every sine.

    Raises:
        ValueError: a width or depth that is not a whole number of at least 1; a frequency that is not above zero.

    Example:
        >>> field = siren(hidden=8)
        >>> params = field.init(jax.random.key(0), 2, 5, 25)
        >>> field.apply(params, jnp.ones((7, 2))).shape
        (7, 5)

    Reference:
        Sitzmann, Martel, Bergman, Lindell, Wetzstein, Implicit Neural Representations with Periodic Activation
        Functions, NeurIPS 2020 (arXiv 2006.09661).
    """
    hidden, depth = whole(hidden, 1, "the width of siren"), whole(depth, 1, "the depth of siren")
    if not 0 < frequency < float("inf"):
        raise ValueError(f"the frequency of siren has to be finite and above zero, got {frequency}")

    def init(key: jax.Array, dim: int, n_out: int, fan_in: int, dtype: Any = float) -> Params:
        sizes = [dim] + [hidden] * depth
        bounds = [1 / dim] + [(6 / hidden) ** 0.5 / frequency] * (depth - 1)
        keys = tuple(jax.random.split(key, depth + 1))
        sines = tuple(
            {"weight": jax.random.uniform(k, shape, dtype, -bound, bound), "bias": jnp.zeros(shape[1], dtype)}
            for k, shape, bound in zip(keys, itertools.pairwise(sizes), bounds)
        )
        bound = (6 / hidden / fan_in) ** 0.5
        end = {
            "weight": jax.random.uniform(keys[-1], (hidden, n_out), dtype, -bound, bound),
            "bias": jnp.zeros(n_out, dtype),
        }
        return {"sines": sines, "end": end}

    def features(params: Params, x: jax.Array) -> jax.Array:
        for layer in params["sines"]:
            x = x @ layer["weight"]
            x = jnp.sin(jnp.asarray(frequency, x.dtype) * (x + layer["bias"].reshape((1,) * (x.ndim - 1) + (-1,))))
        return x

    def head(params: Params) -> tuple[jax.Array, jax.Array]:
        return params["end"]["weight"], params["end"]["bias"]

    spec = ("siren", hidden, depth, float(frequency))
    return intern(Field(spec, f"siren({hidden}, {depth}, {frequency:g})", init, features, head))
