"""The tensor of inertia with one column erased: who notices that one axis is special?

Five point masses in space, and their tensor of inertia with the column of one axis multiplied by ``1 + epsilon`` (see
``experiments.data.inertia``). With epsilon not 0 the label keeps of O(3) the turns and mirrors of one coordinate plane.
The candidates are the O(2) of the three planes: for every axis one of them is right, and together they generate O(3).
Axis -1 multiplies two columns and leaves only the changes of sign.

Arrays: those of ``experiments.contest.compete`` over (method, axis, trial): ``test_error`` for the tests ``same law``
and ``shifted``, ``equivariance_error``, ``strengths``, ``violations``, ``learning_rate``, ``strength`` and
``n_parameters``; and ``data_error`` (axis, group), the equivariance errors of the label itself.

Reference:
    Kim, Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356), for the sizes of the paper preset (read in their code): 3000
    samples in three parts, epsilon = -1, 8000 epochs in batches of 500, 5 trials. Their numbers were not found.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import xarray as xr

from equiv.groups import embed, inclusion, o, union
from experiments.contest import DESK, SMOKE, Budget, Data, contest, shifted, sized_by
from experiments.data import inertia
from experiments.models.soft import Task
from experiments.record import Experiment, Point, among

__all__ = ["EXPERIMENT", "PLANES", "Config", "draw", "run", "task"]

PLANES = {"xy": (0, 1), "yz": (1, 2), "xz": (0, 2)}
"""Candidate -> the coordinates its O(2) turns."""
_OBEYED = {2: "xy", 0: "yz", 1: "xz"}
"""Axis -> the plane whose O(2) the label keeps."""
AXES = (0, 1, 2, -1)


@dataclasses.dataclass(frozen=True)
class Config(Budget):
    """Settings of soft_inertia."""

    axes: tuple[int, ...] = AXES  # the axis whose column is modified; -1 modifies two
    epsilon: float = -1.0  # strength of the modification; -1 erases the column
    shift: float = 1.0  # added to the coordinates of the shifted test positions

    def __post_init__(self) -> None:
        super().__post_init__()
        among(self, "axes", AXES)


@functools.cache
def task(axis: int) -> Task:
    """Masses and positions to a tensor, three planes to choose from, and the subgroup that the label keeps."""
    group = o(3)
    planes = {name: inclusion(embed(o(2), 3, plane), group) for name, plane in PLANES.items()}
    signs = inclusion(union(*(embed(o(1), 3, (k,)) for k in range(3))), group)
    truth = planes[_OBEYED[axis]] if axis in _OBEYED else signs
    return Task(inertia.rep_in(group), inertia.rep_out(group), tuple(planes.values()), truth)


def draw(config: Budget, axis: int, epsilon: float, shift: float, key: jax.Array) -> Data:
    """The samples of one trial, in float32; the positions of the second test set are shifted."""
    sample = functools.partial(inertia.sample, epsilon=epsilon, axis=axis, dtype=jnp.float32)
    return shifted(config, sample, shift, key)


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one method on the labels of one axis, all trials at once.

    Args:
        config: settings.
        key: the same for every method and axis.
        point: ``method`` and ``axis``.
    """
    axis = point["axis"]
    samples = functools.partial(draw, config, axis, config.epsilon, config.shift)
    label = functools.partial(inertia.target, epsilon=config.epsilon, axis=axis)
    return sized_by("axis", contest(config, key, point, task(axis), samples, label))


EXPERIMENT = Experiment(
    name="soft_inertia",
    statement="Which soft method finds the axis that breaks the symmetry of the tensor of inertia?",
    config=Config,
    presets={
        "smoke": Config(**SMOKE, methods=("mlp", "equivariant", "per"), axes=(2,)),
        "desk": Config(**DESK, methods=("mlp", "equivariant", "oracle", "rpp", "per"), axes=(2, -1)),
        "paper": Config(),
    },
    axes=lambda config: {"method": config.methods, "axis": config.axes},
    run=run,
    claims=(),
    cost={"smoke": 40, "desk": 800, "paper": 400000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("method", "axis"),
)
