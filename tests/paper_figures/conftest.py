"""Small made-up results, of the form the experiments and the claims have, in a folder."""

import json

import numpy as np
import pytest
import xarray as xr

from experiments import store
from experiments.catalogue import EXPERIMENTS
from experiments.equivariant_risk_gain import LEARNERS as RISK_LEARNERS
from paper_figures.__main__ import main
from theory.catalogue import CLAIMS
from theory.inductive_bias import LEARNERS

PROVENANCE = {
    "git_commit": "0123456789abcdef",
    "git_dirty": True,
    "versions": json.dumps({"python": "3.11.0", "jax": "0.10.1"}),
    "device": "cpu: made up",
    "precision": "float64, matrix products highest",
    "xla_flags": "",
    "time": "2026-01-02T03:04:05+00:00",
}


def generalisation_gap(draw):
    d, n, trials = [3, 6], [1, 2, 3, 5, 6, 7, 9, 12], 5
    gap = draw.gamma(1.0, size=(len(d), len(n), trials))
    return xr.Dataset(
        {"gap": (("d", "n", "trial"), gap), "predicted": (("d", "n"), np.ones((len(d), len(n))))},
        coords={"d": d, "n": n, "trial": np.arange(trials)},
    )


def digits_sample_complexity(draw):
    model, n, trials = ["equivariant_mlp", "mlp", "mlp_augmented", "mlp_averaged"], [20, 100], 3
    shape = len(model), len(n), trials
    arrays = {
        "accuracy": draw.uniform(0.1, 1, shape),
        "accuracy_upright": draw.uniform(0.1, 1, shape),
        "equivariance_error": 10.0 ** draw.uniform(-7, 0, shape),
        "learning_rate": np.full(shape, 0.01),
    }
    return xr.Dataset(
        {name: (("model", "n", "trial"), values) for name, values in arrays.items()}
        | {"n_parameters": (("model",), np.full(len(model), 7))},
        coords={"model": model, "n": n, "trial": np.arange(trials)},
    )


def emlp_data_efficiency(draw):
    experiment = EXPERIMENTS["emlp_data_efficiency"]
    learner = list(experiment.axes(experiment.presets["paper"])["learner"])
    n, trials, checks = [30, 300, 3000], 3, 4
    shape = len(learner), len(n), trials
    arrays = {
        "test_error": 10.0 ** draw.uniform(-4, 1, shape),
        "equivariance_error": 10.0 ** draw.uniform(-16, 0, shape),
        "validation_error": 10.0 ** draw.uniform(-4, 1, (*shape, checks)),
    }
    axes = "learner", "n", "trial", "check"
    return xr.Dataset(
        {name: (axes[: values.ndim], values) for name, values in arrays.items()}
        | {"n_parameters": (("learner",), np.full(len(learner), 7)), "steps": (("n",), np.full(len(n), 9))},
        coords={"learner": learner, "n": n, "trial": np.arange(trials), "check": np.arange(1, checks + 1)},
    )


def contest(axis, values, tests=("same law",), label=True):
    """Results of a contest of four methods, over an axis of data sets."""

    def made_up(draw):
        method, trials, checks, groups = ["equivariant", "lie", "mlp", "per"], 3, 12, ["a", "b", "c", "all"]
        shape = len(method), len(values), trials
        arrays = {
            "test_error": (("test",), 10.0 ** draw.uniform(-2, 1, (*shape, len(tests)))),
            "equivariance_error": (("group",), draw.uniform(0, 0.6, (*shape, len(groups)))),
            "strengths": (("check", "candidate"), 10.0 ** draw.uniform(0, 4, (*shape, checks, 3))),
            "violations": (("check", "candidate"), 10.0 ** draw.uniform(-6, -2, (*shape, checks, 3))),
            "learning_rate": ((), np.full(shape, 0.01)),
            "strength": ((), np.full(shape, 100.0)),
        }
        return xr.Dataset(
            {name: (("method", axis, "trial", *dims), found) for name, (dims, found) in arrays.items()}
            | {"n_parameters": (("method",), np.full(len(method), 7))}
            | ({"data_error": ((axis, "group"), draw.uniform(0, 0.6, (len(values), len(groups))))} if label else {}),
            coords={
                "method": method,
                axis: list(values),
                "trial": np.arange(trials),
                "test": list(tests),
                "group": groups,
                "candidate": groups[:3],
                "check": np.arange(checks),
            },
        )

    return made_up


