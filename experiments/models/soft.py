"""Networks with a hard, a soft and a learned amount of equivariance, all with the same input, output and size.

A method is a network of ``equiv.layers``, built with one or another kind of affine map, and terms of the loss beside
the error: penalties of its free weights for several candidate symmetries, whose strengths a rule sets while it trains,
and a prior. What every method shares is the block (affine map, contractions, gates) and the number of parameters; the
channels follow from the latter.

==============  ===================================================================================================
method          what it is
==============  ===================================================================================================
mlp             a perceptron with swish, of free affine maps and nothing else
equivariant     every map commutes with the big group
oracle          every map commutes with the subgroup that the data really obey, which nobody tells the others
rpp             residual pathways: equivariant plus free maps, the latter with a narrow prior
mixed_rpp       residual pathways to the oracle's subgroup in the place of free ones
per             free maps, penalised by their distance from the maps of each candidate; strengths set once
per_evidence    the same with the strengths of largest evidence, at every check
lie             free maps, penalised by their Lie derivatives; strengths set once
constrained     equivariant plus switched free maps, the switches held down by dual variables with slack
graded          maps that are equivariant up to a bound
==============  ===================================================================================================
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from equiv import layers, soft
from equiv.groups import Homomorphism
from equiv.layers import Layer, Params
from equiv.reps import Rep, scalar, spread
from experiments.models import Model

__all__ = ["METHODS", "Method", "Task", "method", "model"]

_SOFTNESS = 0.3
"""Relative singular values up to which ``graded`` keeps directions."""
_WEAK = 1e-5
"""Decay of the equivariant path relative to that of the free one, in residual pathways."""
_PRIOR, _DUAL = 1e-5, 1e-4
"""What a prior and a step of the duals are multiplied by, so that one grid of strengths serves every method."""


@dataclasses.dataclass(frozen=True)
class Task:
    """What a method is built for.

    Attributes:
        rep_in: of the inputs.
        rep_out: of the outputs.
        candidates: subgroups that the data may or may not obey, as homomorphisms into the group of ``rep_in``.
        truth: the one they do obey, for ``oracle`` and ``mixed_rpp``.
    """

    rep_in: Rep
    rep_out: Rep
    candidates: tuple[Homomorphism, ...]
    truth: Homomorphism


class Method(NamedTuple):
    """A network and what is added to its error.

    Attributes:
        layer: the network.
        energies: ``energies(params) -> (n_candidates,)``, multiplied by strengths that ``adapt`` may change.
        prior: ``prior(params) -> ()``, multiplied by the first strength.
        adapt: ``adapt(strengths, remembered, energies, k, at) -> (strengths, remembered)`` after check k, with the
            energies there; the one-shot rule acts at check ``at``.
        penalised: whether a strength has any effect; if not, it is not tuned.
    """

    layer: Layer
    energies: Callable[[Params], jax.Array]
    prior: Callable[[Params], jax.Array]
    adapt: Callable[[jax.Array, jax.Array, jax.Array, jax.Array, int], tuple[jax.Array, jax.Array]]
    penalised: bool


def _nothing(task: Task) -> Callable[[Params], jax.Array]:
    return lambda params: jnp.zeros(len(task.candidates), jax.tree.leaves(params)[0].dtype)


def _no_prior(params: Params) -> jax.Array:
    return jnp.zeros((), jax.tree.leaves(params)[0].dtype)


def _kept(strengths: jax.Array, remembered: jax.Array, energies: jax.Array, k: jax.Array, at: int) -> tuple:
    return strengths, remembered


def _once(strengths: jax.Array, remembered: jax.Array, energies: jax.Array, k: jax.Array, at: int) -> tuple:
    """The paper's rule: remember the energies, and set the strengths by them once."""
    remembered = soft.track_energies(remembered, energies)
    return jnp.where(k == at, soft.adjust_strengths(strengths, remembered), strengths), remembered


def _by_evidence(strengths: jax.Array, remembered: jax.Array, energies: jax.Array, k: jax.Array, at: int) -> tuple:
    """The strengths of largest evidence from check ``at`` on, in units in which the largest is the tuned strength.

    An energy per rank is half a variance, and the strength of a group its inverse; ``remembered`` is the tuned one.
    """
    found = soft.evidence_strengths(energies, np.ones(energies.shape), cap=1e12)
    tuned = jnp.where(k == 0, strengths, remembered)
    return jnp.where(k >= at, tuned * found / jnp.max(found), strengths), tuned


def _dual(strengths: jax.Array, remembered: jax.Array, energies: jax.Array, k: jax.Array, at: int) -> tuple:
    """Dual ascent on the mean size of the switches, the same for all candidates; ``remembered`` holds the step."""
    step = jnp.where(k == 0, _DUAL * strengths[0], remembered[0])
    raised = soft.dual_ascent(strengths, energies * len(energies), soft.resilient_slack(strengths, 1.0), step)
    return jnp.where(k == 0, jnp.zeros_like(strengths), raised), jnp.broadcast_to(step, remembered.shape)


def _network(task: Task, hidden: Rep, depth: int, affine: Callable[[Rep, Rep], Layer]) -> Layer:
    return layers.equivariant_mlp(task.rep_in, task.rep_out, hidden, depth, affine)


