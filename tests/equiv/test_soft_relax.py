"""Relaxed layers: their equivariant limits, closed forms, initial sizes, nesting, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv import laws, layers, soft
from equiv.groups import cyclic, dihedral, embed, inclusion, o, so
from equiv.layers import affine, dense, equivariant_mlp, linear, serial
from equiv.reps import intertwiners, regular, restrict, scalar, standard, tensor
from equiv.soft import (
    errors,
    graded_linear,
    graded_projector,
    projection_penalty,
    relaxation_penalty,
    relaxed_convolution,
    residual_pathway,
    residual_prior,
    strict,
    subequivariant,
    superpose,
    switched,
    switches,
)

DTYPES = [np.float32, np.float64]
O3, D3 = o(3), dihedral(3)
V, R = standard(O3), regular(D3)
U, W = 2 * V + tensor(O3, 2), scalar(O3) + V + tensor(O3, 2)
INTO = inclusion(o(2), O3)

LAYERS = {
    "superpose": lambda: superpose(linear(V, 2 * V), dense(V, 2 * V)),
    "mixed": lambda: superpose(affine(U, W), subequivariant(U, W, INTO)),
    "subequivariant": lambda: subequivariant(U, W, INTO),
    "subequivariant, group": lambda: subequivariant(V, V, inclusion(O3, O3)),
    "residual": lambda: residual_pathway(linear(U, W)),
    "graded": lambda: graded_linear(U, W, 0.5),
    "relaxed": lambda: relaxed_convolution(2 * R, 3 * R, 2),
    "switched": lambda: switched(linear(U, W)),
}


def drawn(layer, dtype=np.float64, seed=0):
    """Initial parameters, moved so that nothing is zero."""
    rng = np.random.default_rng(seed)
    params = jax.jit(lambda key: layer.init(key, dtype))(jax.random.key(seed))
    return jax.tree.map(lambda leaf: leaf + 0.3 * rng.normal(size=leaf.shape).astype(leaf.dtype), params)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_weights_are_what_is_applied(name, dtype):
    """The weights and what is left of the layer without them add up: for those that are free as a whole it is all."""
    layer = LAYERS[name]()
    params = drawn(layer, dtype)
    x = np.random.default_rng(1).normal(size=(4, layer.rep_in.dim)).astype(dtype)
    y, weights = jax.jit(lambda p, x: (layer.apply(p, x), [w.matrix for w in layer.weights(p)]))(params, x)
    assert y.dtype == dtype
    assert all(w.dtype == dtype for w in weights)
    total = sum(x @ w.T if w.shape[1] > 1 else w[:, 0] for w in map(np.asarray, weights))
    if name in ("superpose", "mixed", "residual", "switched"):
        own = {"superpose": linear(V, 2 * V), "mixed": affine(U, W)}.get(name, linear(U, W))
        total = total + own.apply(
            params[0] if name in ("superpose", "mixed") else params["equivariant"], jnp.asarray(x)
        )
    np.testing.assert_allclose(
        y, np.broadcast_to(total, y.shape), rtol=1e-4 if dtype == np.float32 else 1e-11, atol=1e-5
    )


@pytest.mark.parametrize("name", LAYERS)
def test_shapes_and_dtypes(name):
    layer = LAYERS[name]()
    for own in DTYPES:
        params = jax.eval_shape(lambda own=own: layer.init(jax.random.key(0), own))
        assert all(leaf.dtype == own for leaf in jax.tree.leaves(params))
        for dtype in DTYPES:
            for shape in ((), (0,), (2, 3)):
                y = jax.eval_shape(layer.apply, params, jax.ShapeDtypeStruct((*shape, layer.rep_in.dim), dtype))
                assert (y.shape, y.dtype) == ((*shape, layer.rep_out.dim), dtype)


@pytest.mark.parametrize("name", ["mixed", "residual", "graded", "relaxed", "switched"])
def test_the_penalty_sees_what_is_not_equivariant(name):
    layer = LAYERS[name]()
    found = projection_penalty(layer, [layer.rep_in.group])(drawn(layer))
    assert found[0] > 0.1


def test_builders_return_one_record():
    assert residual_pathway(linear(V, V)) is residual_pathway(linear(V, V))
    assert superpose(linear(V, V), dense(V, V)) is superpose(linear(V, V), dense(V, V))
    assert graded_linear(V, V, 0.5) is not graded_linear(V, V, 0.6)


# --- subgroups --------------------------------------------------------------------------------------------


def test_subequivariant_is_equivariant_under_the_subgroup_only():
    layer = subequivariant(U, W, INTO)
    params = drawn(layer)
    small_in, small_out = (restrict(rep, INTO) for rep in (U, W))
    apply = lambda x: layer.apply(params, x)
    laws.assert_equivariance(apply, small_in, small_out, key=jax.random.key(0), n=64, climbs=0)
    assert laws.measure_equivariance(apply, U, W, key=jax.random.key(0), n=64, climbs=0).eps_units > 1e12
    shapes = jax.tree.map(jnp.shape, params)
    count = lambda a, b: intertwiners.basis(restrict(a, INTO), restrict(b, INTO)).dim
    assert shapes == {"weight": (count(U, W),), "bias": (count(scalar(O3), W),)}
    penalty = projection_penalty(layer, [INTO, O3])(params)
    assert penalty[0] < 1e-25 < penalty[1]


# --- residual pathways ------------------------------------------------------------------------------------


def test_residual_pathway_starts_near_equivariance():
    layer = residual_pathway(affine(U, W))
    params = jax.jit(layer.init)(jax.random.key(0))
    size = np.linalg.norm(params["free"]["matrix"]) / np.linalg.norm(params["equivariant"]["weight"])
    assert size == pytest.approx(1e-3)
    assert np.abs(params["free"]["bias"]).max() > 0


@pytest.fixture(scope="module")
def regression():
    """Both sides of the equality of residual pathway and projection penalty: minimised by linear algebra in numpy."""
    rng = np.random.default_rng(0)
    rep_in, rep_out = V + scalar(O3), 2 * V
    x, y = rng.normal(size=(30, rep_in.dim)), rng.normal(size=(30, rep_out.dim))
    basis = np.asarray(intertwiners.basis(rep_in, rep_out).matrix())
    design = np.einsum("ni,ab->naib", x, np.eye(rep_out.dim)).transpose(0, 1, 3, 2).reshape(30 * rep_out.dim, -1)
    return rep_in, rep_out, basis, design, y.ravel()


def pathway_fit(regression, sigma_a, sigma_b, precision=None):
    """``min |y - X (Q'a + b)|^2 / 2 + |a|^2 / 2 sigma_a^2 + |b|^2 / 2 sigma_b^2``, returned as ``Q'a + b``."""
    _, _, basis, design, y = regression
    both = np.concatenate([design @ basis.T, design], axis=1)
    free = np.full(design.shape[1], 1 / sigma_b**2) if precision is None else precision
    prior = np.concatenate([np.full(len(basis), 1 / sigma_a**2), free])
    found = np.linalg.solve(both.T @ both + np.diag(prior), both.T @ y)
    return basis.T @ found[: len(basis)] + found[len(basis) :]


def test_residual_pathway_is_projection_penalty_plus_ridge(regression):
    _, _, basis, design, y = regression
    sigma_a, sigma_b = 2.0, 0.3
    ridge = 1 / (sigma_a**2 + sigma_b**2)
    p, n = basis.T @ basis, design.shape[1]
    penalised = np.linalg.solve(
        design.T @ design + ridge * np.eye(n) + (1 / sigma_b**2 - ridge) * (np.eye(n) - p), design.T @ y
    )
    np.testing.assert_allclose(pathway_fit(regression, sigma_a, sigma_b), penalised, atol=1e-10)
    uneven = np.linspace(1, 20, n)
    assert np.abs(pathway_fit(regression, sigma_a, sigma_b, uneven) - penalised).max() > 1e-3


def test_residual_prior_is_the_energy_that_is_minimised(regression):
    """At the closed form the gradient of loss plus ``residual_prior`` in the layer's own parameters is zero."""
    rep_in, rep_out, basis, design, y = regression
    sigma_a, sigma_b = 2.0, 0.3
    layer = residual_pathway(linear(rep_in, rep_out))
    prior = residual_prior(layer, sigma_a, sigma_b)
    w = pathway_fit(regression, sigma_a, sigma_b)
    force = design.T @ (y - design @ w)  # of the loss, on w
    params = {
        "equivariant": {"weight": jnp.asarray(sigma_a**2 * basis @ force)},
        "free": {
            "matrix": jnp.asarray((sigma_b**2 * force).reshape(rep_out.dim, rep_in.dim)),
            "bias": jnp.zeros(rep_out.dim),
        },
    }
    matrix = layer.apply(params, jnp.eye(rep_in.dim)).T
    np.testing.assert_allclose(np.asarray(matrix).ravel(), w, atol=1e-12)
    x = design.reshape(30, rep_out.dim, rep_out.dim, rep_in.dim)[:, 0, 0]
    loss = lambda p: jnp.sum((layer.apply(p, jnp.asarray(x)) - y.reshape(30, -1)) ** 2) / 2 + prior(p)
    slope = jax.jit(jax.grad(loss))(params)
    assert np.abs(slope["equivariant"]["weight"]).max() < 1e-10
    assert np.abs(slope["free"]["matrix"]).max() < 1e-10


def test_prior_of_a_network_by_hand():
    net = serial(residual_pathway(linear(V, V)), residual_pathway(serial(linear(V, 2 * V), linear(2 * V, 2 * V))))
    params = jax.tree.map(jnp.ones_like, net.init(jax.random.key(0)))
    equivariant, free = 1 + 2 + 4, 9 + 3 + 18 + 6
    assert float(residual_prior(net, 2.0, 0.5)(params)) == pytest.approx(equivariant / 8 + free * 2)


# --- graded projectors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("softness", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_graded_projector_by_singular_values(softness):
    """The constraints of the whole direct sum, diagonalised at once by numpy, span the same."""
    graded = graded_projector(U, W, softness)
    c = intertwiners.constraints(U, W)
    _, sigma, v = np.linalg.svd(c)
    kept = v[sigma <= softness * sigma[0] * (1 + 1e-9) + 1e-9]
    m = np.asarray(jax.jit(graded.matrix)())
    assert graded.dim == len(m) == len(kept)
    np.testing.assert_allclose(m.T @ m, kept.T @ kept, atol=1e-10)
    np.testing.assert_allclose(m @ m.T, np.eye(len(m)), atol=1e-12)
    assert graded.bound == pytest.approx(softness * sigma[0])
    worst = np.linalg.norm(c @ m.T, ord=2)
    assert worst <= graded.bound * (1 + 1e-9) + 1e-12
    if 0 < softness < 1:
        assert np.linalg.norm(c @ (v[np.sum(sigma > graded.bound * (1 + 1e-9)) - 1])) > graded.bound


def test_graded_projectors_are_nested():
    sizes = [graded_projector(U, W, softness) for softness in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    w = jnp.asarray(np.random.default_rng(0).normal(size=(W.dim, U.dim)))
    found = jax.jit(lambda w: [g.project(w) for g in sizes])(w)
    back = jax.jit(lambda parts: [g.project(p) for g, p in zip(sizes, parts[1:])])(found)
    assert sizes[0].dim == intertwiners.basis(U, W).dim < sizes[2].dim < sizes[-1].dim == W.dim * U.dim
    for small, again in zip(found, back):
        np.testing.assert_allclose(again, small, atol=1e-12)
    np.testing.assert_allclose(found[0], intertwiners.basis(U, W).project(w), atol=1e-12)
    np.testing.assert_allclose(found[-1], w, atol=1e-12)


def test_graded_linear_keeps_unit_variance():
    layer, n = graded_linear(U, W, 0.5), 2000
    x = np.random.default_rng(3).normal(size=(n, U.dim))
    y = np.asarray(
        jax.jit(jax.vmap(lambda k, x: layer.apply(layer.init(k), x)))(jax.random.split(jax.random.key(2), n), x)
    )
    for rows in (slice(0, 1), slice(1, 4), slice(4, 13)):
        energy = np.sum(y[:, rows] ** 2, axis=1)
        assert abs(energy.mean() - (rows.stop - rows.start)) < 5 * energy.std(ddof=1) / n**0.5


def test_graded_linear_scales_to_wide_layers():
    """Pairs of summands are solved once for all copies."""
    wide = 60 * scalar(O3) + 30 * V + 8 * tensor(O3, 2)
    layer = graded_linear(wide, wide, 0.4)
    assert layer.rep_in.dim == 222
    y = jax.eval_shape(layer.apply, jax.eval_shape(lambda: layer.init(jax.random.key(0))), jnp.zeros((2, 222)))
    assert y.shape == (2, 222)


# --- relaxed convolutions ---------------------------------------------------------------------------------


def test_relaxed_convolution_by_its_sum():
    layer, elements = relaxed_convolution(2 * R, R, 3), np.arange(6)
    params = drawn(layer)
    index = lambda a, b: int(D3.compose(D3.inverse(jnp.array(a)), jnp.array(b)))
    expected = np.zeros((6, 12))
    for g in elements:
        for h in elements:
            for i in range(2):
                filters, mix = np.asarray(params["filters"]), np.asarray(params["relaxation"])
                expected[g, 6 * i + h] = mix[:, g] @ filters[:, 0, i, index(g, h)]
    np.testing.assert_allclose(layer.weights(params)[0].matrix, expected, atol=1e-13)


def test_equal_mixing_is_a_group_convolution():
    """Equivariant at first and wherever the mixing does not depend on g; any equivariant map can be reached."""
    layer = relaxed_convolution(2 * R, 3 * R, 2)
    fresh = jax.jit(layer.init)(jax.random.key(0))
    penalty = projection_penalty(layer, [D3])
    constant = fresh | {"relaxation": np.array([[0.3], [-1.2]]) * np.ones((2, 6))}
    uneven = fresh | {"relaxation": fresh["relaxation"] + 0.1 * np.eye(2, 6)}
    found = [float(penalty(p)[0]) for p in (fresh, constant, uneven)]
    assert max(found[:2]) < 1e-25
    assert found[2] > 1e-3
    assert penalty.dim - penalty.ranks[0] == 2 * 3 * 6 == fresh["filters"][0].size
    relaxation = relaxation_penalty(D3)
    assert float(relaxation(constant)) < 1e-15
    assert float(relaxation(({}, uneven))) > 1e-3


def test_relaxed_convolution_starts_with_unit_variance():
    layer, n = relaxed_convolution(3 * R, R, 4), 2000
    x = np.random.default_rng(3).normal(size=(n, 18))
    y = np.asarray(
        jax.jit(jax.vmap(lambda k, x: layer.apply(layer.init(k), x)))(jax.random.split(jax.random.key(2), n), x)
    )
    energy = np.sum(y**2, axis=1)
    assert abs(energy.mean() - 6) < 5 * energy.std(ddof=1) / n**0.5


def test_relaxation_penalty_by_hand():
    penalty = relaxation_penalty(cyclic(4))
    w = jnp.array([[0.0, 1.0, 3.0, 3.0], [1.0, 1.0, 1.0, 1.0]])
    assert float(penalty(({"relaxation": w}, {}))) == pytest.approx((1 + 2 + 0 + 3) / 8)
    slope = jax.grad(lambda w: penalty({"relaxation": w}))(jnp.ones((2, 4)))
    np.testing.assert_array_equal(slope, np.zeros((2, 4)))


# --- switched paths ---------------------------------------------------------------------------------------


def test_strict_is_the_equivariant_layer():
    net = serial(switched(linear(V, 2 * V)), switched(linear(2 * V, V)))
    params = drawn(net)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)))
    own = serial(linear(V, 2 * V), linear(2 * V, V)).apply([p["equivariant"] for p in params], x)
    np.testing.assert_allclose(net.apply(strict(params), x), own, atol=1e-14)
    assert np.abs(net.apply(params, x) - own).max() > 0.1
    assert switches(net.init(jax.random.key(0))).tolist() == [1, 1]
    assert switches(strict(params)).tolist() == [0, 0]
    penalty = projection_penalty(net, [O3])
    assert float(penalty(strict(params))[0]) == 0 < float(penalty(params)[0])


