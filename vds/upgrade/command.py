"""`vds upgrade`: the engine runs it for each member of a cluster, one after the other, when packages change."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import typer

from components.core.names import KUBE_SYSTEM, REBOOT_LEASE
from components.core.untrusted import json_value, printable
from components.kubeadm.upgrade.document import READ_ADMIN, Upgrade
from components.kubeadm.upgrade.reading import NodeVersions, parse, question
from components.kubernetes_api import Api, ApiError, Cluster, UnreachableError, get, list_items
from components.nodes.server_document import ServerDocument
from vds.decommission import plan
from vds.decommission.drain import Drain, Report, uncordon
from vds.decommission.node import NodeShell, RefusedError, UnansweredError
from vds.shared import engine, lease
from vds.shared.clock import NODES_DIFFER_SECONDS, Clock
from vds.shared.errors import IncompleteError, OperationError

READY_SECONDS = 300
"""How long a node may take after its upgrade: agents of a CNI start within two minutes."""
_ASK_SECONDS = 30
_ADD_AGAIN = "remove it from the stack file, run `pulumi up`, and add it again"
_API_SERVERS = "component=kube-apiserver"
"""Label that kubeadm gives the pods of API servers."""


class Shell(Protocol):
    """See `NodeShell`."""

    def run(self, command: str, script: str, *, seconds: float, purpose: str) -> str: ...


@dataclass(frozen=True)
class Clients:
    """What an upgrade works with."""

    node: Shell
    cluster: Callable[[], Api]
    shell: Callable[[ServerDocument], Shell]
    """Of another control plane."""
    report: Report
    clock: Clock = field(default_factory=Clock)


def upgrade(document: Upgrade, clients: Clients) -> bool:
    """Drain the node, upgrade it and let it take pods again. False if there was nothing to do.

    Raises:
        IncompleteError: it was refused, or it stopped on its way. The next run continues from there.
        OperationError: the node or the cluster does not answer.
    """
    node = document.node
    try:
        said = _versions(document, clients)
        api = clients.cluster()
        found = get(api, f"/api/v1/nodes/{node}")
        if found is None:
            raise IncompleteError(f"node {node}: the cluster has no such node: {_ADD_AGAIN}")
        behind = said.behind(document.packages)
        if not (behind or said.unfinished or plan.is_ours(found)):
            return False
        _refuse_beside_reboots(document, clients, api)
        _refuse_skew(document, api)
        if document.server == document.first and not said.unfinished:  # an upgrade that was begun has its snapshot
            clients.report(f"etcd's snapshot: {_snapshot(document, clients)}")
        if document.drain_seconds:
            drain = Drain(
                node,
                api,
                document.gateway_namespace,
                document.drain_seconds,
                abandon=False,
                report=clients.report,
                purpose="upgraded",
                clock=clients.clock,
            )
            drain.run()
        clients.report("drained, is being upgraded" if document.drain_seconds else "is being upgraded")
        _upgrade(document, clients)
        if reason := engine.wait(
            lambda: not_ready(document, api), clients.clock, seconds=READY_SECONDS, report=clients.report
        ):
            raise IncompleteError(
                f"node {node}: is upgraded and not ready after {READY_SECONDS} s, so it takes no pods: {reason}. "
                "Correct that and run `pulumi up` again: it continues here"
            )
        if plan.is_ours(get(api, f"/api/v1/nodes/{node}") or found):  # an operator's cordon stays
            uncordon(api, node)
    except UnreachableError as error:
        raise OperationError(
            f"node {node}: the cluster does not answer ({error}): start its API server and run `pulumi up` again"
        ) from None
    except ApiError as error:
        raise OperationError(f"node {node}: the cluster refused ({error}): run `pulumi up` again") from None
    return True


def not_ready(document: Upgrade, api: Api) -> str:
    """Why the node can't take pods again yet; empty if it can."""
    node = document.node
    try:
        found = get(api, f"/api/v1/nodes/{node}") or {}
        pods = list_items(api, "/api/v1/pods", query=[("fieldSelector", f"spec.nodeName={node}")])
    except UnreachableError as error:
        return f"the cluster does not answer ({error})"
    except ApiError as error:
        return f"the cluster can't answer now ({error})"
    version = ((found.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion")
    if version != f"v{document.kubernetes}":
        return f"its kubelet is {printable(str(version))}, not v{document.kubernetes}"
    if not plan.is_ready(found):
        return "it is not Ready"
    waiting = sorted(_names_of_waiting(pods))
    return f"not ready: pod {', '.join(waiting)}" if waiting else ""


def _names_of_waiting(pods: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Pods that belong to the node, of DaemonSets and of its kubelet, and that are not ready."""
    for pod in pods:
        if plan.belongs_to_node(pod) and not plan.is_ready(pod):
            yield f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _versions(document: Upgrade, clients: Clients) -> NodeVersions:
    said = _asked(document, clients, question(document.packages), "", _ASK_SECONDS, "say its versions")
    try:
        found = parse(said)
    except ValueError as error:
        raise IncompleteError(f"node {document.node}: {error}: run `pulumi up` again") from None
    if not found.member:
        raise IncompleteError(f"node {document.node}: is no member of the cluster: {_ADD_AGAIN}")
    return found


def _refuse_beside_reboots(document: Upgrade, clients: Clients, api: Api) -> None:
    """Raises IncompleteError if another process reboots nodes: two drained ones could be more than a budget counts."""
    path = f"/apis/{lease.API}/namespaces/{KUBE_SYSTEM}/leases/{REBOOT_LEASE}"
    holder, _ = lease.held_by(get(api, path), clients.clock.date())
    if holder:
        raise IncompleteError(
            f"node {document.node}: was not upgraded, because process {holder} reboots nodes: run `pulumi up` again "
            "when `vds reboot` has ended"
        )


def _refuse_skew(document: Upgrade, api: Api) -> None:
    """Raises IncompleteError if what runs now can't be upgraded to the wanted version."""
    from components.kubeadm.upgrade.rules import Running, skew_problems  # the models behind them take long to import

    pods = list_items(api, "/api/v1/namespaces/kube-system/pods", query=[("labelSelector", _API_SERVERS)])
    servers = {
        pod["spec"]["nodeName"]: str(pod["spec"]["containers"][0]["image"]).rpartition(":v")[2]
        for pod in pods
        if pod["spec"].get("nodeName")
    }
    kubelets = {
        item["metadata"]["name"]: str(item["status"]["nodeInfo"]["kubeletVersion"])
        for item in list_items(api, "/api/v1/nodes")
    }
    try:
        problems = skew_problems(document.kubernetes, Running(servers, kubelets))
    except ValueError:
        said = printable(f"{servers} {kubelets}")
        raise IncompleteError(
            f"node {document.node}: the versions of the cluster are not understood ({said}): `kubectl get nodes` must "
            "show a version for each node"
        ) from None
    if problems:
        raise IncompleteError(*map(str, problems))


def _snapshot(document: Upgrade, clients: Clients) -> str:
    """Where it is. Raises IncompleteError if there is none: nothing was changed."""
    from components.kubeadm.backup import render  # the models behind them take long to import
    from components.kubeadm.scripts import RUN_SECONDS, command

    if not document.backups:
        printed = _asked(
            document, clients, command("snapshot"), document.script, RUN_SECONDS, "take a snapshot of etcd"
        )
        return f"{document.node}:{printed.split()[-1]}"
    began, found = clients.clock.date(), []
    for name, server in document.backups.items():
        try:
            program, seconds = render.agent_program({"node": name}), render.RUN_SECONDS
            said = clients.shell(server).run(render.command("now"), program, seconds=seconds, purpose="take a snapshot")
            found.append(json_value(said)["last"] or {})
        except (RefusedError, UnansweredError, ValueError, KeyError, TypeError) as error:
            raise IncompleteError(
                f"node {name}: no snapshot of etcd was taken before the upgrade ({error}): make `vds backup run` work, "
                "or write cluster.backup in an update before, and run `pulumi up` again"
            ) from None
    newest = max(found, key=lambda last: last.get("taken", 0))
    if not newest or newest["taken"] < began - NODES_DIFFER_SECONDS:
        raise IncompleteError(
            f"node {document.node}: no control plane has uploaded a snapshot of etcd: run `pulumi up` again, because "
            "etcd may have a new leader"
        )
    return f"{newest['object']} in the bucket"


def _upgrade(document: Upgrade, clients: Clients) -> None:
    from components.kubeadm.scripts import RUN_SECONDS, command  # the models behind them take long to import

    try:
        _asked(document, clients, command("upgrade"), document.script, RUN_SECONDS, "upgrade it")
    except OperationError as error:
        stays = " It stays cordoned." if document.drain_seconds else ""
        raise IncompleteError(
            *error.problems[:-1], f"{error.problems[-1]}.{stays} Run `pulumi up` again: it continues here"
        ) from None


def _asked(document: Upgrade, clients: Clients, command: str, script: str, seconds: float, purpose: str) -> str:
    try:
        return clients.node.run(command, script, seconds=seconds, purpose=purpose)
    except (RefusedError, UnansweredError) as error:
        where = f"{document.server.address} port {document.server.port}"
        raise IncompleteError(f"node {document.node} ({where}): {error}") from None


def upgrade_command() -> None:
    """Drains the node within the limits of disruption budgets, upgrades it by kubeadm, waits until it is Ready and its
    DaemonSets' pods are, and uncordons it.

    Reads a JSON document from standard input. Writes progress to standard error. Exit code 1: the node was not
    upgraded, or is not ready. Exit code 2: the cluster did not answer.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    document = engine.read_document(Upgrade)

    def report(text: str) -> None:
        engine.report(f"node {document.node}: {text}")

    def node_shell(server: ServerDocument) -> NodeShell:
        return NodeShell(server, document.private_key)

    def cluster() -> Api:
        shell = node_shell(document.first)
        try:
            text = shell.run(READ_ADMIN, "", seconds=_ASK_SECONDS, purpose="read the cluster's kubeconfig")
        except (RefusedError, UnansweredError) as error:
            where = f"{document.first.address} port {document.first.port}"
            raise OperationError(f"the first control plane ({where}) must answer for an upgrade: {error}") from None
        return Cluster(text)

    try:
        done = upgrade(document, Clients(node_shell(document.server), cluster, node_shell, report))
    except OperationError as error:
        # Not on standard error: the engine shows that as it comes, and all of the output with the failure.
        print(*(f"error: {problem}" for problem in error.problems), sep="\n")
        raise typer.Exit(error.exit_code) from None
    report(f"upgraded to Kubernetes {document.kubernetes}, takes pods" if done else "as the stack file says")


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt  # an interrupted drain uncordons the node
