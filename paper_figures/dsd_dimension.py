"""Samples until one signal patch is found, against the length of a patch, for five networks and three noise levels.

Reads ``n_star``, ``low``, ``high`` and ``censored`` over (learner, sigma, d), ``linear_floor`` and ``target`` over
(sigma, d), and the closed forms in ``predicted``.
"""

import json

from matplotlib.figure import Figure as Picture

from paper_figures.dsd_patches import panels
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]


def draw(inputs: Inputs) -> Picture:
    """One panel a noise level."""
    data = inputs.results["dsd_dimension"]
    k = json.loads(data.attrs["config"])["patches"]
    return panels(data, "d", f"numbers of a patch $d$, at $k = {k}$")


FIGURE = Figure(
    name="dsd_dimension",
    title="Longer patches cost a CNN and an LCN alike, and an FCN more",
    caption=(
        "Samples at which the mean risk reaches that of the best network of its kind that knows the signal, plus a "
        "tolerance; sigma is the standard deviation of a noise coordinate at a signal of length 1 (that of the paper's "
        "experiments was not found). CNN and LCN grow about in proportion to the length of a patch, an FCN faster, "
        "each many times above the one before. Hollow marks with an arrow are bounds; targets, rings and lines as in "
        "the figure against the number of patches."
    ),
    draw=draw,
    experiments=("dsd_dimension",),
    claims=(
        "cnn_takes_fewer_samples_than_lcn_with_longer_patches",
        "lcn_takes_fewer_samples_than_fcn_with_longer_patches",
    ),
    figure_of_paper=(
        "after Figures 3 and 4 of Lahoti, Karp, Winston, Singh and Li, ICLR 2024; own sizes, rates and noise, theirs "
        "are in part not found"
    ),
)
