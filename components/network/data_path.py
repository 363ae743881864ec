"""A data path in an operator's words, for exports and reports."""

from typing import Literal

from components.network.model import AnyCni, Calico, Cilium, CiliumNative
from components.network.unmanaged import Flannel, Unmanaged

_ROUTES = {"same-l2": "routes set by each agent", "provider": "routes by the provider", "bgp": "routes by BGP"}


def data_path(cni: AnyCni) -> str:
    """As in `Cilium 1.18.2: VXLAN tunnel, SNAT, kube-proxy replaced by eBPF`."""
    if isinstance(cni, Calico):
        routes = "BGP" if cni.bgp else "no BGP"
        more = ", WireGuard" if cni.encryption == "wireguard" else ""
        more += ", DSR" if cni.external_services == "dsr" else ""
        more += f", kube-proxy with {cni.kube_proxy}" if cni.service_proxy == "ipvs" else ""
        return f"Calico {cni.version}: encapsulation {cni.encapsulation}, {cni.dataplane} data plane, {routes}{more}"
    if isinstance(cni, Flannel):
        version = f" {cni.version}" if cni.version else ""
        return f"Flannel{version} (legacy): {cni.backend}, kube-proxy with {cni.service_proxy}, no policies"
    if isinstance(cni, Unmanaged):
        layers = " in ".join(cni.layers) or "no encapsulation"
        proxy = "kube-proxy replaced by eBPF" if cni.service_proxy == "ebpf" else f"kube-proxy with {cni.service_proxy}"
        policies = "policies" if cni.network_policies else "no policies"
        return f"{cni.name}, installed by somebody else: {layers}, {proxy}, {policies}"
    parts = [_routing(cni), cni.load_balancing.mode.upper()]
    if cni.encryption != "none":
        parts.append("WireGuard" if cni.encryption == "wireguard" else "IPsec")
    parts.append(
        "kube-proxy replaced by eBPF" if cni.service_proxy == "ebpf" else f"kube-proxy with {cni.service_proxy}"
    )
    return f"Cilium {cni.version}: {', '.join(parts)}"


def _routing(cni: Cilium) -> str:
    if isinstance(cni, CiliumNative):
        return f"native routing in {cni.routing.native_cidr} ({_ROUTES[cni.routing.routes]})"
    return "VXLAN tunnel" if cni.routing.protocol == "vxlan" else "Geneve tunnel"


Source = Literal["client", "node", "node's router"]


def source_at_pod(cni: Cilium, *, local: bool) -> Source:
    """Whose address a pod behind a LoadBalancer address sees, over TCP and with Cilium carrying Services.

    `local`: the node that the packet reached has the pod, and the client is seen. Otherwise DSR, which `hybrid` is for
    TCP, keeps the client's address, and SNAT puts the node's in its place: with a tunnel not the one that the node is
    known by but its router's, of its own part of the pod network (seen with 1.18.2; a NetworkPolicy that lets nodes in
    by their addresses does not let these in).
    """
    if local or cni.load_balancing.mode != "snat":
        return "client"
    return "node" if isinstance(cni, CiliumNative) else "node's router"
