"""A cluster made by kubeadm.

Packages are installed on all nodes at once. Then the first control plane makes the cluster, the other control planes
join one by one, and the workers join all at once. Upgrades reach one node after the other.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import pulumi
import pulumi_command as command
from pulumi.resource import DependencyResource
from pulumi_command import local, remote

from components.core.names import child, token
from components.core.shell import as_root
from components.kubeadm.admission import Admission
from components.kubeadm.backup.component import Backup
from components.kubeadm.credentials import Credentials
from components.kubeadm.kubeconfig import decrypted, read_command
from components.kubeadm.model import Bootstrap
from components.kubeadm.render import api_server, endpoint
from components.kubeadm.scripts import command as run
from components.kubeadm.scripts import member_script, script_without_secrets
from components.kubeadm.security.encryption import command as encryption
from components.kubeadm.security.encryption import rewrite_script, write_script
from components.kubeadm.upgrade.document import UPGRADE, upgrade_document
from components.nodes.model import NodeSpec
from components.nodes.remote import connection


class Upgrades(NamedTuple):
    """What upgrades need to know beside the cluster."""

    behind: Mapping[str, str] = MappingProxyType({})
    """Each node that does not have the packages of the stack file, and what it has; of `upgrade.gate`."""
    gateway_namespace: str = ""
    """Where the gateway's pods are: a node with its last one is not drained."""


