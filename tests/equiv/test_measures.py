"""Haar measure on balls of SL(n) and GL+(n): volumes, moments, invariance, at fixed keys and five standard errors.

The rotations of SO(3) against published pixel centres, scipy's Euler angles and spherical harmonics, and characters in
closed form.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.special
from scipy.spatial.transform import Rotation

from equiv.groups import cyclic, gl_plus, measures, sl, so
from equiv.groups.decompositions import cartan_coordinates, from_cartan_coordinates

DTYPES = [np.float32, np.float64]
GROUPS = {"sl2": (sl(2), None), "gl2": (gl_plus(2), 0.5), "sl3": (sl(3), None), "gl3": (gl_plus(3), 0.4)}
BALLS = {"draws": measures.haar_ball, "strata": measures.stratified_haar_ball, "sobol": measures.sobol_haar_ball}
each_group = pytest.mark.parametrize("name", GROUPS)
each_ball = pytest.mark.parametrize("ball", BALLS.values(), ids=BALLS)


@pytest.fixture(scope="module")
def drawn():
    """``drawn(ball, name, radius, n, dtype)``: elements and weights as float64 numpy, computed once for each."""
    known = {}

    def draw(ball, name, radius=0.8, n=3000, dtype=np.float64):
        at = ball.__name__, name, radius, n, dtype
        if at not in known:
            group, log_det = GROUPS[name]
            known[at] = ball(jax.random.key(1), group, radius, n, log_det, dtype)
        return known[at]

    return draw


def stretches(elements):
    """Eigenvalues of the traceless part of log P, falling, and log det, by numpy."""
    log_s = np.log(np.linalg.svd(np.asarray(elements, np.float64), compute_uv=False))
    return log_s - log_s.mean(axis=-1, keepdims=True), log_s.sum(axis=-1)


# --- what a sample is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@each_group
@each_ball
def test_elements_are_in_the_ball_and_in_the_group(ball, name, dtype, drawn):
    elements, log_weights = drawn(ball, name, 0.8, 300, dtype)
    group, log_det = GROUPS[name]
    n = group.spec[1]
    assert elements.shape == (300, n, n)
    assert log_weights.shape == (300,)
    assert elements.dtype == log_weights.dtype == dtype
    assert np.isfinite(elements).all()
    assert np.isfinite(log_weights).all()
    x, t = stretches(elements)
    eps = np.finfo(dtype).eps
    assert x[:, 0].max() <= 0.8 + 50 * eps
    assert abs(t).max() <= (log_det or 0) + 50 * eps
    assert len(np.unique(np.asarray(elements)[:, 0, 0])) > 290, "the same element again and again"


@each_ball
@pytest.mark.parametrize("name", ["sl2", "gl2"])
def test_weights_of_two_dimensions_are_equal_and_sum_to_the_volume(ball, name, drawn):
    """``(pi / 2)(cosh 2 rho - 1)`` for each unit of angle, twice that in orthonormal coordinates and for mass 1."""
    _, log_weights = drawn(ball, name)
    group, log_det = GROUPS[name]
    volume = 2 * np.pi / 2 * (np.cosh(1.6) - 1) * (1 if log_det is None else np.sqrt(2) * log_det)
    assert np.ptp(log_weights) == 0
    assert np.sum(np.exp(log_weights)) == pytest.approx(volume, rel=1e-12)
    assert measures.ball_volume(group, 0.8, log_det) == pytest.approx(volume, rel=1e-12)


@pytest.mark.parametrize("radius", [0.3, 1.0])
@pytest.mark.parametrize("ball", [measures.haar_ball, measures.sobol_haar_ball])
def test_volume_of_three_dimensions_by_integration(ball, radius, drawn):
    """The eigenvalue integral by scipy; its constant from the volume of a small Euclidean ball of matrices."""
    _, log_weights = drawn(ball, "sl3", radius)
    weights = np.exp(log_weights)

    def density(y, x, power):
        d = np.array([x - y, 2 * x + y, x + 2 * y])  # of eigenvalues x, y, -x - y
        return np.sqrt(3) * np.prod(np.sinh(d) if power else d * (2 * (x**2 + y**2 + x * y) < 1))

    # all matrices of norm below one: the Euclidean volume of the five-dimensional ball gives the constant
    ball_of_five = 8 * np.pi**2 / 15
    r = np.linspace(0, 1, 20001)[1:]
    phi = np.linspace(-np.pi / 6, np.pi / 6, 2001)  # the chamber is a sector of 60 degrees of the plane of trace 0
    x = np.sqrt(2 / 3) * np.stack([np.cos(phi - p) for p in (-np.pi / 6, np.pi / 2, 7 * np.pi / 6)], axis=-1)
    x = -np.sort(-x, axis=-1)
    gaps = (x[:, 0] - x[:, 1]) * (x[:, 0] - x[:, 2]) * (x[:, 1] - x[:, 2])
    constant = ball_of_five / (np.trapezoid(gaps, phi) * np.trapezoid(r**4, r))
    volume = (
        constant
        * scipy.integrate.dblquad(
            lambda y, x: density(y, x, True), 0, radius, lambda x: -x / 2, lambda x: min(x, radius), epsrel=1e-9
        )[0]
    )
    error = weights.std(ddof=1) * np.sqrt(len(weights))
    assert error < 0.02 * volume
    assert abs(weights.sum() - volume) < 5 * error


@each_ball
def test_radii_have_the_law_of_haar_measure(ball, drawn):
    """``cosh 2r`` is uniform: mean and mean square."""
    elements, _ = drawn(ball, "sl2", 1.5)
    u = (np.cosh(2 * stretches(elements)[0][:, 0]) - 1) / (np.cosh(3) - 1)
    for power in (1, 2):
        error = np.std(u**power, ddof=1) / np.sqrt(len(u))
        assert abs(np.mean(u**power) - 1 / (1 + power)) < 5 * error


def test_weights_do_not_change_under_inversion_of_the_stretch():
    """The Haar density is that of X and of -X; in three dimensions the weights of both in one ball are compared."""
    group = sl(3)
    c = 0.3 * jax.random.normal(jax.random.key(0), (50, 8))
    from equiv.groups.decompositions import cartan_log, log_haar_density

    a = from_cartan_coordinates(group, c)
    density = log_haar_density(cartan_log(a)[0])
    assert (density >= 0).all()
    np.testing.assert_allclose(density, log_haar_density(cartan_log(jnp.linalg.inv(a))[0]), rtol=1e-9, atol=1e-12)


# --- invariance ----------------------------------------------------------------------------------------------------


def gaussian(group, a, width=0.25):
    return np.exp(-np.sum(np.asarray(cartan_coordinates(group, jnp.asarray(a))) ** 2, axis=-1) / (2 * width**2))


def translates(f, group, a):
    """f at A, BA, AB and A^-1, each (n,)."""
    b = np.asarray(from_cartan_coordinates(group, jnp.asarray([0.2, -0.1, 0.15, *[0.1] * (group.dim - 3)])))
    a = np.asarray(a)
    return np.stack([f(moved) for moved in (a, b @ a, a @ b, np.linalg.inv(a))])


def fading(a):
    """Vanishes where a singular value is far from one, at every rotation: what a ball holds in any dimension."""
    size = sum(np.sum(m**2, axis=(-2, -1)) for m in (a, np.linalg.inv(a))) - 2 * a.shape[-1]
    return np.exp(-2 * size) * (1 + 0.5 * a[..., 0, 0] + 0.3 * a[..., 0, 1])


@each_group
def test_the_integral_is_invariant(name):
    """T2: f at A, BA, AB, A^-1; without the density some of the four are apart."""
    group, log_det = GROUPS[name]
    log_det = log_det and 1.8
    elements, log_weights = measures.haar_ball(jax.random.key(5), group, 0.95, 2**16, log_det)
    weighted = translates(fading, group, elements) * np.exp(log_weights) * 2**16
    mean, error = weighted.mean(axis=1), weighted.std(axis=1, ddof=1) / 2**8
    assert (error < 0.08 * mean).all()
    apart = weighted[1:] - weighted[:1]
    assert (abs(apart.mean(axis=1)) < 5 * apart.std(axis=1, ddof=1) / 2**8).all(), (mean, error)


def test_quadratures_see_the_invariance():
    """To the accuracy of the rule, where draws have five percent; without the density the translates differ."""
    for name, (nodes, log_weights) in {
        "lattice": measures.lattice_haar_ball(sl(2), 1.8, 0.24),
        "gauss": measures.gauss_haar_ball(sl(2), 1.8, 16, 32, 40),
    }.items():
        found = translates(lambda a: gaussian(sl(2), a), sl(2), nodes) @ np.exp(log_weights)
        assert np.ptp(found) < 2e-4 * found[0], name
    x = stretches(nodes)[0][:, 0]
    flat = translates(lambda a: gaussian(sl(2), a), sl(2), nodes) @ (np.exp(log_weights) * 2 * x / np.sinh(2 * x))
    assert np.ptp(flat) > 0.01 * flat[0], "without the density it would be invariant too"


# --- better than draws ---------------------------------------------------------------------------------------------


def test_variance_of_strata_and_sobol_points():
    """Standard deviations of one smooth integral at 256 points over 40 keys: both unbiased and better than draws."""
    keys = jax.random.split(jax.random.key(3), 40)

    def integrals(ball, keys):
        def one(key):
            a, log_weights = ball(key, sl(2), 1.0, 256)
            return jnp.sum(jnp.exp(log_weights) * (jnp.sum(a**2, axis=(-2, -1)) + a[:, 0, 1] + a[:, 0, 0] * a[:, 1, 1]))

        return np.asarray(jax.jit(jax.vmap(one))(keys))

    # |A|^2 = 2 cosh 2r, uniform; the rest has the mean of (a d) = (1 + cosh 2r cos 2 theta ...) -> 1 / 2
    top = np.cosh(2)
    exact = np.pi * (top - 1) * ((1 + top) + 0.5)
    errors = {}
    for name, ball in BALLS.items():
        found = integrals(ball, jax.random.clone(keys))
        assert abs(found.mean() - exact) < 5 * found.std(ddof=1) / np.sqrt(40)
        errors[name] = found.std(ddof=1)
    assert errors["strata"] < 0.7 * errors["draws"]
    assert errors["sobol"] < 0.2 * errors["draws"]


def test_strata_hold_one_element_each():
    elements, _ = measures.stratified_haar_ball(jax.random.key(0), sl(2), 1.0, 50)
    u = (np.cosh(2 * stretches(elements)[0][:, 0]) - 1) / (np.cosh(2) - 1)
    assert sorted(np.floor(50 * u).astype(int)) == list(range(50))
    angle = np.asarray(cartan_coordinates(sl(2), elements))[:, 2]
    assert sorted(np.floor(50 * (angle + np.pi) / (2 * np.pi)).astype(int)) == list(range(50))


def test_scrambled_sobol_points_are_balanced():
    """Each half, quarter, ... of each coordinate gets its share: what scrambling has to keep."""
    u = np.sort(np.cosh(2 * stretches(measures.sobol_haar_ball(jax.random.key(7), sl(2), 1.0, 64)[0])[0][:, 0]) - 1)
    assert (np.floor(64 * u / (np.cosh(2) - 1)).astype(int) == np.arange(64)).all()


def test_the_key_may_be_traced_and_changes_the_elements():
    for ball in BALLS.values():
        draw = jax.jit(lambda key, ball=ball: ball(key, sl(2), 1.0, 8)[0])
        one, other = (np.asarray(draw(jax.random.key(k))) for k in (0, 1))
        np.testing.assert_allclose(one, ball(jax.random.key(0), sl(2), 1.0, 8)[0], rtol=1e-12)
        assert abs(one - other).max() > 0.01


# --- quadratures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_gauss_points_have_the_volume_and_each_rotation_once(dtype):
    for group, log_det, n_scales in ((sl(2), None, 1), (gl_plus(2), 0.7, 3)):
        nodes, log_weights = measures.gauss_haar_ball(group, 1.2, 8, 5, 6, log_det, n_scales, dtype)
        assert nodes.dtype == log_weights.dtype == dtype
        assert len(nodes) == 240 * n_scales
        volume = measures.ball_volume(group, 1.2, log_det)
        total = np.sum(np.exp(np.asarray(log_weights, np.float64)))
        assert total == pytest.approx(volume, rel=float(20 * np.finfo(dtype).eps) + 1e-10)
        turns = np.asarray(cartan_coordinates(group, nodes))[:, -1] / (2 * np.pi) % 1
        assert len(np.unique(np.round(6 * turns) % 6)) == 6


def test_lattices_integrate_a_gaussian():
    """Against the integral over the radius by scipy; the angle is a Gaussian on the line up to 4e-14."""
    w = 0.4
    planar = scipy.integrate.quad(lambda r: 2 * np.pi * np.sinh(2 * r) * np.exp(-(r**2) / w**2), 0, 6)[0]
    exact = planar * w / np.sqrt(2 * np.pi)
    for group, log_det, times in ((sl(2), None, 1.0), (gl_plus(2), 3.2, np.sqrt(2 * np.pi) * w)):
        nodes, log_weights = measures.lattice_haar_ball(group, 1.8, 0.5 if log_det else 0.38, log_det)
        found = np.exp(log_weights) @ gaussian(group, nodes, w)
        assert found == pytest.approx(exact * times, rel=2e-4 if log_det else 3e-6)
        nodes, log_weights = measures.gaussian_lattice(group, w, 1.1, 1e-6)
        assert np.exp(log_weights) @ gaussian(group, nodes, w) == pytest.approx(exact * times, rel=3e-5)
        distance = np.abs(np.asarray(nodes) - np.eye(2)).max(axis=(1, 2))
        assert distance.min() < 1e-15, "the identity is one of the nodes"


def test_lattice_nodes_have_determinant_one():
    nodes, _ = measures.lattice_haar_ball(sl(2), 1.5, 0.5)
    assert abs(np.linalg.det(nodes) - 1).max() < 1e-13


# --- SO(3) ---------------------------------------------------------------------------------------------------------


def test_published_pixel_centres():
    """What the documentation of healpy prints for pixel 11 at four resolutions, and for some pixels at nside 16."""
    theta, phi = [2.30052398, 0.84106867, 0.41113786, 0.2044802], [5.49778714, 5.89048623, 5.89048623, 5.89048623]
    for level, (beta, alpha) in enumerate(zip(theta, phi)):
        found = measures.healpix(level)
        np.testing.assert_allclose([found[1][11], found[0][11]], [beta, alpha], atol=6e-9)
    alpha, beta = (np.asarray(angle)[[1440, 427, 1520, 0, 3068]] for angle in measures.healpix(4))
    np.testing.assert_allclose(beta, [1.5291175943723188, 0.78550497, 1.57079633, 0.05103658, 3.09055608], atol=6e-9)
    np.testing.assert_allclose(alpha, [0.0, 0.78539816, 1.61988371, 0.78539816, 0.78539816], atol=6e-9)


@pytest.mark.parametrize("level", range(6))
def test_pixels_have_equal_areas(level):
    """In HEALPix' projection, which keeps areas, the pixels are the diamonds of one lattice, and they fill the map."""
    alpha, beta = map(np.asarray, measures.healpix(level))
    n, z = 2**level, np.cos(beta)
    assert len(alpha) == 12 * n**2
    rings, counts = np.unique(np.round(z, 12), return_counts=True)
    assert len(rings) == 4 * n - 1
    assert counts[n - 1 : 3 * n].tolist() == [4 * n] * (2 * n + 1)
    assert counts[: n - 1].tolist() == counts[: 3 * n - 1 : -1].tolist() == [4 * i for i in range(1, n)]
    sigma = np.maximum(1, 2 - np.sqrt(3 * (1 - abs(z))))  # above 1 in the caps
    x = alpha - (sigma - 1) * (alpha % (np.pi / 2) - np.pi / 4)
    y = np.where(abs(z) < 2 / 3 + 1e-9, 3 * np.pi / 8 * z, np.sign(z) * np.pi / 4 * sigma)
    u, v = (coordinate * 4 * n / np.pi for coordinate in (x, y))
    assert max(abs(u - np.rint(u)).max(), abs(v - np.rint(v)).max()) < 1e-9
    u, v = np.rint(u).astype(int), np.rint(v).astype(int)
    assert len(set((u + v) % 2)) == 1
    assert len(set(zip(u % (8 * n), v))) == 12 * n**2
    diamond, whole_map = 2 * (np.pi / (4 * n)) ** 2, 3 * np.pi / 8 * 4 * np.pi
    assert len(u) * diamond == pytest.approx(whole_map, rel=1e-12)


