"""One page with everything: figures, verdicts, sources, and where each number comes from; and the README's table.

The page is drawn from the stored results at the moment it is written, so it cannot show a picture of other results
than those in its tables. It holds its pictures and its style, asks the network for nothing, follows the reader's
light or dark setting, and can be mailed or printed.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2

from experiments.catalogue import EXPERIMENTS
from experiments.record import Mistake
from paper_figures import store
from paper_figures.catalogue import FIGURES
from paper_figures.record import Figure, Inputs, Unmeasured

__all__ = ["measured_text", "page", "predicted_text", "readme"]

REM_PER_INCH = 7.0
"""One scale for all pictures, so that their text is of one size; a picture over both columns fills the page."""

MEANING = {
    "read": "read in the source",
    "derived": "worked out again here and checked",
    "recalled": "from memory of the source, not read again",
}
"""What the three words of ``theory.claim.Source.known`` mean to a reader."""

_OPEN, _CLOSE = "<!-- claims -->", "<!-- /claims -->"


def page(folder: Path) -> str:
    """The report as HTML.

    Args:
        folder: where ``<experiment>.nc`` and ``claims.json`` are.

    Raises:
        Mistake: a result is missing or damaged.
    """
    judged = store.read_claims(folder)
    figures = [_figure(figure, store.load(figure, folder)) for figure in FIGURES.values()]
    names = dict.fromkeys(name for figure in FIGURES.values() for name in figure.experiments)
    results = [_result(name, store.read_result(name, folder).attrs) for name in names]
    results.append(_judging(judged["provenance"]))
    claims = [_claim(row) for row in judged["claims"].values()]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("report.html.jinja").render(
        figures=figures, claims=claims, results=results, meaning=MEANING, summary=_summary(claims)
    )


def readme(text: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """A README with its table of claims renewed.

    Args:
        text: of the README; the table stands between the comments ``<!-- claims -->`` and ``<!-- /claims -->``.
        rows: of ``claims.json``.

    Raises:
        Mistake: the comments are not there, once each and in this order.

    Example:
        >>> print(readme("before <!-- claims --> stale <!-- /claims --> after", []))
        before <!-- claims -->
        | Claim | Predicted | Measured | Verdict | Known | Figure |
        |---|---|---|---|---|---|
        <!-- /claims --> after
    """
    parts = re.split(r"<!-- /?claims -->", text)
    if len(parts) != 3 or text.index(_OPEN) > text.index(_CLOSE):
        raise Mistake(f"the README has no place for the table; put {_OPEN} and {_CLOSE} around it, once")
    lines = ["", "| Claim | Predicted | Measured | Verdict | Known | Figure |", "|---|---|---|---|---|---|"]
    for row in rows:
        cells = (
            f"{row['statement']} <br> `{row['name']}`",
            predicted_text(row),
            measured_text(row),
            f"{row['verdict']} / {row['violate']}",
            row["known"],
            ", ".join(f"[{f.name}](paper_figures/gallery/{f.name}.png)" for f in _figures_of(row["name"])),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return f"{parts[0]}{_OPEN}" + "\n".join(lines) + f"\n{_CLOSE}{parts[2]}"


def _figures_of(claim: str) -> list[Figure]:
    return [figure for figure in FIGURES.values() if claim in figure.claims]


def _summary(claims: list[dict[str, Any]]) -> str:
    holds = sum(row["verdict"] == "holds" for row in claims)
    fails = sum(row["violate"] == "fails" for row in claims)
    recalled = sum(row["known"] == "recalled" for row in claims)
    still = sum(row["verdict"] == "open" for row in claims)
    rest = f"{still} {'is' if still == 1 else 'are'} open, since the results are too small to decide. " if still else ""
    return (
        f"{holds} of {len(claims)} claims hold as stated, and {fails} of {len(claims)} fail, as they have to, when "
        f"one assumption is dropped. {rest}{recalled} {'statement is' if recalled == 1 else 'statements are'} recalled "
        "from the literature, not read again, and marked so."
    )


def _figure(figure: Figure, inputs: Inputs) -> dict[str, Any]:
    problem = None
    try:
        picture = store.encode(figure, inputs, "svg")
    except Unmeasured as error:
        picture, problem = b'<svg width="0pt">', str(error)
    points = float(re.search(rb'<svg[^>]* width="([0-9.]+)pt"', picture)[1])
    return {
        "name": figure.name,
        "title": figure.title,
        "caption": figure.caption,
        "source": "data:image/svg+xml;base64," + base64.b64encode(picture).decode(),
        "width": round(points / 72 * REM_PER_INCH, 2),
        "claims": figure.claims,
        "experiments": figure.experiments,
        "figure_of_paper": figure.figure_of_paper,
        "problem": problem,
    }


def _claim(row: Mapping[str, Any]) -> dict[str, Any]:
    figures = [
        {"name": figure.name, "title": figure.title, "index": index}
        for index, figure in enumerate(FIGURES.values(), start=1)
        if row["name"] in figure.claims
    ]
    return dict(row) | {
        "figures": figures,
        "predicted_text": predicted_text(row),
        "measured_text": measured_text(row),
        "sentence": row["sentence"].replace("+-", "±"),
        "violate_sentence": row["violate_sentence"].replace("+-", "±"),
        "source_text": row["source"].removesuffix(f"({row['known']})").strip(),
    }


def predicted_text(row: Mapping[str, Any]) -> str:
    """The number or the order that decided, as predicted, short enough for a table.

    Args:
        row: of ``claims.json``.

    Example:
        >>> predicted_text({"kind": "identity", "predicted": 50.0}), predicted_text({"kind": "rate", "predicted": 2.0})
        ('≤ 50 ε', '2')
    """
    bounded = "≤ " if row["kind"] in ("identity", "bound") else ""
    return bounded + _short(row["predicted"]) + (" ε" if row["kind"] == "identity" else "")


def measured_text(row: Mapping[str, Any]) -> str:
    """The same as measured; a slope with its interval, an order with its distance in summed standard errors (s.e.).

    Args:
        row: of ``claims.json``.

    Example:
        >>> measured_text({"kind": "rate", "measured": -0.0044, "interval": (-0.08, 0.07)})
        '−0.004 ± 0.075'
    """
    value, interval = row["measured"], row.get("interval")
    if interval:
        return f"{value:.3f} ± {(interval[1] - interval[0]) / 2:.3f}".replace("-", "−")
    if isinstance(value, str):
        return value.replace("summed standard errors", "s.e.")
    return f"{value:.3g} ε" if row["kind"] == "identity" and value is not None else _short(value)


def _short(value: Any) -> str:
    """A number to three or four digits, text as it is, and a dash for what could not be measured."""
    if value is None:
        return "–"
    return f"{value:.4g}".replace("-", "−") if isinstance(value, float) else str(value)


def _result(name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    lines = {
        "results": attributes["result_hash"],
        "settings hash": attributes["config_hash"],
        "seed": attributes["seed"],
        "version": attributes["version"],
        "time spent": f"{attributes['wall_time']:.0f} s",
    }
    return {
        "name": name,
        "statement": EXPERIMENTS[name].statement,
        "lines": [*lines.items(), *_provenance(attributes)],
        "settings": {k: _listed(v) for k, v in json.loads(attributes["config"]).items()},
    }


def _judging(provenance: Mapping[str, Any]) -> dict[str, Any]:
    statement = "The verdicts: what judged the claims."
    return {"name": "claims", "statement": statement, "lines": _provenance(provenance), "settings": {}}


def _provenance(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    versions = json.loads(attributes["versions"])
    dirty = " with uncommitted changes" if attributes["git_dirty"] else ""
    return [
        ("commit", (attributes["git_commit"] or "unknown") + dirty),
        ("made", attributes["time"]),
        ("device", attributes["device"]),
        ("precision", attributes["precision"]),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions.items())),
        ("XLA flags", attributes["xla_flags"] or "none"),
    ]


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
