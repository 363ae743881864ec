"""The report on one stack: the only input of the renderer. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from components.existing_cluster.checks import cluster_findings
from components.existing_cluster.reading import known_cluster
from components.nodes.preflight import facts
from components.nodes.preflight.verdict import accepted, advice, findings, problems
from components.residency.asked import asked_findings
from components.stackfile.spec import PlatformSpec
from vds.preview_comment.cause import Dependencies
from vds.preview_comment.events import Change, Preview
from vds.preview_comment.residency import Delta
from vds.preview_comment.touched import ProgramChange
from vds.shared.errors import OperationError


@dataclass(frozen=True)
class Preflight:
    """The facts of the nodes, compared with the limits of the changed stack file."""

    age_hours: float = 0
    good: int = 0
    fails: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    unknown: int = 0
    """Not known, and not required."""
    missing: tuple[str, ...] = ()
    """Nodes of the stack that the file does not know."""
    unusable: str = ""
    """Why nothing was judged."""


_NOTHING = Preview()
_NOWHERE = Delta()


@dataclass(frozen=True)
class StackReport:
    """One stack."""

    stack: str
    touched_by: tuple[str, ...] = ()
    """Changed files that it is made of; empty: the change does not touch it, and nothing else here is filled in."""
    preview: Preview = _NOTHING
    unavailable: str = ""
    """Why there is no preview; the stack file alone was then judged."""
    problems: tuple[str, ...] = ()
    """What is wrong with the stack file."""
    spec_change: Change | None = None
    """The stack file's spec before and after, shown where there is no preview."""
    residency: Delta = _NOWHERE
    preflight: Preflight | None = None
    """None: no facts file was given."""
    dependencies: Dependencies = field(default_factory=dict)
    program: ProgramChange | None = None
    """The program or what judges it changes: then nothing here is a proof."""
    unknown_base: str = ""
    """Why the base has no preview; everything is then new."""
    reach: tuple[str, ...] = ()
    """Pods that reach others after the change and not before, each as a sentence."""
    compared: Literal["descriptions", "state", "objects"] = "descriptions"
    """The base's description with the change's, the state with the description, or the objects of a registration or of
    an agency's stack."""
    allowed: tuple[str, ...] = ()
    """Of objects: what a tenant or its apps may do, and what not any more, each as a sentence."""
    quota: tuple[str, ...] = ()
    """Of objects: what they need, or what their quotas are."""

    @property
    def stopped(self) -> bool:
        """Something here stops an update."""
        preflight = self.preflight
        failed = bool(preflight and (preflight.fails or preflight.unusable))
        incomplete = not self.preview.complete and not self.unavailable
        return bool(self.touched_by) and bool(self.preview.mandatory or incomplete or self.problems or failed)


def preflight(text: str, spec: PlatformSpec, *, now: float) -> Preflight:
    """A facts file's findings, and how old they are. `now`: seconds since 1970."""
    try:
        kept = facts.load(text, environment=spec.environment, now=now, max_hours=spec.preflight.max_facts_hours)
    except facts.FactsError as error:
        return Preflight(unusable=f"the facts file {error}")
    today = datetime.fromtimestamp(now, UTC).date()
    measured = [
        *findings(kept.surveys, spec.nodes, spec.node_requirements),
        *asked_findings(kept.surveys, spec.nodes, spec.declared_hosts, today),
        *cluster_findings(known_cluster(kept, None), spec.cluster_requirements),
    ]
    found = accepted(measured, spec.preflight.accept, today)
    known = {survey.node for survey in kept.surveys}
    return Preflight(
        age_hours=max(0.0, (now - kept.made_at) / 3600),
        good=sum(finding.state == "ok" for finding in found),
        fails=tuple(str(finding) for finding in problems(found)),
        advice=tuple(str(finding) for finding in advice(found)),
        unknown=sum(finding.state == "unknown" and not finding.stops for finding in found),
        missing=tuple(node.name for node in spec.nodes if node.name not in known),
    )


ATTENTION = "❗"
"""First of a line that a reviewer must see."""


def difference(before: set[str], after: set[str]) -> tuple[str, ...]:
    """What comes and what goes."""
    return (*(f"➕ {one}" for one in sorted(after - before)), *(f"➖ {one}" for one in sorted(before - after)))


_REPORTS = TypeAdapter(tuple[StackReport, ...])
_LARGEST = 32 * 2**20
"""Bytes of saved reports; 500 tenants have 3 MiB."""


def saved(reports: Sequence[StackReport]) -> str:
    """The reports as JSON, for `loaded`. Everything in it is masked."""
    return _REPORTS.dump_json(tuple(reports)).decode()


def loaded(content: bytes) -> tuple[StackReport, ...]:
    """Saved reports. A stranger's program may have written them: each value is checked, and none is trusted.

    Raises OperationError.
    """
    if len(content) > _LARGEST:
        raise OperationError(f"the reports have {len(content):,} bytes, limit {_LARGEST:,}: see the job that made them")
    try:
        return _REPORTS.validate_json(content)
    except ValidationError as error:
        where = ", ".join(sorted({".".join(map(str, one["loc"]))[:60] for one in error.errors()})[:5])
        raise OperationError(
            f"the reports have the wrong form (at {where or 'JSON'}): see the job that made them"
        ) from None


def document_of(reports: Sequence[StackReport]) -> list[Mapping[str, object]]:
    """The verdicts for a program; as the comment, without any value of a property."""
    return [_as_json(report) for report in reports]


def _as_json(report: StackReport) -> Mapping[str, object]:
    preview = report.preview
    found = report.preflight
    return {
        "stack": report.stack,
        "touchedBy": list(report.touched_by),
        "stopped": report.stopped,
        "unavailable": report.unavailable,
        "program": list(report.program.files) if report.program else [],
        "complete": preview.complete,
        "changes": {op: [change.urn for change in preview.of(op)] for op in ("create", "update", "replace", "delete")},
        "violations": [
            {"policy": v.policy, "mandatory": v.mandatory, "urn": v.urn, "message": v.message}
            for v in preview.violations
        ],
        "policyPacks": dict(preview.packs),
        "problems": list(report.problems),
        "errors": list(preview.errors),
        "residency": {
            "added": [fact._asdict() for fact in report.residency.added],
            "removed": [fact._asdict() for fact in report.residency.removed],
        },
        "reach": list(report.reach),
        "allowed": list(report.allowed),
        "quota": list(report.quota),
        "preflight": None
        if found is None
        else {
            "ageHours": round(found.age_hours, 1),
            "fails": list(found.fails),
            "advice": list(found.advice),
            "unusable": found.unusable,
            "missing": list(found.missing),
        },
    }
