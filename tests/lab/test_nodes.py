"""Nodes: drift is put right; a node that cannot be reached or used stops nothing but itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab.asking import ssh
from lab.layout import NODES
from tests.lab.conftest import Lab, up
from tests.support.stacks import host_key

pytestmark = pytest.mark.lab

KEY = "net.ipv4.tcp_keepalive_time"
ERROR_SECONDS = 30  # what the issue promises for one clear error; the bound of the engine run is looser


@pytest.fixture(autouse=True)
def as_before(lab: Lab) -> Iterator[None]:
    """Whatever a test did, and however it ended, the next one finds the nodes as the stack file says."""
    yield
    lab.restore()


def live(lab: Lab, node: int, key: str) -> str:
    return ssh(lab.layout, NODES[node].address, f"sysctl -n {key}").stdout.strip()


def test_a_sysctl_changed_by_hand_is_put_right_by_the_next_run(lab: Lab) -> None:
    key = "net.ipv4.ip_forward"
    assert live(lab, 1, key) == "1"
    assert ssh(lab.layout, NODES[1].address, f"sysctl -w {key}=0").returncode == 0
    report = up()
    assert live(lab, 1, key) == "1"
    assert report["ok"]


def add_setting(spec: dict[str, Any], value: str) -> None:
    for node in spec["nodes"]:
        node["sysctls"] = [{"key": KEY, "value": value, "how": "exact"}]


def broken_third(lab: Lab, change: dict[str, Any], value: str) -> tuple[Any, float]:
    def edit(spec: dict[str, Any]) -> None:
        add_setting(spec, value)
        spec["nodes"][2].update(change)

    started = time.monotonic()
    outcome = lab.deployment.run("up", config_file=lab.variant(edit))
    return outcome, time.monotonic() - started


def test_a_wrong_host_key_fails_that_node_alone_with_one_clear_error(lab: Lab) -> None:
    outcome, seconds = broken_third(lab, {"hostKey": host_key("another")}, "601")
    assert outcome.exit_code
    assert "host key" in outcome.output.lower()
    assert NODES[2].name in outcome.output
    assert "Traceback" not in outcome.output
    assert seconds < 4 * ERROR_SECONDS
    assert [live(lab, n, KEY) for n in (0, 1)] == ["601", "601"]
    assert live(lab, 2, KEY) != "601"


def test_an_unreachable_node_fails_alone_and_the_others_are_recorded(lab: Lab) -> None:
    outcome, seconds = broken_third(lab, {"address": "192.0.2.99", "hostKey": host_key("another")}, "602")
    assert outcome.exit_code
    assert "192.0.2.99" in outcome.output
    assert "Traceback" not in outcome.output
    assert seconds < 4 * ERROR_SECONDS
    assert [live(lab, n, KEY) for n in (0, 1)] == ["602", "602"]


def test_an_unsupported_kernel_is_refused_before_any_change(lab: Lab) -> None:
    def edit(spec: dict[str, Any]) -> None:
        add_setting(spec, "603")
        spec["cluster"]["kernelFloor"] = "99.0"

    outcome = lab.deployment.run("up", config_file=lab.variant(edit))
    assert outcome.exit_code
    assert "limit 99.0" in outcome.output
    assert live(lab, 0, KEY) != "603"
