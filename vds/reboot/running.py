"""Reboots nodes one after the other: drain, reboot, wait, check, uncordon. The next run finishes what was begun."""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from components.core import labels
from components.core.untrusted import printable
from components.kubernetes_api import Api, ApiError, UnreachableError, get, list_items
from components.nodes.model import NodeSpec
from components.nodes.os_updates.model import Opening
from components.nodes.os_updates.rules import BOOT_SECONDS, READY_SECONDS, seconds_for
from vds.decommission import plan
from vds.decommission.drain import Drain, uncordon
from vds.reboot.asking import Answer
from vds.shared import engine
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError, OperationError

_INSTALL_SECONDS = 600
"""How long a node is waited for that installs updates at this moment."""
_ETCD_SECONDS = 60
"""How long a member of etcd is waited for: that of a control plane which has just booted catches up in seconds."""
_WITHDRAW_SECONDS = 10
"""Until another speaker announces an address: they see the label of a node within a second."""
_EXCLUDED_BY_US = "rebooting"
"""Value of the label of nodes that no address is announced from. Its value means nothing to MetalLB."""
AGAIN = "run `vds reboot` again: it continues here"


class Step(NamedTuple):
    """A node that is to be rebooted."""

    node: NodeSpec
    reasons: tuple[str, ...]
    begun: str = ""
    """The boot id before the reboot, of a node that an earlier run began with."""


