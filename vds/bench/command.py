"""`vds bench`: measures the network between two pods, and compares it with published numbers."""

import datetime
import secrets
import signal
import sys
from typing import Annotated

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from components.core.endpoints import image_registry
from components.kubernetes_api import ApiError, Cluster, UnreachableError
from components.residency.rules import DataFlow, Record, data_flow_problems
from components.stackfile.spec import PlatformSpec
from vds.bench.running import Bench
from vds.bench.verdict import CAVEAT, SOURCE, Comparison, Row, document_of, rows
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, ConfigFile, StackName
from vds.shared.output import console, print_json
from vds.shared.stack import open_stack
from vds.shared.suggestions import did_you_mean

app = typer.Typer(no_args_is_help=True)
app.callback()(lambda: None)  # keeps it a group with one command

_MARKS: dict[Comparison, str] = {
    "like dedicated": "[green]✓[/green]",
    "between": "[yellow]✓[/yellow]",
    "like shared": "[red]✗[/red]",
    "not measured": "[red]?[/red]",
}


@app.command()
def network(
    stack: StackName,
    image: Annotated[
        str, typer.Option(help="Image with iperf3 and python3, from a registry in the stack file. Name it by digest.")
    ],
    source: Annotated[
        str | None, typer.Option("--from", metavar="NODE", help="Node of the client. Default: the first worker.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--to", metavar="NODE", help="Node of the server. Default: another worker, or another node."),
    ] = None,
    seconds: Annotated[
        int, typer.Option(min=1, max=300, help="Seconds for each of throughput, loss and latency.")
    ] = 10,
    udp_mbps: Annotated[
        int, typer.Option(min=1, max=100_000, help="Rate of the loss measurement, in 10⁶ bits per second.")
    ] = (100),
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Measure throughput, p99 latency and loss between two pods on different nodes.

    Uses iperf3 and small round trips, and loads the links fully for that time. Exit code 1: a value is missing, or is
    no better than the published value of a shared VPS.
    """
    opened = open_stack(stack, config_file=config_file)
    ends = choose(opened.spec, source, target)
    may_use(image, opened.spec, datetime.datetime.now(datetime.UTC).date().isoformat())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # as an exception, which cleans up
    progress = console(stderr=True)
    progress.quiet = as_json
    bench = Bench(
        Cluster(opened.kubeconfig),
        secrets.token_hex(4),
        image,
        *ends,
        seconds,
        udp_mbps,
        lambda text: progress.print(text, markup=False),
    )
    try:
        measured = bench.measure()
    except (ApiError, UnreachableError) as error:
        raise OperationError(f"the Kubernetes API: {error}") from None
    found = rows(measured)
    if as_json:
        run = {"stack": stack, "from": ends[0], "to": ends[1], "image": image, "seconds": seconds}
        print_json({**run, **document_of(found, measured)})
    else:
        console().print(table(found, *ends))
    raise typer.Exit(0 if all(row.good for row in found) else 1)


def choose(spec: PlatformSpec, source: str | None, target: str | None) -> tuple[str, str]:
    """Two different nodes of the stack file, workers first. Raises OperationError where there are none such."""
    by_rank = sorted(spec.nodes, key=lambda node: "worker" not in node.roles)  # stable: else as in the stack file
    names = [node.name for node in by_rank]
    for option, name in (("--from", source), ("--to", target)):
        if name and name not in names:
            raise OperationError(f"{option} {name}: the stack has no such node: {did_you_mean(name, names)}")
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
    flow = DataFlow(image_registry(image), "image-registry", f"--image {image}")
    if problems := "\n".join(map(str, data_flow_problems(flow, record))):
        raise OperationError(problems)


def table(found: tuple[Row, ...], source: str, target: str) -> Group:
    """The result for people."""
    rows = Table(title=f"pod on {source} → pod on {target}", title_justify="left", box=None, pad_edge=False)
    rows.add_column("")
    rows.add_column("")
    for name in ("measured", "shared VPS", "dedicated"):
        rows.add_column(name, justify="right", no_wrap=True)
    rows.add_column("how")
    for row in found:
        unit, digits = row.published.unit, row.published.digits
        rows.add_row(
            _MARKS[row.comparison],
            row.published.item,
            "—" if row.value is None else f"{row.value:.3g} {unit}",
            f"{row.published.shared:.{digits}f} {unit}",
            f"{row.published.dedicated:.{digits}f} {unit}",
            escape(row.note if row.value is not None else f"not measured: {row.note}"),
        )
    return Group(rows, SOURCE, CAVEAT)
