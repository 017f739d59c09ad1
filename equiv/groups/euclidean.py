"""Motions of space: translations together with a group of matrices, and their Haar measures.

An affine map ``v -> x + h v`` is the pair ``(x, h)``, a translation and a matrix of a group H:
``(x, h) (x', h') = (x + h x', h h')``. The group of these pairs is the semidirect product of R^n with H; for rotations
it is SE(n), for rotations and mirrors E(n).

A left Haar measure is ``dx dmu_H(h) / |det h|`` and a right one is ``dx dmu_H(h)``, for H with a measure mu_H of both
sides. They differ unless ``|det h| = 1``: a volume moved from the left keeps its measure, moved from the right by
``(y, k)`` it is multiplied by ``modular(G, (y, k)) = 1 / |det k|``.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from equiv import numerics
from equiv.groups.base import Element, Group, Homomorphism, intern, no_matrices
from equiv.groups.combined import of_matrices
from equiv.groups.finite import whole
from equiv.groups.linear import o, so
from equiv.groups.matrices import invert

__all__ = ["affine", "e", "linear_part", "modular", "se"]


def _moved(h: Float[Array, "... n n"], x: Float[Array, "... n"]) -> Float[Array, "... n"]:
    return jnp.einsum("...ij,...j->...i", h, x, precision="highest")


def _integral(linear: Group, x: Float[Array, "... d"]) -> Float[Array, "... n n"]:
    """``integral of exp(t X) dt`` from 0 to 1, X the matrix with these coordinates: ``(exp(X) - 1) / X``."""
    n = linear.shape[0]
    matrix = jnp.einsum("...k,kij->...ij", x, jnp.asarray(linear.lie(), x.dtype))
    eye = jnp.broadcast_to(jnp.eye(n, dtype=x.dtype), matrix.shape)
    if linear in (so(n), o(n)) and n in (2, 3):
        t = jnp.sum(x**2, axis=-1)[..., None, None]
        return eye + numerics.cosc(t) * matrix + numerics.sinc_gap(t) * (matrix @ matrix)
    top = jnp.concatenate([matrix, eye], axis=-1)
    return numerics.expm(jnp.concatenate([top, jnp.zeros_like(top)], axis=-2))[..., :n, n:]


@functools.cache
def affine(n: int, linear: Group) -> Group:
    """The affine maps of R^n whose matrices are in a group H, ``(x, h) (x', h') = (x + h x', h h')``.

    An element is the tuple ``(translation (..., n), matrix (..., n, n))`` and maps v to ``x + h v``. The algebra
    coordinates are those of the translation, then those of H: ``exp(v, X) = (integral_0^1 exp(t X) v dt, exp X)``.

    Args:
        n: dimension of the space, at least 1.
        linear: the group H, of n x n matrices.

    Returns:
        The group; not compact. ``sample`` is a standard Gaussian translation with a draw from H, which is a law on the
        group and not Haar measure. ``log`` is that of H, and NaN where H has none. ``distance`` is the Frobenius norm
        of the difference, which is left-invariant for orthogonal H.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1; H is not a group of n x n matrices.

    Example:
        >>> from equiv.groups import gl_plus
        >>> group = affine(2, gl_plus(2))
        >>> g = jnp.array([1.0, 0.0]), jnp.diag(jnp.array([2.0, 3.0]))
        >>> group.compose(g, g)[0].tolist(), group.dim
        ([3.0, 0.0], 6)
    """
    n = whole(n, 1, "the dimension of affine")
    if not of_matrices(linear) or linear.shape[0] != n:
        what = f"{linear.shape[0]} x {linear.shape[0]} matrices" if of_matrices(linear) else "no matrices"
        raise ValueError(
            f"affine({n}, H) needs a group H of {n} x {n} matrices, but the elements of {linear} are {what}"
        )
    known = {so(n): f"SE({n})", o(n): f"E({n})"}
    return _affine(n, linear, known.get(linear, f"affine({n}, {linear})"))


def _affine(n: int, linear: Group, name: str) -> Group:
    def inverse(g: Element) -> Element:
        back = linear.inverse(g[1])
        return -_moved(back, g[0]), back

    def log(g: Element) -> jax.Array:
        x = linear.log(g[1])
        back = _integral(linear, x)
        back = invert(back) if n <= 3 else jnp.linalg.inv(back)
        start = _moved(back, g[0])
        if not linear.dim:  # its logarithm has no coordinate that could be NaN
            near = linear.distance(g[1], linear.identity(g[1].dtype).reshape((1,) * (g[1].ndim - 2) + (n, n))) < 1e-3
            start = jnp.where(near[..., None], start, jnp.nan)
        batch = jnp.broadcast_shapes(start.shape[:-1], x.shape[:-1])
        parts = [jnp.broadcast_to(part, (*batch, part.shape[-1])) for part in (start, x)]
        return jnp.concatenate(parts, axis=-1)

    def sample(key: jax.Array, shape: tuple = (), dtype: Any = float) -> Element:
        k_translation, k_linear = jax.random.split(key)
        return jax.random.normal(k_translation, (*tuple(shape), n), dtype), linear.sample(k_linear, shape, dtype)

    def distance(g: Element, h: Element) -> jax.Array:
        parts = [jnp.subtract(*jnp.broadcast_arrays(a, b)) for a, b in zip(g, h)]
        batch = jnp.broadcast_shapes(parts[0].shape[:-1], parts[1].shape[:-2])
        parts = [jnp.broadcast_to(d, (*batch, *d.shape[d.ndim - k :])) for k, d in zip((1, 2), parts)]
        return numerics.norm(jnp.concatenate([parts[0], parts[1].reshape(*batch, n * n)], axis=-1))

    def generators(dtype: Any = float) -> Element:
        steps = linear.generators(dtype)
        return jnp.zeros((len(steps), n), dtype), steps

    def refuse(*_: Any, **__: Any) -> Any:
        raise ValueError(f"{name} has infinitely many elements and cannot list them; use sample")

    return intern(
        Group(
            spec=("affine", n, linear),
            name=name,
            dim=n + linear.dim,
            order=None,
            compact=False,
            shape=((n,), (n, n)),
            identity=lambda dtype=float: (jnp.zeros(n, dtype), linear.identity(dtype)),
            compose=lambda g, h: (g[0] + _moved(g[1], h[0]), linear.compose(g[1], h[1])),
            inverse=inverse,
            exp=lambda x: (_moved(_integral(linear, x[..., n:]), x[..., :n]), linear.exp(x[..., n:])),
            log=log,
            sample=sample,
            distance=distance,
            elements=refuse,
            index=refuse,
            generators=generators,
            lie=no_matrices(name, "pairs (translation, matrix)"),
        )
    )


@functools.cache
def se(n: int) -> Group:
    """The rigid motions of R^n that keep the orientation, SE(n): ``affine(n, so(n))``.

    Args:
        n: dimension of the space, at least 1.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1.

    Example:
        >>> x, h = se(2).exp(jnp.array([jnp.pi, jnp.pi, jnp.pi]))  # a half turn about (-1, 1)
        >>> x.round(5).tolist()
        [-2.0, 2.0]
    """
    return affine(n, so(whole(n, 1, "the dimension of se")))


@functools.cache
def e(n: int) -> Group:
    """The isometries of R^n, E(n): ``affine(n, o(n))``, with mirrors.

    Args:
        n: dimension of the space, at least 1.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1.

    Example:
        >>> e(3).dim, e(3).generators()[1].shape
        (6, (1, 3, 3))
    """
    return affine(n, o(whole(n, 1, "the dimension of e")))


def linear_part(group: Group) -> Homomorphism:
    """The homomorphism that forgets translations, ``(x, h) -> h``.

    Args:
        group: a group made by ``affine``, ``se`` or ``e``.

    Raises:
        ValueError: another group.

    Example:
        >>> print(linear_part(se(3)))
        SE(3) -> SO(3)
    """
    if group.spec[0] != "affine":
        raise ValueError(f"linear_part needs a group made by affine, se or e, got {group}")
    return intern(
        Homomorphism(
            spec=("linear part", group),
            source=group,
            target=group.spec[2],
            map=lambda g, dtype=float: g[1],
        )
    )


def modular(group: Group, g: Element) -> Float[Array, "..."]:
    """The factor D(g) by which a move from the right changes a left Haar measure, ``mu(E g) = D(g) mu(E)``.

    ``1 / |det Ad_g|``, the determinant of ``X -> g X g^-1`` on the Lie algebra. It is 1 for compact and for discrete
    groups, for SL(n) and GL+(n), and ``1 / |det k|`` at ``(y, k)`` of an affine group over one of these.

    Args:
        group: a matrix group, an affine group, a discrete group, or a product of such.
        g: its elements.

    Returns:
        One positive number for each element.

    Raises:
        ValueError: a group whose adjoint action is not known.

    Example:
        >>> from equiv.groups import gl_plus
        >>> float(modular(affine(2, gl_plus(2)), (jnp.zeros(2), jnp.diag(jnp.array([2.0, 4.0])))))
        0.125
    """
    if group.spec[0] == "product":
        return functools.reduce(jnp.multiply, [modular(part, h) for part, h in zip(group.spec[1:], g)])
    if group.spec[0] == "affine":
        return modular(group.spec[2], g[1]) / jnp.abs(jnp.linalg.det(g[1]))
    if group.compact or group.dim == 0 or group.spec[0] in ("sl", "gl_plus", "sp", "lorentz", "scaling"):
        leaf = jax.tree.leaves(g)[0]
        dtype = leaf.dtype if jnp.issubdtype(leaf.dtype, jnp.floating) else float
        return jnp.ones(group.batch_shape(g), dtype)
    if not of_matrices(group):
        raise ValueError(f"the modular function of {group} is not known, its elements are no matrices")
    lie = group.lie()
    basis, dual = (
        jnp.asarray(m, g.dtype) for m in (lie, np.linalg.pinv(lie.reshape(len(lie), -1)).T.reshape(lie.shape))
    )
    adjoint = jnp.einsum("...ij,ljk,...km,nim->...nl", g, basis, group.inverse(g), dual, precision="highest")
    return 1 / jnp.abs(jnp.linalg.det(adjoint))
