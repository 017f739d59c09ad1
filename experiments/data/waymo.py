"""Recorded traffic: trajectories of the Waymo Open Motion data set, from a folder you name.

The data set (version 1.1, the files of ``tf.train.Example``) has to be fetched by you, under its own licence; nothing
is downloaded here. A file is a sequence of records,

    length: uint64 | masked crc32c of the length: uint32 | data | masked crc32c of the data: uint32   (little-endian)

each of them one scene in the wire format of protocol buffers: a map from names such as ``state/past/x`` to lists of
numbers, 128 agents with 10 past, 1 current and 80 future steps of 0.1 seconds. Both formats are read here, in a
hundred lines, so that neither TensorFlow nor a protobuf runtime is needed.

Kept are agents that are valid in the first 24 of the 91 steps, seen at every second step (12 points, 6 in and 6 out),
that rise or fall by more than 0.05 m and move by less than 5 m along x and along y over the 6 input points.

Reference:
    Ettinger et al., Large Scale Interactive Motion Forecasting for Autonomous Driving: The Waymo Open Motion Dataset,
    ICCV 2021 (arXiv 2104.10133), for the data; Kim, Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356), for the filter and
    the split by files.
"""

import struct
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data import Samples
from experiments.record import Mistake

__all__ = ["AGENTS", "PARTS", "crc32c", "examples", "features", "kept", "load", "part_of", "records"]

AGENTS = 128
"""Rows of every state field; absent agents are not valid."""
STEPS = {"past": 10, "current": 1, "future": 80}
"""Moment -> steps of 0.1 s."""
PARTS = ("training", "validation", "testing")
"""Parts of the files, 4 : 1 : 1."""
_USED, _STRIDE, _SEEN = 24, 2, 6
_WANTED = tuple(f"state/{moment}/{name}" for moment in STEPS for name in ("x", "y", "z", "valid"))


# --- records -------------------------------------------------------------------------------------


def _crc_table() -> tuple[int, ...]:
    """Of the Castagnoli polynomial, bits reversed."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """The cyclic redundancy check of the Castagnoli polynomial.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> int:
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def records(path: Path, *, check: bool = False) -> Iterator[bytes]:
    """The records of one file, in order.

    Args:
        path: a file.
        check: compare the checksum of the data too, which takes about a second per few megabytes; that of the length
            always is.

    Raises:
        Mistake: the file cannot be read, ends within a record, or a checksum is wrong.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while head := file.read(12):
                if len(head) < 12:
                    raise Mistake(_damaged(path, number, "the file ends within its length"))
                length, crc = struct.unpack("<QI", head)
                if _masked(head[:8]) != crc:
                    raise Mistake(_damaged(path, number, "the checksum of its length is wrong"))
                data, tail = file.read(length), file.read(4)
                if len(data) < length or len(tail) < 4:
                    raise Mistake(_damaged(path, number, "the file ends within its data"))
                if check and _masked(data) != struct.unpack("<I", tail)[0]:
                    raise Mistake(_damaged(path, number, "the checksum of its data is wrong"))
                yield data
                number += 1
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror or error}); name a folder whose files can be") from error


def _damaged(path: Path, number: int, why: str) -> str:
    return f"{path} is damaged at record {number}: {why}; fetch the file again"


# --- one record ----------------------------------------------------------------------------------


class _Malformed(ValueError):
    """Bytes that are not in the wire format."""


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise _Malformed("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise _Malformed("a number has more than ten bytes")


def _fields(data: memoryview) -> Iterator[tuple[int, int, Any]]:
    """(field number, wire type, value): an integer for wire type 0, the bytes for 1, 2 and 5."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, kind, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise _Malformed(f"wire type {kind} is unknown")
        if at + length > len(data):
            raise _Malformed("a field is cut off")
        yield number, kind, data[at : at + length]
        at += length


def _packed(data: memoryview) -> np.ndarray:
    """All varints of a packed list, as int64."""
    raw = np.frombuffer(data, np.uint8)
    if not len(raw):
        return np.zeros(0, np.int64)
    ends = np.flatnonzero(raw < 0x80)
    if not len(ends) or ends[-1] != len(raw) - 1:
        raise _Malformed("a number is cut off")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 10:
        raise _Malformed("a number has more than ten bytes")
    places = (np.arange(len(raw)) - np.repeat(starts, lengths)).astype(np.uint64)
    parts = (raw & 0x7F).astype(np.uint64) << (np.uint64(7) * places)
    return np.bitwise_or.reduceat(parts, starts).view(np.int64)


def _list(feature: memoryview) -> np.ndarray | list[bytes]:
    """The values of one feature: a list of bytes (1), of float32 (2) or of int64 (3), each packed or not."""
    for field, kind, inner in _fields(feature):
        if field not in (1, 2, 3) or kind != 2:
            continue
        values = [(k, value) for number, k, value in _fields(inner) if number == 1]
        if field == 1:
            return [bytes(value) for _, value in values]
        if field == 2:
            if any(k not in (2, 5) or len(value) % 4 for k, value in values):
                raise _Malformed("a list of floats has another type")
            return np.frombuffer(b"".join(value for _, value in values), "<f4")
        parts = [_packed(value) if k == 2 else np.array([value], np.uint64).view(np.int64) for k, value in values]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)
    return np.zeros(0, np.float32)


