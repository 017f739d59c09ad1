"""How many samples learners take until their error is one half, against the number of keys and the length of a token.

Reads ``keys_error`` over (learner, trial, n_keys, keys_step, task), ``length_error`` over (learner, trial, dimension,
length_step, task), the sizes, and the settings of the run, through ``theory.attention_sample_size.crossings``; dashed
is ``predict_growth`` of the same module.
"""

import json

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from paper_figures import style
from paper_figures.attention_learning_curves import LEARNERS
from paper_figures.record import Figure, Inputs
from theory.attention_sample_size import crossings, predict_growth

__all__ = ["FIGURE"]

_MODELS = {"rfa": "RFA", "brfa": "BRFA", "rfmlp": "RFMLP"}
_ARROW, _ROOM = 12, 1.6
"""Points of an arrow, and what the axes leave beyond the marks, as a factor."""
_HOLLOW = {"marker": "o", "markerfacecolor": "white", "markeredgewidth": 0.7, "linestyle": ""}


def _curves(ax: Axes, data: xr.Dataset, sweep: str, axis: str, task: str) -> None:
    """``n_1/2`` with its band; hollow where it is a bound."""
    ax.set(xscale="log", yscale="log")
    ends, every = [], []
    for learner, (text, colour, marker) in LEARNERS.items():
        if learner not in data.learner.values:
            continue
        found = crossings(data, sweep, learner, task)
        inside = {x: c for x, c in found.items() if not c.censored}
        columns = np.array([(x, c.n_star, c.low, c.high) for x, c in inside.items()]).reshape(-1, 4).T
        style.measured(ax, *columns, colour, marker=marker)
        for x, c in found.items():
            if c.censored:
                style.bound(ax, x, c.n_star, (0, _ARROW * c.censored), colour, marker)
        ends.append((c.n_star, text, colour))
        every.extend(c.n_star for c in found.values())
    ax.set_ylim(min(every) / _ROOM, max(every) * _ROOM)
    style.plain_ticks(ax.yaxis, data[f"{sweep}_samples"].values)
    ax.set_xticks(data[axis].values, [str(value) for value in data[axis].values], minor=False)
    ax.minorticks_off()
    style.label_ends(ax, ends)


def _growth(ax: Axes, data: xr.Dataset, sweep: str, axis: str, learner: str, predicted: np.ndarray, task: str) -> None:
    """The bound's growth through the first point."""
    if learner in data.learner.values:
        first = next(iter(crossings(data, sweep, learner, task).values())).n_star
        style.theory(ax, data[axis].values, first * predicted / predicted[0], LEARNERS[learner][1])


def draw(inputs: Inputs) -> Picture:
    """Against the number of keys for a quadratic average over keys (a); against d for a correlation (b)."""
    results = inputs.results["attention_sample_size"].sortby("n_keys").sortby("dimension")
    data = results if results.sizes["trial"] > 1 else results.isel(trial=[0, 0])  # of one trial: bands of no width
    config = json.loads(results.attrs["config"])
    figure, axes = style.panels(2, width=style.PAGE, height=3.1)
    d, n_keys = config["keys_dimension"], config["dimension_keys"]
    by_keys = np.array([predict_growth("RFMLP", "key average", 2, d, n) for n in data.n_keys.values.tolist()])
    _growth(axes[0], data, "keys", "n_keys", "rfmlp", by_keys, "key_average 2")
    for learner in ("rfa", "brfa"):
        dims = data.dimension.values.tolist()
        by_length = np.array([predict_growth(_MODELS[learner], "correlation", 1, n, n_keys) for n in dims])
        _growth(axes[1], data, "length", "dimension", learner, by_length, "correlation 1")
    _curves(axes[0], data, "keys", "n_keys", "key_average 2")
    _curves(axes[1], data, "length", "dimension", "correlation 1")
    axes[0].set_title("key average, $p = 2$", loc="center")
    axes[1].set_title("correlation, $p = 1$", loc="center")
    axes[0].set_xlabel(f"keys $N$, at $d = {d}$")
    axes[1].set_xlabel(f"length of a token $d$, at $N = {n_keys}$")
    axes[0].set_ylabel(r"samples $n_{1/2}$ at error one half")
    style.key(
        figure,
        measured="measured on the mean error",
        trials=results.sizes["trial"],
        theory=r"growth of $B\,/\,$Var, through the first point",
        extra=[Line2D([], [], color=style.QUIET, label="bound: $n_{1/2}$ lies beyond", **_HOLLOW)],
        columns=2,
    )
    return figure


FIGURE = Figure(
    name="attention_sample_size",
    title="Attention does not pay for more keys; a bias makes longer tokens cheaper",
    caption=(
        "Training samples at which the mean square error, averaged over the trials, falls to half the variance of "
        "the labels, for infinitely many heads. (a) A quadratic average over keys: random-feature attention (RFA, "
        "biased or not) takes about as many samples whatever the number of keys, a random-feature network on all "
        "tokens (RFMLP) takes more and more. (b) A correlation of query and keys: all take more samples for longer "
        "tokens, biased attention fewest. Dashed: how B / Var grows, the squared norm of the target in the kernel's "
        "space over the variance of the labels, to which a bound on the sample size is proportional; its height is "
        "not predicted. In (a) it is drawn for the network alone: for attention B does not depend on N and Var falls"
        " as 1 / N, so that the bound allows a growth that is not there."
    ),
    draw=draw,
    experiments=("attention_sample_size",),
    claims=(
        "attention_takes_fewer_samples_than_a_network",
        "attention_does_not_pay_for_keys",
        "bias_saves_samples_for_correlations",
    ),
    figure_of_paper=(
        "own, for the sample complexities of Fu, Guo, Bai and Mei, NeurIPS 2023, which are recalled; the paper is not "
        "known to draw them"
    ),
)
