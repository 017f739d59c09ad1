"""Induced representations against character tables, Frobenius' formula in numpy, and reciprocity; twins are caught."""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv import laws
from equiv.groups import cyclic, dihedral, from_generators, inclusion, o, polyhedral, powers, product, so, symmetric
from equiv.groups.base import Homomorphism
from equiv.reps import algebra, empty, generators, intertwiners, irreps, regular, restrict, scalar, standard
from equiv.reps.induced import (
    branching_maps,
    coset_factor,
    coset_unit,
    cosets,
    factor,
    frobenius_number,
    induce,
    induced_truncated,
    unit,
)
from equiv.reps.irreps import polar_axis, so2, so3

DTYPES = [np.float32, np.float64]
A4, ICOSAHEDRAL, S4 = polyhedral("tetrahedral"), polyhedral("icosahedral"), symmetric(4)
GOLDEN = (1 + 5**0.5) / 2
POINTS = standard(symmetric(3))


@functools.cache
def listed(group):
    return jax.tree.map(np.asarray, group.elements(np.float64))


@functools.cache
def matrices(rep):
    """All matrices of a finite group."""
    return np.asarray(jax.jit(lambda: rep.matrix(rep.group.elements(np.float64)))())


def characters(rep):
    return np.trace(matrices(rep), axis1=1, axis2=2)


def third_turn():
    return powers(A4, A4.generators()[0])


def turn_of_order(n):
    """C_n in the icosahedral group."""
    angles = np.arccos(np.clip((np.trace(listed(ICOSAHEDRAL), axis1=1, axis2=2) - 1) / 2, -1, 1))
    return powers(ICOSAHEDRAL, listed(ICOSAHEDRAL)[np.argmin(abs(angles - 2 * np.pi / n))])


# --- characters ------------------------------------------------------------------------------------------------------


def classes_of_a4(third):
    """The class of each element: 0 identity, 1 conjugate to the third turn, 2 to its inverse, 3 half turns."""
    every = listed(A4)
    conjugates = every @ third @ every.swapaxes(1, 2)
    found = []
    for g in every:
        is_third = min(abs(conjugates - g).max(axis=(1, 2))) < 1e-9
        found.append({3: 0, -1: 3}.get(round(np.trace(g)), 1 if is_third else 2))
    return np.array(found)


def test_z3_in_a4():
    """Ind 1 = 1 + 3, Ind w = 1_w + 3 and its conjugate; w is half of the turns of the plane, as a complex space."""
    f = third_turn()
    classes = classes_of_a4(np.asarray(f.map(jnp.array(1), np.float64)))
    assert np.bincount(classes).tolist() == [1, 4, 4, 3]
    w = np.exp(2j * np.pi / 3)
    np.testing.assert_allclose(characters(induce(scalar(cyclic(3)), f)), np.array([4, 1, 1, 0])[classes], atol=1e-14)
    plane = matrices(induce(standard(cyclic(3)), f))
    quarter = np.kron(np.eye(4), [[0, -1], [1, 0]])
    np.testing.assert_allclose(quarter @ plane, plane @ quarter, atol=1e-15)
    upper, lower = (np.trace(plane - sign * 1j * plane @ quarter, axis1=1, axis2=2) / 2 for sign in (1, -1))
    np.testing.assert_allclose(upper, np.array([4, w, w.conj(), 0])[classes], atol=1e-14)
    np.testing.assert_allclose(lower, np.array([4, w.conj(), w, 0])[classes], atol=1e-14)
    one_w, three = np.array([1, w, w.conj(), 1])[classes], np.array([3, 0, 0, -1])[classes]
    np.testing.assert_allclose(upper, one_w + three, atol=1e-14)


