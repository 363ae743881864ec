"""CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy. Pure.

Read as Cilium 1.20 does (pkg/policy/utils/parserules.go, pkg/k8s/apis/cilium.io/utils): deny rules come first, a rule
without peers and ports matches nothing.
"""

from collections.abc import Iterator

from components.core.labels import NAMESPACE_NAME
from components.core.manifests import FieldError, Fields, ManifestView
from components.core.network_policies import PEERS
from components.reach.grammars.parts import DEFAULT, clause, ip_block, label, network, numbers, protocol
from components.reach.model import (
    DIRECTIONS,
    Action,
    BlockPeer,
    Clause,
    Direction,
    EntityPeer,
    InBlocks,
    Peer,
    PodPeer,
    Policy,
    PortMatch,
    Rule,
)
from components.tenancy import selectors
from components.tenancy.selectors import Asked

_ENTITIES: dict[str, tuple[EntityPeer, ...]] = {
    "all": (EntityPeer("everyone"),),
    "cluster": (EntityPeer("pods"), EntityPeer("nodes")),
    "cluster-mesh": (EntityPeer("pods"), EntityPeer("nodes")),
    **dict.fromkeys(("world", "world-ipv4", "world-ipv6"), (EntityPeer("outside"),)),
    **dict.fromkeys(("host", "remote-node"), (EntityPeer("nodes", certain=False),)),
    "kube-apiserver": (EntityPeer("api-servers"),),
    **dict.fromkeys(("health", "ingress", "init", "none", "unmanaged"), ()),
}
"""Entities that are neither pods, nodes nor addresses outside match nothing here."""
_KNOWN = {"Endpoints", "Entities", "CIDR", "CIDRSet", "FQDNs", "Nodes", "Groups", "Services", "Ports"}
_OTHER = ("toPorts", "icmps", "authentication")
_ACTIONS: dict[str, Action] = {"Deny": "deny", "": "allow"}
_ACCOUNT = "io.cilium.k8s.policy.serviceaccount"
_CLUSTER = "io.cilium.k8s.policy.cluster"
_WITH_PORTS = ("TCP", "UDP", "SCTP", "ANY", "")


def policies(view: ManifestView, blocks: InBlocks) -> Iterator[Policy]:
    """For each part and direction one with deny rules and one with the others. Raises FieldError where what is selected
    can't be read."""
    clusterwide = view.kind == "CiliumClusterwideNetworkPolicy"
    namespace = "" if clusterwide else view.namespace
    name = label(view, clusterwide=clusterwide)
    written = [("", view.spec)] if view.spec.raw else []
    written += [(f"specs[{index}].", spec) for index, spec in enumerate(view.groups("specs"))]
    for prefix, spec in written:
        if "nodeSelector" in spec:
            subject = clause([EntityPeer("nodes")])
            for direction in DIRECTIONS:
                yield Policy(name, direction, DEFAULT, subject=subject, unreadable="it is for nodes, not for pods")
            continue
        if "endpointSelector" not in spec:
            raise FieldError(spec.at("endpointSelector"), "is missing")
        peer = _pods(spec.group("endpointSelector"), namespace)
        for direction in DIRECTIONS:
            yield from _directed(spec, direction, name, namespace, clause([peer]), prefix, blocks)


def _directed(
    spec: Fields,
    direction: Direction,
    name: str,
    namespace: str,
    subject: tuple[Clause, ...],
    prefix: str,
    blocks: InBlocks,
) -> Iterator[Policy]:
    denying = spec.group("enableDefaultDeny").raw.get(direction)
    if denying is not None and not isinstance(denying, bool):
        raise FieldError(f"enableDefaultDeny.{direction}", "is neither true nor false")
    both = [(suffix, action, spec.groups(f"{direction}{suffix}")) for suffix, action in _ACTIONS.items()]
    isolates = denying if denying is not None else any(rules for _, _, rules in both)
    for rank, (suffix, action, rules) in enumerate(both):
        if rules or (rank and isolates):
            found = [
                _rule(rule, direction, f"{prefix}{direction}{suffix}[{index}]", action, namespace, blocks)
                for index, rule in enumerate(rules)
            ]
            kept = tuple(one for one in found if one)
            yield Policy(name, direction, DEFAULT, (1000 - 1 + rank, name), namespace, subject, kept, isolates=isolates)


