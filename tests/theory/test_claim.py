"""Each kind holds on evidence made to hold, fails on evidence made to fail, and is not fooled by empty numbers."""

import dataclasses

import jax
import numpy as np
import pytest

from theory.claim import (
    KINDS,
    Claim,
    Evidence,
    Source,
    TooSmall,
    bootstrap,
    generator,
    judge,
    key_of,
    mean_evidence,
    weigh,
)

SOURCE = Source("A. Author", "A title", "Venue 2000", None, "Theorem 1", "derived")
POINTS = np.array([1.0, 2.0, 4.0, 8.0])
WOBBLE = 1 + 0.01 * np.random.default_rng(0).standard_normal((100, 4))


def rate(exponent, wobble=WOBBLE):
    return Evidence("n", POINTS, POINTS**exponent, (), None, 100, POINTS**exponent * wobble)


def pair(low, high, error=0.1):
    values = np.array([[low, low], [high, high]], float)
    return Evidence("n", [1, 2], values, ("a", "b"), np.full((2, 2), error), 9)


HOLDS = {
    "identity": (np.array([1.0, 2.0]), Evidence("x", [0, 1], np.array([1.0, 2.0]) * (1 + 1e-15))),
    "bound": (np.array([1.0, 2.0]), Evidence("x", [0, 1], [0.9, 1.0], (), [0.03, 0.1], 9)),
    "rate": (1.5, rate(1.5)),
    "ratio": (np.array([1.0, 2.0]), Evidence("x", [0, 1], [1.01, 1.98], (), [0.01, 0.02], 9)),
    "separation": (("a", "b"), pair(1, 3)),
}
FAILS = {
    "identity": (np.array([1.0, 2.0]), Evidence("x", [0, 1], [1.0, 2.0 + 1e-9])),
    "bound": (np.array([1.0, 2.0]), Evidence("x", [0, 1], [0.9, 1.0], (), [0.04, 0.1], 9)),
    "rate": (1.5, rate(1.6)),
    "ratio": (np.array([1.0, 2.0]), Evidence("x", [0, 1], [1.01, 1.88], (), [0.01, 0.02], 9)),
    "separation": (("a", "b"), pair(1, 1.9)),
}


def a_claim(kind, predicted=None, evidence=None, violation=None, **changes):
    claim = Claim(
        name="made_up",
        statement="A sentence.",
        formula="a = b",
        source=SOURCE,
        kind=kind,
        predict=lambda key: predicted,
        measure=lambda key: evidence,
        violate=lambda key: violation,
        dropped="everything",
    )
    return dataclasses.replace(claim, **changes)


def test_every_kind_is_tested():
    assert set(KINDS) == set(HOLDS) == set(FAILS)


@pytest.mark.parametrize("kind", KINDS)
def test_holds(kind):
    verdict = weigh(a_claim(kind), *HOLDS[kind])
    assert verdict.holds
    assert verdict.sound
    assert verdict.sentence


@pytest.mark.parametrize("kind", KINDS)
def test_fails_on_sound_numbers(kind):
    verdict = weigh(a_claim(kind), *FAILS[kind])
    assert not verdict.holds
    assert verdict.sound


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_is_unsound(kind, bad):
    predicted, evidence = HOLDS[kind]
    fields = [f for f in ("values", "standard_error", "replicates") if getattr(evidence, f) is not None]
    for field in fields:
        array = getattr(evidence, field).copy()
        array.flat[-1] = bad
        verdict = weigh(a_claim(kind), predicted, dataclasses.replace(evidence, **{field: array}))
        assert not verdict.holds, field
        assert not verdict.sound, field


