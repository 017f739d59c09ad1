"""Where will it be? Vehicles seen at six points in space, to be predicted at the next six: simulated, and normalised.

A stand-in for recorded traffic that needs no download, with the shapes and the scales of the task of Kim et al. (see
``experiments.data.waymo`` for the recordings). A vehicle follows the kinematic bicycle model over a plane of gentle
slope: with wheelbase L, heading h, speed v and steering angle s,

    dh/dt = v tan(s) / L,   dv/dt = a,   d(x, y)/dt = v (cos h, sin h),   z = z_0 + slope . (x - x_0, y - y_0).

Heading and slope have no preferred direction and steering no preferred side, so the law of past and future is invariant
under the turns and mirrors O(2) of the ground plane, and the best prediction is equivariant. It is not invariant under
O(3): vertical motion is a small fraction of horizontal motion, and ``z_scale`` says how small.

Reference:
    Kim, Lee, Yang, Lee, Regularizing Towards Soft Equivariance Under Mixed Symmetries, ICML 2023 (arXiv 2306.00356),
    for shapes, filter, normalisations and metric; the simulation is ours.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from equiv import numerics
from equiv.groups import Group
from equiv.reps import Rep, standard
from experiments.data import Samples

__all__ = [
    "CENTRES",
    "NORMALISATIONS",
    "POINTS",
    "STEP",
    "Normalisation",
    "Vehicles",
    "average_displacement",
    "normalise",
    "rep_in",
    "rep_out",
    "roll_out",
    "sample",
    "vehicles",
]

POINTS = 6
"""Seen, and again to be predicted."""
STEP = 0.2
"""Seconds between two points."""
_WHEELBASE = 2.8
_ELEVATION, _ELEVATION_SPREAD, _EXTENT = -30.0, 10.0, 30.0


def rep_in(group: Group) -> Rep:
    """Six points, for a group of 3 x 3 matrices."""
    return POINTS * standard(group)


def rep_out(group: Group) -> Rep:
    """Six points."""
    return POINTS * standard(group)


class Vehicles(NamedTuple):
    """What determines a trajectory of k points; (...,) are any leading axes.

    Attributes:
        position: (..., 3) where it starts, in metres.
        heading: (...,) at the start, in radians.
        speed: (...,) at the start, in metres per second.
        acceleration: (..., k - 1) during each step, in metres per second squared.
        steering: (..., k - 1) angle of the front wheel during each step, in radians.
        slope: (..., 2) gradient of the ground.
        bumps: (..., k) height above the ground, in metres.
    """

    position: jax.Array
    heading: jax.Array
    speed: jax.Array
    acceleration: jax.Array
    steering: jax.Array
    slope: jax.Array
    bumps: jax.Array


def vehicles(key: jax.Array, n: int, *, noise: float = 1.0, dtype: Any = float) -> Vehicles:
    """Draw n vehicles: slow ones, that turn and brake at random.

    Speeds are 1 to 4.5 m/s, so that six points stay within 5 m; steering has standard deviation 0.15 rad and drifts
    by 0.2 rad/s, both constant if there is no noise; slopes are 3 %.

    Args:
        key: random key.
        n: how many.
        noise: strength of the changes of steering and acceleration that the past does not tell.
        dtype: of the numbers.

    Example:
        >>> vehicles(jax.random.key(0), 7).steering.shape
        (7, 11)
    """
    keys = jax.random.split(key, 11)
    steps = 2 * POINTS - 1

    def normal(key: jax.Array, scale: float, *shape: int) -> jax.Array:
        return scale * jax.random.normal(key, (n, *shape), dtype)

    ground = normal(keys[0], _EXTENT, 2)
    height = _ELEVATION + normal(keys[1], _ELEVATION_SPREAD, 1)
    time = STEP * jnp.arange(steps, dtype=ground.dtype).reshape(1, -1)
    steering = normal(keys[2], 0.15, 1) + normal(keys[3], 0.2, 1) * time
    return Vehicles(
        position=jnp.concatenate([ground, height], axis=-1),
        heading=jax.random.uniform(keys[4], (n,), dtype, 0, 2 * jnp.pi),
        speed=jax.random.uniform(keys[5], (n,), dtype, 1, 4.5),
        acceleration=normal(keys[6], 0.5, 1) + noise * jnp.cumsum(normal(keys[7], 0.1, steps), axis=-1),
        steering=jnp.clip(steering + noise * jnp.cumsum(normal(keys[8], 0.02, steps), axis=-1), -0.6, 0.6),
        slope=normal(keys[9], 0.03, 2),
        bumps=normal(keys[10], 0.005, steps + 1),
    )


def roll_out(v: Vehicles, z_scale: float | jax.Array = 1.0) -> jax.Array:
    """The points of each trajectory, every ``STEP`` seconds.

    Turning or mirroring the ground plane turns the trajectory: with a rotation by p the heading grows by p, position
    and slope turn, the rest stays; with the mirror y -> -y heading, steering and the y parts change sign.

    Args:
        v: the vehicles.
        z_scale: factor of the vertical motion.

    Returns:
        (..., k, 3).

    Example:
        >>> flat = Vehicles(*map(jnp.zeros, [3, (), (), 2, 2, 2, 3]))
        >>> roll_out(flat._replace(speed=jnp.array(5.0)))[:, 0].tolist()
        [0.0, 1.0, 2.0]
    """
    step = jnp.asarray(STEP, v.speed.dtype)
    gain = jnp.cumsum(v.acceleration, axis=-1) * step
    before = jnp.concatenate([jnp.zeros_like(gain[..., :1]), gain[..., :-1]], axis=-1)
    speed = jnp.maximum(v.speed[..., None] + (before + gain) / 2, 0)
    turn = speed * jnp.tan(v.steering) / _WHEELBASE * step
    heading = v.heading[..., None] + jnp.cumsum(turn, axis=-1) - turn / 2
    moves = (speed * step)[..., None] * jnp.stack([jnp.cos(heading), jnp.sin(heading)], axis=-1)
    ground = jnp.concatenate([jnp.zeros_like(moves[..., :1, :]), jnp.cumsum(moves, axis=-2)], axis=-2)
    rise = jnp.sum(ground * v.slope[..., None, :], axis=-1) + v.bumps
    points = jnp.concatenate([ground, jnp.asarray(z_scale, rise.dtype) * rise[..., None]], axis=-1)
    return v.position[..., None, :] + points


def sample(
    key: jax.Array, n: int, *, z_scale: float | jax.Array = 1.0, noise: float = 1.0, dtype: Any = float
) -> Samples:
    """Past and future of n vehicles, in metres.

    Args:
        key: random key.
        n: how many.
        z_scale: factor of the vertical motion; may be traced.
        noise: strength of what the past does not tell, see ``vehicles``.
        dtype: of the numbers.

    Returns:
        Inputs (n, 18), six points (x, y, z) in the order of time, and labels (n, 18), the next six.

    Example:
        >>> [part.shape for part in sample(jax.random.key(0), 7)]
        [(7, 18), (7, 18)]
    """
    points = roll_out(vehicles(key, n, noise=noise, dtype=dtype), z_scale).reshape(n, 6 * POINTS)
    return Samples(points[:, : 3 * POINTS], points[:, 3 * POINTS :])


class Normalisation(NamedTuple):
    """``(point - weight * centre - offset) / scale``, axis by axis; lengths in metres.

    Attributes:
        weight: share of the trajectory's centre that is subtracted.
        offset: subtracted from what is left.
        scale: unit of length.
    """

    weight: tuple[float, float, float]
    offset: tuple[float, float, float]
    scale: tuple[float, float, float]


NORMALISATIONS = {
    "symm-aware": Normalisation((1, 1, 1), (0, 0, 0), (1.05, 1.05, 1.05)),
    "scale-aware": Normalisation((1, 1, 1), (0, 0, 0), (1.23, 1.34, 0.05)),
    "symm+scale-aware": Normalisation((1, 1, 0.993), (0, 0, -0.23), (1.31, 1.31, 1.31)),
}
"""The three of Kim et al.: one unit for all axes, which keeps O(3); one for each axis, which brings vertical motion to
the size of the others and breaks O(3), and O(2) of the plane slightly; one unit, with a little of the elevation."""
CENTRES = ("inputs", "all")
"""Points whose mean is the centre of a trajectory."""


def normalise(samples: Samples, kind: str, centre: str = "inputs") -> Samples:
    """Past and future in the frame and the unit of a normalisation.

    Args:
        samples: in metres.
        kind: a row of ``NORMALISATIONS``.
        centre: "inputs", the mean of the six points that are seen; or "all", the mean of all twelve, as in the paper's
            code. The latter tells the future: from six points and the mean of twelve the mean of the other six follows,
            which a model cannot know where it is used. It is there to compare with numbers that were made with it.

    Raises:
        ValueError: another normalisation or centre.

    Example:
        >>> still = Samples(jnp.tile(jnp.array([9.0, 9, 9]), (1, 6)), jnp.tile(jnp.array([9.0, 9, 10.05]), (1, 6)))
        >>> normalise(still, "symm-aware").y[0, :3].round(3).tolist()
        [0.0, 0.0, 1.0]
    """
    row = _row(kind)
    if centre not in CENTRES:
        raise ValueError(f"centre has to be one of {', '.join(CENTRES)}, got {centre!r}")
    x, y = (part.reshape(*part.shape[:-1], POINTS, 3) for part in samples)
    seen = x if centre == "inputs" else jnp.concatenate([x, y], axis=-2)
    weight, offset, scale = (jnp.asarray(values, x.dtype).reshape((1,) * (x.ndim - 1) + (3,)) for values in row)
    middle = jnp.mean(seen, axis=-2, keepdims=True)
    return Samples(*(((p - weight * middle - offset) / scale).reshape(*p.shape[:-2], 3 * POINTS) for p in (x, y)))


def average_displacement(kind: str, predicted: jax.Array, y: jax.Array) -> jax.Array:
    """The average displacement error in metres, of normalised trajectories: the mean over the points of the distance.

    Args:
        kind: the normalisation they are in.
        predicted: (..., 18).
        y: (..., 18).

    Returns:
        (...,).

    Raises:
        ValueError: another normalisation.

    Example:
        >>> off = jnp.tile(jnp.array([0.0, 0.0, 1.0]), 6)
        >>> round(float(average_displacement("scale-aware", jnp.zeros(18), off)), 6)
        0.05
    """
    scale = jnp.asarray(_row(kind).scale, predicted.dtype).reshape((1,) * predicted.ndim + (3,))
    difference = (predicted - y).reshape(*predicted.shape[:-1], POINTS, 3) * scale
    return jnp.mean(numerics.norm(difference), axis=-1)


def _row(kind: str) -> Normalisation:
    if kind not in NORMALISATIONS:
        raise ValueError(f"normalisation has to be one of {', '.join(NORMALISATIONS)}, got {kind!r}")
    return NORMALISATIONS[kind]
