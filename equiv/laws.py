"""Laws as measurements: how far is this from being a group, a representation, an equivariant map?

Every ``measure_*`` returns a ``Report``; every ``assert_*`` raises if the report breaks its budget. The unit of error
is the machine epsilon of the dtype the function computes in,

    eps_units = max |lhs - rhs| / (eps(dtype) * scale),
    scale = max(rms of rhs over all pairs, rms of rhs of this pair),

so that one budget serves both precisions: a right layer stays below 50 in float32 *and* in float64, while a break of
one part in a thousand shows as 1e4 units in float32 and 5e12 in float64. The group acts in float64 whatever the
function's precision; what is measured is the function. It is called under your own JAX settings, on one sample, mapped
and compiled here.

Three kinds of pairs (g, x) are tried. *Edge* elements: identity, generators and their inverses, all elements of a
small finite group, near-identity (1e-8), the angle pi, long products, improper ones; and edge inputs: zero, ones,
single coordinates. *Random* pairs, enough of them to meet a break that lives in one thousandth of the directions.
*Climbs* from the worst of these: gradient ascent of the error over the algebra (for a Lie group) and over the input, at
constant length.

NaN, infinity, an output that is zero, that does not depend on the input, or (for a ``Layer``) that does not depend on
the parameters are not equivariance but emptiness: the report names the problem and its error is infinite.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from equiv import numerics
from equiv.groups import Element, Group, Homomorphism
from equiv.layers import Layer
from equiv.reps import Rep, scalar

__all__ = [
    "BUDGET",
    "Report",
    "assert_equivariance",
    "assert_group_axioms",
    "assert_homomorphism",
    "assert_invariance",
    "edge_elements",
    "measure_equivariance",
    "measure_group_axioms",
    "measure_homomorphism",
    "measure_invariance",
]

BUDGET = 50.0
"""eps units that a right row stays below, in float32 and in float64."""

_SMALL = 64
"""All elements of a finite group up to this order are edge elements."""

_NEAR = 1e-8
"""How near the identity the near-identity elements are."""

_CHUNK = 256
"""Pairs evaluated at once, and how many of the worst ones climb."""


@dataclasses.dataclass(frozen=True)
class Report:
    """What a measurement found; ``str(report)`` is meant to be read.

    Attributes:
        law: "equivariance", "invariance", "group axioms" or "homomorphism".
        subject: what was measured.
        dtype: the precision it computed in.
        error: largest absolute difference of the two sides.
        scale: the size it is compared with at the worst pair.
        eps_units: ``error / (eps(dtype) * scale)``; infinite if there is a problem.
        worst: the arguments of the largest error, as numpy arrays: ``(g, x)``, or the elements of an axiom.
        where: how they were found, or which axiom it was.
        n_pairs: how many pairs were tried.
        problem: why no error could be stated, or None.
    """

    law: str
    subject: str
    dtype: str
    error: float
    scale: float
    eps_units: float
    worst: Any
    where: str
    n_pairs: int
    problem: str | None = None

    def __str__(self) -> str:
        lines = [f"{self.law} of {self.subject} in {self.dtype}"]
        if self.problem:
            lines.append(f"  broken: {self.problem}")
        else:
            lines.append(f"  {self.eps_units:.3g} eps units: error {self.error:.2g} on the scale {self.scale:.2g}")
        lines.append(f"  {'seen' if self.problem else 'worst'} at: {self.where} (of {self.n_pairs} pairs)")
        with np.printoptions(precision=4, suppress=True, threshold=12, linewidth=100):
            for name, value in zip(("g", "x") if self.law.endswith("variance") else ("g", "h", "k"), self.worst):
                shown = str(value).replace("\n", "\n      ")
                lines.append(f"  {name} = {shown}")
        return "\n".join(lines)

    def within(self, budget: float) -> "Report":
        """The report itself, if it is within a budget of eps units.

        Args:
            budget: the most eps units allowed.

        Raises:
            AssertionError: it is not; the message is the report.
        """
        if not self.eps_units <= budget:
            raise AssertionError(f"{self}\n  the budget is {budget:g} eps units")
        return self


def edge_elements(group: Group) -> tuple[list[str], Element]:
    """The elements every law is tried on, with their names.

    Args:
        group: any group.

    Returns:
        Names, and the elements stacked, as numpy arrays in float64.

    Example:
        >>> from equiv.groups import cyclic
        >>> edge_elements(cyclic(2))[0]
        ['identity', 'generator 0', 'inverse of generator 0', 'product of 32', 'element 0', 'element 1']
    """
    axes = [f"axis {k}" for k in range(group.dim)] + ["the diagonal"] if group.dim else []
    n_steps = jax.tree.leaves(jax.eval_shape(group.generators))[0].shape[0]
    length, radius = _reach(group)
    names = ["identity"]
    names += [f"generator {k}" for k in range(n_steps)]
    names += [f"inverse of generator {k}" for k in range(n_steps)]
    for size in (_NEAR, radius, -radius / 2):
        for axis in axes:
            turned = f"{size:.4g} along {axis}"
            names += [turned, *(f"generator {k} after {turned}" for k in range(n_steps))]
    names.append(f"product of {length}")
    if group.order is not None and group.order <= _SMALL:
        listed = jax.tree.leaves(jax.eval_shape(group.elements))[0].shape[0]
        names += [f"element {k}" for k in range(listed)]
    with numerics.float64():
        return names, jax.tree.map(np.asarray, _edges(group))


def _reach(group: Group) -> tuple[int, float]:
    """Length of the long product and radius in the algebra: 32 factors and pi, or 8 and 1 where elements can grow."""
    return (32, math.pi) if group.compact else (8, 1.0)


@functools.partial(jax.jit, static_argnums=0)
def _edges(group: Group) -> Element:
    length, radius = _reach(group)
    identity, steps = group.identity(), group.generators()
    n_steps = jax.tree.leaves(steps)[0].shape[0]
    parts = [jax.tree.map(lambda leaf: leaf[None], identity), steps, group.inverse(steps)]
    if group.dim:
        axes = np.concatenate([np.eye(group.dim), np.ones((1, group.dim)) / math.sqrt(group.dim)])
        sizes = np.array([_NEAR, radius, -radius / 2])
        turned = group.exp(jnp.asarray(sizes[:, None, None] * axes))  # (sizes, axes)
        before = jax.tree.map(lambda e, k: jnp.concatenate([e[None], k]), identity, steps)
        every = group.compose(
            jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (3, len(axes), *leaf.shape)), before),
            jax.tree.map(lambda leaf: jnp.repeat(leaf[:, :, None], 1 + n_steps, axis=2), turned),
        )  # (sizes, axes, identity and generators)
        parts.append(jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[3:]), every))
    drawn = group.sample(jax.random.key(7), (length,))
    long, _ = jax.lax.scan(lambda g, h: (group.compose(g, h), None), identity, drawn)
    parts.append(jax.tree.map(lambda leaf: leaf[None], long))
    if group.order is not None and group.order <= _SMALL:
        parts.append(group.elements())
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)


def _repeat(element: Element, n: int) -> Element:
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (n, *leaf.shape)), element)


def _take(tree: Any, index: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], tree)


@functools.partial(jax.jit, static_argnums=(0, 2, 3))
def _drawn(group: Group, key: jax.Array, n: int, dtype: Any = float) -> Element:
    return group.sample(key, (n,), dtype)


def _tried(group: Group, key: jax.Array, n: int, dtype: np.dtype) -> tuple[list[str], Element, Element]:
    """Names of the edge elements; these and ``n`` drawn ones in one stack; drawn partners, two for each."""
    names, edges = edge_elements(group)
    m = len(names)
    drawn = _drawn(group, key, 3 * (m + n), dtype)
    first, partners = _take(drawn, slice(m, m + n)), _take(drawn, slice(m + n, None))
    g = jax.tree.map(lambda e, leaf: jnp.concatenate([jnp.asarray(e, leaf.dtype), leaf]), edges, first)
    return names, g, jax.tree.map(lambda leaf: leaf.reshape(2, m + n, *leaf.shape[1:]), partners)


def _dtype(dtype: Any) -> np.dtype:
    dtype = jnp.dtype(jax.dtypes.canonicalize_dtype(dtype) if dtype is float else dtype)
    if dtype == jnp.float64 and not jax.config.jax_enable_x64:
        raise ValueError(
            "float64 was asked for but is switched off in JAX; call jax.config.update('jax_enable_x64', True) first"
        )
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"laws are measured in a floating dtype, got {dtype}; give jnp.float32 or jnp.float64")
    return dtype


def _spread(group: Group, g: Element, n_axes: int) -> Element:
    """Elements with ``n_axes`` axes of length 1 after the batch axes, to act on inputs with inner axes."""
    n_batch = len(group.batch_shape(g))

    def widen(leaf: jax.Array) -> jax.Array:
        return leaf.reshape(leaf.shape[:n_batch] + (1,) * n_axes + leaf.shape[n_batch:])

    return jax.tree.map(widen, g)


def _move(rep: Rep, n_inner: int, g: Element, x: jax.Array) -> jax.Array:
    """``g x`` for pairs, where one x has ``n_inner`` axes before its last."""
    return rep.act(_spread(rep.group, g, n_inner), x)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _inputs(rep: Rep, n_inner: int, dtype: np.dtype, g: Element, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``x`` and ``g x``, moved in float64, in the function's dtype."""
    return x.astype(dtype), _move(rep, n_inner, g, x).astype(dtype)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _compare(rep: Rep, n_inner: int, g: Element, y: jax.Array, moved: jax.Array) -> tuple[jax.Array, ...]:
    """``f(gx) - g f(x)``, its largest entry, and the mean square of ``g f(x)``, per pair."""
    rhs = _move(rep, n_inner, g, y.astype(jnp.float64))
    difference = moved.astype(jnp.float64) - rhs
    axes = tuple(range(1, difference.ndim))
    return difference, jnp.max(jnp.abs(difference), axis=axes), jnp.mean(rhs**2, axis=axes)


