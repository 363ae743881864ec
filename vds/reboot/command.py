"""`vds reboot`: reboots nodes that need it after updates, in the window of the stack file and one at a time."""

import datetime
import signal
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Annotated, Any, NoReturn

import typer
from pydantic import BaseModel, Field, SecretStr, TypeAdapter, ValidationError
from rich.markup import escape

from components.core.names import KUBE_SYSTEM, REBOOT_LEASE
from components.core.untrusted import printable
from components.kubernetes_api import Api, ApiError, Cluster, UnreachableError, list_items
from components.nodes.model import NodeSpec
from components.nodes.os_updates.model import Opening, OsUpdates
from components.nodes.server_document import ServerDocument, server_facts
from components.pools.announced import announcement, owner
from vds.decommission.node import NodeShell, RefusedError, UnansweredError
from vds.doctor.command import measure
from vds.doctor.diagnosis import Diagnosis
from vds.reboot.asking import ask
from vds.reboot.running import AGAIN, Clients, Plan, planned, run
from vds.shared import engine
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError, OperationError
from vds.shared.lease import Lease
from vds.shared.options import AsJson, ConfigFile, StackName
from vds.shared.output import console, print_json
from vds.shared.stack import Opened, open_stack

_ASK_SECONDS = 30
_REBOOT = """\
set -eu
[ "$(cat /proc/sys/kernel/random/boot_id)" = {boot} ] || exit 0
# After this connection is closed.
systemd-run --quiet --collect --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot
"""
_ETCD = """\
set -eu
pki=/etc/kubernetes/pki/etcd
# Pods of others may have a container of that name.
etcd=$(crictl ps --quiet --state Running --label io.kubernetes.pod.namespace=kube-system --name '^etcd$')
[ -n "$etcd" ] || { echo "its etcd does not run" >&2; exit 1; }
# It prints the members and fails if one is not healthy.
said=$(crictl exec "$etcd" etcdctl --endpoints https://127.0.0.1:2379 --cacert "$pki/ca.crt" --cert "$pki/server.crt" \\
	--key "$pki/server.key" endpoint health --cluster --write-out json) || [ -n "$said" ] || exit 1
printf '%s\\n' "$said"
"""
"""Every member of etcd must be healthy: with the one that is rebooted, a majority of three loses one and no more."""


class _Member(BaseModel):
    """What etcdctl says of a member of etcd (`epHealth` in its source)."""

    endpoint: str
    health: bool
    error: str = ""


_MEMBERS = TypeAdapter(Annotated[list[_Member], Field(min_length=1)])


