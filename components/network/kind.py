"""Base class of every CNI. A new CNI is one folder, a member of the union in `model.py`, and a row in `kinds.py`."""

from abc import abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from components.core.model import Spec
from components.core.types import ServiceProxy
from components.network.compatibility.matrix import Combination

KubeProxyMode = Literal["iptables", "ipvs", "nftables"]
"""Modes of kube-proxy on Linux."""
MtuField = Literal["MTU", "calicoNetwork.mtu", "FLANNEL_MTU", "podMtu"]
Ports = tuple[tuple[int, str], ...]
"""Ports, and what needs them."""


class Requirements(NamedTuple):
    """Requirements of a data path for the nodes and the network between them."""

    tcp_ports: Ports = ()
    """TCP ports between nodes."""
    udp_ports: Ports = ()
    same_segment: str = ""
    """What needs all nodes in one layer-2 segment. Empty: nothing."""
    foreign_sources: str = ""
    """What needs packets whose source address is not the sending node's. Empty: nothing.

    Rented networks often filter them: pods' addresses with native routing, the Service's address with DSR."""


class Helm(Spec):
    """The CNI, from its Helm chart."""

    kind: Literal["helm"]
    repository: str = Field(default="https://helm.cilium.io/", pattern=r"^(https|oci)://\S+$")
    """Chart repository, or a mirror of it."""
    timeout_seconds: int = Field(default=600, ge=60, le=3600)
    """Time limit of the installation. After that the update fails, and names what does not run."""
    values: dict[str, Any] = Field(default_factory=dict)
    """More values for the chart. Keys that the platform sets are refused."""


class CniSpec(Spec):
    """A CNI of a stack file."""

    kind: str
    mtu_field: ClassVar[MtuField]
    """The field of the CNI's own configuration that has the MTU."""
    mtu_is_the_links: ClassVar[bool] = False
    """Whether that field has the links' MTU and not the pods'."""
    plain_path: ClassVar[str] = "no encapsulation"
    """Name of its data path without encapsulation."""
    policies_field: ClassVar[str] = "cni.kind"
    """The field of the stack file that decides whether it enforces network policies."""

    @property
    def title(self) -> str:
        """Its name in messages."""
        return self.kind

    @property
    def enforces_policies(self) -> bool:
        """Whether it enforces NetworkPolicy."""
        return True

    @property
    def fixed_pod_mtu(self) -> int | None:
        """The pod MTU if somebody else has set it."""
        return None

    @property
    def chart(self) -> tuple[str, str] | None:
        """Name and version of its chart; None if somebody else installs it."""
        return None

    @property
    def crd_chart(self) -> tuple[str, str] | None:
        """Name and version of the chart that has its CRDs; None if `chart` has them."""
        return None

    @abstractmethod
    def overheads(self) -> dict[str, int]:
        """Bytes that are subtracted from the links' MTU, by encapsulation."""

    @abstractmethod
    def requirements(self) -> Requirements:
        """Its requirements for the nodes and their network."""

    @abstractmethod
    def combination(self) -> Combination:
        """Its parts and features for the compatibility matrix."""

    @abstractmethod
    def summary(self) -> str:
        """For example `Cilium 1.18.2: VXLAN tunnel, SNAT, kube-proxy replaced by eBPF`."""


def proxy_words(proxy: ServiceProxy) -> str:
    """What forwards Services, in words."""
    return "kube-proxy replaced by eBPF" if proxy == "ebpf" else f"kube-proxy with {proxy}"
