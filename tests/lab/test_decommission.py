"""Nodes that leave the stack file: drained, decommissioned as they were found, and welcome again."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from components.core import labels
from lab import data_center
from lab.asking import ssh
from lab.cluster import condition
from lab.deploy import Outcome
from lab.layout import NODES, Host
from lab.machines import machine
from lab.processes import wait_until
from lab.progress import Progress
from lab.verify import images, load_spec, wait_for_workloads
from tests.lab.conftest import Lab, up
from vds.decommission.plan import is_ready

pytestmark = pytest.mark.lab

GATEWAY_NAMESPACE = "gateway-system"
OURS = "/etc/sysctl.d/zz-vds-platform.conf /etc/modules-load.d/vds-platform.conf /var/lib/vds-platform"
BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "stays", "namespace": "default"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "stays"}}},
}
_DEAD_SECONDS = 120  # the cluster waits 40 for a kubelet
_BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


@pytest.fixture(autouse=True)
def whole_again(lab: Lab) -> Iterator[None]:
    """Whatever a test did, the next one finds three nodes."""
    yield
    if not all(machine.is_running(lab.layout, node) for node in NODES):
        assert up()["ok"]
    lab.restore()


def without(lab: Lab, node: Host, **changes: Any) -> Outcome:
    """An update without that node; with `changes`, one before it that says them of the node."""

    def change(spec: dict[str, Any]) -> None:
        next(item for item in spec["nodes"] if item["name"] == node.name).update(changes)

    def remove(spec: dict[str, Any]) -> None:
        spec["nodes"] = [item for item in spec["nodes"] if item["name"] != node.name]

    if changes:
        assert lab.deployment.run("up", config_file=lab.variant(change)).exit_code == 0
    return lab.deployment.run("up", config_file=lab.variant(remove))


def pods_on(lab: Lab, node: str) -> list[dict[str, Any]]:
    selector = [("fieldSelector", f"spec.nodeName={node}")]
    return list(lab.cluster.request("GET", "/api/v1/pods", query=selector)["items"])


def gateways_node(lab: Lab) -> Host:
    pods = lab.cluster.request("GET", f"/api/v1/namespaces/{GATEWAY_NAMESPACE}/pods")["items"]
    ready = [pod for pod in pods if condition(pod, "Ready") == "True" and "deletionTimestamp" not in pod["metadata"]]
    on = {pod["spec"]["nodeName"] for pod in ready if pod["metadata"]["name"].startswith("traefik")}
    return next(node for node in NODES if node.name in on)


def spare_node(lab: Lab) -> Host:
    """The last one that the gateway does not run on; never the first, whose supervisor runs Cilium's operator."""
    return [node for node in NODES[1:] if node != gateways_node(lab)][-1]


def node_object(lab: Lab, node: Host) -> dict[str, Any]:
    return dict(lab.cluster.request("GET", f"/api/v1/nodes/{node.name}"))


def is_cordoned(lab: Lab, node: Host) -> bool:
    made = node_object(lab, node)
    marked = labels.CORDONED in made["metadata"].get("annotations", {})
    assert marked == bool(made["spec"].get("unschedulable"))
    return marked


def stood_before(lab: Lab, node: Host) -> dict[str, str]:
    """What the node's own record says of each key that was written: its value before."""
    command = 'cd /var/lib/vds-platform/written && for key in *; do echo "$key=$(head -n 1 ../before/$key)"; done'
    lines = ssh(lab.layout, node.address, command).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


def live(lab: Lab, node: Host, keys: list[str]) -> dict[str, str]:
    done = ssh(lab.layout, node.address, f"sysctl {' '.join(keys)}")
    pairs = (line.split(" = ", 1) for line in done.stdout.splitlines())
    return {key: " ".join(value.split()) for key, value in pairs}


