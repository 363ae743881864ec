"""Whose data plane a GatewayClass names, and who lets its traffic into tenants' namespaces."""

from typing import Any

import pytest

from components.stackfile.parsing import parse
from tests.support.stacks import ROOT, problems, stack_data

TRAEFIK, CILIUM = "traefik.io/gateway-controller", "io.cilium/gateway-controller"
EXISTING = {"kind": "existing"}
PROVIDERS = {
    "kind": "unmanaged",
    "name": "Cilium of the provider",
    "podMtu": 1450,
    "layers": ["vxlan"],
    "serviceProxy": "ebpf",
    "networkPolicies": True,
}


def edge(controller: str, *, install: dict[str, str] | None = None, **cni: Any) -> dict[str, Any]:
    data = stack_data("oslo")
    data["gateway"]["controllerName"] = controller
    data["gateway"]["install"] = install or data["gateway"]["install"]
    data["cni"].update(cni)
    return data


@pytest.mark.parametrize("controller", ["example.com/foo", CILIUM])
def test_traefik_answers_to_traefiks_name_only(controller: str) -> None:
    (problem,) = problems(edge(controller, gatewayApi=True))
    assert problem.startswith(f"gateway.controllerName: {controller}, but install is traefik: write {TRAEFIK}")


def test_ciliums_name_needs_cilium_with_its_gateway() -> None:
    (problem,) = problems(edge(CILIUM, install=EXISTING))
    assert "cni.gatewayApi is false: write cni.gatewayApi: true" in problem
    data = edge(CILIUM, install=EXISTING)
    data["cni"] = {"kind": "calico", "version": "3.32.1", "install": {"kind": "helm"}}
    (problem,) = problems(data)
    assert "but cni.kind is calico" in problem
    (problem,) = problems(edge("io.cilium/other", install=EXISTING, gatewayApi=True))
    assert f"write {CILIUM}" in problem


def test_an_unmanaged_cni_may_be_cilium_and_its_gateway() -> None:
    data = edge(CILIUM, install=EXISTING)
    data["cni"] = PROVIDERS
    assert problems(data) == []
    assert parse(data, base_dir=ROOT).gateway.pods_namespace is None
    data["gateway"]["controllerName"] = "io.cilium/other"
    (problem,) = problems(data)
    assert f"write {CILIUM}" in problem
    data["cni"] = {"kind": "flannel", "legacy": True}
    data["gateway"]["controllerName"] = CILIUM
    (problem,) = problems(data)
    assert "but cni.kind is flannel" in problem


def test_ciliums_gateway_and_somebody_elses_load() -> None:
    ciliums = parse(edge(CILIUM, install=EXISTING, gatewayApi=True), base_dir=ROOT)
    assert ciliums.gateway.pods_namespace is None
    others = parse(edge("example.com/foo", install=EXISTING), base_dir=ROOT)
    assert others.gateway.pods_namespace == "gateway-system"
