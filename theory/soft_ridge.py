r"""Soft equivariance in linear regression, exactly: which strength is best, what it gains, and where the limits cross.

Setting. Cyclic shifts by ten places act on R^60; P projects onto the k = 10 invariant directions, ``A = 1 - P``. Inputs
are ``x ~ N(0, I_d)``, labels ``y = w* . x + xi`` with noise of variance sigma^2, and ``w* = w_G + w_A``: an invariant
part and a breaking part of mean squared length b, all directions of it alike, ``E w_A w_A^T = b / (d - k) A``.
The learner penalises the complement only, ``min |y - X w|^2 + lambda |A w|^2``. b = 0 is exact symmetry, lambda = inf
is the equivariant fit, lambda = 0 is least squares. Given X, with ``G = X^T X`` and ``M = G + lambda A``, the mean of
``|w - w*|^2`` over noise and breaking is

    ``sigma^2 tr(M^-1 G M^-1) + lambda^2 b / (d - k) tr(M^-1 A M^-1)``.

* Its derivative is ``2 (lambda b / (d - k) - sigma^2) tr(M^-1 A M^-1 G M^-1)``. So for every X, whatever its law, there
  is one minimum, ``lambda = sigma^2 (d - k) / b``: the ratio of the noise to the breaking in one direction.
* At this strength the risk is below that of both limits, for every b: below the lower one, not between them.
* ``A w(lambda) = (S + lambda)^-1 r`` with ``r = A X^T (y - X w(infinity))``, the residual force of the equivariant
  fit, and S a Schur complement of G. So ``lambda |A w(lambda)|`` is at most ``|r|``, and tends to it.
* The limits' mean risks are ``b + (sigma^2 + b) k / (n - k - 1)`` and ``sigma^2 d / (n - d - 1)``. They cross where
  ``b = sigma^2 (d - k) / (n - d - 1)``, exactly; for n much larger than d that is ``sigma^2 (d - k) / n``.

Known: derived, and measured here. This is what the strength of a projection penalty does in the simplest model; the
paper is not known to state it.
"""

import functools

import jax
import numpy as np
import scipy.optimize

from theory.claim import Claim, Evidence, Source, bootstrap, generator
from theory.elesedy_zaidi import shift_projector

__all__ = ["CLAIMS", "predict_crossing", "predict_equivariant_risk", "predict_free_risk", "predict_strength"]


def _source(theorem: str) -> Source:
    return Source(
        author="H. Kim, H. Lee, H. Yang, J. Lee",
        title="Regularizing Towards Soft Equivariance Under Mixed Symmetries",
        venue="ICML 2023",
        arxiv="2306.00356",
        theorem=theorem,
        known="derived",
    )


def predict_strength(breaking: np.ndarray | float, d: int, k: int, sigma: float = 1.0) -> np.ndarray:
    """The best strength of a ridge on the complement, ``sigma^2 (d - k) / b``, for the summed squared loss.

    Args:
        breaking: b, mean squared length of the target's part outside the invariants, above zero.
        d: dimension of the inputs.
        k: dimension of the invariants.
        sigma: standard deviation of the noise.

    Example:
        >>> float(predict_strength(0.5, d=60, k=10))
        100.0
    """
    return sigma**2 * (d - k) / np.asarray(breaking, np.float64)


def predict_equivariant_risk(n: int, breaking: np.ndarray | float, k: int, sigma: float = 1.0) -> np.ndarray:
    """The mean risk of the equivariant fit, ``b + (sigma^2 + b) k / (n - k - 1)``: what it misses acts as noise.

    Args:
        n: samples, more than k + 1.
        breaking: b.
        k: dimension of the invariants.
        sigma: standard deviation of the noise.

    Example:
        >>> float(predict_equivariant_risk(31, 0.5, k=10))
        1.25
    """
    b = np.asarray(breaking, np.float64)
    return b + (sigma**2 + b) * k / (n - k - 1)


def predict_free_risk(n: int, d: int, sigma: float = 1.0) -> float:
    """The mean risk of least squares, ``sigma^2 d / (n - d - 1)``.

    Args:
        n: samples, more than d + 1.
        d: dimension of the inputs.
        sigma: standard deviation of the noise.

    Example:
        >>> predict_free_risk(91, d=60)
        2.0
    """
    return sigma**2 * d / (n - d - 1)


def predict_crossing(n: np.ndarray | int, d: int, k: int, sigma: float = 1.0) -> np.ndarray:
    """The breaking at which the two have the same risk, ``b = sigma^2 (d - k) / (n - d - 1)``.

    Args:
        n: samples, more than d + 1.
        d: dimension of the inputs.
        k: dimension of the invariants.
        sigma: standard deviation of the noise.

    Example:
        >>> float(predict_crossing(111, d=60, k=10))
        1.0
    """
    return sigma**2 * (d - k) / (np.asarray(n, np.float64) - d - 1)


