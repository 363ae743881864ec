"""`vds decommission` and `vds recommission`: the engine runs them when a node leaves the stack file, or comes back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn, Protocol

import typer

from components.core.names import KUBE_SYSTEM, RECORD
from components.kubernetes_api import Api, ApiError, Cluster, UnreachableError, cluster_uid, get, list_items
from components.nodes.decommission.document import FILES_ON_NODE, Decommission
from components.nodes.settings import readback
from vds.decommission import plan
from vds.decommission.drain import Drain, Report, uncordon
from vds.decommission.node import NodeServer, RefusedError, UnansweredError
from vds.shared import engine
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError, OperationError
from vds.shared.options import AsJson
from vds.shared.output import print_json

_CONSENT = (
    "if the node is gone for good, add it to the stack file again with `whenUnreachable: abandon`, run `pulumi up`, "
    "and remove it again"
)

_WORD = (
    "to go on in any case, set `drainSeconds: 0` for the node in the stack file and run `pulumi up` before: then the "
    "cluster is not asked and nothing is drained"
)


class Server(Protocol):
    """See `NodeServer`."""

    def probe(self) -> None: ...
    def remove(self) -> str: ...


@dataclass(frozen=True)
class Clients:
    """What a decommission works with."""

    cluster: Callable[[], Api]
    server: Server
    report: Report
    known: str
    """UID of the cluster that the node was put into, from the state; empty if the state has none."""
    clock: Clock = field(default_factory=Clock)


@dataclass
class Outcome:
    """The result, as `--json` prints it."""

    node: str
    cluster: str = ""
    """`drained`, `removed` (drained, and its Node object deleted), `absent` (the cluster has no such node), or why the
    node was not drained."""
    evicted: list[str] = field(default_factory=list)
    server: str = ""
    """`decommissioned`, or `abandoned` with our files and settings."""
    restored: list[str] = field(default_factory=list)
    """Kernel settings that have their earlier value again."""
    warnings: list[str] = field(default_factory=list)


def decommission(document: Decommission, clients: Clients) -> Outcome:
    """Drain the node unless the whole stack is destroyed. Then remove our files and restore the earlier settings.

    Raises:
        IncompleteError: the node was not drained or not decommissioned. The next run continues from there. Also if
            another cluster answers, or pods run on the node although the whole stack is being destroyed.
        OperationError: the cluster does not answer.
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
        outcome.warnings.append(_abandon(document, error))
    except RefusedError as error:
        raise IncompleteError(f"node {document.node} ({_where(document)}): {error}") from None
    return outcome


def _remove_node(document: Decommission, clients: Clients, outcome: Outcome) -> None:
    """Delete the Node object of a server that has left: kubeadm joins no second node of that name."""
    try:
        clients.cluster().request("DELETE", f"/api/v1/nodes/{document.node}")
        outcome.cluster = "removed"
    except (ApiError, UnreachableError) as error:
        outcome.warnings.append(
            f"has left the cluster, but its Node object could not be deleted ({error}): kubectl delete node "
            f"{document.node}"
        )


def _drain(document: Decommission, clients: Clients, outcome: Outcome) -> str:
    abandon = document.when_unreachable == "abandon"
    if document.drain_seconds == 0:
        return "not drained: its drainSeconds is 0"
    try:
        api = clients.cluster()
        if problem := _unproven(clients.known, cluster_uid(api)):
            raise IncompleteError(f"node {document.node}: {problem}")
        if get(api, f"/api/v1/namespaces/{KUBE_SYSTEM}/configmaps/{RECORD}") is None:
            _refuse_pods(document.node, api)
            return "not drained: the whole stack is being destroyed, the cluster stays"
        _probe(document, clients)
        drained = Drain(
            document.node,
            api,
            document.gateway_namespace,
            document.drain_seconds,
            abandon,
            clients.report,
            clock=clients.clock,
        )
        try:
            in_cluster = drained.run()
        finally:
            outcome.evicted += sorted(map(str, drained.evicted))
            outcome.warnings += drained.warnings
        return "drained" if in_cluster else "absent"
    except UnreachableError as error:
        if abandon:
            outcome.warnings.append(f"was not drained: the cluster does not answer ({error})")
            return "not drained: the cluster does not answer"
        raise OperationError(
            f"node {document.node}: the cluster does not answer, so it was neither drained nor decommissioned "
            f"({error}): start the API server and run again; {_CONSENT}"
        ) from None
    except ApiError as error:
        raise OperationError(
            f"node {document.node}: the cluster refused ({error}): the stack's kubeconfig must be an administrator's"
        ) from None


