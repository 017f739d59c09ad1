"""Errors of maps to the sphere: where they have to vanish, and that they do not elsewhere."""

import numpy as np

from experiments import sweep
from experiments.induction_consistency import EXPERIMENT, Config


def test_quarter_turns_are_exact_unless_features_are_pooled(small_of):
    error = small_of("induction_consistency").result.error
    assert error.sel(layer="vectors", angle=90.0).max() < 50 * np.finfo(np.float64).eps
    assert error.sel(layer="vectors", angle=30.0, side=7).min() > 1e-4
    assert error.sel(layer="pooled").min() > 0.1


def test_a_layer_has_its_numbers_whatever_stands_beside_it(small_of):
    small = small_of("induction_consistency")
    alone = Config(layers=("vectors",), sides=(14,), angles=(30.0,), trials=2, l_max=2)
    found = sweep.cell(EXPERIMENT, alone, 0, {"side": 14}).error
    expected = small.result.error.sel(layer=["vectors"], side=[14], angle=[30.0])
    np.testing.assert_array_equal(found.values, expected.transpose(*found.dims).values)
