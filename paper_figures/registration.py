"""How many clouds are registered, and how many matches are right, against the angle between them.

Reads ``recall`` and ``inlier_ratio`` over (method, trial, angle).
"""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

_METHODS = {
    "equivariant": ("vector neurons", style.COLOURS["equivariant"]),
    "pointnet": ("PointNet", style.COLOURS["plain"]),
    "pointnet_augmented": ("PointNet, turned", style.COLOURS["augmented"]),
}
"""Method -> its name in the picture and its colour."""
_SEEN = 45
"""Largest angle in training, of all but the augmented network; degrees."""


def _curves(ax: Axes, shares: xr.DataArray, title: str) -> None:
    ax.axvspan(0, _SEEN, color=style.QUIET, alpha=0.12, linewidth=0)
    ax.text(_SEEN / 2, 0.04, "seen", ha="center", color=style.QUIET, fontsize=8)
    ends = []
    for name, (text, colour) in _METHODS.items():
        if name in shares["method"]:
            mean, low, high = style.mean_interval(shares.sel({"method": name}).transpose("angle", "trial").values)
            style.measured(ax, shares.angle.values, mean, low.clip(0, 1), high.clip(0, 1), colour, clip_on=False)
            ends.append((mean[-1], text, colour))
    ax.set(xlim=(0, 180), xticks=np.arange(0, 181, 30), ylim=(0, 1))
    ax.set_xlabel("turn in degrees")
    ax.set_ylabel(title)
    style.label_ends(ax, ends)


def draw(inputs: Inputs) -> Picture:
    """The share of clouds that are registered (a), and of matches that are right (b)."""
    data = inputs.results["registration"].sortby("angle")
    figure, axes = style.panels(2, width=style.PAGE, height=2.8)
    _curves(axes[0], data.recall, "recall of registration")
    _curves(axes[1], data.inlier_ratio, "share of matches that are right")
    style.key(figure, measured="mean", trials=data.sizes["trial"], columns=2)
    return figure


FIGURE = Figure(
    name="registration",
    title="Registration of clouds that are turned further than any in training",
    caption=(
        "Two cuts of a cloud of boxes, with noise, one of them turned about a random axis and moved. Recall (a) is the "
        "share of pairs that are found to within 15 degrees and 0.3; things have a size of about one. Descriptors of "
        "position-aware vector neurons do not turn and their vectors turn with the cloud, so that each match gives a "
        "candidate; what they were shown (the shaded range) does not matter. A PointNet of about as many parameters "
        "learns the turns that it is shown; shown all of them for as many steps it has learnt little about large ones."
    ),
    draw=draw,
    experiments=("registration",),
    claims=("registration_does_not_depend_on_the_turn",),
    figure_of_paper="in the spirit of Yao et al. (ECCV 2024), whose figures show registered scans",
)
