"""Start and stop a VDS node: a network namespace whose first process is the supervisor."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from lab.layout import NODES, Host, Layout
from lab.processes import LabError, kill, members, start, tail
from lab.toolchain.build import Tools

_SSH_SECONDS = 30


def ensure(layout: Layout, tools: Tools) -> None:
    """Make keys, start every node that is not running, wait until all of them answer on SSH."""
    ensure_keys(layout)
    for node in NODES:
        if not members(node.name):
            start_node(node, layout, tools)
    deadline = time.monotonic() + _SSH_SECONDS
    for node in NODES:
        pid_file = layout.node(node.name) / "supervisor.pid"
        while not (pid_file.exists() and members(node.name)):
            if time.monotonic() > deadline:
                raise LabError(f"node {node.name} did not start:\n{tail(layout.logs / f'{node.name}.log')}")
            time.sleep(0.05)


def start_node(node: Host, layout: Layout, tools: Tools) -> None:
    """Start one node's supervisor in namespaces of its own; the cgroup namespace is rooted in the node's cgroup.

    Without that root Cilium's socket load balancer would hook every connect() of the whole machine.
    """
    folder = layout.node(node.name)
    (folder / "supervisor.pid").unlink(missing_ok=True)
    settings = {
        "node": node.name,
        "address": node.address,
        "folder": str(folder),
        "logs": str(layout.logs),
        "kubeconfig": str(layout.kubeconfig),
        "certificate_authority": str(layout.pki / "ca.crt"),
        "authorized_key": layout.ssh_key.with_suffix(".pub").read_text().strip(),
        "tools": {name: str(tools.path(name)) for name in SUPERVISED_TOOLS},
        "bpf_source": str(tools.module_dir("cilium") / "bpf"),
    }
    (folder / "settings.json").write_text(json.dumps(settings, indent=1))
    unshare = ["unshare", "--mount", "--uts", "--ipc", "--cgroup", "--propagation", "private"]
    start(
        [*unshare, sys.executable, "-m", "lab.node.supervisor", str(folder / "settings.json")],
        part=node.name,
        namespace=node.namespace,
        log=layout.logs / f"{node.name}.log",
    )


SUPERVISED_TOOLS = (
    "cilium-agent",
    "cilium-cni",
    "cilium-dbg",
    "cilium-operator",
    "metallb-controller",
    "metallb-speaker",
    "traefik",
)


def stop_node(node: Host) -> None:
    """Take a node's power away: every process of it, pods included, ends at once."""
    kill(node.name)


def ensure_keys(layout: Layout) -> None:
    """The operator's key pair, a host key per node, and the known_hosts file that Pulumi.lab.yaml names."""
    layout.ssh_key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = []
    for key in (layout.ssh_key, *(layout.node(n.name) / "ssh_host_ed25519_key" for n in NODES)):
        key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not key.exists():
            _make_key(key)
    for node in NODES:
        public = (layout.node(node.name) / "ssh_host_ed25519_key.pub").read_text().split()
        lines.append(f"{node.address} {public[0]} {public[1]}\n")
    layout.known_hosts.write_text("".join(lines))


def _make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path], check=True)


def inside_node(node: Host, layout: Layout, argv: list[str]) -> list[str]:
    """`argv` as it must be run to be on the node: its mounts, network, names and cgroup."""
    pid = (layout.node(node.name) / "supervisor.pid").read_text().strip()
    return ["nsenter", f"--target={pid}", "--mount", "--net", "--uts", "--ipc", "--cgroup", *argv]
