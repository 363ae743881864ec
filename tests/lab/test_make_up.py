"""`make up` proves the platform; a second one changes nothing."""

import json
import subprocess
from typing import Any

import pytest

from lab.layout import CHECKOUT, CLIENT, NODES, OPERATOR, Layout
from tests.lab.conftest import Lab, lab_command, up

pytestmark = pytest.mark.lab


def test_the_report_says_that_the_platform_runs(first_report: dict[str, Any]) -> None:
    assert first_report["ok"], first_report


def test_the_canary_gets_its_tenth_and_the_backend_sees_the_header(first_report: dict[str, Any]) -> None:
    gateway = first_report["gateway"]
    assert sum(gateway["counts"].values()) == gateway["requests"] == 1000
    assert gateway["counts"]["api-canary"] > 0
    assert gateway["binomial_p"] > 0.001
    assert gateway["backend_saw"] == {"X-Region-Context": "no-osl-1"}
    assert gateway["arp_answered_by"] in {n.name for n in NODES}


def test_https_is_verified_and_plain_http_is_redirected(first_report: dict[str, Any]) -> None:
    gateway = first_report["gateway"]
    assert gateway["failures"] == {}
    [(name, redirect)] = gateway["redirects"].items()
    assert (name, redirect["status"]) == ("http", 301)
    assert redirect["location"] == "https://butikk.example.no/api/v2/items"


def test_the_backend_knows_the_client_by_its_own_address(first_report: dict[str, Any]) -> None:
    assert first_report["gateway"]["client_seen"] == CLIENT.address


def test_a_tenants_pod_resolves_its_services_by_coredns(first_report: dict[str, Any]) -> None:
    names = first_report["tenant"]["names"]
    assert names
    assert all(row["ok"] for row in names.values()), names


def test_nothing_stands_in_but_the_two_plugins(first_report: dict[str, Any]) -> None:
    plugins = {p["name"] for p in first_report["plugins"] if p["origin"] == "stand-in"}
    assert plugins <= {"pulumi-language-python", "pulumi-resource-command"}
    assert {said.split(":")[0] for said in first_report["stands_in"]} == plugins


def test_pods_on_different_nodes_pass_what_the_solver_says_and_not_a_byte_more(
    first_report: dict[str, Any],
) -> None:
    network = first_report["network"]
    assert len(network["pairs"]) == 6
    assert {p["df_ping"] for p in network["pairs"].values()} == {network["pod_mtu_configured"]} == {1450}


def test_tiers_reach_whom_they_may_and_nobody_else(first_report: dict[str, Any]) -> None:
    calls = first_report["tenant"]["calls"]
    assert calls["frontend → api"]["answered"]
    assert calls["api → database"]["answered"]
    assert not calls["frontend → database"]["answered"]
    assert not calls["database → api"]["answered"]


def test_the_policy_pack_ran_and_found_nothing(first_report: dict[str, Any]) -> None:
    assert first_report["policies"]["packs"]
    assert first_report["policies"]["violations"] == []


def test_a_second_run_changes_nothing_and_remakes_the_report(lab: Lab) -> None:
    lab.layout.report.unlink()
    report = up()
    assert report["pulumi"]["unchanged"], report["pulumi"]
    assert report["ok"]
    assert json.loads(lab.layout.report.read_text()) == report


def links(namespace: list[str]) -> list[str]:
    shown = subprocess.run(["ip", *namespace, "-j", "addr"], capture_output=True, check=True, text=True).stdout
    return [link["ifname"] for link in json.loads(shown)]


def test_the_machines_own_network_has_no_trace_of_the_lab(first_report: dict[str, Any]) -> None:
    assert [name for name in links([]) if name.startswith(("cilium", "lxc", "osl", "br0", "site", "op"))] == []
    assert links(["-n", OPERATOR.namespace]) == ["lo", "eth0"]


def test_status_names_every_node_and_service(lab: Lab) -> None:
    done = lab_command("status", "--json")
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert status["running"]
    assert set(status["node"]) == {n.name for n in NODES}
    assert set(status["node"].values()) == {"Ready=True"}


def test_the_committed_stack_file_is_never_written_to(lab: Lab) -> None:
    assert "secure" not in (CHECKOUT / "Pulumi.lab.yaml").read_text()
    assert "secure" in lab.deployment.config_file.read_text()
    assert lab.deployment.config_file.stat().st_mode & 0o077 == 0 or Layout().state.stat().st_mode & 0o077 == 0