@functools.partial(jax.jit, static_argnums=0)
def _turned(group: Group, g: Element, a: jax.Array) -> Element:
    """``g exp(a)``."""
    return group.compose(g, group.exp(a)) if group.dim else g


@functools.partial(jax.jit, static_argnums=(0, 1))
def _slopes(
    rep: Rep, n_inner: int, g: Element, a: jax.Array, x: jax.Array, slope: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The derivatives of ``<slope, g exp(a) x>`` in the algebra vector a and in x."""
    return jax.vjp(lambda a, x: _move(rep, n_inner, _turned(rep.group, g, a), x), a, x)[1](slope)


@functools.partial(jax.jit, static_argnums=0)
def _step(
    dtype: np.dtype, size: jax.Array, a: jax.Array, da: jax.Array, x: jax.Array, dx: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Each pair moved by ``size`` along its ascent directions, the length of x unchanged and x exact in ``dtype``."""

    def unit(v: jax.Array) -> jax.Array:
        flat = jnp.nan_to_num(v.reshape(len(v), -1), posinf=0.0, neginf=0.0)
        return numerics.normalize(flat).reshape(v.shape)

    length = numerics.norm(x.reshape(len(x), -1)).reshape((-1,) + (1,) * (x.ndim - 1))
    stepped = length * unit(x + size * length * unit(dx))
    return a + size * unit(da), stepped.astype(dtype).astype(jnp.float64)


class _Subject:
    """A function between two representations, called in its own dtype, and the float64 action around it."""

    def __init__(self, f: Callable, rep_in: Rep, rep_out: Rep, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.rep_in, self.rep_out, self.dtype, self.inner_in = rep_in, rep_out, dtype, len(shape)
        sample = jax.ShapeDtypeStruct((*shape, rep_in.dim), dtype)
        out = jax.eval_shape(f, sample)
        if not hasattr(out, "shape") or out.ndim == 0 or out.shape[-1] != rep_out.dim:
            given = getattr(out, "shape", type(out).__name__)
            raise ValueError(
                f"the function gives {given} for one input of shape {sample.shape}, "
                f"but {rep_out} needs a last axis of {rep_out.dim}"
            )
        self.out_dtype, self.inner_out = out.dtype, out.ndim - 1
        mapped = jax.vmap(f)
        self._call = jax.jit(mapped)
        self._pull = jax.jit(lambda a, da, b, db: (jax.vjp(mapped, a)[1](da)[0], jax.vjp(mapped, b)[1](db)[0]))

    def evaluate(self, g: Element, x: np.ndarray) -> tuple[jax.Array, ...]:
        """(f(x), f(gx), difference, error, mean square of g f(x)) of pairs in float64."""
        with numerics.float64():
            own_x, moved_x = _inputs(self.rep_in, self.inner_in, self.dtype, g, x)
        y, moved = self._call(own_x), self._call(moved_x)
        with numerics.float64():
            return y, moved, *_compare(self.rep_out, self.inner_out, g, y, moved)

    def climb(
        self, size: float, start: Element, a: np.ndarray, x: np.ndarray, y: jax.Array, difference: jax.Array
    ) -> tuple[np.ndarray, np.ndarray]:
        """One step of ascent of ``|f(gx) - g f(x)|^2 / 2`` with ``g = start exp(a)``, in a and the direction of x."""
        with numerics.float64():
            own_x, moved_x = _inputs(self.rep_in, self.inner_in, self.dtype, _turned(self.rep_in.group, start, a), x)
            a_out, dy = _slopes(self.rep_out, self.inner_out, start, a, y.astype(jnp.float64), -difference)
            difference, dy = difference.astype(self.out_dtype), dy.astype(self.out_dtype)
        d_moved, d_own = self._pull(moved_x, difference, own_x, dy)
        with numerics.float64():
            a_in, dx = _slopes(self.rep_in, self.inner_in, start, a, x, d_moved.astype(jnp.float64))
            stepped = _step(self.dtype, size, a, a_in + a_out, x, dx + d_own.astype(jnp.float64))
            return jax.tree.map(np.asarray, stepped)


def _generator(key: jax.Array) -> np.random.Generator:
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def _wake(params: Any, key: jax.Array) -> Any:
    """Parameters moved off their initial values, so that none is zero and hides what it multiplies."""
    rng = _generator(key)

    def move(leaf: jax.Array) -> jax.Array:
        if not jnp.issubdtype(leaf.dtype, jnp.floating) or not leaf.size:
            return leaf
        own = np.asarray(leaf, np.float64)
        return jnp.asarray(own + (np.sqrt(np.mean(own**2)) or 1.0) * rng.normal(size=leaf.shape), leaf.dtype)

    return jax.tree.map(move, params)


@dataclasses.dataclass(frozen=True)
class _Pairs:
    """The pairs (g, x) that are tried: which element, which input, and how to name them."""

    elements: Element
    inputs: np.ndarray
    element_names: list[str]
    input_names: list[str]
    g_at: np.ndarray
    x_at: np.ndarray

    def __len__(self) -> int:
        return len(self.g_at)

    def take(self, rows: np.ndarray) -> tuple[Element, np.ndarray]:
        return _take(self.elements, self.g_at[rows]), self.inputs[self.x_at[rows]]

    def name(self, row: int) -> str:
        g, x = self.g_at[row], self.x_at[row]
        element = self.element_names[g] if g < len(self.element_names) else f"random element {g}"
        return element + (f" on {self.input_names[x]}" if x < len(self.input_names) else "")


def _pairs(group: Group, key: jax.Array, n: int, shape: tuple[int, ...], dtype: np.dtype) -> _Pairs:
    """Edge elements on drawn inputs, drawn elements on edge inputs, and ``n`` drawn pairs, the last ones."""
    k_g, k_x = jax.random.split(key)
    names, edges = edge_elements(group)
    with numerics.float64():
        drawn = jax.tree.map(np.asarray, _drawn(group, k_g, n))
    count, n_edges = math.prod(shape), len(names)
    n_single = min(count, 8)
    special = np.concatenate([np.zeros((1, count)), np.ones((1, count)), np.eye(count)[:n_single]])
    inputs = np.concatenate([special, _generator(k_x).normal(size=(n, count))]).astype(dtype).astype(np.float64)
    each, n_special = np.arange(n), len(special)
    return _Pairs(
        elements=jax.tree.map(lambda a, b: np.concatenate([a, b]), edges, drawn),
        inputs=inputs.reshape(-1, *shape),
        element_names=names,
        input_names=["zero", "ones", *(f"coordinate {k}" for k in range(n_single))],
        g_at=np.concatenate(
            [np.repeat(np.arange(n_edges), 4), n_edges + np.resize(each, 4 * n_special), n_edges + each]
        ),
        x_at=np.concatenate(
            [n_special + np.resize(each, 4 * n_edges), np.tile(np.arange(n_special), 4), n_special + each]
        ),
    )


def measure_equivariance(
    f: Layer | Callable,
    rep_in: Rep | None = None,
    rep_out: Rep | None = None,
    *,
    key: jax.Array,
    dtype: Any = float,
    shape: tuple[int, ...] = (),
    n: int = 8192,
    climbs: int = 16,
) -> Report:
    """How far ``f(g x) = g f(x)`` is from true, in eps units.

    Args:
        f: a ``Layer``, or any JAX-traceable function of one input ``(*shape, rep_in.dim)``: a bound Flax module, an
            e3nn-jax function, a plain one. Its output is one array with last axis ``rep_out.dim``.
        rep_in: how the group acts on the input's last axis; read off a ``Layer``.
        rep_out: how it acts on the output's last axis; read off a ``Layer``.
        key: for the draws, and for a layer's parameters.
        dtype: the precision the function is called in.
        shape: leading axes of one input, for instance ``(n_points,)``; the group moves all of them at once.
        n: random pairs. A break on a fraction p of the inputs is missed with probability ``(1 - 2 p)**n``.
        climbs: steps of gradient ascent from the worst pairs; 0 for a function without derivatives.

    Returns:
        The report.

    Raises:
        ValueError: representations missing or of two groups; output of another length; ``n`` below 2; float64 while it
            is switched off.
        TypeError: ``dtype`` is not a floating one.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> v = standard(so(3))
        >>> report = measure_equivariance(lambda x: x * jnp.sum(x**2), v, v, key=jax.random.key(0), n=256)
        >>> report.eps_units < 50
        True
    """
    dtype = _dtype(dtype)
    if n < 2:
        raise ValueError(f"measuring needs n of at least 2 random pairs, got {n}")
    k_params, k_other, k_pairs = jax.random.split(key, 3)
    subject = getattr(f, "name", None) or getattr(f, "__name__", type(f).__name__)
    layer = f if isinstance(f, Layer) else None
    if layer is not None:
        rep_in, rep_out = rep_in or layer.rep_in, rep_out or layer.rep_out
        params = _wake(jax.jit(lambda k: layer.init(k, dtype))(k_params), k_params)
        f = lambda x: layer.apply(params, x)
    if rep_in is None or rep_out is None:
        raise ValueError("measure_equivariance needs rep_in and rep_out for a function; only a Layer knows its own")
    if rep_in.group != rep_out.group:
        raise ValueError(
            f"rep_in is one of {rep_in.group} and rep_out one of {rep_out.group}; they have to be of one group"
        )
    measured = _Subject(f, rep_in, rep_out, tuple(shape), dtype)
    pairs = _pairs(rep_in.group, k_pairs, n, (*shape, rep_in.dim), dtype)

    size = min(_CHUNK, len(pairs))
    outputs, error, square, finite = [], [], [], []
    for start in range(0, len(pairs), size):
        y, moved, _, e, s = measured.evaluate(*pairs.take(np.arange(start, start + size) % len(pairs)))
        y, moved = (np.asarray(a, np.float64).reshape(size, -1) for a in (y, moved))
        outputs.append(y)
        error.append(np.asarray(e))
        square.append(np.asarray(s))
        finite.append(np.isfinite(y).all(axis=1) & np.isfinite(moved).all(axis=1))
    outputs, error, square, finite = (np.concatenate(a)[: len(pairs)] for a in (outputs, error, square, finite))
    outputs = outputs[-n:]
    eps = float(jnp.finfo(dtype).eps)
    drawn = square[-n:][finite[-n:]]
    rms = float(np.sqrt(np.mean(drawn))) if len(drawn) else math.nan

    def report(row: int, **found: Any) -> Report:
        g, x = pairs.take(np.array([row]))
        values = {"error": math.inf, "scale": rms, "eps_units": math.inf, "where": pairs.name(row)}
        values |= {"worst": (_take(g, 0), x[0]), "n_pairs": len(pairs)} | found
        return Report(law="equivariance", subject=subject, dtype=str(dtype), **values)

    if not finite.all():
        return report(int(np.argmin(finite)), problem=f"NaN or infinity in the output of {int(np.sum(~finite))} pairs")
    if measured.out_dtype != dtype:
        return report(0, problem=f"the function was given {dtype} and returned {measured.out_dtype}")
    if rms == 0:
        return report(len(pairs) - 1, problem="the output is zero for every input")
    if np.abs(outputs - outputs[:1]).max() <= 4 * eps * rms:
        return report(len(pairs) - 1, problem="the output does not depend on the input")
    if layer is not None and jax.tree.leaves(params):
        few = jnp.asarray(pairs.take(np.arange(-min(n, size), 0))[1], dtype)
        changed = jax.jit(jax.vmap(layer.apply, in_axes=(None, 0)))(_wake(params, k_other), few)
        changed = np.asarray(changed, np.float64).reshape(len(few), -1)
        if np.abs(changed - outputs[-len(few) :]).max() <= 4 * eps * rms:
            return report(len(pairs) - 1, problem="the output does not depend on the parameters")

    scale = np.maximum(np.sqrt(square), rms)
    units = error / (eps * scale)
    rows = np.argsort(-units)[:size]
    ranked = rows.tolist()
    worst = ranked[0]
    best = report(worst, error=float(error[worst]), scale=float(scale[worst]), eps_units=float(units[worst]))
    start, x = pairs.take(rows)
    a = np.zeros((size, rep_in.group.dim))
    y, _, difference, _, _ = measured.evaluate(start, x)
    for length in np.geomspace(0.3, 0.003, climbs):
        a, x = measured.climb(length, start, a, x, y, difference)
        with numerics.float64():
            g = jax.tree.map(np.asarray, _turned(rep_in.group, start, a))
        y, _, difference, e, s = measured.evaluate(g, x)
        scale = np.maximum(np.sqrt(np.asarray(s)), rms)
        units = np.where(np.isfinite(e), np.asarray(e) / (eps * scale), math.inf)
        at = int(np.argmax(units))
        found = {"worst": (_take(g, at), x[at]), "where": f"climb from {pairs.name(ranked[at])}"}
        if math.isinf(units[at]):
            return report(ranked[at], **found, problem="NaN or infinity in the output along a climb")
        if units[at] > best.eps_units:
            best = report(ranked[at], **found, error=float(e[at]), scale=float(scale[at]), eps_units=float(units[at]))
    return best


def measure_invariance(f: Callable, rep_in: Rep, *, key: jax.Array, **options: Any) -> Report:
    """How far ``f(g x) = f(x)`` is from true, in eps units.

    Args:
        f: as in ``measure_equivariance``; its output is one array of any shape.
        rep_in: how the group acts on the input's last axis.
        key: for the draws.
        options: ``dtype``, ``shape``, ``n`` and ``climbs`` of ``measure_equivariance``.

    Raises:
        ValueError: as ``measure_equivariance``.

    Example:
        >>> from equiv.groups import o
        >>> from equiv.reps import standard
        >>> measure_invariance(lambda x: jnp.sum(x**2), standard(o(3)), key=jax.random.key(0), n=256).eps_units < 50
        True
    """
    sample = jax.ShapeDtypeStruct((*options.get("shape", ()), rep_in.dim), _dtype(options.get("dtype", float)))
    out = jax.eval_shape(f, sample)
    flat = lambda x: f(x).reshape(-1)
    found = measure_equivariance(flat, rep_in, scalar(rep_in.group, max(math.prod(out.shape), 1)), key=key, **options)
    return dataclasses.replace(found, law="invariance", subject=getattr(f, "__name__", type(f).__name__))


def _sides(parts: dict[str, tuple], law: str, subject: str, dtype: np.dtype, names: list[str]) -> Report:
    """The report of a table of ``what -> (lhs, rhs, arguments)``, batched along the first axis, trees leaf by leaf."""
    eps, best = float(jnp.finfo(dtype).eps), None
    count = 0
    for what, (lhs, rhs, arguments) in parts.items():
        a, b = (
            np.concatenate(
                [np.asarray(leaf, np.float64).reshape(leaf.shape[0], -1) for leaf in jax.tree.leaves(side)], axis=1
            )
            for side in (lhs, rhs)
        )
        if not a.size:
            continue
        count += len(a)
        arguments = jax.tree.map(np.asarray, arguments)
        finite = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
        if not finite.all():
            i = int(np.argmin(finite))
            where = what if i >= len(names) else f"{what} at {names[i]}"
            problem = f"NaN or infinity in {int(np.sum(~finite))} cases of {what}"
            return Report(law, subject, str(dtype), math.inf, 1.0, math.inf, _take(arguments, i), where, count, problem)
        error = np.abs(a - b).max(axis=1)
        scale = np.maximum(np.sqrt(np.mean(b**2)), np.sqrt(np.mean(b**2, axis=1)))
        scale = np.where(scale > 0, scale, 1.0)
        units = error / (eps * scale)
        i = int(np.argmax(units))
        if best is None or units[i] > best.eps_units:
            where = what if i >= len(names) else f"{what} at {names[i]}"
            best = Report(
                law,
                subject,
                str(dtype),
                float(error[i]),
                float(scale[i]),
                float(units[i]),
                _take(arguments, i),
                where,
                count,
            )
    return dataclasses.replace(best, n_pairs=count)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _axioms(
    group: Group, dtype: np.dtype, g: Element, partners: Element, x: jax.Array, t: jax.Array
) -> dict[str, tuple]:
    """What is compared: ``axiom -> (lhs, rhs, arguments)``; each function is called on a stack."""

    def stack(*parts: Any) -> Any:
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)

    h, k = _take(partners, 0), _take(partners, 1)
    total = len(t)
    e = _repeat(group.identity(dtype), total)
    inverse = group.inverse(g)
    gh, hk, eg, ge, left, right, kg, kh = (
        _take(group.compose(stack(g, h, e, g, inverse, g, k, k), stack(h, k, g, e, g, inverse, g, h)), i)
        for i in range(8)
    )
    long = group.compose(stack(gh, g), stack(k, hk))
    apart = group.distance(stack(g, g, h, kg), stack(g, h, g, kh))[..., None]
    parts = {
        "associativity (gh)k = g(hk)": (_take(long, 0), _take(long, 1), (g, h, k)),
        "identity eg = g": (eg, g, (g,)),
        "identity ge = g": (ge, g, (g,)),
        "inverse g^-1 g = e": (left, e, (g,)),
        "inverse g g^-1 = e": (right, e, (g,)),
        "distance d(g, g) = 0": (apart[0], jnp.zeros_like(apart[0]), (g,)),
        "distance d(g, h) = d(h, g)": (apart[1], apart[2], (g, h)),
    }
    if group.compact:
        parts["distance d(kg, kh) = d(g, h)"] = (apart[3], apart[1], (g, h, k))
    if group.dim:
        turned = group.exp(jnp.stack([t * x, (1 - t) * x, x, jnp.zeros_like(x)]))
        once, rest, whole, nothing = (_take(turned, i) for i in range(4))
        parts["exp(tx) exp((1-t)x) = exp(x)"] = (group.compose(once, rest), whole, (t * x, (1 - t) * x))
        parts["log(exp x) = x"] = (group.log(once), t * x, (t * x,))
        parts["exp(0) = e"] = (nothing, e, (jnp.zeros_like(x),))
    return parts


def measure_group_axioms(group: Group, *, key: jax.Array, dtype: Any = float, n: int = 1024) -> Report:
    """How far a group is from obeying its axioms; the worst one is named.

    Associativity, identity and inverse from both sides; ``exp(s x) exp(t x) = exp((s + t) x)`` and ``log(exp x) = x``;
    a distance that is zero on equal elements only and is left-invariant where the group is compact; and for a listed
    group: as many different elements as its order, closed, in the order of ``index``, reached by the generators.

    Args:
        group: any group; products of edge elements and of drawn ones are tried.
        key: for the draws.
        dtype: precision of the elements.
        n: drawn triples.

    Returns:
        The report; an integer group is either exact or wrong by 1 / eps units.

    Example:
        >>> from equiv.groups import dihedral
        >>> measure_group_axioms(dihedral(5), key=jax.random.key(0)).eps_units
        0.0
    """
    dtype = _dtype(dtype)
    k_elements, k_algebra = jax.random.split(key)
    names, g, partners = _tried(group, k_elements, n, dtype)
    rng, total = _generator(k_algebra), len(names) + n
    x = rng.normal(size=(total, group.dim))
    x *= (2.5 if group.compact else 1.0) / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300)
    parts = _axioms(group, dtype, g, partners, x.astype(dtype), rng.uniform(size=(total, 1)).astype(dtype))
    names = [*names, *(f"random triple {i}" for i in range(n))]
    found = _sides(parts, "group axioms", group.name, dtype, names)
    if found.problem is None and group.order is not None and group.order <= 2000:
        problem = _listing_problem(group, dtype)
        if problem:
            found = dataclasses.replace(
                found, problem=problem, error=math.inf, eps_units=math.inf, where="the list of elements"
            )
    return found


