"""Affine maps, gates, contractions and perceptrons of matrix groups, against loops, closed forms and broken twins."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.flax import as_linen, as_nnx
from equiv.groups import cyclic, dihedral, embed, gl_plus, lorentz, o, polyhedral, sl, so, su, symmetric
from equiv.layers import affine, bilinear, dense, equivariant_mlp, gated, pointwise
from equiv.reps import intertwiners, pixels, regular, scalar, spread, standard, tensor

DTYPES = [np.float32, np.float64]
O3, SO3, LORENTZ = o(3), so(3), lorentz(1, 3)
V, MATRICES, ONE = standard(O3), tensor(O3, 2), scalar(O3)
PLANE = embed(o(2), 3, (0, 2))


@functools.cache
def perceptron():
    return equivariant_mlp(2 * ONE + 3 * V, MATRICES + ONE, spread(O3, 20), depth=2)


NETWORKS = {
    "affine": lambda: affine(spread(O3, 20), spread(O3, 30)),
    "affine, boosts": lambda: affine(spread(LORENTZ, 30), tensor(LORENTZ, 1, 1) + standard(LORENTZ).dual),
    "contractions": lambda: bilinear(spread(O3, 20), spread(O3, 20)),
    "gates": lambda: gated(2 * ONE + 2 * V + MATRICES),
    "perceptron": perceptron,
    "perceptron, points": lambda: equivariant_mlp(
        standard(symmetric(4)), scalar(symmetric(4)), spread(symmetric(4), 24), depth=1
    ),
    "perceptron, free": lambda: equivariant_mlp(3 * V, V, spread(O3, 20), depth=1, affine=dense),
}


def moved(params, seed=0):
    """Parameters in which nothing is zero."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: leaf + rng.normal(size=leaf.shape).astype(leaf.dtype), params)


def drawn(layer, dtype=np.float64):
    return moved(layer.init(jax.random.key(0), dtype))


