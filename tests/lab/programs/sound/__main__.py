"""A small program of somebody else's in which nothing is wrong."""

import pulumi
from pulumi_command import remote
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ConfigMapPatch, LimitRange, Namespace, ResourceQuota, Service
from pulumi_kubernetes.networking.v1 import NetworkPolicy


class Server(pulumi.ComponentResource):
    """Somebody's own component for a rented server."""

    def __init__(self, name: str, address: str) -> None:
        super().__init__("agency:index:Server", name, {"address": address, "country": "NO"})
        remote.Command(
            f"{name}-hello",
            connection=remote.ConnectionArgs(host=address, user="root", host_key="ssh-ed25519 AAAA"),
            create="hostname",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"country": "NO"})


Server("osl-1", "192.0.2.11")
ConfigMapPatch(
    "cilium-config",
    metadata={
        "name": "cilium-config",
        "namespace": "kube-system",
        "annotations": {"pulumi.com/patchForce": "true"},
    },
    data={"routing-mode": "tunnel", "tunnel-protocol": "vxlan", "mtu": "1500"},
)
CustomResource(
    "spare",
    api_version="metallb.io/v1beta1",
    kind="IPAddressPool",
    metadata={"name": "spare", "namespace": "metallb-system"},
    spec={"addresses": ["192.0.2.240-192.0.2.250"]},
)
namespace = Namespace(
    "agency",
    metadata={
        "name": "agency",
        "labels": {"vds-platform.no/tenant": "agency", "pod-security.kubernetes.io/enforce": "restricted"},
    },
)
name = namespace.metadata["name"]
NetworkPolicy(
    "deny",
    metadata={"name": "deny", "namespace": name},
    spec={"pod_selector": {}, "policy_types": ["Ingress", "Egress"]},
)
# What a tenant's namespace has beside the policy that denies everything.
NetworkPolicy(
    "dns",
    metadata={"name": "dns", "namespace": name},
    spec={
        "pod_selector": {},
        "policy_types": ["Egress"],
        "egress": [
            {
                "to": [{"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "kube-system"}}}],
                "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
            }
        ],
    },
)
ResourceQuota("quota", metadata={"name": "quota", "namespace": name}, spec={"hard": {"pods": "20"}})
LimitRange(
    "limits",
    metadata={"name": "limits", "namespace": name},
    spec={"limits": [{"type": "Container", "default": {"memory": "128Mi"}}]},
)
Service("web", metadata={"name": "web", "namespace": name}, spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
