r"""How poses are judged, and what others report: angles, shares within 15 and 30 degrees, and log-likelihoods.

A pose is right if it is one of the rotations under which the solid looks the same, so an error is the least angle to
one of them. Medians and shares are taken over the pictures of a class, and then their mean over the classes. A
log-likelihood is that of the field, whose rotations have the volume pi^2: the log density against the Haar measure of
mass 1, less ``log pi^2``. It is the mean over all equivalent rotations of a picture, and then over the pictures.

A model that only knows the cells of a grid, ``72 * 8^level`` of them, cannot do better than to divide its mass among
the cells of a picture's equivalent rotations: ``ceiling``.

``MODELNET10_SO3`` and ``PASCAL3D`` are numbers of others. Those of SYMSOL were not found, and so are not here.

Reference:
    Murphy, Esteves, Jampani, Ramalingam, Makadia, Implicit-PDF, ICML 2021 (arXiv 2106.05965), for log-likelihoods;
    Tulsiani, Malik, Viewpoints and Keypoints, CVPR 2015, for medians and shares.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = [
    "MODELNET10_SO3",
    "PASCAL3D",
    "UNIFORM",
    "Published",
    "accuracy",
    "ceiling",
    "errors",
    "log_likelihood",
    "median_error",
    "to_nearest",
]

UNIFORM = -2 * math.log(math.pi)
"""The log-likelihood of the uniform density, -2.2895."""


def errors(predicted: np.ndarray, equivalent: np.ndarray) -> np.ndarray:
    """The least angle between a rotation and the equivalent ones.

    ``atan2(|R^T S - S^T R|_F / sqrt 8, (tr R^T S - 1) / 2)``, right to rounding near 0 and near 180 degrees.

    Args:
        predicted: (..., 3, 3).
        equivalent: (..., k, 3, 3).

    Returns:
        (...), degrees.

    Example:
        >>> errors(np.eye(3), np.stack([np.diag([1.0, -1.0, -1.0]), np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])]))
        np.float64(90.0)
    """
    between = np.einsum("...ij,...kil->...kjl", predicted, equivalent)
    sine = np.linalg.norm(between - np.swapaxes(between, -1, -2), axis=(-1, -2)) / 8**0.5
    cosine = (np.trace(between, axis1=-2, axis2=-1) - 1) / 2
    return np.degrees(np.arctan2(sine, cosine)).min(-1)


def to_nearest(rotations: jax.Array, equivalent: jax.Array) -> jax.Array:
    """The least angle, as ``errors``, from each of many rotations to those of one picture, for compiled programs.

    ``arccos((tr R^T S - 1) / 2)``, one product of matrices; in float32 right to a twentieth of a degree.

    Args:
        rotations: (n, 3, 3).
        equivalent: (k, 3, 3).

    Returns:
        (n,), degrees.

    Example:
        >>> to_nearest(jnp.eye(3)[None], jnp.diag(jnp.array([1.0, -1.0, -1.0]))[None]).tolist()
        [180.0]
    """
    trace = jnp.max(rotations.reshape(-1, 9) @ equivalent.reshape(-1, 9).T, axis=-1)
    return jnp.degrees(jnp.arccos(jnp.clip((trace - 1) / 2, -1, 1)))


def _over_classes(values: np.ndarray, labels: np.ndarray, statistic: Callable[[np.ndarray], float]) -> np.ndarray:
    if len(values) != len(labels) or not len(labels):
        raise ValueError(
            f"there has to be one label for each picture and one picture, got {len(values)}, {len(labels)}"
        )
    return np.array([statistic(values[labels == label]) for label in np.unique(labels)])


def median_error(degrees: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """The median over each class, and the mean of these.

    Args:
        degrees: (n,), from ``errors``.
        labels: (n,).

    Returns:
        The mean, and the medians of the classes that have pictures, in order.

    Raises:
        ValueError: no picture, or another number of labels.

    Example:
        >>> median_error(np.array([1.0, 2.0, 9.0, 40.0]), np.array([0, 0, 0, 1]))
        (21.0, array([ 2., 40.]))
    """
    found = _over_classes(degrees, labels, lambda of_class: float(np.median(of_class)))
    return float(found.mean()), found


def accuracy(degrees: np.ndarray, labels: np.ndarray, within: float) -> tuple[float, np.ndarray]:
    """The share of pictures with a smaller error over each class, and the mean of these.

    Args:
        degrees: (n,), from ``errors``.
        labels: (n,).
        within: degrees; the field has 15 and 30.

    Returns:
        The mean, and the shares of the classes that have pictures, in order.

    Raises:
        ValueError: no picture, or another number of labels.

    Example:
        >>> accuracy(np.array([1.0, 2.0, 19.0, 40.0]), np.array([0, 0, 1, 1]), 30)
        (0.75, array([1. , 0.5]))
    """
    found = _over_classes(degrees, labels, lambda of_class: float((of_class < within).mean()))
    return float(found.mean()), found


def log_likelihood(at_equivalent: np.ndarray) -> float:
    """The mean over the equivalent rotations of a picture, then over the pictures.

    Args:
        at_equivalent: (n, k), from ``equiv.layers.so3.log_likelihood``.

    Example:
        >>> log_likelihood(np.array([[1.0, 3.0], [5.0, 7.0]]))
        4.0
    """
    return float(np.mean(at_equivalent))


def ceiling(level: int, n_equivalent: int) -> float:
    """The most that a density on the cells of a grid can reach, ``log(72 * 8^level / (pi^2 k))``.

    Args:
        level: of ``equiv.groups.measures.so3_grid``.
        n_equivalent: rotations k under which the solid looks the same.

    Example:
        >>> [round(ceiling(5, k), 2) for k in (1, 12, 24, 60)]
        [12.38, 9.9, 9.21, 8.29]
    """
    return math.log(72 * 8**level / n_equivalent) + UNIFORM


class Published(NamedTuple):
    """Median errors that others report, in degrees.

    Attributes:
        method: as they call it.
        average: mean over the classes.
        classes: in the order of the data set; None if the number was not found.
        source: who reports it.
        known: ``read`` there; ``second-hand``, read in somebody else's account.
    """

    method: str
    average: float
    classes: tuple[float | None, ...]
    source: str
    known: Literal["read", "second-hand"]


_TABLE = "Howell et al., NeurIPS 2023, supplement, table 4"
_NONE = (None,) * 12

MODELNET10_SO3 = (
    Published("Mohlin", 17.1, (89.1, 4.4, 5.2, 13.0, 6.3, 5.8, 13.5, 4.0, 25.8, 4.0), _TABLE, "read"),
    Published("Prokudin", 49.3, (122.8, 3.6, 9.6, 117.2, 29.9, 6.7, 73.0, 10.4, 115.5, 4.1), _TABLE, "read"),
    Published("Deng", 32.6, (147.8, 9.2, 8.3, 25.0, 11.9, 9.8, 36.9, 10.0, 58.6, 8.5), _TABLE, "read"),
    Published("Liao", 36.5, (113.3, 13.3, 13.7, 39.2, 26.9, 16.4, 44.2, 12.0, 74.8, 10.9), _TABLE, "read"),
    Published("Implicit-PDF", 21.5, (161.0, 4.4, 5.5, 7.1, 5.5, 5.7, 7.5, 4.1, 9.0, 4.8), _TABLE, "read"),
    Published("Image to Sphere", 16.3, (124.7, 3.1, 4.4, 4.7, 3.4, 4.4, 4.1, 3.0, 7.7, 3.6), _TABLE, "read"),
    Published("Howell", 17.8, (123.7, 4.6, 5.5, 6.9, 5.2, 6.1, 6.5, 4.5, 12.1, 4.9), _TABLE, "read"),
    Published("Rotation Laplace", 12.7, (None,) * 10, "others' accounts of Yin et al., ICLR 2023", "second-hand"),
)
"""Classes in the order of ``experiments.data.modelnet10_so3``. The mean of Howell's is 18.0, the table says 17.8."""

