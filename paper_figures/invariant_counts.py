"""How many spherical harmonics a finite group of rotations leaves alone.

Reads two claims over several groups: counts per degree, and the excess of their share over 1 / |G| against the cut-off.
"""

import numpy as np
from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]


def draw(inputs: Inputs) -> Picture:
    """Number of invariants up to a degree, and the excess of their share."""
    figure, (number, share) = style.panels(2, width=style.PAGE, height=2.9)
    counts, formula = inputs.evidence("invariant_counts"), inputs.predicted("invariant_counts")
    colours = dict(zip(counts.series, style.CYCLE))
    everything = np.cumsum(2 * counts.points + 1)
    style.theory(number, counts.points, everything)
    ends = [(everything[-1], "all", style.INK)]
    for row, name in enumerate(counts.series):
        up_to, predicted = np.cumsum(counts.values[row]), np.cumsum(formula[row])
        style.theory(number, counts.points, predicted, drawstyle="steps-post", zorder=1.5)
        number.plot(counts.points, up_to, "o", color=colours[name], markeredgewidth=0)
        ends.append((up_to[-1], _name(name), colours[name]))
    number.set_yscale("log")
    number.set_xlabel("degree $L$")
    number.set_ylabel("invariant harmonics up to $L$, $N(L;G)$")
    style.plain_ticks(number.yaxis, everything)
    style.label_ends(number, ends)

    excess, bound = inputs.evidence("invariant_gain"), inputs.predicted("invariant_gain")
    ends = []
    for row, name in enumerate(excess.series):
        positive = excess.values[row] > 1e-12
        style.measured(share, excess.points[positive], excess.values[row, positive], None, None, colours[name])
        style.theory(share, excess.points, bound[row], colours[name])
        ends.append((excess.values[row, positive][-1], _name(name), colours[name]))
    share.set_xscale("log")
    share.set_yscale("log")
    share.set_xlabel("cut-off degree $L$")
    share.set_ylabel(r"$|G|\,N(L;G)\,/\,N(L) - 1$")
    style.plain_ticks(share.xaxis, excess.points)
    style.reference_slope(share, -2, (float(excess.points[0]), float(bound[:, 0].min()) / 30), 8)
    style.label_ends(share, ends)
    style.key(figure, measured="measured", theory="formula (a), upper bound (b)")
    return figure


def _name(group: str) -> str:
    return f"${group[0]}_{{{group[2:]}}}$" if group.startswith("C_") else group


FIGURE = Figure(
    name="invariant_counts",
    title="The share of invariant functions tends to one over the group's order",
    caption=(
        "Spherical harmonics invariant under finite groups of rotations. (a) Their number up to degree L: counted by "
        "averaging harmonics over the group (dots), and summed from the mean character (dashed). (b) How far the share "
        "of invariant harmonics is above 1 / |G|, and the bound, which falls as the square of L and is reached for the "
        "half turn; where the excess is exactly zero no dot is shown."
    ),
    draw=draw,
    experiments=(),
    claims=("invariant_counts", "invariant_gain"),
    figure_of_paper=(
        "Tahmasebi and Jegelka, NeurIPS 2023, arXiv 2303.14269: the counting behind the gain, as an exact plot "
        "of our own"
    ),
)
