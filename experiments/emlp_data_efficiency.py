"""How many examples does a network need that knows the symmetry of a physical law, and one that does not?

The data efficiency experiment of Finzi, Welling and Wilson (ICML 2021): three regression tasks whose labels are exact
functions with a known matrix group, and networks that know all of it, a part of it, or nothing. Tasks: ``o5``, a scalar
of two vectors under O(5); ``inertia``, a tensor under O(3); ``lorentz``, a scattering amplitude under O(1, 3). Models:

- ``mlp``: a perceptron of ``depth`` hidden layers of ``channels`` units;
- ``mlp_augmented``: the same, every example moved by a random group element each time it is used (Haar measure for O(5)
  and O(3), for O(1, 3) the law of ``equiv.groups.lorentz``);
- ``scalars``: a perceptron of the same size that sees all inner products, and builds vectors and tensors with its
  outputs (Villar et al., NeurIPS 2021);
- ``emlp_identity``, ``emlp_special``, ``emlp_full``: ``equiv.layers.equivariant_mlp`` with ``channels`` channels for
  the connected component (SO(5), SO(3), SO+(1, 3)), for SO(1, 3), and for the full group.

Perceptrons start with orthogonal weights, as those of the paper's repository do; how they start decides how well the
plain one does with few examples. Training is Adam at a constant rate; the parameters with the least validation error,
at one of ``checks`` looks, are tested. Vector inputs and scalar labels are scaled by units measured on the training
examples. All errors are mean squares in the units of the raw labels, the mean over the outputs, as in the paper's
repository. A trial is a new draw of everything; within a trial the training sets of all sizes are nested and the same
for every model.

Arrays, for (learner, n, trial), a learner being ``task/model``: ``test_error``; ``validation_error`` at each check
(also along ``check``); ``equivariance_error`` = rms of f(gx) - g f(x) / rms of g f(x), over test inputs and drawn
elements of the group the model knows (the full one, if it knows none); for (learner,): ``n_parameters``; for (n,):
``steps``.

Differs from the paper: minibatches of ``batch_size`` are drawn with replacement, also from fewer examples than that;
units come from the training examples alone; augmentation is by Haar measure; weights of an equivariant map are its
coefficients, and the quadratic layer mixes before it contracts (see ``equiv.layers``).

Inertia needs width: its label is a sum of five tensors m r r^T, and a hidden layer has room for few tensors of rank 2
(``equiv.reps.spread`` has one from 27 channels on, three at 128, eleven at 384). It is left out of the smoke preset.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from equiv import groups, layers
from equiv.groups import Group
from equiv.reps import spread
from experiments.data import Samples, Scaling, inertia, lorentz, o5, scaling
from experiments.models import Model, n_parameters
from experiments.models.mlp import mlp
from experiments.models.scalars import scalars
from experiments.record import Experiment, Point, among, positive, whole
from experiments.train import fit_watched

__all__ = ["EXPERIMENT", "MODELS", "TASKS", "Config", "Learner", "Task", "learner", "learners", "run"]


class Task(NamedTuple):
    """A task: its data, the groups its models may know, and how scalars build its output.

    Attributes:
        data: module with ``sample``, ``rep_in`` and ``rep_out``.
        groups: component -> the group; "full" is that of the label.
        signature: of the inner product; also of the units, if inputs and labels are scaled.
        scaled: whether they are.
        scalar_inputs: inputs in front of the vectors.
        output: what the model of scalars gives.
    """

    data: ModuleType
    groups: dict[str, Callable[[], Group]]
    signature: tuple[float, ...]
    scaled: bool
    scalar_inputs: int
    output: str


TASKS = {
    "o5": Task(o5, {"identity": lambda: groups.so(5), "full": lambda: groups.o(5)}, o5.SIGNATURE, True, 0, "scalar"),
    "inertia": Task(
        inertia,
        {"identity": lambda: groups.so(3), "full": lambda: groups.o(3)},
        (1.0, 1.0, 1.0),
        False,
        inertia.BODIES,
        "tensor",
    ),
    "lorentz": Task(
        lorentz,
        {part: functools.partial(groups.lorentz, 1, 3, part) for part in ("identity", "special", "full")},
        lorentz.SIGNATURE,
        True,
        0,
        "scalar",
    ),
}
"""Name -> task."""
MODELS = ("mlp", "mlp_augmented", "scalars", "emlp_identity", "emlp_special", "emlp_full")
"""Names of the models; ``emlp_special`` is there for lorentz only, elsewhere it would be ``emlp_identity``."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of emlp_data_efficiency."""

    tasks: tuple[str, ...] = tuple(TASKS)  # which tasks; o5, inertia, lorentz
    models: tuple[str, ...] = MODELS  # which models; mlp, mlp_augmented, scalars, emlp_(identity, special, full)
    sizes: tuple[int, ...] = (30, 100, 300, 1000, 3000, 10000, 30000)  # n, number of training examples
    n_max: int = 30000  # training examples drawn in a trial; up to it, sizes can be added without changing the others
    n_validation: int = 1000  # validation examples
    n_test: int = 5000  # test examples
    trials: int = 3  # independent repetitions: data, start, minibatches
    channels: int = 384  # units or channels of a hidden layer
    depth: int = 3  # number of hidden layers
    epochs: int = 1000  # most passes over the training examples
    examples: int = 900000  # most examples seen in training; whichever of the two ends first
    batch_size: int = 500  # examples of one optimization step
    learning_rate: float = 0.003  # of Adam, constant
    checks: int = 20  # looks at the validation error

    def __post_init__(self) -> None:
        fields = ("n_max", "n_validation", "n_test", "trials", "channels", "depth", "epochs", "examples")
        whole(self, *fields, "batch_size", "checks")
        whole(self, "sizes", least=2)
        positive(self, "learning_rate")
        among(self, "tasks", tuple(TASKS))
        among(self, "models", MODELS)
        if not learners(self):
            raise ValueError(f"no task of {self.tasks} has a model of {self.models}; emlp_special is for lorentz")
        if max(self.sizes) > self.n_max:
            raise ValueError(f"sizes has to stay within the n_max = {self.n_max} examples of a trial, got {self.sizes}")


