"""A contest of soft methods on one task: equal parameters, equal steps, equal tuning, equal data.

Every method of ``experiments.models.soft`` is trained from the same start for every entry of its grid, and the entry
with the least validation error counts. A grid has as many entries for one method as for another: rates times
strengths where a strength has an effect, that many rates on the same range where it has none. Labels are divided by the
root mean square of the training labels, one number for all coordinates, which no symmetry notices; errors are told in
the units of the labels.

A cell is one method on one data set, all trials and all entries of the grid in one compiled program; programs are
shared by data sets of equal shape.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from equiv.soft.errors import relative_difference
from experiments.data import Samples
from experiments.models import n_parameters
from experiments.models.soft import METHODS, Method, Task, method, model
from experiments.record import Point, among, positive, whole
from experiments.train import fit_watched

__all__ = [
    "DESK",
    "SMOKE",
    "Budget",
    "Data",
    "compete",
    "contest",
    "elements",
    "equivariance_errors",
    "grid",
    "shifted",
    "sized_by",
    "square_error",
]


@dataclasses.dataclass(frozen=True)
class Budget:
    """What every method is given; the settings that all contests share."""

    methods: tuple[str, ...] = METHODS  # which methods, see experiments.models.soft
    trials: int = 5  # independent draws of data and start
    n_train: int = 1000  # samples to train on, and again as many to choose by
    n_test: int = 1000  # samples to test on
    channels: int = 128  # of a hidden layer of per; the other methods get as many parameters
    depth: int = 3  # number of hidden layers
    steps: int = 16000  # of optimization
    checks: int = 80  # looks at the validation error, and chances to set strengths
    adjust_at: int = 20  # check after which strengths are set; models are chosen from twice as late on
    batch_size: int = 500  # samples of one step
    learning_rates: tuple[float, ...] = (0.001, 0.003)  # at the first step, falling along a cosine
    strengths: tuple[float, ...] = (100.0, 1000.0, 10000.0)  # of penalties per rank, before they are set

    def __post_init__(self) -> None:
        whole(self, "trials", "n_train", "n_test", "channels", "depth", "steps", "checks", "batch_size")
        whole(self, "adjust_at", least=0)
        positive(self, "learning_rates", "strengths")
        among(self, "methods", METHODS)

    @property
    def shared(self) -> "Budget":
        """What a program depends on: the same for all methods and data."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(Budget)}
        return Budget(**fields | {"methods": METHODS})


SMOKE = {
    "trials": 4,
    "n_train": 500,
    "n_test": 300,
    "channels": 27,
    "depth": 1,
    "steps": 500,
    "checks": 10,
    "adjust_at": 2,
    "batch_size": 100,
    "learning_rates": (0.01,),
    "strengths": (1000.0,),
}
"""Settings with which the training of one method takes seconds."""

DESK = SMOKE | {
    "trials": 4,
    "n_train": 500,
    "n_test": 1000,
    "channels": 81,
    "depth": 2,
    "steps": 2500,
    "checks": 25,
    "adjust_at": 5,
    "batch_size": 64,
    "learning_rates": (0.003, 0.01),
    "strengths": (3000.0,),
}
"""Settings with which it takes a minute or two; 81 channels are the least that hold three tensors of rank two."""


class Data(NamedTuple):
    """Training and validation samples, and one or more sets of test samples by name."""

    train: Samples
    valid: Samples
    test: dict[str, Samples]


def shifted(config: Budget, sample: Callable[..., Samples], shift: float, key: jax.Array) -> Data:
    """The samples of one trial: of one law, and a second test set whose inputs are shifted.

    Args:
        config: says how many.
        sample: ``sample(key, n)``, and with ``shift=`` out of the law.
        shift: added to the coordinates of the second test set.
        key: random key.
    """
    keys = jax.random.split(key, 4)
    tests = {"same law": sample(keys[2], config.n_test), "shifted": sample(keys[3], config.n_test, shift=shift)}
    return Data(sample(keys[0], config.n_train), sample(keys[1], config.n_train), tests)


def grid(budget: Budget, penalised: bool) -> tuple[np.ndarray, np.ndarray]:
    """Learning rates and strengths of the entries of a grid, as many whether strengths count or not.

    Example:
        >>> budget = Budget(learning_rates=(0.001, 0.1), strengths=(1.0, 2.0))
        >>> [part.round(3).tolist() for part in grid(budget, True)]
        [[0.001, 0.001, 0.1, 0.1], [1.0, 2.0, 1.0, 2.0]]
        >>> grid(budget, False)[0].round(3).tolist()
        [0.001, 0.005, 0.022, 0.1]
    """
    rates, strengths = np.sort(budget.learning_rates), np.sort(budget.strengths)
    if penalised:
        pairs = np.stack(np.meshgrid(rates, strengths, indexing="ij"), -1).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]
    entries = len(rates) * len(strengths)
    return np.geomspace(rates[0], rates[-1], entries), np.zeros(entries)


