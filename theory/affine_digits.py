"""What exact invariance is worth on digits moved by affine maps: claims judged from the stored runs of an experiment.

Setting. The experiment ``affine_digits`` trains classifiers on n upright digits and tests them on copies under random
affine maps of growing strength; 1 is the range in which ``cnn_augmented`` moves its training images. ``moving_frame``
takes its sample of the group relative to the second moments of the image, so that stretches and shears drop out.

Known: observations on trained networks, no theorems; that a sample which moves with the image makes a group
convolution equivariant whatever their number is a claim of its own (``theory.lie_group_decompositions``).
"""

import numpy as np
import xarray as xr

from theory.claim import Claim, Evidence, Source, TooSmall, mean_evidence

__all__ = ["CLAIMS"]

_OURS, _AUGMENTED = "moving_frame", "cnn_augmented"
_FEW, _MANY, _CLOSE, _LARGE = 10, 64, 0.01, 1000

_SOURCE = Source(
    author="this codebase, after M. Mironenco, P. Forré",
    title="affine_digits",
    venue="experiment",
    arxiv=None,
    theorem="an observation on trained networks, no theorem",
    known="derived",
)


def _of(dataset: xr.Dataset, *models: str) -> xr.Dataset:
    known = [str(name) for name in dataset["model"].values]
    missing = [name for name in models if name not in known]
    if missing:
        raise ValueError(f"the results have no model {' and '.join(missing)}, only {', '.join(known)}; run it too")
    return dataset.sel(model=list(models))


def _large(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset, if networks were trained in it long enough to say something."""
    n, trials, samples = int(dataset["n"].max()), dataset.sizes["trial"], dataset["samples"].values.tolist()
    if n < _LARGE or trials < 3 or not {1, _FEW, _MANY} <= set(samples):
        raise TooSmall(
            f"it takes {_LARGE} training digits, 3 trials and tests with 1, {_FEW} and {_MANY} elements, got {n}, "
            f"{trials} and tests with {', '.join(map(str, samples))}; run the preset desk"
        )
    return dataset


def _points(dataset: xr.Dataset) -> list[str]:
    return [f"{data}, n = {n}" for data in dataset["data"].values for n in dataset["n"].values]


def _lead(dataset: xr.Dataset, moved: bool) -> Evidence:
    """How much more accurate the augmented network is, trial by trial, out of its range or on upright digits."""
    strengths = dataset["strength"].values
    chosen = strengths[strengths > 1] if moved else strengths[strengths == 0]
    if not len(chosen):
        raise ValueError(f"the results have no strength {'above 1' if moved else '0'}, only {strengths.tolist()}")
    accuracy = _of(dataset, _AUGMENTED, _OURS)["accuracy"].sel(strength=chosen).mean("strength")
    lead = accuracy.sel(model=_AUGMENTED) - accuracy.sel(model=_OURS)
    values = lead.transpose("data", "n", "trial").values
    return mean_evidence("digits", _points(dataset), values.reshape(-1, values.shape[-1]))


def _change(dataset: xr.Dataset, few: int) -> Evidence:
    """How much the accuracy of the moving frame changes with the number of elements in testing, over all n."""
    accuracy = _of(dataset, _OURS)["accuracy_samples"].sel(model=_OURS).mean("n")
    change = (accuracy.sel(samples=_MANY) - accuracy.sel(samples=few)).transpose("data", "trial")
    found = mean_evidence("digits", dataset["data"].values, change.values)
    return Evidence(found.axis, found.points, np.abs(found.values), (), found.standard_error, found.trials)


CLAIMS = (
    Claim(
        name="moving_frame_outranges_augmentation",
        statement="On digits moved beyond the range of the augmentation, a network with a moving frame, which has seen "
        "upright digits only, is more accurate than the augmented one, at every number of training digits.",
        formula="accuracy(cnn_augmented, n, s > 1) - accuracy(moving_frame, n, s > 1) <= 0 for every n",
        source=_SOURCE,
        kind="bound",
        predict=lambda dataset: np.zeros(len(_points(_large(dataset)))),
        measure=lambda dataset: _lead(dataset, moved=True),
        violate=lambda dataset: _lead(dataset, moved=False),
        dropped="the digits are moved (they are upright)",
        experiment="affine_digits",
    ),
    Claim(
        name="few_elements_are_enough_for_a_moving_frame",
        statement="With 64 elements of the group in testing instead of 10, the accuracy of the network with a moving "
        "frame, averaged over the numbers of training digits, changes by less than 0.01.",
        formula="|mean_n accuracy(moving_frame, 64 elements) - mean_n accuracy(moving_frame, 10 elements)| <= 0.01",
        source=_SOURCE,
        kind="bound",
        predict=lambda dataset: np.full(len(_large(dataset)["data"]), _CLOSE),
        measure=lambda dataset: _change(dataset, _FEW),
        violate=lambda dataset: _change(dataset, 1),
        dropped="there are ten elements (there is one)",
        experiment="affine_digits",
    ),
)
