"""Quadratic equivariant maps: contractions of tensors in the input with each other.

A linear map cannot multiply two vectors, and gates only multiply by scalars: without a quadratic layer a network on
vectors cannot even form ``<x_1, x_2>``. Where the input holds summands u and t such that u has the factors of ``s x
t*``, contracting u with t gives an s, whatever the group is: a matrix times a vector is a vector, a vector times a
vector is a scalar, a scalar times anything is that thing again.
"""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from equiv.groups.base import intern
from equiv.layers.base import Layer, Params, entry
from equiv.reps import Rep, intertwiners

__all__ = ["bilinear"]


def _contraction(s: tuple[Rep, ...], t: tuple[Rep, ...], u: tuple[Rep, ...]) -> str | None:
    """The einsum that contracts a tensor u with a tensor t to a tensor s, if the factors fit; copies run along z."""
    names, left = list("abcdefghijklmnop"[: len(u)]), list(range(len(u)))
    chosen = []
    for factor in s + tuple(rep.dual for rep in t):
        fitting = [axis for axis in left if u[axis] == factor]
        if not fitting:
            return None
        left.remove(fitting[0])
        chosen.append(names[fitting[0]])
    return None if left else f"...z{''.join(names)},...z{''.join(chosen[len(s) :])}->...z{''.join(chosen[: len(s)])}"


@functools.cache
def bilinear(rep_in: Rep, rep_out: Rep) -> Layer:
    """Learned contractions of the input with itself, ``y_s = sum_(t,u) A (B x_u . C x_t)``.

    For every summand s of the output and every pair (t, u) of summands of the input with ``u = s x t*`` up to the order
    of the factors, B and C mix the copies of u and of t into r pairs, each pair is contracted, and A mixes the results
    into the copies of s; ``r = min(copies of s, copies of t times copies of u)``. Homogeneous of degree two.

    Args:
        rep_in: V.
        rep_out: W, of the same group; summands that no contraction reaches get zero.

    Returns:
        A layer with parameters ``{"first": (B, ...), "second": (C, ...), "mix": (A, ...)}``, one per contraction.

    Raises:
        ValueError: two groups, or no contraction at all.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import scalar, standard
        >>> products = bilinear(2 * standard(so(3)), scalar(so(3), 4))
        >>> x = jnp.array([1.0, 0.0, 0.0, 0.0, 2.0, 0.0])
        >>> products.apply(products.init(jax.random.key(0)), x).shape
        (4,)

    Reference:
        Finzi, Welling, Wilson, ICML 2021 (arXiv 2104.09459), section on the bilinear layer.

    Differs from the paper:
        There the input's summands are read as the entries of a matrix that acts on the input, each entry a combination
        of randomly chosen copies. The same contractions are taken here, mixed on both sides before they are taken, so
        that nothing is drawn when the layer is built and the cost grows with the channels and not with their square.
    """
    if rep_in.group != rep_out.group:
        raise ValueError(f"bilinear needs two representations of one group, got {rep_in.group} and {rep_out.group}")
    terms_in, terms_out = intertwiners.terms(rep_in), intertwiners.terms(rep_out)
    found = []
    for s, rows in terms_out:
        own = []
        for t, columns in terms_in:
            for u, others in terms_in:
                formula = _contraction(s, t, u)
                if formula is not None:
                    rank = min(len(rows), len(columns) * len(others))
                    own.append((formula, rank, t, columns, u, others))
        found.append((rows, own))
    if not any(own for _, own in found):
        raise ValueError(
            f"no contraction of {rep_in} with itself gives a summand of {rep_out} of {rep_out.group}: "
            f"put tensors of higher rank into {rep_in}"
        )
    shapes, scales = {"first": [], "second": [], "mix": []}, []
    for rows, own in found:
        for _, rank, t, columns, _, others in own:
            shapes["first"].append((rank, len(others)))
            shapes["second"].append((rank, len(columns)))
            shapes["mix"].append((len(rows), rank))
            scales.append(1 / math.sqrt(rank * len(own) * math.prod(rep.dim for rep in t)))

    deviations = {kind: [1 / math.sqrt(n) for _, n in shapes[kind]] for kind in ("first", "second")} | {"mix": scales}

    def init(key: jax.Array, dtype: Any = float) -> Params:
        flat = [(shape, size) for kind in shapes for shape, size in zip(shapes[kind], deviations[kind])]
        ends = list(itertools.accumulate(math.prod(shape) for shape, _ in flat))
        drawn = jnp.split(jax.random.normal(key, (ends[-1],), dtype), ends[:-1])  # at once: one program to compile
        arrays = iter(jnp.asarray(size, dtype) * part.reshape(shape) for part, (shape, size) in zip(drawn, flat))
        return {kind: tuple(itertools.islice(arrays, len(shapes[kind]))) for kind in shapes}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        first, second, mix = (iter(entry(name, params, kind)) for kind in shapes)
        parts = []
        for rows, own in found:
            total = jnp.zeros((*x.shape[:-1], *rows.shape), x.dtype)
            for formula, _, t, columns, u, others in own:
                left = _mixed(x, next(first), others).reshape(*x.shape[:-1], -1, *(rep.dim for rep in u))
                right = _mixed(x, next(second), columns).reshape(*x.shape[:-1], -1, *(rep.dim for rep in t))
                product = jnp.einsum(formula, left, right).reshape(*x.shape[:-1], left.shape[x.ndim - 1], -1)
                total += jnp.einsum("ar,...rd->...ad", jnp.asarray(next(mix), x.dtype), product)
            parts.append(total.reshape(*x.shape[:-1], -1))
        return jnp.concatenate(parts, axis=-1)[..., order]

    order = intertwiners.order(rep_out)
    name = f"bilinear({rep_in} -> {rep_out})"
    return intern(Layer(("bilinear", rep_in, rep_out), name, rep_in, rep_out, init, apply))


def _mixed(x: Float[Array, "... n"], weight: jax.Array, index: Any) -> Float[Array, "... r d"]:
    """Mixtures of the copies of one summand, which stands at ``index`` (copies, d)."""
    start, stop = int(index.flat[0]), int(index.flat[-1]) + 1
    together = stop - start == index.size and (index.ravel()[1:] > index.ravel()[:-1]).all()
    copies = x[..., start:stop] if together else x[..., jnp.asarray(index.ravel())]
    copies = copies.reshape(*x.shape[:-1], *index.shape)
    return jnp.einsum("rc,...cd->...rd", jnp.asarray(weight, x.dtype), copies)
