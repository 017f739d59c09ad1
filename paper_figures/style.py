"""How every figure looks: one set of rcParams, one palette, and the few marks that figures are made of.

*Measured* values are solid lines with dots, *theory* is dashed and dark, a *band* is the 95 % confidence interval of
the mean over trials, and the number of trials stands in the figure's key. A quantity keeps its colour from figure to
figure: ``COLOURS["plain"]`` is always the learner without symmetry and ``COLOURS["equivariant"]`` the one with it.
The palette is that of Okabe and Ito, which stays apart for every common kind of colour blindness and in grey.

Widths are those of a two-column page, in inches: ``COLUMN`` for one column and ``PAGE`` for both. Text is 7 to 9 points
in the STIX fonts that come with matplotlib, so a figure is printed as drawn, without scaling.

Nothing here is global: ``with style.applied():`` sets the parameters and takes them back.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib
import matplotlib.colors
import numpy as np
import scipy.optimize
import scipy.special
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

__all__ = [
    "COLOURS",
    "COLUMN",
    "CYCLE",
    "INK",
    "PAGE",
    "QUIET",
    "applied",
    "bound",
    "error_interval",
    "for_text",
    "key",
    "label_ends",
    "mean_interval",
    "measured",
    "name",
    "panels",
    "plain_ticks",
    "reference_slope",
    "theory",
]

COLUMN, PAGE = 3.3, 6.8
INK, QUIET = "#1a1a1a", "#767676"
COLOURS = {
    "plain": "#d55e00",  # no symmetry: fully connected, unstructured kernel
    "augmented": "#cc79a7",  # symmetry in the data
    "averaged": "#009e73",  # symmetry in the predictions
    "partial": "#e69f00",  # some of the symmetry: locally connected
    "equivariant": "#0072b2",  # symmetry in the model
}
CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")

_AROUND = 0.9
"""Inches of a row's height that tick labels, axis label, title and key take; at most."""

_PARAMETERS = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 5.0,
    "axes.prop_cycle": matplotlib.cycler(color=CYCLE),
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.which": "major",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.minor.size": 1.7,
    "ytick.minor.size": 1.7,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "lines.linewidth": 1.3,
    "lines.markersize": 3.4,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.handlelength": 2.0,
    "legend.columnspacing": 1.4,
    "legend.borderaxespad": 0.2,
    "legend.borderpad": 0.1,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 300,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "equiv",
}


@contextlib.contextmanager
def applied() -> Iterator[None]:
    """The parameters of every figure, for the length of a ``with`` block.

    Example:
        >>> with applied():
        ...     print(matplotlib.rcParams["font.family"])
        ['STIXGeneral']
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_PARAMETERS)
        yield


def panels(
    columns: int = 1, *, rows: int = 1, width: float = COLUMN, height: float = 2.4, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure with panels side by side, lettered if there is more than one.

    Args:
        columns: how many panels in a row.
        rows: how many rows of them.
        width: of the figure, in inches; ``COLUMN`` or ``PAGE``.
        height: of the figure, in inches.
        options: passed to ``Figure.subplots`` (``sharey`` and relatives).

    Returns:
        The figure and the list of its axes, row by row.

    Example:
        >>> with applied():
        ...     figure, axes = panels(2, width=PAGE)
        >>> [ax.get_title(loc="left") for ax in axes]
        ['a', 'b']
    """
    figure = Figure(figsize=(width, height))
    axes = list(figure.subplots(rows, columns, squeeze=False, **options).ravel())
    if len(axes) > 1:
        for ax, letter in zip(axes, "abcdefghijkl"):
            ax.set_title(letter, fontweight="bold")
    return figure, axes


