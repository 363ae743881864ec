"""The doctor finds what was changed by hand; a preflight that fails stops everything before the first change."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.existing_cluster.checks import cluster_findings
from components.existing_cluster.reading import read_cluster
from components.stackfile.parsing import parse
from lab.asking import ssh
from lab.layout import CHECKOUT, NODES
from tests.lab.conftest import Lab, up
from tests.support.stacks import host_key

pytestmark = pytest.mark.lab

FILE = "/etc/sysctl.d/zz-vds-platform.conf"
KEY = "net.ipv4.tcp_keepalive_time"


def break_by_hand(lab: Lab) -> None:
    """A sysctl on one node, a file on another."""
    assert ssh(lab.layout, NODES[1].address, f"sysctl -w {KEY}=7200").returncode == 0
    assert ssh(lab.layout, NODES[2].address, f"rm {FILE}").returncode == 0


def test_every_check_has_a_row_with_a_value_or_the_reason_why_not(first_report: dict[str, Any]) -> None:
    from components.nodes.preflight.checks import CHECKS

    preflight = first_report["preflight"]
    assert preflight["ok"]
    for node in NODES:
        assert set(preflight[node.name]) == {check.id for check in CHECKS}
        assert all(row["measured"] for row in preflight[node.name].values())
        assert preflight[node.name]["path-mtu"] == {"state": "ok", "measured": "1500 to all 2 others", "limit": "1500"}


def test_what_was_changed_by_hand_is_found_by_the_doctor_and_repaired_by_the_next_run(lab: Lab) -> None:
    lab.well()
    break_by_hand(lab)
    status, found = lab.examined()
    assert status == 1
    assert not found["converged"]
    assert found["nodes"][NODES[1].name]["drifted"] == [f"{KEY} is 7200, wanted 600"]
    assert found["nodes"][NODES[2].name]["drifted"] == [f"{FILE} missing"]
    assert found["nodes"][NODES[0].name]["verdict"] == "converged"
    assert up()["ok"]
    assert lab.well()["converged"]


def test_the_doctor_puts_right_the_nodes_that_drifted_and_nothing_else(lab: Lab) -> None:
    lab.well()
    break_by_hand(lab)
    done = lab.doctor("--fix", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{NODES[1].name}-setup" in done.stdout
    assert f"{NODES[0].name}-setup" not in done.stdout
    lab.well()


def test_a_facts_file_lets_a_preview_judge_without_reaching_the_nodes(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    lab.well()
    assert lab.doctor("--facts", str(file)).returncode == 0

    def preview(underlay_mtu: int) -> Any:
        def edit(spec: dict[str, Any]) -> None:
            spec["network"]["underlayMtu"] = underlay_mtu
            spec["cni"].pop("podMtu")
            for node in spec["nodes"]:
                node["hostKey"] = host_key("another")  # nobody would be let in

        arguments = ("--config", f"vds-platform:factsFile={file}")
        return lab.deployment.run("preview", *arguments, config_file=lab.variant(edit))

    fine, wrong = preview(1500), preview(9000)
    assert "path MTU" not in fine.output
    assert wrong.exit_code
    others = f"{NODES[1].name}: 1500, {NODES[2].name}: 1500"
    assert f"node {NODES[0].name}: path MTU to other nodes to {others}, limit 9000" in wrong.output


def test_a_container_is_recognised_and_refused_unless_the_stack_file_says_what_it_is(lab: Lab) -> None:
    _, found = lab.examined()
    for node in NODES:
        row = found["nodes"][node.name]["checks"]["machine"]
        assert row["state"] == "accepted"
        assert row["measured"].startswith("a container (systemd-nspawn)")

    def as_servers(spec: dict[str, Any]) -> None:
        spec["preflight"]["etcdFolder"] = "/var/lib/etcd/."  # other requirements, so the nodes are surveyed
        for node in spec["nodes"]:
            node.pop("machine")

    refused = lab.deployment.run("preview", config_file=lab.variant(as_servers))
    assert refused.exit_code
    for node in NODES:
        assert f"node {node.name}: machine a container (systemd-nspawn)" in refused.output
    assert "rent a virtual machine or a physical server" in refused.output

    def without_accepting(spec: dict[str, Any]) -> None:
        spec["preflight"] |= {"etcdFolder": "/var/lib/etcd/.", "accept": []}

    refused = lab.deployment.run("preview", config_file=lab.variant(without_accepting))
    assert refused.exit_code
    assert "accept check machine in preflight.accept" in refused.output


def test_the_disk_is_measured_without_a_program_of_its_own_and_nothing_stays(lab: Lab) -> None:
    done = lab.doctor("--disk", "--json")
    found = json.loads(done.stdout)["nodes"]
    for node in NODES[1:]:
        row = found[node.name]["checks"]["etcd-disk"]
        assert row["measured"].split(" ms ")[0].replace(".", "").isdigit(), row
        assert row["measured"].endswith((" writes", "slower than NVMe")), row
        assert ssh(lab.layout, node.address, "ls -A /var/lib/etcd").stdout == ""
    first = found[NODES[0].name]["checks"]["etcd-disk"]
    assert "of the running etcd" in first["measured"], first
    assert first["state"] == "accepted"


def test_the_cluster_is_asked_whether_it_is_as_the_stack_file_says(lab: Lab) -> None:
    found = lab.well()
    states = {name: row["state"] for name, row in found["cluster"].items()}
    assert set(states.values()) == {"ok"}, found["cluster"]
    facts = read_cluster(lab.layout.kubeconfig.read_text())
    data = yaml.safe_load(lab.deployment.config_file.read_text())["config"]["vds-platform:spec"]
    data["cluster"] = {"kind": "existing", "kubernetesVersion": "1.35"}
    data["cni"]["serviceProxy"] = "iptables"
    for node in data["nodes"]:
        node["hostKey"] = host_key(node["name"])
    wrong = {row.check.id: row for row in cluster_findings(facts, parse(data, base_dir=CHECKOUT).cluster_requirements)}
    assert {name for name, row in wrong.items() if row.stops} == {"cluster-version", "cluster-kube-proxy"}
