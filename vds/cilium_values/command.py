"""`vds cilium-values`: what Helm values of Cilium do on a release, and the same values for another release."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import yaml

from components.network.cilium.chart.explain import explain
from components.network.cilium.chart.keys import minors, nearest
from components.network.cilium.chart.nested import Leaves, flatten, unflatten
from components.network.cilium.chart.set_syntax import (
    CommandLine,
    HelmError,
    command_line,
    command_words,
    is_command_line,
    merge,
    merge_words,
)
from components.network.cilium.chart.upgrade_path import upgrade_path
from vds.cilium_values import report
from vds.shared.errors import OperationError
from vds.shared.options import AsJson
from vds.shared.output import print_json

LARGEST_BYTES = 5_000_000
"""Thirty times the values of the largest chart. A larger file is not a values file."""

app = typer.Typer(no_args_is_help=True)
SetWords = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As in `helm install --set`; can be repeated.")
]
SetStrings = Annotated[
    list[str] | None,
    typer.Option("--set-string", metavar="KEY=VALUE", help="As in `helm install --set-string`; can be repeated."),
]
Source = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE | - | -- helm install …]",
        help="A values file; `-` to read values or a helm command line from standard input; or a helm command line "
        "after `--`.",
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
    as_json: AsJson = False,
) -> None:
    """Show for each key whether the release honours it, ignores it or refuses it.

    Exit code 1: a key does not do what it says.
    """
    found, written = _read(source or [], set_words, set_strings)
    release = _release(version or written, "--version")
    findings = explain(found, release)
    asked = (version or written).removeprefix("v")
    if as_json:
        print_json(report.explained(findings, asked, release))
    else:
        report.show_findings(findings, asked, release)
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
    as_json: AsJson = False,
) -> None:
    """Write the values for another release to standard output, and the changes with their reasons to standard error.

    Exit code 1: the migrated values behave differently, or a key does not do what it says.
    """
    found, written = _read(source or [], set_words, set_strings)
    begin, end = _release(old or written, "--from"), _release(new, "--to")
    steps = upgrade_path(found, begin, end, meant=meant)
    last = steps[-1].migration
    left = [finding for finding in explain(last.values, end) if not finding.as_meant]
    if as_json:
        print_json(report.migrated(steps, left, begin, end))
    else:
        print(yaml.safe_dump(unflatten(last.values), sort_keys=True, allow_unicode=True), end="")
        sys.stdout.flush()
        report.show_migration(steps, left, begin, end)
    clean = not left and not any(change.changes_behaviour for change in last.changes)
    raise typer.Exit(0 if clean else 1)


def _read(source: list[str], set_words: list[str] | None, set_strings: list[str] | None) -> tuple[Leaves, str]:
    """The values, and the version if a helm command line names one."""
    words = [("--set", text) for text in set_words or []] + [("--set-string", text) for text in set_strings or []]
    try:
        values, line = _given(source)
        if not source and not words:
            _refuse("no values given: name a file, write --set, or paste a helm command line after --")
        for name in line.files:
            merge(values, _values(name))
        found = flatten(merge_words(values, [*line.words, *words]))
        json.dumps(unflatten(found), ensure_ascii=False, default=str).encode()
        return found, line.version
    except UnicodeEncodeError:
        _refuse("the values hold half a character: write them in UTF-8")
    except (HelmError, ValueError) as error:
        _refuse(str(error))
    except RecursionError:
        _refuse("the values are nested too deep: an alias contains itself, or this is not a values file")


def _given(source: list[str]) -> tuple[dict[str, Any], CommandLine]:
    """Values from standard input, or a helm command line."""
    if source == ["-"]:
        text = _text(sys.stdin.buffer.read(LARGEST_BYTES + 1), "standard input")
        if is_command_line(text):
            return {}, command_line(text)
        return _mapping(text, "standard input"), CommandLine("", (), ())
    if len(source) == 1 and is_command_line(source[0]):
        return {}, command_line(source[0])
    if "helm" in source[:4]:  # the first words may be sudo, its options and settings
        return {}, command_words(source)
    if len(source) > 1:
        _refuse(f"{' '.join(source)}: give one values file, or a command line that begins with helm")
    return {}, CommandLine("", tuple(source), ())


def _values(name: str) -> dict[str, Any]:
    try:
        with Path(name).open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:  # a name with a NUL is the latter
        shown = name.replace("\0", "\\0")
        _refuse(f"{shown}: cannot be read ({getattr(error, 'strerror', None) or error}): name a values file")
    return _mapping(_text(content, name), name)


def _text(content: bytes, name: str) -> str:
    if len(content) > LARGEST_BYTES:
        _refuse(f"{name}: larger than {LARGEST_BYTES} bytes: name a values file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        _refuse(f"{name}: is not UTF-8 text: name a YAML file")


def _mapping(text: str, name: str) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        _refuse(f"{name}: is not YAML{where} ({getattr(error, 'problem', None) or 'unreadable'}): correct it there")
    if loaded is not None and not isinstance(loaded, dict):
        _refuse(f"{name}: has no keys with values ({type(loaded).__name__}): name a Helm values file")
    flatten(loaded or {})  # before anything copies it: aliases may expand to more than memory holds
    return loaded or {}


def _release(version: str, option: str) -> str:
    first, last = minors()[0], minors()[-1]
    if not version:
        _refuse(f"{option} is missing: write the chart's version, {first} to {last}, as in {option} {last}")
    release = nearest(version.removeprefix("v"))
    if release is None:
        _refuse(f"{option} {version}: no release whose chart is known: write one from {first} to {last}, as in 1.16.1")
    return release


def _refuse(problem: str) -> NoReturn:
    raise OperationError(problem)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="cilium-values")
