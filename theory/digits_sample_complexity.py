"""What the symmetry is worth on handwritten digits: claims judged from the stored runs of an experiment.

Setting. The experiment ``digits_sample_complexity`` trains models on n upright digits and tests them on held-out
digits in all eight poses, turned and mirrored by the elements of D_4. Its arrays are over (model, n, trial); here
``accuracy`` of the perceptron ``mlp`` and of ``equivariant_mlp``, which has as many parameters and commutes with D_4.

How many images a model needs is the n at which its mean accuracy reaches ``LEVEL``, the crossing
(``theory.crossing``) of the mean share of mistakes with ``1 - LEVEL``. Where the images did not do, their number is a
lower bound; a ratio with it below the line is then an upper bound, which can confirm a bound and not refute it.

Known: observations, no theorems. That a correct symmetry cannot hurt and generically helps is the message of Elesedy
and Zaidi (linear models) and of Tahmasebi and Jegelka (kernels); nothing is proved for trained networks, so the
statements are derived from theirs and open to refutation by the runs. In the first violation the second model is the
plain one again: what does not know the symmetry must not be found above the perceptron. In the other one the
perceptron's images are moved at random, which tells it the symmetry too: then it takes about as many.
"""

import functools
import json

import numpy as np
import xarray as xr

from theory.claim import BOUND_SIGMAS, Claim, Evidence, Source, TooSmall, key_of, mean_evidence
from theory.crossing import Crossing, crossing, ratio_evidence

__all__ = ["CLAIMS", "LEVEL", "images_needed"]

LEVEL = 0.8
"""Accuracy in all eight poses."""
_SERIES = ("mlp", "equivariant_mlp")
_FEWER = 0.1
_TRIALS = 8


def _check(dataset: xr.Dataset, *wanted: str) -> None:
    models = [str(name) for name in dataset["model"].values]
    missing = [name for name in wanted if name not in models]
    if missing:
        raise ValueError(f"the results have no model {' and '.join(missing)}, only {', '.join(models)}; run all models")


def _accuracy(dataset: xr.Dataset, second: str) -> Evidence:
    """Accuracy in all eight poses of the perceptron and of a second model, under the names of the claim."""
    _check(dataset, "mlp", second)
    accuracy = dataset["accuracy"].transpose("model", "n", "trial").sel(model=["mlp", second]).values
    return mean_evidence("training images n", dataset["n"].values, accuracy, _SERIES)


def images_needed(dataset: xr.Dataset, model: str) -> Crossing:
    """The number of training images at which the mean accuracy of a model reaches ``LEVEL``.

    All models have the same trials drawn in the bootstrap, since they saw the same images.

    Args:
        dataset: results of digits_sample_complexity.
        model: its name.

    Raises:
        ValueError: the results do not have the model, or have one size or one trial.
    """
    _check(dataset, model)
    accuracy = dataset["accuracy"].sel(model=model).transpose("trial", "n").sortby("n")
    mistakes = 1 - accuracy.values.astype(np.float64)
    return crossing(key_of("digits_sample_complexity"), accuracy["n"].values, mistakes, 1 - LEVEL)


def _over(dataset: xr.Dataset, other: str) -> Evidence:
    """The images of the equivariant model over those of another."""
    found = [[images_needed(dataset, model)] for model in ("equivariant_mlp", other)]
    return ratio_evidence("accuracy", [LEVEL], *found)


def _decided(dataset: xr.Dataset) -> np.ndarray:
    """The bound on the ratio.

    Raises:
        TooSmall: images that were not upright, few trials, or sizes that do not hold the images of the models that are
            told the symmetry, or neither those of the perceptron nor enough to bound the ratio without them.
    """
    sizes, trials = dataset["n"].values.tolist(), dataset.sizes["trial"]
    upright = json.loads(dataset.attrs["config"])["poses"] == "upright"
    if not (upright and len(sizes) > 1 and trials >= _TRIALS and _held(dataset)):
        raise TooSmall(
            f"it takes upright images, {_TRIALS} trials, sizes at which equivariant_mlp and mlp_augmented pass "
            f"{100 * LEVEL:.0f} %, and either mlp or well over {1 / _FEWER:.0f} times the images of equivariant_mlp, "
            f"got sizes {sizes} and {trials} trials; run the preset desk"
        )
    return np.array([_FEWER])


def _held(dataset: xr.Dataset) -> bool:
    """Whether the sizes can decide; a perceptron that is not there at the last one can confirm, and not refute."""
    if any(images_needed(dataset, model).censored for model in ("equivariant_mlp", "mlp_augmented")):
        return False
    plain = images_needed(dataset, "mlp").censored
    over = _over(dataset, "mlp")
    return plain == 0 or (plain > 0 and bool(over.values + BOUND_SIGMAS * over.standard_error <= _FEWER))


_source = functools.partial(
    Source,
    author="this codebase, after B. Elesedy, S. Zaidi and B. Tahmasebi, S. Jegelka",
    title="digits_sample_complexity",
    venue="experiment",
    arxiv=None,
    theorem="an observation on trained networks, no theorem",
    known="derived",
)

CLAIMS = (
    Claim(
        name="equivariance_helps_on_digits",
        statement="On turned and mirrored digits the equivariant network is more accurate than a perceptron with as "
        "many parameters, at every number of training images.",
        formula="accuracy(mlp, n) < accuracy(equivariant_mlp, n) for every n",
        source=_source(),
        kind="separation",
        predict=lambda dataset: _SERIES,
        measure=lambda dataset: _accuracy(dataset, "equivariant_mlp"),
        violate=lambda dataset: _accuracy(dataset, "mlp"),
        dropped="the second model is equivariant (it is the perceptron again)",
        experiment="digits_sample_complexity",
    ),
    Claim(
        name="symmetry_saves_images_of_digits",
        statement="Trained on upright digits, the equivariant network reads 80 % of turned and mirrored ones after at "
        "most a tenth of the images that a perceptron takes.",
        formula="n*(equivariant_mlp) / n*(mlp) <= 0.1 at an accuracy of 80 %",
        source=_source(),
        kind="bound",
        predict=_decided,
        measure=lambda dataset: _over(dataset, "mlp"),
        violate=lambda dataset: _over(dataset, "mlp_augmented"),
        dropped="the perceptron is not told the symmetry (its images are moved at random)",
        experiment="digits_sample_complexity",
    ),
)
