"""How many images does a classifier need that knows the symmetry, and one that does not?

Models are trained on handwritten digits as they come, upright, and tested on held-out digits in all eight poses of
the square (four turns, each also mirrored). The label does not depend on the pose, so the target is invariant under
the dihedral group D_4; with ``poses = "random"`` every training image has a pose of its own, and then the law of the
images is invariant too. Four models of the same number of parameters:

- ``mlp``: a perceptron that sees each training image in the one pose it has;
- ``mlp_augmented``: the same, and every time an image is used it is moved by a random element of the group;
- ``mlp_averaged``: the same perceptron with its logits averaged over the group, in training and in testing, which
  makes it invariant;
- ``equivariant_mlp``: linear maps that commute with the group, hidden features on the group, invariant logits.

Everything else is equal: images, steps, minibatches, the grid of learning rates, and the choice among them by
accuracy on the same validation images in all eight poses (the smallest rate among equals), for every trial and size
anew. A trial is a new split and a new start; within a trial the training sets of all sizes are nested and the
same for every model.

Arrays, for (model, n, trial): ``accuracy`` on held-out images in all eight poses, ``accuracy_upright`` on the same
images as they came, ``equivariance_error`` = largest change of a logit under the group / rms of the logits,
``learning_rate``; for (model,): ``n_parameters``.
"""

import dataclasses
import functools
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr

from equiv.groups import dihedral
from equiv.reps import pixels
from experiments.data import digits
from experiments.models import Model, n_parameters
from experiments.models.equivariant import equivariant_mlp
from experiments.models.mlp import mlp, width_for
from experiments.record import Experiment, Point, among, positive, whole
from experiments.sample_complexity import Data, Learner, curve, trial_keys
from experiments.train import fit

__all__ = ["EXPERIMENT", "MODELS", "Classifier", "Config", "Images", "classifier", "draw", "learner", "run"]

MODELS = ("mlp", "mlp_augmented", "mlp_averaged", "equivariant_mlp")
"""Names of the models, in the order of the figures."""
Poses = Literal["upright", "random"]
POSES: tuple[str, ...] = get_args(Poses)
"""How training images may stand."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of digits_sample_complexity."""

    models: tuple[str, ...] = MODELS  # which models; mlp, mlp_augmented, mlp_averaged, equivariant_mlp
    sizes: tuple[int, ...] = (20, 50, 100, 200, 500, 1000)  # n, number of training images, at most 1000
    trials: int = 10  # independent repetitions: split, start, minibatches
    poses: Poses = "upright"  # of the training images: all upright, or each in a random pose
    copies: int = 46  # copies of the regular representation in a hidden layer; the perceptron's width follows from it
    depth: int = 2  # number of hidden layers
    steps: int = 2000  # optimization steps
    batch_size: int = 32  # images of one step
    learning_rates: tuple[float, ...] = (0.001, 0.003, 0.01)  # tried for every model, size and trial

    def __post_init__(self) -> None:
        whole(self, "sizes", "trials", "copies", "depth", "steps", "batch_size")
        positive(self, "learning_rates")
        among(self, "models", MODELS)
        if self.poses not in POSES:
            raise ValueError(f"poses has to be one of {', '.join(POSES)}, got {self.poses}")
        if max(self.sizes) > digits.N_TRAIN:
            raise ValueError(f"sizes has to stay within the {digits.N_TRAIN} training images, got {self.sizes}")


class Classifier(NamedTuple):
    """A model and whether its training images are moved at random each time they are used."""

    model: Model
    augmented: bool


def classifier(config: Config, name: str) -> Classifier:
    """The model of that name; a perceptron's width is the one whose number of parameters is nearest to the other's.

    Args:
        config: ``copies`` and ``depth`` fix the sizes.
        name: one of ``MODELS``.
    """
    rep = pixels(dihedral(4), digits.SIDE)
    equivariant = equivariant_mlp(rep, config.copies, config.depth, digits.N_CLASSES)
    if name == "equivariant_mlp":
        return Classifier(equivariant, augmented=False)
    width = width_for(n_parameters(equivariant), rep.dim, config.depth, digits.N_CLASSES)
    plain = mlp(rep.dim, width, config.depth, digits.N_CLASSES)
    if name == "mlp_averaged":
        averaged = Model(plain.init, lambda params, x: jnp.mean(_in_all_poses(plain, params, x), axis=0))
        return Classifier(averaged, augmented=False)
    return Classifier(plain, augmented=name == "mlp_augmented")


def _in_all_poses(model: Model, params: Any, x: jax.Array) -> jax.Array:
    """Logits (8, batch, n_out) of the images moved by every element of the group, the identity first."""
    rep = pixels(dihedral(4), digits.SIDE)
    moved = rep.act(rep.group.elements()[:, None], x)
    return model.apply(params, moved.reshape(-1, rep.dim)).reshape(*moved.shape[:2], -1)


