"""Do the authors' settings for one signal patch among noise give their ratios and their orders?

Data and networks are those of ``theory.dynamic_signal``. Two sweeps: k patches of 20 numbers, and 20 patches of d
numbers, k and d from 10 to 30; the pair they share is run once. The *target* is the oracle loss plus ``tolerance``; at
most 1000 samples; a grid of nine pairs of rates; five repeats. All this was read about, in a note of the authors. They
keep the model with the least *test* loss, which makes losses too small, because the choice has seen the data they are
measured on; here the rates are chosen that way and by validation data of the same size, from the same trained networks.

Not found, and so ours: sigma, for which there are four; steps, momentum, batches (all samples) and starts; the sizes
of the test sets. The authors bisect for n*. Here every n of a fixed grid is run, for the reasons in
``theory.crossing``.

Arrays, for (learner, sigma, setting): ``test`` and ``validation`` (trial, n, rate), risks of every network that was
trained; by what rates were chosen, ``choice``, ``n_star`` of the mean test risk, its 95 % band ``low`` and ``high``,
``censored`` (+1 above, -1 at most, 0 neither), ``low_open`` and ``high_open`` as in ``theory.crossing.Crossing``, and
``each`` (trial, choice), the n* of single repeats, which are the ends of the grid where the crossing is beyond them.
For (sigma, setting): ``target``, ``oracle`` and ``linear_floor``. For (setting): ``k``, patches, ``d``, numbers of a
patch, and ``fixed``, what one of the two is. For (rate): ``rate_w`` of the weights and ``rate_b`` of the bias.

Reference:
    Lahoti, Karp, Winston, Singh, Li, Role of Locality and Weight Sharing in Image-Based Tasks: A Sample Complexity
    Separation between CNNs, LCNs, and FCNs, ICLR 2024 (arXiv 2403.15707): the settings.
"""

import dataclasses
import itertools

import jax
import numpy as np
import xarray as xr

from experiments.dsd_protocol import drawing, fitted
from experiments.record import Experiment, Point, among, positive, whole
from experiments.sample_complexity import NUMBERS, curve, trial_keys
from theory.crossing import at_rates, best_rates, crossing, meets
from theory.dsd_authors import CHOICES
from theory.dynamic_signal import Network, Steps, linear_floor, oracle_loss

__all__ = ["EXPERIMENT", "Config", "run"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of dsd_authors."""

    learners: tuple[str, ...] = ("cnn", "lcn")  # networks of theory.dynamic_signal; the authors' are cnn and lcn
    sigmas: tuple[float, ...] = (0.1, 0.15, 0.2, 0.3)  # standard deviations of a noise coordinate (theirs: not found)
    swept: tuple[int, ...] = (10, 15, 20, 25, 30)  # patches of an image, and then numbers of a patch
    fixed: int = 20  # the other of the two
    trials: int = 5  # repeats: independent signals, samples and starts
    tolerance: float = 0.03  # of the target above the oracle loss; squared error
    sizes: tuple[int, ...] = (2, 3, 4, 6, 9, 14, 22, 33, 51, 78, 120, 183, 280, 428, 654, 1000)  # n, at most 1000
    weight_rates: tuple[float, ...] = (1e-1, 1e-2, 1e-3)  # step sizes of the weights
    bias_rates: tuple[float, ...] = (1e-2, 1e-3, 1e-4)  # step sizes of the bias
    steps: int = 300  # of gradient descent with momentum 0.9
    held_out: int = 1000  # samples of the validation set, and of the test set

    def __post_init__(self) -> None:
        among(self, "learners", ("cnn", "lcn", "fcn"))
        whole(self, "swept", "fixed", "sizes", "steps", "held_out")
        whole(self, "trials", least=2)
        positive(self, "sigmas", "tolerance", "weight_rates", "bias_rates")
        if len(self.sizes) < 2 or list(self.sizes) != sorted(self.sizes):
            raise ValueError(f"sizes has to be two or more in rising order, got {self.sizes}")


def _settings(config: Config) -> dict[str, tuple[int, int]]:
    """Name -> k and d, each once."""
    pairs = [(k, config.fixed) for k in config.swept] + [(config.fixed, d) for d in config.swept]
    return {f"k = {k}, d = {d}": (k, d) for k, d in pairs}


def _pair(network: Network, x: jax.Array, weights: jax.Array, rates: jax.Array) -> Steps:
    """Both rates as they are."""
    return Steps(rates[0], rates[1])


def run(config: Config, key: jax.Array, point: Point) -> xr.Dataset:
    """The sample complexity of one network at one noise level and one pair of k and d.

    Args:
        config: settings.
        key: of the sigma and the setting, the same for every learner.
        point: ``learner``, ``sigma`` and ``setting``.
    """
    sigma, setting = point["sigma"], point["setting"]
    k, d = _settings(config)[setting]
    own, resampling = jax.random.split(key)
    draw = drawing(k, d, sigma, (config.held_out, config.held_out))
    learner = fitted(point["learner"], k, d, config.steps, _pair)._replace(draw=draw, rows=max(config.sizes))
    rates = np.array(list(itertools.product(config.weight_rates, config.bias_rates)), np.float32)
    found = curve(learner, trial_keys(own, config.trials), config.sizes, rates, select="test")
    oracle = oracle_loss(k, sigma)
    target = oracle + config.tolerance
    raw = {name: (("trial", "n", "rate"), getattr(found, name)) for name in CHOICES}
    losses = [at_rates(found.test, best_rates(getattr(found, by))) for by in CHOICES]
    ends = [crossing(resampling, config.sizes, one, target) for one in losses]
    each = np.stack([meets(config.sizes, one, target)[0] for one in losses], axis=1).astype(np.float32)
    cell = ("sigma", "setting")
    return xr.Dataset(
        raw
        | {name: (("choice",), [getattr(end, name) for end in ends]) for name in NUMBERS}
        | {"each": (("trial", "choice"), each)}
        | {"target": (cell, [[target]]), "oracle": (cell, [[oracle]])}
        | {"linear_floor": (cell, [[linear_floor(k, sigma)]])}
        | {"k": (("setting",), [k]), "d": (("setting",), [d]), "fixed": (("setting",), [config.fixed])}
        | {"rate_w": (("rate",), rates[:, 0]), "rate_b": (("rate",), rates[:, 1])},
        coords={
            "sigma": [sigma],
            "setting": [setting],
            "trial": np.arange(config.trials),
            "n": list(config.sizes),
            "rate": np.arange(len(rates)),
            "choice": list(CHOICES),
        },
    )


EXPERIMENT = Experiment(
    name="dsd_authors",
    statement="Do the authors' settings for one signal patch among noise give their ratios and their orders?",
    config=Config,
    presets={
        "smoke": Config(sigmas=(0.1,), swept=(4,), fixed=8, trials=3, sizes=(4, 16, 64), steps=60, held_out=300),
        "desk": Config(),
        "paper": Config(trials=20),
    },
    axes=lambda config: {"learner": config.learners, "sigma": config.sigmas, "setting": tuple(_settings(config))},
    run=run,
    claims=(
        "lcn_takes_ten_times_the_samples_of_cnn",
        "lcn_samples_grow_faster_than_patches",
        "cnn_samples_grow_no_faster_than_patches",
    ),
    cost={"smoke": 20, "desk": 350, "paper": 1400},
    version=1,
    precision="float32",
    tolerance=0.3,
    paired=("learner",),
)
