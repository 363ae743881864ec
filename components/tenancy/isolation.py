"""Network policies that let every other tenant's pods in, or a tenant's own pods reach them all.

Policies add up: one that allows everything voids the one that denies everything. Kubernetes, Cilium and Calico each
have a grammar of their own for the same thing.
"""

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any, Literal, NamedTuple

from components.core import labels
from components.core.endpoints import RFC_1918
from components.core.finding import Finding
from components.core.manifests import FieldError, Fields, ManifestView
from components.core.names import FOR_DNS
from components.core.network_policies import (
    CALICO_PEERS,
    CALICO_SELECTORS,
    PEERS,
    TYPES,
    calico_allows,
    grammar_of,
    leaves_out,
    names_no_peer,
)

Side = Literal["ingress", "egress"]
Network = IPv4Network | IPv6Network

_CLUSTERWIDE = "CiliumClusterwideNetworkPolicy"
_SIDES: tuple[Side, ...] = ("ingress", "egress")
_WAY = {"ingress": "in", "egress": "out"}
_REMEDY = {
    "ingress": "from the gateway: its namespace, or fromEntities: [ingress] with Cilium's",
    "egress": FOR_DNS,
}
_ON_EVERY_NAMESPACE = (labels.NAMESPACE_NAME, labels.TENANT)
"""Labels that every namespace of a tenant's has, so that to ask for one of them is to ask for nothing."""
_POD_NAMESPACE = "io.kubernetes.pod.namespace"
_NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels."
"""Cilium's labels of a pod for what its namespace is called and how it is labelled."""
_CALICO_EVERYWHERE = ("all()", *(f"has({label})" for label in (*_ON_EVERY_NAMESPACE, "projectcalico.org/name")))
_PRIVATE = [ip_network(cidr) for cidr in RFC_1918]
_NODES_SHARE = {4: 24, 6: 64}
"""Prefix of one node's pods unless kube-controller-manager is told otherwise (--node-cidr-mask-size): what is
narrower cannot be the pods' network."""


class Block(NamedTuple):
    """Addresses that a rule lets in."""

    network: Network
    excepted: tuple[Network, ...]


class Grammar(NamedTuple):
    """How a policy is written."""

    read: Callable[[Fields, Side], Iterator[str]]
    """From a rule to what it opens for everybody, in words."""
    ports: Callable[[Fields], Iterable[Any]]
    types: str = ""
    """As in `TYPES`, where there is one."""
    blocks: Callable[[Fields], Iterable[Block]] = lambda _: ()
    """Networks that a rule lets in. Cilium's contain no pods of the cluster."""


def overly_permissive_policies(policy: ManifestView, is_tenant: Callable[[str], bool]) -> Iterator[Finding]:
    """Rules for everybody, in a policy of a tenant's namespace, or of the whole cluster that selects tenants' pods."""
    clusterwide = policy.kind == _CLUSTERWIDE
    if not clusterwide and not is_tenant(policy.namespace):
        return
    subject = f"{policy.kind} {policy.metadata.text('name', '?')}" if clusterwide else policy.label
    for side, said in dict.fromkeys(_permissive_rules(policy, is_tenant)):
        yield Finding(
            "tenancy-isolation",
            subject,
            f"{said}, although another policy denies everything",
            f"name who may call and who is called; {_REMEDY[side]}",
        )


def selects_everything(selector: Fields) -> bool:
    """Whether a label selector selects everything: `{}`, or one with empty lists of conditions."""
    return not selector.group("matchLabels").raw and not selector.items("matchExpressions")


def _permissive_rules(policy: ManifestView, is_tenant: Callable[[str], bool]) -> Iterator[tuple[Side, str]]:
    grammar = _grammar(policy)
    for spec in (policy.spec, *policy.groups("specs")):  # Cilium takes several in one object
        if policy.kind == _CLUSTERWIDE and not _selects_tenants(spec, is_tenant):
            continue
        for side in _SIDES:
            # The types are read last: one that is not known yet matters only to a rule for everybody.
            if (found := list(_of_side(spec, side, grammar))) and not (
                grammar.types and leaves_out(spec.texts(grammar.types), side)
            ):
                yield from ((side, said) for said in found)