def _listing_problem(group: Group, dtype: np.dtype) -> str | None:
    """What is wrong with the list of a finite group's elements, or None."""
    elements = group.elements(dtype)
    order = jax.tree.leaves(elements)[0].shape[0]
    if order != group.order:
        return f"elements() lists {order} elements, but the order is {group.order}"
    if not np.array_equal(np.asarray(group.index(elements)), np.arange(order)):
        return "index() does not count elements() up from 0, or an element is listed twice"
    if float(group.distance(_take(elements, 0), group.identity(dtype))) > 1e-4:
        return "elements() does not start with the identity"
    steps = group.generators(dtype)
    n_steps = jax.tree.leaves(steps)[0].shape[0]

    def neighbours(step: Element) -> tuple[jax.Array, jax.Array]:
        moved = group.compose(jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (order, *leaf.shape)), step), elements)
        index = group.index(moved)
        return index, jnp.max(group.distance(moved, _take(elements, index)))

    reached = np.zeros(order, bool)
    reached[0] = True
    if n_steps:
        moved, away = jax.jit(jax.vmap(neighbours))(steps)
        if float(jnp.max(away)) > 1e-4:
            return "elements() is not closed: a generator leads out of it"
        before = 0
        while before < reached.sum():
            before = reached.sum()
            reached[np.asarray(moved)[:, reached]] = True
    if not reached.all():
        return f"the generators reach {int(reached.sum())} of the {order} elements"
    return None


