"""The table of what works together: Kubernetes, kernel, CNI, kube-proxy, Gateway API and MetalLB, with its sources.

A row is a requirement: a part in a span of versions, or a feature, needs another part in a span of versions. Versions
compare by as many numbers as the bound has: `1.19` as an upper bound holds 1.19.6.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Part(StrEnum):
    """Something with a version, in an operator's words."""

    KUBERNETES = "Kubernetes"
    KERNEL = "Linux"
    CILIUM = "Cilium"
    CALICO = "Calico"
    GATEWAY_API = "Gateway API"
    METALLB = "MetalLB"
    TRAEFIK = "Traefik"


class Feature(StrEnum):
    """Something that is on, in an operator's words."""

    CILIUM_GATEWAY = "Cilium's Gateway"
    WIREGUARD = "WireGuard"
    PROXY_NFTABLES = "kube-proxy with nftables"
    CALICO_BPF = "Calico's BPF data plane"
    CALICO_NFTABLES = "Calico's Nftables data plane"
    METALLB_POOLS = "MetalLB's pools as objects"


class Combination(NamedTuple):
    """What a stack file brings together; a part that is not in it is unknown."""

    versions: Mapping[Part, str]
    features: frozenset[Feature] = frozenset()


class Requirement(NamedTuple):
    """A row of the table."""

    part: Part | None
    """Whose requirement it is; None: the feature's alone."""
    since: str
    until: str
    feature: Feature | None
    """Only while this is on."""
    other: Part
    at_least: str
    at_most: str
    why: str
    source: str
    instead: str = ""
    """What to write to be without the requirement."""


def _cilium(since: str, until: str, other: Part, at_least: str, why: str, source: str) -> Requirement:
    return Requirement(Part.CILIUM, since, until, None, other, at_least, "", why, source)


def _gateway(since: str, until: str, at_least: str, at_most: str, why: str, source: str) -> Requirement:
    gateway, off = Feature.CILIUM_GATEWAY, "gatewayApi: false"
    return Requirement(Part.CILIUM, since, until, gateway, Part.GATEWAY_API, at_least, at_most, why, source, off)


def _feature(feature: Feature, other: Part, at_least: str, why: str, source: str, instead: str) -> Requirement:
    return Requirement(None, "", "", feature, other, at_least, "", why, source, instead)


_REQUIREMENTS = "Cilium's system requirements"
_PROXIES = "Kubernetes' page on virtual IPs and proxies"
_CALICO = "Calico's system requirements"
TABLE = (
    _cilium("1.18", "", Part.KERNEL, "5.10", "its programs need 5.10", _REQUIREMENTS),
    _cilium("", "1.17", Part.KERNEL, "5.4", "1.16 and 1.17 need 5.4; older minors took less", _REQUIREMENTS),
    _gateway("1.20", "", "1.6.1", "", "its controller watches kinds of 1.6.1", "Cilium 1.20's upgrade notes"),
    _gateway("1.13", "1.19", "", "1.4.1", "its controller knows no later kinds", "Cilium 1.20's upgrade notes"),
    _gateway("1.15", "1.19", "1.0.0", "", "its controller watches the v1 kinds", "Cilium's page on Gateway API"),
    _gateway("1.14", "1.14", "0.6.0", "", "its controller watches the v1beta1 kinds", "cilium#22680"),
    _feature(Feature.WIREGUARD, Part.KERNEL, "5.6", "WireGuard came with it", "Linux 5.6", "encryption: none"),
    _feature(
        Feature.PROXY_NFTABLES, Part.KERNEL, "5.13", "the mode needs 5.13", _PROXIES, "another mode of kube-proxy"
    ),
    _feature(
        Feature.PROXY_NFTABLES,
        Part.KUBERNETES,
        "1.31",
        "the mode is on by default since 1.31; 1.29 and 1.30 want a feature gate, older ones don't know it",
        "KEP-3866",
        "another mode of kube-proxy",
    ),
    Requirement(Part.CALICO, "", "", Feature.CALICO_BPF, Part.KERNEL, "5.10", "", "its programs need 5.10", _CALICO),
    Requirement(Part.CALICO, "", "", None, Part.KERNEL, "3.10", "", "its iptables rules need 3.10", _CALICO),
    _feature(
        Feature.CALICO_NFTABLES,
        Part.CALICO,
        "3.29",
        "the operator sets it up since 3.29",
        "Calico's page on the nftables data plane; generally available since 3.31",
        "dataplane: Iptables",
    ),
    Requirement(
        Part.GATEWAY_API,
        "1.5",
        "",
        None,
        Part.KUBERNETES,
        "1.30",
        "",
        "since 1.5 it comes with a ValidatingAdmissionPolicy of v1, which Kubernetes has since 1.30",
        "the bundle itself, and Kubernetes 1.30's release notes",
    ),
    Requirement(
        Part.TRAEFIK,
        "3.7",
        "",
        None,
        Part.GATEWAY_API,
        "1.5.0",
        "",
        "it watches TLSRoutes of v1, which came with 1.5, and serves nothing until it has seen some or none",
        "Traefik's pkg/provider/kubernetes/gateway/client.go, v3.7.9",
    ),
    _feature(
        Feature.METALLB_POOLS,
        Part.METALLB,
        "0.13",
        "before it, pools were a ConfigMap and no objects",
        "MetalLB's page on the migration to CRDs",
        "",
    ),
)

CATALOGUE: dict[Part, tuple[str, ...]] = {
    Part.METALLB: ("0.13.12", "0.14.9", "0.15.2", "0.16.1"),
    Part.GATEWAY_API: ("0.5.1", "0.6.2", "0.7.1", "1.0.0", "1.1.0", "1.2.1", "1.3.0", "1.4.1", "1.5.1", "1.6.1"),
    Part.CILIUM: (
        *("1.11.20", "1.12.19", "1.13.18", "1.14.19", "1.15.19"),
        *("1.16.19", "1.17.18", "1.18.12", "1.19.6", "1.20.0"),
    ),
    Part.CALICO: ("3.27.0", "3.28.0", "3.29.0", "3.30.0", "3.31.3", "3.32.1"),
    Part.KUBERNETES: tuple(f"1.{minor}" for minor in range(24, 37)),
}
"""Versions to propose, oldest first; of parts that are equally far, the one that is easier to change first. The
kernel is not among them: a stack file does not choose it."""

TESTED = {
    (Part.CILIUM, "1.15"): ("1.26", "1.29"),
    (Part.CILIUM, "1.16"): ("1.27", "1.30"),
    (Part.CILIUM, "1.18"): ("1.30", "1.33"),
    (Part.CILIUM, "1.19"): ("1.32", "1.35"),
    (Part.CILIUM, "1.20"): ("1.33", "1.36"),
    (Part.CALICO, "3.29"): ("1.29", "1.32"),
    (Part.CALICO, "3.31"): ("1.32", "1.35"),
    (Part.CALICO, "3.32"): ("1.34", "1.36"),
}
"""Kubernetes minors that a CNI's own pages call tested. Others may work: both projects say so.

Cilium's are of Documentation/network/kubernetes/compatibility.rst as it is in that minor's own tags (read: v1.18.14,
v1.19.3, v1.20.2, and the pages of 1.15 and 1.16); Calico's of its system requirements. A minor whose page was not
read has no row, and is called not known to be tested.
"""
