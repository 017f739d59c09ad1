"""Small configs of every experiment, an experiment made up for the engine, and the means to run both."""

import dataclasses
import signal

import jax
import numpy as np
import pytest
import xarray as xr
from public_files import images, write_affnist, write_mnist, write_modelnet, write_pascal, write_symsol

from experiments import sweep
from experiments.catalogue import EXPERIMENTS
from experiments.record import Experiment, whole

_CONTEST = {
    "trials": 2,
    "n_train": 20,
    "n_test": 70,
    "channels": 12,
    "depth": 1,
    "steps": 6,
    "checks": 3,
    "adjust_at": 1,
    "batch_size": 5,
    "learning_rates": (0.01,),
    "strengths": (10.0,),
}
_BENCHMARK = {
    "models": ("cnn", "so2"),
    "trials": 2,
    "n_train": 40,
    "width": 2,
    "samples": 2,
    "epochs": 2,
    "batch_size": 16,
    "test_batch_size": 10,
    "learning_rate": 0.01,
}
_POSES = {  # eight pictures to train on and six to test on, so that the three share their programs
    "models": ("orthographic", "fisher"),
    "trials": 2,
    "n_train": 4,
    "n_test": 3,
    "side": 8,
    "width": 8,
    "l_max": 1,
    "train_level": 0,
    "test_level": 1,
    "epochs": 2,
    "batch_size": 4,
}
_SIGNAL = {
    "learners": ("cnn", "fcn"),
    "sigmas": (0.2,),
    "trials": 2,
    "n_max": 16,
    "steps": 20,
    "fcn_steps": 20,
    "validation": 20,
    "test": 50,
}
SMALL = {
    "breaking_sweep": _CONTEST | {"methods": ("equivariant", "rpp"), "levels": (0.0, 1.0)},
    "symmetry_discovery": _CONTEST | {"methods": ("per", "per_evidence"), "levels": (0.5,)},
    "soft_inertia": _CONTEST | {"methods": ("mlp", "constrained"), "axes": (2,)},
    "soft_cosine_similarity": _CONTEST | {"methods": ("mlp", "lie"), "kinds": ("so3",)},
    "soft_trajectories": _CONTEST | {"methods": ("mlp", "oracle"), "normalisations": ("symm-aware",)},
    "attention_learning_curves": {
        "learners": ("brfa", "softmax_heads", "trained"),
        "degrees": (1,),
        "sizes": (20, 40),
        "dimension": 3,
        "keys": 2,
        "heads": 5,
        "test": 30,
        "trained_heads": 3,
        "validation": 20,
        "steps": 10,
        "batch_size": 8,
    },
    "attention_sample_size": {
        "learners": ("rfa", "rfmlp"),
        "keys": (1, 2),
        "keys_dimension": 3,
        "keys_sizes": (8, 16),
        "network_sizes": (8, 24),
        "dimensions": (3,),
        "dimension_sizes": (8, 16),
        "test": 30,
    },
    "attention_mixture": {
        "learners": ("rfa", "brfa_matched"),
        "sizes": (8, 16),
        "dimension": 2,
        "test": 30,
    },
    "attention_heads": {
        "laws": ("biased",),
        "heads": ("orthogonal", "antithetic"),
        "numbers": (5, 10),
        "dimension": 3,
        "keys": 2,
        "samples": 20,
        "test": 20,
    },
    "dsd_patches": _SIGNAL | {"patches": (2, 3), "dimension": 3},
    "dsd_dimension": _SIGNAL | {"dimensions": (2, 3), "patches": 3},
    "dsd_authors": {
        "sigmas": (0.2,),
        "swept": (2,),
        "fixed": 3,
        "trials": 2,
        "sizes": (4, 16),
        "bias_rates": (0.01,),
        "steps": 20,
        "held_out": 50,
    },
    "equivariant_risk_gain": {
        "tasks": ("linear", "degrees", "circle_broken"),
        "dims": (8,),
        "degrees": (1,),
        "variables": 5,
        "orders": (8,),
        "trials": 2,
        "rows": 200,
    },
    "generalisation_gap": {"dims": (3, 5), "sizes": (2, 5, 9), "n_max": 12, "trials": 6, "stride": 1},
    "digits_sample_complexity": {
        "models": ("mlp", "mlp_averaged", "equivariant_mlp"),
        "sizes": (20, 50),
        "trials": 2,
        "copies": 2,
        "depth": 1,
        "steps": 5,
        "learning_rates": (0.03,),
    },
    "exp_image_fraction": {"radii": (0.5, 2.0), "trials": 3, "draws": 50},
    "haar_sampling_error": {
        "methods": ("unweighted", "sobol", "relative_lattice"),
        "sizes": (10, 100),
        "n_max": 200,
        "trials": 2,
    },
    "turned_kernels": {
        "steps": (0.5, 1.0),
        "layers": ("turning_harmonic", "c8"),
        "pyramids": ("shared", "levels"),
        "trials": 2,
        "places": 2,
    },
    "view_pooling": {
        "methods": ("attention_staged", "gru"),
        "views": (1, 3),
        "seen": 2,
        "trials": 2,
        "shapes": 6,
        "orders": 2,
        "side": 8,
        "rays": 10,
        "width": 8,
        "features": 6,
        "steps": 4,
        "batch_size": 3,
        "learning_rates": (0.01,),
    },
    "induction_consistency": {
        "layers": ("vectors", "pooled"),
        "sides": (7, 14),
        "angles": (30.0, 90.0),
        "trials": 2,
        "l_max": 2,
    },
    "registration": {
        "methods": ("equivariant", "pointnet"),
        "angles": (0.0, 120.0),
        "trials": 2,
        "pairs": 3,
        "points": 16,
        "neighbours": 5,
        "channels": 4,
        "width": 6,
        "matches": 6,
        "steps": 3,
        "batch_size": 2,
    },
    "pose_band_limit": {
        "solids": ("cone", "cube"),
        "band_limits": (3, 4),
        "bounds": (5.0,),
        "levels": (1,),
        "trials": 2,
    },
    "pose_solids": {
        "solids": ("cube",),
        "models": ("induced", "fisher"),
        "sizes": (10, 20),
        "trials": 2,
        "side": 8,
        "width": 8,
        "l_max": 2,
        "train_level": 1,
        "test_level": 1,
        "validation_views": 5,
        "test_views": 5,
        "shown": 2,
        "steps": 4,
        "checks": 2,
        "batch_size": 4,
    },
    "emlp_data_efficiency": {
        "models": ("mlp", "emlp_full"),
        "sizes": (3, 9),
        "n_max": 20,
        "n_validation": 10,
        "n_test": 30,
        "trials": 2,
        "channels": 8,
        "depth": 1,
        "epochs": 4,
        "batch_size": 6,
        "checks": 2,
    },
    "affine_digits": {
        "models": ("cnn_augmented", "so2"),
        "sizes": (20,),
        "trials": 2,
        "strengths": (0.0, 2.0),
        "side": 17,
        "width": 2,
        "samples": 2,
        "test_samples": (1, 2),
        "test_digits": 8,
        "copies": 2,
        "copies_samples": 1,
        "steps": 3,
        "batch_size": 4,
    },
    "affnist": _BENCHMARK | {"n_validation": 20, "n_test": 23},
    "homnist": _BENCHMARK | {"n_test": 5},
    "symsol": _POSES | {"shapes": ("tetX", "cylO"), "n_train": 8, "n_test": 6, "labels": 1},
    "modelnet10_so3": _POSES | {"classes": ("bed", "sofa")},
    "pascal3d": _POSES | {"classes": ("boat", "car")},
}
"""Settings with which a whole sweep takes seconds; every experiment needs a row."""


