"""The contract of a namespace, and its definition."""

from typing import Any

from components.tenancy.registration.contract import contract, contract_definition, contract_spec
from tests.support.registrations import environment, registration


def test_a_contract_says_what_the_platform_gives():
    made = contract(registration(), "butikk-staging", environment())
    assert made["metadata"]["name"] == "contract"
    assert made["metadata"]["namespace"] == "butikk-staging"
    assert made["spec"] == {
        "tenant": "butikk",
        "environment": "oslo",
        "namespaces": ["butikk-prod", "butikk-staging"],
        "size": "small",
        "gateway": {
            "namespace": "gateway-system",
            "name": "public",
            "listeners": ["https"],
            "listenerSet": [],
            "hosts": ["*.example.no"],
            "streams": True,
            "countsRequests": True,
            "address": "192.0.2.200",
            "dataPlaneNamespace": "gateway-system",
        },
        "domains": ["butikk.example.no"],
        "registries": ["registry.example.no/butikk/"],
        "canaryCeilingPercent": 50,
        "egress": [{"name": "vipps", "hosts": ["api.vipps.no"], "networks": [], "ports": [443]}],
        "mtu": 1450,
        "cni": "cilium",
        "dnsNames": True,
        "countries": ["NO"],
        "versions": {"kubernetes": "1.36.3", "cni": "1.20.2", "gatewayApi": "1.5.1"},
        "exceptions": [],
    }


def test_only_listeners_that_take_the_tenants_hosts_are_named():
    listeners = [
        {"name": "all", "port": 443, "hostname": "*.example.no"},
        {"name": "bank", "port": 443, "hostname": "butikk.example.no", "tenant": "bank"},
        {"name": "own", "port": 443, "hostname": "butikk.example.no", "tenant": "butikk"},
        {"name": "other", "port": 443, "hostname": "*.example.com"},
    ]
    gateway = {"namespace": "gateway-system", "name": "public", "listeners": listeners}
    made = contract_spec(registration(), "butikk-prod", environment(gateway=gateway))
    assert made.gateway.listeners == ("all", "own")


def test_the_ceiling_is_never_above_the_environments():
    made = contract_spec(registration(canaryCeilingPercent=80), "butikk-prod", environment(canaryCeilingPercent=20))
    assert made.canary_ceiling_percent == 20


def test_a_field_that_the_environment_does_not_know_is_left_out():
    made = contract(registration(), "butikk-prod", environment(versions={"kubernetes": "1.36.3"}))
    assert made["spec"]["versions"] == {"kubernetes": "1.36.3"}


def test_the_definition_describes_every_field_and_nothing_else():
    (version,) = contract_definition()["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert_described(contract(registration(), "butikk-prod", environment())["spec"], schema)
    assert "versions" in schema["required"]
    assert "required" not in schema["properties"]["versions"]


def assert_described(value: Any, schema: dict[str, Any]) -> None:
    kinds = {dict: "object", list: "array", str: "string", int: "integer", bool: "boolean"}
    assert schema["type"] == kinds[type(value)]
    assert not {"$ref", "anyOf", "title", "default"} & schema.keys()
    if isinstance(value, dict):
        assert value.keys() == schema["properties"].keys()
        for key, inner in value.items():
            assert_described(inner, schema["properties"][key])
    for inner in value if isinstance(value, list) else ():
        assert_described(inner, schema["items"])
