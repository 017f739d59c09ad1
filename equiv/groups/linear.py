"""Matrix groups: rotations, orthogonal matrices, the rotations of the regular solids, and what your generators give.

Elements are ``(..., n, n)`` matrices. The algebra coordinates of ``so(n)`` and ``o(n)`` are the angles of the
coordinate planes in the order (0, 1), (0, 2), ..., except in three dimensions, where they are the usual axis-angle
vector (the angle in radians times the unit axis), and the plane (i, j) turns e_i towards e_j. Closed forms serve n = 2
and n = 3; other sizes use ``numerics.expm`` and ``numerics.rotation_log``.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from equiv import numerics
from equiv.groups.base import Element, Group
from equiv.groups.finite import whole
from equiv.groups.matrices import (
    closure,
    determinant,
    gram_schmidt,
    is_orthogonal,
    matrix_group,
    polished,
    skew_basis,
    uniform,
    walk,
)

__all__ = ["from_generators", "o", "polyhedral", "so"]


def _rotation_exp(n: int, x: Float[Array, "... d"]) -> Float[Array, "... n n"]:
    basis = jnp.asarray(skew_basis(n), x.dtype)
    skew = jnp.einsum("...k,kij->...ij", x, basis)
    if n > 3:
        return polished(numerics.expm(skew))
    t = jnp.sum(x**2, axis=-1)[..., None, None]
    eye = jnp.broadcast_to(jnp.eye(n, dtype=x.dtype), skew.shape)
    return polished(eye + numerics.sinc(t) * skew + numerics.cosc(t) * (skew @ skew))


def _rotation_log(n: int, g: Float[Array, "... n n"]) -> Float[Array, "... d"]:
    """Coordinates of the shortest rotation vector; NaN where ``det g < 0``.

    n = 2 is an atan2. n = 3 goes through the unit quaternion whose largest component is taken from the diagonal, which
    stays accurate up to and including the angle pi. n > 3 needs every rotation angle below pi.
    """
    if n == 1:
        log = jnp.zeros((*g.shape[:-2], 0), g.dtype)
    elif n == 2:
        log = jnp.arctan2(g[..., 1, 0] - g[..., 0, 1], g[..., 0, 0] + g[..., 1, 1])[..., None]
    elif n == 3:
        w, v = _quaternion(g)
        length = numerics.norm(v)
        small = length < 1e-3
        t = jnp.where(small, jnp.sum(v**2, axis=-1) / jnp.where(small, w, 1) ** 2, 0)
        near = 2 / jnp.where(small, w, 1) * (1 - t / 3 + t**2 / 5 - t**3 / 7)
        far = 2 * jnp.arctan2(jnp.where(small, 1, length), jnp.where(small, 1, w)) / jnp.where(small, 1, length)
        log = jnp.where(small, near, far)[..., None] * v
    else:
        skew = numerics.rotation_log(g)
        log = jnp.einsum("...ij,kij->...k", skew, jnp.asarray(skew_basis(n) / 2, g.dtype))
    proper = jnp.linalg.det(g) > 0
    return jnp.where(proper[..., None], log, jnp.nan)


def _quaternion(g: Float[Array, "... 3 3"]) -> tuple[Float[Array, "..."], Float[Array, "... 3"]]:
    """Unit quaternion (w >= 0, vector part) of a rotation, without cancellation: Shepperd's largest component."""
    d = jnp.stack([g[..., i, i] for i in range(3)], axis=-1)
    trace = jnp.sum(d, axis=-1)
    a = [g[..., 2, 1] - g[..., 1, 2], g[..., 0, 2] - g[..., 2, 0], g[..., 1, 0] - g[..., 0, 1]]
    s = [g[..., 2, 1] + g[..., 1, 2], g[..., 0, 2] + g[..., 2, 0], g[..., 1, 0] + g[..., 0, 1]]
    rows = [  # four multiples of the same quaternion; row k is scaled by 4 q_k
        jnp.stack([1 + trace, a[0], a[1], a[2]], axis=-1),
        jnp.stack([a[0], 1 + 2 * d[..., 0] - trace, s[2], s[1]], axis=-1),
        jnp.stack([a[1], s[2], 1 + 2 * d[..., 1] - trace, s[0]], axis=-1),
        jnp.stack([a[2], s[1], s[0], 1 + 2 * d[..., 2] - trace], axis=-1),
    ]
    squares = jnp.stack([trace, *(2 * d[..., i] - trace for i in range(3))], axis=-1)
    best = jnp.argmax(jax.lax.stop_gradient(squares), axis=-1)[..., None, None]
    q = numerics.normalize(jnp.take_along_axis(jnp.stack(rows, axis=-2), best, axis=-2)[..., 0, :])
    q = jnp.where(q[..., :1] < 0, -q, q)
    return q[..., 0], q[..., 1:]