# --- networks ---------------------------------------------------------------------------------------------

METHODS = {
    "penalty": dense,
    "residual": lambda v, w: residual_pathway(affine(v, w)),
    "mixed": lambda v, w: superpose(affine(v, w), subequivariant(v, w, INTO)),
    "graded": lambda v, w: graded_linear(v, w, 0.5),
    "switched": lambda v, w: switched(affine(v, w)),
}


@pytest.mark.parametrize("name", METHODS)
def test_networks_are_trained_towards_equivariance(name):
    """A soft method is a builder of affine maps and a penalty: a few steps of it lower the equivariance error."""
    net = equivariant_mlp(2 * V, V, 4 * scalar(O3) + 2 * V, depth=1, affine=METHODS[name])
    penalty = projection_penalty(net, [O3, o2_about_x()])
    params = drawn(net, seed=3)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(8, 6)))
    g = jax.jit(lambda key: O3.sample(key, (6,)))(jax.random.key(1))

    @jax.jit
    def train(params):
        energy = lambda p: jnp.sum(penalty(p))
        error = lambda p: errors.relative(lambda v: net.apply(p, v), net.rep_in, V, x, g)
        step = lambda p, _: (jax.tree.map(lambda a, b: a - 0.03 * b, p, jax.grad(energy)(p)), None)
        after, _ = jax.lax.scan(step, params, None, length=300)
        return energy(params), energy(after), error(params), error(after)

    before, after, worse, better = map(float, train(params))
    assert after < 0.05 * before
    assert better < 0.5 * worse


