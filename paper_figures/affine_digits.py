"""Digits moved by affine maps: accuracy against the strength of the maps, training digits, and elements of the group.

Reads ``accuracy`` over (data, model, n, trial, strength) and ``accuracy_samples`` over (data, model, n, trial,
samples).
"""

from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

MODELS = {
    "cnn": ("CNN", style.COLOURS["plain"], "s"),
    "cnn_augmented": ("CNN, augmented at strength 1", style.COLOURS["augmented"], "^"),
    "so2": ("SO(2)", style.COLOURS["partial"], "v"),
    "sl2": ("SL(2)", style.COLOURS["averaged"], "D"),
    "gl2": ("GL$^+$(2)", "#56b4e9", "P"),
    "moving_frame": ("moving frame", style.COLOURS["equivariant"], "o"),
}
"""Model of the experiment -> its name in the picture, colour and marker."""
NAMES = {"digits": "scikit-learn's digits", "strokes": "Gaussian strokes"}


def draw(inputs: Inputs) -> Picture:
    """One row for each source of digits, one column for each question."""
    results = inputs.results["affine_digits"]
    sources = results["data"].values.tolist()
    figure, axes = style.panels(3, rows=len(sources), width=style.PAGE, height=0.6 + 2.2 * len(sources), sharey="row")
    most = int(results["n"].max())
    beyond = [s for s in results["strength"].values if s > 1]
    for row, source in enumerate(sources):
        data = results.sel(data=source)
        left, middle, right = axes[3 * row : 3 * row + 3]
        for model in data["model"].values.tolist():
            _, colour, marker = MODELS[model]
            curves = (
                (left, data["strength"], data["accuracy"].sel(model=model, n=most), "strength"),
                (middle, data["n"], data["accuracy"].sel(model=model, strength=beyond).mean("strength"), "n"),
                (right, data["samples"], data["accuracy_samples"].sel(model=model, n=most), "samples"),
            )
            for ax, x, values, axis in curves:
                mean, low, high = style.mean_interval(values.transpose(axis, "trial"))
                style.measured(ax, x, mean, low, high, colour, marker=marker)
        left.axvline(1, color=style.QUIET, linewidth=0.6, zorder=0)
        left.set_ylabel(f"accuracy on {NAMES[source]}")
        left.yaxis.set_major_formatter(PercentFormatter(1.0))
        left.set_xlabel(f"strength of the maps, $n$ = {most:,}")
        middle.set_xlabel("training digits $n$, strength above 1")
        right.set_xlabel(f"elements, strength 1, $n$ = {most:,}")
        left.set_ylim(0, 1.05)
        for ax, values in ((middle, data["n"].values), (right, data["samples"].values)):
            ax.set_xscale("log")
            style.plain_ticks(ax.xaxis, values)
    extra = [
        Line2D([], [], color=colour, marker=marker, markeredgewidth=0, label=label)
        for label, colour, marker in (MODELS[model] for model in results["model"].values.tolist())
    ]
    style.key(figure, trials=results.sizes["trial"], extra=extra, columns=4)
    return figure


FIGURE = Figure(
    name="affine_digits",
    title="Trained upright, tested under affine maps",
    caption=(
        "Six classifiers of the same number of parameters have seen upright digits only, one of them also moved at "
        "strength 1, and read digits that are turned, sheared and stretched. Left: against the strength of the maps; "
        "the grey line is the range of affNIST. Middle: beyond it, against the number of training digits. Right: "
        "against the number of group elements in testing, 10 in training; a CNN has none. The moving frame takes its "
        "elements relative to the second moments of the image."
    ),
    draw=draw,
    experiments=("affine_digits",),
    claims=("moving_frame_outranges_augmentation", "few_elements_are_enough_for_a_moving_frame"),
    figure_of_paper=(
        "stands in for the affNIST table of Mironenco and Forré, ICLR 2024, arXiv 2310.11366, whose numbers were not "
        "found; own data and sizes"
    ),
)
