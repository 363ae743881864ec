"""The cluster's network as one tagged union, in which invalid combinations can't be expressed.

For example DSR over a VXLAN tunnel: the chart renders it, and then every agent exits with
`Node Port "dsr" mode cannot be used with vxlan tunneling`. Here each routing has its own model, with the load
balancing that it supports.
"""

from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag

from components.core.model import Spec
from components.core.types import DnsName, MinorVersion, Mtu, Network, Version
from components.images.model import ImageMirror
from components.network.calico.bgp import CalicoBgp
from components.network.unmanaged import Flannel, ServiceProxy, Unmanaged

# --- how traffic gets from node to node ------------------------------------------------------------------


class VxlanTunnel(Spec):
    """VXLAN tunnel: pods' packets are sent in UDP between nodes. This works in every network."""

    mode: Literal["tunnel"]
    protocol: Literal["vxlan"]


class GeneveTunnel(Spec):
    """Geneve tunnel: like VXLAN, with header options that DSR can use."""

    mode: Literal["tunnel"]
    protocol: Literal["geneve"]


class NativeRouting(Spec):
    """Native routing: pods' packets are sent unchanged. The nodes' network needs routes to the pods."""

    mode: Literal["native"]
    native_cidr: Network
    """Addresses that are reached without masquerading: the pod network, or a larger range."""
    routes: Literal["same-l2", "provider", "bgp"]
    """Where routes to other nodes' pods come from. `same-l2`: each agent sets them; all nodes must be in one segment.
    `provider` and `bgp`: others set them."""


# --- how a Service's traffic reaches a pod on another node -----------------------------------------------


class Snat(Spec):
    """SNAT: the node replaces the client's address, and answers go back through it. This works everywhere."""

    mode: Literal["snat"]


class DsrOption(Spec):
    """DSR with an IP option of 8 bytes: answers go directly to the client, and pods see the client's address."""

    mode: Literal["dsr", "hybrid"]
    """`dsr`, or `hybrid`: DSR for TCP and SNAT for UDP."""
    dispatch: Literal["opt"]


class DsrGeneve(Spec):
    """DSR with the client's address in a Geneve header."""

    mode: Literal["dsr", "hybrid"]
    dispatch: Literal["geneve"]


def _no_dsr_over_vxlan(value: Any) -> Any:
    if isinstance(value, dict) and value.get("mode") in ("dsr", "hybrid"):
        raise ValueError(
            f"{value['mode']} over a VXLAN tunnel does not exist (the agent exits): write mode: snat, or routing "
            "with protocol: geneve and dispatch: geneve, or mode: native"
        )
    return value


def _only_geneve_in_geneve(value: Any) -> Any:
    if isinstance(value, dict) and value.get("dispatch") == "opt":
        raise ValueError("an IP option does not survive a Geneve tunnel: write dispatch: geneve")
    return value


def _one_of_the_routings(value: Any) -> Any:
    mode, protocol = _member(value, "mode"), _member(value, "protocol")
    if isinstance(value, dict) and (mode, protocol) != ("tunnel", "vxlan"):
        wrong = "protocol" if mode == "tunnel" else "mode"
        raise ValueError(
            f"its {wrong} is none that there is: write mode: native with nativeCidr and routes, or mode: tunnel with "
            "protocol: vxlan, or mode: tunnel with protocol: geneve"
        )
    return value


def _load_balancing(value: Any) -> str | None:
    mode, dispatch = _member(value, "mode"), _member(value, "dispatch")
    if mode == "snat":
        return "snat"
    return {"opt": "opt", "geneve": "geneve"}.get(str(dispatch)) if mode in ("dsr", "hybrid") else None


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


_LOAD_BALANCING = Discriminator(
    _load_balancing,
    custom_error_type="choice",
    custom_error_message="write mode: snat, or mode: dsr or hybrid with dispatch: opt or geneve",
)

# --- who installs it -------------------------------------------------------------------------------------


class Helm(Spec):
    """The CNI, from its Helm chart."""

    kind: Literal["helm"]
    repository: str = Field(default="https://helm.cilium.io/", pattern=r"^(https|oci)://\S+$")
    """Chart repository, or a mirror of it."""
    timeout_seconds: int = Field(default=600, ge=60, le=3600)
    """Time limit of the installation. After that Helm rolls it back."""
    values: dict[str, Any] = Field(default_factory=dict)
    """More values for the chart. Keys that the platform sets are refused."""


class Chart(NamedTuple):
    """A chart's release and where it is from; the version is the CNI's own."""

    version: str
    repository: str
    timeout_seconds: int


# --- Cilium ----------------------------------------------------------------------------------------------


class _Cilium(Spec):
    kind: Literal["cilium"]
    version: Version
    install: Helm
    service_proxy: ServiceProxy = "ebpf"
    """`ebpf`: Cilium replaces kube-proxy, which must not run. Other values are the mode of kube-proxy."""
    encryption: Literal["none", "wireguard", "ipsec"] = "none"
    """Encryption between nodes. `ipsec` needs a Secret `cilium-ipsec-keys` in kube-system, which you make."""
    pod_mtu: Mtu | None = None
    """The pod MTU that you expect. It is refused if the computed value differs."""
    devices: tuple[str, ...] = ()
    """Interfaces in the nodes' network. Default: Cilium finds them."""
    l7_proxy: bool = True
    """Envoy, for L7 and DNS policies."""
    hubble: bool = True
    """Flow records. On 1.14 to 1.18 the relay stays off, because a Release can't wait for it there."""
    health_probes: bool = True
    """Health checks between agents, and of an endpoint on each node."""
    gateway_api: bool = False
    """Cilium's own Gateway controller. Needs `serviceProxy: ebpf` and `l7Proxy`."""
    running_version: Version | None = None
    """The version that runs before this update, as `cilium version` shows it. Default: none, or the same. A step over
    more than one minor is refused, and the message lists the steps."""
    upgraded_from: MinorVersion | None = None
    """The first minor version of this cluster, as in "1.16". It keeps the defaults that the data path depends on."""


