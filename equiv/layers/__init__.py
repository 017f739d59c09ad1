"""Equivariant layers: pure ``init`` and ``apply`` between two representations, or between two signals."""

from equiv.layers.base import Layer, Params, SignalLayer, Weight, parallel, residual, serial
from equiv.layers.bilinear import bilinear
from equiv.layers.fields import Field, siren
from equiv.layers.frames import moment_frame, pull_back
from equiv.layers.gates import gated, pointwise
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

__all__ = [
    "Field",
    "GroupSignal",
    "Layer",
    "Params",
    "PlaneSignal",
    "SignalLayer",
    "Weight",
    "affine",
    "bias",
    "bilinear",
    "dense",
    "equivariant_mlp",
    "gated",
    "group_conv",
    "invariant_pool",
    "lifting",
    "linear",
    "moment_frame",
    "parallel",
    "pointwise",
    "pull_back",
    "residual",
    "separable_group_conv",
    "serial",
    "siren",
    "to_plane",
]
