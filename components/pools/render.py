"""MetalLB's objects and values. Each advertisement selects its pool; without a selector it would announce all pools."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.charts.values import merged, put, taken_problems
from components.core.finding import Finding
from components.core.manifests import Manifest, manifest, rollout_waits, secured_namespace
from components.core.names import METALLB_SYSTEM
from components.core.pod_policies import deny_ingress, egress, ingress, to_api_server
from components.images.model import ImageMirror, image_at, pin_of
from components.pools.model import (
    L2,
    BfdProfile,
    Bgp,
    BgpRoute,
    Helm,
    MetalLbContext,
    MetalLbSpec,
    NodeSelector,
    Peer,
    Pool,
    Requirement,
)

API = "metallb.io/v1beta1"
PEER_API = "metallb.io/v1beta2"
"""API version of BGPPeer; its v1beta1 is deprecated."""

METALLB = "metallb"
"""Name of the chart, and of its Release."""
CONTROLLER = {"app.kubernetes.io/name": "metallb", "app.kubernetes.io/component": "controller"}
"""Labels of the controller's pods."""
BGP_PORT = 179
"""TCP port of a router, unless the peer says another one (RFC 4271, 8.2.1)."""
_WEBHOOK_PORT = 9443
"""Of the controller (`metallb-webhook-service` of the chart)."""
# The chart's default probe starts after 10 seconds and repeats every 10, so an update of the speakers waits that long
# for each node. With both, a pod becomes not ready after 30 seconds of failures. The controller keeps the chart's
# probe: it answers before its webhook listens, and a pool that is made in between is refused.
_FAST_PROBE = {"initialDelaySeconds": 1, "periodSeconds": 2, "failureThreshold": 15}


def metallb_namespace() -> Manifest:
    """MetalLB's namespace. It is `privileged`, because speakers use the host's network and raw sockets."""
    return secured_namespace(METALLB_SYSTEM, "privileged")


_NO_CONTEXT = MetalLbContext()


def metallb_manifests(spec: MetalLbSpec, context: MetalLbContext = _NO_CONTEXT) -> list[Manifest]:
    """Everything of MetalLB but its installation, in the order of creation."""
    return [
        *(bfd_profile(profile) for profile in spec.bfd_profiles),
        *(bgp_peer(peer) for peer in spec.peers),
        *(address_pool(pool) for pool in spec.pools),
        *(item for pool in spec.pools for item in advertisements(pool, context)),
    ]


def address_pool(pool: Pool) -> Manifest:
    """The pool as an IPAddressPool."""
    spec: dict[str, Any] = {"addresses": [str(block) for block in pool.addresses], "autoAssign": pool.auto_assign}
    if pool.avoid_buggy_ips:
        spec["avoidBuggyIPs"] = True
    allocation = {"priority": pool.priority, "namespaces": list(pool.namespaces)}
    if given := {key: value for key, value in allocation.items() if value}:
        spec["serviceAllocation"] = given
    return manifest(API, "IPAddressPool", pool.name, namespace=METALLB_SYSTEM, spec=spec)


def advertisements(pool: Pool, context: MetalLbContext) -> list[Manifest]:
    """The pool's L2Advertisement under the pool's name, or a BGPAdvertisement for each of its routes."""
    if isinstance(pool.advertisement, L2):
        return [_l2_advertisement(pool.name, pool.advertisement, context)]
    return [
        _bgp_advertisement(pool.name if number == 1 else f"{pool.name}-{number}", pool.name, pool.advertisement, route)
        for number, route in enumerate(pool.advertisement.routes, 1)
    ]


def bgp_peer(peer: Peer) -> Manifest:
    """A router as a BGPPeer."""
    spec: dict[str, object] = {
        "myASN": peer.my_asn,
        "peerASN": peer.peer_asn,
        "peerAddress": str(peer.address),
        "holdTime": f"{peer.hold_seconds}s",
        "connectTime": f"{peer.connect_seconds}s",
        "ebgpMultiHop": peer.multihop,
    }
    if peer.port != BGP_PORT:
        spec["peerPort"] = peer.port
    if peer.source_address is not None:
        spec["sourceAddress"] = str(peer.source_address)
    if peer.keepalive_seconds is not None:
        spec["keepaliveTime"] = f"{peer.keepalive_seconds}s"
    if peer.bfd_profile is not None:
        spec["bfdProfile"] = peer.bfd_profile
    if peer.node_selectors:
        spec["nodeSelectors"] = selectors(peer.node_selectors)
    if peer.password_secret is not None:
        spec["passwordSecret"] = {"name": peer.password_secret, "namespace": METALLB_SYSTEM}
    return manifest(PEER_API, "BGPPeer", peer.name, namespace=METALLB_SYSTEM, spec=spec)


def bfd_profile(profile: BfdProfile) -> Manifest:
    """Settings of BFD as a BFDProfile."""
    spec: dict[str, object] = {
        "receiveInterval": profile.receive_milliseconds,
        "transmitInterval": profile.transmit_milliseconds,
        "detectMultiplier": profile.detect_multiplier,
        "passiveMode": profile.passive,
        "echoMode": profile.echo_milliseconds is not None,
    }
    if profile.echo_milliseconds is not None:
        spec["echoInterval"] = profile.echo_milliseconds
    if profile.minimum_ttl is not None:
        spec["minimumTtl"] = profile.minimum_ttl
    return manifest(API, "BFDProfile", profile.name, namespace=METALLB_SYSTEM, spec=spec)


def metallb_values(spec: MetalLbSpec, install: Helm, context: MetalLbContext) -> dict[str, Any]:
    """Values of MetalLB's chart, including those of the stack file."""
    return merged(platform_values(spec, install, context), install.values)


