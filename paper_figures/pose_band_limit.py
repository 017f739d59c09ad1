"""The best log-likelihood of a density with a band limit on symmetric solids, and what a grid makes of sharp peaks.

Reads ``likelihood`` and ``predicted`` over (solid, l, bound), and ``gridded`` over (solid, l, bound, level, trial); the
dotted lines are ``theory.pose_densities.predict_ceiling``.
"""

import math

from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from paper_figures import style
from paper_figures.record import Figure, Inputs
from theory.pose_densities import SOLIDS, predict_ceiling

__all__ = ["FIGURE"]

_COLOURS = dict(zip(SOLIDS, ("#e69f00", "#56b4e9", "#0072b2", "#009e73", "#d55e00"), strict=True))
_DOTTED = (0, (1, 1.5))
_SHARPEST = "tetrahedron"
"""Of the solids without an axis of revolution, the one with the fewest labels and so the highest densities."""


def draw(inputs: Inputs) -> Picture:
    """Best log-likelihoods against the band limit (a), and the error of normalising by a grid (b)."""
    data = inputs.results["pose_band_limit"].sortby(["l", "level"]).isel(bound=-1)
    figure, axes = style.panels(2, width=style.PAGE, height=3.0)
    l, coarsest = data.l.values, int(data.level[0])
    ends = []
    for solid in SOLIDS:
        if solid in data.solid:
            one, colour = data.sel(solid=solid), _COLOURS[solid]
            style.measured(axes[0], l, one.likelihood.values, None, None, colour)
            style.theory(axes[0], l, one.predicted.values)
            ends.append((float(one.likelihood[-1]), solid, colour))
            if math.isfinite(ceiling := predict_ceiling(solid, coarsest)):
                axes[0].axhline(ceiling, color=colour, linestyle=_DOTTED, linewidth=0.9)
    axes[0].set(xticks=l)
    axes[0].set_xlabel("band limit $L$")
    axes[0].set_ylabel("best mean log-likelihood")
    style.label_ends(axes[0], ends)

    one = data.sel(solid=_SHARPEST if _SHARPEST in data.solid else data.solid[-1])
    ends = []
    for level, colour in zip(data.level.values, style.CYCLE, strict=False):
        errors = (one.gridded.sel(level=level) - one.likelihood).transpose("l", "trial").values
        mean, low, high = style.mean_interval(errors)
        style.measured(axes[1], l, mean, low, high, colour)
        ends.append((mean[-1], f"{60 / 2**level:.2g}\N{DEGREE SIGN} (level {level})", colour))
    axes[1].set(xticks=l)
    axes[1].set_xlabel("band limit $L$")
    axes[1].set_ylabel(f"error of the grid's value, {one.solid.item()}")
    style.label_ends(axes[1], ends)
    ceilings = Line2D([], [], color=style.INK, linestyle=_DOTTED, linewidth=0.9, label=f"ceiling of level {coarsest}")
    style.key(
        figure,
        measured="best, exact (a); mean (b)",
        trials=data.sizes["trial"],
        theory="Gaussian peaks",
        extra=[ceilings],
        columns=4,
    )
    return figure


FIGURE = Figure(
    name="pose_band_limit",
    title="A band limit decides which solids can be told apart from the uniform density",
    caption=(
        "(a) The largest mean log-likelihood, in the volume pi^2, of a density of rotations whose logits have the band "
        "limit L and blocks of bounded size, when all labels that look alike are equally likely. Below the first "
        "degree with an invariant of the solid it is that of the uniform density, -2.29; above, only the size of the "
        "logits limits it. A density on the cells of a grid cannot be above the dotted lines. (b) The same densities "
        "in random poses, normalised by the mean over a grid: peaks sharper than its cells fall between its "
        "rotations, and the value comes out too high."
    ),
    draw=draw,
    experiments=("pose_band_limit",),
    claims=("uniform_below_the_threshold",),
    figure_of_paper=(
        "own; Klee et al. (ICLR 2023) and Howell et al. (NeurIPS 2023) use L = 6, and are not known to measure this"
    ),
)
