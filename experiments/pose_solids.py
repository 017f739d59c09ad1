"""How many views of a solid does it take to learn where it points, with and without a lift to the sphere?

Networks are trained on n pictures of one solid from random directions, each with the rotation that it was drawn with,
and tested on others. What they answer is a density over all rotations, so a solid that looks the same from several
sides is no difficulty. ``experiments.models.pose`` has the models; they differ in the lift from the picture to the
sphere, or have none. Everything else is equal: pictures, steps, minibatches, the grid of learning rates, and the choice
of the rate and of the step at which to stop, by the log-likelihood of held-out views. A trial is a new draw and a new
start; training sets are nested and the same for every model.

The log-likelihood is taken with respect to the volume pi^2 of SO(3), which makes that of the uniform density ``-log
pi^2 = -2.2895``, at the rotations themselves, and is averaged over all equivalent rotations (R s, for every symmetry s
of the solid), as the field does. The *spread* is the mean distance to the nearest of them under the density.

Arrays, for (solid, model, n, trial): ``log_likelihood``, the mean over the test views; ``log_likelihood_one``, at the
rotation that the view was drawn with alone; ``spread`` in degrees; ``accuracy_15`` and ``accuracy_30``, the share of
views with an equivalent rotation within as many degrees of the likeliest rotation of the grid; ``learning_rate``;
``best_step``. For (solid, model, n), of the first trial: ``coefficients`` (view, coefficient) of the first test views,
what their densities are drawn from; 0 beyond the band limit, and for the implicit network, which has none. For
(solid): ``picture`` (view, row, column) and ``pose`` (view, 3, 3), those views; ``equivalents``, the number of
equivalent rotations. For (model,): ``n_parameters``.
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
from experiments.data import solids
from experiments.models import n_parameters
from experiments.models.pose import MODELS, PoseModel, build
from experiments.pose import to_nearest
from experiments.record import Experiment, Point, among, positive, whole
from experiments.train import fit_watched

__all__ = ["EXPERIMENT", "Config", "run"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of pose_solids."""

    solids: tuple[str, ...] = ("cube", "twist")  # what is seen: names of experiments.data.solids
    models: tuple[str, ...] = MODELS  # orthographic, induced, mirror, pooled, steerable, ... (experiments.models.pose)
    sizes: tuple[int, ...] = (100, 300, 1000, 3000, 10000)  # n, number of training views
    trials: int = 5  # independent repetitions: views, start, minibatches
    side: int = 32  # pixels along one side of a picture
    width: int = 16  # channels of the encoder
    l_max: int = 6  # band limit of the logit
    train_level: int = 3  # of the grid of rotations whose mean normalises the density in training: 72 * 8^level
    test_level: int = 4  # the same for the log-likelihood in testing
    validation_views: int = 200  # held-out views that the step to stop at and the learning rate are chosen by
    test_views: int = 200  # views that are tested on
    shown: int = 3  # test views whose predicted densities are kept
    steps: int = 1000  # optimization steps at most
    checks: int = 10  # how often the held-out views are looked at
    batch_size: int = 16  # views of one step
    learning_rates: tuple[float, ...] = (0.001,)  # tried for every model, size and trial

    def __post_init__(self) -> None:
        whole(self, "sizes", "trials", "side", "width", "l_max", "train_level", "test_level", "validation_views")
        whole(self, "test_views", "shown", "steps", "checks", "batch_size")
        positive(self, "learning_rates")
        among(self, "solids", solids.NAMES)
        among(self, "models", MODELS)
        if self.side % 2:
            raise ValueError(f"side has to be even, the encoders halve it, got {self.side}")
        if self.shown > self.test_views:
            raise ValueError(f"shown has to stay within the {self.test_views} test views, got {self.shown}")
        if self.checks > self.steps:
            raise ValueError(f"checks has to be at most steps = {self.steps}, got {self.checks}")


class Views(NamedTuple):
    """Pictures and the rotations that they were drawn with.

    Attributes:
        image: (n, 2, side, side), red and green.
        rotation: (n, 3, 3).
    """

    image: jax.Array
    rotation: jax.Array


class Trial(NamedTuple):
    """The views of one trial and its keys."""

    train: Views
    validation: Views
    test: Views
    start_key: jax.Array
    fit_key: jax.Array


def draw(config: Config, name: str, key: jax.Array) -> Trial:
    """The views of a trial; training views are nested in n."""
    solid = solids.solid(name)
    *view_keys, start_key, fit_key = jax.random.split(key, 5)
    counts = (max(config.sizes), config.validation_views, config.test_views)

    def views(key: jax.Array, count: int) -> Views:
        image, rotation = solids.draw_views(key, solid, count, config.side, 1, jnp.float32)
        return Views(image[:, :2], rotation)

    return Trial(*map(views, view_keys, counts), start_key, fit_key)


def tested(model: PoseModel, config: Config, params: Any, views: Views, solid: solids.Solid) -> dict[str, jax.Array]:
    """The measures of the field on some views, each as an array (n,)."""
    grid = so3_grid(config.train_level, jnp.float32)

    def one(view: Views) -> dict[str, jax.Array]:
        features = model.features(params, view.image[None])
        equivalents = solids.equivalent(solid, view.rotation)
        likelihoods = model.log_likelihood(params, features, equivalents[None], config.test_level)[0]
        density = model.log_density(params, features, config.train_level)[0]
        away = to_nearest(grid, equivalents)
        miss = away[jnp.argmax(density)]
        return {
            "log_likelihood": jnp.mean(likelihoods),
            "log_likelihood_one": likelihoods[0],
            "spread": jnp.mean(jnp.exp(density) * away),
            "accuracy_15": (miss <= 15).astype(jnp.float32),
            "accuracy_30": (miss <= 30).astype(jnp.float32),
        }

    return jax.lax.map(one, views)


