"""``python -m experiments``: list, run, status and verify.

Exit status 0; 1 if ``verify`` finds a difference; 2 for a mistake of the user, told in one sentence; 130 after
Ctrl-C.
"""

import contextlib
import dataclasses
import difflib
import io
import os
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from experiments import sweep
from experiments.catalogue import EXPERIMENTS
from experiments.record import Experiment, Mistake

USAGE = """\
python -m experiments COMMAND

  list                  the experiments: name, question, seconds of each preset on two cores
  run NAME... | --all   compute what is missing and store OUT/NAME.nc; `run NAME --help` lists its settings;
                        --all skips an experiment whose data have to be fetched and are not there
  status                what a folder holds
  verify NAME...        compute one stored cell again and compare the bits

Options of run, status and verify:
"""


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of every experiment."""

    all: bool = False  # every experiment of the catalogue
    preset: str = "smoke"  # smoke or paper
    seed: int = 0  # of every random draw, not negative
    out: Path | None = None  # folder of the results; runs/PRESET if not given


@dataclasses.dataclass(frozen=True)
class Request:
    """A command line, taken apart: the command, the names, the options, and the settings as they were typed."""

    command: str
    experiments: tuple[Experiment, ...]
    options: Options
    settings: dict[str, list[str]]

    @property
    def out(self) -> Path:
        """The folder of the results."""
        return self.options.out or Path("runs") / self.options.preset


def parse(words: Sequence[str]) -> Request:
    """Take a command line apart.

    Raises:
        Mistake: a word that means nothing here; the sentence names the nearest that does.
    """
    command = words[0]
    _known(command, COMMANDS, "command")
    names, flags = _split(words[1:])
    general = {name: values for name, values in flags.items() if name in _fields(Options)}
    options = _filled(Options(), general)
    if options.seed < 0:
        raise Mistake(f"--seed got {options.seed}, expected a whole number of at least 0; type for example --seed 0")
    if options.all and names:
        raise Mistake(f"{command} got --all and also {' '.join(names)}; type one of the two")
    for name in names:
        _known(name, EXPERIMENTS, "experiment")
    chosen = tuple(EXPERIMENTS.values()) if options.all else tuple(EXPERIMENTS[n] for n in dict.fromkeys(names))
    for experiment in chosen:
        _known(options.preset, experiment.presets, "preset")
    settings = {name: values for name, values in flags.items() if name not in general}
    if command == "run" and len(chosen) > 1 and any(name in _fields(e.config) for name in settings for e in chosen):
        raise Mistake(f"{_flag(next(iter(settings)))} is a setting of one experiment; run that one alone")
    own = _fields(chosen[0].config) if command == "run" and len(chosen) == 1 else ()
    for name in settings:
        _known(_flag(name), map(_flag, (*_fields(Options), *own)), f"option of {command}")
    return Request(command, chosen, options, settings)


def _split(words: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Names before the first flag; then every flag with the words that follow it."""
    names: list[str] = []
    flags: dict[str, list[str]] = {}
    values = names
    for word in words:
        if word.startswith("--"):
            flag, equals, value = word[2:].partition("=")
            values = flags[flag.replace("-", "_")] = [value] if equals else []
        else:
            values.append(word)
    return names, flags


def _fields(record: Any) -> dict[str, Any]:
    return typing.get_type_hints(record)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _known(word: str, names: Iterable[str], what: str) -> None:
    names = list(names)
    if word not in names:
        near = difflib.get_close_matches(word, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"type one of: {', '.join(names)}"
        raise Mistake(f"there is no {what} {word!r}; {hint}")


def _filled(record: Any, settings: dict[str, list[str]]) -> Any:
    """The record with some fields replaced by typed words; tyro turns words into values of the field's type.

    Raises:
        Mistake: words that are not of the field's type, or values which the record refuses.
    """
    types, values = _fields(type(record)), {}
    for name, words in settings.items():
        if types[name] is bool:
            words = words or ["True"]
        quiet = io.StringIO()
        try:
            with contextlib.redirect_stderr(quiet), contextlib.redirect_stdout(quiet):
                values[name] = tyro.cli(types[name], args=words, default=tyro.MISSING_NONPROP)
        except SystemExit as stop:
            given = " ".join(words) or "nothing"
            kind = _described(types[name])
            example = "DIR" if name == "out" else getattr(record, name)
            example = " ".join(map(str, example)) if isinstance(example, tuple) else example
            flag = _flag(name)
            raise Mistake(f"{flag} got {given}, expected {kind}; type for example {flag} {example}") from stop
    try:
        return dataclasses.replace(record, **values)
    except ValueError as error:
        raise Mistake(str(error)) from error


def _described(kind: Any) -> str:
    """A type, as a person says it."""
    parts = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(parts)}"
    if typing.get_origin(kind) is tuple:
        return f"one or more of: {_described(parts[0])}"
    words = {int: "a whole number", float: "a number", bool: "True or False", str: "a word"}
    return words.get(kind, "a folder")


@contextlib.contextmanager
def watching(console: Console, experiment: Experiment) -> Iterator[Callable[[int, int, str], None]]:
    """A bar with the time left; plain lines where the output is no terminal."""
    if not console.is_terminal:
        yield lambda done, total, what: console.print(f"{experiment.name} {done}/{total} {what}", soft_wrap=True)
        return
    columns = (
        TextColumn(experiment.name),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.description}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("")

        def watch(done: int, total: int, what: str) -> None:
            if progress.tasks[0].total != total:  # cells found on disk do not count towards the speed
                progress.reset(task, total=total, completed=done)
            progress.update(task, completed=done, description=what)

        yield watch


