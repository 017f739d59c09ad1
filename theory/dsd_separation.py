r"""How many samples find one signal patch among noise: CNN, LCN and FCN, in theory and from stored runs.

Setting. ``theory.dynamic_signal`` has the distribution and the networks; the experiments ``dsd_patches`` and
``dsd_dimension`` measure n*, the samples at which the mean risk is the oracle's plus a tolerance.

What theory says. With the noise level kept, and up to logarithms (recalled and read about),

========  ====================  =======================
network   at least              at most
========  ====================  =======================
cnn                             ``sigma^2 (k + d)``
lcn       ``sigma^2 k d``       ``sigma^2 k (k + d)``
fcn       ``sigma^2 k^2 d``
========  ====================  =======================

Constants are derived here. A weight whose squared cosine with the signal is c sees the signal with c of its strength
and the noise unchanged, so that the best network with such weights has the risk ``oracle_loss(k, sigma / sqrt(c))``.
Solved for c, a target becomes an alignment (``required_alignment``), and the closed forms ``cos^2 = 1 / (1 + sigma^2
s(k, d) / n)`` of ``predict_alignment`` become sample sizes, ``n = sigma^2 s(k, d) c / (1 - c)`` (``predict_samples``).
That of an LCN which is told the patch, s = k d, is a floor: of a patch it has n / k samples with noise, and a learner
that does not mind rotations of it can do no better than their mean.

Where the *linear floor* ``k sigma^2 / (1 + k sigma^2)`` lies below the target a linear network reaches it, and slopes
over such points mix two regimes. Claims that compare networks are judged where the floor is above the target.

Known: the orders are recalled; the sigma of the paper's experiments was **not found**; alignments, constants and the
comparison are ours.
"""

import functools
import json
from collections.abc import Callable

import jax
import numpy as np
import scipy.optimize
import xarray as xr

from theory.claim import Claim, Evidence, TooSmall, key_of
from theory.crossing import Crossing, Estimate, crossing, ratio_evidence, slope
from theory.dynamic_signal import ESTIMATORS, oracle_loss
from theory.dynamic_signal_claims import source

__all__ = [
    "CLAIMS",
    "ORDERS",
    "crossings",
    "exponents",
    "predict_exponents",
    "predict_samples",
    "required_alignment",
    "sweep_axis",
]


def required_alignment(k: int, sigma: float, target: float) -> float:
    """The squared cosine c with the signal at which the best shared weight has a given risk.

    ``oracle_loss(k, sigma / sqrt(c)) = target``

    Args:
        k: patches.
        sigma: standard deviation of each noise coordinate.
        target: risk, above the oracle loss.

    Returns:
        c; 0 if every alignment will do, without noise.

    Raises:
        ValueError: a target that is not above the oracle loss, or not below 1, the risk of answering 0.

    Example:
        >>> round(required_alignment(8, 0.2, oracle_loss(8, 0.2) + 0.03), 2)
        0.81
    """
    oracle = oracle_loss(k, sigma)
    if not oracle < target < 1:
        raise ValueError(
            f"a target has to be above {oracle:g}, the oracle loss at k = {k}, sigma = {sigma:g}, and below 1, got "
            f"{target:g}"
        )
    if sigma == 0:
        return 0.0
    return float(scipy.optimize.brentq(lambda c: oracle_loss(k, sigma / np.sqrt(c)) - target, 1e-9, 1.0, xtol=1e-9))


def predict_samples(estimator: str, k: int, d: int, sigma: float, alignment: float) -> float:
    """The samples at which an estimate of the signal has a given squared cosine with it.

    ``n = sigma^2 s(k, d) c / (1 - c)``

    Args:
        estimator: a key of ``theory.dynamic_signal.ESTIMATORS``.
        k: patches.
        d: numbers of a patch.
        sigma: standard deviation of each noise coordinate.
        alignment: c, at least 0 and below 1.

    Example:
        >>> predict_samples("lcn, patch known", k=8, d=16, sigma=0.25, alignment=0.5)
        8.0
    """
    return sigma**2 * ESTIMATORS[estimator](k, d) * alignment / (1 - alignment)


# --- claims on stored runs --------------------------------------------------------------------------------------------

ORDERS: dict[str, tuple[Callable[..., np.ndarray], Callable[..., np.ndarray] | None]] = {
    "cnn": (lambda k, d: d, lambda k, d: (k + d) * np.log(k * d)),
    "lcn": (lambda k, d: k * d, lambda k, d: k * (k + d) * np.log(k * d)),
    "fcn": (lambda k, d: k**2 * d, None),
}
"""Lower and upper bound of n* over sigma^2, as functions of k and d, up to constants; None if there is none."""
_TRIALS = 8
_POINTS = 3
"""Of a slope, at least."""
_VAGUE = 0.5
Cell = tuple[float, int]
"""sigma, and k or d."""


