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

from components.nodes.model import NodeRequirements, NodeSpec, PortNeed, PreflightSpec
from components.nodes.preflight import survey
from components.nodes.preflight.facts import Survey, parse
from components.nodes.preflight.script import SURVEY_SECONDS, listeners, survey_command, survey_script
from components.nodes.preflight.survey import FACTS, MAGIC, NotHereError, answer, disk, ip_header, path_mtu, read_probe
from components.nodes.preflight.verdict import findings
from tests.support.stacks import stack

REQUEST: dict[str, Any] = {
    "node": "osl-1",
    "run": "cafe0123",
    "peers": [{"name": "osl-2", "address": "192.0.2.12"}],
    "pod_source": "10.244.255.254",
    "probes": ["gratuitous-arp", "spoofed-sources"],
    "measure_disk": True,
}

QUIET = NodeRequirements("ebpf", "5.10", "us", ports=(PortNeed(22, "tcp", "ssh"), PortNeed(8472, "udp", "VXLAN")))
DEMANDS = QUIET._replace(preflight=PreflightSpec(probes=("gratuitous-arp", "spoofed-sources")))


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
    by_port = {port["port"]: port["peers"] for port in asked["ports"]}
    assert by_port[10250] == [node.name for node in platform.nodes[1:]]
    assert by_port[2380] == by_port[2379] == by_port[6443] == ["osl-cp-2", "osl-cp-3"]
    assert asked["api_server"] == {"host": "198.51.100.10", "port": 6443}
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


def test_a_python_without_ctypes_asks_systemd_and_else_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ctypes", None)
    monkeypatch.setattr(survey, "output_of", lambda *_: "yes\n")
    assert survey.time_sync({}) == {"synchronised": True}
    monkeypatch.setattr(survey, "output_of", lambda *_: "Failed to connect to bus\n")
    with pytest.raises(survey.NotHereError, match="apt-get install python3"):
        survey.time_sync({})


@pytest.fixture
def plain_machine(monkeypatch):
    """A machine with its own kernel; a test changes what its files and systemd say."""
    files = {"/proc/1/environ": "HOME=/\0TERM=linux\0", "/proc/1/cgroup": "0::/init.scope"}
    links = {"/proc/self/ns/pid": survey.PID_NAMESPACE, "/proc/self/ns/user": survey.USER_NAMESPACE}
    virtual = {"--container": "none\n", "--vm": "kvm\n"}

    def text_of(path):
        if path not in files:
            raise FileNotFoundError(path)
        return files[path].strip()

    monkeypatch.setattr(survey, "text_of", text_of)
    monkeypatch.setattr(survey, "_has", lambda _: bool(virtual))
    monkeypatch.setattr(survey, "output_of", lambda _, what: virtual[what])
    monkeypatch.setattr(Path, "exists", lambda self: str(self) in files)
    monkeypatch.setattr(Path, "readlink", lambda self: Path(links[str(self)]))
    return files, links, virtual


def test_a_virtual_machine_is_no_container(plain_machine):
    assert survey.machine({}) == {"container": "", "virtual": "kvm"}
    plain_machine[2].clear()
    assert survey.machine({}) == {"container": "", "virtual": ""}, "without systemd"


@pytest.mark.parametrize(
    ("where", "key", "value", "kind"),
    [
        ("systemd", "--container", "openvz\n", "openvz"),
        ("files", "/proc/vz", "", "openvz"),
        ("files", "/run/systemd/container", "lxc", "lxc"),
        ("files", "/run/host/container-manager", "systemd-nspawn", "systemd-nspawn"),
        ("files", "/proc/1/environ", "A=b\0container=lxc\0C=d", "lxc"),
        ("files", "/proc/1/cgroup", "4:memory:/lxc/vps17\n", "lxc"),
        ("links", "/proc/self/ns/pid", "pid:[4026532191]", "unknown kind"),
        ("links", "/proc/self/ns/user", "user:[4026532190]", "unknown kind"),
    ],
)
def test_a_container_is_recognised_by_any_one_sign(plain_machine, where, key, value, kind):
    plain_machine[("files", "links", "systemd").index(where)][key] = value
    assert survey.machine({})["container"] == kind


def test_a_host_of_openvz_is_none(plain_machine):
    plain_machine[0].update({"/proc/vz": "", "/proc/bc": ""})
    assert survey.machine({})["container"] == ""


