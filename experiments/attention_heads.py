"""How far are predictions with M heads from those with infinitely many, and do heads that depend on each other help?

One draw of samples, a fixed ridge (``K + ridge * I``), and the heads of one draw, of which the first M are taken. The
gap is the mean square difference, on test sets, between the ridge regression with M heads and the one with the kernel
in closed form, over the variance of the labels; theory says it falls like 1 / M. Heads are

- ``independent``: as in the paper;
- ``orthogonal``: matrices that are orthogonal as vectors, in blocks of ``(dimension + 1)^2``;
- ``antithetic``: pairs of G and -G,

each alone with the same law, so that the limit is the same.

Arrays, for (law, heads, m, trial): ``gap``; ``kernel_gap``, the relative difference of the matrices between training
sets in the Frobenius norm; ``error`` with M heads; and for (law, heads, trial) ``limit_error``, with infinitely many;
both errors are mean squares over the variance of the labels.

Reference:
    Fu, Guo, Bai, Mei, NeurIPS 2023 (arXiv 2307.11353), for the layer and the target, recalled. Dependent heads are not
    in the paper as far as known.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from equiv.layers.attention import RandomFeatures
from equiv.layers.ridge import dual_ridge
from experiments.attention_fits import Constants, Learner, layer_of, matrices
from experiments.data.tokens import TARGETS, draw_directions, draw_tokens, labels
from experiments.record import Experiment, Point, among, positive, whole

__all__ = ["EXPERIMENT", "HEADS", "LAWS", "Config", "run"]

LAWS = ("gaussian", "biased")
HEADS = ("independent", "orthogonal", "antithetic")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of attention_heads."""

    laws: tuple[str, ...] = LAWS  # gaussian, biased
    heads: tuple[str, ...] = HEADS  # independent, orthogonal, antithetic
    numbers: tuple[int, ...] = (25, 50, 100, 200, 400, 800, 1600, 3200)  # M
    trials: int = 12  # independent draws of samples and heads
    target: str = "correlation"  # query, key_average or correlation (recalled)
    degree: int = 1  # p
    dimension: int = 8  # d, of a token
    keys: int = 6  # N
    samples: int = 300  # n
    ridge: float = 0.001  # added to K
    scale: float = 0.5  # standard deviation of an entry of a query-key matrix (recalled: variance 1/4)
    mean: float = 1.0  # of the biased law, times diag(I, 0) (recalled)
    lift: float = 1.0  # entry that is added to each token (recalled)
    test: int = 500  # test samples

    def __post_init__(self) -> None:
        among(self, "laws", LAWS)
        among(self, "heads", HEADS)
        whole(self, "numbers", "trials", "degree", "dimension", "keys", "samples", "test")
        positive(self, "ridge", "scale")
        if self.target not in TARGETS:
            raise ValueError(f"target has to be one of {', '.join(TARGETS)}, got {self.target}")


@functools.partial(jax.jit, static_argnums=(0, 3))
def _sums(layer: RandomFeatures, key: jax.Array, both: jax.Array, numbers: tuple[int, ...]) -> jax.Array:
    """The kernel of the first M heads between all sets, for every M of the rising ``numbers``."""
    heads = layer.features(layer.init(key, both.dtype), both).reshape(len(both), numbers[-1], -1)
    total, found = jnp.zeros((len(both), len(both)), both.dtype), []
    for low, high in zip((0, *numbers[:-1]), numbers):
        part = heads[:, low:high].reshape(len(both), -1)
        total = total + part @ part.T
        found.append(total * (numbers[-1] / high))
    return jnp.stack(found)


@jax.jit
def _predictions(gram: jax.Array, cross: jax.Array, y: jax.Array, ridge: jax.Array) -> jax.Array:
    return cross @ dual_ridge((gram + gram.T) / 2, y, ridge).coefficients


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Fit with the kernel and with the first M of drawn heads, in every trial.

    Args:
        config: settings.
        key: the same for every law and kind of heads.
        point: ``law`` and ``heads``.
    """
    constants = Constants(config.scale, config.mean, config.lift)
    learner = Learner(point["law"], point["heads"])
    layer = layer_of(learner, constants, config.keys, config.dimension, max(config.numbers))
    numbers, n = tuple(sorted(config.numbers)), config.samples
    found = []
    for trial in range(config.trials):
        token_key, beta_key, head_key = jax.random.split(jax.random.fold_in(key, np.uint32(trial)), 3)
        both = draw_tokens(token_key, n + config.test, config.keys, config.dimension)
        beta = draw_directions(beta_key, config.dimension)
        y = labels(both, beta, config.target, config.degree)
        ridge = jnp.asarray(config.ridge, both.dtype)
        gram, cross = matrices(learner._replace(heads="infinite"), constants, head_key, both[:n], both[n:], 1)
        limit, spread = _predictions(gram, cross, y[:n], ridge), jnp.var(y[n:])
        drawn = _sums(layer, head_key, both, numbers)
        several = [_predictions(k[:n, :n], k[n:, :n], y[:n], ridge) for k in drawn]
        found.append(
            {
                "gap": [float(jnp.mean((p - limit) ** 2) / spread) for p in several],
                "kernel_gap": [float(jnp.linalg.norm(k[:n, :n] - gram) / jnp.linalg.norm(gram)) for k in drawn],
                "error": [float(jnp.mean((p - y[n:]) ** 2) / spread) for p in several],
                "limit_error": float(jnp.mean((limit - y[n:]) ** 2) / spread),
            }
        )
    arrays = {name: np.asarray([one[name] for one in found]) for name in found[0]}
    return xr.Dataset(
        {name: (("trial", "m") if values.ndim == 2 else ("trial",), values) for name, values in arrays.items()},
        coords={"trial": np.arange(config.trials), "m": list(numbers)},
    )


EXPERIMENT = Experiment(
    name="attention_heads",
    statement="How far are M random heads from infinitely many, and do heads that depend on each other help?",
    config=Config,
    presets={
        "smoke": Config(numbers=(25, 50, 100, 200), trials=3, samples=100, test=100),
        "desk": Config(),
        "paper": Config(numbers=(25, 50, 100, 200, 400, 800, 1600), trials=20, dimension=16, keys=16, samples=1000),
    },
    axes=lambda config: {"law": config.laws, "heads": config.heads},
    run=run,
    claims=("orthogonal_heads_are_nearer_to_the_kernel", "finite_heads_approach_the_kernel"),
    cost={"smoke": 25, "desk": 300, "paper": 2000},
    version=1,
    precision="float64",
    tolerance=1e-6,
    paired=("law", "heads"),
)
