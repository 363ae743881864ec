"""Rules for the owner of LoadBalancer addresses: MetalLB, Cilium or Calico's BGP, but never two of them."""

from collections.abc import Iterator

from components.core.finding import Finding
from components.network.calico.model import CalicoBgp
from components.network.model import AnyCni, Calico, CiliumGeneve, CiliumNative, CiliumVxlan
from components.pools.model import L2, Bgp, MetalLbSpec


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
        else:
            yield from _bgp(f"{item}.advertisement", pool.advertisement)


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


def _bgp(item: str, bgp: Bgp) -> Iterator[Finding]:
    if not bgp.node_selectors:
        return
    said = "nodeSelectors work only with MetalLB; with Cilium all nodes speak BGP here"
    yield _problem(item, said, "remove them")


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
