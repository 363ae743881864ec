"""The cluster's network as one tagged union: what excludes each other has no spelling.

DSR over a VXLAN tunnel, for one: the chart renders it, and every agent then exits with
`Node Port "dsr" mode cannot be used with vxlan tunneling`. Here each routing has its own model with the
load balancing that it can carry, so there is no way to write the pair down.
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
    """Pod packets travel in UDP between nodes; any network that carries the nodes carries them."""

    mode: Literal["tunnel"]
    protocol: Literal["vxlan"]


class GeneveTunnel(Spec):
    """As VXLAN, with options in the header: it can carry DSR."""

    mode: Literal["tunnel"]
    protocol: Literal["geneve"]


class NativeRouting(Spec):
    """Pod packets travel as they are; the nodes' network must know where pods live."""

    mode: Literal["native"]
    native_cidr: Network
    """Addresses that are reached without masquerade: the pod network, or a range that holds it."""
    routes: Literal["same-l2", "provider", "bgp"]
    """How routes to other nodes' pods get there: `same-l2` lets each agent set them (every node on one
    segment); `provider` and `bgp` are somebody else's work."""


# --- how a Service's traffic reaches a pod on another node -----------------------------------------------


class Snat(Spec):
    """The node replaces the client's address; answers go back through it. Works everywhere."""

    mode: Literal["snat"]


class DsrOption(Spec):
    """Answers go straight to the client, whose address is kept; 8 bytes of IP option on the way in."""

    mode: Literal["dsr", "hybrid"]
    """`hybrid`: DSR for TCP, SNAT for UDP."""
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
    """The chart, by a Helm Release."""

    kind: Literal["helm"]
    repository: str = Field(default="https://helm.cilium.io/", pattern=r"^(https|oci)://\S+$")
    """Chart repository; a mirror where the public one can't be reached."""
    timeout_seconds: int = Field(default=600, ge=60, le=3600)
    """How long the roll-out may take before Helm rolls it back."""
    values: dict[str, Any] = Field(default_factory=dict)
    """More values for the chart, beside the platform's own: none of the keys that it sets itself."""


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
    """`ebpf`: Cilium replaces kube-proxy, which must not run. Otherwise kube-proxy's mode."""
    encryption: Literal["none", "wireguard", "ipsec"] = "none"
    """Between nodes. `ipsec` needs a Secret `cilium-ipsec-keys` in kube-system, which somebody else makes."""
    pod_mtu: Mtu | None = None
    """What the author expects pods to get. The solver computes it; a number that differs is refused."""
    devices: tuple[str, ...] = ()
    """Interfaces that face the nodes' network; empty: Cilium looks for them."""
    l7_proxy: bool = True
    """Envoy for L7 and DNS policies."""
    hubble: bool = True
    """Flow records. The relay comes with the chart, but not from 1.14 to 1.18, where no Release can wait for it."""
    health_probes: bool = True
    """Agents probe each other's nodes, and an endpoint on each."""
    gateway_api: bool = False
    """Cilium's own Gateway controller. Needs `serviceProxy: ebpf` and `l7Proxy`."""
    running_version: Version | None = None
    """What runs now, before this update, as `cilium version` says; left out: nothing, or the same. A jump over a
    minor is refused with the path to take."""
    upgraded_from: MinorVersion | None = None
    """The first minor this cluster ran, as in "1.16": keeps defaults that a running data path depends on."""


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
    """The tigera-operator chart."""

    repository: str = Field(default="https://docs.tigera.io/calico/charts", pattern=r"^(https|oci)://\S+$")


class Calico(Spec):
    """Calico by its operator. Its `mtu` is the pods' own, where Cilium's is the link's."""

    kind: Literal["calico"]
    version: Version
    install: CalicoHelm
    encapsulation: Literal["None", "VXLAN", "VXLANCrossSubnet", "IPIP", "IPIPCrossSubnet"] = "VXLAN"
    dataplane: Literal["Iptables", "Nftables", "BPF"] = "Iptables"
    bgp: bool = False
    """Routes to other nodes' pods by BGP; needed for `None` and IPIP."""
    bgp_peering: CalicoBgp | None = None
    """Whom nodes peer with beyond each other; needs `bgp: true`."""
    encryption: Literal["none", "wireguard"] = "none"
    """Between nodes, by Felix."""
    external_services: Literal["snat", "dsr"] = "snat"
    """How a client outside gets its answer: through the node it called, or straight from the pod's node.
    `dsr` needs `dataplane: BPF`."""
    kube_proxy: Literal["iptables", "ipvs"] = "iptables"
    """kube-proxy's mode beside `dataplane: Iptables`; the other data planes leave no choice."""
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
    """Where nodes reach the API server without a Service: eBPF has no kube-proxy to find it by."""

    host: DnsName
    """An address or a name that every node resolves."""
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
    """The networks the cluster stands on and makes."""

    node_cidr: Network
    """The segment the nodes' addresses are in."""
    pod_cidr: Network
    service_cidr: Network
    underlay_mtu: Mtu = 1500
    """The largest packet that every link between two nodes carries."""
    api_server: ApiServer