def platform_values(spec: MetalLbSpec, install: Helm, context: MetalLbContext) -> dict[str, Any]:
    """The platform's values. FRR only with BGP, because it adds a pod to every node."""
    speaker: dict[str, Any] = {"enabled": True, "frr": {"enabled": False}, "readinessProbe": dict(_FAST_PROBE)}
    if context.from_control_planes:
        # kubeadm labels control planes with node.kubernetes.io/exclude-from-external-load-balancers, and speakers
        # respect that. If every node is a control plane, no node would announce an address.
        speaker["ignoreExcludeLB"] = True
    values: dict[str, Any] = {
        "frrk8s": {"enabled": spec.speaks_bgp},
        "fullnameOverride": METALLB,  # of the DaemonSets that are waited for
        "loadBalancerClass": install.load_balancer_class or "",
        "speaker": speaker,
    }
    if spec.speaks_bgp:
        put(values, ("frr-k8s", "fullnameOverride"), f"{METALLB}-frr-k8s")
    for path, value in mirrored(context.images, install.version):
        put(values, path, value)
    return dict(sorted(values.items()))


def speaker_waits(spec: MetalLbSpec, install: Helm, values: Mapping[str, Any]) -> list[Manifest]:
    """The waits for the pods on every node. Helm waits for all but one of them (`maxUnavailable`)."""
    names = ["speaker", "frr-k8s"] if spec.speaks_bgp else ["speaker"]
    objects = [("DaemonSet", f"{METALLB}-{name}") for name in names]
    return rollout_waits(METALLB_SYSTEM, objects, install.version, values)


def extra_problems(spec: MetalLbSpec, context: MetalLbContext) -> list[Finding]:
    """Values of the stack file with keys that the platform sets."""
    if not isinstance(spec.install, Helm):
        return []
    own = platform_values(spec, spec.install, context)
    return taken_problems("metallb-values", "metallb.install.values", own, spec.install.values)


def network_policies(context: MetalLbContext) -> list[Manifest]:
    """The controller: the API server's calls of its webhook in and, with Cilium, only calls of the API server out.

    Speakers and FRR use the nodes' own network, for which there are no such policies.
    """
    made = [deny_ingress(METALLB_SYSTEM), ingress("webhook", METALLB_SYSTEM, CONTROLLER, [_WEBHOOK_PORT])]
    if context.on_cilium:
        made.append(egress("controller-calls", METALLB_SYSTEM, CONTROLLER, []))
        made.append(to_api_server("controller-api-server", METALLB_SYSTEM, CONTROLLER, context.api_ports))
    return made


def _l2_advertisement(pool: str, l2: L2, context: MetalLbContext) -> Manifest:
    spec: dict[str, object] = {"ipAddressPools": [pool]}
    if l2.interfaces:
        spec["interfaces"] = list(l2.interfaces)
    if answering := l2.answering(edge=context.edge):
        spec["nodeSelectors"] = selectors(answering)
    return manifest(API, "L2Advertisement", pool, namespace=METALLB_SYSTEM, spec=spec)


def _bgp_advertisement(name: str, pool: str, bgp: Bgp, route: BgpRoute) -> Manifest:
    spec: dict[str, object] = {
        "ipAddressPools": [pool],
        "peers": list(bgp.peers),
        "aggregationLength": route.aggregation_length,
    }
    if route.communities:
        spec["communities"] = list(route.communities)
    if route.local_preference is not None:
        spec["localPref"] = route.local_preference
    if bgp.node_selectors:
        spec["nodeSelectors"] = selectors(bgp.node_selectors)
    return manifest(API, "BGPAdvertisement", name, namespace=METALLB_SYSTEM, spec=spec)


def selectors(wanted: Sequence[NodeSelector]) -> list[dict[str, Any]]:
    """The nodes as Kubernetes' label selectors."""
    return [_selector(one) for one in wanted]


def _selector(one: NodeSelector) -> dict[str, Any]:
    conditions = {
        "matchLabels": dict(sorted(one.match_labels.items())),
        "matchExpressions": [_requirement(each) for each in one.match_expressions],
    }
    return {key: value for key, value in conditions.items() if value}


def _requirement(one: Requirement) -> dict[str, Any]:
    values = {"values": list(one.values)} if one.values else {}
    return {"key": one.key, "operator": one.operator, **values}


Path = tuple[str, ...]
_FRR = "quay.io/frrouting/frr"
CHART_IMAGES: Mapping[Path, str] = {
    ("controller", "image"): "quay.io/metallb/controller",
    ("speaker", "image"): "quay.io/metallb/speaker",
    ("speaker", "frr", "image"): _FRR,
    ("frr-k8s", "frrk8s", "image"): "quay.io/metallb/frr-k8s",
    ("frr-k8s", "frrk8s", "frr", "image"): _FRR,
}
"""Images of the chart and of its FRR subchart, as in 0.16.1."""


def mirrored(mirror: ImageMirror | None, version: str) -> Iterator[tuple[Path, str]]:
    """Values by path that move every image to the mirror.

    The chart has no key for a digest, so a digest is appended to the tag. The tag of MetalLB's own images is its
    version. Others have versions of their own; a registry reads no tag where there is a digest.
    """
    if mirror is None:
        return
    for path, origin in CHART_IMAGES.items():
        yield (*path, "repository"), image_at(mirror, origin)
        if digest := pin_of(mirror, origin):
            own = origin in ("quay.io/metallb/controller", "quay.io/metallb/speaker")
            yield (*path, "tag"), f"{f'v{version}' if own else 'pinned'}@{digest}"
