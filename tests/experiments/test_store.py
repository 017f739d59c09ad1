"""Files: what is read is what was written, a crash leaves the old file, and what is not ours is left untouched."""

import os

import numpy as np
import pytest
import xarray as xr

from experiments import store
from experiments.record import Mistake


@pytest.fixture
def dataset():
    values = np.array([[1.5, np.inf, -0.0], [np.nan, 2.0**-1074, 1 / 3]])
    return xr.Dataset(
        {
            "a": (("colour", "n"), values),
            "single": (("n",), np.array([0.1, 0.2, 0.3], np.float32)),
            "count": (("colour",), np.array([7, -1], np.int32)),
            "one": ((), 4),
        },
        coords={"colour": ["red", "green"], "n": [3, 1, 2]},
    )


@pytest.fixture
def attributes(toy):
    identity = store.identity(toy, toy.presets["smoke"], 3)
    return identity | {"git_dirty": True, "wall_time": 1.25, "device": "cpu: made up", "xla_flags": ""}


@pytest.fixture
def path(tmp_path, dataset, attributes):
    path = tmp_path / "toy.nc"
    store.write(path, dataset, attributes)
    return path


def other(dataset):
    return dataset.assign(a=dataset.a + 1)


def test_round_trip(path, dataset, attributes):
    found = store.read(path)
    assert set(found.variables) == set(dataset.variables)
    for name in ("a", "single", "count", "one", "n"):
        assert found[name].dims == dataset[name].dims
        assert found[name].dtype == dataset[name].dtype
        assert found[name].values.tobytes() == dataset[name].values.tobytes()
    assert found.colour.values.tolist() == ["red", "green"]
    assert {name: found.attrs[name] for name in attributes} == attributes
    assert found.attrs["result_hash"] == store.result_hash(dataset) == store.result_hash(found)


def test_the_configuration_comes_back(path, toy):
    assert store.configuration(toy, store.read(path).attrs) == toy.presets["smoke"]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.assign(a=d.a.where(d.a != 1.5, 1.5 + 2**-52)),
        lambda d: d.assign(a=d.a * 1.0 + 0.0),  # -0.0 becomes 0.0
        lambda d: d.assign(single=d.single.astype(np.float64)),
        lambda d: d.assign(count=d["count"].astype(np.int64)),
        lambda d: d.rename(a="b"),
        lambda d: d.rename(n="m"),
        lambda d: d.isel(n=[1, 0, 2]),
        lambda d: d.assign_coords(colour=["red", "blue"]),
        lambda d: d.drop_vars("one"),
        lambda d: d.transpose("n", "colour"),
    ],
)
def test_the_hash_notices(dataset, change):
    assert store.result_hash(change(dataset)) != store.result_hash(dataset)


def test_the_hash_is_of_the_arrays_alone(dataset):
    shuffled = dataset[["single", "one", "count", "a"]].assign_attrs(device="another")
    assert store.result_hash(shuffled) == store.result_hash(dataset)


@pytest.mark.parametrize("change", [{"seed": 4}, {"version": 2}, {"experiment": "tor"}])
def test_the_identity_notices(toy, attributes, change):
    wanted = attributes | change
    assert store._config_hash(wanted) != attributes["config_hash"]


@pytest.mark.parametrize("moment", ["to_netcdf", "half a file", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), RuntimeError("crash")])
def test_a_crash_while_writing_leaves_the_old_file(path, dataset, attributes, monkeypatch, moment, error):
    before = path.read_bytes()

    def crash(*arguments, **options):
        raise error

    def half(self, target, **options):
        target.write_bytes(before[: len(before) // 2])
        raise error

    if moment == "to_netcdf":
        monkeypatch.setattr(xr.Dataset, "to_netcdf", crash)
    elif moment == "half a file":
        monkeypatch.setattr(xr.Dataset, "to_netcdf", half)
    else:
        monkeypatch.setattr(os, moment, crash)
    with pytest.raises(Mistake if isinstance(error, OSError) else type(error)) as caught:
        store.write(path, other(dataset), attributes)
    if isinstance(error, OSError):
        assert f"{path} cannot be written (No space left on device)" in str(caught.value)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_whole_write_replaces_the_old_file(path, dataset, attributes):
    store.write(path, other(dataset), attributes)
    assert store.read(path).attrs["result_hash"] == store.result_hash(other(dataset))


def refused(path, *words):
    """Reading names the file and leaves it as it was."""
    before = path.read_bytes()
    with pytest.raises(Mistake) as caught:
        store.read(path)
    for word in (str(path), "left untouched", "--out", *words):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not netCDF\n", bytes(5000), b"\x89HDF\r\n\x1a\n"])
def test_a_file_that_is_not_netcdf(path, content):
    path.write_bytes(content)
    refused(path, "damaged or not a netCDF file")


@pytest.mark.parametrize("part", [0.05, 0.5, 0.9, 0.999])
def test_a_truncated_file(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    refused(path, "damaged or not a netCDF file")


@pytest.mark.parametrize("name", ["a", "single", "count"])
def test_a_flipped_bit(path, dataset, name):
    content = bytearray(path.read_bytes())
    place = content.index(dataset[name].values.tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    refused(path, "do not match the hashes")


def test_a_foreign_netcdf_file(path, dataset):
    dataset.to_netcdf(path, engine="h5netcdf")
    refused(path, "it has no attribute")


@pytest.mark.parametrize("change", [{"seed": 4}, {"config": "{}"}, {"version": 7}, {"result_hash": "0" * 64}])
def test_an_edited_attribute(path, change):
    store.read(path).assign_attrs(change).to_netcdf(path, engine="h5netcdf")
    refused(path, "do not match the hashes")


def test_a_folder_in_the_place_of_the_file(tmp_path):
    (tmp_path / "toy.nc").mkdir()
    with pytest.raises(Mistake, match="damaged or not a netCDF file"):
        store.read(tmp_path / "toy.nc")


@pytest.mark.parametrize(
    ("seed", "settings", "sentence"),
    [
        (4, {}, "was made with seed 3, this run has seed 4"),
        (3, {"trials": 5}, "was made with trials 4, this run has trials 5"),
        (3, {"sizes": (1, 2)}, "was made with sizes [3, 1, 2], this run has sizes [1, 2]"),
        (3, {"scale": 2.0}, "was made with scale 1.0, this run has scale 2.0"),
    ],
)
def test_another_configuration_is_named(path, toy, seed, settings, sentence):
    wanted = store.identity(toy, toy.config(**settings), seed)
    with pytest.raises(Mistake) as caught:
        store.require(store.read(path), wanted, path)
    assert str(caught.value).startswith(f"{path} {sentence}; it was left untouched: ")


def test_the_same_configuration_is_accepted(path, toy):
    store.require(store.read(path), store.identity(toy, toy.config(), 3), path)


def test_attributes_of_cells_are_joined():
    first = {"device": "a", "git_dirty": True, "time": "2026-01-02", "wall_time": 1.0, "seed": 1}
    second = {"device": "b", "git_dirty": False, "time": "2026-01-01", "wall_time": 0.5, "seed": 1}
    assert store.joined([first, second, second]) == {
        "device": "a; b",
        "git_dirty": True,
        "time": "2026-01-02",
        "wall_time": 2.0,
        "seed": 1,
    }


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Mistake, match="cannot be written to"):
        store.make_folder(tmp_path / "file" / "folder")
    assert (tmp_path / "file").read_text() == "in the way"