def reboot(
    stack: StackName,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which nodes would be rebooted, in their order. Changes nothing.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for the window.")] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Asks every node whether it must be rebooted. Drains, reboots and checks those that must, one after the other, and
    stops at the first that fails. The next run continues there. Outside the window it changes nothing.

    Run it in the window, as a scheduled job. Exit code 0: done, nothing to do, or the rest is left for the next window.
    Exit code 1: a node was not rebooted or is not well afterwards, or one does not answer. Exit code 2: the cluster
    does not answer, or another process is at work.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    opened = open_stack(stack, config_file=config_file)
    updates = opened.spec.os_updates
    if updates is None:
        raise OperationError(f"stack {stack}: osUpdates is missing: write the window in which nodes may be rebooted")
    api = Cluster(opened.kubeconfig)
    moment = datetime.datetime.fromtimestamp(Clock().date(), datetime.UTC)
    opening = updates.window.next(moment)
    is_open = opening.begins <= moment
    lease = Lease(api, KUBE_SYSTEM, REBOOT_LEASE, "reboot of nodes")
    works = (is_open or now) and not dry_run
    progress = console(stderr=True)
    try:
        with lease.held() if works else nullcontext():
            with progress.status(f"asking {len(opened.spec.nodes)} nodes"):
                found = planned(opened.spec.nodes, ask(opened, opened.spec.nodes), list_items(api, "/api/v1/nodes"))
            result = {step.node.name: "required" for step in found.steps}
            if not as_json:
                for line in shown(found, updates, opening, is_open=is_open):
                    progress.print(escape(line), soft_wrap=True)
            if works and found.steps:
                if found.problems:
                    raise IncompleteError(*found.problems, "nothing was begun")
                for step, said in run(found.steps, None if now else opening, clients(opened, api, lease)):
                    result[step.node.name] = said
                    progress.print(escape(f"node {step.node.name}: {said}"), soft_wrap=True)
    except UnreachableError as error:
        raise OperationError(
            f"the cluster does not answer ({error}): start its API server and run this again"
        ) from None
    except ApiError as error:
        raise OperationError(f"the cluster refused ({error}): the kubeconfig must be an administrator's") from None
    if as_json:
        print_json(document(found, result, opening, is_open=is_open))
    if found.problems or (not works and any(step.begun for step in found.steps)):
        raise typer.Exit(1)


def shown(found: Plan, updates: OsUpdates, opening: Opening, *, is_open: bool) -> list[str]:
    """The plan for people."""
    state = f"open until {opening.ends:%H:%M}" if is_open else f"opens {opening.begins:%a %Y-%m-%d %H:%M}"
    lines = [f"window {updates.window}: {state}"]
    if found.steps:
        lines.append("nodes are rebooted one after the other; the first failure stops, and the next run continues:")
    else:
        lines.append("no node must be rebooted")
    for number, step in enumerate(found.steps, 1):
        why = "; ".join(step.reasons)
        if step.begun:
            why = f"an earlier run began with it and stopped, so it may be cordoned: {AGAIN}" + (
                f"; {why}" if why else ""
            )
        lines.append(f"  {number}. {step.node.name}: {why}; drained for at most {step.node.drain_seconds} s")
    return lines + [f"problem: {problem}" for problem in found.problems]


def document(found: Plan, result: Mapping[str, str], opening: Opening, *, is_open: bool) -> dict[str, Any]:
    """The plan and what became of it, as JSON."""
    return {
        "window": {"open": is_open, "begins": opening.begins.isoformat(), "ends": opening.ends.isoformat()},
        "nodes": [
            {
                "node": step.node.name,
                "reasons": list(step.reasons),
                "begun": bool(step.begun),
                "state": result[step.node.name],
            }
            for step in found.steps
        ],
        "problems": list(found.problems),
    }


def failing(diagnosis: Diagnosis) -> dict[str, str]:
    """What the doctor calls a failure: its item → what was measured."""
    found = {f"node {one.node} settings": str(one) for one in diagnosis.nodes if not one.converged}
    found |= {f"{one.subject} {one.check.id}": str(one) for one in diagnosis.findings if one.unfit}
    rows = (*diagnosis.running, *diagnosis.gateway)
    return found | {row.item.replace(",", ""): row.measured for row in rows if row.state in ("fails", "unknown")}


def unhealthy(said: str) -> str:
    """The members of etcd that are not healthy, from what `_ETCD` printed; empty if all are."""
    try:
        members = _MEMBERS.validate_json(said)
    except ValidationError:
        return f"etcdctl's answer can't be read: {printable(said[:200])}"
    return "; ".join(printable(f"{one.endpoint}: {one.error or 'unhealthy'}") for one in members if not one.health)


def clients(opened: Opened, api: Api, lease: Lease) -> Clients:
    """The clients of a run."""
    spec = opened.spec

    def shell(node: NodeSpec) -> NodeShell:
        server = ServerDocument.model_validate(server_facts(node, spec.ssh))
        return NodeShell(server, SecretStr(opened.ssh_private_key))

    def boot_again(node: NodeSpec, boot: str) -> None:
        try:
            shell(node).run("sh -s", _REBOOT.format(boot=boot), seconds=_ASK_SECONDS, purpose="reboot it")
        except (RefusedError, UnansweredError) as error:
            raise IncompleteError(f"node {node.name}: {error}. It stays cordoned: {AGAIN}") from None

    def etcd(node: NodeSpec) -> str:
        bootstrap = spec.bootstrap
        if bootstrap is None or len(bootstrap.control_planes) < 2:  # one alone has nothing to lose but itself
            return ""
        try:
            return unhealthy(
                shell(node).run("timeout -k 5 20 sh -s", _ETCD, seconds=_ASK_SECONDS, purpose="ask etcd's members")
            )
        except (RefusedError, UnansweredError) as error:
            return str(error)

    def announcers() -> tuple[str, ...]:
        return announcement(api, spec.gateway.namespace, spec.gateway.name, "metallb").nodes or ()

    return Clients(
        api,
        ask=lambda node: ask(opened, [node])[0],
        reboot=boot_again,
        failing=lambda: failing(measure(opened, window_seconds=0)[0]),
        etcd=etcd,
        report=engine.report,
        require_lease=lease.require,
        gateway_namespace=spec.gateway.namespace,
        announcers=announcers if owner(spec.metallb) == "metallb" else None,
        clock=Clock(),
    )


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt  # an interrupted drain uncordons the node
