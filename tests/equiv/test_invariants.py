"""Invariant tensors of matrix groups, against averages of characters, closed forms, and one route against another."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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
    sl,
    so,
    sp,
    su,
    symmetric,
    u,
    union,
)
from equiv.reps import intertwiners, regular, representation, restrict, scalar, spread, standard, tensor
from equiv.reps.intertwiners import basis, constraints

O3, SO3 = o(3), so(3)
TURN = np.array([[0.0, -1.0], [1.0, 0.0]])
LATTICE = from_generators(discrete=[[[0.0, -1.0], [1.0, 1.0]]], name="turns of a lattice")
SHEARS = from_generators(lie=[[[0.0, 1.0], [0.0, 0.0]]], name="shears")


def dim(rep):
    return basis(scalar(rep.group), rep).dim


def rows(rep_in, rep_out):
    """The basis of the maps as (dim, dim W * dim V), put together in numpy."""
    found = basis(rep_in, rep_out)
    every = np.zeros((found.dim, rep_out.dim * rep_in.dim))
    for part in found._parts:
        for coefficients, entries in zip(part.coefficients, part.entries):
            every[coefficients[:, None], entries] = part.solved.dense()
    return every


def invariants(rep):
    return rows(scalar(rep.group), rep)


def violation(rep, vectors):
    """Largest entry of the constraints on invariant vectors (one per row)."""
    return np.abs(constraints(scalar(rep.group), rep) @ vectors.T).max(initial=0)


def same_span(first, second, tolerance=1e-12):
    return first.shape == second.shape and np.abs(second - second @ first.T @ first).max(initial=0) < tolerance


def word(rep):
    ((found, _),) = intertwiners.terms(rep)
    return tuple(found[axis] for axis in intertwiners._grouped(found))


# --- dimensions ------------------------------------------------------------------------------------------------------

TABLES = {  # dimensions of the invariant tensors of rank 0, 1, 2, ...
    "SO(2)": (so(2), [1, 0, 2, 0, 6, 0, 20, 0, 70]),
    "SO(3)": (SO3, [1, 0, 1, 1, 3, 6, 15, 36, 91]),
    "SO(4)": (so(4), [1, 0, 1, 0, 4, 0, 25, 0, 196]),
    "SO(5)": (so(5), [1, 0, 1, 0, 3, 1, 15, 15, 105]),
    "SO(6)": (so(6), [1, 0, 1, 0, 3, 0, 16, 0, 126]),
    "S(3)": (symmetric(3), [1, 1, 2, 5, 14, 41, 122]),
    "S(4)": (symmetric(4), [1, 1, 2, 5, 15, 51, 187]),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name):
    group, expected = TABLES[name]
    assert [dim(tensor(group, k)) for k in range(len(expected))] == expected


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_orthogonal_groups_count_matchings(n):
    """``(k - 1)!!`` as long as metrics over matchings do not depend on each other; none of odd rank."""
    found = [dim(tensor(o(n), k)) for k in range(2 * n + 1)]
    assert found == [math.prod(range(k - 1, 0, -2)) if k % 2 == 0 else 0 for k in range(2 * n + 1)]


def partitions(k, n):
    """Partitions of k labelled points into at most n blocks, by Stirling's recursion."""
    stirling = functools.cache(
        lambda k, b: int(k == b) if k * b == 0 else b * stirling(k - 1, b) + stirling(k - 1, b - 1)
    )
    return sum(stirling(k, b) for b in range(n + 1))


@pytest.mark.parametrize(("n", "most"), [(1, 6), (2, 8), (3, 7), (4, 6), (5, 5), (6, 5), (8, 4)])
def test_symmetric_groups_count_set_partitions(n, most):
    assert [partitions(k, 9) for k in range(8)] == [1, 1, 2, 5, 15, 52, 203, 877]
    assert [dim(tensor(symmetric(n), k)) for k in range(most + 1)] == [partitions(k, n) for k in range(most + 1)]


