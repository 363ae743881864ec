"""In whose grammar a network policy is written: Kubernetes', Cilium's and Calico's say the same in three."""

from collections.abc import Sequence
from typing import Any, Literal

Grammar = Literal["kubernetes", "cilium", "calico"]

TYPES = {"kubernetes": "policyTypes", "calico": "types"}
"""Where a policy says what sides it is for: rules of any other are read by nobody. Cilium's says nothing."""


def grammar_of(kind: str, api: Any) -> Grammar | None:
    """Whose grammar a network policy is written in, by its kind and apiVersion; None for what is none, or nobody's
    that we read. Calico's staged ones let nothing through."""
    group = api.partition("/")[0] if isinstance(api, str) else ""
    if not kind.endswith("NetworkPolicy") or kind.startswith("Staged"):
        return None
    if group.endswith("projectcalico.org") or (not group and kind == "GlobalNetworkPolicy"):
        return "calico"
    if kind.startswith("Cilium"):
        return "cilium"
    return "kubernetes" if group in ("", "networking.k8s.io") else None


def leaves_out(types: Any, side: str) -> bool:
    """Whether what stands in the field of `TYPES` says that a policy is not for `ingress` or `egress`."""
    listed = isinstance(types, Sequence) and not isinstance(types, str)
    return listed and bool(types) and side not in [str(said).lower() for said in types]
