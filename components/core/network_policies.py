"""The grammar of a network policy: Kubernetes', network-policy-api's, Cilium's or Calico's."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Grammar = Literal["kubernetes", "admin", "cilium", "calico"]
"""`admin`: AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy of network-policy-api."""

TYPES = {"kubernetes": "policyTypes", "calico": "types"}
"""The field with the directions that a policy is for; rules for other directions have no effect. Cilium has none."""

PEERS = {"ingress": "from", "egress": "to"}
"""The field with the peers of a rule, in Kubernetes. Cilium has several, which all start with it."""

CALICO_PEERS = {"ingress": "source", "egress": "destination"}
CALICO_SELECTORS = ("selector", "namespaceSelector", "serviceAccounts", "services", "domains")
"""Fields by which a rule of Calico's names a peer, beside its networks (`nets`, `notNets`)."""


_BY_GROUP: dict[str, Grammar] = {
    "": "kubernetes",
    "networking.k8s.io": "kubernetes",
    "extensions": "kubernetes",
    "k8s.cni.cncf.io": "kubernetes",  # MultiNetworkPolicy, of Multus' networks
    "policy.networking.k8s.io": "admin",
}


def grammar_of(kind: str, api: Any) -> Grammar | None:
    """The grammar of a network policy, by its kind and apiVersion; None for all others.

    Calico's staged policies have no effect, so they are none.
    """
    group = api.partition("/")[0] if isinstance(api, str) else ""
    if not kind.endswith("NetworkPolicy") or kind.startswith("Staged"):
        return None
    if group.endswith("projectcalico.org") or (not group and kind == "GlobalNetworkPolicy"):
        return "calico"
    if kind.startswith("Cilium"):
        return "cilium"
    return _BY_GROUP.get(group)


def leaves_out(types: Any, side: str) -> bool:
    """Whether the value of the field of `TYPES` leaves out a direction, `ingress` or `egress`."""
    listed = isinstance(types, Sequence) and not isinstance(types, str)
    return listed and bool(types) and side not in [str(said).lower() for said in types]


def calico_allows(rule: Mapping[str, Any]) -> bool:
    """Whether a rule of Calico's lets traffic through: its action may also be Deny, Log or Pass."""
    return str(rule.get("action")).lower() == "allow"


def allows(grammar: Grammar, rule: Mapping[str, Any]) -> bool:
    """Whether a rule lets traffic through."""
    if grammar == "calico":
        return calico_allows(rule)
    return grammar != "admin" or str(rule.get("action")) in ("Allow", "Accept")


def names_no_peer(grammar: Grammar, rule: Mapping[str, Any], side: str) -> bool:
    """Whether a rule allows everybody because it names no peer."""
    if grammar == "calico":
        peer = rule.get(CALICO_PEERS[side])
        return not isinstance(peer, Mapping) or not any(peer.get(key) for key in ("nets", *CALICO_SELECTORS))
    if grammar in ("kubernetes", "admin"):
        return not rule.get(PEERS[side])
    # Cilium: an empty rule allows nothing; a rule with ports alone allows everybody on these ports.
    peers = [rule[key] for key in rule if key.startswith(PEERS[side]) and key != "toPorts"]
    return bool(rule.get("toPorts")) and not any(peers)
