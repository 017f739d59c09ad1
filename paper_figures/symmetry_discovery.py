"""Strengths, violations and errors of a penalised network: which plane's symmetry do the data keep?

Reads ``strengths`` and ``violations`` over (method, breaking, trial, check, candidate), ``equivariance_error`` and
``data_error``.
"""

import json

import numpy as np
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from paper_figures import contests, style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

PLANES = ("$xy$", "$yz$", "$xz$")
_COLOURS = (style.COLOURS["equivariant"], style.COLOURS["plain"], style.COLOURS["partial"])


def draw(inputs: Inputs) -> Picture:
    """Strengths and violations while training, and the recovered level of each symmetry against the true one."""
    data = inputs.results["symmetry_discovery"]
    config = json.loads(data.attrs["config"])
    top = data.sel({"method": "per" if "per" in contests.present(data) else contests.present(data)[0]})
    top = top.sel(breaking=top["breaking"].max())
    figure, axes = style.panels(3, width=style.PAGE, height=2.9)
    steps = (np.arange(data.sizes["check"]) + 1) * config["steps"] / data.sizes["check"]
    for ax, variable in zip(axes, ("strengths", "violations")):
        for plane, colour in enumerate(_COLOURS):
            curves = top[variable].isel(candidate=plane).transpose("check", "trial").values
            mean, low, high = (np.exp(end) for end in style.mean_interval(np.log(np.maximum(curves, 1e-12))))
            style.measured(ax, steps, mean, low, high, colour, marker="")
        ax.set_yscale("log")
        contests.plain_if_narrow(ax.yaxis)
        ax.axvline(steps[config["adjust_at"]], color=style.QUIET, linewidth=0.7, linestyle=":")
        ax.set_xlabel("training step")
    axes[0].set_ylabel(r"strength $\lambda_i$")
    axes[1].set_ylabel("energy per rank")
    ax = axes[2]
    methods = contests.present(data)
    for method in methods:
        _, colour, marker = contests.METHODS[method]
        for plane in (0, 1):
            true = data["data_error"].isel(group=plane).sel(breaking=data["breaking"]).values
            found = data["equivariance_error"].sel({"method": method}).isel(group=plane).transpose("breaking", "trial")
            mean, low, high = style.mean_interval(found)
            ax.plot([true, true], [low, high], color=colour, linewidth=0.9)
            ax.plot(true, mean, marker, color=colour, markersize=4.2, markeredgewidth=0)
    limit = 1.1 * float(max(data["data_error"].max(), data["equivariance_error"].isel(group=slice(2)).max()))
    style.theory(ax, [0, limit], [0, limit])
    ax.set_xlabel("relative error of the label")
    ax.set_ylabel("relative error of the network")
    planes = [Line2D([], [], color=colour, label=f"O(2) of {name}") for name, colour in zip(PLANES, _COLOURS)]
    extra = [*planes, *contests.handles(methods, line=False)]
    style.key(figure, trials=data.sizes["trial"], theory="equal errors", extra=extra, columns=5)
    return figure


FIGURE = Figure(
    name="symmetry_discovery",
    title="Reading the symmetries of the data off a trained network",
    caption=(
        "A network of free weights, penalised for the turns and mirrors of each of three planes, learns the tensor of "
        "inertia with the z column multiplied by 1 - b; only the plane xy keeps its symmetry. (a) Strengths of the "
        "three penalties at the largest b; the dotted line is where the one-shot rule sets them. (b) Energies of the "
        "penalties per rank. (c) Equivariance error of the trained networks under the planes xy and yz, for every b, "
        "against that of the label."
    ),
    draw=draw,
    experiments=("symmetry_discovery",),
    claims=("errors_tell_the_plane", "strengths_tell_the_plane"),
    figure_of_paper=(
        "Kim, Lee, Yang and Lee, ICML 2023, arXiv 2306.00356, strengths and violations while training; their figures "
        "were not found"
    ),
)
