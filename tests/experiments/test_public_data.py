"""MNIST, affNIST and homNIST: files written here are read, and what is wrong with others is told in a sentence."""

import gzip
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.io
import scipy.linalg
import scipy.ndimage
from public_files import idx, images, write_affnist, write_mnist

from experiments.data import affnist, homnist, mnist, public
from experiments.record import Mistake


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv(public.VARIABLE, raising=False)


@pytest.fixture
def small_mnist(monkeypatch):
    monkeypatch.setattr(mnist, "N_TRAIN", 4)


def refused(*parts):
    return pytest.raises(Mistake, match=".*".join(map(re.escape, map(str, parts))))


# --- the folder -----------------------------------------------------------------------------------


def test_the_folder(tmp_path, monkeypatch):
    assert public.folder(str(tmp_path)) == tmp_path
    with refused("no folder of data was named; give one with --data DIR or EQUIV_DATA=DIR"):
        public.folder("")
    with refused("there is no folder", "no/such", "--data DIR or EQUIV_DATA=DIR"):
        public.folder("no/such")
    monkeypatch.setenv("EQUIV_DATA", str(tmp_path))
    assert public.folder("") == tmp_path
    with refused("no/such"):
        public.folder("no/such")


# --- MNIST ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["u1", "i1", ">i2", "<i4", "f4", "f8"])
@pytest.mark.parametrize("packed", [False, True])
def test_idx(tmp_path, kind, packed):
    array = np.arange(24).reshape(2, 3, 4).astype(kind)
    (tmp_path / "a").write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    found = mnist.idx(tmp_path / "a")
    assert found.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, array)


WHOLE = idx(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not in the idx format: it begins with nothing"),
        (b"abcdef", "is not in the idx format: it begins with 61626364"),
        (WHOLE[:-1], "is damaged: its 39 bytes do not agree with its header"),
        (WHOLE + b"x", "is damaged: its 41 bytes do not agree with its header"),
        (WHOLE[:9], "is damaged: its 9 bytes do not agree with its header"),
        (gzip.compress(WHOLE)[:-9], "cannot be read"),
        (gzip.compress(WHOLE)[:12] + b"xx" + gzip.compress(WHOLE)[14:], "cannot be read"),
    ],
)
def test_a_damaged_idx_file_is_named(tmp_path, content, sentence):
    path = tmp_path / "a"
    path.write_bytes(content)
    with refused(path, sentence, "fetch it again"):
        mnist.idx(path)


def test_a_folder_is_no_idx_file(tmp_path):
    with refused(tmp_path, "cannot be read"):
        mnist.idx(tmp_path)


@pytest.mark.parametrize("dot", "-.")
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("below", ["", "mnist", "MNIST/raw"])
def test_mnist(tmp_path, small_mnist, dot, packed, below):
    (x, y), (x_test, y_test) = write_mnist(tmp_path / below, 6, 3, dot, packed)
    parts = {"train": (x[:4], y[:4]), "validation": (x[4:], y[4:]), "test": (x_test, y_test)}
    for part, (pictures, labels) in parts.items():
        found = mnist.load(str(tmp_path), part)
        np.testing.assert_array_equal(found.x, pictures)
        np.testing.assert_array_equal(found.y, labels)
        assert (found.x.dtype, found.y.dtype) == (np.uint8, np.int32)
    assert mnist.missing(str(tmp_path), *parts) is None


def test_mnist_by_the_environment(tmp_path, small_mnist, monkeypatch):
    write_mnist(tmp_path, 6, 3)
    monkeypatch.setenv("EQUIV_DATA", str(tmp_path))
    assert len(mnist.load("", "test").y) == 3


def test_mnist_is_missing(tmp_path):
    write_mnist(tmp_path, 6, 3)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    assert mnist.missing(str(tmp_path), "train") is None
    sentence = mnist.missing(str(tmp_path), "train", "test")
    for word in ("t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz", "published: The MNIST database"):
        assert word in sentence
    with refused(sentence):
        mnist.load(str(tmp_path), "test")
    assert "no folder of data was named" in mnist.missing("", "train")


