"""Errors of turned and shared kernels: where they have to vanish, and that they do not elsewhere."""

import numpy as np
import pytest

from experiments import sweep
from experiments.turned_kernels import EXPERIMENT, Config


@pytest.mark.parametrize("array", ["turning_error", "scaling_error"])
def test_quarter_turns_and_halvings_are_exact(small_of, array):
    errors = small_of("turned_kernels").result[array]
    assert errors.sel(step=1.0).max() < 500 * np.finfo(np.float64).eps
    assert errors.sel(step=0.5).min() > 1e-4


def test_what_is_not_equivariant_is_far_off():
    """The twins: kernels without symmetry, and levels that do not share them."""
    config = Config(layers=("plain",), pyramids=("independent",), trials=2, places=2)
    found = sweep.cell(EXPERIMENT, config, 0, {"step": 1.0})
    assert found.turning_error.min() > 0.1
    assert found.scaling_error.min() > 0.1
