"""A node, set up over one SSH connection and decommissioned when it leaves the stack."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pulumi
import pulumi_command as command
from pulumi_command import local, remote

from components.core.names import child, token
from components.core.shell import as_root
from components.nodes.decommission.document import DECOMMISSION, RECOMMISSION, decommission_document
from components.nodes.model import NodeSpec, SshSpec
from components.nodes.remote import connection
from components.nodes.settings.drift import Reading, judge
from components.nodes.settings.readback import summary
from components.nodes.settings.script import command as run


class Node(pulumi.ComponentResource):
    """One server: its kernel settings, modules and their files, proved by live values."""

    setup: pulumi.Resource
    """Done when the node is set up. A cluster made of the nodes waits for this and not for the whole node."""
    readback: pulumi.Output[dict[str, Any]]
    """The kernel, and each setting with its wanted value, live value and state, as the last run read them."""

    def __init__(
        self,
        name: str,
        spec: NodeSpec,
        *,
        provider: command.Provider,
        script: str,
        ssh: SshSpec,
        private_key: pulumi.Input[str],
        reading: Reading = None,
        firewall: bool = False,
    ) -> None:
        """`script` comes from `settings.script.node_script`, `reading` from `reading.read_fleet`.

        `firewall`: the script sets a firewall, which a second connection confirms.
        """
        # Policies judge what the engine sees: inputs at preview, outputs from a child resource.
        where: dict[str, Any] = {
            "address": str(spec.address),
            "country": spec.country,
            "provider": spec.provider.name,
            "providerCountry": spec.provider.country,
            "hostKey": spec.host_key,
            # Commands call the node, and its decommission the cluster.
            "destinations": [],
        }
        super().__init__(token("Node"), name, where)
        rerun = judge(spec.name, reading)
        if rerun.warning:
            pulumi.log.warn(rerun.warning, self)
        setup = remote.Command(
            child(name, "setup"),
            connection=connection(spec, ssh, private_key),
            create=as_root(run("apply"), ssh.user),
            update=as_root(rerun.update, ssh.user),
            stdin=script,  # not in argv, where every user of the node could read it
            add_previous_output_in_env=False,  # sshd refuses variables that it is not configured for
            logging=remote.Logging.NONE,  # the read-back is an output, and a failure is shown anyway
            opts=pulumi.ResourceOptions(
                parent=self, provider=provider, ignore_changes=["update"] if rerun.keep else None
            ),
        )
        self.setup = setup
        if firewall:  # a second connection, which the new rules have let through, keeps them
            self.setup = remote.Command(
                child(name, "firewall"),
                connection=connection(spec, ssh, private_key),
                create=as_root(run("confirm"), ssh.user),
                stdin=script,
                triggers=[setup.stdout],  # it has the time of the run
                add_previous_output_in_env=False,
                logging=remote.Logging.NONE,
                opts=pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[setup]),
            )
        self._document = partial(decommission_document, spec, ssh, script=script)
        self._private_key = private_key
        self._provider = provider
        self.readback = setup.stdout.apply(summary)
        self.register_outputs({**where, "readback": self.readback})

    def declare_decommission(
        self,
        kubeconfig: pulumi.Input[str],
        *,
        gateway_namespace: str,
        leaving_script: str = "",
        protect: bool = False,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Declare how the node is decommissioned. Call it once the cluster is known: kubeadm may make it of the nodes.

        `gateway_namespace` is where the data plane's pods are; `leaving_script` takes the node out of a cluster that
        kubeadm made; `protect` refuses to drain a node that may not leave; `depends_on` is deleted after the node is
        drained.
        """

        def document(secrets: Sequence[str]) -> str:
            return self._document(
                leaving_script=leaving_script,
                gateway_namespace=gateway_namespace,
                kubeconfig=secrets[0],
                private_key=secrets[1],
            )

        written: pulumi.Output[str] = pulumi.Output.all(kubeconfig, self._private_key).apply(document)
        # Deleted before `setup`. Not a remote.Command: that would fail on a server that does not answer.
        local.Command(
            child(self.pulumi_resource_name, "decommission"),
            create=RECOMMISSION,
            delete=DECOMMISSION,
            stdin=pulumi.Output.secret(written),  # type: ignore[arg-type]  # the SDK's own generic has no type here
            add_previous_output_in_env=True,  # `create` prints the cluster's UID, and `delete` compares it
            logging=local.Logging.STDERR,  # progress and warnings; nothing of the document is ever printed
            opts=pulumi.ResourceOptions(
                parent=self, provider=self._provider, depends_on=[self.setup, *depends_on], protect=protect
            ),
        )
