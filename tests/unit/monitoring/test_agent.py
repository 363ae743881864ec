"""What the timer measures on a node, and how it is put there."""

import ast
import json
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from components.monitoring import agent
from components.monitoring.facts import agent_program, command, units
from components.monitoring.model import MonitoringContext
from components.nodes.settings.script import node_script
from tests.support.monitoring import promtool
from tests.support.stacks import stack
from tests.support.tools import Tools

OSLO = stack("oslo")
REQUEST = {"peers": [{"name": "b", "address": "127.0.0.1"}], "mtu": 1500, "cluster_dns": "127.0.0.1", "etcd": False}
ETCD = b"""# HELP etcd_disk_wal_fsync_duration_seconds The latency.
# TYPE etcd_disk_wal_fsync_duration_seconds histogram
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 5
etcd_disk_wal_fsync_duration_seconds_count 5
# HELP etcd_other_total Not of ours.
etcd_other_total 3
etcd_server_has_leader 1
"""


def program(name: str) -> str:
    node = next(one for one in OSLO.nodes if one.name == name)
    requirements = OSLO.node_requirements
    script = node_script(node, requirements)
    return agent_program(node, OSLO.nodes, requirements, MonitoringContext(has_etcd=True), script)


def request_of(text: str) -> dict[str, Any]:
    """What the program is called with: the first word of its last line."""
    call = ast.parse(text).body[-1]
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    [loads, _] = call.value.args
    assert isinstance(loads, ast.Call)
    found: dict[str, Any] = json.loads(ast.literal_eval(loads.args[0]))
    return found


def test_only_control_planes_read_etcd_and_every_node_asks_all_others() -> None:
    assert request_of(program("osl-cp-1"))["etcd"] is True
    worker = request_of(program("osl-w-1"))
    assert worker["etcd"] is False
    assert [one["name"] for one in worker["peers"]] == [one.name for one in OSLO.nodes if one.name != "osl-w-1"]


def test_what_is_written_is_prometheus_text_format() -> None:
    rows = [(name, {"peer": "b"} if "path" in name else {}, 1.5) for name in agent.HELP]
    done = subprocess.run([promtool(), "check", "metrics"], input=agent.written(rows), text=True)
    assert done.returncode == 0


def test_an_echo_request_has_a_right_checksum_and_the_size_that_is_asked_for() -> None:
    for size, number in ((84, 1), (1500, 0xFFFF), (9000, 0xF7FF)):
        packet = agent.echo(number, size)
        assert len(packet) == size - 20
        words = sum(int.from_bytes(packet[at : at + 2], "big") for at in range(0, len(packet), 2))
        while words >> 16:
            words = (words & 0xFFFF) + (words >> 16)
        assert words == 0xFFFF


@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets are root's")
def test_a_path_is_full_only_if_the_link_carries_the_whole_packet() -> None:
    def full(mtu: int) -> dict[str, float]:
        return {name: value for name, _, value in agent.paths({**REQUEST, "mtu": mtu})}

    assert full(1500)["vds_path_full_size"] == 1.0
    assert full(1500)["vds_path_seconds"] < 1
    broken = full(65_000 + 537)  # larger than the loopback's MTU of 65536
    assert (broken["vds_path_up"], broken["vds_path_full_size"]) == (1.0, 0.0)


def test_dns_that_does_not_answer_is_down_and_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "DNS_SECONDS", 0.01)
    found = {name: value for name, _, value in agent.dns({**REQUEST, "cluster_dns": "127.0.0.2"})}
    assert found["vds_dns_up"] == 0.0
    assert "vds_dns_seconds" in found


