"""How well are two clouds laid on top of each other that are turned by any angle, if training has seen small ones only?

Pairs are those of ``experiments.data.clouds``: two cuts of one cloud of random boxes, with noise, turned and moved. A
network describes each point; points of the two clouds whose descriptors choose each other are matches, the
``matches`` surest of which are kept. Candidate motions are made of them, the one that brings most of the matches within
``radius`` counts, and is then fitted to those three times.

- ``equivariant``: position-aware vector neurons. Their vectors turn with the cloud, so that each match alone gives a
  candidate; their descriptors do not turn. Trained on turns up to ``seen`` degrees.
- ``pointnet``: perceptrons on coordinates, trained on the same; three matches give a candidate, ``matches`` times.
- ``pointnet_augmented``: the same, trained on turns by any angle.

Training draws new pairs at every step. The loss is the cross-entropy of finding the partner of each shared point by its
descriptor, both ways; and for ``equivariant``, of the vectors A and B of partners, ``1 - <A R^T, B> / (|A| |B|)``.

Arrays, for (method, trial): ``rotation_error`` in degrees and ``translation_error`` over (angle, pair), ``recall`` over
(angle), the share of pairs with errors below 15 degrees and 0.3, ``inlier_ratio`` over (angle), the share of matches
that are right. For (method,): ``n_parameters``. Things have a size of about one; angles are in degrees.

Reference:
    Yao, Du, Cui, Tang, Yang, PARE-Net, ECCV 2024 (arXiv 2407.10142), for the layers, for candidates from single matches
    and for the measure.

Differs from the paper: made-up clouds, one level of detail, the nearest descriptors instead of attention between the
clouds; 0.3 is a length in units of the things, not in metres. Numbers of the paper on 3DMatch were not found.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import Array

from equiv import numerics
from equiv.layers.vector_neurons import align
from experiments.data.clouds import Pairs, draw_pairs
from experiments.models import n_parameters
from experiments.models.clouds import Described, Describer, equivariant, pointnet
from experiments.record import Experiment, Point, among, positive, whole
from experiments.train import fit

__all__ = ["EXPERIMENT", "METHODS", "ROTATION", "TRANSLATION", "Config", "register", "run"]

METHODS = ("equivariant", "pointnet", "pointnet_augmented")
ROTATION, TRANSLATION = 15.0, 0.3
"""The errors below which a pair counts: degrees, and units of length."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of registration."""

    methods: tuple[str, ...] = METHODS  # equivariant, pointnet, pointnet_augmented
    angles: tuple[float, ...] = (0.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0)  # turns that are tested, degrees
    seen: float = 45.0  # largest turn in training, degrees; pointnet_augmented sees all
    trials: int = 6  # trainings, each with pairs of its own
    pairs: int = 100  # that are tested at each angle
    points: int = 96  # of each cloud
    overlap: float = 0.5  # least share of the points of a cloud that are in the other as well
    noise: float = 0.01  # standard deviation of each coordinate
    neighbours: int = 12  # of a point, itself counted
    channels: int = 16  # vectors at a point of the equivariant network
    width: int = 32  # hidden layers of the other
    matches: int = 32  # that are kept, and candidates
    radius: float = 0.1  # within which a match agrees with a candidate
    steps: int = 400  # of training
    batch_size: int = 4  # pairs of one step
    learning_rate: float = 0.003  # at the first step

    def __post_init__(self) -> None:
        among(self, "methods", METHODS)
        whole(self, "trials", "pairs", "points", "neighbours", "channels", "width", "matches", "steps", "batch_size")
        positive(self, "radius", "learning_rate", "seen")
        if not self.angles or len(set(self.angles)) < len(self.angles) or not all(0 <= a <= 180 for a in self.angles):
            raise ValueError(f"angles has to be made of numbers from 0 to 180, none of them twice, got {self.angles}")
        if not max(self.neighbours, self.matches) <= self.points:
            raise ValueError(f"neighbours and matches have to be at most points = {self.points}")


class Motion(NamedTuple):
    """``x -> rotation x + translation``."""

    rotation: Array
    translation: Array


_TEMPERATURE = 0.1


def _network(config: Config, method: str) -> Describer:
    if method == "equivariant":
        return equivariant(config.channels, config.neighbours)
    return pointnet(config.width, config.neighbours)


def _similarities(first: Array, second: Array) -> Array:
    return jnp.einsum("...nd,...md->...nm", first, second) / _TEMPERATURE


