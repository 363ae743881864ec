"""`vds inspect`: into a pod's network, and at what the CNI does on a node. Nothing is changed anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vds.inspect import parse, scripts
from vds.inspect.capture import Capture, Drops, Outputs
from vds.inspect.nodes import ask, ask_one, drops_script, end, locate, nodes_of, status_script
from vds.inspect.report import about, note, print_json, say_place
from vds.shared.errors import OperationError
from vds.shared.stack import open_stack

app = typer.Typer(help="Look into a pod's network, or at what the CNI does on a node.", no_args_is_help=True)

Stack = Annotated[str, typer.Option("--stack", "-s", help="The stack whose cluster it is.")]
ConfigFile = Annotated[Path | None, typer.Option(help="Stands for Pulumi.STACK.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
Pod = Annotated[str, typer.Argument(metavar="NAMESPACE/POD")]
NodeName = Annotated[str | None, typer.Option("--node", help="Only this node; left out, every node of the stack.")]
Seconds = Annotated[int, typer.Option(min=1, max=600, help="How long to look.")]

_QUICK_SECONDS = 30
"""For looks that only ask: a status with all details takes a second or two."""


@app.command()
def routes(pod: Pod, stack: Stack, config_file: ConfigFile = None, as_json: AsJson = False) -> None:
    """Addresses, MTU and routes inside a pod. Exit 1: it has no default route."""
    opened = open_stack(stack, config_file=config_file)
    place, node = locate(opened, pod)
    output = ask_one(opened, node, scripts.routes(place), _QUICK_SECONDS)
    network = parse.pod_network(output)
    if as_json:
        print_json({**about(place), "addresses": network.addresses, "routes": network.routes})
    else:
        say_place(place)
        print("\n".join(network.lines()))
    if not network.has_default:
        note(f"pod {place} has no default route: nothing outside its own links can be reached")
        raise typer.Exit(1)


@app.command()
def capture(
    pod: Pod,
    stack: Stack,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="FILTER", help="As tcpdump takes it, after `--`.")
    ] = None,
    interface: Annotated[str | None, typer.Option(help="Left out: that of the pod's default route.")] = None,
    packets: Annotated[int, typer.Option(min=1, max=1_000_000, help="End after so many.")] = 20,
    seconds: Seconds = 10,
    write: Annotated[Path | None, typer.Option(help="Write a pcap to this new file instead of text.")] = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Packets in a pod's network, by its node's tcpdump. Exit 1: there were none in that time."""
    opened = open_stack(stack, config_file=config_file)
    place, node = locate(opened, pod)
    if not as_json:
        say_place(place)
    script = scripts.capture(
        place, interface=interface, packets=packets, seconds=seconds, filter_words=words or (), binary=bool(write)
    )
    with Capture(write, quiet=as_json) as taken:
        [run] = ask(opened, [node], [script], seconds, taken.take, binary=bool(write))
        if run.status:
            raise OperationError(f"pod {place}: tcpdump on node {run.node} failed: {run.errors[-500:]}")
    number = taken.count(run.errors)
    if as_json:
        print_json({**about(place), "packets": number, "lines": taken.lines, "file": str(write) if write else None})
    else:
        note(run.errors)
    if not number:
        note(f"pod {place}: no packet in {seconds} s")
        raise typer.Exit(1)


@app.command()
def drops(
    stack: Stack,
    node: NodeName = None,
    pod: Annotated[str | None, typer.Option(metavar="NAMESPACE/POD", help="Only this pod's, on its node.")] = None,
    seconds: Seconds = 10,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Packets that the CNI drops, with the reason, as they happen. Exit 1: there were some."""
    if node and pod:
        raise OperationError("--node and --pod: a pod's node is found by itself; leave out --node")
    opened = open_stack(stack, config_file=config_file)
    place = None
    if pod:
        place, its = locate(opened, pod)
        nodes = [its]
        if not as_json:
            say_place(place)
            note("what a policy of its peer drops is dropped on the peer's node: look there too")
    else:
        nodes = nodes_of(opened, node)
    texts = [drops_script(item.name, opened.spec.cni, seconds=seconds) for item in nodes]
    if opened.spec.cni.kind == "cilium":
        monitor = Drops(place.address if place else None, as_json)
        runs = ask(opened, nodes, texts, seconds, monitor.take)
        found, problems = monitor.found, monitor.problems
    else:
        outputs = Outputs()
        runs = ask(opened, nodes, texts, seconds, outputs.take)
        own = parse.calico_interface(place.namespace, place.name) if place else ""
        found, problems = [], []
        for name, output in outputs.texts.items():
            for rule in parse.counted(output):
                if own in rule.chain:
                    found.append({"node": name, **rule._asdict()})
                    if not as_json:
                        print(f"{name}  {rule.line()}")
    if as_json:
        print_json({"seconds": seconds, "nodes": [item.name for item in nodes], "drops": found})
    elif not found:
        note(f"no drop on {', '.join(item.name for item in nodes)} in {seconds} s")
    end(runs, problems, well=not found)


@app.command()
def cni(stack: Stack, node: NodeName = None, config_file: ConfigFile = None, as_json: AsJson = False) -> None:
    """What the CNI's agents say of themselves. Exit 1: one of them is not well."""
    opened = open_stack(stack, config_file=config_file)
    nodes = nodes_of(opened, node)
    outputs = Outputs()
    texts = [status_script(item.name, opened.spec.cni, as_json=as_json) for item in nodes]
    runs = ask(opened, nodes, texts, _QUICK_SECONDS, outputs.take)
    answers = {run.node: parse.agent_status(outputs.texts.get(run.node, ""), run.status == 0) for run in runs}
    if as_json:
        print_json({run.node: {**answers[run.node]._asdict(), "errors": run.errors} for run in runs})
    else:
        for run in runs:
            if run.status in (0, 1):
                print(f"{run.node}  {opened.spec.cni.kind}: {'ready' if answers[run.node].well else 'NOT WELL'}")
                print(f"{answers[run.node].text}\n{run.errors}".strip())
    end(runs, [], well=all(answers[run.node].well for run in runs))


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="inspect")
