"""Where network policies let pods send bytes: policies of Kubernetes, network-policy-api, Cilium and Calico, and the
groups of networks that they refer to.

A policy of another project is undecided. So is a peer that no grammar here has.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.core.endpoints import in_ascii, inside, outside_of
from components.core.network_policies import TYPES, Grammar, allows, grammar_of, leaves_out, names_no_peer
from components.core.unknown import UNKNOWN
from components.residency.rules import EVERYWHERE, NOT_KNOWN, DataFlow

Manifest = Mapping[str, Any]

GROUP_KINDS = (
    "cilium.io:CiliumCIDRGroup",
    "projectcalico.org:GlobalNetworkSet",
    "crd.projectcalico.org:GlobalNetworkSet",
)
"""Groups of networks of the whole cluster, to which policies refer."""
_SETS = {
    "CiliumCIDRGroup": {"externalCIDRs": "nets"},
    "GlobalNetworkSet": {"nets": "nets", "allowedEgressDomains": "domains"},
    "NetworkSet": {"nets": "nets", "allowedEgressDomains": "domains"},
}
"""By kind: fields of its spec, and the field of `_PEERS` that means the same."""
_POLICIES = ("NetworkPolicy", "EgressFirewall", "EgressRule")
"""Ends of the names of kinds that say what pods may call."""
_WORLD = ("world", "world-ipv4", "world-ipv6", "all")
"""Cilium's entities outside the cluster."""
_NETWORKS = ("cidr", "nets", "networks", "toCIDR")
_NAMES = ("matchName", "matchPattern", "domains", "domainNames")
_GROUPS = ("to", "ipBlock", "destination", "toFQDNs", "toCIDRSet")
"""Groups of fields that hold peers."""
_NO_PEER = frozenset(
    (
        *("action", "name", "metadata", "protocol", "notProtocol", "ipVersion", "icmp", "notICMP", "icmps", "http"),
        *("ports", "notPorts", "toPorts", "authentication", "source", "except", "notNets"),
        # Pods, nodes and Services of the cluster.
        *(
            "podSelector",
            "namespaceSelector",
            "selector",
            "notSelector",
            "serviceAccounts",
            "services",
            "pods",
            "nodes",
        ),
        *("namespaces", "toEndpoints", "toServices", "toNodes", "toRequires"),
    )
)
"""Fields of a rule that name nothing outside the cluster."""


def is_network_policy(kind: str) -> bool:
    """Whether an object says what pods may call, or is a group of networks for such objects."""
    return kind in _SETS or (kind.endswith(_POLICIES) and not kind.startswith("Staged"))


def egress_flows(kind: str, manifest: Manifest, groups: Sequence[Manifest] = ()) -> Iterator[DataFlow]:
    """What an object of `is_network_policy` lets pods call. `groups`: the program's objects of GROUP_KINDS."""
    grammar = grammar_of(kind, manifest.get("apiVersion"))
    if kind in _SETS:
        spec = manifest.get("spec")
        if spec is UNKNOWN:
            yield DataFlow(NOT_KNOWN, "egress", "spec")
        fields = spec if isinstance(spec, Mapping) else {}
        for field, peer in _SETS[kind].items():
            yield from _peer(f"spec.{field}", peer, fields.get(field), groups)
    elif grammar is None:
        api = manifest.get("apiVersion")
        yield DataFlow(
            NOT_KNOWN,
            "egress",
            "spec",
            remedy="write it as a NetworkPolicy of Kubernetes, or as a policy of Cilium or Calico",
            unknown=f"what a {kind} of {api if isinstance(api, str) else 'an unknown API'} lets pods call is not read",
        )
    else:
        for field, rule in _rules(grammar, manifest):
            yield from _rule(grammar, field, rule, groups)


def _rules(grammar: Grammar, manifest: Manifest) -> Iterator[tuple[str, Any]]:
    """Field and value of every egress rule, and of what may be rules and is not known yet."""
    specs = manifest.get("specs")  # Cilium takes several in one object
    listed = [("specs", specs)]
    if isinstance(specs, Sequence) and not isinstance(specs, str):
        listed = [(f"specs.{index}", spec) for index, spec in enumerate(specs)]
    for field, spec in (("spec", manifest.get("spec")), *listed):
        if spec is UNKNOWN:
            yield field, UNKNOWN
        if not isinstance(spec, Mapping):
            continue
        types, rules = spec.get(TYPES.get(grammar, "")), spec.get("egress")
        if isinstance(types, list) and UNKNOWN not in types and leaves_out(types, "egress"):
            continue
        if rules is UNKNOWN:
            yield f"{field}.egress", UNKNOWN
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            yield f"{field}.egress.{index}", rule


