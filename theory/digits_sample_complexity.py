"""What the symmetry is worth on handwritten digits: a claim judged from the stored runs of an experiment.

Setting. The experiment ``digits_sample_complexity`` trains models on n upright digits and tests them on held-out
digits in all eight poses, turned and mirrored by the elements of D_4. Its arrays are over (model, n, trial); here
``accuracy`` of the perceptron ``mlp`` and of ``equivariant_mlp``, which has as many parameters and commutes with D_4.

Known: an observation, not a theorem. That a correct symmetry cannot hurt and generically helps is the message of
Elesedy and Zaidi (linear models) and of Tahmasebi and Jegelka (kernels); nothing is proved for trained networks, so
the statement is derived from theirs and open to refutation by the runs. In the violation the second model is the
plain one again: what does not know the symmetry must not be found above the perceptron.
"""

import xarray as xr

from theory.claim import Claim, Evidence, Source, mean_evidence

__all__ = ["CLAIMS"]

_SERIES = ("mlp", "equivariant_mlp")


def _accuracy(dataset: xr.Dataset, second: str) -> Evidence:
    """Accuracy in all eight poses of the perceptron and of a second model, under the names of the claim."""
    models = [str(name) for name in dataset["model"].values]
    missing = [name for name in ("mlp", second) if name not in models]
    if missing:
        raise ValueError(f"the results have no model {' and '.join(missing)}, only {', '.join(models)}; run all models")
    accuracy = dataset["accuracy"].transpose("model", "n", "trial").values
    return mean_evidence(
        "training images n", dataset["n"].values, accuracy[[models.index("mlp"), models.index(second)]], _SERIES
    )


CLAIMS = (
    Claim(
        name="equivariance_helps_on_digits",
        statement="On turned and mirrored digits the equivariant network is more accurate than a perceptron with as "
        "many parameters, at every number of training images.",
        formula="accuracy(mlp, n) < accuracy(equivariant_mlp, n) for every n",
        source=Source(
            author="this codebase, after B. Elesedy, S. Zaidi and B. Tahmasebi, S. Jegelka",
            title="digits_sample_complexity",
            venue="experiment",
            arxiv=None,
            theorem="an observation on trained networks, no theorem",
            known="derived",
        ),
        kind="separation",
        predict=lambda dataset: _SERIES,
        measure=lambda dataset: _accuracy(dataset, "equivariant_mlp"),
        violate=lambda dataset: _accuracy(dataset, "mlp"),
        dropped="the second model is equivariant (it is the perceptron again)",
        experiment="digits_sample_complexity",
    ),
)
