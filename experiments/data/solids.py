r"""Pictures of solids, by casting a ray through every pixel: those of SYMSOL, and one that its mirror image is not.

The camera stands far out on the y axis and looks down it, so that a solid is seen by the half of it that has y > 0.
Pictures show the square [-1, 1]^2 with z downwards (axis -2) and x to the right (axis -1), values at the middles of
the pixels. A *rotation* takes the solid to the camera, and the light shines from where the camera is. For these reasons

    image(R_y(90 deg) R) = image(R), turned by a quarter of a turn      and      image(R s) = image(R)

for every s in the solid's symmetry group, exactly, pixel by pixel. Other turns R_y(t) turn the picture, too, up to what
the pixels do to its edges, which supersampling makes small. A light from the side (``light``) breaks both: it moves
neither with the camera nor with the solid.

Rays are parallel, so everything is said in the plane. The face ``n . p <= d`` is met at the height ``(d - n_x x - n_z
z) / n_y``, an affine function of the pixel; the faces that look at the camera bound the ray from above, the others from
below, and the ray hits if the least upper bound is above the largest lower one. Cylinder and cone take one square root.

Solids lie within the ball of radius ``RADIUS``. Cone, cylinder and the solids of SYMSOL's second part have the y axis
for their own axis. What is marked is red; all else is grey.

Reference:
    Murphy, Esteves, Jampani, Ramalingam, Makadia, Implicit-PDF, ICML 2021 (arXiv 2106.05965), for the eight solids.

Differs from the paper: parallel rays and a light at the camera instead of a perspective and a light that stands still,
so that the symmetries are exact; sizes and marks are ours. SYMSOL labels a marked solid with the rotation that it was
drawn with; here the label has all rotations that give the same solid, which are three for ``tetX``.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from equiv import numerics
from equiv.groups import polyhedral
from equiv.reps.irreps import rotation_matrix

__all__ = ["HEADLIGHT", "NAMES", "RADIUS", "Solid", "draw_views", "equivalent", "render", "solid", "symmetries"]

NAMES = ("tetrahedron", "cube", "icosahedron", "cone", "cylinder", "tetX", "cylO", "sphereX", "twist")
"""The first five are SYMSOL's first part, three more the second, with marks; ``twist`` is ours and is chiral."""
RADIUS = 0.8
"""Radius of the ball around every solid; a picture reaches to 1."""
HEADLIGHT = (0.0, 1.0, 0.0)
"""The direction to the camera."""
_AMBIENT = 0.2
_GOLDEN = (1 + 5**0.5) / 2
_DEGREES = 360  # rotations of a solid of revolution that are listed, as in SYMSOL
_CHUNK = 1 << 20  # pixels that are rendered together
_FLAT = 1e-20  # what stands for the cosine of a face that is seen edge on

Light = tuple[float, float, float]
Look = Callable[[Array, Array, Array, Light], Array]
"""``look(rotations (n, 3, 3), z, x, light)``: the brightness at the points, 0 for none and negative where marked."""


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class Solid:
    """A convex solid around the origin.

    Attributes:
        name: one of ``NAMES``.
        look: what a ray meets.
        group: (n, 3, 3) float64, the rotations that leave the solid as it is, the identity first; those of a solid of
            revolution degree by degree.
        mirror: (3, 3) float64, a reflection that leaves it as it is; None if it is chiral.
    """

    name: str
    look: Look = dataclasses.field(repr=False)
    group: np.ndarray = dataclasses.field(repr=False)
    mirror: np.ndarray | None = dataclasses.field(repr=False)


# --- what a ray meets -------------------------------------------------------------------------------------------------


def _column(rotations: Array, i: int) -> tuple[Array, Array, Array]:
    """Where the i-th axis of the solid points, for each picture."""
    return tuple(rotations[:, k, i].reshape(-1, 1, 1) for k in range(3))


def _lit(light: Light, normal: tuple[Array, Array, Array]) -> Array:
    """``0.2 + 0.8 max(0, normal . light)``."""
    cosine = sum(c * n for c, n in zip(light, normal) if c)
    return _AMBIENT + (1 - _AMBIENT) * jnp.maximum(cosine, 0)


