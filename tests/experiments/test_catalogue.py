"""Every row of the catalogue: its record is complete, its cells stand alone, and its numbers come from the seed."""

import dataclasses
import inspect
import re
import sys

import numpy as np
import pytest

from experiments import store, sweep
from experiments.catalogue import EXPERIMENTS
from theory.catalogue import CLAIMS

LARGER = {
    "attention_learning_curves": ("learners", "rfmlp"),
    "attention_heads": ("laws", "gaussian"),
    "attention_sample_size": ("learners", "brfa"),
    "attention_mixture": ("mixtures", 0.5),
    "breaking_sweep": ("levels", 0.3),
    "symmetry_discovery": ("levels", 0.3),
    "soft_inertia": ("axes", 1),
    "soft_cosine_similarity": ("kinds", "none"),
    "soft_trajectories": ("normalisations", "scale-aware"),
    "exp_image_fraction": ("radii", 0.7),
    "haar_sampling_error": ("sizes", 40),
    "turned_kernels": ("steps", 0.3),
    "view_pooling": ("methods", "mean"),
    "induction_consistency": ("sides", 9),
    "pose_band_limit": ("band_limits", 5),
    "registration": ("methods", "pointnet_augmented"),
    "dsd_patches": ("learners", "lcn"),
    "dsd_dimension": ("sigmas", 0.3),
    "dsd_authors": ("swept", 3),
    "equivariant_risk_gain": ("orders", 4),
    "affnist": ("models", "gl2"),
    "homnist": ("models", "gl2"),
    "symsol": ("shapes", "cone"),
    "modelnet10_so3": ("models", "pooled"),
    "pascal3d": ("models", "pooled"),
}
"""Experiment -> the setting that gets one more value, and that value."""
ROWS = pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)


def cells(experiment, config, seed, points):
    return [sweep.cell(experiment, config, seed, point) for point in points]


@ROWS
def test_is_complete(experiment):
    module = sys.modules[experiment.run.__module__]
    assert EXPERIMENTS[experiment.name] is experiment
    assert module.__name__ == f"experiments.{experiment.name}"
    assert experiment.statement.endswith("?")
    assert experiment.presets.keys() == experiment.cost.keys() == {"smoke", "desk", "paper"}
    assert all(type(preset) is experiment.config for preset in experiment.presets.values())
    assert 0 < experiment.cost["smoke"] <= 40
    assert type(experiment.version) is int
    assert experiment.version >= 1
    assert experiment.precision in ("float32", "float64")
    assert 0 < experiment.tolerance < 1


@ROWS
def test_config_is_flat_frozen_and_explained(experiment):
    fields = dataclasses.fields(experiment.config)
    lines = (inspect.getsource(one) for one in experiment.config.__mro__ if dataclasses.is_dataclass(one))
    source = "".join(lines)  # fields that several experiments share are explained where they are shared
    for field in fields:
        assert re.search(rf"^    {field.name}: [^#\n]+  # \w.*$", source, re.MULTILINE), f"{field.name} has no comment"
        assert not dataclasses.is_dataclass(field.type)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(experiment.presets["smoke"], fields[0].name, None)


@ROWS
def test_claims_exist(experiment):
    assert set(experiment.claims) <= CLAIMS.keys()
    assert {name for name, claim in CLAIMS.items() if claim.experiment == experiment.name} <= set(experiment.claims)


def test_claims_name_experiments():
    assert {claim.experiment for claim in CLAIMS.values()} <= {None, *EXPERIMENTS}


@ROWS
def test_data_that_have_to_be_fetched(experiment, public_data, monkeypatch):
    """What is missing is told with the way to say where it is; nothing is missing where all is there."""
    monkeypatch.delenv("EQUIV_DATA", raising=False)
    config = experiment.presets["paper"]
    if experiment.needs is None:
        assert experiment.lacks(config) is None
        return
    assert "EQUIV_DATA" in experiment.lacks(config)
    assert experiment.lacks(dataclasses.replace(config, data=public_data)) is None
    assert not experiment.claims  # nor may a figure depend on them, see paper_figures


@ROWS
@pytest.mark.parametrize("preset", ["smoke", "desk", "paper"])
def test_points(experiment, preset):
    config = experiment.presets[preset]
    axes = experiment.axes(config)
    points = experiment.points(config)
    assert len(points) == np.prod([len(values) for values in axes.values()])
    assert len({tuple(point.items()) for point in points}) == len(points)
    assert set(experiment.paired) <= axes.keys()


def test_a_sweep_has_its_axes(small):
    for axis, values in small.experiment.axes(small.config).items():
        assert small.result[axis].values.tolist() == list(values)
    for name, coordinate in small.result.coords.items():
        assert coordinate.dims == (name,)
        assert len(np.unique(coordinate)) == coordinate.size


