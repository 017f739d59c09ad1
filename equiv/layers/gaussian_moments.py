r"""Moments of rectified Gaussian variables: what the kernels of networks with random weights are made of.

U and V are standard normal with correlation rho; phi and Phi are the density and the distribution function.

* ``relu_mean(a)         = E (a + U)_+             = a Phi(a) + phi(a)``
* ``orthant(a, b, rho)   = P(a + U > 0, b + V > 0) = Phi_2(a, b; rho)``
* ``relu_moment(a, b, rho) = E (a + U)_+ (b + V)_+``
* ``arc_cosine(rho)        = relu_moment(0, 0, rho) = (sqrt(1 - rho^2) + rho (pi - arccos rho)) / (2 pi)``

Derivatives (Plackett): ``d/drho relu_moment = orthant`` and ``d/drho orthant = phi_2(a, b; rho)``, the density. So

    ``relu_moment = relu_mean(a) relu_mean(b) + rho Phi(a) Phi(b) + int_0^rho (rho - r) phi_2(a, b; r) dr``,

three terms of which none cancels another where rho is positive. With ``p^2 = (1 - r) / (1 + r)`` the density's exponent
is ``-(a^2 + b^2) / 4 - D / p^2 - S p^2``, ``D = (a - b)^2 / 8``, ``S = (a + b)^2 / 8``, and nothing is singular at
``rho = 1``: the integral from P to 1 is a Gauss-Legendre sum of one exponential per node, with nodes that are drawn to
P by a cube, or to where ``exp(-D / p^2)`` is below the rounding if that is further up. A negative rho is a positive one
with b turned to -b.

Scores of other means and deviations: ``E (m + s U)_+ (m' + s' V)_+ = s s' relu_moment(m / s, m' / s', rho)``.

Reference:
    Plackett, A reduction formula for normal multivariate integrals, Biometrika 1954; Cho, Saul, Kernel methods for
    deep learning, NeurIPS 2009 (arc-cosine kernels); the substitution is derived here.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from equiv import numerics

__all__ = ["N_NODES", "arc_cosine", "arc_cosine_coefficients", "orthant", "relu_mean", "relu_moment"]

N_NODES = 40
"""Nodes that leave an error of 1e-12 for every a, b and rho; 24 do for arguments that belong to tokens (see tests)."""

_CUT = 40.0
"""The integral starts where ``exp(-D / p^2)`` is ``exp(-_CUT)``."""

_density = jax.scipy.stats.norm.pdf
_distribution = jax.scipy.stats.norm.cdf


@functools.cache
def _rule(n_nodes: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Nodes and weights for ``int_0^1 f``, in ``x^3`` of Gauss-Legendre nodes x."""
    x, w = np.polynomial.legendre.leggauss(n_nodes)
    x, w = (1 + x) / 2, w / 2
    return tuple((x**3).tolist()), tuple((3 * x**2 * w).tolist())


def _integrals(a: Array, b: Array, rho: Array, n_nodes: int, weighted: bool) -> Array:
    """``int_0^rho (rho - r) phi_2 dr`` if weighted, else ``int_0^rho phi_2 dr``, for rho >= 0."""
    square = (1 - rho) / (1 + rho)
    d, s, level = (a - b) ** 2 / 8, (a + b) ** 2 / 8, (a * a + b * b) / 4
    least = jnp.minimum(jnp.maximum(jnp.sqrt(square), jnp.sqrt(d / _CUT)), 1)
    total = jnp.zeros_like(rho)
    for node, weight in zip(*_rule(n_nodes)):
        p = least + (1 - least) * node
        pp = p * p
        shape = 1 / (1 + pp)
        if weighted:
            shape = shape * shape * (pp - square)
        total = total + weight * shape * jnp.exp(-d / jnp.where(pp > 0, pp, 1) - s * pp - level)
    return total * (1 - least) * (2 / (np.pi * (1 + square)) if weighted else 1 / np.pi)


