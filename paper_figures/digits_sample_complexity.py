"""Sample complexity on handwritten digits: four ways to treat the symmetry of the square.

Reads ``accuracy`` and ``equivariance_error``, each over (model, n, trial).
"""

import json

from matplotlib.figure import Figure as Picture
from matplotlib.ticker import PercentFormatter

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

MODELS = {
    "mlp": ("plain", style.COLOURS["plain"], "s"),
    "mlp_augmented": ("augmented", style.COLOURS["augmented"], "^"),
    "mlp_averaged": ("averaged", style.COLOURS["averaged"], "D"),
    "equivariant_mlp": ("equivariant", style.COLOURS["equivariant"], "o"),
}
"""Model of the experiment -> its name in the picture, colour and marker."""
POSES = {"upright": "upright training images $n$", "random": "training images in random poses $n$"}
"""Setting ``poses`` of the experiment -> the label of the horizontal axes."""


def draw(inputs: Inputs) -> Picture:
    """Accuracy on turned and mirrored digits, and the equivariance error, against the number of training images."""
    data = inputs.results["digits_sample_complexity"]
    figure, axes = style.panels(2, width=style.PAGE, height=2.7)
    for ax, variable in zip(axes, ("accuracy", "equivariance_error")):
        ends = []
        for model in data.model.values.tolist():
            label, colour, marker = MODELS[model]
            trials = data[variable].sel(model=model).transpose("n", "trial")
            mean, low, high = style.mean_interval(trials)
            style.measured(ax, data.n, mean, low, high, colour, marker=marker)
            ends.append((mean[-1], label, colour))
        ax.set_xscale("log")
        ax.set_xlabel(POSES[json.loads(data.attrs["config"])["poses"]])
        style.plain_ticks(ax.xaxis, data.n.values)
        if variable == "accuracy":
            ax.set_ylabel("test accuracy in all eight poses")
            ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        else:
            ax.set_yscale("log")
            ax.set_ylabel("largest change of a logit / rms")
        style.label_ends(ax, ends)
    style.key(figure, measured="mean", trials=data.sizes["trial"])
    return figure


FIGURE = Figure(
    name="digits_sample_complexity",
    title="A model that knows the symmetry reads digits in any pose",
    caption=(
        "Handwritten digits of 8 x 8 pixels and four models of the same number of parameters, each trained on images "
        "in one pose and tested in all eight poses of the square. (a) Accuracy on held-out images. (b) Largest change "
        "of a logit when the image is turned or mirrored, relative to the size of the logits: rounding error where "
        "the symmetry is built in, of order one where it is not."
    ),
    draw=draw,
    experiments=("digits_sample_complexity",),
    claims=("equivariance_helps_on_digits",),
    figure_of_paper=(
        "own data, in the form of the accuracy against sample size plots of Li, Zhang and Arora, ICLR 2021; "
        "their figure compares convolutional and fully connected nets, and its parameters were not found"
    ),
)