@pytest.mark.parametrize("kind", ["identity", "bound", "rate", "ratio"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_prediction_that_is_none_is_unsound(kind, bad):
    predicted, evidence = HOLDS[kind]
    verdict = weigh(a_claim(kind), predicted * bad, evidence)
    assert not verdict.holds
    assert not verdict.sound


@pytest.mark.parametrize("kind", ["bound", "ratio", "separation"])
def test_a_standard_error_of_zero_is_unsound(kind):
    predicted, evidence = HOLDS[kind]
    verdict = weigh(a_claim(kind), predicted, dataclasses.replace(evidence, standard_error=0 * evidence.values))
    assert not verdict.holds
    assert not verdict.sound


@pytest.mark.parametrize("kind", ["ratio", "separation"])
def test_draws_need_standard_errors(kind):
    predicted, evidence = HOLDS[kind]
    assert not weigh(a_claim(kind), predicted, dataclasses.replace(evidence, standard_error=None)).sound


def test_exact_values_may_meet_a_bound():
    exact = Evidence("x", [0, 1], [1.0, 2.0])
    assert weigh(a_claim("bound"), np.array([1.0, 2.0]), exact).holds
    assert not weigh(a_claim("bound"), np.array([1.0, 1.9]), exact).holds


def test_a_slope_that_covers_everything_decides_nothing():
    vague = rate(1.5, WOBBLE**30)
    for exponent in (1.5, 1.7):
        verdict = weigh(a_claim("rate"), exponent, vague)
        assert not verdict.holds
        assert not verdict.sound
    assert weigh(a_claim("rate"), 9.0, vague).sound, "it still excludes what is far away"


def test_a_rate_has_an_interval_around_its_slope():
    low, high = weigh(a_claim("rate"), *HOLDS["rate"]).interval
    assert low < 1.5 < high < low + 0.5


def test_a_rate_needs_replicates_that_differ_and_positive_values():
    for replicates in (None, np.tile(POINTS, (5, 1))):
        assert not weigh(a_claim("rate"), 1.0, Evidence("n", POINTS, POINTS, replicates=replicates)).sound
    assert not weigh(a_claim("rate"), 1.0, Evidence("n", POINTS, POINTS - 1, replicates=POINTS * WOBBLE)).sound


def test_a_ratio_that_covers_everything_decides_nothing():
    vague = Evidence("x", [0], [1.1], (), [0.1], 4)
    verdict = weigh(a_claim("ratio"), np.array([1.0]), vague)
    assert not verdict.holds
    assert not verdict.sound
    assert weigh(a_claim("ratio"), np.array([3.0]), vague).sound


def test_a_separation_minds_the_order():
    predicted, evidence = HOLDS["separation"]
    verdict = weigh(a_claim("separation"), predicted[::-1], evidence)
    assert not verdict.holds
    assert verdict.sound
    assert not weigh(a_claim("separation"), ("a", "c"), evidence).sound


def test_an_identity_of_zeros_says_nothing():
    verdict = weigh(a_claim("identity"), np.zeros(2), Evidence("x", [0, 1], np.zeros(2)))
    assert not verdict.holds
    assert not verdict.sound


def test_a_ratio_against_zero_says_nothing():
    assert not weigh(a_claim("ratio"), np.array([0.0, 1.0]), HOLDS["ratio"][1]).sound


def test_a_bound_may_be_zero():
    assert weigh(a_claim("bound"), np.zeros(2), Evidence("x", [0, 1], [-1.0, 0.0])).holds
    assert not weigh(a_claim("bound"), np.zeros(2), Evidence("x", [0, 1], [-1.0, 0.1])).holds


def test_an_identity_keeps_to_its_own_budget():
    predicted, evidence = np.array([1.0]), Evidence("x", [0], [1 + 100 * np.finfo(float).eps])
    assert not weigh(a_claim("identity"), predicted, evidence).holds
    assert weigh(a_claim("identity", budget=101.0), predicted, evidence).holds


def test_a_prediction_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"predicts shape \(3,\), its evidence asks for \(2,\)"):
        weigh(a_claim("ratio"), np.ones(3), HOLDS["ratio"][1])
    with pytest.raises(ValueError, match="kind 'guess'; the kinds are identity, bound"):
        weigh(a_claim("guess"), np.ones(2), HOLDS["ratio"][1])


def test_evidence_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="values of shape"):
        Evidence("x", [0, 1], [1.0])
    with pytest.raises(ValueError, match="standard errors of shape"):
        Evidence("x", [0, 1], [1.0, 2.0], (), [1.0])
    with pytest.raises(ValueError, match="replicates of shape"):
        Evidence("x", [0, 1], [1.0, 2.0], replicates=np.ones((5, 3)))


@pytest.mark.parametrize("kind", KINDS)
def test_judged_together(kind):
    predicted, evidence = HOLDS[kind]
    sound = judge(a_claim(kind, predicted, evidence, FAILS[kind][1]))
    assert sound.passed
    assert sound.violate == "fails"
    empty = judge(a_claim(kind, predicted, evidence, evidence))
    assert not empty.passed
    assert empty.violate == "holds"


