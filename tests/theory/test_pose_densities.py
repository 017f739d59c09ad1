"""Best densities of symmetric solids: numbers known from elsewhere, and proof that no logits do better."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.special

from equiv.groups import polyhedral
from equiv.layers.so3 import evaluate, log_likelihood, log_partition
from theory import pose_densities as p


@pytest.mark.parametrize(
    ("solid", "l_max", "found"),
    [
        ("tetrahedron", 3, (2.25, 3.98)),
        ("tetrahedron", 5, (3.78, 5.47)),
        ("tetrahedron", 6, (5.74, 7.41)),
        ("cube", 5, (2.32, 4.05)),
        ("cube", 6, (4.07, 5.77)),
        ("icosahedron", 6, (2.51, 4.25)),
    ],
)
def test_numbers_found_elsewhere(solid, l_max, found):
    """With bounds of 10 and 30, by another quadrature, to two digits."""
    for bound, value in zip((10.0, 30.0), found, strict=True):
        assert abs(p.best_likelihood(solid, l_max, bound)[0] - value) < 0.006


def test_a_cone_against_an_integral():
    """``log int_0^1 exp`` of Legendre polynomials."""
    value, numbers = p.best_likelihood("cone", 3, 10.0)
    density = lambda x: np.exp(sum(c * scipy.special.eval_legendre(l, x) for l, c in enumerate(numbers, 1)))
    integral = scipy.integrate.quad(density, -1, 1, epsabs=0, epsrel=1e-12)[0] / 2
    assert abs(value - (numbers.sum() - np.log(integral) + p.UNIFORM)) < 1e-10


@pytest.mark.parametrize(("solid", "l_max"), [("cylinder", 4), ("tetrahedron", 6), ("cube", 4)])
def test_no_logits_do_better(solid, l_max):
    """A concave function is below its tangent; over blocks of bounded spectral norm that is a sum of nuclear norms."""
    bound, level, pose = 6.0, 4, np.array([[0.3, -1.0, 0.7]])  # a grid is worse than it is where symmetries meet
    value, numbers = p.best_likelihood(solid, l_max, bound)
    blocks = tuple(jnp.asarray(block[0]) for block in p.peak_blocks(solid, numbers, l_max, pose))
    slopes = jax.grad(lambda x: log_partition(x, level))(blocks)
    room = 0.0
    for l in range(1, l_max + 1):
        v = p.invariants(solid, l)
        slope = (2 * l + 1) ** 0.5 * p._matrices(l, pose)[0] @ v @ v.T - np.asarray(slopes[l])
        room += bound / (2 * l + 1) ** 0.5 * np.linalg.norm(slope, "nuc") - np.sum(slope * np.asarray(blocks[l]))
    assert -1e-9 < room < 0.01
    assert abs(numbers.sum() - float(log_partition(blocks, level)) + p.UNIFORM - value) < 0.01


def test_logits_are_highest_at_all_labels():
    value, numbers = p.best_likelihood("cube", 6, 10.0)
    pose = np.array([[0.3, -1.0, 0.7]])
    blocks = tuple(map(jnp.asarray, p.peak_blocks("cube", numbers, 6, pose)))
    turns = polyhedral("octahedral").elements(jnp.float64)
    labels = jnp.asarray(p._matrices(1, pose)) @ turns
    logits = np.asarray(evaluate(blocks, labels))
    assert np.abs(logits - numbers.sum()).max() < 1e-11
    likelihood = float(log_likelihood(blocks, labels, 4).mean())
    assert abs(likelihood - value) < 0.01


@pytest.mark.parametrize("solid", p.SOLIDS)
def test_invariants_do_not_move(solid):
    generator = {"cone": [0.0, 1.1, 0.0], "cylinder": [np.pi, 0.0, 0.0]}.get(solid)
    if generator is None:
        turns = np.asarray(polyhedral(p._GROUPS[solid]).elements(jnp.float64))
        assert {len(turns)} == {{"tetrahedron": 12, "cube": 24, "icosahedron": 60}[solid]}
    for l in range(9):
        v = p.invariants(solid, l)
        assert np.abs(v.T @ v - np.eye(v.shape[1])).max(initial=0) < 1e-13
        assert v.shape[1] == p.predict_counts(solid, l)[-1]
        if generator is not None:
            assert np.abs(p._matrices(l, np.array([generator]))[0] @ v - v).max(initial=0) < 1e-13
        else:
            mean = p._projector(p._GROUPS[solid], l)
            assert np.abs(mean @ v - v).max(initial=0) < 1e-13


def test_ceilings():
    """The numbers of the field for grids of level 3 and 5."""
    solids = ("tetrahedron", "cube", "icosahedron")
    assert [round(p.predict_ceiling(s, 5), 2) for s in solids] == [9.90, 9.21, 8.29]
    assert [round(p.predict_ceiling(s, 3), 2) for s in solids] == [5.74, 5.05, 4.13]
    assert p.predict_ceiling("cone", 3) == np.inf
