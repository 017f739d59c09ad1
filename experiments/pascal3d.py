"""How well does a network see which way photographed things face, in the pictures of PASCAL3D+?

One network for the twelve classes, trained on pictures of VOC 2012 and ImageNet, and tested on those that VOC has for
validation; each is what a camera sees that looks at the thing. ``experiments.pose_protocol`` has the training and what
it differs in.

The files have to be fetched (``experiments.data.pascal3d`` says which). ``experiments.pose.PASCAL3D`` has what others
report.

Arrays, for (model, trial): ``median_error`` (class) in degrees and ``mean_median_error``, its mean over the classes;
``accuracy_15`` and ``accuracy_30`` (class), the shares of test pictures with a smaller error, in degrees, and
``mean_accuracy_15`` and ``mean_accuracy_30``; ``log_likelihood``, the mean over the test pictures, where SO(3) has the
volume pi^2; ``loss`` (epoch), the mean over an epoch in training. For (model,): ``n_parameters``.

Reference:
    Xiang, Mottaghi, Savarese, WACV 2014, for the data; Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023
    (arXiv 2307.03704), for the training, with the differences told in ``experiments.pose_protocol``.

Differs from the paper: no pictures that are rendered or warped at random are added in training.
"""

import dataclasses
import functools

import jax
import xarray as xr

from experiments.data import pascal3d
from experiments.data.public import Poses
from experiments.pose_protocol import DESK, SMOKE, Protocol, classified
from experiments.record import Experiment, Point, among

__all__ = ["EXPERIMENT", "Config", "run"]


@dataclasses.dataclass(frozen=True)
class Config(Protocol):
    """Settings of pascal3d."""

    camera: str = "right_down_ahead"  # where x, y and z of the camera point that labels turn into
    classes: tuple[str, ...] = pascal3d.CLASSES  # kinds of things

    def __post_init__(self) -> None:
        super().__post_init__()
        among(self, "classes", pascal3d.CLASSES)


@functools.lru_cache(maxsize=2)
def _loaded(data: str, part: str, classes: tuple[str, ...], n: int, side: int) -> Poses:
    return pascal3d.load(data, part, classes, n, side)


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one model and test it, trial by trial.

    Args:
        config: settings.
        key: the same for every model.
        point: ``model``.
    """
    parts = (("train", config.n_train), ("test", config.n_test))
    train, test = (_loaded(config.data, part, config.classes, n, config.side) for part, n in parts)
    return classified(config, point["model"], key, train, test, pascal3d.CLASSES)


EXPERIMENT = Experiment(
    name="pascal3d",
    statement="How well does a network see which way photographed things face, in the pictures of PASCAL3D+?",
    config=Config,
    presets={"smoke": Config(**SMOKE), "desk": Config(**DESK), "paper": Config()},
    axes=lambda config: {"model": config.models},
    run=run,
    claims=(),
    cost={"smoke": 40, "desk": 3600, "paper": 3000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("model",),
    needs=lambda config: pascal3d.missing(config.data, "train", "test"),
)
