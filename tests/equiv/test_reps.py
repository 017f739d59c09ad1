"""Representations against group tables, numpy's turns and flips, characters in closed form, difference quotients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from scipy.spatial.transform import Rotation

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
from equiv.reps import (
    algebra,
    character,
    intertwiners,
    permutation,
    pixels,
    regular,
    representation,
    restrict,
    scalar,
    standard,
)

DTYPES = [np.float32, np.float64]
D4, S4, SO3 = dihedral(4), symmetric(4), so(3)
SHEAR = from_generators(lie=[[[0.0, 1.0], [0.0, 0.0]]], name="shears")


@functools.cache
def matrices(rep):
    """All matrices of a finite group."""
    return np.asarray(jax.jit(lambda: rep.matrix(rep.group.elements()))())


def characters(rep):
    return np.trace(matrices(rep), axis1=1, axis2=2)


def multiplicity(rep, other):
    """``<chi, chi'>``, the dimension of the equivariant maps; a whole number or something is wrong."""
    found = np.mean(characters(rep) * characters(other))
    assert found == pytest.approx(round(found), abs=1e-10)
    return round(found)


# --- characters ------------------------------------------------------------------------------------


def test_characters_of_s4():
    """By cycle type: fixed points of permutations, of pairs, of group elements; sums and products of these."""
    every = np.asarray(S4.elements())
    fixed = (every == np.arange(4)).sum(axis=1)
    v = standard(S4)
    assert characters(v).tolist() == fixed.tolist()
    assert characters(v * v).tolist() == (fixed**2).tolist()
    assert characters(v * v * v).tolist() == (fixed**3).tolist()
    assert characters(2 * v + scalar(S4, 3)).tolist() == (2 * fixed + 3).tolist()
    assert characters(regular(S4)).tolist() == [24] + [0] * 23


def test_multiplicities_are_whole_numbers():
    """Burnside: V has 2 parts, V x V as many as partitions of two labelled points allow (Bell numbers), and so on."""
    v, one = standard(S4), scalar(S4)
    assert [multiplicity(v, one), multiplicity(v, v), multiplicity(v * v, v), multiplicity(v * v, v * v)] == [
        1,
        2,
        5,
        15,
    ]
    for rep in (v, v * v, regular(D4), pixels(D4, 3)):
        assert multiplicity(regular(rep.group), rep) == rep.dim
    plane = standard(D4)
    assert multiplicity(plane, plane) == 1
    assert multiplicity(plane * plane, plane * plane) == 4
    assert multiplicity(pixels(D4, 3), scalar(D4)) == 3  # centre, edges, corners


@pytest.mark.parametrize(("solid", "expected"), [("tetrahedral", 1), ("octahedral", 1), ("icosahedral", 1)])
def test_space_is_irreducible_under_solids(solid, expected):
    v = standard(polyhedral(solid))
    assert multiplicity(v, v) == expected
    # The tensors of rank two: trace, antisymmetric part, and a symmetric part that only the icosahedron keeps whole.
    assert multiplicity(v * v, v * v) == {"tetrahedral": 7, "octahedral": 4, "icosahedral": 3}[solid]


def test_plane_of_cyclic_groups_has_complex_type():
    assert multiplicity(standard(cyclic(5)), standard(cyclic(5))) == 2
    assert multiplicity(standard(cyclic(2)), standard(cyclic(2))) == 4


def test_characters_of_so3():
    """Weyl's ``chi_l = sin((l + 1/2) a) / sin(a / 2)``: ``1 x 1 = 0 + 1 + 2``, ``1 x 1 x 1 = 0 + 3 1 + 2 2 + 3``."""
    v, a = standard(SO3), np.array([1e-3, 0.7, 2, np.pi])
    axis = np.array([1.0, 2, -2]) / 3

    @jax.jit
    def measured(a):
        g = SO3.exp(a[:, None] * axis[None])
        return character(v, g), character(v * v, g), character(v * v * v, g), character(2 * v + scalar(SO3), g)

    weyl = [np.sin((l + 0.5) * a) / np.sin(a / 2) for l in range(4)]
    one, two, three, total = measured(a)
    np.testing.assert_allclose(one, weyl[1], atol=1e-14)
    np.testing.assert_allclose(two, weyl[0] + weyl[1] + weyl[2], atol=1e-13)
    np.testing.assert_allclose(three, weyl[0] + 3 * weyl[1] + 2 * weyl[2] + weyl[3], atol=1e-13)
    np.testing.assert_allclose(total, 2 * weyl[1] + 1, atol=1e-14)