def _described(network: Describer, params: Any, pairs: Pairs) -> list[Described]:
    """Of the sources and of the references, by one call."""
    said = network.apply(params, jnp.concatenate([pairs.source, pairs.reference]))
    n = len(pairs.source)
    return [jax.tree.map(lambda leaf, part=part: leaf[part], said) for part in (slice(None, n), slice(n, None))]


def _loss(network: Describer, params: Any, pairs: Pairs) -> Array:
    """Of finding partners, and of turning vectors onto each other."""
    first, second = _described(network, params, pairs)
    score = _similarities(first.descriptors, second.descriptors)
    partner = pairs.source_place[:, :, None] == pairs.reference_place[:, None, :]
    logs = jax.nn.log_softmax(score, axis=-1) + jax.nn.log_softmax(score, axis=-2)
    shared = jnp.maximum(jnp.sum(partner), 1).astype(score.dtype)
    loss = -jnp.sum(jnp.where(partner, logs, 0)) / shared
    if first.vectors is None:
        return loss
    turned = jnp.einsum("bij,bncj->bnci", pairs.rotation, first.vectors)
    units = [numerics.normalize(v.reshape(*v.shape[:-2], -1)) for v in (turned, second.vectors)]
    off = 1 - jnp.einsum("bnd,bmd->bnm", *units)
    return loss + jnp.sum(jnp.where(partner, off, 0)) / shared


def _fitted(x: Array, y: Array, weights: Array) -> Motion:
    """The motion with the least ``sum w |y - R x - t|^2``."""
    total = jnp.maximum(jnp.sum(weights, axis=-1), 1e-9)[..., None]
    middles = [jnp.einsum("...n,...ni->...i", weights, v) / total for v in (x, y)]
    apart = [v - m[..., None, :] for v, m in zip((x, y), middles)]
    rotation = align(*apart, weights).rotation
    return Motion(rotation, middles[1] - jnp.einsum("...ij,...j->...i", rotation, middles[0]))


def _agree(motion: Motion, x: Array, y: Array, radius: float) -> Array:
    """Which of the matches (n, 3) each of the candidates (...) brings within the radius: (..., n)."""
    moved = jnp.einsum("...ij,nj->...ni", motion.rotation, x) + motion.translation[..., None, :]
    off = moved - y.reshape((1,) * (moved.ndim - 2) + y.shape)
    return (jnp.sum(off**2, axis=-1) < radius**2).astype(x.dtype)


def register(
    network: Describer, params: Any, key: Array, pairs: Pairs, matches: int, radius: float
) -> tuple[Motion, Array]:
    """The motion from each source to its reference.

    Args:
        network: describes points.
        params: its parameters.
        key: random key, for candidates from three matches.
        pairs: n pairs.
        matches: how many are kept.
        radius: within which a match agrees.

    Returns:
        Rotations (n, 3, 3) and translations (n, 3), and which of the matches are right, (n,), a share.
    """
    first, second = _described(network, params, pairs)
    score = _similarities(first.descriptors, second.descriptors)
    sure = jax.nn.log_softmax(score, axis=-1) + jax.nn.log_softmax(score, axis=-2)
    no_vectors = jnp.zeros((len(score), score.shape[1], 0, 3), score.dtype)
    vectors = [no_vectors if said.vectors is None else said.vectors for said in (first, second)]

    def one(key: Array, sure: Array, clouds: tuple, places: tuple, vectors: tuple) -> tuple[Motion, Array]:
        partner = jnp.argmax(sure, axis=1)
        kept = jax.lax.top_k(jnp.max(sure, axis=1), matches)[1]
        x, y = clouds[0][kept], clouds[1][partner[kept]]
        right = jnp.mean((places[0][kept] == places[1][partner[kept]]).astype(x.dtype))
        if vectors[0].shape[-2]:
            a, b = vectors[0][kept], vectors[1][partner[kept]]
            rotation = align(a, b, jnp.ones(a.shape[:-1], a.dtype)).rotation
            candidates = Motion(rotation, y - jnp.einsum("nij,nj->ni", rotation, x))
        else:
            three = jax.random.randint(key, (matches, 3), 0, matches)
            candidates = _fitted(x[three], y[three], jnp.ones((matches, 3), x.dtype))
        votes = jnp.sum(_agree(candidates, x, y, radius), axis=-1)
        motion = jax.tree.map(lambda leaf: leaf[jnp.argmax(votes)], candidates)
        motion = jax.lax.fori_loop(0, 3, lambda _, motion: _fitted(x, y, _agree(motion, x, y, radius)), motion)
        return motion, right

    clouds, places = (pairs.source, pairs.reference), (pairs.source_place, pairs.reference_place)
    return jax.vmap(one)(jax.random.split(key, len(score)), sure, clouds, places, tuple(vectors))


