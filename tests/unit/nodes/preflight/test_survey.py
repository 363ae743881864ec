"""The survey: what it asks, run for real between two namespaces, and its parts by themselves."""

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.nodes.model import NodeRequirements, NodeSpec, PortNeed
from components.nodes.preflight import survey
from components.nodes.preflight.facts import Survey, parse
from components.nodes.preflight.script import SURVEY_SECONDS, survey_command, survey_script
from components.nodes.preflight.survey import FACTS, MAGIC, NotHereError, answer, disk, ip_header, path_mtu, read_probe
from components.nodes.preflight.verdict import findings
from lab.processes import wait_until
from tests.support.stacks import stack

REQUEST: dict[str, Any] = {
    "node": "osl-1",
    "run": "cafe0123",
    "peers": [{"name": "osl-2", "address": "192.0.2.12"}],
    "pod_source": "10.244.255.254",
    "measure_disk": True,
}

DEMANDS = NodeRequirements("ebpf", "5.10", "us", ports=(PortNeed(22, "tcp", "ssh"), PortNeed(8472, "udp", "VXLAN")))


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
    text = survey_script(platform.nodes[0], platform.nodes, platform.node_requirements, run="cafe0123")
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


def test_a_python_without_ctypes_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ctypes", None)  # as Debian's python3-minimal
    with pytest.raises(survey.NotHereError, match="apt-get install python3"):
        survey.time_sync({})


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
    monkeypatch.setattr(survey, "etcd_process", lambda: 0)  # a lab may run on this machine
    monkeypatch.setattr(survey, "filesystem", lambda _: "ext4")  # wherever the test's own folder is
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


def test_a_disk_too_slow_for_fio_to_finish_is_refused_and_not_unknown(fio, monkeypatch):
    (fio / "bin/fio").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(survey, "FIO_HANGS_SECONDS", 0.2)
    found = disk(REQUEST | {"etcd_folder": f"{fio}/etcd"})
    first = node(1).model_copy(update={"roles": ("control-plane",)})
    [finding] = [f for f in findings([Survey("osl-1", {"disk": found})], [first], DEMANDS) if f.check.id == "etcd-disk"]
    assert (finding.state, finding.limit) == ("fails", "10 ms")
    assert finding.measured == f"not measured on ext4 at {fio}/etcd: fio did not end within 0.2 s"
    assert list((fio / "etcd").iterdir()) == []


def test_fio_ends_itself_before_it_is_ended_so_that_a_slow_disk_has_a_percentile(fio):
    (fio / "answer").write_text("{}")
    disk(REQUEST | {"etcd_folder": f"{fio}/etcd"})
    [runtime] = [word for word in (fio / "arguments").read_text().split() if word.startswith("--runtime=")]
    assert int(runtime.removeprefix("--runtime=")) <= survey.FIO_HANGS_SECONDS - 10
    assert survey.FIO_HANGS_SECONDS <= SURVEY_SECONDS - 20


@pytest.mark.parametrize("kind", ["overlay", "ramfs", "tmpfs"])
def test_what_has_no_disk_of_its_own_is_not_measured_and_says_so_first(fio, monkeypatch, kind):
    monkeypatch.setattr(survey, "filesystem", lambda _: kind)
    (fio / "bin/fio").unlink()
    said = f"{fio}/etcd is on {kind}, which is not a disk: data may stay in memory"
    assert disk(REQUEST | {"etcd_folder": f"{fio}/etcd"})["unknown"] == said


def test_of_two_mounts_on_one_point_the_later_one_is_seen(monkeypatch):
    rows = "1 0 8:1 / / rw - ext4 /dev/vda rw\n2 1 0:9 / /var rw - xfs /dev/vdb rw\n3 2 0:5 / /var rw - tmpfs t rw"
    monkeypatch.setattr(survey, "text_of", lambda _: rows)
    assert [survey.filesystem(folder) for folder in ("/var/lib", "/variable")] == ["tmpfs", "ext4"]


