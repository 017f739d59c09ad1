"""The equivariance error of a network against its bound, as its weights leave the equivariant ones.

Reads what was measured for the claim ``penalty_bounds_network_error``.
"""

from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]


def draw(inputs: Inputs) -> Picture:
    """Largest error found, and the bound."""
    claim = "penalty_bounds_network_error"
    evidence, bound = inputs.evidence(claim), inputs.predicted(claim)
    figure, axes = style.panels(len(evidence.series), width=style.PAGE, height=2.5)
    for ax, series, values, limit, colour in zip(axes, evidence.series, evidence.values, bound, style.CYCLE):
        style.measured(ax, evidence.points, values, None, None, colour)
        style.theory(ax, evidence.points, limit)
        ax.set_xlabel("$t$, from equivariant (0) to as drawn (1)")
        ax.set_ylabel(r"largest $|f(gx) - g f(x)|$")
        ax.set_title(series, loc="right")
    style.key(figure, measured="largest error over elements and inputs", theory="bound")
    return figure


FIGURE = Figure(
    name="penalty_bound",
    title="What the penalty means for a whole network",
    caption=(
        "Networks with equivariant nonlinearities whose weights are moved along a line from equivariant (t = 0) to "
        "as drawn (t = 1). The error grows in proportion to t and stays below the bound by the layers' distances from "
        "equivariance and their norms; where one layer alone is broken the bound is nearly reached."
    ),
    draw=draw,
    experiments=(),
    claims=("penalty_bounds_network_error",),
    figure_of_paper="own; the bound was derived here, that of Kim, Lee, Yang and Lee, ICML 2023, was not found",
)
