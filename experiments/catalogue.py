"""All experiments, by name."""

from experiments import digits_sample_complexity, emlp_data_efficiency, generalisation_gap
from experiments.record import Experiment

__all__ = ["EXPERIMENTS"]

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        generalisation_gap.EXPERIMENT,
        digits_sample_complexity.EXPERIMENT,
        emlp_data_efficiency.EXPERIMENT,
    )
}
"""Name -> experiment."""
