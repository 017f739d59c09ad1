"""What a figure is: its words, its inputs, and a function from inputs to a picture.

``draw`` sees the stored results it names and nothing else; it computes no result, at most a formula of ``theory``.
What a reader should see is said in ``caption``, in words that stay true for any sizes and any seed; numbers stand in
the picture.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.figure
import numpy as np
import xarray as xr

from experiments.record import Mistake
from theory.claim import Evidence

__all__ = ["Figure", "Inputs", "Unmeasured"]


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
    """The stored results one figure is drawn from.

    Attributes:
        results: experiment -> its dataset, with the attributes ``experiments.store`` wrote.
        claims: claim -> its row of ``claims.json``.
    """

    results: Mapping[str, xr.Dataset]
    claims: Mapping[str, Mapping[str, Any]]

    @property
    def digest(self) -> str:
        """SHA-256 of the arrays and claims; what was measured counts, when and how long does not."""
        arrays = {name: dataset.attrs["result_hash"] for name, dataset in self.results.items()}
        rows = {name: {k: v for k, v in row.items() if k != "seconds"} for name, row in self.claims.items()}
        return hashlib.sha256(json.dumps([arrays, rows], sort_keys=True).encode()).hexdigest()

    def evidence(self, claim: str) -> Evidence:
        """What was measured for a claim.

        Raises:
            Unmeasured: nothing was.
        """
        return self._evidence(claim, "evidence")

    def violation(self, claim: str) -> Evidence:
        """What was measured with one assumption of the claim dropped.

        Raises:
            Unmeasured: nothing was.
        """
        return self._evidence(claim, "violation")

    def predicted(self, claim: str) -> np.ndarray:
        """What the claim's formula says about the same points."""
        return np.asarray(self._stored(claim, "evidence")["predicted"], np.float64)

    def _evidence(self, claim: str, field: str) -> Evidence:
        stored = self._stored(claim, field)
        names = ("axis", "points", "values", "series", "standard_error", "trials")
        axis, points, values, series, error, trials = (stored[name] for name in names)
        return Evidence(axis, points, values, tuple(series), error, trials)

    def _stored(self, claim: str, field: str) -> Mapping[str, Any]:
        row = self.claims[claim]
        if row[field] is None:
            why = row["sentence" if field == "evidence" else "violate_sentence"]
            raise Unmeasured(f"{claim} has no {field} to draw: {why}")
        return row[field]


class Unmeasured(Mistake):
    """A claim that was judged without numbers, because its measurement failed."""


@dataclasses.dataclass(frozen=True, eq=False)
class Figure:
    """A figure: what it shows, from which results, and how it is drawn.

    Attributes:
        name: file name of the pictures, and how it is called on the command line.
        title: what is shown, one line.
        caption: what to see in it, two or three sentences.
        draw: ``draw(inputs) -> matplotlib Figure``; called inside ``style.applied()``.
        experiments: names of the experiments whose results it reads.
        claims: names of the claims it shows; their rows are read.
        figure_of_paper: author, venue and figure it stands for, and how far its parameters are known.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Inputs], matplotlib.figure.Figure]
    experiments: tuple[str, ...]
    claims: tuple[str, ...]
    figure_of_paper: str
