"""Policies of load balancers: pools of addresses, how they are announced, BGP sessions."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from itertools import combinations, product

from pydantic import Field

from components.core.endpoints import RFC_1918
from components.core.finding import Finding
from components.core.manifests import Fields
from components.core.names import METALLB_SYSTEM
from components.pools.addresses import AddressBlock, address_block
from components.pools.rules import Pooled, Taken, api_server_address, overlap_problems, taken_problems
from components.residency.model import Cidr
from policies.machines import machines
from policies.policy import CRITICAL, LOW, MEDIUM, PLATFORM, Object, Settings, Stack, policy

ANNOUNCED_BY_CILIUM = "cilium.io:CiliumL2AnnouncementPolicy"


class PoolSettings(Settings):
    nodes: dict[str, str] = Field({})
    """Addresses that no pool may hold, by name, beside those that the program reaches."""
    node_cidr: Cidr | None = None
    """The nodes' network: its two ends are in no pool."""
    gateways: tuple[str, ...] = ()
    """Routers' addresses that no pool may hold."""
    service_networks: tuple[Cidr, ...] = ()
    """The Services' networks, which no pool may overlap; else the one that kubeadm proposes, 10.96.0.0/12."""

    def taken(self) -> Iterator[Taken]:
        for name, host in self.nodes.items():
            yield from (Taken(f"node {name}", address) for _, address in api_server_address(host))
        if self.node_cidr and self.node_cidr.num_addresses > 2:
            yield Taken("the network address", self.node_cidr[0])
            yield Taken("the broadcast address", self.node_cidr[-1])
        for host in self.gateways:
            yield from (Taken("the router", address) for _, address in api_server_address(host))


@policy(
    id="metallb-pool-addresses",
    title="Load-balancer pools contain no address that is in use elsewhere.",
    severity=CRITICAL,
    framework=PLATFORM,
    reference="metallb/metallb#1397",
    why="MetalLB answers for every address of a pool. A node's own address in it cuts SSH to that node.",
    remedy="Shrink the pool until it has no node's address, no network address and no broadcast address, and shares no "
    "address with another pool.",
)
def pool_addresses(stack: Stack, settings: PoolSettings) -> Iterator[Finding]:
    pools = list(stack.objects("metallb.io:IPAddressPool", "cilium.io:CiliumLoadBalancerIPPool", patches=True))
    if not pools:
        return
    taken = list(settings.taken())
    for release in stack.objects("helm.sh:Release"):  # Cilium without kube-proxy is told where the API server is
        taken += api_server_address(release.group("values").text("k8sServiceHost"))
    for machine in machines(stack.resources):
        if machine.address is not None:
            taken.append(Taken(f"node {machine.name}", machine.address))
        elif machine.name not in settings.nodes:
            message = f"{machine.host} is a name, so it is not known whether a pool contains it"
            yield Finding("", f"node {machine.name}", message, "write its address", urn=machine.urn)
    taken = list(dict.fromkeys(taken))
    pooled: dict[str, list[Pooled]] = {}
    for pool in pools:
        name = pool.metadata.text("name", "?")
        for text in _written(pool.spec):
            try:
                pooled.setdefault(pool.cluster, []).append(Pooled(name, address_block(text), pool.urn))
            except ValueError as error:
                yield pool.finding(f"{text}: {error}", "write a CIDR or a range", subject=f"pool '{name}'")
    for blocks in pooled.values():
        for block in blocks:
            yield from taken_problems(block, taken)
            yield from _among_services(block, settings)
        yield from overlap_problems(blocks)
    # Private addresses of two clusters are two networks; a public address is the same everywhere.
    public = [[block for block in blocks if not _private(block)] for blocks in pooled.values()]
    for blocks, others in combinations(public, 2):
        yield from (found for pair in product(blocks, others) for found in overlap_problems(pair))


def _private(pooled: Pooled) -> bool:
    first = pooled.block.first
    return any(
        first in ip_network(cidr) for cidr in (*RFC_1918, "fc00::/7") if ip_network(cidr).version == first.version
    )


_PROPOSED = ip_network("10.96.0.0/12")
"""kubeadm's serviceSubnet where nothing else is said (kubeadm v1beta4, Networking)."""


def _among_services(pooled: Pooled, settings: PoolSettings) -> Iterator[Finding]:
    for network in settings.service_networks or (_PROPOSED,):
        if pooled.block.overlaps(AddressBlock(network.network_address, network.broadcast_address, str(network))):
            yield Finding(
                "",
                f"pool '{pooled.pool}'",
                f"{pooled.block} is in {network}, whose addresses Kubernetes gives to Services",
                "choose other addresses, or name the Services' networks in serviceNetworks",
                urn=pooled.urn,
            )


def _written(spec: Fields) -> Iterator[str]:
    """Addresses as MetalLB takes them; Cilium's blocks in the same form (`cidrs` until Cilium 1.14)."""
    yield from spec.texts("addresses")
    for block in (*spec.groups("blocks"), *spec.groups("cidrs")):
        start = block.text("start")
        yield block.text("cidr") or f"{start}-{block.text('stop', start)}"