def _folded(b: Array, rho: Array) -> tuple[Array, Array, Array]:
    """``(sign, sign b, |rho|)``."""
    sign = jnp.where(rho < 0, -1, 1).astype(rho.dtype)
    return sign, sign * b, jnp.abs(rho)


def _broadcast(*numbers: Float[Array, "..."] | float) -> list[Array]:
    dtype = jnp.result_type(*numbers)
    return jnp.broadcast_arrays(*(jnp.asarray(x, dtype) for x in numbers))


def relu_mean(a: Float[Array, "..."]) -> Float[Array, "..."]:
    """``E (a + U)_+ = a Phi(a) + phi(a)``, U standard normal.

    Args:
        a: any shape.

    Example:
        >>> round(float(relu_mean(jnp.zeros(()))), 6)  # 1 / sqrt(2 pi)
        0.398942
    """
    return a * _distribution(a) + _density(a)


def orthant(
    a: Float[Array, "..."] | float, b: Float[Array, "..."] | float, rho: Float[Array, "..."] | float
) -> Float[Array, "..."]:
    """``P(a + U > 0, b + V > 0)``, the distribution function ``Phi_2(a, b; rho)`` of two normal variables.

    Its derivative in rho is the density, which is infinite where ``|rho| = 1`` and ``a = rho b``; there, and wherever
    ``|rho| = 1``, derivatives are given as 0.

    Args:
        a: any shape.
        b: any shape that broadcasts with it.
        rho: correlation, from -1 to 1; NaN beyond.

    Example:
        >>> round(float(orthant(0.0, 0.0, 0.5)), 6)  # 1/4 + asin(rho) / (2 pi)
        0.333333

    Reference:
        Plackett, Biometrika 1954.
    """
    return _orthant(*_broadcast(a, b, rho))


@jax.custom_jvp
def _orthant(a: Array, b: Array, rho: Array) -> Array:
    sign, turned, size = _folded(b, rho)
    return _distribution(a) * _distribution(b) + sign * _integrals(a, turned, size, N_NODES, weighted=False)


def _given(a: Array, b: Array, rho: Array) -> tuple[Array, Array]:
    """``P(V > -b | U = -a) = Phi((b - rho a) / sqrt(1 - rho^2))``, its limit at ``|rho| = 1``, and where that is."""
    inside = jnp.abs(rho) < 1
    r = jnp.sqrt(jnp.where(inside, (1 - rho) * (1 + rho), 1))
    limit = (1 + jnp.sign(b - rho * a)) / 2
    return jnp.where(inside, _distribution(jnp.where(inside, b - rho * a, 0) / r), limit), inside


