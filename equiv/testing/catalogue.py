"""The rows: every kind of group, homomorphism, representation and layer there is, each small enough to test in seconds.

A row is a name and a builder, so that listing the rows builds none of them. The laws are run on every row in both
precisions; something new is one new row.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from equiv import groups
from equiv.groups import (
    Group,
    Homomorphism,
    cyclic,
    dihedral,
    embed,
    from_generators,
    gl_plus,
    inclusion,
    lorentz,
    o,
    polyhedral,
    powers,
    product,
    projection,
    scaling,
    shifts,
    sl,
    so,
    sp,
    su,
    symmetric,
    u,
    unembed,
    union,
)
from equiv.layers import (
    Layer,
    Params,
    affine,
    as_layer,
    attention_pooling,
    bias,
    biased,
    bilinear,
    equivariant_mlp,
    gated,
    linear,
    parallel,
    pointwise,
    random_feature_attention,
    residual,
    serial,
    so3_activation,
    so3_conv,
    sphere_activation,
    sphere_to_so3,
)
from equiv.layers.so3 import near_identity
from equiv.reps import (
    Rep,
    induce,
    induced_truncated,
    irreps,
    permutation,
    pixels,
    regular,
    restrict,
    scalar,
    spread,
    standard,
    tensor,
)

__all__ = ["GROUPS", "HOMOMORPHISMS", "LAYERS", "REPS"]


def _shears() -> Group:
    """``[[1, t], [0, 1]]``: not compact, and its representations are not orthogonal."""
    return from_generators(lie=[[[0.0, 1.0], [0.0, 0.0]]], name="shears")


def _turns_and_flips() -> Group:
    """O(2) again, from a generator of its algebra and a mirror."""
    return from_generators(
        lie=[[[0.0, -1.0], [1.0, 0.0]]], discrete=[[[1.0, 0.0], [0.0, -1.0]]], name="turns and flips"
    )


def _lattice() -> Group:
    """Turns of the hexagonal lattice in its own coordinates: finite, and yet not orthogonal."""
    return from_generators(discrete=[[[0.0, -1.0], [1.0, 1.0]]], name="turns of a lattice")


def _sublattice() -> Group:
    """The third turns among them."""
    return from_generators(discrete=[[[-1.0, -1.0], [1.0, 0.0]]], name="third turns of a lattice")


def _third_turn() -> Homomorphism:
    """Third turns of a tetrahedron about one of its vertices."""
    return powers(polyhedral("tetrahedral"), polyhedral("tetrahedral").generators()[0])


def _planes() -> Group:
    """O(3), from its rotations and mirrors of the three coordinate planes."""
    return union(*(embed(o(2), 3, plane) for plane in ((0, 1), (0, 2), (1, 2))))


def _mixed() -> Group:
    return product(cyclic(3), so(3))


def _plane() -> Group:
    """O(2) on the first and the last coordinate of three."""
    return embed(o(2), 3, (0, 2))


def _outer() -> Rep:
    """Vectors of one factor times vectors of the other."""
    both = product(so(3), o(2))
    return restrict(_vectors(), projection(both, 0)) * restrict(standard(o(2)), projection(both, 1))


def _points() -> Rep:
    """S_4 on four points, built as a user would build it."""
    return permutation(symmetric(4), 4, lambda g: g)


def _vectors() -> Rep:
    return standard(so(3))


def _scalars() -> Rep:
    return scalar(so(3), 4)


def _image() -> Rep:
    return pixels(dihedral(4), 4)


def _features() -> Rep:
    return regular(dihedral(4))


def _attention(activation: str) -> Layer:
    """Invariant under orders of the keys, with all its parameters drawn, those too that begin at zero."""
    orders = symmetric(3)
    keys = permutation(orders, 3, lambda g: g) * scalar(orders, 2)
    attention = random_feature_attention(2, 4, biased(), activation)
    layer = as_layer(attention, (4, 2), scalar(orders, 2) + keys, scalar(orders))

    def init(key: jax.Array, dtype: Any = float) -> Params:
        first, second = jax.random.split(key)
        params = attention.init(first, dtype)
        return params | {"value": jax.random.normal(second, params["value"].shape, dtype)}

    return dataclasses.replace(layer, spec=("drawn", layer), init=init)


def _pooling() -> Layer:
    """Invariant under orders of the elements."""
    orders = symmetric(4)
    elements = permutation(orders, 4, lambda g: g) * scalar(orders, 3)
    return as_layer(attention_pooling(3, 2), (4, 3), elements, scalar(orders, 6))


GROUPS: dict[str, Callable[[], Group]] = {
    "C1": lambda: cyclic(1),
    "C5": lambda: cyclic(5),
    "D1": lambda: dihedral(1),
    "D4": lambda: dihedral(4),
    "S4": lambda: symmetric(4),
    "shifts of 3 x 4": lambda: shifts((3, 4)),
    "SO(2)": lambda: so(2),
    "SO(3)": lambda: so(3),
    "SO(4)": lambda: so(4),
    "O(1)": lambda: o(1),
    "O(2)": lambda: o(2),
    "O(3)": lambda: o(3),
    "tetrahedral": lambda: polyhedral("tetrahedral"),
    "octahedral": lambda: polyhedral("octahedral"),
    "icosahedral": lambda: polyhedral("icosahedral"),
    "C3 x SO(3)": _mixed,
    "D3 x S3": lambda: product(dihedral(3), symmetric(3)),
    "shears": _shears,
    "turns and flips": _turns_and_flips,
    "Sp(4)": lambda: sp(4),
    "U(1)": lambda: u(1),
    "U(2)": lambda: u(2),
    "SU(2)": lambda: su(2),
    "SO+(1,3)": lambda: lorentz(1, 3),
    "SO(1,2)": lambda: lorentz(1, 2, "special"),
    "O+(2,1)": lambda: lorentz(2, 1, "orthochronous"),
    "O(1,3)": lambda: lorentz(1, 3, "full"),
    "SL(2)": lambda: sl(2),
    "GL+(2)": lambda: gl_plus(2),
    "scaling(3)": lambda: scaling(3),
    "SO(2) on two of three": lambda: embed(so(2), 3, (2, 0)),
    "octahedral on three of four": lambda: embed(polyhedral("octahedral"), 4, slice(1, 4)),
    "rotations and scalings": lambda: union(so(3), scaling(3)),
    "O(2) on three planes": _planes,
    "mirrors": lambda: union(embed(o(1), 2, (0,)), embed(o(1), 2, (1,))),
    "SE(2)": lambda: groups.se(2),
    "SE(3)": lambda: groups.se(3),
    "E(2)": lambda: groups.e(2),
    "affine GL+(2)": lambda: groups.affine(2, gl_plus(2)),
}
"""Name -> builder of a group."""

HOMOMORPHISMS: dict[str, Callable[[], Homomorphism]] = {
    "C3 in C6": lambda: inclusion(cyclic(3), cyclic(6)),
    "C4 in D4": lambda: inclusion(cyclic(4), dihedral(4)),
    "D2 in D4": lambda: inclusion(dihedral(2), dihedral(4)),
    "C5 in SO(2)": lambda: inclusion(cyclic(5), so(2)),
    "D5 in O(2)": lambda: inclusion(dihedral(5), o(2)),
    "S4 in O(4)": lambda: inclusion(symmetric(4), o(4)),
    "S3 in S5": lambda: inclusion(symmetric(3), symmetric(5)),
    "SO(2) in SO(3)": lambda: inclusion(so(2), so(3)),
    "SO(3) in O(3)": lambda: inclusion(so(3), o(3)),
    "O(2) in O(3)": lambda: inclusion(o(2), o(3)),
    "C4 in SO(2) in SO(3)": lambda: inclusion(so(2), so(3)) @ inclusion(cyclic(4), so(2)),
    "C3 x SO(3) onto SO(3)": lambda: projection(_mixed(), 1),
    "SO(2) on two of three": lambda: inclusion(so(2), embed(so(2), 3, (2, 0))),
    "two of three onto SO(2)": lambda: unembed(embed(so(2), 3, (2, 0))),
    "O(2) on a plane in O(3)": lambda: inclusion(embed(o(2), 3, (0, 2)), o(3)),
    "SO(3) of space in SO+(1,3)": lambda: inclusion(embed(so(3), 4, slice(1, 4)), lorentz(1, 3)),
    "U(2) in Sp(4)": lambda: inclusion(u(2), sp(4)),
    "SO+(1,3) in SL(4)": lambda: inclusion(lorentz(1, 3), sl(4)),
    "C5 in icosahedral": lambda: powers(polyhedral("icosahedral"), polyhedral("icosahedral").generators()[1]),
    "SE(3) onto SO(3)": lambda: groups.linear_part(groups.se(3)),
    "SO(2) about the polar axis": irreps.polar_axis,
}
"""Name -> builder of a homomorphism."""

REPS: dict[str, Callable[[], Rep]] = {
    "scalar of SO(3)": lambda: scalar(so(3)),
    "three scalars of D4": lambda: scalar(dihedral(4), 3),
    "standard of C5": lambda: standard(cyclic(5)),
    "standard of D4": lambda: standard(dihedral(4)),
    "standard of S4": lambda: standard(symmetric(4)),
    "standard of SO(2)": lambda: standard(so(2)),
    "standard of SO(3)": _vectors,
    "standard of SO(4)": lambda: standard(so(4)),
    "standard of O(2)": lambda: standard(o(2)),
    "standard of O(3)": lambda: standard(o(3)),
    "standard of icosahedral": lambda: standard(polyhedral("icosahedral")),
    "standard of shears": lambda: standard(_shears()),
    "dual of shears": lambda: standard(_shears()).dual,
    "standard of turns and flips": lambda: standard(_turns_and_flips()),
    "regular of D4": _features,
    "regular of S3": lambda: regular(symmetric(3)),
    "regular of shifts": lambda: regular(shifts((3, 4))),
    "regular of tetrahedral": lambda: regular(polyhedral("tetrahedral")),
    "regular of D3 x C2": lambda: regular(product(dihedral(3), cyclic(2))),
    "pixels of D4": _image,
    "pixels of C4, odd side": lambda: pixels(cyclic(4), 5),
    "sum": lambda: 2 * _vectors() + scalar(so(3), 3),
    "tensor": lambda: _vectors() * _vectors(),
    "tensor of a sum": lambda: (_vectors() + scalar(so(3))) * _vectors(),
    "matrices of shears": lambda: standard(_shears()) * standard(_shears()).dual,
    "pairs of points": lambda: _points() * _points(),
    "outer tensor": lambda: (
        restrict(_vectors(), projection(_mixed(), 1)) * restrict(regular(cyclic(3)), projection(_mixed(), 0))
    ),
    "restricted to SO(2)": lambda: restrict(_vectors(), inclusion(so(2), so(3))),
    "restricted to S4": lambda: restrict(standard(o(4)), inclusion(symmetric(4), o(4))),
    "tensors of SO+(1,3)": lambda: tensor(lorentz(1, 3), 1, 1),
    "tensors of Sp(4)": lambda: tensor(sp(4), 2, 1),
    "spread of O(3)": lambda: spread(o(3), 20),
    "spread of GL+(2)": lambda: spread(gl_plus(2), 20),
    "vectors of SE(3)": lambda: restrict(_vectors(), groups.linear_part(groups.se(3))),
    "induced from C3 to tetrahedral": lambda: induce(standard(cyclic(3)), _third_turn()),
    "induced from S3 to S4": lambda: induce(
        2 * standard(symmetric(3)) + scalar(symmetric(3)), inclusion(symmetric(3), symmetric(4))
    ),
    "induced from a lattice of its own": lambda: induce(standard(_sublattice()), inclusion(_sublattice(), _lattice())),
    "vectors and scalars of O(2) in space": lambda: restrict(tensor(o(3), 2), inclusion(_plane(), o(3))),
    "frequency 3 of SO(2)": lambda: irreps.so2(3),
    "frequency 2 of O(2)": lambda: irreps.o2(2),
    "degree 3 of SO(3)": lambda: irreps.so3(3),
    "odd degree 2 of O(3)": lambda: irreps.o3(2, -1),
    "frequency 1 induced to degree 2": lambda: induced_truncated(1, 2),
    "degree 2 about the polar axis": lambda: restrict(irreps.so3(2), irreps.polar_axis()),
}
"""Name -> builder of a representation."""

LAYERS: dict[str, Callable[[], Layer]] = {
    "lift an image": lambda: linear(_image(), 3 * _features()),
    "average features": lambda: linear(_features(), scalar(dihedral(4), 5)),
    "pairs to pairs and points": lambda: linear(_points() * _points(), _points() * _points() + 2 * _points()),
    "vectors, matrices, scalars": lambda: linear(
        2 * _vectors() + _vectors() * _vectors() + scalar(so(3), 2),
        3 * _vectors() + _vectors() * _vectors() + _scalars(),
    ),
    "traces": lambda: linear(standard(o(3)) * standard(o(3)), scalar(o(3), 2)),
    "sheared matrices": lambda: linear(
        standard(_shears()) * standard(_shears()), standard(_shears()) * standard(_shears())
    ),
    "draw a vector": lambda: linear(standard(dihedral(4)), _image()),
    "bias of features": lambda: bias(3 * _features()),
    "bias of pairs": lambda: bias(_points() * _points()),
    "bias of matrices and scalars": lambda: bias(_vectors() * _vectors() + _scalars()),
    "relu of pixels": lambda: pointwise(_image(), jax.nn.relu),
    "tanh of flipped coordinates": lambda: pointwise(standard(dihedral(4)), jnp.tanh),
    "classifier": lambda: serial(
        linear(_image(), 4 * _features()),
        bias(4 * _features()),
        pointwise(4 * _features(), jax.nn.gelu),
        linear(4 * _features(), scalar(dihedral(4), 9)),
    ),
    "residual": lambda: residual(linear(_vectors() + _vectors() * _vectors(), _vectors() + _vectors() * _vectors())),
    "side by side": lambda: parallel(
        linear(_vectors(), 2 * _vectors()), serial(bias(_scalars()), pointwise(_scalars(), jax.nn.silu))
    ),
    "affine on tensors": lambda: affine(spread(so(3), 20), spread(so(3), 20)),
    "affine under boosts": lambda: affine(tensor(lorentz(1, 3), 1, 1), tensor(lorentz(1, 3), 2)),
    "affine under symplectic maps": lambda: affine(tensor(sp(2), 1, 1), tensor(sp(2), 2) + scalar(sp(2))),
    "affine on complex vectors": lambda: affine(2 * standard(u(2)), standard(u(2)) + tensor(u(2), 2)),
    "affine on a plane in space": lambda: affine(tensor(_plane(), 2), standard(_plane()) + tensor(_plane(), 2)),
    "affine between factors": lambda: affine(*2 * (_outer(),)),
    "gates": lambda: gated(_scalars() + 2 * _vectors() + standard(so(3)) * standard(so(3))),
    "gates of points and planes": lambda: gated(pixels(dihedral(4), 2) + 2 * standard(dihedral(4))),
    "contractions": lambda: bilinear(spread(o(3), 20), spread(o(3), 20)),
    "contractions with the dual": lambda: bilinear(
        tensor(_lattice(), 1, 1) + 2 * standard(_lattice()), standard(_lattice()) + scalar(_lattice())
    ),
    "perceptron of O(3)": lambda: equivariant_mlp(
        2 * scalar(o(3)) + 3 * standard(o(3)), tensor(o(3), 2), spread(o(3), 20), depth=2
    ),
    "perceptron of SO+(1,3)": lambda: equivariant_mlp(
        3 * standard(lorentz(1, 3)), standard(lorentz(1, 3)), spread(lorentz(1, 3), 30), depth=1
    ),
    "sphere to rotations": lambda: sphere_to_so3(2, 3, 2),
    "convolution of rotations": lambda: so3_conv(2, 2, 3, near_identity(0.6, 4, 2, 4)),
    "square on the sphere": lambda: sphere_activation(1, 2, jnp.square),
    "square on rotations": lambda: so3_activation(1, 2, jnp.square),
    "attention of a query to three keys": lambda: _attention("relu"),
    "softmax attention": lambda: _attention("softmax"),
    "attention pooling of four elements": _pooling,
}
"""Name -> builder of a layer."""
