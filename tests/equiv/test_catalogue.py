"""Every row of the catalogues obeys its laws, in both precisions and within one budget for both."""

import budgets
import jax.numpy as jnp
import pytest

from equiv.laws import BUDGET, edge_elements
from equiv.testing.catalogue import GROUPS, HOMOMORPHISMS, LAYERS, REPS

DTYPES = ("float32", "float64")


def measured(laws, law, row, subject, dtype):
    check = getattr(laws, f"assert_{law.replace(' ', '_')}")
    return check(subject, dtype=jnp.dtype(dtype), budget=budgets.budget(law, row))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", GROUPS)
def test_groups(laws, row, dtype):
    measured(laws, "group axioms", row, GROUPS[row](), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", HOMOMORPHISMS)
def test_homomorphisms(laws, row, dtype):
    measured(laws, "homomorphism", row, HOMOMORPHISMS[row](), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", REPS)
def test_representations(laws, row, dtype):
    measured(laws, "homomorphism", row, REPS[row](), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", LAYERS)
def test_layers(laws, row, dtype):
    measured(laws, "equivariance", row, LAYERS[row](), dtype)


def test_budgets_are_of_rows_and_within_the_library_s_own():
    rows = {"group axioms": GROUPS, "homomorphism": HOMOMORPHISMS | REPS, "equivariance": LAYERS}
    assert all(row in rows[law] and budget <= BUDGET for (law, row), budget in budgets.ROWS.items())
    assert all(budget <= BUDGET for budget in budgets.LAWS.values())


@pytest.mark.parametrize("row", GROUPS)
def test_edge_elements_have_names_and_are_elements(row):
    group = GROUPS[row]()
    names, elements = edge_elements(group)
    assert len(names) == len(set(names)) == group.batch_shape(elements)[0]
    assert names[0] == "identity"
    if group.dim:
        assert any(name.startswith("1e-08") for name in names)
        assert not group.compact or any(name.startswith("3.142") for name in names)
