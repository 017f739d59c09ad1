"""Numerics that stay right at the singular points: one place for every square root, series and matrix function.

Conventions. Every function takes and returns arrays of one floating dtype, broadcasts over leading axes, and has
finite, correct derivatives at the points where the textbook formula divides zero by zero. Functions of an angle
are written in its square ``t = theta**2``: they are entire in ``t``, so nothing singular is left to guard.
The pattern behind all of them is the double ``where``: the dangerous branch is fed a harmless argument *before* it is
discarded, because a ``where`` alone multiplies an infinite derivative by zero, which is NaN.

``float64()`` and ``constants()`` are how the library computes in float64 whatever the caller's precision: contexts,
never a process-wide switch.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

__all__ = [
    "constants",
    "cosc",
    "difference_of_products",
    "eigh",
    "expm",
    "float64",
    "log_sinhc",
    "logm",
    "norm",
    "normalize",
    "polar_factors",
    "power_of_two",
    "rotation_log",
    "sinc",
    "sinc_gap",
    "sinhc",
    "spectral_exp",
    "spectral_log",
    "spectral_sqrt",
    "sqrt",
    "svd",
    "sylvester",
]


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Compute what is inside in float64, at full matrix-product precision, and leave no trace.

    Example:
        >>> with float64():
        ...     print(jnp.ones(2).dtype)
        float64
    """
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        yield


@contextlib.contextmanager
def constants() -> Iterator[None]:
    """``float64()`` for what is built once (bases, algebra matrices), evaluated at once also while tracing.

    Nothing traced may be used inside. A ``jit`` inside is compiled as one program, which
    ``jax.ensure_compile_time_eval`` would not do: it runs the operations on constants one by one.

    Example:
        >>> def build(x):
        ...     with constants():
        ...         three = float(jnp.sum(jnp.ones(3)))
        ...     return three * x
        >>> float(jax.jit(build)(2.0))
        6.0
    """
    with float64(), jax.core.eval_context():
        yield


