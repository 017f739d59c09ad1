"""Read off a trained network which symmetries its data obey, and how well.

The tensor of inertia with one column multiplied by ``1 - b``, b from 0 (O(3) is obeyed) to 1 (the column is erased,
and only the turns and mirrors of one plane are left). A network of free weights is penalised for each of the three
planes; what it has learnt is read in two ways: from the strengths and violations of the penalties while it trains, and
from its equivariance errors at the end, which ought to be those of the label.

Arrays: those of ``experiments.contest.compete`` over (method, breaking, trial): ``test_error``,
``equivariance_error``, ``strengths``, ``violations``, ``learning_rate``, ``strength`` and ``n_parameters``;
and ``data_error`` (breaking, group).

Reference:
    Kim, Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356), who read the level of each symmetry from strengths, penalties and
    errors; the dial is ours.
"""

import dataclasses
import functools

import jax
import xarray as xr

from experiments.contest import DESK, SMOKE, Budget, contest
from experiments.data import inertia
from experiments.record import Experiment, Point
from experiments.soft_inertia import draw, task

__all__ = ["EXPERIMENT", "Config", "run"]

_AXIS, _SHIFT = 2, 1.0


@dataclasses.dataclass(frozen=True)
class Config(Budget):
    """Settings of symmetry_discovery."""

    levels: tuple[float, ...] = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # b: the share of the column that is taken away

    def __post_init__(self) -> None:
        super().__post_init__()
        dialled(self.levels)


def dialled(levels: tuple[float, ...]) -> None:
    """Refuse levels of breaking outside of 0 ... 1, or the same level twice.

    Raises:
        ValueError: naming what is wrong.
    """
    if not levels or len(set(levels)) < len(levels) or not all(0 <= level <= 1 for level in levels):
        raise ValueError(f"levels has to be made of numbers from 0 to 1, none of them twice, got {levels}")


def run(config: Budget, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one method at one level of breaking, all trials at once.

    Args:
        config: settings.
        key: the same for every method and level.
        point: ``method`` and ``breaking``.
    """
    epsilon = -float(point["breaking"])
    samples = functools.partial(draw, config, _AXIS, epsilon, _SHIFT)
    label = functools.partial(inertia.target, epsilon=epsilon, axis=_AXIS)
    return contest(config, key, point, task(_AXIS), samples, label)


EXPERIMENT = Experiment(
    name="symmetry_discovery",
    statement="Can the level of each symmetry of the data be read off a network that was free to break it?",
    config=Config,
    presets={
        "smoke": Config(**SMOKE, methods=("per",), levels=(0.0, 0.5, 1.0)),
        "desk": Config(**DESK, methods=("per", "per_evidence"), levels=(0.0, 0.2, 0.5, 1.0)),
        "paper": Config(methods=("per", "per_evidence", "lie", "constrained")),
    },
    axes=lambda config: {"method": config.methods, "breaking": config.levels},
    run=run,
    claims=("errors_tell_the_plane", "strengths_tell_the_plane"),
    cost={"smoke": 40, "desk": 600, "paper": 300000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("method", "breaking"),
)
