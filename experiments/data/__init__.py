"""Data sets: exact generators, and loaders of data that come with an installed package. Nothing is downloaded."""
