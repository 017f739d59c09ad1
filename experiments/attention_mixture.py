r"""What is a biased law worth, when the matrix in the target is not the one in the law?

Labels are ``mean_i <x_0, S x_i>^p <beta, x_i>`` with ``S = cos(g pi / 2) I + sin(g pi / 2) Q``, g from 0 to 1. Q turns
each of d / 2 planes by a right angle: it is orthogonal and antisymmetric, so that S turns these planes by g times a
right angle, is orthogonal for every g, and at g = 1 has no symmetric part left. One Q does for all trials, since tokens
and beta are uniform on the sphere. Learners, with infinitely many heads:

- ``rfa``, whose kernel lets query and keys be moved by two different orthogonal matrices, so that in law its errors
  cannot depend on g;
- ``brfa``, whose law has the mean ``diag(I, 0)``, right at g = 0;
- ``brfa_matched``, with the mean ``diag(S, 0)``, right at every g;
- ``rfmlp``, the network of one hidden layer on all tokens.

Fits are ridge regressions, ``K + ridge * I``, with the ridge chosen by the leave-one-out error. Tokens are uniform on
the sphere, labels without noise; error is the mean square on test sets over the variance of their labels. Arrays, for
(learner, mixture, trial, n, degree): ``error``; and ``ridge``, as it is added to K. All learners and mixtures of a
trial see the same tokens.

Reference:
    Fu, Guo, Bai, Mei, What can a Single Attention Layer Learn? A Study Through the Random Features Lens, NeurIPS 2023
    (arXiv 2307.11353), for a target between correlation by the identity and by a general matrix, recalled.

Differs from the paper: its formula of the mixture was not found, this one is our own; closed-form kernels.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from experiments.attention_fits import LEARNERS, Constants, errors, matrices
from experiments.data.tokens import columns, draw_directions, draw_tokens
from experiments.record import Experiment, Point, among, positive, whole

__all__ = ["EXPERIMENT", "NAMES", "Config", "mixed", "run"]

NAMES = ("rfa", "brfa", "brfa_matched", "rfmlp")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of attention_mixture."""

    learners: tuple[str, ...] = NAMES  # see the experiment's description
    mixtures: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)  # g: from the identity to a matrix without symmetric part
    degrees: tuple[int, ...] = (1, 3)  # p
    sizes: tuple[int, ...] = (100, 200, 400)  # n, number of training samples
    trials: int = 40  # independent draws of tokens and targets
    dimension: int = 8  # d, of a token; even
    keys: int = 4  # N
    scale: float = 0.5  # standard deviation of an entry of a query-key matrix (recalled: variance 1/4)
    mean: float = 1.0  # of the biased laws, times diag(I, 0) or diag(S, 0) (recalled for I)
    lift: float = 1.0  # entry that is added to each token (recalled)
    test: int = 500  # test samples
    ridges: tuple[float, ...] = (1e-8, 1e-5, 1e-3, 1e-1)  # tried, in units of the mean diagonal entry of K

    def __post_init__(self) -> None:
        among(self, "learners", NAMES)
        whole(self, "degrees", "sizes", "trials", "dimension", "keys", "test")
        positive(self, "scale", "ridges")
        given = self.mixtures
        if not given or len(set(given)) < len(given) or not all(0 <= g <= 1 for g in given):
            raise ValueError(f"mixtures has to be made of numbers from 0 to 1, none of them twice, got {given}")
        if self.dimension % 2:
            raise ValueError(f"dimension has to be even, got {self.dimension}")


def mixed(mixture: float, d: int) -> np.ndarray:
    """``S = cos(g pi / 2) I + sin(g pi / 2) Q``, orthogonal.

    Args:
        mixture: g.
        d: an even number.

    Returns:
        (d, d).

    Example:
        >>> mixed(1.0, 2).round(9).tolist()
        [[0.0, -1.0], [1.0, 0.0]]
    """
    angle = mixture * np.pi / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.kron(np.eye(d // 2), turn)


@functools.partial(jax.jit, static_argnums=0)
def _samples(config: Config, key: jax.Array, matrix: jax.Array) -> list[tuple[jax.Array, jax.Array]]:
    """Tokens and labels (n, degree), of training and of test sets."""
    train_key, test_key, beta_key = jax.random.split(key, 3)
    beta = draw_directions(beta_key, config.dimension)
    kinds = (train_key, max(config.sizes)), (test_key, config.test)
    tokens = [draw_tokens(part, n, config.keys, config.dimension) for part, n in kinds]
    tasks = [("correlation", degree) for degree in config.degrees]
    return [(x, columns(x, beta, tasks, matrix)) for x in tokens]


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Fit one learner to one mixture, in all trials.

    Args:
        config: settings.
        key: the same for every learner and mixture.
        point: ``learner`` and ``mixture``.
    """
    name, mixture = point["learner"], point["mixture"]
    matrix, found = mixed(mixture, config.dimension), []
    mean = config.mean * matrix if name == "brfa_matched" else config.mean
    learner, constants = LEARNERS[name.removesuffix("_matched")], Constants(config.scale, mean, config.lift)
    for trial in range(config.trials):
        sample_key, head_key = jax.random.split(jax.random.fold_in(key, trial))
        (x, y), (test, y_test) = _samples(config, sample_key, jnp.asarray(matrix))
        gram, cross = matrices(learner, constants, head_key, x, test, n_heads=0)
        found.append(errors(gram, cross, y, y_test, config.sizes, config.ridges))
    return xr.Dataset(
        {label: (("trial", "n", "degree"), np.stack([one[label] for one in found])) for label in ("error", "ridge")},
        coords={"trial": np.arange(config.trials), "n": list(config.sizes), "degree": list(config.degrees)},
    )


EXPERIMENT = Experiment(
    name="attention_mixture",
    statement="What is a biased law of query-key matrices worth, when the target has another matrix?",
    config=Config,
    presets={
        "smoke": Config(mixtures=(0.0, 1.0), degrees=(1,), sizes=(50, 100), trials=2, dimension=4, keys=2, test=200),
        "desk": Config(),
        "paper": Config(sizes=(200, 400, 800, 1600), dimension=16, trials=20, keys=16, test=2000),
    },
    axes=lambda config: {"learner": config.learners, "mixture": config.mixtures},
    run=run,
    claims=(
        "unbiased_attention_does_not_see_the_mixture",
        "the_right_bias_is_worth_the_same",
        "bias_helps_where_it_points",
    ),
    cost={"smoke": 12, "desk": 180, "paper": 20_000},
    version=1,
    precision="float64",
    tolerance=1e-3,
    paired=("learner", "mixture"),
)
