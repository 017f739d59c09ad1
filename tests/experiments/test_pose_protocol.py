"""SYMSOL, PASCAL3D+ and ModelNet10-SO(3): cameras, training, and what is measured."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from equiv.groups.measures import so3_grid
from experiments import pose_protocol, symsol
from experiments.data import pascal3d, solids
from experiments.data import symsol as pictures
from experiments.data.public import Poses
from experiments.models.pose import build
from experiments.pose import errors
from experiments.record import Mistake

PROTOCOL = pose_protocol.Protocol(
    n_test=3, side=8, width=8, l_max=1, train_level=0, test_level=1, epochs=200, batch_size=4, learning_rate=0.01
)


def views(n, seed=0):
    """Pictures of a solid without symmetries, as bytes, with their rotation twice."""
    with jax.enable_x64(False):
        x, rotations = solids.draw_views(jax.random.key(seed), solids.solid("cylO"), n, 8, 1, jnp.float32)
    rotations = np.repeat(np.asarray(rotations)[:, None], 2, axis=1)
    return Poses(np.round(255 * np.asarray(x)).astype(np.uint8), rotations, np.arange(n) % 2)


# --- cameras ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", pose_protocol.CAMERAS)
def test_cameras_look_down_the_y_axis_of_the_networks(name):
    matrix = pose_protocol.CAMERAS[name]
    np.testing.assert_array_equal(matrix @ matrix.T, np.eye(3))
    assert np.linalg.det(matrix) == 1
    where = dict(zip(name.split("_"), matrix.T.tolist()))
    towards = where.get("back") or [-x for x in where["ahead"]]
    downwards = where.get("down") or [-x for x in where["up"]]
    assert (where["right"], towards, downwards) == ([1, 0, 0], [0, 1, 0], [0, 0, 1])


def test_what_stands_upright_points_up_in_the_picture():
    """The z axis of a thing of PASCAL3D+ seen from its side; pictures of the networks have z downwards."""
    upright = pascal3d.viewpoint(30.0, 0.0, 0.0)[None, None].astype(np.float32)
    poses = pose_protocol.to_camera(Poses(np.zeros((1, 3, 8, 8)), upright, np.zeros(1)), "right_down_ahead")
    np.testing.assert_allclose(poses.rotations[0, 0, :, 2], [0, 0, -1], atol=1e-6)


# --- training and testing ---------------------------------------------------------------------------------------------


def test_a_model_learns_and_is_measured():
    train, test = views(8), views(3, seed=1)
    with jax.enable_x64(False):
        found = pose_protocol.trained(PROTOCOL, "fisher", jax.random.key(0), train)
        assert found.loss.shape == (200,)
        assert found.loss[-1] < found.loss[0] - 1
        measured = pose_protocol.tested(PROTOCOL, "fisher", found.params, test)
        model = build("fisher", 8, 1, 0, 8, 3)
        features = model.features(found.params, jnp.asarray(test.x, jnp.float32) / 255)
        likelihoods = model.log_likelihood(found.params, features, jnp.asarray(test.rotations), 1)
        density = [np.exp(model.log_density(found.params, features, level)) for level in (0, 1)]
        grids = [np.asarray(so3_grid(level, jnp.float32), np.float64) for level in (0, 1)]
    np.testing.assert_allclose(measured["log_likelihood"], likelihoods[:, 0], atol=1e-4)
    likeliest = grids[1][density[1].argmax(-1)]
    np.testing.assert_allclose(measured["error"], errors(likeliest, test.rotations), atol=1e-3)
    away = errors(grids[0][None], test.rotations[:, None])
    np.testing.assert_allclose(measured["spread"], (density[0] * away).mean(-1), atol=0.05)


def test_too_few_pictures():
    with pytest.raises(Mistake, match="there are 3 training pictures; give --batch-size 3 or less"):
        pose_protocol.trained(PROTOCOL, "fisher", jax.random.key(0), views(3))


def test_classes_are_judged_apart():
    """Two pictures of one class and four of the other."""
    found = {"error": np.array([10.0, 20.0, 1.0, 2.0, 40.0, 50.0]), "log_likelihood": np.arange(6.0)}
    row = pose_protocol.by_class(found, np.array([3, 3, 7, 7, 7, 7]))
    assert (row["median_error"].tolist(), row["mean_median_error"]) == ([15, 21], 18)
    assert (row["accuracy_15"].tolist(), row["mean_accuracy_15"]) == ([0.5, 0.5], 0.5)
    assert (row["accuracy_30"].tolist(), row["mean_accuracy_30"]) == ([1, 0.5], 0.75)
    assert row["log_likelihood"] == 2.5


def test_programs_serve_all_models_folders_and_numbers():
    other = dataclasses.replace(PROTOCOL, models=("pooled",), data="a", trials=3, n_train=5, camera="right_back_down")
    assert other.shared == PROTOCOL.shared
    assert dataclasses.replace(PROTOCOL, side=16).shared != PROTOCOL.shared


# --- SYMSOL -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 4, 30])
def test_fewer_labels_are_labels_of_the_same_picture(k):
    """All of them where there are as many, and none twice where there are more."""
    rotations = Rotation.random(5 * k, rng=0).as_matrix().reshape(5, k, 3, 3)
    found = symsol.fewer(rotations, 4)
    assert found.shape == (5, 4, 3, 3)
    for some, of in zip(found, rotations):
        known = {one.tobytes() for one in of}
        assert {one.tobytes() for one in some} <= known
        assert len({one.tobytes() for one in some}) == min(4, k)


def test_one_network_for_the_first_part(public_data):
    how = {field.name: getattr(PROTOCOL, field.name) for field in dataclasses.fields(PROTOCOL)}
    how |= {"data": public_data, "n_train": 2, "n_test": 2, "epochs": 1, "models": ("fisher",), "labels": 3}
    config = symsol.Config(**how)
    assert [len(symsol._to_train_on(public_data, shapes, 2, 8, 3).y) for shapes in (pictures.FIRST, ("tetX",))] == [
        *(10, 2)
    ]
    with jax.enable_x64(False):
        tet, cone = (symsol.run(config, jax.random.key(0), {"shape": k, "model": "fisher"}) for k in ("tet", "cone"))
    np.testing.assert_array_equal(tet["loss"], cone["loss"])
    assert float(tet["log_likelihood"][0]) != float(cone["log_likelihood"][0])
