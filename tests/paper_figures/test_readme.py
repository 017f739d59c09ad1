"""The command that renews the table of claims in the README."""

import pytest

from experiments.record import Mistake
from paper_figures import report
from paper_figures.__main__ import main
from theory.catalogue import CLAIMS


def test_the_table_is_renewed(results, tmp_path, capsys):
    path = tmp_path / "README.md"
    path.write_text("# Title\n\n<!-- claims -->\nstale\n<!-- /claims -->\n\nrest\n")
    assert main(["readme", "--results", str(results), "--readme", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    text = path.read_text()
    assert text.startswith("# Title\n\n<!-- claims -->\n| Claim |")
    assert text.endswith("|\n<!-- /claims -->\n\nrest\n")
    assert "stale" not in text
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert len(lines) == len(CLAIMS)
    for line, claim in zip(lines, CLAIMS.values()):
        assert f"`{claim.name}`" in line
        assert "holds / fails" in line
        assert line.replace("\\|", "").count("|") == 7
    main(["readme", "--results", str(results), "--readme", str(path)])
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["", "<!-- claims -->", "<!-- /claims --> <!-- claims -->", 3 * "<!-- claims -->"])
def test_a_readme_without_a_place(text, results, tmp_path, capsys):
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(Mistake):
        report.readme(text, [])
    assert main(["readme", "--results", str(results), "--readme", str(path)]) == 2
    assert "put <!-- claims --> and <!-- /claims --> around it" in capsys.readouterr().err
    assert path.read_text() == text


def test_no_readme(results, tmp_path, capsys):
    assert main(["readme", "--results", str(results), "--readme", str(tmp_path / "none")]) == 2
    captured = capsys.readouterr()
    assert "cannot be read" in captured.err
    assert captured.err.count("\n") == 1
