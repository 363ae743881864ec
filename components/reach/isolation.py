"""Network policies that let other tenants' pods in, or a tenant's own pods reach them all.

Policies add up: one that allows everything voids the one that denies everything. Kubernetes, Cilium, Calico and
network-policy-api each have a grammar of their own for the same thing.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Literal, NamedTuple

from components.core.endpoints import RFC_1918
from components.core.finding import Finding
from components.core.manifests import Fields, ManifestView
from components.core.names import FOR_DNS
from components.core.network_policies import (
    CALICO_PEERS,
    CALICO_SELECTORS,
    PEERS,
    TYPES,
    allows,
    grammar_of,
    leaves_out,
    names_no_peer,
)
from components.reach.grammars import admin, calico, cilium, kubernetes
from components.reach.grammars.parts import ip_block, network
from components.reach.model import BlockPeer, Network, PortMatch
from components.tenancy import selectors
from components.tenancy.selectors import IsTenant, Selector

Side = Literal["ingress", "egress"]

SIDES: tuple[Side, ...] = ("ingress", "egress")
LOCAL_REDIRECT = "CiliumLocalRedirectPolicy"
_CLUSTERWIDE = ("CiliumClusterwideNetworkPolicy", "GlobalNetworkPolicy", "AdminNetworkPolicy", "ClusterNetworkPolicy")
_WAY = {"ingress": "in", "egress": "out"}
_REMEDY = {
    "ingress": "from the gateway: its namespace, or fromEntities: [ingress] with Cilium's; a namespace of the "
    "platform's own belongs in platformNamespaces",
    "egress": FOR_DNS,
}
_PRIVATE = [ip_network(cidr) for cidr in (*RFC_1918, "100.64.0.0/10", "fc00::/7")]
_NODES_SHARE = {4: 24, 6: 64}
"""Prefix of one node's pods unless kube-controller-manager is told otherwise (--node-cidr-mask-size): what is
narrower cannot be the pods' network."""
_PODS_SHARE = {4: 16, 6: 64}
"""A private network of this prefix or a shorter one may hold the pods' network: /16 is what kubeadm's guides, Calico
and Cilium propose at most. Of public IPv6 it takes what a provider gets (RIPE-738: /32)."""
_PROVIDER_V6 = 32
_MANY = 32768
"""More ports than half of all are as good as all."""


class _Scope(NamedTuple):
    """Whose pods a policy is about, as its rules are read."""

    own: Collection[str]
    """Namespaces that are no others."""
    clusterwide: bool
    is_tenant: IsTenant


class _Grammar(NamedTuple):
    """How a policy is written."""

    name: Literal["kubernetes", "admin", "cilium", "calico"]
    peers: Callable[[Fields, Side, _Scope], Iterator[Selector]]
    """What selects the peers of a rule, but for those of the policy's own namespace."""
    ports: Callable[[Fields], list[PortMatch]]
    subject: Callable[[Fields], list[Selector]]
    """Of a policy of the whole cluster: whose pods it is about; alternatives."""
    blocks: Callable[[Fields, Side], Iterable[BlockPeer]] = lambda _, __: ()
    """Networks that a rule lets in or out. Cilium's contain no pods of the cluster."""


def overly_permissive_policies(
    policy: ManifestView, is_tenant: IsTenant, pod_networks: Sequence[Network] = ()
) -> Iterator[Finding]:
    """Rules for other tenants, in a policy of a tenant's namespace, or of the whole cluster that selects tenants' pods.

    `pod_networks`: the pods' own, where they are known; otherwise every private network that may hold them counts.
    """
    clusterwide = policy.kind in _CLUSTERWIDE
    if not clusterwide and not is_tenant(policy.namespace):
        return
    subject = f"{policy.kind} {policy.metadata.text('name', '?')}" if clusterwide else policy.label
    if policy.kind == LOCAL_REDIRECT:
        yield from _redirects(policy, subject)
        return
    for side, said in dict.fromkeys(permissive_rules(policy, is_tenant, pod_networks)):
        yield Finding(
            "tenancy-isolation",
            subject,
            f"{said}, although another policy denies everything",
            f"name who may call and who is called; {_REMEDY[side]}",
        )


