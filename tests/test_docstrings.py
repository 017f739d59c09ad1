"""Every example in a docstring runs and prints what it says, under the settings a reader has: jax as it comes."""

import doctest
import importlib
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for folder in ("equiv", "theory", "experiments", "paper_figures")
    for path in (ROOT / folder).rglob("*.py")
)


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