@pytest.mark.parametrize("address", ["02:00:00:00:00:02", None])
def test_the_links_mac_is_that_of_its_network_namespace(monkeypatch, address):
    """A container's /sys may be its host's: what it says of a link of the same name is another link's."""
    shown = [{"ifname": "eth0", "mtu": 1450, "address": "02:00:00:00:00:01", "addr_info": [{"local": "192.0.2.11"}]}]
    read = {"/sys/class/net/eth0/address": address, "/sys/class/net/eth0/speed": "1000"}

    def text_of(path):
        if read.get(path) is None:
            raise FileNotFoundError(path)
        return read[path]

    monkeypatch.setattr(survey, "output_of", lambda *words: json.dumps(shown) if words[0] == "ip" else "")
    monkeypatch.setattr(survey, "text_of", text_of)
    found = survey.link({"address": "192.0.2.11"})
    assert (found["interface"], found["mac"], found["mtu"]) == ("eth0", "02:00:00:00:00:01", 1450)
    assert (found["speed_mbit"], found["driver"]) == (None, ""), "not those of the host's link"


def test_a_machine_that_shows_no_namespaces_is_unknown(plain_machine, monkeypatch):
    def missing(_):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "readlink", missing)
    assert "mount proc" in answer("machine", survey.machine, REQUEST)["unknown"]


def test_a_private_pid_namespace_of_this_kernel_is_a_container():
    if os.geteuid():
        pytest.skip("needs root to make a namespace")
    code = f"{Path(survey.__file__).read_text()}\n_has = lambda _: False\nprint(json.dumps(machine({{}})))\n"
    words = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-I", "-"]
    done = subprocess.run(words, input=code, text=True, capture_output=True, check=True)
    assert json.loads(done.stdout)["container"]


# --- counters ----------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """Counters at a moment that the test sets, in seconds since the start, and the samples that are kept."""
    monkeypatch.setattr(survey, "COUNTERS", f"{tmp_path}/run/counters.json")
    monkeypatch.setattr(survey, "interface_of", lambda _: "eth0")
    boot = ["first"]

    def window(uptime: float, *, start: str = "first") -> dict[str, Any]:
        boot[0] = start
        monkeypatch.setattr(survey, "counters", lambda _: {"uptime": uptime, "boot": start})
        return survey.window({"address": "192.0.2.11", "window_seconds": 0})

    return window


def test_counters_are_compared_with_the_newest_survey_that_is_ten_minutes_old(counted):
    assert counted(5000)["before"] is None, "since the start"
    assert counted(5001)["before"] is None
    assert counted(5300)["before"] is None, "five minutes say less than the time since the start"
    assert counted(5650)["before"]["uptime"] == 5000
    assert counted(5950)["before"]["uptime"] == 5300
    assert counted(9000)["before"]["uptime"] == 5950
    assert counted(9001)["before"]["uptime"] == 5950, "a sample of a second ago is none"


def test_samples_do_not_grow_in_number_and_end_with_a_restart(counted):
    for uptime in range(1000, 9000, 70):
        counted(uptime)
    assert len(json.loads(Path(survey.COUNTERS).read_text())["eth0"]) <= 11
    assert counted(100, start="second")["before"] is None


def test_a_damaged_or_unwritable_file_of_samples_is_as_none(counted):
    counted(5000)
    Path(survey.COUNTERS).write_text("{")
    assert counted(6000)["before"] is None
    Path(survey.COUNTERS).unlink()
    Path(survey.COUNTERS).mkdir()
    assert counted(7000)["before"] is None


def test_what_the_kernel_counts_is_read():
    found = survey.counters("lo")
    assert found["uptime"] > 0
    assert len(found["cpu"]) >= 8
    assert set(found["nic"]) == {"packets", "dropped"}


def test_a_fact_that_cannot_be_had_says_why_and_stops_no_other():
    def absent(_: dict[str, Any]) -> dict[str, Any]:
        raise NotHereError("ethtool is not installed")

    def broken(_: dict[str, Any]) -> dict[str, Any]:
        raise FileNotFoundError(2, "No such file or directory", "/proc/x")

    assert answer("link", absent, REQUEST) == {"fact": "link", "unknown": "ethtool is not installed"}
    assert "/proc/x" in answer("link", broken, REQUEST)["unknown"]


