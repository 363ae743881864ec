"""Cilium as one tagged union: what excludes each other can't be written.

For example DSR over a VXLAN tunnel: the chart renders it, and then every agent exits with
`Node Port "dsr" mode cannot be used with vxlan tunneling`. Here each routing has its own model, with the load
balancing that it supports.
"""

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Tag

from components.core.model import Spec
from components.core.types import MinorVersion, Mtu, Network, RefusedError, ServiceProxy, Version
from components.network.cilium.data_path import DataPath
from components.network.compatibility.matrix import Combination, Feature, Part
from components.network.kind import CniSpec, Helm, MtuField, Ports, Requirements, proxy_words
from components.network.mtu import cilium_overheads
from components.network.networks import NetworkSpec


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
    """`dsr`, or `hybrid`: DSR for TCP and SNAT for UDP."""
    dispatch: Literal["geneve"]


def _no_dsr_over_vxlan(value: Any) -> Any:
    if isinstance(value, dict) and value.get("mode") in ("dsr", "hybrid"):
        raise RefusedError(
            f"{value['mode']} over a VXLAN tunnel does not exist (the agent exits)",
            "write mode: snat, or routing with protocol: geneve and dispatch: geneve, or mode: native",
        )
    return value


def _only_geneve_in_geneve(value: Any) -> Any:
    if isinstance(value, dict) and value.get("dispatch") == "opt":
        raise RefusedError("an IP option does not survive a Geneve tunnel", "write dispatch: geneve")
    return value


def _one_of_the_routings(value: Any) -> Any:
    mode, protocol = member(value, "mode"), member(value, "protocol")
    if isinstance(value, dict) and (mode, protocol) != ("tunnel", "vxlan"):
        wrong = "protocol" if mode == "tunnel" else "mode"
        raise RefusedError(
            "is not one of the routings" if wrong in value else f"has no {wrong}",
            "write mode: native with nativeCidr and routes, or mode: tunnel with protocol: vxlan, or mode: tunnel with "
            "protocol: geneve",
            field=wrong,
        )
    return value


def _load_balancing(value: Any) -> str | None:
    mode, dispatch = member(value, "mode"), member(value, "dispatch")
    if mode == "snat":
        return "snat"
    return {"opt": "opt", "geneve": "geneve"}.get(str(dispatch)) if mode in ("dsr", "hybrid") else None


