"""How many eps units each row of the catalogues may be off: one table, the same for float32 and float64.

A row that grows from one precision to the other has a constant in it that is right to single precision only. A budget
is the law's unless the row is listed, with its reason; none is above what `equiv.laws` asks of any model.
"""

from equiv.laws import BUDGET

LAWS = {
    "group axioms": 20.0,
    "homomorphism": 15.0,
    "equivariance": 25.0,
}
"""Law -> eps units."""

ROWS = {
    # A boost of rapidity r grows rounding by exp(2 r) in g^-1 g, and some elements have r = 1.2 and more.
    ("group axioms", "SO+(1,3)"): BUDGET,
    ("group axioms", "SO(1,2)"): BUDGET,
    ("group axioms", "O+(2,1)"): BUDGET,
    ("group axioms", "O(1,3)"): BUDGET,
    # Ten coordinates share the length of a unit vector, and the stretch of the largest grows the error of all.
    ("group axioms", "Sp(4)"): BUDGET,
    # The same stretch and the same boosts, on tensors twice or three times.
    ("homomorphism", "tensors of Sp(4)"): BUDGET,
    ("equivariance", "affine under symplectic maps"): BUDGET,
    ("equivariance", "affine under boosts"): BUDGET,
    ("equivariance", "perceptron of SO+(1,3)"): BUDGET,
    # Seven layers, three of them quadratic: what rounds in the first is squared in those after it.
    ("equivariance", "perceptron of O(3)"): BUDGET,
    # A square doubles the relative error of what goes in, and this action stretches it before.
    ("equivariance", "contractions with the dual"): BUDGET,
    # Shears grow what they act on, and the error with it.
    ("equivariance", "sheared matrices"): 40.0,
}
"""(law, row) -> eps units."""


def budget(law: str, row: str) -> float:
    """The most eps units a row may be off."""
    return ROWS.get((law, row), LAWS[law])
