"""Classifiers of moved digits: their sizes and samples, what is exact in them, and what the committed runs say."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from equiv.groups import gl_plus, sl, so
from equiv.groups.decompositions import polar
from experiments import affine_digits
from experiments.data import strokes
from experiments.data.affine import sample_affine
from experiments.models import affine, n_parameters
from theory.catalogue import CLAIMS
from theory.claim import judge

RESULTS = Path(__file__).parents[2] / "experiments" / "results" / "affine_digits.nc"
WIDTH = 3


@pytest.fixture(autouse=True)
def single():
    with jax.enable_x64(False):
        yield


@pytest.mark.parametrize(("group", "count"), [(sl(2), 339_102), (gl_plus(2), 339_282)], ids=["SL(2)", "GL+(2)"])
def test_the_paper_s_networks_have_the_paper_s_number_of_parameters(group, count):
    assert n_parameters(affine.resnet(group)) == count


@pytest.mark.parametrize("name", affine.MODELS)
def test_models_are_of_one_size(name):
    wanted = n_parameters(affine.build("sl2"))
    assert abs(n_parameters(affine.build(name)) / wanted - 1) < 0.02


def test_another_model_is_refused():
    with pytest.raises(ValueError, match="the models are cnn, cnn_augmented, so2, sl2, gl2, moving_frame, got 'vit'"):
        affine.build("vit")


@pytest.mark.parametrize("group", [so(2), sl(2), gl_plus(2)], ids=str)
def test_the_paper_s_sample(group):
    """Equidistant rotations, none twice; log P with the variance that the code has."""
    elements = affine.paper_sample(group, jax.random.key(0), 4000)
    p, r = polar(elements)
    angles = np.sort(np.arctan2(r[:, 1, 0], r[:, 0, 0]))
    np.testing.assert_allclose(np.diff(angles), 2 * np.pi / 4000, atol=1e-5)
    if group.dim > 1:
        log = np.linalg.eigvalsh(np.asarray(p, np.float64))
        variance = np.mean(np.sum(np.log(log) ** 2, axis=-1)) / (group.dim - 1)
        n = 4000 * (group.dim - 1)
        assert abs(variance - 0.025) < 5 * 0.025 * np.sqrt(2 / n)
    few = affine.paper_sample(group, None, 10)
    np.testing.assert_array_equal(few, affine.paper_sample(group, None, 10))
    apart = np.linalg.norm(few[:, None] - few[None], axis=(-1, -2)) + 9 * np.eye(10)
    assert apart.min() > 0.1


def logits_of(model, n, moved, count=4):
    """Of a few digits, upright or moved, with n elements."""
    digits, _ = strokes.draw(jax.random.key(3), count, jnp.float32)
    a, t = sample_affine(jax.random.key(4), digits, 1.5)
    images = digits.moved(a, t).render() if moved else digits.render()
    logits = jax.jit(model.apply)(model.init(jax.random.key(5)), images, model.sample(None, n))
    return np.asarray(logits - logits.mean(axis=-1, keepdims=True))


def forgets(model, n):
    """How far the logits of moved digits are from those of upright ones, over how far digits are apart."""
    still, moved = logits_of(model, n, False), logits_of(model, n, True)
    return np.sqrt(np.mean((moved - still) ** 2) / np.mean((still - still.mean(axis=0)) ** 2))


def test_a_moving_frame_forgets_how_a_digit_was_moved():
    """An untrained network, so nothing is learned; with few elements, or a fixed sample, it does not forget."""
    frame = affine.moving_frame(WIDTH)
    error = forgets(frame, 48)
    assert error < 0.2  # what is left comes from the pixels
    assert forgets(frame, 1) > 5 * error
    assert forgets(affine.resnet(sl(2), WIDTH), 4) > 3 * error


@pytest.mark.parametrize("name", ["cnn", "sl2", "moving_frame"])
def test_precision_of_feature_maps_moves_logits_a_little(name):
    exact, coarse = (logits_of(affine.build(name, WIDTH, precision=p), 2, False, 2) for p in ("float32", "bfloat16"))
    assert 0 < np.abs(coarse - exact).max() < 0.2 * np.abs(exact).max()


def test_chunks_change_nothing():
    whole, parts = affine.resnet(sl(2), WIDTH), affine.resnet(sl(2), WIDTH, chunk=2)
    params = whole.init(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (2, 20, 20))
    elements = whole.sample(None, 3)

    def loss(model):
        return jax.jit(jax.value_and_grad(lambda p: jnp.sum(model.apply(p, images, elements) ** 2)))(params)

    (a, slope_a), (b, slope_b) = loss(whole), loss(parts)
    np.testing.assert_allclose(a, b, rtol=1e-5)
    scale = max(np.abs(leaf).max() for leaf in jax.tree.leaves(slope_a))
    for x, y in zip(jax.tree.leaves(slope_a), jax.tree.leaves(slope_b)):
        np.testing.assert_allclose(x, y, atol=1e-4 * scale)


def test_dropout_is_for_training_only():
    model = affine.build("cnn", WIDTH)
    params, images = model.init(jax.random.key(0)), jax.random.uniform(jax.random.key(1), (2, 20, 20))
    one = model.sample(None, 1)
    still = model.apply(params, images, one)
    np.testing.assert_array_equal(still, model.apply(params, images, one))
    first, second = (model.apply(params, images, one, jax.random.key(k)) for k in (2, 3))
    assert np.abs(np.asarray(first - second)).max() > 0


@pytest.mark.parametrize("data", affine_digits.DATA)
def test_draws(data):
    config = affine_digits.Config(side=20, strengths=(0.0, 2.0), test_digits=30, copies=2, copies_samples=1)
    trial, again = (
        jax.jit(affine_digits.draw, static_argnums=(0, 1, 2))(config, data, s, jax.random.key(0)) for s in (0, 1)
    )
    np.testing.assert_array_equal(trial.train, again.train)  # with or without the shapes
    assert trial.shapes is None
    assert trial.train.shape == (1000, 20, 20)
    assert trial.moved.shape == (2, 2, 30, 20, 20)
    labels = np.unique(trial.train_label)
    assert labels.tolist() == list(range(9 if data == "digits" else 10))
    np.testing.assert_allclose(again.shapes.take(jnp.arange(5)).render(20), trial.train[:5], atol=1e-6)
    ink = np.asarray(trial.test).sum(axis=(-1, -2))
    np.testing.assert_allclose(np.asarray(trial.moved[0, 0]).sum(axis=(-1, -2)), ink, rtol=0.05)  # shifted, no more
    assert np.abs(np.asarray(trial.moved[1, 0]).sum(axis=(-1, -2)) / ink - 1).max() > 0.2
    held_out = {image.tobytes() for image in np.asarray(trial.test)}
    assert not held_out & {image.tobytes() for image in np.asarray(trial.train)}


def stored():
    return xr.load_dataset(RESULTS, engine="h5netcdf")


def test_the_committed_runs_hold_what_is_promised():
    """Out of the range of augmentation the moving frame leads everywhere, and ten elements do as well as 64."""
    dataset = stored()
    accuracy = dataset["accuracy"].mean("trial")
    beyond = [s for s in dataset["strength"].values if s > 1]
    lead = accuracy.sel(model="moving_frame", strength=beyond) - accuracy.sel(model="cnn_augmented", strength=beyond)
    assert len(beyond) == 3
    assert (lead > 0).all()
    samples = dataset["accuracy_samples"].sel(model="moving_frame").mean("trial")
    assert (abs(samples.sel(samples=64) - samples.sel(samples=10)) <= 0.01).all()
    for name in ("moving_frame_outranges_augmentation", "few_elements_are_enough_for_a_moving_frame"):
        with jax.enable_x64(True):
            assert judge(CLAIMS[name], dataset).passed


@pytest.mark.parametrize("cut", [{"n": [0]}, {"trial": [0, 1]}, {"samples": [0, 1, 2]}], ids=str)
def test_smaller_runs_leave_the_claims_open(cut):
    with jax.enable_x64(True):
        judgement = judge(CLAIMS["moving_frame_outranges_augmentation"], stored().isel(cut))
    assert judgement.open
    assert "run the preset desk" in judgement.verdict.sentence


def test_a_missing_model_is_named():
    with jax.enable_x64(True):
        judgement = judge(CLAIMS["moving_frame_outranges_augmentation"], stored().isel(model=[0]))
    assert not judgement.passed
    assert (
        "the results have no model cnn_augmented and moving_frame, only cnn; run it too" in judgement.verdict.sentence
    )
