"""``python -m experiments``: exit statuses, one sentence for a mistake, tables that say what there is."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from experiments import __main__ as command_line
from experiments import sweep
from experiments.catalogue import EXPERIMENTS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def catalogue(monkeypatch, toy):
    """The toy in the place of the experiments."""
    monkeypatch.setattr(command_line, "EXPERIMENTS", {"toy": toy})
    return toy


@pytest.fixture
def call(capsys):
    def call(*words):
        status = command_line.main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_list(call):
    status, out, err = call("list")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 1 + len(EXPERIMENTS)
    for experiment, line in zip(EXPERIMENTS.values(), lines[1:]):
        assert line.startswith(experiment.name)
        costs = ", ".join(f"{preset} {experiment.cost[preset]}" for preset in ("smoke", "desk", "paper"))
        assert costs in line


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "no command was given; type one of: list, run, status, verify, or --help"),
        (["rnu"], "there is no command 'rnu'; did you mean run?"),
        (["xyz"], "there is no command 'xyz'; type one of: list, run, status, verify"),
        (["run"], "run needs the name of an experiment, or --all; names are: generalisation_gap, digits_sam"),
        (["verify"], "verify needs the name of an experiment, or --all; names are: generalisation_gap, digits_sam"),
        (
            ["run", "generalization_gap"],
            "there is no experiment 'generalization_gap'; did you mean generalisation_gap?",
        ),
        (["status", "xyz"], "there is no experiment 'xyz'; type one of: generalisation_gap, digits_sample_complexity"),
        (["run", "--all", "generalisation_gap"], ""),
        (["run", "generalisation_gap", "--all"], "run got --all and also generalisation_gap; type one of the two"),
        (["run", "generalisation_gap", "--preset", "papr"], "there is no preset 'papr'; did you mean paper?"),
        (["run", "generalisation_gap", "--preset"], "--preset got nothing, expected a word; type for example --preset"),
        (["run", "generalisation_gap", "--seed", "-1"], "--seed got -1, expected a whole number of at least 0"),
        (["run", "generalisation_gap", "--seed", "x"], "--seed got x, expected a whole number; type for example"),
        (["run", "generalisation_gap", "--out"], "--out got nothing, expected a folder; type for example --out DIR"),
        (["run", "generalisation_gap", "--trails", "3"], "no option of run '--trails'; did you mean --trials?"),
        (["run", "generalisation_gap", "--trials", "2.5"], "--trials got 2.5, expected a whole number; type for exa"),
        (["run", "generalisation_gap", "--trials", "3", "4"], "--trials got 3 4, expected a whole number"),
        (["run", "generalisation_gap", "--trials", "0"], "trials has to be made of whole numbers of at least 1, got 0"),
        (["run", "generalisation_gap", "--dims"], "dims needs one or more values, none of them twice, got ()"),
        (["run", "generalisation_gap", "--dims", "3", "a"], "--dims got 3 a, expected one or more of: a whole number"),
        (["run", "generalisation_gap", "--sigma-x=nan"], "sigma_x has to be finite and above zero, got nan"),
        (["run", "generalisation_gap", "--sigma-x", "wide"], "--sigma-x got wide, expected a number"),
        (["run", "digits_sample_complexity", "--poses", "up"], "--poses got up, expected one of upright, random"),
        (["run", "digits_sample_complexity", "--models", "mpl"], "models has to be made of mlp, mlp_augmented"),
        (["run", "--all", "--trials", "3"], "--trials is a setting of one experiment; run that one alone"),
        (["status", "generalisation_gap", "--trials", "3"], "there is no option of status '--trials'"),
        (
            ["verify", "generalisation_gap", "--out", "no/such"],
            "there is no no/such/generalisation_gap.nc; make it with",
        ),
    ],
)
def test_a_mistake_is_one_sentence(call, words, sentence):
    status, out, err = call(*words)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_run_status_verify(call, catalogue, tmp_path):
    status, out, err = call("status", "--out", tmp_path)
    assert (status, err) == (0, "")
    assert "none" in out
    status, out, err = call("run", "toy", "--seed", "3", "--sizes", "2", "1", "--out", tmp_path)
    assert (status, err) == (0, "")
    assert "toy 0/4 starting\ntoy 1/4 colour=red size=2 in " in out
    digest = sweep.store.read(tmp_path / "toy.nc").attrs["result_hash"][:12]
    assert f"{tmp_path / 'toy.nc'}  result {digest}" in out
    status, out, err = call("status", "--out", tmp_path)
    assert (status, err) == (0, "")
    assert all(word in out for word in ("4/4", "3", digest))
    status, out, err = call("verify", "--all", "--out", tmp_path)
    assert (status, err) == (0, "")
    assert "a: same bits" in out
    assert "verified" in out
    status, out, err = call("run", "toy", "--seed", "3", "--sizes", "2", "1", "--out", tmp_path)
    assert (status, err) == (0, "")
    assert "already there" in out


@pytest.fixture
def needy(catalogue, monkeypatch):
    """The toy, and before it one like it whose data are not there."""
    needy = dataclasses.replace(catalogue, name="needy", needs=lambda config: f"there is no file [{config.trials}]")
    monkeypatch.setattr(command_line, "EXPERIMENTS", {"needy": needy, "toy": catalogue})
    return needy


def test_data_that_are_not_there(call, needy, tmp_path):
    """One line if all experiments are asked for, a mistake if this one is."""
    status, out, err = call("run", "--all", "--out", tmp_path)
    assert (status, err) == (0, "")
    assert out.startswith("needy skipped: there is no file [4]\ntoy 0/6")
    assert not (tmp_path / "needy.nc").exists()
    status, out, err = call("verify", "--all", "--out", tmp_path)
    assert (status, err) == (0, "")
    assert out.startswith("needy skipped: its data have to be fetched first\ntoy, cell")
    status, out, err = call("run", "needy", "--trials", "3", "--out", tmp_path)
    assert (status, out, err) == (2, "", "there is no file [3]\n")
    status, _, err = call("verify", "needy", "--out", tmp_path)
    assert status == 2
    assert "make it with" in err


def test_data_are_not_needed_for_a_result_that_is_there(call, needy, tmp_path, monkeypatch):
    there = dataclasses.replace(needy, needs=lambda config: None)
    monkeypatch.setitem(command_line.EXPERIMENTS, "needy", there)
    assert call("run", "needy", "--out", tmp_path)[0] == 0
    monkeypatch.setitem(command_line.EXPERIMENTS, "needy", needy)
    status, out, err = call("run", "needy", "--out", tmp_path)
    assert (status, err) == (0, "")
    assert "already there" in out


def test_a_difference_is_exit_status_1(call, catalogue, tmp_path, monkeypatch):
    call("run", "toy", "--out", tmp_path)
    monkeypatch.setattr(sweep, "cell", lambda *cell, compute=sweep.cell: compute(*cell) * 2)
    status, out, err = call("verify", "toy", "--out", tmp_path)
    assert (status, err) == (1, "")
    assert "a: relative difference 1, NOT within 0" in out
    assert "DIFFERENT from what is stored" in out


@pytest.mark.parametrize("word", ["run", "status", "verify"])
@pytest.mark.parametrize("content", [b"", b"a text\n"])
def test_a_foreign_file_is_named_and_left_untouched(call, catalogue, tmp_path, word, content):
    path = tmp_path / "toy.nc"
    path.write_bytes(content)
    status, _, err = call(word, "toy", "--out", tmp_path)
    assert status == 2
    assert err.startswith(f"{path} cannot be used (it is damaged or not a netCDF file) and was left untouched: ")
    assert err.count("\n") == 1
    assert path.read_bytes() == content


def test_another_configuration_is_refused(call, catalogue, tmp_path):
    call("run", "toy", "--out", tmp_path)
    before = (tmp_path / "toy.nc").read_bytes()
    status, _, err = call("run", "toy", "--trials", "9", "--out", tmp_path)
    assert status == 2
    assert "toy.nc was made with trials 4, this run has trials 9; it was left untouched" in err
    assert (tmp_path / "toy.nc").read_bytes() == before


def test_a_folder_that_cannot_be_written(call, catalogue, tmp_path):
    (tmp_path / "file").write_text("in the way")
    status, _, err = call("run", "toy", "--out", tmp_path / "file")
    assert status == 2
    assert "cannot be written to" in err
    assert err.count("\n") == 1


def test_an_interruption(call, catalogue, tmp_path, monkeypatch):
    def stopped(compute, points):
        for point in points[:2]:
            yield point, compute(point)
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep.run, "__defaults__", (stopped, *sweep.run.__defaults__[1:]))
    status, _, err = call("run", "toy", "--out", tmp_path)
    assert status == 130
    assert err == "\nstopped: 2 of 6 cells of toy are finished and kept; the same command resumes there\n"
    status, out, _ = call("status", "--out", tmp_path)
    assert status == 0
    assert "2/6" in out
    assert "unfinished" in out


def test_help(call):
    status, out, err = call("--help")
    assert (status, err) == (0, "")
    assert all(word in out for word in ("list", "run NAME", "status", "verify", "--preset", "--seed", "--out"))
    status, out, err = call("run", "generalisation_gap", "--help")
    assert (status, err) == (0, "")
    assert all(word in out for word in ("--sigma-xi", "standard deviation of the noise", "--preset"))


def test_on_a_terminal(call, catalogue, tmp_path, monkeypatch):
    terminal = Console(force_terminal=True, width=120, color_system=None, highlight=False)
    monkeypatch.setattr(command_line, "Console", lambda **how: terminal)
    for words in (["list"], ["run", "toy", "--out", tmp_path], ["status", "--out", tmp_path]):
        assert command_line.main([str(word) for word in words]) == 0


def test_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "experiments", "run", "generalisation_gap", "--preset", "huge"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "there is no preset 'huge'; type one of: smoke, desk, paper\n"
