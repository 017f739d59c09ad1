"""Equivariant maps against what is not ours: characters, orbits of networkx, null spaces by brute force."""

import functools
import itertools

import jax
import jax.numpy as jnp
import networkx
import numpy as np
import pytest
import scipy.linalg

from equiv.groups import (
    cyclic,
    dihedral,
    from_generators,
    inclusion,
    o,
    polyhedral,
    product,
    projection,
    shifts,
    so,
    symmetric,
)
from equiv.reps import permutation, pixels, regular, representation, restrict, scalar, standard
from equiv.reps.intertwiners import average, basis, invariants, moves

D4, S3, S4, SO3, O3 = dihedral(4), symmetric(3), symmetric(4), so(3), o(3)
SHEAR = from_generators(lie=[[[0.0, 1.0], [0.0, 0.0]]], name="shears")


@functools.cache
def matrices(rep):
    """All matrices of a finite group, or many drawn ones, in float64."""
    group = rep.group
    draw = group.elements if group.order else lambda: group.sample(jax.random.key(4), (12,))
    return np.asarray(jax.jit(lambda: rep.matrix(draw()))())


@functools.cache
def maps(rep_in, rep_out):
    """The basis as (dim, out, in)."""
    return np.asarray(jax.jit(basis(rep_in, rep_out).matrix)()).reshape(-1, rep_out.dim, rep_in.dim)


def brute_force(rep_in, rep_out):
    """The null space of ``rho_out(g) M - M rho_in(g)`` over all elements or the drawn ones, by scipy."""
    rows = [
        np.kron(a, np.eye(rep_in.dim)) - np.kron(np.eye(rep_out.dim), b.T)
        for a, b in zip(matrices(rep_out), matrices(rep_in))
    ]
    return scipy.linalg.null_space(np.concatenate(rows), rcond=1e-9).T


def same_span(first, second):
    """Whether two orthonormal families of the same size span the same space."""
    if first.shape != second.shape:
        return False
    return len(first) == 0 or np.linalg.svd(first @ second.T, compute_uv=False).min() > 1 - 1e-10


V4, PLANE, SPACE = standard(S4), standard(D4), standard(SO3)
PAIRS = {
    f"{a} -> {b} of {a.group}": (a, b)
    for a, b in (
        (standard(S3), standard(S3)),
        (standard(S3) * standard(S3), standard(S3)),
        (regular(S3), regular(S3)),
        (scalar(S3), standard(S3) * standard(S3)),
        (PLANE, PLANE),
        (PLANE * PLANE, PLANE * PLANE),
        (PLANE, pixels(D4, 3)),
        (pixels(D4, 3), regular(D4)),
        (2 * PLANE + scalar(D4), pixels(D4, 2) + 3 * PLANE),
        (standard(cyclic(5)), standard(cyclic(5))),
        (standard(cyclic(5)), regular(cyclic(5))),
        (standard(cyclic(3)) * standard(cyclic(3)), standard(cyclic(3))),
        (standard(dihedral(3)), regular(dihedral(3))),
        (pixels(cyclic(4), 3), pixels(cyclic(4), 3)),
        (regular(shifts((2, 3))), regular(shifts((2, 3)))),
        (standard(polyhedral("tetrahedral")), regular(polyhedral("tetrahedral"))),
        (
            standard(polyhedral("icosahedral")) * standard(polyhedral("icosahedral")),
            standard(polyhedral("icosahedral")),
        ),
        (standard(o(1)), standard(o(1)) * standard(o(1))),
        (regular(cyclic(1)), 3 * scalar(cyclic(1))),
    )
}


