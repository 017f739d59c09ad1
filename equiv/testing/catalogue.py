"""The rows: every kind of group, representation and layer there is, each small enough to test in seconds.

The laws are run on every row in both precisions. A new group, representation or layer is one new row.
"""

import jax
import jax.numpy as jnp

from equiv.groups import (
    Group,
    Homomorphism,
    cyclic,
    dihedral,
    from_generators,
    inclusion,
    o,
    polyhedral,
    product,
    projection,
    shifts,
    so,
    symmetric,
)
from equiv.layers import Layer, bias, linear, parallel, pointwise, residual, serial
from equiv.reps import Rep, permutation, pixels, regular, restrict, standard, trivial

__all__ = ["GROUPS", "HOMOMORPHISMS", "LAYERS", "REPS"]

_SHEAR = from_generators(lie=[[[0.0, 1.0], [0.0, 0.0]]], name="shears of the plane")
_SCREW = from_generators(lie=[[[0.0, -1.0], [1.0, 0.0]]], discrete=[[[1.0, 0.0], [0.0, -1.0]]], name="generated O(2)")
_BOTH = product(cyclic(3), so(3))

GROUPS: dict[str, Group] = {
    str(group): group
    for group in (
        cyclic(1),
        cyclic(5),
        dihedral(1),
        dihedral(4),
        symmetric(4),
        shifts((3, 4)),
        so(2),
        so(3),
        so(4),
        o(1),
        o(2),
        o(3),
        polyhedral("tetrahedral"),
        polyhedral("octahedral"),
        polyhedral("icosahedral"),
        _BOTH,
        product(dihedral(3), symmetric(3)),
        _SHEAR,
        _SCREW,
    )
}

HOMOMORPHISMS: dict[str, Homomorphism] = {
    str(row): row
    for row in (
        inclusion(cyclic(3), cyclic(6)),
        inclusion(cyclic(4), dihedral(4)),
        inclusion(dihedral(2), dihedral(4)),
        inclusion(cyclic(5), so(2)),
        inclusion(dihedral(5), o(2)),
        inclusion(symmetric(4), o(4)),
        inclusion(symmetric(3), symmetric(5)),
        inclusion(so(2), so(3)),
        inclusion(so(3), o(3)),
        inclusion(o(2), o(3)),
        inclusion(so(2), so(3)) @ inclusion(cyclic(4), so(2)),
        projection(_BOTH, 1),
    )
}

_D4, _S4, _SO3, _O3 = dihedral(4), symmetric(4), so(3), o(3)
_V, _W, _P, _R = standard(_SO3), standard(_O3), pixels(_D4, 4), regular(_D4)
_TRIPLE = permutation(_S4, 4, lambda g: g)

REPS: dict[str, Rep] = {
    f"{rep} of {rep.group}": rep
    for rep in (
        trivial(_SO3),
        trivial(_D4, 3),
        standard(cyclic(5)),
        standard(_D4),
        standard(_S4),
        standard(so(2)),
        _V,
        standard(so(4)),
        standard(o(2)),
        _W,
        standard(polyhedral("icosahedral")),
        standard(_SHEAR),
        standard(_SHEAR).dual,
        standard(_SCREW),
        _R,
        regular(symmetric(3)),
        regular(shifts((3, 4))),
        regular(polyhedral("tetrahedral")),
        regular(product(dihedral(3), cyclic(2))),
        _P,
        pixels(cyclic(4), 5),
        2 * _V + trivial(_SO3, 3),
        _V * _V,
        (_V + trivial(_SO3)) * _V,
        standard(_SHEAR) * standard(_SHEAR).dual,
        _TRIPLE * _TRIPLE,
        restrict(_V, projection(_BOTH, 1)) * restrict(regular(cyclic(3)), projection(_BOTH, 0)),
        restrict(_V, inclusion(so(2), so(3))),
        restrict(standard(o(4)), inclusion(_S4, o(4))),
    )
}

_SCALARS = trivial(_SO3, 4)

LAYERS: dict[str, Layer] = {
    str(layer): layer
    for layer in (
        linear(_P, 3 * _R),
        linear(_R, trivial(_D4, 5)),
        linear(_TRIPLE * _TRIPLE, _TRIPLE * _TRIPLE + 2 * _TRIPLE),
        linear(2 * _V + _V * _V + trivial(_SO3, 2), 3 * _V + _V * _V + _SCALARS),
        linear(_W * _W, trivial(_O3, 2)),
        linear(standard(_SHEAR) * standard(_SHEAR), standard(_SHEAR) * standard(_SHEAR)),
        linear(standard(_D4), _P),
        bias(3 * _R),
        bias(_TRIPLE * _TRIPLE),
        bias(_V * _V + _SCALARS),
        pointwise(_P, jax.nn.relu),
        pointwise(standard(_D4), jnp.tanh),
        serial(linear(_P, 4 * _R), bias(4 * _R), pointwise(4 * _R, jax.nn.gelu), linear(4 * _R, trivial(_D4, 9))),
        residual(linear(_V + _V * _V, _V + _V * _V)),
        parallel(linear(_V, 2 * _V), serial(bias(_SCALARS), pointwise(_SCALARS, jax.nn.silu))),
    )
}
