"""Motions of space against matrices of one size more, and their Haar measures against finite-difference Jacobians."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg

from equiv.groups import (
    affine,
    e,
    from_generators,
    gl_plus,
    linear_part,
    modular,
    polyhedral,
    product,
    scaling,
    se,
    sl,
    so,
    sp,
    union,
)
from equiv.laws import measure_group_axioms
from equiv.layers import linear
from equiv.reps import restrict, standard

DTYPES = [np.float32, np.float64]
GROUPS = {"SE(2)": se(2), "SE(3)": se(3), "SE(4)": se(4), "E(2)": e(2), "affine GL+(2)": affine(2, gl_plus(2))}


def homogeneous(g):
    """``(x, h)`` as the matrix ``[[h, x], [0, 1]]``."""
    x, h = (np.asarray(part, np.float64) for part in g)
    top = np.concatenate([h, x[..., None]], axis=-1)
    bottom = np.broadcast_to(np.eye(h.shape[-1] + 1)[-1:], (*h.shape[:-2], 1, h.shape[-1] + 1))
    return np.concatenate([top, bottom], axis=-2)


def algebra(group, x):
    """The matrix of the algebra vector, of one size more."""
    n = group.shape[0][0]
    matrix = np.zeros((n + 1, n + 1))
    matrix[:n, n] = x[:n]
    matrix[:n, :n] = np.einsum("k,kij->ij", x[n:], group.spec[2].lie())
    return matrix


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", GROUPS)
def test_exp_and_log(name, dtype):
    """Against mpmath's exponential, from tiny vectors to nearly half turns."""
    group = GROUPS[name]
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, group.dim))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    x = (np.array([0, 1e-8, 1e-3, 0.5, 1, 1.5])[:, None] * x).astype(dtype)
    if name.startswith(("SE", "E")):
        x[-1, group.shape[0][0] :] *= dtype(
            3.1 / np.linalg.norm(x[-1, group.shape[0][0] :]) / (2**0.5 if "4" in name else 1)
        )
    g, log = jax.jit(lambda x: (group.exp(x), group.log(group.exp(x))))(x)
    assert [part.dtype for part in (*g, log)] == [dtype] * 3
    eps = np.finfo(dtype).eps
    for k, row in enumerate(x.astype(np.float64)):
        expected = np.array(mpmath.expm(mpmath.matrix(algebra(group, row).tolist())).tolist(), float)
        assert np.abs(homogeneous(g)[k] - expected).max() <= 10 * eps * max(1, np.abs(expected).max()), k
        size = max(np.abs(row).max(), 1e-8 if group.spec[2].compact else 1)  # what is next to 1 is rounded with it
        assert np.abs(np.asarray(log[k], np.float64) - row).max() <= 30 * eps * size, k


@pytest.mark.parametrize("name", GROUPS)
def test_composition_is_that_of_matrices(name):
    group = GROUPS[name]

    @jax.jit
    def build(key):
        one, two = jax.random.split(key)
        g, h = group.sample(one, (4, 1)), group.sample(two, (5,))
        return g, h, group.compose(g, h), group.inverse(g), group.distance(g, h)

    g, h, gh, inverse, distance = build(jax.random.key(0))
    a, b = homogeneous(g), homogeneous(h)
    np.testing.assert_allclose(homogeneous(gh), a @ b, atol=1e-13)
    np.testing.assert_allclose(homogeneous(inverse), np.linalg.inv(a), atol=1e-12)
    np.testing.assert_allclose(distance, np.linalg.norm(a - b, axis=(-2, -1)), atol=1e-13)
    assert group.batch_shape(gh) == distance.shape == (4, 5)


@pytest.mark.parametrize("name", ["SE(3)", "affine GL+(2)"])
def test_derivatives_at_the_identity(name):
    """``log exp`` is the identity, to second order, for closed forms and for the general exponential."""
    group = GROUPS[name]
    v = np.random.default_rng(1).normal(size=group.dim)
    first = lambda t, v: jax.jvp(lambda t: group.log(group.exp(t * v)), (t,), (1.0,))[1]
    slope, curvature = jax.jit(lambda t, v: jax.jvp(lambda t: first(t, v), (t,), (1.0,)))(0.0, v)
    np.testing.assert_allclose(slope, v, atol=1e-13)
    np.testing.assert_allclose(curvature, 0, atol=1e-12)


def test_mirrors_have_no_logarithm_and_are_drawn():
    g = jax.jit(lambda key: e(2).sample(key, (64,)))(jax.random.key(0))
    sign = np.sign(np.linalg.det(g[1]))
    assert set(sign.tolist()) == {1.0, -1.0}
    assert (np.isnan(jax.jit(e(2).log)(g)).any(axis=1) == (sign < 0)).all()
    x, h = e(2).generators()
    assert (x.tolist(), h.tolist()) == ([[0, 0]], [[[1, 0], [0, -1]]])


