"""How far layers with turned or shared kernels are from commuting, against the turn and against the scale factor.

Reads ``turning_error`` over (layer, step, trial) and ``scaling_error`` over (pyramid, step, trial).
"""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

_LAYERS = {
    "plain": ("plain", style.COLOURS["plain"]),
    "paper": ("paper's", style.COLOURS["augmented"]),
    "turning": ("turning", style.COLOURS["partial"]),
    "turning_harmonic": ("turning, harmonic", style.COLOURS["averaged"]),
    "c8": ("$C_8$, mean", style.COLOURS["equivariant"]),
    "c8_max": ("$C_8$, largest", "#56b4e9"),
}
"""Layer -> its name in the picture and its colour."""
_PYRAMIDS = {
    "independent": ("own kernels", style.COLOURS["plain"]),
    "shared": ("shared kernels", style.COLOURS["equivariant"]),
    "levels": ("no layer", style.QUIET),
}
_LOWEST = 1e-3
"""The lower edge of the panels; smaller errors are drawn there."""


def _curves(ax: Axes, x: np.ndarray, errors: xr.DataArray, axis: str, names: dict[str, tuple[str, str]]) -> None:
    """Means over the trials, each curve named at its right end, or at its top's height if it ends at zero."""
    ends = []
    for name, (text, colour) in names.items():
        if name in errors[axis]:
            trials = errors.sel({axis: name}).transpose("step", "trial").values
            mean, low, high = (v.clip(min=_LOWEST) for v in style.mean_interval(trials))
            style.measured(ax, x, mean, low, high, colour, clip_on=False)
            ends.append((mean.max() if mean[-1] == _LOWEST else mean[-1], text, colour))
    ax.set(yscale="log", ylim=(_LOWEST, 2))
    style.label_ends(ax, ends)


def draw(inputs: Inputs) -> Picture:
    """Relative errors of layers under turns (a), and of pyramids under changes of scale (b)."""
    data = inputs.results["turned_kernels"].sortby("step")
    figure, axes = style.panels(2, width=style.PAGE, height=3.0)
    step = data.step.values
    axes[0].set(xlim=(0, 90), xticks=[0, 15, 30, 45, 60, 75, 90])
    axes[0].set_xlabel("turn in degrees")
    axes[0].set_ylabel("error of equivariance, relative")
    _curves(axes[0], 90 * step, data.turning_error, "layer", _LAYERS)
    axes[1].set(xlim=(1, 2), xticks=[1, 1.25, 1.5, 1.75, 2])
    axes[1].set_xlabel("factor by which the image is smaller")
    axes[1].set_ylabel("error of equivariance, relative")
    _curves(axes[1], 2**step, data.scaling_error, "pyramid", _PYRAMIDS)
    style.key(figure, measured="mean", trials=data.sizes["trial"], columns=2)
    return figure


FIGURE = Figure(
    name="turned_kernels",
    title="Turned and shared kernels: exact at quarter turns and halvings, and nearly so in between",
    caption=(
        "One layer with random parameters on scenes that are known everywhere, so that no image is interpolated. (a) "
        "Under turns the paper's adaptive kernels are as far off as a plain convolution. If angles turn with the "
        "image, quarter turns are exact, and with harmonic kernels other turns are nearly so; a convolution over eight "
        "turns, with larger and smoother kernels, is nearer still, and at multiples of 45 degrees its error is that of "
        "the sum over pixels alone. (b) Output of a pyramid convolution on a smaller image, against the output on the "
        "larger one read between levels. With kernels that all levels share a halving is exact; in between the error "
        "is two or three times that of reading the levels themselves, without any layer. Errors below 0.001 are drawn "
        "on the lower edge; those at the ends are rounding."
    ),
    draw=draw,
    experiments=("turned_kernels",),
    claims=("turning_routing_is_nearer_to_equivariance", "pyramid_convolution_and_scale"),
    figure_of_paper="own; neither Pu et al. (ICCV 2023) nor Wang et al. (CVPR 2020) is known to measure this",
)
