"""``python -m theory``: exit statuses, one sentence for a mistake, JSON that parses, files that are whole."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from theory import __main__ as command_line
from theory.catalogue import CLAIMS
from theory.claim import Claim, Evidence, Source

ROOT = Path(__file__).parents[2]
ROW = ["name", "kind", "verdict", "violate", "known", "predicted", "measured", "seconds"]


def _claim(name, measured, violated, **changes):
    def evidence(value):
        return lambda key: Evidence("n", [1], [value], (), [0.01], 4)

    claim = Claim(
        name=name,
        statement="A sentence.",
        formula="a = 1",
        source=Source("A. Author", "A title", "Venue 2000", None, "Theorem 1", "recalled"),
        kind="ratio",
        predict=lambda key: np.ones(1),
        measure=evidence(measured),
        violate=evidence(violated),
        dropped="everything",
    )
    return dataclasses.replace(claim, **changes)


def _raise(error):
    def measure(key):
        raise error

    return measure


@pytest.fixture
def catalogue(monkeypatch):
    """A catalogue of small claims in the place of the real one."""
    claims = [
        _claim("good", 1.0, 2.0),
        _claim("wrong", 2.0, 3.0),
        _claim("empty", 1.0, 1.0),
        _claim("vague", 1.0, np.nan),
        _claim("broken", 1.0, 2.0, measure=_raise(RuntimeError("no luck today"))),
        _claim("endless", 1.0, 2.0, measure=_raise(KeyboardInterrupt())),
        _claim("stored", 1.0, 2.0, experiment="an_experiment"),
    ]
    rows = {claim.name: claim for claim in claims}
    monkeypatch.setattr(command_line, "CLAIMS", rows)
    return rows


def run(capsys, *words):
    status = command_line.main(words)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_list_and_show(capsys):
    status, out, err = run(capsys, "list")
    assert (status, err) == (0, "")
    assert [line.split("\t")[0] for line in out.splitlines()] == list(CLAIMS)
    status, out, _ = run(capsys, "show", "gap_overdetermined")
    assert status == 0
    claim = CLAIMS["gap_overdetermined"]
    for text in (claim.statement, claim.formula, claim.dropped, str(claim.source)):
        assert text in out


def test_a_recalled_claim_is_printed_as_recalled(capsys):
    assert "recalled" in run(capsys, "show", "gap_of_each_draw")[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["show", "gap_spik"], "there is no claim 'gap_spik'; did you mean gap_spike?"),
        (["check", "invariant_count"], "did you mean invariant_counts?"),
        (["check", "zzz"], "there is no claim 'zzz'; type one of: averaging_projects, "),
        (["chek"], "there is no command 'chek'; did you mean check?"),
        (["check"], "check got neither a name nor --all; type python -m theory check NAME"),
        (["check", "--all", "gap_spike"], "check got both names and --all"),
        (["check", "--out"], "argument --out: expected one argument; type python -m theory check --help"),
        (["check", "gap_spike", "--jsn"], "unrecognized arguments: --jsn"),
        (["show"], "the following arguments are required: NAME"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_a_mistake_is_one_sentence(capsys, words, sentence):
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    assert err.startswith("theory: ")
    assert sentence in err
    assert err.count("\n") == 1


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        command_line.main(["check", "--help"])
    assert stop.value.code == 0
    assert "--results DIR" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "status", "verdict", "violate"),
    [
        ("good", 0, "holds", "fails"),
        ("wrong", 1, "fails", "fails"),
        ("empty", 1, "holds", "holds"),
        ("vague", 1, "holds", "unsound"),
        ("broken", 1, "fails", "fails"),
    ],
)
def test_check(capsys, catalogue, name, status, verdict, violate):
    found, out, _ = run(capsys, "check", name, "--json")
    assert found == status
    (row,) = json.loads(out)
    assert list(row) == ROW
    assert (row["name"], row["verdict"], row["violate"], row["known"]) == (name, verdict, violate, "recalled")
    found, out, _ = run(capsys, "check", name)
    assert found == status
    assert f"{name}\tratio\t{verdict}\tviolation {violate}\trecalled" in out


def test_one_broken_claim_does_not_stop_the_others(capsys, catalogue, tmp_path):
    del catalogue["endless"]
    status, out, err = run(capsys, "check", "--all", "--results", str(tmp_path))
    assert (status, err) == (1, "")
    assert "measure raised RuntimeError: no luck today" in out
    assert "violation of vague proves nothing: a number is NaN" in out
    assert "make it with: python -m experiments run an_experiment" in out
    assert "1 of 6 claims hold" in out


def test_claims_file(capsys, catalogue, tmp_path):
    folder = tmp_path / "new" / "folder"
    status, out, _ = run(capsys, "check", "good", "broken", "vague", "--out", str(folder))
    assert status == 1
    assert f"wrote {folder / 'claims.json'}" in out
    content = json.loads((folder / "claims.json").read_text())
    assert set(content) == {"provenance", "claims"}
    good, broken, vague = content["claims"]
    assert list(good)[:8] == ROW
    assert good["evidence"] == {
        "axis": "n",
        "points": [1],
        "series": [],
        "values": [1.0],
        "standard_error": [0.01],
        "trials": 4,
        "predicted": [1.0],
    }
    assert good["violation"]["values"] == [2.0]
    assert good["dropped"] == "everything"
    assert broken["evidence"] is None
    assert "no luck today" in broken["sentence"]
    assert vague["violation"]["values"] == [None]
    assert [path.name for path in folder.iterdir()] == ["claims.json"]


def test_a_folder_that_cannot_be_written(capsys, catalogue, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, err = run(capsys, "check", "good", "--out", str(tmp_path / "file"))
    assert status == 2
    assert "cannot be written (" in err
    assert err.count("\n") == 1


def test_interruption(capsys, catalogue, tmp_path):
    status, out, err = run(capsys, "check", "good", "endless", "wrong", "--out", str(tmp_path))
    assert (status, out) == (130, "")
    assert err == "stopped: 1 of 3 claims were judged, nothing was written\n"
    assert not list(tmp_path.iterdir())


def test_results_of_an_experiment(capsys, catalogue, tmp_path, monkeypatch):
    import xarray as xr

    def measure(dataset):
        return Evidence("n", [1], [dataset["a"].item()], (), [0.01], 4)

    catalogue["stored"] = dataclasses.replace(catalogue["stored"], measure=measure)
    xr.Dataset({"a": 1.0}).to_netcdf(tmp_path / "an_experiment.nc", engine="h5netcdf")
    assert run(capsys, "check", "stored", "--results", str(tmp_path))[0] == 0
    (tmp_path / "an_experiment.nc").write_bytes(b"not netCDF")
    status, out, _ = run(capsys, "check", "stored", "--results", str(tmp_path))
    assert status == 1
    assert "which is damaged or not a netCDF file" in out


def test_on_a_terminal(capsys, catalogue, monkeypatch):
    from rich.console import Console

    monkeypatch.setattr(
        command_line, "Console", lambda **how: Console(force_terminal=True, width=160, color_system=None, **how)
    )
    status, out, _ = run(capsys, "check", "good", "wrong")
    assert status == 1
    assert "verdict" in out
    assert "1 of 2 claims hold" in out
    assert run(capsys, "list")[0] == 0
    assert run(capsys, "show", "good")[0] == 0


def test_as_a_program():
    command = [sys.executable, "-m", "theory", "check", "cyclic_degeneracy", "invariant_gain", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [row["verdict"] for row in json.loads(done.stdout)] == ["holds", "holds"]
    assert done.stderr == ""
