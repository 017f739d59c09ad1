"""How many digits does a network know when they are moved by affine maps, if it was trained on digits that are not?

The protocol of the benchmark: 50,000 digits of MNIST in the middle of a frame of 40 x 40 pixels to train on, 32 affine
copies of each of 10,000 others to test on, and as many to watch. Adam with the cross-entropy, weight decay added to the
gradient, a learning rate that falls along a cosine from epoch to epoch, batches of 128 of a new order in each epoch.
Models are those of ``experiments.models.affine``; elements of the group are drawn anew at every step and always the
same in testing. The last parameters count.

The files have to be fetched (``experiments.data.affnist`` says which). ``PUBLISHED`` has what others report.

Arrays, for (model, trial): ``accuracy`` on moved test digits, ``accuracy_validation`` on moved validation digits,
``loss`` (epoch), the mean over an epoch in training. For (model,): ``n_parameters``.

Reference:
    Mironenco, Forré, ICLR 2024 (arXiv 2310.11366); settings as read in the public code.

Differs from the paper: float32 or bfloat16 feature maps instead of float16; elements are not drawn anew in testing.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr

from experiments.data import affnist
from experiments.data.public import Images
from experiments.models import n_parameters
from experiments.models.affine import AffineModel, Precision, build
from experiments.record import Experiment, Mistake, Point, among, positive, whole
from experiments.train import fit_epochs

__all__ = [
    "DESK",
    "EXPERIMENT",
    "MODELS",
    "PUBLISHED",
    "SMOKE",
    "Config",
    "Protocol",
    "Published",
    "Trained",
    "first",
    "results",
    "run",
    "stored",
    "testing",
    "trained",
]

MODELS = ("cnn", "so2", "sl2", "gl2", "moving_frame")
"""Names of the models; none sees a moved digit in training, so there is no augmentation."""


class Published(NamedTuple):
    """A number that others report.

    Attributes:
        method: as they call it.
        accuracy: in per cent; None if the number was not found.
        deviation: of the accuracy over runs, in per cent, if there is one.
        parameters: as they state it.
        source: who reports it.
        known: ``read`` there; ``second-hand``, read in somebody else's table; ``recalled``; ``not found``.
    """

    method: str
    accuracy: float | None
    deviation: float | None
    parameters: str
    source: str
    known: Literal["read", "second-hand", "recalled", "not found"]


_TABLE = "Li et al., CVPR 2024, table 4"

PUBLISHED = (
    Published("CapsNet", 79.0, None, "8.1M", _TABLE, "second-hand"),
    Published("GE CapsNet", 89.10, None, "235K", _TABLE, "second-hand"),
    Published("affine CapsNet", 93.21, None, "", _TABLE, "second-hand"),
    Published("RU CapsNet", 97.69, None, "> 580K", _TABLE, "second-hand"),
    Published("affConv", 95.08, 0.31, "373K", _TABLE, "second-hand"),
    Published("InvarPDEs-Net", 95.72, 0.12, "340K", _TABLE, "read"),
    Published("InvarLayer (ResNet-32)", 98.45, 0.15, "365K", _TABLE, "read"),
    Published("LieLAC", 97.2, None, "", "LieLAC, ICLR 2025, in its own protocol", "second-hand"),
    Published("affConv, again", 94.3, None, "", "LieLAC, ICLR 2025, in its own protocol", "second-hand"),
    Published("a capsule network at 99.7 on MNIST", 98.1, None, "174K", "a public review of the paper", "second-hand"),
    Published("Lie group decompositions", None, None, "339,102", "Mironenco, Forré, ICLR 2024", "not found"),
)
"""What is reported for affNIST, trained on digits that are not moved."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How the models are trained; the settings that affnist and homnist share."""

    models: tuple[str, ...] = MODELS  # cnn, so2, sl2, gl2, moving_frame
    data: str = ""  # folder of public data sets; empty for that of the environment variable EQUIV_DATA
    trials: int = 1  # independent starts
    n_train: int = 50_000  # digits to train on, the first ones
    width: int = 40  # channels of the group networks; the others' follow from it
    samples: int = 10  # elements of the group
    epochs: int = 50  # passes over the training digits
    batch_size: int = 128  # digits of one step
    test_batch_size: int = 500  # digits of one step in testing
    learning_rate: float = 2e-4  # in the first epoch
    least_rate: float = 1e-7  # what it falls to
    weight_decay: float = 5e-3  # times the parameters, added to the gradient
    feature_maps: Precision = "bfloat16"  # what images and feature maps are stored in; all else is float32

    def __post_init__(self) -> None:
        whole(self, "trials", "n_train", "width", "samples", "epochs", "batch_size", "test_batch_size")
        positive(self, "learning_rate", "least_rate")
        among(self, "models", MODELS)
        if not 0 <= self.weight_decay < float("inf"):
            raise ValueError(f"weight_decay has to be finite and at least 0, got {self.weight_decay}")
        if self.least_rate > self.learning_rate:
            raise ValueError(f"least_rate has to be at most learning_rate, got {self.least_rate}")
        if self.batch_size > self.n_train:
            raise ValueError(f"batch_size has to be at most n_train = {self.n_train}, got {self.batch_size}")
        if self.feature_maps not in get_args(Precision):
            raise ValueError(f"feature_maps has to be float32 or bfloat16, got {self.feature_maps!r}")

    @property
    def shared(self) -> "Protocol":
        """What a program depends on: the same for all models and folders."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(Protocol)}
        return Protocol(**fields | {"models": MODELS, "data": "", "trials": 1})


@dataclasses.dataclass(frozen=True)
class Config(Protocol):
    """Settings of affnist."""

    n_validation: int = 320_000  # moved digits to watch, the first ones
    n_test: int = 320_000  # moved digits to test on, the first ones

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, "n_validation", "n_test")


SMOKE = {
    "models": ("cnn", "sl2"),
    "n_train": 256,
    "width": 4,
    "samples": 3,
    "epochs": 1,
    "batch_size": 64,
    "test_batch_size": 100,
    "feature_maps": "float32",
}
"""Settings with which everything is tried out in seconds."""

DESK = {
    "n_train": 2000,
    "width": 10,
    "samples": 6,
    "epochs": 10,
    "batch_size": 64,
    "test_batch_size": 100,
    "learning_rate": 1e-3,
    "feature_maps": "float32",
}
"""Settings with which two cores learn something in hours."""


def first(images: Images, n: int, name: str) -> Images:
    """The first n images.

    Args:
        images: all.
        n: how many.
        name: of the setting that asks for them.

    Raises:
        Mistake: there are fewer.
    """
    if len(images.y) < n:
        flag = "--" + name.replace("_", "-")
        raise Mistake(f"the data have {len(images.y)} digits where {name} asks for {n}; give {flag} {len(images.y)}")
    return Images(images.x[:n], images.y[:n])


@functools.cache
def _loaded(data: str, part: str) -> Images:
    return affnist.load(data, part)


class Trained(NamedTuple):
    """A model, its parameters, and the mean loss (epochs,) while it was trained."""

    model: AffineModel
    params: Any
    loss: jax.Array


@functools.cache
def _training(config: Protocol, name: str) -> Callable[[jax.Array, jax.Array, jax.Array], tuple[Any, jax.Array]]:
    """The program ``(key, x, y) -> (params, loss)``."""
    model = build(name, config.width, 10, config.feature_maps)

    def program(key: jax.Array, x: jax.Array, y: jax.Array) -> tuple[Any, jax.Array]:
        start_key, fit_key = jax.random.split(key)

        def loss(params: Any, key: jax.Array, indices: jax.Array) -> jax.Array:
            draw, drop = jax.random.split(key)
            images = x[indices].astype(jnp.float32) / 255
            logits = model.apply(params, images, model.sample(draw, config.samples), drop)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y[indices]).mean()

        return fit_epochs(
            loss,
            model.init(start_key),
            fit_key,
            len(y),
            n_epochs=config.epochs,
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            least_rate=config.least_rate,
            weight_decay=config.weight_decay,
        )

    return jax.jit(program)


def trained(config: Protocol, name: str, key: jax.Array, images: Images) -> Trained:
    """A model trained on images as they are.

    Args:
        config: settings.
        name: of the model.
        key: of start, order and elements.
        images: (n, 40, 40) bytes.
    """
    params, loss = _training(config.shared, name)(key, jnp.asarray(images.x), jnp.asarray(images.y))
    return Trained(build(name, config.width, 10, config.feature_maps), params, loss)


@functools.cache
def testing(
    config: Protocol, name: str, draw: Callable[[Any, jax.Array], tuple[jax.Array, jax.Array]]
) -> Callable[[Any, Any, int], float]:
    """The program that counts what a model knows.

    Args:
        config: ``shared`` of the settings.
        name: of the model.
        draw: ``draw(data, indices) -> images, labels`` from 0 to 1.

    Returns:
        ``accuracy(params, data, n)`` over indices 0 ... n-1.
    """
    model = build(name, config.width, 10, config.feature_maps)
    elements = model.sample(None, config.samples)
    size = config.test_batch_size

    @jax.jit
    def right(params: Any, data: Any, start: jax.Array, n: jax.Array) -> jax.Array:
        indices = start + jnp.arange(size, dtype=jnp.int32)
        images, labels = draw(data, jnp.minimum(indices, n - 1))
        guess = jnp.argmax(model.apply(params, images, elements), axis=-1).astype(labels.dtype)
        return jnp.sum((guess == labels) & (indices < n))

    def accuracy(params: Any, data: Any, n: int) -> float:
        counts = [right(params, data, jnp.int32(start), jnp.int32(n)) for start in range(0, n, size)]
        return int(np.sum(np.asarray(counts, np.int64))) / n

    return accuracy


def stored(images: Any, indices: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Images that are at hand, as bytes."""
    x, y = images
    return x[indices].astype(jnp.float32) / 255, y[indices]