def _square(x: jax.Array) -> jax.Array:
    return jnp.mean(x**2)


def _trained(chosen: Method, budget: Budget, data: Data, key: jax.Array, rate: jax.Array, strength: jax.Array) -> Any:
    """One training run of one entry of the grid: the record of ``fit_watched``."""
    start_key, fit_key = jax.random.split(key)
    network = chosen.layer.init(start_key, data.train.x.dtype)
    count = chosen.energies(network)
    unit = jnp.sqrt(_square(data.train.y))
    params = {
        "network": network,
        "strengths": jnp.broadcast_to(strength, count.shape).astype(count.dtype),
        "remembered": jnp.full_like(count, jnp.inf),
        "checked": jnp.zeros((), count.dtype),
    }

    def error(network: Any, samples: Samples) -> jax.Array:
        return _square(chosen.layer.apply(network, samples.x) - samples.y / unit)

    def loss(params: Any, key: jax.Array, indices: jax.Array) -> jax.Array:
        strengths, network = jax.lax.stop_gradient(params["strengths"]), params["network"]
        batch = Samples(data.train.x[indices], data.train.y[indices])
        return (
            error(network, batch) + jnp.sum(strengths * chosen.energies(network)) + strengths[0] * chosen.prior(network)
        )

    def watch(params: Any) -> dict[str, jax.Array]:
        valid = error(params["network"], data.valid)
        late = params["checked"] >= min(2 * budget.adjust_at, budget.checks - 1)
        return {
            "valid": valid,
            "selected": jnp.where(late, valid, jnp.inf),
            "energies": chosen.energies(params["network"]),
            "strengths": params["strengths"],
        }

    def adapt(params: Any, seen: dict[str, jax.Array], k: jax.Array) -> Any:
        state = params["strengths"], params["remembered"]
        strengths, remembered = chosen.adapt(*state, seen["energies"], k, budget.adjust_at)
        return params | {"strengths": strengths, "remembered": remembered, "checked": params["checked"] + 1}

    return fit_watched(
        loss,
        watch,
        params,
        fit_key,
        data.train.x.shape[0],
        n_steps=budget.steps,
        n_checks=budget.checks,
        batch_size=budget.batch_size,
        learning_rate=rate,
        least="selected",
        adapt=adapt,
    )


_ELEMENTS = 64
"""Group elements and test inputs by which equivariance errors are measured."""


def elements(task: Task, key: jax.Array, dtype: Any) -> tuple[jax.Array, jax.Array]:
    """The matrices of drawn elements of each candidate, and of the whole group, on inputs and on outputs.

    Args:
        task: says how the groups act.
        key: random key.
        dtype: of the matrices.

    Returns:
        (n_candidates + 1, 64, d, d) for d inputs and for d outputs.
    """
    return _drawn(task, jnp.dtype(dtype).name)(key)


