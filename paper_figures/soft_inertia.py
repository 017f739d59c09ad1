"""Test errors of soft methods on the tensor of inertia with one column erased.

Reads ``test_error`` over (method, axis, trial, test) and ``equivariance_error`` beside ``data_error``.
"""

import json

from matplotlib.figure import Figure as Picture

from paper_figures import contests, style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

AXES = {0: "axis $x$", 1: "axis $y$", 2: "axis $z$", -1: "two axes"}


def draw(inputs: Inputs) -> Picture:
    """Test error in and out of the training law, and the equivariance error of the models beside the labels'."""
    data = inputs.results["soft_inertia"]
    shift = json.loads(data.attrs["config"])["shift"]
    count = data.sizes["axis"]
    figure, axes = style.panels(3, width=style.PAGE, height=1.7 + 0.75 * count, sharey=True)
    for ax, test in zip(axes, ("same law", "shifted")):
        contests.rows(ax, data["test_error"].sel(test=test), "axis", AXES)
        ax.set_xlabel("mean square error, " + ("same law" if test == "same law" else f"shifted by {shift:g}"))
    axes[0].set_ylabel("modified column")
    worst, truth = (data[name].isel(group=-1) for name in ("equivariance_error", "data_error"))
    contests.error_rows(axes[2], worst, "axis", AXES, truth)
    axes[2].set_xlabel("relative error under O(3)")
    extra = contests.handles(contests.present(data), line=False)
    style.key(figure, trials=data.sizes["trial"], theory="error of the label", extra=extra, columns=4)
    return figure


FIGURE = Figure(
    name="soft_inertia",
    title="One axis is special: hard, soft and free networks on the tensor of inertia",
    caption=(
        "The tensor of inertia of five point masses with the column of one axis multiplied by 1 + epsilon, so that of "
        "O(3) only the turns and mirrors of one plane are left. All methods have the same number of parameters and the "
        "same tuning. (a) Test error. (b) Test error at shifted positions. (c) Relative equivariance error of the "
        "trained network under all of O(3), and that of the label itself."
    ),
    draw=draw,
    experiments=("soft_inertia",),
    claims=(),
    figure_of_paper=(
        "Kim, Lee, Yang and Lee, ICML 2023, arXiv 2306.00356, errors by broken axis; sizes read in their code, their "
        "figures and numbers were not found"
    ),
)
