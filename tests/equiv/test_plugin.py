"""The pytest plugin as its user meets it: a fixture in a test of their own, and a table at the end."""

import subprocess
import sys

pytest_plugins = ["pytester"]

MODEL = """
import jax.numpy as jnp
import pytest
from equiv import groups, reps

V = reps.standard(groups.so(3))

def test_right(laws):
    laws.assert_equivariance(lambda x: x * jnp.sum(x**2), V, V, n=64, climbs=0)

def test_wrong(laws):
    laws.assert_equivariance(lambda x: x * jnp.sum(x), V, V, n=64, climbs=0)

def test_same_key(laws):
    first = laws.measure_equivariance(lambda x: x * jnp.sum(x**2), V, V, n=64, climbs=0)
    again = laws.measure_equivariance(lambda x: x * jnp.sum(x**2), V, V, n=64, climbs=0)
    assert first.eps_units == again.eps_units

def test_typo(laws):
    with pytest.raises(AttributeError, match="measure_"):
        laws.equivariance
"""


def test_the_fixture_and_the_table(pytester):
    pytester.makepyfile(MODEL)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, failed=1)
    text = result.stdout.str()
    assert "the budget is 50 eps units" in text
    assert "equivariance laws: " in text
    assert "eps units  float32  equivariance of <lambda>" in text


def test_a_run_without_laws_prints_no_table(pytester):
    pytester.makepyfile("def test_nothing():\n    assert True\n")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    assert "equivariance laws" not in result.stdout.str()


def test_the_plugin_imports_nothing_heavy():
    code = "import equiv.testing.plugin, sys; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
