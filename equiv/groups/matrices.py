"""What every group of n x n matrices shares: one builder of records.

A family states its name, a basis of its Lie algebra, its discrete generators and how it is drawn from; if it keeps a
bilinear form, ``g^T B g = B``, it states ``B``. The rest follows. The inverse is ``B^-1 g^T B``, exact up to the
rounding of ``g`` itself, and the exponential takes one Newton step back onto the group. Groups that keep no form invert
by cofactors or elimination. Lie algebra and generators are numpy constants, so reading them compiles nothing.

Two laws serve where no Haar measure of mass 1 exists. ``walk`` is a product of random generators. ``polar`` draws
``k exp(s)`` with k in the maximal compact subgroup, by Haar measure, and s symmetric in the Lie algebra: every element
of a reductive group is such a product, so the law has no holes although ``exp`` alone need not be onto.

With jax 0.10.1 on two CPU cores, a program that may run two LAPACK calls side by side, on 20,000 matrices each,
sometimes never ends. So samplers use ``gram_schmidt``, ``determinant`` and a Taylor polynomial instead; ``walk``, which
solves systems in ``numerics.expm``, takes its factors one after the other.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from equiv import numerics
from equiv.groups.base import Element, Group, intern

__all__ = [
    "blocks",
    "closure",
    "combine",
    "determinant",
    "gram_schmidt",
    "invert",
    "is_orthogonal",
    "listing",
    "matrix_group",
    "polar",
    "polished",
    "skew_basis",
    "uniform",
    "walk",
]

RADIUS = 0.5
"""Root mean square of the symmetric part of a draw from a group that is not compact, in boost rapidities."""


def skew_basis(n: int) -> np.ndarray:
    """The basis of so(n): (n (n-1) / 2, n, n); axis order for n = 3, plane order otherwise."""
    planes = [(1, 2), (2, 0), (0, 1)] if n == 3 else [(i, j) for i in range(n) for j in range(i + 1, n)]
    basis = np.zeros((len(planes), n, n))
    for k, (i, j) in enumerate(planes):
        basis[k, j, i], basis[k, i, j] = 1, -1
    return basis


def blocks(*parts: Float[Array, "... _ _"]) -> Float[Array, "... n n"]:
    """The block-diagonal matrices with these blocks; batch axes are equal."""
    sizes = [part.shape[-1] for part in parts]
    rows = [
        jnp.pad(part, [(0, 0)] * (part.ndim - 1) + [(sum(sizes[:i]), sum(sizes[i + 1 :]))])
        for i, part in enumerate(parts)
    ]
    return jnp.concatenate(rows, axis=-2)


def _transpose(g: Float[Array, "... n n"]) -> Float[Array, "... n n"]:
    return jnp.swapaxes(g, -1, -2)


def _chordal(g: Float[Array, "... n n"], h: Float[Array, "... n n"]) -> Float[Array, "..."]:
    g, h = jnp.broadcast_arrays(g, h)
    return numerics.norm((g - h).reshape(*g.shape[:-2], -1))


def _adjoint(form: np.ndarray | None) -> Callable[[Element], Element]:
    """``g -> B^-1 g^T B``; the transpose for the Euclidean form."""
    if form is None or np.array_equal(form, np.eye(len(form))):
        return _transpose
    back = np.linalg.inv(form)

    def adjoint(g: Float[Array, "... n n"]) -> Float[Array, "... n n"]:
        spread = lambda m: jnp.broadcast_to(jnp.asarray(m, g.dtype), g.shape)
        return spread(back) @ _transpose(g) @ spread(form)

    return adjoint


def polished(g: Float[Array, "... n n"], form: np.ndarray | None = None) -> Float[Array, "... n n"]:
    """One Newton step towards the matrices that keep the form (None: Euclidean); takes away what rounding left.

    ``g + g (1 - B^-1 g^T B g) / 2``
    """
    eye = jnp.broadcast_to(jnp.eye(g.shape[-1], dtype=g.dtype), g.shape)
    return g + g @ (eye - _adjoint(form)(g) @ g) / 2


def gram_schmidt(a: Inexact[Array, "... n n"]) -> Inexact[Array, "... n n"]:
    """The factor Q of ``a = Q R`` with a positive diagonal of R, column by column.

    What the columns before it span is taken out of a column twice, so that Q is orthogonal to rounding.
    """

    def column(q: Array, item: tuple[Array, Array]) -> tuple[Array, None]:
        j, v = item
        for _ in range(2):
            v = v - jnp.einsum("...ik,...k->...i", q, jnp.einsum("...ik,...i->...k", jnp.conj(q), v))
        length = jnp.sqrt(jnp.sum(jnp.real(v) ** 2 + jnp.imag(v) ** 2, axis=-1, keepdims=True))
        return q.at[..., j].set(v / length.astype(v.dtype)), None

    items = jnp.arange(a.shape[-1]), jnp.moveaxis(a, -1, 0)
    return jax.lax.scan(column, jnp.zeros_like(a), items)[0]


def determinant(a: Inexact[Array, "... n n"]) -> Inexact[Array, "..."]:
    """The determinant of orthogonal or unitary matrices, by elimination: the largest entry of a column is its pivot."""
    numbers = jnp.arange(a.shape[-1]).reshape((1,) * (a.ndim - 2) + a.shape[-1:])

    def column(carry: tuple[Array, Array], j: Array) -> tuple[tuple[Array, Array], None]:
        m, product = carry  # rows that were a pivot are 0
        pivot = jnp.argmax(jnp.abs(m[..., j]), axis=-1)
        row = jnp.take_along_axis(m, pivot[..., None, None], axis=-2)
        head = row[..., 0, j]
        left = m - m[..., j][..., None] / head[..., None, None] * row
        earlier = jnp.sum((numbers < pivot[..., None]) & jnp.any(m != 0, axis=-1), axis=-1)
        sign = jnp.where(earlier % 2 == 0, 1, -1).astype(m.dtype)
        used = numbers == pivot[..., None]
        return (jnp.where(used[..., None], 0, left), product * head * sign), None

    start = a, jnp.ones(a.shape[:-2], a.dtype)
    return jax.lax.scan(column, start, jnp.arange(a.shape[-1]))[0][1]


def invert(a: Float[Array, "... n n"]) -> Float[Array, "... n n"]:
    """The inverse: by cofactors up to size 3, which is elementwise and needs no LAPACK, by elimination above."""
    n = a.shape[-1]
    if n > 3:
        return jnp.linalg.inv(a)
    if n == 1:
        return 1 / a
    if n == 2:
        rows = [[a[..., 1, 1], -a[..., 0, 1]], [-a[..., 1, 0], a[..., 0, 0]]]
        determinant = a[..., 0, 0] * a[..., 1, 1] - a[..., 0, 1] * a[..., 1, 0]
    else:
        columns = [a[..., :, i] for i in range(3)]
        crossed = [jnp.cross(columns[(i + 1) % 3], columns[(i + 2) % 3]) for i in range(3)]
        rows = [[row[..., j] for j in range(3)] for row in crossed]
        determinant = jnp.sum(columns[0] * crossed[0], axis=-1)
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2) / determinant[..., None, None]


def _stretched(s: Float[Array, "... n n"]) -> Float[Array, "... n n"]:
    """``exp(s)`` for symmetric matrices up to size 8: four squarings of a Taylor polynomial."""
    eye = jnp.broadcast_to(jnp.eye(s.shape[-1], dtype=s.dtype), s.shape)
    g = eye
    for k in range(12, 0, -1):
        g = eye + s @ g / (16 * k)
    for _ in range(4):
        g = g @ g
    return g


def listing(name: str, listed: np.ndarray | None) -> dict[str, Any]:
    """The fields ``elements`` and ``index`` of a matrix group: a list searched by distance, or a refusal."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise ValueError(f"{name} has infinitely many elements and cannot list them; use sample")

    def index(g: Float[Array, "... n n"]) -> jax.Array:
        every = jnp.asarray(listed, g.dtype).reshape((1,) * (g.ndim - 2) + listed.shape)
        difference = g[..., None, :, :] - every
        return jnp.argmin(jnp.sum(difference**2, axis=(-2, -1)), axis=-1).astype(jnp.int32)

    if listed is None:
        return {"elements": refuse, "index": refuse}
    return {"elements": lambda dtype=float: jnp.asarray(listed, dtype), "index": index}