# --- the single representations -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "group", [cyclic(1), cyclic(6), D4, symmetric(3), shifts((3, 2)), product(cyclic(2), D4)], ids=str
)
def test_regular_is_the_group_table(group):
    n = group.order
    every = jax.jit(group.elements)()
    take = lambda k: jax.tree.map(lambda leaf: leaf[k], every)
    pairs = jax.jit(lambda g, h: group.index(group.compose(g, h)))
    first, second = np.divmod(np.arange(n * n), n)
    table = np.asarray(pairs(take(first), take(second))).reshape(n, n)
    expected = np.zeros((n, n, n))
    g, h = np.indices((n, n))
    expected[g, table, h] = 1  # g e_h = e_gh
    np.testing.assert_array_equal(matrices(regular(group)), expected)


def test_regular_of_shifts_rolls_images():
    rep = regular(shifts((3, 4)))
    image = np.random.default_rng(0).normal(size=(3, 4))
    g = np.array([[0, 0], [1, 0], [0, 1], [2, 3]], np.int32)
    moved = jax.jit(rep.act)(g, image.ravel())
    np.testing.assert_array_equal(moved, np.stack([np.roll(image, k, axis=(0, 1)).ravel() for k in g]))


@pytest.mark.parametrize("side", [1, 4, 5])
def test_pixels_turn_and_flip_like_numpy(side):
    image = np.arange(side * side, dtype=np.int32).reshape(side, side)
    moved = np.asarray(jax.jit(pixels(D4, side).act)(np.arange(8, dtype=np.int32), image.ravel()))
    turned = [np.rot90(image, k) for k in range(4)]
    flipped = [np.rot90(np.flipud(image), k) for k in range(4)]
    np.testing.assert_array_equal(moved, np.stack(turned + flipped).reshape(8, -1))
    assert moved.dtype == np.int32
    quarter = matrices(pixels(cyclic(4), side))
    np.testing.assert_array_equal(quarter, matrices(pixels(D4, side))[:4])
    np.testing.assert_array_equal(matrices(pixels(dihedral(2), side)), matrices(pixels(D4, side))[[0, 2, 4, 6]])
    np.testing.assert_array_equal(matrices(pixels(cyclic(2), side)), quarter[[0, 2]])
    np.testing.assert_array_equal(matrices(pixels(dihedral(1), side)), matrices(pixels(D4, side))[[0, 4]])


def test_pixels_agree_with_the_plane():
    """A bright pixel at (x, y) moves to g (x, y); x to the right, y up."""
    side, middle = 5, 2
    plane = matrices(standard(D4)).round().astype(int)
    for g in range(8):
        for x, y in ((1, 0), (0, 1), (2, -1)):
            image = np.zeros((side, side))
            image[middle - y, middle + x] = 1
            row, column = np.argwhere((matrices(pixels(D4, side))[g] @ image.ravel()).reshape(side, side)).squeeze()
            assert (plane[g] @ [x, y]).tolist() == [column - middle, middle - row]


def test_standard_of_permutations():
    matrix = matrices(standard(symmetric(3)))
    for g, m in zip(np.asarray(symmetric(3).elements()), matrix):
        assert all((m @ np.eye(3)[i] == np.eye(3)[g[i]]).all() for i in range(3))
    included = jax.jit(inclusion(symmetric(3), o(3)).map)(symmetric(3).elements())
    np.testing.assert_array_equal(matrix, included)
    assert permutation(symmetric(3), 3, lambda g: g) is standard(symmetric(3))


def test_permutation_of_a_coset_space():
    """C_6 on Z_3: not faithful, and v moves forward."""
    rep = permutation(cyclic(6), 3, lambda g: (jnp.arange(3, dtype=jnp.int32) + g) % 3)
    np.testing.assert_array_equal(matrices(rep)[4], np.roll(np.eye(3), 1, axis=0))
    assert rep.orthogonal


