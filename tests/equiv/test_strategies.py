"""Drawn values lie where they should, reach the edges, and shrink towards the identity and towards zero."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from equiv import groups, reps
from equiv.testing.catalogue import GROUPS
from equiv.testing.strategies import elements, tangents, vectors

QUICK = settings(max_examples=10, database=None)
ROWS = ["C5", "D4", "S4", "shifts of 3 x 4", "SO(2)", "SO(3)", "O(3)", "octahedral", "C3 x SO(3)", "shears"]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_simplest_element_is_the_identity(row, dtype):
    group = GROUPS[row]()
    simplest = find(elements(group, jnp.dtype(dtype)), lambda g: True, settings=QUICK)
    for leaf, e in zip(jax.tree.leaves(simplest), jax.tree.leaves(group.identity(jnp.dtype(dtype)))):
        assert leaf.dtype == e.dtype
        np.testing.assert_array_equal(leaf, e)


@pytest.mark.parametrize("row", ROWS)
def test_drawn_elements_are_elements(row):
    group = GROUPS[row]()
    seen = []

    @settings(QUICK)
    @given(st.data())
    def draw(data):
        seen.append(data.draw(elements(group)))

    draw()
    g = jax.tree.map(lambda *leaves: jnp.stack(leaves), *seen)
    e = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (len(seen), *leaf.shape)), group.identity())
    away = group.distance(group.compose(g, group.inverse(g)), e)
    assert float(jnp.max(away)) < 1e-13
    moved = group.distance(g, e)
    assert float(jnp.max(moved)) > 0, "every draw was the identity"


def test_a_failure_is_told_by_its_simplest_element():
    s4, d4 = groups.symmetric(4), groups.dihedral(4)
    assert find(elements(s4), lambda g: int(g[0]) != 0, settings=QUICK).tolist() == [1, 0, 2, 3]
    assert int(find(elements(d4), lambda g: int(g) >= 4, settings=QUICK)) == 4  # the mirror itself


def test_a_mirror_is_found_where_the_group_has_one():
    g = find(elements(groups.o(3)), lambda g: float(jnp.linalg.det(g)) < 0, settings=settings(database=None))
    np.testing.assert_allclose(g, np.diag([1, 1, -1]), atol=1e-12)


@pytest.mark.parametrize("angle", [1e-8, np.pi / 2, np.pi])
def test_the_angles_that_break_things_are_drawn(angle):
    hit = find(
        tangents(groups.so(3)),
        lambda x: bool(abs(jnp.sum(jnp.abs(x)) - angle) < 1e-12) and int(jnp.sum(x != 0)) == 1,
        settings=settings(max_examples=500, database=None, derandomize=True),
    )
    assert np.count_nonzero(hit) == 1


@pytest.mark.parametrize("radius", [0.5, 2.0])
def test_tangents_stay_inside_the_radius(radius):
    @settings(QUICK)
    @given(tangents(groups.so(3), radius=radius))
    def inside(x):
        assert x.shape == (3,)
        assert float(jnp.max(jnp.abs(x))) <= radius

    inside()


def test_a_finite_group_has_the_empty_tangent():
    assert find(tangents(groups.dihedral(3)), lambda x: True, settings=QUICK).shape == (0,)


def test_vectors_have_the_shape_and_the_dtype_asked_for():
    v = 2 * reps.standard(groups.so(3))

    @settings(QUICK)
    @given(vectors(v, jnp.float32, (2,)))
    def right(x):
        assert x.shape == (2, 6)
        assert x.dtype == jnp.float32
        assert bool(jnp.all(jnp.abs(x) <= 8))

    right()
    assert find(vectors(v), lambda x: bool(jnp.sum(x) >= 1), settings=settings(database=None)).tolist() == [
        *(0.0,) * 5,
        1.0,
    ]


def test_a_wrong_model_is_shrunk_to_something_readable():
    """What a user sees: a map that breaks the symmetry, with the simplest element and vector that show it."""
    v = reps.standard(groups.dihedral(4))
    shown = []

    @settings(max_examples=50, database=None, phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink])
    @given(elements(v.group), vectors(v))
    def law(g, x):
        f = lambda x: x * jnp.asarray([1.0, 2.0])  # stretches one axis: wrong for quarter turns
        shown.append((int(g), x.tolist()))
        np.testing.assert_allclose(f(v.act(g, x)), v.act(g, f(x)), atol=1e-9)

    with pytest.raises(AssertionError):
        law()
    g, x = shown[-1]  # Hypothesis runs the simplest failure last
    assert g == 1
    assert sorted(map(abs, x)) == [0.0, 1.0]
