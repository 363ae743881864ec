"""What every kind of CNI answers for itself, so that a new one is one folder, a member of the union and a row of
`kinds.py`."""

from abc import abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from components.core.model import Spec
from components.network.compatibility.matrix import Combination

ServiceProxy = Literal["ebpf", "iptables", "ipvs", "nftables"]
"""Who carries Services: eBPF programs in kube-proxy's place, or kube-proxy in one of its modes."""
KubeProxyMode = Literal["iptables", "ipvs", "nftables"]
"""kube-proxy's own modes on Linux."""
MtuField = Literal["MTU", "calicoNetwork.mtu", "FLANNEL_MTU", "podMtu"]
Ports = tuple[tuple[int, str], ...]
"""Ports with who needs them."""


class Requirements(NamedTuple):
    """What a data path needs of the nodes and of the network between them."""

    tcp_ports: Ports = ()
    """Between nodes."""
    udp_ports: Ports = ()
    same_segment: str = ""
    """Who needs the nodes on one layer-2 segment; empty: nothing does."""
    foreign_sources: str = ""
    """Who needs the network to carry packets whose source is not the sending node's; empty: nothing does.

    Rented networks often filter them: pods' addresses with native routing, the service's address with DSR."""


class Helm(Spec):
    """The CNI, from its Helm chart."""

    kind: Literal["helm"]
    repository: str = Field(default="https://helm.cilium.io/", pattern=r"^(https|oci)://\S+$")
    """Chart repository, or a mirror of it."""
    timeout_seconds: int = Field(default=600, ge=60, le=3600)
    """Time limit of the installation. After that Helm rolls it back."""
    values: dict[str, Any] = Field(default_factory=dict)
    """More values for the chart. Keys that the platform sets are refused."""


class CniSpec(Spec):
    """A CNI of a stack file."""

    kind: str
    mtu_field: ClassVar[MtuField]
    """Where its configuration has the MTU."""
    mtu_is_the_links: ClassVar[bool] = False
    """Whether that field holds the links' MTU and not the pods'."""
    plain_path: ClassVar[str] = "no encapsulation"
    """What its packets travel by when nothing wraps them."""
    policies_field: ClassVar[str] = "cni.kind"
    """The field that says whether it enforces network policies."""

    @property
    def title(self) -> str:
        """Its name in messages."""
        return self.kind

    @property
    def enforces_policies(self) -> bool:
        """Whether NetworkPolicies keep tenants apart."""
        return True

    @property
    def fixed_pod_mtu(self) -> int | None:
        """The pods' MTU where somebody else has set it."""
        return None

    @property
    def chart(self) -> tuple[str, str] | None:
        """Name and version of the chart that installs it; None where somebody else does."""
        return None

    @abstractmethod
    def overheads(self) -> dict[str, int]:
        """Bytes between the links' MTU and the pods', by what takes them."""

    @abstractmethod
    def requirements(self) -> Requirements:
        """What it needs of the nodes and of their network."""

    @abstractmethod
    def combination(self) -> Combination:
        """What it brings into the table of what works together."""

    @abstractmethod
    def summary(self) -> str:
        """As in `Cilium 1.18.2: VXLAN tunnel, SNAT, kube-proxy replaced by eBPF`."""


def proxy_words(proxy: ServiceProxy) -> str:
    """Who carries Services, in words."""
    return "kube-proxy replaced by eBPF" if proxy == "ebpf" else f"kube-proxy with {proxy}"
