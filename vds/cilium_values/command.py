"""`vds cilium-values`: what Helm values of Cilium do on a release, and the same values for another release."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NamedTuple

import typer

from components.charts.kubernetes_yaml import dump
from components.charts.render import ChartError
from components.network.cilium.chart.command_line import (
    CommandLine,
    HelmError,
    command_line,
    command_words,
    is_command_line,
    merge,
    merge_words,
)
from components.network.cilium.chart.explain import ROUTING, explain
from components.network.cilium.chart.migrate import first_minor, migrate
from components.network.cilium.chart.nested import FlatValues, flatten, unflatten
from components.network.cilium.chart.renames import gone, other_names
from components.network.cilium.chart.trial import Trial
from components.network.cilium.chart.upgrade_path import upgrade_path
from vds.cilium_values import report
from vds.cilium_values.inputs import LARGEST_BYTES, REPOSITORY, Read, chart_of, decoded, read_file, read_text, refuse
from vds.shared.options import AsJson
from vds.shared.output import print_json

app = typer.Typer(no_args_is_help=True)
SetWords = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As in `helm install --set`; can be repeated.")
]
SetStrings = Annotated[
    list[str] | None,
    typer.Option("--set-string", metavar="KEY=VALUE", help="As in `helm install --set-string`; can be repeated."),
]
Charts = Annotated[
    list[str] | None,
    typer.Option(
        "--chart",
        metavar="PATH|REPOSITORY",
        help=f"Folder of packed charts, a chart, or a chart repository; can be repeated. Default: {REPOSITORY}",
    ),
]
Source = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE | - | -- helm install …]",
        help="A values file, a HelmRelease, an Application, a HelmChart or a HelmChartConfig; `-` to read one or a "
        "command line from standard input; or a command line of helm or cilium after `--`.",
        show_default=False,
    ),
]


@app.command("explain")
def explain_command(
    source: Source = None,
    version: Annotated[
        str, typer.Option("--version", help="Version of the chart, from 1.11 to 1.20, for example 1.16.1.")
    ] = "",
    set_words: SetWords = None,
    set_strings: SetStrings = None,
    charts: Charts = None,
    as_json: AsJson = False,
) -> None:
    """Show for each key whether the release honours it, ignores it or refuses it.

    Exit code 1: a key does not do what it says.
    """
    with _readable():
        given = _read(source or [], set_words, set_strings)
        asked = version or given.version
        trial = chart_of(asked, "--version", charts or [])
        _of_cilium(given, trial)
        findings = explain(given.values, trial)
    if as_json:
        print_json(report.explained(findings, asked.removeprefix("v"), trial.release, given.form))
    else:
        report.show_findings(findings, asked.removeprefix("v"), trial.release, given.form)
    raise typer.Exit(0 if all(finding.as_meant for finding in findings) else 1)


@app.command("migrate")
def migrate_command(
    source: Source = None,
    old: Annotated[str, typer.Option("--from", help="Release of the values, for example 1.14.4.")] = "",
    new: Annotated[
        str, typer.Option("--to", help="Release to migrate to, for example 1.20 (its newest known patch).")
    ] = "",
    meant: Annotated[
        bool,
        typer.Option(
            "--meant",
            help="Also migrate keys without effect, so that they take effect. For a new install.",
        ),
    ] = False,
    set_words: SetWords = None,
    set_strings: SetStrings = None,
    charts: Charts = None,
    as_json: AsJson = False,
) -> None:
    """Write the values for another release to standard output, and the changes with their reasons to standard error.
    Both releases are rendered and compared.

    Exit code 1: the migrated values behave differently, or a key does not do what it says.
    """
    with _readable():
        given = _read(source or [], set_words, set_strings)
        begin = chart_of(old or given.version, "--from", charts or [])
        end = chart_of(new, "--to", charts or [])
        _of_cilium(given, begin)
        migration = migrate(given.values, begin, end, meant=meant)
    steps = upgrade_path(begin.release, end.release, migration.paths[1])
    first = first_minor(given.values, begin.release, end.release)
    if as_json:
        print_json(report.migrated(migration, steps, first, begin.release, end.release, given.form))
    else:
        print(dump(unflatten(migration.values)), end="")
        sys.stdout.flush()
        report.show_migration(migration, steps, first, begin.release, end.release, given.form)
    raise typer.Exit(0 if migration.same else 1)


class _Given(NamedTuple):
    values: FlatValues
    version: str
    form: str
    """What was read."""
    files: tuple[str, ...]


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError:
        refuse("the values hold half a character: write them in UTF-8")
    except (ChartError, HelmError, ValueError) as error:
        refuse(str(error))
    except RecursionError:
        refuse("the values are nested too deep: an alias contains itself, or this is not a values file")


def _read(source: list[str], set_words: list[str] | None, set_strings: list[str] | None) -> _Given:
    words = [("--set", text) for text in set_words or []] + [("--set-string", text) for text in set_strings or []]
    read, line = _given(source)
    if not source and not words:
        refuse("no values given: name a file, write --set, or paste a helm command line after --")
    version, form = line.version or read.version, read.form
    for name in line.files:
        file = read_file(name)
        merge(read.values, file.values)
        version, form = version or file.version, file.form
    values = flatten(merge_words(read.values, [*line.words, *words]))
    json.dumps(unflatten(values), ensure_ascii=False, default=str).encode()
    return _Given(values, version, form, ("standard input",) if source == ["-"] and read.values else line.files)


def _given(source: list[str]) -> tuple[Read, CommandLine]:
    """Values from standard input, or a command line."""
    nothing, no_line = Read({}, "", "words of --set"), CommandLine("", (), ())
    if source == ["-"]:
        text = decoded(sys.stdin.buffer.read(LARGEST_BYTES + 1), "standard input")
        if not text.strip():  # the program before the pipe has failed
            refuse("standard input: is empty: give it values or a command line")
        if is_command_line(text):
            return nothing._replace(form="command line"), command_line(text)
        return read_text(text, "standard input"), no_line
    if len(source) == 1 and is_command_line(source[0]):
        return nothing._replace(form="command line"), command_line(source[0])
    if {"helm", "cilium"} & set(source[:4]) and len(
        source
    ) > 1:  # the first words may be sudo, its options and settings
        return nothing._replace(form="command line"), command_words(source)
    if len(source) > 1:
        refuse(f"{' '.join(source)}: give one values file, or a command line that begins with helm or cilium")
    return nothing, CommandLine("", tuple(source), ())


def _of_cilium(given: _Given, trial: Trial) -> None:
    """Refuse a file of which no key is one of Cilium's chart, or near to one: it is something else."""
    paths = list(given.values.items())
    if not given.files or not paths:
        return
    for path, value in paths:
        if trial.knows(path[:1]) or path in ROUTING or gone(path) or other_names(path, value) or path[0] == "global":
            return
        if trial.closest(path[:1]) or trial.closest(path):
            return
    names = ", ".join(dict.fromkeys(path[0] for path, _ in paths[:4]))
    refuse(f"{given.files[0]}: none of its keys ({names}) is one of Cilium's chart: name a values file of Cilium")
