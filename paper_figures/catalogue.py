"""All figures by name, in the order of the report."""

from paper_figures import digits_sample_complexity, generalisation_gap
from paper_figures.record import Figure

__all__ = ["FIGURES"]

FIGURES: dict[str, Figure] = {
    figure.name: figure for figure in (generalisation_gap.FIGURE, digits_sample_complexity.FIGURE)
}
"""Name -> figure."""
