"""How many samples do CNN, LCN, FCN and attention take to find one signal patch among k?

Samples n* to a risk of the oracle loss plus a tolerance, against the number k of patches of ``dimension`` numbers.
Data, networks, targets and training are those of ``experiments.dsd_protocol``. sigma is the standard deviation of a
noise coordinate at a signal of length 1; that of the authors was **not found**, so that there are three.

Arrays, for (learner, sigma, k): ``n_star``, its 95 % band ``low`` and ``high``, ``censored`` (+1 above, -1 at most, 0
neither), ``low_open`` and ``high_open`` as in ``theory.crossing.Crossing``; ``target``, and the ``oracle`` loss it is
counted from; ``largest``, the largest n that could be tried; ``sizes`` (step) that were visited, rising, and 0 after
the last; ``losses`` (trial, step), the risk on the test sample, and ``mistakes``, the share of wrong labels, both 0
after the last size. For (sigma, k): ``linear_floor``, the least risk of a linear network; ``bayes_risk``, the least of
all; ``alignment``, the squared cosine with the signal that the target of CNN, LCN and FCN asks for; and ``predicted``
(estimator), the n at which each estimate of ``theory.dynamic_signal`` has that alignment.

Reference:
    Lahoti, Karp, Winston, Singh, Li, ICLR 2024 (arXiv 2403.15707): the question; orders are recalled.
"""

import dataclasses

import jax
import xarray as xr

from experiments.dsd_protocol import Protocol, check_targets, samples_needed
from experiments.record import Experiment, Point, whole

__all__ = ["EXPERIMENT", "Config", "run"]


@dataclasses.dataclass(frozen=True)
class Config(Protocol):
    """Settings of dsd_patches."""

    patches: tuple[int, ...] = (4, 6, 8, 16, 32)  # k, patches of an image
    dimension: int = 8  # d, numbers of a patch

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, "patches", "dimension")
        check_targets(self, self.patches)


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """The sample complexity of one learner at one noise level and one k.

    Args:
        config: settings.
        key: of the sigma and k, the same for every learner.
        point: ``learner``, ``sigma`` and ``k``.
    """
    return samples_needed(config, key, point["learner"], point["sigma"], point["k"], config.dimension, "k")


EXPERIMENT = Experiment(
    name="dsd_patches",
    statement="How many samples do CNN, LCN, FCN and attention take to find one signal patch among k?",
    config=Config,
    presets={
        "smoke": Config(
            learners=("cnn", "lcn", "fcn"),
            sigmas=(0.2,),
            trials=3,
            n_max=200,
            patches=(4, 8),
            dimension=4,
            steps=100,
            fcn_steps=100,
            test=500,
        ),
        "desk": Config(),
        "paper": Config(
            trials=20,
            n_max=256_000,
            most_work=4_000_000_000,
            test=10_000,
            patches=(4, 8, 16, 20, 32, 64),
            dimension=20,
        ),
    },
    axes=lambda config: {
        "learner": config.learners,
        "sigma": config.sigmas,
        "k": config.patches,
    },
    run=run,
    claims=(
        "cnn_takes_fewer_samples_than_lcn_with_more_patches",
        "lcn_takes_fewer_samples_than_fcn_with_more_patches",
        "lcn_stays_above_the_patch_known_line",
        "more_patches_cost_an_lcn_more_than_a_cnn",
        "more_patches_cost_an_fcn_more_than_an_lcn",
    ),
    cost={"smoke": 20, "desk": 1200, "paper": 20_000},
    version=1,
    precision="float32",
    tolerance=0.3,
    paired=("learner",),
)
