"""Pools by Cilium instead of MetalLB: LB-IPAM with layer 2 or BGP.

A Cilium policy announces Services, not pools. If there are several pools, or one with `autoAssign: false`, a Service
selects its pool with the label `vds-platform.no/pool`.
"""

from typing import Any

from components.core.labels import PREFIX
from components.core.manifests import Manifest, manifest
from components.pools.model import L2, Bgp, BgpRoute, MetalLbSpec, NodeSelector, Peer, Pool
from components.pools.render import BGP_PORT, selectors

POOL = f"{PREFIX}pool"
"""Label of a Service that selects its pool."""
_API = "cilium.io/v2"
"""Of pools and BGP objects since 1.18. L2 policies are still v2alpha1."""
NEVER = {"key": f"{PREFIX}announce", "operator": "NotIn", "values": ["never"]}
"""A selector that matches all Services. For Cilium, an empty selector matches none."""


def cilium_pool_manifests(spec: MetalLbSpec, *, edge: bool = False) -> list[Manifest]:
    """Pools, then their announcements, in the order of creation. `edge`: whether nodes have that profile."""
    l2 = [pool for pool in spec.pools if isinstance(pool.advertisement, L2)]
    bgp = [pool for pool in spec.pools if isinstance(pool.advertisement, Bgp)]
    return [
        *(_pool(pool, spec) for pool in spec.pools),
        *(policy for pool in l2 for policy in _l2_policies(pool, spec, edge=edge)),
        *(_bgp(spec, bgp) if bgp else ()),
    ]


def announcements(spec: MetalLbSpec) -> frozenset[str]:
    """How Cilium announces addresses: `l2`, `bgp`. Empty if MetalLB owns the pools."""
    if spec.install.kind != "cilium":
        return frozenset()
    return frozenset(pool.advertisement.kind for pool in spec.pools)


def _pool(pool: Pool, spec: MetalLbSpec) -> Manifest:
    # Ranges, because Cilium may skip the first and last address of a network.
    blocks = [{"start": str(block.first), "stop": str(block.last)} for block in pool.addresses]
    selector = {} if _for_all(pool, spec) else {"serviceSelector": {"matchLabels": {POOL: pool.name}}}
    return manifest(_API, "CiliumLoadBalancerIPPool", pool.name, spec={"blocks": blocks, **selector})


def _for_all(pool: Pool, spec: MetalLbSpec) -> bool:
    return len(spec.pools) == 1 and pool.auto_assign


def _services(pool: Pool, spec: MetalLbSpec) -> dict[str, Any]:
    return {"matchExpressions": [NEVER]} if _for_all(pool, spec) else {"matchLabels": {POOL: pool.name}}


def _l2_policies(pool: Pool, spec: MetalLbSpec, *, edge: bool) -> list[Manifest]:
    """One policy for each node selector, because a Cilium policy has only one."""
    assert isinstance(pool.advertisement, L2)  # noqa: S101  for mypy: the caller chose them
    answering: tuple[NodeSelector | None, ...] = pool.advertisement.answering(edge=edge) or (None,)
    policies = []
    for number, selector in enumerate(answering, 1):
        body: dict[str, Any] = {"loadBalancerIPs": True, "serviceSelector": _services(pool, spec)}
        if pool.advertisement.interfaces:
            body["interfaces"] = [f"^{name}$" for name in pool.advertisement.interfaces]  # regular expressions
        if selector is not None:
            body["nodeSelector"] = selectors([selector])[0]
        name = pool.name if number == 1 else f"{pool.name}-{number}"
        policies.append(manifest("cilium.io/v2alpha1", "CiliumL2AnnouncementPolicy", name, spec=body))
    return policies


def _bgp(spec: MetalLbSpec, pools: list[Pool]) -> list[Manifest]:
    return [
        *(manifest(_API, "CiliumBGPPeerConfig", peer.name, spec=_peer_config(peer)) for peer in spec.peers),
        *(_advertisement(pool, spec) for pool in pools),
        manifest(_API, "CiliumBGPClusterConfig", "platform", spec={"bgpInstances": _instances(spec)}),
    ]


def _instances(spec: MetalLbSpec) -> list[dict[str, Any]]:
    """One configuration for each AS number of the nodes."""
    return [
        {
            "name": f"as-{asn}",
            "localASN": asn,
            "peers": [
                {
                    "name": peer.name,
                    "peerASN": peer.peer_asn,
                    "peerAddress": str(peer.address),
                    "peerConfigRef": {"name": peer.name},
                }
                for peer in spec.peers
                if peer.my_asn == asn
            ],
        }
        for asn in sorted({peer.my_asn for peer in spec.peers})
    ]


def _peer_config(peer: Peer) -> dict[str, Any]:
    keepalive = peer.keepalive_seconds or max(1, peer.hold_seconds // 3)
    config: dict[str, Any] = {
        "timers": {
            "connectRetryTimeSeconds": peer.connect_seconds,
            "holdTimeSeconds": peer.hold_seconds,
            "keepAliveTimeSeconds": keepalive,
        },
        "families": [
            {"afi": "ipv4", "safi": "unicast", "advertisements": {"matchLabels": {_told(peer.name): "true"}}},
        ],
    }
    if peer.port != BGP_PORT:
        config["transport"] = {"peerPort": peer.port}
    if peer.multihop:
        config["ebgpMultihop"] = 255  # any number of hops, like MetalLB's ebgpMultiHop
    if peer.password_secret is not None:
        config["authSecretRef"] = peer.password_secret
    return config


def _advertisement(pool: Pool, spec: MetalLbSpec) -> Manifest:
    """The advertisement, with a label for each of its peers, whose configuration selects that label."""
    assert isinstance(pool.advertisement, Bgp)  # noqa: S101  for mypy: the caller chose them
    told = [_route(pool, spec, route) for route in pool.advertisement.routes]
    labels = {_told(peer): "true" for peer in pool.advertisement.peers}
    return manifest(_API, "CiliumBGPAdvertisement", pool.name, labels=labels, spec={"advertisements": told})


def _route(pool: Pool, spec: MetalLbSpec, route: BgpRoute) -> dict[str, Any]:
    service: dict[str, Any] = {"addresses": ["LoadBalancerIP"]}
    if route.aggregation_length != 32:
        service["aggregationLengthIPv4"] = route.aggregation_length
    large = [one.removeprefix("large:") for one in route.communities if one.startswith("large:")]
    standard = [one for one in route.communities if not one.startswith("large:")]
    attributes: dict[str, Any] = {}
    if communities := {key: value for key, value in (("standard", standard), ("large", large)) if value}:
        attributes["communities"] = communities
    if route.local_preference is not None:
        attributes["localPreference"] = route.local_preference
    made = {"advertisementType": "Service", "service": service, "selector": _services(pool, spec)}
    return {**made, "attributes": attributes} if attributes else made


def _told(peer: str) -> str:
    return f"{PREFIX}peer-{peer}"
