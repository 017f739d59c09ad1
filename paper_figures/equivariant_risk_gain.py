"""What symmetry is worth in samples: five tasks, their learning curves and gains on one page, with formulas.

Reads ``losses`` and ``sizes``, ``n_star``, ``low``, ``high``, ``censored`` and ``predicted`` of every cell of
``equivariant_risk_gain``; dashed curves are ``theory.risk_gain`` with the settings of the run. A task that was not run
leaves its panels empty.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from experiments import store
from experiments.equivariant_risk_gain import EXPERIMENT, Config, predicted
from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

LEARNERS = {
    "plain": ("without the symmetry", style.COLOURS["plain"], "s"),
    "averaged": ("its output averaged", style.COLOURS["averaged"], "D"),
    "partial": ("with a part of it", style.COLOURS["partial"], "^"),
    "invariant": ("with the symmetry", style.COLOURS["equivariant"], "o"),
}
"""Learner of the experiment -> its name in the picture, colour and marker."""
_ORDERS = {1: LEARNERS["plain"][1:], 2: LEARNERS["partial"][1:], 4: ("#56b4e9", "D"), 8: LEARNERS["invariant"][1:]}
"""Shifts that are known on the circle -> colour and marker."""
_DEGREES = "osD^v"
_PAIRS = {
    "linear": ("plain", "invariant", "o"),
    "halves": ("plain", "partial", "^"),
    "shifts": ("plain", "invariant", "s"),
    "degrees": ("plain", "invariant", "D"),
    "circle": ("invariant", "invariant", "v"),
}
"""Task -> the two learners whose n* are divided, and a marker."""
_BROKEN = "_broken"


class _Cells:
    """The cells of the results, by task, learner and size."""

    def __init__(self, data: xr.Dataset) -> None:
        self.data = data
        self.config: Config = store.configuration(EXPERIMENT, data.attrs)
        names = (name.split() for name in data["cell"].values.tolist())
        self.all = [(task, learner, int(x)) for task, learner, x in names]

    def __call__(self, task: str, learner: str, x: int) -> xr.Dataset:
        return self.data.sel(cell=f"{task} {learner} {x}")

    def learners(self, task: str) -> list[str]:
        return [name for name in LEARNERS if any(cell[:2] == (task, name) for cell in self.all)]

    def sizes(self, task: str, *learners: str) -> list[int]:
        """Those that all of the learners have."""
        each = [{x for t, name, x in self.all if (t, name) == (task, learner)} for learner in learners]
        return sorted(set.intersection(*each)) if each else []

    def losses(self, task: str, learner: str, x: int) -> tuple[np.ndarray, np.ndarray]:
        """Sizes (m,), and losses (m, trial)."""
        one = self(task, learner, x)
        used = one["sizes"].values > 0
        return one["sizes"].values[used], one["losses"].transpose("step", "trial").values[used]


def _one(n: np.ndarray) -> np.ndarray:
    return n


def _curve(
    ax: Axes, cells: _Cells, cell: tuple[str, str, int], colour: str, marker: str, axis: Callable = _one
) -> None:
    """Mean losses of a cell against ``axis(n)``, and the formula."""
    n, losses = cells.losses(*cell)
    mean, low, high = style.mean_interval(losses)
    style.measured(ax, axis(n), mean, low, high, colour, marker=marker, markersize=2.8, linewidth=1)
    if cells(*cell)["predicted"] > 0:
        fine = np.geomspace(n[0], n[-1], 300)
        style.theory(ax, axis(fine), predicted(cells.config, *cell, fine))


def _linear(ax: Axes, cells: _Cells, d: int) -> None:
    """As ``_curve``, with medians where the mean is infinite."""
    lowest, highest = [], []
    for learner in cells.learners("linear"):
        _, colour, marker = LEARNERS[learner]
        p = cells.config.invariants if learner == "invariant" else d
        n, losses = cells.losses("linear", learner, d)
        mean, low, high = style.mean_interval(losses)
        how = {"marker": marker, "markersize": 2.8, "linewidth": 1}
        for side in (n < p - 1, n > p + 1):
            style.measured(ax, n[side], mean[side], low[side], high[side], colour, **how)
        at = abs(n - p) <= 1
        ax.plot(n[at], np.median(losses[at], axis=1), marker, color=colour, markersize=3, markerfacecolor="white")
        for first, last in ((n[0], p - 1.02), (p + 1.02, n[-1])):
            fine = np.geomspace(first, max(first, last), 200)
            style.theory(ax, fine, predicted(cells.config, "linear", learner, d, fine))
        lowest.append(mean.min())
        highest.append(np.median(losses[at], axis=1).max(initial=1))
    ax.set_ylim(min(lowest) / 1.5, 3 * max(highest))


def _n_star(ax: Axes, cells: _Cells) -> None:
    for learner in cells.learners("halves"):
        _, colour, marker = LEARNERS[learner]
        x = cells.sizes("halves", learner)
        found = [cells("halves", learner, d) for d in x]
        n, low, high, formula = (np.array([float(one[f]) for one in found]) for f in _FIELDS)
        style.measured(ax, x, n, low, high, colour, marker=marker, markersize=2.8, linewidth=1)
        style.theory(ax, x, np.where(formula > 0, formula, np.exp(np.mean(np.log(n)))))


_FIELDS = ("n_star", "low", "high", "predicted")


def _gains(ax: Axes, cells: _Cells) -> None:
    ends = []
    for task, (first, second, marker) in _PAIRS.items():
        for x in cells.sizes(task, first, second):
            above = cells(task, first, 1 if task == "circle" else x)
            below = cells(task, second, x)
            n, low, high, formula = ((float(above[f]), float(below[f])) for f in _FIELDS)
            if above is below or below["censored"] or above["censored"] or (task == "circle" and x == 1):
                continue
            predicted_gain, gain = formula[0] / formula[1], n[0] / n[1]
            colour = LEARNERS[second][1]
            ax.plot([predicted_gain] * 2, [low[0] / high[1], high[0] / low[1]], color=colour, linewidth=0.8)
            ax.plot([predicted_gain], [gain], marker, color=colour, markersize=3.2, markeredgewidth=0)
            ends += [predicted_gain, gain]
    if ends:
        line = np.array([min(ends) / 1.2, max(ends) * 1.2])
        style.theory(ax, line, line)


def _agreement(ax: Axes, cells: _Cells) -> None:
    for task, learner, x in cells.all:
        one = cells(task, learner, x)
        n, low, high, formula = (float(one[f]) for f in _FIELDS)
        if formula > 0 and not one["censored"]:
            colour, marker = LEARNERS[learner][1], _PAIRS[task.removesuffix(_BROKEN)][2]
            face = "white" if task.endswith(_BROKEN) else colour
            ax.plot([n, n], [low / formula, high / formula], color=colour, linewidth=0.8)
            ax.plot([n], [n / formula], marker, color=colour, markersize=3.2, markeredgewidth=0.6, markerfacecolor=face)
    ax.axhline(1, color=style.INK, linestyle=(0, (4, 2)), linewidth=0.9)


def _legend(ax: Axes, labels: dict[str, tuple[str, str]], **where: str) -> None:
    """Names of colours and markers inside of a panel."""
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", markersize=3, markeredgewidth=0, label=label)
        for label, (colour, marker) in labels.items()
    ]
    ax.legend(handles=handles, fontsize=7, handletextpad=0.1, labelspacing=0.2, borderpad=0.1, **where)


def draw(inputs: Inputs) -> Picture:
    """Learning curves of five tasks, sample sizes of one, gains and agreement of all."""
    cells = _Cells(inputs.results["equivariant_risk_gain"])
    figure, axes = style.panels(3, rows=3, width=style.PAGE, height=6.8)
    linear, halves, growth, shifts, degrees, circle, collapse, gains, agreement = axes
    for ax in (linear, halves, growth, circle, collapse, gains):
        ax.set(xscale="log", yscale="log")
    for ax in (shifts, agreement):
        ax.set(xscale="log")
    for ax, task, place, title in (
        (linear, "linear", 2, "least squares"),
        (halves, "halves", 2, "longer half"),
        (shifts, "shifts", 3, "cyclic, degree 2"),
    ):
        common = cells.sizes(task, *cells.learners(task))
        for x in common[: place + 1][-1:]:
            ax.set_title(f"{title}, $d = {x}$", loc="center")
            if task == "linear":
                _linear(ax, cells, x)
                continue
            for learner in cells.learners(task):
                _curve(ax, cells, (task, learner, x), *LEARNERS[learner][1:])
    _n_star(growth, cells)
    growth.set_title("longer half", loc="center")

    d = cells.config.variables
    degrees.set_title(f"cyclic, $d = {d}$", loc="center")
    for learner in cells.learners("degrees"):
        for degree, marker in zip(cells.sizes("degrees", learner), _DEGREES):
            cell = "degrees", learner, degree
            _curve(degrees, cells, cell, LEARNERS[learner][1], marker, lambda n: np.log(n) / np.log(d))
    shown = {f"degree {degree}": (style.QUIET, m) for degree, m in zip(cells.sizes("degrees", "plain"), _DEGREES)}
    _legend(degrees, shown, loc="upper right")

    orders = cells.sizes("circle", "invariant")
    for m in orders:
        cell = "circle", "invariant", m
        _curve(circle, cells, cell, *_ORDERS[m])
        _curve(collapse, cells, cell, *_ORDERS[m], lambda n, m=m: m * n)
    _legend(circle, {f"$m = {m}$": _ORDERS[m] for m in orders}, loc="lower left")
    circle.set_title("circle, $m$ shifts", loc="center")
    collapse.set_title("circle, $m$ shifts", loc="center")
    _gains(gains, cells)
    _legend(gains, {task: (style.QUIET, marker) for task, (*_, marker) in _PAIRS.items()}, loc="upper left")
    _agreement(agreement, cells)

    for ax, x, y in (
        (linear, "samples $n$", "risk"),
        (halves, "samples $n$", "share of mistakes"),
        (growth, "coordinates of a half $d$", "samples $n^*$"),
        (shifts, "samples $n$", "error"),
        (degrees, r"$\log\, n\, /\, \log\, d$", "error"),
        (circle, "samples $n$", "error"),
        (collapse, "shifts times samples $m n$", "error"),
        (gains, "gain by formula", "gain in samples"),
        (agreement, "samples $n^*$", "$n^*$ over formula"),
    ):
        ax.set(xlabel=x, ylabel=y)
    for ax in (halves, circle, collapse, gains):
        style.plain_ticks(ax.yaxis, ax.get_ylim())
    for ax in (growth, collapse, gains):
        style.plain_ticks(ax.xaxis, ax.get_xlim())

    how = {"markeredgewidth": 0, "markersize": 3.5}
    extra = [Line2D([], [], color=c, marker=m, label=t, **how) for t, c, m in LEARNERS.values()]
    style.key(figure, trials=cells.data.sizes["trial"], theory="formula", extra=extra, columns=3)
    return figure


FIGURE = Figure(
    name="equivariant_risk_gain",
    title="What knowing the symmetry saves, in five tasks, with one formula",
    caption=(
        "Learners that know more or less of the symmetry of their task, measured in the same way. (a) Least squares "
        "on an invariant target; open marks are medians at the spike, where the mean is infinite. (b, c) Which half "
        "of 2d coordinates is longer, by all products of coordinates, by a weight for each square, and by one for each "
        "half: n* to the target share of mistakes grows as the square of d, as d, and not at all (there is no formula "
        "for two weights; its line is a mean). (d) A cyclic quadratic target on signs: the invariant kernel takes d "
        "times fewer samples, and averaging the output of the plain one does not. (e) Cyclic targets of higher degrees "
        "and the kernel exp: steps near the degree, and one power of d before it. (f, g) A function on the circle with "
        "eight shifts: m samples are worth one if m shifts are known. (h) The gain in samples against the formula's, "
        "for the pair of learners without and with the symmetry (for halves: with a part of it). (i) Every n* over the "
        "formula's; hollow: targets with a part that is not invariant. The formula is exact for (a) and asymptotic for "
        "the others, and has no free constant."
    ),
    draw=draw,
    experiments=("equivariant_risk_gain",),
    claims=(
        "least_squares_samples",
        "fully_connected_samples",
        "locally_connected_slope",
        "convolutional_slope",
        "invariant_kernel_divides_samples",
        "shifts_divide_samples_on_circle",
    ),
    figure_of_paper=(
        "own, on the settings of Elesedy and Zaidi, ICML 2021, Li, Zhang and Arora, ICLR 2021, Wang and Wu, NeurIPS "
        "2023, Mei, Misiakiewicz and Montanari, COLT 2021, and Tahmasebi and Jegelka, NeurIPS 2023; the parameters of "
        "their figures were not found"
    ),
)
