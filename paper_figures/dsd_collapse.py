"""Sample sizes over the variance of the noise, against the orders that theory gives: k + d, k d and k^2 d.

Reads ``n_star``, ``low``, ``high``, ``censored``, ``linear_floor``, ``target`` and ``alignment`` of ``dsd_patches`` and
``dsd_dimension``.
"""

import json
from collections.abc import Callable, Iterator

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from paper_figures import style
from paper_figures.dsd_patches import LEARNERS
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

_ORDERS: dict[str, tuple[str, Callable[[float, float], float]]] = {
    "cnn": ("$k + d$", lambda k, d: k + d),
    "lcn": ("$k\\,d$", lambda k, d: k * d),
    "fcn": ("$k^2 d$", lambda k, d: k * k * d),
}


def _points(results: dict[str, xr.Dataset], learner: str) -> Iterator[tuple[float, int, int, xr.Dataset]]:
    """sigma, k, d and the numbers of every cell where a linear network would not do."""
    for name, axis in (("dsd_patches", "k"), ("dsd_dimension", "d")):
        data = results[name]
        config = json.loads(data.attrs["config"])
        if learner not in data["learner"].values:
            continue
        for sigma in data["sigma"].values.tolist():
            for x in data[axis].values.tolist():
                one = data.sel({"learner": learner, "sigma": sigma, axis: x})
                k, d = (x, config["dimension"]) if axis == "k" else (config["patches"], x)
                if sigma > 0 and one["linear_floor"] > one["target"]:
                    yield sigma, k, d, one


def _panel(ax: Axes, results: dict[str, xr.Dataset], learner: str, sigmas: list[float]) -> None:
    _, colour, _ = LEARNERS[learner]
    label, order = _ORDERS[learner]
    markers = dict(zip(sigmas, "osD^v<>"))
    ratios, extent = [], []
    ax.set(xscale="log", yscale="log")
    for sigma, k, d, one in _points(results, learner):
        x, n, censored = order(k, d), float(one["n_star"]) / sigma**2, int(one["censored"])
        extent.append(x)
        if censored:
            arrow = {"arrowstyle": "->", "color": colour, "linewidth": 0.7, "shrinkA": 2, "shrinkB": 0}
            ax.annotate("", (x, n * 2.0**censored), (x, n), arrowprops=arrow)
        else:
            ratios.append(n / x)
            ax.plot([x, x], [float(one["low"]) / sigma**2, float(one["high"]) / sigma**2], color=colour, linewidth=0.8)
        face = "white" if censored else colour
        ax.plot([x], [n], marker=markers[sigma], markersize=4, color=colour, markerfacecolor=face, markeredgewidth=0.6)
    if ratios:
        x = np.array([min(extent) / 1.3, max(extent) * 1.3])
        style.theory(ax, x, x * np.exp(np.mean(np.log(ratios))))
    ax.set_title(LEARNERS[learner][0], loc="center")
    ax.set_xlabel(label)
    if max(extent, default=0) < 1000:
        style.plain_ticks(ax.xaxis, extent)


def draw(inputs: Inputs) -> Picture:
    """CNN (a), LCN (b) and FCN (c)."""
    results = dict(inputs.results)
    sigmas = sorted({s for data in results.values() for s in data["sigma"].values.tolist()})
    figure, axes = style.panels(3, width=style.PAGE, height=2.9, sharey=True)
    for ax, learner in zip(axes, _ORDERS):
        _panel(ax, results, learner, sigmas)
    axes[0].set_ylabel(r"samples over variance of the noise $n^* / \sigma^2$")
    how = {"color": style.QUIET, "linestyle": "", "markersize": 4, "markeredgewidth": 0.6}
    extra = [Line2D([], [], marker=m, label=rf"$\sigma = {s:g}$", **how) for s, m in zip(sigmas, "osD^v<>")]
    extra.append(Line2D([], [], marker="o", label="bound", **how | {"markerfacecolor": "white"}))
    trials = [data.sizes["trial"] for data in results.values()]
    style.key(figure, trials=trials, theory="slope 1, through the mean", extra=extra, columns=3)
    return figure


FIGURE = Figure(
    name="dsd_collapse",
    title="Sample sizes over the noise's variance against the orders of the theory",
    caption=(
        "All points of both sweeps where a linear network cannot reach the target, divided by the variance of the "
        "noise, against k + d (the upper bound of a CNN), k d (the lower bound of an LCN) and k^2 d (the lower bound "
        "of an FCN). Dashed: slope one, through the geometric mean of the points that are no bounds. Points need not "
        "fall on one line: the orders hide logarithms and what the target asks for, which changes with k and sigma, "
        "and an LCN lies between k d and k (k + d)."
    ),
    draw=draw,
    experiments=("dsd_patches", "dsd_dimension"),
    claims=(),
    figure_of_paper=("own, for the orders of Lahoti, Karp, Winston, Singh and Li, ICLR 2024, which are recalled"),
)
