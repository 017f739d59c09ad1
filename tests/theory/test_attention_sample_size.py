"""The variance of the labels, against drawn tokens, and the growth of the bound."""

import numpy as np
import pytest

from theory.attention_learning import draw_direction, labels
from theory.attention_sample_size import predict_growth, predict_variance
from theory.random_feature_attention import draw_tokens


@pytest.mark.parametrize("n_keys", [1, 3])
@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("target", ["query", "key average", "correlation"])
def test_variance(target, degree, n_keys):
    draw, d, n = np.random.default_rng(0), 3, 200_000
    y = labels(draw_tokens(draw, n, n_keys, d), draw_direction(draw, d), target, degree)
    square = (y - y.mean()) ** 2
    error = square.std() / n**0.5
    assert abs(square.mean() - predict_variance(target, degree, d, n_keys)) < 5 * error < 0.05 * square.mean()


def test_growth_of_the_bound():
    """As the square of N + 2 for the network, once N is large; as d^3 for RFA on correlations."""
    ratio = predict_growth("RFMLP", "key average", 2, 4, 802) / predict_growth("RFMLP", "key average", 2, 4, 400)
    assert ratio == pytest.approx(4, rel=1e-3)
    ratio = predict_growth("RFA", "correlation", 1, 400, 2) / predict_growth("RFA", "correlation", 1, 200, 2)
    assert ratio == pytest.approx(8, rel=1e-2)
    assert predict_growth("RFA", "key average", 2, 4, 8) == pytest.approx(
        8 * predict_growth("RFA", "key average", 2, 4, 1)
    )
