"""The units of a control plane's backup, and the program that a node runs."""

import json
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from components.kubeadm.backup.model import BackupSpec
from components.kubeadm.model import Bootstrap
from components.nodes.model import NodeSpec

RUN_SECONDS = 1800
"""The agent's own limit: a snapshot of 8 GB, etcd's largest, at 50 Mbit/s in one direction."""

_AGENT = (Path(__file__).parent / "agent.py").read_text(encoding="utf-8")
_PKI = "/etc/kubernetes/pki"
_CREDENTIALS = {
    "settings": "/etc/vds-platform/backup.json",
    "ca.crt": f"{_PKI}/etcd/ca.crt",
    "client.crt": f"{_PKI}/apiserver-etcd-client.crt",
    "client.key": f"{_PKI}/apiserver-etcd-client.key",
    **{name: f"{_PKI}/{name}" for name in ("sa.key", "sa.pub", "front-proxy-ca.crt", "front-proxy-ca.key")},
}
"""What systemd reads as root and gives the service, which is no root."""


def units(spec: BackupSpec) -> dict[str, str]:
    """The service and its timer, by file name."""
    given = "\n".join(f"LoadCredential={name}:{path}" for name, path in _CREDENTIALS.items())
    service = f"""\
[Unit]
Description=Encrypted snapshot of etcd (vds-platform)
Wants=network-online.target
After=network-online.target
ConditionPathExists=/etc/kubernetes/manifests/etcd.yaml

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I /usr/local/lib/vds-platform/backup.py
TimeoutStartSec={RUN_SECONDS}
DynamicUser=yes
StateDirectory=vds-platform-backup
StateDirectoryMode=0700
UMask=0077
{given}
Nice=10
IOSchedulingClass=idle
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
"""
    timer = f"""\
[Unit]
Description=Encrypted snapshots of etcd (vds-platform)

[Timer]
OnActiveSec=2min
OnUnitActiveSec={spec.every_minutes}min
RandomizedDelaySec=30

[Install]
WantedBy=timers.target
"""
    return {"vds-platform-backup.service": service, "vds-platform-backup.timer": timer}


def command(verb: str) -> str:
    """The command line that runs `agent_program` from standard input."""
    return f"timeout -k 10 {RUN_SECONDS} python3 -I - {quote(verb)}"


def settings(bootstrap: Bootstrap, spec: BackupSpec, node: NodeSpec) -> dict[str, Any]:
    """What the agent needs on one node, without secrets."""
    return {
        "node": node.name,
        "address": str(node.address),
        "environment": bootstrap.environment,
        "kubernetes": bootstrap.cluster.kubernetes_version,
        "registry": bootstrap.registry,
        "endpoint": spec.endpoint,
        "bucket": spec.bucket,
        "region": spec.region,
        "recipient": spec.recipient,
        "keep": spec.keep,
        "units": units(spec),
    }


def agent_program(given: Mapping[str, Any], *, installs: bool = False) -> str:
    """The Python text for one node. It holds the secrets of `given`, so it may be passed by standard input only.

    `installs`: with its own source once more, which the verb `install` writes to the node.
    """
    source = f", {_AGENT!r}" if installs else ""
    return f"{_AGENT}\n\nmain(json.loads({json.dumps(given, sort_keys=True)!r}){source})\n"
