"""``python -m paper_figures``: draw figures, say which are out of date, and put them on one page.

Exit status 0; 1 if ``check`` finds a picture that is missing or out of date; 2 for a mistake of the user, told in one
sentence.
"""

import dataclasses
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from experiments.record import Mistake
from paper_figures import report, store
from paper_figures.catalogue import FIGURES
from paper_figures.record import Figure


@dataclasses.dataclass(frozen=True)
class Request:
    """Draw figures from stored results, as PNG, PDF and SVG.

    WHAT is one of: list (the figures), all or the names of figures (draw them), check (which pictures are missing or
    were drawn from other results), report (one page with everything), readme (the table of claims in README.md).
    """

    what: tyro.conf.Positional[tuple[str, ...]]
    """list, all, NAME..., check, report or readme"""
    results: Path = store.PAPER
    """folder with the results of the experiments and claims.json"""
    out: Path = Path("paper_figures/out")
    """folder of the pictures and of the page"""
    readme: Path = Path("README.md")
    """file whose table of claims is renewed"""
    png_only: bool = False
    """leave PDF and SVG out"""

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats that are asked for."""
        return store.FORMATS[:1] if self.png_only else store.FORMATS


def draw_figures(figures: Sequence[Figure], request: Request, console: Console) -> int:
    """Draw; nothing is written if a result is missing."""
    loaded = [store.load(figure, request.results) for figure in figures]
    for figure, inputs in zip(figures, loaded):
        for path in store.write(figure, inputs, request.out, request.formats):
            console.print(path, soft_wrap=True)
    return 0


def list_figures(request: Request, console: Console) -> int:
    """The table of figures."""
    table = Table(box=None, pad_edge=False)
    table.add_column("figure", no_wrap=True)
    table.add_column("title")
    table.add_column("drawn from")
    for figure in FIGURES.values():
        table.add_row(figure.name, figure.title, ", ".join((*figure.experiments, *figure.claims)))
    console.print(table)
    return 0


def check_figures(request: Request, console: Console) -> int:
    """Which pictures are those of the results."""
    states = {
        figure.name: store.state(figure, store.load(figure, request.results), request.out, request.formats)
        for figure in FIGURES.values()
    }
    for name, state in states.items():
        console.print(f"{state:8} {name}", soft_wrap=True)
    return int(set(states.values()) != {"current"})


def write_report(request: Request, console: Console) -> int:
    """The page; its path is the last line."""
    path = request.out / "index.html"
    store.replace(path, report.page(request.results).encode())
    console.print(path, soft_wrap=True)
    return 0


def renew_readme(request: Request, console: Console) -> int:
    """The table of claims in the README, from ``claims.json``."""
    claims = store.read_claims(request.results)["claims"]
    try:
        text = request.readme.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"{request.readme} cannot be read; name a README with --readme") from error
    store.replace(request.readme, report.readme(text, claims.values()).encode())
    console.print(request.readme, soft_wrap=True)
    return 0


COMMANDS = {"list": list_figures, "check": check_figures, "report": write_report, "readme": renew_readme}


def main(words: Sequence[str] | None = None) -> int:
    """Do what a command line says and return the exit status."""
    console = Console(highlight=False)
    request = tyro.cli(Request, args=words, prog="python -m paper_figures")
    known = ["all", *COMMANDS, *FIGURES]
    try:
        if not request.what:
            raise Mistake(f"nothing was asked for; type one of: {', '.join(known)}, or --help")
        for word in request.what:
            if word not in known:
                near = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
                hint = f"did you mean {near[0]}?" if near else f"type one of: {', '.join(known)}"
                raise Mistake(f"there is no figure {word!r}; {hint}")
        first = request.what[0]
        if first not in FIGURES:
            if len(request.what) > 1:
                raise Mistake(f"{first} got also {' '.join(request.what[1:])}; type {first} alone")
            if first in COMMANDS:
                return COMMANDS[first](request, console)
            return draw_figures(list(FIGURES.values()), request, console)
        for word in request.what:
            if word not in FIGURES:
                raise Mistake(f"{word} stands among names of figures; type it alone")
        return draw_figures([FIGURES[word] for word in dict.fromkeys(request.what)], request, console)
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
