"""Does a classifier that has seen upright digits know them when they are turned, sheared and stretched?

Models are trained on n upright digits in the middle of the picture and tested on copies of held-out digits under random
affine maps: turns, shears and sizes in the ranges of affNIST times a *strength*, anywhere in the picture. Digits are
functions on the plane (``experiments.data.affine``), so a copy is exact and nothing is interpolated twice:
``digits`` are scikit-learn's, as cubic splines, without class 9; ``strokes`` are sums of Gaussians, ten classes.

Five models have the shape and the number of parameters of the paper's (``experiments.models.affine``): ``cnn``;
``cnn_augmented``, the same but moved at strength 1 each time an image is used; ``so2``, ``sl2`` and ``gl2``, with group
convolutions and ``samples`` elements, drawn anew at every step. ``moving_frame`` is ours. Everything else is equal:
images, steps, minibatches, the grid of learning rates and the choice among them by the loss on held-out upright digits.
Samples are always the same in testing. A trial is a new split and a new start; training sets are nested and the same
for every model.

Arrays, for (data, model, n, trial): ``accuracy`` (strength) on moved digits; ``accuracy_samples`` (samples), the same
at strength 1 with another number of elements than in training; ``invariance_error`` (samples) = rms change of the
centred logits between the upright and the moved digit / their rms; ``learning_rate``. For (model,): ``n_parameters``.
The logits of both data are ten.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr

from experiments.data import digits, spline_digits, strokes
from experiments.data.affine import SIDE, sample_affine
from experiments.models import n_parameters
from experiments.models.affine import MODELS, AffineModel, Precision, build
from experiments.record import Experiment, Point, among, positive, whole
from experiments.train import fit

__all__ = ["DATA", "EXPERIMENT", "Config", "run"]

DATA = ("digits", "strokes")
"""Where digits come from: scikit-learn's, or drawn by a pen."""
AUGMENTED = "cnn_augmented"
"""The model whose training digits are moved."""
N_CLASSES = 10
"""Of the logits; ``digits`` has no nines."""
N_VALIDATION = 100
"""Upright digits that the learning rate is chosen by."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of affine_digits."""

    data: tuple[str, ...] = DATA  # digits, strokes
    models: tuple[str, ...] = MODELS  # cnn, cnn_augmented, so2, sl2, gl2, moving_frame
    sizes: tuple[int, ...] = (20, 50, 100, 200, 500, 1000)  # n, number of training digits, at most 1000
    trials: int = 3  # independent repetitions: digits, start, minibatches
    strengths: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)  # of the maps in testing; 1 is the range of affNIST
    side: int = 40  # pixels along one side of a picture
    width: int = 40  # channels of the group networks; the others' follow from it
    samples: int = 10  # elements of the group in training, and in testing unless another number is asked for
    test_samples: tuple[int, ...] = (1, 2, 4, 10, 16, 32, 64)  # elements in testing
    test_digits: int = 100  # held-out digits, at most 400
    copies: int = 32  # of each test digit, for each strength
    copies_samples: int = 8  # of each test digit, for each number of elements
    steps: int = 3000  # optimization steps
    batch_size: int = 32  # images of one step
    learning_rates: tuple[float, ...] = (0.0003, 0.001)  # tried for every model, size and trial
    feature_maps: Precision = "bfloat16"  # what images and feature maps are stored in; all else is float32

    def __post_init__(self) -> None:
        whole(self, "sizes", "trials", "side", "width", "samples", "test_samples", "test_digits", "copies")
        whole(self, "copies_samples", "steps", "batch_size")
        positive(self, "learning_rates")
        among(self, "data", DATA)
        among(self, "models", MODELS)
        if not all(0 <= s < float("inf") for s in self.strengths) or len(set(self.strengths)) < len(self.strengths):
            raise ValueError(f"strengths has to be made of different numbers of at least 0, got {self.strengths}")
        if max(self.sizes) > digits.N_TRAIN:
            raise ValueError(f"sizes has to stay within the {digits.N_TRAIN} training digits, got {self.sizes}")
        if self.test_digits > 400:
            raise ValueError(f"test_digits has to stay within 400 held-out digits, got {self.test_digits}")
        if self.side < 17:
            raise ValueError(
                f"side has to be at least 17 pixels, which five convolutions leave something of, got {self.side}"
            )
        if self.feature_maps not in get_args(Precision):
            raise ValueError(f"feature_maps has to be float32 or bfloat16, got {self.feature_maps!r}")