def _signed(x: Array) -> Array:
    """A number that can be divided by."""
    return jnp.where(jnp.abs(x) < _FLAT, jnp.asarray(_FLAT, x.dtype), x)


def _far(dtype: Any) -> Array:
    """Farther than anything, and half of what can be added to itself."""
    return jnp.asarray(np.finfo(dtype).max / 4, dtype)


def _polyhedron(normals: np.ndarray, offset: float, marked: int | None = None) -> Look:
    """The points with ``n . p <= offset`` for all unit normals n, (faces, 3)."""

    def look(rotations: Array, z: Array, x: Array, light: Light) -> Array:
        dtype = rotations.dtype
        far = _far(dtype)
        across, up, down = jnp.einsum("nij,fj->ifn", rotations, jnp.asarray(normals, dtype), precision="highest")
        shine = _lit(light, (across, up, down))
        if marked is not None:
            shine = shine.at[marked].multiply(-1)
        height = _signed(up)
        ahead = height > 0
        # A face bounds the ray from one side only; on the other it is far away.
        above, below = jnp.where(ahead, 0, far), jnp.where(ahead, -far, 0)
        planes = jnp.stack([offset / height, -down / height, -across / height, above, below, shine], axis=1)

        def pair(bounds: tuple[Array, Array, Array], planes: Array) -> tuple[tuple[Array, Array, Array], None]:
            top, bottom, seen = bounds
            for level, by_z, by_x, above, below, shine in planes[..., None, None]:
                at = level + (by_z * z + by_x * x)
                seen = jnp.where(at + above < top, shine, seen)
                top, bottom = jnp.minimum(top, at + above), jnp.maximum(bottom, at + below)
            return (top, bottom, seen), None

        nothing = jnp.zeros((len(rotations), z.size, x.size), dtype)
        start = (nothing + far, nothing - far, nothing)
        # Two faces at a time: one program of all of them is many times slower.
        (top, bottom, seen), _ = jax.lax.scan(pair, start, planes.reshape(-1, 2, *planes.shape[1:]))
        return jnp.where(bottom < top, seen, 0)

    return look


def _revolution(side: Callable[..., tuple[Array, ...]], ends: tuple[float, float], dot: bool = False) -> Look:
    """A solid of revolution about its y axis between two levels; ``side`` cuts the ray with its infinite form.

    ``side(m, a_y, z, x)``: from where to where, and the two cosines ``(radial, axial)`` of the normal in the upper of
    these points as a function of the height along the ray: normal = radial (p - (p . a) a) + axial a.
    """

    def look(rotations: Array, z: Array, x: Array, light: Light) -> Array:
        a = _column(rotations, 1)
        m, slope = x * a[0] + z * a[2], _signed(a[1])
        low, high, normal = side(m, a[1], z, x)
        first, second = (ends[0] - m) / slope, (ends[1] - m) / slope
        cap = jnp.maximum(first, second)
        bottom, top = jnp.maximum(low, jnp.minimum(first, second)), jnp.minimum(high, cap)
        level = m + a[1] * high
        radial, axial = normal(level)
        point = (x, high, z)
        around = _lit(light, tuple(radial * (p - level * c) + axial * c for p, c in zip(point, a)))
        facing = jnp.sign(slope)
        flat = _lit(light, tuple(facing * c for c in a))
        if dot:
            right, ahead = _column(rotations, 0), _column(rotations, 2)
            point = (x, cap, z)
            u = sum(p * c for p, c in zip(point, right)) - _DOT[0]
            v = sum(p * c for p, c in zip(point, ahead))
            flat = jnp.where((slope > 0) & (u * u + v * v < _DOT[1] ** 2), -flat, flat)
        return jnp.where(bottom < top, jnp.where(cap < high, flat, around), 0)

    return look


