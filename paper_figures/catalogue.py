"""All figures by name, in the order of the report."""

from paper_figures import augmentation, digits_sample_complexity, generalisation_gap, invariant_counts
from paper_figures.record import Figure

__all__ = ["FIGURES"]

FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        generalisation_gap.FIGURE,
        digits_sample_complexity.FIGURE,
        augmentation.FIGURE,
        invariant_counts.FIGURE,
    )
}
"""Name -> figure."""
