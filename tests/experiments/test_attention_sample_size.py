"""Errors of both sweeps are stored beside the sizes they belong to."""

from experiments.attention_sample_size import TASKS


def test_errors_stand_beside_their_sizes(small_of):
    """Each learner has its own in the first sweep, and all have the same in the second."""
    small = small_of("attention_sample_size")
    result, config = small.result, small.config
    assert result.sizes["task"] == len(TASKS)
    for learner, sizes in (("rfa", config.keys_sizes), ("rfmlp", config.network_sizes)):
        assert result["keys_samples"].sel(learner=learner).values.tolist() == list(sizes)
        assert result["length_samples"].sel(learner=learner).values.tolist() == list(config.dimension_sizes)
    for sweep in ("keys", "length"):
        assert result[f"{sweep}_error"].sizes[f"{sweep}_step"] == result[f"{sweep}_samples"].sizes[f"{sweep}_step"]
        assert (result[f"{sweep}_error"] > 0).all()