# --- etcd's disk -------------------------------------------------------------------------------------------------


@pytest.fixture
def etcd(tmp_path, monkeypatch):
    """A folder on a disk, without an etcd."""
    monkeypatch.setattr(survey, "etcd_process", lambda: 0)  # a lab may run on this machine
    monkeypatch.setattr(survey, "filesystem", lambda _: "ext4")  # wherever the test's own folder is
    (tmp_path / "etcd").mkdir()
    return tmp_path / "etcd"


def test_the_disk_is_measured_as_etcd_writes_and_nothing_is_left(etcd, monkeypatch):
    written, synced = [], []
    sync, write = os.fdatasync, os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda n, data, at: written.append((len(data), at)) or write(n, data, at))
    monkeypatch.setattr(os, "fdatasync", lambda n: synced.append(len(written)) or (len(synced) < 20 and sync(n)))
    found = disk(REQUEST | {"etcd_folder": f"{etcd}/not-made-yet"})
    assert found["writes"] == len(written) == len(synced) == 10_030, "22 MiB in 2300 bytes"
    assert synced == list(range(1, 10_031)), "one after each write"
    assert written[:2] == [(2300, 0), (2300, 2300)]
    assert found["p99_ns"] > 0
    assert list(etcd.iterdir()) == []


def test_the_percentile_is_the_99th(etcd, monkeypatch):
    monkeypatch.setattr(survey, "sync_delays", lambda _: [*range(1, 1001)])
    assert disk(REQUEST | {"etcd_folder": str(etcd)})["p99_ns"] == 990


def test_the_file_has_no_name_while_it_is_written(etcd, monkeypatch):
    seen = []
    monkeypatch.setattr(survey, "DISK_BYTES", 2300)
    monkeypatch.setattr(os, "fdatasync", lambda _: seen.append(list(etcd.iterdir())))
    disk(REQUEST | {"etcd_folder": str(etcd)})
    assert seen == [[]], "so whatever ends the survey leaves no file"


def test_a_disk_that_is_too_slow_is_refused_and_not_unknown(etcd, monkeypatch):
    monkeypatch.setattr(survey, "DISK_SECONDS", 0.2)
    monkeypatch.setattr(os, "fdatasync", lambda _: time.sleep(0.05))
    found = disk(REQUEST | {"etcd_folder": str(etcd)})
    first = node(1).model_copy(update={"roles": ("control-plane",)})
    [row] = [f for f in findings([Survey("osl-1", {"disk": found})], [first], DEMANDS) if f.check.id == "etcd-disk"]
    assert (row.state, row.limit) == ("fails", "10 ms")
    assert row.measured.startswith(f"not measured on ext4 at {etcd}: ")
    assert row.measured.endswith(" writes in 0.2 s")


def test_the_disk_ends_before_the_survey_must():
    assert survey.DISK_SECONDS <= SURVEY_SECONDS - 30


METRICS = """# TYPE etcd_disk_wal_fsync_duration_seconds histogram
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 900
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.002"} 980
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.004"} 1000
etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 1000
etcd_disk_wal_fsync_duration_seconds_count 1000
"""


def test_a_running_etcd_is_asked_and_its_disk_is_never_written_to(etcd, monkeypatch):
    monkeypatch.setattr(survey, "etcd_process", os.getpid)
    monkeypatch.setattr(survey, "metrics_of", lambda _: METRICS)
    monkeypatch.setattr(os, "pwrite", None)
    found = disk(REQUEST | {"etcd_folder": str(etcd)})
    assert (found["by"], found["writes"], found["p99_ns"]) == ("etcd", 1000, 3_000_000)


@pytest.mark.parametrize("text", ["", METRICS.replace("1000", "99").replace("980", "9").replace("900", "9")])
def test_a_running_etcd_that_has_written_little_is_unknown(etcd, monkeypatch, text):
    monkeypatch.setattr(survey, "etcd_process", os.getpid)
    monkeypatch.setattr(survey, "metrics_of", lambda _: text)
    assert "fewer than 100 writes" in disk(REQUEST | {"etcd_folder": str(etcd)})["unknown"]


