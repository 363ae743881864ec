"""Rules for the pools of a stack file; `policies/rules/loadbalancer.py` asks some of them of manifests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from itertools import chain, combinations, product
from typing import NamedTuple

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.network.calico.model import CalicoBgp
from components.network.model import AnyCni, Calico, CiliumGeneve, CiliumNative, CiliumVxlan, NetworkSpec
from components.network.ranges import holds_nodes
from components.nodes.inventory_render import labels
from components.nodes.model import NodeSpec
from components.pools.addresses import AddressBlock, IpAddress, address_block
from components.pools.model import L2, Bgp, MetalLbSpec, NodeSelector, Peer, Pool


class Taken(NamedTuple):
    """An address that somebody has already."""

    who: str
    """In the author's words: `node osl-2`, `the API server`."""
    address: IpAddress


class Pooled(NamedTuple):
    """One block of one pool."""

    pool: str
    block: AddressBlock
    urn: str = ""
    """Of the pool, where a policy asks."""


def metallb_problems(spec: MetalLbSpec, network: NetworkSpec, nodes: Sequence[NodeSpec]) -> list[Finding]:
    """Everything wrong with the stack file's `metallb` among these nodes."""
    pooled = [Pooled(pool.name, block) for pool in spec.pools for block in pool.addresses]
    return [
        *_names_twice(spec),
        *(problem for item in pooled for problem in taken_problems(item, taken_addresses(network, nodes))),
        *overlap_problems(pooled),
        *_family_problems(pooled),
        *_inside_problems(pooled, network),
        *_segment_problems(spec, network, nodes),
        *_peer_problems(spec, nodes),
        *_bfd_problems(spec),
    ]


def segment_advice(spec: MetalLbSpec, network: NetworkSpec, nodes: Sequence[NodeSpec]) -> Iterator[Finding]:
    """Layer-2 pools whose addresses are not of the segment in which a node answers for them."""
    for pool in spec.pools:
        if not isinstance(pool.advertisement, L2):
            continue
        segments = _segments(network, _announcing(pool.advertisement, nodes))
        own = [AddressBlock(one.network_address, one.broadcast_address, str(one)) for one in segments]
        for block in pool.addresses:
            if not any(one.holds(block.first) and one.holds(block.last) for one in own):
                said = (
                    f"{block} is not in the nodes' network {' or '.join(map(str, segments))}, where a node answers ARP "
                    "for it: only a router that asks for it there finds it"
                )
                remedy = "choose addresses of that network, announce the pool by BGP, or ask the provider"
                yield _of_pool("metallb-pool-segment", Pooled(pool.name, block), said, remedy)._replace(advice=True)


def _segment_problems(spec: MetalLbSpec, network: NetworkSpec, nodes: Sequence[NodeSpec]) -> Iterator[Finding]:
    """A layer-2 pool that nodes of several networks may answer for: its addresses are of one."""
    for pool in spec.pools:
        if not isinstance(pool.advertisement, L2):
            continue
        announcing = _announcing(pool.advertisement, nodes)
        segments = _segments(network, announcing)
        if len(segments) > 1:
            said = (
                f"nodes of {' and '.join(map(str, segments))} may answer ARP for it, and an address is found in one "
                "network only"
            )
            remedy = (
                "write the profile edge at nodes of one network only, or select such nodes by their labels in "
                "advertisement.nodeSelectors, or announce the pool by BGP"
            )
            fields = (f"metallb.pools[{pool.name}].advertisement",)
            yield Finding("metallb-pool-segment", f"pool '{pool.name}'", said, remedy, fields=fields)


def _announcing(advertisement: L2, nodes: Sequence[NodeSpec]) -> list[NodeSpec]:
    """The nodes that may answer; all, where the selectors name labels that the stack file does not give."""
    selectors = advertisement.answering(edge=any("edge" in node.profiles for node in nodes))
    return _selected(selectors, nodes) or list(nodes)


def _selected(selectors: Sequence[NodeSelector], nodes: Sequence[NodeSpec]) -> list[NodeSpec]:
    """The nodes that match one of the selectors, as far as the stack file gives their labels."""
    known = {node.name: {**labels(node), "kubernetes.io/hostname": node.name} for node in nodes}
    return [node for node in nodes if any(one.matches(known[node.name]) for one in selectors)]


