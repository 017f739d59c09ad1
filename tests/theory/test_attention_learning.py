"""Norms of targets against tensors, series and samples; what the figures need is in the evidence."""

import itertools
import math

import numpy as np
import pytest

from theory import attention_learning as al
from theory.random_feature_attention import draw_tokens

D, N = 6, 3


@pytest.fixture(scope="module")
def sample():
    draw = np.random.default_rng(0)
    x, b = draw_tokens(draw, 120, N, D), al.draw_direction(draw, D)
    return x, b, {name: np.asarray(al._between(kernel, x, x)) for name, kernel in al.MODELS.items()}


@pytest.mark.parametrize("target", al.TARGETS)
@pytest.mark.parametrize("degree", [1, 3])
def test_labels(target, degree):
    x, b = draw_tokens(np.random.default_rng(1), 4, N, D), np.arange(6.0)
    for tokens, label in zip(x, al.labels(x, b, target, degree)):
        query, keys = tokens[0], tokens[1:]
        known = {
            "query": (query @ b) ** degree,
            "key average": sum((k @ b) ** degree for k in keys) / N,
            "correlation": sum((query @ k) ** degree * (k @ b) for k in keys) / N,
        }[target]
        assert label == pytest.approx(known)


@pytest.mark.parametrize(
    ("model", "target", "degree", "known"),
    [
        ("RFA", "query", 1, 13.78),
        ("RFA", "query", 2, 194.7),
        ("RFA", "key average", 1, 3.34),
        ("RFA", "key average", 2, 12.87),
        ("RFA", "correlation", 1, 64.21 * 7 / 12),  # the noted number has the tensor before it is made symmetric
        ("RFMLP", "query", 1, 17.73),
        ("RFMLP", "query", 2, 308),
        ("RFMLP", "key average", 1, 5.91),
        ("RFMLP", "key average", 2, 102.6),
    ],
)
def test_noted_norms(model, target, degree, known):
    assert al.predict_norm(model, target, degree, D, N) == pytest.approx(known, rel=2e-3)


def symmetrised(tensor, first):
    """The mean over all orders of the first ``first`` axes and of the others."""
    rest = range(first, tensor.ndim)
    orders = itertools.product(itertools.permutations(range(first)), itertools.permutations(rest))
    return np.mean([np.transpose(tensor, p + q) for p, q in orders], axis=0)


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("d", [2, 3])
def test_norm_of_a_symmetric_tensor(degree, d):
    """``<x, y>^p <b, y>`` as a tensor: products of unit matrices and b, then symmetric in x and in y."""
    tensor = np.eye(d)[0]
    for _ in range(degree):
        tensor = np.tensordot(np.eye(d), tensor, axes=0)
    # axes: x_1, y_1, x_2, y_2, ..., y of b
    tensor = np.transpose(tensor, [*range(0, 2 * degree, 2), *range(1, 2 * degree, 2), 2 * degree])
    assert np.sum(tensor**2) == pytest.approx(d**degree)
    assert np.sum(symmetrised(tensor, degree) ** 2) == pytest.approx(al._symmetric(d, 0, 1, degree))
    known = math.prod(range(d + 1, d + degree + 1)) / math.factorial(degree + 1)
    assert al._symmetric(d, 0, 1, degree) == pytest.approx(known)


def test_norm_of_a_symmetric_tensor_on_all_tokens():
    """The one of RFMLP for a correlation of degree one, ``x y b`` made symmetric in three places."""
    d = 3
    whole = np.zeros((2 * d,) * 3)  # [x; y]
    for i in range(d):
        whole[i, d + i, d] = 1
    whole = np.mean([np.transpose(whole, order) for order in itertools.permutations(range(3))], axis=0)
    n_keys = 2
    norm = al.predict_norm("RFMLP", "correlation", 1, d, n_keys)
    assert norm == pytest.approx(np.sum(whole**2) / n_keys / al._mlp_weight(3, n_keys))


def test_weights_are_the_powers_of_the_kernel(sample):
    x, grams = sample[0][:40], {name: gram[:40, :40] for name, gram in sample[2].items()}
    s, t = x[:, 0] @ x[:, 0].T, np.einsum("nip,mjp->nmij", x[:, 1:], x[:, 1:])
    total = sum(
        al._weight(r, q) * (s**r)[:, :, None, None] * t**q for r, q in itertools.product(range(26), range(27))
    ).mean(axis=(2, 3))
    np.testing.assert_allclose(total[s < 0.6], grams["RFA"][s < 0.6], rtol=1e-3)
    flat = x.reshape(len(x), -1)
    inner = flat @ flat.T
    off = ~np.eye(len(x), dtype=bool)
    total = sum(al._mlp_weight(q, N) * inner**q for q in range(60))
    np.testing.assert_allclose(total[off], grams["RFMLP"][off], rtol=1e-8)


