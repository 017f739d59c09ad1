r"""How many samples a learner needs whose symmetry is larger than that of the task: slopes 2, 1 and 0.

Setting. Inputs are ``x ~ N(0, 1)`` in 2d coordinates, the label is which half is longer, ``y = sign(sum_{i <= d} x_i^2 -
sum_{i > d} x_i^2)``. A learner that treats X and XU alike, for every orthogonal U of a group, cannot tell the task from its images
under that group, and pays for finding out. Three ridge regressions on quadratic features, with n* the sample size at which the
test accuracy is 85 %:

======================  ====================================================  ========  ============  ======
learner                 features                                              number p  equivariance  n* ~
======================  ====================================================  ========  ============  ======
fully connected (FC)    all products; the kernel is ``<x, x'>^2``             d(2d+1)   O(2d)         d^2
locally connected (LC)  ``x_i^2 - 1``, a free weight each                     2d        signs         d
convolutional (C)       ``sum (x_i^2 - 1) / sqrt(d)`` over each half          2         O(d) x O(d)   1
======================  ====================================================  ========  ============  ======

All features have variance 2 and the ridge is p, near the best one for each, so that n* is proportional to p. For FC the
number of features is ``2 d^2 (1 + 1 / (2d))``, whose slope at finite d is below 2; its claim therefore counts d as the *effective
dimension* ``sqrt(p / 2)``, which is d up to 1/4, and on that axis the exponent is 2 at every size.

Known: the lower bounds (order d^2 for every orthogonally equivariant algorithm, order 1 for a convolutional net) were read in the
first paper's abstract and the task is recalled from it. The two intermediate classes and the orders log^2 d, d and d^2
were read in the second paper's abstract, but the regression task behind its theorem was **not found**: the slopes 1 and 0
are derived here, for the task of the first paper and without the logarithm, and are marked so.
"""

import jax
import numpy as np

from theory.claim import Claim, Evidence, Source, bootstrap, generator

__all__ = ["CLAIMS", "accuracies", "effective_dimension", "sample_sizes", "samples_to_reach"]

_LI = Source(
    author="Z. Li, Y. Zhang, S. Arora",
    title="Why Are Convolutional Nets More Sample-Efficient than Fully-Connected Nets?",
    venue="ICLR 2021",
    arxiv="2010.08515",
    theorem="Omega(d^2) samples for orthogonally equivariant algorithms, O(1) for a convolutional net",
    known="recalled",
)
_WANG = Source(
    author="Z. Wang, L. Wu",
    title="Theoretical Analysis of the Inductive Biases in Deep Convolutional Networks",
    venue="NeurIPS 2023",
    arxiv="2305.08404",
    theorem="separation of CNN, LCN and FCN by symmetry groups; its regression task was not found, this is a substitute",
    known="derived",
)

LEARNERS = ("convolutional", "locally connected", "fully connected")
"""From the fewest samples to the most."""
_TRIALS = {"convolutional": 1000, "locally connected": 160, "fully connected": 24}
_TEST, _LEVEL = 400, 0.85
_GRID = np.geomspace(1.0, 6.0, 9)
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
    """The sample sizes at which a learner is tested: a geometric grid from p to 6 p."""
    p = _features(learner, np.zeros(2 * d)).shape[-1]
    return np.unique(np.rint(_GRID * p).astype(int))


def accuracies(draw: np.random.Generator, learner: str, d: int, trials: int) -> np.ndarray:
    """Test accuracy of ridge regression (ridge p) on nested samples of the sizes ``sample_sizes(learner, d)``.

    Args:
        draw: numpy generator.
        learner: one of ``LEARNERS``.
        d: half the number of coordinates.
        trials: independent samples and test sets.

    Returns:
        (trials, sizes).
    """
    sizes = sample_sizes(learner, d)
    found = np.empty((trials, len(sizes)))
    for part in np.array_split(np.arange(trials), 8):  # an eighth of the memory
        x = draw.standard_normal((len(part), sizes[-1] + _TEST, 2 * d))
        y = np.sign(np.sum(x[..., :d] ** 2 - x[..., d:] ** 2, axis=-1))
        f = _features(learner, x)
        p = f.shape[-1]
        gram, moment, start = p * np.eye(p), np.zeros((len(part), p)), 0
        for k, n in enumerate(sizes):
            rows = f[:, start:n]
            gram = gram + np.swapaxes(rows, 1, 2) @ rows
            moment = moment + np.einsum("tnp,tn->tp", rows, y[:, start:n])
            weights = np.linalg.solve(gram, moment[..., None])
            right = np.sign((f[:, sizes[-1] :] @ weights)[..., 0]) == y[:, sizes[-1] :]
            found[part, k] = right.mean(axis=1)
            start = n
    return found


