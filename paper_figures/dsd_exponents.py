"""The exponents of the sample size in the number and in the length of patches, against those of the paper's bounds.

Reads ``losses``, ``sizes``, ``target``, ``linear_floor`` and ``alignment`` of ``dsd_patches`` and ``dsd_dimension``;
exponents are fitted by ``theory.dsd_separation.exponents``.
"""

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from paper_figures import style
from paper_figures.dsd_patches import LEARNERS
from paper_figures.record import Figure, Inputs
from theory.dsd_separation import ORDERS, exponents, predict_exponents

__all__ = ["FIGURE"]

_TOP = 4.0
_RANGE = "#dcdcdc"


def _panel(ax: Axes, data: xr.Dataset, letter: str) -> None:
    at, labels = 0.0, []
    for name in ORDERS:
        if name not in data["learner"].values:
            continue
        text, colour, marker = LEARNERS[name]
        for sigma, found in exponents(data, name).items():
            low, high = predict_exponents(data, name, sigma)
            ax.bar(at, min(high, _TOP) - low, bottom=low, width=0.8, color=_RANGE, zorder=0.5)
            ax.plot([at, at], [found.low, found.high], color=colour, linewidth=1.2)
            ax.plot([at], [found.value], color=colour, marker=marker, markeredgewidth=0)
            labels.append((at, f"{text}\n{sigma:g}"))
            at += 1
        at += 0.5
    if labels:
        ax.set_xticks(*zip(*labels))
    else:
        ax.set_xticks([])
        ax.text(0.5, 0.5, "no noise level has three points", ha="center", transform=ax.transAxes, color=style.QUIET)
    ax.set_xlim(-0.7, at - 0.8)
    ax.set_ylim(-0.2, _TOP)
    ax.grid(axis="x", visible=False)
    ax.set_xlabel(r"network and $\sigma$")
    ax.set_ylabel(rf"exponent of $n^*$ in ${letter}$")


def draw(inputs: Inputs) -> Picture:
    """In the number of patches (a), and in their length (b)."""
    figure, axes = style.panels(2, width=style.PAGE, height=2.9)
    results = inputs.results["dsd_patches"], inputs.results["dsd_dimension"]
    for ax, data, letter in zip(axes, results, "kd"):
        _panel(ax, data, letter)
    mark = Line2D([], [], color=style.QUIET, marker="o", markeredgewidth=0, linewidth=1.2)
    mark.set_label(f"measured, 95 % interval, {results[0].sizes['trial']} trials")
    style.key(figure, extra=[mark, Patch(facecolor=_RANGE, label="between the exponents of the paper's bounds")])
    return figure


FIGURE = Figure(
    name="dsd_exponents",
    title="How sample sizes grow with the number and the length of patches",
    caption=(
        "Exponents of the sample size where a linear network cannot reach the target, for every noise level with three "
        "such points or more. Grey: from the exponent of the paper's lower bound to that of its upper one, both at the "
        "same points, with the logarithm of the upper bound and with what the target asks for, which changes with k "
        "(CNN: d and (k + d) ln k d; LCN: k d and k (k + d) ln k d; FCN: k^2 d, no upper bound). Bounds bound sample "
        "sizes and not their exponents: outside of grey is no contradiction, only farther from the asymptote."
    ),
    draw=draw,
    experiments=("dsd_patches", "dsd_dimension"),
    claims=("more_patches_cost_an_lcn_more_than_a_cnn", "more_patches_cost_an_fcn_more_than_an_lcn"),
    figure_of_paper=("own, for the orders of Lahoti, Karp, Winston, Singh and Li, ICLR 2024, which are recalled"),
)
