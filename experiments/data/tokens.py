r"""Sets of tokens on the sphere, and labels that do not depend on the order of the keys.

``x = (x_0; x_1, ..., x_N)``, a query and N keys, independent and uniform on the unit sphere of R^d; labels without
noise. With a unit vector beta and a degree p:

- ``query``: ``<beta, x_0>^p``;
- ``key_average``: ``mean_i <beta, x_i>^p``;
- ``correlation``: ``mean_i <x_0, S x_i>^p <beta, x_i>``, with S the identity unless another matrix is given.

Reference:
    Fu, Guo, Bai, Mei, NeurIPS 2023 (arXiv 2307.11353); the targets and the law of the tokens are recalled.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from equiv import numerics

__all__ = ["TARGETS", "columns", "draw_directions", "draw_tokens", "labels"]


def draw_tokens(key: jax.Array, n: int, n_keys: int, d: int, dtype: Any = float) -> Float[Array, "n k d"]:
    """Independent tokens, uniform on the sphere.

    Args:
        key: random key.
        n: sets.
        n_keys: N.
        d: length of a token.
        dtype: of the tokens.

    Returns:
        (n, N + 1, d).
    """
    return numerics.normalize(jax.random.normal(key, (n, n_keys + 1, d), dtype))


def draw_directions(key: jax.Array, d: int, dtype: Any = float) -> Float[Array, " d"]:
    """One beta, uniform on the sphere."""
    return numerics.normalize(jax.random.normal(key, (d,), dtype))


def _query(x: Array, beta: Array, degree: int, matrix: Array) -> Array:
    return (x[:, 0] @ beta) ** degree


def _key_average(x: Array, beta: Array, degree: int, matrix: Array) -> Array:
    return jnp.mean((x[:, 1:] @ beta) ** degree, axis=1)


def _correlation(x: Array, beta: Array, degree: int, matrix: Array) -> Array:
    close = jnp.einsum("np,pq,niq->ni", x[:, 0], matrix, x[:, 1:])
    return jnp.mean(close**degree * (x[:, 1:] @ beta), axis=1)


TARGETS: dict[str, Callable[[Array, Array, int, Array], Array]] = {
    "query": _query,
    "key_average": _key_average,
    "correlation": _correlation,
}
"""Name -> labels of sets (n, N + 1, d) for beta (d,), a degree, and a matrix (d, d)."""


def labels(
    x: Float[Array, "n k d"],
    beta: Float[Array, " d"],
    target: str,
    degree: int,
    matrix: Float[Array, "d d"] | None = None,
) -> Float[Array, " n"]:
    """The labels of sets of tokens.

    Args:
        x: (n, N + 1, d).
        beta: (d,).
        target: one of ``TARGETS``.
        degree: p.
        matrix: S, the identity if None.

    Example:
        >>> x = jnp.array([[[1.0, 0.0], [0.6, 0.8]]])
        >>> [round(float(labels(x, jnp.array([0.0, 1.0]), t, 2)[0]), 3) for t in TARGETS]
        [0.0, 0.64, 0.288]
    """
    return TARGETS[target](x, beta, degree, jnp.eye(x.shape[-1], dtype=x.dtype) if matrix is None else matrix)


def columns(
    x: Float[Array, "n k d"],
    beta: Float[Array, " d"],
    tasks: Sequence[tuple[str, int]],
    matrix: Float[Array, "d d"] | None = None,
) -> Float[Array, "n t"]:
    """The labels of several tasks, a column for each.

    Args:
        x: (n, N + 1, d).
        beta: (d,).
        tasks: target and degree of each.
        matrix: as in ``labels``.
    """
    return jnp.stack([labels(x, beta, target, degree, matrix) for target, degree in tasks], axis=1)
