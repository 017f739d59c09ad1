"""The command line: what it writes, and the one sentence that a mistake gets."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from paper_figures import store
from paper_figures.__main__ import main
from paper_figures.catalogue import FIGURES

ROOT = Path(store.__file__).parents[1]
ONE = "generalisation_gap"


def told(capsys):
    """What was said, which has to be one line, on stderr."""
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_all(results, pictures, capsys):
    assert {path.name for path in pictures.iterdir()} == {f"{n}.{f}" for n in FIGURES for f in store.FORMATS}
    assert main(["check", "--results", str(results), "--out", str(pictures)]) == 0
    assert capsys.readouterr().out.split()[::2] == ["current"] * len(FIGURES)


def test_names(results, tmp_path, capsys):
    assert main([ONE, ONE, "--results", str(results), "--out", str(tmp_path), "--png-only"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / f"{ONE}.png")]


def test_check_tells_stale_and_missing(results, new_results, tmp_path, capsys):
    arguments = ["--out", str(tmp_path), "--png-only"]
    assert main([ONE, "--results", str(results), *arguments]) == 0
    assert {path.suffix for path in tmp_path.iterdir()} == {".png"}
    capsys.readouterr()
    assert main(["check", "--results", str(results), *arguments]) == 1
    states = dict(reversed(line.split()) for line in capsys.readouterr().out.splitlines())
    assert states == {name: "current" if name == ONE else "missing" for name in FIGURES}
    other = new_results(tmp_path / "other", seed=1)
    assert main(["check", "--results", str(other), *arguments]) == 1
    assert f"stale    {ONE}" in capsys.readouterr().out
    assert main(["check", "--results", str(results), "--out", str(tmp_path)]) == 1
    assert f"missing  {ONE}" in capsys.readouterr().out  # its PDF and SVG


def test_list(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in FIGURES)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ([], "nothing was asked for"),
        (["generalization_gap"], "did you mean generalisation_gap?"),
        (["xyz"], "type one of: all, list, check, report, readme"),
        (["all", ONE], f"all got also {ONE}; type all alone"),
        ([ONE, "report"], "report stands among names of figures"),
    ],
)
def test_mistakes(words, hint, capsys):
    assert main(words) == 2
    assert hint in told(capsys)


def test_unknown_option(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["all", "--result", "x"])
    assert stop.value.code == 2
    assert "--results" in capsys.readouterr().err


def test_missing_results(own_results, tmp_path, capsys):
    arguments = ["--results", str(own_results), "--out", str(tmp_path / "out")]
    (own_results / "claims.json").unlink()
    assert main([ONE, *arguments]) == 2
    said = told(capsys)
    assert f"{own_results / 'claims.json'} does not exist" in said
    assert f"python -m theory check --all --results {own_results} --out {own_results}" in said
    (own_results / f"{ONE}.nc").unlink()
    for word in (ONE, "all", "check"):
        assert main([word, *arguments]) == 2
        said = told(capsys)
        assert f"{own_results / ONE}.nc does not exist" in said
        assert f"python -m experiments run {ONE} --preset smoke --out {own_results}" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"not netCDF", None])
def test_damaged_results(content, own_results, tmp_path, capsys):
    path = own_results / f"{ONE}.nc"
    path.write_bytes(path.read_bytes()[:3000] if content is None else content)
    before = path.read_bytes()
    assert main([ONE, "--results", str(own_results), "--out", str(tmp_path / "out")]) == 2
    assert str(path) in told(capsys)
    assert path.read_bytes() == before


def test_results_of_another_experiment(own_results, tmp_path, capsys):
    shutil.copy(own_results / "digits_sample_complexity.nc", own_results / f"{ONE}.nc")
    assert main([ONE, "--results", str(own_results), "--out", str(tmp_path / "out")]) == 2
    assert "holds results of digits_sample_complexity" in told(capsys)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"provenance": {}, "claims": [1]}', '{"provenance": 1, "claims": []}']
)
def test_damaged_claims(content, own_results, tmp_path, capsys):
    (own_results / "claims.json").write_text(content)
    assert main([ONE, "--results", str(own_results), "--out", str(tmp_path / "out")]) == 2
    assert "claims.json is damaged" in told(capsys)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content["claims"][3].pop("sentence"),
        lambda content: content["claims"][3]["evidence"].pop("values"),
        lambda content: content["claims"][3].update(violation=[1, 2]),
        lambda content: content["provenance"].pop("device"),
    ],
)
@pytest.mark.parametrize("word", [ONE, "report"])
def test_claims_that_lack_a_field(word, damage, own_results, tmp_path, capsys):
    path = own_results / "claims.json"
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    assert main([word, "--results", str(own_results), "--out", str(tmp_path / "out")]) == 2
    assert "claims.json is damaged" in told(capsys)
    assert not (tmp_path / "out").exists()


def test_a_claim_without_numbers(own_results, tmp_path, capsys):
    """Its figure cannot be drawn; the page says so in its place and shows the rest."""
    path = own_results / "claims.json"
    content = json.loads(path.read_text())
    for row in content["claims"]:
        if row["name"] == "invariant_gain":
            row |= {"evidence": None, "verdict": "fails", "sentence": "measure raised ValueError: no"}
    path.write_text(json.dumps(content))
    arguments = ["--results", str(own_results), "--out", str(tmp_path / "out")]
    assert main(["invariant_counts", *arguments]) == 2
    assert "invariant_gain has no evidence to draw: measure raised ValueError: no" in told(capsys)
    assert not (tmp_path / "out").exists()
    assert main(["report", *arguments]) == 0
    page = (tmp_path / "out" / "index.html").read_text()
    assert "not drawn: invariant_gain has no evidence to draw" in page
    assert page.count("<img") == len(FIGURES) - 1


def test_claims_that_lack_one(own_results, tmp_path, capsys):
    path = own_results / "claims.json"
    content = json.loads(path.read_text())
    content["claims"] = [row for row in content["claims"] if row["name"] != "gap_spike"]
    path.write_text(json.dumps(content))
    assert main([ONE, "--results", str(own_results), "--out", str(tmp_path / "out")]) == 2
    assert "has no claim 'gap_spike'" in told(capsys)


def test_a_folder_that_cannot_be_written(results, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main([ONE, "--results", str(results), "--out", str(tmp_path / "file")]) == 2
    assert "name another folder with --out" in told(capsys)
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.slow
def test_as_a_program(tmp_path):
    """No traceback, and the exit status reaches the shell."""
    found = subprocess.run(
        [sys.executable, "-m", "paper_figures", "report", "--results", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    assert found.stderr.count("\n") == 1
