"""Where network policies let bytes go, in the grammars of Kubernetes, Cilium and Calico."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.core.endpoints import host_of, outside_of
from components.core.network_policies import TYPES, Grammar, calico_allows, leaves_out, names_no_peer
from components.core.unknown import UNKNOWN
from components.residency.rules import EVERYWHERE, NOT_KNOWN, DataFlow

_REFUSALS = ("egressDeny", "ingressDeny")
"""Cilium's lists of who may not be called."""
_WORLD = {"world", "world-ipv4", "world-ipv6", "all"}


def in_force(grammar: Grammar, body: Mapping[str, Any]) -> dict[str, Any]:
    """A network policy without what allows no traffic: refusals, and a side that its explicit types leave out."""
    kept = dict(body)
    if isinstance(body.get("spec"), Mapping):
        kept["spec"] = _allowing(grammar, body["spec"])
    if isinstance(specs := body.get("specs"), list):
        kept["specs"] = [_allowing(grammar, spec) if isinstance(spec, Mapping) else spec for spec in specs]
    return kept


def _allowing(grammar: Grammar, spec: Mapping[str, Any]) -> dict[str, Any]:
    types = spec.get(TYPES.get(grammar, ""))
    idle = isinstance(types, list) and UNKNOWN not in types and leaves_out(types, "egress")
    kept = {key: value for key, value in spec.items() if key not in _REFUSALS and not (idle and key == "egress")}
    if grammar == "calico" and isinstance(rules := kept.get("egress"), list):
        kept["egress"] = [rule if _may_allow(rule) else {} for rule in rules]  # the others keep their places
    return kept


def _may_allow(rule: Any) -> bool:
    return not isinstance(rule, Mapping) or rule.get("action") is UNKNOWN or calico_allows(rule)


def policy_flows(grammar: Grammar, body: Mapping[str, Any]) -> Iterator[DataFlow]:
    """Rules that allow every destination, and networks in Calico's grammar. `body`: as `in_force` leaves it."""
    specs = body.get("specs")  # Cilium takes several in one object
    for spec in (body.get("spec"), *(specs if isinstance(specs, list) else ())):
        rules = spec.get("egress") if isinstance(spec, Mapping) else None
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(rule, Mapping) and grammar == "calico":
                yield from _by_calico(index, rule)
            elif isinstance(rule, Mapping):
                named = rule.get("toEntities")
                entities = map(str, named) if isinstance(named, Sequence) else ()
                if names_no_peer(grammar, rule, "egress") or not _WORLD.isdisjoint(entities):
                    yield DataFlow(EVERYWHERE, "egress", "spec.egress")


def _by_calico(index: int, rule: Mapping[str, Any]) -> Iterator[DataFlow]:
    action, destination = rule.get("action"), rule.get("destination")
    field = f"spec.egress.{index}"
    if action is None or destination is UNKNOWN:
        return  # no rule, or a group in which a destination may be
    if names_no_peer("calico", rule, "egress"):
        yield DataFlow(NOT_KNOWN if action is UNKNOWN else EVERYWHERE, "egress", field)
    destination = destination if isinstance(destination, Mapping) else {}
    if "nets" in destination:
        yield from listed_flows(f"{field}.destination.nets", destination["nets"], "egress")
    domains = destination.get("domains")
    for name in domains if isinstance(domains, list) else [domains]:
        yield from named_flow(f"{field}.destination.domains", name, "egress")


def listed_flows(field: str, values: Any, purpose: str) -> Iterator[DataFlow]:
    """Addresses and networks in one field, by themselves or as `{cidr}`."""
    listed = values if isinstance(values, Sequence) and not isinstance(values, str) else [values]
    for value in listed:
        cidr = value.get("cidr") if isinstance(value, Mapping) else value
        if cidr is UNKNOWN:
            yield DataFlow(NOT_KNOWN, purpose, field)
        elif isinstance(cidr, str) and (public := outside_of(cidr)):
            yield DataFlow(public, purpose, field)


def named_flow(field: str, value: Any, purpose: str) -> Iterator[DataFlow]:
    """A host name, or a wildcard."""
    if value is UNKNOWN:
        yield DataFlow(NOT_KNOWN, purpose, field)
    elif value == "*":
        yield DataFlow(EVERYWHERE, purpose, field)  # every name there is
    elif isinstance(value, str) and value:
        name = value.lower().rstrip(".")
        if name.startswith("*.") or host_of(name):
            yield DataFlow(name, purpose, field)
