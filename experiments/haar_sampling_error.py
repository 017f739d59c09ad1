"""How equivariant is a group convolution whose integral over the group is a sum, and how right is its value?

The bench is that of ``theory.lie_group_decompositions``: images and kernels are Gaussians, the group is SL(2) and the
kernel has width 0.4 in Cartan coordinates, so that the sum over the group makes the only error. Each trial has a bench
and samples of its own; all methods see the same benches. The methods are sums over

- ``unweighted``: draws as in the paper's public code, log P Gaussian and angles uniform, all weights equal;
- ``weighted``: the same draws with Haar weights;
- ``ball``, ``sobol``: Haar measure on a ball of Cartan radius ``radius``, independent draws and scrambled Sobol points;
- ``lattice``: fixed lattices in Cartan coordinates, the largest one known of at most n elements;
- ``relative``: the weighted draws u, taken relative to the element where the layer is evaluated, ``g = h u``;
- ``relative_lattice``: lattices relative to it.

Arrays over (method, n, trial): ``equivariance_error``, the relative error ``|layer(L_g f) - layer(f)| / |layer(f)|``
over six places, g moving the image by a stretch of Cartan radius 0.4 and a turn by 0.9; ``value_error``, the relative
difference from the integral, which is computed to nine digits (with equal weights, after the best common factor).
``elements`` (method, n) is how many elements were summed over, n at most. Size n uses the first n of ``n_max`` draws.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from equiv.groups import sl
from equiv.groups.measures import gaussian_lattice, haar_ball, lattice_haar_ball, sobol_haar_ball
from experiments.record import Experiment, Point, among, positive, whole
from theory.lie_group_decompositions import (
    FIXED_LATTICES,
    RELATIVE_LATTICES,
    WIDTH,
    draw_bench,
    gaussian_sample,
    layer_terms,
    moved,
    prefix_sums,
    reference,
    relative_error,
)

__all__ = ["EXPERIMENT", "METHODS", "Config", "run"]

METHODS = ("unweighted", "weighted", "ball", "sobol", "lattice", "relative", "relative_lattice")
_SL2 = sl(2)


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of haar_sampling_error."""

    methods: tuple[str, ...] = METHODS  # over what the sum runs
    sizes: tuple[int, ...] = (10, 30, 100, 300, 1000, 2000, 4000)  # n, number of elements
    n_max: int = 4000  # elements drawn in a trial; up to it, sizes can be added without changing those there are
    trials: int = 5  # independent benches and samples
    std: float = 0.4  # standard deviation of the coordinates of log P in Gaussian draws
    radius: float = 2.0  # Cartan radius of the ball

    def __post_init__(self) -> None:
        among(self, "methods", METHODS)
        whole(self, "sizes", "n_max", "trials")
        if not 10 <= min(self.sizes) <= max(self.sizes) <= self.n_max:
            raise ValueError(f"sizes has to be within 10 and the n_max = {self.n_max} elements, got {self.sizes}")
        positive(self, "std", "radius")
        if self.std <= WIDTH / 2**0.5:
            raise ValueError(f"std has to be above {WIDTH / 2**0.5:.3f}, or the error has no variance, got {self.std}")


def _lattices(method: str) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Elements and weights of all lattices known, by the number they stay within."""
    if method == "lattice":
        numbers = FIXED_LATTICES.items()
        found = {n: lattice_haar_ball(_SL2, r, spacing, n_angles=angles) for n, (r, spacing, angles) in numbers}
    else:
        found = {n: gaussian_lattice(_SL2, WIDTH, *numbers) for n, numbers in RELATIVE_LATTICES.items()}
    return {n: (np.asarray(g), np.exp(log_weights)) for n, (g, log_weights) in found.items()}


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """Sum over the elements of one method, all sizes and trials.

    Args:
        config: settings.
        key: the same for every method.
        point: ``method``.
    """
    method, sizes = point["method"], np.asarray(config.sizes)
    lattices = _lattices(method) if "lattice" in method else None
    elements = sizes
    if lattices is not None:
        nearest = [max(n for n in lattices if n <= size) for size in sizes]
        elements = np.array([len(lattices[n][1]) for n in nearest])
        every = jnp.asarray(np.concatenate([g for g, _ in lattices.values()]))
        ends = np.cumsum([len(weights) for _, weights in lattices.values()])[:-1]
    errors = np.empty((2, len(sizes), config.trials))
    for trial in range(config.trials):
        k_bench, k_sample = jax.random.split(jax.random.fold_in(key, trial))
        bench = draw_bench(k_bench, _SL2)
        if lattices is None:
            g, log_weights = _draw(config, method, k_sample)
        else:
            g = every
        layers = []
        for one in (bench, moved(bench)):
            terms = np.asarray(layer_terms(one, g, group=_SL2, relative=method.startswith("relative")))
            if lattices is None:
                layers.append(prefix_sums(terms, log_weights, sizes))
            else:
                sums = [w @ part for (_, w), part in zip(lattices.values(), np.split(terms, ends))]
                layers.append(np.stack([dict(zip(lattices, sums))[n] for n in nearest]))
        before, after = layers
        exact = np.asarray(reference(bench, _SL2))
        errors[0, :, trial] = relative_error(after, before)
        if method == "unweighted":
            before = before * (before @ exact / np.sum(before**2, axis=1))[:, None]
        errors[1, :, trial] = relative_error(before, exact[None])
    return xr.Dataset(
        {
            "equivariance_error": (("n", "trial"), errors[0]),
            "value_error": (("n", "trial"), errors[1]),
            "elements": (("n",), elements),
        },
        coords={"n": sizes, "trial": np.arange(config.trials)},
    )


def _draw(config: Config, method: str, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    if method in ("ball", "sobol"):
        ball = haar_ball if method == "ball" else sobol_haar_ball
        return ball(key, _SL2, config.radius, config.n_max)
    g, log_weights = gaussian_sample(key, _SL2, config.n_max, config.std)
    return g, jnp.zeros_like(log_weights) if method == "unweighted" else log_weights


_SIZES = (10, 30, 100, 300, 1000, 2000, 4000, 10_000, 30_000, 100_000)

EXPERIMENT = Experiment(
    name="haar_sampling_error",
    statement="How equivariant is a group convolution whose integral is a sum, and how right is its value?",
    config=Config,
    presets={
        "smoke": Config(),
        "desk": Config(sizes=_SIZES, n_max=100_000, trials=30),
        "paper": Config(sizes=_SIZES, n_max=100_000, trials=100),
    },
    axes=lambda config: {"method": config.methods},
    run=run,
    claims=(
        "haar_weights_give_the_rate",
        "relative_samples_are_exact",
        "lattices_are_accurate",
        "relative_lattices_are_accurate",
    ),
    cost={"smoke": 15, "desk": 240, "paper": 800},
    version=1,
    precision="float64",
    tolerance=1e-6,
    paired=("method",),
)