def test_standard_of_matrix_groups():
    for group in (so(2), SO3, o(3), SHEAR, polyhedral("octahedral")):
        g = np.asarray(jax.jit(lambda key, group=group: group.sample(key, (3,)))(jax.random.key(0)))
        np.testing.assert_array_equal(jax.jit(standard(group).matrix)(g), g)
        assert standard(group).orthogonal == group.compact


def test_scalar():
    assert scalar(SO3).dim == 1
    assert scalar(SO3, 4) == 4 * scalar(SO3)
    x = np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(jax.jit(scalar(S4, 4).act)(np.array([1, 0, 3, 2], np.int32), x), x)


# --- sum, tensor, dual, restriction ---------------------------------------------------------------------


def elements_of(group, n=5):
    return jax.jit(lambda key: group.sample(key, (n,)))(jax.random.key(3))


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_and_products_as_matrices(dtype):
    v, w = standard(SHEAR), standard(SHEAR).dual
    rep = 2 * v + w * v + scalar(SHEAR) + (v + w) * w
    g = np.asarray(elements_of(SHEAR), dtype)

    @jax.jit
    def build(g, x):
        return rep.matrix(g), rep.act(g, x), w.matrix(g), v.matrix(g)

    x = np.random.default_rng(1).normal(size=(5, rep.dim)).astype(dtype)
    got, moved, dual, plain = map(np.asarray, build(g, x))
    assert got.dtype == moved.dtype == dtype
    for k in range(5):
        m = g[k].astype(np.float64)
        d = np.linalg.inv(m).T
        total = scipy.linalg.block_diag(m, m, np.kron(d, m), 1, np.kron(scipy.linalg.block_diag(m, d), d))
        units = np.finfo(dtype).eps * np.abs(total).max()
        assert np.abs(got[k] - total).max() <= 8 * units
        assert np.abs(dual[k] - d).max() <= 8 * units
        assert np.abs(moved[k] - total @ x[k].astype(np.float64)).max() <= 30 * units * np.abs(x[k]).max()
    np.testing.assert_array_equal(plain, g)
    assert not rep.orthogonal


def test_the_algebra_of_representations():
    v, w, one = standard(SO3), standard(SO3) * standard(SO3), scalar(SO3)
    assert v + v == 2 * v
    assert 2 * v + v == 3 * v
    assert (v + w) + one == v + (w + one)
    assert v + w + v != 2 * v + w
    assert 1 * v is v
    assert np.int64(2) * v == 2 * v
    assert (2 * (v + w)).summands == ((v, 1), (w, 1), (v, 1), (w, 1))
    assert v.dual is v
    shear = standard(SHEAR)
    assert shear.dual != shear
    assert shear.dual.dual is shear
    assert str(2 * v + w) == "2 * standard(SO(3)) + tensor(SO(3), 2, 0)"
    assert str((v + one) * v) == "(standard(SO(3)) + scalar) * standard(SO(3))"
    assert {v, 1 * v, v.dual} == {v}


def test_restriction():
    into = inclusion(so(2), SO3)
    rep = restrict(standard(SO3), into)
    g = np.asarray(elements_of(so(2)))
    expected = np.stack([scipy.linalg.block_diag(m, 1) for m in g])
    np.testing.assert_array_equal(jax.jit(rep.matrix)(g), expected)
    assert rep.group is so(2)
    assert restrict(rep, inclusion(so(2), so(2))) is rep
    chain = restrict(restrict(standard(SO3), into), inclusion(cyclic(4), so(2)))
    at_once = restrict(standard(SO3), into @ inclusion(cyclic(4), so(2)))
    np.testing.assert_array_equal(matrices(chain), matrices(at_once))
    turns = Rotation.from_rotvec(np.pi / 2 * np.outer(range(4), [0, 0, 1])).as_matrix()
    np.testing.assert_allclose(matrices(chain), turns, atol=1e-15)
    both = product(cyclic(3), SO3)
    outer = restrict(standard(SO3), projection(both, 1)) * restrict(regular(cyclic(3)), projection(both, 0))
    turn = np.asarray(elements_of(SO3))
    k = np.array([0, 1, 2, 1, 0], np.int32)
    expected = np.stack([np.kron(m, np.roll(np.eye(3), s, axis=0)) for m, s in zip(turn, k)])
    np.testing.assert_allclose(jax.jit(outer.matrix)((k, turn)), expected, atol=1e-15)


