"""Shapes in the plane and their affine copies, drawn in the ranges of affNIST.

A *shape* is a function f on the plane, known everywhere and not only at pixels, so that a copy of it is moved and then
looked at once: ``(L f)(x) = f(A^-1 (x - t))`` at the centres of the pixels, with no picture resampled in between.
``experiments.data.strokes`` and ``experiments.data.spline_digits`` make such shapes. They are records of arrays with a
leading axis for the shapes (or several), pass through ``jit`` and ``vmap``, and know four things: ``moved(a, t)``,
``render(side)``, ``extent()`` and ``take(indices)``.

The plane is measured in pixels from the middle of the picture, x to the right and y up, so that a positive angle turns
counter-clockwise. Pictures have their first row at the top, values from 0 to 1, and 0 where there is no ink.

Reference:
    T. Tieleman's affNIST for the frame of 40 x 40 pixels, in which a digit of 20 may lie anywhere. The ranges (turns
    by 20 degrees, shears by 0.2, sizes from 0.8 to 1.2 along each axis) are recalled, and so is their order.
"""

from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import jax
import jax.numpy as jnp

__all__ = ["ROTATION", "SCALE", "SHEAR", "SIDE", "Affine", "Shapes", "centres", "sample_affine"]

SIDE = 40
"""Pixels along one side of a picture."""
ROTATION = 20.0
"""Largest angle of a turn, in degrees, either way; recalled."""
SHEAR = 0.2
"""Largest shear, either way; recalled."""
SCALE = (0.8, 1.2)
"""Least and largest size along each axis; recalled."""


@runtime_checkable
class Shapes(Protocol):
    """Functions on the plane, (...,) of them."""

    def moved(self, a: jax.Array, t: jax.Array) -> Self:
        """The copies ``f(A^-1 (x - t))``, for matrices (..., 2, 2) and shifts (..., 2) in pixels."""

    def render(self, side: int = SIDE) -> jax.Array:
        """Their pictures, (..., side, side), from 0 to 1."""

    def extent(self) -> tuple[jax.Array, jax.Array]:
        """The corners (..., 2) with the least and the largest coordinates of a box around each shape, in pixels."""

    def take(self, indices: jax.Array) -> Self:
        """Those with these numbers along the first axis."""


class Affine(NamedTuple):
    """Maps ``x -> a x + t``: matrices (..., 2, 2) and shifts (..., 2) in pixels."""

    a: jax.Array
    t: jax.Array


def centres(side: int, dtype: Any = float) -> jax.Array:
    """Where the pixels of a picture are.

    Args:
        side: pixels along one side.
        dtype: of the coordinates.

    Returns:
        (side, side, 2), the point (x, y) of each row and column.

    Example:
        >>> centres(2).tolist()
        [[[-0.5, 0.5], [0.5, 0.5]], [[-0.5, -0.5], [0.5, -0.5]]]
    """
    along = jnp.arange(side, dtype=dtype) - (side - 1) / 2
    x, y = jnp.meshgrid(along, -along, indexing="xy")
    return jnp.stack([x, y], axis=-1)


def sample_affine(
    key: jax.Array, shapes: Shapes, strength: float | jax.Array = 1.0, shift: float = 1.0, side: int = SIDE
) -> Affine:
    """A random affine map for each shape, after which it still lies within the picture.

    ``a = turn(strength u_1 20 deg) [[1, 0.2 strength u_2], [0, 1]] diag(s_1^strength, s_2^strength)`` with u uniform
    in [-1, 1] and s in [0.8, 1.2]; then t is uniform among the shifts that keep the box around the moved shape inside.

    Args:
        key: random key.
        shapes: (n,) of them; for copies, ``vmap`` over keys.
        strength: 1 for the ranges of affNIST, 0 for shifts alone; may be traced.
        shift: share of the possible shifts that is used, from 0 (the box stays in the middle) to 1.
        side: pixels along one side of the picture.

    Returns:
        Matrices (n, 2, 2) and shifts (n, 2). A shape that is larger than the picture is put in its middle.

    Raises:
        ValueError: a negative strength, or a share that is not from 0 to 1.

    Example:
        >>> from experiments.data import strokes
        >>> digits, labels = strokes.draw(jax.random.key(0), 5)
        >>> a, t = sample_affine(jax.random.key(1), digits)
        >>> a.shape, t.shape, digits.moved(a, t).render().shape
        ((5, 2, 2), (5, 2), (5, 40, 40))
    """
    if not isinstance(strength, jax.Array) and not 0 <= strength < float("inf"):
        raise ValueError(f"strength has to be finite and at least 0, got {strength}")
    if not 0 <= shift <= 1:
        raise ValueError(f"shift has to be a share from 0 to 1, got {shift}")
    low, high = shapes.extent()
    dtype, batch = low.dtype, low.shape[:-1]
    keys = jax.random.split(key, 4)
    strength = jnp.asarray(strength, dtype)
    angle = strength * jax.random.uniform(keys[0], batch, dtype, -1, 1) * (ROTATION * jnp.pi / 180)
    shear = strength * jax.random.uniform(keys[1], batch, dtype, -1, 1) * SHEAR
    size = jax.random.uniform(keys[2], (*batch, 2), dtype, *SCALE) ** strength
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    columns = [[cos, cos * shear - sin], [sin, sin * shear + cos]]  # turn times shear
    a = jnp.stack([jnp.stack(row, axis=-1) for row in columns], axis=-2) * size[..., None, :]
    low, high = shapes.moved(a, jnp.zeros((*batch, 2), dtype)).extent()
    middle = -(low + high) / 2
    room = jnp.maximum((side - (high - low)) / 2, 0)
    return Affine(a, middle + shift * room * jax.random.uniform(keys[3], (*batch, 2), dtype, -1, 1))
