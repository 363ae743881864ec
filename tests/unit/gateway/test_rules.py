"""What a gateway, its routes and anyone's Services may not be."""

from typing import Any

import pytest

from components.gateway.model import GatewaySpec, shared
from components.gateway.rules import gateway_problems
from tests.support.stacks import stack


def route(**fields: Any) -> dict[str, Any]:
    backend = {"service": "api-stable", "port": 8080, "weight": 90}
    canary = {"service": "api-canary", "port": 8080, "weight": 10}
    named = {"name": "api", "tenant": "butikk", "hostnames": ["butikk.example.no"], "matches": [{"pathPrefix": "/api"}]}
    return {**named, "stable": backend, "canary": canary, **fields}


def listener(**fields: Any) -> dict[str, Any]:
    plain = {"plainText": {"until": "2027-12-31", "reason": "a test has no certificates"}}
    plain = {} if fields.get("protocol") == "HTTPS" else plain
    return {"name": "http", "port": 80, "protocol": "HTTP", **plain, **fields}


def problems(*routes: dict[str, Any], listeners: list[dict[str, Any]] | None = None, **fields: Any) -> list[str]:
    data = {"install": {"kind": "existing"}, "listeners": listeners or [listener()], "routes": list(routes), **fields}
    spec = GatewaySpec.model_validate(data)
    return [str(problem) for problem in gateway_problems(spec, stack("oslo").tenants)]


def test_a_canary_route_of_a_known_tenant_is_fine() -> None:
    assert problems(route()) == []
    assert problems(route(canary=None)) == []


def test_a_route_of_an_unknown_tenant_is_refused() -> None:
    [problem] = problems(route(tenant="nobody"))
    assert problem == "route 'api': tenant 'nobody' is not one of butikk, skjema: add it to tenants, or correct it"


def test_weights_that_are_all_zero_are_refused() -> None:
    stable, canary = {**route()["stable"], "weight": 0}, {**route()["canary"], "weight": 0}
    [problem] = problems(route(stable=stable, canary=canary))
    assert "all weights are zero (0, 0), so every request fails" in problem


@pytest.mark.parametrize("weight", [-1, 1_000_001, 0.5])
def test_a_weight_outside_the_crds_range_has_no_spelling(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        problems(route(stable={**route()["stable"], "weight": weight}))


def test_a_canary_that_is_the_stable_service_is_refused() -> None:
    [problem] = problems(route(canary={**route()["stable"], "weight": 10}))
    assert "stable and canary are the same Service api-stable:8080" in problem


def test_a_host_has_one_owner_and_a_wildcard_does_not_reach_over_anothers() -> None:
    [same] = problems(route(), route(name="web", tenant="skjema"))
    assert same.startswith("route 'web' of skjema: butikk.example.no belongs to butikk too:")
    [over] = problems(route(), route(name="all", tenant="skjema", hostnames=["*.example.no"]))
    assert over == (
        "route 'all' of skjema: *.example.no belongs to butikk too (as butikk.example.no): a host name has one owner; "
        "remove it from one of them"
    )


def test_two_routes_for_the_same_path_are_refused() -> None:
    [problem] = problems(route(), route(name="again"))
    assert problem == "routes again and api: answer the same butikk.example.no/api: the older one wins: merge them"


def test_a_route_that_no_listener_takes_is_refused() -> None:
    [host] = problems(route(), listeners=[listener(hostname="other.example.no")])
    assert "no listener takes butikk.example.no (they have other.example.no)" in host
    [name] = problems(route(listener="https"))
    assert "listener 'https' is not one of http" in name


def test_listeners_are_told_apart() -> None:
    assert "occurs twice" in problems(listeners=[listener(), listener(port=8080)])[0]
    [same] = problems(listeners=[listener(), listener(name="other")])
    assert "can't tell them apart" in same
    https = listener(name="https", protocol="HTTPS", hostname="a.example.no", certificateSecret="a")
    [mixed] = problems(listeners=[listener(), https])
    assert "HTTPS on port 80, where another listener has HTTP" in mixed


def test_a_listener_whose_certificate_is_made_needs_a_name() -> None:
    https = listener(name="https", port=443, protocol="HTTPS", certificateSecret="a")
    assert problems(listeners=[https]) == []
    [problem] = problems(listeners=[https], issuer={"kind": "cluster-issuer", "name": "letsencrypt"})
    assert "has no hostname, and cluster-issuer makes certificates for names" in problem


@pytest.mark.parametrize(
    ("listening", "asked", "meet"),
    [
        (None, "a.example.no", True),
        ("a.example.no", "a.example.no", True),
        ("*.example.no", "a.example.no", True),
        ("*.example.no", "a.b.example.no", True),
        ("*.example.no", "example.no", False),
        ("a.example.no", "*.example.no", True),
        ("*.example.no", "*.b.example.no", True),
        ("*.a.example.no", "*.b.example.no", False),
        ("a.example.no", "b.example.no", False),
    ],
)
def test_hosts_meet_as_gateway_api_says(listening: str | None, asked: str, meet: bool) -> None:
    assert shared(listening, asked) is meet
