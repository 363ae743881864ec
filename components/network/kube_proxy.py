"""kube-proxy's configuration where it carries Services, and what to know before choosing a mode."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.core.finding import Finding
from components.core.types import ServiceProxy
from components.core.versions import matches
from components.network.kind import KubeProxyMode

IPVS_DEPRECATED = ">=1.35"
"""KEP-5495: deprecated in 1.35, behind a feature gate since 1.37, whose default is to go off in 1.40."""
NFTABLES_STABLE = ">=1.33"
"""KEP-3866: the nftables mode is alpha in 1.29, beta in 1.31, stable in 1.33."""


def kube_proxy_configuration(mode: KubeProxyMode, conntrack: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The KubeProxyConfiguration that kubeadm is given. `conntrack`: what its defaults would take back on nodes."""
    configuration: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": mode,
    }
    if mode == "ipvs":
        # Every service address is on every node's kube-ipvs0: without strictARP all of them answer ARP for it,
        # and MetalLB's layer-2 announcement is one voice among many (MetalLB's own installation page).
        configuration["ipvs"] = {"scheduler": "rr", "strictARP": True}
    if conntrack:
        configuration["conntrack"] = dict(conntrack)
    return configuration


def kube_proxy_advice(proxy: ServiceProxy, kubernetes_version: str) -> Iterator[Finding]:
    """What an operator should know of the mode on this Kubernetes."""
    if proxy == "ipvs" and matches(kubernetes_version, IPVS_DEPRECATED):
        said = f"kube-proxy's IPVS mode is deprecated since Kubernetes 1.35, and this is {kubernetes_version}"
        yield _advice(proxy, said, "write nftables, which does the same in constant time, or ebpf without kube-proxy")
    elif proxy == "ipvs" and matches(kubernetes_version, NFTABLES_STABLE):
        said = "kube-proxy's IPVS mode is deprecated from Kubernetes 1.35 on"
        yield _advice(proxy, said, "write nftables, which is stable since 1.33 and does the same in constant time")
    elif proxy == "nftables" and not matches(kubernetes_version, NFTABLES_STABLE):
        said = f"it is stable since Kubernetes 1.33, and this is {kubernetes_version}"
        yield _advice(proxy, said, "write iptables, or a Kubernetes of 1.33 or newer")


def others_kube_proxy_advice(proxy: ServiceProxy) -> Iterator[Finding]:
    """What to set in the kube-proxy of a cluster that the platform did not make: it does not change that one."""
    if proxy == "ipvs":
        said = "the platform does not configure kube-proxy of an existing cluster, and layer-2 pools need strictARP"
        yield _advice(proxy, said, "write ipvs.strictARP: true to kube-proxy's ConfigMap in kube-system and restart it")


def _advice(proxy: ServiceProxy, said: str, remedy: str) -> Finding:
    return Finding("advice", "cni.serviceProxy", f"serviceProxy {proxy}: {said}", remedy, advice=True)
