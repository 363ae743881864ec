"""Everything that a route may say, as the objects that it becomes, which the published CRDs take."""

from typing import Any

import pytest

from components.agency.render import route_manifest
from components.gateway.capabilities import route_problems
from components.gateway.model import GatewaySpec, GrpcRoute, Route
from components.gateway.render import gateway
from components.gateway.routes import grpc_route, http_route
from components.stackfile.parsing import parse
from components.stackfile.spec import PlatformSpec
from components.tenancy.registration.contract import contract_spec
from tests.support.agency import route
from tests.support.manifests import gateway_manifests
from tests.support.modules import GATEWAY_API, versions
from tests.support.registrations import registration
from tests.support.schemas import crd_errors
from tests.support.stacks import ROOT, problems, stack, stack_data

STABLE = {"service": "api-stable", "port": 8080, "weight": 90}
CANARY = {"service": "api-canary", "port": 8080, "weight": 10}
NAMED = {
    "name": "api",
    "namespace": "butikk-prod",
    "tenant": "butikk",
    "hostnames": ["butikk.example.no", "www.butikk.example.no"],
}
SPEC = stack("oslo").gateway
TO = [{"name": "public", "namespace": "gateway-system"}]
WHOLE = {
    **NAMED,
    "matches": [
        {"pathPrefix": "/api/v2", "method": "GET"},
        {"path": "/status", "headers": {"X-Beta": "yes"}, "query": {"format": "json"}},
    ],
    "addHeaders": {"X-Region-Context": "no-osl-1"},
    "requestHeaders": {"set": {"X-Set": "s"}, "remove": ["X-Gone"]},
    "responseHeaders": {"add": {"X-Added": "a"}, "remove": ["Server"]},
    "rewrite": {"hostname": "inner.example.no", "path": "/"},
    "mirror": {"service": "copy", "port": 8080, "percent": 5},
    "timeouts": {"requestSeconds": 120, "backendSeconds": 10},
    "stable": STABLE,
    "canary": CANARY,
}


def rule(**fields: Any) -> dict[str, Any]:
    made = http_route(Route.model_validate({**NAMED, **fields}), TO)
    assert crd_errors(made, GATEWAY_API, "1.6.1") == []
    (found,) = made["spec"]["rules"]
    return dict(found)


def test_a_canary_keeps_every_filter_and_match() -> None:
    without, found = rule(**{**WHOLE, "canary": None}), rule(**WHOLE)
    assert [(one["name"], one["weight"]) for one in found["backendRefs"]] == [("api-stable", 90), ("api-canary", 10)]
    assert {**found, "backendRefs": []} == {**without, "backendRefs": []}


def test_all_of_it_is_one_rule_in_gateway_apis_words() -> None:
    found = rule(**WHOLE)
    assert found["matches"] == [
        {"path": {"type": "PathPrefix", "value": "/api/v2"}, "method": "GET"},
        {
            "path": {"type": "Exact", "value": "/status"},
            "headers": [{"name": "X-Beta", "value": "yes"}],
            "queryParams": [{"name": "format", "value": "json"}],
        },
    ]
    assert found["timeouts"] == {"request": "120s", "backendRequest": "10s"}
    assert {one["type"]: next(value for key, value in one.items() if key != "type") for one in found["filters"]} == {
        "RequestHeaderModifier": {
            "add": [{"name": "X-Region-Context", "value": "no-osl-1"}],
            "set": [{"name": "X-Set", "value": "s"}],
            "remove": ["X-Gone"],
        },
        "ResponseHeaderModifier": {"add": [{"name": "X-Added", "value": "a"}], "remove": ["Server"]},
        "URLRewrite": {
            "hostname": "inner.example.no",
            "path": {"type": "ReplaceFullPath", "replaceFullPath": "/"},
        },
        "RequestMirror": {"backendRef": {"name": "copy", "port": 8080}, "percent": 5},
    }


def test_a_redirect_has_no_backend() -> None:
    found = rule(matches=[{"pathPrefix": "/old"}], redirect={"pathPrefix": "/new", "port": 8443, "status": 308})
    assert "backendRefs" not in found
    assert found["filters"] == [
        {
            "type": "RequestRedirect",
            "requestRedirect": {
                "scheme": "https",
                "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"},
                "port": 8443,
                "statusCode": 308,
            },
        }
    ]


@pytest.mark.parametrize("release", [one for one in versions(GATEWAY_API) if one != "1.4.1"])
def test_the_crds_take_all_of_it(release: str) -> None:
    grpc = GrpcRoute.model_validate(
        {
            **NAMED,
            "methods": ["shop.v1.Orders/List", "shop.v1.Carts"],
            "addHeaders": {"X-A": "a"},
            "stable": STABLE,
        }
    )
    assert crd_errors(http_route(Route.model_validate(WHOLE), TO), GATEWAY_API, release) == []
    assert crd_errors(grpc_route(grpc, TO), GATEWAY_API, release) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "has neither stable nor redirect"),
        ({"stable": STABLE, "redirect": {"hostname": "a.example.no"}}, "has redirect and stable"),
        ({"redirect": {}}, "redirects to itself"),
        ({"stable": STABLE, "rewrite": {}}, "changes nothing"),
        ({"stable": STABLE, "rewrite": {"path": "/a", "pathPrefix": "/b"}}, "has path and pathPrefix"),
        ({"stable": STABLE, "matches": [{"path": "/a", "pathPrefix": "/b"}]}, "has path and pathPrefix"),
        ({"stable": STABLE, "matches": [{"path": "/a"}], "rewrite": {"pathPrefix": "/b"}}, "and a match has path"),
        (
            {"stable": STABLE, "matches": [{}, {"method": "GET"}], "rewrite": {"pathPrefix": "/b"}},
            "has several matches",
        ),
        ({"stable": STABLE, "timeouts": {"requestSeconds": 5, "backendSeconds": 6}}, "more than requestSeconds"),
        ({"stable": STABLE, "responseHeaders": {"add": {"X-A": "a"}, "remove": ["x-a"]}}, "names x-a more than once"),
        (
            {"stable": STABLE, "addHeaders": {"X-A": "a"}, "requestHeaders": {"set": {"x-a": "b"}}},
            "has x-a in addHeaders and requestHeaders",
        ),
        ({"stable": STABLE, "hostnames": []}, "at least 1 item"),
    ],
)
def test_what_a_route_may_not_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Route.model_validate({**NAMED, **fields})


