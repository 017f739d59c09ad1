"""How many samples does attention with random heads take, as there are more keys, and as tokens are longer?

Learners have infinitely many heads: ``rfa`` and ``brfa``, attention with a law of mean zero and with the biased one,
and ``rfmlp``, the network of one hidden layer on all tokens. Tokens are uniform on the sphere, labels without noise
(``experiments.data.tokens``), fits are ridge regressions, ``K + ridge * I``, with the ridge chosen by the leave-one-out
error. Error is the mean square on test sets over the variance of their labels. The *sample size at one half*, at which
its mean over trials falls to 1/2, is read from the stored errors (``theory.attention_sample_size.crossings``).

Two sweeps: over the number of keys, for tokens of length ``keys_dimension``, and over the length, for
``dimension_keys`` keys. In the first the network has sizes of its own, since it takes many times the samples.

Arrays, of the first: ``keys_error`` (learner, trial, n_keys, keys_step, task), with the sizes in ``keys_samples``
(learner, keys_step). Of the second: ``length_error`` and ``length_samples``, with ``dimension`` in the place of
``n_keys``. A task is a target and its degree.

An odd degree is taken for the correlation: under an even one the part of the labels that is linear in the keys has a
large share for every N. With degree 1 the linear part is ``<beta, x_0> / d``, its share N / (N + d - 1).

Reference:
    Fu, Guo, Bai, Mei, What can a Single Attention Layer Learn? A Study Through the Random Features Lens, NeurIPS 2023
    (arXiv 2307.11353): the question; targets and constants are recalled, the sweeps are our own.
"""

import dataclasses
import functools

import jax
import numpy as np
import xarray as xr

from experiments.attention_fits import LEARNERS, Constants, errors, matrices
from experiments.data.tokens import columns, draw_directions, draw_tokens
from experiments.record import Experiment, Point, among, positive, whole

__all__ = ["EXPERIMENT", "NAMES", "TASKS", "Config", "run"]

NAMES = ("rfa", "brfa", "rfmlp")
TASKS = (("query", 2), ("key_average", 2), ("correlation", 1))
"""Target and degree of each."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of attention_sample_size."""

    learners: tuple[str, ...] = NAMES  # see the experiment's description
    trials: int = 10  # independent draws of tokens and targets
    keys: tuple[int, ...] = (1, 2, 4, 8, 16)  # N, of the first sweep
    keys_dimension: int = 4  # d, in the first sweep
    keys_sizes: tuple[int, ...] = (10, 14, 20, 28, 40, 57, 80, 113, 160, 226)  # n, of attention in the first sweep
    network_sizes: tuple[int, ...] = (20, 32, 51, 81, 128, 204, 323, 513, 815, 1293)  # n, of the network, as many
    dimensions: tuple[int, ...] = (4, 6, 8, 12)  # d, of the second sweep
    dimension_keys: int = 2  # N, in the second sweep
    dimension_sizes: tuple[int, ...] = (28, 40, 57, 80, 113, 160, 226, 320, 453, 640, 905, 1280)  # n, second sweep
    scale: float = 0.5  # standard deviation of an entry of a query-key matrix (recalled: variance 1/4)
    mean: float = 1.0  # of the biased law, times diag(I, 0) (recalled)
    lift: float = 1.0  # entry that is added to each token (recalled)
    test: int = 500  # test samples
    ridges: tuple[float, ...] = (1e-8, 1e-5, 1e-3, 1e-1)  # tried, in units of the mean diagonal entry of K

    def __post_init__(self) -> None:
        among(self, "learners", NAMES)
        whole(self, "trials", "keys", "keys_dimension", "dimensions", "dimension_keys", "test")
        whole(self, "keys_sizes", "network_sizes", "dimension_sizes")
        positive(self, "scale", "ridges")
        for field in ("keys_sizes", "network_sizes", "dimension_sizes"):
            sizes = getattr(self, field)
            if len(sizes) < 2 or list(sizes) != sorted(sizes):
                raise ValueError(f"{field} has to be two or more in rising order, got {sizes}")
        if len(self.keys_sizes) != len(self.network_sizes):
            raise ValueError(
                f"network_sizes has to be as many as keys_sizes, got {len(self.network_sizes)} and "
                f"{len(self.keys_sizes)}"
            )


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _samples(key: jax.Array, n: int, n_test: int, n_keys: int, d: int) -> list[tuple[jax.Array, jax.Array]]:
    """Tokens and labels of all tasks (n, task), of training and of test sets."""
    train_key, test_key, beta_key = jax.random.split(key, 3)
    beta = draw_directions(beta_key, d)
    tokens = draw_tokens(train_key, n, n_keys, d), draw_tokens(test_key, n_test, n_keys, d)
    return [(x, columns(x, beta, TASKS)) for x in tokens]


