"""`pulumi destroy` of a cluster that kubeadm made is refused before the first deletion."""

import pytest

from lab.layout import NODES
from tests.lab.conftest import Lab

pytestmark = pytest.mark.lab


def test_a_destroy_deletes_nothing_while_a_control_plane_is_protected(lab: Lab) -> None:
    recorded = lab.deployment.quietly(["stack", "--stack", "lab", "--show-urns"])
    outcome = lab.deployment.run("destroy")
    assert outcome.exit_code
    assert lab.deployment.quietly(["stack", "--stack", "lab", "--show-urns"]).count("URN:") == recorded.count("URN:")
    assert "destroy-protection" in outcome.output
    assert "pulumi state unprotect" in outcome.output
    nodes = lab.cluster.request("GET", "/api/v1/nodes")["items"]
    assert {node["metadata"]["name"] for node in nodes} == {node.name for node in NODES}
    for namespace in ("butikk-prod", "metallb-system", "gateway-system"):
        found = lab.cluster.request("GET", f"/api/v1/namespaces/{namespace}")
        assert found["status"]["phase"] == "Active"
    outcome = lab.deployment.run("preview")
    assert outcome.exit_code == 0, outcome.diagnostics
    assert "unchanged" in outcome.output