def affine_digits(draw):
    data, models = ["digits", "strokes"], ["cnn", "cnn_augmented", "gl2", "moving_frame", "sl2", "so2"]
    n, trials, strength, samples = [50, 1000], 3, [0.0, 1.0, 2.0], [1, 10, 64]
    shape = len(data), len(models), len(n), trials
    return xr.Dataset(
        {
            "accuracy": (("data", "model", "n", "trial", "strength"), draw.uniform(0.1, 1, (*shape, len(strength)))),
            "accuracy_samples": (
                ("data", "model", "n", "trial", "samples"),
                draw.uniform(0.1, 1, (*shape, len(samples))),
            ),
        },
        coords={
            "data": data,
            "model": models,
            "n": n,
            "trial": np.arange(trials),
            "strength": strength,
            "samples": samples,
        },
    )


def exp_image_fraction(draw):
    r, trials = [0.5, 1.0, 2.0, 4.0], 3
    return xr.Dataset(
        {"missed": (("r", "trial"), draw.uniform(0, 0.5, (len(r), trials))), "predicted": (("r",), np.ones(len(r)))},
        coords={"r": r, "trial": np.arange(trials)},
    )


def haar_sampling_error(draw):
    methods = ["unweighted", "weighted", "sobol", "lattice", "relative", "relative_lattice"]
    n, trials = [10, 100, 1000], 3
    shape = len(methods), len(n), trials
    return xr.Dataset(
        {
            "equivariance_error": (("method", "n", "trial"), 10.0 ** draw.uniform(-16, 0, shape)),
            "value_error": (("method", "n", "trial"), 10.0 ** draw.uniform(-7, 0, shape)),
            "elements": (("method", "n"), np.tile([7, 90, 90], (len(methods), 1))),
        },
        coords={"method": methods, "n": n, "trial": np.arange(trials)},
    )


def turned_kernels(draw):
    layers = ["paper", "turning", "turning_harmonic", "plain", "c8", "c8_max"]
    pyramids, step, trials = ["shared", "independent", "levels"], [0.0, 0.25, 0.5, 1.0], 3
    return xr.Dataset(
        {
            "turning_error": (("layer", "step", "trial"), 10.0 ** draw.uniform(-4, 0, (6, len(step), trials))),
            "scaling_error": (("pyramid", "step", "trial"), 10.0 ** draw.uniform(-4, 0, (3, len(step), trials))),
        },
        coords={"layer": layers, "pyramid": pyramids, "step": step, "trial": np.arange(trials)},
    )


def induction_consistency(draw):
    layers, angles = ["scalars", "vectors", "rings", "orthographic", "pooled"], [30.0, 90.0]
    side, trials = [7, 14, 28, 56], 3
    shape = len(layers), len(angles), len(side), trials
    return xr.Dataset(
        {"error": (("layer", "angle", "side", "trial"), 10.0 ** draw.uniform(-16, 0, shape))},
        coords={"layer": layers, "angle": angles, "side": side, "trial": np.arange(trials)},
    )


def pose_band_limit(draw):
    solids, l, levels, trials = ["cone", "cylinder", "tetrahedron", "cube", "icosahedron"], [0, 2, 4, 6], [3, 5], 3
    shape = len(solids), len(l), 2
    return xr.Dataset(
        {
            "likelihood": (("solid", "l", "bound"), draw.uniform(-3, 9, shape)),
            "predicted": (("solid", "l", "bound"), draw.uniform(-3, 9, shape)),
            "gridded": (("solid", "l", "bound", "level", "trial"), draw.uniform(-3, 9, (*shape, len(levels), trials))),
        },
        coords={"solid": solids, "l": l, "bound": [10.0, 30.0], "level": levels, "trial": np.arange(trials)},
    )


def pose_solids(draw):
    models, n, trials, views = ["induced", "mirror", "orthographic", "pooled", "implicit"], [100, 1000, 10000], 3, 2
    shape = 2, len(models), len(n)
    swept = ("solid", "model", "n")
    coefficients = draw.normal(size=(*shape, views, 10))
    coefficients[:, -1] = 0
    return xr.Dataset(
        {
            "log_likelihood": ((*swept, "trial"), draw.uniform(-3, 8, (*shape, trials))),
            "spread": ((*swept, "trial"), draw.uniform(3, 70, (*shape, trials))),
            "coefficients": ((*swept, "view", "coefficient"), coefficients),
            "picture": (("solid", "view", "row", "column"), draw.uniform(0, 1, (2, views, 8, 8))),
            "pose": (("solid", "view", "i", "j"), np.broadcast_to(np.eye(3), (2, views, 3, 3))),
            "equivalents": (("solid",), [24, 6]),
        },
        coords={"solid": ["cube", "twist"], "model": models, "n": n, "trial": np.arange(trials)},
    )


