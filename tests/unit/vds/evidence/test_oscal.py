"""The OSCAL documents are valid by compliance-trestle, and say what the pages say."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.core.finding import Finding
from policies.engine import POLICIES
from tests.support.evidence import evidence, export
from tests.support.oscal import MODELS, assert_valid
from tests.support.stacks import stack_data
from vds.evidence.control_results import controls_markdown, judged
from vds.evidence.controls import CONTROLS, FRAMEWORKS
from vds.evidence.model import Evidence
from vds.evidence.oscal import oscal

LAB, OSLO = evidence(), evidence(name="oslo")


def violated() -> Evidence:
    first = OSLO.policies[0]
    found = Finding(first.name, "Service butikk/x", "`a`\nb", "", urn="urn:pulumi:oslo::p::t::x")
    doubt = Finding(first.name, "", "\x07", "", decided=False)
    return replace(OSLO, policies=(replace(first, level="mandatory", findings=(found, doubt)), *OSLO.policies[1:]))


@pytest.mark.parametrize(
    "found",
    [LAB, OSLO, violated(), replace(LAB, state_made_at="", exempt=()), replace(LAB, tenants=(), places=())],
    ids=["lab", "oslo", "violated", "no time", "empty"],
)
def test_every_document_is_valid_by_trestle(found: Evidence, tmp_path: Path) -> None:
    files = oscal(found)
    assert set(files) <= set(MODELS)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert_valid(tmp_path / name)


def parts(found: Evidence, file: str) -> Any:
    [body] = json.loads(oscal(found)[file]).values()
    return body


def identifiers(value: Any, key: str) -> list[str]:
    if isinstance(value, dict):
        own = [value[key]] if isinstance(value.get(key), str) else []
        return own + [one for inner in value.values() for one in identifiers(inner, key)]
    return [one for inner in value for one in identifiers(inner, key)] if isinstance(value, list) else []


def test_every_reference_leads_somewhere_and_no_identifier_is_there_twice() -> None:
    controls = {one.control.id for one in judged(OSLO)}
    for file in oscal(violated()):
        body = parts(violated(), file)
        own = identifiers(body, "uuid")
        assert len(own) == len(set(own)), file
        for key in ("subject-uuid", "observation-uuid", "risk-uuid"):
            assert set(identifiers(body, key)) <= set(own), (file, key)
        assert set(identifiers(body, "control-id")) <= controls
    assert set(identifiers(parts(OSLO, "oscal-catalog.json")["groups"], "id")) >= controls


def test_only_what_policies_judged_is_satisfied() -> None:
    results = parts(LAB, "oscal-assessment-results.json")["results"][0]
    found = {
        one["target"]["target-id"].removesuffix("_obj"): one["target"]["status"]["state"] for one in results["findings"]
    }
    machine = {control.id for control in CONTROLS if control.proof == "proved by machine"}
    assert set(found) == machine
    assert set(found.values()) == {"satisfied"}
    declared = [one for one in results["observations"] if one["methods"] == ["EXAMINE"]]
    assert any("Not declared: who operates the platform" in one["description"] for one in declared)


def test_a_violation_and_a_doubt_leave_their_controls_unsatisfied() -> None:
    first = violated().policies[0].name
    bad = replace(violated(), policies=tuple(p for p in violated().policies if p.name == first))
    states = {one.control.id: one.outcome for one in judged(bad)}
    about = [control.id for control in CONTROLS if first in control.policies]
    assert about
    assert {states[control] for control in about} == {"violated"}
    findings = parts(bad, "oscal-assessment-results.json")["results"][0]["findings"]
    status = {one["target"]["target-id"].removesuffix("_obj"): one["target"]["status"] for one in findings}
    for control in set(about) & set(status):
        assert status[control] == {"state": "not-satisfied", "reason": "fail"}


def test_every_exception_is_in_the_plan_with_its_day() -> None:
    risks = parts(OSLO, "oscal-poam.json")["risks"]
    approved = [one for one in risks if one["status"] == "deviation-approved"]
    assert len(approved) == len(OSLO.exempt) == 3
    assert {one["deadline"] for one in approved} == {"2027-12-31T23:59:59Z"}
    assert [one["description"] for one in risks if one["status"] == "investigating"] == OSLO.undecided


def test_another_state_has_other_identifiers_and_the_same_state_the_same() -> None:
    made = export()
    made["deployment"]["resources"][3]["inputs"]["note"] = "another"
    one, two, other = (parts(found, "oscal-assessment-results.json") for found in (LAB, evidence(), evidence(made)))
    assert one["uuid"] == two["uuid"] != other["uuid"]
    assert one["results"][0]["uuid"] != other["results"][0]["uuid"]


def test_every_policy_of_a_control_exists_and_every_control_says_what_it_does_not_show() -> None:
    assert {name for control in CONTROLS for name in control.policies} <= set(POLICIES)
    for control in CONTROLS:
        assert control.open
        assert bool(control.policies) >= (control.proof == "proved by machine")
        assert bool(control.declared) == (control.proof == "declared")
    numbers = [(control.framework, control.number) for control in CONTROLS]
    assert len(set(numbers)) == len(numbers)
    count = {framework: sum(one == framework for one, _ in numbers) for framework in FRAMEWORKS}
    assert (count["nsm-principles"], count["nsm-control"], count["eu-csf"]) == (21, 6, 8)


def test_a_policy_that_is_off_proves_nothing() -> None:
    off = evidence(config={"tenancy-isolation": "disabled"})
    [isolated] = [one for one in judged(off) if one.control.id == "nsm-control-6"]
    assert (isolated.outcome, isolated.because) == ("not judged", "tenancy-isolation")


def test_points_of_the_cis_are_declared_by_a_stack_that_makes_its_cluster_and_by_no_other() -> None:
    def outcomes(found: Evidence) -> set[str]:
        return {one.outcome for one in judged(found) if one.control.framework == "cis"}

    assert outcomes(OSLO) == {"declared"}
    assert outcomes(replace(OSLO, makes_cluster=False)) == {"–"}
    data = stack_data("oslo")
    off = {"setting": "audit-log", "until": "2027-06-30", "reason": "the disk is too small until then"}
    data["cluster"].setdefault("security", {})["exceptions"] = [off]
    found = evidence(name="oslo", data=data)
    assert "undecided" in outcomes(found)
    assert "an exception switches off: security setting audit-log" in controls_markdown(found).decode()
