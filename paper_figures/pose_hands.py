"""Log-likelihood with and without kernels that are not mirror symmetric, for one hand of a chiral solid and for both.

Reads ``log_likelihood`` over (solid, model, n, trial).
"""

from matplotlib.figure import Figure as Picture

from experiments.pose import UNIFORM
from paper_figures import style
from paper_figures.pose_solids import MODELS
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

_SCENES = {"twist": "views of the twist", "twist+antitwist": "views of either hand"}


def draw(inputs: Inputs) -> Picture:
    """Mean log-likelihood against the number of training views, one hand (a) and both (b)."""
    data = inputs.results["pose_hands"].sortby("n")
    scenes = [scene for scene in _SCENES if scene in data.solid]
    figure, axes = style.panels(len(scenes), width=style.PAGE, height=2.8, sharey=True)
    for ax, scene in zip(axes, scenes, strict=True):
        ends = []
        for model in ("steerable", "steerable_mirror"):
            if model in data.model:
                trials = data.log_likelihood.sel(solid=scene, model=model).transpose("n", "trial").values
                mean, low, high = style.mean_interval(trials)
                style.measured(ax, data.n.values, mean, low, high, MODELS[model][1])
                ends.append((mean[-1], MODELS[model][0], MODELS[model][1]))
        style.theory(ax, data.n.values, [UNIFORM] * data.sizes["n"])
        ax.set(xscale="log")
        ax.set_xlabel(_SCENES[scene])
        ax.set_ylabel("log-likelihood")
        style.label_ends(ax, ends)
    style.key(figure, measured="mean", trials=data.sizes["trial"], theory="uniform density")
    return figure


FIGURE = Figure(
    name="pose_hands",
    title="Mirror-symmetric kernels cost little with one hand, and much with two",
    caption=(
        "Two steerable networks, one of which has mirror-symmetric kernels only (q = 0), learn the rotations of a "
        "chiral solid from n views. Its mirrored pictures never occur, so q = 0 costs little (a). If its mirror image "
        "is among the views, labelled in a frame of its own, mirrored pictures have answers that no mirror relates: "
        "the density that is mirrored is not the right one (b)."
    ),
    draw=draw,
    experiments=("pose_hands",),
    claims=("two_hands_need_q",),
    figure_of_paper="own",
)
