"""Which of two symmetries a method keeps: cosines under rotations and changes of scale.

Reads ``test_error`` and ``equivariance_error`` over (method, kind, trial) and ``data_error`` over (kind, group).
"""

from matplotlib.figure import Figure as Picture

from paper_figures import contests, style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

KINDS = {
    "so3-scale": "both kept",
    "so3": "scale broken",
    "scale": "rotation broken",
    "none": "both broken",
}


def draw(inputs: Inputs) -> Picture:
    """Median square error, and the errors of the models under rotations and under scalings beside the labels'."""
    data = inputs.results["soft_cosine_similarity"]
    count = data.sizes["kind"]
    figure, axes = style.panels(3, width=style.PAGE, height=1.6 + 0.6 * count, sharey=True)
    contests.rows(axes[0], data["test_error"].sel(test="same law"), "kind", KINDS)
    axes[0].set_xlabel("median square error")
    axes[0].set_ylabel("label")
    for ax, group, name in zip(axes[1:], (0, 1), ("rotations", "changes of scale")):
        found, truth = (data[variable].isel(group=group) for variable in ("equivariance_error", "data_error"))
        contests.error_rows(ax, found, "kind", KINDS, truth)
        ax.set_xlabel(f"relative error, {name}")
    extra = contests.handles(contests.present(data), line=False)
    style.key(figure, trials=data.sizes["trial"], theory="error of the label", extra=extra, columns=4)
    return figure


FIGURE = Figure(
    name="soft_cosine_similarity",
    title="Two symmetries, each kept or broken by the label",
    caption=(
        "The mean cosine between three vectors, plus terms that break its invariance under changes of scale, under "
        "rotations, or under both. (a) Median square error on test data. (b, c) Relative error of the trained network "
        "under rotations and under changes of scale, and that of the label itself: a method has found the symmetries "
        "if its marks are on the dashed lines."
    ),
    draw=draw,
    experiments=("soft_cosine_similarity",),
    claims=(),
    figure_of_paper=(
        "Kim, Lee, Yang and Lee, ICML 2023, arXiv 2306.00356, the task with two symmetries; their numbers were not "
        "found"
    ),
)
