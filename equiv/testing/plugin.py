"""A pytest plugin: the ``laws`` fixture checks your model, and a table at the end of the run shows how well it did.

    def test_my_model(laws):
        laws.assert_equivariance(my_model, rep_in, rep_out)

The key is derived from the test's name, so a failure comes back. Installed with ``equiv``; nothing is imported before
a test asks.
"""

import zlib
from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["Laws", "laws"]

_COLLECTED: list[tuple] = []


class Laws:
    """The functions of ``equiv.laws`` with the key filled in, keeping every report for the table at the end."""

    def __init__(self, name: str) -> None:
        self._name, self.kept = name, []

    def __getattr__(self, function: str) -> Callable[..., Any]:
        import jax

        from equiv import laws as module

        if not function.startswith(("measure_", "assert_")):
            raise AttributeError(f"equiv.laws has measure_* and assert_* functions, not {function}")
        measure = getattr(module, function.replace("assert_", "measure_"))

        def call(*args: Any, budget: float = module.BUDGET, **options: Any) -> Any:
            options.setdefault("key", jax.random.key(zlib.crc32(self._name.encode())))
            report = measure(*args, **options)
            self.kept.append((self._name, report.law, report.subject, report.dtype, report.eps_units))
            return report.within(budget) if function.startswith("assert_") else report

        return call


@pytest.fixture
def laws(request: pytest.FixtureRequest) -> Laws:
    """``equiv.laws`` with a key of the test's own."""
    checked = Laws(request.node.nodeid)
    # Not a fixture that yields: a generator function wrapped by a type checker is none to pytest.
    request.addfinalizer(lambda: request.node.user_properties.append(("equiv", checked.kept)))  # noqa: PT021
    return checked


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Reports travel from workers to the main process as properties of the test."""
    if report.when == "teardown":
        for name, rows in report.user_properties:
            if name == "equiv":
                _COLLECTED.extend(map(tuple, rows))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The ten largest errors of the run, in eps units."""
    rows = sorted({row[1:] for row in _COLLECTED}, key=lambda row: -row[-1])
    if not rows:
        return
    terminalreporter.section(f"equivariance laws: {len(rows)} measured, largest errors")
    for law, subject, dtype, units in rows[:10]:
        terminalreporter.write_line(f"{units:10.3g} eps units  {dtype}  {law} of {subject[:80]}")
