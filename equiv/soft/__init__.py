"""Soft equivariance: penalties on free weights, layers between equivariant and free, strengths, and error metrics.

A soft method is a choice of the affine layers of a network (``dense``, ``residual_pathway``, ``graded_linear``, ...)
and a penalty of its parameters.
"""

from equiv.soft import errors
from equiv.soft.penalties import Penalty, lie_derivative_penalty, projection_penalty, spectral_penalty, spectrum
from equiv.soft.relax import (
    Graded,
    graded_linear,
    graded_projector,
    leak_decay,
    leaky_gated,
    relaxation_penalty,
    relaxed_convolution,
    residual_pathway,
    residual_prior,
    strict,
    subequivariant,
    superpose,
    switched,
    switches,
)
from equiv.soft.tuning import adjust_strengths, dual_ascent, evidence_strengths, resilient_slack, track_energies

__all__ = [
    "Graded",
    "Penalty",
    "adjust_strengths",
    "dual_ascent",
    "errors",
    "evidence_strengths",
    "graded_linear",
    "graded_projector",
    "leak_decay",
    "leaky_gated",
    "lie_derivative_penalty",
    "projection_penalty",
    "relaxation_penalty",
    "relaxed_convolution",
    "residual_pathway",
    "residual_prior",
    "resilient_slack",
    "spectral_penalty",
    "spectrum",
    "strict",
    "subequivariant",
    "superpose",
    "switched",
    "switches",
    "track_energies",
]
