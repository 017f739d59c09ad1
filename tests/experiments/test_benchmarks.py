"""affNIST and homNIST: what is counted is what is there, and a model that can learn does."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from public_files import write_affnist, write_mnist

from experiments import affnist, homnist
from experiments.data import homnist as homographies
from experiments.data.public import Images
from experiments.record import Mistake

PROTOCOL = affnist.Protocol(
    n_train=32,
    width=2,
    samples=2,
    epochs=12,
    batch_size=16,
    test_batch_size=7,
    learning_rate=0.01,
    feature_maps="float32",
)


def bars(n, seed=0):
    """Standing and lying bars: labels 0 and 1."""
    draw = np.random.default_rng(seed)
    x, y = np.zeros((n, 40, 40), np.uint8), draw.integers(0, 2, n)
    for image, label in zip(x, y):
        row, column = draw.integers(12, 25, 2)
        (image if label else image.T)[row : row + 3, column - 8 : column + 8] = 255
    return Images(x, y.astype(np.int32))


def test_a_model_learns_and_is_counted():
    with jax.enable_x64(False):
        found = affnist.trained(PROTOCOL, "cnn", jax.random.key(0), bars(32))
        assert found.loss[-1] < 0.3 * found.loss[0]
        test = bars(45, seed=1)
        accuracy = affnist.testing(PROTOCOL.shared, "cnn", affnist.stored)
        data = tuple(map(jnp.asarray, test))
        score = accuracy(found.params, data, 45)
        elements = found.model.sample(None, 2)
        guess = np.argmax(found.model.apply(found.params, jnp.asarray(test.x, jnp.float32) / 255, elements), -1)
        assert score == (guess == test.y).mean() > 0.9
        assert accuracy(found.params, data, 7) == (guess == test.y)[:7].mean()


def test_copies_of_homnist():
    """Copy 32 i + j is digit i under matrix 32 i + j."""
    x, y = bars(3)
    matrices = jnp.asarray(homographies.homographies(np.random.default_rng(0), 96), jnp.float32)
    images, labels = homnist.moved((jnp.asarray(x), jnp.asarray(y), matrices), jnp.array([0, 33, 95]))
    assert labels.tolist() == y.tolist()
    for k, i in enumerate((0, 33, 95)):
        expected = homographies.pull_back(jnp.asarray(x[k], jnp.float32) / 255, matrices[i])
        np.testing.assert_allclose(images[k], expected, atol=1e-4)


def test_too_few_digits():
    sentence = "the data have 9 digits where n_train asks for 10; give --n-train 9"
    with pytest.raises(Mistake, match=re.escape(sentence)):
        affnist.first(bars(9), 10, "n_train")
    assert len(affnist.first(bars(9), 9, "n_train").y) == 9


def test_training_does_not_depend_on_the_folder(tmp_path):
    """Nor on where the unmoved digits come from: their own file, or MNIST."""
    (x, y), _ = write_mnist(tmp_path / "a", 20, 5)
    moved = np.pad(x, [(0, 0), (6, 6), (6, 6)])
    for folder in ("a", "b"):
        for part in ("validation", "test"):
            write_affnist(tmp_path / folder / "transformed" / f"{part}.mat", moved, y)
    write_affnist(tmp_path / "b" / "just_centered" / "training.mat", moved, y)
    own = {"n_train": 20, "epochs": 1, "batch_size": 10, "models": ("cnn",), "n_validation": 9, "n_test": 20}
    fields = {f.name: getattr(PROTOCOL, f.name) for f in dataclasses.fields(PROTOCOL)} | own
    with jax.enable_x64(False):
        found = [
            affnist.run(affnist.Config(**fields | {"data": str(tmp_path / k)}), jax.random.key(0), {"model": "cnn"})
            for k in ("a", "b")
        ]
    assert found[0].equals(found[1])


def test_published_numbers():
    for row in (*affnist.PUBLISHED, *homnist.PUBLISHED):
        assert row.known in ("read", "second-hand", "recalled", "not found")
        assert (row.accuracy is None) == (row.known == "not found")
        assert row.accuracy is None or 50 < row.accuracy < 100
        assert row.source
