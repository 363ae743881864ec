"""What the API server refuses in a tenant's namespace, of every user."""

from typing import Any

import pytest

from components.kubernetes_api import ApiError
from tests.lab.conftest import Lab

pytestmark = pytest.mark.lab

PODS = "/api/v1/namespaces/butikk/pods"


def pod(**spec: Any) -> dict[str, Any]:
    secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "c", "image": "registry.lab.example.no/none", "securityContext": secure}
    own = {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "asks"},
        "spec": {"containers": [container], "securityContext": own, **spec},
    }


@pytest.mark.parametrize("priority", ["system-node-critical", "system-cluster-critical"])
def test_no_pod_of_a_tenant_gets_a_priority_of_the_cluster(lab: Lab, priority: str) -> None:
    with pytest.raises(ApiError, match="exceeded quota: system-priorities") as caught:
        lab.cluster.request("POST", PODS, pod(priorityClassName=priority), query=[("dryRun", "All")])
    assert caught.value.status == 403


def test_a_pod_that_asks_for_no_disk_gets_a_limit(lab: Lab) -> None:
    made = lab.cluster.request("POST", PODS, pod(), query=[("dryRun", "All")])
    assert made["spec"]["containers"][0]["resources"]["limits"]["ephemeral-storage"] == "1Gi"
