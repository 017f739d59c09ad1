"""Files of LMDB, a store of records by name: read here, so that no package has to be installed for one data set.

A file is a row of pages. The first two say where the tree of records begins, and the one with the larger number of a
transaction counts. A page is a branch (names and pages below), a leaf (names and values), or the first of a run of
pages that holds one long value. All numbers are little-endian, on machines of 64 bits:

    page    8 bytes number | 2 unused | 2 flags: 1 branch, 2 leaf, 8 first two | 2 end of the places below, or ...
            16 on: for each record 2 bytes, its place in the page
    record  2 bytes low | 2 high | 2 flags: 1 for a long value | 2 length of the name | name | value or 8 bytes, a page

Reference:
    H. Chu, LMDB, version 0.9, for the format; read in its public source.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from experiments.record import Mistake

__all__ = ["records"]

_HEAD = 16
_BRANCH, _LEAF, _FIRST = 1, 2, 8
_MAGIC = 0xBEEFC0DE
_NOWHERE = 2**64 - 1


def records(path: Path) -> Iterator[tuple[str, bytes]]:
    """The names and values in a file, in the order of names.

    Args:
        path: ``data.mdb``.

    Raises:
        Mistake: the file is missing, is no file of LMDB, or is damaged.
    """
    try:
        data = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise Mistake(f"{path} is missing or empty; fetch it again") from error
    try:
        size, root = _start(data)
        yield from _below(data, size, root, 0)
    except (struct.error, UnicodeDecodeError, RecursionError) as error:
        raise Mistake(f"{path} is no file of LMDB, or is damaged; fetch it again") from error


def _numbers(data: np.ndarray, form: str, at: int) -> tuple[int, ...]:
    return struct.unpack(form, data[at : at + struct.calcsize(form)].tobytes())


def _start(data: np.ndarray) -> tuple[int, int]:
    """The size of a page, and the page where the tree begins."""
    (size,) = _numbers(data, "<I", _HEAD + 24)
    found = []
    for page in (0, size):
        (flags,) = _numbers(data, "<H", page + 10)
        magic, version = _numbers(data, "<II", page + _HEAD)
        if not flags & _FIRST or magic != _MAGIC or version != 1 or size < 512:
            raise struct.error
        # two trees of 48 bytes each, the free pages and the records, whose last 8 are the root
        (root,) = _numbers(data, "<Q", page + _HEAD + 24 + 2 * 48 - 8)
        (transaction,) = _numbers(data, "<Q", page + _HEAD + 24 + 2 * 48 + 8)
        found.append((transaction, root))
    return size, max(found)[1]


def _below(data: np.ndarray, size: int, page: int, depth: int) -> Iterator[tuple[str, bytes]]:
    if page == _NOWHERE:
        return
    if depth > 64:
        raise struct.error
    at = page * size
    flags, lower = _numbers(data, "<HH", at + 10)
    if not flags & (_BRANCH | _LEAF):
        raise struct.error
    for place in _numbers(data, f"<{(lower - _HEAD) // 2}H", at + _HEAD):
        low, high, kind, length = _numbers(data, "<HHHH", at + place)
        key = at + place + 8
        if flags & _BRANCH:
            yield from _below(data, size, low | high << 16 | kind << 32, depth + 1)
            continue
        start, n = key + length, low | high << 16
        if kind & 1:
            start = _numbers(data, "<Q", start)[0] * size + _HEAD
        value = data[start : start + n].tobytes()
        if len(value) != n:
            raise struct.error
        yield data[key : key + length].tobytes().decode(), value