def test_a_removed_node_is_drained_and_is_as_it_was_before_us(lab: Lab) -> None:
    node = spare_node(lab)
    before = stood_before(lab, node)
    assert before
    began = time.monotonic()
    outcome = without(lab, node)
    assert outcome.exit_code == 0, outcome.diagnostics
    print(f"a worker left in {time.monotonic() - began:.0f} s")
    assert "kernel settings restored" in outcome.output
    assert live(lab, node, list(before)) == before
    assert ssh(lab.layout, node.address, f"ls -d {OURS} 2>/dev/null").stdout == ""
    assert ssh(lab.layout, node.address, "ls /etc/kubernetes/kubelet.conf 2>/dev/null").stdout == ""
    left = "ls -d /etc/cni/net.d/* /sys/fs/bpf/cilium /sys/class/net/cilium_* /sys/class/net/lxc* 2>/dev/null"
    assert ssh(lab.layout, node.address, left).stdout == ""
    assert node.name not in {
        found["metadata"]["name"] for found in lab.cluster.request("GET", "/api/v1/nodes")["items"]
    }

    assert up()["ok"]
    assert not is_cordoned(lab, node)
    assert live(lab, node, ["net.ipv4.ip_forward"]) == {"net.ipv4.ip_forward": "1"}


def test_the_node_of_the_only_gateway_is_refused_and_nothing_changes(lab: Lab) -> None:
    node = gateways_node(lab)
    pods = {pod["metadata"]["uid"] for pod in pods_on(lab, node.name)}
    outcome = without(lab, node)
    assert outcome.exit_code
    assert f"Service {GATEWAY_NAMESPACE}/traefik: has its only ready pods on node {node.name}" in outcome.output
    assert "Traceback" not in outcome.output
    assert not is_cordoned(lab, node)
    assert live(lab, node, ["net.ipv4.ip_forward"]) == {"net.ipv4.ip_forward": "1"}
    assert pods <= {pod["metadata"]["uid"] for pod in pods_on(lab, node.name)}


@pytest.fixture
def guarded(lab: Lab) -> Iterator[Host]:
    """A node with a pod that a disruption budget keeps there."""
    node = spare_node(lab)
    pod = {
        "nodeSelector": {"kubernetes.io/hostname": node.name},
        "containers": [{"name": "stays", "image": images(lab.layout)["e2e/agnhost"], "args": ["pause"]}],
    }
    selector = {"app": "stays"}
    template = {"metadata": {"labels": selector}, "spec": pod}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "stays", "namespace": "default"},
        "spec": {"replicas": 1, "selector": {"matchLabels": selector}, "template": template},
    }
    try:
        lab.cluster.apply(deployment)
        lab.cluster.apply(BUDGET)
        wait_until(
            lambda: bool((lab.cluster.request("GET", f"{_BUDGETS}/stays").get("status") or {}).get("currentHealthy")),
            120,
            lambda: "the budget's pod is not healthy",
        )
        yield node
    finally:
        for made in (BUDGET, deployment):
            lab.cluster.delete(made)


def test_a_budget_that_does_not_give_way_fails_in_time_and_the_node_takes_pods_again(lab: Lab, guarded: Host) -> None:
    outcome = without(lab, guarded, drainSeconds=5)
    assert outcome.exit_code
    assert "still has pods after its drainSeconds, 5" in outcome.output
    assert "The disruption budget stays needs 1 healthy pods and has 1 currently" in outcome.output
    assert not is_cordoned(lab, guarded)
    assert live(lab, guarded, ["net.ipv4.ip_forward"]) == {"net.ipv4.ip_forward": "1"}


def test_a_dead_node_is_kept_without_consent_left_with_it_and_replaced(lab: Lab) -> None:
    node = spare_node(lab)
    machine.power_off(lab.layout, node)
    refused = without(lab, node)
    assert refused.exit_code
    assert refused.output.count(f"node {node.name} ({node.address} port 22) can't be decommissioned") == 1
    assert "whenUnreachable: abandon" in refused.output

    # An update that makes something of the node anew would wait for it in vain.
    wait_until(
        lambda: not is_ready(node_object(lab, node)), _DEAD_SECONDS, lambda: f"{node.name} still counts as Ready"
    )
    began = time.monotonic()
    left = without(lab, node, whenUnreachable="abandon")
    assert left.exit_code == 0, left.diagnostics
    assert "/etc/sysctl.d/zz-vds-platform.conf" in left.output
    removed = time.monotonic() - began

    data_center.replace(lab.layout, Progress(total=1, quiet=True), [node])
    began = time.monotonic()
    lab.restore()
    print(
        f"a lost worker: removed by two updates in {removed:.0f} s, a new machine of its name joined by one in "
        f"{time.monotonic() - began:.0f} s"
    )
    assert is_ready(node_object(lab, node))
    assert not is_cordoned(lab, node)
    wait_for_workloads(lab.cluster, load_spec(lab.layout))  # with a pod on the new machine
