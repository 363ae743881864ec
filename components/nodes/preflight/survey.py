"""Collects facts about one node and its network to other nodes. Runs on the node, read only, for a few seconds.

`script.survey_script` sends this file to the node on standard input, with a call of `main` at its end. It prints one
JSON line for each fact: `{"fact": "kernel", …}`, or `{"fact": "disk", "unknown": "reason"}`. It needs only
Python 3.9 or newer and its standard library: nothing is installed on a node to examine it. It judges nothing. It
keeps its counters in /run, so that the next survey has a longer time to compare with.

All nodes run it at the same time. Each sends probes and listens on its link: which nodes hear which probes shows
whether the provider's network filters source addresses or ARP announcements.
"""

from __future__ import annotations

import array
import json
import os
import re
import select
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
DISK_BYTES = 22 * 2**20  # as etcd's documentation measures: fio --rw=write --fdatasync=1 --size=22m --bs=2300
DISK_BLOCK = 2300
DISK_SECONDS = 30  # then it ends, with the percentile of what it has written
DISK_LEAST = 100  # writes, for a 99th percentile
METRICS = "http://127.0.0.1:2381"  # kubeadm's --listen-metrics-urls, and k3s' with etcd-expose-metrics
COUNTERS = "/run/vds-platform/counters.json"
KEEP_SECONDS = 60  # between two kept samples
COMPARE_SECONDS = 600  # the newest kept sample that is at least so old is compared with
PID_NAMESPACE, USER_NAMESPACE = "pid:[4026531836]", "user:[4026531837]"  # of the kernel itself: PROC_*_INIT_INO
KUBELET = 10250
NFT = re.DOTALL | re.MULTILINE
RESOLV_CONF, BEHIND_RESOLVED = "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"
CHRONY_FILES, NTPD_FILES = ["/etc/chrony/chrony.conf", "/etc/chrony.conf"], ["/etc/ntpsec/ntp.conf", "/etc/ntp.conf"]
APT = "/etc/apt"
CONTAINERD, K3S_REGISTRIES = "/etc/containerd", "/etc/rancher/k3s/registries.yaml"
CLUSTER_NAME = "kubernetes.default.svc.cluster.local"
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


def machine(_: Request) -> Fact:
    """Whether this is a container, which shares its kernel with others, and who says so.

    systemd knows most kinds by name. The namespaces show the others: a container has its own, and the numbers of the
    kernel's first ones are constants. What a container's owner hides or forges in files does not change them.
    """
    if _has("systemd-detect-virt"):
        found = output_of("systemd-detect-virt", "--container").strip()
        if found not in ("", "none"):
            return {"container": found, "said_by": "systemd-detect-virt"}
    if Path("/proc/vz").exists() and not Path("/proc/bc").exists():  # a host of OpenVZ has both
        return {"container": "openvz", "said_by": "/proc/vz"}
    for file in ("/run/systemd/container", "/run/host/container-manager"):
        with suppress(OSError):
            return {"container": text_of(file), "said_by": file}
    with suppress(OSError):
        said = re.search(r"(?:^|\0)container=([^\0]+)", text_of("/proc/1/environ"))
        if said:
            return {"container": said.group(1), "said_by": "/proc/1/environ"}
    with suppress(OSError):
        said = re.search(r"/(lxc|docker|libpod|kubepods)\b", text_of("/proc/1/cgroup"))
        if said:
            return {"container": said.group(1), "said_by": "/proc/1/cgroup"}
    for kind, first in (("pid", PID_NAMESPACE), ("user", USER_NAMESPACE)):
        try:
            own = str(Path(f"/proc/self/ns/{kind}").readlink())
        except OSError:
            raise NotHereError(f"/proc/self/ns/{kind} is missing: mount proc as the kernel shows it") from None
        if own != first:
            return {"container": "unknown kind", "said_by": f"its {kind} namespace {own} is not the kernel's first"}
    virtual = output_of("systemd-detect-virt", "--vm").strip() if _has("systemd-detect-virt") else ""
    return {"container": "", "virtual": virtual}