def test_c5_and_c3_in_the_icosahedral_group():
    """Functions on 12 vertices are 1 + 3 + 3' + 5, on 20 faces 1 + 3 + 3' + 2 4 + 5; from standard characters."""
    angles = np.degrees(np.arccos(np.clip((np.trace(listed(ICOSAHEDRAL), axis1=1, axis2=2) - 1) / 2, -1, 1)))
    classes = np.searchsorted([0, 72, 120, 144, 180], np.rint(angles))
    table = {  # of turns by 0, 72, 120, 144, 180 degrees
        "1": [1, 1, 1, 1, 1],
        "3": [3, GOLDEN, 0, 1 - GOLDEN, -1],
        "3'": [3, 1 - GOLDEN, 0, GOLDEN, -1],
        "4": [4, -1, 1, -1, 0],
        "5": [5, 0, -1, 0, 1],
    }
    assert np.bincount(classes).tolist() == [1, 12, 20, 12, 15]

    def multiplicities(rep):
        found = [np.mean(characters(rep) * np.array(row)[classes]) for row in table.values()]
        np.testing.assert_allclose(found, np.rint(found), atol=1e-13)
        return np.rint(found).astype(int).tolist()

    assert multiplicities(induce(scalar(cyclic(5)), turn_of_order(5))) == [1, 1, 1, 0, 1]
    assert multiplicities(induce(scalar(cyclic(3)), turn_of_order(3))) == [1, 1, 1, 2, 1]
    assert multiplicities(induce(standard(cyclic(5)), turn_of_order(5))) == [0, 2, 0, 2, 2]
    assert multiplicities(standard(ICOSAHEDRAL)) == [0, 1, 0, 0, 0]