@pytest.mark.parametrize("name", PAIRS)
def test_finite_groups(name):
    """The count of Burnside, the null space by brute force, orthonormal, equivariant under every element."""
    rep_in, rep_out = PAIRS[name]
    characters = [np.trace(matrices(rep), axis1=1, axis2=2) for rep in (rep_in, rep_out)]
    count = np.mean(characters[0] * characters[1])
    found = maps(rep_in, rep_out)
    assert basis(rep_in, rep_out).dim == len(found) == round(count)
    assert count == pytest.approx(round(count), abs=1e-10)
    flat = found.reshape(len(found), rep_in.dim * rep_out.dim)
    np.testing.assert_allclose(flat @ flat.T, np.eye(len(flat)), atol=1e-14)
    broken = np.einsum("gij,kjl->gkil", matrices(rep_out), found) - np.einsum("kij,gjl->gkil", found, matrices(rep_in))
    assert np.abs(broken).max(initial=0) < 1e-14
    if rep_in.dim * rep_out.dim <= 150:
        assert same_span(flat, brute_force(rep_in, rep_out))


KNOWN = {  # dimensions from the literature
    "SO(2), V -> V: complex numbers": (standard(so(2)), standard(so(2)), 2),
    "O(2), V -> V": (standard(o(2)), standard(o(2)), 1),
    "SO(2), V x V -> V": (standard(so(2)) * standard(so(2)), standard(so(2)), 0),
    "SO(3), V -> V": (SPACE, SPACE, 1),
    "SO(3), V x V -> V: the cross product": (SPACE * SPACE, SPACE, 1),
    "SO(3), V x V -> V x V: trace, antisymmetric, symmetric": (SPACE * SPACE, SPACE * SPACE, 3),
    "SO(3), 1 -> V x V x V: the determinant": (scalar(SO3), SPACE * SPACE * SPACE, 1),
    "O(3), V x V -> V: no cross product of true vectors": (standard(O3) * standard(O3), standard(O3), 0),
    "O(3), V x V -> V x V": (standard(O3) * standard(O3), standard(O3) * standard(O3), 3),
    "SO(4), V x V -> V x V: self-dual and anti-self-dual": (standard(so(4)) * standard(so(4)),) * 2 + (4,),
    "SO(3), V -> 1": (SPACE, scalar(SO3), 0),
    "shears, V -> V: 1 and N": (standard(SHEAR), standard(SHEAR), 2),
    "shears, 1 -> V": (scalar(SHEAR), standard(SHEAR), 1),
    "shears, V* -> V": (standard(SHEAR).dual, standard(SHEAR), 2),
    "restricted to turns about z: 1 + V -> 1 + V": (restrict(SPACE, inclusion(so(2), SO3)),) * 2 + (3,),
    "S_4, V -> V": (V4, V4, 2),
    "S_4, V x V -> V: Bell(3)": (V4 * V4, V4, 5),
    "S_4, V x V -> V x V: Bell(4)": (V4 * V4, V4 * V4, 15),
    "S_6, V x V -> V x V: Bell(4)": (standard(symmetric(6)) * standard(symmetric(6)),) * 2 + (15,),
    "S_3, V x V -> V x V: one partition of four points has four blocks": (standard(S3) * standard(S3),) * 2 + (14,),
    "shifts of 3 x 4: kernels": (regular(shifts((3, 4))), regular(shifts((3, 4))), 12),
    "D_4, pixels 8 -> regular: all pixels": (pixels(D4, 8), regular(D4), 64),
    "product: V x regular -> the same": (
        *(
            restrict(SPACE, projection(product(cyclic(3), SO3), 1))
            * restrict(regular(cyclic(3)), projection(product(cyclic(3), SO3), 0)),
        )
        * 2,
        3,
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_dimensions(name):
    rep_in, rep_out, dim = KNOWN[name]
    found = basis(rep_in, rep_out)
    assert found.dim == dim
    if rep_in.dim * rep_out.dim <= 150 and not rep_in.group.order:
        flat = maps(rep_in, rep_out).reshape(dim, rep_in.dim * rep_out.dim)
        np.testing.assert_allclose(flat @ flat.T, np.eye(dim), atol=1e-14)
        assert same_span(flat, brute_force(rep_in, rep_out))


def test_named_maps():
    """The cross product, the determinant, J on the plane, DeepSets and convolution, entry by entry."""
    levi_civita = np.zeros((3, 3, 3))
    for p in itertools.permutations(range(3)):
        levi_civita[p] = np.linalg.det(np.eye(3)[list(p)])
    cross = maps(SPACE * SPACE, SPACE)[0].reshape(3, 3, 3)
    np.testing.assert_allclose(np.abs(np.sum(cross * levi_civita)), 6**0.5, atol=1e-13)
    determinant = np.asarray(invariants(SPACE * SPACE * SPACE))[0]
    np.testing.assert_allclose(np.abs(determinant @ levi_civita.ravel()), 6**0.5, atol=1e-13)
    turn = np.array([[1, 0, 0, 1], [0, -1, 1, 0]]) / 2**0.5
    assert same_span(maps(standard(so(2)), standard(so(2))).reshape(2, 4), turn)
    sets = np.stack([np.eye(4) / 2, (1 - np.eye(4)) / 12**0.5])
    np.testing.assert_allclose(maps(V4, V4), sets, atol=1e-15)
    grid = regular(shifts((3, 4)))
    kernel = np.random.default_rng(0).normal(size=(3, 4))
    # (w x)[p] = sum_q k[p - q] x[q]: the inverse transform of a product of transforms
    coefficients = jax.jit(basis(grid, grid).coefficients)
    columns = [np.roll(kernel, shift, axis=(0, 1)).ravel() for shift in np.ndindex(3, 4)]
    convolution = np.stack(columns, axis=1)
    rebuilt = jax.jit(basis(grid, grid).combine)(coefficients(convolution))
    np.testing.assert_allclose(rebuilt, convolution, atol=1e-14)
    image = np.random.default_rng(1).normal(size=(3, 4))
    spectrum = np.fft.ifft2(np.fft.fft2(kernel) * np.fft.fft2(image)).real
    np.testing.assert_allclose(np.asarray(rebuilt) @ image.ravel(), spectrum.ravel(), atol=1e-13)


# --- the exact route -----------------------------------------------------------------------------------


def networkx_orbits(rep_in, rep_out):
    """Connected components of the graph whose edges are the moves of index pairs, in the order of first pairs."""
    graph = networkx.Graph()
    graph.add_nodes_from(itertools.product(range(rep_out.dim), range(rep_in.dim)))
    for a, b in zip(matrices(rep_out), matrices(rep_in)):
        to_out, to_in = a.argmax(axis=0), b.argmax(axis=0)
        graph.add_edges_from(((i, j), (int(to_out[i]), int(to_in[j]))) for i, j in list(graph.nodes))
    return sorted(map(sorted, networkx.connected_components(graph)))


@pytest.mark.parametrize(
    "pair",
    [
        (standard(S4) * standard(S4), standard(S4)),
        (standard(S3) * standard(S3), standard(S3) * standard(S3)),
        (pixels(D4, 4), regular(D4)),
        (pixels(D4, 3), pixels(D4, 5)),
        (regular(shifts((2, 3))), regular(shifts((2, 3)))),
        (permutation(cyclic(6), 3, lambda g: (jnp.arange(3, dtype=jnp.int32) + g) % 3), regular(cyclic(6))),
    ],
    ids=lambda pair: f"{pair[0]} -> {pair[1]}",
)
def test_permutations_are_counted_by_orbits(pair):
    """One basis map per orbit, in the order of first index pairs, constant on it and exactly zero elsewhere."""
    orbits = networkx_orbits(*pair)
    found = maps(*pair)
    assert len(found) == len(orbits)
    for orbit, got in zip(orbits, found):
        expected = np.zeros(got.shape)
        expected[tuple(zip(*orbit))] = 1 / np.sqrt(len(orbit))
        np.testing.assert_array_equal(got, expected)


def test_signed_permutations():
    """The plane under D_4 flips signs: the orbit of an off-diagonal pair meets its own negative and carries no map."""
    images, signs = moves(PLANE)
    assert images.tolist() == [[1, 0], [0, 1]]
    assert signs.tolist() == [[1, -1], [1, -1]]
    np.testing.assert_array_equal(maps(PLANE, PLANE), np.eye(2)[None] / 2**0.5)
    sign = representation(D4, "det", 1, lambda g, v: jnp.where(g < 4, v, -v))
    assert basis(sign, scalar(D4)).dim == 0
    pseudo = maps(sign * PLANE, PLANE)
    np.testing.assert_allclose(np.abs(pseudo), np.array([[[0, 1], [1, 0]]]) / 2**0.5)
    assert pseudo[0, 0, 1] == -pseudo[0, 1, 0]


def test_moves_are_read_off_the_action():
    assert moves(standard(cyclic(5))) is None
    assert moves(SPACE) is None
    assert moves(standard(SHEAR)) is None
    assert moves(scalar(SO3, 3))[0].shape == (0, 3)
    images, signs = moves(standard(cyclic(2)))
    assert (images.tolist(), signs.tolist()) == ([[0, 1]], [[-1, -1]])
    doubled = representation(cyclic(2), "twice", 2, lambda g, v: jnp.where(g == 0, v, 2 * v))
    assert moves(doubled) is None
    images, _ = moves(regular(S3))
    table = [
        [list(itertools.permutations(range(3))).index(tuple(g[i] for i in h)) for h in itertools.permutations(range(3))]
        for g in ((1, 0, 2), (1, 2, 0))
    ]
    assert images.tolist() == table


def disguised(rep, seed=0):
    """The same representation in turned coordinates: no permutation any more, so that it takes the generic route."""
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(rep.dim, rep.dim)))[0]
    there, back = turn, turn.T.copy()
    one = lambda g, v: jnp.asarray(there, v.dtype) @ rep.one(g, jnp.asarray(back, v.dtype) @ v)
    return representation(rep.group, f"disguised {rep}", rep.dim, one), turn