def test_values_are_raw(small):
    """One number for each trial, and trials differ."""
    measured = [array for array in small.result.data_vars.values() if "trial" in array.dims]
    assert measured
    assert small.result.sizes["trial"] == small.config.trials
    assert any((array.std("trial") > 0).any() for array in measured)
    dtype = np.dtype(small.experiment.precision)
    assert all(array.dtype == dtype for array in measured)
    assert not any(array.isnull().any() for array in small.result.data_vars.values())


def test_arrays_are_explained(small):
    text = sys.modules[small.experiment.run.__module__].__doc__
    assert all(f"``{name}``" in text for name in small.result.data_vars)


def test_a_cell_alone_has_the_bits_of_the_sweep(small):
    for point in small.experiment.points(small.config)[::-2]:
        alone = sweep.cell(small.experiment, small.config, 0, point)
        swept = small.result.sel({axis: [value] for axis, value in point.items()})
        assert store.result_hash(alone) == store.result_hash(swept)


def test_a_larger_sweep_keeps_its_old_points(small):
    """One more value on an axis, in front of the others: of the sizes, or of what else there is."""
    experiment, config = small.experiment, small.config
    field, value = LARGER.get(experiment.name, ("sizes", 7))
    larger = dataclasses.replace(config, **{field: (value, *getattr(config, field))})
    point = experiment.points(config)[-1]
    cell = sweep.cell(experiment, larger, 0, point)
    n = {"n": list(config.sizes)} if field == "sizes" and "n" not in point else {}
    old = small.result.sel({axis: [value] for axis, value in point.items()})
    assert store.result_hash(cell.sel(n)) == store.result_hash(old)


def test_the_seed_changes_the_numbers(small):
    point = small.experiment.points(small.config)[0]
    cells = [sweep.cell(small.experiment, small.config, seed, point) for seed in (0, 1, 1)]
    hashes = [store.result_hash(cell) for cell in cells]
    assert hashes[0] != hashes[1] == hashes[2]