@pytest.mark.parametrize(("level", "published"), [(2, 0.054), (3, 0.012)])
def test_pixels_are_no_exact_quadrature(level, published):
    """The Gram matrix of scipy's spherical harmonics up to degree 6; with the quadrature it is the identity."""

    def error(polar, azimuth, weights):
        rows = [scipy.special.sph_harm_y(l, m, polar, azimuth) for l in range(7) for m in range(-l, l + 1)]
        gram = 4 * np.pi * np.einsum("an,n,bn->ab", rows, weights, np.conj(rows))
        return abs(gram - np.eye(49)).max()

    alpha, beta = map(np.asarray, measures.healpix(level))
    assert error(beta, alpha, np.full(len(beta), 1 / len(beta))) == pytest.approx(published, abs=5e-4)
    alpha, beta, _, weights = map(np.asarray, measures.euler_quadrature(12))
    polar, azimuth = np.meshgrid(beta, alpha)
    assert error(polar.ravel(), azimuth.ravel(), np.tile(weights, len(alpha)) / len(alpha)) < 1e-14


@pytest.mark.parametrize("dtype", DTYPES)
def test_grids_are_products_of_euler_angles_about_y(dtype):
    """scipy's intrinsic angles YXY, pixels outermost; the size of each level is 8 times the one before."""
    for level, size in enumerate([72, 576, 4608]):
        rotations = measures.so3_grid(level, dtype)
        assert rotations.shape == (size, 3, 3)
        assert rotations.dtype == dtype
        alpha, beta = (np.repeat(angle, 6 * 2**level) for angle in map(np.asarray, measures.healpix(level)))
        gamma = np.tile(2 * np.pi * np.arange(6 * 2**level) / (6 * 2**level), 12 * 4**level)
        expected = Rotation.from_euler("YXY", np.stack([alpha, beta, gamma], axis=-1)).as_matrix()
        np.testing.assert_allclose(rotations, expected, atol=4 * np.finfo(dtype).eps)
        to = np.stack([np.sin(beta) * np.sin(alpha), np.cos(beta), np.sin(beta) * np.cos(alpha)], axis=-1)
        np.testing.assert_allclose(rotations[:, :, 1], to, atol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("level", "farthest"), [(0, 52.0), (1, 27.0), (2, 14.0)])
