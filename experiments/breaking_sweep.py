"""From obeyed to broken: hard, soft and free networks as a symmetry fades.

The tensor of inertia with one column multiplied by ``1 - b``. At b = 0 the network that commutes with O(3) has every
advantage; at b = 1 it cannot represent the label; a free perceptron does not care. A soft method is worth its name if
it stays near the better of the two everywhere, and if its own equivariance error is that of the label.

Arrays: those of ``experiments.contest.compete`` over (method, breaking, trial), and ``data_error`` (breaking, group).

Reference:
    The plot of model error against data error is that of Wang, Walters, Yu, ICML 2022 (arXiv 2201.11969), read in
    their code; the dial and the contest are ours.
"""

import dataclasses

from experiments.contest import DESK, SMOKE, Budget
from experiments.models.soft import METHODS
from experiments.record import Experiment
from experiments.symmetry_discovery import dialled, run

__all__ = ["EXPERIMENT", "Config", "run"]


@dataclasses.dataclass(frozen=True)
class Config(Budget):
    """Settings of breaking_sweep."""

    levels: tuple[float, ...] = (0.0, 0.03, 0.1, 0.2, 0.4, 0.7, 1.0)  # b: the share of the column that is taken away

    def __post_init__(self) -> None:
        super().__post_init__()
        dialled(self.levels)


EXPERIMENT = Experiment(
    name="breaking_sweep",
    statement="Does soft equivariance stay with the better of hard and none, from obeyed to broken?",
    config=Config,
    presets={
        "smoke": Config(**SMOKE, methods=("mlp", "equivariant", "per"), levels=(0.0, 0.3, 1.0)),
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
