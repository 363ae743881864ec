"""The component that gives a control plane the timer of its snapshots."""

from functools import partial
from typing import Any

import pulumi
import pulumi_command as command
from pulumi_command import remote

from components.core.names import child, token
from components.core.shell import as_root
from components.kubeadm.backup.model import BackupSpec
from components.kubeadm.backup.render import agent_program, settings
from components.kubeadm.backup.render import command as run
from components.kubeadm.model import Bootstrap
from components.nodes.model import NodeSpec
from components.nodes.remote import connection


class Backup(pulumi.ComponentResource):
    """Snapshots of etcd on a timer. Every control plane has it, and the one that leads etcd uploads."""

    def __init__(
        self,
        node: NodeSpec,
        bootstrap: Bootstrap,
        spec: BackupSpec,
        *,
        access_key: pulumi.Output[str],
        provider: command.Provider,
        private_key: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """`opts` has what the node must be first: a member of the cluster."""
        about: dict[str, Any] = {
            "address": str(node.address),
            "country": node.country,
            "provider": node.provider.name,
            "providerCountry": node.provider.country,
            "hostKey": node.host_key,
            # The residency policies judge it.
            "destinations": [{"host": spec.host, "purpose": "backup"}],
            "bucket": spec.bucket,
            "everyMinutes": spec.every_minutes,
            "recipient": spec.recipient,
        }
        name = child(node.name, "backup")
        super().__init__(token("Backup"), name, about, opts)
        remote.Command(
            child(name, "timer"),
            connection=connection(node, bootstrap.ssh, private_key),
            create=as_root(run("install"), bootstrap.ssh.user),
            delete=as_root(run("remove"), bootstrap.ssh.user),  # the snapshots in the bucket stay
            stdin=access_key.apply(partial(_program, settings(bootstrap, spec, node))),
            add_previous_output_in_env=False,
            logging=remote.Logging.NONE,
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=provider,
                depends_on=opts.depends_on,
                additional_secret_outputs=["stdin", "stdout", "stderr"],
            ),
        )
        self.register_outputs(about)


def _program(given: dict[str, Any], access_key: str) -> str:
    return agent_program({**given, "access_key": access_key.strip()}, installs=True)
