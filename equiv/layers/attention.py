r"""Attention with random, frozen query-key matrices, and the kernels it has with infinitely many heads.

Tokens are an array (..., N + 1, d): row 0 is the query ``x_0``, the others are the keys ``x_1 .. x_N``. A token is
lifted to ``z = [x; lift]``. A head draws ``W`` once and is trained in its value vector v only:

    ``f(x) = sum_m sum_i a(z_0^T W_m z_i) <v_m, z_i>``,   a(t_i) = relu(t_i) / N  or  softmax_i(t),

so that the problem is convex, the features are ``phi_m(x) = sum_i a(z_0^T W_m z_i) z_i``, and the order of the keys
does not matter. The *law* of W decides what is learned early: ``gaussian`` has mean zero, ``biased`` a mean that lets
scores begin as ``<x_0, x_i>``. With infinitely many heads and relu the kernel ``E <phi(x), phi(x')>`` is

    ``K(x, x') = 1 / (N N') sum_ij <z_i, z_j'> s_i s_j' relu_moment(m_i / s_i, m_j' / s_j', rho_ij)``,
    ``m_i = z_0^T E W z_i``,  ``s_i = scale |z_0| |z_i|``,  ``rho_ij = cos(z_0, z_0') cos(z_i, z_j')``,

which holds for tokens of every length. It does not change when one orthogonal matrix moves all tokens, if the mean is a
multiple of the identity; without a mean the query and the keys may even be moved by two different ones.
``random_feature_mlp`` is the rival: a network of one hidden layer on all tokens, one after the other.

``attention_pooling`` makes one vector of a set of any size: every feature is averaged over the set with weights of its
own, a softmax of linear scores. A set of one element is left as it is, whatever the parameters. A network may therefore
be trained in two stages: all but the pooling on single elements, then the pooling alone on sets (``partition``).

Reference:
    Fu, Guo, Bai, Mei, What can a Single Attention Layer Learn? A Study Through the Random Features Lens, NeurIPS 2023
    (arXiv 2307.11353): the layer and both laws, recalled, the number 1/4 as the variance of an entry with them. The
    kernels are derived here. Not to be confused with Peng et al., Random Feature Attention, ICLR 2021, which
    approximates softmax by random features.
    Yang, Wang, Markham, Trigoni, Robust Attentional Aggregation of Deep Feature Sets for Multi-view 3D Reconstruction
    (AttSets, FASet), IJCV 2019: the pooling, as read in the public code.

Differs from the papers: sizes of tokens, the scale, the mean and the lift are free; the scores of the pooling have no
bias, which would cancel in the softmax.
"""

import dataclasses
import functools
import numbers
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from equiv import numerics
from equiv.groups.base import intern
from equiv.groups.finite import whole
from equiv.layers.base import Params, SignalLayer, entry
from equiv.layers.gaussian_moments import N_NODES, arc_cosine, relu_moment

__all__ = [
    "ACTIVATIONS",
    "Law",
    "RandomFeatures",
    "TokenKernel",
    "antithetic",
    "attention_kernel",
    "attention_pooling",
    "biased",
    "gaussian",
    "mlp_kernel",
    "orthogonal",
    "random_feature_attention",
    "random_feature_mlp",
]


# --- laws of the query-key matrices -----------------------------------------------------------------------------------


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class Law:
    """The law of query-key matrices ``W = mean + scale G``, where the entries of G are standard normal.

    Attributes:
        spec: nested tuple of what defines the law.
        name: how it is printed.
        scale: standard deviation of an entry.
        mean: m for ``diag(m I_d, 0)``, or the rows of S for ``diag(S, 0)``.
        lift: the entry that is added to each token.
        noise: ``noise(key, n_heads, size, dtype)`` draws G for all heads, (n_heads, size, size).
    """

    spec: tuple
    name: str
    scale: float
    mean: float | tuple[tuple[float, ...], ...]
    lift: float
    noise: Callable[[jax.Array, int, int, Any], Array] = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return self.name

    def centre(self, d: int) -> np.ndarray:
        """The mean of W for tokens of length d, (d + 1, d + 1) float64.

        Raises:
            ValueError: the law's matrix is of another size.
        """
        block = self.mean * np.eye(d) if isinstance(self.mean, float) else np.asarray(self.mean, np.float64)
        if block.shape != (d, d):
            raise ValueError(f"the mean of {self} is a matrix {block.shape}, tokens of length {d} need ({d}, {d})")
        return np.pad(block, (0, 1))

    def draw(self, key: jax.Array, n_heads: int, d: int, dtype: Any = float) -> Float[Array, "heads rows columns"]:
        """Query-key matrices of all heads, (n_heads, d + 1, d + 1).

        Args:
            key: random key.
            n_heads: M.
            d: length of a token.
            dtype: of the matrices.
        """
        noise = self.noise(key, n_heads, d + 1, dtype)
        return jnp.asarray(self.centre(d), dtype)[None] + jnp.asarray(self.scale, dtype) * noise


