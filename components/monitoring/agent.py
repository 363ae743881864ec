"""Measures what is the platform's own on one node, and writes it where node-exporter reads it. Runs on the node.

`facts.agent_program` sends this file on standard input, with a call of `main` at its end, and a verb as argument:
    install  put this file, its settings and its units in place, and start the timer
    remove   take them away again
    run      measure once, and write the metrics. The timer's service does it
It needs Python 3.9 or newer and its standard library. Nothing stays in memory between two runs, and no port is open.
Exit codes: 0 done, 2 wrong use, 5 a step failed.
"""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

Request = dict[str, Any]  # of the stack file, from JSON
Row = tuple[str, dict[str, str], float]

FOLDER = Path("/usr/local/lib/vds-platform")
UNITS = Path("/etc/systemd/system")
METRICS = Path("/var/lib/vds-platform-metrics")
NAME = "vds-platform-facts"
CLUSTER_NAME = "kubernetes.default.svc.cluster.local"
DNS_SECONDS = 2.0
PATH_SECONDS = 1.0  # a node of the same region answers within 5 ms
HEADERS = 28  # IPv4 20 + ICMP 8
SMALL = 84  # what ping sends
IP_MTU_DISCOVER, PMTUDISC_PROBE = 10, 3  # linux/in.h: don't fragment, and don't believe what was learnt before
ETCD = ("127.0.0.1", 2381)  # kubeadm's --listen-metrics-urls, on the loopback address alone
OF_ETCD = (
    "etcd_disk_wal_fsync_duration_seconds",
    "etcd_disk_backend_commit_duration_seconds",
    "etcd_server_has_leader",
    "etcd_server_leader_changes_seen_total",
    "etcd_mvcc_db_total_size_in_bytes",
    "etcd_server_quota_backend_bytes",
)
PKI = Path("/etc/kubernetes/pki")
BACKUP = Path("/var/lib/vds-platform-backup/last.json")
DRIFTED = ("drifted", "missing", "differs", "undoes")  # states of `node.sh check`
HELP = {
    "vds_node_converged": "1 if the node's settings are those of the last update.",
    "vds_node_drifted_settings": "Settings of the node that somebody has changed since the last update.",
    "vds_path_up": "1 if another node answers a small packet.",
    "vds_path_full_size": "1 if it answers one of the size of network.underlayMtu, which nothing may fragment.",
    "vds_path_seconds": "Round trip of the small packet.",
    "vds_dns_up": "1 if the cluster's DNS has answered.",
    "vds_dns_seconds": "How long its answer took.",
    "vds_certificate_end_timestamp_seconds": "When a certificate of the control plane expires.",
    "vds_backup_taken_timestamp_seconds": "When this node took its last snapshot of etcd.",
    "vds_facts_timestamp_seconds": "When these facts were measured.",
    "vds_facts_cpu_seconds": "Processor time of the run, with its commands.",
    "vds_facts_memory_bytes": "The most memory that a process of the run had.",
}