def _segments(network: NetworkSpec, nodes: Sequence[NodeSpec]) -> list[IPv4Network]:
    return [segment for segment in network.node_cidrs if any(node.address in segment for node in nodes)]


def _family_problems(pooled: Sequence[Pooled]) -> Iterator[Finding]:
    """Services of a cluster with one family get addresses of that family only."""
    for item in pooled:
        if item.block.first.version == 6:
            said = f"{item.block} is IPv6, and this cluster has IPv4 only: no Service ever gets an address of it"
            yield _of_pool("metallb-pool-family", item, said, "write IPv4 addresses")


def _of_pool(rule: str, item: Pooled, said: str, remedy: str) -> Finding:
    fields = (f"metallb.pools[{item.pool}].addresses",)
    return Finding(rule, f"pool '{item.pool}'", said, remedy, urn=item.urn, value=str(item.block), fields=fields)


def _inside_problems(pooled: Sequence[Pooled], network: NetworkSpec) -> Iterator[Finding]:
    """Addresses that are pods' or Services' within: no packet from outside would ever be for the pool."""
    for name, cidr in (("podCidr", network.pod_cidr), ("serviceCidr", network.service_cidr)):
        inside = AddressBlock(cidr.network_address, cidr.broadcast_address, str(cidr))
        for item in pooled:
            if item.block.overlaps(inside) and not (name == "podCidr" and holds_nodes(network)):
                said = f"{item.block} is within network.{name} {cidr}, whose addresses the cluster gives out itself"
                own = f"choose addresses of the nodes' network {network.node_cidrs[0]}"
                remedy = f"{own}, or ones that are routed to the nodes"
                yield _of_pool("metallb-pool-addresses", item, said, remedy)


def taken_addresses(network: NetworkSpec, nodes: Sequence[NodeSpec]) -> list[Taken]:
    """Nodes, API server, and the two ends of the nodes' network."""
    taken = [Taken(f"node {node.name}", node.address) for node in nodes]
    for segment in network.node_cidrs:
        if segment.prefixlen < 31:  # RFC 3021: a /31 has neither
            taken.append(Taken("the network address", segment.network_address))
            taken.append(Taken("the broadcast address", segment.broadcast_address))
    taken.extend(api_server_address(network.api_server.host))
    return taken


def api_server_address(host: str) -> list[Taken]:
    """The API server, where it is written as an address; a name is somebody else's to resolve."""
    try:
        return [Taken("the API server", address_block(f"{host}/{128 if ':' in host else 32}").first)]
    except ValueError:
        return []


_CONSEQUENCE = {
    "the router": "MetalLB would answer for it and cut every node off from the outside",
    "the API server": "MetalLB would answer for it and cut the cluster off from its API",
    "the network address": "many devices drop traffic to it",
    "the broadcast address": "many devices drop traffic to it",
}


def taken_problems(item: Pooled, taken: Sequence[Taken]) -> Iterator[Finding]:
    """A pool that would hand out an address which somebody has: it takes the address away from them."""
    for who, address in taken:
        if item.block.holds(address):
            yield _of_pool(
                "metallb-pool-addresses",
                item,
                f"{item.block} contains {who} ({address}): {_CONSEQUENCE.get(who, 'MetalLB would cut off SSH to it')}",
                "shrink the pool",
            )


def overlap_problems(pooled: Sequence[Pooled]) -> Iterator[Finding]:
    """Two blocks that share an address: MetalLB's webhook refuses the second, where there is a webhook."""
    for first, second in combinations(pooled, 2):
        if first.block.overlaps(second.block):
            yield _of_pool(
                "metallb-pool-overlap",
                second,
                f"{second.block} overlaps {first.block} of pool '{first.pool}'",
                "give each address to one pool",
            )


def _names_twice(spec: MetalLbSpec) -> Iterator[Finding]:
    for what, names in (
        ("pool", [pool.name for pool in spec.pools]),
        ("peer", [peer.name for peer in spec.peers]),
        ("BFD profile", [profile.name for profile in spec.bfd_profiles]),
    ):
        for name in duplicates(names):
            yield Finding("metallb-unique", f"{what} '{name}'", "occurs twice", "rename one of them")


