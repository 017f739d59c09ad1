r"""How many samples a learner needs whose symmetry is larger than that of the task: slopes 2, 1 and 0.

Setting. Inputs are ``x ~ N(0, 1)`` in 2d coordinates, the label is which half is longer, ``y = sign(sum_{i <= d}
x_i^2 - sum_{i > d} x_i^2)``. A learner that treats X and XU alike, for every orthogonal U of a group, cannot tell the
task from its images under that group, and pays for finding out. Three ridge regressions on quadratic features, with
n* the sample size at which the accuracy is 85 %:

======================  ====================================================  ========  ============  ======
learner                 features                                              number p  equivariance  n* ~
======================  ====================================================  ========  ============  ======
fully connected (FC)    all products; the kernel is ``<x, x'>^2``             d(2d+1)   O(2d)         d^2
locally connected (LC)  ``x_i^2 - 1``, a free weight each                     2d        signs         d
convolutional (C)       ``sum (x_i^2 - 1) / sqrt(d)`` over each half          2         O(d) x O(d)   1
======================  ====================================================  ========  ============  ======

All features are uncorrelated and of variance 2, and the ridge is p, near the best one for each, so that n* is
proportional to p. Two choices keep finite sizes from bending the slopes:

* For FC ``p = 2 d^2 (1 + 1 / (2d))``, whose slope at finite d is below 2. Its claim counts d as the *effective
  dimension* ``sqrt(p / 2)``, which is d up to 1/4; on that axis the slope of p is 2 at every size.
* Accuracy is ``1 - arccos(c) / pi`` with c the correlation, over all inputs, of the learned and the true quadratic
  form, known from their coefficients. It is the accuracy where both forms are Gaussian, which they are for large d; a
  test set would add its noise, and at d = 8 the tails of x^2, which move n* by about 10 %.

The sample sizes are ``theory.crossing.crossing`` of ``1 - accuracy``.

What remains is a drift of n* / p by a few percent over the sizes used, a few hundredths of a slope, less than the
intervals.

Known: the lower bounds (order d^2 for every orthogonally equivariant algorithm, order 1 for a convolutional net) were
read in the first paper's abstract and the task is recalled from it. The two intermediate classes and the orders log^2
d, d and d^2 were read in the second paper's abstract, but the regression task behind its theorem was **not found**:
the slopes 1 and 0 are derived here, for the task of the first paper and without the logarithm, and are marked so.
"""

import jax
import numpy as np

from theory.claim import Claim, Evidence, Source, generator
from theory.crossing import Crossing, crossing, inside

__all__ = ["CLAIMS", "LI", "WANG", "accuracies", "effective_dimension", "sample_sizes"]

LI = Source(
    author="Z. Li, Y. Zhang, S. Arora",
    title="Why Are Convolutional Nets More Sample-Efficient than Fully-Connected Nets?",
    venue="ICLR 2021",
    arxiv="2010.08515",
    theorem="Omega(d^2) samples for orthogonally equivariant algorithms, O(1) for a convolutional net",
    known="recalled",
)
WANG = Source(
    author="Z. Wang, L. Wu",
    title="Theoretical Analysis of the Inductive Biases in Deep Convolutional Networks",
    venue="NeurIPS 2023",
    arxiv="2305.08404",
    theorem="separation of CNN, LCN and FCN by symmetry groups; its task was not found, this is a substitute",
    known="derived",
)

LEARNERS = ("convolutional", "locally connected", "fully connected")
"""From the fewest samples to the most."""
_TRIALS = {"convolutional": 4000, "locally connected": 240, "fully connected": 40}
_LEVEL = 0.85
_GRID = np.geomspace(1.2, 5.0, 7)
"""Sample sizes in units of the number of features."""


def _features(learner: str, x: np.ndarray) -> np.ndarray:
    """(..., 2d) -> (..., p), each feature of variance 2."""
    if learner == "fully connected":
        i, j = np.triu_indices(x.shape[-1])
        return np.where(i == j, 1.0, np.sqrt(2)) * x[..., i] * x[..., j]
    squares = x**2 - 1
    if learner == "locally connected":
        return squares
    halves = squares.reshape(*x.shape[:-1], 2, -1)
    return halves.sum(axis=-1) / np.sqrt(halves.shape[-1])


def effective_dimension(d: np.ndarray) -> np.ndarray:
    """``sqrt(p / 2)`` with ``p = d (2 d + 1)`` the number of products of 2d coordinates; d + 1/4 for large d.

    Example:
        >>> effective_dimension(np.array([12])).round(2).tolist()
        [12.25]
    """
    return np.sqrt(d * (2 * np.asarray(d) + 1) / 2)


def sample_sizes(learner: str, d: int) -> np.ndarray:
    """The sample sizes at which a learner is tested: a geometric grid from about p to 5 p."""
    return np.unique(np.rint(_GRID * len(_truth(learner, d))).astype(int))


def _truth(learner: str, d: int) -> np.ndarray:
    """The unit vector of coefficients, (p,), of ``sum_{i <= d} x_i^2 - sum_{i > d} x_i^2`` in a learner's features."""
    sign = np.repeat([1.0, -1.0], 1 if learner == "convolutional" else d)
    if learner == "fully connected":
        i, j = np.triu_indices(2 * d)
        sign = np.where(i == j, sign[i], 0)
    return sign / np.linalg.norm(sign)


