"""Collects facts about one node and its network to other nodes. Runs on the node, read only, for a few seconds.

`script.survey_script` sends this file to the node on standard input, with a call of `main` at its end. It prints one
JSON line for each fact: `{"fact": "kernel", …}`, or `{"fact": "disk", "unknown": "reason"}`. It needs only
Python 3.9 or newer and its standard library: nothing is installed on a node to examine it. It judges nothing.

All nodes run it at the same time. Each sends probes and listens on its link: which nodes hear which probes shows
whether the provider's network filters source addresses or ARP announcements.
"""

from __future__ import annotations

import array
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

Fact = dict[str, Any]
Request = dict[str, Any]

MAGIC = b"vdsp"
EXPERIMENT = 253  # the IP protocol for experiments (RFC 3692): no host does anything with it
BENCHMARK_SOURCE = "198.18.0.1"  # for tests of networks (RFC 2544): nobody's address on a real network
WIRE_SECONDS = 1.5  # nodes begin within half a second of each other, by far most often
SENDS = 6  # in that time
LATEST = 3  # times as long for a peer that was not heard yet: a session that takes long to open, a slow processor
HEADERS = 28  # IPv4 20 + ICMP 8
FIO_SECONDS = 30  # fio's own end, with percentiles of what it wrote until then: 22 MB take 10,030 fdatasyncs
FIO_HANGS_SECONDS = 45  # fio looks at its end between two writes: this is for one that does not come back
IN_MEMORY = ("overlay", "ramfs", "tmpfs")
SMALLEST = 1280
# Cilium's system requirements: without these its programs don't load, or don't see traffic.
KERNEL_OPTIONS = ["BPF", "BPF_SYSCALL", "BPF_JIT", "CGROUP_BPF", "NET_CLS_BPF", "NET_CLS_ACT", "NET_SCH_INGRESS"]


class NotHereError(Exception):
    """A fact that is not known here; the text gives the reason and the remedy."""


class TooSlowError(NotHereError):
    """A command did not end in its time."""


def text_of(path: str) -> str:
    return Path(path).read_text(errors="replace").strip()


def number_in(path: str) -> int | None:
    try:
        return int(text_of(path))
    except (OSError, ValueError):
        return None


def output_of(*argv: str, seconds: float = 10) -> str:
    """A command's standard output, whatever its exit status. Raises NotHereError without it, TooSlowError."""
    if not shutil.which(argv[0]):
        raise NotHereError(f"{argv[0]} is not installed")
    try:
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise TooSlowError(f"{argv[0]} did not end within {seconds:g} s") from None
    return done.stdout.decode(errors="replace")


# --- the machine ---------------------------------------------------------------------------------------------


def kernel(_: Request) -> Fact:
    release = os.uname().release
    options: dict[str, str | None] = {}
    configuration = kernel_configuration(release)
    if configuration:
        for name in KERNEL_OPTIONS:
            found = re.search(rf"^CONFIG_{name}=(.)", configuration, re.MULTILINE)
            options[name] = found.group(1) if found else "n"
    return {"release": release, "btf": Path("/sys/kernel/btf/vmlinux").exists(), "options": options}


def kernel_configuration(release: str) -> str:
    """The text of the kernel's configuration; empty where it is not published."""
    for path in (f"/boot/config-{release}", f"/lib/modules/{release}/config"):
        if os.access(path, os.R_OK):
            return text_of(path)
    if os.access("/proc/config.gz", os.R_OK):
        import gzip

        return gzip.decompress(Path("/proc/config.gz").read_bytes()).decode(errors="replace")
    return ""


def system(_: Request) -> Fact:
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text_of("/etc/os-release"), re.MULTILINE))
    return {"name": release.get("PRETTY_NAME", "unknown"), "id": release.get("ID", ""), "cpus": os.cpu_count() or 0}


def memory(_: Request) -> Fact:
    found = dict(re.findall(r"^(\w+): +(\d+) kB", text_of("/proc/meminfo"), re.MULTILINE))
    return {"bytes": int(found["MemTotal"]) * 1024, "swap_bytes": int(found.get("SwapTotal", 0)) * 1024}


def cgroup(_: Request) -> Fact:
    return {"version": 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1}


