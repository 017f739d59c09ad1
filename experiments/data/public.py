"""Where public data sets are: in a folder that you name, with ``EQUIV_DATA`` or as a setting; nothing is downloaded.

A loader says which of its files it looks for, under which names, and where they are published; a file that is missing
or still packed is told in one sentence, which ``Experiment.needs`` gives before anything runs.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.record import Mistake

__all__ = ["VARIABLE", "Images", "find", "folder"]

VARIABLE = "EQUIV_DATA"
"""Environment variable that names the folder of public data sets."""


class Images(NamedTuple):
    """Grey images (n, rows, columns) uint8, 0 for no ink, and labels (n,) int32."""

    x: np.ndarray
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
