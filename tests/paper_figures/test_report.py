"""The page: everything is on it, it needs nothing else, and it is well-formed."""

import base64
import json
import re
from html.parser import HTMLParser

import pytest

from experiments.catalogue import EXPERIMENTS
from paper_figures import report, store
from paper_figures.__main__ import main
from paper_figures.catalogue import FIGURES
from theory.catalogue import CLAIMS

VOID = {"meta", "img", "link", "br", "hr"}


class Reader(HTMLParser):
    """Tags with their attributes, the text, and whether every element is closed in its turn."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def html(results):
    return report.page(results)


@pytest.fixture(scope="module")
def read(html):
    return Reader(html)


def test_links_lead_somewhere(read):
    targets = [a["id"] for _, a in read.tags if "id" in a]
    assert len(targets) == len(set(targets))
    links = [a["href"] for tag, a in read.tags if tag == "a"]
    assert {link.removeprefix("#") for link in links} <= set(targets)
    assert {f"claim-{name}" for name in CLAIMS} <= set(targets)
    assert {f"figure-{name}" for name in FIGURES} <= set(targets)
    for figure in FIGURES.values():
        assert {f"#claim-{name}" for name in figure.claims} <= set(links)


def test_nothing_comes_from_outside(html, read):
    assert "<script" not in html
    assert "@import" not in html
    assert not re.search(r"url\((?!data:)", html)
    for _, attributes in read.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/svg+xml;base64,"))


def test_pictures_are_those_of_the_results(read, results):
    pictures = [a for tag, a in read.tags if tag == "img"]
    assert len(pictures) == len(FIGURES)
    for attributes, figure in zip(pictures, FIGURES.values()):
        assert len(attributes["alt"]) > 60
        picture = base64.b64decode(attributes["src"].partition(",")[2])
        assert store.load(figure, results).digest.encode() in picture


def test_words(read):
    for claim in CLAIMS.values():
        assert claim.statement in read.text
        assert claim.formula in read.text
        assert claim.dropped in read.text
    for figure in FIGURES.values():
        assert figure.title in read.text
        assert figure.caption in read.text
    for experiment in EXPERIMENTS.values():
        assert (experiment.statement in read.text) == (experiment.needs is None)
    assert "a < b & so on" in read.text
    assert f"{len(CLAIMS)} of {len(CLAIMS)} claims hold" in read.text


def test_provenance(read):
    for word in ("0123456789abcdef with uncommitted changes", "cpu: made up", "jax 0.10.1", "2026-01-02", "sigma_xi"):
        assert word in read.text


def test_recalled_is_marked(html):
    marked = len(re.findall(r'<span class="known recalled"', html))
    recalled = sum(claim.source.known == "recalled" for claim in CLAIMS.values())
    assert marked == 2 * recalled + 1  # table, section, and the line that explains the word


def test_light_and_dark_and_print(html):
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert '<html lang="en">' in html
    assert "<title>" in html


def test_failures_show(own_results, monkeypatch):
    monkeypatch.setattr(store, "encode", lambda *_: b'<svg width="72pt">')  # not about the pictures
    path = own_results / "claims.json"
    content = json.loads(path.read_text())
    content["claims"][0] |= {"verdict": "fails", "predicted": None, "measured": None}
    content["claims"][1] |= {"violate": "unsound"}
    path.write_text(json.dumps(content))
    page = report.page(own_results)
    assert '<span class="verdict bad">fails</span>' in page
    assert '<span class="verdict bad">unsound</span>' in page
    n = len(CLAIMS)
    assert f"{n - 1} of {n} claims hold as stated, and {n - 1} of {n} fail" in page


def test_the_path_is_the_last_line(results, html, tmp_path, capsys):
    assert main(["report", "--results", str(results), "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "index.html")
    assert html == (tmp_path / "index.html").read_text(encoding="utf-8")
