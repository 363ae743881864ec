"""What an environment publishes in its cluster for registrations, so that they need neither its state nor its secrets.

Pure.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from components.core.manifests import Manifest, manifest
from components.core.model import Spec
from components.core.names import KUBE_SYSTEM
from components.core.types import DnsLabel, EnvironmentName, HostName, Mtu, Network, Port

ENVIRONMENT = "vds-platform-environment"
"""Name of the ConfigMap, in kube-system."""


class PublishedListener(Spec):
    """A listener for HTTPS of the environment's gateway."""

    name: DnsLabel
    port: Port
    hostname: HostName | None = None
    """None: every host."""
    tenant: DnsLabel | None = None
    """The only tenant whose routes it takes; None: all tenants."""


class PublishedGateway(Spec):
    """The gateway that tenants' routes attach to."""

    namespace: DnsLabel
    name: DnsLabel
    data_plane_namespace: DnsLabel | None = None
    """Namespace of the pods that send requests to tenants; None if Cilium's Envoy does."""
    address: str = ""
    """Its address; empty until it has one."""
    listeners: tuple[PublishedListener, ...]


class Versions(Spec):
    """Versions of what tenants use; None where the environment's stack file does not say it."""

    kubernetes: str | None = None
    cni: str | None = None
    gateway_api: str | None = None


class ClaimedHost(Spec):
    """A host name that a tenant of the environment's stack file has."""

    hostname: HostName
    tenant: DnsLabel


class Environment(Spec):
    """The facts of an environment that registrations and contracts need."""

    environment: EnvironmentName
    gateway: PublishedGateway
    canary_ceiling_percent: int = Field(ge=1, le=100)
    """The largest ceiling that a registration may have."""
    mtu: Mtu
    """Of the pods, in bytes."""
    cni: str
    """Its kind: cilium, calico, flannel, …"""
    dns_names: bool = True
    """Of Cilium: its agents are a proxy for DNS, so that policies may name hosts. Without the L7 proxy they are none
    and refuse such a policy as a whole (pkg/policy/api/rule_validation.go)."""
    admin_tier: bool = False
    """The cluster serves ClusterNetworkPolicy and its CNI enforces it. Cilium and Calico have policies of their own."""
    countries: tuple[str, ...]
    """Allowed countries."""
    versions: Versions = Versions()
    pod_networks: tuple[Network, ...]
    service_networks: tuple[Network, ...]
    node_networks: tuple[Network, ...]
    api_server: str
    """Host of the API server."""
    api_ports: tuple[Port, ...] = (6443,)
    namespaces: tuple[DnsLabel, ...] = ()
    """Namespaces that are the environment's own, or of tenants of its stack file."""
    tenants: tuple[DnsLabel, ...] = ()
    """Tenants of its stack file."""
    hosts: tuple[ClaimedHost, ...] = ()
    """Their host names."""


def environment_manifest(environment: Mapping[str, Any], residency: Mapping[str, Any]) -> Manifest:
    """The ConfigMap with the facts and the residency record, each as JSON. Both are mappings as the models dump them:
    a component completes them with values that only the cluster knows."""
    data = {
        "environment": json.dumps(environment, sort_keys=True),
        "residency": json.dumps(residency, sort_keys=True, ensure_ascii=False),
    }
    return manifest("v1", "ConfigMap", ENVIRONMENT, namespace=KUBE_SYSTEM, data=data)