def _redirects(policy: ManifestView, subject: str) -> Iterator[Finding]:
    taken = policy.spec.group("redirectFrontend").group("addressMatcher")
    if taken.raw:
        yield Finding(
            "tenancy-isolation",
            subject,
            f"takes the traffic of its nodes' pods for {taken.text('ip', '?')}, an address that is not the tenant's",
            "write serviceMatcher with a Service of its own namespace",
        )


def permissive_rules(
    policy: ManifestView, is_tenant: IsTenant, pod_networks: Sequence[Network] = ()
) -> Iterator[tuple[Side, str]]:
    """What rules of a policy open to other tenants, in words."""
    grammar = grammar_in(policy)
    if grammar is None:
        return
    clusterwide = policy.kind in _CLUSTERWIDE
    for spec in specs(policy):
        own: Collection[str] = {policy.namespace}
        if clusterwide:
            subjects = grammar.subject(spec)
            if not any(selectors.may_select_tenants(one, is_tenant) for one in subjects):
                continue
            own = {name for one in subjects for name in selectors.names_of(one)}
        scope = _Scope(own, clusterwide, is_tenant)
        types = TYPES.get(grammar.name, "")
        for side in SIDES:
            # The types are read last: one that is not known yet matters only to a rule for everybody.
            if (found := list(_of_side(spec, side, grammar, scope, pod_networks))) and not (
                types and leaves_out(spec.texts(types), side)
            ):
                yield from ((side, said) for said in found)


def specs(policy: ManifestView) -> list[Fields]:
    """The parts of a policy: Cilium takes several in one object. Host policies of Cilium's are about no pods."""
    return [spec for spec in (policy.spec, *policy.groups("specs")) if "nodeSelector" not in spec]


def _of_side(
    spec: Fields, side: Side, grammar: _Grammar, scope: _Scope, pod_networks: Sequence[Network]
) -> Iterator[str]:
    blocks: list[BlockPeer] = []
    for rule in spec.groups(side):
        if not allows(grammar.name, rule.raw):
            continue
        found, allowed = list(_peers(rule, side, grammar, scope)), list(grammar.blocks(rule, side))
        if names_no_peer(grammar.name, rule.raw, side) and not allowed:
            on_ports = " on ports" if grammar.name == "cilium" else ""
            field = {"calico": CALICO_PEERS[side], "cilium": f"{PEERS[side]}…"}.get(grammar.name, PEERS[side])
            found.insert(0, f"its {side} has a rule{on_ports} without `{field}`, so it lets everybody {_WAY[side]}")
        # On named ports a pod reaches only pods that let it in; residency-destinations checks what leaves the cluster.
        if (found or allowed) and not (side == "egress" and _are_named(grammar.ports(rule))):
            yield from found
            blocks += allowed
        if side == "egress" and grammar.name == "cilium":
            yield from _services(rule, scope)
    if written := _open_blocks(blocks, pod_networks):
        yield f"its {side} has {written}"


def _are_named(ports: list[PortMatch]) -> bool:
    """Whether a rule is for ports that it names; `{protocol: TCP}` is for all of them, and so is a range of most."""
    return bool(ports) and sum(1 if one.name else one.last - one.first + 1 for one in ports) < _MANY


