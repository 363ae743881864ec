"""CNIs that somebody else installs. The platform checks their data path and changes nothing."""

from typing import Annotated, Literal

from pydantic import Field

from components.core.model import Spec
from components.core.types import Mtu, Version

ServiceProxy = Literal["ebpf", "iptables", "ipvs", "nftables"]
"""What forwards Services: eBPF programs instead of kube-proxy, or kube-proxy in one of its modes."""
KubeProxyMode = Literal["iptables", "ipvs", "nftables"]
"""kube-proxy's own modes on Linux."""


class Flannel(Spec):
    """Flannel. It is refused, because it enforces no NetworkPolicy. With `legacy: true` an existing one is accepted."""

    kind: Literal["flannel"]
    version: Version | None = None
    legacy: bool = False
    """It runs already and will be replaced. MTU and nodes are checked; tenants are not possible."""
    backend: Literal["vxlan", "host-gw"] = "vxlan"
    """`vxlan` encapsulates. `host-gw` sets routes on each node and needs one segment."""
    service_proxy: KubeProxyMode = "iptables"
    """Mode of kube-proxy, because Flannel does not forward Services."""
    pod_mtu: Mtu | None = None
    """The pod MTU that you expect. Flannel uses the link MTU minus the encapsulation."""


Layer = Literal["vxlan", "geneve", "ipip", "wireguard"]


class Unmanaged(Spec):
    """Any CNI that somebody else installs. You declare what it does, because the platform can't see it."""

    kind: Literal["unmanaged"]
    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the CNI, for messages."""
    layers: tuple[Layer, ...] = ()
    """All encapsulations of packets between nodes. Default: none."""
    pod_mtu: Mtu
    """The pods' MTU: `ip link show eth0` in a pod shows it."""
    service_proxy: ServiceProxy
    network_policies: bool
    """Whether it enforces NetworkPolicy. Tenants need this."""
