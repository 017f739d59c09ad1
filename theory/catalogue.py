"""All claims by name, in the order in which they are listed and judged."""

from theory import (
    affine_digits,
    attention_contests,
    attention_learning,
    attention_mixture,
    attention_pooling,
    attention_sample_size,
    augmentation,
    digits_sample_complexity,
    dsd_separation,
    dynamic_signal_claims,
    elesedy_zaidi,
    emlp_data_efficiency,
    induced_representations,
    inductive_bias,
    lie_group_decompositions,
    mei_misiakiewicz_montanari,
    pose_densities,
    pose_solids,
    random_feature_attention,
    registration,
    risk_gain,
    rotated_and_scale_convolutions,
    soft_contests,
    soft_equivariance,
    soft_ridge,
    tahmasebi_jegelka,
)
from theory.claim import Claim

__all__ = ["CLAIMS"]

_MODULES = (
    elesedy_zaidi,
    augmentation,
    mei_misiakiewicz_montanari,
    tahmasebi_jegelka,
    inductive_bias,
    risk_gain,
    digits_sample_complexity,
    emlp_data_efficiency,
    soft_equivariance,
    soft_ridge,
    soft_contests,
    lie_group_decompositions,
    rotated_and_scale_convolutions,
    attention_pooling,
    registration,
    affine_digits,
    induced_representations,
    pose_densities,
    pose_solids,
    random_feature_attention,
    attention_learning,
    attention_contests,
    attention_sample_size,
    attention_mixture,
    dsd_separation,
    dynamic_signal_claims,
)

CLAIMS: dict[str, Claim] = {claim.name: claim for module in _MODULES for claim in module.CLAIMS}
