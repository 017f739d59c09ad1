"""Errors of attention with and without a bias, while the matrix in the target turns away from the identity.

Reads ``error`` over (learner, mixture, trial, n, degree) and the settings of the run.
"""

import json

from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.attention_learning_curves import LEARNERS
from paper_figures.record import Figure, Inputs

__all__ = ["FIGURE"]

_LEARNERS = LEARNERS | {
    "brfa": ("mean $I$", *LEARNERS["brfa"][1:]),
    "rfa": ("mean 0", *LEARNERS["rfa"][1:]),
    "brfa_matched": ("mean $S$", style.COLOURS["partial"], "v"),
}
"""Learner -> its name in the picture, colour and marker."""


def draw(inputs: Inputs) -> Picture:
    """One panel for each degree, at the largest n."""
    data = inputs.results["attention_mixture"].sortby("mixture")
    config, n = json.loads(data.attrs["config"]), int(data.n.max())
    degrees = data.degree.values.tolist()
    figure, axes = style.panels(len(degrees), width=style.PAGE, height=2.9)
    mixture = data.mixture.values
    for ax, degree in zip(axes, degrees):
        ends = []
        for learner, (text, colour, marker) in _LEARNERS.items():
            if learner in data.learner.values:
                error = data.error.sel(learner=learner, n=n, degree=degree).transpose("mixture", "trial")
                mean, low, high = style.mean_interval(error.values)
                style.measured(ax, mixture, mean, low, high, colour, marker=marker)
                ends.append((mean[-1], text, colour))
        style.theory(ax, [min(mixture), max(mixture)], [1, 1])
        ax.set_title(f"correlation by $S$, $p = {degree}$", loc="center")
        ax.set(xlim=(min(mixture), max(mixture)), xticks=mixture, ylim=(0, 1.15))
        ax.set_xlabel(r"mixture $\gamma$ of $S = \cos(\gamma\pi/2)\,I + \sin(\gamma\pi/2)\,Q$")
        style.label_ends(ax, ends)
    axes[0].set_ylabel("error / variance")
    sizes = f"$n = {n}$, $d = {config['dimension']}$, $N = {config['keys']}$"
    style.key(figure, measured=f"mean, {sizes}", trials=data.sizes["trial"], theory="a constant")
    return figure


FIGURE = Figure(
    name="attention_mixture",
    title="A bias is worth something where it points, and nothing elsewhere",
    caption=(
        "Correlations of the query with the keys through an orthogonal matrix S, from the identity to a matrix Q "
        "without symmetric part: mean square error on test sets over the variance of their labels, for attention with "
        "infinitely many heads whose query-key matrices have the mean 0 (RFA), the identity (biased RFA), or S, and "
        "for a random-feature network on all tokens. The first does not see S, for its kernel lets query and keys be "
        "moved by two orthogonal matrices. The advantage of the second is gone at the end; with the right mean it is "
        "the same everywhere."
    ),
    draw=draw,
    experiments=("attention_mixture",),
    claims=(
        "unbiased_attention_does_not_see_the_mixture",
        "the_right_bias_is_worth_the_same",
        "bias_helps_where_it_points",
    ),
    figure_of_paper=(
        "the target of Fu, Guo, Bai and Mei, NeurIPS 2023, between the identity and a general matrix, recalled; their "
        "formula was not found and this one is our own"
    ),
)