@pytest.mark.parametrize("target", al.TARGETS)
@pytest.mark.parametrize("price", [1e2, 1e4, 1e6])
def test_an_expansion_is_in_the_space(sample, target, price):
    """``K - f f^T / |f|^2`` is positive if, and only if, f has at most this norm; a hundredth is too little."""
    x, b, grams = sample
    u, w, _ = al._powers(target, 1)
    g = al.biased_expansion(target, 1, D, price)
    f = np.mean(g.at(al._scores(x)) * (x[:, :1] @ b) ** u * (x[:, 1:] @ b) ** w, axis=1)
    least = np.linalg.eigvalsh(grams["BRFA"] - np.outer(f, f) / g.norm)[0]
    assert least > -1e-12 * np.trace(grams["BRFA"])
    assert np.linalg.eigvalsh(grams["BRFA"] - np.outer(f, f) / (g.norm / 100))[0] < -1e-4


def test_an_expansion_is_a_sum_of_its_parts():
    """Its norm from explicit coefficients h, and what is left over by another quadrature."""
    g = al.biased_expansion("correlation", 2, 5, 1e4)
    a, k = np.linspace(-1, 1, 7), np.arange(al._TERMS)
    total, norm = 0.0, 0.0
    for r in range(al._MOST):
        size = [math.comb(j, r) * math.comb(j + 1, r + 1) * 0.25**j / al._symmetric(5, 0, 1, r) for j in k]
        at_nodes, at_a = (np.sqrt(size)[:, None] * v**r * al.relu_mean_coefficients(v, al._TERMS) for v in (g.nodes, a))
        h = at_nodes @ g.coefficients
        total, norm = total + h @ at_a, norm + h @ h
    np.testing.assert_allclose(g.at(a), total, atol=1e-10)
    assert g.norm == pytest.approx(norm, rel=1e-9)
    a = np.linspace(-1, 1, 20001)
    density = (1 - a * a) ** ((5 - 3) / 2)
    left, whole = np.sum(density * (a**2 - g.at(a)) ** 2), np.sum(density * a**4)
    assert g.share == pytest.approx(left / whole, rel=1e-6)


@pytest.mark.parametrize(
    ("d", "degree", "biased", "unbiased"),
    [(4, 1, 52, 22), (16, 2, 307, 6.1e3), (32, 1, 66, 143), (64, 3, 2.6e3, 9.9e6)],
)
def test_the_table(d, degree, biased, unbiased):
    norms = [al.predict_norm(model, "correlation", degree, d, N, share=0.01) for model in ("BRFA", "RFA")]
    assert norms == pytest.approx([biased, unbiased], rel=0.02)


@pytest.mark.parametrize(("degree", "shown", "rel"), [(1, 25, 1e-3), (2, 316, 5e-3), (3, 4.7e3, 0.03)])
def test_the_limit_of_long_tokens(degree, shown, rel):
    """``psi_k0`` has the derivatives ``mu^(k + j)(0) sqrt(4^-k (k + 1) / k!)``; lower ones than the p-th vanish."""
    k = np.arange(80)
    scaled = al.relu_mean_coefficients(np.zeros(1), 80 + degree).ravel()  # mu^(m)(0) / sqrt(m!)
    growth = [np.sqrt([math.perm(m + j, j) for m in k]) for j in range(degree + 1)]
    derivatives = np.stack([scaled[j : j + 80] * growth[j] for j in range(degree + 1)]) * np.sqrt(0.25**k * (k + 1))
    inverse = np.linalg.inv(derivatives @ derivatives.T)[-1, -1]
    left = np.sqrt(0.01 * math.prod(range(1, 2 * degree, 2)) / math.factorial(degree))
    limit = (1 - left) ** 2 * math.factorial(degree) ** 2 * inverse
    assert limit == pytest.approx(shown, rel=0.01)
    assert al.predict_norm("BRFA", "correlation", degree, 10_000, N, share=0.01) == pytest.approx(limit, rel=rel)


def test_less_left_over_costs_more():
    shares = (0.5, 0.1, 0.01, 1e-3, 1e-5, al.LEAST_SHARE)
    for model in ("RFA", "BRFA"):
        norms = [al.predict_norm(model, "correlation", 1, D, N, share) for share in shares]
        assert norms == sorted(norms)
    assert 400 < norms[-1] < 486  # the limit, found with 50 digits


def test_norms_refuse():
    with pytest.raises(ValueError, match=r"one of RFA, BRFA, RFMLP, got 'CNN'"):
        al.predict_norm("CNN", "query", 1, 4, 2)
    with pytest.raises(ValueError, match=r"one of query, key average, correlation, got 'keys'"):
        al.predict_norm("RFA", "keys", 1, 4, 2)
    with pytest.raises(ValueError, match=r"from 0 to below 1, got 1"):
        al.predict_norm("RFA", "query", 1, 4, 2, share=1.0)
    with pytest.raises(ValueError, match=r"a share of at least 1e-08 of a target, got 0"):
        al.predict_norm("BRFA", "query", 1, 4, 2)


def test_fits_are_those_of_the_features():
    """Kernel ridge in n samples is ridge in the features, ``F^T F + ridge I``."""
    draw = np.random.default_rng(2)
    features, y = draw.normal(size=(30, 5)), draw.normal(size=20)
    weights = np.linalg.solve(features[:20].T @ features[:20] + 0.3 * np.eye(5), features[:20].T @ y)
    np.testing.assert_allclose(al._fit(features @ features[:20].T, y, 0.3), features @ weights, rtol=1e-10)


def test_a_direction_has_length_one():
    assert np.linalg.norm(al.draw_direction(np.random.default_rng(0), 5)) == pytest.approx(1)