def test_a_disk_on_which_etcd_runs_is_never_written_to(fio, monkeypatch):
    monkeypatch.setattr(survey, "etcd_process", lambda: 4711)
    assert "process 4711" in disk(REQUEST | {"etcd_folder": f"{fio}/etcd"})["unknown"]
    assert not (fio / "arguments").exists()


@pytest.mark.parametrize("folder", ["member/wal", "db/etcd/member/snap"])
def test_an_etcd_is_found_by_its_open_files_whatever_its_program_and_wherever_its_disk(tmp_path, folder):
    files, processes = tmp_path / folder, tmp_path / "processes"
    files.mkdir(parents=True)
    processes.mkdir()
    with (files / "0.wal").open("w") as file:  # this process, as k3s has etcd within itself
        (processes / f"{os.getpid()}").symlink_to(f"/proc/{os.getpid()}")
        (processes / "4711").mkdir()
        assert survey.etcd_process(f"{processes}") == os.getpid(), file
    assert survey.etcd_process(f"{processes}") == 0


def test_a_survey_that_is_ended_leaves_no_file(fio):
    (fio / "bin/fio").write_text(FIO.replace('exec cat "$ANSWER"', "exec sleep 60"))
    request = REQUEST | {"etcd_folder": f"{fio}/etcd"}
    changes = 'FACTS = {"cgroup": cgroup}\netcd_process = lambda: 0\nfilesystem = lambda _: "ext4"\n'
    text = f"{Path(survey.__file__).read_text()}\n{changes}\nmain({request!r})\n"
    with subprocess.Popen([sys.executable, "-I", "-"], stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin
        process.stdin.write(text)
        process.stdin.close()
        wait_until(lambda: (fio / "arguments").exists(), 20, lambda: "fio did not begin")
        assert list((fio / "etcd").iterdir()) != []
        process.terminate()
        assert process.wait(10) == 143
    assert list((fio / "etcd").iterdir()) == []


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


def ask_both(namespaces: list[str], *, apart_seconds: float = 0) -> list[Any]:
    """The surveys of both nodes, of which the second begins later."""
    nodes = [node(1), node(2)]

    def ask(number: int) -> subprocess.CompletedProcess[str]:
        time.sleep(number * apart_seconds)
        text = survey_script(nodes[number], nodes, DEMANDS, run="cafe0123")
        words = ["ip", "netns", "exec", namespaces[number], "sh", "-c", survey_command()]
        return subprocess.run(words, input=text, capture_output=True, text=True, timeout=100)

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(ask, range(2)))
    assert [done.returncode for done in said] == [0, 0], said
    return [parse(done.stdout, received_at=0) for done in said]


def test_nodes_find_each_others_ports_mtu_segment_and_what_passes(two_nodes):
    first, second = ask_both(two_nodes)
    assert set(first.facts) == {"node", *FACTS, "disk", "clock"}
    assert first.get("wire")["heard"] == {"osl-2": ["8472/udp", "arp", "foreign-source", "pod-source"]}
    assert first.get("ports")["peers"] == {"osl-2": {"22/tcp": "refused"}}
    assert second.get("paths")["peers"]["osl-1"]["mtu"] == 1400, "its own link is the narrow one"
    assert first.get("paths")["peers"]["osl-2"]["mac"] == second.get("link")["mac"]
    assert "not asked for" in first.get("disk")["unknown"]
    assert first.get("kernel")["release"] == os.uname().release


def test_a_node_that_begins_two_seconds_later_is_heard_and_hears(two_nodes):
    first, second = ask_both(two_nodes, apart_seconds=2)
    passes = ["8472/udp", "arp", "foreign-source", "pod-source"]
    assert (first.get("wire")["heard"], second.get("wire")["heard"]) == ({"osl-2": passes}, {"osl-1": passes})
