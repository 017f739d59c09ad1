"""Augmented data against the invariant kernel, and against averaging the output.

Reads two claims: an identity between predictions, and mean square errors of two series over the sample size.
"""

import numpy as np
from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

COLOURS = {
    "invariant kernel": style.COLOURS["equivariant"],
    "symmetrised output": style.COLOURS["averaged"],
}


def draw(inputs: Inputs) -> Picture:
    """Predictions on the diagonal; error against the sample size."""
    figure, (same, other) = style.panels(2, width=style.PAGE, height=2.7)
    predicted = inputs.predicted("augmentation_is_invariant_kernel")
    found = inputs.evidence("augmentation_is_invariant_kernel").values
    other_kernel = inputs.violation("augmentation_is_invariant_kernel").values
    same.plot(predicted, other_kernel, "x", color=style.QUIET, markeredgewidth=0.8, label="kernel without the symmetry")
    same.plot(
        predicted, found, "o", color=style.COLOURS["augmented"], markeredgewidth=0, label="kernel with the symmetry"
    )
    ends = np.array([predicted.min(), predicted.max()])
    style.theory(same, ends, ends)
    same.legend(loc="upper left", handlelength=0.8, handletextpad=0.4)
    same.set_xlabel("prediction, invariant kernel and ridge $\\lambda$")
    same.set_ylabel("prediction, augmented data\nand ridge $|G|\\lambda$")
    low, high = same.get_ylim()
    same.set_ylim(low, high + 0.3 * (high - low))

    errors = inputs.evidence("symmetrised_output_differs")
    mean, low, high = style.error_interval(errors.values, errors.standard_error, errors.trials)
    for row, name in enumerate(errors.series):
        style.measured(other, errors.points, mean[row], low[row], high[row], COLOURS[name])
    other.set_ylim(bottom=0)
    other.set_xticks(errors.points)
    other.set_xlabel("samples $n$")
    other.set_ylabel("mean square error")
    style.label_ends(other, [(mean[row, -1], name, COLOURS[name]) for row, name in enumerate(errors.series)])
    style.key(figure, measured="mean", trials=errors.trials, theory="equality")
    return figure


FIGURE = Figure(
    name="augmentation",
    title="Augmenting the data is using the invariant kernel; averaging the output is not",
    caption=(
        "Kernel ridge regression on a quadratic target that is invariant under cyclic shifts. (a) Predictions at "
        "test points from the fully augmented sample and from the invariant kernel: the same numbers, to rounding, "
        "unless the kernel lacks the symmetry of the data. (b) Mean square error on fresh points: averaging the "
        "output of the plain estimator leaves a larger error."
    ),
    draw=draw,
    experiments=(),
    claims=("augmentation_is_invariant_kernel", "symmetrised_output_differs"),
    figure_of_paper=(
        "Mei, Misiakiewicz and Montanari, COLT 2021, arXiv 2102.13219, in content; the parameters of their figures "
        "were not found"
    ),
)
