r"""The generalisation gap of linear regression without its symmetry, and the averaging operator behind it.

Setting. A finite group G acts on R^d by orthogonal matrices; ``Q = mean_g rho(g)`` projects onto the invariant
vectors V^G, ``A = 1 - Q`` onto the rest, and ``a = d - dim V^G``. Inputs are ``x ~ N(0, sigma_x^2 I_d)``, an
invariant law; the target is ``y = theta . x + xi`` with ``theta`` invariant and noise of variance ``sigma_xi^2``. The
learner is least squares of minimal norm on n samples, ``w = X^+ y``, and its risk is ``R(w) = E (w . x - theta .
x)^2``. Averaging the learned function replaces w by Qw, and

* for each draw        ``R(w) - R(Qw) = sigma_x^2 |A w|^2``, never negative: Q is self-adjoint in L^2;
* its mean, n > d + 1  ``sigma_xi^2 a / (n - d - 1)``;
* its mean, n < d - 1
  ``sigma_x^2 |theta|^2 a n (d - n) / (d (d - 1) (d + 2)) + sigma_xi^2 a n / (d (d - n - 1))``;
* infinite for n = d - 1, d, d + 1 if there is noise: the double-descent spike, seen in medians.

The first term of the third line is the mean of ``|A P theta|^2`` over uniform n-planes P; the others are means of
inverse Wishart matrices. The group of the claims is the cyclic shift of d coordinates by two places, whose invariants
are constant on even and on odd places.

Known: the setting and the lemma are recalled from the paper; the two means were derived again and simulated, which
gives the same numbers; the projector's algebra is elementary and derived.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from equiv.groups import cyclic, dihedral, polyhedral, symmetric
from equiv.reps import intertwiners, permutation, pixels, standard
from theory.claim import Claim, Evidence, Source, bootstrap, mean_evidence

__all__ = ["CLAIMS", "predict_gap", "shift_projector", "simulate_gap", "source"]


def source(theorem: str, known: str) -> Source:
    """The paper, for one of its statements.

    Args:
        theorem: which.
        known: ``derived`` or ``recalled``.
    """
    return Source(
        author="B. Elesedy, S. Zaidi",
        title="Provably Strict Generalisation Benefit for Equivariant Models",
        venue="ICML 2021",
        arxiv="2102.10333",
        theorem=theorem,
        known=known,
    )


@functools.cache
def shift_projector(d: int, stride: int) -> np.ndarray:
    """The averaging operator Q of the cyclic shifts of d coordinates by multiples of ``stride``.

    ``Q_ij = 1 / m`` if ``i = j mod gcd(d, stride)``, else 0, with ``m = d / gcd(d, stride)`` the order of the group.

    Args:
        d: number of coordinates.
        stride: places of one shift, at least 1.

    Returns:
        (d, d) float64; its rank is ``gcd(d, stride)``.

    Example:
        >>> shift_projector(4, 2)[0].round(3).tolist()
        [0.5, 0.0, 0.5, 0.0]
    """
    group = cyclic(d // math.gcd(d, stride))
    with jax.enable_x64(True):
        shift = permutation(group, d, lambda g: (jnp.arange(d, dtype=jnp.int32) + stride * g) % d)
        return np.asarray(jax.jit(lambda: intertwiners.average(shift, jnp.float64))())


def predict_gap(
    n: np.ndarray | int, d: int, a: int, sigma_x: float = 1.0, sigma_xi: float = 1.0, theta_squared: float = 1.0
) -> np.ndarray:
    """The mean gap ``E [R(w) - R(Qw)]`` of minimal-norm least squares with an invariant target.

    ``n > d + 1``: ``sigma_xi^2 a / (n - d - 1)``.
    ``n < d - 1``: ``sigma_x^2 |theta|^2 a n (d - n) / (d (d - 1) (d + 2)) + sigma_xi^2 a n / (d (d - n - 1))``.
    Between them infinite, or without its noise term if ``sigma_xi`` is 0.

    Args:
        n: sample sizes, any shape.
        d: dimension of the inputs.
        a: ``d - dim V^G``.
        sigma_x: standard deviation of each coordinate of the input.
        sigma_xi: standard deviation of the noise.
        theta_squared: ``|theta|^2``.

    Returns:
        Like ``n``, float64.

    Example:
        >>> predict_gap([20, 30], d=12, a=10, sigma_xi=0.7).round(4).tolist()
        [0.7, 0.2882]

    Reference:
        Elesedy, Zaidi, ICML 2021 (arXiv 2102.10333); formula derived again.
    """
    n = np.asarray(n, np.float64)
    below = np.minimum(n, d)
    bias = sigma_x**2 * theta_squared * a * below * (d - below) / (d * max(d - 1, 1) * (d + 2))
    if sigma_xi == 0 or a == 0:
        return bias
    noise = np.full_like(n, np.inf)
    noise = np.where(n < d - 1, a * n / (d * np.where(n < d - 1, d - n - 1, 1)), noise)
    noise = np.where(n > d + 1, a / np.where(n > d + 1, n - d - 1, 1), noise)
    return bias + sigma_xi**2 * noise


@functools.partial(jax.jit, static_argnames=("n_max", "trials"))
def _fits(
    key: jax.Array,
    n: jax.Array,
    n_max: int,
    trials: int,
    projector: Float[Array, "d d"],
    outside: Float[Array, ""],
    sigma_x: Float[Array, "d"],
    sigma_xi: Float[Array, ""],
) -> tuple[Float[Array, "trials d"], Float[Array, "trials d"]]:
    """Targets and their minimal-norm least-squares fits, ``(theta, w)``, one row per trial.

    The target is a uniform unit vector of V^G, plus ``outside`` times one of its complement. The d x d Gram matrix of
    the first n rows has rank ``min(n, d)`` almost surely, so that many of the sorted eigenvalues are inverted,
    whatever their size: no threshold which near n = d would take a small eigenvalue for a zero.
    """
    d = projector.shape[0]
    kept_rows = jnp.arange(n_max, dtype=n.dtype) < n
    kept_directions = jnp.arange(d, dtype=n.dtype) >= d - n
    shape = (trials, n_max + 1, d + 1)
    draws = jax.random.normal(key, (math.prod(shape),)).reshape(shape)  # drawn flat: compiles in a tenth of the time

    def unit(v: jax.Array) -> jax.Array:
        length = jnp.linalg.norm(v)
        return v / jnp.where(length > 0, length, 1)

    def one(draw: jax.Array) -> tuple[jax.Array, jax.Array]:
        z, x, xi = draw[0, :d], draw[1:, :d], draw[1:, d]
        inside = projector @ z
        theta = unit(inside) + outside * unit(z - inside)
        x = jnp.where(kept_rows[:, None], x * sigma_x[None, :], 0)
        y = x @ theta + sigma_xi * jnp.where(kept_rows, xi, 0)
        values, vectors = jnp.linalg.eigh(x.T @ x)
        inverse = jnp.where(kept_directions, 1 / jnp.where(kept_directions, values, 1), 0)
        return theta, vectors @ (inverse * (vectors.T @ (x.T @ y)))

    return jax.vmap(one)(draws)


def _gap(theta: Array, w: Array, projector: Array, sigma_x: Array) -> Array:
    """``R(w) - R(Qw)`` from the covariance ``diag(sigma_x^2)`` of the inputs, (trials,)."""

    def risk(u: Array) -> Array:
        return jnp.sum((sigma_x[None, :] * (u - theta)) ** 2, axis=1)

    return risk(w) - risk(w @ projector.T)


def simulate_gap(
    key: jax.Array,
    n: int,
    d: int,
    n_max: int,
    trials: int,
    projector: np.ndarray,
    sigma_x: float = 1.0,
    sigma_xi: float = 1.0,
) -> Float[Array, "trials"]:
    """Draws of the gap ``R(w) - R(Qw)``, one per trial, for a uniform invariant target with ``|theta| = 1``.

    Each trial draws its target, ``n_max`` inputs and their noise, and fits the first n of them by least squares of
    minimal norm; the risks come from the covariance of the inputs, so no test set is drawn. Trial t of a key is the
    same draw for all n and whatever ``trials``; all n up to one ``n_max`` share one compiled program. Use medians
    within a few of n = d, where the mean is infinite.

    Args:
        key: random key.
        n: sample size, 0 ... n_max; may be traced.
        d: dimension of the inputs.
        n_max: largest sample size; sets the shapes.
        trials: independent draws.
        projector: (d, d), the averaging operator Q.
        sigma_x: standard deviation of each coordinate of the input.
        sigma_xi: standard deviation of the noise.

    Returns:
        (trials,), in JAX's default float; compare with ``predict_gap(n, d, a=d - rank Q, ...)``. Compute in float64.

    Raises:
        ValueError: the projector is not (d, d), or n is not between 0 and n_max.

    Example:
        >>> key = jax.random.key(0)
        >>> simulate_gap(key, 30, d=12, n_max=40, trials=8, projector=shift_projector(12, 2)).shape
        (8,)

    Reference:
        Elesedy, Zaidi, ICML 2021 (arXiv 2102.10333).
    """
    if projector.shape != (d, d):
        raise ValueError(f"simulate_gap needs a projector of shape {(d, d)}, got {projector.shape}")
    if not isinstance(n, jax.core.Tracer) and not 0 <= n <= n_max:
        raise ValueError(f"simulate_gap needs a sample size between 0 and n_max = {n_max}, got {n}")
    return _simulate(key, n, n_max, trials, projector, 0.0, np.full(d, sigma_x), sigma_xi)


def _simulate(
    key: jax.Array,
    n: int,
    n_max: int,
    trials: int,
    projector: np.ndarray,
    outside: float,
    sigma_x: np.ndarray,
    sigma_xi: float,
) -> Array:
    q, scale = jnp.asarray(projector, float), jnp.asarray(sigma_x, float)
    theta, w = _fits(
        key, jnp.asarray(n), n_max, trials, q, jnp.asarray(outside, float), scale, jnp.asarray(sigma_xi, float)
    )
    return _gap(theta, w, q, scale)


# --- the claims: d = 12, shift by two ------------------------------------------------------------

_D, _STRIDE, _A = 12, 2, 10
_SIGMA_X, _SIGMA_XI = 1.3, 0.7
_N_MAX, _TRIALS = 48, 4096
_OVER = np.array([18, 21, 26, 34, 48])
"""From d + 6 on, where the sixth moment of the inverse Gram matrix exists and the mean of the draws is well behaved."""
_UNDER = np.array([1, 2, 3, 4, 5, 6, 7])
_BESIDE = np.array([4, 6, 24, 36])


def _predicted(ns: np.ndarray) -> np.ndarray:
    return predict_gap(ns, _D, _A, _SIGMA_X, _SIGMA_XI)


def _gaps(
    key: jax.Array,
    ns: np.ndarray,
    outside: float = 0.0,
    sigma_x: np.ndarray | float = _SIGMA_X,
    sigma_xi: float = _SIGMA_XI,
) -> np.ndarray:
    """(len(ns), trials), the draws of all claims."""
    q, scale = shift_projector(_D, _STRIDE), np.broadcast_to(np.asarray(sigma_x), _D)
    keys = [jax.random.fold_in(key, int(n)) for n in ns]
    return np.stack([_simulate(k, n, _N_MAX, _TRIALS, q, outside, scale, sigma_xi) for k, n in zip(keys, ns)])


def _mean_gaps(key: jax.Array, ns: np.ndarray, **violation: float) -> Evidence:
    return mean_evidence("samples n", ns, _gaps(key, ns, **violation))


_UNEQUAL = _SIGMA_X * np.linspace(0.3, 1.7, _D)
"""Standard deviations that a shift by two does not leave alone."""


def _draw(key: jax.Array, sigma_x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sides of the identity of single draws: risk differences, and the weights they are made of."""
    q, scale = jnp.asarray(shift_projector(_D, _STRIDE)), jnp.asarray(sigma_x)
    theta, w = _fits(key, jnp.asarray(20), _N_MAX, 64, q, jnp.asarray(0.0), scale, jnp.asarray(_SIGMA_XI))
    return np.asarray(_gap(theta, w, q, scale)), np.asarray(w)


