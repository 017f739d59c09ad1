"""Log-likelihood and spread of predicted poses against the number of views, for networks with and without a lift.

Reads ``log_likelihood`` and ``spread`` over (solid, model, n, trial) and ``equivalents`` over (solid).
"""

import json

import numpy as np
from matplotlib.figure import Figure as Picture

from experiments.pose import UNIFORM, ceiling
from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE", "MODELS"]

MODELS = {
    "induced": ("learned lift", style.COLOURS["equivariant"]),
    "mirror": ("learned, $q = 0$", "#56b4e9"),
    "orthographic": ("fixed lift", style.COLOURS["averaged"]),
    "steerable": ("steerable", style.COLOURS["partial"]),
    "steerable_mirror": ("steerable, $q = 0$", "#8c6d31"),
    "pooled": ("pooled", style.COLOURS["plain"]),
    "implicit": ("implicit", style.COLOURS["augmented"]),
    "fisher": ("matrix Fisher", style.QUIET),
}
"""Model -> its name in the picture and its colour."""
_LOWEST = -4.0
"""The lower edge of the log-likelihood; smaller ones are drawn there."""


def draw(inputs: Inputs) -> Picture:
    """Mean log-likelihood (above) and spread (below) against the number of training views, one solid per column."""
    data = inputs.results["pose_solids"].sortby("n")
    seen, n = data.solid.values.tolist(), data.n.values
    figure, axes = style.panels(len(seen), rows=2, width=style.PAGE, height=5.4)
    highest = ceiling(json.loads(data.attrs["config"])["test_level"], 1)
    for column, solid in enumerate(seen):
        one = data.sel(solid=solid)
        above, below = axes[column], axes[len(seen) + column]
        ends, spreads = [], []
        for model, (text, colour) in MODELS.items():
            if model in data.model:
                trials = one.sel(model=model).transpose("n", "trial", ...)
                for ax, values, names in (
                    (above, trials.log_likelihood.values.clip(min=_LOWEST), ends),
                    (below, trials.spread.values, spreads),
                ):
                    mean, low, high = style.mean_interval(values)
                    style.measured(ax, n, mean, low, high, colour, clip_on=False)
                    names.append((mean[-1], text, colour))
        best = highest - float(np.log(one.equivalents))
        for level in (UNIFORM, best):
            above.axhline(level, color=style.INK, linestyle=(0, (4, 2)), linewidth=0.9)
        above.set(xscale="log", ylim=(_LOWEST, best + 0.5))
        above.set_ylabel("log-likelihood")
        below.set(xscale="log", yscale="log", ylim=(2, 90))
        below.set_ylabel("spread in degrees")
        style.plain_ticks(below.yaxis, [2, 5, 10, 20, 50])
        for ax, names in ((above, ends), (below, spreads)):
            ax.set_xlabel(f"views of the {solid}")
            ax.set(xlim=(n[0], n[-1]))
            style.label_ends(ax, names)
    style.key(figure, measured="mean", trials=data.sizes["trial"], theory="uniform density, and ceiling of the grid")
    return figure


FIGURE = Figure(
    name="pose_solids",
    title="A lift to the sphere learns from a hundred views what pooling does not learn from thousands",
    caption=(
        "Networks are trained on views of one solid, each labelled with the rotation it was drawn with, and answer new "
        "views with a density over rotations; they differ in how a picture becomes a signal that SO(3) acts on, and "
        "all take as many steps. Above, the log-likelihood of held-out views in the volume pi^2, averaged over all "
        "equivalent rotations; the dashed lines are the uniform density and the most that the grid allows which the "
        "density is normalised by. Below, the mean angle to the nearest equivalent rotation under the density. The "
        "cube is its own mirror image, the twist is not. Log-likelihoods below the lower edge are drawn on it."
    ),
    draw=draw,
    experiments=("pose_solids",),
    claims=(
        "learned_lift_beats_pooling",
        "learned_lift_is_no_worse_than_the_fixed_one",
        "mirror_symmetric_solid_needs_no_q",
        "chiral_solid_gains_from_q",
    ),
    figure_of_paper="own; the curves of SYMSOL in Howell et al. (NeurIPS 2023) were not found",
)
