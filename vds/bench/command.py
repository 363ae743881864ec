"""`vds bench`: what the cluster's network carries, measured by pods and held against published numbers."""

from __future__ import annotations

import datetime
import json
import secrets
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from components.core.endpoints import image_registry
from components.residency.rules import DataFlow, Record, data_flow_problems
from components.stackfile.spec import PlatformSpec
from vds.bench.running import Bench
from vds.bench.verdict import CAVEAT, SOURCE, Row, Standing, as_json, rows
from vds.shared.errors import OperationError
from vds.shared.kubernetes import ApiError, Cluster, UnreachableError
from vds.shared.placement import nearest
from vds.shared.stack import open_stack

app = typer.Typer(help="Measure a running cluster.", no_args_is_help=True)
app.callback()(lambda: None)  # a group although it holds one command

_MARKS: dict[Standing, str] = {
    "like dedicated": "[green]✓[/green]",
    "between": "[yellow]✓[/yellow]",
    "like shared": "[red]✗[/red]",
    "not measured": "[red]?[/red]",
}


@app.command()
def network(
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack whose cluster it is.")],
    image: Annotated[
        str, typer.Option(help="With iperf3 and python3, from a registry that the stack file declares; best by digest.")
    ],
    source: Annotated[
        str | None, typer.Option("--from", metavar="NODE", help="Left out: the stack's first worker.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--to", metavar="NODE", help="Left out: another node, a worker if there is one.")
    ] = None,
    seconds: Annotated[int, typer.Option(min=1, max=300, help="For each of throughput, loss and latency.")] = 10,
    udp_mbps: Annotated[int, typer.Option(min=1, max=100_000, help="At which loss is measured, 10⁶ bits a second.")] = (
        100
    ),
    as_json_document: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    config_file: Annotated[Path | None, typer.Option(help="Stands for Pulumi.STACK.yaml.")] = None,
) -> None:
    """Throughput, p99 latency and loss between two pods on different nodes, by iperf3 and small round trips.

    It takes the links' full rate for that time. Ends with 0 if everything was measured and is better than what was
    published of a shared VPS, with 1 if not, with 2 if it could not measure.
    """
    opened = open_stack(stack, config_file=config_file)
    ends = choose(opened.spec, source, target)
    may_use(image, opened.spec, datetime.datetime.now(datetime.UTC).date().isoformat())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # as an exception, which cleans up
    console = Console(stderr=True, highlight=False, quiet=as_json_document)
    bench = Bench(
        Cluster(opened.kubeconfig),
        secrets.token_hex(4),
        image,
        *ends,
        seconds,
        udp_mbps,
        lambda text: console.print(text),
    )
    try:
        measured = bench.measure()
    except (ApiError, UnreachableError) as error:
        raise OperationError(f"the Kubernetes API: {error}") from None
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None
    found = rows(measured)
    if as_json_document:
        about = {"stack": stack, "from": ends[0], "to": ends[1], "image": image, "seconds": seconds}
        print(json.dumps({**about, **as_json(found, measured)}, indent=2, ensure_ascii=False))
    else:
        Console(highlight=False).print(page(found, *ends))
    raise typer.Exit(0 if all(row.good for row in found) else 1)


def choose(spec: PlatformSpec, source: str | None, target: str | None) -> tuple[str, str]:
    """Two different nodes of the stack file, workers first. Raises OperationError where there are none such."""
    by_rank = sorted(spec.nodes, key=lambda node: "worker" not in node.roles)  # stable: else as in the stack file
    names = [node.name for node in by_rank]
    for option, name in (("--from", source), ("--to", target)):
        if name and name not in names:
            raise OperationError(f"{option} {name}: the stack has no such node: {nearest(name, names)}")
    first = source or next((name for name in names if name != target), "")
    second = target or next((name for name in names if name != first), "")
    if not second:
        raise OperationError(f"the stack has one node, {first}: there is no network between nodes to measure")
    if first == second:
        raise OperationError(f"--from and --to are both {first}: name two nodes; on one, nothing goes over the wire")
    return first, second


def may_use(image: str, spec: PlatformSpec, today: str) -> None:
    """Raises OperationError where the stack file does not allow to pull the image; `today` is an ISO date."""
    residency = spec.residency
    day = datetime.date.fromisoformat(today)
    record = Record(residency.places, residency.exceptions, residency.allowed_countries, day)
    problems = data_flow_problems(DataFlow(image_registry(image), "image-registry", f"--image {image}"), record)
    if problems:
        raise OperationError("\n".join(str(problem) for problem in problems))


def page(found: tuple[Row, ...], source: str, target: str) -> Group:
    """The result for a reader at a terminal."""
    table = Table(title=f"pod on {source} → pod on {target}", title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    table.add_column("")
    for name in ("measured", "shared VPS", "dedicated"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("how")
    for row in found:
        unit, digits = row.published.unit, row.published.digits
        table.add_row(
            _MARKS[row.standing],
            row.published.item,
            "—" if row.value is None else f"{row.value:.3g} {unit}",
            f"{row.published.shared:.{digits}f} {unit}",
            f"{row.published.dedicated:.{digits}f} {unit}",
            escape(row.note if row.value is not None else f"not measured: {row.note}"),
        )
    return Group(table, SOURCE, CAVEAT)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="bench")
