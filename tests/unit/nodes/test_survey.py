"""The survey: what it asks, run for real between two namespaces, and its parts by themselves."""

import ast
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.nodes import survey
from components.nodes.facts import parse
from components.nodes.model import Demands, NodeSpec, PortNeed
from components.nodes.scripts import survey_command, survey_script
from components.nodes.survey import FACTS, MAGIC, NotHereError, answer, disk, ip_header, path_mtu, read_probe
from lab.processes import wait_until
from tests.support.stacks import stack

REQUEST: dict[str, Any] = {
    "node": "osl-1",
    "run": "cafe0123",
    "peers": [{"name": "osl-2", "address": "192.0.2.12"}],
    "pod_source": "10.244.255.254",
    "measure_disk": True,
}


def node(number: int) -> NodeSpec:
    return NodeSpec(
        name=f"osl-{number}",
        address=f"192.0.2.1{number}",
        country="NO",
        provider={"name": "Lab", "country": "NO"},
    )


def test_the_survey_is_python_that_a_server_of_2021_understands():
    ast.parse(Path(survey.__file__).read_text(), feature_version=(3, 9))


def test_the_request_says_everything_and_no_secret_goes_with_it():
    platform = stack("oslo")
    text = survey_script(platform.nodes[0], platform.nodes, platform.demands, run="cafe0123")
    request = ast.parse(text).body[-1].value.args[0].args[0].value
    asked = json.loads(request)
    assert [peer["name"] for peer in asked["peers"]] == [node.name for node in platform.nodes[1:]]
    assert {"port": 10250, "protocol": "tcp"} in asked["ports"]
    assert asked["measure_disk"] is False
    assert "PRIVATE" not in text


# --- parts -------------------------------------------------------------------------------------------------------


@given(st.integers(1280, 9000))
def test_the_path_mtu_is_found_to_the_byte(real):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(survey, "ping", lambda _, size, *__: 0.1 if size <= real else None)
        assert path_mtu("192.0.2.12", 9000) == (real, 0.1)


def test_a_peer_that_answers_nothing_has_no_path(monkeypatch):
    monkeypatch.setattr(survey, "ping", lambda *_: None)
    assert path_mtu("192.0.2.12", 1500) == (None, None)


def frame(packet: bytes) -> bytes:
    return b"\0" * 12 + b"\x08\x00" + packet


@pytest.mark.parametrize(
    ("source", "what"),
    [("10.244.255.254", "pod-source"), ("198.18.0.1", "foreign-source"), ("192.0.2.12", "rewritten")],
)
def test_a_probe_is_known_by_its_source_and_names_who_sent_it(source, what):
    body = MAGIC + b"cafe0123" + bytes([1])
    assert read_probe(frame(ip_header(source, "192.0.2.11", len(body)) + body), REQUEST) == ("osl-2", what)


@pytest.mark.parametrize("body", [MAGIC + b"another1" + bytes([1]), MAGIC + b"cafe0123", b"", MAGIC + b"cafe0123\xff"])
def test_what_is_not_of_this_run_is_nobodys(body):
    assert read_probe(frame(ip_header("198.18.0.1", "192.0.2.11", len(body)) + body), REQUEST)[0] == ""


def test_a_fact_that_cannot_be_had_says_why_and_stops_no_other():
    def absent(_: dict[str, Any]) -> dict[str, Any]:
        raise NotHereError("ethtool is not installed")

    def broken(_: dict[str, Any]) -> dict[str, Any]:
        raise FileNotFoundError(2, "No such file or directory", "/proc/x")

    assert answer("link", absent, REQUEST) == {"fact": "link", "unknown": "ethtool is not installed"}
    assert "/proc/x" in answer("link", broken, REQUEST)["unknown"]


FIO = """#!/bin/sh
for word; do case $word in --directory=*) touch "${word#*=}/etcd.0.0" ;; esac; done
echo "$*" >"$ARGUMENTS"
exec cat "$ANSWER"
"""