@policy(
    id="metallb-old-configuration",
    title="No ConfigMap configures MetalLB.",
    severity=MEDIUM,
    framework=PLATFORM,
    reference="MetalLB 0.13's release notes",
    why="MetalLB reads objects since 0.13 and ignores the ConfigMap: its pools are never announced.",
    remedy="Write IPAddressPool and L2Advertisement, or BGPPeer and BGPAdvertisement. In a stack file of this platform "
    "they are metallb.pools and metallb.peers.",
    kinds=("core:ConfigMap",),
)
def old_configuration(found: Object, _: Settings) -> Iterator[Finding]:
    if found.namespace != METALLB_SYSTEM:
        return
    data = found.group("data")
    for key in data:
        if _OLD_POOLS.search(data.text(key)):
            yield found.finding(
                f"data.{key} has address-pools of MetalLB 0.12, which later releases ignore",
                "write an IPAddressPool and an L2Advertisement or BGPAdvertisement",
            )


_OLD_POOLS = re.compile(r"^address-pools:\s*$", re.MULTILINE)


@policy(
    id="metallb-advertisement-selects",
    title="Every advertisement selects its pools.",
    severity=MEDIUM,
    framework=PLATFORM,
    reference="MetalLB's API reference, L2Advertisement",
    why="An advertisement without selectors announces every pool, also the ones that are added later.",
    remedy="Write spec.ipAddressPools.",
    kinds=("metallb.io:L2Advertisement", "metallb.io:BGPAdvertisement"),
    patches=False,
)
def advertisement_selects(advertisement: Object, _: Settings) -> Iterator[Finding]:
    spec = advertisement.spec
    if not spec.items("ipAddressPools") and not spec.items("ipAddressPoolSelectors"):
        yield advertisement.finding(
            "selects no pool, so it announces all of them",
            "write spec.ipAddressPools",
            subject=advertisement.cluster_label,
        )


@policy(
    id="metallb-client-address",
    title="Services of type LoadBalancer keep their clients' addresses.",
    severity=LOW,
    framework=PLATFORM,
    reference="Kubernetes, Service.spec.externalTrafficPolicy",
    why="Where a Service is reached by way of another node, pods see that node's address instead of the client's: "
    "logs, limits and allow-lists judge the wrong address.",
    remedy="Write externalTrafficPolicy: Local where client addresses matter.",
    kinds=("core:Service",),
    mandatory=False,
)
def client_address(service: Object, _: Settings, stack: Stack) -> Iterator[Finding]:
    if announced_traffic_policy(service, stack) == (False, False):
        yield service.finding(
            "has externalTrafficPolicy: Cluster (the default), so pods see a node's address for the client's",
            "write Local where addresses are logged, limited or allowed by",
        )


def announced_traffic_policy(service: Object, stack: Stack) -> tuple[bool, bool] | None:
    """Of a Service of type LoadBalancer: whether Cilium announces it by layer 2, and whether its traffic stays local.

    None for every other Service, and for a patch that leaves the traffic policy out."""
    if service.patch and "externalTrafficPolicy" not in service.spec:
        return None
    if service.spec.text("type", "LoadBalancer" if service.patch else "ClusterIP") != "LoadBalancer":
        return None
    by_cilium = any(stack.objects(ANNOUNCED_BY_CILIUM, patches=True))
    return by_cilium, service.spec.text("externalTrafficPolicy") == "Local"


@policy(
    id="metallb-bgp-peer",
    title="BGP sessions have a password, and BFD where the router can.",
    severity=MEDIUM,
    framework=PLATFORM,
    reference="RFC 2385, RFC 5082, RFC 5880",
    why="A machine that can open a session can announce addresses to the router; without BFD traffic goes to a dead "
    "router until the hold time is over.",
    remedy="Give the peer a passwordSecret and a bfdProfile, or agree on GTSM with the router's owner.",
    kinds=("metallb.io:BGPPeer", "cilium.io:CiliumBGPPeerConfig"),
    mandatory=False,
    patches=False,
)
def bgp_peer(peer: Object, _: Settings) -> Iterator[Finding]:
    spec = peer.spec
    open_session = "has no password, so every machine that reaches the router's port can announce addresses"
    problem: tuple[str, str] | None = None
    if peer.kind == "CiliumBGPPeerConfig":
        if not spec.raw.get("authSecretRef"):
            problem = open_session, "write authSecretRef (TCP MD5)"
    elif spec.raw.get("password"):
        problem = "has its password in plain text", "write passwordSecret, and change the password"
    elif not spec.raw.get("passwordSecret"):
        remedy = "write passwordSecret (TCP MD5), or have the router accept a hop of one only (GTSM, RFC 5082)"
        problem = open_session, remedy
    elif not spec.raw.get("bfdProfile"):
        hold = spec.text("holdTime", "90s")
        problem = f"has no BFD, so a dead router is noticed after {hold}", "write bfdProfile where the router can"
    if problem:
        yield peer.finding(*problem, subject=peer.cluster_label)