def _peers(rule: Fields, side: Side, grammar: _Grammar, scope: _Scope) -> Iterator[str]:
    """Namespaces that a rule opens, in words."""
    if grammar.name == "cilium" and (everything := {"all", "cluster"} & set(rule.texts(f"{PEERS[side]}Entities"))):
        yield f"its {side} has {PEERS[side]}Entities: {', '.join(sorted(everything))}"
    for selector in grammar.peers(rule, side, scope):
        # Whom it may call can be told by labels (the cluster's DNS); any tenant can label a pod that calls.
        if side == "egress" and any(one.of == "pod" for one in selector):
            continue
        if which := selectors.reach(selector, scope.own, scope.is_tenant):
            yield f"its {side} names {which}"


# --- grammars --------------------------------------------------------------------------------------------


def _kubernetes(rule: Fields, side: Side, _: _Scope) -> Iterator[Selector]:
    return (_pods(peer, side) for peer in rule.groups(PEERS[side]) if "namespaceSelector" in peer)


def _pods(peer: Fields, side: Side) -> Selector:
    """By selectors of their namespace and of themselves; the second one matters only to whom is called."""
    own = peer.group("podSelector") if side == "egress" else Fields({})
    return [*selectors.kubernetes(peer.group("namespaceSelector")), *selectors.kubernetes(own, "pod")]


def _admin(rule: Fields, side: Side, _: _Scope) -> Iterator[Selector]:
    for peer in rule.groups(PEERS[side]):
        if "namespaces" in peer:
            yield selectors.kubernetes(peer.group("namespaces"))
        if "pods" in peer:
            yield _pods(peer.group("pods"), side)


def _cilium(rule: Fields, side: Side, scope: _Scope) -> Iterator[Selector]:
    chosen = map(selectors.cilium, rule.groups(f"{PEERS[side]}Endpoints"))
    # A selector that names no namespace means the policy's own.
    return (one for one in chosen if scope.clusterwide or any(asked.of == "namespace" for asked in one))


def _services(rule: Fields, scope: _Scope) -> Iterator[str]:
    for service in rule.groups("toServices"):
        for field in ("k8sService", "k8sServiceSelector"):
            namespace = service.group(field).text("namespace")
            if namespace and namespace not in scope.own and scope.is_tenant(namespace):
                yield f"its egress has toServices of the namespace {namespace} of another tenant"


def _calico(rule: Fields, side: Side, scope: _Scope) -> Iterator[Selector]:
    peer = rule.group(CALICO_PEERS[side])
    if "namespaceSelector" in peer or (scope.clusterwide and "selector" in peer):
        yield from selectors.calico_selectors(peer)


def _admin_subject(spec: Fields) -> list[Selector]:
    subject = spec.group("subject")
    chosen = subject.group("pods").group("namespaceSelector") if "pods" in subject else subject.group("namespaces")
    return [selectors.kubernetes(chosen)]


def _kubernetes_blocks(rule: Fields, side: Side) -> Iterator[BlockPeer]:
    blocks = (peer.group("ipBlock") for peer in rule.groups(PEERS[side]))
    return (ip_block(block) for block in blocks if block.raw)


def _admin_blocks(rule: Fields, side: Side) -> Iterator[BlockPeer]:
    for peer in rule.groups(PEERS[side]):
        yield from (BlockPeer(network(one, peer.at("networks"))) for one in peer.texts("networks"))


def _calico_blocks(rule: Fields, side: Side) -> list[BlockPeer]:
    peer = rule.group(CALICO_PEERS[side])
    excepted = peer.texts("notNets")
    nets = peer.texts("nets") or (["0.0.0.0/0"] if excepted else [])
    if any(peer.raw.get(key) for key in CALICO_SELECTORS):
        return []
    without = tuple(network(one, peer.at("notNets")) for one in excepted)
    return [BlockPeer(network(one, peer.at("nets")), without) for one in nets]


_GRAMMARS: dict[str, _Grammar] = {
    "kubernetes": _Grammar("kubernetes", _kubernetes, kubernetes.ports, lambda _: [[]], _kubernetes_blocks),
    "admin": _Grammar("admin", _admin, admin.ports, _admin_subject, _admin_blocks),
    "calico": _Grammar("calico", _calico, calico.ports, selectors.calico_selectors, _calico_blocks),
    "cilium": _Grammar(
        "cilium", _cilium, cilium.ports, lambda spec: [selectors.cilium(spec.group("endpointSelector"))]
    ),
}