def o2_about_x():
    return embed(o(2), 3, (1, 2))


CASES = {
    "superpose()": (lambda: superpose(), ["one or more layers", "got none"]),
    "superpose of two": (lambda: superpose(linear(V, V), linear(V, 2 * V)), ["same two", "standard(O(3)) -> 2 *"]),
    "superpose of one's parameters": (
        lambda: superpose(dense(V, V), dense(V, V)).apply((1,), jnp.zeros(3)),
        ["tuple with the parameters of its 2 layers", "(1,)"],
    ),
    "subequivariant": (lambda: subequivariant(V, V, inclusion(so(2), o(2))), ["O(2)", "O(3)"]),
    "softness": (lambda: graded_linear(V, V, 1.5), ["between 0 (equivariant) and 1 (free)", "1.5"]),
    "softness NaN": (lambda: graded_projector(V, V, float("nan")), ["softness", "nan"]),
    "graded two groups": (lambda: graded_projector(V, standard(so(3)), 0.5), ["one group", "O(3)", "SO(3)"]),
    "graded coefficients": (lambda: graded_projector(V, V, 0.0).combine(jnp.zeros(3)), ["1 graded maps", "(3,)"]),
    "graded matrix": (lambda: graded_projector(V, V, 0.0).project(jnp.zeros((2, 3))), ["(3, 3)", "(2, 3)"]),
    "no regular one": (
        lambda: relaxed_convolution(standard(D3), R),
        ["copies of the regular", "standard(O(2))"],
    ),
    "infinite": (lambda: relaxed_convolution(V, V), ["regular representation of a finite group", "O(3)"]),
    "relaxed two groups": (lambda: relaxed_convolution(R, regular(cyclic(6))), ["one group", "dihedral(3)"]),
    "no bank": (lambda: relaxed_convolution(R, R, 0), ["number of filter banks", "got 0"]),
    "nothing relaxed": (lambda: relaxation_penalty(D3)({}), ["relaxed_convolution inside"]),
    "nothing switched": (lambda: strict({"weight": jnp.ones(2)}), ["switched layer inside"]),
    "no pathway": (lambda: residual_prior(linear(V, V), 1.0, 1.0), ["residual_pathway inside", "linear("]),
    "zero deviation": (lambda: residual_prior(residual_pathway(linear(V, V)), 1.0, 0.0), ["above zero", "got 0.0"]),
    "other parameters": (
        lambda: residual_pathway(linear(V, V)).apply({"weight": 1.0}, jnp.zeros(3)),
        ["parameters named equivariant", "got weight"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_refusals(name):
    call, words = CASES[name]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert not [word for word in words if word not in message], message


def test_gates_leak_by_their_weights_alone():
    """Without leaks they are the gates; with them the error is that of the leaked part, coordinate by coordinate."""
    v = standard(o(3))
    rep = scalar(o(3), 2) + 2 * v
    layer, gates = soft.leaky_gated(rep), layers.gated(rep)
    x = jax.random.normal(jax.random.key(0), (5, layer.rep_in.dim))
    closed = jax.tree.map(jnp.zeros_like, layer.init(jax.random.key(0)))
    np.testing.assert_array_equal(layer.apply(closed, x), gates.apply({}, x))
    leak = jnp.arange(8.0)
    got = layer.apply({"leak": leak}, x) - gates.apply({}, x)
    np.testing.assert_allclose(got, leak[None] * x[:, :8] / (1 + jnp.exp(-x[:, :8])), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(soft.leak_decay(({"leak": leak}, {}, {"leak": leak})), 280.0)
    report = laws.measure_equivariance(layer, key=jax.random.key(1))
    assert report.eps_units > 1e6
    net = layers.equivariant_mlp(v, v, rep, 1, affine=layers.dense, gate=soft.leaky_gated)
    assert soft.leak_decay(net.init(jax.random.key(0))) == pytest.approx(8e-6)
    with pytest.raises(ValueError, match="needs parameters with a leaky_gated layer"):
        soft.leak_decay({"weight": x})
