"""How strong each penalty should be, found while training.

Four rules, each a pure function of arrays of shape (n_groups,) that runs inside ``jit`` and ``scan``:

* ``track_energies`` and ``adjust_strengths``: the one-shot rule. The least violated symmetry keeps its strength, the
  others are weakened by the power of how much more they are violated.
* ``evidence_strengths``: a penalty ``lambda R`` is a Gaussian prior on ``rank (1 - P)`` weights; its evidence is
  largest where ``lambda = rank / (2 R)``. No parameter, and right in scale across layers and groups.
* ``dual_ascent`` and ``resilient_slack``: the strength is the dual variable of the constraint ``violation <= slack``;
  it grows while the constraint is broken and falls to zero where it is slack.

A strength of exactly zero means a group that is measured and not penalised; the one-shot rule leaves it at zero.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num

__all__ = ["adjust_strengths", "dual_ascent", "evidence_strengths", "resilient_slack", "track_energies"]


def track_energies(state: Num[Array, "groups"], energies: Num[Array, "groups"]) -> Num[Array, "groups"]:
    """The energies to remember: the new ones, all of them, as soon as any of them is below the one remembered.

    Not an entrywise minimum: the vector is that of one moment in training.

    Args:
        state: what is remembered; infinite at first.
        energies: of this step.

    Example:
        >>> track_energies(jnp.array([2.0, 2.0]), jnp.array([1.0, 5.0])).tolist()
        [1.0, 5.0]

    Reference:
        Kim, Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356); read in their code.
    """
    return jnp.where(jnp.any(energies < state), energies, state)


def adjust_strengths(
    strengths: Num[Array, "groups"], energies: Num[Array, "groups"], power: float = 2.0
) -> Num[Array, "groups"]:
    """The strengths after one look at the violations, ``lambda_i / (r_i / min_j r_j)^power``.

    The minimum runs over the groups that are penalised (strength not 0) and violated at all. Multiplying all energies
    by a number changes nothing; equal energies change nothing; strengths of zero stay zero.

    Args:
        strengths: lambda, (n_groups,), non-negative.
        energies: r, (n_groups,), non-negative.
        power: how strongly ratios count.

    Example:
        >>> adjust_strengths(jnp.array([0.0, 8.0, 8.0]), jnp.array([0.1, 1.0, 2.0])).tolist()
        [0.0, 8.0, 2.0]

    Reference:
        Kim, Lee, Yang, Lee, ICML 2023 (arXiv 2306.00356); read in their code.

    Differs from the paper:
        There an energy of zero divides by zero. Here a group that is obeyed exactly, as by weights that cannot break
        it, keeps its strength and sets no scale for the others.
    """
    energies = energies.astype(strengths.dtype)
    counted = (strengths != 0) & (energies > 0)
    least = jnp.min(jnp.where(counted, energies, jnp.inf))
    ratio = jnp.where(counted, energies / jnp.where(counted, least, 1), 1)
    return strengths / ratio**power


def evidence_strengths(
    energies: Num[Array, "groups"], ranks: Num[Array | np.ndarray, "groups"], cap: float = 1e6
) -> Num[Array, "groups"]:
    """The strengths of largest evidence at these weights, ``lambda_i = rank_i / (2 R_i)``, at most ``cap``.

    ``exp(-lambda R)`` is a Gaussian density in ``rank (1 - P)`` directions with normalisation ``lambda^(rank / 2)``, so
    ``d/d lambda (rank / 2 log lambda - lambda R) = 0`` there. The loss beside it has to be a negative log likelihood in
    nats, summed over the data and not averaged.

    Args:
        energies: R, (n_groups,), as from ``projection_penalty``.
        ranks: ``penalty.ranks``, (n_groups,).
        cap: the largest strength, reached by a group that is obeyed.

    Returns:
        (n_groups,) in the dtype of ``energies``; 0 for a group of rank 0, which asks nothing.

    Example:
        >>> evidence_strengths(jnp.array([0.5, 2.0, 0.0]), jnp.array([10, 8, 4])).tolist()
        [10.0, 2.0, 1000000.0]

    Reference:
        MacKay, Bayesian Interpolation, Neural Computation 4 (1992), for the update; for these energies derived.

    Differs from the paper:
        MacKay has the effective number of well-determined weights in the place of the rank, which needs the Hessian.
    """
    ranks = jnp.asarray(ranks, energies.dtype)
    cap = jnp.asarray(cap, energies.dtype)
    reached = ranks >= 2 * cap * energies
    strengths = jnp.where(reached, cap, ranks / jnp.where(reached, 1, 2 * energies))
    return jnp.where(ranks > 0, strengths, 0)


def dual_ascent(
    strengths: Num[Array, "groups"],
    violations: Num[Array, "groups"],
    slack: Num[Array, "groups"] | float,
    rate: float | Num[Array, ""],
) -> Num[Array, "groups"]:
    """One step of the dual variables of ``violation_i <= slack_i``: ``[lambda_i + rate (v_i - u_i)]_+``.

    With slack 0 the constraint is hard and the strengths of what the data do not allow grow for ever; with
    ``slack = resilient_slack(strengths, cost)`` they settle.

    Args:
        strengths: lambda, (n_groups,).
        violations: v, (n_groups,), non-negative: energies, or the absolute values of ``switches``.
        slack: u, (n_groups,) or a number.
        rate: step size.

    Example:
        >>> dual_ascent(jnp.array([1.0, 0.1]), jnp.array([0.75, 0.0]), 0.25, 1.0).tolist()
        [1.5, 0.0]

    Reference:
        Manolache, Chamon, Niepert, Learning (Approximately) Equivariant Networks via Constrained Optimization, NeurIPS
        2025 (arXiv 2505.13631); read in the abstract and the code.
    """
    return jnp.maximum(strengths + rate * (violations.astype(strengths.dtype) - slack), 0)


def resilient_slack(strengths: Num[Array, "groups"], cost: float) -> Num[Array, "groups"]:
    """The slack that is worth its price, ``u_i = lambda_i / cost``, the minimum of ``cost / 2 u^2 - lambda u``.

    Args:
        strengths: lambda, (n_groups,).
        cost: of slack, above zero; the larger, the nearer to a hard constraint.

    Example:
        >>> resilient_slack(jnp.array([1.0, 0.0]), 4.0).tolist()
        [0.25, 0.0]

    Reference:
        Manolache, Chamon, Niepert, NeurIPS 2025 (arXiv 2505.13631).

    Differs from the paper:
        Their code moves the slack by gradient steps; here it is at its minimum.
    """
    return strengths / cost
