"""What decides whether a pod reaches another: endpoints, and policies in one form for every grammar. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, NamedTuple, TypeAlias

from components.tenancy.selectors import Asked

Direction = Literal["ingress", "egress"]
Action = Literal["allow", "deny", "pass"]
Cni = Literal["cilium", "calico", "other", ""]
"""What enforces the policies; empty: not known. `other` takes a pod for a member of its networks, as Calico does."""
Network: TypeAlias = IPv4Network | IPv6Network

DIRECTIONS: tuple[Direction, Direction] = ("egress", "ingress")
PROTOCOLS = ("TCP", "UDP", "SCTP")
HIGHEST_PORT = 65535


class Answer(Enum):
    """Whether traffic gets through."""

    YES = "reaches"
    NO = "does not reach"
    UNDECIDED = "undecided"


class Port(NamedTuple):
    """What is asked for: `5432/TCP`."""

    number: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


class Span(NamedTuple):
    """Ports that no policy tells apart."""

    protocols: tuple[str, ...]
    first: int
    last: int

    @property
    def port(self) -> Port:
        """One of them; all have its answers."""
        return Port(self.first, self.protocols[0])

    def __str__(self) -> str:
        numbers = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{numbers}/{'+'.join(self.protocols)}"


class NamedPort(NamedTuple):
    """A port of a container."""

    number: int
    protocol: str
    name: str = ""


class Endpoint(NamedTuple):
    """Pods that no policy can tell apart, or an address outside the cluster."""

    namespace: str
    """Empty for an address outside."""
    labels: Mapping[str, str]
    ports: tuple[NamedPort, ...] = ()
    account: str = "default"
    host_network: bool = False
    addresses: tuple[str, ...] | None = None
    """None: not known. Pods of a class have the same place in every network that a policy names."""
    unreadable: str = ""
    """Why its labels can't be read."""


InBlocks = Literal["address", "never", "maybe"]
"""Whether the CNI takes a pod for a member of a network: by its address, never, or that is not known."""


class PodPeer(NamedTuple):
    """Pods, by what a selector asks for."""

    selector: tuple[Asked, ...] = ()
    namespace: str = ""
    """Only pods of this one; empty: of every namespace."""
    accounts: tuple[str, ...] = ()
    """Only pods that run as one of these ServiceAccounts; empty: as any."""


class BlockPeer(NamedTuple):
    """A network without parts of it."""

    network: Network
    excepted: tuple[Network, ...] = ()
    pods: InBlocks = "address"


class EntityPeer(NamedTuple):
    """Everyone, every pod, every address outside, every node, or the API servers."""

    name: Literal["everyone", "pods", "outside", "nodes", "api-servers"]
    certain: bool = True
    """False: some of them, and which is not known."""


Peer: TypeAlias = PodPeer | BlockPeer | EntityPeer


class Clause(NamedTuple):
    """One condition: any of these peers, or none of them."""

    any_of: tuple[Peer, ...]
    negated: bool = False


class PortMatch(NamedTuple):
    """Ports that a rule is for."""

    protocol: str = ""
    """Empty: every protocol."""
    first: int = 1
    last: int = HIGHEST_PORT
    name: str = ""
    """The name of a container's port, in place of the numbers."""


class Rule(NamedTuple):
    """One rule of a policy: all clauses must hold."""

    action: Action
    where: str
    """Where in the policy: `ingress[0]`."""
    peers: tuple[Clause, ...] = ()
    local: tuple[Clause, ...] = ()
    """What the policy's own side must be, beside the policy's subject. Only Calico has this."""
    ports: tuple[PortMatch, ...] | None = None
    """None: every port."""
    not_ports: tuple[PortMatch, ...] = ()
    unsure: str = ""
    """Why it is not known whether the rule matches what it seems to match."""


class Policy(NamedTuple):
    """One direction of a policy."""

    label: str
    """`NetworkPolicy butikk/to-api`."""
    direction: Direction
    tier: str
    order: tuple[float, str] = (0, "")
    """Policies of a tier are evaluated by the number, then by the name."""
    namespace: str = ""
    """Whose pods it can select; empty: of every namespace."""
    subject: tuple[Clause, ...] = ()
    """Which pods it is for; empty: all."""
    rules: tuple[Rule, ...] = ()
    isolates: bool = False
    """What no rule of the tier matches is denied."""
    unreadable: str = ""
    """Why it can't be evaluated; everything that it may select is then undecided."""


class Tier(NamedTuple):
    """Policies that are evaluated together."""

    order: float
    name: str
    ambiguous: bool = False
    """Of policies with the same order any may be the first."""


class ServicePort(NamedTuple):
    """A port of a Service."""

    port: Port
    target: str
    """The number of the pods' port, or its name."""
    name: str = ""


class Service(NamedTuple):
    """A Service, and where its calls go."""

    ports: tuple[ServicePort, ...]
    selector: Mapping[str, str] | None
    """Labels of its pods; None: EndpointSlices that somebody else writes name its endpoints."""
    addresses: tuple[str, ...] = ()
    """Of the cluster; none for a headless Service."""
    outside: tuple[str, ...] = ()
    """Of load balancers, and externalIPs."""
    headless: bool = False
    """Callers get the pods' addresses, and choose the port themselves."""
    same_node: bool = False
    keeps_caller: bool = False
    """The pods see the address of a caller outside."""
    unreadable: str = ""
    backends: tuple[tuple[int, Port, str], ...] = ()
    """By EndpointSlices: endpoint, port, and the name of the Service's port."""
    sliced: bool = False
    """Whether an EndpointSlice of it was read."""


@dataclass(frozen=True)
class State:
    """What is known of a cluster."""

    endpoints: tuple[Endpoint, ...] = ()
    workloads: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """`namespace/name` → places in `endpoints`; more than one where its pods differ."""
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Name → labels. A namespace that is not here has labels that are not known."""
    policies: tuple[Policy, ...] = ()
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    cni: Cni = ""
    api_servers: frozenset[str] | None = None
    """Their addresses; None: not known."""
    pod_networks: tuple[Network, ...] = ()
    """The pods' own; empty: private networks and IPv6."""
    ignored: tuple[str, ...] = ()
    """Policies that the CNI does not enforce."""
    services: Mapping[str, Service] = field(default_factory=dict)
    """By `namespace/name`."""
    gaps: Mapping[str, str] = field(default_factory=dict)
    """By namespace, why it is not known what is in it; an empty name: of some namespace."""


class Reason(NamedTuple):
    """What decides one direction, or where a Service sends a call."""

    direction: Direction | Literal["service"]
    action: Literal["allow", "deny", "undecided"]
    policy: str
    """The policy, or several; empty where none is for these pods."""
    where: str
    """The rule: `ingress[0]`; empty where no rule matches."""
    text: str
    """The same as a sentence without its end."""


class Verdict(NamedTuple):
    """The answer to one question, and what decides."""

    answer: Answer
    reasons: tuple[Reason, ...]
    """Of egress and of ingress, where they matter."""
