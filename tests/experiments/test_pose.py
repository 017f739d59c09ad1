"""How poses are judged: against scipy and against counting by hand."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from equiv.groups.measures import so3_grid
from experiments import pose
from experiments.data import modelnet10_so3, pascal3d, solids


def test_errors_are_angles():
    a, b = Rotation.random(200, rng=0), Rotation.random(200, rng=1)
    found = pose.errors(a.as_matrix(), b.as_matrix()[:, None])
    np.testing.assert_allclose(found, np.degrees((a.inv() * b).magnitude()), rtol=0, atol=1e-10)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-3, 90.0, 179.999999, 180.0])
def test_small_and_large_angles(angle):
    a = Rotation.random(rng=0)
    b = a * Rotation.from_rotvec(np.radians(angle) * np.array([0.6, 0.0, 0.8]))
    assert abs(pose.errors(a.as_matrix(), b.as_matrix()[None]) - angle) < 1e-12 + 1e-13 * angle


def test_errors_do_not_see_symmetries():
    cube = solids.solid("cube")
    r = Rotation.random(5, rng=0).as_matrix()
    labels = np.einsum("nij,kjl->nkil", r, cube.group)
    turned = r @ cube.group[7] @ Rotation.from_euler("x", 3, degrees=True).as_matrix()
    np.testing.assert_allclose(pose.errors(turned, labels), 3, rtol=0, atol=1e-10)
    assert pose.errors(turned, labels[:, :1]).min() > 60


def test_means_over_classes():
    degrees, labels = np.array([1, 3, 50, 16, 14.9, 200.0]), np.array([4, 4, 4, 1, 1, 0])
    mean, medians = pose.median_error(degrees, labels)
    assert medians.tolist() == [200, 15.45, 3]
    assert mean == pytest.approx(218.45 / 3)
    mean, shares = pose.accuracy(degrees, labels, 15)
    assert shares.tolist() == [0, 0.5, pytest.approx(2 / 3)]
    assert mean == pytest.approx(7 / 18)
    for n in (5, 0):
        with pytest.raises(ValueError, match="one label for each picture"):
            pose.median_error(degrees[:n], labels[: n and 6])


def test_log_likelihoods():
    assert abs(pose.UNIFORM + 2.28946) < 1e-5
    assert pose.log_likelihood(np.array([[0.0, 2.0], [4.0, 6.0]])) == 3
    for level, values in ((5, (12.38, 9.90, 9.21, 8.29)), (3, (8.23, 5.74, 5.05, 4.13))):
        assert [round(pose.ceiling(level, k), 2) for k in (1, 12, 24, 60)] == list(values)
    n = len(so3_grid(1))
    assert pose.ceiling(1, 12) == pytest.approx(math.log(n / 12 / math.pi**2))


def test_published_tables():
    """One number for each class of the data set; an average is that of the classes, as far as it was rounded."""
    for table, classes in ((pose.MODELNET10_SO3, modelnet10_so3.CLASSES), (pose.PASCAL3D, pascal3d.CLASSES)):
        assert len({row.method for row in table}) == len(table)
        for row in table:
            assert len(row.classes) == len(classes)
            if None not in row.classes:
                # Howell's classes have the mean 18.0, and the table says 17.8
                off = 0.2 if row.method == "Howell" else 0.0
                assert abs(np.mean(row.classes) - row.average - off) < 0.1, row.method
    found = [name for name, value in zip(pascal3d.CLASSES, pose.PASCAL3D[0].classes) if value is None]
    assert found == ["aeroplane", "bottle", "diningtable", "train"]
