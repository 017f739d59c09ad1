"""How many samples do networks need to find one signal patch among noise: what both sweeps of it share.

Data and networks are those of ``theory.dynamic_signal``. The *target* of a learner is its own oracle loss, that of the
best network of its kind that knows the signal, plus ``tolerance``; n* is where the mean test loss over trials reaches
it (``experiments.sample_complexity``). CNN, LCN and FCN contain the same best network, ``sum_i phi_b(w* . x_i)``, and
have the same target; attention has a lower one, because its best risk is lower, and the CNN of stride 1, whose places
all add noise, a higher one (from which its own best is far: a kernel that is not the signal, but is less like its own
shifts, does better). All learners of a cell see the same samples. Risk is ``E (f(x) - y)^2``, sigma is the standard
deviation of each noise coordinate, and the signal has length 1.

Step sizes are those of ``theory.dynamic_signal.step_sizes``, times the best of ``multiples`` on validation data.
Attention, whose curvature has no bound on few samples, and overlap, which small steps leave in bad minima for some
signals, have multiples of their own to choose from. The authors' own grid of rates is that of
``experiments.dsd_authors``.

A sample size is tried only if ``n`` times the multiplications of one sample, ``WORK``, times the multiples stays within
``most_work``; the first two sizes always are. Beyond, n* is censored: all that is known is that it is above.

Reference:
    Lahoti, Karp, Winston, Singh, Li, Role of Locality and Weight Sharing in Image-Based Tasks: A Sample Complexity
    Separation between CNNs, LCNs, and FCNs, ICLR 2024 (arXiv 2403.15707): the question, and the target.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from experiments.record import among, positive, whole
from experiments.sample_complexity import Data, Learner, measure, stored, trained
from theory.dsd_separation import predict_samples, required_alignment
from theory.dynamic_signal import (
    ESTIMATORS,
    NETWORKS,
    Network,
    Steps,
    bayes_risk,
    draw_signal,
    linear_floor,
    oracle_loss,
    oracle_on_draws,
    step_sizes,
    train,
)

__all__ = ["WORK", "Protocol", "check_targets", "drawing", "fitted", "largest_size", "measured", "samples_needed"]

WORK: dict[str, Callable[[int, int], int]] = {
    "cnn": lambda k, d: k * d,
    "lcn": lambda k, d: k * d,
    "fcn": lambda k, d: k * k * d,
    "attention": lambda k, d: k * d,
    "overlap": lambda k, d: 200 * k * d * d,
}
"""Multiplications of a network on one image; overlap's are no product of matrices and take up to 200 times as long."""
N_STEPS = 28
"""Length of the axis ``step``: sizes that may be visited."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The settings that both sweeps share."""

    learners: tuple[str, ...] = ("cnn", "lcn", "attention", "overlap", "fcn")  # networks of theory.dynamic_signal
    sigmas: tuple[float, ...] = (0.1, 0.2, 0.3)  # standard deviations of a noise coordinate (the authors': not found)
    trials: int = 8  # independent signals, samples and starts
    tolerance: float = 0.03  # of the target above the oracle loss; squared error
    sizes: tuple[int, ...] = (4, 8)  # n to begin with; the grid grows by the ratio of the last two
    n_max: int = 64_000  # the largest n
    most_work: int = 260_000_000  # n times multiplications of an image and multiples, beyond which no n is tried
    multiples: tuple[float, ...] = (1.0,)  # of our step sizes, chosen by the validation loss
    attention_multiples: tuple[float, ...] = (1.0, 0.3, 0.1)  # the same for attention, which can diverge on few samples
    overlap_multiples: tuple[float, ...] = (1.0, 3.0, 10.0)  # the same for overlap, where small steps can get stuck
    steps: int = 300  # of gradient descent
    fcn_steps: int = 500  # the same for fcn
    validation: int = 250  # samples that rates are chosen by
    test: int = 2000  # samples that losses are measured on

    def __post_init__(self) -> None:
        among(self, "learners", tuple(WORK))
        whole(self, "trials", least=2)
        whole(self, "sizes", "n_max", "most_work", "steps", "fcn_steps", "validation", "test")
        positive(self, "multiples", "attention_multiples", "overlap_multiples")
        if not self.sigmas or len(set(self.sigmas)) < len(self.sigmas) or not all(0 <= s < 10 for s in self.sigmas):
            raise ValueError(f"sigmas has to be made of different numbers from 0 to 10, got {self.sigmas}")
        if len(self.sizes) < 2 or list(self.sizes) != sorted(self.sizes) or self.sizes[-1] > self.n_max:
            raise ValueError(
                f"sizes has to be two or more in rising order, up to n_max = {self.n_max}, got {self.sizes}"
            )


def check_targets(config: Protocol, patches: tuple[int, ...]) -> None:
    """Refuse a tolerance whose target nobody can reach.

    Args:
        config: settings.
        patches: every k of the sweep.

    Raises:
        ValueError: a target that is not above the oracle loss; it names both.
    """
    if not config.tolerance > 0:
        k, sigma = patches[0], config.sigmas[0]
        oracle = oracle_loss(k, sigma)
        raise ValueError(
            f"tolerance has to be above 0, got {config.tolerance:g}: the target {oracle + config.tolerance:g} is not "
            f"above the oracle loss {oracle:g} at k = {k}, sigma = {sigma:g}"
        )


