"""Tiny files in the formats of MNIST and affNIST, for tests that read them."""

import gzip

import numpy as np
import scipy.io


def idx(array):
    """The bytes of a file in the idx format."""
    codes = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    kind = array.dtype.newbyteorder(">")
    head = bytes([0, 0, codes[kind.str[1:]], array.ndim]) + np.asarray(array.shape, ">u4").tobytes()
    return head + array.astype(kind).tobytes()


def images(n, side, seed=0):
    """Random pictures with a blob each, and labels."""
    draw = np.random.default_rng(seed)
    x = np.zeros((n, side, side), np.uint8)
    edge = side // 4
    x[:, edge:-edge, edge:-edge] = draw.integers(0, 256, (n, side - 2 * edge, side - 2 * edge))
    return x, draw.integers(0, 10, n).astype(np.uint8)


def write_mnist(folder, n_train, n_test, dot="-", packed=True, seed=0):
    """The four files; returns the images and labels of both."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for begin, n in (("train", n_train), ("t10k", n_test)):
        written.append(images(n, 28, seed + n))
        for kind, array in zip(("images{}idx3", "labels{}idx1"), written[-1]):
            path = folder / f"{begin}-{kind.format(dot)}-ubyte{'.gz' * packed}"
            path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    return written


def write_affnist(path, x, y):
    """One file of affNIST."""
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"image": x.reshape(len(x), -1).T, "label_int": y[None], "label_one_of_n": np.eye(10, dtype=np.uint8)[y].T}
    scipy.io.savemat(path, {"affNISTdata": record})
