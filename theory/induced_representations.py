r"""From images to SO(3): what commutes with the turns of a picture, and what such maps factor through.

An image is turned by SO(2), the turns about the axis of the camera; a signal on the sphere or on SO(3) by all
rotations. A map from one to the other is *consistent* if it commutes with the turns, ``Phi(h f) = h Phi(f)``.

Linear consistent maps are inner products with steerable kernels, ``F(h r) = rho_out(h) F(r) rho_in(h)^-1`` with
``rho_out = Res D^l``; in closed form ``F(r, phi) = rho_out(phi) A(r) rho_in(phi)^-1`` (``equiv.layers.steerable``). On
pixels they are exact at quarter turns, elsewhere as exact as the sum over pixels is as an integral. What sees pooled
features only cannot be consistent, unless it gives components of order 0 and nothing else: pooled features do not
change when the picture turns.

*Branching*: ``Res D^l = rho_0 + rho_1 + ... + rho_l`` after a permutation. *Frobenius reciprocity*: over the real
numbers ``Hom_SO(2)(rho_k, Res D^l)`` has dimension 1 for k = 0, 2 for 1 <= k <= l and 0 beyond, so that ``Ind rho_k``
has two copies of each D^l with l >= k. *Universal property*: every map ``Phi: rho_k -> Res W`` is ``Psi eta`` with one
SO(3)-map Psi from the induced space; Psi is unique since the rotations of ``eta(v)`` span that space. All this on
band-limited spaces, where ``eta(v)`` is a vector and not a delta function.

Finite groups behave in the same way with cosets in the place of the sphere: C_5 and C_3 in the icosahedral group induce
the functions on its 12 vertices and 20 faces.

Known: statements about kernels, induction and restriction were read in the supplement of the paper; the real forms,
closed kernels and numbers here are derived. The paper's main text was not read.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from equiv.groups import Group, Homomorphism, cyclic, inclusion, polyhedral, powers, so
from equiv.layers.induction import orthographic_profiles, plane_to_so3, plane_to_sphere
from equiv.layers.so3 import sphere_signal, spherical_harmonics, to_blocks
from equiv.layers.steerable import gaussian_rings, laguerre, steerable_kernel, window
from equiv.reps import Rep, character, frobenius_number, induce, induced_truncated, restrict, scalar, standard
from equiv.reps.induced import branching_maps, factor, unit
from equiv.reps.irreps import branching, polar_axis, so2, so3, wigner_blocks, wigner_d
from theory.claim import Claim, Evidence, Source, TooSmall, generator, mean_evidence

__all__ = ["CLAIMS", "predict_number_of_profiles"]


def _source(theorem: str) -> Source:
    return Source(
        author="O. Howell, D. Klee, O. Biza, L. Zhao, R. Walters",
        title="Equivariant Single View Pose Prediction Via Induced and Restricted Representations",
        venue="NeurIPS 2023",
        arxiv="2307.03704",
        theorem=theorem,
        known="derived",
    )


def _flat(axis: str, *arrays: jax.Array) -> Evidence:
    values = _values(*arrays)
    return Evidence(axis, np.arange(len(values)), values)


def _values(*arrays: jax.Array) -> np.ndarray:
    return np.concatenate([np.asarray(array).ravel() for array in arrays])


def _turn(t: float) -> np.ndarray:
    return np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])


def _polar(rep: Rep) -> Rep:
    """A representation of SO(3) under the turns of the picture."""
    return restrict(rep, polar_axis())


# --- kernels and layers -----------------------------------------------------------------------------------------------

_FIELDS = 2 * so2(0) + so2(1) + so2(2)
_L, _SIDE, _IMAGES = 4, 12, 3


def predict_number_of_profiles(l_max: int, mirror: bool) -> int:
    """Radial profiles from one scalar image to one signal on the sphere: ``(L + 1)^2``, or half of it without q.

    Example:
        >>> predict_number_of_profiles(6, mirror=False), predict_number_of_profiles(6, mirror=True)
        (49, 28)
    """
    return (l_max + 1) * (l_max + 2) // 2 if mirror else (l_max + 1) ** 2


@functools.cache
def _kernel() -> tuple:
    kernel = steerable_kernel(_FIELDS, _polar(sphere_signal(3)), laguerre(2, 0.2))
    return kernel, jax.jit(lambda key: kernel.init(key, jnp.float64))


def _steered(key: jax.Array, t: float, turns_in: bool) -> np.ndarray:
    """``rho_out(h)^-1 F(h r) rho_in(h)`` at drawn points and the origin; without the turn of the input if asked."""
    kernel, init = _kernel()
    points = np.concatenate([np.zeros((1, 2)), generator(key).uniform(-0.6, 0.6, (12, 2))])
    h = jnp.asarray(_turn(t))
    value = kernel.at(init(key), points @ _turn(t).T)
    before = kernel.rep_in.matrix(h) if turns_in else jnp.eye(kernel.rep_in.dim)
    return np.einsum("ba,bcn,cd->adn", kernel.rep_out.matrix(h), value, before)


def _rot90(rep: Rep, images: np.ndarray, steps: int) -> np.ndarray:
    """Images of a type, turned by quarter turns: their pixels move, and their components turn."""
    rho = np.asarray(rep.matrix(jnp.asarray(_turn(steps * np.pi / 2))))
    return np.einsum("ab,...bij->...aij", rho, np.rot90(images, steps, axes=(-2, -1)))


def _images(key: jax.Array) -> np.ndarray:
    return generator(key).normal(size=(_IMAGES, _FIELDS.dim, _SIDE, _SIDE))


def _back(rep: Rep, steps: int, y: np.ndarray) -> np.ndarray:
    return np.asarray(y) @ np.asarray(_polar(rep).matrix(jnp.asarray(_turn(steps * np.pi / 2))))


@functools.cache
def _lift() -> tuple:
    layer = plane_to_sphere(_FIELDS, _L, 2, gaussian_rings(3, _SIDE))
    return sphere_signal(_L, 2), jax.jit(lambda key: layer.init(key, jnp.float64)), jax.jit(layer.apply)


def _lifted(key: jax.Array) -> np.ndarray:
    """``Phi(f)``, once for each of the four turns."""
    _, init, apply = _lift()
    return np.tile(np.asarray(apply(init(key), jnp.asarray(_images(key)))), (4, 1, 1))


def _turned_back(key: jax.Array) -> np.ndarray:
    """``h^-1 Phi(h f)`` for the four turns."""
    signal, init, apply = _lift()
    params = init(key)
    images = [_rot90(_FIELDS, _images(key), steps) for steps in range(4)]
    return np.stack([_back(signal, k, apply(params, jnp.asarray(x))) for k, x in enumerate(images)])


def _pooled_back(key: jax.Array) -> np.ndarray:
    """The same for a map of pooled features that agrees with Phi on the upright images."""
    signal, _, _ = _lift()
    pooled = lambda x: np.stack([np.mean(x[:, :2] ** power, axis=(1, 2, 3)) for power in (1, 2, 3)], axis=1)
    weights = np.linalg.solve(pooled(_images(key)), _lifted(key)[0])
    images = [_rot90(_FIELDS, _images(key), steps) for steps in range(4)]
    return np.stack([_back(signal, k, pooled(x) @ weights) for k, x in enumerate(images)])


def _rotation_signal(key: jax.Array, steps: int, right: bool) -> list[np.ndarray]:
    """The blocks of ``plane_to_so3`` of a turned image, turned back from the left, or from both sides."""
    layer = plane_to_so3(_FIELDS, 2, 1, gaussian_rings(3, _SIDE))
    image = jnp.asarray(_rot90(_FIELDS, _images(key)[0], steps))
    blocks = to_blocks(jax.jit(layer.apply)(layer.init(key, jnp.float64), image), 2)
    turn = polar_axis().map(jnp.asarray(_turn(steps * np.pi / 2)))
    found = []
    for l, block in enumerate(blocks):
        d = np.asarray(wigner_d(l, turn))
        found.append(d.T @ np.asarray(block)[0] @ (d if right else np.eye(2 * l + 1)))
    return found


def _mirror(key: jax.Array, mirrored: bool, sign: float) -> np.ndarray:
    """``Phi(m f)`` with p and q, or ``m Phi(f)``; q is multiplied by the sign."""
    layer = plane_to_sphere(so2(0), _L, 1, gaussian_rings(3, _SIDE))
    params = layer.init(key, jnp.float64)
    params = params | {"q": jax.tree.map(lambda q: sign * q, params["q"])}
    image = _images(key)[0, :1]
    if mirrored:
        return np.asarray(layer.apply(params, jnp.asarray(image[..., ::-1].copy())))
    signs = np.concatenate([np.where(np.arange(-l, l + 1) < 0, -1.0, 1.0) for l in range(_L + 1)])
    return signs * np.asarray(layer.apply(params, jnp.asarray(image)))


# --- the orthographic lift --------------------------------------------------------------------------------------------


def _picture_points(key: jax.Array) -> np.ndarray:
    """Radii and angles, (8, 2)."""
    draw = generator(key)
    return np.stack([draw.uniform(0, 0.9, 8), draw.uniform(-np.pi, np.pi, 8)], axis=1)


def _profiles(key: jax.Array) -> np.ndarray:
    """``F_{l, l +- m}(r, phi) = p_lm(r) cos(m phi), p_lm(r) sin(m phi)``: (points, (L + 1)^2)."""
    r, phi = _picture_points(key).T
    p = orthographic_profiles(_L, r)
    rows = [
        p[l, abs(m)] * (np.cos(m * phi) if m >= 0 else np.sin(-m * phi))
        for l in range(_L + 1)
        for m in range(-l, l + 1)
    ]
    return np.stack(rows, axis=1)


def _projected(key: jax.Array, twist: float) -> np.ndarray:
    """``F_l(r) = integral kappa(n, r) Y_l(n) dn`` by a sum over the sphere, the picture twisted around its centre."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    ends = np.deg2rad([0, 75, 90])
    half = np.diff(ends)[:, None] / 2
    beta = ((ends[:-1] + ends[1:])[:, None] / 2 + half * nodes).ravel()
    mass = (half * weights).ravel() * np.sin(beta) / 2 * np.minimum(1, (90 - np.rad2deg(beta)) / 15)
    alpha = 2 * np.pi * np.arange(96) / 96
    beta, alpha = (a.ravel() for a in np.meshgrid(beta, alpha, indexing="ij"))
    points = np.stack([np.sin(beta) * np.sin(alpha), np.cos(beta), np.sin(beta) * np.cos(alpha)], axis=-1)
    harmonics = np.concatenate([np.asarray(y) for y in spherical_harmonics(_L, jnp.asarray(points))], axis=-1)
    r, phi = _picture_points(key).T
    seen_from = alpha + twist * np.sin(beta)
    z, x = 0.9 * np.sin(beta) * np.stack([np.cos(seen_from), np.sin(seen_from)])
    away = (r * np.cos(phi))[:, None] - z[None], (r * np.sin(phi))[:, None] - x[None]
    seen = np.exp(-(away[0] ** 2 + away[1] ** 2) / 0.08) / (0.08 * np.pi)
    return (seen * np.repeat(mass, 96) / 96) @ harmonics * window(r)[:, None]


