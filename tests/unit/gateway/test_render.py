"""The canary route is the one the seed article shows, and objects fit the CRDs that judge them."""

import pytest

from components.gateway.model import GatewaySpec
from components.gateway.render import gateway, gateway_class, http_route
from tests.support.modules import GATEWAY_API, pinned, versions
from tests.support.schemas import crd_errors
from tests.support.stacks import stack


def test_the_canary_route_splits_a_prefix_and_adds_a_header() -> None:
    spec = stack("lab").gateway
    made = http_route(spec.routes[0], spec)
    assert made["metadata"]["namespace"] == "butikk"
    assert made["spec"] == {
        "parentRefs": [{"name": "public", "namespace": "gateway-system"}],
        "hostnames": ["butikk.example.no"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/api/v2"}}],
                "filters": [
                    {
                        "type": "RequestHeaderModifier",
                        "requestHeaderModifier": {"add": [{"name": "X-Region-Context", "value": "no-osl-1"}]},
                    }
                ],
                "backendRefs": [
                    {"name": "api-stable", "port": 8080, "weight": 90},
                    {"name": "api-canary", "port": 8080, "weight": 10},
                ],
            }
        ],
    }


@pytest.mark.parametrize("release", sorted({*versions(GATEWAY_API), pinned("gateway-api")}))
@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_gateway_and_routes_fit_the_crds(name: str, release: str) -> None:
    spec = stack(name).gateway
    for made in [gateway_class(spec), gateway(spec), *(http_route(route, spec) for route in spec.routes)]:
        assert crd_errors(made, GATEWAY_API, release) == []


def test_the_crds_refuse_what_they_do_not_know() -> None:
    spec = stack("lab").gateway
    made = gateway(spec)
    made["spec"]["listener"] = []
    [error] = crd_errors(made, GATEWAY_API, pinned("gateway-api"))
    assert "'listener' was unexpected" in error


def test_only_namespaces_of_tenants_may_attach_routes() -> None:
    plain, listener = gateway(stack("lab").gateway)["spec"]["listeners"]
    assert plain["allowedRoutes"] == {"namespaces": {"from": "Same"}}, "it only redirects: no tenant's route is served"
    selector = {"matchExpressions": [{"key": "vds-platform.no/tenant", "operator": "Exists"}]}
    assert listener["allowedRoutes"] == {"namespaces": {"from": "Selector", "selector": selector}}


def test_cert_manager_is_asked_by_annotation() -> None:
    spec = GatewaySpec.model_validate(
        {
            "install": {"kind": "existing"},
            "clusterIssuer": "letsencrypt",
            "listeners": [
                {
                    "name": "https",
                    "port": 443,
                    "protocol": "HTTPS",
                    "hostname": "a.example.no",
                    "certificateSecret": "a-example-no",
                }
            ],
        }
    )
    made = gateway(spec)
    assert made["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt"
    [listener] = made["spec"]["listeners"]
    assert listener["tls"] == {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": "a-example-no"}]}
