"""All experiments, by name."""

from experiments import (
    affine_digits,
    affnist,
    attention_heads,
    attention_learning_curves,
    attention_mixture,
    attention_sample_size,
    breaking_sweep,
    digits_sample_complexity,
    dsd_authors,
    dsd_dimension,
    dsd_patches,
    emlp_data_efficiency,
    equivariant_risk_gain,
    exp_image_fraction,
    generalisation_gap,
    haar_sampling_error,
    homnist,
    induction_consistency,
    modelnet10_so3,
    pascal3d,
    pose_band_limit,
    pose_solids,
    registration,
    soft_cosine_similarity,
    soft_inertia,
    soft_trajectories,
    symmetry_discovery,
    symsol,
    turned_kernels,
    view_pooling,
)
from experiments.record import Experiment

__all__ = ["EXPERIMENTS"]

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        generalisation_gap.EXPERIMENT,
        digits_sample_complexity.EXPERIMENT,
        emlp_data_efficiency.EXPERIMENT,
        breaking_sweep.EXPERIMENT,
        symmetry_discovery.EXPERIMENT,
        soft_inertia.EXPERIMENT,
        soft_cosine_similarity.EXPERIMENT,
        soft_trajectories.EXPERIMENT,
        exp_image_fraction.EXPERIMENT,
        haar_sampling_error.EXPERIMENT,
        turned_kernels.EXPERIMENT,
        view_pooling.EXPERIMENT,
        induction_consistency.EXPERIMENT,
        pose_band_limit.EXPERIMENT,
        pose_solids.EXPERIMENT,
        registration.EXPERIMENT,
        attention_learning_curves.EXPERIMENT,
        attention_heads.EXPERIMENT,
        attention_sample_size.EXPERIMENT,
        attention_mixture.EXPERIMENT,
        dsd_patches.EXPERIMENT,
        dsd_dimension.EXPERIMENT,
        dsd_authors.EXPERIMENT,
        equivariant_risk_gain.EXPERIMENT,
        affine_digits.EXPERIMENT,
        affnist.EXPERIMENT,
        homnist.EXPERIMENT,
        symsol.EXPERIMENT,
        modelnet10_so3.EXPERIMENT,
        pascal3d.EXPERIMENT,
    )
}
"""Name -> experiment."""
