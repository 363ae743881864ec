"""`vds decommission` and `vds recommission`: what the engine runs when a node leaves the stack file, or comes."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, NoReturn, Protocol

import typer
from pydantic import ValidationError

from components.core.names import KUBE_SYSTEM, RECORD
from components.nodes.decommission.document import FILES_ON_NODE, Decommission
from vds.decommission import drain
from vds.decommission.evict import Clock, Drain, IncompleteError, Say, uncordon
from vds.decommission.node import NodeServer, RefusedError, UnansweredError
from vds.shared.errors import OperationError
from vds.shared.kubernetes import Api, ApiError, Cluster, UnreachableError, found

_CONSENT = (
    "if it is gone for good, put the node into the stack file again with `whenUnreachable: abandon`, deploy, and take "
    "it out"
)


class Server(Protocol):
    """The node's own side: see `NodeServer`."""

    def probe(self) -> None: ...
    def remove(self) -> str: ...


@dataclass(frozen=True)
class Clients:
    """Clients for everything that decommissioning touches."""

    cluster: Callable[[], Api]
    server: Server
    say: Say
    clock: Clock = field(default_factory=Clock)


@dataclass
class Outcome:
    """What was done, as `--json` prints it."""

    node: str
    cluster: str = ""
    """`drained`, `removed` (drained, and its Node object deleted), `absent` (the cluster has no such node), or why it
    was not drained."""
    evicted: list[str] = field(default_factory=list)
    server: str = ""
    """`decommissioned`, or `abandoned` with what we put there."""
    restored: list[str] = field(default_factory=list)
    """Kernel settings that have their earlier value again."""
    warnings: list[str] = field(default_factory=list)


def decommission(document: Decommission, clients: Clients) -> Outcome:
    """Drain the node if it is being removed, then take away what we put on it.

    Raises:
        IncompleteError: the node keeps what it has, or goes on from where it is with the next run.
        OperationError: the cluster can't be asked.
    """
    outcome = Outcome(document.node)
    outcome.cluster = _drain(document, clients, outcome)
    try:
        _read(clients.server.remove(), outcome)
        outcome.server = "decommissioned"
        if document.leaving_script and outcome.cluster == "drained":
            _remove_node(document, clients, outcome)
    except UnansweredError as error:
        outcome.server = "abandoned"
        outcome.warnings.append(_abandoned(document, error))
    except RefusedError as error:
        raise IncompleteError([f"node {document.node} ({_where(document)}): {error}"]) from None
    return outcome


def _remove_node(document: Decommission, clients: Clients, outcome: Outcome) -> None:
    """Delete the Node object of a server that has left: kubeadm refuses to join one of the same name beside it."""
    try:
        clients.cluster().request("DELETE", f"/api/v1/nodes/{document.node}")
        outcome.cluster = "removed"
    except (ApiError, UnreachableError) as error:
        outcome.warnings.append(
            f"has left the cluster, but its Node object could not be deleted ({error}): kubectl delete node "
            f"{document.node}"
        )


def _drain(document: Decommission, clients: Clients, outcome: Outcome) -> str:
    consents = document.when_unreachable == "abandon"
    if document.drain_seconds == 0:
        return "not drained: its drainSeconds is 0"
    try:
        api = clients.cluster()
        if found(api, f"/api/v1/namespaces/{KUBE_SYSTEM}/configmaps/{RECORD}") is None:
            return "not drained: the whole stack is being destroyed, the cluster stays"
        _probe(document, clients)
        drained = Drain(
            document.node, api, document.gateway_namespace, document.drain_seconds, consents, clients.say, clients.clock
        )
        try:
            in_cluster = drained.run()
        finally:
            outcome.evicted += sorted(map(str, drained.evicted))
            outcome.warnings += drained.warnings
        return "drained" if in_cluster else "absent"
    except UnreachableError as error:
        if consents:
            outcome.warnings.append(f"was not drained: the cluster could not be asked ({error})")
            return "not drained: the cluster could not be asked"
        raise OperationError(
            f"node {document.node}: the cluster could not be asked, so it was neither drained nor decommissioned "
            f"({error}): "
            f"bring the API server up and run again; {_CONSENT}"
        ) from None
    except ApiError as error:
        raise OperationError(
            f"node {document.node}: the cluster refused ({error}): the stack's kubeconfig must be an administrator's"
        ) from None


def _probe(document: Decommission, clients: Clients) -> None:
    """Before any pod is moved: can the node be decommissioned afterwards?"""
    try:
        clients.server.probe()
    except UnansweredError as error:
        _abandoned(document, error)
    except RefusedError as error:
        raise IncompleteError([f"node {document.node} ({_where(document)}): {error}"]) from None