def test_mnist_that_is_not_mnist(tmp_path):
    write_mnist(tmp_path, 6, 3, packed=False)
    with refused("train-images-idx3-ubyte has 6 images and none for validation"):
        mnist.load(str(tmp_path), "validation")
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    for wrong in (np.zeros(2, np.uint8), np.full(3, 10, np.uint8), np.zeros(3, np.int32)):
        labels.write_bytes(idx(wrong))
        with refused(labels, "has to hold 3 labels from 0 to 9, as many as t10k-images"):
            mnist.load(str(tmp_path), "test")
    pictures = tmp_path / "t10k-images-idx3-ubyte"
    for wrong in (np.zeros((3, 27, 28), np.uint8), np.zeros((3, 28, 28), np.int16)):
        pictures.write_bytes(idx(wrong))
        with refused(pictures, "expected bytes (n, 28, 28)"):
            mnist.load(str(tmp_path), "test")


def test_framed():
    x, _ = images(2, 28)
    found = mnist.framed(x)
    np.testing.assert_array_equal(found[:, 6:34, 6:34], x)
    assert found.sum() == x.sum()


# --- affNIST --------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "32x", "affNIST/32x"])
@pytest.mark.parametrize("batches", [False, True])
def test_affnist(tmp_path, below, batches):
    """A part of n images, one of them alone in its file."""
    written = {part: images(n, 40, n) for part, n in (("train", 5), ("validation", 32), ("test", 64))}
    for part, (x, y) in written.items():
        name = tmp_path / below / affnist.PARTS[part]
        if part == "train" or not batches:
            write_affnist(name.with_suffix(".mat"), x, y)
        else:
            for k, (some, labels) in enumerate(zip(np.split(x, 32), np.split(y, 32)), 1):
                write_affnist(name.with_name(f"{name.name}_batches") / f"{k}.mat", some, labels)
    for part, (x, y) in written.items():
        found = affnist.load(str(tmp_path), part)
        np.testing.assert_array_equal(found.x, x)
        np.testing.assert_array_equal(found.y, y)
        assert (found.x.dtype, found.y.dtype) == (np.uint8, np.int32)
    assert affnist.missing(str(tmp_path), *written) is None


def test_unmoved_images_from_mnist(tmp_path, small_mnist):
    (x, y), _ = write_mnist(tmp_path, 6, 3)
    assert affnist.missing(str(tmp_path), "train") is None
    found = affnist.load(str(tmp_path), "train")
    np.testing.assert_array_equal(found.x[:, 6:-6, 6:-6], x[:4])
    np.testing.assert_array_equal(found.y, y[:4])


def test_affnist_is_missing_or_packed(tmp_path):
    def told(part="test"):
        sentence = affnist.missing(str(tmp_path), part)
        with refused(sentence):
            affnist.load(str(tmp_path), part)
        return sentence

    sentence = told()
    for word in (
        "transformed/test.mat or transformed/test_batches/1.mat ... transformed/test_batches/32.mat",
        "tijmen",
    ):
        assert word in sentence
    assert "has no just_centered/training.mat; published: affNIST" in told("train")
    folder = tmp_path / "32x" / "transformed"
    folder.mkdir(parents=True)
    for name in ("test.mat.zip", "test_batches.zip"):
        (folder / name).write_bytes(b"PK")
        assert f"{folder / name} is packed; unpack it there: cd {folder} && unzip {name}" in told()
        (folder / name).unlink()
    write_affnist(folder / "test_batches" / "1.mat", *images(2, 40))
    assert f"{folder / 'test_batches' / '2.mat'} is missing; it is published with the others" in told()


def test_a_damaged_affnist_file_is_named(tmp_path):
    path = tmp_path / "a.mat"
    for content in (b"", b"a text\n", b"MATLAB 7.3 MAT-file" + b" " * 200):
        path.write_bytes(content)
        with refused(path, "is damaged or not a MATLAB file of version 5"):
            affnist.read(path)
    for content in ({"image": np.zeros(3)}, {"affNISTdata": np.zeros(3)}, {"affNISTdata": {"image": np.zeros(3)}}):
        scipy.io.savemat(path, content)
        with refused(path, "has no structure affNISTdata with the fields image and label_int"):
            affnist.read(path)
    for image in (np.zeros((1599, 2), np.uint8), np.zeros((1600, 2))):
        scipy.io.savemat(path, {"affNISTdata": {"image": image, "label_int": np.zeros((1, 2))}})
        with refused(path, "expected bytes (1600, n)"):
            affnist.read(path)
    for label in (np.zeros((1, 3)), np.full((1, 2), 10), np.array([[0, np.nan]])):
        scipy.io.savemat(path, {"affNISTdata": {"image": np.zeros((1600, 2), np.uint8), "label_int": label}})
        with refused(path, "has to hold 2 labels from 0 to 9"):
            affnist.read(path)


