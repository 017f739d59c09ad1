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
from collections.abc import Callable
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
from experiments.train import fit

__all__ = ["EXPERIMENT", "MODELS", "Config", "Learner", "learner", "run"]

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


class Learner(NamedTuple):
    """A model and whether its training images are moved at random each time they are used."""

    model: Model
    augmented: bool


def learner(config: Config, name: str) -> Learner:
    """The model of that name; a perceptron's width is the one whose number of parameters is nearest to the other's.

    Args:
        config: ``copies`` and ``depth`` fix the sizes.
        name: one of ``MODELS``.
    """
    rep = pixels(dihedral(4), digits.SIDE)
    equivariant = equivariant_mlp(rep, config.copies, config.depth, digits.N_CLASSES)
    if name == "equivariant_mlp":
        return Learner(equivariant, augmented=False)
    width = width_for(n_parameters(equivariant), rep.dim, config.depth, digits.N_CLASSES)
    plain = mlp(rep.dim, width, config.depth, digits.N_CLASSES)
    if name == "mlp_averaged":
        averaged = Model(plain.init, lambda params, x: jnp.mean(_in_all_poses(plain, params, x), axis=0))
        return Learner(averaged, augmented=False)
    return Learner(plain, augmented=name == "mlp_augmented")


def _in_all_poses(model: Model, params: Any, x: jax.Array) -> jax.Array:
    """Logits (8, batch, n_out) of the images moved by every element of the group, the identity first."""
    rep = pixels(dihedral(4), digits.SIDE)
    moved = rep.act(rep.group.elements()[:, None], x)
    return model.apply(params, moved.reshape(-1, rep.dim)).reshape(*moved.shape[:2], -1)


class Images(NamedTuple):
    """Images (count, 64) and labels (count,)."""

    x: jax.Array
    y: jax.Array


class Trial(NamedTuple):
    """What one trial is made of: its images, ``train`` in the order of the nested training sets, and two keys."""

    train: Images
    validation: Images
    test: Images
    start_key: jax.Array
    fit_key: jax.Array


@functools.partial(jax.jit, static_argnums=1)
@functools.partial(jax.vmap, in_axes=(0, None))
def draw(key: jax.Array, poses: Poses) -> Trial:
    """Split the images, and turn the training images if they are to have random poses, for every key.

    Args:
        key: one key for each trial.
        poses: how the training images stand.
    """
    split_key, pose_key, start_key, fit_key = jax.random.split(key, 4)
    x, y = map(jnp.asarray, digits.load())
    train, validation, test = (Images(x[part], y[part]) for part in digits.split(split_key))
    if poses == "random":
        rep = pixels(dihedral(4), digits.SIDE)
        train = train._replace(x=rep.act(rep.group.sample(pose_key, train.y.shape), train.x))
    return Trial(train, validation, test, start_key, fit_key)


@functools.cache
def _starts(init: Callable[[jax.Array], Any]) -> Callable[[jax.Array], Any]:
    return jax.jit(jax.vmap(init))


@functools.cache
def _program(config: Config, name: str) -> Callable[[Trial, Any, jax.Array], dict[str, jax.Array]]:
    """Training and testing of all trials of one model; the size is traced, so one program serves all sizes."""
    model, augmented = learner(config, name)
    rep = pixels(dihedral(4), digits.SIDE)
    rates = np.sort(np.asarray(config.learning_rates, np.float32))

    def outcome(trial: Trial, start: Any, n: jax.Array) -> dict[str, jax.Array]:
        def loss(params: Any, key: jax.Array, indices: jax.Array) -> jax.Array:
            x, y = trial.train.x[indices], trial.train.y[indices]
            if augmented:
                x = rep.act(rep.group.sample(key, indices.shape), x)
            return optax.softmax_cross_entropy_with_integer_labels(model.apply(params, x), y).mean()

        def trained(rate: jax.Array) -> tuple[Any, jax.Array]:
            how = {"n_steps": config.steps, "batch_size": config.batch_size, "learning_rate": rate}
            params = fit(loss, start, trial.fit_key, n, **how)
            logits = _in_all_poses(model, params, trial.validation.x)
            return params, _right(logits, trial.validation.y).mean()

        fitted, validation = jax.vmap(trained)(jnp.asarray(rates))
        best = jnp.argmax(validation)
        logits = _in_all_poses(model, jax.tree.map(lambda leaf: leaf[best], fitted), trial.test.x)
        right = _right(logits, trial.test.y)
        return {
            "accuracy": right.mean(),
            "accuracy_upright": right[0].mean(),
            "equivariance_error": jnp.max(jnp.abs(logits - logits[:1])) / jnp.sqrt(jnp.mean(logits**2)),
            "learning_rate": jnp.asarray(rates)[best],
        }

    return jax.jit(jax.vmap(outcome, in_axes=(0, 0, None)))


def _right(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """1 where the largest logit is the label's, else 0; (8, batch) float32."""
    return (jnp.argmax(logits, axis=-1).astype(labels.dtype) == labels[None, :]).astype(jnp.float32)


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one model on training sets of one size, all trials at once.

    Args:
        config: settings.
        key: the same for every model and size.
        point: ``model`` and ``n``.
    """
    model = learner(config, point["model"]).model
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, np.arange(config.trials, dtype=np.uint32))
    trials = draw(keys, config.poses)
    program = _program(dataclasses.replace(config, models=MODELS, sizes=(1,)), point["model"])
    arrays = program(trials, _starts(model.init)(trials.start_key), jnp.int32(point["n"]))
    return xr.Dataset(
        {name: (("trial",), np.asarray(values)) for name, values in arrays.items()}
        | {"n_parameters": (("model",), [n_parameters(model)])},
        coords={"trial": np.arange(config.trials), "model": [point["model"]]},
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
    claims=("equivariance_helps_on_digits",),
    cost={"smoke": 22, "desk": 840, "paper": 840},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("model", "n"),
)
