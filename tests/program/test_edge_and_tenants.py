"""Pools, gateway and tenants as the program declares them: the manifests' own bytes, and what comes after what."""

from typing import Any

import pytest

from components.gateway.render import gateway, gateway_class, http_route
from components.manifests import key
from components.tenancy.render import tenant_manifests
from tests.support.manifests import metallb_manifests
from tests.support.program import Declared, Program, run_program
from tests.support.stacks import stack, stack_data


def objects(program: Program) -> dict[tuple[str, str, str, str], Declared]:
    return {
        key(item.inputs): item
        for item in program.resources.values()
        if item.type.startswith("kubernetes:") and "kind" in item.inputs
    }


def after(program: Program, item: Declared) -> set[str]:
    """Names of everything that must be there before the item, components expanded to what they hold."""
    found: set[str] = set()
    waiting = [*item.depends_on]
    while waiting:
        urn = waiting.pop()
        if urn in program.resources and program.resources[urn].name not in found:
            found.add(program.resources[urn].name)
            waiting += program.resources[urn].depends_on
    return found


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_what_is_declared_is_what_was_rendered(name: str) -> None:
    platform, declared = stack(name), objects(run_program(name))
    edge = platform.gateway
    rendered = [
        *metallb_manifests(platform.metallb),
        gateway_class(edge),
        gateway(edge),
        *(http_route(route, edge) for route in edge.routes),
        *(made for t in platform.tenants for made in tenant_manifests(t, gateway_namespace=edge.namespace)),
    ]
    for made in rendered:
        assert declared[key(made)].inputs == made


def test_routes_come_after_the_gateway_and_their_tenants_namespace() -> None:
    program = run_program("oslo")
    routes = program.of(":HTTPRoute")
    assert len(routes) == 2
    for route in routes:
        assert {"gateway-gateway", f"{route.inputs['metadata']['namespace']}-namespace"} <= after(program, route)


def test_the_gateway_waits_for_its_data_plane_and_programs_itself() -> None:
    program = run_program("oslo")
    [made] = program.of("v1:Gateway")
    assert {"gateway-class", "gateway-chart"} <= after(program, made)
    assert made.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == (
        '["condition=Programmed", "jsonpath={.status.addresses[0].value}"]'
    )


def test_where_cilium_is_the_gateway_tenants_let_its_identity_in() -> None:
    data = stack_data("oslo")
    data["cni"]["gatewayApi"] = True
    data["gateway"] |= {"install": {"kind": "existing"}, "controllerName": "io.cilium/gateway-controller"}
    program = run_program("oslo", data)
    fences = program.of(":CiliumNetworkPolicy")
    assert {item.name for item in fences} == {
        "butikk-traffic-to-api-from-gateway",
        "butikk-traffic-to-frontend-from-gateway",
        "skjema-traffic-to-web-from-gateway",
    }
    for item in fences:
        assert {"cni-cilium", f"{item.inputs['metadata']['namespace']}-namespace"} <= after(program, item)


def test_pools_wait_for_the_webhook_that_would_refuse_them() -> None:
    program = run_program("oslo")
    [pool] = program.of(":IPAddressPool")
    assert {"metallb-chart", "metallb-webhook"} <= after(program, pool)
    [advertisement] = program.of(":L2Advertisement")
    assert "metallb-pool-public" in after(program, advertisement)


def test_charts_are_pinned_and_where_they_come_from_is_written_down() -> None:
    for release in run_program("oslo").of(":Release"):
        assert release.inputs["version"]
        assert release.inputs["repositoryOpts"]["repo"].startswith("https://")
        assert release.inputs["atomic"] is True


def test_where_somebody_else_runs_them_nothing_is_installed() -> None:
    program = run_program("lab")
    assert program.of(":Release") == []
    namespaces = [item.inputs["metadata"]["name"] for item in program.of(":Namespace")]
    assert namespaces == ["butikk"]


def test_a_tenants_fence_is_made_inside_its_namespace() -> None:
    program = run_program("lab")
    inside: list[Any] = [item for item in program.resources.values() if "::butikk-" in item.urn]
    assert len(inside) == 12
    for item in inside:
        assert item.name == "butikk-namespace" or "butikk-namespace" in after(program, item)
