"""All claims by name, in the order in which they are listed and judged."""

from theory import elesedy_zaidi
from theory.claim import Claim

__all__ = ["CLAIMS"]

CLAIMS: dict[str, Claim] = {claim.name: claim for module in (elesedy_zaidi,) for claim in module.CLAIMS}