def learners(config: Config) -> tuple[str, ...]:
    """The names ``task/model`` of a sweep.

    Args:
        config: ``tasks`` and ``models``.
    """
    return tuple(
        f"{task}/{model}"
        for task in config.tasks
        for model in config.models
        if not model.startswith("emlp_") or model.removeprefix("emlp_") in TASKS[task].groups
    )


def n_steps(config: Config, n: int) -> int:
    """Optimization steps for n examples: epochs times the minibatches of an epoch.

    Args:
        config: ``epochs``, ``examples`` and ``batch_size``.
        n: number of training examples.

    Example:
        >>> [n_steps(Config(), n) for n in (30, 1000, 30000)]
        [1000, 1800, 1800]
    """
    return max(1, min(config.epochs, config.examples // n)) * math.ceil(n / config.batch_size)


class Learner(NamedTuple):
    """A task, a model of it, the group of its equivariance error, and whether training examples are moved at random."""

    task: Task
    model: Model
    group: Group
    augmented: bool


@functools.cache
def learner(name: str, channels: int, depth: int) -> Learner:
    """The learner of that name, whose parameters are float64.

    Args:
        name: ``task/model``.
        channels: of a hidden layer.
        depth: hidden layers.
    """
    task_name, model_name = name.split("/")
    task = TASKS[task_name]
    component = model_name.removeprefix("emlp_")
    group = task.groups.get(component, task.groups["full"])()
    rep_in, rep_out = task.data.rep_in(group), task.data.rep_out(group)
    if component in task.groups:
        network = layers.equivariant_mlp(rep_in, rep_out, spread(group, channels), depth)
        return Learner(task, Model(lambda key: network.init(key, jnp.float64), network.apply), group, augmented=False)
    if model_name == "scalars":
        n_vectors = (rep_in.dim - task.scalar_inputs) // len(task.signature)
        plain = scalars(task.scalar_inputs, n_vectors, task.signature, channels, depth, task.output)
    else:
        plain = mlp(rep_in.dim, channels, depth, rep_out.dim, jax.nn.silu, orthogonal=True)

    def init(key: jax.Array) -> Any:
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), plain.init(key))

    return Learner(task, Model(init, plain.apply), group, augmented=model_name == "mlp_augmented")


class Trial(NamedTuple):
    """What one trial is made of: ``train`` in the order of the nested training sets, and three keys."""

    train: Samples
    validation: Samples
    test: Samples
    start_key: jax.Array
    fit_key: jax.Array
    group_key: jax.Array


@functools.partial(jax.jit, static_argnums=(1, 2))
@functools.partial(jax.vmap, in_axes=(0, None, None))
def draw(key: jax.Array, task: str, sizes: tuple[int, int, int]) -> Trial:
    """The examples of a task, for every key.

    Args:
        key: one key for each trial.
        task: its name.
        sizes: of the three parts.
    """
    *data_keys, start_key, fit_key, group_key = jax.random.split(key, 6)
    parts = (TASKS[task].data.sample(k, n, dtype=jnp.float64) for k, n in zip(data_keys, sizes))
    return Trial(*parts, start_key, fit_key, group_key)


@functools.cache
def _starts(init: Callable[[jax.Array], Any]) -> Callable[[jax.Array], Any]:
    return jax.jit(jax.vmap(init))