def test_the_callers_precision_does_not_matter(small):
    import jax

    point = small.experiment.points(small.config)[0]
    found = []
    for x64 in (False, True):
        with jax.enable_x64(x64), jax.default_matmul_precision("bfloat16" if x64 else "highest"):
            found.append(store.result_hash(sweep.cell(small.experiment, small.config, 0, point)))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("generalisation_gap", {"dims": ()}, "dims needs one or more values"),
        ("generalisation_gap", {"dims": (3, 3)}, "none of them twice, got (3, 3)"),
        ("generalisation_gap", {"sizes": (0, 3)}, "sizes has to be made of whole numbers of at least 1, got (0, 3)"),
        ("generalisation_gap", {"sizes": (2, 31)}, "sizes has to stay within the n_max = 30 samples of a trial"),
        ("generalisation_gap", {"trials": 2.0}, "trials has to be made of whole numbers"),
        ("generalisation_gap", {"trials": True}, "trials has to be made of whole numbers"),
        ("generalisation_gap", {"sigma_x": float("nan")}, "sigma_x has to be finite and above zero, got nan"),
        ("generalisation_gap", {"sigma_xi": 0.0}, "sigma_xi has to be finite and above zero, got 0.0"),
        ("digits_sample_complexity", {"sizes": (20, 1001)}, "sizes has to stay within the 1000 training images"),
        ("digits_sample_complexity", {"models": ("mlp", "mpl")}, "models has to be made of mlp, mlp_augmented"),
        ("digits_sample_complexity", {"models": ()}, "models has to be made of"),
        ("digits_sample_complexity", {"poses": "sideways"}, "poses has to be one of upright, random, got sideways"),
        ("digits_sample_complexity", {"learning_rates": (0.1, -0.1)}, "learning_rates has to be finite and above zero"),
        ("breaking_sweep", {"methods": ("per", "pre")}, "methods has to be made of mlp, equivariant, oracle"),
        ("breaking_sweep", {"levels": (0.0, 1.5)}, "levels has to be made of numbers from 0 to 1, none of them twice"),
        ("symmetry_discovery", {"levels": ()}, "levels has to be made of numbers from 0 to 1"),
        ("soft_inertia", {"axes": (3,)}, "axes has to be made of 0, 1, 2, -1, none of them twice, got (3,)"),
        ("soft_inertia", {"strengths": (0.0,)}, "strengths has to be finite and above zero"),
        ("soft_cosine_similarity", {"kinds": ("so4",)}, "kinds has to be made of so3-scale, so3, scale, none"),
        ("soft_trajectories", {"normalisations": ()}, "normalisations has to be made of symm-aware, scale-aware"),
        ("soft_trajectories", {"adjust_at": -1}, "adjust_at has to be made of whole numbers of at least 0"),
        ("affine_digits", {"data": ("mnist",)}, "data has to be made of digits, strokes"),
        ("affine_digits", {"strengths": (1.0, -1.0)}, "strengths has to be made of different numbers of at least 0"),
        ("affine_digits", {"side": 16}, "side has to be at least 17 pixels"),
        ("affine_digits", {"sizes": (2000,)}, "sizes has to stay within the 1000 training digits"),
        ("affine_digits", {"test_digits": 401}, "test_digits has to stay within 400 held-out digits"),
        ("affine_digits", {"feature_maps": "float16"}, "feature_maps has to be float32 or bfloat16, got 'float16'"),
        ("affnist", {"models": ("cnn_augmented",)}, "models has to be made of cnn, so2, sl2, gl2, moving_frame"),
        ("affnist", {"weight_decay": -1.0}, "weight_decay has to be finite and at least 0, got -1.0"),
        ("affnist", {"least_rate": 1.0}, "least_rate has to be at most learning_rate, got 1.0"),
        ("affnist", {"n_train": 9}, "batch_size has to be at most n_train = 9, got 64"),
        ("affnist", {"n_validation": 0}, "n_validation has to be made of whole numbers of at least 1, got 0"),
        ("homnist", {"feature_maps": "float16"}, "feature_maps has to be float32 or bfloat16, got 'float16'"),
        ("homnist", {"n_test": 1.5}, "n_test has to be made of whole numbers of at least 1, got 1.5"),
        ("symsol", {"shapes": ("torus",)}, "shapes has to be made of tet, cube, icosa, cone, cyl, tetX, cylO, sphereX"),
        ("symsol", {"side": 28}, "side has to be 8, 16, 32, 56, 112 or 224, got 28"),
        ("symsol", {"camera": "left"}, "camera has to be one of right_back_down, right_down_ahead, right_up_back, got"),
        ("symsol", {"labels": 0}, "labels has to be made of whole numbers of at least 1, got 0"),
        ("modelnet10_so3", {"part": "test"}, "part has to be one of train, train_limited, got test"),
        ("modelnet10_so3", {"classes": ("lamp",)}, "classes has to be made of bathtub, bed, chair, desk, dresser"),
        ("pascal3d", {"classes": ("cat",)}, "classes has to be made of aeroplane, bicycle, boat, bottle, bus, car"),
        ("pascal3d", {"models": ("resnet",)}, "models has to be made of orthographic, induced, mirror, pooled"),
        ("exp_image_fraction", {"radii": (1.0, 0.0)}, "radii has to be finite and above zero"),
        ("haar_sampling_error", {"methods": ("ball", "bell")}, "methods has to be made of unweighted, weighted, ball"),
        ("haar_sampling_error", {"sizes": (5, 10)}, "sizes has to be within 10 and the n_max = 4000 elements"),
        ("haar_sampling_error", {"std": 0.2}, "std has to be above 0.283, or the error has no variance, got 0.2"),
        ("pose_band_limit", {"band_limits": (9,)}, "band_limits has to be made of 0, 1, 2, 3, 4, 5, 6, 7, 8, none"),
        ("pose_band_limit", {"solids": ("ball",)}, "solids has to be made of cone, cylinder, tetrahedron, cube, icosa"),
        ("pose_band_limit", {"bounds": (0.0,)}, "bounds has to be finite and above zero"),
        ("turned_kernels", {"steps": (0.5, 1.5)}, "steps has to be made of numbers from 0 to 1, none of them twice"),
        ("turned_kernels", {"layers": ("plane",)}, "layers has to be made of paper, turning, turning_harmonic, plain"),
        ("view_pooling", {"methods": ("lstm",)}, "methods has to be made of mean, max, sum, gru, attention"),
        ("view_pooling", {"views": (1, 0)}, "views has to be made of whole numbers of at least 1, got (1, 0)"),
        ("view_pooling", {"orders": 1}, "orders has to be made of whole numbers of at least 2, got 1"),
        ("view_pooling", {"base_share": 1.0}, "base_share has to be between 0 and 1, got 1.0"),
        ("attention_heads", {"target": "keys"}, "target has to be one of query, key_average, correlation, got keys"),
        ("attention_sample_size", {"learners": ("softmax",)}, "learners has to be made of rfa, brfa, rfmlp, none"),
        (
            "attention_sample_size",
            {"keys_sizes": (60, 20)},
            "keys_sizes has to be two or more in rising order, got (60, 20)",
        ),
        (
            "attention_sample_size",
            {"dimension_sizes": (60,)},
            "dimension_sizes has to be two or more in rising order, got",
        ),
        (
            "attention_sample_size",
            {"network_sizes": (40, 80, 160)},
            "network_sizes has to be as many as keys_sizes, got 3 and 2",
        ),
        ("attention_mixture", {"mixtures": (0.0, 2.0)}, "mixtures has to be made of numbers from 0 to 1, none of them"),
        ("attention_mixture", {"dimension": 5}, "dimension has to be even, got 5"),
        ("attention_learning_curves", {"heads": 70}, "heads has to be a multiple of 50, or below it, got 70"),
        ("dsd_patches", {"learners": ("cnn", "mlp")}, "learners has to be made of cnn, lcn, fcn, attention, overlap"),
        (
            "dsd_patches",
            {"tolerance": -0.05},
            "got -0.05: the target 0.0317945 is not above the oracle loss 0.0817945 at k = 4, sigma = 0.2",
        ),
        ("dsd_dimension", {"tolerance": 0.0}, "is not above the oracle loss 0.0817945 at k = 4, sigma = 0.2"),
        ("dsd_dimension", {"sigmas": (-0.1,)}, "sigmas has to be made of different numbers from 0 to 10, got (-0.1,)"),
        ("dsd_patches", {"patches": (0, 4)}, "patches has to be made of whole numbers of at least 1, got (0, 4)"),
        ("dsd_patches", {"sizes": (4,)}, "sizes has to be two or more in rising order, up to n_max = 200, got (4,)"),
        ("dsd_patches", {"trials": 1}, "trials has to be made of whole numbers of at least 2, got 1"),
        (
            "equivariant_risk_gain",
            {"tasks": ("cubes",)},
            "tasks has to be made of linear, linear_broken, halves, shifts",
        ),
        (
            "equivariant_risk_gain",
            {"dims": (6,)},
            "dims has to be made of multiples of invariants = 4 above it, got (6,)",
        ),
        ("equivariant_risk_gain", {"primes": (9,)}, "primes has to be made of odd primes, got (9,)"),
        ("equivariant_risk_gain", {"orders": (1, 3)}, "orders has to be made of 1, 2, 4, 8, got (1, 3)"),
        (
            "equivariant_risk_gain",
            {"halves_further": (4,)},
            "halves_further has to be without what is in halves, got (4,)",
        ),
        (
            "equivariant_risk_gain",
            {"halves_target": 0.5},
            "halves_target has to be below 0.5, what guessing gives, got 0.5",
        ),
        ("equivariant_risk_gain", {"circle_target": 0.0}, "circle_target has to be between 0 and 1, got 0"),
        ("equivariant_risk_gain", {"degrees": (17,)}, "degrees has to be below variables = 17, got (17,)"),
        ("equivariant_risk_gain", {"band": 9}, "band has to be at least 16, the target's frequency, got 9"),
        ("dsd_authors", {"learners": ("attention",)}, "learners has to be made of cnn, lcn, fcn, none of them twice"),
        ("dsd_authors", {"sizes": (16, 4)}, "sizes has to be two or more in rising order, got (16, 4)"),
        ("dsd_authors", {"tolerance": -0.03}, "tolerance has to be finite and above zero, got -0.03"),
        ("registration", {"methods": ("icp",)}, "methods has to be made of equivariant, pointnet, pointnet_augmented"),
        ("registration", {"angles": (0.0, 200.0)}, "angles has to be made of numbers from 0 to 180, none of them"),
        ("registration", {"neighbours": 97}, "neighbours and matches have to be at most points = 96"),
        ("induction_consistency", {"layers": ("icosahedron",)}, "layers has to be made of scalars, vectors, rings"),
        ("induction_consistency", {"angles": (0.0,)}, "angles has to be finite and above zero, got (0.0,)"),
        ("emlp_data_efficiency", {"tasks": ("o5", "o6")}, "tasks has to be made of o5, inertia, lorentz, none of them"),
        ("emlp_data_efficiency", {"models": ()}, "models has to be made of mlp, mlp_augmented, scalars, emlp_identity"),
        ("emlp_data_efficiency", {"models": ("emlp_special",)}, "emlp_special is for lorentz"),
        (
            "emlp_data_efficiency",
            {"sizes": (1, 30)},
            "sizes has to be made of whole numbers of at least 2, got (1, 30)",
        ),
        (
            "emlp_data_efficiency",
            {"sizes": (30, 1001)},
            "sizes has to stay within the n_max = 1000 examples of a trial",
        ),
    ],
)
def test_bad_settings_are_refused_in_words(name, settings, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        dataclasses.replace(EXPERIMENTS[name].presets["smoke"], **settings)
