"""Displacement errors of soft methods on trajectories, by units of length.

Reads ``test_error`` and ``equivariance_error`` over (method, normalisation, trial).
"""

from matplotlib.figure import Figure as Picture

from paper_figures import contests, style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

NORMALISATIONS = {
    "symm-aware": "one unit",
    "scale-aware": "a unit per axis",
    "symm+scale-aware": "one unit,\nelevation",
}


def draw(inputs: Inputs) -> Picture:
    """Average displacement error, and the equivariance error of the networks in the ground plane."""
    data = inputs.results["soft_trajectories"]
    count = data.sizes["normalisation"]
    figure, axes = style.panels(2, width=style.PAGE, height=1.5 + 0.65 * count, sharey=True)
    contests.rows(axes[0], data["test_error"].sel(test="same law"), "normalisation", NORMALISATIONS)
    axes[0].set_xscale("linear")
    axes[0].set_xlabel("average displacement error (m)")
    axes[0].set_ylabel("normalisation")
    contests.error_rows(axes[1], data["equivariance_error"].isel(group=0), "normalisation", NORMALISATIONS)
    axes[1].set_xlabel("relative error under O(2) of the ground plane")
    extra = contests.handles(contests.present(data), line=False)
    style.key(figure, trials=data.sizes["trial"], extra=extra, columns=4)
    return figure


FIGURE = Figure(
    name="soft_trajectories",
    title="Where will it be? Soft methods on vehicles in three units of length",
    caption=(
        "Vehicles seen at six points are predicted at the next six. Dividing all axes by one length keeps the symmetry "
        "of the ground plane, a length for each axis breaks it. (a) Average displacement error in metres. (b) Relative "
        "equivariance error of the trained network under the turns and mirrors of the ground plane."
    ),
    draw=draw,
    experiments=("soft_trajectories",),
    claims=(),
    figure_of_paper=(
        "Kim, Lee, Yang and Lee, ICML 2023, arXiv 2306.00356, the motion task; simulated vehicles stand in for the "
        "recordings, their numbers were not found"
    ),
)
