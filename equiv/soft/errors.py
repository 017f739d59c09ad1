r"""How far a function is from equivariant: seven metrics, which answer different questions.

With ``a = f(rho_in(g) x)`` and ``b = rho_out(g) f(x)``:

======================  ===================================================================================
``mean_square``         ``E |a - b|^2``: the training-time regulariser; ``2 E |f - Rf|^2``, Rf the group average
``relative``            ``E |a - b| / E (|a| + |b|)``, between 0 and 1; random pairs give about 0.7
``worst``               ``max |a - b|``: the epsilon of approximate equivariance, seen on a sample
``lie_derivative``      the derivative of the error along the algebra, exact by one jvp
``prediction``          what a classifier does with it: divergence, consistency, mean and worst accuracy
``weight_space``        ``|w - P w| / |w|`` per free weight; depends on the parametrisation
``group_average``       the distance of f from its group average
======================  ===================================================================================

f maps one vector to one vector, and is mapped over the rest here. Elements come as an array, ``elements``, with one
leading axis, so that their law is in sight: ``group.elements()`` for a finite group, ``group.sample(key, (n,))`` for
Haar measure on a compact one; non-compact groups have no such law, and their ``sample`` states its own. Every mean
runs over all pairs of an element and an input. A ratio of means is used instead of a mean of ratios wherever
denominators can be small; 0 / 0 is 0.

``exponential_gaussian_relative`` is the error reported by the code of the projection penalty: a mean of ratios over
elements ``exp(sum_k z_k A_k)`` times powers of the generators, which is not Haar measure. It is there for comparison.

Reference:
    Finzi, Benton, Wilson, NeurIPS 2021 (arXiv 2112.01388), the relative error; Wang, Walters, Yu, ICML 2022 (arXiv
    2201.11969), the epsilon; Gruver, Finzi, Goldblum, Wilson, The Lie Derivative for Measuring Learned Equivariance,
    ICLR 2023 (arXiv 2210.02984); Elhag, Rusch, Di Giovanni, Bronstein (arXiv 2410.17878), the group average; Kim,
    Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356), weight space.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from equiv import numerics
from equiv.groups import Element, Group, Homomorphism
from equiv.layers import Layer, Params
from equiv.reps import Rep, algebra, intertwiners, restrict
from equiv.soft.penalties import subgroups

__all__ = [
    "GroupAverage",
    "LieDerivative",
    "Prediction",
    "Split",
    "exponential_gaussian_relative",
    "group_average",
    "layerwise_lie_derivative",
    "lie_derivative",
    "mean_square",
    "prediction",
    "relative",
    "relative_difference",
    "sample_exponential_gaussian",
    "weight_space",
    "worst",
]

Function = Callable[[jax.Array], jax.Array]


def _ratio(top: jax.Array, bottom: jax.Array) -> jax.Array:
    """``top / bottom``, and 0 where both are 0."""
    return jnp.where(bottom > 0, top / jnp.where(bottom > 0, bottom, 1), 0)


def _spread(elements: Element) -> Element:
    """An axis of length 1 for the inputs, after that of the elements."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[:, None], elements)


def _sides(f: Function, rep_in: Rep, rep_out: Rep, x: jax.Array, elements: Element) -> tuple[jax.Array, jax.Array]:
    """``f(rho_in(g) x)`` and ``rho_out(g) f(x)``, each (elements, inputs, dim_out)."""
    g, y = _spread(elements), jax.vmap(f)(x)
    if y.shape[1:] != (rep_out.dim,):
        raise ValueError(f"{rep_out} needs vectors of length {rep_out.dim}, but f gives arrays of shape {y.shape[1:]}")
    return jax.vmap(jax.vmap(f))(rep_in.act(g, x[None])), rep_out.act(g, y[None])


def mean_square(f: Function, rep_in: Rep, rep_out: Rep, x: Float[Array, "n in"], elements: Element) -> Float[Array, ""]:
    """The mean squared error, ``E |f(g x) - g f(x)|^2``.

    Equal to ``2 E |f - Rf|^2``, ``Rf(x) = E g^-1 f(g x)``, if the elements are the whole group, the law of x is
    invariant and ``rho_out`` is orthogonal; for a linear map w and standard normal x to ``2 |w - P w|^2``.

    Args:
        f: one vector to one vector.
        rep_in: how the group acts on what goes in.
        rep_out: how it acts on what comes out.
        x: inputs, (n, dim_in).
        elements: group elements with one leading axis, in the dtype of x.

    Returns:
        A number in the dtype of ``f(x)``.

    Example:
        >>> from equiv.groups import cyclic
        >>> from equiv.reps import regular
        >>> v = regular(cyclic(2))
        >>> float(mean_square(lambda x: x * jnp.array([1.0, 2.0]), v, v, jnp.eye(2), cyclic(2).elements()))
        0.5
    """
    a, b = _sides(f, rep_in, rep_out, x, elements)
    return jnp.mean(jnp.sum((a - b) ** 2, axis=-1))


