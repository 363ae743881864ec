"""The stack file's `metallb`: addresses for Services of type LoadBalancer, and how they are announced."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from components.core.labels import EDGE
from components.core.model import Spec
from components.core.types import (
    Address,
    AsNumber,
    DnsLabel,
    DnsName,
    LabelKey,
    LabelValue,
    RefusedError,
    Version,
    matching,
)
from components.images.model import ImageMirror
from components.pools.addresses import Block

_FRR_WEBHOOK = 19443
"""Port of one node (`frr-k8s-webhook-service` of the chart)."""

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
    load_balancer_class: LabelKey | None = None
    """Class of the Services that get addresses, as in `metallb.io/metallb`; the gateway's Service has it too. Default:
    Services without a class. Kubernetes refuses to change the class of a Service that exists."""
    values: dict[str, Any] = Field(default_factory=dict)
    """More values for the chart. Keys that the platform sets are refused."""


class Existing(Spec):
    """Somebody else runs MetalLB. The platform makes only pools and advertisements."""

    kind: Literal["existing"]


class ByCilium(Spec):
    """Cilium instead of MetalLB: LB-IPAM assigns addresses of the same pools, announced on layer 2 or by BGP."""

    kind: Literal["cilium"]


# --- how addresses are announced ------------------------------------------------------------------------


class Requirement(Spec):
    """A condition on one label of a node."""

    key: LabelKey
    """Name of the label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """As in Kubernetes' label selectors: a node without the label also meets NotIn and DoesNotExist."""
    values: tuple[LabelValue, ...] = ()
    """For In and NotIn."""

    @model_validator(mode="after")
    def _has_values(self) -> "Requirement":
        if self.operator in ("In", "NotIn") and not self.values:
            raise RefusedError(f"has no values, which {self.operator} needs", "write values", "values")
        if self.operator in ("Exists", "DoesNotExist") and self.values:
            raise RefusedError(f"has values, which {self.operator} does not take", "remove them", "values")
        return self

    def met_by(self, labels: Mapping[str, str]) -> bool:
        """Whether a node with these labels meets it."""
        if self.operator in ("Exists", "DoesNotExist"):
            return (self.key in labels) == (self.operator == "Exists")
        return (labels.get(self.key) in self.values) == (self.operator == "In")


class NodeSelector(Spec):
    """Nodes that meet all of these conditions."""

    match_labels: dict[str, str] = Field(default_factory=dict)
    """Labels of the nodes, with their values."""
    match_expressions: tuple[Requirement, ...] = ()
    """Conditions on labels."""

    @model_validator(mode="after")
    def _selects(self) -> "NodeSelector":
        if not self.match_labels and not self.match_expressions:
            raise RefusedError("has no condition", "write matchLabels or matchExpressions, or remove the selector")
        return self

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether it selects a node with these labels."""
        return self.match_labels.items() <= labels.items() and all(one.met_by(labels) for one in self.match_expressions)


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


def _community(value: str) -> str:
    parts = [int(part) for part in value.removeprefix("large:").split(":")]
    limit = 65_535 if len(parts) == 2 else 4_294_967_295
    if max(parts) > limit:
        raise RefusedError(f"has a number over {limit}", "write smaller numbers")
    return value


Community = Annotated[
    str,
    *matching(
        r"([0-9]{1,5}:[0-9]{1,5}|large:[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10})",
        "write two numbers, as in 64512:100, or a large community, as in large:64512:1:2",
        38,
        "64512:100",
    ),
    AfterValidator(_community),
]
"""A BGP community (RFC 1997), or a large one (RFC 8092)."""


class BgpRoute(Spec):
    """How an address of the pool is announced."""

    aggregation_length: int = Field(default=32, ge=8, le=32)
    """Prefix length of the announced IPv4 routes. 32 is one route for each address."""
    communities: tuple[Community, ...] = ()
    """Communities of the routes. What they mean is an agreement with the routers' owner."""
    local_preference: int | None = Field(default=None, ge=1, le=4_294_967_295)
    """LOCAL_PREF: routers of the same AS prefer the route with the larger value. Only for iBGP (RFC 4271, 5.1.5)."""


