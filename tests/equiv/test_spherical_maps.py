"""Maps on the sphere: what the convolution commutes with and what not, and rotations taken apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from equiv.layers.spherical_maps import (
    cell,
    cell_centres,
    cloud_map,
    direction,
    pad,
    seen_from,
    spherical_conv,
    viewpoint_and_inplane,
)

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["float32", "float64"])


def random(shape, dtype=jnp.float64, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def turn_y(angle):
    return Rotation.from_euler("y", angle).as_matrix()


# --- the convolution --------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize(("shape", "size"), [((2, 3, 8, 16), 3), ((3, 7, 10), 5), ((3, 6, 6), 1)])
def test_what_the_convolution_commutes_with(dtype, shape, size):
    layer = spherical_conv(3, 4, size)
    params = layer.init(jax.random.key(0), dtype)
    x = random(shape, dtype)
    y = layer.apply(params, x)
    assert (y.shape, y.dtype) == ((*shape[:-3], 4, *shape[-2:]), dtype)
    tolerance = 20 * float(jnp.finfo(dtype).eps) * float(jnp.abs(y).max())
    for shift in (1, 3, shape[-1] // 2):
        moved = layer.apply(params, jnp.roll(x, shift, -1))
        np.testing.assert_allclose(moved, jnp.roll(y, shift, -1), rtol=0, atol=tolerance)
    np.testing.assert_allclose(layer.apply(params, x[..., ::-1, :]), y[..., ::-1, :], rtol=0, atol=tolerance)


def test_what_it_does_not_commute_with():
    """A half turn about an axis on the equator, a reflection of the longitude, a shift of the rows, a sign."""
    layer = spherical_conv(1, 4)
    params = layer.init(jax.random.key(0))
    x = random((1, 16, 16))
    y = layer.apply(params, x)
    size = np.std(y)
    for moved in (lambda f: f[..., ::-1, ::-1], lambda f: f[..., ::-1], lambda f: jnp.roll(f, 1, -2), lambda f: -f):
        assert np.abs(layer.apply(params, moved(x)) - moved(y)).max() > size
    mirrored = {"kernel": params["kernel"] + params["kernel"][..., ::-1]}
    half_turn = np.abs(layer.apply(mirrored, x[..., ::-1, ::-1]) - layer.apply(mirrored, x)[..., ::-1, ::-1]).max()
    assert half_turn < 1e-13 * size  # a kernel that is mirrored left to right would


def test_zeros_at_the_poles_would_keep_the_shifts_only_around():
    """A broken twin: padded with zeros left and right, and with the wrong half of the sphere across a pole."""
    layer = spherical_conv(1, 1)
    params = layer.init(jax.random.key(0))
    x = random((1, 8, 16))

    def twin(x, columns):
        padded = jnp.pad(x, [(0, 0), (1, 1), (0, 0)], mode="edge")
        padded = jnp.pad(padded, [(0, 0), (0, 0), (1, 1)], mode=columns)
        both = [params["kernel"], params["kernel"][..., ::-1, :]]
        found = [jax.lax.conv_general_dilated(padded[None], k, (1, 1), "VALID")[0] for k in both]
        return jnp.maximum(*found)

    assert np.abs(twin(jnp.roll(x, 3, -1), "constant") - jnp.roll(twin(x, "constant"), 3, -1)).max() > 0.1
    assert np.abs(twin(x, "wrap") - layer.apply(params, x))[:, 1:-1].max() < 1e-14
    assert np.abs(twin(x, "wrap") - layer.apply(params, x))[:, [0, -1]].max() > 0.1


def test_padding_is_what_is_there_across_the_poles():
    """A function of the sphere at the places of the padded cells: rows -1/2, ... of its own formula."""
    f = lambda phi, rho: np.cos(phi) + np.sin(phi) * np.cos(rho - 0.3) + np.sin(phi) ** 2 * np.sin(2 * rho) + 0.5
    rows, columns, m = 6, 8, 3
    phi = lambda i: (np.asarray(i)[:, None] + 0.5) * np.pi / rows
    rho = lambda j: (np.asarray(j)[None] + 0.5) * 2 * np.pi / columns
    x = jnp.asarray(f(phi(np.arange(rows)), rho(np.arange(columns))))[None]
    around = np.arange(-m, columns + m)
    np.testing.assert_allclose(pad(x, m)[0], f(phi(np.arange(-m, rows + m)), rho(around)), rtol=0, atol=1e-14)
    np.testing.assert_array_equal(pad(x, 0), x)


# --- the grid ---------------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (8, 16), (32, 32), (7, 10)])
def test_cells_and_centres(dtype, rows, columns):
    centres = cell_centres(rows, columns)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=-1), 1, rtol=0, atol=1e-15)
    row, column = cell(jnp.asarray(centres, dtype), rows, columns)
    np.testing.assert_array_equal(row, np.broadcast_to(np.arange(rows)[:, None], (rows, columns)))
    np.testing.assert_array_equal(column, np.broadcast_to(np.arange(columns)[None], (rows, columns)))


def test_a_direction_is_within_half_a_cell_of_its_centre():
    n = 32
    v = np.random.default_rng(0).standard_normal((20000, 3))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    row, column = (np.asarray(i) for i in cell(jnp.asarray(v), n, n))
    angle = np.degrees(np.arccos(np.clip((cell_centres(n, n)[row, column] * v).sum(1), -1, 1)))
    half = np.pi / n / 2
    assert angle.max() < np.degrees(np.hypot(half, 2 * half))  # the diagonal at the equator
    assert 2.7 < angle.mean() < 2.95  # 2.83 degrees
    assert angle.max() > 6


def test_poles_and_borders():
    """The last row is the last row, and a longitude that rounds to a full turn is in the last column."""
    v = jnp.asarray([[0, 1.0, 0], [0, -1, 0], [-1e-17, 0.5, 1], [0, -1, 1e-300], [0, 2, 0]])
    row, column = cell(v, 8, 16)
    assert row.tolist() == [0, 7, 2, 7, 0]
    assert column.tolist() == [0, 0, 15, 0, 0]


@DTYPES
def test_the_farthest_point_of_each_cell(dtype):
    draw = np.random.default_rng(0)
    points, features = draw.standard_normal((3, 500, 3)), draw.standard_normal((3, 500, 2))
    found = np.asarray(
        jax.jit(cloud_map, static_argnums=(2, 3))(jnp.asarray(points, dtype), jnp.asarray(features, dtype), 4, 8)
    )
    assert found.dtype == dtype
    row, column = (np.asarray(i) for i in cell(jnp.asarray(points), 4, 8))
    expected = np.zeros((3, 3, 4, 8))
    for b in range(3):
        far = np.linalg.norm(points[b], axis=1)
        for k in np.argsort(far):
            expected[b, :, row[b, k], column[b, k]] = [far[k], *features[b, k]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    order = draw.permutation(500)
    again = cloud_map(jnp.asarray(points[:, order], dtype), jnp.asarray(features[:, order], dtype), 4, 8)
    np.testing.assert_allclose(again, found, rtol=0, atol=1e-6)
    turned = cloud_map(jnp.asarray(points @ turn_y(2 * np.pi / 8).T), jnp.asarray(features), 4, 8)
    np.testing.assert_allclose(turned, np.roll(expected, 1, -1), rtol=0, atol=1e-12)


def test_clouds_with_ties_and_without_points():
    one = jnp.asarray([[0.0, 0, 0], [0, 1, 0.1], [0, 1, 0.1]])
    found = cloud_map(one, jnp.asarray([[1.0], [2], [3]]), 2, 4)
    assert found[1, 0, 0] == 2  # the first of two
    assert np.count_nonzero(found) == 2
    assert not cloud_map(jnp.zeros((5, 3)), jnp.ones((5, 1)), 2, 4).any()
    assert not cloud_map(jnp.zeros((1, 3)), jnp.ones((1, 1)), 2, 4).any()


# --- viewpoints -------------------------------------------------------------------------------------------------------

POLES = np.stack([np.eye(3), turn_y(0.7), np.diag([1.0, -1, -1]), turn_y(0.7) @ np.diag([-1.0, -1, 1])])


@DTYPES
def test_a_rotation_taken_apart(dtype):
    r = jnp.asarray(np.concatenate([Rotation.random(200, rng=0).as_matrix(), POLES]), dtype)
    tolerance = 1e-15 * 16 if dtype == jnp.float64 else 2e-6
    for taken in (viewpoint_and_inplane, jax.jit(viewpoint_and_inplane)):
        viewpoint, inplane = taken(r)
        assert viewpoint.dtype == inplane.dtype == dtype
        np.testing.assert_allclose(jnp.einsum("nij,njk->nik", viewpoint, inplane), r, rtol=0, atol=tolerance)
        np.testing.assert_allclose(inplane[..., 1], np.broadcast_to([0, 1.0, 0], (204, 3)), rtol=0, atol=tolerance)
        np.testing.assert_allclose(viewpoint[..., 1], r[..., 1], rtol=0, atol=tolerance)
        for part in (viewpoint, inplane):
            np.testing.assert_allclose(np.linalg.det(part), 1, rtol=0, atol=4 * tolerance)
            np.testing.assert_allclose(
                part @ jnp.swapaxes(part, 1, 2), np.broadcast_to(np.eye(3), (204, 3, 3)), atol=4 * tolerance
            )


def test_it_is_that_of_euler_angles():
    a, b, c = np.random.default_rng(0).uniform([-3, 0.1, -3], [3, 3, 3], (50, 3)).T
    r = Rotation.from_euler("YXY", np.stack([a, b, c], -1))
    viewpoint, inplane = viewpoint_and_inplane(jnp.asarray(r.as_matrix()))
    np.testing.assert_allclose(viewpoint, Rotation.from_euler("YX", np.stack([a, b], -1)).as_matrix(), atol=1e-14)
    np.testing.assert_allclose(inplane, Rotation.from_euler("y", c[:, None]).as_matrix(), atol=1e-14)


def test_gradients_are_finite_at_the_poles():
    for r in POLES:
        slope = jax.jacobian(lambda r: viewpoint_and_inplane(r))(jnp.asarray(r))
        assert all(np.isfinite(part).all() for part in slope)


@DTYPES
def test_the_mean_direction(dtype):
    logits = random((5, 8, 16), dtype)
    v = direction(logits)
    assert v.dtype == dtype
    np.testing.assert_allclose(np.linalg.norm(v, axis=-1), 1, rtol=0, atol=1e-6)
    tolerance = 1e-13 if dtype == jnp.float64 else 2e-5
    turned = direction(jnp.roll(logits, 3, -1))
    np.testing.assert_allclose(turned, np.asarray(v) @ turn_y(3 * 2 * np.pi / 16).T, rtol=0, atol=tolerance)
    flipped = direction(logits[..., ::-1, :])
    np.testing.assert_allclose(flipped, np.asarray(v) * [1, -1, 1], rtol=0, atol=tolerance)
    np.testing.assert_allclose(direction(logits + 1000), v, rtol=0, atol=5e-4 if dtype == jnp.float32 else 1e-12)


def test_the_mean_direction_of_a_known_density():
    """That of von Mises and Fisher, exp(10 m . n), has the mean m, however near a pole."""
    for angle in (0.0, 1e-3, 0.4, 1.5, 3.0, np.pi):
        m = np.array([np.sin(angle) * 0.6, np.cos(angle), np.sin(angle) * 0.8])
        found = direction(jnp.asarray(10 * cell_centres(32, 64) @ m))
        np.testing.assert_allclose(found, m, rtol=0, atol=3e-3)
    assert not direction(jnp.zeros((8, 16))).any()  # no direction is the mean
    slope = jax.grad(lambda x: jnp.sum(direction(x)))(jnp.zeros((8, 16)))
    assert np.isfinite(slope).all()


def test_a_map_seen_from_elsewhere():
    """A cell at v comes to the pole; turns by whole cells are exact; a smooth function is turned as its formula is."""
    x = random((2, 3, 8, 16))
    turn = jnp.asarray(np.broadcast_to(turn_y(5 * 2 * np.pi / 16), (2, 3, 3)))
    np.testing.assert_allclose(seen_from(x, turn), np.roll(x, -5, -1), rtol=0, atol=1e-13)
    r = Rotation.random(rng=0).as_matrix()
    viewpoint, _ = viewpoint_and_inplane(jnp.asarray(r))
    centres = cell_centres(32, 64)
    spot = jnp.asarray(np.exp(30 * (centres @ r[:, 1] - 1)))[None]
    seen = np.asarray(seen_from(spot, viewpoint))[0]
    assert seen[0].min() > 0.9  # all around the pole
    assert seen[8:].max() < 0.1
    errors = []
    for rows in (16, 32, 64):
        f = lambda n: np.cos(3 * n[..., 0]) + n[..., 1] * n[..., 2]
        centres = cell_centres(rows, 2 * rows)
        found = seen_from(jnp.asarray(f(centres))[None], jnp.asarray(r))[0]
        errors.append(np.abs(found - f(centres @ r.T)).max())
    assert errors[1] < 0.4 * errors[0]
    assert errors[2] < 0.4 * errors[1]
    assert errors[2] < 4e-3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cell_centres(4, 5), "even number of columns"),
        (lambda: cell_centres(0, 4), "rows of a spherical map"),
        (lambda: pad(jnp.zeros((1, 4, 5)), 1), r"pad takes spherical maps \(..., C, H, W\) with an even W, got shape"),
        (lambda: pad(jnp.zeros((1, 4, 6)), 5), "at most as many rows and columns"),
        (lambda: pad(jnp.zeros((1, 4, 6)), -1), "rows and columns of pad"),
        (lambda: spherical_conv(1, 1, 4), "has to be odd, got 4"),
        (lambda: spherical_conv(0, 1), "channels that spherical_conv takes"),
        (lambda: spherical_conv(2, 1).apply({}, jnp.zeros((3, 4, 6))), r"takes spherical maps \(..., 2, H, W\)"),
        (lambda: spherical_conv(2, 1).apply({}, jnp.zeros((2, 4, 6))), "takes parameters named kernel, got none"),
        (lambda: direction(jnp.zeros((4, 7))), "even number of columns"),
        (lambda: seen_from(jnp.zeros((1, 4, 7)), jnp.eye(3)), "seen_from takes spherical maps"),
    ],
)  # fmt: skip
def test_what_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_integers_are_refused():
    with pytest.raises(TypeError, match="takes floating-point maps, got int32; cast them"):
        spherical_conv(1, 1).apply({}, jnp.zeros((1, 4, 6), jnp.int32))