def sweep_axis(dataset: xr.Dataset) -> str:
    """``k`` for results of dsd_patches, ``d`` for those of dsd_dimension."""
    return "k" if "k" in dataset.dims else "d"


@functools.cache
def _resampling(point: int) -> jax.Array:
    return jax.random.fold_in(key_of("dsd_separation"), np.uint32(point))


def crossings(dataset: xr.Dataset, learner: str, sigma: float) -> dict[int, Crossing]:
    """n* of one learner at every k or d, made again from the stored losses, with its replicates.

    At one k or d all learners have the same trials drawn, since they saw the same samples.

    Args:
        dataset: results of dsd_patches or dsd_dimension.
        learner: name of the network.
        sigma: standard deviation of a noise coordinate.

    Raises:
        ValueError: the results do not have the learner.
    """
    if learner not in dataset["learner"].values:
        raise ValueError(f"the results have no learner {learner}; run it too")
    axis, found = sweep_axis(dataset), {}
    for x in sorted(dataset[axis].values.tolist()):
        cell = dataset.sel({"learner": learner, "sigma": sigma, axis: x})
        used = cell["sizes"].values > 0
        losses = cell["losses"].transpose("trial", "step").values[:, used]
        found[x] = crossing(_resampling(x), cell["sizes"].values[used], losses, float(cell["target"]))
    return found


_CONTAINED = ("cnn", "lcn", "fcn")
"""Networks that contain the best thresholded one, and have its target."""


def _thresholded(dataset: xr.Dataset) -> list[Cell]:
    """Cells where a linear network cannot reach the target of CNN, LCN and FCN."""
    axis = sweep_axis(dataset)
    present = [name for name in dataset["learner"].values if name in _CONTAINED]
    above = (dataset["linear_floor"] > dataset["target"].sel(learner=present)).all("learner").transpose("sigma", axis)
    rows = sorted(above["sigma"].values.tolist()), sorted(above[axis].values.tolist())
    return [(sigma, x) for sigma in rows[0] for x in rows[1] if bool(above.sel({"sigma": sigma, axis: x}))]


def _of(dataset: xr.Dataset, learner: str, cells: list[Cell]) -> list[Crossing]:
    """n* at the cells."""
    by_sigma = {sigma: crossings(dataset, learner, sigma) for sigma in {sigma for sigma, _ in cells}}
    return [by_sigma[sigma][x] for sigma, x in cells]


def _enough(dataset: xr.Dataset, learners: tuple[str, ...], cells: list[Cell]) -> list[Cell]:
    """The cells themselves.

    Raises:
        TooSmall: no cell, too few trials, or a learner that was not run.
    """
    missing = [learner for learner in learners if learner not in dataset["learner"].values]
    if missing or dataset.sizes["trial"] < _TRIALS or not cells:
        raise TooSmall(
            f"it takes the learners {', '.join(learners)}, {_TRIALS} trials, and points whose linear floor is above "
            f"the target, got {', '.join(dataset['learner'].values)} and {dataset.sizes['trial']} trials; run the "
            "preset desk"
        )
    return cells


def _decided(dataset: xr.Dataset, pair: tuple[str, str]) -> list[Cell]:
    """Cells where the quotient of two n* is known, or bounded from above by what is stored.

    Raises:
        TooSmall: a cell where the first learner's n* is above its sizes, or the second's at most the first of them.
    """
    cells = _enough(dataset, pair, _thresholded(dataset))
    first, second = (_of(dataset, learner, cells) for learner in pair)
    unknown = [cell for cell, a, b in zip(cells, first, second) if a.censored > 0 or b.censored < 0]
    if unknown:
        axis = sweep_axis(dataset)
        raise TooSmall(
            f"the sizes do not hold n* of {pair[0]}, or begin above that of {pair[1]}, at "
            f"{', '.join(_told(axis, cell) for cell in unknown)}; give larger n_max, or smaller sizes"
        )
    return cells


def _told(axis: str, cell: Cell) -> str:
    return f"sigma = {cell[0]:g}, {axis} = {cell[1]}"


def _quotient(dataset: xr.Dataset, pair: tuple[str, str], cells: list[Cell]) -> Evidence:
    """n* of the first learner over that of the second; with ends of the sizes in the place of a censored one."""
    axis = sweep_axis(dataset)
    points = [_told(axis, cell) for cell in cells]
    return ratio_evidence("noise and size", points, *(_of(dataset, learner, cells) for learner in pair))


