"""What a contract does not allow, in words for people who do not know Kubernetes."""

from collections.abc import Callable
from typing import Any

import pytest

from components.agency.model import App, Route
from components.agency.rules import route_problems, stack_problems
from tests.support.agency import DIGEST, FULL_APP, FULL_ROUTE, IMAGE, ON_CILIUM, app, contract, route


def said(apps: list[App], routes: list[Route], **changed: Any) -> list[str]:
    return [str(found) for found in stack_problems(apps, routes, contract(**changed))]


FRIENDS = [
    app(name="frontend", callers=[], calls=[{"app": "api", "port": 8080}]),
    app(name="database", callers=["api"], port=5432),
]


def test_what_keeps_the_contract_has_no_finding() -> None:
    routes = [route(**FULL_ROUTE), route(name="www", hostnames=["*.butikk.example.no"])]
    assert said([app(**FULL_APP), *FRIENDS], routes) == []


_CASES: list[tuple[Callable[[], list[str]], str]] = [
    (
        lambda: said([app()], [route(hostnames=["nav.example.org"])]),
        "route 'shop': nav.example.org is not a domain of this tenant; the contract has butikk.example.no: ask the "
        "platform team to register it",
    ),
    (
        lambda: said([app()], [route(hostnames=["xbutikk.example.no"])]),
        "route 'shop': xbutikk.example.no is not a domain of this tenant; the contract has butikk.example.no: ask the "
        "platform team to register it",
    ),
    (
        lambda: said([app(canary={"image": IMAGE})], [route(canary={"percent": 51})]),
        "route 'shop': its canary gets 51 %, and the contract's ceiling is 50 %: write percent: 50 or less, or "
        "make the "
        "canary's image the stable one",
    ),
    (
        lambda: said([app()], [route(canary={"percent": 10})]),
        "route 'shop': app api has no canary, so there is nothing that could answer these requests: add canary: "
        "{ image: … "
        "} to the app",
    ),
    (
        lambda: said([app()], [route(app="apo")]),
        "route 'shop': app apo is not in this stack; it has api: did you mean api?",
    ),
    (
        lambda: said([app(callers=[])], [route()]),
        "route 'shop': app api does not let the gateway call it; its callers are none: add gateway to the app's "
        "callers",
    ),
    (
        lambda: said([app()], [route()], gateway={**contract().gateway.model_dump(by_alias=True), "listeners": []}),
        "route 'shop': the gateway has no listener for butikk.example.no, so nothing answers: ask the "
        "platform team "
        "to add one",
    ),
    (
        lambda: said([app(image=f"registry.example.no/butikk-forged/api@{DIGEST}")], []),
        f"app 'api': image registry.example.no/butikk-forged/api@{DIGEST} is not in a registry of this tenant; "
        "the contract "
        "has registry.example.no/butikk/: push it there, or ask the platform team to register it",
    ),
    (
        lambda: said([app(canary={"image": "registry.example.no/butikk/api:2"})], []),
        "app 'api' canary: image registry.example.no/butikk/api:2 has no digest, so that what runs can change "
        "without this "
        "file: write it as registry/name@sha256:…, as `docker push` prints it",
    ),
    (
        lambda: said([app(egress=["altinn"])], []),
        "app 'api': egress altinn is not a registered destination; the contract has vipps: ask the platform team to "
        "register it",
    ),
    (
        lambda: said([app(namespace="butik-prod")], []),
        "app 'api': butik-prod is not a namespace of tenant butikk; it has butikk-prod, butikk-staging: did you mean "
        "butikk-prod?",
    ),
    (
        lambda: said([app(callers=["gateway", "web"])], []),
        "app 'api': callers has web, which is not an app of this stack; it has api: remove it",
    ),
    (
        lambda: said([app(calls=[{"app": "ape", "port": 80}])], []),
        "app 'api': calls has ape, which is not an app of this stack; it has api: did you mean api?",
    ),
    (
        lambda: said([app(cpuLimit="9", replicas=1)], [], size="small"),
        "app 'api': cpuLimit 9 is more than a pod of a small namespace may have, 2: write 2 or less",
    ),
    (
        lambda: said([app(replicas=20, cpuLimit="100m", memory="64Mi", disk="64Mi")], []),
        "the apps: need 21 pods while they are updated, and a medium namespace has 20 pods: lower replicas, "
        "cpu, memory or "
        "disk, or ask the platform team for a larger namespace",
    ),
]