class Plan(NamedTuple):
    """What a run does, in its order, and what keeps it from beginning."""

    steps: tuple[Step, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Clients:
    """What a run works with."""

    api: Api
    ask: Callable[[NodeSpec], Answer]
    reboot: Callable[[NodeSpec, str], None]
    """Make the node boot again, if its boot id is this one. Raises OperationError."""
    failing: Callable[[], Mapping[str, str]]
    """What the doctor calls a failure now: its item → what was measured."""
    etcd: Callable[[NodeSpec], str]
    """Why etcd could lose its majority with this control plane; empty if it can't."""
    report: Callable[[str], None]
    require_lease: Callable[[], None]
    gateway_namespace: str
    announcers: Callable[[], tuple[str, ...]] | None = None
    """Nodes that announce the gateway's address now. None: not by MetalLB, whose speakers can be told to stop."""
    clock: Clock = field(default_factory=Clock)


def planned(nodes: Sequence[NodeSpec], answers: Sequence[Answer], objects: Sequence[Mapping[str, Any]]) -> Plan:
    """Nodes that an earlier run began with, then workers, then control planes, as the stack file has them.

    Nothing is begun while a node does not answer, is not Ready, or is drained for something else.
    """
    said = {answer.node: answer for answer in answers}
    found = {item["metadata"]["name"]: item for item in objects}
    steps, problems = [], []
    for node in nodes:
        answer, item = said[node.name], found.get(node.name)
        if item is None:
            problems.append(f"node {node.name}: the cluster has no such node: run `pulumi up`")
            continue
        begun = (item["metadata"].get("annotations") or {}).get(labels.REBOOTING, "")
        state = answer.state
        if not begun:
            if state is None:
                problems.append(f"node {node.name}: {answer.problem}: start it, or repair its SSH server")
                continue
            if plan.is_ours(item):
                problems.append(
                    f"node {node.name}: is drained for an upgrade or because it leaves the stack: let that end, or run "
                    "`pulumi up`, which continues it"
                )
            if not plan.is_ready(item):
                problems.append(
                    f"node {node.name}: is not Ready: repair it first (`kubectl describe node {node.name}`)"
                )
            if state.must_reboot and state.broken:
                problems.append(f"node {node.name}: {state.late}")
        if begun or (state and state.must_reboot):
            steps.append(Step(node, state.reasons if state else (), printable(str(begun))))
    steps.sort(key=lambda step: (not step.begun, "control-plane" in step.node.roles))
    return Plan(tuple(steps), tuple(problems))


def run(steps: Sequence[Step], opening: Opening | None, clients: Clients) -> Iterator[tuple[Step, str]]:
    """Reboot the nodes; each with what became of it when that is known: `rebooted in 40 s` or `left`.

    `opening`: the window that is open; None: at any time. A node is begun only if there is time for its limits.

    Raises:
        IncompleteError: a node was not rebooted, or is not well afterwards. The next run continues.
        OperationError: another process has taken over, or the cluster does not answer.
    """
    before = dict(clients.failing()) if steps else {}
    for number, step in enumerate(steps):
        clients.require_lease()
        node = step.node
        if opening and not _has_time(opening, node, clients.clock):
            for left in steps[number:]:
                yield left, "left"
            return
        began = clients.clock.now()
        clients.report(f"node {node.name}, {number + 1} of {len(steps)}: {'; '.join(step.reasons) or 'is finished'}")
        try:
            # What fails on a node that an earlier run began with may be its reboot's doing.
            known = {item: said for item, said in before.items() if not (step.begun and node.name in item.split())}
            _reboot(step, known, clients)
        except UnreachableError as error:
            raise OperationError(
                f"node {node.name}: the cluster does not answer ({error}): start its API server and {AGAIN}"
            ) from None
        except ApiError as error:
            raise OperationError(f"node {node.name}: the cluster refused ({error}): {AGAIN}") from None
        yield step, f"rebooted in {clients.clock.now() - began:.0f} s"


def _has_time(opening: Opening, node: NodeSpec, clock: Clock) -> bool:
    left = opening.ends.timestamp() - clock.date()
    return datetime.timedelta(seconds=left) >= datetime.timedelta(seconds=seconds_for(node))


def _reboot(step: Step, before: Mapping[str, str], clients: Clients) -> None:
    node, api = step.node, clients.api
    path = f"/api/v1/nodes/{node.name}"

    def report(text: str) -> None:
        clients.report(f"node {node.name}: {text}")

    old: set[str] = set()
    boot = step.begun
    state = clients.ask(node).state if boot else _idle(node, clients, report)
    if not boot or (state is not None and state.boot == boot):
        if state is None:
            raise IncompleteError(f"node {node.name}: does not answer: start it and {AGAIN}")
        boot = state.boot
        try:
            if "control-plane" in node.roles:
                _require_etcd(node, clients, report)
            api.request("PATCH", path, {"metadata": {"annotations": {labels.REBOOTING: boot}}})
            if node.drain_seconds:
                drained = Drain(
                    node.name,
                    api,
                    clients.gateway_namespace,
                    node.drain_seconds,
                    abandon=False,
                    report=report,
                    purpose="rebooted",
                    clock=clients.clock,
                )
                drained.run()
            _withdraw(node, clients, report)
            old = {one for pod in _pods(api, node) for one in _containers(pod)}
            clients.require_lease()
        except BaseException:  # nothing has happened to the node, and Drain has uncordoned it
            with suppress(ApiError, UnreachableError):  # the next run begins with this node
                _end(node, api)
            raise
        report("reboots")
        clients.reboot(node, boot)
    booted = _wait_for_boot(node, boot, clients, report)
    reason = engine.wait(
        lambda: not_ready(node, booted, old, api), clients.clock, seconds=READY_SECONDS, report=report
    ) or engine.wait(lambda: _fails_since(before, clients), clients.clock, seconds=READY_SECONDS, report=report)
    if reason:
        raise IncompleteError(
            f"node {node.name}: has booted again and is not well after {READY_SECONDS} s, so it takes no pods: {reason}"
            f". No other node is rebooted. Correct that and {AGAIN}"
        )
    if plan.is_ours(get(api, path) or {"metadata": {}}):  # an operator's cordon stays
        uncordon(api, node.name)
        report("uncordoned")
    _end(node, api)


def _require_etcd(node: NodeSpec, clients: Clients, report: Callable[[str], None]) -> None:
    """Raises IncompleteError if a member of etcd is not healthy, also after a while."""
    if reason := engine.wait(lambda: clients.etcd(node), clients.clock, seconds=_ETCD_SECONDS, report=report):
        raise IncompleteError(
            f"node {node.name}: was not rebooted, because not every member of etcd is healthy: {reason}: repair that "
            f"member and {AGAIN}"
        )


def _end(node: NodeSpec, api: Api) -> None:
    """Take our marks off the node."""
    path = f"/api/v1/nodes/{node.name}"
    found = (get(api, path) or {"metadata": {}})["metadata"].get("labels") or {}
    marks: dict[str, Any] = {"annotations": {labels.REBOOTING: None}}
    if found.get(labels.EXCLUDED) == _EXCLUDED_BY_US:
        marks["labels"] = {labels.EXCLUDED: None}
    api.request("PATCH", path, {"metadata": marks})


def _withdraw(node: NodeSpec, clients: Clients, report: Callable[[str], None]) -> None:
    """Let another node announce addresses: a speaker that ends without a word is missed for seconds. After the drain,
    because a node announces the address of a Service with `externalTrafficPolicy: Local` only if it has a pod of it.
    Where no other node can, it goes on announcing until it shuts down."""
    path, api, announcers = f"/api/v1/nodes/{node.name}", clients.api, clients.announcers
    found = (get(api, path) or {"metadata": {}})["metadata"].get("labels") or {}
    if announcers is None or labels.EXCLUDED in found:
        return
    api.request("PATCH", path, {"metadata": {"labels": {labels.EXCLUDED: _EXCLUDED_BY_US}}})

    def stays() -> str:
        now = announcers()
        return "still announces the gateway's address" if node.name in now or not now else ""

    if engine.wait(stays, clients.clock, seconds=_WITHDRAW_SECONDS, report=report):
        api.request("PATCH", path, {"metadata": {"labels": {labels.EXCLUDED: None}}})
        report("no other node announces the gateway's address, so it will not answer while this one boots")


def _idle(node: NodeSpec, clients: Clients, report: Callable[[str], None]) -> Any:
    """The node's state when it installs nothing. Raises IncompleteError."""
    last: list[Answer] = []

    def busy() -> str:
        last.append(clients.ask(node))
        state = last[-1].state
        if state is None:
            return last[-1].problem
        return "unattended-upgrades is at work" if state.installing else ""

    if reason := engine.wait(busy, clients.clock, seconds=_INSTALL_SECONDS, report=report):
        raise IncompleteError(f"node {node.name}: was not rebooted: {reason}: {AGAIN}")
    state = last[-1].state
    if state is not None and state.broken:
        raise IncompleteError(f"node {node.name}: was not rebooted: {state.late}")
    return state


def _wait_for_boot(node: NodeSpec, before: str, clients: Clients, report: Callable[[str], None]) -> str:
    """The new boot id. Raises IncompleteError."""
    found: list[str] = []

    def same() -> str:
        state = clients.ask(node).state
        if state is None:
            return "does not answer"
        found.append(state.boot)
        return "has not shut down yet" if state.boot == before else ""

    if reason := engine.wait(same, clients.clock, seconds=BOOT_SECONDS, report=report):
        raise IncompleteError(
            f"node {node.name}: {reason} {BOOT_SECONDS} s after its reboot, and stays cordoned. No other node is "
            f"rebooted. Look at the provider's console, start it, and {AGAIN}"
        )
    return found[-1]


def not_ready(node: NodeSpec, boot: str, old: set[str], api: Api) -> str:
    """Why the node can't take pods again yet; empty if it can. `boot`: its boot id; `old`: containers of before."""
    try:
        found = get(api, f"/api/v1/nodes/{node.name}") or {}
        pods = _pods(api, node)
    except UnreachableError as error:
        return f"the cluster does not answer ({error})"
    except ApiError as error:
        return f"the cluster can't answer now ({error})"
    info = (found.get("status") or {}).get("nodeInfo") or {}
    if info.get("bootID") != boot:
        return "its kubelet has not reported yet"
    if not plan.is_ready(found):
        return "it is not Ready"
    waiting = sorted(
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in pods
        if not plan.is_ready(pod) or old & _containers(pod)
    )
    return f"not ready: pod {', '.join(waiting)}" if waiting else ""


def _pods(api: Api, node: NodeSpec) -> list[dict[str, Any]]:
    """Pods that belong to the node: of DaemonSets, and static pods."""
    listed = list_items(api, "/api/v1/pods", query=[("fieldSelector", f"spec.nodeName={node.name}")])
    return [pod for pod in listed if plan.belongs_to_node(pod)]


def _containers(pod: Mapping[str, Any]) -> set[str]:
    """Ids of its containers: a reboot makes new ones, and the status may be of before for some seconds."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return {str(one["containerID"]) for one in statuses if one.get("containerID")}


def _fails_since(before: Mapping[str, str], clients: Clients) -> str:
    """What the doctor calls a failure, and did not before the first node."""
    try:
        now = clients.failing()
    except (ApiError, UnreachableError, OperationError) as error:
        return f"the doctor could not look ({error})"
    new = {item: said for item, said in now.items() if item not in before}
    return "; ".join(f"{item}: {said}" for item, said in sorted(new.items()))
