"""The generalisation gap of least squares against the sample size, with the double-descent spike at n = d.

Reads ``gap`` over (d, n, trial) and the settings of the run; the dashed curves are
``theory.elesedy_zaidi.predict_gap``, not the stored predictions, because they are drawn between the measured sizes
too.
"""

import json
import math

import numpy as np
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from paper_figures import style
from paper_figures.record import Figure, Inputs
from theory.elesedy_zaidi import predict_gap

__all__ = ["FIGURE"]


def draw(inputs: Inputs) -> Picture:
    """Mean gap against n , one colour per dimension; open marks are medians where the mean is infinite."""
    data = inputs.results["generalisation_gap"]
    config = json.loads(data.attrs["config"])
    figure, (ax,) = style.panels(width=style.COLUMN, height=2.9)
    ax.set_xscale("log")
    ax.set_yscale("log")
    dims = data.d.values.tolist()
    ends = []
    for d, colour in zip(dims, style.CYCLE):
        gap = data.gap.sel(d=d).transpose("n", "trial")
        n, trials = gap.n.values, gap.values
        mean, low, high = style.mean_interval(trials)
        for side in (n < d - 1, n > d + 1):
            style.measured(ax, n[side], mean[side], low[side], high[side], colour)
        at = abs(n - d) <= 1
        ax.plot(n[at], np.median(trials[at], axis=1), "o", color=colour, markerfacecolor="white", zorder=4)
        ends.append((mean[-1], f"$d = {d}$", colour))
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())  # of the measurements; the formula runs out of the picture
    for d in dims:
        a = d - math.gcd(d, config["stride"])
        for low, high in ((data.n.min(), d - 1.01), (d + 1.01, data.n.max())):
            fine = np.geomspace(low, high, 400)
            style.theory(ax, fine, predict_gap(fine, d, a, config["sigma_x"], config["sigma_xi"]))
    ax.set_xlabel("samples $n$")
    ax.set_ylabel(r"risk gap $R(\hat w) - R(Q\hat w)$")
    style.plain_ticks(ax.xaxis, data.n.values)
    style.label_ends(ax, ends)
    median = Line2D(
        [], [], color=style.QUIET, marker="o", linestyle="", markerfacecolor="white", label="median at the spike"
    )
    style.key(figure, measured="mean", trials=data.sizes["trial"], theory="formula", extra=[median], columns=2)
    return figure


FIGURE = Figure(
    name="generalisation_gap",
    title="What linear regression loses by not knowing the symmetry",
    caption=(
        "Least squares of minimal norm on an invariant linear target with noisy labels: how much averaging the "
        "fitted function over the group lowers its risk. The formula has no free constant. At n = d the mean is "
        "infinite (double descent), so for n from d - 1 to d + 1 the median is shown, as open marks; close to the "
        "spike the tails are heavy and the interval of the mean is too narrow."
    ),
    draw=draw,
    experiments=("generalisation_gap",),
    claims=("gap_of_each_draw", "gap_overdetermined", "gap_underdetermined", "gap_spike"),
    figure_of_paper=(
        "Elesedy and Zaidi, ICML 2021, arXiv 2102.10333, the linear model; the formula was derived again, the "
        "paper's own figure was not read"
    ),
)
