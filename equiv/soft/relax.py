r"""Layers between equivariant and free: more than Hom_G, and told how much more.

All of them map between two representations of the big group, keep their equivariant part apart from the rest, and
report what may leave Hom_G in ``weights``, so that the penalties of ``equiv.soft`` act on them:

* ``residual_pathway(layer)``: the layer plus a free affine path that starts a thousand times smaller (RPP). With the
  prior ``residual_prior`` it is, for linear regression, exactly the projection penalty plus a uniform ridge.
* ``subequivariant(rep_in, rep_out, homomorphism)``: everything a subgroup allows; ``superpose(layer,
  subequivariant(...))`` is the mixed RPP.
* ``graded_linear(rep_in, rep_out, softness)``: the span of the singular directions of the constraints up to a
  threshold, from equivariant (0) to free (1), without a penalty.
* ``relaxed_convolution(rep_in, rep_out, n_banks)``: a group convolution whose filters are mixed differently at each
  group element.
* ``switched(layer)``: ``layer + gamma * free`` with a learned gamma, which a constraint drives to 0 (ACE).

Each is one affine map. A network is soft if its affine layers are: ``equivariant_mlp`` takes the builder as ``affine``,
for instance ``lambda v, w: residual_pathway(affine(v, w))``.
Parameters that have a meaning of their own are found by their name wherever they sit in a network's parameters:
"equivariant" and "free" (``residual_prior``), "gamma" (``switches``, ``strict``), "relaxation"
(``relaxation_penalty``).
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from equiv import numerics
from equiv.groups import Group, Homomorphism
from equiv.groups.base import intern
from equiv.groups.finite import whole
from equiv.layers import Layer, Params, Weight, affine, dense, gated
from equiv.layers.base import entry
from equiv.reps import Rep, intertwiners, regular, restrict, scalar
from equiv.soft.penalties import Pair, spectrum, summand_pairs

__all__ = [
    "Graded",
    "graded_linear",
    "graded_projector",
    "leak_decay",
    "leaky_gated",
    "relaxation_penalty",
    "relaxed_convolution",
    "residual_pathway",
    "residual_prior",
    "strict",
    "subequivariant",
    "superpose",
    "switched",
    "switches",
]


_NAMES = ("equivariant", "free", "gamma", "leak", "relaxation")
"""Entries of parameters that mean the same in every layer."""


def _named(params: Params, name: str) -> list[Any]:
    """The arrays below an entry of that name, anywhere in nested parameters; the innermost of ``_NAMES`` counts."""
    found = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]:
        names = [step.key for step in path if getattr(step, "key", None) in _NAMES]
        if names[-1:] == [name]:
            found.append(leaf)
    return found


# --- sums of paths ---------------------------------------------------------------------------------------


def superpose(*layers: Layer) -> Layer:
    """The sum of the outputs of several layers on one input; the parameters are a tuple, one entry per layer.

    Args:
        layers: one or more, with the same two representations.

    Raises:
        ValueError: no layer, or two that differ in a representation, both named.

    Example:
        >>> from equiv.groups import inclusion, o
        >>> from equiv.layers import linear
        >>> from equiv.reps import standard
        >>> v = standard(o(3))
        >>> mixed = superpose(linear(v, v), subequivariant(v, v, inclusion(o(2), o(3))))
        >>> mixed.apply(mixed.init(jax.random.key(0)), jnp.ones((5, 3))).shape
        (5, 3)
    """
    if not layers:
        raise ValueError("superpose needs one or more layers, got none")
    first = layers[0]
    for layer in layers[1:]:
        if (layer.rep_in, layer.rep_out) != (first.rep_in, first.rep_out):
            raise ValueError(
                f"superpose adds outputs on one input, but {first} and {layer} do not map between the same two "
                f"representations: {first.rep_in} -> {first.rep_out} and {layer.rep_in} -> {layer.rep_out}"
            )
    name = f"superpose({', '.join(map(str, layers))})"

    def each(params: Params) -> Params:
        if not isinstance(params, tuple | list) or len(params) != len(layers):
            raise ValueError(f"superpose takes a tuple with the parameters of its {len(layers)} layers, got {params!r}")
        return params

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return tuple(layer.init(k, dtype) for layer, k in zip(layers, jax.random.split(key, len(layers))))

    def apply(params: Params, x: jax.Array) -> jax.Array:
        return sum(layer.apply(p, x) for layer, p in zip(layers, each(params)))

    def weights(params: Params) -> tuple[Weight, ...]:
        return tuple(w for layer, p in zip(layers, each(params)) for w in layer.weights(p))

    return intern(Layer(("superpose", *layers), name, first.rep_in, first.rep_out, init, apply, weights))


@functools.cache
def subequivariant(rep_in: Rep, rep_out: Rep, homomorphism: Homomorphism) -> Layer:
    """Every affine map that a subgroup allows, between representations of the big group.

    Args:
        rep_in: V.
        rep_out: W, of the same group G.
        homomorphism: from the subgroup into G.

    Returns:
        A layer with parameters ``{"weight": (dim Hom_H(V, W),), "bias": (dim W^H,)}``; both maps are free weights for
        G.

    Raises:
        ValueError: two groups, or a homomorphism that ends elsewhere.

    Example:
        >>> from equiv.groups import inclusion, o
        >>> from equiv.reps import standard
        >>> v = standard(o(3))
        >>> layer = subequivariant(v, v, inclusion(o(2), o(3)))
        >>> jax.tree.map(jnp.shape, layer.init(jax.random.key(0)))
        {'bias': (1,), 'weight': (2,)}

    Reference:
        Kim, Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356), the second path of their mixed RPP; read in the code.
    """
    small_in, small_out = restrict(rep_in, homomorphism), restrict(rep_out, homomorphism)
    inner, maps = affine(small_in, small_out), intertwiners.basis(small_in, small_out)
    shifts = intertwiners.basis(scalar(homomorphism.source), small_out)

    def weights(params: Params) -> tuple[Weight, ...]:
        matrix, shift = (
            basis.combine(jnp.asarray(entry(name, params, key))) for basis, key in ((maps, "weight"), (shifts, "bias"))
        )
        return Weight(rep_in, rep_out, matrix), Weight(scalar(rep_out.group), rep_out, shift)

    name = f"subequivariant({rep_in} -> {rep_out}, {homomorphism.source})"
    spec = ("subequivariant", rep_in, rep_out, homomorphism)
    return intern(Layer(spec, name, rep_in, rep_out, inner.init, inner.apply, weights))


_RESIDUAL_SIZE = 1e-3
"""Initial size of the free path relative to the equivariant one."""


@functools.cache
def residual_pathway(layer: Layer) -> Layer:
    """An affine layer plus a free affine path on the same input, ``y = layer(x) + B x + b``.

    The free path starts with ``|B| = 1e-3 |A|``, A the matrix of the layer.

    Args:
        layer: an affine layer, for instance ``affine(v, w)``.

    Returns:
        A layer with parameters ``{"equivariant": those of the layer, "free": {"matrix", "bias"}}``; the free path is a
        free weight. Add ``residual_prior`` to the loss.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.layers import linear
        >>> from equiv.reps import standard
        >>> layer = residual_pathway(linear(standard(so(3)), 2 * standard(so(3))))
        >>> params = layer.init(jax.random.key(0))
        >>> own, free = params["equivariant"]["weight"], params["free"]["matrix"]
        >>> round(float(jnp.linalg.norm(free) / jnp.linalg.norm(own)), 6)
        0.001

    Reference:
        Finzi, Benton, Wilson, Residual Pathway Priors for Soft Equivariance Constraints, NeurIPS 2021 (arXiv
        2112.01388).

    Differs from the paper:
        There A is the projection of a full matrix; here it has one coefficient per equivariant map, in an orthonormal
        basis, so that the prior is the same and there are fewer parameters.
    """
    free = dense(layer.rep_in, layer.rep_out)

    def init(key: jax.Array, dtype: Any = float) -> Params:
        k_layer, k_free = jax.random.split(key)
        own, other = layer.init(k_layer, dtype), free.init(k_free, dtype)
        ends = layer.apply(
            own, jnp.concatenate([jnp.eye(layer.rep_in.dim, dtype=dtype), jnp.zeros((1, layer.rep_in.dim), dtype)])
        )
        size = jnp.sqrt(jnp.sum((ends[:-1] - ends[-1:]) ** 2) / jnp.sum(other["matrix"] ** 2))
        return {"equivariant": own, "free": jax.tree.map(lambda leaf: _RESIDUAL_SIZE * size * leaf, other)}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        return layer.apply(entry(name, params, "equivariant"), x) + free.apply(entry(name, params, "free"), x)

    def weights(params: Params) -> tuple[Weight, ...]:
        return layer.weights(params["equivariant"]) + free.weights(params["free"])

    name = f"residual_pathway({layer})"
    return intern(Layer(("residual_pathway", layer), name, layer.rep_in, layer.rep_out, init, apply, weights))


def residual_prior(layer: Layer, sigma_equivariant: float, sigma_free: float) -> Callable[[Params], Float[Array, ""]]:
    """The prior energy of the residual pathways in a network: broad on the equivariant path, narrow on the free one.

    ``sum |A|^2 / (2 sigma_equivariant^2) + |B|^2 / (2 sigma_free^2)``, over all arrays below "equivariant" and "free"
    in the parameters. A's coefficients belong to an orthonormal basis, so that their squares add up to ``|A|_F^2``. For
    linear regression the best ``A + B`` minimises the loss plus

        ``1/2 lambda |(1 - P) w|^2 + 1/2 ridge |w|^2``,
        ``ridge = 1 / (sigma_equivariant^2 + sigma_free^2)``, ``lambda = 1 / sigma_free^2 - ridge``.

    Args:
        layer: a residual pathway, or a network with one or more inside.
        sigma_equivariant: prior standard deviation of the equivariant coefficients.
        sigma_free: that of the free weights.

    Returns:
        A function of the parameters.

    Raises:
        ValueError: the layer has no residual pathway inside, or a deviation is not above zero.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.layers import linear
        >>> from equiv.reps import standard
        >>> layer = residual_pathway(linear(standard(so(3)), standard(so(3))))
        >>> params = jax.tree.map(jnp.ones_like, layer.init(jax.random.key(0)))
        >>> float(residual_prior(layer, 1.0, 0.5)(params))  # one map; nine entries and three biases
        24.5

    Reference:
        Finzi, Benton, Wilson, NeurIPS 2021 (arXiv 2112.01388); the equal penalty is derived.
    """
    for given in (sigma_equivariant, sigma_free):
        if not given > 0:
            raise ValueError(f"residual_prior needs standard deviations above zero, got {given}")
    shapes = jax.eval_shape(lambda: layer.init(jax.random.key(0)))
    if not _named(shapes, "free"):
        raise ValueError(f"residual_prior needs a layer with a residual_pathway inside, got {layer}")

    def energy(params: Params) -> jax.Array:
        parts = [
            jnp.sum(leaf**2) / (2 * sigma**2)
            for name, sigma in (("equivariant", sigma_equivariant), ("free", sigma_free))
            for leaf in _named(params, name)
        ]
        return sum(parts[1:], parts[0])

    return energy


# --- gates that leak -------------------------------------------------------------------------------------

_LEAK = 1e-3
"""Initial size of a leak."""


@functools.cache
def leaky_gated(rep: Rep) -> Layer:
    """Gates with a part that acts on single coordinates, ``y = gated(x) + leak * swish(v)``.

    The second part breaks the symmetry of representations that mix coordinates, as softly as its weights are small;
    add ``leak_decay`` to the loss.

    Args:
        rep: what comes out; what goes in is that and the gates, as in ``layers.gated``.

    Returns:
        A layer with parameters ``{"leak": (dim,)}``, one weight per coordinate, 1e-3 at first.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> layer = leaky_gated(standard(so(3)))
        >>> layer.init(jax.random.key(0))["leak"].shape, layer.rep_in.dim
        ((3,), 4)

    Reference:
        Finzi, Benton, Wilson, NeurIPS 2021 (arXiv 2112.01388), and Kim, Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356);
        read in their code.
    """
    gates = gated(rep)

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return {"leak": jnp.full(rep.dim, _LEAK, dtype)}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        leak = jnp.asarray(entry(name, params, "leak"), x.dtype)
        passed = jax.nn.silu(x[..., : rep.dim])
        return gates.apply({}, x) + passed * leak.reshape((1,) * (x.ndim - 1) + leak.shape)

    name = f"leaky_gated({rep})"
    return intern(Layer(("leaky_gated", rep), name, gates.rep_in, rep, init, apply))


def leak_decay(params: Params) -> Float[Array, ""]:
    """The squares of all leaks in a network's parameters, added up.

    Raises:
        ValueError: there is none.

    Example:
        >>> float(leak_decay(({"leak": jnp.array([3.0, 4.0])}, {"weight": jnp.ones(2)})))
        25.0
    """
    found = _named(params, "leak")
    if not found:
        raise ValueError("leak_decay needs parameters with a leaky_gated layer inside, got none")
    return sum(jnp.sum(leak**2) for leak in found)


# --- graded projectors -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class Graded:
    """An orthonormal basis of the maps that are equivariant up to a bound, ``|C vec(M)| <= bound |M|``.

    Attributes:
        rep_in: V.
        rep_out: W.
        softness: the threshold relative to the largest singular value of the constraints C.
        bound: the threshold itself, ``softness * sigma_max``.
        dim: how many maps.
        parts: for each pair of summands its maps, (k, d_out, d_in).
    """

    rep_in: Rep
    rep_out: Rep
    softness: float
    bound: float
    dim: int
    parts: tuple[tuple[Pair, np.ndarray], ...] = dataclasses.field(repr=False)

    def combine(self, c: Float[Array, "dim"]) -> Float[Array, "out in"]:
        """The map with coefficients ``c``: pairs of summands, then copies of W's, copies of V's, and the maps.

        Raises:
            ValueError: ``c`` does not have one number per map.
        """
        if c.shape != (self.dim,):
            raise ValueError(f"there are {self.dim} graded maps, got coefficients of shape {c.shape}")
        bands: dict[int, list[jax.Array]] = {}
        used = 0
        for pair, maps in self.parts:
            shape = (pair.copies_out, pair.copies_in, len(maps))
            own = c[used : used + int(np.prod(shape))].reshape(shape)
            grid = jnp.einsum("abk,kij->aibj", own, jnp.asarray(maps, c.dtype))
            rows, columns = pair.rows.stop - pair.rows.start, pair.columns.stop - pair.columns.start
            bands.setdefault(pair.rows.start, []).append(grid.reshape(rows, columns))
            used += own.size
        return jnp.concatenate([jnp.concatenate(band, axis=1) for band in bands.values()], axis=0)

    def coefficients(self, w: Float[Array, "out in"]) -> Float[Array, "dim"]:
        """``<M_k, w>`` for every map of the basis; the inverse of ``combine`` on their span.

        Raises:
            ValueError: ``w`` is not a (dim W, dim V) matrix.
        """
        if w.shape != (self.rep_out.dim, self.rep_in.dim):
            raise ValueError(
                f"a map {self.rep_in} -> {self.rep_out} is a matrix of shape {(self.rep_out.dim, self.rep_in.dim)}, "
                f"got {w.shape}"
            )
        found = [jnp.einsum("aibj,kij->abk", pair.grid(w), jnp.asarray(maps, w.dtype)) for pair, maps in self.parts]
        return jnp.concatenate([c.ravel() for c in found])

    def project(self, w: Float[Array, "out in"]) -> Float[Array, "out in"]:
        """The map of the span nearest to ``w`` in the Frobenius norm.

        Raises:
            ValueError: ``w`` is not a (dim W, dim V) matrix.
        """
        return self.combine(self.coefficients(w))

    def matrix(self, dtype: Any = float) -> Float[Array, "dim maps"]:
        """All maps of the basis, one per row, each flattened row by row: (dim, dim W * dim V)."""
        return jax.vmap(lambda c: self.combine(c).ravel())(jnp.eye(self.dim, dtype=dtype))


@functools.cache
def graded_projector(rep_in: Rep, rep_out: Rep, softness: float) -> Graded:
    """The maps spanned by the singular directions of the constraints with ``sigma <= softness * sigma_max``.

    With ``C vec(M) = 0`` the equations of equivariance (``spectrum``), softness 0 gives Hom_G and softness 1 all maps;
    the spans are nested. Every M in the span has ``|C vec(M)| <= softness * sigma_max |M|``: its Lie derivative and its
    generators' errors together are at most that. Direct sums are solved summand by summand, which gives the singular
    directions of the whole.

    Args:
        rep_in: V.
        rep_out: W, of the same group.
        softness: 0 ... 1.

    Raises:
        ValueError: softness outside 0 ... 1, two groups, or a pair of summands with more than 2500 entries.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> v = standard(so(3))
        >>> [graded_projector(v, v, softness).dim for softness in (0.0, 0.6, 1.0)]  # sigma^2 = 0, 2, 6
        [1, 4, 9]

    Reference:
        Rahman, Lim, Jiang, Lim, Yeh, Tunable Soft Equivariance, CVPR 2026 (arXiv 2603.26657); read in the abstract and
        the code's tree. The bound is derived.
    """
    if not 0 <= softness <= 1:
        raise ValueError(f"softness has to be between 0 (equivariant) and 1 (free), got {softness}")
    if rep_in.group != rep_out.group:
        raise ValueError(f"maps need two representations of one group, got {rep_in.group} and {rep_out.group}")
    pairs = summand_pairs(rep_in, rep_out)
    spectra = [spectrum(pair.rep_in, pair.rep_out) for pair in pairs]
    largest = max(float(sigma.max(initial=0.0)) for sigma, _ in spectra)
    bound = softness * largest
    parts, dim = [], 0
    for pair, (sigma, maps) in zip(pairs, spectra):
        kept = maps[sigma <= bound * (1 + 1e-9)]  # equal singular values stay together
        parts.append((pair, kept))
        dim += pair.copies_out * pair.copies_in * len(kept)
    return Graded(rep_in, rep_out, float(softness), bound, dim, tuple(parts))


@functools.cache
def graded_linear(rep_in: Rep, rep_out: Rep, softness: float) -> Layer:
    """The affine map that is equivariant up to a threshold, ``y = W x + b``, W and b from ``graded_projector``.

    Args:
        rep_in: V.
        rep_out: W, of the same group.
        softness: 0 (every equivariant affine map) ... 1 (every affine map).

    Returns:
        A layer with parameters ``{"weight": (dim,), "bias": (dim,)}``, drawn so that unit variance goes in and comes
        out, the bias zero; both maps are free weights.

    Raises:
        ValueError: as ``graded_projector``.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> layer = graded_linear(standard(so(3)), 2 * standard(so(3)), 0.6)
        >>> jax.tree.map(jnp.shape, layer.init(jax.random.key(0)))
        {'bias': (0,), 'weight': (8,)}

    Reference:
        Rahman, Lim, Jiang, Lim, Yeh, CVPR 2026 (arXiv 2603.26657).

    Differs from the paper:
        There a full matrix is projected in every forward pass; here its coefficients are the parameters.
    """
    maps, shifts = (
        graded_projector(rep_in, rep_out, softness),
        graded_projector(scalar(rep_in.group), rep_out, softness),
    )
    fans: dict[int, int] = {}
    for pair, kept in maps.parts:
        fans[pair.rows.start] = fans.get(pair.rows.start, 0) + pair.copies_in * len(kept)
    deviation = np.concatenate(
        [
            np.full(
                pair.copies_out * pair.copies_in * len(kept), (pair.rep_out.dim / max(fans[pair.rows.start], 1)) ** 0.5
            )
            for pair, kept in maps.parts
        ]
    )

    def init(key: jax.Array, dtype: Any = float) -> Params:
        weight = jnp.asarray(deviation, dtype) * jax.random.normal(key, (maps.dim,), dtype)
        return {"weight": weight, "bias": jnp.zeros(shifts.dim, dtype)}

    def matrices(params: Params) -> tuple[jax.Array, jax.Array]:
        return (
            maps.combine(jnp.asarray(entry(name, params, "weight"))),
            shifts.combine(jnp.asarray(entry(name, params, "bias"))),
        )

    def apply(params: Params, x: jax.Array) -> jax.Array:
        w, b = (m.astype(x.dtype) for m in matrices(params))
        y = x @ w.T
        return y + jnp.broadcast_to(b[:, 0], y.shape)

    def weights(params: Params) -> tuple[Weight, ...]:
        w, b = matrices(params)
        return Weight(rep_in, rep_out, w), Weight(scalar(rep_out.group), rep_out, b)

    name = f"graded_linear({rep_in} -> {rep_out}, {softness:g})"
    return intern(Layer(("graded_linear", rep_in, rep_out, softness), name, rep_in, rep_out, init, apply, weights))


# --- relaxed convolutions --------------------------------------------------------------------------------


def _channels(rep: Rep) -> int:
    """How many copies of the regular representation it is; ValueError if it is none."""
    (first, copies), *others = rep.summands
    if rep.group.order is None or others or first != regular(rep.group):
        raise ValueError(
            f"relaxed_convolution needs copies of the regular representation of a finite group, "
            f"got {rep} of {rep.group}"
        )
    return copies


@functools.cache
def _table(group: Group) -> np.ndarray:
    """``table[g, h]``, the position of ``g^-1 h``."""

    @jax.jit
    def positions() -> jax.Array:
        every = group.elements()
        each = jax.vmap(lambda g: jax.vmap(lambda h: group.compose(group.inverse(g), h))(every))
        return group.index(each(every))

    with numerics.constants():
        return np.asarray(positions())


@functools.cache
def relaxed_convolution(rep_in: Rep, rep_out: Rep, n_banks: int = 1) -> Layer:
    """A group convolution whose filter banks are mixed differently at each group element.

    ``y(g) = sum_h sum_l w_l(g) psi_l(g^-1 h) x(h)``, channels apart. With ``w_l`` constant over the group it is the
    strictly equivariant convolution with the filter ``sum_l w_l psi_l``, and so it starts: ``w_l(g) = 1 / L``.

    Args:
        rep_in: copies of the regular representation of a finite group.
        rep_out: copies of the same.
        n_banks: L, at least 1.

    Returns:
        A layer with parameters ``{"filters": (L, c_out, c_in, |G|), "relaxation": (L, |G|)}``; its matrix is a free
        weight.

    Raises:
        ValueError: other representations, two groups, or no bank.

    Example:
        >>> from equiv.groups import cyclic
        >>> layer = relaxed_convolution(regular(cyclic(4)), 2 * regular(cyclic(4)), 3)
        >>> jax.tree.map(jnp.shape, layer.init(jax.random.key(0)))
        {'filters': (3, 2, 1, 4), 'relaxation': (3, 4)}

    Reference:
        Wang, Walters, Yu, Approximately Equivariant Networks for Imperfectly Symmetric Dynamics, ICML 2022 (arXiv
        2201.11969); read in the code.
    """
    n_banks = whole(n_banks, 1, "the number of filter banks")
    if rep_in.group != rep_out.group:
        raise ValueError(
            f"relaxed_convolution needs two representations of one group, got {rep_in.group} and {rep_out.group}"
        )
    c_in, c_out, order = _channels(rep_in), _channels(rep_out), rep_in.group.order
    table = _table(rep_in.group)

    def init(key: jax.Array, dtype: Any = float) -> Params:
        filters = jax.random.normal(key, (n_banks, c_out, c_in, order), dtype)
        size = (n_banks / (c_in * order)) ** 0.5
        return {"filters": size * filters, "relaxation": jnp.full((n_banks, order), 1 / n_banks, dtype)}

    def matrix(params: Params) -> jax.Array:
        filters, relaxation = (jnp.asarray(entry(name, params, key)) for key in ("filters", "relaxation"))
        spread = filters[..., jnp.asarray(table)]  # (L, c_out, c_in, g, h)
        return jnp.einsum("lg,loigh->ogih", relaxation, spread).reshape(rep_out.dim, rep_in.dim)

    def apply(params: Params, x: jax.Array) -> jax.Array:
        return x @ matrix(params).astype(x.dtype).T

    name = f"relaxed_convolution({rep_in} -> {rep_out}, {n_banks} banks)"
    return intern(
        Layer(
            spec=("relaxed_convolution", rep_in, rep_out, n_banks),
            name=name,
            rep_in=rep_in,
            rep_out=rep_out,
            init=init,
            apply=apply,
            weights=lambda params: (Weight(rep_in, rep_out, matrix(params)),),
        )
    )


def relaxation_penalty(group: Group) -> Callable[[Params], Float[Array, ""]]:
    """How unequally relaxed convolutions mix their banks: the mean of ``|w_l(g) - w_l(g s)|`` over neighbours.

    Over all elements g, generators s and banks l, added up over the relaxed convolutions of a network. Zero exactly if
    all of them are strictly equivariant in this parametrisation.

    Args:
        group: the finite group of the layers.

    Returns:
        A function of the parameters.

    Raises:
        ValueError: the group is infinite; parameters without a relaxed convolution.

    Example:
        >>> from equiv.groups import cyclic
        >>> penalty = relaxation_penalty(cyclic(4))
        >>> float(penalty({"relaxation": jnp.array([[1.0, 1.0, 1.0, 3.0]])}))
        1.0

    Reference:
        Wang, Walters, Yu, ICML 2022 (arXiv 2201.11969); read in the code for rotations.
    """

    @jax.jit
    def positions() -> jax.Array:
        every = group.elements()
        return jax.vmap(lambda s: group.index(jax.vmap(lambda g: group.compose(g, s))(every)))(group.generators())

    with numerics.constants():
        neighbours = np.asarray(positions())  # (generators, order)

    def penalty(params: Params) -> jax.Array:
        found = _named(params, "relaxation")
        if not found:
            raise ValueError("relaxation_penalty needs parameters with a relaxed_convolution inside, got none")
        return sum(jnp.mean(jnp.abs(w[:, None, :] - w[:, jnp.asarray(neighbours)])) for w in found)

    return penalty


# --- switched paths --------------------------------------------------------------------------------------


@functools.cache
def switched(layer: Layer) -> Layer:
    """An affine layer plus gamma times a free affine path, ``y = layer(x) + gamma (B x + b)``, gamma learned.

    Training starts free, with gamma = 1, and a constraint ``|gamma| <= slack`` on each (``switches``, ``dual_ascent``)
    brings it to the equivariant layer where the data allow; ``strict`` takes the rest away.

    Args:
        layer: an affine layer.

    Returns:
        A layer with parameters ``{"equivariant": those of the layer, "free": {"matrix", "bias"}, "gamma": ()}``;
        ``gamma B`` and ``gamma b`` are its free weights.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.layers import linear
        >>> from equiv.reps import standard
        >>> layer = switched(linear(standard(so(3)), standard(so(3))))
        >>> float(strict(layer.init(jax.random.key(0)))["gamma"])
        0.0

    Reference:
        Manolache, Chamon, Niepert, NeurIPS 2025 (arXiv 2505.13631). The initial gamma was not found.
    """
    free = dense(layer.rep_in, layer.rep_out)

    def init(key: jax.Array, dtype: Any = float) -> Params:
        k_layer, k_free = jax.random.split(key)
        return {
            "equivariant": layer.init(k_layer, dtype),
            "free": free.init(k_free, dtype),
            "gamma": jnp.ones((), dtype),
        }

    def apply(params: Params, x: jax.Array) -> jax.Array:
        gamma = jnp.asarray(entry(name, params, "gamma"), x.dtype)
        return layer.apply(entry(name, params, "equivariant"), x) + gamma * free.apply(entry(name, params, "free"), x)

    def weights(params: Params) -> tuple[Weight, ...]:
        scaled = (w._replace(matrix=params["gamma"] * w.matrix) for w in free.weights(params["free"]))
        return layer.weights(params["equivariant"]) + tuple(scaled)

    name = f"switched({layer})"
    return intern(Layer(("switched", layer), name, layer.rep_in, layer.rep_out, init, apply, weights))


def switches(params: Params) -> Float[Array, "switches"]:
    """The gammas of all switched layers in a network's parameters, in order.

    Raises:
        ValueError: there is none.

    Example:
        >>> switches(({"gamma": jnp.array(0.5)}, {}, {"gamma": jnp.array(0.0)})).tolist()
        [0.5, 0.0]
    """
    found = _named(params, "gamma")
    if not found:
        raise ValueError("switches needs parameters with a switched layer inside, got none")
    return jnp.stack(found)


def strict(params: Params) -> Params:
    """The parameters with every gamma set to 0: the equivariant network that a switched one has inside.

    Raises:
        ValueError: there is no gamma.

    Example:
        >>> strict(({"gamma": jnp.array(0.5)}, {"weight": jnp.array(2.0)}))[0]["gamma"].tolist()
        0.0
    """
    switches(params)
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.zeros_like(leaf) if getattr(path[-1], "key", None) == "gamma" else leaf, params
    )
