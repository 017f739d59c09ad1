"""How many digits does a network know when they are moved by homographies, if it was trained on digits that are not?

Training is that of ``experiments.affnist``, on the same 50,000 digits. Tests are 32 copies of each of the 10,000 test
digits of MNIST under random homographies (``experiments.data.homnist``), drawn anew for each seed. None of the models
is equivariant under all of SL(3); homographies near the identity are nearly affine.

The files of MNIST have to be fetched (``experiments.data.mnist`` says which). ``PUBLISHED`` has what others report.

Arrays, for (model, trial): ``accuracy`` on moved test digits, ``accuracy_upright`` on the same digits as they are,
``loss`` (epoch), the mean over an epoch in training. For (model,): ``n_parameters``.

Reference:
    MacDonald, Ramasinghe, Lucey, CVPR 2022 (arXiv 2111.08251), for the data; Mironenco, Forré, ICLR 2024
    (arXiv 2310.11366), for the training, with the differences told in ``experiments.affnist``.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from experiments.affnist import DESK, SMOKE, Protocol, Published, first, results, stored, testing, trained
from experiments.data import homnist
from experiments.data.public import Images
from experiments.record import Experiment, Point, whole

__all__ = ["EXPERIMENT", "PUBLISHED", "Config", "run"]

PUBLISHED = (
    Published("homConv", 95.71, None, "376K", "MacDonald, Ramasinghe, Lucey, CVPR 2022", "recalled"),
    Published("LieLAC", 96.0, None, "", "LieLAC, ICLR 2025, in its own protocol", "second-hand"),
    Published("homConv, again", 92.7, None, "", "LieLAC, ICLR 2025, in its own protocol", "second-hand"),
    Published("Lie group decompositions", None, None, "339,102", "Mironenco, Forré, ICLR 2024", "not found"),
)
"""What is reported for homNIST, trained on digits that are not moved."""


@dataclasses.dataclass(frozen=True)
class Config(Protocol):
    """Settings of homnist."""

    n_test: int = 10_000  # test digits, the first ones, each in 32 copies

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, "n_test")


@functools.cache
def _loaded(data: str, part: str) -> Images:
    return homnist.load(data, part)


def moved(data: tuple[jax.Array, jax.Array, jax.Array], indices: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Copies number ``indices``: of digit ``i // 32``, moved by matrix i."""
    x, y, matrices = data
    digit = indices // homnist.COPIES
    return homnist.pull_back(x[digit].astype(jnp.float32) / 255, matrices[indices]), y[digit]


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one model and test it, trial by trial.

    Args:
        config: settings.
        key: the same for every model; homographies are drawn from it, the same for every trial.
        point: ``model``.
    """
    name = point["model"]
    train = first(_loaded(config.data, "train"), config.n_train, "n_train")
    test = first(_loaded(config.data, "test"), config.n_test, "n_test")
    trial_key, move_key = jax.random.split(key)
    draw = np.random.default_rng(np.asarray(jax.random.key_data(move_key)))
    n = config.n_test * homnist.COPIES
    x, y = map(jnp.asarray, test)
    data = (x, y, jnp.asarray(homnist.homographies(draw, n), jnp.float32))
    rows = []
    for trial in range(config.trials):
        found = trained(config, name, jax.random.fold_in(trial_key, np.uint32(trial)), train)
        rows.append(
            {
                "accuracy": testing(config.shared, name, moved)(found.params, data, n),
                "accuracy_upright": testing(config.shared, name, stored)(found.params, (x, y), config.n_test),
                "loss": np.asarray(found.loss),
            }
        )
    return results(config, name, rows)


EXPERIMENT = Experiment(
    name="homnist",
    statement="How many digits moved by homographies does a network know that was trained on digits that are not?",
    config=Config,
    presets={
        "smoke": Config(**SMOKE, n_test=6),
        "desk": Config(**DESK, n_test=250),
        "paper": Config(),
    },
    axes=lambda config: {"model": config.models},
    run=run,
    claims=(),
    cost={"smoke": 40, "desk": 7200, "paper": 2_000_000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("model",),
    needs=lambda config: homnist.missing(config.data),
)
