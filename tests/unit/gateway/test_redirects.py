"""Listeners that send every request on to HTTPS: what they are rendered as, and what they may not be."""

from typing import Any

import pytest

from components.gateway.model import GatewaySpec
from components.gateway.render import gateway
from components.gateway.routes import redirect_route, redirects
from tests.support.policy import findings
from tests.support.stacks import problems, stack, stack_data

HTTP = {"name": "http", "port": 80, "protocol": "HTTP", "redirect": "https"}
HTTPS = {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "*.example.no", "certificateSecret": "w"}


def spec(*listeners: dict[str, Any]) -> GatewaySpec:
    return GatewaySpec.model_validate({"install": {"kind": "existing"}, "listeners": listeners})


def said(*listeners: dict[str, Any]) -> list[str]:
    data = stack_data("oslo")
    data["gateway"] |= {"listeners": list(listeners)}
    return problems(data)


def test_a_request_is_answered_with_301_and_the_same_host_by_https() -> None:
    found = spec(HTTP, HTTPS)
    (listener,) = redirects(found)
    route = redirect_route(listener, found)
    assert route["metadata"]["namespace"] == "gateway-system"
    (parent,) = route["spec"]["parentRefs"]
    assert (parent["name"], parent["sectionName"]) == ("public", "http")
    (rule,) = route["spec"]["rules"]
    assert rule["filters"] == [
        {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}},
    ]
    assert "backendRefs" not in rule
    assert "hostnames" not in route["spec"]


def test_another_port_than_443_is_written_into_the_answer() -> None:
    found = spec(HTTP, {**HTTPS, "port": 8443})
    (rule,) = redirect_route(redirects(found)[0], found)["spec"]["rules"]
    assert rule["filters"][0]["requestRedirect"]["port"] == 8443


def test_it_needs_no_exception_from_tls() -> None:
    assert said(HTTP, HTTPS) == []


@pytest.mark.parametrize(
    ("listeners", "message"),
    [
        ([HTTP], "redirects every host to HTTPS, and no HTTPS listener"),
        ([{**HTTP, "hostname": "a.example.com"}, HTTPS], "redirects a.example.com to HTTPS, and no HTTPS listener"),
        (
            [HTTP, {**HTTPS, "port": 8443}, {**HTTPS, "name": "other", "port": 9443}],
            "or more than one port but 443, takes it",
        ),
        (
            [{**HTTP, "plainText": {"until": "2027-01-01", "reason": "a test has none"}}, HTTPS],
            "has redirect and plainText",
        ),
        ([{key: value for key, value in HTTP.items() if key != "redirect"}, HTTPS], "write redirect: https"),
    ],
)
def test_what_a_redirect_may_not_be(listeners: list[dict[str, Any]], message: str) -> None:
    (problem,) = said(*listeners)
    assert message in problem


# --- what a policy sees ----------------------------------------------------------------------------------


def judged(*routes: dict[str, Any], **change: Any) -> list[str]:
    made = gateway(stack("oslo").gateway, stack("oslo").gateway_context)
    made["spec"]["listeners"][0] |= change
    return [str(problem) for problem in findings("gateway-tls", made, *routes, today="2026-11-25")]


def sent_on() -> dict[str, Any]:
    oslo = stack("oslo").gateway
    return redirect_route(redirects(oslo)[0], oslo)


def test_plain_text_that_is_only_sent_on_is_no_plain_text() -> None:
    assert judged(sent_on()) == []


def test_a_listener_with_no_route_or_one_that_serves_takes_plain_text() -> None:
    serving = sent_on()
    serving["metadata"]["name"] = "serves"
    serving["spec"]["rules"] = [{"backendRefs": [{"name": "web", "port": 80}]}]
    for routes in ([], [serving], [sent_on(), serving]):
        (problem,) = judged(*routes)
        assert "http: takes plain text from outside" in problem


def test_a_listener_that_takes_others_routes_may_serve_them() -> None:
    for namespaces in ({"from": "All"}, {"from": "Selector", "selector": {}}):
        assert len(judged(sent_on(), allowedRoutes={"namespaces": namespaces})) == 1


def test_a_redirect_to_plain_text_is_none() -> None:
    route = sent_on()
    route["spec"]["rules"][0]["filters"][0]["requestRedirect"]["scheme"] = "http"
    assert len(judged(route)) == 1
