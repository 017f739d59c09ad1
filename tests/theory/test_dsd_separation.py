"""Targets as alignments, alignments as samples, and which cells the claims are judged on."""

import numpy as np
import pytest
import xarray as xr

from theory.claim import judge
from theory.dsd_separation import CLAIMS, exponents, predict_exponents, predict_samples, required_alignment
from theory.dynamic_signal import ESTIMATORS, oracle_loss, oracle_network, predict_alignment


@pytest.mark.parametrize(("k", "sigma"), [(1, 0.2), (4, 0.1), (8, 0.3)])
def test_the_risk_of_an_alignment(k, sigma):
    """Against drawn samples of the best network whose weight has the alignment that the target asks for."""
    target = oracle_loss(k, sigma) + 0.03
    c = required_alignment(k, sigma, target)
    _, a, b = oracle_network(k, sigma / np.sqrt(c))
    draw, n = np.random.default_rng(0), 200_000
    z = sigma * draw.standard_normal((n, k))
    z[:, 0] += np.sqrt(c)
    z /= np.sqrt(c)  # the network may rescale its weight
    f = a * (np.sign(z) * np.maximum(np.abs(z) - b, 0)).sum(axis=1)
    losses = (f - 1) ** 2
    assert abs(losses.mean() - target) < 5 * losses.std() / np.sqrt(n)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_samples_invert_alignments(estimator):
    n = predict_samples(estimator, 8, 16, 0.3, 0.7)
    assert predict_alignment(estimator, 8, 16, 0.3, n) == pytest.approx(0.7, rel=1e-12)


def test_without_noise_every_alignment_will_do():
    assert required_alignment(4, 0.0, 0.03) == 0
    assert predict_samples("lcn", 4, 8, 0.0, 0.0) == 0


@pytest.mark.parametrize("target", [0.05, 1.0])
def test_targets_out_of_reach_are_refused(target):
    with pytest.raises(ValueError, match=r"has to be above 0\.097.*the oracle loss at k = 8, sigma = 0.2"):
        required_alignment(8, 0.2, target)


def results(n, floor=0.5, trials=8):
    """Curves ``n(learner) / size`` with noise, whose target is 0.1."""
    draw, k, sizes = np.random.default_rng(0), [8, 16, 32], np.geomspace(4, 4096, 11).round()
    learners = list(n)
    scale = np.array([[n[name](x) for x in k] for name in learners])[:, None, :, None, None]
    noise = np.exp(0.1 * draw.standard_normal((len(learners), 1, len(k), trials, 1)))
    losses = 0.1 * scale * noise / sizes
    swept = ("learner", "sigma", "k")
    return xr.Dataset(
        {
            "losses": ((*swept, "trial", "step"), losses),
            "sizes": ((*swept, "step"), np.broadcast_to(sizes, (*scale.shape[:3], len(sizes)))),
            "largest": (swept, np.full(scale.shape[:3], 4096)),
            "linear_floor": (("sigma", "k"), np.full((1, 3), floor)),
            "target": (swept, np.full(scale.shape[:3], 0.1)),
            "alignment": (("sigma", "k"), np.full((1, 3), 0.5)),
            "predicted": (("estimator", "sigma", "k"), np.full((1, 1, 3), 50.0)),
        },
        coords={"learner": learners, "sigma": [0.2], "k": k, "estimator": ["lcn, patch known"]},
        attrs={"config": '{"dimension": 16}'},
    )


GROWTH = {"cnn": lambda k: 20, "lcn": lambda k: 10 * k, "fcn": lambda k: 3 * k**2, "attention": lambda k: 10}
OF_PATCHES = [claim for claim in CLAIMS if claim.experiment == "dsd_patches"]
each_claim = pytest.mark.parametrize("claim", OF_PATCHES, ids=lambda claim: claim.name)


@each_claim
def test_holds_on_curves_that_are_separated(claim):
    judgement = judge(claim, results(GROWTH))
    assert judgement.passed, (judgement.verdict.sentence, judgement.refutation.sentence)


@each_claim
def test_fails_on_curves_that_are_not(claim):
    order = {"cnn": lambda k: 2 * k**2, "lcn": lambda k: 20, "fcn": lambda k: 10}
    assert not judge(claim, results(GROWTH | order)).verdict.holds


@each_claim
@pytest.mark.parametrize("few", [{"trials": 3}, {"floor": 0.05}], ids=["few trials", "linear"])
def test_is_open_on_too_little(claim, few):
    judgement = judge(claim, results(GROWTH, **few))
    needs_no_floor = claim.name == "lcn_stays_above_the_patch_known_line" and "floor" in few
    assert judgement.open != needs_no_floor


def test_a_bound_decides_where_it_can():
    """An LCN above its sizes is above the CNN; a CNN above its sizes leaves the claim open."""
    claim = OF_PATCHES[0]
    assert judge(claim, results(GROWTH | {"lcn": lambda k: 1e6})).verdict.holds
    assert judge(claim, results(GROWTH | {"cnn": lambda k: 1e6})).open


def test_exponents_are_those_of_the_curves():
    found = {name: exponents(results(GROWTH), name) for name in ("cnn", "lcn", "fcn")}
    for name, expected in {"cnn": 0, "lcn": 1, "fcn": 2}.items():
        assert abs(found[name][0.2].value - expected) < 5 * found[name][0.2].replicates.std() < 0.5
    assert not exponents(results(GROWTH, floor=0.05), "cnn")


def test_exponents_of_the_bounds():
    data = results(GROWTH)
    assert predict_exponents(data, "fcn", 0.2) == (pytest.approx(2), np.inf)
    low, high = predict_exponents(data, "lcn", 0.2)
    assert low == pytest.approx(1)
    k = np.array([8.0, 16.0, 32.0])
    assert high == pytest.approx(np.polyfit(np.log(k), np.log(k * (k + 16) * np.log(16 * k)), 1)[0])