@pytest.mark.parametrize("rep", [standard(S4), pixels(D4, 3), regular(S3), PLANE], ids=str)
def test_both_routes_agree(rep):
    hidden, turn = disguised(rep)
    assert moves(rep) is not None
    assert moves(hidden) is None
    exact = np.einsum("ij,kjl,ml->kim", turn, maps(rep, rep), turn)
    generic = maps(hidden, hidden)
    assert same_span(exact.reshape(len(exact), -1), generic.reshape(len(generic), -1))
    mixed = maps(rep, hidden)
    assert same_span(
        np.einsum("ij,kjl->kil", turn, maps(rep, rep)).reshape(len(exact), -1), mixed.reshape(len(mixed), -1)
    )


# --- the generic route refuses -----------------------------------------------------------------------------


def nearly(angle):
    """Quarter turns about two axes that enclose a small angle: they generate all rotations, and nearly only four."""
    exact = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    tilted = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    return from_generators(discrete=[exact, tilted @ exact @ tilted.T], name=f"axes {angle:g} apart")


def test_no_visible_gap_is_an_error():
    v = standard(nearly(1e-5))
    with pytest.raises(
        ValueError,
        match=r"cannot be told from nearly invariant vectors.*spectrum starts.*a gap from below .* is needed",
    ):
        basis(v, v)
    clear = standard(nearly(0.1))
    assert basis(clear, clear).dim == 1
    exact = standard(nearly(0.0))
    assert basis(exact, exact).dim == 3


