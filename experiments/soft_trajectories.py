"""Where will it be? Soft methods on trajectories, in three units of length that keep or break the symmetry.

Vehicles seen at six points in space, to be predicted at the next six (see ``experiments.data.trajectories``). Their law
is invariant under the turns and mirrors of the ground plane, and not under O(3): height is special. Dividing every axis
by the same length keeps what symmetry there is; dividing each by its own brings height to the size of the others and
breaks it. With ``folder`` set, recorded trajectories of Waymo Open Motion 1.1 take the place of simulated ones.

Arrays: those of ``experiments.contest.compete`` over (method, normalisation, trial): ``test_error``, the average
displacement error in metres, ``equivariance_error``,
``strengths``, ``violations``, ``learning_rate``, ``strength`` and ``n_parameters``.

Reference:
    Kim, Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356), for task, normalisations and metric (read in their code). Their
    numbers were not found, and are not comparable: the simulation is ours, and trajectories are centred on what is
    seen, not on the future too.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import xarray as xr

from experiments.contest import DESK, SMOKE, Budget, Data, contest
from experiments.data import Samples, trajectories, waymo
from experiments.models.soft import Task
from experiments.record import Experiment, Mistake, Point, among
from experiments.soft_inertia import task

__all__ = ["EXPERIMENT", "Config", "run"]

NORMALISATIONS = tuple(trajectories.NORMALISATIONS)


@dataclasses.dataclass(frozen=True)
class Config(Budget):
    """Settings of soft_trajectories."""

    normalisations: tuple[str, ...] = NORMALISATIONS  # symm-aware, scale-aware, symm+scale-aware
    z_scale: float = 1.0  # factor of the vertical motion of simulated vehicles
    folder: str = ""  # with the tf_example files of Waymo Open Motion 1.1; empty for simulated vehicles

    def __post_init__(self) -> None:
        super().__post_init__()
        among(self, "normalisations", NORMALISATIONS)


@functools.cache
def _planes() -> Task:
    """Six points to six points, with the planes and the truth of the inertia that has a vertical axis."""
    own = task(2)
    group = own.rep_in.group
    return Task(trajectories.rep_in(group), trajectories.rep_out(group), own.candidates, own.truth)


@functools.cache
def displacement(kind: str) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The average displacement error in metres of trajectories in one normalisation."""
    return lambda predicted, y: jnp.mean(trajectories.average_displacement(kind, predicted, y))


@functools.cache
def _recorded(folder: str) -> Samples:
    return waymo.load(folder)


def draw(config: Config, kind: str, key: jax.Array) -> Data:
    """The trajectories of one trial, normalised, in float32."""
    count = 2 * config.n_train + config.n_test
    if config.folder:
        samples = _recorded(config.folder)
        if len(samples.x) < count:
            raise Mistake(
                f"{config.folder} has {len(samples.x)} trajectories, n_train and n_test ask for {count}; "
                f"give smaller ones or more files"
            )
        chosen = jax.random.permutation(key, len(samples.x))[:count]
        samples = Samples(jnp.asarray(samples.x)[chosen], jnp.asarray(samples.y)[chosen])
    else:
        samples = trajectories.sample(key, count, z_scale=config.z_scale, dtype=jnp.float32)
    x, y = trajectories.normalise(samples, kind)
    n = config.n_train
    return Data(
        Samples(x[:n], y[:n]), Samples(x[n : 2 * n], y[n : 2 * n]), {"same law": Samples(x[2 * n :], y[2 * n :])}
    )


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one method in one normalisation, all trials at once.

    Args:
        config: settings.
        key: the same for every method and normalisation.
        point: ``method`` and ``normalisation``.
    """
    kind = point["normalisation"]
    samples = functools.partial(draw, config, kind)
    return contest(config, key, point, _planes(), samples, score=displacement(kind))


EXPERIMENT = Experiment(
    name="soft_trajectories",
    statement="Which soft method predicts vehicles best, whatever the units of length?",
    config=Config,
    presets={
        "smoke": Config(**SMOKE, methods=("mlp", "per"), normalisations=("symm-aware", "scale-aware")),
        "desk": Config(**DESK, methods=("mlp", "equivariant", "rpp", "per"), normalisations=NORMALISATIONS[:2]),
        "paper": Config(channels=384, n_train=8000, n_test=8000, steps=50000, checks=100, batch_size=128),
    },
    axes=lambda config: {"method": config.methods, "normalisation": config.normalisations},
    run=run,
    claims=(),
    cost={"smoke": 40, "desk": 300, "paper": 3000000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("method", "normalisation"),
)