def explain(words: Sequence[str], console: Console) -> None:
    """How to call the program, its options, and the settings of the experiments that are named."""
    console.print(USAGE, soft_wrap=True, markup=False, end="")
    presets = ((EXPERIMENTS[word], EXPERIMENTS[word].presets["smoke"]) for word in words if word in EXPERIMENTS)
    for name, record in [("NAME", Options()), *((e.name, preset) for e, preset in presets)]:
        with contextlib.suppress(SystemExit):
            tyro.cli(type(record), args=["--help"], default=record, prog=f"python -m experiments run {name}")


def list_experiments(request: Request, console: Console) -> int:
    """The table of experiments."""
    table = Table("experiment", "question", "seconds on two cores", "claims", box=None, pad_edge=False)
    for e in EXPERIMENTS.values():
        cost = ", ".join(f"{preset} {seconds:.0f}" for preset, seconds in e.cost.items())
        table.add_row(e.name, e.statement, cost, ", ".join(e.claims))
    console.print(table)
    return 0


def run_experiments(request: Request, console: Console) -> int:
    """Compute and store."""
    if not request.experiments:
        raise Mistake(f"run needs the name of an experiment, or --all; names are: {', '.join(EXPERIMENTS)}")
    done = "nothing"
    configs = [_filled(e.presets[request.options.preset], request.settings) for e in request.experiments]
    try:
        for experiment, config in zip(request.experiments, configs):
            done = f"nothing of {experiment.name}"
            if not (request.out / f"{experiment.name}.nc").exists() and (lacking := experiment.lacks(config)):
                if not request.options.all:
                    raise Mistake(lacking)
                console.print(f"{experiment.name} skipped: {lacking}", soft_wrap=True, markup=False)
                continue
            with watching(console, experiment) as show:

                def watch(finished: int, total: int, what: str, name: str = experiment.name, show=show) -> None:
                    nonlocal done
                    done = f"{finished} of {total} cells of {name}"
                    show(finished, total, what)

                result = sweep.run(experiment, config, request.options.seed, request.out, watch=watch)
            console.print(
                f"{request.out / (experiment.name + '.nc')}  result {result.attrs['result_hash'][:12]}  "
                f"{result.attrs['wall_time']:.1f} s",
                soft_wrap=True,
            )
    except KeyboardInterrupt:
        print(f"\nstopped: {done} are finished and kept; the same command resumes there", file=sys.stderr)
        return 130
    return 0


def show_status(request: Request, console: Console) -> int:
    """The table of what a folder holds."""
    columns = ("experiment", "cells", "seed", "config", "result", "commit", "seconds", "made, UTC")
    table = Table(*columns, box=None, pad_edge=False)
    for experiment in request.experiments or EXPERIMENTS.values():
        found = sweep.status(experiment, request.out)
        a = found.attributes
        if found.total is None:
            table.add_row(experiment.name, "none")
            continue
        commit = str(a["git_commit"])[:10] + ("+" if a["git_dirty"] else "")
        result = a["result_hash"][:12] if found.done == found.total else "unfinished"
        cells = f"{found.done}/{found.total}"
        made = str(a["time"])[:16].replace("T", " ")  # UTC, to the minute
        row = (cells, str(a["seed"]), a["config_hash"][:12], result, commit, f"{a['wall_time']:.1f}", made)
        table.add_row(experiment.name, *row)
    console.print(f"{request.out}:", soft_wrap=True)
    console.print(table)
    return 0


def verify_results(request: Request, console: Console) -> int:
    """Compute one cell of each again."""
    if not request.experiments:
        raise Mistake(f"verify needs the name of an experiment, or --all; names are: {', '.join(EXPERIMENTS)}")
    failed = False
    for experiment in request.experiments:
        absent = not (request.out / f"{experiment.name}.nc").exists()
        if request.options.all and absent and experiment.needs:
            console.print(f"{experiment.name} skipped: its data have to be fetched first", soft_wrap=True)
            continue
        found = sweep.verify(experiment, request.out)
        failed |= not found.holds
        where = f"other {' and '.join(found.changed)}" if found.changed else "same device and versions"
        lines = [f"{name}: same bits" for name in found.same_bits]
        for name, error in found.error.items():
            word = "within" if error <= found.allowed else "NOT within"
            lines.append(f"{name}: relative difference {error:.2g}, {word} {found.allowed:.2g}")
        console.print(f"{experiment.name}, cell {sweep.describe(found.point)}, {where}", soft_wrap=True)
        for line in lines:
            console.print(f"  {line}", soft_wrap=True)
        console.print(f"  {'verified' if found.holds else 'DIFFERENT from what is stored'}", soft_wrap=True)
    return int(failed)


COMMANDS: dict[str, Callable[[Request, Console], int]] = {
    "list": list_experiments,
    "run": run_experiments,
    "status": show_status,
    "verify": verify_results,
}


def main(words: Sequence[str] | None = None) -> int:
    """Do what a command line says and return the exit status."""
    words = list(sys.argv[1:] if words is None else words)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 1000  # one line for each row in a log
    try:
        if not words:
            raise Mistake(f"no command was given; type one of: {', '.join(COMMANDS)}, or --help")
        if {"--help", "-h"} & set(words):
            explain(words, console)
            return 0
        request = parse(words)
        return COMMANDS[request.command](request, console)
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; nothing was changed", file=sys.stderr)
        return 130


if __name__ == "__main__":
    # Before jax starts: with several threads inside one matrix product its programs can stop for ever on two cores.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if status == 130:
        os._exit(status)  # a cell may still be inside XLA; every file on disk is whole
    sys.exit(status)
