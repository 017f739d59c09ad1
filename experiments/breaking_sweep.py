"""From obeyed to broken: hard, soft and free networks as a symmetry fades.

The tensor of inertia with one column multiplied by ``1 - b``. At b = 0 the network that commutes with O(3) has every
advantage; at b = 1 it cannot represent the label; a free perceptron does not care. A soft method is worth its name if
it stays near the better of the two everywhere, and if its own equivariance error is that of the label.

Arrays: those of ``experiments.contest.compete`` over (method, breaking, trial): ``test_error``,
``equivariance_error``, ``strengths``, ``violations``, ``learning_rate``, ``strength`` and ``n_parameters``;
and ``data_error`` (breaking, group).

Reference:
    The plot of model error against data error is that of Wang, Walters, Yu, ICML 2022 (arXiv 2201.11969), read in
    their code; the dial and the contest are ours.
"""

import dataclasses

import jax
import xarray as xr

from experiments import symmetry_discovery
from experiments.contest import DESK, SMOKE, Budget
from experiments.models.soft import METHODS
from experiments.record import Experiment, Point

__all__ = ["EXPERIMENT", "Config", "run"]


@dataclasses.dataclass(frozen=True)
class Config(Budget):
    """Settings of breaking_sweep."""

    levels: tuple[float, ...] = (0.0, 0.03, 0.1, 0.2, 0.4, 0.7, 1.0)  # b: the share of the column that is taken away

    def __post_init__(self) -> None:
        super().__post_init__()
        symmetry_discovery.dialled(self.levels)


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one method at one level of breaking, all trials at once: a cell of ``symmetry_discovery``.

    Args:
        config: settings.
        key: the same for every method and level.
        point: ``method`` and ``breaking``.
    """
    return symmetry_discovery.run(config, key, point)


EXPERIMENT = Experiment(
    name="breaking_sweep",
    statement="Does soft equivariance stay with the better of hard and none, from obeyed to broken?",
    config=Config,
    presets={
        "smoke": Config(**SMOKE, methods=("equivariant", "per"), levels=(0.0, 1.0)),
        "desk": Config(
            **DESK,
            methods=("mlp", "equivariant", "oracle", "rpp", "per", "lie"),
            levels=(0.0, 0.2, 0.5, 1.0),
        ),
        "paper": Config(methods=METHODS),
    },
    axes=lambda config: {"method": config.methods, "breaking": config.levels},
    run=run,
    claims=("soft_outlives_hard",),
    cost={"smoke": 40, "desk": 1500, "paper": 700000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("method", "breaking"),
)
