"""Running a sweep: cells, their keys, what is already there, and who runs the rest.

Finished cells are kept under ``OUT/.cells/NAME/`` until the last one is there; then they become ``OUT/NAME.nc``. A
run that was killed loses the cell it was in and nothing else: the same command finds the kept cells and ends with the
same bits. An *executor* decides where cells are computed. It may run them in any order, because a cell is a pure
function.
"""

import contextlib
import dataclasses
import time
import urllib.parse
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
import xarray as xr

from experiments import store
from experiments.record import Experiment, Mistake, Point, canonical
from theory.provenance import provenance

__all__ = ["Difference", "Executor", "Status", "assemble", "cell", "cell_key", "inline", "run", "status", "verify"]

Computed = tuple[xr.Dataset, float]
"""A cell's arrays and the seconds they took."""


class Executor(Protocol):
    """Computes cells wherever it likes and yields each one as it is done, in any order."""

    def __call__(
        self, compute: Callable[[Point], Computed], points: Sequence[Point]
    ) -> Iterator[tuple[Point, Computed]]:
        """Yield every point with what ``compute`` makes of it."""


def inline(compute: Callable[[Point], Computed], points: Sequence[Point]) -> Iterator[tuple[Point, Computed]]:
    """One cell after the other in this process.

    The cells run in a thread, because a program inside XLA does not hear Ctrl-C and the waiting main thread does.
    """
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        for point in points:
            yield point, pool.submit(compute, point).result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def arithmetic(experiment: Experiment) -> Iterator[None]:
    """The precision the experiment states, for what runs inside, whatever it is outside."""
    with jax.enable_x64(experiment.precision == "float64"), jax.default_matmul_precision("highest"):
        yield


def cell_key(experiment: Experiment, seed: int, point: Point) -> jax.Array:
    """The cell's key: the seed, then the experiment's name, then the point without its paired axes."""
    own = {axis: value for axis, value in point.items() if axis not in experiment.paired}
    key = jax.random.key(seed)
    for text in (experiment.name, canonical(own)):
        key = jax.random.fold_in(key, np.uint32(zlib.crc32(text.encode())))
    return key


def cell(experiment: Experiment, config: Any, seed: int, point: Point) -> xr.Dataset:
    """The arrays of one point, with the axes of the sweep added to every variable that names none of them."""
    with arithmetic(experiment):
        dataset = experiment.run(config, cell_key(experiment, seed, point), dict(point))
    own = [name for name in dataset.data_vars if set(dataset[name].dims) & set(point)]
    swept = dataset.drop_vars([*own, *(axis for axis in point if axis in dataset.coords)])
    return xr.merge([swept.expand_dims({axis: [value] for axis, value in point.items()}), dataset[own]], join="exact")


def assemble(experiment: Experiment, config: Any, cells: Sequence[xr.Dataset]) -> xr.Dataset:
    """All cells as one dataset, in the order of the sweep.

    Raises:
        ValueError: a variable that should depend on fewer axes differs between cells.
    """
    whole = xr.combine_by_coords(
        [one.drop_attrs().drop_encoding() for one in cells],
        data_vars="minimal",
        coords="minimal",
        compat="equals",
        join="outer",
        combine_attrs="drop",
    )
    return whole.sel({axis: list(values) for axis, values in experiment.axes(config).items()})