def largest_size(config: Protocol, name: str, k: int, d: int) -> int:
    """The largest n that a learner is given.

    Args:
        config: settings.
        name: of the network.
        k: patches.
        d: numbers of a patch.

    Example:
        >>> [largest_size(Protocol(), name, 8, 16) for name in ("cnn", "fcn", "overlap")]
        [64000, 64000, 211]
    """
    work = WORK[name](k, d) * len(_multiples(config, name))
    return max(config.sizes[-1], min(config.n_max, config.most_work // work))


def _multiples(config: Protocol, name: str) -> tuple[float, ...]:
    own = {"attention": config.attention_multiples, "overlap": config.overlap_multiples}
    return own.get(name, config.multiples)


@functools.cache
def fitted(name: str, k: int, d: int, steps: int, rule: Callable[..., Steps]) -> Learner:
    """A network and its training, with data still to come; programs are shared by all sigmas.

    Args:
        name: of the network.
        k: patches.
        d: numbers of a patch.
        steps: of gradient descent.
        rule: ``rule(network, x, weights, rate) -> Steps``, a function of a module, what a rate stands for.
    """
    network = NETWORKS[name]

    def fit(params: Any, x: jax.Array, y: jax.Array, weights: jax.Array, rate: jax.Array) -> Any:
        return train(network, params, x, y, weights, steps, rule(network, x, weights, rate))

    return trained(
        name,
        lambda key, rows: None,
        0,
        lambda key: network.init(key, k, d, network.scale, jnp.float32),
        network.apply,
        fit,
        {
            "squared": lambda predictions, y: jnp.mean((predictions - y) ** 2),
            "mistakes": lambda predictions, y: jnp.mean((predictions * y <= 0).astype(y.dtype)),
        },
    )


def _multiple(network: Network, x: jax.Array, weights: jax.Array, rate: jax.Array) -> Steps:
    """Our step sizes, times the rate."""
    return Steps(*(rate * step for step in step_sizes(network, x, weights)))


@functools.cache
def _drawer(k: int, d: int, held_out: tuple[int, int]) -> Callable[[jax.Array, jax.Array, int], Data]:
    def draw(sigma: jax.Array, key: jax.Array, rows: int) -> Data:
        keys = tuple(jax.random.split(key, 4))
        w = jax.random.normal(keys[3], (d,), jnp.float32)
        w = w / jnp.linalg.norm(w)
        parts = (draw_signal(k_part, n, k, d, sigma, w) for k_part, n in zip(keys[:3], (rows, *held_out)))
        return Data(*((part.x, part.y) for part in parts))

    return draw


def drawing(k: int, d: int, sigma: float, held_out: tuple[int, int]) -> Callable[[jax.Array, int], Data]:
    """What draws the samples of a trial: to train, validate and test on, all with one signal; x and y each.

    Args:
        k: patches.
        d: numbers of a patch.
        sigma: standard deviation of a noise coordinate.
        held_out: samples to validate and to test on.
    """
    return jax.tree_util.Partial(_drawer(k, d, held_out), jnp.float32(sigma))


def measured(
    config: Protocol, key: jax.Array, name: str, sigma: float, k: int, d: int, axis: str
) -> dict[str, tuple[tuple[str, ...], Any]]:
    """n* of one learner, with all losses, and what theory says about the cell.

    Args:
        config: settings.
        key: the same for every learner.
        name: of the network.
        sigma: standard deviation of a noise coordinate.
        k: patches.
        d: numbers of a patch.
        axis: name of the axis of the sweep, ``k`` or ``d``, besides ``sigma``.

    Returns:
        Arrays with the names of their axes.
    """
    own, bayes, drawn = jax.random.split(key, 3)
    contained = name in ("cnn", "lcn", "fcn")
    oracle = oracle_loss(k, sigma) if contained else oracle_on_draws(drawn, NETWORKS[name], k, d, sigma)[0]
    target = oracle + config.tolerance
    largest, held_out = largest_size(config, name, k, d), (config.validation, config.test)
    steps = config.fcn_steps if name == "fcn" else config.steps
    learner = fitted(name, k, d, steps, _multiple)
    learner = learner._replace(draw=drawing(k, d, sigma, held_out), rows=largest, oracle=oracle)
    found = measure(
        learner,
        own,
        config.sizes,
        np.asarray(_multiples(config, name), np.float32),
        target,
        trials=config.trials,
    )
    mistakes = found.curve.others["mistakes"]
    spare = N_STEPS - mistakes.shape[1]
    cell = ("sigma", axis)
    alignment = required_alignment(k, sigma, oracle_loss(k, sigma) + config.tolerance)
    predicted = [predict_samples(estimator, k, d, sigma, alignment) for estimator in ESTIMATORS]
    theory = {
        "linear_floor": linear_floor(k, sigma),
        "bayes_risk": bayes_risk(bayes, k, sigma)[0],
        "alignment": alignment,
    }
    return (
        stored(found, N_STEPS)
        | {"mistakes": (("trial", "step"), np.pad(mistakes, ((0, 0), (0, spare))))}
        | {"largest": ((), np.asarray(largest)), "target": ((), np.asarray(target)), "oracle": ((), np.asarray(oracle))}
        | {quantity: (cell, [[value]]) for quantity, value in theory.items()}
        | {"predicted": (("estimator", *cell), np.reshape(predicted, (-1, 1, 1)))}
    )


def samples_needed(config: Protocol, key: jax.Array, name: str, sigma: float, k: int, d: int, axis: str) -> xr.Dataset:
    """``measured`` as a dataset; its arguments.

    Args:
        config: settings.
        key: the same for every learner.
        name: of the network.
        sigma: standard deviation of a noise coordinate.
        k: patches.
        d: numbers of a patch.
        axis: name of the axis of the sweep, ``k`` or ``d``, besides ``sigma``.
    """
    coords = {
        "sigma": [sigma],
        axis: [k if axis == "k" else d],
        "trial": np.arange(config.trials),
        "step": np.arange(N_STEPS),
        "estimator": list(ESTIMATORS),
    }
    return xr.Dataset(measured(config, key, name, sigma, k, d, axis), coords=coords)
