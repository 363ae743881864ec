"""SSH keys of the operator and of every machine, and the known_hosts file for Pulumi.lab.yaml."""

import subprocess
from pathlib import Path

from lab.layout import MACHINES, ROUTER, Host, Layout


def ensure(layout: Layout) -> None:
    """Make what is missing: the operator's key pair, a host key per machine, known_hosts of the platform's nodes."""
    lines = []
    for key in (layout.ssh_key, *(host_key(layout, machine) for machine in (*MACHINES, ROUTER))):
        key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key.name, "-f", key], check=True)
    for machine in MACHINES:
        algorithm, key_text, *_ = host_key(layout, machine).with_suffix(".pub").read_text().split()
        lines.append(f"{machine.address} {algorithm} {key_text}\n")
    layout.known_hosts.write_text("".join(lines))


def host_key(layout: Layout, machine: Host) -> Path:
    """A machine's private host key."""
    return layout.state / "ssh" / machine.name