def _draw_evidence(key: jax.Array, sigma_x: np.ndarray) -> Evidence:
    gaps, _ = _draw(key, sigma_x)
    return Evidence("draw", np.arange(len(gaps)), gaps)


def _outside(key: jax.Array) -> np.ndarray:
    _, w = _draw(key, np.full(_D, _SIGMA_X))
    a = np.eye(_D) - shift_projector(_D, _STRIDE)
    return _SIGMA_X**2 * np.sum((w @ a.T) ** 2, axis=1)


def _spike(key: jax.Array, sigma_xi: float) -> Evidence:
    k_draw, k_resample = jax.random.split(key)
    gaps = _gaps(k_draw, np.append(_BESIDE, _D), sigma_xi=sigma_xi)
    value, replicates = bootstrap(k_resample, gaps.T[:1024], lambda sample: np.median(sample, axis=0))
    error = replicates.std(axis=0, ddof=1)
    rows = [x[[*range(len(_BESIDE))]] for x in (value, error)], [np.full(len(_BESIDE), x[-1]) for x in (value, error)]
    (beside, beside_error), (at, at_error) = rows
    return Evidence(
        "samples n", _BESIDE, np.stack([beside, at]), ("at n", f"at n = {_D}"), np.stack([beside_error, at_error]), 1024
    )