def time_sync(_: Request) -> Fact:
    """From the kernel: its clock is unsynchronised until a time service sets it."""
    try:
        import ctypes
    except ImportError:  # Debian's python3-minimal
        raise NotHereError("this python3 has no ctypes: apt-get install python3") from None
    state = ctypes.create_string_buffer(256)  # struct timex, all modes zero: only read
    answer = ctypes.CDLL(None, use_errno=True).adjtimex(state)
    if answer < 0:
        raise NotHereError("the kernel does not say (adjtimex is refused)")
    return {"synchronised": answer != 5}  # TIME_ERROR


def conntrack(_: Request) -> Fact:
    limit = number_in("/proc/sys/net/netfilter/nf_conntrack_max")
    if limit is None:
        raise NotHereError("the conntrack module is not loaded: nothing is tracked yet")
    return {"count": number_in("/proc/sys/net/netfilter/nf_conntrack_count") or 0, "max": limit}


def disk(request: Request) -> Fact:
    """The delay of fdatasync as etcd will see it. The file is always deleted afterwards.

    `slow` instead of it: fio did not end in time.
    """
    folder = Path(request["etcd_folder"])
    while not folder.is_dir():
        folder = folder.parent
    about = {"folder": str(folder), "filesystem": filesystem(str(folder))}
    if not request["measure_disk"]:
        return {**about, "unknown": "not asked for: it is measured before a node's first change, and by doctor --disk"}
    if about["filesystem"] in IN_MEMORY:
        kind = about["filesystem"]
        said = f"{folder} is on {kind}, which is not a disk: data may stay in memory"
        return {**about, "unknown": said}
    owner = etcd_process()
    if owner:
        return {**about, "unknown": f"etcd runs here (process {owner}): writing would slow it down"}
    if not shutil.which("fio"):
        return {**about, "unknown": "fio is not installed: apt-get install fio"}
    with tempfile.TemporaryDirectory(prefix=".vds-platform-fio-", dir=str(folder)) as place:
        try:
            report = output_of(
                *("fio", "--name=etcd", "--rw=write", "--ioengine=sync", "--fdatasync=1", "--size=22m", "--bs=2300"),
                *(f"--runtime={FIO_SECONDS}", "--thread"),  # one process: nothing of it outlives its end
                *(f"--directory={place}", "--output-format=json"),
                seconds=FIO_HANGS_SECONDS,
            )
        except TooSlowError as reason:
            return {**about, "slow": str(reason)}
    try:
        delays = json.loads(report[report.index("{") :])["jobs"][0]["sync"]["lat_ns"]
        return {**about, "p99_ns": delays["percentile"]["99.000000"], "mean_ns": delays["mean"]}
    except (ValueError, KeyError, IndexError):
        return {**about, "unknown": "fio gave no fdatasync percentiles: update it to version 3.5 or newer"}


def filesystem(folder: str) -> str:
    """The kind of the file system that a folder is on: of the deepest mount above it, the last one."""
    rows = [line.split(" - ") for line in text_of("/proc/self/mountinfo").splitlines()]
    points = [(before.split()[4], after.split()[0]) for before, after in rows]
    above = [(p, kind) for p, kind in points if folder == p or folder.startswith(p.rstrip("/") + "/")]
    return max(reversed(above), key=lambda row: len(row[0]))[1]


def etcd_process(processes: str = "/proc") -> int:
    """The process id of an etcd, alone or within another program (k3s); 0 without one.

    Any disk counts: writing to another partition or volume of the same host slows etcd down as well.
    """
    for folder in Path(processes).iterdir():
        with suppress(OSError):  # it ended meanwhile
            if folder.name.isdigit():
                for file in (folder / "fd").iterdir():
                    with suppress(OSError):
                        if re.search(r"/member/(wal|snap)/", str(file.readlink())):
                            return int(folder.name)
    return 0