def _line_over(dataset: xr.Dataset, learner: str, cells: list[Cell]) -> Evidence:
    """The patch-known line over n*; a lower bound of n* gives an upper one."""
    axis, found = sweep_axis(dataset), _of(dataset, learner, cells)
    predicted = dataset["predicted"].sel(estimator="lcn, patch known")
    line = [float(predicted.sel({"sigma": sigma, axis: x})) for sigma, x in cells]
    values = [n / a.n_star for n, a in zip(line, found)]
    error = [np.std(n / a.replicates, ddof=1) for n, a in zip(line, found)]
    points = [_told(axis, cell) for cell in cells]
    return Evidence("noise and size", points, values, standard_error=error, trials=dataset.sizes["trial"])


def _above_line(dataset: xr.Dataset) -> list[Cell]:
    """Cells whose n* of an LCN is known, or bounded from below."""
    axis = sweep_axis(dataset)
    cells = [(s, x) for s in sorted(dataset["sigma"].values.tolist()) for x in sorted(dataset[axis].values.tolist())]
    cells = _enough(dataset, ("lcn",), cells)
    kept = [c for c, a in zip(cells, _of(dataset, "lcn", cells)) if a.censored >= 0 and np.ptp(a.replicates) > 0]
    return _enough(dataset, ("lcn",), kept)


def _points(dataset: xr.Dataset, learner: str, sigma: float) -> list[int]:
    """The k or d of which exponents are made: above the linear floor, and not censored."""
    found = crossings(dataset, learner, sigma)
    return [x for s, x in _thresholded(dataset) if s == sigma and not found[x].censored]


def exponents(dataset: xr.Dataset, learner: str) -> dict[float, Estimate]:
    """The exponent of n* against k or d for each sigma where it can be told.

    Only points whose linear floor is above the target count, and a sigma has to have three of them that are not
    censored, of two trials or more.

    Args:
        dataset: results of dsd_patches or dsd_dimension.
        learner: name of the network.
    """
    found = {}
    for sigma in sorted(dataset["sigma"].values.tolist()) if dataset.sizes["trial"] > 1 else ():
        x = _points(dataset, learner, sigma)
        if len(x) >= _POINTS:
            at = crossings(dataset, learner, sigma)
            found[sigma] = slope(x, [at[value] for value in x])
    return found


def predict_exponents(dataset: xr.Dataset, learner: str, sigma: float) -> tuple[float, float]:
    """The exponents of the two bounds of the paper at the points of ``exponents``, the smaller first.

    Bounds are multiplied by what the target asks for, ``c / (1 - c)`` with the ``required_alignment`` c, which changes
    with k. Infinite where there is no upper bound.

    Args:
        dataset: results of dsd_patches or dsd_dimension.
        learner: cnn, lcn or fcn.
        sigma: standard deviation of a noise coordinate.
    """
    axis, x = sweep_axis(dataset), np.array(_points(dataset, learner, sigma))
    config = json.loads(dataset.attrs["config"])
    k, d = (x, config["dimension"]) if axis == "k" else (config["patches"], x)
    c = dataset["alignment"].sel({"sigma": sigma, axis: x}).values
    ends = [
        float(np.polyfit(np.log(x), np.log(bound(k, d) * c / (1 - c) * np.ones(len(x))), 1)[0]) if bound else np.inf
        for bound in ORDERS[learner]
    ]
    return min(ends), max(ends)


def _differences(dataset: xr.Dataset, pair: tuple[str, str]) -> dict[float, tuple[float, float]]:
    """Exponent of the first learner minus that of the second and its standard error, at the points that both have.

    A standard error above ``_VAGUE`` tells nothing and its sigma is left out.

    Raises:
        TooSmall: no sigma has enough of them.
    """
    _enough(dataset, pair, _thresholded(dataset))
    found = {}
    for sigma in sorted(dataset["sigma"].values.tolist()):
        first, second = (crossings(dataset, learner, sigma) for learner in pair)
        x = [x for x in _points(dataset, pair[0], sigma) if not second[x].censored]
        if len(x) >= _POINTS:
            a, b = (slope(x, [at[value] for value in x]) for at in (first, second))
            error = float(np.std(a.replicates - b.replicates, ddof=1))
            if error <= _VAGUE:
                found[sigma] = a.value - b.value, error
    if not found:
        raise TooSmall(
            f"no sigma has {_POINTS} points or more whose linear floor is above the target and whose n* of "
            f"{' and '.join(pair)} are all inside their sizes and agree on the exponent; give larger n_max, or trials"
        )
    return found


def _exponent_below(dataset: xr.Dataset, pair: tuple[str, str], sigmas: list[float]) -> Evidence:
    values, error = zip(*(_differences(dataset, pair)[sigma] for sigma in sigmas))
    return Evidence("sigma", sigmas, values, standard_error=error, trials=dataset.sizes["trial"])


