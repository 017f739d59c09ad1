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

import jax
import numpy as np
import scipy.optimize
import xarray as xr

from theory.claim import Claim, Evidence, Source, TooSmall, key_of
from theory.crossing import Crossing, crossing, slope
from theory.dynamic_signal import ESTIMATORS, oracle_loss

__all__ = ["CLAIMS", "crossings", "predict_samples", "required_alignment", "sweep_axis"]

_SOURCE = functools.partial(
    Source,
    author="A. Lahoti, S. Karp, E. Winston, A. Singh, Y. Li",
    title="Role of Locality and Weight Sharing in Image-Based Tasks: A Sample Complexity Separation between CNNs, "
    "LCNs, and FCNs",
    venue="ICLR 2024",
    arxiv="2403.15707",
)


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

_TRIALS = 8
_POINTS = 3
"""Of a slope, at least."""
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


def _outlasted(dataset: xr.Dataset, pair: tuple[str, str]) -> list[Cell]:
    """Cells of known n* of the first learner where the second was given more samples than that.

    Raises:
        TooSmall: there are none.
    """
    axis = sweep_axis(dataset)
    cells = _enough(dataset, pair, _thresholded(dataset))
    largest = [float(dataset["largest"].sel({"learner": pair[1], "sigma": s, axis: x})) for s, x in cells]
    kept = [c for c, a, most in zip(cells, _of(dataset, pair[0], cells), largest) if not a.censored and a.high < most]
    return _enough(dataset, pair, kept)


def _told(axis: str, cell: Cell) -> str:
    return f"sigma = {cell[0]:g}, {axis} = {cell[1]}"


def _quotient(dataset: xr.Dataset, pair: tuple[str, str], cells: list[Cell]) -> Evidence:
    """n* of the first learner over that of the second; with ends of the sizes in the place of a censored one."""
    first, second = (_of(dataset, learner, cells) for learner in pair)
    values = [a.n_star / b.n_star for a, b in zip(first, second)]
    error = [np.std(a.replicates / b.replicates, ddof=1) for a, b in zip(first, second)]
    axis = sweep_axis(dataset)
    points = [_told(axis, cell) for cell in cells]
    return Evidence("noise and size", points, values, standard_error=error, trials=dataset.sizes["trial"])


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


def _slopes(dataset: xr.Dataset, learner: str) -> dict[float, tuple[float, float]]:
    """Exponent of n* and its standard error for each sigma where it can be told.

    Only points whose linear floor is above the target count, and a sigma with a censored one of them has no slope.
    """
    found = {}
    thresholded = _thresholded(dataset)
    for sigma in sorted({sigma for sigma, _ in thresholded}):
        x = [x for s, x in thresholded if s == sigma]
        points = _of(dataset, learner, [(sigma, value) for value in x])
        if len(x) >= _POINTS and not any(point.censored for point in points):
            line = slope(x, points)
            found[sigma] = line.value, float(np.std(line.replicates, ddof=1))
    return found


def _told_slopes(dataset: xr.Dataset) -> int:
    """How many sigmas have a slope of LCN and of CNN.

    Raises:
        TooSmall: none.
    """
    _enough(dataset, ("cnn", "lcn"), _thresholded(dataset))
    sigmas = [s for s in _slopes(dataset, "lcn") if s in _slopes(dataset, "cnn")]
    if not sigmas:
        raise TooSmall(
            f"no sigma has {_POINTS} points or more whose linear floor is above the target and whose n* of cnn and "
            "lcn are all inside their sizes; give larger n_max"
        )
    return len(sigmas)


def _slope_below(dataset: xr.Dataset, pair: tuple[str, str]) -> Evidence:
    """Exponent of the first learner minus that of the second."""
    first, second = (_slopes(dataset, learner) for learner in pair)
    sigmas = [s for s in first if s in second]
    values = [first[s][0] - second[s][0] for s in sigmas]
    error = [np.hypot(first[s][1], second[s][1]) for s in sigmas]
    return Evidence("sigma", sigmas, values, standard_error=error, trials=dataset.sizes["trial"])


