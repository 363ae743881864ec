"""CNIs that somebody else installs: the platform changes nothing of them, and judges their data path all the same."""

from typing import Annotated, Literal

from pydantic import Field

from components.core.model import Spec
from components.core.types import Mtu, Version

ServiceProxy = Literal["ebpf", "iptables", "ipvs", "nftables"]
"""Who carries Services: eBPF programs in kube-proxy's place, or kube-proxy in one of its modes."""
KubeProxyMode = Literal["iptables", "ipvs", "nftables"]
"""kube-proxy's own modes on Linux."""


class Flannel(Spec):
    """Recognised to be refused: it enforces no NetworkPolicy. With `legacy: true` a running one may stay."""

    kind: Literal["flannel"]
    version: Version | None = None
    legacy: bool = False
    """It runs already and is to be replaced later: MTU and nodes are judged, tenants can't be."""
    backend: Literal["vxlan", "host-gw"] = "vxlan"
    """`vxlan` encapsulates; `host-gw` sets routes on each node and needs one segment."""
    service_proxy: KubeProxyMode = "iptables"
    """kube-proxy's mode: Flannel carries no Services."""
    pod_mtu: Mtu | None = None
    """What the author expects pods to get; Flannel itself takes the link's MTU less the encapsulation."""


Layer = Literal["vxlan", "geneve", "ipip", "wireguard"]


class Unmanaged(Spec):
    """Any CNI that somebody else installs; what it does to packets has to be said, because nobody can see it."""

    kind: Literal["unmanaged"]
    name: Annotated[str, Field(min_length=1, max_length=63)]
    """What it is called, for messages."""
    layers: tuple[Layer, ...] = ()
    """What its packets between nodes are wrapped in, all of it; empty: they travel as they are."""
    pod_mtu: Mtu
    """What pods have: `ip link show eth0` in one of them."""
    service_proxy: ServiceProxy
    network_policies: bool
    """Whether it enforces NetworkPolicy: without it, tenants are not kept apart."""