class Trained(NamedTuple):
    """A trained network and how it was chosen; each with a leading axis of trials."""

    params: Any
    learning_rate: jax.Array
    best_step: jax.Array


@functools.cache
def _training(config: Config, name: str) -> Callable[[Trial, jax.Array], Trained]:
    """Training of all trials of one model; n is traced and serves all sizes, and all solids."""
    model = _model(config, name)
    rates = np.sort(np.asarray(config.learning_rates, np.float32))

    def outcome(trial: Trial, n: jax.Array) -> Trained:
        def loss(params: Any, key: jax.Array, indices: jax.Array) -> jax.Array:
            return model.loss(params, key, trial.train.image[indices], trial.train.rotation[indices])

        def watch(params: Any) -> dict[str, jax.Array]:
            views = trial.validation
            features = model.features(params, views.image)
            found = model.log_likelihood(params, features, views.rotation[:, None], config.train_level)
            return {"loss": -jnp.mean(found)}

        def trained(rate: jax.Array) -> tuple[Any, jax.Array, jax.Array]:
            how = {"n_steps": config.steps, "n_checks": config.checks, "batch_size": config.batch_size}
            start, fit_key = model.init(jax.random.clone(trial.start_key)), jax.random.clone(trial.fit_key)
            found = fit_watched(loss, watch, start, fit_key, n, learning_rate=rate, least="loss", **how)
            return found.params, found.seen["loss"][found.best], found.steps[found.best]

        fitted, least, steps = jax.lax.map(trained, jnp.asarray(rates))
        best = jnp.argmin(jnp.where(jnp.isnan(least), jnp.inf, least))
        return Trained(jax.tree.map(lambda leaf: leaf[best], fitted), jnp.asarray(rates)[best], steps[best])

    return jax.jit(lambda trials, n: jax.lax.map(lambda trial: outcome(trial, n), trials))


@functools.cache
def _testing(config: Config, name: str, seen: str) -> Callable[[Any, Views], tuple[dict[str, jax.Array], jax.Array]]:
    """The measures of all trials of one model on one solid, and the coefficients that are shown."""
    model, solid = _model(config, name), solids.solid(seen)

    def outcome(params: Any, views: Views) -> tuple[dict[str, jax.Array], jax.Array]:
        found = {k: jnp.mean(v) for k, v in tested(model, config, params, views, solid).items()}
        return found, model.coefficients(model.features(params, views.image[: config.shown]))

    return jax.jit(lambda params, views: jax.lax.map(lambda one: outcome(*one), (params, views)))


def _model(config: Config, name: str) -> PoseModel:
    return build(name, config.width, config.l_max, config.train_level, config.side)


@functools.cache
def _draws(config: Config, seen: str) -> Callable[[jax.Array], Trial]:
    return jax.jit(jax.vmap(functools.partial(draw, config, seen)))


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one model on one solid with training sets of one size, trial by trial, and test it.

    Args:
        config: settings.
        key: the same for every model and size.
        point: ``solid``, ``model`` and ``n``.
    """
    seen, name = point["solid"], point["model"]
    common = dataclasses.replace(config, solids=solids.NAMES, models=MODELS)
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, np.arange(config.trials, dtype=np.uint32))
    trials = _draws(common, seen)(keys)
    trained = _training(common, name)(trials, jnp.int32(point["n"]))
    arrays, coefficients = _testing(common, name, seen)(trained.params, trials.test)
    arrays |= {"learning_rate": trained.learning_rate, "best_step": trained.best_step.astype(jnp.float32)}
    shown = jax.tree.map(lambda leaf: np.asarray(leaf[0, : config.shown]), trials.test)
    padded = np.zeros((config.shown, sum((2 * l + 1) ** 2 for l in range(config.l_max + 1))), np.float32)
    padded[:, : coefficients.shape[-1]] = coefficients[0]
    return xr.Dataset(
        {name: (("trial",), np.asarray(values)) for name, values in arrays.items()}
        | {
            "coefficients": (("view", "coefficient"), padded),
            "picture": (("solid", "view", "row", "column"), shown.image[None, :, 0]),
            "pose": (("solid", "view", "i", "j"), shown.rotation[None]),
            "equivalents": (("solid",), [len(solids.solid(seen).group)]),
            "n_parameters": (("model",), [n_parameters(_model(config, name))]),
        },
        coords={"trial": np.arange(config.trials), "model": [name], "solid": [seen]},
    )


EXPERIMENT = Experiment(
    name="pose_solids",
    statement="How many views of a solid does it take to learn where it points, with and without a lift to the sphere?",
    config=Config,
    presets={
        "smoke": Config(
            solids=("twist",),
            models=("induced", "pooled"),
            sizes=(50,),
            trials=2,
            side=16,
            width=8,
            l_max=3,
            train_level=1,
            test_level=2,
            validation_views=20,
            test_views=20,
            shown=2,
            steps=40,
            checks=2,
            batch_size=8,
            learning_rates=(0.003,),
        ),
        "desk": Config(sizes=(100, 1000, 10_000)),
        "paper": Config(
            solids=solids.NAMES,
            side=64,
            width=64,
            test_level=5,
            test_views=1000,
            steps=20_000,
            batch_size=64,
            learning_rates=(3e-4, 1e-3),
        ),
    },
    axes=lambda config: {"solid": config.solids, "model": config.models, "n": config.sizes},
    run=run,
    claims=(
        "learned_lift_beats_pooling",
        "learned_lift_is_no_worse_than_the_fixed_one",
        "mirror_symmetric_solid_needs_no_q",
        "chiral_solid_gains_from_q",
    ),
    cost={"smoke": 40, "desk": 3600, "paper": 36000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("model", "n"),
)
