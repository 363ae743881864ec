"""Facts held against the limits: every finding of every node, in one report, before anything changes."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from components.core.finding import Finding
from components.nodes.model import NodeRequirements, NodeSpec
from components.nodes.preflight.checks import CHECKS, Judge, Unsaid
from components.nodes.preflight.facts import Survey
from components.nodes.preflight.limits import LIMITS

State = Literal["ok", "fails", "advice", "unproved", "unknown"]
"""`unproved`: seen, but of the machine that the node is a container of. `unknown`: could not be had."""


class CheckResult(NamedTuple):
    """One row of the report."""

    node: str
    check: str
    """Key of `limits.LIMITS`."""
    state: State
    measured: str
    limit: str = ""

    def __str__(self) -> str:
        limit = LIMITS[self.check]
        wanted = f", limit {self.limit}" if self.limit else ""
        advice = f": {limit.remedy}" if limit.remedy and self.state in ("fails", "advice") else ""
        return f"{limit.title} {self.measured}{wanted} ({limit.source}){advice}"


def findings(surveys: Sequence[Survey], nodes: Sequence[NodeSpec], demands: NodeRequirements) -> list[CheckResult]:
    """Every check of every node that was asked, in the order of the nodes and of the table of limits.

    A node that was asked and did not answer has one row, which fails; nobody is held against it.
    """
    by_name = {survey.node: survey for survey in surveys}
    names = {node.name for node in nodes}
    fleet = [survey for survey in surveys if survey.node in names and not survey.unread]
    return [
        _weigh(check, judge, by_name[node.name], node, fleet, demands)
        for node in nodes
        if node.name in by_name
        for check, judge in CHECKS.items()
        if check == "survey" or not by_name[node.name].unread
    ]


def problems(found: Iterable[CheckResult]) -> list[Finding]:
    """What stops a run."""
    return [Finding(f"preflight-{f.check}", f"node {f.node}", str(f)) for f in found if f.state == "fails"]


def advice(found: Iterable[CheckResult]) -> list[Finding]:
    """What an operator should know, and nothing is stopped by."""
    return [Finding(f"preflight-{f.check}", f"node {f.node}", str(f)) for f in found if f.state == "advice"]


def _weigh(
    check: str, judge: Judge, survey: Survey, node: NodeSpec, fleet: Sequence[Survey], demands: NodeRequirements
) -> CheckResult:
    limit = LIMITS[check]
    try:
        seen = judge(survey, node, fleet, demands)
    except Unsaid as reason:
        return CheckResult(node.name, check, "unknown", str(reason))
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return CheckResult(node.name, check, "unknown", f"the node's answer is not understood ({error})")
    if survey.in_container and limit.shared:
        return CheckResult(node.name, check, "unproved", seen.measured, seen.limit)
    state: State = "ok" if seen.good else "fails" if limit.required else "advice"
    return CheckResult(node.name, check, state, seen.measured, seen.limit)
