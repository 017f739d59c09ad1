"""How well a shape is known from any number of views, for poolings that were trained on sets of one size, or in stages.

Reads ``iou``, ``cross_entropy`` and ``order_spread`` over (method, trial, views).
"""

import json

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

_METHODS = {
    "mean": ("mean", style.QUIET),
    "max": ("maximum", style.COLOURS["partial"]),
    "sum": ("sum", "#8c6d31"),
    "gru": ("GRU", style.COLOURS["plain"]),
    "attention": ("attention", style.COLOURS["equivariant"]),
    "attention_sizes": ("all sizes", "#56b4e9"),
    "attention_staged": ("two stages", style.COLOURS["averaged"]),
}
"""Method -> its name in the picture and its colour."""
_STAGED, _AT_ONCE = ("attention_sizes", "attention_staged"), "attention"


def _curves(ax: Axes, values: xr.DataArray, names: tuple[str, ...], title: str, seen: int) -> None:
    views, ends = values.views.values, []
    for name in names:
        text, colour = _METHODS[name]
        mean, low, high = style.mean_interval(values.sel({"method": name}).transpose("views", "trial").values)
        style.measured(ax, views, mean, low, high, colour, clip_on=False)
        ends.append((mean[-1], text, colour))
    ax.axvline(seen, color=style.QUIET, linewidth=0.8, linestyle=(0, (1, 2)))
    ax.set(xscale="log", xlim=(views[0], views[-1]))
    style.plain_ticks(ax.xaxis, views)
    ax.set_xlabel("views of a shape")
    ax.set_ylabel(title)
    style.label_ends(ax, ends)


def draw(inputs: Inputs) -> Picture:
    """IoU (a), its difference to attention trained at once (b), cross-entropy (c) and the spread over orders (d)."""
    data = inputs.results["view_pooling"].sortby("views")
    seen = json.loads(data.attrs["config"])["seen"]
    names = tuple(name for name in _METHODS if name in data["method"])
    figure, axes = style.panels(2, rows=2, width=style.PAGE, height=5.2)
    axes[2].set_yscale("log")
    _curves(axes[0], data.iou, names, "IoU", seen)
    lead = data.iou - data.iou.sel({"method": _AT_ONCE})
    _curves(axes[1], lead, tuple(name for name in _STAGED if name in names), "IoU beyond attention", seen)
    _curves(axes[2], data.cross_entropy, names, "cross-entropy in nats", seen)
    shown = tuple(name for name in ("gru", _AT_ONCE) if name in names)  # all others are as attention
    _curves(axes[3], data.order_spread, shown, "spread of the IoU over orders", seen)
    axes[0].text(
        seen, 0.03, "training ", ha="right", color=style.QUIET, fontsize=8, transform=axes[0].get_xaxis_transform()
    )
    axes[1].axhline(0, color=style.COLOURS["equivariant"], linewidth=0.8)
    style.plain_ticks(axes[2].yaxis, data.cross_entropy.values)
    style.key(figure, measured="mean", trials=data.sizes["trial"])
    return figure


FIGURE = Figure(
    name="view_pooling",
    title="What poolings make of sets that are larger or smaller than those in training",
    caption=(
        "Shapes of ellipses and rectangles, predicted from silhouettes. Networks with equal encoders and decoders take "
        "as many steps each, on sets of as many views as the dotted line says; but for two stages, where encoder and "
        "decoder have learned from single views and the attention pooling alone from sets, and all sizes, where sets "
        "have one view up to that many. Intersection over union with the true shape (a), and how much more it is than "
        "with attention trained at once, trial by trial (b); cross-entropy of a pixel (c); the standard deviation of "
        "the IoU over random orders of the same views, which is 0 for all but the recurrent network (d)."
    ),
    draw=draw,
    experiments=("view_pooling",),
    claims=(
        "staged_pooling_loses_nothing_with_more_views",
        "staged_pooling_is_better_for_one_view",
        "sets_of_all_sizes_do_what_stages_do",
    ),
    figure_of_paper="in the spirit of Yang et al. (IJCV 2019), whose tables of IoU by number of views were not found",
)