class Images(NamedTuple):
    """Images (count, 64) and labels (count,)."""

    x: jax.Array
    y: jax.Array


def draw(key: jax.Array, rows: int, poses: Poses) -> Data:
    """The images of one trial: split, and the training images turned if they are to have random poses.

    Args:
        key: of the trial.
        rows: training images.
        poses: how the training images stand.
    """
    split_key, pose_key = tuple(jax.random.split(key))
    x, y = map(jnp.asarray, digits.load())
    train, validation, test = (Images(x[part], y[part]) for part in digits.split(split_key))
    if poses == "random":
        rep = pixels(dihedral(4), digits.SIDE)
        train = train._replace(x=rep.act(rep.group.sample(pose_key, train.y.shape), train.x))
    return Data(Images(train.x[:rows], train.y[:rows]), validation, test)


def learner(config: Config, name: str) -> Learner:
    """A model with its training, as the engine wants it; one and the same for all sizes, numbers of trials and rates.

    Args:
        config: settings.
        name: one of ``MODELS``.
    """
    return _learner(dataclasses.replace(config, models=MODELS, sizes=(1,), trials=1, learning_rates=(1.0,)), name)


@functools.cache
def _learner(config: Config, name: str) -> Learner:
    model, augmented = classifier(config, name)
    rep = pixels(dihedral(4), digits.SIDE)

    def fit_and_test(data: Data, n: jax.Array, rate: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
        def loss(params: Any, key: jax.Array, indices: jax.Array) -> jax.Array:
            x, y = data.train.x[indices], data.train.y[indices]
            if augmented:
                x = rep.act(rep.group.sample(key, indices.shape), x)
            return optax.softmax_cross_entropy_with_integer_labels(model.apply(params, x), y).mean()

        start_key, fit_key = tuple(jax.random.split(key))
        how = {"n_steps": config.steps, "batch_size": config.batch_size, "learning_rate": rate}
        params = fit(loss, model.init(start_key), fit_key, n, **how)
        logits = _in_all_poses(model, params, data.test.x)
        wrong = _wrong(logits, data.test.y)
        return {
            "validation": _wrong(_in_all_poses(model, params, data.validation.x), data.validation.y).mean(),
            "test": wrong.mean(),
            "upright": wrong[0].mean(),
            "equivariance_error": jnp.max(jnp.abs(logits - logits[:1])) / jnp.sqrt(jnp.mean(logits**2)),
        }

    return Learner(name, _DRAW[config.poses], digits.N_TRAIN, fit_and_test)


_DRAW = {poses: functools.partial(draw, poses=poses) for poses in POSES}
"""One function for each, so that it is compiled once for all models."""


def _wrong(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """0 where the largest logit is the label's, else 1; (8, batch) float32."""
    return (jnp.argmax(logits, axis=-1).astype(labels.dtype) != labels[None, :]).astype(jnp.float32)


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one model on training sets of one size, all trials at once.

    Every sample is padded to all images, which costs nothing: minibatches are drawn from the first n. So one compiled
    program of a model serves all sizes.

    Args:
        config: settings.
        key: the same for every model and size.
        point: ``model`` and ``n``.
    """
    name, rates = point["model"], np.sort(np.asarray(config.learning_rates, np.float32))
    keys = trial_keys(key, config.trials)
    found = curve(learner(config, name), keys, [point["n"]], rates, padding=digits.N_TRAIN, memory=np.inf)
    arrays = {
        "accuracy": 1 - found.losses,
        "accuracy_upright": 1 - found.others["upright"],
        "equivariance_error": found.others["equivariance_error"],
        "learning_rate": rates[found.chosen],
    }
    return xr.Dataset(
        {array: (("trial",), values[:, 0]) for array, values in arrays.items()}
        | {"n_parameters": (("model",), [n_parameters(classifier(config, name).model)])},
        coords={"trial": np.arange(config.trials), "model": [name]},
    )


EXPERIMENT = Experiment(
    name="digits_sample_complexity",
    statement="How many images does a classifier need that knows the symmetry of the square, and one that does not?",
    config=Config,
    presets={
        "smoke": Config(sizes=(20, 100, 500), trials=10, copies=14, steps=150, learning_rates=(0.01, 0.03)),
        "desk": Config(),
        "paper": Config(),
    },
    axes=lambda config: {"model": config.models, "n": config.sizes},
    run=run,
    claims=("equivariance_helps_on_digits", "symmetry_saves_images_of_digits"),
    cost={"smoke": 30, "desk": 840, "paper": 840},
    version=2,
    precision="float32",
    tolerance=0.1,
    paired=("model", "n"),
)
