"""Tools to test *your* models with: Hypothesis strategies, broken twins, the catalogue of rows, and a pytest plugin."""

from equiv.testing import catalogue, strategies, twins

__all__ = ["catalogue", "strategies", "twins"]
