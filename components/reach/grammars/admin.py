"""ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy of policy.networking.k8s.io. Pure."""

from collections.abc import Iterator

from components.core.manifests import FieldError, Fields, ManifestView
from components.core.network_policies import PEERS
from components.reach.grammars.parts import (
    ADMIN,
    BASELINE,
    at,
    clause,
    label,
    label_selector,
    network,
    numbers,
    pods_in,
    protocol,
    rule_or_doubt,
)
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

_ACTIONS: dict[str, Action] = {"Accept": "allow", "Allow": "allow", "Deny": "deny", "Pass": "pass"}
_TIERS = {"Admin": ADMIN, "Baseline": BASELINE}


def policies(view: ManifestView, blocks: InBlocks) -> Iterator[Policy]:
    """One for each direction. Raises FieldError where tier, priority, action or the selected pods can't be read."""
    spec = view.spec
    tier = {"AdminNetworkPolicy": ADMIN, "BaselineAdminNetworkPolicy": BASELINE}.get(view.kind)
    if tier is None:
        tier = _TIERS.get(spec.text("tier"))
    if tier is None:
        raise FieldError("spec.tier", "is neither Admin nor Baseline")
    subject = _subject(spec.group("subject"))
    order = (float(spec.number("priority")), view.metadata.text("name"))
    for direction in DIRECTIONS:
        rules = tuple(_rule(rule, direction, index, blocks) for index, rule in enumerate(spec.groups(direction)))
        if rules:
            yield Policy(label(view, clusterwide=True), direction, tier, order, "", subject, rules)


def _subject(subject: Fields) -> tuple[Clause, ...]:
    if "pods" in subject:
        pods = subject.group("pods")
        return clause([pods_in(pods.group("namespaceSelector"), pods.group("podSelector"))])
    if "namespaces" not in subject:
        raise FieldError("spec.subject", "names neither pods nor namespaces")
    return clause([PodPeer(label_selector(subject.group("namespaces")))])


def _rule(rule: Fields, direction: Direction, index: int, blocks: InBlocks) -> Rule:
    action = _ACTIONS.get(rule.text("action"))
    if action is None:
        raise FieldError(rule.at("action"), "is no action")
    where = at(direction, index)
    if name := rule.text("name"):
        where = f"{where} ({name})"

    def make() -> Rule:
        peers = rule.groups(PEERS[direction])
        found = [one for peer in peers for one in _peer(peer, blocks)]
        return Rule(action, where, clause(found) if peers else (), ports=tuple(ports(rule)) or None)

    return rule_or_doubt(make, Rule(action, where))


def _peer(peer: Fields, blocks: InBlocks) -> Iterator[Peer]:
    if not peer.raw or (unknown := set(peer.raw) - {"namespaces", "pods", "nodes", "networks", "domainNames"}):
        raise FieldError(peer.at(min(unknown)) if peer.raw else peer.path, "is not known")
    if "namespaces" in peer:
        yield PodPeer(label_selector(peer.group("namespaces")))
    if "pods" in peer:
        pods = peer.group("pods")
        yield pods_in(pods.group("namespaceSelector"), pods.group("podSelector"))
    if "nodes" in peer:
        yield EntityPeer("nodes", certain=False)
    for one in peer.texts("networks"):
        yield BlockPeer(network(one, peer.at("networks")), pods=blocks)
    if "domainNames" in peer:
        yield EntityPeer("outside", certain=False)


def ports(rule: Fields) -> list[PortMatch]:
    """The ports of a rule; without one, it is for all."""
    return [*map(_old_port, rule.groups("ports")), *map(_port, rule.groups("protocols"))]


def _old_port(port: Fields) -> PortMatch:
    """Of v1alpha1."""
    if "namedPort" in port:
        return PortMatch(name=port.text("namedPort"))
    if "portNumber" in port:
        one = port.group("portNumber")
        of = protocol(one.text("protocol", "TCP"), one.at("protocol"))
        return numbers(one.text("port"), "", one.at("port"), of)
    listed = port.group("portRange")
    of = protocol(listed.text("protocol", "TCP"), listed.at("protocol"))
    return numbers(listed.text("start", "-"), listed.text("end", "-"), listed.path, of)


def _port(written: Fields) -> PortMatch:
    """Of v1alpha2 and later."""
    if "destinationNamedPort" in written:
        return PortMatch(name=written.text("destinationNamedPort"))
    if len(written.raw) != 1:
        raise FieldError(written.path, "has not exactly one protocol")
    (name,) = written
    of, port = protocol(name, written.path), written.group(name).group("destinationPort")
    if "range" in port:
        listed = port.group("range")
        return numbers(listed.text("start", "-"), listed.text("end", "-"), listed.path, of)
    return numbers(port.text("number"), "", port.path, of) if port.raw else PortMatch(of)
