"""The timer by which a control plane renews the certificates that kubeadm made (ADR 40)."""

from pathlib import Path

from components.kubeadm.model import Bootstrap
from components.kubeadm.render import api_server
from components.nodes.model import NodeSpec

RENEW_DAYS = 60
"""kubeadm's certificates are valid for a year. The doctor advises 30 days before one ends: then this has failed."""
NAME = "vds-platform-certificates"
PROGRAM = "/usr/local/lib/vds-platform/renew-certificates.sh"
_RENEW_SH = (Path(__file__).parent / "renew.sh").read_text(encoding="utf-8")
_HOURS = 2
"""Between two control planes: one takes two minutes, and ten if a step waits for its limit."""


def files(bootstrap: Bootstrap, node: NodeSpec) -> dict[str, str]:
    """The program and its units on a control plane, path → text."""
    hour = 1 + _HOURS * bootstrap.control_planes.index(node)
    service = f"""\
[Unit]
Description=Renewal of certificates of Kubernetes' control plane (vds-platform)
ConditionPathExists=/etc/kubernetes/admin.conf

[Service]
Type=oneshot
ExecStart=/bin/sh {PROGRAM} {RENEW_DAYS} {api_server(bootstrap, node)}
TimeoutStartSec=1200"""
    timer = f"""\
[Unit]
Description=Renewal of certificates of Kubernetes' control plane (vds-platform)

[Timer]
OnCalendar=*-*-* {hour:02}:00:00 UTC

[Install]
WantedBy=timers.target"""
    units = "/etc/systemd/system"
    return {PROGRAM: _RENEW_SH.strip(), f"{units}/{NAME}.service": service, f"{units}/{NAME}.timer": timer}