def test_some_of_etcds_metrics_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    class Etcd(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(ETCD)

        def log_message(self, *_: object) -> None:
            """Nothing on the screen."""

    with HTTPServer(("127.0.0.1", 0), Etcd) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setattr(agent, "ETCD", server.server_address)
        text = agent.etcd({**REQUEST, "etcd": True})
    assert [line.split()[0] for line in text.splitlines() if not line.startswith("#")] == [
        'etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"}',
        "etcd_disk_wal_fsync_duration_seconds_count",
        "etcd_server_has_leader",
    ]
    assert "HTTP" not in text
    assert "# TYPE etcd_disk_wal_fsync_duration_seconds histogram" in text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('{"sysctl":"a","state":"applied"}\nconverged', {"vds_node_converged": 1.0, "vds_node_drifted_settings": 0.0}),
        (
            '{"state":"drifted"}\n{"state":"missing"}\n{"state":"applied"}\ndrifted',
            {"vds_node_converged": 0.0, "vds_node_drifted_settings": 2.0},
        ),
        ("outdated", {}),
        ("", {}),
    ],
)
def test_drift_is_what_the_nodes_script_says(
    said: str, expected: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "FOLDER", tmp_path)
    (tmp_path / "node.sh").write_text(f"cat <<'E'\n{said}\nE\n")
    assert {name: value for name, _, value in agent.drift()} == expected


def test_the_timer_of_a_node_that_has_left_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Tools(tmp_path / "bin")
    tools.add("systemctl")
    monkeypatch.setenv("PATH", f"{tools.folder}:{os.environ['PATH']}")
    monkeypatch.setattr(agent, "FOLDER", tmp_path)
    (tmp_path / "node.sh").write_text("echo absent\n")
    assert list(agent.drift()) == []
    assert tools.words("systemctl") == [["disable", "--now", "vds-platform-facts.timer"]]


def test_a_fact_that_cant_be_measured_takes_no_other_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "FOLDER", tmp_path)
    monkeypatch.setattr(agent, "METRICS", tmp_path)
    monkeypatch.setattr(agent, "PKI", tmp_path / "none")
    monkeypatch.setattr(agent, "DNS_SECONDS", 0.01)

    def refuse(*_: object) -> socket.socket:
        raise OSError("refused")

    monkeypatch.setattr(agent, "paths", refuse)
    (tmp_path / "node.sh").write_text("echo converged\n")
    agent.run(REQUEST)
    text = (tmp_path / "platform.prom").read_text()
    assert "vds_node_converged 1\n" in text
    assert "vds_path" not in text
    assert "vds_facts_timestamp_seconds " in text


def test_it_is_installed_once_and_removed_again(tmp_path: Path) -> None:
    tools = Tools(tmp_path / "bin")
    tools.add("systemctl")
    text = program("osl-w-1")
    for name, path in (("FOLDER", "lib"), ("UNITS", "units"), ("METRICS", "metrics")):
        before = next(line for line in text.splitlines() if line.startswith(f"{name} = Path("))
        text = text.replace(before, f"{name} = Path({str(tmp_path / path)!r})", 1)

    def run(verb: str) -> str:
        environment = {**os.environ, "PATH": f"{tools.folder}:{os.environ['PATH']}"}
        done = subprocess.run(
            [sys.executable, "-I", "-", verb], input=text, capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert [run("install"), run("install"), run("remove")] == ["changed", "unchanged", "changed"]
    calls = tools.words("systemctl")
    assert calls[:4] == [
        ["daemon-reload"],
        ["enable", "vds-platform-facts.timer"],
        ["restart", "vds-platform-facts.timer"],
        ["start", "vds-platform-facts.service"],
    ]
    assert calls[-2] == ["disable", "--now", "vds-platform-facts.timer"]
    assert [file for file in tmp_path.rglob("*") if file.is_file() and file.parent.name != "bin"] == []


def test_the_units_limit_what_a_run_may_take() -> None:
    assert set(units()) == {"vds-platform-facts.service", "vds-platform-facts.timer"}
    assert "MemoryMax=30M" in units()["vds-platform-facts.service"]
    assert command("install") == "timeout -k 10 120 python3 -I - install"
