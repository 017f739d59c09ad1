"""affNIST: the digits of MNIST in frames of 40 x 40 pixels, moved by affine maps, from the files it is published in.

The files are those of MATLAB, version 5, each with one structure ``affNISTdata``: ``image`` (1600, n) bytes, one image
per column, row by row; ``label_int`` (1, n). Training images are not moved (folder ``just_centered``: MNIST in the
middle of the frame, 6 pixels on each side); those for validation and testing are, each digit in 32 ways (folder
``transformed``). The published archives have to be unpacked. Moved images may be in one file or in 32,
``test_batches/1.mat`` to ``32.mat``.

Reference:
    T. Tieleman, affNIST, for the data; names of files and fields as read in public loaders of it.
"""

from pathlib import Path

import numpy as np
import scipy.io

from experiments.data import mnist
from experiments.data.public import Images, find, folder
from experiments.record import Mistake

__all__ = ["BATCHES", "PARTS", "PUBLISHED", "SIDE", "load", "missing", "read"]

SIDE = 40
"""Pixels along one side of an image."""
BATCHES = 32
"""Ways in which each digit was moved."""
PARTS = {
    "train": "just_centered/training",
    "validation": "transformed/validation",
    "test": "transformed/test",
}
"""Part -> its file, without its ending."""
PUBLISHED = "affNIST (T. Tieleman, www.cs.toronto.edu/~tijmen/affNIST), archives 32x/just_centered and 32x/transformed"
"""Where the files come from."""


def read(path: Path) -> Images:
    """The images of one file.

    Raises:
        Mistake: the file cannot be read, is not one of MATLAB 5, lacks a field, or its fields do not agree.
    """
    try:
        content = scipy.io.loadmat(path, simplify_cells=True)
    except Exception as error:  # whatever scipy raises on bytes that are not of the format
        raise Mistake(f"{path} is damaged or not a MATLAB file of version 5; unpack or fetch it again") from error
    record = content.get("affNISTdata")
    if not isinstance(record, dict) or not {"image", "label_int"} <= record.keys():
        raise Mistake(f"{path} has no structure affNISTdata with the fields image and label_int; fetch it again")
    image, label = np.asarray(record["image"]), np.atleast_1d(np.asarray(record["label_int"]))
    image = image.reshape(len(image), -1) if image.ndim else image
    if image.ndim != 2 or len(image) != SIDE**2 or image.dtype != np.uint8:
        raise Mistake(
            f"{path} holds images of {image.dtype} {image.shape}, expected bytes ({SIDE**2}, n); fetch it again"
        )
    if label.shape != image.shape[1:] or not np.isin(label, np.arange(10)).all():
        raise Mistake(f"{path} has to hold {image.shape[1]} labels from 0 to 9, one for each image; fetch it again")
    return Images(np.ascontiguousarray(image.T).reshape(-1, SIDE, SIDE), label.astype(np.int32))


def _files(root: Path, part: str) -> list[Path]:
    name = PARTS[part]
    batches = [f"{name}_batches/{k}.mat" for k in range(1, BATCHES + 1)]
    choices = [[f"{name}.mat"], *([batches] if part != "train" else [])]
    below = [p for p in ("", "32x/", "affNIST/", "affNIST/32x/") if (root / p / name.split("/")[0]).is_dir()] or [""]
    return find(root, [[below[0] + name for name in names] for names in choices], PUBLISHED)


def missing(data: str, *parts: str) -> str | None:
    """The sentence that says what is missing of these parts; None if nothing is."""
    try:
        for part in parts:
            _training(folder(data)) if part == "train" else _files(folder(data), part)
    except Mistake as mistake:
        return str(mistake)
    return None


def _training(root: Path) -> list[Path] | None:
    """The file of unmoved images; None if there is none and MNIST is there to make them from."""
    try:
        return _files(root, "train")
    except Mistake:
        if mnist.missing(str(root), "train") is None:
            return None
        raise


def load(data: str, part: str) -> Images:
    """The images of one part.

    Args:
        data: the folder of public data sets; empty for that of ``EQUIV_DATA``.
        part: ``train``, not moved (made from MNIST if its own file is not there), ``validation`` or ``test``, moved.

    Returns:
        Images (n, 40, 40) and labels (n,).

    Raises:
        Mistake: a file is missing, packed or damaged.
    """
    root = folder(data)
    files = _training(root) if part == "train" else _files(root, part)
    if files is None:
        x, y = mnist.load(str(root), part)
        return Images(mnist.framed(x, SIDE), y)
    images = [read(path) for path in files]
    return Images(*(np.concatenate(parts) for parts in zip(*images)))
