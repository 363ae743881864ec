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
    CERT_MANAGER = "cert-manager"


class Feature(StrEnum):
    """Something that is on, in an operator's words."""

    CILIUM_GATEWAY = "Cilium's Gateway"
    PROXY_NFTABLES = "kube-proxy with nftables"
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


def _gateway(since: str, until: str, at_least: str, at_most: str, why: str, source: str) -> Requirement:
    gateway, off = Feature.CILIUM_GATEWAY, "gatewayApi: false"
    return Requirement(Part.CILIUM, since, until, gateway, Part.GATEWAY_API, at_least, at_most, why, source, off)


def _feature(feature: Feature, other: Part, at_least: str, why: str, source: str, instead: str) -> Requirement:
    return Requirement(None, "", "", feature, other, at_least, "", why, source, instead)


_CILIUM = "Cilium's system requirements"
_PROXIES = "Kubernetes' page on virtual IPs and proxies"
_CALICO = "Calico's system requirements, read for 3.29 and for 3.31 to 3.33"
TABLE = (
    Requirement(Part.CILIUM, "", "", None, Part.KERNEL, "5.10", "", "its programs need 5.10", _CILIUM),
    _gateway("1.20", "", "1.6.1", "", "its controller watches kinds of 1.6.1", "Cilium 1.20's upgrade notes"),
    _gateway("", "1.19", "", "1.4.1", "its controller knows no later kinds", "Cilium 1.20's upgrade notes"),
    _gateway("", "1.19", "1.0.0", "", "its controller watches the v1 kinds", "Cilium's page on Gateway API"),
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
    Requirement(Part.CALICO, "", "", None, Part.KERNEL, "5.10", "", "it needs 5.10 since 3.29", _CALICO),
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
        "1.1",
        "",
        None,
        Part.KUBERNETES,
        "1.26",
        "",
        "its CRDs have validation rules that older API servers do not know",
        "Gateway API's page on versions",
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
