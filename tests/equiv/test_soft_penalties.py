"""Penalties against dense projectors and constraints in numpy, by their derivatives, and by what they refuse."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.groups import Homomorphism, embed, from_generators, inclusion, o, polyhedral, so
from equiv.layers import dense, linear, serial
from equiv.reps import intertwiners, restrict, scalar, standard, tensor
from equiv.soft import lie_derivative_penalty, projection_penalty, spectral_penalty, spectrum

DTYPES = [np.float32, np.float64]
O3, O2 = o(3), o(2)
V = standard(O3)
U, W = 2 * V + tensor(O3, 2), scalar(O3) + V + tensor(O3, 2)
LAYER = dense(U, W)
ROTATIONS = inclusion(so(3), O3)


AXES = [embed(O2, 3, kept) for kept in ((1, 2), (0, 2), (0, 1))]
GROUPS = [O3, so(3), *AXES]


@functools.cache
def projector(rep_in, rep_out):
    """From the null space of the constraints, by numpy's singular values alone."""
    c = intertwiners.constraints(rep_in, rep_out)
    _, sigma, v = np.linalg.svd(c, full_matrices=True)
    null = v[np.sum(sigma > 1e-9) :]
    return null.T @ null


def params(dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return {"matrix": rng.normal(size=(W.dim, U.dim)).astype(dtype), "bias": rng.normal(size=W.dim).astype(dtype)}


def into(group):
    return group if isinstance(group, Homomorphism) else inclusion(group, O3)


def distances(given, groups=GROUPS):
    """Half the squared distance of matrix and bias from each group's maps."""
    found = []
    for h in map(into, groups):
        total = 0.0
        for w, slot in ((given["matrix"], (U, W)), (given["bias"][:, None], (scalar(O3), W))):
            p, flat = projector(*(restrict(rep, h) for rep in slot)), np.asarray(w, np.float64).ravel()
            total += np.sum((flat - p @ flat) ** 2) / 2
        found.append(total)
    return np.array(found)


@pytest.fixture(scope="module")
def penalty():
    return projection_penalty(LAYER, GROUPS)


@pytest.mark.parametrize("dtype", DTYPES)
def test_projection_penalty_by_dense_projectors(penalty, dtype):
    found = jax.jit(penalty)(params(dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, distances(params(dtype)), rtol=50 * np.finfo(dtype).eps)


def test_sizes(penalty):
    assert penalty.dim == 13 * 15 + 13
    p = [projector(*(restrict(rep, into(g)) for rep in (U, W))) for g in GROUPS]
    b = [projector(*(restrict(rep, into(g)) for rep in (scalar(O3), W))) for g in GROUPS]
    assert penalty.ranks.tolist() == [208 - round(np.trace(x)) - round(np.trace(y)) for x, y in zip(p, b)]
    assert [round(np.trace(x)) for x in p] == [6, 9, 30, 30, 30]


def test_gradient_is_the_residual(penalty):
    """Reverse and forward mode, and the second derivative, which is the projector ``1 - P``."""
    given, other = params(), params(seed=1)
    only = lambda p: penalty(p)[2]
    slope = jax.jit(jax.grad(only))(given)
    p = projector(*(restrict(rep, into(AXES[0])) for rep in (U, W)))
    flat = given["matrix"].ravel()
    np.testing.assert_allclose(slope["matrix"].ravel(), flat - p @ flat, atol=1e-13)
    _, along = jax.jit(lambda p, dp: jax.jvp(only, (p,), (dp,)))(given, other)
    expected = sum(np.vdot(slope[k], other[k]) for k in given)
    np.testing.assert_allclose(along, expected, rtol=1e-12)
    twice = jax.jit(lambda p, dp: jax.jvp(jax.grad(only), (p,), (dp,))[1])(given, other)
    flat = other["matrix"].ravel()
    np.testing.assert_allclose(twice["matrix"].ravel(), flat - p @ flat, atol=1e-13)


def test_zero_on_equivariant_maps_and_quadratic(penalty):
    given = params()
    basis = intertwiners.basis(U, W)
    fixed = {"matrix": basis.project(jnp.asarray(given["matrix"])), "bias": jnp.zeros(W.dim)}
    once, thrice, none = jax.jit(lambda a, b: (penalty(a), penalty(jax.tree.map(lambda x: 3 * x, a)), penalty(b)))(
        given, fixed
    )
    assert np.max(none) < 1e-28
    np.testing.assert_allclose(thrice, 9 * once, rtol=1e-13)
    assert (np.asarray(once) > 0).all()


def test_small_violations_survive_float32():
    """A difference of squares would return noise of the size of eps |w|^2, a thousand times this violation."""
    w = 100 * np.eye(3)
    w[0, 1] = 1e-3
    p = projector(V, V)
    exact = np.sum((w.ravel() - p @ w.ravel()) ** 2) / 2
    given = {"matrix": w.astype(np.float32), "bias": np.zeros(3, np.float32)}
    found = jax.jit(projection_penalty(dense(V, V), [O3]))(given)[0]
    np.testing.assert_allclose(found, exact, rtol=0.05)
    flat, p = given["matrix"].ravel(), p.astype(np.float32)
    careless = (flat @ flat - (p @ flat) @ (p @ flat)) / 2
    assert abs(careless - exact) > 10 * exact or careless == 0


def test_nested_groups(penalty):
    """``H <= G``: what G allows H allows, so the energy of H is smaller, and the distances add by Pythagoras."""
    full, rotations, *axes = np.asarray(penalty(params()))
    assert rotations < full
    assert max(axes) < full
    w = jnp.asarray(params()["matrix"])
    small, big = (intertwiners.basis(*(restrict(rep, into(g)) for rep in (U, W))) for g in (AXES[1], O3))
    p_h, p_g = small.project(w), big.project(w)
    np.testing.assert_allclose(small.project(p_g), p_g, atol=1e-13)
    np.testing.assert_allclose(jnp.sum((w - p_g) ** 2), jnp.sum((w - p_h) ** 2) + jnp.sum((p_h - p_g) ** 2), rtol=1e-13)
    other = intertwiners.basis(*(restrict(rep, into(AXES[0])) for rep in (U, W))).project(w)
    assert abs(jnp.sum((w - p_h) ** 2) - jnp.sum((w - other) ** 2) - jnp.sum((p_h - other) ** 2)) > 1


def test_the_trivial_group_asks_nothing():
    trivial, plane = from_generators(discrete=[np.eye(2)], name="nothing"), standard(O2)
    layer = dense(2 * plane, plane)
    penalty = projection_penalty(layer, [trivial, so(2), O2])
    found = np.asarray(penalty(layer.init(jax.random.key(0))))
    assert found[0] < 1e-30
    assert (np.diff(found) > 0).all()
    assert penalty.ranks.tolist() == [0, 8 - 4 + 2, 8 - 2 + 2]


def test_biases_can_be_left_out():
    whole = projection_penalty(LAYER, [O3])
    matrices = projection_penalty(LAYER, [O3], select=lambda w: w.rep_in.dim > 1)
    given = params()
    assert matrices.dim == 195
    assert matrices(given) < whole(given)
    np.testing.assert_allclose(matrices(given | {"bias": np.full(13, 7.0)}), matrices(given))


@pytest.mark.parametrize("dtype", DTYPES)
def test_lie_derivative_penalty_by_dense_constraints(dtype):
    found = jax.jit(lie_derivative_penalty(LAYER, GROUPS))(params(dtype))
    assert found.dtype == dtype
    expected = []
    for h in map(into, GROUPS):
        w, b = (
            intertwiners.constraints(*(restrict(rep, h) for rep in slot)) @ x.ravel()
            for x, slot in ((params(dtype)["matrix"], (U, W)), (params(dtype)["bias"], (scalar(O3), W)))
        )
        expected.append((w @ w + b @ b) / 2)
    np.testing.assert_allclose(found, expected, rtol=50 * np.finfo(dtype).eps)


def test_lie_energies_lie_between_the_casimir_eigenvalues():
    given = params()
    distance, energy = projection_penalty(LAYER, [ROTATIONS])(given), lie_derivative_penalty(LAYER, [ROTATIONS])(given)
    assert 2 * distance < energy < 20 * distance
    extreme = spectrum(*(restrict(rep, ROTATIONS) for rep in (tensor(O3, 2), tensor(O3, 2))))[0] ** 2
    np.testing.assert_allclose(np.unique(extreme.round(8)), [0, 2, 6, 12, 20], atol=1e-8)


def test_spectral_family():
    """Its two members are the two penalties; a third one is neither."""
    given = params()
    family = {
        "projection": lambda s: s > 0,
        "lie": lambda s: s**2,
        "other": lambda s: s,
    }
    found = {name: np.asarray(spectral_penalty(LAYER, GROUPS[:3], phi)(given)) for name, phi in family.items()}
    np.testing.assert_allclose(found["projection"], projection_penalty(LAYER, GROUPS[:3])(given), rtol=1e-11)
    np.testing.assert_allclose(found["lie"], lie_derivative_penalty(LAYER, GROUPS[:3])(given), rtol=1e-11)
    assert (np.abs(found["other"] - found["lie"]) > 0.1 * found["lie"]).all()


def test_gradient_flow_goes_to_the_projection_exponentially():
    """``dw/dt = -lambda grad R`` is solved by ``Pw + e^(-lambda t) (1 - P) w``: Runge-Kutta steps find the same."""
    strength, step, n = 3.0, 0.01, 100
    penalty = projection_penalty(LAYER, [O3])
    slope = jax.grad(lambda p: -strength * penalty(p)[0])

    @jax.jit
    def flow(p):
        def one(p, _):
            move = lambda k, h: jax.tree.map(lambda a, b: a + h * b, p, k)
            k1 = slope(p)
            k2 = slope(move(k1, step / 2))
            k3 = slope(move(k2, step / 2))
            k4 = slope(move(k3, step))
            return jax.tree.map(
                lambda a, *k: a + step / 6 * (k[0] + 2 * k[1] + 2 * k[2] + k[3]), p, k1, k2, k3, k4
            ), None

        return jax.lax.scan(one, p, None, length=n)[0]

    given = params()
    w, p = given["matrix"].ravel(), projector(U, W)
    expected = p @ w + np.exp(-strength * step * n) * (w - p @ w)
    np.testing.assert_allclose(flow(given)["matrix"].ravel(), expected, atol=1e-7)


def test_strong_penalties_give_the_equivariant_fit():
    """Ridge regression with ``lambda |(1 - P) w|^2`` tends to the equivariant least squares fit as 1 / lambda."""
    draw = np.random.default_rng(0)
    rep_in, rep_out = 2 * V, V
    p = projector(rep_in, rep_out)
    x, y = draw.normal(size=(40, 6)), draw.normal(size=(40, 3))
    design = np.einsum("ni,ab->naib", x, np.eye(3)).transpose(0, 1, 3, 2).reshape(120, 18)  # row by row vec of W
    q = np.linalg.eigh(p)[1][:, -2:]
    limit = q @ np.linalg.lstsq(design @ q, y.ravel(), rcond=None)[0]
    gaps = []
    for strength in (1e3, 1e4, 1e5):
        w = np.linalg.solve(design.T @ design + strength * (np.eye(18) - p), design.T @ y.ravel())
        gaps.append(strength * np.linalg.norm(w - limit))
    assert np.ptp(gaps) < 0.1 * gaps[0]
    assert gaps[-1] > 1


def test_mean_squared_layer_error_is_four_energies():
    """Over the octahedral group and standard normal x it is exact; over only some of its elements it is not."""
    group = polyhedral("octahedral")
    v = standard(group)
    layer = dense(v + v * v, v)
    given = layer.init(jax.random.key(0))
    penalty = projection_penalty(layer, [group], select=lambda w: w.rep_in.dim > 1)
    rho_in, rho_out = (np.asarray(rep.matrix(group.elements())) for rep in (layer.rep_in, layer.rep_out))
    w = np.asarray(given["matrix"])
    errors = np.sum((rho_out @ w - w @ rho_in) ** 2, axis=(1, 2))
    np.testing.assert_allclose(errors.mean(), 4 * penalty(given)[0], rtol=1e-12)
    assert abs(errors[:10].mean() / (4 * penalty(given)[0]) - 1) > 0.01


CASES = {
    "no group": (lambda: projection_penalty(LAYER, []), ["one or more subgroups of O(3)", "got none"]),
    "no weights": (lambda: projection_penalty(linear(U, W), [O3]), ["free weights", "dense or residual_pathway"]),
    "none selected": (lambda: projection_penalty(LAYER, [O3], select=lambda w: False), ["select", "2 weights", "none"]),
    "no subgroup": (lambda: projection_penalty(dense(standard(so(2)), standard(so(2))), [O3]), ["O(3)", "SO(2)"]),
    "wrong target": (lambda: projection_penalty(LAYER, [inclusion(so(2), O2)]), ["subgroups of O(3)", "ends in O(2)"]),
    "wrong target of Lie": (lambda: lie_derivative_penalty(LAYER, [inclusion(so(2), O2)]), ["ends in O(2)"]),
    "NaN": (
        lambda: projection_penalty(LAYER, [O3])(params() | {"bias": np.full(13, np.nan)}),
        ["scalar -> ", "NaN", "finite"],
    ),
    "a large pair": (lambda: spectrum(tensor(O3, 4), tensor(O3, 4)), ["6561 entries", "2500"]),
}


@pytest.mark.parametrize("name", CASES)
def test_refusals(name):
    call, words = CASES[name]
    with pytest.raises(ValueError, match=re.escape(words[0])) as caught:
        call()
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_nan_inside_jit_is_a_nan():
    penalty = projection_penalty(LAYER, [O3])
    assert np.isnan(jax.jit(penalty)(params() | {"bias": np.full(13, np.nan)})).all()


def test_networks_collect_their_weights():
    net = serial(dense(V, 2 * V), linear(2 * V, V), dense(V, V))
    penalty = projection_penalty(net, [O3])
    assert penalty.dim == 18 + 6 + 9 + 3
    given = net.init(jax.random.key(0))
    parts = [
        projection_penalty(net_part, [O3])(p) for net_part, p in ((dense(V, 2 * V), given[0]), (dense(V, V), given[2]))
    ]
    np.testing.assert_allclose(penalty(given), sum(parts), rtol=1e-13)
