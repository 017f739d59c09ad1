"""The claim judged from stored errors, on made-up ones, and the count of profiles against a layer."""

import jax
import numpy as np
import pytest
import xarray as xr

from equiv.layers import laguerre, mirror_plane_to_sphere, plane_to_sphere
from equiv.reps.irreps import so2
from theory.catalogue import CLAIMS
from theory.claim import judge
from theory.induced_representations import predict_number_of_profiles

CLAIM = CLAIMS["induction_error_falls_spectrally"]


def errors(many=1e-9, quarter=1e-15, sides=(7, 14, 28), angles=(30.0, 90.0), trials=5):
    """A dataset of the layout of induction_consistency, with the error at the last side and at quarter turns."""
    decay = np.array([1.0, 1e-2, many])[-len(sides) :]
    found = np.stack(
        [np.where(np.array(angles)[:, None] % 90 == 0, quarter, decay), np.ones((len(angles), len(sides)))]
    )
    scatter = np.random.default_rng(0).uniform(0.9, 1.1, (*found.shape, trials))
    axes = ("layer", "angle", "side", "trial")
    coords = {"layer": ["scalars", "pooled"], "angle": list(angles), "side": list(sides), "trial": np.arange(trials)}
    return xr.Dataset({"error": (axes, found[..., None] * scatter)}, coords)


def test_holds_and_pooled_features_fail():
    judgement = judge(CLAIM, errors())
    assert judgement.passed
    assert judgement.evidence.trials == 5


@pytest.mark.parametrize("wrong", [{"many": 1e-5}, {"many": 1e-3}, {"quarter": 1e-12}], ids=str)
def test_fails_on_larger_errors(wrong):
    judgement = judge(CLAIM, errors(**wrong))
    assert judgement.verdict.sound
    assert not judgement.verdict.holds


@pytest.mark.parametrize("small", [{"sides": (7, 28)}, {"angles": (90.0,)}, {"trials": 2}], ids=str)
def test_is_open_on_too_little(small):
    assert judge(CLAIM, errors(**small)).violate == "open"


@pytest.mark.parametrize("l_max", [0, 1, 6])
def test_number_of_profiles(l_max):
    for build, mirror in ((plane_to_sphere, False), (mirror_plane_to_sphere, True)):
        params = build(so2(0), l_max, 1, laguerre(1, 0.2)).init(jax.random.key(0))
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) == predict_number_of_profiles(l_max, mirror)
