"""All claims by name, in the order in which they are listed and judged."""

from theory import augmentation, elesedy_zaidi, inductive_bias, tahmasebi_jegelka
from theory.claim import Claim

__all__ = ["CLAIMS"]

_MODULES = (elesedy_zaidi, augmentation, tahmasebi_jegelka, inductive_bias)

CLAIMS: dict[str, Claim] = {claim.name: claim for module in _MODULES for claim in module.CLAIMS}
