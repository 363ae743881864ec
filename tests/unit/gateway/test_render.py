"""The canary route is the one the seed article shows, and objects fit the CRDs that judge them."""

import pytest

from components.agency.render import route_manifest
from components.gateway.render import gateway
from tests.support.agency import contract, route
from tests.support.manifests import gateway_manifests
from tests.support.modules import GATEWAY_API, pinned, versions
from tests.support.schemas import crd_errors
from tests.support.stacks import stack


def test_the_canary_route_splits_a_prefix_and_adds_a_header() -> None:
    matches, headers = [{"pathPrefix": "/api/v2"}], {"X-Region-Context": "no-osl-1"}
    made = route_manifest(route(matches=matches, addHeaders=headers, canary={"percent": 10}), contract())
    assert made["metadata"]["namespace"] == "butikk-prod"
    assert made["spec"] == {
        "parentRefs": [{"name": "public", "namespace": "gateway-system", "sectionName": "https"}],
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
                    {"name": "api", "port": 80, "weight": 90},
                    {"name": "api-canary", "port": 80, "weight": 10},
                ],
            }
        ],
    }


@pytest.mark.parametrize("release", sorted({*versions(GATEWAY_API), pinned("gateway-api")}))
@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_the_gateway_and_its_redirects_fit_the_crds(name: str, release: str) -> None:
    for made in gateway_manifests(stack(name)):
        assert crd_errors(made, GATEWAY_API, release) == []


def test_the_crds_refuse_what_they_do_not_know() -> None:
    lab = stack("lab")
    made = gateway(lab.gateway, lab.gateway_context)
    made["spec"]["listener"] = []
    [error] = crd_errors(made, GATEWAY_API, pinned("gateway-api"))
    assert "'listener' was unexpected" in error


def test_only_namespaces_of_tenants_may_attach_routes() -> None:
    lab = stack("lab")
    plain, listener = gateway(lab.gateway, lab.gateway_context)["spec"]["listeners"]
    assert plain["allowedRoutes"] == {"namespaces": {"from": "Same"}}, "it only redirects: no tenant's route is served"
    selector = {"matchExpressions": [{"key": "vds-platform.no/tenant", "operator": "Exists"}]}
    assert listener["allowedRoutes"] == {"namespaces": {"from": "Selector", "selector": selector}}