def _peer_problems(spec: MetalLbSpec, nodes: Sequence[NodeSpec]) -> Iterator[Finding]:
    peers = {peer.name: peer for peer in spec.peers}
    for pool in spec.pools:
        if isinstance(pool.advertisement, Bgp):
            yield from _absent(f"pool '{pool.name}'", "peer", pool.advertisement.peers, "peers", peers)
            yield from _aggregation_problems(pool.name, pool.addresses, pool.advertisement)
            yield from _preference_problems(pool.name, pool.advertisement, peers)
    for peer in spec.peers:
        for said, remedy in _session_problems(peer, nodes):
            yield Finding("metallb-peer", f"peer '{peer.name}'", said, remedy)


def _absent(subject: str, what: str, wanted: Iterable[str], part: str, known: Iterable[str]) -> Iterator[Finding]:
    """Names that the stack file does not have."""
    there = sorted(known)
    for missing in sorted(set(wanted) - set(there)):
        said = f"names the {what} '{missing}', which metallb.{part} does not have ({', '.join(there) or 'it is empty'})"
        yield Finding("metallb-peer", subject, said, "add it, or correct the name")


def _session_problems(peer: Peer, nodes: Sequence[NodeSpec]) -> Iterator[tuple[str, str]]:
    """What is wrong with a session, and the remedy."""
    if peer.multihop and peer.my_asn == peer.peer_asn:
        yield f"multihop with the same AS {peer.my_asn} on both ends (iBGP needs none)", "leave multihop out"
    if peer.keepalive_seconds is not None and peer.keepalive_seconds > peer.hold_seconds:
        said = f"keepaliveSeconds {peer.keepalive_seconds} is more than holdSeconds {peer.hold_seconds}"
        yield said, f"write keepaliveSeconds: {max(1, peer.hold_seconds // 3)}, or leave it out"
    sessions = _selected(peer.node_selectors, nodes) if peer.node_selectors else nodes
    others = [node.name for node in sessions if node.address != peer.source_address]
    if peer.source_address is not None and others:
        said = f"sourceAddress {peer.source_address} is not an address of {', '.join(others)}, which has a session too"
        yield said, "select the node of that address in nodeSelectors, or remove sourceAddress"


def _preference_problems(pool: str, bgp: Bgp, peers: Mapping[str, Peer]) -> Iterator[Finding]:
    outside = [name for name in bgp.peers if name in peers and peers[name].my_asn != peers[name].peer_asn]
    for route in bgp.routes:
        if route.local_preference is not None and outside:
            said = (
                f"localPreference {route.local_preference} is not sent to {', '.join(outside)}, which is of another AS"
            )
            remedy = "remove it, or agree on a community with the router's owner"
            yield Finding("metallb-peer", f"pool '{pool}'", said, remedy)


def _bfd_problems(spec: MetalLbSpec) -> Iterator[Finding]:
    profiles = {profile.name: profile for profile in spec.bfd_profiles}
    for peer in spec.peers:
        item = f"peer '{peer.name}'"
        yield from _absent(item, "BFD profile", filter(None, [peer.bfd_profile]), "bfdProfiles", profiles)
        profile = profiles.get(peer.bfd_profile or "")
        if profile is None:
            continue
        if peer.multihop and profile.echo_milliseconds is not None:
            said = f"multihop with the BFD profile '{profile.name}', which has echoMilliseconds (RFC 5883, 4)"
            yield Finding("metallb-peer", item, said, "name a profile without it")
        if profile.minimum_ttl is not None and not peer.multihop:
            said = f"the BFD profile '{profile.name}' has minimumTtl, which is for routers with multihop"
            yield Finding("metallb-peer", item, said, "name a profile without it")


def _aggregation_problems(pool: str, blocks: Sequence[AddressBlock], bgp: Bgp) -> Iterator[Finding]:
    for block, route in product(blocks, bgp.routes):
        size = int(block.last) - int(block.first) + 1
        if block.first.version == 4 and size < 2 ** (32 - route.aggregation_length):
            said = f"{block} is smaller than a /{route.aggregation_length}: nodes would announce addresses of others"
            yield Finding("metallb-aggregation", f"pool '{pool}'", said, "write a larger aggregationLength")