class Member(pulumi.ComponentResource):
    """One node: its packages, their pins and the container runtime, then its membership, by kubeadm."""

    joined: pulumi.Resource
    """Done when the node is a member: its Node object exists."""
    upgraded: pulumi.Resource
    """Done when the member has the packages of the stack file, and takes pods."""
    kept: pulumi.Resource
    """Done when the member has the packages, pins and files of the stack file."""

    def __init__(
        self,
        node: NodeSpec,
        bootstrap: Bootstrap,
        *,
        provider: command.Provider,
        admission: Admission,
        encryption_keys: pulumi.Output[str],
        private_key: pulumi.Input[str],
        tuned: pulumi.Resource,
        after: Sequence[pulumi.Resource],
        upgraded_after: Sequence[pulumi.Resource],
        kept_after: Sequence[pulumi.Resource],
        upgrades: Upgrades,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """`tuned`: the node's setup; `after`: what must be done before this one joins; `upgraded_after`: before it is
        drained for an upgrade; `kept_after`: before its files change.
        """
        where: dict[str, Any] = {
            "address": str(node.address),
            "country": node.country,
            "provider": node.provider.name,
            "providerCountry": node.provider.country,
            "hostKey": node.host_key,
            # Commands call the node. Where its packages and images come from, `kubeadm.rules` judges.
            "destinations": [],
        }
        super().__init__(token("Member"), node.name, where, opts)
        self._reached = connection(node, bootstrap.ssh, private_key)
        self._user = bootstrap.ssh.user
        self._node, self._kubernetes = node.name, bootstrap.cluster.kubernetes_version
        self._beside = pulumi.ResourceOptions(parent=self, provider=provider)
        # A separate resource, because it takes longest and needs no cluster: it runs on all nodes at once. It has no
        # `delete`: packages stay on a node that leaves, and the script's `remove` takes away their pins.
        packages = remote.Command(
            child(node.name, "packages"),
            connection=self._reached,
            create=as_root(run("prepare"), self._user),
            stdin=script_without_secrets(bootstrap, node),
            add_previous_output_in_env=False,
            logging=remote.Logging.NONE,
            opts=pulumi.ResourceOptions.merge(self._beside, pulumi.ResourceOptions(depends_on=[tuned])),
        )
        leaves_by_itself = "control-plane" in node.roles
        # Before its API server starts. Other keys reach one control plane after the other, and no other resource.
        self.encrypted = (
            [self._encrypt(bootstrap, node, encryption_keys, [tuned, *kept_after])] if leaves_by_itself else []
        )
        self.joined = remote.Command(
            child(node.name, "membership"),
            connection=self._reached,
            create=as_root(run("apply"), self._user),
            update="true",  # of another connection: a member has joined
            stdin=pulumi.Output.secret(member_script(bootstrap, node, admission.credentials_of(node))),
            add_previous_output_in_env=False,
            logging=remote.Logging.NONE,
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=provider,
                depends_on=[packages, *self.encrypted, *after],
                additional_secret_outputs=["stdin", "stdout", "stderr"],
                ignore_changes=["stdin"],  # every run has another token
                hooks=admission.hook_of(node),
                protect=leaves_by_itself,
            ),
        )
        self.upgraded = self._upgrade(bootstrap, node, upgrades, private_key, upgraded_after)
        # A separate resource, because it needs no secret: a new token is no change of a member.
        self.kept = remote.Command(
            child(node.name, "member"),
            connection=self._reached,
            create=as_root(run("keep"), self._user),  # also for updates: the script finds out what to do
            # A worker leaves by its node's decommission, which can abandon a server that does not answer.
            delete=as_root(run("remove"), self._user) if leaves_by_itself else None,
            stdin=script_without_secrets(bootstrap, node),
            add_previous_output_in_env=False,
            logging=remote.Logging.NONE,
            opts=pulumi.ResourceOptions.merge(
                self._beside,
                # Deleting it deletes the cluster's own data.
                pulumi.ResourceOptions(depends_on=[self.joined, self.upgraded, *kept_after], protect=leaves_by_itself),
            ),
        )
        self.register_outputs(where)

    def _upgrade(
        self,
        bootstrap: Bootstrap,
        node: NodeSpec,
        upgrades: Upgrades,
        private_key: pulumi.Input[str],
        after: Sequence[pulumi.Resource],
    ) -> pulumi.Resource:
        """A local command, because only the machine of the update reaches both the node and the cluster."""
        behind = upgrades.behind.get(node.name)
        document = pulumi.Output.from_input(private_key).apply(
            lambda key: upgrade_document(bootstrap, node, upgrades.gateway_namespace, key)
        )
        return local.Command(
            child(node.name, "upgrade"),
            create="true",  # a node joins with the packages of the stack file
            # Another text is an update: what the node has is no input. A node that is as wanted keeps the state's.
            update=f"{UPGRADE} # {behind}" if behind else UPGRADE,
            stdin=pulumi.Output.secret(document),  # type: ignore[arg-type]  # the SDK's own generic has no type here
            add_previous_output_in_env=False,
            logging=local.Logging.STDERR,  # progress; nothing of the document is ever printed
            opts=pulumi.ResourceOptions.merge(
                self._beside,
                pulumi.ResourceOptions(depends_on=[self.joined, *after], ignore_changes=[] if behind else ["update"]),
            ),
        )

    def _encrypt(
        self, bootstrap: Bootstrap, node: NodeSpec, keys: pulumi.Output[str], after: Sequence[pulumi.Resource]
    ) -> pulumi.Resource:
        """Done when a control plane has the keys, and its API server, if it runs, has read them."""
        first = node == bootstrap.control_planes[0]
        server, security = api_server(bootstrap, node), bootstrap.cluster.security
        return remote.Command(
            child(node.name, "encryption"),
            connection=self._reached,
            create=as_root(encryption("write"), self._user),
            # It has no `delete`: who resets the member takes the keys away, when no API server needs them any more.
            stdin=keys.apply(lambda text: write_script(node.name, server, first=first, security=security, keys=text)),
            add_previous_output_in_env=False,
            logging=remote.Logging.NONE,
            opts=pulumi.ResourceOptions.merge(
                self._beside,
                pulumi.ResourceOptions(depends_on=list(after), additional_secret_outputs=["stdin", "stdout", "stderr"]),
            ),
        )

    def encrypt_again(
        self, bootstrap: Bootstrap, node: NodeSpec, keys: pulumi.Output[str], after: Sequence[pulumi.Resource]
    ) -> None:
        """Every Secret is encrypted with the first key; of the first control plane."""
        server, security = api_server(bootstrap, node), bootstrap.cluster.security
        remote.Command(
            child(node.name, "reencryption"),
            connection=self._reached,
            create=as_root(encryption("rewrite"), self._user),
            stdin=keys.apply(lambda text: rewrite_script(node.name, server, security=security, keys=text)),
            add_previous_output_in_env=False,
            logging=remote.Logging.NONE,
            opts=pulumi.ResourceOptions.merge(self._beside, pulumi.ResourceOptions(depends_on=list(after))),
        )

    def read_kubeconfig(self, password: str) -> pulumi.Output[str]:
        """The administrator's kubeconfig, of a control plane; secret.

        A separate resource: what changes has an unknown output at preview, and with an unknown kubeconfig everything in
        the cluster would be unknown. It was encrypted with the password of the run that read it.
        """
        reading = remote.Command(
            child(self._node, "kubeconfig"),
            connection=self._reached,
            create=as_root(read_command(self._kubernetes), self._user),
            stdin=pulumi.Output.secret(password),
            add_previous_output_in_env=False,
            logging=remote.Logging.NONE,
            opts=pulumi.ResourceOptions.merge(
                self._beside,
                pulumi.ResourceOptions(
                    depends_on=[self.upgraded],
                    additional_secret_outputs=["stdin", "stdout", "stderr"],
                    ignore_changes=["stdin"],
                ),
            ),
        )
        return pulumi.Output.secret(pulumi.Output.all(reading.stdin, reading.stdout).apply(self._decrypted))

    def _decrypted(self, parts: Sequence[str]) -> str:
        try:
            return decrypted(*parts)
        except ValueError:
            name = child(self._node, "kubeconfig")
            raise pulumi.RunError(f"{name}: is damaged in the state: run `pulumi up --replace` with its URN") from None