class Trial(NamedTuple):
    """The pictures of one trial and its keys.

    Attributes:
        shapes: the training digits as functions on the plane; None where a model never moves them.
        train: (1000, side, side), upright.
        train_label: (1000,).
        validation: (100, side, side), upright.
        validation_label: (100,).
        test: (T, side, side), upright.
        test_label: (T,).
        moved: (strengths, copies, T, side, side).
        moved_once: (copies_samples, T, side, side), at strength 1.
        start_key: for the parameters.
        fit_key: for minibatches, samples and the like.
    """

    shapes: Any
    train: jax.Array
    train_label: jax.Array
    validation: jax.Array
    validation_label: jax.Array
    test: jax.Array
    test_label: jax.Array
    moved: jax.Array
    moved_once: jax.Array
    start_key: jax.Array
    fit_key: jax.Array


def moved(shapes: Any, key: jax.Array, strength: jax.Array | float, side: int) -> jax.Array:
    """Pictures of the shapes, each moved at random."""
    a, t = sample_affine(key, shapes, strength, side=side)
    return shapes.moved(a, t).render(side)


def draw(config: Config, data: str, with_shapes: bool, key: jax.Array) -> Trial:
    """The digits of a trial; the draw depends on the key and on the data."""
    data_key, start_key, fit_key, move_key = jax.random.split(key, 4)
    sizes = (digits.N_TRAIN, N_VALIDATION, config.test_digits)
    if data == "digits":
        shapes, label = spline_digits.load(jnp.float32)
        split = digits.split(data_key)
        rows = jnp.concatenate([split.train, split.validation[:N_VALIDATION], split.test[: config.test_digits]])
        shapes, label = shapes.take(rows), label[rows]
    else:
        shapes, label = strokes.draw(data_key, sum(sizes), jnp.float32)
    scale = jnp.float32(config.side / SIDE) * jnp.broadcast_to(jnp.eye(2, dtype=jnp.float32), (sum(sizes), 2, 2))
    shapes = shapes.moved(scale, jnp.zeros((sum(sizes), 2), jnp.float32))
    ends = np.cumsum((0, *sizes))
    train, validation, test = (np.arange(a, b, dtype=np.int32) for a, b in itertools.pairwise(ends))
    images = jax.lax.map(lambda one: one.render(config.side), shapes, batch_size=100)
    held_out = shapes.take(test)

    def copies(strength: jax.Array, count: int) -> jax.Array:
        """The same draws for every strength, larger ones at a larger strength."""
        keys = jax.random.split(jax.random.clone(move_key), count)
        numbers = jax.random.key_data(keys)  # as plain numbers, for the reason given in experiments.train
        return jax.lax.map(lambda k: moved(held_out, jax.random.wrap_key_data(k), strength, config.side), numbers)

    strengths = jnp.asarray(np.asarray(config.strengths, np.float32))
    return Trial(
        shapes.take(train) if with_shapes else None,
        *(part[rows] for rows in (train, validation, test) for part in (images, label)),
        jax.lax.map(lambda s: copies(s, config.copies), strengths),
        copies(jnp.float32(1), config.copies_samples),
        start_key,
        fit_key,
    )