def _perceptron(task: Task, width: int, depth: int) -> Layer:
    hidden = scalar(task.rep_in.group, width)
    stack, before = [], task.rep_in
    for _ in range(depth):
        stack += [layers.dense(before, hidden), layers.pointwise(hidden, jax.nn.silu)]
        before = hidden
    return layers.serial(*stack, layers.dense(before, task.rep_out))


def _residual(a: Rep, b: Rep) -> Layer:
    return soft.residual_pathway(layers.affine(a, b))


def _switched(a: Rep, b: Rep) -> Layer:
    return soft.switched(layers.affine(a, b))


def _graded(a: Rep, b: Rep) -> Layer:
    return soft.graded_linear(a, b, _SOFTNESS)


@functools.cache
def _mixed(truth: Homomorphism) -> Callable[[Rep, Rep], Layer]:
    return lambda a, b: soft.superpose(layers.affine(a, b), soft.subequivariant(a, b, truth))


@functools.cache
def _obeying(truth: Homomorphism) -> Callable[[Rep, Rep], Layer]:
    return lambda a, b: soft.subequivariant(a, b, truth)


def _size(array: jax.Array) -> jax.Array:
    return jnp.sum(array**2) / 2


def _mixed_prior(params: Params) -> jax.Array:
    """The prior of residual pathways for sums of two layers, the equivariant one first."""
    pairs = [layer for layer in params if isinstance(layer, tuple) and len(layer) == 2]
    own, other = zip(*pairs)
    return sum(map(_size, jax.tree.leaves(other))) + _WEAK * sum(map(_size, jax.tree.leaves(own)))


def _switch_energy(task: Task) -> Callable[[Params], jax.Array]:
    """The mean size of the switches, once for all candidates together."""
    share = len(task.candidates)
    return lambda params: jnp.broadcast_to(jnp.mean(jnp.abs(soft.switches(params))) / share, (share,))


def _with(layer: Layer, task: Task, name: str) -> Method:
    """The terms of the loss of each method."""
    nothing = _nothing(task)
    if name in ("per", "per_evidence"):
        penalty = soft.projection_penalty(layer, task.candidates)
        energies = lambda params: penalty(params) / jnp.asarray(penalty.ranks, jax.tree.leaves(params)[0].dtype)
        return Method(layer, energies, _no_prior, _once if name == "per" else _by_evidence, True)
    if name == "lie":
        penalty = soft.lie_derivative_penalty(layer, task.candidates)
        ranks = soft.projection_penalty(layer, task.candidates).ranks
        energies = lambda params: penalty(params) / jnp.asarray(ranks, jax.tree.leaves(params)[0].dtype)
        return Method(layer, energies, _no_prior, _once, True)
    if name == "constrained":
        return Method(layer, _switch_energy(task), _no_prior, _dual, True)
    if name in ("rpp", "mixed_rpp"):
        prior = soft.residual_prior(layer, _WEAK**-0.5, 1.0) if name == "rpp" else _mixed_prior
        return Method(layer, nothing, lambda params: _PRIOR * prior(params), _kept, True)
    return Method(layer, nothing, _no_prior, _kept, False)


_AFFINE: dict[str, Callable[[Task], Callable[[Rep, Rep], Layer]]] = {
    "equivariant": lambda task: layers.affine,
    "oracle": lambda task: _obeying(task.truth),
    "rpp": lambda task: _residual,
    "mixed_rpp": lambda task: _mixed(task.truth),
    "per": lambda task: layers.dense,
    "per_evidence": lambda task: layers.dense,
    "lie": lambda task: layers.dense,
    "constrained": lambda task: _switched,
    "graded": lambda task: _graded,
}

METHODS: tuple[str, ...] = ("mlp", *_AFFINE)
"""Names of the methods."""


@functools.cache
def method(task: Task, name: str, channels: int, depth: int) -> Method:
    """A method with as many parameters as ``per`` has with so many channels, as nearly as whole channels allow.

    Args:
        task: what it is for.
        name: one of ``METHODS``.
        channels: of a hidden layer of ``per``.
        depth: hidden layers.

    Raises:
        ValueError: another name.

    Example:
        >>> from equiv.groups import inclusion, o
        >>> from equiv.reps import standard
        >>> v = standard(o(3))
        >>> task = Task(2 * v, v * v, (inclusion(o(2), o(3)),), inclusion(o(2), o(3)))
        >>> from experiments.models import n_parameters
        >>> [n_parameters(model(method(task, name, 30, 1))) for name in ("per", "mlp", "equivariant")]
        [2122, 2121, 2164]
    """
    if name not in METHODS:
        raise ValueError(f"method has to be one of {', '.join(METHODS)}, got {name}")
    group = task.rep_in.group

    def build(size: int) -> Layer:
        if name == "mlp":
            return _perceptron(task, size, depth)
        return _network(task, spread(group, size), depth, _AFFINE[name](task))

    if name in ("per", "per_evidence", "lie"):
        return _with(build(channels), task, name)
    wanted = _count(_network(task, spread(group, channels), depth, layers.dense))
    low, high = 1, 1
    while _count(build(high)) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _count(build(middle)) < wanted else (low, middle)
    return _with(build(min((low, high), key=lambda size: abs(_count(build(size)) - wanted))), task, name)


def _count(layer: Layer) -> int:
    shapes = jax.eval_shape(layer.init, jax.eval_shape(lambda: jax.random.key(0)))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def model(chosen: Method) -> Model:
    """The network of a method as a pair of functions."""
    return Model(lambda key: chosen.layer.init(key, jnp.float32), chosen.layer.apply)