def _errors(config: Config, key: jax.Array, name: str, n_keys: int, d: int, sizes: tuple[int, ...]) -> np.ndarray:
    """Errors (size, task) of one learner, on a draw of its own for each N and d."""
    sample_key, head_key = jax.random.split(key)
    (x, y), (test, y_test) = _samples(sample_key, sizes[-1], config.test, n_keys, d)
    constants = Constants(config.scale, config.mean, config.lift)
    gram, cross = matrices(LEARNERS[name], constants, head_key, x, test, n_heads=0)
    return errors(gram, cross, y, y_test, sizes, config.ridges)["error"]


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Fit one learner in both sweeps, in one trial.

    Args:
        config: settings.
        key: of the trial, the same for every learner.
        point: ``learner`` and ``trial``.
    """
    name = point["learner"]
    keys_key, length_key = jax.random.split(key)
    sizes = config.network_sizes if name == "rfmlp" else config.keys_sizes
    keys_error = [
        _errors(config, jax.random.fold_in(keys_key, n_keys), name, n_keys, config.keys_dimension, sizes)
        for n_keys in config.keys
    ]
    length_error = [
        _errors(config, jax.random.fold_in(length_key, d), name, config.dimension_keys, d, config.dimension_sizes)
        for d in config.dimensions
    ]
    return xr.Dataset(
        {
            "keys_error": (("n_keys", "keys_step", "task"), np.stack(keys_error)),
            "keys_samples": (("learner", "keys_step"), np.array([sizes])),
            "length_error": (("dimension", "length_step", "task"), np.stack(length_error)),
            "length_samples": (("learner", "length_step"), np.array([config.dimension_sizes])),
        },
        coords={
            "learner": [name],
            "n_keys": list(config.keys),
            "dimension": list(config.dimensions),
            "keys_step": np.arange(len(sizes)),
            "length_step": np.arange(len(config.dimension_sizes)),
            "task": [f"{target} {degree}" for target, degree in TASKS],
        },
    )


_TWICE = tuple(round(10 * 2 ** (k / 2)) for k in range(18))

EXPERIMENT = Experiment(
    name="attention_sample_size",
    statement="How many samples does random-feature attention take, with more keys and with longer tokens?",
    config=Config,
    presets={
        "smoke": Config(
            trials=2,
            keys=(1, 4),
            keys_sizes=(40, 160),
            network_sizes=(40, 160),
            dimensions=(4, 6),
            dimension_keys=4,
            dimension_sizes=(40, 160),
            test=200,
        ),
        "desk": Config(),
        "paper": Config(
            trials=20,
            keys_dimension=16,
            keys_sizes=_TWICE[4:15],
            network_sizes=_TWICE[7:18],
            dimensions=(4, 6, 8, 12, 16),
            dimension_keys=4,
            dimension_sizes=_TWICE[2:18],
            test=2000,
        ),
    },
    axes=lambda config: {"learner": config.learners, "trial": tuple(range(config.trials))},
    run=run,
    claims=(
        "attention_takes_fewer_samples_than_a_network",
        "attention_does_not_pay_for_keys",
        "bias_saves_samples_for_correlations",
    ),
    cost={"smoke": 25, "desk": 220, "paper": 20_000},
    version=2,
    precision="float64",
    tolerance=1e-3,
    paired=("learner",),
)
