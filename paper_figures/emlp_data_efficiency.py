"""Data efficiency of equivariant perceptrons: test error against the number of training examples, task by task.

Reads ``test_error`` over (learner, n, trial), a learner being ``task/model``, and the table of reported values.
"""

import numpy as np
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from paper_figures import style
from paper_figures.record import Figure, Inputs
from theory.emlp_data_efficiency import REPORTED, REPORTED_SIZES

__all__ = ["FIGURE"]

TASKS = {
    "o5": ("scalar of two vectors", {"identity": "SO(5)", "full": "O(5)"}),
    "inertia": ("tensor of inertia", {"identity": "SO(3)", "full": "O(3)"}),
    "lorentz": ("particle scattering", {"identity": "SO$^+$(1,3)", "special": "SO(1,3)", "full": "O(1,3)"}),
}
"""Task -> its name in the picture, and the group of each component."""
MODELS = {
    "mlp": ("plain", style.COLOURS["plain"], "s"),
    "mlp_augmented": ("augmented", style.COLOURS["augmented"], "^"),
    "scalars": ("scalars", style.COLOURS["averaged"], "D"),
    "emlp_identity": ("identity", "#56b4e9", "v"),
    "emlp_special": ("special", style.COLOURS["partial"], "P"),
    "emlp_full": ("full", style.COLOURS["equivariant"], "o"),
}
"""Model -> its name in the picture or the component whose group names it, colour and marker."""


def draw(inputs: Inputs) -> Picture:
    """One panel for each task: ours solid, reported values dashed in the same colour."""
    data = inputs.results["emlp_data_efficiency"]
    learners = [str(name) for name in data.learner.values]
    tasks = [task for task in TASKS if any(name.startswith(f"{task}/") for name in learners)]
    figure, axes = style.panels(len(tasks), width=style.PAGE, height=2.9)
    for ax, task in zip(axes, tasks):
        title, components = TASKS[task]
        ends = []
        for model, (label, colour, marker) in MODELS.items():
            name = f"{task}/{model}"
            if name not in learners:
                continue
            values = np.log10(data.test_error.sel(learner=name).transpose("n", "trial").values)
            mean, low, high = (10**part for part in style.mean_interval(values))
            style.measured(ax, data.n, mean, low, high, colour, marker=marker)
            if name in REPORTED:
                shown = [n in data.n.values for n in REPORTED_SIZES]
                x, y = np.array(REPORTED_SIZES)[shown], np.array(REPORTED[name])[shown]
                style.theory(ax, x, y, colour, marker=marker, markerfacecolor="white", markersize=2.6)
            ends.append((mean[-1], components.get(label, label), colour))
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("training examples $n$")
        ax.set_title(title, loc="center")
        style.label_ends(ax, ends)
    axes[0].set_ylabel("mean square test error")
    style.key(
        figure,
        measured="geometric mean",
        trials=data.sizes["trial"],
        extra=[
            Line2D(
                [],
                [],
                color=style.QUIET,
                linestyle=(0, (4, 2)),
                linewidth=0.9,
                marker="o",
                markersize=2.6,
                markerfacecolor="white",
                label="reported, Finzi et al. repository CSV",
            )
        ],
    )
    return figure


FIGURE = Figure(
    name="emlp_data_efficiency",
    title="A network that knows the group needs fewer examples",
    caption=(
        "Test error against the number of training examples on tasks with an exact symmetry. Plain and augmented "
        "perceptrons, perceptrons of all inner products (scalars), and equivariant networks named by the group they "
        "know. Errors are mean squares in the units of the labels, averaged over trials on the logarithmic axis. "
        "Dashed are the means of the authors' own three runs, with 384 channels."
    ),
    draw=draw,
    experiments=("emlp_data_efficiency",),
    claims=("equivariant_mlp_saves_data", "equivariance_beats_augmentation"),
    figure_of_paper=(
        "the data efficiency figure of Finzi, Welling and Wilson, ICML 2021: tasks, protocol and values read in the "
        "code and the results of their repository; the paper's own figure was not seen"
    ),
)
