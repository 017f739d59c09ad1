r"""Layers for laying clouds on top of each other: which motions they commute with, and what that is worth.

Vector neurons. The three vectors of a neighbour (where it is, where all are on average, their cross product) rotate
with the cloud, the weights of matrices are made of norms, and every layer is a mixture of vectors or a cut along one;
so ``f(P Q^T + t) = f(P) Q^T`` for rotations Q. Under a reflection the cross product changes its sign against the rest.
A match of two points has features ``B = A R^T``, and the R with the least ``|B - A R^T|`` is R itself if A has rank
two.

Spherical maps. The greater of ``W * x`` and of the same upside down commutes with shifts of the longitude and with the
flip of the latitude. A half turn about an axis on the equator flips both coordinates; W would have to be mirrored left
to right. ``R = R_vp R_ip``, in this order: ``R_vp^T R`` leaves the pole because both take it to ``R e_y``.

Pictures from above. Kernels at n angles move on by n / 4 places under quarter turns; their maximum turns with the
picture, and a sum over a disc forgets where things are.

The experiment ``registration`` trains two networks on turns up to 45 degrees. That one finds larger turns as well is an
observation on trained networks; that its answers rotate with the clouds is not.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.spatial.transform import Rotation

from equiv.layers.birds_eye import place_descriptor
from equiv.layers.spherical_maps import spherical_conv, viewpoint_and_inplane
from equiv.layers.vector_neurons import align, nearest_neighbours, position_aware_conv, position_aware_lifting
from theory.claim import Claim, Evidence, Source, TooSmall, generator, mean_evidence

__all__ = ["CLAIMS"]

_MIRROR = np.diag([1.0, 1, -1])


def _values(*arrays: jax.Array) -> np.ndarray:
    return np.concatenate([np.asarray(array, np.float64).ravel() for array in arrays])


def _flat(axis: str, *arrays: jax.Array) -> Evidence:
    values = _values(*arrays)
    return Evidence(axis, np.arange(len(values)), values)


# --- clouds -----------------------------------------------------------------------------------------------------------


@functools.cache
def _network() -> Callable[[jax.Array, jax.Array, jax.Array], jax.Array]:
    lifting, conv = position_aware_lifting(4), position_aware_conv(4, 3)

    def apply(key: jax.Array, points: jax.Array, near: jax.Array) -> jax.Array:
        keys = tuple(jax.random.split(key))
        first, second = (layer.init(k, jnp.float64) for layer, k in zip((lifting, conv), keys))
        return conv.apply(second, points, near, lifting.apply(first, points, near))

    return jax.jit(apply)


def _vectors(key: jax.Array, before: np.ndarray, after: np.ndarray) -> jax.Array:
    """Vectors of a cloud that was moved by one matrix, about a point of its own, and then moved by another."""
    points = generator(key).standard_normal((24, 3))
    near = nearest_neighbours(jnp.asarray(points), 8)
    moved = (points - 2) @ before.T + 2
    return _network()(key, jnp.asarray(moved), near) @ jnp.asarray(after.T)


_TURN = Rotation.from_rotvec([0.7, -1.9, 0.4]).as_matrix()


def _found(key: jax.Array, mirrored: bool) -> jax.Array:
    """The rotation between features and rotated features, of three vectors each."""
    draw = generator(key)
    a = draw.standard_normal((10, 3, 3))
    b = a @ _rotations(key).swapaxes(1, 2)
    return align(jnp.asarray(a), jnp.asarray(b @ _MIRROR if mirrored else b), jnp.ones((10, 3))).rotation


def _rotations(key: jax.Array) -> np.ndarray:
    return Rotation.random(10, rng=generator(key)).as_matrix()


# --- maps and pictures ------------------------------------------------------------------------------------------------

_shift = (lambda x: jnp.roll(x, 5, axis=-1), lambda x: jnp.roll(x, -5, axis=-1))
_flip = (lambda x: x[..., ::-1, :],) * 2
_half_turn = (lambda x: x[..., ::-1, ::-1],) * 2
_same = (lambda x: x,) * 2


def _mapped(key: jax.Array, *moves: tuple[Callable, Callable]) -> list[jax.Array]:
    """A map moved, convolved and moved back."""
    x, layer = jnp.asarray(generator(key).standard_normal((2, 12, 16))), spherical_conv(2, 3)
    params = layer.init(key, jnp.float64)
    return [back(layer.apply(params, there(x))) for there, back in moves]


def _composed(key: jax.Array, right: bool) -> tuple[jax.Array, ...]:
    """The product of the two parts, and where the turn takes the pole."""
    viewpoint, inplane = viewpoint_and_inplane(jnp.asarray(_rotations(key)))
    return (viewpoint @ inplane if right else inplane @ viewpoint), inplane[..., 1]


@functools.cache
def _place() -> Callable[..., tuple[jax.Array, jax.Array]]:
    layer = place_descriptor(4, 8, 3)
    return jax.jit(lambda key, x: layer.apply(layer.init(key, jnp.float64), x))


def _seen(key: jax.Array, move: Callable[[jax.Array], jax.Array], places: int) -> tuple[jax.Array, ...]:
    """The descriptor of a picture that was moved, and its angles moved on."""
    descriptor, angles = _place()(key, move(jnp.asarray(generator(key).uniform(0, 1, (1, 15, 15)))))
    return descriptor, jnp.roll(angles, places, axis=-1)


# --- the experiment ---------------------------------------------------------------------------------------------------

_SEEN, _CLOSE = 45.0, 0.1


def _unseen(dataset: xr.Dataset) -> np.ndarray:
    """The angles that were not seen in training, if the results are large enough to say something."""
    angle, trials, pairs = dataset["angle"].values, dataset.sizes["trial"], dataset.sizes["pair"]
    if trials < 3 or pairs < 100 or not (angle <= _SEEN).any() or not (angle > _SEEN).any():
        raise TooSmall(
            f"it takes 3 trials, 100 pairs and angles on both sides of {_SEEN:g} degrees, got {trials}, {pairs} and "
            f"{', '.join(f'{a:g}' for a in angle)}; run the preset desk"
        )
    return angle[angle > _SEEN]


def _lost(dataset: xr.Dataset, method: str) -> Evidence:
    """How much of the recall at angles that were seen is lost at others, trial by trial."""
    known = [str(name) for name in dataset["method"].values]
    if method not in known:
        raise ValueError(f"the results have no method {method}, only {', '.join(known)}; run it too")
    recall = dataset["recall"].sel({"method": method})
    seen = recall.sel(angle=dataset["angle"].values[dataset["angle"].values <= _SEEN]).mean("angle")
    lost = (seen - recall.sel(angle=_unseen(dataset))).transpose("angle", "trial")
    return mean_evidence("turn in degrees", _unseen(dataset), lost.values)


def _source(author: str, title: str, venue: str, arxiv: str | None, theorem: str) -> Source:
    return Source(author, title, venue, arxiv, theorem, "derived")


_PARE = _source("Yao, Du, Cui, Tang, Yang", "PARE-Net", "ECCV 2024", "2407.10142", "position-aware convolution")
_MATCH = _source("Yao, Du, Cui, Tang, Yang", "PARE-Net", "ECCV 2024", "2407.10142", "feature-based hypotheses")
_MAPS = _source("Lin, Wei, Zhang, Jia", "VI-Net", "ICCV 2023", "2308.09916", "spatial spherical convolution")
_VIEW = _source("Lin, Wei, Zhang, Jia", "VI-Net", "ICCV 2023", "2308.09916", "decoupled rotations")
_ABOVE = _source("Luo et al.", "BEVPlace", "ICCV 2023", "2302.14325", "rotation-invariant descriptor")
_OURS = _source("this codebase", "registration", "experiment", None, "an observation on trained networks, no theorem")

CLAIMS = (
    Claim(
        name="position_aware_convolution_rotates",
        statement="Vectors at the points of a cloud, by position-aware convolutions, rotate with the cloud and do not "
        "depend on where it is.",
        formula="f(P Q^T + t) = f(P) Q^T for rotations Q",
        source=_PARE,
        kind="identity",
        predict=lambda key: _values(_vectors(key, np.eye(3), _TURN)),
        measure=lambda key: _flat("coordinate", _vectors(key, _TURN, np.eye(3))),
        violate=lambda key: _flat("coordinate", _vectors(key, _TURN @ _MIRROR, _TURN @ _MIRROR @ _TURN.T)),
        dropped="Q is a rotation (the cloud is mirrored, too, and its vectors are mirrored back)",
        budget=300.0,  # two layers, each of which normalises vectors that may be short
    ),
    Claim(
        name="one_match_gives_the_rotation",
        statement="The vectors of one pair of matched points give the rotation between two clouds.",
        formula="argmin_R |B - A R^T| = Q for B = A Q^T and A of rank two or more",
        source=_MATCH,
        kind="identity",
        predict=lambda key: _values(_rotations(key)),
        measure=lambda key: _flat("entry", _found(key, mirrored=False)),
        violate=lambda key: _flat("entry", _found(key, mirrored=True)),
        dropped="the second cloud is rotated (it is mirrored, too)",
    ),
    Claim(
        name="spherical_convolution_commutes_with_shifts_and_flips",
        statement="The greater of a convolution on a spherical map, padded across the poles, and of the same upside "
        "down commutes with shifts of the longitude and with the flip of the latitude.",
        formula="f(x o g) o g^-1 = f(x) for g: (phi, rho) -> (phi, rho + a), (pi - phi, rho)",
        source=_MAPS,
        kind="identity",
        predict=lambda key: _values(*_mapped(key, _same, _same)),
        measure=lambda key: _flat("output", *_mapped(key, _shift, _flip)),
        violate=lambda key: _flat("output", *_mapped(key, _shift, _half_turn)),
        dropped="g leaves the sense of the longitude (it is a half turn about an axis on the equator)",
    ),
    Claim(
        name="rotations_are_a_viewpoint_and_a_turn",
        statement="A rotation is a turn about the pole, followed by a rotation that its image of the pole determines.",
        formula="R = R_vp R_ip with R_vp e_y = R e_y and R_ip e_y = e_y",
        source=_VIEW,
        kind="identity",
        predict=lambda key: _values(_rotations(key), np.tile([0.0, 1, 0], (10, 1))),
        measure=lambda key: _flat("entry", *_composed(key, right=True)),
        violate=lambda key: _flat("entry", *_composed(key, right=False)),
        dropped="the turn acts first (it acts last)",
    ),
    Claim(
        name="descriptors_from_above_do_not_turn",
        statement="The descriptor of a place from above does not change under quarter turns of the picture, and the "
        "answers at n angles move on by n / 4 places.",
        formula="d(h x) = d(x), a(h x)_{k + n / 4} = a(x)_k",
        source=_ABOVE,
        kind="identity",
        predict=lambda key: _values(*_seen(key, lambda x: x, 2)),
        measure=lambda key: _flat("output", *_seen(key, lambda x: jnp.rot90(x, axes=(1, 2)), 0)),
        violate=lambda key: _flat("output", *_seen(key, lambda x: x[..., ::-1], 0)),
        dropped="the picture is turned (it is mirrored)",
    ),
    Claim(
        name="registration_does_not_depend_on_the_turn",
        statement="A network of vector neurons that was trained on turns up to 45 degrees registers clouds at larger "
        "ones with a recall that is lower by at most 0.1.",
        formula="recall(angle <= 45 deg) - recall(angle > 45 deg) <= 0.1",
        source=_OURS,
        kind="bound",
        predict=lambda dataset: np.full(len(_unseen(dataset)), _CLOSE),
        measure=lambda dataset: _lost(dataset, "equivariant"),
        violate=lambda dataset: _lost(dataset, "pointnet"),
        dropped="the vectors rotate with the cloud (perceptrons on coordinates)",
        experiment="registration",
    ),
)
