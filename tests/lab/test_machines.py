"""Machines as servers are: rebooted, with everything that was set still so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.asking import ssh
from lab.layout import WORKERS, Host
from lab.processes import wait_until
from tests.lab.conftest import Lab, lab_command

pytestmark = pytest.mark.lab

_BACK_SECONDS = 180


def boot_id(lab: Lab, node: Host) -> str:
    return ssh(lab.layout, node.address, "cat /proc/sys/kernel/random/boot_id").stdout.strip()


def is_ready(lab: Lab, node: Host) -> bool:
    conditions = lab.cluster.request("GET", f"/api/v1/nodes/{node.name}")["status"]["conditions"]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def examined(lab: Lab, node: Host) -> dict[str, Any]:
    done = lab_command(*("vds", "doctor", "--stack", "lab", "--config-file", str(lab.deployment.config_file), "--json"))
    assert done.stdout.startswith("{"), done.stderr
    return dict(json.loads(done.stdout)["nodes"][node.name])


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
