"""What an app's and a route's objects have. Their whole text is in the golden files."""

from typing import Any

import pytest

from components.agency.model import App
from components.agency.render import app_manifests, route_manifest
from components.core.labels import WAIT_FOR
from components.core.manifests import Manifest
from components.gateway.canary.model import Plan
from components.gateway.canary.route import canary_route
from tests.support.agency import FULL_APP, FULL_ROUTE, app, contract, route


def made(one: App, kind: str, name: str = "api", **changed: Any) -> Manifest:
    (found,) = [
        item
        for item in app_manifests(one, contract(**changed))
        if (item["kind"], item["metadata"]["name"]) == (kind, name)
    ]
    return found


@pytest.mark.parametrize(("settings", "versions"), [({}, ["api"]), (FULL_APP, ["api", "api-canary"])])
def test_each_version_has_pods_a_service_and_a_budget(settings: dict[str, Any], versions: list[str]) -> None:
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        found = [one["metadata"]["name"] for one in app_manifests(app(**settings), contract()) if one["kind"] == kind]
        assert found == versions


def test_a_service_selects_the_pods_of_its_own_version_alone() -> None:
    one = app(**FULL_APP)
    labels = {
        name: made(one, "Deployment", name)["spec"]["template"]["metadata"]["labels"] for name in ("api", "api-canary")
    }
    for name in labels:
        selector = made(one, "Service", name)["spec"]["selector"].items()
        assert [other for other in labels if selector <= labels[other].items()] == [name]


def test_no_pod_has_a_token_of_its_service_account() -> None:
    assert made(app(), "ServiceAccount")["automountServiceAccountToken"] is False
    assert made(app(), "Deployment")["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_an_egress_is_a_label_of_the_pods() -> None:
    labels = made(app(egress=["vipps"]), "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert labels["egress.vds-platform.no/vipps"] == "true"


def test_the_gateways_pods_may_call_an_app_where_the_gateway_has_pods() -> None:
    gateway = contract().gateway.model_dump(by_alias=True)
    by_pods = made(app(), "NetworkPolicy")["spec"]["ingress"]
    by_cilium = made(app(), "NetworkPolicy", gateway={**gateway, "dataPlaneNamespace": ""})["spec"]["ingress"]
    selector = by_pods[0]["from"][0]["namespaceSelector"]
    assert selector["matchLabels"] == {"kubernetes.io/metadata.name": "gateway-system"}
    assert by_cilium == []


def test_a_canary_has_the_apps_settings_and_its_own_image_and_variables() -> None:
    one = app(**FULL_APP)
    stable, canary = (
        made(one, "Deployment", name)["spec"]["template"]["spec"]["containers"][0] for name in ("api", "api-canary")
    )
    assert canary["image"] != stable["image"]
    assert {"name": "MODE", "value": "new"} in canary["env"]
    for own in (stable, canary):
        del own["image"], own["env"]
    assert canary == stable


@pytest.mark.parametrize(("percent", "weights"), [(None, [100]), (0, [100, 0]), (10, [90, 10]), (50, [50, 50])])
def test_a_percentage_is_a_weight_of_the_two_services(percent: int | None, weights: list[int]) -> None:
    settings: dict[str, Any] = {} if percent is None else {"canary": {"percent": percent}}
    backends = route_manifest(route(**settings), contract())["spec"]["rules"][0]["backendRefs"]
    assert [one["weight"] for one in backends] == weights
    assert [one["name"] for one in backends] == ["api", "api-canary"][: len(weights)]


def test_a_route_is_in_its_own_namespace_and_on_the_contracts_gateway() -> None:
    found = route_manifest(route(**FULL_ROUTE), contract())
    assert found["metadata"]["namespace"] == "butikk-prod"
    assert found["spec"]["parentRefs"] == [{"name": "public", "namespace": "gateway-system", "sectionName": "https"}]


def test_a_route_waits_for_its_listener_where_the_contract_has_one() -> None:
    gateway = contract().gateway.model_dump(by_alias=True)
    for listeners, waits in ((["https"], True), (["https", "other"], False)):
        found = route_manifest(route(), contract(gateway={**gateway, "listeners": listeners}))
        assert [one["sectionName"] for one in found["spec"]["parentRefs"]] == listeners
        assert (WAIT_FOR in found["metadata"]["annotations"]) is waits


def test_a_canary_with_steps_begins_with_nothing_and_is_read_as_it_was_written() -> None:
    plan = {"steps": [5, 50], "hold": "1m", "gates": [{"kind": "success", "marginPercent": 2.5}]}
    made = route_manifest(route(canary=plan), contract())
    found = canary_route(made)
    assert found.plan == Plan.model_validate(plan)
    assert (*found[:4], *found[5:7]) == ("butikk-prod", "shop", "api", "api-canary", "gateway-system", "public")
    assert [one["weight"] for one in made["spec"]["rules"][0]["backendRefs"]] == [100, 0]


def test_headers_copies_and_one_listener_are_as_in_the_stack_file() -> None:
    gateway = {**contract().gateway.model_dump(by_alias=True), "listeners": ["https", "other"]}
    more = {"addHeaders": {"X-A": "1"}, "listener": "other", "mirror": {"app": "frontend", "percent": 5}}
    made = route_manifest(route(**more), contract(gateway=gateway))
    assert [one["sectionName"] for one in made["spec"]["parentRefs"]] == ["other"]
    [rule] = made["spec"]["rules"]
    assert rule["filters"] == [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [{"name": "X-A", "value": "1"}]}},
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "frontend", "port": 80}, "percent": 5}},
    ]


def test_a_listener_of_the_tenants_own_is_in_its_listener_set() -> None:
    gateway = {**contract().gateway.model_dump(by_alias=True), "listeners": ["https", "own"], "listenerSet": ["own"]}
    https, own = route_manifest(route(), contract(gateway=gateway))["spec"]["parentRefs"]
    assert "kind" not in https
    assert (own["kind"], own["name"], own["sectionName"]) == ("ListenerSet", "butikk", "own")
