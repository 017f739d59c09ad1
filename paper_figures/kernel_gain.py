"""What an invariant kernel saves: how many polynomials are cyclic-invariant, and how many fewer samples that means.

Reads two claims: numbers of invariant polynomials over (dimension, degree), and a ratio of sample sizes over the
dimension, measured with the invariant kernel and, as the claim's violation, with the averaged output.
"""

import numpy as np
from matplotlib.figure import Figure as Picture

from paper_figures import style
from paper_figures.record import Figure, Inputs
from theory.mei_misiakiewicz_montanari import predict_degeneracy

__all__ = ["FIGURE"]


def draw(inputs: Inputs) -> Picture:
    """Invariant polynomials of each degree, and samples saved, both against the dimension."""
    figure, (number, gain) = style.panels(2, width=style.PAGE, height=2.7)
    orbits = inputs.evidence("cyclic_degeneracy")
    dimensions = np.array([int(name.removeprefix("d = ")) for name in orbits.series])
    every = np.arange(dimensions.min(), dimensions.max() + 1)
    ends = []
    for degree, counts, colour in zip(orbits.points.tolist(), orbits.values.T, (style.INK, *style.CYCLE)):
        if degree > 0:
            formula = [predict_degeneracy(d, degree) for d in every.tolist()]
            style.theory(number, every, formula, zorder=1.5)
            number.plot(dimensions, counts, "o", color=colour, markeredgewidth=0)
            ends.append((counts[-1], rf"$\ell = {degree}$", colour))
    number.set_yscale("log")
    number.set_xticks(every)
    number.set_xlabel("variables $d$")
    number.set_ylabel(r"invariant polynomials $D(d, \ell)$")
    style.plain_ticks(number.yaxis, orbits.values)
    style.label_ends(number, ends)

    ends = []
    for name, colour, found in (
        ("invariant kernel", style.COLOURS["equivariant"], inputs.evidence("invariant_kernel_gain")),
        ("averaged output", style.COLOURS["averaged"], inputs.violation("invariant_kernel_gain")),
    ):
        ratio, low, high = style.error_interval(found.values, found.standard_error, found.trials)
        style.measured(gain, found.points, ratio, low, high, colour)
        ends.append((ratio[-1], name, colour))
    style.theory(gain, found.points, inputs.predicted("invariant_kernel_gain"))
    gain.set_ylim(bottom=0)
    gain.set_xticks(found.points)
    gain.set_xlabel("variables $d$")
    gain.set_ylabel("samples, plain kernel / other")
    style.label_ends(gain, ends)
    style.key(figure, measured="measured", trials=found.trials, theory="formula")
    return figure


FIGURE = Figure(
    name="kernel_gain",
    title="The invariant kernel saves a factor of d; averaging the output does not",
    caption=(
        "Cyclic shifts of d signs. (a) Multilinear polynomials of degree l that the shifts leave alone, counted by "
        "listing orbits (dots) and by Burnside's formula (dashed): about one in d of all. (b) The samples the plain "
        "quadratic kernel needs to learn an invariant target of degree two, over those needed with the kernel averaged "
        "over the group, and over those needed when the fit itself is averaged."
    ),
    draw=draw,
    experiments=(),
    claims=("cyclic_degeneracy", "invariant_kernel_gain"),
    figure_of_paper=(
        "the gain of Mei, Misiakiewicz and Montanari, COLT 2021, arXiv 2102.13219, in a form that is exact at small d; "
        "their figures' parameters were not found"
    ),
)
