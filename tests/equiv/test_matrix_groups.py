"""Matrix groups against their defining equations, scipy's exponential, dimension formulas and moments of measures."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from equiv.groups import (
    embed,
    from_generators,
    gl_plus,
    inclusion,
    lorentz,
    o,
    polyhedral,
    scaling,
    sl,
    so,
    sp,
    su,
    u,
    unembed,
    union,
)
from equiv.reps import standard

FIVE_SIGMA = 5.7e-7  # the two-sided tail of a normal variable
N_DRAWS = 20_000

PLANES = [embed(o(2), 3, plane) for plane in ((0, 1), (1, 2), (0, 2))]
INVERSION = from_generators(discrete=[-np.eye(3)], name="inversion")
HALF_TURN = from_generators(discrete=[np.diag([-1.0, -1, 1])], name="half turn")
TURNED_MIRRORS = from_generators(lie=so(3).lie(), discrete=[np.diag([1.0, 1, -1])], name="turned mirrors")
CYCLE = np.eye(3)[[2, 0, 1]]


def complex_parts(g):
    """The complex matrix of a real one, and how far it is from being one."""
    n = g.shape[-1] // 2
    a, b, c, d = g[..., :n, :n], g[..., :n, n:], g[..., n:, :n], g[..., n:, n:]
    return a + 1j * c, max(np.abs(a - d).max(), np.abs(b + c).max())


def keeps(form):
    return lambda g: np.abs(np.swapaxes(g, -1, -2) @ form @ g - form).max(axis=(-1, -2))


def is_unitary(g):
    z, away = complex_parts(g)
    return away + np.abs(np.swapaxes(z.conj(), -1, -2) @ z - np.eye(z.shape[-1])).max(axis=(-1, -2))


def unit_determinant(g):
    return np.abs(np.linalg.det(g) - 1)


def unit_complex_determinant(g):
    return is_unitary(g) + np.abs(np.linalg.det(complex_parts(g)[0]) - 1)


def of_lorentz(p, q, allowed):
    """Distance from the equation; 1 more for a component that is not among the allowed ones."""

    def away(g):
        signs = np.stack([np.linalg.det(g[..., :p, :p]) > 0, np.linalg.det(g[..., p:, p:]) > 0], axis=-1)
        strange = ~np.any([np.all(signs == pair, axis=-1) for pair in allowed], axis=0)
        return keeps(np.diag([1.0] * p + [-1.0] * q))(g) + strange

    return away


def is_multiple(g):
    factor = g[..., :1, :1]
    return np.abs(g - factor * np.eye(g.shape[-1])).max(axis=(-1, -2)) + (factor[..., 0, 0] <= 0)


def is_similarity(g):
    size = np.cbrt(np.linalg.det(g))[..., None, None]
    return keeps(np.eye(3))(g / size)


SYMPLECTIC = np.block([[np.zeros((2, 2)), np.eye(2)], [-np.eye(2), np.zeros((2, 2))]])
BOTH, SAME = [(True, True), (True, False), (False, True), (False, False)], [(True, True), (False, False)]

GROUPS = {  # group, how far a matrix is from its equation, the dimension of its symmetric part
    "Sp(4)": (sp(4), keeps(SYMPLECTIC), 6),
    "U(1)": (u(1), is_unitary, 0),
    "U(2)": (u(2), is_unitary, 0),
    "U(3)": (u(3), is_unitary, 0),
    "SU(2)": (su(2), unit_complex_determinant, 0),
    "SU(3)": (su(3), unit_complex_determinant, 0),
    "SO+(1,3)": (lorentz(1, 3), of_lorentz(1, 3, BOTH[:1]), 3),
    "SO(2,1)": (lorentz(2, 1, "special"), of_lorentz(2, 1, SAME), 2),
    "O+(2,2)": (lorentz(2, 2, "orthochronous"), of_lorentz(2, 2, BOTH[:2]), 4),
    "O(1,2)": (lorentz(1, 2, "full"), of_lorentz(1, 2, BOTH), 2),
    "SL(2)": (sl(2), unit_determinant, 2),
    "SL(3)": (sl(3), unit_determinant, 5),
    "GL+(2)": (gl_plus(2), lambda g: 1.0 * (np.linalg.det(g) <= 0), 3),
    "scaling(3)": (scaling(3), is_multiple, 1),
    "rotations and scalings": (union(so(3), scaling(3)), is_similarity, None),
    "O(2) on planes": (union(*PLANES), keeps(np.eye(3)), 0),
    "O(2) on (2, 0)": (
        embed(o(2), 3, (2, 0)),
        lambda g: keeps(np.eye(3))(g) + np.abs(g[..., 1, :] - [0, 1, 0]).max(axis=-1),
        0,
    ),
}


@functools.cache
def built(name):
    """One program per group: exponentials, their logarithms, inverses, draws."""
    group = GROUPS[name][0]
    x = np.random.default_rng(3).normal(size=(20, group.dim))
    x *= np.linspace(0, 1.2, 20)[:, None] / np.linalg.norm(x, axis=1, keepdims=True)

    @jax.jit
    def build(x, key):
        g, drawn = group.exp(x), group.sample(key, (N_DRAWS,))
        return g, group.log(g), drawn, group.inverse(drawn[:500])

    return x, *(np.asarray(part) for part in build(x, jax.random.key(4)))


@pytest.mark.parametrize("name", GROUPS)
def test_elements_satisfy_the_equation(name):
    group, away, _ = GROUPS[name]
    _, g, _, drawn, inverse = built(name)
    steps = np.asarray(group.generators())
    assert away(g).max() < 1e-13
    assert away(drawn).max() < 1e-12
    if len(steps):
        assert away(steps).max() < 1e-15
    np.testing.assert_allclose(
        inverse @ drawn[:500], np.broadcast_to(np.eye(group.shape[0]), (500, *group.shape)), atol=1e-12
    )
    wrong = g[-1] + 1e-3 * np.random.default_rng(0).normal(size=group.shape)
    if name != "GL+(2)":  # open: a small change stays inside
        assert away(wrong[None]).max() > 1e-4


@pytest.mark.parametrize("name", GROUPS)
def test_exp_is_that_of_the_basis(name):
    """Against scipy's exponential of ``sum x_k lie()[k]``, and back."""
    group = GROUPS[name][0]
    x, g, log, _, _ = built(name)
    expected = np.stack([scipy.linalg.expm(np.einsum("k,kij->ij", one, group.lie())) for one in x])
    np.testing.assert_allclose(g, expected, atol=2e-14)
    np.testing.assert_allclose(log, x, atol=5e-15)