@functools.cache
def _drawn(task: Task, dtype: str) -> Callable[[jax.Array], tuple[jax.Array, jax.Array]]:
    @jax.jit
    def drawn(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        subgroups = [(h.map, h.source) for h in task.candidates]
        every = []
        for k, (into, group) in enumerate([*subgroups, (lambda g: g, task.rep_in.group)]):
            g = into(group.sample(jax.random.fold_in(key, k), (_ELEMENTS,), dtype))
            every.append((task.rep_in.matrix(g), task.rep_out.matrix(g)))
        return tuple(map(jnp.stack, zip(*every)))

    return drawn


def equivariance_errors(
    f: Callable[[jax.Array], jax.Array], x: jax.Array, matrices: tuple[jax.Array, jax.Array]
) -> jax.Array:
    """The mean of ``equiv.soft.errors.relative_difference(f(gx), g f(x))`` over inputs and elements, for each group.

    Args:
        f: (..., d_in) to (..., d_out).
        x: (n, d_in) inputs; the first 64 count.
        matrices: those of the elements, (groups, elements, d, d) on inputs and on outputs.

    Returns:
        (groups,).
    """
    x = x[:_ELEMENTS]
    moved = f(jnp.einsum("gkij,nj->gkni", matrices[0], x))
    return jnp.mean(relative_difference(moved, jnp.einsum("gkij,nj->gkni", matrices[1], f(x))), axis=(1, 2))


def square_error(predicted: jax.Array, y: jax.Array) -> jax.Array:
    """The mean square of the difference, over samples and coordinates."""
    return _square(predicted - y)


@functools.cache
def _program(
    task: Task, name: str, budget: Budget, score: Callable[[jax.Array, jax.Array], jax.Array]
) -> Callable[[jax.Array, Data, tuple[jax.Array, jax.Array]], dict[str, jax.Array]]:
    chosen = method(task, name, budget.channels, budget.depth)
    rates, strengths = grid(budget, chosen.penalised)

    def outcome(key: jax.Array, data: Data, matrices: tuple[jax.Array, jax.Array]) -> dict[str, jax.Array]:
        kind = data.train.x.dtype
        entries = jnp.asarray(rates, kind), jnp.asarray(strengths, kind)
        runs = jax.vmap(functools.partial(_trained, chosen, budget, data, key))(*entries)
        valid = jnp.min(runs.seen["selected"], axis=1)
        best = jnp.argmin(jnp.where(jnp.isnan(valid), jnp.inf, valid))
        mine = jax.tree.map(lambda leaf: leaf[best], runs)
        unit = jnp.sqrt(_square(data.train.y))
        f = lambda x: unit * chosen.layer.apply(mine.params["network"], x)
        first = next(iter(data.test.values()))
        return {
            "test_error": jnp.stack([score(f(samples.x), samples.y) for samples in data.test.values()]),
            "equivariance_error": equivariance_errors(f, first.x, matrices),
            "strengths": mine.seen["strengths"],
            "violations": mine.seen["energies"],
            "learning_rate": entries[0][best],
            "strength": entries[1][best],
        }

    return jax.jit(jax.vmap(outcome, in_axes=(0, 0, None)))


def compete(
    task: Task,
    name: str,
    budget: Budget,
    keys: jax.Array,
    data: Data,
    matrices: tuple[jax.Array, jax.Array],
    score: Callable[[jax.Array, jax.Array], jax.Array] = square_error,
) -> xr.Dataset:
    """Train one method on one data set, all trials at once.

    Args:
        task: what the data are.
        name: of the method.
        budget: what it is given.
        keys: (trials,), of start, minibatches and measurements.
        data: arrays with the trials in front.
        matrices: of the elements that measure equivariance, as ``elements`` draws them.
        score: ``score(predicted, y)``, what is told of a test set.

    Returns:
        ``test_error`` (trial, test), the scores, mean squares unless another is asked for;
        ``equivariance_error`` (trial, group) of the model, relative, for each candidate and the whole group;
        ``strengths`` and ``violations`` (trial, check, candidate), the penalties' strengths and energies per rank;
        ``learning_rate``, ``strength`` (trial,) of the entry that counts; ``n_parameters`` (method,).
    """
    if name not in ("oracle", "mixed_rpp"):  # nobody else knows the truth, and programs are shared
        task = dataclasses.replace(task, truth=task.candidates[0])
    arrays = _program(task, name, budget, score)(keys, data, matrices)
    candidates = [str(h.source) for h in task.candidates]
    dims = {
        "test_error": ("trial", "test"),
        "equivariance_error": ("trial", "group"),
        "strengths": ("trial", "check", "candidate"),
        "violations": ("trial", "check", "candidate"),
    }
    chosen = method(task, name, budget.channels, budget.depth)
    return xr.Dataset(
        {key: (dims.get(key, ("trial",)), np.asarray(values)) for key, values in arrays.items()}
        | {"n_parameters": (("method",), [n_parameters(model(chosen))])},
        coords={
            "trial": np.arange(len(keys)),
            "test": list(data.test),
            "group": [*candidates, str(task.rep_in.group)],
            "candidate": candidates,
            "check": np.arange(budget.checks),
            "method": [name],
        },
    )


def contest(
    config: Budget,
    key: jax.Array,
    point: Point,
    task: Task,
    draw: Callable[[jax.Array], Data],
    label: Callable[[jax.Array], jax.Array] | None = None,
    score: Callable[[jax.Array, jax.Array], jax.Array] = square_error,
) -> xr.Dataset:
    """One cell: draw the data of every trial, let one method learn them, and measure the labels as the model was.

    Args:
        config: settings.
        key: the same for every method.
        point: ``method``, and one more axis that says which data.
        task: of these data.
        draw: ``draw(key) -> Data`` of one trial.
        label: the exact label of an input, if there is one; its equivariance errors become ``data_error``.
        score: of the predictions on a test set.
    """
    data_key, fit_key, error_key = jax.random.split(key, 3)
    data = jax.jit(jax.vmap(draw))(jax.random.split(data_key, config.trials))
    keys = jax.random.split(fit_key, config.trials)
    first = next(iter(data.test.values()))
    matrices = elements(task, error_key, first.x.dtype)
    found = compete(task, point["method"], config.shared, keys, data, matrices, score)
    if label is None:
        return found
    (axis,) = (name for name in point if name != "method")
    measured = jax.jit(functools.partial(equivariance_errors, label))(first.x[0], matrices)
    return found.assign(data_error=((axis, "group"), np.asarray(measured)[None])).assign_coords({axis: [point[axis]]})


def sized_by(axis: str, cell: xr.Dataset) -> xr.Dataset:
    """A cell of a contest in which the networks differ along a second axis, and so do their numbers of parameters."""
    return cell.assign(n_parameters=(("method", axis), cell["n_parameters"].values[:, None]))