_D, _K, _N, _SIGMA = 60, 10, 80, 1.0
_DRAWS = 24


@functools.cache
def _complement(stride: int = _K) -> np.ndarray:
    """``A = 1 - P`` for shifts by that many places; its invariants have that dimension."""
    return np.eye(_D) - shift_projector(_D, stride)


@functools.cache
def _invariants(stride: int = _K) -> np.ndarray:
    """An orthonormal basis of the invariants, (60, k)."""
    spectrum, vectors = np.linalg.eigh(shift_projector(_D, stride))
    return vectors[:, spectrum > 0.5]


def _designs(key: jax.Array, n: int, draws: int) -> np.ndarray:
    return generator(key).normal(size=(draws, n, _D))


def _trace(m: np.ndarray) -> np.ndarray:
    return np.trace(m, axis1=-2, axis2=-1)


def _risk(x: np.ndarray, strength: float, breaking: float) -> np.ndarray:
    """The mean risk given each X, (draws,)."""
    a, gram = _complement(), np.swapaxes(x, 1, 2) @ x
    inverse = np.linalg.inv(gram + strength * a)
    bias = strength**2 * breaking / (_D - _K) * _trace(inverse @ a @ inverse)
    return _SIGMA**2 * _trace(inverse @ gram @ inverse) + bias


def _slope(x: np.ndarray, strength: float, covariance: np.ndarray) -> float:
    """The derivative of the risk in the strength, summed over X, for breaking of any covariance, not simplified."""
    a, gram = _complement(), np.swapaxes(x, 1, 2) @ x
    inverse = np.linalg.inv(gram + strength * a)
    moved, spread = inverse @ a @ inverse, inverse @ a @ covariance @ a @ inverse
    noise = -2 * _SIGMA**2 * _trace(moved @ gram @ inverse)
    return float(np.sum(noise + 2 * strength * _trace(spread) - 2 * strength**2 * _trace(inverse @ a @ spread)))


# --- the best strength -----------------------------------------------------------------------------------

_TAUS = np.geomspace(0.03, 3.0, 11)
"""``tau^2 = b / 50``: the breaking in one direction, in units of the noise's standard deviation."""


def _breaking(tau: np.ndarray) -> np.ndarray:
    return tau**2 * (_D - _K)


def _best(key: jax.Array, preferred: bool) -> Evidence:
    """``lambda b / sigma^2`` at the minimum of the exact risk, found by the sign of its slope."""
    x = _designs(key, _N, 8)
    direction = np.zeros(_D)
    direction[0] = 1.0
    direction = _complement() @ direction
    shape = np.outer(direction, direction) / (direction @ direction) if preferred else _complement() / (_D - _K)
    found = []
    for b in _breaking(_TAUS):
        slope = lambda log_strength, b=b: _slope(x, np.exp(log_strength), b * shape)
        found.append(b * np.exp(scipy.optimize.brentq(slope, -20.0, 20.0, xtol=1e-15, rtol=1e-15)) / _SIGMA**2)
    return Evidence("breaking in one direction over noise, tau", _TAUS, found)


# --- below both limits -----------------------------------------------------------------------------------


def _limits(key: jax.Array) -> np.ndarray:
    """The risks of the equivariant fit and of least squares, means over the same X as the soft one, (2, 11)."""
    x = _designs(key, _N, _DRAWS)
    intercept, slope, free = _limit_risks(x, 1.0)
    b = _breaking(_TAUS)
    equivariant = intercept.mean() + b * slope.mean()
    return (1 + 1e-9) * np.stack([equivariant, np.full(len(b), free.mean())])


