"""Figures: arrays on disk become pictures, and nothing else.

``record`` says what a figure is, ``style`` how all of them look, ``store`` reads results and writes pictures that
carry the results' hash, ``report`` puts everything on one page, and every other module draws one figure.
``python -m paper_figures list`` prints the table.
"""
