"""What is committed and was drawn or written from the committed results is up to date with them."""

from pathlib import Path

import pytest

from paper_figures import report, store
from paper_figures.catalogue import FIGURES
from theory.catalogue import CLAIMS

ROOT = Path(store.__file__).parents[1]
RESULTS = ROOT / store.PAPER


def test_the_readme_tells_the_committed_verdicts():
    """Renew with: make gallery."""
    rows = store.read_claims(RESULTS)["claims"]
    assert set(rows) == set(CLAIMS)
    text = (ROOT / "README.md").read_text()
    assert text == report.readme(text, rows.values())


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
def test_the_gallery_is_of_the_committed_results(figure):
    """Renew with: make gallery."""
    inputs = store.load(figure, RESULTS)
    assert store.state(figure, inputs, ROOT / "paper_figures" / "gallery", ["png"]) == "current"


def test_the_gallery_has_no_other_pictures():
    assert {path.name for path in (ROOT / "paper_figures" / "gallery").iterdir()} == {f"{name}.png" for name in FIGURES}