def _abandoned(document: Decommission, error: UnansweredError) -> str:
    """What stays on a node that does not answer. Raises IncompleteError unless the spec consents."""
    if document.when_unreachable != "abandon":
        raise IncompleteError(
            [
                f"node {document.node} ({_where(document)}) can't be decommissioned: {error}; its entry stays in the "
                f"state. "
                f"Bring it up and run again; {_CONSENT}"
            ]
        ) from None
    member = ", its membership of the cluster (`kubeadm reset` ends it)" if document.leaving_script else ""
    return (
        f"{_where(document)} can't be decommissioned ({error}) and is abandoned, as its whenUnreachable says. "
        f"Should it come back, it still has {', '.join(FILES_ON_NODE)} (there: the earlier values){member}, "
        "the kernel values of the first, and swap, the time service and modules as we switched them; "
        "to have them restored, put it into the stack file again, deploy, and take it out"
    )


def _where(document: Decommission) -> str:
    return f"{document.address} port {document.port}"


_REFUSED = {
    "swap": "swap is not on again: swapon refused a device, see the lines of /var/lib/vds-platform/swap on the node",
    "time": "the time service is still on, and was not before us: timedatectl refused to switch it off",
}
"""Service → what an operator should know of it."""


def _read(printed: str, outcome: Outcome) -> None:
    """The script's account: JSON lines, of which those about settings and services say whether each was restored."""
    for line in printed.splitlines():
        row = json.loads(line) if line.startswith("{") else {}
        if row.get("service") in _REFUSED and row["state"] == "refused":
            outcome.warnings.append(_REFUSED[row["service"]])
        if "key" in row:
            if row["state"] == "restored":
                outcome.restored.append(row["key"])
            else:
                outcome.warnings.append(
                    f"{row['key']} is {row['live']} and was {row['before']} before us: the kernel refused that"
                )


def recommission(document: Decommission, api: Api, say: Say) -> None:
    """Uncordon a node that is in the stack file and that we had cordoned for leaving it; nothing else is undone."""
    node = found(api, f"/api/v1/nodes/{document.node}")
    if node is not None and drain.is_ours(node):
        uncordon(api, document.node)
        say("uncordoned: it is in the stack file again")


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command("decommission")(_decommission_command)
    app.command("recommission")(_recommission_command)


def _decommission_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done, or why not, as one document.")] = False,
) -> None:
    """Drain a node that left the stack file, take away what we put on it, and restore its earlier values.

    Run by `pulumi up` and `pulumi destroy` with the node's facts as JSON on standard input. Progress and warnings go
    to standard error. Exit: 0 done, or abandoned with a warning where the spec consents; 1 not done, as it was
    refused, or the node did not answer or was not empty in time; 2 wrong use, or the cluster could not be asked.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    node = ""

    def explain(problems: list[str]) -> None:
        if as_json:
            print(json.dumps({"node": node, "problems": problems}, ensure_ascii=False))

    try:
        document = _document()
        node, say = document.node, _say(document.node)
        outcome = decommission(
            document, Clients(lambda: Cluster(document.kubeconfig.get_secret_value()), NodeServer(document), say)
        )
    except OperationError as error:
        explain([str(error)])
        raise
    except IncompleteError as error:
        explain(error.problems)
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps(asdict(outcome), ensure_ascii=False))
    for line in _summary(outcome):
        say(line)


def _recommission_command() -> None:
    """Uncordon a node that decommission had cordoned and that is in the stack file again.

    Run by `pulumi up`, with the same document on standard input. It never stops a deployment: where the cluster
    can't be asked it says so, and exits with 0.
    """
    document = _document()
    say = _say(document.node)
    try:
        recommission(document, Cluster(document.kubeconfig.get_secret_value()), say)
    except (ApiError, UnreachableError) as error:
        say(f"whether it is cordoned is not known, the cluster could not be asked ({error})")


def _summary(outcome: Outcome) -> list[str]:
    """Warnings last: the official plugin shows lines as they come, and only the last one stays to be seen."""
    lines = [f"{outcome.cluster}; {len(outcome.evicted)} pods evicted" if outcome.evicted else outcome.cluster]
    if outcome.server == "decommissioned":
        lines.append(f"decommissioned, {len(outcome.restored)} kernel values restored")
    if outcome.cluster == "drained":
        lines.append(f"stays in the cluster, cordoned; when it is gone for good: kubectl delete node {outcome.node}")
    return lines + [f"warning: {warning}" for warning in outcome.warnings]


def _document() -> Decommission:
    """The document on standard input. Raises OperationError; no part of it is repeated."""
    if sys.stdin.isatty():
        raise OperationError("pulumi runs this, with a node's facts on standard input; see --help")
    try:
        return Decommission.model_validate_json(sys.stdin.read())
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, detail["loc"])) or "JSON" for detail in error.errors()}))
        raise OperationError(
            f"standard input is not a node's decommission document (wrong: {fields}); see --help"
        ) from None


def _say(node: str) -> Say:
    def say(text: str) -> None:
        print(f"node {node}: {text}", file=sys.stderr, flush=True)

    return say


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt  # so that a half-done drain takes its cordon back
