"""Sample complexity on handwritten digits: four ways to treat the symmetry of the square.

Reads ``accuracy`` and ``equivariance_error``, each over (model, n, trial); the images to an accuracy of 80 % are those
of ``theory.digits_sample_complexity.images_needed``.
"""

import json

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from paper_figures import style
from paper_figures.record import Figure, Inputs
from theory.digits_sample_complexity import LEVEL, images_needed

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


_PERCENT = f"{100 * LEVEL:.0f} %"
_TARGET = {"color": style.QUIET, "linewidth": 0.8, "linestyle": (0, (1, 1.5))}
_HOLLOW = {"marker": "o", "markerfacecolor": "white", "markeredgewidth": 0.7, "linestyle": ""}


def _ticks(ax: Axes, sizes: np.ndarray) -> None:
    """Three sizes, for which there is room."""
    shown = np.unique(sizes[np.linspace(0, len(sizes) - 1, 3).round().astype(int)])
    ax.set_xticks(shown, [f"{n:,}" for n in shown], minor=False)
    ax.minorticks_off()


def _needed(ax: Axes, data: xr.Dataset) -> None:
    """A row for each model: the images it needs, and the band; hollow where all that is known is a bound."""
    models = [name for name in MODELS if name in data.model.values]
    trials = data if data.sizes["trial"] > 1 else data.isel(trial=[0, 0])  # of one trial: bands of no width
    for row, model in enumerate(models):
        _, colour, marker = MODELS[model]
        found = images_needed(trials, model)
        if found.censored:
            style.bound(ax, found.n_star, row, (12 * found.censored, 0), colour, marker)
        else:
            ax.plot([found.low, found.high], [row, row], color=colour, alpha=0.4, linewidth=4, solid_capstyle="butt")
            ax.plot([found.n_star], [row], color=colour, marker=marker, markeredgewidth=0)
    ax.set_xscale("log")
    ax.set_xlim(data.n.values.min() / 1.5, data.n.values.max() * 2.5)
    _ticks(ax, data.n.values)
    ax.set_yticks(np.arange(len(models)), [MODELS[model][0] for model in models])
    for text, model in zip(ax.get_yticklabels(), models):
        text.set_color(style.for_text(MODELS[model][1]))
    ax.set_ylim(len(models) - 0.5, -0.5)
    ax.set_xlabel(f"images $n^*$ to {_PERCENT}")


def draw(inputs: Inputs) -> Picture:
    """Accuracy on moved digits against the number of training images, the number to one accuracy, and what moves."""
    data = inputs.results["digits_sample_complexity"]
    figure, (accuracy, needed, error) = style.panels(3, width=style.PAGE, height=2.7, width_ratios=[4, 3, 4])
    for ax, variable in ((accuracy, "accuracy"), (error, "equivariance_error")):
        ends = []
        for model in data.model.values.tolist():
            label, colour, marker = MODELS[model]
            trials = data[variable].sel(model=model).transpose("n", "trial")
            mean, low, high = style.mean_interval(trials)
            style.measured(ax, data.n, mean, low, high, colour, marker=marker)
            ends.append((mean[-1], label, colour))
        ax.set_xscale("log")
        ax.set_xlabel(POSES[json.loads(data.attrs["config"])["poses"]])
        _ticks(ax, data.n.values)
        if variable == "accuracy":
            ax.axhline(LEVEL, **_TARGET)
            ax.set_ylabel("test accuracy in all eight poses")
            ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        else:
            ax.set_yscale("log")
            ax.set_ylabel("largest change of a logit / rms")
        style.label_ends(ax, ends)
    _needed(needed, data)
    extra = [Line2D([], [], label=f"{_PERCENT} accuracy", **_TARGET)]
    extra += [Line2D([], [], color=style.QUIET, label="bound: $n^*$ lies beyond", **_HOLLOW)]
    style.key(figure, measured="mean", trials=data.sizes["trial"], extra=extra, columns=4)
    return figure


FIGURE = Figure(
    name="digits_sample_complexity",
    title="A model that knows the symmetry reads digits in any pose",
    caption=(
        "Handwritten digits of 8 x 8 pixels and four models of the same number of parameters, each trained on images "
        "in one pose and tested in all eight poses of the square. (a) Accuracy on held-out images. (b) Images until "
        "the mean accuracy is 80 %, with the band of a bootstrap over trials; the plain model has not got there with "
        "all images where it is hollow. (c) Largest change "
        "of a logit when the image is turned or mirrored, relative to the size of the logits: rounding error where "
        "the symmetry is built in, of order one where it is not."
    ),
    draw=draw,
    experiments=("digits_sample_complexity",),
    claims=("equivariance_helps_on_digits", "symmetry_saves_images_of_digits"),
    figure_of_paper=(
        "own data, in the form of the accuracy against sample size plots of Li, Zhang and Arora, ICLR 2021; "
        "their figure compares convolutional and fully connected nets, and its parameters were not found"
    ),
)