def is_orthogonal(lie: np.ndarray, steps: np.ndarray) -> bool:
    """Whether skew matrices and orthogonal generators are all there is."""
    return bool(
        np.allclose(lie, -lie.swapaxes(1, 2), atol=1e-12)
        and np.allclose(steps @ steps.swapaxes(1, 2), np.eye(lie.shape[-1]), atol=1e-9)
    )


def closure(generators: np.ndarray, most: int, orthogonal: bool) -> np.ndarray | None:
    """All products of the matrices, the identity first, each once; None if there are more than ``most``.

    Products round off, the list does not if the matrices are orthogonal: each is the nearest orthogonal matrix.
    """
    if len(generators) and np.abs(np.abs(np.linalg.eigvals(generators)) - 1).max() > 1e-6:
        return None
    n = generators.shape[-1]
    found = np.tile(np.eye(n), (most, 1, 1))
    count, frontier = 1, [found[0]]
    while frontier:
        products = [g @ a for g in generators for a in frontier]
        frontier = []
        for p in products:
            if np.min(np.abs(found[:count] - p).max(axis=(1, 2))) > 1e-6:
                if count == most or np.abs(p).max() > 1e9:
                    return None
                found[count] = p
                frontier.append(p)
                count += 1
    found = found[:count]
    if orthogonal:
        exact = found.astype(np.longdouble)
        for _ in range(2):
            exact = exact + exact @ (np.eye(n) - exact.swapaxes(1, 2) @ exact) / 2
        found = exact.astype(np.float64)
    return found


