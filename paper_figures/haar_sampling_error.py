"""Errors of a group convolution whose integral is a sum, against the number of elements.

Reads ``equivariance_error`` and ``value_error`` over (method, n, trial) and ``elements`` over (method, n).
"""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

_NAMES = {
    "unweighted": ("no weights", style.COLOURS["plain"]),
    "weighted": ("Haar weights", style.COLOURS["augmented"]),
    "sobol": ("Sobol in a ball", style.COLOURS["averaged"]),
    "lattice": ("fixed lattice", style.COLOURS["partial"]),
    "relative": ("relative draws", "#56b4e9"),
    "relative_lattice": ("relative lattice", style.COLOURS["equivariant"]),
}
"""Method -> its name in the picture and its colour; independent draws in the ball are left out."""

_ROUNDING = 2.0**-54


def _curves(ax: Axes, errors: xr.DataArray, elements: xr.DataArray) -> list[tuple[float, str, str]]:
    """Geometric means over the trials, every number of elements once; what ``style.label_ends`` needs."""
    ends = []
    for method, (text, colour) in _NAMES.items():
        if method in errors.method:
            n, first = np.unique(elements.sel({"method": method}).values, return_index=True)
            # an error of zero is drawn as half a rounding
            trials = np.log(errors.sel({"method": method}).transpose("n", "trial").values[first].clip(min=_ROUNDING))
            mean, low, high = (np.exp(x) for x in style.mean_interval(trials))
            style.measured(ax, n, mean, low, high, colour)
            ends.append((mean[-1], text, colour))
    return ends


def draw(inputs: Inputs) -> Picture:
    """Errors of equivariance (a) and of the value (b) on log-log axes."""
    data = inputs.results["haar_sampling_error"]
    figure, axes = style.panels(2, width=style.PAGE, height=3.2)
    for ax, errors, label in (
        (axes[0], data.equivariance_error, "error of equivariance, relative"),
        (axes[1], data.value_error, "error of the value, relative"),
    ):
        ax.set_xscale("log")
        ax.set_yscale("log")
        ends = _curves(ax, errors, data.elements)
        n = data.n.values
        style.theory(ax, n, 6 * (n / n[0]) ** -0.5)
        ax.set_xlabel("elements in the sum $N$")
        ax.set_ylabel(label)
        style.label_ends(ax, ends)
    trials = data.sizes["trial"]
    style.key(figure, measured="geometric mean", trials=trials, theory=r"slope $-1/2$", columns=3)
    return figure


FIGURE = Figure(
    name="haar_sampling_error",
    title="Which sums over a group are equivariant, and which are right",
    caption=(
        "A group convolution over SL(2) on images and kernels made of Gaussians, where the sum over the group is the "
        "only error. Without Haar weights the error of equivariance (a) stops falling; with them it falls as one over "
        "the root of the number of samples, and on fixed lattices in Cartan coordinates faster than any power. Samples "
        "relative to the output are equivariant to rounding at any number, and a small lattice of them has the right "
        "value, too (b). Each trial has an image, kernels and samples of its own; sums without weights are compared "
        "after the best common factor."
    ),
    draw=draw,
    experiments=("haar_sampling_error",),
    claims=("haar_weights_give_the_rate", "relative_samples_are_exact", "lattices_are_accurate"),
    figure_of_paper=(
        "Mironenco and Forre, ICLR 2024, arXiv 2310.11366: equivariance error against samples, which its reviewers "
        "asked for; own set-up, the reviewed version has no such figure"
    ),
)