@functools.cache
def _projected_reps() -> dict:
    """Representations of several groups: name -> (matrices of all elements, the averaging operator)."""
    cube, square = standard(polyhedral("octahedral")), pixels(dihedral(4), 3)
    swap = permutation(symmetric(4), 4, lambda g: g)
    turn = permutation(cyclic(6), 12, lambda g: (jnp.arange(12, dtype=jnp.int32) + 2 * g) % 12)
    reps = {
        "shift by two": turn,
        "S_4 on 4 points": swap,
        "D_4 on 3 x 3 pixels": square,
        "octahedral, V (x) V": cube * cube,
    }
    found = jax.jit(
        lambda: {n: (rep.matrix(rep.group.elements()), intertwiners.average(rep)) for n, rep in reps.items()}
    )()
    return jax.tree.map(np.asarray, found)


def _algebra(average: list[np.ndarray], fixed: list[float]) -> Evidence:
    """Q^2, its transpose and its trace, for every representation, one after the other."""
    parts = [np.concatenate([(q @ q).ravel(), q.T.ravel(), [dim]]) for q, dim in zip(average, fixed)]
    values = np.concatenate(parts)
    return Evidence("entry", np.arange(len(values)), values)


def _expected_algebra(_: jax.Array) -> np.ndarray:
    """What they have to be: the mean matrix, twice, and the mean trace."""
    means = [matrices.mean(axis=0) for matrices, _ in _projected_reps().values()]
    return np.concatenate([np.concatenate([m.ravel(), m.ravel(), [np.trace(m)]]) for m in means])


