"""Judges every node by every check, in one report, before anything changes."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from components.core.finding import Finding
from components.nodes.model import NodeRequirements, NodeSpec
from components.nodes.preflight.checks import CHECKS, Check
from components.nodes.preflight.facts import Survey
from components.nodes.preflight.judges import Context, MissingFactError

State = Literal["ok", "fails", "advice", "unproved", "unknown"]
"""`unproved`: measured in a container, on a machine that it shares. `unknown`: not measured."""


class CheckResult(NamedTuple):
    """One row of the report."""

    node: str
    check: Check
    state: State
    measured: str
    limit: str = ""

    @property
    def remedy(self) -> str:
        """What to do about it; empty where nothing is wrong."""
        return self.check.remedy if self.state in ("fails", "advice") else ""

    @property
    def said(self) -> str:
        """What was measured, its limit and whose that is."""
        limit = f", limit {self.limit}" if self.limit else ""
        return f"{self.check.title} {self.measured}{limit} ({self.check.source})"

    def __str__(self) -> str:
        return f"{self.said}: {self.remedy}" if self.remedy else self.said


def findings(surveys: Sequence[Survey], nodes: Sequence[NodeSpec], requirements: NodeRequirements) -> list[CheckResult]:
    """Every check of every node that was asked, in the order of the nodes and of the table.

    A node that was asked and did not answer has one row, which fails. The other nodes are judged without it.
    """
    by_name = {survey.node: survey for survey in surveys}
    names = {node.name for node in nodes}
    fleet = [survey for survey in surveys if survey.node in names and not survey.failure]
    return [
        _judge(check, Context(by_name[node.name], node, fleet, requirements))
        for node in nodes
        if node.name in by_name
        for check in CHECKS
        if check.id == "survey" or not by_name[node.name].failure
    ]


def problems(results: Iterable[CheckResult]) -> list[Finding]:
    """The results that stop a run."""
    return [_finding(result) for result in results if result.state == "fails"]


def advice(results: Iterable[CheckResult]) -> list[Finding]:
    """The results that an operator should know and that stop nothing."""
    return [_finding(result) for result in results if result.state == "advice"]


def _finding(result: CheckResult) -> Finding:
    return Finding(f"preflight-{result.check.id}", f"node {result.node}", result.said, result.remedy)


def _judge(check: Check, context: Context) -> CheckResult:
    node = context.node.name
    try:
        measurement = check.judge(context)
    except MissingFactError as reason:
        return CheckResult(node, check, "unknown", str(reason))
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return CheckResult(node, check, "unknown", f"the node's answer is not understood ({error})")
    if context.survey.in_container and check.of_machine:
        return CheckResult(node, check, "unproved", measurement.measured, measurement.limit)
    state: State = "ok" if measurement.good else "fails" if check.required else "advice"
    return CheckResult(node, check, state, measurement.measured, measurement.limit)