def test_translations_with_finitely_many_matrices():
    """Of the line with its mirror, and of space with the rotations of a cube: only translations have a logarithm."""
    for group in (e(1), affine(3, polyhedral("octahedral"))):
        n = group.shape[0][0]
        assert (group.dim, group.order) == (n, None)
        x = jnp.arange(1.0, n + 1)
        np.testing.assert_array_equal(group.exp(x)[0], x)
        np.testing.assert_array_equal(group.log(group.exp(x)), x)
        turned = x, group.generators()[1][0]
        assert np.isnan(group.log(turned)).all()
        assert measure_group_axioms(group, key=jax.random.key(0), n=64).eps_units < 20


def test_one_group_has_one_record():
    assert se(3) is affine(3, so(3))
    assert str(se(3)) == "SE(3)"
    assert str(affine(2, sl(2))) == "affine(2, SL(2))"
    assert affine(3, scaling(3)) is not se(3)


# --- Haar measures -------------------------------------------------------------------------------------------------


def volume_factor(move, g):
    """``|d move / d (x, h)|`` at g in the coordinates of the translation and of the entries of the matrix."""
    flat = lambda v: jnp.concatenate([part.ravel() for part in move((v[:2], v[2:].reshape(2, 2)))])
    start = np.concatenate([np.ravel(part) for part in g])
    step = 1e-3 * np.eye(6)
    at = lambda k: np.array([flat(jnp.asarray(start + k * s)) for s in step])
    slopes = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / 12e-3
    return abs(np.linalg.det(slopes))


def test_haar_measures_of_the_affine_group():
    """``dx dh / det(h)^2`` on the right and one more ``1 / det h`` on the left; with the two exchanged it fails."""
    group = affine(2, gl_plus(2))
    g, m = (group.sample(jax.random.key(k)) for k in (1, 2))
    det = lambda g: abs(np.linalg.det(np.asarray(g[1])))
    right = lambda g: det(g) ** -2.0
    left = lambda g: right(g) / det(g)

    def change(density, move):
        """By what the measure of a small set around g is multiplied when it is moved."""
        return volume_factor(move, g) * density(move(g)) / density(g)

    from_left, from_right = lambda g: group.compose(m, g), lambda g: group.compose(g, m)
    assert change(left, from_left) == pytest.approx(1, abs=1e-9)
    assert change(right, from_right) == pytest.approx(1, abs=1e-9)
    assert change(left, from_right) == pytest.approx(float(modular(group, m)), rel=1e-9)
    assert float(modular(group, m)) == pytest.approx(1 / det(m), rel=1e-12)
    assert abs(change(right, from_left) - 1) > 0.1
    inverted = volume_factor(group.inverse, g) * left(group.inverse(g)) / right(g)  # mu_L(E^-1) = mu_R(E)
    assert inverted == pytest.approx(1, abs=1e-9)


def test_modular_functions():
    """1 where a group is unimodular; from the adjoint action where only matrices are known; a homomorphism."""
    keys = iter(jax.random.split(jax.random.key(3), 20))
    for group in (so(3), sl(2), gl_plus(2), sp(2), se(2), e(3), affine(2, sl(2)), union(so(2), scaling(2))):
        np.testing.assert_allclose(
            modular(group, group.sample(next(keys), (3,))), np.ones(3), rtol=1e-12, err_msg=str(group)
        )
    line = from_generators(lie=[[[1.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]], name="affine maps of the line")
    a = jnp.array([[2.0, 3.0], [0.0, 1.0]])
    assert float(modular(line, a)) == pytest.approx(0.5, rel=1e-12)
    assert float(modular(affine(1, scaling(1)), (a[:1, 1], a[:1, :1]))) == pytest.approx(0.5, rel=1e-12)
    both = product(line, affine(2, gl_plus(2)))
    g, h = both.sample(next(keys), (4,)), both.sample(next(keys), (4,))
    np.testing.assert_allclose(modular(both, both.compose(g, h)), modular(both, g) * modular(both, h), rtol=1e-11)
    assert modular(affine(2, gl_plus(2)), affine(2, gl_plus(2)).sample(next(keys), (), np.float32)).dtype == np.float32


def test_representations_along_the_linear_part():
    """Translations do nothing to vectors; layers are those of the rotations."""
    vectors = restrict(standard(so(3)), linear_part(se(3)))
    g = se(3).sample(jax.random.key(0))
    v = jnp.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(vectors.act(g, v), g[1] @ v, atol=1e-15)
    assert linear(vectors, 2 * vectors).init(jax.random.key(0))["weight"].shape == (2,)
    np.testing.assert_allclose(scipy.linalg.det(g[1]), 1, atol=1e-14)
