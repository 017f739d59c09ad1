"""Hard, soft and free networks from obeyed to broken symmetry.

Reads ``test_error`` and ``equivariance_error`` over (method, breaking, trial), and ``data_error``.
"""

import numpy as np
from matplotlib.figure import Figure as Picture

from paper_figures import contests, style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]


def draw(inputs: Inputs) -> Picture:
    """Test error against the level of breaking, and the error of the model against that of the label."""
    data = inputs.results["breaking_sweep"]
    methods, levels = contests.present(data), data["breaking"].values
    figure, (left, right) = style.panels(2, width=style.PAGE, height=3.3)
    for method in methods:
        _, colour, marker = contests.METHODS[method]
        errors = data["test_error"].sel({"method": method, "test": "same law"}).transpose("breaking", "trial")
        mean, low, high = (np.exp(end) for end in style.mean_interval(np.log(errors)))
        style.measured(left, levels, mean, low, high, colour, marker=marker)
        true = data["data_error"].isel(group=-1).sel(breaking=levels).values
        found = data["equivariance_error"].sel({"method": method}).isel(group=-1).transpose("breaking", "trial")
        mean, low, high = style.mean_interval(found)
        style.measured(right, true, mean, low, high, colour, marker=marker)
    left.set_yscale("log")
    left.set_xlabel("breaking $b$, share of the column taken away")
    left.set_ylabel("test mean square error")
    limit = 1.05 * float(data["data_error"].isel(group=-1).max())
    style.theory(right, [0, limit], [0, limit])
    right.set_xlabel("relative error of the label under O(3)")
    right.set_ylabel("relative error of the network")
    extra = contests.handles(methods)
    style.key(figure, trials=data.sizes["trial"], theory="equal errors", extra=extra, columns=5)
    return figure


FIGURE = Figure(
    name="breaking_sweep",
    title="From obeyed to broken: hard, soft and free networks",
    caption=(
        "Networks of the same number of parameters learn the tensor of inertia with one column multiplied by 1 - b. "
        "(a) Test error against the level of breaking: a soft method is worth its name if it stays near the lower "
        "envelope of the equivariant network and the perceptron. (b) Equivariance error of the trained network "
        "against that of the label: on the diagonal a network has as much symmetry as its data."
    ),
    draw=draw,
    experiments=("breaking_sweep",),
    claims=("soft_outlives_hard",),
    figure_of_paper=(
        "own experiment; (b) in the form of Wang, Walters and Yu, ICML 2022, arXiv 2201.11969, model error against "
        "data error"
    ),
)
