"""The record of processing and the residency policies see the same data flows."""

import json
from functools import partial
from typing import Any

import pytest
from pulumi_policy.proxy import unknown_checking_proxy

from components.charts.releases import inside
from components.residency.data_flows import data_flows
from policies.engine import ENGINE_POLICIES
from policies.releases import versions
from policies.unknowns import plain
from tests.support.foreign import kube
from tests.support.policy import UNKNOWN, Resource, exported, violations
from tests.support.policy_cases import CASES
from vds.evidence.data_flows import ENCRYPTED, Seen, of_state
from vds.evidence.state import read

RESOURCES = [
    resource
    for case in CASES.values()
    for resource in (*case.passes, *case.fails, *case.unknown)
    if resource.type.startswith("kubernetes:")
]


def recorded(resource: Resource) -> list[Seen]:
    state = read(json.dumps(exported([resource])), "a test")
    return [seen for seen in of_state(state, "") if seen.kind != "secrets"]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_the_record_has_every_data_flow_that_the_policies_check(resource: Resource) -> None:
    inputs = plain(unknown_checking_proxy(dict(resource.props)))
    within = partial(inside, resource.name, inputs, versions())
    flows = list(data_flows(resource.type, resource.name, inputs, within))
    assert len({(flow.purpose, flow.field) for flow in flows}) <= len(recorded(resource))
    assert {(flow.purpose, flow.field) for flow in flows} == {
        (seen.kind, seen.seen_in.partition(": ")[2].partition(": ")[2]) for seen in recorded(resource)
    }


def release(**inputs: Any) -> Resource:
    return Resource("kubernetes:helm.sh/v3:Release", {"chart": "cilium", "values": {}, **inputs}, "cni")


def test_values_from_files_are_as_undecided_in_the_record_as_in_the_policy() -> None:
    made = release(valueYamlFiles=["values.yaml"])
    [seen] = [seen for seen in recorded(made) if seen.location.startswith("not known")]
    assert "valueYamlFiles.0 is not known yet" in seen.location
    config = {"residency-destinations": {"places": []}}
    messages = [v.message for v in violations(ENGINE_POLICIES, [made], config)]
    assert any("cannot be decided at preview: valueYamlFiles.0 is not known yet" in said for said in messages)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("metallb.io/v1beta1:IPAddressPool", {"addresses": ["203.0.113.10-203.0.113.20"]}),
        ("cilium.io/v2:CiliumLoadBalancerIPPool", {"blocks": [{"start": "203.0.113.10", "stop": "203.0.113.20"}]}),
        ("cilium.io/v2alpha1:CiliumLoadBalancerIPPool", {"cidrs": [{"start": "203.0.113.10", "stop": "203.0.113.20"}]}),
    ],
)
def test_a_pool_of_either_kind_is_in_the_record_with_its_whole_range(kind: str, spec: dict[str, Any]) -> None:
    api, _, name = kind.partition(":")
    [seen] = recorded(kube(api, name, "public", spec=spec))
    assert (seen.kind, seen.name, seen.location) == ("addresses", "pool public", "203.0.113.10-203.0.113.20")


def test_a_private_pool_is_in_the_record_and_needs_no_place() -> None:
    private = kube("metallb.io/v1beta1", "IPAddressPool", "inside", "m", spec={"addresses": ["10.0.0.1-10.0.0.9"]})
    [seen] = recorded(private)
    assert seen.location == "10.0.0.1-10.0.0.9"
    assert violations(ENGINE_POLICIES, [private], {"residency-destinations": {"places": []}}) == []


def test_an_encrypted_destination_is_in_the_record() -> None:
    [seen] = recorded(kube("v1", "Secret", "s", "a", data={"url": UNKNOWN, "password": UNKNOWN}))
    assert (seen.location, seen.seen_in) == (ENCRYPTED, "state: Secret-s: data.url")
