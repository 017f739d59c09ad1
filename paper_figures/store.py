"""Results in, pictures out: the only file of this folder that touches the disk.

Results are ``DIR/<experiment>.nc`` (read and verified by ``experiments.store``) and ``DIR/claims.json`` (written by
``python -m theory check``). Every picture carries ``results-sha256:<hash of the results it was drawn from>`` in its
metadata, as plain bytes in PNG, PDF and SVG alike, so one search tells whether a picture is up to date. Equal results
give equal bytes.
"""

import contextlib
import io
import json
import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from experiments import store
from experiments.record import Mistake
from paper_figures import style
from paper_figures.record import Figure, Inputs

__all__ = ["FORMATS", "PAPER", "State", "encode", "load", "read_claims", "read_result", "replace", "state", "write"]

FORMATS = ("png", "pdf", "svg")
PAPER = Path("experiments/results")
"""Where the committed results of the paper presets are."""

State = Literal["current", "stale", "missing"]

_ROW = {
    *("name", "kind", "verdict", "violate", "known", "predicted", "measured", "seconds", "statement", "formula"),
    *("source", "dropped", "sentence", "violate_sentence", "interval", "evidence", "violation"),
}
_EVIDENCE = {"axis", "points", "series", "values", "standard_error", "trials", "predicted"}
_PROVENANCE = {"git_commit", "git_dirty", "versions", "device", "precision", "xla_flags", "time"}
"""What ``theory`` writes, and figures and page read."""

_STAMP = re.compile(rb"results-sha256:([0-9a-f]{64})")


def load(figure: Figure, folder: Path) -> Inputs:
    """The results a figure is drawn from.

    Args:
        figure: names the experiments and the claims.
        folder: where ``<experiment>.nc`` and ``claims.json`` are.

    Raises:
        Mistake: a result is missing, damaged, or not ours; the sentence names the file and the command that makes it.
    """
    results = {name: read_result(name, folder) for name in figure.experiments}
    rows = read_claims(folder)["claims"] if figure.claims else {}
    for name in figure.claims:
        if name not in rows:
            raise Mistake(f"{folder / 'claims.json'} has no claim {name!r}; make it again with: {_judging(folder)}")
    return Inputs(results, {name: rows[name] for name in figure.claims})


def read_result(name: str, folder: Path) -> xr.Dataset:
    """The dataset of one experiment, with the attributes it was stored with.

    Raises:
        Mistake: the file is missing, damaged, or not ours.
    """
    path = folder / f"{name}.nc"
    preset = "paper" if folder == PAPER else "smoke"
    command = f"python -m experiments run {name} --preset {preset} --out {folder}"
    if not path.is_file():
        raise Mistake(f"{path} does not exist; make it with: {command}")
    dataset = store.read(path)
    if dataset.attrs["experiment"] != name:
        raise Mistake(f"{path} holds results of {dataset.attrs['experiment']}; move it away, then: {command}")
    return dataset


def read_claims(folder: Path) -> dict[str, Any]:
    """The content of ``claims.json``: ``provenance``, and ``claims`` by name.

    Raises:
        Mistake: the file is missing, damaged, or not ours.
    """
    path = folder / "claims.json"
    if not path.is_file():
        raise Mistake(f"{path} does not exist; make it with: {_judging(folder)}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        claims = {row["name"]: row for row in content["claims"]}
        for row in claims.values():
            _lacks_nothing(row, _ROW)
            for evidence in (row["evidence"], row["violation"]):
                _lacks_nothing(_EVIDENCE if evidence is None else evidence, _EVIDENCE)
        provenance = dict(content["provenance"])
        _lacks_nothing(provenance, _PROVENANCE)
        return {"provenance": provenance, "claims": claims}
    except (ValueError, KeyError, TypeError) as error:
        raise Mistake(f"{path} is damaged or not a list of claims; make it again with: {_judging(folder)}") from error


def _lacks_nothing(row: Any, fields: Collection[str]) -> None:
    missing = set(fields) - set(row)
    if missing:
        raise KeyError(min(missing))


def _judging(folder: Path) -> str:
    return f"python -m theory check --all --results {folder} --out {folder}"


def encode(figure: Figure, inputs: Inputs, format: str) -> bytes:
    """The bytes of a picture: the drawing, and where it comes from.

    Args:
        figure: what to draw.
        inputs: the results it is drawn from.
        format: ``png``, ``pdf`` or ``svg``.
    """
    stamp = f"results-sha256:{inputs.digest}"
    metadata = {
        "png": {"Title": figure.title, "Source": stamp, "Software": None},
        "pdf": {"Title": figure.title, "Keywords": stamp, "CreationDate": None},
        "svg": {"Title": figure.title, "Source": stamp, "Date": None},
    }[format]
    buffer = io.BytesIO()
    with style.applied():
        figure.draw(inputs).savefig(buffer, format=format, metadata=metadata)
    return buffer.getvalue()


def write(figure: Figure, inputs: Inputs, folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw a figure into ``folder/<name>.<format>``; a reader finds the whole file or the one before.

    Raises:
        Mistake: the folder or a file cannot be written.
    """
    paths = [folder / f"{figure.name}.{format}" for format in formats]
    for path, format in zip(paths, formats):
        replace(path, encode(figure, inputs, format))
    return paths


def replace(path: Path, content: bytes) -> None:
    """Write a whole file or nothing.

    Raises:
        Mistake: the folder or the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        raise Mistake(
            f"{path} cannot be written ({error.strerror or error}); name another folder with --out"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def state(figure: Figure, inputs: Inputs, folder: Path, formats: Sequence[str] = FORMATS) -> State:
    """Whether the pictures in a folder are those of the results.

    Returns:
        ``missing`` if a picture is not there, ``stale`` if one was drawn from other results, ``current`` otherwise.
    """
    paths = [folder / f"{figure.name}.{format}" for format in formats]
    if not all(path.is_file() for path in paths):
        return "missing"
    stamps = [_STAMP.search(path.read_bytes()) for path in paths]
    wanted = inputs.digest.encode()
    return "current" if all(stamp and stamp[1] == wanted for stamp in stamps) else "stale"
