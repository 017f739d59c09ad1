"""ModelNet10-SO(3): furniture from all sides, from the files it is published in or those that Image-to-Sphere makes.

Published are folders, ``train_100V.Rawjpg.lmdb`` and so on, with the pictures in ``data.mdb`` (``experiments.data.
records``), each under the name ``CLASS_MODEL.VIEW``, and quaternions (w, x, y, z) under the same names in the pickle
``viewID2quat.pkl``. The other form is one file ``modelnet10_train.npz`` (and so on) with ``imgs``, ``rots`` and
``cat_ids``. Pictures have 224 x 224 grey pixels on white.

Reference:
    Liao, Gavves, Snoek, Spherical Regression, CVPR 2019 (arXiv 1904.05404), for the data; Klee, Biza, Platt, Walters,
    Image to Sphere, ICLR 2023 (arXiv 2302.13926), for the other form; both as read in public loaders.
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from experiments.data.public import Poses, find, folder, picture, shrink, unpickle
from experiments.data.records import records
from experiments.record import Mistake

__all__ = ["CLASSES", "PARTS", "PUBLISHED", "SIDE", "load", "missing"]

CLASSES = ("bathtub", "bed", "chair", "desk", "dresser", "monitor", "night_stand", "sofa", "table", "toilet")
"""In the order of the labels."""
PARTS = {
    "train": ("train_100V", "modelnet10_train"),
    "train_limited": ("train_20V", "modelnet10_limited_train"),
    "test": ("test_20V", "modelnet10_test"),
}
"""Part -> how its folder begins, and its file of the other form: 100 or 20 views of each model."""
SIDE = 224
"""Pixels along one side."""
PUBLISHED = "ModelNet10-SO3 (S. Liao, github.com/leoshine/Spherical_Regression), archive ModelNet10-SO3.tar.gz"
"""Where the files come from."""


def _files(root: Path, part: str) -> list[Path]:
    """One file of numpy, or pictures and quaternions."""
    if part not in PARTS:
        raise ValueError(f"the parts of ModelNet10-SO(3) are {', '.join(PARTS)}, got {part!r}")
    published, other = PARTS[part]
    below = f"ModelNet10-SO3/{published}.Rawjpg.lmdb"
    return find(root, [[f"modelnet10/{other}.npz"], [f"{below}/data.mdb", f"{below}/viewID2quat.pkl"]], PUBLISHED)


def missing(data: str, *parts: str) -> str | None:
    """The sentence that says what is missing of these parts; None if nothing is."""
    try:
        for part in parts:
            _files(folder(data), part)
    except Mistake as mistake:
        return str(mistake)
    return None


def _from_numpy(path: Path) -> tuple[list, np.ndarray, np.ndarray]:
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            images, rotations, y = (arrays[name] for name in ("imgs", "rots", "cat_ids"))
    except Exception as error:  # whatever numpy and zipfile raise on bytes that are not of the format
        raise Mistake(f"{path} is damaged or lacks imgs, rots or cat_ids; make it again") from error
    n = len(y)
    expected = (n, SIDE, SIDE, 1)
    if images.shape != expected or images.dtype != np.uint8 or rotations.shape != (n, 3, 3) or y.shape != (n,):
        raise Mistake(
            f"{path} holds pictures of {images.dtype} {images.shape}, expected bytes {expected}; make it again"
        )
    if not np.isin(y, np.arange(len(CLASSES))).all():
        raise Mistake(f"{path} has to hold classes from 0 to {len(CLASSES) - 1}; make it again")
    return [lambda i=i: np.repeat(images[i], 3, axis=-1) for i in range(n)], rotations, y


def _from_records(images: Path, quaternions: Path) -> tuple[list, np.ndarray, np.ndarray]:
    turns = unpickle(quaternions)
    if not isinstance(turns, dict) or not turns:
        raise Mistake(f"{quaternions} has to hold a dictionary of quaternions; fetch it again")
    found = {}
    for name, value in records(images):
        if name in turns:
            found[name] = value
    for name in turns:
        if name not in found:
            raise Mistake(f"{images} has no picture {name}, of which {quaternions.name} knows; fetch both again")
    names = list(turns)
    kinds = [name.split(".")[0].rpartition("_")[0] for name in names]
    for kind, name in zip(kinds, names):
        if kind not in CLASSES:
            raise Mistake(f"{quaternions} has a view {name} of no class of ModelNet10; fetch it again")
    try:
        q = np.array([np.asarray(turns[name], np.float64).reshape(4) for name in names])
        rotations = Rotation.from_quat(q, scalar_first=True).as_matrix()
    except (TypeError, ValueError) as error:
        raise Mistake(f"{quaternions} has to hold four numbers, not all 0, for each view; fetch it again") from error
    y = np.array([CLASSES.index(kind) for kind in kinds])
    return [lambda name=name: picture(found[name], f"the picture {name} in {images}") for name in names], rotations, y


def load(data: str, part: str, classes: tuple[str, ...] = CLASSES, n: int | None = None, side: int = SIDE) -> Poses:
    """The pictures of some classes.

    Args:
        data: the folder of public data sets; empty for that of ``EQUIV_DATA``.
        part: ``train`` (100 views of each model), ``train_limited`` (20) or ``test`` (20).
        classes: some of ``CLASSES``.
        n: only the first ones of each class; all if None.
        side: pixels along one side, a divisor of 224.

    Returns:
        Pictures (n, 3, side, side), rotations (n, 1, 3, 3) and labels (n,), the place in ``CLASSES``.

    Raises:
        ValueError: another part, class or side.
        Mistake: a file is missing or damaged, or there is no picture of these classes.
    """
    unknown = [name for name in classes if name not in CLASSES]
    if unknown:
        raise ValueError(f"the classes of ModelNet10 are {', '.join(CLASSES)}, got {unknown[0]!r}")
    files = _files(folder(data), part)
    pixels, rotations, y = _from_numpy(*files) if len(files) == 1 else _from_records(*files)
    chosen = np.sort(np.concatenate([np.flatnonzero(y == CLASSES.index(name))[:n] for name in classes]))
    if not len(chosen):
        raise Mistake(f"{files[0]} has no picture of {', '.join(classes)}; choose other classes")
    images = np.empty((len(chosen), 3, side, side), np.uint8)
    for image, i in zip(images, chosen):
        whole = pixels[i]()
        if whole.shape != (SIDE, SIDE, 3):
            raise Mistake(f"{files[0]} has a picture of {whole.shape[0]} x {whole.shape[1]} pixels; fetch it again")
        image[:] = np.moveaxis(shrink(whole, side), -1, 0)
    return Poses(images, rotations[chosen, None].astype(np.float32), y[chosen].astype(np.int32))