def resolver(request: Request) -> Fact:
    """How long one look-up takes, and what decides how many questions it needs (`ndots`, search domains)."""
    lines = [line.split() for line in text_of("/etc/resolv.conf").splitlines() if line.strip()]
    servers = [words[1] for words in lines if words[0] == "nameserver" and len(words) > 1]
    options = [word for words in lines if words[0] == "options" for word in words[1:]]
    search = [word for words in lines if words[0] in ("search", "domain") for word in words[1:]]
    dots = [int(word[6:]) for word in options if word.startswith("ndots:") and word[6:].isdigit()]
    about = {"servers": servers, "ndots": dots[-1] if dots else 1, "search": search, "name": request["lookup"]}
    os.environ["RES_OPTIONS"] = "timeout:2 attempts:1"  # the C library's own words: a dead server costs 2 s, not 10
    started = time.monotonic()
    try:
        socket.getaddrinfo(request["lookup"], 443, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno != socket.EAI_NONAME:
            return {**about, "unknown": f"no answer for {request['lookup']} from {', '.join(servers) or 'no server'}"}
    return {**about, "milliseconds": round((time.monotonic() - started) * 1000, 2)}


def services(request: Request) -> Fact:
    if not Path("/run/systemd/system").is_dir():
        raise NotHereError("no systemd here: services are not asked for")
    return {name: output_of("systemctl", "is-active", name).strip() for name in request["services"]}


# --- over a window of time -----------------------------------------------------------------------------------


def counters(interface: str) -> Fact:
    """Counters, of which only differences are used."""
    folder = Path("/sys/class/net") / interface / "statistics"
    names = ("rx_packets", "rx_dropped", "tx_dropped", "rx_missed_errors", "rx_errors", "tx_errors")
    rows = [[int(word, 16) for word in line.split()] for line in text_of("/proc/net/softnet_stat").splitlines()]
    return {
        "cpu": [int(word) for word in text_of("/proc/stat").splitlines()[0].split()[1:]],
        "nic": {name: number_in(f"{folder}/{name}") for name in names},
        "softnet": {"dropped": sum(row[1] for row in rows), "squeezed": sum(row[2] for row in rows)},
    }


def window(request: Request) -> Fact:
    interface = interface_of(request["address"])
    before = counters(interface)
    time.sleep(request["window_seconds"])
    return {"seconds": request["window_seconds"], "before": before, "after": counters(interface)}


# --- links ---------------------------------------------------------------------------------------------------


def interface_of(address: str) -> str:
    """The name of the link that carries an address of this node."""
    for link in json.loads(output_of("ip", "-j", "-4", "address", "show") or "[]"):
        if any(entry.get("local") == address for entry in link.get("addr_info", [])):
            return str(link["ifname"])
    raise NotHereError(f"no link carries {address}: correct the node's address, or its network configuration")


def link(request: Request) -> Fact:
    name = interface_of(request["address"])
    folder = f"/sys/class/net/{name}"
    speed = number_in(f"{folder}/speed")
    try:
        driver = Path(f"{folder}/device/driver").resolve(strict=True).name
    except OSError:
        driver = ""
    rings = re.findall(r"^RX:\s+(\d+)", output_of("ethtool", "-g", name), re.MULTILINE) if _has("ethtool") else []
    return {
        "interface": name,
        "mtu": number_in(f"{folder}/mtu"),
        "mac": text_of(f"{folder}/address"),
        "speed_mbit": speed if speed and speed > 0 else None,
        "driver": driver,
        "ring": {"rx_max": int(rings[0]), "rx": int(rings[1])} if len(rings) > 1 else None,
    }


def _has(command: str) -> bool:
    return shutil.which(command) is not None


def ping(address: str, size: int, tries: int = 2) -> float | None:
    """The round trip in milliseconds of a packet of `size` bytes that may not be fragmented; None if it is lost."""
    how = ("-n", "-q", "-c", f"{tries}", "-i", "0.2", "-W", "1", "-M", "do", "-s", f"{size - HEADERS}")
    found = re.search(r"= ([\d.]+)/", output_of("ping", *how, address))
    return float(found.group(1)) if found else None


def path_mtu(address: str, largest: int) -> tuple[int | None, float | None]:
    """The largest packet that reaches an address in one piece, and the round trip; None, None if nothing does.

    Every lost packet costs a second, so sizes are tried sixteen at a time: two rounds find one of 220.
    """
    delay = ping(address, largest)
    if delay is not None:
        return largest, delay
    delay = ping(address, SMALLEST)
    if delay is None:
        return None, None
    low, high = SMALLEST, largest  # low passes, high does not
    with ThreadPoolExecutor(16) as pool:
        while high - low > 1:
            step = max(1, (high - low) // 17)
            sizes = list(range(low + step, high, step))[:17]
            passed = [
                size for size, found in zip(sizes, pool.map(lambda n: ping(address, n, 1), sizes)) if found is not None
            ]
            low = max(passed, default=low)
            high = min((size for size in sizes if size > low), default=high)
    return low, delay


def paths(request: Request) -> Fact:
    """Path MTU, round trip and MAC address of every peer."""
    interface = interface_of(request["address"])
    largest = max(number_in(f"/sys/class/net/{interface}/mtu") or request["mtu"], request["mtu"])

    def one(peer: dict[str, str]) -> Fact:
        mtu, delay = path_mtu(peer["address"], largest)
        rows = json.loads(output_of("ip", "-j", "neigh", "show", "to", peer["address"], "dev", interface) or "[]")
        return {"mtu": mtu, "milliseconds": delay, "mac": rows[0].get("lladdr") if rows else None}

    return {"tried": largest, "peers": in_parallel(one, request["peers"])}


def references(request: Request) -> Fact:
    def one(point: dict[str, str]) -> Fact:
        return {"milliseconds": ping(point["address"], 84)}

    return {"points": in_parallel(one, request["references"])}


def in_parallel(ask: Callable[[Any], Fact], rows: list[Any]) -> dict[str, Fact]:
    """Answers by name, ten at a time, because each ping is a process."""
    with ThreadPoolExecutor(10) as pool:
        return dict(zip((row["name"] for row in rows), pool.map(ask, rows)))


# --- probes between nodes ------------------------------------------------------------------------------------------


def ports(request: Request) -> Fact:
    """Whether TCP ports of peers can be reached. `refused` counts: the network let the packet pass."""
    asked = [(peer, port) for peer in request["peers"] for port in request["ports"] if port["protocol"] == "tcp"]

    def one(pair: tuple[dict[str, str], dict[str, Any]]) -> str:
        try:
            socket.create_connection((pair[0]["address"], pair[1]["port"]), timeout=1.5).close()
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return "silent"
        return "open"

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, asked))
    found: dict[str, dict[str, str]] = {}
    for (peer, port), answer in zip(asked, answers):
        found.setdefault(peer["name"], {})[f"{port['port']}/tcp"] = answer
    return {"peers": found}


