"""All figures by name, in the order of the report."""

from paper_figures import (
    augmentation,
    circle_gain,
    digits_sample_complexity,
    emlp_data_efficiency,
    generalisation_gap,
    invariant_counts,
    kernel_gain,
    sample_complexity,
)
from paper_figures.record import Figure

__all__ = ["FIGURES"]

FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        generalisation_gap.FIGURE,
        digits_sample_complexity.FIGURE,
        emlp_data_efficiency.FIGURE,
        sample_complexity.FIGURE,
        augmentation.FIGURE,
        kernel_gain.FIGURE,
        circle_gain.FIGURE,
        invariant_counts.FIGURE,
    )
}
"""Name -> figure."""
