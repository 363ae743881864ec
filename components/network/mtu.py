"""How large a pod's packets may be, and why: solved by version, with the arithmetic as text.

One number has two meanings, and most MTU accidents are that confusion: Cilium's chart value `MTU` is the
*link's* and the agent takes the encapsulation off; Calico's `mtu` is the *pods'*. Sources: the agents' own
arithmetic, run for the versions named, and Calico's documentation.
"""

from typing import Literal, NamedTuple

from components.core.versions import version_tuple
from components.network.model import AnyCni, Calico, Cilium, CiliumNative
from components.network.unmanaged import Flannel, Unmanaged

Field = Literal["MTU", "calicoNetwork.mtu", "FLANNEL_MTU", "podMtu"]

VXLAN_OVERHEAD = 50  # outer Ethernet 14 + IPv4 20 + UDP 8 + VXLAN 8
GENEVE_OVERHEAD = 50  # the same with Geneve's 8, as the agent counts it: its options are not in the number
IPIP_OVERHEAD = 20  # outer IPv4
WIREGUARD_OVERHEAD = 80  # outer IPv6 40 + UDP 8 + WireGuard 32
WIREGUARD_OVERHEAD_IPV4 = 60  # outer IPv4 20 + UDP 8 + WireGuard 32, as Calico's page on MTU counts: 1500 → 1440
IPSEC_OVERHEAD = 77  # outer IPv4 20 + ESP 8 + next header 1 + ICV 16 + padding 16 + key 16: Cilium's pkg/mtu/mtu.go
DSR_OPTION_BYTES = 8  # the IPv4 option of dispatch `opt`: the service's address and port, on a client's packet
WIREGUARD_OVERHEAD_1_19 = 95  # since Cilium 1.19 padding to 16 bytes counts too


class Mtu(NamedTuple):
    """What the solver found."""

    pod: int
    """Bytes: the largest packet a pod may send to a pod on another node."""
    configured: int
    """Bytes to write into the CNI's own field, which for Cilium is the link's MTU."""
    field: Field
    """The name of that field."""
    arithmetic: str
    """As in `1500 − 50 (VXLAN) = 1450`."""


def solve(cni: AnyCni, underlay: int) -> Mtu:
    """The pods' MTU over links of `underlay` bytes. Total: rules refuse versions it has no numbers for."""
    fits = fitting(cni, underlay)
    if isinstance(cni, Unmanaged) and cni.pod_mtu != fits.pod:  # it is as it is; rules refuse one that is too large
        return fits._replace(pod=cni.pod_mtu, configured=cni.pod_mtu, arithmetic=f"{cni.pod_mtu} of {fits.arithmetic}")
    return fits


def fitting(cni: AnyCni, underlay: int) -> Mtu:
    """The largest that fits, whatever somebody else has configured."""
    overheads = _overheads(cni)
    pod = underlay - sum(overheads.values())
    plain = "native routing" if isinstance(cni, CiliumNative) else "no encapsulation"
    terms = "".join(f" − {size} ({name})" for name, size in overheads.items()) or f" − 0 ({plain})"
    arithmetic = f"{underlay}{terms} = {pod}"
    if isinstance(cni, Calico):
        return Mtu(pod, pod, "calicoNetwork.mtu", arithmetic)
    if isinstance(cni, Flannel | Unmanaged):
        return Mtu(pod, pod, "FLANNEL_MTU" if isinstance(cni, Flannel) else "podMtu", arithmetic)
    return Mtu(pod, underlay, "MTU", arithmetic)


def trap(route: int, path: int) -> str:
    """Names the MTU trap of 2018: a pod that believes in larger packets than the path carries. Empty where it is none.

    `route` is what the pod's kernel sends by, `path` the largest packet that arrived unfragmented, both in bytes.
    """
    if path >= route:
        return ""
    return (
        f"pods send packets of up to {route} bytes, and the path carries {path}: larger ones are lost in silence "
        f"(small requests answer, large answers hang); the CNI's pod MTU must be {path}"
    )


def _overheads(cni: AnyCni) -> dict[str, int]:
    if isinstance(cni, Calico):
        return _calico(cni)
    if isinstance(cni, Flannel):
        return {"VXLAN": VXLAN_OVERHEAD} if cni.backend == "vxlan" else {}
    if isinstance(cni, Unmanaged):
        return {name: overhead for layer in cni.layers for name, overhead in [_LAYERS[layer]]}
    return _cilium(cni)


_LAYERS = {
    "vxlan": ("VXLAN", VXLAN_OVERHEAD),
    "geneve": ("Geneve", GENEVE_OVERHEAD),
    "ipip": ("IPIP", IPIP_OVERHEAD),
    # The smaller, of nodes that reach each other by IPv4: what it really is can't be seen from here, and only what
    # surely does not fit is refused.
    "wireguard": ("WireGuard", WIREGUARD_OVERHEAD_IPV4),
}


def _cilium(cni: Cilium) -> dict[str, int]:
    version = version_tuple(cni.version)
    tunnel = {}
    if not isinstance(cni, CiliumNative):
        vxlan = cni.routing.protocol == "vxlan"
        tunnel["VXLAN" if vxlan else "Geneve"] = VXLAN_OVERHEAD if vxlan else GENEVE_OVERHEAD
    if cni.encryption == "none":
        return tunnel
    if cni.encryption == "ipsec":
        return {**tunnel, "IPsec; not measured: prove it with DF pings": IPSEC_OVERHEAD}
    if tunnel and version < (1, 16):  # those agents take off the encryption's bytes only
        return {"WireGuard, the tunnel not counted before 1.16" + _unmeasured(version): WIREGUARD_OVERHEAD}
    overhead = WIREGUARD_OVERHEAD_1_19 if version >= (1, 19) else WIREGUARD_OVERHEAD
    return {**tunnel, "WireGuard" + _unmeasured(version): overhead}


def _unmeasured(version: tuple[int, ...]) -> str:
    return "" if measured(version) else "; not measured on this release: prove it with DF pings"


def measured(version: tuple[int, ...]) -> bool:
    """Whether Cilium's own arithmetic with WireGuard was run on this release, or on ones around it that agree."""
    return version <= (1, 14, 4) or (1, 16) <= version <= (1, 18, 2) or version >= (1, 19, 6)


def _calico(cni: Calico) -> dict[str, int]:
    """One of them, the largest: packets between nodes go by WireGuard or by the tunnel, never by one in the other.

    Calico's page on MTU, eBPF mode: whatever the encapsulation, a node hands a Service's packets to another by VXLAN,
    and pods get the network's MTU less 50.
    """
    wrapped = {}
    if cni.encapsulation.startswith("VXLAN"):
        wrapped["VXLAN"] = VXLAN_OVERHEAD
    elif cni.dataplane == "BPF":
        wrapped["VXLAN, in which the BPF data plane hands on node ports"] = VXLAN_OVERHEAD
    if cni.encapsulation.startswith("IPIP"):
        wrapped["IPIP"] = IPIP_OVERHEAD
    if cni.encryption == "wireguard":
        wrapped["WireGuard"] = WIREGUARD_OVERHEAD_IPV4
    largest = max(wrapped, key=wrapped.__getitem__, default="")
    return {largest: wrapped[largest]} if largest else {}
