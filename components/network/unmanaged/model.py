"""CNIs that somebody else installs. The platform checks their data path and changes nothing."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from components.core.types import Mtu, ServiceProxy, Version
from components.network.compatibility.matrix import Combination, Feature
from components.network.kind import CniSpec, KubeProxyMode, MtuField, Requirements, proxy_words
from components.network.mtu import GENEVE_OVERHEAD, IPIP_OVERHEAD, VXLAN_OVERHEAD, WIREGUARD_OVERHEAD_IPV4


class Flannel(CniSpec):
    """Flannel. It is refused, because it enforces no NetworkPolicy. With `legacy: true` an existing one is accepted."""

    kind: Literal["flannel"]
    version: Version | None = None
    """Version of Flannel, if you know it."""
    legacy: bool = False
    """It runs already and will be replaced. MTU and nodes are checked; tenants are not possible."""
    backend: Literal["vxlan", "host-gw"] = "vxlan"
    """`vxlan` encapsulates. `host-gw` sets routes on each node and needs one segment."""
    service_proxy: KubeProxyMode = "iptables"
    """Mode of kube-proxy, because Flannel does not forward Services."""
    pod_mtu: Mtu | None = None
    """The pod MTU that you expect. Flannel uses the link MTU minus the encapsulation."""

    mtu_field: ClassVar[MtuField] = "FLANNEL_MTU"

    @property
    def enforces_policies(self) -> bool:
        return False

    def overheads(self) -> dict[str, int]:
        return {"VXLAN": VXLAN_OVERHEAD} if self.backend == "vxlan" else {}

    def requirements(self) -> Requirements:
        if self.backend == "vxlan":
            return Requirements(udp_ports=((8472, "Flannel's VXLAN"),))
        plain = "Flannel with backend: host-gw"
        return Requirements(same_segment=plain, foreign_sources=plain)

    def combination(self) -> Combination:
        return _of_proxy(self.service_proxy)

    def summary(self) -> str:
        version = f" {self.version}" if self.version else ""
        return f"Flannel{version} (legacy): {self.backend}, kube-proxy with {self.service_proxy}, no policies"


Layer = Literal["vxlan", "geneve", "ipip", "wireguard"]
_LAYERS: dict[Layer, tuple[str, int]] = {
    "vxlan": ("VXLAN", VXLAN_OVERHEAD),
    "geneve": ("Geneve", GENEVE_OVERHEAD),
    "ipip": ("IPIP", IPIP_OVERHEAD),
    # The smaller, of nodes that reach each other by IPv4: what it really is can't be seen from here, and only what
    # surely does not fit is refused.
    "wireguard": ("WireGuard", WIREGUARD_OVERHEAD_IPV4),
}


class Unmanaged(CniSpec):
    """Any CNI that somebody else installs. You declare what it does, because the platform can't see it."""

    kind: Literal["unmanaged"]
    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the CNI, for messages."""
    layers: tuple[Layer, ...] = ()
    """All encapsulations of packets between nodes. Default: none."""
    pod_mtu: Mtu
    """The pods' MTU: `ip link show eth0` in a pod shows it."""
    service_proxy: ServiceProxy
    """What forwards Services: eBPF programs, or the mode of kube-proxy."""
    network_policies: bool
    """Whether it enforces NetworkPolicy. Tenants need this."""
    cluster_network_policies: bool = False
    """Whether the cluster serves ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2) and this CNI enforces it.
    Nodes and link-local addresses are then denied to registered tenants, whatever policies their namespaces have."""

    mtu_field: ClassVar[MtuField] = "podMtu"
    policies_field: ClassVar[str] = "cni.networkPolicies"

    @property
    def title(self) -> str:
        return self.name

    @property
    def enforces_policies(self) -> bool:
        return self.network_policies

    @property
    def fixed_pod_mtu(self) -> int:
        return self.pod_mtu

    def overheads(self) -> dict[str, int]:
        return dict(_LAYERS[layer] for layer in self.layers)

    def requirements(self) -> Requirements:
        """Its ports are not known here."""
        return Requirements(foreign_sources="" if self.layers else f"{self.name} without encapsulation")

    def combination(self) -> Combination:
        return _of_proxy(self.service_proxy)

    def summary(self) -> str:
        layers = " in ".join(self.layers) or "no encapsulation"
        policies = "policies" if self.network_policies else "no policies"
        return f"{self.name}, installed by somebody else: {layers}, {proxy_words(self.service_proxy)}, {policies}"


def _of_proxy(proxy: ServiceProxy) -> Combination:
    return Combination({}, frozenset({Feature.PROXY_NFTABLES} if proxy == "nftables" else ()))
