"""Reading recorded traffic: files written here, byte by byte, whole and damaged in every way that is told."""

import re
import struct

import numpy as np
import pytest

from experiments.data import waymo
from experiments.record import Mistake

MOMENTS = waymo.STEPS


def varint(value):
    value &= 0xFFFFFFFFFFFFFFFF
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, kind, content):
    """One field: the bytes of wire type 2 get their length."""
    return varint(number << 3 | kind) + (varint(len(content)) if kind == 2 else b"") + content


def feature(values, packed=True):
    """A list of floats, integers or bytes as a message."""
    if isinstance(values, list):
        return field(1, 2, b"".join(field(1, 2, value) for value in values))
    number, kind = (2, 5) if values.dtype.kind == "f" else (3, 0)
    parts = [struct.pack("<f", v) if number == 2 else varint(int(v)) for v in values.ravel()]
    inner = field(1, 2, b"".join(parts)) if packed else b"".join(field(1, kind, part) for part in parts)
    return field(number, 2, inner)


def example(fields, packed=True):
    """The bytes of a whole record, the names in the order that is given."""
    entries = [field(1, 2, field(1, 2, name.encode()) + field(2, 2, feature(v, packed))) for name, v in fields.items()]
    return field(1, 2, b"".join(entries))


def framed(*contents):
    """The bytes of a file."""
    out = b""
    for content in contents:
        head = struct.pack("<Q", len(content))
        out += head + struct.pack("<I", waymo._masked(head)) + content + struct.pack("<I", waymo._masked(content))
    return out


def scene(seed=0, agents=waymo.AGENTS):
    """State fields whose first three agents pass the filter, in an order; and their trajectories (3, 12, 3)."""
    draw = np.random.default_rng(seed)
    time = np.arange(91)
    points = draw.normal(0, 50, (agents, 1, 3)) + np.array([0.2, -0.1, 0.01]) * time[:, None]
    valid = np.ones((agents, 91), np.int64)
    points[3] = points[3, :1]  # stands still: no vertical motion
    points[4] += np.array([1.0, 0, 0]) * time[:, None]  # too fast along x
    points[5] += np.array([0, -1.0, 0]) * time[:, None]  # and along y
    valid[6, 23] = 0  # lost within the 24 steps
    valid[7:] = -1  # absent
    valid[0, 24:] = 0  # lost afterwards
    points = points.astype(np.float32)
    ends = {"past": slice(0, 10), "current": slice(10, 11), "future": slice(11, 91)}
    fields = {"state/id": np.arange(agents, dtype=np.float32), "scenario/id": [b"made up", b""]}
    for moment, part in ends.items():
        fields |= {f"state/{moment}/{axis}": points[:, part, i] for i, axis in enumerate("xyz")}
        fields[f"state/{moment}/valid"] = valid[:, part]
    return fields, points[:3, :24:2]


@pytest.fixture(scope="module")
def content():
    return [example(scene(seed)[0]) for seed in (0, 1)]


@pytest.fixture
def folder(tmp_path, content):
    (tmp_path / "training.tfrecord-00000-of-00001").write_bytes(framed(*content))
    return tmp_path


def test_reads_what_was_written(folder):
    x, y = waymo.load(folder, check=True)
    expected = np.concatenate([scene(seed)[1] for seed in (0, 1)]).reshape(6, 36)
    assert x.dtype == y.dtype == np.float32
    assert (x == expected[:, :18]).all()
    assert (y == expected[:, 18:]).all()


def test_goes_on_with_normalisation(folder):
    import jax.numpy as jnp

    from experiments.data import Samples, trajectories

    normalised = trajectories.normalise(Samples(*map(jnp.asarray, waymo.load(folder))), "symm+scale-aware")
    assert normalised.x.shape == (6, 18)
    assert normalised.x.dtype == jnp.float32
    assert abs(normalised.x).max() < 3