@pytest.mark.parametrize("name", GROUPS)
def test_the_basis_is_one_of_a_lie_algebra(name):
    group, _, _ = GROUPS[name]
    lie = group.lie()
    assert lie.shape == (group.dim, *group.shape)
    assert lie.dtype == np.float64
    flat = lie.reshape(group.dim, -1)
    assert np.linalg.matrix_rank(flat) == group.dim
    brackets = np.einsum("aij,bjk->abik", lie, lie)
    brackets = (brackets - brackets.swapaxes(0, 1)).reshape(-1, flat.shape[1])
    steps = np.asarray(group.generators())
    moved = (steps[:, None] @ lie @ np.linalg.inv(steps)[:, None]).reshape(-1, flat.shape[1])
    assert np.linalg.matrix_rank(np.concatenate([flat, brackets, moved]), tol=1e-10) == group.dim
    before = lie.copy()
    lie += 1  # a copy: the record is not touched
    assert (group.lie() == before).all()


DIMENSIONS = {
    "sp": ({2: sp(2), 4: sp(4), 6: sp(6)}, lambda n: n * (n + 1) // 2),
    "u": ({n: u(n) for n in (1, 2, 3, 4)}, lambda n: n**2),
    "su": ({n: su(n) for n in (1, 2, 3, 4)}, lambda n: n**2 - 1),
    "lorentz": (
        {(p, q): lorentz(p, q) for p, q in ((1, 1), (1, 3), (3, 1), (2, 3))},
        lambda pq: sum(pq) * (sum(pq) - 1) // 2,
    ),
    "sl": ({n: sl(n) for n in (1, 2, 3, 4)}, lambda n: n**2 - 1),
    "gl_plus": ({n: gl_plus(n) for n in (1, 2, 3)}, lambda n: n**2),
    "scaling": ({n: scaling(n) for n in (1, 5)}, lambda n: 1),
}


@pytest.mark.parametrize("family", DIMENSIONS)
def test_dimensions(family):
    groups, formula = DIMENSIONS[family]
    assert {size: group.dim for size, group in groups.items()} == {size: formula(size) for size in groups}
    assert all(group.order == (1 if group.dim == 0 else None) for group in groups.values())
    compact = family in ("u", "su")
    assert all(group.compact == compact for size, group in groups.items() if (family, size) != ("sl", 1))


def test_names():
    named = ["identity", "special", "orthochronous", "full"]
    assert [str(lorentz(1, 3, component)) for component in named] == ["SO+(1,3)", "SO(1,3)", "O+(1,3)", "O(1,3)"]
    assert len({lorentz(1, 3, component) for component in named}) == 4
    assert lorentz(1, 3) is not lorentz(3, 1)
    assert [str(group) for group in (sp(4), u(2), su(3), sl(2), gl_plus(2))] == [
        "Sp(4)",
        "U(2)",
        "SU(3)",
        "SL(2)",
        "GL+(2)",
    ]


def test_boosts_and_rotations_of_spacetime():
    """The order of the coordinates of SO+(1,3): three rotations about the axes of space, then three boosts."""
    lie = lorentz(1, 3).lie()
    assert (lie[:3, 1:, 1:] == so(3).lie()).all()
    assert (lie[:3, 0] == 0).all()
    assert (lie[3:, 0, 1:] == np.eye(3)).all()
    assert (lie[3:] == lie[3:].swapaxes(1, 2)).all()


def test_positions_and_momenta():
    """A free particle drifts by exp(t B), an oscillator turns: the usual flows are where the docstring says."""
    flow = lambda x: np.asarray(jax.jit(sp(2).exp)(np.array(x, float)))
    np.testing.assert_allclose(flow([0, 0.7, 0]), [[1, 0.7], [0, 1]], atol=1e-15)
    np.testing.assert_allclose(
        flow([0, 0.7, -0.7]), [[np.cos(0.7), np.sin(0.7)], [-np.sin(0.7), np.cos(0.7)]], atol=1e-15
    )
    np.testing.assert_allclose(flow([0.7, 0, 0]), np.diag(np.exp([0.7, -0.7])), atol=1e-15)


def test_exp_of_sl_is_not_onto():
    """No real logarithm: a Jordan block of -1, and eigenvalues -2 and -1/2."""
    strangers = np.array([[[-1.0, 1], [0, -1]], [[-2, 0], [0, -0.5]]])
    assert np.isnan(jax.jit(sl(2).log)(strangers)).all()
    assert (np.trace(built("SL(2)")[3], axis1=1, axis2=2) < -2).any()


# --- measures --------------------------------------------------------------------------------------


def assert_mean(values, expected):
    """The mean, within five standard errors estimated from the values."""
    values = np.asarray(values, float)
    error = values.std(ddof=1) / len(values) ** 0.5
    assert abs(values.mean() - expected) <= 5 * error + 1e-12, (values.mean(), expected, error)


MOMENTS = {  # E |tr|^2, E |tr|^4, and the power k with E tr^k = 1: the invariant tensors of the special group
    "U(1)": (1, 1, None),
    "U(2)": (1, 2, None),
    "U(3)": (1, 2, None),
    "SU(2)": (1, 2, 2),
    "SU(3)": (1, 2, 3),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_haar_moments_of_the_unitary_groups(name):
    z, _ = complex_parts(built(name)[3])
    n, trace = z.shape[-1], np.trace(z, axis1=1, axis2=2)
    second, fourth, special = MOMENTS[name]
    assert_mean(np.abs(trace) ** 2, second)
    assert_mean(np.abs(trace) ** 4, fourth)
    for k in (1, 2, 3):
        assert_mean((trace**k).real, 1 if k == special else 0)
        assert_mean((trace**k).imag, 0)
    fixed = scipy.stats.unitary_group.rvs(n, random_state=np.random.default_rng(1)) if n > 1 else np.array([[1j]])
    fixed = fixed / np.linalg.det(fixed) ** (1 / n)
    for moved in (z, fixed @ z, z @ fixed):
        if n > 1:
            for i, j in itertools.product((0, n - 1), repeat=2):
                assert (
                    scipy.stats.kstest(np.abs(moved[:, i, j]) ** 2, scipy.stats.beta(1, n - 1).cdf).pvalue > FIVE_SIGMA
                )
        phase = np.angle(moved[:, 0, 0]) / (2 * np.pi) + 0.5
        assert scipy.stats.kstest(phase, "uniform").pvalue > FIVE_SIGMA


@pytest.mark.parametrize("name", [name for name, (_, _, stretches) in GROUPS.items() if stretches])
def test_law_of_the_groups_that_are_not_compact(name):
    """``g^T g = exp(2 s)``: ``tr(s s) / 2`` is 1/4 times a chi square over its degrees, and the axes have no bias."""
    group, _, stretches = GROUPS[name]
    drawn = built(name)[3]
    values, axes = np.linalg.eigh(drawn.swapaxes(1, 2) @ drawn)
    s = np.einsum("...ik,...k,...jk->...ij", axes, np.log(values) / 2, axes)
    size = np.sum(s**2, axis=(1, 2)) / 2
    assert_mean(size, 0.25)
    assert scipy.stats.kstest(size * 4 * stretches, scipy.stats.chi2(stretches).cdf).pvalue > FIVE_SIGMA
    for i, j in itertools.product(range(group.shape[0]), repeat=2):
        assert_mean(s[:, i, j], 0)
        if name != "scaling(3)":
            assert_mean(drawn[:, i, j], 1.0 * name.startswith("SO+") * (i == j == 0) * np.mean(drawn[:, 0, 0]))


@pytest.mark.parametrize("name", ["SO(2,1)", "O+(2,2)", "O(1,2)"])
def test_components_are_drawn_equally_often(name):
    group = GROUPS[name][0]
    p = group.spec[1]
    drawn = built(name)[3]
    signs = np.stack([np.linalg.det(drawn[:, :p, :p]) > 0, np.linalg.det(drawn[:, p:, p:]) > 0], axis=1)
    _, counts = np.unique(signs, axis=0, return_counts=True)
    assert len(counts) == {"SO(2,1)": 2, "O+(2,2)": 2, "O(1,2)": 4}[name]
    assert scipy.stats.chisquare(counts).pvalue > FIVE_SIGMA


# --- unions ----------------------------------------------------------------------------------------


def spanned(lie, steps):
    """The dimension of the algebra that matrices generate: ranks of ever more brackets and conjugates."""
    found = lie.reshape(len(lie), -1)
    rank = 0
    while np.linalg.matrix_rank(found, tol=1e-8) > rank:
        rank = np.linalg.matrix_rank(found, tol=1e-8)
        basis = np.linalg.svd(found)[2][:rank].reshape(rank, *lie.shape[1:])
        brackets = np.einsum("aij,bjk->abik", basis, basis)
        moved = steps[:, None] @ basis @ np.linalg.inv(steps)[:, None]
        found = np.concatenate(
            [part.reshape(-1, found.shape[1]) for part in (basis, brackets - brackets.swapaxes(0, 1), moved)]
        )
    return int(rank)


def generated(*lie, discrete=()):
    return from_generators(lie=lie, discrete=discrete)


UNIONS = {  # members, dimension
    "rotations and scalings": ((so(3), scaling(3)), 4),
    "three planes": (tuple(PLANES), 3),
    "two planes": (tuple(PLANES[:2]), 3),
    "planes that do not meet": ((embed(so(2), 4, (0, 1)), embed(so(2), 4, (2, 3))), 2),
    "boosts and rotations of R^4": ((lorentz(1, 3), so(4)), 15),
    "shears both ways": ((generated([[0.0, 1], [0, 0]]), generated([[0.0, 0], [1, 0]])), 3),
    "stretch of one axis, and the cycle of axes": (
        (generated(np.diag([1.0, 0, 0])), from_generators(discrete=[CYCLE])),
        3,
    ),
    "one of the other": ((so(4), u(2)), 6),
    "unitary and symplectic": ((u(2), sp(4)), 10),
    "five dimensions, plane by plane": (tuple(embed(so(2), 5, (i, i + 1)) for i in range(4)), 10),
}


@pytest.mark.parametrize("name", UNIONS)
def test_algebra_of_a_union(name):
    members, dim = UNIONS[name]
    group = union(*members)
    lie = np.concatenate([member.lie() for member in members])
    steps = np.concatenate([np.asarray(member.generators()) for member in members])
    assert group.dim == dim == spanned(lie, steps)
    for member in members:  # the whole point
        assert inclusion(member, group).target is group
    first = members[0].lie()
    assert (group.lie()[: len(first)] == first).all()
    unit = [np.linalg.norm(a) for a in group.lie()[len(lie) :]]
    np.testing.assert_allclose(unit, 2**0.5, rtol=1e-12)


def test_a_union_is_what_it_is():
    assert union(so(3)) is so(3)
    assert union(so(3), so(3)) is so(3)
    assert union(so(3), scaling(3)) is union(so(3), scaling(3))
    assert union(so(3), scaling(3)) is not union(scaling(3), so(3))
    assert union(union(so(3), scaling(3)), o(3)) is union(so(3), scaling(3), o(3))
    assert union(*PLANES).compact
    assert not union(so(3), scaling(3)).compact
    assert union(o(3), INVERSION).generators().shape == (2, 3, 3)
    assert union(o(3), TURNED_MIRRORS).generators().shape == (1, 3, 3)  # the same mirror
    assert str(union(so(3), scaling(3))) == "union(SO(3), scaling(3))"


def test_finite_unions_are_listed():
    assert union(polyhedral("tetrahedral"), INVERSION).order == 24
    assert union(polyhedral("octahedral"), INVERSION).order == 48
    assert union(polyhedral("tetrahedral"), polyhedral("octahedral")).order == 24
    assert union(embed(o(1), 2, (0,)), embed(o(1), 2, (1,))).order == 4
    apart = union(polyhedral("octahedral"), from_generators(discrete=[np.asarray(so(3).exp(jnp.array([0.0, 0, 1.0])))]))
    assert apart.order is None  # dense in SO(3)
    assert apart.dim == 0


def test_planes_that_rounding_cannot_tell_apart():
    """Rotations about two axes: parallel to 1e-12 they are the same, at an angle of 1e-7 nobody knows."""

    def tilted(angle):
        axis = np.array([np.sin(angle), 0, np.cos(angle)])
        return generated(np.einsum("k,kij->ij", axis, so(3).lie()))

    plane = embed(so(2), 3, (0, 1))
    assert union(plane, tilted(1e-12)).dim == 1
    assert union(plane, tilted(1e-2)).dim == 3
    with pytest.raises(ValueError, match="cannot be told from a larger one"):
        union(plane, tilted(1e-7))


# --- embeddings ------------------------------------------------------------------------------------


def test_two_embeddings_are_two_groups():
    """At the first two coordinates and at the last two: nothing of one may serve the other."""
    first, last = embed(so(2), 3, slice(2)), embed(so(2), 3, slice(1, 3))
    assert first is not last
    assert first is embed(so(2), 3, (0, 1)) is embed(so(2), 3, [0, 1]) is embed(so(2), 3, np.arange(2))
    assert embed(so(2), 3, (1, 0)) is not first
    assert embed(so(2), 4, (0, 1)) is not first
    assert len({first.spec, last.spec, str(first), str(last)}) == 4
    assert standard(first) is not standard(last)
    x = np.array([0.3])
    g, h = (np.asarray(jax.jit(group.exp)(x)) for group in (first, last))
    turn = scipy.linalg.expm(0.3 * np.array([[0.0, -1], [1, 0]]))
    np.testing.assert_allclose(g, scipy.linalg.block_diag(turn, 1), atol=1e-15)
    np.testing.assert_allclose(h, scipy.linalg.block_diag(1, turn), atol=1e-15)
    np.testing.assert_allclose(first.lie()[0], scipy.linalg.block_diag(so(2).lie()[0], 0))


@pytest.mark.parametrize(
    ("inner", "dim", "indices"),
    [(so(3), 5, (4, 0, 2)), (lorentz(1, 2, "full"), 4, (3, 1, 0)), (polyhedral("octahedral"), 4, (1, 2, 3))],
    ids=["SO(3)", "O(1,2)", "octahedral"],
)
def test_an_embedding_is_isomorphic(inner, dim, indices):
    group = embed(inner, dim, indices)
    assert (group.dim, group.order, group.compact) == (inner.dim, inner.order, inner.compact)
    out, back = inclusion(inner, group), unembed(group)
    assert (out.source, out.target, back.source, back.target) == (inner, group, group, inner)

    @jax.jit
    def build(key):
        small = inner.sample(key, (50,), np.float32)
        large = out.map(small)
        returned = back.map(large)
        return small, large, returned, group.generators(np.float32), out.map(inner.generators(np.float32))

    small, large, returned, steps, moved = (np.asarray(part) for part in build(jax.random.key(0)))
    assert large.dtype == np.float32
    choice = np.zeros((dim, len(indices)))
    choice[list(indices), range(len(indices))] = 1  # e_k goes to e_indices[k]
    rest = np.eye(dim) - choice @ choice.T
    np.testing.assert_array_equal(large, (choice @ small @ choice.T + rest).astype(np.float32))
    np.testing.assert_array_equal(returned, small)
    np.testing.assert_array_equal(steps, moved)
    if inner.order:
        listed = group.elements()
        assert group.index(listed).tolist() == list(range(inner.order))
        np.testing.assert_array_equal(back.map(listed), inner.elements())


def test_embeddings_nest():
    inner = embed(so(2), 3, (0, 2))
    outer = embed(inner, 4, (3, 1, 0))
    np.testing.assert_array_equal(outer.lie(), embed(so(2), 4, (3, 0)).lie())
    assert (unembed(inner) @ unembed(outer)).target is so(2)


# --- inclusions ------------------------------------------------------------------------------------

INSIDE = [
    (so(3), union(*PLANES)),
    (union(*PLANES), o(3)),
    (o(3), union(*PLANES)),
    (polyhedral("octahedral"), so(3)),
    (polyhedral("octahedral"), union(*PLANES)),
    (polyhedral("tetrahedral"), polyhedral("octahedral")),
    (polyhedral("tetrahedral"), polyhedral("icosahedral")),
    (INVERSION, TURNED_MIRRORS),
    (HALF_TURN, union(embed(so(2), 3, (0, 1)), embed(so(2), 3, (1, 2)))),
    (embed(so(2), 3, (0, 2)), so(3)),
    (embed(so(2), 3, (0, 2)), embed(o(2), 3, (2, 0))),
    (embed(o(3), 4, (1, 2, 3)), lorentz(1, 3, "orthochronous")),
    (embed(so(2), 4, (2, 3)), union(embed(so(3), 4, (1, 2, 3)), scaling(4))),
    (lorentz(1, 3), lorentz(1, 3, "special")),
    (lorentz(1, 3, "orthochronous"), lorentz(1, 3, "full")),
    (lorentz(1, 3), sl(4)),
    (u(2), sp(4)),
    (su(2), u(2)),
    (u(2), so(4)),
    (sp(4), sl(4)),
    (sl(2), sp(2)),
    (scaling(3), union(so(3), scaling(3))),
    (scaling(3), gl_plus(3)),
    (generated(np.eye(2), discrete=[-np.eye(2)]), gl_plus(2)),
]


@pytest.mark.parametrize(("subgroup", "group"), INSIDE, ids=lambda group: str(group)[:25])
def test_a_matrix_group_inside_another(subgroup, group):
    found = inclusion(subgroup, group)
    assert found is inclusion(subgroup, group)
    assert (found.source, found.target) == (subgroup, group)
    g = np.eye(subgroup.shape[0], dtype=np.float32)
    assert found.map(g) is g


OUTSIDE = [
    (union(*PLANES), so(3), "discrete generator 0"),
    (o(3), gl_plus(3), "discrete generator 0"),
    (polyhedral("octahedral"), polyhedral("tetrahedral"), "discrete generator 1"),
    (INVERSION, union(embed(so(2), 3, (0, 1)), embed(so(2), 3, (1, 2))), "discrete generator 0"),
    (INVERSION, from_generators(discrete=[np.asarray(so(3).exp(jnp.array([0.0, 0, 1.0])))]), "discrete generator 0"),
    (embed(o(3), 4, (1, 2, 3)), lorentz(1, 3), "discrete generator 0"),
    (embed(o(2), 3, (0, 1)), embed(o(2), 3, (1, 2)), "basis matrix 0"),
    (embed(o(1), 3, (0,)), embed(o(2), 3, (1, 2)), "discrete generator 0"),
    (lorentz(1, 3, "special"), lorentz(1, 3, "orthochronous"), "discrete generator 0"),
    (lorentz(1, 3, "full"), lorentz(1, 3, "special"), "discrete generator 0"),
    (from_generators(discrete=[-np.eye(2)]), scaling(2), "discrete generator 0"),
    (from_generators(discrete=[-np.eye(3)]), su(2), "3 x 3, not 4 x 4"),
    (from_generators(discrete=[np.kron([[0.0, -1], [1, 0]], np.eye(3))]), su(3), "discrete generator 0"),  # det i^3
    (u(2), su(2), "basis matrix 0"),
    (so(4), u(2), "basis matrix"),
    (sl(4), sp(4), "basis matrix"),
    (gl_plus(2), sl(2), "basis matrix 0"),
    (scaling(3), so(3), "basis matrix 0"),
    (so(3), sl(4), "embed it first"),
]


@pytest.mark.parametrize(("subgroup", "group", "words"), OUTSIDE, ids=lambda group: str(group)[:25])
def test_a_matrix_group_outside_another(subgroup, group, words):
    with pytest.raises(ValueError, match="is not included in") as caught:
        inclusion(subgroup, group)
    assert words in str(caught.value)


# --- generated groups --------------------------------------------------------------------------------


def test_generators_that_grow_are_not_listed():
    """Doubling and a hyperbolic matrix have infinitely many powers, which would overflow."""
    assert from_generators(discrete=[2 * np.eye(2)]).order is None
    assert from_generators(discrete=[[[2.0, 1], [1, 1]]]).order is None
    assert from_generators(discrete=[[[1.0, 1], [0, 1]]]).order is None
    assert from_generators(discrete=[1e-4 * np.diag([1.0, 1, 1, -1])]).order is None


def test_a_logarithm_outside_the_algebra_is_nan():
    """Shears along the first axis do not contain a turn, nor the shears along the second."""
    log = jax.jit(generated([[0.0, 1], [0, 0]]).log)
    assert log(np.array([[1.0, 3], [0, 1]])).tolist() == pytest.approx([3.0])
    assert np.isnan(log(np.array([[1.0, 0], [3, 1]]))).all()
    assert np.isnan(log(np.array([[0.0, -1], [1, 0]]))).all()