@_orthant.defjvp
def _orthant_slope(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    (a, b, rho), (da, db, drho) = primals, tangents
    beyond, inside = _given(a, b, rho)
    r = jnp.sqrt(jnp.where(inside, (1 - rho) * (1 + rho), 1))
    density = _density(a) * _density(jnp.where(inside, b - rho * a, 0) / r) / r
    slope = _density(a) * beyond * da + _density(b) * _given(b, a, rho)[0] * db + jnp.where(inside, density, 0) * drho
    return _orthant(a, b, rho), slope


def relu_moment(
    a: Float[Array, "..."] | float,
    b: Float[Array, "..."] | float,
    rho: Float[Array, "..."] | float,
    n_nodes: int = N_NODES,
) -> Float[Array, "..."]:
    """``E (a + U)_+ (b + V)_+`` for standard normal U and V of correlation rho.

    Args:
        a: any shape.
        b: any shape that broadcasts with it.
        rho: correlation, from -1 to 1; NaN beyond.
        n_nodes: of the quadrature.

    Returns:
        Of the broadcast shape and dtype, with an error of 1e-12 of float64 for 40 nodes and any arguments, of float32's
        rounding in float32. First derivatives are right everywhere; second ones are 0 at ``|rho| = 1``.

    Example:
        >>> round(float(relu_moment(0.0, 0.0, 1.0)), 6)  # E U_+^2
        0.5

    Reference:
        Derived here from Plackett, Biometrika 1954; for a = b = 0 Cho, Saul, NeurIPS 2009.
    """
    return _relu_moment(n_nodes, *_broadcast(a, b, rho))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _relu_moment(n_nodes: int, a: Array, b: Array, rho: Array) -> Array:
    _, turned, size = _folded(b, rho)
    first = relu_mean(a) * relu_mean(b) + rho * _distribution(a) * _distribution(b)
    return first + _integrals(a, turned, size, n_nodes, weighted=True)


@_relu_moment.defjvp
def _relu_moment_slope(n_nodes: int, primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    (a, b, rho), (da, db, drho) = primals, tangents
    both = _orthant(a, b, rho)
    at_a, at_b = _density(a) * _given(a, b, rho)[0], _density(b) * _given(b, a, rho)[0]
    slope = (b * both + at_b + rho * at_a) * da + (a * both + at_a + rho * at_b) * db + both * drho
    return _relu_moment(n_nodes, a, b, rho), slope


@functools.cache
def _even_part() -> tuple[float, ...]:
    """The g of ``(sqrt(1 - rho^2) + rho arcsin rho) / (2 pi) = 1/4 + u^2 g(2 u - 1)``, ``u = sqrt(1 - rho^2)``."""
    u = (1 + np.cos(np.pi * (np.arange(400) + 0.5) / 400)) / 2
    rho = np.sqrt((1 - u) * (1 + u))
    # rho arcsin rho + u - pi / 2, with arcsin rho = pi / 2 - arcsin u
    rest = (u - rho * np.arcsin(u)) - np.pi / 2 * u * u / (1 + rho)
    fit = np.polynomial.chebyshev.chebfit(2 * u - 1, rest / (2 * np.pi * u * u), 20, w=u * u)
    return tuple(np.polynomial.chebyshev.cheb2poly(fit).tolist())


def arc_cosine(rho: Float[Array, "..."]) -> Float[Array, "..."]:
    """``E U_+ V_+ = (sqrt(1 - rho^2) + rho (pi - arccos rho)) / (2 pi)``: half the arc-cosine kernel of degree one.

    As ``(1 + rho) / 4 + c g(sqrt c)``, ``c = 1 - rho^2``, with a polynomial g: no arc cosine to evaluate, and a
    derivative at ``|rho| = 1``.

    Args:
        rho: correlation, from -1 to 1; NaN beyond.

    Example:
        >>> round(float(arc_cosine(jnp.ones(()))), 6)
        0.5

    Reference:
        Cho, Saul, Kernel methods for deep learning, NeurIPS 2009.
    """
    c = (1 - rho) * (1 + rho)
    z = 2 * numerics.sqrt(c) - 1
    first, *rest = reversed(_even_part())
    g = jnp.full_like(rho, first)
    for coefficient in rest:
        g = g * z + coefficient
    return (1 + rho) / 4 + c * g


def arc_cosine_coefficients(n: int) -> np.ndarray:
    """The first n Taylor coefficients of ``arc_cosine`` at 0; all are non-negative and sum to 1/2.

    ``c_0 = 1 / (2 pi)``, ``c_1 = 1/4``, ``c_2j = binom(2j - 2, j - 1) 4^-(j - 1) / (2 pi 2j (2j - 1))``, the other odd
    ones 0.

    Args:
        n: how many.

    Returns:
        (n,) float64.

    Example:
        >>> arc_cosine_coefficients(4).round(6).tolist()
        [0.159155, 0.25, 0.079577, 0.0]
    """
    c = np.zeros(max(n, 2))
    c[:2] = 1 / (2 * np.pi), 0.25
    central = 1.0  # binom(2j - 2, j - 1) 4^-(j - 1)
    for k in range(2, n, 2):
        c[k] = central / (2 * np.pi * k * (k - 1))
        central *= (k - 1) / k
    return c[:n]
