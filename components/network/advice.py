"""What is not wrong with a network and will surprise: said at every preview, refused by nobody."""

from components.network.cilium.chart.keys import nearest, within
from components.network.model import AnyCni, Calico, Cilium, DsrOption, Helm
from components.network.mtu import DSR_OPTION_BYTES
from components.network.unmanaged import Flannel, Unmanaged

CLIENTS_MTU = 1500
"""What clients outside send at most: Ethernet's, and the internet's."""


def cni_advice(cni: AnyCni, underlay: int) -> list[str]:
    """Every remark on this CNI over links of `underlay` bytes, a line each."""
    if isinstance(cni, Calico):
        return _calico(cni)
    if isinstance(cni, Flannel | Unmanaged):
        return []
    found = []
    if cni.hubble and isinstance(cni.install, Helm) and certificates_come_late(nearest(cni.version) or cni.version):
        found.append(
            f"cni.hubble: flows are recorded, without Hubble's relay: the chart of Cilium {cni.version} makes the "
            "relay's certificates only after a Release that waits for the relay (cilium#40381); write version 1.19 or "
            "newer to have it, and until then ask an agent itself: hubble observe in its pod"
        )
    return found + _dsr(cni, underlay)


def _dsr(cni: Cilium, underlay: int) -> list[str]:
    """Headroom for the option of DSR (cilium#32601, #39690): no pod's MTU helps, the packets are the clients'.

    TCP carries it on its first packet only, which is small; `hybrid` is SNAT for UDP.
    """
    balancing, fits = cni.load_balancing, underlay - DSR_OPTION_BYTES
    if not isinstance(balancing, DsrOption) or balancing.mode != "dsr" or fits >= CLIENTS_MTU:
        return []
    return [
        f"cni.loadBalancing: dispatch opt adds {DSR_OPTION_BYTES} bytes to clients' UDP packets from node to node: "
        f"{underlay} − {DSR_OPTION_BYTES} (IPv4 option) = {fits} fit, and larger ones are lost unless the client heeds "
        "ICMP. podMtu has no say in it; write mode: hybrid (SNAT for UDP), or give the links between nodes "
        f"{CLIENTS_MTU + DSR_OPTION_BYTES} or more"
    ]


def _calico(cni: Calico) -> list[str]:
    if cni.dataplane != "BPF" or not cni.encapsulation.startswith("IPIP"):
        return []
    return [
        f"cni.encapsulation: {cni.encapsulation} with the BPF data plane works, and VXLAN is much faster there "
        "(Calico's page on eBPF): write VXLAN, or None where routers know the pods"
    ]


def certificates_come_late(release: str) -> bool:
    """Whether the chart's certificate Job is a Helm hook that runs after the wait.

    cilium#40381: with `method: cronJob` a Release that waits never gets to the Job, and the relay waits for its
    Secret. A hook since 1.14 (cilium#23102), a plain Job before, and again since 1.19 (cilium#42298).
    """
    return within(release, "1.14.0", "") and not within(release, "1.19.0", "")