def test_a_violation_that_fails_for_the_wrong_reason_is_an_error():
    predicted, evidence = HOLDS["ratio"]
    for values, error in (([np.nan, 1.0], [0.01, 0.02]), ([5.0, 9.0], [0.0, 0.0]), ([5.0, np.inf], [1.0, 1.0])):
        judgement = judge(a_claim("ratio", predicted, evidence, Evidence("x", [0, 1], values, (), error, 9)))
        assert judgement.verdict.holds
        assert judgement.violate == "unsound"
        assert not judgement.passed


def _raise(key):
    raise RuntimeError("no luck today\nand a second line")


def test_what_raises_does_not_hold_and_says_so():
    predicted, evidence = HOLDS["ratio"]
    for name in ("predict", "measure", "violate"):
        claim = a_claim("ratio", predicted, evidence, FAILS["ratio"][1], **{name: _raise})
        judgement = judge(claim)
        assert not judgement.passed
        sentence = (judgement.refutation if name == "violate" else judgement.verdict).sentence
        assert sentence == f"{name} raised RuntimeError: no luck today"
    assert judgement.verdict.holds, "a violation that raises leaves the verdict alone"


def test_results_that_are_too_small_leave_a_claim_open():
    def predict(dataset):
        raise TooSmall("it takes 1000 digits")

    predicted, evidence = HOLDS["ratio"]
    judgement = judge(a_claim("ratio", predicted, evidence, FAILS["ratio"][1], predict=predict))
    assert judgement.open
    assert judgement.violate == "open"
    assert not judgement.passed
    assert judgement.verdict.sentence == "it takes 1000 digits"


def test_the_key_is_made_from_the_name():
    seen = []
    claim = a_claim("ratio", violation=FAILS["ratio"][1], predict=lambda key: seen.append(key) or HOLDS["ratio"][0])
    judge(dataclasses.replace(claim, measure=lambda key: seen.append(key) or HOLDS["ratio"][1]))
    first, second = (jax.random.key_data(key).tolist() for key in seen)
    assert first == second == jax.random.key_data(key_of("made_up")).tolist()
    assert first != jax.random.key_data(key_of("other")).tolist()


def test_an_experiment_gives_its_dataset():
    given = []
    claim = a_claim("ratio", violation=FAILS["ratio"][1], experiment="digits", predict=lambda x: HOLDS["ratio"][0])
    claim = dataclasses.replace(claim, measure=lambda x: given.append(x) or HOLDS["ratio"][1])
    assert judge(claim, "a dataset").passed
    assert given == ["a dataset"]
    with pytest.raises(ValueError, match="made_up is judged from the results of digits"):
        judge(claim)


def test_float32_is_refused():
    with jax.enable_x64(False), pytest.raises(ValueError, match="judged in float64"):
        judge(a_claim("ratio"))


def test_mean_evidence():
    samples = np.random.default_rng(1).standard_normal((2, 3, 50))
    evidence = mean_evidence("n", [1, 2, 3], samples, ("a", "b"))
    np.testing.assert_allclose(evidence.values, samples.mean(-1))
    np.testing.assert_allclose(evidence.standard_error, samples.std(-1, ddof=1) / 50**0.5)
    assert evidence.trials == 50
    assert mean_evidence("n", [1], [[2.0]]).standard_error.tolist() == [0.0]


def test_bootstrap_finds_the_standard_error_of_a_mean():
    samples = np.random.default_rng(2).standard_normal((400, 3)) * [1, 2, 3]
    value, replicates = bootstrap(jax.random.key(0), samples, lambda s: s.mean(axis=0), 1000)
    np.testing.assert_allclose(value, samples.mean(axis=0))
    # the standard deviation of 1000 replicates is known to 1 / sqrt(2000); five of those
    np.testing.assert_allclose(replicates.std(axis=0), samples.std(axis=0) / 20, rtol=5 / 2000**0.5)
    again = bootstrap(jax.random.key(0), samples, lambda s: s.mean(axis=0), 1000)[1]
    np.testing.assert_array_equal(replicates, again)


def test_generators_of_different_keys_differ():
    draws = [generator(jax.random.key(seed)).standard_normal() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_a_source_says_how_it_is_known():
    assert str(SOURCE) == "A. Author, A title, Venue 2000; Theorem 1 (derived)"
    assert "arXiv 1234.5678" in str(dataclasses.replace(SOURCE, arxiv="1234.5678"))
