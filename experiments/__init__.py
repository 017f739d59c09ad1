"""Experiments: a frozen config and a seed become named arrays on disk, and nothing else.

``record`` says what an experiment is, ``sweep`` cuts it into cells and runs them, ``store`` keeps the arrays,
``train`` is the one training loop, and every other module states one experiment. ``python -m experiments list``
prints the table.
"""