def _rule(grammar: Grammar, field: str, rule: Any, groups: Sequence[Manifest]) -> Iterator[DataFlow]:
    if rule is UNKNOWN:
        yield DataFlow(NOT_KNOWN, "egress", field)
    if not isinstance(rule, Mapping):
        return
    action = rule.get("action")
    if action is not UNKNOWN and not allows(grammar, rule):
        return
    if names_no_peer(grammar, rule, "egress") and rule.get("destination") is not UNKNOWN:
        undecided = action is UNKNOWN and grammar in ("calico", "admin")
        yield DataFlow(NOT_KNOWN if undecided else EVERYWHERE, "egress", field)
    yield from _peers(field, rule, groups)


def _peers(field: str, value: Any, groups: Sequence[Manifest]) -> Iterator[DataFlow]:
    if value is UNKNOWN:
        yield DataFlow(NOT_KNOWN, "egress", field)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            here = f"{field}.{key}"
            if key in _GROUPS:
                yield from _peers(here, inner, groups)
            elif key == "namespaceSelector" and str(inner).replace(" ", "") == "global()":
                yield from _by_group(here, "GlobalNetworkSet", {}, groups)
            elif key not in _NO_PEER:
                yield from _peer(here, key, inner, groups)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, inner in enumerate(value):
            yield from _peers(f"{field}.{index}", inner, groups)


def _peer(field: str, key: str, value: Any, groups: Sequence[Manifest]) -> Iterator[DataFlow]:
    """What one field of a peer names."""
    if value is None:
        return
    for one in value if isinstance(value, list) else [value]:
        if one is UNKNOWN:
            yield DataFlow(NOT_KNOWN, "egress", field)
        elif key in _NETWORKS:
            if public := outside_of(str(one)):
                yield DataFlow(public, "egress", field)
        elif key in _NAMES:
            yield from named_flow(field, one, "egress")
        elif key == "toEntities":
            if one in _WORLD:
                yield DataFlow(EVERYWHERE, "egress", field)
        elif key == "toGroups" and isinstance(one, Mapping):
            # Addresses that Cilium's operator asks a cloud for.
            yield from (DataFlow(str(cloud).lower(), "egress", f"{field}.{cloud}") for cloud in one)
        elif key == "cidrGroupRef":
            yield from _by_group(field, "CiliumCIDRGroup", {"name": one}, groups)
        elif key == "cidrGroupSelector":
            yield from _by_group(field, "CiliumCIDRGroup", {"labels": one}, groups)
        else:
            yield DataFlow(
                NOT_KNOWN, "egress", field, remedy=_REMEDY, unknown="what this field lets pods call is not read"
            )


_REMEDY = "write the networks or the names"


def _by_group(field: str, kind: str, wanted: Manifest, groups: Sequence[Manifest]) -> Iterator[DataFlow]:
    """Nothing where the program has the group, which then has its own data flows."""
    if not any(group.get("kind") == kind and _is_meant(group.get("metadata"), wanted) for group in groups):
        which = f"{kind} '{wanted['name']}'" if "name" in wanted else f"every {kind} that is selected"
        yield DataFlow(
            NOT_KNOWN,
            "egress",
            field,
            remedy=f"make the {kind} in this program, or {_REMEDY}",
            unknown=f"{which} is not in this program, so what it holds is not known",
        )


def _is_meant(metadata: Any, wanted: Manifest) -> bool:
    metadata = metadata if isinstance(metadata, Mapping) else {}
    if "name" in wanted:
        return bool(metadata.get("name") == wanted["name"])
    labels, selector = metadata.get("labels") or {}, wanted.get("labels") or {}
    if not isinstance(labels, Mapping) or not isinstance(selector, Mapping):
        return False
    asked = selector.get("matchLabels") or {}
    exact = isinstance(asked, Mapping) and all(labels.get(key) == value for key, value in asked.items())
    return exact and not selector.get("matchExpressions")


def named_flow(field: str, value: Any, purpose: str) -> Iterator[DataFlow]:
    """A host name, or a pattern of names: `*.example.no`, `s3.*.example.no`."""
    if value is UNKNOWN:
        yield DataFlow(NOT_KNOWN, purpose, field)
    elif isinstance(value, str) and (name := in_ascii(value.strip().lower()).rstrip(".")):
        if set(name) <= {"*", "."}:
            yield DataFlow(EVERYWHERE, purpose, field)
        elif not inside(name) or ("*" in name and "." not in name):
            yield DataFlow(name, purpose, field)
