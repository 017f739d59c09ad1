"""MNIST: 70,000 handwritten digits, from the files they are published in.

A file in the idx format is four bytes (0, 0, type, number of axes), the length of each axis as a 32-bit integer, and
the numbers, all with the most significant byte first. Files may be packed with gzip.

Reference:
    Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits, for data and format.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from experiments.data.public import Images, find, folder
from experiments.record import Mistake

__all__ = ["N_TRAIN", "PARTS", "PUBLISHED", "SIDE", "framed", "idx", "load", "missing"]

SIDE = 28
"""Pixels along one side of an image."""
N_TRAIN = 50_000
"""The first images of the training files train, the other 10,000 validate; recalled, as affNIST splits them."""
PARTS = {"train": "train", "validation": "train", "test": "t10k"}
"""Part -> how the names of its files begin."""
PUBLISHED = "The MNIST database of handwritten digits (Y. LeCun), mirrored by torchvision and others"
"""Where the files come from."""
_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def idx(path: Path) -> np.ndarray:
    """The array in a file of the idx format, packed or not.

    Raises:
        Mistake: the file cannot be read, or is not in the format; the sentence says why.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise Mistake(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); fetch it again") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES:
        raise Mistake(f"{path} is not in the idx format: it begins with {data[:4].hex() or 'nothing'}; fetch it again")
    kind, axes = np.dtype(_TYPES[data[2]]), data[3]
    start = 4 + 4 * axes
    shape = tuple(int(n) for n in np.frombuffer(data[4:start], ">u4")) if len(data) >= start else ()
    if len(shape) != axes or len(data) != start + kind.itemsize * math.prod(shape):
        raise Mistake(f"{path} is damaged: its {len(data)} bytes do not agree with its header; fetch it again")
    return np.frombuffer(data[start:], kind).reshape(shape)


def _files(root: Path, part: str) -> list[Path]:
    begin = PARTS[part]
    names = [[f"{begin}-images{dot}idx3-ubyte", f"{begin}-labels{dot}idx1-ubyte"] for dot in "-."]
    packed = [[f"{name}.gz" for name in pair] for pair in names]
    places = ["", "mnist/", "MNIST/", "MNIST/raw/"]
    choices = [[place + name for name in pair] for place in places for pair in (*names, *packed)]
    try:
        return find(root, choices, PUBLISHED)
    except Mistake:
        wanted = " and ".join(packed[0])
        raise Mistake(f"{root} has no {wanted} (or the same unpacked, or in mnist/); published: {PUBLISHED}") from None


def missing(data: str, *parts: str) -> str | None:
    """The sentence that says what is missing of these parts; None if nothing is."""
    try:
        for part in parts:
            _files(folder(data), part)
    except Mistake as mistake:
        return str(mistake)
    return None


def load(data: str, part: str) -> Images:
    """The images of one part.

    Args:
        data: the folder of public data sets; empty for that of ``EQUIV_DATA``.
        part: ``train`` (the first 50,000 of the training files), ``validation`` (the rest), or ``test``.

    Raises:
        Mistake: a file is missing or damaged, images and labels do not agree, or there is no image left.
    """
    images, labels = _files(folder(data), part)
    x, y = idx(images), idx(labels)
    if x.ndim != 3 or x.dtype != np.uint8 or x.shape[1:] != (SIDE, SIDE):
        raise Mistake(
            f"{images} holds {x.dtype} of shape {x.shape}, expected bytes (n, {SIDE}, {SIDE}); fetch it again"
        )
    if y.shape != x.shape[:1] or y.dtype != np.uint8 or (y > 9).any():
        raise Mistake(f"{labels} has to hold {len(x)} labels from 0 to 9, as many as {images.name}; fetch it again")
    rows = {"train": slice(None, N_TRAIN), "validation": slice(N_TRAIN, None), "test": slice(None)}[part]
    if not len(x[rows]):
        raise Mistake(f"{images} has {len(x)} images and none for {part}; fetch it again")
    return Images(x[rows], y[rows].astype(np.int32))


def framed(x: np.ndarray, side: int = 40) -> np.ndarray:
    """Images in the middle of larger ones: 6 pixels without ink on each side, as in affNIST without its maps.

    Args:
        x: (n, 28, 28).
        side: of the larger ones.

    Example:
        >>> framed(np.ones((2, 28, 28), np.uint8)).shape
        (2, 40, 40)
    """
    before = (side - x.shape[-1]) // 2
    after = side - x.shape[-1] - before
    return np.pad(x, [(0, 0), (before, after), (before, after)])