def haar_orthogonal(key: jax.Array, n: int, shape: tuple, dtype: Any) -> Float[Array, "... n n"]:
    """Haar measure on O(n): QR of a Gaussian matrix, the diagonal of R positive (Mezzadri 2007)."""
    return polished(gram_schmidt(jax.random.normal(key, (*shape, n, n), dtype)))


def _reflection(n: int) -> np.ndarray:
    """The mirror diag(1, ..., 1, -1)."""
    return np.diag([1.0] * (n - 1) + [-1.0])


@functools.cache
def so(n: int) -> Group:
    """The rotations of R^n, SO(n).

    Args:
        n: dimension of the space, at least 1.

    Returns:
        The group; ``sample`` is Haar measure, ``distance`` the Frobenius norm of the difference. ``log`` for n > 3
        needs rotation angles below pi.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1.

    Example:
        >>> so(2).exp(jnp.array([jnp.pi / 2])).round(6).tolist()
        [[-0.0, -1.0], [1.0, -0.0]]

    Reference:
        Mezzadri, Notices of the AMS 54 (2007), for the sampler.
    """
    n = whole(n, 1, "the dimension of so")

    def sample(key: jax.Array, shape: tuple = (), dtype: Any = float) -> Element:
        q = haar_orthogonal(key, n, tuple(shape), dtype)
        return q.at[..., -1].multiply(jnp.sign(determinant(q))[..., None])

    return matrix_group(
        spec=("so", n),
        name=f"SO({n})",
        lie=skew_basis(n),
        steps=np.zeros((0, n, n)),
        sample=sample,
        form=np.eye(n),
        listed=None if n > 1 else np.ones((1, 1, 1)),
        exp=functools.partial(_rotation_exp, n),
        log=functools.partial(_rotation_log, n),
    )


@functools.cache
def o(n: int) -> Group:
    """The orthogonal group O(n): rotations and, through the mirror diag(1, ..., 1, -1), reflections.

    Args:
        n: dimension of the space, at least 1.

    Returns:
        The group; ``log`` is NaN on the reflections, which have none.

    Raises:
        ValueError: ``n`` is not a whole number of at least 1.

    Example:
        >>> o(1).elements().ravel().tolist()
        [1.0, -1.0]
    """
    n = whole(n, 1, "the dimension of o")

    return matrix_group(
        spec=("o", n),
        name=f"O({n})",
        lie=skew_basis(n),
        steps=_reflection(n)[None],
        sample=lambda key, shape=(), dtype=float: haar_orthogonal(key, n, tuple(shape), dtype),
        form=np.eye(n),
        listed=None if n > 1 else np.array([[[1.0]], [[-1.0]]]),
        exp=functools.partial(_rotation_exp, n),
        log=functools.partial(_rotation_log, n),
    )


def _stack(matrices: Any, what: str) -> np.ndarray:
    """A list of square matrices of one size as (k, n, n) float64, or a ValueError that says what is wrong with it."""
    if not np.iterable(matrices):
        raise ValueError(f"{what} generators have to be a list of matrices, got {matrices!r}")
    listed = [np.asarray(m) for m in matrices]
    if not all(m.dtype.kind in "fiu" for m in listed):
        raise ValueError(f"{what} generators have to be matrices of real numbers, got {[str(m.dtype) for m in listed]}")
    listed = [m.astype(np.float64) for m in listed]
    shapes = [m.shape for m in listed]
    if any(len(s) != 2 or s[0] != s[1] for s in shapes) or len(set(shapes)) > 1:
        raise ValueError(f"{what} generators have to be square matrices of one size, got shapes {shapes}")
    if not all(np.isfinite(m).all() for m in listed):
        raise ValueError(f"{what} generators have to be finite, got NaN or infinity")
    return np.stack(listed) if listed else np.zeros((0, 0, 0))