def _rule(
    rule: Fields, direction: Direction, where: str, action: Action, namespace: str, blocks: InBlocks
) -> Rule | None:
    """None for a rule that matches no traffic with ports."""
    try:
        side = PEERS[direction]
        fields = [key for key in rule if key.startswith(side) and key != "toPorts"]
        listed = {key: rule.items(key) for key in fields}
        if any(not items for items in listed.values()) or not (listed or rule.items("toPorts")):
            return None  # an empty list has no peer, and neither has a rule with nothing in it
        if rule.items("icmps") and not rule.items("toPorts"):
            return None
        if unknown := {key.removeprefix(side) for key in fields} - _KNOWN or set(rule) - {*fields, *_OTHER}:
            raise FieldError(rule.at(min(unknown)), "is not known")
        peers = [peer for key in fields for peer in _peers(rule, key, key.removeprefix(side), namespace, blocks)]
        authentic = rule.group("authentication").text("mode", "disabled")
        unsure = "" if authentic == "disabled" else f"the rule asks for authentication ({authentic})"
        if any("serverNames" in group for group in rule.groups("toPorts")):
            unsure = "the rule is only for some TLS server names"
        return Rule(
            action,
            where,
            clause(peers) if listed else (),
            ports=tuple(ports(rule)) if rule.items("toPorts") else None,
            unsure=unsure,
        )
    except FieldError as error:
        return Rule(action, where, unsure=str(error))


def _peers(rule: Fields, key: str, kind: str, namespace: str, blocks: InBlocks) -> Iterator[Peer]:
    if kind == "Endpoints":
        yield from (_pods(one, namespace) for one in rule.groups(key))
    elif kind == "Entities":
        for name in rule.texts(key):
            if name not in _ENTITIES:
                raise FieldError(rule.at(key), "has an entity that is not known")
            yield from _ENTITIES[name]
    elif kind == "CIDR":
        yield from (BlockPeer(network(one, rule.at(key)), pods=blocks) for one in rule.texts(key))
    elif kind == "CIDRSet":
        for one in rule.groups(key):
            if "cidr" in one:
                yield ip_block(one)._replace(pods=blocks)
            else:
                yield EntityPeer("outside", certain=False)  # a CiliumCIDRGroup
    elif kind == "Nodes":
        yield EntityPeer("nodes", certain=False)
    elif kind == "Services":
        yield EntityPeer("everyone", certain=False)  # its endpoints are known to the cluster alone
    else:  # names of hosts, groups of a cloud
        yield EntityPeer("outside", certain=False)


def _pods(selector: Fields, namespace: str) -> PodPeer:
    """A selector of a policy with a namespace is for that one, unless it names others or something reserved."""
    asked = tuple(_account(one) for one in selectors.cilium(selector))
    own = namespace and not any(one.of != "pod" for one in asked)
    return PodPeer(asked, namespace if own else "")


def _account(one: Asked) -> Asked:
    name = one.label.removeprefix("k8s:").removeprefix("any:")
    if name == _CLUSTER:
        return Asked(NAMESPACE_NAME, "Exists")  # the one cluster that is looked at
    return one._replace(label=name) if one.of == "pod" else one


def ports(rule: Fields) -> list[PortMatch]:
    """The ports of a rule; without one, it is for all."""
    return [match for group in rule.groups("toPorts") for match in _ports(group)]


def _ports(group: Fields) -> Iterator[PortMatch]:
    listed = group.groups("ports")
    if not listed:
        yield PortMatch()
    for port in listed:
        of = port.text("protocol").upper()
        if of not in _WITH_PORTS:
            continue
        of = "" if of in ("ANY", "") else protocol(of, port.at("protocol"))
        first = port.text("port", "0")
        yield PortMatch(of) if first == "0" else numbers(first, port.text("endPort"), port.at("port"), of)