def _grammar(policy: ManifestView) -> Grammar:
    whose = grammar_of(policy.kind, policy.text("apiVersion"))
    if whose == "calico":
        return Grammar(_calico, _calico_ports, TYPES["calico"], _calico_blocks)
    if policy.kind == _CLUSTERWIDE:
        return Grammar(lambda rule, side: _cilium(rule, side, own_namespace=False), _cilium_ports)
    if whose == "cilium":
        return Grammar(_cilium, _cilium_ports)
    return Grammar(_kubernetes, lambda rule: rule.groups("ports"), TYPES["kubernetes"], _kubernetes_blocks)


def _of_side(spec: Fields, side: Side, grammar: Grammar) -> Iterator[str]:
    blocks: list[Block] = []
    for rule in spec.groups(side):
        found = list(grammar.read(rule, side))
        # On named ports a pod reaches only pods that let it in; residency-destinations checks what leaves the cluster.
        if found and not (side == "egress" and _are_named(grammar.ports(rule))):
            yield from found
        blocks += grammar.blocks(rule) if side == "ingress" else ()
    if written := _every_address(blocks):
        yield (
            f"its {side} has {written}: every address there is, the pods' own among them (leave their network out by "
            "`except`, or write the networks that call)"
        )


def _are_named(ports: Iterable[Any]) -> bool:
    """Whether a rule is for ports that it names; `{protocol: TCP}` is for all of them."""
    ports = list(ports)
    return bool(ports) and all(not isinstance(port, Fields) or "port" in port for port in ports)


def _kubernetes(rule: Fields, side: Side) -> Iterator[str]:
    if names_no_peer("kubernetes", rule.raw, side):
        yield f"its {side} has a rule without `{PEERS[side]}`, so it lets everybody {_WAY[side]}"
    for peer in rule.groups(PEERS[side]):
        which = _all_namespaces(peer.group("namespaceSelector")) if "namespaceSelector" in peer else ""
        # Whom it may call can be told by labels (the cluster's DNS); any tenant can label a pod that calls.
        if which and (side == "ingress" or selects_everything(peer.group("podSelector"))):
            yield f"its {side} names {which}"


def _kubernetes_blocks(rule: Fields) -> Iterator[Block]:
    for peer in rule.groups("from"):
        block = peer.group("ipBlock")
        if block.raw:
            yield _block(block.text("cidr"), block.texts("except"), block.at("cidr"))


def _block(cidr: str, excepted: Iterable[str], path: str) -> Block:
    try:
        return Block(ip_network(cidr, strict=False), tuple(ip_network(one, strict=False) for one in excepted))
    except ValueError:
        raise FieldError(path, "is not a network") from None


def _all_namespaces(selector: Fields) -> str:
    """In words what a selector of namespaces selects, where that is as good as all; else empty."""
    if selects_everything(selector):
        return "every namespace there is"
    operators = {
        expression.text("operator") if expression.text("key") in _ON_EVERY_NAMESPACE else "In"
        for expression in selector.groups("matchExpressions")
    }
    return "" if selector.group("matchLabels").raw else _all_by(operators)


def _all_by(operators: set[str]) -> str:
    """The same by what is asked of labels that every namespace has."""
    if operators == {"Exists"}:
        return "every namespace there is"
    return "every namespace but those after NotIn" if operators and operators <= {"Exists", "NotIn"} else ""


def _cilium(rule: Fields, side: Side, *, own_namespace: bool = True) -> Iterator[str]:
    """A rule of Cilium's; `own_namespace`: a selector that names no namespace means the policy's own."""
    peers = PEERS[side]
    if everything := sorted({"all", "cluster"} & set(rule.texts(f"{peers}Entities"))):
        yield f"its {side} has {peers}Entities: {', '.join(everything)}"
    if names_no_peer("cilium", rule.raw, side):
        yield f"its {side} has a rule on ports without `{peers}…`, so it lets everybody {_WAY[side]}"
    for selector in rule.groups(f"{peers}Endpoints"):
        if which := _all_endpoints(selector, side, own_namespace=own_namespace):
            yield f"its {side} names {which}"


def _cilium_ports(rule: Fields) -> Iterator[Any]:
    for group in rule.groups("toPorts"):
        yield from group.groups("ports") or [Fields({})]