def _measured_algebra(_: jax.Array) -> Evidence:
    """From the invariant vectors, which know only the generators; their number stands against the mean trace."""
    averages = [q for _, q in _projected_reps().values()]
    return _algebra(averages, [float(np.linalg.matrix_rank(q)) for q in averages])


def _violated_algebra(_: jax.Array) -> Evidence:
    """The first three elements instead of all of them."""
    averages = [matrices[:3].mean(axis=0) for matrices, _ in _projected_reps().values()]
    return _algebra(averages, [float(np.linalg.matrix_rank(q)) for q in averages])


CLAIMS = (
    Claim(
        name="averaging_projects",
        statement="Averaging a representation over a finite group is the orthogonal projection onto the invariant "
        "vectors.",
        formula="Q^2 = Q = Q^T, dim V^G = 1/|G| sum_g tr rho(g)",
        source=source("Lemma 1 (averaging operator)", "derived"),
        kind="identity",
        predict=_expected_algebra,
        measure=_measured_algebra,
        violate=_violated_algebra,
        dropped="the matrices averaged are a group (only three of its elements are)",
    ),
    Claim(
        name="gap_of_each_draw",
        statement="Averaging a least-squares fit over the group lowers its risk by the weight it had outside the "
        "invariants, draw by draw.",
        formula="R(w) - R(Qw) = sigma_x^2 |A w|^2",
        source=source("Lemma (L^2 = S + A) in the linear model", "recalled"),
        kind="identity",
        predict=_outside,
        measure=lambda key: _draw_evidence(key, np.full(_D, _SIGMA_X)),
        violate=lambda key: _draw_evidence(key, _UNEQUAL),
        dropped="the law of the inputs is invariant (its coordinates have unequal variances)",
    ),
    Claim(
        name="gap_overdetermined",
        statement="With more samples than dimensions the mean gap is the noise spread over the directions outside the "
        "invariants.",
        formula="E gap = sigma_xi^2 a / (n - d - 1), n > d + 1",
        source=source("Theorem on the linear model, n > d + 1", "derived"),
        kind="ratio",
        predict=lambda key: _predicted(_OVER),
        measure=lambda key: _mean_gaps(key, _OVER),
        violate=lambda key: _mean_gaps(key, _OVER, outside=1.0),
        dropped="the target is invariant (half of its square length lies outside V^G)",
    ),
    Claim(
        name="gap_underdetermined",
        statement="With fewer samples than dimensions the mean gap has a part of the target and a part of the noise.",
        formula="E gap = sigma_x^2 |theta|^2 a n (d - n) / (d (d - 1) (d + 2)) + sigma_xi^2 a n / (d (d - n - 1)), "
        "n < d - 1",
        source=source("Theorem on the linear model, n < d - 1", "derived"),
        kind="ratio",
        predict=lambda key: _predicted(_UNDER),
        measure=lambda key: _mean_gaps(key, _UNDER),
        violate=lambda key: _mean_gaps(key, _UNDER, sigma_x=_UNEQUAL),
        dropped="the law of the inputs is invariant (its coordinates have unequal variances)",
    ),
    Claim(
        name="gap_spike",
        statement="With noisy labels the gap has a spike at n = d: its median there is above the medians on both "
        "sides.",
        formula="median gap(n) < median gap(d), n = d/3, d/2, 2d, 3d",
        source=source("Theorem on the linear model, n in [d - 1, d + 1]", "recalled"),
        kind="separation",
        predict=lambda key: ("at n", f"at n = {_D}"),
        measure=lambda key: _spike(key, _SIGMA_XI),
        violate=lambda key: _spike(key, 0.0),
        dropped="the labels are noisy",
    ),
)
