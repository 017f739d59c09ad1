"""How networks learn poses from public pictures: what symsol, pascal3d and modelnet10_so3 share.

Pictures are made small and shown to the networks of ``experiments.models.pose``. The loss is minus the log density at
the true rotation. Adam goes through all training pictures again and again, in a new order each time, with a learning
rate that falls along a cosine from epoch to epoch; the last parameters count. Nothing is held out, the classes are not
told to the network, and pictures are not augmented. Tests are at the end, one picture after the other.

Labels become rotations into the camera that the networks have: it looks down the y axis, x is to the right and z is
down. Only then does a roll of the camera turn the density about the axis about which steerable networks turn it.
Angles, and so all that is measured, do not depend on it.

Reference:
    Howell, Klee, Biza, Zhao, Walters, NeurIPS 2023 (arXiv 2307.03704); Klee, Biza, Platt, Walters, ICLR 2023
    (arXiv 2302.13926), for epochs, minibatches, band limit and grids, as read in public code of the latter.

Differs from the paper: Adam and a cosine instead of gradient descent with Nesterov's momentum 0.9, of which the rate
    0.001 falls to a tenth every 15 epochs; small pictures and encoders that start at random instead of 224 x 224
    pixels and a ResNet that knows ImageNet; the last minibatch of an epoch is left out if it is not full.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from equiv.groups.measures import so3_grid
from experiments.data.public import Poses
from experiments.models import n_parameters
from experiments.models.pose import MODELS, PoseModel, build
from experiments.pose import accuracy, errors, median_error, to_nearest
from experiments.record import Mistake, among, positive, whole
from experiments.train import fit_epochs

__all__ = [
    "CAMERAS",
    "DESK",
    "SMOKE",
    "Protocol",
    "by_class",
    "classified",
    "results",
    "tested",
    "to_camera",
    "trained",
]

_DIRECTIONS = {
    "right": (1, 0, 0),
    "down": (0, 0, 1),
    "up": (0, 0, -1),
    "back": (0, 1, 0),
    "ahead": (0, -1, 0),
}
CAMERAS = {
    name: np.array([_DIRECTIONS[word] for word in name.split("_")], np.float32).T
    for name in ("right_back_down", "right_down_ahead", "right_up_back")
}
"""Where x, y and z of a camera point -> the rotation from it to that of the networks, which is the first one."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How the models are trained and tested; the settings that symsol, pascal3d and modelnet10_so3 share."""

    models: tuple[str, ...] = MODELS  # orthographic, induced, mirror, pooled, steerable, ... (experiments.models.pose)
    data: str = ""  # folder of public data sets; empty for that of the environment variable EQUIV_DATA
    trials: int = 1  # independent starts
    n_train: int = 100_000  # training pictures of each class at most, the first ones
    n_test: int = 100_000  # test pictures of each class at most, the first ones
    camera: str = "right_up_back"  # where x, y and z of the camera point that labels turn into
    side: int = 56  # pixels along one side of a picture, 8 times a divisor of 28
    width: int = 64  # channels of the encoder
    l_max: int = 6  # band limit of the logit
    train_level: int = 3  # of the grid of rotations whose mean normalises the density in training: 72 * 8^level
    test_level: int = 5  # the same in testing, where the likeliest rotation is looked for on it, too
    epochs: int = 40  # passes over the training pictures
    batch_size: int = 64  # pictures of one step
    learning_rate: float = 1e-3  # in the first epoch

    def __post_init__(self) -> None:
        whole(self, "trials", "n_train", "n_test", "width", "l_max", "epochs", "batch_size")
        whole(self, "train_level", "test_level", least=0)
        positive(self, "learning_rate")
        among(self, "models", MODELS)
        if self.camera not in CAMERAS:
            raise ValueError(f"camera has to be one of {', '.join(CAMERAS)}, got {self.camera}")
        if self.side not in (8, 16, 32, 56, 112, 224):
            raise ValueError(f"side has to be 8, 16, 32, 56, 112 or 224, got {self.side}")

    @property
    def shared(self) -> "Protocol":
        """What a program depends on: the same for all models, folders and numbers of pictures."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(Protocol)}
        own = {"models": MODELS, "data": "", "trials": 1, "n_train": 1, "n_test": 1, "camera": "right_back_down"}
        return Protocol(**fields | own)


SMOKE = {
    "models": ("induced", "fisher"),
    "n_train": 16,
    "n_test": 8,
    "side": 16,
    "width": 8,
    "l_max": 3,
    "train_level": 1,
    "test_level": 2,
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 3e-3,
}
"""Settings with which everything is tried out in seconds."""

DESK = {
    "n_train": 2000,
    "n_test": 100,
    "side": 32,
    "width": 16,
    "test_level": 4,
    "epochs": 10,
    "batch_size": 16,
}
"""Settings with which two cores learn something in an hour."""


def to_camera(poses: Poses, camera: str) -> Poses:
    """Poses with labels that turn into the camera of the networks.

    Args:
        poses: with labels that turn into another one.
        camera: that one, of ``CAMERAS``.

    Example:
        >>> poses = Poses(np.zeros((1, 3, 8, 8), np.uint8), np.eye(3, dtype=np.float32)[None, None], np.zeros(1))
        >>> to_camera(poses, "right_down_ahead").rotations[0, 0, :, 2]  # ahead, away from the viewer
        array([ 0., -1.,  0.], dtype=float32)
    """
    return poses._replace(rotations=CAMERAS[camera] @ poses.rotations)


class Trained(NamedTuple):
    """Parameters, and the mean loss (epochs,) while they were trained."""

    params: Any
    loss: np.ndarray


def _model(config: Protocol, name: str) -> PoseModel:
    return build(name, config.width, config.l_max, config.train_level, config.side, 3)


@functools.cache
def _training(config: Protocol, name: str) -> Callable[..., tuple[Any, jax.Array]]:
    """The program ``(key, x, rotations) -> (params, loss)``."""
    model = _model(config, name)

    def program(key: jax.Array, x: jax.Array, rotations: jax.Array) -> tuple[Any, jax.Array]:
        start_key, fit_key = jax.random.split(key)

        def loss(params: Any, key: jax.Array, indices: jax.Array) -> jax.Array:
            label_key, grid_key = jax.random.split(key)
            which = jax.random.randint(label_key, indices.shape, 0, rotations.shape[1])
            images = x[indices].astype(jnp.float32) / 255
            return model.loss(params, grid_key, images, rotations[indices, which])

        how = {"n_epochs": config.epochs, "batch_size": config.batch_size, "learning_rate": config.learning_rate}
        return fit_epochs(loss, model.init(start_key), fit_key, len(x), **how)

    return jax.jit(program)


def trained(config: Protocol, name: str, key: jax.Array, poses: Poses) -> Trained:
    """A model trained on pictures.

    Args:
        config: settings.
        name: of the model.
        key: of start, order, labels and grids.
        poses: pictures; at each step one of the k rotations of a picture is its label.

    Raises:
        Mistake: fewer pictures than one minibatch.
    """
    if len(poses.y) < config.batch_size:
        raise Mistake(f"there are {len(poses.y)} training pictures; give --batch-size {len(poses.y)} or less")
    params, loss = _training(config.shared, name)(key, jnp.asarray(poses.x), jnp.asarray(poses.rotations))
    return Trained(params, np.asarray(loss))


@functools.cache
def _testing(config: Protocol, name: str) -> Callable[..., dict[str, jax.Array]]:
    """The program ``(params, x, rotations) -> measures``."""
    model = _model(config, name)

    def program(params: Any, x: jax.Array, rotations: jax.Array) -> dict[str, jax.Array]:
        coarse = so3_grid(config.train_level, jnp.float32)

        def one(picture: tuple[jax.Array, jax.Array]) -> dict[str, jax.Array]:
            pixels, equivalent = picture
            features = model.features(params, pixels[None].astype(jnp.float32) / 255)
            likelihood = model.log_likelihood(params, features, equivalent[None], config.test_level)
            density = jnp.exp(model.log_density(params, features, config.train_level)[0])
            away = to_nearest(coarse, equivalent)
            return {
                "log_likelihood": jnp.mean(likelihood),
                "spread": jnp.mean(density * away),
                "likeliest": jnp.argmax(model.log_density(params, features, config.test_level)[0]),
            }

        return jax.lax.map(one, (x, rotations))

    return jax.jit(program)


def tested(config: Protocol, name: str, params: Any, poses: Poses) -> dict[str, np.ndarray]:
    """What is measured of a model on pictures, each as an array (n,).

    Args:
        config: settings.
        name: of the model.
        params: of the model.
        poses: pictures and all their equivalent rotations.

    Returns:
        ``log_likelihood``, the mean over the equivalent rotations; ``spread``, the mean angle to the nearest of them
        under the density, on the grid of training; ``error``, that angle from the likeliest rotation of the grid of
        testing. Angles in degrees.
    """
    found = dict(_testing(config.shared, name)(params, jnp.asarray(poses.x), jnp.asarray(poses.rotations)))
    predicted = np.asarray(so3_grid(config.test_level, jnp.float32)[found.pop("likeliest")], np.float64)
    found["error"] = errors(predicted, poses.rotations.astype(np.float64))
    return {key: np.asarray(values) for key, values in found.items()}


def by_class(found: dict[str, np.ndarray], y: np.ndarray) -> dict[str, Any]:
    """Medians and shares of each class, the means of these over the classes, and the mean log-likelihood.

    Args:
        found: from ``tested``.
        y: (n,), the classes.
    """
    medians = median_error(found["error"], y)
    shares = {within: accuracy(found["error"], y, within) for within in (15, 30)}
    return {
        "median_error": medians[1],
        "mean_median_error": medians[0],
        **{f"accuracy_{within}": share[1] for within, share in shares.items()},
        **{f"mean_accuracy_{within}": share[0] for within, share in shares.items()},
        "log_likelihood": found["log_likelihood"].mean(),
    }


def results(config: Protocol, name: str, rows: list[dict[str, Any]], classes: list[str] | None = None) -> xr.Dataset:
    """The arrays of a cell, from one row of numbers for each trial.

    Args:
        config: settings.
        name: of the model.
        rows: numbers; ``loss`` is one for each epoch, other arrays one for each class.
        classes: names of the classes; None if there is no array of them.
    """
    values = {key: np.asarray([row[key] for row in rows], np.float32) for key in rows[0]}
    axes = {key: ("trial", "epoch" if key == "loss" else "class")[: value.ndim] for key, value in values.items()}
    return xr.Dataset(
        {key: (axes[key], value) for key, value in values.items()}
        | {"n_parameters": (("model",), [n_parameters(_model(config, name))])},
        coords={"trial": np.arange(len(rows)), "epoch": np.arange(config.epochs), "model": [name]}
        | ({} if classes is None else {"class": classes}),
    )


def classified(
    config: Protocol, name: str, key: jax.Array, train: Poses, test: Poses, classes: tuple[str, ...]
) -> xr.Dataset:
    """One model, trained on pictures of all classes and judged class by class, trial by trial.

    Args:
        config: settings.
        name: of the model.
        key: the same for every model.
        train: pictures, with labels that turn into ``config.camera``.
        test: others.
        classes: what the numbers of the classes stand for.
    """
    train, test = (to_camera(poses, config.camera) for poses in (train, test))
    rows = []
    for trial in range(config.trials):
        found = trained(config, name, jax.random.fold_in(key, np.uint32(trial)), train)
        rows.append(by_class(tested(config, name, found.params, test), test.y) | {"loss": found.loss})
    return results(config, name, rows, [classes[label] for label in np.unique(test.y)])