CASES = {
    "S3 in S4": lambda: (POINTS, inclusion(symmetric(3), S4)),
    "D2 in D6": lambda: (standard(dihedral(2)), inclusion(dihedral(2), dihedral(6))),
    "C5 in icosahedral": lambda: (standard(cyclic(5)), turn_of_order(5)),
    "tetrahedral in octahedral": lambda: (standard(A4), inclusion(A4, polyhedral("octahedral"))),
    "C6 in C4 x D3": lambda: (
        standard(cyclic(6)),
        powers(product(cyclic(4), dihedral(3)), (np.array(2), np.array(1))),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_frobenius_formula(case):
    """``chi(g) = sum of chi_V(x^-1 g x) over those x with x^-1 g x in H, over |H|``, x over all of G."""
    rep, f = CASES[case]()
    group, order = f.target, f.target.order

    @jax.jit
    def conjugated():
        every = group.elements(np.float64)
        compose = lambda x, g: group.compose(group.compose(group.inverse(x), g), x)
        rows = jax.vmap(lambda x: jax.vmap(lambda g: group.index(compose(x, g)))(every))(every)
        return rows, group.index(f.map(f.source.elements(np.float64), np.float64))

    positions, inside = map(np.asarray, conjugated())
    small = np.zeros(order)
    small[inside] = characters(rep)
    np.testing.assert_allclose(characters(induce(rep, f)), small[positions].sum(axis=0) / f.source.order, atol=1e-12)


@pytest.mark.parametrize("case", ["S3 in S4", "tetrahedral in octahedral"])
def test_a_restricted_factor_comes_out(case):
    """``Ind (V x Res W) = Ind V x W``, by characters."""
    rep, f = CASES[case]()
    w = standard(f.target)
    inside = induce(rep * restrict(w, f), f)
    np.testing.assert_allclose(characters(inside), characters(induce(rep, f)) * characters(w), atol=1e-12)


# --- regular ones, chains --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [third_turn, lambda: inclusion(symmetric(3), S4)], ids=["Z3 in A4", "S3 in S4"])
def test_the_regular_representation_induces_the_regular_one(f):
    """The coordinate of h at coset i is that of ``g_i h``; from the trivial subgroup, scalars do as well."""
    f = f()
    group, subgroup = f.target, f.source
    found = matrices(induce(regular(subgroup), f))

    @jax.jit
    def places():
        h = f.map(subgroup.elements(np.float64), np.float64)
        return jax.vmap(lambda g: group.index(jax.vmap(lambda h: group.compose(g, h))(h)))(cosets(f, np.float64))

    moved = np.asarray(places()).ravel()
    assert sorted(moved) == list(range(group.order))
    np.testing.assert_array_equal(found, matrices(regular(group))[:, moved][:, :, moved])
    trivial = powers(group, group.identity(np.float64))
    np.testing.assert_array_equal(matrices(induce(scalar(cyclic(1)), trivial)), matrices(regular(group)))


CHAINS = {
    "C2 in C4 in D4": lambda: (standard(cyclic(2)), inclusion(cyclic(2), cyclic(4)), inclusion(cyclic(4), dihedral(4))),
    "C3 in T in I": lambda: (standard(cyclic(3)), third_turn(), inclusion(A4, ICOSAHEDRAL)),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_induction_in_steps(chain):
    """``Ind_K^G = Ind_H^G Ind_K^H``: equal characters, and an equivariant map which is invertible."""
    rep, first, second = CHAINS[chain]()
    steps, at_once = induce(induce(rep, first), second), induce(rep, second @ first)
    assert steps.dim == at_once.dim == second.target.order // first.source.order * rep.dim
    np.testing.assert_allclose(characters(steps), characters(at_once), atol=1e-12)
    # v at the identity, in both; the unique extension of one unit to the other
    eta = coset_unit(induce(rep, first), second) @ coset_unit(rep, first)
    psi = np.asarray(coset_factor(eta, rep, steps, second @ first))
    np.testing.assert_allclose(psi @ matrices(at_once), matrices(steps) @ psi, atol=1e-14)
    np.testing.assert_allclose(psi.T @ psi, np.eye(at_once.dim), atol=1e-14)


# --- Frobenius reciprocity -------------------------------------------------------------------------------------------

RECIPROCITY = {
    "turns of Z3 to A4": lambda: (standard(cyclic(3)), standard(A4), third_turn()),
    "sum of S3 to S4": lambda: (
        2 * POINTS + scalar(symmetric(3)),
        standard(S4) * standard(S4) + standard(S4),
        inclusion(symmetric(3), S4),
    ),
    "turns of C5 to I": lambda: (standard(cyclic(5)), standard(ICOSAHEDRAL), turn_of_order(5)),
    "nothing of D2 to D6": lambda: (
        standard(dihedral(2)),
        scalar(dihedral(6), 2),
        inclusion(dihedral(2), dihedral(6)),
    ),
}


@pytest.mark.parametrize("case", RECIPROCITY)
def test_frobenius_reciprocity(case):
    """``dim Hom_H(V, Res W) = dim Hom_G(Ind V, W)``, and the extension of maps is the bijection."""
    v, w, f = RECIPROCITY[case]()
    small, large = intertwiners.basis(v, restrict(w, f)), intertwiners.basis(induce(v, f), w)
    by_characters = np.mean(characters(v) * characters(restrict(w, f)))
    assert small.dim == large.dim == round(by_characters)
    assert by_characters == pytest.approx(round(by_characters), abs=1e-12)
    eta = np.asarray(coset_unit(v, f))
    np.testing.assert_allclose(matrices(restrict(induce(v, f), f)) @ eta, eta @ matrices(v), atol=1e-14)
    np.testing.assert_array_equal(eta.T @ eta, np.eye(v.dim))
    if small.dim:
        phi = np.asarray(small.matrix()).reshape(-1, w.dim, v.dim)
        extend = jax.jit(jax.vmap(lambda phi: coset_factor(phi, v, w, f)))
        psi = np.asarray(extend(phi))
        np.testing.assert_allclose(psi @ eta, phi, atol=1e-14)
        np.testing.assert_allclose(psi, jax.jit(jax.vmap(large.project))(psi), atol=1e-13)
        assert np.linalg.matrix_rank(psi.reshape(small.dim, -1)) == large.dim


# --- from SO(2) to SO(3) ---------------------------------------------------------------------------------------------

ROTATIONS = so(3).sample(jax.random.key(7), (80,), np.float64)
ANGLES = so(2).exp(jnp.array([[0.3], [1.7], [-2.6]]))


def test_frobenius_numbers_are_dimensions():
    """Of the null space of ``D^l(t) B - B rho_k(t)`` at three angles, k and l up to 5."""
    turns = jax.jit(jax.vmap(polar_axis().map))(ANGLES)
    small = {k: np.asarray(so2(k).matrix(ANGLES)) for k in range(6)}
    blocks = [np.asarray(d) for d in irreps.wigner_blocks(5, turns)]
    for k in range(6):
        for l in range(6):
            rows = [
                np.kron(d, np.eye(small[k].shape[1])) - np.kron(np.eye(2 * l + 1), rho.T)
                for d, rho in zip(blocks[l], small[k])
            ]
            spectrum = np.linalg.svd(np.concatenate(rows), compute_uv=False)
            assert np.sum(spectrum < 1e-10) == frobenius_number(k, l) == (0 if k > l else 2 if k else 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("k", "l"), [(0, 0), (0, 3), (1, 1), (2, 5), (4, 4), (3, 2)])
def test_branching_maps(k, l, dtype):
    """They commute with turns about the polar axis, and are orthogonal to each other."""
    maps = branching_maps(k, l, dtype)
    assert maps.shape == (frobenius_number(k, l), 2 * l + 1, 2 if k else 1)
    assert maps.dtype == dtype
    turns = ANGLES.astype(dtype)
    left = np.einsum("tab,ibd->tiad", restrict(so3(l), polar_axis()).matrix(turns), maps)
    right = np.einsum("iab,tbd->tiad", maps, so2(k).matrix(turns))
    np.testing.assert_allclose(left, right, atol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(np.einsum("iab,jab->ij", maps, maps), maps.shape[2] * np.eye(frobenius_number(k, l)))


@pytest.mark.parametrize(("k", "l_max"), [(0, 0), (0, 4), (1, 5), (2, 3), (3, 3), (3, 2)])
def test_truncated_induction(k, l_max):
    """Its dimension; the unit commutes with turns; turned to all sides, what it gives spans the space (uniqueness)."""
    rep, eta = induced_truncated(k, l_max), np.asarray(unit(k, l_max, np.float64))
    dim = max(0, (2 if k else 1) * ((l_max + 1) ** 2 - k**2))
    assert rep.dim == dim
    assert eta.shape == (dim, 2 if k else 1)
    inside = np.asarray(restrict(rep, polar_axis()).matrix(ANGLES))
    np.testing.assert_allclose(inside @ eta, eta @ np.asarray(so2(k).matrix(ANGLES)), atol=1e-14)
    moved = np.asarray(rep.act(ROTATIONS[: dim + 5], jnp.asarray(eta[:, 0])[None])) if dim else np.zeros((1, 0))
    assert np.linalg.matrix_rank(moved, tol=1e-6) == dim if dim else True


def test_without_one_copy_the_factor_is_not_unique():
    """Over the reals two maps lead to each degree: the unit into one of its copies spans half of the space only."""
    rep, eta = induced_truncated(1, 3), np.array(unit(1, 3, np.float64))
    start = 0
    for l in range(1, 4):
        eta[start + 2 * l + 1 : start + 4 * l + 2] = eta[start : start + 2 * l + 1]
        start += 4 * l + 2
    moved = np.asarray(rep.act(ROTATIONS, jnp.asarray(eta[:, 0])[None]))
    assert np.linalg.matrix_rank(moved, tol=1e-6) == rep.dim // 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [0, 1, 3])
def test_every_map_factors_through_the_unit(k, dtype):
    """``Psi eta = Phi`` for a drawn map that commutes with SO(2); Psi commutes with SO(3); of its own Psi, Psi."""
    rep_out, l_max = 2 * so3(3) + so3(0) + so3(1) + so3(4), 4
    phis = intertwiners.basis(so2(k), restrict(rep_out, polar_axis()))
    assert phis.dim == 2 * frobenius_number(k, 3) + sum(frobenius_number(k, l) for l in (0, 1, 4))
    phi = jnp.asarray(phis.combine(jax.random.normal(jax.random.key(k), (phis.dim,))), dtype)
    psi = factor(phi, k, l_max, rep_out)
    assert psi.dtype == dtype
    assert psi.shape == (rep_out.dim, induced_truncated(k, l_max).dim)
    np.testing.assert_allclose(psi @ unit(k, l_max, dtype), phi, atol=4 * np.finfo(dtype).eps)
    g = jnp.asarray(ROTATIONS[:3], dtype)
    induced = induced_truncated(k, l_max)
    np.testing.assert_allclose(rep_out.matrix(g) @ psi, psi @ induced.matrix(g), atol=40 * np.finfo(dtype).eps)
    back = np.asarray(factor(psi @ unit(k, l_max, dtype), k, l_max, rep_out))
    np.testing.assert_allclose(back, psi, atol=4 * np.finfo(dtype).eps)
    wrong = phi.at[1].add(0.1) if k else phi.at[0].add(0.1)
    assert abs(factor(wrong, k, l_max, rep_out) @ unit(k, l_max, dtype) - wrong).max() > 0.02


def test_completeness():
    """Ind of rho_0 + ... + rho_K has D^l 2l + 1 times, as the functions on SO(3), if and only if K >= l."""
    for most in range(4):
        for l in range(6):
            times = sum(frobenius_number(k, l) for k in range(most + 1))
            assert times == 1 + 2 * min(l, most)
            assert (times == 2 * l + 1) == (most >= l)


def test_the_empty_space():
    """k > l: a representation of dimension 0, which every function takes."""
    zero = induced_truncated(3, 2)
    assert zero is empty(so(3))
    assert str(zero) == "0"
    assert zero + so3(2) is so3(2) + zero is so3(2)
    assert 3 * zero is zero + zero is zero.dual is zero
    assert restrict(zero, polar_axis()) is empty(so(2))
    assert zero.act(ROTATIONS[0], jnp.zeros((5, 0))).shape == (5, 0)
    assert zero.matrix(ROTATIONS).shape == (80, 0, 0)
    assert algebra(zero).shape == (3, 0, 0)
    assert generators(zero).shape == (0, 0, 0)
    assert (zero * so3(1)).dim == 0
    assert intertwiners.basis(zero, so3(1)).dim == intertwiners.basis(so3(1), zero).dim == 0
    assert unit(3, 2).shape == (0, 2)
    assert factor(jnp.zeros((0, 2)), 3, 2, zero).shape == (0, 0)
    assert factor(jnp.zeros((3, 2)), 3, 2, so3(1)).shape == (3, 0)
    assert frobenius_number(3, 2) == 0
    with pytest.raises(ValueError, match=re.escape("needs representations of one group, got SO(3) and SO(2)")):
        zero + empty(so(2))


# --- what it is and what it is not -----------------------------------------------------------------------------------


def reversed_order(rep):
    """``g -> rho(g^-1)``, which composes in the other order, as the matrices in the supplement of the paper do."""
    return dataclasses.replace(rep, one=lambda g, v: rep.one(rep.group.inverse(g), v))


def test_the_wrong_order_of_composition_is_caught():
    """On the cosets and inside of them at once, and inside only."""
    f = inclusion(symmetric(3), S4)
    law = lambda rep: laws.measure_homomorphism(rep, key=jax.random.key(0), dtype=jnp.float32, n=64)
    assert law(induce(POINTS, f)).eps_units < 10
    assert law(reversed_order(induce(POINTS, f))).eps_units > 1e4
    assert law(induce(reversed_order(POINTS), f)).eps_units > 1e4


@pytest.mark.parametrize("dtype", DTYPES)
def test_action_by_the_formula(dtype):
    """``pi(g)`` on a vector, by searching ``g g_i = g_j h`` in numpy for every g and i."""
    f = third_turn()
    rep, representatives = induce(standard(cyclic(3)), f), np.asarray(cosets(f, np.float64))
    h, rho = np.asarray(f.map(jnp.arange(3), np.float64)), matrices(standard(cyclic(3)))
    v = np.random.default_rng(0).normal(size=(4, 2))
    np.testing.assert_array_equal(representatives[0], np.eye(3))
    expected = np.zeros((12, 4, 2))
    for n, g in enumerate(listed(A4)):
        for i in range(4):
            away = abs(representatives[:, None] @ h[None] - g @ representatives[i]).max(axis=(2, 3))
            j, k = np.unravel_index(np.argmin(away), away.shape)
            assert away[j, k] < 1e-12
            expected[n, j] += rho[k] @ v[i]
    found = rep.act(A4.elements(dtype), jnp.asarray(v.ravel(), dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected.reshape(12, 8), atol=4 * np.finfo(dtype).eps)


def test_structure():
    f = inclusion(symmetric(3), S4)
    assert induce(POINTS, f) is induce(POINTS, f)
    assert induce(2 * POINTS + scalar(symmetric(3)), f) is 2 * induce(POINTS, f) + induce(scalar(symmetric(3)), f)
    assert induce(POINTS, inclusion(symmetric(3), symmetric(3))) is POINTS
    assert str(induce(POINTS, f)) == "induce(standard(symmetric(3)), symmetric(4))"
    assert induce(POINTS, f).orthogonal
    assert intertwiners.moves(induce(POINTS, f)) is not None, "permutations induce permutations"
    assert intertwiners.moves(induce(standard(cyclic(3)), third_turn())) is None
    slanted = from_generators(discrete=[[[-1.0, -1.0], [1.0, 0.0]]])
    hexagon = from_generators(discrete=[[[0.0, -1.0], [1.0, 1.0]]])
    oblique = induce(standard(slanted), inclusion(slanted, hexagon))
    assert not oblique.orthogonal
    found, dual = matrices(oblique), matrices(oblique.dual)
    np.testing.assert_allclose(found.swapaxes(1, 2) @ dual, np.broadcast_to(np.eye(4), found.shape), atol=1e-13)


# --- bad input -------------------------------------------------------------------------------------------------------


def test_what_is_no_element_acts_as_nan():
    """Also under jit; an element that is off by rounding acts as the element."""
    rep = induce(standard(cyclic(3)), third_turn())
    act, v = jax.jit(rep.act), jnp.ones(8)
    g = A4.elements(np.float64)[5]
    np.testing.assert_array_equal(act(g + 1e-6, v), act(g, v))
    for bad in (g * jnp.nan, 2 * g, -g, so(3).exp(jnp.array([0.3, 0.0, 0.0]))):
        assert np.isnan(act(bad, v)).all()


ONTO = Homomorphism(("onto",), cyclic(4), cyclic(2), lambda g, dtype=float: g % 2)
CROOKED = Homomorphism(("crooked",), cyclic(2), cyclic(4), lambda g, dtype=float: g)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: induce(standard(cyclic(3)), inclusion(cyclic(2), cyclic(4))),
            "induce needs a representation of cyclic(2), where cyclic(2) -> cyclic(4) starts, got",
        ),
        (
            lambda: induce(standard(so(2)), inclusion(so(2), so(3))),
            "induction by cosets needs finite groups, got SO(2) -> SO(3); restrict to a finite subgroup",
        ),
        (
            lambda: induce(standard(cyclic(4)), inclusion(cyclic(4), so(2))),
            "induction by cosets needs finite groups, got cyclic(4) -> SO(2)",
        ),
        (
            lambda: induce(scalar(symmetric(1)), inclusion(symmetric(1), symmetric(8))),
            "takes 1625702400 products of elements, more than the 10000000 that are listed",
        ),
        (lambda: induce(scalar(cyclic(4)), ONTO), "induction needs the inclusion of a subgroup, but cyclic(4) ->"),
        (lambda: induce(scalar(cyclic(2)), CROOKED), "cyclic(2) -> cyclic(4) has to be a homomorphism"),
        (
            lambda: coset_factor(jnp.ones((2, 1)), scalar(cyclic(2)), standard(o(2)), inclusion(cyclic(2), cyclic(4))),
            "coset_factor needs a representation of cyclic(4) to map to, got standard(O(2)) of O(2)",
        ),
        (
            lambda: coset_factor(
                jnp.ones((1, 2)), scalar(cyclic(2)), standard(cyclic(4)), inclusion(cyclic(2), cyclic(4))
            ),
            "is a matrix of shape (2, 1), got (1, 2)",
        ),
        (lambda: frobenius_number(-1, 2), "the frequency of frobenius_number has to be a whole number of at least 0"),
        (lambda: induced_truncated(1, -2), "the degree of induced_truncated has to be a whole number of at least 0"),
        (lambda: unit(0, -1), "the degree of unit has to be a whole number of at least 0, got -1"),
        (
            lambda: factor(jnp.zeros((5, 1)), 0, 1, so3(2)),
            "factor needs a sum of so3(l) with l <= 1 to map to, got so3(2) with so3(2) in it",
        ),
        (
            lambda: factor(jnp.zeros((2, 1)), 0, 1, standard(so(2))),
            "factor needs a sum of so3(l) with l <= 1 to map to, got standard(SO(2))",
        ),
        (
            lambda: factor(jnp.zeros((3, 1)), 1, 1, so3(1)),
            "a map so2(1) -> standard(SO(3)) is a matrix of shape (3, 2), got (3, 1)",
        ),
    ],
)
def test_bad_input_is_refused_in_words(call, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        call()