def test_finite_restriction_has_the_restricted_character():
    rep = restrict(pixels(D4, 4), inclusion(cyclic(4), D4))
    np.testing.assert_array_equal(characters(rep), characters(pixels(D4, 4))[:4])
    assert multiplicity(restrict(regular(S4), inclusion(symmetric(3), S4)), scalar(symmetric(3))) == 4  # index of S_3


# --- act, matrix, orthogonality ---------------------------------------------------------------------------

ROWS = {
    str(rep) + " of " + str(rep.group): rep
    for rep in (
        standard(cyclic(5)),
        regular(symmetric(3)),
        pixels(D4, 3),
        2 * standard(SO3) + scalar(SO3, 2),
        standard(o(2)) * standard(o(2)),
        standard(SHEAR) * standard(SHEAR).dual,
        restrict(standard(so(4)), inclusion(SO3, so(4))),
    )
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_act_is_matrix_and_broadcasts(name, dtype):
    rep = ROWS[name]
    v = np.random.default_rng(0).normal(size=(3, 1, rep.dim)).astype(dtype)

    @jax.jit
    def build(key, v):
        g = rep.group.sample(key, (4,), dtype)
        return rep.matrix(g, dtype), rep.act(g, v), rep.act(rep.group.identity(dtype), v), rep.act(g, v[0, 0])

    matrix, moved, still, single = map(np.asarray, build(jax.random.key(1), v))
    assert moved.shape == (3, 4, rep.dim)
    assert moved.dtype == matrix.dtype == single.dtype == dtype
    expected = np.einsum("gij,nj->ngi", matrix.astype(np.float64), v[:, 0].astype(np.float64))
    worth = np.finfo(dtype).eps * np.abs(expected).max()
    assert np.abs(moved - expected).max() <= 8 * worth
    assert np.abs(single - moved[0]).max() <= 8 * worth
    np.testing.assert_array_equal(still, v)
    gram = np.einsum("gji,gjk->gik", matrix, matrix)
    assert (np.abs(gram - np.eye(rep.dim)).max() < 30 * np.finfo(dtype).eps) == rep.orthogonal


def test_empty_batches():
    v = standard(SO3)
    assert v.act(jnp.zeros((0, 3, 3)), jnp.zeros((0, 3))).shape == (0, 3)
    assert (v * v).matrix(jnp.zeros((2, 0, 3, 3))).shape == (2, 0, 9, 9)


def test_gradients_pass_through_the_action():
    rep = standard(SO3) * standard(SO3)
    x = np.random.default_rng(0).normal(size=9)

    @jax.jit
    def slopes(a, x):
        f = lambda a, x: jnp.sum(jnp.sin(rep.act(SO3.exp(a), x)))
        return jax.grad(f, argnums=(0, 1))(a, x), f(a, x), f(a + 1e-6, x), f(a - 1e-6, x)

    (by_a, by_x), _, up, down = slopes(np.zeros(3), x)
    assert float(jnp.sum(by_a)) == pytest.approx(float(up - down) / 2e-6, rel=1e-7)
    np.testing.assert_allclose(by_x, np.cos(x), atol=1e-15)


# --- the Lie algebra --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rep", [standard(SO3), standard(SO3) * standard(SO3), standard(SHEAR).dual, standard(so(4))], ids=str
)
def test_algebra(rep):
    """Against a difference quotient, and it is a homomorphism of Lie algebras: brackets go to brackets."""
    dim, step = rep.group.dim, 1e-5
    got = algebra(rep)
    up, down = jax.jit(lambda x: (rep.matrix(rep.group.exp(x)), rep.matrix(rep.group.exp(-x))))(step * np.eye(dim))
    np.testing.assert_allclose(got, (np.asarray(up) - np.asarray(down)) / (2 * step), atol=1e-9)
    base = algebra(standard(rep.group)).reshape(dim, -1)
    if rep.orthogonal:
        np.testing.assert_allclose(got, -got.transpose(0, 2, 1), atol=1e-15)
    n = rep.group.shape[0]
    for a in range(dim):
        for b in range(dim):
            bracket = base[a].reshape(n, n) @ base[b].reshape(n, n) - base[b].reshape(n, n) @ base[a].reshape(n, n)
            coordinates = np.linalg.lstsq(base.T, bracket.ravel(), rcond=None)[0]
            expected = got[a] @ got[b] - got[b] @ got[a]
            np.testing.assert_allclose(np.einsum("k,kij->ij", coordinates, got), expected, atol=1e-13)