class Kubeadm(pulumi.ComponentResource):
    """The cluster of all nodes of a stack."""

    kubeconfig: pulumi.Output[str]
    """The administrator's kubeconfig, from the first control plane; secret."""
    api_server: pulumi.Resource
    """Done when the first control plane has made the cluster, or is upgraded: the API server runs."""

    def __init__(
        self,
        name: str,
        bootstrap: Bootstrap,
        credentials: Credentials,
        encryption_keys: pulumi.Output[str],
        set_up: Sequence[pulumi.Resource],
        *,
        ca_key: pulumi.Output[str] | None,
        backup_key: pulumi.Output[str] | None = None,
        provider: command.Provider,
        private_key: pulumi.Output[str],
        upgrades: Upgrades | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`set_up`: the setup of each node of `bootstrap`, in the same order. A node is set up before it joins.

        `ca_key`: None in a configuration that does not have it any more. `backup_key`: of the bucket for snapshots.
        """
        about = {"endpoint": endpoint(bootstrap), "kubernetesVersion": bootstrap.cluster.kubernetes_version}
        super().__init__(token("Kubeadm"), name, about, opts)
        admission = Admission(bootstrap, credentials, ca_key, private_key)
        tuned = {node.name: made for node, made in zip(bootstrap.nodes, set_up, strict=True)}

        def member(
            node: NodeSpec,
            after: Sequence[pulumi.Resource],
            upgraded_after: Sequence[pulumi.Resource],
            kept_after: Sequence[pulumi.Resource],
        ) -> Member:
            return Member(
                node,
                bootstrap,
                provider=provider,
                admission=admission,
                encryption_keys=encryption_keys,
                private_key=private_key,
                tuned=tuned[node.name],
                after=after,
                upgraded_after=upgraded_after,
                kept_after=kept_after,
                upgrades=upgrades or Upgrades(),
                opts=pulumi.ResourceOptions(parent=self),
            )

        first, *others = bootstrap.control_planes
        maker = member(first, (), (), ())
        self.api_server = maker.upgraded
        # One after the other: etcd takes a new voter only while the ones it has agree (kubernetes/kubeadm #1793).
        control_planes = [maker]
        for node in others:
            before = control_planes[-1]
            control_planes.append(member(node, [maker.kept, before.joined], [before.kept], [before.kept]))
        encrypted = [resource for made in control_planes for resource in (*made.encrypted, made.kept)]
        maker.encrypt_again(bootstrap, first, encryption_keys, encrypted)
        last = control_planes[-1].kept
        for node in bootstrap.workers:  # they join at once, and are drained one after the other
            last = member(node, [maker.kept], [last], [maker.kept]).upgraded
        if (backup := bootstrap.cluster.backup) and backup_key is not None:
            for node, made in zip(bootstrap.control_planes, control_planes, strict=True):
                Backup(
                    node,
                    bootstrap,
                    backup,
                    access_key=backup_key,
                    provider=provider,
                    private_key=private_key,
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[made.kept]),
                )
        self.kubeconfig = maker.read_kubeconfig(credentials.kubeconfig_password)
        self.register_outputs({**about, "kubeconfig": self.kubeconfig})


class DestroyProtection(pulumi.ComponentResource):
    """Refuses `pulumi destroy` before the first deletion.

    The engine deletes a resource before what it depends on, and meets `protect` only when it comes to the resource.
    The memberships of control planes come last: everything else would be gone by then.
    """

    def __init__(self, name: str, *, depends_on: Sequence[pulumi.Resource]) -> None:
        """`depends_on`: every other resource of the stack."""
        # To the SDK a component stands for what it contains: one that contains nothing would be no dependency.
        itself = [resource.urn.apply(DependencyResource) for resource in depends_on]
        super().__init__(
            token("DestroyProtection"),
            name,
            None,
            pulumi.ResourceOptions(depends_on=[*depends_on, *itself], protect=True),
        )
        self.register_outputs({})
