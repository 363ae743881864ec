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
    other: Part
    why: str
    source: str
    since: str = ""
    until: str = ""
    at_least: str = ""
    at_most: str = ""
    feature: Feature | None = None
    """Only while this is on."""
    instead: str = ""
    """What to write to be without the requirement."""


def _gateway(why: str, source: str, **span: str) -> Requirement:
    gateway, off = Feature.CILIUM_GATEWAY, "gatewayApi: false"
    return Requirement(Part.CILIUM, Part.GATEWAY_API, why, source, feature=gateway, instead=off, **span)


def _feature(feature: Feature, other: Part, why: str, source: str, **span: str) -> Requirement:
    return Requirement(None, other, why, source, feature=feature, **span)


_CILIUM = "Cilium's system requirements"
_PROXIES = "Kubernetes' page on virtual IPs and proxies"
_CALICO = "Calico's system requirements, read for 3.29 and for 3.31 to 3.33"
TABLE = (
    Requirement(Part.CILIUM, Part.KERNEL, "its programs need 5.10", _CILIUM, at_least="5.10"),
    _gateway("its controller watches kinds of 1.6.1", "Cilium 1.20's upgrade notes", since="1.20", at_least="1.6.1"),
    _gateway("its controller knows no later kinds", "Cilium 1.20's upgrade notes", until="1.19", at_most="1.4.1"),
    _gateway("its controller watches the v1 kinds", "Cilium's page on Gateway API", until="1.19", at_least="1.0.0"),
    _feature(
        Feature.PROXY_NFTABLES,
        Part.KERNEL,
        "the mode needs 5.13",
        _PROXIES,
        at_least="5.13",
        instead="another mode of kube-proxy",
    ),
    _feature(
        Feature.PROXY_NFTABLES,
        Part.KUBERNETES,
        "the mode is on by default since 1.31; 1.29 and 1.30 want a feature gate, older ones don't know it",
        "KEP-3866",
        at_least="1.31",
        instead="another mode of kube-proxy",
    ),
    Requirement(Part.CALICO, Part.KERNEL, "it needs 5.10 since 3.29", _CALICO, at_least="5.10"),
    _feature(
        Feature.CALICO_NFTABLES,
        Part.CALICO,
        "the operator sets it up since 3.29",
        "Calico's page on the nftables data plane; generally available since 3.31",
        at_least="3.29",
        instead="dataplane: Iptables",
    ),
    Requirement(
        Part.GATEWAY_API,
        Part.KUBERNETES,
        "its CRDs have validation rules that older API servers do not know",
        "Gateway API's page on versions",
        since="1.1",
        at_least="1.26",
    ),
    Requirement(
        Part.GATEWAY_API,
        Part.KUBERNETES,
        "since 1.5 it comes with a ValidatingAdmissionPolicy of v1, which Kubernetes has since 1.30",
        "the bundle itself, and Kubernetes 1.30's release notes",
        since="1.5",
        at_least="1.30",
    ),
    Requirement(
        Part.TRAEFIK,
        Part.GATEWAY_API,
        "it watches TLSRoutes of v1, which came with 1.5, and serves nothing until it has seen some or none",
        "Traefik's pkg/provider/kubernetes/gateway/client.go, v3.7.9",
        since="3.7",
        at_least="1.5.0",
    ),
    _feature(
        Feature.METALLB_POOLS,
        Part.METALLB,
        "before it, pools were a ConfigMap and no objects",
        "MetalLB's page on the migration to CRDs",
        at_least="0.13",
    ),
)
