"""Files named ``bench_*.py`` are collected, from this folder on."""

import pytest


def pytest_collect_file(file_path, parent):
    named = file_path.name.startswith("bench_") and file_path.suffix == ".py"
    if named and not parent.session.isinitpath(file_path):  # one named on the command line is collected anyway
        return pytest.Module.from_parent(parent, path=file_path)
    return None
