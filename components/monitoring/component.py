"""Prometheus, Alertmanager and node-exporter in the cluster, and the timer on every node."""

import base64
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_command as command
import pulumi_kubernetes as kubernetes
from pulumi_command import remote

from components.apply import apply
from components.core.manifests import Manifest, manifest
from components.core.names import MONITORING_SYSTEM, child, token
from components.core.shell import as_root
from components.monitoring.facts import command as run
from components.monitoring.model import MonitoringContext, MonitoringSpec
from components.monitoring.render import TOKEN_SECRET, monitoring_manifests
from components.nodes.model import NodeSpec, SshSpec
from components.nodes.remote import connection


class Monitoring(pulumi.ComponentResource):
    """What collects in the cluster. The residency policies judge where alarms go."""

    def __init__(
        self,
        name: str,
        spec: MonitoringSpec,
        context: MonitoringContext,
        *,
        alert_token: pulumi.Output[str] | None,
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        """`depends_on`: the namespaces in which Prometheus may read pods, and the network that its pods need."""
        receiver = spec.receiver
        outside = [] if receiver is None or receiver.inside else [{"host": receiver.host, "purpose": "telemetry"}]
        about: dict[str, Any] = {"destinations": outside}
        super().__init__(token("Monitoring"), name, about)
        before, namespaces = list(depends_on), list[pulumi.Resource]()
        made: list[pulumi.Resource] = []
        given = receiver is not None and alert_token is not None
        for item in monitoring_manifests(spec, context, token=given):
            # Namespaces and what pods need come first; pods then start side by side.
            needs = before if item["kind"] == "Namespace" else [*namespaces, *made]
            data = item["kind"] == "PersistentVolumeClaim" or None
            options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=needs, protect=data)
            resource = apply(child(name, *_role(item)), item, options)
            if item["kind"] == "Namespace":
                namespaces.append(resource)
            elif item["kind"] not in ("DaemonSet", "Deployment", "StatefulSet", "Service"):
                made.append(resource)
            if (
                given
                and alert_token is not None
                and item["kind"] == "Namespace"
                and _role(item)[1] == MONITORING_SYSTEM
            ):
                secret = _token_secret(alert_token)
                after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[resource])
                made.append(apply(child(name, "token"), secret, after))
        self.register_outputs(about)


class NodeFacts(pulumi.ComponentResource):
    """The timer that measures one node."""

    def __init__(
        self,
        node: NodeSpec,
        program: str,
        *,
        setup: pulumi.Resource,
        ssh: SshSpec,
        provider: command.Provider,
        private_key: pulumi.Input[str],
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        """`program`: of `facts.agent_program`. `setup`: of the node, whose settings it compares. `depends_on`: the
        cluster, whose DNS it asks.
        """
        about: dict[str, Any] = {
            "address": str(node.address),
            "country": node.country,
            "provider": node.provider.name,
            "providerCountry": node.provider.country,
            "hostKey": node.host_key,
            "destinations": [],  # it asks nodes and the cluster
        }
        name = child(node.name, "facts")
        super().__init__(token("NodeFacts"), name, about)
        remote.Command(
            child(name, "timer"),
            connection=connection(node, ssh, private_key),
            create=as_root(run("install"), ssh.user),
            delete=as_root(run("remove"), ssh.user),
            stdin=program,
            add_previous_output_in_env=False,
            logging=remote.Logging.NONE,
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=provider,
                depends_on=[setup, *depends_on],
                # A node that leaves may not answer any more. Its timer ends by itself.
                deleted_with=setup,
            ),
        )
        self.register_outputs(about)


def _role(item: Manifest) -> tuple[str, str]:
    metadata = item["metadata"]
    place = metadata.get("namespace", "")
    own = metadata["name"]
    return item["kind"].lower(), f"{own}-{place}" if place not in ("", MONITORING_SYSTEM) else own


def _token_secret(given: pulumi.Output[str]) -> Manifest:
    """The Secret, whose data is a secret output."""
    made = manifest("v1", "Secret", TOKEN_SECRET, namespace=MONITORING_SYSTEM, type="Opaque")
    return {**made, "data": given.apply(lambda text: {"token": base64.b64encode(text.strip().encode()).decode()})}
