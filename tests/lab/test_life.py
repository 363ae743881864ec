"""The lab's own life: killed at any point it recovers; destroyed and down, nothing is left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import fabric
from lab.asking import ssh
from lab.layout import CHECKOUT, NODES, OPERATOR, Layout
from lab.processes import cgroup, kill, members
from lab.session import leftovers
from tests.lab.conftest import Lab, lab_command, up

pytestmark = pytest.mark.lab

_KINDS = ("namespaces", "configmaps", "secrets", "services", "resourcequotas", "limitranges")


def objects(lab: Lab) -> set[str]:
    """Names of what a deployment could leave behind."""
    paths = [f"/api/v1/{kind}" for kind in _KINDS]
    paths += ["/apis/networking.k8s.io/v1/networkpolicies", "/apis/gateway.networking.k8s.io/v1/gateways"]
    paths += [
        "/apis/gateway.networking.k8s.io/v1/gatewayclasses",
        "/apis/gateway.networking.k8s.io/v1/httproutes",
    ]
    paths += [f"/apis/rbac.authorization.k8s.io/v1/{kind}" for kind in ("roles", "rolebindings", "clusterroles")]
    paths += ["/apis/metallb.io/v1beta1/ipaddresspools", "/apis/metallb.io/v1beta1/l2advertisements"]
    found = set()
    for path in paths:
        for item in lab.cluster.request("GET", path)["items"]:
            meta = item["metadata"]
            found.add(f"{path}: {meta.get('namespace', '')}/{meta['name']}")
    return found


def kernel_values(lab: Lab) -> dict[str, str]:
    """All of the nodes' own IPv4 sysctls that our profiles could touch, and the files we could write."""
    command = "sysctl net.ipv4.ip_forward net.ipv4.tcp_keepalive_time net.ipv4.ip_local_port_range 2>/dev/null; "
    command += "ls /etc/sysctl.d /etc/modules-load.d /var/lib/vds-platform 2>/dev/null"
    return {n.name: ssh(lab.layout, n.address, command).stdout for n in NODES}


@pytest.fixture
def fresh(first_report: dict[str, Any]) -> None:
    assert lab_command("down").returncode == 0


@pytest.fixture
def started(fresh: None) -> Iterator[Lab]:
    """The lab with nothing deployed to it."""
    assert lab_command("start").returncode == 0
    with fabric.inside(OPERATOR):
        yield Lab()


def test_destroy_leaves_the_cluster_and_the_nodes_as_they_were(started: Lab) -> None:
    lab = started
    before, kernels = objects(lab), kernel_values(lab)
    up()
    assert objects(lab) > before
    assert kernel_values(lab) != kernels
    done = lab_command("destroy")
    assert done.returncode == 0, done.stdout
    # What controllers make by themselves, a moment after the start, is not ours to count.
    left = {o for o in objects(lab) - before if "cilium" not in o and not o.endswith("/kube-root-ca.crt")}
    assert left == set()
    assert kernel_values(lab) == kernels
    assert up()["ok"]


def interrupted_up(when: Callable[[], bool]) -> bool:
    """`make up`, killed without a warning at the first moment at which `when` is true; whether it came to that."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "up", "--json"], cwd=CHECKOUT, stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 240
    while not (reached := when()) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    kill("op")  # the engine and its plugins too, at the same moment
    process.wait()
    return reached


def begun(word: str) -> Callable[[], bool]:
    """Whether the engine has written down that it began to make a resource: most often it has not yet ended it."""

    def is_begun() -> bool:
        for file in (Layout().state / "pulumi" / ".pulumi" / "stacks").rglob("lab.json"):
            with contextlib.suppress(ValueError, OSError):  # it is being written
                state = json.loads(file.read_text())["checkpoint"]["latest"]
                pending = [operation["resource"] for operation in state.get("pending_operations") or []]
                return any(word in resource["urn"] for resource in [*pending, *(state.get("resources") or [])])
        return False

    return is_begun


POINTS: dict[str, Callable[[], bool]] = {
    "the API server is starting": lambda: bool(members("ctl/kube-apiserver")),
    "a node is starting": lambda: bool(members("osl-2")),
    "nodes are being set up": begun("osl-1-setup"),
    "a namespace is being made": begun("butikk-namespace"),
    "the gateway is being waited for": begun("gateway-gateway"),
}
"""In the order in which one run comes to them, the last one seconds after the others: its class is accepted first."""


def test_killed_at_one_point_after_the_other_the_last_run_recovers(fresh: None) -> None:
    for point, when in POINTS.items():
        assert not when(), f"{point}: before the run has begun"
        assert interrupted_up(when), f"{point}: the run ended without coming to it"
    assert up()["ok"]


def test_down_leaves_nothing(fresh: None) -> None:
    assert leftovers(Layout()) == []
    assert members() == []
    assert not cgroup().exists()
    mounts = subprocess.run(["mount"], capture_output=True, text=True, check=True).stdout
    assert "vdslab" not in mounts


def test_down_twice_is_fine(fresh: None) -> None:
    assert lab_command("down").returncode == 0


def test_a_command_that_needs_the_lab_says_how_to_start_it(fresh: None) -> None:
    done = lab_command("preview")
    assert done.returncode == 1
    assert "make up" in done.stderr
    assert "Traceback" not in done.stderr