PASCAL3D = (
    Published(
        "Howell",
        9.2,
        (None, 12.6, 17.0, None, 3.0, 4.5, 9.4, None, 11.9, 12.1, None, 9.9),
        "others' accounts of Howell et al., NeurIPS 2023",
        "second-hand",
    ),
    Published(
        "Image to Sphere",
        9.8,
        (None, 12.7, 21.7, None, 3.3, 4.9, 9.5, None, 11.5, 10.5, None, 10.6),
        "others' accounts of Klee et al., ICLR 2023; +- 0.4 over runs",
        "second-hand",
    ),
    Published("Image to Sphere, released", 9.6, _NONE, "its public code", "read"),
    Published("Implicit-PDF", 10.2, _NONE, "others' accounts of Murphy et al., ICML 2021; about", "second-hand"),
    Published("Mohlin", 8.9, _NONE, "others' accounts of Mohlin et al., NeurIPS 2020", "second-hand"),
    Published("Mohlin, with rendered pictures", 8.1, _NONE, "others' accounts of the same", "second-hand"),
    Published("Rotation Laplace", 9.3, _NONE, "others' accounts of Yin et al., ICLR 2023", "second-hand"),
)
"""Classes in the order of ``experiments.data.pascal3d``; those of aeroplane, bottle, table and train were not found."""
