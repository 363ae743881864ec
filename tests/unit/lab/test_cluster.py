"""API paths of the objects that the lab applies, and what its workloads are."""

from __future__ import annotations

from typing import Any

import pytest

from lab.cluster import path_of
from lab.workloads import echo, probes, shop

IMAGES = {name: f"registry.example.no/{name}@sha256:{'0' * 64}" for name in ("e2e/agnhost", "e2e/echo-basic")}


def manifest(api: str, kind: str, namespace: str | None = None) -> dict[str, Any]:
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": "x", **({"namespace": namespace} if namespace else {})},
    }


@pytest.mark.parametrize(
    ("made", "path"),
    [
        (manifest("v1", "Namespace"), "/api/v1/namespaces/x"),
        (manifest("v1", "Service", "a"), "/api/v1/namespaces/a/services/x"),
        (manifest("apps/v1", "DaemonSet", "a"), "/apis/apps/v1/namespaces/a/daemonsets/x"),
        (
            manifest("networking.k8s.io/v1", "NetworkPolicy", "a"),
            "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies/x",
        ),
        (
            manifest("gateway.networking.k8s.io/v1", "GatewayClass"),
            "/apis/gateway.networking.k8s.io/v1/gatewayclasses/x",
        ),
        (
            manifest("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/x",
        ),
    ],
)
def test_an_object_is_found_where_the_api_server_has_it(made: dict[str, Any], path: str) -> None:
    assert path_of(made) == path


def test_the_shop_has_a_stable_and_a_canary_api() -> None:
    made = [m for m in shop("butikk", "vds-platform.no/tier", IMAGES) if m["kind"] == "Deployment"]
    assert {d["metadata"]["name"] for d in made} == {"frontend", "api-stable", "api-canary", "database"}


def test_every_pod_of_the_lab_is_restricted_and_has_its_image_by_digest() -> None:
    made = [*probes(IMAGES), *shop("butikk", "tier", IMAGES), *echo("echo", "osl-w-1", "192.0.2.219", IMAGES)]
    pods = [m["spec"]["template"]["spec"] for m in made if m["kind"] in ("Deployment", "DaemonSet")]
    assert len(pods) == 6
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "@sha256:" in pod["containers"][0]["image"]


def test_the_service_outside_has_no_node_port() -> None:
    services = [m for m in echo("echo", "osl-w-1", "192.0.2.219", IMAGES) if m["kind"] == "Service"]
    assert [s["spec"]["allocateLoadBalancerNodePorts"] for s in services] == [False]