def _cylinder(radius: float) -> Callable[..., tuple[Any, ...]]:
    def side(m: Array, up: Array, z: Array, x: Array) -> tuple[Any, ...]:
        square = jnp.maximum(1 - up * up, _FLAT)
        root = up * up * m * m - square * (x * x + z * z - m * m - radius**2)
        reach = jnp.sqrt(jnp.maximum(root, 0))
        outside = root < 0
        middle = up * m
        low = jnp.where(outside, 1, (middle - reach) / square)
        high = jnp.where(outside, 0, (middle + reach) / square)
        return low, high, lambda level: (1 / radius, 0.0)

    return side


def _cone(apex: float, steepness: float) -> Callable[..., tuple[Any, ...]]:
    """Points at most ``steepness (apex - level)`` from the axis: ``A y^2 + 2 B y + C <= 0``, below the apex."""
    k = steepness**2

    def side(m: Array, up: Array, z: Array, x: Array) -> tuple[Any, ...]:
        a = _signed(1 - (1 + k) * up * up)
        b = up * (k * apex - (1 + k) * m)
        c = x * x + z * z - (1 + k) * m * m + 2 * k * apex * m - k * apex**2
        root = b * b - a * c
        q = -(b + jnp.where(b < 0, -1, 1).astype(b.dtype) * jnp.sqrt(jnp.maximum(root, 0)))
        one, other = q / a, c / jnp.where(q == 0, 1, q)
        first, second = jnp.minimum(one, other), jnp.maximum(one, other)
        # Seen from within its own angle the cone has one end, and the other root is on its other half.
        far = _far(m.dtype)
        within = a < 0
        low = jnp.where(within, jnp.where(up > 0, -far, second), first)
        high = jnp.where(within, jnp.where(up > 0, first, far), second)
        none = (root < 0) & ~within
        slant = math.sqrt(1 + k)

        def normal(level: Array) -> tuple[Array, float]:
            below = jnp.maximum(apex - level, _FLAT)
            return 1 / (steepness * below * slant), steepness / slant

        return jnp.where(none, 1, low), jnp.where(none, 0, high), normal

    return side


def _sphere(rotations: Array, z: Array, x: Array, light: Light) -> Array:
    """A sphere with a cross around its pole and a dot at the end of one arm."""
    square = RADIUS**2 - (x * x + z * z)
    y = jnp.sqrt(jnp.maximum(square, 0))
    point = tuple(p / RADIUS for p in (x, y, z))
    shine = _lit(light, point)
    u, v, w = (sum(p * c for p, c in zip(point, _column(rotations, i))) for i in range(3))
    arm, width, spot = _CROSS
    cross = (v > math.cos(arm)) & ((jnp.abs(u) < width) | (jnp.abs(w) < width))
    dot = u * math.sin(arm) + v * math.cos(arm) > math.cos(spot)
    return jnp.where(square > 0, jnp.where(cross | dot, -shine, shine), 0)


_DOT = (0.28, 0.14)  # where the dot of cylO is on its cap, and its radius
_CROSS = (0.9, 0.13, 0.3)  # of sphereX: angle of an arm, half its width, angle of the dot


# --- the solids -------------------------------------------------------------------------------------------------------


def _about(axis: np.ndarray, degrees: Any) -> np.ndarray:
    """Turns about a unit axis, (..., 3, 3)."""
    t = np.radians(np.asarray(degrees, np.float64))[..., None, None]
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(t) * k + (1 - np.cos(t)) * (k @ k)


_X, _Y, _Z = np.eye(3)
_TURNS = _about(_Y, np.arange(_DEGREES) * 360 / _DEGREES)
_THIRDS = _about(_Y, np.array([0.0, 120, 240]))
_CYLINDER = (0.5, math.sqrt(RADIUS**2 - 0.5**2))  # radius and half the length
_CONE = (RADIUS, -0.4, math.sqrt(RADIUS**2 - 0.4**2))  # apex, base, radius of the base
_TWIST, _SLANT = 25.0, 0.6


def _identity_first(group: np.ndarray) -> np.ndarray:
    return group[np.argsort(np.abs(group - np.eye(3)).max((1, 2)) > 1e-9, kind="stable")]


def _with_half_turn(turns: np.ndarray, axis: np.ndarray) -> np.ndarray:
    return np.concatenate([turns, turns @ _about(axis, 180.0)])


