"""The gap between predictions with M heads and with infinitely many, for three kinds of heads.

Reads ``gap`` over (law, heads, trial, m).
"""

import numpy as np
from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

HEADS = {
    "independent": (style.COLOURS["equivariant"], "o"),
    "orthogonal": (style.COLOURS["averaged"], "^"),
    "antithetic": (style.COLOURS["plain"], "s"),
}
"""Kind of heads -> colour and marker."""
TITLES = {"gaussian": "mean zero (RFA)", "biased": "biased RFA"}


def draw(inputs: Inputs) -> Picture:
    """One panel for each law; geometric means over trials."""
    data = inputs.results["attention_heads"]
    laws = [str(law) for law in data.law.values]
    figure, axes = style.panels(len(laws), width=style.PAGE, height=2.7, sharey=True)
    for ax, law in zip(axes, laws):
        ends = []
        for heads, (colour, marker) in HEADS.items():
            if heads not in data.heads.values:
                continue
            values = np.log(data.gap.sel(law=law, heads=heads).transpose("m", "trial").values)
            mean, low, high = (np.exp(part) for part in style.mean_interval(values))
            style.measured(ax, data.m, mean, low, high, colour, marker=marker)
            ends.append((mean[-1], heads, colour))
        ax.set_xscale("log")
        ax.set_yscale("log")
        style.plain_ticks(ax.xaxis, (min(data.m), max(data.m)))
        ax.set_xlabel("heads $M$")
        ax.set_title(TITLES[law], loc="center")
        first, middle = (float(data.m[k]) for k in (0, len(data.m) // 2))
        lowest = float(np.exp(np.log(data.gap.sel(law=law, m=middle)).mean("trial").min()))
        style.reference_slope(ax, -1, (first, lowest * middle / first / 6), middle / first)
        style.label_ends(ax, ends)
    axes[0].set_ylabel("gap / variance")
    style.key(figure, measured="geometric mean", trials=data.sizes["trial"], theory="slope of theory")
    return figure


FIGURE = Figure(
    name="attention_heads",
    title="Predictions with M heads approach the kernel's like 1 / M",
    caption=(
        "Mean square difference on test sets between ridge regression with M drawn heads and with the closed-form "
        "kernel of infinitely many, over the variance of the labels. Heads are independent, orthogonal as vectors in "
        "blocks, or in pairs of opposite noise; one head alone has the same law in all three."
    ),
    draw=draw,
    experiments=("attention_heads",),
    claims=("orthogonal_heads_are_nearer_to_the_kernel",),
    figure_of_paper="none known: the finite-head term of Fu, Guo, Bai and Mei, NeurIPS 2023, measured by itself",
)
