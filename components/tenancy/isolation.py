"""Network policies by which every other tenant's pods come in, or a tenant's own reach them all.

Policies add up: one that opens everything voids the one that denies everything. Kubernetes', Cilium's and Calico's
policies say the same in three grammars.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any, Literal, NamedTuple

from components.core import labels
from components.core.finding import Finding
from components.core.names import FOR_DNS
from components.core.network_policies import TYPES, grammar_of, leaves_out
from components.tenancy.rules import selects_everything

Manifest = Mapping[str, Any]
Side = Literal["ingress", "egress"]

_CLUSTERWIDE = "CiliumClusterwideNetworkPolicy"
_SIDES: tuple[Side, ...] = ("ingress", "egress")
_PEERS, _WAY = {"ingress": "from", "egress": "to"}, {"ingress": "in", "egress": "out"}
_REMEDY = {
    "ingress": "from the gateway: its namespace, or fromEntities: [ingress] with Cilium's",
    "egress": FOR_DNS,
}
_ON_EVERY_NAMESPACE = (labels.NAMESPACE_NAME, labels.TENANT)
"""Labels that every namespace of a tenant's has, so that to ask for one of them is to ask for nothing."""
_POD_NAMESPACE = "io.kubernetes.pod.namespace"
_NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels."
"""Cilium's labels of a pod for what its namespace is called and how it is labelled."""
_CALICO_PEERS = ("selector", "namespaceSelector", "serviceAccounts", "services", "domains")
_CALICO_EVERYWHERE = ("all()", *(f"has({label})" for label in (*_ON_EVERY_NAMESPACE, "projectcalico.org/name")))
_PRIVATE = [ip_network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]  # RFC 1918
_NODES_SHARE = {4: 24, 6: 64}
"""Prefix of one node's pods unless kube-controller-manager is told otherwise (--node-cidr-mask-size): what is
narrower cannot be the pods' network."""


class Grammar(NamedTuple):
    """How a policy is written."""

    read: Callable[[Manifest, Side], Iterator[str]]
    """A rule to what it opens for everybody, in words."""
    ports: Callable[[Manifest], Iterable[Any]]
    types: str = ""
    """As in `TYPES`, where there is one."""
    blocks: Callable[[Manifest], list[Manifest]] = lambda _: []
    """Networks that a rule lets in, as Kubernetes spells them. Cilium's hold nobody who is in the cluster."""


def open_door_problems(policy: Manifest, is_tenants: Callable[[str], bool]) -> Iterator[Finding]:
    """Rules for everybody, in a policy of a tenant's namespace, or of the whole cluster that selects tenants' pods."""
    kind, metadata = str(policy["kind"]), policy.get("metadata") or {}
    namespace = str(metadata.get("namespace") or "default")
    if kind != _CLUSTERWIDE and not is_tenants(namespace):
        return
    where = "" if kind == _CLUSTERWIDE else f"{namespace}/"
    for side, said in dict.fromkeys(_doors(policy, kind, is_tenants)):
        yield Finding(
            "tenancy-isolation",
            f"{kind} {where}{metadata.get('name', '?')}",
            f"{said}, whatever the policy that denies everything says: name who may call and who is called; "
            f"{_REMEDY[side]}",
        )


def _doors(policy: Manifest, kind: str, is_tenants: Callable[[str], bool]) -> Iterator[tuple[Side, str]]:
    grammar = _grammar(kind, str(policy.get("apiVersion") or ""))
    for spec in (policy.get("spec") or {}, *(policy.get("specs") or ())):  # Cilium takes several in one object
        if kind == _CLUSTERWIDE and not _selects_tenants(spec, is_tenants):
            continue
        for side in _SIDES:
            # Only then: who asks for a value that is not known yet gets no verdict at all.
            if (found := list(_of_side(spec, side, grammar))) and not leaves_out(spec.get(grammar.types), side):
                yield from ((side, said) for said in found)


def _grammar(kind: str, api: str) -> Grammar:
    whose = grammar_of(kind, api)
    if whose == "calico":
        return Grammar(_calico, _calico_ports, TYPES["calico"], _calico_blocks)
    if kind == _CLUSTERWIDE:
        return Grammar(lambda rule, side: _cilium(rule, side, own_namespace=False), _cilium_ports)
    if whose == "cilium":
        return Grammar(_cilium, _cilium_ports)
    return Grammar(_kubernetes, lambda rule: rule.get("ports") or (), TYPES["kubernetes"], _kubernetes_blocks)


def _of_side(spec: Manifest, side: Side, grammar: Grammar) -> Iterator[str]:
    blocks: list[Manifest] = []
    for rule in spec.get(side) or ():
        found = list(grammar.read(rule, side))
        # On ports that it names a pod reaches only who lets it in; what leaves the cluster, residency-closure judges.
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
    return bool(ports) and all(not isinstance(port, Mapping) or "port" in port for port in ports)


def _kubernetes(rule: Manifest, side: Side) -> Iterator[str]:
    peers = _PEERS[side]
    if not rule.get(peers):
        yield f"its {side} has a rule without `{peers}`, so it lets everybody {_WAY[side]}"
    for peer in rule.get(peers) or ():
        which = _all_namespaces(peer["namespaceSelector"]) if "namespaceSelector" in peer else ""
        # Whom it may call can be told by labels (the cluster's DNS); any tenant can label a pod that calls.
        if which and (side == "ingress" or selects_everything(peer.get("podSelector"))):
            yield f"its {side} names {which}"


def _kubernetes_blocks(rule: Manifest) -> list[Manifest]:
    return [peer["ipBlock"] for peer in rule.get("from") or () if peer.get("ipBlock")]


