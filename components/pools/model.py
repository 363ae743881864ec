"""Which addresses Services of type LoadBalancer get, and how the network outside learns of them."""

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from components.core.model import Spec
from components.core.types import DnsLabel, DnsName, Version
from components.images.model import ImageMirror
from components.pools.addresses import Block

# --- who installs it -------------------------------------------------------------------------------------


class Helm(Spec):
    """MetalLB's own chart, by a Helm Release."""

    kind: Literal["helm"]
    version: Version
    """Of the chart, which has MetalLB's number."""
    repository: str = Field(default="https://metallb.github.io/metallb", pattern=r"^(https|oci)://\S+$")
    """Chart repository; a mirror where the public one can't be reached."""
    timeout_seconds: int = Field(default=600, ge=60, le=3600)
    """How long the roll-out may take before Helm rolls it back."""
    values: dict[str, Any] = Field(default_factory=dict)
    """More values for the chart, beside the platform's own: none of the keys that it sets itself."""


class Existing(Spec):
    """Somebody else runs it: only pools and advertisements are ours."""

    kind: Literal["existing"]


class ByCilium(Spec):
    """No MetalLB: Cilium hands out the same pools and announces them, by LB-IPAM with layer 2 or BGP."""

    kind: Literal["cilium"]


# --- how addresses are announced ------------------------------------------------------------------------


class NodeSelector(Spec):
    """Nodes by labels; all of them must match."""

    match_labels: dict[str, str] = Field(min_length=1)


class L2(Spec):
    """One node answers ARP (or NDP) for an address: no router needed, one node's uplink carries it.

    Usually impossible on rented networks that emulate ARP, as MetalLB's own page on clouds says.
    """

    kind: Literal["l2"]
    interfaces: tuple[str, ...] = ()
    """Interfaces to answer on; empty: all."""
    node_selectors: tuple[NodeSelector, ...] = ()
    """Nodes that may answer, any of the selectors; empty: all."""


class Bgp(Spec):
    """Every chosen node tells its routers: traffic is spread, and the provider must peer with you."""

    kind: Literal["bgp"]
    peers: tuple[DnsLabel, ...] = Field(min_length=1)
    """Names in `metallb.peers`."""
    aggregation_length: int = Field(default=32, ge=8, le=32)
    """Prefix length of the IPv4 routes announced: 32 is one route per address."""
    node_selectors: tuple[NodeSelector, ...] = ()


Advertisement = Annotated[L2 | Bgp, Field(discriminator="kind")]

AutonomousSystem = Annotated[int, Field(ge=1, le=4_294_967_295)]
"""An AS number, four bytes (RFC 6793)."""


class Peer(Spec):
    """A router that the speakers tell addresses to."""

    name: DnsLabel
    address: IPv4Address | IPv6Address
    peer_asn: AutonomousSystem
    my_asn: AutonomousSystem
    hold_seconds: int = Field(default=90, ge=3, le=65535)
    """Silence after which a session counts as dead; RFC 4271 wants 3 or more."""
    multihop: bool = False
    """The router is not on the nodes' segment. eBGP only."""
    password_secret: DnsName | None = None
    """Name of a Secret of type kubernetes.io/basic-auth with the session's MD5 password: in MetalLB's namespace, or
    in kube-system where Cilium owns the pools."""


class Pool(Spec):
    """Addresses to hand out, announced in one way."""

    name: DnsLabel
    addresses: tuple[Block, ...] = Field(min_length=1)
    advertisement: Advertisement
    auto_assign: bool = True
    """False: only a Service that asks for this pool gets an address from it."""


class Around(NamedTuple):
    """What else of a stack the owner of its addresses depends on."""

    cilium_version: str | None = None
    """The CNI's, whose operator makes the kinds where Cilium owns the pools."""
    from_control_planes: bool = False
    """Some of them run pods, and so may have to announce addresses."""
    images: ImageMirror | None = None
    """Where images come from, if not from their makers."""


class MetalLbSpec(Spec):
    """The stack file's `metallb`."""

    install: Annotated[Helm | Existing | ByCilium, Field(discriminator="kind")]
    """Who owns the addresses: exactly one."""
    pools: tuple[Pool, ...] = Field(min_length=1)
    peers: tuple[Peer, ...] = ()

    @property
    def announces_by_arp(self) -> bool:
        """Whether any pool is announced on the nodes' segment."""
        return any(isinstance(pool.advertisement, L2) for pool in self.pools)

    @property
    def tcp_ports(self) -> tuple[tuple[int, str], ...]:
        """TCP ports between nodes: speakers find out by memberlist which of them are alive."""
        if self.install.kind == "cilium":  # its agents agree through leases in the API
            return ()
        return ((7946, "MetalLB's speakers"),) if self.announces_by_arp else ()

    @property
    def udp_ports(self) -> tuple[tuple[int, str], ...]:
        """UDP ports between nodes."""
        return self.tcp_ports