@functools.partial(jax.jit, static_argnums=(0, 1))
def _map_sides(rho: Homomorphism, dtype: np.dtype, g: Element, h: Element) -> dict[str, tuple]:
    """What is compared for a map of groups: ``what -> (lhs, rhs, arguments)``."""
    n = jax.tree.leaves(g)[0].shape[0]
    e, target = _repeat(rho.source.identity(dtype), n), _repeat(rho.target.identity(dtype), n)
    product = rho.target.compose(rho.map(g, dtype), rho.map(h, dtype))
    return {
        "rho(gh) = rho(g) rho(h)": (rho.map(rho.source.compose(g, h), dtype), product, (g, h)),
        "rho(e) = 1": (rho.map(e, dtype), target, (e,)),
    }


@functools.partial(jax.jit, static_argnums=0)
def _rep_sides(rep: Rep, g: Element, h: Element, v: jax.Array, w: jax.Array, t: jax.Array) -> dict[str, tuple]:
    """What is compared for a representation: ``what -> (lhs, rhs, arguments)``; it acts twice, on a stack."""
    e = _repeat(rep.group.identity(v.dtype), len(v))
    elements = jax.tree.map(lambda *leaves: jnp.stack(leaves), rep.group.compose(g, h), h, e, g, g, g)
    once, inner, still, gv, gw, whole = rep.act(elements, jnp.stack([v, v, v, v, w, v + t * w]))
    parts = {
        "rho(gh) v = rho(g) rho(h) v": (once, rep.act(g, inner), (g, h)),
        "rho(e) v = v": (still, v, (e,)),
        "rho(g) (v + t w) = rho(g) v + t rho(g) w": (whole, gv + t * gw, (g,)),
    }
    if rep.orthogonal:
        parts["|rho(g) v| = |v|"] = (numerics.norm(gv)[:, None], numerics.norm(v)[:, None], (g,))
    return parts


