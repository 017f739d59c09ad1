r"""How many samples find one signal patch among noise: CNN, LCN and FCN, in theory and from stored runs.

Setting. ``theory.dynamic_signal`` has the distribution and the networks; the experiments ``dsd_patches`` and
``dsd_dimension`` measure n*, the samples at which the mean risk is the oracle's plus a tolerance.

What theory says. With the noise level kept, and up to logarithms (recalled and read about),

========  ====================  =======================
network   at least              at most
========  ====================  =======================
cnn                             ``sigma^2 (k + d)``
lcn       ``sigma^2 k d``       ``sigma^2 k (k + d)``
fcn       ``sigma^2 k^2 d``
========  ====================  =======================

Constants are derived here. A weight whose squared cosine with the signal is c sees the signal with c of its strength
and the noise unchanged, so that the best network with such weights has the risk ``oracle_loss(k, sigma / sqrt(c))``.
Solved for c, a target becomes an alignment (``required_alignment``), and the closed forms ``cos^2 = 1 / (1 + sigma^2
s(k, d) / n)`` of ``predict_alignment`` become sample sizes, ``n = sigma^2 s(k, d) c / (1 - c)`` (``predict_samples``).
That of an LCN which is told the patch, s = k d, is a floor: of a patch it has n / k samples with noise, and a learner
that does not mind rotations of it can do no better than their mean.

Where the *linear floor* ``k sigma^2 / (1 + k sigma^2)`` lies below the target a linear network reaches it, and slopes
over such points mix two regimes. Claims that compare networks are judged where the floor is above the target.

Known: the orders are recalled; the sigma of the paper's experiments was **not found**; alignments, constants and the
comparison are ours.
"""

import numpy as np
import scipy.optimize

from theory.dynamic_signal import ESTIMATORS, oracle_loss

__all__ = ["CLAIMS", "predict_samples", "required_alignment"]


def required_alignment(k: int, sigma: float, target: float) -> float:
    """The squared cosine c with the signal at which the best shared weight has a given risk.

    ``oracle_loss(k, sigma / sqrt(c)) = target``

    Args:
        k: patches.
        sigma: standard deviation of each noise coordinate.
        target: risk, above the oracle loss.

    Returns:
        c; 0 if every alignment will do, without noise.

    Raises:
        ValueError: a target that is not above the oracle loss, or not below 1, the risk of answering 0.

    Example:
        >>> round(required_alignment(8, 0.2, oracle_loss(8, 0.2) + 0.03), 2)
        0.86
    """
    oracle = oracle_loss(k, sigma)
    if not oracle < target < 1:
        raise ValueError(
            f"a target has to be above {oracle:g}, the oracle loss at k = {k}, sigma = {sigma:g}, and below 1, got "
            f"{target:g}"
        )
    if sigma == 0:
        return 0.0
    return float(scipy.optimize.brentq(lambda c: oracle_loss(k, sigma / np.sqrt(c)) - target, 1e-9, 1.0, xtol=1e-9))


def predict_samples(estimator: str, k: int, d: int, sigma: float, alignment: float) -> float:
    """The samples at which an estimate of the signal has a given squared cosine with it.

    ``n = sigma^2 s(k, d) c / (1 - c)``

    Args:
        estimator: a key of ``theory.dynamic_signal.ESTIMATORS``.
        k: patches.
        d: numbers of a patch.
        sigma: standard deviation of each noise coordinate.
        alignment: c, at least 0 and below 1.

    Example:
        >>> predict_samples("lcn, patch known", k=8, d=16, sigma=0.25, alignment=0.5)
        8.0
    """
    return sigma**2 * ESTIMATORS[estimator](k, d) * alignment / (1 - alignment)


CLAIMS = ()