def _unproven(known: str, found: str) -> str:
    """Why it is not proven that the node's own cluster answers; empty if it is."""
    if known == found:
        return ""
    said = (
        f"another cluster answers: its UID is {found}, and the node was put into {known}. Set the kubeconfig of the "
        "node's own cluster again"
        if known
        else "the state does not say into which cluster it was put"
    )
    return f"{said}; {_WORD}"


def _refuse_pods(node: str, api: Api) -> None:
    """Without the record this is a destroy. Then tenants are gone already, so pods on the node are a contradiction."""
    listed = list_items(api, "/api/v1/pods", query=[("fieldSelector", f"spec.nodeName={node}")])
    todo = plan.work(item for item in listed if item["metadata"]["namespace"] != KUBE_SYSTEM)
    if pods := (*todo.evict, *todo.orphans):
        raise IncompleteError(
            f"node {node}: the ConfigMap {KUBE_SYSTEM}/{RECORD} is gone, as in a destroy, but these pods run on the "
            f"node: {', '.join(map(str, pods))}. If you want to keep the stack, run `pulumi up`: it makes the "
            f"ConfigMap again. If you want to destroy it, delete the pods first; {_WORD}"
        )


def _probe(document: Decommission, clients: Clients) -> None:
    """Check before any pod is moved that the node can be decommissioned afterwards."""
    try:
        clients.server.probe()
    except UnansweredError as error:
        _abandon(document, error)
    except RefusedError as error:
        raise IncompleteError(f"node {document.node} ({_where(document)}): {error}") from None


def _abandon(document: Decommission, error: UnansweredError) -> str:
    """A warning that lists what stays on the node. Raises IncompleteError unless the stack file allows that."""
    if document.when_unreachable != "abandon":
        raise IncompleteError(
            f"node {document.node} ({_where(document)}) can't be decommissioned: {error}; its entry stays in the "
            f"state. Start the node and run again; {_CONSENT}"
        ) from None
    member = ", its membership of the cluster (`kubeadm reset` ends it)" if document.leaving_script else ""
    return (
        f"{_where(document)} can't be decommissioned ({error}) and is abandoned, as its whenUnreachable says. If the "
        f"node starts again, it still has {', '.join(FILES_ON_NODE)} (with the earlier values){member}, the kernel "
        "settings of the first file, and our settings of swap, time service and kernel modules; "
        "to restore the node, add it to the stack file again, run `pulumi up`, and remove it again"
    )


def _where(document: Decommission) -> str:
    return f"{document.address} port {document.port}"


_REFUSED = {
    "os-updates": "unattended-upgrades is still installed, and was not before: run apt-get purge unattended-upgrades",
    "swap": "swap is still off: swapon refused a device, see /var/lib/vds-platform/swap on the node",
    "time": "the time service is still on, and was off before: timedatectl refused to switch it off",
}
"""Service → warning if it was not restored."""