def relative_difference(a: Float[Array, "... n"], b: Float[Array, "... n"]) -> Float[Array, "..."]:
    """``|a - b| / (|a| + |b|)`` along the last axis, between 0 and 1, symmetric; 0 if both are 0.

    Example:
        >>> relative_difference(jnp.array([[1.0, 0.0], [0.0, 0.0]]), jnp.array([[-1.0, 0.0], [0.0, 0.0]])).tolist()
        [1.0, 0.0]
    """
    return _ratio(numerics.norm(a - b), numerics.norm(a) + numerics.norm(b))


def relative(f: Function, rep_in: Rep, rep_out: Rep, x: Float[Array, "n in"], elements: Element) -> Float[Array, ""]:
    """The symmetric relative error as a ratio of means, ``E |f(g x) - g f(x)| / E (|f(g x)| + |g f(x)|)``.

    Args:
        f: one vector to one vector.
        rep_in: how the group acts on what goes in.
        rep_out: how it acts on what comes out.
        x: inputs, (n, dim_in).
        elements: group elements with one leading axis, in the dtype of x.

    Returns:
        Between 0 and 1; 0 for the zero function.

    Example:
        >>> from equiv.groups import cyclic
        >>> from equiv.reps import regular
        >>> v = regular(cyclic(2))
        >>> round(float(relative(lambda x: x * jnp.array([1.0, 2.0]), v, v, jnp.eye(2), cyclic(2).elements())), 4)
        0.1667

    Differs from the paper:
        The codes of RPP and PER average the ratio of each pair; see ``relative_difference`` for one pair.
    """
    a, b = _sides(f, rep_in, rep_out, x, elements)
    return _ratio(jnp.mean(numerics.norm(a - b)), jnp.mean(numerics.norm(a) + numerics.norm(b)))


def worst(f: Function, rep_in: Rep, rep_out: Rep, x: Float[Array, "n in"], elements: Element) -> Float[Array, ""]:
    """The largest error seen, ``max |f(g x) - g f(x)|``: from below, the epsilon up to which f is equivariant.

    Args:
        f: one vector to one vector.
        rep_in: how the group acts on what goes in.
        rep_out: how it acts on what comes out.
        x: inputs, (n, dim_in).
        elements: group elements with one leading axis, in the dtype of x.

    Example:
        >>> from equiv.groups import cyclic
        >>> from equiv.reps import regular
        >>> v = regular(cyclic(2))
        >>> float(worst(lambda x: x * jnp.array([1.0, 2.0]), v, v, jnp.eye(2), cyclic(2).elements()))
        1.0
    """
    a, b = _sides(f, rep_in, rep_out, x, elements)
    return jnp.max(numerics.norm(a - b))


# --- Lie derivatives -------------------------------------------------------------------------------------


class LieDerivative(NamedTuple):
    """The Lie derivative of a function at inputs.

    Attributes:
        field: ``(L_k f)(x)``, (algebra, n, dim_out).
        per_generator: ``E |L_k f|^2 / dim_out``, (algebra,).
        total: their sum over the basis of the algebra.
    """

    field: jax.Array
    per_generator: jax.Array
    total: jax.Array


def _along(rep: Rep, dtype: Any) -> jax.Array:
    if not rep.group.dim:
        raise ValueError(f"a Lie derivative needs a group with a Lie algebra, got {rep.group}, which is discrete")
    return jnp.asarray(algebra(rep), dtype)


def _field(f: Function, rep_in: Rep, rep_out: Rep, x: jax.Array) -> jax.Array:
    """``J_f(x) d rho_in(A_k) x - d rho_out(A_k) f(x)``, (algebra, n, dim_out)."""
    steps = jnp.einsum("kij,nj->kni", _along(rep_in, x.dtype), x)
    one = lambda x, dx: jax.jvp(f, (x,), (dx,))
    y, slopes = jax.vmap(jax.vmap(one), in_axes=(None, 0))(x, steps)
    return slopes - jnp.einsum("kij,knj->kni", _along(rep_out, y.dtype), y)


