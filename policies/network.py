"""Policies of the network, the gateway and what tenants run, beside those in pack.py and stack.py."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pulumi_policy import PolicyResource

from components.charts.reference import chart_name
from components.core.finding import Finding
from components.core.names import CILIUM_CONFIG, KUBE_SYSTEM
from components.gateway.manifest_rules import ceiling_problems, grant_problems, nginx_problems, tls_problems
from components.network.manifest_rules import chart_problems, config_problems
from components.pools.manifest_rules import client_address_problems, peer_problems
from components.tenancy.manifest_rules import flannel_problems, host_problems
from components.tenancy.rules import is_tenants
from policies.context import today
from policies.engine import Config, Found, each, is_patch, kind, objects, stack
from policies.settings import CEILING, NAMESPACES
from policies.unknowns import known_where

Props = Mapping[str, Any]
Resources = Sequence[PolicyResource]

WORKLOADS = (
    "core:Pod",
    "core:ReplicationController",
    "apps:DaemonSet",
    "apps:Deployment",
    "apps:ReplicaSet",
    "apps:StatefulSet",
    "batch:CronJob",
    "batch:Job",
)
_NOBODYS = "default"
_ROUTES = ("gateway.networking.k8s.io:HTTPRoute", "gateway.networking.k8s.io:GRPCRoute")

_LISTENERS = (
    "gateway.networking.k8s.io:Gateway",
    "gateway.networking.k8s.io:ListenerSet",
    "gateway.networking.x-k8s.io:XListenerSet",
)

_DATA_PATH_KEYS = {
    *("routingMode", "tunnel", "tunnelProtocol", "kubeProxyReplacement", "loadBalancer", "mode", "dsrDispatch"),
    *("autoDirectNodeRoutes", "ipv4NativeRoutingCIDR", "enableIPv4Masquerade", "bpf", "masquerade", "l7Proxy"),
    *("gatewayAPI", "enabled", "encryption", "type"),
}
"""Values by which the data path is decided: an unknown anywhere else does not matter to it."""


def of_tenants(judge: Callable[[Props], Iterable[Finding]]) -> Callable[[Props, Config], Iterable[Finding]]:
    """Only what is in a namespace of a tenant's."""
    return lambda props, config: judge(props) if in_tenants_namespace(props, config) else ()


def in_tenants_namespace(props: Props, config: Config) -> bool:
    """Whether an object is where tenants are. `default` has no owner: the platform runs nothing there, and anybody's
    manifest without a namespace lands there."""
    return tenants_namespaces(config)(str((props.get("metadata") or {}).get("namespace") or _NOBODYS))


def tenants_namespaces(config: Config) -> Callable[[str], bool]:
    """Whether a namespace is where tenants are."""
    platform = config.get("platformNamespaces", ())
    return lambda name: is_tenants(name, platform=platform) or (name == _NOBODYS and name not in platform)


def _consistent(resources: Resources, _: Config) -> Iterator[Found]:
    for resource in objects(resources, "core:ConfigMap", patches=True):
        metadata = resource.props.get("metadata") or {}
        if (metadata.get("namespace"), metadata.get("name")) == (KUBE_SYSTEM, CILIUM_CONFIG):
            yield from (Found(problem, resource.urn) for problem in config_problems(resource.props))
    for resource in objects(resources, "helm.sh:Release"):
        if chart_name(str(resource.props.get("chart") or "")) == "cilium":
            values = known_where(resource.props.get("values") or {}, _DATA_PATH_KEYS)
            found = chart_problems(values, str(resource.props.get("version") or ""))
            yield from (Found(problem, resource.urn) for problem in found)


def _by_kind(
    judge: Callable[[str, Props], Iterable[Finding]], *kinds: str
) -> Callable[[Resources, Config], Iterator[Found]]:
    def judged(resources: Resources, _: Config) -> Iterator[Found]:
        for resource in objects(resources, *kinds, patches=True):
            found = kind(resource.resource_type)
            name = found.name if found else ""
            yield from (Found(problem, resource.urn) for problem in judge(name, resource.props))

    return judged


def _clients(resources: Resources, _: Config, *, rule: str) -> Iterator[Found]:
    by_l2 = any(objects(resources, "cilium.io:CiliumL2AnnouncementPolicy", patches=True))
    for resource in objects(resources, "core:Service", patches=True):
        for problem in client_address_problems(resource.props, by_cilium_l2=by_l2, patch=is_patch(resource)):
            if problem.rule == rule:
                yield Found(problem, resource.urn)


def _encrypted(resources: Resources, config: Config) -> Iterator[Found]:
    gateways = list(objects(resources, *_LISTENERS, patches=True))
    routes = [found.props for found in objects(resources, *_ROUTES)] if gateways else []
    for resource in gateways:
        yield from (Found(problem, resource.urn) for problem in tls_problems(resource.props, today(config), routes))


def _canary(resources: Resources, config: Config) -> Iterator[Found]:
    declared = [
        int(r.props["canaryCeilingPercent"])
        for r in resources
        if r.provider is None and "canaryCeilingPercent" in r.props
    ]
    ceiling = int(config.get("ceilingPercent") or min(declared, default=50))
    for resource in objects(resources, *_ROUTES, patches=True):
        yield from (Found(problem, resource.urn) for problem in ceiling_problems(resource.props, ceiling))


NETWORK_RULES = [
    stack(
        "cni-consistent",
        "Routing, load balancing and service proxy of Cilium go together.",
        judge=_consistent,
    ),
    stack(
        "cni-no-flannel",
        "No CNI that enforces no network policy.",
        judge=_by_kind(flannel_problems, "helm.sh:Release", "apps:DaemonSet", "core:Namespace", "core:ConfigMap"),
    ),
    stack(
        "cni-l2-not-local",
        "No Service has externalTrafficPolicy: Local where Cilium announces by layer 2.",
        judge=partial(_clients, rule="cni-l2-not-local"),
    ),
    stack(
        "metallb-client-address",
        "Services of type LoadBalancer keep their clients' addresses.",
        judge=partial(_clients, rule="metallb-client-address"),
    ),
    each(
        "metallb-bgp-peer",
        "BGP sessions have a password, and BFD where the router can.",
        "metallb.io:BGPPeer",
        "cilium.io:CiliumBGPPeerConfig",
        judge=lambda props, _: peer_problems(props),
    ),
    each(
        "network-no-host",
        "No pod of a tenant is on a node's own network.",
        *WORKLOADS,
        judge=of_tenants(host_problems),
        patches=True,
        schema=NAMESPACES,
    ),
    stack(
        "gateway-tls",
        "Every listener takes TLS only, or sends all requests on to one that does.",
        judge=_encrypted,
    ),
    stack(
        "gateway-canary",
        "A canary gets at most the stack's ceiling of a route's traffic.",
        judge=_canary,
        schema=CEILING,
    ),
    each(
        "gateway-reference-grant",
        "A ReferenceGrant lets one kind of one namespace use one kind.",
        "gateway.networking.k8s.io:ReferenceGrant",
        judge=lambda props, _: grant_problems(props),
        patches=True,
    ),
    stack(
        "gateway-no-ingress-nginx",
        "Nothing needs ingress-nginx, which is retired.",
        judge=_by_kind(
            nginx_problems, "helm.sh:Release", "networking.k8s.io:Ingress", "networking.k8s.io:IngressClass"
        ),
    ),
]
