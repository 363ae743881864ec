"""A hand on a running Cilium, by force: the number that is right for pods, where the link's belongs."""

from pulumi_kubernetes.core.v1 import ConfigMapPatch

ConfigMapPatch(
    "cilium-config",
    metadata={
        "name": "cilium-config",
        "namespace": "kube-system",
        "annotations": {"pulumi.com/patchForce": "true"},
    },
    data={"routing-mode": "tunnel", "tunnel-protocol": "vxlan", "mtu": "1450"},
)
