"""What the API server gives a tenant's pods. tests/unit/tenancy/registration/test_admission.py: what it refuses."""

from typing import Any

import pytest

from tests.lab.conftest import Lab

pytestmark = pytest.mark.lab

PODS = "/api/v1/namespaces/butikk-prod/pods"


def pod(**spec: Any) -> dict[str, Any]:
    secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "c", "image": f"registry.lab.example.no/none@sha256:{'0' * 64}", "securityContext": secure}
    own = {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "asks"},
        "spec": {"containers": [container], "securityContext": own, **spec},
    }


def test_a_pod_that_asks_for_no_disk_gets_a_limit(lab: Lab) -> None:
    made = lab.cluster.request("POST", PODS, pod(), query=[("dryRun", "All")])
    assert made["spec"]["containers"][0]["resources"]["limits"]["ephemeral-storage"] == "1Gi"
