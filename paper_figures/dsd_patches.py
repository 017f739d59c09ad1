"""Samples until one signal patch is found, against the number of patches, for five networks and three noise levels.

Reads ``n_star``, ``low``, ``high`` and ``censored`` over (learner, sigma, k), ``linear_floor`` and ``target`` over
(sigma, k), and the closed forms in ``predicted``. ``panels`` and ``LEARNERS`` serve the sweep over the length of a
patch as well.
"""

import json

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE", "LEARNERS", "panels"]

LEARNERS = {
    "fcn": ("FCN", style.COLOURS["plain"], "s"),
    "lcn": ("LCN", style.COLOURS["partial"], "^"),
    "cnn": ("CNN", style.COLOURS["equivariant"], "o"),
    "attention": ("attention", style.COLOURS["augmented"], "D"),
    "overlap": ("CNN, stride 1", "#56b4e9", "v"),
}
"""Learner of the experiments -> its name in the picture, colour and marker."""
_HOLLOW = {"markerfacecolor": "white", "markeredgewidth": 0.7, "linestyle": ""}
_RING = {"marker": "o", "markersize": 8, "markerfacecolor": "none", "markeredgecolor": style.QUIET, "linestyle": ""}
_LINES = {"lcn, patch known": (0, (4, 2)), "lcn": (0, (1, 1.5))}


def _curve(ax: Axes, one: xr.Dataset, axis: str, colour: str, marker: str) -> None:
    x, n, censored = one[axis].values, one["n_star"].values, one["censored"].values
    inside = censored == 0
    style.measured(
        ax, x[inside], n[inside], one["low"].values[inside], one["high"].values[inside], colour, marker=marker
    )
    if inside.sum() == 1:  # a band has no width there
        ax.plot(x[[*inside.nonzero()[0]] * 2], [one["low"].values[inside], one["high"].values[inside]], color=colour)
    for i in np.flatnonzero(~inside):
        style.bound(ax, x[i], n[i], (0, 11 * int(censored[i])), colour, marker)
    linear = inside & (one["linear_floor"].values <= one["target"].values)
    ax.plot(x[linear], n[linear], zorder=5, **_RING)


def panels(data: xr.Dataset, axis: str, label: str) -> Picture:
    """A panel for each noise level: n* of every learner, and two closed forms."""
    sigmas = sorted(data["sigma"].values.tolist())
    config = json.loads(data.attrs["config"])
    figure, axes = style.panels(len(sigmas), width=style.PAGE, height=3.5, sharey=True)
    present = [name for name in LEARNERS if name in data["learner"].values]
    for ax, sigma in zip(axes, sigmas):
        ax.set(xscale="log", yscale="log")
        at_sigma = data.sel(sigma=sigma).sortby(axis)
        for estimator, dashes in _LINES.items():
            line = at_sigma["predicted"].sel(estimator=estimator).values
            style.theory(ax, at_sigma[axis].values, line, LEARNERS["lcn"][1], linestyle=dashes)
        for name in present:
            _curve(ax, at_sigma.sel(learner=name), axis, *LEARNERS[name][1:])
        ax.set_title(rf"$\sigma = {sigma:g}$", loc="center")
        ax.set_xlabel(label)
        ax.set_xticks(at_sigma[axis].values, [f"{value:g}" for value in at_sigma[axis].values], minor=False)
        ax.minorticks_off()
    axes[0].set_ylim(1, 4 * float(data["n_star"].max()))
    axes[0].set_ylabel(f"samples $n^*$ to oracle risk + {config['tolerance']:g}")
    known, step = _LINES.values()
    lcn = LEARNERS["lcn"][1]
    extra = [Line2D([], [], color=c, marker=m, markeredgewidth=0, label=t) for t, c, m in map(LEARNERS.get, present)]
    extra += [
        Line2D([], [], color=style.QUIET, marker="o", label="bound: $n^*$ lies beyond", **_HOLLOW),
        Line2D([], [], label="a linear network would do", **_RING),
        Line2D([], [], color=lcn, linestyle=known, linewidth=0.9, label="LCN that knows the patch"),
        Line2D([], [], color=lcn, linestyle=step, linewidth=0.9, label="LCN after one step"),
    ]
    style.key(figure, trials=data.sizes["trial"], extra=extra, columns=4)
    return figure


def draw(inputs: Inputs) -> Picture:
    """One panel a noise level."""
    data = inputs.results["dsd_patches"]
    d = json.loads(data.attrs["config"])["dimension"]
    return panels(data, "k", f"patches $k$, at $d = {d}$")


FIGURE = Figure(
    name="dsd_patches",
    title="Shared weights make the sample size nearly indifferent to the number of patches",
    caption=(
        "Samples at which the mean risk reaches that of the best network of its kind that knows the signal, plus a "
        "tolerance; sigma is the standard deviation of a noise coordinate at a signal of length 1 (that of the paper's "
        "experiments was not found). An LCN takes many times as many samples as a CNN, and the more patches the more; "
        "an FCN takes many times as many as an LCN, and from some point on more than it was given (hollow, with an "
        "arrow; where it ends depends on its start, of scale 0.2). CNN, LCN and FCN have the same target; attention, "
        "which shares its weight as well, a lower one, and the CNN of stride 1 a higher one, which training from some "
        "starts never reaches. Dashed and dotted: closed forms of signed means for an LCN, at the alignment with the "
        "signal that the target asks for; no LCN may lie below the dashed one. Rings: the target is above the risk of "
        "the best linear network, so that these points belong to another regime than the rest."
    ),
    draw=draw,
    experiments=("dsd_patches",),
    claims=(
        "cnn_takes_fewer_samples_than_lcn_with_more_patches",
        "lcn_takes_fewer_samples_than_fcn_with_more_patches",
        "lcn_stays_above_the_patch_known_line",
    ),
    figure_of_paper=(
        "after Figures 1 and 2 of Lahoti, Karp, Winston, Singh and Li, ICLR 2024; own sizes, rates and noise, theirs "
        "are in part not found"
    ),
)