def test_a_running_etcd_without_plain_metrics_says_how_to_serve_them(etcd, monkeypatch):
    monkeypatch.setattr(survey, "etcd_process", os.getpid)
    monkeypatch.setattr(survey, "METRICS", "http://127.0.0.1:1")
    assert "--listen-metrics-urls=http://127.0.0.1:1" in disk(REQUEST | {"etcd_folder": str(etcd)})["unknown"]


@pytest.mark.parametrize("kind", ["overlay", "ramfs", "tmpfs"])
def test_what_has_no_disk_of_its_own_is_not_measured_and_says_so_first(etcd, monkeypatch, kind):
    monkeypatch.setattr(survey, "filesystem", lambda _: kind)
    said = f"{etcd} is on {kind}, which is not a disk: data may stay in memory; mount a disk there"
    assert disk(REQUEST | {"etcd_folder": str(etcd)})["unknown"] == said


def test_of_two_mounts_on_one_point_the_later_one_is_seen(monkeypatch):
    rows = "1 0 8:1 / / rw - ext4 /dev/vda rw\n2 1 0:9 / /var rw - xfs /dev/vdb rw\n3 2 0:5 / /var rw - tmpfs t rw"
    monkeypatch.setattr(survey, "text_of", lambda _: rows)
    assert [survey.filesystem(folder) for folder in ("/var/lib", "/variable")] == ["tmpfs", "ext4"]


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


def test_a_survey_that_is_ended_ends_at_once_and_leaves_no_file(etcd):
    request = REQUEST | {"etcd_folder": str(etcd)}
    changes = 'FACTS = {"cgroup": cgroup}\netcd_process = lambda: 0\nfilesystem = lambda _: "ext4"\n'
    changes += 'os.fdatasync = lambda _: (print("syncs", flush=True), time.sleep(20))\n'
    text = f"{Path(survey.__file__).read_text()}\n{changes}\nmain({request!r})\n"
    words = [sys.executable, "-I", "-"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(text)
        process.stdin.close()
        while "syncs" not in process.stdout.readline():
            pass
        process.terminate()
        assert process.wait() == 143
    assert list(etcd.iterdir()) == []


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


def ask_both(namespaces: list[str], *, apart_seconds: float = 0, demands: NodeRequirements = DEMANDS) -> list[Any]:
    """The surveys of both nodes, of which the second begins later."""
    nodes = [node(1), node(2)]

    def ask(number: int) -> subprocess.CompletedProcess[str]:
        time.sleep(number * apart_seconds)
        text = survey_script(nodes[number], nodes, demands, run="cafe0123")
        words = ["ip", "netns", "exec", namespaces[number], "sh", "-c", survey_command()]
        return subprocess.run(words, input=text, capture_output=True, text=True)

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(ask, range(2)))
    assert [done.returncode for done in said] == [0, 0], said
    return [parse(done.stdout, node=one.name, received_at=0) for one, done in zip(nodes, said, strict=True)]


def test_a_worker_asks_no_port_of_etcd_and_the_api_servers_of_all_control_planes():
    platform = stack("oslo")
    ports = {need.port: need for need in platform.node_requirements.ports}
    worker = platform.nodes[-1]
    assert listeners(ports[2379], worker, platform.nodes) == []
    assert listeners(ports[6443], worker, platform.nodes) == ["osl-cp-1", "osl-cp-2", "osl-cp-3"]


def test_nodes_find_each_others_ports_mtu_segment_and_what_passes(two_nodes):
    first, second = ask_both(two_nodes)
    assert set(first.facts) == {"node", *FACTS, "disk", "clock"}
    assert first.get("wire")["heard"] == {"osl-2": ["8472/udp", "arp", "foreign-source", "pod-source"]}
    assert first.get("wire")["passed"] == {"osl-2": ["8472/udp"]}
    assert first.get("wire")["free"] == ["8472/udp"]
    assert first.get("ports")["peers"] == {"osl-2": {"22/tcp": "refused"}}
    assert second.get("paths")["peers"]["osl-1"]["mtu"] == 1400, "its own link is the narrow one"
    assert first.get("paths")["peers"]["osl-2"]["mac"] == second.get("link")["mac"]
    assert "unknown" in first.get("disk"), "it is not asked for, or a lab's etcd runs on this machine"
    assert first.get("kernel")["release"] == os.uname().release


