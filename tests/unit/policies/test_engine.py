"""How the engine asks a policy: every resource by itself, unknown values and the pack's own faults kept apart."""

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from components.core.finding import Finding
from policies import engine
from policies.engine import POLICIES, PolicyError, engine_policy, judge_stack, schema
from policies.offline import judge
from policies.policy import Object, Policy, Settings
from tests.support.foreign import cilium_config, deployment, kube, namespace, release, route, service
from tests.support.policy import UNKNOWN, exported, findings, pack_config, violations
from tests.support.policy_cases import CASES
from tests.support.stacks import ROOT


def failing(policy: str, monkeypatch: pytest.MonkeyPatch) -> Policy:
    """The policy with a fault of its own."""

    def check(*_: Any) -> Iterator[Finding]:
        raise KeyError("hunter2")
        yield

    made = dataclasses.replace(POLICIES[policy], check=check)
    monkeypatch.setitem(POLICIES, policy, made)
    return made


@pytest.mark.parametrize("policy", ["gateway-weights", "tenancy-default-deny", "gateway-tls", "residency"])
def test_a_fault_of_the_pack_ends_the_preview_with_the_policy_s_name(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, resources = failing(policy, monkeypatch), CASES[policy].fails
    for ask in (lambda: violations([engine_policy(made)], resources), lambda: judge(exported(resources), {})):
        with pytest.raises(PolicyError, match=f"policy {policy} failed on .*KeyError at test_engine.py:") as raised:
            ask()
        assert "fault of the policy pack, not of the program" in str(raised.value)
        assert "hunter2" not in str(raised.value)


def test_a_fault_names_the_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    failing("gateway-weights", monkeypatch)
    with pytest.raises(PolicyError, match=r"failed on HTTPRoute HTTPRoute-r urn:pulumi:.*::HTTPRoute-r: "):
        judge(exported([route(1)]), {})


def test_a_namespace_is_found_by_its_resource_and_not_by_its_name_in_a_sentence() -> None:
    odd, other = namespace("o'b"), namespace("zz")
    for policy in ("tenancy-default-deny", "tenancy-quota", "tenancy-limits", "tenancy-allow-dns"):
        found = findings(policy, odd, other)
        assert [finding.subject for finding in found] == ["namespace 'o'b'", "namespace 'zz'"]
        assert [finding.urn for finding in found] == [odd.urn, other.urn]


def test_whether_a_finding_is_decided_is_no_part_of_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(route: Object, _: Settings) -> Iterator[Finding]:
        yield route.finding("cannot be decided at preview, says this message", "write it")

    monkeypatch.setitem(POLICIES, "gateway-weights", dataclasses.replace(POLICIES["gateway-weights"], check=check))
    [finding] = findings("gateway-weights", route(1))
    assert finding.decided


def test_what_cannot_be_judged_hides_no_other_resource() -> None:
    bad = cilium_config(mtu="1450")
    props = {"chart": "tigera-operator", "values": "hunter2"}
    unreadable = release("tigera-operator", {})._replace(props=props, name="unreadable")
    unknown = cilium_config(mtu=UNKNOWN)._replace(name="unknown")
    found = findings("cni-mtu", unreadable, unknown, bad)
    assert {(finding.urn, finding.decided) for finding in found} == {
        (unreadable.urn, True),
        (unknown.urn, False),
        (bad.urn, True),
    }
    [message] = [str(finding) for finding in found if finding.urn == unreadable.urn]
    assert message == "Release unreadable: cannot be judged: values is not a group of fields: correct the field"


def test_a_network_policy_that_is_not_known_leaves_only_its_own_namespace_undecided() -> None:
    unknown = kube("networking.k8s.io/v1", "NetworkPolicy", "n", "one", spec=UNKNOWN)
    found = findings("tenancy-default-deny", namespace("one"), namespace("two"), unknown)
    assert [(finding.urn.rpartition("-")[2], finding.decided) for finding in found] == [("one", False), ("two", True)]


def test_each_of_two_policies_that_read_the_same_field_reports_its_own_resource() -> None:
    announced = kube("cilium.io/v2alpha1", "CiliumL2AnnouncementPolicy", "l2", spec={"externalIPs": True})
    balanced = service(type="LoadBalancer", externalTrafficPolicy="Local")
    assert len(findings("cni-l2-not-local", announced, balanced)) == 1
    assert findings("metallb-client-address", announced, balanced) == []


@pytest.mark.parametrize(
    ("policy", "settings", "message"),
    [
        ("gateway-canary", {"ceilingPercent": 400}, "ceilingPercent: '400' is out of range"),
        ("cni-mtu", {"underlayMtu": "much"}, "underlayMtu: 'much' is not a whole number"),
        ("residency-state", {"places": [{"name": "half"}]}, "places[half].country: is missing: add it"),
        ("tenancy-pod-security", {"exceptions": {"agency": {"until": "soon"}}}, "exceptions.agency.until: "),
    ],
)
def test_settings_that_are_wrong_are_a_violation(policy: str, settings: dict[str, Any], message: str) -> None:
    found = judge(exported(CASES[policy].fails), pack_config({policy: settings}))
    assert any(f"configuration of {policy}: {message}" in str(finding) for finding in found if finding.rule == policy)


@pytest.mark.parametrize("policy", list(POLICIES.values()), ids=list(POLICIES))
def test_the_schema_of_a_policy_s_settings_is_one_that_the_engine_takes(policy: Policy) -> None:
    properties = schema(policy.settings)
    text = json.dumps(properties)
    jsonschema.Draft202012Validator.check_schema({"properties": properties})
    assert "$ref" not in text
    assert not re.search(r"\(\?[=!<]", text)  # Go's regular expressions look neither ahead nor back
    assert all(isinstance(value["type"], str) and value["description"] for value in properties.values())
    assert "seenBackend" not in properties


def test_the_committed_settings_match_their_schemas() -> None:
    howto = (ROOT / "docs" / "howto" / "enforce-policies.md").read_text()
    [example] = re.findall(r"```json\n(\{.*?\n\})\n```", howto, re.S)
    files = [json.loads(file.read_text()) for file in (ROOT / "tests" / "lab" / "programs").rglob("pack.json")]
    assert files
    for written in (json.loads(example), *files):
        for name, settings in written.items():
            document = {"type": "object", "properties": schema(POLICIES[name].settings)}
            jsonschema.validate(settings, document)
            assert set(settings) <= {*document["properties"], "enforcementLevel"}


@pytest.mark.parametrize("policy", list(POLICIES))
def test_every_policy_has_a_remedy_and_so_has_each_finding(policy: str) -> None:
    made = POLICIES[policy]
    assert all((made.title, made.severity, made.framework, made.reference, made.why, made.remedy))
    case = CASES[policy]
    if policy != "stack-judged":  # an exported state has the properties of every resource
        found = judge(exported(case.fails), pack_config(case.config))
        assert [bool(finding.remedy) for finding in found if finding.rule == policy] == [True]


def test_policies_are_found_in_every_file_of_rules() -> None:
    folder = ROOT / "policies" / "rules"
    ids = re.findall(r'^    id="([a-z0-9-]+)",$', "".join(file.read_text() for file in folder.glob("*.py")), re.M)
    assert sorted(ids) == sorted(POLICIES)
    assert len(list(engine.declared())) == len(ids)


def test_a_stack_without_resources_keeps_most_policies() -> None:
    assert [
        finding.rule
        for policy in POLICIES.values()
        if policy.of_stack
        for finding in judge_stack(policy, [], {"today": "2026-11-21"})
    ] == ["residency-state"]


def test_a_deployment_is_judged_without_a_clock() -> None:
    [finding] = findings("gateway-tls", *CASES["gateway-tls"].fails, today=None)
    assert not finding.decided
    assert "today is not known yet" in finding.message
    assert findings("gateway-tls", deployment("quay.io/a")) == []
