"""Ask nodes, pods and hosts of the lab, each from inside: by SSH, or by `lab.probe` run in its namespace."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from lab.cluster import Cluster
from lab.layout import NODES, OPERATOR, Host, Layout
from lab.node import records
from lab.node.start import inside_node
from lab.processes import LabError, command

Facts = dict[str, Any]


def ask(argv: list[str], questions: list[Facts], timeout_seconds: float = 120) -> list[Any]:
    """Answers of `lab.probe`, run by `argv` where the questions are to be asked from."""
    done = subprocess.run(argv, input=json.dumps(questions), capture_output=True, text=True, timeout=timeout_seconds)
    if done.returncode:
        raise LabError(f"the probe failed: {done.stderr.strip()}")
    return list(json.loads(done.stdout))


def from_host(host: Host) -> list[str]:
    """How to run the probe on a host of the fabric."""
    return command([sys.executable, "-m", "lab.probe"], part="probe", namespace=host.namespace)


def from_pod(pod: Facts, layout: Layout) -> list[str]:
    """How to run the probe in a pod's network, and in its node's cgroup, where Cilium's socket hooks are."""
    node = next(n for n in NODES if n.name == pod["node"])
    there = ["nsenter", f"--target={pod['pid']}", "--net", "--uts", sys.executable, "-m", "lab.probe"]
    return command(inside_node(node, layout, there), part=f"{node.name}/probe")


def ssh(layout: Layout, address: str, remote: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command on a node as its administrator does: from the operator's laptop, host key verified."""
    options = {
        "UserKnownHostsFile": layout.known_hosts,
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": 5,
    }
    words = [w for key, value in options.items() for w in ("-o", f"{key}={value}")]
    argv = ["ssh", "-F", "none", "-i", str(layout.ssh_key), *words, f"root@{address}", remote]
    return subprocess.run(
        command(argv, part="probe", namespace=OPERATOR.namespace),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


def pods(layout: Layout) -> list[Facts]:
    """Every pod of the lab that has an address of its own, as its supervisor recorded it."""
    addresses = {n.address for n in NODES}
    found = [pod for node in NODES for pod in records.read(layout.node(node.name)).values()]
    return [p for p in found if p["address"] not in addresses]


def service_address(cluster: Cluster, namespace: str, name: str) -> str:
    """A Service's cluster address."""
    return str(cluster.request("GET", f"/api/v1/namespaces/{namespace}/services/{name}")["spec"]["clusterIP"])


def link_address(host: Host) -> str:
    """The hardware address of a host's link."""
    shown = subprocess.run(
        ["ip", "-n", host.namespace, "-j", "link", "show", "eth0"], capture_output=True, text=True, check=True
    )
    return str(json.loads(shown.stdout)[0]["address"])
