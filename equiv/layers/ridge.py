r"""Least squares with a ridge on a kernel or on fixed features, and least loss in a ball of norms.

The convention, everywhere: the matrix that is solved is ``K + ridge * I``. The ridge is neither divided nor multiplied
by the number of samples n. What is least is ``sum_i (f(x_i) - y_i)^2 + ridge |f|^2``.

Systems are solved by Cholesky in float64 whatever the dtype of the caller, who gets his own dtype back: eigenvalues of
a smooth kernel fall below the precision of float32 within a few dozen. ``dual_ridge`` solves the n x n system of a
kernel, ``primal_ridge`` the smaller of the n x n and the f x f system of n samples of f features.

Both give the residual at each sample of the fit without that sample, in closed form and exactly, so that a ridge is
chosen without a further set of samples (``best_ridge``). A mask ``present`` leaves samples out without a change of
shape: fits to nested prefixes of one set of samples are one compiled program, and vmap goes over masks, ridges, trials.

A system that is singular to float64 precision, a negative ridge and a NaN are errors outside of jit, and NaN in every
coefficient inside of it. ``smallest_ridge`` tells what works.

``constrained_erm`` bounds two norms of the weights instead, takes any convex loss, and returns with its weights a bound
on how far they are from the best, which needs no trust in the method that found them.

Derivatives by ``jax.grad`` are taken in float64 if ``jax_enable_x64`` is on; if not, jax takes the reverse pass in
float32, and warns.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from equiv import numerics
from equiv.groups.finite import whole

__all__ = [
    "Constrained",
    "Dual",
    "Primal",
    "best_ridge",
    "constrained_erm",
    "dual_ridge",
    "primal_ridge",
    "project",
    "smallest_ridge",
]

EPS = float(np.finfo(np.float64).eps)


class Dual(NamedTuple):
    """A fit on a kernel; it predicts ``cross @ coefficients``, cross (m, n) the kernel of new samples and old ones.

    Attributes:
        coefficients: (n, ...), those of absent samples 0.
        leave_one_out: (n, ...), ``y_i - f_i(x_i)`` with f_i fitted to all samples but i; 0 for absent ones.
        ridge: the ridge of ``K + ridge * I``, one number or one for each column of y.
    """

    coefficients: Float[Array, "n ..."]
    leave_one_out: Float[Array, "n ..."]
    ridge: Float[Array, "..."]


class Primal(NamedTuple):
    """A fit on features; it predicts ``features @ weights``.

    Attributes:
        weights: (f, ...).
        leave_one_out: (n, ...), ``y_i - f_i(x_i)`` with f_i fitted to all samples but i; 0 for absent ones.
        ridge: the ridge of ``K + ridge * I``.
    """

    weights: Float[Array, "f ..."]
    leave_one_out: Float[Array, "n ..."]
    ridge: Float[Array, ""]


class Constrained(NamedTuple):
    """A fit in a ball of norms.

    Attributes:
        weights: (M, q), inside of the ball.
        loss: the mean loss at the weights.
        gap: no weights in the ball have a mean loss below ``loss - gap``.
    """

    weights: Float[Array, "m q"]
    loss: Float[Array, ""]
    gap: Float[Array, ""]


# --- what is refused --------------------------------------------------------------------------------------------------


def _known(*values: Any) -> bool:
    return not any(isinstance(value, jax.core.Tracer) for value in values)


def _ridge(name: str, ridge: Any) -> Array:
    """In float64; NaN where a tracer is no ridge."""
    ridge = jnp.asarray(ridge, jnp.float64)
    if ridge.ndim:
        raise ValueError(f"{name} takes one ridge, got shape {ridge.shape}; jax.vmap goes over several")
    return _not_negative(name, ridge)


def _not_negative(name: str, ridge: Array) -> Array:
    fine = (ridge >= 0) & (ridge < np.inf)
    if _known(ridge) and not bool(jnp.all(fine)):
        raise ValueError(f"the ridge of {name} in K + ridge * I has to be at least 0 and finite, got {ridge}")
    return jnp.where(fine, ridge, jnp.nan)


def _square(name: str, gram: Array) -> None:
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or not gram.size:
        raise ValueError(f"{name} takes a Gram matrix (n, n) of the samples with themselves, got shape {gram.shape}")


def _samples(name: str, n: int, y: Array, present: Array | None) -> Array:
    """The mask."""
    if y.ndim < 1 or y.shape[0] != n:
        raise ValueError(f"{name} takes labels (n, ...) of its n = {n} samples, got shape {y.shape}")
    if present is None:
        return jnp.ones(n, bool)
    if present.shape != (n,) or present.dtype != bool:
        raise ValueError(
            f"{name} takes a mask of {n} booleans, one a sample, got shape {present.shape} of {present.dtype}"
        )
    return present


def _refuse(name: str, gram: Array, present: Array, ridge: Any) -> None:
    """Why a system could not be solved, if not for a NaN in it."""
    chosen = np.asarray(present)
    gram = np.asarray(gram)[np.ix_(chosen, chosen)]
    if not np.isfinite(gram).all():
        return
    if not _symmetric(jnp.asarray(gram)):
        raise ValueError(f"{name} takes a symmetric Gram matrix, got one that differs from its transpose")
    smallest = float(smallest_ridge(jnp.asarray(gram)))
    digit = 10.0 ** (math.floor(math.log10(smallest)) - 1) if smallest > 0 else 1.0
    raise ValueError(
        f"K + ridge * I of {name} is singular to float64 precision at ridge = {float(ridge):.3g}; "
        f"the smallest ridge that works is {math.ceil(smallest / digit) * digit:.1e}"
    )


def _symmetric(gram: Array) -> Array:
    return jnp.max(jnp.abs(gram - gram.T)) <= 2.0**-13 * jnp.max(jnp.abs(gram))


# --- Cholesky ---------------------------------------------------------------------------------------------------------


def _cholesky(system: Array, present: Array) -> tuple[Array, Array]:
    """The lower factor, NaN if a pivot is no larger than what rounding leaves of a 0; and whether it is a number."""
    factor = jnp.linalg.cholesky(system, symmetrize_input=False)
    pivot = jnp.min(jnp.where(present, jnp.diagonal(factor) ** 2, jnp.inf))
    size = jnp.max(jnp.where(present, jnp.diagonal(system), 0))
    regular = pivot > jnp.sum(present).astype(size.dtype) * EPS * size
    return jnp.where(regular, factor, jnp.nan), regular


def _solve(factor: Array, x: Array, transposed: bool = False) -> Array:
    return jax.scipy.linalg.solve_triangular(factor, x, trans=int(transposed), lower=True)


@jax.jit
def _dual(gram: Array, y: Array, ridge: Array, present: Array) -> tuple[Array, Array, Array]:
    """Coefficients and leave-one-out residuals (n, k), and whether there are any."""
    eye, both = jnp.eye(len(gram), dtype=bool), present[:, None] & present[None]
    gram = jnp.where(both, gram, 0)
    system = jnp.where(eye, jnp.where(present, jnp.diagonal(gram) + ridge, 1)[None], gram)
    factor, regular = _cholesky(jnp.where(_symmetric(gram), system, jnp.nan), present)
    coefficients = _solve(factor, _solve(factor, jnp.where(present[:, None], y, 0)), transposed=True)
    inverse = jnp.sum(_solve(factor, eye.astype(gram.dtype)) ** 2, axis=0)  # the diagonal of (K + ridge I)^-1
    return coefficients, coefficients / inverse[:, None], regular


@jax.jit
def _primal(features: Array, y: Array, ridge: Array, present: Array) -> tuple[Array, Array, Array]:
    """Weights (f, k) and leave-one-out residuals (n, k), and whether there are any."""
    features, y = jnp.where(present[:, None], features, 0), jnp.where(present[:, None], y, 0)
    n, f = features.shape
    if n <= f:
        coefficients, residual, regular = _dual(features @ features.T, y, ridge, present)
        return features.T @ coefficients, residual, regular
    system = features.T @ features + ridge * jnp.eye(f, dtype=features.dtype)
    factor, regular = _cholesky(system, jnp.ones(f, bool))
    weights = _solve(factor, _solve(factor, features.T @ y), transposed=True)
    free = 1 - jnp.sum(_solve(factor, features.T) ** 2, axis=0)
    free = jnp.where(free > f * EPS, free, jnp.nan)  # without the sample the system is singular
    return weights, (y - features @ weights) / free[:, None], regular


def dual_ridge(
    gram: Float[Array, "n n"], y: Float[Array, "n ..."], ridge: Any, present: Bool[Array, " n"] | None = None
) -> Dual:
    r"""Kernel ridge regression: ``alpha = (K + ridge * I)^-1 y``.

    The residual at sample i of the fit without it is ``alpha_i / [(K + ridge * I)^-1]_ii``. All columns of y share one
    factor, and what is not used is not computed under jit. Of the digits of float64, the coefficients lose as many as
    ``largest eigenvalue / (smallest + ridge)`` has.

    Args:
        gram: K (n, n), symmetric.
        y: labels (n, ...).
        ridge: one number, at least 0; may be traced.
        present: (n,), the samples that count; all if None. The others are rows of the identity with label 0.

    Returns:
        Coefficients (n, ...), leave-one-out residuals (n, ...), the ridge; NaN under jit where outside is an error.

    Raises:
        ValueError: a Gram matrix that is not square or not symmetric, labels or a mask of another length, a ridge that
            is negative or not finite, and a system that is singular, with the smallest ridge that works.

    Example:
        >>> x = jnp.array([[1.0], [2.0]])
        >>> fit = dual_ridge(x @ x.T, jnp.array([1.0, 2.0]), 5.0)
        >>> (jnp.array([[4.0]]) @ x.T @ fit.coefficients).tolist(), [round(float(r), 3) for r in fit.leave_one_out]
        ([2.0], [0.556, 1.667])

    Reference:
        Golub, Heath, Wahba, Technometrics 21 (1979), for the leave-one-out residuals.
    """
    _square("dual_ridge", gram)
    present = _samples("dual_ridge", len(gram), y, present)
    dtype = gram.dtype
    with numerics.float64():
        given, labels = gram.astype(jnp.float64), y.astype(jnp.float64).reshape(len(gram), -1)
        ridge = _ridge("dual_ridge", ridge)
        coefficients, residual, regular = _dual(given, labels, ridge, present)
        if _known(regular) and not regular:
            _refuse("dual_ridge", given, present, ridge)
        return Dual(*(part.reshape(y.shape).astype(dtype) for part in (coefficients, residual)), ridge.astype(dtype))


def primal_ridge(
    features: Float[Array, "n f"], y: Float[Array, "n ..."], ridge: Any, present: Bool[Array, " n"] | None = None
) -> Primal:
    r"""Ridge regression on features F: ``w = (F^T F + ridge * I)^-1 F^T y = F^T (F F^T + ridge * I)^-1 y``.

    The same fit as ``dual_ridge`` with ``K = F F^T``, by the smaller of the two systems. For f < n the residual at
    sample i of the fit without it is ``(y_i - <F_i, w>) / (1 - h_i)``, ``h_i = F_i^T (F^T F + ridge * I)^-1 F_i``; its
    relative error is that of ``1 - h_i``, about ``eps / (1 - h_i)``.

    Args:
        features: F (n, f).
        y: labels (n, ...).
        ridge: one number, at least 0; may be traced.
        present: (n,), the samples that count; all if None.

    Returns:
        Weights (f, ...), leave-one-out residuals (n, ...), the ridge; NaN under jit where outside is an error, and a
        NaN residual where the other samples alone leave the system singular.

    Raises:
        ValueError: features that are no matrix, labels or a mask of another length, a ridge that is negative or not
            finite, and a system that is singular, with the smallest ridge that works.

    Example:
        >>> fit = primal_ridge(jnp.array([[1.0], [2.0]]), jnp.array([1.0, 2.0]), 5.0)
        >>> fit.weights.tolist(), [round(float(r), 3) for r in fit.leave_one_out]
        ([0.5], [0.556, 1.667])

    Reference:
        Golub, Heath, Wahba, Technometrics 21 (1979), for the leave-one-out residuals.
    """
    if features.ndim != 2 or not features.size:
        raise ValueError(f"primal_ridge takes features (n, f), got shape {features.shape}")
    n, f = features.shape
    present = _samples("primal_ridge", n, y, present)
    dtype = features.dtype
    with numerics.float64():
        given, labels = features.astype(jnp.float64), y.astype(jnp.float64).reshape(n, -1)
        ridge = _ridge("primal_ridge", ridge)
        weights, residual, regular = _primal(given, labels, ridge, present)
        if _known(regular) and not regular:
            counted = jnp.where(present[:, None], given, 0)
            gram, rows = (counted.T @ counted, jnp.ones(f, bool)) if f < n else (counted @ counted.T, present)
            _refuse("primal_ridge", gram, rows, ridge)
        weights, residual = weights.reshape(f, *y.shape[1:]).astype(dtype), residual.reshape(y.shape).astype(dtype)
        return Primal(weights, residual, ridge.astype(dtype))


def smallest_ridge(gram: Float[Array, "n n"]) -> Float[Array, ""]:
    r"""The smallest ridge at which ``K + ridge * I`` can be factored by Cholesky in float64, whatever the order.

    ``max(0, 2 n eps lambda_max - lambda_min)``, eps = 2.2e-16: the least eigenvalue is then twice what rounding can do
    to a pivot. A Gram matrix that was computed in float32 has negative eigenvalues, which are made up for.

    Args:
        gram: K (n, n), symmetric.

    Raises:
        ValueError: a Gram matrix that is not square.

    Example:
        >>> 0 < float(smallest_ridge(jnp.ones((2, 2)))) < 1e-14, float(smallest_ridge(jnp.eye(2)))
        (True, 0.0)
    """
    _square("smallest_ridge", gram)
    dtype = gram.dtype
    with numerics.float64():
        values = jnp.linalg.eigvalsh(gram.astype(jnp.float64))
        found = jnp.maximum(0, 2 * len(gram) * EPS * values[-1] - values[0])
        return (found * (1 + float(jnp.finfo(dtype).eps))).astype(dtype)


@jax.jit
def _best(gram: Array, y: Array, ridges: Array, present: Array) -> tuple[Array, Array, Array]:
    def one(best: tuple[Array, ...], ridge: Array) -> tuple[tuple[Array, ...], None]:
        coefficients, residual, _ = _dual(gram, y, ridge, present)
        found = coefficients, residual, jnp.full(y.shape[1], ridge), jnp.sum(residual**2, axis=0)
        better = found[-1] < best[-1]
        return tuple(jnp.where(better if a.ndim == 1 else better[None], a, b) for a, b in zip(found, best)), None

    nothing = jnp.full(y.shape, jnp.nan), jnp.full(y.shape, jnp.nan), jnp.full(y.shape[1], jnp.nan)
    best, _ = jax.lax.scan(one, (*nothing, jnp.full(y.shape[1], jnp.inf)), ridges)
    right = jnp.all(ridges >= 0)
    return tuple(jnp.where(right, part, jnp.nan) for part in best[:3])


def best_ridge(
    gram: Float[Array, "n n"],
    y: Float[Array, "n ..."],
    ridges: Float[Array, " r"],
    present: Bool[Array, " n"] | None = None,
) -> Dual:
    r"""``dual_ridge`` at the ridge of a grid with the least leave-one-out error, for each column of y its own.

    The ridges are taken one after the other in one program, so that memory is that of one fit. Ridges at which the
    system is singular are passed over. One eigendecomposition for all ridges would be 2.5 times faster with ten of them
    on a CPU, and lose two to three times as much to rounding.

    Args:
        gram: K (n, n), symmetric.
        y: labels (n, ...).
        ridges: (r,), the ridges of ``K + ridge * I`` to choose from; may be traced.
        present: (n,), the samples that count; all if None.

    Returns:
        Coefficients (n, ...), leave-one-out residuals (n, ...), the ridges chosen, one for each column of y.

    Raises:
        ValueError: as ``dual_ridge``; a system that is singular at every ridge.

    Example:
        >>> x = jnp.array([[1.0], [2.0], [3.0]])
        >>> fit = best_ridge(x @ x.T, jnp.array([[1.0, 1.0], [2.0, 0.0], [3.0, -1.0]]), jnp.array([0.1, 100.0]))
        >>> [round(float(ridge), 1) for ridge in fit.ridge]
        [0.1, 100.0]
    """
    _square("best_ridge", gram)
    present = _samples("best_ridge", len(gram), y, present)
    if ridges.ndim != 1 or not ridges.size:
        raise ValueError(f"best_ridge takes ridges (r,) to choose from, at least one, got shape {ridges.shape}")
    dtype = gram.dtype
    with numerics.float64():
        given, labels = gram.astype(jnp.float64), y.astype(jnp.float64).reshape(len(gram), -1)
        ridges = _not_negative("best_ridge", ridges.astype(jnp.float64))
        coefficients, residual, chosen = _best(given, labels, ridges, present)
        if _known(chosen) and bool(jnp.all(jnp.isnan(chosen))) and bool(jnp.all(jnp.isfinite(labels))):
            _refuse("best_ridge", given, present, jnp.max(ridges))
        coefficients, residual = (part.reshape(y.shape).astype(dtype) for part in (coefficients, residual))
        return Dual(coefficients, residual, chosen.reshape(y.shape[1:]).astype(dtype))


# --- a ball of two norms ----------------------------------------------------------------------------------------------


def _radii(name: str, sum_of_norms: Any, sum_of_squares: Any, dtype: Any) -> tuple[Array, Array]:
    """``K_1`` and the square root of ``K_2``; both NaN where a tracer is no bound."""
    bounds = {"sum_of_norms": jnp.asarray(sum_of_norms, dtype), "sum_of_squares": jnp.asarray(sum_of_squares, dtype)}
    right = True
    for what, bound in bounds.items():
        fine = (bound >= 0) & (bound < np.inf)
        if _known(bound) and not fine:
            raise ValueError(f"the {what} of {name} has to be one number, at least 0 and finite, got {bound}")
        right = right & fine
    first, second = (jnp.where(right, bound, jnp.nan) for bound in bounds.values())
    return first, numerics.sqrt(second)


def _quotient(a: Array, b: Array) -> Array:
    """``a / b``, infinite where b is 0."""
    return jnp.where(b == 0, jnp.inf, a / jnp.where(b == 0, 1, b))


class _Sorted(NamedTuple):
    """Lengths u in falling order, and at each length t: ``|(u - t)_+|_1``, ``|(u - t)_+|_2^2``, last of all at t = 0.

    Only what is not negative is added, so that nothing cancels.
    """

    u: Array  # m
    norms: Array  # m + 1
    squares: Array  # m + 1

    def threshold(self, reached: Array, lift: Callable[[Array, Array], Array]) -> tuple[Array, Array]:
        """A length and how far below it t is, the number of lengths above t being that of the t that were reached.

        Two numbers, since lengths may be far larger than what is left of them.
        """
        k = jnp.clip(jnp.sum(reached), 1, len(self.u)) - 1
        pivot, below = self.u[k], jnp.append(self.u, jnp.zeros(1, self.u.dtype))[k + 1]
        apart = jnp.where(jnp.arange(len(self.u), dtype=k.dtype) <= k, self.u - pivot, 0)
        return pivot, jnp.clip(lift(apart, (k + 1).astype(self.u.dtype)), 0, pivot - below)


def _sorted(lengths: Array) -> _Sorted:
    u, nothing = -jnp.sort(-lengths), jnp.zeros(1, lengths.dtype)
    gap = u - jnp.append(u[1:], nothing)
    norms = jnp.append(nothing, jnp.cumsum(jnp.arange(1, len(u) + 1, dtype=u.dtype) * gap))
    return _Sorted(u, norms, jnp.append(nothing, jnp.cumsum(gap * (norms[1:] + norms[:-1]))))


def _by_sum(lengths: Array, bound: Array) -> tuple[Array, Array]:
    """The t at which ``|(u - t)_+|_1`` is the bound, which has to be below ``|u|_1``."""
    order = _sorted(lengths)
    return order.threshold(order.norms[:-1] <= bound, lambda apart, k: (bound - jnp.sum(apart)) / k)


def _by_quotient(lengths: Array, quotient: Array) -> tuple[Array, Array]:
    """The t at which ``|(u - t)_+|_1 / |(u - t)_+|_2`` is the quotient; 0 if it is below at 0, max u if never."""
    order = _sorted(lengths)

    def lift(apart: Array, k: Array) -> Array:
        mean, left = jnp.sum(apart) / k, k - quotient**2
        around = jnp.where(jnp.arange(len(apart), dtype=k.dtype) < k, apart - mean, 0)
        return quotient * numerics.sqrt(jnp.sum(around**2) / (k * jnp.where(left > 0, left, 1))) - mean

    reached = order.norms <= quotient * jnp.sqrt(order.squares)
    pivot, lift_ = order.threshold(reached[:-1], lift)
    return jnp.where(reached[-1], 0, pivot), jnp.where(reached[-1], 0, lift_)


def _above(lengths: Array, threshold: tuple[Array, Array]) -> Array:
    """``(u - t)_+``."""
    return jnp.maximum(lengths - threshold[0] + threshold[1], 0)


def project(v: Float[Array, "m q"], sum_of_norms: Any, sum_of_squares: Any) -> Float[Array, "m q"]:
    r"""The nearest point of ``{ sum_m |v_m| <= K_1, sum_m |v_m|^2 <= K_2 }``, exactly.

    ``v_m -> v_m (|v_m| - t)_+ / ((1 + s) |v_m|)``, ``t, s >= 0``. If the nearest point for one bound keeps the other,
    it is the answer; otherwise both are reached, and t is where ``|(u - t)_+|_1 / |(u - t)_+|_2 = K_1 / sqrt(K_2)``,
    ``u_m = |v_m|``: the left side falls with t, and between two neighbours of the sorted lengths it is a quadratic
    equation. Differentiable almost everywhere; works in the dtype of v.

    Args:
        v: (M, q).
        sum_of_norms: K_1.
        sum_of_squares: K_2.

    Returns:
        (M, q); NaN under jit if a bound is negative or not finite.

    Raises:
        ValueError: a bound that is negative or not finite, v that is no matrix.

    Example:
        >>> project(jnp.array([[4.0, 0.0], [0.0, 1.0]]), 2.0, 100.0).tolist()
        [[2.0, 0.0], [0.0, 0.0]]
    """
    if v.ndim != 2 or not v.size:
        raise ValueError(f"project takes v (M, q), got shape {v.shape}")
    return _project(v, *_radii("project", sum_of_norms, sum_of_squares, v.dtype))


def _project(v: Array, first: Array, second: Array) -> Array:
    """Onto ``{ sum |v_m| <= first, |v| <= second }``."""

    def scale(u: Array) -> Array:
        return jnp.where(second == 0, 0, second / jnp.where(second == 0, 1, jnp.maximum(numerics.norm(u), second)))

    u = numerics.norm(v)
    total = jnp.sum(u)
    needed = total > first
    alone = _above(u, _by_sum(u, jnp.where(needed, first, 0)))
    alone = jnp.where(needed, alone, u)
    together = _above(u, _by_quotient(u, _quotient(first, second)))
    kept = jnp.where(total * scale(u) <= first, u, jnp.where(numerics.norm(alone) <= second, alone, together))
    share = jnp.where(u == 0, (total * scale(u) <= first).astype(u.dtype), kept / jnp.where(u == 0, 1, u))
    return v * (share * scale(kept))[:, None]


def _support(v: Array, first: Array, second: Array) -> Array:
    """The largest ``<v, w>`` with w in the ball: the least of ``first t + second |(u - t)_+|`` over t, each a bound."""
    u = numerics.norm(v)
    threshold = _by_quotient(u, _quotient(first, second))
    return first * (threshold[0] - threshold[1]) + second * numerics.norm(_above(u, threshold))


# --- least loss in the ball -------------------------------------------------------------------------------------------


def _huber(r: Array, width: Any) -> Array:
    """``r^2 / (2 width)`` up to the width, ``|r| - width / 2`` beyond: between ``|r| - width / 2`` and ``|r|``."""
    size = jnp.abs(r)
    inner = jnp.minimum(size, width)
    return inner**2 / (2 * width) + (size - inner)


LOSSES = {"absolute": (jnp.abs, _huber), "huber": (functools.partial(_huber, width=1.0), None)}
"""Name -> a loss of a residual, and, if it is not smooth, a smooth one that is below it by half a width at most."""

GROWTH, LONGEST = 1.1, 1e6
"""Of the step after each step that was taken, and over all; a step that was too long is halved."""

NARROW = 1e-4
"""The last width of a smoothed loss, in mean absolute labels; the first is 1."""


class _State(NamedTuple):
    now: tuple[Array, Array]  # weights, and what they predict
    before: tuple[Array, Array]
    momentum: Array
    step: Array
    last_step: Array
    best: tuple[Array, Array]  # weights, and their loss
    floor: Array  # no loss in the ball is below


@functools.partial(jax.jit, static_argnames=("loss", "smooth", "n_steps"))
def _erm(
    features: Array, y: Array, first: Array, second: Array, loss: Callable, smooth: Callable | None, n_steps: int
) -> tuple[Array, Array, Array]:
    n, m, q = features.shape
    flat = features.reshape(n, m * q)
    if smooth is None:
        smooth, widths = lambda r, _: loss(r), jnp.ones(n_steps)
    else:
        label = jnp.mean(jnp.abs(y))
        widths = jnp.where(label > 0, label, 1) * jnp.asarray(np.geomspace(1, NARROW, n_steps))

    def at(v: Array) -> tuple[Array, Array]:
        return v, flat @ v.reshape(-1)

    def mean_loss(fitted: Array) -> Array:
        return jnp.mean(loss(fitted - y))

    def one(s: _State, width: Array) -> tuple[_State, None]:
        momentum = (1 + jnp.sqrt(1 + 4 * s.last_step / s.step * s.momentum**2)) / 2
        z, fitted = (a + (s.momentum - 1) / momentum * (a - b) for a, b in zip(s.now, s.before))
        here, pull = jax.value_and_grad(lambda fitted: jnp.mean(smooth(fitted - y, width)))(fitted)
        slope = (flat.T @ pull).reshape(m, q)
        floor = jnp.maximum(s.floor, here - jnp.sum(pull * fitted) - _support(-slope, first, second))
        new = at(_project(z - s.step * slope, first, second))
        there, found, move = jnp.mean(smooth(new[1] - y, width)), mean_loss(new[1]), new[0] - z
        most = here + jnp.sum(slope * move) + jnp.sum(move**2) / (2 * s.step)
        short = there <= most + 4 * EPS * jnp.abs(here)
        back = jnp.sum(move * (new[0] - s.now[0])) < 0
        best = tuple(jnp.where(found < s.best[1], a, b) for a, b in zip((new[0], found), s.best))
        before = tuple(jnp.where(back, a, b) for a, b in zip(new, s.now))
        longer = jnp.minimum(GROWTH * s.step, LONGEST * step)
        taken = _State(new, before, jnp.where(back, 1.0, momentum), longer, s.step, best, floor)
        refused = s._replace(step=s.step / 2, best=best, floor=floor)
        return jax.tree.map(lambda a, b: jnp.where(short, a, b), taken, refused), None

    start, size = at(jnp.zeros((m, q))), jnp.sum(flat**2)
    step = widths[0] * n * min(n, m * q) / jnp.where(size > 0, size, 1)
    state = _State(start, start, jnp.ones(()), step, step, (start[0], mean_loss(start[1])), jnp.full((), -jnp.inf))
    state, _ = jax.lax.scan(one, state, widths)
    weights, least = state.best
    gap = least - state.floor
    return tuple(jnp.where(jnp.isfinite(gap), part, jnp.nan) for part in (weights, least, gap))


def constrained_erm(
    features: Float[Array, "n m q"],
    y: Float[Array, " n"],
    sum_of_norms: Any,
    sum_of_squares: Any,
    loss: str | Callable[[Array], Array] = "absolute",
    n_steps: int = 1000,
) -> Constrained:
    r"""The least mean loss in a ball of norms, with a certificate.

    ``min (1/n) sum_i loss(sum_m <phi_m(x_i), v_m> - y_i)`` over ``sum_m |v_m| <= K_1``, ``sum_m |v_m|^2 <= K_2``, by
    projected gradient steps with momentum, which starts anew when it leads back, and with steps that are halved when
    they are too long for the curvature met. The absolute loss is replaced by a Huber loss whose width falls from the
    mean absolute label to 1e-4 of it; loss and gap are those of the absolute loss.

    The gap needs no convergence: with g the gradient of F, a convex function below the loss, at any z whatever, no
    weights in the ball have a loss below ``F(z) + min_w <g, w - z>``, and that minimum is known in closed form. The gap
    is to the highest such floor that was met.

    Args:
        features: phi (n, M, q).
        y: labels (n,).
        sum_of_norms: K_1.
        sum_of_squares: K_2, what the paper calls ``K_2 / M``.
        loss: "absolute", "huber" (of width 1), or a convex and differentiable function of an array of residuals, entry
            by entry. A new function is a new program.
        n_steps: gradient steps, those that were too long among them.

    Returns:
        Weights (M, q), their mean loss, and the gap, all NaN if a number that goes in is NaN. The gap means
        nothing for a loss that is not convex.

    Raises:
        ValueError: shapes that do not fit, a bound that is negative or not finite, a loss that is unknown.

    Example:
        >>> fit = constrained_erm(jnp.ones((3, 1, 1)), jnp.array([1.0, 2.0, 9.0]), 5.0, 25.0)
        >>> fit.weights.round(3).tolist(), round(float(fit.loss), 3), bool(fit.gap < 1e-2)
        ([[2.0]], 2.667, True)

    Reference:
        Fu, Guo, Bai, Mei, What can a single attention layer learn?, NeurIPS 2023 (arXiv 2307.11353), for the ball,
        recalled; O'Donoghue, Candes, Found. Comput. Math. 15 (2015), for the restart.
    """
    if features.ndim != 3 or not features.size:
        raise ValueError(f"constrained_erm takes features (n, M, q), got shape {features.shape}")
    if y.shape != features.shape[:1]:
        raise ValueError(f"constrained_erm takes labels of its n = {len(features)} samples, got shape {y.shape}")
    if isinstance(loss, str) and loss not in LOSSES:
        raise ValueError(f"the loss of constrained_erm is {', '.join(LOSSES)} or a function of residuals, got {loss!r}")
    n_steps = whole(n_steps, 1, "the steps of constrained_erm")
    exact, smooth = LOSSES[loss] if isinstance(loss, str) else (loss, None)
    dtype = features.dtype
    with numerics.float64():
        if (shape := jax.eval_shape(exact, jnp.zeros(len(y))).shape) != y.shape:
            raise ValueError(
                f"the loss of constrained_erm works entry by entry, got shape {shape} for {len(y)} residuals"
            )
        bounds = _radii("constrained_erm", sum_of_norms, sum_of_squares, jnp.float64)
        found = _erm(features.astype(jnp.float64), y.astype(jnp.float64), *bounds, exact, smooth, n_steps)
        return Constrained(*(part.astype(dtype) for part in found))
