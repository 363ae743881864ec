"""Pods and their namespaces."""

from __future__ import annotations

import subprocess

import pytest

from lab.node.pods import wait_for_own_network
from lab.processes import LabError

pytestmark = pytest.mark.lab


def test_a_pod_is_not_attached_before_it_has_left_the_nodes_network() -> None:
    slow = subprocess.Popen(["sh", "-c", "sleep 0.5; exec unshare --net sleep 30"])
    try:
        wait_for_own_network(slow.pid)
        own = subprocess.run(["readlink", f"/proc/{slow.pid}/ns/net"], capture_output=True, text=True).stdout
        ours = subprocess.run(["readlink", "/proc/self/ns/net"], capture_output=True, text=True).stdout
        assert own != ours
    finally:
        slow.kill()
        slow.wait()


def test_a_process_that_stays_in_the_nodes_network_is_never_attached() -> None:
    stays = subprocess.Popen(["sleep", "30"])
    try:
        with pytest.raises(LabError, match="still in the node's network"):
            wait_for_own_network(stays.pid, seconds=1)
    finally:
        stays.kill()
        stays.wait()