# --- branching, reciprocity, universal property -----------------------------------------------------------------------

_ANGLES = np.array([0.4, 1.3, -2.2])
_HIGHEST = 5


def _blocks(axis: Homomorphism) -> np.ndarray:
    """``D^l`` of turns with its components in the order of the branching, l = 1 ... 4."""
    turns = jax.vmap(axis.map)(jnp.asarray(np.stack([_turn(t) for t in _ANGLES])))
    return _values(*(wigner_d(l, turns)[:, branching(l)][:, :, branching(l)] for l in range(1, 5)))


def _sums() -> np.ndarray:
    turns = jnp.asarray(np.stack([_turn(t) for t in _ANGLES]))
    return _values(*(sum((so2(k) for k in range(1, l + 1)), so2(0)).matrix(turns) for l in range(1, 5)))


@functools.cache
def _about_the_axis() -> tuple[np.ndarray, ...]:
    """``D^l`` of the turns about the polar axis, l = 0 ... 5."""
    turns = jax.vmap(polar_axis().map)(jnp.asarray(np.stack([_turn(t) for t in _ANGLES])))
    return tuple(np.asarray(wigner_d(l, turns)) for l in range(_HIGHEST + 1))


def _count(k: int, l: int, real: bool) -> int:
    """The dimension of the null space of ``D^l(t) B - B rho_k(t)`` at three angles; of ``e^{i k t}`` in its place."""
    rows = []
    for t, d in zip(_ANGLES, _about_the_axis()[l]):
        small = np.array([[np.exp(1j * k * t)]]) if not real else _turn(k * t) if k else np.eye(1)
        rows.append(np.kron(d, np.eye(len(small))) - np.kron(np.eye(len(d)), small.T))
    return int(np.sum(np.linalg.svd(np.concatenate(rows), compute_uv=False) < 1e-10))


