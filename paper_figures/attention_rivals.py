"""Learning curves of attention whose heads are trained, and of softmax in the place of relu.

Reads ``error`` over (learner, trial, n, task).
"""

from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.attention_learning_curves import curve, panel
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

RIVALS = {
    "brfa_heads": ("biased, relu", style.COLOURS["averaged"], "^"),
    "softmax_biased_heads": ("biased, softmax", style.COLOURS["partial"], "D"),
    "softmax_heads": ("mean 0, softmax", style.COLOURS["augmented"], "v"),
    "trained": ("trained, relu", style.INK, "o"),
}
"""Learner -> its name in the picture, colour and marker."""
TASKS = ("query 2", "key_average 2", "correlation 1", "correlation 3")


def draw(inputs: Inputs) -> Picture:
    """One panel for each of four tasks."""
    data = inputs.results["attention_learning_curves"]
    tasks = [task for task in TASKS if task in data.task.values]
    columns = min(2, len(tasks))
    rows = -(-len(tasks) // columns)
    figure, axes = style.panels(columns, rows=rows, width=style.PAGE, height=0.7 + 2.0 * rows)
    for ax, task in zip(axes, tasks):
        ends = []
        for learner, (label, colour, marker) in RIVALS.items():
            if learner in data.learner.values:
                ends.append((curve(ax, data, learner, task, colour, marker=marker), label, colour))
        panel(ax, data, task)
        style.label_ends(ax, ends)
    for ax in axes[len(tasks) :]:
        ax.remove()
    for ax in axes[::columns]:
        ax.set_ylabel("error / variance")
    style.key(figure, measured="geometric mean", trials=data.sizes["trial"], theory="a constant")
    return figure


FIGURE = Figure(
    name="attention_rivals",
    title="Trained heads and softmax beside random heads",
    caption=(
        "Mean square error on test sets over the variance of their labels, for powers p of a coordinate of the query, "
        "their average over the keys, and averages weighted by powers of inner products with the query. Random heads "
        "with relu or softmax scores, fitted by ridge regression, and one attention layer of few heads whose query-key "
        "matrices are trained with its values by Adam, with the learning rate and the step that are best on further "
        "samples."
    ),
    draw=draw,
    experiments=("attention_learning_curves",),
    claims=("trained_heads_overtake_random_ones",),
    figure_of_paper="none: whether Fu, Guo, Bai and Mei, NeurIPS 2023, show softmax or trained heads was not found",
)
