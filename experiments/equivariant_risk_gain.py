r"""What is a symmetry worth in samples: the learning curves of five papers, measured by one engine?

Every cell is a task, a learner and a size x of the task, ``task learner x``. Its n* is where the mean loss over trials
reaches the target (``experiments.sample_complexity``). Tasks, with their x:

* ``linear`` (d): a vector that shifts by ``invariants`` places leave alone, from normal inputs and noisy labels, by
  least squares of minimal norm. ``plain``; ``averaged``, the average of its fit over the group; ``invariant``, least
  squares on the averaged inputs. The loss is the risk. ``linear_broken``: the target has a part that is not
  invariant, of mean square ``broken`` times the target loss.
* ``halves`` (d): which half of 2d normal coordinates is longer, by ridge regression on squares (``plain`` has all
  products, ``partial`` a free weight for each square, ``invariant`` one for each half). The loss is the share of
  mistakes, ``arccos(c) / pi`` with c the correlation of the fitted and the true form, as in ``theory.inductive_bias``:
  exact for normal forms. Test points would show fewer mistakes at small d (n* of ``partial`` is lower by a tenth at d =
  8 and by less beyond), and bend the slopes.
* ``shifts`` (d, a prime): ``sum_i x_i x_(i+1) / sqrt(d)`` on signs, no noise, by interpolation with the quadratic part
  of ``<x, x'>^2``. ``averaged`` is the average of the fit over all shifts, ``invariant`` that of the kernel.
* ``degrees`` (the degree l): ``sum_i x_i ... x_(i+l-1) / sqrt(d)`` in ``variables`` variables, kernel ``exp(<x, x'> /
  d)``. The loss of both is the mean square error over all inputs.
* ``circle`` (m): a function with 8 shifts, of the frequencies of ``theory.risk_gain.CIRCLE_POWER``, noisy labels,
  kernel ridge regression with a kernel that keeps the frequencies divisible by m; m = 1 is the plain one. The loss is
  the mean square error. ``circle_broken`` as ``linear_broken``, with a part of frequency 1.

No loss needs test points: each is exact for a draw of inputs, and where labels have noise it is the mean over the
noise. A trial has as many independent samples as there is room for in ``rows`` rows, and one at least; its loss is
their mean. Small fits have little to average over within a sample and cost nothing, so that they have many.

The grid of a cell begins around the n that ``theory.risk_gain`` predicts; ``GRID`` says how far it goes, and beyond it
n* is a bound. Near n = d the mean risk of least squares is infinite (double descent), in front of n*. Everything is
computed in float64.

Arrays, for (cell): ``x``; ``n_star``, its 95 % band ``low`` and ``high``, ``censored`` (+1 above, -1 at most, 0
neither), ``low_open`` and ``high_open`` as in ``theory.crossing.Crossing``; ``target``; ``predicted``, n* by formula,
or 0 where there is none; ``samples``, the number behind each loss of a trial; ``sizes`` (step) that were visited,
rising, and 0 after the last; ``losses`` (trial, step), 0 after the last size.

Reference:
    Elesedy, Zaidi (arXiv 2102.10333); Li, Zhang, Arora (arXiv 2010.08515); Wang, Wu (arXiv 2305.08404); Mei,
    Misiakiewicz, Montanari (arXiv 2102.13219); Tahmasebi, Jegelka (arXiv 2303.14269). Their figures' parameters were
    not found; tasks and learners stand in for theirs.
"""

import dataclasses
import functools
import math
import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from equiv.layers.ridge import dual_ridge, primal_ridge
from experiments.record import Experiment, Point, among, positive, whole
from experiments.sample_complexity import Data, Learner, measure, stored, weights
from theory.elesedy_zaidi import shift_projector
from theory.risk_gain import (
    CIRCLE_POWER,
    predict_circle,
    predict_degrees,
    predict_halves,
    predict_least_squares,
    predict_n_star,
    predict_shifts,
)

__all__ = ["EXPERIMENT", "LEARNERS", "Config", "build", "predicted", "run"]