def combine(lie: np.ndarray, form: np.ndarray | None) -> Callable[[jax.Array], Element]:
    """``x -> exp(sum_k x_k A_k)``, polished if there is a form to keep."""

    def exp(x: Float[Array, "... d"]) -> Element:
        if not len(lie):
            n = lie.shape[-1]
            return jnp.broadcast_to(jnp.eye(n, dtype=x.dtype), (*x.shape[:-1], n, n))
        g = numerics.expm(jnp.einsum("...k,kij->...ij", x, jnp.asarray(lie, x.dtype)))
        return g if form is None else polished(g, form)

    return exp


def _coordinates(lie: np.ndarray) -> Callable[[Element], jax.Array]:
    """``g -> x`` with ``exp(x) = g``; NaN where the principal logarithm does not exist or leaves the Lie algebra."""
    n = lie.shape[-1]
    dual = np.linalg.pinv(lie.reshape(-1, n * n).T) if len(lie) else np.zeros((0, n * n))

    def log(g: Float[Array, "... n n"]) -> Float[Array, "... d"]:
        if not len(lie):
            return jnp.zeros((*g.shape[:-2], 0), g.dtype)
        flat = numerics.logm(g).reshape(*g.shape[:-2], n * n)
        x = jnp.einsum("kf,...f->...k", jnp.asarray(dual, g.dtype), flat)
        back = jnp.einsum("...k,kf->...f", x, jnp.asarray(lie.reshape(-1, n * n), g.dtype))
        inside = jnp.max(jnp.abs(back - flat), axis=-1) <= 1e-3 * (1 + jnp.max(jnp.abs(flat), axis=-1))
        return jnp.where(inside[..., None], x, jnp.nan)

    return log


def uniform(listed: np.ndarray) -> Callable[..., Element]:
    """The sampler of a listed group: every element equally often."""

    def sample(key: jax.Array, shape: tuple = (), dtype: Any = float) -> Element:
        return jnp.asarray(listed, dtype)[jax.random.randint(key, tuple(shape), 0, len(listed))]

    return sample


