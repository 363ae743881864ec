"""Facts of nodes that are as they should be, and the how-to's table of checks."""

from collections.abc import Sequence
from typing import Any

from components.nodes.preflight.checks import Check

BEFORE = {
    "uptime": 1000.0,
    "cpu": [0] * 10,
    "nic": {"packets": 100, "dropped": 7},
    "softnet": {"dropped": 3, "squeezed": 0},
    "listen": {"dropped": 2},
    "conntrack": 5,
}
AFTER = BEFORE | {"uptime": 1600.0, "cpu": [50, 0, 50, 100, 0, 0, 0, 0, 0, 0]}


def window(**after: Any) -> dict[str, Any]:
    """Counters over ten minutes."""
    return {"window": {"since": "an earlier survey", "before": BEFORE, "after": AFTER | after}}


def fit_facts(name: str, names: Sequence[str]) -> dict[str, Any]:
    """What a node says that is as it should be, of all nodes of these names, which end in a digit."""
    others = [other for other in names if other != name]
    return {
        "machine": {"container": "", "virtual": "kvm"},
        "kernel": {"release": "6.1.0-18-amd64", "btf": True, "options": {"BPF": "y", "NET_CLS_BPF": "m"}},
        "system": {"name": "Debian GNU/Linux 13", "id": "debian", "cpus": 4},
        "memory": {"bytes": 8 * 2**30, "swap_bytes": 0},
        "cgroup": {"version": 2},
        "time_sync": {"synchronised": True},
        "conntrack": {"count": 100, "max": 131072},
        **window(),
        "link": {
            "interface": "eth0",
            "mtu": 1500,
            "mac": f"02:00:00:00:00:0{name[-1]}",
            "speed_mbit": 10000,
            "driver": "virtio_net",
            "ring": {"rx": 256, "rx_max": 256},
        },
        "paths": {
            "tried": 1500,
            "peers": {o: {"mtu": 1500, "milliseconds": 0.3, "mac": f"02:00:00:00:00:0{o[-1]}"} for o in others},
        },
        "references": {"points": {"exchange": {"milliseconds": 1.5}}},
        "ports": {"peers": {o: {"10250/tcp": "refused", "2380/tcp": "open"} for o in others}},
        "firewall": {"kind": ""},
        "api_server": {"addresses": ["192.0.2.10"], "answer": "open"},
        "cluster_dns": {"name": "kubernetes.default.svc.cluster.local", "milliseconds": 1.5, "code": 0},
        "wire": {
            "heard": {o: ["8472/udp", "arp", "pod-source"] for o in others},
            "passed": {o: ["8472/udp"] for o in others},
            "free": ["8472/udp"],
        },
        "resolver": {"servers": ["9.9.9.9"], "ndots": 1, "search": [], "name": "kubernetes.io", "milliseconds": 12.0},
        "dns_servers": {"servers": ["192.0.2.53"]},
        "time_servers": {"servers": ["192.0.2.123"]},
        "package_hosts": {"hosts": ["packages.lab.example.no"]},
        "image_hosts": {"hosts": ["registry.lab.example.no"]},
        "services": {"containerd": "active", "kubelet": "active"},
        "disk": {"folder": "/var/lib", "filesystem": "ext4", "p99_ns": 1_500_000, "mean_ns": 700_000, "writes": 10_030},
    }


def table_of(checks: Sequence[Check]) -> str:
    """The table of these checks in Markdown."""
    lines = ["| check | measured | limit | source | over the limit |", "|---|---|---|---|---|"]
    for check in checks:
        effect = ("stops the run" if check.required else "advice") if check.limit else "only shown"
        lines.append(f"| `{check.id}` | {check.title} | {check.limit or '–'} | {check.source} | {effect} |")
    return "\n".join(lines)