LEARNERS = {
    "linear": ("plain", "averaged", "invariant"),
    "linear_broken": ("averaged", "invariant"),
    "halves": ("plain", "partial", "invariant"),
    "shifts": ("plain", "averaged", "invariant"),
    "degrees": ("plain", "invariant"),
    "circle": ("invariant",),
    "circle_broken": ("invariant",),
}
"""Task -> its learners."""
GRID = (1 / 8, 1 / 4, 1 / 2, 2**-0.5, 1.0, 2**0.5)
"""First sample sizes, over the predicted n*."""
SPIKE = (1 / 4, 1 / 2, 3 / 4, 1.0, 5 / 4, 3 / 2, 2.0)
"""Further ones of least squares, over its number of coefficients."""
N_STEPS = 32
"""Length of the axis ``step``: sizes that may be visited."""
FEW = 4.0
"""Where the grid begins for the two weights of the invariant learner of ``halves``, for which there is no formula."""
TINY = 1e-8
"""Ridge of an interpolation, over a mean diagonal entry of the kernel or so."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of equivariant_risk_gain."""

    tasks: tuple[str, ...] = tuple(LEARNERS)  # see the experiment's description
    dims: tuple[int, ...] = (8, 16, 32, 64)  # d of linear, multiples of invariants
    invariants: int = 4  # v, dimension of the invariant vectors of linear
    linear_noise: float = 1.0  # standard deviation of its labels' noise; the target has length 1
    linear_target: float = 0.1  # risk to reach
    halves: tuple[int, ...] = (8, 12, 16, 20)  # d of halves
    halves_further: tuple[int, ...] = (32, 64)  # further d of halves, for the learners with few features
    halves_target: float = 0.15  # share of mistakes to reach
    primes: tuple[int, ...] = (13, 19, 29, 43)  # d of shifts
    degrees: tuple[int, ...] = (1, 2, 3)  # l of degrees
    variables: int = 17  # d of degrees
    signs_target: float = 0.3  # error to reach in shifts and degrees, over that of the zero function
    orders: tuple[int, ...] = (1, 2, 4, 8)  # m of circle, divisors of 8
    circle_target: float = 0.02  # error to reach, over that of the zero function
    circle_noise: float = 0.5  # standard deviation of the labels' noise; the target has mean square 1
    ridge: float = 1e-6  # of circle, for each sample
    smoothness: float = 2.0  # s of its kernel, with eigenvalues (1 + k^2)^-s
    band: int = 64  # the largest frequency of its kernel
    broken: float = 0.5  # mean square of the part of a broken target that is not invariant, over the target loss
    trials: int = 16  # independent draws
    rows: int = 2048  # training rows of all samples of a trial together, or one sample

    def __post_init__(self) -> None:
        among(self, "tasks", tuple(LEARNERS))
        whole(self, "dims", "invariants", "halves", "primes", "degrees", "variables", "orders", "band", "rows")
        whole(self, "trials", least=2)
        if self.halves_further:
            whole(self, "halves_further")
        if set(self.halves) & set(self.halves_further):
            raise ValueError(f"halves_further has to be without what is in halves, got {self.halves_further}")
        positive(self, "linear_noise", "circle_noise", "ridge", "smoothness")
        for field in ("linear_target", "halves_target", "signs_target", "circle_target", "broken"):
            if not 0 < getattr(self, field) < 1:
                raise ValueError(f"{field} has to be between 0 and 1, got {getattr(self, field):g}")
        if self.halves_target >= 0.5:
            raise ValueError(f"halves_target has to be below 0.5, what guessing gives, got {self.halves_target:g}")
        if any(d % self.invariants or d == self.invariants for d in self.dims):
            raise ValueError(
                f"dims has to be made of multiples of invariants = {self.invariants} above it, got {self.dims}"
            )
        if any(d < 3 or not all(d % k for k in range(2, d)) for d in self.primes):
            raise ValueError(f"primes has to be made of odd primes, got {self.primes}")
        if any(8 % m for m in self.orders):
            raise ValueError(f"orders has to be made of 1, 2, 4, 8, got {self.orders}")
        if max(self.degrees) >= self.variables:
            raise ValueError(f"degrees has to be below variables = {self.variables}, got {self.degrees}")
        if self.band < max(CIRCLE_POWER):
            raise ValueError(f"band has to be at least {max(CIRCLE_POWER)}, the target's frequency, got {self.band}")


