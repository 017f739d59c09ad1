"""Error metrics by hand, by the identities between them, and by finite differences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.groups import cyclic, dihedral, gl_plus, o, polyhedral, so
from equiv.layers import dense, linear
from equiv.reps import regular, scalar, standard
from equiv.soft import errors, projection_penalty

DTYPES = [np.float32, np.float64]
CUBE, SO3 = polyhedral("octahedral"), so(3)
C, V = standard(CUBE), standard(SO3)


def skewed(x):
    """A smooth function of three numbers that commutes with no rotation."""
    return jnp.stack([x[0] ** 2 + x[1], jnp.sin(x[2]), x[0] * x[2] + 1])


def turned(x):
    """An equivariant one."""
    return x * jnp.sum(x**2) + 2 * x


@functools.cache
def elements():
    return CUBE.elements()


@functools.cache
def orbit():
    """Inputs whose law the group leaves alone: the orbits of a few vectors."""
    x = np.random.default_rng(0).normal(size=(4, 3))
    return jnp.asarray(np.einsum("gij,nj->gni", np.asarray(elements()), x).reshape(-1, 3))


METRICS = {
    "mean_square": errors.mean_square,
    "relative": errors.relative,
    "worst": errors.worst,
    "group_average": lambda *args: jnp.stack(errors.group_average(*args)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", METRICS)
def test_zero_for_exact_functions(name, dtype):
    g, x = elements().astype(dtype), orbit()[:10].astype(dtype)
    exact, broken = jax.jit(lambda g, x: [METRICS[name](f, C, C, x, g) for f in (turned, skewed)])(g, x)
    assert exact.dtype == broken.dtype == dtype
    assert np.max(exact) <= 500 * np.finfo(dtype).eps
    assert np.min(broken) > 0.1


def test_mean_square_is_twice_the_distance_from_the_average():
    """Exact for a finite group and inputs whose law is invariant; not for other inputs."""
    g = elements()

    @jax.jit
    def sides(x):
        moved = jax.vmap(jax.vmap(skewed))(C.act(g[:, None], x[None]))
        average = jnp.mean(C.act(CUBE.inverse(g)[:, None], moved), axis=0)
        distance = jnp.mean(jnp.sum((jax.vmap(skewed)(x) - average) ** 2, axis=-1))
        return errors.mean_square(skewed, C, C, x, g), 2 * distance

    found, expected = sides(orbit())
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    found, expected = sides(orbit()[:5] + 1)
    assert abs(found / expected - 1) > 0.01


def test_mean_square_of_a_linear_map_is_four_energies():
    """Standard normal inputs, through their second moment: the columns of sqrt(d) times the identity."""
    layer = dense(C + C * C, C)
    params = layer.init(jax.random.key(0)) | {"bias": jnp.zeros(3)}
    x = jnp.eye(12) * 12**0.5
    found = jax.jit(lambda p: errors.mean_square(lambda v: layer.apply(p, v), layer.rep_in, C, x, elements()))(params)
    np.testing.assert_allclose(found, 4 * projection_penalty(layer, [CUBE])(params)[0], rtol=1e-12)


def test_relative_difference():
    rng = np.random.default_rng(0)
    a, b = jnp.asarray(rng.normal(size=(2, 50, 4)))
    found = errors.relative_difference(a, b)
    np.testing.assert_allclose(found, errors.relative_difference(b, a))
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert 0.6 < found.mean() < 0.8
    assert errors.relative_difference(a, -a).min() == pytest.approx(1)
    assert errors.relative_difference(0 * a, 0 * a).max() == 0
    assert errors.relative_difference(0 * a, b).min() == 1


def test_zero_functions_and_the_identity():
    zero = lambda x: 0 * x
    x, e = orbit()[:3], CUBE.identity()[None]
    assert float(errors.relative(zero, C, C, x, elements())) == 0
    for metric in METRICS.values():
        assert np.max(metric(skewed, C, C, x, e)) == 0
    slope = jax.grad(lambda t: errors.relative(lambda x: t * x, C, C, x, elements()))(0.0)
    assert np.isfinite(slope)


def test_a_small_denominator_does_not_decide():
    """One input near zero: the ratio of means forgets it, the mean of ratios does not."""
    f = lambda x: x + 1e-3 * jnp.array([1.0, 0, 0])
    x = jnp.asarray(np.vstack([np.eye(3), 1e-6 * np.eye(3)]))
    a = jax.vmap(jax.vmap(f))(C.act(elements()[:, None], x[None]))
    b = C.act(elements()[:, None], jax.vmap(f)(x)[None])
    assert (
        float(errors.relative(f, C, C, x, elements())) < 2e-3 < 0.1 < float(jnp.mean(errors.relative_difference(a, b)))
    )


def test_no_metric_depends_on_the_orthogonal_base():
    """The same function and group in another orthonormal base of input and output."""
    from equiv.reps import representation

    q = jnp.asarray(np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0])
    other = representation(CUBE, "turned", 3, lambda g, v: q @ (g @ (q.T @ v)))
    f = lambda x: q @ skewed(q.T @ x)
    x = orbit()[:7]
    for metric in METRICS.values():
        np.testing.assert_allclose(metric(f, other, other, x @ q.T, elements()), metric(skewed, C, C, x, elements()))


def test_where_rho_is_not_orthogonal():
    group = gl_plus(2)
    v = standard(group)
    g = group.sample(jax.random.key(0), (20,))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 2)))
    assert float(errors.worst(lambda x: 3 * x, v, v, x, g)) < 1e-12
    assert float(errors.worst(lambda x: 3 * x, v.dual, v, x, g)) > 0.1
    assert float(errors.lie_derivative(lambda x: 3 * x, v, v, x).total) < 1e-25


# --- Lie derivatives --------------------------------------------------------------------------------------


def test_lie_derivative_is_the_slope_of_the_error():
    """Central differences of ``g^-1 f(g x)`` along each generator; and ``t^2 LEE`` is the mean squared error."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)))
    t = 1e-5

    @jax.jit
    def both():
        found = errors.lie_derivative(skewed, V, V, x)

        def back(t):
            g = SO3.exp(t * jnp.eye(3))[:, None]
            return V.act(SO3.inverse(g), jax.vmap(jax.vmap(skewed))(V.act(g, x[None])))

        return found, (back(t) - back(-t)) / (2 * t), errors.mean_square(skewed, V, V, x, SO3.exp(1e-4 * jnp.eye(3)))

    found, slope, square = both()
    np.testing.assert_allclose(found.field, slope, atol=1e-8)
    np.testing.assert_allclose(found.per_generator, np.mean(np.asarray(slope) ** 2, axis=(1, 2)), rtol=1e-7)
    np.testing.assert_allclose(found.total, np.sum(found.per_generator), rtol=1e-13)
    np.testing.assert_allclose(square * 1e8, found.total, rtol=1e-3)  # mean over 3 generators, dim 3: the same sum
    wrong = found.field + 2 * np.einsum("kij,nj->kni", np.ones((3, 3, 3)), skewed(x.T).T)
    assert np.abs(wrong - slope).max() > 0.1


