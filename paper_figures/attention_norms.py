"""What labels spend of the kernel's norm, against the norm of the target: RFA, biased RFA and RFMLP.

Reads what was measured for the claim ``attention_labels_have_a_bounded_norm``.
"""

from matplotlib.figure import Figure as Picture
from matplotlib.patches import Patch

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

MODELS = {
    "RFA": ("RFA", style.COLOURS["equivariant"]),
    "BRFA": ("biased RFA", style.COLOURS["averaged"]),
    "RFMLP": ("RFMLP", style.COLOURS["plain"]),
}
"""Model of the claim -> its name in the picture and colour."""


def draw(inputs: Inputs) -> Picture:
    """One panel for each target, one group of bars for each degree; the bound is a dashed line over each bar."""
    claim = "attention_labels_have_a_bounded_norm"
    evidence, bound = inputs.evidence(claim), inputs.predicted(claim)
    rows = [tuple(part.strip() for part in str(point).split(",")) for point in evidence.points]
    targets = list(dict.fromkeys(target for _, target, _ in rows))
    figure, axes = style.panels(len(targets), width=style.PAGE, height=2.7, sharey=True)
    for ax, target in zip(axes, targets):
        degrees = sorted({degree for _, other, degree in rows if other == target})
        for (model, other, degree), value, limit in zip(rows, evidence.values, bound):
            if other != target:
                continue
            shift = (list(MODELS).index(model) - 1) * 0.27
            at = degrees.index(degree) + shift
            ax.bar(at, value, 0.22, color=MODELS[model][1])
            style.theory(ax, [at - 0.12, at + 0.12], [limit, limit])
        ax.set_yscale("log")
        ax.set_xticks(range(len(degrees)), degrees)
        ax.grid(visible=False, axis="x")
        ax.set_xlabel("degree $p$")
        ax.set_title(target, loc="center")
    axes[0].set_ylabel(r"$y^{\top}(K + \epsilon I)^{-1} y$")
    bars = [Patch(facecolor=colour, label=label) for label, colour in MODELS.values()]
    style.key(figure, theory="norm of the target, a bound", extra=bars, columns=4)
    return figure


FIGURE = Figure(
    name="attention_norms",
    title="On any sample, labels spend at most the norm of their target",
    caption=(
        "The least squared norm of a function that interpolates the labels of a sample, up to a small ridge, for three "
        "kernels of infinitely many heads, and the norm that the target has in the kernel's space. The bound holds for "
        "every sample and grows with powers of the dimension where a learner is slow."
    ),
    draw=draw,
    experiments=(),
    claims=("attention_labels_have_a_bounded_norm",),
    figure_of_paper=(
        "none known: Fu, Guo, Bai and Mei, NeurIPS 2023, bound the norm of other weights, with constants that were not "
        "found; these bounds are derived here"
    ),
)
