"""A Pulumi program that makes a cluster of servers on loopback. It is run by a real engine, in a test's own folder."""

import json
from ipaddress import ip_address
from pathlib import Path

import pulumi
import pulumi_command as command

from components.kubeadm.component import Kubeadm
from components.stackfile.config import Credentials, secrets
from tests.support.bootstraps import SECRETS, bootstrap


class SetUp(pulumi.ComponentResource):
    """In place of a node's kernel settings."""

    def __init__(self, name: str) -> None:
        super().__init__("vds-platform:index:SetUp", name)


def declare() -> None:
    """What the project's program declares for a cluster, and nothing in it."""
    plan, config = bootstrap(), pulumi.Config("vds-platform")
    servers = json.loads(Path("servers.json").read_text())
    nodes = [
        node.model_copy(update={"address": ip_address(address), "ssh_port": port, "ssh_address": None, "host_key": key})
        for name, (address, port, key) in servers.items()
        for node in plan.nodes
        if node.name == name
    ]
    version = config.get("kubernetesVersion") or plan.cluster.kubernetes_version
    cluster = plan.cluster.model_copy(update={"kubernetes_version": version})
    ssh = plan.ssh.model_copy(update={"user": "root", "dial_attempts": 1, "bastion": None})
    kubeadm = Kubeadm(
        "kubeadm",
        plan._replace(cluster=cluster, nodes=tuple(nodes), ssh=ssh),
        Credentials.drawn(secrets.choice),
        pulumi.Output.secret(SECRETS["encryptionKeys"]),
        [SetUp(node.name) for node in nodes],
        ca_key=config.get_secret("caKey"),
        provider=command.Provider("ssh"),
        private_key=config.require_secret("sshPrivateKey"),
    )
    pulumi.export("kubeconfig", kubeadm.kubeconfig)