def _faces(name: str) -> tuple[np.ndarray, float]:
    """The unit normals of a polyhedron's faces, and their distance from the middle if corners are at ``RADIUS``."""
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=3)))
    if name == "cube":
        return np.concatenate([np.eye(3), -np.eye(3)]), RADIUS / 3**0.5
    if name == "icosahedron":
        pairs = [(0, a / _GOLDEN, b * _GOLDEN) for a in (1, -1) for b in (1, -1)]
        normals = np.concatenate([signs, *(np.roll(pairs, k, axis=1) for k in range(3))]) / 3**0.5
        return normals, RADIUS * 0.7946544722917661
    if name == "twist":
        degrees = np.concatenate([np.arange(3) * 120.0, np.arange(3) * 120 + _TWIST])
        level = np.repeat([_SLANT, -_SLANT], 3)
        normals = np.stack([np.sin(np.radians(degrees)), level, np.cos(np.radians(degrees))], axis=-1)
        normals = normals / math.hypot(1, _SLANT)
        return normals, RADIUS * _inradius(normals)
    return -signs[signs.prod(1) > 0] / 3**0.5, RADIUS / 3


def _inradius(normals: np.ndarray) -> float:
    """Of the polyhedron around the unit ball, over the distance of its farthest corner."""
    corners = [
        np.linalg.solve(three, np.ones(3))
        for three in map(np.array, itertools.combinations(normals, 3))
        if abs(np.linalg.det(three)) > 1e-9
    ]
    return 1 / max(float(np.linalg.norm(c)) for c in corners if (normals @ c < 1 + 1e-9).all())


def _rotations(name: str) -> np.ndarray:
    with numerics.constants():
        return _identity_first(np.asarray(polyhedral(name).elements()))


@functools.cache
def solid(name: str) -> Solid:
    """One of the solids.

    Args:
        name: one of ``NAMES``.

    Raises:
        ValueError: another name.

    Example:
        >>> [len(symmetries(solid(name))) for name in ("tetrahedron", "cube", "icosahedron", "twist", "tetX")]
        [12, 24, 60, 6, 3]
    """
    if name not in NAMES:
        raise ValueError(f"solid knows {', '.join(NAMES)}; got {name!r}")
    swap = np.eye(3)[[1, 0, 2]]  # keeps all regular solids but the icosahedron
    flat = np.diag([1.0, 1.0, -1.0])
    if name in ("tetrahedron", "tetX"):
        marked = None if name == "tetrahedron" else 0
        normals, offset = _faces(name)
        group = _rotations("tetrahedral")
        if marked is not None:
            group = group[np.abs(group @ normals[0] - normals[0]).max(1) < 1e-9]
        return Solid(name, _polyhedron(normals, offset, marked), group, swap)
    if name == "cube":
        return Solid(name, _polyhedron(*_faces(name)), _rotations("octahedral"), swap)
    if name == "icosahedron":
        return Solid(name, _polyhedron(*_faces(name)), _rotations("icosahedral"), flat)
    if name == "twist":
        half = np.radians(_TWIST / 2)
        group = _with_half_turn(_THIRDS, np.array([np.sin(half), 0, np.cos(half)]))
        return Solid(name, _polyhedron(*_faces(name)), group, None)
    if name == "cone":
        apex, base, radius = _CONE
        return Solid(name, _revolution(_cone(apex, radius / (apex - base)), (base, apex)), _TURNS, flat)
    if name == "sphereX":
        return Solid(name, _sphere, np.eye(3)[None], flat)
    radius, half_length = _CYLINDER
    look = _revolution(_cylinder(radius), (-half_length, half_length), dot=name == "cylO")
    return Solid(name, look, np.eye(3)[None] if name == "cylO" else _with_half_turn(_TURNS, _X), flat)


# --- pictures ---------------------------------------------------------------------------------------------------------


def symmetries(solid: Solid, dtype: Any = float) -> Array:
    """The rotations s with ``image(R s) = image(R)`` for all R.

    Args:
        solid: one with n symmetries.
        dtype: of the matrices.

    Returns:
        (n, 3, 3), the identity first; for cone and cylinder every degree of the turns about the axis.

    Example:
        >>> symmetries(solid("cylinder")).shape
        (720, 3, 3)
    """
    return jnp.asarray(solid.group, dtype)


