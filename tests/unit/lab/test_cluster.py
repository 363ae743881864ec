"""API paths of the objects that the lab applies."""

from __future__ import annotations

from typing import Any

import pytest

from lab.addons import traefik, workloads
from lab.cluster import path_of


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


def test_the_shop_has_a_stable_and_a_canary_api_and_every_pod_is_restricted() -> None:
    made = list(workloads("butikk", "vds-platform.no/tier"))
    deployments = [m for m in made if m["kind"] == "Deployment"]
    assert {d["metadata"]["name"] for d in deployments} == {
        "frontend",
        "api-stable",
        "api-canary",
        "database",
    }
    for deployment in deployments:
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_gateways_service_has_no_node_port() -> None:
    services = [m for m in traefik() if m["kind"] == "Service"]
    assert [s["spec"]["allocateLoadBalancerNodePorts"] for s in services] == [False]
