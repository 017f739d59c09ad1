"""Predicted densities over rotations as points on the globe, for views of solids that look alike from several sides.

Reads ``coefficients`` over (solid, model, n, view, coefficient), ``picture`` over (solid, view, row, column) and
``pose`` over (solid, view, i, j).
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib.figure import Figure as Picture

from equiv.groups.measures import so3_grid
from equiv.layers.so3 import log_density
from experiments.data import solids
from paper_figures import style
from paper_figures.pose_solids import MODELS
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

_SHOWN = ("pooled", "orthographic", "induced")
_LEVEL = 3
"""Of the grid that is drawn: 36,864 rotations."""
_VIEWS = 2
_SHARE = 0.999
"""How much of the density is drawn, the likeliest rotations first."""


def _globe(rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Longitude and latitude of where the axis of the solid points, and the turn about it, from 0 to 1."""
    x, y, z = np.moveaxis(rotations[..., :, 1], -1, 0)
    longitude, latitude = np.arctan2(x, z), np.arcsin(np.clip(y, -1, 1))
    turn = np.arctan2(rotations[..., 1, 0], -rotations[..., 1, 2])  # gamma of R_y(alpha) R_x(beta) R_y(gamma)
    return longitude, latitude, turn / (2 * np.pi) % 1


@functools.cache
def _density(coefficients: bytes, level: int) -> tuple[np.ndarray, np.ndarray]:
    """The grid and the share of each of its rotations."""
    x = np.frombuffer(coefficients, np.float32)
    l_max = next(l for l in range(99) if (l + 1) * (2 * l + 1) * (2 * l + 3) // 3 == x.size)
    ends = np.cumsum([(2 * l + 1) ** 2 for l in range(l_max)])
    blocks = tuple(jnp.asarray(part.reshape(2 * l + 1, 2 * l + 1)) for l, part in enumerate(np.split(x, ends)))
    share = np.exp(np.asarray(jax.jit(log_density, static_argnums=1)(blocks, level)))
    return np.asarray(so3_grid(level, np.float32)), share / share.sum()


def _draw_density(ax: Any, coefficients: np.ndarray, right: np.ndarray) -> None:
    grid, share = _density(coefficients.astype(np.float32).tobytes(), _LEVEL)
    order = np.argsort(share)[::-1]
    kept = order[: int(np.searchsorted(np.cumsum(share[order]), _SHARE)) + 1][:4000][::-1]
    longitude, latitude, turn = _globe(grid[kept])
    size = 0.4 + 60 * np.sqrt(share[kept] / max(share.max(), 0.004))
    ax.scatter(longitude, latitude, s=size, c=turn, cmap="hsv", vmin=0, vmax=1, linewidths=0, alpha=0.7)
    longitude, latitude, turn = _globe(right)
    rim = matplotlib.colormaps["hsv"](turn)
    ax.scatter(longitude, latitude, s=60, facecolors="none", edgecolors="black", linewidths=1.6)
    ax.scatter(longitude, latitude, s=60, facecolors="none", edgecolors=rim, linewidths=0.9)


def draw(inputs: Inputs) -> Picture:
    """For each view its picture and the densities that the networks trained on most views predict."""
    data = inputs.results["pose_solids"].sortby("n").isel(n=-1)
    models = [model for model in _SHOWN if model in data.model]
    shown = [solid for solid in data.solid.values.tolist() if solid in solids.NAMES]
    rows = [(solid, view) for solid in shown for view in range(min(_VIEWS, data.sizes["view"]))]
    figure = Picture(figsize=(style.PAGE, 0.3 + 1.25 * len(rows)))
    grid = figure.add_gridspec(len(rows), 1 + len(models), width_ratios=[1, *(2 for _ in models)])
    for row, (solid, view) in enumerate(rows):
        one = data.sel(solid=solid).isel(view=view)
        ax = figure.add_subplot(grid[row, 0])
        ax.imshow(one.picture.values, cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel("x")
        ax.set_ylabel(f"{solid}, z")
        right = np.asarray(solids.equivalent(solids.solid(solid), jnp.asarray(one.pose.values)))
        for column, model in enumerate(models):
            ax = figure.add_subplot(grid[row, 1 + column], projection="mollweide")
            _draw_density(ax, one.coefficients.sel(model=model).values, right)
            ax.set(xticks=np.radians([-90, 0, 90]), yticks=np.radians([-45, 0, 45]))
            ax.set_xticklabels([])
            ax.set_yticklabels([])
            ax.set_xlabel("azimuth")
            ax.set_ylabel("height")
            ax.grid(color=style.QUIET, linewidth=0.3)
            if row == 0:
                ax.set_title(MODELS[model][0], loc="center")
    return figure


FIGURE = Figure(
    name="pose_densities",
    title="What the networks think of a view: every rotation under which the solid looks like that",
    caption=(
        "Two views of each solid, and the densities that networks trained on most views predict for them. A rotation "
        "is a point on the globe, where the y axis of the solid is taken, the colour of the dot is the turn about it, "
        "and its area grows with the density; circles are the equivalent rotations, each in its own colour. Parallels "
        "and meridians are 45 and 90 degrees apart, the camera is at the north pole."
    ),
    draw=draw,
    experiments=("pose_solids",),
    claims=("learned_lift_beats_pooling",),
    figure_of_paper="own; in the manner of the pictures of Klee et al. (ICLR 2023) and Howell et al. (NeurIPS 2023)",
)
