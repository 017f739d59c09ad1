"""How much of SL(2, R) the exponential misses, against the distance from the rotations.

Reads ``missed`` over (r, trial); the dashed curve is ``theory.lie_group_decompositions.predict_missed``.
"""

import numpy as np
from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.record import Figure, Inputs
from theory.lie_group_decompositions import predict_missed

__all__ = ["FIGURE"]


def draw(inputs: Inputs) -> Picture:
    """The share of rotations without a logarithm against the Cartan radius."""
    data = inputs.results["exp_image_fraction"]
    figure, (ax,) = style.panels(width=style.COLUMN, height=2.4)
    r, trials = data.r.values, data.missed.transpose("r", "trial").values
    style.measured(ax, r, *style.mean_interval(trials), style.COLOURS["plain"])
    fine = np.linspace(0, r.max(), 300)
    style.theory(ax, fine, predict_missed(fine))
    ax.set(xlim=(0, r.max() * 1.02), ylim=(0, 0.52))
    ax.set_xlabel("Cartan radius $r$ (largest eigenvalue of $\\log P$)")
    ax.set_ylabel("share of rotations missed by exp")
    formula = r"$\pi^{-1}\,\arccos(1/\cosh r)$"
    style.key(figure, measured="Monte Carlo, mean", trials=data.sizes["trial"], theory=formula, columns=2)
    return figure


FIGURE = Figure(
    name="exp_image_fraction",
    title="The exponential misses up to half of SL(2, R)",
    caption=(
        "Elements exp(X) R at Cartan radius r, R a uniform rotation: the share that is no exponential of a real "
        "matrix. It starts at zero and tends to one half, so that samples and kernels in exponential coordinates "
        "cannot cover the group; in Cartan coordinates, X and log R, they can."
    ),
    draw=draw,
    experiments=("exp_image_fraction",),
    claims=("exp_misses_rotations",),
    figure_of_paper=(
        "Mironenco and Forre, ICLR 2024, arXiv 2310.11366, the reason for its decomposition; the formula was derived "
        "here, the paper's body was not read"
    ),
)