def member(value: Any, name: str) -> Any:
    """A field of a model, or of the data that it will be read from."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def _one_of_the_dispatches(value: Any) -> Any:
    if isinstance(value, dict) and _load_balancing(value) is None:
        wrong = "dispatch" if value.get("mode") in ("dsr", "hybrid") else "mode"
        raise RefusedError(
            "is not one of the choices" if wrong in value else f"has no {wrong}",
            "write mode: snat, or mode: dsr or hybrid with dispatch: opt or geneve",
            field=wrong,
        )
    return value


_ROUTES = {"same-l2": "routes set by each agent", "provider": "routes by the provider", "bgp": "routes by BGP"}

Source = Literal["client", "node", "node's router"]


class _Cilium(CniSpec):
    """What every routing has in common."""

    kind: Literal["cilium"]
    version: Version
    """Version of Cilium and of its chart."""
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
    """Flow records, and metrics of them where `monitoring` is."""
    hubble_relay: bool = True
    """Hubble's relay, which collects flow records of all nodes, and the Job that makes its certificates. Without it,
    agents listen on no port for flow records. On 1.18 it stays off, because a Release can't wait for it there."""
    health_probes: bool = True
    """Health checks between agents, and of an endpoint on each node."""
    gateway_api: bool = False
    """Cilium's own Gateway controller. Needs `serviceProxy: ebpf` and `l7Proxy`."""
    running_version: Version | None = None
    """The version that runs before this update, as `cilium version` shows it. Default: none, or the same. A step over
    more than one minor is refused, and the message lists the steps."""
    upgraded_from: MinorVersion | None = None
    """The first minor version of this cluster, as in "1.16". It keeps the defaults that the data path depends on."""

    # Each kind of routing has its own.
    routing: VxlanTunnel | GeneveTunnel | NativeRouting
    load_balancing: Snat | DsrOption | DsrGeneve

    tunnel: ClassVar[str]
    """`vxlan` or `geneve`; empty: none."""
    mtu_field: ClassVar[MtuField] = "MTU"
    mtu_is_the_links: ClassVar[bool] = True

    @property
    def chart(self) -> tuple[str, str]:
        return "cilium", self.version

    def data_path(self, network: NetworkSpec) -> DataPath:
        """What the agents are told, as constraints judge it."""
        replaces = self.service_proxy == "ebpf"
        dispatch = "opt" if isinstance(self.load_balancing, Snat) else self.load_balancing.dispatch
        return DataPath(
            release=self.version,
            routing="tunnel" if self.tunnel else "native",
            protocol=self.tunnel or ("geneve" if dispatch == "geneve" else "vxlan"),  # of DSR, also without a tunnel
            lb_mode=self.load_balancing.mode,
            dispatch=dispatch,
            replaces_proxy=replaces,
            node_ports=replaces,
            ipam="kubernetes",
            bpf_masquerade=replaces,
            pod_cidr=str(network.pod_cidr),
            encryption="" if self.encryption == "none" else self.encryption,
            l7_proxy=self.l7_proxy,
            gateway_api=self.gateway_api,
            mtu=network.underlay_mtu,
        )

    def overheads(self) -> dict[str, int]:
        return cilium_overheads(self.tunnel, "" if self.encryption == "none" else self.encryption, self.version)

    def requirements(self) -> Requirements:
        """Ports are of Cilium's system requirements."""
        udp: Ports = {"vxlan": ((8472, "Cilium's VXLAN"),), "geneve": ((6081, "Cilium's Geneve"),)}.get(self.tunnel, ())
        if not self.tunnel and isinstance(self.load_balancing, DsrGeneve):
            udp = ((6081, "DSR with Geneve dispatch"),)
        if self.encryption == "wireguard":
            udp = (*udp, (51871, "Cilium's WireGuard"))
        tcp = ((4240, "Cilium's health probes"),) if self.health_probes else ()
        dsr = "" if isinstance(self.load_balancing, Snat) else "DSR"
        return Requirements(tcp, udp, foreign_sources=dsr if self.tunnel else "native routing")

    def combination(self) -> Combination:
        features = set()
        if self.service_proxy == "nftables":
            features.add(Feature.PROXY_NFTABLES)
        if self.gateway_api:
            features.add(Feature.CILIUM_GATEWAY)
        return Combination({Part.CILIUM: self.version}, frozenset(features))

    def summary(self) -> str:
        encryption = {"none": (), "wireguard": ("WireGuard",), "ipsec": ("IPsec",)}[self.encryption]
        routing = {"vxlan": "VXLAN tunnel", "geneve": "Geneve tunnel"}.get(self.tunnel, "")
        if isinstance(self.routing, NativeRouting):
            routing = f"native routing in {self.routing.native_cidr} ({_ROUTES[self.routing.routes]})"
        parts = (routing, self.load_balancing.mode.upper(), *encryption, proxy_words(self.service_proxy))
        return f"Cilium {self.version}: {', '.join(parts)}"

    def source_at_pod(self, *, local: bool) -> Source:
        """Whose address a pod behind a LoadBalancer address sees, over TCP and with Cilium carrying Services.

        `local`: the node that the packet reached has the pod, and the client is seen. Otherwise DSR, which `hybrid` is
        for TCP, keeps the client's address, and SNAT puts the node's in its place: with a tunnel not the one that the
        node is known by but its router's, of its own part of the pod network (seen with 1.18.2; a NetworkPolicy that
        lets nodes in by their addresses does not let these in).
        """
        if local or self.load_balancing.mode != "snat":
            return "client"
        return "node's router" if self.tunnel else "node"


class CiliumVxlan(_Cilium):
    """Cilium over a VXLAN tunnel: SNAT only. What is no routing at all is said here too."""

    tunnel: ClassVar[str] = "vxlan"

    routing: Annotated[VxlanTunnel, BeforeValidator(_one_of_the_routings)]
    load_balancing: Annotated[Snat, BeforeValidator(_no_dsr_over_vxlan)] = Snat(mode="snat")


class CiliumGeneve(_Cilium):
    """Cilium over a Geneve tunnel: SNAT, or DSR with Geneve dispatch."""

    tunnel: ClassVar[str] = "geneve"

    routing: GeneveTunnel
    load_balancing: Annotated[
        Annotated[Snat, Tag("snat")] | Annotated[DsrGeneve, Tag("geneve")],
        Discriminator(_load_balancing),
        BeforeValidator(_one_of_the_dispatches),
        BeforeValidator(_only_geneve_in_geneve),
    ] = Snat(mode="snat")


class CiliumNative(_Cilium):
    """Cilium without a tunnel: everything."""

    tunnel: ClassVar[str] = ""
    plain_path: ClassVar[str] = "native routing"

    routing: NativeRouting
    load_balancing: Annotated[
        Annotated[Snat, Tag("snat")] | Annotated[DsrOption, Tag("opt")] | Annotated[DsrGeneve, Tag("geneve")],
        Discriminator(_load_balancing),
        BeforeValidator(_one_of_the_dispatches),
    ] = Snat(mode="snat")

    def data_path(self, network: NetworkSpec) -> DataPath:
        routes, cidr = self.routing.routes == "same-l2", str(self.routing.native_cidr)
        return replace(super().data_path(network), direct_routes=routes, native_cidr=cidr)

    def requirements(self) -> Requirements:
        same_l2 = self.routing.routes == "same-l2"
        segment = "native routing with routes: same-l2" if same_l2 else ""
        return super().requirements()._replace(same_segment=segment)


Cilium: TypeAlias = CiliumVxlan | CiliumGeneve | CiliumNative