def size(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def relative_error(layer, n=16):
    """``f(g x)`` against ``g f(x)`` in float64, relative to the largest entry, over drawn elements."""
    group = layer.rep_in.group
    params = drawn(layer)
    x = np.random.default_rng(1).normal(size=(n, layer.rep_in.dim))

    @jax.jit
    def both(params, x, key):
        g = group.sample(key, (n,), x.dtype)
        return layer.apply(params, layer.rep_in.act(g, x)), layer.rep_out.act(g, layer.apply(params, x))

    late, soon = map(np.asarray, both(params, x, jax.random.key(3)))
    assert np.isfinite(late).all()
    assert np.abs(soon).max() > 1e-3
    return np.abs(late - soon).max() / np.abs(soon).max()


# --- spread ----------------------------------------------------------------------------------------------------------


def test_spread_of_the_paper():
    assert [copies for _, copies in spread(O3, 128).summands] == [38, 12, 3, 1]
    assert [len(rep.factors) for rep, _ in spread(O3, 128).summands] == [0, 1, 2, 3]


@pytest.mark.parametrize("channels", [1, 2, 3, 7, 20, 128, 384, 1024])
@pytest.mark.parametrize("group", [O3, so(2), LORENTZ, sl(2), su(2), symmetric(5), PLANE], ids=str)
def test_spread_has_as_many_channels_as_asked(group, channels):
    """About as many channels of each rank, and for V other than V* the types (p, q) of a rank by binomials."""
    v, rep = standard(group), spread(group, channels)
    assert rep.dim == channels
    assert spread(group, channels) is rep
    per_rank, types = {}, {}
    for one, copies in rep.summands:
        r = len(one.factors)
        per_rank[r] = per_rank.get(r, 0) + one.dim * copies
        q = sum(factor != v for factor in one.factors)
        types[r, q] = types.get((r, q), 0) + copies
    most = max(r for r in range(20) if (r + 1) * v.dim**r <= channels)
    assert sorted(per_rank) == list(range(most + 1))
    assert max(per_rank.values()) - min(per_rank.values()) < (most + 2) * v.dim ** (most + 1) - 1
    if not v.orthogonal:
        for (r, q), copies in types.items():
            total = sum(n for (rank, _), n in types.items() if rank == r)
            assert abs(copies - total * math.comb(r, q) / 2**r) < 2 + channels / v.dim**r / 10


# --- how many parameters ---------------------------------------------------------------------------------------------


def test_parameters_are_counted_by_matchings():
    """Maps from rank a to rank b of O(3): ``(a + b - 1)!!`` for each pair of copies, up to rank 6 together."""
    hidden = spread(O3, 128)
    wide = gated(hidden).rep_in
    matchings = lambda k: math.prod(range(k - 1, 0, -2)) if k % 2 == 0 else 0
    ranks = lambda rep: [(len(one.factors), copies) for one, copies in rep.summands]
    weight = sum(m * n * matchings(a + b) for a, m in ranks(wide) for b, n in ranks(hidden))
    bias = sum(m * matchings(a) for a, m in ranks(wide))
    shapes = jax.eval_shape(affine(hidden, wide).init, jax.random.key(0))
    assert (wide.dim, weight) == (144, 2586)
    assert jax.tree.map(jnp.shape, shapes) == {"weight": (weight,), "bias": (bias,)}


def test_parameters_of_a_perceptron():
    """(affine, quadratic, gate) for each block, then the last affine map; no free weights unless asked for."""
    net = perceptron()
    hidden = spread(O3, 20)
    wide = gated(hidden).rep_in
    params = net.init(jax.random.key(0))
    assert len(params) == 2 * 3 + 1
    maps = [(net.rep_in, wide), (hidden, wide), (hidden, net.rep_out)]
    for one, (rep_in, rep_out) in zip((params[0], params[3], params[6]), maps):
        assert one["weight"].shape == (intertwiners.basis(rep_in, rep_out).dim,)
        assert one["bias"].shape == (intertwiners.basis(scalar(O3), rep_out).dim,)
        assert not one["bias"].any()
    assert params[2] == params[5] == {}
    assert net.weights(params) == ()
    free = equivariant_mlp(net.rep_in, net.rep_out, hidden, depth=2, affine=dense)
    weights = free.weights(free.init(jax.random.key(0)))
    assert [(w.rep_in, w.rep_out) for w in weights[::2]] == maps
    assert [w.matrix.shape[1] for w in weights[1::2]] == [1, 1, 1]
    assert size(params) < size(free.init(jax.random.key(0)))


@pytest.mark.parametrize("depth", [1, 3])
def test_depth(depth):
    net = equivariant_mlp(V, V, spread(O3, 8), depth=depth)
    assert len(jax.eval_shape(net.init, jax.random.key(0))) == 3 * depth + 1
    assert equivariant_mlp(V, V, spread(O3, 8), depth=depth).spec == net.spec
    assert equivariant_mlp(V, V, spread(O3, 8), depth=depth) is net


# --- affine maps -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reps",
    [
        (spread(O3, 20), spread(O3, 30)),
        (standard(PLANE) + scalar(PLANE, 2), tensor(PLANE, 2) + standard(PLANE)),
        (spread(LORENTZ, 20), tensor(LORENTZ, 1, 1) + standard(LORENTZ)),
        (tensor(su(2), 2) + standard(su(2)), 2 * standard(su(2)) + scalar(su(2))),
    ],
    ids=lambda reps: f"{reps[0].group}",
)
def test_affine_maps_keep_the_variance(reps):
    """With ``E x x^T = 1`` each summand that is reached has ``E |y|^2 = dim``, over 2000 draws of the weights."""
    n, layer = 2000, affine(*reps)
    keys = jax.random.split(jax.random.key(2), n)
    x = np.random.default_rng(3).normal(size=(n, layer.rep_in.dim))
    y = np.asarray(jax.jit(jax.vmap(lambda k, x: layer.apply(layer.init(k), x)))(keys, x))
    for _, index in intertwiners.terms(layer.rep_out):
        energy = np.sum(y[:, index.ravel()] ** 2, axis=1)
        error = energy.std(ddof=1) / n**0.5
        assert abs(energy.mean() - index.size) < 5 * error
        assert error < 0.1 * index.size


def test_what_no_map_reaches_stays_zero():
    """Vectors from scalars, and odd tensors from even ones: zero for all parameters, and the rest is there."""
    for rep_in, rep_out, dead in (
        (scalar(SO3, 4), scalar(SO3, 2) + 2 * standard(SO3) + scalar(SO3), slice(2, 8)),
        (V + tensor(O3, 3), V + 2 * MATRICES, None),
        (standard(gl_plus(2)), standard(gl_plus(2)) + tensor(gl_plus(2), 2) + standard(gl_plus(2)).dual, slice(2, 8)),
    ):
        layer = affine(rep_in, rep_out)
        y = np.asarray(jax.jit(layer.apply)(drawn(layer), np.ones((3, rep_in.dim))))
        zero = np.abs(y).max(axis=0) == 0
        if dead is None:  # only the bias, a multiple of the identity, reaches the matrices
            trace = y[:, 3:].reshape(3, 2, 3, 3)
            np.testing.assert_allclose(trace, trace[..., :1, :1] * np.eye(3)[None, None], atol=1e-14)
            assert not zero[:3].any()
        else:
            expected = np.zeros(rep_out.dim, bool)
            expected[dead] = True
            np.testing.assert_array_equal(zero, expected)


