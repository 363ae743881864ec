"""What a data path needs of the nodes and of the network between them."""

from components.network.model import AnyCni, Calico, CiliumNative, DsrGeneve, DsrOption
from components.network.unmanaged import Flannel, Unmanaged

Needs = tuple[tuple[int, str], ...]
"""Ports with who needs them."""


def tcp_ports(cni: AnyCni) -> Needs:
    """TCP ports between nodes. Sources: Cilium's and Calico's system requirements."""
    if isinstance(cni, Calico):
        return ((179, "Calico's BGP"), (5473, "Calico's Typha")) if cni.bgp else ((5473, "Calico's Typha"),)
    if isinstance(cni, Flannel | Unmanaged):
        return ()
    return ((4240, "Cilium's health probes"),) if cni.health_probes else ()


def udp_ports(cni: AnyCni) -> Needs:
    """UDP ports between nodes."""
    if isinstance(cni, Calico):
        return _calico_udp(cni)
    if isinstance(cni, Flannel):
        return ((8472, "Flannel's VXLAN"),) if cni.backend == "vxlan" else ()
    if isinstance(cni, Unmanaged):
        return ()  # its ports are its own business
    needs = []
    if not isinstance(cni, CiliumNative):
        vxlan = cni.routing.protocol == "vxlan"
        needs.append((8472, "Cilium's VXLAN") if vxlan else (6081, "Cilium's Geneve"))
    elif isinstance(cni.load_balancing, DsrGeneve):
        needs.append((6081, "DSR with Geneve dispatch"))
    if cni.encryption == "wireguard":
        needs.append((51871, "Cilium's WireGuard"))
    return tuple(needs)


def _calico_udp(cni: Calico) -> Needs:
    vxlan: Needs = ()
    if cni.encapsulation.startswith("VXLAN"):
        vxlan = ((4789, "Calico's VXLAN"),)
    elif cni.dataplane == "BPF":  # Calico's page on eBPF: the fabric must let VXLAN through, whatever carries pods
        vxlan = ((4789, "Calico's BPF data plane, for node ports"),)
    return (*vxlan, (51820, "Calico's WireGuard")) if cni.encryption == "wireguard" else vxlan


def same_segment(cni: AnyCni) -> str:
    """Who needs the nodes on one layer-2 segment; empty for nobody."""
    if isinstance(cni, CiliumNative) and cni.routing.routes == "same-l2":
        return "native routing with routes: same-l2"
    if isinstance(cni, Flannel) and cni.backend == "host-gw":
        return "Flannel with backend: host-gw"
    if isinstance(cni, Calico) and cni.encapsulation == "None" and not (cni.bgp_peering and cni.bgp_peering.peers):
        return "Calico with encapsulation: None and no router among bgpPeering.peers"
    return ""


def foreign_sources(cni: AnyCni) -> str:
    """Who needs the network to carry packets whose source is not the sending node's; empty for nobody.

    Rented networks often filter them: pods' addresses with native routing, the service's address with DSR. Calico's
    page on overlays: of the CrossSubnet kinds, packets to a node of the same subnet go unencapsulated.
    """
    if isinstance(cni, Calico):
        if cni.external_services == "dsr":
            return "DSR"
        wrapped = cni.encapsulation in ("VXLAN", "IPIP")
        return "" if wrapped else f"Calico with encapsulation: {cni.encapsulation}"
    if isinstance(cni, Flannel):
        return "Flannel with backend: host-gw" if cni.backend == "host-gw" else ""
    if isinstance(cni, Unmanaged):
        return "" if cni.layers else f"{cni.name} without encapsulation"
    if isinstance(cni, CiliumNative):
        return "native routing"
    return "DSR" if isinstance(cni.load_balancing, DsrOption | DsrGeneve) else ""
