"""What is refused, and how: one table of calls, the exception, and the words that have to be in its one sentence."""

from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

from equiv import groups
from equiv.flax import from_linen
from equiv.groups import (
    cyclic,
    dihedral,
    embed,
    from_generators,
    gl_plus,
    inclusion,
    lorentz,
    o,
    polyhedral,
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
from equiv.groups import decompositions as d
from equiv.layers import (
    affine,
    attention_pooling,
    bias,
    bilinear,
    dense,
    equivariant_mlp,
    fields,
    gated,
    gaussian_rings,
    laguerre,
    lie_conv,
    linear,
    orthographic_lift,
    parallel,
    pixelwise,
    plane_to_sphere,
    pointwise,
    residual,
    restrict_to_plane,
    serial,
    steerable_conv,
)
from equiv.layers import so3 as layers_so3
from equiv.layers.ridge import best_ridge, constrained_erm, dual_ridge, primal_ridge, project
from equiv.reps import (
    intertwiners,
    permutation,
    pixels,
    regular,
    representation,
    restrict,
    scalar,
    spread,
    standard,
    tensor,
)
from equiv.reps.irreps import so2

D4, SO3, O3 = dihedral(4), so(3), o(3)
V, PLANE, REGULAR = standard(SO3), standard(D4), regular(D4)
NET = serial(linear(REGULAR, 2 * REGULAR), bias(2 * REGULAR))
POOLING = attention_pooling(3)
FOUR = np.arange(4, dtype=np.int32)
TURN = [[0.0, -1.0], [1.0, 0.0]]
SHEAR = from_generators(lie=[[[0.0, 1.0], [0.0, 0.0]]], name="shears")


QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
TILT = np.array([[1, 0, 0], [0, np.cos(1.2e-5), -np.sin(1.2e-5)], [0, np.sin(1.2e-5), np.cos(1.2e-5)]])


def unclear():
    """Quarter turns about two axes that nearly agree."""
    return standard(from_generators(discrete=[QUARTER, TILT @ QUARTER @ TILT.T], name="nearly one axis"))


def params(layer):
    return layer.init(jax.random.key(0))


def zeros(*shape):
    return jnp.zeros(shape)


PICTURE = lie_conv.image(jnp.ones((2, 9, 9)))
LIFTED = lie_conv.GroupSignal(jnp.ones((2, 3, 9, 9)), jnp.tile(jnp.eye(2), (3, 1, 1)), jnp.zeros(3), 0.4 * jnp.eye(2))
LIFT, CONV = lie_conv.lifting(groups.sl(2), 2, 1), lie_conv.group_conv(groups.sl(2), 2, 1)
RINGS = gaussian_rings(3, 5)
INDUCED, RESTRICTED = plane_to_sphere(so2(0), 1, 2, RINGS), restrict_to_plane(so2(0), 1, 1, RINGS, 4)
MIRROR = jnp.tile(jnp.diag(jnp.array([1.0, -1.0])), (3, 1, 1))


CASES = {
    # groups: sizes
    "cyclic(0)": (lambda: cyclic(0), ValueError, ["order of a cyclic group", "at least 1", "got 0"]),
    "cyclic(-3)": (lambda: cyclic(-3), ValueError, ["at least 1", "got -3"]),
    "dihedral(0)": (lambda: dihedral(0), ValueError, ["rotations of a dihedral group", "at least 1", "got 0"]),
    "symmetric(0)": (lambda: symmetric(0), ValueError, ["points of a symmetric group", "got 0"]),
    "so(0)": (lambda: so(0), ValueError, ["dimension of so", "at least 1", "got 0"]),
    "o(-1)": (lambda: o(-1), ValueError, ["dimension of o", "got -1"]),
    "so(True)": (lambda: so(True), ValueError, ["whole number", "got True"]),
    "shifts(())": (lambda: shifts(()), ValueError, ["one or more axes", "got ()"]),
    "shifts((3, 0))": (lambda: shifts((3, 0)), ValueError, ["length of a grid axis", "got 0"]),
    "product()": (lambda: product(), ValueError, ["two or more groups", "got 0"]),
    "product(one)": (lambda: product(SO3), ValueError, ["two or more groups", "got 1"]),
    "polyhedral('cubic')": (lambda: polyhedral("cubic"), ValueError, ["tetrahedral", "icosahedral", "got 'cubic'"]),
    "sp(0)": (lambda: sp(0), ValueError, ["dimension of sp", "at least 2", "got 0"]),
    "sp(3)": (lambda: sp(3), ValueError, ["dimension of sp", "even", "got 3"]),
    "u(0)": (lambda: u(0), ValueError, ["complex dimension of u", "got 0"]),
    "su(0)": (lambda: su(0), ValueError, ["complex dimension of su", "got 0"]),
    "sl(0)": (lambda: sl(0), ValueError, ["dimension of sl", "got 0"]),
    "gl_plus(0)": (lambda: gl_plus(0), ValueError, ["dimension of gl_plus", "got 0"]),
    "scaling(0)": (lambda: scaling(0), ValueError, ["dimension of scaling", "got 0"]),
    "lorentz(3, 0)": (lambda: lorentz(3, 0), ValueError, ["both signs", "no negative one", "use so or o"]),
    "lorentz(0, 3)": (lambda: lorentz(0, 3), ValueError, ["both signs", "no positive one", "use so or o"]),
    "lorentz(-1, 3)": (lambda: lorentz(-1, 3), ValueError, ["positive coordinates of lorentz", "got -1"]),
    "component": (lambda: lorentz(1, 3, "proper"), ValueError, ["identity, special, orthochronous, full", "'proper'"]),
    "se(0)": (lambda: groups.se(0), ValueError, ["dimension of se", "at least 1", "got 0"]),
    "e(-1)": (lambda: groups.e(-1), ValueError, ["dimension of e", "got -1"]),
    "affine(0, H)": (lambda: groups.affine(0, SO3), ValueError, ["dimension of affine", "got 0"]),
    "affine of other matrices": (
        lambda: groups.affine(2, SO3),
        ValueError,
        ["affine(2, H)", "2 x 2 matrices", "elements of SO(3) are 3 x 3 matrices"],
    ),
    "affine of no matrices": (
        lambda: groups.affine(2, cyclic(3)),
        ValueError,
        ["2 x 2 matrices", "elements of cyclic(3) are no matrices"],
    ),
    "elements of SE(2)": (lambda: groups.se(2).elements(), ValueError, ["SE(2)", "infinitely many", "use sample"]),
    "index of SE(2)": (lambda: groups.se(2).index(groups.se(2).identity()), ValueError, ["SE(2)", "cannot list"]),
    "lie of SE(2)": (lambda: groups.se(2).lie(), ValueError, ["SE(2)", "pairs (translation, matrix)", "use exp"]),
    "linear part of SO(3)": (lambda: groups.linear_part(SO3), ValueError, ["affine, se or e", "got SO(3)"]),
    "standard of SE(2)": (
        lambda: standard(groups.se(2)),
        ValueError,
        ["SE(2) has no standard", "translations are not linear", "linear_part(SE(2))"],
    ),
    "regular of SE(2)": (lambda: regular(groups.se(2)), ValueError, ["finite group", "got SE(2)"]),
    # layers of signals
    "image of another shape": (
        lambda: lie_conv.image(zeros(1, 4, 6)),
        ValueError,
        ["square", "4 rows of 6 pixels", "pad"],
    ),
    "spacing 0": (
        lambda: lie_conv.image(zeros(1, 4, 4), 0.0),
        ValueError,
        ["spacing of pixels", "above zero", "got 0.0"],
    ),
    "lifting of SL(3)": (
        lambda: lie_conv.lifting(groups.sl(3), 1, 1),
        ValueError,
        ["gl_plus(2), sl(2) or so(2)", "SL(3)"],
    ),
    "group_conv of O(2)": (lambda: lie_conv.group_conv(o(2), 1, 1), ValueError, ["gl_plus(2), sl(2) or so(2)", "O(2)"]),
    "even kernel": (lambda: lie_conv.to_plane(so(2), 1, 1, 4), ValueError, ["size of to_plane", "odd", "got 4"]),
    "no channels": (lambda: lie_conv.lifting(so(2), 0, 1), ValueError, ["channels that lifting takes", "got 0"]),
    "another padding": (lambda: lie_conv.lifting(so(2), 1, 1, padding="full"), ValueError, ["valid or same", "'full'"]),
    "no chunk": (lambda: lie_conv.group_conv(so(2), 1, 1, chunk=0), ValueError, ["chunk of group_conv", "got 0"]),
    "no elements": (
        lambda: LIFT.apply(params(LIFT), PICTURE, zeros(0, 2, 2)),
        ValueError,
        ["one or more", "(0, 2, 2)"],
    ),
    "mirrors": (
        lambda: LIFT.apply(params(LIFT), PICTURE, MIRROR),
        ValueError,
        ["positive determinant", "[[1.0, 0.0], [0.0, -1.0]] at 0"],
    ),
    "NaN among the elements": (
        lambda: CONV.apply(params(CONV), LIFTED._replace(elements=LIFTED.elements.at[2, 0, 0].set(jnp.nan))),
        ValueError,
        ["positive determinant", "nan", "at 2"],
    ),
    "three elements for four slices": (
        lambda: CONV.apply(params(CONV), LIFTED._replace(values=zeros(2, 4, 9, 9))),
        ValueError,
        ["as many elements", "4 slices and 3 elements"],
    ),
    "channels of a signal": (
        lambda: CONV.apply(params(CONV), LIFTED._replace(values=zeros(5, 3, 9, 9))),
        ValueError,
        ["with 2 channels", "(5, 3, 9, 9)"],
    ),
    "sharpness -1": (lambda: lie_conv.invariant_pool(LIFTED, -1.0), ValueError, ["sharpness", "at least 0", "-1.0"]),
    "siren of no width": (lambda: fields.siren(0), ValueError, ["width of siren", "got 0"]),
    "siren of frequency 0": (lambda: fields.siren(frequency=0.0), ValueError, ["frequency of siren", "above zero"]),
    # groups: decompositions
    "polar of a mirror": (
        lambda: d.polar(jnp.diag(jnp.array([1.0, -2.0]))),
        ValueError,
        ["polar needs matrices of positive determinant", "the matrix has determinant -2"],
    ),
    "log of the third": (
        lambda: d.cartan_log(jnp.asarray(np.tile(np.eye(3), (4, 1, 1))).at[2, 1, 1].set(0)),
        ValueError,
        ["cartan_log needs", "the one at index 2 has determinant 0"],
    ),
    "iwasawa of NaN": (
        lambda: d.iwasawa(jnp.full((2, 1, 2, 2), jnp.nan)),
        ValueError,
        ["iwasawa needs", "the one at index 0, 0 has an entry that is not finite"],
    ),
    "polar of a rectangle": (lambda: d.polar(zeros(4, 2, 3)), ValueError, ["square matrices", "got shape (4, 2, 3)"]),
    "polar of 1 x 1": (lambda: d.polar(jnp.ones((1, 1))), ValueError, ["size n of at least 2", "got shape (1, 1)"]),
    "log of a rectangle": (lambda: d.cartan_log(zeros(2, 3)), ValueError, ["cartan_log takes square matrices"]),
    "spd_log of a shear": (
        lambda: d.spd_log(jnp.array([[1.0, 2.0], [0.0, 1.0]])),
        ValueError,
        ["symmetric positive definite", "(i, j) and (j, i) that differ by 2"],
    ),
    "spd_sqrt of a saddle": (
        lambda: d.spd_sqrt(jnp.diag(jnp.array([1.0, 2.0, -3.0]))),
        ValueError,
        ["symmetric positive definite", "smallest eigenvalue -3"],
    ),
    "sym_exp of infinity": (lambda: d.sym_exp(jnp.full((2, 2), jnp.inf)), ValueError, ["finite", "not finite"]),
    "density of 1 x 1": (lambda: d.log_haar_density(zeros(5, 1, 1)), ValueError, ["size n of at least 2"]),
    "cartan_exp of two sizes": (
        lambda: d.cartan_exp(zeros(2, 2), zeros(3, 3)),
        ValueError,
        ["two matrices of one size", "(2, 2) and (3, 3)"],
    ),
    "coordinates of O(3)": (
        lambda: d.cartan_coordinates(O3, jnp.eye(3)),
        ValueError,
        ["gl_plus(n), sl(n) and so(n)", "got O(3)"],
    ),
    "coordinates of another size": (
        lambda: d.cartan_coordinates(sl(2), jnp.eye(3)),
        ValueError,
        ["SL(2) are 2 x 2", "shape (3, 3)"],
    ),
    "too many coordinates": (
        lambda: d.from_cartan_coordinates(sl(2), zeros(4)),
        ValueError,
        ["SL(2) has 3 coordinates", "got shape (4,)"],
    ),
    # groups: from other groups
    "union()": (lambda: union(), ValueError, ["one or more matrix groups", "got none"]),
    "cyclic in union": (lambda: union(SO3, cyclic(3)), ValueError, ["cyclic(3) are none", "from_generators"]),
    "product in union": (lambda: union(product(SO3, SO3)), ValueError, ["SO(3) x SO(3) are none"]),
    "symmetric in union": (lambda: union(SO3, symmetric(3)), ValueError, ["symmetric(3) are none"]),
    "two sizes in union": (
        lambda: union(SO3, so(2)),
        ValueError,
        ["one size", "[2, 3] of SO(3), SO(2)", "embed the smaller"],
    ),
    "cyclic in embed": (lambda: embed(cyclic(3), 4, (0, 1)), ValueError, ["embed", "cyclic(3) are none"]),
    "embed in R^0": (lambda: embed(SO3, 0, ()), ValueError, ["dimension of the space of embed", "got 0"]),
    "repeated index": (lambda: embed(so(2), 3, (1, 1)), ValueError, ["different", "0 ... 2", "got (1, 1)"]),
    "index outside": (lambda: embed(so(2), 3, (1, 3)), ValueError, ["0 ... 2", "got (1, 3)"]),
    "negative index": (lambda: embed(so(2), 3, (0, -1)), ValueError, ["index of embed", "at least 0", "got -1"]),
    "index 0.5": (lambda: embed(so(2), 3, (0, 0.5)), ValueError, ["index of embed", "whole number", "got 0.5"]),
    "one index alone": (lambda: embed(o(1), 3, 2), ValueError, ["slice or whole numbers", "got 2"]),
    "three indices": (
        lambda: embed(so(2), 3, slice(3)),
        ValueError,
        ["SO(2) moves 2 coordinates", "got 3: (0, 1, 2)"],
    ),
    "unembed SO(3)": (lambda: unembed(SO3), ValueError, ["made by embed", "got SO(3)"]),
    # groups: what they cannot do
    "lie of C_3": (lambda: cyclic(3).lie(), ValueError, ["cyclic(3)", "integers", "use exp"]),
    "lie of a product": (lambda: product(SO3, SO3).lie(), ValueError, ["SO(3) x SO(3)", "tuples", "use exp"]),
    "elements of SL(2)": (lambda: sl(2).elements(), ValueError, ["SL(2)", "infinitely many", "use sample"]),
    "elements of SO(3)": (lambda: SO3.elements(), ValueError, ["SO(3)", "infinitely many", "use sample"]),
    "index in O(3)": (lambda: O3.index(jnp.eye(3)), ValueError, ["O(3)", "infinitely many"]),
    "elements of S_12": (lambda: symmetric(12).elements(), ValueError, ["479001600 elements", "50000", "use sample"]),
    "index in S_13": (lambda: symmetric(13).index(jnp.arange(13)), ValueError, ["symmetric(13)", "6227020800"]),
    "elements of a product": (lambda: product(cyclic(2), SO3).elements(), ValueError, ["SO(3)", "infinitely many"]),
    "index in a product": (
        lambda: product(SO3, cyclic(2)).index((jnp.eye(3), jnp.array(0))),
        ValueError,
        ["SO(3)", "infinitely many"],
    ),
    # groups: generators
    "no generators": (lambda: from_generators(), ValueError, ["lie or discrete", "got sizes []"]),
    "two sizes": (
        lambda: from_generators(lie=[np.eye(2)], discrete=[np.eye(3)]),
        ValueError,
        ["one size", "got sizes [2, 3]"],
    ),
    "not square": (lambda: from_generators(discrete=[[[1.0, 0.0]]]), ValueError, ["square", "got shapes [(1, 2)]"]),
    "a matrix, no list": (lambda: from_generators(discrete=np.eye(2)), ValueError, ["square", "(2,)"]),
    "NaN generator": (lambda: from_generators(lie=[[[np.nan]]]), ValueError, ["lie", "finite", "got NaN"]),
    "infinite generator": (lambda: from_generators(discrete=[[[np.inf]]]), ValueError, ["discrete", "finite"]),
    "a number": (lambda: from_generators(lie=2.0), ValueError, ["lie", "list of matrices", "got 2.0"]),
    "nearly singular": (
        lambda: from_generators(discrete=[[[1.0, 1.0], [1.0, 1.0 + 1e-14]]]),
        ValueError,
        ["invertible", "determinant 0"],
    ),
    "singular": (lambda: from_generators(discrete=[np.zeros((2, 2))]), ValueError, ["invertible", "determinant 0"]),
    "dependent": (
        lambda: from_generators(lie=[TURN, np.multiply(2.0, TURN)]),
        ValueError,
        ["linearly independent", "got dependent"],
    ),
    "not closed": (
        lambda: from_generators(
            lie=[np.eye(3)[[1, 0, 2]] * [[0, 1, 0]] * 1.0, np.eye(3)[[1, 0, 2]] * [[1, 0, 0]] * 1.0]
        ),
        ValueError,
        ["Lie algebra", "leaves their span"],
    ),
    "words": (lambda: from_generators(discrete=[[["a"]]]), ValueError, ["discrete", "real numbers", "<U1"]),
    "complex": (lambda: from_generators(discrete=[[[1j]]]), ValueError, ["discrete", "real numbers", "complex"]),
    # homomorphisms
    "no row": (lambda: inclusion(SO3, D4), ValueError, ["SO(3)", "dihedral(4)", "known are", "cyclic in so"]),
    "3 in 4": (lambda: inclusion(cyclic(3), cyclic(4)), ValueError, ["cyclic(3) is not", "3 does not divide 4"]),
    "too big": (lambda: inclusion(so(4), SO3), ValueError, ["SO(4) is not", "4 is more than 3"]),
    "not the plane": (lambda: inclusion(cyclic(4), SO3), ValueError, ["turn the plane, not R^3", "so(2)"]),
    "other points": (lambda: inclusion(symmetric(3), o(4)), ValueError, ["symmetric(3)", "3 coordinates, not 4"]),
    "sizes of matrices": (lambda: inclusion(SO3, sl(4)), ValueError, ["SO(3) is not", "3 x 3, not 4 x 4", "embed"]),
    "algebra outside": (lambda: inclusion(sl(2), so(2)), ValueError, ["SL(2) is not", "basis matrix 0", "of SO(2)"]),
    "generator outside": (
        lambda: inclusion(O3, gl_plus(3)),
        ValueError,
        ["O(3) is not", "discrete generator 0", "element of GL+(3)"],
    ),
    "wrong chain": (
        lambda: inclusion(cyclic(4), so(2)) @ inclusion(so(2), SO3),
        ValueError,
        ["ends in SO(3)", "starts from cyclic(4)"],
    ),
    "factor 2 of 2": (lambda: projection(product(D4, SO3), 2), ValueError, ["product", "dihedral(4) x SO(3), 2"]),
    "no product": (lambda: projection(D4, 0), ValueError, ["product", "dihedral(4)"]),
    # representations: building
    "scalar 0": (lambda: scalar(SO3, 0), ValueError, ["number of scalars", "got 0"]),
    "0 copies": (lambda: 0 * V, ValueError, ["number of copies of standard(SO(3))", "got 0"]),
    "two groups, sum": (lambda: V + PLANE, ValueError, ["direct sum", "SO(3) and dihedral(4)", "restrict"]),
    "two groups, product": (lambda: V * PLANE, ValueError, ["tensor product", "SO(3) and dihedral(4)", "restrict"]),
    "rep * 2": (lambda: V * 2, TypeError, ["unsupported operand"]),
    "rep + 1": (lambda: V + 1, TypeError, ["unsupported operand"]),
    "standard of shifts": (lambda: standard(shifts((3, 4))), ValueError, ["no standard representation", "regular("]),
    "standard of a product": (lambda: standard(product(D4, SO3)), ValueError, ["no standard", "projection"]),
    "regular of SO(3)": (lambda: regular(SO3), ValueError, ["finite group", "got SO(3)"]),
    "pixels of C_3": (lambda: pixels(cyclic(3), 4), ValueError, ["n = 1, 2 or 4", "got cyclic(3)"]),
    "pixels of S_4": (lambda: pixels(symmetric(4), 4), ValueError, ["n = 1, 2 or 4", "got symmetric(4)"]),
    "pixels of a product": (lambda: pixels(product(D4, D4), 4), ValueError, ["got dihedral(4) x dihedral(4)"]),
    "0 pixels": (lambda: pixels(D4, 0), ValueError, ["side of an image", "got 0"]),
    "no permutation": (
        lambda: permutation(cyclic(3), 3, lambda g: jnp.zeros(3, int)),
        ValueError,
        ["permutation of 0 ... 2", "got [0, 0, 0]"],
    ),
    "wrong degree": (
        lambda: permutation(cyclic(3), 4, lambda g: jnp.arange(3)),
        ValueError,
        ["permutation of 0 ... 3", "got [0, 1, 2]"],
    ),
    "right at the generator only": (
        lambda: permutation(cyclic(4), 4, lambda g: jnp.where(g == 3, FOUR, (FOUR + g) % 4)),
        ValueError,
        ["homomorphism", "at 2 of 4 products"],
    ),
    "a right action": (
        lambda: permutation(symmetric(3), 3, lambda g: jnp.argsort(g)),
        ValueError,
        ["homomorphism", "images(g h)[i] = images(g)[images(h)[i]]"],
    ),
    "permutation of SO(3)": (
        lambda: permutation(SO3, 3, lambda g: jnp.arange(3)),
        ValueError,
        ["discrete group", "SO(3) of dimension 3"],
    ),
    "given, 0": (lambda: representation(SO3, "none", 0, lambda g, v: v), ValueError, ["dimension", "got 0"]),
    "restrict elsewhere": (
        lambda: restrict(PLANE, inclusion(so(2), SO3)),
        ValueError,
        ["representation of SO(3)", "got", "dihedral(4)"],
    ),
    "rank -1": (lambda: tensor(SO3, -1), ValueError, ["rank p of a tensor", "at least 0", "got -1"]),
    "rank (1, -2)": (lambda: tensor(SO3, 1, -2), ValueError, ["rank q of a tensor", "at least 0", "got -2"]),
    "tensor of shifts": (lambda: tensor(shifts((3, 4)), 2), ValueError, ["no standard representation"]),
    "0 channels": (lambda: spread(O3, 0), ValueError, ["number of channels", "at least 1", "got 0"]),
    "channels of a product": (lambda: spread(product(D4, SO3), 8), ValueError, ["no standard representation"]),
    # representations: acting
    "short vector": (lambda: V.act(jnp.eye(3), zeros(4)), ValueError, ["length 3", "shape (4,)"]),
    "float32 meets float64": (
        lambda: V.act(jnp.eye(3), jnp.zeros(3, np.float32)),
        TypeError,
        ["element is float64", "vector float32", "cast"],
    ),
    "integers turned": (
        lambda: V.act(jnp.eye(3), jnp.zeros(3, int)),
        TypeError,
        ["element is float64", "vector int64", "cast"],
    ),
    # intertwiners
    "basis of two groups": (
        lambda: intertwiners.basis(V, PLANE),
        ValueError,
        ["one group", "standard(SO(3)) of SO(3)", "of dihedral(4)", "restrict"],
    ),
    "coefficients": (
        lambda: intertwiners.basis(V, V).combine(zeros(2)),
        ValueError,
        ["has 1 maps", "coefficients of shape (2,)"],
    ),
    "matrix": (
        lambda: intertwiners.basis(V, 2 * V).project(zeros(3, 6)),
        ValueError,
        ["matrix of shape (6, 3)", "got (3, 6)"],
    ),
    "average of shears": (lambda: intertwiners.average(standard(SHEAR)), ValueError, ["orthogonal", "shears"]),
    "constraints of two groups": (
        lambda: intertwiners.constraints(V, PLANE),
        ValueError,
        ["one group", "standard(SO(3)) of SO(3)", "of dihedral(4)"],
    ),
    "no gap": (
        lambda: intertwiners.basis(unclear(), unclear()),
        ValueError,
        ["cannot be told from nearly invariant vectors", "nearly one axis", "a gap from below", "check the generators"],
    ),
    "too many spanning vectors": (
        lambda: intertwiners.basis(scalar(O3), tensor(O3, 12)),
        ValueError,
        ["invariants of", "too many to orthonormalise", "lower rank"],
    ),
    # layers: building
    "affine of two groups": (lambda: affine(V, PLANE), ValueError, ["one group", "SO(3)", "dihedral(4)", "restrict"]),
    "dense of two groups": (lambda: dense(V, PLANE), ValueError, ["one group", "SO(3) and dihedral(4)"]),
    "bilinear of two groups": (lambda: bilinear(V, PLANE), ValueError, ["one group", "SO(3) and dihedral(4)"]),
    "affine without a gap": (lambda: affine(unclear(), unclear()), ValueError, ["nearly invariant vectors"]),
    "nothing to multiply": (
        lambda: bilinear(V, tensor(SO3, 3)),
        ValueError,
        ["no product of standard(SO(3)) with itself", "tensor(SO(3), 3, 0)", "higher rank"],
    ),
    "perceptron to another group": (
        lambda: equivariant_mlp(V, PLANE, spread(SO3, 8)),
        ValueError,
        ["one group", "SO(3)", "dihedral(4)", "restrict"],
    ),
    "hidden of another group": (
        lambda: equivariant_mlp(V, V, spread(O3, 8)),
        ValueError,
        ["one group", "of SO(3)", "of O(3)", "restrict"],
    ),
    "depth 0": (
        lambda: equivariant_mlp(V, V, spread(SO3, 8), depth=0),
        ValueError,
        ["number of hidden layers", "at least 1", "got 0"],
    ),
    "gate that is not allowed": (
        lambda: equivariant_mlp(V, V, spread(SO3, 8), gate=lambda rep: pointwise(rep, jax.nn.relu)),
        ValueError,
        ["relu", "mixes them"],
    ),
    "contraction parameters": (
        lambda: bilinear(V, scalar(SO3)).apply({"first": (), "second": ()}, zeros(3)),
        ValueError,
        ["parameters named mix", "got first, second"],
    ),
    "gates missing": (
        lambda: gated(V).apply({}, zeros(3)),
        ValueError,
        ["standard(SO(3)) + scalar", "length 4", "shape (3,)"],
    ),
    "no map": (lambda: linear(V, V + scalar(SO3)), ValueError, ["from standard(SO(3)) to scalar", "drop it"]),
    "linear of two groups": (lambda: linear(V, PLANE), ValueError, ["one group", "SO(3)", "dihedral(4)"]),
    "no bias": (lambda: bias(V), ValueError, ["standard(SO(3)) of SO(3)", "no invariant vector", "leave the bias out"]),
    "relu on vectors": (lambda: pointwise(V, jax.nn.relu), ValueError, ["relu", "standard(SO(3)) mixes them"]),
    "relu on signs": (lambda: pointwise(PLANE, jax.nn.relu), ValueError, ["flips signs", "odd", "relu is not odd"]),
    "serial()": (lambda: serial(), ValueError, ["one or more layers", "got none"]),
    "parallel()": (lambda: parallel(), ValueError, ["one or more layers", "got none"]),
    "serial mismatch": (
        lambda: serial(linear(V, 2 * V), linear(V, V)),
        ValueError,
        ["layer 1", "gives 2 * standard(SO(3))", "layer 2", "takes standard(SO(3))"],
    ),
    "residual mismatch": (
        lambda: residual(linear(V, 2 * V)),
        ValueError,
        ["takes standard(SO(3))", "gives 2 * standard(SO(3))"],
    ),
    "parallel of two groups": (
        lambda: parallel(linear(V, V), linear(PLANE, PLANE)),
        ValueError,
        ["SO(3) and dihedral(4)"],
    ),
    # layers: applying
    "wrong last axis": (lambda: NET.apply(params(NET), zeros(5, 7)), ValueError, ["length 8", "shape (5, 7)"]),
    "no axis": (lambda: NET.apply(params(NET), zeros()), ValueError, ["length 8", "shape ()"]),
    "integers": (lambda: NET.apply(params(NET), jnp.zeros(8, int)), TypeError, ["floating-point", "got int64", "cast"]),
    "complex vectors": (lambda: NET.apply(params(NET), jnp.zeros(8, complex)), TypeError, ["got complex128"]),
    "parameters short": (lambda: NET.apply(params(NET)[:1], zeros(8)), ValueError, ["its 2 layers", "got 1"]),
    "parameters long": (lambda: NET.apply(params(NET) * 2, zeros(8)), ValueError, ["its 2 layers", "got 4"]),
    "parameters no tuple": (lambda: NET.apply({}, zeros(8)), ValueError, ["its 2 layers", "got a dict"]),
    "parallel parameters": (
        lambda: parallel(NET, NET).apply((params(NET),), zeros(16)),
        ValueError,
        ["its 2 layers", "got 1"],
    ),
    "weight of another size": (
        lambda: NET.apply(({"weight": zeros(3)}, {"bias": zeros(2)}), zeros(8)),
        ValueError,
        ["has 16 maps", "shape (3,)"],
    ),
    "weight missing": (
        lambda: linear(V, V).apply({"bias": zeros(1)}, zeros(3)),
        ValueError,
        ["takes parameters named weight", "got bias"],
    ),
    "bias missing": (lambda: bias(REGULAR).apply({}, zeros(8)), ValueError, ["parameters named bias", "got none"]),
    # signals on SO(3)
    "l_max -1": (lambda: layers_so3.sphere_signal(-1), ValueError, ["band limit of sphere_signal", "at least 0"]),
    "rotation_signal without channels": (
        lambda: layers_so3.rotation_signal(2, 0),
        ValueError,
        ["channels of rotation_signal", "least 1"],
    ),
    "a short vector": (lambda: layers_so3.to_blocks(zeros(9), 1), ValueError, ["length 10", "shape (9,)"]),
    "blocks without channels": (
        lambda: layers_so3.from_blocks((zeros(1, 1), zeros(3, 3))),
        ValueError,
        ["(..., channels, 2l + 1, 2l + 1)"],
    ),
    "a degree is missing": (lambda: layers_so3.log_density((zeros(3, 3),), 1), ValueError, ["l = 0, 1", "(3, 3)"]),
    "no degree": (lambda: layers_so3.log_partition((), 1), ValueError, ["one block for each degree", "got a tuple"]),
    "blocks of integers": (
        lambda: layers_so3.log_partition((jnp.ones((1, 1), jnp.int32),), 1),
        TypeError,
        ["floating-point blocks", "int32"],
    ),
    "level 7": (lambda: layers_so3.log_density((zeros(1, 1),), 7), ValueError, ["up to level 6", "got the level 7"]),
    "a coarse quadrature": (
        lambda: layers_so3.so3_activation(4, 1, jnp.square, 7),
        ValueError,
        ["band limit 4", "degree 8", "given 7"],
    ),
    "a coarse sphere": (lambda: layers_so3.sphere_activation(4, 1, jnp.square, 7), ValueError, ["degree 8", "given 7"]),
    "density at a mirror": (
        lambda: layers_so3.evaluate((zeros(1, 1),), jnp.diag(jnp.array([1.0, 1.0, -1.0]))),
        ValueError,
        ["determinant -1"],
    ),
    "density in two dtypes": (
        lambda: layers_so3.evaluate((zeros(1, 1),), jnp.eye(3, dtype=jnp.float32)),
        TypeError,
        ["float64", "float32", "cast"],
    ),
    "points that are rotations": (
        lambda: layers_so3.sphere_to_so3(2, 1, 1, np.eye(3)[None]),
        ValueError,
        ["points on the sphere (n, 3)", "(1, 3, 3)"],
    ),
    "filter at a mirror": (lambda: layers_so3.so3_conv(2, 1, 1, -np.eye(3)[None]), ValueError, ["determinant -1"]),
    "radius 4": (lambda: layers_so3.near_identity(4.0), ValueError, ["at most pi", "got 4.0"]),
    "answers for other signals": (
        lambda: layers_so3.spread((zeros(2, 1, 1),), jnp.eye(3)[None, None]),
        ValueError,
        ["batch axes of the blocks, (2,)", "(1, 1, 3, 3)"],
    ),
    "no draws": (
        lambda: layers_so3.sample(jax.random.key(0), (zeros(1, 1),), 0),
        ValueError,
        ["number of draws", "at least 1"],
    ),
    # Flax
    "another length": (lambda: from_linen(linen.Dense(4), V, V), ValueError, ["gives (4,)", "has dimension 3"]),
    "Linen of two groups": (lambda: from_linen(linen.Dense(2), V, PLANE), ValueError, ["one group", "SO(3) and"]),
    # images: steerable kernels and induction
    "rings of no pixel": (lambda: gaussian_rings(3, 0), ValueError, ["number of pixels of gaussian_rings", "got 0"]),
    "laguerre of width -1": (lambda: laguerre(3, -1.0), ValueError, ["width of laguerre", "positive", "got -1.0"]),
    "even steerable kernel": (
        lambda: steerable_conv(so2(0), so2(1), 4, RINGS),
        ValueError,
        ["size of steerable_conv", "odd", "got 4"],
    ),
    "steerable kernel of SO(3)": (
        lambda: steerable_conv(V, so2(1), 5, RINGS),
        ValueError,
        ["representations of SO(2)", "got standard(SO(3)) of SO(3)"],
    ),
    "steerable kernel of a product": (
        lambda: steerable_conv(so2(2) * so2(1), so2(1), 5, RINGS),
        ValueError,
        ["sums of so2(k) and restrictions of so3(l)", "so2(2) * standard(SO(2)) has others"],
    ),
    "frequency beyond the rings": (
        lambda: steerable_conv(so2(0), so2(20), 5, RINGS),
        ValueError,
        ["gaussian_rings(3, 5) has no function for frequency 20", "more pixels"],
    ),
    "negative frequency": (lambda: plane_to_sphere(so2(-1), 2, 1, RINGS), ValueError, ["frequency of so2", "got -1"]),
    "plane_to_sphere of degree -1": (
        lambda: plane_to_sphere(so2(0), -1, 1, RINGS),
        ValueError,
        ["highest degree of plane_to_sphere", "at least 0", "got -1"],
    ),
    "orthographic_lift of no channel": (
        lambda: orthographic_lift(2, 0),
        ValueError,
        ["channels of orthographic_lift", "got 0"],
    ),
    "image that is not square": (
        lambda: INDUCED.apply(params(INDUCED), zeros(1, 4, 5)),
        ValueError,
        ["takes square images (..., 1, N, N)", "got an array of shape (1, 4, 5)"],
    ),
    "image with other channels": (
        lambda: INDUCED.apply(params(INDUCED), zeros(2, 4, 4)),
        ValueError,
        ["takes square images (..., 1, N, N)", "(2, 4, 4)"],
    ),
    "image of integers": (
        lambda: orthographic_lift(2, 1).apply({}, jnp.zeros((1, 4, 4), int)),
        TypeError,
        ["orthographic_lift(2, 1) takes floating-point images", "got int", "x.astype(float)"],
    ),
    "induction without q": (
        lambda: INDUCED.apply({"p": params(INDUCED)["p"]}, zeros(1, 4, 4)),
        ValueError,
        ["takes parameters named q", "got p"],
    ),
    "induction with other parameters": (
        lambda: INDUCED.apply({**params(INDUCED), "p": {"0->0": zeros(1), "0->1": zeros(1)}}, zeros(1, 4, 4)),
        ValueError,
        ["takes parameters p 0->0 of shape (4, 1, 3)", "got (1,)"],
    ),
    "restriction of another signal": (
        lambda: RESTRICTED.apply(params(RESTRICTED), zeros(5)),
        ValueError,
        ["vectors of length 4", "got an array of shape (5,)"],
    ),
    "pixelwise of another group": (lambda: pixelwise(NET), ValueError, ["takes a layer of SO(2)", "dihedral(4)"]),
    # attention pooling
    "pooling of no feature": (
        lambda: attention_pooling(0),
        ValueError,
        ["length of an element", "at least 1", "got 0"],
    ),
    "pooling to nothing": (lambda: attention_pooling(3, 0), ValueError, ["number of outputs", "at least 1", "got 0"]),
    "set of none": (
        lambda: POOLING.apply({"weight": zeros(3, 3)}, zeros(5, 0, 3)),
        ValueError,
        ["attention_pooling(3) takes sets of at least one element", "got shape (5, 0, 3)"],
    ),
    "set without a present element": (
        lambda: POOLING.apply({"weight": zeros(3, 3)}, zeros(2, 2, 3), jnp.array([[True, False], [False, False]])),
        ValueError,
        ["at least one element", "a set has none that is present"],
    ),
    "elements of another length": (
        lambda: POOLING.apply({"weight": zeros(3, 3)}, zeros(2, 4)),
        ValueError,
        ["takes sets (..., N, 3)", "got shape (2, 4)"],
    ),
    "mask of another shape": (
        lambda: POOLING.apply({"weight": zeros(3, 3)}, zeros(5, 2, 3), jnp.ones(2, bool)),
        ValueError,
        ["a mask of booleans", "(5, 2) for sets (5, 2, 3)", "got bool (2,)"],
    ),
    "mask of numbers": (
        lambda: POOLING.apply({"weight": zeros(3, 3)}, zeros(2, 3), zeros(2)),
        ValueError,
        ["a mask of booleans", "got float64 (2,)"],
    ),
    "set of integers": (
        lambda: POOLING.apply({"weight": zeros(3, 3)}, jnp.ones((2, 3), int)),
        TypeError,
        ["takes floating-point sets", "int64", "cast"],
    ),
    "pooling without weights": (
        lambda: POOLING.apply({}, zeros(2, 3)),
        ValueError,
        ["takes parameters named weight", "got none"],
    ),
    "negative ridge": (
        lambda: dual_ridge(jnp.eye(3), zeros(3), -0.5),
        ValueError,
        ["the ridge of dual_ridge in K + ridge * I", "at least 0 and finite", "got -0.5"],
    ),
    "ridge that is no number": (
        lambda: primal_ridge(zeros(3, 2), zeros(3), np.nan),
        ValueError,
        ["the ridge of primal_ridge in K + ridge * I", "got nan"],
    ),
    "one negative ridge of several": (
        lambda: best_ridge(jnp.eye(3), zeros(3), jnp.array([1.0, -1.0])),
        ValueError,
        ["the ridge of best_ridge", "at least 0", "-1."],
    ),
    "several ridges at once": (
        lambda: dual_ridge(jnp.eye(3), zeros(3), jnp.ones(2)),
        ValueError,
        ["takes one ridge", "(2,)", "jax.vmap"],
    ),
    "no ridge": (
        lambda: best_ridge(jnp.eye(3), zeros(3), zeros(0)),
        ValueError,
        ["at least one", "(0,)"],
    ),
    "a sample twice at ridge 0": (
        lambda: dual_ridge(jnp.ones((2, 2)), zeros(2), 0.0),
        ValueError,
        ["K + ridge * I of dual_ridge is singular", "at ridge = 0", "the smallest ridge that works is 1.8e-15"],
    ),
    "a feature twice at ridge 0": (
        lambda: primal_ridge(jnp.ones((3, 2)), zeros(3), 0.0),
        ValueError,
        ["K + ridge * I of primal_ridge is singular", "at ridge = 0", "the smallest ridge that works is"],
    ),
    "singular at every ridge": (
        lambda: best_ridge(jnp.ones((2, 2)), zeros(2), jnp.array([0.0, 1e-17])),
        ValueError,
        ["of best_ridge is singular", "at ridge = 1e-17", "the smallest ridge that works is"],
    ),
    "Gram matrix with other samples": (
        lambda: unwrap(dual_ridge)(zeros(3, 4), zeros(3), 1.0),
        ValueError,
        ["takes a Gram matrix (n, n)", "(3, 4)"],
    ),
    "Gram matrix of two sets": (
        lambda: dual_ridge(jnp.array([[1.0, 0.5], [0.0, 1.0]]), zeros(2), 1.0),
        ValueError,
        ["symmetric Gram matrix", "differs from its transpose"],
    ),
    "labels of other samples": (
        lambda: unwrap(dual_ridge)(jnp.eye(3), zeros(2), 1.0),
        ValueError,
        ["labels (n, ...) of its n = 3 samples", "(2,)"],
    ),
    "ridge with a mask of numbers": (
        lambda: unwrap(primal_ridge)(zeros(3, 2), zeros(3), 1.0, jnp.ones(3)),
        ValueError,
        ["a mask of 3 booleans", "float64"],
    ),
    "features of one sample alone": (
        lambda: unwrap(primal_ridge)(zeros(3), zeros(3), 1.0),
        ValueError,
        ["features (n, f)", "(3,)"],
    ),
    "ball of negative radius": (
        lambda: project(zeros(2, 2), -1.0, 1.0),
        ValueError,
        ["the sum_of_norms of project", "at least 0 and finite", "got -1.0"],
    ),
    "ball without end": (
        lambda: constrained_erm(zeros(3, 2, 2), zeros(3), 1.0, np.inf),
        ValueError,
        ["the sum_of_squares of constrained_erm", "finite", "got inf"],
    ),
    "projection of one vector": (lambda: unwrap(project)(zeros(2), 1.0, 1.0), ValueError, ["v (M, q)", "(2,)"]),
    "unknown loss": (
        lambda: constrained_erm(zeros(3, 2, 2), zeros(3), 1.0, 1.0, "squared"),
        ValueError,
        ["absolute, huber or a function of residuals", "got 'squared'"],
    ),
    "loss of all residuals": (
        lambda: constrained_erm(zeros(3, 2, 2), zeros(3), 1.0, 1.0, jnp.sum),
        ValueError,
        ["works entry by entry", "shape () for 3 residuals"],
    ),
    "no step": (
        lambda: constrained_erm(zeros(3, 2, 2), zeros(3), 1.0, 1.0, n_steps=0),
        ValueError,
        ["the steps of constrained_erm", "at least 1, got 0"],
    ),
    "features without heads": (
        lambda: unwrap(constrained_erm)(zeros(3, 4), zeros(3), 1.0, 1.0),
        ValueError,
        ["features (n, M, q)", "(3, 4)"],
    ),
    "labels of fewer samples": (
        lambda: unwrap(constrained_erm)(zeros(3, 2, 2), zeros(2), 1.0, 1.0),
        ValueError,
        ["labels of its n = 3 samples", "(2,)"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_refused_in_one_sentence(name):
    call, kind, words = CASES[name]
    with pytest.raises(kind) as caught:
        call()
    assert caught.type is kind
    message = str(caught.value)
    missing = [word for word in words if word not in message]
    assert not missing, message
    assert "\n" not in message
    assert 15 < len(message) < 500, message
    assert not message.endswith((".", " ")), message


UNSOLVED = ["no gap", "affine without a gap", "basis of two groups", "affine of two groups", "bilinear of two groups"]


@pytest.mark.parametrize("name", [*UNSOLVED, "depth 0", "hidden of another group", "rank -1", "0 channels"])
def test_nothing_is_kept_of_what_was_refused(name):
    """The second try fails as the first did, and no cache has grown."""
    call, kind, _ = CASES[name]
    caches = (intertwiners.basis, intertwiners._solve, tensor, spread, affine, bilinear, equivariant_mlp)
    messages, sizes = [], []
    for _ in range(2):
        with pytest.raises(kind) as caught:
            call()
        messages.append(str(caught.value))
        sizes.append([cache.cache_info().currsize for cache in caches])
    assert messages[0] == messages[1]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("value", [2.0, 2.5, "2", None, np.float64(2)], ids=repr)
@pytest.mark.parametrize(
    "build", [cyclic, dihedral, symmetric, so, o, u, su, sl, gl_plus, scaling], ids=lambda f: f.__name__
)
def test_sizes_are_whole_numbers(build, value):
    """Below the type checks of the tests, as a user meets it."""
    raw = getattr(build.__wrapped__, "__wrapped__", build.__wrapped__)
    with pytest.raises(ValueError, match="has to be a whole number of at least 1, got"):
        raw(value)


def test_nan_is_no_error_but_seen():
    """Values are not inspected: NaN goes in, NaN comes out, everywhere it belongs."""
    x = zeros(2, 8).at[1, 0].set(np.nan)
    spoilt = jax.tree.map(lambda leaf: leaf * np.nan, params(NET))
    clean, bad = jax.jit(lambda p, q, x: (NET.apply(p, x), NET.apply(q, x)))(params(NET), spoilt, x)
    assert np.isfinite(clean[0]).all()
    assert np.isnan(clean[1]).all()
    assert np.isnan(bad).all()
    assert np.isnan(V.act(jnp.full((3, 3), np.nan), zeros(3))).all()
    assert np.isnan(SO3.log(jnp.full((3, 3), np.nan))).all()