def _counts(real: bool) -> np.ndarray:
    return np.array([_count(k, l, real) for k in range(_HIGHEST + 1) for l in range(_HIGHEST + 1)], np.float64)


def _multiplicities(most: int) -> Evidence:
    """How often D^l is induced from ``rho_0 + ... + rho_K``."""
    degrees = np.arange(_HIGHEST + 1)
    times = [sum(_count(k, l, real=True) for k in range(most + 1)) for l in degrees]
    return Evidence("degree l", degrees, np.array(times, np.float64))


_CASES = ((0, 2), (0, 4), (1, 2), (1, 4), (2, 4), (3, 3))


def _spanned(key: jax.Array, both: bool) -> Evidence:
    """The rank of the rotations of ``eta(v)``; or of the unit with both copies of each degree alike."""
    blocks = [np.asarray(d) for d in wigner_blocks(4, so(3).sample(key, (60,), jnp.float64))]
    ranks = []
    for k, l_max in _CASES:
        moved = []
        for l in range(k, l_max + 1):
            maps = [np.asarray(b)[:, 0] for b in branching_maps(k, l, jnp.float64)]
            moved += [blocks[l] @ (each if both else maps[0]) for each in maps]
        ranks.append(float(np.linalg.matrix_rank(np.concatenate(moved, axis=1), tol=1e-6)))
    return Evidence("frequency and highest degree", [f"{k}, {l_max}" for k, l_max in _CASES], ranks)


