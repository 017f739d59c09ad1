"""How much of a solid's symmetry does a network see, in the pictures of SYMSOL?

One network for the five solids without marks, which are the first part, and one for each of the three that have some.
What counts is the density at all rotations under which a picture looks the same. ``experiments.pose_protocol`` has the
training and what it differs in. ``experiments.pose_solids`` asks the same of pictures that nobody has to fetch.

The files have to be fetched (``experiments.data.symsol`` says which). What others report was not found
(``experiments.pose``); ``experiments.pose.ceiling`` has what can be reached on a grid at most.

Arrays, for (shape, model, trial): ``log_likelihood``, the mean over the equivalent rotations of a test picture and over
the pictures, where SO(3) has the volume pi^2; ``spread``, the mean angle to the nearest equivalent rotation under the
density, in degrees; ``loss`` (epoch), the mean over an epoch in training, the same for all shapes of the first part.
For (model,): ``n_parameters``.

Reference:
    Murphy, Esteves, Jampani, Ramalingam, Makadia, ICML 2021 (arXiv 2106.05965), for the data and what is measured;
    Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023 (arXiv 2307.03704), for the training, with the differences told in
    ``experiments.pose_protocol``.

Differs from the paper: the axes of the camera of the labels were not found; x to the right, y up and z to the viewer,
    as renderers have it, is a guess (``camera``). The label of a step is one of ``labels`` equivalent rotations, which
    are drawn once for each picture, instead of one of all.
"""

import dataclasses
import functools

import jax
import numpy as np
import xarray as xr

from experiments.data import symsol
from experiments.data.public import Poses
from experiments.pose_protocol import DESK, SMOKE, Protocol, Trained, results, tested, to_camera, trained
from experiments.record import Experiment, Point, among, whole

__all__ = ["EXPERIMENT", "Config", "fewer", "run"]


@dataclasses.dataclass(frozen=True)
class Config(Protocol):
    """Settings of symsol."""

    shapes: tuple[str, ...] = symsol.SHAPES  # what is seen in testing: tet, cube, icosa, cone, cyl, tetX, cylO, sphereX
    labels: int = 12  # equivalent rotations of a training picture of which one is drawn at each step

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, "labels")
        among(self, "shapes", symsol.SHAPES)


def fewer(rotations: np.ndarray, n: int) -> np.ndarray:
    """Some of the equivalent rotations of each picture, at random, and each again if there are fewer.

    Args:
        rotations: (pictures, k, 3, 3).
        n: how many.

    Returns:
        (pictures, n, 3, 3), the same ones at every call.

    Example:
        >>> fewer(np.ones((5, 360, 3, 3)), 12).shape, fewer(np.ones((5, 1, 3, 3)), 12).shape
        ((5, 12, 3, 3), (5, 12, 3, 3))
    """
    count, k = rotations.shape[:2]
    order = np.argsort(np.random.default_rng(0).random((count, k), np.float32), axis=1)
    return rotations[np.arange(count)[:, None], order[:, np.arange(n) % k]]


@functools.lru_cache(maxsize=1)
def _to_train_on(data: str, shapes: tuple[str, ...], n: int, side: int, labels: int) -> Poses:
    """All pictures of some shapes, one shape after the other."""
    parts = [symsol.load(data, "train", shape, n, side) for shape in shapes]
    parts = [poses._replace(rotations=fewer(poses.rotations, labels)) for poses in parts]
    return Poses(*map(np.concatenate, zip(*parts)))


@functools.lru_cache(maxsize=1)
def _to_test_on(data: str, shape: str, n: int, side: int) -> Poses:
    return symsol.load(data, "test", shape, n, side)


@functools.lru_cache(maxsize=64)
def _for_shapes(config: Config, seed: tuple[int, ...]) -> Trained:
    """The first model, trained on all shapes. It is remembered: that of the first part is needed once for each shape.

    Args:
        config: settings.
        seed: numbers of the random key.
    """
    poses = _to_train_on(config.data, config.shapes, config.n_train, config.side, config.labels)
    key = jax.random.wrap_key_data(np.array(seed, np.uint32))
    return trained(config, config.models[0], key, to_camera(poses, config.camera))


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one model on a shape, or on all of the first part if it is one of them, and test it, trial by trial.

    Args:
        config: settings.
        key: the same for every model and shape.
        point: ``shape`` and ``model``.
    """
    name, shape = point["model"], point["shape"]
    together = symsol.FIRST if shape in symsol.FIRST else (shape,)
    training = dataclasses.replace(config, models=(name,), shapes=together)
    test = to_camera(_to_test_on(config.data, shape, config.n_test, config.side), config.camera)
    rows = []
    for trial in range(config.trials):
        seed = tuple(np.asarray(jax.random.key_data(jax.random.fold_in(key, np.uint32(trial)))).tolist())
        found = _for_shapes(training, seed)
        measured = tested(config, name, found.params, test)
        rows.append({of: measured[of].mean() for of in ("log_likelihood", "spread")} | {"loss": found.loss})
    return results(config, name, rows)


EXPERIMENT = Experiment(
    name="symsol",
    statement="How much of a solid's symmetry does a network see, in the pictures of SYMSOL?",
    config=Config,
    presets={"smoke": Config(**SMOKE, shapes=("cube",)), "desk": Config(**DESK), "paper": Config()},
    axes=lambda config: {"shape": config.shapes, "model": config.models},
    run=run,
    claims=(),
    cost={"smoke": 40, "desk": 3600, "paper": 30_000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("shape", "model"),
    needs=lambda config: symsol.missing(config.data, "train", "test"),
)
