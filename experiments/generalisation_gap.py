"""What least squares loses by not knowing that its target is invariant, for every sample size.

The setting and both sides of the comparison are those of ``theory.elesedy_zaidi``: inputs ``x ~ N(0, sigma_x^2
I_d)``, an invariant target ``theta`` of length 1, noise of standard deviation ``sigma_xi``, the fit of minimal norm,
and the group of cyclic shifts by ``stride`` places.

Arrays: ``gap`` (d, n, trial), the risk of the fit minus the risk of its average over the group, and ``predicted`` (d,
    n), its mean by the formula, infinite where the mean is. A cell is one d with all sizes, one compiled program. A
    trial is one draw of target, inputs and noise, and size n uses the first n rows of it.
"""

import dataclasses
import functools
import math

import jax
import numpy as np
import xarray as xr

from experiments.record import Experiment, Point, positive, whole
from theory.elesedy_zaidi import predict_gap, shift_projector, simulate_gap

__all__ = ["EXPERIMENT", "Config", "run"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of generalisation_gap."""

    dims: tuple[int, ...] = (6, 12, 24)  # d, dimension of the inputs
    sizes: tuple[int, ...] = (2, 4, 6, 8, 12, 18, 24, 36, 48)  # n, number of samples
    n_max: int = 48  # samples drawn in a trial; up to it, sizes can be added without changing those there are
    trials: int = 1000  # independent draws of target, inputs and noise
    sigma_x: float = 1.3  # standard deviation of each coordinate of the input
    sigma_xi: float = 0.7  # standard deviation of the noise, in units of the target
    stride: int = 2  # places of one shift

    def __post_init__(self) -> None:
        whole(self, "dims", "sizes", "n_max", "trials", "stride")
        if max(self.sizes) > self.n_max:
            raise ValueError(f"sizes has to stay within the n_max = {self.n_max} samples of a trial, got {self.sizes}")
        positive(self, "sigma_x", "sigma_xi")


@functools.partial(jax.jit, static_argnames=("sigma_x", "sigma_xi", "n_max", "trials"))
def gaps(
    key: jax.Array,
    sizes: jax.Array,
    projector: jax.Array,
    *,
    sigma_x: float,
    sigma_xi: float,
    n_max: int,
    trials: int,
) -> jax.Array:
    """Draws of the gap for all sizes, (len(sizes), trials), in one program.

    The trials are one batch and the sizes follow one another, so that the bits of one size do not depend on which
    others are asked for.

    Args:
        key: random key.
        sizes: (k,) integers.
        projector: (d, d), the averaging operator.
        sigma_x: standard deviation of each coordinate of the input.
        sigma_xi: standard deviation of the noise.
        n_max: samples drawn in a trial, at least the largest size; part of the draw's shape.
        trials: independent draws.
    """
    d = projector.shape[0]

    def draws(n: jax.Array) -> jax.Array:
        same = jax.random.clone(key)  # the same draws for every size
        return simulate_gap(same, n, d, n_max, trials, projector, sigma_x, sigma_xi)

    return jax.lax.map(draws, sizes)


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Simulate and predict the gap in one dimension.

    Args:
        config: settings.
        key: of this dimension.
        point: ``d``.
    """
    d, sizes = point["d"], np.asarray(config.sizes, np.int32)
    projector = shift_projector(d, config.stride)
    law = {"sigma_x": config.sigma_x, "sigma_xi": config.sigma_xi}
    gap = gaps(key, sizes, projector, **law, n_max=config.n_max, trials=config.trials)
    predicted = predict_gap(sizes, d, d - math.gcd(d, config.stride), **law)
    return xr.Dataset(
        {"gap": (("n", "trial"), np.asarray(gap)), "predicted": (("n",), predicted)},
        coords={"n": sizes, "trial": np.arange(config.trials)},
    )


_PAPER = Config(
    dims=(6, 12, 24, 48),
    sizes=(
        *(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 22, 23, 24, 25, 26, 28, 32, 36, 40, 44),
        *(46, 47, 48, 49, 50, 52, 56, 60, 66, 72, 84, 96, 120, 144),
    ),
    n_max=144,
)

EXPERIMENT = Experiment(
    name="generalisation_gap",
    statement="How much risk does least squares lose by not knowing that its target is invariant?",
    config=Config,
    presets={
        "smoke": Config(dims=(6, 12), sizes=(2, 4, 5, 6, 7, 9, 11, 12, 13, 16, 20, 30), n_max=30, trials=400),
        "desk": _PAPER,
        "paper": _PAPER,
    },
    axes=lambda config: {"d": config.dims},
    run=run,
    claims=("gap_of_each_draw", "gap_overdetermined", "gap_underdetermined", "gap_spike"),
    cost={"smoke": 7, "desk": 30, "paper": 30},
    version=1,
    precision="float64",
    tolerance=1e-6,
)
