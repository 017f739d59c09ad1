"""What is the best that a density with a band limit can say about how a symmetric solid is turned?

The labels of a picture are equally likely on the orbit of one rotation. For each solid and band limit L the logits are
the best ones whose blocks ``sqrt(2l + 1) x_l`` have a spectral norm of at most a bound
(``theory.pose_densities.best_likelihood``). Below the first degree with an invariant of the solid they are constant,
and the mean log-likelihood is that of the uniform density, ``-log pi^2``.

The density is normalised by an integral. In practice that is a mean over a grid, which a peak that is sharper than the
grid's cells deceives: it falls between the rotations, and the density comes out too high. How much too high is measured
for poses drawn at random.

Arrays: ``likelihood`` (solid, l, bound), the best mean log-likelihood; ``predicted`` (solid, l, bound), that of
Gaussian peaks; ``gridded`` (solid, l, bound, level, trial), what the mean over ``so3_grid(level)`` makes of the same
logits in another pose. A cell is one solid and one L.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.spatial.transform import Rotation

from equiv.layers.so3 import log_partition
from experiments.record import Experiment, Point, among, positive, whole
from theory.claim import generator
from theory.pose_densities import SOLIDS, UNIFORM, best_likelihood, peak_blocks, predict_likelihood

__all__ = ["EXPERIMENT", "Config", "run"]

_HIGHEST = 8


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of pose_band_limit."""

    solids: tuple[str, ...] = SOLIDS  # which
    band_limits: tuple[int, ...] = tuple(range(_HIGHEST + 1))  # L, highest degree of the logits
    bounds: tuple[float, ...] = (10.0, 30.0)  # of the spectral norms of sqrt(2l + 1) x_l
    levels: tuple[int, ...] = (2, 3)  # of the grids for the normalisation
    trials: int = 10  # poses drawn

    def __post_init__(self) -> None:
        among(self, "solids", SOLIDS)
        among(self, "band_limits", tuple(range(_HIGHEST + 1)))
        among(self, "levels", tuple(range(6)))
        positive(self, "bounds")
        whole(self, "trials")


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Find the best logits with each bound, and normalise them by each grid.

    Args:
        config: settings.
        key: the same for every solid and band limit.
        point: ``solid`` and ``l``.
    """
    solid, l_max = point["solid"], point["l"]
    poses = Rotation.random(config.trials, rng=generator(key)).as_rotvec()
    best = [best_likelihood(solid, l_max, bound) for bound in config.bounds]
    above = [np.zeros((config.trials, 2 * l + 1, 2 * l + 1)) for l in range(l_max + 1, _HIGHEST + 1)]
    gridded = []
    for _, numbers in best:
        blocks = tuple(map(jnp.asarray, (*peak_blocks(solid, numbers, l_max, poses), *above)))  # one program for all L
        shifts = np.array([log_partition(blocks, level) for level in config.levels])
        gridded.append(numbers.sum() - shifts + UNIFORM)
    predicted = [predict_likelihood(solid, numbers, l_max) for _, numbers in best]
    return xr.Dataset(
        {
            "likelihood": (("bound",), np.array([value for value, _ in best])),
            "predicted": (("bound",), np.array(predicted)),
            "gridded": (("bound", "level", "trial"), np.array(gridded)),
        },
        coords={"bound": list(config.bounds), "level": list(config.levels), "trial": np.arange(config.trials)},
    )


EXPERIMENT = Experiment(
    name="pose_band_limit",
    statement="What is the best that a density with a band limit can say about how a symmetric solid is turned?",
    config=Config,
    presets={
        "smoke": Config(band_limits=tuple(range(7)), trials=5),
        "desk": Config(levels=(3, 4, 5), trials=20),
        "paper": Config(levels=(2, 3, 4, 5), trials=100),
    },
    axes=lambda config: {"solid": config.solids, "l": config.band_limits},
    run=run,
    claims=("uniform_below_the_threshold", "invariants_of_solids", "symmetrised_logits_are_no_worse"),
    cost={"smoke": 12, "desk": 60, "paper": 300},
    version=1,
    precision="float64",
    tolerance=1e-6,
    paired=("solid", "l"),
)
