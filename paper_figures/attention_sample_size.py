"""How many samples learners take until their error is one half, against the number of keys and the length of a token.

Reads ``keys_half`` and ``keys_reached`` over (learner, trial, n_keys, task), ``length_half`` and ``length_reached``
over (learner, trial, dimension, task), the sizes, and the settings of the run; dashed is
``theory.attention_sample_size.predict_growth``.
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
from theory.attention_sample_size import predict_growth

__all__ = ["FIGURE"]

_MODELS = {"rfa": "RFA", "brfa": "BRFA", "rfmlp": "RFMLP"}
_ARROW = 1.45
"""Length of an arrow, as a factor."""
_ABOUT = {"marker": "o", "markerfacecolor": "white", "markeredgewidth": 0.7, "linestyle": ""}


def _at_least(ax: Axes, x: float, y: float, colour: str, marker: str, up: bool) -> None:
    """A hollow mark with an arrow: not below it, or not above it."""
    ax.annotate(
        "",
        (x, y * (_ARROW if up else 1 / _ARROW)),
        (x, y),
        arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 0.8, "shrinkA": 2, "shrinkB": 0},
    )
    ax.plot([x], [y], color=colour, zorder=4, **_ABOUT | {"marker": marker})


def _curves(ax: Axes, data: xr.Dataset, sweep: str, axis: str, task: str) -> None:
    """Geometric means over the trials; hollow where some trial did not get there, or was there at the least size."""
    ends = []
    every = data[f"{sweep}_half"].sel(task=task)
    ax.set(xscale="log", yscale="log", ylim=(float(every.min()) / 1.6, float(every.max()) * 1.6))
    for learner, (text, colour, marker) in LEARNERS.items():
        if learner not in data.learner.values:
            continue
        half = data[f"{sweep}_half"].sel(learner=learner, task=task).transpose(axis, "trial")
        reached = data[f"{sweep}_reached"].sel(learner=learner, task=task).transpose(axis, "trial").values.all(axis=1)
        least = float(data[f"{sweep}_samples"].sel(learner=learner).min())
        inside = reached & (half.values > least).all(axis=1)
        x = half[axis].values
        mean, low, high = (np.exp(part) for part in style.mean_interval(np.log(half.values)))
        style.measured(ax, x[inside], mean[inside], low[inside], high[inside], colour, marker=marker)
        for i in np.flatnonzero(~inside):
            _at_least(ax, x[i], mean[i], colour, marker, up=not reached[i])
        ends.append((mean[-1], text, colour))
    style.plain_ticks(ax.yaxis, data[f"{sweep}_samples"].values)
    ax.set_xticks(data[axis].values, [str(value) for value in data[axis].values], minor=False)
    ax.minorticks_off()
    style.label_ends(ax, ends)


def _growth(ax: Axes, data: xr.Dataset, sweep: str, axis: str, learner: str, predicted: np.ndarray, task: str) -> None:
    """The bound's growth through the first point."""
    if learner in data.learner.values:
        half = data[f"{sweep}_half"].sel(learner=learner, task=task).transpose(axis, "trial").values
        first = np.exp(np.log(half[0]).mean())
        style.theory(ax, data[axis].values, first * predicted / predicted[0], LEARNERS[learner][1])


def draw(inputs: Inputs) -> Picture:
    """Against the number of keys for a quadratic average over keys (a); against d for a correlation (b)."""
    data = inputs.results["attention_sample_size"].sortby("n_keys").sortby("dimension")
    config = json.loads(data.attrs["config"])
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
        measured="geometric mean",
        trials=data.sizes["trial"],
        theory=r"growth of $B\,/\,$Var, through the first point",
        extra=[Line2D([], [], color=style.QUIET, label="not reached: at least", **_ABOUT)],
        columns=2,
    )
    return figure


FIGURE = Figure(
    name="attention_sample_size",
    title="Attention does not pay for more keys; a bias makes longer tokens cheaper",
    caption=(
        "Training samples at which the mean square error falls to half the variance of the labels, for infinitely many "
        "heads. (a) A quadratic average over keys: random-feature attention (RFA, biased or not) takes about as many "
        "samples whatever the number of keys, a random-feature network on all tokens (RFMLP) takes more and more. (b) "
        "A correlation of query and keys: all take more samples for longer tokens, biased attention fewest. Dashed: "
        "how B / Var grows, the squared norm of the target in the kernel's space over the variance of the labels, to "
        "which a bound on the sample size is proportional; its height is not predicted. In (a) it is drawn for the "
        "network alone: for attention B does not depend on N and Var falls as 1 / N, so that the bound allows a growth "
        "that is not there."
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
