"""Models that experiments compare, all as a pair of pure functions.

``mlp`` is the baseline that knows nothing of symmetry, a flax module; ``equivariant`` is built of ``equiv.layers``.
Hidden layers, activation and loss are the same, and widths are chosen by ``mlp.width_for`` so that the numbers of
parameters agree.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

__all__ = ["Model", "n_parameters"]


class Model(NamedTuple):
    """``init(key) -> params`` in float32 and ``apply(params, x: (batch, n_in)) -> (batch, n_out)``."""

    init: Callable[[jax.Array], Any]
    apply: Callable[[Any, jax.Array], jax.Array]


def n_parameters(model: Model) -> int:
    """How many numbers the model's parameters hold."""
    shapes = jax.eval_shape(model.init, jax.eval_shape(lambda: jax.random.key(0)))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))
