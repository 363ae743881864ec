"""`vds versions`: which versions of a stack file are old, past their end or vulnerable."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from components.network.compatibility.releases import table
from components.stackfile.parsing import check_file, read_text
from components.stackfile.releases import Pin, pins
from components.stackfile.rules import accepts
from vds.shared.errors import OperationError
from vds.shared.options import AsJson
from vds.shared.output import console, print_json

OLD_TABLE_DAYS = 120
"""Kubernetes has a minor every four months: an older table does not know the newest."""


def versions(
    files: Annotated[list[Path], typer.Argument(help="Stack files, as in Pulumi.oslo.yaml.", metavar="FILE...")],
    *,
    as_json: AsJson = False,
) -> None:
    """Asks nothing on the network: the table of releases comes with the platform. Changes nothing.

    Exit code 1: a version is past its end of life or vulnerable, or its minor was never released. A newer patch alone
    is advice. Exit code 2: a file can't be read or has mistakes.
    """
    today = date.today()
    judged = {file: _judged(file, today) for file in files}
    if as_json:
        rows = [_as_json(file, pin) for file, found in judged.items() for pin in found]
        print_json({"table": table().day.isoformat(), "pins": rows})
    else:
        for file, found in judged.items():
            console().print(_table(file, found))
        age = (today - table().day).days
        old = f": it is {age} days old, so newer releases are missing" if age > OLD_TABLE_DAYS else ""
        console().print(f"judged by the table of {table().day}{old}", highlight=False)
    wrong = any(not one.advice for found in judged.values() for pin in found for one in pin.findings)
    raise typer.Exit(1 if wrong else 0)


def _judged(file: Path, today: date) -> list[Pin]:
    try:
        checked = check_file(read_text(file), str(file), file.parent, today)
    except OSError as error:
        raise OperationError(f"{file} can't be read ({error.strerror or error}): correct its name") from None
    if checked.spec is None:
        raise OperationError(f"{file} has mistakes: correct what `vds validate {file}` names")
    return pins(checked.spec.combination.versions, today, accepts(checked.spec))


def _table(file: Path, found: list[Pin]) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold", title=str(file), title_justify="left")
    for column in ("", "part", "version", "newest patch", "end of life", "finding"):
        made.add_column(column)
    for pin in found:
        wrong = any(not one.advice for one in pin.findings)
        mark = "[red]✗[/red]" if wrong else "[yellow]![/yellow]" if pin.findings else "[green]✓[/green]"
        said = "\n".join(f"{one.message}: {one.remedy}" for one in pin.findings)
        end = pin.end.isoformat() if pin.end else "not known"
        made.add_row(mark, pin.part, pin.version, pin.newest or "not known", end, escape(said))
    return made


def _as_json(file: Path, pin: Pin) -> dict[str, Any]:
    return {
        "file": str(file),
        "part": pin.part,
        "item": pin.field,
        "version": pin.version,
        "newestPatch": pin.newest,
        "endOfLife": pin.end,
        "advisories": [one.id for one in table().parts[pin.part].vulnerable(pin.version)],
        "findings": [
            {
                "rule": one.rule,
                "message": one.message,
                "remedy": one.remedy,
                "severity": "advice" if one.advice else "error",
            }
            for one in pin.findings
        ],
    }
