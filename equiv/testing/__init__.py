"""Tools to test *your* models with: Hypothesis strategies, broken twins, the catalogue of rows, and a pytest plugin.

The four are modules of their own, because pytest loads the plugin in every run and it must not bring JAX along.
"""
