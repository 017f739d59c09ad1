"""Finite groups whose elements are integers: cyclic, dihedral, symmetric groups and the shifts of a grid.

Every builder states composition, inverse, generators and the list of elements; ``_finite`` supplies what follows from
them. ``polyhedral`` (matrices) lives in ``linear``, because its elements are rotations.
"""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from equiv.groups.base import Element, Group, intern, no_matrices

__all__ = ["cyclic", "dihedral", "shifts", "symmetric"]

_MAX_ELEMENTS = 50_000


def whole(value: Any, least: int, what: str) -> int:
    """``value`` as an int, or a ValueError which says that ``what`` has to be a whole number >= ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{what} has to be a whole number of at least {least}, got {value!r}")
    return int(value)


def _finite(
    spec: tuple,
    order: int,
    shape: tuple,
    identity: np.ndarray,
    compose: Callable[[Element, Element], Element],
    inverse: Callable[[Element], Element],
    sample: Callable[[jax.Array, tuple], Element],
    elements: Callable[[], np.ndarray],
    index: Callable[[Element], jax.Array],
    generators: np.ndarray,
) -> Group:
    """The record of a group of integer arrays, from its order and its multiplication."""
    name = f"{spec[0]}({', '.join(map(str, spec[1:]))})"
    n_axes = len(shape)

    def distance(g: Element, h: Element) -> jax.Array:
        g, h = jnp.broadcast_arrays(g, h)
        return jnp.any(g != h, axis=tuple(range(-n_axes, 0))).astype(float)

    def all_elements(dtype: Any = float) -> Element:
        if order > _MAX_ELEMENTS:
            raise ValueError(f"{name} has {order} elements, more than the {_MAX_ELEMENTS} that are listed; use sample")
        return jnp.asarray(elements(), jnp.int32)

    return intern(
        Group(
            spec=spec,
            name=name,
            dim=0,
            order=order,
            compact=True,
            shape=shape,
            identity=lambda dtype=float: jnp.asarray(identity, jnp.int32),
            compose=lambda g, h: compose(*jnp.broadcast_arrays(g, h)),
            inverse=inverse,
            exp=lambda x: jnp.broadcast_to(jnp.asarray(identity, jnp.int32), x.shape[:-1] + shape),
            log=lambda g: jnp.zeros((*g.shape[: g.ndim - n_axes], 0)),
            sample=lambda key, shape=(), dtype=float: sample(key, tuple(shape)),
            distance=distance,
            elements=all_elements,
            index=index,
            generators=lambda dtype=float: jnp.asarray(generators, jnp.int32).reshape(-1, *shape),
            lie=no_matrices(name, "integers"),
        )
    )


@functools.cache
def cyclic(n: int) -> Group:
    """The cyclic group C_n: integers 0 ... n-1 under addition mod n.

    Args:
        n: order, at least 1.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1.

    Example:
        >>> int(cyclic(4).compose(3, 2))
        1
    """
    n = whole(n, 1, "the order of a cyclic group")
    return _finite(
        spec=("cyclic", n),
        order=n,
        shape=(),
        identity=np.zeros(()),
        compose=lambda g, h: (g + h) % n,
        inverse=lambda g: -g % n,
        sample=lambda key, shape: jax.random.randint(key, shape, 0, n, jnp.int32),
        elements=lambda: np.arange(n),
        index=lambda g: g,
        generators=np.arange(1, min(2, n)),
    )


@functools.cache
def dihedral(n: int) -> Group:
    """The dihedral group D_n of the n-gon, order 2n.

    Element ``k < n`` is the rotation by 2 pi k / n; element ``n + k`` is the mirror at the first axis followed by that
    rotation.

    Args:
        n: number of rotations, at least 1.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1.

    Example:
        >>> d = dihedral(4)
        >>> int(d.compose(4, 1)), int(d.inverse(1))
        (7, 3)
    """
    n = whole(n, 1, "the number of rotations of a dihedral group")

    def compose(g: Element, h: Element) -> Element:
        turn = jnp.where(g < n, g + h, g - h) % n
        return turn + n * ((g >= n) ^ (h >= n)).astype(jnp.int32)

    return _finite(
        spec=("dihedral", n),
        order=2 * n,
        shape=(),
        identity=np.zeros(()),
        compose=lambda g, h: compose(jnp.asarray(g, jnp.int32), jnp.asarray(h, jnp.int32)),
        inverse=lambda g: jnp.where(g < n, -g % n, g),
        sample=lambda key, shape: jax.random.randint(key, shape, 0, 2 * n, jnp.int32),
        elements=lambda: np.arange(2 * n),
        index=lambda g: g,
        generators=np.array([1, n] if n > 1 else [n]),
    )


@functools.cache
def symmetric(n: int) -> Group:
    """The symmetric group S_n; an element lists the images of 0 ... n-1, so ``(g h)[i] = g[h[i]]``.

    Args:
        n: number of permuted points, at least 1.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1; ``elements()`` of a group of more than 50,000;
            ``index`` of more than 12 points.

    Example:
        >>> s = symmetric(3)
        >>> s.compose(jnp.array([1, 0, 2]), jnp.array([1, 2, 0])).tolist()
        [0, 2, 1]
    """
    n = whole(n, 1, "the number of points of a symmetric group")
    swap, cycle = np.arange(n), np.roll(np.arange(n), -1)
    swap[:2] = swap[:2][::-1]

    def compose(g: Element, h: Element) -> Element:
        return jnp.take_along_axis(g, h, axis=-1)

    def index(g: Element) -> jax.Array:
        """The rank in lexicographic order: digit i counts the later images that are smaller than image i."""
        if n > 12:  # 13! does not fit an int32
            raise ValueError(f"symmetric({n}) has {math.factorial(n)} elements, more than can be numbered; use sample")
        later_and_smaller = (g[..., None, :] < g[..., :, None]) & jnp.broadcast_to(
            np.triu(np.ones((n, n), bool), 1), (*g.shape, n)
        )
        rank = jnp.zeros(g.shape[:-1], jnp.int32)
        for i in range(n):
            rank = rank * (n - i) + jnp.sum(later_and_smaller[..., i, :], axis=-1, dtype=jnp.int32)
        return rank

    return _finite(
        spec=("symmetric", n),
        order=math.factorial(n),
        shape=(n,),
        identity=np.arange(n),
        compose=compose,
        inverse=lambda g: jnp.argsort(g, axis=-1).astype(jnp.int32),
        sample=lambda key, shape: jax.random.permutation(
            key, jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32), (*shape, n)), axis=-1, independent=True
        ),
        elements=lambda: np.array(list(itertools.permutations(range(n)))),
        index=index,
        generators=np.stack([swap, cycle])[: max(0, n - 1)],
    )


@functools.cache
def shifts(shape: tuple[int, ...]) -> Group:
    """Cyclic shifts of a grid: one integer per axis, added mod the length of that axis.

    Args:
        shape: lengths of the grid's axes, each at least 1.

    Raises:
        ValueError: no axis, or a length below 1.

    Example:
        >>> shifts((4, 6)).order
        24
    """
    shape = tuple(whole(side, 1, "the length of a grid axis") for side in shape)
    if not shape:
        raise ValueError("shifts needs the lengths of one or more axes, got ()")
    side = np.array(shape, np.int32)

    def wrap(g: Element) -> Element:
        return g % side.reshape((1,) * (g.ndim - 1) + side.shape)

    def index(g: Element) -> jax.Array:
        position = jnp.zeros(g.shape[:-1], jnp.int32)
        for axis, length in enumerate(shape):
            position = position * length + g[..., axis]
        return position

    return _finite(
        spec=("shifts", shape),
        order=math.prod(shape),
        shape=(len(shape),),
        identity=np.zeros(len(shape)),
        compose=lambda g, h: wrap(g + h),
        inverse=lambda g: wrap(-g),
        sample=lambda key, batch: jnp.stack(
            [jax.random.randint(k, batch, 0, n, jnp.int32) for k, n in zip(jax.random.split(key, len(shape)), shape)],
            axis=-1,
        ),
        elements=lambda: np.array(list(itertools.product(*map(range, shape)))),
        index=index,
        generators=np.eye(len(shape))[side > 1],
    )