def ownership_problems(spec: MetalLbSpec, cni: AnyCni, *, keeps_clients_address: bool) -> Iterator[Finding]:
    """Addresses with two owners, and pools that this Cilium can't own.

    `keeps_clients_address`: the gateway's Service has `externalTrafficPolicy: Local`.
    """
    if spec.install.kind != "cilium":
        yield from _two_announcers(spec, cni)
        return
    if not isinstance(cni, CiliumVxlan | CiliumGeneve | CiliumNative):
        yield _problem(
            "install", f"kind cilium, but cni.kind is {cni.kind}", "write kind: helm here, or cni.kind: cilium"
        )
        return
    for pool in spec.pools:
        item = f"pools[{pool.name}]"
        if isinstance(pool.advertisement, L2):
            yield from _l2(f"{item}.advertisement", cni.service_proxy, keeps_clients_address)
    for item in chain(*map(_only_metallb, spec.pools), *map(_peers_only_metallb, spec.peers)):
        yield _problem(item, "works only with MetalLB", "remove it")


def _l2(item: str, proxy: str, local: bool) -> Iterator[Finding]:
    if proxy != "ebpf":
        yield _problem(
            item, f"l2 by Cilium needs serviceProxy: ebpf, and it is {proxy}", "write cni.serviceProxy: ebpf"
        )
    if local:
        yield _problem(
            item,
            "l2 by Cilium does not work with externalTrafficPolicy: Local, which the gateway's Service has to keep "
            "the client's address",
            "write kind: bgp, or metallb.install kind: helm",
        )


def _only_metallb(pool: Pool) -> list[str]:
    """Settings of a pool that Cilium has not."""
    selects = isinstance(pool.advertisement, Bgp) and pool.advertisement.node_selectors
    found = {
        "advertisement.nodeSelectors": selects,  # all nodes speak BGP
        "avoidBuggyIps": pool.avoid_buggy_ips,
        "priority": pool.priority,
        "namespaces": pool.namespaces,
    }
    return [f"pools[{pool.name}].{field}" for field, value in found.items() if value]


def _peers_only_metallb(peer: Peer) -> list[str]:
    """Settings of a peer that Cilium has not."""
    found = {
        "sourceAddress": peer.source_address,
        "bfdProfile": peer.bfd_profile,  # of Cilium's enterprise edition
        "nodeSelectors": peer.node_selectors,
    }
    return [f"peers[{peer.name}].{field}" for field, value in found.items() if value]


def _two_announcers(spec: MetalLbSpec, cni: AnyCni) -> Iterator[Finding]:
    """Addresses that both Calico's BGP and MetalLB would announce."""
    if not isinstance(cni, Calico) or cni.bgp_peering is None:
        return
    yield from _one_session(spec, cni.bgp_peering)
    for pool in spec.pools:
        for block in pool.addresses:
            for network in cni.bgp_peering.service_networks:
                if (
                    block.first.version == 4
                    and int(block.first) <= int(network.broadcast_address)
                    and int(network.network_address) <= int(block.last)
                ):
                    yield _problem(
                        f"pools[{pool.name}]",
                        f"{block} is announced by MetalLB ({pool.advertisement.kind}) and, as part of "
                        f"cni.bgpPeering.serviceNetworks {network}, by Calico: an address has one owner",
                        "remove one",
                    )


def _one_session(spec: MetalLbSpec, peering: CalicoBgp) -> Iterator[Finding]:
    """A router that both Calico and MetalLB peer with. It refuses the second session (MetalLB's page on Calico)."""
    for ours in spec.peers:
        for theirs in peering.peers:
            if ours.address == theirs.address:
                yield _problem(
                    f"peers[{ours.name}]",
                    f"{ours.address} is cni.bgpPeering.peers[{theirs.name}] too, and a router takes one session from a "
                    "node",
                    "remove it from one, and let Calico announce the pools (cni.bgpPeering.serviceNetworks) if it "
                    "stays there",
                )


def _problem(item: str, says: str, remedy: str) -> Finding:
    return Finding("metallb-owner", f"metallb.{item}", says, remedy)
