"""Learning curves of random-feature attention and of the network of one hidden layer, task by task.

Reads ``error`` over (learner, trial, n, task).
"""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from paper_figures import style
from paper_figures.contests import plain_if_narrow
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE", "LEARNERS", "curve", "panel"]

LEARNERS = {
    "rfa": ("RFA", style.COLOURS["equivariant"], "o"),
    "brfa": ("biased RFA", style.COLOURS["averaged"], "^"),
    "rfmlp": ("RFMLP", style.COLOURS["plain"], "s"),
}
"""Learner with infinitely many heads -> its name in the picture, colour and marker."""


def curve(ax: Axes, data: xr.Dataset, learner: str, task: str, colour: str, **options: object) -> float:
    """Draws the geometric mean of the errors of one learner over n with its band, and returns its last value."""
    values = np.log(data.error.sel(learner=learner, task=task).transpose("n", "trial").values)
    mean, low, high = (np.exp(part) for part in style.mean_interval(values))
    style.measured(ax, data.n, mean, low, high, colour, **options)
    return float(mean[-1])


def panel(ax: Axes, data: xr.Dataset, task: str) -> None:
    """Axes, the name of the task as title, and the error of a constant."""
    target, degree = task.split()
    style.theory(ax, [min(data.n), max(data.n)], [1, 1])
    ax.set_title(f"{target.replace('_', ' ')}, $p = {degree}$", loc="center")
    ax.set_xscale("log")
    ax.set_yscale("log")
    plain_if_narrow(ax.yaxis)
    ax.set_xlabel("training samples $n$")


def draw(inputs: Inputs) -> Picture:
    """One panel for each task; infinitely many heads solid, drawn ones dotted with open markers."""
    data = inputs.results["attention_learning_curves"]
    tasks = [str(task) for task in data.task.values]
    columns = max(1, len(tasks) // len({task.split()[0] for task in tasks}))
    rows = -(-len(tasks) // columns)
    figure, axes = style.panels(columns, rows=rows, width=style.PAGE, height=0.9 + 1.9 * rows)
    for ax, task in zip(axes, tasks):
        ends = []
        for learner, (label, colour, marker) in LEARNERS.items():
            heads = f"{learner}_heads"
            if heads in data.learner.values:
                how = {"linestyle": ":", "markerfacecolor": "white", "markeredgewidth": 0.7, "linewidth": 0.9}
                curve(ax, data, heads, task, colour, marker=marker, **how)
            if learner in data.learner.values:
                ends.append((curve(ax, data, learner, task, colour, marker=marker), label, colour))
        panel(ax, data, task)
        style.label_ends(ax, ends)
    for ax in axes[::columns]:
        ax.set_ylabel("error / variance")
    dotted = {"color": style.QUIET, "linestyle": ":", "marker": "o", "markerfacecolor": "white", "linewidth": 0.9}
    style.key(
        figure,
        measured="geometric mean, $M = \\infty$",
        trials=data.sizes["trial"],
        theory="a constant",
        extra=[Line2D([], [], label="$M$ drawn heads", **dotted)],
        columns=4,
    )
    return figure


FIGURE = Figure(
    name="attention_learning_curves",
    title="What a single attention layer with random heads learns early",
    caption=(
        "Mean square error on test sets over the variance of their labels, for three targets of degree p that do not "
        "depend on the order of the keys: a power of one coordinate of the query, its average over the keys, and the "
        "average of a coordinate of the keys weighted by a power of their inner product with the query. RFA: "
        "random-feature attention whose query-key matrices have mean zero; biased RFA: whose mean lets scores begin as "
        "inner products of query and key; RFMLP: random features of all tokens, one after the other. With infinitely "
        "many heads, in closed form, and with drawn ones. Ridge chosen by the leave-one-out error. The numbers of the "
        "layer are recalled from the paper."
    ),
    draw=draw,
    experiments=("attention_learning_curves",),
    claims=("bias_lowers_the_error_on_correlations", "attention_lowers_the_error_on_averages"),
    figure_of_paper=(
        "the learning curves of Fu, Guo, Bai and Mei, NeurIPS 2023; targets and sizes are recalled, the paper's grid "
        "of n, its ridge, its number of runs and its error bars were not found"
    ),
)
