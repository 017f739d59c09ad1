"""What does one attention layer learn, from how many samples? Random heads, biased ones, a network, and trained heads.

Tokens are uniform on the sphere, labels without noise (``experiments.data.tokens``); error is the mean square on test
sets over the variance of their labels, so that a constant has error 1. Learners:

- ``rfa``, ``brfa``: attention with infinitely many random heads, of the law with mean zero and of the biased one;
- ``rfmlp``: the network of one hidden layer on all tokens, with infinitely many units;
- the same with ``_heads``: ``heads`` of them, drawn; and ``softmax_heads``, ``softmax_biased_heads``: softmax in the
  place of relu;
- ``trained``: one attention layer with relu scores whose query-key matrices are trained with its values, by Adam.

All but the last are ridge regressions, ``K + ridge * I``, with the ridge chosen by the leave-one-out error. The last
takes the learning rate and the step that are best on ``validation`` further samples, which the others do not see.

Arrays, for (learner, trial, task, n), a task being a target and its degree: ``error``; ``raw_error``, over the mean
square of the labels instead (even degrees have a mean); ``least_error``, with the ridge that is best on the test sets;
``ridge``, as it is added to K (for ``trained`` the learning rate). Settings that are called recalled were not read in
the paper.

Reference:
    Fu, Guo, Bai, Mei, What can a Single Attention Layer Learn? A Study Through the Random Features Lens, NeurIPS 2023
    (arXiv 2307.11353); targets and sizes recalled.

Differs from the paper: closed-form kernels beside the heads, ridges by leave-one-out; the paper's grid of n, its ridge
and its number of runs were not found, nor whether it shows softmax or trained heads.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from equiv.layers import biased, random_feature_attention
from experiments.attention_fits import CHUNK, LEARNERS, Constants, errors, matrices
from experiments.data.tokens import TARGETS, columns, draw_directions, draw_tokens
from experiments.record import Experiment, Point, among, positive, whole
from experiments.train import fit_watched

__all__ = ["EXPERIMENT", "NAMES", "Config", "run"]

NAMES = (
    "rfa",
    "brfa",
    "rfmlp",
    "rfa_heads",
    "brfa_heads",
    "rfmlp_heads",
    "softmax_heads",
    "softmax_biased_heads",
    "trained",
)
"""Learners, in the order of the figure."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of attention_learning_curves."""

    learners: tuple[str, ...] = NAMES  # see the experiment's description
    targets: tuple[str, ...] = tuple(TARGETS)  # query, key_average, correlation (recalled)
    degrees: tuple[int, ...] = (1, 2, 3)  # p, of every target
    sizes: tuple[int, ...] = (50, 100, 200, 400, 800, 1600)  # n, number of training samples
    trials: int = 10  # independent draws of tokens, targets and heads
    dimension: int = 16  # d, of a token (recalled)
    keys: int = 16  # N (recalled)
    heads: int = 1000  # M, of learners with drawn heads (recalled)
    scale: float = 0.5  # standard deviation of an entry of a query-key matrix (recalled: variance 1/4)
    mean: float = 1.0  # of the biased law, times diag(I, 0) (recalled)
    lift: float = 1.0  # entry that is added to each token (recalled)
    test: int = 1000  # test samples
    ridges: tuple[float, ...] = (1e-8, 1e-5, 1e-3, 1e-1)  # tried, in units of the mean diagonal entry of K
    trained_heads: int = 16  # of the layer that is trained
    validation: int = 500  # samples that choose its learning rate and step
    steps: int = 2000  # of its training
    batch_size: int = 64  # samples of one step
    learning_rates: tuple[float, ...] = (0.003, 0.01)  # tried

    def __post_init__(self) -> None:
        among(self, "learners", NAMES)
        among(self, "targets", tuple(TARGETS))
        whole(self, "degrees", "sizes", "trials", "dimension", "keys", "heads", "test", "trained_heads")
        whole(self, "validation", "steps", "batch_size")
        positive(self, "scale", "ridges", "learning_rates")
        if self.heads > CHUNK and self.heads % CHUNK:
            raise ValueError(f"heads has to be a multiple of {CHUNK}, or below it, got {self.heads}")

    @property
    def tasks(self) -> tuple[tuple[str, int], ...]:
        """Target and degree of each."""
        return tuple((target, degree) for target in self.targets for degree in self.degrees)


def _by_ridge(config: Config, key: jax.Array, name: str) -> dict[str, np.ndarray]:
    """One trial of a learner with a kernel; arrays (size, task)."""
    train_key, test_key, beta_key, head_key = jax.random.split(key, 4)
    sizes = config.keys, config.dimension
    x, test = draw_tokens(train_key, max(config.sizes), *sizes), draw_tokens(test_key, config.test, *sizes)
    beta = draw_directions(beta_key, config.dimension)
    constants = Constants(config.scale, config.mean, config.lift)
    gram, cross = matrices(LEARNERS[name], constants, head_key, x, test, config.heads)
    return errors(
        gram, cross, columns(x, beta, config.tasks), columns(test, beta, config.tasks), config.sizes, config.ridges
    )


