"""Pictures of solids: their symmetries pixel by pixel, and what a ray meets against a caster that we did not derive."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from equiv.groups.measures import so3_grid
from experiments.data import solids

POLYHEDRA = ("tetrahedron", "cube", "icosahedron", "tetX", "twist")
CURVED = ("cone", "cylinder", "cylO", "sphereX")
SIDE = 32
QUARTER = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])  # R_y(90 deg), z to x
MIRROR = np.diag([-1.0, 1, 1])
SIDELIGHT = (0.6, 0.8, 0.0)


def views(n, dtype=jnp.float64, seed=0):
    return jnp.asarray(Rotation.random(n, random_state=seed).as_matrix(), dtype)


def bytes_of(images):
    return np.round(255 * np.asarray(images, np.float64)).astype(np.uint8)


def picture(name, rotations, **settings):
    return bytes_of(solids.render(solids.solid(name), jnp.asarray(rotations), SIDE, **settings))


def quarter_turn(images):
    """``f'[i, j] = f[j, N - 1 - i]``."""
    return np.swapaxes(images, -1, -2)[..., ::-1, :]


def turned(rotations):
    """``R_y(90 deg) R``, without rounding."""
    return jnp.stack([rotations[..., 2, :], rotations[..., 1, :], -rotations[..., 0, :]], axis=-2)


def test_the_quarter_turn_is_that_of_the_conventions():
    """(z, x) goes to z cos - x sin, z sin + x cos; and so does a picture of one pixel."""
    np.testing.assert_allclose(turned(views(3)), QUARTER @ np.asarray(views(3)), rtol=0, atol=1e-15)
    f = np.zeros((5, 5))
    f[4, 1] = 1  # z = 2, x = -1 from the middle
    assert np.argwhere(quarter_turn(f)).tolist() == [[3, 4]]  # z = 1, x = 2


