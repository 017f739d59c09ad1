"""The bench of Gaussians against numerical integration over the plane, and the formulas against other ways to them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from equiv.groups import gl_plus, sl
from equiv.groups.decompositions import cartan_coordinates, from_cartan_coordinates
from equiv.groups.measures import gaussian_lattice, lattice_haar_ball
from theory import lie_group_decompositions as lie


@pytest.fixture(scope="module")
def bench():
    return lie.draw_bench(jax.random.key(0), gl_plus(2))


GRID = np.stack(np.meshgrid(*[np.linspace(-9, 9, 181)] * 2, indexing="ij"), axis=-1)
CELL = 0.1**2


def brightness(bumps, y, mass):
    """The sum of Gaussians at points (..., 2), by numpy; of mass one each, or of height one."""
    total = 0.0
    for weight, mean, covariance in zip(*map(np.asarray, bumps)):
        d = y - mean
        value = np.exp(-np.einsum("...i,ij,...j->...", d, np.linalg.inv(covariance), d) / 2)
        total = total + weight * value / (2 * np.pi * np.sqrt(np.linalg.det(covariance)) if mass else 1)
    return total


def pulled_back(kernel, x, h):
    """``k(h^-1 (y - x))`` on the grid."""
    return brightness(kernel, (GRID - x) @ np.linalg.inv(h).T, mass=False)


def test_lifting_by_integration(bench):
    image = brightness(bench.image, GRID, mass=True)
    found = np.asarray(lie.lift(bench.image, bench.first, bench.x, bench.h))
    for x, h, value in zip(*map(np.asarray, (bench.x, bench.h)), found):
        assert CELL * np.sum(image * pulled_back(bench.first, x, h)) / np.linalg.det(h) == pytest.approx(
            value, rel=1e-9
        )


@pytest.mark.parametrize(("determinant", "relative"), [("samples", False), ("outputs", False), ("samples", True)])
def test_terms_of_the_layer_by_integration(bench, determinant, relative):
    """Both integrals over the plane for two elements: the lifted image on the grid, times the second kernel."""
    group = gl_plus(2)
    g = from_cartan_coordinates(group, jnp.array([[0.1, -0.2, 0.3, 0.4], [-0.2, 0.1, 0.1, -0.3]]))
    found = np.asarray(lie.layer_terms(bench, g, group=group, width=1.0, relative=relative, determinant=determinant))
    x, h = np.asarray(bench.x)[0], np.asarray(bench.h)[0]
    for element, value in zip(np.asarray(g), found[:, 0]):
        element, u = (h @ element, element) if relative else (element, np.linalg.inv(h) @ element)
        places = jnp.asarray(GRID[::4, ::4].reshape(-1, 2))
        lifted = np.asarray(lie.lift(bench.image, bench.first, places, jnp.broadcast_to(element, (len(places), 2, 2))))
        seen = pulled_back(bench.second, x, h)[::4, ::4].ravel()
        window = np.exp(-np.sum(np.asarray(cartan_coordinates(group, jnp.asarray(u))) ** 2) / 2)
        divisor = np.linalg.det(h if determinant == "outputs" else element)
        assert 16 * CELL * np.sum(lifted * seen) * window / divisor == pytest.approx(value, rel=1e-6)


def test_the_image_moves_as_images_do(bench):
    after = lie.act(bench.t, bench.a, bench.image)
    before = (GRID - np.asarray(bench.t)) @ np.linalg.inv(np.asarray(bench.a)).T
    np.testing.assert_allclose(
        brightness(after, GRID, mass=True), brightness(bench.image, before, mass=True), rtol=1e-9, atol=1e-12
    )


def test_the_motion_is_as_described():
    for group, det in ((sl(2), 1.0), (gl_plus(2), 1.3)):
        a = np.asarray(lie.draw_bench(jax.random.key(3), group).a)
        stretch = np.log(np.linalg.svd(a, compute_uv=False))
        assert np.linalg.det(a) == pytest.approx(det, rel=1e-12)
        assert (stretch - stretch.mean()).tolist() == pytest.approx([0.4, -0.4])
        assert np.arctan2(a[1, 0] - a[0, 1], a[0, 0] + a[1, 1]) == pytest.approx(0.9)


def test_samples_have_haar_weights():
    """The volume of a ball, by weighted draws; their angles are uniform."""
    g, log_weights = lie.gaussian_sample(jax.random.key(0), sl(2), 40_000, 0.5)
    r = np.log(np.linalg.svd(np.asarray(g), compute_uv=False))[:, 0]
    weights = np.exp(log_weights) * (r < 0.8) * len(r)
    error = weights.std(ddof=1) / np.sqrt(len(r))
    assert abs(weights.mean() - np.pi * (np.cosh(1.6) - 1)) < 5 * error < 0.05 * weights.mean()
    angle = np.asarray(cartan_coordinates(sl(2), g))[:, 2]
    assert abs(np.cos(angle).mean()) < 5 / np.sqrt(2 * len(r))


def test_prefix_sums_are_sums_of_prefixes():
    draw = np.random.default_rng(0)
    terms, log_weights = draw.normal(size=(30, 6)), draw.normal(size=30)
    for n, found in zip((1, 7, 30), lie.prefix_sums(terms, log_weights, [1, 7, 30])):
        np.testing.assert_allclose(found, np.exp(log_weights[:n]) @ terms[:n] * 30 / n, rtol=1e-12)


def test_the_reference_is_converged():
    bench = lie.draw_bench(jax.random.key(5), sl(2))
    finer = gaussian_lattice(sl(2), lie.WIDTH, 0.6, 1e-12)
    found = lie.group_layer(bench, *finer, group=sl(2), relative=True)
    assert lie.relative_error(lie.reference(bench, sl(2)), found) < 2e-9


def test_lattices_keep_their_numbers():
    for most, (radius, spacing, n_angles) in lie.FIXED_LATTICES.items():
        assert 0.3 * most < len(lattice_haar_ball(sl(2), radius, spacing, n_angles=n_angles)[0]) <= most
    for most, numbers in lie.RELATIVE_LATTICES.items():
        assert 0.6 * most < len(gaussian_lattice(sl(2), lie.WIDTH, *numbers)[0]) <= most


@pytest.mark.parametrize(("r", "known"), [(0.5, 0.1529), (1, 0.2756), (2, 0.4144), (4, 0.4883)])
def test_share_of_missed_rotations(r, known):
    """Two forms of the formula, the numbers noted for it, and scipy's logarithm on either side of the edge."""
    share = float(lie.predict_missed(r))
    assert share == pytest.approx(2 / np.pi * np.arctan(np.tanh(r / 2)), rel=1e-9)
    assert share == pytest.approx(known, abs=6e-5)
    for inside, angle in ((False, np.pi * (1 - share) - 0.03), (True, np.pi * (1 - share) + 0.03)):
        c, s = np.cos(angle), np.sin(angle)
        a = np.diag(np.exp([r, -r])) @ [[c, -s], [s, c]]
        log = scipy.linalg.logm(a)
        assert (np.abs(np.imag(log)).max() > 1) == inside
        draw = np.random.default_rng(0)
        found = lie.measure_missed(draw, r, 3, lambda n, angle=angle: np.full(n, angle))
        assert (found == float(inside)).all()


def test_the_public_codes_angles_are_nine():
    """``linspace(-pi, pi, 10)`` has one rotation twice."""
    angles = np.linspace(-np.pi, np.pi, 10)
    assert len(np.unique(np.round(np.exp(1j * angles), 12))) == 9
