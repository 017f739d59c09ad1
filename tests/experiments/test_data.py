"""The digits of scikit-learn: which are kept, how they are scaled, and how they are split."""

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits

from experiments.data import digits

SIZES = [digits.N_TRAIN, digits.N_VALIDATION, digits.N_TEST]


def test_class_9_is_left_out():
    images, labels = digits.load()
    source = load_digits()
    assert images.shape == (sum(SIZES), digits.SIDE**2) == (1617, 64)
    assert images.dtype == np.float32
    assert labels.dtype == np.int32
    assert np.unique(labels).tolist() == list(range(digits.N_CLASSES)) == list(range(9))
    assert (np.bincount(labels) == np.bincount(source.target)[:9]).all()
    assert (source.target == 9).sum() + len(labels) == len(source.target)


def test_pixels_are_the_real_ones():
    """One affine map for all pixels, rows in the order of the source."""
    images, labels = digits.load()
    source = load_digits()
    assert (images.min(), images.max()) == (-1, 1)
    for index in (0, 8, 9, 1616):
        row = np.flatnonzero(source.target < 9)[index]
        assert source.target[row] == labels[index]
        np.testing.assert_array_equal((images[index].reshape(8, 8) + 1) * 8, source.images[row])


@pytest.mark.parametrize("seed", [0, 1])
def test_parts_do_not_overlap(seed):
    parts = digits.split(jax.random.key(seed))
    assert [len(part) for part in parts] == SIZES
    assert sorted(np.concatenate(parts).tolist()) == list(range(sum(SIZES)))
    assert all(part.dtype == np.int32 for part in parts)


def test_the_split_is_that_of_its_key():
    first, again, other = (digits.split(jax.random.key(seed)) for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(first, again))
    assert not any((a == b).all() for a, b in zip(first, other))


def test_the_split_is_random():
    """Every part has about its share of every class: within 5 standard deviations of a draw without replacement."""
    _, labels = digits.load()
    total = np.bincount(labels)
    for part in digits.split(jax.random.key(2)):
        share = len(part) / len(labels)
        deviation = np.sqrt(total * share * (1 - share) * (len(labels) - total) / (len(labels) - 1))
        assert (abs(np.bincount(labels[part], minlength=9) - share * total) < 5 * deviation).all()
