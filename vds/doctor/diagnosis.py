"""What the doctor found, and what it means: pure, so that a table, JSON and an exit status say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.nodes.model import NodeRequirements, NodeSpec
from components.nodes.preflight.verdict import CheckResult, State, findings
from components.nodes.reading import Fleet
from components.nodes.settings.drift import UnreachableNode
from components.nodes.settings.readback import Readback


@dataclass(frozen=True)
class Standing:
    """How one node stands against the stack file."""

    node: str
    verdict: str
    """converged · drifted · outdated (the stack file changed since) · absent (never set up) · unread."""
    drifted: tuple[str, ...] = ()
    reason: str = ""
    """Why it could not be read."""

    @property
    def converged(self) -> bool:
        """Whether nothing is to be done about it."""
        return self.verdict == "converged"

    def __str__(self) -> str:
        detail = "; ".join(self.drifted) or self.reason
        return f"{self.verdict}: {detail}" if detail else self.verdict


@dataclass(frozen=True)
class EdgeFinding:
    """One thing about the gateway, seen from where the doctor runs."""

    item: str
    state: State
    measured: str
    remedy: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found."""

    standings: tuple[Standing, ...]
    findings: tuple[CheckResult, ...]
    edge: tuple[EdgeFinding, ...] = field(default=())

    @property
    def converged(self) -> bool:
        """Whether every node is as the stack file says, fit, and the gateway is well. Advice does not count.

        A fact of a node that can't be had (fio is not installed) is no failure; a gateway that can't be asked is.
        """
        failed = any(finding.state == "fails" for finding in self.findings)
        dark = any(row.state in ("fails", "unknown") for row in self.edge)
        return all(standing.converged for standing in self.standings) and not failed and not dark

    @property
    def blind(self) -> bool:
        """No node at all could be read."""
        return all(standing.verdict == "unread" for standing in self.standings)

    @property
    def to_fix(self) -> tuple[str, ...]:
        """Nodes that another `pulumi up` would put right."""
        return tuple(s.node for s in self.standings if s.verdict in ("drifted", "outdated", "absent"))


def diagnose(fleet: Fleet, nodes: Sequence[NodeSpec], requirements: NodeRequirements) -> Diagnosis:
    """The nodes' part of a diagnosis."""
    standings = tuple(_standing(node.name, fleet.readings.get(node.name)) for node in nodes)
    return Diagnosis(standings, tuple(findings(fleet.surveys, nodes, requirements)))


def _standing(node: str, reading: Readback | UnreachableNode | None) -> Standing:
    if isinstance(reading, Readback):
        return Standing(node, reading.verdict, reading.drifted)
    return Standing(node, "unread", reason=reading.reason if reading else "nobody asked it")


def as_json(diagnosis: Diagnosis) -> Mapping[str, Any]:
    """The diagnosis for programs."""
    return {
        "converged": diagnosis.converged,
        "nodes": {
            standing.node: {
                "verdict": standing.verdict,
                "drifted": list(standing.drifted),
                **({"reason": standing.reason} if standing.reason else {}),
                "checks": {f.check.id: _row(f) for f in diagnosis.findings if f.node == standing.node},
            }
            for standing in diagnosis.standings
        },
        "gateway": [
            {"item": row.item, "state": row.state, "measured": row.measured, "remedy": row.remedy}
            for row in diagnosis.edge
        ],
    }


def _row(finding: CheckResult) -> Mapping[str, str]:
    return {
        "state": finding.state,
        "measured": finding.measured,
        "limit": finding.limit,
        "source": finding.check.source,
        "remedy": finding.remedy,
    }