def lie_derivative(f: Function, rep_in: Rep, rep_out: Rep, x: Float[Array, "n in"]) -> LieDerivative:
    """The rate at which f leaves equivariance along each element of the algebra's basis.

    ``L_k f(x) = d/dt g^-1 f(g x) at t = 0, g = exp(t A_k)``, ``= J_f(x) d rho_in(A_k) x - d rho_out(A_k) f(x)``

    Exact, one jvp for each k. The finite error along ``exp(t A_k)`` is at most ``|t|`` times the largest
    ``|L_k f|`` on the way if ``rho_out`` is orthogonal, and has this slope at 0.

    Args:
        f: one vector to one vector, differentiable.
        rep_in: how the group acts on what goes in.
        rep_out: how it acts on what comes out.
        x: inputs, (n, dim_in).

    Raises:
        ValueError: a discrete group.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import scalar, standard
        >>> plane = so(2)
        >>> float(lie_derivative(lambda x: x[:1], standard(plane), scalar(plane), jnp.eye(2)).total)
        0.5

    Reference:
        Gruver, Finzi, Goldblum, Wilson, ICLR 2023 (arXiv 2210.02984).

    Differs from the paper:
        Their code returns a mean absolute value of soft-max outputs; this is the mean square of the formula.
    """
    field = _field(f, rep_in, rep_out, x)
    per_generator = jnp.mean(field**2, axis=(1, 2))
    return LieDerivative(field, per_generator, jnp.sum(per_generator))


class Split(NamedTuple):
    """A Lie derivative, layer by layer.

    Attributes:
        terms: what each layer contributes to the output's Lie derivative, (layers, algebra, n, dim_out); they add up to
            the whole network's.
        per_layer: ``sum_k E |term|^2 / dim_out``, (layers,); these do not add up.
        cancellation: ``1 - |sum of terms| / sum of |terms|``, 0 if all point the same way.
    """

    terms: jax.Array
    per_layer: jax.Array
    cancellation: jax.Array


def layerwise_lie_derivative(layers: Sequence[Layer], params: Sequence[Params], x: Float[Array, "n in"]) -> Split:
    """Which layer of a chain breaks the symmetry: ``L(f_L ... f_1) = sum_l J(f_L ... f_{l+1}) L f_l``.

    Args:
        layers: each takes what the one before gives.
        params: one entry per layer.
        x: inputs, (n, dim_in).

    Raises:
        ValueError: no layer, another number of parameters, or a discrete group.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.layers import dense, linear
        >>> from equiv.reps import standard
        >>> v = standard(so(3))
        >>> layers = [linear(v, v), dense(v, v)]
        >>> params = [layer.init(jax.random.key(i)) for i, layer in enumerate(layers)]
        >>> split = layerwise_lie_derivative(layers, params, jnp.eye(3))
        >>> bool(split.per_layer[0] < 1e-9), bool(split.per_layer[1] > 0.01)
        (True, True)

    Reference:
        Gruver, Finzi, Goldblum, Wilson, ICLR 2023 (arXiv 2210.02984), section on layerwise errors.
    """
    if not len(layers) or len(layers) != len(params):
        raise ValueError(
            f"layerwise_lie_derivative needs one or more layers and parameters for each, "
            f"got {len(layers)} and {len(params)}"
        )
    terms: list[jax.Array] = []
    for layer, p in zip(layers, params):
        f = lambda v, layer=layer, p=p: layer.apply(p, v)
        push = lambda v, dv, f=f: jax.jvp(f, (v,), (dv,))[1]
        terms = [jax.vmap(jax.vmap(push), in_axes=(None, 0))(x, term) for term in terms]
        terms.append(_field(f, layer.rep_in, layer.rep_out, x))
        x = jax.vmap(f)(x)
    stacked = jnp.stack(terms)
    size = lambda t: jnp.sqrt(jnp.sum(t**2, axis=(-3, -2, -1)))
    per_layer = jnp.sum(jnp.mean(stacked**2, axis=(2, 3)), axis=1)
    whole, apart = size(jnp.sum(stacked, axis=0)), jnp.sum(size(stacked))
    return Split(stacked, per_layer, jnp.where(apart > 0, 1 - _ratio(whole, apart), 0))