def grammar_in(policy: ManifestView) -> _Grammar | None:
    """How a policy is written; None for another project's."""
    return _GRAMMARS.get(grammar_of(policy.kind, policy.text("apiVersion")) or "")


def selects_everything(selector: Fields) -> bool:
    """Whether a label selector selects everything: `{}`, or one with empty lists of conditions."""
    return not selector.group("matchLabels").raw and not selector.items("matchExpressions")


# --- addresses -------------------------------------------------------------------------------------------


def _open_blocks(blocks: Iterable[BlockPeer], pod_networks: Sequence[Network]) -> str:
    """The blocks that let pods in, in words; empty where none does."""
    if pod_networks:
        holds = [block for block in blocks if any(_holds(block, network) for network in pod_networks)]
        return f"{_written(holds)}, where the pods of every tenant are (leave them out by `except`)" if holds else ""
    blocks = [block for block in blocks if not any(map(_may_be_pods, block.excepted))]
    if whole := _whole(blocks):
        return (
            f"ipBlock {' and '.join(whole)}: every address there is, the pods' own among them (leave their network out "
            "by `except`, or write the networks that call)"
        )
    merged: list[Network] = [
        *collapse_addresses(block.network for block in blocks if isinstance(block.network, IPv4Network)),
        *collapse_addresses(block.network for block in blocks if isinstance(block.network, IPv6Network)),
    ]
    wide = [network for network in merged if _may_hold_pods(network)]
    holds = [block for block in blocks if any(_inside(block.network, network) for network in wide)]
    if not holds:
        return ""
    return (
        f"{_written(holds)}, which may hold the pods of every tenant (write narrower networks, leave the pods' own out "
        "by `except`, or name it in podNetworks)"
    )


def _written(blocks: Iterable[BlockPeer]) -> str:
    return f"ipBlock {' and '.join(str(block.network) for block in blocks)}"


def _holds(block: BlockPeer, pods: Network) -> bool:
    """Whether a block lets in pods of this network."""
    if block.network.version != pods.version or not block.network.overlaps(pods):
        return False
    smaller = pods if _inside(pods, block.network) else block.network
    return not any(_inside(smaller, excepted) for excepted in block.excepted)


def _inside(network: Network, other: Network) -> bool:
    return network.version == other.version and network.prefixlen >= other.prefixlen and network.overlaps(other)


def _whole(blocks: Iterable[BlockPeer]) -> list[str]:
    """The networks of the blocks, if those of one version make up all of its addresses."""
    networks = [block.network for block in blocks]
    v4 = [network for network in networks if isinstance(network, IPv4Network)]
    v6 = [network for network in networks if isinstance(network, IPv6Network)]
    for merged, parts in ((list(collapse_addresses(v4)), v4), (list(collapse_addresses(v6)), v6)):
        if any(network.prefixlen == 0 for network in merged):
            widest = [str(network) for network in parts if network.prefixlen == 0]
            return widest[:1] or [str(network) for network in parts]
    return []


def _private(network: Network) -> bool:
    return any(network.version == own.version and network.overlaps(own) for own in _PRIVATE)


def _may_hold_pods(network: Network) -> bool:
    """Whether a network may hold all pods: which one is theirs is not known here."""
    provider = network.version == 6 and network.prefixlen <= _PROVIDER_V6
    return provider or (_private(network) and network.prefixlen <= _PODS_SHARE[network.version])


def _may_be_pods(network: Network) -> bool:
    """Whether an exception may be the pods' network: it is private, or IPv6, and holds at least one node's pods."""
    return (network.version == 6 or _private(network)) and network.prefixlen <= _NODES_SHARE[network.version]