def _independent(key: jax.Array, n_heads: int, size: int, dtype: Any) -> Array:
    return jax.random.normal(key, (n_heads, size, size), dtype)


def _law(mean: float | tuple, scale: float, lift: float, name: str) -> Law:
    if not (isinstance(scale, numbers.Real) and 0 < scale < np.inf):
        raise ValueError(f"the scale of {name} has to be a number above zero, got {scale}")
    if not (isinstance(lift, numbers.Real) and 0 <= lift < np.inf):
        raise ValueError(f"the lift of {name} has to be a number that is not negative, got {lift}")
    scale, lift = float(scale), float(lift)
    return intern(Law(("law", mean, scale, lift), name, scale, mean, lift, _independent))


def gaussian(scale: float = 0.5, lift: float = 1.0) -> Law:
    """Independent entries of mean zero: ``W = scale G``.

    With the default numbers (recalled from the paper) and tokens of length one, every score is a standard normal
    number: ``scale |z_0| |z_i| = 1/2 sqrt 2 sqrt 2``.

    Args:
        scale: standard deviation of an entry.
        lift: the entry that is added to each token.

    Raises:
        ValueError: a scale that is not above zero, a negative lift.

    Example:
        >>> gaussian().draw(jax.random.key(0), n_heads=7, d=3).shape
        (7, 4, 4)

    Reference:
        Fu, Guo, Bai, Mei, NeurIPS 2023 (arXiv 2307.11353), recalled.
    """
    return _law(0.0, scale, lift, f"gaussian({scale:g})")


def biased(mean: Any = 1.0, scale: float = 0.5, lift: float = 1.0) -> Law:
    """Entries around a mean: ``W = diag(mean I_d, 0) + scale G``, so that scores vary around ``mean <x_0, x_i>``.

    Args:
        mean: a number; or a (d, d) matrix S for scores around ``<x_0, S x_i>``, whose symmetry is that of S alone.
        scale: standard deviation of an entry.
        lift: the entry that is added to each token.

    Raises:
        ValueError: a mean that is neither, a scale that is not above zero, a negative lift.

    Example:
        >>> biased(2.0).centre(2).tolist()
        [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]

    Reference:
        Fu, Guo, Bai, Mei, NeurIPS 2023 (arXiv 2307.11353), recalled.
    """
    given = np.asarray(mean, np.float64)
    if given.ndim == 0:
        return _law(float(given), scale, lift, f"biased({float(given):g}, {scale:g})")
    if given.ndim != 2 or given.shape[0] != given.shape[1]:
        raise ValueError(f"the mean of biased has to be a number or a square matrix, got shape {given.shape}")
    rows = tuple(map(tuple, given.tolist()))
    return _law(rows, scale, lift, f"biased({len(rows)} x {len(rows)}, {scale:g})")


