"""Results on disk: one netCDF file per experiment, written whole or not at all.

A file holds the arrays of a dataset and, as attributes, where they come from: ``experiment``, ``version``, ``seed``,
``config`` (JSON), ``config_hash`` (of those four), ``result_hash`` (of the arrays alone), ``precision``,
``wall_time`` (seconds spent in the cells), and the git commit, versions, device and XLA flags of
``theory.provenance``. Two files with one ``result_hash`` hold the same bits. Reading recomputes it, so that a damaged
file is noticed; a file that is damaged, or not ours, is named and left untouched.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from experiments.record import Experiment, Mistake, canonical

__all__ = ["configuration", "identity", "joined", "make_folder", "read", "require", "result_hash", "write"]


def identity(experiment: Experiment, config: Any, seed: int) -> dict[str, Any]:
    """The attributes that say which run this is; equal for two runs that must give the same arrays."""
    attributes = {
        "experiment": experiment.name,
        "version": experiment.version,
        "seed": seed,
        "config": canonical(dataclasses.asdict(config)),
    }
    return attributes | {"config_hash": _config_hash(attributes)}


def _config_hash(attributes: dict[str, Any]) -> str:
    """SHA-256 of experiment, version, seed and config."""
    wanted = {name: attributes[name] for name in ("experiment", "version", "seed", "config")}
    return hashlib.sha256(canonical(wanted).encode()).hexdigest()


def configuration(experiment: Experiment, attributes: dict[str, Any]) -> Any:
    """The config record a file was made with."""
    fields = json.loads(attributes["config"])
    return experiment.config(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


def result_hash(dataset: xr.Dataset) -> str:
    """SHA-256 of every array: name, axes, type, shape and bits; attributes do not count.

    Example:
        >>> result_hash(xr.Dataset({"a": ("x", [1, 2])})) == result_hash(xr.Dataset({"a": ("y", [1, 2])}))
        False
    """
    digest = hashlib.sha256()
    for name in sorted(map(str, dataset.variables)):
        values = dataset[name].values
        if values.dtype.kind in "OUT":  # text has several representations in memory
            kind, data = "text", canonical(values.astype(str).ravel().tolist()).encode()
        else:
            kind, data = values.dtype.str, np.ascontiguousarray(values).tobytes()
        digest.update(canonical([name, list(dataset[name].dims), kind, list(values.shape)]).encode() + data)
    return digest.hexdigest()


def write(path: Path, dataset: xr.Dataset, attributes: dict[str, Any]) -> None:
    """Write a result so that a reader, at any moment, finds the whole file or none.

    Raises:
        Mistake: the folder or the file cannot be written.
    """
    kept = {name: int(value) if isinstance(value, bool) else value for name, value in attributes.items()}
    dataset = dataset.assign_attrs(kept | {"result_hash": result_hash(dataset)})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    make_folder(path.parent)
    try:
        dataset.to_netcdf(temporary, engine="h5netcdf")
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except OSError as error:
        reason = error.strerror or error
        raise Mistake(f"{path} cannot be written ({reason}); name another folder with --out") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """The folder, made if it is not there.

    Raises:
        Mistake: it cannot be made or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(path, os.W_OK) else "no permission"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise Mistake(f"{path} cannot be written to ({reason}); name another folder with --out")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> xr.Dataset:
    """A stored result, in memory, with its attributes.

    Raises:
        Mistake: the file cannot be read, was not written by ``write``, or its arrays are not the ones that were
            written.
    """
    wrong = f"{path} cannot be used ({{}}) and was left untouched: move it away, or name another folder with --out"
    try:
        dataset = xr.load_dataset(path, engine="h5netcdf")
        attributes = {k: v.item() if isinstance(v, np.generic) else v for k, v in dataset.attrs.items()}
        dataset = dataset.assign_attrs(attributes)
        expected = attributes["config_hash"], attributes["result_hash"]
        found = _config_hash(attributes), result_hash(dataset)
    except KeyError as error:
        raise Mistake(wrong.format(f"it has no attribute {error.args[0]!r}")) from error
    except Exception as error:  # whatever the HDF5 library raises on bytes that are not its own
        raise Mistake(wrong.format("it is damaged or not a netCDF file")) from error
    if found != expected:
        raise Mistake(wrong.format("its contents do not match the hashes it was written with"))
    return dataset


def require(dataset: xr.Dataset, identity: dict[str, Any], path: Path) -> None:
    """Refuse a result of another configuration than ``identity``.

    Raises:
        Mistake: naming the first setting that differs.
    """
    theirs = dataset.attrs
    if theirs["config_hash"] == identity["config_hash"]:
        return
    name = next(name for name in ("experiment", "version", "seed", "config") if theirs[name] != identity[name])
    given, found = identity[name], theirs[name]
    if name == "config":
        given, found = json.loads(given), json.loads(found)
        name = next(field for field in given if given[field] != found.get(field))
        given, found = given[name], found.get(name)
    raise Mistake(
        f"{path} was made with {name} {found}, this run has {name} {given}; it was left untouched: "
        f"name another folder with --out, or ask for the stored settings"
    )


def joined(attributes: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Attributes of cells that may have been run on different days, as those of the whole.

    Equal values stay; ``wall_time`` adds up; ``git_dirty`` is true if it ever was; ``time`` is the last; other texts
    are listed.
    """
    cells = list(attributes)
    whole = dict(cells[-1])
    for name in whole:
        values = [cell[name] for cell in cells]
        if name == "wall_time":
            whole[name] = float(sum(values))
        elif name in ("git_dirty", "time"):
            whole[name] = max(values)
        elif any(value != values[0] for value in values):
            whole[name] = "; ".join(dict.fromkeys(map(str, values)))
    return whole
