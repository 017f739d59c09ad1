"""Equivariant layers: pure ``init`` and ``apply`` between two representations."""

from equiv.layers.base import Layer, Params, parallel, residual, serial
from equiv.layers.gates import pointwise
from equiv.layers.linear import bias, linear

__all__ = ["Layer", "Params", "bias", "linear", "parallel", "pointwise", "residual", "serial"]