def results(config: Protocol, name: str, rows: list[dict[str, Any]]) -> xr.Dataset:
    """The arrays of a cell, from one row of numbers for each trial."""
    model = build(name, config.width, 10, config.feature_maps)
    axes = {"loss": ("epoch",)}
    values = {key: np.asarray([row[key] for row in rows], np.float32) for key in rows[0]}
    return xr.Dataset(
        {key: (("trial", *axes.get(key, ())), value) for key, value in values.items()}
        | {"n_parameters": (("model",), [n_parameters(model)])},
        coords={"trial": np.arange(len(rows)), "epoch": np.arange(config.epochs), "model": [name]},
    )


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one model and test it, trial by trial.

    Args:
        config: settings.
        key: the same for every model.
        point: ``model``.
    """
    name = point["model"]
    parts = {"n_train": "train", "n_validation": "validation", "n_test": "test"}
    images = {part: first(_loaded(config.data, part), getattr(config, field), field) for field, part in parts.items()}
    accuracy = testing(config.shared, name, stored)
    on_device = {part: tuple(map(jnp.asarray, images[part])) for part in ("validation", "test")}
    rows = []
    for trial in range(config.trials):
        found = trained(config, name, jax.random.fold_in(key, np.uint32(trial)), images["train"])
        scores = {part: accuracy(found.params, data, len(data[1])) for part, data in on_device.items()}
        rows.append(
            {"accuracy": scores["test"], "accuracy_validation": scores["validation"], "loss": np.asarray(found.loss)}
        )
    return results(config, name, rows)


EXPERIMENT = Experiment(
    name="affnist",
    statement="How many digits moved by affine maps does a network know that was trained on digits that are not?",
    config=Config,
    presets={
        "smoke": Config(**SMOKE, n_validation=100, n_test=200),
        "desk": Config(**DESK, n_validation=1000, n_test=8000),
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
    needs=lambda config: affnist.missing(config.data, "train", "validation", "test"),
)