@functools.cache
def _trained(config: Config) -> Any:
    """Of one trial, for a key and n: arrays (task,), in float32."""
    kind = jnp.float32
    layer = random_feature_attention(
        config.dimension, config.trained_heads, biased(config.mean, config.scale, config.lift)
    )

    @jax.jit
    def outcome(key: jax.Array, n: jax.Array) -> dict[str, jax.Array]:
        train_key, test_key, beta_key, own_key = jax.random.split(key, 4)
        sizes = config.keys, config.dimension, kind
        x, test = draw_tokens(train_key, max(config.sizes), *sizes), draw_tokens(test_key, config.test, *sizes)
        valid_key, start_key, value_key, fit_key = jax.random.split(own_key, 4)
        valid = draw_tokens(valid_key, config.validation, *sizes)
        beta = draw_directions(beta_key, config.dimension, kind)
        start = layer.init(start_key, kind)
        start["value"] = 0.1 * jax.random.normal(value_key, start["value"].shape, kind)

        def one(y: jax.Array, y_valid: jax.Array, y_test: jax.Array, rate: jax.Array) -> tuple[jax.Array, ...]:
            size = jnp.std(y_valid)  # labels of all tasks are brought to one size

            def loss(params: Any, key: jax.Array, indices: jax.Array) -> jax.Array:
                return jnp.mean((layer.apply(params, x[indices]) - y[indices] / size) ** 2)

            watch = lambda params: {"valid": jnp.mean((layer.apply(params, valid) - y_valid / size) ** 2)}
            how = {"n_steps": config.steps, "n_checks": 10, "batch_size": config.batch_size, "learning_rate": rate}
            found = fit_watched(loss, watch, start, fit_key, n, **how, least="valid")
            return found.seen["valid"][found.best], jnp.mean((layer.apply(found.params, test) * size - y_test) ** 2)

        every = [columns(v, beta, config.tasks).T for v in (x, valid, test)]
        rates = jnp.asarray(config.learning_rates, kind)
        on_rates = jax.vmap(one, in_axes=(None, None, None, 0))
        watched, tested = jax.lax.map(lambda ys: on_rates(*ys, rates), tuple(every))
        best = jnp.argmin(watched, axis=1)
        error = jnp.take_along_axis(tested, best[:, None], axis=1)[:, 0]
        spread, square = jnp.var(every[2], axis=1), jnp.mean(every[2] ** 2, axis=1)
        return {
            "error": error / spread,
            "raw_error": error / square,
            "least_error": jnp.min(tested, axis=1) / spread,
            "ridge": rates[best],
        }

    return outcome


def _by_steps(config: Config, key: jax.Array) -> dict[str, np.ndarray]:
    """One trial of the layer that is trained; arrays (size, task)."""
    program = _trained(dataclasses.replace(config, learners=NAMES))
    found = [program(jax.random.clone(key), jnp.int32(n)) for n in config.sizes]  # one draw, of which n are used
    return {name: np.stack([np.asarray(one[name], np.float64) for one in found]) for name in found[0]}


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Fit one learner to every task and size, in one trial.

    Args:
        config: settings.
        key: of the trial, the same for every learner.
        point: ``learner`` and ``trial``.
    """
    name = point["learner"]
    found = _by_steps(config, key) if name == "trained" else _by_ridge(config, key, name)
    return xr.Dataset(
        {label: (("n", "task"), values) for label, values in found.items()},
        coords={"n": list(config.sizes), "task": [f"{target} {degree}" for target, degree in config.tasks]},
    )


EXPERIMENT = Experiment(
    name="attention_learning_curves",
    statement="What does one attention layer learn from how many samples, with random, biased and trained heads?",
    config=Config,
    presets={
        "smoke": Config(
            degrees=(1, 2),
            sizes=(50, 200),
            trials=2,
            dimension=6,
            keys=4,
            heads=50,
            test=300,
            steps=100,
            validation=100,
        ),
        "desk": Config(),
        "paper": Config(trials=20, sizes=(50, 100, 200, 400, 800, 1600, 3200), test=2000, steps=10_000),
    },
    axes=lambda config: {"learner": config.learners, "trial": tuple(range(config.trials))},
    run=run,
    claims=(
        "bias_lowers_the_error_on_correlations",
        "attention_lowers_the_error_on_averages",
        "trained_heads_overtake_random_ones",
    ),
    cost={"smoke": 30, "desk": 1500, "paper": 20_000},
    version=1,
    precision="float64",
    tolerance=1e-3,
    paired=("learner",),
)