def _all_endpoints(selector: Fields, side: Side, *, own_namespace: bool) -> str:
    operators: set[str] = set()
    for label, operator, _ in _asked(selector):
        if label.startswith("reserved"):
            return ""  # Cilium's name for what is no pod
        name = label.removeprefix(_NAMESPACE_LABELS)
        if label == _POD_NAMESPACE or name in _ON_EVERY_NAMESPACE:
            operators.add(operator)
        elif name != label or side == "egress":  # another label of the namespace; or of the pod that is called
            return ""
    if not operators:
        return "" if own_namespace else "every namespace there is"
    return _all_by(operators)


def _asked(selector: Fields) -> Iterator[tuple[str, str, list[str]]]:
    """Label, operator and values of everything that a selector of Cilium's asks for."""
    wanted = selector.group("matchLabels")
    for label in wanted:
        yield _unsourced(label), "In", [wanted.text(label)]
    for expression in selector.groups("matchExpressions"):
        yield _unsourced(expression.text("key")), expression.text("operator"), expression.texts("values")


def _unsourced(label: str) -> str:
    """A label without where Cilium has it from, unless Cilium made it up itself (`reserved:`)."""
    return label.removeprefix("k8s:").removeprefix("any:")


def _selects_tenants(spec: Fields, is_tenant: Callable[[str], bool]) -> bool:
    """Whether a policy of the whole cluster may select a tenant's pods."""
    if "nodeSelector" in spec:
        return False
    for label, operator, values in _asked(spec.group("endpointSelector")):
        if label.startswith("reserved"):
            return False
        named = label in (_POD_NAMESPACE, f"{_NAMESPACE_LABELS}{labels.NAMESPACE_NAME}")
        if named and operator == "In" and not any(is_tenant(value) for value in values):
            return False
    return True


def _calico(rule: Fields, side: Side) -> Iterator[str]:
    if not calico_allows(rule.raw):
        return
    field = CALICO_PEERS[side]
    peer = rule.group(field)
    if names_no_peer("calico", rule.raw, side) and not peer.raw.get("notNets"):
        yield f"its {side} has a rule without `{field}`, so it lets everybody {_WAY[side]}"
    everywhere = peer.text("namespaceSelector").replace(" ", "") in _CALICO_EVERYWHERE
    if everywhere and (side == "ingress" or peer.text("selector", "all()").replace(" ", "") == "all()"):
        yield f"its {side} names every namespace there is"


def _calico_ports(rule: Fields) -> Iterable[Any]:
    return rule.group("destination").items("ports")


def _calico_blocks(rule: Fields) -> list[Block]:
    source = rule.group("source")
    excepted = source.texts("notNets")
    nets = source.texts("nets") or (["0.0.0.0/0"] if excepted else [])
    if not calico_allows(rule.raw) or any(source.raw.get(key) for key in CALICO_SELECTORS):
        return []
    return [_block(net, excepted, source.at("nets")) for net in nets]


def _every_address(blocks: Iterable[Block]) -> str:
    """The blocks that hold every address together, in words; empty where they do not."""
    blocks = list(blocks)
    if not _whole(blocks):
        return ""
    open_ones = [block for block in blocks if not any(map(_may_hold_pods, block.excepted))]
    if whole := _whole(open_ones):
        return f"ipBlock {' and '.join(whole)}"
    return ""


def _whole(blocks: Iterable[Block]) -> list[str]:
    """The networks of the blocks, if those of one version make up all of its addresses."""
    networks = [block.network for block in blocks]
    v4 = [network for network in networks if isinstance(network, IPv4Network)]
    v6 = [network for network in networks if isinstance(network, IPv6Network)]
    for merged, parts in ((list(collapse_addresses(v4)), v4), (list(collapse_addresses(v6)), v6)):
        if any(network.prefixlen == 0 for network in merged):
            widest = [str(network) for network in parts if network.prefixlen == 0]
            return widest[:1] or [str(network) for network in parts]
    return []


def _may_hold_pods(network: Network) -> bool:
    """Whether an exception from everybody may be the pods' network: which one is theirs is not known here, but it is
    private, or IPv6, and holds at least one node's pods."""
    private = network.version == 6 or any(network.overlaps(own) for own in _PRIVATE)
    return private and network.prefixlen <= _NODES_SHARE[network.version]