def wire(request: Request) -> Fact:
    """Send probes to every peer and listen for theirs: `heard` has each peer's probes that came through.

    A node that begins late must still be heard and must still hear. So every node sends and listens until it has heard
    all others, and a little longer, up to a limit.
    """
    interface = interface_of(request["address"])
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    listener.setsockopt(socket.SOL_SOCKET, 26, probe_filter())  # SO_ATTACH_FILTER
    listener.bind((interface, 0))
    usual = min(request["window_seconds"], WIRE_SECONDS)
    awaited = {peer["name"] for peer in request["peers"]}
    heard: dict[str, set[str]] = {}
    begun = next_send = newest = time.monotonic()
    listener.settimeout(0.05)
    while time.monotonic() < (begun + LATEST * usual if awaited else max(begun + usual, newest + usual / 2)):
        if time.monotonic() >= next_send:
            send_probes(request, interface)
            next_send += usual / SENDS
        try:
            frame, where = listener.recvfrom(2048)
        except socket.timeout:  # another class before Python 3.10
            continue
        if where[2] != 4:  # PACKET_OUTGOING: our own
            name, what = read_probe(frame, request)
            heard.setdefault(name, set()).add(what)
            if name in awaited:
                awaited.remove(name)
                newest = time.monotonic()
    listener.close()
    return {"heard": {name: sorted(what) for name, what in sorted(heard.items()) if name}}


def probe_filter() -> bytes:
    """A classic BPF program that lets only probes through: a busy node's traffic never reaches this process."""
    mark = struct.unpack("!I", MAGIC)[0]
    code = [
        (0x28, 0, 0, 12),  # ldh: EtherType
        (0x15, 8, 0, 0x0806),  # ARP: take it (read_probe looks closer)
        (0x15, 0, 8, 0x0800),  # not IPv4: drop it
        (0x30, 0, 0, 23),  # ldb: protocol
        (0x15, 0, 2, EXPERIMENT),
        (0x20, 0, 0, 34),  # ld: the first word behind IPv4's header
        (0x15, 3, 4, mark),
        (0x15, 0, 3, 17),  # not UDP: drop it
        (0x20, 0, 0, 42),  # ld: the first word behind UDP's header
        (0x15, 0, 1, mark),
        (0x06, 0, 0, 2048),
        (0x06, 0, 0, 0),
    ]
    program = array.array("B", b"".join(struct.pack("HBBI", *step) for step in code))
    probe_filter.keep = program  # type: ignore[attr-defined]  # the kernel copies it when it is attached
    return struct.pack("HL", len(code), program.buffer_info()[0])