def walk(lie: np.ndarray, steps: np.ndarray, form: np.ndarray | None) -> Callable[..., Element]:
    """A product of eight random factors: ``exp`` of a Gaussian algebra vector times a generator or its inverse."""
    exp, n = combine(lie, form), lie.shape[-1]

    def sample(key: jax.Array, shape: tuple = (), dtype: Any = float) -> Element:
        shape = tuple(shape)
        choices = jnp.asarray(np.concatenate([np.eye(n)[None], steps, np.linalg.inv(steps)]), dtype)

        def factor(g: Element, k: jax.Array) -> tuple[Element, None]:
            k_lie, k_step = jax.random.split(k)
            x = jax.random.normal(k_lie, (*shape, len(lie)), dtype) / jnp.sqrt(jnp.asarray(8, dtype))
            return g @ exp(x) @ choices[jax.random.randint(k_step, shape, 0, len(choices))], None

        start = jnp.broadcast_to(jnp.eye(n, dtype=dtype), (*shape, n, n))
        return jax.lax.scan(factor, start, jax.random.split(key, 8))[0]

    return sample


def polar(lie: np.ndarray, compact: Callable[..., Element], form: np.ndarray | None = None) -> Callable[..., Element]:
    """``k exp(s)`` with ``k`` drawn by ``compact`` and a Gaussian symmetric matrix ``s`` of the Lie algebra.

    ``s`` has independent coordinates in an orthonormal basis for ``tr(s s) / 2``, the square of a boost's rapidity, and
    the mean of that square is ``RADIUS**2``.
    """
    n = lie.shape[-1]
    symmetric = ((lie + lie.swapaxes(1, 2)) / 2).reshape(-1, n * n)
    _, sizes, rows = np.linalg.svd(symmetric, full_matrices=False)
    basis = (rows[sizes > 1e-9] * 2**0.5).reshape(-1, n, n)

    def sample(key: jax.Array, shape: tuple = (), dtype: Any = float) -> Element:
        shape = tuple(shape)
        k_compact, k_stretch = jax.random.split(key)
        x = jax.random.normal(k_stretch, (*shape, len(basis)), dtype)
        stretch = jnp.einsum("...k,kij->...ij", x, jnp.asarray(basis * (RADIUS / max(1, len(basis)) ** 0.5), dtype))
        g = compact(k_compact, shape, dtype) @ _stretched(stretch)
        return g if form is None else polished(g, form)

    return sample


def matrix_group(
    spec: tuple,
    name: str,
    lie: np.ndarray,
    steps: np.ndarray,
    sample: Callable[..., Element],
    form: np.ndarray | None = None,
    listed: np.ndarray | None = None,
    exp: Callable[[jax.Array], Element] | None = None,
    log: Callable[[Element], jax.Array] | None = None,
    inverse: Callable[[Element], Element] | None = None,
) -> Group:
    """The record of a group of n x n matrices.

    Args:
        spec: what it is.
        name: how it is printed.
        lie: (dim, n, n), a basis of its Lie algebra.
        steps: (k, n, n), the discrete generators.
        sample: how it is drawn from.
        form: (n, n), the bilinear form B that every element keeps, ``g^T B g = B``; compact if it is the identity.
        listed: (order, n, n), all elements of a finite group, the identity first.
        exp: a closed form of the exponential.
        log: its inverse.
        inverse: where there is something better than the adjoint for the form, or elimination.
    """
    n = lie.shape[-1]
    compact = form is not None and np.array_equal(form, np.eye(n))
    return intern(
        Group(
            spec=spec,
            name=name,
            dim=len(lie),
            order=None if listed is None else len(listed),
            compact=compact,
            shape=(n, n),
            identity=lambda dtype=float: jnp.eye(n, dtype=dtype),
            compose=jnp.matmul,
            inverse=inverse or (invert if form is None else _adjoint(form)),
            exp=exp or combine(lie, form),
            log=log or _coordinates(lie),
            sample=sample,
            distance=_chordal,
            **listing(name, listed),
            generators=lambda dtype=float: jnp.asarray(steps, dtype),
            lie=lie.copy,
        )
    )
