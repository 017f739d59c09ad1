r"""How many samples a learner needs: one engine for networks, layers and kernels.

A *learner* draws the data of a trial and, for a sample size and a rate, fits and tests. It is handed more training rows
than it may use and leaves out those from n on by their weights, ``weights(rows, n) = 1{j < n} / n``; n is traced. So a
compiled program serves many sizes, and training sets of one trial are *nested*: the first n rows of one draw. The start
is the same at every size, too, so that a trial's losses differ by n alone.

``curve`` gives the losses of all trials on a grid of sizes:

* All trials and rates of a size are one call. Rows are cut off at a *padded size*, the next power of ``padding`` (2
  unless said otherwise), so that small samples do not pay for the largest; each padded size is one compiled program. A
  size is a call of its own and its numbers do not depend on which other sizes are asked for, to the bit.
* Of the rows there can be, 1024 are drawn, and eight times as many whenever a size asks for more.
* As many trials go side by side as have ``memory`` bytes of training rows together, and always as many as divide the
  number of trials. The default keeps them in the cache of a CPU; an accelerator wants more.
* The rate is chosen for each trial and size, by the loss on validation data. ``select="test"`` chooses by the test
  loss, as some authors do; those losses are too small, because the choice has seen the data they are measured on.

``measure`` looks for ``n* = min {n : E loss(n) <= target}`` with ``theory.crossing``. While the grid ends above the
target it grows; then sizes are added near the crossing, and beyond it while the band is open above. Where the data end
above the target, n* is censored.

A call of either is one cell of a sweep: a run that is stopped loses the cell it is in. A curve may be asked for one
size at a time, so that no more than a size is lost.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from equiv.layers.ridge import dual_ridge
from theory.crossing import Crossing, at_rates, best_rates, crossing, next_sizes

__all__ = [
    "NUMBERS",
    "Curve",
    "Data",
    "Learner",
    "Measured",
    "curve",
    "kernel_ridge",
    "measure",
    "stored",
    "trained",
    "trial_keys",
    "weights",
]

Select = Literal["validation", "test"]
NUMBERS = ("n_star", "low", "high", "censored", "low_open", "high_open")
"""What is stored of a crossing."""
SMALLEST = 16
"""Rows that even the smallest sample is padded to."""
_DRAWN, _DRAWN_NEXT = 1024, 8
"""Rows that are drawn first, and by what they grow: a program that draws is slow to compile."""


class Data(NamedTuple):
    """What one trial is made of.

    Attributes:
        train: arrays whose first axis are the rows; the training set of size n is the first n.
        validation: what rates are chosen on.
        test: what losses are measured on.
    """

    train: Any
    validation: Any
    test: Any


class Learner(NamedTuple):
    """How data are drawn, fitted and tested. Compiled programs are kept for each function, so build it once.

    Attributes:
        name: for people.
        draw: ``draw(key, rows) -> Data`` with so many training rows, which are the first of every longer draw.
            Laws that differ by numbers share a program if it is a ``jax.tree_util.Partial`` with the numbers bound.
        rows: how many there can be.
        fit_and_test: ``fit_and_test(data, n, rate, key) -> {"validation": loss, "test": loss, ...}``, all of them
            numbers; ``data.train`` has n rows or more, those from n on must not matter; n and rate are traced.
        oracle: the loss of the best predictor of the learner's kind, if it is known.
    """

    name: str
    draw: Callable[[jax.Array, int], Data]
    rows: int
    fit_and_test: Callable[[Data, jax.Array, Any, jax.Array], dict[str, jax.Array]]
    oracle: float | None = None


class Curve(NamedTuple):
    """Losses of all trials at all sizes, raw.

    Attributes:
        sizes: (m,), rising.
        losses: (trials, m), test losses at the chosen rates.
        chosen: (trials, m), index of the chosen rate.
        validation: (trials, m, rates).
        test: (trials, m, rates).
        others: what else the learner returned, (trials, m) each, at the chosen rates.
        select: what rates were chosen by.
    """

    sizes: np.ndarray
    losses: np.ndarray
    chosen: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    others: dict[str, np.ndarray]
    select: Select


class Measured(NamedTuple):
    """A sample complexity, and the losses at all sizes that were visited for it."""

    crossing: Crossing
    curve: Curve


def weights(rows: int, n: jax.Array, dtype: Any) -> jax.Array:
    """``1{j < n} / n``: of the sum over all rows that is the mean over the first n.

    Args:
        rows: how many there are.
        n: how many count, at least 1; may be traced.
        dtype: of the result.

    Example:
        >>> weights(4, 2, jnp.float32).tolist()
        [0.5, 0.5, 0.0, 0.0]
    """
    used = jnp.arange(rows, dtype=jnp.int32) < jnp.asarray(n, jnp.int32)
    return used.astype(dtype) / jnp.asarray(n, dtype)


Losses = Mapping[str, Callable[[jax.Array, jax.Array], jax.Array]]
"""``loss(predictions (n,), y (n,)) -> number`` by name. The first is what rates are chosen by and n* is about."""


def _tested(losses: Losses, predict: Callable[[Any], jax.Array], data: Data) -> dict[str, jax.Array]:
    (_, loss), *others = losses.items()
    (x_validation, y_validation), (x, y) = data.validation, data.test
    predictions = predict(x)
    found = {"validation": loss(predict(x_validation), y_validation), "test": loss(predictions, y)}
    return found | {name: other(predictions, y) for name, other in others}


def trained(
    name: str,
    draw: Callable[[jax.Array, int], Data],
    rows: int,
    init: Callable[[jax.Array], Any],
    apply: Callable[[Any, jax.Array], jax.Array],
    train: Callable[[Any, jax.Array, jax.Array, jax.Array, Any], Any],
    losses: Losses,
    oracle: float | None = None,
) -> Learner:
    """A network or a layer, with its training rule.

    Args:
        name: for people.
        draw: data whose three parts are (x, y) each.
        rows: as in ``Learner``.
        init: ``init(key) -> params``.
        apply: ``apply(params, x) -> predictions``.
        train: ``train(params, x, y, weights, rate) -> params``.
        losses: by name, the first for the target.
        oracle: as in ``Learner``.
    """

    def fit_and_test(data: Data, n: jax.Array, rate: Any, key: jax.Array) -> dict[str, jax.Array]:
        x, y = data.train
        params = train(init(key), x, y, weights(len(y), n, y.dtype), rate)
        return _tested(losses, functools.partial(apply, params), data)

    return Learner(name, draw, rows, fit_and_test, oracle)


def kernel_ridge(
    name: str,
    draw: Callable[[jax.Array, int], Data],
    rows: int,
    kernel: Callable[[jax.Array, jax.Array], jax.Array],
    losses: Losses,
    oracle: float | None = None,
) -> Learner:
    """Ridge regression with a kernel; the rates of its curve are ridges: ``K(x, X) (K(X, X) + ridge I)^-1 y``.

    Args:
        name: for people.
        draw: data whose three parts are (x, y) each.
        rows: as in ``Learner``.
        kernel: ``kernel(x (n, ...), x' (m, ...)) -> (n, m)``.
        losses: by name, the first for the target.
        oracle: as in ``Learner``.
    """

    def fit_and_test(data: Data, n: jax.Array, ridge: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
        x, y = data.train
        used = weights(len(y), n, y.dtype) > 0
        dual = dual_ridge(kernel(x, x), y, ridge, used).coefficients
        return _tested(losses, lambda z: kernel(z, x) @ dual, data)

    return Learner(name, draw, rows, fit_and_test, oracle)


def trial_keys(key: jax.Array, trials: int) -> jax.Array:
    """One key for each trial; more trials keep the keys of the first.

    Args:
        key: random key.
        trials: how many, at least 1.
    """
    if trials < 1:
        raise ValueError(f"it takes one trial or more, got {trials}")
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, np.arange(trials, dtype=np.uint32))


def curve(
    learner: Learner,
    keys: jax.Array,
    sizes: Sequence[int],
    rates: Any,
    *,
    select: Select = "validation",
    padding: int = 2,
    memory: float = 2**22,
) -> Curve:
    """The losses of all trials at all sizes.

    Args:
        learner: what is trained.
        keys: (trials,), see ``trial_keys``.
        sizes: rising sample sizes, one or more, up to the rows of the learner.
        rates: (rates, ...), or a tree of such arrays; each is tried for every trial and size.
        select: what rates are chosen by.
        padding: ratio of the padded sizes: 2 wastes a quarter of the rows or so; more has fewer programs to compile.
        memory: bytes of training rows that are trained on side by side; one trial at least.

    Raises:
        ValueError: sizes that do not rise or go beyond the data, no rate, a padding that is no ratio above 1, a
            trial and size at which no rate gave a finite loss, or draws that are not nested.

    Example:
        >>> def draw(key, rows):
        ...     keys = tuple(jax.random.split(key, 3))
        ...     return Data(*(jax.random.normal(k, (n,)) for k, n in zip(keys, (rows, 64, 64))))
        >>> def fit_and_test(data, n, shrinkage, key):
        ...     mean = shrinkage * jnp.sum(weights(len(data.train), n, data.train.dtype) * data.train)
        ...     return {"validation": jnp.mean((data.validation - mean) ** 2), "test": mean**2}
        >>> keys = trial_keys(jax.random.key(0), 5)
        >>> curve(Learner("mean", draw, 64, fit_and_test), keys, [4, 60], jnp.ones(1)).losses.shape
        (5, 2)
    """
    _check_sizes(learner, sizes)
    return _curve(learner, _drawn(learner, keys), sizes, rates, select, padding, memory)


def measure(
    learner: Learner,
    key: jax.Array,
    sizes: Sequence[int],
    rates: Any,
    target: float,
    *,
    trials: int,
    widest: float = 1.2,
    select: Select = "validation",
    padding: int = 2,
    memory: float = 2**22,
) -> Measured:
    """The sample size at which the mean loss over trials reaches a target, with its band and all raw losses.

    Learners that are given the same key have the same trials drawn in their bootstrap, as ``theory.crossing.ratio``
    wants it of learners on the same data.

    Args:
        learner: what is trained.
        key: random key of all trials and of the bootstrap.
        sizes: the grid to begin with, rising, two or more.
        rates: as in ``curve``.
        target: the loss to reach.
        trials: how many, at least 2; 8 or more make a band worth its name.
        widest: ratio of the two sizes next to the crossing, in the end.
        select: as in ``curve``.
        padding: as in ``curve``.
        memory: as in ``curve``.

    Raises:
        ValueError: a grid of one size, a target that is not above the learner's oracle loss, or what ``curve`` raises.
    """
    if np.size(sizes) < 2:
        raise ValueError(f"a crossing takes two sample sizes or more to begin with, got {np.asarray(sizes).tolist()}")
    if learner.oracle is not None and not target > learner.oracle:
        raise ValueError(
            f"the target {target:g} is not above {learner.oracle:g}, the oracle loss of {learner.name}, which no "
            "sample size reaches; give a larger target"
        )
    own, resampling = jax.random.split(key)
    _check_sizes(learner, sizes)
    drawn, how = _drawn(learner, trial_keys(own, trials)), (rates, select, padding, memory)
    found = _curve(learner, drawn, sizes, *how)
    while True:
        n_star = crossing(resampling, found.sizes, found.losses, target)
        added = next_sizes(found.sizes, n_star, widest, learner.rows)
        if not added:
            return Measured(n_star, found)
        found = _joined(found, _curve(learner, drawn, added, *how))


def stored(measured: Measured, n_steps: int) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """What an experiment keeps of a measurement: arrays with the names of their axes, of one shape for all cells.

    ``n_star``, ``low``, ``high``, ``censored``, ``low_open``, ``high_open`` as in ``Crossing``; ``sizes`` (step,) that
    were visited, rising, 0 from the first step on that was not needed; ``losses`` (trial, step), and 0 there as well.

    Args:
        measured: the measurement.
        n_steps: length of the axis ``step``.

    Raises:
        ValueError: more sizes were visited.
    """
    sizes, losses = measured.curve.sizes, measured.curve.losses
    spare = n_steps - len(sizes)
    if spare < 0:
        raise ValueError(f"{len(sizes)} sizes were visited and there are n_steps = {n_steps}; give as many")
    numbers = {name: ((), np.asarray(getattr(measured.crossing, name))) for name in NUMBERS}
    return numbers | {
        "sizes": (("step",), np.pad(sizes, (0, spare))),
        "losses": (("trial", "step"), np.pad(losses, ((0, 0), (0, spare)))),
    }


def _drawn(learner: Learner, keys: jax.Array) -> Callable[[int], tuple[Data, jax.Array]]:
    """Data, with a number of training rows, and fitting keys of all trials.

    Raises:
        ValueError: not so many rows, or other first rows in a longer draw.
    """
    draw = learner.draw if isinstance(learner.draw, jax.tree_util.Partial) else jax.tree_util.Partial(learner.draw)
    seen: list[tuple[int, list[jax.Array]]] = []

    @functools.cache
    def whole(rows: int) -> tuple[Data, jax.Array]:
        data, fit_keys = _draws(draw, rows, jax.random.clone(keys))
        leaves = jax.tree.leaves(data.train)
        counts = {leaf.shape[1] if leaf.ndim > 1 else 0 for leaf in leaves}
        if counts != {rows}:
            raise ValueError(
                f"{learner.name} was asked for {rows} training rows and drew {min(counts - {rows}, default=0)}; make "
                "its draw(key, rows) heed rows"
            )
        seen.append((rows, [leaf[:, :SMALLEST] for leaf in leaves]))
        (fewer, first), (_, last) = seen[0], seen[-1]
        if not all(_close(a, b[:, : a.shape[1]]) for a, b in zip(first, last)):
            raise ValueError(
                f"{learner.name} drew {rows} training rows that do not begin like its {fewer}; give each array a key "
                "of its own and its rows the first axis"
            )
        return data, fit_keys

    def drawn(rows: int) -> tuple[Data, jax.Array]:
        data, fit_keys = whole(_padded(rows, _DRAWN_NEXT, learner.rows, _DRAWN))
        return data._replace(train=jax.tree.map(lambda leaf: leaf[:, :rows], data.train)), fit_keys

    return drawn


def _close(a: jax.Array, b: jax.Array) -> bool:
    """But for rounding."""
    return bool(jnp.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True))


@functools.partial(jax.jit, static_argnames="rows")
def _draws(draw: jax.tree_util.Partial, rows: int, keys: jax.Array) -> tuple[Data, jax.Array]:
    def one(key: jax.Array) -> tuple[Data, jax.Array]:
        draw_key, fit_key = jax.random.split(key)
        return draw(draw_key, rows), fit_key

    return jax.vmap(one)(keys)


@functools.cache
def _program(fit_and_test: Callable[..., dict[str, jax.Array]], batch: int) -> Callable[..., dict[str, jax.Array]]:
    """Everything the learner returns, (trials, rates) each, at a traced size."""

    def outcomes(data: Data, fit_keys: jax.Array, n: jax.Array, rates: Any) -> dict[str, jax.Array]:
        def trial(own: tuple[Data, jax.Array]) -> dict[str, jax.Array]:
            data, numbers = own
            key = jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(fit_keys))
            return jax.vmap(lambda rate: fit_and_test(data, n, rate, key))(rates)

        # As plain numbers: jax's check of key reuse takes the keys of a scan under two vmaps for used ones.
        return jax.lax.map(trial, (data, jax.random.key_data(fit_keys)), batch_size=batch)

    return jax.jit(outcomes)


def _check_sizes(learner: Learner, sizes: Sequence[int]) -> None:
    given = np.asarray(sizes)
    if given.ndim != 1 or not len(given):
        raise ValueError(f"a curve takes one sample size or more, in a list, got {given.tolist()}")
    if not (np.issubdtype(given.dtype, np.integer) and given[0] > 0 and (np.diff(given) > 0).all()):
        raise ValueError(f"sample sizes have to be whole numbers from 1 on, in rising order, got {given.tolist()}")
    if given[-1] > learner.rows:
        raise ValueError(
            f"the largest sample size is {given[-1]} and {learner.name} draws {learner.rows} training rows at most; "
            "leave it out or draw more"
        )


def _padded(n: int, padding: int, most: int, least: int = SMALLEST) -> int:
    """The first of ``least``, ``least padding``, ``least padding^2`` ... from n on, or ``most``.

    Example:
        >>> [_padded(n, 2, 1000) for n in (3, 32, 33, 700)]
        [16, 32, 64, 1000]
    """
    rows = least
    while rows < n:
        rows *= padding
    return min(rows, most)


def _side_by_side(data: Data, memory: float) -> int:
    """The largest divisor of the number of trials whose training rows take at most ``memory`` bytes together."""
    leaves = jax.tree.leaves(data.train)
    trials = leaves[0].shape[0]
    of_one = sum(leaf.dtype.itemsize * int(np.prod(leaf.shape[1:])) for leaf in leaves)
    return max(b for b in range(1, trials + 1) if trials % b == 0 and (b == 1 or b * of_one <= memory))


def _curve(
    learner: Learner,
    drawn: Callable[[int], tuple[Data, jax.Array]],
    sizes: Sequence[int],
    rates: Any,
    select: Select,
    padding: int,
    memory: float,
) -> Curve:
    if select not in get_args(Select):
        raise ValueError(f"select has to be one of {', '.join(get_args(Select))}, got {select}")
    if not padding > 1:
        raise ValueError(f"padding is a ratio of padded sizes above 1, got {padding}; give one such as 2")
    if not all(np.size(leaf) for leaf in jax.tree.leaves(rates)):
        raise ValueError(f"a curve takes one rate or more, got {rates}")
    found = []
    for n in sizes:
        data, fit_keys = drawn(_padded(n, padding, learner.rows))
        program = _program(learner.fit_and_test, _side_by_side(data, memory))
        found.append(program(data, fit_keys, np.int32(n), rates))
    arrays = {name: np.stack([np.asarray(one[name]) for one in found], axis=1) for name in found[0]}
    lost = np.argwhere(~np.isfinite(arrays[select]).any(axis=-1))
    if len(lost):
        trial, size = lost[0]
        raise ValueError(
            f"no rate gave {learner.name} a finite {select} loss in trial {trial} at n = {sizes[size]}; "
            "give smaller rates"
        )
    chosen = best_rates(arrays[select])
    at_chosen = {name: at_rates(a, chosen) for name, a in arrays.items()}
    losses, validation, test = at_chosen.pop("test"), arrays["validation"], arrays["test"]
    del at_chosen["validation"]
    return Curve(np.asarray(sizes, np.int64), losses, chosen, validation, test, at_chosen, select)


def _joined(first: Curve, second: Curve) -> Curve:
    """Both curves as one, in the order of the sizes."""
    order = np.argsort(sizes := np.concatenate([first.sizes, second.sizes]))

    def join(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.concatenate([a, b], axis=1)[:, order]

    others = {name: join(a, second.others[name]) for name, a in first.others.items()}
    arrays = (join(getattr(first, f), getattr(second, f)) for f in ("losses", "chosen", "validation", "test"))
    return Curve(sizes[order], *arrays, others, first.select)