def test_a_provider_sees_no_foreign_address_unless_the_stack_file_names_the_probe(two_nodes):
    """Finding 30: some providers lock a server for such packets."""
    for probes, more in ((), []), (("gratuitous-arp",), ["arp"]):
        demands = QUIET._replace(preflight=PreflightSpec(probes=probes))
        for survey_of_one, peer in zip(ask_both(two_nodes, demands=demands), ("osl-2", "osl-1"), strict=True):
            assert survey_of_one.get("wire")["heard"] == {peer: ["8472/udp", *more]}


def test_a_node_that_begins_two_seconds_later_is_heard_and_hears(two_nodes):
    first, second = ask_both(two_nodes, apart_seconds=2)
    passes = ["8472/udp", "arp", "foreign-source", "pod-source"]
    assert (first.get("wire")["heard"], second.get("wire")["heard"]) == ({"osl-2": passes}, {"osl-1": passes})


@pytest.mark.skipif(not shutil.which("nft"), reason="needs nftables for a firewall of the node's own")
def test_a_nodes_own_firewall_is_told_from_the_network(two_nodes):
    rules = """
        add table inet own
        add chain inet own input { type filter hook input priority 0; policy accept; }
        add rule inet own input udp dport { 8472, 8473 } drop
        add rule inet own input tcp dport 22 drop
    """
    words = ["ip", "netns", "exec", two_nodes[0], "nft", "-f", "-"]
    subprocess.run(words, input=rules, text=True, check=True)
    surveys = ask_both(two_nodes)
    first, second = surveys
    assert first.get("firewall") == {"kind": "nftables"}
    assert second.get("firewall")["kind"] == ""
    assert "8472/udp" in first.get("wire")["heard"]["osl-2"], "the link has it"
    assert first.get("wire")["passed"] == {}, "and the program would not get it"
    assert second.get("wire")["passed"] == {"osl-1": ["8472/udp"]}
    rows = {r.node: r for r in findings(surveys, [node(1), node(2)], DEMANDS) if r.check.id == "ports"}
    assert "at this node's own firewall" in rows["osl-1"].measured
    assert rows["osl-2"].measured == "closed: 22/tcp to osl-1 (ssh)"
    for row in rows.values():
        assert row.remedy.startswith("on osl-1: in the nftables input chain"), row.remedy


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 9.9.9.9\nnameserver fe80::1%eth0\noptions ndots:2\n", ["9.9.9.9", "fe80::1"]),
        ("# nothing\n", []),
        ("nameserver 127.0.0.1\nnameserver 9.9.9.9\n", ["127.0.0.1", "9.9.9.9"]),
    ],
)
def test_the_dns_servers_are_those_of_resolv_conf(tmp_path, monkeypatch, text, servers):
    monkeypatch.setattr(survey, "RESOLV_CONF", str(tmp_path / "resolv.conf"))
    (tmp_path / "resolv.conf").write_text(text)
    assert survey.dns_servers({}) == {"servers": servers}


def test_behind_a_resolver_on_the_node_are_the_servers_that_it_asks(tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "RESOLV_CONF", str(tmp_path / "resolv.conf"))
    monkeypatch.setattr(survey, "BEHIND_RESOLVED", str(tmp_path / "behind"))
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\n")
    assert "passes look-ups on" in answer("dns_servers", survey.dns_servers, {})["unknown"]
    (tmp_path / "behind").write_text("nameserver 8.8.8.8\n")
    assert survey.dns_servers({}) == {"servers": ["8.8.8.8"]}
    (tmp_path / "behind").write_text("# No DNS servers known.\n")
    assert "names no server" in answer("dns_servers", survey.dns_servers, {})["unknown"]


def test_the_time_servers_of_timesyncd_are_its_own_or_those_that_are_compiled_in(monkeypatch):
    monkeypatch.setattr(survey, "running_programs", lambda: {"systemd-timesyn"})
    fallback = "FallbackNTPServers=0.debian.pool.ntp.org 1.debian.pool.ntp.org\nServerName=0.debian.pool.ntp.org\n"
    monkeypatch.setattr(survey, "output_of", lambda *_: "SystemNTPServers=\n" + fallback)
    assert survey.time_servers({}) == {"servers": ["0.debian.pool.ntp.org", "1.debian.pool.ntp.org"]}
    own = "LinkNTPServers=192.0.2.1\nSystemNTPServers=ntp.example.no\n"
    monkeypatch.setattr(survey, "output_of", lambda *_: own + fallback)
    assert survey.time_servers({}) == {"servers": ["192.0.2.1", "ntp.example.no"]}