def test_affine_maps_are_the_basis():
    layer = affine(V + MATRICES, MATRICES + ONE)
    params = drawn(layer)
    x = np.random.default_rng(0).normal(size=(4, 12))
    weights = np.asarray(intertwiners.basis(layer.rep_in, layer.rep_out).combine(params["weight"]))
    shift = np.asarray(intertwiners.basis(ONE, layer.rep_out).combine(params["bias"]))[:, 0]
    np.testing.assert_allclose(jax.jit(layer.apply)(params, x), x @ weights.T + shift[None], atol=1e-13)


# --- contractions ----------------------------------------------------------------------------------------------------


def contracted(params, which, left, right, product):
    """``sum_r mix[a, r] product(sum_c first[r, c] left_c, sum_c second[r, c] right_c)`` by loops."""
    first, second, mix = (np.asarray(params[kind][which]) for kind in ("first", "second", "mix"))
    out = 0
    for r in range(mix.shape[1]):
        u = sum(first[r, c] * left[c] for c in range(len(left)))
        t = sum(second[r, c] * right[c] for c in range(len(right)))
        out = out + np.multiply.outer(mix[:, r], product(u, t))
    return out


def test_dot_products_by_loops():
    layer = bilinear(3 * V, scalar(O3, 4))
    params, x = drawn(layer), np.random.default_rng(0).normal(size=9)
    vectors = x.reshape(3, 3)
    assert [len(params[kind]) for kind in ("first", "second", "mix")] == [1, 1, 1]
    assert params["mix"][0].shape == (4, 4)
    np.testing.assert_allclose(
        jax.jit(layer.apply)(params, x), contracted(params, 0, vectors, vectors, np.dot), atol=1e-13
    )


def test_two_vectors_make_a_matrix_by_loops():
    layer = bilinear(3 * V, 2 * MATRICES)
    params, x = drawn(layer), np.random.default_rng(0).normal(size=9)
    vectors = x.reshape(3, 3)
    expected = contracted(params, 0, vectors, vectors, np.outer)
    assert len(params["mix"]) == 1
    np.testing.assert_allclose(jax.jit(layer.apply)(params, x), expected.ravel(), atol=1e-13)


def test_matrices_on_vectors_by_loops():
    layer = bilinear(2 * MATRICES + 3 * V, 2 * V)
    params, x = drawn(layer), np.random.default_rng(0).normal(size=27)
    matrices, vectors = x[:18].reshape(2, 3, 3), x[18:].reshape(3, 3)
    assert len(params["mix"]) == 1
    expected = contracted(params, 0, vectors, matrices, lambda u, t: t @ u)
    np.testing.assert_allclose(jax.jit(layer.apply)(params, x), expected.ravel(), atol=1e-13)


def test_scalars_times_vectors_by_loops():
    """V from a scalar and a vector: the vectors stand first, since they have the factors of V x 1."""
    layer = bilinear(2 * ONE + 2 * V, 3 * V)
    params, x = drawn(layer), np.random.default_rng(0).normal(size=8)
    scalars, vectors = x[:2], x[2:].reshape(2, 3)
    assert len(params["mix"]) == 1
    expected = contracted(params, 0, vectors, scalars, lambda u, t: u * t)
    np.testing.assert_allclose(jax.jit(layer.apply)(params, x), expected.ravel(), atol=1e-13)


def test_all_contractions_to_a_sum_by_loops():
    """Scalars get products, dot products and traces of products; the sum of all, in the order of the summands."""
    layer = bilinear(2 * ONE + 2 * V + MATRICES, V + 2 * ONE)
    params, x = drawn(layer), np.random.default_rng(0).normal(size=17)
    scalars, vectors, matrices = x[:2], x[2:8].reshape(2, 3), x[8:].reshape(1, 3, 3)
    vector = [
        contracted(params, 0, vectors, scalars, lambda u, t: u * t),
        contracted(params, 1, matrices, vectors, lambda u, t: t @ u),
    ]
    number = [
        contracted(params, 2, scalars, scalars, lambda u, t: u * t),
        contracted(params, 3, vectors, vectors, np.dot),
        contracted(params, 4, matrices, matrices, lambda u, t: np.sum(u * t)),
    ]
    assert len(params["mix"]) == 5
    expected = np.concatenate([sum(vector).ravel(), sum(number).ravel()])
    np.testing.assert_allclose(jax.jit(layer.apply)(params, x), expected, atol=1e-12)


