"""Network policies of the platform's own namespaces, for pods whose needs are known. Pure.

Kubelets' probes come from the pod's own node, which every network plug-in lets through.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from components.core.manifests import Manifest, manifest

DENY_INGRESS = "default-deny"


def deny_ingress(namespace: str) -> Manifest:
    """No pod of the namespace is called, unless another policy lets somebody in."""
    return _policy(DENY_INGRESS, namespace, {}, "Ingress", [])


def ingress(
    name: str, namespace: str, pods: Mapping[str, str], ports: Sequence[int], *, peer: Mapping[str, Any] | None = None
) -> Manifest:
    """Who may call these pods at these TCP ports; without `peer`, everybody."""
    rule: dict[str, Any] = {"from": [dict(peer)]} if peer else {}
    return _policy(name, namespace, pods, "Ingress", [{**rule, "ports": tcp(*ports)}])


def egress(name: str, namespace: str, pods: Mapping[str, str], rules: Sequence[dict[str, Any]]) -> Manifest:
    """What these pods may call, besides their own node."""
    return _policy(name, namespace, pods, "Egress", list(rules))


def to_api_server(name: str, namespace: str, pods: Mapping[str, str], ports: Sequence[int]) -> Manifest:
    """Cilium's policy for calls of the API server: it is on nodes, which selectors and CIDRs never match there."""
    listed = [{"port": str(port), "protocol": "TCP"} for port in ports]
    rule = {"toEntities": ["kube-apiserver"], "toPorts": [{"ports": listed}]}
    spec = {"endpointSelector": {"matchLabels": dict(pods)}, "egress": [rule]}
    return manifest("cilium.io/v2", "CiliumNetworkPolicy", name, namespace=namespace, spec=spec)


def tcp(*ports: int) -> list[dict[str, Any]]:
    """TCP ports as a NetworkPolicy lists them."""
    return [{"protocol": "TCP", "port": port} for port in ports]


def _policy(name: str, namespace: str, pods: Mapping[str, str], kind: str, rules: list[dict[str, Any]]) -> Manifest:
    selected: dict[str, Any] = {"matchLabels": dict(pods)} if pods else {}
    spec = {"podSelector": selected, "policyTypes": [kind], **({kind.lower(): rules} if rules else {})}
    return manifest("networking.k8s.io/v1", "NetworkPolicy", name, namespace=namespace, spec=spec)
