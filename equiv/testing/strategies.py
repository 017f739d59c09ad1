"""Hypothesis strategies: drawn numbers mapped onto groups and vectors, shrinking to the identity and to zero.

Nothing is filtered and no global random state is used: an element is a position in the list of a finite group (0 is
the identity), or a short word in the generators times ``exp`` of an algebra vector. The angles that break things,
1e-8, pi / 2 and pi, are drawn often.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from equiv.groups import Element, Group
from equiv.reps import Rep

__all__ = ["elements", "tangents", "vectors"]

_LISTED = 5000
_ANGLES = (0.0, 1e-8, 1e-4, math.pi / 2, math.pi)


def _floats(width: int, most: float) -> st.SearchStrategy[float]:
    return st.floats(-most, most, allow_nan=False, allow_infinity=False, allow_subnormal=False, width=width)


def tangents(group: Group, dtype: Any = float, radius: float | None = None) -> st.SearchStrategy[jax.Array]:
    """Algebra vectors ``(group.dim,)``: special angles along one axis, or any direction up to ``radius``.

    Args:
        group: any group.
        dtype: of the vector.
        radius: largest coordinate; pi for a compact group and 1 for another by default.

    Example:
        >>> from equiv.groups import so
        >>> from hypothesis import find
        >>> find(tangents(so(3)), lambda x: True).tolist()
        [0.0, 0.0, 0.0]
    """
    most = radius if radius is not None else math.pi if group.compact else 1.0
    dtype = jnp.zeros((), dtype).dtype
    if not group.dim:
        return st.just(np.zeros(0, dtype)).map(jnp.asarray)
    angles = st.sampled_from([angle for angle in _ANGLES if angle <= most])
    along = st.tuples(angles, st.integers(0, group.dim - 1)).map(lambda pair: pair[0] * np.eye(group.dim)[pair[1]])
    free = st.lists(_floats(32, float(np.float32(most * 0.999))), min_size=group.dim, max_size=group.dim)
    return (along | free).map(lambda x: jnp.asarray(np.asarray(x), dtype))


def elements(group: Group, dtype: Any = float) -> st.SearchStrategy[Element]:
    """Elements of a group, shrinking towards the identity.

    Args:
        group: any group.
        dtype: of elements made of floats.

    Example:
        >>> from equiv.groups import symmetric
        >>> from hypothesis import find
        >>> find(elements(symmetric(4)), lambda g: int(g[0]) != 0).tolist()
        [1, 0, 2, 3]
    """
    if group.order is not None and group.order <= _LISTED:
        listed = jax.tree.map(np.asarray, group.elements(dtype))
        return st.integers(0, group.order - 1).map(lambda i: jax.tree.map(lambda leaf: jnp.asarray(leaf[i]), listed))
    steps = group.generators(dtype)
    n_steps = jax.tree.leaves(steps)[0].shape[0]

    def build(parts: tuple[list[int], jax.Array]) -> Element:
        word, x = parts
        g = group.exp(x) if group.dim else group.identity(dtype)
        for k in word:
            step = jax.tree.map(lambda leaf, k=k: leaf[k % n_steps], steps)
            g = group.compose(g, step if k < n_steps else group.inverse(step))
        return g

    words = st.lists(st.integers(0, 2 * n_steps - 1), max_size=8) if n_steps else st.just([])
    return st.tuples(words, tangents(group, dtype)).map(build)


def vectors(rep: Rep, dtype: Any = float, shape: tuple[int, ...] = ()) -> st.SearchStrategy[jax.Array]:
    """Vectors ``(*shape, rep.dim)`` with coordinates in [-8, 8], shrinking towards zero.

    Args:
        rep: the representation they live in.
        dtype: of the vectors.
        shape: leading axes.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> from hypothesis import find
        >>> find(vectors(standard(so(3))), lambda v: True).tolist()
        [0.0, 0.0, 0.0]
    """
    count = math.prod(shape) * rep.dim
    dtype = jnp.zeros((), dtype).dtype
    return st.lists(_floats(32, 8.0), min_size=count, max_size=count).map(
        lambda v: jnp.asarray(np.asarray(v).reshape(*shape, rep.dim), dtype)
    )
