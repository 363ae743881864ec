"""Which namespaces are the platform's, and which are tenants'. Pure."""

from collections.abc import Iterable

PLATFORM_NAMESPACES = frozenset(
    {
        "calico-apiserver",
        "calico-system",
        "cert-manager",
        "cilium-secrets",
        "default",
        "gateway-system",
        "kube-node-lease",
        "kube-public",
        "kube-system",
        "metallb-system",
        "monitoring-system",
        "node-exporter",
        "tigera-operator",
    }
)
"""Kubernetes' own and this platform's. Any other namespace counts as a tenant's, so that one that is in no list is
checked too."""

UNCLAIMED_NAMESPACES = frozenset({"default", "kube-node-lease", "kube-public"})
"""Those of them that have no owner: a manifest without a namespace goes to `default`."""


def is_tenant_namespace(namespace: str, *, platform: Iterable[str] = ()) -> bool:
    """Whether a namespace counts as a tenant's."""
    return namespace not in PLATFORM_NAMESPACES and namespace not in set(platform)
