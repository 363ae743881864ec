"""How a machine stands: a test compares it before the lab and after it, to see that the lab left no trace."""

import contextlib
import ctypes
import json
import os
import platform
import re
import shutil
import socket
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.layout import PREFIX
from lab.processes import cgroup_mount

State = dict[str, dict[str, str]]
"""Part (`sysctl`, `mounts`, …) → name → value."""

_BPF_PROG_QUERY = 16  # linux/bpf.h
_BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}  # asm/unistd_64.h, asm-generic/unistd.h
_BPF_ATTACH_TYPES = 64  # more than linux/bpf.h has; the kernel refuses those that are not for cgroups

# Values that count or measure something, so they change without the lab.
_VOLATILE = re.compile(
    r"fs/(aio-nr|dentry-state|file-nr|inode-nr|inode-state|quota/.*)"
    r"|kernel/(ns_last_pid|pty/nr|random/.*|hung_task_detect_count|perf_event_max_sample_rate|tainted)"
    r"|net/netfilter/nf_conntrack_count"
    r"|vm/(numa_stat|stat_refresh)"  # reading the second one starts work in the kernel
)


def host_state() -> State:
    """How this machine stands, without what changes by itself: taken before the lab and after it, both must be equal.

    Of cgroups it has the top folders and the lab's, because others' programs make and remove their own below.
    """
    state = {
        "hostname": {"name": socket.gethostname()},
        "sysctl": dict(_sysctls()),
        "mounts": _numbered(Path("/proc/self/mounts").read_text()),
        "swaps": _numbered(Path("/proc/swaps").read_text()),
        "cgroups": {str(folder): "" for folder in _cgroups()},
        "cgroup programs": _cgroup_programs(),
        "links": _by_name(["ip", "-j", "link"], _link),
        "addresses": _by_name(["ip", "-j", "addr"], _addresses),
        "routes": _numbered(_output(["ip", "route", "show", "table", "all"])),
        "network namespaces": {path.name: "" for path in _entries(Path("/run/netns"))},
        "BPF file system": {path.name: "" for path in _entries(Path("/sys/fs/bpf"))},
        "nftables": _numbered(_output(["nft", "--stateless", "list", "ruleset"])),
        "iptables": _numbered(without_counters(_output(["iptables-save"]))),
        "ip6tables": _numbered(without_counters(_output(["ip6tables-save"]))),
    }
    modules = Path("/proc/modules")  # may be missing; read last, because the others may load modules
    state["modules"] = {line.split()[0]: "" for line in modules.read_text().splitlines()} if modules.exists() else {}
    return state


def differences(before: State, after: State) -> list[str]:
    """What is not as it was, one a line."""
    found = []
    for part in sorted(before.keys() | after.keys()):
        old, new = before.get(part, {}), after.get(part, {})
        for name in sorted(old.keys() | new.keys()):
            if name not in new:
                found.append(f"{part}: {name} is gone (was {old[name]!r})")
            elif name not in old:
                found.append(f"{part}: {name} is new ({new[name]!r})")
            elif old[name] != new[name]:
                found.append(f"{part}: {name} was {old[name]!r}, is {new[name]!r}")
    return found


def without_counters(rules: str) -> str:
    """iptables-save's text without its comments, which hold the time, and without packet counts."""
    return "\n".join(re.sub(r"\s*\[\d+:\d+\]", "", line) for line in rules.splitlines() if line[:1] != "#")


def is_volatile(key: str) -> bool:
    """Whether a kernel value (its path below /proc/sys) changes without anybody setting it."""
    return _VOLATILE.fullmatch(key) is not None


def _sysctls() -> Iterator[tuple[str, str]]:
    root = Path("/proc/sys")
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            key = str(path.relative_to(root))
            if not is_volatile(key):
                with contextlib.suppress(OSError):  # write-only, or of a link that was just removed
                    yield key, path.read_text(errors="replace").strip()


def _cgroups() -> Iterator[Path]:
    for procs in Path("/sys/fs/cgroup").glob("**/cgroup.procs"):
        if procs.parent.parent.parent == Path("/sys/fs/cgroup") or PREFIX in procs.parts:
            yield procs.parent


def _cgroup_programs() -> dict[str, str]:
    """BPF programs on the topmost cgroup, where Cilium's would catch this machine's connections: kind → how many."""
    number = _BPF_SYSCALL.get(platform.machine())
    if number is None:
        return {}
    call = ctypes.CDLL(None, use_errno=True).syscall
    found = {}
    group = os.open(cgroup_mount(), os.O_RDONLY)
    try:
        for kind in range(_BPF_ATTACH_TYPES):
            # union bpf_attr, query: target_fd, attach_type, query_flags, attach_flags, prog_ids, prog_cnt
            query = ctypes.create_string_buffer(struct.pack("=IIIIQI", group, kind, 0, 0, 0, 0), 64)
            if call(number, _BPF_PROG_QUERY, query, 64) == 0:
                found[str(kind)] = str(struct.unpack_from("=IIIIQI", query)[5])
    finally:
        os.close(group)
    return found


def _link(link: dict[str, object]) -> str:
    return " ".join(f"{key}={link.get(key)}" for key in ("mtu", "address", "master", "qdisc"))


def _addresses(link: dict[str, object]) -> str:
    known = link.get("addr_info")
    entries = known if isinstance(known, list) else []
    return " ".join(sorted(f"{entry.get('local')}/{entry.get('prefixlen')}" for entry in entries))


def _by_name(argv: list[str], value: Callable[[dict[str, object]], str]) -> dict[str, str]:
    return {link["ifname"]: value(link) for link in json.loads(_output(argv) or "[]")}


def _output(argv: list[str]) -> str:
    """What a command prints; nothing where it is not installed, or where the kernel lacks what it shows."""
    if not shutil.which(argv[0]):
        return ""
    return subprocess.run(argv, capture_output=True, text=True).stdout


def _numbered(text: str) -> dict[str, str]:
    """Each line as a name, with how often it is there."""
    return {line: str(count) for line, count in Counter(text.splitlines()).items() if line.strip()}


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
