"""What `up` says is so: it fails where agents crash, and says why; it ends when nodes are Ready and the address is
announced."""

from typing import Any

import pytest

from lab.layout import NODES
from tests.lab.conftest import Lab

pytestmark = pytest.mark.lab


def test_an_up_whose_agents_crash_fails_and_names_pod_image_and_reason(lab: Lab) -> None:
    def edit(spec: dict[str, Any]) -> None:
        spec["cni"]["devices"] = ["eth9"]
        spec["cni"]["install"]["timeoutSeconds"] = 90

    try:
        outcome = lab.deployment.run("up", config_file=lab.variant(edit))
        assert outcome.exit_code
        assert "what does not run in kube-system" in outcome.output
        assert "container cilium-agent, image registry.lab.example.no/" in outcome.output
        _, found = lab.examined()
        assert not found["converged"]
        assert any(row["item"].startswith("pod kube-system/cilium-") for row in found["running"])
    finally:
        lab.restore()
    assert lab.well()["converged"]


def test_the_doctor_asks_every_agent_and_says_who_announces_the_address(lab: Lab) -> None:
    rows = {row["item"]: row for row in lab.well()["running"]}
    assert rows["cluster"]["state"] == "ok", rows
    for node in NODES:
        agent = rows[f"node {node.name}, Cilium"]
        assert agent["state"] == "ok", agent
        assert "routing tunnel vxlan" in agent["measured"]
        assert "pod MTU 1450" in agent["measured"]
    [address] = [row for item, row in rows.items() if item.startswith("address ")]
    assert address["state"] == "ok"
    assert address["measured"].startswith("announced by osl-w-")


@pytest.mark.nightly
def test_an_address_that_no_node_announces_is_no_success(lab: Lab) -> None:
    """Speakers that are on no node: the gateway keeps its address, and nobody answers for it."""

    def edit(spec: dict[str, Any]) -> None:
        advertisement = {"kind": "l2", "nodeSelectors": [{"matchLabels": {"vdslab.example.no/none": "true"}}]}
        spec["metallb"]["pools"][0]["advertisement"] = advertisement

    try:
        outcome = lab.deployment.run("up", config_file=lab.variant(edit))
        assert outcome.exit_code
        assert "no node announces 192.0.2.2" in outcome.output
    finally:
        lab.restore()


def test_a_preview_announces_that_the_data_path_changes_and_what_it_interrupts(lab: Lab) -> None:
    def edit(spec: dict[str, Any]) -> None:
        spec["cni"]["routing"] = {"mode": "native", "nativeCidr": "10.244.0.0/16", "routes": "same-l2"}
        spec["cni"].pop("podMtu")

    outcome = lab.deployment.run("preview", config_file=lab.variant(edit))
    assert "cni: the data path changes: routing a VXLAN tunnel → native routing" in outcome.output
    assert "packets between nodes with the old and the new one are lost" in outcome.output
    assert "the data path changes" not in lab.deployment.run("preview").output
