"""The law for agencies: what a contract allows passes the policy pack, the API server's policies and the CRDs."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.agency.render import app_manifests, route_manifest
from components.agency.rules import stack_problems
from components.core.manifests import Manifest
from components.tenancy.admission_check import contract_problems
from components.tenancy.registration.contract import ContractSpec
from policies.engine import ENGINE_POLICIES
from tests.support.agency import FULL_APP, FULL_ROUTE, NAMESPACE, app, contract, route
from tests.support.modules import GATEWAY_API, pinned
from tests.support.policy import Resource, violations
from tests.support.schemas import crd_errors

Settings = dict[str, Any]
GATEWAYS = (contract().gateway.model_dump(by_alias=True), {"dataPlaneNamespace": ""})


def resources(manifests: list[Manifest]) -> list[Resource]:
    found = []
    for number, made in enumerate(manifests):
        api = made["apiVersion"] if "/" in made["apiVersion"] else f"core/{made['apiVersion']}"
        found.append(Resource(f"kubernetes:{api}:{made['kind']}", made, name=f"r{number}"))
    return found


def some(full: dict[str, Any], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of the settings, each with its full value or with others."""
    return st.fixed_dictionaries({}, optional={**{key: st.just(value) for key, value in full.items()}, **more})


APPS = some(
    FULL_APP,
    replicas=st.integers(1, 9),
    port=st.integers(1, 65535),
    cpu=st.sampled_from(["50m", "100m"]),
    memory=st.sampled_from(["64Mi", "256Mi"]),
    writable=st.sampled_from([[], ["/tmp", "/var/cache"]]),  # noqa: S108
    callers=st.sampled_from([[], ["gateway"], ["gateway", "frontend"]]),
)
ROUTES = some(
    FULL_ROUTE,
    canary=st.fixed_dictionaries({"percent": st.integers(0, 100)}),
    hostnames=st.sampled_from([["butikk.example.no"], ["*.butikk.example.no", "a.b.butikk.example.no"]]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(APPS, ROUTES, st.booleans())
def test_what_a_contract_allows_passes_the_pack_and_the_crds(
    settings_: dict[str, Any], routed: dict[str, Any], by_cilium: bool
) -> None:
    gateway = {**GATEWAYS[0], **(GATEWAYS[1] if by_cilium else {})}
    given_, one, to = contract(gateway=gateway), app(**settings_), route(**routed)
    ceiling = {"gateway-canary"} & {found.rule for found in stack_problems([one], [to], given_)}
    web = route_manifest(to, given_)
    found = violations(ENGINE_POLICIES, resources([*app_manifests(one, given_), web]))
    assert {violation.policy for violation in found} == ceiling
    assert _refused([*app_manifests(one, given_), web], given_) == ceiling
    assert crd_errors(web, GATEWAY_API, pinned("gateway-api")) == []


@pytest.mark.parametrize(
    ("rule", "settings_", "routed"),
    [
        ("tenancy-registry", {"image": "docker.io/nav/api@sha256:" + "a" * 64}, {}),
        ("tenancy-registry", {"image": "registry.example.no/butikk-forged/api@sha256:" + "a" * 64}, {}),
        ("gateway-hostname", {}, {"hostnames": ["nav.no"]}),
        ("gateway-hostname", {}, {"hostnames": ["xbutikk.example.no"]}),
        ("gateway-hostname", {}, {"hostnames": ["*.example.no"]}),
        ("gateway-canary", {}, {"canary": {"percent": 51}}),
    ],
)
def test_what_the_api_server_refuses_is_said_before(rule: str, settings_: Settings, routed: Settings) -> None:
    one, to = app(canary=FULL_APP["canary"], **settings_), route(**routed)
    assert rule in {found.rule for found in stack_problems([one], [to], contract())}
    assert _refused([*app_manifests(one, contract()), route_manifest(to, contract())], contract()) == {rule}


def _refused(manifests: list[Manifest], given_: ContractSpec) -> set[str]:
    spec = given_.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {found.rule for one in manifests for found in contract_problems(one, spec, namespace=NAMESPACE)}
