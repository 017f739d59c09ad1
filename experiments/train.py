"""The training loop: Adam in a ``lax.scan``, as a pure function of its arguments.

``n`` may be traced: minibatches are drawn from the first n of a fixed order of the examples, so that training sets of
growing size are nested and one compiled program serves all of them. ``vmap`` over keys gives independent trials, over
``learning_rate`` a grid. ``fit`` returns the last parameters; ``fit_watched`` also looks at them as they are trained,
records what it sees, and returns the best. ``fit_epochs`` goes through all examples again and again, as benchmarks
with a protocol of their own want it. ``fit_staged`` trains some parameters after others.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.flatten_util
import jax.numpy as jnp
import optax

from equiv.layers import merge, partition

__all__ = ["Stage", "Watched", "fit", "fit_epochs", "fit_staged", "fit_watched"]


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


class Stage(NamedTuple):
    """One stage of ``fit_staged``.

    Attributes:
        loss: what it minimizes, as in ``fit``, of all parameters.
        frozen: names of the entries of the parameters that stay, at least one, as in ``equiv.layers.partition``.
        n_steps: number of steps.
    """

    loss: Callable[[Any, jax.Array, jax.Array], jax.Array]
    frozen: tuple[str, ...]
    n_steps: int


def fit_staged(
    stages: Sequence[Stage],
    params: Any,
    key: jax.Array,
    n: int | jax.Array,
    *,
    batch_size: int,
    learning_rate: float | jax.Array,
) -> Any:
    """Minimize one loss after the other by ``fit``, each over a part of the parameters while the others stay.

    Every stage begins at the parameters that the one before found, with new moments and the first learning rate.

    Args:
        stages: one after the other.
        params: where training starts; nested dicts, whose entries the stages name.
        key: random key.
        n: number of training examples, at least 1; may be traced.
        batch_size: examples of one minibatch.
        learning_rate: at the first step of each stage; may be traced.

    Returns:
        The trained parameters.

    Raises:
        ValueError: a name that no entry of the parameters has.

    Example:
        >>> loss = lambda p, key, i: (p["a"] + p["b"] - 1) ** 2
        >>> stages = [Stage(loss, ("b",), 200), Stage(lambda p, key, i: (p["b"] - p["a"]) ** 2, ("a",), 200)]
        >>> start, how = {"a": jnp.zeros(()), "b": jnp.zeros(())}, {"batch_size": 1, "learning_rate": 0.1}
        >>> found = fit_staged(stages, start, jax.random.key(0), 1, **how)
        >>> found["a"].round(2).item(), found["b"].round(2).item()
        (1.0, 1.0)
    """
    for stage, own in zip(stages, tuple(jax.random.split(key, len(stages)))):
        trained, rest = partition(params, *stage.frozen)

        def loss(part: Any, key: jax.Array, indices: jax.Array, stage: Stage = stage, rest: Any = rest) -> jax.Array:
            return stage.loss(merge(part, rest), key, indices)

        how = {"n_steps": stage.n_steps, "batch_size": batch_size, "learning_rate": learning_rate}
        params = merge(fit(loss, trained, own, n, **how), rest)
    return params


class Watched(NamedTuple):
    """What ``fit_watched`` returns.

    Attributes:
        params: the parameters at the best check; the last ones if nothing was chosen by.
        best: that check, 0 ... n_checks - 1.
        steps: (n_checks,) steps done at each check.
        seen: what ``watch`` returned, each number as an array (n_checks, ...).
    """

    params: Any
    best: jax.Array
    steps: jax.Array
    seen: dict[str, jax.Array]


def fit_watched(
    loss: Callable[[Any, jax.Array, jax.Array], jax.Array],
    watch: Callable[[Any], dict[str, jax.Array]],
    params: Any,
    key: jax.Array,
    n: int | jax.Array,
    *,
    n_steps: int | jax.Array,
    n_checks: int,
    batch_size: int,
    learning_rate: float | jax.Array,
    schedule: Literal["constant", "cosine"] = "cosine",
    least: str | None = None,
    adapt: Callable[[Any, dict[str, jax.Array], jax.Array], Any] = lambda params, seen, k: params,
) -> Watched:
    """Minimize a loss over the first n examples by Adam, look at the parameters n_checks times, and keep the best.

    Check k comes after ``round((k + 1) n_steps / n_checks)`` steps, so that the last one sees the end. As n and
    n_steps may both be traced, one compiled program trains on every size for as long as that size needs.

    Args:
        loss: ``loss(params, key, indices: (batch_size,)) -> scalar``; the key is for augmentation and the like.
        watch: ``watch(params) -> {name: number}``, for instance the error on validation examples.
        params: where training starts.
        key: random key.
        n: number of training examples, at least 1; may be traced.
        n_steps: number of steps; may be traced.
        n_checks: how often to look, at least 1.
        batch_size: examples of one minibatch, drawn with replacement.
        learning_rate: at the first step; may be traced.
        schedule: the rate stays, or falls to zero along a cosine.
        least: the name of the number whose least value says which parameters to return (NaN never does); None for
            the last ones.
        adapt: ``adapt(params, seen, k) -> params`` after check k, which saw ``seen``; for numbers among the
            parameters that no gradient moves, such as the strengths of penalties.

    Raises:
        ValueError: another schedule, or no check.

    Example:
        >>> y = jnp.array([1.0, 3.0, 100.0])
        >>> loss = lambda w, key, i: jnp.mean((w - y[i]) ** 2)
        >>> watch = lambda w: {"distance from 1": abs(w - 1)}
        >>> how = dict(n_steps=100, n_checks=20, batch_size=8, learning_rate=0.1, least="distance from 1")
        >>> found = fit_watched(loss, watch, jnp.zeros(()), jax.random.key(0), 2, **how)
        >>> bool(abs(found.params - 1) < 0.2), int(found.steps[-1])  # on its way to 2
        (True, 100)
    """
    if schedule not in ("constant", "cosine"):
        raise ValueError(f"schedule has to be constant or cosine, got {schedule!r}")
    if n_checks < 1:
        raise ValueError(f"n_checks has to be at least 1, got {n_checks}")
    optimizer = optax.scale_by_adam()
    params, unravel = jax.flatten_util.ravel_pytree(params)  # one vector: a step updates it at once and compiles fast
    numbers = jax.random.key_data(key)  # as plain numbers, for the reason given in fit
    kind = jnp.result_type(float)
    total = jnp.asarray(n_steps, kind)

    def step(t: jax.Array, state: tuple[Any, Any]) -> tuple[Any, Any]:
        params, moments = state
        own = jax.random.fold_in(jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(key)), t)
        draw, inner = jax.random.split(own)
        indices = jax.random.randint(draw, (batch_size,), 0, n)
        gradient = jax.grad(lambda flat: loss(unravel(flat), inner, indices))(params)
        rate = jnp.asarray(learning_rate, kind)
        if schedule == "cosine":
            rate = rate * (1 + jnp.cos(jnp.pi * t.astype(kind) / total)) / 2
        with jax.numpy_dtype_promotion("standard"):  # optax multiplies floats by its integer step count
            updates, moments = optimizer.update(gradient, moments, params)
        return params - rate.astype(params.dtype) * updates, moments

    def check(state: tuple, k: jax.Array) -> tuple[tuple, tuple[jax.Array, dict[str, jax.Array]]]:
        training, done, kept, lowest, best = state
        end = jnp.round((k + 1).astype(kind) * total / n_checks).astype(jnp.int32)
        training = jax.lax.fori_loop(done, end, step, training)
        seen = watch(unravel(training[0]))
        better = jnp.bool_(True)
        if least is not None:
            better = seen[least] < lowest
            lowest = jnp.where(better, seen[least], lowest)
        kept = jnp.where(better, training[0], kept)
        adapted, _ = jax.flatten_util.ravel_pytree(adapt(unravel(training[0]), seen, k))
        training = adapted, training[1]
        return (training, end, kept, lowest, jnp.where(better, k, best)), (end, seen)

    metric = (
        jax.eval_shape(lambda flat: watch(unravel(flat)), params).get(least) if least is not None else jnp.zeros(())
    )
    start = ((params, optimizer.init(params)), jnp.int32(0), params, jnp.asarray(jnp.inf, metric.dtype), jnp.int32(-1))
    (_, _, kept, _, best), (steps, seen) = jax.lax.scan(check, start, jnp.arange(n_checks, dtype=jnp.int32))
    return Watched(unravel(kept), best, steps, seen)


def fit_epochs(
    loss: Callable[[Any, jax.Array, jax.Array], jax.Array],
    params: Any,
    key: jax.Array,
    n: int,
    *,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
    least_rate: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[Any, jax.Array]:
    """Minimize a loss by Adam in epochs: every example once, in a new order, what does not fill a minibatch left out.

    In epoch e the rate is ``least + (rate - least) (1 + cos(pi e / n_epochs)) / 2``. Weight decay is that of Adam, not
    of AdamW: ``weight_decay * params`` is added to the gradient.

    Args:
        loss: ``loss(params, key, indices: (batch_size,)) -> scalar``; the key is for augmentation and the like.
        params: where training starts.
        key: random key.
        n: number of training examples.
        n_epochs: passes over them.
        batch_size: examples of one minibatch.
        learning_rate: in the first epoch.
        least_rate: what it falls towards.
        weight_decay: of every parameter.

    Returns:
        The trained parameters, and the mean loss of each epoch (n_epochs,).

    Raises:
        ValueError: fewer examples than one minibatch.

    Example:
        >>> y = jnp.array([1.0, 3.0])
        >>> loss = lambda w, key, i: jnp.mean((w - y[i]) ** 2)
        >>> how = dict(n_epochs=200, batch_size=2, learning_rate=0.1)
        >>> w, losses = fit_epochs(loss, jnp.zeros(()), jax.random.key(0), 2, **how)
        >>> bool(abs(w - 2) < 0.01), losses.shape
        (True, (200,))
    """
    if n < batch_size:
        raise ValueError(f"a minibatch has {batch_size} examples and there are {n}; take a smaller batch_size")
    optimizer = optax.scale_by_adam()
    params, unravel = jax.flatten_util.ravel_pytree(params)
    numbers = jax.random.key_data(key)  # as plain numbers, for the reason given in fit
    n_batches = n // batch_size
    epochs = jnp.arange(n_epochs, dtype=params.dtype)
    rates = least_rate + (learning_rate - least_rate) * (1 + jnp.cos(jnp.pi / n_epochs * epochs)) / 2

    def epoch(state: tuple[Any, Any], number_and_rate: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        number, rate = number_and_rate
        own = jax.random.fold_in(jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(key)), number)
        order_key, steps_key = jax.random.split(own)
        order = jax.random.permutation(order_key, jnp.arange(n, dtype=jnp.int32))
        batches = order[: n_batches * batch_size].reshape(n_batches, batch_size)
        keys = jax.random.key_data(jax.random.split(steps_key, n_batches))

        def step(state: tuple[Any, Any], batch: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
            (params, moments), (inner, indices) = state, batch
            inner = jax.random.wrap_key_data(inner, impl=jax.random.key_impl(key))
            value, gradient = jax.value_and_grad(lambda flat: loss(unravel(flat), inner, indices))(params)
            gradient = gradient + weight_decay * params
            with jax.numpy_dtype_promotion("standard"):  # optax multiplies floats by its integer step count
                updates, moments = optimizer.update(gradient, moments, params)
            return (params - rate * updates, moments), value

        state, values = jax.lax.scan(step, state, (keys, batches))
        return state, jnp.mean(values)

    start = params, optimizer.init(params)
    (params, _), losses = jax.lax.scan(epoch, start, (jnp.arange(n_epochs, dtype=jnp.uint32), rates))
    return unravel(params), losses
