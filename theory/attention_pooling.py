r"""A learned mean over a set: what it does not depend on, and what training it in two stages is worth.

Attention pooling is ``y_j = sum_n softmax_n(c_nj) x_nj`` with scores ``c = x W``: in every feature j a mean whose
weights depend on the elements alone. A mean with weights ``w(x_n) / sum_m w(x_m)`` does not depend on the order, does
not change if every element is there k times, and is x for a set of one element, whatever w is. Scores with a bias have
``w`` multiplied by a constant, which cancels: the bias that the public code trains has no effect, and its gradient is
zero.

As a set of one element is left as it is, a network with the pooling inside may be trained in two stages, all but the
pooling on single elements and then the pooling alone on larger sets. The experiment ``view_pooling`` does so on shapes
seen from several directions, beside networks that are trained at once. What two stages are said to be for is that
accuracy does not fall away from the size of the sets in training. Found: two stages lose nothing with more views, and
are the better ones for a single view; from three views on, training at once is far better, as a decoder that was
trained on single views has never seen what a set knows. Training at once on sets of all sizes does as well for a single
view.

Known: the layer was read in the public code, the identities are derived; what training gives is an observation. Tables
of the paper were not found.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from equiv.layers.attention import attention_pooling
from theory.claim import Claim, Evidence, Source, TooSmall, generator, mean_evidence

__all__ = ["CLAIMS"]

_SETS, _N, _D = 10, 7, 5

# --- the layer --------------------------------------------------------------------------------------------------------


def _drawn(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sets and weights."""
    draw = generator(key)
    return jnp.asarray(draw.standard_normal((_SETS, _N, _D))), jnp.asarray(draw.standard_normal((_D, _D)))


def _pooled(key: jax.Array, move: Callable[[jax.Array], jax.Array]) -> np.ndarray:
    """Sets that were moved, pooled."""
    x, weight = _drawn(key)
    return np.asarray(attention_pooling(_D).apply({"weight": weight}, move(x))).ravel()


def _with_scores(key: jax.Array, move: Callable, weights: Callable[[jax.Array], jax.Array]) -> np.ndarray:
    """The same with other weights than the softmax over the set."""
    x, weight = _drawn(key)
    x = move(x)
    return np.asarray(jnp.sum(weights(x @ weight) * x, axis=1)).ravel()


def _by_place(scores: jax.Array) -> jax.Array:
    places = jnp.arange(scores.shape[1], dtype=scores.dtype).reshape(1, -1, 1)
    return jax.nn.softmax(scores + places, axis=1)


def _shifted(key: jax.Array, bend: Callable[[jax.Array], jax.Array]) -> np.ndarray:
    """With a bias of the scores, whose softmax is taken after ``bend``."""
    bias = jnp.asarray(generator(key).uniform(1, 2, (1, 1, _D)))
    return _with_scores(key, lambda x: x, lambda scores: jax.nn.softmax(bend(scores + bias), axis=1))


def _flat(values: np.ndarray) -> Evidence:
    return Evidence("entry", np.arange(len(values)), values)


_same = lambda x: x
_reversed = lambda x: x[:, ::-1]
_twice = lambda x: jnp.concatenate([x, x], axis=1)
_first = lambda x: x[:, :1]


# --- the experiment ---------------------------------------------------------------------------------------------------

_CLOSE = 0.01


def _of(dataset: xr.Dataset, array: str, method: str) -> xr.DataArray:
    known = [str(name) for name in dataset["method"].values]
    if method not in known:
        raise ValueError(f"the results have no method {method}, only {', '.join(known)}; run it too")
    return dataset.sortby("views")[array].sel({"method": method}).transpose("views", "trial")


def _sizes(dataset: xr.Dataset) -> np.ndarray:
    """Numbers of views, if networks were trained and tested often enough to say something."""
    views, trials = np.sort(dataset["views"].values), dataset.sizes["trial"]
    entropy = float(dataset["cross_entropy"].min())
    if trials < 5 or views[0] > 1 or views[-1] < 24 or entropy > 0.1:
        raise TooSmall(
            f"it takes 5 trials, 1 to 24 views and a cross-entropy of at most 0.1 somewhere, got {trials}, "
            f"{views[0]} to {views[-1]} and {entropy:.2g}; run the preset desk"
        )
    return views


def _rise(dataset: xr.Dataset, method: str) -> Evidence:
    """By how much the cross-entropy is larger at each number of views than at the one before, trial by trial."""
    rise = np.diff(_of(dataset, "cross_entropy", method).values, axis=0)
    return mean_evidence("views", _sizes(dataset)[1:], rise)


def _lead(dataset: xr.Dataset, array: str, method: str, over: str, places: slice) -> Evidence:
    """By how much a number of one method is above that of another at some of the numbers of views, trial by trial."""
    lead = (_of(dataset, array, method) - _of(dataset, array, over)).values[places]
    return mean_evidence("views", _sizes(dataset)[places], lead)


