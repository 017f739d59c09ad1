"""Groups: records of functions on plain arrays, and the homomorphisms between them."""

from equiv.groups.base import Element, Group, Homomorphism, product, projection
from equiv.groups.finite import cyclic, dihedral, shifts, symmetric
from equiv.groups.linear import from_generators, o, polyhedral, so
from equiv.groups.subgroups import inclusion

__all__ = [
    "Element",
    "Group",
    "Homomorphism",
    "cyclic",
    "dihedral",
    "from_generators",
    "inclusion",
    "o",
    "polyhedral",
    "product",
    "projection",
    "shifts",
    "so",
    "symmetric",
]