def identity(request: Request, name: str) -> int:
    """A node's number in this run: all nodes are given the same sorted names."""
    return sorted([request["node"], *(peer["name"] for peer in request["peers"])]).index(name)


def announced(number: int) -> str:
    """The address that a node announces by ARP: of the range for tests, so that nothing can be taken over."""
    return f"198.18.{1 + number // 250}.{1 + number % 250}"


def send_probes(request: Request, interface: str) -> None:
    own = bytes.fromhex(text_of(f"/sys/class/net/{interface}/address").replace(":", ""))
    number = identity(request, request["node"])
    body = MAGIC + request["run"].encode() + bytes([number])
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((interface, 0))
    address = socket.inet_aton(announced(number))
    arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, own, address, b"\0" * 6, address)
    _send(lambda: raw.send(b"\xff" * 6 + own + b"\x08\x06" + arp))
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    spoofed = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for peer in request["peers"]:
        for source in (request["pod_source"], BENCHMARK_SOURCE):
            packet = ip_header(source, peer["address"], len(body)) + body
            _send(lambda p=packet, to=peer["address"]: spoofed.sendto(p, (to, 0)))  # type: ignore[misc]
        for port in request["ports"]:
            if port["protocol"] == "udp":
                _send(lambda to=(peer["address"], port["port"]): plain.sendto(body, to))  # type: ignore[misc]
    for each in (raw, plain, spoofed):
        each.close()


def _send(act: Callable[[], int]) -> None:
    with suppress(OSError):  # what the kernel does not let out is not heard, and that is the finding
        act()


def ip_header(source: str, target: str, size: int) -> bytes:
    """20 bytes of IPv4; the kernel fills in length, checksum and identification (raw(7))."""
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, EXPERIMENT, 0) + ends


def read_probe(frame: bytes, request: Request) -> tuple[str, str]:
    """Whose probe a frame is and which; empty where it is none of this run."""
    names = sorted([request["node"], *(peer["name"] for peer in request["peers"])])
    if frame[12:14] == b"\x08\x06":
        sender = socket.inet_ntoa(frame[28:32])
        return next(((n, "arp") for i, n in enumerate(names) if announced(i) == sender), ("", ""))
    source = socket.inet_ntoa(frame[26:30])
    udp = frame[23] == 17
    body = frame[42:] if udp else frame[34:]
    run = request["run"].encode()
    if not body.startswith(MAGIC + run) or len(body) <= len(MAGIC + run):
        return "", ""
    number = body[len(MAGIC + run)]
    name = names[number] if number < len(names) else ""
    if udp:
        return name, f"{struct.unpack('!H', frame[36:38])[0]}/udp"
    return name, {request["pod_source"]: "pod-source", BENCHMARK_SOURCE: "foreign-source"}.get(source, "rewritten")


# --- all of it -----------------------------------------------------------------------------------------------

FACTS: dict[str, Callable[[Request], Fact]] = {
    "kernel": kernel,
    "system": system,
    "memory": memory,
    "cgroup": cgroup,
    "time_sync": time_sync,
    "conntrack": conntrack,
    "window": window,
    "link": link,
    "paths": paths,
    "references": references,
    "ports": ports,
    "wire": wire,
    "resolver": resolver,
    "services": services,
}


def answer(name: str, ask: Callable[[Request], Fact], request: Request) -> Fact:
    try:
        return {"fact": name, **ask(request)}
    except NotHereError as reason:
        return {"fact": name, "unknown": str(reason)}
    except (OSError, ValueError, KeyError, IndexError, subprocess.SubprocessError) as error:
        return {"fact": name, "unknown": f"could not be read ({type(error).__name__}: {error})"}


def main(request: Request) -> None:
    """Print every fact. The disk comes last and alone: its writing must not disturb what else is measured."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # from timeout(1): what fio wrote goes, too
    sys.stdout.write(json.dumps({"fact": "node", "name": request["node"]}) + "\n")
    with ThreadPoolExecutor(len(FACTS)) as pool:
        for fact in pool.map(lambda row: answer(row[0], row[1], request), FACTS.items()):
            sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.write(json.dumps(answer("disk", disk, request)) + "\n")
    sys.stdout.write(json.dumps({"fact": "clock", "seconds": time.time()}) + "\n")
