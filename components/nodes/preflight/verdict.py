"""Judges every node by every check, in one report, before anything changes."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

from components.core.finding import Finding
from components.nodes.model import AcceptedCheck, NodeRequirements, NodeSpec
from components.nodes.preflight.checks import CHECKS, Check, Context, MissingFactError
from components.nodes.preflight.facts import Survey

State = Literal["ok", "fails", "advice", "unproved", "unknown", "accepted"]
"""`unproved`: measured in a container, on a machine that it shares. `unknown`: not measured. A required check in these
states stops a run, unless the stack file accepts it: `accepted`."""


class CheckResult(NamedTuple):
    """One row of the report."""

    node: str
    """Its name; empty for a check of the cluster."""
    check: Check
    state: State
    measured: str
    limit: str = ""
    own_remedy: str = ""
    """What to do about this value; empty: what the check says."""

    @property
    def subject(self) -> str:
        """What it is about."""
        return f"node {self.node}" if self.node else "cluster"

    @property
    def undecided(self) -> bool:
        """Whether a required check could not be made, or proves nothing."""
        return self.check.required and self.state in ("unknown", "unproved")

    @property
    def stops(self) -> bool:
        """Whether it stops a run."""
        return self.state == "fails" or self.undecided

    @property
    def unfit(self) -> bool:
        """Whether the doctor does not call its node converged: it stops a run, or is as bad."""
        return self.stops or (self.state == "advice" and (self.check.required or self.check.unfit))

    @property
    def remedy(self) -> str:
        """What to do about it; empty where nothing is wrong."""
        if self.undecided:
            how = self.check.known_by if self.state == "unknown" else self.check.remedy
            accept = f"accept check {self.check.id} in preflight.accept, with a reason and a last day"
            return f"{self.own_remedy or how}; or {accept}"
        return (self.own_remedy or self.check.remedy) if self.state in ("fails", "advice") else ""

    @property
    def said(self) -> str:
        """What was measured, its limit and whose that is; or why it is not known."""
        if self.state == "unknown":
            return f"{self.check.title} is not known: {self.measured}"
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
        _judge(check, Context(by_name[node.name], node, fleet, requirements, alone=len(nodes) == 1))
        for node in nodes
        if node.name in by_name
        for check in CHECKS
        if check.id == "survey" or not by_name[node.name].failure
    ]


def problems(results: Iterable[CheckResult]) -> list[Finding]:
    """The results that stop a run."""
    return [_finding(result) for result in results if result.stops]


def advice(results: Iterable[CheckResult]) -> list[Finding]:
    """The results that an operator should know and that stop nothing."""
    return [_finding(result) for result in results if result.state in ("advice", "accepted")]


def accepted(results: Iterable[CheckResult], accept: Sequence[AcceptedCheck], today: date) -> list[CheckResult]:
    """The results, of which those are `accepted` that are undecided and that the stack file accepts on this day."""
    return [_accepted(result, accept, today) if result.undecided else result for result in results]


def _accepted(result: CheckResult, accept: Sequence[AcceptedCheck], today: date) -> CheckResult:
    for one in accept:
        if one.check == result.check.id and (not one.nodes or result.node in one.nodes):
            if not one.ended(today):
                said = f"{result.measured}, accepted until {one.until}: {one.reason}"
                return result._replace(state="accepted", measured=said)
            result = result._replace(measured=f"{result.measured} (accepted until {one.until}, which has passed)")
    return result


def _finding(result: CheckResult) -> Finding:
    decided = not result.undecided
    return Finding(f"preflight-{result.check.id}", result.subject, result.said, result.remedy, decided)


def _judge(check: Check, context: Context) -> CheckResult:
    result = judged(context.node.name, check, context)
    if context.in_container and check.of_machine and result.limit and result.state != "unknown":
        return result._replace(state="unproved", own_remedy="")
    return result


def judged(node: str, check: Check, context: Any) -> CheckResult:
    """The result of one check. `node` is empty for a check of the cluster."""
    try:
        measurement = check.judge(context)
    except MissingFactError as reason:
        return CheckResult(node, check, "unknown", str(reason))
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return CheckResult(node, check, "unknown", f"the answer is not understood ({error})")
    stops = check.required and not measurement.advisory
    state: State = "ok" if measurement.good else "fails" if stops else "advice"
    return CheckResult(node, check, state, measurement.measured, measurement.limit, measurement.remedy)
