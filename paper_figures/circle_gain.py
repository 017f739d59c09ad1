"""Learning on the circle: n samples with the invariant kernel are worth m n with the plain one.

Reads one claim: a ratio of errors over the sample size, and the same for a target that is not invariant.
"""

from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]


def draw(inputs: Inputs) -> Picture:
    """The ratio of the two errors against n, for an invariant target and for another."""
    figure, (ax,) = style.panels(width=style.COLUMN, height=2.5)
    ax.set_xscale("log")
    ax.set_yscale("log")
    for name, colour, above, found in (
        ("invariant target", style.COLOURS["equivariant"], 6, inputs.evidence("learning_gain_on_circle")),
        ("target without the symmetry", style.COLOURS["plain"], -14, inputs.violation("learning_gain_on_circle")),
    ):
        ratio, low, high = style.error_interval(found.values, found.standard_error, found.trials)
        style.measured(ax, found.points, ratio, low, high, colour)
        style.name(ax, name, found.points[0], ratio[0], colour, (0, above), left=True)
    style.theory(ax, found.points, inputs.predicted("learning_gain_on_circle"))
    ax.set_xlabel("samples $n$ of the invariant kernel")
    ax.set_ylabel("error, invariant ($n$) / plain ($mn$)")
    style.plain_ticks(ax.xaxis, found.points)
    low, high = ax.get_ylim()
    ax.set_ylim(low / 1.5, high)
    style.plain_ticks(ax.yaxis, (low, high))
    style.key(figure, measured="mean", trials=found.trials, theory="equal errors", columns=2)
    return figure


FIGURE = Figure(
    name="circle_gain",
    title="With m symmetries one sample is worth m",
    caption=(
        "Kernel ridge regression on the circle with m shifts: the error of the invariant kernel on n samples over that "
        "of the plain kernel on m n samples, at the same ridge for each sample. For an invariant target the two agree; "
        "for a target that lacks the symmetry the invariant kernel never learns and the ratio grows."
    ),
    draw=draw,
    experiments=(),
    claims=("learning_gain_on_circle",),
    figure_of_paper=(
        "the gain of Tahmasebi and Jegelka, NeurIPS 2023, arXiv 2303.14269, as a collapse of learning curves; derived "
        "here, their figures' parameters were not found"
    ),
)
