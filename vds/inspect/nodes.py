"""Selects nodes, runs scripts on them, and reports how they ended."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

import typer

from components.kubernetes_api import Cluster
from components.network.model import Calico, Cni, Flannel, Unmanaged
from components.nodes.model import NodeSpec
from vds.inspect import pods
from vds.shared.errors import OperationError
from vds.shared.ssh import OnOutput, Run, outputs_of, private_key, run_everywhere
from vds.shared.stack import Opened


def drops_script(node: str, cni: Cni, *, seconds: int) -> str:
    """The script that shows this CNI's drops. Raises OperationError for a data path without visible drops."""
    if isinstance(cni, Flannel | Unmanaged):
        raise OperationError(_unmanaged(cni))
    if not isinstance(cni, Calico):
        return script("cilium_drops", node, seconds=seconds)
    if cni.dataplane == "BPF":
        raise OperationError(
            "cni.dataplane BPF: Calico's own programs count their drops where no packet filter shows them: run "
            "`kubectl -n calico-system exec ds/calico-node -- calico-node -bpf counters dump`"
        )
    return script("calico_drops", node, dataplane=cni.dataplane, seconds=seconds)


def status_script(node: str, cni: Cni, *, as_json: bool) -> str:
    """The script that prints the status of this CNI's agent."""
    if isinstance(cni, Calico):
        return script("calico_status", node, bird_ready="-bird-ready" if cni.bgp else "")  # BIRD runs with BGP only
    if isinstance(cni, Flannel | Unmanaged):
        raise OperationError(_unmanaged(cni))
    return script("cilium_status", node, json=as_json)


def _unmanaged(cni: Flannel | Unmanaged) -> str:
    name = cni.name if isinstance(cni, Unmanaged) else "flannel"
    return f"cni.kind {cni.kind}: this platform does not manage {name}: use the tools of {name}"


def nodes_of(opened: Opened, name: str | None) -> list[NodeSpec]:
    """One node of the stack by name, or all of them."""
    if name is None:
        return list(opened.spec.nodes)
    return [_node(opened, name, f"node {name} is not in stack {opened.name}")]


def locate(opened: Opened, pod: str) -> tuple[pods.RunningPod, NodeSpec]:
    """A pod and the stack's node that it runs on."""
    found = pods.find(Cluster(opened.kubeconfig), pod)
    otherwise = f"pod {found} runs on node {found.node}, which is not in stack {opened.name}"
    return found, _node(opened, found.node, otherwise)


def _node(opened: Opened, name: str, otherwise: str) -> NodeSpec:
    for node in opened.spec.nodes:
        if node.name == name:
            return node
    names = ", ".join(node.name for node in opened.spec.nodes)
    raise OperationError(f"{otherwise}, which has {names}: correct the name, or add the node to the stack file")


def run_scripts(
    opened: Opened,
    nodes: Sequence[NodeSpec],
    texts: Sequence[str],
    seconds: float,
    on_output: OnOutput,
    *,
    binary: bool = False,
) -> list[Run]:
    """Run each node's script. Raises OperationError if there is only one node and its script failed."""
    key = private_key(opened.ssh_private_key)
    runs = run_everywhere(nodes, texts, opened.spec.ssh, key, seconds=seconds, on_output=on_output, binary=binary)
    if len(runs) == 1 and _failed(runs[0]):
        raise OperationError(_reason(runs[0]))
    return runs


def output_of(opened: Opened, node: NodeSpec, text: str, seconds: float) -> str:
    """What the node's script printed. Raises OperationError if it failed."""
    [(run, output)] = outputs_of(opened, [node], [text], seconds)
    if run.status:
        raise OperationError(_reason(run))
    return output


def finish(runs: Sequence[Run], problems: Sequence[str], *, ok: bool) -> None:
    """Exit code 2, with every reason, if a script failed; else 1 if something was found."""
    reasons = [_reason(run) for run in runs if _failed(run)]
    if reasons or problems:
        raise OperationError(*reasons, *problems)
    if not ok:
        raise typer.Exit(1)


def _failed(run: Run) -> bool:
    return run.status not in (0, 1)


def _reason(run: Run) -> str:
    if run.errors.startswith("node "):
        return run.errors
    return f"node {run.node}: {run.errors[-1000:] or f'the script ended with {run.status} and printed nothing'}"


_FUNCTIONS = (Path(__file__).parent / "inspect.sh").read_text(encoding="utf-8")
_SLOT = "#: variables\n"


def script(action: str, node: str, filter_words: Sequence[str] = (), **facts: str | int | bool) -> str:
    """Runs a function of `inspect.sh` with these facts. `filter_words` are those of `capture`, for tcpdump."""
    given = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in facts.items()}
    head = "".join(f"{name}={quote(value)}\n" for name, value in {"action": action, "node": node, **given}.items())
    words = "".join(f" {quote(word)}" for word in filter_words)
    return _FUNCTIONS.replace(_SLOT, f'{head}filtered() {{\n\t"$@"{words}\n}}\n', 1)