def test_algebra_in_closed_form():
    levi_civita = np.zeros((3, 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        levi_civita[i, j, k], levi_civita[i, k, j] = -1, 1
    np.testing.assert_allclose(algebra(standard(SO3)), levi_civita, atol=1e-16)
    spin = algebra(standard(SO3) * standard(SO3))
    np.testing.assert_allclose(np.einsum("kij,kjl->il", spin, spin).trace(), -(0 * 1 + 2 * 3 + 6 * 5), atol=1e-12)
    assert algebra(regular(D4)).shape == (0, 8, 8)


# --- given from outside ------------------------------------------------------------------------------------


def test_a_given_representation_is_judged():
    rows = representation(SO3, "rows", 9, lambda g, v: (g @ v.reshape(3, 3)).ravel())
    assert rows.orthogonal
    skew = np.array([[1.0, 0.5, 0], [0, 1, 0], [0, 0, 2]])
    there, back = jnp.asarray(skew), jnp.asarray(np.linalg.inv(skew))
    moved = representation(SO3, "skewed", 3, lambda g, v: there @ (g @ (back @ v)))
    assert not moved.orthogonal
    assert moved.dual != moved
    g = np.asarray(elements_of(SO3))
    rho, dual = jax.jit(lambda g: (moved.matrix(g), moved.dual.matrix(g)))(g)
    np.testing.assert_allclose(np.einsum("gij,gik->gjk", rho, dual), np.broadcast_to(np.eye(3), g.shape), atol=1e-13)
    mirror = representation(o(2), "det", 1, lambda g, v: jnp.linalg.det(g) * v)
    assert mirror.orthogonal


@pytest.fixture
def e3nn():
    """e3nn_jax, which mixes dtypes."""
    with jax.numpy_dtype_promotion("standard"):
        yield pytest.importorskip("e3nn_jax")


def test_e3nn_irreps_are_representations_of_ours(e3nn):
    """e3nn's own matrices of degree 2, as a representation of our SO(3), occur once in ``V x V``."""
    two = e3nn.Irrep(2, 1)
    degree_two = representation(SO3, "e3nn 2", 5, lambda g, v: two.D_from_log_coordinates(SO3.log(g)) @ v)
    assert degree_two.orthogonal
    v = standard(SO3)
    assert intertwiners.basis(v * v, degree_two).dim == 1
    assert intertwiners.basis(degree_two, degree_two).dim == 1
    assert intertwiners.basis(v, degree_two).dim == 0
    by_angles = representation(SO3, "e3nn 2 by angles", 5, lambda g, v: two.D_from_matrix(g) @ v)
    with pytest.raises(ValueError, match=r"e3nn 2 by angles of SO\(3\) is not the exponential of its derivative"):
        intertwiners.basis(v * v, by_angles)  # Euler angles have no derivative at the identity


def test_records():
    assert standard(SO3) is standard(SO3)
    assert regular(D4) is regular(D4)
    assert standard(SO3) * standard(SO3) is standard(SO3) * standard(SO3)
    act = jax.jit(lambda rep, g, v: rep.act(g, v), static_argnums=0)
    x = np.arange(3.0)
    np.testing.assert_array_equal(act(standard(SO3), np.eye(3), x), x)
    assert jax.tree.leaves((standard(SO3),)) == []
