"""Networks of poses: densities that are densities, steerable ones that commute with turns, a loss without a cheat."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv.groups import so
from equiv.groups.measures import so3_grid
from equiv.reps.irreps import rotation_matrix
from experiments.data import solids
from experiments.models import n_parameters
from experiments.models.pose import MODELS, build
from experiments.pose import UNIFORM, errors, to_nearest

SIDE, WIDTH, L_MAX, LEVEL = 16, 8, 3, 1


def made(name):
    """A model, drawn parameters, and two views in float32."""
    model = build(name, WIDTH, L_MAX, LEVEL, SIDE)
    images, rotations = solids.draw_views(jax.random.key(0), solids.solid("twist"), 2, SIDE, 1, jnp.float32)
    return model, jax.jit(model.init)(jax.random.key(1)), images[:, :2], rotations


@pytest.mark.parametrize("name", MODELS)
def test_a_density_has_mass_one_and_depends_on_the_picture(name):
    model, params, images, rotations = made(name)
    features = model.features(params, images)
    density = np.exp(np.asarray(model.log_density(params, features, LEVEL), np.float64))
    assert density.shape == (2, 576)
    np.testing.assert_allclose(density.mean(-1), 1, rtol=1e-5)
    assert np.abs(density[0] - density[1]).max() > 1e-4
    loss = model.loss(params, jax.random.key(2), images, rotations)
    assert abs(float(loss) + (0 if name == "implicit" else UNIFORM)) < 1.5


@pytest.mark.parametrize("name", ["induced", "implicit", "fisher"])
def test_likelihoods_agree_with_the_grid_at_its_first_rotation(name):
    """There the grid needs no turning, and both are the same numbers."""
    model, params, images, _ = made(name)
    features, first = model.features(params, images), so3_grid(LEVEL, jnp.float32)[0]
    found = model.log_likelihood(params, features, jnp.broadcast_to(first, (2, 1, 3, 3)), LEVEL)[:, 0]
    wanted = model.log_density(params, features, LEVEL)[:, 0] + UNIFORM
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_no_likelihood_is_above_that_of_a_cell():
    """A peak between the rotations of a grid is seen, because the grid is turned to where it is looked at."""
    model, params, _, rotations = made("fisher")
    blocks = (jnp.zeros((2, 1, 1), jnp.float32), 3000 * rotations)
    found = model.log_likelihood(params, blocks, rotations[:, None], LEVEL)
    assert np.all(np.asarray(found) <= np.log(576) + UNIFORM + 1e-3)
    assert np.all(np.asarray(found) >= np.log(576) + UNIFORM - 0.1)


def turned(images):
    """The pictures after a quarter turn of the camera."""
    return jnp.rot90(images, axes=(-2, -1))


@pytest.mark.parametrize("name", ["steerable", "steerable_mirror"])
def test_a_steerable_network_turns_its_density_with_the_camera(name):
    model, params, images, _ = made(name)
    quarter = rotation_matrix((jnp.pi / 2, 0.0, 0.0)).astype(jnp.float32)
    places = so(3).sample(jax.random.key(5), (2, 40), jnp.float32)
    likelihood = lambda images, places: np.asarray(
        model.log_likelihood(params, model.features(params, images), places, LEVEL)
    )
    found, wanted = likelihood(turned(images), quarter @ places), likelihood(images, places)
    assert wanted.std() > 1e-3
    np.testing.assert_allclose(found - found[:, :1], wanted - wanted[:, :1], atol=3e-5)
    wrong = likelihood(turned(images), quarter.T @ places)
    assert np.abs((wrong - wrong[:, :1]) - (wanted - wanted[:, :1])).max() > 1e-3


@pytest.mark.parametrize("name", ["pooled", "induced"])
def test_other_networks_do_not(name):
    model, params, images, _ = made(name)
    quarter = rotation_matrix((jnp.pi / 2, 0.0, 0.0)).astype(jnp.float32)
    places = so(3).sample(jax.random.key(5), (2, 40), jnp.float32)
    likelihood = lambda images, places: np.asarray(
        model.log_likelihood(params, model.features(params, images), places, LEVEL)
    )
    found, wanted = likelihood(turned(images), quarter @ places), likelihood(images, places)
    assert np.abs((found - found[:, :1]) - (wanted - wanted[:, :1])).max() > 1e-3


def test_a_mirror_symmetric_lift_has_fewer_parameters():
    free, mirror = (n_parameters(build(name, WIDTH, L_MAX, LEVEL, SIDE)) for name in ("induced", "mirror"))
    assert mirror < free


def test_the_nearest_equivalent_rotation_is_that_of_the_metrics():
    rotations = so(3).sample(jax.random.key(7), (30,), jnp.float32)
    equivalents = solids.equivalent(solids.solid("cube"), rotations[0])
    wanted = errors(np.asarray(rotations, np.float64), np.asarray(equivalents, np.float64)[None])
    np.testing.assert_allclose(to_nearest(rotations, equivalents), wanted, atol=0.05)


def test_another_model_is_refused():
    with pytest.raises(ValueError, match="build knows orthographic, induced"):
        build("transformer", WIDTH, L_MAX, LEVEL)
