"""The one training loop: Adam in a ``lax.scan``, as a pure function of its arguments.

``n`` may be traced: minibatches are drawn from the first n of a fixed order of the examples, so that training sets of
growing size are nested and one compiled program serves all of them. ``vmap`` over keys gives independent trials, over
``learning_rate`` a grid.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax

__all__ = ["fit"]


def fit(
    loss: Callable[[Any, jax.Array, jax.Array], jax.Array],
    params: Any,
    key: jax.Array,
    n: int | jax.Array,
    *,
    n_steps: int,
    batch_size: int,
    learning_rate: float | jax.Array,
) -> Any:
    """Minimize a loss over the first n examples by Adam with a learning rate that falls to zero along a cosine.

    ``rate_t = rate (1 + cos(pi t / n_steps)) / 2``; every step draws its minibatch from 0 ... n-1 with replacement.

    Args:
        loss: ``loss(params, key, indices: (batch_size,)) -> scalar``; the key is for augmentation and the like.
        params: where training starts.
        key: random key.
        n: number of training examples, at least 1; may be traced.
        n_steps: number of steps.
        batch_size: examples of one minibatch.
        learning_rate: at the first step; may be traced.

    Returns:
        The trained parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> y = jnp.array([1.0, 3.0, 100.0])
        >>> loss = lambda w, key, i: jnp.mean((w - y[i]) ** 2)
        >>> w = fit(loss, jnp.zeros(()), jax.random.key(0), 2, n_steps=200, batch_size=8, learning_rate=0.1)
        >>> bool(abs(w - 2) < 0.2)
        True
    """
    optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, n_steps))

    def step(state: tuple[Any, Any], numbers: jax.Array) -> tuple[tuple[Any, Any], None]:
        params, moments = state
        draw, inner = jax.random.split(jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(key)))
        indices = jax.random.randint(draw, (batch_size,), 0, n)
        gradient = jax.grad(loss)(params, inner, indices)
        with jax.numpy_dtype_promotion("standard"):  # optax multiplies floats by its integer step count
            updates, moments = optimizer.update(gradient, moments, params)
        return (optax.apply_updates(params, updates), moments), None

    # As plain numbers: jax's check of key reuse takes the keys of a scan under two vmaps for used ones.
    keys = jax.random.key_data(jax.random.split(key, n_steps))
    return jax.lax.scan(step, (params, optimizer.init(params)), keys)[0][0]