# --- what controllers and CRDs can't do ------------------------------------------------------------------


def test_cilium_takes_no_limits() -> None:
    data = stack_data("oslo")
    data["cni"]["gatewayApi"] = True
    data["gateway"] |= {"install": {"kind": "existing"}, **CILIUM, "limits": {"bodyMebibytes": 50, "readSeconds": 120}}
    found = problems(data)
    assert [line.split(":")[0] for line in found] == ["gateway.limits.bodyMebibytes", "gateway.limits.readSeconds"]


CILIUM = {"controllerName": "io.cilium/gateway-controller"}


@pytest.mark.parametrize(
    ("bundle", "fields", "message"),
    [
        (
            "1.4.1",
            {"redirect": {"hostname": "a.example.no", "status": 308}},
            "redirect.status 308 needs Gateway API 1.5",
        ),
        ("1.1.0", {"stable": STABLE, "timeouts": {"requestSeconds": 5}}, "timeouts needs Gateway API 1.2"),
        (None, {"stable": STABLE, "timeouts": {"requestSeconds": 5}}, "which release is in the cluster is not known"),
    ],
)
def test_what_the_crds_lack_is_refused(bundle: str | None, fields: dict[str, Any], message: str) -> None:
    [problem] = route_problems("route 'api'", Route.model_validate({**NAMED, **fields}), bundle)
    assert message in str(problem)
    assert list(route_problems("route 'api'", Route.model_validate({**NAMED, **fields}), "1.6.1")) == []


# --- listeners for one tenant ----------------------------------------------------------------------------


def test_the_gateway_admits_its_namespace_alone() -> None:
    data = SPEC.model_dump(by_alias=True)
    own = {"name": "own", "port": 443, "protocol": "HTTPS", "hostname": "a.example.org", "certificateSecret": "own"}
    spec = GatewaySpec.model_validate({**data, "listeners": [{**own, "tenant": "butikk"}]})
    (listener,) = gateway(spec, stack("oslo").gateway_context)["spec"]["listeners"]
    assert listener["allowedRoutes"]["namespaces"] == {
        "from": "Selector",
        "selector": {"matchLabels": {"vds-platform.no/tenant": "butikk"}},
    }


def test_a_fixed_address_is_one_of_the_pools() -> None:
    data = stack_data("oslo")
    data["gateway"]["address"] = "198.51.100.200"
    assert problems(data) == []
    data["gateway"]["address"] = "198.51.100.199"
    (problem,) = problems(data)
    assert "gateway.address: 198.51.100.199 is in no pool of metallb.pools (198.51.100.200-198.51.100.220)" in problem


def with_own_listener(**cni: Any) -> PlatformSpec:
    own = {"name": "own", "port": 443, "protocol": "HTTPS", "hostname": "a.example.org", "certificateSecret": "own"}
    data = stack_data("oslo")
    data["cni"] |= {"gatewayApi": True, **cni}
    data["gateway"] |= {"install": {"kind": "existing"}, **CILIUM, "bundleVersion": "1.6.1"}
    data["gateway"]["listeners"].append({**own, "tenant": "butikk"})
    return parse(data, base_dir=ROOT)


def test_where_there_are_listener_sets_a_tenants_listener_is_in_one() -> None:
    platform = with_own_listener()
    made = gateway_manifests(platform)
    for item in made:
        assert crd_errors(item, GATEWAY_API, "1.6.1") == []
    [entrance] = [item for item in made if item["kind"] == "Gateway"]
    [listeners] = [item for item in made if item["kind"] == "ListenerSet"]
    assert [one["name"] for one in entrance["spec"]["listeners"]] == ["http", "https"]
    assert entrance["spec"]["allowedListeners"] == {"namespaces": {"from": "Same"}}
    assert listeners["spec"]["parentRef"] == {"name": entrance["metadata"]["name"]}
    assert [one["name"] for one in listeners["spec"]["listeners"]] == ["own"]
    published = platform.published
    registered = registration(domains=["butikk.example.no", "a.example.org"])
    given = contract_spec(registered, "butikk-prod", published)
    assert (given.gateway.listeners, given.gateway.listener_set) == (("https", "own"), ("own",))
    hosts = ["butikk.example.no", "a.example.org"]
    both, own = (
        route_manifest(route(hostnames=hosts, **more), given)["spec"]["parentRefs"]
        for more in ({}, {"listener": "own"})
    )
    in_set = {"kind": "ListenerSet", "name": "butikk", "namespace": "gateway-system", "sectionName": "own"}
    assert both == [{"name": "public", "namespace": "gateway-system", "sectionName": "https"}, in_set]
    assert own == [in_set]


def test_where_there_are_none_it_is_the_gateways() -> None:
    made = gateway_manifests(stack("oslo"))
    assert not [item for item in made if item["kind"] == "ListenerSet"]
    platform = with_own_listener()
    around = platform.gateway_context._replace(listener_sets=False)
    found = gateway(platform.gateway, around)["spec"]
    assert [one["name"] for one in found["listeners"]] == ["http", "https", "own"]
    assert "allowedListeners" not in found
