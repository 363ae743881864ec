"""NetworkPolicy and GlobalNetworkPolicy of projectcalico.org. Pure.

Read as Calico 3.32 does: tiers by their order, in a tier policies by their order and name, and the first rule that
matches decides.
"""

import math
from collections.abc import Iterator

from components.core.manifests import FieldError, Fields, ManifestView
from components.core.network_policies import CALICO_PEERS
from components.reach.grammars.parts import clause, label, network, numbers, protocol
from components.reach.model import (
    DIRECTIONS,
    Action,
    BlockPeer,
    Clause,
    Direction,
    EntityPeer,
    Peer,
    PodPeer,
    Policy,
    PortMatch,
    Rule,
    Tier,
)
from components.tenancy import selectors

TIERS = (Tier(1_000, "admin"), Tier(1_000_000, "default"), Tier(10_000_000, "baseline"))
"""Where Calico has the policies of Kubernetes: kube-admin, default, kube-baseline."""
_NAMES = {"kube-admin": "admin", "kube-baseline": "baseline", "adminnetworkpolicy": "admin"}
_ACTIONS: dict[str, Action | None] = {"allow": "allow", "deny": "deny", "pass": "pass", "log": None}
_OTHER_SIDE: dict[Direction, Direction] = {"ingress": "egress", "egress": "ingress"}
_SELECTING = ("selector", "notSelector", "namespaceSelector", "serviceAccounts")


def tier_name(name: str) -> str:
    """The name of a tier, with one name for those of Kubernetes."""
    return _NAMES.get(name, name)


def tier(view: ManifestView) -> tuple[Tier, bool]:
    """A tier, and whether it denies what no rule matches. Raises FieldError."""
    order = view.spec.raw.get("order")
    if order is not None and not isinstance(order, int | float):
        raise FieldError("spec.order", "is not a number")
    return Tier(math.inf if order is None else order, tier_name(view.name)), view.spec.text(
        "defaultAction", "Deny"
    ) == "Deny"


def policies(view: ManifestView) -> Iterator[Policy]:
    """One for each direction. Raises FieldError where order, directions or the selected pods can't be read."""
    spec, clusterwide = view.spec, view.kind == "GlobalNetworkPolicy"
    namespace = "" if clusterwide else view.namespace
    order = spec.raw.get("order")
    if order is not None and (isinstance(order, bool) or not isinstance(order, int | float)):
        raise FieldError("spec.order", "is not a number")
    subject = [PodPeer(tuple(one), namespace) for one in selectors.calico_selectors(spec)]
    clauses = [Clause(tuple(subject))]
    if chosen := spec.text("serviceAccountSelector"):
        clauses.append(Clause((EntityPeer("everyone", certain=chosen == "all()"),)))
    types = [word.lower() for word in spec.texts("types")]
    if not types:
        types = ["ingress"] if spec.items("ingress") or not spec.items("egress") else []
        types += ["egress"] if spec.items("egress") else []
    where = tier_name(spec.text("tier", "default"))
    for direction in DIRECTIONS:
        if direction in types:
            written = [(index, rule) for index, rule in enumerate(spec.groups(direction)) if _action(rule)]
            rules = tuple(_rule(rule, direction, index, namespace) for index, rule in written)
            at = (math.inf if order is None else float(order), view.metadata.text("name", "?"))
            yield Policy(
                label(view, clusterwide=clusterwide), direction, where, at, namespace, tuple(clauses), rules, True
            )


def _action(rule: Fields) -> Action | None:
    action = rule.text("action").lower()
    if action not in _ACTIONS:
        raise FieldError(rule.at("action"), "is no action")
    return _ACTIONS[action]


def _rule(rule: Fields, direction: Direction, index: int, namespace: str) -> Rule:
    action, where = _action(rule) or "pass", f"{direction}[{index}]"
    try:
        destination = rule.group("destination")
        unsure = next(
            (f"the rule has {key}" for key in ("http", "icmp", "notICMP", "ipVersion") if rule.raw.get(key)), ""
        )
        source = rule.group("source")
        if source.items("ports") or source.items("notPorts"):
            unsure = "the rule is only for some source ports"
        ports, unports = _ports(rule, destination)
        peers, doubt = _side(rule.group(CALICO_PEERS[direction]), namespace)
        local, other = _side(rule.group(CALICO_PEERS[_OTHER_SIDE[direction]]), namespace)
        return Rule(action, where, peers, local, ports, unports, unsure or doubt or other)
    except FieldError as error:
        return Rule(action, where, unsure=str(error))


def _side(peer: Fields, namespace: str) -> tuple[tuple[Clause, ...], str]:
    """What one side must be, and what of it is not known."""
    clauses: list[Clause] = []
    doubt = ""
    written = [key for key in _SELECTING if peer.raw.get(key)]
    accounts = peer.group("serviceAccounts")
    if accounts.text("selector"):
        doubt = "the rule selects ServiceAccounts by their labels"
    names = tuple(accounts.texts("names"))
    limited = "" if peer.text("namespaceSelector") else namespace
    if set(written) - {"notSelector"}:
        clauses += clause(PodPeer(tuple(one), limited, names) for one in selectors.calico_selectors(peer))
    if text := peer.text("notSelector"):
        clauses.append(
            Clause(tuple(PodPeer(tuple(one)) for one in selectors.calico(text, peer.at("notSelector"), "pod")), True)
        )
        if written == ["notSelector"] and namespace:
            doubt = "the rule has notSelector alone"
    for key, negated in (("nets", False), ("notNets", True)):
        if nets := peer.texts(key):
            blocks: list[Peer] = [BlockPeer(network(one, peer.at(key))) for one in nets]
            clauses.append(Clause(tuple(blocks), negated))
    for key in ("services", "domains"):
        if peer.raw.get(key):
            clauses += clause([EntityPeer("everyone" if key == "services" else "outside", certain=False)])
    return tuple(clauses), doubt


def _ports(rule: Fields, destination: Fields) -> tuple[tuple[PortMatch, ...] | None, tuple[PortMatch, ...]]:
    of, not_of = (rule.text(key).upper() for key in ("protocol", "notProtocol"))
    if of and of not in ("TCP", "UDP", "SCTP"):
        return (), ()  # for a protocol without ports: none of ours
    if not_of:
        protocol(not_of, rule.at("notProtocol"))
    unports = [_port(one, of, destination) for one in destination.texts("notPorts")]
    unports += [PortMatch(not_of)] if not_of else []
    return tuple(ports(rule)) or ((PortMatch(of),) if of else None), tuple(unports)


def ports(rule: Fields) -> list[PortMatch]:
    """The ports of a rule; without one, it is for all."""
    destination = rule.group("destination")
    return [_port(one, rule.text("protocol").upper(), destination) for one in destination.texts("ports")]


def _port(text: str, of: str, destination: Fields) -> PortMatch:
    first, _, last = text.partition(":")
    return numbers(first, last, destination.at("ports"), of)