@functools.cache
def _program(config: Config, method: str) -> Any:
    """Trains and tests once: from a key and the largest turn of training, the errors over (angle, pair)."""
    network = _network(config, method)
    how = {"n_points": config.points, "overlap": config.overlap, "noise": config.noise, "dtype": jnp.float32}

    most = float(np.radians(180.0 if method == "pointnet_augmented" else config.seen))

    def loss(params: Any, key: Array, _: Array) -> Array:
        angle_key, pair_key = jax.random.split(key)
        angle = jax.random.uniform(angle_key, (config.batch_size,), jnp.float32, 0, most)
        return _loss(network, params, draw_pairs(pair_key, angle, **how))

    @jax.jit
    def trained(key: Array) -> Any:
        init_key, fit_key = jax.random.split(key)
        training = {"n_steps": config.steps, "batch_size": config.batch_size, "learning_rate": config.learning_rate}
        return fit(loss, network.init(init_key), fit_key, 1, **training)

    @jax.jit
    def tested(params: Any, key: Array, angle: Array) -> tuple[Array, ...]:
        pair_key, candidate_key = jax.random.split(key)
        pairs = draw_pairs(pair_key, jnp.full(config.pairs, angle), **how)
        motion, right = register(network, params, candidate_key, pairs, config.matches, config.radius)
        between = jnp.einsum("nji,njk->nik", motion.rotation, pairs.rotation)
        skew = between - jnp.swapaxes(between, 1, 2)
        sine = jnp.sqrt(jnp.sum(skew**2, axis=(1, 2)) / 8)
        degrees = jnp.degrees(jnp.arctan2(sine, (jnp.trace(between, axis1=1, axis2=2) - 1) / 2))
        return degrees, jnp.linalg.norm(motion.translation - pairs.translation, axis=1), jnp.mean(right)

    return trained, tested


def run(config: Config, key: Array, point: Point) -> xr.Dataset:
    """Train one network several times, and register pairs that are turned by each angle.

    Args:
        config: settings.
        key: the same for every method.
        point: ``method``.
    """
    method = point["method"]
    same = dataclasses.replace(config, methods=METHODS, trials=1)  # what a program depends on
    trained, tested = _program(same, method)
    degrees, lengths, right = [], [], []
    for trial in range(config.trials):
        train_key, test_key = jax.random.split(jax.random.fold_in(key, trial))
        params = trained(train_key)
        found = [
            tested(params, jax.random.fold_in(test_key, i), jnp.float32(np.radians(angle)))
            for i, angle in enumerate(config.angles)
        ]
        for values, column in zip((degrees, lengths, right), zip(*found)):
            values.append(np.stack(column))
    degrees, lengths = np.stack(degrees), np.stack(lengths)
    axes = ("trial", "angle", "pair")
    return xr.Dataset(
        {
            "rotation_error": (axes, degrees),
            "translation_error": (axes, lengths),
            "recall": (axes[:2], ((degrees < ROTATION) & (lengths < TRANSLATION)).mean(-1, dtype=np.float32)),
            "inlier_ratio": (axes[:2], np.stack(right)),
            "n_parameters": (("method",), [n_parameters(_network(config, method))]),
        },
        coords={
            "trial": np.arange(config.trials),
            "angle": list(config.angles),
            "pair": np.arange(config.pairs),
            "method": [method],
        },
    )


EXPERIMENT = Experiment(
    name="registration",
    statement="How well are clouds registered that are turned by any angle, if training has seen small ones only?",
    config=Config,
    presets={
        "smoke": Config(methods=("equivariant", "pointnet"), angles=(0.0, 90.0, 180.0), trials=2, pairs=20, steps=20),
        "desk": Config(),
        "paper": Config(
            trials=10, pairs=400, steps=4000, batch_size=16, points=256, neighbours=24, channels=32, width=96
        ),
    },
    axes=lambda config: {"method": config.methods},
    run=run,
    claims=("registration_does_not_depend_on_the_turn",),
    cost={"smoke": 38, "desk": 280, "paper": 20_000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("method",),
)
