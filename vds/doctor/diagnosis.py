"""The doctor's findings and verdict. Table, JSON and exit code are made from the same data."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from components.kubernetes_api import KubeconfigError
from components.nodes.model import AcceptedCheck, NodeRequirements, NodeSpec
from components.nodes.preflight.verdict import CheckResult, State, accepted, findings
from components.nodes.reading import Fleet
from components.nodes.settings.drift import UnreachableNode
from components.nodes.settings.readback import Readback

NOT_ASKED = "not asked"


@dataclass(frozen=True)
class NodeStatus:
    """One node compared with the stack file."""

    node: str
    verdict: str
    """converged · drifted · outdated (the stack file changed since) · absent (never set up) · unread · not asked (the
    doctor has no SSH key)."""
    drifted: tuple[str, ...] = ()
    reason: str = ""
    """Why it is unread."""

    @property
    def converged(self) -> bool:
        """Whether the node is as the stack file says."""
        return self.verdict == "converged"

    def __str__(self) -> str:
        detail = "; ".join(self.drifted) or self.reason
        return f"{self.verdict}: {detail}" if detail else self.verdict


@dataclass(frozen=True)
class GatewayFinding:
    """One check of the cluster or of its gateway, from the machine where the doctor runs."""

    item: str
    state: State
    measured: str
    remedy: str = ""


def no_answer(item: str, error: Exception) -> GatewayFinding:
    """A cluster that could not be asked."""
    if isinstance(error, KubeconfigError):  # its text is for a command
        measured = "the stack's kubeconfig can't be read"
        remedy = "set the kubeconfig again, from the cluster's administrator"
    else:
        measured = f"the cluster did not answer ({error})"
        remedy = "start the API server, or correct the stack's kubeconfig"
    return GatewayFinding(item, "unknown", measured, remedy)


@dataclass(frozen=True)
class Diagnosis:
    """All findings."""

    nodes: tuple[NodeStatus, ...]
    findings: tuple[CheckResult, ...]
    running: tuple[GatewayFinding, ...] = field(default=())
    """Nodes, pods and the CNI's agents, as the API server and the agents say."""
    gateway: tuple[GatewayFinding, ...] = field(default=())

    @property
    def converged(self) -> bool:
        """Whether nothing fails, and every node was asked."""
        return self.nothing_fails and all(status.converged for status in self.nodes)

    @property
    def nothing_fails(self) -> bool:
        """Whether every node that was asked is as the stack file says, no required check fails or is undecided, every
        pod runs, the CNI's agents carry packets as the stack file says, and the gateway is reachable.

        Advice does not count, except for what is as bad as a failure: a full conntrack table, a slow disk under etcd.
        """
        node_fails = any(finding.unfit for finding in self.findings)
        gateway_fails = any(row.state in ("fails", "unknown") for row in (*self.running, *self.gateway))
        asked = (status for status in self.nodes if status.verdict != NOT_ASKED)
        return all(status.converged for status in asked) and not node_fails and not gateway_fails

    @property
    def advised(self) -> bool:
        """Whether there is advice: with `--strict` it counts."""
        return any(finding.state == "advice" for finding in self.findings) or any(
            row.state == "advice" for row in (*self.running, *self.gateway)
        )

    @property
    def all_unread(self) -> bool:
        """Whether no node could be read."""
        return all(status.verdict == "unread" for status in self.nodes)

    @property
    def to_fix(self) -> tuple[str, ...]:
        """Nodes that `pulumi up` would correct."""
        return tuple(s.node for s in self.nodes if s.verdict in ("drifted", "outdated", "absent"))


def diagnose(
    fleet: Fleet,
    nodes: Sequence[NodeSpec],
    requirements: NodeRequirements,
    accept: Sequence[AcceptedCheck] = (),
    *,
    today: date = date.max,
    more: Sequence[CheckResult] = (),
) -> Diagnosis:
    """The diagnosis of nodes; it has nothing about the gateway yet. `accept` holds until a day. `more`: results of
    other checks, of the cluster and of the hosts that nodes ask."""
    statuses = tuple(_status(node.name, fleet.readings.get(node.name)) for node in nodes)
    found = [*findings(fleet.surveys, nodes, requirements), *more]
    return Diagnosis(statuses, tuple(accepted(found, accept, today)))


def _status(node: str, reading: Readback | UnreachableNode | None) -> NodeStatus:
    if isinstance(reading, Readback):
        return NodeStatus(node, reading.verdict, reading.drifted)
    if reading is None:
        return NodeStatus(node, NOT_ASKED, reason="the doctor has no SSH key")
    return NodeStatus(node, "unread", reason=reading.reason)


def document_of(diagnosis: Diagnosis) -> Mapping[str, Any]:
    """The diagnosis as JSON."""
    return {
        "converged": diagnosis.converged,
        "advice": diagnosis.advised,
        "nodes": {
            status.node: {
                "verdict": status.verdict,
                "drifted": list(status.drifted),
                **({"reason": status.reason} if status.reason else {}),
                "checks": {f.check.id: _row(f) for f in diagnosis.findings if f.node == status.node},
            }
            for status in diagnosis.nodes
        },
        "cluster": {f.check.id: _row(f) for f in diagnosis.findings if not f.node},
        "running": [asdict(row) for row in diagnosis.running],
        "gateway": [asdict(row) for row in diagnosis.gateway],
    }


def _row(finding: CheckResult) -> Mapping[str, str]:
    return {
        "state": finding.state,
        "measured": finding.measured,
        "limit": finding.limit,
        "source": finding.check.source,
        "remedy": finding.remedy,
    }
