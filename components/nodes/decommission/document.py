"""The document that a node is decommissioned by. The state keeps it, and a deletion has nothing else.

`pulumi_command` writes it to the standard input of `vds decommission`, so no secret is in an argument list or an
environment. The state may be older than the code that reads it, so a new field needs a default.
"""

import json
from typing import TYPE_CHECKING, Literal

from pydantic import SecretStr

from components.core.engine_document import ClusterDocument
from components.core.names import PYTHON
from components.nodes.server_document import ServerDocument, server_facts

if TYPE_CHECKING:  # the command that reads the document starts in half the time without the models
    from components.nodes.model import NodeSpec, SshSpec

# `exec`: otherwise a signal would reach only the shell, and an interrupted drain could not be undone.
DECOMMISSION = f"exec {PYTHON} -m vds decommission"
RECOMMISSION = f"exec {PYTHON} -m vds recommission"

FILES_ON_NODE = (
    "/etc/sysctl.d/zz-vds-platform.conf",
    "/etc/modules-load.d/vds-platform.conf",
    "/etc/systemd/networkd.conf.d/zz-vds-platform.conf",
    "/etc/vds-platform-firewall.nft",
    "/etc/systemd/system/vds-platform-firewall.service",
    "/etc/apt/apt.conf.d/zz-vds-platform-updates.conf",
    "/etc/systemd/system/apt-daily.timer.d/zz-vds-platform-download.conf",
    "/etc/systemd/system/apt-daily-upgrade.timer.d/zz-vds-platform-install.conf",
    "/var/lib/vds-platform",
)
"""Every path that `node.sh` writes to: what stays on a node that is not decommissioned."""


class Decommission(ServerDocument, ClusterDocument):
    """The document."""

    node: str
    script: str
    """The script of `settings.script.node_script` that the node was last set up with."""
    leaving_script: str = ""
    """Takes the node out of a cluster that kubeadm made, before `script` restores it; empty for other clusters."""
    when_unreachable: Literal["fail", "abandon"]
    drain_seconds: int
    gateway_namespace: str
    private_key: SecretStr


def decommission_document(
    node: "NodeSpec",
    ssh: "SshSpec",
    *,
    script: str,
    leaving_script: str = "",
    gateway_namespace: str,
    kubeconfig: str,
    private_key: str,
) -> str:
    """The document as JSON: same facts, same bytes, so that nothing is updated without a change."""
    facts = {
        "node": node.name,
        **server_facts(node, ssh),
        "script": script,
        **({"leavingScript": leaving_script} if leaving_script else {}),
        "whenUnreachable": node.when_unreachable,
        "drainSeconds": node.drain_seconds,
        "gatewayNamespace": gateway_namespace,
        "kubeconfig": kubeconfig,
        "privateKey": private_key,
    }
    return json.dumps(facts, sort_keys=True)
