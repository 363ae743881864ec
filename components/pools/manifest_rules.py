"""What Services and BGP peers may not be, whoever wrote them."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.core.finding import Finding

_OPEN = "has no password, so whoever reaches the router's port can announce addresses"


def client_address_problems(
    service: Mapping[str, Any], *, by_cilium_l2: bool, patch: bool = False
) -> Iterator[Finding]:
    """What a Service of type LoadBalancer does to clients' addresses, and what Cilium's L2 announcements do to it.

    `patch`: what it leaves out, somebody else's Service may have."""
    spec = service.get("spec") or {}
    if patch and "externalTrafficPolicy" not in spec:
        return
    if spec.get("type", "LoadBalancer" if patch else "ClusterIP") != "LoadBalancer":
        return
    metadata = service["metadata"]
    item = f"Service {metadata.get('namespace') or 'default'}/{metadata.get('name', '?')}"
    local = spec.get("externalTrafficPolicy") == "Local"
    if by_cilium_l2 and local:
        yield Finding(
            "cni-l2-not-local",
            item,
            "has externalTrafficPolicy: Local, and Cilium's L2 announcements answer from nodes without its pods: "
            "traffic to it is lost; write Cluster, or announce it by MetalLB or BGP",
        )
    elif not by_cilium_l2 and not local:
        yield Finding(
            "metallb-client-address",
            item,
            "has externalTrafficPolicy: Cluster (the default), so pods see a node's address for the client's: write "
            "Local where addresses are logged, limited or allowed by",
        )


def peer_problems(peer: Mapping[str, Any]) -> Iterator[Finding]:
    """A BGP session that anybody on the segment can join, or that takes long to notice a dead router."""
    spec = peer.get("spec") or {}
    kind = peer.get("kind", "BGPPeer")
    item = f"{kind} '{peer['metadata'].get('name', '?')}'"
    if kind == "CiliumBGPPeerConfig":
        if not spec.get("authSecretRef"):
            yield Finding("metallb-bgp-peer", item, f"{_OPEN}: write authSecretRef (TCP MD5)")
        return
    if spec.get("password"):
        yield Finding(
            "metallb-bgp-peer", item, "has its password in plain text: write passwordSecret, and change the password"
        )
    elif not spec.get("passwordSecret"):
        yield Finding(
            "metallb-bgp-peer",
            item,
            f"{_OPEN}: write passwordSecret (TCP MD5), or have the router accept a hop of one only (GTSM, RFC 5082)",
        )
    elif not spec.get("bfdProfile"):
        hold = spec.get("holdTime") or "90s"
        yield Finding(
            "metallb-bgp-peer",
            item,
            f"has no BFD, so a dead router is noticed after {hold}: write bfdProfile where the router can",
        )
