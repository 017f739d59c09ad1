"""SYMSOL: eight solids, five of them without marks, from 50,000 sides each, in the files it is published in.

A part has a file ``rotations.npz`` with one array for each shape, (n, k, 3, 3): k rotations under which the solid looks
the same, 12, 24 and 60 of tetrahedron, cube and icosahedron, every degree of cone and cylinder; of marked solids only
the one it was drawn with. Pictures are ``images/SHAPE_00000.png`` and so on, 224 x 224 pixels.

``experiments.data.solids`` makes pictures of the same solids that need no files; its symmetries are exact.

Reference:
    Murphy, Esteves, Jampani, Ramalingam, Makadia, Implicit-PDF, ICML 2021 (arXiv 2106.05965), for the data; names of
    files and shapes as read in public loaders of it.
"""

from pathlib import Path

import numpy as np

from experiments.data.public import Poses, find, folder, picture, shrink
from experiments.record import Mistake

__all__ = ["FIRST", "PARTS", "PUBLISHED", "SECOND", "SHAPES", "SIDE", "load", "missing"]

FIRST = ("tet", "cube", "icosa", "cone", "cyl")
"""SYMSOL I: without marks."""
SECOND = ("tetX", "cylO", "sphereX")
"""SYMSOL II: marked."""
SHAPES = FIRST + SECOND
"""In the order of the labels."""
PARTS = ("train", "test")
"""45,000 and 5,000 pictures of each shape."""
SIDE = 224
"""Pixels along one side."""
PUBLISHED = "SYMSOL (Implicit-PDF, implicit-pdf.github.io; also tfds symmetric_solids), archive symsol_dataset.zip"
"""Where the files come from."""
_PLACES = ("symsol/", "symsol_dataset/", "")


def _rotations(root: Path, part: str) -> Path:
    if part not in PARTS:
        raise ValueError(f"the parts of SYMSOL are {' and '.join(PARTS)}, got {part!r}")
    for packed in (root / "symsol_dataset.zip",):
        if packed.is_file() and not any((root / place / part).is_dir() for place in _PLACES):
            raise Mistake(f"{packed} is packed; unpack it there: cd {root} && unzip {packed.name}")
    return find(root, [[f"{place}{part}/rotations.npz"] for place in _PLACES], PUBLISHED)[0]


def missing(data: str, *parts: str) -> str | None:
    """The sentence that says what is missing of these parts; None if nothing is."""
    try:
        for part in parts:
            _rotations(folder(data), part)
    except Mistake as mistake:
        return str(mistake)
    return None


def load(data: str, part: str, shape: str, n: int | None = None, side: int = SIDE) -> Poses:
    """The pictures of one shape.

    Args:
        data: the folder of public data sets; empty for that of ``EQUIV_DATA``.
        part: ``train`` or ``test``.
        shape: one of ``SHAPES``.
        n: only the first ones; all if None.
        side: pixels along one side, a divisor of 224.

    Returns:
        Pictures (n, 3, side, side), rotations (n, k, 3, 3) and labels (n,), the place in ``SHAPES``.

    Raises:
        ValueError: another part, shape or side.
        Mistake: a file is missing or damaged.
    """
    if shape not in SHAPES:
        raise ValueError(f"the shapes of SYMSOL are {', '.join(SHAPES)}, got {shape!r}")
    path = _rotations(folder(data), part)
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            rotations = arrays[shape][:n].astype(np.float32)
    except Exception as error:  # whatever numpy and zipfile raise on bytes that are not of the format
        raise Mistake(f"{path} is damaged or has no rotations of {shape}; fetch it again") from error
    if rotations.ndim != 4 or rotations.shape[2:] != (3, 3) or not rotations.size or not _orthogonal(rotations):
        raise Mistake(f"{path} has to hold rotations (n, k, 3, 3) of {shape}, got {rotations.shape}; fetch it again")
    images = np.empty((len(rotations), 3, side, side), np.uint8)
    for i in range(len(rotations)):
        name = path.parent / "images" / f"{shape}_{i:05d}.png"
        pixels = picture(name, name)
        if pixels.shape != (SIDE, SIDE, 3):
            raise Mistake(
                f"{name} has {pixels.shape[0]} x {pixels.shape[1]} pixels, not {SIDE} x {SIDE}; fetch it again"
            )
        images[i] = np.moveaxis(shrink(pixels, side), -1, 0)
    return Poses(images, rotations, np.full(len(images), SHAPES.index(shape), np.int32))


def _orthogonal(rotations: np.ndarray) -> bool:
    products = rotations @ np.swapaxes(rotations, -1, -2)
    return bool((np.abs(products - np.eye(3)) < 1e-3).all())
