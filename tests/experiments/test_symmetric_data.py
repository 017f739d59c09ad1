"""The exact generators: every label has the symmetry its docstring says, to rounding, and no other.

The algebra of what a label respects is measured: a Lie algebra element A counts if the derivative of the label along A
is the infinitesimal action on the label, at every one of the drawn inputs. What is left of it are group elements.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from equiv import groups, reps
from equiv.laws import BUDGET
from experiments.data import Samples, cosine_similarity, inertia, lorentz, o5, scaling, side_lengths


def plane(n, i, j, sign=-1.0):
    """The generator of a rotation (or, with sign 1, a boost) in a coordinate plane."""
    a = np.zeros((n, n))
    a[j, i], a[i, j] = 1, sign
    return a


def planes(n, axes):
    return [plane(n, i, j) for i, j in itertools.combinations(axes, 2)]


def sign(n, *axes):
    return np.diag([-1.0 if i in axes else 1.0 for i in range(n)])


def swap(n, i, j):
    return np.eye(n)[[{i: j, j: i}.get(k, k) for k in range(n)]]


SHIFTS = [np.eye(4)[:, [i]] @ np.eye(4)[[3]] for i in range(3)]
MATRICES = {  # the largest group that acts: (basis of its algebra, generators of its components)
    "O(5)": (planes(5, range(5)), [sign(5, 4)]),
    "O(3)": (planes(3, range(3)), [sign(3, 2)]),
    "O(3) and scale": ([*planes(3, range(3)), np.eye(3)], [sign(3, 2)]),
    "O(1,3)": ([*(plane(4, 0, i, 1.0) for i in (1, 2, 3)), *planes(4, (1, 2, 3))], [sign(4, 0), sign(4, 1)]),
    "E(3)": ([*planes(4, (0, 1, 2)), *SHIFTS], [sign(4, 2)]),
}


def row(data, group, algebra, discrete, lost=(), **settings):
    """A label: what acts, the algebra and the elements it respects, elements it does not, and its settings."""
    return data, group, algebra, discrete, lost, settings


ROWS = {
    "o5": row(o5, "O(5)", *MATRICES["O(5)"]),
    "o5 broken": row(
        o5, "O(5)", [], [*(sign(5, i) for i in range(5)), swap(5, 0, 1), swap(5, 2, 3)], [swap(5, 1, 2)], sigma=0.5
    ),
    "inertia": row(inertia, "O(3)", *MATRICES["O(3)"]),
    **{
        f"inertia, axis {a}": row(
            inertia,
            "O(3)",
            planes(3, {0, 1, 2} - {a}),
            [sign(3, i) for i in range(3)],
            [swap(3, a, (a + 1) % 3)],
            epsilon=-1.0,
            axis=a,
        )
        for a in range(3)
    },
    "inertia, all axes": row(
        inertia,
        "O(3)",
        [],
        [sign(3, i) for i in range(3)],
        [swap(3, *pair) for pair in ((0, 1), (1, 2), (0, 2))],
        epsilon=0.3,
        axis=-1,
    ),
    "lorentz": row(lorentz, "O(1,3)", *MATRICES["O(1,3)"]),
    "lorentz broken": row(
        lorentz, "O(1,3)", [plane(4, 2, 3)], [sign(4, i) for i in range(4)], [swap(4, 1, 2)], sigma=0.5
    ),
    "cosine, so3-scale": row(cosine_similarity, "O(3) and scale", *MATRICES["O(3) and scale"], kind="so3-scale"),
    "cosine, so3": row(cosine_similarity, "O(3) and scale", *MATRICES["O(3)"], [2 * np.eye(3)], kind="so3"),
    "cosine, scale": row(
        cosine_similarity,
        "O(3) and scale",
        [np.eye(3)],
        [sign(3, 0), swap(3, 0, 1), swap(3, 1, 2)],
        [scipy.linalg.expm(plane(3, 0, 1))],
        kind="scale",
    ),
    "cosine, none": row(
        cosine_similarity,
        "O(3) and scale",
        [],
        [sign(3, 0), swap(3, 0, 1), swap(3, 1, 2)],
        [2 * np.eye(3)],
        kind="none",
        epsilon=0.5,
    ),
    "sides": row(side_lengths, "E(3)", *MATRICES["E(3)"]),
    "sides, translation": row(
        side_lengths, "E(3)", planes(4, (0, 1, 2)), [sign(4, i) for i in range(3)], broken="translation"
    ),
    "sides, rotation": row(
        side_lengths,
        "E(3)",
        [plane(4, 1, 2), *SHIFTS],
        [sign(4, i) for i in range(3)],
        [swap(4, 0, 1)],
        broken="rotation",
    ),
}
each_row = pytest.mark.parametrize("name", ROWS)


def action(data, group, matrices):
    """The matrices of rep_in and rep_out at group elements (k, n, n)."""
    whole = groups.from_generators(*MATRICES[group])
    matrix = jax.jit(lambda g: (data.rep_in(whole).matrix(g), data.rep_out(whole).matrix(g)))
    return [np.asarray(m) for m in matrix(jnp.asarray(np.stack(matrices)))]


def sampled(data, seed, n, **settings):
    """``data.sample`` as one program."""
    return jax.jit(functools.partial(data.sample, n=n, **settings))(jax.random.key(seed))


@functools.cache
def drawn(data):
    return np.asarray(sampled(data, 0, 64).x)


def errors(name, matrices, dtype=jnp.float64):
    """Largest ``|f(gx) - g f(x)|`` of every element, in eps units of the size of g f(x)."""
    data, group, *_, settings = ROWS[name]
    x = drawn(data)
    f = jax.jit(functools.partial(data.target, **settings))
    into, out = action(data, group, matrices)
    found = []
    for g, h in zip(into, out):
        y = np.asarray(f(jnp.asarray(x, dtype)), np.float64) @ h.T
        moved = np.asarray(f(jnp.asarray(x @ g.T, dtype)), np.float64)
        found.append(np.abs(moved - y).max() / np.sqrt(np.mean(y**2)) / np.finfo(dtype).eps)
    return np.array(found)


@each_row
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_label_has_its_symmetry(name, dtype):
    _, _, algebra, discrete, *_ = ROWS[name]
    draw = np.random.default_rng(1)
    elements = [*discrete]
    for _ in range(4 if algebra else 0):
        turn = scipy.linalg.expm(np.einsum("k,kij->ij", draw.standard_normal(len(algebra)) / 2, algebra))
        elements += [turn, turn @ discrete[-1]]
    found = errors(name, elements, dtype)
    assert found.max() < BUDGET, found


@each_row
def test_the_label_has_no_other_symmetry(name):
    """The algebra it respects has the dimension that is said, and each of the listed elements is seen to be broken."""
    data, group, algebra, _, broken, settings = ROWS[name]
    x = drawn(data)
    basis = np.stack(MATRICES[group][0])
    identity = np.eye(basis.shape[-1])
    step = 1e-6
    high, low = (action(data, group, [scipy.linalg.expm(s * step * a) for a in basis]) for s in (1, -1))
    into, out = ((a - b) / (2 * step) for a, b in zip(high, low))
    f = functools.partial(data.target, **settings)
    slope = jax.jit(lambda x, dx: jax.jvp(f, (x,), (dx,))[1])
    y = np.asarray(f(jnp.asarray(x)))
    rows = np.stack([np.asarray(slope(jnp.asarray(x), jnp.asarray(x @ a.T))) - y @ b.T for a, b in zip(into, out)])
    values = np.linalg.svd(rows.reshape(len(basis), -1), compute_uv=False)
    assert (values < 1e-6 * np.abs(y).max()).sum() + max(0, len(basis) - len(values)) == len(algebra), values
    if broken:
        assert errors(name, broken).min() > 1e9
    assert errors(name, [identity]).max() == 0


@pytest.mark.parametrize("data", [o5, inertia, lorentz, cosine_similarity, side_lengths])
def test_draws(data):
    """The dtype that is asked for, labels that are those of the inputs, and another key another draw."""
    for dtype in (jnp.float32, jnp.float64):
        x, y = sampled(data, 0, 64, dtype=dtype)
        assert x.dtype == y.dtype == dtype
        np.testing.assert_allclose(jax.jit(data.target)(x), y, rtol=1e-5 if dtype == jnp.float32 else 1e-12)
    assert (drawn(data) == x).all()
    assert not (sampled(data, 1, 64).x == x).all(axis=-1).any()


@pytest.mark.parametrize("data", [o5, lorentz, cosine_similarity, side_lengths])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_zero_is_finite(data, dtype):
    settings = {"kind": "so3"} if data is cosine_similarity else {}
    f = jax.jit(jax.value_and_grad(lambda x: data.target(x, **settings)[0]))
    value, slope = f(jnp.zeros(drawn(data).shape[-1], dtype))
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


def test_lorentz_is_the_contraction_of_two_tensors():
    x, y = sampled(lorentz, 3, 20)
    eta = np.diag(lorentz.SIGNATURE)
    for p, found in zip(np.asarray(x).reshape(-1, 4, 4), y):
        p1, p2, p3, p4 = p
        electron = np.outer(p1, p3) - (p1 @ eta @ p3 - p1 @ eta @ p1) * eta
        muon = np.outer(eta @ p2, eta @ p4) - (p2 @ eta @ p4 - p2 @ eta @ p2) * eta
        np.testing.assert_allclose(found[0], 4 * np.sum(electron * muon), rtol=1e-12, atol=1e-14)


def test_inertia_is_that_of_a_body():
    """Positive definite, trace ``2 sum m r^2``, and two equal masses at +-1 on an axis turn as they should."""
    x, y = map(np.asarray, sampled(inertia, 4, 30))
    tensor = y.reshape(-1, 3, 3)
    np.testing.assert_allclose(tensor, tensor.swapaxes(1, 2), rtol=0, atol=1e-12)
    assert (np.linalg.eigvalsh(tensor) > 0).all()
    mass, position = x[:, :5], x[:, 5:].reshape(-1, 5, 3)
    np.testing.assert_allclose(np.trace(tensor, axis1=1, axis2=2), 2 * np.sum(mass * (position**2).sum(-1), axis=1))
    dumbbell = np.zeros(20)
    dumbbell[[0, 1, 5, 8]] = 0.5, 0.5, 1, -1
    assert jax.jit(inertia.target)(dumbbell).tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 1]


def test_a_modified_column():
    x, y = sampled(inertia, 5, 10)
    erased = np.asarray(jax.jit(functools.partial(inertia.target, epsilon=-1.0, axis=1))(x)).reshape(-1, 3, 3)
    assert (erased[:, :, 1] == 0).all()
    np.testing.assert_allclose(erased[:, :, [0, 2]], np.asarray(y).reshape(-1, 3, 3)[:, :, [0, 2]], rtol=1e-12)


def test_a_random_strength():
    """Strengths have the mean and the standard deviation that are asked for, within 5 sigma."""
    n = 4000
    x, y = map(np.asarray, sampled(inertia, 6, n, epsilon=0.3, spread=0.1))
    exact = np.asarray(jax.jit(inertia.target)(x))
    strength = y[:, 8] / exact[:, 8] - 1
    assert abs(strength.mean() - 0.3) < 5 * 0.1 / np.sqrt(n)
    assert abs(strength.std() - 0.1) < 5 * 0.1 / np.sqrt(2 * n)
    np.testing.assert_allclose(y[:, [0, 1, 3, 4, 6, 7]], exact[:, [0, 1, 3, 4, 6, 7]], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("data", [inertia, cosine_similarity])
def test_out_of_distribution(data):
    plain = drawn(data)
    first = 5 if data is inertia else 0
    shifted = np.asarray(sampled(data, 0, 64, shift=2.0).x)
    np.testing.assert_allclose(shifted[:, first:], plain[:, first:] + 2)
    assert (shifted[:, :first] == plain[:, :first]).all()
    for orthant in (-1, 1):
        kept = np.asarray(sampled(data, 0, 64, orthant=orthant).x)
        assert (kept[:, first:] == orthant * abs(plain[:, first:])).all()


def test_masses():
    mass = np.asarray(sampled(inertia, 6, 4000, epsilon=0.3, spread=0.1).x[:, :5])
    assert scipy.stats.kstest(np.log(np.expm1(mass)).ravel(), "norm").pvalue > 1e-6  # softplus undone: 5 sigma


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: inertia.target(jnp.zeros(20), 1.0, axis=3), "axis has to be 0, 1, 2 or -1, got 3"),
        (lambda: inertia.sample(jax.random.key(0), 2, orthant=2), "orthant has to be -1, 0 or 1, got 2"),
        (lambda: cosine_similarity.sample(jax.random.key(0), 2, orthant=2), "orthant has to be -1, 0 or 1, got 2"),
        (lambda: cosine_similarity.target(jnp.zeros(9), "so2"), "kind has to be one of so3-scale, so3, scale, none"),
        (lambda: side_lengths.target(jnp.zeros(12), "all"), "broken has to be one of nothing, translation, rotation"),
    ],
)
def test_mistakes_are_told(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize("signature", [o5.SIGNATURE, lorentz.SIGNATURE])
def test_scaling_is_of_the_first_rows(signature):
    """Units of the first n rows, the same from a traced n, and what comes after them does not count."""
    d = len(signature)
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((30, 2 * d)), draw.standard_normal((30, 1))
    vectors = x[:20].reshape(20, 2, d)
    expected = np.sqrt(np.abs((vectors**2 * np.array(signature)).sum(-1)).mean(0) / d)
    units = jax.jit(lambda samples, n: scaling(samples, n, signature))
    found = units(Samples(x, y), 20)
    np.testing.assert_allclose(found.x_scale, np.repeat(expected, d), rtol=1e-12)
    np.testing.assert_allclose(found.y_shift, y[:20].mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.y_scale, y[:20].std(0), rtol=1e-12)
    x[20:], y[20:] = 99, 99
    for a, b in zip(found, units(Samples(x, y), 20)):
        assert (a == b).all()


def test_no_boost_changes_the_minkowski_scaling():
    samples = sampled(lorentz, 0, 64)
    boost = scipy.linalg.expm(plane(4, 0, 2, 1.0))
    whole = groups.from_generators(*MATRICES["O(1,3)"])
    moved = samples._replace(x=reps.standard(whole).act(boost, samples.x.reshape(64, 4, 4)).reshape(64, 16))
    assert np.abs(moved.x - samples.x).max() > 0.1
    units = jax.jit(lambda s: scaling(s, 64, lorentz.SIGNATURE))
    a, b = (units(s).x_scale for s in (samples, moved))
    np.testing.assert_allclose(a, b, rtol=1e-12)
