"""Which kernel modules a node needs. That depends on the data path and the settings, not on the distribution."""

from collections.abc import Iterable

from components.core.types import ServiceProxy
from components.nodes.model import Sysctl

BRIDGED = ("br_netfilter", "overlay")
# iptables and nftables see bridged pod traffic only through br_netfilter (kube-proxy's own requirement).

BY_PROXY: dict[ServiceProxy, tuple[str, ...]] = {
    "ebpf": (),  # the CNI's programs sit at the interface: neither bridge hooks nor ip_vs are on the path
    "iptables": BRIDGED,
    "nftables": BRIDGED,
    # kube-proxy's IPVS mode (2018 article; nf_conntrack_ipv4 became nf_conntrack in kernel 4.19).
    "ipvs": (*BRIDGED, "ip_vs", "ip_vs_rr", "ip_vs_sh", "ip_vs_wrr", "nf_conntrack"),
}


def modules(proxy: ServiceProxy, settings: Iterable[Sysctl]) -> tuple[str, ...]:
    """Module names, sorted. conntrack's keys exist only while its module is loaded, so a setting of one needs it."""
    conntrack = {"nf_conntrack" for setting in settings if setting.key.startswith("net.netfilter.nf_conntrack")}
    return tuple(sorted({*BY_PROXY[proxy], *conntrack}))