def features(record: bytes, wanted: Collection[str] | None = None) -> dict[str, np.ndarray | list[bytes]]:
    r"""The lists of one ``tf.train.Example``, by name.

    Args:
        record: its bytes.
        wanted: names to decode; all of them if None. The others are skipped, not checked.

    Returns:
        float32 or int64 arrays, and lists of bytes.

    Raises:
        ValueError: the bytes are not in the wire format.

    Example:
        >>> features(bytes.fromhex("0a0d0a0b0a017812060a040a020102"))
        {'x': [b'\x01\x02']}
    """
    found = {}
    for number, kind, message in _fields(memoryview(record)):
        if number != 1 or kind != 2:
            continue
        for entry, entry_kind, pair in _fields(message):
            if entry != 1 or entry_kind != 2:
                continue
            parts = {k: value for k, wire, value in _fields(pair) if wire == 2}
            try:
                name = bytes(parts.get(1, b"")).decode()
            except UnicodeDecodeError as error:
                raise _Malformed("a name is not text") from error
            if wanted is None or name in wanted:
                found[name] = _list(parts.get(2, memoryview(b"")))
    return found


# --- trajectories --------------------------------------------------------------------------------


def kept(scene: dict[str, np.ndarray | list[bytes]]) -> np.ndarray:
    """The trajectories of one scene that pass the filter of the module.

    Args:
        scene: fields by name, at least ``state/{past,current,future}/{x,y,z,valid}``.

    Returns:
        (k, 12, 3) float32, in metres.

    Raises:
        ValueError: a field is missing or has another size.
    """

    def field(name: str) -> np.ndarray:
        parts = []
        for moment, steps in STEPS.items():
            full = f"state/{moment}/{name}"
            if full not in scene:
                raise ValueError(f"the field {full} is missing")
            values = scene[full]
            if isinstance(values, list) or len(values) != AGENTS * steps:
                raise ValueError(f"the field {full} has {len(values)} values, expected {AGENTS} x {steps} numbers")
            parts.append(values.reshape(AGENTS, steps))
        return np.concatenate(parts, axis=1)[:, :_USED]

    valid = (field("valid") == 1).all(axis=1)
    points = np.stack([field(axis) for axis in "xyz"], axis=-1)[valid, ::_STRIDE].astype(np.float32)
    moved = np.abs(points[:, _SEEN - 1] - points[:, 0])
    active = (moved[:, 2] > 0.05) & (moved[:, 0] < 5) & (moved[:, 1] < 5)
    return points[active]


def part_of(files: Sequence[Path], part: str, share: float = 0.1) -> list[Path]:
    """One part of the first ``share`` of the files, 4 : 1 : 1, in the order of their names.

    Args:
        files: all of them.
        part: an entry of ``PARTS``.
        share: of the files that is used, above 0 and at most 1.

    Raises:
        Mistake: another part or share, or too few files for three parts.

    Example:
        >>> files = [Path(f"{i:02}") for i in range(60)]
        >>> [len(part_of(files, part)) for part in PARTS], [str(file) for file in part_of(files, "testing")]
        ([4, 1, 1], ['05'])
    """
    if part not in PARTS:
        raise Mistake(f"part has to be one of {', '.join(PARTS)}, got {part!r}")
    if not 0 < share <= 1:
        raise Mistake(f"share has to be above 0 and at most 1, got {share}")
    used = sorted(files)[: int(len(files) * share + 1e-9)]
    sixth = len(used) // 6
    if not sixth:
        raise Mistake(
            f"{len(used)} of {len(files)} files are used, and three parts need six or more; "
            f"give a larger share than {share:g}, or more files"
        )
    ends = {"training": (0, -2 * sixth), "validation": (-2 * sixth, -sixth), "testing": (-sixth, len(used))}[part]
    return used[slice(*ends)]


def examples(path: Path, *, check: bool = False) -> Iterator[np.ndarray]:
    """The kept trajectories of each scene of a file, (k, 12, 3).

    Raises:
        Mistake: the file is damaged, or a scene lacks a field; the sentence names file and record.
    """
    for number, record in enumerate(records(path, check=check)):
        try:
            yield kept(features(record, _WANTED))
        except ValueError as error:
            raise Mistake(_damaged(path, number, str(error))) from error


def load(
    folder: str | Path,
    part: str | None = None,
    *,
    share: float = 0.1,
    pattern: str = "*tfrecord*",
    check: bool = False,
) -> Samples:
    """All kept trajectories of a folder, or of one part of its files.

    Args:
        folder: where the files are, for instance ``tf_example/training``.
        part: an entry of ``PARTS``; None for every file.
        share: of the files that is split into parts.
        pattern: of the files' names.
        check: compare the checksums of all data, which is slow.

    Returns:
        Inputs (n, 18) and labels (n, 18), six points (x, y, z) each, numpy float32 in metres, as those of
        ``experiments.data.trajectories``, whose ``normalise`` takes them.

    Raises:
        Mistake: no such folder, no such file in it, a damaged file, a scene without a field it needs, or no trajectory
            that passes the filter.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise Mistake(f"there is no folder {folder}; name the one with the tf_example files of Waymo Open Motion 1.1")
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not files:
        raise Mistake(f"{folder} has no file that matches {pattern}; name the folder that holds the files themselves")
    chosen = files if part is None else part_of(files, part, share)
    found = [trajectories for path in chosen for trajectories in examples(path, check=check)]
    points = np.concatenate([np.zeros((0, 2 * _SEEN, 3), np.float32), *found])
    if not len(points):
        raise Mistake(f"no trajectory of {folder} passes the filter (files read: {len(chosen)}); give more files")
    flat = points.reshape(len(points), 6 * _SEEN)
    return Samples(flat[:, : 3 * _SEEN], flat[:, 3 * _SEEN :])