# --- symmetries -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", solids.NAMES)
def test_groups(name):
    """Rotations, closed under products, the identity first; the mirror keeps the group."""
    solid = solids.solid(name)
    group = solid.group
    np.testing.assert_array_equal(group[0], np.eye(3))
    np.testing.assert_allclose(group @ np.swapaxes(group, 1, 2), np.broadcast_to(np.eye(3), group.shape), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(group), 1, atol=1e-14)
    some = group[:: max(1, len(group) // 12)]
    products = np.concatenate([np.einsum("nij,mjk->nmik", some, some).reshape(-1, 3, 3)])
    if solid.mirror is not None:
        assert np.linalg.det(solid.mirror) == -1
        products = np.concatenate([products, solid.mirror @ some @ solid.mirror.T])
    gap = np.abs(products[:, None] - group[None]).max((2, 3))
    assert gap.min(1).max() < 1e-12
    apart = np.abs(group[:, None, :, 0] - group[None, :, :, 0]).max(2) + np.abs(
        group[:, None, :, 2] - group[None, :, :, 2]
    ).max(2)
    assert np.isclose(apart, 0).sum() == len(group)


def test_orders():
    orders = {name: len(solids.symmetries(solids.solid(name))) for name in solids.NAMES}
    assert list(orders.values()) == [12, 24, 60, 360, 720, 3, 1, 1, 6]
    assert [name for name in solids.NAMES if solids.solid(name).mirror is None] == ["twist"]


@pytest.mark.parametrize("name", solids.NAMES)
def test_equal_in_every_byte_under_the_symmetries(name):
    solid = solids.solid(name)
    labels = solids.equivalent(solid, views(6))
    labels = labels[:, :: max(1, labels.shape[1] // 60)]
    images = picture(name, labels)
    assert images[..., 0, :, :].any(axis=(-1, -2)).all()
    np.testing.assert_array_equal(images, np.broadcast_to(images[:, :1], images.shape))


@pytest.mark.parametrize("name", solids.NAMES)
def test_equal_in_every_byte_under_quarter_turns(name):
    rotations = views(40)
    images = picture(name, rotations)
    np.testing.assert_array_equal(picture(name, turned(rotations)), quarter_turn(images))
    assert (picture(name, turned(rotations)) != images).any()
    fine = picture(name, rotations[:5], supersampling=3)
    np.testing.assert_array_equal(picture(name, turned(rotations[:5]), supersampling=3), quarter_turn(fine))


@pytest.mark.parametrize("name", solids.NAMES)
def test_symmetries_in_float32(name):
    """To rounding: at an edge, or by one grey value in 255, in one pixel in ten thousand."""
    solid, rotations = solids.solid(name), views(40, jnp.float32)
    images = picture(name, rotations)
    assert solids.render(solid, rotations, SIDE).dtype == jnp.float32
    moved = [solids.equivalent(solid, rotations)[:, -1], turned(rotations)]
    for found, expected in zip((picture(name, r) for r in moved), (images, quarter_turn(images))):
        assert (found != expected).mean() <= 1e-4


@pytest.mark.parametrize("name", [name for name in solids.NAMES if name != "twist"])
def test_all_solids_but_one_equal_their_mirror_images(name):
    mirror, rotations = solids.solid(name).mirror, views(20)
    images = picture(name, MIRROR @ np.asarray(rotations) @ mirror)
    np.testing.assert_array_equal(images, picture(name, rotations)[..., ::-1])


def test_the_twisted_one_is_like_its_mirror_image_from_no_side():
    """The best of 4608 views is off by half as much again as from a grid alone, with the mirrored picture."""
    solid = solids.solid("twist")
    grid = np.asarray(solids.render(solid, so3_grid(2), 24)[:, 0]).reshape(4608, -1)
    some = np.asarray(solids.render(solid, views(30), 24)[:, 0])

    def nearest(images):
        images = images.reshape(len(images), -1)
        square = (images**2).sum(1)[:, None] + (grid**2).sum(1)[None] - 2 * images @ grid.T
        return np.sqrt(square.min(1) / 24**2)

    own, mirrored = nearest(some), nearest(some[..., ::-1])
    assert (mirrored > own).mean() > 0.85
    assert mirrored.mean() > 1.35 * own.mean()
    assert mirrored.min() > 0.08  # root mean square over the pixels, of 1


@pytest.mark.parametrize("name", solids.NAMES)
def test_light_from_the_side_breaks_the_quarter_turns(name):
    """The negative control; the symmetries of the solid stay."""
    rotations = views(6)
    images = picture(name, rotations, light=SIDELIGHT)
    wrong = quarter_turn(images) != picture(name, turned(rotations), light=SIDELIGHT)
    assert wrong.any(axis=(1, 2, 3)).all()
    labels = solids.equivalent(solids.solid(name), rotations)[:, -1]
    np.testing.assert_array_equal(picture(name, labels, light=SIDELIGHT), images)
    back = picture(name, turned(rotations), light=(0.0, 0.8, -0.6))  # the light turned, too
    np.testing.assert_array_equal(back, quarter_turn(images))


@pytest.mark.parametrize("name", ["cube", "cylinder"])
def test_other_turns_turn_the_picture_better_with_more_points(name):
    """Means over disc-shaped regions do not notice the grid, as far as edges are sampled finely."""
    u = (2 * np.arange(SIDE) + 1) / SIDE - 1
    z, x = np.meshgrid(u, u, indexing="ij")
    windows = np.stack(
        [np.exp(-((z - 0.5 * np.cos(a)) ** 2 + (x - 0.5 * np.sin(a)) ** 2) / 0.08) for a in (0, 1, 2, 4)]
    )
    angle, rotations = 0.5, views(16)
    back = np.stack(
        [
            np.exp(-((z - 0.5 * np.cos(a + angle)) ** 2 + (x - 0.5 * np.sin(a + angle)) ** 2) / 0.08)
            for a in (0, 1, 2, 4)
        ]
    )
    turn = Rotation.from_euler("y", angle).as_matrix()
    errors = []
    for k in (1, 2, 4, 8):
        before, after = (
            np.asarray(solids.render(solids.solid(name), jnp.asarray(r), SIDE, k)[:, 0])
            for r in (rotations, turn @ np.asarray(rotations))
        )
        errors.append(
            np.abs(np.einsum("nij,kij->nk", before, windows) - np.einsum("nij,kij->nk", after, back)).mean() / SIDE**2
        )
    assert errors[1] < 0.7 * errors[0]
    assert errors[2] < 0.7 * errors[1]
    assert errors[3] < 0.02 * before.mean()


# --- what a ray meets -------------------------------------------------------------------------------------------------


def cast(normals, offsets, rotations, side, colour=lambda f: 1.0):
    """A ray from the camera, direction d: in at the last face that looks at it, out at the first that does not."""
    u = (2 * np.arange(side) + 1) / side - 1
    images = np.zeros((len(rotations), side, side))
    d = np.array([0.0, -1, 0])
    for image, r in zip(images, np.asarray(rotations)):
        n = normals @ r.T
        for i, z in enumerate(u):
            for j, x in enumerate(u):
                o = np.array([x, 5.0, z])
                along = n @ d
                t = (offsets - n @ o) / along
                near = np.where(along < 0, t, -np.inf)
                if near.max() < np.where(along > 0, t, np.inf).min():
                    f = near.argmax()
                    image[i, j] = colour(f) * (0.2 + 0.8 * max(0, -along[f]))
    return images


def prism(radius, half, n=720):
    a = 2 * np.pi * (np.arange(n) + 0.5) / n
    normals = np.stack([np.sin(a), 0 * a, np.cos(a)], -1)
    return np.concatenate([normals, [[0, 1, 0], [0, -1, 0]]]), np.concatenate([np.full(n, radius), [half, half]])


def pyramid(apex, base, radius, n=720):
    a = 2 * np.pi * (np.arange(n) + 0.5) / n
    slope = radius / (apex - base)
    normals = np.stack([np.sin(a), np.full(n, slope), np.cos(a)], -1) / np.hypot(1, slope)
    return np.concatenate([normals, [[0, -1, 0]]]), np.concatenate(
        [np.full(n, apex * slope / np.hypot(1, slope)), [-base]]
    )


FACES = {
    "tetrahedron": lambda: solids._faces("tetrahedron"),
    "cube": lambda: solids._faces("cube"),
    "icosahedron": lambda: solids._faces("icosahedron"),
    "twist": lambda: solids._faces("twist"),
    "cylinder": lambda: prism(*solids._CYLINDER),
    "cone": lambda: pyramid(*solids._CONE),
}


@pytest.mark.parametrize("name", FACES)
def test_against_a_ray_caster(name):
    """Face by face in three dimensions; the curved ones as solids of 720 faces."""
    rotations = views(4, seed=1)
    expected = cast(*FACES[name](), rotations, 20)
    found = np.asarray(solids.render(solids.solid(name), rotations, 20))[:, 0]
    if name in ("cone", "cylinder"):
        assert np.abs(found - expected).mean() < 1e-3
        assert ((found > 0) != (expected > 0)).sum() <= 2
    else:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", solids.NAMES)
def test_seen_along_axes(name):
    """Faces and sides that are seen edge on, the camera in a cone's own angle, an axis along the ray."""
    along = [
        np.eye(3),
        QUARTER,
        *(Rotation.from_euler(axis, k * np.pi / 2).as_matrix() for axis in "xz" for k in (1, 2, 3)),
    ]
    nearly = [r @ Rotation.from_euler("zx", [1e-4, 1e-4]).as_matrix() for r in along]
    exact, beside = (
        np.asarray(solids.render(solids.solid(name), jnp.asarray(np.stack(r)), SIDE)) for r in (along, nearly)
    )
    assert np.isfinite(exact).all()
    assert (exact > 0.2).mean((1, 2, 3)).min() > 0.05
    assert (np.abs(exact - beside) > 1e-2).mean() < 0.01
    single = solids.render(solids.solid(name), jnp.asarray(np.stack(along), jnp.float32), SIDE)
    assert (np.abs(np.asarray(single, np.float64) - exact) > 1e-3).mean() < 0.01


def test_edge_on_the_cube_is_a_square():
    image = picture("cube", np.eye(3))[0]
    width = 2 * round(SIDE / 2 * solids.RADIUS / 3**0.5)  # the pixels whose middles are inside
    assert image.max() == 255
    assert np.ptp(np.argwhere(image), axis=0).tolist() == [width - 1, width - 1]


@pytest.mark.parametrize("name", ["tetX", "cylO", "sphereX"])
def test_marks_are_red_and_seen_from_one_side(name):
    images = np.asarray(solids.render(solids.solid(name), views(200), SIDE))
    red = (images[:, 0] > 0) & (images[:, 1] == 0)
    np.testing.assert_array_equal(images[:, 1], images[:, 2])
    np.testing.assert_array_equal(images[:, 0][~red], images[:, 1][~red])
    seen = red.any(axis=(1, 2)).mean()
    assert 0.3 < seen < 0.9
    plain = {"tetX": "tetrahedron", "cylO": "cylinder"}.get(name)
    if plain:
        np.testing.assert_array_equal(picture(plain, views(200))[:, 0], bytes_of(images[:, 0]))


# --- the records and draws --------------------------------------------------------------------------------------------


def test_shapes_and_chunks(monkeypatch):
    cube = solids.solid("cube")
    whole = solids.render(cube, views(6).reshape(2, 3, 3, 3), 8)
    assert whole.shape == (2, 3, 3, 8, 8)
    for chunk, n in ((8 * 8 * 4, 6), (8 * 8 * 3, 6), (1, 2)):
        monkeypatch.setattr(solids, "_CHUNK", chunk)
        solids.render.clear_cache()
        np.testing.assert_array_equal(solids.render(cube, views(6)[:n], 8), whole.reshape(6, 3, 8, 8)[:n])
    assert solids.render(cube, jnp.zeros((0, 3, 3)), 8).shape == (0, 3, 8, 8)
    assert solids.render(cube, jnp.eye(3), 8).shape == (3, 8, 8)


def test_draws_are_nested_and_uniform():
    cube, draw = solids.solid("cube"), functools.partial(solids.draw_views, jax.random.key(0))
    images, rotations = draw(cube, 5, 8)
    more, other = draw(cube, 9, 8)
    np.testing.assert_allclose(more[:5], images, rtol=0, atol=1e-14)
    np.testing.assert_allclose(other[:5], rotations, rtol=0, atol=1e-14)
    np.testing.assert_allclose(solids.render(cube, rotations, 8), images, rtol=0, atol=1e-14)
    assert draw(cube, 3, 8, dtype=jnp.float32)[0].dtype == jnp.float32
    n = 4000
    _, rotations = draw(cube, n, 2)
    mean = np.asarray(rotations).mean(0)
    assert np.abs(mean).max() < 5 / np.sqrt(3 * n)
    angle = np.trace(np.asarray(rotations), axis1=1, axis2=2)  # chi_1, of mean 0 and variance 1
    assert abs((angle**2).mean() - 1) < 5 * np.sqrt((3 - 1) / n)  # fourth moment 3, the number of 1 in 1^4


def test_unknown_solid():
    with pytest.raises(ValueError, match=r"solid knows tetrahedron, cube, .*, twist; got 'torus'"):
        solids.solid("torus")
    assert solids.solid("cube") is solids.solid("cube")
