"""The samples three learners need for one task, against the dimension: slopes 2, 1 and 0.

Reads the claims on each learner's rate, and the one that compares them at the same dimensions; the dashed lines have
the predicted exponents and go through the geometric mean of the measurements.
"""

import numpy as np
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from paper_figures import style
from paper_figures.record import Figure, Inputs
from theory.inductive_bias import effective_dimension

__all__ = ["FIGURE"]

LEARNERS = {
    "fully connected": (style.COLOURS["plain"], "s", r"$\propto d^2$"),
    "locally connected": (style.COLOURS["partial"], "^", r"$\propto d$"),
    "convolutional": (style.COLOURS["equivariant"], "o", "constant"),
}
"""Learner -> its colour, marker, and law."""


def draw(inputs: Inputs) -> Picture:
    """Samples to an accuracy of 85 % against the dimension, both logarithmic."""
    figure, (ax,) = style.panels(width=style.COLUMN, height=3.1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    both = inputs.evidence("samples_separated")
    points, counts = [], [both.trials]
    for learner, (colour, marker, law) in LEARNERS.items():
        claim = f"samples_{learner.replace(' ', '_')}"
        rate = inputs.evidence(claim)
        n, low, high = style.error_interval(rate.values, rate.standard_error, rate.trials)
        style.measured(ax, rate.points, n, low, high, colour, marker=marker)
        row = both.series.index(learner)
        at = effective_dimension(both.points) if learner == "fully connected" else both.points
        ax.plot(at, both.values[row], marker, color=colour, markerfacecolor="white", zorder=4)
        centre = np.exp(np.mean(np.log([rate.points, n]), axis=1))
        ends = np.array([at.min() / 1.15, rate.points.max() * 1.15])
        predicted = centre[1] * (ends / centre[0]) ** float(inputs.predicted(claim))
        style.theory(ax, ends, predicted)
        beside = learner == "fully connected"  # its line ends in the middle; above the others' ends there is room
        style.name(ax, f"{learner}, {law}", ends[1], predicted[1], colour, (4, -2) if beside else (0, 6), left=beside)
        points.extend([*rate.points, *at])
        counts.append(rate.trials)
    ax.set_xlabel("dimension $d$")
    ax.set_ylabel("samples $n^*$ to 85 % accuracy")
    style.plain_ticks(ax.xaxis, points)
    hollow = Line2D(
        [], [], color=style.QUIET, marker="o", linestyle="", markerfacecolor="white", label="second measurement"
    )
    style.key(figure, measured="measured", trials=counts, theory="law", extra=[hollow], columns=2)
    return figure


FIGURE = Figure(
    name="sample_complexity",
    title="A learner pays for symmetry that the task does not have",
    caption=(
        "Which half of the coordinates is longer, learned by three ridge regressions on squares. The fully connected "
        "one treats all rotations alike, the locally connected one has a free weight for each coordinate, the "
        "convolutional one has one weight for each half. Open marks are a second, independent measurement of all "
        "three. The exponents of the dashed lines are predicted, their heights are not; for the fully connected "
        "learner d is the effective dimension, the root of d (d + 1/2)."
    ),
    draw=draw,
    experiments=(),
    claims=("samples_fully_connected", "samples_locally_connected", "samples_convolutional", "samples_separated"),
    figure_of_paper=(
        "the bounds of Li, Zhang and Arora, ICLR 2021, arXiv 2010.08515, and the order of Wang and Wu, NeurIPS 2023, "
        "arXiv 2305.08404, whose own task was not found"
    ),
)