@pytest.mark.parametrize("dtype", DTYPES)
def test_lie_derivative_of_equivariant_functions(dtype):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)).astype(dtype))
    found = jax.jit(lambda x: errors.lie_derivative(turned, V, V, x))(x)
    assert found.total.dtype == dtype
    assert np.abs(found.field).max() < 200 * np.finfo(dtype).eps


def test_layerwise_terms_sum_to_the_total():
    layers = [dense(V, 2 * V), dense(2 * V, scalar(SO3, 4)), dense(scalar(SO3, 4), V)]
    params = [layer.init(jax.random.key(i)) for i, layer in enumerate(layers)]
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)))
    chain = lambda v: functools.reduce(lambda v, lp: lp[0].apply(lp[1], v), zip(layers, params), v)

    @jax.jit
    def both():
        return errors.layerwise_lie_derivative(layers, params, x), errors.lie_derivative(chain, V, V, x).field

    split, total = both()
    np.testing.assert_allclose(split.terms.sum(axis=0), total, atol=1e-13)
    assert (np.abs(split.terms[:2] - total[None]) > 0.01).any()
    norms = np.sqrt(np.sum(np.asarray(split.terms) ** 2, axis=(1, 2, 3)))
    np.testing.assert_allclose(split.cancellation, 1 - np.linalg.norm(total) / norms.sum(), rtol=1e-10)
    np.testing.assert_allclose(split.per_layer, norms**2 / 15, rtol=1e-10)


# --- classifiers, weights, averages -----------------------------------------------------------------------


def test_prediction_by_hand():
    """Logits x on the shifts of three classes: the answer moves with the shift."""
    rep, group = regular(cyclic(3)), cyclic(3)
    x = jnp.log(jnp.array([[0.7, 0.2, 0.1], [0.2, 0.3, 0.5]]))
    found = errors.prediction(lambda x: x, rep, x, jnp.array([0, 1]), group.elements())
    p = np.exp(np.asarray(x))
    moved = np.stack([np.roll(p, k, axis=1) for k in range(3)])
    np.testing.assert_allclose(found.divergence, np.mean(np.sum(p * (np.log(p) - np.log(moved)), axis=-1)), rtol=1e-12)
    assert float(found.consistency) == pytest.approx(1 / 3)
    right = (moved.argmax(axis=-1) == np.array([0, 1])).mean(axis=1)
    assert float(found.accuracy) == pytest.approx(right.mean())
    assert float(found.worst_accuracy) == right.min() < right.mean()
    invariant = errors.prediction(lambda x: jnp.stack([jnp.sum(x), 0.0]), rep, x, jnp.array([1, 1]), group.elements())
    assert abs(invariant.divergence) < 1e-15
    assert float(invariant.consistency) == float(invariant.worst_accuracy) == 1