@dataclasses.dataclass(frozen=True)
class Small:
    """An experiment, a small config of it, and what a sweep of that config gave."""

    experiment: Experiment
    config: object
    result: xr.Dataset


@pytest.fixture(scope="session")
def public_data(tmp_path_factory):
    """A folder with tiny files of every public data set."""
    folder = tmp_path_factory.mktemp("public")
    write_mnist(folder, 50, 12)
    for part in ("validation", "test"):
        write_affnist(folder / "transformed" / f"{part}.mat", *images(30, 40, len(part)))
    symsol = {"tet": 2, "cube": 3, "icosa": 4, "cone": 5, "cyl": 6, "tetX": 1, "cylO": 1}
    for part, n in (("train", 9), ("test", 7)):
        write_symsol(folder / "symsol", part, symsol, n)
        furniture = [f"{name}_0001.v{i:03d}" for i in range(n) for name in ("bed", "sofa", "table")]
        write_modelnet(folder, furniture, True, n, part)
        names = {f"{part}_{name}_{i}": name for i in range(n) for name in ("boat", "car", "train")}
        write_pascal(folder, part, names)
    return str(folder)


@pytest.fixture(scope="session")
def small_of(tmp_path_factory, public_data):
    """``small_of(name)``: each experiment is run once, when it is first asked for."""
    done = {}

    def small(name):
        if name not in done:
            experiment = EXPERIMENTS[name]
            fetched = {"data": public_data} if experiment.needs else {}
            config = dataclasses.replace(experiment.presets["smoke"], **SMALL[name], **fetched)
            done[name] = Small(experiment, config, sweep.run(experiment, config, 0, tmp_path_factory.mktemp(name)))
        return done[name]

    return small


@pytest.fixture(params=list(EXPERIMENTS))
def small(request, small_of):
    return small_of(request.param)


@dataclasses.dataclass(frozen=True)
class Toy:
    colours: tuple[str, ...] = ("red", "green")  # names
    sizes: tuple[int, ...] = (3, 1, 2)  # numbers, not in order
    trials: int = 4  # draws
    scale: float = 1.0  # of the draws

    def __post_init__(self):
        whole(self, "sizes", "trials")


def draw(config, key, point):
    """``a`` depends on the whole point; ``b`` on the colour alone."""
    a = config.scale * jax.random.normal(key, (config.trials,))
    b = [float(len(point["colour"]))]
    return xr.Dataset(
        {"a": (("trial",), np.asarray(a)), "b": (("colour",), b)},
        coords={"trial": np.arange(config.trials), "colour": [point["colour"]]},
    )


@pytest.fixture
def toy():
    """An experiment of six cells that takes no time."""
    return Experiment(
        name="toy",
        statement="What does the engine do?",
        config=Toy,
        presets={"smoke": Toy(), "paper": Toy(trials=8)},
        axes=lambda config: {"colour": config.colours, "size": config.sizes},
        run=draw,
        claims=(),
        cost={"smoke": 1, "paper": 1},
        version=1,
        precision="float64",
        tolerance=1e-6,
    )


@pytest.fixture
def counted(toy):
    """The toy and a list that grows by every point it computes."""
    points = []

    def run(config, key, point):
        points.append(point)
        return draw(config, key, point)

    return dataclasses.replace(toy, run=run), points


@pytest.fixture
def hears_interrupts():
    """Child processes hear SIGINT, also where a shell started this one in the background and it ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
