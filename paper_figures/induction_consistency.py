"""How far maps from an image to the sphere are from commuting with turns, against the number of pixels.

Reads ``error`` over (layer, angle, side, trial); the dashed line of the second panel is the rounding of one number.
"""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import NullLocator

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

_LAYERS = {
    "pooled": ("pooled, perceptron", style.COLOURS["plain"]),
    "rings": ("induced, rings", style.COLOURS["partial"]),
    "vectors": ("induced, vectors", style.COLOURS["averaged"]),
    "scalars": ("induced, scalars", style.COLOURS["equivariant"]),
    "orthographic": ("orthographic", style.COLOURS["augmented"]),
}
"""Layer -> its name in the picture and its colour."""
_LOWEST = 1e-18


def _curves(ax: Axes, errors: xr.DataArray, named: bool) -> None:
    """Means over the trials of the largest error over some angles."""
    ends = []
    for layer, (text, colour) in _LAYERS.items():
        if layer in errors["layer"]:
            trials = errors.sel(layer=layer).max("angle").transpose("side", "trial").values
            mean, low, high = (v.clip(min=_LOWEST) for v in style.mean_interval(trials))
            style.measured(ax, errors.side.values, mean, low, high, colour, clip_on=False)
            ends.append((mean[-1], text, colour))
    sides = errors.side.values
    ax.set(xscale="log", yscale="log", xlim=(sides.min(), sides.max()), ylim=(_LOWEST, 10))
    ax.set_xticks([side for side in (7, 10, 14, 20, 28, 40, 56) if sides.min() <= side <= sides.max()])
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("$N$, pixels along the image")
    if named:
        style.label_ends(ax, ends)


def draw(inputs: Inputs) -> Picture:
    """Relative errors under turns in general (a), and under quarter turns (b)."""
    error = inputs.results["induction_consistency"].sortby("side").error
    quarter = error.angle.values % 90 == 0
    figure, axes = style.panels(2, width=style.PAGE, height=2.9, sharey=True)
    axes[0].set_ylabel("error of consistency, relative")
    _curves(axes[0], error.isel(angle=np.flatnonzero(~quarter)), named=False)
    _curves(axes[1], error.isel(angle=np.flatnonzero(quarter)), named=True)
    style.theory(axes[1], error.side.values, np.full(error.sizes["side"], np.finfo(np.float64).eps))
    axes[0].set_title("other turns, the largest error", loc="right")
    axes[1].set_title("quarter turns", loc="right")
    style.key(
        figure,
        measured="mean over scenes",
        trials=error.sizes["trial"],
        theory=r"rounding, $\epsilon = 2.2 \cdot 10^{-16}$",
    )
    return figure


FIGURE = Figure(
    name="induction_consistency",
    title="From images to the sphere: exact at quarter turns, and spectrally accurate in between",
    caption=(
        "A scene of Gaussians, known everywhere, is turned and looked at by N x N pixels; the error is the relative "
        "difference of the signal on the sphere from the turned signal. (a) Under turns in general the sum over pixels "
        "converges faster than any power of N, until what the kernels leave at the edge of the disc is reached (rings, "
        "orthographic). At 7 x 7 pixels, the size of the feature maps of the published networks, the error is of order "
        "one for learned kernels and a tenth for the orthographic lift, whose kernel is broad. (b) Under quarter turns "
        "it is rounding. A perceptron of pooled features is not consistent under any turn, at any size."
    ),
    draw=draw,
    experiments=("induction_consistency",),
    claims=("induction_commutes_with_quarter_turns", "induction_error_falls_spectrally"),
    figure_of_paper="own; Howell et al. (NeurIPS 2023, arXiv 2307.03704) state the consistency",
)
