"""The document that a member is upgraded by. The engine writes it to the standard input of `vds upgrade`."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import SecretStr

from components.core.engine_document import EngineDocument
from components.core.names import PYTHON
from components.nodes.server_document import ServerDocument, server_facts

if TYPE_CHECKING:  # the command that reads the document starts in half the time without the models
    from components.kubeadm.model import Bootstrap
    from components.nodes.model import NodeSpec

UPGRADE = f"exec {PYTHON} -m vds upgrade"
READ_ADMIN = "cat /etc/kubernetes/admin.conf"
"""The command line that prints the administrator's kubeconfig on a control plane."""


class Upgrade(EngineDocument):
    """The document."""

    node: str
    server: ServerDocument
    first: ServerDocument
    """The first control plane: its kubeconfig is read while the command runs, and no state has it."""
    backups: Mapping[str, ServerDocument]
    """Every control plane, where a backup is configured: the one that leads etcd uploads a snapshot first."""
    kubernetes: str
    """The wanted version of Kubernetes."""
    packages: Mapping[str, str]
    """Package → its wanted version."""
    script: str
    """Of `scripts.upgrade_script`."""
    drain_seconds: int
    """0: the node is not drained."""
    gateway_namespace: str
    private_key: SecretStr


def upgrade_document(bootstrap: "Bootstrap", node: "NodeSpec", gateway_namespace: str, private_key: str) -> str:
    """The document as JSON: the same facts give the same bytes."""
    from components.kubeadm.render import packages
    from components.kubeadm.scripts import upgrade_script

    first = bootstrap.control_planes[0]
    saved = bootstrap.control_planes if node == first and bootstrap.cluster.backup else ()
    facts = {
        "node": node.name,
        "server": server_facts(node, bootstrap.ssh),
        "first": server_facts(first, bootstrap.ssh),
        "backups": {one.name: server_facts(one, bootstrap.ssh) for one in saved},
        "kubernetes": bootstrap.cluster.kubernetes_version,
        "packages": packages(bootstrap.cluster),
        "script": upgrade_script(bootstrap, node),
        "drainSeconds": node.drain_seconds,
        "gatewayNamespace": gateway_namespace,
        "privateKey": private_key,
    }
    return json.dumps(facts, sort_keys=True)