def test_weight_space():
    layer = dense(C, 2 * C)
    fixed = linear(C, 2 * C).apply({"weight": jnp.array([2.0, -1.0])}, jnp.eye(3)).T
    other = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)))
    params = lambda m: {"matrix": m, "bias": jnp.zeros(6)}
    assert np.max(errors.weight_space(layer, params(fixed))) < 1e-15
    found = errors.weight_space(layer, params(other), [CUBE])
    energy = projection_penalty(layer, [CUBE])(params(other))[0]
    assert found.shape == (1, 2)
    np.testing.assert_allclose(found, [[(2 * energy) ** 0.5 / np.linalg.norm(other), 0]], rtol=1e-12)


def test_group_average():
    g, x = elements(), orbit()[:6]
    found = errors.group_average(skewed, C, C, x, g)
    assert 0 < found.average < found.pairwise
    moved = np.stack([[np.asarray(h).T @ np.asarray(skewed(h @ v)) for v in x] for h in g[:5]])
    y = np.asarray(jax.vmap(skewed)(x))
    few = errors.group_average(skewed, C, C, x, g[:5])
    np.testing.assert_allclose(few.average, np.linalg.norm(moved.mean(axis=0) - y, axis=-1).mean(), rtol=1e-12)
    np.testing.assert_allclose(few.pairwise, np.linalg.norm(moved - y, axis=-1).mean(), rtol=1e-12)


# --- laws of the elements ---------------------------------------------------------------------------------


def test_the_exponential_of_a_gaussian_is_not_haar():
    """Haar rotations have ``E tr g = 0``; one exponential of a Gaussian has 1, and three of them 1/9, derived."""
    g = np.asarray(jax.jit(lambda key: errors.sample_exponential_gaussian(key, SO3, 20000))(jax.random.key(0)))
    trace = np.trace(g, axis1=1, axis2=2)
    np.testing.assert_allclose(g @ g.swapaxes(1, 2), np.broadcast_to(np.eye(3), g.shape), atol=1e-12)
    deviation = 5 * trace.std() / 20000**0.5
    assert abs(trace.mean() - 1 / 9) < deviation < 1 / 9


def test_powers_of_the_generators():
    """In a finite group only the powers act: all elements of dihedral(3) come up, mirrors half of the time."""
    g = np.asarray(jax.jit(lambda key: errors.sample_exponential_gaussian(key, dihedral(3), 3000))(jax.random.key(1)))
    counts = np.bincount(g, minlength=6)
    assert (counts > 300).all()
    assert abs((g >= 3).mean() - 0.5) < 5 * 0.5 / 3000**0.5
    o3 = np.asarray(jax.jit(lambda key: errors.sample_exponential_gaussian(key, o(3), 2000))(jax.random.key(2)))
    assert abs((np.linalg.det(o3) < 0).mean() - 0.5) < 5 * 0.5 / 2000**0.5


def test_the_error_of_the_code():
    x = orbit()[:5]
    g = errors.sample_exponential_gaussian(jax.random.key(3), CUBE, 10)
    found = errors.exponential_gaussian_relative(skewed, C, C, x, jax.random.clone(jax.random.key(3)))
    a = jax.vmap(jax.vmap(skewed))(C.act(g[:, None], x[None]))
    b = C.act(g[:, None], jax.vmap(skewed)(x)[None])
    np.testing.assert_allclose(found, jnp.mean(errors.relative_difference(a, b)), rtol=1e-12)
    assert float(errors.exponential_gaussian_relative(turned, C, C, x, jax.random.key(4))) < 1e-14


CASES = {
    "another length": (
        lambda: errors.worst(lambda x: x[:2], C, C, orbit()[:2], elements()),
        ["vectors of length 3", "(2,)"],
    ),
    "discrete": (lambda: errors.lie_derivative(turned, C, C, orbit()[:2]), ["Lie algebra", "discrete"]),
    "no layer": (lambda: errors.layerwise_lie_derivative([], [], orbit()[:2]), ["one or more layers", "0 and 0"]),
    "no weights": (lambda: errors.weight_space(linear(V, V), {"weight": jnp.ones(1)}), ["free weights", "has none"]),
    "no subgroup": (lambda: errors.weight_space(dense(V, V), dense(V, V).init(jax.random.key(0)), []), ["got none"]),
}


@pytest.mark.parametrize("name", CASES)
def test_refusals(name):
    call, words = CASES[name]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert not [word for word in words if word not in message], message
