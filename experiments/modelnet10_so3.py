"""How well does a network see how furniture is turned, in pictures of ModelNet10 from all sides?

One network for the ten classes, trained on 100 views of each training model (20 with ``part`` train_limited) and tested
on 20 views of each test model; ``experiments.pose_protocol`` has the training and what it differs in. A bathtub looks
much the same after half a turn, but its label does not; nothing here makes up for that.

The files have to be fetched (``experiments.data.modelnet10_so3`` says which). ``experiments.pose.MODELNET10_SO3`` has
what others report.

Arrays, for (model, trial): ``median_error`` (class) in degrees and ``mean_median_error``, its mean over the classes;
``accuracy_15`` and ``accuracy_30`` (class), the shares of test pictures with a smaller error, in degrees, and
``mean_accuracy_15`` and ``mean_accuracy_30``; ``log_likelihood``, the mean over the test pictures, where SO(3) has the
volume pi^2; ``loss`` (epoch), the mean over an epoch in training. For (model,): ``n_parameters``.

Reference:
    Liao, Gavves, Snoek, CVPR 2019 (arXiv 1904.05404), for the data; Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023
    (arXiv 2307.03704), for the training, with the differences told in ``experiments.pose_protocol``.

Differs from the paper: the axes of the camera of the labels were not found; x to the right, y up and z to the viewer,
    as renderers have it, is a guess (``camera``).
"""

import dataclasses
import functools

import jax
import xarray as xr

from experiments.data import modelnet10_so3
from experiments.data.public import Poses
from experiments.pose_protocol import DESK, SMOKE, Protocol, classified
from experiments.record import Experiment, Point, among

__all__ = ["EXPERIMENT", "Config", "run"]

_PARTS = ("train", "train_limited")


@dataclasses.dataclass(frozen=True)
class Config(Protocol):
    """Settings of modelnet10_so3."""

    part: str = "train"  # what is trained on: train, 100 views of each model, or train_limited, 20
    classes: tuple[str, ...] = modelnet10_so3.CLASSES  # kinds of furniture

    def __post_init__(self) -> None:
        super().__post_init__()
        among(self, "classes", modelnet10_so3.CLASSES)
        if self.part not in _PARTS:
            raise ValueError(f"part has to be one of {', '.join(_PARTS)}, got {self.part}")


@functools.lru_cache(maxsize=2)
def _loaded(data: str, part: str, classes: tuple[str, ...], n: int, side: int) -> Poses:
    return modelnet10_so3.load(data, part, classes, n, side)


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one model and test it, trial by trial.

    Args:
        config: settings.
        key: the same for every model.
        point: ``model``.
    """
    parts = ((config.part, config.n_train), ("test", config.n_test))
    train, test = (_loaded(config.data, part, config.classes, n, config.side) for part, n in parts)
    return classified(config, point["model"], key, train, test, modelnet10_so3.CLASSES)


EXPERIMENT = Experiment(
    name="modelnet10_so3",
    statement="How well does a network see how furniture is turned, in pictures of ModelNet10 from all sides?",
    config=Config,
    presets={"smoke": Config(**SMOKE), "desk": Config(**DESK), "paper": Config()},
    axes=lambda config: {"model": config.models},
    run=run,
    claims=(),
    cost={"smoke": 40, "desk": 3600, "paper": 30_000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("model",),
    needs=lambda config: modelnet10_so3.missing(config.data, config.part, "test"),
)
