"""Groups: records of functions on plain arrays, and the homomorphisms between them."""

from equiv.groups.base import Element, Group, Homomorphism, product, projection
from equiv.groups.classical import gl_plus, lorentz, scaling, sl, sp, su, u
from equiv.groups.combined import embed, unembed, union
from equiv.groups.euclidean import affine, e, linear_part, modular, se
from equiv.groups.finite import cyclic, dihedral, shifts, symmetric
from equiv.groups.linear import from_generators, o, polyhedral, so
from equiv.groups.subgroups import inclusion, powers

__all__ = [
    "Element",
    "Group",
    "Homomorphism",
    "affine",
    "cyclic",
    "dihedral",
    "e",
    "embed",
    "from_generators",
    "gl_plus",
    "inclusion",
    "linear_part",
    "lorentz",
    "modular",
    "o",
    "polyhedral",
    "powers",
    "product",
    "projection",
    "scaling",
    "se",
    "shifts",
    "sl",
    "so",
    "sp",
    "su",
    "symmetric",
    "u",
    "unembed",
    "union",
]
