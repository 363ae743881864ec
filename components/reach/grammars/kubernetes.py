"""NetworkPolicy of networking.k8s.io. Pure."""

from collections.abc import Iterator

from components.core.manifests import DEFAULT_NAMESPACE, FieldError, Fields, ManifestView
from components.core.network_policies import PEERS
from components.reach.grammars.parts import (
    DEFAULT,
    at,
    clause,
    ip_block,
    label_selector,
    numbers,
    protocol,
    rule_or_doubt,
)
from components.reach.model import Direction, InBlocks, Peer, PodPeer, Policy, PortMatch, Rule

_WRITTEN: tuple[Direction, Direction] = ("ingress", "egress")
"""In the order in which a policy has its rules."""


def policies(view: ManifestView, blocks: InBlocks) -> Iterator[Policy]:
    """One for each direction. Raises FieldError where the directions or the selected pods can't be read."""
    spec, metadata = view.spec, view.metadata
    namespace, name = metadata.text("namespace", DEFAULT_NAMESPACE), metadata.text("name", "?")
    selected = clause([PodPeer(label_selector(spec.group("podSelector"), "pod"), namespace)])
    label, order = f"{view.kind} {namespace}/{name}", (1000, f"knp.default.{name}")  # Calico's order of them
    for direction in directions(spec):
        rules = tuple(
            _rule(rule, direction, index, namespace, blocks) for index, rule in enumerate(spec.groups(direction))
        )
        yield Policy(label, direction, DEFAULT, order, namespace, selected, rules, isolates=True)


def directions(spec: Fields) -> list[Direction]:
    """Both, if not said: ingress always, egress where there are rules for it."""
    said = [word.lower() for word in spec.texts("policyTypes")]
    if not said:
        said = ["ingress", "egress"] if spec.raw.get("egress") else ["ingress"]
    if unknown := set(said) - {"ingress", "egress"}:
        raise FieldError("spec.policyTypes", f"has {', '.join(sorted(unknown))}, which is no direction")
    return [direction for direction in _WRITTEN if direction in said]


def _rule(rule: Fields, direction: Direction, index: int, namespace: str, blocks: InBlocks) -> Rule:
    where = at(direction, index)

    def make() -> Rule:
        peers = rule.groups(PEERS[direction])
        found = [_peer(peer, namespace, blocks) for peer in peers]
        return Rule("allow", where, clause(found) if peers else (), ports=tuple(ports(rule)) or None)

    return rule_or_doubt(make, Rule("allow", where))


def _peer(peer: Fields, namespace: str, blocks: InBlocks) -> Peer:
    if unknown := set(peer.raw) - {"ipBlock", "namespaceSelector", "podSelector"}:
        raise FieldError(peer.at(min(unknown)), "is not known")
    block = peer.group("ipBlock")
    if block.raw:
        return ip_block(block)._replace(pods=blocks)
    if "podSelector" not in peer and "namespaceSelector" not in peer:
        raise FieldError(peer.path, "has neither ipBlock, podSelector nor namespaceSelector")
    pods_selector = label_selector(peer.group("podSelector"), "pod")
    if peer.raw.get("namespaceSelector") is None:
        return PodPeer(pods_selector, namespace)
    return PodPeer((*label_selector(peer.group("namespaceSelector")), *pods_selector))


def ports(rule: Fields) -> list[PortMatch]:
    """The ports of a rule; without one, it is for all."""
    return [_port(port) for port in rule.groups("ports")]


def _port(port: Fields) -> PortMatch:
    of = protocol(port.text("protocol", "TCP"), port.at("protocol"))
    first = port.text("port")
    return numbers(first, port.text("endPort"), port.at("port"), of) if first else PortMatch(of)