@pytest.mark.parametrize("packed", [True, False])
def test_every_type_of_list(packed):
    numbers = np.array([0, 1, 127, 128, 300, 2**31, 2**62, -1, -(2**63)])
    fields = {
        "floats": np.array([0.5, -1e30, 3e-40], np.float32),
        "integers": numbers,
        "bytes": [b"", b"\xff\x00", "é".encode()],
        "none": np.zeros(0, np.int64),
        "é": np.ones(1, np.float32),
    }
    found = waymo.features(example(fields, packed))
    assert found.keys() == fields.keys()
    assert found["bytes"] == fields["bytes"]
    for name in ("floats", "integers", "é"):
        assert found[name].dtype == fields[name].dtype
        assert (found[name] == fields[name]).all()
    assert len(found["none"]) == 0
    assert waymo.features(example(fields, packed), {"floats"}).keys() == {"floats"}


def test_unknown_fields_are_skipped():
    """A newer writer may add fields of any wire type, at any level."""
    extra = field(9, 0, varint(5)) + field(10, 1, bytes(8)) + field(11, 5, bytes(4)) + field(12, 2, b"new")
    entry = extra + field(1, 2, b"x") + extra + field(2, 2, extra + field(2, 2, extra + field(1, 2, bytes(4))))
    found = waymo.features(extra + field(1, 2, extra + field(1, 2, entry)) + extra)
    assert found["x"].tolist() == [0.0]


def test_the_checksum_is_the_known_one():
    """The check values of RFC 3720, appendix B.4."""
    assert waymo.crc32c(bytes(32)) == 0x8A9136AA
    assert waymo.crc32c(b"\xff" * 32) == 0x62A8AB43
    assert waymo.crc32c(bytes(range(32))) == 0x46DD794E


def test_a_known_file():
    """One record as TensorFlow writes it: the documented masking of the checksum."""
    data = framed(b"abc")
    crc = waymo.crc32c(b"abc")
    assert data[:8] == b"\x03" + bytes(7)
    assert struct.unpack("<I", data[-4:])[0] == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


def written(tmp_path, data):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda data: data[:-5], "the file ends within its data"),
        (lambda data: data[:-2], "the file ends within its data"),
        (lambda data: data + b"\x01\x02", "damaged at record 2: the file ends within its length"),
        (lambda data: b"\x07" + data[1:], "damaged at record 0: the checksum of its length is wrong"),
        (lambda data: b"not a record at all", "damaged at record 0: the checksum of its length is wrong"),
    ],
)
def test_damaged_frames(tmp_path, content, damage, sentence):
    written(tmp_path, damage(framed(*content)))
    with pytest.raises(Mistake, match=sentence) as error:
        waymo.load(tmp_path)
    assert "a.tfrecord" in str(error.value)
    assert "\n" not in str(error.value)


def test_damaged_data_is_found_by_its_checksum(tmp_path, content):
    data = bytearray(framed(*content))
    data[-200] ^= 0x10
    written(tmp_path, bytes(data))
    with pytest.raises(Mistake, match=r"a\.tfrecord is damaged at record 1: the checksum of its data is wrong"):
        waymo.load(tmp_path, check=True)