# --- homNIST --------------------------------------------------------------------------------------


def test_the_density_is_that_of_the_haar_measure():
    """``det (integral_0^1 exp(-s ad_v) ds)``, ad from commutators of matrices, the integral by quadrature."""
    v = np.random.default_rng(0).normal(size=8) * 0.3
    x = np.einsum("i,ijk->jk", v, homnist.BASIS)
    flat = homnist.BASIS.reshape(8, 9).T
    ad = np.linalg.lstsq(flat, np.stack([(x @ e - e @ x).ravel() for e in homnist.BASIS], -1), rcond=None)[0]
    integral, _ = scipy.integrate.quad_vec(lambda s: scipy.linalg.expm(-s * ad), 0, 1, epsabs=1e-13)
    assert abs(homnist.density(v) / np.linalg.det(integral) - 1) < 1e-6  # ten terms of the series
    # SL(3) is unimodular
    assert abs(homnist.density(v) / homnist.density(-v) - 1) < 1e-6
    assert homnist.density(np.zeros((2, 3, 8))).shape == (2, 3)


def test_homographies():
    """Of determinant 1; the coordinates have at least the spread of two steps, and hardly more."""
    n = 4000
    h = homnist.homographies(np.random.default_rng(0), n)
    np.testing.assert_allclose(np.linalg.det(h), 1, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(h[:5], homnist.homographies(np.random.default_rng(0), n)[:5])
    flat = homnist.BASIS.reshape(8, 9).T
    logs = np.stack([scipy.linalg.logm(one).real.ravel() for one in h[:500]], -1)
    v = np.linalg.lstsq(flat, logs, rcond=None)[0]
    spread = v.std(1) / (np.asarray(homnist.SCALES) / 2)
    assert (np.sqrt(2) * (1 - 5 / np.sqrt(1000)) < spread).all()
    assert (spread < 1.2 * np.sqrt(2)).all()
    assert (np.abs(v.mean(1)) < 5 * v.std(1) / np.sqrt(500)).all()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_pull_back_is_bilinear(dtype):
    """Against scipy's interpolation of degree one, zero outside."""
    draw = np.random.default_rng(0)
    image = scipy.ndimage.gaussian_filter(draw.random((40, 40)), 2)
    image[:2] = image[-2:] = image[:, :2] = image[:, -2:] = 0
    for h in homnist.homographies(draw, 3):
        found = jax.jit(homnist.pull_back)(jnp.asarray(image, dtype), jnp.asarray(h, dtype))
        assert found.dtype == dtype
        along = np.linspace(-1, 1, 40)
        places = np.stack([*np.meshgrid(along, along, indexing="ij"), np.ones((40, 40))], -1) @ np.linalg.inv(h).T
        index = (places[..., :2] / places[..., 2:] + 1) * 19.5
        expected = scipy.ndimage.map_coordinates(image, np.moveaxis(index, -1, 0), order=1, mode="constant")
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 if dtype == jnp.float64 else 1e-4)


def test_pull_back_of_the_identity_and_of_the_horizon():
    image = jnp.asarray(np.random.default_rng(0).random((3, 9, 9)))
    np.testing.assert_allclose(homnist.pull_back(image, jnp.broadcast_to(jnp.eye(3), (3, 3, 3))), image, atol=1e-14)
    horizon = jnp.asarray([[1.0, 0, 0], [0, 1, 0], [2, 0, 1]])  # sends rows of the frame to infinity
    assert np.isfinite(homnist.pull_back(image[0], horizon)).all()


def test_homnist(tmp_path, small_mnist):
    _, (x_test, y_test) = write_mnist(tmp_path, 6, 3)
    assert homnist.missing(str(tmp_path)) is None
    found = homnist.load(str(tmp_path), "test")
    assert found.x.shape == (3, 40, 40)
    np.testing.assert_array_equal(found.x[:, 6:-6, 6:-6], x_test)
    np.testing.assert_array_equal(found.y, y_test)
    assert "train-images" in homnist.missing(str(tmp_path / "..")) or "no folder" in homnist.missing("")