def orthogonal(law: Law) -> Law:
    """The same law of each head, but blocks of ``(d + 1)^2`` heads whose ``G_m`` are orthogonal as vectors.

    Directions are uniform and lengths independent, so that every head alone is as before and the kernel does not
    change; heads of one block repeat each other less.

    Args:
        law: of one head.

    Raises:
        ValueError: a law whose heads depend on each other already.

    Example:
        >>> g = orthogonal(gaussian(1.0)).draw(jax.random.key(0), n_heads=2, d=1)
        >>> bool(abs(jnp.sum(g[0] * g[1])) < 1e-5)
        True

    Reference:
        Yu, Suresh, Choromanski, Holtmann-Rice, Kumar, Orthogonal Random Features, NeurIPS 2016 (arXiv 1610.09072), for
        the idea.
    """
    if law.noise is not _independent:
        raise ValueError(f"orthogonal takes a law of independent heads, got {law}")

    def noise(key: jax.Array, n_heads: int, size: int, dtype: Any) -> Array:
        block, entries = min(n_heads, size * size), size * size
        n_blocks = -(-n_heads // block)
        turn_key, length_key = jax.random.split(key)
        q, r = jnp.linalg.qr(jax.random.normal(turn_key, (n_blocks, entries, block), dtype))
        q = q * jnp.sign(jnp.diagonal(r, axis1=-2, axis2=-1))[:, None, :]
        rows = jnp.swapaxes(q, -1, -2).reshape(n_blocks * block, entries)[:n_heads]
        length = numerics.norm(jax.random.normal(length_key, (n_heads, entries), dtype))
        return (rows * length[:, None]).reshape(n_heads, size, size)

    return intern(dataclasses.replace(law, spec=("orthogonal", law), name=f"orthogonal({law})", noise=noise))


def antithetic(law: Law) -> Law:
    """The same law of each head, but heads in pairs with ``G`` and ``-G``.

    Args:
        law: of one head.

    Example:
        >>> g = antithetic(gaussian()).draw(jax.random.key(0), n_heads=4, d=1)
        >>> bool((g[0] == -g[1]).all()), bool((g[1] == -g[2]).all())
        (True, False)
    """

    def noise(key: jax.Array, n_heads: int, size: int, dtype: Any) -> Array:
        half = law.noise(key, -(-n_heads // 2), size, dtype)
        return jnp.stack([half, -half], axis=1).reshape(-1, size, size)[:n_heads]

    return intern(dataclasses.replace(law, spec=("antithetic", law), name=f"antithetic({law})", noise=noise))


# --- layers -----------------------------------------------------------------------------------------------------------

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda scores: jax.nn.relu(scores) / scores.shape[-1],
    "softmax": lambda scores: jax.nn.softmax(scores, axis=-1),
}
"""Name -> from the scores of all keys, on the last axis, to their weights."""


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class RandomFeatures(SignalLayer):
    """A layer that is linear in what it trains: ``apply(params, x) = <features(params, x), weights>``.

    Attributes:
        features: ``features(params, tokens) -> (..., F)``, a function of the entry ``frozen`` of the parameters alone;
            ``features @ features.T`` tends to the kernel as the heads become many.
        fitted: ``fitted(params, weights: (F,)) -> params``, whose layer has these weights.
    """

    features: Callable[[Params, Array], Array] = dataclasses.field(repr=False)
    fitted: Callable[[Params, Array], Params] = dataclasses.field(repr=False)


def _tokens(name: str, x: Any, d: int | None = None) -> Array:
    x = jnp.asarray(x)
    if x.ndim < 2 or (d is not None and x.shape[-1] != d):
        length = "d" if d is None else d
        raise ValueError(f"{name} takes tokens (..., N + 1, {length}), a query and N keys, got shape {x.shape}")
    if x.shape[-2] < 2:
        raise ValueError(f"{name} takes a query and at least one key, got {x.shape[-2]} tokens of shape {x.shape}")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"{name} takes floating-point tokens, got {x.dtype}; cast them, x.astype(float)")
    return x


def _lifted(x: Array, lift: float) -> Array:
    return jnp.concatenate([x, jnp.full_like(x[..., :1], lift)], axis=-1)


@functools.cache
def random_feature_attention(
    d: int, n_heads: int, law: Law, activation: Literal["relu", "softmax"] = "relu"
) -> RandomFeatures:
    """``f(x) = sum_m sum_i a_i(z_0^T W_m z) <v_m, z_i>``: heads whose query-key matrices stay as they were drawn.

    The matrices are ``params["frozen"]["query_key"]`` (M, d + 1, d + 1), the trained value vectors ``params["value"]``
    (M, d + 1), zero at the start. ``partition`` parts them for optax; Flax keeps them in collections of their own.
    Features (M (d + 1),) are those of one head after the other, over the root of M.

    Args:
        d: length of a token.
        n_heads: M.
        law: of the query-key matrices.
        activation: of the scores, ``relu`` (averaged over the keys) or ``softmax``.

    Returns:
        A layer with ``apply(params, tokens: (..., N + 1, d)) -> (...)`` for every N of at least 1.

    Raises:
        ValueError: a count below one, another activation, a law for other tokens; in ``apply``, no key or tokens of
            another length.

    Example:
        >>> layer = random_feature_attention(3, 10, gaussian())
        >>> params, tokens = layer.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (5, 4, 3))
        >>> layer.features(params, tokens).shape, layer.apply(params, tokens).shape
        ((5, 40), (5,))

    Reference:
        Fu, Guo, Bai, Mei, NeurIPS 2023 (arXiv 2307.11353), recalled.
    """
    d, n_heads = whole(d, 1, "the length of tokens"), whole(n_heads, 1, "the number of heads")
    if activation not in ACTIVATIONS:
        raise ValueError(f"the activation of attention has to be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    law.centre(d)
    name = f"random_feature_attention({d}, {n_heads}, {law}, {activation})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return {
            "frozen": {"query_key": law.draw(key, n_heads, d, dtype)},
            "value": jnp.zeros((n_heads, d + 1), dtype),
        }

    def heads(params: Params, tokens: Array) -> Array:
        z = _lifted(_tokens(name, tokens, d), law.lift)
        query_key = entry(name, entry(name, params, "frozen"), "query_key").astype(z.dtype)
        query = jnp.einsum("...p,mpq->...mq", z[..., 0, :], query_key, precision="highest")
        scores = jnp.einsum("...mq,...iq->...mi", query, z[..., 1:, :], precision="highest")
        return jnp.einsum("...mi,...iq->...mq", ACTIVATIONS[activation](scores), z[..., 1:, :], precision="highest")

    def features(params: Params, tokens: Array) -> Array:
        phi = heads(params, tokens) / n_heads**0.5
        return phi.reshape(*phi.shape[:-2], -1)

    def apply(params: Params, tokens: Array) -> Array:
        phi = heads(params, tokens)
        value = entry(name, params, "value").astype(phi.dtype)
        return jnp.einsum("...mq,mq->...", phi, value, precision="highest")

    def fitted(params: Params, weights: Array) -> Params:
        return params | {"value": (weights / n_heads**0.5).reshape(n_heads, d + 1)}

    spec = ("random_feature_attention", d, n_heads, law, activation)
    return intern(RandomFeatures(spec, name, init, apply, features, fitted))


@functools.cache
def random_feature_mlp(d: int, n_keys: int, n_heads: int) -> RandomFeatures:
    """``f(x) = sum_m relu(<w_m, [x_0; ..; x_N; 1]>) v_m``: random features of all tokens, one after the other.

    ``w_m ~ N(0, I / (N + 2))``, so that scores of tokens of length one are standard normal numbers. It sees the order
    of the keys.

    Args:
        d: length of a token.
        n_keys: N.
        n_heads: M, hidden units.

    Returns:
        A layer with ``apply(params, tokens: (..., N + 1, d)) -> (...)``.

    Raises:
        ValueError: a count below one; in ``apply``, tokens of another number or length.

    Example:
        >>> layer = random_feature_mlp(3, n_keys=4, n_heads=10)
        >>> layer.features(layer.init(jax.random.key(0)), jnp.ones((6, 5, 3))).shape
        (6, 10)

    Reference:
        Fu, Guo, Bai, Mei, NeurIPS 2023 (arXiv 2307.11353), recalled.
    """
    d, n_keys = whole(d, 1, "the length of tokens"), whole(n_keys, 1, "the number of keys")
    n_heads = whole(n_heads, 1, "the number of hidden units")
    size, name = (n_keys + 1) * d + 1, f"random_feature_mlp({d}, {n_keys}, {n_heads})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        weight = jax.random.normal(key, (n_heads, size), dtype) / (n_keys + 2) ** 0.5
        return {"frozen": {"weight": weight}, "value": jnp.zeros(n_heads, dtype)}

    def hidden(params: Params, tokens: Array) -> Array:
        x = _tokens(name, tokens, d)
        if x.shape[-2] != n_keys + 1:
            raise ValueError(f"{name} takes a query and {n_keys} keys, got {x.shape[-2]} tokens of shape {x.shape}")
        weight = entry(name, entry(name, params, "frozen"), "weight").astype(x.dtype)
        z = _lifted(x.reshape(*x.shape[:-2], -1), 1.0)
        return jax.nn.relu(jnp.einsum("...p,mp->...m", z, weight, precision="highest"))

    def features(params: Params, tokens: Array) -> Array:
        return hidden(params, tokens) / n_heads**0.5

    def apply(params: Params, tokens: Array) -> Array:
        phi = hidden(params, tokens)
        return jnp.einsum("...m,m->...", phi, entry(name, params, "value").astype(phi.dtype), precision="highest")

    def fitted(params: Params, weights: Array) -> Params:
        return params | {"value": weights / n_heads**0.5}

    return intern(RandomFeatures(("random_feature_mlp", d, n_keys, n_heads), name, init, apply, features, fitted))


# --- kernels ----------------------------------------------------------------------------------------------------------


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class TokenKernel:
    """A kernel between sets of tokens: ``kernel(x: (n, N + 1, d), y: (m, N' + 1, d)) -> (n, m)``, in tiles.

    Attributes:
        spec: nested tuple of what defines the kernel.
        name: how it is printed.
        block: ``block(x, y)``, the matrix at once; what is done for one tile.
        tile: rows and columns of a tile; a few arrays of that size are held beside the matrix itself.
    """

    spec: tuple
    name: str
    block: Callable[[Array, Array], Array] = dataclasses.field(repr=False)
    tile: int = 128

    def __str__(self) -> str:
        return self.name

    def __call__(self, x: Float[Array, "n k d"], y: Float[Array, "m l d"]) -> Float[Array, "n m"]:
        """The matrix of all pairs.

        Args:
            x: (n, N + 1, d).
            y: (m, N' + 1, d).

        Raises:
            ValueError: no key, or tokens of two lengths.
        """
        x, y = (_tokens(self.name, v) for v in (x, y))
        if x.shape[-1] != y.shape[-1]:
            raise ValueError(f"{self} takes tokens of one length, got {x.shape[-1]} and {y.shape[-1]}")
        return _matrix(self, x, y)

    def gram(self, x: Float[Array, "n k d"]) -> Float[Array, "n n"]:
        """The symmetric matrix of all pairs of one set; tiles below the diagonal are copied.

        Args:
            x: (n, N + 1, d).

        Raises:
            ValueError: no key.
        """
        return _symmetric_matrix(self, _tokens(self.name, x))


@functools.partial(jax.jit, static_argnums=0)
def _matrix(kernel: TokenKernel, x: Array, y: Array) -> Array:
    rows, columns = (_tiled(v, kernel.tile) for v in (x, y))
    found = jax.lax.map(lambda row: jax.lax.map(lambda column: kernel.block(row, column), columns), rows)
    return jnp.swapaxes(found, 1, 2).reshape(len(rows) * rows.shape[1], -1)[: len(x), : len(y)]


@functools.partial(jax.jit, static_argnums=0)
def _symmetric_matrix(kernel: TokenKernel, x: Array) -> Array:
    """Tiles on and above the diagonal, and their copies below."""
    tiles = _tiled(x, kernel.tile)
    count, size = tiles.shape[:2]
    upper = np.triu_indices(count)
    where = np.zeros((count, count), np.int32)
    where[upper] = np.arange(len(upper[0]), dtype=np.int32)
    where = np.maximum(where, where.T)
    pairs = tuple(jnp.asarray(part, jnp.int32) for part in upper)
    found = jax.lax.map(lambda pair: kernel.block(tiles[pair[0]], tiles[pair[1]]), pairs)
    matrix = jnp.swapaxes(found[where], 1, 2).reshape(count * size, count * size)[: len(x), : len(x)]
    return jnp.triu(matrix) + jnp.triu(matrix, 1).T


def _tiled(x: Array, tile: int) -> Array:
    """(n, ...) to (count, at most tile, ...), the last tile filled up with the first row."""
    size = min(tile, len(x))
    count = -(-len(x) // size)
    filled = jnp.concatenate([x, jnp.broadcast_to(x[:1], (count * size - len(x), *x.shape[1:]))])
    return filled.reshape(count, size, *x.shape[1:])


def _direction(z: Array) -> tuple[Array, Array]:
    """Unit vectors and lengths."""
    return numerics.normalize(z), numerics.norm(z)


@functools.cache
def attention_kernel(law: Law) -> TokenKernel:
    """The kernel of ``random_feature_attention`` with relu and infinitely many heads, in closed form.

    ``K(x, x') = E_W <phi_W(x), phi_W(x')>``, see the module; tokens may have any lengths and sets any sizes. Heads that
    depend on each other (``orthogonal``, ``antithetic``) do not change it.

    Args:
        law: of the query-key matrices.

    Returns:
        A kernel. Its error is below 1e-12 of its value; its derivatives are right where tokens coincide.

    Example:
        >>> x = jnp.array([[[1.0, 0.0], [0.0, 1.0]]])
        >>> float(attention_kernel(gaussian())(x, x)[0, 0].round(6))  # |z_1|^2 E relu(t)^2 = 2 / 2
        1.0

    Reference:
        Derived here, for the layer of Fu, Guo, Bai, Mei, NeurIPS 2023 (arXiv 2307.11353).
    """
    plain = law.mean == 0.0
    strength = 0.0 if plain else float(np.linalg.norm(law.mean, 2)) if isinstance(law.mean, tuple) else abs(law.mean)
    n_nodes = 24 if strength <= 2 * law.scale else N_NODES

    def parts(x: Array) -> tuple[Array, Array, Array, Array]:
        """Unit queries (n, p), and for each key unit vectors (n, p), weights (n,), means over deviations (n,)."""
        z = jnp.moveaxis(_lifted(x, law.lift), -2, 0)
        unit, length = _direction(z)
        deviation = law.scale * length[:1] * length[1:]
        if plain:
            shift = jnp.zeros_like(deviation)
        else:
            centre = jnp.asarray(law.centre(x.shape[-1]), x.dtype)
            mean = jnp.einsum("np,pq,inq->in", z[0], centre, z[1:], precision="highest")
            shift = jnp.where(deviation > 0, mean / jnp.where(deviation > 0, deviation, 1), 0)
        return unit[0], unit[1:], deviation * length[1:] / len(deviation), shift

    def block(x: Array, y: Array) -> Array:
        (query, key, weight, shift), (query_y, key_y, weight_y, shift_y) = parts(x), parts(y)
        close = jnp.matmul(query, query_y.T, precision="highest")

        def add(total: Array, pair: tuple[Array, Array]) -> tuple[Array, None]:
            i, j = pair
            cosine = jnp.matmul(key[i], key_y[j].T, precision="highest")
            rho = jnp.clip(close * cosine, -1, 1)
            moment = arc_cosine(rho) if plain else relu_moment(shift[i][:, None], shift_y[j][None], rho, n_nodes)
            return total + weight[i][:, None] * weight_y[j][None] * cosine * moment, None

        pairs = np.indices((len(key), len(key_y)), np.int32).reshape(2, -1)
        return jax.lax.scan(add, jnp.zeros_like(close), tuple(map(jnp.asarray, pairs)))[0]

    return intern(TokenKernel(("attention_kernel", law.mean, law.scale, law.lift), f"attention_kernel({law})", block))


def _mlp_block(x: Array, y: Array) -> Array:
    if x.shape[-2] != y.shape[-2]:
        raise ValueError(f"mlp_kernel takes sets of one size, got {x.shape[-2]} and {y.shape[-2]} tokens")
    (unit, length), (unit_y, length_y) = (_direction(_lifted(v.reshape(len(v), -1), 1.0)) for v in (x, y))
    rho = jnp.clip(jnp.matmul(unit, unit_y.T, precision="highest"), -1, 1)
    return length[:, None] * length_y[None] * arc_cosine(rho) / (x.shape[-2] + 1)


mlp_kernel = intern(TokenKernel(("mlp_kernel",), "mlp_kernel", _mlp_block))
"""The kernel of ``random_feature_mlp`` with infinitely many units, ``|u| |u'| / (N + 2) arc_cosine(cos(u, u'))``.

``u = [x_0; ..; x_N; 1]``; tokens may have any lengths. Derived here: half an arc-cosine kernel of degree one (Cho,
Saul, NeurIPS 2009).
"""


# --- pooling ----------------------------------------------------------------------------------------------------------


@functools.cache
def attention_pooling(d: int, n_outputs: int = 1) -> SignalLayer:
    """``y_j = sum_n softmax_n(c_nj) x_nj``, scores ``c = x W``: a mean over a set with learned weights of each feature.

    The order of the elements does not matter, nor does a set that holds each of them twice. Each feature of the result
    lies between the least and the largest of the set: a weight of 0 gives the mean, a large multiple of the identity
    the maximum. A set of one element is left as it is.

    ``apply`` takes sets of one size, with a mask of those elements that are there; what stands in the place of others
    does not matter, NaN included. A set without any is an error; under ``jit`` its result is NaN, which derivatives do
    not show, as all of it is absent.

    Args:
        d: features of an element.
        n_outputs: vectors that are made of a set, each with scores of its own, one after the other in the result.

    Returns:
        A layer with ``apply(params, x: (..., N, d), present=None: (..., N)) -> (..., n_outputs d)`` for every N of at
        least 1; the parameters are ``{"weight": (d, n_outputs d)}``.

    Raises:
        ValueError: a count below one; in ``apply``, no element, elements of another length, a mask of another shape.

    Example:
        >>> layer = attention_pooling(2)
        >>> x = jnp.array([[1.0, 5.0], [3.0, 5.0], [jnp.nan, 0.0]])
        >>> layer.apply({"weight": jnp.zeros((2, 2))}, x, jnp.array([True, True, False])).tolist()
        [2.0, 5.0]

    Reference:
        Yang, Wang, Markham, Trigoni, IJCV 2019, as read in the public code.

    Differs from the paper: no bias, which would cancel in the softmax; masks.
    """
    d, n_outputs = whole(d, 1, "the length of an element"), whole(n_outputs, 1, "the number of outputs")
    name = f"attention_pooling({d})" if n_outputs == 1 else f"attention_pooling({d}, {n_outputs})"

    def init(key: jax.Array, dtype: Any = float) -> Params:
        return {"weight": jax.random.normal(key, (d, n_outputs * d), dtype) * d**-0.5}

    def apply(params: Params, x: Array, present: Array | None = None) -> Array:
        x = jnp.asarray(x)
        if x.ndim < 2 or x.shape[-1] != d:
            raise ValueError(f"{name} takes sets (..., N, {d}), got shape {x.shape}")
        if x.shape[-2] == 0:
            raise ValueError(f"{name} takes sets of at least one element, got shape {x.shape}")
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise TypeError(f"{name} takes floating-point sets, got {x.dtype}; cast them, x.astype(float)")
        there = jnp.ones(x.shape[:-1], bool) if present is None else jnp.asarray(present)
        if there.dtype != bool or there.shape != x.shape[:-1]:
            raise ValueError(
                f"{name} takes a mask of booleans, {x.shape[:-1]} for sets {x.shape}, got {there.dtype} {there.shape}"
            )
        if not isinstance(there, jax.core.Tracer) and not np.asarray(there).any(axis=-1).all():
            raise ValueError(f"{name} takes sets of at least one element, but a set has none that is present")
        there = there[..., None]
        x = jnp.where(there, x, 0)  # before the scores, or the derivative of what is absent would be 0 times NaN
        scores = jnp.matmul(x, entry(name, params, "weight").astype(x.dtype), precision="highest")
        share = jax.nn.softmax(jnp.where(there, scores, -jnp.inf), axis=-2)
        share = share.reshape(*x.shape[:-1], n_outputs, d)
        return jnp.sum(share * x[..., None, :], axis=-3).reshape(*x.shape[:-2], -1)

    return intern(SignalLayer(("attention_pooling", d, n_outputs), name, init, apply))
