"""The evidence as OSCAL 1.2.1: catalog, component definition, assessment results, plan of action and milestones. Pure.

Identifiers are made from names, and the only time is that of the state: the same state gives the same bytes. A control
is `satisfied` only if policies judged it. What is only declared is an observation, and what can't be proved here is in
the component definition alone.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vds.evidence.control_results import Judged, judged
from vds.evidence.controls import BY_MACHINE, DECLARED, FRAMEWORKS, Control
from vds.evidence.identifiers import name_uuid, time_of
from vds.evidence.model import Evidence, PolicyResult
from vds.evidence.policy_results import policies_json
from vds.evidence.tables import document
from vds.shared.markdown import one_line

VERSION = "1.2.1"
NAMESPACE = "https://vds-platform.example/oscal"
"""Of our properties. OSCAL asks for a URI that is a name, and nothing is served there."""

Json = Mapping[str, Any]


def oscal(evidence: Evidence) -> dict[str, bytes]:
    """Every OSCAL document by its file name. Without exceptions and open points there is no plan: one has items."""
    controls = list(judged(evidence))
    documents = {
        "oscal-catalog.json": ("catalog", _catalog(controls)),
        "oscal-component-definition.json": ("component-definition", _component_definition(controls)),
        "oscal-assessment-results.json": ("assessment-results", _assessment_results(evidence, controls)),
    }
    if items := list(_poam_items(evidence)):
        documents["oscal-poam.json"] = ("plan-of-action-and-milestones", _poam(evidence, items))
    return {file: document({kind: _with_head(evidence, file, body)}) for file, (kind, body) in documents.items()}


def _with_head(evidence: Evidence, file: str, body: Json) -> Json:
    """The document with identifier and metadata. Another content has another identifier."""
    content = hashlib.sha256(document(body)).hexdigest()
    titles = {
        "oscal-catalog.json": "Controls that the evidence of vds-platform is about",
        "oscal-component-definition.json": "How vds-platform meets controls",
        "oscal-assessment-results.json": f"Policies judged on stack {evidence.stack}",
        "oscal-poam.json": f"Exceptions and open points of stack {evidence.stack}",
    }
    head = {
        "title": _line(titles[file]),
        "last-modified": time_of(evidence.state_made_at),
        "version": dict(evidence.versions).get("vds-platform", "unknown"),
        "oscal-version": VERSION,
    }
    return {"uuid": _uuid(evidence.stack, file, content), "metadata": head, **body}


def _catalog(controls: Sequence[Judged]) -> Json:
    groups = []
    for framework, title in FRAMEWORKS.items():
        members = [one.control for one in controls if one.control.framework == framework]
        groups.append(
            {
                "id": framework,
                "title": title,
                "controls": [
                    {
                        "id": control.id,
                        "title": control.title,
                        "props": [{"name": "label", "value": control.number}],
                        "parts": [
                            {"id": f"{control.id}_smt", "name": "statement", "prose": control.title},
                            *_objective(control),
                        ],
                    }
                    for control in members
                ],
            }
        )
    return {"groups": groups}


def _objective(control: Control) -> list[Json]:
    """What a finding is about: the policies, and not the whole control."""
    if control.proof != BY_MACHINE:
        return []
    prose = f"These policies hold: {', '.join(control.policies)}."
    return [{"id": f"{control.id}_obj", "name": "assessment-objective", "prose": prose}]


def _component_definition(controls: Sequence[Judged]) -> Json:
    implementations = []
    for framework, title in FRAMEWORKS.items():
        members = [one.control for one in controls if one.control.framework == framework]
        implementations.append(
            {
                "uuid": _uuid("implementation", framework),
                "source": "oscal-catalog.json",
                "description": title,
                "implemented-requirements": [
                    {
                        "uuid": _uuid("requirement", control.id),
                        "control-id": control.id,
                        "description": "; ".join(
                            part
                            for part in (
                                control.proof,
                                f"policies: {', '.join(control.policies)}" if control.policies else "",
                                f"declarations: {', '.join(control.declared)}" if control.declared else "",
                                f"not shown here: {control.open}" if control.open else "",
                            )
                            if part
                        ),
                        "props": [_prop("proof", control.proof.replace(" ", "-"))],
                    }
                    for control in members
                ],
            }
        )
    component = {
        "uuid": _uuid("component", "vds-platform"),
        "type": "software",
        "title": "vds-platform",
        "description": "A Kubernetes platform on rented servers, with policies that judge each resource of a stack.",
        "control-implementations": implementations,
    }
    return {"components": [component]}


def _assessment_results(evidence: Evidence, controls: Sequence[Judged]) -> Json:
    stack = _uuid(evidence.stack, "stack")
    observations = [
        *(_observation_of_policy(evidence, policy) for policy in evidence.policies),
        *(_observation_of_declaration(evidence, one) for one in controls if one.control.proof == DECLARED),
    ]
    machine = [one for one in controls if one.control.proof == BY_MACHINE]
    subjects = {
        _uuid(evidence.stack, "node", place.name): f"Node {place.name}, {place.location}, in {place.country}"
        for place in evidence.places
        if place.kind == "node"
    }
    subjects |= {
        _uuid(evidence.stack, "resource", finding.urn): f"Resource {finding.urn}"
        for policy in evidence.policies
        for finding in policy.findings
        if finding.urn
    }
    result = {
        "uuid": _uuid(evidence.stack, "result", evidence.state_sha256),
        "title": f"State of stack {evidence.stack}",
        "description": f"Verdict: {evidence.verdict}. SHA-256 of the state's resources: {evidence.state_sha256}.",
        "start": time_of(evidence.state_made_at),
        "end": time_of(evidence.state_made_at),
        "props": [_prop("verdict", evidence.verdict), _prop("state-sha256", evidence.state_sha256)],
        "local-definitions": {
            "components": [
                {
                    "uuid": stack,
                    "type": "system",
                    "title": f"Stack {evidence.stack}",
                    "description": f"Environment {evidence.environment}: what Pulumi's state of it has.",
                    "status": {"state": "operational"},
                }
            ],
            **({"inventory-items": _items(subjects)} if subjects else {}),
        },
        "reviewed-controls": {
            "description": "Controls that policies judged. Declared controls are observations without a finding.",
            "control-selections": [{"include-controls": [{"control-id": one.control.id} for one in machine]}],
        },
        "observations": observations,
        "findings": [_finding(evidence, one) for one in machine],
    }
    plan = {
        "uuid": _uuid("plan"),
        "title": "The policy pack vds-platform",
        "description": "What is assessed: the policies of the pack, each with its page in docs/policies.",
    }
    return {
        "import-ap": {"href": f"#{plan['uuid']}"},
        "results": [result],
        "back-matter": {"resources": [plan, _policies_file(evidence)]},
    }


def _items(subjects: Mapping[str, str]) -> list[Json]:
    return [{"uuid": uuid, "description": _line(subjects[uuid])} for uuid in sorted(subjects)]


def _policies_file(evidence: Evidence) -> Json:
    sha256 = hashlib.sha256(policies_json(evidence)).hexdigest()
    return {
        "uuid": _uuid(evidence.stack, "policies.json", sha256),
        "title": "Results of every policy",
        "rlinks": [{"href": "policies.json", "hashes": [{"algorithm": "SHA-256", "value": sha256}]}],
    }


def _observation_of_policy(evidence: Evidence, policy: PolicyResult) -> Json:
    found = "; ".join(map(str, policy.findings))
    about = [
        {"subject-uuid": uuid, "type": "inventory-item"}
        for uuid in sorted({_uuid(evidence.stack, "resource", one.urn) for one in policy.findings if one.urn})
    ]
    return {
        "uuid": _uuid(evidence.stack, "policy", policy.name),
        "title": policy.name,
        "description": _line(f"{policy.description} {policy.outcome.capitalize()}{f': {found}' if found else '.'}"),
        "props": [_prop("outcome", policy.outcome), _prop("level", policy.level)],
        "methods": ["TEST"],
        "subjects": [{"subject-uuid": _uuid(evidence.stack, "stack"), "type": "component"}, *about],
        "relevant-evidence": [
            {"href": f"#{_policies_file(evidence)['uuid']}", "description": "The policy's result, for a program."}
        ],
        "collected": time_of(evidence.state_made_at),
    }


def _observation_of_declaration(evidence: Evidence, one: Judged) -> Json:
    why = f": {one.because}" if one.because else ""
    nodes = [
        {"subject-uuid": uuid, "type": "inventory-item"}
        for uuid in sorted(
            {_uuid(evidence.stack, "node", place.name) for place in evidence.places if place.kind == "node"}
        )
        if "owners" in one.control.declared
    ]
    return {
        "uuid": _uuid(evidence.stack, "declaration", one.control.id),
        "title": _line(f"{one.control.id}: {one.control.title}"),
        "description": _line(f"{one.outcome.capitalize()}{why}. Not shown here: {one.control.open}."),
        "props": [_prop("proof", "declared"), _prop("outcome", one.outcome.replace(" ", "-"))],
        "methods": ["EXAMINE"],
        "subjects": [{"subject-uuid": _uuid(evidence.stack, "stack"), "type": "component"}, *nodes],
        "relevant-evidence": [
            {
                "href": "record-of-processing.json",
                "description": "What the stack file declares, and what the state has.",
            }
        ],
        "collected": time_of(evidence.state_made_at),
    }


def _finding(evidence: Evidence, one: Judged) -> Json:
    held = one.outcome == "policies hold"
    why = f": {one.because}" if one.because else ""
    return {
        "uuid": _uuid(evidence.stack, "finding", one.control.id),
        "title": _line(f"{one.control.id}: {one.control.title}"),
        "description": _line(f"{one.outcome.capitalize()}{why}. Not shown here: {one.control.open}."),
        "target": {
            "type": "objective-id",
            "target-id": f"{one.control.id}_obj",
            "status": {
                "state": "satisfied" if held else "not-satisfied",
                "reason": "pass" if held else "fail" if one.outcome == "violated" else "other",
            },
        },
        "related-observations": [
            {"observation-uuid": _uuid(evidence.stack, "policy", name)} for name in one.control.policies
        ],
    }


def _poam_items(evidence: Evidence) -> Iterator[tuple[str, str, Json]]:
    """Title, description, and what is special in the risk: exceptions first, with their last day as the deadline."""
    for one in evidence.exempt:
        risk: dict[str, Any] = {"status": "deviation-approved"}
        if re.fullmatch(r"\d{4}-\d\d-\d\d", one.until):
            risk["deadline"] = f"{one.until}T23:59:59Z"
        yield f"Exception from {one.item}", f"Until {one.until or 'no day'}: {one.reason or 'no reason'}", risk
    for line in evidence.undecided:
        yield "Undecided", line, {"status": "investigating"}
    for line in evidence.violations:
        yield "Violated", line, {"status": "open"}


def _poam(evidence: Evidence, items: Sequence[tuple[str, str, Json]]) -> Json:
    risks, entries = [], []
    for title, description, special in items:
        risk = _uuid(evidence.stack, "risk", title, description)
        text = {"title": _line(title), "description": _line(description)}
        risks.append({"uuid": risk, **text, "statement": _line(description), **special})
        item = _uuid(evidence.stack, "item", title, description)
        entries.append({"uuid": item, **text, "related-risks": [{"risk-uuid": risk}]})
    identifier = {"identifier-type": "http://ietf.org/rfc/rfc4122", "id": _uuid(evidence.stack, "stack")}
    return {"system-id": identifier, "risks": risks, "poam-items": entries}


def _prop(name: str, value: str) -> Json:
    return {"name": name, "ns": NAMESPACE, "value": value}


def _line(text: str) -> str:
    return one_line(text) or "–"


def _uuid(*names: str) -> str:
    return str(name_uuid(*names))