def _steeper(name: str, statement: str, networks: tuple[str, str, str], dropped: str) -> Claim:
    """The second network's exponent in k is above the first's; the third is the second with the assumption dropped."""
    pair, other = networks[:2], networks[::2]
    first, second = (learner.upper() for learner in pair)

    def sigmas(dataset: xr.Dataset) -> list[float]:
        return [sigma for sigma in _differences(dataset, pair) if sigma in _differences(dataset, other)]

    return Claim(
        name=name,
        statement=statement,
        formula=f"d log n*({first}) / d log k - d log n*({second}) / d log k <= 0",
        source=source(theorem="orders k + d, k d at least, k^2 d at least", known="recalled"),
        kind="bound",
        predict=lambda dataset: np.zeros(len(sigmas(dataset))),
        measure=lambda dataset: _exponent_below(dataset, pair, sigmas(dataset)),
        violate=lambda dataset: _exponent_below(dataset, other, sigmas(dataset)),
        dropped=dropped,
        experiment="dsd_patches",
    )


def _separated(
    name: str, experiment: str, statement: str, theorem: str, networks: tuple[str, ...], dropped: str
) -> Claim:
    """The first network below the second; the third is what the second becomes if the assumption is dropped."""
    pair, other = networks[:2], networks[::2]
    first, second = (learner.upper() for learner in pair)
    return Claim(
        name=name,
        statement=statement,
        formula=f"n*({first}) / n*({second}) <= 1 wherever k sigma^2 / (1 + k sigma^2) > target; a bound of "
        f"n*({second}) where its samples did not do",
        source=source(theorem=theorem, known="recalled"),
        kind="bound",
        predict=lambda dataset: np.ones(len(_decided(dataset, pair))),
        measure=lambda dataset: _quotient(dataset, pair, _decided(dataset, pair)),
        violate=lambda dataset: _quotient(dataset, other, _decided(dataset, pair)),
        dropped=dropped,
        experiment=experiment,
    )


_SHARED = {
    "theorem": "CNN needs of the order of k + d samples, LCN of k d at least",
    "networks": ("cnn", "lcn", "attention"),
    "dropped": "the other network has weights of its own for each patch (attention shares one)",
}
_LOCAL = {
    "theorem": "FCN needs of the order of k^2 d samples, LCN at most k (k + d)",
    "networks": ("lcn", "fcn", "cnn"),
    "dropped": "the units of the other network see the whole image (those of a CNN see a patch)",
}


CLAIMS = (
    _separated(
        "cnn_takes_fewer_samples_than_lcn_with_more_patches",
        "dsd_patches",
        "A CNN finds the signal from fewer samples than an LCN at every number of patches and noise level where a "
        "linear network cannot reach the target.",
        **_SHARED,
    ),
    _separated(
        "cnn_takes_fewer_samples_than_lcn_with_longer_patches",
        "dsd_dimension",
        "A CNN finds the signal from fewer samples than an LCN at every length of a patch and noise level where a "
        "linear network cannot reach the target.",
        **_SHARED,
    ),
    _separated(
        "lcn_takes_fewer_samples_than_fcn_with_more_patches",
        "dsd_patches",
        "An LCN finds the signal from fewer samples than an FCN at every number of patches and noise level where a "
        "linear network cannot reach the target.",
        **_LOCAL,
    ),
    _separated(
        "lcn_takes_fewer_samples_than_fcn_with_longer_patches",
        "dsd_dimension",
        "An LCN finds the signal from fewer samples than an FCN at every length of a patch and noise level where a "
        "linear network cannot reach the target.",
        **_LOCAL,
    ),
    Claim(
        name="lcn_stays_above_the_patch_known_line",
        statement="No LCN reaches the target with fewer samples than signed means take that are told the patch.",
        formula="sigma^2 k d c / (1 - c) / n*(LCN) <= 1 with oracle_loss(k, sigma / sqrt(c)) = target",
        source=source(theorem="LCN needs of the order of sigma^2 k d samples; the constant is ours", known="derived"),
        kind="bound",
        predict=lambda dataset: np.ones(len(_above_line(dataset))),
        measure=lambda dataset: _line_over(dataset, "lcn", _above_line(dataset)),
        violate=lambda dataset: _line_over(dataset, "cnn", _above_line(dataset)),
        dropped="the network has weights of its own for each patch (a CNN shares one)",
        experiment="dsd_patches",
    ),
    _steeper(
        "more_patches_cost_an_lcn_more_than_a_cnn",
        "The sample size of an LCN grows with a larger power of the number of patches than that of a CNN.",
        ("cnn", "lcn", "attention"),
        "the other network has weights of its own for each patch (attention shares one)",
    ),
    _steeper(
        "more_patches_cost_an_fcn_more_than_an_lcn",
        "The sample size of an FCN grows with a larger power of the number of patches than that of an LCN.",
        ("lcn", "fcn", "cnn"),
        "the units of the other network see the whole image (those of a CNN see a patch)",
    ),
)