def drift() -> Iterable[Row]:
    """What `node.sh check` says: it only reads."""
    script = str(FOLDER / "node.sh")
    done = subprocess.run(["sh", script, "check"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    verdict = lines[-1] if lines and not done.returncode else ""
    if verdict in ("converged", "drifted"):  # outdated: this file is of another update than the settings
        found = [json.loads(line).get("state") in DRIFTED for line in lines[:-1]]
        yield "vds_node_converged", {}, float(verdict == "converged")
        yield "vds_node_drifted_settings", {}, float(sum(found))
    if verdict == "absent":  # the node has left the platform, and its settings are those of before
        systemctl("disable", "--now", f"{NAME}.timer")


def paths(request: Request) -> Iterable[Row]:
    """One small and one full packet to every other node, all at once. None of them may be fragmented."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as one:
        one.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 2**20)
        number = os.getpid() & 0xFFFF
        sent: dict[tuple[str, int], float] = {}
        answers: dict[tuple[str, int], float] = {}
        addresses = {peer["address"] for peer in request["peers"]}
        for size in (SMALL, request["mtu"]):
            for address in sorted(addresses):
                with suppress(OSError):  # larger than the own link, or no way there: it counts as no answer
                    sent[address, size] = time.monotonic()
                    one.sendto(echo(number, size), (address, 0))
        ends = time.monotonic() + PATH_SECONDS
        while len(answers) < len(sent) and (left := ends - time.monotonic()) > 0:
            if not select.select([one], [], [], left)[0]:
                break
            packet, (address, _) = one.recvfrom(65535)
            key = (address, len(packet))
            if packet[20] == 0 and struct.unpack("!H", packet[24:26])[0] == number and key in sent:
                answers.setdefault(key, time.monotonic() - sent[key])
    for peer in request["peers"]:
        labels, small = {"peer": peer["name"]}, (peer["address"], SMALL)
        yield "vds_path_up", labels, float(small in answers)
        yield "vds_path_full_size", labels, float((peer["address"], request["mtu"]) in answers)
        if small in answers:
            yield "vds_path_seconds", labels, answers[small]


def echo(number: int, size: int) -> bytes:
    """An ICMP echo request that is a packet of so many bytes."""
    body = b"\0" * (size - HEADERS)
    total = 0x0800 + number
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!BBHHH", 8, 0, ~total & 0xFFFF, number, 0) + body


def dns(request: Request) -> Iterable[Row]:
    """How long the cluster's DNS takes for one name, asked at the address that pods ask."""
    question = b"".join(bytes([len(word)]) + word.encode() for word in CLUSTER_NAME.split("."))
    packet = struct.pack("!6H", os.getpid() & 0xFFFF, 0x0100, 1, 0, 0, 0) + question + b"\0" + struct.pack("!2H", 1, 1)
    began, code = time.monotonic(), -1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, suppress(OSError):
        one.settimeout(DNS_SECONDS)
        one.connect((request["cluster_dns"], 53))
        one.send(packet)
        code = one.recv(512)[3] & 0x0F
    yield "vds_dns_up", {}, float(code == 0)
    yield "vds_dns_seconds", {}, time.monotonic() - began


def certificates() -> Iterable[Row]:
    """When each certificate of the control plane ends. The kubelet's own is in its metrics."""
    for file in sorted(PKI.rglob("*.crt")) if PKI.is_dir() else ():
        said = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", file], capture_output=True, text=True)
        if said.returncode == 0:
            ends = time.strptime(said.stdout.partition("=")[2].strip(), "%b %d %H:%M:%S %Y %Z")
            labels = {"certificate": str(file.relative_to(PKI))}
            yield "vds_certificate_end_timestamp_seconds", labels, float(calendar_seconds(ends))


def calendar_seconds(moment: time.struct_time) -> int:
    """Seconds since 1970 of a time in UTC."""
    import calendar

    return calendar.timegm(moment)


def backup() -> Iterable[Row]:
    if BACKUP.exists():
        yield "vds_backup_taken_timestamp_seconds", {}, float(json.loads(BACKUP.read_text())["taken"])


def etcd(request: Request) -> str:
    """Some of etcd's own metrics, as it writes them: they are on the node's loopback address alone."""
    if not request["etcd"]:
        return ""
    with socket.create_connection(ETCD, timeout=5) as one:
        one.sendall(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        text = b"".join(iter(lambda: one.recv(65536), b"")).decode()
    kept = [line for line in text.splitlines() if line.lstrip("#TYPEHL ").startswith(OF_ETCD)]
    return "".join(f"{line}\n" for line in kept)


def written(rows: Iterable[Row]) -> str:
    """Metrics in Prometheus' text format."""
    groups: dict[str, list[str]] = {}
    for name, labels, value in rows:
        said = ",".join(f'{key}="{text}"' for key, text in sorted(labels.items()))
        groups.setdefault(name, []).append(f"{name}{{{said}}} {value:.9g}\n" if said else f"{name} {value:.9g}\n")
    return "".join(
        f"# HELP {name} {HELP[name]}\n# TYPE {name} gauge\n" + "".join(lines) for name, lines in groups.items()
    )


def run(request: Request) -> None:
    """Measure everything. What can't be measured is missing in the metrics, and its reason is in the journal."""
    rows: list[Row] = []
    measures = {
        "drift": drift,
        "paths": lambda: paths(request),
        "dns": lambda: dns(request),
        "certificates": certificates,
        "backup": backup,
    }
    for name, measure in measures.items():
        try:
            rows += measure()
        except (OSError, ValueError, KeyError, IndexError, subprocess.SubprocessError) as error:
            sys.stderr.write(f"{name}: {type(error).__name__}: {error}\n")
    of_etcd = ""
    try:
        of_etcd = etcd(request)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"etcd: {error}\n")
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    rows += [
        ("vds_facts_cpu_seconds", {}, sum(one.ru_utime + one.ru_stime for one in used)),
        ("vds_facts_memory_bytes", {}, 1024.0 * max(one.ru_maxrss for one in used)),
    ]
    text = written(rows) + f"# HELP vds_facts_timestamp_seconds {HELP['vds_facts_timestamp_seconds']}\n"
    text += f"# TYPE vds_facts_timestamp_seconds gauge\nvds_facts_timestamp_seconds {time.time():.3f}\n{of_etcd}"
    replace_file(METRICS / "platform.prom", text, 0o644)


def replace_file(path: Path, text: str, mode: int) -> bool:
    """Whole or not at all. True if it was another file before."""
    if path.exists() and path.read_text() == text and path.stat().st_mode & 0o777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.write_text(text)
    beside.chmod(mode)
    beside.replace(path)
    return True


def systemctl(*words: str) -> None:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(f"systemctl {' '.join(words)}: {done.stderr.strip()}\n")
        sys.exit(5)


def install(request: Request, source: str) -> None:
    given = {key: value for key, value in request.items() if key not in ("units", "script")}
    FOLDER.mkdir(parents=True, exist_ok=True)
    FOLDER.chmod(0o755)
    text = f"{source}\n\nrun(json.loads({json.dumps(given, sort_keys=True)!r}))\n"
    changed = replace_file(FOLDER / "facts.py", text, 0o755)
    changed |= replace_file(FOLDER / "node.sh", request["script"], 0o755)
    METRICS.mkdir(mode=0o755, exist_ok=True)
    for name, unit in request["units"].items():
        changed |= replace_file(UNITS / name, unit, 0o644)
    systemctl("daemon-reload")
    systemctl("enable", f"{NAME}.timer")
    systemctl("restart" if changed else "start", f"{NAME}.timer")
    if changed:
        systemctl("start", f"{NAME}.service")
    print("changed" if changed else "unchanged")


def remove(request: Request) -> None:
    with suppress(SystemExit):  # it may be gone already
        systemctl("disable", "--now", f"{NAME}.timer")
    for path in (*(UNITS / name for name in request["units"]), FOLDER / "facts.py", FOLDER / "node.sh"):
        path.unlink(missing_ok=True)
    (METRICS / "platform.prom").unlink(missing_ok=True)
    systemctl("daemon-reload")
    print("changed")


def main(request: Request, source: str = "") -> None:
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    os.environ["LC_ALL"] = "C"
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
    os.umask(0o022)
    if verb == "install":
        install(request, source)
    elif verb == "remove":
        remove(request)
    else:
        sys.stderr.write("use: python3 -I - install|remove\n")
        sys.exit(2)
