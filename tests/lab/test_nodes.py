"""Nodes: drift is put right; a node that cannot be reached or used stops nothing but itself."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from lab.asking import ssh
from lab.deploy import Outcome
from lab.keys import host_key as host_key_file
from lab.layout import NODES
from lab.machines import machine
from tests.lab.conftest import Lab, up
from tests.support.stacks import host_key

pytestmark = pytest.mark.lab

KEY = "net.ipv4.tcp_keepalive_time"


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


def broken_third(lab: Lab, change: dict[str, Any], value: str) -> Outcome:
    def edit(spec: dict[str, Any]) -> None:
        add_setting(spec, value)
        spec["nodes"][2].update(change)

    return lab.deployment.run("up", config_file=lab.variant(edit))


def test_a_wrong_host_key_fails_that_node_alone_with_one_clear_error(lab: Lab) -> None:
    outcome = broken_third(lab, {"hostKey": host_key("another")}, "601")
    assert outcome.exit_code
    assert "host key" in outcome.output.lower()
    assert NODES[2].name in outcome.output
    assert "Traceback" not in outcome.output
    assert [live(lab, n, KEY) for n in (0, 1)] == ["601", "601"]
    assert live(lab, 2, KEY) != "601"


def test_an_unreachable_node_fails_alone_and_the_others_are_recorded(lab: Lab) -> None:
    outcome = broken_third(lab, {"address": "192.0.2.99", "hostKey": host_key("another")}, "602")
    assert outcome.exit_code
    assert "192.0.2.99" in outcome.output
    assert "Traceback" not in outcome.output
    assert [live(lab, n, KEY) for n in (0, 1)] == ["602", "602"]


def test_an_unsupported_kernel_is_refused_before_any_change(lab: Lab) -> None:
    def edit(spec: dict[str, Any]) -> None:
        add_setting(spec, "603")
        spec["cluster"]["kernelFloor"] = "99.0"

    outcome = lab.deployment.run("up", config_file=lab.variant(edit))
    assert outcome.exit_code
    assert "limit 99.0" in outcome.output
    assert live(lab, 0, KEY) != "603"


def test_another_user_than_root_does_the_same_by_sudo_and_through_a_bastion(lab: Lab) -> None:
    user = (
        "id debian 2>/dev/null || useradd -m -s /bin/sh debian; mkdir -p ~debian/.ssh; "
        "cp /root/.ssh/authorized_keys ~debian/.ssh/; chown -R debian ~debian/.ssh; "
        "echo 'debian ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/debian"
    )
    for node in NODES:
        done = ssh(lab.layout, node.address, user)
        assert done.returncode == 0, done.stderr

    def edit(spec: dict[str, Any]) -> None:
        key = host_key_file(lab.layout, NODES[0]).with_suffix(".pub").read_text()
        bastion = {"host": NODES[0].address, "hostKey": " ".join(key.split()[:2])}
        spec["ssh"] = spec.get("ssh", {}) | {"user": "debian", "bastion": bastion}
        add_setting(spec, "604")

    outcome = lab.deployment.run("up", config_file=lab.variant(edit))
    assert outcome.exit_code == 0, outcome.diagnostics
    assert [live(lab, n, KEY) for n in range(len(NODES))] == ["604"] * len(NODES)


def test_a_cloud_images_answer_to_root_stops_the_run_with_the_user_to_write(lab: Lab) -> None:
    keys, said = "/root/.ssh/authorized_keys", 'Please login as the user "debian" rather than the user "root".'
    address = NODES[2].address
    command = f"""
    echo '{said}' >/root/said
    cp {keys} /root/kept
    sed -i 's|^|command="cat /root/said; exit 142" |' {keys}
    """
    assert ssh(lab.layout, address, command).returncode == 0
    try:
        outcome = lab.deployment.run("up", config_file=lab.variant(lambda spec: add_setting(spec, "605")))
    finally:
        # Not over SSH: no login works now.
        subprocess.run(machine.inside(lab.layout, NODES[2], ["cp", "/root/kept", keys]), check=True)
    assert outcome.exit_code
    assert "write ssh.user: debian" in outcome.output
    assert live(lab, 0, KEY) != "605"


def test_labels_and_taints_come_and_go_with_the_stack_file(lab: Lab) -> None:
    name = NODES[2].name

    def found() -> tuple[dict[str, str], list[dict[str, str]]]:
        node = lab.cluster.request("GET", f"/api/v1/nodes/{name}")
        return node["metadata"]["labels"], node["spec"].get("taints", [])

    def changed(**values: Any) -> None:
        def edit(spec: dict[str, Any]) -> None:
            spec["nodes"][2].update(values)

        outcome = lab.deployment.run("up", config_file=lab.variant(edit))
        assert outcome.exit_code == 0, outcome.diagnostics

    assert found()[0]["vds-platform.no/edge"] == "true"
    taint = {"key": "example.no/only", "effect": "PreferNoSchedule"}
    changed(labels={"example.no/rack": "a1"}, taints=[taint])
    assert found()[0]["example.no/rack"] == "a1"
    assert taint in found()[1]
    changed(taints=[])
    assert "example.no/rack" not in found()[0]
    assert taint not in found()[1]


def test_a_firewall_is_confirmed_and_goes_with_the_stack_file(lab: Lab) -> None:
    def edit(spec: dict[str, Any]) -> None:
        spec["nodeFirewall"] = {"operators": ["192.0.2.0/24"]}

    outcome = lab.deployment.run("up", config_file=lab.variant(edit))
    assert outcome.exit_code == 0, outcome.diagnostics
    table = "nft list table inet vds_platform"
    for node in NODES:
        done = ssh(lab.layout, node.address, f"{table} && systemctl is-enabled vds-platform-firewall.service")
        assert done.returncode == 0, done.stderr
        timer = "systemctl is-active vds-platform-firewall-back.timer"
        assert ssh(lab.layout, node.address, timer).stdout.strip() == "inactive"
    lab.restore()
    assert [ssh(lab.layout, node.address, table).returncode for node in NODES] == [1] * len(NODES)
