"""Scikit-learn's bundled handwritten digits, 8 x 8 pixels, classes 0 to 8.

Class 9 is left out: a turned 6 is a 9, so that the label would not be invariant under turns of the image. What is
left is 1617 images. Pixels run from 0 to 16 in the source and from -1 to 1 here: one affine map for all pixels, which
commutes with every permutation of them.
"""

import functools
from typing import NamedTuple

import jax
import numpy as np
from sklearn.datasets import load_digits

__all__ = ["N_CLASSES", "N_TEST", "N_TRAIN", "N_VALIDATION", "SIDE", "Split", "load", "split"]

SIDE = 8
"""Pixels along one side of an image."""
N_CLASSES = 9
"""Digits 0 to 8."""
N_TRAIN, N_VALIDATION, N_TEST = 1000, 200, 417
"""Sizes of the three parts."""


@functools.cache
def load() -> tuple[np.ndarray, np.ndarray]:
    """All images and their labels.

    Returns:
        Images (1617, 64) float32 in [-1, 1], pixels row by row, and labels (1617,) int32.

    Example:
        >>> images, labels = load()
        >>> images.shape, int(labels.max())
        ((1617, 64), 8)
    """
    digits = load_digits()
    kept = digits.target < N_CLASSES
    return (digits.data[kept] / 8 - 1).astype(np.float32), digits.target[kept].astype(np.int32)


class Split(NamedTuple):
    """Numbers of images, no image in two parts; the first n of ``train`` are a training set of size n."""

    train: jax.Array
    validation: jax.Array
    test: jax.Array


def split(key: jax.Array) -> Split:
    """A random split of the images; training sets of growing size are nested prefixes of ``train``.

    Args:
        key: random key; the split depends on it alone.

    Returns:
        Indices into ``load()``: train (1000,), validation (200,), test (417,), all int32.

    Example:
        >>> [part.shape[0] for part in split(jax.random.key(0))]
        [1000, 200, 417]
    """
    order = jax.random.permutation(key, np.arange(N_TRAIN + N_VALIDATION + N_TEST, dtype=np.int32))
    return Split(order[:N_TRAIN], order[N_TRAIN : N_TRAIN + N_VALIDATION], order[N_TRAIN + N_VALIDATION :])