def registration(draw):
    methods, angles, trials, pairs = ["equivariant", "pointnet", "pointnet_augmented"], [0.0, 90.0, 180.0], 3, 4
    shape = len(methods), trials, len(angles)
    axes = ("method", "trial", "angle")
    return xr.Dataset(
        {
            "recall": (axes, draw.uniform(0, 1, shape)),
            "inlier_ratio": (axes, draw.uniform(0, 1, shape)),
            "rotation_error": ((*axes, "pair"), draw.uniform(0, 180, (*shape, pairs))),
        },
        coords={"method": methods, "trial": np.arange(trials), "angle": angles, "pair": np.arange(pairs)},
    )


def attention_learning_curves(draw):
    experiment = EXPERIMENTS["attention_learning_curves"]
    learner = list(experiment.axes(experiment.presets["paper"])["learner"])
    task, n, trials = ["query 1", "query 2", "correlation 1", "correlation 3"], [50, 100, 400], 3
    error = draw.uniform(0.01, 1.2, (len(learner), trials, len(n), len(task)))
    return xr.Dataset(
        {"error": (("learner", "trial", "n", "task"), error)},
        coords={"learner": learner, "trial": np.arange(trials), "n": n, "task": task},
    )


def attention_heads(draw):
    law, heads, m, trials = ["gaussian", "biased"], ["independent", "orthogonal", "antithetic"], [25, 100, 400], 3
    gap = draw.uniform(0.5, 1, (len(law), len(heads), trials, len(m))) / np.asarray(m)
    return xr.Dataset(
        {"gap": (("law", "heads", "trial", "m"), gap)},
        coords={"law": law, "heads": heads, "trial": np.arange(trials), "m": m},
    )


def attention_sample_size(draw):
    learner, task, keys, lengths, trials = (
        ["rfa", "brfa", "rfmlp"],
        ["key_average 2", "correlation 1"],
        [1, 4, 16],
        [4, 8],
        3,
    )
    sizes = np.geomspace(20, 1000, 6).round()

    def errors(points):
        half = draw.uniform(40, 700, (len(learner), 1, points, 1, len(task)))
        half[2, :, -1] = 3000
        noise = draw.uniform(0.9, 1.1, (len(learner), trials, points, len(sizes), len(task)))
        return noise * 0.5 * half / sizes[:, None]

    return xr.Dataset(
        {
            "keys_error": (("learner", "trial", "n_keys", "keys_step", "task"), errors(len(keys))),
            "keys_samples": (("learner", "keys_step"), [sizes] * 3),
            "length_error": (("learner", "trial", "dimension", "length_step", "task"), errors(len(lengths))),
            "length_samples": (("learner", "length_step"), [sizes] * 3),
        },
        coords={"learner": learner, "trial": np.arange(trials), "n_keys": keys, "dimension": lengths, "task": task},
    )


def attention_mixture(draw):
    learner, mixture, n, degree, trials = (
        ["rfa", "brfa", "brfa_matched", "rfmlp"],
        [0.0, 0.5, 1.0],
        [50, 100],
        [1, 3],
        3,
    )
    error = draw.uniform(0.1, 1, (len(learner), len(mixture), trials, len(n), len(degree)))
    return xr.Dataset(
        {"error": (("learner", "mixture", "trial", "n", "degree"), error)},
        coords={"learner": learner, "mixture": mixture, "trial": np.arange(trials), "n": n, "degree": degree},
    )


def signal(axis):
    """Results of a sweep of sample complexities; some are bounds."""

    def made_up(draw):
        learner, sigma, x = ["cnn", "lcn", "attention", "overlap", "fcn"], [0.1, 0.2], [4, 8, 32]
        shape = len(learner), len(sigma), len(x)
        n = 10.0 ** draw.uniform(1, 3, shape)
        n[-1, :, -1], n[2, 0] = 1000, 4
        swept = ("learner", "sigma", axis)
        arrays = {"n_star": n, "low": n / 1.3, "high": n * 1.3, "censored": (n == 1000) * 1 - (n == 4)}
        floor = np.array([[0.05, 0.2, 0.7], [0.9, 0.9, 0.9]])
        return xr.Dataset(
            {name: (swept, values) for name, values in arrays.items()}
            | {"linear_floor": (swept[1:], floor), "target": (swept, np.full(shape, 0.5))}
            | {"predicted": (("estimator", *swept[1:]), draw.uniform(2, 9, (2, *shape[1:])))}
            | {name: (swept[1:], np.full_like(floor, 0.7)) for name in ("alignment", "bayes_risk")}
            | {"losses": ((*swept, "trial", "step"), np.sort(draw.uniform(0, 1, (*shape, 3, 4)))[..., ::-1])}
            | {"sizes": ((*swept, "step"), np.broadcast_to([4, 8, 16, 0], (*shape, 4)))},
            coords={"learner": learner, "sigma": sigma, axis: x, "estimator": ["lcn", "lcn, patch known"]},
        )

    return made_up


