"""Calico by its operator."""

from ipaddress import IPv4Address
from typing import ClassVar, Literal

from pydantic import Field

from components.core.model import Spec
from components.core.types import AsNumber, DnsLabel, DnsName, Mtu, Network, ServiceProxy, Version
from components.core.versions import matches
from components.network.compatibility.matrix import Combination, Feature, Part
from components.network.kind import CniSpec, Helm, MtuField, Ports, Requirements
from components.network.mtu import IPIP_OVERHEAD, VXLAN_OVERHEAD, WIREGUARD_OVERHEAD_IPV4

CRD_CHART = "crd.projectcalico.org.v1"
"""The chart of Calico's CRDs and of its operator's."""
CRDS_APART = ">=3.32"
"""README of charts/tigera-operator, 3.32: the operator's chart has no CRDs; they are installed before it."""


class CalicoHelm(Helm):
    """Calico's operator, from the tigera-operator chart."""

    repository: str = Field(default="https://docs.tigera.io/calico/charts", pattern=r"^(https|oci)://\S+$")
    """Chart repository, or a mirror of it."""


class CalicoPeer(Spec):
    """A router that nodes tell routes to."""

    name: DnsLabel
    """Its name among the peers."""
    address: IPv4Address
    """Its address, as the nodes reach it."""
    as_number: AsNumber
    """Its AS number."""
    node_selector: str = Field(default="all()", min_length=1)
    """In Calico's own language: `all()`, `rack == 'a'`."""
    password_secret: DnsName | None = None
    """A Secret in calico-system whose key `password` holds the session's MD5 password."""


class CalicoBgp(Spec):
    """What differs from a full mesh of nodes in one private AS."""

    as_number: AsNumber = 64512
    """The cluster's; 64512 is Calico's default, of RFC 6996's private range."""
    node_mesh: bool = True
    """Every node tells every other one. Off where route reflectors or routers do it, as on more than 100 nodes."""
    service_networks: tuple[Network, ...] = ()
    """Networks of LoadBalancer addresses that nodes announce; MetalLB must then announce none of them."""
    peers: tuple[CalicoPeer, ...] = ()


class Calico(CniSpec):
    """Calico, installed by its operator."""

    kind: Literal["calico"]
    version: Version
    """Version of Calico. The chart's version is the same with a v."""
    install: CalicoHelm
    encapsulation: Literal["None", "VXLAN", "VXLANCrossSubnet", "IPIP", "IPIPCrossSubnet"] = "VXLAN"
    """Encapsulation of pods' packets between nodes. `CrossSubnet`: only between subnets."""
    dataplane: Literal["Iptables", "Nftables", "BPF"] = "Iptables"
    """What forwards Services and enforces policies: kube-proxy and Felix's rules, or Calico's BPF programs."""
    bgp: bool = False
    """Routes to other nodes' pods by BGP. Required for encapsulation `None` and IPIP."""
    bgp_peering: CalicoBgp | None = None
    """BGP peers besides the nodes. Needs `bgp: true`."""
    encryption: Literal["none", "wireguard"] = "none"
    """WireGuard encryption between nodes."""
    external_services: Literal["snat", "dsr"] = "snat"
    """How answers reach a client outside: `snat`, through the node that got the request; `dsr`, directly from the pod's
    node. `dsr` needs `dataplane: BPF`."""
    kube_proxy: Literal["iptables", "ipvs"] = "iptables"
    """Mode of kube-proxy with `dataplane: Iptables`. Other data planes allow no choice."""
    pod_mtu: Mtu | None = None
    """The pod MTU that you expect. It is refused if the computed value differs."""

    mtu_field: ClassVar[MtuField] = "calicoNetwork.mtu"

    @property
    def service_proxy(self) -> ServiceProxy:
        """Who carries Services: Calico's own programs, or kube-proxy beside it."""
        if self.dataplane == "BPF":
            return "ebpf"
        return "nftables" if self.dataplane == "Nftables" else self.kube_proxy

    @property
    def chart(self) -> tuple[str, str]:
        return "tigera-operator", f"v{self.version}"  # the project tags its charts with a v

    @property
    def crd_chart(self) -> tuple[str, str] | None:
        return (CRD_CHART, f"v{self.version}") if matches(self.version, CRDS_APART) else None

    def overheads(self) -> dict[str, int]:
        """One of them, the largest: packets between nodes go by WireGuard or by the tunnel, never by one in the other.

        Calico's page on MTU, eBPF mode: whatever the encapsulation, a node hands a Service's packets to another by
        VXLAN, and pods get the network's MTU less 50.
        """
        wrapped = {}
        if self.encapsulation.startswith("VXLAN"):
            wrapped["VXLAN"] = VXLAN_OVERHEAD
        elif self.dataplane == "BPF":
            wrapped["VXLAN, in which the BPF data plane hands on node ports"] = VXLAN_OVERHEAD
        if self.encapsulation.startswith("IPIP"):
            wrapped["IPIP"] = IPIP_OVERHEAD
        if self.encryption == "wireguard":
            wrapped["WireGuard"] = WIREGUARD_OVERHEAD_IPV4
        largest = max(wrapped, key=wrapped.__getitem__, default="")
        return {largest: wrapped[largest]} if largest else {}

    def requirements(self) -> Requirements:
        """Ports are of Calico's system requirements; sources of its page on overlays: of the CrossSubnet kinds, packets
        to a node of the same subnet go unencapsulated."""
        tcp: Ports = ((5473, "Calico's Typha"),)
        if self.bgp:
            tcp = ((179, "Calico's BGP"), *tcp)
        udp: Ports = ()
        if self.encapsulation.startswith("VXLAN"):
            udp = ((4789, "Calico's VXLAN"),)
        elif self.dataplane == "BPF":  # Calico's page on eBPF: the fabric must let VXLAN through, whatever carries pods
            udp = ((4789, "Calico's BPF data plane, for node ports"),)
        if self.encryption == "wireguard":
            udp = (*udp, (51820, "Calico's WireGuard"))
        plain = f"Calico with encapsulation: {self.encapsulation}"
        routed = self.encapsulation != "None" or (self.bgp_peering and self.bgp_peering.peers)
        segment = "" if routed else f"{plain} and no router among bgpPeering.peers"
        sources = "" if self.encapsulation in ("VXLAN", "IPIP") else plain
        return Requirements(tcp, udp, segment, "DSR" if self.external_services == "dsr" else sources)

    def combination(self) -> Combination:
        nftables = {Feature.CALICO_NFTABLES, Feature.PROXY_NFTABLES}
        features: set[Feature] = nftables if self.dataplane == "Nftables" else set()
        return Combination({Part.CALICO: self.version}, frozenset(features))

    def summary(self) -> str:
        routes = "BGP" if self.bgp else "no BGP"
        more = ", WireGuard" if self.encryption == "wireguard" else ""
        more += ", DSR" if self.external_services == "dsr" else ""
        more += f", kube-proxy with {self.kube_proxy}" if self.service_proxy == "ipvs" else ""
        return f"Calico {self.version}: encapsulation {self.encapsulation}, {self.dataplane} data plane, {routes}{more}"