def _all_namespaces(selector: Any) -> str:
    """In words what a selector of namespaces selects, where that is as good as all; else empty."""
    if selects_everything(selector):
        return "every namespace there is"
    operators = {
        expression.get("operator") if expression.get("key") in _ON_EVERY_NAMESPACE else "In"
        for expression in selector.get("matchExpressions") or ()
    }
    return "" if selector.get("matchLabels") else _all_by(operators)


def _all_by(operators: set[Any]) -> str:
    """The same by what is asked of labels that every namespace has."""
    if operators == {"Exists"}:
        return "every namespace there is"
    return "every namespace but those after NotIn" if operators and operators <= {"Exists", "NotIn"} else ""


def _cilium(rule: Manifest, side: Side, *, own_namespace: bool = True) -> Iterator[str]:
    """A rule of Cilium's; `own_namespace`: a selector that names no namespace means the policy's own."""
    peers = _PEERS[side]
    if everything := sorted({"all", "cluster"} & set(rule.get(f"{peers}Entities") or ())):
        yield f"its {side} has {peers}Entities: {', '.join(everything)}"
    # An empty rule lets nobody through; one of ports alone, everybody.
    if rule.get("toPorts") and not any(key.startswith(peers) and key != "toPorts" and rule[key] for key in rule):
        yield f"its {side} has a rule on ports without `{peers}…`, so it lets everybody {_WAY[side]}"
    for selector in rule.get(f"{peers}Endpoints") or ():
        if which := _all_endpoints(selector, side, own_namespace=own_namespace):
            yield f"its {side} names {which}"


def _cilium_ports(rule: Manifest) -> Iterator[Any]:
    for group in rule.get("toPorts") or ():
        yield from group.get("ports") or [{}]


def _all_endpoints(selector: Any, side: Side, *, own_namespace: bool) -> str:
    operators: set[Any] = set()
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


def _asked(selector: Any) -> Iterator[tuple[str, Any, Any]]:
    """Label, operator and values of everything that a selector of Cilium's asks for."""
    selector = selector or {}
    for label, value in (selector.get("matchLabels") or {}).items():
        yield _unsourced(label), "In", [value]
    for expression in selector.get("matchExpressions") or ():
        yield _unsourced(expression["key"]), expression.get("operator"), expression.get("values") or ()


def _unsourced(label: str) -> str:
    """A label without where Cilium has it from, unless Cilium made it up itself (`reserved:`)."""
    return str(label).removeprefix("k8s:").removeprefix("any:")


def _selects_tenants(spec: Manifest, is_tenants: Callable[[str], bool]) -> bool:
    """Whether a policy of the whole cluster may select a tenant's pods."""
    if "nodeSelector" in spec:
        return False
    for label, operator, values in _asked(spec.get("endpointSelector")):
        if label.startswith("reserved"):
            return False
        named = label in (_POD_NAMESPACE, f"{_NAMESPACE_LABELS}{labels.NAMESPACE_NAME}")
        if named and operator == "In" and not any(is_tenants(str(value)) for value in values):
            return False
    return True


def _calico(rule: Manifest, side: Side) -> Iterator[str]:
    if str(rule.get("action")).lower() != "allow":
        return
    field = "source" if side == "ingress" else "destination"
    peer = rule.get(field) or {}
    if not any(peer.get(key) for key in (*_CALICO_PEERS, "nets", "notNets")):
        yield f"its {side} has a rule without `{field}`, so it lets everybody {_WAY[side]}"
    everywhere = str(peer.get("namespaceSelector") or "").replace(" ", "") in _CALICO_EVERYWHERE
    if everywhere and (side == "ingress" or str(peer.get("selector") or "all()").replace(" ", "") == "all()"):
        yield f"its {side} names every namespace there is"


def _calico_ports(rule: Manifest) -> Iterable[Any]:
    return (rule.get("destination") or {}).get("ports") or ()


def _calico_blocks(rule: Manifest) -> list[Manifest]:
    source = rule.get("source") or {}
    nets = source.get("nets") or (["0.0.0.0/0"] if source.get("notNets") else ())
    if str(rule.get("action")).lower() != "allow" or any(source.get(key) for key in _CALICO_PEERS):
        return []
    return [{"cidr": net, "except": source.get("notNets")} for net in nets]


def _every_address(blocks: Iterable[Manifest]) -> str:
    """The blocks that hold every address together, in words; empty where they do not."""
    blocks = list(blocks)
    if not _whole(blocks):
        return ""
    open_ones = [block for block in blocks if not any(map(_may_hold_pods, block.get("except") or ()))]
    if whole := _whole(open_ones):
        return f"ipBlock {' and '.join(whole)}"
    return ""


def _whole(blocks: Iterable[Manifest]) -> list[str]:
    """The networks of the blocks, if those of one version make up all of its addresses."""
    networks = [ip_network(str(block["cidr"]), strict=False) for block in blocks]
    v4 = [network for network in networks if isinstance(network, IPv4Network)]
    v6 = [network for network in networks if isinstance(network, IPv6Network)]
    for merged, parts in ((list(collapse_addresses(v4)), v4), (list(collapse_addresses(v6)), v6)):
        if any(network.prefixlen == 0 for network in merged):
            widest = [str(network) for network in parts if network.prefixlen == 0]
            return widest[:1] or [str(network) for network in parts]
    return []


def _may_hold_pods(cidr: Any) -> bool:
    """Whether an exception from everybody may be the pods' network: nobody can tell which one theirs is, but it is
    private, or IPv6, and holds at least one node's pods."""
    network = ip_network(str(cidr), strict=False)
    private = network.version == 6 or any(network.overlaps(own) for own in _PRIVATE)
    return private and network.prefixlen <= _NODES_SHARE[network.version]