def dsd_authors(draw):
    learner, sigma, k, d, trials = ["cnn", "lcn"], [0.1, 0.2], [10, 20, 30, 20, 20], [20, 20, 20, 10, 30], 3
    shape = len(learner), len(sigma), len(k), 2
    swept = ("learner", "sigma", "setting", "choice")
    n = 10.0 ** draw.uniform(1, 2.9, shape)
    n[1, 1, 1:], n[0, 0, 0] = 1000, 2
    arrays = {"n_star": n, "low": n / 1.3, "high": n * 1.3, "censored": (n == 1000) * 1 - (n == 2)}
    floor = np.broadcast_to([0.05, 0.2, 0.4, 0.4, 0.4], (len(sigma), len(k)))
    return xr.Dataset(
        {name: (swept, values) for name, values in arrays.items()}
        | {"each": ((*swept, "trial"), n[..., None] * draw.uniform(0.8, 1.2, (*shape, trials)))}
        | {"linear_floor": (swept[1:3], floor), "target": (swept[1:3], np.full_like(floor, 0.1))}
        | {"k": (("setting",), k), "d": (("setting",), d), "fixed": (("setting",), [20] * len(k))},
        coords={
            "learner": learner,
            "sigma": sigma,
            "setting": [f"k = {i}, d = {j}" for i, j in zip(k, d)],
            "choice": ["test", "validation"],
            "trial": np.arange(trials),
        },
    )


def equivariant_risk_gain(draw):
    """A cell of each learner at every size; one n* is a bound."""
    sizes = {"linear": (8, 16), "halves": (4, 8), "shifts": (7, 13), "degrees": (1, 2), "circle": (1, 2, 4, 8)}
    names = [
        f"{task} {learner} {x}"
        for task, learners in RISK_LEARNERS.items()
        for learner in learners
        for x in sizes[task.removesuffix("_broken")]
    ]
    n = np.array([200.0 / (1 + name.count("invariant") * float(name.split()[2])) for name in names])
    steps = np.ceil(n[:, None] * np.array([0.1, 0.3, 0.7, 1.5, 0]))
    losses = 10.0 ** draw.uniform(-1, 0, (len(names), 3, 5))
    formula = np.where([name.startswith("halves invariant") for name in names], 0, n * 1.05)
    arrays = {"n_star": n, "low": n / 1.1, "high": n * 1.1, "censored": np.arange(len(n)) == 2, "predicted": formula}
    return xr.Dataset(
        {name: (("cell",), values) for name, values in arrays.items()}
        | {"sizes": (("cell", "step"), steps), "losses": (("cell", "trial", "step"), losses)},
        coords={"cell": names},
    )


def view_pooling(draw):
    methods = ["mean", "max", "sum", "gru", "attention", "attention_sizes", "attention_staged"]
    views, trials = [1, 2, 6, 12, 24], 3
    axes, shape = ("method", "trial", "views"), (len(methods), trials, len(views))
    arrays = ("iou", "cross_entropy", "order_spread")
    return xr.Dataset(
        {name: (axes, draw.uniform(0.1, 1, shape)) for name in arrays},
        coords={"method": methods, "trial": np.arange(trials), "views": views},
    )


RESULTS = {
    "attention_learning_curves": attention_learning_curves,
    "attention_heads": attention_heads,
    "attention_sample_size": attention_sample_size,
    "attention_mixture": attention_mixture,
    "breaking_sweep": contest("breaking", (0.0, 0.5, 1.0)),
    "symmetry_discovery": contest("breaking", (0.0, 0.5, 1.0)),
    "soft_inertia": contest("axis", (0, -1), ("same law", "shifted")),
    "soft_cosine_similarity": contest("kind", ("so3", "none"), ("same law", "shifted")),
    "soft_trajectories": contest("normalisation", ("symm-aware", "scale-aware"), label=False),
    "generalisation_gap": generalisation_gap,
    "digits_sample_complexity": digits_sample_complexity,
    "emlp_data_efficiency": emlp_data_efficiency,
    "affine_digits": affine_digits,
    "exp_image_fraction": exp_image_fraction,
    "haar_sampling_error": haar_sampling_error,
    "turned_kernels": turned_kernels,
    "dsd_patches": signal("k"),
    "dsd_dimension": signal("d"),
    "dsd_authors": dsd_authors,
    "equivariant_risk_gain": equivariant_risk_gain,
    "view_pooling": view_pooling,
    "registration": registration,
    "pose_band_limit": pose_band_limit,
    "pose_solids": pose_solids,
    "induction_consistency": induction_consistency,
}