@pytest.mark.parametrize(("found", "message"), _CASES)
def test_a_mistake_is_named_with_its_remedy(found: Callable[[], list[str]], message: str) -> None:
    assert found()[0] == message


CILIUM = {**contract().gateway.model_dump(by_alias=True), "dataPlaneNamespace": "", "countsRequests": False}
STEPS = {"steps": [5, 25, 50, 100]}


def test_steps_keep_the_contracts_ceiling_before_the_last_one() -> None:
    apps = [app(canary={"image": IMAGE})]
    assert said(apps, [route(canary=STEPS)]) == []
    [found] = said(apps, [route(canary=STEPS)], canaryCeilingPercent=20)
    assert "route 'shop': its canary's steps 25, 50 are over the contract's ceiling of 20 %" in found
    asked = route(canary=STEPS, matches=[{"headers": {"X-Canary": "yes"}}])
    assert said(apps, [asked], canaryCeilingPercent=20) == []


def test_what_a_gateway_does_not_do_is_refused() -> None:
    apps = [app(canary={"image": IMAGE}, callers=["gateway"]), app(name="frontend")]
    assert said(apps, [route(**ON_CILIUM)], gateway=CILIUM) == []
    assert [one.split(",")[0] for one in said(apps, [route(**ON_CILIUM)])] == [
        "route 'shop': has mirror",
        "route 'shop': has timeouts",
    ]
    [found] = said(apps, [route(canary=STEPS)], gateway=CILIUM)
    assert "its canary has steps, and this gateway counts no requests: only the platform's own Traefik does" in found


def test_a_route_names_a_listener_and_an_app_for_copies_that_are_there() -> None:
    [found] = said([app()], [route(listener="http")])
    assert found == (
        "route 'shop': listener http is not one of this tenant's; the contract has https: did you mean https?"
    )
    [found] = said([app()], [route(mirror={"app": "apo"})], gateway=CILIUM)
    assert found == "route 'shop': mirror has app apo, which is not in this stack; it has api: did you mean api?"


def test_requests_that_ask_for_the_canary_are_not_under_its_ceiling() -> None:
    asked = route(canary={"percent": 100}, matches=[{"headers": {"X-Canary": "yes"}}])
    assert said([app(canary={"image": IMAGE})], [asked]) == []


def test_a_registered_exception_excuses_its_rule_and_no_other() -> None:
    by_tag = app(image="registry.example.no/butikk/api:2", egress=["altinn"])
    found = stack_problems([by_tag], [], contract(exceptions=["tenancy-images"]))
    assert [(one.rule, one.value) for one in found] == [("agency-egress", "altinn")]


def test_a_name_is_used_once() -> None:
    assert said([app(), app()], [])[-1] == "app 'api': occurs twice: rename one of them"


def gateway(**changed: Any) -> dict[str, Any]:
    return {**contract().gateway.model_dump(by_alias=True), **changed}


@pytest.mark.parametrize(
    ("given", "fields", "message"),
    [
        ({"hosts": ["a.example.org"]}, {}, "no listener of the gateway takes butikk.example.no"),
        ({"countsRequests": False}, {"canary": {"steps": [5, 50]}}, "this gateway counts no requests"),
    ],
)
def test_what_the_environments_gateway_can_t_do_is_said(
    given: dict[str, Any], fields: dict[str, Any], message: str
) -> None:
    found = route_problems(route(**fields), contract(gateway=gateway(**given)))
    assert [one for one in found if message in str(one)], found
    assert route_problems(route(**fields), contract()) == []


def test_what_a_release_of_gateway_api_lacks_is_refused() -> None:
    moved = route(app=None, redirect={"hostname": "butikk.example.no", "path": "/new", "status": 308})
    old = contract(versions={"gatewayApi": "1.4.1"})
    assert ["redirect.status 308 needs Gateway API 1.5" in str(one) for one in route_problems(moved, old)] == [True]


def test_two_routes_for_the_same_requests_are_refused() -> None:
    [problem] = stack_problems([app()], [route(), route(name="again")], contract())
    assert str(problem) == "routes again and shop: answer the same butikk.example.no/: the older one wins: merge them"
