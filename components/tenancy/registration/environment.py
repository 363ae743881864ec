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
    """A listener of the environment's gateway that takes routes of tenants."""

    name: DnsLabel
    port: Port
    hostname: HostName | None = None
    """None: every host."""
    tenant: DnsLabel | None = None
    """The only tenant whose routes it takes; None: all tenants."""
    in_set: bool = False
    """It is in the ListenerSet of that tenant, and not in the Gateway."""


class PublishedGateway(Spec):
    """The gateway that tenants' routes attach to."""

    namespace: DnsLabel
    name: DnsLabel
    data_plane_namespace: DnsLabel | None = None
    """Namespace of the pods that send requests to tenants; None if Cilium's Envoy does."""
    address: str = ""
    """Its address; empty until it has one."""
    listeners: tuple[PublishedListener, ...]
    streams: bool = True
    """It sends requests and answers on while they arrive. It does not if `gateway.limits.bodyMebibytes` is set."""
    counts_requests: bool = True
    """It counts requests by backend, for canaries with steps. Only the Traefik that the platform installs does."""


class Versions(Spec):
    """Versions of what tenants use; None where the environment's stack file does not say it."""

    kubernetes: str | None = None
    cni: str | None = None
    gateway_api: str | None = None


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
    enforces_policies: bool = True
    """It enforces NetworkPolicies. Without that, nothing keeps tenants apart."""
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
    """Namespaces of the environment's own."""


def environment_manifest(environment: Mapping[str, Any], residency: Mapping[str, Any]) -> Manifest:
    """The ConfigMap with the facts and the residency record, each as JSON. Both are mappings as the models dump them:
    a component completes them with values that only the cluster knows."""
    data = {
        "environment": json.dumps(environment, sort_keys=True),
        "residency": json.dumps(residency, sort_keys=True, ensure_ascii=False),
    }
    return manifest("v1", "ConfigMap", ENVIRONMENT, namespace=KUBE_SYSTEM, data=data)