def accuracies(draw: np.random.Generator, learner: str, d: int, trials: int) -> np.ndarray:
    """Accuracy of ridge regression (ridge p) on nested samples of the sizes ``sample_sizes(learner, d)``.

    ``1 - arccos(w . w* / |w||w*|) / pi``

    Args:
        draw: numpy generator.
        learner: one of ``LEARNERS``.
        d: half the number of coordinates.
        trials: independent samples.

    Returns:
        (trials, sizes).
    """
    sizes, truth = sample_sizes(learner, d), _truth(learner, d)
    p, found = len(truth), np.empty((trials, len(sizes)))
    for part in np.array_split(np.arange(trials), 8):  # an eighth of the memory
        x = draw.standard_normal((len(part), sizes[-1], 2 * d))
        y = np.sign(np.sum(x[..., :d] ** 2 - x[..., d:] ** 2, axis=-1))
        f = _features(learner, x)
        gram, moment, start = p * np.eye(p), np.zeros((len(part), p)), 0
        for k, n in enumerate(sizes):
            rows = f[:, start:n]
            gram = gram + np.swapaxes(rows, 1, 2) @ rows
            moment = moment + np.squeeze(y[:, None, start:n] @ rows, 1)
            weights = np.linalg.solve(gram, moment[..., None])[..., 0]
            correlation = weights @ truth / np.linalg.norm(weights, axis=-1)
            found[part, k] = 1 - np.arccos(np.clip(correlation, -1, 1)) / np.pi
            start = n
    return found


def _needed(key: jax.Array, learner: str, dimensions: np.ndarray) -> list[Crossing]:
    """n* for every dimension."""
    draw_key, resample_key = jax.random.split(key)
    draw, found = generator(draw_key), []
    for own, d in zip(jax.random.split(resample_key, len(dimensions)), dimensions):
        mistakes = 1 - accuracies(draw, learner, d, _TRIALS[learner])
        found.append(inside(crossing(own, sample_sizes(learner, d), mistakes, 1 - _LEVEL, resamples=200)))
    return found


def _rate(key: jax.Array, learner: str, dimensions: np.ndarray, axis: str, points: np.ndarray) -> Evidence:
    found = _needed(key, learner, dimensions)
    replicates = np.stack([c.replicates for c in found], axis=1)
    error = replicates.std(axis=0, ddof=1)
    return Evidence(axis, points, [c.n_star for c in found], (), error, _TRIALS[learner], replicates)


_SMALL, _LARGE, _BOTH = np.array([8, 10, 12, 16]), np.array([16, 24, 40, 64]), np.array([8, 12])


def _full(key: jax.Array, learner: str) -> Evidence:
    return _rate(key, learner, _SMALL, "effective dimension sqrt(d (d + 1/2))", effective_dimension(_SMALL))


def _half(key: jax.Array, learner: str) -> Evidence:
    return _rate(key, learner, _LARGE, "coordinates of a half d", _LARGE)


def _compared(key: jax.Array, learners: tuple[str, ...]) -> Evidence:
    """n* of three learners under the names of the three of the claim."""
    found = [_needed(k, learner, _BOTH) for k, learner in zip(jax.random.split(key, len(learners)), learners)]
    values = [[c.n_star for c in row] for row in found]
    errors = [[c.replicates.std(ddof=1) for c in row] for row in found]
    trials = min(c.trials for row in found for c in row)
    return Evidence("coordinates of a half d", _BOTH, values, LEARNERS, errors, trials)


CLAIMS = (
    Claim(
        name="samples_fully_connected",
        statement="An orthogonally equivariant learner needs samples in proportion to the square of the dimension.",
        formula="n*(85 %) ~ d^2 for ridge regression with the kernel <x, x'>^2",
        source=LI,
        kind="rate",
        predict=lambda key: 2.0,
        measure=lambda key: _full(key, "fully connected"),
        violate=lambda key: _full(key, "locally connected"),
        dropped="the learner is orthogonally equivariant (it knows the coordinate axes)",
    ),
    Claim(
        name="samples_locally_connected",
        statement="A learner with a free weight for each coordinate's square needs samples in proportion to the "
        "dimension.",
        formula="n*(85 %) ~ d for ridge regression on x_i^2 - 1",
        source=WANG,
        kind="rate",
        predict=lambda key: 1.0,
        measure=lambda key: _half(key, "locally connected"),
        violate=lambda key: _half(key, "convolutional"),
        dropped="the weights are free (they are tied within each half)",
    ),
    Claim(
        name="samples_convolutional",
        statement="A learner whose weights are tied within each half needs the same number of samples in every "
        "dimension.",
        formula="n*(85 %) ~ d^0 for ridge regression on the pooled squares of the two halves",
        source=WANG,
        kind="rate",
        predict=lambda key: 0.0,
        measure=lambda key: _half(key, "convolutional"),
        violate=lambda key: _half(key, "locally connected"),
        dropped="the weights are tied within each half (they are free)",
    ),
    Claim(
        name="samples_separated",
        statement="The larger the group under which a learner is equivariant, the more samples it needs for the "
        "same task.",
        formula="n*(convolutional) < n*(locally connected) < n*(fully connected)",
        source=WANG,
        kind="separation",
        predict=lambda key: LEARNERS,
        measure=lambda key: _compared(key, LEARNERS),
        violate=lambda key: _compared(key, ("locally connected",) * 3),
        dropped="the learners differ in their symmetry (all three are the locally connected one)",
    ),
)