@pytest.fixture
def fio(tmp_path, monkeypatch):
    """A fio that answers what it is told to and leaves its file behind."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/fio").write_text(FIO)
    (tmp_path / "bin/fio").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(survey, "etcd_on", lambda _: 0)  # a lab may run on this machine
    monkeypatch.setenv("ARGUMENTS", f"{tmp_path}/arguments")
    monkeypatch.setenv("ANSWER", f"{tmp_path}/answer")
    (tmp_path / "etcd").mkdir()
    return tmp_path


def test_the_disk_is_asked_as_etcd_will_write_and_the_file_is_gone_afterwards(fio):
    delays = {"mean": 612_345.6, "percentile": {"99.000000": 1_204_224}}
    report = {"jobs": [{"sync": {"lat_ns": delays}}]}
    (fio / "answer").write_text(f"fio: a note before the report\n{json.dumps(report)}")
    found = disk(REQUEST | {"etcd_folder": f"{fio}/etcd/not-made-yet"})
    assert found["p99_ns"] == 1_204_224
    words = (fio / "arguments").read_text().split()
    assert {"--rw=write", "--ioengine=sync", "--fdatasync=1", "--size=22m", "--bs=2300"} <= set(words)
    assert list((fio / "etcd").iterdir()) == []


@pytest.mark.parametrize("said", ["", "out of space\n", '{"jobs": []}'])
def test_a_fio_that_fails_is_unknown_and_leaves_nothing(fio, said):
    (fio / "answer").write_text(said)
    assert "unknown" in disk(REQUEST | {"etcd_folder": f"{fio}/etcd"})
    assert list((fio / "etcd").iterdir()) == []


def test_a_disk_on_which_etcd_runs_is_never_written_to(fio, monkeypatch):
    monkeypatch.setattr(survey, "etcd_on", lambda _: 4711)
    assert "process 4711" in disk(REQUEST | {"etcd_folder": f"{fio}/etcd"})["unknown"]
    assert not (fio / "arguments").exists()


def test_a_running_etcd_is_found_by_its_open_files(tmp_path):
    member = tmp_path / "member" / "wal"
    member.mkdir(parents=True)
    program = tmp_path / "etcd"
    shutil.copyfile(shutil.which("sleep") or "/bin/sleep", program)
    program.chmod(0o755)
    with (member / "0.wal").open("w") as file:
        process = subprocess.Popen([program, "60"], stdout=file)
        try:
            wait_until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "etcd\n", 10, lambda: "not begun")
            found = survey.etcd_on(tmp_path.stat().st_dev)
            assert Path(f"/proc/{found}/comm").read_text() == "etcd\n", "this one, or a lab's on the same disk"
            assert survey.etcd_on(-1) == 0
        finally:
            process.kill()
            process.wait()


# --- for real ----------------------------------------------------------------------------------------------------

PREFIX = f"vdslab-survey-{os.getpid()}"


@pytest.fixture
def two_nodes():
    """Two namespaces, the second of which has the smaller link; nothing listens in either."""
    if os.geteuid() or not shutil.which("ip") or not shutil.which("ping"):
        pytest.skip("needs root, iproute2 and ping to ask between two network namespaces")
    names = [f"{PREFIX}-{number}" for number in (1, 2)]
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
        words = f"link add eth0 netns {names[0]} type veth peer name eth0 netns {names[1]}"
        subprocess.run(["ip", *words.split()], check=True)
        for number, name in enumerate(names, 1):
            for words in (
                f"addr add 192.0.2.1{number}/24 dev eth0",
                "link set lo up",
                f"link set eth0 up mtu {1600 - 100 * number}",
            ):
                subprocess.run(["ip", "-n", name, *words.split()], check=True)
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False, stderr=subprocess.DEVNULL)


def test_nodes_find_each_others_ports_mtu_segment_and_what_passes(two_nodes):
    nodes = [node(1), node(2)]
    demands = Demands("ebpf", "5.10", "us", ports=(PortNeed(22, "tcp", "ssh"), PortNeed(8472, "udp", "VXLAN")))

    def ask(number: int) -> subprocess.CompletedProcess[str]:
        text = survey_script(nodes[number], nodes, demands, run="cafe0123", window_seconds=2.5)
        words = ["ip", "netns", "exec", two_nodes[number], "sh", "-c", survey_command()]
        return subprocess.run(words, input=text, capture_output=True, text=True, timeout=100)

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(ask, range(2)))
    assert [done.returncode for done in said] == [0, 0], said
    first, second = (parse(done.stdout, received_at=0) for done in said)
    assert set(first.facts) == {"node", *FACTS, "disk", "clock"}
    assert first.get("wire")["heard"] == {"osl-2": ["8472/udp", "arp", "foreign-source", "pod-source"]}
    assert first.get("ports")["peers"] == {"osl-2": {"22/tcp": "refused"}}
    assert second.get("paths")["peers"]["osl-1"]["mtu"] == 1400, "its own link is the narrow one"
    assert first.get("paths")["peers"]["osl-2"]["mac"] == second.get("link")["mac"]
    assert "not asked for" in first.get("disk")["unknown"]
    assert first.get("kernel")["release"] == os.uname().release