def samples_to_reach(level: float, sizes: np.ndarray, accuracy: np.ndarray) -> float:
    """The sample size at which an accuracy curve crosses a level, linear in log n; infinite if it does not.

    Args:
        level: accuracy to reach.
        sizes: (k,), increasing.
        accuracy: (k,), the mean accuracies; replaced by its running maximum.

    Example:
        >>> round(float(samples_to_reach(0.8, np.array([10, 40]), np.array([0.7, 0.9]))), 6)
        20.0
    """
    rising = np.maximum.accumulate(accuracy)
    if not rising[0] < level <= rising[-1]:
        return np.inf
    above = int(np.argmax(rising >= level))
    share = (level - rising[above - 1]) / (rising[above] - rising[above - 1])
    low, high = np.log(sizes[above - 1]), np.log(sizes[above])
    return float(np.exp(low + share * (high - low)))


def _needed(key: jax.Array, learner: str, dimensions: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """n* for every dimension, its bootstrap replicates, and the number of trials."""
    draw_key, resample_key = jax.random.split(key)
    draw, trials = generator(draw_key), _TRIALS[learner]
    curves = np.concatenate([accuracies(draw, learner, d, trials) for d in dimensions], axis=1)
    sizes = [sample_sizes(learner, d) for d in dimensions]
    cuts = np.cumsum([len(s) for s in sizes])[:-1]

    def statistic(sample: np.ndarray) -> np.ndarray:
        means = np.split(sample.mean(axis=0), cuts)
        return np.array([samples_to_reach(_LEVEL, s, m) for s, m in zip(sizes, means)])

    return *bootstrap(resample_key, curves, statistic), trials


def _rate(key: jax.Array, learner: str, dimensions: np.ndarray, axis: str, points: np.ndarray) -> Evidence:
    values, replicates, trials = _needed(key, learner, dimensions)
    return Evidence(axis, points, values, (), replicates.std(axis=0, ddof=1), trials, replicates)


_SMALL, _LARGE = np.array([4, 6, 8, 12]), np.array([8, 12, 20, 32])


def _full(key: jax.Array, learner: str) -> Evidence:
    return _rate(key, learner, _SMALL, "effective dimension sqrt(d (d + 1/2))", effective_dimension(_SMALL))


def _half(key: jax.Array, learner: str) -> Evidence:
    return _rate(key, learner, _LARGE, "coordinates of a half d", _LARGE)


def _compared(key: jax.Array, learners: tuple[str, ...]) -> Evidence:
    """n* of three learners under the names of the three of the claim."""
    found = [_needed(k, learner, _SMALL) for k, learner in zip(jax.random.split(key, len(learners)), learners)]
    errors = [replicates.std(axis=0, ddof=1) for _, replicates, _ in found]
    return Evidence("coordinates of a half d", _SMALL, [v for v, _, _ in found], LEARNERS, errors, min(t for _, _, t in found))


CLAIMS = (
    Claim(
        name="samples_fully_connected",
        statement="An orthogonally equivariant learner needs samples in proportion to the square of the dimension.",
        formula="n*(85 %) ~ d^2 for ridge regression with the kernel <x, x'>^2",
        source=_LI,
        kind="rate",
        predict=lambda key: 2.0,
        measure=lambda key: _full(key, "fully connected"),
        violate=lambda key: _full(key, "locally connected"),
        dropped="the learner is orthogonally equivariant (it knows the coordinate axes)",
    ),
    Claim(
        name="samples_locally_connected",
        statement="A learner with a free weight for each coordinate's square needs samples in proportion to the dimension.",
        formula="n*(85 %) ~ d for ridge regression on x_i^2 - 1",
        source=_WANG,
        kind="rate",
        predict=lambda key: 1.0,
        measure=lambda key: _half(key, "locally connected"),
        violate=lambda key: _half(key, "convolutional"),
        dropped="the weights are free (they are tied within each half)",
    ),
    Claim(
        name="samples_convolutional",
        statement="A learner whose weights are tied within each half needs the same number of samples in every dimension.",
        formula="n*(85 %) ~ d^0 for ridge regression on the pooled squares of the two halves",
        source=_WANG,
        kind="rate",
        predict=lambda key: 0.0,
        measure=lambda key: _half(key, "convolutional"),
        violate=lambda key: _half(key, "locally connected"),
        dropped="the weights are tied within each half (they are free)",
    ),
    Claim(
        name="samples_separated",
        statement="The larger the group under which a learner is equivariant, the more samples it needs for the same task.",
        formula="n*(convolutional) < n*(locally connected) < n*(fully connected)",
        source=_WANG,
        kind="separation",
        predict=lambda key: LEARNERS,
        measure=lambda key: _compared(key, LEARNERS),
        violate=lambda key: _compared(key, ("locally connected",) * 3),
        dropped="the learners differ in their symmetry (all three are the locally connected one)",
    ),
)
