"""The models that are compared: as many parameters, and the symmetry where it is said to be and nowhere else."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv import laws
from equiv.groups import dihedral
from equiv.reps import pixels
from experiments.digits_sample_complexity import EXPERIMENT, MODELS, classifier, draw
from experiments.models import n_parameters
from experiments.models.mlp import width_for

SMALL = dataclasses.replace(EXPERIMENT.presets["smoke"], copies=3)
KEY = jax.random.key(0)


def network(name):
    """A model with drawn parameters, biases included, as a function of a batch of images."""
    model = classifier(SMALL, name).model
    shapes = jax.eval_shape(model.init, jax.eval_shape(lambda: KEY))
    leaves, tree = jax.tree.flatten(shapes)
    draws = np.random.default_rng(0)
    params = tree.unflatten([jnp.asarray(0.3 * draws.standard_normal(leaf.shape), leaf.dtype) for leaf in leaves])
    return lambda x: model.apply(params, x)


@pytest.mark.parametrize("preset", EXPERIMENT.presets)
def test_as_many_parameters(preset):
    counts = [n_parameters(classifier(EXPERIMENT.presets[preset], name).model) for name in MODELS]
    assert max(counts) / min(counts) < 1.01


@pytest.mark.parametrize("name", MODELS)
def test_parameters_and_outputs_are_float32(name):
    model = classifier(SMALL, name).model
    params = jax.jit(model.init)(jax.random.key(1))
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == n_parameters(model)
    out = model.apply(params, jnp.ones((5, 64), jnp.float32))
    assert out.shape == (5, 9)
    assert out.dtype == jnp.float32


def test_only_one_model_is_augmented():
    assert [classifier(SMALL, name).augmented for name in MODELS] == [False, True, False, False]


def report(name):
    return laws.measure_invariance(
        network(name), pixels(dihedral(4), 8), key=jax.random.key(2), dtype=jnp.float32, shape=(4,), n=64
    )


@pytest.mark.parametrize("name", ["mlp_averaged", "equivariant_mlp"])
def test_invariant(name):
    found = report(name)
    assert found.problem is None
    assert found.eps_units < 200, found


def test_the_plain_model_is_not():
    assert report("mlp").eps_units > 1e5


@pytest.mark.parametrize("wanted", [100, 2627, 20387])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_width_is_the_nearest(wanted, depth):
    def count(w):
        return 65 * w + (depth - 1) * (w + 1) * w + 9 * (w + 1)

    width = width_for(wanted, 64, depth, 9)
    assert abs(count(width) - wanted) == min(abs(count(w) - wanted) for w in range(1, 2000))


@pytest.fixture(scope="module")
def trials():
    """Two trials as they are drawn for upright and for randomly posed training images."""
    keys = jax.random.split(jax.random.key(3), 2)
    drawn = jax.vmap(draw, in_axes=(0, None, None))
    return {poses: drawn(jax.random.clone(keys), 1000, poses) for poses in ("upright", "random")}


def test_poses(trials):
    """Every posed image is one of the eight of the upright one; an eighth of them, within 5 sigma, did not move."""
    upright, random = (np.asarray(trials[poses].train.x[0]) for poses in ("upright", "random"))
    rep = pixels(dihedral(4), 8)
    orbit = np.asarray(rep.act(rep.group.elements()[:, None], jnp.asarray(upright)))
    hits = (orbit == random).all(axis=-1)
    assert hits.any(axis=0).all()
    share = hits.sum(axis=1) / len(upright)
    deviation = np.sqrt(1 / 8 * 7 / 8 / len(upright))
    assert (abs(share - 1 / 8) < 5 * deviation).all()


@pytest.mark.parametrize("poses", ["upright", "random"])
def test_fewer_images_are_the_first(trials, poses):
    few = draw(jax.random.split(jax.random.key(3), 2)[1], 7, poses)
    np.testing.assert_array_equal(few.train.x, trials[poses].train.x[1, :7])
    np.testing.assert_array_equal(few.train.y, trials[poses].train.y[1, :7])


def test_poses_change_nothing_else(trials):
    upright, random = trials["upright"], trials["random"]
    assert (upright.train.y == random.train.y).all()
    assert (upright.test.x == random.test.x).all()
    assert (upright.validation.x == random.validation.x).all()
    assert not (upright.train.y[0] == upright.train.y[1]).all()