def run(
    experiment: Experiment,
    config: Any,
    seed: int,
    out: Path,
    executor: Executor = inline,
    watch: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> xr.Dataset:
    """Compute what is missing of a sweep, store it, and return the whole.

    Args:
        experiment: what to run.
        config: its settings.
        seed: of every random draw.
        out: folder of the results; ``out/NAME.nc`` is left as it is when it already holds this sweep.
        executor: who computes the cells.
        watch: called with cells done, cells in all, and a line about what just happened; first with the number found
            there.

    Raises:
        Mistake: the folder holds another configuration, a damaged or a foreign file, or cannot be written.
    """
    identity = store.identity(experiment, config, seed)
    path, folder = out / f"{experiment.name}.nc", out / ".cells" / experiment.name
    points = experiment.points(config)
    if path.exists():
        dataset = store.read(path)
        store.require(dataset, identity, path)
        watch(len(points), len(points), "already there")
        return dataset

    store.make_folder(folder)
    files = {canonical(point): folder / _file_name(point) for point in points}
    cells: dict[str, xr.Dataset] = {}
    for kept in sorted(folder.glob("[!.]*")):
        dataset = store.read(kept)
        store.require(dataset, identity, kept)
        cells |= {text: dataset for text, file in files.items() if file == kept}
    watch(len(cells), len(points), f"{len(cells)} of {len(points)} cells found" if cells else "starting")

    with arithmetic(experiment):
        origin = provenance() | identity

    def compute(point: Point) -> Computed:
        start = time.perf_counter()
        return cell(experiment, config, seed, point), time.perf_counter() - start

    missing = [point for point in points if canonical(point) not in cells]
    with contextlib.closing(executor(compute, missing)) as computed:
        for point, (dataset, seconds) in computed:
            text = canonical(point)
            store.write(files[text], dataset, origin | {"wall_time": seconds})
            cells[text] = dataset.assign_attrs(origin | {"wall_time": seconds})
            watch(len(cells), len(points), f"{describe(point)} in {seconds:.1f} s")

    whole = assemble(experiment, config, [cells[text] for text in files])
    attributes = store.joined({k: v for k, v in one.attrs.items() if k != "result_hash"} for one in cells.values())
    store.write(path, whole, attributes)
    for file in files.values():
        file.unlink(missing_ok=True)
    for leftover in folder.glob(".*.tmp"):  # of a run that was killed while it wrote
        leftover.unlink(missing_ok=True)
    for empty in (folder, folder.parent):
        with contextlib.suppress(OSError):
            empty.rmdir()
    return store.read(path)


def describe(point: Point) -> str:
    """A point for people.

    Example:
        >>> describe({"model": "mlp", "n": 20})
        'model=mlp n=20'
    """
    return " ".join(f"{axis}={value}" for axis, value in point.items())


def _file_name(point: Point) -> str:
    return ",".join(f"{axis}={urllib.parse.quote(str(value), safe='')}" for axis, value in point.items()) + ".nc"


@dataclasses.dataclass(frozen=True)
class Difference:
    """What came of computing one stored cell again.

    Attributes:
        point: the cell, chosen by the hash of the stored result.
        same_bits: names of the variables that came out equal to the last bit.
        error: for the others, the largest difference relative to the largest finite entry of the stored array.
        allowed: 0 on the device and versions of the stored result, otherwise the experiment's tolerance.
        changed: what differs here from where the result was made: ``versions``, ``device``, ``xla_flags``.
    """

    point: Point
    same_bits: tuple[str, ...]
    error: dict[str, float]
    allowed: float
    changed: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the stored cell is what this machine computes."""
        return all(error <= self.allowed for error in self.error.values())


def verify(experiment: Experiment, out: Path) -> Difference:
    """Compute one cell of a stored result again and compare.

    Raises:
        Mistake: there is no such result, or it belongs to another version of the experiment.
    """
    path = out / f"{experiment.name}.nc"
    if not path.exists():
        raise Mistake(f"there is no {path}; make it with: python -m experiments run {experiment.name} --out {out}")
    stored = store.read(path)
    attributes = stored.attrs
    if (attributes["experiment"], attributes["version"]) != (experiment.name, experiment.version):
        found = f"{attributes['experiment']} version {attributes['version']}"
        raise Mistake(
            f"{path} holds {found}, the code here is {experiment.name} version {experiment.version}; "
            f"run it again into another --out"
        )
    config = store.configuration(experiment, attributes)
    points = experiment.points(config)
    point = points[int(attributes["result_hash"], 16) % len(points)]
    again = cell(experiment, config, int(attributes["seed"]), point)
    with arithmetic(experiment):
        here = provenance()
    changed = tuple(name for name in ("versions", "device", "xla_flags") if here[name] != attributes[name])
    same, error = [], {}
    for name in map(str, again.data_vars):
        new = again[name].values
        old = stored[name].sel({axis: [value] for axis, value in point.items() if axis in again[name].dims}).values
        if old.dtype == new.dtype and old.shape == new.shape and old.tobytes() == new.tobytes():
            same.append(name)
        else:
            error[name] = _relative_error(old, new)
    return Difference(point, tuple(same), error, experiment.tolerance if changed else 0.0, changed)


def _relative_error(old: np.ndarray, new: np.ndarray) -> float:
    """Infinity when shapes, infinities or NaNs do not agree."""
    finite = np.isfinite(old)
    if old.shape != new.shape or not np.array_equal(old[~finite], new[~finite], equal_nan=True):
        return float("inf")
    largest = np.abs(old[finite]).max(initial=0)
    difference = np.abs(new[finite] - old[finite]).max(initial=0)
    return float(difference / largest) if largest else float(difference)


@dataclasses.dataclass(frozen=True)
class Status:
    """What a folder holds of one experiment: cells done and in all, and the attributes of the stored files, if any."""

    experiment: Experiment
    done: int
    total: int | None
    attributes: dict[str, Any]


def status(experiment: Experiment, out: Path) -> Status:
    """What ``out`` holds of an experiment; nothing is computed.

    Raises:
        Mistake: a file of that name is damaged or foreign.
    """
    path, folder = out / f"{experiment.name}.nc", out / ".cells" / experiment.name
    cells = [path] if path.exists() else sorted(folder.glob("[!.]*"))
    if not cells:
        return Status(experiment, 0, None, {})
    attributes = store.joined(store.read(file).attrs for file in cells)
    total = len(experiment.points(store.configuration(experiment, attributes)))
    return Status(experiment, total if path.exists() else len(cells), total, attributes)