def _limit_risks(x: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each X: the equivariant fit's risk as ``intercept + b slope``, and that of least squares.

    Outside the invariants the inputs are ``width`` times as wide, and risks are those of the labels.
    """
    basis, a = _invariants(), _complement()
    inside, outside = x @ basis, width * (x @ a)
    inverse = np.linalg.inv(np.swapaxes(inside, 1, 2) @ inside)
    leak = inverse @ np.swapaxes(inside, 1, 2) @ outside
    slope = width**2 + np.sum(leak**2, axis=(1, 2)) / (_D - _K)
    free = _trace(np.linalg.inv(np.swapaxes(x, 1, 2) @ x))  # the same whatever the width: the fit follows it
    return _SIGMA**2 * _trace(inverse), slope, _SIGMA**2 * free


def _soft(key: jax.Array, tuned: bool) -> Evidence:
    x, b = _designs(key, _N, _DRAWS), _breaking(_TAUS)
    matched = b if tuned else np.full(len(b), _breaking(np.array(1.0)))
    risks = [_risk(x, float(predict_strength(m, _D, _K, _SIGMA)), float(one)).mean() for m, one in zip(matched, b)]
    names = ("soft, against the equivariant fit", "soft, against least squares")
    return Evidence("breaking in one direction over noise, tau", _TAUS, np.stack([risks, risks]), names)


# --- the equivariant limit -------------------------------------------------------------------------------

_STRENGTHS = np.geomspace(1.0, 1e6, 7)


def _fits(key: jax.Array, strength: float | None, stride: int = _K) -> tuple[np.ndarray, np.ndarray]:
    """Penalised fits of noise alone, and ``A X^T (y - X w)`` of them, each (200, 60); None for the equivariant fit."""
    x = _designs(key, _N, 200)
    y = generator(jax.random.fold_in(key, 1)).normal(size=(200, _N))
    force, gram = np.einsum("tni,tn->ti", x, y), np.swapaxes(x, 1, 2) @ x
    if strength is None:
        basis = _invariants()
        w = np.linalg.solve(basis.T @ gram @ basis, (force @ basis)[..., None])[..., 0] @ basis.T
    else:
        w = np.linalg.solve(gram + strength * _complement(stride), force[..., None])[..., 0]
    return w, (force - np.einsum("tij,tj->ti", gram, w)) @ _complement()


def _remainder(key: jax.Array, stride: int) -> Evidence:
    """The mean of ``lambda |A w(lambda)|``; the penalty's group shifts by ``stride`` places."""
    found = [s * np.linalg.norm(_fits(key, s, stride)[0] @ _complement(), axis=1).mean() for s in _STRENGTHS]
    return Evidence("strength lambda", _STRENGTHS, found)


def _force(key: jax.Array) -> np.ndarray:
    mean = np.linalg.norm(_fits(key, None)[1], axis=1).mean()
    return np.full(len(_STRENGTHS), (1 + 1e-9) * mean)


# --- the crossing ----------------------------------------------------------------------------------------

_NS = np.array([80, 100, 150, 250])


def _crossings(key: jax.Array, width: float) -> Evidence:
    """Where the mean risks of 400 designs are equal: the equivariant one is linear in b."""
    values, errors, draws = [], [], 400
    for n in _NS:
        x = _designs(jax.random.fold_in(key, int(n)), int(n), draws)
        samples = np.stack(_limit_risks(x, width), axis=1)
        crossing = lambda s: (s[:, 2].mean() - s[:, 0].mean()) / s[:, 1].mean()
        value, replicates = bootstrap(jax.random.fold_in(key, int(n) + 1), samples, crossing)
        values.append(value)
        errors.append(replicates.std(ddof=1))
    return Evidence("samples n", _NS, values, (), errors, draws)


CLAIMS = (
    Claim(
        name="best_penalty_strength",
        statement="The best strength of a projection penalty in linear regression is the ratio of noise and breaking "
        "in one direction, for every design.",
        formula="argmin_lambda E |w - w*|^2 = sigma^2 (d - k) / b",
        source=_source("strength of the penalty in linear regression"),
        kind="identity",
        predict=lambda key: np.full(len(_TAUS), float(_D - _K)),
        measure=lambda key: _best(key, preferred=False),
        violate=lambda key: _best(key, preferred=True),
        dropped="no direction of the complement is preferred (all of the breaking lies in one)",
        budget=1e4,
    ),
    Claim(
        name="soft_risk_below_both",
        statement="At its best strength the soft fit has a lower risk than the equivariant fit and than least squares, "
        "at every level of breaking.",
        formula="min_lambda R(lambda) <= min(R(infinity), R(0)), for all tau",
        source=_source("risk against both limits in linear regression"),
        kind="bound",
        predict=_limits,
        measure=lambda key: _soft(key, tuned=True),
        violate=lambda key: _soft(key, tuned=False),
        dropped="the strength follows the breaking (it stays at the best one for tau = 1)",
    ),
    Claim(
        name="strong_penalty_limit",
        statement="What a penalised fit has outside the invariants falls as one over the strength, at a known rate.",
        formula="lambda |A w(lambda)| <= |A X^T (y - X w(infinity))|, with equality for lambda -> infinity",
        source=_source("limit of strong penalties"),
        kind="bound",
        predict=_force,
        measure=lambda key: _remainder(key, _K),
        violate=lambda key: _remainder(key, 2 * _K),
        dropped="the penalty is that of the whole group (it is that of a subgroup with twice as many invariants)",
    ),
    Claim(
        name="equivariant_and_free_risk_cross",
        statement="Equivariant fit and least squares have the same mean risk at one level of breaking.",
        formula="b = sigma^2 (d - k) / (n - d - 1)",
        source=_source("crossing of the two limits in linear regression"),
        kind="ratio",
        predict=lambda key: predict_crossing(_NS, _D, _K, _SIGMA),
        measure=lambda key: _crossings(key, 1.0),
        violate=lambda key: _crossings(key, 2.0),
        dropped="the inputs are isotropic (they are twice as wide outside the invariants)",
    ),
)