def evidence(points, series=(), *, error=True, predicted=None):
    """One piece of evidence: falling positive values."""
    points = np.asarray(points)
    values = np.stack([(1.0 + i) / (1.0 + points) for i in range(max(1, len(series)))])
    values = values if series else values[0]
    return {
        "axis": "points",
        "points": points.tolist(),
        "series": list(series),
        "values": values.tolist(),
        "standard_error": (values / 20).tolist() if error else None,
        "trials": 10 if error else None,
        "predicted": (values * 1.1).tolist() if predicted is None else predicted,
    }


_GROUPS = ("C_2", "C_3", "C_5", "tetrahedral", "octahedral", "icosahedral")
EVIDENCE = {
    "augmentation_is_invariant_kernel": evidence([0, 1, 2, 3], error=False),
    "symmetrised_output_differs": evidence(
        [8, 12, 16], ("invariant kernel", "symmetrised output"), predicted=["invariant kernel", "symmetrised output"]
    ),
    "attention_labels_have_a_bounded_norm": evidence(range(6), error=False)
    | {
        "points": [f"{model}, {target}, 1" for model in ("RFA", "BRFA", "RFMLP") for target in ("query", "correlation")]
    },
    "samples_fully_connected": evidence([8.25, 16.25], predicted=2.0),
    "samples_locally_connected": evidence([16, 64], predicted=1.0),
    "samples_convolutional": evidence([16, 64], predicted=0.0),
    "samples_separated": evidence([8, 12], LEARNERS, predicted=LEARNERS),
    "cyclic_degeneracy": evidence(range(4), ("d = 6", "d = 8"), error=False),
    "invariant_kernel_gain": evidence([13, 17, 19]),
    "learning_gain_on_circle": evidence([50, 100, 200]),
    "invariant_counts": evidence(range(6), _GROUPS, error=False),
    "invariant_gain": evidence([2, 10, 50], _GROUPS, error=False),
    "soft_risk_below_both": evidence([0.1, 0.2, 0.5], ("equivariant", "free"), error=False),
    "penalty_bounds_network_error": evidence([0.1, 0.5, 1.0], ("one layer", "three"), error=False),
}
"""Of the claims whose numbers are drawn."""


def row(claim):
    found = EVIDENCE.get(claim.name, evidence([1, 2]))
    return {
        "name": claim.name,
        "kind": claim.kind,
        "verdict": "holds",
        "violate": "fails",
        "known": claim.source.known,
        "predicted": 1.0,
        "measured": 1.25,
        "seconds": 0.1,
        "statement": claim.statement,
        "formula": claim.formula,
        "source": str(claim.source),
        "dropped": claim.dropped,
        "experiment": claim.experiment,
        "sentence": "a < b & so on",
        "violate_sentence": "far off",
        "interval": None,
        "evidence": found,
        "violation": found,
    }


def fill(folder, seed=0):
    """All made-up results in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, experiment in EXPERIMENTS.items():
        if experiment.needs:
            continue
        identity = store.identity(experiment, experiment.presets["smoke"], seed)
        dataset = RESULTS[name](np.random.default_rng(seed))
        store.write(folder / f"{name}.nc", dataset, identity | PROVENANCE | {"wall_time": 1.5, "precision": "float64"})
    content = {"provenance": PROVENANCE, "claims": [row(claim) for claim in CLAIMS.values()]}
    (folder / "claims.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="session")
def pictures(results, tmp_path_factory):
    """Every figure in every format, as the command line draws them."""
    out = tmp_path_factory.mktemp("pictures")
    assert main(["all", "--results", str(results), "--out", str(out)]) == 0
    return out


@pytest.fixture
def own_results(tmp_path):
    """A folder a test may damage."""
    return fill(tmp_path / "results")


@pytest.fixture
def new_results():
    """``fill``: results into a folder, from a seed."""
    return fill
