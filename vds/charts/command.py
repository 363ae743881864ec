"""`charts lock` and `charts check`: pin the bytes of every chart that stacks install, and compare them."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from components.charts.lock import FILE, ChartLock, WantedChart, lock_text, read_lock
from vds.charts.fetch import packed_digest
from vds.charts.pin import Digest, Said, checked, refreshed
from vds.shared.errors import OperationError
from vds.shared.stack import open_spec

app = typer.Typer(help="Pin which bytes charts are, and compare them.", no_args_is_help=True)
Stacks = Annotated[
    list[str] | None, typer.Option("--stack", "-s", help="May be repeated; every Pulumi.<stack>.yaml if left out.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@app.command("lock")
def lock_command(
    stack: Stacks = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take over a release whose bytes changed after it was pinned.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every chart at its maker's repository and write its SHA-256 to charts.lock.yaml.

    What can't be reached is said, and the rest is kept. Ends with 0 if every chart of the stacks is pinned as it is
    there, with 1 if not, with 2 on bad usage.
    """
    folder = Path.cwd()
    lock, said = refreshed(_lock(folder), _wanted(stack, folder), _digest(folder), replace=replace)
    (folder / FILE).write_text(lock_text(lock), encoding="utf-8")
    _show(said, as_json=as_json)


@app.command("check")
def check_command(stack: Stacks = None, as_json: AsJson = False) -> None:
    """Read every chart where Helm will take it from, the mirror for one, and compare it with charts.lock.yaml.

    Ends with 0 if all are the bytes that the lock names, with 1 if not, with 2 on bad usage. Changes nothing.
    """
    folder = Path.cwd()
    _show(checked(_lock(folder), _wanted(stack, folder), _digest(folder)), as_json=as_json)


def register(root: typer.Typer) -> None:
    """Add the commands to the operator's."""
    root.add_typer(app, name="charts")


def _wanted(stacks: Sequence[str] | None, folder: Path) -> list[WantedChart]:
    names = stacks or sorted(file.name.split(".")[1] for file in folder.glob("Pulumi.*.yaml"))
    if not names:
        raise OperationError("there is no Pulumi.<stack>.yaml here: run this in the project's folder")
    return [chart for name in names for chart in open_spec(name, project=folder).wanted_charts]


def _lock(folder: Path) -> ChartLock:
    try:
        lock, problems = read_lock((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ChartLock()
    except (OSError, UnicodeDecodeError) as error:
        raise OperationError(f"{FILE} can't be read ({error}): correct it") from None
    if problems:  # written over, what is in it would be lost
        raise OperationError("".join(f"\n  {problem}" for problem in problems).strip())
    return lock


def _digest(folder: Path) -> Digest:
    return functools.cache(lambda chart, version, source: packed_digest(chart, version, source, folder=folder))


def _show(said: Sequence[Said], *, as_json: bool) -> None:
    if as_json:
        rows = [{**item.chart._asdict(), "state": item.state, "says": item.text} for item in said]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        for item in said:
            print(f"{'✓' if item.fine else '✗'} {item.chart.name} {item.chart.version}  {item.state}: {item.text}")
        if not said:
            print("the stacks install no chart")
    raise typer.Exit(0 if all(item.fine for item in said) else 1)