def corrupt(name, change):
    fields = scene()[0]
    fields[name] = change(fields[name])
    return fields


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (lambda: field(1, 2, b"abc")[:-1], "record 0: a field is cut off"),
        (lambda: field(1, 2, b"\xff" * 11), "record 0: a number has more than ten bytes"),
        (lambda: b"\x80", "record 0: a number is cut off"),
        (lambda: b"\x0b", "record 0: wire type 3 is unknown"),
        (lambda: field(1, 2, field(1, 2, field(1, 2, b"\xff") + field(2, 2, b""))), "record 0: a name is not text"),
        (
            lambda: field(
                1, 2, field(1, 2, field(1, 2, b"state/past/x") + field(2, 2, field(2, 2, field(1, 2, b"abc"))))
            ),
            "record 0: a list of floats has another type",
        ),
        (
            lambda: field(
                1, 2, field(1, 2, field(1, 2, b"state/past/valid") + field(2, 2, field(3, 2, field(1, 2, b"\x01\x80"))))
            ),
            "record 0: a number is cut off",
        ),
        (lambda: b"", "record 0: the field state/past/valid is missing"),
        (
            lambda: example({k: v for k, v in scene()[0].items() if k != "state/future/z"}),
            "record 0: the field state/future/z is missing",
        ),
        (
            lambda: example(corrupt("state/current/x", lambda v: v[:100])),
            "record 0: the field state/current/x has 100 values, expected 128 x 1 numbers",
        ),
        (
            lambda: example(corrupt("state/current/y", lambda v: [b"a"])),
            "record 0: the field state/current/y has 1 values, expected 128 x 1 numbers",
        ),
    ],
)
def test_damaged_records(tmp_path, record, sentence):
    written(tmp_path, framed(record()))
    with pytest.raises(Mistake, match=sentence):
        waymo.load(tmp_path)


def test_no_byte_makes_it_raise_anything_else(tmp_path):
    """A record cut off or changed at any byte is read or refused in a sentence, never with another error."""
    whole = example({"a": np.array([1, 300]), "b": np.ones(2, np.float32), "c": [b"xy"]})
    draw = np.random.default_rng(0)
    broken = [whole[:k] for k in range(len(whole))]
    for k in range(len(whole)):
        broken.append(whole[:k] + bytes([draw.integers(256)]) + whole[k + 1 :])
    refused = 0
    for record in broken:
        try:
            waymo.features(record)
        except waymo._Malformed:
            refused += 1
    assert refused > len(whole) / 2


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(
        Mistake, match=re.escape(f"there is no folder {tmp_path / 'none'}; name the one with the tf_ex")
    ):
        waymo.load(tmp_path / "none")


def test_a_folder_without_files(tmp_path):
    (tmp_path / "readme.txt").write_text("")
    with pytest.raises(Mistake, match=r"has no file that matches \*tfrecord\*; name the folder that holds the files"):
        waymo.load(tmp_path)


def test_nothing_passes_the_filter(tmp_path):
    fields, _ = scene()
    fields["state/past/valid"] = np.zeros_like(fields["state/past/valid"])
    written(tmp_path, framed(example(fields)))
    with pytest.raises(Mistake, match=r"no trajectory of .* passes the filter \(files read: 1\); give more"):
        waymo.load(tmp_path)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(Mistake, match=r"cannot be read \(Is a directory\)"):
        list(waymo.records(tmp_path))


def test_parts_are_of_files(tmp_path, content):
    """Six files, one with other scenes; no file in two parts, and the last is for testing."""
    for k in range(6):
        (tmp_path / f"training.tfrecord-{k:05}").write_bytes(framed(content[int(k == 5)]))
    sizes = [len(waymo.load(tmp_path, part, share=1.0).x) for part in waymo.PARTS]
    assert sizes == [12, 3, 3]
    np.testing.assert_array_equal(waymo.load(tmp_path, "testing", share=1.0).x, scene(1)[1].reshape(3, 36)[:, :18])
    files = sorted(tmp_path.iterdir())
    parts = [waymo.part_of(files[::-1], part, 1.0) for part in waymo.PARTS]
    assert [file for part in parts for file in part] == files


@pytest.mark.parametrize(
    ("part", "share", "sentence"),
    [
        ("test", 1.0, "part has to be one of training, validation, testing, got 'test'"),
        ("testing", 0.0, "share has to be above 0 and at most 1, got 0.0"),
        ("testing", 0.5, "3 of 6 files are used, and three parts need six or more; give a larger share than 0.5"),
    ],
)
def test_parts_are_refused_in_words(part, share, sentence):
    from pathlib import Path

    with pytest.raises(Mistake, match=sentence):
        waymo.part_of([Path(str(k)) for k in range(6)], part, share)