def equivalent(solid: Solid, rotations: Array) -> Array:
    """All labels of the same pictures, ``R s``.

    Args:
        solid: one with n symmetries.
        rotations: (..., 3, 3).

    Returns:
        (..., n, 3, 3), R itself first.

    Example:
        >>> equivalent(solid("cube"), jnp.eye(3)).shape
        (24, 3, 3)
    """
    return jnp.einsum("...ij,njk->...nik", rotations, symmetries(solid, rotations.dtype), precision="highest")


@functools.partial(jax.jit, static_argnames=("solid", "side", "supersampling", "light"))
def render(solid: Solid, rotations: Array, side: int, supersampling: int = 1, light: Light = HEADLIGHT) -> Array:
    """Pictures of a solid.

    Args:
        solid: what is seen.
        rotations: (..., 3, 3), object -> camera.
        side: pixels along one side.
        supersampling: points along one side of a pixel that are averaged.
        light: unit vector to the light, in the frame of the camera.

    Returns:
        (..., 3, side, side), red, green and blue from 0 to 1, black where there is nothing, in the dtype of the
        rotations. Without a mark the three are the same.

    Example:
        >>> cube = render(solid("cube"), jnp.eye(3), 8)
        >>> cube.shape, cube[0, 3].tolist()
        ((3, 8, 8), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    """
    dtype, batch = rotations.dtype, rotations.shape[:-2]
    fine = side * supersampling
    along = ((2 * np.arange(fine) + 1 - fine) / fine).reshape(side, supersampling).T
    places = np.array(list(itertools.product(along, along)))  # (points of a pixel, 2, side)

    def chunk(some: Array) -> Array:
        def look(place: Array) -> Array:
            return solid.look(some, place[0].reshape(1, side, 1), place[1].reshape(1, 1, side), light)

        def add(total: tuple[Array, Array], place: Array) -> tuple[tuple[Array, Array], None]:
            found = look(place)
            return (total[0] + jnp.abs(found), total[1] + jnp.maximum(found, 0)), None

        if supersampling == 1:
            found = look(jnp.asarray(places[0], dtype))
            red, other = jnp.abs(found), jnp.maximum(found, 0)
        else:
            start = jnp.zeros((len(some), side, side), dtype)
            red, other = jax.lax.scan(add, (start, start), jnp.asarray(places, dtype))[0]
            red, other = red / len(places), other / len(places)
        return jnp.stack([red, other, other], axis=1)

    flat = rotations.reshape(-1, 3, 3)
    together = max(1, _CHUNK // side**2)
    whole = len(flat) // together
    parts = jax.lax.map(chunk, flat[: whole * together].reshape(whole, together, 3, 3)).reshape(-1, 3, side, side)
    if len(parts) < len(flat):
        parts = jnp.concatenate([parts, chunk(flat[whole * together :])])
    return parts.reshape(*batch, 3, side, side)


def draw_views(
    key: Array, solid: Solid, n: int, side: int, supersampling: int = 1, dtype: Any = float
) -> tuple[Array, Array]:
    """Pictures of a solid from all sides alike.

    Args:
        key: random key.
        solid: what is seen.
        n: how many; the first of more are the same to rounding.
        side: pixels along one side.
        supersampling: as in ``render``.
        dtype: of pictures and rotations.

    Returns:
        Pictures (n, 3, side, side), and rotations (n, 3, 3), uniform on SO(3).

    Example:
        >>> images, rotations = draw_views(jax.random.key(0), solid("cone"), 5, 16)
        >>> images.shape, rotations.shape
        ((5, 3, 16, 16), (5, 3, 3))
    """
    quaternions = jax.vmap(lambda i: jax.random.normal(jax.random.fold_in(key, i), (4,), dtype))(jnp.arange(n))
    rotations = rotation_matrix(numerics.normalize(quaternions))
    return render(solid, rotations, side, supersampling), rotations
