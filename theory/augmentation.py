r"""Augmented data and invariant kernels: when they are the same learner, and what does not come to the same.

Setting. A finite group G acts on R^d by orthogonal matrices; ``K`` is a kernel with ``K(gx, gx') = K(x, x')``, here
``exp(x . x' / d)``. Kernel ridge regression (KRR) with ridge ``lambda`` predicts ``k(x) (K + lambda)^-1 y``. There
are three ways to tell it about G:

* *augmentation*: the sample becomes all ``|G| n`` points ``(g x_i, y_i)``;
* *invariant kernel*: ``K_inv(x, x') = mean_g K(x, g x')``;
* *output symmetrisation*: the plain fit is averaged over the group, ``mean_g f(g x)``.

The first with ridge ``|G| lambda`` is the second with ridge ``lambda``, exactly: on the augmented set the solution's
coefficients are constant on orbits, where the big kernel matrix acts as ``|G| K_inv``. The third is another function
with a larger error, unless the sample already is closed under G with invariant labels.

Known: that augmentation gives the invariant kernel and that symmetrising the output does not help much was read in the
paper's abstract; the identity with its ridge was derived.
"""

import jax
import numpy as np

from theory.claim import Claim, Evidence, generator, mean_evidence
from theory.mei_misiakiewicz_montanari import source

__all__ = ["CLAIMS", "invariant", "kernel_ridge"]

_SOURCE = source("equivalence of data augmentation and invariant kernels")


def kernel_ridge(gram: np.ndarray, y: np.ndarray, ridge: float, cross: np.ndarray) -> np.ndarray:
    """Predictions of kernel ridge regression, ``cross (gram + ridge)^-1 y``.

    Args:
        gram: (..., n, n), the kernel of the sample with itself.
        y: (..., n), labels.
        ridge: added to the diagonal.
        cross: (..., m, n), the kernel of the test points with the sample.

    Returns:
        (..., m).

    Example:
        >>> kernel_ridge(np.eye(2), np.array([2.0, 4.0]), 1.0, np.eye(2)).tolist()
        [1.0, 2.0]
    """
    weights = np.linalg.solve(gram + ridge * np.eye(gram.shape[-1]), y[..., None])
    return (cross @ weights)[..., 0]


def invariant(kernel, images: np.ndarray):
    """The kernel averaged over a group of permutations, ``K_inv(x, x') = mean_g K(x, g x')``.

    Args:
        kernel: ``kernel((..., n, d), (..., m, d)) -> (..., n, m)``.
        images: (|G|, d), the permutations of the coordinates, closed under composition.

    Example:
        >>> both = invariant(lambda x, z: x @ z.T, np.array([[0, 1], [1, 0]]))
        >>> both(np.array([[1.0, 0.0]]), np.array([[3.0, 5.0]])).tolist()
        [[4.0]]
    """
    return lambda x, z: np.mean([kernel(x, z[..., row]) for row in images], axis=0)


# --- the claims: cyclic shifts of d = 8 signs ------------------------------------------------------

_D, _N, _TEST, _RIDGE = 8, 12, 64, 0.1
_SHIFTS = (np.arange(_D)[None, :] + np.arange(_D)[:, None]) % _D
_SIZES, _TRIALS = np.array([8, 12, 16]), 120


def _signs(draw: np.random.Generator, *shape: int) -> np.ndarray:
    """Points of the hypercube {-1, 1}^d, the paper's inputs."""
    return draw.choice([-1.0, 1.0], size=(*shape, _D))


def _kernel(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.exp(x @ np.swapaxes(z, -1, -2) / x.shape[-1])


def _lopsided(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """A kernel that does not satisfy ``K(gx, gx') = K(x, x')``: its coordinates count unequally."""
    return _kernel(x * np.linspace(0.2, 1.8, x.shape[-1]), z)


def _target(x: np.ndarray) -> np.ndarray:
    """``sum_i x_i x_{i+1} / sqrt(d)``, invariant under shifts."""
    return np.sum(x * np.roll(x, 1, axis=-1), axis=-1) / np.sqrt(x.shape[-1])


def _orbit(x: np.ndarray) -> np.ndarray:
    """(..., n, d) -> (..., |G| n, d), all shifts of each point."""
    return np.concatenate([x[..., row] for row in _SHIFTS], axis=-2)


def _sample(key: jax.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = generator(key)
    x, test = _signs(draw, _N), _signs(draw, _TEST)
    return x, _target(x) + 0.3 * draw.standard_normal(_N), test


def _by_kernel(key: jax.Array) -> np.ndarray:
    x, y, test = _sample(key)
    averaged = invariant(_kernel, _SHIFTS)
    return kernel_ridge(averaged(x, x), y, _RIDGE, averaged(test, x))


def _by_augmentation(key: jax.Array, kernel, ridge: float = _D * _RIDGE) -> Evidence:
    x, y, test = _sample(key)
    every, labels = _orbit(x), np.tile(y, _D)
    return Evidence(
        "test point", np.arange(_TEST), kernel_ridge(kernel(every, every), labels, ridge, kernel(test, every))
    )


def _errors(key: jax.Array, closed: bool) -> Evidence:
    """Mean square errors of the invariant kernel and of the symmetrised output, (2, sizes, trials)."""
    draw, averaged = generator(key), invariant(_kernel, _SHIFTS)
    errors = np.empty((2, len(_SIZES), _TRIALS))
    for i, n in enumerate(_SIZES):
        x, test = _signs(draw, _TRIALS, n), _signs(draw, _TRIALS, _TEST)
        y = _target(x) + 0.3 * draw.standard_normal((_TRIALS, n))
        if closed:
            x, y = _orbit(x), np.tile(y, _D)
        cross = averaged(test, x)  # also that of the symmetrised output: averaging f averages its cross kernel
        by_kernel = kernel_ridge(averaged(x, x), y, _RIDGE, cross)
        by_output = kernel_ridge(_kernel(x, x), y, _RIDGE, cross)
        errors[:, i] = np.mean((np.stack([by_kernel, by_output]) - _target(test)) ** 2, axis=-1)
    return mean_evidence("samples n", _SIZES, errors, ("invariant kernel", "symmetrised output"))


CLAIMS = (
    Claim(
        name="augmentation_is_invariant_kernel",
        statement="Kernel ridge regression on the fully augmented sample with ridge |G| lambda is that of the "
        "invariant kernel with ridge lambda.",
        formula="k(x, GX) (K(GX, GX) + |G| lambda)^-1 (y, ..., y) = k_inv(x, X) (K_inv(X, X) + lambda)^-1 y",
        source=_SOURCE,
        kind="identity",
        predict=_by_kernel,
        measure=lambda key: _by_augmentation(key, _kernel),
        violate=lambda key: _by_augmentation(key, _lopsided),
        dropped="the kernel satisfies K(gx, gx') = K(x, x')",
        budget=300.0,  # the linear systems have condition number 137
    ),
    Claim(
        name="symmetrised_output_differs",
        statement="Averaging the output of the plain kernel estimator over the group leaves a larger error than the "
        "invariant kernel.",
        formula="E |f_inv - f|^2 < E |mean_g f_plain(g .) - f|^2",
        source=_SOURCE,
        kind="separation",
        predict=lambda key: ("invariant kernel", "symmetrised output"),
        measure=lambda key: _errors(key, closed=False),
        violate=lambda key: _errors(key, closed=True),
        dropped="the sample is not closed under the group (all shifts of each sample are in it, with its label)",
    ),
)
