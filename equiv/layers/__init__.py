"""Equivariant layers: pure ``init`` and ``apply`` between two representations."""

from equiv.layers.base import Layer, Params, Weight, parallel, residual, serial
from equiv.layers.bilinear import bilinear
from equiv.layers.gates import gated, pointwise
from equiv.layers.linear import affine, bias, dense, linear
from equiv.layers.mlp import equivariant_mlp

__all__ = [
    "Layer",
    "Params",
    "Weight",
    "affine",
    "bias",
    "bilinear",
    "dense",
    "equivariant_mlp",
    "gated",
    "linear",
    "parallel",
    "pointwise",
    "residual",
    "serial",
]
