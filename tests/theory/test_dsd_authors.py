"""Which points make exponents, how rates are chosen, and what the claims say of made-up runs."""

import numpy as np
import pytest
import xarray as xr

from theory.claim import judge
from theory.dsd_authors import CLAIMS, exponents, sweep

SIZES = np.array([2, 3, 4, 6, 9, 14, 22, 33, 51, 78, 120, 183, 280, 428, 654, 1000])
K, D = [10, 15, 20, 25, 30, 20, 20, 20, 20], [20, 20, 20, 20, 20, 10, 15, 25, 30]


def results(cnn=lambda k, d: 20 * d**0.5, lcn=lambda k, d: k**1.5 * d / 4, trials=5, floor=0.5):
    """Risks ``n* target / n`` with noise, at rates of which the second is larger by some 0.02."""
    draw = np.random.default_rng(0)
    needed = np.array([[f(k, d) for k, d in zip(K, D)] for f in (cnn, lcn)])[:, None, :, None, None]
    noise = np.exp(0.05 * draw.standard_normal((2, 1, len(K), trials, 1)))
    risk = 0.05 * needed * noise / SIZES
    test = np.stack([risk, risk + 0.02 * noise], axis=-1)
    validation = test + 1e-3
    swept, numbers = ("learner", "sigma", "setting"), {"target": 0.05, "oracle": 0.02, "linear_floor": floor}
    return xr.Dataset(
        {name: ((*swept, "trial", "n", "rate"), array) for name, array in (("test", test), ("validation", validation))}
        | {name: (swept[1:], np.full((1, len(K)), value)) for name, value in numbers.items()}
        | {name: (("setting",), value) for name, value in (("k", K), ("d", D), ("fixed", [20] * len(K)))},
        coords={
            "learner": ["cnn", "lcn"],
            "sigma": [0.2],
            "setting": [f"k = {k}, d = {d}" for k, d in zip(K, D)],
            "n": SIZES,
        },
    )


GOOD = {"cnn": lambda k, d: 11 * (d / 10) ** 1.5}
each_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)


@each_claim
def test_holds_on_what_is_reported(claim):
    judgement = judge(claim, results(**GOOD))
    assert judgement.passed, (judgement.verdict.sentence, judgement.refutation.sentence)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("lcn_takes_ten_times_the_samples_of_cnn", {"lcn": lambda k, d: 50 * (d / 10) ** 1.5}),
        ("lcn_samples_grow_faster_than_patches", {"lcn": lambda k, d: 10 * k * (d / 10) ** 1.5}),
        ("cnn_samples_grow_no_faster_than_patches", {"cnn": lambda k, d: (k / 4) ** 1.6 * (d / 10) ** 1.5 + 20}),
    ],
)
def test_fails_on_what_is_not(name, wrong):
    (claim,) = (claim for claim in CLAIMS if claim.name == name)
    verdict = judge(claim, results(**GOOD | wrong)).verdict
    assert verdict.sound, verdict.sentence
    assert not verdict.holds


@pytest.mark.parametrize("few", [{"floor": 0.01}, {"lcn": lambda k, d: 1e6}], ids=["linear", "beyond 1000"])
def test_is_open_where_nothing_is_told(few):
    for name in ("lcn_takes_ten_times_the_samples_of_cnn", "lcn_samples_grow_faster_than_patches"):
        (claim,) = (claim for claim in CLAIMS if claim.name == name)
        assert judge(claim, results(**GOOD | few)).open


def test_exponents_are_those_of_the_points():
    dataset = results(lcn=lambda k, d: k * d * (k / 20) ** 0.5)
    assert exponents(dataset, "lcn", 0.2, "k").value == pytest.approx(1.5, abs=0.1)
    assert exponents(dataset, "lcn", 0.2, "d").value == pytest.approx(1.0, abs=0.1)


def test_fewer_samples_than_numbers_of_a_patch_make_no_exponent():
    assert exponents(results(cnn=lambda k, d: 0.6 * d), "cnn", 0.2, "k") is None


def test_the_shared_pair_is_in_both_sweeps():
    dataset = results()
    assert list(sweep(dataset, "k")) == list(sweep(dataset, "d")) == [10, 15, 20, 25, 30]
    assert sweep(dataset, "k")[20] == sweep(dataset, "d")[20] == "k = 20, d = 20"
