"""An agency's namespace that nobody can tell from any other."""

from pulumi_kubernetes.core.v1 import LimitRange, Namespace, ResourceQuota
from pulumi_kubernetes.networking.v1 import NetworkPolicy

namespace = Namespace(
    "agency", metadata={"name": "agency", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
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
