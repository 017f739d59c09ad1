r"""Features that are vectors of space, a convolution of clouds with them, and rotations read off a pair of features.

A point of a cloud has C features in R^3, *vector neurons*, and a rotation of the cloud rotates each of them. The linear
maps that commute mix the C channels with one matrix (``linear`` of copies of the standard representation), and a
non-linearity cuts a vector along a direction that is itself such a mixture (``vector_leaky_relu``).

``position_aware_conv`` is a convolution of a cloud. How its kernel depends on where a neighbour is, is said by weights
of M matrices that are invariant functions of the neighbourhood. Those are norms of vectors made of three: where the
neighbour is, where all are on average, and the cross product of the two. A cross product is an axial vector: it is
mixed with true vectors here, so that the layer commutes with rotations, translations (it leaves these out) and orders
of the points, but not with reflections. The weights of the matrices alone are invariant under reflections as well.

Two clouds that differ by a rotation have features ``B = A R^T``, so that one matched pair of points is enough to find R
(``align``): the features are C vectors. R is unique if and only if ``s_2 + sign(det H) s_3 > 0`` for the singular
values of ``H = B^T A``; not only if the features are collinear, but also in a mirrored case with two equal ones R is
not.

Reference:
    Yao, Du, Cui, Tang, Yang, PARE-Net, ECCV 2024 (arXiv 2407.10142); Deng, Litany, Duan, Poulenard, Tagliasacchi,
    Guibas, Vector Neurons, ICCV 2021 (arXiv 2104.12229); the layers as read in the public code.

Differs from the paper: no small number is added to a vector before it is normalised, which would break the symmetry;
matrices are applied to points, not to pairs of them; batches are not normalised.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from equiv import numerics
from equiv.groups import so
from equiv.groups.base import intern
from equiv.groups.finite import whole
from equiv.groups.matrices import invert
from equiv.layers.base import Layer, Params, SignalLayer, entry
from equiv.reps import Rep, scalar, standard

__all__ = [
    "Alignment",
    "align",
    "gram_schmidt",
    "invariant_head",
    "nearest_neighbours",
    "position_aware_conv",
    "position_aware_lifting",
    "position_weights",
    "vector_leaky_relu",
]


# --- vectors ----------------------------------------------------------------------------------------------------------


def _mix(weights: Array, x: Array) -> Array:
    """``y_o = sum_c W_oc x_c`` of vectors (..., C, 3)."""
    return jnp.einsum("oc,...cx->...ox", weights.astype(x.dtype), x, precision="highest")


def _draw(key: jax.Array, shapes: dict[str, tuple[int, ...]], dtype: Any) -> Params:
    """Normal matrices, of variance one over the channels that they take."""
    keys = tuple(jax.random.split(key, len(shapes)))
    return {
        name: jnp.asarray(shape[-1] ** -0.5, dtype) * jax.random.normal(k, shape, dtype)
        for k, (name, shape) in zip(keys, shapes.items())
    }


def _cut(x: Array, d: Array, slope: float) -> Array:
    """All of x if it is on the side of d or d is 0; else less ``1 - slope`` times its part along d."""
    along, square = jnp.sum(x * d, axis=-1, keepdims=True), jnp.sum(d * d, axis=-1, keepdims=True)
    behind = (along < 0) & (square > 0)
    share = jnp.where(behind, along / jnp.where(behind, square, 1), 0)
    return x - (1 - slope) * share * d


@functools.cache
def vector_leaky_relu(rep: Rep, slope: float = 0.2) -> Layer:
    """The leaky ReLU of vectors, along directions that are learnt: ``x - (1 - slope) min(<x, d>, 0) d / |d|^2``.

    ``d_c = sum_c' U_cc' x_c'``. A slope of 1 is the identity, of 0 cuts off all that is behind d.

    Args:
        rep: C copies of one orthogonal representation, for instance ``C * standard(so(3))``.
        slope: what is left of the part behind d.

    Raises:
        ValueError: a sum of different representations, one that is not orthogonal, or a slope that is not from 0 to 1.

    Example:
        >>> layer = vector_leaky_relu(2 * standard(so(3)), 0.0)
        >>> x = jnp.array([1.0, 0.0, 0.0, 0.0, 2.0, 0.0])
        >>> layer.apply({"direction": -jnp.eye(2)}, x).tolist()  # all of it is behind
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]

    Reference:
        Deng et al., Vector Neurons, ICCV 2021 (arXiv 2104.12229).
    """
    if len(rep.summands) != 1 or not rep.orthogonal:
        raise ValueError(f"vector_leaky_relu takes copies of one orthogonal representation, got {rep}")
    if not 0 <= slope <= 1:
        raise ValueError(f"the slope of vector_leaky_relu has to be from 0 to 1, got {slope}")
    ((one, copies),) = rep.summands
    name = f"vector_leaky_relu({rep}, {slope:g})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return _draw(key, {"direction": (copies, copies)}, dtype)

    def apply(params: Params, x: Array) -> Array:
        vectors = x.reshape(*x.shape[:-1], copies, one.dim)
        return _cut(vectors, _mix(entry(name, params, "direction"), vectors), slope).reshape(x.shape)

    return intern(Layer(("vector_leaky_relu", rep, float(slope)), name, rep, rep, init, apply))


def gram_schmidt(a: Float[Array, "... 3"], b: Float[Array, "... 3"]) -> Float[Array, "... 3 3"]:
    """The frame of two vectors: columns ``a / |a|``, what is perpendicular to it in b, and their cross product.

    ``(R a, R b)`` has the frame R times that of (a, b). Vectors that are 0 or parallel, to half the digits, have none:
    the columns that are not known are 0, and so are their derivatives.

    Args:
        a: (..., 3).
        b: (..., 3).

    Returns:
        (..., 3, 3), a rotation unless the vectors are parallel.

    Example:
        >>> gram_schmidt(jnp.array([0.0, 2.0, 0.0]), jnp.array([0.0, 5.0, -3.0])).tolist()
        [[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]
    """
    first = numerics.normalize(a)
    across = b - jnp.sum(b * first, axis=-1, keepdims=True) * first
    parallel = numerics.norm(across) <= float(jnp.finfo(b.dtype).eps) ** 0.5 * numerics.norm(b)
    second = numerics.normalize(jnp.where(parallel[..., None], 0, across))
    return jnp.stack([first, second, jnp.cross(first, second)], axis=-1)


@functools.cache
def invariant_head(channels: int) -> Layer:
    """From C vectors to 3 C invariant numbers: the coordinates of each in a frame of two mixtures of them.

    ``F (u_1, u_2, u_3)``, the frame by Gram and Schmidt of what two leaky layers make of F. Nothing is lost but the
    rotation; only the third column changes its sign under reflections.

    Args:
        channels: C, at least 2.

    Raises:
        ValueError: fewer than two channels.

    Example:
        >>> head = invariant_head(4)
        >>> print(head.rep_in, "->", head.rep_out)
        4 * standard(SO(3)) -> 12 * scalar

    Reference:
        Deng et al., Vector Neurons, ICCV 2021 (arXiv 2104.12229).
    """
    channels = whole(channels, 2, "the channels of invariant_head")
    half, quarter = max(channels // 2, 2), max(channels // 4, 2)
    sizes = {"first": (half, channels), "second": (quarter, half), "frame": (2, quarter)}
    shapes = sizes | {"first_direction": (half, half), "second_direction": (quarter, quarter)}
    name = f"invariant_head({channels})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return _draw(key, shapes, dtype)

    def apply(params: Params, x: Array) -> Array:
        vectors = found = x.reshape(*x.shape[:-1], channels, 3)
        for part in ("first", "second"):
            found = _mix(entry(name, params, part), found)
            found = _cut(found, _mix(entry(name, params, f"{part}_direction"), found), 0.2)
        found = _mix(entry(name, params, "frame"), found)
        frame = gram_schmidt(found[..., 0, :], found[..., 1, :])
        return jnp.einsum("...cx,...xk->...ck", vectors, frame, precision="highest").reshape(x.shape)

    rep_in, rep_out = channels * standard(so(3)), scalar(so(3), 3 * channels)
    return intern(Layer(("invariant_head", channels), name, rep_in, rep_out, init, apply))


# --- clouds -----------------------------------------------------------------------------------------------------------


def nearest_neighbours(points: Float[Array, "... n 3"], k: int) -> Int[Array, "... n k"]:
    """The k nearest points of each point, the point itself first.

    Args:
        points: (..., N, 3).
        k: at most N.

    Returns:
        (..., N, k), places in the cloud.

    Raises:
        ValueError: k is not a whole number from 1 to N.

    Example:
        >>> nearest_neighbours(jnp.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]]), 2).tolist()
        [[0, 1], [1, 0], [2, 1]]
    """
    k, n = whole(k, 1, "the number of neighbours"), points.shape[-2]
    if k > n:
        raise ValueError(f"a cloud of {n} points has no {k} neighbours of each, the point counted; take at most {n}")
    apart = points[..., :, None, :] - points[..., None, :, :]
    square = jnp.sum(apart * apart, axis=-1)
    square = jnp.where(jnp.eye(n, dtype=bool).reshape((1,) * (points.ndim - 2) + (n, n)), -1, square)
    return jax.lax.top_k(-square, k)[1]


def _gather(x: Array, neighbours: Array, n_batch: int) -> Array:
    """``x[..., neighbours, :]``: (..., N, *rest) and (..., N, k) to (..., N, k, *rest)."""
    take = lambda x, i: x[i]
    for _ in range(n_batch):
        take = jax.vmap(take)
    return take(x, neighbours)


def _frame(points: Array, neighbours: Array) -> Array:
    """(..., N, k, 3, 3): where a neighbour is, where they are on average, and the cross product of the two."""
    near = _gather(points, neighbours, points.ndim - 2) - points[..., :, None, :]
    mean = jnp.broadcast_to(jnp.mean(near, axis=-2, keepdims=True), near.shape)
    return jnp.stack([near, mean, jnp.cross(near, mean)], axis=-2)


def _shapes_of_weights(kernels: int) -> dict[str, tuple[int, ...]]:
    vectors = 2 * kernels
    return {
        "vectors": (vectors, 3),
        "direction": (vectors, vectors),
        "hidden": (kernels, vectors),
        "out": (kernels, kernels),
    }


def position_weights(params: Params, frames: Float[Array, "... 3 3"]) -> Float[Array, "... m"]:
    """How much each of M matrices counts for a neighbour: invariant, positive, of sum one.

    Args:
        params: ``vectors``, ``direction``, ``hidden`` and ``out``.
        frames: (..., 3, 3), three vectors, one in each row.

    Returns:
        (..., M), unchanged by rotations and reflections of all three.
    """
    name = "position_weights"
    found = _mix(entry(name, params, "vectors"), frames)
    found = _cut(found, _mix(entry(name, params, "direction"), found), 0.2)
    lengths = numerics.norm(found)
    dense = lambda part, x: jnp.einsum(
        "oc,...c->...o", entry(name, params, part).astype(x.dtype), x, precision="highest"
    )
    return jax.nn.softmax(dense("out", jax.nn.relu(dense("hidden", lengths))), axis=-1)


def _counts(name: str, *counts: Any) -> tuple[int, ...]:
    return tuple(whole(count, 1, f"the channels and kernels of {name}") for count in counts)


def _checked(name: str, points: Array, neighbours: Array, features: Array | None, channels: int) -> None:
    if points.ndim < 2 or points.shape[-1] != 3:
        raise ValueError(f"{name} takes points (..., N, 3), got shape {points.shape}")
    if neighbours.shape[:-1] != points.shape[:-1]:
        raise ValueError(f"{name} takes neighbours (..., N, k) of points {points.shape}, got shape {neighbours.shape}")
    if features is not None and features.shape != (*points.shape[:-1], channels, 3):
        raise ValueError(
            f"{name} takes features (..., N, {channels}, 3) of points {points.shape}, got shape {features.shape}"
        )


def _pooled(edges: Array, params: Params, name: str) -> Array:
    """The mean over neighbours of vectors of length one, and a layer of vectors."""
    found = jnp.mean(numerics.normalize(edges), axis=-3)
    found = _cut(found, _mix(entry(name, params, "cut"), found), 0.2)
    found = _mix(entry(name, params, "last"), found)
    return _cut(found, _mix(entry(name, params, "last_cut"), found), 0.2)


@functools.cache
def position_aware_lifting(channels: int, kernels: int = 4) -> SignalLayer:
    """From a cloud to vectors at its points, by ``sum_m s_m W_m X``, X the three vectors of each neighbour.

    ``apply(params, points, neighbours)`` takes (..., N, 3) and (..., N, k), and gives (..., N, C, 3).

    Args:
        channels: C.
        kernels: the number of matrices M.

    Raises:
        ValueError: a count below one; in ``apply``, other shapes.

    Example:
        >>> points = jax.random.normal(jax.random.key(0), (20, 3))
        >>> layer = position_aware_lifting(8)
        >>> layer.apply(layer.init(jax.random.key(1)), points, nearest_neighbours(points, 5)).shape
        (20, 8, 3)

    Reference:
        Yao et al., PARE-Net, ECCV 2024 (arXiv 2407.10142).
    """
    channels, kernels = _counts("position_aware_lifting", channels, kernels)
    half = max(channels // 2, 1)
    name = f"position_aware_lifting({channels}, {kernels})"
    shapes = _shapes_of_weights(kernels) | {
        "bank": (kernels, half, 3),
        "cut": (half, half),
        "last": (channels, half),
        "last_cut": (channels, channels),
    }

    def apply(params: Params, points: Array, neighbours: Array) -> Array:
        _checked(name, points, neighbours, None, 0)
        frames = _frame(points, neighbours)
        weights = position_weights(params, frames)
        bank = entry(name, params, "bank").astype(points.dtype)
        edges = jnp.einsum("...m,mof,...fx->...ox", weights, bank, frames, precision="highest")
        return _pooled(edges, params, name)

    init = lambda key, dtype=float: _draw(key, shapes, dtype)
    return intern(SignalLayer(("position_aware_lifting", channels, kernels), name, init, apply))


@functools.cache
def position_aware_conv(channels_in: int, channels_out: int, kernels: int = 4) -> SignalLayer:
    """A convolution of a cloud with vectors: ``sum_m s_m W_m [F_j - F_i, F_j, P_j]``, a mean over j, and a shortcut.

    P_j is where neighbour j is, seen from i, and s_m are the ``position_weights``. ``apply(params, points, neighbours,
    features)`` takes (..., N, 3), (..., N, k) and (..., N, C, 3), and gives (..., N, C', 3). It commutes with
    rotations, translations and orders of the points, and with no reflection.

    Args:
        channels_in: C.
        channels_out: C'.
        kernels: the number of matrices M.

    Raises:
        ValueError: a count below one; in ``apply``, other shapes.

    Example:
        >>> points = jax.random.normal(jax.random.key(0), (20, 3))
        >>> near, layer = nearest_neighbours(points, 5), position_aware_conv(2, 8)
        >>> layer.apply(layer.init(jax.random.key(1)), points, near, jnp.ones((20, 2, 3))).shape
        (20, 8, 3)

    Reference:
        Yao et al., PARE-Net, ECCV 2024 (arXiv 2407.10142).
    """
    channels_in, channels_out, kernels = _counts("position_aware_conv", channels_in, channels_out, kernels)
    half = max(channels_out // 2, 1)
    name = f"position_aware_conv({channels_in} -> {channels_out}, {kernels})"
    shapes = _shapes_of_weights(kernels) | {
        "bank": (kernels, half, 2 * channels_in + 1),
        "cut": (half, half),
        "last": (channels_out, half),
        "last_cut": (channels_out, channels_out),
        "shortcut": (channels_out, channels_in),
    }

    def apply(params: Params, points: Array, neighbours: Array, features: Array) -> Array:
        _checked(name, points, neighbours, features, channels_in)
        frames = _frame(points, neighbours)
        weights = position_weights(params, frames)
        bank = entry(name, params, "bank").astype(features.dtype)
        change, value, place = bank[..., :channels_in], bank[..., channels_in:-1], bank[..., -1:]
        edges = jnp.zeros((), features.dtype)
        for m in range(kernels):
            # W_m [F_j - F_i, F_j, P_j]: the first two are made of products with all points, before they are gathered
            there = _gather(_mix(change[m] + value[m], features), neighbours, points.ndim - 2)
            here = _mix(change[m], features)[..., :, None, :, :]
            edge = there - here + _mix(place[m], frames[..., :1, :])
            edges = edges + weights[..., m, None, None] * edge
        return _pooled(edges, params, name) + _mix(entry(name, params, "shortcut"), features)

    init = lambda key, dtype=float: _draw(key, shapes, dtype)
    spec = ("position_aware_conv", channels_in, channels_out, kernels)
    return intern(SignalLayer(spec, name, init, apply))


# --- rotations between features ---------------------------------------------------------------------------------------


class Alignment(NamedTuple):
    """The rotation between two sets of vectors.

    Attributes:
        rotation: (..., 3, 3); the identity where it is not unique.
        unique: (...), whether there is only one best rotation, to rounding.
    """

    rotation: Float[Array, "... 3 3"]
    unique: Bool[Array, "..."]


def align(a: Float[Array, "... c 3"], b: Float[Array, "... c 3"], weights: Float[Array, "... c"]) -> Alignment:
    """The rotation R with the least ``sum_c w_c |b_c - R a_c|^2``.

    ``R = (u_1, u_2, u_1 x u_2) (v_1, v_2, v_1 x v_2)^T`` with the two largest singular values of ``H = sum_c w_c b_c
    a_c^T = U S V^T``; the third is not needed, and the determinant is 1. One step of Newton's method gives R its
    derivative, which is that of the minimiser; second derivatives are not right.

    Args:
        a: (..., C, 3).
        b: (..., C, 3).
        weights: (..., C), not negative.

    Returns:
        R and whether it is unique, ``s_2 + sign(det H) s_3 > 1e-6 s_1`` in float64 and ``1e-3 s_1`` in float32.

    Example:
        >>> a = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        >>> rotation, unique = align(a, jnp.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]), jnp.ones(2))
        >>> rotation.round(4)[1].tolist(), bool(unique)
        ([1.0, 0.0, 0.0], True)

    Reference:
        Kabsch, Acta Crystallographica A32 (1976); Yao et al., PARE-Net, ECCV 2024 (arXiv 2407.10142), for a rotation
        from the features of one pair of points.

    Differs from the paper:
        It takes a rotation to be known if ``s_2 > 0``. With ``det H < 0`` and ``s_2 = s_3`` it is not.
    """
    h = jnp.einsum("...c,...cx,...cy->...xy", weights, b, a, precision="highest")
    u, s, v = numerics.svd(h)
    order = jnp.argsort(-s, axis=-1)[..., None, :2]
    first, second = (jnp.take_along_axis(part, jnp.broadcast_to(order, (*h.shape[:-1], 2)), axis=-1) for part in (u, v))
    sizes = jnp.take_along_axis(s, order[..., 0, :], axis=-1)
    some = sizes[..., 1] > 0
    complete = lambda m: jnp.concatenate([m, jnp.cross(m[..., 0], m[..., 1])[..., None]], axis=-1)
    first, second = complete(jnp.where(some[..., None, None], first, 0)), complete(second)
    still = jax.lax.stop_gradient(h)
    third = jnp.einsum("...x,...xy,...y->...", first[..., 2], still, second[..., 2], precision="highest")
    bound = 1e-6 if h.dtype == jnp.float64 else 1e-3
    unique = some & (sizes[..., 1] + third > bound * sizes[..., 0])
    eye = jnp.broadcast_to(jnp.eye(3, dtype=h.dtype), h.shape)
    rotation = jnp.einsum("...xk,...yk->...xy", first, second, precision="highest")
    rotation = jnp.where(unique[..., None, None], rotation, eye)

    # R exp(X) is best if exp(-X) R^T H is symmetric: (tr M - M) x = axis of M - M^T, M = R^T H
    m = jnp.einsum("...ki,...kj->...ij", rotation, h, precision="highest")
    constant = jax.lax.stop_gradient(m)
    trace = jnp.trace(constant, axis1=-2, axis2=-1)[..., None, None]
    stiff = trace * eye - (constant + jnp.swapaxes(constant, -1, -2)) / 2
    stiff = jnp.where(unique[..., None, None], stiff, eye)
    skew = m - jnp.swapaxes(m, -1, -2)
    axis = jnp.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], axis=-1)
    x = jnp.einsum("...ij,...j->...i", invert(stiff), axis, precision="highest")
    x = jnp.where(unique[..., None], x, 0)
    zero = jnp.zeros_like(x[..., 0])
    rows = [[zero, -x[..., 2], x[..., 1]], [x[..., 2], zero, -x[..., 0]], [-x[..., 1], x[..., 0], zero]]
    step = jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)
    return Alignment(rotation + jnp.einsum("...ij,...jk->...ik", rotation, step, precision="highest"), unique)