def test_no_rotation_is_far_from_a_grid(level, farthest):
    """Of 3000 drawn ones; and the in-plane steps are 60 degrees over 2^level."""
    grid = np.asarray(measures.so3_grid(level)).reshape(-1, 9)
    drawn = Rotation.random(3000, rng=np.random.default_rng(0)).as_matrix().reshape(-1, 9)
    angles = np.degrees(np.arccos(np.clip((np.max(drawn @ grid.T, axis=1) - 1) / 2, -1, 1)))
    assert 0.8 * farthest < angles.max() < farthest
    steps = np.degrees(np.arccos(np.clip((np.sum(grid[0] * grid[1]) - 1) / 2, -1, 1)))
    assert steps == pytest.approx(60 / 2**level)


def mean_characters(rotations, weights, l, n=40):
    """``sum_i w_i chi_l(g R_i)`` for n drawn g, in closed form: a sine over a sine. These span the entries of D^l."""
    g = Rotation.random(n, rng=np.random.default_rng(l)).as_matrix()
    trace = np.einsum("gij,nji->gn", g, np.asarray(rotations, np.float64))
    half = np.sqrt(np.clip((1 + trace) / 4, 0, 1))  # cosine of half the angle
    return scipy.special.eval_chebyu(2 * l, half) @ np.asarray(weights, np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("l_max", [0, 1, 2, 5, 6, 12])
def test_a_quadrature_is_exact_up_to_its_degree_and_no_further(l_max, dtype):
    rotations, weights = measures.so3_quadrature(l_max, dtype)
    assert rotations.dtype == weights.dtype == dtype
    assert len(rotations) == len(weights) == (l_max + 1) ** 2 * (l_max // 2 + 1)
    assert weights.min() > 0
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(rotations @ rotations.mT, np.broadcast_to(np.eye(3), rotations.shape), atol=4 * eps)
    assert np.sum(np.asarray(weights, np.float64)) == pytest.approx(1, abs=4 * eps)
    for l in range(1, l_max + 1):
        assert abs(mean_characters(rotations, weights, l)).max() < 10 * (2 * l + 1) * eps
    assert abs(mean_characters(rotations, weights, l_max + 1)).max() > 0.1


def test_a_quadrature_is_the_product_of_its_angles():
    alpha, beta, gamma, masses = map(np.asarray, measures.euler_quadrature(5))
    rotations, weights = measures.so3_quadrature(5)
    angles = np.stack(np.meshgrid(alpha, beta, gamma, indexing="ij"), axis=-1).reshape(-1, 3)
    np.testing.assert_allclose(rotations, Rotation.from_euler("YXY", angles).as_matrix(), atol=1e-15)
    expected = np.broadcast_to(masses[None, :, None] / 36, (6, 3, 6)).ravel()
    np.testing.assert_allclose(weights, expected, rtol=1e-15)


def test_too_few_angles_or_the_wrong_weights_are_caught():
    """Two broken twins: one alpha left out, and equal weights for all beta."""
    rotations, weights = measures.so3_quadrature(6)
    n = len(rotations) // 7
    for broken in ((rotations[n:], weights[n:] * 7 / 6), (rotations, np.full(len(weights), 1 / len(weights)))):
        assert max(abs(mean_characters(*broken, l)).max() for l in range(1, 7)) > 0.1


# --- bad input -----------------------------------------------------------------------------------------------------

KEY = jax.random.key(0)


@pytest.mark.parametrize("ball", [*BALLS.values()], ids=BALLS)
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((sl(2), 0.0, 5), "the radius of a ball has to be finite and above zero, got 0.0"),
        ((sl(2), -1.0, 5), "the radius of a ball has to be finite and above zero, got -1.0"),
        ((sl(2), float("nan"), 5), "the radius of a ball has to be finite and above zero, got nan"),
        ((sl(2), 1.0, 0), "the number of elements has to be a whole number of at least 1, got 0"),
        ((sl(2), 1.0, 5, 0.5), "the determinants of SL(2) are 1; leave log_det = 0.5 out"),
        ((gl_plus(2), 1.0, 5), "a ball of GL+(2) needs a bound of |log det|; give log_det"),
        ((gl_plus(2), 1.0, 5, 0.0), "log_det has to be finite and above zero, got 0.0"),
        ((sl(1), 1.0, 5), "knows sl(n) and gl_plus(n) for n of at least 2, got SL(1)"),
        ((so(3), 1.0, 5), "got SO(3); a compact group is drawn from by group.sample"),
        ((cyclic(3), 1.0, 5), "knows sl(n) and gl_plus(n) for n of at least 2"),
    ],
)
def test_bad_balls_are_refused_in_words(ball, arguments, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        ball(jax.random.clone(KEY), *arguments)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: measures.gauss_haar_ball(sl(3), 1.0, 3, 3, 3), "knows sl(2) and gl_plus(2), got SL(3)"),
        (lambda: measures.gauss_haar_ball(sl(2), 1.0, 3, 0, 3), "n_directions has to be a whole number"),
        (lambda: measures.gauss_haar_ball(sl(2), 1.0, 3, 3, 3, n_scales=2), "leave n_scales = 2 out"),
        (lambda: measures.lattice_haar_ball(sl(2), 1.0, 0.0), "the spacing of a lattice has to be finite and above"),
        (lambda: measures.lattice_haar_ball(so(2), 1.0, 0.5), "lattice_haar_ball knows sl(n) and gl_plus(n)"),
        (lambda: measures.gaussian_lattice(sl(3), 0.4, 1.0), "gaussian_lattice knows sl(2) and gl_plus(2), got SL(3)"),
        (lambda: measures.gaussian_lattice(sl(2), -0.4, 1.0), "the width of the Gaussian has to be finite and above"),
        (lambda: measures.gaussian_lattice(sl(2), 0.4, 1.0, 1.0), "the tolerance has to be below 1, got 1.0"),
        (lambda: measures.ball_volume(sl(3), 1.0), "ball_volume knows sl(2) and gl_plus(2)"),
        (lambda: measures.healpix(-1), "the level of healpix has to be a whole number of at least 0, got -1"),
        (lambda: measures.healpix(11), "healpix lists up to 12 * 4^10 pixels, got the level 11"),
        (lambda: measures.so3_grid(-1), "the level of so3_grid has to be a whole number of at least 0, got -1"),
        (lambda: measures.so3_grid(True), "the level of so3_grid has to be a whole number of at least 0, got True"),
        (lambda: measures.so3_grid(7), "so3_grid(7) has 150994944 rotations, more than the 20000000 that are listed"),
        (lambda: measures.so3_quadrature(-1), "the degree of a quadrature has to be a whole number of at least 0"),
        (lambda: measures.euler_quadrature(-2), "the degree of a quadrature has to be a whole number of at least 0"),
        (lambda: measures.so3_quadrature(400), "so3_quadrature(400) has 32321001 rotations, more than the 20000000"),
    ],
)
def test_bad_quadratures_are_refused_in_words(call, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        call()
