"""How contests of soft methods look: a name, a colour and a marker for each method, and panels with one row a method.

Hard networks are blue, free ones orange, penalties purple and pink, networks with two paths green and yellow.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from paper_figures import style

__all__ = ["METHODS", "error_rows", "handles", "plain_if_narrow", "present", "rows"]

METHODS = {
    "mlp": ("perceptron", style.COLOURS["plain"], "s"),
    "equivariant": ("equivariant", style.COLOURS["equivariant"], "o"),
    "oracle": ("oracle subgroup", "#56b4e9", "D"),
    "rpp": ("residual pathway", "#009e73", "^"),
    "mixed_rpp": ("mixed pathway", "#7fbf7b", "v"),
    "per": ("penalty, one-shot", "#882d71", "P"),
    "per_evidence": ("penalty, evidence", "#cc79a7", "X"),
    "lie": ("Lie penalty", "#b8860b", ">"),
    "constrained": ("constrained", "#e6b800", "<"),
    "graded": ("graded", "#5a5a5a", "*"),
}
"""Method of the experiment -> its name in the picture, colour and marker."""


def present(data: xr.Dataset) -> list[str]:
    """The methods of a dataset, in the order of ``METHODS``."""
    found = [str(name) for name in data["method"].values]
    return [name for name in METHODS if name in found]


def handles(methods: Sequence[str], line: bool = True) -> list[Line2D]:
    """Entries of a key, one for each method."""
    found = []
    for method in methods:
        label, colour, marker = METHODS[method]
        how = {"linestyle": "-" if line else "", "markeredgewidth": 0, "markersize": 4.5}
        found.append(Line2D([], [], color=colour, marker=marker, label=label, **how))
    return found


def plain_if_narrow(axis: Axis) -> None:
    """Ticks written out on a logarithmic axis that spans less than one and a half decades."""
    low, high = axis.get_view_interval()
    if high < 30 * low:
        style.plain_ticks(axis, (low, high))


def rows(ax: Axes, data: xr.DataArray, axis: str, names: dict[Any, str]) -> None:
    """Means and 95 % intervals on a logarithmic axis: one row a group of methods for each value of ``axis``.

    Args:
        ax: where to draw.
        data: over (method, axis, trial).
        axis: dimension whose values become the rows.
        names: what the values are called.
    """
    methods, values = present(data), data[axis].values.tolist()
    step = 0.8 / len(methods)
    for i, value in enumerate(values):
        if i % 2:
            ax.axhspan(i - 0.5, i + 0.5, color="#f4f4f4", linewidth=0, zorder=0)
        for j, method in enumerate(methods):
            _, colour, marker = METHODS[method]
            trials = data.sel({"method": method, axis: value}).transpose("trial").values
            # The logarithm is averaged: errors of one method differ by factors from trial to trial.
            mean, low, high = (np.exp(end) for end in style.mean_interval(np.log(trials)))
            y = i - 0.4 + (j + 0.5) * step
            ax.plot([low, high], [y, y], color=colour, linewidth=1.1, solid_capstyle="butt")
            ax.plot(mean, y, marker, color=colour, markersize=4.2, markeredgewidth=0)
    ax.set_xscale("log")
    plain_if_narrow(ax.xaxis)
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.set_yticks(range(len(values)), [names.get(value, str(value)) for value in values])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")


def error_rows(
    ax: Axes, data: xr.DataArray, axis: str, names: dict[Any, str], truth: xr.DataArray | None = None
) -> None:
    """Relative equivariance errors of the networks, on an axis that also has 0, and dashed the label's own.

    Args:
        ax: where to draw.
        data: over (method, axis, trial).
        axis: dimension whose values become the rows.
        names: what the values are called.
        truth: over (axis,), errors of the label.
    """
    rows(ax, data, axis, names)
    if truth is not None:
        for i, error in enumerate(truth.sel({axis: data[axis]}).values):
            ax.plot([error, error], [i - 0.45, i + 0.45], color=style.INK, linestyle=(0, (4, 2)), linewidth=0.9)
    ax.set_xscale("symlog", linthresh=1e-3)
    ax.set_xlim(-1e-4, 1)
    ax.set_xticks([0, 1e-3, 1e-2, 1e-1, 1], ["0", "$10^{-3}$", "$10^{-2}$", "$10^{-1}$", "1"])
