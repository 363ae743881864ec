"""The timer that measures a node, and the program that puts it there."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.monitoring.model import MonitoringContext
from components.nodes.model import NodeRequirements, NodeSpec

INSTALL_SECONDS = 120
"""The installation's own limit: it writes four files, and waits for the first run."""
EVERY_SECONDS = 60
"""Between two runs."""
MEMORY_MEBIBYTES = 30
"""The most that a run may have: systemd ends one that takes more."""
_AGENT = (Path(__file__).parent / "agent.py").read_text(encoding="utf-8")


def units() -> dict[str, str]:
    """The service and its timer, by file name. It is root, because a node's settings are checked as root."""
    service = f"""\
[Unit]
Description=Facts of this node for node-exporter (vds-platform)

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I -S /usr/local/lib/vds-platform/facts.py
TimeoutStartSec=50
MemoryMax={MEMORY_MEBIBYTES}M
Nice=10
UMask=0022
StateDirectory=vds-platform-metrics
StateDirectoryMode=0755
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
RestrictRealtime=yes
RestrictSUIDSGID=yes
"""
    timer = f"""\
[Unit]
Description=Facts of this node for node-exporter (vds-platform)

[Timer]
OnActiveSec=5s
OnUnitActiveSec={EVERY_SECONDS}s
AccuracySec=1s
RandomizedDelaySec=5

[Install]
WantedBy=timers.target
"""
    return {"vds-platform-facts.service": service, "vds-platform-facts.timer": timer}


def command(verb: str) -> str:
    """The command line that runs `agent_program` from standard input."""
    return f"timeout -k 10 {INSTALL_SECONDS} python3 -I - {verb}"


def agent_program(
    node: NodeSpec,
    nodes: Sequence[NodeSpec],
    requirements: NodeRequirements,
    context: MonitoringContext,
    script: str,
) -> str:
    """The Python text for one node, which goes in on standard input. It holds no secret.

    `script`: of `settings.script.node_script`, by which drift is found.
    """
    request: dict[str, Any] = {
        "peers": [{"name": one.name, "address": str(one.address)} for one in nodes if one.name != node.name],
        "mtu": requirements.underlay_mtu,
        "cluster_dns": requirements.cluster_dns,
        "etcd": context.has_etcd and "control-plane" in node.roles,
        "units": units(),
        "script": script,
    }
    return f"{_AGENT}\n\nmain(json.loads({json.dumps(request, sort_keys=True)!r}), {_AGENT!r})\n"