@functools.cache
def _program(config: Config, name: str) -> Callable[[Trial, jax.Array], dict[str, jax.Array]]:
    """Training and testing of all trials of one model, one after another; n is traced and serves all sizes."""
    model = build(name, config.width, N_CLASSES, config.feature_maps)
    rates = np.sort(np.asarray(config.learning_rates, np.float32))

    def outcome(trial: Trial, n: jax.Array) -> dict[str, jax.Array]:
        def cross_entropy(logits: jax.Array, label: jax.Array) -> jax.Array:
            return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()

        def loss(params: Any, key: jax.Array, indices: jax.Array) -> jax.Array:
            move_key, draw_key, drop_key = jax.random.split(key, 3)
            images = trial.train[indices]
            if name == AUGMENTED:
                images = moved(trial.shapes.take(indices), move_key, 1.0, config.side)
            logits = model.apply(params, images, model.sample(draw_key, config.samples), drop_key)
            return cross_entropy(logits, trial.train_label[indices])

        def trained(rate: jax.Array) -> tuple[Any, jax.Array]:
            start = model.init(jax.random.clone(trial.start_key))
            how = {"n_steps": config.steps, "batch_size": config.batch_size, "learning_rate": rate}
            params = fit(loss, start, jax.random.clone(trial.fit_key), n, **how)
            logits = model.apply(params, trial.validation, model.sample(None, config.samples))
            return params, cross_entropy(logits, trial.validation_label)

        fitted, validation = jax.lax.map(trained, jnp.asarray(rates))
        best = jnp.argmin(jnp.where(jnp.isnan(validation), jnp.inf, validation))
        params = jax.tree.map(lambda leaf: leaf[best], fitted)

        def tested(images: jax.Array, samples: int) -> tuple[jax.Array, jax.Array]:
            """Accuracy on copies (k, T, side, side), and how far their logits are from those of the upright digits."""
            elements = model.sample(None, samples)
            every = jnp.concatenate([trial.test[None], images])
            logits = jax.lax.map(lambda batch: model.apply(params, batch, elements), every)
            right = jnp.argmax(logits[1:], axis=-1).astype(jnp.int32) == trial.test_label[None]
            centred = logits - jnp.mean(logits, axis=-1, keepdims=True)
            change = jnp.mean((centred[1:] - centred[:1]) ** 2) / jnp.mean(centred[0] ** 2)
            return right.astype(jnp.float32).mean(), jnp.sqrt(change)

        accuracy = jax.lax.map(lambda images: tested(images, config.samples)[0], trial.moved)
        counts = config.test_samples[:1] if name.startswith("cnn") else config.test_samples
        by_count = [tested(trial.moved_once, count) for count in counts]
        by_count = by_count * (len(config.test_samples) // len(counts))  # one element is all that a cnn has
        return {
            "accuracy": accuracy,
            "accuracy_samples": jnp.stack([right for right, _ in by_count]),
            "invariance_error": jnp.stack([change for _, change in by_count]),
            "learning_rate": jnp.asarray(rates)[best],
        }

    return jax.jit(lambda trials, n: jax.lax.map(lambda trial: outcome(trial, n), trials))


@functools.cache
def _draws(config: Config, data: str, with_shapes: bool) -> Callable[[jax.Array], Trial]:
    return jax.jit(jax.vmap(functools.partial(draw, config, data, with_shapes)))


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one model on training sets of one size, trial by trial, and test it.

    Args:
        config: settings.
        key: the same for every model and size.
        point: ``data``, ``model`` and ``n``.
    """
    data, name = point["data"], point["model"]
    common = dataclasses.replace(config, data=DATA, models=MODELS, sizes=(1,))
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, np.arange(config.trials, dtype=np.uint32))
    arrays = _program(common, name)(_draws(common, data, name == AUGMENTED)(keys), jnp.int32(point["n"]))
    axes = {"accuracy": ("strength",), "accuracy_samples": ("samples",), "invariance_error": ("samples",)}
    model: AffineModel = build(name, config.width, N_CLASSES, config.feature_maps)
    return xr.Dataset(
        {name: (("trial", *axes.get(name, ())), np.asarray(values)) for name, values in arrays.items()}
        | {"n_parameters": (("model",), [n_parameters(model)])},
        coords={
            "trial": np.arange(config.trials),
            "strength": np.asarray(config.strengths),
            "samples": np.asarray(config.test_samples),
            "model": [name],
        },
    )


EXPERIMENT = Experiment(
    name="affine_digits",
    statement="Does a classifier that has seen upright digits know them when they are turned, sheared and stretched?",
    config=Config,
    presets={
        "smoke": Config(
            data=("strokes",),
            models=("cnn_augmented", "sl2", "moving_frame"),
            sizes=(100,),
            trials=2,
            strengths=(0.0, 1.0, 2.0),
            side=20,
            width=3,
            samples=2,
            test_samples=(1, 2, 4),
            test_digits=40,
            copies=2,
            copies_samples=1,
            steps=60,
            batch_size=16,
            learning_rates=(0.003,),
            feature_maps="float32",
        ),
        "desk": Config(
            sizes=(50, 200, 1000),
            side=28,
            width=24,
            steps=700,
            test_samples=(1, 4, 10, 64),
            copies_samples=4,
            learning_rates=(0.0005,),
        ),
        "paper": Config(),
    },
    axes=lambda config: {"data": config.data, "model": config.models, "n": config.sizes},
    run=run,
    claims=("moving_frame_outranges_augmentation", "few_elements_are_enough_for_a_moving_frame"),
    cost={"smoke": 40, "desk": 30000, "paper": 36000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("model", "n"),
)