def from_generators(lie: Any = (), discrete: Any = (), name: str | None = None) -> Group:
    """The matrix group generated by one-parameter groups ``exp(t A)`` and single matrices ``h``.

    Without Lie generators the group is searched for finiteness and then listed, the identity first. Sampling a
    listed group is uniform; otherwise an element is a product of eight random factors, ``exp`` of a Gaussian algebra
    vector times a random discrete generator or its inverse, which is a law on the group and not Haar measure.

    Args:
        lie: (dim, n, n), linearly independent matrices A; they have to span a Lie algebra.
        discrete: (k, n, n), invertible matrices h.
        name: how the group is printed.

    Returns:
        A group of n x n matrices; ``compact`` if all A are skew and all h orthogonal.

    Raises:
        ValueError: nothing given; matrices that are not square, of one size, finite, invertible (discrete) or
            independent and closed under the bracket (lie).

    Example:
        >>> turn = [[0.0, -1.0], [1.0, 0.0]]
        >>> from_generators(discrete=[turn]).order, from_generators(lie=[turn]).dim
        (4, 1)
    """
    algebra, steps = _stack(lie, "lie"), _stack(discrete, "discrete")
    sizes = {m.shape[-1] for m in (algebra, steps) if len(m)}
    if len(sizes) != 1:
        raise ValueError(f"from_generators needs matrices of one size in lie or discrete, got sizes {sorted(sizes)}")
    (n,) = sizes
    algebra, steps = algebra.reshape(-1, n, n), steps.reshape(-1, n, n)
    if len(steps) and np.linalg.cond(steps).max() > 1e12:
        raise ValueError("discrete generators have to be invertible, got a matrix with determinant 0 to rounding")
    if len(algebra):
        if np.linalg.matrix_rank(algebra.reshape(-1, n * n)) < len(algebra):
            raise ValueError("lie generators have to be linearly independent, got dependent ones")
        brackets = np.einsum("aij,bjk->abik", algebra, algebra)
        brackets = (brackets - brackets.swapaxes(0, 1)).reshape(-1, n * n)
        residual = brackets - brackets @ np.linalg.pinv(algebra.reshape(-1, n * n)) @ algebra.reshape(-1, n * n)
        if np.abs(residual).max() > 1e-9 * (1 + np.abs(brackets).max()):
            raise ValueError(
                "lie generators have to span a Lie algebra, but some bracket [A, B] leaves their span; add it"
            )
    orthogonal = is_orthogonal(algebra, steps)
    form = np.eye(n) if orthogonal else None
    listed = closure(steps, 2000, orthogonal) if not len(algebra) else None
    return matrix_group(
        spec=("generated", n, algebra.tobytes(), steps.tobytes()),
        name=name or f"group of {n}x{n} matrices ({len(algebra)} lie, {len(steps)} discrete generators)",
        lie=algebra,
        steps=steps,
        sample=walk(algebra, steps, form) if listed is None else uniform(listed),
        form=form,
        listed=listed,
    )


@functools.cache
def polyhedral(solid: str) -> Group:
    """The rotation group of a regular solid, as 3 x 3 matrices.

    Args:
        solid: "tetrahedral" (order 12), "octahedral" (24, the cube's too) or "icosahedral" (60, the dodecahedron's
            too).

    Raises:
        ValueError: another name.

    Example:
        >>> [polyhedral(solid).order for solid in ("tetrahedral", "octahedral", "icosahedral")]
        [12, 24, 60]
    """
    golden = (1 + 5**0.5) / 2
    cycle = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    half_turn = np.diag([-1.0, -1, 1])
    quarter_turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    fifth_turn = np.array([[1, -golden, 1 / golden], [golden, 1 / golden, -1], [1 / golden, 1, golden]]) / 2
    generators = {
        "tetrahedral": [cycle, half_turn],
        "octahedral": [cycle, quarter_turn],
        "icosahedral": [cycle, fifth_turn],
    }
    if solid not in generators:
        raise ValueError(f"polyhedral knows {', '.join(generators)}; got {solid!r}")
    return from_generators(discrete=generators[solid], name=f"{solid} group")
