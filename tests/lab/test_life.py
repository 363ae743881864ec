"""The lab's own life: killed at any point it recovers; down, nothing is left of it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from lab import fabric
from lab.asking import ssh
from lab.layout import CHECKOUT, CONTROL_PLANES, NODES, OPERATOR, WORKERS, Layout
from lab.processes import cgroup, kill, members
from lab.session import leftovers
from tests.lab.conftest import Lab, lab_command, up
from tests.support.host_state import differences, host_state

pytestmark = pytest.mark.lab


@pytest.fixture
def fresh(first_report: dict[str, Any]) -> None:
    assert lab_command("down").returncode == 0


def test_a_network_that_carries_less_than_is_written_stops_the_run_before_any_change(fresh: None) -> None:
    before = host_state()
    assert lab_command("start").returncode == 0

    def edit(spec: dict[str, Any]) -> None:
        spec["network"]["underlayMtu"] = 9000
        spec["cni"].pop("podMtu")

    with fabric.inside(OPERATOR):
        lab = Lab()
        lab.deployment.prepare()
        outcome = lab.deployment.run("up", config_file=lab.variant(edit))
        assert outcome.exit_code
        assert "the preflight has 3 failures; nothing was changed" in outcome.output
        assert "Traceback" not in outcome.output
        for node in NODES:
            assert f"node {node.name}: path MTU to other nodes" in outcome.output
            assert ssh(lab.layout, node.address, "test ! -e /var/lib/vds-platform").returncode == 0

    assert up()["ok"], "the same machines, with the network that they have"
    assert lab_command("down").returncode == 0
    assert differences(before, host_state()) == [], "this machine is as it was before the lab"


def interrupted_up(when: Callable[[], bool]) -> bool:
    """`make up`, killed without a warning at the first moment at which `when` is true; whether it came to that."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "up", "--json"], cwd=CHECKOUT, stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 900
    try:
        while not (reached := when()) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        kill("op")  # the engine and its plugins too, at the same moment
        process.wait()
    return reached


def begun(word: str, stack: str = "lab") -> Callable[[], bool]:
    """Whether the engine has written down that it began to make a resource: most often it has not yet ended it."""

    def is_begun() -> bool:
        backends = (Layout().state / "pulumi", Layout().state / "agency" / "state")
        for file in (file for place in backends for file in (place / ".pulumi" / "stacks").rglob(f"{stack}.json")):
            with contextlib.suppress(ValueError, OSError):  # it is being written
                state = json.loads(file.read_text())["checkpoint"].get("latest") or {}  # a new stack has none
                pending = [operation["resource"] for operation in state.get("pending_operations") or []]
                return any(word in resource["urn"] for resource in [*pending, *(state.get("resources") or [])])
        return False

    return is_begun


POINTS: dict[str, Callable[[], bool]] = {
    "services are starting": lambda: bool(members("site/registry")),
    "a machine is starting": lambda: bool(members(WORKERS[1].name)),
    "nodes are being set up": begun(f"{WORKERS[0].name}-setup"),
    "packages are being installed": begun(f"{WORKERS[0].name}-packages"),
    "the cluster is being made": begun(f"{CONTROL_PLANES[0].name}-membership"),
    "the CNI is being installed": begun("cni-cilium"),
    "the gateway is being waited for": begun("gateway-gateway"),
    "a tenant's namespace is being made": begun("butikk-namespace-prod", "butikk"),
    "the agency's route is being waited for": begun("butikk-api-route", "prod"),
}
"""In the order in which one run comes to them."""


@pytest.mark.nightly
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
