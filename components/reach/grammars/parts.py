"""What several grammars have in common. Pure."""

from collections.abc import Callable, Iterable
from ipaddress import ip_network
from typing import Any

from components.core.manifests import FieldError, Fields, ManifestView
from components.reach.model import (
    HIGHEST_PORT,
    PROTOCOLS,
    BlockPeer,
    Clause,
    Direction,
    Network,
    PodPeer,
    PortMatch,
    Rule,
)
from components.tenancy import selectors
from components.tenancy.selectors import Asked

ADMIN, DEFAULT, BASELINE = "admin", "default", "baseline"
"""Tiers of Kubernetes: a policy of the cluster, NetworkPolicies, and what holds where none of these decides."""


def label_selector(selector: Fields, of: str = "namespace") -> tuple[Asked, ...]:
    """A label selector of Kubernetes'."""
    raw = selector.raw
    if not raw:
        return ()
    wanted = raw.get("matchLabels")
    if len(raw) == 1 and type(wanted) is dict and all(type(value) is str for value in wanted.values()):
        return tuple(Asked(label, "In", (value,), of) for label, value in wanted.items())  # most of them
    return tuple(selectors.kubernetes(selector, of))


def pods_in(namespaces: Fields, pods: Fields) -> PodPeer:
    """Pods by selectors of their namespace and of themselves."""
    return PodPeer((*label_selector(namespaces), *label_selector(pods, "pod")))


def network(text: str, path: str) -> Network:
    """A CIDR, or an address alone. Raises FieldError."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise FieldError(path, "is not a network") from None


def ip_block(block: Fields) -> BlockPeer:
    """A network with exceptions, as Kubernetes and Cilium have them. Raises FieldError."""
    excepted = tuple(network(one, block.at("except")) for one in block.texts("except"))
    return BlockPeer(network(block.text("cidr"), block.at("cidr")), excepted)


def protocol(text: str, path: str) -> str:
    """The name of a protocol that has ports. Raises FieldError for another."""
    if text.upper() not in PROTOCOLS:
        raise FieldError(path, "is no protocol with ports")
    return text.upper()


def numbers(first: str, last: str, path: str, of: str) -> PortMatch:
    """A range of ports, or a port by its number or name. Raises FieldError."""
    if not first.isdecimal():
        return PortMatch(of, name=first)
    begin, end = int(first), int(last or first) if (last or first).isdecimal() else 0
    if not (0 < begin <= end <= HIGHEST_PORT):
        raise FieldError(path, "is no range of ports")
    return PortMatch(of, begin, end)


def rule_or_doubt(make: Callable[[], Rule], doubt: Rule) -> Rule:
    """The rule; where a field of it can't be read, `doubt`, which may match anything."""
    try:
        return make()
    except FieldError as error:
        return doubt._replace(unsure=str(error))


def clause(peers: Iterable[Any]) -> tuple[Clause, ...]:
    """The condition that one of these peers is on the other side."""
    return (Clause(tuple(peers)),)


def at(direction: Direction, index: int) -> str:
    """Where a rule is in its policy."""
    return f"{direction}[{index}]"


def label(view: ManifestView, *, clusterwide: bool) -> str:
    """What answers call a policy."""
    name = view.metadata.text("name", "?")
    return f"{view.kind} {name}" if clusterwide else f"{view.kind} {view.namespace}/{name}"
