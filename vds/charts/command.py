"""`vds charts`: pins every chart that the stacks install by its SHA-256, and checks the pins."""

import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from components.charts.lock import FILE, ChartLock, WantedChart, lock_text, read_lock
from vds.charts.fetch import packed_digest
from vds.charts.images import stack_images
from vds.charts.pin import ChartResult, Digest, checked, refreshed
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, stack_names
from vds.shared.output import print_json
from vds.shared.stack import open_spec

app = typer.Typer(no_args_is_help=True)
Stacks = Annotated[
    list[str] | None,
    typer.Option("--stack", "-s", help="Name of a stack; can be repeated. Default: every Pulumi.STACK.yaml."),
]


@app.command("lock")
def lock_command(
    stack: Stacks = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Accept a chart that changed after it was pinned.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every chart from its publisher's repository and write its SHA-256 to charts.lock.yaml.

    A chart that can't be read keeps its entry. Exit code 1: a chart could not be read, or changed after it was pinned.
    """
    folder = Path.cwd()
    lock, results = refreshed(_lock(folder), _wanted(stack, folder), _digest(folder), replace=replace)
    (folder / FILE).write_text(lock_text(lock), encoding="utf-8")
    _show(results, as_json=as_json)


@app.command("check")
def check_command(stack: Stacks = None, as_json: AsJson = False) -> None:
    """Read every chart from where Helm will read it, for example a mirror, and compare it with charts.lock.yaml.

    Changes nothing. Exit code 1: a chart differs, is not in the lock, or could not be read.
    """
    folder = Path.cwd()
    _show(checked(_lock(folder), _wanted(stack, folder), _digest(folder)), as_json=as_json)


@app.command("images")
def images_command(stack: Stacks = None, as_json: AsJson = False) -> None:
    """List every image that the stacks install, as its maker publishes it, with its digest where one is pinned.

    The charts are rendered with the stacks' values. Standard output has one image on each line, ready to be copied to a
    mirror. Exit code 1: a chart could not be rendered, so the list is not complete.
    """
    folder = Path.cwd()
    names = _names(stack, folder)
    found = {name: stack_images(open_spec(name, project=folder), folder) for name in names}
    if as_json:
        print_json({name: {**of._asdict(), "found": [one._asdict() for one in of.found]} for name, of in found.items()})
    else:
        print("\n".join(sorted({one.image for of in found.values() for one in of.found})))
        for note in dict.fromkeys(note for of in found.values() for note in of.beside):
            print(f"not in this list: {note}", file=sys.stderr)
        for problem in dict.fromkeys(problem for of in found.values() for problem in of.missing):
            print(f"✗ {problem}", file=sys.stderr)
    raise typer.Exit(1 if any(of.missing for of in found.values()) else 0)


def _wanted(stacks: Sequence[str] | None, folder: Path) -> list[WantedChart]:
    names = _names(stacks, folder)
    return [chart for name in names for chart in open_spec(name, project=folder).wanted_charts]


def _names(stacks: Sequence[str] | None, folder: Path) -> Sequence[str]:
    names = stacks or stack_names(folder)
    if not names:
        raise OperationError("there is no Pulumi.<stack>.yaml here: run this in the project's folder")
    return names


def _lock(folder: Path) -> ChartLock:
    try:
        lock, problems = read_lock((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ChartLock()
    except (OSError, UnicodeDecodeError) as error:
        raise OperationError(f"{FILE} can't be read ({error}): correct it") from None
    if problems:  # a new lock would lose the old entries
        raise OperationError(*map(str, problems))
    return lock


def _digest(folder: Path) -> Digest:
    return functools.cache(lambda chart, version, source: packed_digest(chart, version, source, folder=folder))


def _show(results: Sequence[ChartResult], *, as_json: bool) -> None:
    if as_json:
        print_json([{**item.chart._asdict(), "state": item.state, "message": item.message} for item in results])
    else:
        for item in results:
            print(f"{'✓' if item.ok else '✗'} {item.chart.name} {item.chart.version}  {item.state}: {item.message}")
        if not results:
            print("the stacks install no chart")
    raise typer.Exit(0 if all(item.ok for item in results) else 1)