class Bgp(Spec):
    """BGP: every selected node announces addresses to its routers. The provider must peer with you."""

    kind: Literal["bgp"]
    peers: tuple[DnsLabel, ...] = Field(min_length=1)
    """Names in `metallb.peers`."""
    routes: tuple[BgpRoute, ...] = Field(default=(BgpRoute(),), min_length=1)
    """The announcements of each address. Default: one route for each address, without communities."""
    node_selectors: tuple[NodeSelector, ...] = ()
    """Nodes that announce: those that match one of the selectors. Default: all."""


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
    port: int = Field(default=179, ge=1, le=16384)
    """TCP port of the router. The largest one is MetalLB's limit (its CRD BGPPeer)."""
    source_address: Address | None = None
    """Address of the node that the session comes from. Only for a peer of one node. Default: the route's."""
    hold_seconds: int = Field(default=90, ge=3, le=65535)
    """Hold time of the BGP session; RFC 4271 requires 3 or more."""
    keepalive_seconds: int | None = Field(default=None, ge=1, le=21845)
    """Time between two keepalive messages. Default: a third of the hold time (RFC 4271, 10)."""
    connect_seconds: int = Field(default=10, ge=1, le=65535)
    """Time between two attempts to connect. FRR's own default of 120 leaves a router that has booted again without
    routes for as long; 10 is that of its profile `datacenter`."""
    bfd_profile: DnsLabel | None = None
    """Name in `metallb.bfdProfiles`: BFD finds a lost router or node in less than a second. The router needs it too."""
    multihop: bool = False
    """True if the router is not in the nodes' segment. Only for eBGP."""
    password_secret: DnsName | None = None
    """Name of a Secret of type kubernetes.io/basic-auth with the session's MD5 password. It must be in MetalLB's
    namespace, or in kube-system if Cilium owns the pools."""
    node_selectors: tuple[NodeSelector, ...] = ()
    """Nodes that have a session with the router: those that match one of the selectors. Default: all."""


class BfdProfile(Spec):
    """Bidirectional Forwarding Detection (RFC 5880) of BGP sessions. Defaults are MetalLB's."""

    name: DnsLabel
    """Its name in `bfdProfile` of peers."""
    receive_milliseconds: int = Field(default=300, ge=10, le=60_000)
    """Least time between two packets that the node can receive."""
    transmit_milliseconds: int = Field(default=300, ge=10, le=60_000)
    """Least time between two packets that the node sends."""
    detect_multiplier: int = Field(default=3, ge=2, le=255)
    """Lost packets after which the session is down: 3 times 300 ms are 0.9 seconds."""
    passive: bool = False
    """True: the node waits for the router to begin."""
    echo_milliseconds: int | None = Field(default=None, ge=10, le=60_000)
    """Time between two echo packets. Default: no echo. Not for routers with `multihop`."""
    minimum_ttl: int | None = Field(default=None, ge=1, le=254)
    """Least TTL of a packet from a router with `multihop`."""


class Pool(Spec):
    """Addresses for Services, with one kind of announcement."""

    name: DnsLabel
    """Its name; a Service may ask for it."""
    addresses: tuple[Block, ...] = Field(min_length=1)
    """Ranges and networks, as in 192.0.2.200-192.0.2.220 or 192.0.2.192/27."""
    advertisement: Advertisement
    auto_assign: bool = True
    """False: only Services that request this pool get an address from it."""
    avoid_buggy_ips: bool = False
    """True: addresses that end in .0 or .255 stay unused. Some old network equipment drops their traffic."""
    priority: int | None = Field(default=None, ge=1, le=65535)
    """Of several pools that fit, a Service gets an address from the one with the smallest number. Pools without it are
    last."""
    namespaces: tuple[DnsLabel, ...] = ()
    """Only Services of these namespaces get an address. Default: all."""


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
    bfd_profiles: tuple[BfdProfile, ...] = ()
    """For the peers' `bfdProfile`."""

    @property
    def load_balancer_class(self) -> str | None:
        """The class of Services that get addresses; None for those without a class."""
        return self.install.load_balancer_class if isinstance(self.install, Helm) else None

    @property
    def announces_by_arp(self) -> bool:
        """Whether a pool is announced on layer 2."""
        return any(isinstance(pool.advertisement, L2) for pool in self.pools)

    @property
    def speaks_bgp(self) -> bool:
        """Whether a pool is announced by BGP."""
        return any(isinstance(pool.advertisement, Bgp) for pool in self.pools)

    @property
    def tcp_ports(self) -> tuple[tuple[int, str], ...]:
        """TCP ports between nodes. Where the API server can't call frr-k8s, no speaker can write its announcements."""
        webhook = self.speaks_bgp and isinstance(self.install, Helm)
        return (*self.udp_ports, *(((_FRR_WEBHOOK, "frr-k8s' webhook"),) if webhook else ()))

    @property
    def udp_ports(self) -> tuple[tuple[int, str], ...]:
        """UDP ports between nodes: speakers use memberlist to see which of them are alive."""
        if self.install.kind == "cilium":  # its agents agree through leases in the API
            return ()
        return ((7946, "MetalLB's speakers"),) if self.announces_by_arp else ()
