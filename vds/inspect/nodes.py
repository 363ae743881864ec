"""Picks the nodes, asks them, and says how a look ended."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from components.network.model import Calico, Cni, Flannel, Unmanaged
from components.nodes.model import NodeSpec
from vds.inspect import scripts
from vds.inspect.capture import Outputs
from vds.shared import pods
from vds.shared.errors import OperationError
from vds.shared.placement import Place
from vds.shared.ssh import Run, Take, private_key, run_everywhere
from vds.shared.stack import Opened


def drops_script(node: str, cni: Cni, *, seconds: int) -> str:
    """The script that sees this CNI's drops. Raises OperationError for a data path that it can't see into."""
    if isinstance(cni, Flannel | Unmanaged):
        raise OperationError(_not_ours(cni))
    if not isinstance(cni, Calico):
        return scripts.cilium_drops(node, seconds=seconds)
    if cni.dataplane == "BPF":
        raise OperationError(
            "cni.dataplane BPF: Calico's own programs count their drops where no packet filter shows them: run "
            "`kubectl -n calico-system exec ds/calico-node -- calico-node -bpf counters dump`"
        )
    return scripts.calico_drops(node, dataplane=cni.dataplane, seconds=seconds)


def status_script(node: str, cni: Cni, *, as_json: bool) -> str:
    """The script that asks this CNI's agent how it is."""
    if isinstance(cni, Calico):
        return scripts.calico_status(node, bgp=cni.bgp)
    if isinstance(cni, Flannel | Unmanaged):
        raise OperationError(_not_ours(cni))
    return scripts.cilium_status(node, as_json=as_json)


def _not_ours(cni: Flannel | Unmanaged) -> str:
    name = cni.name if isinstance(cni, Unmanaged) else "flannel"
    return f"cni.kind {cni.kind}: {name} is somebody else's, and its agent can't be asked from here: use its own tools"


def nodes_of(opened: Opened, name: str | None) -> list[NodeSpec]:
    """One node of the stack by name, or all of them."""
    if name is None:
        return list(opened.spec.nodes)
    return [_node(opened, name, f"node {name} is not in stack {opened.name}")]


def locate(opened: Opened, pod: str) -> tuple[Place, NodeSpec]:
    """A pod and the stack's node that it runs on."""
    place = pods.find(opened.kubeconfig, pod)
    otherwise = f"pod {place} runs on node {place.node}, which is not in stack {opened.name}"
    return place, _node(opened, place.node, otherwise)


def _node(opened: Opened, name: str, otherwise: str) -> NodeSpec:
    for node in opened.spec.nodes:
        if node.name == name:
            return node
    names = ", ".join(node.name for node in opened.spec.nodes)
    raise OperationError(f"{otherwise}, which has {names}: correct the name, or add the node to the stack file")


def ask(
    opened: Opened, nodes: Sequence[NodeSpec], texts: Sequence[str], seconds: float, take: Take, *, binary: bool = False
) -> list[Run]:
    """Run each node's script. Raises OperationError where there is one node, and it can't be looked at."""
    key = private_key(opened.ssh_private_key)
    runs = run_everywhere(nodes, texts, opened.spec.ssh, key, seconds=seconds, take=take, binary=binary)
    if len(runs) == 1 and _failed(runs[0]):
        raise OperationError(_reason(runs[0]))
    return runs


def ask_one(opened: Opened, node: NodeSpec, text: str, seconds: float) -> str:
    """What one node's script printed. Raises OperationError unless it ended well."""
    outputs = Outputs()
    [run] = ask(opened, [node], [text], seconds, outputs.take)
    if run.status:
        raise OperationError(_reason(run))
    return outputs.texts.get(node.name, "")


def end(runs: Sequence[Run], problems: Sequence[str], *, well: bool) -> None:
    """Exit 2, with every reason, where a node could not be looked at; else 1 where something was found."""
    reasons = [_reason(run) for run in runs if _failed(run)]
    if reasons or problems:
        raise OperationError("\n".join([*reasons, *problems]))
    if not well:
        raise typer.Exit(1)


def _failed(run: Run) -> bool:
    return run.status not in (0, 1)


def _reason(run: Run) -> str:
    if run.errors.startswith("node "):
        return run.errors
    return f"node {run.node}: {run.errors[-1000:] or f'the look ended with {run.status}, and said nothing'}"
