"""`vds inspect`: reads a pod's network, and the state of the CNI on a node. Changes nothing."""

from pathlib import Path
from typing import Annotated

import typer

from vds.inspect import parse
from vds.inspect.capture import Capture, Drops, Outputs
from vds.inspect.nodes import drops_script, finish, locate, nodes_of, output_of, run_scripts, script, status_script
from vds.inspect.pods import RunningPod, note, pod_document, show_pod
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, ConfigFile, StackName
from vds.shared.output import print_json
from vds.shared.stack import open_stack

app = typer.Typer(no_args_is_help=True)

Pod = Annotated[str, typer.Argument(metavar="NAMESPACE/POD")]
NodeName = Annotated[str | None, typer.Option("--node", help="Only this node. Default: every node of the stack.")]
Seconds = Annotated[int, typer.Option(min=1, max=600, help="Duration in seconds.")]

_QUICK_SECONDS = 30
"""For a single reading: a status with all details takes a second or two."""


@app.command()
def routes(pod: Pod, stack: StackName, config_file: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show addresses, MTU and routes inside a pod.

    Exit code 1: it has no default route.
    """
    opened = open_stack(stack, config_file=config_file)
    found, node = locate(opened, pod)
    output = output_of(
        opened, node, script("routes", found.node, namespace=found.namespace, pod=found.name), _QUICK_SECONDS
    )
    network = parse.pod_network(output)
    if as_json:
        print_json({**pod_document(found), "addresses": network.addresses, "routes": network.routes})
    else:
        show_pod(found)
        print("\n".join(network.lines()))
    if not network.has_default:
        note(f"pod {found} has no default route: nothing outside its own links can be reached")
        raise typer.Exit(1)


@app.command()
def capture(
    pod: Pod,
    stack: StackName,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="FILTER", help="Filter in the syntax of tcpdump, after `--`.")
    ] = None,
    interface: Annotated[
        str | None, typer.Option(help="Interface in the pod. Default: that of its default route.")
    ] = None,
    packets: Annotated[int, typer.Option(min=1, max=1_000_000, help="Stop after this number of packets.")] = 20,
    seconds: Seconds = 10,
    write: Annotated[Path | None, typer.Option(help="Write a pcap to this new file, instead of text.")] = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Capture packets in a pod's network with its node's tcpdump.

    Exit code 1: there were none.
    """
    opened = open_stack(stack, config_file=config_file)
    found, node = locate(opened, pod)
    if not as_json:
        show_pod(found)
    text = script(
        "capture",
        found.node,
        words or (),
        namespace=found.namespace,
        pod=found.name,
        interface=interface or "",
        packets=packets,
        seconds=seconds,
        binary=bool(write),
    )
    with Capture(write, quiet=as_json) as captured:
        [run] = run_scripts(opened, [node], [text], seconds, captured.add, binary=bool(write))
        if run.status:
            raise OperationError(f"pod {found}: tcpdump on node {run.node} failed: {run.errors[-500:]}")
    number = captured.count(run.errors)
    if as_json:
        print_json(
            {**pod_document(found), "packets": number, "lines": captured.lines, "file": str(write) if write else None}
        )
    else:
        note(run.errors)
    if not number:
        note(f"pod {found}: no packet in {seconds} s")
        raise typer.Exit(1)


@app.command()
def drops(
    stack: StackName,
    node: NodeName = None,
    pod: Annotated[
        str | None, typer.Option(metavar="NAMESPACE/POD", help="Only drops of this pod, on its node.")
    ] = None,
    seconds: Seconds = 10,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show packets that the CNI drops, with the reason.

    Exit code 1: there were some.
    """
    if node and pod:
        raise OperationError("--node and --pod: leave out --node, the pod's own node is used")
    opened = open_stack(stack, config_file=config_file)
    only: RunningPod | None = None
    if pod:
        only, pod_node = locate(opened, pod)
        nodes = [pod_node]
        if not as_json:
            show_pod(only)
            note("the policy of a peer drops packets on the peer's node: inspect that node too")
    else:
        nodes = nodes_of(opened, node)
    texts = [drops_script(item.name, opened.spec.cni, seconds=seconds) for item in nodes]
    if opened.spec.cni.kind == "cilium":
        monitor = Drops(only.address if only else None, as_json)
        runs = run_scripts(opened, nodes, texts, seconds, monitor.add)
        found, problems = monitor.found, monitor.problems
    else:
        outputs = Outputs()
        runs = run_scripts(opened, nodes, texts, seconds, outputs.add)
        own = parse.calico_interface(only.namespace, only.name) if only else ""
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
    finish(runs, problems, ok=not found)


@app.command()
def cni(stack: StackName, node: NodeName = None, config_file: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show the status of the CNI's agents.

    Exit code 1: one of them is not ready.
    """
    opened = open_stack(stack, config_file=config_file)
    nodes = nodes_of(opened, node)
    outputs = Outputs()
    texts = [status_script(item.name, opened.spec.cni, as_json=as_json) for item in nodes]
    runs = run_scripts(opened, nodes, texts, _QUICK_SECONDS, outputs.add)
    answers = {run.node: parse.agent_status(outputs.texts.get(run.node, ""), run.status == 0) for run in runs}
    if as_json:
        print_json({run.node: {**answers[run.node]._asdict(), "errors": run.errors} for run in runs})
    else:
        for run in runs:
            if run.status in (0, 1):
                print(f"{run.node}  {opened.spec.cni.kind}: {'ready' if answers[run.node].ready else 'NOT READY'}")
                print(f"{answers[run.node].text}\n{run.errors}".strip())
    finish(runs, [], ok=all(answers[run.node].ready for run in runs))