def _sizes(config: Config, task: str, learner: str) -> tuple[int, ...]:
    """The x of a task and a learner."""
    further = () if learner == "plain" else config.halves_further
    return {
        "linear": config.dims,
        "linear_broken": config.dims,
        "halves": config.halves + further,
        "shifts": config.primes,
        "degrees": config.degrees,
        "circle": config.orders,
        "circle_broken": config.orders,
    }[task]


# --- what theory says -------------------------------------------------------------------------------------------------


def predicted(config: Config, task: str, learner: str, x: int, n: np.ndarray | float) -> np.ndarray:
    """The mean loss of a cell by formula.

    Args:
        config: settings.
        task: a key of ``LEARNERS``.
        learner: one of its learners.
        x: size of the task.
        n: sample sizes, any shape.

    Returns:
        Like n.
    """
    match task:
        case "linear":
            return predict_least_squares(learner, n, x, config.invariants, config.linear_noise)
        case "linear_broken":
            outside = config.broken * config.linear_target
            noise = np.sqrt(config.linear_noise**2 + outside * (learner == "invariant"))
            return outside + predict_least_squares(learner, n, x, config.invariants, noise)
        case "halves":
            return predict_halves(learner, n, x)
        case "shifts":
            return predict_shifts(learner, n, x)
        case "degrees":
            return predict_degrees(learner, n, config.variables, x)
        case _:
            outside = config.broken * config.circle_target if task == "circle_broken" else 0.0
            law = config.band, config.smoothness, config.ridge, config.circle_noise
            return predict_circle(n, x, *law, outside)


def _target(config: Config, task: str) -> float:
    names = {"halves": "halves_target", "shifts": "signs_target", "degrees": "signs_target"}
    return getattr(config, names.get(task, f"{task.removesuffix('_broken')}_target"))


def _n_star(config: Config, task: str, learner: str, x: int) -> float:
    """n* by formula, 0 if there is none."""
    if (task, learner) == ("halves", "invariant"):
        return 0.0
    least, most = 1.0, 1e7
    if task.startswith("linear"):
        least = (config.invariants if learner == "invariant" else x) + 1.0
    if task == "shifts":
        most = x * (x - 1) / 2 / (x if learner == "invariant" else 1)
    return predict_n_star(lambda n: predicted(config, task, learner, x, n), _target(config, task), least, most)


# --- the learners -----------------------------------------------------------------------------------------------------