def measure_homomorphism(rho: Rep | Homomorphism, *, key: jax.Array, dtype: Any = float, n: int = 1024) -> Report:
    """How far ``rho(g h) = rho(g) rho(h)``, ``rho(e) = 1`` is from true, in eps units.

    A representation is also tried for linearity, and for the norm where it says that it is orthogonal.

    Args:
        rho: a representation, or a homomorphism of groups.
        key: for the draws.
        dtype: precision of elements and vectors.
        n: drawn pairs.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> measure_homomorphism(standard(so(3)) * standard(so(3)), key=jax.random.key(0)).eps_units < 50
        True
    """
    dtype = _dtype(dtype)
    group = rho.group if isinstance(rho, Rep) else rho.source
    k_elements, k_vectors = jax.random.split(key)
    names, g, partners = _tried(group, k_elements, n, dtype)
    h = _take(partners, 0)
    if isinstance(rho, Rep):
        rng = _generator(k_vectors)
        v, w, t = (rng.normal(size=(len(names) + n, k)).astype(dtype) for k in (rho.dim, rho.dim, 1))
        parts = _rep_sides(rho, g, h, v, w, t)
    else:
        parts = _map_sides(rho, dtype, g, h)
    return _sides(parts, "homomorphism", str(rho), dtype, [*names, *(f"random pair {i}" for i in range(n))])


def _asserting(measure: Callable[..., Report], article: str) -> Callable[..., Report]:
    def check(*args: Any, budget: float = BUDGET, **kwargs: Any) -> Report:
        return measure(*args, **kwargs).within(budget)

    check.__name__ = check.__qualname__ = measure.__name__.replace("measure", "assert")
    check.__doc__ = f"""Measure, and raise AssertionError with the printed report if ``eps_units`` is above ``budget``.

    Args:
        args: as in ``{measure.__name__}``.
        budget: the most eps units allowed.
        kwargs: as in ``{measure.__name__}``.

    Returns:
        The report, if it is within the budget.

    Raises:
        AssertionError: {article} is broken; the message is the report.
    """
    return check


assert_equivariance = _asserting(measure_equivariance, "the equivariance")
assert_invariance = _asserting(measure_invariance, "the invariance")
assert_group_axioms = _asserting(measure_group_axioms, "an axiom")
assert_homomorphism = _asserting(measure_homomorphism, "the homomorphism law")
