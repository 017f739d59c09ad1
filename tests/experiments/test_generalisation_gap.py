"""The gap of least squares: the simulation agrees with the formula, and would not agree with a wrong one."""

import dataclasses

import numpy as np
import pytest

from experiments import generalisation_gap, sweep

EXPERIMENT = generalisation_gap.EXPERIMENT
CONFIG = dataclasses.replace(
    EXPERIMENT.presets["smoke"], dims=(6,), sizes=(1, 2, 3, 12, 14, 18), n_max=18, trials=20000
)
"""Sizes at which the second moment of the gap is finite too."""


@pytest.fixture(scope="module")
def cell():
    return sweep.cell(EXPERIMENT, CONFIG, 0, {"d": 6})


def distance(cell, factor=1.0):
    """The farthest mean from the formula, in standard errors."""
    gap = cell.gap.values[0]
    error = gap.std(axis=1, ddof=1) / np.sqrt(gap.shape[1])
    return np.max(np.abs(gap.mean(axis=1) - factor * cell.predicted.values[0]) / error)


def test_agrees_with_the_formula(cell):
    assert np.isfinite(cell.predicted).all()
    assert distance(cell) < 5


@pytest.mark.parametrize("factor", [0.95, 1.05])
def test_a_wrong_formula_would_not(cell, factor):
    assert distance(cell, factor) > 5


def test_a_gap_is_never_negative(cell):
    assert cell.gap.min() > 0


def test_infinite_where_the_mean_is():
    config = dataclasses.replace(CONFIG, sizes=(4, 5, 6, 7, 8), trials=2)
    predicted = sweep.cell(EXPERIMENT, config, 0, {"d": 6}).predicted.values[0]
    assert np.isinf(predicted).tolist() == [False, True, True, True, False]


def test_trials_are_nested():
    """More trials keep the draws there are; another batch size may round otherwise."""
    few, many = (sweep.cell(EXPERIMENT, dataclasses.replace(CONFIG, trials=t), 0, {"d": 6}) for t in (3, 8))
    np.testing.assert_allclose(few.gap.values, many.gap.values[:, :, :3], rtol=1e-10)


def test_equal_shapes_are_one_program():
    before = generalisation_gap.gaps._cache_size()
    config = dataclasses.replace(CONFIG, trials=4, sizes=(2, 3), n_max=11)
    for seed, sizes in ((0, (2, 3)), (1, (2, 3)), (0, (9, 11))):
        sweep.cell(EXPERIMENT, dataclasses.replace(config, sizes=sizes), seed, {"d": 6})
    assert generalisation_gap.gaps._cache_size() == before + 1
    sweep.cell(EXPERIMENT, config, 0, {"d": 7})
    assert generalisation_gap.gaps._cache_size() == before + 2
