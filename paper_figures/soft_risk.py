"""The exact risk of soft, equivariant and free least squares against the level of breaking.

Reads what was measured for two claims of ``theory.soft_ridge``.
"""

from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from paper_figures import style
from paper_figures.record import Figure, Inputs
from theory.soft_ridge import predict_crossing

__all__ = ["FIGURE"]


def draw(inputs: Inputs) -> Picture:
    """Risks against the size of the broken part."""
    evidence, limits = inputs.evidence("soft_risk_below_both"), inputs.predicted("soft_risk_below_both")
    figure, (ax,) = style.panels(width=style.COLUMN, height=2.9)
    tau = evidence.points
    error = None if evidence.standard_error is None else evidence.standard_error[0]
    ends = (None, None) if error is None else style.error_interval(evidence.values[0], error, evidence.trials)[1:]
    style.measured(ax, tau, evidence.values[0], *ends, style.COLOURS["augmented"])
    for limit, colour in zip(limits, ("equivariant", "plain")):
        style.theory(ax, tau, limit, style.COLOURS[colour])
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(r"breaking $\tau$, per broken direction")
    ax.set_ylabel(r"risk $E\,|w - w^*|^2$")
    crossing = (predict_crossing(80, 60, 10) / 50) ** 0.5
    ax.axvline(crossing, color=style.QUIET, linewidth=0.7, linestyle=":")
    labels = [(evidence.values[0][-1], "soft", style.COLOURS["augmented"])]
    labels += [
        (limits[0][-1], "equivariant", style.COLOURS["equivariant"]),
        (limits[1][-1], "free", style.COLOURS["plain"]),
    ]
    style.label_ends(ax, labels)
    crossed = Line2D([], [], color=style.QUIET, linewidth=0.7, linestyle=":", label="limits cross, by formula")
    trials = evidence.trials
    style.key(figure, measured="best strength", trials=trials, theory="its two limits", extra=[crossed], columns=2)
    return figure


FIGURE = Figure(
    name="soft_risk",
    title="Soft equivariance in linear regression is never worse than either limit",
    caption=(
        "Least squares with a ridge on what breaks the symmetry, of the best strength, against the size of the broken "
        "part of the target. Without breaking it is the equivariant fit, with much of it least squares, and in between "
        "it is below both. The dotted line is where the limits cross, by the formula."
    ),
    draw=draw,
    experiments=(),
    claims=("soft_risk_below_both", "equivariant_and_free_risk_cross"),
    figure_of_paper="own; the exact theory of the projection penalty in its simplest model",
)
