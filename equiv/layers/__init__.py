"""Equivariant layers: pure ``init`` and ``apply`` between two representations."""

from equiv.layers.base import Layer, Params, Weight, parallel, residual, serial
from equiv.layers.gates import pointwise
from equiv.layers.linear import bias, dense, linear

__all__ = ["Layer", "Params", "Weight", "bias", "dense", "linear", "parallel", "pointwise", "residual", "serial"]
