"""A label that neither rotations nor scalings move, each broken at will: which symmetry does a method keep?

The mean cosine between three vectors, plus terms that break the invariance under changes of scale, under rotations, or
under both (see ``experiments.data.cosine_similarity``). The candidates are SO(3) and the positive multiples of the
identity; the big group is the one both generate. No polynomial is invariant under scalings, so that the network that
commutes with the big group is a constant: here only soft methods have a chance, and a perceptron.

Arrays: those of ``experiments.contest.compete`` over (method, kind, trial): ``test_error`` for the tests ``same law``
and ``shifted``, the *median* square, since the labels have heavy tails, ``equivariance_error``,
``strengths``, ``violations``, ``learning_rate``, ``strength`` and ``n_parameters``; and ``data_error`` (kind,
group), the errors of the label itself, under scalings as the group draws them.

Reference:
    Kim, Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356), for the sizes of the paper preset (read in their code): 2000
    epochs in batches of 200, 5 trials. Their numbers were not found.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import xarray as xr

from equiv.groups import inclusion, polyhedral, scaling, so, union
from experiments.contest import DESK, SMOKE, Budget, Data, contest, shifted, sized_by
from experiments.data import cosine_similarity
from experiments.models.soft import Task
from experiments.record import Experiment, Point, among

__all__ = ["EXPERIMENT", "Config", "run", "task"]

KINDS = tuple(cosine_similarity.KINDS)


@dataclasses.dataclass(frozen=True)
class Config(Budget):
    """Settings of soft_cosine_similarity."""

    kinds: tuple[str, ...] = KINDS  # so3-scale, so3, scale, none: what leaves the label as it is
    epsilon: float = 1.0  # strength of the breaking terms
    shift: float = 1.0  # added to the coordinates of the shifted test vectors

    def __post_init__(self) -> None:
        super().__post_init__()
        among(self, "kinds", KINDS)


@functools.cache
def task(kind: str) -> Task:
    """Three vectors to a scalar, rotations and scalings to choose from, and what the label keeps of both."""
    group = union(so(3), scaling(3))
    candidates = inclusion(so(3), group), inclusion(scaling(3), group)
    cube = candidates[0] @ inclusion(polyhedral("octahedral"), so(3))
    truth = {"so3-scale": inclusion(group, group), "so3": candidates[0], "scale": candidates[1], "none": cube}
    return Task(cosine_similarity.rep_in(group), cosine_similarity.rep_out(group), candidates, truth[kind])


def median_square(predicted: jax.Array, y: jax.Array) -> jax.Array:
    """The median of the squared difference."""
    return jnp.median((predicted - y) ** 2)


def draw(config: Config, kind: str, key: jax.Array) -> Data:
    """The samples of one trial, in float32."""
    sample = functools.partial(cosine_similarity.sample, kind=kind, epsilon=config.epsilon, dtype=jnp.float32)
    return shifted(config, sample, config.shift, key)


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Train one method on one kind of label, all trials at once.

    Args:
        config: settings.
        key: the same for every method and kind.
        point: ``method`` and ``kind``.
    """
    kind = point["kind"]
    label = functools.partial(cosine_similarity.target, kind=kind, epsilon=config.epsilon)
    samples = functools.partial(draw, config, kind)
    return sized_by("kind", contest(config, key, point, task(kind), samples, label, median_square))


_METHODS = ("mlp", "rpp", "per", "per_evidence", "lie", "constrained")

EXPERIMENT = Experiment(
    name="soft_cosine_similarity",
    statement="Of two symmetries, which does a method keep when one, the other, both or none are broken?",
    config=Config,
    presets={
        "smoke": Config(**SMOKE, methods=("mlp", "per"), kinds=("so3", "scale")),
        "desk": Config(**DESK | {"channels": 45, "strengths": (100.0,)}, methods=("mlp", "rpp", "per", "lie")),
        "paper": Config(
            methods=_METHODS, steps=10000, checks=80, adjust_at=20, batch_size=200, strengths=(1.0, 10.0, 100.0)
        ),
    },
    axes=lambda config: {"method": config.methods, "kind": config.kinds},
    run=run,
    claims=(),
    cost={"smoke": 40, "desk": 700, "paper": 60000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("method", "kind"),
)
