"""Tenants in the evidence: their registrations, and the states of their stacks."""

import copy
from pathlib import Path
from typing import Any

import pytest

from components.stackfile.registration import read_registration
from tests.support.evidence import add, entry, evidence, registered, tenant_export
from tests.support.registrations import BUTIKK, data
from vds.evidence.model import Evidence, Place
from vds.evidence.registered import Registered

AGAIN = "run `vds tenant up butikk`, then make the evidence again"


def of_tenants(found: Evidence) -> list[Place]:
    return [one for one in found.places if one.tenant]


def egress(**changes: Any) -> list[dict[str, Any]]:
    return [BUTIKK["egress"][0] | changes]


def test_what_a_tenant_may_call_is_a_place_of_its_registration() -> None:
    found = evidence()
    [place] = of_tenants(found)
    assert (place.kind, place.location, place.status) == ("egress", "api.vipps.no", "allowed")
    assert (place.country, place.entity, place.entity_country) == ("NO", "Vipps MobilePay AS", "NO")
    assert place.seen_in[0] == "registration butikk: egress.vipps"
    assert all(source.startswith("state: butikk-") for source in place.seen_in[1:])
    assert found.verdict == "holds"


def test_a_tenant_has_its_owners_namespaces_and_the_sum_of_its_state() -> None:
    [tenant] = evidence().tenants
    assert (tenant.groups, tenant.namespaces) == (("butikk-developers",), ("butikk-prod", "butikk-staging"))
    assert tenant.seen_in == ("registration", "state")
    other = tenant_export()
    entry(other, "butikk-namespace-prod")["inputs"]["metadata"]["annotations"] = {"a": "b"}
    changed = evidence(tenants=[registered(other)])
    assert changed.tenants[0].state_sha256 != tenant.state_sha256
    assert changed.state_sha256 != evidence().state_sha256


def test_a_destination_abroad_is_refused_without_an_exception() -> None:
    abroad = data(egress=egress(country="US", entityCountry="US"))
    [place] = of_tenants(evidence(tenants=[registered(registered=abroad)]))
    assert place.status == "refused"
    waiver = {"name": "v", "rule": "residency-destinations", "egress": "vipps"}
    waived = abroad | {"exceptions": [{**waiver, "until": "2027-01-31", "reason": "moves in January"}]}
    found = evidence(tenants=[registered(registered=waived)])
    [place] = of_tenants(found)
    assert (place.status, place.excepted) == ("excepted", "v until 2027-01-31: moves in January")
    assert [one.item for one in found.exempt] == ["rule residency-destinations for tenant butikk for egress vipps"]


def test_a_destination_that_only_the_state_has_is_undeclared() -> None:
    found = evidence(tenants=[registered(registered=data(egress=[]))])
    [place] = of_tenants(found)
    assert (place.location, place.status) == ("api.vipps.no", "undeclared")
    differs = "in another way than registration and stack file: egress"
    assert f"tenant butikk: the contract of butikk-prod has {differs}: {AGAIN}" in found.open_points


def test_a_policy_of_a_tenant_that_lets_call_anybody_is_named() -> None:
    made = tenant_export()
    add(
        made,
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        "open",
        metadata={"namespace": "butikk-prod"},
        spec={"egress": [{"ports": [{"port": 443}]}]},
    )
    found = evidence(tenants=[registered(made)])
    assert {one.location for one in of_tenants(found)} == {"0.0.0.0/0", "api.vipps.no"}
    assert found.verdict == "violated"


def test_the_policies_judge_the_state_of_every_tenant() -> None:
    made = tenant_export()
    add(made, "kubernetes:core/v1:Service", "s", metadata={"namespace": "butikk-prod"}, spec={"type": "NodePort"})
    violated = {one.name for one in evidence(tenants=[registered(made)]).policies if one.outcome == "violated"}
    assert "gateway-no-node-port" in violated


def test_a_tenant_whose_state_was_not_read_leaves_the_evidence_undecided() -> None:
    one = registered()._replace(state=None, why="stack butikk: no stack named 'butikk' found")
    found = evidence(tenants=[one])
    assert found.open_points == (f"tenant butikk: the state of its stack was not read: {one.why}",)
    assert found.verdict == "undecided"
    assert found.tenants[0].seen_in == ("registration",)


def test_a_registration_with_mistakes_leaves_the_evidence_undecided() -> None:
    file = read_registration(Path("Pulumi.butikk.yaml"), "config: { vds-tenants:environment: lab }")
    [said] = evidence(tenants=[Registered(file, registered().state)]).open_points
    assert said == "tenant butikk: its registration has mistakes: run `vds tenant check butikk`"


def in_staging(resource: dict[str, Any]) -> bool:
    metadata = resource.get("inputs", {}).get("metadata", {})
    return "butikk-staging" in (metadata.get("name"), metadata.get("namespace"))


def changed(name: str) -> dict[str, Any]:
    made = tenant_export()
    resources = made["deployment"]["resources"]
    if name == "gone":
        made["deployment"]["resources"] = [one for one in resources if not in_staging(one)]
    elif name == "more":
        more = copy.deepcopy(entry(made, "butikk-namespace-prod"))
        more["urn"] += "-more"
        more["inputs"]["metadata"]["name"] = "butikk-old"
        resources.append(more)
    elif name == "owner":
        entry(made, "butikk-prod-rolebinding-tenant-owner")["inputs"]["subjects"][0]["name"] = "strangers"
    else:
        entry(made, "butikk-prod-contract-contract")["inputs"]["spec"][name] = ["other.example.no"]
    return made


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone", "namespace butikk-staging is in the registration, not in the state"),
        ("more", "namespace butikk-old is in the state, not in the registration"),
        (
            "owner",
            "namespace butikk-prod is owned by butikk-developers in the registration, by strangers in the state",
        ),
        ("domains", "the contract of butikk-prod has in another way than registration and stack file: domains"),
    ],
)
def test_what_differs_from_the_registration_is_named(name: str, said: str) -> None:
    found = evidence(tenants=[registered(changed(name))])
    assert found.open_points == (f"tenant butikk: {said}: {AGAIN}",)
    assert found.verdict != "holds"


def test_an_interrupted_update_of_a_tenant_is_no_evidence() -> None:
    made = tenant_export()
    made["deployment"]["pending_operations"] = [{"type": "creating", "resource": {"urn": "urn:pulumi:b::p::t::web"}}]
    [said] = evidence(tenants=[registered(made)]).open_points
    assert said.startswith("tenant butikk: creating web: the engine was interrupted there")


def test_where_the_states_of_tenants_are_is_a_place() -> None:
    found = evidence(tenants=[registered()._replace(backend="https://api.pulumi.com")])
    assert ("api.pulumi.com", "undeclared") in {(one.location, one.status) for one in found.places}
