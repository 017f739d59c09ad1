"""Equivariant layers: pure ``init`` and ``apply`` between two representations, or between two signals."""

from equiv.layers.attention import (
    antithetic,
    attention_kernel,
    attention_pooling,
    biased,
    gaussian,
    mlp_kernel,
    orthogonal,
    random_feature_attention,
    random_feature_mlp,
)
from equiv.layers.base import (
    Layer,
    Params,
    SignalLayer,
    Weight,
    as_layer,
    merge,
    parallel,
    partition,
    residual,
    serial,
)
from equiv.layers.bilinear import bilinear
from equiv.layers.birds_eye import birds_eye_view, cyclic_conv, cyclic_lifting, netvlad, place_descriptor
from equiv.layers.fields import Field, siren
from equiv.layers.frames import moment_frame, pull_back
from equiv.layers.gates import gated, pointwise
from equiv.layers.induction import (
    mirror_plane_to_sphere,
    orthographic_lift,
    plane_to_so3,
    plane_to_sphere,
    restrict_to_plane,
)
from equiv.layers.lie_conv import (
    GroupSignal,
    PlaneSignal,
    group_conv,
    invariant_pool,
    lifting,
    separable_group_conv,
    to_plane,
)
from equiv.layers.linear import affine, bias, dense, linear
from equiv.layers.mlp import equivariant_mlp
from equiv.layers.pyramid import gaussian_pyramid, integrated_norm, pyramid_convolution
from equiv.layers.ridge import best_ridge, constrained_erm, dual_ridge, primal_ridge, smallest_ridge
from equiv.layers.rotated import adaptive_rotated_convolution
from equiv.layers.so3 import (
    rotation_signal,
    so3_activation,
    so3_conv,
    sphere_activation,
    sphere_signal,
    sphere_to_so3,
)
from equiv.layers.spherical_maps import spherical_conv
from equiv.layers.steerable import gaussian_rings, laguerre, mirror_steerable_conv, pixelwise, steerable_conv
from equiv.layers.vector_neurons import (
    align,
    invariant_head,
    nearest_neighbours,
    position_aware_conv,
    position_aware_lifting,
    vector_leaky_relu,
)

__all__ = [
    "Field",
    "GroupSignal",
    "Layer",
    "Params",
    "PlaneSignal",
    "SignalLayer",
    "Weight",
    "adaptive_rotated_convolution",
    "affine",
    "align",
    "antithetic",
    "as_layer",
    "attention_kernel",
    "attention_pooling",
    "best_ridge",
    "bias",
    "biased",
    "bilinear",
    "birds_eye_view",
    "constrained_erm",
    "cyclic_conv",
    "cyclic_lifting",
    "dense",
    "dual_ridge",
    "equivariant_mlp",
    "gated",
    "gaussian",
    "gaussian_pyramid",
    "gaussian_rings",
    "group_conv",
    "integrated_norm",
    "invariant_head",
    "invariant_pool",
    "laguerre",
    "lifting",
    "linear",
    "merge",
    "mirror_plane_to_sphere",
    "mirror_steerable_conv",
    "mlp_kernel",
    "moment_frame",
    "nearest_neighbours",
    "netvlad",
    "orthogonal",
    "orthographic_lift",
    "parallel",
    "partition",
    "pixelwise",
    "place_descriptor",
    "plane_to_so3",
    "plane_to_sphere",
    "pointwise",
    "position_aware_conv",
    "position_aware_lifting",
    "primal_ridge",
    "pull_back",
    "pyramid_convolution",
    "random_feature_attention",
    "random_feature_mlp",
    "residual",
    "restrict_to_plane",
    "rotation_signal",
    "separable_group_conv",
    "serial",
    "siren",
    "smallest_ridge",
    "so3_activation",
    "so3_conv",
    "sphere_activation",
    "sphere_signal",
    "sphere_to_so3",
    "spherical_conv",
    "steerable_conv",
    "to_plane",
    "vector_leaky_relu",
]
