"""Groups as records of functions on plain arrays.

An *element* is an array, or a small tuple of arrays for a product. The record knows how many trailing axes belong
to one element; every axis before them is a batch axis and broadcasts, so ``vmap``, ``scan`` and files need nothing
special:

======================  ===============================  =====================
group                   element                          shape of one element
======================  ===============================  =====================
cyclic, dihedral        int32                            ``()``
symmetric(n)            int32, the images of 0 ... n-1   ``(n,)``
shifts(shape)           int32, one shift per axis        ``(len(shape),)``
matrix groups           matrix                           ``(n, n)``
product(G, H)           ``(g, h)``                       that of each
affine(n, H), se, e     ``(translation, matrix)``        ``(n,)``, ``(n, n)``
======================  ===============================  =====================

The left action convention holds everywhere: ``compose(g, h)`` acts with ``h`` first. The Lie algebra has coordinates
``x: (..., dim)``; a finite group has ``dim == 0`` and ``exp`` of the empty vector is the identity. Group elements that
carry no dtype of their own (integers) ignore ``dtype`` arguments; ``dtype=float`` means JAX's default float.

Every record of the library carries a ``spec``, a nested tuple which says what it *is*. Builders intern their records
by it: building the same thing twice gives the same object, so records compare and hash by identity, fast, and compiled
programs are shared; a copy with one function exchanged (``dataclasses.replace``) is another object and never mistaken
for the first. They are static pytree nodes: they can be closed over, passed to ``jit`` as static arguments, or kept in
a Flax field.
"""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["Element", "Group", "Homomorphism", "intern", "product", "projection"]

Element = Any
"""One or many group elements: an array or a tuple of arrays."""


_Record = TypeVar("_Record")
_BUILT: dict[tuple, Any] = {}