def test_too_many_unknowns_is_an_error():
    hidden = disguised(regular(S4))[0]
    with pytest.raises(
        ValueError, match=r"have 13824 entries, and a generator mixes them by a matrix with \d+ entries"
    ):
        basis(hidden * hidden, hidden)
    v = disguised(standard(so(4)))[0]
    with pytest.raises(ValueError, match="have 4096 entries that the generators mix, more than the 3000"):
        basis(v * v * v, v * v * v)


# --- what a basis does ------------------------------------------------------------------------------------------

MIXED = (2 * SPACE + SPACE * SPACE + scalar(SO3, 2), scalar(SO3) + 3 * SPACE + SPACE * SPACE)


@pytest.mark.parametrize(
    "reps",
    [MIXED, (pixels(D4, 3), 2 * regular(D4)), (2 * PLANE, PLANE)],
    ids=lambda reps: f"{reps[0]} to {reps[1]}",
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_combine_coefficients_project(reps, dtype):
    found = basis(*reps)
    rng = np.random.default_rng(0)
    c = rng.normal(size=found.dim).astype(dtype)
    w = rng.normal(size=(found.rep_out.dim, found.rep_in.dim)).astype(dtype)

    @jax.jit
    def build(c, w):
        near = found.project(w)
        return found.combine(c), found.coefficients(found.combine(c)), near, found.project(near), found.matrix(dtype)

    combined, back, near, again, every = map(np.asarray, build(c, w))
    assert {a.dtype for a in (combined, back, near, again, every)} == {np.dtype(dtype)}
    eps = np.finfo(dtype).eps
    wide = every.astype(np.float64)
    np.testing.assert_allclose(combined.ravel(), wide.T @ c, atol=20 * eps)
    np.testing.assert_allclose(back, c, atol=20 * eps)
    np.testing.assert_allclose(near.ravel(), wide.T @ (wide @ w.ravel()), atol=40 * eps)
    np.testing.assert_allclose(again, near, atol=40 * eps)
    np.testing.assert_allclose(wide @ wide.T, np.eye(found.dim), atol=20 * eps)


def test_blocks_share_atoms():
    """Coefficients run over pairs of summands, W outermost, then copies: block by block, each entry once."""
    assert basis(*MIXED).dim == 1 * (1 + 2) + 3 * (2 + 1) + (2 + 3 + 2)
    wide = maps(*MIXED)
    rows = np.cumsum([0, 1, 9, 9])
    columns = np.cumsum([0, 6, 9, 2])
    for k, one in enumerate(wide):
        held = [
            (i, j)
            for i in range(3)
            for j in range(3)
            if np.abs(one[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]).max() > 1e-12
        ]
        assert len(held) == 1, k
    first_hits = [int(np.argmax(np.abs(one).max(axis=1) > 1e-12)) for one in wide]
    assert first_hits[:3] == [0, 0, 0]


def test_projection_is_the_average_over_the_group():
    rep_in, rep_out = pixels(D4, 3), 2 * PLANE
    w = np.random.default_rng(2).normal(size=(rep_out.dim, rep_in.dim))
    averaged = np.mean(matrices(rep_out) @ w @ matrices(rep_in).transpose(0, 2, 1), axis=0)
    np.testing.assert_allclose(jax.jit(basis(rep_in, rep_out).project)(w), averaged, atol=1e-14)


@pytest.mark.parametrize("rep", [standard(S4) * standard(S4), pixels(D4, 4), PLANE, regular(cyclic(5))], ids=str)
def test_average(rep):
    expected = matrices(rep).mean(axis=0)
    np.testing.assert_allclose(average(rep), expected, atol=1e-14)
    fixed = np.asarray(invariants(rep))
    assert fixed.shape == (round(np.trace(expected)), rep.dim)
    np.testing.assert_allclose(fixed.T @ fixed, expected, atol=1e-14)


def test_average_over_a_lie_group():
    unit = np.eye(3).ravel() / 3**0.5
    np.testing.assert_allclose(average(SPACE * SPACE), np.outer(unit, unit), atol=1e-14)
    assert invariants(SPACE).shape == (0, 3)
    assert not np.asarray(average(SPACE)).any()
    assert invariants(scalar(SO3, 2), np.float32).dtype == np.float32


def test_bases_are_static():
    assert basis(SPACE, SPACE) is basis(SPACE, SPACE)
    dim = jax.jit(lambda c: basis(SPACE * SPACE, SPACE).combine(c))(np.ones(1)).shape
    assert dim == (3, 9)
    batched = jax.jit(jax.vmap(basis(V4, V4).combine))(np.eye(2))
    np.testing.assert_allclose(batched, maps(V4, V4), atol=1e-15)
