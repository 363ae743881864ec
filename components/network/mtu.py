"""How large a pod's packets may be, and why: solved by version, with the arithmetic as text.

One number has two meanings, and most MTU accidents are that confusion: Cilium's chart value `MTU` is the
*link's* and the agent takes the encapsulation off; Calico's `mtu` is the *pods'*. Sources: the agents' own
arithmetic, run for the versions named, and Calico's documentation.
"""

from collections.abc import Mapping
from typing import NamedTuple

from components.core.versions import matches
from components.network.kind import CniSpec, MtuField

VXLAN_OVERHEAD = 50  # outer Ethernet 14 + IPv4 20 + UDP 8 + VXLAN 8
GENEVE_OVERHEAD = 50  # the same with Geneve's 8, as the agent counts it: its options are not in the number
IPIP_OVERHEAD = 20  # outer IPv4
WIREGUARD_OVERHEAD = 80  # outer IPv6 40 + UDP 8 + WireGuard 32
WIREGUARD_OVERHEAD_IPV4 = 60  # outer IPv4 20 + UDP 8 + WireGuard 32, as Calico's page on MTU counts: 1500 → 1440
IPSEC_OVERHEAD = 77  # outer IPv4 20 + ESP 8 + next header 1 + ICV 16 + padding 16 + key 16: Cilium's pkg/mtu/mtu.go
DSR_OPTION_BYTES = 8  # the IPv4 option of dispatch `opt`: the service's address and port, on a client's packet
DSR_GENEVE_BYTES = 12  # the Geneve option of dispatch `geneve`: DsrTunnelOverhead in Cilium's pkg/mtu/mtu.go
WIREGUARD_OVERHEAD_PADDED = 95  # since Cilium 1.19.5 padding to 16 bytes counts too (cilium#45940)


class Mtu(NamedTuple):
    """What the solver found."""

    pod: int
    """Bytes: the largest packet a pod may send to a pod on another node."""
    configured: int
    """Bytes to write into the CNI's own field, which for Cilium is the link's MTU."""
    field: MtuField
    """The name of that field."""
    arithmetic: str
    """As in `1500 − 50 (VXLAN) = 1450`."""


def solve(cni: CniSpec, underlay: int) -> Mtu:
    """The pods' MTU over links of `underlay` bytes. Total: rules refuse versions it has no numbers for."""
    fits, fixed = fitting(cni, underlay), cni.fixed_pod_mtu
    if fixed is not None and fixed != fits.pod:  # it is as it is; rules refuse one that is too large
        return fits._replace(pod=fixed, configured=fixed, arithmetic=f"{fixed} of {fits.arithmetic}")
    return fits


def fitting(cni: CniSpec, underlay: int) -> Mtu:
    """The largest that fits, whatever somebody else has configured."""
    overheads = cni.overheads()
    pod = underlay - sum(overheads.values())
    configured = underlay if cni.mtu_is_the_links else pod
    return Mtu(pod, configured, cni.mtu_field, arithmetic(underlay, overheads, cni.plain_path))


def arithmetic(link: int, overheads: Mapping[str, int], plain: str) -> str:
    """As in `1500 − 50 (VXLAN) = 1450`; `plain` names what takes nothing."""
    terms = "".join(f" − {size} ({name})" for name, size in overheads.items()) or f" − 0 ({plain})"
    return f"{link}{terms} = {link - sum(overheads.values())}"


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


def cilium_overheads(tunnel: str, encryption: str, release: str) -> dict[str, int]:
    """What Cilium's agents take off the links' MTU: `tunnel` is `vxlan`, `geneve` or empty, `encryption` too."""
    wrapped = {}
    if tunnel:
        wrapped["Geneve" if tunnel == "geneve" else "VXLAN"] = GENEVE_OVERHEAD if tunnel == "geneve" else VXLAN_OVERHEAD
    if not encryption:
        return wrapped
    if encryption == "ipsec":
        return {**wrapped, "IPsec; not measured: prove it with DF pings": IPSEC_OVERHEAD}
    if wrapped and matches(release, "<=1.14.5"):  # those agents take off the encryption's bytes only
        return {"WireGuard, the tunnel not counted up to 1.14.5" + _unmeasured(release): WIREGUARD_OVERHEAD}
    overhead = WIREGUARD_OVERHEAD_PADDED if matches(release, ">=1.19.5") else WIREGUARD_OVERHEAD
    return {**wrapped, "WireGuard" + _unmeasured(release): overhead}


def _unmeasured(version: str) -> str:
    return "" if measured(version) else "; not measured on this release: prove it with DF pings"


def measured(version: str) -> bool:
    """Whether Cilium's own arithmetic with WireGuard was run or read on this release, or on ones around it that agree.

    Read in pkg/mtu/mtu.go of 1.14.5, 1.14.7, 1.14.19, 1.15.0, 1.15.19, 1.16.1, 1.17.0, 1.18.2, 1.18.11, and 1.19.0, .4,
    .5 and .6; run on 1.11.5 to 1.14.4, 1.16.1 to 1.18.2, 1.19.6 and 1.20.0.
    """
    return any(matches(version, span) for span in ("<=1.14.5", ">=1.14.7,<=1.18.11", ">=1.19"))
