"""Where public data sets are: in a folder that you name, with ``EQUIV_DATA`` or as a setting; nothing is downloaded.

A loader says which of its files it looks for, under which names, and where they are published; a file that is missing
or still packed is told in one sentence, which ``Experiment.needs`` gives before anything runs.

A pickle can run any program when it is read. Those inside a data set are read by ``unpickle``, which knows numbers,
texts, containers and arrays, and refuses all else.
"""

import io
import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image

from experiments.record import Mistake

__all__ = ["VARIABLE", "Images", "Poses", "find", "folder", "picture", "shrink", "unpickle"]

VARIABLE = "EQUIV_DATA"
"""Environment variable that names the folder of public data sets."""


class Images(NamedTuple):
    """Grey images (n, rows, columns) uint8, 0 for no ink, and labels (n,) int32."""

    x: np.ndarray
    y: np.ndarray


class Poses(NamedTuple):
    """Pictures of solid things, and which way these are turned.

    Attributes:
        x: (n, 3, side, side) uint8, red, green and blue.
        rotations: (n, k, 3, 3) float32, the rotations that look the same as far as they are known, that of the picture
            first.
        y: (n,) int32, the class.
    """

    x: np.ndarray
    rotations: np.ndarray
    y: np.ndarray


def folder(given: str) -> Path:
    """The folder of public data sets.

    Args:
        given: a setting; if it is empty the environment variable counts.

    Raises:
        Mistake: no folder is named, or it is not there.
    """
    name = given or os.environ.get(VARIABLE, "")
    if not name:
        raise Mistake(f"no folder of data was named; give one with --data DIR or {VARIABLE}=DIR")
    path = Path(name).expanduser()
    if not path.is_dir():
        raise Mistake(f"there is no folder {path}; name the one of the data with --data DIR or {VARIABLE}=DIR")
    return path


def find(root: Path, choices: Sequence[Sequence[str]], published: str) -> list[Path]:
    """The files of the first choice that is there, whole.

    Args:
        root: a folder.
        choices: each a list of paths below it, all of which are needed.
        published: where they come from, for the sentence.

    Raises:
        Mistake: no choice is whole. The sentence names a file that is packed, or one that is missing from a choice
            that was begun, or else all choices.
    """
    for names in choices:
        if all((root / name).is_file() for name in names):
            return [root / name for name in names]
    for names in choices:
        lost = [name for name in names if not (root / name).is_file()]
        for name in lost:
            for inner in (Path(name), *Path(name).parents[:-1]):
                packed = root / f"{inner}.zip"
                if packed.is_file():
                    raise Mistake(f"{packed} is packed; unpack it there: cd {packed.parent} && unzip {packed.name}")
        if len(lost) < len(names):
            raise Mistake(f"{root / lost[0]} is missing; it is published with the others: {published}")
    wanted = " or ".join(names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}" for names in choices)
    raise Mistake(f"{root} has no {wanted}; published: {published}")


def _latin(text: str, encoding: str) -> bytes:
    """What ``_codecs.encode`` is asked for: bytes as a text with as many characters."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding}")
    return text.encode("latin1")


_KNOWN = {
    ("collections", "OrderedDict"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}


class _Careful(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("_codecs", "encode"):
            return _latin
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def unpickle(path: Path) -> object:
    """What is in a pickle that holds numbers, texts, containers and arrays of numpy, of Python 2 or 3.

    Raises:
        Mistake: it asks for anything else, cannot be read or is damaged.
    """
    try:
        return _Careful(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except Exception as error:  # bytes that are no pickle make it raise whatever it likes
        raise Mistake(f"{path} is not a pickle of plain data ({error}); fetch it again") from error


def picture(data: bytes | Path, name: object) -> np.ndarray:
    """The pixels of a file of pictures, (rows, columns, 3) uint8.

    Args:
        data: the file, or its content.
        name: what it is called in the sentence.

    Raises:
        Mistake: it cannot be read.
    """
    try:
        with PIL.Image.open(data if isinstance(data, Path) else io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise Mistake(f"{name} is missing, damaged or no picture; fetch it again") from error


def shrink(image: np.ndarray, side: int) -> np.ndarray:
    """A smaller square picture, by means over squares of pixels.

    Args:
        image: (n, n, ...) uint8, n a multiple of the side.
        side: of the smaller one.

    Raises:
        ValueError: the side does not divide n.

    Example:
        >>> shrink(np.array([[0, 2, 7, 7], [0, 2, 7, 7], [5, 5, 0, 0], [5, 5, 0, 3]], np.uint8), 2).tolist()
        [[1, 7], [5, 1]]
    """
    n = len(image)
    if side < 1 or n % side or image.shape[1] != n:
        raise ValueError(f"a picture of {n} x {image.shape[1]} pixels has no means over squares of side {side}")
    step = n // side
    means = image.reshape(side, step, side, step, *image.shape[2:]).mean((1, 3))
    return np.round(means).astype(np.uint8)
