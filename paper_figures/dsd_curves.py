"""Risk against the number of samples for five networks, with what a linear network, the best one and Bayes can do.

Reads ``losses`` over (learner, sigma, k, trial, step) with their ``sizes``, ``target`` over (learner, sigma, k), and
``linear_floor`` and ``bayes_risk`` over (sigma, k) of ``dsd_patches``.
"""

import json

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from paper_figures import style
from paper_figures.dsd_patches import LEARNERS
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

_LEVELS = {
    "linear_floor": ("best linear network", style.QUIET, (0, (1, 1.5))),
    "target": ("target of CNN, LCN, FCN", style.INK, (0, (4, 2))),
    "bayes_risk": ("Bayes risk", style.COLOURS["averaged"], (0, (4, 1, 1, 1))),
}


def _panel(ax: Axes, data: xr.Dataset, sigma: float, k: int, names: list[str]) -> None:
    at = data.sel(sigma=sigma, k=k)
    ax.set(xscale="log", yscale="log")
    for name in names:
        one = at.sel(learner=name)
        used = one["sizes"].values > 0
        losses = one["losses"].transpose("step", "trial").values[used]
        _, colour, marker = LEARNERS[name]
        style.measured(
            ax, one["sizes"].values[used], *style.mean_interval(losses), colour, marker=marker, markersize=2.5
        )
    for level, (_, colour, dashes) in _LEVELS.items():
        values = at[level] if level != "target" else at[level].sel(learner="cnn")
        ax.axhline(max(float(values), 1e-6), color=colour, linestyle=dashes, linewidth=0.9, zorder=3)
    ax.set_ylim(top=2)
    ax.set_title(rf"$\sigma = {sigma:g}$", loc="center")
    ax.set_xlabel("samples $n$")


def draw(inputs: Inputs) -> Picture:
    """A panel for each noise level, at one number of patches."""
    data = inputs.results["dsd_patches"]
    config, sigmas = json.loads(data.attrs["config"]), sorted(data["sigma"].values.tolist())
    k = min(data["k"].values.tolist(), key=lambda k: abs(k - 8))
    names = [name for name in LEARNERS if name in data["learner"].values]
    figure, axes = style.panels(len(sigmas), width=style.PAGE, height=3.3, sharey=True)
    for ax, sigma in zip(axes, sigmas):
        _panel(ax, data, sigma, k, names)
    axes[0].set_ylabel(rf"risk at $k = {k}$, $d = {config['dimension']}$")
    axes[0].set_ylim(1e-3, 2)
    extra = [Line2D([], [], color=c, marker=m, markeredgewidth=0, label=t) for t, c, m in map(LEARNERS.get, names)]
    extra += [Line2D([], [], color=c, linestyle=s, linewidth=0.9, label=t) for t, c, s in _LEVELS.values()]
    style.key(figure, trials=np.atleast_1d(data.sizes["trial"]), extra=extra, columns=4)
    return figure


FIGURE = Figure(
    name="dsd_curves",
    title="Risk falls in two steps: a direction, then a threshold",
    caption=(
        "Mean risk on test samples against the number of samples, for images with about 8 patches. Dotted: the least "
        "risk of a linear network, at which an FCN waits until it has the samples for a threshold. Dashed: the target "
        "from which the sample sizes of CNN, LCN and FCN are read. Dash-dotted: the Bayes risk of one who knows the "
        "signal, below which nothing can fall; below 0.001 it is outside the picture. Attention and the CNN of stride "
        "1 have other best risks, and targets of their own."
    ),
    draw=draw,
    experiments=("dsd_patches",),
    claims=(),
    figure_of_paper=("own, for the setting of Lahoti, Karp, Winston, Singh and Li, ICLR 2024"),
)
