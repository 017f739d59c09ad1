"""Sweeps: resumed, reordered, killed and repeated, they end with the same bits."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

from experiments import store, sweep
from experiments.record import Mistake

ROOT = Path(__file__).parents[2]


def backwards(compute, points):
    for point in reversed(points):
        yield point, compute(point)


def shuffled(compute, points):
    for index in np.random.default_rng(0).permutation(len(points)):
        yield points[index], compute(points[index])


def breaks_after(count):
    def executor(compute, points):
        for point in points[:count]:
            yield point, compute(point)
        raise KeyboardInterrupt

    return executor


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_sweep(toy, tmp_path):
    config = toy.config()
    result = sweep.run(toy, config, 0, tmp_path)
    assert result.a.dims == ("colour", "size", "trial")
    assert result.b.dims == ("colour",)
    assert result.colour.values.tolist() == ["red", "green"]
    assert result["size"].values.tolist() == [3, 1, 2]
    assert result.b.values.tolist() == [3.0, 5.0]
    assert len(np.unique(result.a)) == result.a.size == 24
    assert files(tmp_path) == ["toy.nc"]
    assert not (tmp_path / ".cells").exists()
    wanted = {
        "config",
        "config_hash",
        "seed",
        "git_commit",
        "git_dirty",
        "versions",
        "device",
        "precision",
        "xla_flags",
    }
    assert wanted | {"wall_time", "time", "experiment", "version", "result_hash"} == set(result.attrs)
    assert json.loads(result.attrs["config"]) == json.loads(json.dumps(dataclasses.asdict(config)))
    assert result.attrs["precision"] == "float64, matrix products highest"
    assert result.attrs["wall_time"] > 0


def test_a_finished_sweep_is_not_computed_again(counted, tmp_path):
    toy, points = counted
    first = sweep.run(toy, toy.config(), 0, tmp_path)
    stamp = (tmp_path / "toy.nc").stat().st_mtime_ns
    again = sweep.run(toy, toy.config(), 0, tmp_path)
    assert len(points) == 6
    assert (tmp_path / "toy.nc").stat().st_mtime_ns == stamp
    assert again.identical(first)


@pytest.mark.parametrize("executor", [backwards, shuffled])
def test_the_order_does_not_matter(toy, tmp_path, executor):
    config = toy.config()
    first = sweep.run(toy, config, 0, tmp_path / "a")
    second = sweep.run(toy, config, 0, tmp_path / "b", executor=executor)
    assert first.attrs["result_hash"] == second.attrs["result_hash"]
    assert first.equals(second)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_broken_run_resumes(counted, tmp_path, count):
    toy, points = counted
    with pytest.raises(KeyboardInterrupt):
        sweep.run(toy, toy.config(), 0, tmp_path / "a", executor=breaks_after(count))
    assert len(points) == count
    if count:
        status = sweep.status(toy, tmp_path / "a")
        assert (status.done, status.total, status.attributes["seed"]) == (count, 6, 0)
    resumed = sweep.run(toy, toy.config(), 0, tmp_path / "a")
    assert points == toy.points(toy.config())
    whole = sweep.run(toy, toy.config(), 0, tmp_path / "b")
    assert resumed.attrs["result_hash"] == whole.attrs["result_hash"]
    assert resumed.equals(whole)
    assert files(tmp_path / "a") == ["toy.nc"]


def test_names_are_not_cut_where_all_cells_were_kept(toy, tmp_path):
    config = toy.config(colours=("red", "ultramarine"))
    with pytest.raises(KeyboardInterrupt):
        sweep.run(toy, config, 0, tmp_path, executor=breaks_after(6))
    assert sweep.run(toy, config, 0, tmp_path)["colour"].values.tolist() == ["red", "ultramarine"]


def test_an_error_in_a_cell_keeps_the_others(toy, tmp_path):
    def run(config, key, point):
        if point["size"] == 2:
            raise RuntimeError("no luck today")
        return toy.run(config, key, point)

    with pytest.raises(RuntimeError, match="no luck today"):
        sweep.run(dataclasses.replace(toy, run=run), toy.config(), 0, tmp_path)
    assert sweep.status(toy, tmp_path).done == 2


def test_what_a_killed_run_left_half_written_is_no_cell(toy, tmp_path):
    folder = tmp_path / ".cells" / "toy"
    folder.mkdir(parents=True)
    (folder / ".colour=red,size=3.nc.77.tmp").write_bytes(b"half")
    sweep.run(toy, toy.config(), 0, tmp_path)
    assert files(tmp_path) == ["toy.nc"]


def test_watching(toy, tmp_path):
    seen = []
    with pytest.raises(KeyboardInterrupt):
        sweep.run(toy, toy.config(), 0, tmp_path, executor=breaks_after(2), watch=lambda *what: seen.append(what[:2]))
    assert seen == [(0, 6), (1, 6), (2, 6)]
    seen.clear()
    sweep.run(toy, toy.config(), 0, tmp_path, watch=lambda *what: seen.append(what[:2]))
    assert seen == [(2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]


def test_other_settings_leave_the_file_untouched(toy, tmp_path):
    sweep.run(toy, toy.config(), 0, tmp_path)
    before = (tmp_path / "toy.nc").read_bytes()
    for config, seed, name in ((toy.config(), 1, "seed"), (toy.config(trials=5), 0, "trials")):
        with pytest.raises(Mistake, match=f"was made with {name}"):
            sweep.run(toy, config, seed, tmp_path)
    with pytest.raises(Mistake, match="was made with version 1, this run has version 2"):
        sweep.run(dataclasses.replace(toy, version=2), toy.config(), 0, tmp_path)
    assert (tmp_path / "toy.nc").read_bytes() == before
    assert files(tmp_path) == ["toy.nc"]


def test_cells_of_other_settings_are_left_untouched(toy, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        sweep.run(toy, toy.config(), 0, tmp_path, executor=breaks_after(2))
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    with pytest.raises(Mistake, match=r"was made with scale 1\.0, this run has scale 2\.0"):
        sweep.run(toy, toy.config(scale=2.0), 0, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_a_damaged_cell_is_named_and_left_untouched(toy, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        sweep.run(toy, toy.config(), 0, tmp_path, executor=breaks_after(2))
    cell = tmp_path / files(tmp_path)[0]
    cell.write_bytes(b"damaged")
    for do in (lambda: sweep.run(toy, toy.config(), 0, tmp_path), lambda: sweep.status(toy, tmp_path)):
        with pytest.raises(Mistake, match=re.escape(str(cell))):
            do()
    assert cell.read_bytes() == b"damaged"


def test_the_precision_is_the_experiments_own(toy, tmp_path):
    with jax.enable_x64(False), jax.default_matmul_precision("bfloat16"):
        off = sweep.run(toy, toy.config(), 0, tmp_path / "off")
    on = sweep.run(toy, toy.config(), 0, tmp_path / "on")
    single = sweep.run(dataclasses.replace(toy, precision="float32"), toy.config(), 0, tmp_path / "single")
    assert off.attrs["result_hash"] == on.attrs["result_hash"] != single.attrs["result_hash"]
    assert off.a.dtype == np.float64
    assert single.a.dtype == np.float32


def test_keys(toy):
    def key(seed=0, experiment=toy, **point):
        return tuple(jax.random.key_data(sweep.cell_key(experiment, seed, point)).tolist())

    red = key(colour="red", size=1)
    assert red == key(size=1, colour="red")
    others = [key(colour="green", size=1), key(colour="red", size=2), key(1, colour="red", size=1)]
    others.append(key(experiment=dataclasses.replace(toy, name="tor"), colour="red", size=1))
    assert len({red, *others}) == 5
    paired = dataclasses.replace(toy, paired=("colour",))
    assert key(experiment=paired, colour="red", size=1) == key(experiment=paired, colour="green", size=1)
    assert key(experiment=paired, colour="red", size=1) != key(experiment=paired, colour="red", size=2)


def test_a_variable_that_should_not_depend_on_an_axis(toy, tmp_path):
    def run(config, key, point):
        return toy.run(config, key, point).assign(b=(("colour",), [float(point["size"])]))

    with pytest.raises(ValueError, match="b"):
        sweep.run(dataclasses.replace(toy, run=run), toy.config(), 0, tmp_path)
    assert not (tmp_path / "toy.nc").exists()


def changed(toy, by):
    def run(config, key, point):
        cell = toy.run(config, key, point)
        return cell.assign(a=cell.a * (1 + by))

    return dataclasses.replace(toy, run=run)


def test_verify(toy, tmp_path):
    sweep.run(toy, toy.config(), 0, tmp_path)
    before = (tmp_path / "toy.nc").read_bytes()
    found = sweep.verify(toy, tmp_path)
    assert found.holds
    assert set(found.same_bits) == {"a", "b"}
    assert found.allowed == 0
    assert found.point in toy.points(toy.config())
    found = sweep.verify(changed(toy, 1e-15), tmp_path)
    assert not found.holds
    assert found.same_bits == ("b",)
    assert 0 < found.error["a"] < 1e-14
    assert (tmp_path / "toy.nc").read_bytes() == before


def test_verify_elsewhere_allows_the_tolerance(toy, tmp_path, monkeypatch):
    sweep.run(toy, toy.config(), 0, tmp_path)
    here = sweep.provenance
    monkeypatch.setattr(sweep, "provenance", lambda: here() | {"device": "gpu: another"})
    near, far = sweep.verify(changed(toy, 1e-7), tmp_path), sweep.verify(changed(toy, 1e-5), tmp_path)
    assert (near.changed, near.allowed) == (("device",), toy.tolerance)
    assert near.holds
    assert not far.holds


def test_verify_refuses(toy, tmp_path):
    with pytest.raises(Mistake, match=r"there is no .*toy\.nc; make it with: python -m experiments run toy"):
        sweep.verify(toy, tmp_path)
    sweep.run(toy, toy.config(), 0, tmp_path)
    with pytest.raises(Mistake, match="holds toy version 1, the code here is toy version 2"):
        sweep.verify(dataclasses.replace(toy, version=2), tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ([1.0, 2.0], [1.0, 2.2], 0.1),
        ([1.0, np.inf], [1.0, np.inf], 0.0),
        ([1.0, np.inf], [np.inf, 1.0], np.inf),
        ([1.0, np.nan], [1.0, 0.0], np.inf),
        ([1.0], [np.nan], np.nan),
        ([0.0], [0.5], 0.5),
        ([1.0], [1.0, 1.0], np.inf),
    ],
)
def test_relative_error(old, new, error):
    found = sweep._relative_error(np.array(old), np.array(new))
    assert found == pytest.approx(error, nan_ok=True)
    assert not (np.isnan(found) and found <= 1)


def test_status_of_nothing(toy, tmp_path):
    found = sweep.status(toy, tmp_path / "nothing")
    assert (found.done, found.total, found.attributes) == (0, None, {})
    assert not (tmp_path / "nothing").exists()


# --- a real process, killed ----------------------------------------------------------------------

NAME = "generalisation_gap"
DIMS = (2, 3, 4, 5, 6, 7)


def command(out):
    flags = ["--dims", *map(str, DIMS), "--sizes", "2", "4", "--n-max", "6", "--trials", "50"]
    return [sys.executable, "-m", "experiments", "run", NAME, *flags, "--seed", "7", "--out", str(out)]


def start(out):
    return subprocess.Popen(command(out), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(out):
    return {path.name: path.read_bytes() for path in (out / ".cells" / NAME).glob("[!.]*")}


def stop_after(process, out, count, sign):
    """Wait for ``count`` finished cells, then send the signal; returns what the process said."""
    deadline = time.monotonic() + 120
    while len(finished(out)) < count:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "no cell was finished in two minutes"
        time.sleep(0.01)
    os.kill(process.pid, sign)
    return process.communicate(timeout=60)


def computed(said):
    """The dimensions that a run says it has computed."""
    return [int(d) for d in re.findall(r" d=(\d+) in ", said)]


@pytest.mark.slow
def test_a_killed_process_resumes_to_the_same_bits(tmp_path, hears_interrupts):
    out = tmp_path / "killed"
    whole_run = start(tmp_path / "whole")  # on the second core meanwhile
    process = start(out)
    stop_after(process, out, 2, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (out / f"{NAME}.nc").exists()
    kept = finished(out)
    assert 2 <= len(kept) < len(DIMS)

    process = start(out)
    said, complaint = stop_after(process, out, len(kept) + 1, signal.SIGINT)
    assert process.returncode == 130, complaint
    assert re.fullmatch(
        rf"\s*stopped: \d of 6 cells of {NAME} are finished and kept; the same command resumes there\s*", complaint
    )
    more = finished(out)
    assert kept.items() <= more.items()
    assert len(kept) < len(more) < len(DIMS)
    assert not (out / f"{NAME}.nc").exists()
    assert f"{len(kept)}/6 {len(kept)} of 6 cells found" in said

    done = subprocess.run(command(out), cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"{len(more)}/6 {len(more)} of 6 cells found" in done.stdout
    assert computed(done.stdout) == [d for d in DIMS if f"d={d}.nc" not in more]
    assert files(out) == [f"{NAME}.nc"]

    said, complaint = whole_run.communicate(timeout=120)
    assert whole_run.returncode == 0, complaint
    assert computed(said) == list(DIMS)
    resumed, whole = (store.read(tmp_path / folder / f"{NAME}.nc") for folder in ("killed", "whole"))
    assert resumed.attrs["result_hash"] == whole.attrs["result_hash"]
    xr.testing.assert_equal(resumed, whole)
    for name in whole.variables:
        assert resumed[name].values.tobytes() == whole[name].values.tobytes()