@functools.cache
def _program(config: Config, name: str) -> Callable[[Trial, Any, jax.Array, jax.Array], dict[str, jax.Array]]:
    """Training and testing of all trials of one learner; size and steps are traced, so one program serves all sizes."""
    task, model, group, augmented = learner(name, config.channels, config.depth)
    rep_in, rep_out = task.data.rep_in(group), task.data.rep_out(group)
    n_tried = min(config.n_test, config.batch_size)

    def outcome(trial: Trial, start: Any, n: jax.Array, steps: jax.Array) -> dict[str, jax.Array]:
        units = Scaling(jnp.ones(rep_in.dim), jnp.zeros(rep_out.dim), jnp.ones(rep_out.dim))
        if task.scaled:
            units = scaling(trial.train, n, task.signature)
        x_scale, y_shift, y_scale = (part.reshape(1, -1) for part in units)

        def predict(params: Any, x: jax.Array) -> jax.Array:
            return y_shift + y_scale * model.apply(params, x / x_scale)

        def error(params: Any, samples: Samples) -> jax.Array:
            return jnp.mean((predict(params, samples.x) - samples.y) ** 2)

        def loss(params: Any, key: jax.Array, indices: jax.Array) -> jax.Array:
            x, y = trial.train.x[indices], trial.train.y[indices]
            if augmented:
                g = group.sample(key, indices.shape, x.dtype)
                x, y = rep_in.act(g, x), rep_out.act(g, y)
            return jnp.mean(((predict(params, x) - y) / y_scale) ** 2)

        found = fit_watched(
            loss,
            lambda params: {"validation": error(params, trial.validation)},
            start,
            trial.fit_key,
            n,
            n_steps=steps,
            n_checks=config.checks,
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            schedule="constant",
            least="validation",
        )
        x = trial.test.x[:n_tried]
        g = group.sample(trial.group_key, (n_tried,), x.dtype)
        moved, right = predict(found.params, rep_in.act(g, x)), rep_out.act(g, predict(found.params, x))
        return {
            "test_error": error(found.params, trial.test),
            "equivariance_error": jnp.sqrt(jnp.mean((moved - right) ** 2) / jnp.mean(right**2)),
            "validation_error": found.seen["validation"],
        }

    return jax.jit(jax.vmap(outcome, in_axes=(0, 0, None, None)))


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one learner on training sets of one size, all trials at once.

    Args:
        config: settings.
        key: the same for every learner and size.
        point: ``learner`` and ``n``.
    """
    name, n = point["learner"], point["n"]
    model = learner(name, config.channels, config.depth).model
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, np.arange(config.trials, dtype=np.uint32))
    trials = draw(keys, name.split("/")[0], (config.n_max, config.n_validation, config.n_test))
    program = _program(dataclasses.replace(config, tasks=tuple(TASKS), models=MODELS, sizes=(2,)), name)
    steps = n_steps(config, n)
    arrays = program(trials, _starts(model.init)(trials.start_key), jnp.int32(n), jnp.int32(steps))
    axes = {"test_error": ("trial",), "equivariance_error": ("trial",), "validation_error": ("trial", "check")}
    return xr.Dataset(
        {variable: (axes[variable], np.asarray(values)) for variable, values in arrays.items()}
        | {"n_parameters": (("learner",), [n_parameters(model)]), "steps": (("n",), [steps])},
        coords={
            "trial": np.arange(config.trials),
            "check": np.arange(1, config.checks + 1),
            "learner": [name],
            "n": [n],
        },
    )


EXPERIMENT = Experiment(
    name="emlp_data_efficiency",
    statement="How many examples does a network need that knows the symmetry of a physical law, and one that does not?",
    config=Config,
    presets={
        "smoke": Config(
            tasks=("o5",),
            models=("mlp", "mlp_augmented", "scalars", "emlp_full"),
            sizes=(100, 1000),
            n_max=1000,
            n_validation=200,
            n_test=500,
            trials=5,
            channels=24,
            depth=2,
            epochs=200,
            examples=40000,
            batch_size=50,
            checks=5,
        ),
        "desk": Config(
            models=("mlp", "mlp_augmented", "scalars", "emlp_full"),
            sizes=(30, 100, 300, 1000, 3000),
            n_max=3000,
            n_validation=500,
            n_test=2000,
            trials=4,
            channels=100,
            depth=2,
            examples=200000,
            batch_size=100,
            checks=10,
        ),
        "paper": Config(),
    },
    axes=lambda config: {"learner": learners(config), "n": config.sizes},
    run=run,
    claims=("equivariant_mlp_saves_data", "equivariance_beats_augmentation"),
    cost={"smoke": 35, "desk": 800, "paper": 30000},
    version=1,
    precision="float64",
    tolerance=0.3,
    paired=("learner", "n"),
)