def _means(
    name: str,
    draw: Callable[[jax.Array, int], Data],
    rows: int,
    loss: Callable[[Any, Any, jax.Array, jax.Array], jax.Array],
) -> Learner:
    """A learner each of whose trials is the mean over several samples; it has one ridge, and nothing to choose.

    Args:
        name: for people.
        draw: training rows (rows, samples, ...), and what the loss has to know besides, (samples, ...), as test data.
        rows: the most there are.
        loss: ``loss(train (rows, ...), test, n, ridge)`` of one sample.
    """

    def fit_and_test(data: Data, n: jax.Array, ridge: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
        found = jnp.mean(
            jax.vmap(lambda train, test: loss(train, test, n, ridge), in_axes=(1, 0))(data.train, data.test)
        )
        return {"validation": found, "test": found}

    return Learner(name, draw, rows, fit_and_test)


def _unit(v: jax.Array) -> jax.Array:
    return v / jnp.linalg.norm(v, axis=-1, keepdims=True)


def _linear(config: Config, learner: str, d: int, shape: tuple[int, int], outside: float) -> Learner:
    """Least squares."""
    most, samples = shape
    q = shift_projector(d, config.invariants)
    basis = np.eye(d)
    if learner == "invariant":
        basis = np.sqrt(d / config.invariants) * q[:, : config.invariants]  # orthonormal, of the invariant vectors
    p, read = basis.shape[1], q if learner == "averaged" else np.eye(d)

    def draw(key: jax.Array, rows: int) -> Data:
        z = jax.random.normal(key, ((rows + 1) * samples * d,)).reshape(rows + 1, samples, d)  # flat compiles faster
        inside = z[0] @ jnp.asarray(q)
        return Data(z[1:], (), _unit(inside) + np.sqrt(outside) * _unit(z[0] - inside))

    def risk(x: jax.Array, theta: jax.Array, n: jax.Array, ridge: jax.Array) -> jax.Array:
        x = jnp.where(weights(len(x), n, x.dtype)[:, None] > 0, x, 0)
        z = x @ jnp.asarray(basis)
        values, vectors = jnp.linalg.eigh(z.T @ z)
        kept = jnp.arange(p, dtype=n.dtype) >= p - n  # the rank is known, so that no threshold is needed near n = p
        inverse = jnp.where(kept, 1 / jnp.where(kept, values, 1), 0)
        fit = jnp.asarray(read @ basis) @ (vectors * inverse[None])
        bias = fit @ (vectors.T @ (z.T @ (x @ theta))) - theta
        noise = jnp.sum(fit**2 * jnp.where(kept, values, 0)[None])
        return jnp.sum(bias**2) + config.linear_noise**2 * noise

    return _means(learner, draw, most, risk)


def _drawn(
    sample: Callable, samples: int, columns: int, label: Callable[[jax.Array], jax.Array]
) -> Callable[[jax.Array, int], Data]:
    """(x, y) to train on; ``label`` is of (..., columns)."""

    def draw(key: jax.Array, rows: int) -> Data:
        x = sample(key, (rows * samples * columns,)).reshape(rows, samples, columns)  # flat compiles faster
        return Data((x, label(x)), (), ())

    return draw


def _halves(learner: str, d: int, shape: tuple[int, int]) -> Learner:
    """Ridge regression on squares, as in ``theory.inductive_bias``: share of mistakes, if the forms were normal."""
    sign, (i, j) = np.repeat([1.0, -1.0], d), np.triu_indices(2 * d)
    truth = {
        "plain": np.where(i == j, sign[i], 0),
        "partial": sign,
        "invariant": np.array([1.0, -1.0]),
    }[learner]

    def features(x: jax.Array) -> jax.Array:
        """(n, p), each of variance 2."""
        if learner == "plain":
            return x[:, i] * x[:, j] * np.where(i == j, 1.0, np.sqrt(2))[None]
        squares = x**2 - 1
        return squares if learner == "partial" else jnp.sum(squares.reshape(-1, 2, d), axis=-1) / np.sqrt(d)

    def label(x: jax.Array) -> jax.Array:
        return jnp.sign(x**2 @ sign)

    def mistakes(train: tuple[jax.Array, jax.Array], test: tuple, n: jax.Array, ridge: jax.Array) -> jax.Array:
        x, y = train
        fit = primal_ridge(features(x), y, ridge, weights(len(x), n, x.dtype) > 0).weights
        correlation = fit @ truth / (jnp.linalg.norm(fit) * np.linalg.norm(truth))
        return jnp.arccos(jnp.clip(correlation, -1, 1)) / np.pi

    return _means(learner, _drawn(jax.random.normal, shape[1], 2 * d, label), shape[0], mistakes)


def _signs(
    learner: str, d: int, degree: int, shape: tuple[int, int], plain: Callable, square: Callable, eigenvalue: float
) -> Learner:
    """A cyclic polynomial of signs, from kernels that are functions of ``<x, x'>``.

    Args:
        learner: whose kernel is ``plain``, or its mean over all shifts; ``averaged`` has the plain one and an average
            over all shifts of its fit.
        d: number of variables.
        degree: of the polynomial.
        shape: rows, at most, and samples.
        plain: the kernel, k.
        square: ``E_z k(x, z) k(z, x')``.
        eigenvalue: of the kernel, at that degree.
    """

    def averaged(kernel: Callable, x: jax.Array) -> jax.Array:
        return sum(kernel(x @ jnp.roll(x, k, axis=1).T) for k in range(d)) / d

    def symmetric(kernel: Callable, x: jax.Array) -> jax.Array:
        found = averaged(kernel, x)
        return (found + found.T) / 2  # rounding is not

    def error(train: tuple[jax.Array, jax.Array], test: tuple, n: jax.Array, ridge: jax.Array) -> jax.Array:
        """``|f|^2 - 2 <f, target> + 1`` over all inputs."""
        x, y = train
        gram = symmetric(plain, x) if learner == "invariant" else plain(x @ x.T)
        dual = dual_ridge(gram, y, ridge, weights(len(x), n, x.dtype) > 0).coefficients
        length = square(x @ x.T) if learner == "plain" else averaged(square, x)
        return dual @ length @ dual - 2 * eigenvalue * dual @ y + 1

    def polynomial(x: jax.Array) -> jax.Array:
        return jnp.sum(math.prod(jnp.roll(x, -k, axis=-1) for k in range(degree)), axis=-1) / np.sqrt(d)

    draw = _drawn(functools.partial(jax.random.rademacher, dtype=jnp.float64), shape[1], d, polynomial)
    return _means(learner, draw, shape[0], error)


def _shifts(learner: str, d: int, shape: tuple[int, int]) -> Learner:
    """All products of two different signs, each with eigenvalue 1."""

    def kernel(inner: jax.Array) -> jax.Array:
        return (inner**2 - d) / 2

    return _signs(learner, d, 2, shape, kernel, kernel, 1.0)


def _degrees(learner: str, d: int, degree: int, shape: tuple[int, int]) -> Learner:
    """The kernel ``exp(<x, x'> / d)``."""

    def square(inner: jax.Array) -> jax.Array:
        return math.cosh(2 / d) ** ((d + inner) / 2)

    eigenvalue = math.cosh(1 / d) ** (d - degree) * math.sinh(1 / d) ** degree
    return _signs(learner, d, degree, shape, lambda inner: jnp.exp(inner / d), square, eigenvalue)


def _circle(config: Config, m: int, shape: tuple[int, int], outside: float) -> Learner:
    """Ridge regression on Fourier features."""
    most, samples = shape
    frequencies = np.arange(0, config.band + 1, m)
    deviations = (1.0 + frequencies**2) ** (-config.smoothness / 2)

    def waves(x: jax.Array) -> jax.Array:
        """Orthonormal functions: cosines from the constant on, then sines."""
        angles = x[:, None] * jnp.asarray(frequencies, x.dtype)[None]
        cosines = jnp.where(frequencies[None] == 0, 1.0, np.sqrt(2) * jnp.cos(angles))
        return jnp.concatenate([cosines, np.sqrt(2) * jnp.sin(angles[:, 1:])], axis=1)

    def target(x: jax.Array) -> jax.Array:
        return sum(np.sqrt(2 * power) * jnp.cos(k * x) for k, power in ({1: outside} | CIRCLE_POWER).items())

    known = {1: outside} | CIRCLE_POWER
    spread = np.concatenate([deviations, deviations[1:]])
    truth = np.concatenate([np.sqrt([known.get(k, 0.0) for k in frequencies.tolist()]), np.zeros(len(frequencies) - 1)])
    missed = sum(known.values()) - float(np.sum(truth**2))

    def draw(key: jax.Array, rows: int) -> Data:
        x = jax.random.uniform(key, (rows * samples,), maxval=2 * np.pi)
        return Data(x.reshape(rows, samples), (), ())

    def error(x: jax.Array, test: tuple, n: jax.Array, ridge: jax.Array) -> jax.Array:
        shares = weights(len(x), n, x.dtype)
        features = waves(x) * jnp.asarray(spread)[None]
        gram = (features * shares[:, None]).T @ features + ridge * jnp.eye(len(spread), dtype=x.dtype)
        fit = jnp.asarray(spread)[:, None] * jnp.linalg.solve(gram, features.T * shares[None])  # labels to coefficients
        return jnp.sum((fit @ target(x) - truth) ** 2) + missed + config.circle_noise**2 * jnp.sum(fit**2)

    return _means("invariant", draw, most, error)


@functools.cache
def build(config: Config, task: str, learner: str, x: int, rows: int) -> tuple[Learner, float, int]:
    """A learner, made once, so that its programs are kept.

    Args:
        config: settings.
        task: a key of ``LEARNERS``.
        learner: one of its learners.
        x: size of the task.
        rows: of a sample.

    Returns:
        The learner, its ridge, and how many samples are in a trial.
    """
    shape = rows, max(1, config.rows // rows)
    broken = config.broken * _target(config, task) * task.endswith("_broken")
    match task.removesuffix("_broken"):
        case "linear":
            made, ridge = _linear(config, learner, x, shape, broken), 0.0
        case "halves":
            made, ridge = (
                _halves(learner, x, shape),
                {"plain": x * (2 * x + 1), "partial": 2 * x, "invariant": 2}[learner],
            )
        case "shifts":
            made, ridge = _shifts(learner, x, shape), TINY * x * (x - 1) / 2 / (x if learner == "invariant" else 1)
        case "degrees":
            made, ridge = _degrees(learner, config.variables, x, shape), TINY
        case _:
            made, ridge = _circle(config, x, shape, broken), config.ridge
    return made, ridge, shape[1]


def _grid(config: Config, task: str, learner: str, x: int, guess: float) -> list[int]:
    """Sample sizes to begin with; the last one is the largest there is."""
    sizes = guess * np.array(GRID)
    if task.startswith("linear"):
        p = config.invariants if learner == "invariant" else x
        sizes = np.concatenate([sizes, p * np.array(SPIKE)])
    sizes = np.unique(np.ceil(sizes).astype(int))
    return [n for n in sizes.tolist() if n <= np.ceil(guess * GRID[-1])]


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """The sample complexity of one learner in one task of one size.

    Args:
        config: settings.
        key: of the sweep; each task and size has one of its own, the same for every learner.
        point: ``cell``.
    """
    task, learner, size = point["cell"].split()
    x = int(size)
    own = jax.random.fold_in(key, np.uint32(zlib.crc32(f"{task} {x}".encode())))
    known = _n_star(config, task, learner, x)
    grid = _grid(config, task, learner, x, known or FEW)
    fitted, ridge, samples = build(config, task, learner, x, grid[-1])
    found = measure(
        fitted,
        own,
        grid,
        np.array([ridge], np.float64),
        _target(config, task),
        trials=config.trials,
        widest=1.1,
        padding=2 if grid[-1] > 512 else 4096,
    )
    numbers = {"x": x, "target": _target(config, task), "predicted": known, "samples": samples}
    return xr.Dataset(
        stored(found, N_STEPS) | {name: ((), np.asarray(value)) for name, value in numbers.items()},
        coords={"trial": np.arange(config.trials), "step": np.arange(N_STEPS)},
    )


def _cells(config: Config) -> tuple[str, ...]:
    rows = [(task, learner) for task in config.tasks for learner in LEARNERS[task]]
    return tuple(f"{task} {learner} {x}" for task, learner in rows for x in _sizes(config, task, learner))


EXPERIMENT = Experiment(
    name="equivariant_risk_gain",
    statement="What is a symmetry worth in samples, in the tasks of five papers?",
    config=Config,
    presets={
        "smoke": Config(
            tasks=("linear", "halves", "shifts", "circle"),
            dims=(8,),
            halves=(4,),
            halves_further=(),
            primes=(7,),
            orders=(1, 8),
            trials=4,
            rows=400,
        ),
        "desk": Config(),
        "paper": Config(
            dims=(8, 16, 32, 64, 128),
            halves=(8, 12, 16, 24, 32),
            halves_further=(64, 128),
            primes=(13, 19, 29, 43, 61, 79),
            degrees=(1, 2, 3),
            variables=29,
            trials=32,
            rows=65_536,
        ),
    },
    axes=lambda config: {"cell": _cells(config)},
    run=run,
    claims=(
        "least_squares_samples",
        "fully_connected_samples",
        "locally_connected_slope",
        "convolutional_slope",
        "invariant_kernel_divides_samples",
        "shifts_divide_samples_on_circle",
    ),
    cost={"smoke": 20, "desk": 400, "paper": 20_000},
    version=1,
    precision="float64",
    tolerance=1e-3,
    paired=("cell",),
)
