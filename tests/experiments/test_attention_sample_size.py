"""Sample sizes at one half: where they are read, and what happens where the sizes do not reach."""

import numpy as np
import pytest

from experiments.attention_sample_size import TASKS, sample_size

SIZES = np.array([10.0, 20.0, 40.0, 80.0])


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param([1.0, 0.5, 0.3, 0.1], (20.0, 1), id="at a size"),
        pytest.param([2.0, 1.0, 0.25, 0.1], (20 * 2**0.5, 1), id="between two sizes"),
        pytest.param([1.0, 0.4, 0.9, 0.1], (20 / 2 ** (np.log(0.5 / 0.4) / np.log(2.5)), 1), id="the first of two"),
        pytest.param([0.4, 0.9, 0.2, 0.1], (10.0, 1), id="at once"),
        pytest.param([1.5, 1.0, 0.9, 0.6], (80.0, 0), id="never"),
    ],
)
def test_sample_size(error, expected):
    found, reached = sample_size(SIZES, np.array(error))
    assert reached == expected[1]
    np.testing.assert_allclose(found, expected[0], rtol=1e-12)


def test_a_power_law_is_read_exactly():
    np.testing.assert_allclose(sample_size(SIZES, 7 / SIZES), (14.0, 1), rtol=1e-12)


def test_what_is_stored_are_sample_sizes_of_stored_errors(small_of):
    result = small_of("attention_sample_size").result
    for sweep, axis in (("keys", "n_keys"), ("length", "dimension")):
        error = result[f"{sweep}_error"].transpose("learner", "trial", axis, "task", f"{sweep}_step")
        half = result[f"{sweep}_half"].transpose("learner", "trial", axis, "task")
        reached = result[f"{sweep}_reached"].transpose("learner", "trial", axis, "task")
        samples = result[f"{sweep}_samples"].transpose("learner", f"{sweep}_step")
        for index in np.ndindex(half.shape):
            expected = sample_size(samples.values[index[0]], error.values[index])
            np.testing.assert_array_equal([half.values[index], reached.values[index]], expected)
    assert result.sizes["task"] == len(TASKS)