def _separated(name: str, experiment: str, statement: str) -> Claim:
    """CNN below LCN; both sweeps have one."""
    pair, shared = ("cnn", "lcn"), ("cnn", "attention")
    return Claim(
        name=name,
        statement=statement,
        formula="n*(CNN) / n*(LCN) <= 1 wherever k sigma^2 / (1 + k sigma^2) > target",
        source=_SOURCE(theorem="CNN needs of the order of k + d samples, LCN of k d at least", known="recalled"),
        kind="bound",
        predict=lambda dataset: np.ones(len(_decided(dataset, pair))),
        measure=lambda dataset: _quotient(dataset, pair, _decided(dataset, pair)),
        violate=lambda dataset: _quotient(dataset, shared, _decided(dataset, pair)),
        dropped="the other network has weights of its own for each patch (attention shares one)",
        experiment=experiment,
    )


_OUTLASTED = ("lcn", "fcn")

CLAIMS = (
    _separated(
        "cnn_takes_fewer_samples_than_lcn_with_more_patches",
        "dsd_patches",
        "A CNN finds the signal from fewer samples than an LCN at every number of patches and noise level where a "
        "linear network cannot reach the target.",
    ),
    _separated(
        "cnn_takes_fewer_samples_than_lcn_with_longer_patches",
        "dsd_dimension",
        "A CNN finds the signal from fewer samples than an LCN at every length of a patch and noise level where a "
        "linear network cannot reach the target.",
    ),
    Claim(
        name="lcn_takes_fewer_samples_than_fcn",
        statement="An LCN finds the signal from fewer samples than an FCN wherever the FCN was given more than the LCN "
        "needs and a linear network cannot reach the target.",
        formula="n*(LCN) / n*(FCN) <= 1; n*(FCN) is a lower bound where the samples did not do",
        source=_SOURCE(theorem="FCN needs of the order of k^2 d samples, LCN at most k (k + d)", known="recalled"),
        kind="bound",
        predict=lambda dataset: np.ones(len(_outlasted(dataset, _OUTLASTED))),
        measure=lambda dataset: _quotient(dataset, _OUTLASTED, _outlasted(dataset, _OUTLASTED)),
        violate=lambda dataset: _quotient(dataset, ("lcn", "cnn"), _outlasted(dataset, _OUTLASTED)),
        dropped="the units of the other network see the whole image (those of a CNN see a patch)",
        experiment="dsd_patches",
    ),
    Claim(
        name="lcn_stays_above_the_patch_known_line",
        statement="No LCN reaches the target with fewer samples than signed means take that are told the patch.",
        formula="sigma^2 k d c / (1 - c) / n*(LCN) <= 1 with oracle_loss(k, sigma / sqrt(c)) = target",
        source=_SOURCE(theorem="LCN needs of the order of sigma^2 k d samples; the constant is ours", known="derived"),
        kind="bound",
        predict=lambda dataset: np.ones(len(_above_line(dataset))),
        measure=lambda dataset: _line_over(dataset, "lcn", _above_line(dataset)),
        violate=lambda dataset: _line_over(dataset, "cnn", _above_line(dataset)),
        dropped="the network has weights of its own for each patch (a CNN shares one)",
        experiment="dsd_patches",
    ),
    Claim(
        name="more_patches_cost_an_lcn_more_than_a_cnn",
        statement="The sample size of an LCN grows with a larger power of the number of patches than that of a CNN.",
        formula="d log n*(CNN) / d log k - d log n*(LCN) / d log k <= 0",
        source=_SOURCE(theorem="orders k + d against k d at least", known="recalled"),
        kind="bound",
        predict=lambda dataset: np.zeros(_told_slopes(dataset)),
        measure=lambda dataset: _slope_below(dataset, ("cnn", "lcn")),
        violate=lambda dataset: _slope_below(dataset, ("lcn", "cnn")),
        dropped="the first of the two shares its weights (they change places)",
        experiment="dsd_patches",
    ),
)
