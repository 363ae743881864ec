"""Data paths on the wire: what the model promises of each is what packets do; what it excludes, agents refuse too."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from components.kubernetes_api import ApiError
from components.network.mtu import trap
from lab.cluster import condition
from lab.data_paths import DATA_PATHS, NATIVE, DataPath, agents_follow, prove, restore
from lab.layout import CHECKOUT, NODES, Host
from lab.processes import wait_until
from tests.lab.conftest import Lab
from tests.support.stacks import problems, stack_data

pytestmark = pytest.mark.lab

# `make paths` proves all of them every night. This one differs from the lab's own, which `make up` proves, in routing
# and in load balancing.
CHOSEN = ("native-dsr-1500",)


@pytest.fixture
def paths(lab: Lab) -> Iterator[Lab]:
    lab.deployment.prepare()
    try:
        yield lab
    finally:
        restore(lab.layout, lab.deployment)


def test_packets_do_what_the_model_says_of_each_data_path(paths: Lab) -> None:
    for path in (path for path in DATA_PATHS if path.name in CHOSEN):
        facts = prove(paths.layout, paths.tools, paths.deployment, path)
        assert facts["ok"], json.dumps(facts, indent=1)
        assert {pair["trap"] for pair in facts["network"]["pairs"].values()} == {""}


_PODS = "/api/v1/namespaces/kube-system/pods"


def agent(lab: Lab, node: Host, after: str = "") -> dict[str, Any]:
    """A node's agent; the one that follows `after`, if that is its name. It is waited for."""
    query = [("labelSelector", "k8s-app=cilium"), ("fieldSelector", f"spec.nodeName={node.name}")]
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        listed = lab.cluster.request("GET", _PODS, query=query)["items"]
        found[:] = [pod for pod in listed if "deletionTimestamp" not in pod["metadata"]]
        return bool(found) and found[0]["metadata"]["name"] != after

    wait_until(is_there, 120, lambda: f"no agent on {node.name} but {after}")
    return found[0]


def started_anew(lab: Lab, node: Host) -> str:
    """The name of the agent that follows the one that runs now."""
    before = agent(lab, node)["metadata"]["name"]
    lab.cluster.request("DELETE", f"{_PODS}/{before}")
    return str(agent(lab, node, after=before)["metadata"]["name"])


def said(lab: Lab, pod: str) -> str:
    """What an agent logged; nothing while its container is not there."""
    try:
        query = [("container", "cilium-agent")]
        return lab.cluster.text("GET", f"{_PODS}/{pod}/log", query=query)
    except ApiError:
        return ""


def test_a_data_path_that_cannot_be_expressed_is_refused_by_the_agent_too(lab: Lab) -> None:
    where, node = "/api/v1/namespaces/kube-system/configmaps/cilium-config", NODES[1]
    before = lab.cluster.request("GET", where)["data"]

    def merge(data: dict[str, Any]) -> None:
        lab.cluster.request("PATCH", where, {"data": data}, content_type="application/merge-patch+json")

    merge({"bpf-lb-mode": "dsr"})
    try:
        pod = started_anew(lab, node)
        refusal = "mode cannot be used with vxlan tunneling"
        wait_until(lambda: refusal in said(lab, pod), 90, lambda: f"the agent took it:\n{said(lab, pod)[-2000:]}")
    finally:
        merge({"bpf-lb-mode": before["bpf-lb-mode"]})
        last = started_anew(lab, node)
        # The DaemonSet's status may still count the agent before.
        wait_until(lambda: condition(agent(lab, node), "Ready") == "True", 240, lambda: f"{last} is not ready")
        agents_follow(lab.cluster)
    data = stack_data("lab")
    data["cni"]["loadBalancing"] = {"mode": "dsr", "dispatch": "opt"}
    assert any("dsr over a VXLAN tunnel does not exist" in problem for problem in problems(data))


# --- the trap of 2018 --------------------------------------------------------------------------------------------


@pytest.fixture
def overlay() -> Iterator[list[str]]:
    """Two nodes with a plain VXLAN between them, whose ends believe that they have the link's 1500 bytes."""
    names = [f"vdslab-trap-{os.getpid()}-{number}" for number in (1, 2)]
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
        pair = f"link add eth0 netns {names[0]} type veth peer name eth0 netns {names[1]}"
        subprocess.run(["ip", *pair.split()], check=True)
        for number, name in enumerate(names, 1):
            other = 3 - number
            for words in (
                f"addr add 192.0.2.1{number}/24 dev eth0",
                "link set eth0 up",
                f"link add vxlan0 type vxlan id 42 remote 192.0.2.1{other} dstport 4789",
                "link set vxlan0 mtu 1500 up",
                f"addr add 10.244.{number}.1/16 dev vxlan0",
            ):
                subprocess.run(["ip", "-n", name, *words.split()], check=True)
            # A provider's network that drops fragments, as many do.
            drop = "iptables -t raw -A PREROUTING -f -j DROP"
            subprocess.run(["ip", "netns", "exec", name, *drop.split()], check=True)
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False, stderr=subprocess.DEVNULL)


def test_the_trap_of_2018_is_seen_on_the_wire_and_named(overlay: list[str]) -> None:
    questions = [
        {"ask": "path_mtu", "host": "10.244.2.1", "expected": 1450},
        {"ask": "route_mtu", "host": "10.244.2.1"},
    ]
    argv = ["ip", "netns", "exec", overlay[0], ".venv/bin/python", "-m", "lab.probe"]
    done = subprocess.run(argv, input=json.dumps(questions), capture_output=True, text=True, cwd=CHECKOUT, timeout=60)
    path, route = json.loads(done.stdout)
    assert (path, route) == (1450, 1500), "small packets pass, and what the pods believe in does not"
    assert "larger ones are lost in silence" in trap(route, path)
    assert "the CNI's pod MTU must be 1450" in trap(route, path)


def test_the_trap_can_not_be_written_down() -> None:
    data = stack_data("lab")
    data["cni"]["podMtu"] = 1500
    [problem] = problems(data)
    assert "1500, but pods get 1500 − 50 (VXLAN) = 1450: write podMtu: 1450" in problem


def test_every_data_path_loads() -> None:
    for path in (*DATA_PATHS, DataPath("native", NATIVE, {"mode": "snat"}, 1500)):
        data = stack_data("lab")
        path.write(data)
        assert problems(data) == []