def intern(record: _Record) -> _Record:
    """The first record built with this spec; every builder returns through here.

    Example:
        >>> from equiv.groups import cyclic, product
        >>> product(cyclic(2), cyclic(3)) is product(cyclic(2), cyclic(3))
        True
    """
    return _BUILT.setdefault((type(record), record.spec), record)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """A group: what it is (``spec``), its size, and its operations.

    Attributes:
        spec: nested tuple of what defines the group.
        name: how it is printed.
        dim: dimension of its Lie algebra; 0 if discrete.
        order: number of elements, None if infinite.
        compact: whether it is compact.
        shape: shape of one element, or a tuple of such for a product.
        identity: ``identity(dtype=float) -> e``.
        compose: ``compose(g, h) -> g h``, ``h`` acts first.
        inverse: ``inverse(g) -> g^-1``.
        exp: ``exp(x: (..., dim)) -> g``.
        log: ``log(g) -> x: (..., dim)``, right inverse of ``exp`` near the identity; NaN where there is no logarithm.
        sample: ``sample(key, shape=(), dtype=float) -> g`` with batch axes ``shape``; Haar measure of mass 1 for every
            compact group that has a name (``from_generators`` states its own law).
        distance: ``distance(g, h) -> (...)``, zero only for equal elements, invariant under left translation
            where the group is compact.
        elements: ``elements(dtype=float)``, all of them stacked, the identity first; ValueError if infinite.
        index: ``index(g) -> (...)``, the position of ``g`` in ``elements()``; ValueError if infinite.
        generators: ``generators(dtype=float)``, stacked; with ``exp`` they generate the group. May be empty.
        lie: ``lie()``, the basis ``d/dt exp(t e_k)`` at 0 of the Lie algebra of a matrix group: (dim, n, n), numpy,
            float64; ValueError for elements that are no matrices.
    """

    spec: tuple
    name: str
    dim: int
    order: int | None
    compact: bool
    shape: tuple = dataclasses.field(repr=False)
    identity: Callable[..., Element] = dataclasses.field(repr=False)
    compose: Callable[[Element, Element], Element] = dataclasses.field(repr=False)
    inverse: Callable[[Element], Element] = dataclasses.field(repr=False)
    exp: Callable[[jax.Array], Element] = dataclasses.field(repr=False)
    log: Callable[[Element], jax.Array] = dataclasses.field(repr=False)
    sample: Callable[..., Element] = dataclasses.field(repr=False)
    distance: Callable[[Element, Element], jax.Array] = dataclasses.field(repr=False)
    elements: Callable[..., Element] = dataclasses.field(repr=False)
    index: Callable[[Element], jax.Array] = dataclasses.field(repr=False)
    generators: Callable[..., Element] = dataclasses.field(repr=False)
    lie: Callable[[], np.ndarray] = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return self.name

    @property
    def leaf_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the arrays of one element, in the order of ``jax.tree.leaves``."""
        return jax.tree.leaves(self.shape, is_leaf=lambda node: all(isinstance(side, int) for side in node))

    def batch_shape(self, g: Element) -> tuple[int, ...]:
        """The leading (batch) axes of an element: its shape without the shape of one element."""
        leaf = jax.tree.leaves(g)[0]
        return leaf.shape[: leaf.ndim - len(self.leaf_shapes[0])]


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class Homomorphism:
    """A map of groups with ``map(g h) = map(g) map(h)``; inclusions of subgroups and projections of products.

    ``f @ g`` is the composition, ``g`` first.

    Attributes:
        spec: what it is.
        source: the group it starts from.
        target: the group it lands in.
        map: ``map(g, dtype=float)``; ``dtype`` is used where integers become matrices.
    """

    spec: tuple
    source: Group
    target: Group
    map: Callable[..., Element] = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"

    def __matmul__(self, first: "Homomorphism") -> "Homomorphism":
        if first.target != self.source:
            raise ValueError(
                f"cannot compose: the first map ends in {first.target}, the second starts from {self.source}; "
                f"they have to be the same group"
            )
        return intern(
            Homomorphism(
                spec=("composition", self.spec, first.spec),
                source=first.source,
                target=self.target,
                map=lambda g, dtype=float: self.map(first.map(g, dtype), dtype),
            )
        )


def floating(g: Element, otherwise: Any = float) -> Any:
    """The dtype an element brings along: that of its first float array, or ``otherwise`` if it is made of integers."""
    dtypes = [leaf.dtype for leaf in map(jnp.asarray, jax.tree.leaves(g)) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return dtypes[0] if dtypes else otherwise


def no_matrices(name: str, kind: str) -> Callable[[], np.ndarray]:
    """The field ``lie`` of a group whose elements are no matrices: a refusal."""

    def lie() -> np.ndarray:
        raise ValueError(f"the Lie algebra of {name} is not one of matrices, its elements are {kind}; use exp")

    return lie


def product(*groups: Group) -> Group:
    """The direct product: elements are tuples, everything is done factor by factor.

    Args:
        groups: two or more groups.

    Returns:
        The product; its algebra coordinates are those of the factors, one after the other.

    Raises:
        ValueError: fewer than two groups.

    Example:
        >>> from equiv.groups import cyclic, so
        >>> product(cyclic(4), so(3)).dim
        3
    """
    if len(groups) < 2:
        raise ValueError(f"product needs two or more groups, got {len(groups)}")
    splits = list(itertools.accumulate(g.dim for g in groups))[:-1]
    order = 1
    for g in groups:
        order = None if order is None or g.order is None else order * g.order

    def each(method: str) -> Callable[..., Element]:
        return lambda *args: tuple(getattr(g, method)(*(a[i] for a in args)) for i, g in enumerate(groups))

    def sample(key: jax.Array, shape: tuple = (), dtype: Any = float) -> Element:
        return tuple(g.sample(k, shape, dtype) for g, k in zip(groups, jax.random.split(key, len(groups))))

    def distance(g: Element, h: Element) -> jax.Array:
        dtype = floating(g)
        return sum(group.distance(a, b).astype(dtype) for group, a, b in zip(groups, g, h))

    def log(g: Element) -> jax.Array:
        dtype = floating(g)
        return jnp.concatenate([group.log(a).astype(dtype) for group, a in zip(groups, g)], axis=-1)

    def elements(dtype: Any = float) -> Element:
        parts = [g.elements(dtype) for g in groups]
        grid = jnp.meshgrid(*(jnp.arange(g.order) for g in groups), indexing="ij")
        return tuple(jax.tree.map(lambda e, i=i: e[i.ravel()], part) for part, i in zip(parts, grid))

    def index(g: Element) -> jax.Array:
        position = jnp.zeros((), jnp.int32)
        for group, a in zip(groups, g):
            if group.order is None:
                group.index(a)  # raises
            position = position * group.order + group.index(a)
        return position

    def generators(dtype: Any = float) -> Element:
        count = [jax.tree.leaves(g.generators(dtype))[0].shape[0] for g in groups]

        def pad(i: int, group: Group) -> Element:
            def stack(own: jax.Array, e: jax.Array) -> jax.Array:
                before = jnp.broadcast_to(e, (sum(count[:i]), *e.shape))
                after = jnp.broadcast_to(e, (sum(count[i + 1 :]), *e.shape))
                return jnp.concatenate([before, own, after])

            return jax.tree.map(stack, group.generators(dtype), group.identity(dtype))

        return tuple(pad(i, g) for i, g in enumerate(groups))

    name = " x ".join(g.name for g in groups)
    return intern(
        Group(
            spec=("product", *groups),
            name=name,
            dim=sum(g.dim for g in groups),
            order=order,
            compact=all(g.compact for g in groups),
            shape=tuple(g.shape for g in groups),
            identity=lambda dtype=float: tuple(g.identity(dtype) for g in groups),
            compose=each("compose"),
            inverse=each("inverse"),
            exp=lambda x: tuple(g.exp(part) for g, part in zip(groups, jnp.split(x, splits, axis=-1))),
            log=log,
            sample=sample,
            distance=distance,
            elements=elements,
            index=index,
            generators=generators,
            lie=no_matrices(name, "tuples"),
        )
    )


def projection(group: Group, factor: int) -> Homomorphism:
    """The projection of a product onto one of its factors, ``(g_0, g_1, ...) -> g_factor``.

    Args:
        group: a group made by ``product``.
        factor: which one, counted from 0.

    Raises:
        ValueError: not a product, or no such factor.

    Example:
        >>> from equiv.groups import cyclic
        >>> print(projection(product(cyclic(2), cyclic(3)), 1))
        cyclic(2) x cyclic(3) -> cyclic(3)
    """
    if group.spec[0] != "product" or not 0 <= factor < len(group.spec) - 1:
        raise ValueError(
            f"projection needs a product group and the number of one of its factors, got {group}, {factor}"
        )
    return intern(
        Homomorphism(
            spec=("projection", group, factor),
            source=group,
            target=group.spec[1 + factor],
            map=lambda g, dtype=float: g[factor],
        )
    )
