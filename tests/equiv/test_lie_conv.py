"""Group convolutions against sums written out, their exact symmetry, and samples that have none."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from equiv.groups import gl_plus, sl, so
from equiv.groups.decompositions import cartan_coordinates, from_cartan_coordinates
from equiv.layers import fields, frames, lie_conv
from equiv.layers.lie_conv import GroupSignal, PlaneSignal

GROUPS = {"GL+(2)": gl_plus(2), "SL(2)": sl(2), "SO(2)": so(2)}
DTYPES = ("float32", "float64")
BUDGET = 50.0
N, SIDE, SIZE = 4, 11, 5
FIELD = fields.siren(hidden=8, depth=2)


def eps_units(found, wanted):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert np.isfinite(found).all()
    assert wanted.std() > 0
    return np.abs(found - wanted).max() / (np.finfo(found.dtype).eps * np.sqrt(np.mean(wanted.astype(float) ** 2)))


def some(group, seed, n, dtype):
    """Elements of moderate stretch, all angles; float64 first, so that both precisions see the same ones."""
    c = jax.random.uniform(jax.random.key(seed), (n, group.dim), minval=-1, maxval=1)
    c = c * jnp.array([0.5] * (group.dim - 1) + [3.0]).reshape(1, -1)
    return from_cartan_coordinates(group, c).astype(dtype)


def picture(dtype, side=SIDE, channels=2):
    return lie_conv.image(jax.random.normal(jax.random.key(7), (3, channels, side, side)).astype(dtype))


def on_group(group, dtype, seed=1, channels=2):
    values = jax.random.normal(jax.random.key(8), (3, channels, N, SIDE, SIDE)).astype(dtype)
    weights = jnp.log(jnp.arange(1.0, N + 1)).astype(dtype)
    return GroupSignal(values, some(group, seed, N, dtype), weights, picture(dtype).pixel)


def layers(group, window=lie_conv.bump):
    """Name -> (layer, the signal it takes)."""
    settings = {"size": SIZE, "field": FIELD, "window": window}
    return {
        "lifting": lie_conv.lifting(group, 2, 3, **settings),
        "group_conv": lie_conv.group_conv(group, 2, 3, **settings),
        "separable": lie_conv.separable_group_conv(group, 2, 3, **settings),
        "to_plane": lie_conv.to_plane(group, 2, 3, **settings),
    }


KINDS = ("lifting", "group_conv", "separable", "to_plane")


def applied(kind, layer, params, signal, elements):
    if kind == "lifting":
        return layer.apply(params, signal, elements)
    return layer.apply(params, signal) if kind == "to_plane" else layer.apply(params, signal, elements)


# --- exact symmetry ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", GROUPS)
def test_layers_commute_with_the_group_on_samples_that_move(name, kind, dtype):
    group = GROUPS[name]
    layer = layers(group, lie_conv.ball)[kind]
    params = layer.init(jax.random.key(0), dtype)
    signal = picture(dtype) if kind == "lifting" else on_group(group, dtype)
    out = some(group, 2, 3, dtype)
    a = some(group, 3, 1, "float64")[0]
    still = applied(kind, layer, params, signal, out)
    precise = jax.tree.map(lambda leaf: leaf.astype("float64"), signal)
    moved = lie_conv.move(precise, a)  # the action in float64
    moved = moved._replace(**{k: v.astype(dtype) for k, v in moved._asdict().items()})
    found = applied(kind, layer, params, moved, (a @ out.astype("float64")).astype(dtype))
    assert found.values.dtype == dtype
    # The angles of elements are rounded by the action too, and the frequency of the field multiplies that.
    assert eps_units(found.values, still.values) < 4 * BUDGET
    np.testing.assert_allclose(found.pixel, a @ still.pixel.astype("float64"), rtol=1e-5)


def test_samples_that_stay_are_not_equivariant():
    group = sl(2)
    layer = layers(group)["group_conv"]
    params = layer.init(jax.random.key(0))
    signal, a = on_group(group, "float64"), some(group, 3, 1, "float64")[0]
    out = some(group, 2, 3, "float64")
    still = layer.apply(params, signal, out)
    fixed = layer.apply(params, lie_conv.move(signal, a)._replace(elements=signal.elements), a @ out)
    assert eps_units(fixed.values, still.values) > 1e12


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_a_power_of_the_determinant_comes_out_of_a_lifting(power):
    """With |det h|^(p - 1) in the place of 1 / |det h| a lifting picks up |det A|^p; p = 0 is ours."""
    group = gl_plus(2)
    layer, f, a = layers(group)["lifting"], picture("float64"), some(group, 3, 1, "float64")[0]
    params, out = layer.init(jax.random.key(0)), some(group, 2, 3, "float64")

    def lifted(signal, elements):
        factor = jnp.linalg.det(elements) ** power
        return layer.apply(params, signal, elements).values * factor.reshape(1, 1, -1, 1, 1)

    found, wanted = lifted(lie_conv.move(f, a), a @ out), lifted(f, out) * jnp.linalg.det(a) ** power
    assert eps_units(found, wanted) < BUDGET
    assert power == 0 or eps_units(found, lifted(f, out)) > 1e12


@pytest.mark.parametrize("kind", KINDS)
def test_layers_commute_with_shifts(kind):
    layer = layers(sl(2))[kind]
    params = layer.init(jax.random.key(0))
    signal = picture("float64") if kind == "lifting" else on_group(sl(2), "float64")
    out = some(sl(2), 2, 3, "float64")
    still = applied(kind, layer, params, signal, out).values
    shifted = signal._replace(values=jnp.roll(signal.values, (1, 2), (-2, -1)))
    found = applied(kind, layer, params, shifted, out).values
    inside = slice(2, -2) if kind == "lifting" else slice(SIZE - 1, 1 - SIZE)
    assert eps_units(found[..., inside, inside], jnp.roll(still, (1, 2), (-2, -1))[..., inside, inside]) < BUDGET


# --- against sums written out -----------------------------------------------------------------------------------------


def kernel_at(field, params, window, x, c, shape):
    joined = np.concatenate([x, c])
    value = field.apply(params, jnp.asarray(joined)) * window(jnp.asarray(x), jnp.asarray(c))
    return np.asarray(value).reshape(shape)


def positions(signal):
    """Where each offset of a kernel is: (row, column) -> vector."""
    pixel = np.asarray(signal.pixel)
    return lambda row, column: pixel @ np.array([column, row], float)


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("kind", ["lifting", "group_conv", "to_plane"])
def test_layers_are_their_sums(name, kind):
    group = GROUPS[name]
    layer = layers(group)[kind]
    params = layer.init(jax.random.key(0))
    signal = picture("float64") if kind == "lifting" else on_group(group, "float64")
    out = some(group, 2, 2, "float64")
    found = np.asarray(applied(kind, layer, params, signal, out).values)
    at, area, middle = positions(signal), abs(np.linalg.det(signal.pixel)), SIDE // 2
    cut = SIZE // 2 if kind == "lifting" else 0
    values = np.asarray(signal.values)[0]
    elements = np.eye(2)[None] if kind == "lifting" else np.asarray(signal.elements)
    weights = np.ones(1) if kind == "lifting" else np.exp(signal.log_weights)
    for a, h in enumerate(np.asarray(out) if kind != "to_plane" else np.eye(2)[None]):
        total = np.zeros(3)
        for i, other in enumerate(elements):
            own = other if kind == "to_plane" else h
            determinant = np.linalg.det(h if kind == "lifting" else other)
            c = np.zeros(0)
            if kind == "group_conv":
                c = np.asarray(cartan_coordinates(group, jnp.asarray(np.linalg.solve(h, other))))
            for row in range(-2, 3):
                for column in range(-2, 3):
                    x = np.linalg.solve(own, at(row, column))
                    kernel = kernel_at(FIELD, params, lie_conv.bump, x, c, (3, 2))
                    f = values[:, middle + row, middle + column] if kind == "lifting" else None
                    f = values[:, i, middle + row, middle + column] if f is None else f
                    total += weights[i] * area / determinant * kernel @ f
        place = found[0, :, a] if kind != "to_plane" else found[0]
        np.testing.assert_allclose(place[:, middle - cut, middle - cut], total, rtol=1e-11)


def test_a_separable_layer_is_the_full_one_with_a_product_for_its_kernel():
    group, signal = sl(2), on_group(sl(2), "float64")
    layer = layers(group)["separable"]
    params, out = layer.init(jax.random.key(0)), some(group, 2, 3, "float64")
    found = layer.apply(params, signal, out).values

    def features(params, x):
        plane, c = x[..., :2], x[..., 2:]
        k_plane, k_group = FIELD.apply(params["plane"], plane), FIELD.apply(params["group"], c)
        product = k_plane[..., :, None] * k_group.reshape(*k_group.shape[:-1], 3, 2)
        return product.reshape(*x.shape[:-1], 6)

    product = fields.Field(("product",), "product", FIELD.init, features, lambda p: (jnp.eye(6), jnp.zeros(6)))
    full = lie_conv.group_conv(group, 2, 3, SIZE, product, lie_conv.bump)
    np.testing.assert_allclose(full.apply(params, signal, out).values, found, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("chunk", [1, 2, 3, 5])
def test_chunks_change_nothing(chunk):
    group, signal = gl_plus(2), on_group(gl_plus(2), "float64")
    settings = (group, 2, 3, SIZE, FIELD, lie_conv.ball)
    whole, parts = lie_conv.group_conv(*settings), lie_conv.group_conv(*settings, chunk=chunk)
    params, out = whole.init(jax.random.key(0)), some(group, 2, 3, "float64")

    def loss(layer):
        return lambda p: jnp.sum(layer.apply(p, signal, out).values ** 2)

    np.testing.assert_allclose(
        parts.apply(params, signal, out).values, whole.apply(params, signal, out).values, rtol=1e-11, atol=1e-14
    )
    for a, b in zip(*(jax.tree.leaves(jax.grad(loss(layer))(params)) for layer in (whole, parts))):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_one_element_is_an_ordinary_convolution():
    """With the identity alone the kernel is k(x, 0)."""
    signal = on_group(sl(2), "float64")
    one = signal._replace(values=signal.values[..., :1, :, :], elements=jnp.eye(2)[None], log_weights=jnp.zeros(1))
    layer = layers(sl(2))["group_conv"]
    params = layer.init(jax.random.key(0))
    steps = np.arange(SIZE) - SIZE // 2
    x = np.array([[0.4 * column, -0.4 * row] for row in steps for column in steps])
    joined = np.concatenate([x, np.zeros((len(x), 3))], axis=-1)
    kernel = FIELD.apply(params, jnp.asarray(joined)) * lie_conv.bump(jnp.asarray(x), jnp.zeros((len(x), 3)))[:, None]
    kernel = 0.16 * np.asarray(kernel).reshape(SIZE, SIZE, 3, 2)
    wanted = sum(
        scipy.ndimage.correlate(np.asarray(one.values[0, i, 0]), kernel[:, :, 1, i], mode="constant") for i in range(2)
    )
    np.testing.assert_allclose(layer.apply(params, one).values[0, 1, 0], wanted, rtol=1e-11, atol=1e-14)


def test_the_order_of_a_sample_is_that_of_the_result():
    signal, order = on_group(sl(2), "float64"), jnp.array([2, 0, 3, 1])
    other = signal._replace(
        values=signal.values[..., order, :, :], elements=signal.elements[order], log_weights=signal.log_weights[order]
    )
    layer = layers(sl(2))["group_conv"]
    params = layer.init(jax.random.key(0))
    found, wanted = layer.apply(params, other), layer.apply(params, signal)
    np.testing.assert_allclose(found.values, wanted.values[..., order, :, :], rtol=1e-11, atol=1e-13)
    np.testing.assert_array_equal(found.elements, wanted.elements[order])


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_finite_where_elements_are_special(kind):
    """The identity, a multiple of a rotation, and half a turn."""
    group = gl_plus(2)
    out = jnp.stack([jnp.eye(2), 1.5 * so(2).exp(jnp.array([0.7])), so(2).exp(jnp.array([jnp.pi]))])
    signal = on_group(group, "float64")._replace(elements=jnp.concatenate([out, out[:1]]))
    signal = picture("float64") if kind == "lifting" else signal
    layer = layers(group, lie_conv.ball)[kind]
    params = layer.init(jax.random.key(0))
    where = out if kind != "to_plane" else signal.elements

    def loss(params, elements):
        if kind == "to_plane":
            return jnp.sum(layer.apply(params, signal._replace(elements=elements)).values ** 2)
        return jnp.sum(applied(kind, layer, params, signal, elements).values ** 2)

    for leaf in jax.tree.leaves(jax.grad(loss, argnums=(0, 1))(params, where)):
        assert np.isfinite(leaf).all()
        assert np.abs(leaf).max() > 0


# --- windows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [lie_conv.disc, lie_conv.ball, lie_conv.bump], ids=lambda w: w.__name__)
def test_kernels_have_no_jump_in_the_angle(window):
    """Neither at the identity nor at half a turn; the angle in [0, 2 pi) has one at the identity."""
    params = FIELD.init(jax.random.key(0), 3, 4, 25)

    def kernel(angle):
        c = cartan_coordinates(so(2), so(2).exp(jnp.array([angle])))
        return FIELD.apply(params, jnp.concatenate([jnp.array([0.3, 0.1]), c])) * window(jnp.array([0.3, 0.1]), c)

    for angle in (0.0, jnp.pi, -jnp.pi):
        step = np.abs(np.asarray(kernel(angle + 1e-6) - kernel(angle - 1e-6))).max()
        assert step < 1e-4 * np.abs(np.asarray(kernel(0.0))).max()

    def jumping(angle):
        c = jnp.array([angle % (2 * jnp.pi)])
        return FIELD.apply(params, jnp.concatenate([jnp.array([0.3, 0.1]), c]))

    assert np.abs(np.asarray(jumping(1e-6) - jumping(-1e-6))).max() > 0.1 * np.abs(np.asarray(jumping(1e-6))).max()


# --- pooling ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sharpness", [0.0, 0.5, 20.0, float("inf")])
def test_pools_are_invariant_where_the_sample_moves(sharpness):
    signal, a = on_group(gl_plus(2), "float64"), some(gl_plus(2), 3, 1, "float64")[0]
    found = lie_conv.invariant_pool(lie_conv.move(signal, a), sharpness)
    assert eps_units(found, lie_conv.invariant_pool(signal, sharpness)) < BUDGET


def test_pools_go_from_the_average_to_the_maximum():
    signal = on_group(gl_plus(2), "float64")
    pools = [lie_conv.invariant_pool(signal, s) for s in (0.0, 1e-6, 1.0, 30.0, 3e4, float("inf"))]
    assert all((b >= a).all() for a, b in itertools.pairwise(pools))
    np.testing.assert_allclose(pools[0], pools[1], atol=1e-5)
    np.testing.assert_allclose(pools[-1], pools[-2], atol=1e-3)
    weights = np.exp(signal.log_weights) / np.linalg.det(signal.elements)
    wanted = np.average(signal.values.mean(axis=(-1, -2)), axis=-1, weights=weights)
    np.testing.assert_allclose(pools[0], wanted, rtol=1e-12)


# --- signals ----------------------------------------------------------------------------------------------------------


def test_bad_signals_are_found_inside_jit():
    layer = layers(sl(2))["group_conv"]
    params, signal = layer.init(jax.random.key(0)), on_group(sl(2), "float64")
    flipped = signal._replace(elements=signal.elements.at[1].set(jnp.diag(jnp.array([1.0, -1.0]))))
    out = jax.jit(layer.apply)(params, flipped)
    assert np.isnan(out.values).any()
    check = jax.jit(lie_conv.valid)
    assert bool(check(signal))
    assert not bool(check(flipped))
    assert not bool(check(signal._replace(log_weights=signal.log_weights.at[0].set(jnp.nan))))
    assert not bool(check(signal._replace(values=signal.values.at[0, 0, 0, 0, 0].set(jnp.inf))))
    assert not bool(check(signal._replace(pixel=jnp.zeros((2, 2)))))


def blob(a=None, t=None, side=121, spacing=0.15):
    """A sum of three Gaussians, moved by x -> a x + t."""
    a, t = np.eye(2) if a is None else a, np.zeros(2) if t is None else t
    steps = (np.arange(side) - (side - 1) / 2) * spacing
    x = np.stack(np.meshgrid(steps, -steps, indexing="xy"), axis=-1)
    x = (x - t) @ np.linalg.inv(a).T
    spots = [((0.0, 0.0), (1.0, 0.5), 1.0), ((1.2, 0.6), (0.5, 0.9), 0.7), ((-0.8, 1.1), (0.6, 0.6), 0.5)]
    values = sum(w * np.exp(-(((x - m) / s) ** 2).sum(-1) / 2) for m, s, w in spots)
    return lie_conv.image(jnp.asarray(values[None]), spacing)


def test_frames_move_with_the_image():
    """P(L_A f) = A P(f) Q with a rotation Q, and the image looks the same from there."""
    a, t = np.array([[1.3, 0.4], [-0.2, 0.8]]), np.array([0.5, -0.7])
    centre, frame = frames.moment_frame(blob())
    there, moved = frames.moment_frame(blob(a, t))
    np.testing.assert_allclose(there, a @ centre + t, atol=1e-8)
    q = np.linalg.inv(a @ frame) @ moved
    np.testing.assert_allclose(q @ q.T, np.eye(2), atol=1e-8)
    assert np.linalg.det(q) > 0
    turns = so(2).exp(jnp.array([[0.3], [2.0]]))
    still = frames.pull_back(blob(), centre, frame @ jnp.asarray(q) @ turns, 21, 0.2)
    found = frames.pull_back(blob(a, t), there, moved @ turns, 21, 0.2)
    np.testing.assert_allclose(found, still, atol=5e-4)  # the pixels of both differ, and so do their splines
    other = frames.pull_back(blob(a, t), there, jnp.asarray(q) @ turns, 21, 0.2)  # a frame that stays
    assert np.abs(other - still).max() > 0.1


def test_an_image_is_the_same_from_a_moved_element():
    f, a = blob(), some(gl_plus(2), 3, 1, "float64")[0]
    h = some(gl_plus(2), 2, 3, "float64")
    still = frames.pull_back(f, jnp.array([0.2, 0.1]), h, 15, 0.2)
    found = frames.pull_back(lie_conv.move(f, a), a @ jnp.array([0.2, 0.1]), a @ h, 15, 0.2)
    assert eps_units(found, still) < BUDGET


def test_between_pixels_an_image_is_its_cubic_spline():
    f = blob(side=41, spacing=0.5)
    h, centre = some(gl_plus(2), 2, 2, "float64"), jnp.array([0.3, -0.2])
    found = frames.pull_back(f, centre, h, 9, 0.4)
    steps = (np.arange(9) - 4) * 0.4
    y = np.stack(np.meshgrid(steps, -steps, indexing="xy"), axis=-1)
    for k in range(2):
        x = y @ np.asarray(h[k]).T + np.asarray(centre)
        rows, columns = 20 - x[..., 1] / 0.5, 20 + x[..., 0] / 0.5
        wanted = scipy.ndimage.map_coordinates(np.asarray(f.values[0]), [rows, columns], order=3)
        np.testing.assert_allclose(found[k, 0], wanted, atol=1e-6)


def test_an_image_without_ink_has_no_frame():
    centre, frame = jax.jit(frames.moment_frame)(PlaneSignal(jnp.zeros((1, 5, 5)), jnp.eye(2)))
    assert np.isnan(centre).all()
    assert np.isnan(frame).all()


def test_a_field_starts_with_the_sizes_it_says():
    field = fields.siren(hidden=50, depth=3, frequency=10.0)
    params = field.init(jax.random.key(0), 5, 200, 75)
    bounds = [1 / 5, np.sqrt(6 / 50) / 10, np.sqrt(6 / 50) / 10]
    for layer, bound in zip(params["sines"], bounds, strict=True):
        assert 0.9 * bound < np.abs(layer["weight"]).max() <= bound
        assert not layer["bias"].any()
    assert 0.99 * np.sqrt(6 / 50 / 75) < np.abs(params["end"]["weight"]).max() <= np.sqrt(6 / 50 / 75)
    x = np.linspace(-1, 1, 15).reshape(3, 5)
    h = x
    for layer in params["sines"]:
        h = np.sin(10 * (h @ np.asarray(layer["weight"]) + np.asarray(layer["bias"])))
    wanted = h @ np.asarray(params["end"]["weight"])
    np.testing.assert_allclose(field.apply(params, jnp.asarray(x)), wanted, rtol=1e-12)
