"""``python -m theory``: list, show and check the claims.

Exit status 0; 1 if a claim fails or a violation does not fail; 2 for a mistake of the user, told in one sentence; 130
after Ctrl-C.
"""

import argparse
import contextlib
import difflib
import json
import math
import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np
import xarray as xr
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table
from rich.text import Text

from theory.catalogue import CLAIMS
from theory.claim import Claim, Evidence, Judgement, judge, unjudged
from theory.provenance import provenance

PAPER = Path("experiments/results")
"""Where the committed results of the paper presets are."""
COMMANDS = {"list": "the claims, one line each", "show": "one claim in full", "check": "measure claims and judge them"}


class Mistake(ValueError):
    """Something the user has to change; the text is one sentence which says what to do instead."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Mistake(f"{message}; type {self.prog} --help")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Take a command line apart.

    Raises:
        Mistake: anything that means nothing here; the sentence names the nearest that does.
    """
    if words and not words[0].startswith("-"):
        _known(words[0], COMMANDS, "command")
    parser = _Parser(
        prog="python -m theory", description="Claims of equivariance theory, and measurements that could refute them."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {name: commands.add_parser(name, help=text, description=text + ".") for name, text in COMMANDS.items()}
    made["show"].add_argument("names", metavar="NAME", nargs=1)
    check = made["check"]
    check.add_argument("names", metavar="NAME", nargs="*", help="claims to judge")
    check.add_argument("--all", action="store_true", help="every claim of the catalogue")
    check.add_argument("--json", action="store_true", help="one JSON array instead of a table")
    check.add_argument(
        "--results",
        metavar="DIR",
        type=Path,
        default=PAPER,
        help=f"where the results of experiments are (default {PAPER})",
    )
    check.add_argument(
        "--out", metavar="DIR", type=Path, help="also write DIR/claims.json, with all numbers, for the figures"
    )
    options = parser.parse_args(words)
    for name in getattr(options, "names", ()):
        _known(name, CLAIMS, "claim")
    if options.command == "check" and options.all == bool(options.names):
        given = "both names and --all" if options.all else "neither a name nor --all"
        raise Mistake(f"check got {given}; type python -m theory check NAME, or python -m theory check --all")
    return options


def _known(word: str, names: Any, what: str) -> None:
    if word not in names:
        near = difflib.get_close_matches(word, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"type one of: {', '.join(names)}"
        raise Mistake(f"there is no {what} {word!r}; {hint}")


def row(judgement: Judgement) -> dict[str, Any]:
    """A judged claim as one flat row."""
    claim, verdict = judgement.claim, judgement.verdict
    return {
        "name": claim.name,
        "kind": claim.kind,
        "verdict": "open" if judgement.open else "holds" if verdict.holds else "fails",
        "violate": judgement.violate,
        "known": claim.source.known,
        "predicted": verdict.predicted,
        "measured": verdict.measured,
        "seconds": round(judgement.seconds, 3),
    }


def full_row(judgement: Judgement) -> dict[str, Any]:
    """The row, the claim's words, and all numbers behind both verdicts."""
    claim = judgement.claim
    return row(judgement) | {
        "statement": claim.statement,
        "formula": claim.formula,
        "source": str(claim.source),
        "dropped": claim.dropped,
        "experiment": claim.experiment,
        "sentence": judgement.verdict.sentence,
        "violate_sentence": judgement.refutation.sentence,
        "interval": judgement.verdict.interval,
        "evidence": _evidence(judgement.evidence, judgement.predicted),
        "violation": _evidence(judgement.violation, judgement.predicted),
    }


def _evidence(evidence: Evidence | None, predicted: Any) -> dict[str, Any] | None:
    if evidence is None:
        return None
    return {
        "axis": evidence.axis,
        "points": _plain(evidence.points),
        "series": list(evidence.series),
        "values": _plain(evidence.values),
        "standard_error": _plain(evidence.standard_error),
        "trials": evidence.trials,
        "predicted": _plain(predicted),
    }


def _plain(value: Any) -> Any:
    """Arrays as nested lists; JSON has no NaN and no infinity, so these become null."""
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        value = np.asarray(value).tolist()
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _results(claim: Claim, folder: Path) -> xr.Dataset | None:
    """The stored dataset of a claim's experiment; None for a claim that needs none."""
    if claim.experiment is None:
        return None
    path = folder / f"{claim.experiment}.nc"
    if not path.is_file():
        preset = "paper" if folder == PAPER else "smoke"
        raise Mistake(
            f"it is judged from {path}, which does not exist; make it with: python -m experiments run "
            f"{claim.experiment} --preset {preset} --out {folder}, or name another folder with --results"
        )
    try:
        return xr.load_dataset(path, engine="h5netcdf")
    except Exception as error:  # whatever the HDF5 library raises on bytes that are not its own
        raise Mistake(f"it is judged from {path}, which is damaged or not a netCDF file; make it again") from error


def _write(folder: Path, judgements: list[Judgement]) -> Path:
    """``folder/claims.json``; a reader finds the whole file or the one before."""
    path = folder / "claims.json"
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    content = {"provenance": provenance(), "claims": [full_row(j) for j in judgements]}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise Mistake(
            f"{path} cannot be written ({error.strerror or error}); name another folder with --out"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def _list(console: Console) -> None:
    table = Table("claim", "kind", "known", "statement", box=None, pad_edge=False)
    for claim in CLAIMS.values():
        table.add_row(claim.name, claim.kind, claim.source.known, claim.statement)
        if not console.is_terminal:
            print(claim.name, claim.kind, claim.source.known, claim.statement, sep="\t")
    if console.is_terminal:
        console.print(table)


def _show(claim: Claim, console: Console) -> None:
    fields = {
        "claim": claim.name,
        "statement": claim.statement,
        "formula": claim.formula,
        "source": str(claim.source),
        "known": claim.source.known,
        "kind": claim.kind + (f", budget {claim.budget:g} eps units" if claim.kind == "identity" else ""),
        "violation": f"drops: {claim.dropped}",
        "judged from": f"the results of {claim.experiment}" if claim.experiment else "its own measurement",
    }
    for name, text in fields.items():
        lines = textwrap.wrap(text, max(console.width - 14, 40)) if console.is_terminal else [text]
        print(f"{name:12s}  " + ("\n" + 14 * " ").join(lines))


@contextlib.contextmanager
def _bar(count: int) -> Iterator[Callable[[str], None]]:
    """``step(name)`` before each claim: a progress bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda name: None
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=count)
        begun = iter(range(count))
        yield lambda name: progress.update(task, description=name, completed=next(begun))


def _check(options: argparse.Namespace, console: Console) -> int:
    chosen = list(CLAIMS.values()) if options.all else [CLAIMS[name] for name in dict.fromkeys(options.names)]
    judgements: list[Judgement] = []
    try:
        with _bar(len(chosen)) as step:
            for claim in chosen:
                step(claim.name)
                try:
                    judgements.append(judge(claim, _results(claim, options.results)))
                except Mistake as mistake:
                    judgements.append(unjudged(claim, str(mistake)))
        written = _write(options.out, judgements) if options.out else None
    except KeyboardInterrupt:
        print(f"stopped: {len(judgements)} of {len(chosen)} claims were judged, nothing was written", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps([_plain_row(j) for j in judgements], indent=1, allow_nan=False))
    else:
        _report(judgements, console)
        if written:
            print(f"wrote {written}")
    return 0 if all(j.passed or j.open for j in judgements) else 1


def _plain_row(judgement: Judgement) -> dict[str, Any]:
    return {name: _plain(value) for name, value in row(judgement).items()}


def _report(judgements: list[Judgement], console: Console) -> None:
    """One row per claim, with the reason where there is room for it, and the reason of whatever did not pass."""
    wide = console.width >= 120
    headers = ("claim", "kind", "verdict", "violation", "known", "s", *(("why",) if wide else ()))
    table = Table(*(Column(h, no_wrap=h != "why") for h in headers), box=None, pad_edge=False)
    for j in judgements:
        name, kind, verdict, violate, known = (row(j)[c] for c in ("name", "kind", "verdict", "violate", "known"))
        why, seconds = j.verdict.sentence, f"{j.seconds:.1f}"
        if console.is_terminal:
            colours = ("green" if j.verdict.holds else "red", "green" if violate == "fails" else "red")
            colours = ("yellow", "yellow") if j.open else colours
            marked = (Text(text, colour) for text, colour in zip((verdict, violate), colours))
            table.add_row(name, kind, *marked, known, seconds, *((Text(why),) if wide else ()))
        else:
            print(name, kind, verdict, f"violation {violate}", known, why, f"{seconds} s", sep="\t")
    if console.is_terminal:
        console.print(table)
    for j in judgements:
        if not j.verdict.holds and console.is_terminal and not wide:
            print(f"{j.claim.name} {'is open' if j.open else 'fails'}: {j.verdict.sentence}")
        if j.evidence is not None and j.violate != "fails":
            what = "holds" if j.violate == "holds" else "proves nothing"
            print(f"violation of {j.claim.name} {what}: {j.refutation.sentence}")
    passed = sum(j.passed for j in judgements)
    still = sum(j.open for j in judgements)
    rest = f"; {still} {'is' if still == 1 else 'are'} open, the results are too small" if still else ""
    print(f"{passed} of {len(judgements)} claims hold, with a violation that fails{rest}")


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    console = Console()
    try:
        options = parse(sys.argv[1:] if words is None else words)
        if options.command == "list":
            _list(console)
        elif options.command == "show":
            _show(CLAIMS[options.names[0]], console)
        else:
            jax.config.update("jax_enable_x64", True)
            jax.config.update("jax_default_matmul_precision", "highest")
            return _check(options, console)
    except Mistake as mistake:
        print(f"theory: {mistake}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