def sqrt(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Square root whose derivative at 0 is 0 instead of infinity.

    Args:
        x: non-negative numbers.

    Example:
        >>> float(jax.grad(sqrt)(jnp.zeros(())))
        0.0
    """
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), jnp.where(x == 0, 0, jnp.nan).astype(x.dtype))


def norm(x: Float[Array, "... n"]) -> Float[Array, "..."]:
    """Euclidean norm along the last axis, with gradient 0 at the origin and no overflow.

    ``|x| = m sqrt(sum (x / m)**2)``, ``m = max |x_i|``.

    Example:
        >>> float(norm(jnp.array([3.0, 4.0]))), jax.grad(norm)(jnp.zeros(2)).tolist()
        (5.0, [0.0, 0.0])
    """
    return _norm(x)


def _largest(x: Array) -> Array:
    """``max |x_i|``, 1 where that is 0; a constant for derivatives, which do not depend on it."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=-1, keepdims=True, initial=0))
    return jnp.where(largest == 0, 1, largest)


@jax.custom_jvp
def _norm(x: Array) -> Array:
    largest = _largest(x)
    return largest[..., 0] * jnp.sqrt(jnp.sum((x / largest) ** 2, axis=-1))


@_norm.defjvp
def _norm_slope(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    return _norm(x), jnp.sum(normalize(x) * dx, axis=-1)


def normalize(x: Float[Array, "... n"]) -> Float[Array, "... n"]:
    """``x / |x|``, and 0 (value and gradient) where ``x`` is 0.

    Example:
        >>> normalize(jnp.array([[0.0, 2.0], [0.0, 0.0]])).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """
    largest = _largest(x)
    origin = jnp.all(x == 0, axis=-1, keepdims=True)
    scaled = jnp.where(origin, 1, x / largest)
    return jnp.where(origin, 0, scaled / jnp.sqrt(jnp.sum(scaled**2, axis=-1, keepdims=True)))


_SPLITS = {4: (np.int32, -(1 << 12), 0x7F800000), 8: (np.int64, -(1 << 27), 0x7FF0000000000000)}
"""Bytes of a float -> the integers of its size, the mask of its upper half, the mask of its exponent."""


def _masked(x: Array, which: int) -> Array:
    kind = _SPLITS[x.dtype.itemsize]
    bits = jax.lax.bitcast_convert_type(x, kind[0])
    return jax.lax.bitcast_convert_type(bits & np.asarray(kind[which], kind[0]), x.dtype)


def power_of_two(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The largest power of two below or at ``|x|``, as a constant: dividing by it changes no digit. 1 at 0 and NaN.

    Example:
        >>> power_of_two(jnp.array([0.7, -9.0, 0.0])).tolist()
        [0.5, 8.0, 1.0]
    """
    found = _masked(jnp.abs(jax.lax.stop_gradient(x)), 2)
    return jnp.where((found > 0) & (found < np.inf), found, 1)


@jax.custom_jvp
def difference_of_products(
    a: Float[Array, "..."], b: Float[Array, "..."], c: Float[Array, "..."], d: Float[Array, "..."]
) -> Float[Array, "..."]:
    """``a b - c d`` without cancellation: each factor is split into halves whose products are exact.

    With a loss of k digits in the difference, ``a * b - c * d`` keeps k digits less than the dtype has, and this
    keeps all as long as k is below half of them. It does not rest on the order of operations, so that a compiler
    that contracts products and sums does no harm.

    Example:
        >>> x = jnp.float32(1 + 2**-12)
        >>> float(difference_of_products(x, x, jnp.float32(1 + 2**-11), jnp.float32(1))) == 2**-24
        True
    """
    high = [_masked(x, 1) for x in (a, b, c, d)]
    low = [x - part for x, part in zip((a, b, c, d), high)]
    mixed = (high[0] * low[1] + low[0] * high[1]) - (high[2] * low[3] + low[2] * high[3])
    return (high[0] * high[1] - high[2] * high[3]) + (mixed + (low[0] * low[1] - low[2] * low[3]))


@difference_of_products.defjvp
def _difference_slope(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    (a, b, c, d), (da, db, dc, dd) = primals, tangents
    return difference_of_products(a, b, c, d), da * b + a * db - dc * d - c * dd


def _entire(closed: Callable[[Array], Array], first: float, ratio: Callable[[int], float]) -> Callable[[Array], Array]:
    """A function of ``t >= 0``: its Taylor series below ``t = 9``, ``closed(sqrt(t))`` above.

    ``first`` is the value at 0 and ``ratio(k)`` the quotient of the Taylor coefficients k and k - 1. Sixteen terms
    leave less than 1e-22 of the value. The closed forms cancel near 0, each derivative more than the one before; from
    ``t = 9`` on they lose one digit in the third.
    """

    def function(t: Float[Array, "..."]) -> Float[Array, "..."]:
        small = t < 9
        near, far = jnp.where(small, t, 0), jnp.where(small, 9, t)
        series = jnp.ones_like(t)
        for k in range(16, 0, -1):
            series = 1 + ratio(k) * near * series
        return jnp.where(small, first * series, closed(jnp.sqrt(far)))

    return function


_sinc_gap = _entire(lambda x: (1 - jnp.sin(x) / x) / x**2, 1 / 6, lambda k: -1 / ((2 * k + 2) * (2 * k + 3)))
_sinhc = _entire(lambda x: jnp.sinh(x) / x, 1.0, lambda k: 1 / (2 * k * (2 * k + 1)))
_sinc = _entire(lambda x: jnp.sin(x) / x, 1.0, lambda k: -1 / (2 * k * (2 * k + 1)))
_sinh_gap = _entire(lambda x: (jnp.sinh(x) / x - 1) / x**2, 1 / 6, lambda k: 1 / ((2 * k + 2) * (2 * k + 3)))
_cosc = _entire(lambda x: 2 * jnp.sin(x / 2) ** 2 / x**2, 0.5, lambda k: -1 / ((2 * k + 1) * (2 * k + 2)))


def sinc(t: Float[Array, "..."]) -> Float[Array, "..."]:
    """``sin(x) / x`` as a function of ``t = x**2 >= 0``; every derivative is right at 0.

    Example:
        >>> float(sinc(jnp.zeros(()))), round(float(jax.grad(sinc)(jnp.zeros(()))), 6)
        (1.0, -0.166667)
    """
    return _sinc(t)


def sinc_gap(t: Float[Array, "..."]) -> Float[Array, "..."]:
    """``(1 - sin(x) / x) / x**2`` as a function of ``t = x**2 >= 0``; every derivative is right at 0.

    Example:
        >>> round(float(6 * sinc_gap(jnp.zeros(()))), 5)
        1.0
    """
    return _sinc_gap(t)


def sinhc(t: Float[Array, "..."]) -> Float[Array, "..."]:
    """``sinh(x) / x`` as a function of ``t = x**2 >= 0``; every derivative is right at 0.

    Example:
        >>> float(sinhc(jnp.zeros(()))), round(float(jax.grad(sinhc)(jnp.zeros(()))), 6)
        (1.0, 0.166667)
    """
    return _sinhc(t)


def log_sinhc(t: Float[Array, "..."]) -> Float[Array, "..."]:
    """``log(sinh(x) / x)`` as a function of ``t = x**2 >= 0``; right at 0, and far beyond where sinh overflows.

    Example:
        >>> log_sinhc(jnp.array([0.0, 1e6])).round().tolist()
        [0.0, 992.0]
    """
    small = t < 9
    near, x = jnp.where(small, t, 0), jnp.sqrt(jnp.where(small, 9, t))
    return jnp.where(small, jnp.log1p(near * _sinh_gap(near)), x - jnp.log(2 * x) + jnp.log1p(-jnp.exp(-2 * x)))


def cosc(t: Float[Array, "..."]) -> Float[Array, "..."]:
    """``(1 - cos x) / x**2`` as a function of ``t = x**2 >= 0``; every derivative is right at 0.

    Example:
        >>> float(cosc(jnp.zeros(())))
        0.5
    """
    return _cosc(t)


def expm(a: Float[Array, "... n n"]) -> Float[Array, "... n n"]:
    """Matrix exponential, by scaling and squaring of a Pade quotient.

    ``exp A = (p(A / 2^s) / p(-A / 2^s))^(2^s)`` with ``p`` of degree 10 and ``|A / 2^s| <= 2``, which leaves 1e-18. Not
    ``jax.scipy.linalg.expm``: up to jax 0.12 that one halves once too little, and at norms of 20 to 30 it is wrong by
    6e-9 in float64 and by 4e-3 in float32.

    Args:
        a: matrices of 1-norm up to 2**17; NaN beyond.

    Example:
        >>> expm(jnp.zeros((1, 2, 2))).tolist()
        [[[1.0, 0.0], [0.0, 1.0]]]

    Reference:
        Higham, SIAM J. Matrix Anal. Appl. 26 (2005).
    """
    degree, radius, most = 10, 2.0, 16
    size = jax.lax.stop_gradient(jnp.max(jnp.sum(jnp.abs(a), axis=-2), axis=-1))[..., None, None]
    halvings = jnp.ceil(jnp.log2(jnp.clip(size / radius, 1, 2**most))).astype(int)
    x = a / jnp.asarray(2.0 ** np.arange(most + 1), a.dtype)[halvings]
    eye = jnp.broadcast_to(jnp.eye(a.shape[-1], dtype=a.dtype), a.shape)
    taylor = [1.0]
    for k in range(1, degree + 1):
        taylor.append(taylor[-1] * (degree - k + 1) / (k * (2 * degree - k + 1)))
    square, even, odd = x @ x, taylor[-1] * eye, taylor[-2] * eye
    for k in range(degree - 2, 0, -2):
        even, odd = taylor[k] * eye + square @ even, taylor[k - 1] * eye + square @ odd
    even, odd = eye + square @ even, x @ odd
    quotient = jnp.linalg.solve(even - odd, even + odd)
    power, _ = jax.lax.scan(lambda y, k: (jnp.where(k < halvings, y @ y, y), None), quotient, jnp.arange(most))
    return jnp.where(size > radius * 2**most, jnp.nan, power)


def logm(a: Float[Array, "... n n"]) -> Float[Array, "... n n"]:
    """Principal logarithm of a real matrix with no eigenvalue on the closed negative axis.

    Inverse scaling: ``log A = 2^s log(A^(1/2^s))``. The square roots come from the product form of the Denman-Beavers
    iteration, ``M <- (2 + M + M^-1) / 4``, ``Y <- Y (1 + M^-1) / 2`` from ``M = Y = A``; close to the identity
    ``log B = 2 artanh((B - 1)(B + 1)^-1)``, summed as a series. ``B - 1`` is not computed by subtracting, which would
    lose what is small, but as ``A^(1/2^s) - 1 = (A - 1) prod_i (A^(1/2^i) + 1)^-1``. Nothing is diagonalised, so
    derivatives of every order exist at repeated eigenvalues, the identity included.

    Args:
        a: matrices, eigenvalues at least about 1e-3 (float32) or 1e-6 (float64) in angle away from the negative axis.

    Returns:
        The logarithm; NaN where there is none.

    Example:
        >>> (logm(jnp.array([[0.0, -1.0], [1.0, 0.0]])) / jnp.pi)[1, 0].round(5).tolist()
        0.5

    Reference:
        Cheng, Higham, Kenney, Laub, SIAM J. Matrix Anal. Appl. 22 (2001), product form and inverse scaling.
    """
    eye = jnp.broadcast_to(jnp.eye(a.shape[-1], dtype=a.dtype), a.shape)

    def root(y: Array, steps: int) -> Array:
        def step(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
            m, y = carry
            inverse = jnp.linalg.inv(m)
            return ((2 * eye + m + inverse) / 4, y @ (eye + inverse) / 2), None

        return jax.lax.scan(step, (y, y), None, length=steps)[0][1]

    def further(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        b = root(carry[0], 9)
        return (b, jnp.linalg.solve(b + eye, carry[1])), None

    n_roots, first = 5, root(a, 24)
    start = first, jnp.linalg.solve(first + eye, a - eye)
    (b, less_one), _ = jax.lax.scan(further, start, None, length=n_roots - 1)
    x = jnp.linalg.solve(b + eye, less_one)
    square, series = x @ x, eye / 25
    for k in range(23, 0, -2):
        series = eye / k + square @ series
    log = 2 ** (n_roots + 1) * (x @ series)
    right = jnp.all(
        jnp.abs(expm(log) - a) < 1e-3 * (1 + jnp.max(jnp.abs(a), axis=(-2, -1), keepdims=True)), axis=(-2, -1)
    )
    return jnp.where(right[..., None, None], log, jnp.nan)


# --- symmetric matrices --------------------------------------------------------------------------------------------
#
# An eigendecomposition is not differentiable where eigenvalues coincide, a function of the matrix is. So the
# decompositions below are constants for derivatives, and each function states its own derivative in terms of functions
# that have derivatives of their own, so that all orders exist everywhere.

_mul = functools.partial(jnp.matmul, precision="highest")


def _transpose(a: Array) -> Array:
    return jnp.swapaxes(a, -1, -2)


def _symmetric(a: Array) -> Array:
    return (a + _transpose(a)) / 2


def _product(a: Array, b: Array) -> Array:
    """``a b^T``, entry by entry for n = 3: one pass over the batch, which matrix products of that size are not."""
    n = a.shape[-1]
    if n != 3:
        return _mul(a, _transpose(b))
    return _stacked([[sum(a[..., i, k] * b[..., j, k] for k in range(n)) for i in range(n)] for j in range(n)])


def _spread(u: Array, s: Array) -> Array:
    """``u diag(s) u^T``."""
    return _product(u * s[..., None, :], u)


def _rotation(alpha: Array, beta: Array, gamma: Array) -> tuple[Array, Array, Array]:
    """Tangent, cosine and sine of the smaller angle that diagonalises ``[[alpha, gamma], [gamma, beta]]``.

    ``tan = y / x`` with ``x = |d| + sqrt(d^2 + 4 gamma^2)``, ``y = 2 gamma sign(d)`` and ``d = beta - alpha``.
    """
    difference = beta - alpha
    x = jnp.abs(difference) + jnp.sqrt(difference**2 + 4 * gamma**2)
    y = jnp.where(difference < 0, -2 * gamma, 2 * gamma)
    square = x**2 + y**2
    still = square < jnp.finfo(square.dtype).tiny
    inverse = jax.lax.rsqrt(jnp.where(still, 1, square))
    return jnp.where(still, 0, y / jnp.where(still, 1, x)), jnp.where(still, 1, x * inverse), y * inverse


def _turned(x: list[Array], y: list[Array], c: Array, s: Array) -> tuple[list[Array], list[Array]]:
    return [c * a - s * b for a, b in zip(x, y)], [s * a + c * b for a, b in zip(x, y)]


_SWEEPS = {4: 4, 8: 5}
"""Bytes of a float -> sweeps of Jacobi's method on a 3 x 3 matrix; a third of a sweep more than was ever needed."""


def _columns(a: Array) -> list[list[Array]]:
    return [[a[..., i, j] for i in range(3)] for j in range(3)]


def _stacked(columns: list[list[Array]]) -> Array:
    return jnp.stack([jnp.stack([column[i] for column in columns], axis=-1) for i in range(3)], axis=-2)


def _jacobi_svd(a: Array) -> tuple[Array, Array, Array]:
    """One-sided Jacobi on the columns of 3 x 3 matrices: they are turned until they are orthogonal.

    Each of the three steps of a sweep turns the first two columns and renames them in a circle. The batch axes are the
    axes of every array and the loop carries the entries one by one, which XLA compiles to few passes over the batch.
    """

    def sweep(_: Array, carry: tuple) -> tuple:
        b, v = carry
        dot = lambda x, y: x[0] * y[0] + x[1] * y[1] + x[2] * y[2]
        for _ in range(3):
            _, c, s = _rotation(dot(b[0], b[0]), dot(b[1], b[1]), dot(b[0], b[1]))
            b, v = ([y, m[2], x] for m in (b, v) for x, y in [_turned(m[0], m[1], c, s)])
        return b, v

    zero = a[..., 0, 0] * 0
    eye = [[zero + int(i == j) for i in range(3)] for j in range(3)]
    b, v = jax.lax.fori_loop(0, _SWEEPS[a.dtype.itemsize], sweep, (_columns(a), eye))
    sizes = [jnp.sqrt(x[0] ** 2 + x[1] ** 2 + x[2] ** 2) for x in b]
    u = [[entry / size for entry in x] for x, size in zip(b, sizes)]
    return _stacked(u), jnp.stack(sizes, axis=-1), _stacked(v)


def _jacobi_eigh(a: Array) -> tuple[Array, Array]:
    """Cyclic Jacobi of symmetric 3 x 3 matrices, in the same way."""

    def sweep(_: Array, carry: tuple) -> tuple:
        (d0, d1, d2), (a01, a02, a12), (v0, v1, v2) = carry
        for _ in range(3):
            t, c, s = _rotation(d0, d1, a01)
            (a02,), (a12,) = _turned([a02], [a12], c, s)
            v0, v1 = _turned(v0, v1, c, s)
            d0, d1, d2 = d1 + t * a01, d2, d0 - t * a01
            a01, a02, a12 = a12, a01 * 0, a02
            v0, v1, v2 = v1, v2, v0
        return [d0, d1, d2], [a01, a02, a12], [v0, v1, v2]

    zero = a[..., 0, 0] * 0
    eye = [[zero + int(i == j) for i in range(3)] for j in range(3)]
    start = [a[..., i, i] for i in range(3)], [a[..., 0, 1], a[..., 0, 2], a[..., 1, 2]], eye
    values, _, vectors = jax.lax.fori_loop(0, _SWEEPS[a.dtype.itemsize], sweep, start)
    return jnp.stack(values, axis=-1), _stacked(vectors)


def eigh(a: Float[Array, "... n n"]) -> tuple[Float[Array, "... n"], Float[Array, "... n n"]]:
    """Eigenvalues, in no order, and eigenvectors (columns) of a symmetric matrix, as constants without derivatives.

    Jacobi's method for n = 3, which on a CPU is about ten times faster than LAPACK on many small matrices.

    Example:
        >>> eigh(jnp.diag(jnp.array([1.0, 2.0, 3.0])))[0].tolist()
        [1.0, 2.0, 3.0]
    """
    a = jax.lax.stop_gradient(_symmetric(a))
    if a.shape[-1] != 3:
        return tuple(jnp.linalg.eigh(a))
    unit = power_of_two(jnp.max(jnp.abs(a), axis=(-2, -1)))
    values, vectors = _jacobi_eigh(a / unit[..., None, None])
    return values * unit[..., None], vectors


def svd(a: Float[Array, "... n n"]) -> tuple[Float[Array, "... n n"], Float[Array, "... n"], Float[Array, "... n n"]]:
    """``u, s, v`` with ``a = u diag(s) v^T`` for an invertible matrix, s in no order, as constants without derivatives.

    One-sided Jacobi for n = 3. It never forms ``a a^T``, which would square the condition number.

    Example:
        >>> svd(jnp.diag(jnp.array([1.0, 2.0, 3.0])))[1].tolist()
        [1.0, 2.0, 3.0]
    """
    a = jax.lax.stop_gradient(a)
    if a.shape[-1] != 3:
        u, s, v = jnp.linalg.svd(a)
        return u, s, _transpose(v)
    unit = power_of_two(jnp.max(jnp.abs(a), axis=(-2, -1)))
    u, s, v = _jacobi_svd(a / unit[..., None, None])
    return u, s * unit[..., None], v


def sylvester(
    p: Float[Array, "... n n"], u: Float[Array, "... n n"], s: Float[Array, "... n"], c: Float[Array, "... n n"]
) -> Float[Array, "... n n"]:
    """The solution of ``P X + X P = C`` for ``P = u diag(s) u^T``, differentiable to all orders in P and C.

    ``u^T X u = (u^T C u)_ij / (s_i + s_j)``: no difference of eigenvalues occurs. Derivatives solve the same equation,
    ``P dX + dX P = dC - dP X - X dP``; u and s only help and count as constants.

    Example:
        >>> eye = jnp.eye(2)
        >>> sylvester(eye, eye, jnp.ones(2), eye).tolist()
        [[0.5, 0.0], [0.0, 0.5]]
    """
    total = s[..., :, None] + s[..., None, :]
    return _solved(lambda x: _mul(p, x) + _mul(x, p), c, lambda c: _along(u, 1 / total, c))


def _solved(apply: Callable[[Array], Array], c: Array, solve: Callable[[Array], Array]) -> Array:
    """The X with ``apply(X) = C``, for a symmetric linear map: ``solve(C)``, with the derivatives that apply implies.

    A rule of ``jax.custom_jvp`` that calls another function with a rule would lose the second one as soon as the first
    is differentiated backwards and the result forwards; a linear solve is a primitive and is not lost.
    """
    return jax.lax.custom_linear_solve(apply, c, lambda _, c: solve(c), symmetric=True)


def _along(u: Array, weights: Array, e: Array) -> Array:
    """``u (weights * (u^T e u)) u^T``: the derivative of a function along e, given its divided differences."""
    return _mul(u, _mul(weights * _mul(_transpose(u), _mul(e, u)), _transpose(u)))


@jax.custom_jvp
def spectral_sqrt(
    p: Float[Array, "... n n"], u: Float[Array, "... n n"], s: Float[Array, "... n"]
) -> Float[Array, "... n n"]:
    """The square root of ``P = u diag(s) u^T``, s positive; u and s only help, derivatives are those in P.

    Example:
        >>> four = 4 * jnp.eye(2)
        >>> jax.jacfwd(lambda p: spectral_sqrt(p, jnp.eye(2), jnp.full(2, 4.0))[0, 0])(four).tolist()
        [[0.25, 0.0], [0.0, 0.0]]
    """
    return _spread(u, jnp.sqrt(s))


@spectral_sqrt.defjvp
def _sqrt_slope(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    """``R dR + dR R = dP``."""
    (p, u, s), (dp, _, _) = primals, tangents
    root = spectral_sqrt(p, u, s)
    return root, sylvester(root, u, jnp.sqrt(s), dp)


@jax.custom_jvp
def spectral_exp(
    x: Float[Array, "... n n"], u: Float[Array, "... n n"], s: Float[Array, "... n"]
) -> Float[Array, "... n n"]:
    """The exponential of ``X = u diag(s) u^T``; u and s only help, derivatives are those in X.

    Example:
        >>> zero = jnp.zeros((2, 2))
        >>> jax.jacfwd(lambda x: spectral_exp(x, jnp.eye(2), jnp.zeros(2))[0, 1])(zero).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """
    return _spread(u, jnp.exp(s))


@spectral_exp.defjvp
def _exp_slope(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    """That of the general exponential, which has derivatives of every order."""
    (x, u, s), (dx, _, _) = primals, tangents
    return spectral_exp(x, u, s), jax.jvp(expm, (x,), (dx,))[1]


@jax.custom_jvp
def spectral_log(
    p: Float[Array, "... n n"], u: Float[Array, "... n n"], s: Float[Array, "... n"]
) -> Float[Array, "... n n"]:
    """The logarithm of ``P = u diag(s) u^T``, s positive; u and s only help, derivatives are those in P.

    Example:
        >>> two = 2 * jnp.eye(2)
        >>> jax.jacfwd(lambda p: spectral_log(p, jnp.eye(2), jnp.full(2, 2.0))[0, 1])(two).tolist()
        [[0.0, 0.5], [0.0, 0.0]]
    """
    return _spread(u, jnp.log(s))


@spectral_log.defjvp
def _log_slope(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    """``d exp(X) dX = dP``; divided differences of log: ``2 artanh(t) / t / (a + b)``, ``t = (a - b) / (a + b)``."""
    (p, u, s), (dp, _, _) = primals, tangents
    x, rows, columns = spectral_log(p, u, s), s[..., :, None], s[..., None, :]
    total, t = rows + columns, (rows - columns) / (rows + columns)
    small = jnp.abs(t) < 0.125
    near, far = jnp.where(small, t, 0) ** 2, jnp.where(small, 0.5, t)
    series = jnp.ones_like(t) / 17
    for k in range(15, 0, -2):
        series = 1 / k + near * series
    quotient = jnp.where(small, 1, (jnp.log(rows) - jnp.log(columns)) / 2)
    weights = 2 * jnp.where(small, series, quotient / far) / total
    return x, _solved(lambda y: jax.jvp(expm, (x,), (y,))[1], dp, lambda e: _along(u, weights, e))


# --- polar factors and rotations -----------------------------------------------------------------------------------


@jax.custom_jvp
def polar_factors(
    a: Float[Array, "... n n"], u: Float[Array, "... n n"], s: Float[Array, "... n"], v: Float[Array, "... n n"]
) -> tuple[Float[Array, "... n n"], Float[Array, "... n n"]]:
    """``P = u diag(s) u^T`` and ``R = u v^T`` of ``A = P R = u diag(s) v^T``; derivatives of all orders are those in A.

    With ``M = dA R^T``: ``dR = W R`` and ``dP = M - P W`` for the skew W with ``W P + P W = M - M^T``.

    Example:
        >>> a = jnp.array([[0.0, -2.0], [2.0, 0.0]])
        >>> p, r = polar_factors(a, *svd(a))
        >>> p.tolist(), r.tolist()
        ([[2.0, 0.0], [0.0, 2.0]], [[0.0, -1.0], [1.0, 0.0]])
    """
    return _spread(u, s), _product(u, v)


@polar_factors.defjvp
def _polar_slope(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[tuple, tuple]:
    (a, u, s, v), (da, _, _, _) = primals, tangents
    p, r = polar_factors(a, u, s, v)
    m = _mul(da, _transpose(r))
    w = sylvester(p, u, s, m - _transpose(m))
    return (p, r), (_symmetric(m - _mul(p, w)), _mul(w, r))


def rotation_log(r: Float[Array, "... n n"]) -> Float[Array, "... n n"]:
    """The principal logarithm of a rotation, skew, for any n; every rotation angle has to be below pi.

    The square root of R is the rotation in the polar decomposition of ``1 + R = R^(1/2) (R^(1/2) + R^(-1/2))``, whose
    second factor has the eigenvalues ``2 cos(angle / 2) > 0``. Three roots Q_1, Q_2, Q_3 leave angles below pi / 8.
    Then ``log R = 16 artanh(Y (Q_3 + 1)^-1)`` with ``Y = Q_3 - 1 = (R - 1) (Q_1 + 1)^-1 (Q_2 + 1)^-1 (Q_3 + 1)^-1``,
    where nothing cancels near the identity. At last one Newton step, ``X + skew(exp(-X / 2) R exp(-X / 2))``: an angle
    near pi is known to rounding from R and only to rounding over ``pi - angle`` from its half.

    No eigenvalue is ever told from another one, so repeated angles do no harm, to derivatives of any order.

    Args:
        r: rotations.

    Returns:
        The logarithm; NaN where an angle is pi to rounding (the logarithm is not unique there), and where r is no
        rotation. Two angles within d of pi cost the accuracy that they lose in R, a factor 1 / d.

    Example:
        >>> turn = jnp.array([[0.0, -1.0], [1.0, 0.0]])
        >>> (180 / jnp.pi * rotation_log(jnp.eye(4).at[:2, :2].set(turn))[:2, :2]).round(2).tolist()
        [[0.0, -90.0], [90.0, 0.0]]
    """
    eye = jnp.broadcast_to(jnp.eye(r.shape[-1], dtype=r.dtype), r.shape)
    root, y, cosines = r, r - eye, []
    for _ in range(3):
        u, s, v = svd(eye + root)
        root = polar_factors(eye + root, u, s, v)[1]
        cosines.append(jnp.min(s, axis=-1))
        y = jnp.linalg.solve(eye + root, y)
    x = jnp.linalg.solve(eye + root, y)
    square, series = _mul(x, x), eye / 23
    for k in range(21, 0, -2):
        series = eye / k + _mul(square, series)
    x = 16 * _mul(x, series)
    x = (x - _transpose(x)) / 2
    half = expm(-x / 2)
    rest = _mul(half, _mul(r, half))
    found = x + (rest - _transpose(rest)) / 2
    close = jnp.max(jnp.abs(rest - eye), axis=(-2, -1)) < 1e-3
    unique = cosines[0] > 16 * jnp.finfo(r.dtype).eps
    return jnp.where((close & unique)[..., None, None], found, jnp.nan)