_W = 2 * so3(3) + so3(0) + so3(1)


def _drawn_map(key: jax.Array) -> jax.Array:
    """A map ``rho_1 -> Res W`` that commutes with SO(2): a random one, averaged over the turns."""
    phi = generator(key).normal(size=(_W.dim, 2))
    turns = jnp.asarray(np.stack([_turn(t) for t in 2 * np.pi * np.arange(9) / 9]))  # exact: frequencies up to 4
    return jnp.einsum("tab,bc,tdc->ad", _polar(_W).matrix(turns), jnp.asarray(phi), so2(1).matrix(turns)) / 9


def _orbit(key: jax.Array, copies: int) -> np.ndarray:
    """``Psi pi(g) eta`` for drawn g, with Psi on both copies of each degree, or on one."""
    psi, induced = np.array(factor(_drawn_map(key), 1, 3, _W)), induced_truncated(1, 3)
    if copies == 1:
        start = 0
        for l in range(1, 4):
            start += 2 * (2 * l + 1)
            psi[:, start - (2 * l + 1) : start] = 0
    moved = induced.matrix(so(3).sample(key, (4,), jnp.float64))
    return np.asarray(psi @ moved @ unit(1, 3, jnp.float64))


def _extended(key: jax.Array) -> np.ndarray:
    """``sigma(g) Phi`` for the same g."""
    return np.asarray(_W.matrix(so(3).sample(key, (4,), jnp.float64)) @ _drawn_map(key))


# --- finite groups ----------------------------------------------------------------------------------------------------


def _angles(group: Group) -> np.ndarray:
    """The angle of each rotation of a finite group, in degrees, rounded."""
    traces = np.trace(np.asarray(group.elements(jnp.float64)), axis1=1, axis2=2)
    return np.rint(np.rad2deg(np.arccos(np.clip((traces - 1) / 2, -1, 1)))).astype(int)


