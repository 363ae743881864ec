"""Canaries and host names, wherever they stand in a route."""

from typing import Any

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import kube, named_route, route
from tests.support.policy import UNKNOWN, Resource, violations

ROUTES = "gateway.networking.k8s.io/v1"


def said(*resources: Resource, policy: str) -> list[str]:
    return [found.message for found in violations(ENGINE_POLICIES, list(resources)) if found.policy == policy]


def trial(*backends: list[Any], matches: Any = (), canary: str = "") -> Resource:
    """A route whose annotation names its canary."""
    made = named_route(*backends)
    annotations = {"vds-platform.no/canary": canary} if canary else {}
    spec = {"rules": [{**made.props["spec"]["rules"][0], "matches": list(matches)}]}
    return made._replace(
        props={**made.props, "metadata": {**made.props["metadata"], "annotations": annotations}, "spec": spec}
    )


@pytest.mark.parametrize(
    ("resource", "share"),
    [
        (named_route(["api-canary", 99], ["stable", 1]), "99 of 100"),
        (named_route(["stable", 1], ["api-canary", 49], ["b-canary", 50]), "99 of 100"),
        (named_route(["canary-shop", 10], ["canary-shop-next", 90]), "90 of 100"),
        (trial(["canary-shop", 90], ["canary-next", 10], canary="canary-shop"), "90 of 100"),
        (trial(["next", 99], ["shop", 1], canary="next"), "99 of 100"),
        (trial(["next", 100], canary="next"), "100 of 100"),
        (trial(["next", 100], canary="next", matches=[{"headers": [{"name": "trial", "value": "yes"}]}]), None),
        (trial(["canary-shop", 90], ["canary-next", 10], canary="canary-next"), None),
        (named_route(["canary-shop", 100]), None),
        (named_route(["api-canary", 1], ["stable", 99]), None),
    ],
)
def test_a_canary_is_counted_wherever_it_stands(resource: Resource, share: str | None) -> None:
    found = said(resource, policy="gateway-canary")
    assert len(found) == (share is not None)
    assert share is None or f"its canary gets {share}" in found[0]


@pytest.mark.parametrize("by", ["headers", "queryParams"])
def test_who_asks_for_the_canary_gets_it_and_everybody_else_keeps_the_ceiling(by: str) -> None:
    asked = trial(["primary", 0], ["api-canary", 100], matches=[{by: [{"name": "trial", "value": "yes"}]}])
    everybody = named_route(["primary", 100], ["api-canary", 0])
    rules = [*asked.props["spec"]["rules"], *everybody.props["spec"]["rules"]]
    both = asked._replace(props={**asked.props, "spec": {"rules": rules}})
    assert said(both, policy="gateway-canary") == []
    half = trial(["primary", 0], ["api-canary", 100], matches=[{by: [{"name": "trial"}]}, {"path": {"value": "/"}}])
    [message] = said(half, policy="gateway-canary")
    assert "its canary gets 100 of 100" in message


def bare(owner: str, gateway: Any = "public", kind: str = "HTTPRoute", name: str = "bare", **spec: Any) -> Resource:
    """A route without host names."""
    parents = [{"name": gateway, "namespace": "gateway-system"}]
    made = kube(ROUTES, kind, name, owner, spec={"parentRefs": parents, "rules": [], **spec})
    return made._replace(name=f"{owner}-{name}")


def hosted(owner: str, host: Any, **spec: Any) -> Resource:
    return bare(owner, name="hosted", hostnames=[host], **spec)


def test_a_route_without_host_names_answers_for_everybody_s() -> None:
    [message] = said(hosted("agency", "a.example.no"), bare("butikk"), policy="gateway-hostname-owner")
    assert "route 'bare' of butikk: has no hostnames, so it answers for a.example.no of agency too: write" in message
    [message] = said(hosted("butikk", "a.example.no"), bare("agency"), policy="gateway-hostname-owner")
    assert "route 'bare' of agency: has no hostnames, so it answers for a.example.no of butikk too" in message
    assert len(said(bare("agency"), bare("butikk"), policy="gateway-hostname-owner")) == 1
    assert said(hosted("agency", "a.example.no"), bare("agency"), policy="gateway-hostname-owner") == []


def test_a_route_of_another_gateway_or_another_kind_s_port_takes_nobody_s_requests() -> None:
    assert said(hosted("agency", "a.example.no"), bare("butikk", "own"), policy="gateway-hostname-owner") == []
    unknown = said(hosted("agency", "a.example.no"), bare("butikk", UNKNOWN), policy="gateway-hostname-owner")
    assert "cannot be decided at preview" in unknown[0]


def test_a_route_of_a_gateway_that_takes_one_name_answers_for_that_name() -> None:
    spec = {"listeners": [{"name": "b", "port": 443, "protocol": "HTTPS", "hostname": "b.example.no"}]}
    public = kube(ROUTES, "Gateway", "public", "gateway-system", spec=spec)
    owned = said(public, hosted("agency", "a.example.no"), bare("butikk"), policy="gateway-hostname-owner")
    assert owned == []


def test_a_patch_that_sets_no_host_names_takes_none() -> None:
    patch = bare("butikk")._replace(type=f"kubernetes:{ROUTES}:HTTPRoutePatch")
    assert said(hosted("agency", "a.example.no"), patch, policy="gateway-hostname-owner") == []
    assert said(route(1), policy="gateway-hostname-owner") == []


def test_a_route_of_the_platform_s_own_may_send_everything_on() -> None:
    assert said(hosted("agency", "a.example.no"), bare("gateway-system"), policy="gateway-hostname-owner") == []
    section = {"name": "public", "namespace": "gateway-system", "sectionName": "http"}
    other = {**section, "sectionName": "https"}
    routes = hosted("agency", "a.example.no", parentRefs=[other]), bare("butikk", parentRefs=[section])
    assert said(*routes, policy="gateway-hostname-owner") == []
