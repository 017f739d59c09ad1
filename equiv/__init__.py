"""Equivariance theory that runs: groups, representations, layers that prove their symmetry, and the laws they obey."""

__version__ = "0.1.0"