def _axis(group: Group, order: int) -> Homomorphism:
    """A cyclic group of rotations, from the first element by its angle."""
    return powers(group, np.asarray(group.elements(jnp.float64))[np.argmax(_angles(group) == 360 // order)])


def _multiplicity(order: int) -> np.ndarray:
    """How often 1, 3, 3', 4 and 5 are in the functions on what C_n of the icosahedral group leaves alone."""
    group, golden = polyhedral("icosahedral"), (1 + 5**0.5) / 2
    table = np.array(  # at 0, 72, 120, 144 and 180 degrees
        [
            [1, 1, 1, 1, 1],
            [3, golden, 0, 1 - golden, -1],
            [3, 1 - golden, 0, golden, -1],
            [4, -1, 1, -1, 0],
            [5, 0, -1, 0, 1],
        ]
    )
    classes = np.searchsorted([0, 72, 120, 144, 180], _angles(group))
    induced = induce(scalar(cyclic(order)), _axis(group, order))
    return table[:, classes] @ np.asarray(character(induced, group.elements(jnp.float64))) / group.order


def _vertices_and_faces(orders: tuple[int, int]) -> Evidence:
    names = [f"{name} in {where}" for where in ("vertices", "faces") for name in ("1", "3", "3'", "4", "5")]
    return Evidence("representation", names, np.concatenate([_multiplicity(order) for order in orders]))


def _half(rep: Rep, group: Group, quarter: np.ndarray) -> np.ndarray:
    """The character of the half of a representation on which the quarter turn of each plane is i."""
    matrices = np.asarray(rep.matrix(group.elements(jnp.float64)))
    return np.trace(matrices @ (np.eye(rep.dim) - 1j * quarter), axis1=1, axis2=2) / 2


def _from_z3(inverse: bool) -> Evidence:
    """The characters of A4 induced from 1 and from w of Z3, at all elements; or at their inverses."""
    group = polyhedral("tetrahedral")
    third = _axis(group, 3)
    one = np.asarray(character(induce(scalar(cyclic(3)), third), group.elements(jnp.float64)))
    w = _half(induce(standard(cyclic(3)), third), group, np.kron(np.eye(4), [[0, -1], [1, 0]]))
    w = w.conj() if inverse else w
    return _flat("element", one, w.real, w.imag)


def _predict_from_z3() -> np.ndarray:
    """(4, 1, 1, 0) and (4, w, w^2, 0) at the identity, the third turns, their inverses, and the half turns."""
    group = polyhedral("tetrahedral")
    every = np.asarray(group.elements(jnp.float64))
    turn = np.asarray(_axis(group, 3).map(jnp.array(1), jnp.float64))
    conjugates = every @ turn @ every.swapaxes(1, 2)
    third = np.abs(every[:, None] - conjugates[None]).max(axis=(2, 3)).min(axis=1) < 1e-9
    classes = np.select([_angles(group) == 0, third, _angles(group) == 120], [0, 1, 2], 3)
    w = np.exp(2j * np.pi / 3)
    one, twisted = np.array([4.0, 1, 1, 0])[classes], np.array([4, w, w.conj(), 0])[classes]
    return _values(one, twisted.real, twisted.imag)


# --- against the number of pixels -------------------------------------------------------------------------------------

_FEW, _MANY = 14, 28


def _enough(dataset: xr.Dataset) -> np.ndarray:
    """The three bounds, if there are images of both sizes, turned by quarter turns and otherwise."""
    sides, angles, trials = dataset["side"].values, dataset["angle"].values, dataset.sizes["trial"]
    if not {_FEW, _MANY} <= set(sides.tolist()) or len(set(angles % 90 == 0)) < 2 or trials < 3:
        raise TooSmall(
            f"it takes images of {_FEW} and {_MANY} pixels, quarter turns and others, and 3 trials, got sides "
            f"{sides.tolist()}, angles {angles.tolist()} and {trials} trials; run the preset smoke"
        )
    return np.array([1e-13, 1e-6, 1e-3])


def _decay(dataset: xr.Dataset, layer: str) -> Evidence:
    """The largest errors over the angles, trial by trial: at quarter turns, at 28 pixels, and relative to 14 pixels."""
    error = dataset["error"].sel(layer=layer).transpose("angle", "side", "trial")
    quarter = error["angle"] % 90 == 0
    exact = error.isel(angle=np.flatnonzero(quarter)).max(("angle", "side"))
    few, many = (error.isel(angle=np.flatnonzero(~quarter)).max("angle").sel(side=side) for side in (_FEW, _MANY))
    names = ["quarter turns", f"{_MANY} pixels", f"{_MANY} against {_FEW} pixels"]
    return mean_evidence("error", names, np.stack([exact.values, many.values, (many / few).values]))


CLAIMS = (
    Claim(
        name="steerable_kernels_in_closed_form",
        statement="Kernels rho_out(phi) A(r) rho_in(phi)^-1, smooth at the origin, are steerable.",
        formula="F(h r) = D^l(h) F(r) rho(h)^-1",
        source=_source("kernels of the induction layer"),
        kind="identity",
        predict=lambda key: _values(_steered(key, 0.0, turns_in=True)),
        measure=lambda key: _flat("entry of the kernel", _steered(key, 0.7, turns_in=True)),
        violate=lambda key: _flat("entry of the kernel", _steered(key, 0.7, turns_in=False)),
        dropped="the components of the input turn with the picture (they are taken for scalars)",
    ),
    Claim(
        name="induction_commutes_with_quarter_turns",
        statement="Inner products of an image with steerable kernels commute with the quarter turns of its pixels.",
        formula="h^-1 Phi(h f) = Phi(f), Phi(f) = sum over pixels of F(r) f(r)",
        source=_source("consistency of the induction layer"),
        kind="identity",
        predict=lambda key: _values(_lifted(key)),
        measure=lambda key: _flat("coefficient", _turned_back(key)),
        violate=lambda key: _flat("coefficient", _pooled_back(key)),
        dropped="the map sees the image (it sees pooled features, and agrees with Phi on upright images)",
        budget=200.0,  # sums over 144 pixels
    ),
    Claim(
        name="induction_error_falls_spectrally",
        statement="On smooth images an induction layer commutes with quarter turns to rounding, and with any turn "
        "within 1e-6 at 28 x 28 pixels, a thousandth of the error at 14 x 14.",
        formula="|Phi(h f) - h Phi(f)| / |Phi(f)| falls faster than any power of the number of pixels",
        source=_source("consistency of the induction layer"),
        kind="bound",
        predict=_enough,
        measure=lambda dataset: _decay(dataset, "scalars"),
        violate=lambda dataset: _decay(dataset, "pooled"),
        dropped="the map is an inner product with the image (it is a perceptron of pooled features)",
        experiment="induction_consistency",
    ),
    Claim(
        name="rotation_signals_turn_from_the_left",
        statement="A map from images to signals on SO(3) commutes with turns that act on the left index alone.",
        formula="z_l(h f) = D^l(h) z_l(f)",
        source=_source("from the plane to SO(3), supplement"),
        kind="identity",
        predict=lambda key: _values(*_rotation_signal(key, 0, right=False)),
        measure=lambda key: _flat("coefficient", *_rotation_signal(key, 1, right=False)),
        violate=lambda key: _flat("coefficient", *_rotation_signal(key, 1, right=True)),
        dropped="the right index stays (both indices turn, as the supplement says)",
        budget=200.0,  # sums over 144 pixels
    ),
    Claim(
        name="mirrors_change_the_sign_of_q",
        statement="Mirroring the image is mirroring the signal and changing the sign of the profiles q.",
        formula="Phi_{p, q}(m f) = m Phi_{p, -q}(f); with q = 0 the layer commutes with mirrors",
        source=_source("the orthographic projection as a special case"),
        kind="identity",
        predict=lambda key: _mirror(key, mirrored=False, sign=-1.0),
        measure=lambda key: _flat("coefficient", _mirror(key, mirrored=True, sign=1.0)),
        violate=lambda key: _flat("coefficient", _mirror(key, mirrored=True, sign=-1.0)),
        dropped="q changes its sign",
        budget=200.0,  # sums over 144 pixels
    ),
    Claim(
        name="orthographic_lift_has_no_q",
        statement="Projecting a picture onto a ball is an induction layer with fixed profiles p and with q = 0.",
        formula="integral kappa(n, r) Y_l(n) dn = (p_lm(r) cos(m phi), p_lm(r) sin(m phi)) at l + m, l - m",
        source=_source("the orthographic projection as a special case"),
        kind="identity",
        predict=lambda key: _values(_profiles(key)),
        measure=lambda key: _flat("profile", _projected(key, 0.0)),
        violate=lambda key: _flat("profile", _projected(key, 0.5)),
        dropped="the picture is not twisted around its centre (by half a radian at the rim)",
        budget=500.0,  # sums over 11520 points of the sphere
    ),
    Claim(
        name="restriction_is_a_permutation",
        statement="Under turns about the polar axis D^l falls into blocks of the frequencies 0 to l by a permutation.",
        formula="D^l(R_y(t)) = P (rho_0 + rho_1(t) + ... + rho_l(t)) P^T",
        source=_source("branching of SO(3) to SO(2)"),
        kind="identity",
        predict=lambda key: _sums(),
        measure=lambda key: _flat("entry", _blocks(polar_axis())),
        violate=lambda key: _flat("entry", _blocks(inclusion(so(2), so(3)))),
        dropped="turns about the polar axis y (about z)",
    ),
    Claim(
        name="frobenius_numbers_over_the_reals",
        statement="Between a real representation of SO(2) and D^l there are 1, 2 or 0 independent equivariant maps.",
        formula="dim Hom_SO(2)(rho_k, Res D^l) = 1 if k = 0, 2 if 1 <= k <= l, 0 if k > l",
        source=_source("Frobenius reciprocity"),
        kind="identity",
        predict=lambda key: np.array(
            [frobenius_number(k, l) for k in range(_HIGHEST + 1) for l in range(_HIGHEST + 1)], np.float64
        ),
        measure=lambda key: _flat("k, l", _counts(real=True)),
        violate=lambda key: _flat("k, l", _counts(real=False)),
        dropped="representations over the real numbers (the complex e^{i k t})",
    ),
    Claim(
        name="maps_factor_through_the_induced_space",
        statement="Every map that commutes with SO(2) is one that commutes with SO(3), after the unit of induction.",
        formula="Psi pi(g) eta = sigma(g) Phi for all rotations g",
        source=_source("universal property of induction"),
        kind="identity",
        predict=lambda key: _values(_extended(key)),
        measure=lambda key: _flat("entry", _orbit(key, copies=2)),
        violate=lambda key: _flat("entry", _orbit(key, copies=1)),
        dropped="two copies of each D^l (one, as over the complex numbers)",
    ),
    Claim(
        name="factorisation_is_unique",
        statement="The rotations of eta(v) span the induced space, so that the factorisation is unique.",
        formula="rank of (pi(g) eta(v))_g = F ((L + 1)^2 - k^2), F = 1 if k = 0, else 2",
        source=_source("universal property of induction"),
        kind="identity",
        predict=lambda key: np.array([(2 if k else 1) * ((l + 1) ** 2 - k**2) for k, l in _CASES], np.float64),
        measure=lambda key: _spanned(key, both=True),
        violate=lambda key: _spanned(key, both=False),
        dropped="eta goes into the two copies of D^l in different ways (in the same way)",
    ),
    Claim(
        name="all_frequencies_induce_all_functions",
        statement="The frequencies 0 to K induce D^l as often as it is in the functions on SO(3) if K is at least l.",
        formula="multiplicity of D^l in Ind(rho_0 + ... + rho_K) = 1 + 2 min(l, K) = 2l + 1 for l <= K",
        source=_source("completeness"),
        kind="identity",
        predict=lambda key: 2.0 * np.arange(_HIGHEST + 1) + 1,
        measure=lambda key: _multiplicities(_HIGHEST),
        violate=lambda key: _multiplicities(_HIGHEST - 1),
        dropped="K is at least l (one less than the highest degree)",
    ),
    Claim(
        name="z3_induces_to_a4",
        statement="The representations of Z3 by 1 and by a third root of unity w induce 1 + 3 and 1_w + 3 of A4.",
        formula="characters (4, 1, 1, 0) and (4, w, w^2, 0) at e, (123), (132), (12)(34)",
        source=_source("example of Z3 in A4, supplement"),
        kind="identity",
        predict=lambda key: _predict_from_z3(),
        measure=lambda key: _from_z3(inverse=False),
        violate=lambda key: _from_z3(inverse=True),
        dropped="pi(g h) = pi(g) pi(h) (matrices of the inverse elements, as printed in the supplement)",
    ),
    Claim(
        name="icosahedral_vertices_and_faces",
        statement="C5 and C3 in the icosahedral group induce the functions on 12 vertices and on 20 faces.",
        formula="Ind_C5 1 = 1 + 3 + 3' + 5, Ind_C3 1 = 1 + 3 + 3' + 2 4 + 5",
        source=Source(
            author="D. Klee, O. Biza, R. Platt, R. Walters",
            title="Image to Icosahedral Projection for SO(3) Object Reasoning from Single-View Images",
            venue="NeurReps 2022",
            arxiv="2207.08925",
            theorem="the projection onto an icosahedron as an induction",
            known="derived",
        ),
        kind="identity",
        predict=lambda key: np.array([1.0, 1, 1, 0, 1, 1, 1, 1, 2, 1]),
        measure=lambda key: _vertices_and_faces((5, 3)),
        violate=lambda key: _vertices_and_faces((3, 5)),
        dropped="the turns leave a vertex, and a face, alone (a face, and a vertex)",
    ),
)
