"""Quadratic equivariant maps: products of tensors in the input with each other, contracted as far as one likes.

A linear map cannot multiply two vectors, and gates only multiply by scalars: without a quadratic layer a network on
vectors cannot even form ``<x_1, x_2>``. The tensor product of two tensors is a tensor again, and so is what is left
when some factors V of one are contracted with factors V* of the other, whatever the group is: a vector times a vector
is a scalar or a matrix, a matrix times a vector is a vector or a tensor of rank three, a scalar times anything is that
thing again.
"""

import collections
import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from equiv.groups.base import intern
from equiv.layers.base import Layer, Params, entry
from equiv.reps import Rep, intertwiners
from equiv.reps.intertwiners import Word

__all__ = ["bilinear"]


def _contractions(s: Word, t: Word, u: Word) -> Iterator[tuple[str, int]]:
    """All ways to contract u with t to s, up to the order of equal factors, with the dimension that is summed over.

    Each is an einsum along whose axis z the copies run. Of equal factors the first ones of u meet the last ones of t.
    """
    left, right = list(zip(u, "abcdefghijklm")), list(zip(t, "nopqrstuvwxy"))
    kinds = list(dict.fromkeys(rep for rep in u if rep.dual in t))
    for counts in itertools.product(*(range(min(u.count(rep), t.count(rep.dual)) + 1) for rep in kinds)):
        names, free, used, summed = {}, list(left), list(right), 1
        for rep, count in zip(kinds, counts):
            own = [axis for axis in free if axis[0] == rep][:count]
            other = [axis for axis in used if axis[0] == rep.dual]
            for axis, partner in zip(own, other[len(other) - count :]):
                names[partner[1]] = axis[1]
                free.remove(axis)
                used.remove(partner)
                summed *= rep.dim
        rest = free + used
        if collections.Counter(rep for rep, _ in rest) != collections.Counter(s):
            continue
        out = []
        for rep in s:
            axis = next(axis for axis in rest if axis[0] == rep)
            rest.remove(axis)
            out.append(axis[1])
        second = "".join(names.get(letter, letter) for _, letter in right)
        yield f"...z{''.join(letter for _, letter in left)},...z{second}->...z{''.join(out)}", summed


@functools.cache
def bilinear(rep_in: Rep, rep_out: Rep) -> Layer:
    """Learned products of the input with itself, ``y_s = sum_(t,u) A (B x_u . C x_t)``.

    For every summand s of the output, every pair (t, u) of summands of the input, and every number of factors V of one
    and V* of the other that can be contracted so that the factors of s are left: B and C mix the copies of u and of t
    into r pairs, each pair is contracted, and A mixes the results into the copies of s; ``r = min(copies of s, copies
    of t times copies of u)``. Homogeneous of degree two.

    Args:
        rep_in: V.
        rep_out: W, of the same group; summands that no product reaches get zero.

    Returns:
        A layer with parameters ``{"first": (B, ...), "second": (C, ...), "mix": (A, ...)}``, one per product.

    Raises:
        ValueError: two groups, or no product at all.

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
        of randomly chosen copies: one factor is contracted completely. Here it may be in part or not at all, so that
        two vectors make a matrix without a tensor of rank three to help; copies are mixed on both sides before they
        meet, so that nothing is drawn when the layer is built and the cost grows with the channels, not their square.
    """
    if rep_in.group != rep_out.group:
        raise ValueError(f"bilinear needs two representations of one group, got {rep_in.group} and {rep_out.group}")
    terms_in, terms_out = intertwiners.terms(rep_in), intertwiners.terms(rep_out)
    found = []
    for s, rows in terms_out:
        own = []
        for (t, columns), (u, others) in itertools.combinations_with_replacement(terms_in, 2):
            for formula, summed in _contractions(s, t, u):
                rank = min(len(rows), len(columns) * len(others))
                own.append((formula, rank, summed, t, columns, u, others))
        found.append((rows, own))
    if not any(own for _, own in found):
        raise ValueError(
            f"no product of {rep_in} with itself gives a summand of {rep_out} of {rep_out.group}: "
            f"put tensors of higher rank into {rep_in}"
        )
    shapes, scales = {"first": [], "second": [], "mix": []}, []
    for rows, own in found:
        for _, rank, summed, _, columns, _, others in own:
            shapes["first"].append((rank, len(others)))
            shapes["second"].append((rank, len(columns)))
            shapes["mix"].append((len(rows), rank))
            scales.append(1 / math.sqrt(rank * len(own) * summed))

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
            for formula, _, _, t, columns, u, others in own:
                left = _mixed(x, next(first), others)
                right = _mixed(x, next(second), columns)
                grids = [(*part.shape[:-1], *(rep.dim for rep in word)) for part, word in ((left, u), (right, t))]
                product = jnp.einsum(formula, left.reshape(grids[0]), right.reshape(grids[1]))
                product = product.reshape(*left.shape[:-1], rows.shape[1])
                total += jnp.einsum("ar,...rd->...ad", jnp.asarray(next(mix), x.dtype), product)
            parts.append(total.reshape(*x.shape[:-1], rows.size))
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
