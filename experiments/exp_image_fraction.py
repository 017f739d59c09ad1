"""How much of SL(2, R) does the exponential miss, at a given distance from the rotations?

An element is ``exp(X) R`` with X symmetric of eigenvalues r and -r (r is its Cartan radius) and a rotation R by Haar
measure. It is an exponential if it has a real logarithm, which is decided from the eigenvalues of the matrix
(``theory.lie_group_decompositions.measure_missed``); the formula is ``arccos(1 / cosh r) / pi``.

Arrays: ``missed`` (r, trial), the share of ``draws`` elements without a real logarithm, and ``predicted`` (r). A cell
is one radius with all trials.
"""

import dataclasses

import jax
import numpy as np
import xarray as xr

from experiments.record import Experiment, Point, positive, whole
from theory.claim import generator
from theory.lie_group_decompositions import measure_missed, predict_missed

__all__ = ["EXPERIMENT", "Config", "run"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of exp_image_fraction."""

    radii: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)  # r, Cartan radius
    trials: int = 20  # independent samples
    draws: int = 2000  # elements in a sample

    def __post_init__(self) -> None:
        positive(self, "radii")
        whole(self, "trials", "draws")


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Draw the elements at one radius and ask each for a real logarithm.

    Args:
        config: settings.
        key: of this radius.
        point: ``r``.
    """
    found = measure_missed(generator(key), point["r"], config.trials * config.draws)
    return xr.Dataset(
        {
            "missed": (("trial",), found.reshape(config.trials, config.draws).mean(axis=1)),
            "predicted": (("r",), [float(predict_missed(point["r"]))]),
        },
        coords={"trial": np.arange(config.trials), "r": [point["r"]]},
    )


_FINE = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0)

EXPERIMENT = Experiment(
    name="exp_image_fraction",
    statement="How much of SL(2, R) does the exponential miss, at a given distance from the rotations?",
    config=Config,
    presets={
        "smoke": Config(),
        "desk": Config(radii=_FINE, trials=100, draws=4000),
        "paper": Config(radii=_FINE, trials=400, draws=10_000),
    },
    axes=lambda config: {"r": config.radii},
    run=run,
    claims=("exp_misses_rotations", "cartan_coordinates_are_onto"),
    cost={"smoke": 2, "desk": 15, "paper": 150},
    version=1,
    precision="float64",
    tolerance=1e-3,
)