# --- classifiers, weights, averages ----------------------------------------------------------------------


class Prediction(NamedTuple):
    """How a classifier's answers change along orbits.

    Attributes:
        divergence: ``E KL(p(x) | p(g x))``, in nats.
        consistency: share of pairs with the same answer at x and g x.
        accuracy: mean over elements and inputs.
        worst_accuracy: the least over elements of the mean over inputs.
    """

    divergence: jax.Array
    consistency: jax.Array
    accuracy: jax.Array
    worst_accuracy: jax.Array


def prediction(
    f: Function, rep_in: Rep, x: Float[Array, "n in"], labels: Int[Array, "n"], elements: Element
) -> Prediction:
    """Invariance of a classifier's answers; the relative error of logits is dominated by their mean.

    Args:
        f: one vector to the logits, (classes,).
        rep_in: how the group acts on the input.
        x: inputs, (n, dim_in).
        labels: right classes, (n,).
        elements: group elements with one leading axis, in the dtype of x.

    Example:
        >>> from equiv.groups import cyclic
        >>> from equiv.reps import regular
        >>> found = prediction(lambda x: x, regular(cyclic(2)), jnp.eye(2), jnp.array([0, 1]), cyclic(2).elements())
        >>> float(found.consistency), float(found.accuracy), float(found.worst_accuracy)
        (0.5, 0.5, 0.0)
    """
    at = jax.nn.log_softmax(jax.vmap(f)(x), axis=-1)[None]
    moved = jax.nn.log_softmax(jax.vmap(jax.vmap(f))(rep_in.act(_spread(elements), x[None])), axis=-1)
    answer = jnp.argmax(moved, axis=-1)
    share = lambda hits: jnp.mean(hits.astype(x.dtype), axis=-1)
    right = share(answer == labels[None])
    return Prediction(
        divergence=jnp.mean(jnp.sum(jnp.exp(at) * (at - moved), axis=-1)),
        consistency=jnp.mean(share(answer == jnp.argmax(at, axis=-1))),
        accuracy=jnp.mean(right),
        worst_accuracy=jnp.min(right),
    )


def weight_space(
    layer: Layer, params: Params, groups: Sequence[Group | Homomorphism] | None = None
) -> Float[Array, "groups weights"]:
    """How far each free weight is from equivariant, ``|w - P w| / |w|``, between 0 and 1; 0 for a weight of zero.

    Layers can be far from equivariant in a network that is near, and the other way round; pair it with a metric of the
    function.

    Args:
        layer: a layer with free weights.
        params: its parameters.
        groups: subgroups of the layer's group; the group itself if left out.

    Returns:
        (n_groups, n_weights), matrices and biases in the order of ``layer.weights``.

    Raises:
        ValueError: no group, a group that is no subgroup, or a layer without free weights.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.layers import dense
        >>> from equiv.reps import standard
        >>> params = {"matrix": jnp.eye(3), "bias": jnp.ones(3)}
        >>> weight_space(dense(standard(so(3)), standard(so(3))), params).round(3).tolist()
        [[0.0, 1.0]]
    """
    inclusions = subgroups("weight_space", layer.rep_in.group, [layer.rep_in.group] if groups is None else groups)
    weights = layer.weights(params)
    if not weights:
        raise ValueError(f"weight_space needs a layer with free weights, but {layer} has none")

    def one(h: Homomorphism, rep_in: Rep, rep_out: Rep, w: jax.Array) -> jax.Array:
        basis = intertwiners.basis(restrict(rep_in, h), restrict(rep_out, h))
        return _ratio(numerics.norm((w - basis.project(w)).ravel()), numerics.norm(w.ravel()))

    return jnp.stack([jnp.stack([one(h, *weight) for weight in weights]) for h in inclusions])


class GroupAverage(NamedTuple):
    """The distance of a function from its group average, measured in two ways.

    Attributes:
        average: ``E_x |E_g g^-1 f(g x) - f(x)|``.
        pairwise: ``E_x E_g |g^-1 f(g x) - f(x)|``, never less.
    """

    average: jax.Array
    pairwise: jax.Array