def test_contractions_with_duals_by_loops():
    """Of a group with V other than V*: a form on a vector, a matrix of type (1, 1) on a vector; never two vectors."""
    group = sl(2)
    v = standard(group)
    layer = bilinear(2 * v + v.dual + tensor(group, 1, 1), v + scalar(group, 2))
    params, x = drawn(layer), np.random.default_rng(0).normal(size=10)
    vectors, forms, matrices = x[:4].reshape(2, 2), x[4:6].reshape(1, 2), x[6:].reshape(1, 2, 2)
    expected = [
        contracted(params, 0, matrices, vectors, np.matmul),
        contracted(params, 1, forms, vectors, np.dot)
        + contracted(params, 2, matrices, matrices, lambda u, t: np.sum(u * t.T)),
    ]
    assert len(params["mix"]) == 3
    np.testing.assert_allclose(
        jax.jit(layer.apply)(params, x), np.concatenate([part.ravel() for part in expected]), atol=1e-13
    )


@pytest.mark.parametrize("name", ["O(3)", "SO+(1,3)", "S(4)"])
def test_contractions_are_of_degree_two(name):
    group = {"O(3)": O3, "SO+(1,3)": LORENTZ, "S(4)": symmetric(4)}[name]
    layer = bilinear(spread(group, 24), spread(group, 24))
    x = np.random.default_rng(0).normal(size=(2, 24))

    @jax.jit
    def build(params, x):
        q = lambda x: layer.apply(params, x)
        return q(x), q(3 * x), q(-x), q(x[0] + x[1]) + q(x[0] - x[1]), q(0 * x)

    one, three, minus, parallelogram, zero = map(np.asarray, build(drawn(layer), x))
    np.testing.assert_allclose(three, 9 * one, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(minus, one, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(parallelogram, 2 * one.sum(axis=0), rtol=1e-11, atol=1e-11)
    assert not zero.any()
    assert np.abs(one).max() > 1e-3


# --- gates -----------------------------------------------------------------------------------------------------------


def test_gates_by_hand():
    rep = 2 * ONE + 2 * V + MATRICES
    layer = gated(rep)
    assert layer.rep_in is rep + scalar(O3, 3)
    x = np.random.default_rng(0).normal(size=20)
    sigmoid = lambda z: 1 / (1 + np.exp(-z))
    expected = np.concatenate(
        [
            x[:2] * sigmoid(x[:2]),
            *(x[2 + 3 * k : 5 + 3 * k] * sigmoid(x[17 + k]) for k in range(2)),
            x[8:17] * sigmoid(x[19]),
        ]
    )
    np.testing.assert_allclose(jax.jit(layer.apply)({}, x), expected, rtol=1e-14)


def test_who_needs_a_gate():
    """Mixed or flipped coordinates do; moved ones do not."""
    d4 = dihedral(4)
    for rep, gates in (
        (scalar(O3, 5), 0),
        (3 * V, 3),
        (spread(O3, 128), 16),
        (2 * standard(symmetric(4)) + tensor(symmetric(4), 2), 0),
        (pixels(d4, 3) + regular(d4), 0),
        (standard(d4) + regular(d4), 1),
        (2 * standard(cyclic(5)) + scalar(cyclic(5)), 2),
        (standard(PLANE) + tensor(PLANE, 2), 2),
    ):
        assert gated(rep).rep_in.dim - rep.dim == gates
        assert gated(rep).rep_in is (rep + scalar(rep.group, gates) if gates else rep)


def test_points_gate_themselves():
    layer = gated(pixels(dihedral(4), 2))
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(layer.apply({}, jnp.asarray(x)), x / (1 + np.exp(-x)), rtol=1e-14)


# --- equivariance ----------------------------------------------------------------------------------------------------


def test_lorentz_perceptron_in_double_precision():
    v = standard(LORENTZ)
    net = equivariant_mlp(2 * v + v.dual, v + scalar(LORENTZ), spread(LORENTZ, 48), depth=1)
    assert {len(rep.factors) for rep, _ in spread(LORENTZ, 48).summands} == {0, 1, 2}
    assert relative_error(net) < 1e-10


@pytest.mark.parametrize("group", [PLANE, sl(2), polyhedral("octahedral")], ids=str)
def test_perceptrons_of_other_groups(group):
    net = equivariant_mlp(2 * standard(group) + scalar(group), tensor(group, 1, 1), spread(group, 12), depth=1)
    assert relative_error(net) < 1e-10


def test_free_weights_are_not_equivariant(laws):
    """The twin with free weights breaks what the right network keeps."""
    right = equivariant_mlp(3 * V, V, spread(O3, 8), depth=1)
    broken = equivariant_mlp(3 * V, V, spread(O3, 8), depth=1, affine=dense)
    found = [laws.measure_equivariance(net, dtype=np.float32, n=64, climbs=0).eps_units for net in (right, broken)]
    assert found[0] < 50
    assert found[1] > 1e3


def test_a_gate_that_is_not_allowed_is_refused():
    with pytest.raises(ValueError, match="mixes them"):
        equivariant_mlp(V, V, spread(O3, 8), gate=lambda rep: pointwise(rep, jax.nn.relu))
    points = symmetric(4)
    hidden = 3 * standard(points) + scalar(points, 2)
    net = equivariant_mlp(standard(points), standard(points), hidden, 1, gate=lambda rep: pointwise(rep, jax.nn.relu))
    assert relative_error(net) < 1e-13


# --- dtypes, shapes, jax, Flax ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_and_dtypes(name):
    """The output has the dtype of the input whatever that of the parameters; empty and inner axes pass."""
    layer = NETWORKS[name]()
    for own in DTYPES:
        params = jax.eval_shape(lambda own=own: layer.init(jax.random.key(0), own))
        assert all(leaf.dtype == own for leaf in jax.tree.leaves(params))
        for dtype in DTYPES:
            for shape in ((), (0,), (2, 3)):
                y = jax.eval_shape(layer.apply, params, jax.ShapeDtypeStruct((*shape, layer.rep_in.dim), dtype))
                assert (y.shape, y.dtype) == ((*shape, layer.rep_out.dim), dtype)


def test_jit_vmap_grad():
    net = equivariant_mlp(ONE + 2 * V, V, spread(O3, 8), depth=1)
    params, x = drawn(net), np.random.default_rng(0).normal(size=(5, 7))
    loss = lambda p, x: jnp.sum(net.apply(p, x) ** 2)

    @jax.jit
    def build(p, x):
        rows = jax.vmap(net.apply, in_axes=(None, 0))(p, x)
        shifted = lambda t: loss(jax.tree.map(lambda leaf: leaf + t, p), x)
        slope = sum(jnp.sum(leaf) for leaf in jax.tree.leaves(jax.grad(loss)(p, x)))
        return net.apply(p, x), rows, slope, shifted(1e-5), shifted(-1e-5)

    batched, rows, slope, up, down = map(np.asarray, build(params, x))
    np.testing.assert_allclose(rows, batched, atol=1e-13)
    assert float(slope) == pytest.approx((up - down) / 2e-5, rel=1e-6)


def test_every_parameter_matters():
    """No gradient vanishes at drawn parameters if the last map reads every hidden summand."""
    net = equivariant_mlp(ONE + 2 * V, ONE + V + MATRICES, 4 * ONE + 2 * V + MATRICES, depth=1)
    x = np.random.default_rng(0).normal(size=(5, 7))
    slopes = jax.jit(jax.grad(lambda p, x: jnp.sum(net.apply(p, x) ** 2)))(drawn(net), x)
    for leaf in jax.tree.leaves(slopes):
        assert np.isfinite(leaf).all()
        assert np.mean(np.asarray(leaf) != 0) > 0.8


def test_one_key_one_network():
    """The same key draws the same parameters, whatever was drawn before; another key others; many at once."""
    net = perceptron()
    first, again, other = (net.init(jax.random.key(k)) for k in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again)))
    assert not np.array_equal(first[0]["weight"], other[0]["weight"])
    assert not np.isclose(first[0]["weight"][:5], first[3]["weight"][:5]).any()
    assert perceptron.__wrapped__() is net
    many = jax.eval_shape(jax.vmap(net.init), jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 7)))
    assert {leaf.shape[0] for leaf in jax.tree.leaves(many)} == {7}


def test_flax():
    net = equivariant_mlp(2 * V, V, spread(O3, 8), depth=1)
    module, x = as_linen(net), np.random.default_rng(0).normal(size=(4, 6))
    variables = module.init(jax.random.key(0), jnp.asarray(x))
    assert size(variables["params"]["layer"]) == size(net.init(jax.random.key(0)))
    expected = jax.jit(net.apply)(variables["params"]["layer"], x)
    np.testing.assert_array_equal(jax.jit(module.apply)(variables, x), expected)
    from flax import nnx

    held = as_nnx(net, nnx.Rngs(0))
    params = jax.tree.unflatten(held.structure, [leaf[...] for leaf in held.leaves])
    np.testing.assert_allclose(held(jnp.asarray(x)), net.apply(params, jnp.asarray(x)), rtol=1e-13, atol=1e-13)
