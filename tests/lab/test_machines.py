"""Machines as servers are: rebooted, with everything that was set still so."""

from typing import Any

import pytest

from lab.asking import ssh
from lab.cluster import condition
from lab.layout import WORKERS, Host
from lab.processes import wait_until
from tests.lab.conftest import Lab

pytestmark = pytest.mark.lab

_BACK_SECONDS = 180


def boot_id(lab: Lab, node: Host) -> str:
    return ssh(lab.layout, node.address, "cat /proc/sys/kernel/random/boot_id").stdout.strip()


def is_ready(lab: Lab, node: Host) -> bool:
    """Whether its kubelet has reported since the machine's last start: the API server keeps what it said before."""
    found = lab.cluster.request("GET", f"/api/v1/nodes/{node.name}")
    reported = (found.get("status") or {}).get("nodeInfo", {}).get("bootID")
    return condition(found, "Ready") == "True" and reported == boot_id(lab, node)


def examined(lab: Lab, node: Host) -> dict[str, Any]:
    return dict(lab.examined()[1]["nodes"][node.name])


def test_a_rebooted_worker_comes_back_with_every_setting(lab: Lab) -> None:
    node = WORKERS[1]
    undoing = "echo net.ipv4.ip_forward=0 | tee /etc/sysctl.conf /etc/sysctl.d/k8s.conf"
    assert ssh(lab.layout, node.address, undoing).returncode == 0
    assert examined(lab, node)["verdict"] == "drifted", "sysctl --system reads /etc/sysctl.conf last"
    lab.restore()
    before = boot_id(lab, node)
    ssh(lab.layout, node.address, "systemctl reboot")
    wait_until(lambda: boot_id(lab, node) not in ("", before), _BACK_SECONDS, lambda: f"{node.name} did not reboot")
    wait_until(lambda: is_ready(lab, node), _BACK_SECONDS, lambda: f"{node.name} is not Ready after its reboot")
    found = examined(lab, node)
    assert found["verdict"] == "converged", found
    assert ssh(lab.layout, node.address, "sysctl -n net.ipv4.ip_forward").stdout == "1\n"