def torus(family, n, points=24):
    """Eigenvalues of the maximal torus (points, n or 2 n, complex) and Weyl's weights, of sum 1, on a grid.

    Exact as long as no frequency reaches the number of points.
    """
    angles = 2 * np.pi * np.arange(points) / points
    grid = lambda rank: np.stack(np.meshgrid(*[angles] * rank, indexing="ij"), axis=-1).reshape(-1, rank)
    differences = lambda z: [z[:, a] - z[:, b] for a, b in itertools.combinations(range(z.shape[1]), 2)]
    if family in ("u", "su"):
        theta = grid(n) if family == "u" else grid(n - 1)
        if family == "su":
            theta = np.concatenate([theta, -theta.sum(axis=1, keepdims=True)], axis=1)
        z = np.exp(1j * theta)
        weight = np.prod([np.ones(len(z)), *(np.abs(d) ** 2 for d in differences(z))], axis=0)
        return z, weight / weight.sum()
    theta = grid(n // 2)
    z = np.exp(1j * theta)
    weight = np.prod([np.ones(len(z)), *(d**2 for d in differences(2 * np.cos(theta)))], axis=0)
    if family == "sp":
        weight = weight * np.prod(4 * np.sin(theta) ** 2, axis=1)
    if family == "so" and n % 2:
        weight = weight * np.prod(2 - 2 * np.cos(theta), axis=1)
    one = np.ones((len(z), n % 2))
    return np.concatenate([z, z.conj(), one], axis=1), weight / weight.sum()


def by_characters(family, n, p, q):
    """``int chi(g)^p conj(chi(g))^q dg`` over a compact group."""
    z, weight = torus(family, n)
    chi = z.sum(axis=1)
    if family in ("u", "su") and q is None:  # the real representation on z and its conjugate
        return np.sum(weight * (2 * chi.real) ** p)
    return np.sum(weight * chi**p * chi.conj() ** q)


AVERAGES = {  # group: the compact one with the same complexification, and the ranks; q is None for complex vectors
    "SO(2)": (so(2), "so", 2, [(k, 0) for k in range(7)]),
    "SO(3)": (SO3, "so", 3, [(k, 0) for k in range(8)]),
    "SO(4)": (so(4), "so", 4, [(k, 0) for k in range(7)]),
    "SO(5)": (so(5), "so", 5, [(k, 0) for k in range(7)]),
    "SO(6)": (so(6), "so", 6, [(4, 0), (6, 0)]),
    "SO+(1,3)": (lorentz(1, 3), "so", 4, [(1, 1), (2, 1), (2, 2), (3, 2), (4, 0), (3, 3)]),
    "SO(1,2)": (lorentz(1, 2, "special"), "so", 3, [(2, 1), (1, 2), (2, 2), (0, 3), (3, 2), (3, 3)]),
    "SO+(2,2)": (lorentz(2, 2), "so", 4, [(2, 2), (3, 1)]),
    "Sp(2)": (sp(2), "sp", 2, [(1, 1), (2, 0), (0, 2), (2, 2), (3, 1), (3, 3), (8, 0)]),
    "Sp(4)": (sp(4), "sp", 4, [(1, 1), (2, 0), (2, 2), (1, 3), (3, 2), (6, 0)]),
    "Sp(6)": (sp(6), "sp", 6, [(2, 0), (2, 2)]),
    "U(1)": (u(1), "u", 1, [(k, None) for k in range(7)]),
    "U(2)": (u(2), "u", 2, [(k, None) for k in range(5)]),
    "U(3)": (u(3), "u", 3, [(2, None), (3, None), (4, None)]),
    "SU(2)": (su(2), "su", 2, [(k, None) for k in range(5)]),
    "SU(3)": (su(3), "su", 3, [(2, None), (3, None), (4, None)]),
    "SL(2)": (sl(2), "su", 2, [(1, 1), (2, 0), (2, 2), (3, 1), (4, 2), (0, 4), (3, 2)]),
    "SL(3)": (sl(3), "su", 3, [(1, 1), (3, 0), (2, 2), (4, 1), (1, 4), (3, 3), (6, 0), (2, 0)]),
    "GL+(2)": (gl_plus(2), "u", 2, [(1, 1), (2, 0), (2, 2), (3, 3), (3, 1)]),
    "GL+(3)": (gl_plus(3), "u", 3, [(1, 1), (2, 2), (3, 0), (3, 3)]),
}


@pytest.mark.parametrize("name", AVERAGES)
def test_dimension_is_the_average_of_the_character(name):
    """By Weyl's integration formula; a real form has the invariants of the compact one."""
    group, family, n, ranks = AVERAGES[name]
    for p, q in ranks:
        expected = by_characters(family, n, p, q)
        assert expected == pytest.approx(round(expected.real), abs=1e-9)
        assert dim(tensor(group, p, q or 0)) == round(expected.real), (p, q)


def test_dimensions_of_the_lorentz_groups():
    assert [dim(tensor(lorentz(1, 3), *rank)) for rank in ((2, 2), (3, 3), (3, 2))] == [4, 25, 0]
    for component in ("full", "orthochronous"):  # no volume there
        assert [dim(tensor(lorentz(1, 3, component), *rank)) for rank in ((4, 0), (2, 2), (1, 1))] == [3, 3, 1]


# --- one route against another ---------------------------------------------------------------------------------------


def pulled(rep, group, k):
    return restrict(rep, projection(group, k))


D3S = product(dihedral(3), SO3)
BOTH = product(so(2), symmetric(3))
PLANE = embed(so(2), 4, (3, 1))

WORDS = {
    **{
        f"{name}, rank ({p}, {q})": tensor(group, p, q)
        for name, group, ranks in (
            ("SO(2)", so(2), [(2, 0), (5, 0), (6, 0)]),
            ("SO(3)", SO3, [(1, 0), (3, 0), (5, 0), (6, 0)]),
            ("SO(4)", so(4), [(4, 0)]),
            ("O(3)", O3, [(2, 0), (3, 0), (6, 0)]),
            ("SO+(1,3)", lorentz(1, 3), [(1, 1), (2, 2), (1, 3), (4, 0), (2, 1)]),
            ("O+(2,1)", lorentz(2, 1, "orthochronous"), [(2, 1), (3, 1)]),
            ("O(1,3)", lorentz(1, 3, "full"), [(0, 2), (3, 1)]),
            ("SO(1,2)", lorentz(1, 2, "special"), [(3, 0), (1, 2), (3, 2)]),
            ("Sp(4)", sp(4), [(1, 1), (0, 2), (2, 2), (3, 1)]),
            ("GL+(2)", gl_plus(2), [(1, 1), (2, 0), (3, 3)]),
            ("SL(2)", sl(2), [(2, 0), (0, 2), (3, 1), (4, 2)]),
            ("SL(3)", sl(3), [(3, 0), (0, 3), (4, 1)]),
            ("U(1)", u(1), [(2, 0), (4, 0)]),
            ("U(2)", u(2), [(2, 0), (4, 0)]),
            ("SU(2)", su(2), [(2, 0), (3, 0), (4, 0)]),
            ("SU(3)", su(3), [(2, 0), (3, 0)]),
            ("S(4)", symmetric(4), [(1, 0), (4, 0)]),
            ("S(5)", symmetric(5), [(3, 0)]),
            ("D(4)", dihedral(4), [(2, 0), (4, 0)]),
            ("O(1)", o(1), [(2, 0), (3, 0)]),
        )
        for p, q in ranks
    },
    "regular of D(4)": regular(dihedral(4)) * regular(dihedral(4)),
    "D(3) x SO(3)": pulled(standard(dihedral(3)), D3S, 0)
    * pulled(standard(SO3), D3S, 1)
    * pulled(standard(dihedral(3)), D3S, 0)
    * pulled(standard(SO3), D3S, 1),
    "SO(2) x S(3)": pulled(standard(symmetric(3)), BOTH, 1)
    * pulled(standard(so(2)), BOTH, 0)
    * pulled(standard(so(2)), BOTH, 0)
    * pulled(standard(symmetric(3)), BOTH, 1),
}


@pytest.mark.parametrize("name", WORDS)
def test_routes_agree(name):
    """What the group's name gives, and what its generators give: one space, exact and orthonormal both times."""
    rep = WORDS[name]
    factors = word(rep)
    named, generic = intertwiners._solve(factors).dense(), intertwiners._null_space(factors).dense()
    assert same_span(named, generic)
    ordered = functools.reduce(lambda a, b: a * b, factors)
    for found in (named, generic):
        assert violation(ordered, found) < 1e-13
        np.testing.assert_allclose(found @ found.T, np.eye(len(found)), atol=1e-14)


SUMS = {
    "O(3)": (spread(O3, 12), scalar(O3) + standard(O3) + tensor(O3, 2)),
    "SO+(1,3)": (
        tensor(lorentz(1, 3), 1, 1) + standard(lorentz(1, 3)),
        standard(lorentz(1, 3)).dual + tensor(lorentz(1, 3), 0, 2),
    ),
    "SL(2)": (spread(sl(2), 12), tensor(sl(2), 1, 1) + standard(sl(2)).dual + scalar(sl(2), 2)),
    "SU(2)": (standard(su(2)) + tensor(su(2), 2), 2 * standard(su(2)) + scalar(su(2))),
    "two of four coordinates": (tensor(PLANE, 2), standard(PLANE) + scalar(PLANE)),
    "S(3)": (tensor(symmetric(3), 2) + scalar(symmetric(3)), standard(symmetric(3)) + regular(symmetric(3))),
    "shears": (standard(SHEARS) * standard(SHEARS), standard(SHEARS).dual + standard(SHEARS)),
    "turns of a lattice": (tensor(LATTICE, 1, 1), tensor(LATTICE, 2) + standard(LATTICE)),
}


@pytest.mark.parametrize("name", SUMS)
def test_bases_of_sums(name):
    """The whole basis against the null space of its constraints by singular values."""
    rep_in, rep_out = SUMS[name]
    found, c = rows(rep_in, rep_out), constraints(rep_in, rep_out)
    assert np.abs(c @ found.T).max() < 1e-13
    np.testing.assert_allclose(found @ found.T, np.eye(len(found)), atol=1e-14)
    _, sigma, v = np.linalg.svd(c, full_matrices=len(c) < c.shape[1])
    assert same_span(found, v[np.sum(sigma > 1e-9) :], 1e-11)


def test_products_of_groups_multiply():
    """Maps of ``A x B`` from V_A x V_B: the products of those of A and those of B."""
    a, b = pulled(standard(dihedral(3)), D3S, 0), pulled(tensor(SO3, 2), D3S, 1)
    together = rows(a * b, a * b)
    one, two = rows(standard(dihedral(3)), standard(dihedral(3))), rows(tensor(SO3, 2), tensor(SO3, 2))
    grids = np.einsum("kij,lmn->klimjn", one.reshape(-1, 2, 2), two.reshape(-1, 9, 9))
    assert same_span(together, grids.reshape(len(one) * len(two), -1))


# --- how groups are related ------------------------------------------------------------------------------------------

CHAINS = {
    "rotations": [embed(so(2), 3, slice(2)), SO3, sl(3), gl_plus(3)],
    "with mirrors": [embed(so(2), 3, (0, 2)), embed(o(2), 3, (0, 2)), O3],
    "solids": [polyhedral("tetrahedral"), polyhedral("octahedral"), SO3, O3],
    "spacetime": [embed(so(3), 4, slice(1, 4)), lorentz(1, 3), lorentz(1, 3, "special"), lorentz(1, 3, "full")],
    "complex": [su(2), u(2), so(4), o(4)],
    "symplectic": [u(2), sp(4), sl(4)],
    "points": [symmetric(4), o(4)],
    "scaled": [SO3, union(SO3, scaling(3)), gl_plus(3)],
}


@pytest.mark.parametrize("rank", [(2, 0), (1, 1), (2, 1), (2, 2)], ids=str)
@pytest.mark.parametrize("name", CHAINS)
def test_a_larger_group_has_fewer_invariants(name, rank):
    spaces = [invariants(tensor(link, *rank)) for link in CHAINS[name]]
    for more, fewer in itertools.pairwise(spaces):
        assert len(more) >= len(fewer)
        np.testing.assert_allclose(fewer @ more.T @ more, fewer, atol=1e-12)


def test_chains_shrink():
    """Some of them strictly, so that the test above compares different things."""
    for name, rank, expected in (
        ("rotations", (1, 1), [3, 1, 1, 1]),
        ("rotations", (2, 1), [7, 1, 0, 0]),
        ("with mirrors", (1, 1), [3, 2, 1]),
        ("spacetime", (2, 2), [None, 4, 4, 3]),
        ("complex", (2, 0), [4, 2, 1, 1]),
        ("scaled", (2, 0), [1, 0, 0]),
    ):
        found = [dim(tensor(link, *rank)) for link in CHAINS[name]]
        assert all(wanted in (None, got) for wanted, got in zip(expected, found)), (name, found)


AXES = [embed(o(2), 3, kept) for kept in ((1, 2), (0, 2), (0, 1))]


def test_a_union_keeps_what_all_keep():
    """Three planes with their mirrors make O(3): 30 maps each, 6 in common."""
    reps = lambda group: (2 * standard(group) + tensor(group, 2), scalar(group) + standard(group) + tensor(group, 2))
    projectors = []
    for group in AXES:
        found = rows(*reps(group))
        assert len(found) == 30
        projectors.append(found.T @ found)
    together, full = rows(*reps(union(*AXES))), rows(*reps(O3))
    assert len(together) == len(full) == 6
    assert same_span(together, full)
    spectrum, vectors = np.linalg.eigh(sum(projectors))
    assert same_span(together, vectors[:, spectrum > 3 - 1e-9].T, 1e-11)


def test_two_embeddings_do_not_share():
    """SO(2) on the first two of three coordinates, and on the last two: each solves its own constraints only."""
    first, last = embed(o(2), 3, slice(2)), embed(o(2), 3, slice(1, 3))
    spaces = {group: invariants(tensor(group, 2)) for group in (first, last)}
    for group, other in ((first, last), (last, first)):
        assert violation(tensor(group, 2), spaces[group]) < 1e-15
        assert violation(tensor(group, 2), spaces[other]) > 0.5
    assert not same_span(*spaces.values())


# --- properties of a basis -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [lorentz(1, 3), sl(2), SHEARS, LATTICE, sp(4)], ids=str)
def test_a_group_that_is_not_orthogonal_tells_v_from_its_dual(group):
    v = standard(group)
    assert v.dual is not v
    assert v.dual.dual is v
    assert (v.dual * v).dual is v * v.dual
    assert tensor(group, 1, 1) is v * v.dual
    unit = np.eye(v.dim).reshape(1, -1) / v.dim**0.5
    mixed, plain = invariants(v * v.dual), invariants(v * v)
    np.testing.assert_allclose(unit @ mixed.T @ mixed, unit, atol=1e-14)  # the trace is invariant, the Gram matrix not
    assert np.linalg.norm(unit @ plain.T) < 0.99
    assert same_span(rows(v, v), mixed)
    assert same_span(rows(v.dual, v), plain)


def test_the_trivial_group_keeps_everything():
    for rep in (
        tensor(so(1), 3),
        standard(symmetric(1)) + scalar(symmetric(1), 2),
        restrict(tensor(so(2), 2) + standard(so(2)), inclusion(cyclic(1), so(2))),
        tensor(cyclic(1), 3),
        tensor(from_generators(discrete=[np.eye(2)], name="nothing"), 1, 2),
        tensor(from_generators(discrete=[np.eye(2)] * 2, name="nothing twice"), 2),
    ):
        found = invariants(rep)
        assert len(found) == rep.dim
        np.testing.assert_allclose(found.T @ found, np.eye(rep.dim), atol=1e-15)


def test_no_invariants_is_no_error():
    for rep_in, rep_out in (
        (standard(SO3), scalar(SO3)),
        (scalar(gl_plus(2)), tensor(gl_plus(2), 2)),
        (standard(scaling(3)), tensor(scaling(3), 2)),
        (standard(dihedral(4)), scalar(dihedral(4))),
    ):
        found = basis(rep_in, rep_out)
        assert found.dim == 0
        assert found.matrix().shape == (0, rep_in.dim * rep_out.dim)
        zero = jax.jit(found.combine)(jnp.zeros(0))
        assert zero.shape == (rep_out.dim, rep_in.dim)
        assert not np.asarray(zero).any()
        assert not np.asarray(jax.jit(found.project)(jnp.ones((rep_out.dim, rep_in.dim)))).any()
        assert found.coefficients(jnp.ones((rep_out.dim, rep_in.dim))).shape == (0,)


def test_one_dimension():
    assert [dim(tensor(o(1), k)) for k in range(5)] == [1, 0, 1, 0, 1]
    assert [dim(tensor(scaling(1), *rank)) for rank in ((1, 1), (2, 0), (2, 2), (2, 1))] == [1, 0, 1, 0]
    assert [dim(tensor(gl_plus(1), *rank)) for rank in ((1, 1), (2, 0), (3, 3))] == [1, 0, 1]
    assert [dim(tensor(sl(1), k)) for k in range(3)] == [1, 1, 1]


def test_repeated_generators_and_other_bases():
    """The projector depends on the group alone, not on the basis of its algebra nor on how often a generator stands."""
    lie, rng = so(3).lie(), np.random.default_rng(0)
    turned = np.einsum("kl,lij->kij", rng.normal(size=(3, 3)), lie)
    given = [
        from_generators(lie=lie, discrete=[-np.eye(3)], name="O(3), its own basis"),
        from_generators(lie=turned, discrete=[-np.eye(3)], name="O(3), another basis"),
        from_generators(lie=5 * lie[::-1], discrete=[-np.eye(3)] * 3 + [np.diag([1.0, -1, 1])], name="O(3), repeated"),
    ]
    expected = invariants(tensor(O3, 4))
    for group in given:
        found = invariants(tensor(group, 4))
        assert same_span(expected, found)


def test_permuted_summands_permute_the_maps():
    v, t, s = standard(SO3), tensor(SO3, 2), scalar(SO3, 2)
    first, second = rows(v + t, s + v + t), rows(t + v, t + s + v)
    columns, lines = np.r_[9:12, 0:9], np.r_[9:11, 11:14, 0:9]  # where the summands of the first stand in the second
    moved = second.reshape(-1, 14, 12)[:, lines][:, :, columns].reshape(len(second), -1)
    assert same_span(first, moved)


@pytest.mark.parametrize(
    "pair",
    [
        (spread(O3, 13), tensor(O3, 2) + standard(O3)),
        (tensor(symmetric(3), 2), standard(symmetric(3)) + scalar(symmetric(3))),
        (standard(cyclic(5)), tensor(cyclic(5), 2) + 2 * standard(cyclic(5))),
        (tensor(su(2), 2), scalar(su(2)) + standard(su(2))),
    ],
    ids=lambda pair: f"{pair[0]} -> {pair[1]}",
)
def test_maps_there_are_transposes_of_maps_back(pair):
    rep_in, rep_out = pair
    there = rows(rep_in, rep_out).reshape(-1, rep_out.dim, rep_in.dim)
    assert same_span(rows(rep_out, rep_in), there.swapaxes(1, 2).reshape(len(there), rep_in.dim * rep_out.dim))


@pytest.mark.parametrize(
    "rep",
    [
        tensor(symmetric(3), 3),
        standard(dihedral(5)) * standard(dihedral(5)) * standard(dihedral(5)),
        tensor(polyhedral("octahedral"), 4),
        regular(dihedral(3)) * standard(dihedral(3)),
    ],
    ids=str,
)
def test_the_projector_is_the_average_over_a_finite_group(rep):
    every = np.asarray(jax.jit(lambda: rep.matrix(rep.group.elements()))())
    found = invariants(rep)
    np.testing.assert_allclose(found.T @ found, every.mean(axis=0), atol=1e-13)


def test_the_average_over_a_finite_group_that_is_not_orthogonal():
    """The average is a projection along another direction, onto the same space."""
    rep = tensor(LATTICE, 2, 1) + tensor(LATTICE, 1, 1)
    found = invariants(rep)
    steps = np.asarray(jax.jit(lambda: rep.matrix(LATTICE.generators()))())[0]
    powers = [np.linalg.matrix_power(steps, k) for k in range(6)]
    mean = np.mean(powers, axis=0)
    assert len(found) == round(np.trace(mean))
    np.testing.assert_allclose(mean @ found.T, found.T, atol=1e-14)
    assert np.abs(mean - mean.T).max() > 0.01


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_solutions_are_kept_by_generators_and_not_by_names():
    about = {axis: so(3).lie()[axis : axis + 1] for axis in (0, 2)}
    same_name = [from_generators(lie=about[axis], name="turns") for axis in (0, 2)]
    assert str(same_name[0]) == str(same_name[1])
    one, two = (invariants(tensor(group, 2)) for group in same_name)
    assert not same_span(one, two)
    for group, own, other in zip(same_name, (one, two), (two, one)):
        assert violation(tensor(group, 2), own) < 1e-15
        assert violation(tensor(group, 2), other) > 0.5
    renamed = from_generators(lie=about[0], name="the same turns under another name")
    before = intertwiners._solve.cache_info().misses
    np.testing.assert_array_equal(invariants(tensor(renamed, 2)), one)
    assert intertwiners._solve.cache_info().misses == before


def test_equal_representations_under_two_names_share():
    permuted = [representation(dihedral(4), name, 2, one) for name, one in (("a", standard(dihedral(4)).one),) * 2]
    assert permuted[0] is permuted[1]
    assert tensor(embed(so(2), 3, [0, 1]), 2) is tensor(embed(so(2), 3, slice(2)), 2)


def test_nothing_is_kept_after_an_error():
    """Quarter turns about axes that nearly agree: refused each time, and the next group is not affected."""
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(1.2e-5), -np.sin(1.2e-5)], [0, np.sin(1.2e-5), np.cos(1.2e-5)]])
    unclear = standard(from_generators(discrete=[quarter, tilt @ quarter @ tilt.T], name="nearly one axis"))
    sizes = intertwiners._solve.cache_info().currsize, basis.cache_info().currsize
    for _ in range(2):
        with pytest.raises(ValueError, match="cannot be told from nearly invariant vectors"):
            basis(unclear, unclear)
    assert (intertwiners._solve.cache_info().currsize, basis.cache_info().currsize) == sizes
    for _ in range(2):
        with pytest.raises(ValueError, match="too many to orthonormalise"):
            dim(tensor(o(2), 12))
        with pytest.raises(ValueError, match="are 126 vectors of 1679616 entries, too many to keep"):
            basis(scalar(so(6)), tensor(so(6), 8)).matrix()
    clear = standard(from_generators(discrete=[quarter], name="one axis"))
    assert basis(clear, clear).dim == 3