def test_the_time_servers_of_chrony_are_in_all_files_that_it_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "running_programs", lambda: {"chronyd"})
    monkeypatch.setattr(survey, "CHRONY_FILES", [str(tmp_path / "none"), str(tmp_path / "chrony.conf")])
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "sources.d").mkdir()
    (tmp_path / "chrony.conf").write_text(
        f"confdir {tmp_path}/conf.d\nsourcedir {tmp_path}/sources.d\n"
        "! server a\n#server b\npool 2.debian.pool.ntp.org iburst\n"
    )
    (tmp_path / "conf.d/a.conf").write_text("server ntp1.example.no iburst\npeer ntp2.example.no\n")
    (tmp_path / "sources.d/b.sources").write_text("server ntp3.example.no\n")
    (tmp_path / "sources.d/c.conf").write_text("server not-read\n")
    found = survey.time_servers({})["servers"]
    assert found == ["2.debian.pool.ntp.org", "ntp1.example.no", "ntp2.example.no", "ntp3.example.no"]
    monkeypatch.setattr(survey, "running_programs", set)
    assert "none of systemd-timesyncd" in answer("time_servers", survey.time_servers, {})["unknown"]


def test_the_registries_are_those_of_containerd_and_of_k3s(tmp_path, monkeypatch):
    etc, certs = tmp_path / "containerd", tmp_path / "certs"
    monkeypatch.setattr(survey, "CONTAINERD", str(etc))
    monkeypatch.setattr(survey, "K3S_REGISTRIES", str(tmp_path / "registries.yaml"))
    assert survey.image_hosts({}) == {"hosts": []}, "nothing is configured where nothing is installed"

    (etc / "conf.d").mkdir(parents=True)
    (etc / "config.toml").write_text(
        f'imports = ["{etc}/conf.d/*.toml"]\n# config_path = "/nowhere"\n[plugins.x.registry]\n'
        f'  config_path = "{certs}"\n'
    )
    (etc / "conf.d" / "old.toml").write_text(
        '[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\n'
        '  endpoint = ["https://a.example.no:5000", "http://b.example.no/v2"]\n'
        '  # endpoint = ["https://off.example.no"]\n'
    )
    for folder, text in {
        "docker.io": 'server = "https://registry-1.docker.io"\n[host."https://c.example.no/v2"]\n',
        "quay.io": '# server = "https://off.example.no"\n[host."https://d.example.no"]\n  capabilities = ["pull"]\n',
        "e.example.no_5000_": "",
        "_default": '[host."http://f.example.no"]\n',
    }.items():
        (certs / folder).mkdir(parents=True)
        (certs / folder / "hosts.toml").write_text(text)
    (tmp_path / "registries.yaml").write_text(
        'mirrors:\n  docker.io:\n    endpoint:\n      - "https://g.example.no"\n      - https://h.example.no:8443\n'
        'configs:\n  "g.example.no":\n    auth: {}\n'
    )
    names = [f"{letter}.example.no" for letter in "abcdefgh"]
    assert survey.image_hosts({}) == {"hosts": sorted([*names, "quay.io", "registry-1.docker.io"])}


def test_the_package_hosts_are_those_of_every_source_that_is_on(tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "APT", str(tmp_path))
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://off.example.com x main\ndeb [signed-by=/k] http://A.example.no/d x\n"
    )
    (folder / "b.list").write_text("deb-src https://b.example.no x main\ndeb cdrom:[Debian]/ x\ndeb file:/srv x\n")
    (folder / "c.sources").write_text(
        "Types: deb\nURIs: https://c.example.no/debian\n https://d.example.no/debian\nSuites: x\n\n"
        "Types: deb\nEnabled: no\nURIs: https://off.example.no\n"
    )
    (folder / "d.sources.save").write_text("URIs: https://saved.example.no\n")
    assert survey.package_hosts({}) == {"hosts": ["a.example.no", "b.example.no", "c.example.no", "d.example.no"]}
