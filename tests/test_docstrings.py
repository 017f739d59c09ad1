"""Every example runs and prints what it says, in docstrings and in the pages, under the settings a reader has."""

import contextlib
import doctest
import importlib
import inspect
import io
import re
from pathlib import Path

import jax
import pytest

from equiv.testing.plugin import Laws

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for folder in ("equiv", "theory", "experiments", "paper_figures")
    for path in (ROOT / folder).rglob("*.py")
)
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
FENCE = re.compile(r"^ *```(?P<language>[^\n]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
LANGUAGES = {"python", "text", "bash", "bibtex"}
"""What a block may be: python is run, the text right after it is its output, the others are not code of ours."""


@pytest.fixture
def jax_as_it_comes():
    """The settings of tests/conftest.py taken back, but for the watch on keys."""
    with (
        jax.enable_x64(False),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        jax.default_matmul_precision(None),
    ):
        yield


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, jax_as_it_comes):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    assert failed == 0, "the examples are in the captured output"


def test_the_reader_has_float32(jax_as_it_comes):
    assert jax.numpy.ones(1).dtype == jax.numpy.float32


def words(text):
    """The first words of each line of output; its numbers may differ in the last digit from machine to machine."""
    return [re.findall(r"(?<![\w.])[a-zA-Z_]+", line)[:2] for line in text.splitlines()]


# beartype, which only the tests switch on, picks the entry of a list that it checks with `random`.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if "```python" in text])
def test_pages(page, jax_as_it_comes):
    """The python blocks of a page run one after the other, its tests too; the text after a block is what it prints."""
    namespace, printed, blocks = {"__name__": page}, None, list(FENCE.finditer(PAGES[page]))
    for before, block in zip([None, *blocks], blocks):
        if block["language"] == "text" and before and not PAGES[page][before.end() : block.start()].strip():
            assert words(printed) == words(block["text"])
        if block["language"] != "python":
            continue
        line = PAGES[page].count("\n", 0, block.start()) + 1
        known = set(namespace)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile("\n" * line + block["text"], page, "exec"), namespace)
            for name in set(namespace) - known:
                if name.startswith("test_"):
                    test = namespace[name]
                    test(*[Laws(name)] if "laws" in inspect.signature(test).parameters else [])
        printed = out.getvalue()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page):
    """So that none is left out of the runs by its fence."""
    assert len(re.findall(r"^ *```", PAGES[page], re.MULTILINE)) == 2 * len(list(FENCE.finditer(PAGES[page])))
    assert {block["language"] for block in FENCE.finditer(PAGES[page])} <= LANGUAGES