def _read(printed: str, outcome: Outcome) -> None:
    """Read the script's output, which says of each setting and service whether it was restored."""
    try:
        found = readback.parse(printed)
    except ValueError as error:
        outcome.warnings.append(f"what was restored is not known: {error}")
        return
    outcome.restored += [one.key for one in found.restored if one.state == "restored"]
    outcome.warnings += [text for name, text in _REFUSED.items() if found.services.get(name) == "refused"]
    outcome.warnings += [
        f"{one.key} is {one.live} and was {one.before} before: the kernel refused that value"
        for one in found.restored
        if one.state != "restored"
    ]


def recommission(document: Decommission, api: Api, report: Report, known: str = "") -> str:
    """Uncordon a node if a decommission cordoned it. Returns the UID of the node's cluster, which the state keeps.

    `known` is the UID that the state has. Raises IncompleteError if another cluster answers.
    """
    found = cluster_uid(api)
    if known and document.drain_seconds and (problem := _unproven(known, found)):
        raise IncompleteError(f"node {document.node}: {problem}")
    node = get(api, f"/api/v1/nodes/{document.node}")
    if node is not None and plan.is_ours(node):
        uncordon(api, document.node)
        report("uncordoned: it is in the stack file again")
    return found


def decommission_command(as_json: AsJson = False) -> None:
    """Evicts the pods, removes our files from the node, and restores the earlier kernel settings.

    Reads a JSON document from standard input. Writes progress and warnings to standard error. Exit code 0: done, or
    abandoned as the stack file allows. Exit code 1: the node refused, did not answer, or still has pods. Exit code 2:
    the cluster did not answer.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    document = engine.read_document(Decommission)
    report = _reporter(document.node)
    clients = Clients(
        lambda: Cluster(document.kubeconfig.get_secret_value()), NodeServer(document), report, _known_cluster()
    )
    try:
        outcome = decommission(document, clients)
    except OperationError as error:
        if as_json:
            raise
        # Not on standard error: the engine shows that as it comes, and all of the output with the failure.
        print(*(f"error: {problem}" for problem in error.problems), sep="\n")
        raise typer.Exit(error.exit_code) from None
    if as_json:
        print_json(asdict(outcome))
    for line in _summary(outcome):
        report(line)


def recommission_command() -> None:
    """Uncordons the node if a decommission cordoned it, and prints the UID of the cluster, which the state keeps.

    Reads the same JSON document from standard input. Exit code 1: another cluster answers than before. Exit code 2: the
    cluster does not answer, and its UID is not known yet. If the UID is known, a cluster that does not answer does not
    stop a deployment.
    """
    document = engine.read_document(Decommission)
    report, known = _reporter(document.node), _known_cluster()
    try:
        print(recommission(document, Cluster(document.kubeconfig.get_secret_value()), report, known))
    except (ApiError, UnreachableError) as error:
        if not known:
            raise OperationError(
                f"node {document.node}: the cluster does not answer ({error}), so its UID can't be recorded, without "
                "which the node can't be removed later: start the API server and run `pulumi up` again"
            ) from None
        report(f"may still be cordoned: the cluster does not answer ({error})")
        print(known)


def _known_cluster() -> str:
    """What the engine keeps of the last run of `recommission`, and gives to the next run and to `decommission`."""
    return os.environ.get("PULUMI_COMMAND_STDOUT", "").strip()


def _summary(outcome: Outcome) -> list[str]:
    """Warnings last: the official plugin shows lines as they come, and only the last one stays on the screen."""
    lines = [f"{outcome.cluster}; {len(outcome.evicted)} pods evicted" if outcome.evicted else outcome.cluster]
    if outcome.server == "decommissioned":
        lines.append(f"decommissioned, {len(outcome.restored)} kernel settings restored")
    if outcome.cluster == "drained":
        lines.append(f"stays in the cluster, cordoned; if it is gone for good: kubectl delete node {outcome.node}")
    return lines + [f"warning: {warning}" for warning in outcome.warnings]


def _reporter(node: str) -> Report:
    def report(text: str) -> None:
        engine.report(f"node {node}: {text}")

    return report


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt  # an interrupted drain uncordons the node