def _source(title: str, venue: str, theorem: str) -> Source:
    return Source("Yang, Wang, Markham, Trigoni", title, venue, None, theorem, "derived")


_LAYER = _source("Robust Attentional Aggregation (AttSets)", "IJCV 2019", "attention pooling")
_OURS = Source(
    author="this codebase, after Yang, Wang, Markham, Trigoni",
    title="view_pooling",
    venue="experiment",
    arxiv=None,
    theorem="an observation on trained networks, no theorem",
    known="derived",
)

CLAIMS = (
    Claim(
        name="attention_pooling_ignores_order",
        statement="The order of its elements does not change what attention pooling makes of a set.",
        formula="f(x_p(1), ..., x_p(N)) = f(x_1, ..., x_N) for every permutation p",
        source=_LAYER,
        kind="identity",
        predict=lambda key: _pooled(key, _same),
        measure=lambda key: _flat(_pooled(key, _reversed)),
        violate=lambda key: _flat(_with_scores(key, _reversed, _by_place)),
        dropped="scores depend on the elements alone (the place of each is added)",
    ),
    Claim(
        name="attention_pooling_ignores_repetition",
        statement="A set that holds every element twice gives attention pooling what the set itself gives.",
        formula="f(x_1, ..., x_N, x_1, ..., x_N) = f(x_1, ..., x_N)",
        source=_LAYER,
        kind="identity",
        predict=lambda key: _pooled(key, _same),
        measure=lambda key: _flat(_pooled(key, _twice)),
        violate=lambda key: _flat(_with_scores(key, _twice, jax.nn.sigmoid)),
        dropped="the weights of a set sum to one (each is the sigmoid of its score: a sum)",
    ),
    Claim(
        name="attention_pooling_leaves_one_element",
        statement="A set of one element is left as it is, whatever the parameters of attention pooling are.",
        formula="f(x) = x",
        source=_LAYER,
        kind="identity",
        predict=lambda key: np.asarray(_drawn(key)[0][:, 0]).ravel(),
        measure=lambda key: _flat(_pooled(key, _first)),
        violate=lambda key: _flat(_with_scores(key, _first, lambda scores: jax.nn.softmax(scores, axis=-1))),
        dropped="the softmax is over the set (it is over the features)",
    ),
    Claim(
        name="attention_pooling_needs_no_bias",
        statement="A bias of its scores has no effect on attention pooling.",
        formula="softmax_n(c_nj + b_j) = softmax_n(c_nj)",
        source=_LAYER,
        kind="identity",
        predict=lambda key: _pooled(key, _same),
        measure=lambda key: _flat(_shifted(key, _same)),
        violate=lambda key: _flat(_shifted(key, jnp.tanh)),
        dropped="scores are linear (their hyperbolic tangent is taken, a variant in the public code)",
    ),
    Claim(
        name="staged_pooling_loses_nothing_with_more_views",
        statement="Trained in two stages, a network with attention pooling predicts a shape better with every further "
        "view, also beyond the number of views in training.",
        formula="H(v_k+1) - H(v_k) <= 0 for v = 1, 2, 3, 4, 6, 8, 12, 16, 24; H the cross-entropy of a pixel",
        source=_OURS,
        kind="bound",
        predict=lambda dataset: np.zeros(len(_sizes(dataset)) - 1),
        measure=lambda dataset: _rise(dataset, "attention_staged"),
        violate=lambda dataset: _rise(dataset, "sum"),
        dropped="sets of any size have features of one size (they are added up)",
        experiment="view_pooling",
    ),
    Claim(
        name="staged_pooling_is_better_for_one_view",
        statement="For a single view, a network with attention pooling that was trained in two stages is better than "
        "one that was trained at once on larger sets (with many views it is worse).",
        formula="H(trained in two stages) - H(trained at once) <= 0 for one view; H the cross-entropy of a pixel",
        source=_OURS,
        kind="bound",
        predict=lambda dataset: np.zeros(len(_sizes(dataset)[:1])),
        measure=lambda dataset: _lead(dataset, "cross_entropy", "attention_staged", "attention", slice(0, 1)),
        violate=lambda dataset: _lead(dataset, "cross_entropy", "attention_staged", "attention", slice(-1, None)),
        dropped="the set has one element (it has as many as any)",
        experiment="view_pooling",
    ),
    Claim(
        name="sets_of_all_sizes_do_what_stages_do",
        statement="Trained at once on sets of all sizes, a network with attention pooling is at no size worse by more "
        "than 0.01 than one that was trained in two stages.",
        formula="IoU(trained in two stages) - IoU(trained on all sizes) <= 0.01 for every number of views",
        source=_OURS,
        kind="bound",
        predict=lambda dataset: np.full(len(_sizes(dataset)), _CLOSE),
        measure=lambda dataset: _lead(dataset, "iou", "attention_staged", "attention_sizes", slice(None)),
        violate=lambda dataset: _lead(dataset, "iou", "attention_staged", "attention", slice(None)),
        dropped="sets in training have all sizes (they have one)",
        experiment="view_pooling",
    ),
)