def group_average(f: Function, rep_in: Rep, rep_out: Rep, x: Float[Array, "n in"], elements: Element) -> GroupAverage:
    """How far f is from the function averaged over the group, and from each moved copy of itself.

    Args:
        f: one vector to one vector.
        rep_in: how the group acts on what goes in.
        rep_out: how it acts on what comes out.
        x: inputs, (n, dim_in).
        elements: group elements with one leading axis, in the dtype of x; the paper draws 100.

    Example:
        >>> from equiv.groups import cyclic
        >>> from equiv.reps import regular
        >>> v = regular(cyclic(2))
        >>> found = group_average(lambda x: x * jnp.array([1.0, 2.0]), v, v, jnp.eye(2), cyclic(2).elements())
        >>> float(found.average), float(found.pairwise)
        (0.5, 0.5)

    Reference:
        Elhag, Rusch, Di Giovanni, Bronstein, Relaxed Equivariance via Multitask Learning (arXiv 2410.17878), equations
        12 and 13.

    Differs from the paper:
        The normalisation of their two numbers was not found; these are plain means of norms.
    """
    g = _spread(elements)
    moved = jax.vmap(jax.vmap(f))(rep_in.act(g, x[None]))
    back = rep_out.act(rep_out.group.inverse(g), moved)
    y = jax.vmap(f)(x)
    average = jnp.mean(numerics.norm(jnp.mean(back, axis=0) - y))
    return GroupAverage(average, jnp.mean(numerics.norm(back - y[None])))


# --- the error of the projection penalty's code ----------------------------------------------------------


def sample_exponential_gaussian(key: jax.Array, group: Group, n: int, dtype: Any = float) -> Element:
    """Elements by the law of the projection penalty's code, which is not Haar measure.

    ``g = prod over 3 rounds of exp(sum_k z_k A_k) prod_m h_m^(k_m)``, z standard normal, k uniform on -5 ... 4, h the
    discrete generators.

    Args:
        key: random key.
        group: any group.
        n: how many.
        dtype: of the elements.

    Example:
        >>> from equiv.groups import o
        >>> sample_exponential_gaussian(jax.random.key(0), o(3), 5).shape
        (5, 3, 3)

    Reference:
        Kim, Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356); read in the code.
    """
    steps = group.generators(dtype)
    n_steps = jax.tree.leaves(steps)[0].shape[0]
    k_algebra, k_powers = jax.random.split(key)
    z = jax.random.normal(k_algebra, (3, n, group.dim), dtype)
    powers = jax.random.randint(k_powers, (3, n, n_steps), -5, 5)
    identity = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (n, *leaf.shape)), group.identity(dtype))

    def pick(chosen: jax.Array, one: Element, other: Element) -> Element:
        widen = lambda a: chosen.reshape(chosen.shape + (1,) * (a.ndim - 1))
        return jax.tree.map(lambda a, b: jnp.where(widen(a), a, b), one, other)

    found = identity
    for turn, power in zip(z, powers):
        if group.dim:
            found = group.compose(found, group.exp(turn))
        for m in range(n_steps):
            step = jax.tree.map(lambda leaf, m=m: jnp.broadcast_to(leaf[m], (n, *leaf.shape[1:])), steps)
            back = group.inverse(step)
            for k in range(5):
                found = pick(power[:, m] > k, group.compose(found, step), found)
                found = pick(power[:, m] < -k, group.compose(found, back), found)
    return found


def exponential_gaussian_relative(
    f: Function, rep_in: Rep, rep_out: Rep, x: Float[Array, "n in"], key: jax.Array, n_elements: int = 10
) -> Float[Array, ""]:
    """The equivariance error of the projection penalty's code: the mean of the relative difference of each pair.

    Its elements follow ``sample_exponential_gaussian``, not Haar measure, so that it weighs rotations by small angles
    more; small denominators can dominate it. Prefer ``relative``.

    Args:
        f: one vector to one vector.
        rep_in: how the group acts on what goes in.
        rep_out: how it acts on what comes out.
        x: inputs, (n, dim_in).
        key: for the elements.
        n_elements: how many.

    Example:
        >>> from equiv.groups import so
        >>> from equiv.reps import standard
        >>> v = standard(so(3))
        >>> float(exponential_gaussian_relative(lambda x: 2 * x, v, v, jnp.eye(3), jax.random.key(0))) < 1e-6
        True

    Reference:
        Kim, Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356); read in the code.
    """
    a, b = _sides(f, rep_in, rep_out, x, sample_exponential_gaussian(key, rep_in.group, n_elements, x.dtype))
    return jnp.mean(relative_difference(a, b))