class CiliumVxlan(_Cilium):
    """Cilium over a VXLAN tunnel: SNAT only. What is no routing at all is said here too."""

    routing: Annotated[VxlanTunnel, BeforeValidator(_one_of_the_routings)]
    load_balancing: Annotated[Snat, BeforeValidator(_no_dsr_over_vxlan)] = Snat(mode="snat")


class CiliumGeneve(_Cilium):
    """Cilium over a Geneve tunnel: SNAT, or DSR with Geneve dispatch."""

    routing: GeneveTunnel
    load_balancing: Annotated[
        Annotated[Snat, Tag("snat")] | Annotated[DsrGeneve, Tag("geneve")],
        _LOAD_BALANCING,
        BeforeValidator(_only_geneve_in_geneve),
    ] = Snat(mode="snat")


class CiliumNative(_Cilium):
    """Cilium without a tunnel: everything."""

    routing: NativeRouting
    load_balancing: Annotated[
        Annotated[Snat, Tag("snat")] | Annotated[DsrOption, Tag("opt")] | Annotated[DsrGeneve, Tag("geneve")],
        _LOAD_BALANCING,
    ] = Snat(mode="snat")


Cilium: TypeAlias = CiliumVxlan | CiliumGeneve | CiliumNative

# --- Calico ----------------------------------------------------------------------------------------------


class CalicoHelm(Helm):
    """Calico's operator, from the tigera-operator chart."""

    repository: str = Field(default="https://docs.tigera.io/calico/charts", pattern=r"^(https|oci)://\S+$")


class Calico(Spec):
    """Calico, installed by its operator."""

    kind: Literal["calico"]
    version: Version
    install: CalicoHelm
    encapsulation: Literal["None", "VXLAN", "VXLANCrossSubnet", "IPIP", "IPIPCrossSubnet"] = "VXLAN"
    dataplane: Literal["Iptables", "Nftables", "BPF"] = "Iptables"
    bgp: bool = False
    """Routes to other nodes' pods by BGP. Required for encapsulation `None` and IPIP."""
    bgp_peering: CalicoBgp | None = None
    """BGP peers besides the nodes. Needs `bgp: true`."""
    encryption: Literal["none", "wireguard"] = "none"
    """WireGuard encryption between nodes."""
    external_services: Literal["snat", "dsr"] = "snat"
    """How answers reach a client outside: `snat`, through the node that got the request; `dsr`, directly from the pod's
    node. `dsr` needs `dataplane: BPF`."""
    kube_proxy: Literal["iptables", "ipvs"] = "iptables"
    """Mode of kube-proxy with `dataplane: Iptables`. Other data planes allow no choice."""
    pod_mtu: Mtu | None = None

    @property
    def service_proxy(self) -> ServiceProxy:
        """Who carries Services: Calico's own programs, or kube-proxy beside it."""
        if self.dataplane == "BPF":
            return "ebpf"
        return "nftables" if self.dataplane == "Nftables" else self.kube_proxy


def _cni(value: Any) -> str | None:
    kind = _member(value, "kind")
    if kind != "cilium":
        return kind if kind in ("calico", "flannel", "unmanaged") else None
    routing = _member(value, "routing")
    mode, protocol = _member(routing, "mode"), _member(routing, "protocol")
    return "cilium-native" if mode == "native" else "cilium-geneve" if protocol == "geneve" else "cilium-vxlan"


Cni = Annotated[
    Annotated[CiliumVxlan, Tag("cilium-vxlan")]
    | Annotated[CiliumGeneve, Tag("cilium-geneve")]
    | Annotated[CiliumNative, Tag("cilium-native")]
    | Annotated[Calico, Tag("calico")]
    | Annotated[Flannel, Tag("flannel")]
    | Annotated[Unmanaged, Tag("unmanaged")],
    Discriminator(
        _cni,
        custom_error_type="choice",
        custom_error_message="write kind: cilium or kind: calico, or kind: unmanaged for one that somebody else "
        "installs (Flannel enforces no policies: only with legacy: true)",
    ),
]
AnyCni: TypeAlias = Cilium | Calico | Flannel | Unmanaged


# --- what every CNI needs to know about its surroundings -------------------------------------------------


class ApiServer(Spec):
    """API server endpoint. Without kube-proxy, the CNI can't find the API server by its Service."""

    host: DnsName
    """An address, or a name that every node can resolve."""
    port: int = Field(default=6443, ge=1, le=65535)


class Around(NamedTuple):
    """What else of a stack a CNI's chart depends on."""

    cluster: str
    """Names the cluster to its peers."""
    nodes: tuple[str, ...]
    """By name: each change of them is waited for."""
    announces: frozenset[str] = frozenset()
    """How Cilium announces LoadBalancer addresses (`l2`, `bgp`), where they are its business."""
    gateway_bundle: str | None = None
    """The release of Gateway API's CRDs, where it is known."""
    images: ImageMirror | None = None
    """Where images come from, if not from their makers."""


class NetworkSpec(Spec):
    """Networks of the nodes, pods and Services."""

    node_cidr: Network
    """Network of the nodes' addresses."""
    pod_cidr: Network
    service_cidr: Network
    underlay_mtu: Mtu = 1500
    """MTU of the links: the largest packet that every link between two nodes carries."""
    api_server: ApiServer
