"""The stack file's `metallb`: addresses for Services of type LoadBalancer, and how they are announced."""

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from components.core.labels import EDGE
from components.core.model import Spec
from components.core.types import AsNumber, DnsLabel, DnsName, Version
from components.images.model import ImageMirror
from components.pools.addresses import Block

# --- who installs it -------------------------------------------------------------------------------------


class Helm(Spec):
    """MetalLB, from its own Helm chart."""

    kind: Literal["helm"]
    version: Version
    """Version of the chart, which is MetalLB's version."""
    repository: str = Field(default="https://metallb.github.io/metallb", pattern=r"^(https|oci)://\S+$")
    """Chart repository, or a mirror of it."""
    timeout_seconds: int = Field(default=600, ge=60, le=3600)
    """Time limit of the installation. After that the update fails, and names what does not run."""
    values: dict[str, Any] = Field(default_factory=dict)
    """More values for the chart. Keys that the platform sets are refused."""


class Existing(Spec):
    """Somebody else runs MetalLB. The platform makes only pools and advertisements."""

    kind: Literal["existing"]


class ByCilium(Spec):
    """Cilium instead of MetalLB: LB-IPAM assigns addresses of the same pools, announced on layer 2 or by BGP."""

    kind: Literal["cilium"]


# --- how addresses are announced ------------------------------------------------------------------------


class NodeSelector(Spec):
    """Nodes that have all of these labels."""

    match_labels: dict[str, str] = Field(min_length=1)
    """Labels of the nodes, with their values."""


class L2(Spec):
    """Layer 2: one node answers ARP or NDP for an address. No router is needed. One node's uplink carries all traffic.

    Usually not possible in rented networks that emulate ARP; see MetalLB's page on clouds.
    """

    kind: Literal["l2"]
    interfaces: tuple[str, ...] = ()
    """Interfaces that answer. Default: all."""
    node_selectors: tuple[NodeSelector, ...] = ()
    """Nodes that may answer: those that match one of the selectors. Default: those with the profile `edge`, where the
    gateway's pods are; all nodes if none has it."""

    def answering(self, *, edge: bool) -> "tuple[NodeSelector, ...]":
        """The selectors, or the default; empty for all nodes. `edge`: whether nodes have that profile."""
        return self.node_selectors or ((NodeSelector(match_labels={EDGE: "true"}),) if edge else ())


class Bgp(Spec):
    """BGP: every selected node announces addresses to its routers. The provider must peer with you."""

    kind: Literal["bgp"]
    peers: tuple[DnsLabel, ...] = Field(min_length=1)
    """Names in `metallb.peers`."""
    aggregation_length: int = Field(default=32, ge=8, le=32)
    """Prefix length of the announced IPv4 routes. 32 is one route for each address."""
    node_selectors: tuple[NodeSelector, ...] = ()


Advertisement = Annotated[L2 | Bgp, Field(discriminator="kind")]


class Peer(Spec):
    """A router that hears the announcements."""

    name: DnsLabel
    """Its name in `peers` of pools."""
    address: IPv4Address | IPv6Address
    """Its address, as the nodes reach it."""
    peer_asn: AsNumber
    """Its AS number."""
    my_asn: AsNumber
    """The cluster's AS number."""
    hold_seconds: int = Field(default=90, ge=3, le=65535)
    """Hold time of the BGP session; RFC 4271 requires 3 or more."""
    multihop: bool = False
    """True if the router is not in the nodes' segment. Only for eBGP."""
    password_secret: DnsName | None = None
    """Name of a Secret of type kubernetes.io/basic-auth with the session's MD5 password. It must be in MetalLB's
    namespace, or in kube-system if Cilium owns the pools."""


class Pool(Spec):
    """Addresses for Services, with one kind of announcement."""

    name: DnsLabel
    """Its name; a Service may ask for it."""
    addresses: tuple[Block, ...] = Field(min_length=1)
    """Ranges and networks, as in 192.0.2.200-192.0.2.220 or 192.0.2.192/27."""
    advertisement: Advertisement
    auto_assign: bool = True
    """False: only Services that request this pool get an address from it."""


class MetalLbContext(NamedTuple):
    """Facts from other parts of the stack file that the installation needs."""

    from_control_planes: bool = False
    """Whether control planes run pods, so they may have to announce addresses."""
    images: ImageMirror | None = None
    """The mirror for images, if there is one."""
    edge: bool = False
    """Whether nodes have the profile `edge`. Then only they answer for addresses on layer 2."""
    on_cilium: bool = False
    """Whether this stack installs Cilium as its network, whose policies can name the API server."""
    api_ports: tuple[int, ...] = (6443,)
    """TCP ports of the API server, as pods reach it."""


class MetalLbSpec(Spec):
    """The stack file's `metallb`."""

    install: Annotated[Helm | Existing | ByCilium, Field(discriminator="kind")]
    """The owner of all addresses."""
    pools: tuple[Pool, ...] = Field(min_length=1)
    peers: tuple[Peer, ...] = ()

    @property
    def announces_by_arp(self) -> bool:
        """Whether a pool is announced on layer 2."""
        return any(isinstance(pool.advertisement, L2) for pool in self.pools)

    @property
    def tcp_ports(self) -> tuple[tuple[int, str], ...]:
        """TCP ports between nodes: speakers use memberlist to see which of them are alive."""
        if self.install.kind == "cilium":  # its agents agree through leases in the API
            return ()
        return ((7946, "MetalLB's speakers"),) if self.announces_by_arp else ()

    @property
    def udp_ports(self) -> tuple[tuple[int, str], ...]:
        """UDP ports between nodes."""
        return self.tcp_ports