def mean_interval(values: Any, axis: int = -1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and 95 % confidence interval over trials, ``mean -+ t_{0.975, n-1} s / sqrt(n)``.

    Args:
        values: (..., n, ...) one value per trial.
        axis: the axis of the trials.

    Returns:
        ``(mean, low, high)``, each without that axis. With one trial there is no interval and both ends are the mean.

    Example:
        >>> [round(float(v), 2) for v in mean_interval([1.0, 2.0, 3.0])]
        [2.0, -0.48, 4.48]
    """
    values = np.asarray(values, np.float64)
    n = values.shape[axis]
    mean = values.mean(axis)
    if n == 1:
        return mean, mean, mean
    half = scipy.special.stdtrit(n - 1, 0.975) * values.std(axis, ddof=1) / np.sqrt(n)
    return mean, mean - half, mean + half


def error_interval(values: Any, standard_error: Any, trials: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same interval from a stored mean and its standard error.

    Args:
        values: (...), means over trials.
        standard_error: like ``values``.
        trials: how many.

    Returns:
        ``(mean, low, high)``.

    Example:
        >>> [round(float(v), 2) for v in error_interval(2.0, 3**-0.5, 3)]
        [2.0, -0.48, 4.48]
    """
    mean = np.asarray(values, np.float64)
    half = scipy.special.stdtrit(trials - 1, 0.975) * np.asarray(standard_error, np.float64)
    return mean, mean - half, mean + half


def measured(ax: Axes, x: Any, mean: Any, low: Any, high: Any, colour: str, **options: Any) -> None:
    """A measured curve: solid line and dots, and the band of its 95 % interval.

    Args:
        ax: where to draw.
        x: (m,) positions.
        mean: (m,) values.
        low: (m,) lower end of the interval; None for values that are exact.
        high: (m,) upper end.
        colour: of line, dots and band.
        options: passed to ``Axes.plot``.
    """
    if low is not None:
        ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    ax.plot(x, mean, color=colour, **{"marker": "o", "markeredgewidth": 0, **options})


def bound(ax: Axes, x: float, y: float, away: tuple[float, float], colour: str, marker: str) -> None:
    """A hollow mark with an arrow: what is measured lies beyond it.

    Args:
        ax: where to draw.
        x: position.
        y: position.
        away: of the arrow's head from there, in points.
        colour: of mark and arrow.
        marker: of the mark.
    """
    arrow = {"arrowstyle": "<-", "color": colour, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 2}
    ax.annotate("", (x, y), xytext=away, textcoords="offset points", arrowprops=arrow)
    ax.plot([x], [y], color=colour, marker=marker, markerfacecolor="white", markeredgewidth=0.7, zorder=4)


def theory(ax: Axes, x: Any, y: Any, colour: str = INK, **options: Any) -> None:
    """A predicted curve: dashed, thin, above the measurements."""
    ax.plot(x, y, color=colour, **{"linestyle": (0, (4, 2)), "linewidth": 0.9, "zorder": 3, **options})


def reference_slope(
    ax: Axes, slope: float, start: tuple[float, float], factor: float, label: str | None = None
) -> None:
    """A short dashed line of known slope on log-log axes, labelled at its far end.

    Args:
        ax: log-log axes.
        slope: the exponent.
        start: (x, y) of the near end.
        factor: the far end is at ``factor`` times the near x.
        label: text at the far end; ``slope 2`` and so on if not given.
    """
    x = np.array([1.0, factor]) * start[0]
    y = start[1] * (x / start[0]) ** slope
    theory(ax, x, y)
    text = f"slope {slope:g}".replace("-", "\u2212") if label is None else label
    ax.annotate(text, (x[1], y[1]), xytext=(3, 0), textcoords="offset points", fontsize=7.5, va="center")


def label_ends(ax: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Names curves at their right ends, in their colours, moved apart where they would overlap.

    Call it last: the limits of the axes have to be final.

    Args:
        ax: where the curves are.
        labels: for each curve ``(y at the right end, text, colour)``.
    """
    size = matplotlib.rcParams["legend.fontsize"]
    rows = ax.get_gridspec().nrows
    gap = 1.15 * size / 72 / (ax.figure.get_figheight() / rows - _AROUND)
    ax.get_ylim()  # brings the limits up to date
    order = sorted(range(len(labels)), key=lambda i: labels[i][0])
    wanted = [(ax.transScale + ax.transLimits).transform((1.0, labels[i][0]))[1] for i in order]
    steps = gap * np.arange(len(order))
    heights = scipy.optimize.isotonic_regression(np.clip(wanted, 0, 1) - steps).x + steps
    heights -= max(0.0, heights[-1] - 1)
    for height, i in zip(heights, order):
        ax.text(
            1.02, height, labels[i][1], color=for_text(labels[i][2]), transform=ax.transAxes, va="center", fontsize=size
        )


def name(
    ax: Axes, text: str, x: float, y: float, colour: str, offset: tuple[float, float], *, left: bool = False
) -> None:
    """Names a curve inside the axes, where its right end has other curves beside it.

    Args:
        ax: where the curve is.
        text: its name.
        x: position on the curve.
        y: position on the curve.
        colour: of the curve.
        offset: of the text from there, in points.
        left: whether the text begins there; it ends there otherwise.
    """
    ax.annotate(
        text,
        (x, y),
        xytext=offset,
        textcoords="offset points",
        color=for_text(colour),
        fontsize=matplotlib.rcParams["legend.fontsize"],
        ha="left" if left else "right",
        va="bottom",
    )


def for_text(colour: str) -> tuple[float, float, float]:
    """The colour, darkened until thin letters of it read on white: a contrast of 3 to 1.

    Example:
        >>> for_text("#000000")
        (0.0, 0.0, 0.0)
    """
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    linear = linear * min(1.0, (1.05 / 3 - 0.05) / max(luminance, 1e-9))
    r, g, b = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).tolist()
    return r, g, b


def key(
    figure: Figure,
    *,
    measured: str | None = None,
    trials: int | Sequence[int] | None = None,
    theory: str | None = None,
    extra: Sequence[Any] = (),
    columns: int = 3,
) -> None:
    """The key above the panels: what solid, band and dashed stand for, and the number of trials behind a band.

    Args:
        figure: where to draw.
        measured: meaning of the solid lines, if any.
        trials: number of trials behind the bands, if any; several numbers are told as their range.
        theory: meaning of the dashed lines, if any.
        extra: further handles with labels.
        columns: entries per row.
    """
    handles: list[Any] = []
    if measured:
        handles.append(Line2D([], [], color=QUIET, marker="o", markeredgewidth=0, label=measured))
    if trials:
        ends = sorted({int(np.min(trials)), int(np.max(trials))})
        told = " to ".join(f"{count:,}" for count in ends)
        handles.append(Patch(facecolor=QUIET, alpha=0.3, linewidth=0, label=f"95 % interval, {told} trials"))
    if theory:
        handles.append(Line2D([], [], color=INK, linestyle=(0, (4, 2)), linewidth=0.9, label=theory))
    figure.legend(handles=[*handles, *extra], loc="outside upper left", ncols=columns)


def plain_ticks(axis: Axis, values: Any) -> None:
    """Ticks of a logarithmic axis at 1, 2, 5, 10, 20, ... (and 0.5, 0.2 ...) written out, none of them minor.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``, logarithmic.
        values: what the axis has to show; the ticks cover its range.
    """
    low, high = float(np.min(values)), float(np.max(values))
    ticks = [m * 10.0**e for e in range(-4, 9) for m in (1, 2, 5) if low / 1.3 <= m * 10.0**e <= high * 1.3]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.6g}"))
    axis.set_minor_locator(NullLocator())
