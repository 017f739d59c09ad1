"""What do mirror-symmetric kernels do when both hands of a chiral solid are seen?

A steerable network whose kernels are mirror symmetric, too (q = 0), answers a mirrored picture with the mirrored
signal. For a solid that is its own mirror image that is a symmetry of the task; for one hand alone it is a constraint
on pictures that never occur. If both hands occur, each with the labels of a frame of its own, mirrored pictures have
answers that no mirror relates, and q has to be free.

``twist`` is one hand, ``twist+antitwist`` are both, one or the other at random. Networks, training and arrays are those
of ``pose_solids``: ``log_likelihood``, ``log_likelihood_one``, ``spread``, ``accuracy_15``, ``accuracy_30``,
``learning_rate``, ``best_step``, ``coefficients``, ``picture``, ``pose``, ``equivalents`` and ``n_parameters``.
"""

import dataclasses

import jax
import xarray as xr

from experiments import pose_solids
from experiments.pose_solids import Config
from experiments.record import Experiment, Point

__all__ = ["EXPERIMENT", "Config", "run"]

_HANDS = ("twist", "twist+antitwist")
_MODELS = ("steerable", "steerable_mirror")


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one model on one scene with training sets of one size, trial by trial, and test it.

    Args:
        config: settings.
        key: the same for every model and size.
        point: ``solid``, ``model`` and ``n``.
    """
    return pose_solids.run(config, key, point)


EXPERIMENT = Experiment(
    name="pose_hands",
    statement="What do mirror-symmetric kernels do when both hands of a chiral solid are seen?",
    config=Config,
    presets={
        "smoke": dataclasses.replace(pose_solids.EXPERIMENT.presets["smoke"], solids=_HANDS[1:], models=_MODELS),
        "desk": Config(solids=_HANDS, models=_MODELS, sizes=(1000, 10_000)),
        "paper": dataclasses.replace(pose_solids.EXPERIMENT.presets["paper"], solids=_HANDS, models=_MODELS),
    },
    axes=pose_solids.EXPERIMENT.axes,
    run=run,
    claims=("two_hands_need_q",),
    cost={"smoke": 40, "desk": 1200, "paper": 9000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=pose_solids.EXPERIMENT.paired,
)
