"""What a stack file may say of a canary with steps, and what the route and Traefik become."""

from typing import Any

import pytest

from components.agency.rules import route_problems
from components.core import labels
from components.gateway.canary.model import seconds
from components.gateway.model import GatewayContext, GatewaySpec, Route, Traefik
from components.gateway.rules import gateway_problems, steps_problems
from components.gateway.traefik import traefik_manifests
from tests.support.agency import contract
from tests.support.agency import route as agency_route
from tests.support.modules import GATEWAY_API
from tests.support.rollouts import manifest, route
from tests.support.schemas import crd_errors
from tests.support.stacks import stack


def canary(**fields: Any) -> Route:
    data = route().model_dump(by_alias=True)
    return Route.model_validate({**data, "canary": {"service": "api-canary", "port": 8080, **fields}})


def test_before_the_last_step_the_ceiling_holds() -> None:
    assert list(steps_problems("route 'api'", [1, 5, 25, 50, 100], 50)) == []
    [problem] = steps_problems("route 'api'", [5, 60, 100], 50)
    assert "its canary's steps 60 are over the ceiling of 50 %" in str(problem)
    [problem] = steps_problems("route 'api'", [5, 60], 50)
    assert "steps 60 are over" in str(problem)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "has neither weight nor steps"),
        ({"steps": [5, 100], "weight": 5}, "has steps and weight 5"),
        ({"steps": [100]}, "do not increase"),
        ({"steps": [5, 5, 100]}, "do not increase"),
        ({"weight": 5, "hold": "1m"}, "has hold and no steps"),
        ({"steps": [5, 100], "gates": []}, "has no gate"),
        ({"steps": [5, 100], "gates": [{"kind": "success"}, {"kind": "success"}]}, "has a gate twice"),
        (
            {"steps": [5, 100], "gates": [{"kind": "success", "source": "probe"}]},
            "has a gate with source: probe and no probe",
        ),
        ({"steps": [5, 100], "probe": {"path": "/"}}, "has probe and no gate with source: probe"),
        ({"steps": [5, 100], "probe": {"path": "http://10.0.0.1/"}}, "should match pattern"),
        ({"steps": [5, 100], "hold": "30s", "interval": "1m"}, "interval 1m is longer than hold 30s"),
        ({"steps": [5, 100], "hold": "2h"}, "is not shorter than abort.inconclusiveAfter 2h"),
        ({"steps": [5, 100], "hold": "ten minutes"}, "is no duration"),
    ],
)
def test_what_never_works_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        canary(**fields)


def test_durations_are_seconds() -> None:
    assert [seconds(one) for one in ("30s", "10m", "2h")] == [30, 600, 7200]


def test_the_canary_begins_with_nothing_and_the_route_names_its_steps() -> None:
    made = manifest()
    assert crd_errors(made, GATEWAY_API, "1.6.1") == []
    [rule] = made["spec"]["rules"]
    assert [one["weight"] for one in rule["backendRefs"]] == [100, 0]
    assert rule["filters"][0]["type"] == "RequestHeaderModifier"
    assert made["metadata"]["annotations"][labels.CANARY_STEPS] == "5,25,100"


PROBED: dict[str, Any] = {"gates": [{"kind": "success", "source": "probe"}], "probe": {"path": "/healthz"}}


@pytest.mark.parametrize(
    ("plan", "counted"),
    [({}, True), ({"gates": [{"kind": "success", "source": "prometheus"}]}, True), (PROBED, False)],
)
def test_only_the_platforms_own_traefik_counts_requests_and_probes_need_none(
    plan: dict[str, Any], counted: bool
) -> None:
    asked = agency_route(canary={"steps": [5, 50], **plan})
    given = contract(gateway={**contract().gateway.model_dump(by_alias=True), "countsRequests": False})
    said = [str(one) for one in route_problems(asked, given)]
    assert any("this gateway counts no requests" in one for one in said) is counted


def test_a_gate_has_the_name_of_its_source() -> None:
    gates = canary(steps=[5, 100], **PROBED).canary.gates  # type: ignore[union-attr]
    assert [gate.name for gate in (*gates, *route().canary.gates)] == [  # type: ignore[union-attr]
        "probe success",
        "success",
        "latency",
    ]


def test_the_counters_are_on_the_pods_own_address() -> None:
    def arguments(spec: GatewaySpec) -> list[str]:
        assert isinstance(spec.install, Traefik)
        [pods] = [one for one in traefik_manifests(spec, spec.install, GatewayContext()) if one["kind"] == "Deployment"]
        return list(pods["spec"]["template"]["spec"]["containers"][0]["args"])

    assert "--entrypoints.metrics.address=127.0.0.1:8082" in arguments(stack("oslo").gateway)


def test_no_listener_has_the_port_of_the_counters() -> None:
    data = stack("oslo").gateway.model_dump(by_alias=True)
    listener = {
        "name": "other",
        "port": 8082,
        "protocol": "HTTPS",
        "hostname": "a.example.no",
        "certificateSecret": "a",
    }
    spec = GatewaySpec.model_validate({**data, "listeners": [*data["listeners"], listener]})
    assert [str(one) for one in gateway_problems(spec)] == [
        "listener 'other': has port 8082, where Traefik counts requests: choose another port"
    ]
