"""What knowing the symmetry is worth on three physical tasks: claims judged from the stored runs of an experiment.

Setting. The experiment ``emlp_data_efficiency`` trains networks on n examples of a task with an exact symmetry group,
for a ladder of n; its arrays are over (learner, n, trial), a learner being ``task/model``. What is compared is the mean
over the ladder of the decimal logarithm of the test error, the height of the learning curve on log-log axes, one number
for each trial.

``REPORTED`` is the table of the authors' own runs, the means over three runs computed here from the file of results in
their repository. They are drawn beside ours and nothing is judged by them.

Known: observations, no theorems. That networks with the right symmetry need fewer examples is the finding of Finzi,
Welling and Wilson; read in their results. In each violation the second model is the first one again.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from theory.claim import Claim, Evidence, Source, mean_evidence

__all__ = ["CLAIMS", "REPORTED", "REPORTED_SIZES", "beside_reported"]

REPORTED_SIZES = (30, 100, 300, 1000, 3000, 10000, 30000)
"""Training examples of the columns of ``REPORTED``."""
REPORTED: Mapping[str, tuple[float, ...]] = {
    "o5/mlp": (28.1, 2.83, 0.248, 0.0892, 0.0623, 0.0616, 0.0622),
    "o5/mlp_augmented": (0.476, 0.397, 0.0936, 0.0633, 0.0889, 0.0702, 0.0672),
    "o5/emlp_identity": (0.110, 0.0415, 0.0384, 0.0198, 0.0320, 0.0231, 0.0279),
    "o5/emlp_full": (0.152, 0.0408, 0.0344, 0.0170, 0.0310, 0.0130, 0.0273),
    "inertia/mlp": (13.4, 7.91, 4.94, 3.24, 0.840, 0.154, 0.112),
    "inertia/mlp_augmented": (4.64, 1.78, 0.464, 0.130, 0.112, 0.112, 0.106),
    "inertia/emlp_identity": (6.91, 1.16, 0.316, 0.0604, 0.0291, 0.0185, 0.0153),
    "inertia/emlp_full": (4.11, 1.44, 0.303, 0.136, 0.0281, 0.0180, 0.0141),
    "lorentz/mlp": (0.733, 0.733, 0.697, 0.364, 0.0504, 0.0166, 0.0120),
    "lorentz/mlp_augmented": (0.627, 0.190, 0.0397, 0.0125, 0.0108, 0.0134, 0.0118),
    "lorentz/emlp_identity": (0.459, 0.0127, 0.00221, 0.00033, 0.00022, 0.00020, 0.00020),
    "lorentz/emlp_special": (0.511, 0.0147, 0.00258, 0.00037, 0.00027, 0.00021, 0.00019),
    "lorentz/emlp_full": (0.540, 0.00888, 0.00195, 0.00033, 0.00027, 0.00026, 0.00016),
}
"""Learner -> mean test error of three runs for each of ``REPORTED_SIZES``, in the units of the raw labels.

Reference:
    Finzi, Welling, Wilson, A Practical Method for Constructing Equivariant Multilayer Perceptrons for Arbitrary Matrix
    Groups, ICML 2021 (arXiv 2104.09459); means of the column test_MSE of synthetic_results_all.csv in the repository
    mfinzi/equivariant-MLP. 384 channels; theirs differ from ours as the experiment says.
"""


def beside_reported(dataset: xr.Dataset) -> list[tuple[str, int, float, float]]:
    """Our mean test errors beside the reported ones, where there are both.

    Args:
        dataset: of ``emlp_data_efficiency``.

    Returns:
        Rows (learner, n, ours, reported).

    Example:
        >>> arrays = {"test_error": (("learner", "n", "trial"), [[[0.1, 0.3]]])}
        >>> beside_reported(xr.Dataset(arrays, {"learner": ["o5/mlp"], "n": [1000]}))
        [('o5/mlp', 1000, 0.2, 0.0892)]
    """
    mean = dataset["test_error"].mean("trial")
    return [
        (str(name), int(n), float(mean.sel(learner=name, n=n)), REPORTED[str(name)][REPORTED_SIZES.index(int(n))])
        for name in dataset["learner"].values
        if str(name) in REPORTED
        for n in dataset["n"].values
        if int(n) in REPORTED_SIZES
    ]


def _heights(dataset: xr.Dataset, better: str, worse: str, series: tuple[str, str]) -> Evidence:
    """Mean over n of log10 of the test error, of two models on every task that has both."""
    names = [str(name) for name in dataset["learner"].values]
    tasks = [
        task
        for task in dict.fromkeys(name.split("/")[0] for name in names)
        if {f"{task}/{m}" for m in (better, worse)} <= {*names}
    ]
    if not tasks:
        raise ValueError(
            f"the results have no task with both {better} and {worse}, only {', '.join(names)}; run all models"
        )
    height = np.log10(dataset["test_error"]).mean("n").transpose("learner", "trial")
    samples = [[height.sel(learner=f"{task}/{model}").values for task in tasks] for model in (better, worse)]
    return mean_evidence("task", tasks, samples, series)


_SOURCE = Source(
    author="M. Finzi, M. Welling, A. G. Wilson",
    title="A Practical Method for Constructing Equivariant Multilayer Perceptrons for Arbitrary Matrix Groups",
    venue="ICML 2021",
    arxiv="2104.09459",
    theorem="an observation on trained networks, no theorem; their numbers read in the results of their repository",
    known="read",
)


def _claim(name: str, statement: str, better: str, worse: str) -> Claim:
    return Claim(
        name=name,
        statement=statement,
        formula=f"mean over n of log10 error({better}, n) < mean over n of log10 error({worse}, n) on every task",
        source=_SOURCE,
        kind="separation",
        predict=lambda dataset: (better, worse),
        measure=lambda dataset: _heights(dataset, better, worse, (better, worse)),
        violate=lambda dataset: _heights(dataset, worse, worse, (better, worse)),
        dropped=f"the first model is equivariant (it is {worse} again)",
        experiment="emlp_data_efficiency",
    )


CLAIMS = (
    _claim(
        "equivariant_mlp_saves_data",
        "On each task the network with the full symmetry group has a lower learning curve than a perceptron of as many "
        "channels.",
        "emlp_full",
        "mlp",
    ),
    _claim(
        "equivariance_beats_augmentation",
        "On each task the network with the full symmetry group has a lower learning curve than a perceptron whose "
        "examples are moved by random group elements.",
        "emlp_full",
        "mlp_augmented",
    ),
)
