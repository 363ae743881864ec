"""gRPC routes of an agency: the same gateway and ceiling, and a fixed share for the canary."""

from typing import Any

import pytest

from components.agency.model import GrpcRoute
from components.agency.project import File, read_project
from components.agency.render import route_manifest
from components.agency.rules import stack_problems
from tests.support.agency import IMAGE, NAMESPACE, app, contract, project
from tests.support.modules import GATEWAY_API, pinned
from tests.support.schemas import crd_errors

FULL: dict[str, Any] = {
    "methods": ["butikk.v1.Orders/List", "butikk.v1.Stock"],
    "addHeaders": {"X-Region-Context": "no-osl-1"},
    "listener": "https",
    "canary": {"percent": 10},
}


def grpc(**changed: Any) -> GrpcRoute:
    hosts = ["orders.butikk.example.no"]
    fields = {"name": "orders", "namespace": NAMESPACE, "hostnames": hosts, "app": "api", **changed}
    return GrpcRoute.model_validate(fields)


def test_the_route_is_a_grpcroute_with_the_canarys_weight() -> None:
    made = route_manifest(grpc(**FULL), contract())
    assert (made["kind"], made["metadata"]["namespace"]) == ("GRPCRoute", NAMESPACE)
    assert crd_errors(made, GATEWAY_API, pinned("gateway-api")) == []
    [rule] = made["spec"]["rules"]
    assert [(one["name"], one["weight"]) for one in rule["backendRefs"]] == [("api", 90), ("api-canary", 10)]
    assert rule["matches"][1]["method"] == {"type": "Exact", "service": "butikk.v1.Stock"}
    assert [one["sectionName"] for one in made["spec"]["parentRefs"]] == ["https"]


def test_what_keeps_the_contract_has_no_finding() -> None:
    assert stack_problems([app(canary={"image": IMAGE})], [grpc(**FULL)], contract()) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"canary": {"percent": 51}}, "grpcroute 'orders': its canary gets 51 %, and the contract's ceiling is 50 %"),
        ({"hostnames": ["bank.example.no"]}, "grpcroute 'orders': bank.example.no is not a domain of this tenant"),
        ({"app": "apo"}, "grpcroute 'orders': app apo is not in this stack"),
        ({"listener": "other"}, "grpcroute 'orders': listener other is not one of this tenant's"),
    ],
)
def test_the_contract_holds_for_it(changed: dict[str, Any], said: str) -> None:
    [found] = stack_problems([app(canary={"image": IMAGE})], [grpc(**{**FULL, **changed})], contract())
    assert str(found).startswith(said)


def test_a_gateway_that_holds_requests_back_takes_none() -> None:
    held_back = contract(gateway={**contract().gateway.model_dump(by_alias=True), "streams": False})
    [found] = stack_problems([app(canary={"image": IMAGE})], [grpc(**FULL)], held_back)
    assert "grpcroute 'orders': this gateway holds each request back until it is whole" in str(found)


@pytest.mark.parametrize("steps", [{"steps": [5, 100]}, {"percent": 5, "steps": [5, 100]}])
def test_its_canary_has_no_steps(steps: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="steps"):
        grpc(canary=steps)


def test_a_project_has_such_routes_in_the_program_or_in_the_stack_file() -> None:
    files = project("yaml")
    settings = f"namespace: {NAMESPACE}\n      hostnames: [orders.butikk.example.no]\n      app: app\n"
    program = files["Pulumi.yaml"].replace(
        "outputs:", f"  orders:\n    type: vds-agency:GrpcRoute\n    properties:\n      {settings}outputs:"
    )
    in_program = read_project(File("Pulumi.yaml", program), File("s", files["Pulumi.prod.yaml"]), contract())
    files = project("python")
    stack = files["Pulumi.prod.yaml"] + f"  butikk:grpcRoutes:\n    orders:\n      {settings}"
    in_stack = read_project(File("Pulumi.yaml", files["Pulumi.yaml"]), File("s", stack), contract())
    for found in (in_program, in_stack):
        assert [type(one).__name__ for one in found.routes] == ["Route", "GrpcRoute"]
        assert [str(one) for one in found.findings if one.decided] == []