def time_sync(_: Request) -> Fact:
    """From the kernel: its clock is unsynchronised until a time service sets it."""
    try:
        import ctypes
    except ImportError:
        return time_sync_by_systemd()
    state = ctypes.create_string_buffer(256)  # struct timex, all modes zero: only read
    answer = ctypes.CDLL(None, use_errno=True).adjtimex(state)
    if answer < 0:
        raise NotHereError("the kernel does not say (adjtimex is refused)")
    return {"synchronised": answer != 5}  # TIME_ERROR


def time_sync_by_systemd() -> Fact:
    """The same by systemd, where Python has no ctypes."""
    said = output_of("timedatectl", "show", "--property=NTPSynchronized", "--value").strip()
    if said not in ("yes", "no"):
        raise NotHereError("this python3 has no ctypes, and timedatectl does not answer: apt-get install python3")
    return {"synchronised": said == "yes"}


def conntrack(_: Request) -> Fact:
    limit = number_in("/proc/sys/net/netfilter/nf_conntrack_max")
    if limit is None:
        raise NotHereError("the conntrack module is not loaded: nothing is tracked yet")
    return {"count": number_in("/proc/sys/net/netfilter/nf_conntrack_count") or 0, "max": limit}


def disk(request: Request) -> Fact:
    """The delay of fdatasync as etcd sees it: etcd's own histogram where it runs, and otherwise measured.

    `slow` instead of it: too little could be written in time.
    """
    folder = Path(request["etcd_folder"])
    while not folder.is_dir():
        folder = folder.parent
    about = {"folder": str(folder), "filesystem": filesystem(str(folder))}
    owner = etcd_process()
    if owner:
        return {**about, **etcd_delay(owner)}
    if not request["measure_disk"]:
        return {**about, "unknown": "not asked for: run `vds doctor --disk`, which writes 22 MB"}
    if about["filesystem"] in IN_MEMORY:
        kind = about["filesystem"]
        said = f"{folder} is on {kind}, which is not a disk: data may stay in memory; mount a disk there"
        return {**about, "unknown": said}
    delays = sync_delays(str(folder))
    if len(delays) < DISK_LEAST:
        return {**about, "slow": f"{len(delays)} writes in {DISK_SECONDS:g} s"}
    p99 = sorted(delays)[-(-99 * len(delays) // 100) - 1]
    return {**about, "p99_ns": p99, "mean_ns": sum(delays) // len(delays), "writes": len(delays)}


def sync_delays(folder: str) -> list[int]:
    """Nanoseconds of each fdatasync, one after each write of DISK_BLOCK bytes. The file never has a name."""
    delays = []
    ends = time.monotonic() + DISK_SECONDS
    block = os.urandom(DISK_BLOCK)
    with tempfile.TemporaryFile(dir=folder) as file:
        number = file.fileno()
        with suppress(OSError):
            os.posix_fallocate(number, 0, DISK_BYTES)  # as etcd does with its log
        for offset in range(0, DISK_BYTES, DISK_BLOCK):
            if time.monotonic() > ends:
                break
            os.pwrite(number, block, offset)
            began = time.monotonic_ns()
            os.fdatasync(number)
            delays.append(time.monotonic_ns() - began)
    return delays


def etcd_delay(process: int) -> Fact:
    """The 99th percentile of a running etcd, from its own metrics since it started. Nothing is written to its disk."""
    reason = f"etcd runs here (process {process}), so its disk is not written to, and its metrics "
    with suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
        urls = [word.partition("=")[2] for word in words if word.startswith("--listen-metrics-urls=")]
        plain = [url for url in ",".join(urls).split(",") if url.startswith("http://")]
        try:
            text = metrics_of((plain or [METRICS])[0])
        except OSError as error:
            wanted = f"start it with --listen-metrics-urls={METRICS}"
            return {"unknown": f"{reason}are not served without TLS ({getattr(error, 'reason', error)}): {wanted}"}
        rows = re.findall(r'^etcd_disk_wal_fsync_duration_seconds_bucket\{le="([^"]+)"\} (\S+)$', text, re.MULTILINE)
        buckets = [(float(bound), float(count)) for bound, count in rows]
        if buckets and buckets[-1][1] >= DISK_LEAST:
            return {"p99_ns": int(quantile(buckets, 0.99) * 1e9), "writes": int(buckets[-1][1]), "by": "etcd"}
    return {"unknown": f"{reason}count fewer than {DISK_LEAST} writes: run again later"}


def metrics_of(url: str) -> str:
    """The metrics of a program on this node. Raises OSError."""
    from http.client import HTTPException
    from urllib.request import ProxyHandler, build_opener

    try:
        with build_opener(ProxyHandler({})).open(f"{url.rstrip('/')}/metrics", timeout=3) as answer:
            return str(answer.read(2**22), errors="replace")
    except HTTPException as error:
        raise OSError(type(error).__name__) from None


def quantile(buckets: list[tuple[float, float]], share: float) -> float:
    """A quantile of a Prometheus histogram, by its upper bounds and cumulated counts, as histogram_quantile does it."""
    wanted = share * buckets[-1][1]
    lower, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * (wanted - below) / (count - below)
        lower, below = bound, count
    return lower


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
    started = time.monotonic()
    try:
        socket.getaddrinfo(request["lookup"], 443, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno != socket.EAI_NONAME:
            return {**about, "unknown": f"no answer for {request['lookup']} from {', '.join(servers) or 'no server'}"}
    return {**about, "milliseconds": round((time.monotonic() - started) * 1000, 2)}


def dns_servers(_: Request) -> Fact:
    """The servers at which look-ups end. A resolver on the node itself only passes them on."""
    servers = name_servers(RESOLV_CONF)
    if servers and all(on_this_node(server) for server in servers):
        servers = name_servers(BEHIND_RESOLVED) if Path(BEHIND_RESOLVED).exists() else []
        if not servers or all(on_this_node(server) for server in servers):
            raise NotHereError("a resolver on the node passes look-ups on, and names no server: configure its servers")
    return {"servers": servers}


def name_servers(path: str) -> list[str]:
    words = [line.split() for line in text_of(path).splitlines()]
    return [row[1].partition("%")[0] for row in words if len(row) > 1 and row[0] == "nameserver"]


def on_this_node(server: str) -> bool:
    return server.startswith("127.") or server in ("::1", "localhost")


def time_servers(_: Request) -> Fact:
    """The servers that the running time service asks, as it is configured."""
    running = running_programs()
    if "systemd-timesyn" in running:  # the kernel cuts names after 15 characters
        said = dict(re.findall(r"^(\w+)NTPServers=(.*)$", output_of("timedatectl", "show-timesync"), re.MULTILINE))
        own = " ".join(said.get(key, "") for key in ("Link", "System", "Runtime"))
        return {"servers": sorted(set((own if own.strip() else said.get("Fallback", "")).split()))}
    for process, files in (("chronyd", CHRONY_FILES), ("ntpd", NTPD_FILES)):
        if process in running:
            return {"servers": sorted({server for file in files for server in configured_servers(Path(file))})}
    raise NotHereError("none of systemd-timesyncd, chronyd and ntpd runs: start one of them")


def running_programs() -> set[str]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):  # it ended meanwhile
            found.add(text_of(str(path)))
    return found


def configured_servers(file: Path) -> set[str]:
    """The servers in a configuration of chrony or ntpd, and in the files that it includes."""
    found: set[str] = set()
    if not file.is_file():
        return found
    for line in text_of(str(file)).splitlines():
        words = line.split()
        if len(words) < 2:
            continue
        if words[0] in ("server", "pool", "peer"):
            found.add(words[1])
        elif words[0] in ("confdir", "sourcedir"):
            for folder in words[1:]:
                for more in sorted(Path(folder).glob("*.conf" if words[0] == "confdir" else "*.sources")):
                    found |= configured_servers(more)
    return found


def package_hosts(_: Request) -> Fact:
    """The hosts of the package sources that apt uses."""
    from urllib.parse import urlsplit

    if not Path(APT).is_dir():
        raise NotHereError("no apt here: its package sources are not known")
    urls = []
    for file in (Path(APT, "sources.list"), *sorted(Path(APT, "sources.list.d").glob("*"))):
        if file.suffix == ".list" and file.is_file():
            urls += re.findall(r"^\s*deb(?:-src)?\s+(?:\[[^\]]*\]\s*)?(\S+)", text_of(str(file)), re.MULTILINE)
        elif file.suffix == ".sources" and file.is_file():
            for part in re.split(r"\n\s*\n", text_of(str(file))):
                if not re.search(r"^Enabled:\s*no\s*$", part, re.MULTILINE | re.IGNORECASE):
                    for listed in re.findall(r"^URIs:((?:.*)(?:\n[ \t]+.*)*)", part, re.MULTILINE | re.IGNORECASE):
                        urls += listed.split()
    return {"hosts": sorted({host for url in urls if (host := urlsplit(url).hostname)})}


def image_hosts(_: Request) -> Fact:
    """The hosts in the configuration of the container runtime. Every other registry is a part of an image's name.

    A folder of containerd's `config_path` is a registry: its `hosts.toml` names mirrors, and containerd asks `server`
    last, which is the registry itself where it is left out (containerd's docs/hosts.md).
    """
    folders, hosts = {f"{CONTAINERD}/certs.d"}, set()
    for file in configuration_files():
        text = without_comments(file)
        for folder in re.findall(r"^\s*config_path\s*=\s*[\"']([^\"']*)", text, re.MULTILINE):
            folders |= set(filter(None, folder.split(":")))
        endpoints = re.findall(r"\bendpoint\s*[:=]\s*\[([^\]]*)\]|^\s*-\s*[\"']?(\S+://\S+)", text, re.MULTILINE)
        hosts |= {host_in(url) for url in re.findall(r"[\w.+-]+://[^\s\"',]+", str(endpoints))}
    for folder in folders:
        for file in Path(folder).glob("*/hosts.toml"):
            hosts |= registry_hosts(file)
    return {"hosts": sorted(hosts - {""})}


def configuration_files() -> list[Path]:
    """containerd's configuration with the files that it includes, and K3s' own of registries."""
    first = Path(CONTAINERD, "config.toml")
    found = [file for file in (first, Path(K3S_REGISTRIES)) if file.is_file()]
    text = without_comments(first) if first in found else ""
    included = re.findall(r"[\"']([^\"']+)", " ".join(re.findall(r"^imports\s*=\s*\[([^\]]*)\]", text, re.MULTILINE)))
    for pattern in included or [f"{CONTAINERD}/conf.d/*.toml"]:
        found += sorted(Path("/").glob(str(Path(CONTAINERD, pattern)).lstrip("/")))
    return found


def without_comments(file: Path) -> str:
    return "\n".join(line for line in text_of(str(file)).splitlines() if not line.lstrip().startswith("#"))


def registry_hosts(file: Path) -> set[str]:
    """The hosts in a `hosts.toml`: mirrors, and the server that is asked after them."""
    text = without_comments(file)
    servers = re.findall(r"^\s*server\s*=\s*[\"']([^\"']+)", text, re.MULTILINE)
    if not servers and file.parent.name != "_default":
        servers = [re.sub(r"_(\d+)_$", r":\1", file.parent.name)]
    mirrors = re.findall(r"^\s*\[\s*host\s*\.\s*[\"']([^\"']+)", text, re.MULTILINE)
    return {host_in(url) for url in (*mirrors, *servers)}


def host_in(url: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(url if "//" in url else f"//{url}").hostname or ""


def services(request: Request) -> Fact:
    if not Path("/run/systemd/system").is_dir():
        raise NotHereError("no systemd here: services are not asked for")
    return {name: output_of("systemctl", "is-active", name).strip() for name in request["services"]}


# --- over a window of time -----------------------------------------------------------------------------------


def counters(interface: str) -> Fact:
    """Counters since the start, of which only differences are used. Those of links are of this network namespace."""
    softnet = [[int(word, 16) for word in line.split()] for line in text_of("/proc/net/softnet_stat").splitlines()]
    links = {line.partition(":")[0].strip(): line.partition(":")[2].split() for line in _lines("/proc/net/dev")}
    received, sent = links[interface][:8], links[interface][8:]
    return {
        "uptime": float(text_of("/proc/uptime").split()[0]),
        "boot": text_of("/proc/sys/kernel/random/boot_id"),
        "cpu": [int(word) for word in text_of("/proc/stat").splitlines()[0].split()[1:]],
        "nic": {"packets": int(received[1]) + int(sent[1]), "dropped": sum(map(int, received[2:4] + sent[2:4]))},
        "softnet": {"dropped": sum(row[1] for row in softnet), "squeezed": sum(row[2] for row in softnet)},
        "conntrack": conntrack_losses(),
        "listen": {"dropped": listen_drops()},
    }


def _lines(path: str) -> list[str]:
    return [line for line in text_of(path).splitlines() if ":" in line]


def listen_drops() -> int:
    """Connections that a full queue of a listener has dropped."""
    names, values = (line.split() for line in text_of("/proc/net/netstat").splitlines() if line.startswith("TcpExt:"))
    return int(dict(zip(names, values))["ListenDrops"])


def conntrack_losses() -> int:
    """Connections that the conntrack table dropped because it was full; 0 where nothing is tracked."""
    try:
        names, *rows = [line.split() for line in text_of("/proc/net/stat/nf_conntrack").splitlines()]
    except (OSError, ValueError):
        return 0
    columns = [names.index(name) for name in ("drop", "early_drop") if name in names]
    return sum(int(row[column], 16) for row in rows for column in columns)


def window(request: Request) -> Fact:
    """Counters at two moments: over `window_seconds`; where that is 0, since an earlier survey or the start."""
    interface = interface_of(request["address"])
    if request["window_seconds"]:
        before = counters(interface)
        time.sleep(request["window_seconds"])
        after = counters(interface)
        return {"since": "now", "before": before, "after": after}
    after = counters(interface)
    kept = kept_samples(interface, after["boot"])
    ages = [(after["uptime"] - sample["uptime"], sample) for sample in kept]
    old = [(age, sample) for age, sample in ages if age >= COMPARE_SECONDS]
    if not ages or min(age for age, _ in ages) >= KEEP_SECONDS:
        # What is older than the sample to compare with is not needed again.
        oldest = min(age for age, _ in old) if old else float("inf")
        keep_samples(interface, [*(sample for age, sample in ages if age <= oldest), after])
    if old:
        return {"since": "an earlier survey", "before": min(old, key=lambda row: row[0])[1], "after": after}
    return {"since": "the start", "before": None, "after": after}


def kept_samples(interface: str, boot: str) -> list[Fact]:
    """Samples of earlier surveys since this start, oldest first."""
    try:
        found = json.loads(text_of(COUNTERS))
        return [sample for sample in found[interface] if sample["boot"] == boot]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def keep_samples(interface: str, samples: list[Fact]) -> None:
    """Whole or not at all. Where /run can't be written, the next survey compares with the start."""
    with suppress(OSError):
        place = Path(COUNTERS)
        place.parent.mkdir(mode=0o755, exist_ok=True)
        draft = place.with_name(f".{os.getpid()}")
        draft.write_text(json.dumps({interface: samples}))
        draft.replace(place)


# --- links ---------------------------------------------------------------------------------------------------


def interface_of(address: str) -> str:
    """The name of the link that carries an address of this node."""
    return str(link_of(address)["ifname"])


def link_of(address: str) -> Fact:
    """The link that carries an address of this node, as `ip -j address` shows it: in this network namespace."""
    found: list[Fact] = json.loads(output_of("ip", "-j", "address", "show") or "[]")
    for one in found:
        if any(entry.get("local") == address for entry in one.get("addr_info", [])):
            return one
    raise NotHereError(f"no link carries {address}: correct the node's address, or its network configuration")


def link(request: Request) -> Fact:
    found = link_of(request["address"])
    name, mac = found["ifname"], found.get("address", "")
    folder = f"/sys/class/net/{name}"
    speed, driver = None, ""
    with suppress(OSError):  # a container's /sys may be its host's
        if text_of(f"{folder}/address") == mac:
            speed = number_in(f"{folder}/speed")
            driver = Path(f"{folder}/device/driver").resolve(strict=True).name
    rings = re.findall(r"^RX:\s+(\d+)", output_of("ethtool", "-g", name), re.MULTILINE) if _has("ethtool") else []
    return {
        "interface": name,
        "mtu": found["mtu"],
        "mac": mac,
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
    own = link_of(request["address"])
    interface = own["ifname"]
    largest = max(own["mtu"], request["mtu"])

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
    by_name = {peer["name"]: peer["address"] for peer in request["peers"]}
    asked = [(name, port["port"]) for port in request["ports"] if port["protocol"] == "tcp" for name in port["peers"]]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda row: tcp_answer(by_name[row[0]], row[1], 1.5), asked))
    found: dict[str, dict[str, str]] = {}
    for (name, port), answer in zip(asked, answers):
        found.setdefault(name, {})[f"{port}/tcp"] = answer
    return {"peers": found}


def tcp_answer(address: str, port: int, seconds: float) -> str:
    """`open`, `refused`, or `silent` for a packet that is dropped or rejected on its way."""
    try:
        socket.create_connection((address, port), timeout=seconds).close()
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "silent"
    return "open"


def api_server(request: Request) -> Fact:
    """Whether this node finds the API server's name, and whether something answers there."""
    endpoint = request["api_server"]
    if not endpoint:
        raise NotHereError("not asked for")
    host, port = endpoint["host"], endpoint["port"]
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return {"addresses": [], "answer": "", "reason": str(error.strerror or error)}
    addresses = sorted({str(row[4][0]) for row in rows})
    answers = [tcp_answer(address, port, 2) for address in addresses[:4]]
    return {"addresses": addresses, "answer": "open" if "open" in answers else answers[0]}


def cluster_dns(request: Request) -> Fact:
    """How long the cluster's DNS takes for one name, asked at the address that pods ask."""
    question = b"".join(bytes([len(word)]) + word.encode() for word in CLUSTER_NAME.split("."))
    packet = struct.pack("!6H", 0x7664, 0x0100, 1, 0, 0, 0) + question + b"\0" + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(2)
        started = time.monotonic()
        try:
            one.sendto(packet, (request["cluster_dns"], 53))
            code = one.recv(512)[3] & 0x0F
        except OSError:
            raise NotHereError(
                f"no answer from {request['cluster_dns']}: there is no cluster here yet, or no DNS"
            ) from None
    return {"milliseconds": round((time.monotonic() - started) * 1000, 2), "code": code, "name": CLUSTER_NAME}


def firewall(_: Request) -> Fact:
    """Which firewall of its own the node has, so that a remedy can name it; `kind` is empty without one."""
    if _has("ufw") and re.search(r"^Status: active", output_of("ufw", "status"), re.MULTILINE):
        return {"kind": "ufw"}
    if _has("firewall-cmd") and output_of("firewall-cmd", "--state").strip() == "running":
        return {"kind": "firewalld"}
    if _has("nft"):
        # A chain at the input hook that drops by its policy or by a rule. The whole ruleset of a cluster is large.
        for table, chains in re.findall(r"^table (\S+ \S+) \{(.*?)^\}", output_of("nft", "list", "chains"), NFT):
            for name in re.findall(r"chain (\S+) \{[^}]*hook input", chains):
                rules = output_of("nft", "list", "chain", *table.split(), name)
                if re.search(r"policy drop|\b(drop|reject)\b", rules):
                    return {"kind": "nftables"}
    if _has("iptables"):
        rules = output_of("iptables", "-S", "INPUT")
        if re.search(r"^-P INPUT DROP|^-A INPUT .*-j (DROP|REJECT)", rules, re.MULTILINE):
            return {"kind": "iptables"}
    return {"kind": ""}


def wire(request: Request) -> Fact:
    """Send probes to every peer and listen for theirs: `heard` has each peer's probes that came through.

    A provider may lock a server that announces an address or sends from one that it does not have. Such probes are sent
    only if the stack file names them.

    A node that begins late must still be heard and must still hear. So every node sends and listens until it has heard
    all others, and a little longer, up to a limit. `passed` is what came through the node's own firewall too; it is
    known of the UDP ports in `free`, which no program had.
    """
    interface = interface_of(request["address"])
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    listener.setsockopt(socket.SOL_SOCKET, 26, probe_filter())  # SO_ATTACH_FILTER
    listener.bind((interface, 0))
    behind = udp_sockets(request)
    sends = bool(request["probes"]) or any(port["protocol"] == "udp" for port in request["ports"])
    awaited = {peer["name"] for peer in request["peers"] if sends}
    heard: dict[str, set[str]] = {}
    passed: dict[str, set[str]] = {}
    begun = next_send = newest = time.monotonic()
    while time.monotonic() < (
        begun + LATEST * WIRE_SECONDS if awaited else max(begun + WIRE_SECONDS, newest + WIRE_SECONDS / 2)
    ):
        if time.monotonic() >= next_send:
            send_probes(request, interface)
            next_send += WIRE_SECONDS / SENDS
        for ready in select.select([listener, *behind], [], [], 0.05)[0]:
            frame, where = ready.recvfrom(2048)
            if ready is not listener:
                name = sender_of(frame, request)
                passed.setdefault(name, set()).add(f"{behind[ready]}/udp")
            elif where[2] != 4:  # PACKET_OUTGOING: our own
                name, what = read_probe(frame, request)
                heard.setdefault(name, set()).add(what)
                if name in awaited:
                    awaited.remove(name)
                    newest = time.monotonic()
    for each in (listener, *behind):
        each.close()
    return {
        "heard": {name: sorted(what) for name, what in sorted(heard.items()) if name},
        "passed": {name: sorted(what) for name, what in sorted(passed.items()) if name},
        "free": sorted(f"{port}/udp" for port in behind.values()),
    }


def udp_sockets(request: Request) -> dict[socket.socket, int]:
    """A socket on each UDP port that is free: what it receives has passed this node's own firewall.

    None where a kubelet runs: it may be about to start the program that needs the port.
    """
    found: dict[socket.socket, int] = {}
    if tcp_answer(request["address"], KUBELET, 0.5) == "open":
        return found
    for port in request["ports"]:
        if port["protocol"] == "udp":
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                one.bind((request["address"], port["port"]))
                found[one] = port["port"]
            except OSError:  # the program that needs it runs already
                one.close()
    return found


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
    own = bytes.fromhex(link_of(request["address"])["address"].replace(":", ""))
    number = identity(request, request["node"])
    body = MAGIC + request["run"].encode() + bytes([number])
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((interface, 0))
    address = socket.inet_aton(announced(number))
    arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, own, address, b"\0" * 6, address)
    if "gratuitous-arp" in request["probes"]:
        _send(lambda: raw.send(b"\xff" * 6 + own + b"\x08\x06" + arp))
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    spoofed = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for peer in request["peers"]:
        for source in (request["pod_source"], BENCHMARK_SOURCE) if "spoofed-sources" in request["probes"] else ():
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
    name = sender_of(frame[42:] if udp else frame[34:], request)
    if not name:
        return "", ""
    if udp:
        return name, f"{struct.unpack('!H', frame[36:38])[0]}/udp"
    return name, {request["pod_source"]: "pod-source", BENCHMARK_SOURCE: "foreign-source"}.get(source, "rewritten")


def sender_of(body: bytes, request: Request) -> str:
    """The node that sent a probe; empty where it is none of this run."""
    names = sorted([request["node"], *(peer["name"] for peer in request["peers"])])
    mark = MAGIC + request["run"].encode()
    number = body[len(mark)] if body.startswith(mark) and len(body) > len(mark) else len(names)
    return names[number] if number < len(names) else ""


# --- all of it -----------------------------------------------------------------------------------------------

FACTS: dict[str, Callable[[Request], Fact]] = {
    "machine": machine,
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
    "firewall": firewall,
    "api_server": api_server,
    "wire": wire,
    "resolver": resolver,
    "dns_servers": dns_servers,
    "time_servers": time_servers,
    "package_hosts": package_hosts,
    "image_hosts": image_hosts,
    "cluster_dns": cluster_dns,
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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # from timeout(1)
    os.environ["RES_OPTIONS"] = "timeout:2 attempts:1"  # the C library's own words: a dead server costs 2 s, not 10
    sys.stdout.write(json.dumps({"fact": "node", "name": request["node"]}) + "\n")
    with ThreadPoolExecutor(len(FACTS)) as pool:
        for fact in pool.map(lambda row: answer(row[0], row[1], request), FACTS.items()):
            sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.write(json.dumps(answer("disk", disk, request)) + "\n")
    sys.stdout.write(json.dumps({"fact": "clock", "seconds": time.time()}) + "\n")
