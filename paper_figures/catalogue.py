"""All figures by name, in the order of the report."""

from paper_figures import (
    affine_digits,
    attention_heads,
    attention_learning_curves,
    attention_norms,
    attention_rivals,
    augmentation,
    breaking_sweep,
    circle_gain,
    digits_sample_complexity,
    emlp_data_efficiency,
    exp_image_fraction,
    generalisation_gap,
    haar_sampling_error,
    induction_consistency,
    invariant_counts,
    kernel_gain,
    penalty_bound,
    pose_band_limit,
    pose_densities,
    pose_solids,
    registration,
    sample_complexity,
    soft_cosine_similarity,
    soft_inertia,
    soft_risk,
    soft_trajectories,
    symmetry_discovery,
    turned_kernels,
    view_pooling,
)
from paper_figures.record import Figure

__all__ = ["FIGURES"]

FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        generalisation_gap.FIGURE,
        digits_sample_complexity.FIGURE,
        emlp_data_efficiency.FIGURE,
        breaking_sweep.FIGURE,
        symmetry_discovery.FIGURE,
        soft_inertia.FIGURE,
        soft_cosine_similarity.FIGURE,
        soft_trajectories.FIGURE,
        affine_digits.FIGURE,
        soft_risk.FIGURE,
        penalty_bound.FIGURE,
        sample_complexity.FIGURE,
        augmentation.FIGURE,
        kernel_gain.FIGURE,
        circle_gain.FIGURE,
        invariant_counts.FIGURE,
        exp_image_fraction.FIGURE,
        haar_sampling_error.FIGURE,
        turned_kernels.FIGURE,
        induction_consistency.FIGURE,
        view_pooling.FIGURE,
        registration.FIGURE,
        pose_band_limit.FIGURE,
        pose_solids.FIGURE,
        pose_densities.FIGURE,
        attention_learning_curves.FIGURE,
        attention_rivals.FIGURE,
        attention_heads.FIGURE,
        attention_norms.FIGURE,
    )
}
"""Name -> figure."""
