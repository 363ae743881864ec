"""What is not wrong with Cilium and will surprise: said at every preview, refused by nothing."""

from collections.abc import Iterator

from components.core.finding import Finding
from components.core.versions import matches
from components.network.cilium.model import Cilium, DsrGeneve, DsrOption
from components.network.mtu import DSR_GENEVE_BYTES, DSR_OPTION_BYTES, GENEVE_OVERHEAD

CLIENTS_MTU = 1500
"""What clients outside send at most: Ethernet's, and the internet's."""


def cilium_advice(cni: Cilium, underlay: int) -> Iterator[Finding]:
    """Every remark, over links of `underlay` bytes."""
    if cni.hubble and certificates_come_late(cni.version):
        yield Finding(
            "advice",
            "cni.hubble",
            f"flows are recorded, without Hubble's relay: the chart of Cilium {cni.version} makes the relay's "
            "certificates only after a Release that waits for the relay (cilium#40381)",
            "write version 1.19 or newer to have it, and until then ask an agent itself: hubble observe in its pod",
            advice=True,
        )
    yield from _host_routing_with_ipsec(cni)
    yield from _dsr(cni, underlay)
    yield from _dsr_in_geneve(cni, underlay)


def _host_routing_with_ipsec(cni: Cilium) -> Iterator[Finding]:
    """Cilium 1.19's upgrade notes: with these settings agents route in eBPF, where they did not before."""
    if cni.encryption != "ipsec" or cni.service_proxy != "ebpf" or not matches(cni.version, ">=1.19"):
        return
    said = (
        "since Cilium 1.19, IPsec without kube-proxy switches eBPF host routing on, which needs the fix for "
        "CVE-2025-37959 in the nodes' kernel: the platform can't check that"
    )
    remedy = (
        "compare your kernel with Cilium 1.19's upgrade notes, or write encryption: wireguard, or "
        "bpf.hostLegacyRouting: true in cni.install.values"
    )
    yield Finding("advice", "cni.encryption", said, remedy, advice=True)


def _dsr(cni: Cilium, underlay: int) -> Iterator[Finding]:
    """Headroom for the option of DSR (cilium#32601, #39690): no pod's MTU helps, the packets are the clients'.

    TCP carries it on its first packet only, which is small; `hybrid` is SNAT for UDP.
    """
    balancing, fits = cni.load_balancing, underlay - DSR_OPTION_BYTES
    if not isinstance(balancing, DsrOption) or balancing.mode != "dsr" or fits >= CLIENTS_MTU:
        return
    yield Finding(
        "advice",
        "cni.loadBalancing",
        f"dispatch opt adds {DSR_OPTION_BYTES} bytes to clients' UDP packets from node to node: {underlay} − "
        f"{DSR_OPTION_BYTES} (IPv4 option) = {fits} fit, and larger ones are lost unless the client reacts to "
        "ICMP. podMtu does not change this",
        f"write mode: hybrid (SNAT for UDP), or give the links between nodes {CLIENTS_MTU + DSR_OPTION_BYTES} or more",
        advice=True,
    )


def _dsr_in_geneve(cni: Cilium, underlay: int) -> Iterator[Finding]:
    """Headroom for clients' packets that a Geneve header carries from node to node (pkg/mtu: TunnelOverhead and
    DsrTunnelOverhead). Agents do not count it, with a tunnel or without one."""
    balancing, extra = cni.load_balancing, GENEVE_OVERHEAD + DSR_GENEVE_BYTES
    fits = underlay - extra
    if not isinstance(balancing, DsrGeneve) or fits >= CLIENTS_MTU:
        return
    yield Finding(
        "advice",
        "cni.loadBalancing",
        f"dispatch geneve adds {extra} bytes to clients' packets from node to node: {underlay} − {GENEVE_OVERHEAD} "
        f"(Geneve) − {DSR_GENEVE_BYTES} (its option) = {fits} fit, and larger ones are lost unless the client "
        "reacts to ICMP. podMtu does not change this",
        f"give the links between nodes {CLIENTS_MTU + extra} or more, or write mode: snat",
        advice=True,
    )


def certificates_come_late(release: str) -> bool:
    """Whether the chart's certificate Job is a Helm hook that runs after the wait.

    cilium#40381: with `method: cronJob` a Release that waits never gets to the Job, and the relay waits for its
    Secret. A hook from 1.14 (cilium#23102) to 1.18; a plain Job since 1.19 (cilium#42298).
    """
    return matches(release, "<1.19")
